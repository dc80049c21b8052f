//! One rule at a time: what each key does, and what each type of field takes.

use serde_json::{Value, json};
use translation::{Desired, Mapping, RefusalKind};

use crate::org::{World, fields, notes, shown, user, user_object};

/// What the rules make of a user that is created.
fn made(lines: &str, body: Value) -> Value {
    let translation = World::with_fields(lines).create(body);
    assert_eq!(translation.refusals, [], "{lines}");
    shown(&translation)
}

/// The kind of the only refusal, and the attribute that it names.
fn refused(lines: &str, body: Value) -> (RefusalKind, String) {
    let translation = World::with_fields(lines).create(body);
    let [refusal] = translation.refusals.as_slice() else { panic!("{lines}: {translation:?}") };
    assert!(translation.fields.is_empty(), "{translation:?}");
    (refusal.kind, refusal.attribute.clone().unwrap_or_default())
}

#[test]
fn from_takes_the_leading_value() {
    let phones = json!([
        {"value": "1", "type": "home"}, {"value": "2", "type": "work"}, {"value": "3", "type": "work", "primary": true},
    ]);
    let body = json!({"userName": "u", "phoneNumbers": phones});
    for (from, expected) in [
        ("phoneNumbers.value", json!("3")),
        ("phoneNumbers[primary eq true].value", json!("3")),
        ("phoneNumbers[Primary EQ True].value", json!("3")),
        ("phoneNumbers[type eq \"home\"].value", json!("1")),
        ("phoneNumbers[type eq \"work\"].value", json!("3")),
        ("phoneNumbers[type eq \"pager\"].value", json!(null)),
        ("PHONENUMBERS[TYPE eq \"Home\"].VALUE", json!("1")),
    ] {
        assert_eq!(
            made(&format!("Phone = {{ from = '{from}' }}"), body.clone())["Phone"],
            expected,
            "{from}"
        );
    }
    let unmarked = json!({"userName": "u", "phoneNumbers": [{"value": "1", "type": "home"}, {"value": "2", "type": "work"}]});
    assert_eq!(made("Phone = { from = 'phoneNumbers[primary eq true].value' }", unmarked)["Phone"], "2");
}

#[test]
fn from_takes_paths_with_and_without_urn() {
    let body = json!({"userName": "u", "name": {"givenName": "Ada"}, "employeeNumber": "7", "manager": {"value": "m"}});
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (from, expected) in [
        ("userName".to_owned(), "u"),
        ("name.givenName".to_owned(), "Ada"),
        ("employeeNumber".to_owned(), "7"),
        (format!("{urn}:employeeNumber"), "7"),
        ("manager.value".to_owned(), "m"),
        (format!("{urn}:manager.value"), "m"),
    ] {
        assert_eq!(
            made(&format!("Title = {{ from = '{from}' }}"), body.clone())["Title"],
            expected,
            "{from}"
        );
    }
}

#[test]
fn map_looks_the_value_up() {
    let rule =
        "Title = { value = 'user.userType', map = { E = \"Employee\", C = \"Contractor\", N = \"\" } }";
    assert_eq!(made(rule, json!({"userName": "u", "userType": "E"}))["Title"], "Employee");
    assert_eq!(
        made(rule, json!({"userName": "u", "userType": "N"}))["Title"],
        json!(null),
        "an empty entry is unassigned"
    );
    assert_eq!(made(rule, json!({"userName": "u"}))["Title"], json!(null));
    assert_eq!(
        refused(rule, json!({"userName": "u", "userType": "X"})),
        (RefusalKind::NotInPicklist, "userType".to_owned())
    );
    let rule = "Title = { from = 'userType', map = { E = \"Employee\" }, default = \"Other\" }";
    let translation = World::with_fields(rule).create(json!({"userName": "u", "userType": "X"}));
    assert_eq!(shown(&translation)["Title"], "Other");
    assert_eq!(notes(&translation), [("Title".to_owned(), "value-defaulted")]);
}

#[test]
fn a_default_stands_in_for_nothing_without_a_note() {
    let world = World::with_fields(
        "Title = { value = 'user.title', default = \"Employee\" }\nDivision = { default = \"EU\" }",
    );
    for empty in [
        json!({"userName": "u"}),
        json!({"userName": "u", "title": ""}),
        json!({"userName": "u", "title": " "}),
    ] {
        let translation = world.create(empty);
        assert_eq!(shown(&translation), json!({"Title": "Employee", "Division": "EU"}));
        assert_eq!(translation.notes, []);
    }
    assert_eq!(shown(&world.create(json!({"userName": "u", "title": "Boss"})))["Title"], "Boss");
}

/// An adopted record keeps the time zone that its owner chose, as long as the identity tool sends none.
#[test]
fn a_default_replaces_nothing_that_was_there_before_gangway() {
    let world =
        World::with_fields("TimeZoneSidKey = { value = 'timezone(user.timezone)', default = \"GMT\" }");
    let silent = || json!({"userName": "u"});
    assert_eq!(shown(&world.update(silent(), &json!({}))), json!({}));
    assert_eq!(
        shown(&world.update(silent(), &json!({"TimeZoneSidKey": "Europe/Paris"})))["TimeZoneSidKey"],
        "GMT"
    );
    let unknown = json!({"userName": "u", "timezone": "+01:00"});
    assert_eq!(shown(&world.update(unknown, &json!({})))["TimeZoneSidKey"], "GMT", "something was sent");
    assert_eq!(shown(&world.create(silent()))["TimeZoneSidKey"], "GMT");
}

#[test]
fn on_says_when_a_field_is_written() {
    let world = World::with_fields(
        "Title = { value = 'user.title', on = \"create\" }\nDivision = { value = 'user.title', on = \"update\" }\n\
         Department = { value = 'user.title', on = \"both\" }",
    );
    let body = json!({"userName": "u", "title": "x"});
    assert_eq!(shown(&world.create(body.clone())), json!({"Title": "x", "Department": "x"}));
    assert_eq!(shown(&world.update(body, &json!({}))), json!({"Division": "x", "Department": "x"}));
}

#[test]
fn unassigned_clears_unless_the_mapping_says_no() {
    let world =
        World::with_fields("Title = 'user.title'\nDepartment = { value = 'user.department', clear = false }");
    let translation = world.update(json!({"userName": "u"}), &json!({"Title": "a", "Department": "b"}));
    assert_eq!(translation.fields.get("Title"), Some(&Desired::Clear));
    assert_eq!(translation.fields.get("Department"), None);
    assert_eq!(notes(&translation), [("Department".to_owned(), "value-kept")]);
    let never_written = world.update(json!({"userName": "u"}), &json!({}));
    assert_eq!(never_written.notes, [], "there was nothing to keep");
}

#[test]
fn an_alias_is_stable_once_written() {
    let world = World::with_fields("Alias = 'alias(user)'");
    let married = json!({"userName": "u", "name": {"givenName": "Ada", "familyName": "King"}});
    assert_eq!(shown(&world.create(married.clone()))["Alias"], "aking");
    let translation = world.update(married, &json!({"Alias": "alovelac"}));
    assert_eq!(shown(&translation)["Alias"], "alovelac");
    assert_eq!(translation.notes, []);
}

#[test]
fn values_take_the_type_of_the_field() {
    let cases = [
        ("EmailPreferencesAutoBcc", "true", json!("true"), json!(true)),
        ("EmailPreferencesAutoBcc", "FALSE", json!("FALSE"), json!(false)),
        ("JigsawImportLimitOverride", "int", json!("12"), json!(12)),
        ("Latitude", "double", json!("52.5"), json!(52.5)),
        ("Latitude", "whole double", json!("52"), json!(52)),
        ("Email", "email", json!(" ada@acme.example "), json!("ada@acme.example")),
        ("LocaleSidKey", "picklist in any case", json!("NL_nl"), json!("nl_NL")),
        ("CountryCode", "picklist without values", json!("NL"), json!("NL")),
        ("ProfileId", "id of 15", json!("00e30000000hkeL"), json!("00e30000000hkeLAAQ")),
        ("Title", "text stays", json!(" Analyst "), json!(" Analyst ")),
    ];
    for (field, why, sent, expected) in cases {
        assert_eq!(
            made(&format!("{field} = 'user.title'"), json!({"userName": "u", "title": sent}))[field],
            expected,
            "{why}"
        );
    }
    assert_eq!(made("Title = 'user.active'", json!({"userName": "u", "active": true}))["Title"], "true");
    assert_eq!(made("Title = { default = 42 }", json!({"userName": "u"}))["Title"], "42");
    assert_eq!(
        made("ForecastEnabled = { default = true }", json!({"userName": "u"}))["ForecastEnabled"],
        true
    );
}

#[test]
fn what_does_not_fit_is_refused_by_its_kind() {
    let title = |value: &str| json!({"userName": "u", "title": value});
    for (field, value, kind) in [
        ("Title", "x".repeat(81), RefusalKind::TooLong),
        ("FirstName", "x".repeat(41), RefusalKind::TooLong),
        ("EmployeeNumber", "x".repeat(21), RefusalKind::TooLong),
        ("FederationIdentifier", "x".repeat(513), RefusalKind::TooLong),
        ("Alias", "ninechars".to_owned(), RefusalKind::TooLong),
        ("Email", format!("{}@acme.example", "x".repeat(120)), RefusalKind::TooLong),
        ("Email", "nonsense".to_owned(), RefusalKind::Malformed),
        ("ForecastEnabled", "perhaps".to_owned(), RefusalKind::Malformed),
        ("JigsawImportLimitOverride", "1.5".to_owned(), RefusalKind::Malformed),
        ("Latitude", "north".to_owned(), RefusalKind::Malformed),
        ("Latitude", "NaN".to_owned(), RefusalKind::Malformed),
        ("ProfileId", "Standard User".to_owned(), RefusalKind::Malformed),
        ("LocaleSidKey", "xx_XX".to_owned(), RefusalKind::NotInPicklist),
        ("LastLoginDate", "2026-01-01T00:00:00Z".to_owned(), RefusalKind::NotWriteable),
        ("Shoe_Size__c", "42".to_owned(), RefusalKind::NotWriteable),
    ] {
        assert_eq!(
            refused(&format!("{field} = 'user.title'"), title(&value)),
            (kind, "title".to_owned()),
            "{field} {value}"
        );
    }
}

#[test]
fn exactly_the_length_of_the_field_fits() {
    assert_eq!(
        made("Title = 'user.title'", json!({"userName": "u", "title": "x".repeat(80)}))["Title"],
        "x".repeat(80)
    );
    assert_eq!(
        made("Title = 'user.title'", json!({"userName": "u", "title": "ß".repeat(80)}))["Title"],
        "ß".repeat(80)
    );
}

/// A field that the org lacks is no trouble for people who have nothing for it.
#[test]
fn a_missing_field_is_refused_only_where_there_is_a_value() {
    let translation = World::with_fields("Shoe_Size__c = 'user.title'").create(json!({"userName": "u"}));
    assert_eq!(translation, translation::Translation::default());
}

#[test]
fn a_field_that_can_only_be_given_once_is_compared_later() {
    let world = World::with_fields("ContactId = 'user.title'");
    let body = json!({"userName": "u", "title": "0033000000hkeLx"});
    let first = world.create(body.clone());
    let contact = shown(&first)["ContactId"].clone();
    assert!(contact.is_string());
    let again = world.update(body, &json!({ "ContactId": contact }));
    assert_eq!((again.fields.len(), again.refusals.len()), (0, 0));
    let other =
        world.update(json!({"userName": "u", "title": "0033000000hkeLy"}), &json!({ "ContactId": contact }));
    assert_eq!(other.refusals[0].kind, RefusalKind::NotWriteable);
}

#[test]
fn when_decides_who_belongs() {
    let mapping = |when: &str| {
        let text = format!(
            "[targets.t]\nobject = \"User\"\nwhen = '{when}'\nmatch = []\n[targets.t.fields]\nTitle = 'user.title'\n"
        );
        Mapping::parse(&text, "test.toml").unwrap_or_else(|errors| panic!("{errors}"))
    };
    let applies = |when: &str, body: Value| mapping(when).targets[0].applies(&user(body));
    let customer = json!({"userName": "u", "userType": "Customer", "department": "Sales EMEA"});
    let nobody = json!({"userName": "u"});
    for (when, for_customer, for_nobody) in [
        ("user.userType != \"Customer\"", false, true),
        ("user.userType == \"Customer\"", true, false),
        ("user.userType", true, false),
        ("user.userType is defined", true, false),
        ("not user.userType", false, true),
        ("user.department is startingwith(\"Sales\")", true, false),
        ("\"EMEA\" in (user.department or \"\")", true, false),
        ("user.userType|lower == \"customer\" and user.department", true, false),
        ("true", true, true),
    ] {
        assert_eq!(applies(when, customer.clone()), for_customer, "{when}");
        assert_eq!(applies(when, nobody.clone()), for_nobody, "{when}");
    }
    assert!(!applies("user.title + 1 > 0 or true", customer), "what cannot be evaluated does not hold");
}

#[test]
fn every_target_key_is_read() {
    let mapping = Mapping::parse(
        r#"
        [targets.staff]
        org = "acme-prod"
        object = "User"
        when = 'user.userType != "Customer"'
        match = ["Username", "Email"]
        allow = ["update", "disable"]
        on-leave = "freeze-then-deactivate"
        [targets.staff.fields]
        Username = 'username(user.userName)'
        Email = 'email(user)'

        [targets.admins]
        object = "User"
        [targets.admins.fields]
        Username = 'username(user.userName)'
        "#,
        "two.toml",
    )
    .unwrap();
    let [staff, admins] = mapping.targets.as_slice() else { panic!("{mapping:?}") };
    assert_eq!((staff.name.as_str(), admins.name.as_str()), ("staff", "admins"), "in the order of the file");
    assert_eq!(staff.org.as_ref().map(model::OrgName::as_str), Some("acme-prod"));
    assert_eq!(staff.matching, ["Username", "Email"]);
    assert!(staff.allow.update && staff.allow.disable && !staff.allow.create && !staff.allow.delete);
    assert_eq!(staff.on_leave, translation::OnLeave::FreezeThenDeactivate);
    assert_eq!(admins.org, None);
    assert_eq!(admins.matching, ["Username"], "FederationIdentifier is not mapped");
    assert!(admins.allow.create && !admins.allow.delete);
    assert_eq!(admins.on_leave, translation::OnLeave::Disable);
    assert_eq!(staff.mapped_fields().collect::<Vec<_>>(), ["Username", "Email"]);
}

#[test]
fn a_mapping_is_checked_against_the_org() {
    let check = |lines: &str| -> Vec<String> {
        let errors = fields(lines).check(&user_object());
        errors.into_iter().map(|error| format!("{}:{} {}", error.line, error.column, error.message)).collect()
    };
    let complete = include_str!("../../default-mapping.toml").split_once("[targets.users.fields]").unwrap().1;
    assert_eq!(check(complete), Vec::<String>::new());
    let mistakes = [
        "Titel = 'user.title'",
        "LastLoginDate = 'user.title'",
        "ContactId = 'user.title'",
        "IsPortalEnabled = { default = true }",
        "LocaleSidKey = { default = \"nl_XX\" }",
        "Title = { default = 42 }",
        "Email = { value = 'email(user)', on = \"update\" }",
    ];
    insta::assert_snapshot!(check(&mistakes.join("\n")).join("\n"));
}
