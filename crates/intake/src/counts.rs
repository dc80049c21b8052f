//! What came of events, counted since the start.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use model::{SourceName, TenantId};

use crate::Source;

/// How often something came of the events of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Whose.
    pub tenant: TenantId,
    /// Of which source.
    pub source: SourceName,
    /// `applied`, `ignored`, `held`, `dead`, `later`, `duplicate`, `stored` or `rejected`; `alarm` where a person has to look.
    pub outcome: &'static str,
    /// Of what is rejected or ignored, where it is one of a few: which.
    pub reason: &'static str,
    /// How often.
    pub number: u64,
}

type Key = (TenantId, SourceName, &'static str, &'static str);

/// Outcomes that wait for a person, with their reasons.
const NEED_A_PERSON: [(&str, &str); 3] = [("dead", ""), ("dead", "catch-up"), ("held", "")];
/// Why deliveries are rejected whose sender may be another one: [`crate::Refusal::reason`].
const SUSPICIOUS: [&str; 5] = ["signature", "issuer", "audience", "authentication", "access"];

/// Counts by source, outcome and reason.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<Key, u64>>);

impl Counts {
    /// What somebody has to see is told from the start: of a number that comes out of nowhere nobody sees that it has grown.
    pub(crate) fn expose(&self, source: &Source) {
        let rejected = SUSPICIOUS.iter().map(|reason| ("rejected", *reason));
        let alarms = source.kind.alarms().into_iter().map(|reason| ("alarm", reason));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, reason) in NEED_A_PERSON.into_iter().chain(rejected).chain(alarms) {
            counts.entry((source.tenant.clone(), source.name.clone(), outcome, reason)).or_default();
        }
    }

    pub(crate) fn add(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        outcome: &'static str,
        reason: &'static str,
    ) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((tenant.clone(), source.clone(), outcome, reason)).or_default() += 1;
    }

    pub(crate) fn all(&self) -> Vec<Count> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |((tenant, source, outcome, reason), number): (&Key, &u64)| Count {
            tenant: tenant.clone(),
            source: source.clone(),
            outcome,
            reason,
            number: *number,
        };
        counts.iter().map(count).collect()
    }
}
