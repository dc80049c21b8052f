use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use model::Timestamp;
use url::Url;

use super::{
    InvalidSigningKey, Reason, Rejected, SigningKey,
    cache::Cache,
    fetch::{self, Fetch},
    keys::Keys,
};

/// The keys that one source signs with: a set that never changes, or the one that the source publishes, which is read when
/// it is needed, kept as long as the source says, and read again when a token names a key that is not in it.
///
/// A clone is the same set.
#[derive(Clone)]
pub struct KeySet {
    kind: Kind,
    rehearsal: Arc<Mutex<Option<Rehearsal>>>,
}

/// A key of our own, for a delivery by which it is tried whether events arrive.
struct Rehearsal {
    keys: Arc<Keys>,
    until: Timestamp,
}

/// How long such a key is good for.
const REHEARSAL: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

#[derive(Clone)]
enum Kind {
    Fixed(Arc<Keys>),
    Published(Arc<Published>),
}

/// A key set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeySet {
    /// The address is none.
    #[error("{0:?} is no URL")]
    NoUrl(String),
    /// Whoever is between could put in keys of their own.
    #[error(
        "{0:?} cannot be trusted: a key set is read over https (http only on loopback), without a user name"
    )]
    Unsafe(String),
    /// A set that stands in the configuration is none.
    #[error("{0}")]
    Unreadable(&'static str),
    /// There is nothing to verify with.
    #[error(
        "the key set holds no key that can be used: RSA of 2048 to 8192 bits or P-256, for signatures, with a `kid`"
    )]
    Empty,
    /// The client for the address could not be made.
    #[error("no connection can be made: {0}")]
    NoClient(#[source] reqwest::Error),
}

impl KeySet {
    /// The set that stands at `uri`. Nothing is read before the first token.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] if the address is none, or if what comes from there could be anybody's.
    pub fn published(uri: &str) -> Result<Self, InvalidKeySet> {
        let fetch = Fetch::new(safe_url(uri)?).map_err(InvalidKeySet::NoClient)?;
        Ok(Self::of(Kind::Published(Arc::new(Published { fetch, state: Mutex::default() }))))
    }

    /// A set that was handed over: `{"keys": [..]}` or the bare array.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] if it is no key set, or none of its keys can be used.
    pub fn fixed(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let keys = Keys::parse(json).map_err(InvalidKeySet::Unreadable)?;
        if keys.len() == 0 {
            return Err(InvalidKeySet::Empty);
        }
        Ok(Self::of(Kind::Fixed(Arc::new(keys))))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, rehearsal: Arc::default() }
    }

    /// A key of our own that is taken for one of the source's for a minute: for a delivery by which it is tried whether events
    /// arrive. It never leaves this machine; one before it is not good any more.
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`] if none can be made.
    pub fn rehearse(&self, name: &str, now: Timestamp) -> Result<SigningKey, InvalidSigningKey> {
        let key = SigningKey::from_pem(format!("rehearsal-{name}"), &SigningKey::generate()?)?;
        let set = serde_json::json!([key.jwk()]).to_string();
        let keys = Arc::new(Keys::parse(set.as_bytes()).map_err(|_| InvalidSigningKey)?);
        *self.rehearsal() = Some(Rehearsal { keys, until: now + REHEARSAL });
        Ok(key)
    }

    fn rehearsal(&self) -> MutexGuard<'_, Option<Rehearsal>> {
        self.rehearsal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, with `kid` among them.
    pub(super) async fn holding(&self, kid: &str, now: Timestamp) -> Result<Arc<Keys>, Rejected> {
        if let Some(rehearsal) = &*self.rehearsal()
            && now < rehearsal.until
            && rehearsal.keys.contains(kid)
        {
            return Ok(Arc::clone(&rehearsal.keys));
        }
        match &self.kind {
            Kind::Fixed(keys) if keys.contains(kid) => Ok(Arc::clone(keys)),
            Kind::Fixed(_) => Err(Rejected::new(
                Reason::Key,
                "the token names a key (`kid`) that is not in the configured set",
            )),
            Kind::Published(published) => published.holding(kid, now).await,
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Fixed(_) => "KeySet(fixed)",
            Kind::Published(_) => "KeySet(published)",
        })
    }
}

/// The published sets, each once: sources with one key set share it, and so do the configuration before a reload and the
/// one after, so that a reload neither forgets keys nor has them read again.
#[derive(Default)]
pub struct KeySets(Mutex<HashMap<Url, Weak<Published>>>);

impl KeySets {
    /// The set at `uri`: the one that somebody holds already, or a new one. See [`KeySet::published`].
    ///
    /// # Errors
    ///
    /// As [`KeySet::published`].
    pub fn published(&self, uri: &str) -> Result<KeySet, InvalidKeySet> {
        let url = safe_url(uri)?;
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = sets.get(&url).and_then(Weak::upgrade) {
            return Ok(KeySet::of(Kind::Published(held)));
        }
        let set = KeySet::published(uri)?;
        if let Kind::Published(published) = &set.kind {
            sets.retain(|_, held| held.strong_count() > 0);
            sets.insert(url, Arc::downgrade(published));
        }
        Ok(set)
    }
}

fn safe_url(uri: &str) -> Result<Url, InvalidKeySet> {
    let url = Url::parse(uri).map_err(|_| InvalidKeySet::NoUrl(uri.to_owned()))?;
    if fetch::is_safe(&url) { Ok(url) } else { Err(InvalidKeySet::Unsafe(uri.to_owned())) }
}

struct Published {
    fetch: Fetch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: Cache,
    /// The reading that is under way, for all who wait for it.
    reading: Option<Reading>,
}

type Reading = Shared<BoxFuture<'static, ()>>;

impl Published {
    async fn holding(self: &Arc<Self>, kid: &str, now: Timestamp) -> Result<Arc<Keys>, Rejected> {
        let reading = {
            let mut state = self.state();
            if let Some(keys) = state.cache.fresh(kid, now) {
                return Ok(keys);
            }
            // Who comes while the set is being read for somebody else has it read for them as well.
            let under_way = state.under_way();
            under_way.or_else(|| state.cache.may_be_read(now).then(|| self.begin(&mut state, now)))
        };
        if let Some(reading) = reading {
            reading.await;
        }
        self.state().cache.settle(kid, now)
    }

    /// Starts to read. As a task of its own, because a caller that hangs up must not take along those who wait with it.
    fn begin(self: &Arc<Self>, state: &mut State, now: Timestamp) -> Reading {
        let published = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = published.fetch.read().await;
            let mut state = published.state();
            state.cache.ended(outcome, now);
            state.reading = None;
        });
        let reading = task.map(drop).boxed().shared();
        state.reading = Some(reading.clone());
        reading
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A reading that has ended and is still here was cut off with the runtime it ran on.
    fn under_way(&self) -> Option<Reading> {
        self.reading.clone().filter(|reading| reading.peek().is_none())
    }
}
