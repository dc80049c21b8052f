//! Changes that belong together are sent together: each waits, before its first step, until the others are as far. A thousand
//! members of a group are then a handful of calls, however long it takes to decide about each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

/// Nobody waits longer for the others: one of them may be held up by something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Crowd(Arc<watch::Sender<usize>>);

/// The place of one change among them.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    is_awaited: AtomicBool,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// One more. Only who has its turn at once is waited for: so nobody waits here for somebody who waits for a turn, which
    /// might be that of another one here.
    pub(crate) fn place(&self, is_awaited: bool) -> Place {
        if is_awaited {
            self.0.send_modify(|awaited| *awaited += 1);
        }
        Place { crowd: self.clone(), is_awaited: AtomicBool::new(is_awaited) }
    }
}

impl Place {
    /// Ends when all are as far, have ended, or have been waited for long enough. The second time it ends at once.
    pub(crate) async fn gather(&self) {
        if self.leave() {
            let mut awaited = self.crowd.0.subscribe();
            let _ = tokio::time::timeout(PATIENCE, awaited.wait_for(|awaited| *awaited == 0)).await;
        }
    }

    fn leave(&self) -> bool {
        let was_awaited = self.is_awaited.swap(false, Ordering::AcqRel);
        if was_awaited {
            self.crowd.0.send_modify(|awaited| *awaited -= 1);
        }
        was_awaited
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn each_waits_until_the_others_are_as_far_or_gone() {
        let crowd = Crowd::new();
        let (first, second, third) = (crowd.place(true), crowd.place(true), crowd.place(true));
        let _held_up = crowd.place(false);
        let mut waiting = Box::pin(first.gather());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        assert!(waiting.as_mut().now_or_never().is_none());
        third.gather().await;
        waiting.await;
        first.gather().await;
    }
}
