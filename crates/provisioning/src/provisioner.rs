//! Accept: where a request comes in, gets its change and its place in the queue, and where its caller waits.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use model::{ChangeId, ClientName, Clock, HoldId, Ids, OrgName, ResourceId, ResourceKind, TenantId};
use salesforce_client::Org;
use salesforce_types::RecordId;
use store::{Asynchronous, Change, Directory, Happening, Hold, HoldKind, Store, StoreError, Task};
use tokio::{runtime::Handle, sync::watch};
use translation::Target;

use crate::{
    Answer, Caller, Consent, ConsentAnswer, ConsentPlaces, ConsentTarget, IdentityPlan, Operation,
    ProvisionError, Request, Settings, Tenant,
    catalogue::Catalogues,
    consent, drift,
    groups::{self, GroupChange},
    offers::{self, Offer},
    profiles::Profiles,
    removed, resume,
    signals::{self, Signal, Signalled},
    tasks,
    tasks::Leavers,
    turns::Turns,
    users::UserChange,
};

/// How often it is looked whether published Groups are as the catalogues have them. That costs no call: catalogues have their own
/// time.
const PUBLISH_EVERY: Duration = Duration::from_mins(10);
/// The id prefixes of User, Contact and Lead: no Group stands for one of them.
const PEOPLE: [&str; 3] = ["005", "003", "00Q"];

/// Does what doors ask. Cheap to clone.
#[derive(Clone)]
pub struct Provisioner {
    inner: Arc<Inner>,
}

/// What every change works with.
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) turns: Turns,
    pub(crate) catalogue: Catalogues,
    pub(crate) offers: offers::Lists,
    runtime: Handle,
    world: RwLock<Arc<World>>,
    /// Tasks that are being attempted here.
    pub(crate) attempts: tasks::Attempts,
    /// Changes that are being worked on here; each sender lives as long as the work.
    running: Mutex<HashMap<ChangeId, watch::Receiver<()>>>,
    stopping: watch::Sender<bool>,
}

/// What the configuration says; replaced as a whole.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tenants: HashMap<TenantId, Arc<Tenant>>,
    /// The tenants as those clients of their sources have them whose mapping is another.
    own: HashMap<(TenantId, ClientName), Arc<Tenant>>,
    pub(crate) orgs: HashMap<OrgName, Org>,
}

/// A change that is being worked on.
struct Running {
    inner: Arc<Inner>,
    change: ChangeId,
    /// Dropped after the change has left the list.
    _alive: watch::Sender<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.inner.running().remove(&self.change);
    }
}

impl World {
    fn new(tenants: Vec<Tenant>, orgs: HashMap<OrgName, Org>) -> Arc<Self> {
        let own = tenants.iter().flat_map(Tenant::of_clients).collect();
        let tenants = tenants.into_iter().map(|tenant| (tenant.id.clone(), Arc::new(tenant))).collect();
        Arc::new(Self { tenants, own, orgs })
    }

    /// The tenant as the caller has it.
    pub(crate) fn tenant_of(&self, caller: &Caller) -> Result<Arc<Tenant>, ProvisionError> {
        self.own_of(caller).map_or_else(|| self.tenant(&caller.tenant), Ok)
    }

    /// The tenant as whoever has asked for a task has it.
    pub(crate) fn tenant_of_task(&self, task: &Task) -> Result<Arc<Tenant>, ProvisionError> {
        let asker = |client: &ClientName| Caller { tenant: task.tenant.clone(), client: client.clone() };
        let own = task.client.as_ref().and_then(|client| self.own_of(&asker(client)));
        own.map_or_else(|| self.tenant(&task.tenant), Ok)
    }

    /// The targets that a tenant has for other clients, and not as `own` is.
    pub(crate) fn targets_of_others(&self, own: &Tenant) -> Vec<Target> {
        let all = self.tenants.get(&own.id).into_iter().flat_map(|tenant| tenant.mapping.and_of_clients());
        let mut others: Vec<Target> = Vec::new();
        for target in all.flat_map(|mapping| &mapping.targets) {
            let is_it = |known: &Target| known.name == target.name;
            if !own.mapping.targets.iter().any(is_it) && !others.iter().any(is_it) {
                others.push(target.clone());
            }
        }
        others
    }

    /// The tenant as the caller has it, if its mapping is another.
    pub(crate) fn own_of(&self, caller: &Caller) -> Option<Arc<Tenant>> {
        self.own.get(&(caller.tenant.clone(), caller.client.clone())).cloned()
    }

    /// The tenant of a customer's environment and all its populations, the tenant first.
    pub(crate) fn environment(&self, of: &TenantId) -> Vec<Arc<Tenant>> {
        let home = of.home();
        let mut all: Vec<_> =
            self.tenants.values().filter(|tenant| tenant.id.home() == home).cloned().collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    pub(crate) fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, ProvisionError> {
        self.tenants
            .get(id)
            .cloned()
            .ok_or_else(|| ProvisionError::Misconfigured(format!("the tenant {id} is not configured")))
    }
}

impl Provisioner {
    /// `runtime` is where changes run, so that a caller that hangs up cancels nothing.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        orgs: HashMap<OrgName, Org>,
        tenants: Vec<Tenant>,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        runtime: Handle,
    ) -> Self {
        let inner = Inner {
            store,
            settings,
            clock,
            ids,
            turns: Turns::default(),
            catalogue: Catalogues::default(),
            offers: offers::Lists::default(),
            runtime,
            world: RwLock::new(World::new(tenants, orgs)),
            attempts: tasks::Attempts::default(),
            running: Mutex::default(),
            stopping: watch::Sender::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes another configuration. Changes that are under way keep the one they began with; one that waits for its org
    /// takes the new one with its next try.
    pub fn replace_tenants(&self, tenants: Vec<Tenant>, orgs: HashMap<OrgName, Org>) {
        let world = World::new(tenants, orgs);
        *self.inner.world.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    /// Where doors read.
    #[must_use]
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.inner.store) as Arc<dyn Directory>
    }

    /// Does what is asked, or says why not and what was kept ([`ProvisionError`]).
    ///
    /// Waits for Salesforce no longer than [`Settings::answer_within`]. A caller that stops waiting cancels nothing.
    pub async fn submit(&self, caller: &Caller, request: Request) -> Result<Answer, ProvisionError> {
        self.may_begin()?;
        match request.kind {
            ResourceKind::User => UserChange::accept(&self.inner, caller, request)?.answer().await,
            ResourceKind::Group => GroupChange::accept(&self.inner, caller, request)?.answer().await,
        }
    }

    /// The same for a request whose caller does not wait and hears of its end by an event: under this name, not that of the
    /// change.
    pub async fn submit_as(
        &self,
        caller: &Caller,
        request: Request,
        asynchronous: Asynchronous,
    ) -> Result<Answer, ProvisionError> {
        self.may_begin()?;
        match request.kind {
            ResourceKind::User => {
                let change = UserChange::accept(&self.inner, caller, request)?;
                change.known_as(asynchronous);
                change.answer().await
            }
            ResourceKind::Group => {
                let change = GroupChange::accept(&self.inner, caller, request)?;
                change.known_as(asynchronous);
                change.answer().await
            }
        }
    }

    /// A request has failed before it came into the journal; its caller does not wait, and hears of it by an event.
    pub async fn announce_failure(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        id: Option<&str>,
        asynchronous: Asynchronous,
        (status, detail): (u16, String),
    ) -> Result<(), StoreError> {
        let resource = id.map_or_else(|| self.inner.ids.resource(), ResourceId::from_text);
        let detail = Some(detail);
        let happening = Happening::Answered { request: asynchronous, status, version: None, detail };
        self.inner.store.announce(tenant, kind, &resource, &happening, self.inner.clock.now()).await
    }

    /// Writes what somebody has chosen to the records that stand for him. Doing it twice comes to the same.
    ///
    /// # Errors
    ///
    /// As [`Provisioner::submit`]. After one the evidence of what was written is kept, and a repeat writes the rest.
    pub async fn write_consent(
        &self,
        caller: &Caller,
        target: &ConsentTarget,
        consent: &Consent,
    ) -> Result<ConsentAnswer, ProvisionError> {
        self.may_begin()?;
        consent::write(&self.inner, caller, target, consent).await
    }

    /// The choices of an event are out of date: what an attempt of before, whose end nobody has heard, has written of them gets its
    /// evidence, and what it was about to write is forgotten.
    ///
    /// # Errors
    ///
    /// As [`Provisioner::submit`]; then it is to be repeated.
    pub async fn settle_consent(
        &self,
        caller: &Caller,
        target: &ConsentTarget,
        consent: &Consent,
    ) -> Result<(), ProvisionError> {
        self.may_begin()?;
        consent::settle(&self.inner, caller, target, consent).await
    }

    /// The one spelling of a person of consents, whichever of those that Salesforce takes for the same was sent.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Misconfigured`] where the org has no such field, else why it cannot be asked.
    pub async fn consent_person(
        &self,
        target: &ConsentTarget,
        person: &str,
    ) -> Result<String, ProvisionError> {
        consent::person(&self.inner, target, person).await
    }

    /// What an org lacks for a target of consents; see [`crate::consent_problems`].
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Misconfigured`] where the org is not configured, else why it cannot be asked.
    pub async fn consent_problems(
        &self,
        target: &ConsentTarget,
        places: &ConsentPlaces,
    ) -> Result<Vec<String>, ProvisionError> {
        consent::fits(&self.inner, target, places).await
    }

    /// What would be done for an identity as it is now, the records of targets that are not configured any more included.
    /// Asks the orgs and changes nothing.
    pub async fn plan(
        &self,
        tenant: &TenantId,
        identity: &ResourceId,
    ) -> Result<IdentityPlan, ProvisionError> {
        let caller = Caller { tenant: tenant.clone(), client: Inner::operator() };
        self.operate(&caller, identity, Operation::Resync)?.preview().await
    }

    /// Carries a plan out, if it is still what would be done: [`ProvisionError::PlanMoved`] otherwise.
    pub async fn apply(&self, caller: &Caller, plan: &IdentityPlan) -> Result<Answer, ProvisionError> {
        self.operate(caller, &plan.identity, Operation::Apply(plan.hash()))?.answer().await
    }

    /// What the tenant's orgs offer, those first that stand first in its mapping. Asks an org whose catalogue is not known or too
    /// old.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Busy`] when an org cannot be asked and nothing is remembered of it.
    pub async fn offers(&self, tenant: &TenantId) -> Result<Arc<Vec<Offer>>, ProvisionError> {
        offers::of_tenant(&self.inner, tenant).await
    }

    /// Brings the records of an identity into agreement with what is known of it.
    pub async fn resync(&self, caller: &Caller, identity: &ResourceId) -> Result<Answer, ProvisionError> {
        self.operate(caller, identity, Operation::Resync)?.answer().await
    }

    /// Those of these identities whose records are gone from Salesforce or were changed there by hand. A query for each object, not a
    /// call for each person.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Busy`] where an org cannot be asked now, [`ProvisionError::Misconfigured`] where Salesforce refuses to be read, and
    /// [`ProvisionError::Store`].
    pub async fn drifted(
        &self,
        caller: &Caller,
        identities: &[ResourceId],
    ) -> Result<Vec<ResourceId>, ProvisionError> {
        drift::of(&self.inner, caller, identities).await
    }

    /// This record is the identity's: it is linked, and brought into agreement. Where it was asked for by a change that was
    /// refused, and the identity as it is does not have it yet, the choice is kept for when that change comes again.
    pub async fn adopt(
        &self,
        caller: &Caller,
        identity: &ResourceId,
        record: &RecordId,
    ) -> Result<Answer, ProvisionError> {
        self.operate(caller, identity, Operation::Adopt(record.clone()))?.answer().await
    }

    /// Does what a security signal asks for. It may be asked again for the same signal: that comes to the same.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Busy`] where it may work later, and what the change of an identity ends with.
    pub async fn signal(&self, signal: &Signal) -> Result<Signalled, ProvisionError> {
        signals::carry_out(&self.inner, signal).await
    }

    /// The mapping for what a client of a source has caused. `client` is what the source calls it; one that has nothing of its
    /// own in the mapping is as good as none, and then `name` stands in journal and audit.
    ///
    /// # Errors
    ///
    /// [`ProvisionError::Misconfigured`]: there is no such tenant.
    pub fn profiles(
        &self,
        tenant: &TenantId,
        name: &ClientName,
        client: Option<&str>,
    ) -> Result<Profiles, ProvisionError> {
        Profiles::of(&self.inner.world(), tenant, name, client)
    }

    /// What waits for a person's decision, oldest first.
    pub async fn holds(&self, tenant: &TenantId) -> Result<Vec<Hold>, StoreError> {
        self.inner.store.open_holds(Some(tenant)).await
    }

    /// A person has chosen the record of a hold: it is adopted, at once where the identity is there already, else when the
    /// request comes again. `false`: the hold is not open any more.
    pub async fn decide_hold(&self, hold: &HoldId, record: &RecordId) -> Result<bool, ProvisionError> {
        let open = self.inner.store.open_holds(None).await?;
        let Some(open) = open.into_iter().find(|open| open.id == *hold) else { return Ok(false) };
        self.inner.store.decide_hold(hold, record).await?;
        if let Some(identity) = open.identity {
            let caller = Caller { tenant: open.tenant, client: Inner::operator() };
            self.adopt(&caller, &identity, record).await?;
        }
        Ok(true)
    }

    /// A person has looked, and there is nothing to choose: the request may be repeated, and where a record was deleted by
    /// hand another is made. `false`: the hold is not open any more.
    pub async fn dismiss_hold(&self, hold: &HoldId) -> Result<bool, ProvisionError> {
        let open = self.inner.store.open_holds(None).await?;
        let Some(open) = open.into_iter().find(|open| open.id == *hold) else { return Ok(false) };
        self.inner.store.dismiss_hold(hold, self.inner.clock.now()).await?;
        if let (HoldKind::DeletedByHand { record }, Some(identity)) = (open.kind, open.identity) {
            let caller = Caller { tenant: open.tenant, client: Inner::operator() };
            self.operate(&caller, &identity, Operation::Forget(record))?.answer().await?;
        }
        Ok(true)
    }

    fn may_begin(&self) -> Result<(), ProvisionError> {
        if *self.inner.stopping.borrow() {
            return Err(ProvisionError::Busy {
                why: "Gangway is stopping".into(),
                retry_after: Duration::from_secs(5),
            });
        }
        Ok(())
    }

    fn operate(
        &self,
        caller: &Caller,
        identity: &ResourceId,
        operation: Operation,
    ) -> Result<Arc<UserChange>, ProvisionError> {
        let request = Request {
            kind: ResourceKind::User,
            id: Some(identity.to_string()),
            operation,
            if_match: None,
            respond_async: false,
        };
        UserChange::accept(&self.inner, caller, request)
    }

    /// Does what is owed when it is due, until Gangway stops.
    pub async fn run_tasks(&self) {
        tasks::run(&self.inner).await;
    }

    /// Does what is due now. Answers how many tasks were tried.
    pub async fn run_due_tasks(&self) -> Result<usize, StoreError> {
        tasks::run_due(&self.inner).await
    }

    /// Makes, renames and takes away the Groups that tenants publish from what their orgs offer. What fails is said in the log.
    /// Answers how many were touched. Call it after each new configuration.
    pub async fn publish_groups(&self) -> usize {
        groups::publish(&self.inner).await
    }

    /// The same now and from time to time, until Gangway stops: what an org offers changes.
    pub async fn keep_groups_published(&self) {
        self.publish_groups().await;
        while self.inner.pause(PUBLISH_EVERY).await {
            self.publish_groups().await;
        }
    }

    /// How many leavers Salesforce still keeps active, of every tenant.
    pub async fn leavers(&self) -> Result<Vec<Leavers>, StoreError> {
        tasks::leavers(&self.inner).await
    }

    /// Remembers which targets the tenants have, so that it is known later what becomes of the records of one that is
    /// taken out of the configuration. Call it after the start and after each new configuration.
    pub async fn remember_targets(&self) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        for tenant in self.inner.world().tenants.values() {
            removed::remember(&*self.inner.store, tenant, now).await?;
        }
        Ok(())
    }

    /// The identity that a Salesforce record id, in either spelling, is linked to, or the SCIM Group that stands for the
    /// record where only one does.
    pub async fn id_of_record(
        &self,
        tenant: &TenantId,
        text: &str,
    ) -> Result<Option<ResourceId>, StoreError> {
        let Ok(record) = RecordId::parse(text) else { return Ok(None) };
        if let Some(identity) = self.inner.store.linked_to(tenant, &record).await? {
            return Ok(Some(identity));
        }
        if PEOPLE.contains(&record.prefix()) {
            return Ok(None);
        }
        let groups = self.inner.store.groups_standing(tenant).await?;
        let is_meant = |id: &str| RecordId::parse(id).is_ok_and(|id| id == record);
        let mut meant = groups.into_iter().filter(|(_, _, stands_for)| is_meant(&stands_for.of.id));
        match (meant.next(), meant.next()) {
            (Some((group, ..)), None) => Ok(Some(group)),
            _ => Ok(None),
        }
    }

    /// Takes up what a crash or a stop has left open, in the background. Call it once, after the start. Answers how many
    /// changes there are.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        resume::take_up(&self.inner).await
    }

    /// Lets running changes come to an end, for a stop. What is not finished by then stays open and is taken up at the
    /// next start.
    pub async fn drain(&self, within: Duration) {
        self.inner.stopping.send_replace(true);
        let running: Vec<_> = self.inner.running().values().cloned().collect();
        let all_done = async {
            for mut change in running {
                // Ends with an error when the sender is gone, which is what is waited for.
                while change.changed().await.is_ok() {}
            }
        };
        let _ = tokio::time::timeout(within, all_done).await;
    }
}

impl fmt::Debug for Provisioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioner").field("running", &self.inner.running().len()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A repeat has joined an earlier change: its caller, who does not wait, hears of the end of that one too.
    pub(crate) async fn hear_of(
        &self,
        earlier: &Change,
        told: Option<Asynchronous>,
    ) -> Result<(), StoreError> {
        let Some(told) = told else { return Ok(()) };
        if self.store.tell_also(&earlier.id, &told).await? {
            return Ok(());
        }
        let ended = self.store.change(&earlier.tenant, &earlier.id).await?;
        let Some(outcome) = ended.and_then(|ended| ended.outcome) else { return Ok(()) };
        let (status, detail) = (outcome.status, outcome.reason);
        let happening = Happening::Answered { request: told, status, version: None, detail };
        let (kind, resource) = (earlier.kind, &earlier.resource);
        self.store.announce(&earlier.tenant, kind, resource, &happening, self.clock.now()).await
    }

    /// Whose plans these are.
    pub(crate) fn operator() -> ClientName {
        "gangway-operator".parse().expect("this is a name")
    }

    /// Runs a change to its end whoever waits for it; it counts as running until then.
    pub(crate) fn run(
        &self,
        change: ChangeId,
        work: impl Future<Output = ()> + Send + 'static,
        inner: &Arc<Self>,
    ) {
        let (alive, ended) = watch::channel(());
        self.running().insert(change.clone(), ended);
        // Whatever the end of the work is: nobody may wait for it in vain.
        let running = Running { inner: Arc::clone(inner), change, _alive: alive };
        self.runtime.spawn(async move {
            work.await;
            drop(running);
        });
    }

    /// Waits until a change that runs here has ended. At once if it does not.
    pub(crate) async fn ended(&self, change: &ChangeId) {
        let running = self.running().get(change).cloned();
        if let Some(mut running) = running {
            while running.changed().await.is_ok() {}
        }
    }

    pub(crate) fn is_running(&self, change: &ChangeId) -> bool {
        self.running().contains_key(change)
    }

    /// Waits, or not so long when Gangway is stopping: then `false`.
    pub(crate) async fn pause(&self, pause: Duration) -> bool {
        let mut stopping = self.stopping.subscribe();
        let stopped = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        tokio::time::timeout(pause, stopped).await.is_err()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ChangeId, watch::Receiver<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
