use serde_json::json;
use translation::{Action, RefusalKind};

use crate::org::{World, notes, shown, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[test]
fn everything_that_a_full_user_says() {
    let world = World::with_default_mapping();
    let translation = world.create(json!({
        "externalId": "a1b2", "userName": "Ada.Lovelace@acme.example", "displayName": "Ada Lovelace",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"value": "ada@home.example", "type": "home"}, {"value": "ada@acme.example", "type": "work", "primary": true}],
        "phoneNumbers": [
            {"value": "+31 20 1234567", "type": "work"}, {"value": "+31 6 12345678", "type": "mobile"},
            {"value": "+31 20 7654321", "type": "fax"},
        ],
        "addresses": [
            {"type": "home", "streetAddress": "Home 1"},
            {"type": "work", "streetAddress": "Dam 1", "locality": "Amsterdam", "region": "NH", "postalCode": "1012 JS", "country": "NL"},
        ],
        "title": "Analyst", "locale": "nl-NL", "preferredLanguage": "nl", "timezone": "Europe/Amsterdam", "active": true,
        ENTERPRISE: {"employeeNumber": "0701984", "department": "Engines", "division": "R&D", "organization": "Acme"},
    }));
    assert_eq!(translation.refusals, []);
    assert_eq!(notes(&translation), [("Alias".to_owned(), "alias-made")]);
    assert_eq!(
        shown(&translation),
        json!({
            "Username": "ada.lovelace@acme.example", "FederationIdentifier": "a1b2", "Email": "ada@acme.example",
            "FirstName": "Ada", "LastName": "Lovelace", "Alias": "alovelac",
            "TimeZoneSidKey": "Europe/Amsterdam", "LocaleSidKey": "nl_NL", "LanguageLocaleKey": "nl_NL",
            "EmailEncodingKey": "UTF-8", "Title": "Analyst", "CompanyName": "Acme", "Division": "R&D",
            "Department": "Engines", "EmployeeNumber": "0701984", "Phone": "+31 20 1234567",
            "MobilePhone": "+31 6 12345678", "Fax": "+31 20 7654321", "Street": "Dam 1", "City": "Amsterdam",
            "State": "NH", "PostalCode": "1012 JS", "Country": "NL",
        })
    );
}

/// The least that a client can send: a name that is an address.
#[test]
fn a_user_name_alone_makes_a_user() {
    let translation = World::with_default_mapping().create(json!({"userName": "jdoe@acme.example"}));
    assert_eq!(translation.refusals, []);
    let fields = shown(&translation);
    assert_eq!(fields["Username"], "jdoe@acme.example");
    assert_eq!(fields["Email"], "jdoe@acme.example");
    assert_eq!(fields["LastName"], "jdoe");
    assert_eq!(fields["Alias"], "jdoe");
    assert_eq!(fields["TimeZoneSidKey"], "GMT");
    assert_eq!(fields["LocaleSidKey"], "en_US");
    assert_eq!(fields["LanguageLocaleKey"], "en_US");
    assert_eq!(fields["FirstName"], json!(null));
    let expected =
        [("Email", "email-from-user-name"), ("LastName", "last-name-made"), ("Alias", "alias-made")];
    assert_eq!(notes(&translation), expected.map(|(field, code)| (field.to_owned(), code)));
}

#[test]
fn one_address_without_primary_is_the_address() {
    let translation = World::with_default_mapping().create(json!({
        "userName": "jdoe", "name": {"familyName": "Doe"}, "emails": [{"value": "jdoe@mail.example"}],
    }));
    assert_eq!(translation.refusals, []);
    assert_eq!(shown(&translation)["Email"], "jdoe@mail.example");
    assert_eq!(shown(&translation)["Username"], "jdoe@acme.example");
    assert!(notes(&translation).contains(&("Username".to_owned(), "username-domain-added")));
}

#[test]
fn without_a_domain_the_refusal_names_user_name_and_the_setting() {
    let mut world = World::with_default_mapping();
    world.username_domain = None;
    let translation = world.create(json!({
        "userName": "jdoe", "name": {"familyName": "Doe"}, "emails": [{"value": "jdoe@mail.example"}],
    }));
    let [refusal] = translation.refusals.as_slice() else { panic!("{:?}", translation.refusals) };
    assert_eq!((refusal.kind, refusal.attribute.as_deref()), (RefusalKind::Malformed, Some("userName")));
    assert!(refusal.detail.contains("username-domain"), "{}", refusal.detail);
}

/// C-72: what is missing is named by the attribute that the identity tool can send.
#[test]
fn c72_a_missing_required_field_names_its_scim_attribute() {
    let translation =
        World::with_default_mapping().create(json!({"userName": "jdoe", "name": {"familyName": "Doe"}}));
    let [refusal] = translation.refusals.as_slice() else { panic!("{:?}", translation.refusals) };
    assert_eq!((refusal.kind, refusal.field.as_str()), (RefusalKind::Required, "Email"));
    assert_eq!(refusal.attribute.as_deref(), Some("emails"));
    assert!(refusal.detail.contains("`emails`"), "{}", refusal.detail);
}

/// C-34: attributes of the enterprise extension reach their fields whether the client wrote their URN or not.
#[test]
fn c34_bare_enterprise_attributes_are_mapped() {
    let translation = World::with_default_mapping().create(json!({
        "userName": "jdoe@acme.example", "EmployeeNumber": "42", "department": "Engines",
    }));
    assert_eq!(shown(&translation)["EmployeeNumber"], "42");
    assert_eq!(shown(&translation)["Department"], "Engines");
}

#[test]
fn a_long_title_is_refused_and_not_cut() {
    let title = "x".repeat(81);
    let translation =
        World::with_default_mapping().create(json!({"userName": "jdoe@acme.example", "title": title}));
    let [refusal] = translation.refusals.as_slice() else { panic!("{:?}", translation.refusals) };
    assert_eq!((refusal.kind, refusal.attribute.as_deref()), (RefusalKind::TooLong, Some("title")));
    assert!(refusal.detail.contains("81") && refusal.detail.contains("80"), "{}", refusal.detail);
    assert!(!translation.fields.contains_key("Title"));
}

#[test]
fn an_unknown_time_zone_becomes_the_default_with_a_note() {
    let translation = World::with_default_mapping().create(json!({
        "userName": "jdoe@acme.example", "timezone": "+01:00", "locale": "xx", "preferredLanguage": "tlh",
    }));
    assert_eq!(translation.refusals, []);
    let fields = shown(&translation);
    assert_eq!((&fields["TimeZoneSidKey"], &fields["LocaleSidKey"]), (&json!("GMT"), &json!("en_US")));
    let codes: Vec<_> =
        translation.notes.iter().map(|note| (note.code.as_str(), note.attribute.as_deref())).collect();
    for expected in [
        ("timezone-defaulted", Some("timezone")),
        ("locale-defaulted", Some("locale")),
        ("language-defaulted", Some("preferredLanguage")),
    ] {
        assert!(codes.contains(&expected), "{expected:?} of {codes:?}");
    }
    let note = translation.notes.iter().find(|note| note.field == "TimeZoneSidKey").unwrap();
    assert!(note.detail.contains("`+01:00`") && note.detail.contains("`GMT`"), "{}", note.detail);
}

#[test]
fn the_language_follows_the_locale_where_none_is_sent() {
    let translation =
        World::with_default_mapping().create(json!({"userName": "jdoe@acme.example", "locale": "nl_NL"}));
    assert_eq!(shown(&translation)["LanguageLocaleKey"], "nl_NL");
}

#[test]
fn an_update_leaves_the_alias_alone_and_clears_what_is_gone() {
    let world = World::with_default_mapping();
    let body = json!({"userName": "jdoe@acme.example", "name": {"familyName": "Doe"}, "emails": [{"value": "j@a.example"}]});
    let translation = world.update(body, &json!({"Title": "Analyst", "Alias": "jdoe"}));
    assert!(!translation.fields.contains_key("Alias"));
    assert_eq!(shown(&translation)["Title"], json!(null));
    assert_eq!(translation.refusals, []);
    assert_eq!(translation.notes, []);
}

/// Salesforce keeps what it requires: the e-mail address cannot be cleared.
#[test]
fn an_update_keeps_what_salesforce_requires_with_a_note() {
    let world = World::with_default_mapping();
    let translation = world.update(
        json!({"userName": "jdoe", "name": {"familyName": "Doe"}}),
        &json!({"Email": "j@a.example", "Username": "jdoe@acme.example"}),
    );
    assert!(!translation.fields.contains_key("Email"));
    assert!(notes(&translation).contains(&("Email".to_owned(), "value-kept")));
}

/// Deciding after acting gives the empty plan: what was written is desired again.
#[test]
fn the_same_user_gives_the_same_fields_on_create_and_update() {
    let world = World::with_default_mapping();
    let person = user(
        json!({"userName": "jdoe@acme.example", "title": "Analyst", "timezone": "W. Europe Standard Time"}),
    );
    let mut created = world.translate(&person, Action::Create, None).fields;
    let updated = world.translate(&person, Action::Update, None).fields;
    created.shift_remove("Alias");
    assert_eq!(created, updated);
}

#[test]
fn the_default_mapping_fits_a_standard_org() {
    let world = World::with_default_mapping();
    assert_eq!(world.mapping.check(&world.object), []);
}

#[test]
fn any_identity_is_a_user_by_default() {
    let world = World::with_default_mapping();
    let target = &world.mapping.targets[0];
    assert!(target.applies(&user(json!({"userName": "jdoe"}))));
    assert_eq!(target.object, "User");
}
