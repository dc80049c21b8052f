//! The life of one change of a Group.
//!
//! A Group that nobody's access depends on is Gangway's own: its change is decided and recorded at its turn, and costs no call.
//! Where members get something by it (it stands for an entitlement, or rules look at memberships) the change is a parent with
//! one child for each identity that joins or leaves. The parent has the Group's turn while its children take the turns of their
//! identities, never the other way round; each child records the membership together with what came of it.
//!
//! | file | what it holds |
//! |---|---|
//! | `standing.rs` | what a Group stands for |
//! | `members.rs` | the members that a request names |
//! | `admit.rs` | who cannot be a member, found out before any call |
//! | `children.rs` | who joins, leaves and stays, all at once |
//! | `course.rs` | parent and children, from the journal to the record |
//! | `journal.rs` | durable first, and what ends it |
//! | `publish.rs` | Groups that are made from the catalogue |

mod admit;
mod children;
mod course;
mod journal;
mod members;
mod publish;
mod standing;

pub(crate) use admit::NAMED;
pub(crate) use publish::{CLIENT as PUBLISHER, publish};

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use admit::Offenders;
use course::{After, Course};
use journal::Before;
use members::{as_wanted, with_members};
use model::{ChangeId, ResourceId, ResourceKind, TenantId, Timestamp};
use scim_types::{Filter, Registry, Resource, ResourceType};
use serde_json::{Value, json};
use standing::Standing;
use store::{Asynchronous, Change, OpenChange, Query, StoreError, StoredResource, Window};
use tokio::sync::oneshot;

use crate::{
    Answer, Caller, Operation, ProvisionError, Request, Written, fingerprint,
    provisioner::Inner,
    turns::Turn,
    users::{Entry, Scene, body_of},
    wish::{Wish, missing},
};

type Reply = Result<Answer, ProvisionError>;

/// How long a caller is asked to wait where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Pauses between tries of a change that has to be finished: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// An equal POST by the same client joins a change for so long (design §3).
const REPEAT_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Nobody else writes a Group during its turn, so that more tries than this mean a fault.
const MAX_TRIES: u32 = 8;

/// One change of one Group.
pub(crate) struct GroupChange {
    inner: Arc<Inner>,
    scene: Arc<Scene>,
    caller: Caller,
    request: Request,
    wish: Wish,
    id: ResourceId,
    change: ChangeId,
    accepted: Timestamp,
    /// Of a create: tells a repeat.
    fingerprint: Option<[u8; 32]>,
    /// Where the change stands in the journal. Held while that is written.
    entry: tokio::sync::Mutex<Entry>,
    /// Where the caller waits, while it does.
    reply: Mutex<Option<oneshot::Sender<Reply>>>,
    /// The Group as it was before the change began. What has begun was checked before, and goes on to its end: some of its
    /// children may have landed.
    before: OnceLock<Before>,
    /// What its caller, who does not wait, knows it by; none: its id.
    asynchronous: OnceLock<Asynchronous>,
}

/// Why a try did not end in an answer.
#[derive(Debug)]
enum Stop {
    /// The Group has changed meanwhile: decide anew.
    Again,
    /// Gangway is stopping. What is open is finished by the next start.
    LeftOpen,
    /// It ends so.
    Fail(ProvisionError),
}

impl From<ProvisionError> for Stop {
    fn from(error: ProvisionError) -> Self {
        Self::Fail(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fail(error.into())
    }
}

impl GroupChange {
    /// Reads the request and gives it its id.
    pub(crate) fn accept(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
    ) -> Result<Arc<Self>, ProvisionError> {
        let id = match &request.id {
            Some(id) => ResourceId::from_text(id.clone()),
            None => inner.ids.resource(),
        };
        let change = inner.ids.change();
        Self::new(inner, caller, request, id, change, inner.clock.now()).map(Arc::new)
    }

    /// Takes up an open change and works on it in the background.
    pub(crate) fn resume(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
        open: OpenChange,
    ) -> Result<(), ProvisionError> {
        let OpenChange { change, request: journalled, .. } = open;
        let resumed = Self::new(inner, caller, request, change.resource, change.id, change.accepted)?;
        *resumed.entry.try_lock().expect("nobody else has it yet") = Entry::Open;
        if let Some(before) = Before::journalled(&journalled) {
            let _ = resumed.before.set(before);
        }
        Arc::new(resumed).start(None);
        Ok(())
    }

    fn new(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
        id: ResourceId,
        change: ChangeId,
        accepted: Timestamp,
    ) -> Result<Self, ProvisionError> {
        let wish = Wish::read(kind(), &request)?;
        let fingerprint = match &wish {
            Wish::Create(resource) if resource.display_name().is_none() => {
                return Err(missing("displayName"));
            }
            Wish::Create(resource) => Some(fingerprint::of(resource)),
            _ => None,
        };
        Ok(Self {
            scene: Scene::now(inner, &caller.tenant)?,
            inner: Arc::clone(inner),
            caller: caller.clone(),
            request,
            wish,
            id,
            change,
            accepted,
            fingerprint,
            entry: tokio::sync::Mutex::new(Entry::None),
            reply: Mutex::new(None),
            before: OnceLock::new(),
            asynchronous: OnceLock::new(),
        })
    }

    /// Its caller, who does not wait, knows it by this.
    pub(crate) fn known_as(&self, asynchronous: Asynchronous) {
        let _ = self.asynchronous.set(asynchronous);
    }

    /// Does it, and waits for its end as long as a caller may. A caller that stops waiting cancels nothing.
    pub(crate) async fn answer(self: Arc<Self>) -> Reply {
        if let Some(earlier) = self.done_in_part().await? {
            return Box::pin(self.complete(&earlier)).await;
        }
        if self.request.respond_async {
            return self.acknowledge().await;
        }
        let (tell, mut told) = oneshot::channel();
        Arc::clone(&self).start(Some(tell));
        match tokio::time::timeout(self.inner.settings.answer_within, &mut told).await {
            Ok(answer) => self.heard(answer.ok()).await,
            Err(_) => self.out_of_time(told).await,
        }
    }

    /// `Prefer: respond-async`: durable first, then answered, then done.
    async fn acknowledge(self: Arc<Self>) -> Reply {
        let accepted = |id: &ResourceId, change: &ChangeId| {
            Ok(Answer::Accepted { id: id.clone(), change: change.clone() })
        };
        if let Wish::Create(resource) = &self.wish {
            let name = resource.display_name().unwrap_or_default();
            let (earlier, other) = (self.earlier().await?, self.another(name).await?);
            if let Some(earlier) = earlier {
                let is_there = other.as_ref().is_some_and(|other| other.id == earlier.resource);
                if earlier.state.is_open() || (is_there && !earlier.answered) {
                    let told = self.request.asynchronous(&earlier.id, self.asynchronous.get());
                    self.inner.hear_of(&earlier, told).await?;
                    return accepted(&earlier.resource, &earlier.id);
                }
            }
            if other.is_some() {
                return Err(name_taken());
            }
        } else {
            let (store, tenant) = (&self.inner.store, &self.caller.tenant);
            // One that is pending still is there when the turn has come.
            if store.get(tenant, ResourceKind::Group, self.id.as_str()).await?.is_none() {
                return Err(self.not_found());
            }
        }
        self.open().await?;
        Arc::clone(&self).start(None);
        accepted(&self.id, &self.change)
    }

    /// The answer; or the work has ended without a word: Gangway is stopping. An open change is taken up at the next start.
    async fn heard(&self, answer: Option<Reply>) -> Reply {
        match answer {
            Some(answer) => answer,
            None if *self.entry.lock().await == Entry::Open => Err(self.goes_on()),
            None => Err(busy("Gangway is stopping")),
        }
    }

    /// The caller's time is up. The change goes on, and is durable from now on if it was not before.
    async fn out_of_time(&self, mut told: oneshot::Receiver<Reply>) -> Reply {
        // Under the lock: whether the journal says that the caller was answered, and whether it is, must agree.
        let entry = self.entry.lock().await;
        if *entry == Entry::Ended {
            drop(entry);
            return self.heard(told.await.ok()).await;
        }
        told.close();
        drop(entry);
        if let Ok(answer) = told.try_recv() {
            return answer;
        }
        self.open().await?;
        match *self.entry.lock().await {
            Entry::Open => Err(self.goes_on()),
            // It has just come to an end that nobody heard: a repeat finds it.
            Entry::None | Entry::Ended => Err(busy("the caller's time was up")),
        }
    }

    fn start(self: Arc<Self>, reply: Option<oneshot::Sender<Reply>>) {
        *self.lock_reply() = reply;
        // A place in the queue now, so that requests are done in the order in which they came.
        let turn = self.inner.turns.enter(format!("{}/{}", self.caller.tenant, self.id));
        let inner = Arc::clone(&self.inner);
        let change = self.change.clone();
        let work = async move {
            let turn = turn.await;
            let ended = self.carry_out().await;
            drop(turn);
            let reply = self.lock_reply().take();
            if let (Some(reply), Some(ended)) = (reply, ended) {
                let _ = reply.send(ended);
            }
        };
        inner.run(change, work, &inner);
    }

    /// Try after try until the change has an end. `None`: it is left open for the next start.
    async fn carry_out(&self) -> Option<Reply> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.decide().await {
                Ok(answer) => return Some(Ok(answer)),
                Err(Stop::LeftOpen) => return None,
                Err(Stop::Again) if tries < MAX_TRIES => continue,
                Err(Stop::Again) => ProvisionError::VersionMismatch { kind: ResourceKind::Group },
                Err(Stop::Fail(error)) => error,
            };
            let passes = matches!(
                error,
                ProvisionError::Store(_) | ProvisionError::Misconfigured(_) | ProvisionError::Busy { .. }
            );
            // What is in the journal was promised, or has begun.
            if !(passes && *self.entry.lock().await == Entry::Open) {
                return Some(Err(self.give_up(error).await));
            }
            tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %error, "a change of a group cannot come to its end now");
            if !self.inner.pause(pause).await {
                return None;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Applies the request to the version that is current now, and does what that means.
    async fn decide(&self) -> Result<Answer, Stop> {
        let stored = self.stored().await?;
        if stored.is_none() && !matches!(self.wish, Wish::Create(_)) {
            return Err(self.not_found().into());
        }
        if let (Some(tags), Some(stored), false) = (&self.request.if_match, &stored, self.has_begun())
            && !tags.iter().any(|tag| stored.version.matches(tag))
        {
            return Err(ProvisionError::VersionMismatch { kind: ResourceKind::Group }.into());
        }
        let current = stored.as_ref().map(as_requests_see_it).transpose()?;
        let former = match self.before.get() {
            Some(before) => before.former()?,
            None => Before::of(stored.as_ref())?.former()?,
        };
        let before = &former.standing;
        let Some(wanted) = self.wish.apply(kind(), current.as_ref())? else {
            if before.published && !self.is_publishing() && self.is_still_published(before).await? {
                return Err(ProvisionError::Published.into());
            }
            return self.follow(Course { stored, former, after: None }, Offenders::default()).await;
        };
        let mut offenders = Offenders::default();
        let members = self.members(&wanted, stored.as_ref(), &mut offenders).await?;
        let name = wanted.display_name().ok_or_else(|| missing("displayName"))?.to_owned();
        let standing = self.standing(&name, before, former.name.as_deref()).await?;
        if let (Some(stored), Some(current), false) = (&stored, &current, self.has_begun()) {
            let as_it_is = Standing { refused: before.refused.clone(), ..standing.clone() };
            if offenders.is_empty() && with_members(as_it_is.written(&wanted)?, &members) == *current {
                self.end_unchanged().await?;
                return Ok(self.success(stored.clone(), Vec::new(), false));
            }
        }
        let body = standing.written(&with_members(wanted, []))?;
        let after = Some(After { name, standing, body, members });
        self.follow(Course { stored, former, after }, offenders).await
    }

    /// Two groups must not take one name at once: the turn is kept until the name is recorded.
    async fn name(&self, course: &Course) -> Result<Named, Stop> {
        let Some(after) = course.after.as_ref().filter(|_| course.is_renamed()) else {
            return Ok(Named::Free(None));
        };
        let was = course.stored.as_ref().map(body_of).transpose()?;
        let folded = scim_types::fold(&after.name);
        if was.as_ref().and_then(Resource::display_name).map(scim_types::fold).as_ref() == Some(&folded) {
            return Ok(Named::Free(None));
        }
        let turn = self.inner.turns.enter(name_turn(&self.scene.tenant.id, &folded)).await;
        match self.another(&after.name).await? {
            Some(other) => self.joined(&other).await,
            None => Ok(Named::Free(Some(turn))),
        }
    }

    /// The other Group of this name.
    async fn another(&self, name: &str) -> Result<Option<StoredResource>, ProvisionError> {
        let query = Query {
            kind: ResourceKind::Group,
            filter: Some(filter_of(name)?),
            sort: None,
            // Itself among them, where only the case of its name changes.
            window: Window::Index { offset: 0, count: 2 },
            with_members: false,
        };
        let page = self.inner.store.find(&self.scene.tenant.id, &query).await?;
        Ok(page.resources.into_iter().find(|other| other.id != self.id))
    }

    /// Another has the name. It may be ourselves: the same request, repeated, finds the end of the first one if nobody has heard
    /// it yet.
    async fn joined(&self, other: &StoredResource) -> Result<Named, Stop> {
        let earlier = self.earlier().await?.filter(|earlier| earlier.resource == other.id);
        Ok(match earlier {
            Some(earlier) if earlier.state.is_open() => {
                Named::Taken(ProvisionError::RollingForward { change: earlier.id, retry_after: RETRY_AFTER })
            }
            Some(earlier) if is_in_part(&earlier) => {
                Named::Taken(busy("the group has just been made, and some of its members are missing"))
            }
            Some(earlier) if !earlier.answered => {
                self.inner.store.mark_answered(&earlier.id).await?;
                let tenant = &self.caller.tenant;
                let kept = self.inner.store.get(tenant, ResourceKind::Group, other.id.as_str()).await?;
                let kept = kept.ok_or(Stop::Again)?;
                Named::Repeat(Box::new(self.success(kept, Vec::new(), true)))
            }
            _ => Named::Taken(name_taken()),
        })
    }

    /// The last equal POST of this client, if this is one.
    async fn earlier(&self) -> Result<Option<Change>, StoreError> {
        let Some(fingerprint) = &self.fingerprint else { return Ok(None) };
        let since = self.inner.clock.now().saturating_sub(REPEAT_WITHIN).unwrap_or(self.accepted);
        self.inner.store.find_repeat(&self.caller.tenant, &self.caller.client, fingerprint, since).await
    }

    /// The last equal POST, where the Group that it made is still there without some of its members, and this one is to
    /// try them again.
    async fn done_in_part(&self) -> Result<Option<Change>, ProvisionError> {
        let Wish::Create(resource) = &self.wish else { return Ok(None) };
        let Some(earlier) = self.earlier().await?.filter(is_in_part) else { return Ok(None) };
        let named = self.another(resource.display_name().unwrap_or_default()).await?;
        Ok(named.filter(|group| group.id == earlier.resource).map(|_| earlier))
    }

    /// Tries who could not join the Group that an equal POST has made. Who could, and was taken out since, stays out.
    async fn complete(&self, earlier: &Change) -> Reply {
        let undone = earlier.outcome.as_ref().map(|outcome| outcome.undone.as_slice()).unwrap_or_default();
        let is_undone = |member: &&Value| {
            let id = member.get("value").and_then(Value::as_str);
            undone.iter().any(|undone| id == Some(undone.as_str()))
        };
        let members: Vec<&Value> = match &self.wish {
            Wish::Create(resource) => {
                let members = resource.get("members").and_then(Value::as_array);
                members.into_iter().flatten().filter(is_undone).collect()
            }
            _ => Vec::new(),
        };
        let request = Request {
            id: Some(earlier.resource.to_string()),
            operation: Operation::Patch(json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "add", "path": "members", "value": members }],
            })),
            ..self.request.clone()
        };
        match Self::accept(&self.inner, &self.caller, request)?.answer().await? {
            Answer::Updated(written) => {
                self.inner.store.mark_answered(&earlier.id).await?;
                Ok(Answer::Created(written))
            }
            other => Ok(other),
        }
    }

    /// As recorded.
    async fn stored(&self) -> Result<Option<StoredResource>, StoreError> {
        let stored =
            self.inner.store.get(&self.scene.tenant.id, ResourceKind::Group, self.id.as_str()).await?;
        Ok(stored.filter(|stored| !stored.pending))
    }

    fn success(&self, resource: StoredResource, warnings: Vec<crate::Warning>, changed: bool) -> Answer {
        let written = Written { resource, warnings, changed };
        match self.wish {
            Wish::Create(_) => Answer::Created(written),
            Wish::Delete => Answer::Deleted(written.warnings),
            Wish::Replace(_) | Wish::Patch(_) | Wish::Keep => Answer::Updated(written),
        }
    }

    /// Whether Gangway itself asks, because of what an org offers.
    fn is_publishing(&self) -> bool {
        self.caller.client.as_str() == PUBLISHER
    }

    fn has_begun(&self) -> bool {
        self.before.get().is_some()
    }

    /// Whether somebody may lose something by it, as far as the request alone tells.
    fn may_take_access_away(&self) -> bool {
        matches!(self.request.operation, Operation::Delete | Operation::Replace(_) | Operation::Patch(_))
    }

    /// Whether somebody waits for the end.
    fn is_awaited(&self) -> bool {
        self.lock_reply().as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn lock_reply(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<Reply>>> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_found(&self) -> ProvisionError {
        ProvisionError::NotFound { kind: ResourceKind::Group, id: self.id.to_string() }
    }

    fn goes_on(&self) -> ProvisionError {
        ProvisionError::RollingForward { change: self.change.clone(), retry_after: RETRY_AFTER }
    }
}

/// Whether a Group may have its name.
enum Named {
    /// Yes, and nobody else takes it meanwhile.
    Free(Option<Turn>),
    /// The request has been done already.
    Repeat(Box<Answer>),
    /// No, and this is why.
    Taken(ProvisionError),
}

/// Whether a change has made a Group without some of its members, and nobody has come again for them.
fn is_in_part(change: &Change) -> bool {
    let lacks = change.outcome.as_ref().is_some_and(|outcome| outcome.reason.is_some());
    !change.state.is_open() && !change.answered && lacks
}

/// The turn of a name, folded: two Groups must not take one at once.
fn name_turn(tenant: &TenantId, folded: &str) -> String {
    format!("{tenant}/group-name/{folded}")
}

/// Who is called so.
fn filter_of(name: &str) -> Result<Filter, ProvisionError> {
    Filter::parse(&format!("displayName eq {}", Value::from(name)), kind())
        .map_err(|error| ProvisionError::Invalid(error.into()))
}

fn name_taken() -> ProvisionError {
    ProvisionError::Taken { kind: ResourceKind::Group, attribute: "displayName" }
}

fn busy(why: &str) -> ProvisionError {
    ProvisionError::Busy { why: why.to_owned(), retry_after: RETRY_AFTER }
}

fn kind() -> &'static ResourceType {
    Registry::standard().group()
}

/// The stored body with its members, as a request sees it.
fn as_requests_see_it(stored: &StoredResource) -> Result<Resource, ProvisionError> {
    let members: Vec<_> = stored.members.iter().map(as_wanted).collect();
    Ok(with_members(body_of(stored)?, &members))
}
