//! What becomes of a field when its attribute has no value any more (RFC 7643 §2.5: null, `""` and `[]` are alike).

use serde_json::{Value, json};
use translation::Desired;

use crate::org::{World, notes, shown};

fn world(lines: &str) -> World {
    World::with_more(
        lines,
        json!([
            {"name": "Agreed__c", "type": "boolean", "createable": true, "updateable": true, "defaultedOnCreate": true},
            {"name": "Size__c", "type": "picklist", "length": 40, "restrictedPicklist": true, "nillable": true,
                "createable": true, "updateable": true, "picklistValues": [{"value": "Small", "active": true}]},
            {"name": "Topics__c", "type": "multipicklist", "length": 400, "nillable": true, "createable": true,
                "updateable": true},
            {"name": "Started__c", "type": "date", "nillable": true, "createable": true, "updateable": true},
            {"name": "Count__c", "type": "int", "nillable": true, "createable": true, "updateable": true},
        ]),
    )
}

const NOTHING: [&str; 4] = [
    r#"{"userName": "u"}"#,
    r#"{"userName": "u", "title": null}"#,
    r#"{"userName": "u", "title": ""}"#,
    r#"{"userName": "u", "title": []}"#,
];

#[test]
fn every_kind_that_can_be_empty_is_emptied() {
    for (field, written) in [
        ("Department", json!("Sales")),
        ("Size__c", json!("Small")),
        ("Topics__c", json!("News")),
        ("Started__c", json!("2026-01-31")),
        ("Count__c", json!(3)),
        ("ManagerId", json!("0055f000005mc66AAA")),
    ] {
        let world = world(&format!("{field} = 'user.title'"));
        for nothing in NOTHING {
            let body: Value = serde_json::from_str(nothing).unwrap();
            let translation = world.update(body, &json!({ field: written }));
            assert_eq!(translation.fields.get(field), Some(&Desired::Clear), "{field} {nothing}");
            assert_eq!((translation.notes.len(), translation.refusals.len()), (0, 0), "{field} {nothing}");
        }
    }
}

#[test]
fn a_switch_goes_off_because_salesforce_has_no_empty_ones() {
    let nothing = || json!({"userName": "u"});
    let world = world("Agreed__c = 'user.title'");
    let on = world.update(nothing(), &json!({"Agreed__c": true}));
    assert_eq!(shown(&on), json!({"Agreed__c": false}));
    assert_eq!(notes(&on), [("Agreed__c".to_owned(), "boolean-cleared")]);
    let off = world.update(nothing(), &json!({"Agreed__c": false}));
    assert_eq!(shown(&off), json!({"Agreed__c": false}), "as it was written, so that nothing is sent");
    assert_eq!(off.notes, []);
    assert_eq!(shown(&world.update(nothing(), &json!({}))), json!({}), "Gangway never wrote it");
    assert_eq!(shown(&world.create(nothing())), json!({}), "a new record has the org's own default");
}

#[test]
fn a_default_or_clear_false_decides_for_switches_too() {
    let written = json!({"Agreed__c": true});
    let nothing = || json!({"userName": "u"});
    let with_default = world("Agreed__c = { value = 'user.title', default = true }");
    assert_eq!(shown(&with_default.update(nothing(), &written)), json!({"Agreed__c": true}));
    let kept = world("Agreed__c = { value = 'user.title', clear = false }").update(nothing(), &written);
    assert_eq!(shown(&kept), json!({}));
    assert_eq!(notes(&kept), [("Agreed__c".to_owned(), "value-kept")]);
}

/// Who takes the consent back is opted out, and who never said anything is, too.
#[test]
fn consent_can_be_written_as_its_opposite() {
    let world = world("Agreed__c = 'not user.title'");
    assert_eq!(shown(&world.create(json!({"userName": "u", "title": "yes"}))), json!({"Agreed__c": false}));
    assert_eq!(shown(&world.create(json!({"userName": "u"}))), json!({"Agreed__c": true}));
}

#[test]
fn a_required_field_keeps_its_value_with_a_note() {
    let world = World::with_fields("LastName = 'user.name.familyName'\nTimeZoneSidKey = 'user.timezone'");
    let written = json!({"LastName": "King", "TimeZoneSidKey": "GMT"});
    let translation = world.update(json!({"userName": "u"}), &written);
    assert_eq!(shown(&translation), json!({}));
    assert_eq!(
        notes(&translation),
        [("LastName".to_owned(), "value-kept"), ("TimeZoneSidKey".to_owned(), "value-kept")]
    );
    assert_eq!(translation.refusals, []);
}

/// Salesforce asks for it once; an identity tool that sends less later takes nothing away.
#[test]
fn a_field_can_be_required_on_create_and_optional_on_update() {
    let mut world = World::with_fields("LastName = { value = 'user.name.familyName', on = \"create\" }");
    for field in &mut world.object.fields {
        field.defaulted_on_create = field.name != "LastName";
    }
    let refused = world.create(json!({"userName": "u"}));
    assert_eq!(refused.refusals[0].kind, translation::RefusalKind::Required);
    assert_eq!(refused.refusals[0].attribute.as_deref(), Some("name.familyName"));
    let later = world.update(json!({"userName": "u"}), &json!({"LastName": "King"}));
    assert_eq!((later.fields.len(), later.notes.len(), later.refusals.len()), (0, 0, 0));
}

#[test]
fn what_can_only_be_given_once_is_kept_with_a_note() {
    let world = World::with_fields("ContactId = 'user.title'");
    let translation = world.update(json!({"userName": "u"}), &json!({"ContactId": "0035f000005mc66AAA"}));
    assert_eq!(notes(&translation), [("ContactId".to_owned(), "value-kept")]);
    assert_eq!((translation.fields.len(), translation.refusals.len()), (0, 0));
}
