//! `[[customers.<name>.environments.<name>.shared-signals]]`: a Shared Signals transmitter (CAEP, RISC).

use std::collections::BTreeMap;

use intake::{
    ANSWER_WITHIN, Authorization,
    set::KeySet,
    signals::{Actions, EVENT_TYPES, SharedSignalsSettings, SignalDelivery, SubjectFields},
};
use model::TenantId;
use provisioning::SignalAction;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    check::{Checker, below},
    document::{Place, nearest},
    secret::Secret,
    source::{AcknowledgeEvent, SourceKind, SourceSettings, Sources},
};

/// How many Users a transmitter may lock out in an hour: more are an attack, or a mistake, until a person has looked.
const FREEZES_PER_HOUR: u32 = 25;

/// A Shared Signals transmitter: it says what happens to accounts and sessions elsewhere, and Gangway ends sessions, freezes,
/// lets in again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SharedSignalsSection {
    /// The name of this source. It stands in its address, `/events/{name}/{customer}/{environment}`.
    #[serde(default = "name")]
    pub name: String,
    /// The `iss` of its tokens, letter for letter.
    pub issuer: String,
    /// Where its keys are. Without it they are found by the transmitter's own description, `/.well-known/ssf-configuration`.
    pub jwks_uri: Option<String>,
    /// The `aud` of its tokens. Without it the source's address under `server.public-url`. Where Gangway makes the stream, what
    /// the transmitter says counts as well.
    pub audience: Option<String>,
    /// What `Authorization` says of every push, letter for letter, such as `Bearer …`. Needed for pushes.
    pub authorization: Option<Secret>,
    /// How events come.
    #[serde(default)]
    pub delivery: DeliveryName,
    /// Where events are polled. Without it where the stream says.
    pub poll_url: Option<String>,
    /// The transmitter's API: to make the stream, and to poll.
    pub transmitter: Option<TransmitterSection>,
    /// The field of User that holds the e-mail address by which a subject is named.
    #[serde(default = "subject_field")]
    pub subject_field: String,
    /// The field of User that holds what an identity provider calls a person (`iss_sub`).
    #[serde(default = "federation_field")]
    pub federation_field: String,
    /// The issuers of these identity providers. Without one it is the transmitter itself.
    #[serde(default)]
    pub identity_providers: Vec<String>,
    /// Members of complex subjects beside `user` that must not be left out of account; an event that has one is discarded.
    /// Those that the transmitter names come on top.
    #[serde(default)]
    pub critical_subject_members: Vec<String>,
    /// What is done about which event, by the last part of its URI; for those that are not named the default in
    /// `docs/shared-signals.md`.
    #[serde(default)]
    pub actions: BTreeMap<String, SignalActionName>,
    /// How many Users it may freeze or deactivate in an hour. What is beyond is held until a person has approved it.
    #[serde(default = "max_freezes_per_hour")]
    pub max_freezes_per_hour: u32,
    /// When an event is answered.
    #[serde(default = "acknowledge")]
    pub acknowledge: AcknowledgeEvent,
}

/// The transmitter's API, and who Gangway is there: a token, or credentials for the grant `client_credentials`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TransmitterSection {
    /// A token that does not change.
    pub token: Option<Secret>,
    /// Where access tokens are got.
    pub token_url: Option<String>,
    /// As which client.
    pub client_id: Option<String>,
    /// With which secret.
    pub client_secret: Option<Secret>,
    /// For what.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Whether Gangway makes the stream itself, has it verified and keeps it alive.
    #[serde(default = "manage_stream")]
    pub manage_stream: bool,
}

/// How events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryName {
    /// They are sent to Gangway (RFC 8935).
    #[default]
    Push,
    /// Gangway fetches them (RFC 8936): no port has to be open to the outside.
    Poll,
}

/// What is done about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalActionName {
    /// Nothing.
    None,
    /// The User's sessions end.
    EndSessions,
    /// The User is frozen, and his sessions end.
    Freeze,
    /// The User is deactivated.
    Deactivate,
    /// The same, and a Lead or Contact goes by the `on-leave` of its target. For `account-purged` alone.
    Purge,
    /// The User is let in again, if a signal of this source has frozen him. For `account-enabled` alone.
    Unfreeze,
}

impl From<SignalActionName> for Option<SignalAction> {
    fn from(name: SignalActionName) -> Self {
        match name {
            SignalActionName::None => None,
            SignalActionName::EndSessions => Some(SignalAction::EndSessions),
            SignalActionName::Freeze => Some(SignalAction::Freeze),
            SignalActionName::Deactivate => Some(SignalAction::Deactivate),
            SignalActionName::Purge => Some(SignalAction::Purge),
            SignalActionName::Unfreeze => Some(SignalAction::Unfreeze),
        }
    }
}

fn name() -> String {
    "shared-signals".to_owned()
}

fn subject_field() -> String {
    "Email".to_owned()
}

fn federation_field() -> String {
    "FederationIdentifier".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["ssf.read".to_owned(), "ssf.manage".to_owned()]
}

const fn manage_stream() -> bool {
    true
}

const fn max_freezes_per_hour() -> u32 {
    FREEZES_PER_HOUR
}

const fn acknowledge() -> AcknowledgeEvent {
    AcknowledgeEvent::Stored
}

impl Checker<'_, '_> {
    /// Checks one Shared Signals transmitter.
    pub(super) fn shared_signals(
        &mut self,
        at: &Place,
        tenant: &TenantId,
        section: &SharedSignalsSection,
        found: &mut Sources,
    ) {
        let name = self.source_name(at, &section.name);
        let issuer = self.safe_url(&below(at, "issuer"), &section.issuer);
        if let Some(uri) = &section.jwks_uri {
            self.keep(&below(at, "jwks-uri"), KeySet::published(uri), "");
        }
        let audience = self.audience(at, tenant, &section.name, section.audience.as_deref());
        let is_push = section.delivery == DeliveryName::Push;
        let Ok(authorization) = self.push_authorization(at, section.delivery, section.authorization.as_ref())
        else {
            return;
        };
        let api = section.transmitter.as_ref();
        let manages = api.is_some_and(|api| api.manage_stream);
        let transmitter = self.transmitter(&below(at, "transmitter"), api);
        let delivery = self.signal_delivery(at, section, manages);
        for (key, field) in
            [("subject-field", &section.subject_field), ("federation-field", &section.federation_field)]
        {
            self.keep(&below(at, key), salesforce_client::soql::Field::new(field), "such as \"Email\"");
        }
        let actions = self.actions(&below(at, "actions"), &section.actions);
        let address = self.public_url.as_ref().map(|url| format!("{url}/events/{}/{tenant}", section.name));
        if is_push && manages && address.is_none() && self.reads_secrets {
            let help = "write public-url in [server], or manage-stream = false";
            self.refuse(at, "the transmitter cannot be told where to push to", help);
        }
        let identity_providers = match section.identity_providers.as_slice() {
            [] => vec![section.issuer.clone()],
            some => some.to_vec(),
        };
        let (Some(name), Some(_), Some(audience), Some(transmitter), Some(delivery)) =
            (name, issuer, audience, transmitter, delivery)
        else {
            return;
        };
        let settings = SharedSignalsSettings {
            issuer: section.issuer.clone(),
            keys: None,
            audiences: vec![audience],
            address,
            authorization,
            delivery,
            manages,
            transmitter,
            fields: SubjectFields {
                email: section.subject_field.clone(),
                federation: section.federation_field.clone(),
                identity_providers,
            },
            critical: section.critical_subject_members.clone(),
            actions,
            lockouts_per_hour: section.max_freezes_per_hour,
        };
        found.sources.push(SourceSettings {
            name,
            acknowledge: section.acknowledge,
            answer_within: ANSWER_WITHIN,
            kind: SourceKind::SharedSignals(settings, section.jwks_uri.clone()),
        });
    }

    fn signal_delivery(
        &mut self,
        at: &Place,
        section: &SharedSignalsSection,
        manages: bool,
    ) -> Option<SignalDelivery> {
        let place = below(at, "poll-url");
        match (section.delivery, &section.poll_url) {
            (DeliveryName::Push, None) => Some(SignalDelivery::Push),
            (DeliveryName::Push, Some(_)) => {
                self.refuse(&place, "events that are pushed are not polled", "write delivery = \"poll\"");
                None
            }
            (DeliveryName::Poll, Some(url)) => Some(SignalDelivery::Poll(Some(self.safe_url(&place, url)?))),
            (DeliveryName::Poll, None) if manages => Some(SignalDelivery::Poll(None)),
            (DeliveryName::Poll, None) => {
                let help =
                    "write poll-url, or a table `transmitter` with which Gangway makes the stream itself";
                self.refuse(at, "nobody knows where events are polled", help);
                None
            }
        }
    }

    /// Who Gangway is at the API of a source.
    pub(super) fn transmitter(
        &mut self,
        at: &Place,
        section: Option<&TransmitterSection>,
    ) -> Option<Authorization> {
        let Some(section) = section else { return Some(Authorization::None) };
        let credentials = (&section.token_url, &section.client_id, &section.client_secret);
        match (&section.token, credentials) {
            (Some(token), (None, None, None)) => {
                Some(Authorization::Bearer(self.secret(&below(at, "token"), Some(token))?))
            }
            (None, (Some(url), Some(client_id), Some(secret))) => Some(Authorization::ClientCredentials {
                token_url: self.safe_url(&below(at, "token-url"), url)?,
                client_id: client_id.clone(),
                client_secret: self.secret(&below(at, "client-secret"), Some(secret))?,
                scopes: section.scopes.clone(),
            }),
            _ => {
                let help = "write either token, or token-url, client-id and client-secret";
                self.refuse(at, "nobody knows who Gangway is there", help);
                None
            }
        }
    }

    /// What pushes come with. A source whose events are pushed has one. An error is noted already.
    pub(super) fn push_authorization(
        &mut self,
        at: &Place,
        delivery: DeliveryName,
        authorization: Option<&Secret>,
    ) -> Result<Option<SecretString>, ()> {
        if authorization.is_none() {
            if delivery == DeliveryName::Push {
                let help = "write authorization = { env = \"NAME\" }: what `Authorization` says of every push, such as \"Bearer …\"";
                self.refuse(at, "pushes come without anything that shows who sends them", help);
            }
            return Ok(None);
        }
        self.secret(&below(at, "authorization"), authorization).map(Some).ok_or(())
    }

    /// An address of a source.
    pub(super) fn safe_url(&mut self, place: &Place, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| intake::is_safe(url) && url.username().is_empty());
        if url.is_none() {
            let message = format!("`{text}` is not an address that can be trusted");
            self.refuse(place, &message, "write it like \"https://…\"; http is for loopback");
        }
        url
    }

    fn actions(&mut self, at: &Place, said: &BTreeMap<String, SignalActionName>) -> Actions {
        let mut actions = Actions::new();
        for (name, action) in said {
            let place = below(at, name);
            let Some(event) = EVENT_TYPES.iter().find(|event| event.name == name) else {
                let known: Vec<&str> = EVENT_TYPES.iter().map(|event| event.name).collect();
                let help = match nearest(name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                self.refuse(&place, &format!("there is no event `{name}`"), &help);
                continue;
            };
            let action: Option<SignalAction> = (*action).into();
            if action.is_some_and(|action| !event.may(action)) {
                let help = "only `account-enabled` may be unfreeze, and nothing else but none; only `account-purged` may be purge";
                self.refuse(&place, &format!("`{name}` cannot be answered so"), help);
                continue;
            }
            actions.insert(event.name, action);
        }
        actions
    }
}
