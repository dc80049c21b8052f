//! How many records the calls that write have carried.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the classes in which calls are counted: one change, a Composite (25), a Collection (200), five of
/// them (1,000), and steps between.
const BOUNDS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 200, 500, 1_000];

/// How many records the calls that write have carried since the start, tries that were repeated included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSizes {
    /// All calls.
    pub calls: u64,
    /// The records in all of them.
    pub records: u64,
    /// A number of records, and how many calls carried so many or fewer.
    pub up_to: Vec<(u64, u64)>,
}

/// Counts without a lock: it stands in the way of every write.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// One class more than there are bounds, for larger calls.
    classes: [AtomicU64; BOUNDS.len() + 1],
    records: AtomicU64,
}

impl Tally {
    pub(super) fn count(&self, records: usize) {
        let records = records as u64;
        let class = BOUNDS.partition_point(|bound| *bound < records);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> CallSizes {
        let mut calls = 0;
        let mut so_far = |class: &AtomicU64| {
            calls += class.load(Ordering::Relaxed);
            calls
        };
        let up_to = BOUNDS.into_iter().zip(self.classes.iter().map(&mut so_far)).collect();
        let calls = so_far(&self.classes[BOUNDS.len()]);
        CallSizes { calls, records: self.records.load(Ordering::Relaxed), up_to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_in_every_class_that_has_room_for_it() {
        let tally = Tally::default();
        for records in [1, 1, 25, 26, 1_000, 1_001] {
            tally.count(records);
        }
        let sizes = tally.read();
        assert_eq!((sizes.calls, sizes.records), (6, 2_054));
        let of = |bound| sizes.up_to.iter().find(|(known, _)| *known == bound).unwrap().1;
        assert_eq!((of(1), of(10), of(25), of(50), of(500), of(1_000)), (2, 2, 3, 4, 4, 5));
    }
}
