//! `[entitlements]`: what Gangway may take away, and what a person gets who may not keep a profile.

use std::collections::BTreeMap;
use std::ops::Range;

use salesforce_types::EntitlementKind;
use serde::{Deserialize, Serialize};

/// Whose the entitlements of a kind are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// What Gangway gave, it takes away; what somebody else gave stays.
    #[default]
    Managed,
    /// Nothing is ever taken away.
    Merge,
    /// What nobody asked for is taken away, whoever gave it.
    Authoritative,
}

/// How an environment deals with entitlements.
#[derive(Clone, Debug, Default)]
pub struct EntitlementPolicy {
    /// Whether a grant that finds no free seat waits for one. Otherwise it is refused.
    pub waiting_list: bool,
    /// By user licence (its name or its key, such as `SFDC`) the profile, by name or id, that takes the place of one that is
    /// taken away.
    pub least_privileged: BTreeMap<String, String>,
    pub(super) ownership: BTreeMap<EntitlementKind, Ownership>,
    /// The licence and the profile of each of `least_privileged` in the file.
    pub(super) places: BTreeMap<String, (Range<usize>, Range<usize>)>,
}

impl EntitlementPolicy {
    /// Whose the entitlements of a kind are.
    #[must_use]
    pub fn ownership(&self, kind: EntitlementKind) -> Ownership {
        self.ownership.get(&kind).copied().unwrap_or_default()
    }
}
