use std::{sync::Arc, time::Duration};

use model::Timestamp;

use super::{Reason, Rejected, keys::Keys};

/// How long a set that has run out goes on serving while it cannot be read again: a day, in which somebody notices.
const STALE: Duration = Duration::from_hours(24);
/// How often an unknown `kid` may have the set read again: whoever makes up tokens must not make us a flood of requests.
const BETWEEN: Duration = Duration::from_mins(1);
/// How soon it is tried again when there is no set at all: nothing is verified until then.
const BETWEEN_COLD: Duration = Duration::from_secs(5);

/// What was read of a key set, when, and what was tried: it decides and does nothing.
#[derive(Default)]
pub(super) struct Cache {
    held: Option<Held>,
    /// The last attempt, if it failed.
    failure: Option<(Timestamp, Arc<str>)>,
    /// When an unknown `kid` last had a set read again that was still fresh.
    asked_again: Option<Timestamp>,
}

struct Held {
    keys: Arc<Keys>,
    read_at: Timestamp,
    fresh_for: Duration,
}

impl Cache {
    /// The keys with this one among them, if there is no question about them.
    pub fn fresh(&self, kid: &str, now: Timestamp) -> Option<Arc<Keys>> {
        let held = self.held.as_ref().filter(|held| held.is_fresh(now) && held.keys.contains(kid))?;
        Some(Arc::clone(&held.keys))
    }

    /// Whether it is time to read the set, for a token whose key is not among the fresh ones.
    pub fn may_be_read(&self, now: Timestamp) -> bool {
        self.wait(now).is_zero()
    }

    /// What a token with this key gets when the set has been read for it, or may not be read yet.
    pub fn settle(&self, kid: &str, now: Timestamp) -> Result<Arc<Keys>, Rejected> {
        match (self.usable(now), &self.failure) {
            (Some(held), _) if held.keys.contains(kid) => Ok(Arc::clone(&held.keys)),
            (Some(held), None) if held.is_fresh(now) => Err(Rejected::new(
                Reason::Key,
                "the token names a key (`kid`) that the source does not publish",
            )),
            // The key may be among those that could not be read: nothing is known about the token.
            (_, Some((_, why))) => Err(Rejected::unavailable(why, self.wait(now))),
            (_, None) => Err(Rejected::unavailable("reading them was cut off", BETWEEN_COLD)),
        }
    }

    fn usable(&self, now: Timestamp) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.age(now) < held.fresh_for + STALE)
    }

    /// How long the set may not be read again.
    fn wait(&self, now: Timestamp) -> Duration {
        let fresh = self.held.as_ref().is_some_and(|held| held.is_fresh(now));
        let between = if self.usable(now).is_some() { BETWEEN } else { BETWEEN_COLD };
        let failed = self.failure.as_ref().map(|(at, _)| between.saturating_sub(between_times(*at, now)));
        let asked =
            self.asked_again.filter(|_| fresh).map(|at| BETWEEN.saturating_sub(between_times(at, now)));
        failed.max(asked).unwrap_or_default()
    }

    /// The set was read, or was not. `now` is when that began: the keys are at least as young.
    pub fn ended(&mut self, outcome: Result<(Arc<Keys>, Duration), Arc<str>>, now: Timestamp) {
        match outcome {
            Ok((keys, fresh_for)) => {
                if self.held.as_ref().is_some_and(|held| held.is_fresh(now)) {
                    self.asked_again = Some(now);
                }
                self.held = Some(Held { keys, read_at: now, fresh_for });
                self.failure = None;
            }
            Err(why) => self.failure = Some((now, why)),
        }
    }
}

impl Held {
    fn age(&self, now: Timestamp) -> Duration {
        between_times(self.read_at, now)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.age(now) < self.fresh_for
    }
}

/// The distance, whichever is earlier: a clock that was set back must not make what was read last for ever.
fn between_times(one: Timestamp, other: Timestamp) -> Duration {
    other.duration_since(one).unsigned_abs()
}
