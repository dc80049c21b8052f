//! The life of one change of a User: its turn, decide, journal, act, record, answer.
//!
//! [`UserChange::carry_out`] is the loop; each round decides anew from what is known now. What one round may end in is
//! [`Stop`]. Nothing that was sent is ever sent again before it was read back.
//!
//! | file | what it holds |
//! |---|---|
//! | `scene.rs`, `progress.rs` | the configuration that it is decided by; what it has learnt and done so far |
//! | `decide.rs`, `round.rs` | one round, and what its decisions rest on |
//! | `refer.rs`, `claim.rs` | the records that mappings refer to; what nobody else may match meanwhile |
//! | `asks.rs`, `grants.rs`, `fit.rs`, `seats.rs` | what a User is to have beside its record: asked for, decided, held against licences, paid with seats |
//! | `meant.rs` | what a request means by its names and lists |
//! | `shown.rs` | what reads show of that |
//! | `journal.rs`, `act.rs`, `crowd.rs` | durable first, then sent, together with what belongs together |
//! | `settle.rs` | when nothing can be left to decide, so that the change ends without another round |
//! | `learn.rs`, `read_back.rs`, `see.rs` | what a refusal teaches, what became of a cut call, what Salesforce shows |
//! | `leaving.rs` | who is frozen, what keeps a User active, and what is owed because of that |
//! | `hold.rs`, `record.rs` | what a person has to decide; what landed, in one transaction |
//! | `preview.rs` | what would be done |

mod act;
mod asks;
mod by_others;
mod claim;
mod crowd;
mod decide;
mod fit;
mod grants;
mod hold;
mod journal;
mod learn;
mod leaving;
mod meant;
mod preview;
mod progress;
mod read_back;
mod record;
mod refer;
mod round;
mod scene;
mod seats;
mod see;
mod settle;
mod shown;

pub(crate) use asks::{can_be_given, id_text};
pub(crate) use crowd::Crowd;
pub(crate) use journal::outcome_of;
pub(crate) use leaving::frozen_by;
pub use preview::IdentityPlan;
pub(crate) use record::{action, reason_of};
pub(crate) use round::body_of;
pub(crate) use scene::{Bound, Scene};

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use claim::Claims;
use crowd::Place;
use model::{ChangeId, ClientName, ResourceId, Timestamp};
use progress::Progress;
use salesforce_client::{Asker, Ticket};
use store::{Asynchronous, Change, OpenChange, StoreError};
use tokio::sync::oneshot;

use crate::{
    Answer, Caller, Operation, ProvisionError, Request, fingerprint,
    provisioner::Inner,
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
/// A change that decides anew more often than this has met something that the plan does not know: a round for each look,
/// and one for each stage, of every target.
const MAX_ROUNDS: u32 = 24;

/// One change of one User.
pub(crate) struct UserChange {
    inner: Arc<Inner>,
    /// The configuration that it begins with.
    scene: Arc<Scene>,
    caller: Caller,
    request: Request,
    wish: Wish,
    id: ResourceId,
    change: ChangeId,
    accepted: Timestamp,
    /// Of a create: tells a repeat.
    fingerprint: Option<[u8; 32]>,
    /// The caller's deadline and the sender race for it. It knows whether the change takes access away, and so is always
    /// kept: from the request, or from the plan.
    ticket: Ticket,
    /// Where the change stands in the journal. Held while that is written, so that it is written once.
    entry: tokio::sync::Mutex<Entry>,
    /// Of one that others belong to.
    place: OnceLock<Place>,
    /// Where the caller waits, while it does.
    reply: Mutex<Option<oneshot::Sender<Reply>>>,
    /// A change that was answered before it was done (or taken up after a crash) has to be finished.
    owed: bool,
    /// What its caller, who does not wait, knows it by; none: its id.
    asynchronous: OnceLock<Asynchronous>,
}

/// Where a change stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Not in it, so far.
    None,
    /// In it, and open.
    Open,
    /// Ended, whether it ever was in it or not.
    Ended,
}

/// Why a round did not end in an answer.
#[derive(Debug)]
enum Stop {
    /// Something was learnt; decide anew.
    Again,
    /// The org cannot be asked now. Had nothing been sent before, nothing is kept.
    Stalled { why: String, retry_after: Option<Duration> },
    /// An equal POST is on its way, or was never answered.
    Join(Box<Change>),
    /// The caller's time was up before anything was sent.
    Withdrawn,
    /// Nothing is kept.
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

impl UserChange {
    /// Reads the request and gives it its id; nothing is kept yet.
    pub(crate) fn accept(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
    ) -> Result<Arc<Self>, ProvisionError> {
        let id = match &request.id {
            Some(id) => ResourceId::from_text(id.clone()),
            None => inner.ids.resource(),
        };
        let owed = request.respond_async;
        let change = inner.ids.change();
        Self::new(inner, caller, request, id, change, inner.clock.now(), owed).map(Arc::new)
    }

    /// Takes up an open change and works on it in the background.
    pub(crate) fn resume(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
        open: OpenChange,
    ) -> Result<(), ProvisionError> {
        let OpenChange { change, plan, landed, .. } = open;
        let resumed = Self::new(inner, caller, request, change.resource, change.id, change.accepted, true)?;
        *resumed.entry.try_lock().expect("nobody else has it yet") = Entry::Open;
        let mut progress = Progress::new(Arc::clone(&resumed.scene), plan);
        progress.has_landed = landed;
        progress.is_resumed = true;
        if progress.was_unsure || progress.has_landed {
            resumed.ticket.commit();
        }
        Arc::new(resumed).start(progress, None);
        Ok(())
    }

    fn new(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
        id: ResourceId,
        change: ChangeId,
        accepted: Timestamp,
        owed: bool,
    ) -> Result<Self, ProvisionError> {
        let wish = Wish::read(scim_types::Registry::standard().user(), &request)?;
        let fingerprint = match &wish {
            Wish::Create(resource) if resource.user_name().is_none() => return Err(missing("userName")),
            Wish::Create(resource) => Some(fingerprint::of(resource)),
            _ => None,
        };
        let asker =
            Asker { tenant: caller.tenant.clone(), client: caller.client.clone(), identity: id.clone() };
        // Whoever leaves a group loses what it stands for, whatever the org says.
        let leaves_a_group = matches!(&request.operation, Operation::Regroup(change) if !change.member);
        let ticket = Ticket::new(asker, wish.may_take_access_away() || leaves_a_group);
        if owed {
            ticket.nobody_waits();
        }
        Ok(Self {
            scene: Scene::of(inner, caller, &request.operation)?,
            inner: Arc::clone(inner),
            caller: caller.clone(),
            request,
            wish,
            id,
            change,
            accepted,
            fingerprint,
            ticket,
            entry: tokio::sync::Mutex::new(Entry::None),
            place: OnceLock::new(),
            reply: Mutex::new(None),
            owed,
            asynchronous: OnceLock::new(),
        })
    }

    /// In whose name it is: that of a task is who asked for what is owed.
    fn asker(&self) -> Option<&ClientName> {
        match &self.request.operation {
            Operation::Attempt(asker) => asker.as_ref(),
            _ => Some(&self.caller.client),
        }
    }

    /// Whether it only goes on with what others have asked for.
    fn asks_for_nothing(&self) -> bool {
        let is_task = matches!(self.request.operation, Operation::Attempt(_));
        is_task || self.caller.client.as_str() == crate::groups::PUBLISHER
    }

    /// Its caller, who does not wait, knows it by this.
    pub(crate) fn known_as(&self, asynchronous: Asynchronous) {
        let _ = self.asynchronous.set(asynchronous);
    }

    /// Starts the change and waits for its end, as long as a caller may.
    pub(crate) async fn answer(self: Arc<Self>) -> Reply {
        if self.request.respond_async {
            return self.acknowledge().await;
        }
        let (reply, mut answer) = oneshot::channel();
        Arc::clone(&self).start(self.progress(), Some(reply));
        match tokio::time::timeout(self.inner.settings.answer_within, &mut answer).await {
            Ok(answer) => self.heard(answer.ok()).await,
            Err(_) => self.out_of_time(answer).await,
        }
    }

    fn progress(&self) -> Progress {
        Progress::new(Arc::clone(&self.scene), None)
    }

    /// The answer; or the work has ended without a word: Gangway is stopping. An open change is taken up at the next start.
    async fn heard(&self, answer: Option<Reply>) -> Reply {
        match answer {
            Some(answer) => answer,
            None if *self.entry.lock().await == Entry::Open => Err(self.rolling_forward()),
            None => Err(busy("Gangway is stopping", None)),
        }
    }

    /// `Prefer: respond-async`: durable first, then answered, then done.
    async fn acknowledge(self: Arc<Self>) -> Reply {
        if !matches!(self.request.operation, Operation::Create(_))
            && self.inner.store.get(&self.caller.tenant, self.request.kind, self.id.as_str()).await?.is_none()
        {
            return Err(self.not_found());
        }
        match self.open(None, None, &[]).await {
            Ok(()) => {
                Arc::clone(&self).start(self.progress(), None);
                Ok(Answer::Accepted { id: self.id.clone(), change: self.change.clone() })
            }
            Err(Stop::Join(earlier)) => {
                let told = self.request.asynchronous(&earlier.id, self.asynchronous.get());
                self.inner.hear_of(&earlier, told).await?;
                Ok(Answer::Accepted { id: earlier.resource.clone(), change: earlier.id.clone() })
            }
            Err(Stop::Fail(error)) => Err(error),
            Err(stop) => Err(busy(&format!("the change could not be accepted ({stop:?})"), None)),
        }
    }

    /// The caller's time is up. What has not been sent is taken back, unless it takes access away.
    async fn out_of_time(&self, mut answer: oneshot::Receiver<Reply>) -> Reply {
        // Under the lock: whether the journal says that the caller was answered, and whether it is, must agree.
        let entry = self.entry.lock().await;
        if *entry == Entry::Ended {
            drop(entry);
            return self.heard(answer.await.ok()).await;
        }
        answer.close();
        drop(entry);
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        if self.ticket.takes_access_away() {
            self.keep().await?;
            return Err(self.will_be_done(None));
        }
        if self.ticket.withdraw() {
            return Err(busy("the Salesforce org has too much to do", None));
        }
        Err(self.rolling_forward())
    }

    /// Does it to its end, however long that takes: as a part of another change, together with others. `None`: it was left open,
    /// because Gangway is stopping.
    pub(crate) async fn run_to_end(self: Arc<Self>, crowd: &Crowd) -> Option<Reply> {
        let (tell, told) = oneshot::channel();
        let has_its_turn = !self.inner.turns.is_taken(&self.turn());
        let _ = self.place.set(crowd.place(has_its_turn));
        let progress = self.progress();
        self.work(progress, |_, ended| {
            let _ = tell.send(ended);
        });
        told.await.ok().flatten()
    }

    fn start(self: Arc<Self>, progress: Progress, reply: Option<oneshot::Sender<Reply>>) {
        *self.lock_reply() = reply;
        self.work(progress, |change, ended| {
            if let Some(result) = ended {
                change.tell(result);
            }
            // Dropped without a word when the change is left open.
            change.lock_reply().take();
        });
    }

    /// Carries it out at its turn, in the background; `end` hears how it ended.
    fn work(self: Arc<Self>, progress: Progress, end: impl FnOnce(&Self, Option<Reply>) + Send + 'static) {
        // A place in the queue now, so that requests are done in the order in which they came.
        let turn = self.inner.turns.enter(self.turn());
        let inner = Arc::clone(&self.inner);
        let change = self.change.clone();
        let work = async move {
            let turn = turn.await;
            let ended = self.carry_out(progress).await;
            drop(turn);
            end(&self, ended);
        };
        inner.run(change, work, &inner);
    }

    /// Round after round until the change has an end. `None`: it is left open for the next start.
    async fn carry_out(&self, mut progress: Progress) -> Option<Reply> {
        let mut pause = FIRST_PAUSE;
        if let Err(error) = self.is_still_planned(&mut progress).await {
            return Some(Err(self.give_up(error).await));
        }
        loop {
            let stop = match self.round(&mut progress).await {
                Ok(answer) => return Some(Ok(answer)),
                Err(stop) => stop,
            };
            let (why, retry_after) = match stop {
                Stop::Again if progress.rounds < MAX_ROUNDS => continue,
                Stop::Again => ("the org keeps changing under the change".to_owned(), None),
                Stop::Withdrawn => {
                    return Some(Err(self.give_up(busy("the caller's time was up", None)).await));
                }
                // A store or an org that cannot be read is no reason to forget what may have landed, or was promised.
                Stop::Fail(error @ (ProvisionError::Store(_) | ProvisionError::Misconfigured(_)))
                    if self.has_to_end(&progress) =>
                {
                    (error.to_string(), None)
                }
                Stop::Fail(error) => return Some(Err(self.give_up(error).await)),
                Stop::Join(earlier) => {
                    // The other one may need them to come to its end.
                    progress.claims = Claims::default();
                    match self.join(&earlier).await {
                        Ok(Some(reply)) => return Some(reply),
                        Ok(None) => continue,
                        Err(error) => return Some(Err(error.into())),
                    }
                }
                Stop::Stalled { why, retry_after } => (why, retry_after),
            };
            if !self.has_to_end(&progress) {
                return Some(Err(self.give_up(busy(&why, retry_after)).await));
            }
            if self.ticket.takes_access_away() {
                if let Err(error) = self.keep().await {
                    return Some(Err(error));
                }
                let retry_after = retry_after.map(|after| after.min(LONGEST_PAUSE));
                self.tell(Err(self.will_be_done(retry_after)));
            }
            tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %why, "a change waits for its org");
            let mut wait = retry_after.unwrap_or(pause);
            if self.ticket.takes_access_away() {
                // An org that says "in a quarter of an hour" may take a call for somebody else in a second.
                wait = wait.min(LONGEST_PAUSE);
            }
            let wait = wait.mul_f64(0.5 + self.inner.ids.jitter() / 2.0);
            pause = (pause * 2).min(LONGEST_PAUSE);
            // What was certainly not sent may be sent (or taken back) again.
            self.ticket.rearm();
            if !self.inner.pause(wait).await {
                return None;
            }
            progress.look_again(self.scene_again().await);
        }
    }

    /// Whether the change goes on until it is done: it takes access away, somebody was told so, or it may have had an
    /// effect.
    fn has_to_end(&self, progress: &Progress) -> bool {
        self.ticket.takes_access_away() || self.owed || progress.was_unsure || progress.has_landed
    }

    /// An equal POST of the same client: its end is this one's answer, if nobody has heard it yet. `None`: try again.
    async fn join(&self, earlier: &Change) -> Result<Option<Reply>, StoreError> {
        if earlier.state.is_open() {
            if !self.inner.is_running(&earlier.id) {
                let (change, retry_after) = (earlier.id.clone(), RETRY_AFTER);
                return Ok(Some(Err(ProvisionError::RollingForward { change, retry_after })));
            }
            self.inner.ended(&earlier.id).await;
            if self.ticket.is_withdrawn() {
                return Ok(Some(Err(busy("the caller's time was up", None))));
            }
            return Ok(None);
        }
        let kept =
            self.inner.store.get(&self.caller.tenant, self.request.kind, earlier.resource.as_str()).await?;
        let Some(resource) = kept else { return Ok(None) };
        // Under the lock, as in `out_of_time`: one whose time is just up, or who has hung up, does not hear it, and the
        // next one shall.
        let mut entry = self.entry.lock().await;
        if self.is_awaited() {
            self.inner.store.mark_answered(&earlier.id).await?;
            *entry = Entry::Ended;
        }
        let tasks = self.inner.store.tasks_of(&self.caller.tenant, &earlier.resource).await?;
        let warnings = tasks.iter().map(record::owed).collect();
        let written = crate::Written { resource, warnings, changed: true };
        Ok(Some(Ok(Answer::Created(written))))
    }

    /// What it waits for its turn by.
    fn turn(&self) -> String {
        format!("{}/{}", self.caller.tenant, self.id)
    }

    /// Tells the caller, if it is still there and has not been told.
    fn tell(&self, result: Reply) {
        if let Some(reply) = self.lock_reply().take() {
            let _ = reply.send(result);
        }
    }

    /// Whether somebody waits for the end. The change that it is a part of always does, also after a crash.
    fn is_awaited(&self) -> bool {
        let is_part = matches!(self.request.operation, Operation::Regroup(_));
        is_part || self.lock_reply().as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn lock_reply(&self) -> std::sync::MutexGuard<'_, Option<oneshot::Sender<Reply>>> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_create(&self) -> bool {
        matches!(self.wish, Wish::Create(_))
    }

    fn not_found(&self) -> ProvisionError {
        ProvisionError::NotFound { kind: self.request.kind, id: self.id.to_string() }
    }

    fn rolling_forward(&self) -> ProvisionError {
        ProvisionError::RollingForward { change: self.change.clone(), retry_after: RETRY_AFTER }
    }

    fn will_be_done(&self, retry_after: Option<Duration>) -> ProvisionError {
        let retry_after = retry_after.unwrap_or(RETRY_AFTER);
        ProvisionError::WillBeDone { change: self.change.clone(), retry_after }
    }
}

fn busy(why: &str, retry_after: Option<Duration>) -> ProvisionError {
    ProvisionError::Busy { why: why.to_owned(), retry_after: retry_after.unwrap_or(RETRY_AFTER) }
}
