//! Event sources of an environment: what is the same for every kind of them. Each kind has a file of its own beside this one.

use std::{path::PathBuf, time::Duration};

use model::{ClientName, SourceName, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    TenantSettings,
    akamai::AkamaiSettings,
    check::{Checker, KnownOrg, below, sole_or_named},
    document::Place,
    receiver::RESERVED,
    scim_events::ScimEventsSettings,
    tenant::EnvironmentSection,
};

/// When an event is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcknowledgeEvent {
    /// When Salesforce has accepted what it asks for; until then its source keeps it and sends it again.
    Sync,
    /// When it is durable; Gangway tries until it is applied.
    Stored,
}

impl From<AcknowledgeEvent> for intake::Acknowledge {
    fn from(name: AcknowledgeEvent) -> Self {
        match name {
            AcknowledgeEvent::Sync => Self::Sync,
            AcknowledgeEvent::Stored => Self::Stored,
        }
    }
}

/// A source, checked.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Its name, which is in its URL.
    pub name: SourceName,
    /// When its events are answered.
    pub acknowledge: AcknowledgeEvent,
    /// How long its caller waits at most.
    pub answer_within: Duration,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A transmitter of Shared Signals.
    SharedSignals(intake::signals::SharedSignalsSettings, Option<String>),
    /// A publisher of SCIM events.
    ScimEvents(ScimEventsSettings),
    /// Akamai Identity Cloud.
    Akamai(AkamaiSettings),
    /// Didomi.
    Didomi(Box<intake::didomi::DidomiSettings>),
}

impl SourceKind {
    /// Where its people are, if it has any of its own.
    #[must_use]
    pub fn population(&self) -> Option<&TenantId> {
        match self {
            Self::Akamai(settings) => Some(&settings.population),
            Self::ScimEvents(settings) => Some(&settings.population),
            Self::SharedSignals(..) | Self::Didomi(_) => None,
        }
    }
}

/// Where the identities of a source live, apart from those of all others.
#[derive(Clone, Debug)]
pub(super) struct Population {
    /// Its name.
    pub(super) name: String,
    /// The file with its targets; none: the built-in mapping.
    pub(super) mapping: Option<PathBuf>,
    /// Whether its source is asked for whole profiles: what each record is to have is known with every event.
    pub(super) restates: bool,
    /// Where it is said.
    pub(super) place: Place,
}

/// What the event sources of an environment come to.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) sources: Vec<SourceSettings>,
    pub(super) populations: Vec<Population>,
}

impl Checker<'_, '_> {
    /// Checks the event sources of an environment.
    pub(super) fn sources(
        &mut self,
        root: &Place,
        tenant: &TenantId,
        section: &EnvironmentSection,
        orgs: &[KnownOrg],
    ) -> Sources {
        let mut found = Sources::default();
        for (index, signals) in section.shared_signals.iter().enumerate() {
            self.shared_signals(&element(root, "shared-signals", index), tenant, signals, &mut found);
        }
        for (index, events) in section.scim_events.iter().enumerate() {
            self.scim_events(&element(root, "scim-events", index), tenant, events, &mut found);
        }
        for (index, akamai) in section.akamai.iter().enumerate() {
            self.akamai(&element(root, "akamai", index), tenant, akamai, &mut found);
        }
        let default_org = sole_or_named(section.org.as_deref(), orgs);
        for (index, didomi) in section.didomi.iter().enumerate() {
            let at = element(root, "didomi", index);
            found.sources.extend(self.didomi(&at, didomi, default_org, orgs));
        }
        let mut names: Vec<&SourceName> = Vec::new();
        for source in &found.sources {
            if source.name.as_str() == RESERVED {
                let message = format!("an event source cannot be called `{RESERVED}`");
                self.refuse(root, &message, "what goes out has this address: give it another `name`");
            }
            if names.contains(&&source.name) {
                let message = format!("two event sources have the name `{}`", source.name);
                self.refuse(root, &message, "the name stands in their URL: give one of them another `name`");
            }
            names.push(&source.name);
        }
        found
    }

    /// A name that stands in an address.
    pub(super) fn source_name(&mut self, at: &Place, name: &str) -> Option<SourceName> {
        self.keep(&below(at, "name"), SourceName::new(name), "it stands in the source's address")
    }

    /// For whom a source's tokens are: what is said, or the source's own address.
    pub(super) fn audience(
        &mut self,
        at: &Place,
        tenant: &TenantId,
        name: &str,
        said: Option<&str>,
    ) -> Option<String> {
        let url = match (said, &self.public_url) {
            (Some(said), _) => said.to_owned(),
            (None, Some(public_url)) => format!("{public_url}/events/{name}/{tenant}"),
            // Commands that only look take no events.
            (None, None) if !self.reads_secrets => String::new(),
            (None, None) => {
                let help = format!(
                    "write audience = \"https://…/events/{name}/{tenant}\", or public-url in [server]"
                );
                self.refuse(at, "nobody knows for whom this source's tokens are", &help);
                return None;
            }
        };
        Some(url)
    }

    /// The populations as tenants of their own: with their own mapping, and what else the environment says.
    pub(super) fn populations(
        &mut self,
        home: &TenantSettings,
        populations: &[Population],
        orgs: &[KnownOrg],
    ) -> Vec<TenantSettings> {
        let mut tenants: Vec<TenantSettings> = Vec::new();
        for population in populations {
            let Some(id) = self.keep(&population.place, home.id.with_population(&population.name), "") else {
                continue;
            };
            let file = population.mapping.as_ref().map(|path| self.document.directory().join(path));
            if let Some(other) = tenants.iter().find(|other| other.id == id) {
                if other.mapping_file != file {
                    let message = format!("the population `{}` has two mappings", population.name);
                    let help = "sources that share a population share its mapping too: name the same file";
                    self.refuse(&population.place, &message, help);
                }
                continue;
            }
            let mapping = match &file {
                None => home.org.as_ref().map(translation::Mapping::default_for),
                Some(path) => {
                    self.mapping(&below(&population.place, "mapping"), path, home.org.as_ref(), orgs)
                }
            };
            let Some(mut mapping) = mapping else { continue };
            for target in mapping.targets_mut() {
                target.restates = population.restates;
            }
            for client in mapping.source_rules().clients.keys() {
                let help = "clients of Akamai Identity Cloud have lower-case letters and digits";
                self.keep(&below(&population.place, "mapping"), ClientName::new(client.as_str()), help);
            }
            for mapping in mapping.and_of_clients() {
                self.target_orgs(&below(&population.place, "mapping"), mapping, home.org.as_ref(), orgs);
            }
            tenants.push(TenantSettings {
                clients: home
                    .clients
                    .iter()
                    .filter(|client| client.population.as_ref() == Some(&id))
                    .cloned()
                    .collect(),
                id,
                default: false,
                mapping,
                mapping_file: file,
                sources: Vec::new(),
                receivers: Vec::new(),
                ..home.clone()
            });
        }
        for (index, client) in home.clients.iter().enumerate() {
            let Some(population) = &client.population else { continue };
            if !tenants.iter().any(|tenant| tenant.id == *population) {
                self.refuse_population(index, home, population, &tenants);
            }
        }
        tenants
    }

    fn refuse_population(
        &mut self,
        client: usize,
        home: &TenantSettings,
        population: &TenantId,
        known: &[TenantSettings],
    ) {
        let mut place = super::document::place![
            "customers",
            home.id.customer(),
            "environments",
            home.id.environment(),
            "clients"
        ];
        place.push(client.into());
        let names: Vec<&str> = known.iter().filter_map(|tenant| tenant.id.population()).collect();
        let message = format!("there is no population `{}`", population.population().unwrap_or_default());
        let help = match names.as_slice() {
            [] => "no event source of this environment has one".to_owned(),
            names => format!("its event sources have: {}", names.join(", ")),
        };
        self.refuse(&below(&place, "population"), &message, &help);
    }
}

/// One of the tables of an array.
fn element(root: &Place, key: &str, index: usize) -> Place {
    let mut place = below(root, key);
    place.push(index.into());
    place
}
