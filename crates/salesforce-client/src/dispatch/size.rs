//! How many records go in one call.

use std::time::Duration;

/// How long a call may take. Salesforce counts calls of 20 s and more against a limit (25 at once), and whoever waits
/// for an answer waits for the whole call.
const TARGET: Duration = Duration::from_secs(5);
/// Five Collections of 200 records.
const MOST: usize = 1_000;
/// A Composite has room for 25 rows.
const LEAST: usize = 25;
/// Before anything is known about the org: ten seconds where a user takes 200 ms, as in orgs with many triggers.
const FIRST: usize = 50;

/// The size of the next call, learned from how long the ones before it took.
#[derive(Debug)]
pub(super) struct Size {
    limit: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { limit: FIRST }
    }
}

impl Size {
    /// The most records for the next call.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The same where nobody waits for the answer: ten seconds, still half of what Salesforce minds.
    pub(super) fn patient_limit(&self) -> usize {
        (self.limit * 2).min(MOST)
    }

    /// A call of so many records took so long. So many as would take five seconds at that pace certainly fit, since a
    /// part of the time was the call's own.
    pub(super) fn learn(&mut self, records: usize, took: Duration) {
        let pace = TARGET.as_secs_f64() / took.as_secs_f64().max(0.001);
        let fit = scaled(records, pace);
        if took > TARGET {
            // Not all at once either: one slow call may have had a bad moment.
            self.limit = fit.clamp(self.limit / 2, self.limit).max(LEAST);
        } else if fit > self.limit {
            // Not all at once: the next call may carry what costs more.
            self.limit = fit.min(self.limit * 4).min(MOST);
        }
    }

    /// A call brought no answer in time, or its connection broke: smaller ones lose less.
    pub(super) fn lost(&mut self) {
        self.limit = (self.limit / 2).max(LEAST);
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a thousand records, at most five thousand times as many"
)]
fn scaled(records: usize, by: f64) -> usize {
    (records as f64 * by) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls of an org that needs 200 ms and so much for each record, as full as they may be.
    fn settled(per_record_ms: u64) -> (usize, Duration) {
        let mut size = Size::default();
        let mut took = Duration::ZERO;
        for _ in 0..20 {
            let records = size.limit();
            took = Duration::from_millis(200 + per_record_ms * records as u64);
            size.learn(records, took);
        }
        (size.limit(), took)
    }

    #[test]
    fn calls_come_to_take_five_seconds_at_most() {
        assert_eq!(settled(0).0, MOST);
        for per_record in [4, 10, 40, 150] {
            let (_, took) = settled(per_record);
            assert!(
                (Duration::from_secs(4)..=Duration::from_millis(5_050)).contains(&took),
                "{per_record} ms for a record: {took:?}"
            );
        }
        assert_eq!(settled(1_000).0, LEAST);
    }

    #[test]
    fn small_calls_say_only_what_is_certain() {
        let mut size = Size::default();
        for _ in 0..100 {
            size.learn(3, Duration::from_secs(1));
        }
        assert_eq!(size.limit(), FIRST);
        // A lone joiner with five grants: 43 ms for each record at most.
        size.learn(6, Duration::from_millis(260));
        assert_eq!(size.limit(), 115);
    }

    #[test]
    fn one_slow_small_call_does_not_undo_what_large_ones_have_shown() {
        let mut size = Size { limit: MOST };
        size.learn(1, Duration::from_secs(9));
        assert_eq!(size.limit(), MOST / 2);
    }

    #[test]
    fn a_lost_call_halves_the_next() {
        let mut size = Size::default();
        size.lost();
        assert!(size.limit() < FIRST);
        for _ in 0..10 {
            size.lost();
        }
        assert_eq!(size.limit(), LEAST);
    }
}
