//! Usernames are taken in every Salesforce org at once. Simulated orgs of one process share a registry when
//! their org files name the same one.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::cell::fold;

/// Registry, then username, then the org that has it.
static REGISTRIES: LazyLock<Mutex<HashMap<String, HashMap<String, u64>>>> = LazyLock::new(Mutex::default);
static ORGS: AtomicU64 = AtomicU64::new(0);

fn registries() -> MutexGuard<'static, HashMap<String, HashMap<String, u64>>> {
    REGISTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One org's part in a registry. Its usernames are free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Membership {
    registry: String,
    org: u64,
    held: HashSet<String>,
}

impl Membership {
    pub(crate) fn join(registry: &str) -> Self {
        let org = ORGS.fetch_add(1, Ordering::Relaxed);
        Self { registry: registry.to_owned(), org, held: HashSet::new() }
    }

    /// Takes a username; `false` if another org has it.
    pub(crate) fn claim(&mut self, username: &str) -> bool {
        let name = fold(username);
        let mut registries = registries();
        let holder =
            *registries.entry(self.registry.clone()).or_default().entry(name.clone()).or_insert(self.org);
        if holder == self.org {
            self.held.insert(name);
        }
        holder == self.org
    }

    /// Gives a username back.
    pub(crate) fn release(&mut self, username: &str) {
        let name = fold(username);
        self.held.remove(&name);
        if let Some(names) = registries().get_mut(&self.registry)
            && names.get(&name) == Some(&self.org)
        {
            names.remove(&name);
        }
    }

    /// Whether another org has the username.
    pub(crate) fn is_taken(&self, username: &str) -> bool {
        let registries = registries();
        let holder = registries.get(&self.registry).and_then(|names| names.get(&fold(username)));
        holder.is_some_and(|holder| *holder != self.org)
    }

    /// Gives everything back, until [`resume`](Self::resume): while the org is made anew.
    pub(crate) fn suspend(&self) {
        if let Some(names) = registries().get_mut(&self.registry) {
            names.retain(|_, holder| *holder != self.org);
        }
    }

    /// Takes back what is still free.
    pub(crate) fn resume(&self) {
        let mut registries = registries();
        let names = registries.entry(self.registry.clone()).or_default();
        for name in &self.held {
            names.entry(name.clone()).or_insert(self.org);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.suspend();
    }
}
