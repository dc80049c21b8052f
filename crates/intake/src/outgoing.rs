//! Events out: what Gangway changed, told to configured receivers as SCIM events (RFC 9967).
//!
//! ```text
//! outbox ──► receiver ──► event.rs ──► signed (keys.rs) ──► push.rs  RFC 8935: we send
//!                                                     └──► poll.rs  RFC 8936: they ask
//! ```
//!
//! Each receiver gets everything in order, as it was when it happened. One that is away gets it later; what it refuses for good is counted, and the next
//! one follows.

mod event;
mod keys;
mod poll;
mod push;

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{HttpRequest, HttpResponse, http::Method};
use arc_swap::ArcSwap;
use model::{Clock, SourceName, TenantId};
use secrecy::SecretString;
use store::{Listener, Outbox, ReceiverStatus, Store, StoreError, Vault};
use tokio::task::JoinHandle;
use url::Url;

use crate::Refusal;
use keys::Keys;

/// The first part of the address of what goes out: `/events/out/{customer}/{environment}`. No source has this name.
pub const OUT: &str = "out";
/// The public keys, below that address.
const KEY_SET: &str = "jwks.json";

/// How long is kept what a receiver does not take.
const KEEP: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// Somebody who wants to hear of changes, as configured.
#[derive(Debug)]
pub struct Receiver {
    /// Whose changes: a tenant, or one population of it.
    pub tenant: TenantId,
    /// Its name, also in its URL if it polls.
    pub name: SourceName,
    /// How it gets them.
    pub delivery: OutgoingDelivery,
    /// Who says it: `iss`.
    pub issuer: String,
    /// To whom: `aud`.
    pub audience: String,
    /// What it wants to hear of.
    pub wants: Wants,
    /// Whether events carry the whole resource. Otherwise they only say which attributes it has.
    pub full: bool,
}

/// How a receiver gets events.
#[derive(Debug)]
pub enum OutgoingDelivery {
    /// They are sent to it (RFC 8935).
    Push {
        /// Where to.
        url: Url,
        /// `Authorization`, if it wants one.
        authorization: Option<SecretString>,
    },
    /// It asks for them (RFC 8936), with one of these tokens.
    Poll {
        /// The SHA-256 of each.
        token_sha256: Vec<[u8; 32]>,
    },
}

/// What a receiver wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of event that is wanted or not")]
pub struct Wants {
    /// Resources that are made.
    pub create: bool,
    /// Resources that are changed.
    pub put: bool,
    /// Resources that are taken away.
    pub delete: bool,
    /// Requests that have ended, whose caller did not wait.
    pub asynchronous: bool,
}

impl Wants {
    /// The URIs of the events, as they are told in `ServiceProviderConfig`.
    #[must_use]
    pub fn uris(self, full: bool) -> Vec<String> {
        let kinds = [
            (self.create, event::created(full)),
            (self.put, event::changed(full)),
            (self.delete, event::DELETED),
            (self.asynchronous, event::ANSWERED),
        ];
        kinds.into_iter().filter(|(wanted, _)| *wanted).map(|(_, uri)| uri.to_owned()).collect()
    }
}

/// What goes out, and how.
pub struct Outgoing {
    outbox: Arc<dyn Outbox>,
    keys: Keys,
    clock: Clock,
    client: reqwest::Client,
    receivers: ArcSwap<Vec<Arc<Receiver>>>,
    /// Of which configuration they are. Held while they are replaced.
    newest: tokio::sync::Mutex<u64>,
    /// Those that are sent to; replaced with the receivers.
    pushing: Mutex<Vec<JoinHandle<()>>>,
}

impl Outgoing {
    /// Puts it together. Nothing is sent before [`Outgoing::replace_receivers`].
    ///
    /// # Errors
    ///
    /// What the TLS library says.
    pub fn new(store: &Arc<dyn Store>, clock: Clock) -> reqwest::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            outbox: Arc::clone(store) as Arc<dyn Outbox>,
            keys: Keys::new(Arc::clone(store) as Arc<dyn Vault>),
            clock,
            client: push::client()?,
            receivers: ArcSwap::default(),
            newest: tokio::sync::Mutex::default(),
            pushing: Mutex::default(),
        }))
    }

    /// Takes the receivers of a configuration, and begins to send to them. `order` is the place of the configuration among all
    /// of this process: an older one that comes late is dropped.
    pub async fn replace_receivers(self: &Arc<Self>, order: u64, receivers: Vec<Receiver>) {
        let mut newest = self.newest.lock().await;
        if order < *newest {
            return;
        }
        *newest = order;
        let listener = |receiver: &Receiver| Listener {
            tenant: receiver.tenant.clone(),
            name: receiver.name.clone(),
            whole: receiver.full && (receiver.wants.create || receiver.wants.put),
        };
        let known: Vec<_> = receivers.iter().map(listener).collect();
        if let Err(error) = self.outbox.keep_receivers(&known).await {
            tracing::error!(%error, "the receivers of events could not be remembered: new ones hear of nothing yet");
        }
        self.receivers.store(Arc::new(receivers.into_iter().map(Arc::new).collect()));
        self.stop();
        let mut pushing = self.pushing.lock().unwrap_or_else(PoisonError::into_inner);
        for receiver in self.receivers.load().iter() {
            let (outgoing, receiver) = (Arc::clone(self), Arc::clone(receiver));
            if matches!(receiver.delivery, OutgoingDelivery::Push { .. }) {
                pushing.push(tokio::spawn(async move { outgoing.push_to(&receiver).await }));
            }
        }
        // Without receivers, too: what once waited must not stay.
        let outgoing = Arc::clone(self);
        pushing.push(tokio::spawn(async move { outgoing.look_after().await }));
    }

    /// Ends what is under way: what was sent and not acknowledged is sent again by the next start.
    pub fn stop(&self) {
        for task in self.pushing.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }

    /// Whether somebody is at this address below `/events/out`.
    pub(crate) fn knows(&self, rest: &[&str]) -> bool {
        let [customer, environment, last] = rest else { return false };
        let Ok(home) = TenantId::new(customer, environment) else { return false };
        let is_there = |receiver: &Arc<Receiver>| {
            receiver.tenant.home() == home && (*last == KEY_SET || receiver.name.as_str() == *last)
        };
        self.receivers.load().iter().any(is_there)
    }

    /// How it stands with the receivers.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn status(&self) -> Result<Vec<ReceiverStatus>, StoreError> {
        self.outbox.receivers(None).await
    }

    /// Answers below `/events/out`: the public keys of a tenant, and receivers that poll. `rest` is what stands behind that.
    pub(crate) async fn serve(&self, rest: &[&str], request: &HttpRequest, body: &[u8]) -> HttpResponse {
        let [customer, environment, last] = rest else { return Refusal::NotFound.answer() };
        let Ok(home) = TenantId::new(customer, environment) else { return Refusal::NotFound.answer() };
        let receivers = self.receivers.load();
        let mut of_tenant = receivers.iter().filter(|receiver| receiver.tenant.home() == home);
        if *last == KEY_SET {
            // Nobody's keys are made for a stranger who asks.
            return match of_tenant.next() {
                Some(_) if *request.method() == Method::GET => self.publish_keys(&home).await,
                _ => Refusal::NotFound.answer(),
            };
        }
        let Some(receiver) = of_tenant.find(|receiver| receiver.name.as_str() == *last) else {
            return Refusal::NotFound.answer();
        };
        if *request.method() != Method::POST {
            return Refusal::Method.answer();
        }
        self.polled(receiver, request, body).await.unwrap_or_else(|refusal| refusal.answer())
    }

    async fn publish_keys(&self, home: &TenantId) -> HttpResponse {
        match self.keys.published(home, self.clock.now()).await {
            Ok(keys) => HttpResponse::Ok()
                .insert_header(("Cache-Control", "public, max-age=3600"))
                .content_type("application/jwk-set+json")
                .json(keys),
            Err(error) => {
                tracing::error!(%error, "the keys of outgoing events cannot be read");
                let why = "the keys cannot be read".to_owned();
                Refusal::Unavailable { why, retry_after: std::time::Duration::from_secs(30) }.answer()
            }
        }
    }

    /// Renews keys in time and forgets what everybody has got.
    async fn look_after(&self) {
        loop {
            let homes: std::collections::BTreeSet<TenantId> =
                self.receivers.load().iter().map(|receiver| receiver.tenant.home()).collect();
            for home in homes {
                if let Err(error) = self.keys.published(&home, self.clock.now()).await {
                    tracing::error!(tenant = %home, %error, "the keys of outgoing events cannot be renewed");
                }
            }
            if let Err(error) = self.outbox.prune_outgoing(self.clock.now() - KEEP).await {
                tracing::error!(%error, "what every receiver has got could not be forgotten");
            }
            tokio::time::sleep(std::time::Duration::from_hours(1)).await;
        }
    }
}
