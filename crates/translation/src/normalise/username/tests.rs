use super::*;
use crate::normalise::tests::{adapted, refused, same};

#[test]
fn a_mail_address_is_taken_in_lower_case() {
    for (sent, expected) in [
        ("ada@acme.example", "ada@acme.example"),
        ("Ada.Lovelace@Acme.Example", "ada.lovelace@acme.example"),
        ("ada+sf@acme.example.sandbox", "ada+sf@acme.example.sandbox"),
        ("o'brien@acme.example", "o'brien@acme.example"),
        ("ada_l-1@sub.acme.example", "ada_l-1@sub.acme.example"),
    ] {
        assert_eq!(username(sent, None), same(expected), "{sent}");
        assert_eq!(username(sent, Some("other.example")), same(expected), "no second domain");
    }
}

#[test]
fn any_other_name_gets_the_domain() {
    for (sent, domain, expected) in [
        ("jdoe", "acme.example", "jdoe@acme.example"),
        ("JDoe", "ACME.example", "jdoe@acme.example"),
        ("jdoe", "@acme.example", "jdoe@acme.example"),
        ("00u1234567", "acme.example", "00u1234567@acme.example"),
        ("j.doe", "acme.example", "j.doe@acme.example"),
    ] {
        assert_eq!(
            adapted(username(sent, Some(domain))),
            (expected.to_owned(), NoteCode::UsernameDomainAdded),
            "{sent}"
        );
    }
}

#[test]
fn without_a_domain_the_setting_is_named() {
    let why = refused(username("jdoe", None));
    assert!(why.contains("`userName` is `jdoe`") && why.contains("`username-domain`"), "{why}");
}

#[test]
fn what_salesforce_refuses_is_refused_here() {
    for sent in [
        "a b@acme.example",
        "jürgen@acme.example",
        "ada@localhost",
        "ada@",
        "@acme.example",
        "a@b@c.example",
        "ada@acme..example",
        ".ada@acme.example",
        "ada.@acme.example",
        "ada@-acme.example",
        "ada@acme_1.example",
        "acme\\ada",
        "Ada Lovelace",
        "山田",
        "ada\u{0}",
    ] {
        refused(username(sent, Some("acme.example")));
    }
}
