//! What others have given, past Gangway: it is seen before a role or a profile is taken, told when it is taken, and given back when a
//! change is undone that has made it Gangway's.

use indexmap::IndexMap;
use planning::{GrantStep, LedgerChange, LedgerRow, Wanted};
use salesforce_client::Purpose;
use salesforce_types::{
    AskedBy, Catalogue, EntitlementRef, Fields, Given, Grant, GrantState, Link, RecordId, Step,
};
use serde_json::Value;
use store::GrantWrite;
use translation::{Desired, Ownership};

use super::{Progress, Stop, UserChange, round::call_failed, scene::Bound};
use crate::Operation;

impl UserChange {
    /// A role or a profile is about to be taken, and nobody asks for another one: what somebody has put in its place by hand is not
    /// Gangway's to take. The ledger of Gangway does not know of it, so the record is read, once.
    pub(super) async fn see_what_is_taken(
        &self,
        bound: &Bound<'_>,
        link: &Link,
        (mapped, wanted, ledger): (Option<&IndexMap<String, Desired>>, &[Wanted], &[Grant]),
        catalogue: &Catalogue,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let policy = &bound.tenant.mapping.entitlements;
        let is_taken = |grant: &&Grant| {
            let Given::Field(field) = grant.of.kind.given() else { return false };
            let is_ours = grant.state == GrantState::Granted
                && grant.asked.iter().any(|ask| ask.by != AskedBy::Default)
                && policy.ownership(grant.of.kind) != Ownership::Merge;
            let comes = wanted.iter().any(|one| one.of.kind == grant.of.kind)
                || mapped.is_some_and(|mapped| mapped.contains_key(field));
            is_ours && !comes
        };
        let taken: Vec<&Grant> = ledger.iter().filter(is_taken).collect();
        if taken.is_empty() || !progress.taken_seen.insert(bound.name().clone()) {
            return Ok(());
        }
        let row = if progress.fields_seen.contains(bound.name()) {
            link.written.clone()
        } else {
            let fields = ["ProfileId", "UserRoleId"];
            let purpose = Purpose::read_back(&self.ticket);
            let row = bound.org.read("User", &link.record_id, &fields, purpose).await.map_err(|error| {
                // Whoever loses something loses it for sure, also where the org is away.
                self.ticket.take_access_away();
                call_failed(error)
            })?;
            // What becomes of a User that is not there the write tells.
            let Some(row) = row else { return Ok(()) };
            row.into_iter().collect()
        };
        let mut seen = Fields::new();
        for grant in taken {
            let Given::Field(field) = grant.of.kind.given() else { continue };
            let is = row.get(field).and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok());
            if is.as_ref().is_some_and(|is| is.as_str() == grant.of.id) {
                continue;
            }
            let why = "it was taken away, or something else took its place".to_owned();
            let end = LedgerChange::End { of: grant.of.clone(), why };
            self.note_grant(bound, ledger, end, progress);
            if let Some(is) = &is {
                let of = EntitlementRef { kind: grant.of.kind, id: is.as_str().to_owned() };
                self.note_found(bound, ledger, of, catalogue, progress);
            }
            seen.insert(field.to_owned(), is.map_or(Value::Null, |is| Value::from(is.as_str())));
        }
        if seen.is_empty() {
            return Ok(());
        }
        let mut link = link.clone();
        link.written.extend(seen);
        progress.land(link);
        Err(Stop::Again)
    }

    /// What was to be taken is not there as it is known, or something else needs it: somebody has changed what he has, which is looked
    /// at once before anything else is made of it.
    pub(super) fn looks_again(&self, bound: &Bound<'_>, step: &GrantStep, progress: &mut Progress) -> bool {
        let is_taken = matches!(step.step, Step::Delete { .. });
        if !is_taken || !progress.look_at_grants.insert(bound.name().clone()) {
            return false;
        }
        tracing::debug!(tenant = %self.caller.tenant, change.id = %self.change, "what a user has is looked at again");
        progress.actual.shift_remove(bound.name());
        true
    }

    /// Somebody else has given it.
    pub(super) fn note_found(
        &self,
        bound: &Bound<'_>,
        ledger: &[Grant],
        of: EntitlementRef,
        catalogue: &Catalogue,
        progress: &mut Progress,
    ) {
        let name = catalogue.get(&of).map_or_else(|| of.id.clone(), |one| one.label.clone());
        let (state, asked) = (GrantState::Found, Vec::new());
        let found = LedgerRow { of, name, state, asked, row: None, until: None, reason: None };
        if bound.tenant.mapping.entitlements.ownership(found.of.kind) == Ownership::Authoritative {
            progress.intruders.push(self.grant(bound, None, found.clone()));
        }
        self.note_grant(bound, ledger, LedgerChange::Set(found), progress);
    }

    /// What nobody asked for and the ledger did not know has been taken: it is told that it was there.
    pub(super) fn note_intruder(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        known: &[Grant],
        progress: &mut Progress,
    ) {
        let is_known = known.iter().any(|grant| grant.of == step.of);
        let (false, LedgerChange::End { of, .. }, Step::Delete { id, .. }) =
            (is_known, &step.after, &step.step)
        else {
            return;
        };
        self.note_passing(bound, of, Some(id.clone()), progress);
    }

    /// What was to be given was there already, and the ledger did not know: somebody else had given it, and it is Gangway's from
    /// now on.
    pub(super) fn note_adoption(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        is_new: bool,
        known: &[Grant],
        progress: &mut Progress,
    ) {
        let is_known = known.iter().any(|grant| grant.of == step.of && grant.state.is_held());
        if !is_new && !is_known && matches!(step.step, Step::Create { .. }) {
            self.note_passing(bound, &step.of, None, progress);
        }
    }

    /// It was somebody else's until this change, which is when the ledger has learnt of it.
    fn note_passing(
        &self,
        bound: &Bound<'_>,
        of: &EntitlementRef,
        row: Option<RecordId>,
        progress: &mut Progress,
    ) {
        let catalogue = self.inner.catalogue.known(bound.org.name());
        let label = catalogue.and_then(|catalogue| Some(catalogue.get(of)?.label.clone()));
        let found = LedgerRow {
            of: of.clone(),
            name: label.unwrap_or_else(|| of.id.clone()),
            state: GrantState::Found,
            asked: Vec::new(),
            row,
            until: None,
            reason: None,
        };
        let found = self.grant(bound, None, found);
        progress.intruders.push(found);
    }

    /// A change of a Group is undone: what was somebody else's before it is so again, and not taken.
    pub(super) async fn give_back(
        &self,
        wanted: &[Wanted],
        ledger: &mut [Grant],
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let Operation::Regroup(change) = &self.request.operation else { return Ok(()) };
        if !change.undoes || change.member {
            return Ok(());
        }
        let is_unwanted = |grant: &&mut Grant| {
            grant.state == GrantState::Granted && !wanted.iter().any(|one| one.of == grant.of)
        };
        for grant in ledger.iter_mut().filter(is_unwanted) {
            let by = AskedBy::Group(change.group.clone());
            let Some(ask) = grant.asked.iter().find(|ask| ask.by == by) else { continue };
            let history = self.inner.store.history(&self.caller.tenant, &self.id, &grant.of).await?;
            let is_it = |held: &store::Held| {
                let ended = held.ended.as_ref().and_then(|ended| ended.change.as_ref());
                held.grant.state == GrantState::Found
                    && held.grant.target == grant.target
                    && ended == Some(&ask.change)
            };
            if history.iter().any(is_it) {
                (grant.state, grant.until, grant.since) = (GrantState::Found, None, self.inner.clock.now());
                grant.asked.clear();
                let key = (grant.target.clone(), grant.of.clone());
                progress.ledger.insert(key, GrantWrite::Set(grant.clone()));
            }
        }
        Ok(())
    }
}
