//! Addresses in an org that has lists of countries and states: whatever a directory says, the org never refuses it.

use e2e::{Scene, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, calls, contacts, text, warned};

const ADA: &str = "ada@acme.example";

async fn world(fields: &str) -> World {
    let mapping = format!("{}{fields}", contacts("allow = [\"create\", \"update\"]"));
    let org = format!("[org]\nfeatures = [\"state-country-picklists\"]\n{ORG}");
    World::of_scene(&Scene::new(&mapping, &org), |_| ()).await
}

const BY_NAME: &str = "MailingCountry = { from = 'addresses[type eq \"work\"].country' }\n\
                       MailingState = { from = 'addresses[type eq \"work\"].region' }\n";
const BY_CODE: &str = "MailingCountryCode = { from = 'addresses[type eq \"work\"].country' }\n\
                       MailingStateCode = { from = 'addresses[type eq \"work\"].region' }\n";

fn living_in(country: &str, region: Option<&str>) -> Value {
    let mut body = person(ADA);
    body["addresses"] = json!([{"type": "work", "country": country, "region": region}]);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn countries_and_states_become_those_of_the_org() {
    for fields in [BY_NAME, BY_CODE] {
        let world = world(fields).await;
        let (tool, org) = (world.tool(), world.org());
        let path = format!("/Users/{}", tool.post("/Users", &living_in("NL", None)).await.expect(201).id());
        for (country, region, expected, warning) in [
            ("NL", None, ("Netherlands", "NL", None), None),
            ("US", Some("TX"), ("United States", "US", Some(("Texas", "TX"))), None),
            ("BRA", Some("AL"), ("Brazil", "BR", Some(("Alagoas", "AL"))), None),
            ("USA", Some("Alabama"), ("United States", "US", Some(("Alabama", "AL"))), None),
            ("Nederland", Some("Utrecht"), ("Netherlands", "NL", None), Some("state-left-out")),
        ] {
            let mut body = living_in(country, region);
            body["id"] = json!(path.trim_start_matches("/Users/"));
            let answer = tool.put(&path, &body).await.expect(200);
            let contact = org.one("Contact", "Email", ADA).await;
            assert_eq!(
                (text(&contact, "MailingCountry"), text(&contact, "MailingCountryCode")),
                (expected.0, expected.1)
            );
            let state =
                expected.2.map(|(name, code)| (Value::from(name), Value::from(code))).unwrap_or_default();
            assert_eq!(
                (&contact["MailingState"], &contact["MailingStateCode"]),
                (&state.0, &state.1),
                "{country} {region:?}"
            );
            if let Some(warning) = warning {
                warned(&answer, warning);
            }
            let before = calls(&org).await;
            let shown = tool.get(&path).await.expect(200).json();
            let _ = tool.put(&path, &shown).await.expect(200);
            assert_eq!(calls(&org).await, before, "{country} {region:?}");
        }
    }
}

/// What no org has is no error of the org's: refused before a call with the attribute named, or left out with a note.
#[tokio::test(flavor = "multi_thread")]
async fn a_country_that_does_not_exist_is_never_salesforces_to_refuse() {
    for fields in [BY_NAME, BY_CODE] {
        let world = world(fields).await;
        let (tool, org) = (world.tool(), world.org());
        let answer = tool.post("/Users", &living_in("Atlantis", Some("Deep"))).await;
        if answer.status == 201 {
            assert!(answer.header("x-gangway-warnings").is_some(), "{}", answer.text);
            continue;
        }
        let refused = answer.expect(400).json();
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("country") && !detail.contains("FIELD_INTEGRITY_EXCEPTION"), "{detail}");
        assert!(org.records("Contact").await.is_empty());
    }
}

/// A state of another country is nothing that Gangway could choose for the org.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_country_is_refused_before_a_call() {
    for fields in [BY_NAME, BY_CODE] {
        let world = world(fields).await;
        let (tool, org) = (world.tool(), world.org());
        let refused = tool.post("/Users", &living_in("CA", Some("US-TX"))).await.expect(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("region"), "{refused}");
        assert!(org.records("Contact").await.is_empty());
    }
}

/// The country goes, and the state with it: one alone would be refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_goes_takes_its_state_along() {
    for fields in [BY_NAME, BY_CODE] {
        let world = world(fields).await;
        let (tool, org) = (world.tool(), world.org());
        let path =
            format!("/Users/{}", tool.post("/Users", &living_in("US", Some("TX"))).await.expect(201).id());
        let gone = json!([{"op": "remove", "path": "addresses[type eq \"work\"].country"}]);
        let _ = tool.patch(&path, gone).await.expect(200);
        let contact = org.one("Contact", "Email", ADA).await;
        for field in ["MailingCountry", "MailingCountryCode", "MailingState", "MailingStateCode"] {
            assert_eq!(contact[field], Value::Null, "{field}");
        }
        let _ = tool.patch(&path, json!([{"op": "remove", "path": "addresses"}])).await.expect(200);
    }
}
