//! Letting in again whom a signal has frozen, and nobody else.

use model::{ResourceId, ResourceKind};
use salesforce_types::{Link, Step};
use serde_json::Value;
use store::{LinkWrite, Lockout, LockoutKey, TaskKind};

use super::{
    Meant, Signalled, Work,
    find::{Found, Protection},
    lock_out::{FROZEN, Landed, NO_LOGIN, frozen_by_us},
};
use crate::ProvisionError;

/// Nothing was frozen by this source.
const NOT_FROZEN: Signalled = Signalled::Already("not-frozen-by-a-signal");

impl Work<'_> {
    pub(super) async fn let_in(&self) -> Result<Signalled, ProvisionError> {
        let mut notes = Vec::new();
        for lockout in self.lockouts().await? {
            match self.open_door(&lockout).await? {
                Ok(note) => notes.push(note),
                Err(refusal) => return Ok(Signalled::Impossible(refusal)),
            }
        }
        Ok(if notes.is_empty() { NOT_FROZEN } else { Signalled::Done(notes.join("; ")) })
    }

    /// The lockouts of the person by this source: under the same name, or else of the User that the name stands for.
    async fn lockouts(&self) -> Result<Vec<Lockout>, ProvisionError> {
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        let known = self.inner.store.lockouts_of(tenant, source, &self.subject).await?;
        if !known.is_empty() {
            return Ok(known);
        }
        let Found::Users(users) = self.find().await? else { return Ok(Vec::new()) };
        let mut lockouts = Vec::new();
        for meant in &users {
            let open = self.inner.store.lockout(&self.key(meant)).await?;
            lockouts.extend(open.filter(|open| open.source == *source));
        }
        Ok(lockouts)
    }

    /// Ends one lockout. The inner error is Salesforce's refusal: the User stays locked out, and it is remembered that he is.
    async fn open_door(&self, lockout: &Lockout) -> Result<Result<String, String>, ProvisionError> {
        let LockoutKey { tenant, org, user } = &lockout.key;
        let Some(org) = self.inner.world().orgs.get(org).cloned() else {
            return Err(ProvisionError::Misconfigured(format!("the org {org} is not configured")));
        };
        let identity = self.inner.store.linked_in(tenant, org.name(), user).await?;
        // Whoever leaves while his door is opened: one after the other.
        let _turn = match &identity {
            Some(identity) => Some(self.inner.turns.enter(format!("{tenant}/{identity}")).await),
            None => None,
        };
        if let Some(identity) = &identity
            && let Some(link) = self.link_of_a_leaver(identity, lockout).await?
        {
            return self.leave_to_the_leaver(identity, link, lockout).await.map(Ok);
        }
        let meant = Meant { org, user: user.clone(), protected: Protection::None, identity };
        let ticket = self.ticket(meant.identity.as_ref());
        // One that was begun and never known to have landed may be somebody else's.
        let is_ours = lockout.done.is_some() || frozen_by_us(&meant, &ticket).await?;
        let mut note = "not frozen any more".to_owned();
        if is_ours {
            let step = Step::Freeze { user: user.clone(), frozen: false };
            match self.send(&meant, step, &ticket).await? {
                Landed::Done => "let in again".clone_into(&mut note),
                Landed::There => {}
                // Whoever has no login record cannot be frozen either.
                Landed::Refused(refusal) if refusal.code == NO_LOGIN => {
                    "there is no login record any more".clone_into(&mut note);
                }
                Landed::Refused(refusal) => {
                    let why = format!("not let in again: {}", refusal.code);
                    self.audit(meant.identity.as_ref(), &[], &why, Vec::new()).await?;
                    return Ok(Err(format!("not let in again: {} {}", refusal.code, refusal.message)));
                }
            }
        }
        self.audit(meant.identity.as_ref(), &[FROZEN], &note, Vec::new()).await?;
        self.inner.store.end_lockout(&lockout.key, self.inner.clock.now()).await?;
        Ok(Ok(note))
    }

    /// The link of the User, if SCIM or HR do not want him in: he is inactive, or on his way out.
    async fn link_of_a_leaver(
        &self,
        identity: &ResourceId,
        lockout: &Lockout,
    ) -> Result<Option<Link>, ProvisionError> {
        let tenant = &self.signal.tenant;
        let links = self.inner.store.links(tenant, identity).await?;
        let is_his = |link: &Link| link.org == lockout.key.org && link.record_id == lockout.key.user;
        let Some(link) = links.into_iter().find(is_his) else { return Ok(None) };
        let resource = self.inner.store.get(tenant, ResourceKind::User, identity.as_str()).await?;
        let active = match &resource {
            Some(resource) => resource.attributes()?.get("active") != Some(&Value::Bool(false)),
            None => false,
        };
        let tasks = self.inner.store.tasks_of(tenant, identity).await?;
        let is_owed = |kind: &TaskKind| matches!(kind, TaskKind::Deactivation | TaskKind::Removal);
        let leaves = tasks.iter().any(|task| task.target == link.target && is_owed(&task.kind));
        Ok(Some(link).filter(|link| !active || leaves || link.left || link.froze))
    }

    /// The freeze stays, and is the leaver's from now on: it ends when he is back.
    async fn leave_to_the_leaver(
        &self,
        identity: &ResourceId,
        mut link: Link,
        lockout: &Lockout,
    ) -> Result<String, ProvisionError> {
        link.froze = true;
        link.frozen = false;
        let note = "still frozen: the identity is not active".to_owned();
        self.audit(Some(identity), &[], &note, vec![LinkWrite::Set(link)]).await?;
        self.inner.store.end_lockout(&lockout.key, self.inner.clock.now()).await?;
        Ok(note)
    }
}
