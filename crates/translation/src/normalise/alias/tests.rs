use serde_json::json;

use super::*;
use crate::normalise::tests::{adapted, same, user};

fn alias_of(given: &str, family: &str) -> String {
    let user =
        user(&json!({"userName": "x@acme.example", "name": {"givenName": given, "familyName": family}}));
    adapted(of_user(&user, None)).0
}

const NAMES: [(&str, &str, &str); 42] = [
    // Latin
    ("Ada", "Lovelace", "alovelac"),
    ("ADA", "LOVELACE", "alovelac"),
    ("Jan", "Vos", "jvos"),
    ("Anne-Sophie", "de Vries", "adevries"),
    ("Jan", "van der Berg", "jvanderb"),
    ("Siobhán", "O'Brien", "sobrien"),
    ("Łukasz", "Żółć", "lzolc"),
    ("Jürgen", "Groß", "jgross"),
    ("Đặng", "Nguyễn", "dnguyen"),
    ("Øyvind", "Ærø", "oaero"),
    ("Þór", "Ðórisson", "tdorisso"),
    ("İbrahim", "Şahin", "isahin"),
    ("Zoë", "Müller-Lüdenscheidt", "zmullerl"),
    ("José", "Núñez", "jnunez"),
    // combining marks: the same letters in two code points
    ("Zoe\u{308}", "Mu\u{308}ller", "zmuller"),
    ("Jose\u{301}", "Nun\u{303}ez", "jnunez"),
    ("A\u{30a}ke", "O\u{308}berg", "aoberg"),
    ("\u{301}", "Vos", "vos"),
    // Greek, Cyrillic, Armenian, Georgian
    ("Ελένη", "Παπαδοπούλου", "epapadop"),
    ("Γιώργος", "Νικολάου", "gnikolao"),
    ("Иван", "Петров", "ipetrov"),
    ("Ольга", "Щербакова", "oshcherb"),
    ("Олександр", "Шевченко", "oshevche"),
    // Chinese, Japanese, Korean
    ("伟", "王", "wwang"),
    ("小明", "李", "xli"),
    ("太郎", "山田", "tshantia"),
    ("さくら", "たなか", "stanaka"),
    ("철수", "김", "cgim"),
    // Arabic, Hebrew, Devanagari, Thai
    ("محمد", "علي", "mly"),
    ("דוד", "כהן", "dkhn"),
    ("राम", "शर्मा", "rshrmaa"),
    // one letter, and nothing on one side
    ("A", "B", "ab"),
    ("", "B", "b"),
    ("A", "", "a"),
    ("", "Lovelace", "lovelace"),
    ("Ada", "", "ada"),
    ("  ", " Lovelace ", "lovelace"),
    // digits and punctuation
    ("R2", "D2", "rd2"),
    ("X Æ", "A-12", "xa12"),
    ("`Ada`", "{Lovelace}", "alovelac"),
    ("Ada", "Lovelace 🦄", "alovelac"),
    ("Ada\u{0}", "Love\u{200b}lace\n", "alovelac"),
];

#[test]
fn names_in_many_scripts() {
    for (given, family, expected) in NAMES {
        assert_eq!(alias_of(given, family), expected, "{given} {family}");
    }
}

#[test]
fn every_alias_is_one_that_salesforce_takes() {
    for (given, family, _) in NAMES {
        let alias = alias_of(given, family);
        assert!((1..=LENGTH).contains(&alias.len()), "{alias}");
        assert!(alias.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{alias}");
    }
}

#[test]
fn without_a_name_the_display_name_and_the_user_name_serve() {
    let alias = |body| adapted(of_user(&user(&body), None)).0;
    assert_eq!(alias(json!({"userName": "u", "displayName": "Ada King Lovelace"})), "alovelac");
    assert_eq!(alias(json!({"userName": "u", "displayName": "Madonna"})), "madonna");
    assert_eq!(alias(json!({"userName": "ada.lovelace@acme.example"})), "adalovel");
    assert_eq!(alias(json!({"userName": "jdoe"})), "jdoe");
}

/// Nothing that can be written in Latin letters is left: a number from the user name, the same every time.
#[test]
fn a_number_when_nothing_is_left() {
    let alias = |name: &str| adapted(of_user(&user(&json!({ "userName": name })), None)).0;
    for name in ["...@acme.example", "\u{301}\u{302}", "___", "@"] {
        let first = alias(name);
        assert_eq!(first.len(), LENGTH, "{name}");
        assert!(first.starts_with('u') && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
        assert_eq!(alias(name), first);
    }
    assert_ne!(alias("...@acme.example"), alias("...@other.example"));
    assert_eq!(adapted(of_user(&Resource::default(), None)).0.len(), LENGTH, "not even a user name");
}

#[test]
fn an_alias_once_given_stays() {
    let married = user(&json!({"userName": "u", "name": {"givenName": "Ada", "familyName": "King"}}));
    assert_eq!(of_user(&married, Some("alovelac")), same("alovelac"));
    assert_eq!(of_text("new", Some("old")), same("old"));
}

#[test]
fn an_alias_from_one_text() {
    assert_eq!(of_text("JDoe", None), same("JDoe"));
    assert_eq!(adapted(of_text("j.doe", None)), ("jdoe".to_owned(), NoteCode::AliasMade));
    assert_eq!(adapted(of_text("Lovelace-King", None)).0, "lovelace");
    assert_eq!(adapted(of_text("...", None)).0.len(), LENGTH);
}

#[test]
fn a_long_name_costs_no_more_than_a_short_one() {
    let long = "王".repeat(1_000_000);
    assert_eq!(alias_of(&long, &long), "wwangwan");
}
