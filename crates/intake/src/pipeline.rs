//! The way of one event: received, in its order, applied, settled.
//!
//! ```text
//! receive ─► known: acknowledged, nothing done
//!    │
//!    ├─ sync ───► turn of its subject ─► out of date? ─► apply ─► settle ──► acknowledged
//!    │                                                      └──► release ─► 503: its source sends it again
//!    └─ stored ─► acknowledged ─► worker.rs: the same, until it is settled
//! ```
//!
//! Never is an event acknowledged that is neither applied nor durable, and never is one refused that can never be applied: its
//! source would send it for a day, and then it would be lost. Such a one is settled as dead, where a person finds it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use model::Timestamp;
use store::{EventKey, EventState, NewEvent, OwnEvents, Received, Settled, StoreError, SubjectClock};
use tokio::time::Instant;

use crate::{Acknowledge, Event, Intake, Order, Outcome, Refusal, Source, set};

/// When a source that is not told otherwise may send again.
const AGAIN: Duration = Duration::from_secs(3);

/// What was learnt of an event before it was applied.
enum Standing {
    Current,
    OutOfDate(&'static str),
    /// A deletion of before what was applied last, which happened then.
    Late(Timestamp),
}

impl Intake {
    /// Takes an event of a source in: when this is `Ok`, it may be acknowledged. Whoever waits is answered by then.
    pub(crate) async fn take(
        self: &Arc<Self>,
        source: &Arc<Source>,
        event: Event,
        until: Instant,
    ) -> Result<(), Refusal> {
        let stored = source.acknowledge == Acknowledge::Stored;
        // Beyond what clocks may differ by nothing has happened yet; whatever comes after it would be out of date.
        let happened = event.happened.min(self.clock.now() + set::SKEW);
        let event = Event { happened, ..event };
        let new = self.new_event(source, &event, stored);
        let Some(hold) = self.taking.begin(&new.key) else { return Err(Refusal::InFlight) };
        let (done, heard) = tokio::sync::oneshot::channel();
        let (intake, source) = (Arc::clone(self), Arc::clone(source));
        // Apart from whoever waits: a sender that hangs up, or for which it takes too long, stops nothing half-way.
        tokio::spawn(async move {
            let work = tokio::spawn(async move { intake.take_in(&source, new, event).await });
            let taken = work.await.unwrap_or_else(|error| {
                tracing::error!(panicked = error.is_panic(), "an event could not be applied");
                Err(Refusal::Unavailable { why: "Gangway failed at it".into(), retry_after: AGAIN })
            });
            drop(hold);
            // Nobody may be there any more to hear it.
            let _ = done.send(taken);
        });
        match tokio::time::timeout_at(until, heard).await {
            Ok(Ok(taken)) => taken,
            _ => Err(Refusal::Unavailable { why: "it takes longer than usual".into(), retry_after: AGAIN }),
        }
    }

    /// Receives an event and, where its source waits for that, applies it. Nobody else has it meanwhile.
    async fn take_in(
        self: &Arc<Self>,
        source: &Arc<Source>,
        new: NewEvent,
        event: Event,
    ) -> Result<(), Refusal> {
        let (key, stored) = (new.key.clone(), new.stored);
        let mut received = self.inbox.receive(new.clone()).await;
        if let Ok(Received::InFlight { jti }) = &received {
            let same = EventKey { jti: jti.clone(), ..key.clone() };
            if *jti != key.jti && self.taking.has(&same) {
                return Err(Refusal::InFlight);
            }
            // Nobody works on it any more: it was given up in the middle.
            if let Err(error) =
                self.inbox.release(&same, "it was given up in the middle", self.clock.now()).await
            {
                return Err(unavailable(&error));
            }
            received = self.inbox.receive(new).await;
        }
        match received {
            Err(error) => Err(unavailable(&error)),
            Ok(Received::Known(_)) => {
                self.count(source, "duplicate", "");
                Ok(())
            }
            Ok(Received::InFlight { .. }) => Err(Refusal::InFlight),
            Ok(Received::New) if stored => {
                self.count(source, "stored", "");
                self.stored.notify_one();
                Ok(())
            }
            Ok(Received::New) => match self.apply(source, &event, false).await {
                Outcome::Later { why, retry_after } => {
                    if let Err(error) = self.inbox.release(&key, &why, self.clock.now()).await {
                        tracing::error!(%error, "an event that was not applied could not be given back");
                    }
                    Err(Refusal::Unavailable { why, retry_after })
                }
                _ => Ok(()),
            },
        }
    }

    /// Applies something that was found out here, as if it had been sent. What cannot be done now is refused for now: it is found
    /// out once more.
    pub(crate) async fn take_own(&self, source: &Source, event: &Event) -> Outcome {
        if let Err(error) = self.receive_own(source, event).await {
            return Outcome::later(error.to_string());
        }
        let outcome = self.apply(source, event, false).await;
        if let Outcome::Later { why, .. } = &outcome
            && let Err(error) = self.inbox.release(&key(source, event), why, self.clock.now()).await
        {
            tracing::error!(%error, "what could not be applied could not be noted");
        }
        outcome
    }

    /// Takes in what was found out here, in the place of what was noted of it before.
    async fn receive_own(&self, source: &Source, event: &Event) -> Result<(), StoreError> {
        let subjects = vec![event.subject.clone()];
        self.supersede(source, &event.kind, subjects, EventState::Ignored, "it was tried again").await?;
        self.inbox.receive(self.new_event(source, event, false)).await.map(|_| ())
    }

    /// What was noted here of these subjects has come to this since.
    pub(crate) async fn supersede(
        &self,
        source: &Source,
        kind: &str,
        subjects: Vec<String>,
        state: EventState,
        why: &str,
    ) -> Result<(), StoreError> {
        let (tenant, name) = (source.tenant.clone(), source.name.clone());
        let events = OwnEvents { tenant, source: name, kind: kind.to_owned(), subjects };
        let reason = Some(why.to_owned());
        let settled = Settled { state, reason, clocks: Vec::new(), at: self.clock.now() };
        self.inbox.supersede(&events, settled).await.map(|_| ())
    }

    fn new_event(&self, source: &Source, event: &Event, stored: bool) -> NewEvent {
        NewEvent {
            key: key(source, event),
            same_as: event.same_as.clone(),
            delivery: event.delivery.clone(),
            subject: event.subject.clone(),
            kind: event.kind.clone(),
            happened: event.happened,
            // There is nothing in it that is not JSON already.
            payload: serde_json::to_value(event).unwrap_or_default(),
            stored,
            at: self.clock.now(),
        }
    }

    /// Applies an event at its turn and settles it, unless it cannot be applied now.
    pub(crate) async fn apply(&self, source: &Source, event: &Event, approved: bool) -> Outcome {
        let started = self.clock.now();
        let turn = self.turn(source, &event.subject);
        let _turn = turn.lock().await;
        let mut event = Cow::Borrowed(event);
        let outcome = match self.standing(source, &event).await {
            Err(error) => Outcome::later(error.to_string()),
            Ok(Standing::OutOfDate(why)) => Outcome::Ignored(why),
            Ok(Standing::Current) => source.kind.apply(self, source, &event, approved).await,
            Ok(Standing::Late(newest)) => match source.kind.is_gone(self, source, &event).await {
                Err(outcome) => outcome,
                Ok(false) => Outcome::Ignored("stale"),
                Ok(true) => {
                    // Nothing of what was applied before has come after it.
                    event.to_mut().happened = newest;
                    source.kind.apply(self, source, &event, approved).await
                }
            },
        };
        let event = &*event;
        let outcome = match self.settle(source, event, &outcome).await {
            Ok(()) => outcome,
            // It was done and is not known to be: doing it again comes to the same.
            Err(error) => Outcome::later(error.to_string()),
        };
        self.tell(source, event, &outcome, started);
        outcome
    }

    /// What is done to a subject is done while this is locked.
    pub(crate) fn turn(&self, source: &Source, subject: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.of(&(source.tenant.clone(), source.name.clone(), subject.to_owned()))
    }

    /// Puts something that was found out here, and can never be applied as it is, where dead events are: in the place of what was noted
    /// of it before.
    pub(crate) async fn keep_dead(
        &self,
        source: &Source,
        event: &Event,
        why: &str,
    ) -> Result<(), StoreError> {
        self.receive_own(source, event).await?;
        self.settle(source, event, &Outcome::Dead(why.to_owned())).await
    }

    /// Whether an event is out of date by what is known of its subject.
    async fn standing(&self, source: &Source, event: &Event) -> Result<Standing, StoreError> {
        if event.order == Order::Alone {
            return Ok(Standing::Current);
        }
        let Some(known) = self.inbox.subject(&source.tenant, &source.name, &event.subject).await? else {
            return Ok(Standing::Current);
        };
        let again = known.deleted.is_some_and(|deleted| deleted >= known.happened);
        let older = match (event.version, known.version) {
            // Who is there again counts from the beginning.
            (Some(version), Some(newest)) if !again => version < newest,
            _ => event.happened < known.happened,
        };
        Ok(match event.order {
            _ if known.deleted.is_some_and(|deleted| event.happened <= deleted) => {
                Standing::OutOfDate("stale-after-delete")
            }
            Order::Values if older => Standing::OutOfDate("stale"),
            // Times are of different clocks, or its subject is there again: only its source knows.
            Order::Delete if older => Standing::Late(known.happened),
            _ => Standing::Current,
        })
    }

    async fn settle(&self, source: &Source, event: &Event, outcome: &Outcome) -> Result<(), StoreError> {
        let now = self.clock.now();
        let clock = |deleted| SubjectClock {
            subject: event.subject.clone(),
            happened: event.happened,
            version: event.version,
            deleted,
        };
        let own = |deleted| if event.order == Order::Alone { Vec::new() } else { vec![clock(deleted)] };
        let (state, reason, clocks) = match outcome {
            Outcome::Later { .. } => return Ok(()),
            Outcome::Applied { note, clocks } => {
                let deleted = (event.order == Order::Delete).then_some(event.happened);
                let clocks = clocks.iter().cloned().chain(own(deleted)).collect();
                (EventState::Applied, note.clone(), clocks)
            }
            // It was gone when it was asked for, which may be long after the event.
            Outcome::Gone(what) => {
                (EventState::Ignored, Some(what.clone()), own(Some(now.max(event.happened))))
            }
            Outcome::Ignored(why) => (EventState::Ignored, Some((*why).to_owned()), Vec::new()),
            Outcome::Held(why) => (EventState::Held, Some(why.clone()), Vec::new()),
            Outcome::Dead(why) => (EventState::Dead, Some(why.clone()), Vec::new()),
        };
        self.inbox.settle(&key(source, event), Settled { state, reason, clocks, at: now }).await
    }

    /// Counts an outcome, and writes it to the log without what the event says of anybody.
    fn tell(&self, source: &Source, event: &Event, outcome: &Outcome, started: Timestamp) {
        let (word, reason) = match outcome {
            Outcome::Applied { .. } => ("applied", ""),
            Outcome::Ignored(why) => ("ignored", *why),
            Outcome::Gone(_) => ("ignored", "gone"),
            Outcome::Held(_) => ("held", ""),
            Outcome::Dead(_) => ("dead", ""),
            Outcome::Later { .. } => ("later", ""),
        };
        self.count(source, word, reason);
        let took = self.clock.now().duration_since(started).as_millis();
        let subject = subject_hash(&event.subject);
        let (tenant, name) = (&source.tenant, &source.name);
        match outcome {
            // Salesforce's words may quote a value: they are in the list of events, not in the log.
            Outcome::Dead(_) | Outcome::Held(_) => tracing::warn!(
                %tenant, source = %name, jti = event.jti, event = event.kind, subject, outcome = word, took,
                "an event needs a person: see `gangway events list`"
            ),
            _ => tracing::info!(
                %tenant, source = %name, jti = event.jti, event = event.kind, subject, outcome = word, reason, took,
                "event"
            ),
        }
    }
}

fn key(source: &Source, event: &Event) -> EventKey {
    EventKey { tenant: source.tenant.clone(), source: source.name.clone(), jti: event.jti.clone() }
}

fn unavailable(error: &StoreError) -> Refusal {
    tracing::error!(%error, "an event could not be taken in");
    Refusal::Unavailable { why: "Gangway's store cannot be written".into(), retry_after: AGAIN }
}

/// Tells subjects apart in the log without saying who they are.
fn subject_hash(subject: &str) -> String {
    let hash = digest(&SHA256, subject.as_bytes());
    hash.as_ref()[..6].iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}
