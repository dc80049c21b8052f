//! What each kind of field takes, in which form, and what it refuses.

use serde_json::{Value, json};
use translation::{RefusalKind, Translation};

use crate::org::{World, notes, shown};

/// A field of each kind, as a describe tells it.
pub fn fields() -> Value {
    let field = |name: &str, kind: &str, more: &Value| {
        let mut field =
            json!({"name": name, "type": kind, "nillable": true, "createable": true, "updateable": true});
        for (key, value) in more.as_object().expect("an object") {
            field[key] = value.clone();
        }
        field
    };
    let values = |values: &[&str]| -> Value {
        values
            .iter()
            .map(|value| json!({"value": value, "label": value, "active": *value != "Gone"}))
            .collect()
    };
    json!([
        field("Started__c", "date", &json!({})),
        field("Seen__c", "datetime", &json!({})),
        field("Opens__c", "time", &json!({})),
        field("Count__c", "int", &json!({"digits": 8})),
        field("Total__c", "long", &json!({})),
        field("Salary__c", "currency", &json!({"precision": 10, "scale": 2})),
        field("Share__c", "percent", &json!({"precision": 3, "scale": 0})),
        field("Length__c", "double", &json!({"precision": 18, "scale": 15})),
        field("Agreed__c", "boolean", &json!({"nillable": false, "defaultedOnCreate": true})),
        field(
            "Size__c",
            "picklist",
            &json!({"length": 255, "restrictedPicklist": true, "picklistValues": values(&["Small", "Large", "Gone"])})
        ),
        field("Shade__c", "picklist", &json!({"length": 255, "picklistValues": values(&["Dark", "Light"])})),
        field(
            "None__c",
            "picklist",
            &json!({"length": 255, "restrictedPicklist": true, "picklistValues": []})
        ),
        field(
            "Topics__c",
            "multipicklist",
            &json!({"length": 4099, "restrictedPicklist": true, "picklistValues": values(&["News", "Sport", "Art & Co", "Gone"])})
        ),
        field("Tags__c", "multipicklist", &json!({"length": 12, "picklistValues": values(&["b", "a"])})),
        field("Buddy__c", "reference", &json!({"referenceTo": ["User"]})),
        field("Owner__c", "reference", &json!({"referenceTo": ["Group", "User"]})),
        field("Thing__c", "reference", &json!({"referenceTo": ["Thing__c"]})),
        field("Secret__c", "encryptedstring", &json!({"length": 5})),
        field("Site__c", "url", &json!({"length": 20})),
        field("Notes__c", "textarea", &json!({"length": 10})),
        field("Call__c", "phone", &json!({"length": 40})),
    ])
}

fn translate(field: &str, sent: &Value) -> Translation {
    let world = World::with_more(&format!("{field} = 'user.title'"), fields());
    world.create(json!({"userName": "u", "title": sent}))
}

/// Of a list: by way of the values of an attribute that has several.
fn translate_list(field: &str, sent: &[&str]) -> Translation {
    let world =
        World::with_more(&format!("{field} = 'user.emails|join(\";\", attribute=\"value\")'"), fields());
    let emails: Vec<Value> = sent.iter().map(|value| json!({ "value": value })).collect();
    world.create(json!({"userName": "u", "emails": emails}))
}

#[track_caller]
fn check(field: &str, sent: &str, expected: &Value, note: Option<&str>) {
    let translation = translate(field, &json!(sent));
    assert_eq!(translation.refusals, [], "{field} {sent}");
    assert_eq!(&shown(&translation)[field], expected, "{field} {sent}");
    let notes: Vec<&str> = notes(&translation).into_iter().map(|(_, code)| code).collect();
    assert_eq!(notes, note.into_iter().collect::<Vec<_>>(), "{field} {sent}");
}

#[test]
fn a_date_is_the_day_that_the_senders_clock_showed() {
    for (sent, note) in [
        ("2026-01-31", None),
        (" 2026-01-31 ", None),
        ("20260131", None),
        ("2026-01-31T00:00:00Z", None),
        ("2026-01-31T00:00:00.000+01:00", None),
        ("2026-01-31T23:30:00-05:00", Some("value-rounded")),
        ("2026-01-31 23:30:00.123456 +0000", Some("value-rounded")),
        ("20260131233000Z", Some("value-rounded")),
        ("20260131233000.0Z", Some("value-rounded")),
        ("1769817600", None),
        ("1769817600000", None),
        ("1769859000", Some("value-rounded")),
    ] {
        check("Started__c", sent, &json!("2026-01-31"), note);
    }
}

#[test]
fn an_instant_has_salesforces_own_form() {
    for (sent, note) in [
        ("2026-01-31T12:00:00Z", None),
        ("2026-01-31T13:00:00+01:00", None),
        ("2026-01-31t12:00:00z", None),
        ("2026-01-31T12:00:00.000+0000", None),
        ("2026-01-31 12:00:00 +0000", None),
        ("2026-01-31 12:00:00.000000 +0000", None),
        ("20260131T120000Z", None),
        ("20260131120000Z", None),
        ("20260131120000.0Z", None),
        ("20260131130000+0100", None),
        ("1769860800", None),
        ("1769860800000", None),
        ("2026-01-31T12:00:00", Some("utc-assumed")),
        ("2026-01-31 12:00", Some("utc-assumed")),
    ] {
        check("Seen__c", sent, &json!("2026-01-31T12:00:00.000+0000"), note);
    }
    check("Seen__c", "2026-01-31", &json!("2026-01-31T00:00:00.000+0000"), Some("utc-assumed"));
    check("Seen__c", "2026-01-31T12:00:00.123456Z", &json!("2026-01-31T12:00:00.123+0000"), None);
    check("Opens__c", "09:30", &json!("09:30:00.000Z"), None);
}

#[test]
fn numbers_have_the_range_and_the_decimals_of_their_field() {
    check("Count__c", "12", &json!(12), None);
    check("Count__c", "-3", &json!(-3), None);
    check("Count__c", "12.0", &json!(12), None);
    check("Count__c", "99999999", &json!(99_999_999), None);
    check("Total__c", "9007199254740993", &json!(9_007_199_254_740_993_i64), None);
    check("Salary__c", "1234.5", &json!(1234.5), None);
    check("Salary__c", "1234.567", &json!(1234.57), Some("value-rounded"));
    check("Salary__c", "99999999.99", &json!(99_999_999.99), None);
    check("Salary__c", "1e3", &json!(1000), None);
    check("Share__c", "12.4", &json!(12), Some("value-rounded"));
    check("Length__c", "52.370215", &json!(52.370_215), None);
}

#[test]
fn several_values_stand_in_the_order_of_the_org() {
    check("Topics__c", "Sport;News", &json!("News;Sport"), None);
    check("Topics__c", " sport ; ;NEWS;News;", &json!("News;Sport"), None);
    check("Topics__c", "Art & Co", &json!("Art & Co"), None);
    check("Tags__c", "x;a;b", &json!("b;a;x"), None);
    assert_eq!(shown(&translate_list("Topics__c", &["Sport", "News"]))["Topics__c"], "News;Sport");
    assert_eq!(
        translate("Topics__c", &json!(";")).fields.get("Topics__c"),
        Some(&translation::Desired::Clear)
    );
}

#[test]
fn picklists_references_and_the_rest_take_what_the_org_takes() {
    check("Size__c", "small", &json!("Small"), None);
    check("Shade__c", "Purple", &json!("Purple"), None);
    check("Agreed__c", "Yes", &json!(true), None);
    check("Agreed__c", "no", &json!(false), None);
    check("Buddy__c", "0055f000005mc66", &json!("0055f000005mc66AAA"), None);
    check("Owner__c", "00G5f000005mc66", &json!("00G5f000005mc66EAA"), None);
    check("Thing__c", "a015f000005mc66", &json!("a015f000005mc66AAA"), None);
    check("Site__c", "https://acme.example", &json!("https://acme.example"), None);
    check("Call__c", "+31 20 555 0100", &json!("+31 20 555 0100"), None);
}

#[test]
fn what_the_org_would_refuse_is_refused_before() {
    use RefusalKind::{Malformed, NotInPicklist, OutOfRange, TooLong};
    for (field, sent, kind) in [
        ("Started__c", "31-01-2026", Malformed),
        ("Started__c", "2026-02-30", Malformed),
        ("Started__c", "soon", Malformed),
        ("Started__c", "0001-01-01", OutOfRange),
        ("Started__c", "9999-12-31", OutOfRange),
        ("Seen__c", "2026-01-31T25:00:00Z", Malformed),
        ("Seen__c", "9999-12-31T23:59:59Z", OutOfRange),
        ("Seen__c", "2026-01-31T12:00:00+01:00[Europe/London]", Malformed),
        ("Opens__c", "nine", Malformed),
        ("Count__c", "1.5", Malformed),
        ("Count__c", "1,000", Malformed),
        ("Count__c", "100000000", OutOfRange),
        ("Total__c", "92233720368547758080", Malformed),
        ("Salary__c", "100000000", OutOfRange),
        ("Salary__c", "99999999.999", OutOfRange),
        ("Salary__c", "1e300", OutOfRange),
        ("Salary__c", "inf", Malformed),
        ("Share__c", "1000", OutOfRange),
        ("Agreed__c", "perhaps", Malformed),
        ("Size__c", "Medium", NotInPicklist),
        ("Size__c", "Gone", NotInPicklist),
        ("None__c", "anything", NotInPicklist),
        ("Topics__c", "News;Weather", NotInPicklist),
        ("Topics__c", "Gone", NotInPicklist),
        ("Tags__c", "a;b;cdefghijklmn", TooLong),
        ("Buddy__c", "0035f000005mc66", Malformed),
        ("Owner__c", "0035f000005mc66", Malformed),
        ("Thing__c", "not an id", Malformed),
        ("Secret__c", "123456", TooLong),
        ("Site__c", "https://www.acme.example", TooLong),
        ("Notes__c", "12345678901", TooLong),
    ] {
        let translation = translate(field, &json!(sent));
        let kinds: Vec<RefusalKind> = translation.refusals.iter().map(|refusal| refusal.kind).collect();
        assert_eq!(kinds, [kind], "{field} {sent}: {translation:?}");
        assert!(translation.fields.is_empty(), "{field} {sent}");
    }
}

/// An address of Salesforce's is read in one piece and written in parts.
#[test]
fn a_compound_field_says_that_its_parts_are_to_be_filled() {
    let translation =
        World::with_fields("Address = 'user.title'").create(json!({"userName": "u", "title": "Dam 1"}));
    let [refusal] = translation.refusals.as_slice() else { panic!("{translation:?}") };
    assert_eq!(refusal.kind, RefusalKind::NotWriteable);
    assert!(refusal.detail.contains("from its parts"), "{}", refusal.detail);
}

/// Given by an identity tool as a number or a truth value, not as text.
#[test]
fn json_numbers_and_booleans_are_as_good_as_text() {
    let world = World::with_more(
        "Seen__c = { default = 1769860800 }\nCount__c = { default = 7 }\nAgreed__c = 'not user.title'\n\
         Title = { default = 4.5 }\nTopics__c = { default = \"Sport;News\" }",
        fields(),
    );
    assert_eq!(
        shown(&world.create(json!({"userName": "u"}))),
        json!({"Seen__c": "2026-01-31T12:00:00.000+0000", "Count__c": 7, "Agreed__c": true, "Title": "4.5",
            "Topics__c": "News;Sport"})
    );
}
