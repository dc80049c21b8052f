//! `[[customers.<name>.environments.<name>.receivers]]`: who hears of what Gangway changed.

use intake::{OUT, Wants};
use model::{SourceName, TenantId};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    check::{Checker, below},
    document::Place,
    secret::Secret,
};

/// Who hears of what Gangway changed, by SCIM events (RFC 9967).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReceiverSection {
    /// A name of your choice. A receiver that polls has it in its URL: `/events/out/{customer}/{environment}/{name}`.
    pub name: String,
    /// Where events are sent to (RFC 8935): https, or http on loopback. Without it the receiver asks for them (RFC 8936).
    pub url: Option<String>,
    /// What is sent as `Authorization` with each event.
    pub authorization: Option<Secret>,
    /// Of a receiver that polls: SHA-256 of its bearer token, as `gangway token new` makes it. Two may live at the same time.
    #[serde(default, deserialize_with = "super::secret::hashes")]
    pub token_sha256: Vec<String>,
    /// Whom events are for (`aud`). Without it: the `url`, or the address at which the receiver polls.
    pub audience: Option<String>,
    /// Who says it (`iss`). Without it: `public-url`, customer and environment.
    pub issuer: Option<String>,
    /// What it wants to hear of. Without it: all of it.
    pub events: Option<Vec<EventName>>,
    /// What an event says.
    #[serde(default)]
    pub content: ContentName,
    /// The population of an event source: whose changes it hears of. Without it: of those who come by SCIM.
    pub population: Option<String>,
}

/// What a receiver hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventName {
    /// Resources that are made.
    Create,
    /// Resources that are changed.
    Put,
    /// Resources that are taken away.
    Delete,
    /// Requests that have ended, whose caller did not wait (`Prefer: respond-async`).
    Asyncresp,
}

/// What an event says of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContentName {
    /// Which attributes it has: the receiver asks for it where it needs to.
    #[default]
    Notice,
    /// All of it.
    Full,
}

/// A receiver, checked.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Whose changes.
    pub tenant: TenantId,
    /// Its name.
    pub name: SourceName,
    /// Where events are sent to; none: it polls.
    pub url: Option<Url>,
    /// `Authorization`.
    pub authorization: Option<SecretString>,
    /// The hashes of its tokens.
    pub token_sha256: Vec<[u8; 32]>,
    /// `aud`; none: where it gets them.
    pub audience: Option<String>,
    /// `iss`; none: our own address.
    pub issuer: Option<String>,
    /// What it hears of.
    pub wants: Wants,
    /// What an event says.
    pub content: ContentName,
}

impl Checker<'_, '_> {
    /// Checks who hears of changes.
    pub(super) fn receivers(
        &mut self,
        root: &Place,
        tenant: Option<&TenantId>,
        sections: Vec<ReceiverSection>,
    ) -> Vec<ReceiverSettings> {
        let mut receivers: Vec<ReceiverSettings> = Vec::with_capacity(sections.len());
        for (index, section) in sections.into_iter().enumerate() {
            let mut at = below(root, "receivers");
            at.push(index.into());
            let Some(receiver) = self.receiver(&at, tenant, &section) else { continue };
            if receivers.iter().any(|other| other.name == receiver.name) {
                let message = format!("two receivers are called `{}`", receiver.name);
                self.refuse(&below(&at, "name"), &message, "");
            }
            receivers.push(receiver);
        }
        receivers
    }

    fn receiver(
        &mut self,
        at: &Place,
        tenant: Option<&TenantId>,
        section: &ReceiverSection,
    ) -> Option<ReceiverSettings> {
        let name = self.keep(&below(at, "name"), SourceName::new(section.name.as_str()), "");
        let url = match &section.url {
            None => Some(None),
            Some(text) => self.safe_url(&below(at, "url"), text).map(Some),
        };
        let least = usize::from(section.url.is_none());
        let token_sha256 = self.token_hashes(&below(at, "token-sha256"), &section.token_sha256, least);
        if section.url.is_some() && !section.token_sha256.is_empty() {
            let help = "take out the token, or take out the url and let the receiver poll";
            self.refuse(
                &below(at, "token-sha256"),
                "events are sent to this receiver: it does not log in",
                help,
            );
        }
        if section.url.is_none() && section.authorization.is_some() {
            let help = "write a `url`, or take it out: the receiver logs in with a token of token-sha256";
            self.refuse(&below(at, "authorization"), "nothing is sent to a receiver that polls", help);
        }
        let authorization = self.secret(&below(at, "authorization"), section.authorization.as_ref());
        let tenant = match &section.population {
            None => tenant?.clone(),
            Some(population) => {
                self.keep(&below(at, "population"), tenant?.with_population(population), "")?
            }
        };
        let wants = |event| section.events.as_ref().is_none_or(|events| events.contains(&event));
        Some(ReceiverSettings {
            tenant,
            name: name?,
            url: url?,
            authorization,
            token_sha256,
            audience: section.audience.clone(),
            issuer: section.issuer.clone(),
            wants: Wants {
                create: wants(EventName::Create),
                put: wants(EventName::Put),
                delete: wants(EventName::Delete),
                asynchronous: wants(EventName::Asyncresp),
            },
            content: section.content,
        })
    }
}

/// What no event source may be called: what goes out has this address.
pub(super) const RESERVED: &str = OUT;
