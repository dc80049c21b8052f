//! What a story has beside the default configuration: a mapping, and what the org holds.

use std::{fs, path::Path};

use salesforce_sim::{Sim, SimConfig};
use toml::{Table, Value};

use crate::{
    Org,
    world::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, environment, table},
};

/// What a story has beside the default configuration.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The mapping of the default tenant; empty: the built-in one. `<profile:NAME>` stands for the id of a profile of
    /// the org `acme`.
    pub mapping: String,
    /// What the simulated orgs hold beyond a fresh one, as an org file.
    pub org_file: String,
    /// Orgs beside `acme`, each a simulated one of its own.
    pub other_orgs: Vec<String>,
    /// Further files beside the configuration, by name.
    pub files: Vec<(String, String)>,
}

impl Scene {
    /// A mapping in front of an org that holds what `org_file` says.
    #[must_use]
    pub fn new(mapping: &str, org_file: &str) -> Self {
        Self { mapping: mapping.to_owned(), org_file: org_file.to_owned(), ..Self::default() }
    }

    /// The same with one more file beside the configuration.
    #[must_use]
    pub fn with_file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Starts a simulated org as the scene has it.
    pub(crate) async fn org(&self, directory: &Path, sim: SimConfig) -> Sim {
        let mut sim = SimConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            client_id: CLIENT_ID.into(),
            client_secret: CLIENT_SECRET.into(),
            refresh_token: REFRESH_TOKEN.into(),
            ..sim
        };
        if !self.org_file.is_empty() {
            let file = directory.join("org.toml");
            fs::write(&file, &self.org_file).expect("the file can be written");
            sim.org_file = Some(file);
        }
        Sim::start(sim).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes the mapping beside the configuration, which names it.
    pub(crate) async fn place_mapping(&self, config: &mut Table, directory: &Path, org: &Org) {
        if self.mapping.is_empty() {
            return;
        }
        environment(config).insert("mapping".into(), Value::from("mapping.toml"));
        write_mapping(directory, &self.mapping, org).await;
    }

    /// Writes the further files.
    pub(crate) fn place_files(&self, directory: &Path) {
        for (name, text) in &self.files {
            fs::write(directory.join(name), text).expect("the file can be written");
        }
    }

    /// The orgs beside `acme`, with their settings.
    pub(crate) fn place_orgs(&self, config: &mut Table, others: &[Sim]) {
        if others.is_empty() {
            return;
        }
        let orgs = table(config, "orgs");
        let acme = orgs["acme"].clone();
        for (name, sim) in self.other_orgs.iter().zip(others) {
            let mut settings = acme.clone();
            if let Some(settings) = settings.as_table_mut() {
                settings.insert("url".into(), Value::from(sim.url()));
            }
            orgs.insert(name.clone(), settings);
        }
    }
}

/// Writes a mapping with the ids of the org in it.
pub(crate) async fn write_mapping(directory: &Path, mapping: &str, org: &Org) {
    let mut mapping = mapping.to_owned();
    for profile in org.records("Profile").await {
        if let (Some(name), Some(id)) = (profile["Name"].as_str(), profile["Id"].as_str()) {
            mapping = mapping.replace(&format!("<profile:{name}>"), id);
        }
    }
    fs::write(directory.join("mapping.toml"), mapping).expect("the file can be written");
}
