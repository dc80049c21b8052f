//! Mappings in the JSON form of Next Identity.

use serde_json::json;
use translation::{Mapping, OnLeave, Severity};

use crate::org::user;

/// The sample of the product's documentation, with fields as a customer has them.
const SAMPLE: &str = r#"{
  "type": "salesforce",
  "instance": "acme-prod",
  "mapping": {
    "uuid": "Identity_UUID__c",
    "email": "Email",
    "givenName": "FirstName",
    "familyName": "LastName",
    "created": "Identity_Created__c",
    "emailVerified": "Email_Verified__c",
    "lastLogin": "Last_Login__c",
    "lastUpdated": "Identity_Updated__c"
  }
}"#;

fn parsed(text: &str) -> Mapping {
    Mapping::parse(text, "acme.json").unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(text: &str) -> String {
    match Mapping::parse(text, "acme.json") {
        Ok(mapping) => panic!("expected mistakes in {mapping:?}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn the_sample_loads_as_it_stands() {
    let mapping = parsed(SAMPLE);
    let [target] = mapping.targets.as_slice() else { panic!("{mapping:?}") };
    assert_eq!((target.name.as_str(), target.object.as_str()), ("contacts", "Contact"));
    assert_eq!((target.org.as_ref(), target.instance.as_deref()), (None, Some("acme-prod")));
    assert_eq!(target.matching, ["Identity_UUID__c", "Email"]);
    assert_eq!(target.external_id.as_deref(), Some("GangwayId__c"));
    assert_eq!(target.on_leave, OnLeave::None);
    assert!(target.allow.create && target.allow.update && !target.allow.delete);
    let mapped: Vec<&str> = target.mapped_fields().collect();
    assert_eq!(mapped, ["Identity_UUID__c", "Email", "FirstName", "LastName"]);
    for (field, attribute) in [
        ("Identity_UUID__c", "externalId"),
        ("Email", "emails"),
        ("FirstName", "name.givenName"),
        ("LastName", "name.familyName"),
    ] {
        assert_eq!(target.attribute_of(field), Some(attribute), "{field}");
    }
    assert!(target.applies(&user(json!({"userName": "u"}))));
}

/// What no SCIM user carries is said, and does not keep the mapping from being used.
#[test]
fn attributes_that_only_events_have_are_warnings() {
    let mapping = parsed(SAMPLE);
    assert!(mapping.warnings().iter().all(|warning| warning.severity == Severity::Warning));
    let text: Vec<String> = mapping.warnings().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n\n"));
    assert!(
        parsed(&SAMPLE.replace("lastLogin", "title")).warnings().len() == 3,
        "`title` is a SCIM attribute"
    );
}

#[test]
fn the_form_is_told_by_the_name_of_the_file_or_the_first_character() {
    for file in ["acme.json", "ACME.JSON", "acme.toml", "acme"] {
        assert!(Mapping::parse(SAMPLE, file).is_ok(), "{file}");
        assert!(Mapping::parse(&format!("\u{feff}\n {SAMPLE}"), file).is_ok(), "{file}");
    }
    let toml = "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nTitle = 'user.title'\n";
    assert!(Mapping::parse(toml, "acme.toml").is_ok());
    assert!(Mapping::parse(toml, "acme.json").is_err());
}

#[test]
fn the_object_is_the_one_that_can_be_made_from_the_fields() {
    let object = |mapping: &str| parsed(&mapping_of(mapping)).targets[0].object.clone();
    assert_eq!(object(r#""familyName": "LastName""#), "Contact");
    assert_eq!(object(r#""familyName": "LastName", "primaryAddress.company": "Company""#), "Lead");
    assert_eq!(object(r#""familyName": "LastName", "email": "Username""#), "User");
    let said =
        mapping_of(r#""familyName": "LastName""#).replace("\"mapping\"", "\"object\": \"Lead\", \"mapping\"");
    assert_eq!(parsed(&said).targets[0].object, "Lead");
}

fn mapping_of(lines: &str) -> String {
    format!("{{\"type\": \"salesforce\", \"instance\": \"acme\", \"mapping\": {{{lines}}}}}")
}

#[test]
fn an_object_that_is_needed_is_asked_for() {
    insta::assert_snapshot!(errors(&mapping_of(r#""email": "Email", "uuid": "Identity_UUID__c""#)));
    assert!(
        errors(&mapping_of(r#""familyName": "LastName", "email": "Username", "title": "Company""#))
            .contains("do not tell which object")
    );
}

#[test]
fn defaults_fill_what_a_profile_lacks() {
    let mapping = parsed(
        r#"{"type": "salesforce", "instance": "acme", "object": "Lead",
            "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "email": "Email"},
            "defaults": {"LastName": "(unknown)", "Company": "(private)"}}"#,
    );
    let target = &mapping.targets[0];
    assert!(target.maps("Company") && target.maps("LastName"));
    assert_eq!(mapping.warnings(), []);
}

#[test]
fn every_mistake_has_its_place() {
    insta::assert_snapshot!(errors(
        r#"{
  "type": "hubspot",
  "instance": 5,
  "objects": "Contact",
  "object": "Contcat",
  "mapping": {
    "email": "E Mail",
    "familyName": "LastName",
    "givenName": "lastname",
    "title": ["Title"],
    "displayName": "Id",
    "organi\u007aation": "GangwayId__c"
  },
  "defaults": {"Company": 5}
}"#
    ));
}

#[test]
fn what_is_no_such_mapping_is_explained() {
    let texts = [
        "{",
        "[]",
        "{\"type\": \"salesforce\",}",
        "{\"type\": \"salesforce\", \"mapping\": []}",
        "{\"instance\": \"acme\"}",
        "{\"type\": \"salesforce\", \"object\": \"Contact\", \"mapping\": {\"lastLogin\": \"Last_Login__c\"}}",
    ];
    insta::assert_snapshot!(texts.map(errors).join("\n\n"));
    // Nothing that can be nested makes the reader run out of stack.
    errors(&"{\"a\":".repeat(200_000));
    errors(&format!("{{\"type\": \"salesforce\", \"mapping\": {}", "[".repeat(200_000)));
}
