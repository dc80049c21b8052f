//! A simulated org, a configuration for it, and the gangway binary.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use salesforce_sim::{Sim, SimConfig};
use serde_json::Value;
use tempfile::TempDir;

/// The SHA-256 of `first` and of `second`, in hexadecimal digits.
pub const FIRST: &str = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
pub const SECOND: &str = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";

/// An org and a directory with a configuration for it.
pub struct World {
    pub org: Sim,
    pub directory: TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::with(SimConfig::default()).await
    }

    pub async fn with(config: SimConfig) -> Self {
        let (secret, refresh) = (config.client_secret.clone(), config.refresh_token.clone());
        let org = Sim::start(config).await.unwrap();
        let world = Self { org, directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(world.path("data")).unwrap();
        world.write("client-secret", &secret);
        world.write("refresh-token", &refresh);
        world.write("gangway.toml", &world.config());
        world
    }

    /// The configuration: one client, whose token is `first`.
    pub fn config(&self) -> String {
        format!(
            r#"[server]
listen = "127.0.0.1:0"

[store]
url = "sqlite:data/gangway.db"
key-file = "master.key"

[orgs.acme]
url = "{org}"
client-id = "simulated-client"
client-secret = {{ file = "client-secret" }}
refresh-token = {{ file = "refresh-token" }}

[customers.acme.environments.prod]
username-domain = "acme.example"

[[customers.acme.environments.prod.clients]]
name = "entra"
token-sha256 = ["{FIRST}"]
"#,
            org = self.org.url()
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs a command with this world's configuration, until its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        gangway(arguments).arg("--config").arg(self.path("gangway.toml")).output().unwrap()
    }

    /// Runs `gangway serve` until it listens.
    pub fn serve(&self) -> Served {
        let mut process = gangway(&["--output", "json", "serve", "--config"])
            .arg(self.path("gangway.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).expect("it says where it listens");
        Served {
            process,
            root: format!("http://{}", listening["listening"].as_str().unwrap()),
            scim: listening["scim"].as_str().unwrap().to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }
}

/// The binary, away from this machine's own settings.
pub fn gangway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gangway"));
    command.args(arguments).env_remove("GANGWAY_KEY").env_remove("GANGWAY_LOG").env_remove("GANGWAY_CONFIG");
    command
}

/// A process that serves. It is killed when it is dropped.
pub struct Served {
    process: Child,
    pub root: String,
    pub scim: String,
    http: reqwest::Client,
}

impl Served {
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(name).arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to stop and waits for its exit code.
    pub fn stop(self) -> Option<i32> {
        self.signal("-TERM");
        self.end()
    }

    /// Waits for its exit code.
    pub fn end(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// The status of a list of Users with this token.
    pub async fn status(&self, token: &str) -> u16 {
        self.http
            .get(format!("{}/Users", self.scim))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// `/readyz`.
    pub async fn readiness(&self) -> Value {
        self.http.get(format!("{}/readyz", self.root)).send().await.unwrap().json().await.unwrap()
    }

    /// Sends a SCIM body.
    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.send(reqwest::Method::POST, path, body).await
    }

    /// Sends a SCIM body by some method.
    pub async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> reqwest::Response {
        self.http
            .request(method, format!("{}{path}", self.scim))
            .bearer_auth("first")
            .header("Content-Type", "application/scim+json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    pub async fn create(&self, user_name: &str) -> reqwest::Response {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": user_name,
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "emails": [{ "value": "ada@acme.example", "primary": true }],
        });
        self.post("/Users", &body).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks again until the answer is yes; fails after half a minute.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} has not come about");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a command printed, as JSON.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// What a command complained about.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a directory has nothing in it.
pub fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}
