//! Parent and children: what a change of a Group does, in its order. The request is durable before the first child; name and
//! standing are written before the children, so that whoever else decides about a member meanwhile decides by them; the end is
//! written when all children have theirs.

use model::{ResourceId, ResourceKind};
use scim_types::Resource;
use store::{ResourceWrite, StoredResource};
use translation::Partial;

use super::{
    GroupChange, Named, Stop,
    admit::{NAMED, Offenders},
    children::{Child, Ended, Role, Sense},
    journal::{Before, Former, Outcome, Snapshot},
    members::{Wanted, as_wanted, with_members},
    standing::{RefusedMember, Standing},
};
use crate::{
    Answer, ProvisionError, Warning,
    turns::Turn,
    users::{body_of, outcome_of},
    wish::Wish,
};

/// A Group before and after.
pub(super) struct Course {
    /// As recorded now; of a create nothing, until it is announced.
    pub(super) stored: Option<StoredResource>,
    /// What it was before the change began, in whichever life of Gangway that was.
    pub(super) former: Former,
    /// What it becomes; `None`: it goes.
    pub(super) after: Option<After>,
}

/// What a Group becomes.
pub(super) struct After {
    pub(super) name: String,
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

    /// What it is from now on to those who stay.
    fn sense(&self) -> Sense<'_> {
        match &self.after {
            Some(after) => Sense { name: &after.name, stands_for: after.standing.stands_for.as_ref() },
            None => self.sense_before(),
        }
    }

    fn sense_before(&self) -> Sense<'_> {
        let Former { name, standing } = &self.former;
        Sense { name: name.as_deref().unwrap_or_default(), stands_for: standing.stands_for.as_ref() }
    }

    /// Whether it was called otherwise, or is new.
    pub(super) fn is_renamed(&self) -> bool {
        self.after.as_ref().is_some_and(|after| self.former.name.as_ref() != Some(&after.name))
    }

    /// Whether it stood for something else, or nothing.
    pub(super) fn stands_otherwise(&self) -> bool {
        let before = &self.former.standing.stands_for;
        self.after.as_ref().is_some_and(|after| after.standing.stands_for != *before)
    }

    /// Whether what members have depends on it.
    fn gives_something(&self) -> bool {
        let after = self.after.as_ref().and_then(|after| after.standing.stands_for.as_ref());
        self.former.standing.stands_for.is_some() || after.is_some()
    }
}

impl GroupChange {
    /// Does it: alone where it is nobody's access, else with a child for each identity that is concerned.
    pub(super) async fn follow(&self, mut course: Course, mut offenders: Offenders) -> Result<Answer, Stop> {
        let looks_at_groups = self.scene.tenant.mapping.looks_at_groups();
        let mut children = if course.gives_something() || looks_at_groups {
            course.children(looks_at_groups)
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
            Named::Repeat(answer) => {
                self.end_unchanged().await?;
                return Ok(*answer);
            }
            Named::Taken(error) => return Err(error.into()),
        };
        if children.is_empty() && !self.has_begun() {
            return self.conclude(&course, &[], Vec::new()).await;
        }
        let takes_access_away =
            course.after.is_none() || children.iter().any(|child| child.role == Role::Leaves);
        self.begin(takes_access_away, course.stored.as_ref()).await?;
        self.announce(&course).await?;
        drop(name);
        let (was, is) = (course.sense_before(), course.sense());
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
        let standings = [course.former.standing.stands_for.as_ref(), after];
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
        let body = body_of(stored)?;
        let is_written = body.display_name() == Some(after.name.as_str())
            && Standing::of(&body)?.stands_for == after.standing.stands_for;
        if is_written {
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
                // A member who stays is neither taken out nor left behind because the org is away, and who was told that the
                // change goes on is told of no part of it: it is done again.
                Err(error @ ProvisionError::Busy { .. })
                    if child.role == Role::Stays || !self.is_awaited() =>
                {
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
        if self.scene.tenant.mapping.groups.partial == Partial::Rollback {
            let back = self.way_back().await?;
            match self.name(&back).await? {
                Named::Free(name) => return self.roll_back(back, name, refused).await,
                Named::Repeat(_) | Named::Taken(_) => {
                    tracing::warn!(
                        tenant = %self.caller.tenant, change.id = %self.change,
                        "a group's change is not undone: another group has its former name by now"
                    );
                }
            }
        }
        self.keep(course, &done, &stays_refused, refused).await
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
        let sense = course.sense();
        let left = self.carry_out_children(go, sense, sense).await.ok_or(Stop::LeftOpen)?;
        let undone = left.iter().filter(|ended| ended.result.is_err()).count();
        let is_new = matches!(self.wish, Wish::Create(_));
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
        let is_announced = course.is_renamed() || course.stands_otherwise();
        if done.is_empty() && left.is_empty() && !is_announced && nothing_was_decided {
            return Err(not_all(0, false, refused).into());
        }
        let write = self.after_children(course, &refused).await?;
        let mut outcome = part(&refused);
        if is_new {
            outcome.undone = refused.iter().map(|(id, _)| id.clone()).collect();
        }
        self.end(write, outcome).await?;
        Err(not_all(done.len(), false, refused).into())
    }

    /// From what the Group is now to what it was before.
    async fn way_back(&self) -> Result<Course, Stop> {
        let now = self.stored().await?.ok_or(Stop::Again)?;
        let former = Before::of(Some(&now))?.former()?;
        let mut back = Course { stored: Some(now), former, after: None };
        if let Some(Snapshot { body, members }) = self.before.get().and_then(|before| before.0.clone()) {
            let name = body.display_name().unwrap_or_default().to_owned();
            back.after = Some(After { name, standing: Standing::of(&body)?, body, members });
        }
        Ok(back)
    }

    /// It is as if it had not been asked for, as far as Salesforce lets that be: a change back to what was before.
    async fn roll_back(
        &self,
        back: Course,
        name: Option<Turn>,
        mut refused: Vec<Refused>,
    ) -> Result<Answer, Stop> {
        let is_new = back.after.is_none();
        let has_changed = back.is_renamed() || back.stands_otherwise();
        self.announce(&back).await?;
        drop(name);
        let children = back.children(self.scene.tenant.mapping.looks_at_groups());
        let children = children.into_iter().map(Child::undoing).collect();
        let (was, is) = (back.sense_before(), back.sense());
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
        self.end(write, Outcome { result, status, reason: None, undone: Vec::new(), detail: None }).await?;
        if course.after.is_none() {
            return Ok(Answer::Deleted(few(warnings)));
        }
        // Read again for the members' display names.
        let resource = self.stored().await?.ok_or_else(|| self.not_found())?;
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
            let body = Standing { refused, ..course.former.standing.clone() }.written(&body_of(&now)?)?;
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
    let detail = refused.first().map(|(_, error)| format!("{} members were refused: {error}", refused.len()));
    Outcome { result: "refused", status, reason: Some(reason), detail, undone: Vec::new() }
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
