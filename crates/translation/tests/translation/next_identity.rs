//! Mappings in the JSON form of Next Identity.

use serde_json::json;
use translation::{EventKind, Mapping, OnLeave, Severity};

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
    assert_eq!(target.external_id.as_deref(), Some("Identity_UUID__c"), "the record is found by the uuid");
    assert_eq!(target.key_of_person(), Some(Some("externalId")));
    assert_eq!(target.matching, [""; 0], "and by nothing else");
    assert_eq!(target.on_leave, OnLeave::None);
    assert!(target.allow.create && target.allow.update && !target.allow.delete);
    let mapped: Vec<&str> = target.mapped_fields().collect();
    let fields = [
        ("Identity_UUID__c", "externalId"),
        ("Email", "emails"),
        ("FirstName", "name.givenName"),
        ("LastName", "name.familyName"),
        ("Identity_Created__c", "created"),
        ("Email_Verified__c", "emailVerified"),
        ("Last_Login__c", "lastLogin"),
        ("Identity_Updated__c", "lastUpdated"),
    ];
    assert_eq!(mapped, fields.map(|(field, _)| field));
    for (field, attribute) in fields {
        assert_eq!(target.attribute_of(field), Some(attribute), "{field}");
    }
    assert_eq!(mapping.warnings(), []);
    assert!(target.applies(&user(json!({"userName": "u"}))));
    let rules = mapping.source_rules();
    assert!(rules.enabled && rules.clients.is_empty());
    assert!(
        [EventKind::Created, EventKind::Updated, EventKind::Deleted]
            .into_iter()
            .all(|kind| rules.applies(kind))
    );
}

/// What may be a slip, and what SCIM requests cannot fill, is said and does not keep the mapping from being used.
#[test]
fn what_is_probably_meant_otherwise_is_a_warning() {
    let mapping = parsed(&mapping_of(
        r#""famliyName": "LastName", "favouriteColour": "Colour__c", "mobileNumber": "MobilePhone",
        "primaryAddress.mobile": "OtherPhone""#,
    ));
    assert!(mapping.warnings().iter().all(|warning| warning.severity == Severity::Warning));
    let text: Vec<String> = mapping.warnings().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n\n"));
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
fn what_is_only_a_default_does_not_decide_the_object() {
    let mapping = mapping_of(r#""familyName": "LastName""#)
        .replace("\"mapping\"", "\"defaults\": {\"Company\": \"(private)\"}, \"mapping\"");
    assert_eq!(parsed(&mapping).targets[0].object, "Contact");
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
        "{\"type\": \"salesforce\", \"object\": \"Contact\", \"mapping\": {}}",
        "{\"type\": \"salesforce\", \"object\": \"Contact\", \"mapping\": {\"Password\": \"Secret__c\", \"a..b\": \"A__c\"}}",
    ];
    insta::assert_snapshot!(texts.map(errors).join("\n\n"));
    // Nothing that can be nested makes the reader run out of stack.
    errors(&"{\"a\":".repeat(200_000));
    errors(&format!("{{\"type\": \"salesforce\", \"mapping\": {}", "[".repeat(200_000)));
}

/// Each key that is not of the product's own form.
const EVERYTHING: &str = r#"{
  "type": "salesforce", "instance": "acme-prod", "object": "Lead",
  "external_id_field": "Person_Key__c",
  "events": ["ADD", "entityUpdated"],
  "on_delete": "flag", "flag": {"Left__c": true, "Status": "Gone"},
  "defaults": {"LastName": "(unknown)", "Company": "(private)"},
  "clear_nulls": false, "enabled": true,
  "mapping": {"email": "Email", "familyName": "LastName", "lastLogin": "Last_Login__c"},
  "clients": {
    "import": {"enabled": false},
    "shop": {"events": ["UPDATE"], "on_delete": "delete", "mapping": {"uuid": "Shop_Key__c", "familyName": "LastName"}},
    "site": {"object": "Contact", "events": []}
  }
}"#;

#[test]
fn every_key_of_the_form_is_read() {
    let mapping = parsed(EVERYTHING);
    let target = &mapping.targets[0];
    assert_eq!((target.object.as_str(), target.name.as_str()), ("Lead", "leads"));
    assert_eq!(target.external_id.as_deref(), Some("Person_Key__c"), "it holds the uuid");
    assert_eq!(target.attribute_of("Person_Key__c"), Some("externalId"));
    assert_eq!(target.on_leave, OnLeave::Flag);
    assert_eq!(serde_json::to_value(&target.flag).unwrap(), json!({"Left__c": true, "Status": "Gone"}));
    assert!(target.allow.create && target.allow.update && !target.allow.delete);
    let rules = mapping.source_rules();
    assert!(rules.applies(EventKind::Created) && rules.applies(EventKind::Updated));
    assert!(!rules.applies(EventKind::Deleted));
    assert_eq!(rules.clients.keys().collect::<Vec<_>>(), ["import", "shop", "site"]);
}

#[test]
fn a_client_overrides_whole_keys() {
    let mapping = parsed(EVERYTHING);
    assert!(std::ptr::eq(mapping.for_client(None), &raw const mapping));
    assert!(std::ptr::eq(mapping.for_client(Some("other")), &raw const mapping));

    let import = mapping.for_client(Some("import"));
    assert!(!import.source_rules().applies(EventKind::Updated));
    assert_eq!(import.targets[0].on_leave, OnLeave::Flag, "what it does not say holds for it too");

    let shop = mapping.for_client(Some("shop"));
    assert_eq!(shop.source_rules().events, [EventKind::Updated]);
    let target = &shop.targets[0];
    let fields: Vec<&str> = target.mapped_fields().collect();
    assert!(!fields.contains(&"Email") && !fields.contains(&"Last_Login__c"), "not a deep merge: {fields:?}");
    assert_eq!((target.on_leave, target.allow.delete), (OnLeave::Delete, true));
    assert!(!target.allow.create && target.allow.update, "without ADD a record is not made");
    assert_ne!(shop.fingerprint(), mapping.fingerprint());

    let site = mapping.for_client(Some("site"));
    assert_eq!(site.targets[0].object, "Contact");
    assert_eq!(site.source_rules().events, []);
}

#[test]
fn users_are_deactivated_or_frozen() {
    for (word, on_leave) in
        [("deactivate", OnLeave::Disable), ("freeze", OnLeave::Freeze), ("none", OnLeave::None)]
    {
        let text =
            mapping_of(r#""uuid": "FederationIdentifier", "email": "Username", "familyName": "LastName""#)
                .replace("\"mapping\"", &format!("\"on_delete\": \"{word}\", \"mapping\""));
        let target = &parsed(&text).targets[0];
        assert_eq!((target.object.as_str(), target.on_leave), ("User", on_leave));
        assert_eq!(target.external_id, None, "Salesforce keeps the names of Users unique");
        assert_eq!(target.matching.first().map(String::as_str), Some("FederationIdentifier"));
    }
}

#[test]
fn every_mistake_in_the_further_keys_has_its_place() {
    insta::assert_snapshot!(errors(
        r#"{
  "type": "salesforce", "object": "Contact",
  "mapping": {"uuid": "Key__c", "familyName": "LastName"},
  "defaults": {"Key__c": "everybody"},
  "external_id_field": "Key c",
  "events": ["ADD", "REMOVE"],
  "on_delete": "deactivate",
  "flag": {"Left__c": 1},
  "clear_nulls": "yes",
  "enabled": 1
}"#
    ));
    insta::assert_snapshot!(errors(
        r#"{
  "type": "salesforce", "object": "Contact",
  "mapping": {"uuid": "Key__c", "familyName": "LastName"},
  "flag": {"Left__c": true},
  "events": "ADD",
  "clients": {"shop": {"instance": "other", "events": ["DELETED"]}, "site": 5}
}"#
    ));
    insta::assert_snapshot!(errors(
        r#"{
  "type": "salesforce", "object": "Contact",
  "mapping": {"uuid": "Key__c", "familyName": "LastName"},
  "clients": {"shop": {"instance": "other", "events": ["DELETED"]}, "site": 5, "app": {"mapping": {"title": "A B"}}}
}"#
    ));
}
