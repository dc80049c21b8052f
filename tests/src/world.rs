//! A gateway and a simulated org on loopback, in this process.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{Clock, Ids};
use tempfile::TempDir;
use toml::{Table, Value};

use crate::{Org, Scene, Tool, scene::write_mapping};

/// What tools of the default configuration authenticate with.
pub const TOKEN: &str = "story-token";
pub(crate) const CLIENT_ID: &str = "story-client";
pub(crate) const CLIENT_SECRET: &str = "story-secret";
pub(crate) const REFRESH_TOKEN: &str = "story-refresh-token";

/// A gateway with its org and its store.
pub struct World {
    gateway: Option<gangway::Gateway>,
    sim: salesforce_sim::Sim,
    /// Orgs beside the first.
    others: Vec<salesforce_sim::Sim>,
    directory: TempDir,
    /// What the gateway reads the time from, over restarts.
    clock: Clock,
}

/// The shortest configuration that works, and one that knows its tools.
#[must_use]
pub fn default_config() -> Table {
    let sha256 = sha256(TOKEN);
    toml::from_str(&format!(
        r#"
        [server]
        listen = "127.0.0.1:0"

        [store]
        url = "sqlite:gangway.db"

        [orgs.acme]
        url = "http://127.0.0.1:1"
        flow = "refresh-token"
        client-id = "{CLIENT_ID}"

        [customers.acme.environments.prod]
        default = true
        username-domain = "acme.example"

        [[customers.acme.environments.prod.clients]]
        name = "tool"
        token-sha256 = ["{sha256}"]
        may = "write"
        "#
    ))
    .expect("the default configuration is TOML")
}

impl World {
    /// The default configuration.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The default configuration with something changed.
    pub async fn with(change: impl FnOnce(&mut Table)) -> Self {
        let mut config = default_config();
        change(&mut config);
        Self::of(config, salesforce_sim::SimConfig::default()).await
    }

    /// An example's own configuration, with the simulated org in the place of its orgs. A `mapping.toml` and an `org.toml`
    /// beside it are the mapping and what the org holds.
    pub async fn of_example(file: &Path) -> Self {
        Self::of_example_with(file, Vec::new(), |_| ()).await
    }

    /// The same with further files beside it, and with something changed: simulated sources in the place of its own.
    pub async fn of_example_with(
        file: &Path,
        files: Vec<(String, String)>,
        change: impl FnOnce(&mut Table),
    ) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut config = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        change(&mut config);
        let beside = |name: &str| fs::read_to_string(file.with_file_name(name)).unwrap_or_default();
        let scene = Scene { files, ..Scene::new(&beside("mapping.toml"), &beside("org.toml")) };
        Self::tell(&scene, config, salesforce_sim::SimConfig::default()).await
    }

    /// Any configuration and any org: addresses, secrets and store are put in.
    pub async fn of(config: Table, sim: salesforce_sim::SimConfig) -> Self {
        Self::tell(&Scene::default(), config, sim).await
    }

    /// The default configuration with a scene of its own, and something changed.
    pub async fn of_scene(scene: &Scene, change: impl FnOnce(&mut Table)) -> Self {
        Self::of_scene_and_sim(scene, salesforce_sim::SimConfig::default(), change).await
    }

    /// The same in front of an org with a seed or a latency of its own.
    pub async fn of_scene_and_sim(
        scene: &Scene,
        sim: salesforce_sim::SimConfig,
        change: impl FnOnce(&mut Table),
    ) -> Self {
        let mut config = default_config();
        change(&mut config);
        Self::tell(scene, config, sim).await
    }

    async fn tell(scene: &Scene, mut config: Table, sim: salesforce_sim::SimConfig) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let sim = scene.org(directory.path(), sim).await;
        place(&mut config, directory.path(), &sim.url());
        let mut others = Vec::new();
        for number in (2..).take(scene.other_orgs.len()) {
            let apart = salesforce_sim::SimConfig { seed: number, ..Default::default() };
            others.push(scene.org(directory.path(), apart).await);
        }
        scene.place_orgs(&mut config, &others);
        scene.place_mapping(&mut config, directory.path(), &Org::new(&sim.url())).await;
        scene.place_files(directory.path());
        fs::write(directory.path().join("gangway.toml"), config.to_string())
            .expect("the file can be written");
        let mut world = Self { gateway: None, sim, others, directory, clock: Clock::system() };
        world.begin().await;
        world
    }

    /// So much time passes for the gateway, at once.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Gives the running gateway another mapping, as an operator does with SIGHUP.
    pub async fn remap(&self, mapping: &str) {
        write_mapping(self.directory.path(), mapping, &self.org()).await;
        self.reload(|_| ());
    }

    async fn begin(&mut self) {
        let config = gangway::Config::load(&self.config_file()).unwrap_or_else(|errors| panic!("{errors:?}"));
        let started = gangway::start_with(config, self.clock.clone(), Ids::random()).await;
        let gateway = started.unwrap_or_else(|error| panic!("{error:?}"));
        self.gateway = Some(gateway);
    }

    /// Stops the gateway as SIGTERM does and starts it again on the same store.
    pub async fn restart(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
        self.begin().await;
    }

    /// Changes the configuration of the running gateway, as an operator does with SIGHUP.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn reload(&self, change: impl FnOnce(&mut Table)) {
        let text = fs::read_to_string(self.config_file()).expect("the file can be read");
        let mut config = toml::from_str(&text).expect("it is TOML");
        change(&mut config);
        fs::write(self.config_file(), config.to_string()).expect("the file can be written");
        let config = gangway::Config::load(&self.config_file()).unwrap_or_else(|errors| panic!("{errors:?}"));
        let gateway = self.gateway.as_ref().expect("the gateway runs until the world ends");
        gateway.reload(config).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Where the configuration is.
    #[must_use]
    pub fn config_file(&self) -> std::path::PathBuf {
        self.directory.path().join("gangway.toml")
    }

    /// The gateway's address, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        let gateway = self.gateway.as_ref().expect("the gateway runs until the world ends");
        format!("http://{}", gateway.addr)
    }

    /// Where metrics are served, if they are.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        let gateway = self.gateway.as_ref().expect("the gateway runs until the world ends");
        gateway.metrics_addr().map(|addr| format!("http://{addr}"))
    }

    /// The org from outside.
    #[must_use]
    pub fn org(&self) -> Org {
        Org::new(&self.sim.url())
    }

    /// An org beside the first, from outside.
    #[must_use]
    pub fn other_org(&self, at: usize) -> Org {
        Org::new(&self.others[at].url())
    }

    /// An identity tool with the default token on the short path.
    #[must_use]
    pub fn tool(&self) -> Tool {
        self.tool_at("/scim/v2", TOKEN)
    }

    /// An identity tool with its own base and token.
    #[must_use]
    pub fn tool_at(&self, base: &str, token: &str) -> Tool {
        Tool::new(&format!("{}{base}", self.url()), token)
    }

    /// An access token for the org itself.
    pub async fn org_token(&self) -> String {
        self.org().token().await
    }
}

/// Puts the world's own places into a configuration.
pub(crate) fn place(config: &mut Table, directory: &Path, org: &str) {
    fs::write(directory.join("client-secret"), CLIENT_SECRET).expect("the file can be written");
    fs::write(directory.join("refresh-token"), REFRESH_TOKEN).expect("the file can be written");
    let secret = |name: &str| Value::Table(Table::from_iter([("file".to_owned(), Value::from(name))]));
    table(config, "server").insert("listen".into(), Value::from("127.0.0.1:0"));
    // Stories are faster than identity tools; the rate limit has its own test where it is.
    table(config, "server").insert("requests-per-second".into(), Value::from(100_000));
    place_secrets(table(config, "customers"), &secret("client-secret"));
    // The key stays out of the data's directory.
    fs::create_dir_all(directory.join("data")).expect("the directory can be made");
    table(config, "store").insert("url".into(), Value::from("sqlite:data/gangway.db"));
    table(config, "store").insert("key-file".into(), Value::from("gangway.key"));
    for (_, settings) in table(config, "orgs") {
        let settings = settings.as_table_mut().expect("an org is a table");
        settings.insert("url".into(), Value::from(org));
        settings.insert("client-id".into(), Value::from(CLIENT_ID));
        settings.insert("client-secret".into(), secret("client-secret"));
        settings.insert("refresh-token".into(), secret("refresh-token"));
    }
}

/// Puts the stories' secret in the place of every one that is looked for in the environment.
fn place_secrets(table: &mut Table, secret: &Value) {
    for (_, value) in table {
        match value {
            Value::Table(place) if place.len() == 1 && place.contains_key("env") => *value = secret.clone(),
            Value::Table(table) => place_secrets(table, secret),
            Value::Array(items) => {
                for table in items.iter_mut().filter_map(Value::as_table_mut) {
                    place_secrets(table, secret);
                }
            }
            _ => {}
        }
    }
}

/// A table of a configuration.
///
/// # Panics
///
/// When it is something else.
pub fn table<'a>(config: &'a mut Table, name: &str) -> &'a mut Table {
    config.get_mut(name).and_then(Value::as_table_mut).unwrap_or_else(|| panic!("no table {name}"))
}

/// The settings of the default tenant, to be changed.
pub fn environment(config: &mut Table) -> &mut Table {
    let environments = table(table(table(config, "customers"), "acme"), "environments");
    table(environments, "prod")
}

/// Adds a table to an array of tables of the default tenant, such as an event source.
pub fn add(config: &mut Table, key: &str, section: Table) {
    let list = environment(config).entry(key).or_insert_with(|| Value::Array(Vec::new()));
    list.as_array_mut().unwrap_or_else(|| panic!("{key} is no list")).push(Value::Table(section));
}

/// Base64, as `Authorization: Basic` wants it.
#[must_use]
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// SHA-256 in hex, as `token-sha256` wants it.
#[must_use]
pub fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
