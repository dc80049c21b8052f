//! What two identities must not do at once: match the same record, or make one that the other would match.
//!
//! Between the org's commit and our own record of it a new User looks like one that was there before. So whoever has no
//! record yet waits for others who would match by the same value, and whoever adopts waits for others who adopt the same.

use planning::{Found, MatchKey, Steps};
use salesforce_types::RecordId;
use translation::{Desired, Translation};

use super::{Progress, Stop, UserChange, decide::Bound};
use crate::turns::Turn;

/// Held until the change has ended.
#[derive(Debug, Default)]
pub(super) struct Claims {
    names: Vec<String>,
    /// One for each of the names.
    turns: Vec<Turn>,
    record: Option<(RecordId, Turn)>,
}

impl UserChange {
    /// Claims the values that a record could be matched by, or made with.
    pub(super) async fn claim_keys(
        &self,
        bound: &Bound<'_>,
        translation: &Translation,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut keys = planning::match_keys(&bound.target.matching, translation);
        if let Some(Desired::Set(value)) = translation.fields.get("Username") {
            keys.push(MatchKey { field: "Username".to_owned(), value: value.clone() });
        }
        self.claim(bound, &keys, progress).await
    }

    /// Claims values; all that was claimed before and is not among them is free again.
    pub(super) async fn claim(
        &self,
        bound: &Bound<'_>,
        keys: &[MatchKey],
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut names: Vec<String> = keys
            .iter()
            .map(|MatchKey { field, value }| {
                let value = value.as_str().map_or_else(|| value.to_string(), scim_types::fold);
                format!("org {}/{field}/{value}", bound.org.name())
            })
            .collect();
        // One order for all, so that nobody waits in a circle.
        names.sort_unstable();
        names.dedup();
        if progress.claims.names == names {
            return Ok(());
        }
        progress.claims = Claims::default();
        // Who has to wait says so in the journal first: a namesake within the tenant is told at once.
        if self.is_create() && names.iter().any(|name| self.inner.turns.is_taken(name)) {
            self.open(None, None).await?;
        }
        for name in &names {
            let turn = self.inner.turns.enter(name.clone()).await;
            progress.claims.turns.push(turn);
        }
        progress.claims.names = names;
        self.still_wanted()
    }

    /// Claims the record that is about to be adopted, unless another identity was faster.
    pub(super) async fn claim_record(
        &self,
        bound: &Bound<'_>,
        steps: &Steps,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let Some(record) = &steps.link.record_id else { return Ok(()) };
        if progress.claims.record.as_ref().is_some_and(|(claimed, _)| claimed == record) {
            return Ok(());
        }
        progress.claims.record = None;
        let turn = self.inner.turns.enter(format!("org {}/record/{record}", bound.org.name())).await;
        progress.claims.record = Some((record.clone(), turn));
        let linked_to = self.inner.store.linked_to(&self.caller.tenant, record).await?;
        if linked_to.is_some()
            && let Found::Records(records) = &mut progress.found
            && let Some(found) = records.iter_mut().find(|found| found.id == *record)
        {
            found.linked_to = linked_to;
            return Err(Stop::Again);
        }
        self.still_wanted()
    }

    /// The caller may have gone while we waited.
    fn still_wanted(&self) -> Result<(), Stop> {
        if self.ticket.is_withdrawn() { Err(Stop::Withdrawn) } else { Ok(()) }
    }
}
