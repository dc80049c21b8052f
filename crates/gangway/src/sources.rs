//! From configured event sources and receivers to what the event doors are told of them.

use intake::{
    Kind, OUT, OutgoingDelivery, Receiver, Remote, Source,
    akamai::{Akamai, Entities, EntitiesSettings},
    didomi::Didomi,
    scim_events::{ScimEvents, ScimEventsParts},
    set::{Expect, KeySets},
    signals::{SharedSignals, SharedSignalsSettings},
};
use model::Ids;

use crate::config::{
    AkamaiSettings, Config, ContentName, ReceiverSettings, ScimEventsSettings, SourceKind, SourceSettings,
    TenantSettings,
};

/// What sources of one configuration and the next have in common.
pub(crate) struct Shared {
    /// The key sets that are known, by their addresses.
    pub(crate) key_sets: KeySets,
    /// Where jitter comes from.
    pub(crate) ids: Ids,
}

/// What the event doors are told.
pub(crate) fn told(tenants: &[TenantSettings], shared: &Shared) -> Vec<Source> {
    let of = |tenant: &TenantSettings| -> Vec<Source> {
        tenant.sources.iter().map(|source| told_one(tenant, source, shared)).collect()
    };
    tenants.iter().flat_map(of).collect()
}

fn told_one(tenant: &TenantSettings, source: &SourceSettings, shared: &Shared) -> Source {
    let kind: Box<dyn Kind> = match &source.kind {
        SourceKind::SharedSignals(settings, jwks_uri) => {
            Box::new(shared_signals(settings, jwks_uri.as_deref(), shared))
        }
        SourceKind::ScimEvents(settings) => Box::new(scim_events(settings, shared)),
        SourceKind::Akamai(settings) => Box::new(akamai(settings, shared)),
        SourceKind::Didomi(settings) => {
            Box::new(Didomi::new(tenant.id.clone(), source.name.clone(), (**settings).clone()))
        }
    };
    Source {
        tenant: tenant.id.clone(),
        name: source.name.clone(),
        acknowledge: source.acknowledge.into(),
        answer_within: source.answer_within,
        kind,
    }
}

fn akamai(settings: &AkamaiSettings, shared: &Shared) -> Akamai {
    let entities = EntitiesSettings {
        base: settings.capture.clone(),
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        concurrency: settings.concurrency,
        ids: shared.ids.clone(),
    };
    Akamai {
        expect: Expect {
            issuers: settings.issuers.clone(),
            audiences: vec![settings.audience.clone()],
            clock_skew: settings.clock_skew,
            max_age: settings.max_age,
            ..Expect::default()
        },
        keys: shared.key_sets.published(&settings.jwks_uri).expect("it was checked with the configuration"),
        application: settings.application_id.clone(),
        entity_type: settings.entity_type.clone(),
        population: settings.population.clone(),
        accept_jwt: settings.accept_jwt,
        entities: Entities::new(entities).expect("TLS was there when the configuration was checked"),
    }
}

/// Who hears of changes.
pub(crate) fn receivers(config: &Config) -> Vec<Receiver> {
    // Without an address of our own, tokens name the one that we listen on.
    let listen = config.server.listen;
    let base = config.server.public_url.clone().unwrap_or_else(|| format!("http://{listen}"));
    let of = |tenant: &TenantSettings| -> Vec<Receiver> {
        tenant.receivers.iter().map(|receiver| self::receiver(&base, tenant, receiver)).collect()
    };
    config.tenants.iter().flat_map(of).collect()
}

fn receiver(base: &str, tenant: &TenantSettings, settings: &ReceiverSettings) -> Receiver {
    let address = || match &settings.url {
        Some(url) => url.to_string(),
        None => format!("{base}/events/{OUT}/{}/{}", tenant.id, settings.name),
    };
    Receiver {
        tenant: settings.tenant.clone(),
        name: settings.name.clone(),
        delivery: match &settings.url {
            Some(url) => {
                OutgoingDelivery::Push { url: url.clone(), authorization: settings.authorization.clone() }
            }
            None => OutgoingDelivery::Poll { token_sha256: settings.token_sha256.clone() },
        },
        issuer: settings.issuer.clone().unwrap_or_else(|| format!("{base}/{}", tenant.id)),
        audience: settings.audience.clone().unwrap_or_else(address),
        wants: settings.wants,
        full: settings.content == ContentName::Full,
    }
}

/// The events that somebody hears of whom these identities concern, for `ServiceProviderConfig`.
pub(crate) fn event_uris(tenant: &TenantSettings, whose: &model::TenantId) -> Vec<String> {
    let receivers = tenant.receivers.iter().filter(|receiver| receiver.tenant == *whose);
    let uris = receivers.flat_map(|receiver| receiver.wants.uris(receiver.content == ContentName::Full));
    uris.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Said of what the configuration was refused for otherwise.
const CHECKED: &str = "it was checked with the configuration";
const TLS: &str = "TLS was there when the configuration was checked";

fn shared_signals(
    settings: &SharedSignalsSettings,
    jwks_uri: Option<&str>,
    shared: &Shared,
) -> SharedSignals {
    let keys = jwks_uri.map(|uri| shared.key_sets.published(uri).expect(CHECKED));
    SharedSignals::new(SharedSignalsSettings { keys, ..settings.clone() }).expect(TLS)
}

fn scim_events(settings: &ScimEventsSettings, shared: &Shared) -> ScimEvents {
    ScimEvents::new(ScimEventsParts {
        keys: shared.key_sets.published(&settings.jwks_uri).expect(CHECKED),
        expect: Expect {
            issuers: vec![settings.issuer.clone()],
            audiences: vec![settings.audience.clone()],
            allow_sub: false,
            ..Expect::default()
        },
        authorization: settings.authorization.clone(),
        poll_url: settings.poll_url.clone(),
        publisher: settings.publisher.clone(),
        remote: Remote::new(settings.publisher_authorization.clone()).expect(TLS),
        population: settings.population.clone(),
        out_of_scope: settings.out_of_scope,
    })
}
