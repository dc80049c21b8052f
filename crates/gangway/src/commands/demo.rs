//! `gangway demo`: a simulated org, a gateway in front of it, and people who arrive.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use clap::Args;
use model::Ids;
use salesforce_sim::{Sim, SimConfig};
use serde_json::json;

use super::{
    Failure, Output, asked_to_stop, output,
    people::{Arrival, CREW, Tool},
    sim, token,
};
use crate::{
    config::{Config, LogSection},
    logging,
    wire::{self, Gateway, StartError},
};

/// The built-in mapping, more forgiving.
const MAPPING: &str = include_str!("demo-mapping.toml");

/// What the simulated org has beyond a fresh one.
const ORG: &str = include_str!("demo-org.toml");

/// What `demo` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the gateway listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the simulated org listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    org_listen: SocketAddr,
    /// The bearer token of the client; made anew without it.
    #[arg(long)]
    token: Option<String>,
    /// An empty or new directory for configuration and store, kept afterwards. Without it a temporary one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Provision nobody.
    #[arg(long)]
    empty: bool,
    /// How many requests a second the client may send; 0 is no limit. A demo is there to be tried hard; `serve` has a limit.
    #[arg(long, default_value_t = 0, value_name = "N")]
    requests_per_second: u32,
    /// Allow listening on other addresses than loopback.
    #[arg(long)]
    allow_remote: bool,
}

/// Starts everything, shows what happened, and stays until asked to stop.
pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    logging::start(&LogSection::for_commands()).map_err(Failure::Failed)?;
    if !arguments.listen.ip().is_loopback() && !arguments.allow_remote {
        let why =
            format!("{} is not a loopback address; add --allow-remote to let others in", arguments.listen);
        return Err(Failure::Failed(why));
    }
    let org_ip = arguments.org_listen.ip();
    if !org_ip.is_loopback() && !org_ip.is_unspecified() {
        // The gateway reaches an org without TLS on loopback only.
        let why = format!(
            "{} is not a loopback address; to let others reach the org too, use 0.0.0.0 with --allow-remote",
            arguments.org_listen
        );
        return Err(Failure::Failed(why));
    }
    let token = arguments.token.clone().unwrap_or_else(|| token::new(&Ids::random()));
    let place = Place::new(arguments.data.clone())?;
    let secrets = Secrets::new();
    let org_file = place.write("org.toml", ORG)?;
    let org = sim::start(
        SimConfig {
            listen: arguments.org_listen,
            client_id: "gangway-demo".to_owned(),
            client_secret: secrets.client_secret.clone(),
            refresh_token: secrets.refresh_token.clone(),
            allow_remote: arguments.allow_remote,
            org_file: Some(org_file),
            ..SimConfig::default()
        },
        "--org-listen",
    )
    .await?;
    let config = place.configure(&arguments, &org, &secrets, &token)?;
    let gateway = wire::start(config).await.map_err(|error| match &error {
        StartError::Listen { .. } => {
            Failure::Failed(format!("{error}; choose another address with --listen"))
        }
        StartError::Store { .. } | StartError::Events(_) => error.into(),
    })?;
    let scene = Scene { gateway, org, token, place };
    let played = scene.play(arguments.empty).await;
    if let Ok(arrivals) = &played {
        scene.show(arrivals, output);
        asked_to_stop().await;
    }
    scene.gateway.stop().await;
    scene.org.stop().await;
    played.map(|_| ())
}

struct Secrets {
    client_secret: String,
    refresh_token: String,
}

impl Secrets {
    fn new() -> Self {
        let ids = Ids::random();
        Self { client_secret: token::new(&ids), refresh_token: token::new(&ids) }
    }
}

/// Where the demo keeps its files: the configuration and the key in the directory, the store in one below it.
struct Place {
    directory: PathBuf,
    temporary: bool,
}

impl Place {
    fn new(wanted: Option<PathBuf>) -> Result<Self, Failure> {
        let fail =
            |path: &Path, error: &std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let temporary = wanted.is_none();
        let directory = wanted.unwrap_or_else(|| {
            let name = format!("gangway-demo-{}-{}", std::process::id(), Ids::random().change());
            std::env::temp_dir().join(name)
        });
        if directory.join("gangway.toml").exists() {
            return Err(Failure::Failed(format!(
                "{} holds an earlier demo, whose simulated org is gone: name another directory with --data",
                directory.display()
            )));
        }
        let data = directory.join("data");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&data)
            .map_err(|error| fail(&data, &error))?;
        let directory = directory.canonicalize().map_err(|error| fail(&directory, &error))?;
        Ok(Self { directory, temporary })
    }

    /// Writes a configuration as an operator would, and reads it back as `serve` does.
    fn configure(
        &self,
        arguments: &Arguments,
        org: &Sim,
        secrets: &Secrets,
        token: &str,
    ) -> Result<Config, Failure> {
        self.write("client-secret", &secrets.client_secret)?;
        self.write("refresh-token", &secrets.refresh_token)?;
        self.write("mapping.toml", MAPPING)?;
        let text = format!(
            r#"# Written by `gangway demo`; docs/configuration.md explains every key.
[server]
listen = "{listen}"
requests-per-second = {requests_per_second}

[store]
url = "sqlite:data/gangway.db"
key-file = "master.key"

[log]
format = "pretty"
filter = "warn"

[orgs.demo]
url = "{org}"
client-id = "gangway-demo"
client-secret = {{ file = "client-secret" }}
refresh-token = {{ file = "refresh-token" }}

[customers.acme.environments.demo]
default = true
mapping = "mapping.toml"
username-domain = "acme.example"

[[customers.acme.environments.demo.clients]]
name = "demo"
token-sha256 = ["{hash}"]
"#,
            listen = arguments.listen,
            requests_per_second = arguments.requests_per_second,
            org = local(org.addr),
            hash = token::sha256_hex(token),
        );
        self.write("gangway.toml", &text)?;
        Ok(Config::load(&self.directory.join("gangway.toml"))?)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.directory.join(name);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(path)
    }
}

/// A temporary directory goes with the demo, however that ends.
impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.directory)
        {
            tracing::warn!(directory = %self.directory.display(), %error, "the temporary directory stays");
        }
    }
}

/// How programs on this machine reach a listener, which may listen on every address.
fn local(addr: SocketAddr) -> String {
    format!("http://{}", wire::reachable(addr))
}

struct Scene {
    gateway: Gateway,
    org: Sim,
    token: String,
    place: Place,
}

impl Scene {
    /// Lets everyone arrive.
    async fn play(&self, empty: bool) -> Result<Vec<Arrival>, Failure> {
        if empty {
            return Ok(Vec::new());
        }
        let tool = Tool::new(self.gateway.scim_url(), self.token.clone()).map_err(Failure::Failed)?;
        tool.bring_everyone(&format!("{}/records/User", self.control())).await.map_err(Failure::Failed)
    }

    fn control(&self) -> String {
        format!("{}/_sim", local(self.org.addr))
    }

    /// A command that works when pasted.
    fn curl(&self, empty: bool) -> String {
        let query = if empty { "" } else { "?filter=userName+eq+%22ada.lovelace@acme.example%22" };
        // A token that somebody chose may hold a quote; the shell gets it as '\''.
        let token = self.token.replace('\'', r"'\''");
        format!("curl -s -H 'Authorization: Bearer {token}' '{}/Users{query}'", self.gateway.scim_url())
    }

    fn show(&self, arrivals: &[Arrival], output: Output) {
        let scim = self.gateway.scim_url();
        let config = self.place.directory.join("gangway.toml");
        let curl = self.curl(arrivals.is_empty());
        if output == Output::Json {
            output::document(&json!({
                "scim": scim, "token": self.token, "org": local(self.org.addr), "control": self.control(),
                "config": config, "curl": curl, "people": arrivals,
            }));
            return;
        }
        if !arrivals.is_empty() {
            output::line(&format!("{} people came on board, and Salesforce has them:\n", arrivals.len()));
            output::table(
                ["person", "SCIM id", "Salesforce id", "Username", "Alias", "what was adapted"],
                arrivals.iter().map(|arrival| {
                    let left = if arrival.active { "" } else { " (has left)" };
                    let person = format!("{}{left}", arrival.person);
                    [
                        person,
                        arrival.scim_id.clone(),
                        arrival.salesforce_id.clone(),
                        arrival.username.clone(),
                        arrival.alias.clone(),
                        arrival.adapted.join("\n"),
                    ]
                }),
            );
            output::line(&format!(
                "\nAnd a group, {CREW}. The Salesforce org is a simulated one; nothing here is real.\n"
            ));
        }
        output::line(&format!("SCIM URL       {scim}"));
        output::line(&format!("Bearer token   {}", self.token));
        output::line(&format!("Org control    {}/records/User", self.control()));
        output::line(&format!("Configuration  {}", config.display()));
        output::line(&format!("\nTry it:\n\n  {curl}\n\nCtrl-C ends it."));
    }
}
