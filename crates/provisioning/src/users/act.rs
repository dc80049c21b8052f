//! Act: what can be done now goes to the orgs, and what came of it becomes knowledge.

use model::{OrgName, TargetName, Timestamp};
use planning::{Aim, Course, GrantStep, LinkAfter, Origin, Steps, Wanted};
use salesforce_types::{
    EntitlementKind, EntitlementRef, Fields, Link, Plan, PlannedStep, RecordId, Refusal, Step, StepOutcome,
};
use serde_json::Value;
use translation::{Note, NoteCode, Reference, Translation};

use super::{
    Progress, Stop, UserChange,
    grants::Granting,
    round::{Round, Turnover, note},
    scene::Bound,
    seats::FlagsOf,
    settle,
};
use crate::{ProvisionError, wish::Wish};

/// What can be done now, all at once.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) chosen: Vec<Chosen>,
    /// Who is locked out or let in again by another step beside that of the record.
    pub(super) freezes: Vec<PlannedStep>,
    /// What follows from the records, in the same call.
    pub(super) followers: Vec<Follower>,
    /// What the grants of Users were decided from.
    pub(super) grantings: Vec<(TargetName, Granting)>,
    /// Records that were there before and are as they should be: only to be linked. With the target each is taken from.
    pub(super) adopted: Vec<(Link, Option<TargetName>)>,
    /// Targets that have to wait until this is done, and for what.
    pub(super) waits: Vec<(TargetName, String)>,
    /// An org that is away, where that keeps nobody else waiting.
    pub(super) stalled: Option<Stop>,
    /// What there is to say of targets that nothing is done for.
    pub(super) notes: Vec<(TargetName, Note)>,
    /// References to identities that have no record yet.
    pub(super) awaited: Vec<Awaits>,
}

/// A field that is written once another identity has its record.
#[derive(Debug)]
pub(super) struct Awaits {
    pub(super) target: TargetName,
    pub(super) field: String,
    pub(super) identity: String,
    /// The target in which that one's record is looked for.
    pub(super) through: TargetName,
}

/// A step that gives a User something, or takes it.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) target: TargetName,
    pub(super) planned: PlannedStep,
    pub(super) grant: GrantStep,
}

impl Follower {
    pub(super) fn new(bound: &Bound<'_>, grant: GrantStep) -> Self {
        let planned = PlannedStep {
            target: bound.name().clone(),
            org: bound.org.name().clone(),
            step: grant.step.clone(),
            leading: false,
            reason: grant.reason.clone(),
        };
        Self { target: bound.name().clone(), planned, grant }
    }

    /// The step, with the place of the User's own among the steps that it is sent with; so many go `before` the chosen ones.
    /// What is given refers to it also where the User is there: if Salesforce refuses the record, nothing is given.
    fn step_after(&self, chosen: &[&Chosen], before: usize) -> Step {
        let mut step = self.grant.step.clone();
        let user = chosen.iter().position(|chosen| chosen.target == self.target);
        let (Step::Create { fields, refers, .. }, Some(user)) = (&mut step, user) else { return step };
        if let Step::Update { id, .. } = &chosen[user].planned.step
            && let Some(at) = fields.values().position(|value| value.as_str() == Some(id.as_str()))
            && let Some((field, _)) = fields.shift_remove_index(at)
        {
            refers.insert(field, user);
        }
        refers.values_mut().for_each(|at| *at = user + before);
        step
    }
}

/// One record's step, and what is known once it is done.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) target: TargetName,
    pub(super) object: String,
    pub(super) planned: PlannedStep,
    pub(super) after: LinkAfter,
    /// The target whose record this one takes over.
    pub(super) takes_over: Option<TargetName>,
    /// The lead that is converted.
    pub(super) lead: Option<Link>,
    /// Whether the record is new to the target.
    pub(super) is_new: bool,
    /// Whether nothing is left to decide for the target once this is done.
    pub(super) is_last: bool,
    /// What waited for a confirmation before, and whether somebody had frozen it.
    pending: Fields,
    frozen: bool,
    /// Whether Gangway had.
    froze: bool,
    refused: Fields,
    notes: Vec<Note>,
    /// Profile, role and feature licences that it gives because somebody asks for them.
    pub(super) given: Vec<Wanted>,
}

impl Stage {
    /// Takes a decision up: a step to be sent, or what is to be known without one.
    pub(super) fn take(
        &mut self,
        bound: &Bound<'_>,
        course: &Course<'_>,
        translation: Option<&Translation>,
        steps: Steps,
        now: Timestamp,
        progress: &mut Progress,
    ) {
        let target = bound.name();
        for awaited in translation.into_iter().flat_map(|translation| &translation.awaited) {
            if let Reference::Identity { id, target: through } = &awaited.reference {
                let (field, identity, through) = (awaited.field.clone(), id.clone(), through.clone());
                self.awaited.push(Awaits { target: target.clone(), field, identity, through });
            }
        }
        if steps.left_out {
            let detail = "it does not allow to change records, so what was changed is not in Salesforce";
            self.notes.push(note(target, NoteCode::UpdateNotAllowed, detail));
        }
        let notes = translation.map(|translation| translation.notes.clone()).unwrap_or_default();
        let (takes_over, lead, is_new) = match &course.aim {
            Aim::Hold(Origin::Linked(link)) => {
                ((link.target != *target).then(|| link.target.clone()), None, false)
            }
            Aim::Hold(Origin::Lead(lead)) => (None, Some((*lead).clone()), true),
            Aim::Hold(_) => (None, None, true),
            Aim::Leave(_) | Aim::Followed(_) => (None, None, false),
        };
        let (pending, frozen, froze, refused) = match &course.aim {
            Aim::Hold(Origin::Linked(link)) | Aim::Leave(link) => {
                (link.pending.clone(), link.frozen, link.froze, link.refused.clone())
            }
            _ => (Fields::new(), false, false, Fields::new()),
        };
        let object = bound.target.object.clone();
        let is_last = settle::is_last(course, translation, &steps);
        let mut of_record = steps.plan.steps.into_iter();
        let Some(mut planned) = of_record.next() else {
            let unlinked = notes.into_iter().filter(is_always_said);
            self.notes.extend(unlinked.map(|note| (target.clone(), note)));
            let link = steps.link.into_link(target.clone(), bound.org.name().clone(), object, None);
            match link {
                Some(link) if is_new => self.adopted.push((Link { synced: Some(now), ..link }, takes_over)),
                Some(link) => {
                    progress.take_over(takes_over.as_ref());
                    progress.know(link, &course.aim);
                }
                None => {}
            }
            return;
        };
        self.freezes.extend(of_record);
        if progress.overruled.contains_key(target) {
            planned.step.allow_duplicates();
        }
        self.chosen.push(Chosen {
            target: target.clone(),
            object,
            planned,
            after: steps.link,
            takes_over,
            lead,
            is_new,
            is_last,
            pending,
            frozen,
            froze,
            refused,
            notes,
            given: Vec::new(),
        });
    }

    /// All that is sent, in the order in which it is journalled: who is locked out, what leads, then what follows.
    pub(super) fn planned(&self) -> Vec<PlannedStep> {
        let chosen: Vec<&Chosen> = self.chosen.iter().collect();
        let follows = |follower: &Follower| PlannedStep {
            step: follower.step_after(&chosen, self.freezes.len()),
            ..follower.planned.clone()
        };
        let leads = self.chosen.iter().map(|chosen| chosen.planned.clone());
        self.freezes.iter().cloned().chain(leads).chain(self.followers.iter().map(follows)).collect()
    }

    /// Whether a step is sent once the record of its target is as it is to be, and not with it: nothing in Salesforce makes it
    /// depend on that, and if the record is refused, nothing is to be kept. Who is locked out loses all the same, and so does
    /// everybody what is taken for another reason than this request about the record (`takes_with_record`): its time is over, or
    /// he leaves a group.
    fn comes_later(
        &self,
        round: &Round<'_>,
        takes_with_record: bool,
        target: &TargetName,
        step: &Step,
    ) -> bool {
        let leads =
            |chosen: &&Chosen| chosen.target == *target && matches!(chosen.planned.step, Step::Update { .. });
        let Some(leader) = self.chosen.iter().find(leads) else { return false };
        let stays =
            |course: &Course<'_>| course.place.target.name == *target && matches!(course.aim, Aim::Hold(_));
        let waits = match step {
            Step::Update { .. } => true,
            Step::Delete { .. } => takes_with_record,
            // Who is not active is out, frozen or not.
            Step::Freeze { frozen, .. } => {
                let is_let_in = leader.planned.step.fields().get("IsActive") == Some(&Value::Bool(true));
                !frozen && !is_let_in
            }
            Step::Create { .. } | Step::Upsert { .. } | Step::Convert { .. } => false,
        };
        waits && !round.locks_out() && round.courses.iter().any(stays)
    }

    /// Whether nothing is to be done for a target in this round.
    pub(super) fn came_to_nothing(&self, target: &TargetName) -> bool {
        self.notes.iter().any(|(said_of, note)| said_of == target && note.code == NoteCode::NoMatch)
    }
}

/// Whether a note is told although its field was not written.
pub(super) fn is_always_said(note: &Note) -> bool {
    note.field.is_empty()
        || matches!(
            note.code,
            NoteCode::RecordAwaited | NoteCode::ManagerCycle | NoteCode::StateLeftOut | NoteCode::ValueKept
        )
}

impl Progress {
    pub(super) fn take_over(&mut self, target: Option<&TargetName>) {
        if let Some(target) = target {
            self.unlink(target);
        }
    }

    /// A link that needed no call. One that says nothing new stays as it is, with the time at which it was true.
    fn know(&mut self, link: Link, aim: &Aim<'_>) {
        let (Aim::Hold(Origin::Linked(known)) | Aim::Leave(known)) = aim else { return };
        let link = Link {
            synced: known.synced,
            frozen: known.frozen,
            froze: known.froze,
            refused: self.refused(&link.target, &known.refused),
            pending: known.pending.clone(),
            ..link
        };
        if **known != link {
            self.land(link);
        }
    }
}

impl UserChange {
    /// Journal, then send, org after org; then what came of it is known, and the next round decides from that. Whether every
    /// step is done.
    pub(super) async fn carry_out_stage(
        &self,
        round: &Round<'_>,
        stage: &Stage,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let plan = Plan { steps: stage.planned() };
        let landed = progress.link_writes(&round.turnover.links);
        self.open(Some(&plan), rename(round.turnover), &landed).await?;
        let mut orgs: Vec<&OrgName> = Vec::new();
        let chosen = stage.chosen.iter().map(|chosen| &chosen.planned.org);
        for org in chosen.chain(stage.followers.iter().map(|follower| &follower.planned.org)) {
            if !orgs.contains(&org) {
                orgs.push(org);
            }
        }
        let takes_with_record = matches!(self.wish, Wish::Replace(_) | Wish::Patch(_));
        let goes_now = |planned: &PlannedStep| {
            !stage.comes_later(round, takes_with_record, &planned.target, &planned.step)
        };
        let mut steps = stage.followers.iter().map(|follower| &follower.planned).chain(&stage.freezes);
        let mut ended = Ok(steps.all(goes_now));
        for org in orgs {
            let is_next = |planned: &PlannedStep| planned.org == *org && goes_now(planned);
            let chosen: Vec<&Chosen> =
                stage.chosen.iter().filter(|chosen| chosen.planned.org == *org).collect();
            let followers: Vec<&Follower> =
                stage.followers.iter().filter(|follower| is_next(&follower.planned)).collect();
            let freezes: Vec<&PlannedStep> =
                stage.freezes.iter().filter(|planned| is_next(planned)).collect();
            let sent = self.send(round, org, &freezes, &chosen, &followers, progress).await;
            // The others are locked out all the same.
            match sent {
                Err(stop) if !self.ticket.takes_access_away() => return Err(stop),
                Err(stop) => ended = ended.and(Err(stop)),
                Ok(all_done) => ended = ended.map(|before| before && all_done),
            }
        }
        ended
    }

    async fn send(
        &self,
        round: &Round<'_>,
        org: &OrgName,
        freezes: &[&PlannedStep],
        chosen: &[&Chosen],
        followers: &[&Follower],
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let bound_of = |name: &TargetName| {
            *round.bounds.iter().find(|bound| bound.name() == name).expect("steps are of these targets")
        };
        let bound = |chosen: &Chosen| bound_of(&chosen.target);
        let mut targets = chosen.iter().map(|chosen| &chosen.target);
        let Some(first) = targets.next().or_else(|| followers.first().map(|follower| &follower.target))
        else {
            return Ok(true);
        };
        let mut steps: Vec<Step> = freezes.iter().map(|planned| planned.step.clone()).collect();
        steps.extend(chosen.iter().map(|chosen| chosen.planned.step.clone()));
        steps.extend(followers.iter().map(|follower| follower.step_after(chosen, freezes.len())));
        let org_of_all = bound_of(first).org;
        let mut outcomes = match self.place.get() {
            Some(place) => place.act(org_of_all, &steps, &self.ticket).await,
            None => org_of_all.act(&steps, &self.ticket).await,
        };
        if outcomes.len() != steps.len() {
            return Err(ProvisionError::Misconfigured(format!(
                "the org {org} did not answer for every step"
            ))
            .into());
        }
        let is_done =
            |outcome: &StepOutcome| matches!(outcome, StepOutcome::Done { .. } | StepOutcome::There);
        let of_followers = outcomes.split_off(freezes.len() + chosen.len());
        let of_records = outcomes.split_off(freezes.len());
        // Who is let in again and is not made active stays out: he counts as frozen until he is.
        let stays_out = |planned: &PlannedStep| {
            let mut leads = chosen.iter().zip(&of_records);
            matches!(planned.step, Step::Freeze { frozen: false, .. })
                && leads.any(|(chosen, outcome)| chosen.target == planned.target && !is_done(outcome))
        };
        let freezes = freezes.iter().copied().zip(outcomes).filter(|(planned, _)| !stays_out(planned));
        let (freezes, outcomes): (Vec<&PlannedStep>, Vec<StepOutcome>) = freezes.unzip();
        let unfrozen = self.after_freezes(round, &freezes, outcomes, progress).await;
        let (done, rest): (Vec<_>, Vec<_>) =
            chosen.iter().zip(of_records).partition(|(_, outcome)| is_done(outcome));
        let mut seen = Ok(());
        for (chosen, outcome) in done {
            let landed = self.login_landed(&bound(chosen), &chosen.planned, &outcome, progress).await;
            seen = seen.and(landed);
            match (&chosen.planned.step, outcome) {
                (_, StepOutcome::Done { id }) => self.landed(chosen, &id, progress),
                (Step::Freeze { user, .. }, _) => self.landed(chosen, user, progress),
                _ => {}
            }
        }
        let unsure: Vec<PlannedStep> =
            rest.iter().filter_map(|(chosen, outcome)| self.unsure(chosen, outcome)).collect();
        if !unsure.is_empty() {
            progress.unsure.get_or_insert_with(Plan::default).steps.extend(unsure);
            progress.was_unsure = true;
            self.ticket.commit();
        }
        let alone: Vec<&TargetName> = rest.iter().map(|(chosen, _)| &chosen.target).collect();
        let mut ended = self.followed(round, followers, of_followers, &alone, progress).await;
        if !rest.is_empty() || !freezes.is_empty() {
            ended = ended.map(|_| false);
        }
        ended = ended.and_then(|all_done| unfrozen.and(seen).map(|()| all_done));
        for (chosen, outcome) in rest {
            let stop = match outcome {
                StepOutcome::Refused(refusal) => {
                    match self.refused(round, &bound(chosen), chosen, refusal, progress).await {
                        Ok(()) => continue,
                        Err(stop) => stop,
                    }
                }
                StepOutcome::NotSent { .. } if self.ticket.is_withdrawn() => Stop::Withdrawn,
                StepOutcome::NotSent { why, retry_after } => Stop::Stalled { why, retry_after },
                StepOutcome::Done { .. } | StepOutcome::There | StepOutcome::Unknown { .. } => continue,
            };
            ended = ended.and(self.target_failed(&bound(chosen), stop, progress).map(|()| false));
        }
        ended
    }

    /// What came of the steps that give or take something. Whether all of them are done. `alone` are the targets whose record
    /// was not written.
    async fn followed(
        &self,
        round: &Round<'_>,
        followers: &[&Follower],
        outcomes: Vec<StepOutcome>,
        alone: &[&TargetName],
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let mut ended = Ok(true);
        let mut unsure = Vec::new();
        for (follower, outcome) in followers.iter().zip(outcomes) {
            let name = &follower.target;
            let bound =
                *round.bounds.iter().find(|bound| bound.name() == name).expect("steps are of these targets");
            let grants = &round.turnover.grants;
            let stop = match outcome {
                StepOutcome::Done { id } => {
                    self.granted(&bound, &follower.grant, Some(id), grants, progress);
                    continue;
                }
                StepOutcome::There if self.looks_again(&bound, &follower.grant, progress) => {
                    ended = ended.map(|_| false);
                    continue;
                }
                StepOutcome::There => {
                    self.granted(&bound, &follower.grant, None, grants, progress);
                    continue;
                }
                // It may go with the record as it was to become: that is asked once the record is so.
                StepOutcome::Refused(_)
                    if alone.contains(&name) && matches!(follower.planned.step, Step::Create { .. }) =>
                {
                    ended = ended.map(|_| false);
                    continue;
                }
                StepOutcome::Refused(refusal) => {
                    self.grant_refused(&bound, &follower.grant, refusal, grants, progress).await;
                    ended = ended.map(|_| false);
                    continue;
                }
                StepOutcome::Unknown { why } => {
                    tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %why, "a grant has no known end yet");
                    unsure.push(follower.planned.clone());
                    ended = ended.map(|_| false);
                    continue;
                }
                // What happened to the record is said there.
                StepOutcome::NotSent { .. } if alone.contains(&name) => continue,
                StepOutcome::NotSent { .. } if self.ticket.is_withdrawn() => Stop::Withdrawn,
                StepOutcome::NotSent { why, retry_after } => Stop::Stalled { why, retry_after },
            };
            ended = ended.and(self.target_failed(&bound, stop, progress).map(|()| false));
        }
        if !unsure.is_empty() {
            progress.unsure.get_or_insert_with(Plan::default).steps.extend(unsure);
            progress.was_unsure = true;
            self.ticket.commit();
        }
        ended
    }

    /// A step that may have landed.
    fn unsure(&self, chosen: &Chosen, outcome: &StepOutcome) -> Option<PlannedStep> {
        let StepOutcome::Unknown { why } = outcome else { return None };
        tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %why, "a step has no known end yet");
        Some(chosen.planned.clone())
    }

    /// A step has landed.
    pub(super) fn landed(&self, chosen: &Chosen, id: &RecordId, progress: &mut Progress) {
        let fields = written_by(&chosen.planned.step);
        progress.note_written(&chosen.target, &fields);
        let said = chosen.notes.iter().map(|note| (chosen.target.clone(), note.clone()));
        progress.said.extend(said);
        progress.take_over(chosen.takes_over.as_ref());
        let now = Some(self.inner.clock.now());
        if let Some(lead) = &chosen.lead {
            progress.land(Link { became: Some(id.clone()), left: true, synced: now, ..lead.clone() });
        }
        let org = chosen.planned.org.clone();
        match chosen.after.clone().into_link(chosen.target.clone(), org, chosen.object.clone(), Some(id)) {
            Some(link) => {
                let mut pending = chosen.pending.clone();
                pending.extend(unconfirmed(&chosen.planned.step));
                let refused = progress.refused(&chosen.target, &chosen.refused);
                let (frozen, froze) = (chosen.frozen, chosen.froze);
                progress.land(Link { synced: now, pending, frozen, froze, refused, ..link });
            }
            None => progress.unlink(&chosen.target),
        }
    }

    /// Salesforce said no. What can be learnt from that is tried; else the target did not get there.
    async fn refused(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        refusal: Refusal,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        if self.learn(round, bound, chosen, &refusal, progress).await? {
            return Ok(());
        }
        let grants = &round.turnover.grants;
        if self.goes_without_flags(bound, chosen, &refusal, FlagsOf::Named, grants, progress) {
            return Ok(());
        }
        let profile = profile_of(chosen).filter(|_| takes_a_seat(&chosen.planned.step));
        if let Some(error) = self.no_seat(bound, profile.as_ref(), &refusal, |_| false).await {
            // The numbers are known now: the next round lets him wait, where the tenant does. One that sends such a step all the
            // same is not helped by them.
            let waits = bound.tenant.mapping.entitlements.waiting_list
                && progress.seats_missed.insert(bound.name().clone());
            return if waits { Ok(()) } else { Err(error.into()) };
        }
        if self.goes_without_flags(bound, chosen, &refusal, FlagsOf::All, grants, progress) {
            return Ok(());
        }
        let attributes = refusal
            .fields
            .iter()
            .filter_map(|field| bound.target.attribute_of(field).map(str::to_owned))
            .collect();
        Err(ProvisionError::Refused { org: bound.org.name().clone(), refusal: Box::new(refusal), attributes }
            .into())
    }
}

/// Whether the licence of his profile needs a seat for a step: of nothing else it is a refusal for want of one. Whoever is not
/// active takes none.
fn takes_a_seat(step: &Step) -> bool {
    let active = step.fields().get("IsActive").and_then(Value::as_bool);
    match step {
        Step::Create { .. } | Step::Upsert { .. } => active != Some(false),
        Step::Update { fields, .. } => {
            active == Some(true) || (active.is_none() && fields.contains_key("ProfileId"))
        }
        _ => false,
    }
}

/// The profile that a User has once its step is done.
fn profile_of(chosen: &Chosen) -> Option<EntitlementRef> {
    let known = match &chosen.after {
        LinkAfter::There { written, .. } => written.get("ProfileId"),
        LinkAfter::Gone => None,
    };
    let id = chosen.planned.step.fields().get("ProfileId").or(known)?.as_str()?;
    Some(EntitlementRef { kind: EntitlementKind::Profile, id: RecordId::parse(id).ok()?.as_str().to_owned() })
}

/// What a step puts into its record, the external id included.
pub(super) fn written_by(step: &Step) -> Fields {
    let mut fields = step.fields().clone();
    if let Step::Upsert { key, value, .. } = step {
        fields.insert(key.clone(), value.as_str().into());
    }
    fields
}

/// Of a User: the new address, which may wait for the person's confirmation (Salesforce help, "Email Address Change Verification").
fn unconfirmed(step: &Step) -> Fields {
    match step {
        Step::Update { object, fields, .. } if object == "User" => {
            fields.get("Email").map(|email| ("Email".to_owned(), email.clone())).into_iter().collect()
        }
        _ => Fields::new(),
    }
}

/// The new userName of an update that changes it.
pub(super) fn rename(turnover: &Turnover) -> Option<String> {
    let was = turnover.current.as_ref()?.user_name()?;
    let wanted = turnover.wanted.as_ref()?.user_name()?;
    (scim_types::fold(was) != scim_types::fold(wanted)).then(|| wanted.to_owned())
}
