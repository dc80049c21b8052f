//! Parent and children: what a change of a Group does, in its order. The request is durable before the first child; name and
//! standing are written before the children, so that whoever else decides about a member meanwhile decides by them; the end is
//! written when all children have theirs.

use std::sync::atomic::Ordering;

use model::{ResourceId, ResourceKind};
use scim_types::Resource;
use store::{ResourceWrite, StoredResource};
use translation::Partial;

use super::{
    GroupChange, Named, Stop,
    admit::{NAMED, Offenders},
    children::{Child, Ended, Role, Sense},
    journal::{Before, Outcome, Snapshot},
    members::{Wanted, as_wanted, with_members},
    standing::{RefusedMember, Standing},
};
use crate::{
    Answer, ProvisionError, Warning,
    users::{body_of, outcome_of},
    wish::Wish,
};

/// A Group before and after.
pub(super) struct Course {
    /// As recorded; of a create nothing.
    pub(super) stored: Option<StoredResource>,
    pub(super) before: Standing,
    /// What it becomes; `None`: it goes.
    pub(super) after: Option<After>,
}

/// What a Group becomes.
pub(super) struct After {
    pub(super) name: String,
    /// Whether it was called otherwise, or is new.
    pub(super) is_renamed: bool,
    pub(super) standing: Standing,
    /// Without members.
    pub(super) body: Resource,
    pub(super) members: Vec<Wanted>,
}

/// A member that did not join or leave, and why.
type Refused = (ResourceId, ProvisionError);

impl Course {
    pub(super) fn members_before(&self) -> Vec<Wanted> {
        self.stored.iter().flat_map(|stored| &stored.members).map(as_wanted).collect()
    }

    fn name_before(&self) -> Result<String, ProvisionError> {
        let body = self.stored.as_ref().map(body_of).transpose()?;
        Ok(body.as_ref().and_then(Resource::display_name).unwrap_or_default().to_owned())
    }

    /// What it is from now on to those who stay.
    fn sense<'a>(&'a self, name_before: &'a str) -> Sense<'a> {
        match &self.after {
            Some(after) => Sense { name: &after.name, stands_for: after.standing.stands_for.as_ref() },
            None => self.sense_before(name_before),
        }
    }

    fn sense_before<'a>(&'a self, name: &'a str) -> Sense<'a> {
        Sense { name, stands_for: self.before.stands_for.as_ref() }
    }

    fn stands_otherwise(&self) -> bool {
        self.after.as_ref().is_some_and(|after| after.standing.stands_for != self.before.stands_for)
    }

    /// Whether what members have depends on it.
    fn gives_something(&self) -> bool {
        let after = self.after.as_ref().and_then(|after| after.standing.stands_for.as_ref());
        self.before.stands_for.is_some() || after.is_some()
    }
}

impl GroupChange {
    /// Does it: alone where it is nobody's access, else with a child for each identity that is concerned.
    pub(super) async fn follow(&self, mut course: Course, mut offenders: Offenders) -> Result<Answer, Stop> {
        let looks_at_groups = self.scene.tenant.mapping.looks_at_groups();
        let mut children = if course.gives_something() || looks_at_groups {
            course.children(looks_at_groups, self.has_begun())
        } else {
            Vec::new()
        };
        if !self.has_begun() {
            self.check(&course, &children, &mut offenders).await?;
            std::mem::take(&mut offenders).refuse()?;
        } else if let Err(error) = self.check(&course, &children, &mut offenders).await {
            // Who may not give it gives it to nobody else, however far it has come.
            if matches!(error, ProvisionError::MayNotGrant { .. }) {
                return Err(error.into());
            }
            // It was checked before it began, and goes on: Salesforce has the last word.
            tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %error, "a change of a group goes on without a check");
        }
        children.retain(|child| child.role == Role::Leaves || !offenders.contains(&child.identity));
        if let Some(after) = &mut course.after {
            after.members.retain(|member| !offenders.contains(&member.id));
        }
        let name = match self.name(&course).await? {
            Named::Free(turn) => turn,
            Named::Repeat(answer) => return Ok(*answer),
        };
        if children.is_empty() && !self.has_begun() {
            return self.conclude(&course, &[], Vec::new()).await;
        }
        let before = Before::of(course.stored.as_ref())?;
        let before = self.before.get_or_init(|| before);
        let undoes = self.scene.tenant.mapping.groups.partial == Partial::Rollback;
        let takes_access_away =
            course.after.is_none() || children.iter().any(|child| child.role == Role::Leaves);
        self.open(takes_access_away, Some(before).filter(|_| undoes)).await?;
        self.announce(&course).await?;
        drop(name);
        self.has_begun.store(true, Ordering::Relaxed);
        let name_before = course.name_before()?;
        let (was, is) = (course.sense_before(&name_before), course.sense(&name_before));
        let ended = self.carry_out_children(children, was, is).await.ok_or(Stop::LeftOpen)?;
        self.take_stock(&course, ended, offenders).await
    }

    /// Finds out what can be known to fail before any call.
    async fn check(
        &self,
        course: &Course,
        children: &[Child],
        offenders: &mut Offenders,
    ) -> Result<(), ProvisionError> {
        let after = course.after.as_ref().and_then(|after| after.standing.stands_for.as_ref());
        let standings = [course.before.stands_for.as_ref(), after];
        if !children.is_empty() || course.stands_otherwise() {
            for stands_for in standings.into_iter().flatten() {
                self.check_may_grant(stands_for).await?;
            }
        }
        let (Some(stands_for), Some(after)) = (after, &course.after) else { return Ok(()) };
        let was = course.members_before();
        let is_new = |member: &&Wanted| {
            member.kind == ResourceKind::Group
                || course.stands_otherwise()
                || !was.iter().any(|known| known.id == member.id)
        };
        let joins: Vec<&Wanted> = after.members.iter().filter(is_new).collect();
        if joins.is_empty() {
            return Ok(());
        }
        self.check_admission(stands_for, &joins, offenders).await
    }

    /// Writes a new Group without its Users, or a new name and standing: children and everybody else decide by them.
    async fn announce(&self, course: &Course) -> Result<(), Stop> {
        let Some(after) = &course.after else { return Ok(()) };
        let Some(stored) = &course.stored else {
            let groups = after.members.iter().filter(|member| member.kind == ResourceKind::Group);
            return self.write(ResourceWrite::Create(with_members(after.body.clone(), groups))).await;
        };
        if !after.is_renamed && !course.stands_otherwise() {
            return Ok(());
        }
        self.write(ResourceWrite::Revise { expected: stored.version, body: after.body.clone() }).await
    }

    /// What came of the children.
    async fn take_stock(
        &self,
        course: &Course,
        ended: Vec<Ended>,
        offenders: Offenders,
    ) -> Result<Answer, Stop> {
        let (mut done, mut refused, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        let mut stays_refused = Vec::new();
        refused.extend(offenders.into_refused());
        for Ended { child, result } in ended {
            match result {
                Ok(said) => {
                    warnings.extend(said.into_iter().map(|warning| of_member(&child, warning)));
                    done.push(child);
                }
                // A member who stays is neither taken out nor left behind because the org is away: it is done again.
                Err(error @ ProvisionError::Busy { .. }) if child.role == Role::Stays => {
                    return Err(Stop::Fail(error));
                }
                Err(error) => {
                    refused.push((child.identity.clone(), error));
                    stays_refused.extend(Some(child).filter(|child| child.role == Role::Stays));
                }
            }
        }
        if refused.is_empty() {
            return self.conclude(course, &[], warnings).await;
        }
        tracing::warn!(
            tenant = %self.caller.tenant, change.id = %self.change, done = done.len(), refused = refused.len(),
            "a group's change did not get to all of its members"
        );
        match self.scene.tenant.mapping.groups.partial {
            Partial::Keep => self.keep(course, &done, &stays_refused, refused).await,
            Partial::Rollback => self.roll_back(refused).await,
        }
    }

    /// Those done stay, and the Group shows exactly them.
    async fn keep(
        &self,
        course: &Course,
        done: &[Child],
        stays_refused: &[Child],
        refused: Vec<Refused>,
    ) -> Result<Answer, Stop> {
        // Whoever cannot have what the Group stands for from now on is no member any more.
        let go: Vec<Child> =
            stays_refused.iter().filter(|_| course.stands_otherwise()).map(Child::goes).collect();
        let name = course.name_before()?;
        let sense = course.sense(&name);
        let left = self.carry_out_children(go, sense, sense).await.ok_or(Stop::LeftOpen)?;
        let undone = left.iter().filter(|ended| ended.result.is_err()).count();
        let is_new = course.stored.is_none() || matches!(self.wish, Wish::Create(_));
        let has_members = done.iter().any(|child| child.role != Role::Leaves)
            || course
                .after
                .iter()
                .flat_map(|after| &after.members)
                .any(|member| member.kind == ResourceKind::Group);
        if is_new && !has_members && undone == 0 {
            return self.forget(refused).await;
        }
        let nothing_was_decided =
            refused.iter().all(|(_, error)| matches!(error, ProvisionError::Busy { .. }));
        if done.is_empty() && left.is_empty() && !course.is_announced() && nothing_was_decided {
            return Err(not_all(0, false, refused).into());
        }
        let write = self.after_children(course, &refused).await?;
        self.end(write, part(&refused)).await?;
        Err(not_all(done.len(), false, refused).into())
    }

    /// It is as if it had not been asked for, as far as Salesforce lets that be: a change back to what was before.
    async fn roll_back(&self, mut refused: Vec<Refused>) -> Result<Answer, Stop> {
        let now = self.stored().await?.ok_or(Stop::Again)?;
        let before = self.before.get().and_then(|before| before.0.clone());
        let is_new = before.is_none();
        let mut back = Course { before: Standing::of(&body_of(&now)?)?, stored: Some(now), after: None };
        let name_now = back.name_before()?;
        if let Some(Snapshot { body, members }) = before {
            let name = body.display_name().unwrap_or_default().to_owned();
            let standing = Standing::of(&body)?;
            back.after = Some(After { is_renamed: name != name_now, name, standing, body, members });
        }
        let was_renamed = back.after.as_ref().is_some_and(|after| after.is_renamed);
        let has_changed = was_renamed || back.stands_otherwise();
        self.announce(&back).await?;
        let children = back.children(self.scene.tenant.mapping.looks_at_groups(), has_changed);
        let (was, is) = (back.sense_before(&name_now), back.sense(&name_now));
        let undone = self.carry_out_children(children, was, is).await.ok_or(Stop::LeftOpen)?;
        let wanted = refused.len();
        for ended in undone {
            match ended.result {
                // Nobody is left out because the org is away just now.
                Err(error @ ProvisionError::Busy { .. }) => return Err(Stop::Fail(error)),
                Err(error) => refused.push((ended.child.identity, error)),
                Ok(_) => {}
            }
        }
        let left = refused.len() - wanted;
        if is_new && left == 0 {
            return self.forget(refused).await;
        }
        if left > 0 || has_changed {
            let now = self.stored().await?.ok_or(Stop::Again)?;
            let body = body_of(&now)?;
            self.end(ResourceWrite::Revise { expected: now.version, body }, part(&refused)).await?;
        }
        tracing::info!(tenant = %self.caller.tenant, change.id = %self.change, left, "a group's change was undone");
        Err(not_all(left, true, refused).into())
    }

    /// A new Group that nobody could join is not there.
    async fn forget(&self, refused: Vec<Refused>) -> Result<Answer, Stop> {
        let now = self.stored().await?.ok_or(Stop::Again)?;
        self.end(ResourceWrite::Delete { expected: now.version }, part(&refused)).await?;
        Err(not_all(0, false, refused).into())
    }

    /// Writes the end.
    async fn conclude(
        &self,
        course: &Course,
        refused: &[Refused],
        warnings: Vec<Warning>,
    ) -> Result<Answer, Stop> {
        let write = self.after_children(course, refused).await?;
        let (result, status) = match &self.wish {
            Wish::Create(_) => ("created", 201),
            Wish::Delete => ("deleted", 204),
            Wish::Replace(_) | Wish::Patch(_) | Wish::Keep => ("updated", 200),
        };
        self.end(write, Outcome { result, status, reason: None }).await?;
        if course.after.is_none() {
            return Ok(Answer::Deleted);
        }
        // Read again for the members' display names.
        let id = self.id.to_string();
        let gone = || ProvisionError::NotFound { kind: ResourceKind::Group, id };
        let resource = self.stored().await?.ok_or_else(gone)?;
        Ok(self.success(resource, few(warnings), true))
    }

    /// What is written of the Group when the children have written their memberships.
    async fn after_children(&self, course: &Course, refused: &[Refused]) -> Result<ResourceWrite, Stop> {
        let Some(now) = self.stored().await? else {
            let after = course.after.as_ref().ok_or(Stop::Again)?;
            return Ok(ResourceWrite::Create(with_members(after.body.clone(), &after.members)));
        };
        let expected = now.version;
        let refused: Vec<RefusedMember> = refused
            .iter()
            .map(|(id, error)| RefusedMember {
                value: id.to_string(),
                code: code_of(error),
                detail: error.to_string(),
            })
            .collect();
        let Some(after) = &course.after else {
            if refused.is_empty() {
                return Ok(ResourceWrite::Delete { expected });
            }
            let body = Standing { refused, ..course.before.clone() }.written(&body_of(&now)?)?;
            return Ok(ResourceWrite::Revise { expected, body });
        };
        let body = Standing { refused, ..after.standing.clone() }.written(&after.body)?;
        let is: Vec<Wanted> = now.members.iter().map(as_wanted).collect();
        let members = if self.has_begun() { with_landed(&after.members, &is) } else { after.members.clone() };
        Ok(if members == is {
            ResourceWrite::Revise { expected, body }
        } else {
            ResourceWrite::Replace { expected, body: with_members(body, &members) }
        })
    }
}

impl Course {
    /// Whether something was written before the children that is there whatever becomes of them.
    fn is_announced(&self) -> bool {
        let is_renamed = self.after.as_ref().is_some_and(|after| after.is_renamed);
        self.stored.is_some() && (is_renamed || self.stands_otherwise())
    }
}

/// Users as the children have left them, with the displays that are wanted; Groups, which have no children, as they are wanted.
fn with_landed(wanted: &[Wanted], is: &[Wanted]) -> Vec<Wanted> {
    let as_asked = |member: &Wanted| {
        let asked = wanted.iter().find(|wanted| wanted.id == member.id);
        asked.unwrap_or(member).clone()
    };
    let is_group = |member: &&Wanted| member.kind == ResourceKind::Group;
    let stays = |member: &&Wanted| !is_group(member) || wanted.iter().any(|wanted| wanted.id == member.id);
    let is_new = |member: &&Wanted| is_group(member) && !is.iter().any(|known| known.id == member.id);
    let there = is.iter().filter(stays).map(as_asked);
    there.chain(wanted.iter().filter(is_new).cloned()).collect()
}

fn not_all(done: usize, rolled_back: bool, refused: Vec<Refused>) -> ProvisionError {
    let refused = refused.into_iter().map(|(id, error)| (id, Box::new(error))).collect();
    ProvisionError::NotAllMembers { done, rolled_back, refused }
}

/// How it is kept that not all got there: no personal data.
fn part(refused: &[Refused]) -> Outcome {
    let first = refused.first().map(|(_, error)| outcome_of(error));
    let (status, why) = first.map_or((409, None), |first| (first.status, first.reason));
    let reason = format!("{} members were refused: {}", refused.len(), why.unwrap_or_default());
    Outcome { result: "refused", status, reason: Some(reason) }
}

fn code_of(error: &ProvisionError) -> Option<String> {
    match error {
        ProvisionError::Refused { refusal, .. } => Some(refusal.code.clone()),
        _ => None,
    }
}

fn of_member(child: &Child, warning: Warning) -> Warning {
    Warning {
        attribute: Some("members".to_owned()),
        detail: format!("member {}: {}", child.identity, warning.detail),
        ..warning
    }
}

/// As many as a person reads.
fn few(mut warnings: Vec<Warning>) -> Vec<Warning> {
    if warnings.len() > NAMED {
        let more = warnings.len() - NAMED;
        warnings.truncate(NAMED);
        warnings.push(Warning {
            code: "more-warnings".to_owned(),
            attribute: Some("members".to_owned()),
            detail: format!("and {more} more of other members"),
        });
    }
    warnings
}
