//! Rows that calls keep to themselves, for as long as they take.
//!
//! Every call takes its locks in one order and holds them until its end, so no two wait for each other.
//! A lock that does not come in time costs the records concerned `UNABLE_TO_LOCK_ROW`, and no others.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, timeout_at},
};

use crate::{errors::Refusals, footprint, ids::Id, org::Org, schema::Object, sobjects};

/// What can be locked. The order is that in which a call takes its locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lock {
    /// What the org knows about who shares with whom: one for all groups, roles and territories.
    Sharing,
    /// One record.
    Row(Id),
}

/// How long a call waits for a lock.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) sharing: Duration,
    pub(crate) row: Duration,
}

/// All locks that somebody holds or waits for.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<Lock, Arc<tokio::sync::Mutex<()>>>>);

/// The locks of one call; dropping it lets the next one in.
pub(crate) struct Held<'a> {
    all: &'a Locks,
    guards: Vec<(Lock, OwnedMutexGuard<()>)>,
    /// What others held for too long.
    pub(crate) contended: HashSet<Lock>,
}

impl Locks {
    fn table(&self) -> MutexGuard<'_, HashMap<Lock, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes locks, one after the other, first come first served. Waits so long in all for rows, and
    /// so long for sharing.
    pub(crate) async fn take(&self, wanted: BTreeSet<Lock>, patience: Patience) -> Held<'_> {
        let start = Instant::now();
        let mut held =
            Held { all: self, guards: Vec::with_capacity(wanted.len()), contended: HashSet::new() };
        for lock in wanted {
            let mutex = Arc::clone(self.table().entry(lock).or_default());
            let deadline = start
                + match lock {
                    Lock::Sharing => patience.sharing,
                    Lock::Row(_) => patience.row,
                };
            match Arc::clone(&mutex).try_lock_owned() {
                Ok(guard) => held.guards.push((lock, guard)),
                Err(_) => match timeout_at(deadline, mutex.lock_owned()).await {
                    Ok(guard) => held.guards.push((lock, guard)),
                    Err(_) => {
                        held.contended.insert(lock);
                    }
                },
            }
        }
        held
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut table = self.all.table();
        let held: Vec<Lock> = self.guards.drain(..).map(|(lock, _guard)| lock).collect();
        for lock in held.into_iter().chain(self.contended.drain()) {
            // Who holds it or waits for it has a copy; a lock of nobody is forgotten.
            if table.get(&lock).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
                table.remove(&lock);
            }
        }
    }
}

/// Refuses a record that the call could not have for itself; called before each write.
pub(crate) fn check(
    org: &Org,
    object: &Object,
    id: Option<Id>,
    body: &Map<String, Value>,
) -> Result<(), Refusals> {
    if org.contended.is_empty() {
        return Ok(());
    }
    let wanted = footprint::locks(org, &object.name, id, body);
    if !wanted.iter().any(|lock| org.contended.contains(lock)) {
        return Ok(());
    }
    // A new member has no id yet: the group is what could not be had.
    let group = |name: &str| body.get(name).and_then(Value::as_str).and_then(Id::parse);
    let id = id.or_else(|| ["GroupId", "Territory2Id", "UserRoleId"].into_iter().find_map(group));
    Err(vec![sobjects::lock_refusal(id)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u64) -> Lock {
        Lock::Row(Id::new("005", *b"Fk", n))
    }

    fn patience(millis: u64) -> Patience {
        Patience { sharing: Duration::from_millis(millis), row: Duration::from_millis(millis) }
    }

    #[tokio::test]
    async fn a_lock_that_is_held_for_too_long_is_contended_and_others_are_not() {
        let locks = Locks::default();
        let first = locks.take(BTreeSet::from([Lock::Sharing, row(1)]), patience(0)).await;
        let second = locks.take(BTreeSet::from([row(1), row(2)]), patience(50)).await;
        assert_eq!(second.contended, HashSet::from([row(1)]));
        let third = locks.take(BTreeSet::from([row(2)]), patience(0)).await;
        assert_eq!(third.contended, HashSet::from([row(2)]));
        drop((first, second, third));
        assert!(locks.table().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn who_waits_gets_it_when_the_other_is_done() {
        let locks = Locks::default();
        let first = locks.take(BTreeSet::from([Lock::Sharing]), patience(0)).await;
        let waiting = locks.take(BTreeSet::from([Lock::Sharing]), patience(10_000));
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, release);
        assert!(second.contended.is_empty());
        drop(second);
        assert!(locks.table().is_empty());
    }
}
