//! Seats: known before the call. Who finds none is refused with the numbers, or waits for one, as the tenant says.

use std::sync::Arc;

use model::OrgName;
use planning::{Course, GrantStep, LedgerChange, LedgerRow, Wanted};
use salesforce_types::{
    Catalogue, EntitlementKind, EntitlementRef, Given, Grant, GrantState, RecordId, Refusal, SeatsOf, Step,
    seats_of, seats_of_license,
};
use serde_json::Value;
use translation::Desired;

use super::{
    Progress, Stop, UserChange,
    act::Chosen,
    decide::Translated,
    grants::{Granting, NotGranted},
    round::{Round, call_failed},
    scene::Bound,
};
use crate::ProvisionError;

/// Salesforce's code where a licence has no seat left.
pub(super) const NO_SEAT: &str = "LICENSE_LIMIT_EXCEEDED";

/// Whether somebody works from now on.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) active: bool,
    /// The profile that he goes on with, because the one that he is to have has no seat for him yet.
    pub(super) goes_on_with: Option<Kept>,
}

/// A profile that somebody has until there is a seat for another one.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    profile: RecordId,
    /// Why he has not got the other one.
    why: String,
}

/// Which feature licences a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagsOf {
    /// Those that its words name.
    Named,
    /// It names none, and is about nothing else: all of them.
    All,
}

/// The refusal with the numbers.
fn seat_missing(bound: &Bound<'_>, full: SeatsOf) -> ProvisionError {
    let (org, total) = (bound.org.name().clone(), full.seats.total.unwrap_or_default());
    ProvisionError::NoSeat { org, what: full.what, used: full.seats.used, total }
}

impl UserChange {
    /// Whether the person works from now on: as asked, unless the licence of his profile has no seat and the tenant lets him
    /// wait for one. Whoever works already goes on with the profile that he has.
    pub(super) async fn may_work(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &Course<'_>,
        made: &Translated,
        default_profile: Option<&RecordId>,
        progress: &mut Progress,
    ) -> Result<Work, Stop> {
        let active = round.turnover.is_active(course);
        let (Some(granting), Some(translation), true) = (&made.granting, &made.translation, active) else {
            return Ok(Work { active, goes_on_with: None });
        };
        let wanted = match translation.fields.get("ProfileId") {
            Some(Desired::Set(Value::String(id))) => RecordId::parse(id.as_str()).ok(),
            _ => default_profile.cloned(),
        };
        let written = match &course.aim {
            planning::Aim::Hold(planning::Origin::Linked(link)) => Some(&link.written),
            _ => None,
        };
        let field = |name: &str| written.and_then(|written| written.get(name)).and_then(Value::as_str);
        let held = field("ProfileId").and_then(|id| RecordId::parse(id).ok());
        let works = written.is_some_and(|written| written.get("IsActive") != Some(&Value::Bool(false)));
        let license_of = |catalogue: &Catalogue, profile: Option<&RecordId>| {
            let of = EntitlementRef { kind: EntitlementKind::Profile, id: profile?.as_str().to_owned() };
            catalogue.license(catalogue.get(&of)?.license.as_ref()?).cloned()
        };
        let needed = license_of(&granting.catalogue, wanted.as_ref().or(held.as_ref()));
        let has_seat =
            works && (wanted.is_none() || needed == license_of(&granting.catalogue, held.as_ref()));
        // Whose profile is not known has one of a User that was there before.
        let is_new_or_known = written.is_none() || held.is_some();
        let Some(license) =
            needed.filter(|license| !has_seat && is_new_or_known && license.seats.free() == Some(0))
        else {
            return Ok(Work { active, goes_on_with: None });
        };
        let now = self.catalogue_with_seats(bound).await?;
        let Some(license) = now.license(&license.id).filter(|license| license.seats.free() == Some(0)) else {
            return Ok(Work { active, goes_on_with: None });
        };
        let error = seat_missing(bound, seats_of_license(license));
        if !bound.tenant.mapping.entitlements.waiting_list {
            return Err(error.into());
        }
        let why = error.to_string();
        let goes_on_with = held.clone().filter(|_| works).map(|profile| Kept { profile, why: why.clone() });
        let profile = wanted.or(held).map(|profile| profile.as_str().to_owned()).unwrap_or_default();
        let of = EntitlementRef { kind: EntitlementKind::Profile, id: profile };
        progress.awaits_seat(bound, of, why);
        Ok(Work { active: works, goes_on_with })
    }

    /// Somebody goes on with the profile that he has: what goes with the other one alone waits with it.
    pub(super) fn go_on_with(
        &self,
        bound: &Bound<'_>,
        kept: &Kept,
        made: &mut Translated,
        progress: &mut Progress,
    ) {
        let (Some(granting), Some(translation)) = (&mut made.granting, &mut made.translation) else { return };
        translation.fields.shift_remove("ProfileId");
        for (wanted, misfit) in granting.misfits(&kept.profile) {
            if let Given::Field(field) = wanted.of.kind.given() {
                translation.fields.shift_remove(field);
            }
            let why = format!("it waits with the profile that it goes with ({}): {misfit}", kept.why);
            granting.set_aside(&wanted.of);
            let waiting = LedgerRow {
                of: wanted.of,
                name: wanted.name,
                state: GrantState::Waiting,
                asked: wanted.asked,
                row: None,
                until: wanted.until,
                reason: Some(why.clone()),
            };
            self.waits_for_seat(bound, granting, waiting, why, progress);
        }
    }

    /// The steps that may go: those that need a seat which is not there are refused or wait.
    pub(super) async fn with_seats(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
        steps: Vec<GrantStep>,
        progress: &mut Progress,
    ) -> Result<Vec<GrantStep>, Stop> {
        let mut go = Vec::new();
        for step in steps {
            let gives = matches!(step.step, Step::Create { .. });
            let holds = |of: &EntitlementRef| granting.holds(of);
            let full = if gives && full(&granting.catalogue, &step.of, holds).is_some() {
                full(&*self.catalogue_with_seats(bound).await?, &step.of, holds)
            } else {
                None
            };
            let (Some(full), LedgerChange::Set(row)) = (full, &step.after) else {
                go.push(step);
                continue;
            };
            let error = seat_missing(bound, full);
            if bound.tenant.mapping.entitlements.waiting_list {
                let reason = Some(error.to_string());
                let waiting = LedgerRow { state: GrantState::Waiting, reason, row: None, ..row.clone() };
                self.waits_for_seat(bound, granting, waiting, error.to_string(), progress);
            } else {
                self.cannot_grant(bound, granting, &step, error, progress);
            }
        }
        Ok(go)
    }

    /// Salesforce does not give it: it is refused, or waits where a seat is missing and the tenant lets it wait. What needs a licence
    /// that was refused for want of a seat is refused for that, whatever Salesforce says of it.
    pub(super) async fn grant_refused(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        refusal: Refusal,
        turnover_grants: &[Grant],
        progress: &mut Progress,
    ) {
        // A set that needs the licence, which somebody has given by hand.
        if step.of.kind == EntitlementKind::PermissionSetLicense && self.looks_again(bound, step, progress) {
            return;
        }
        let target = bound.name();
        let (of, refusal) = match self.refused_before(bound, step, progress) {
            Some(first) => first,
            None => (step.of.clone(), refusal),
        };
        let is_seat = refusal.code == NO_SEAT && matches!(step.step, Step::Create { .. });
        if is_seat {
            progress.seats_refused.insert((target.clone(), step.of.clone()), refusal.clone());
        }
        let holds = |of: &EntitlementRef| progress.holds(turnover_grants, target, of);
        let error = self.no_seat(bound, Some(&of), &refusal, holds).await;
        let error = error.unwrap_or_else(|| ProvisionError::Refused {
            org: bound.org.name().clone(),
            refusal: Box::new(refusal),
            attributes: vec!["entitlements".to_owned()],
        });
        if !(is_seat && self.waits_instead(bound, step, &error, turnover_grants, progress)) {
            self.not_granted(bound, step, error, turnover_grants, progress);
        }
    }

    /// The licence that something needs and that was refused for want of a seat, with what Salesforce has said of it.
    fn refused_before(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        progress: &Progress,
    ) -> Option<(EntitlementRef, Refusal)> {
        let catalogue = self.inner.catalogue.known(bound.org.name())?;
        let mut needed = salesforce_types::licenses_needed(&catalogue, &step.of).into_iter();
        needed.find_map(|license| {
            let refusal = progress.seats_refused.get(&(bound.name().clone(), license.clone()))?;
            Some((license, refusal.clone()))
        })
    }

    /// Salesforce has found no seat although one was thought to be free: the numbers as they are. `None`: it is about something
    /// else than the seat that this needs of who `holds` the rest.
    pub(super) async fn no_seat(
        &self,
        bound: &Bound<'_>,
        of: Option<&EntitlementRef>,
        refusal: &Refusal,
        holds: impl Fn(&EntitlementRef) -> bool,
    ) -> Option<ProvisionError> {
        if refusal.code != NO_SEAT {
            return None;
        }
        let (of, now) = (of?, self.inner.clock.now());
        let explains = |catalogue: &Catalogue| full(catalogue, of, &holds).is_some();
        let catalogue =
            self.inner.catalogue.after_a_refusal(&*self.inner.store, bound.org, now, explains).await;
        full(&*catalogue.ok()?, of, &holds).map(|full| seat_missing(bound, full))
    }

    /// A feature licence that has run out keeps nobody out: it is refused, or waits, as other grants do, and the record is written
    /// without it. How many there are no API tells, so only a refusal shows it. `false`: the refusal is about something else.
    pub(super) fn goes_without_flags(
        &self,
        bound: &Bound<'_>,
        chosen: &Chosen,
        refusal: &Refusal,
        which: FlagsOf,
        turnover_grants: &[Grant],
        progress: &mut Progress,
    ) -> bool {
        if refusal.code != NO_SEAT {
            return false;
        }
        let words = refusal.message.to_lowercase();
        let is_meant = |flag: &&Wanted| {
            if flag.of.kind.given() != Given::Flag {
                return false;
            }
            let is_named = words.contains(&flag.name.to_lowercase());
            (is_named || which == FlagsOf::All) && !progress.goes_without(bound, &flag.of)
        };
        let flags: Vec<Wanted> = chosen.given.iter().filter(is_meant).cloned().collect();
        let org: &OrgName = bound.org.name();
        let waits = bound.tenant.mapping.entitlements.waiting_list;
        for flag in &flags {
            let error = ProvisionError::Refused {
                org: org.clone(),
                refusal: Box::new(refusal.clone()),
                attributes: vec!["entitlements".to_owned()],
            };
            let row = LedgerRow {
                of: flag.of.clone(),
                name: flag.name.clone(),
                state: if waits { GrantState::Waiting } else { GrantState::Refused },
                asked: flag.asked.clone(),
                row: None,
                until: flag.until,
                reason: Some(super::reason_of(&error)),
            };
            let known = progress.ledger_of(turnover_grants, bound.name());
            self.note_grant(bound, &known, LedgerChange::Set(row), progress);
            if waits {
                progress.awaits_seat(bound, flag.of.clone(), error.to_string());
            } else {
                let not = NotGranted { org: org.clone(), name: flag.name.clone(), error };
                progress.not_granted.insert((bound.name().clone(), flag.of.clone()), not);
            }
        }
        !flags.is_empty()
    }

    async fn catalogue_with_seats(&self, bound: &Bound<'_>) -> Result<Arc<Catalogue>, Stop> {
        let now = self.inner.clock.now();
        self.inner
            .catalogue
            .with_seats(&*self.inner.store, bound.org, now, self.accepted)
            .await
            .map_err(call_failed)
    }
}

/// What has no seat left for whoever gets this: the thing itself, or the licence that it needs. Whoever has that licence
/// needs no other seat.
fn full(
    catalogue: &Catalogue,
    of: &EntitlementRef,
    holds: impl Fn(&EntitlementRef) -> bool,
) -> Option<SeatsOf> {
    let full = seats_of(catalogue, of).filter(|of| of.seats.free() == Some(0))?;
    let license = EntitlementRef { kind: EntitlementKind::PermissionSetLicense, id: full.license.clone() };
    let has_it = of.kind == EntitlementKind::PermissionSet && holds(&license);
    (!has_it).then_some(full)
}

impl Progress {
    /// What the record of a target is written without, because Salesforce has refused it in this change.
    pub(super) fn goes_without(&self, bound: &Bound<'_>, of: &EntitlementRef) -> bool {
        let is_awaited = |(target, other, _): &(model::TargetName, EntitlementRef, String)| {
            target == bound.name() && other == of && of.kind.given() == Given::Flag
        };
        self.not_granted.contains_key(&(bound.name().clone(), of.clone()))
            || self.seats_awaited.iter().any(is_awaited)
    }

    /// Something is given when a seat is free.
    pub(super) fn awaits_seat(&mut self, bound: &Bound<'_>, of: EntitlementRef, why: String) {
        if !self.seats_awaited.iter().any(|(target, other, _)| target == bound.name() && *other == of) {
            self.seats_awaited.push((bound.name().clone(), of, why));
        }
    }
}
