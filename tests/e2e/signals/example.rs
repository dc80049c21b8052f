//! What `examples/shared-signals` tells, against its own configuration.

use std::{fs, path::PathBuf};

use e2e::{
    World,
    sources::transmitter::{STREAM_AUDIENCE, Transmitter},
    world::environment,
};
use serde::Deserialize;
use serde_json::Value;
use toml::{Table, Value as Toml};

use super::{is_frozen, listed, scene};
use crate::faults::until;

#[derive(Deserialize)]
struct Signals {
    events: Vec<Told>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    what: String,
    uri: String,
    subject: Value,
    #[serde(default)]
    event: serde_json::Map<String, Value>,
    state: String,
    user: String,
    frozen: bool,
    sessions: usize,
}

fn read(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/shared-signals").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signals_of_the_example() {
    let transmitter = Transmitter::start().await;
    let example: Table = toml::from_str(&read("gangway.toml")).unwrap();
    let world = World::of_scene(&scene(&read("org.toml")), |config| {
        *config = example;
        let sources = environment(config).get_mut("shared-signals").and_then(Toml::as_array_mut).unwrap();
        let source = sources[0].as_table_mut().unwrap();
        // The simulated transmitter in the place of the example's.
        for (key, value) in transmitter.section("unused") {
            if key != "audience" {
                source.insert(key, value);
            }
        }
        source.insert("transmitter".to_owned(), Toml::from(transmitter.api()));
    })
    .await;
    until("the stream", || async {
        transmitter.streams().len() == 1 && !transmitter.asked("/verify").is_empty()
    })
    .await;
    let to = format!("{}/events/shared-signals/acme/prod", world.url());
    assert_eq!(
        transmitter.streams()[0]["delivery"]["endpoint_url"],
        "https://scim.acme.example/events/shared-signals/acme/prod"
    );
    let told: Signals = toml::from_str(&read("signals.toml")).unwrap();
    let org = world.org();
    for (number, told) in (0..).zip(&told.events) {
        let set = transmitter
            .event(&told.uri, &told.subject, Value::Object(told.event.clone()), STREAM_AUDIENCE)
            .later(number);
        let _ = transmitter.push(&to, &set).await.expect(202);
        until(&told.what, || async {
            !["stored", "in-flight"].contains(&listed(&world, set.jti()).await["state"].as_str().unwrap())
        })
        .await;
        let event = listed(&world, set.jti()).await;
        assert_eq!(event["state"], told.state.as_str(), "{}: {event}", told.what);
        assert_eq!(is_frozen(&org, &told.user).await, told.frozen, "{}", told.what);
        let user = org.user(&told.user).await;
        let sessions = org.find("AuthSession", "UsersId", user["Id"].as_str().unwrap()).await;
        assert_eq!(sessions.len(), told.sessions, "{}", told.what);
    }
}
