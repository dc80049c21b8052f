//! `[[customers.<name>.environments.<name>.scim-events]]`: a SCIM service provider that says what changes there (RFC 9967).

use std::path::PathBuf;

use intake::{ANSWER_WITHIN, Authorization, scim_events::OutOfScope, set::KeySet};
use model::TenantId;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    check::{Checker, below},
    document::Place,
    secret::Secret,
    shared_signals::{DeliveryName, TransmitterSection},
    source::{AcknowledgeEvent, Population, SourceKind, SourceSettings, Sources},
};

/// A SCIM service provider that says what changes there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScimEventsSection {
    /// The name of this source. It stands in its address, `/events/{name}/{customer}/{environment}`.
    #[serde(default = "name")]
    pub name: String,
    /// The `iss` of its tokens, letter for letter.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// The `aud` of its tokens. Without it the source's address under `server.public-url`.
    pub audience: Option<String>,
    /// What `Authorization` says of every push, letter for letter, such as `Bearer …`. Needed for pushes.
    pub authorization: Option<Secret>,
    /// How events come.
    #[serde(default)]
    pub delivery: DeliveryName,
    /// Where events are polled.
    pub poll_url: Option<String>,
    /// Where resources are read, for events that only say that something is new. Without it these are not applied.
    pub publisher: Option<PublisherSection>,
    /// The population that its people are. Sources with one population share its people and its mapping. Without it the source's
    /// name.
    pub population: Option<String>,
    /// The file with the targets of the population; without it every identity is a User, by the built-in mapping.
    pub mapping: Option<PathBuf>,
    /// What becomes of somebody who has left the feed (`feed:remove`).
    #[serde(default)]
    pub out_of_scope: OutOfScopeName,
    /// When an event is answered.
    #[serde(default = "acknowledge")]
    pub acknowledge: AcknowledgeEvent,
}

/// Where the resources of a service provider are read, and who Gangway is there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PublisherSection {
    /// The base of its SCIM API, such as `"https://idm.example.com/scim/v2"`. No other address is ever asked.
    pub url: String,
    /// A token that does not change.
    pub token: Option<Secret>,
    /// Where access tokens are got.
    pub token_url: Option<String>,
    /// As which client.
    pub client_id: Option<String>,
    /// With which secret.
    pub client_secret: Option<Secret>,
    /// For what.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// What becomes of somebody who has left the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutOfScopeName {
    /// The identity is not active any more.
    #[default]
    Deactivate,
    /// It stays as it is.
    Keep,
}

/// A publisher of SCIM events, checked.
#[derive(Clone, Debug)]
pub struct ScimEventsSettings {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// What pushes come with.
    pub authorization: Option<SecretString>,
    /// Where events are polled; none: they are pushed.
    pub poll_url: Option<Url>,
    /// Where resources are read.
    pub publisher: Option<Url>,
    /// Who Gangway is there.
    pub publisher_authorization: Authorization,
    /// Where its people are.
    pub population: TenantId,
    /// What becomes of somebody who has left the feed.
    pub out_of_scope: OutOfScope,
}

fn name() -> String {
    "scim-events".to_owned()
}

const fn acknowledge() -> AcknowledgeEvent {
    AcknowledgeEvent::Stored
}

impl Checker<'_, '_> {
    /// Checks one publisher of SCIM events.
    pub(super) fn scim_events(
        &mut self,
        at: &Place,
        tenant: &TenantId,
        section: &ScimEventsSection,
        found: &mut Sources,
    ) {
        let name = self.source_name(at, &section.name);
        let keys = self.keep(&below(at, "jwks-uri"), KeySet::published(&section.jwks_uri), "");
        let audience = self.audience(at, tenant, &section.name, section.audience.as_deref());
        let poll_url = match (section.delivery, &section.poll_url) {
            (DeliveryName::Push, None) => None,
            (DeliveryName::Poll, Some(url)) => self.safe_url(&below(at, "poll-url"), url),
            (DeliveryName::Push, Some(_)) => {
                let help = "write delivery = \"poll\"";
                return self.refuse(&below(at, "poll-url"), "events that are pushed are not polled", help);
            }
            (DeliveryName::Poll, None) => {
                return self.refuse(at, "nobody knows where events are polled", "write poll-url");
            }
        };
        let Ok(authorization) = self.push_authorization(at, section.delivery, section.authorization.as_ref())
        else {
            return;
        };
        let publisher = section.publisher.as_ref();
        let place = below(at, "publisher");
        let api = publisher.and_then(PublisherSection::api);
        let publisher_authorization = self.transmitter(&place, api.as_ref());
        let publisher = match publisher {
            Some(publisher) => match self.safe_url(&below(&place, "url"), &publisher.url) {
                Some(url) => Some(url),
                None => return,
            },
            None => None,
        };
        let population = section.population.as_deref().unwrap_or(&section.name);
        // What is wrong with it is said where populations are made.
        let own = tenant.with_population(population).ok();
        found.populations.push(Population {
            name: population.to_owned(),
            mapping: section.mapping.clone(),
            restates: false,
            place: at.clone(),
        });
        let (Some(name), Some(_), Some(audience), Some(publisher_authorization), Some(population)) =
            (name, keys, audience, publisher_authorization, own)
        else {
            return;
        };
        found.sources.push(SourceSettings {
            name,
            acknowledge: section.acknowledge,
            answer_within: ANSWER_WITHIN,
            kind: SourceKind::ScimEvents(ScimEventsSettings {
                issuer: section.issuer.clone(),
                jwks_uri: section.jwks_uri.clone(),
                audience,
                authorization,
                poll_url,
                publisher,
                publisher_authorization,
                population,
                out_of_scope: match section.out_of_scope {
                    OutOfScopeName::Deactivate => OutOfScope::Deactivate,
                    OutOfScopeName::Keep => OutOfScope::Keep,
                },
            }),
        });
    }
}

impl PublisherSection {
    /// Who Gangway is there, if it has to be anybody.
    fn api(&self) -> Option<TransmitterSection> {
        let is_anonymous = self.token.is_none()
            && self.token_url.is_none()
            && self.client_id.is_none()
            && self.client_secret.is_none();
        (!is_anonymous).then(|| TransmitterSection {
            token: self.token.clone(),
            token_url: self.token_url.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            scopes: self.scopes.clone(),
            manage_stream: false,
        })
    }
}
