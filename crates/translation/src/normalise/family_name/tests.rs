use serde_json::json;

use super::*;
use crate::normalise::tests::{adapted, same, user};

#[test]
fn a_family_name_is_taken_as_it_is() {
    let person = user(
        &json!({"userName": "u", "displayName": "X", "name": {"familyName": "de Vries", "formatted": "Y"}}),
    );
    assert_eq!(of_user(&person), same("de Vries"));
}

#[test]
fn one_is_made_where_none_was_sent() {
    for (body, expected) in [
        (json!({"userName": "u", "name": {"formatted": "Ada Lovelace"}, "displayName": "X Y"}), "Lovelace"),
        (json!({"userName": "u", "displayName": "Ada King Lovelace"}), "Lovelace"),
        (json!({"userName": "u", "displayName": "de Vries, Anne"}), "de Vries"),
        (json!({"userName": "u", "displayName": "Madonna"}), "Madonna"),
        (json!({"userName": "u", "displayName": "Jan van den Berg"}), "van den Berg"),
        (json!({"userName": "u", "displayName": "Kevin De Bruyne"}), "De Bruyne"),
        (json!({"userName": "u", "displayName": "Anne van 't Hof-Smit"}), "van 't Hof-Smit"),
        (json!({"userName": "u", "displayName": "Leonardo da Vinci"}), "da Vinci"),
        (json!({"userName": "u", "displayName": "Al Pacino"}), "Pacino"),
        (json!({"userName": "u", "displayName": "John Smith Jr."}), "Smith"),
        (json!({"userName": "u", "displayName": "John Smith, Ph.D."}), "Smith"),
        (json!({"userName": "u", "displayName": "Ba"}), "Ba"),
        (json!({"userName": "u", "displayName": "Anna Ma"}), "Ma"),
        (json!({"userName": "u", "displayName": "山田太郎"}), "山田太郎"),
        (json!({"userName": "ada.lovelace@acme.example"}), "ada.lovelace"),
        (json!({"userName": "jdoe", "displayName": " , "}), "jdoe"),
        (json!({"userName": "@acme"}), "@acme"),
    ] {
        assert_eq!(adapted(of_user(&user(&body))), (expected.to_owned(), NoteCode::LastNameMade), "{body}");
    }
    assert_eq!(of_user(&Resource::default()), Normalised::Absent);
}
