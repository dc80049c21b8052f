//! How many reads are in flight, and who waits. Writes go through the dispatcher.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many calls may wait for a slot. More would wait for minutes: the caller is told to come back.
pub(crate) const MAX_WAITING: usize = 10_000;

/// The slots of one org, first come, first served.
///
/// One more than configured is kept for changes that take access away, so that a deactivation never
/// stands behind a crowd of joiners; they may use the others too.
#[derive(Debug)]
pub(crate) struct Slots {
    open: Semaphore,
    kept: Semaphore,
    waiting: AtomicUsize,
    waiting_for_kept: AtomicUsize,
    most: usize,
}

impl Slots {
    pub(crate) fn new(in_flight: usize, most_waiting: usize) -> Self {
        Self {
            open: Semaphore::new(in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            kept: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            waiting_for_kept: AtomicUsize::new(0),
            most: most_waiting,
        }
    }

    /// Waits for a slot; it is free again when the permit is dropped. `None`: too many wait already.
    pub(crate) async fn take(&self, takes_access_away: bool) -> Option<SemaphorePermit<'_>> {
        if let Ok(slot) = self.open.try_acquire() {
            return Some(slot);
        }
        let counter = if takes_access_away { &self.waiting_for_kept } else { &self.waiting };
        let _place = Place::take(counter, self.most)?;
        let slot = if takes_access_away {
            tokio::select! {
                slot = self.open.acquire() => slot,
                slot = self.kept.acquire() => slot,
            }
        } else {
            self.open.acquire().await
        };
        // An error would mean that the semaphore was closed, which nobody does.
        slot.ok()
    }
}

/// A place in the queue, given up also when the caller stops waiting.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(counter: &'a AtomicUsize, most: usize) -> Option<Self> {
        let place = Self(counter);
        (counter.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    /// Polls once; the future is dropped if it is not ready.
    async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn one_slot_more_is_kept_for_changes_that_take_access_away() {
        let slots = Slots::new(1, 10);
        let first = slots.take(false).await.unwrap();
        assert!(now(slots.take(false)).await.is_none());
        let leaver = now(slots.take(true)).await.unwrap().unwrap();
        assert!(now(slots.take(true)).await.is_none(), "there is one such slot");
        drop(first);
        assert!(now(slots.take(true)).await.is_some(), "the others serve too");
        drop(leaver);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_places_are_given_back() {
        let slots = Slots::new(1, 2);
        let held = slots.take(false).await;
        let (mut one, mut two) = (Box::pin(slots.take(false)), Box::pin(slots.take(false)));
        std::future::poll_fn(|context| {
            assert!(one.as_mut().poll(context).is_pending());
            assert!(two.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(slots.take(false).await.is_none(), "the third is turned away at once");
        drop(two);
        assert!(now(slots.take(false)).await.is_none(), "and one that gave up makes room to wait");
        drop(held);
        assert!(one.await.is_some());
    }
}
