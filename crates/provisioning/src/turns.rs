//! One change of an identity at a time, in the order in which they asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// What a turn is for: a tenant's resource, or a name within a tenant that only one may try to take at a time.
pub(crate) type Key = String;

/// Who waits for which turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Key, VecDeque<oneshot::Sender<()>>>>>);

impl Turns {
    /// Takes a place in the queue at once, before it returns; the turn has come when the future ends.
    pub(crate) fn enter(&self, key: Key) -> impl Future<Output = Turn> + Send + use<> {
        let (called, call) = oneshot::channel();
        let mut queues = self.lock();
        // An entry means that somebody has the turn; its queue are those behind.
        let waits = if let Some(queue) = queues.get_mut(&key) {
            queue.push_back(called);
            true
        } else {
            queues.insert(key.clone(), VecDeque::new());
            false
        };
        drop(queues);
        // Made now: a place in the queue that is given up, perhaps just when it is called, must still be passed on.
        let mut turn = Turn { turns: self.clone(), key, call: waits.then_some(call) };
        async move {
            if let Some(call) = &mut turn.call {
                let _ = call.await;
                turn.call = None;
            }
            turn
        }
    }

    /// Whether one who enters now would have to wait.
    pub(crate) fn is_taken(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, VecDeque<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, key: &Key) {
        let mut queues = self.lock();
        if let Some(queue) = queues.get_mut(key) {
            // One who has gone away in the meantime is passed over.
            while let Some(next) = queue.pop_front() {
                if next.send(()).is_ok() {
                    return;
                }
            }
            queues.remove(key);
        }
    }
}

/// The turn; the next one's comes when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    key: Key,
    /// While the turn has not come.
    call: Option<oneshot::Receiver<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let has_come = self.call.as_mut().is_none_or(|call| {
            call.close();
            call.try_recv().is_ok()
        });
        if has_come {
            self.turns.pass_on(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let turns = Turns::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = turns.enter("a".into()).await;
        let mut waiting = Vec::new();
        for n in 0..20 {
            let turn = turns.enter("a".into());
            let order = Arc::clone(&order);
            waiting.push(tokio::spawn(async move {
                let _turn = turn.await;
                order.lock().unwrap().push(n);
            }));
        }
        assert!(order.lock().unwrap().is_empty());
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
        assert!(turns.lock().is_empty());
    }

    #[tokio::test]
    async fn another_key_waits_for_nobody() {
        let turns = Turns::default();
        let _a = turns.enter("a".into()).await;
        let _b = turns.enter("b".into()).await;
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_is_passed_over() {
        let turns = Turns::default();
        let first = turns.enter("a".into()).await;
        let gone = turns.enter("a".into());
        let third = turns.enter("a".into());
        drop(gone);
        drop(first);
        drop(third.await);
        assert!(turns.lock().is_empty());
    }
}
