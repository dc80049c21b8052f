//! Addresses in an org with State and Country/Territory Picklists, by the default mapping.

use e2e::{Answered, Scene, World, tool::person};
use serde_json::{Value, json};

async fn world() -> World {
    World::of_scene(&Scene::new("", "[org]\nfeatures = [\"state-country-picklists\"]\n"), |_| ()).await
}

fn living(user_name: &str, country: &str, region: &str) -> Value {
    let mut person = person(user_name);
    person["addresses"] = json!([{"type": "work", "primary": true, "country": country, "region": region}]);
    person
}

fn warnings(answered: &Answered) -> &str {
    answered.header("x-gangway-warnings").unwrap_or_default()
}

#[tokio::test]
async fn codes_and_names_of_identity_tools_end_in_the_orgs_own_lists() {
    let world = world().await;
    for (user_name, country, region, expected) in [
        ("us@acme.example", "US", "CA", ["United States", "US", "California", "CA"]),
        ("usa@acme.example", "USA", "us-ny", ["United States", "US", "New York", "NY"]),
        ("it@acme.example", "Italia", "", ["Italy", "IT", "", ""]),
    ] {
        let _ = world.tool().post("/Users", &living(user_name, country, region)).await.expect(201);
        let user = world.org().user(user_name).await;
        let found =
            ["Country", "CountryCode", "State", "StateCode"].map(|field| user[field].as_str().unwrap_or(""));
        assert_eq!(found, expected, "{country} {region}");
    }
}

/// Entra sends a province for Dutch people, and Salesforce's list has none for the Netherlands.
#[tokio::test]
async fn a_state_that_the_org_cannot_hold_is_left_out_and_said() {
    let (world, name) = (world().await, "nl@acme.example");
    let made = world.tool().post("/Users", &living(name, "NL", "Noord-Holland")).await.expect(201);
    assert!(warnings(&made).contains("state-left-out"), "{:?}", made.headers);
    let user = world.org().user(name).await;
    assert_eq!((&user["Country"], &user["State"]), (&json!("Netherlands"), &Value::Null));

    let path = format!("/Users/{}", made.id());
    let _ = world.tool().put(&path, &living(name, "US", "California")).await.expect(200);
    assert_eq!(world.org().user(name).await["StateCode"], "CA");
    let _ = world.tool().put(&path, &living(name, "NL", "")).await.expect(200);
    assert_eq!(world.org().user(name).await["State"], Value::Null);
    let _ = world.tool().put(&path, &person(name)).await.expect(200);
    assert_eq!(world.org().user(name).await["Country"], Value::Null);
}

#[tokio::test]
async fn a_country_that_is_in_no_list_is_refused_without_a_call() {
    let world = world().await;
    let _ = world.tool().post("/Users", &living("first@acme.example", "NL", "")).await.expect(201);
    let before = world.org().calls().await;
    let refused = world.tool().post("/Users", &living("lost@acme.example", "Atlantis", "")).await.expect(400);
    assert_eq!(refused.json()["scimType"], "invalidValue");
    let detail = refused.json()["detail"].to_string();
    assert!(detail.contains("addresses.country") && detail.contains("Atlantis"), "{detail}");
    assert_eq!(world.org().calls().await, before);
}
