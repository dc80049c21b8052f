//! From configured event sources and receivers to what the event doors are told of them.

use intake::{OUT, OutgoingDelivery, Receiver, Source};

use crate::config::{Config, ContentName, ReceiverSettings, SourceSettings, TenantSettings};

/// What the event doors are told.
pub(crate) fn told(tenants: &[TenantSettings]) -> Vec<Source> {
    let of = |tenant: &TenantSettings| -> Vec<Source> {
        tenant.sources.iter().map(|source| told_one(tenant, source)).collect()
    };
    tenants.iter().flat_map(of).collect()
}

fn told_one(tenant: &TenantSettings, source: &SourceSettings) -> Source {
    Source {
        tenant: tenant.id.clone(),
        name: source.name.clone(),
        acknowledge: source.acknowledge.into(),
        answer_within: source.answer_within,
        kind: match source.kind {},
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
