use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// The only place that reads the time. Everything else is told it.
///
/// A clock can be moved forward ([`Clock::advance`]), which the simulated org offers to its
/// users and tests use instead of waiting.
#[derive(Clone, Debug)]
pub struct Clock {
    /// A manual clock stands at this instant; a system clock has none.
    origin: Option<Timestamp>,
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: None, ahead_ms: Arc::default() }
    }

    /// A clock that stands still at `origin` until it is moved.
    #[must_use]
    pub fn manual(origin: Timestamp) -> Self {
        Self { origin: Some(origin), ahead_ms: Arc::default() }
    }

    /// The time, to the millisecond: finer is neither stored nor shown anywhere.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn now(&self) -> Timestamp {
        let origin = self.origin.unwrap_or_else(Timestamp::now);
        let millis = origin.as_millisecond().saturating_add(self.ahead_ms.load(Ordering::Relaxed));
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward, for every clone of it.
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by)
            .map_or(i64::MAX, |by| i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
        let _ = self
            .ahead_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead| Some(ahead.saturating_add(by)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        assert_eq!(other.now(), start);
        clock.advance(Duration::from_secs(90));
        assert_eq!(other.now().to_string(), "2026-01-01T00:01:30Z");
    }

    #[test]
    fn advancing_without_end_stops_at_the_end_of_time() {
        let clock = Clock::system();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
