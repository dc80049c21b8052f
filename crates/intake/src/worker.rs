//! Applies what is stored, and tries again what could not be applied.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use model::Timestamp;
use store::{EventKey, EventState, Settled, StoredEvent};
use tokio::sync::Semaphore;

use crate::{Event, Intake, Outcome, Source};

/// How often it is looked for what is due, when nothing new comes in.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many events are applied at once. Each waits for a call most of the time, and the dispatcher puts them together.
const AT_ONCE: u32 = 64;
/// How many of one source: the org of one may be away, and those of the others are not.
const OF_EACH: u32 = 16;
/// How long an event waits here that could not be put off: the store cannot be written.
const STORE_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// An event that could not be applied for so long is dead: Salesforce has been away for longer than any outage, or something
/// is wrong that nobody has seen.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
const NO_SOURCE: &str = "its source is not configured any more";
/// How often old events are forgotten.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long the outcome of an event is kept: Akamai may send one again for 10 days.
pub const KEEP_EVENTS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long it is remembered that a subject was deleted.
pub const KEEP_TOMBSTONES: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is being applied here.
#[derive(Debug, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<EventKey>>>);

/// An event that somebody is at. It ends with whoever has it, however that ends.
#[derive(Debug)]
pub(crate) struct Hold {
    of: Running,
    key: EventKey,
}

impl Running {
    /// Takes it, if it is nobody's.
    #[must_use]
    pub(crate) fn begin(&self, key: &EventKey) -> Option<Hold> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_free.then(|| Hold { of: Self(Arc::clone(&self.0)), key: key.clone() })
    }

    pub(crate) fn has(&self, key: &EventKey) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.of.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Intake {
    /// Applies stored events when they are due, for ever.
    pub(crate) async fn work(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(AT_ONCE as usize));
        let mut pruned = Timestamp::UNIX_EPOCH;
        loop {
            // Those that are being applied are among them, and there are never more of those.
            match self.inbox.due_events(self.clock.now(), 2 * AT_ONCE, OF_EACH).await {
                Ok(due) => {
                    for event in due {
                        self.begin(event, &places).await;
                    }
                }
                Err(error) => tracing::error!(%error, "stored events could not be read"),
            }
            let now = self.clock.now();
            if now.duration_since(pruned) >= PRUNE_EVERY {
                pruned = now;
                self.prune(now).await;
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.stored.notified()).await;
        }
    }

    async fn begin(self: &Arc<Self>, event: StoredEvent, places: &Arc<Semaphore>) {
        let Some(hold) = self.running.begin(&event.key) else { return };
        let place = Arc::clone(places).acquire_owned().await;
        let intake = Arc::clone(self);
        tokio::spawn(async move {
            let key = event.key.clone();
            let work = tokio::spawn({
                let intake = Arc::clone(&intake);
                async move { intake.attempt(event).await }
            });
            if let Err(error) = work.await {
                tracing::error!(panicked = error.is_panic(), "an event could not be applied");
                let due = intake.clock.now() + LONGEST_PAUSE;
                intake.put_off(&key, "Gangway failed at it", due).await;
            }
            drop((hold, place));
            // There may be another of its subject.
            intake.stored.notify_one();
        });
    }

    /// Tries a stored event once.
    async fn attempt(self: &Arc<Self>, stored: StoredEvent) {
        let now = self.clock.now();
        let is_over = now.duration_since(stored.received) >= GIVE_UP_AFTER && !stored.approved;
        let Some(source) = self.source(&stored.key.tenant, &stored.key.source) else {
            if is_over {
                return self.give_up(None, &stored.key, NO_SOURCE).await;
            }
            return self.put_off(&stored.key, NO_SOURCE, now + LONGEST_PAUSE).await;
        };
        let read = stored.payload.clone().map(serde_json::from_value::<Event>);
        let Some(Ok(event)) = read else {
            let why = "it was stored by another version of Gangway and cannot be read";
            return self.give_up(Some(&source), &stored.key, why).await;
        };
        if let Outcome::Later { why, .. } = self.apply(&source, &event, stored.approved).await {
            if is_over {
                return self.give_up(Some(&source), &stored.key, &why).await;
            }
            self.put_off(&stored.key, &why, self.clock.now() + self.pause(stored.attempts)).await;
        }
    }

    /// The pause after so many attempts in vain: doubled each time, with full jitter in its second half.
    fn pause(&self, attempts: u32) -> SignedDuration {
        let longest = SignedDuration::from_secs(1 << attempts.min(12)).min(LONGEST_PAUSE);
        longest / 2 + SignedDuration::from_secs_f64(longest.as_secs_f64() / 2.0 * self.ids.jitter())
    }

    async fn put_off(&self, key: &EventKey, why: &str, due: Timestamp) {
        if let Err(error) = self.inbox.postpone(key, why, due).await {
            tracing::error!(%error, "a stored event could not be put off");
            // It is still due, and nobody else has it before this has passed.
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    /// `source` is where it is counted, if that is still there.
    async fn give_up(&self, source: Option<&Source>, key: &EventKey, why: &str) {
        let settled = Settled {
            state: EventState::Dead,
            reason: Some(why.to_owned()),
            clocks: Vec::new(),
            at: self.clock.now(),
        };
        match self.inbox.settle(key, settled).await {
            Ok(()) => {
                if let Some(source) = source {
                    self.count(source, "dead", "");
                }
                tracing::warn!(jti = key.jti, source = %key.source, "an event is given up: see `gangway events list`");
            }
            Err(error) => tracing::error!(%error, "a stored event could not be given up"),
        }
    }

    async fn prune(&self, now: Timestamp) {
        if let Err(error) = self.inbox.prune_events(now - KEEP_EVENTS, now - KEEP_TOMBSTONES).await {
            tracing::error!(%error, "old events could not be forgotten");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> EventKey {
        let (tenant, source) = ("acme/prod".parse().unwrap(), "akamai".parse().unwrap());
        EventKey { tenant, source, jti: "a".to_owned() }
    }

    #[tokio::test]
    async fn an_event_is_free_again_though_whoever_was_at_it_has_panicked() {
        let running = Running::default();
        let hold = running.begin(&key()).unwrap();
        assert!(running.has(&key()) && running.begin(&key()).is_none());
        let task = tokio::spawn(async move {
            let _hold = hold;
            panic!("the log cannot be written");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert!(running.begin(&key()).is_some());
    }
}
