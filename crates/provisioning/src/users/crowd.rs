//! Changes that belong together are sent together: the first steps of each wait until the others have theirs. A thousand members of
//! a group are then a handful of calls, however long it takes to decide about each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::OrgName;
use salesforce_client::{Org, Ready, Ticket};
use salesforce_types::{Step, StepOutcome};

/// Nobody waits longer for the others: one of them may be held up by something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes that belong together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<Mutex<Gathering<(Org, Ready)>>>);

/// The place of one change among them.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    is_awaited: AtomicBool,
}

/// What waits for others to come.
#[derive(Debug)]
struct Gathering<T> {
    awaited: usize,
    gathered: Vec<T>,
}

impl<T> Default for Gathering<T> {
    fn default() -> Self {
        Self { awaited: 0, gathered: Vec::new() }
    }
}

impl<T> Gathering<T> {
    /// One of those awaited is there, with something or for nothing. Answers what goes now.
    fn arrive(&mut self, with: Option<T>) -> Vec<T> {
        self.gathered.extend(with);
        self.awaited -= 1;
        if self.awaited == 0 { self.go() } else { Vec::new() }
    }

    /// Whoever is there goes.
    fn go(&mut self) -> Vec<T> {
        std::mem::take(&mut self.gathered)
    }
}

impl Crowd {
    /// One more. Only who has its turn at once is waited for: so nobody waits here for somebody who waits for a turn, which
    /// might be that of another one here.
    pub(crate) fn place(&self, is_awaited: bool) -> Place {
        if is_awaited {
            self.lock().awaited += 1;
        }
        Place { crowd: self.clone(), is_awaited: AtomicBool::new(is_awaited) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathering<(Org, Ready)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// [`Org::act`] when all others are as far, have ended, or have been waited for long enough. The second time at once.
    pub(crate) async fn act(&self, org: &Org, steps: &[Step], ticket: &Ticket) -> Vec<StepOutcome> {
        let (ready, told) = org.prepare(steps, ticket).await;
        if !self.is_awaited.swap(false, Ordering::AcqRel) {
            org.send_together([ready]);
            return told.outcomes().await;
        }
        let all = self.crowd.lock().arrive(Some((org.clone(), ready)));
        send(all);
        let mut outcomes = std::pin::pin!(told.outcomes());
        if let Ok(outcomes) = tokio::time::timeout(PATIENCE, &mut outcomes).await {
            return outcomes;
        }
        let all = self.crowd.lock().go();
        send(all);
        outcomes.await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            let all = self.crowd.lock().arrive(None);
            send(all);
        }
    }
}

fn send(all: Vec<(Org, Ready)>) {
    let mut by_org: HashMap<OrgName, (Org, Vec<Ready>)> = HashMap::new();
    for (org, ready) in all {
        by_org.entry(org.name().clone()).or_insert_with(|| (org, Vec::new())).1.push(ready);
    }
    for (org, ready) in by_org.into_values() {
        org.send_together(ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_go_when_the_last_is_there_or_gone() {
        let mut gathering = Gathering { awaited: 3, gathered: Vec::new() };
        assert!(gathering.arrive(Some(1)).is_empty());
        assert!(gathering.arrive(None).is_empty());
        assert_eq!(gathering.arrive(Some(3)), [1, 3]);
    }

    #[test]
    fn who_has_waited_long_enough_goes_with_those_who_are_there() {
        let mut gathering = Gathering { awaited: 3, gathered: Vec::new() };
        assert!(gathering.arrive(Some(1)).is_empty());
        assert_eq!(gathering.go(), [1]);
        assert!(gathering.arrive(Some(2)).is_empty());
        assert_eq!(gathering.arrive(Some(3)), [2, 3]);
    }
}
