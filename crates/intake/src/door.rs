//! Everything the event doors need, and what runs beside them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use model::{Clock, Ids, SourceName, TenantId, failures::Failures};
use provisioning::Provisioner;
use store::{Directory, EventKey, Inbox, SourceNames, Store, StoreError};
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    CatchUp, CaughtUp, Count, Outgoing, Rehearsal, Source, TokenKey, counts::Counts, places::Places,
    turns::Turns, worker::Running,
};

/// What holds for every delivery.
#[derive(Clone, Debug)]
pub struct IntakeSettings {
    /// The proxies whose word on where a caller is counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether an org is a simulated one.
    pub simulated: bool,
    /// What access tokens are signed with.
    pub token_key: TokenKey,
}

/// The event doors. One for all workers of the server.
pub struct Intake {
    /// What is done in Salesforce and remembered of identities.
    pub provisioner: Provisioner,
    /// What is known of identities.
    pub directory: Arc<dyn Directory>,
    /// What is known of events.
    pub inbox: Arc<dyn Inbox>,
    /// What sources call identities.
    pub names: Arc<dyn SourceNames>,
    /// What time it is.
    pub clock: Clock,
    /// Where new names come from.
    pub ids: Ids,
    /// What holds for every delivery.
    pub settings: IntakeSettings,
    /// What goes out.
    pub outgoing: Arc<Outgoing>,
    pub(crate) stored: Notify,
    pub(crate) turns: Turns,
    /// Events that are being applied from the store.
    pub(crate) running: Running,
    /// Events that are being taken in; who sent them waits.
    pub(crate) taking: Running,
    pub(crate) places: Places,
    /// Who has failed to get an access token.
    pub(crate) failures: Failures,
    counts: Counts,
    sources: ArcSwap<Sources>,
    /// What the sources do of themselves; replaced with them.
    beside: Mutex<Vec<JoinHandle<()>>>,
}

type Sources = HashMap<(TenantId, SourceName), Arc<Source>>;

impl Intake {
    /// Puts the doors together. Nothing runs before [`Intake::start`].
    #[must_use]
    pub fn new(
        provisioner: Provisioner,
        store: &Arc<dyn Store>,
        sources: Vec<Source>,
        outgoing: Arc<Outgoing>,
        settings: IntakeSettings,
        clock: Clock,
        ids: Ids,
    ) -> Arc<Self> {
        Arc::new(Self {
            provisioner,
            directory: Arc::clone(store) as Arc<dyn Directory>,
            inbox: Arc::clone(store) as Arc<dyn Inbox>,
            names: Arc::clone(store) as Arc<dyn SourceNames>,
            clock,
            ids,
            settings,
            outgoing,
            stored: Notify::new(),
            turns: Turns::default(),
            running: Running::default(),
            taking: Running::default(),
            places: Places::default(),
            failures: Failures::default(),
            counts: Counts::default(),
            sources: ArcSwap::from_pointee(by_name(sources)),
            beside: Mutex::default(),
        })
    }

    /// Begins to apply what is stored, and what the sources do of themselves. Call it once, before the first delivery.
    pub async fn start(self: &Arc<Self>) -> JoinHandle<()> {
        match self.inbox.forget_in_flight(self.clock.now()).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(
                events = forgotten,
                "events were in flight when Gangway stopped: their sources send them again"
            ),
            // They are found out one by one when they come again.
            Err(error) => tracing::error!(%error, "events of before cannot be given back"),
        }
        self.run_sources();
        tokio::spawn(Arc::clone(self).work())
    }

    /// Takes other sources: a new configuration. Deliveries under way end with what they began with.
    pub fn replace_sources(self: &Arc<Self>, sources: Vec<Source>) {
        self.sources.store(Arc::new(by_name(sources)));
        self.run_sources();
        self.stored.notify_one();
    }

    /// Ends what the sources do of themselves.
    pub fn stop(&self) {
        for task in self.beside.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }

    /// A person has looked: a dead or held event is applied once more, and a stored one at once. `false`: it is none of these.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn retry(&self, key: &EventKey) -> Result<bool, StoreError> {
        let was_owed = self.inbox.retry_event(key, self.clock.now()).await?;
        self.stored.notify_one();
        Ok(was_owed)
    }

    /// A person has looked: nothing is to be done for a dead, held or stored event. `false`: it is none of these, or is being applied.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn dismiss(&self, key: &EventKey, reason: &str) -> Result<bool, StoreError> {
        // Of one that is being applied it is not known whether nothing is done.
        let Some(_hold) = self.running.begin(key) else { return Ok(false) };
        self.inbox.dismiss_event(key, reason, self.clock.now()).await
    }

    /// A delivery as a source would make it, that changes nothing.
    ///
    /// # Errors
    ///
    /// A sentence: why there is none.
    pub async fn rehearse(&self, tenant: &TenantId, name: &SourceName) -> Result<Rehearsal, String> {
        let source = self.source(tenant, name).ok_or_else(|| no_source(tenant, name))?;
        source.kind.rehearse(self, &source).await
    }

    /// Asks a source for everything that is new since then and for who is gone, and applies it.
    ///
    /// # Errors
    ///
    /// A sentence: why the source cannot be asked.
    pub async fn catch_up(
        &self,
        tenant: &TenantId,
        name: &SourceName,
        asked: &CatchUp,
    ) -> Result<CaughtUp, String> {
        let source = self.source(tenant, name).ok_or_else(|| no_source(tenant, name))?;
        source.kind.catch_up(self, &source, asked).await
    }

    /// What came of events since the start.
    #[must_use]
    pub fn counts(&self) -> Vec<Count> {
        self.counts.all()
    }

    /// Counts something that came of a source's events.
    pub fn count(&self, source: &Source, outcome: &'static str, reason: &'static str) {
        self.counts.add(&source.tenant, &source.name, outcome, reason);
    }

    /// The source of this name.
    #[must_use]
    pub fn source(&self, tenant: &TenantId, name: &SourceName) -> Option<Arc<Source>> {
        self.sources.load().get(&(tenant.clone(), name.clone())).cloned()
    }

    /// All sources.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<Source>> {
        self.sources.load().values().cloned().collect()
    }

    fn run_sources(self: &Arc<Self>) {
        self.stop();
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        for source in self.sources() {
            self.counts.expose(&source);
            let intake = Arc::clone(self);
            beside.push(tokio::spawn(async move { source.kind.run(&intake, &source).await }));
        }
    }
}

fn no_source(tenant: &TenantId, name: &SourceName) -> String {
    format!("there is no event source {name} in {tenant}")
}

fn by_name(sources: Vec<Source>) -> Sources {
    let named = |source: Source| ((source.tenant.clone(), source.name.clone()), Arc::new(source));
    sources.into_iter().map(named).collect()
}
