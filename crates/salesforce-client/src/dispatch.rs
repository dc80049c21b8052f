//! The dispatcher: the one way in which changes are written to an org.
//!
//! While calls are in flight the next ones fill up. When nothing is in flight a change leaves at once, alone, as one
//! Composite whose later rows refer to earlier ones. A crowd shares calls: records in collections of up to 200, five
//! of them in a Composite, and what follows from these records in the next call; the login records of who is to be frozen are
//! looked up by a query in the same call, a crowd's in the call before. A call takes its share of what waits
//! (waiting ÷ free slots), so that one slot does not take everything and leave the others empty. While nobody waits for any of
//! them to land, changes gather until a call is full, about a second for each call. Conversions of leads, which
//! REST has no resource for, have SOAP calls of their own, up to a hundred leads in one.
//!
//! `waiting` and `line` say whose turn it is, `change` how far a change is, `batch` what goes in one call, `call`, `convert` and `freeze` how
//! that is written and read, `size` how large it may be. All of these are pure; the rest is here.

mod batch;
mod call;
mod change;
mod convert;
mod freeze;
#[cfg(test)]
mod laws;
mod line;
mod size;
mod tally;
mod waiting;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use salesforce_types::{Step, StepOutcome};
use tokio::sync::oneshot;

pub use self::tally::CallSizes;
use self::{
    batch::{Batch, Shape},
    call::Said,
    change::{Change, Landing},
    size::Size,
    tally::Tally,
    waiting::Waiting,
};
pub(crate) use self::{
    call::Paths,
    change::{REFERENCE, holds_reference},
};
use crate::{
    CallError, Org, Ticket,
    answer::{SOON, Trouble},
    limits::Shares,
    org::{QUEUE_FOR, RENEWALS, RESERVE_FOR},
    soap,
    transport::Request,
};

/// How long the slot of a crowd's call waits, at the most, for those who were in it.
const LONGEST_REST: Duration = Duration::from_millis(20);
/// How long what nobody waits for gathers, after a call of such changes has left: the first one of a day leaves at once, a
/// crowd that comes one by one costs a call in each second or full calls. An API call costs the org as much for one as for a thousand.
const GATHER_FOR: Duration = Duration::from_secs(1);
/// Statuses of a whole call that one of its records, or their number, may be the reason for: a value that cannot be
/// parsed, and what is too large.
const SPOILT: [u16; 4] = [400, 413, 414, 431];

/// What waits for an org, and how many calls are in flight.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    state: Mutex<State>,
    tally: Tally,
}

#[derive(Debug)]
struct State {
    /// Changes that take access away: before all others, and with a slot of their own.
    leavers: Waiting,
    others: Waiting,
    /// Slots that changes of every kind share.
    slots: usize,
    /// Those that nobody has.
    free: usize,
    /// Changes in the calls in flight.
    under_way: usize,
    /// The slot kept for changes that take access away.
    kept: bool,
    /// No call in flight carries group, role or territory steps.
    sharing: bool,
    size: Size,
    /// Until then, changes that nobody waits for gather.
    gathers_until: Option<Instant>,
    /// Somebody will look again by then.
    is_timed: bool,
}

/// The steps of a change, ready to be sent.
#[derive(Debug)]
pub struct Ready(Change);

/// Where the outcomes of steps are told.
#[derive(Debug)]
pub struct Told {
    outcomes: oneshot::Receiver<Vec<StepOutcome>>,
    steps: usize,
}

impl Told {
    /// What came of each step, in their order.
    pub async fn outcomes(self) -> Vec<StepOutcome> {
        let Self { outcomes, steps } = self;
        outcomes.await.unwrap_or_else(|_| {
            // The task that carried it is gone: the process is going down.
            vec![StepOutcome::Unknown { why: "Gangway is stopping".to_owned() }; steps]
        })
    }
}

/// The slot of a call in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Open,
    Kept,
}

impl Dispatcher {
    pub(crate) fn new(slots: usize) -> Self {
        let slots = slots.max(1);
        let state = Mutex::new(State {
            leavers: Waiting::default(),
            others: Waiting::default(),
            slots,
            free: slots,
            under_way: 0,
            kept: true,
            sharing: true,
            size: Size::default(),
            gathers_until: None,
            is_timed: false,
        });
        Self { state, tally: Tally::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes that wait for a call.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state();
        state.leavers.len() + state.others.len()
    }

    /// Slots that are taken.
    pub(crate) fn in_flight(&self) -> usize {
        let state = self.state();
        state.slots - state.free + usize::from(!state.kept)
    }

    pub(crate) fn sizes(&self) -> CallSizes {
        self.tally.read()
    }
}

impl State {
    fn class(&mut self, leaver: bool) -> &mut Waiting {
        if leaver { &mut self.leavers } else { &mut self.others }
    }

    /// How many changes the next call takes: what waits, shared among the free slots, and no more than a slot's part of all
    /// that waits and is under way. Otherwise a crowd splits into one large call and a few who overtake it in small
    /// ones, which costs both time and calls.
    fn share(&self, waiting: usize, free: usize) -> usize {
        let all = self.leavers.len() + self.others.len() + self.under_way;
        waiting.div_ceil(free.max(1)).min(all.div_ceil(self.slots)).max(1)
    }

    /// Whether somebody waits for what is in line, a call is full, or it has gathered for long enough.
    fn has_gathered(&self, now: Instant) -> bool {
        self.others.is_awaited()
            || self.others.len() >= self.size.patient_limit()
            || self.gathers_until.is_none_or(|until| until <= now)
    }

    /// The next call for changes of no haste, with a slot free.
    fn gather(&mut self, now: Instant) -> Option<Batch> {
        if self.others.is_awaited() {
            let share = self.share(self.others.len(), self.free);
            return self.others.choose(share, self.size.limit(), self.sharing);
        }
        let batch = self.others.choose(self.others.len(), self.size.patient_limit(), self.sharing)?;
        self.gathers_until = Some(now + GATHER_FOR);
        Some(batch)
    }

    /// When somebody has to look again: what waits gathers, and a slot is free. Asked once for each time.
    fn look_again(&mut self, now: Instant) -> Option<Duration> {
        let waits = self.free > 0 && self.others.len() > 0 && !self.has_gathered(now);
        let until = self.gathers_until.filter(|_| waits && !self.is_timed)?;
        self.is_timed = true;
        Some(until - now)
    }

    /// The next call, with its slot taken. `None`: nothing to do yet, or no slot to do it in.
    fn next(&mut self, now: Instant) -> Option<(Batch, Slot)> {
        let slot = if self.free > 0 { Slot::Open } else { Slot::Kept };
        let mut batch = None;
        if self.free > 0 || self.kept {
            let free = self.free + usize::from(self.kept);
            let share = self.share(self.leavers.len(), free);
            batch = self.leavers.choose(share, self.size.limit(), self.sharing);
        }
        if batch.is_none() && self.free > 0 && self.has_gathered(now) {
            batch = self.gather(now);
        }
        let batch = batch?;
        self.under_way += batch.changes.len();
        match slot {
            Slot::Open => self.free -= 1,
            Slot::Kept => self.kept = false,
        }
        if batch.sharing {
            self.sharing = false;
        }
        Some((batch, slot))
    }
}

impl Org {
    /// Sends the steps of a change and tells what came of each, in the same order.
    ///
    /// Steps are done in order and each for itself: one that is refused stops no other but those that refer to its
    /// record. How many calls they take, and who else's steps are in the same calls, makes no difference to what becomes of
    /// them. The ticket is taken directly before the first byte goes out; if it is withdrawn by then, every step is
    /// [`StepOutcome::NotSent`] and nothing leaves. While no step has had an effect, the ticket waits again.
    ///
    /// Tried again is only what certainly had no effect: connections that did not come about, an expired token, locked
    /// rows (those alone), 503 in Salesforce's own words. That a name is taken, or a record gone, is the caller's to decide
    /// about. After a step of unknown end nothing more of the change is sent.
    ///
    /// A conversion that names no status gets the org's first one that means converted.
    ///
    /// Dropping the future before anything is sent withdraws the change; afterwards its outcome stays unknown. A ticket is for
    /// one act after the other, not for two at once: one that had no effect would let the caller withdraw the other.
    pub async fn act(&self, steps: &[Step], ticket: &Ticket) -> Vec<StepOutcome> {
        let (ready, told) = self.prepare(steps, ticket).await;
        self.send_together([ready]);
        told.outcomes().await
    }

    /// The first half of [`Org::act`]: the steps, ready to be sent, and where their outcomes are told.
    pub async fn prepare(&self, steps: &[Step], ticket: &Ticket) -> (Ready, Told) {
        let mut completed = steps.to_vec();
        let lacking = self.complete_conversions(&mut completed).await;
        let (mut change, outcomes) = Change::new(completed, ticket);
        if let Err(error) = &lacking {
            change.end_conversions(error);
        }
        (Ready(change), Told { outcomes, steps: steps.len() })
    }

    /// The second half of [`Org::act`], for several at once: none leaves before all are in line, so that a crowd is in calls as
    /// full as they may be, whatever the org's pace.
    pub fn send_together(&self, ready: impl IntoIterator<Item = Ready>) {
        for Ready(mut change) in ready {
            if !change.goes_on() {
                change.answer();
            } else if let Err(mut change) = self.enqueue(change) {
                change.end_waiting("queue full: too many changes wait for this org", Some(QUEUE_FOR));
                change.answer();
            }
        }
        self.pump();
    }

    /// Puts a change in line.
    fn enqueue(&self, change: Change) -> Result<(), Change> {
        let mut state = self.0.dispatcher.state();
        let class = state.class(change.leaver);
        if class.is_full_for(change.asker()) {
            return Err(change);
        }
        class.put(change);
        Ok(())
    }

    /// Fills the free slots.
    fn pump(&self) {
        loop {
            let mut state = self.0.dispatcher.state();
            // One moment for both questions: what has not gathered by it is looked at again.
            let now = Instant::now();
            let Some((batch, slot)) = state.next(now) else {
                let pause = state.look_again(now);
                drop(state);
                self.pump_later(pause);
                break;
            };
            drop(state);
            let held = Held {
                org: self.clone(),
                slot,
                changes: batch.changes.len(),
                sharing: batch.sharing,
                is_back: false,
                is_over: false,
            };
            let org = self.clone();
            tokio::spawn(async move { org.carry(batch, held).await });
        }
    }

    /// Looks again when what nobody waits for has gathered.
    fn pump_later(&self, pause: Option<Duration>) {
        let Some(pause) = pause else { return };
        let org = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            org.0.dispatcher.state().is_timed = false;
            org.pump();
        });
    }

    /// Sends a batch. Where one of its changes may have spoilt it for the others, they all try again in smaller company: not
    /// here and now, where the slot and the sharing lock would be held for many calls, but from the line.
    async fn carry(&self, Batch { mut changes, shape, .. }: Batch, mut held: Held) {
        let started = Instant::now();
        let sent = self.send(&mut changes, shape).await;
        // They are told or back in line from now on; counted twice, they would have the next calls take too much.
        held.end_changes();
        let lone = changes.len() == 1;
        if lone {
            // Before anybody hears of its end: who then comes with the next change finds the slot free.
            held.give_back();
        }
        match sent {
            Ok(()) => self.settle(changes, None),
            Err(Trouble::Final(CallError::Refused(refusal)))
                if changes.len() > 1 && SPOILT.contains(&refusal.status) =>
            {
                tracing::debug!(code = refusal.code, "a call with several changes is taken apart");
                let half = changes.len() / 2;
                for change in &mut changes {
                    change.take_back();
                    change.company = half;
                }
                self.settle(changes, None);
            }
            Err(trouble) => self.fail(changes, trouble),
        }
        if !lone {
            // Those of a crowd who have their answers may come with their next changes, and had better share the next call
            // than be the one that leaves without the others.
            tokio::time::sleep((started.elapsed() / 50).min(LONGEST_REST)).await;
        }
        held.is_over = true;
    }

    /// One call. `Ok`: every step in it has its landing.
    async fn send(&self, changes: &mut [Change], mut shape: Shape) -> Result<(), Trouble> {
        let inner = &self.0;
        let mut renewals = 0;
        loop {
            if self.reserve_reached() && !changes.iter().any(|change| change.leaver) {
                return Err(not_sent("reserve: the org's API calls are nearly used up", Some(RESERVE_FOR)));
            }
            let session = inner.tokens.session().await?;
            // With slot and token at hand: the last moment in which a caller may withdraw.
            shape.retain(|change| changes[change].leave());
            if shape.steps() == 0 {
                return Ok(());
            }
            for (change, step) in shape.places() {
                changes[change].send(step);
            }
            let call = call::write(&inner.paths, changes, &shape);
            let request = Request {
                cause: call.cause,
                method: call.method,
                path: call.path,
                object: &call.object,
                body: call.body,
                manner: call.manner,
                if_modified_since: None,
                shares: Shares::of(shape.changes().into_iter().map(|change| changes[change].asker())),
            };
            inner.dispatcher.tally.count(shape.steps());
            let started = Instant::now();
            let answer = inner.wire.call(&session, &request).await.map_err(Trouble::from);
            let judged = answer.and_then(|answer| call::judge(answer, &shape));
            if matches!(judged, Err(Trouble::Expired)) {
                inner.tokens.forget(&session);
                if renewals < RENEWALS {
                    renewals += 1;
                    changes.iter_mut().for_each(Change::take_back);
                    continue;
                }
            }
            let landings = match judged {
                Ok(said) => {
                    if let Said::Soap(soap::Results { usage: Some(usage), .. }) = &said {
                        inner.wire.gauge.note(*usage, inner.clock.now());
                    }
                    let landings = call::read(&said, changes, &shape);
                    // A locked row holds its call up for ten seconds, however few records are in it.
                    if !landings.iter().any(|(_, landing)| matches!(landing, Landing::Locked(_))) {
                        inner.dispatcher.state().size.learn(shape.records(), started.elapsed());
                    }
                    landings
                }
                Err(trouble) => vec![call::read_refusal(trouble, changes, &shape)?],
            };
            for ((change, step), landing) in landings {
                changes[change].land(step, landing);
            }
            return Ok(());
        }
    }

    /// Answers for the changes that have an end, and puts the others back in line: at once, or after a pause where rows
    /// were locked or a policy asks for one.
    fn settle(&self, changes: Vec<Change>, pause: Option<Duration>) {
        let jitter = self.0.jitter.jitter();
        let mut later: Vec<Change> = Vec::new();
        let mut longest = pause.unwrap_or_default();
        for mut change in changes {
            if !change.goes_on() {
                change.answer();
                continue;
            }
            if change.is_abandoned() {
                change.end_waiting("withdrawn", None);
                change.answer();
                continue;
            }
            let Some(why) = change.locked.take() else {
                match pause {
                    Some(_) => later.push(change),
                    None => self.put(change),
                }
                continue;
            };
            change.tries.locked += 1;
            if let Some(pause) = self.0.pace.locked.pause(change.tries.locked, jitter) {
                longest = longest.max(pause);
                later.push(change);
            } else {
                change.end_waiting(&why, Some(SOON));
                change.answer();
            }
        }
        if !later.is_empty() {
            self.put_later(later, longest);
        }
    }

    /// The whole call came to nothing, or nobody knows to what.
    fn fail(&self, mut changes: Vec<Change>, trouble: Trouble) {
        let pace = &self.0.pace;
        let policy = match &trouble {
            Trouble::Unsent { .. } => Some(pace.unreachable),
            Trouble::Overloaded(_) => Some(pace.overloaded),
            Trouble::Locked(_) => Some(pace.locked),
            Trouble::Unclear { .. } => {
                self.0.dispatcher.state().size.lost();
                None
            }
            Trouble::Expired | Trouble::Final(_) => None,
        };
        let jitter = self.0.jitter.jitter();
        let end = StepOutcome::from(trouble.give_up(true));
        let mut longest = Duration::ZERO;
        for change in &mut changes {
            change.tries.calls += 1;
            match (policy.and_then(|policy| policy.pause(change.tries.calls, jitter)), &end) {
                (Some(pause), _) => {
                    longest = longest.max(pause);
                    change.take_back();
                }
                (None, StepOutcome::NotSent { why, retry_after }) => {
                    change.take_back();
                    change.end_waiting(why, *retry_after);
                }
                (None, end) => change.end_sent(end),
            }
        }
        self.settle(changes, policy.map(|_| longest));
    }

    fn put(&self, change: Change) {
        let mut state = self.0.dispatcher.state();
        state.class(change.leaver).put(change);
    }

    /// Together, as they were sent together: whoever had to wait for a lock need not pay with a call of its own.
    fn put_later(&self, changes: Vec<Change>, pause: Duration) {
        let org = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            for change in changes {
                org.put(change);
            }
            org.pump();
        });
    }
}

fn not_sent(why: &str, retry_after: Option<Duration>) -> Trouble {
    Trouble::Final(CallError::NotSent { why: why.to_owned(), retry_after })
}

/// Gives the slot back when the call is over, however it ends, and fills it again.
struct Held {
    org: Org,
    slot: Slot,
    changes: usize,
    sharing: bool,
    is_back: bool,
    is_over: bool,
}

impl Held {
    /// The changes of the call are no longer in it.
    fn end_changes(&mut self) {
        self.org.0.dispatcher.state().under_way -= std::mem::take(&mut self.changes);
    }

    fn give_back(&mut self) {
        if std::mem::replace(&mut self.is_back, true) {
            return;
        }
        self.end_changes();
        let mut state = self.org.0.dispatcher.state();
        match self.slot {
            Slot::Open => state.free += 1,
            Slot::Kept => state.kept = true,
        }
        if self.sharing {
            state.sharing = true;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
        // Dropped in the middle: by a panic, after which others go on, or by a runtime that is going down. There nobody
        // carries anything, and each task that is begun would be dropped within this one, to begin the next.
        if self.is_over || std::thread::panicking() {
            self.org.pump();
        }
    }
}
