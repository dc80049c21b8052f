//! When to try again: pure, the caller brings the jitter.

use std::time::Duration;

/// How often and after which pauses something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tries after the first one.
    pub retries: u32,
    /// The longest pause before the first retry; it doubles with each one.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl Policy {
    /// The pause before retry number `retry` (counted from 1), or `None` when it is time to give up.
    ///
    /// `jitter` is 0.0 to 1.0. Full jitter: the pause is anything between nothing and the bound, so
    /// that those who failed together do not come back together.
    #[must_use]
    pub fn pause(&self, retry: u32, jitter: f64) -> Option<Duration> {
        if retry > self.retries {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << retry.saturating_sub(1).min(16));
        Some(doubled.min(self.longest).mul_f64(jitter.clamp(0.0, 1.0)))
    }
}

/// The policies of one org, by what went wrong. All of them repeat only what certainly had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// No connection came about.
    pub unreachable: Policy,
    /// `UNABLE_TO_LOCK_ROW`: Salesforce itself waited ten seconds for the lock already.
    pub locked: Policy,
    /// 503 with an error that Salesforce itself wrote.
    pub overloaded: Policy,
    /// A read whose connection was cut.
    pub cut: Policy,
}

impl Default for Pace {
    fn default() -> Self {
        const fn policy(retries: u32, first_ms: u64, longest_ms: u64) -> Policy {
            Policy {
                retries,
                first: Duration::from_millis(first_ms),
                longest: Duration::from_millis(longest_ms),
            }
        }
        Self {
            // 0.5 s + 1 s at most: three tries within two seconds.
            unreachable: policy(2, 500, 1_000),
            locked: policy(5, 250, 4_000),
            overloaded: policy(2, 500, 2_000),
            cut: policy(2, 200, 1_000),
        }
    }
}

impl Pace {
    /// As often, but without pauses: for tests.
    #[must_use]
    pub fn without_pauses() -> Self {
        let at_once = |policy: Policy| Policy { first: Duration::ZERO, longest: Duration::ZERO, ..policy };
        let pace = Self::default();
        Self {
            unreachable: at_once(pace.unreachable),
            locked: at_once(pace.locked),
            overloaded: at_once(pace.overloaded),
            cut: at_once(pace.cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let policy = Pace::default().locked;
        let longest: Vec<_> = (1..=6).map(|retry| policy.pause(retry, 1.0).map(|p| p.as_millis())).collect();
        assert_eq!(longest, [Some(250), Some(500), Some(1_000), Some(2_000), Some(4_000), None]);
        assert_eq!(policy.pause(3, 0.0), Some(Duration::ZERO));
        assert_eq!(policy.pause(3, 0.5), Some(Duration::from_millis(500)));
    }

    #[test]
    fn an_org_that_refuses_connections_is_given_up_within_two_seconds() {
        let policy = Pace::default().unreachable;
        let all: Duration = (1..).map_while(|retry| policy.pause(retry, 1.0)).sum();
        assert_eq!(policy.retries, 2);
        assert!(all < Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn no_numbers_make_it_panic_or_go_over_the_bound(retry in 0_u32.., jitter in proptest::num::f64::ANY) {
            let policy = Policy { retries: u32::MAX, first: Duration::MAX, longest: Duration::from_secs(9) };
            prop_assume!(!jitter.is_nan());
            prop_assert!(policy.pause(retry, jitter).unwrap() <= Duration::from_secs(9));
        }
    }
}
