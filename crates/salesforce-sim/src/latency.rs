//! How long the org takes. Calls sleep side by side, and no lock is held while they do.

use std::time::Duration;

use crate::random::Random;

/// Time per call and per record that the call writes or fetches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) per_call: Duration,
    pub(crate) per_record: Duration,
}

impl Latency {
    /// The time for one call: a tenth more or less, as the seed has it. Zero stays zero.
    pub(crate) fn of(&self, records: usize, random: &Random) -> Duration {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        let total = self.per_call.saturating_add(self.per_record.saturating_mul(records));
        if total.is_zero() { total } else { total.mul_f64(0.9 + 0.2 * random.fraction()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_its_time_and_that_of_its_records() {
        let latency = Latency { per_call: Duration::from_millis(100), per_record: Duration::from_millis(10) };
        let random = Random::new(1);
        for _ in 0..100 {
            let took = latency.of(10, &random);
            assert!(took >= Duration::from_millis(180) && took < Duration::from_millis(220), "{took:?}");
        }
        let none = Latency { per_call: Duration::ZERO, per_record: Duration::ZERO };
        assert_eq!(none.of(200, &random), Duration::ZERO);
    }
}
