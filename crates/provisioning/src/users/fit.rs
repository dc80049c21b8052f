//! What somebody cannot have with the profile that he has, or is about to get: found out before any call is spent.

use planning::{Aim, Course, Found, LedgerChange, LedgerRow, Origin, Wanted};
use salesforce_types::{
    AskedBy, Assigned, Catalogue, EntitlementKind, EntitlementRef, Grant, GrantState, RecordId,
};
use scim_types::ScimType;
use serde_json::Value;
use translation::{Desired, Translation};

use super::{
    Progress, Stop, UserChange,
    asks::{asks_in, invalid},
    grants::NotGranted,
    round::Round,
    scene::Bound,
};
use crate::{Operation, ProvisionError};

/// What the grants of a User are held against.
pub(super) struct Fit<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) ledger: &'a [Grant],
    pub(super) actual: Option<&'a [Assigned]>,
}

impl Fit<'_> {
    fn holds(&self, of: &EntitlementRef) -> bool {
        let ledger = self.ledger.iter().any(|grant| grant.of == *of && grant.state.is_held());
        ledger || self.actual.unwrap_or_default().iter().any(|assigned| assigned.of == *of)
    }

    /// A profile or a role that is for other people than those of the target.
    pub(super) fn misplaced(&self, bound: &Bound<'_>, wanted: &[Wanted]) -> Vec<(EntitlementRef, String)> {
        let new = wanted.iter().filter(|one| one.of.kind.is_single() && !self.holds(&one.of));
        let why = |of: &EntitlementRef| bound.target.misplaces(self.catalogue.get(of)?);
        new.filter_map(|one| Some((one.of.clone(), why(&one.of)?))).collect()
    }

    /// What does not go with this profile: of what is new, and of all where the profile is; the role, which Salesforce itself
    /// looks at whatever is written, always.
    pub(super) fn mismatched(&self, profile: &RecordId, wanted: &[Wanted]) -> Vec<(EntitlementRef, String)> {
        let of = EntitlementRef { kind: EntitlementKind::Profile, id: profile.as_str().to_owned() };
        let Some(profile) = self.catalogue.get(&of) else { return Vec::new() };
        let why = |of: &EntitlementRef| {
            let why = salesforce_types::mismatch(self.catalogue, profile, self.catalogue.get(of)?)?;
            Some(format!("with the profile `{}` it cannot be given: {why}", profile.label))
        };
        let is_new = !self.holds(&of);
        let is_looked_at =
            |one: &&Wanted| is_new || !self.holds(&one.of) || one.of.kind == EntitlementKind::Role;
        let looked_at = wanted.iter().filter(is_looked_at);
        looked_at.filter_map(|one| Some((one.of.clone(), why(&one.of)?))).collect()
    }
}

impl UserChange {
    /// The profile that somebody has once this change is done, as far as it is known.
    pub(super) async fn profile_after(
        &self,
        bound: &Bound<'_>,
        course: &Course<'_>,
        translation: &Translation,
        (wanted, fallback): (&[Wanted], Option<&RecordId>),
        fit: &Fit<'_>,
        progress: &Progress,
    ) -> Result<Option<RecordId>, Stop> {
        let id_of = |of: &EntitlementRef| {
            RecordId::parse(&of.id).ok().filter(|_| of.kind == EntitlementKind::Profile)
        };
        let mapped = match translation.fields.get("ProfileId") {
            Some(Desired::Set(Value::String(id))) => RecordId::parse(id.as_str()).ok(),
            _ => None,
        };
        let comes = wanted.iter().find_map(|one| id_of(&one.of)).or(mapped).or_else(|| fallback.cloned());
        let has = || {
            let written = match &course.aim {
                Aim::Hold(Origin::Linked(link)) => link.written.get("ProfileId").and_then(Value::as_str),
                _ => None,
            };
            let held = || fit.ledger.iter().filter(|grant| grant.state.is_held());
            fit.actual
                .and_then(|actual| actual.iter().find_map(|assigned| id_of(&assigned.of)))
                .or_else(|| RecordId::parse(written?).ok())
                .or_else(|| held().find_map(|grant| id_of(&grant.of)))
        };
        if let Some(profile) = comes.or_else(has) {
            return Ok(Some(profile));
        }
        // A record that may be found has a profile that nobody knows yet.
        let keys = planning::keys_of(&bound.target.matching, translation);
        let is_made = match (&course.aim, progress.found(bound.name())) {
            (Aim::Hold(Origin::Unknown(_)), Found::Records(records)) => records.is_empty(),
            (Aim::Hold(Origin::Unknown(_)), Found::NotLooked) => {
                !planning::must_look_first(bound.target, &keys)
            }
            _ => false,
        };
        if is_made && bound.target.allow.create { self.profile(bound).await.map(Some) } else { Ok(None) }
    }

    /// Leaves out what does not fit. What the caller asks for just now refuses the request, as long as nothing of it has reached
    /// an org; so does a profile that he asks for just now and that does not go with what he, or a group, asks for. What a rule
    /// asks for is refused in the ledger, and the rest goes on.
    pub(super) fn leave_out(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        misfits: Vec<(EntitlementRef, String)>,
        wanted: &mut Vec<Wanted>,
        fit: &Fit<'_>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        for (of, why) in misfits {
            let Some(at) = wanted.iter().position(|one| one.of == of) else { continue };
            let may_refuse = self.may_refuse(round, bound, progress);
            let by_profile = wanted.iter().any(|one| {
                one.of.kind == EntitlementKind::Profile && self.asks_now(round, bound, one, progress)
            });
            let is_named =
                wanted[at].asked.iter().any(|by| matches!(by, AskedBy::Attribute | AskedBy::Group(_)));
            let refuses = (by_profile && is_named) || self.asks_now(round, bound, &wanted[at], progress);
            if may_refuse && refuses {
                let what = format!("the {} `{}` is refused", of.kind, wanted[at].name);
                return Err(invalid(format!("{what}: {why}; nothing was changed")));
            }
            // Salesforce says what becomes of what is there.
            if fit.holds(&of) {
                continue;
            }
            let Wanted { of, name, asked, until } = wanted.remove(at);
            let row = LedgerRow {
                of: of.clone(),
                name: name.clone(),
                state: GrantState::Refused,
                asked,
                row: None,
                until,
                reason: Some(why.clone()),
            };
            self.note_refused(bound, fit.ledger, row, progress);
            let error = scim_types::Error::bad_request(ScimType::InvalidValue, why);
            let not =
                NotGranted { org: bound.org.name().clone(), name, error: ProvisionError::Invalid(error) };
            progress.not_granted.insert((bound.name().clone(), of), not);
        }
        Ok(())
    }

    /// Whether nothing has reached an org yet that a refusal would leave behind.
    fn may_refuse(&self, round: &Round<'_>, bound: &Bound<'_>, progress: &Progress) -> bool {
        let has_begun = progress.has_landed || progress.was_unsure || progress.unsure.is_some();
        let locks_out = self.ticket.takes_access_away() || round.locks_out();
        bound.target.required && !has_begun && !locks_out
    }

    /// Whether this request itself asks for it.
    fn asks_now(&self, round: &Round<'_>, bound: &Bound<'_>, one: &Wanted, progress: &Progress) -> bool {
        let org = bound.org.name();
        if let Operation::Regroup(change) = &self.request.operation {
            let stands_for = change.stands_for.as_ref();
            return change.member
                && stands_for.is_some_and(|stands_for| stands_for.org == *org && stands_for.of == one.of);
        }
        let asked_before = || {
            let orgs = progress.scene.orgs_with_users().unwrap_or_default();
            let current = round.turnover.current.as_ref();
            current.is_some_and(|current| asks_in(current, org, &orgs).contains(&one.of))
        };
        one.asked.contains(&AskedBy::Attribute) && !asked_before()
    }

    /// The ledger says why something is not there, once.
    fn note_refused(&self, bound: &Bound<'_>, ledger: &[Grant], row: LedgerRow, progress: &mut Progress) {
        let is_known = |grant: &Grant| {
            let mut asks = grant.asked.iter().map(|ask| &ask.by);
            grant.of == row.of
                && grant.state == row.state
                && grant.reason == row.reason
                && grant.asked.len() == row.asked.len()
                && asks.all(|by| row.asked.contains(by))
        };
        if !ledger.iter().any(is_known) {
            self.note_grant(bound, ledger, LedgerChange::Set(row), progress);
        }
    }
}
