//! `attributes` and `excludedAttributes` (C-25, C-28).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use scim_types::{Projection, Registry, ResourceType, ScimType};
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn users() -> &'static ResourceType {
    Registry::standard().user()
}

fn ada() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "id": "u1",
        "userName": "ada",
        "name": {"givenName": "Ada", "familyName": "L"},
        "emails": [{"value": "a@x.example", "type": "work"}, {"value": "b@x.example", "type": "home"}],
        "groups": [{"value": "g1"}],
        ENTERPRISE: {"department": "Deck", "manager": {"value": "m1"}},
        "meta": {"resourceType": "User", "version": "W/\"1\""},
    })
}

fn show(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    let Value::Object(full) = ada() else { unreachable!("an object") };
    Projection::parse(users(), attributes, excluded).unwrap().apply(users(), full).into()
}

/// What is shown beside `schemas` and `id`, which must always be there.
fn only(attributes: &str) -> Value {
    let mut shown = show(Some(attributes), None);
    let members = shown.as_object_mut().unwrap();
    assert_eq!(members.shift_remove("id"), Some(json!("u1")));
    assert_eq!(members.shift_remove("schemas"), Some(ada()["schemas"].clone()));
    shown
}

fn without(excluded: &str) -> Vec<String> {
    let shown = show(None, Some(excluded));
    let left = shown.as_object().unwrap();
    ada().as_object().unwrap().keys().filter(|name| !left.contains_key(*name)).cloned().collect()
}

#[test]
fn c25_nothing_asked_shows_all() {
    assert_eq!(show(None, None), ada());
    assert!(Projection::parse(users(), None, None).unwrap().is_whole());
    assert!(Projection::parse(users(), Some(""), Some(" ")).unwrap().is_whole());
    assert!(!Projection::parse(users(), None, Some("groups")).unwrap().is_whole());
}

#[test]
fn c25_id_and_schemas_are_always_there() {
    assert_eq!(only("id"), json!({}));
    assert_eq!(only("shoeSize"), json!({}));
    assert_eq!(without("id,schemas"), [""; 0]);
}

#[test]
fn c25_names_may_be_parts_carry_a_urn_and_have_any_case() {
    assert_eq!(only("USERNAME, name.givenName"), json!({"userName": "ada", "name": {"givenName": "Ada"}}));
    assert_eq!(only("emails.value"), json!({"emails": [{"value": "a@x.example"}, {"value": "b@x.example"}]}));
    assert_eq!(only("urn:ietf:params:scim:schemas:core:2.0:User:userName"), json!({"userName": "ada"}));
    assert_eq!(only("department"), json!({ENTERPRISE: {"department": "Deck"}}));
    assert_eq!(
        only(&format!("{ENTERPRISE}:manager.value")),
        json!({ENTERPRISE: {"manager": {"value": "m1"}}})
    );
    assert_eq!(only(ENTERPRISE), json!({ENTERPRISE: ada()[ENTERPRISE]}));
    assert_eq!(only("name.givenName,name"), json!({"name": ada()["name"]}));
}

#[test]
fn c25_excluded_attributes_are_left_out() {
    assert_eq!(without("groups"), ["groups"]);
    assert_eq!(without(&format!("{ENTERPRISE},meta")), [ENTERPRISE, "meta"]);
    assert_eq!(without("shoeSize"), [""; 0]);
    assert_eq!(show(None, Some("name.givenName,emails.type"))["name"], json!({"familyName": "L"}));
    assert_eq!(show(None, Some("emails.type"))["emails"][1], json!({"value": "b@x.example"}));
    assert_eq!(show(None, Some("manager"))[ENTERPRISE], json!({"department": "Deck"}));
}

#[test]
fn both_lists_show_what_the_first_names_and_the_second_does_not() {
    let shown = show(Some("userName,name"), Some("name.familyName,id"));
    assert_eq!(shown["name"], json!({"givenName": "Ada"}));
    assert_eq!(shown["userName"], "ada");
    assert_eq!(shown["id"], "u1");
    assert!(shown.get("emails").is_none());
}

#[test]
fn c28_whether_members_will_be_shown_is_known_before_they_are_collected() {
    let groups = Registry::standard().group();
    let names = |attributes, excluded| {
        Projection::parse(groups, attributes, excluded).unwrap().names(groups, "members")
    };
    assert!(names(None, None));
    assert!(names(Some("members.value"), None));
    assert!(names(None, Some("members.display")));
    assert!(!names(None, Some("members")));
    assert!(!names(Some("displayName"), None));
}

#[test]
fn a_password_is_never_shown() {
    let mut full = ada().as_object().unwrap().clone();
    full.insert("password".into(), json!("Correct-Horse-9"));
    for attributes in [None, Some("password"), Some("urn:ietf:params:scim:schemas:core:2.0:User")] {
        let shown = Projection::parse(users(), attributes, None).unwrap().apply(users(), full.clone());
        assert!(!shown.contains_key("password"), "{attributes:?}");
    }
}

#[test]
fn what_can_be_no_name_is_refused() {
    for names in ["emails[type eq \"work\"]", "user name", "name..x"] {
        let error = Projection::parse(users(), Some(names), None).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{names}");
    }
    assert_eq!(only("userName,,"), json!({"userName": "ada"}));
}
