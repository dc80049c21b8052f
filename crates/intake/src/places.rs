//! How many deliveries are read and applied at once: of all, and of each door, so that one that is flooded keeps no other waiting.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many there are of all doors together. What is beyond is 503: its source sends it again. One costs about 300 KiB at most
/// while it is read.
const OF_ALL: usize = 512;
/// How many of them one door has at most.
const OF_EACH: usize = OF_ALL / 2;

/// The places that are taken, by the door: the path of its source or receiver.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<String, usize>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    places: &'p Places,
    door: String,
}

impl Places {
    /// A place for a delivery at this door, if one is free.
    pub(crate) fn take(&self, door: &str) -> Option<Place<'_>> {
        let mut taken = self.lock();
        // Doors at which nobody is have no entry, so there are few.
        if taken.values().sum::<usize>() >= OF_ALL || taken.get(door).is_some_and(|own| *own >= OF_EACH) {
            return None;
        }
        *taken.entry(door.to_owned()).or_default() += 1;
        Some(Place { places: self, door: door.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.door) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.door);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood<'p>(places: &'p Places, door: &str) -> Vec<Place<'p>> {
        std::iter::from_fn(|| places.take(door)).collect()
    }

    #[test]
    fn a_door_that_is_flooded_leaves_places_for_others() {
        let places = Places::default();
        let flood = flood(&places, "akamai/acme/prod");
        assert_eq!(flood.len(), OF_EACH);
        let other = places.take("didomi/acme/prod");
        assert!(other.is_some());
        assert!(places.take("akamai/acme/prod").is_none());
        drop(flood);
        assert!(places.take("akamai/acme/prod").is_some());
    }

    #[test]
    fn there_is_an_end_to_all_of_them_together_and_nothing_is_left_behind() {
        let places = Places::default();
        let taken: Vec<_> = ["a", "b", "c"].iter().flat_map(|door| flood(&places, door)).collect();
        assert_eq!(taken.len(), OF_ALL);
        drop(taken);
        assert!(places.lock().is_empty());
    }
}
