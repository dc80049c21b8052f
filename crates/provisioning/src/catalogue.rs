//! What the orgs offer: read when it is first needed, again when it is an hour old or lacks a name, and remembered in the store
//! so that a start needs no org to answer reads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use model::{OrgName, Timestamp};
use salesforce_client::{CallError, Org, Purpose};
use salesforce_types::{Catalogue, EntitlementKind, EntitlementRef, NotOne, RecordId};
use store::Store;

/// Read again when older than this.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A name that is not there is looked for again, but not by every request that has it.
const MISS_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// How long to wait where a profile is missing: somebody has to make it.
pub(crate) const PROFILE_PAUSE: Duration = Duration::from_mins(1);

/// The catalogues of all orgs.
#[derive(Debug, Default)]
pub(crate) struct Catalogues {
    known: Mutex<HashMap<OrgName, Known>>,
    /// One reader of each at a time: the others find what it has read.
    reading: Mutex<HashMap<OrgName, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Clone, Debug)]
struct Known {
    catalogue: Arc<Catalogue>,
    read: Timestamp,
    seats_read: Timestamp,
}

/// How old it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Usual,
    /// A name was not found in it.
    Missed,
    /// Its seats are about to refuse somebody who has asked then: they were read later. A crowd that asks at once is told by one
    /// reading.
    Seats(Timestamp),
    /// Salesforce says that something of it is not there, to somebody who has asked then.
    Lost(Timestamp),
}

impl Age {
    fn is_fresh(self, known: &Known, now: Timestamp) -> bool {
        match self {
            Self::Usual => now.duration_since(known.read) < FRESH_FOR,
            Self::Missed => now.duration_since(known.read) < MISS_PAUSE,
            Self::Seats(asked) => known.seats_read >= asked,
            Self::Lost(asked) => known.read >= asked,
        }
    }
}

impl Catalogues {
    /// What the org offers. One that is older than it should be is better than none, where the org cannot be asked.
    pub(crate) async fn of(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
    ) -> Result<Arc<Catalogue>, CallError> {
        self.not_older(store, org, now, Age::Usual).await
    }

    /// The same after a name was not found in it.
    pub(crate) async fn after_a_miss(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
    ) -> Result<Arc<Catalogue>, CallError> {
        self.not_older(store, org, now, Age::Missed).await
    }

    /// The same with its seats as they are now, for somebody who has asked at `asked`.
    pub(crate) async fn with_seats(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
        asked: Timestamp,
    ) -> Result<Arc<Catalogue>, CallError> {
        self.not_older(store, org, now, Age::Seats(asked)).await
    }

    /// The same with its seats as they are now that Salesforce has refused somebody: read again, unless what is known
    /// explains it already.
    pub(crate) async fn after_a_refusal(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
        explains: impl Fn(&Catalogue) -> bool,
    ) -> Result<Arc<Catalogue>, CallError> {
        let reading = self.reading_of(org.name());
        let _reading = reading.lock().await;
        let known = self.lock().get(org.name()).cloned();
        match known {
            Some(known) if explains(&known.catalogue) => Ok(known.catalogue),
            known => self.read(store, org, known.as_ref(), now, Age::Seats(now)).await,
        }
    }

    /// The same as it is now that Salesforce has said that something of it is not there, for somebody who has asked at `asked`.
    pub(crate) async fn after_a_loss(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
        asked: Timestamp,
    ) -> Result<Arc<Catalogue>, CallError> {
        self.not_older(store, org, now, Age::Lost(asked)).await
    }

    /// What is known without asking the org.
    pub(crate) fn known(&self, org: &OrgName) -> Option<Arc<Catalogue>> {
        self.lock().get(org).map(|known| Arc::clone(&known.catalogue))
    }

    /// The id of a profile by its name (in any case) or id.
    pub(crate) async fn profile(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        self.find(store, org, EntitlementKind::Profile, wanted, now).await
    }

    /// The id of a queue by its name or developer name (in any case) or id.
    pub(crate) async fn queue(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        self.find(store, org, EntitlementKind::Queue, wanted, now).await
    }

    async fn find(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        kind: EntitlementKind,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        let named = self.named(store, org, &[kind], wanted, now).await?;
        Ok(named.ok().and_then(|of| RecordId::parse(&of.id).ok()))
    }

    /// What the org calls so, of one of these kinds (none: of any). It may have been renamed, or made, since the org was asked.
    pub(crate) async fn named(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        kinds: &[EntitlementKind],
        text: &str,
        now: Timestamp,
    ) -> Result<Result<EntitlementRef, NotOne>, CallError> {
        let named = |catalogue: &Catalogue| catalogue.named(kinds, text).map(|one| one.of.clone());
        match named(&*self.of(store, org, now).await?) {
            Err(NotOne::Unknown) => Ok(named(&*self.after_a_miss(store, org, now).await?)),
            known => Ok(known),
        }
    }

    async fn not_older(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        now: Timestamp,
        age: Age,
    ) -> Result<Arc<Catalogue>, CallError> {
        let fresh = || self.lock().get(org.name()).filter(|known| age.is_fresh(known, now)).cloned();
        if let Some(known) = fresh() {
            return Ok(known.catalogue);
        }
        let reading = self.reading_of(org.name());
        let _reading = reading.lock().await;
        if self.known(org.name()).is_none() {
            self.recall(store, org.name()).await;
        }
        if let Some(known) = fresh() {
            return Ok(known.catalogue);
        }
        let older = self.lock().get(org.name()).cloned();
        match (self.read(store, org, older.as_ref(), now, age).await, older) {
            (Ok(catalogue), _) => Ok(catalogue),
            (Err(error), Some(older)) if !matches!(age, Age::Seats(_) | Age::Lost(_)) => {
                tracing::warn!(org = %org.name(), %error, "what the org offers could not be read; what is known of it is older");
                Ok(older.catalogue)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn read(
        &self,
        store: &(dyn Store + '_),
        org: &Org,
        older: Option<&Known>,
        now: Timestamp,
        age: Age,
    ) -> Result<Arc<Catalogue>, CallError> {
        let (catalogue, read) = match older {
            Some(older) if matches!(age, Age::Seats(_)) => {
                (org.seats(&older.catalogue, Purpose::catalogue()).await?, older.read)
            }
            _ => {
                let catalogue = org.catalogue(Purpose::catalogue()).await?;
                if let Err(error) = store.remember_catalogue(org.name(), &catalogue, now).await {
                    tracing::warn!(org = %org.name(), %error, "what the org offers could not be remembered");
                }
                (catalogue, now)
            }
        };
        let catalogue = Arc::new(catalogue);
        let known = Known { catalogue: Arc::clone(&catalogue), read, seats_read: now };
        self.lock().insert(org.name().clone(), known);
        Ok(catalogue)
    }

    fn reading_of(&self, org: &OrgName) -> Arc<tokio::sync::Mutex<()>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(reading.entry(org.clone()).or_default())
    }

    /// What was known when Gangway last ran.
    async fn recall(&self, store: &(dyn Store + '_), org: &OrgName) {
        match store.catalogue(org).await {
            Ok(Some((catalogue, read))) => {
                let known = Known { catalogue: Arc::new(catalogue), read, seats_read: read };
                self.lock().insert(org.clone(), known);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%org, %error, "the remembered catalogue could not be read"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OrgName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
