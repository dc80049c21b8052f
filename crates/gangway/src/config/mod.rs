//! The configuration: one TOML file and the files that it names.
//!
//! [`Config::load`] reads, checks and resolves everything at once: names, URLs, secrets and mappings. What it answers
//! can be served as it is; what it refuses it refuses with file, line and column ([`ConfigErrors`]). One file of this
//! module per topic; the doc comment of a key is its manual and becomes the JSON Schema ([`schema`]) and
//! `docs/configuration.md`.

mod akamai;
mod check;
mod client;
mod didomi;
mod document;
mod error;
mod log;
mod oauth;
mod org;
mod receiver;
pub mod schema;
mod scim_events;
mod secret;
mod server;
mod shared_signals;
mod source;
mod store;
mod tenant;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fs, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

pub use akamai::{AkamaiSection, AkamaiSettings};
pub(crate) use check::hex;
pub use client::{
    Acknowledge, ClientSection, ClientSettings, DialectName, GrantsSection, GroupPatch, ListRuleName, May,
    UnknownEntitlements,
};
pub use didomi::{
    ConsentObjectName, DidomiObjectSection, DidomiSection, MappingSection, MatchSection, OnMultipleName,
    TransformName, UserDeletedName, WriterName,
};
pub(crate) use document::Document;
pub(crate) use error::from_mapping;
pub use error::{ConfigErrors, Problem};
pub use log::{LogFormat, LogSection};
pub use oauth::{OAuthSection, OAuthUserSection};
pub use org::{FlowName, OrgSection, OrgSettings};
pub use receiver::{ContentName, EventName, ReceiverSection, ReceiverSettings};
pub use scim_events::{OutOfScopeName, PublisherSection, ScimEventsSection, ScimEventsSettings};
pub use secret::Secret;
pub use server::{ServerSection, ServerSettings};
pub use shared_signals::{DeliveryName, SharedSignalsSection, SignalActionName, TransmitterSection};
pub use source::{AcknowledgeEvent, SourceKind, SourceSettings};
pub use store::{StoreSection, StoreSettings};
pub use tenant::{CustomerSection, EnvironmentSection, ScimDeleteName, TenantSettings};

/// The configuration of Gangway.
///
/// Times are written like `"25s"`, `"1m 30s"` or `"500ms"`. Paths are relative to the directory of the configuration
/// file. A secret never stands here itself: it is `{ env = "NAME" }` or `{ file = "path" }`. An unknown key is an error.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Gangway configuration")]
pub struct ConfigFile {
    /// Where Gangway listens and how it answers.
    pub server: ServerSection,
    /// Where Gangway remembers.
    pub store: StoreSection,
    /// What is logged, and how.
    #[serde(default)]
    pub log: LogSection,
    /// The Salesforce orgs, each under a name of your choice (lower-case letters, digits, `-`, `_`).
    pub orgs: BTreeMap<String, OrgSection>,
    /// The customers, each under a name that also stands in the URL.
    pub customers: BTreeMap<String, CustomerSection>,
}

/// A configuration that has been read, checked and resolved: nothing in it can be wrong by itself any more.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Gangway listens and how it answers.
    pub server: ServerSettings,
    /// Where Gangway remembers.
    pub store: StoreSettings,
    /// What is logged, and how.
    pub log: LogSection,
    /// The orgs, by name.
    pub orgs: Vec<OrgSettings>,
    /// The tenants, by name; at most one of them is the default.
    pub tenants: Vec<TenantSettings>,
}

/// What a configuration says without its secrets: for commands that look, and for those that ask a running gateway.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Where Gangway remembers.
    pub store: StoreSettings,
    /// The tenants, by name.
    pub tenants: Vec<TenantSettings>,
}

impl Outline {
    /// Reads a configuration file and the mappings it names, but no secret.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = read(path)?;
        let document = Document::parse(&text, path)?;
        let file: ConfigFile = document.read()?;
        check::outline(&document, file)
    }
}

impl Config {
    /// Reads a configuration file and everything it names.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`]: all that is wrong, as far as one reading can tell.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = read(path)?;
        Self::parse(&text, path)
    }

    /// Reads a configuration from a text. `path` says what to call it, and relative paths are taken from its
    /// directory; the file itself need not exist.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let document = Document::parse(text, path)?;
        let file: ConfigFile = document.read()?;
        check::check(&document, file)
    }

    /// Reads only where the store is: for commands that look at it and need no secret. The keys of the whole file are
    /// checked, but not what they say.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn store(path: &Path) -> Result<StoreSettings, ConfigErrors> {
        let text = read(path)?;
        let document = Document::parse(&text, path)?;
        let file: ConfigFile = document.read()?;
        check::store(&document, &file.store)
    }

    /// Whether an org of this configuration is a simulated one. Salesforce speaks nothing but https, and only
    /// loopback addresses may be configured without it.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.orgs.iter().any(OrgSettings::simulated)
    }
}

/// The text of a configuration file.
fn read(path: &Path) -> Result<String, ConfigErrors> {
    fs::read_to_string(path).map_err(|error| {
        ConfigErrors::unreadable(path, &format!("the configuration cannot be read: {error}"))
    })
}

/// Reads a time such as `"25s"`; for serde's `deserialize_with`.
fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<std::time::Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|signed| std::time::Duration::try_from(signed).ok())
        .ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is not a time: write it like \"25s\" or \"500ms\""))
        })
}
