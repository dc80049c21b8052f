//! One event of a subject at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use model::{SourceName, TenantId};

/// A subject of a source.
pub(crate) type Subject = (TenantId, SourceName, String);

/// A lock for every subject that is being worked on.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Locks>);

#[derive(Debug, Default)]
struct Locks {
    by_subject: HashMap<Subject, Weak<tokio::sync::Mutex<()>>>,
    /// How many there may be before those that nobody holds any more are looked for.
    sweep_at: usize,
}

impl Turns {
    /// The lock of a subject: whoever holds it applies an event.
    pub(crate) fn of(&self, subject: &Subject) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.by_subject.get(subject).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.by_subject.len() >= locks.sweep_at {
            locks.by_subject.retain(|_, lock| lock.strong_count() > 0);
            locks.sweep_at = (locks.by_subject.len() * 2).max(1024);
        }
        let lock = Arc::default();
        locks.by_subject.insert(subject.clone(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> Subject {
        ("acme/prod".parse().unwrap(), "akamai".parse().unwrap(), name.to_owned())
    }

    #[tokio::test]
    async fn one_subject_has_one_lock_while_somebody_holds_it() {
        let turns = Turns::default();
        let lock = turns.of(&subject("a"));
        let held = lock.lock().await;
        assert!(turns.of(&subject("a")).try_lock().is_err());
        assert!(turns.of(&subject("b")).try_lock().is_ok());
        drop(held);
        assert!(turns.of(&subject("a")).try_lock().is_ok());
    }

    #[test]
    fn locks_that_nobody_holds_are_not_kept() {
        let turns = Turns::default();
        for number in 0..10_000 {
            turns.of(&subject(&number.to_string()));
        }
        assert!(turns.0.lock().unwrap().by_subject.len() <= 2048);
    }
}
