//! Shared Signals and SCIM events in: each numbered check is a story.

mod example;
mod kept_out;
mod locked_out;
mod order;
mod polled;
mod publisher;
mod purged;
mod scim;
mod streams;

use std::path::Path;

use e2e::{
    Answered, Org, Scene, World,
    sources::transmitter::{CAEP, RISC, Set, Transmitter},
    world::add,
};
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

/// What the transmitter's tokens are for. Gangway stands behind a proxy: it is not the address that it listens on.
const AUDIENCE: &str = "https://gw.example.com/events/shared-signals/acme/prod";
const NOOR: &str = "noor@acme.example";

/// An org with people whom nobody has made by SCIM, each logged in twice.
fn org_file(people: usize) -> String {
    let user = |name: &str| {
        format!(
            "[[users]]\nusername = \"{name}@acme.example\"\nprofile = \"Standard User\"\nsessions = 2\n\
             fields = {{ LastName = \"{name}\", Alias = \"{}\", Email = \"{name}@mail.example\", FederationIdentifier = \"fed-{name}\" }}\n\n",
            &name[..name.len().min(8)]
        )
    };
    let mut file = user("noor");
    for number in 0..people {
        file += &user(&format!("p{number}"));
    }
    file
}

fn scene(org_file: &str) -> Scene {
    Transmitter::secrets()
        .iter()
        .fold(Scene::new("", org_file), |scene, (name, text)| scene.with_file(name, text))
}

/// A gateway between a simulated transmitter and an org.
struct Story {
    world: World,
    transmitter: Transmitter,
    org: Org,
}

impl Story {
    async fn begin() -> Self {
        Self::with(&org_file(0), |_, _| ()).await
    }

    /// Another org, and something changed in the source's configuration. Events are answered when they are applied.
    async fn with(org_file: &str, change: impl FnOnce(&Transmitter, &mut Table)) -> Self {
        Self::of(Transmitter::start().await, org_file, change).await
    }

    async fn of(
        transmitter: Transmitter,
        org_file: &str,
        change: impl FnOnce(&Transmitter, &mut Table),
    ) -> Self {
        let mut section = transmitter.section(AUDIENCE);
        section.insert("acknowledge".to_owned(), Toml::from("sync"));
        change(&transmitter, &mut section);
        let world = World::of_scene(&scene(org_file), |config| {
            let server = config["server"].as_table_mut().unwrap();
            server.insert("metrics-listen".to_owned(), Toml::from("127.0.0.1:0"));
            server.insert("public-url".to_owned(), Toml::from("https://gw.example.com"));
            add(config, "shared-signals", section);
        })
        .await;
        Self { org: world.org(), world, transmitter }
    }

    fn to(&self) -> String {
        format!("{}/events/shared-signals/acme/prod", self.world.url())
    }

    fn caep(&self, name: &str, sub_id: &Value) -> Set {
        self.transmitter.event(&format!("{CAEP}{name}"), sub_id, json!({}), AUDIENCE)
    }

    fn risc(&self, name: &str, sub_id: &Value) -> Set {
        self.transmitter.event(&format!("{RISC}{name}"), sub_id, json!({}), AUDIENCE)
    }

    async fn push(&self, set: &Set) -> Answered {
        self.transmitter.push(&self.to(), set).await
    }

    /// Pushes what is taken.
    async fn pushed(&self, set: &Set) {
        let answer = self.push(set).await.expect(202);
        assert_eq!(answer.text, "", "an event that is taken is answered with nothing");
    }

    async fn calls(&self) -> u64 {
        self.org.calls().await.api
    }

    async fn is_frozen(&self, username: &str) -> bool {
        is_frozen(&self.org, username).await
    }

    /// In how many browsers somebody is logged in.
    async fn sessions(&self, username: &str) -> usize {
        let user = self.org.user(username).await;
        self.org.find("AuthSession", "UsersId", user["Id"].as_str().unwrap()).await.len()
    }

    /// The number of events that came to this.
    async fn count(&self, outcome: &str, reason: &str) -> u64 {
        count(&self.world, outcome, reason).await
    }

    /// `gangway events list` for this event.
    async fn listed(&self, set: &Set) -> Value {
        listed(&self.world, set.jti()).await
    }
}

async fn is_frozen(org: &Org, username: &str) -> bool {
    let user = org.user(username).await;
    org.one("UserLogin", "UserId", user["Id"].as_str().unwrap()).await["IsFrozen"] == true
}

async fn count(world: &World, outcome: &str, reason: &str) -> u64 {
    let url = format!("{}/metrics", world.metrics_url().unwrap());
    let page = e2e::Tool::new(&url, "").send("GET", "", &[], None).await.unwrap().text;
    let labels = format!("outcome=\"{outcome}\",reason=\"{reason}\"");
    let lines =
        page.lines().filter(|line| line.starts_with("gangway_events_total{") && line.contains(&labels));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// What a command of `gangway` says.
async fn ask(config: &Path, arguments: &[&str]) -> Value {
    let said = said(config, arguments).await;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
}

/// The same as it is.
async fn said(config: &Path, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["--output", "json"])
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn listed(world: &World, jti: &str) -> Value {
    let mut said = ask(&world.config_file(), &["events", "list", jti]).await;
    said["events"].as_array_mut().and_then(Vec::pop).unwrap_or_else(|| panic!("no event {jti}"))
}

fn by_email(name: &str) -> Value {
    json!({"format": "email", "email": format!("{name}@mail.example")})
}
