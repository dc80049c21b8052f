//! Somebody leaves, or is back: what came of freezing him, what keeps his User active, and what is owed because of that.

use model::TargetName;
use planning::{Aim, Found, Frozen, Origin};
use salesforce_client::{CallError, Org, Purpose, Ticket, soql};
use salesforce_types::{Blocker, Fields, Link, PlannedStep, RecordId, Refusal, Step, StepOutcome, blockers};
use scim_types::Resource;
use serde_json::Value;
use store::{NewTask, Task, TaskKind};
use translation::NoteCode;

use super::{
    Progress, Stop, UserChange,
    act::Chosen,
    round::{Round, Turnover, call_failed, note},
    scene::Bound,
};
use crate::{
    ProvisionError,
    signals::{NO_LOGIN, let_in_by_hand},
    tasks,
};

impl Progress {
    /// Whether the User of a target is frozen, as far as is known now.
    pub(super) fn frozen_of(&self, target: &TargetName, aim: &Aim<'_>) -> Frozen {
        if let Some(known) = self.frozen.get(target) {
            return *known;
        }
        match aim {
            // What somebody else has frozen may be let in again since it was looked at: that is learnt by freezing it.
            Aim::Hold(Origin::Linked(link)) | Aim::Leave(link) if link.froze => Frozen::ByGangway,
            _ => Frozen::No,
        }
    }

    /// The link with what this change has learnt of its access.
    pub(super) fn with_access(&self, mut link: Link) -> Link {
        if let Some(known) = self.frozen.get(&link.target) {
            link.froze = *known == Frozen::ByGangway;
            link.frozen = *known == Frozen::BySomebody;
        }
        link
    }

    /// What the caller is to know of Users that Salesforce keeps active.
    pub(super) fn say_blocked(&mut self, turnover: &Turnover) {
        let links = self.links(&turnover.links);
        for (target, found) in &self.blocked {
            let link = links.iter().find(|link| link.target == *target);
            let state = match link {
                Some(link) if link.froze || link.frozen => "he is frozen, and",
                _ => "he could not be frozen either; he",
            };
            let detail = format!(
                "Salesforce keeps the User active: {}; {state} is deactivated by himself when that is changed: see `gangway tasks`",
                in_words(found)
            );
            self.said.push(note(target, NoteCode::DeactivationBlocked, &detail));
        }
    }

    /// The targets whose records somebody else gets now, or is getting.
    pub(super) fn handed_over(&self, turnover: &Turnover, open: &[Task]) -> Vec<TargetName> {
        let targets = &self.scene.tenant.mapping.targets;
        let links = self.links(&turnover.links);
        let is_due = |link: &&Link| {
            let asks = targets.iter().any(|target| target.name == link.target && target.hand_over.is_some());
            let is_out = link.left || link.froze || link.written.get("IsActive") == Some(&Value::Bool(false));
            let wrote = self.wrote.get(&link.target).and_then(|fields| fields.get("IsActive"));
            let is_new = self.is_resumed
                || wrote == Some(&Value::Bool(false))
                || self.frozen.get(&link.target) == Some(&Frozen::ByGangway);
            let is_open =
                open.iter().any(|open| open.kind == TaskKind::HandOver && open.target == link.target);
            asks && is_out && (is_new || is_open)
        };
        links
            .iter()
            .filter(|link| link.object == "User")
            .filter(is_due)
            .map(|link| link.target.clone())
            .collect()
    }
}

impl UserChange {
    /// What came of the freezes that go with another step.
    pub(super) async fn after_freezes(
        &self,
        round: &Round<'_>,
        freezes: &[&PlannedStep],
        outcomes: Vec<StepOutcome>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut ended = Ok(());
        for (planned, outcome) in freezes.iter().zip(outcomes) {
            match outcome {
                StepOutcome::Refused(refusal) => {
                    if !learn_of_freeze(planned, &refusal, progress) {
                        let bound = round.bounds.iter().find(|bound| *bound.name() == planned.target);
                        let bound = bound.expect("steps are of these targets");
                        let (org, refusal) = (planned.org.clone(), Box::new(refusal));
                        let error = ProvisionError::Refused { org, refusal, attributes: Vec::new() };
                        ended = ended.and(self.target_failed(bound, error.into(), progress));
                    }
                }
                StepOutcome::Unknown { .. } => {
                    progress.unsure.get_or_insert_default().steps.push((*planned).clone());
                    progress.was_unsure = true;
                    self.ticket.commit();
                }
                // Who is deactivated needs no freeze any more; else the next round sends it again.
                StepOutcome::NotSent { .. } => {}
                StepOutcome::Done { .. } | StepOutcome::There => {
                    let bound = round.bounds.iter().find(|bound| *bound.name() == planned.target);
                    let bound = bound.expect("steps are of these targets");
                    ended = ended.and(self.login_landed(bound, planned, &outcome, progress).await);
                }
            }
            // Also where the step that leads is refused: what is frozen is known to be so.
            let links = progress.links(&round.turnover.links);
            if let Some(link) = links.into_iter().find(|link| link.target == planned.target) {
                progress.land(link);
            }
        }
        ended
    }

    /// What a refusal says of locking somebody out. `None`: the step was about something else.
    pub(super) fn learn_of_lockout(
        &self,
        chosen: &Chosen,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Option<bool> {
        match &chosen.planned.step {
            Step::Freeze { .. } if refusal.code == NO_LOGIN => {
                Some(learn_of_freeze(&chosen.planned, refusal, progress))
            }
            Step::Update { object, fields, .. }
                if object == "User" && fields.get("IsActive") == Some(&Value::Bool(false)) =>
            {
                let found = blockers(refusal, fields.len() == 1);
                if found.is_empty() {
                    return None;
                }
                let names: Vec<&str> = found.iter().map(|blocker| blocker.what).collect();
                tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, mapping.target = %chosen.target, blockers = names.join(" "), "Salesforce keeps a User active for now");
                progress.blocked.insert(chosen.target.clone(), found);
                Some(true)
            }
            _ => None,
        }
    }

    /// Whether a freeze of unknown end has landed. It is ours where the integration user was the last to touch the login
    /// record.
    pub(super) async fn read_back_freeze(
        &self,
        bound: &Bound<'_>,
        user: &RecordId,
        frozen: bool,
        links: &[Link],
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let known = self.login_of(bound, user).await?;
        if (known == Frozen::No) == frozen {
            return Ok(());
        }
        progress.frozen.insert(bound.name().clone(), known);
        progress.note_written(bound.name(), &Fields::new());
        if !frozen {
            self.keep_out(bound, user, progress).await?;
        }
        if let Some(link) = links.iter().find(|link| link.target == *bound.name()) {
            progress.land(link.clone());
        }
        Ok(())
    }

    /// A User that is adopted may be frozen. An identity that is gone may have been locked out by Gangway, which lets in again whom
    /// it has frozen. Whom a signal keeps out is not let in: that is the signal's source to take back, or an administrator's.
    pub(super) async fn see_login(
        &self,
        bound: &Bound<'_>,
        aim: &Aim<'_>,
        active: bool,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        if bound.target.object != "User" || progress.frozen.contains_key(bound.name()) {
            return Ok(());
        }
        match (aim, progress.found(bound.name())) {
            (Aim::Hold(Origin::Unknown(_) | Origin::Named(_)), Found::Records(found)) => {
                let [one] = found.as_slice() else { return Ok(()) };
                if !one.protected {
                    let user = one.id.clone();
                    let known = self.access_of(bound, &user, progress.dry).await?;
                    progress.frozen.insert(bound.name().clone(), known);
                }
            }
            (Aim::Hold(Origin::Linked(link)), _) if active && link.froze => {
                let user = &link.record_id;
                if self.inner.store.lockouts_on(bound.org.name(), user).await?.is_empty() {
                    return Ok(());
                }
                let known = self.access_of(bound, user, progress.dry).await?;
                progress.frozen.insert(bound.name().clone(), known);
                progress.land((*link).clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a User is frozen, and whether that is SCIM's to take back. `dry`: nothing is to be remembered.
    async fn access_of(&self, bound: &Bound<'_>, user: &RecordId, dry: bool) -> Result<Frozen, Stop> {
        let org = bound.org.name();
        Ok(match self.login_of(bound, user).await? {
            Frozen::ByGangway if !self.inner.store.lockouts_on(org, user).await?.is_empty() => {
                Frozen::BySomebody
            }
            Frozen::No if !dry => {
                let_in_by_hand(&self.inner, org, user).await?;
                Frozen::No
            }
            known => known,
        })
    }

    /// A step that freezes or lets in again has landed.
    pub(super) async fn login_landed(
        &self,
        bound: &Bound<'_>,
        planned: &PlannedStep,
        outcome: &StepOutcome,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        note_freeze(planned, outcome, progress);
        match (&planned.step, outcome) {
            (Step::Freeze { user, frozen: false }, _) => self.keep_out(bound, user, progress).await,
            // He was not frozen, whatever signals there have been.
            (Step::Freeze { user, .. }, StepOutcome::Done { .. }) => {
                Ok(let_in_by_hand(&self.inner, bound.org.name(), user).await?)
            }
            _ => Ok(()),
        }
    }

    /// A signal may have come while somebody was let in again: then he is frozen after all.
    async fn keep_out(
        &self,
        bound: &Bound<'_>,
        user: &RecordId,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        if self.inner.store.lockouts_on(bound.org.name(), user).await?.is_empty() {
            return Ok(());
        }
        let step = Step::Freeze { user: user.clone(), frozen: true };
        let outcome = bound.org.act(&[step], &self.ticket).await.pop();
        let (known, ended) = match outcome.expect("each step has an outcome") {
            StepOutcome::Done { .. } | StepOutcome::There => (Frozen::BySomebody, Ok(())),
            StepOutcome::Refused(refusal) => {
                tracing::error!(tenant = %self.caller.tenant, change.id = %self.change, code = refusal.code, "a User whom a signal has locked out could not be frozen again");
                (Frozen::No, Ok(()))
            }
            // He counts as frozen, so that the next round comes here again.
            StepOutcome::Unknown { why } | StepOutcome::NotSent { why, .. } => {
                (Frozen::ByGangway, Err(Stop::Stalled { why, retry_after: None }))
            }
        };
        progress.frozen.insert(bound.name().clone(), known);
        ended
    }

    /// Whether a User is frozen. By Gangway, where the integration user was the last to touch its login record.
    pub(super) async fn login_of(&self, bound: &Bound<'_>, user: &RecordId) -> Result<Frozen, Stop> {
        frozen_by(bound.org, user, &self.ticket).await.map_err(call_failed)
    }

    /// Whoever is frozen and still active goes on with the sessions that he has: they are ended, as far as the integration user
    /// may. Deactivating a User ends them too. Answers where that could not be done: it is owed.
    pub(super) async fn end_sessions(
        &self,
        turnover: &Turnover,
        open: &[Task],
        progress: &Progress,
    ) -> Vec<(TargetName, CallError)> {
        let Ok(bounds) = progress.scene.bind() else { return Vec::new() };
        let is_out = turnover.wanted.as_ref().is_none_or(|wanted| !wanted.active());
        let is_due = |link: &&Link| {
            let is_new =
                matches!(progress.frozen.get(&link.target), Some(Frozen::ByGangway | Frozen::BySomebody));
            let is_owed = open.iter().any(|open| open.target == link.target && open.kind == TaskKind::Target);
            is_online(link)
                && (link.froze || is_out || link.left)
                && (is_new || is_owed || progress.is_resumed)
        };
        let mut owed = Vec::new();
        for link in progress.links(&turnover.links).iter().filter(is_due) {
            let Some(bound) = bounds.iter().find(|bound| *bound.name() == link.target) else { continue };
            let purpose = Purpose::read_back(&self.ticket);
            if let Err(error) = bound.org.end_sessions(&link.record_id, purpose).await {
                tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, mapping.target = %link.target, %error, "the sessions of a frozen User could not be ended");
                owed.push((link.target.clone(), error));
            }
        }
        owed
    }

    /// The targets whose User is to be deactivated although SCIM says nothing of `active` any more: where somebody else has
    /// frozen him, only the task that is owed shows that he has left.
    pub(super) async fn leaving(
        &self,
        wanted: Option<&Resource>,
        links: &[Link],
    ) -> Result<Vec<TargetName>, Stop> {
        let says_nothing = wanted.is_some_and(|wanted| wanted.get("active").is_none());
        if !says_nothing || !links.iter().any(|link| link.frozen && is_online(link)) {
            return Ok(Vec::new());
        }
        let open = self.inner.store.tasks_of(&self.caller.tenant, &self.id).await?;
        let open = open.into_iter().filter(|open| open.kind == TaskKind::Deactivation);
        Ok(open.map(|open| open.target).collect())
    }

    /// The tasks that there are, where what is owed depends on them.
    pub(super) async fn open_tasks(
        &self,
        turnover: &Turnover,
        progress: &Progress,
    ) -> Result<Vec<Task>, Stop> {
        let hands_over = |target: &translation::Target| target.hand_over.is_some();
        let asks = progress.scene.tenant.mapping.targets.iter().any(hands_over)
            || progress.links(&turnover.links).iter().any(is_online);
        if turnover.stored.is_none() || !(asks || self.asks_for_nothing()) {
            return Ok(Vec::new());
        }
        Ok(self.inner.store.tasks_of(&self.caller.tenant, &self.id).await?)
    }

    /// What is owed of leavers: deactivations that Salesforce does not take yet, and records that go to somebody else. `open`
    /// are the tasks that there are, `online` those who may go on with their sessions.
    pub(super) fn leaver_tasks(
        &self,
        turnover: &Turnover,
        open: &[Task],
        online: &[(TargetName, CallError)],
        progress: &Progress,
    ) -> Vec<NewTask> {
        let now = self.inner.clock.now();
        let mut tasks: Vec<NewTask> = Vec::new();
        for (target, found) in &progress.blocked {
            tasks.push(self.task(target, TaskKind::Deactivation, in_words(found), tasks::first_try(now)));
            if turnover.wanted.is_none() {
                // Each attempt at the deactivation is the DELETE.
                let reason = "the User is still active".to_owned();
                tasks.push(self.task(target, TaskKind::Removal, reason, tasks::look_anyway(now)));
            }
        }
        for (target, error) in online {
            let reason = format!("the sessions of the frozen User could not be ended: {}", in_short(error));
            tasks.push(self.task(target, TaskKind::Target, reason, tasks::first_try(now)));
            if turnover.wanted.is_none() && !progress.blocked.contains_key(target) {
                // So is each attempt at these.
                let reason = "the sessions of the User are not ended yet".to_owned();
                tasks.push(self.task(target, TaskKind::Removal, reason, tasks::look_anyway(now)));
            }
        }
        for target in progress.handed_over(turnover, open) {
            let known = open.iter().find(|open| open.kind == TaskKind::HandOver && open.target == target);
            let reason = known.map_or_else(
                || "what he owns goes to somebody else".to_owned(),
                |known| known.reason.clone(),
            );
            tasks.push(self.task(&target, TaskKind::HandOver, reason, now));
            let is_kept = |task: &NewTask| task.kind == TaskKind::Removal && task.target == target;
            if turnover.wanted.is_none() && !tasks.iter().any(is_kept) {
                let reason = "his records are handed over first".to_owned();
                tasks.push(self.task(&target, TaskKind::Removal, reason, tasks::first_try(now)));
            }
        }
        tasks
    }
}

/// Whether a User is frozen and nothing else: who was logged in goes on.
fn is_online(link: &Link) -> bool {
    (link.froze || link.frozen) && link.written.get("IsActive") != Some(&Value::Bool(false))
}

/// Codes alone: what Salesforce says of sessions may name the person.
fn in_short(error: &CallError) -> String {
    match error {
        CallError::Refused(refusal) => refusal.code.clone(),
        error => error.to_string(),
    }
}

/// A step that freezes or lets in again has an end.
pub(super) fn note_freeze(planned: &PlannedStep, outcome: &StepOutcome, progress: &mut Progress) {
    let Step::Freeze { frozen, .. } = planned.step else { return };
    let known = match (frozen, outcome) {
        (true, StepOutcome::Done { .. }) => Frozen::ByGangway,
        (true, _) => Frozen::BySomebody,
        (false, _) => Frozen::No,
    };
    progress.frozen.insert(planned.target.clone(), known);
    progress.note_written(&planned.target, &Fields::new());
}

/// A freeze that is refused keeps nobody from being deactivated. `false`: somebody is to be let in, and is not.
fn learn_of_freeze(planned: &PlannedStep, refusal: &Refusal, progress: &mut Progress) -> bool {
    let Step::Freeze { frozen, .. } = planned.step else { return false };
    if !frozen && refusal.code != NO_LOGIN {
        return false;
    }
    let known = if frozen { Frozen::Never } else { Frozen::No };
    progress.frozen.insert(planned.target.clone(), known);
    true
}

/// What stands in the way and where it is changed. Salesforce's own words only where they are all that there is.
fn in_words(found: &[Blocker]) -> String {
    let words = found.iter().map(|blocker| match blocker.place {
        "" => format!("{}: \"{}\" ({})", blocker.what, blocker.words, blocker.remedy),
        place => format!("{}: {place} ({})", blocker.what, blocker.remedy),
    });
    words.collect::<Vec<_>>().join("; ")
}

/// Whether a User is frozen, and by whom: by Gangway, where the integration user was the last to touch its login record. One
/// query.
pub(crate) async fn frozen_by(org: &Org, user: &RecordId, ticket: &Ticket) -> Result<Frozen, CallError> {
    let of_user = soql::Condition::eq("UserId", user).expect("this is a name");
    let query = soql::Query::select("UserLogin", &["IsFrozen", "LastModifiedById"]);
    let query = query.expect("these are names").where_(of_user);
    let rows = org.query(&query, Purpose::read_back(ticket)).await?;
    let Some(row) = rows.first().filter(|row| row.get("IsFrozen") == Some(&Value::Bool(true))) else {
        return Ok(Frozen::No);
    };
    let by = row.get("LastModifiedById").and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok());
    let us = org.identity().await?.user_id;
    Ok(if by == Some(us) { Frozen::ByGangway } else { Frozen::BySomebody })
}
