//! What a User is to have beside its record, and what came of it: asks, ledger and catalogue on the way in, rows of the ledger
//! on the way out.

use std::sync::Arc;

use indexmap::IndexMap;
use model::{OrgName, TargetName};
use planning::{
    Aim, Course, GrantInput, GrantPlan, GrantStep, LedgerChange, LedgerRow, Origin, Presence, Unmet, Wanted,
};
use salesforce_client::Purpose;
use salesforce_types::{
    Ask, AskedBy, Assigned, Catalogue, EntitlementKind, EntitlementRef, Fields, Given, Grant, GrantState,
    Link, RecordId, Step,
};
use serde_json::Value;
use store::GrantWrite;
use translation::{Desired, EntitlementPolicy, NoteCode, Ownership, Translation};

use super::{
    Progress, Stop, UserChange,
    act::Stage,
    asks::asks_in,
    fit::Fit,
    round::{Round, call_failed, note},
    scene::Bound,
};
use crate::{Operation, ProvisionError, lookup};

/// What no door does that could not have made him what he is.
const CHANGE_A_PROTECTED_USER: &str = "change a user who is protected";

/// What decides the grants of one User in one round.
#[derive(Debug)]
pub(super) struct Granting {
    pub(super) catalogue: Arc<Catalogue>,
    wanted: Vec<Wanted>,
    /// The rows of the org, as they are now.
    ledger: Vec<Grant>,
    actual: Option<Vec<Assigned>>,
    user: Option<RecordId>,
    presence: Presence,
    set_aside: Vec<EntitlementRef>,
    again: bool,
    /// Only these rows are decided: the identity has left the target, and what it has there is not over.
    has_left: bool,
    /// What the mapping itself writes of the fields that grants ask for, too. None: the User leaves the target.
    mapped: Option<IndexMap<String, Desired>>,
    /// The profile of somebody whose other one is not asked for any more.
    fallback: Option<RecordId>,
}

/// The tenant's word on a kind.
#[derive(Debug)]
struct Owned<'a>(&'a EntitlementPolicy);

impl planning::OwnershipOf for Owned<'_> {
    fn of(&self, kind: EntitlementKind) -> Ownership {
        self.0.ownership(kind)
    }
}

/// A grant that Salesforce refuses, or that cannot be given.
#[derive(Debug)]
pub(super) struct NotGranted {
    pub(super) org: OrgName,
    pub(super) name: String,
    pub(super) error: ProvisionError,
}

impl Granting {
    /// Whether he has it.
    pub(super) fn holds(&self, of: &EntitlementRef) -> bool {
        let ledger = self.ledger.iter().any(|grant| grant.of == *of && grant.state.is_held());
        ledger || self.actual.iter().flatten().any(|assigned| assigned.of == *of)
    }

    /// What of all that he is to have does not go with this profile, and why.
    pub(super) fn misfits(&self, profile: &RecordId) -> Vec<(Wanted, String)> {
        let fit = Fit { catalogue: &self.catalogue, ledger: &self.ledger, actual: self.actual.as_deref() };
        let misfits = fit.mismatched(profile, &self.wanted).into_iter();
        let wanted = |of: &EntitlementRef| self.wanted.iter().find(|one| one.of == *of).cloned();
        misfits.filter_map(|(of, why)| Some((wanted(&of)?, why))).collect()
    }

    /// What these fields give that somebody asks for: profile, role, feature licences.
    pub(super) fn given_by(&self, written: &Fields) -> Vec<Wanted> {
        let is_given = |one: &&Wanted| match one.of.kind.given() {
            Given::Field(field) => written.get(field).and_then(Value::as_str) == Some(one.of.id.as_str()),
            Given::Flag => written.get(&one.of.id) == Some(&Value::Bool(true)),
            Given::Row(_) => false,
        };
        self.wanted.iter().filter(is_given).cloned().collect()
    }

    /// It comes later, if it does.
    pub(super) fn set_aside(&mut self, of: &EntitlementRef) {
        self.set_aside.push(of.clone());
    }

    /// What the ledger says of profile, role and feature licences once the User's record has these fields.
    fn given_by_fields(
        &self,
        bound: &Bound<'_>,
        now: model::Timestamp,
        written: &Fields,
    ) -> Vec<LedgerChange> {
        let mut changes =
            self.decide(bound, now, |input| planning::granted_by_fields(input, written, &self.catalogue));
        if self.has_left {
            changes.retain(|change| self.ledger.iter().any(|grant| grant.of == *change.of()));
        }
        changes
    }

    fn decide<T>(
        &self,
        bound: &Bound<'_>,
        now: model::Timestamp,
        decide: impl FnOnce(&GrantInput<'_>) -> T,
    ) -> T {
        let ownership = Owned(&bound.tenant.mapping.entitlements);
        decide(&GrantInput {
            target: bound.name(),
            org: bound.org.name(),
            user: self.user.as_ref(),
            wanted: &self.wanted,
            ledger: &self.ledger,
            actual: self.actual.as_deref(),
            ownership: &ownership,
            presence: self.presence,
            strip: &bound.target.strip,
            set_aside: &self.set_aside,
            again: self.again,
            mapped: self.mapped.as_ref(),
            fallback: self.fallback.as_ref(),
            now,
        })
    }
}

impl UserChange {
    /// What the grants of a User rest on. None: the target is no User's, or it has no record and gets none.
    pub(super) async fn granting(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &Course<'_>,
        translation: Option<&Translation>,
        progress: &mut Progress,
    ) -> Result<Option<Granting>, Stop> {
        if bound.target.object != "User" {
            return Ok(None);
        }
        let (user, leaves) = match &course.aim {
            Aim::Hold(Origin::Linked(link)) => (Some(link.record_id.clone()), false),
            Aim::Leave(link) => (Some(link.record_id.clone()), true),
            Aim::Hold(_) => (None, false),
            Aim::Followed(_) => return Ok(None),
        };
        if let Aim::Hold(Origin::Linked(link)) = &course.aim
            && link.target != *bound.name()
        {
            progress.take_over_grants(&round.turnover.grants, &link.target, bound.name());
        }
        let mut ledger = progress.ledger_of(&round.turnover.grants, bound.name());
        if user.is_none() || is_another_record(round, bound, user.as_ref(), progress) {
            // What a record had that is not the identity's any more says nothing of the next one.
            let (refused, over): (Vec<Grant>, Vec<Grant>) =
                ledger.drain(..).partition(|grant| progress.goes_without(bound, &grant.of));
            ledger = refused;
            for grant in over {
                let why = "its record is not the identity's any more".to_owned();
                let write = GrantWrite::End { target: grant.target.clone(), of: grant.of.clone(), why };
                progress.ledger.insert((grant.target, grant.of), write);
            }
        }
        let now = self.inner.clock.now();
        let has_left = matches!(&course.aim, Aim::Leave(link) if link.left);
        if has_left {
            // Only what he had until a time, and that time is over.
            ledger.retain(|grant| grant.until.is_some_and(|until| until <= now));
        }
        if leaves && ledger.is_empty() {
            return Ok(None);
        }
        let is_here = !leaves && round.turnover.is_active(course);
        let mut catalogue = match self.catalogue_of(bound).await {
            Ok(catalogue) => catalogue,
            // Nobody stays active because an org does not say what it offers.
            Err(stop) if user.is_some() && !is_here => {
                tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, ?stop, "what the org offers is not known; grants stay as they are");
                return Ok(None);
            }
            Err(stop) => return Err(stop),
        };
        let mut wanted = if leaves {
            // What he has stays his until its time is over, and what was stripped comes back: he may, too.
            let is_his = |grant: &&Grant| {
                matches!(grant.state, GrantState::Granted | GrantState::Stripped)
                    && grant.until.is_none_or(|until| until > now)
            };
            ledger.iter().filter(is_his).map(as_wanted).collect()
        } else {
            self.wanted(round, bound, &mut catalogue, &ledger, progress).await?
        };
        self.give_back(&wanted, &mut ledger, progress).await?;
        let mapped = translation.map(|translation| granting_fields(translation, &catalogue));
        if let Aim::Hold(Origin::Linked(link)) = &course.aim
            && link.target == *bound.name()
            && !round.is_locked_out_first(progress)
        {
            let fields = (mapped.as_ref(), wanted.as_slice(), ledger.as_slice());
            self.see_what_is_taken(bound, link, fields, &catalogue, progress).await?;
        }
        let mut actual = self.actual(bound, user.as_ref(), is_here, progress).await?;
        if has_left && let Some(actual) = &mut actual {
            actual.retain(|assigned| ledger.iter().any(|grant| grant.of == assigned.of));
        }
        if let (Some(actual), Aim::Hold(Origin::Linked(link))) = (&actual, &course.aim)
            && link.target == *bound.name()
        {
            self.take_up_former(bound, link, actual, &mut ledger, progress).await?;
            self.learn_given_fields(bound, link, actual, (&catalogue, &ledger), progress)?;
        }
        let fit = Fit { catalogue: &catalogue, ledger: &ledger, actual: actual.as_deref() };
        if is_here {
            let misplaced = fit.misplaced(bound, &wanted);
            self.leave_out(round, bound, misplaced, &mut wanted, &fit, progress)?;
        }
        let fallback = match translation {
            Some(translation) if !translation.fields.contains_key("ProfileId") => {
                self.fallback_profile(bound, &ledger, &wanted, &catalogue).await?
            }
            _ => None,
        };
        if let (Some(translation), true) = (translation, is_here) {
            let comes = (wanted.as_slice(), fallback.as_ref());
            let profile = self.profile_after(bound, course, translation, comes, &fit, progress).await?;
            let mismatched = profile.map(|profile| fit.mismatched(&profile, &wanted)).unwrap_or_default();
            self.leave_out(round, bound, mismatched, &mut wanted, &fit, progress)?;
        }
        let of_target = progress.not_granted.keys().filter(|(target, _)| target == bound.name());
        let mut set_aside: Vec<EntitlementRef> = of_target.map(|(_, of)| of.clone()).collect();
        let fields = wanted.iter().filter(|one| !matches!(one.of.kind.given(), Given::Row(_)));
        set_aside.extend(fields.map(|one| one.of.clone()).filter(|of| progress.goes_without(bound, of)));
        // With another profile, other things can be given.
        let again = self.tries_again() || progress.has_written(bound.name(), "ProfileId");
        if !leaves {
            let comes = |of: &EntitlementRef| {
                let mut refused = ledger.iter().filter(|grant| grant.state == GrantState::Refused && !again);
                !set_aside.contains(of) && !refused.any(|grant| grant.of == *of)
            };
            planning::with_licenses(&mut wanted, &catalogue, comes);
            let policy = &bound.tenant.mapping.entitlements;
            let needed = needed_by_others(policy, &catalogue, (&ledger, actual.as_deref()), &wanted);
            set_aside.extend(needed);
        }
        Ok(Some(Granting {
            wanted,
            ledger,
            actual,
            user,
            presence: if is_here { Presence::Here } else { Presence::Away },
            set_aside,
            again,
            has_left,
            mapped,
            fallback,
            catalogue,
        }))
    }

    pub(super) async fn catalogue_of(&self, bound: &Bound<'_>) -> Result<Arc<Catalogue>, Stop> {
        let now = self.inner.clock.now();
        self.inner.catalogue.of(&*self.inner.store, bound.org, now).await.map_err(call_failed)
    }

    /// What attributes, groups and rules ask for.
    async fn wanted(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        catalogue: &mut Arc<Catalogue>,
        ledger: &[Grant],
        progress: &mut Progress,
    ) -> Result<Vec<Wanted>, Stop> {
        let Some(wanted) = &round.turnover.wanted else { return Ok(Vec::new()) };
        let org = bound.org.name();
        let orgs = progress.scene.orgs_with_users()?;
        let attributes = asks_in(wanted, org, &orgs);
        let standing = round.turnover.groups.iter().filter_map(|group| {
            let stands_for = group.stands_for.as_ref().filter(|stands_for| stands_for.org == *org)?;
            Some((group.id.clone(), stands_for.of.clone()))
        });
        let groups: Vec<_> = standing.collect();
        let seen = round.turnover.seen.as_ref().unwrap_or(wanted);
        let (mut rules, notes) = bound.tenant.mapping.ruled(seen, self.inner.clock.now());
        rules.retain(|ruled| ruled.target.as_ref().is_none_or(|target| target == bound.name()));
        let asks = planning::Asks { attributes: &attributes, groups: &groups, rules: &rules };
        let (mut wanted, mut unmet) = planning::wanted(&asks, catalogue);
        if unmet.iter().any(|unmet| matches!(unmet, Unmet::Unknown { .. })) {
            // It may have been made since.
            let (store, now) = (&*self.inner.store, self.inner.clock.now());
            *catalogue =
                self.inner.catalogue.after_a_miss(store, bound.org, now).await.map_err(call_failed)?;
            (wanted, unmet) = planning::wanted(&asks, catalogue);
        }
        // What was refused, or waited, is not there to be kept.
        let is_his = |grant: &&Grant| grant.state.is_held() || grant.state == GrantState::Stripped;
        for kept in ledger.iter().filter(is_his).filter(|grant| unmet.iter().any(|unmet| keeps(unmet, grant)))
        {
            if !wanted.iter().any(|wanted| wanted.of == kept.of) {
                wanted.push(as_wanted(kept));
            }
        }
        let said = unmet.iter().map(|unmet| note(bound.name(), NoteCode::GrantUnmet, &words(unmet)));
        let said = said.chain(notes.into_iter().map(|note| (bound.name().clone(), note)));
        for said in said {
            if !progress.said.contains(&said) {
                progress.said.push(said);
            }
        }
        Ok(wanted)
    }

    /// What the User has in the org, where that is looked at: Gangway is the authority, an operator asks, the record was there
    /// before, or a step has no known end.
    async fn actual(
        &self,
        bound: &Bound<'_>,
        user: Option<&RecordId>,
        is_here: bool,
        progress: &mut Progress,
    ) -> Result<Option<Vec<Assigned>>, Stop> {
        let Some(user) = user else { return Ok(None) };
        if let Some((_, known)) = progress.actual.get(bound.name()).filter(|(other, _)| other == user) {
            return Ok(Some(known.clone()));
        }
        let policy = &bound.tenant.mapping.entitlements;
        let is_authority = is_here
            && EntitlementKind::ALL.iter().any(|kind| policy.ownership(*kind) == Ownership::Authoritative);
        let is_asked = matches!(self.request.operation, Operation::Resync | Operation::Adopt(_));
        let was_there = was_adopted(bound, progress);
        if !(is_authority || is_asked || was_there || progress.look_at_grants.contains(bound.name())) {
            return Ok(None);
        }
        let purpose = Purpose::read_back(&self.ticket);
        let actual = bound
            .org
            .assigned(std::slice::from_ref(user), &EntitlementKind::ALL, purpose)
            .await
            .map_err(call_failed)?;
        progress.actual.insert(bound.name().clone(), (user.clone(), actual.clone()));
        Ok(Some(actual))
    }

    /// Of a User that is adopted: what an identity had of it by Gangway that is gone since is still Gangway's, and goes where nobody
    /// asks for it any more.
    async fn take_up_former(
        &self,
        bound: &Bound<'_>,
        link: &Link,
        actual: &[Assigned],
        ledger: &mut Vec<Grant>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        if !was_adopted(bound, progress) || !progress.former_seen.insert(bound.name().clone()) {
            return Ok(());
        }
        let (tenant, org) = (&self.caller.tenant, bound.org.name());
        let former = self.inner.store.former_grants(tenant, org, &link.record_id).await?;
        for grant in former.into_iter().filter(|grant| grant.state == GrantState::Granted) {
            let Some(assigned) = actual.iter().find(|assigned| is_still(&grant, assigned)) else { continue };
            if ledger.iter().any(|known| known.of == grant.of && known.state.is_held()) {
                continue;
            }
            let (target, row) = (bound.name().clone(), assigned.row.clone());
            let grant = Grant { target: target.clone(), row, since: self.inner.clock.now(), ..grant };
            ledger.retain(|known| known.of != grant.of);
            ledger.push(grant.clone());
            progress.ledger.insert((target, grant.of.clone()), GrantWrite::Set(grant));
        }
        Ok(())
    }

    /// A profile, a role or a feature licence that Gangway has not written is known from now on, as somebody else's.
    fn learn_given_fields(
        &self,
        bound: &Bound<'_>,
        link: &Link,
        actual: &[Assigned],
        (catalogue, ledger): (&Catalogue, &[Grant]),
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let is_looked_at = progress.fields_seen.insert(bound.name().clone());
        let seen = if is_looked_at { seen_in_fields(link, actual, catalogue) } else { Fields::new() };
        if seen.is_empty() {
            return Ok(());
        }
        for assigned in actual.iter().filter(|assigned| assigned.row.is_none()) {
            let of = assigned.of.clone();
            let is_known = ledger.iter().any(|grant| grant.of == of && grant.state.is_held());
            if is_known || !of.field().is_some_and(|field| seen.contains_key(field)) {
                continue;
            }
            self.note_found(bound, ledger, of, catalogue, progress);
        }
        let mut link = link.clone();
        link.written.extend(seen);
        progress.land(link);
        Err(Stop::Again)
    }

    /// A profile is never taken away: who loses one gets the least privileged of its licence, else the tenant's default.
    async fn fallback_profile(
        &self,
        bound: &Bound<'_>,
        ledger: &[Grant],
        wanted: &[Wanted],
        catalogue: &Catalogue,
    ) -> Result<Option<RecordId>, Stop> {
        let is_profile = |of: &EntitlementRef| of.kind == EntitlementKind::Profile;
        let was_asked = |grant: &&Grant| {
            let asked = grant.asked.iter().any(|ask| ask.by != AskedBy::Default);
            is_profile(&grant.of) && grant.state == GrantState::Granted && asked
        };
        let held = ledger.iter().find(was_asked);
        let Some(held) = held.filter(|_| !wanted.iter().any(|wanted| is_profile(&wanted.of))) else {
            return Ok(None);
        };
        let license =
            catalogue.get(&held.of).and_then(|profile| catalogue.license(profile.license.as_ref()?));
        let least = license.and_then(|license| {
            let policy = &bound.tenant.mapping.entitlements;
            policy.least_privileged.get(&license.name).or_else(|| policy.least_privileged.get(&license.key))
        });
        let least = least.and_then(|name| catalogue.named(&[EntitlementKind::Profile], name).ok());
        match least.and_then(|profile| RecordId::parse(&profile.of.id).ok()) {
            Some(profile) => Ok(Some(profile)),
            None => self.profile(bound).await.map(Some),
        }
    }

    /// Whether what was refused before is tried once more: somebody asks for it just now.
    fn tries_again(&self) -> bool {
        !matches!(self.request.operation, Operation::Attempt(_))
    }

    /// The fields of the record that grants ask for take the place of what the mapping says of them.
    pub(super) fn with_granted_fields(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
        translation: &mut Translation,
    ) {
        let fields = granting.decide(bound, self.inner.clock.now(), planning::granted_fields);
        for (field, desired) in fields {
            translation.refusals.retain(|refusal| refusal.field != field);
            translation.fields.insert(field, desired);
        }
    }

    /// The fields that are taken from who leaves the target.
    pub(super) fn stripped_fields(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
    ) -> IndexMap<String, Desired> {
        let mut fields = granting.decide(bound, self.inner.clock.now(), planning::granted_fields);
        fields.retain(|_, desired| takes(desired));
        fields
    }

    /// Whether there is something to give or to take, where the target changes no records.
    pub(super) fn leaves_out_grants(&self, bound: &Bound<'_>, granting: &Granting) -> bool {
        let plan = granting.decide(bound, self.inner.clock.now(), planning::grant_rows);
        plan.look || !plan.steps.is_empty()
    }

    /// Users who may change everything, or everybody, are changed by no door that could not have given them that. What a rule
    /// or the mapping gives, the operator has named.
    ///
    /// # Errors
    /// He is protected; or what the org offers is not known, so that nobody can tell: then it is tried again.
    pub(super) fn check_protected(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        link: &Link,
        granting: Option<&Granting>,
        progress: &Progress,
    ) -> Result<(), Stop> {
        let protected = || {
            let (target, what) = (bound.name().clone(), CHANGE_A_PROTECTED_USER);
            Err(ProvisionError::NotAllowed { target, what }.into())
        };
        if lookup::is_named(bound.tenant, link) {
            return protected();
        }
        let asker = self.asker().and_then(|asker| bound.tenant.clients.get(asker));
        let Some(client) = asker else { return Ok(()) };
        let by_the_operator = |ask: &Ask| matches!(ask.by, AskedBy::Rule(_) | AskedBy::Default);
        let is_looked_at = |grant: &&Grant| grant.state.is_held() && !grant.asked.iter().any(by_the_operator);
        let Some(granting) = granting else {
            let ledger = progress.ledger_of(&round.turnover.grants, bound.name());
            let mut ledger = ledger.iter().filter(is_looked_at);
            if ledger.any(|grant| can_be_far_reaching(grant.of.kind)) {
                let why = "what the org offers is not known, nor whether the user is protected".to_owned();
                return Err(Stop::Stalled { why, retry_after: None });
            }
            return Ok(());
        };
        let is_out_of_reach = |grant: &Grant| {
            let one = granting.catalogue.get(&grant.of);
            one.is_some_and(|one| one.far_reaching && !client.may_grant.allows(one))
        };
        let mut ledger = granting.ledger.iter().filter(is_looked_at);
        if ledger.any(is_out_of_reach) { protected() } else { Ok(()) }
    }

    /// What to do about the rows of a User that is there, or about to be made.
    pub(super) fn decide_grants(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
        link: Option<&Link>,
        works: bool,
        progress: &mut Progress,
    ) -> Result<Vec<GrantStep>, Stop> {
        let now = self.inner.clock.now();
        let GrantPlan { steps, mut ledger, look } = granting.decide(bound, now, |input| {
            let presence = if works { input.presence } else { Presence::Away };
            planning::grant_rows(&GrantInput { presence, ..*input })
        });
        if look {
            progress.look_at_grants.insert(bound.name().clone());
            progress.actual.shift_remove(bound.name());
            return Err(Stop::Again);
        }
        if let Some(link) = link {
            ledger.extend(granting.given_by_fields(bound, now, &link.written));
        }
        for mut change in ledger {
            if let LedgerChange::Set(row) = &mut change
                && let Some(one) = granting.catalogue.get(&row.of)
            {
                row.name.clone_from(&one.label);
            }
            self.note_grant(bound, &granting.ledger, change, progress);
        }
        Ok(steps)
    }

    /// What the fields of records that have just been written give.
    pub(super) fn note_granted_fields(&self, bounds: &[Bound<'_>], stage: &Stage, progress: &mut Progress) {
        for (target, granting) in &stage.grantings {
            let bound = bounds.iter().find(|bound| bound.name() == target);
            let (Some(bound), Some(Some(link))) = (bound, progress.landed.get(target).cloned()) else {
                continue;
            };
            for change in granting.given_by_fields(bound, self.inner.clock.now(), &link.written) {
                self.note_grant(bound, &granting.ledger, change, progress);
            }
        }
    }

    /// The ledger says this from now on.
    pub(super) fn note_grant(
        &self,
        bound: &Bound<'_>,
        known: &[Grant],
        change: LedgerChange,
        progress: &mut Progress,
    ) {
        let target = bound.name().clone();
        let (of, write) = match change {
            LedgerChange::Set(row) => {
                let before = known.iter().find(|grant| grant.of == row.of);
                let grant = self.grant(bound, before, row);
                (grant.of.clone(), GrantWrite::Set(grant))
            }
            LedgerChange::End { of, why } => {
                (of.clone(), GrantWrite::End { target: target.clone(), of, why })
            }
        };
        progress.ledger.insert((target, of), write);
    }

    /// A row with who asks: whoever asked before does so since then.
    pub(super) fn grant(&self, bound: &Bound<'_>, before: Option<&Grant>, row: LedgerRow) -> Grant {
        let now = self.inner.clock.now();
        let asked = row.asked.into_iter().map(|by| {
            let known = before.and_then(|before| before.asked.iter().find(|ask| ask.by == by)).cloned();
            known.unwrap_or_else(|| Ask {
                by,
                client: self.caller.client.clone(),
                change: self.change.clone(),
                since: now,
            })
        });
        Grant {
            org: bound.org.name().clone(),
            target: bound.name().clone(),
            of: row.of,
            name: row.name,
            state: row.state,
            asked: asked.collect(),
            row: row.row,
            since: before.filter(|before| before.state == row.state).map_or(now, |before| before.since),
            until: row.until,
            reason: row.reason,
        }
    }

    /// A step of a grant has landed.
    pub(super) fn granted(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        row: Option<RecordId>,
        turnover_grants: &[Grant],
        progress: &mut Progress,
    ) {
        progress.note_written(bound.name(), &Fields::new());
        let known = progress.ledger_of(turnover_grants, bound.name());
        self.note_intruder(bound, step, &known, progress);
        self.note_adoption(bound, step, row.is_some(), &known, progress);
        if let Some((_, actual)) = progress.actual.get_mut(bound.name()) {
            actual.retain(|assigned| assigned.of != step.of);
        }
        let mut after = step.after.clone();
        if let LedgerChange::Set(set) = &mut after
            && set.state.is_held()
        {
            set.row = row.or(set.row.take());
            if let Some((user, actual)) = progress.actual.get_mut(bound.name()) {
                let (user, row) = (user.clone(), set.row.clone());
                actual.push(Assigned { user, of: step.of.clone(), row, expires: set.until });
            }
        }
        self.note_grant(bound, &known, after, progress);
    }

    /// Salesforce does not give it.
    pub(super) fn not_granted(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        error: ProvisionError,
        turnover_grants: &[Grant],
        progress: &mut Progress,
    ) {
        let known = progress.ledger_of(turnover_grants, bound.name());
        let mut name = step.of.id.clone();
        if let LedgerChange::Set(row) = &step.after {
            name.clone_from(&row.name);
            if row.state == GrantState::Granted && matches!(step.step, Step::Create { .. }) {
                let reason = Some(super::reason_of(&error));
                let refused = LedgerRow { state: GrantState::Refused, reason, row: None, ..row.clone() };
                self.note_grant(bound, &known, LedgerChange::Set(refused), progress);
            }
        }
        let refused = NotGranted { org: bound.org.name().clone(), name, error };
        progress.not_granted.insert((bound.name().clone(), step.of.clone()), refused);
    }
}

impl UserChange {
    /// It is known before the call that it cannot be given.
    pub(super) fn cannot_grant(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
        step: &GrantStep,
        error: ProvisionError,
        progress: &mut Progress,
    ) {
        self.not_granted(bound, step, error, &granting.ledger, progress);
    }

    /// Salesforce has found no seat: whether the tenant lets the grant wait for one.
    pub(super) fn waits_instead(
        &self,
        bound: &Bound<'_>,
        step: &GrantStep,
        error: &ProvisionError,
        turnover_grants: &[Grant],
        progress: &mut Progress,
    ) -> bool {
        let LedgerChange::Set(row) = &step.after else { return false };
        if !bound.tenant.mapping.entitlements.waiting_list {
            return false;
        }
        let known = progress.ledger_of(turnover_grants, bound.name());
        let (why, state) = (error.to_string(), GrantState::Waiting);
        progress.awaits_seat(bound, row.of.clone(), why.clone());
        let waiting = LedgerRow { state, reason: Some(why), row: None, ..row.clone() };
        self.note_grant(bound, &known, LedgerChange::Set(waiting), progress);
        true
    }

    /// It is given when a seat is free.
    pub(super) fn waits_for_seat(
        &self,
        bound: &Bound<'_>,
        granting: &Granting,
        row: LedgerRow,
        why: String,
        progress: &mut Progress,
    ) {
        progress.awaits_seat(bound, row.of.clone(), why);
        self.note_grant(bound, &granting.ledger, LedgerChange::Set(row), progress);
    }
}

/// Whether this change has adopted the User of a target: it was looked for, or named.
fn was_adopted(bound: &Bound<'_>, progress: &Progress) -> bool {
    let is_new = progress.sights.contains_key(bound.name()) || progress.named.contains_key(bound.name());
    is_new && matches!(progress.landed.get(bound.name()), Some(Some(link)) if link.adopted)
}

/// Whether what is there is what was given then, and not what somebody has given by hand since.
fn is_still(former: &Grant, assigned: &Assigned) -> bool {
    let is_another = former.row.as_ref().zip(assigned.row.as_ref()).is_some_and(|(then, now)| then != now);
    former.of == assigned.of && !is_another
}

/// The permission set licences that nobody asks for and that something needs which stays all the same: it was given by hand,
/// or what is given stays for good. They stay with it.
fn needed_by_others(
    policy: &EntitlementPolicy,
    catalogue: &Catalogue,
    (ledger, actual): (&[Grant], Option<&[Assigned]>),
    wanted: &[Wanted],
) -> Vec<EntitlementRef> {
    let is_wanted = |of: &EntitlementRef| wanted.iter().any(|one| one.of == *of);
    let stays = |of: &EntitlementRef| match policy.ownership(of.kind) {
        Ownership::Authoritative => false,
        Ownership::Merge => true,
        Ownership::Managed => {
            !ledger.iter().any(|grant| grant.of == *of && grant.state == GrantState::Granted)
        }
    };
    let known = ledger.iter().filter(|grant| grant.state.is_held()).map(|grant| &grant.of);
    let seen = actual.unwrap_or_default().iter().map(|assigned| &assigned.of);
    let held = known.chain(seen).filter(|of| !is_wanted(of) && stays(of));
    let needed = held.flat_map(|of| salesforce_types::licenses_needed(catalogue, of));
    needed.filter(|license| !is_wanted(license)).collect()
}

/// Whether there are far-reaching ones of a kind.
fn can_be_far_reaching(kind: EntitlementKind) -> bool {
    use EntitlementKind::{PermissionSet, PermissionSetGroup, Profile};
    matches!(kind, Profile | PermissionSet | PermissionSetGroup)
}

/// Whether a failure is that the User is out of the caller's reach.
pub(super) fn is_protected(error: &ProvisionError) -> bool {
    matches!(error, ProvisionError::NotAllowed { what, .. } if *what == CHANGE_A_PROTECTED_USER)
}

/// What the mapping writes of the fields by which something is given.
fn granting_fields(translation: &Translation, catalogue: &Catalogue) -> IndexMap<String, Desired> {
    let gives = |field: &str| {
        let mut singles = [EntitlementKind::Profile, EntitlementKind::Role].iter();
        let is_single = singles.any(|kind| matches!(kind.given(), Given::Field(single) if single == field));
        let flag = || EntitlementRef { kind: EntitlementKind::FeatureLicense, id: field.to_owned() };
        is_single || catalogue.get(&flag()).is_some()
    };
    let fields = translation.fields.iter().filter(|(field, _)| gives(field));
    fields.map(|(field, desired)| (field.clone(), desired.clone())).collect()
}

/// Whether a field is emptied.
fn takes(desired: &Desired) -> bool {
    matches!(desired, Desired::Clear | Desired::Set(Value::Bool(false)))
}

/// What the fields of a User's record give, as the org was seen to have it: the fields of the link that say something else.
fn seen_in_fields(link: &Link, actual: &[Assigned], catalogue: &Catalogue) -> Fields {
    let mut seen = Fields::new();
    for kind in [EntitlementKind::Profile, EntitlementKind::Role] {
        let Given::Field(field) = kind.given() else { continue };
        let assigned = actual.iter().find(|assigned| assigned.of.kind == kind);
        let value = assigned.map_or(Value::Null, |assigned| Value::from(assigned.of.id.as_str()));
        seen.insert(field.to_owned(), value);
    }
    let flags = catalogue.entitlements().iter().filter(|one| one.of.kind == EntitlementKind::FeatureLicense);
    for flag in flags {
        let is_set = actual.iter().any(|assigned| assigned.of == flag.of);
        if is_set || link.written.contains_key(&flag.of.id) {
            seen.insert(flag.of.id.clone(), Value::Bool(is_set));
        }
    }
    seen.retain(|field, value| {
        let known = link.written.get(field).unwrap_or(&Value::Null);
        !planning::same_value(field, known, value)
    });
    seen
}

/// Whether the target has another record than the one that the ledger knows, since this change.
fn is_another_record(
    round: &Round<'_>,
    bound: &Bound<'_>,
    user: Option<&RecordId>,
    progress: &mut Progress,
) -> bool {
    let was = round.turnover.links.iter().find(|link| link.target == *bound.name());
    let moved = was.zip(user).is_some_and(|(was, user)| was.record_id != *user);
    moved && progress.forgotten.insert(bound.name().clone())
}

/// Whether a grant stays although the ask for it comes to nothing: the org has renamed what is asked for, has two of the name
/// now, or does not show it for a while. Nobody has asked to take it away.
fn keeps(unmet: &Unmet, grant: &Grant) -> bool {
    let (by, kind, name) = match unmet {
        Unmet::Unknown { by, kind, name } | Unmet::Ambiguous { by, kind, name, .. } => (by, kind, name),
        Unmet::Outranked { .. } => return false,
    };
    let is_it = matches!(by, AskedBy::Rule(_)) || grant.of.id == *name;
    grant.of.kind == *kind && is_it && grant.asked.iter().any(|ask| ask.by == *by)
}

/// What somebody has, as if it were asked for.
fn as_wanted(grant: &Grant) -> Wanted {
    let mut asked: Vec<_> = grant.asked.iter().map(|ask| ask.by.clone()).collect();
    asked.sort();
    Wanted { of: grant.of.clone(), name: grant.name.clone(), asked, until: grant.until }
}

fn words(unmet: &Unmet) -> String {
    match unmet {
        Unmet::Unknown { by, kind, name } => {
            format!("{by} asks for the {kind} `{name}`, which the org does not have")
        }
        Unmet::Ambiguous { by, kind, name, candidates } => {
            let candidates = candidates.iter().map(|of| of.id.as_str()).collect::<Vec<_>>().join(", ");
            format!("{by} asks for the {kind} `{name}`, and several are called so: {candidates}")
        }
        Unmet::Outranked { by, of, instead, tie } => {
            let why = if *tie { "which has the same rank and comes first" } else { "which comes first" };
            format!("{by} asks for {of}, and there is {instead} already, {why}")
        }
    }
}

impl Progress {
    /// The rows of a target as they are now: what is stored, and what this change has made of it.
    pub(super) fn ledger_of(&self, stored: &[Grant], target: &TargetName) -> Vec<Grant> {
        let mut rows = self.whole_ledger(stored);
        rows.retain(|grant| grant.target == *target);
        rows
    }

    /// Whether the User of a target has something, as far as is known now.
    pub(super) fn holds(&self, stored: &[Grant], target: &TargetName, of: &EntitlementRef) -> bool {
        let ledger = self.ledger_of(stored, target);
        let seen = self.actual.get(target).map(|(_, seen)| seen.as_slice()).unwrap_or_default();
        ledger.iter().any(|grant| grant.of == *of && grant.state.is_held())
            || seen.iter().any(|assigned| assigned.of == *of)
    }

    /// The rows of all targets.
    pub(super) fn whole_ledger(&self, stored: &[Grant]) -> Vec<Grant> {
        let is_touched = |grant: &Grant| self.ledger.contains_key(&(grant.target.clone(), grant.of.clone()));
        let untouched = stored.iter().filter(|grant| !is_touched(grant)).cloned();
        let touched = self.ledger.values().filter_map(|write| match write {
            GrantWrite::Set(grant) => Some(grant.clone()),
            GrantWrite::End { .. } => None,
        });
        untouched.chain(touched).collect()
    }

    /// A target takes the User of another one over, with all that it has.
    fn take_over_grants(&mut self, stored: &[Grant], from: &TargetName, to: &TargetName) {
        for grant in self.ledger_of(stored, from) {
            let why = format!("the User is of the target {to} now");
            let end = GrantWrite::End { target: from.clone(), of: grant.of.clone(), why };
            self.ledger.insert((from.clone(), grant.of.clone()), end);
            let grant = Grant { target: to.clone(), ..grant };
            self.ledger.insert((to.clone(), grant.of.clone()), GrantWrite::Set(grant));
        }
    }
}
