//! Decide: the request applied to the version current now, and what that asks of Salesforce.

use std::sync::Arc;

use model::{ResourceKind, TargetName};
use planning::{Aim, Course, Decision, Input, Origin};
use salesforce_client::Purpose;
use salesforce_types::{Link, ObjectDescription, RecordId, Step};
use scim_types::Registry;
use store::{GroupRef, StoreError, TaskKind};
use translation::{Action, Context, Desired, EventKind, NoteCode, Translation};

use super::{
    Progress, Stop, UserChange,
    act::{Follower, Stage},
    asks::asks_in,
    grants::Granting,
    meant::asked_for,
    progress::Failure,
    round::{
        Round, Turnover, call_failed, check_place, hold_subject, is_back, no_match, note, own_record,
        refusal, waits,
    },
    scene::{Bound, Standing},
    seats::Work,
    shown::{with_asks, with_groups},
};
use crate::{
    Answer, Operation, ProvisionError, ScimDelete, Tenant,
    wish::{Wish, missing},
};

/// A target that the identity holds, translated.
pub(super) struct Translated {
    describe: Arc<ObjectDescription>,
    /// None: the record leaves, or another target takes care of it.
    pub(super) translation: Option<Translation>,
    /// Of a User: what it is to have.
    pub(super) granting: Option<Granting>,
}

impl UserChange {
    /// One round: read back what is unsure, decide every record from what is known now, do what can be done now.
    pub(super) async fn round(&self, progress: &mut Progress) -> Result<Answer, Stop> {
        progress.rounds += 1;
        if self.ticket.is_withdrawn() {
            return Err(Stop::Withdrawn);
        }
        let scene = Arc::clone(&progress.scene);
        let turnover = self.turn_over(&scene.tenant, progress).await?;
        // Also where that is only owed any more.
        let scene = if turnover.wanted.is_none() { scene.without_him() } else { scene };
        progress.scene = Arc::clone(&scene);
        let bounds = scene.bind()?;
        if let Operation::Forget(record) = &self.request.operation
            && let Some(link) = turnover.links.iter().find(|link| link.record_id == *record)
            && !progress.landed.contains_key(&link.target)
        {
            progress.unlink(&link.target);
        }
        if let Some(plan) = progress.unsure.take()
            && let Err(stop) = self.read_back(&bounds, &turnover, &plan, progress).await
        {
            progress.unsure = Some(plan);
            return Err(stop);
        }
        let links = progress.links(&turnover.links);
        let (mut stage, courses) = self.stage(&bounds, &turnover, &links, progress).await?;
        let round = Round { turnover: &turnover, bounds: &bounds, links: &links, courses: &courses };
        if self.see(&round, progress).await? {
            return Err(Stop::Again);
        }
        let stalled = stage.stalled.take();
        if stage.chosen.is_empty() && stage.adopted.is_empty() && stage.followers.is_empty() {
            if let Some(stop) = stalled {
                return Err(stop);
            }
            if !stage.waits.is_empty() {
                return Err(self.waited_in_vain(&round, &stage, progress)?);
            }
            if let Some(target) = self.is_only_to_be_changed(&round, progress) {
                return Err(ProvisionError::NotAllowed { target, what: "create" }.into());
            }
            return self.finish(&turnover, stage, progress).await;
        }
        self.claim_records(&stage, progress).await?;
        for (link, takes_over) in stage.adopted.drain(..) {
            progress.take_over(takes_over.as_ref());
            progress.land(link);
        }
        let all_done = self.carry_out_stage(&round, &stage, progress).await?;
        self.note_granted_fields(&bounds, &stage, progress);
        if let Some(stop) = stalled {
            return Err(stop);
        }
        if all_done && self.is_settled(&round, &stage, progress) {
            #[cfg(debug_assertions)]
            Box::pin(self.assert_settled(&round, &stage, progress)).await;
            return self.finish(&turnover, stage, progress).await;
        }
        Err(Stop::Again)
    }

    /// The target whose record a create was to change, where there is none: of a source that tells of nobody who is new, an identity
    /// without a record is nobody's business.
    fn is_only_to_be_changed(&self, round: &Round<'_>, progress: &Progress) -> Option<TargetName> {
        let rules = progress.scene.tenant.mapping.source_rules();
        let is_unknown = self.is_create()
            && !rules.events.contains(&EventKind::Created)
            && progress.links(&round.turnover.links).is_empty();
        let first = round.bounds.first().filter(|_| is_unknown)?;
        Some(first.name().clone())
    }

    /// What can be done now, for all records of the identity.
    pub(super) async fn stage<'a>(
        &self,
        bounds: &[Bound<'a>],
        turnover: &Turnover,
        links: &'a [Link],
        progress: &mut Progress,
    ) -> Result<(Stage, Vec<Course<'a>>), Stop> {
        for link in links {
            check_place(bounds, link)?;
        }
        progress.own_records = links.iter().filter(|link| link.became.is_none()).map(own_record).collect();
        let places: Vec<_> = bounds.iter().map(Bound::place).collect();
        let courses = planning::courses(&self.id, &places, turnover.seen.as_ref(), links);
        let round = Round { turnover, bounds, links, courses: &courses.all };
        say_what_is_not_given(&round, progress)?;
        let mut stage = self.decide_all(&round, progress).await?;
        for (target, instead) in courses.shadowed {
            let detail =
                format!("the record of the target {instead} is the identity's only one of this kind");
            stage.notes.push(note(target, NoteCode::TargetShadowed, &detail));
        }
        Ok((stage, courses.all))
    }

    /// Applies the request to the version that is current now, and checks `If-Match` against it.
    pub(super) async fn turn_over(&self, tenant: &Tenant, progress: &Progress) -> Result<Turnover, Stop> {
        // Of an id that was just made nothing is kept.
        let is_new = self.is_create() && self.request.id.is_none() && !self.has_to_end(progress);
        let (stored, links, grants) = if is_new {
            (None, Vec::new(), Vec::new())
        } else {
            let (store, tenant) = (&self.inner.store, &self.caller.tenant);
            let stored = store.get(tenant, ResourceKind::User, self.id.as_str()).await?;
            (stored, store.links(tenant, &self.id).await?, store.grants(tenant, &self.id).await?)
        };
        let stored = stored.filter(|stored| !stored.pending);
        if !self.is_create() && stored.is_none() {
            return Err(self.not_found().into());
        }
        // Something of it is in an org, or somebody was told that he is locked out: it cannot be refused any more.
        let is_promised = self.ticket.takes_access_away() && !self.is_awaited() && !self.is_create();
        let begun = progress.was_unsure || progress.has_landed || is_promised;
        if let (Some(tags), Some(stored)) = (&self.request.if_match, &stored)
            && !begun
            && !tags.iter().any(|tag| stored.version.matches(tag))
        {
            return Err(ProvisionError::VersionMismatch { kind: ResourceKind::User }.into());
        }
        let current = stored.as_ref().map(|stored| with_asks(stored, &grants)).transpose()?;
        let wish = self.as_meant(&progress.scene, current.as_ref(), begun).await?;
        let groups = stored.as_ref().map_or(&[][..], |stored| &stored.groups);
        let shown = current.as_ref().map(|current| with_groups(current, &wish, groups));
        let mut wanted = wish.apply(Registry::standard().user(), shown.as_deref())?;
        if let Some(wanted) = &mut wanted {
            wanted.as_map_mut().shift_remove("groups");
        }
        if wanted.is_none() && tenant.scim_delete == ScimDelete::Deactivate {
            wanted.clone_from(&current);
            if let Some(wanted) = &mut wanted {
                wanted.set_active(false);
            }
        }
        if wanted.as_ref().is_some_and(|wanted| wanted.user_name().is_none()) {
            return Err(missing("userName").into());
        }
        // What is owed after a DELETE is the DELETE, until the identity tool says something else.
        if matches!(self.wish, Wish::Keep) && self.owes_removal().await? {
            wanted = None;
        }
        let groups = self.groups_after(stored.as_ref());
        let leaving = self.leaving(wanted.as_ref(), &links).await?;
        let mut turnover = Turnover {
            stored,
            current,
            wanted,
            seen: None,
            links,
            grants,
            groups,
            leaving,
            named: asked_for(&wish),
            kept: Vec::new(),
        };
        self.resolve_asks(&progress.scene, &mut turnover, begun).await?;
        turnover.see_groups();
        Ok(turnover)
    }

    /// Whether the identity was deleted, and is only kept until that is done.
    pub(super) async fn owes_removal(&self) -> Result<bool, StoreError> {
        let open = self.inner.store.tasks_of(&self.caller.tenant, &self.id).await?;
        Ok(open.iter().any(|task| task.kind == TaskKind::Removal))
    }

    /// The groups that the identity is in once this change is done.
    fn groups_after(&self, stored: Option<&store::StoredResource>) -> Vec<GroupRef> {
        let mut groups = stored.map(|stored| stored.groups.clone()).unwrap_or_default();
        if let Operation::Regroup(change) = &self.request.operation {
            groups.retain(|group| group.id != change.group);
            if change.member {
                groups.push(GroupRef {
                    id: change.group.clone(),
                    display: change.display_name.clone(),
                    stands_for: change.stands_for.clone(),
                });
            }
        }
        groups
    }

    /// What waits has waited for something that was only to be known, or that does not come.
    fn waited_in_vain(
        &self,
        round: &Round<'_>,
        stage: &Stage,
        progress: &mut Progress,
    ) -> Result<Stop, Stop> {
        if progress.links(&round.turnover.links) == round.links {
            for (target, why) in &stage.waits {
                let bound = round.bounds.iter().find(|bound| bound.name() == target);
                let bound = bound.expect("who waits is one of these targets");
                self.target_failed(bound, refusal("Id", why.clone()), progress)?;
            }
        }
        Ok(Stop::Again)
    }

    /// Decides every record. What can be seen to fail before anything is sent fails the whole request, where the target is
    /// a required one; unless somebody is to be locked out, which waits for no other record.
    async fn decide_all(&self, round: &Round<'_>, progress: &mut Progress) -> Result<Stage, Stop> {
        if round.locks_out() {
            self.ticket.take_access_away();
        }
        let mut stage = Stage::default();
        let mut translated = Vec::new();
        for course in round.courses {
            let bound = round.bound(course);
            let made = match self.translated(round, &bound, course, progress).await {
                Ok(made) => Some(made),
                Err(stop) => {
                    self.passed_over(&bound, stop, &mut stage, progress)?;
                    None
                }
            };
            translated.push(made);
        }
        self.claim_keys(round, translated.iter().map(|made| made.as_ref()?.translation.as_ref()), progress)
            .await?;
        let translations = round.courses.iter().zip(&translated);
        for (course, made) in translations {
            let bound = round.bound(course);
            let translation = made.as_ref().and_then(|made| made.translation.as_ref());
            if let Err(stop) = self.refuse_taken_key(course, translation).await {
                self.passed_over(&bound, stop, &mut stage, progress)?;
            }
        }
        // Those first that others refer to.
        let mut in_turn: Vec<_> = round.courses.iter().zip(&mut translated).collect();
        in_turn.sort_by_key(|(course, _)| !round.is_referred_to(course));
        for (course, made) in in_turn {
            let bound = round.bound(course);
            let Some(made) = made.as_mut().filter(|_| !progress.failed.contains_key(bound.name())) else {
                continue;
            };
            if let Err(stop) = self.decide(round, &bound, course, made, &mut stage, progress).await {
                self.passed_over(&bound, stop, &mut stage, progress)?;
            }
        }
        for (course, made) in round.courses.iter().zip(translated) {
            let granting = made.and_then(|made| made.granting);
            stage.grantings.extend(granting.map(|granting| (course.place.target.name.clone(), granting)));
        }
        Ok(stage)
    }

    /// A target cannot be decided. Where somebody is to be locked out, an org that is away keeps no other waiting.
    fn passed_over(
        &self,
        bound: &Bound<'_>,
        stop: Stop,
        stage: &mut Stage,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        match self.target_failed(bound, stop, progress) {
            Err(stop @ Stop::Stalled { .. }) if self.ticket.takes_access_away() => {
                stage.stalled.get_or_insert(stop);
                Ok(())
            }
            ended => ended,
        }
    }

    /// What the mapping makes of the identity for a target that it holds.
    async fn translated(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &Course<'_>,
        progress: &mut Progress,
    ) -> Result<Translated, Stop> {
        let describe = bound.org.describe(&bound.target.object).await.map_err(call_failed)?;
        if is_back(round, course) {
            // Salesforce may have dropped by itself what the ledger says is there.
            progress.look_at_grants.insert(bound.name().clone());
        }
        let (Some(wanted), Aim::Hold(origin)) = (&round.turnover.seen, &course.aim) else {
            let granting = self.granting(round, bound, course, None, progress).await?;
            return Ok(Translated { describe, translation: None, granting });
        };
        let resolved = self.resolve(round, bound, wanted).await?;
        let written = match origin {
            Origin::Linked(link) => Some(&link.written),
            _ => None,
        };
        let adopts =
            matches!(progress.found(bound.name()), planning::Found::Records(records) if !records.is_empty());
        // Of a record that is about to be adopted nothing is ours yet: defaults and a made alias stay away from it.
        let nothing = salesforce_types::Fields::new();
        let context = Context {
            describe: &describe,
            action: if written.is_some() || adopts { Action::Update } else { Action::Create },
            username_domain: bound.tenant.username_domain.as_deref(),
            written: written.or(adopts.then_some(&nothing)),
            resolved: &resolved,
            identity: Some(self.id.as_str()),
        };
        let mut translation = bound.target.translate(wanted, &context);
        let known = match origin {
            // What was refused is asked once more when an operator asks to bring the record into agreement.
            Origin::Linked(link)
                if !matches!(self.request.operation, Operation::Resync | Operation::Attempt(_)) =>
            {
                &link.refused
            }
            _ => &nothing,
        };
        let refused = progress.refused(bound.name(), known);
        translation.fields.retain(|field, desired| match (desired, refused.get(field)) {
            (Desired::Set(value), Some(refused)) => value != refused,
            _ => true,
        });
        let granting = self.granting(round, bound, course, Some(&translation), progress).await?;
        if let Some(granting) = &granting {
            self.with_granted_fields(bound, granting, &mut translation);
        }
        Ok(Translated { describe, translation: Some(translation), granting })
    }

    async fn decide(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &Course<'_>,
        made: &mut Translated,
        stage: &mut Stage,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        if let Some(why) = waits(round, course, made.translation.as_ref(), stage, progress)? {
            stage.waits.push((bound.name().clone(), why));
            return Ok(());
        }
        if self.is_looked_for_in_vain(round, bound, course) {
            stage.notes.push(no_match(bound));
            return Ok(());
        }
        let aim = self.decided_by_a_person(round, bound, course, made, progress).await?;
        let profile = match (&aim, &made.translation) {
            (Aim::Hold(Origin::Unknown(_) | Origin::Named(_)), Some(translation))
                if bound.target.object == "User" && !translation.fields.contains_key("ProfileId") =>
            {
                Some(self.profile(bound).await?)
            }
            _ => None,
        };
        let conversion = match (&aim, &round.turnover.wanted) {
            (Aim::Hold(Origin::Lead(_)), Some(wanted)) => {
                Some(self.conversion(bound, wanted, progress).await?)
            }
            _ => None,
        };
        let Work { active, goes_on_with } =
            self.may_work(round, bound, course, made, profile.as_ref(), progress).await?;
        if let Some(kept) = &goes_on_with {
            self.go_on_with(bound, kept, made, progress);
        }
        let made = &*made;
        let translation = made.translation.as_ref();
        self.see_login(bound, &aim, active, progress).await?;
        let found = match &aim {
            Aim::Hold(Origin::Named(id)) if !progress.knows(bound.name(), id) => &planning::Found::NotLooked,
            _ => progress.found(bound.name()),
        };
        let leaves = matches!(aim, Aim::Leave(_));
        let stripped =
            made.granting.as_ref().filter(|_| leaves).map(|granting| self.stripped_fields(bound, granting));
        let decision = planning::plan(&Input {
            identity: &self.id,
            place: course.place,
            describe: &made.describe,
            aim: &aim,
            translation,
            active,
            frozen: progress.frozen_of(bound.name(), &aim),
            blocked: progress.blocked.contains_key(bound.name()),
            found,
            profile: profile.as_ref(),
            conversion: conversion.as_ref(),
            stripped: stripped.as_ref(),
        });
        let steps = match decision {
            Decision::Nothing => {
                if let (Aim::Followed(_), false) = (&course.aim, round.has_contact(bound)) {
                    let detail = "somebody has converted this lead, and no target takes care of its contact";
                    stage.notes.push(note(bound.name(), NoteCode::LeadConverted, detail));
                }
                if let (Aim::Leave(_), Some(granting)) = (&course.aim, &made.granting) {
                    return self.give(round, bound, course, granting, stage, progress).await;
                }
                return Ok(());
            }
            Decision::LookUp(keys) => {
                // A local namesake is told before a call is spent.
                if self.is_create() {
                    self.open(None, None, &[]).await?;
                }
                let purpose = Purpose::matching(&self.ticket);
                self.look(bound, &keys, &[], purpose, progress).await?;
                return Err(Stop::Again);
            }
            Decision::Hold(obstacle) => {
                return Err(self.hold(bound, round.turnover, obstacle, progress.dry).await?.into());
            }
            Decision::Refuse(refusals) => return Err(ProvisionError::Untranslatable(refusals).into()),
            Decision::NotAllowed(what) => {
                return Err(ProvisionError::NotAllowed { target: bound.name().clone(), what }.into());
            }
            Decision::NoMatch => {
                stage.notes.push(no_match(bound));
                return Ok(());
            }
            Decision::Steps(steps) => steps,
        };
        if let Aim::Leave(link) = &course.aim {
            progress.said.extend(round.stays_behind(bound, link));
        }
        if let Aim::Hold(Origin::Linked(link)) | Aim::Leave(link) = &course.aim
            && !steps.plan.is_empty()
        {
            self.check_protected(round, bound, link, made.granting.as_ref(), progress)?;
        }
        if planning::takes_access_away(&steps.plan) {
            self.ticket.take_access_away();
        }
        self.check_unknown_create(bound, round.turnover, &steps.plan).await?;
        if let (Aim::Hold(Origin::Unknown(_)), true) = (&aim, round.has_lead_to_convert(bound)) {
            let detail = "the lead is not converted (`how = \"beside\"`): the contact is made beside it";
            // Heard at the end, when the contact is there and nothing shows any more how it was made.
            progress.said.push(note(bound.name(), NoteCode::MadeBesideLead, detail));
        }
        stage.take(bound, course, translation, steps, self.inner.clock.now(), progress);
        // Where a person has chosen another record, what follows comes once that is the identity's.
        if let (Some(granting), true) = (&made.granting, aim == course.aim) {
            self.give(round, bound, course, granting, stage, progress).await?;
        }
        Ok(())
    }

    /// What follows from the record: the grants, as far as the record is known or about to be made.
    async fn give(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &Course<'_>,
        granting: &Granting,
        stage: &mut Stage,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut chosen = stage.chosen.iter_mut().find(|chosen| chosen.target == *bound.name());
        if let Some(chosen) = &mut chosen {
            chosen.given = granting.given_by(chosen.planned.step.fields());
        }
        let chosen = chosen.as_deref();
        let link = match (&course.aim, chosen) {
            // What the fields give is known once they are written.
            (Aim::Hold(Origin::Linked(link)) | Aim::Leave(link), None) => Some(*link),
            (Aim::Hold(Origin::Linked(_)) | Aim::Leave(_), Some(_)) => None,
            (_, Some(chosen)) if matches!(chosen.planned.step, Step::Create { .. }) => None,
            // Its record is known in the next round.
            _ => return Ok(()),
        };
        let is_there = matches!(course.aim, Aim::Hold(Origin::Linked(_)));
        if is_there && !bound.target.allow.update {
            let stands_here = matches!(&self.request.operation, Operation::Regroup(change)
                if change.stands_for.as_ref().is_some_and(|stands_for| stands_for.org == *bound.org.name()));
            if stands_here {
                let what = "update";
                return Err(ProvisionError::NotAllowed { target: bound.name().clone(), what }.into());
            }
            if self.leaves_out_grants(bound, granting) {
                let detail = "it does not allow to change records, so what is to be given or taken is not in Salesforce";
                stage.notes.push(note(bound.name(), NoteCode::UpdateNotAllowed, detail));
            }
            return Ok(());
        }
        // Who is made or kept inactive, because he waits for a seat, is given nothing yet.
        let active = match chosen {
            Some(chosen) => chosen.planned.step.fields().get("IsActive"),
            None => link.and_then(|link| link.written.get("IsActive")),
        };
        let works = active.is_none_or(|active| *active != serde_json::Value::Bool(false));
        let steps = self.decide_grants(bound, granting, link, works, progress)?;
        if let (Aim::Hold(Origin::Linked(link)) | Aim::Leave(link), false) = (&course.aim, steps.is_empty()) {
            self.check_protected(round, bound, link, Some(granting), progress)?;
        }
        let steps = self.with_seats(bound, granting, steps, progress).await?;
        if steps.iter().any(|step| matches!(step.step, Step::Delete { .. })) {
            // Whoever loses something loses it for sure, whatever else he gets.
            self.ticket.take_access_away();
        }
        stage.followers.extend(steps.into_iter().map(|grant| Follower::new(bound, grant)));
        Ok(())
    }

    /// A request that changes nothing does not look again for a record that the target would not make.
    fn is_looked_for_in_vain(&self, round: &Round<'_>, bound: &Bound<'_>, course: &Course<'_>) -> bool {
        let turnover = round.turnover;
        matches!(self.wish, Wish::Replace(_) | Wish::Patch(_))
            && turnover.wanted == turnover.current
            && !bound.target.allow.create
            && matches!(course.aim, Aim::Hold(Origin::Unknown(_)))
    }

    /// A record that a person has chosen for the identity takes the place of the search.
    async fn decided_by_a_person<'a>(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        course: &'a Course<'a>,
        made: &Translated,
        progress: &mut Progress,
    ) -> Result<Aim<'a>, Stop> {
        match (&course.aim, &self.request.operation) {
            (Aim::Hold(Origin::Unknown(_)), _) => {}
            (Aim::Hold(Origin::Linked(link)), Operation::Adopt(record)) if link.record_id != *record => {}
            _ => return Ok(course.aim.clone()),
        }
        let adopted = match &self.request.operation {
            _ if progress.named.contains_key(bound.name()) => progress.named.get(bound.name()).cloned(),
            Operation::Adopt(record) => adopted(bound, record, progress),
            _ if is_doubtful(bound, made, progress) => {
                let subject = hold_subject(&self.caller.tenant, round.turnover);
                let hold = self.inner.store.hold_of(&self.caller.tenant, &subject, bound.name()).await?;
                hold.and_then(|(_, decided)| decided)
            }
            _ => None,
        };
        let is_one = |record: &RecordId| made.describe.key_prefix.as_deref() == Some(record.prefix());
        Ok(match adopted.filter(is_one) {
            Some(record) => Aim::Hold(Origin::Named(record)),
            None => course.aim.clone(),
        })
    }

    /// A target did not get there. Ends the change if nothing has reached an org yet and the target is a required one; else
    /// the others go on.
    pub(super) fn target_failed(
        &self,
        bound: &Bound<'_>,
        stop: Stop,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let required = bound.target.required;
        let (error, is_tried_again) = match stop {
            // Asked in another round, or of nobody.
            Stop::Again | Stop::Withdrawn | Stop::Join(_) => return Err(stop),
            // What takes access away is done, however long it takes; so is what is required of a change that has begun.
            // Once something has landed and nobody waits any more the rest is a task, which keeps nobody else waiting.
            Stop::Stalled { .. }
                if (required || self.ticket.takes_access_away())
                    && (!progress.has_landed || self.is_awaited()) =>
            {
                return Err(stop);
            }
            Stop::Stalled { why, retry_after } => (super::busy(&why, retry_after), true),
            Stop::Fail(error @ ProvisionError::Store(_)) => return Err(Stop::Fail(error)),
            // Kept until the end, if somebody is to be locked out by the others, or a person works on one of them.
            Stop::Fail(error)
                if required
                    && !progress.has_landed
                    && progress.unsure.is_none()
                    && !self.ticket.takes_access_away()
                    && !matches!(
                        self.request.operation,
                        Operation::Adopt(_) | Operation::Resync | Operation::Attempt(_)
                    ) =>
            {
                return Err(Stop::Fail(error));
            }
            Stop::Fail(error) => {
                let by_a_person = matches!(error, ProvisionError::Held { .. });
                // A task may do what the caller may not: it would do it in his name.
                let is_tried_again =
                    !by_a_person && !error.is_denial() && bound.standing != Standing::Removed;
                (error, is_tried_again)
            }
        };
        tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, mapping.target = %bound.name(), "a target did not get there");
        progress.failed.insert(bound.name().clone(), Failure { error, is_tried_again, required });
        Ok(())
    }
}

/// What the caller is to know of what he asks for and nothing comes of: it is for an org in which the person has no User, or he
/// may not take it away.
fn say_what_is_not_given(round: &Round<'_>, progress: &mut Progress) -> Result<(), Stop> {
    let Some(wanted) = &round.turnover.wanted else { return Ok(()) };
    let orgs = progress.scene.orgs_with_users()?;
    let mut said = Vec::new();
    for org in orgs.iter().map(|org| org.name()) {
        let is_there = |bound: &&Bound<'_>| bound.target.object == "User" && bound.org.name() == org;
        let Some(bound) = round.bounds.iter().find(is_there) else { continue };
        let kept = round.turnover.kept.iter().filter(|(of, _)| of == org);
        said.extend(kept.map(|(_, name)| {
            let detail = format!("`{name}` stays: the client may not give it, and may not take it either");
            note(bound.name(), NoteCode::GrantKept, &detail)
        }));
        let current = round.turnover.current.as_ref();
        let before = current.map(|current| asks_in(current, org, &orgs)).unwrap_or_default();
        let is_new = asks_in(wanted, org, &orgs).iter().any(|of| !before.contains(of));
        let has_user = round.courses.iter().any(|course| {
            course.place.org == org
                && course.place.target.object == "User"
                && matches!(course.aim, Aim::Hold(_))
        });
        if is_new && !has_user {
            let detail = format!(
                "the identity has no User in the org {org}, and what is asked for there is given when it has one"
            );
            said.push(note(bound.name(), NoteCode::GrantUnmet, &detail));
        }
    }
    for said in said {
        if !progress.said.contains(&said) {
            progress.said.push(said);
        }
    }
    Ok(())
}

/// Whether somebody may have been asked which record it is: several match, or nobody knows whether one was made.
fn is_doubtful(bound: &Bound<'_>, made: &Translated, progress: &Progress) -> bool {
    let several =
        matches!(progress.found(bound.name()), planning::Found::Records(records) if records.len() > 1);
    let external_id = bound.target.external_id.as_ref().and_then(|name| made.describe.field(name));
    several || (bound.target.object != "User" && external_id.is_none())
}

/// The record that an operator has named, in the org that has it: in no other one it stands for anybody.
fn adopted(bound: &Bound<'_>, record: &RecordId, progress: &mut Progress) -> Option<RecordId> {
    if progress.not_here.contains(bound.name()) {
        return None;
    }
    let planning::Found::Records(found) = progress.found(bound.name()) else {
        return Some(record.clone());
    };
    if found.iter().any(|found| found.id == *record) {
        return Some(record.clone());
    }
    progress.not_here.insert(bound.name().clone());
    progress.sights.remove(bound.name());
    None
}
