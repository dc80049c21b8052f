use serde_json::json;

use super::*;
use crate::normalise::tests::{adapted, refused, same, user};

#[test]
fn addresses_keep_their_case() {
    for address in [
        "Ada.Lovelace@Acme.Example",
        "a@b.co",
        "o'brien+x@acme-1.example",
        "!#$%&'*+-/=?^_`{|}~@acme.example",
    ] {
        assert_eq!(of_text(address), same(address));
    }
}

#[test]
fn what_is_no_address_says_why() {
    for (sent, why) in [
        ("ada", "no `@`"),
        ("@acme.example", "before the `@`"),
        ("ada@", "after the `@`"),
        ("ada lovelace@acme.example", "` `"),
        ("ada@acme", "no dot"),
        ("ada..l@acme.example", "a dot"),
        ("ada@acme.example.", "a dot"),
        ("ada@acme,example.org", "`,`"),
        ("jürgen@acme.example", "`ü`"),
        ("ada@acme-.example", "`-`"),
        ("Ada <ada@acme.example>", "` `"),
    ] {
        assert!(refused(of_text(sent)).contains(why), "{sent}");
    }
}

#[test]
fn the_primary_address_else_the_one_for_work_else_the_first() {
    let address = |emails| of_user(&user(&json!({"userName": "u", "emails": emails})));
    let (home, work) =
        (json!({"value": "h@a.example", "type": "home"}), json!({"value": "w@a.example", "type": "work"}));
    let primary = json!({"value": "p@a.example", "type": "other", "primary": true});
    assert_eq!(address(json!([home, work, primary])), same("p@a.example"));
    assert_eq!(address(json!([home, work])), same("w@a.example"));
    assert_eq!(address(json!([home])), same("h@a.example"));
    assert_eq!(
        address(json!([{"value": "only@a.example"}])),
        same("only@a.example"),
        "neither type nor primary"
    );
    refused(address(json!([{"value": "nonsense", "primary": true}])));
}

#[test]
fn a_user_name_that_is_an_address_serves() {
    let of = |name: &str| of_user(&user(&json!({ "userName": name })));
    assert_eq!(adapted(of("Ada@acme.example")), ("Ada@acme.example".to_owned(), NoteCode::EmailFromUserName));
    assert_eq!(of("jdoe"), Normalised::Absent);
}
