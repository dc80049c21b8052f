//! Akamai Identity Cloud in front of Contacts: each numbered check is a story.

mod applied;
mod catch_up;
mod killed;
mod mapping;
mod order;
mod refused;
mod rehearsed;
mod storm;
mod unreachable;
mod verified;

use std::path::Path;

use e2e::{
    Answered, Org, Scene, World,
    sources::akamai::{Akamai, Token},
    world::{add, table},
};
use salesforce_sim::SimConfig;
use serde_json::{Map, Value, json};
use toml::{Table, Value as Toml};

/// The address of the subscription. Gangway stands behind a proxy: it is not the address that it listens on.
const AUDIENCE: &str = "https://gw.example.com/events/akamai/acme/prod";
const UUID: &str = "3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a";

/// A mapping of Next Identity as it stands.
fn mapping() -> Value {
    json!({
        "type": "salesforce",
        "instance": "acme",
        "mapping": {
            "uuid": "Identity_UUID__c", "email": "Email", "givenName": "FirstName", "familyName": "LastName",
            "created": "Identity_Created__c", "emailVerified": "Email_Verified__c", "lastLogin": "Last_Login__c",
            "lastUpdated": "Identity_Updated__c",
        },
    })
}

/// An org with the fields that the mapping names, for contacts and leads, and with nothing of Gangway's own.
fn org_file() -> String {
    let mut file = String::new();
    for object in ["Contact", "Lead"] {
        let field = |name: &str, more: &str| {
            format!("[[fields]]\nobject = \"{object}\"\nname = \"{name}\"\nlabel = \"{name}\"\n{more}\n")
        };
        let key = "length = 64\nunique = true\ncase-sensitive = true\nexternal-id = true\n";
        file += &field("Identity_UUID__c", key);
        file += &field("Email_Verified__c", "type = \"boolean\"");
        file += &field("Identity_Gone__c", "type = \"boolean\"");
        for name in ["Identity_Created__c", "Last_Login__c", "Identity_Updated__c"] {
            file += &field(name, "type = \"datetime\"");
        }
    }
    file
}

fn scene(mapping: &Value) -> Scene {
    let (name, secret) = Akamai::secret_file();
    Scene::new("", &org_file()).with_file(&name, &secret).with_file("people.json", &mapping.to_string())
}

/// A gateway between a simulated Akamai Identity Cloud and an org.
struct Story {
    world: World,
    akamai: Akamai,
    org: Org,
}

impl Story {
    async fn begin() -> Self {
        Self::with(&mapping(), |_| ()).await
    }

    /// A mapping by which contacts go with their profiles.
    async fn that_deletes() -> Self {
        let mut mapping = mapping();
        mapping["on_delete"] = json!("delete");
        Self::with(&mapping, |_| ()).await
    }

    /// Another mapping, and something changed in the source's configuration.
    async fn with(mapping: &Value, change: impl FnOnce(&mut Table)) -> Self {
        Self::configured(mapping, change, |_| ()).await
    }

    /// The same, with something changed in the rest of the configuration.
    async fn configured(
        mapping: &Value,
        change: impl FnOnce(&mut Table),
        changes: impl FnOnce(&mut Table),
    ) -> Self {
        let akamai = Akamai::start().await;
        let mut section = akamai.section(AUDIENCE, "people.json");
        change(&mut section);
        let world = World::of_scene_and_sim(&scene(mapping), SimConfig::default(), |config| {
            table(table(config, "orgs"), "acme").insert("call-timeout".to_owned(), "2s".into());
            table(config, "server").insert("metrics-listen".to_owned(), "127.0.0.1:0".into());
            changes(config);
            add(config, "akamai", section);
        })
        .await;
        Self { org: world.org(), world, akamai }
    }

    /// Its events are stored first.
    async fn stored() -> Self {
        Self::with(&mapping(), |section| {
            section.insert("acknowledge".to_owned(), Toml::from("stored"));
        })
        .await
    }

    fn to(&self) -> String {
        format!("{}/events/akamai/acme/prod", self.world.url())
    }

    fn created(&self, uuid: &str) -> Token {
        self.akamai.event("entityCreated", uuid, AUDIENCE)
    }

    fn updated(&self, uuid: &str) -> Token {
        self.akamai.event("entityUpdated", uuid, AUDIENCE).attributes(&["email"])
    }

    fn deleted(&self, uuid: &str) -> Token {
        self.akamai.event("entityDeleted", uuid, AUDIENCE)
    }

    async fn send(&self, token: &Token) -> Answered {
        self.akamai.send(&self.to(), token).await
    }

    /// Sends what is taken.
    async fn sent(&self, token: &Token) {
        let answer = self.send(token).await.expect(202);
        assert_eq!(answer.text, "", "an event that is taken is answered with nothing");
    }

    /// There is such a profile, and its event has arrived.
    async fn person(&self, uuid: &str, profile: &Value) {
        self.akamai.profile(uuid, profile);
        self.sent(&self.created(uuid)).await;
    }

    async fn contacts(&self) -> Vec<Map<String, Value>> {
        self.org.records("Contact").await
    }

    async fn contact(&self, uuid: &str) -> Map<String, Value> {
        self.org.one("Contact", "Identity_UUID__c", uuid).await
    }

    /// What the org was called for since then.
    async fn calls(&self) -> u64 {
        self.org.calls().await.api
    }

    /// How often `/entity` was asked.
    fn lookups(&self) -> usize {
        self.akamai.asked("/entity").len()
    }

    /// The number of events that came to this.
    async fn count(&self, outcome: &str, reason: &str) -> u64 {
        let url = format!("{}/metrics", self.world.metrics_url().unwrap());
        let page = e2e::Tool::new(&url, "").send("GET", "", &[], None).await.unwrap().text;
        let labels = format!("outcome=\"{outcome}\",reason=\"{reason}\"");
        let lines =
            page.lines().filter(|line| line.starts_with("gangway_events_total{") && line.contains(&labels));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// `gangway events list` for this event.
    async fn listed(&self, token: &Token) -> Value {
        listed(&self.world, token.jti()).await
    }
}

/// The same as somebody else: no duplicate in the eyes of the org.
fn noor_as(name: &str) -> Value {
    let mut profile = noor();
    (profile["familyName"], profile["givenName"]) = (json!(name), json!(format!("G {name}")));
    profile["email"] = json!(format!("{name}@example.net"));
    profile
}

/// What a command of `gangway` says, and its exit code.
async fn ask(config: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["--output", "json"])
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .await
        .unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
    });
    (said, output.status.code())
}

/// `gangway events list` for one event.
async fn listed(world: &World, jti: &str) -> Value {
    listed_in(&world.config_file(), jti).await
}

async fn listed_in(config: &Path, jti: &str) -> Value {
    let (mut said, _) = ask(config, &["events", "list", jti]).await;
    said["events"].as_array_mut().and_then(Vec::pop).unwrap_or_else(|| panic!("no event {jti}"))
}

/// A profile as a customer has one.
fn noor() -> Value {
    json!({
        "email": "noor.haddad@example.net", "emailVerified": "2026-08-04 09:12:44 +0000", "givenName": "Noor",
        "familyName": "Haddad", "displayName": "Noor", "created": "2026-08-04 09:11:02.118204 +0000",
        "lastLogin": "2026-08-05 07:59:58 +0000", "lastUpdated": "2026-08-05 08:00:01.774310 +0000",
        "primaryAddress": {"city": "Utrecht", "country": "Netherlands", "mobile": null}, "deactivateAccount": null,
    })
}
