//! Who waits for a call, and whose turn it is.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use model::{ClientName, ResourceId, TenantId};

use super::change::Change;
use crate::Asker;

/// Changes that wait, one class of them. Round robin by tenant, then client, then identity: one tenant's ten thousand
/// joiners do not starve another's one.
#[derive(Debug, Default)]
pub(super) struct Line {
    tenants: Ring<TenantId, Ring<ClientName, Own>>,
    len: usize,
    /// Those of them whose caller waits.
    awaited: usize,
}

/// What waits for one client.
#[derive(Debug, Default)]
struct Own {
    /// Under way or tried already: what was begun ends before more is begun.
    begun: VecDeque<Change>,
    fresh: Ring<ResourceId, VecDeque<Change>>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether somebody waits for one of them to land.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited > 0
    }

    /// Takes a place behind the others of the same tenant and client.
    pub(super) fn put(&mut self, change: Change) {
        self.count(&change);
        let asker = change.asker().clone();
        let own = self.tenants.at(asker.tenant, false).at(asker.client, false);
        if change.is_begun() {
            own.begun.push_back(change);
        } else {
            own.fresh.at(asker.identity, false).push_back(change);
        }
    }

    /// Gives the change that was just taken its turn back: it did not fit, and is to be the first of the next call. At the
    /// head of its own client's line alone it might never be the first, as long as other clients have something waiting.
    pub(super) fn put_back(&mut self, change: Change) {
        self.count(&change);
        let asker = change.asker().clone();
        let own = self.tenants.taken_last(asker.tenant).taken_last(asker.client);
        if change.is_begun() {
            own.begun.push_front(change);
        } else {
            own.fresh.taken_last(asker.identity).push_front(change);
        }
    }

    /// How much waits for this asker's client.
    pub(super) fn of_client(&self, asker: &Asker) -> usize {
        let clients = self.tenants.waiting.get(&asker.tenant);
        let own = clients.and_then(|clients| clients.waiting.get(&asker.client));
        own.map_or(0, |own| own.begun.len() + own.fresh.turns.len())
    }

    /// How many clients have something waiting.
    pub(super) fn clients(&self) -> usize {
        self.tenants.waiting.values().map(|clients| clients.waiting.len()).sum()
    }

    /// The change whose turn it is.
    pub(super) fn take(&mut self) -> Option<Change> {
        let change = self.tenants.next()?;
        self.len -= 1;
        self.awaited -= usize::from(change.is_awaited);
        Some(change)
    }

    fn count(&mut self, change: &Change) {
        self.len += 1;
        self.awaited += usize::from(change.is_awaited);
    }
}

/// Keys in the order of their turns, and what waits under each.
#[derive(Debug)]
struct Ring<K, V> {
    turns: VecDeque<K>,
    waiting: HashMap<K, V>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Default> Ring<K, V> {
    /// What waits under a key. A key that is new has its turn last, or `first`.
    fn at(&mut self, key: K, first: bool) -> &mut V {
        if !self.waiting.contains_key(&key) {
            if first { self.turns.push_front(key.clone()) } else { self.turns.push_back(key.clone()) }
        }
        self.waiting.entry(key).or_default()
    }

    /// The same for the key whose turn it just was: it is its turn again.
    fn taken_last(&mut self, key: K) -> &mut V {
        if self.waiting.contains_key(&key) {
            // `next` has put it last.
            self.turns.rotate_right(1);
        }
        self.at(key, true)
    }
}

/// Something to take changes from, one by one.
trait Turns {
    fn next(&mut self) -> Option<Change>;
    fn is_empty(&self) -> bool;
}

impl Turns for VecDeque<Change> {
    fn next(&mut self) -> Option<Change> {
        self.pop_front()
    }

    fn is_empty(&self) -> bool {
        VecDeque::is_empty(self)
    }
}

impl Turns for Own {
    fn next(&mut self) -> Option<Change> {
        self.begun.pop_front().or_else(|| self.fresh.next())
    }

    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.fresh.is_empty()
    }
}

impl<K: Clone + Eq + Hash, V: Turns> Turns for Ring<K, V> {
    fn next(&mut self) -> Option<Change> {
        let key = self.turns.pop_front()?;
        let below = self.waiting.get_mut(&key)?;
        let change = below.next();
        if below.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        change
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}
