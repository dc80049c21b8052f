//! Profiles of an identity source: as SCIM Users, and from there in the fields of a record.

use proptest::prelude::*;
use salesforce_types::{FieldDescription, Fields, ObjectDescription};
use scim_types::schema::{ENTERPRISE_USER_URN, PROFILE_USER_URN};
use scim_types::{Registry, Resource};
use serde_json::{Map, Value, json};
use translation::profile::{ProfileError, to_scim};
use translation::{Action, Context, Desired, Mapping, Resolved, Translation};

use crate::org::shown;

const UUID: &str = "3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a";

/// The sample of the product's documentation.
const SAMPLE: &str = r#"{"type": "salesforce", "instance": "acme-prod", "mapping": {
    "uuid": "Identity_UUID__c", "email": "Email", "givenName": "FirstName", "familyName": "LastName",
    "created": "Identity_Created__c", "emailVerified": "Email_Verified__c", "lastLogin": "Last_Login__c",
    "lastUpdated": "Identity_Updated__c"}}"#;

fn noor() -> Value {
    json!({
        "id": 4711,
        "uuid": UUID,
        "email": "noor.haddad@example.net",
        "emailVerified": "2026-08-04 09:12:44 +0000",
        "givenName": "Noor",
        "familyName": "Haddad",
        "displayName": "Noor",
        "created": "2026-08-04 09:11:02.118204 +0000",
        "lastLogin": "2026-08-05 07:59:58 +0000",
        "lastUpdated": "2026-08-05T08:00:01.774310Z",
        "primaryAddress": {"city": "Utrecht", "country": "Netherlands", "mobile": null},
        "deactivateAccount": null,
        "photos": [{"type": "small", "value": "https://a.example/s.png"}, {"type": "large", "value": "https://a.example/l.png"}],
        "password": {"type": "bcrypt", "value": "$2a$"},
    })
}

fn parsed(text: &str) -> Mapping {
    Mapping::parse(text, "acme.json").unwrap_or_else(|errors| panic!("{errors}"))
}

fn mapping_of(lines: &str, more: &str) -> Mapping {
    parsed(&format!("{{\"type\": \"salesforce\", \"object\": \"Contact\"{more}, \"mapping\": {{{lines}}}}}"))
}

fn contact() -> ObjectDescription {
    let field = |name: &str, kind: &str, nillable: bool| -> FieldDescription {
        serde_json::from_value(json!({
            "name": name, "label": name, "type": kind, "length": if kind == "string" { 80 } else { 0 }, "nillable": nillable,
            "createable": true, "updateable": true, "defaultedOnCreate": kind == "boolean",
            "externalId": name == "Identity_UUID__c", "unique": name == "Identity_UUID__c",
        }))
        .expect("the describe of a field")
    };
    ObjectDescription {
        name: "Contact".to_owned(),
        label: "Contact".to_owned(),
        key_prefix: Some("003".to_owned()),
        fields: vec![
            field("LastName", "string", false),
            field("FirstName", "string", true),
            field("Email", "email", true),
            field("MailingCity", "string", true),
            field("MobilePhone", "phone", true),
            field("OtherPhone", "phone", true),
            field("Identity_UUID__c", "string", true),
            field("Identity_Created__c", "datetime", true),
            field("Identity_Updated__c", "datetime", true),
            field("Last_Login__c", "datetime", true),
            field("Birthday__c", "date", true),
            field("Email_Verified__c", "boolean", false),
            field("Deactivated__c", "boolean", false),
            field("Photo__c", "url", true),
            field("Score__c", "double", true),
        ],
        record_types: Vec::new(),
    }
}

fn scim(profile: &Value, mapping: &Mapping) -> Resource {
    let body = to_scim(profile, mapping).expect("somebody's profile");
    Registry::standard().user().read_body(body).expect("a SCIM user")
}

fn translate(mapping: &Mapping, user: &Resource, action: Action, written: Option<&Fields>) -> Translation {
    let (describe, resolved) = (contact(), Resolved::new());
    let context = Context {
        describe: &describe,
        action,
        username_domain: None,
        written,
        resolved: &resolved,
        identity: None,
    };
    mapping.targets[0].translate(user, &context)
}

/// What a new record gets.
fn made(mapping: &Mapping, profile: &Value) -> Translation {
    translate(mapping, &scim(profile, mapping), Action::Create, None)
}

#[test]
fn a_profile_fills_the_fields_that_the_sample_maps() {
    let made = made(&parsed(SAMPLE), &noor());
    assert_eq!(made.refusals, []);
    assert_eq!(made.notes, []);
    assert_eq!(
        shown(&made),
        json!({
            "Identity_UUID__c": UUID, "Email": "noor.haddad@example.net", "FirstName": "Noor", "LastName": "Haddad",
            "Identity_Created__c": "2026-08-04T09:11:02.118+0000", "Email_Verified__c": true,
            "Last_Login__c": "2026-08-05T07:59:58.000+0000", "Identity_Updated__c": "2026-08-05T08:00:01.774+0000",
        })
    );
}

#[test]
fn nothing_is_taken_that_the_mapping_does_not_name() {
    let user = scim(&noor(), &mapping_of(r#""familyName": "LastName", "lastLogin": "Last_Login__c""#, ""));
    assert_eq!(
        Value::from(user),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", PROFILE_USER_URN],
            "externalId": UUID, "userName": UUID, "name": {"familyName": "Haddad"},
            PROFILE_USER_URN: {"uuid": UUID, "lastLogin": "2026-08-05 07:59:58 +0000"},
        })
    );
}

#[test]
fn attributes_within_others_and_of_plurals_are_found() {
    let mapping = mapping_of(
        r#""uuid": "Identity_UUID__c", "familyName": "LastName", "primaryAddress.city": "MailingCity", "photos[1].value": "Photo__c",
        "primaryAddress.mobile": "MobilePhone", "mobileNumber": "OtherPhone""#,
        "",
    );
    let mut profile = noor();
    profile["primaryAddress"]["mobile"] = json!("+31 6 1");
    profile["mobileNumber"] = json!("+31 6 2");
    let user = scim(&profile, &mapping);
    assert_eq!(user.get("addresses"), Some(&json!([{"primary": true, "locality": "Utrecht"}])));
    assert_eq!(user.get("phoneNumbers"), Some(&json!([{"type": "mobile", "value": "+31 6 1"}])));
    let made = shown(&made(&mapping, &profile));
    assert_eq!(made["Photo__c"], "https://a.example/l.png");
    assert_eq!((&made["MobilePhone"], &made["OtherPhone"]), (&json!("+31 6 1"), &json!("+31 6 2")));
}

#[test]
fn a_switch_is_on_when_there_is_an_instant_and_off_when_there_is_none() {
    let mapping = mapping_of(
        r#""familyName": "LastName", "emailVerified": "Email_Verified__c", "deactivateAccount": "Deactivated__c""#,
        "",
    );
    let switches = |verified: Value| {
        let mut profile = noor();
        profile["emailVerified"] = verified;
        let made = made(&mapping, &profile);
        let said = made.refusals.len();
        (shown(&made)["Email_Verified__c"].clone(), shown(&made)["Deactivated__c"].clone(), said)
    };
    for (value, expected) in [
        (json!("2026-08-04 09:12:44 +0000"), true),
        (json!("2026-08-04T09:12:44Z"), true),
        (json!(1_785_916_800), true),
        (json!(true), true),
        (json!(false), false),
        (json!("no"), false),
        (Value::Null, false),
        (json!(""), false),
    ] {
        assert_eq!(switches(value.clone()), (json!(expected), json!(false), 0), "{value}");
    }
    assert_eq!(switches(json!("perhaps")).2, 1, "what says neither is refused");
}

/// A SCIM request without a profile says nothing of it.
#[test]
fn a_switch_is_left_alone_without_a_profile() {
    let mapping = parsed(SAMPLE);
    let user =
        crate::org::user(json!({"userName": "u", "externalId": UUID, "name": {"familyName": "Haddad"}}));
    let made = translate(&mapping, &user, Action::Create, None);
    assert!(!made.fields.contains_key("Email_Verified__c"), "{made:?}");
}

#[test]
fn a_day_is_the_day_of_an_instant() {
    let mapping = mapping_of(r#""familyName": "LastName", "birthday": "Birthday__c""#, "");
    for (sent, expected) in [
        ("1990-02-28", "1990-02-28"),
        ("2026-08-04 09:11:02.118204 +0000", "2026-08-04"),
        ("2026-08-04T23:59:59Z", "2026-08-04"),
    ] {
        let mut profile = noor();
        profile["birthday"] = json!(sent);
        assert_eq!(shown(&made(&mapping, &profile))["Birthday__c"], expected);
    }
    let mut profile = noor();
    profile["birthday"] = json!("soon");
    let refusals = made(&mapping, &profile).refusals;
    assert_eq!(refusals[0].attribute.as_deref(), Some("birthday"));
}

#[test]
fn null_clears_and_does_not_where_the_mapping_says_so() {
    let written: Fields = serde_json::from_value(json!({
        "LastName": "Haddad", "Last_Login__c": "2026-08-05T07:59:58.000+0000", "Email_Verified__c": true,
    }))
    .unwrap();
    let mut profile = noor();
    profile["lastLogin"] = Value::Null;
    profile.as_object_mut().unwrap().remove("familyName");
    let lines = r#""uuid": "Identity_UUID__c", "familyName": "LastName", "lastLogin": "Last_Login__c""#;
    let update = |more: &str| {
        let mapping = mapping_of(lines, more);
        let changed = translate(&mapping, &scim(&profile, &mapping), Action::Update, Some(&written));
        assert_eq!(changed.refusals, []);
        shown(&changed)
    };
    assert_eq!(update("")["Last_Login__c"], Value::Null);
    assert!(
        update("").get("LastName").is_none(),
        "Salesforce requires it: it is kept, and the uuid is no name"
    );
    assert_eq!(
        update(r#", "clear_nulls": false, "defaults": {"LastName": "(unknown)"}"#),
        json!({"Identity_UUID__c": UUID}),
        "a default is for new records"
    );
}

#[test]
fn defaults_are_for_new_records() {
    let mapping = mapping_of(
        r#""uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "FirstName", "emailVerified": "Email_Verified__c""#,
        r#", "defaults": {"LastName": "(unknown)", "Email_Verified__c": true}"#,
    );
    let mut profile = noor();
    profile["familyName"] = Value::Null;
    profile["emailVerified"] = Value::Null;
    let fields = shown(&made(&mapping, &profile));
    assert_eq!((&fields["LastName"], &fields["Email_Verified__c"]), (&json!("(unknown)"), &json!(true)));
    let changed = shown(&translate(&mapping, &scim(&profile, &mapping), Action::Update, None));
    assert_eq!(changed["Email_Verified__c"], false);
    assert!(changed.get("LastName").is_none());
}

#[test]
fn a_profile_without_a_uuid_is_nobodys() {
    let mapping = parsed(SAMPLE);
    assert_eq!(to_scim(&json!([]), &mapping), Err(ProfileError::NotAnObject));
    for uuid in [Value::Null, json!(" "), json!(5)] {
        assert_eq!(to_scim(&json!({"uuid": uuid}), &mapping), Err(ProfileError::WithoutUuid));
    }
}

/// The record is found by it, so it is refused before anything else is looked at.
#[test]
fn a_record_that_is_found_by_a_value_is_not_written_without_it() {
    let user = crate::org::user(json!({"userName": "u", "name": {"familyName": "Haddad"}}));
    for action in [Action::Create, Action::Update] {
        let refusals = translate(&parsed(SAMPLE), &user, action, None).refusals;
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].attribute.as_deref(), Some("externalId"));
        assert!(refusals[0].detail.contains("found by `Identity_UUID__c`"), "{}", refusals[0].detail);
    }
}

#[test]
fn a_change_of_what_no_rule_uses_is_worth_no_look() {
    let mapping = parsed(SAMPLE);
    assert!(mapping.uses_any(["gender", "email"]));
    assert!(mapping.uses_any([]), "nobody knows what has changed");
    assert!(!mapping.uses_any(["gender", "primaryAddress.city", "password", "a..b"]));
    let mapping = mapping_of(r#""familyName": "LastName", "primaryAddress.city": "MailingCity""#, "");
    assert!(mapping.uses_any(["primaryAddress"]) && !mapping.uses_any(["primaryAddress.zip"]));
}

#[test]
fn a_mapping_in_toml_takes_the_standard_schema_and_what_its_rules_name() {
    let text = format!(
        "[targets.t]\nobject = \"Contact\"\nexternal-id = \"Identity_UUID__c\"\n[targets.t.fields]\n\
         Identity_UUID__c = 'user.externalId'\nLastName = 'user.name.familyName'\nEmail = 'email(user)'\n\
         Last_Login__c = {{ from = '{PROFILE_USER_URN}:lastLogin' }}\nPhoto__c = {{ from = '{PROFILE_USER_URN}:photos[primary].value' }}\n"
    );
    let mapping = Mapping::parse(&text, "acme.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let made = shown(&made(&mapping, &noor()));
    assert_eq!(
        made,
        json!({
            "Identity_UUID__c": UUID, "LastName": "Haddad", "Email": "noor.haddad@example.net",
            "Last_Login__c": "2026-08-05T07:59:58.000+0000", "Photo__c": "https://a.example/s.png",
        })
    );
    let user = scim(&noor(), &mapping);
    assert_eq!(user.get(ENTERPRISE_USER_URN), None);
    assert_eq!(user.get(PROFILE_USER_URN).unwrap().as_object().unwrap().len(), 3);
    let wrong = text.replace(":lastLogin", ":last..Login");
    assert!(Mapping::parse(&wrong, "acme.toml").unwrap_err().to_string().contains("acme.toml:8:"));
}

#[test]
fn the_external_id_of_a_mapping_in_toml_has_one_value_for_one_person() {
    let check = |rule: &str| {
        let text = format!(
            "[targets.t]\nobject = \"Contact\"\nexternal-id = \"Key__c\"\n[targets.t.fields]\nLastName = 'user.title'\nKey__c = {rule}\n"
        );
        Mapping::parse(&text, "acme.toml").map(|_| ()).map_err(|errors| errors.to_string())
    };
    assert_eq!(check("'user.externalId'"), Ok(()));
    for (rule, why) in [
        ("{ value = 'user.externalId', default = \"x\" }", "share a record"),
        ("{ default = \"x\" }", "share a record"),
        ("{ value = 'user.externalId', on = \"create\" }", "always written"),
        ("{ link = \"t\" }", "by a reference"),
    ] {
        let message = check(rule).unwrap_err();
        assert!(message.contains(why) && message.contains("acme.toml:6:"), "{message}");
    }
}

#[test]
fn the_org_has_to_keep_the_external_id_unique() {
    let mapping = parsed(SAMPLE);
    let mut describe = contact();
    let said = |describe: &ObjectDescription| -> Vec<String> {
        mapping.check(describe).iter().map(ToString::to_string).collect()
    };
    let warning = said(&describe);
    assert!(matches!(warning.as_slice(), [one] if one.contains("minds no case")), "{warning:?}");
    let uuid = describe.fields.iter_mut().find(|field| field.name == "Identity_UUID__c").unwrap();
    uuid.case_sensitive = true;
    assert_eq!(said(&describe), [""; 0]);
    let uuid = describe.fields.iter_mut().find(|field| field.name == "Identity_UUID__c").unwrap();
    uuid.external_id = false;
    let error = said(&describe);
    assert!(matches!(error.as_slice(), [one] if one.contains("mark it so in Setup")), "{error:?}");
}

/// Anything where a profile has something.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "2026-08-04 09:11:02.118204 +0000",
            "2026-08-04 09:11:02 +0000",
            "2026-08-04",
            "2026-08-04T09:11:02.5+02:00",
            "9999-99-99 00:00:00 +0000",
            "0001-01-01 00:00:00 +0000",
            "noor@example.net",
            "true",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let name = prop::sample::select(vec!["value", "city", "primary", "0", "type"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..3).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

const ATTRIBUTES: [&str; 16] = [
    "email",
    "givenName",
    "familyName",
    "displayName",
    "created",
    "emailVerified",
    "birthday",
    "mobileNumber",
    "primaryAddress",
    "primaryAddress.city",
    "primaryAddress.mobile",
    "photos[0].value",
    "photos.value",
    "photos",
    "active",
    "favourite",
];

fn profile() -> impl Strategy<Value = Value> {
    let names = ["email", "givenName", "familyName", "displayName", "created", "emailVerified", "birthday"];
    let more = ["mobileNumber", "primaryAddress", "photos", "active", "favourite"];
    let names: Vec<&str> = names.into_iter().chain(more).collect();
    prop::collection::vec((prop::sample::select(names), value()), 0..10).prop_map(|members| {
        let mut profile: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        profile.insert("uuid".to_owned(), json!(UUID));
        Value::Object(profile)
    })
}

/// Any of the attributes to any of the fields.
fn mapping() -> impl Strategy<Value = Mapping> {
    let fields: Vec<String> = contact().fields.into_iter().map(|field| field.name).collect();
    let lines =
        prop::collection::vec(prop::option::of(prop::sample::select(ATTRIBUTES.to_vec())), fields.len());
    (lines, any::<bool>()).prop_map(move |(lines, clear)| {
        let lines = fields.iter().zip(lines).filter(|(field, _)| *field != "Identity_UUID__c");
        let mut mapping = Map::from_iter([("uuid".to_owned(), json!("Identity_UUID__c"))]);
        mapping.extend(lines.filter_map(|(field, attribute)| Some((attribute?.to_owned(), json!(field)))));
        let text =
            json!({"type": "salesforce", "object": "Contact", "clear_nulls": clear, "mapping": mapping});
        parsed(&text.to_string())
    })
}

/// Whether Salesforce takes a value of this type.
fn is_taken(field: &FieldDescription, value: &Value) -> bool {
    use salesforce_types::FieldType;
    let text = value.as_str();
    match field.field_type {
        FieldType::Boolean => value.is_boolean(),
        FieldType::Double => value.is_number(),
        FieldType::Date => {
            text.is_some_and(|text| text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10)
        }
        FieldType::DateTime => text.is_some_and(|text| {
            text.len() == 28 && text.replace("+0000", "Z").parse::<jiff::Timestamp>().is_ok()
        }),
        FieldType::Email => text.is_some_and(|text| text.contains('@')),
        _ => text.is_some(),
    }
}

proptest! {
    /// Either the body is no SCIM user, which the caller hears, or every value is of its field's type.
    #[test]
    fn nothing_reaches_salesforce_that_it_refuses_for_its_type(profile in profile(), mapping in mapping(), update in any::<bool>()) {
        let body = to_scim(&profile, &mapping).unwrap();
        let Ok(user) = Registry::standard().user().read_body(body) else { return Ok(()) };
        let nothing = Fields::new();
        let (action, written) = if update { (Action::Update, Some(&nothing)) } else { (Action::Create, None) };
        let translation = translate(&mapping, &user, action, written);
        let describe = contact();
        for (name, desired) in &translation.fields {
            let field = describe.field(name).expect("a field of the org");
            match desired {
                Desired::Set(value) => prop_assert!(is_taken(field, value), "{name}: {value}"),
                Desired::Clear => prop_assert!(field.nillable, "{name}"),
            }
        }
        let key = translation.fields.get("Identity_UUID__c");
        prop_assert_eq!(key, Some(&Desired::Set(json!(UUID))));
    }

    /// What is taken from a profile once is all that is taken from it again.
    #[test]
    fn the_same_profile_is_the_same_user(profile in profile(), mapping in mapping()) {
        prop_assert_eq!(to_scim(&profile, &mapping), to_scim(&profile, &mapping));
        if let Some(extension) = to_scim(&profile, &mapping).unwrap().get(PROFILE_USER_URN) {
            prop_assert_eq!(&extension["uuid"], UUID);
        }
    }
}
