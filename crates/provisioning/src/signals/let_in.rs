//! Letting in again whom a signal has frozen, and nobody else.

use model::{OrgName, ResourceKind};
use planning::Frozen;
use salesforce_types::{Link, RecordId, Step};
use serde_json::Value;
use store::{LinkWrite, Lockout, LockoutKey, TaskKind};

use super::{
    Meant, NO_LOGIN, Signalled, Whose, Work,
    find::{Found, Protection},
    lock_out::{FROZEN, Landed, frozen},
    order::{Told, named},
};
use crate::ProvisionError;

/// What the ids of Users begin with.
const OF_USERS: &str = "005";

/// Nothing was frozen by this source.
const NOT_FROZEN: Signalled = Signalled::Already("not-frozen-by-a-signal");

/// He could not be frozen, and SCIM or a person decides who is active.
const STAYS_DEACTIVATED: &str = "not let in again: the User was deactivated, because he had no login record to freeze. Activate him, \
                                 and retry or dismiss this";

impl Work<'_> {
    pub(super) async fn let_in(&self) -> Result<Signalled, ProvisionError> {
        let users = self.users().await?;
        if users.is_empty() && self.told(Told::Deactivated, &self.subject).await?.is_some() {
            return Ok(Signalled::Impossible(STAYS_DEACTIVATED.to_owned()));
        }
        let (mut notes, mut stale) = (Vec::new(), 0);
        for (org, user) in &users {
            let name = named(org, user);
            let _turn = self.signal_turn(&name).await;
            if self.is_out_of_date(&name).await? {
                stale += 1;
                continue;
            }
            let key = self.key(org, user);
            let open = self.inner.store.lockouts_on(org, user).await?;
            if let Some(lockout) = open.into_iter().find(|open| open.key == key) {
                match self.open_door(&lockout).await? {
                    Ok(note) => notes.push(note),
                    Err(refusal) => return Ok(Signalled::Impossible(refusal)),
                }
            }
            self.remember(Told::In, &name).await?;
        }
        Ok(if !notes.is_empty() {
            Signalled::Done(notes.join("; "))
        } else if stale > 0 {
            Signalled::Stale
        } else {
            NOT_FROZEN
        })
    }

    /// Who is meant: whom this source keeps out under the same name, or else the User that the name stands for.
    async fn users(&self) -> Result<Vec<(OrgName, RecordId)>, ProvisionError> {
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        let mut known = self.inner.store.lockouts_of(tenant, source, &self.subject).await?;
        // Leads and Contacts log in nowhere: theirs are those of a purge under way.
        known.retain(|open| open.key.user.prefix() == OF_USERS);
        if !known.is_empty() {
            return Ok(known.into_iter().map(|open| (open.key.org, open.key.user)).collect());
        }
        let Found::Users(users) = self.find().await? else { return Ok(Vec::new()) };
        Ok(users.into_iter().map(|meant| (meant.org.name().clone(), meant.user)).collect())
    }

    /// Ends one lockout. The inner error is Salesforce's refusal: the User stays locked out, and it is remembered that he is.
    async fn open_door(&self, lockout: &Lockout) -> Result<Result<String, String>, ProvisionError> {
        let LockoutKey { org, user, .. } = &lockout.key;
        let Some(org) = self.inner.world().orgs.get(org).cloned() else {
            return Err(ProvisionError::Misconfigured(format!("the org {org} is not configured")));
        };
        let identities = self.whose(org.name(), user).await?;
        // Whoever leaves while his door is opened: one after the other.
        let mut turns = Vec::new();
        for Whose { tenant, id } in &identities {
            turns.push(self.inner.turns.enter(format!("{tenant}/{id}")).await);
        }
        let _login = self.login_turn(org.name(), user).await;
        let meant = Meant { org, user: user.clone(), protected: Protection::None, identities };
        if self.is_kept_out_by_others(lockout).await? {
            let note = "still frozen: another source keeps him out".to_owned();
            self.audit(&meant.identities, &[], &note).await?;
            self.inner.store.end_lockout(&lockout.key, self.inner.clock.now()).await?;
            return Ok(Ok(note));
        }
        let links = self.links(&meant).await?;
        let mut leavers = Vec::new();
        for (whose, link) in &links {
            if self.leaves(whose, link).await? {
                leavers.push((whose, link.clone()));
            }
        }
        if !leavers.is_empty() {
            return self.leave_to_the_leaver(leavers, lockout).await.map(Ok);
        }
        self.unfreeze(&meant, links, lockout).await
    }

    /// Nobody else keeps him out.
    async fn unfreeze(
        &self,
        meant: &Meant,
        links: Vec<(Whose, Link)>,
        lockout: &Lockout,
    ) -> Result<Result<String, String>, ProvisionError> {
        let ticket = self.ticket(&meant.identities);
        let (is_ours, note) = match frozen(meant, &ticket).await? {
            Frozen::ByGangway => (true, "not frozen any more"),
            // An administrator may have let him in and frozen him again since.
            Frozen::BySomebody => (false, "still frozen: somebody else has frozen him"),
            Frozen::No | Frozen::Never => (lockout.done.is_some(), "not frozen any more"),
        };
        let mut note = note.to_owned();
        if is_ours {
            let step = Step::Freeze { user: meant.user.clone(), frozen: false };
            match self.send(meant, step, &ticket).await? {
                Landed::Done => "let in again".clone_into(&mut note),
                Landed::There => {}
                // Whoever has no login record cannot be frozen either.
                Landed::Refused(refusal) if refusal.code == NO_LOGIN => {
                    "there is no login record any more".clone_into(&mut note);
                }
                Landed::Refused(refusal) => {
                    let why = format!("not let in again: {}", refusal.code);
                    self.audit(&meant.identities, &[], &why).await?;
                    return Ok(Err(format!("not let in again: {} {}", refusal.code, refusal.message)));
                }
            }
        }
        for (whose, link) in links {
            let is_known_frozen = is_ours && (link.froze || link.frozen);
            let let_in = Link { froze: false, frozen: false, ..link };
            let links = if is_known_frozen { vec![LinkWrite::Set(let_in)] } else { Vec::new() };
            self.audit_one(&whose, &[FROZEN], &note, links).await?;
        }
        self.inner.store.end_lockout(&lockout.key, self.inner.clock.now()).await?;
        Ok(Ok(note))
    }

    async fn is_kept_out_by_others(&self, lockout: &Lockout) -> Result<bool, ProvisionError> {
        let open = self.inner.store.lockouts_on(&lockout.key.org, &lockout.key.user).await?;
        Ok(open.iter().any(|open| open.key != lockout.key))
    }

    /// The links to the User.
    pub(super) async fn links(&self, meant: &Meant) -> Result<Vec<(Whose, Link)>, ProvisionError> {
        let mut found = Vec::new();
        for whose in &meant.identities {
            found.extend(self.link_to(whose, meant).await?.map(|link| (whose.clone(), link)));
        }
        Ok(found)
    }

    /// Whether SCIM or HR do not want somebody in: he is inactive, or on his way out.
    async fn leaves(&self, Whose { tenant, id }: &Whose, link: &Link) -> Result<bool, ProvisionError> {
        let resource = self.inner.store.get(tenant, ResourceKind::User, id.as_str()).await?;
        let Some(resource) = resource else { return Ok(true) };
        let is_out = match resource.attributes()?.get("active") {
            Some(active) => *active == Value::Bool(false),
            // Nothing is said any more: who was locked out stays so.
            None => link.froze,
        };
        let tasks = self.inner.store.tasks_of(tenant, id).await?;
        let is_owed = |kind: &TaskKind| matches!(kind, TaskKind::Deactivation | TaskKind::Removal);
        let is_owed = tasks.iter().any(|task| task.target == link.target && is_owed(&task.kind));
        Ok(is_out || is_owed || link.left)
    }

    /// The freeze stays, and is the leaver's from now on: it ends when he is back.
    async fn leave_to_the_leaver(
        &self,
        leavers: Vec<(&Whose, Link)>,
        lockout: &Lockout,
    ) -> Result<String, ProvisionError> {
        let note = "still frozen: the identity is not active".to_owned();
        for (whose, link) in leavers {
            let link = Link { froze: true, frozen: false, ..link };
            self.audit_one(whose, &[], &note, vec![LinkWrite::Set(link)]).await?;
        }
        self.inner.store.end_lockout(&lockout.key, self.inner.clock.now()).await?;
        Ok(note)
    }
}
