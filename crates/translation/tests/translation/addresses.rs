//! Countries and states, in orgs that keep lists of them and in orgs that take any text.

use serde_json::{Value, json};
use translation::{Desired, RefusalKind, Translation};

use crate::org::{World, notes, shown};

const RULES: &str = "State = { from = 'addresses[primary eq true].region' }\n\
                     Country = { from = 'addresses[primary eq true].country' }\n\
                     City = { from = 'addresses[primary eq true].locality' }";
const CODES: &str = "StateCode = 'state(user.addresses[0].region)'\n\
                     CountryCode = 'country(user.addresses[0].country)'";

/// The lists of an org: three countries, of which the first two have states. `validFor` has a bit for each country.
pub fn lists() -> Value {
    let field = |name: &str, kind: &str, values: Value| {
        json!({"name": name, "type": kind, "length": 80, "nillable": true, "createable": true, "updateable": true,
            "restrictedPicklist": kind == "picklist", "picklistValues": values})
    };
    let value = |value: &str, label: &str, valid_for: Value| json!({"value": value, "label": label, "active": true, "validFor": valid_for});
    json!([
        field("Country", "string", json!([])),
        field("State", "string", json!([])),
        field(
            "CountryCode",
            "picklist",
            json!([
                value("US", "United States", Value::Null),
                value("IT", "Italy", Value::Null),
                value("NL", "The Kingdom of the Netherlands", Value::Null),
            ])
        ),
        field(
            "StateCode",
            "picklist",
            json!([
                value("CA", "California", json!("gAAA")),
                value("CA", "Cagliari", json!("QAAA")),
                value("AO", "Valle d'Aosta", json!("QAAA")),
                value("NY", "New York", json!("gAAA")),
            ])
        ),
    ])
}

fn person(country: &str, state: &str) -> Value {
    json!({"userName": "u", "addresses": [{"country": country, "region": state, "locality": "x", "primary": true}]})
}

fn translate(rules: &str, country: &str, state: &str) -> Translation {
    World::with_more(rules, lists()).create(person(country, state))
}

fn codes(translation: &Translation) -> Vec<&'static str> {
    notes(translation).into_iter().map(|(_, code)| code).collect()
}

#[test]
fn text_fields_get_the_names_of_the_orgs_lists() {
    for (country, state, expected_country, expected_state, expected_notes) in [
        ("US", "CA", "United States", "California", vec![]),
        ("us", "california", "United States", "California", vec![]),
        ("USA", "New York", "United States", "New York", vec!["country-adapted"]),
        (
            "United States of America",
            "US-NY",
            "United States",
            "New York",
            vec!["country-adapted", "state-adapted"],
        ),
        ("Italië", "CA", "Italy", "Cagliari", vec!["country-adapted"]),
        ("Italy", "Valle d’Aosta", "Italy", "Valle d'Aosta", vec!["state-adapted"]),
    ] {
        let translation = translate(RULES, country, state);
        assert_eq!(
            shown(&translation),
            json!({"State": expected_state, "Country": expected_country, "City": "x"}),
            "{country} {state}"
        );
        assert_eq!(codes(&translation), expected_notes, "{country} {state}");
        assert_eq!(translation.refusals, []);
        assert_eq!(
            translation.fields.keys().collect::<Vec<_>>(),
            ["State", "Country", "City"],
            "in the file's order"
        );
    }
}

#[test]
fn code_fields_get_the_codes() {
    for (country, state, expected) in [
        ("Nederland", "", json!({"StateCode": null, "CountryCode": "NL"})),
        ("United States", "California", json!({"StateCode": "CA", "CountryCode": "US"})),
        ("ITA", "Valle d'Aosta", json!({"StateCode": "AO", "CountryCode": "IT"})),
        ("The Kingdom of the Netherlands", "", json!({"StateCode": null, "CountryCode": "NL"})),
    ] {
        let translation = translate(CODES, country, state);
        assert_eq!(shown(&translation), expected, "{country} {state}");
        assert_eq!(translation.refusals, []);
    }
}

/// Entra sends a province for Dutch people, and Salesforce's own list has none for the Netherlands.
#[test]
fn a_state_of_a_country_without_states_is_left_out() {
    for rules in [RULES, CODES] {
        let translation = translate(rules, "NL", "Noord-Holland");
        assert_eq!(translation.refusals, []);
        assert!(codes(&translation).contains(&"state-left-out"), "{translation:?}");
        let state = translation.fields.iter().find(|(name, _)| name.starts_with("State"));
        assert_eq!(state.map(|(_, desired)| desired), Some(&Desired::Clear));
    }
    let nowhere = translate(RULES, "", "California");
    assert_eq!(codes(&nowhere), ["state-left-out"], "a state needs a country");
}

#[test]
fn what_is_in_no_list_is_refused_before_salesforce_does() {
    for (rules, country, state, field, attribute) in [
        (RULES, "Atlantis", "", "Country", "addresses.country"),
        (RULES, "Germany", "", "Country", "addresses.country"),
        (RULES, "US", "Ontario", "State", "addresses.region"),
        (RULES, "US", "Cagliari", "State", "addresses.region"),
        (CODES, "Atlantis", "", "CountryCode", "addresses.country"),
        (CODES, "IT", "NY", "StateCode", "addresses.region"),
    ] {
        let translation = translate(rules, country, state);
        let [refusal] = translation.refusals.as_slice() else { panic!("{country} {state}: {translation:?}") };
        assert_eq!(
            (refusal.kind, refusal.field.as_str()),
            (RefusalKind::NotInPicklist, field),
            "{country} {state}"
        );
        assert_eq!(refusal.attribute.as_deref(), Some(attribute));
    }
    let with_default = "Country = { from = 'addresses.country', default = \"NL\" }";
    let translation = translate(with_default, "Atlantis", "");
    assert_eq!(shown(&translation), json!({"Country": "The Kingdom of the Netherlands"}));
    assert_eq!(codes(&translation), ["value-defaulted"]);
}

#[test]
fn a_state_that_was_written_does_not_outlive_its_country() {
    let rules =
        "State = { from = 'addresses.region', clear = false }\nCountry = { from = 'addresses.country' }";
    let world = World::with_more(rules, lists());
    let written = json!({"State": "California", "Country": "United States"});
    let same = world.update(person("US", ""), &written);
    assert_eq!(shown(&same), json!({"Country": "United States"}));
    for country in ["IT", "NL", ""] {
        let moved = world.update(person(country, ""), &written);
        assert_eq!(moved.fields.get("State"), Some(&Desired::Clear), "{country}");
        assert!(codes(&moved).contains(&"state-left-out"));
    }
}

#[test]
fn a_state_is_looked_up_in_the_country_that_was_written_before() {
    let rules = "State = 'user.addresses[0].region'\nCountry = { value = 'user.addresses[0].country', on = \"create\" }";
    let world = World::with_more(rules, lists());
    let written = json!({"Country": "Italy"});
    assert_eq!(shown(&world.update(person("", "CA"), &written)), json!({"State": "Cagliari"}));
    // Without any, a state stays as it is: Salesforce would take no other.
    let unknown = world.update(person("", "NY"), &json!({}));
    assert_eq!((shown(&unknown), codes(&unknown)), (json!({ "State": null }), vec!["state-left-out"]));
    let same = world.update(person("", "NY"), &json!({"State": "New York"}));
    assert_eq!((shown(&same), codes(&same)), (json!({"State": "New York"}), vec![]));
    let other = world.update(person("", "NY"), &json!({"State": "California"}));
    assert_eq!((shown(&other), codes(&other)), (json!({"State": "California"}), vec!["state-left-out"]));
}

#[test]
fn an_org_without_lists_takes_any_text_and_country_makes_names_of_codes() {
    let world = World::with_fields(&format!("{RULES}\nDivision = 'country(user.addresses[0].country)'"));
    let translation = world.create(person("NL", "Noord-Holland"));
    assert_eq!(
        shown(&translation),
        json!({"State": "Noord-Holland", "Country": "NL", "City": "x", "Division": "Netherlands"})
    );
    assert_eq!(notes(&translation), [("Division".to_owned(), "country-adapted")]);
}

/// Salesforce refuses a name and a code that do not belong together.
#[test]
fn a_name_and_a_code_must_mean_the_same_country() {
    let rules = "Country = 'user.addresses[0].country'\nCountryCode = 'user.addresses[0].region'";
    assert_eq!(translate(rules, "Italy", "IT").refusals, []);
    assert_eq!(translate(rules, "", "").refusals, []);
    for (country, code) in [("Italy", "US"), ("Italy", ""), ("", "IT")] {
        let translation = translate(rules, country, code);
        assert_eq!(translation.refusals[0].field, "Country", "{country} {code}");
    }
}
