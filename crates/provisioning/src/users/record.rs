//! Record: what landed, in one transaction; then the answer.

use std::sync::Arc;

use model::{ResourceId, TargetName};
use salesforce_types::{AskedBy, Fields, Grant};
use scim_types::Resource;
use store::{
    AuditEntry, ChangeOutcome, GrantWrite, LinkWrite, MembershipWrite, NewTask, Record, Recorded,
    ResourceWrite, StoredResource, TaskKind,
};
use translation::{Note, NoteCode};

use super::{
    Entry, Progress, Stop, UserChange,
    act::{Stage, is_always_said, rename},
    asks::{LISTS, asks_in},
    grants::is_protected,
    progress::Failure,
    round::{Turnover, body_of, note},
    see::waits_for_confirmation,
    shown::{Shown, shown},
};
use crate::{Answer, Operation, ProvisionError, Warning, Written, tasks, wish::Wish};

impl UserChange {
    /// Nothing more can be done now: ends the change with what landed.
    pub(super) async fn finish(
        &self,
        turnover: &Turnover,
        stage: Stage,
        progress: &mut Progress,
    ) -> Result<Answer, Stop> {
        // Nothing was kept, and the caller hears why. Who was promised that somebody is locked out hears nothing any more: then
        // it is recorded, and tried again; but for what he may not do at all.
        let is_promised = self.ticket.takes_access_away() && !self.is_awaited() && !self.is_create();
        let locks_out = self.ticket.takes_access_away();
        let keeps_nothing = |failure: &Failure| {
            // Kept, it would be done by whatever task comes next.
            (locks_out && is_protected(&failure.error))
                || (failure.required && (!is_promised || failure.error.is_denial()))
        };
        if !progress.has_landed
            && let Some(at) = progress.failed.values().position(keeps_nothing)
            && let Some((_, failure)) = progress.failed.shift_remove_index(at)
            && !self.has_adopted(turnover, progress)
        {
            return Err(Stop::Fail(failure.error));
        }
        // What a member of a Group is refused stands in the ledger: an auditor asks when that was.
        let is_member = matches!(self.request.operation, Operation::Regroup(_));
        if !progress.has_landed
            && !is_promised
            && !is_member
            && let Some(error) = self.not_all_granted(turnover, progress)?
        {
            return Err(Stop::Fail(error));
        }
        if let Operation::Adopt(record) = &self.request.operation
            && !self.has_adopted(turnover, progress)
        {
            let target = self.keep_choice(record).await?.ok_or_else(not_adopted)?;
            let detail = "the choice is noted; it holds when the identity tool asks for the target again";
            progress.said.push(note(&target, NoteCode::ChoiceKept, detail));
        }
        let links = progress.link_writes(&turnover.links);
        let mut tasks = self.tasks_after(&stage, turnover, progress);
        let open = self.open_tasks(turnover, progress).await?;
        let online = self.end_sessions(turnover, &open, progress).await;
        tasks.extend(self.leaver_tasks(turnover, &open, &online, progress));
        if self.asks_for_nothing() {
            tasks::keep_askers(&mut tasks, &open);
        }
        progress.say_blocked(turnover);
        let notes = notes(stage, progress);
        let grants = grants_after(turnover, progress);
        let membership = self.membership(turnover, progress);
        let unchanged = turnover.wanted.is_some()
            && progress.ledger.is_empty()
            && membership.is_none()
            && turnover.wanted == turnover.current
            && links.is_empty()
            && !progress.has_landed
            && tasks.is_empty()
            && progress.failed.is_empty();
        if let (true, Some(stored)) = (unchanged, &turnover.stored)
            && self.inner.store.tasks_of(&self.caller.tenant, &self.id).await?.is_empty()
        {
            return self.unchanged(stored, &notes, progress).await;
        }
        if !progress.ledger.is_empty() {
            // An auditor asks by which change the ledger has become what it is, also where no step was needed.
            self.open(None, rename(turnover), &[]).await?;
        }
        // The caller's deadline may have come first.
        if !self.ticket.send() && self.ticket.is_withdrawn() {
            return Err(Stop::Withdrawn);
        }
        let linked = newly_linked(turnover, progress);
        let landed = Landed { links, tasks, grants, membership };
        let answer = self.record(turnover, landed, &notes, progress).await?;
        for target in &linked {
            self.close_hold(turnover, target).await;
        }
        if self.is_create() {
            self.claim_holds(turnover, progress).await?;
        }
        // What else there was to do about him is a task of its own, and no reason to be told as a member any more.
        if self.has_left_the_group(turnover, progress) {
            return Ok(answer);
        }
        match partly(progress) {
            Some(error) => Err(error.into()),
            None => match self.not_all_granted(turnover, progress)? {
                Some(error) => Err(error.into()),
                None => Ok(answer),
            },
        }
    }

    async fn unchanged(
        &self,
        stored: &StoredResource,
        notes: &[Note],
        progress: &Progress,
    ) -> Result<Answer, Stop> {
        let mut entry = self.entry.lock().await;
        if std::mem::replace(&mut *entry, Entry::Ended) == Entry::Open {
            let outcome = ChangeOutcome {
                result: "unchanged".into(),
                status: 200,
                reason: None,
                ..ChangeOutcome::default()
            };
            let now = self.inner.clock.now();
            self.inner.store.withdraw(&self.change, outcome, self.is_awaited(), now).await?;
        }
        let warnings = notes.iter().map(warning).chain(about_grants(progress)).collect();
        Ok(self.success(Written { resource: stored.clone(), warnings, changed: false }))
    }

    /// What of this request's grants was not given, where the request asked for nothing else.
    fn not_all_granted(
        &self,
        turnover: &Turnover,
        progress: &mut Progress,
    ) -> Result<Option<ProvisionError>, Stop> {
        let nothing_else = match (&self.request.operation, &turnover.current, &turnover.wanted) {
            (Operation::Regroup(_), ..) => true,
            (Operation::Replace(_) | Operation::Patch(_), Some(current), Some(wanted)) => {
                let apart = |resource: &Resource| {
                    let mut map = resource.as_map().clone();
                    for list in LISTS {
                        map.shift_remove(list);
                    }
                    map
                };
                apart(current) == apart(wanted)
            }
            _ => false,
        };
        if !nothing_else || progress.not_granted.is_empty() {
            return Ok(None);
        }
        let orgs = progress.scene.orgs_with_users()?;
        let is_asked_now = |org: &model::OrgName, of: &salesforce_types::EntitlementRef| {
            let before = turnover.current.as_ref();
            if let Operation::Regroup(change) = &self.request.operation {
                let stands_for = change.stands_for.as_ref();
                return stands_for.is_some_and(|stands_for| stands_for.org == *org && stands_for.of == *of);
            }
            let asks = |resource: Option<&Resource>| {
                resource.is_some_and(|resource| asks_in(resource, org, &orgs).contains(of))
            };
            let (was, is) = (asks(before), asks(turnover.wanted.as_ref()));
            was != is || (is && turnover.current == turnover.wanted && self.names(turnover, org, of))
        };
        let all = std::mem::take(&mut progress.not_granted).into_iter();
        let (now, others): (Vec<_>, Vec<_>) = all.partition(|((_, of), not)| is_asked_now(&not.org, of));
        progress.not_granted.extend(others);
        let mut refused: Vec<(String, Box<ProvisionError>)> =
            now.into_iter().map(|(_, not)| (not.name, Box::new(not.error))).collect();
        let granted = progress.ledger.values().filter(|write| is_granted(write)).count();
        Ok(match (refused.len(), granted) {
            (0, _) => None,
            (1, 0) => refused.pop().map(|(_, error)| *error),
            _ => Some(ProvisionError::NotAllGranted { granted, refused }),
        })
    }

    /// Whether the request, which changes nothing, asks for this once more, by whichever of its names.
    fn names(
        &self,
        turnover: &Turnover,
        org: &model::OrgName,
        of: &salesforce_types::EntitlementRef,
    ) -> bool {
        let catalogue = self.inner.catalogue.known(org);
        turnover.named.iter().any(|text| {
            let prefix = text.strip_prefix(org.as_str()).and_then(|rest| rest.strip_prefix(':'));
            let text = prefix.unwrap_or(text);
            let is_called = |catalogue: &Arc<salesforce_types::Catalogue>| {
                catalogue.named(&[of.kind], text).is_ok_and(|one| one.of == *of)
            };
            of.has_id(text) || catalogue.as_ref().is_some_and(is_called)
        })
    }

    /// The membership that this change is about, unless it is as it should be.
    fn membership(&self, turnover: &Turnover, progress: &Progress) -> Option<MembershipWrite> {
        let Operation::Regroup(change) = &self.request.operation else { return None };
        let groups = turnover.stored.as_ref().map(|stored| stored.groups.as_slice()).unwrap_or_default();
        let is_member = groups.iter().any(|group| group.id == change.group);
        // Who cannot have what the group stands for does not join, and who cannot lose it does not leave.
        let is_refused = change.stands_for.as_ref().is_some_and(|stands_for| {
            let mut refused = progress.not_granted.iter();
            refused.any(|((_, of), not)| *of == stands_for.of && not.org == stands_for.org)
        });
        if is_refused {
            return None;
        }
        (is_member != change.member).then(|| MembershipWrite {
            group: change.group.clone(),
            joins: change.member,
            display: change.display.clone(),
        })
    }

    /// Whether this change was to take somebody out of a Group, and he does not have by it any more what it stands for.
    fn has_left_the_group(&self, turnover: &Turnover, progress: &Progress) -> bool {
        let Operation::Regroup(change) = &self.request.operation else { return false };
        let Some(stands_for) = change.stands_for.as_ref().filter(|_| !change.member) else { return false };
        let by = AskedBy::Group(change.group.clone());
        !progress.whole_ledger(&turnover.grants).iter().any(|grant| {
            grant.org == stands_for.org
                && grant.of == stands_for.of
                && grant.asked.iter().any(|ask| ask.by == by)
        })
    }

    /// Whether the record that an operator has named is the identity's now.
    fn has_adopted(&self, turnover: &Turnover, progress: &Progress) -> bool {
        let Operation::Adopt(record) = &self.request.operation else { return false };
        progress.links(&turnover.links).iter().any(|link| link.record_id == *record)
    }

    /// What is owed from now on: targets that are tried again, and fields that wait for somebody else's record.
    fn tasks_after(&self, stage: &Stage, turnover: &Turnover, progress: &Progress) -> Vec<NewTask> {
        let now = self.inner.clock.now();
        let again =
            progress.failed.iter().filter(|(_, failure)| failure.is_tried_again).map(|(target, failure)| {
                let kind = if turnover.wanted.is_none() { TaskKind::Removal } else { TaskKind::Target };
                let reason = reason_of(&failure.error);
                self.task(target, kind, reason, tasks::first_try(now))
            });
        let waits = stage.awaited.iter().map(|awaits| {
            let waits_for = ResourceId::from_text(awaits.identity.clone());
            let kind = TaskKind::Reference {
                field: awaits.field.clone(),
                waits_for,
                through: awaits.through.clone(),
            };
            let reason = "the person it refers to has no record in the org yet".to_owned();
            self.task(&awaits.target, kind, reason, tasks::look_anyway(now))
        });
        let links = progress.links(&turnover.links);
        let failed = |target: &TargetName| progress.failed.contains_key(target);
        let unconfirmed =
            waits_for_confirmation(&links).filter(|(link, _)| !failed(&link.target)).map(|(link, _)| {
                let reason = "the new e-mail address waits for the person's confirmation".to_owned();
                self.task(&link.target, TaskKind::Target, reason, tasks::confirmation(now))
            });
        again.chain(waits).chain(unconfirmed).chain(self.grant_tasks(turnover, progress)).collect()
    }

    /// Something owed, by who asks for it.
    pub(super) fn task(
        &self,
        target: &TargetName,
        kind: TaskKind,
        reason: String,
        due: model::Timestamp,
    ) -> NewTask {
        let (id, client) = (self.inner.ids.task(), self.asker().cloned());
        NewTask { id, target: target.clone(), kind, reason, due, client }
    }

    /// What is owed of grants: seats that are not there yet, and ends that are to come.
    fn grant_tasks(&self, turnover: &Turnover, progress: &Progress) -> Vec<NewTask> {
        let now = self.inner.clock.now();
        if turnover.wanted.is_none() {
            return Vec::new();
        }
        let seats = progress.seats_awaited.iter().map(|(target, of, why)| {
            self.task(target, TaskKind::Seat { of: of.clone() }, why.clone(), tasks::seat(now))
        });
        let ends = grants_after(turnover, progress);
        let ends = ends.iter().filter(|grant| grant.state.is_held()).filter_map(|grant| {
            let at = grant.until?;
            Some(self.task(&grant.target, TaskKind::Expiry { at }, "a grant ends".to_owned(), at))
        });
        let mut tasks: Vec<NewTask> = Vec::new();
        for new in seats.chain(ends) {
            if !tasks.iter().any(|task| task.target == new.target && task.kind == new.kind) {
                tasks.push(new);
            }
        }
        tasks
    }

    async fn record(
        &self,
        turnover: &Turnover,
        landed: Landed,
        notes: &[Note],
        progress: &Progress,
    ) -> Result<Answer, Stop> {
        let now = self.inner.clock.now();
        let Landed { links, tasks, grants, membership } = landed;
        let several_orgs = progress.scene.orgs_with_users()?.len() > 1;
        let resource = turnover.wanted.clone().or_else(|| {
            // Somebody who still has an access is not forgotten.
            let mut body = turnover.current.clone()?;
            body.set_active(false);
            Some(body)
        });
        let Shown { body, asked } = shown(&resource.unwrap_or_default(), &grants, several_orgs);
        let is_owed = |task: &NewTask| task.kind == TaskKind::Removal;
        let all_left = progress.failed.is_empty() && !tasks.iter().any(is_owed);
        let (becomes, result, status) = resource_write(turnover, all_left, &body, asked.as_ref())?;
        let links = match &becomes {
            ResourceWrite::Delete { .. } => Vec::new(),
            _ => links,
        };
        let failed = progress.failed.values().find(|failure| failure.required);
        let fields = progress.wrote.iter().flat_map(|(target, fields)| audited(target, fields));
        let intruders = progress.intruders.iter().cloned().map(GrantWrite::Set);
        // Held until it is recorded: nobody may open the change again meanwhile.
        let mut entry = self.entry.lock().await;
        let record = Record {
            change: (*entry == Entry::Open).then(|| self.change.clone()),
            tenant: self.caller.tenant.clone(),
            kind: self.request.kind,
            resource: self.id.clone(),
            write: becomes,
            links,
            grants: intruders.chain(progress.ledger.values().cloned()).collect(),
            memberships: membership.into_iter().collect(),
            asked: asked.clone(),
            tasks: Some(tasks),
            audit: AuditEntry {
                client: self.caller.client.clone(),
                action: action(&self.request.operation).to_owned(),
                fields: fields.collect(),
                notes: notes.iter().map(|note| note.code.to_string()).collect(),
                grants: progress.ledger.values().map(audited_grant).collect(),
                consents: Vec::new(),
                mapping: Some(progress.scene.tenant.mapping.fingerprint().to_owned()),
            },
            outcome: ChangeOutcome {
                result: result.to_owned(),
                status,
                reason: failed.map(|failure| reason_of(&failure.error)),
                detail: failed.map(|failure| failure.error.to_string()),
                ..ChangeOutcome::default()
            },
            // One who hears of a failure has not heard of what landed: an equal request finds it.
            answered: self.is_awaited() && failed.is_none(),
            at: now,
        };
        let version = match self.inner.store.record(record).await? {
            Recorded::Recorded(version) => {
                *entry = Entry::Ended;
                version
            }
            Recorded::Stale => return Err(Stop::Again),
            Recorded::UserNameTaken { .. } => {
                let taken = ProvisionError::Taken { kind: self.request.kind, attribute: "userName" };
                return Err(Stop::Fail(taken));
            }
        };
        if turnover.wanted.is_none() {
            return Ok(Answer::Deleted(notes.iter().map(warning).collect()));
        }
        let before = turnover.stored.as_ref();
        let changed = before.is_none_or(|before| before.version != version);
        let resource = StoredResource {
            kind: self.request.kind,
            id: self.id.clone(),
            version,
            created: before.map_or(now, |before| before.created),
            modified: before.filter(|_| !changed).map_or(now, |before| before.modified),
            pending: false,
            body: text(&body)?,
            asked,
            groups: turnover.groups.clone(),
            members: Vec::new(),
            stands_for: None,
        };
        let failures = progress.failed.iter().map(|(target, failure)| failed_warning(target, failure));
        let warnings = notes.iter().map(warning).chain(failures).chain(about_grants(progress)).collect();
        Ok(self.success(Written { resource, warnings, changed }))
    }

    fn success(&self, written: Written) -> Answer {
        match self.wish {
            Wish::Create(_) => Answer::Created(written),
            Wish::Delete => Answer::Deleted(written.warnings),
            Wish::Replace(_) | Wish::Patch(_) | Wish::Keep => Answer::Updated(written),
        }
    }
}

/// What is recorded beside the resource.
struct Landed {
    links: Vec<LinkWrite>,
    tasks: Vec<NewTask>,
    /// Every row of the ledger as it is from now on.
    grants: Vec<Grant>,
    membership: Option<MembershipWrite>,
}

/// Every row of the identity's ledger, as it is from now on.
fn grants_after(turnover: &Turnover, progress: &Progress) -> Vec<Grant> {
    let mut grants = progress.whole_ledger(&turnover.grants);
    grants.sort_by(|a, b| (&a.of, &a.org, &a.target).cmp(&(&b.of, &b.org, &b.target)));
    grants
}

fn is_granted(write: &GrantWrite) -> bool {
    matches!(write, GrantWrite::Set(grant) if grant.state.is_held() && grant.asked.iter().any(|ask| ask.by != AskedBy::Default))
}

/// A row of the ledger, as the audit has it.
fn audited_grant(write: &GrantWrite) -> String {
    match write {
        GrantWrite::Set(grant) => {
            let asked: Vec<String> = grant.asked.iter().map(|ask| ask.by.to_string()).collect();
            let by = if asked.is_empty() { String::new() } else { format!(" ({})", asked.join("; ")) };
            format!("{} {} {}{by}", grant.state.as_str(), grant.target, grant.of)
        }
        GrantWrite::End { of, why, .. } => format!("ended {of} ({why})"),
    }
}

/// What the caller is to know of grants that are not there.
fn about_grants(progress: &Progress) -> impl Iterator<Item = Warning> {
    let warning = |code: &str, detail: String| Warning {
        code: code.to_owned(),
        attribute: Some("entitlements".to_owned()),
        detail,
    };
    let refused = progress.not_granted.iter().map(move |((target, _), not)| {
        warning("grant-refused", format!("target {target}: `{}` was not given: {}", not.name, not.error))
    });
    let awaited = progress.seats_awaited.iter().map(move |(target, _, why)| {
        warning(
            "seat-awaited",
            format!("target {target}: {why}; it comes when a seat is free: see `gangway tasks`"),
        )
    });
    refused.chain(awaited)
}

/// What the caller is to know.
pub(super) fn notes(stage: Stage, progress: &mut Progress) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let said = std::mem::take(&mut progress.said);
    for (target, note) in said.into_iter().chain(stage.notes) {
        let wrote = progress.wrote.get(&target).is_some_and(|fields| fields.contains_key(&note.field));
        if (wrote || is_always_said(&note)) && !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// The answer where a required target did not get there and others did.
fn partly(progress: &mut Progress) -> Option<ProvisionError> {
    if !progress.failed.values().any(|failure| failure.required) {
        return None;
    }
    let landed = progress.wrote.keys().cloned().collect();
    let failed = std::mem::take(&mut progress.failed);
    let failed = failed.into_iter().map(|(target, failure)| (target, Box::new(failure.error))).collect();
    Some(ProvisionError::Partly { landed, failed })
}

fn not_adopted() -> ProvisionError {
    ProvisionError::Invalid(scim_types::Error::bad_request(
        scim_types::ScimType::InvalidValue,
        "the record is not there, or the identity holds no target for its object: nothing was adopted",
    ))
}

/// Targets that have got their record by this change. A link that an earlier stage has made is in the store already; then a look
/// for its record, or the one who named it, tells.
fn newly_linked(turnover: &Turnover, progress: &Progress) -> Vec<TargetName> {
    let is_linked = |target: &&TargetName| progress.landed.get(*target).is_some_and(Option::is_some);
    let is_new = |target: &&TargetName| {
        let was_there = turnover.links.iter().any(|link| link.target == **target);
        !was_there || progress.sights.contains_key(*target) || progress.named.contains_key(*target)
    };
    progress.landed.keys().filter(is_linked).filter(is_new).cloned().collect()
}

fn audited(target: &TargetName, fields: &Fields) -> Vec<String> {
    fields.keys().map(|field| format!("{target}.{field}")).collect()
}

/// Why, as it is kept: codes and names of fields, no values.
pub(crate) fn reason_of(error: &ProvisionError) -> String {
    super::journal::outcome_of(error).reason.unwrap_or_else(|| "it could not be done".to_owned())
}

/// What a repeated request hears of what is still owed.
pub(super) fn owed(task: &store::Task) -> Warning {
    let detail =
        format!("target {}: {}; it is tried again by itself: see `gangway tasks`", task.target, task.reason);
    let code = match task.kind {
        TaskKind::Reference { .. } => "record-awaited",
        TaskKind::Deactivation => "deactivation-blocked",
        TaskKind::Seat { .. } => "seat-awaited",
        TaskKind::Expiry { .. } => "grant-ends",
        TaskKind::HandOver => "hand-over",
        TaskKind::Target | TaskKind::Removal => "target-failed",
    };
    Warning { code: code.to_owned(), attribute: None, detail }
}

fn failed_warning(target: &TargetName, failure: &Failure) -> Warning {
    let then = if failure.is_tried_again { "; it is tried again by itself: see `gangway tasks`" } else { "" };
    Warning {
        code: "target-failed".to_owned(),
        attribute: None,
        detail: format!("target {target}: {}{then}", failure.error),
    }
}

/// What becomes of the resource, with the word and the status of it.
fn resource_write(
    turnover: &Turnover,
    all_left: bool,
    body: &Resource,
    asked: Option<&String>,
) -> Result<(ResourceWrite, &'static str, u16), Stop> {
    Ok(match (&turnover.wanted, &turnover.stored) {
        (Some(_), None) => (ResourceWrite::Create(body.clone()), "created", 201),
        (Some(_), Some(stored)) if stored.asked.as_ref() == asked && body_of(stored)? == *body => {
            (ResourceWrite::Keep, "updated", 200)
        }
        (None, Some(stored)) if all_left => {
            (ResourceWrite::Delete { expected: stored.version }, "deleted", 204)
        }
        // What was said before, and is still not done.
        (None, Some(stored)) if stored.asked.as_ref() == asked && body_of(stored)? == *body => {
            (ResourceWrite::Keep, "updated", 200)
        }
        (_, Some(stored)) => {
            let body = body.clone();
            (ResourceWrite::Replace { expected: stored.version, body }, "updated", 200)
        }
        (None, None) => (ResourceWrite::Keep, "deleted", 204),
    })
}

/// The audit's word for an operation.
pub(crate) fn action(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create(_) => "create",
        Operation::Replace(_) => "replace",
        Operation::Patch(_) => "patch",
        Operation::Delete => "delete",
        Operation::Resync | Operation::Attempt(_) => "resync",
        Operation::Adopt(_) => "adopt",
        Operation::Forget(_) => "forget",
        Operation::Apply(_) => "apply",
        Operation::Regroup(_) => "regroup",
    }
}

/// The body as it is stored.
fn text(resource: &Resource) -> Result<String, ProvisionError> {
    serde_json::to_string(resource)
        .map_err(|error| ProvisionError::Misconfigured(format!("a resource cannot be written: {error}")))
}

fn warning(note: &Note) -> Warning {
    Warning { code: note.code.to_string(), attribute: note.attribute.clone(), detail: note.detail.clone() }
}
