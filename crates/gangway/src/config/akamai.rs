//! `[[customers.<name>.environments.<name>.akamai]]`: Akamai Identity Cloud.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use intake::{ANSWER_WITHIN, set::KeySet};
use model::TenantId;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    check::{Checker, below},
    document::Place,
    secret::Secret,
    source::{AcknowledgeEvent, Population, SourceKind, SourceSettings, Sources},
};

/// How far ahead Akamai's clock may be.
const CLOCK_SKEW: Duration = intake::set::SKEW;
/// How old an event may be: it is sent for 25 hours, can be sent again by hand for 7 days, and then for 25 hours more.
const MAX_AGE: Duration = intake::set::MAX_AGE;
/// How many profiles are asked for at once. What Akamai allows is not documented.
const CONCURRENCY: NonZeroU16 = NonZeroU16::new(8).unwrap();

/// Akamai Identity Cloud (Webhooks v3): says who has changed, and is asked for the profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AkamaiSection {
    /// The name of this source. It stands in its address, `/events/{name}/{customer}/{environment}`.
    #[serde(default = "name")]
    pub name: String,
    /// Which `iss` its tokens may have, such as `"https://v1.api.us.janrain.com/{customer id}/webhooks"`.
    pub issuers: Vec<String>,
    /// Where its keys are, such as `"https://v1.api.us.janrain.com/{customer id}/login/jwk"`.
    pub jwks_uri: String,
    /// The `aud` of its tokens: the address that the subscription has, exactly. Without it the source's address under
    /// `server.public-url`.
    pub audience: Option<String>,
    /// Where profiles are asked for: the capture domain, such as `"acme.us.janraincapture.com"`. With `http://` only on loopback.
    pub capture_domain: String,
    /// The application of this environment (`captureApplicationId`). Events of others are refused.
    pub application_id: String,
    /// The entity type whose profiles are people. Events about others are left alone.
    #[serde(default = "entity_type")]
    pub entity_type: String,
    /// An API client of the application that may read profiles (`direct_read_access`).
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The file that says which attribute of a profile goes to which Salesforce field: Next Identity's JSON, or a mapping in TOML.
    pub mapping: PathBuf,
    /// The population that its people are. Sources with one population share its people and its mapping. Without it the source's name.
    pub population: Option<String>,
    /// When an event is answered.
    #[serde(default = "acknowledge")]
    pub acknowledge: AcknowledgeEvent,
    /// How far in the future an event may have been issued, by Gangway's clock.
    #[serde(default = "clock_skew", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "clock_skew_text")]
    pub clock_skew: Duration,
    /// How long ago an event may have been issued. Akamai sends one again for up to ten days.
    #[serde(default = "max_age", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "max_age_text")]
    pub max_age: Duration,
    /// How many profiles are asked for at once.
    #[serde(default = "concurrency")]
    pub concurrency: NonZeroU16,
    /// Whether events are also taken with `Content-Type: application/jwt`, from a proxy that knows no other. They are verified all
    /// the same.
    #[serde(default)]
    pub accept_jwt: bool,
}

fn name() -> String {
    "akamai".to_owned()
}

fn entity_type() -> String {
    "user".to_owned()
}

fn acknowledge() -> AcknowledgeEvent {
    AcknowledgeEvent::Sync
}

fn clock_skew() -> Duration {
    CLOCK_SKEW
}

fn clock_skew_text() -> String {
    format!("{}s", CLOCK_SKEW.as_secs())
}

fn max_age() -> Duration {
    MAX_AGE
}

fn max_age_text() -> String {
    format!("{}h", MAX_AGE.as_secs() / 3_600)
}

fn concurrency() -> NonZeroU16 {
    CONCURRENCY
}

/// Akamai Identity Cloud, checked.
#[derive(Clone, Debug)]
pub struct AkamaiSettings {
    /// Which `iss` its tokens may have.
    pub issuers: Vec<String>,
    /// Where its keys are.
    pub jwks_uri: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// Where profiles are asked for.
    pub capture: Url,
    /// `captureApplicationId`.
    pub application_id: String,
    /// The entity type whose profiles are people.
    pub entity_type: String,
    /// An API client that may read profiles.
    pub client_id: String,
    /// Its secret; empty in an outline.
    pub client_secret: SecretString,
    /// Where its people are.
    pub population: TenantId,
    /// How far in the future an event may have been issued.
    pub clock_skew: Duration,
    /// How long ago an event may have been issued.
    pub max_age: Duration,
    /// How many profiles are asked for at once.
    pub concurrency: usize,
    /// Whether a delivery may call itself `application/jwt`.
    pub accept_jwt: bool,
}

impl Checker<'_, '_> {
    /// Checks one Akamai Identity Cloud.
    pub(super) fn akamai(
        &mut self,
        at: &Place,
        tenant: &TenantId,
        section: &AkamaiSection,
        found: &mut Sources,
    ) {
        let name = self.source_name(at, &section.name);
        if section.issuers.is_empty() || section.issuers.iter().any(|issuer| issuer.trim().is_empty()) {
            let help = "it is the `iss` of its tokens, such as \"https://v1.api.us.janrain.com/{customer id}/webhooks\"";
            self.refuse(&below(at, "issuers"), "nobody's events would be accepted", help);
        }
        let keys = KeySet::published(&section.jwks_uri);
        let help = "it is like \"https://v1.api.us.janrain.com/{customer id}/login/jwk\"";
        let keys = self.keep(&below(at, "jwks-uri"), keys, help);
        let audience = self.audience(at, tenant, &section.name, section.audience.as_deref());
        let capture = self.capture_domain(&below(at, "capture-domain"), &section.capture_domain);
        for (key, value) in [
            ("application-id", &section.application_id),
            ("entity-type", &section.entity_type),
            ("client-id", &section.client_id),
        ] {
            if value.trim().is_empty() {
                self.refuse(&below(at, key), "it is empty", "");
            }
        }
        if section.max_age.is_zero() {
            self.refuse(&below(at, "max-age"), "every event would be too old", "the default is 240h");
        }
        let client_secret = self.secret(&below(at, "client-secret"), Some(&section.client_secret));
        let population = section.population.as_deref().unwrap_or(&section.name);
        // What is wrong with it is said where populations are made.
        let own = tenant.with_population(population).ok();
        found.populations.push(Population {
            name: population.to_owned(),
            mapping: Some(section.mapping.clone()),
            restates: true,
            place: at.clone(),
        });
        let (Some(name), Some(_), Some(audience), Some(capture), Some(client_secret), Some(population)) =
            (name, keys, audience, capture, client_secret, own)
        else {
            return;
        };
        found.sources.push(SourceSettings {
            name,
            acknowledge: section.acknowledge,
            answer_within: ANSWER_WITHIN,
            kind: SourceKind::Akamai(AkamaiSettings {
                issuers: section.issuers.clone(),
                jwks_uri: section.jwks_uri.clone(),
                audience,
                capture,
                application_id: section.application_id.clone(),
                entity_type: section.entity_type.clone(),
                client_id: section.client_id.clone(),
                client_secret,
                population,
                clock_skew: section.clock_skew,
                max_age: section.max_age,
                concurrency: usize::from(section.concurrency.get()),
                accept_jwt: section.accept_jwt,
            }),
        });
    }

    /// A host, or the address of one.
    fn capture_domain(&mut self, place: &Place, text: &str) -> Option<Url> {
        let address = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&address).ok().filter(|url| {
            intake::is_safe(url)
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.username().is_empty()
        });
        if url.is_none() {
            let message = format!("`{text}` is not a capture domain");
            let help = "write the host, such as \"acme.us.janraincapture.com\"; http:// is for loopback";
            self.refuse(place, &message, help);
        }
        url
    }
}
