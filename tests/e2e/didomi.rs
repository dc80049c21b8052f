//! What people choose at Didomi, in Salesforce.

mod delivery;
mod matching;
mod objects;
mod order;
mod people;
mod refusals;
mod writing;

use std::time::Duration;

use e2e::{Scene, World, sources::didomi::Didomi, world::environment};
use serde_json::{Map, Value};
use tokio::process::Command;
use toml::Table;

/// Whose choices these are.
const NOOR: &str = "noor.haddad@example.net";
/// The earliest of the stories' moments.
const EIGHT: &str = "2026-08-05T08:00:01.000Z";
const NINE: &str = "2026-08-05T09:00:00.000Z";

/// Fields for consent, which orgs hide until they are shown, and a contact who has opted out of everything.
const ORG: &str = r#"
shown-fields = ["Contact.HasOptedOutOfEmail", "Contact.DoNotCall", "Lead.HasOptedOutOfEmail", "Lead.DoNotCall"]

[[fields]]
object = "Contact"
name = "Topics__c"
type = "multipicklist"
values = ["events", "tech", "sport"]
restricted = true

[[fields]]
object = "Contact"
name = "Consent_Updated__c"
type = "datetime"

[[fields]]
object = "Contact"
name = "DidomiUser__c"
unique = true
external-id = true

[[records]]
object = "Contact"
fields = { LastName = "Haddad", FirstName = "Noor", Email = "Noor.Haddad@example.net", HasOptedOutOfEmail = true, DoNotCall = true }
"#;

/// A source with the mappings of the documentation for contacts.
fn source() -> Table {
    toml::from_str(
        r#"
        organization-id = "acme"
        client-id = "didomi"
        client-secret = { file = "client-secret" }

        [[objects]]
        object = "Contact"
        match = { field = "Email" }
        mappings = [
            { source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert" },
            { source = "channel:phone", target = "DoNotCall", transform = "invert" },
            { source = "preference:newsletter/topics", target = "Topics__c", transform = "multipicklist" },
            { source = "event:created_at", target = "Consent_Updated__c" },
        ]
        "#,
    )
    .unwrap()
}

/// A world with this source, and more in the org.
async fn world_of(source: Table, org: &str) -> World {
    let scene = Scene::new("", &format!("{ORG}{org}"));
    World::of_scene(&scene, |config| {
        environment(config).insert("didomi".into(), toml::Value::Array(vec![source.into()]));
    })
    .await
}

/// A world with the usual source, changed.
async fn world_with(change: impl FnOnce(&mut Table)) -> World {
    let mut source = source();
    change(&mut source);
    world_of(source, "").await
}

/// The settings of a source's first object.
fn contact(source: &mut Table) -> &mut Table {
    source["objects"][0].as_table_mut().unwrap()
}

/// The sender of the usual source.
fn didomi(world: &World) -> Didomi {
    Didomi::new(&format!("{}/events/didomi/acme/prod", world.url()), "didomi", "story-secret")
}

/// What the program prints as JSON, whatever it ends with.
async fn run(world: &World, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(arguments)
        .args(["--output", "json", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{error}: {printed}{}", String::from_utf8_lossy(&output.stderr)))
}

/// An event as `gangway events list` shows it.
async fn look(world: &World, jti: &str) -> Map<String, Value> {
    let listed = run(world, &["events", "list", jti]).await;
    let events = listed["events"].as_array().unwrap();
    // All that came in a delivery of this name are listed.
    let own: Vec<&Value> = events.iter().filter(|event| event["jti"] == jti).collect();
    assert_eq!(own.len(), 1, "{listed}");
    own[0].as_object().unwrap().clone()
}

/// Waits until an event has come to its outcome, and answers it: its state and the reason.
async fn outcome(world: &World, jti: &str) -> (String, String) {
    for _ in 0..200 {
        let event = look(world, jti).await;
        if !["stored", "in-flight"].contains(&event["state"].as_str().unwrap()) {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            return (text("state"), text("reason"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the event {jti} has no outcome: {:?}", look(world, jti).await);
}

/// An event's outcome, where it was applied.
async fn applied(world: &World, jti: &str) {
    let (state, reason) = outcome(world, jti).await;
    assert_eq!(state, "applied", "{jti}: {reason}");
}

/// An event's reason, where it was ignored.
async fn ignored(world: &World, jti: &str) -> String {
    let (state, reason) = outcome(world, jti).await;
    assert_eq!(state, "ignored", "{jti}: {reason}");
    reason
}

/// An event's reason, where it waits for a person.
async fn dead(world: &World, jti: &str) -> String {
    let (state, reason) = outcome(world, jti).await;
    assert_eq!(state, "dead", "{jti}: {reason}");
    reason
}

/// The contact Noor.
async fn noor(world: &World) -> Map<String, Value> {
    world.org().one("Contact", "LastName", "Haddad").await
}

/// The audit's evidence of consents, oldest first.
async fn evidence(world: &World) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["audit", "export", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.flat_map(|entry| entry["consents"].as_array().cloned().unwrap_or_default()).collect()
}
