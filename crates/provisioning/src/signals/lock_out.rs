//! A User's sessions end, he is frozen, or he is deactivated.

use jiff::SignedDuration;
use model::{OrgName, ResourceKind, TargetName};
use planning::Frozen;
use salesforce_client::{Purpose, Ticket};
use salesforce_types::{Fields, Link, Manner, RecordId, Refusal, Step, StepOutcome};
use serde_json::{Value, json};
use store::{BegunLockout, LinkWrite, Lockout, LockoutKey, LockoutLimit, StoreError};

use super::{
    Meant, NO_LOGIN, SignalAction, Signalled, TRIED_FOR, Whose, Work,
    find::{Found, Protection},
    is_passing, later, let_in_by_hand, not_asked,
    order::{Told, named},
};
use crate::{
    Caller, Operation, ProvisionError, Request,
    users::{UserChange, frozen_by},
};

/// Sources repeat themselves. What a signal did so short a time ago is not asked of Salesforce again.
const SETTLED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// What a source may do in.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long a lockout that has ended is remembered: longer than it counts.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// What a freeze writes.
pub(super) const FROZEN: &str = "UserLogin.IsFrozen";

/// How far the source's lockout of a User has come.
pub(super) enum Place {
    Begun,
    /// It was done some time ago.
    Done,
    Settled,
    TooMany,
}

/// How often somebody is frozen whom another door lets in at the same moment.
const FREEZES: u32 = 3;

/// What came of a freeze.
enum Freeze {
    Ended(Signalled),
    /// There is no login record that could be frozen.
    NoLogin,
}

/// What a User is once a freeze was sent.
enum Kept {
    /// Frozen by Gangway: for whichever source, as a leaver, or by an earlier try that was cut off.
    ByUs,
    /// Frozen before by somebody else, who decides when that ends.
    BySomebody,
    NoLogin,
    Refused(Refusal),
}

impl Work<'_> {
    pub(super) async fn lock_out(&self) -> Result<Signalled, ProvisionError> {
        if self.signal.action == SignalAction::Freeze && self.was_just_done().await? {
            return Ok(Signalled::Already("frozen-already"));
        }
        let users = match self.find().await? {
            Found::Nobody => return Ok(Signalled::Nobody),
            Found::Several => return Ok(Signalled::Several),
            Found::Users(users) => users,
        };
        let is_kept = |meant: &Meant| match self.signal.action {
            SignalAction::EndSessions => meant.protected == Protection::Untouchable,
            _ => meant.protected != Protection::None,
        };
        if users.iter().any(is_kept) {
            return Ok(Signalled::Protected);
        }
        let mut notes = Vec::new();
        let mut stale = 0;
        for meant in &users {
            let done = match self.signal.action {
                SignalAction::EndSessions => self.only_sessions(meant).await?,
                _ => self.one(meant).await?,
            };
            match done {
                Signalled::Done(note) => notes.push(note),
                Signalled::Already(_) => {}
                Signalled::Stale => stale += 1,
                other => return Ok(other),
            }
        }
        Ok(if stale == users.len() {
            Signalled::Stale
        } else if notes.is_empty() {
            Signalled::Already("locked-out-already")
        } else {
            Signalled::Done(notes.join("; "))
        })
    }

    /// Whether this source has had this person frozen a moment ago, because of the same: then no call is needed.
    async fn was_just_done(&self) -> Result<bool, ProvisionError> {
        if !self.is_repeated(&self.subject).await? {
            return Ok(false);
        }
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        let open = self.inner.store.lockouts_of(tenant, source, &self.subject).await?;
        Ok(!open.is_empty() && open.iter().all(|lockout| self.is_settled(lockout)))
    }

    fn is_settled(&self, lockout: &Lockout) -> bool {
        let now = self.inner.clock.now();
        lockout.done.is_some_and(|done| now.duration_since(done) < SETTLED_FOR)
    }

    async fn only_sessions(&self, meant: &Meant) -> Result<Signalled, ProvisionError> {
        let ticket = self.ticket(&meant.identities);
        let ended = meant.org.end_sessions(&meant.user, Purpose::read_back(&ticket)).await;
        let ended = match ended {
            Ok(ended) => ended,
            Err(salesforce_client::CallError::Refused(refusal)) if !is_passing(&refusal) => {
                return Ok(impossible(&refusal));
            }
            Err(error) => return Err(not_asked(error)),
        };
        let note = format!("{ended} sessions ended");
        self.audit(&meant.identities, &[], &note).await?;
        Ok(Signalled::Done(note))
    }

    /// Locks one User out, unless he was let in since, under whatever name.
    pub(super) async fn one(&self, meant: &Meant) -> Result<Signalled, ProvisionError> {
        let user = named(meant.org.name(), &meant.user);
        let _turn = self.signal_turn(&user).await;
        if self.is_out_of_date(&user).await? {
            return Ok(Signalled::Stale);
        }
        let signalled = self.keep_out(meant, self.is_repeated(&user).await?).await?;
        if signalled.is_done() {
            self.remember(Told::Out, &user).await?;
        }
        Ok(signalled)
    }

    /// `is_repeated`: the source has said so before, and it is no new incident.
    async fn keep_out(&self, meant: &Meant, is_repeated: bool) -> Result<Signalled, ProvisionError> {
        let place = self.begin(meant.org.name(), &meant.user, self.signal.approved).await?;
        if matches!(place, Place::TooMany) {
            return Ok(Signalled::TooMany);
        }
        let was_frozen = matches!(place, Place::Done | Place::Settled);
        if self.signal.action != SignalAction::Freeze {
            return self.deactivate(meant, "deactivated", was_frozen).await;
        }
        if matches!(place, Place::Settled) && is_repeated {
            return Ok(Signalled::Already("frozen-already"));
        }
        match self.freeze(meant, was_frozen).await? {
            Freeze::Ended(signalled) => Ok(signalled),
            Freeze::NoLogin => {
                // Remembered first: nobody else will know why he is not active.
                self.remember(Told::Deactivated, &self.subject).await?;
                self.deactivate(meant, "deactivated: the User has no login record to freeze", false).await
            }
        }
    }

    /// `was_done`: this source has him frozen already.
    async fn freeze(&self, meant: &Meant, was_done: bool) -> Result<Freeze, ProvisionError> {
        let (org, user) = (meant.org.name(), &meant.user);
        let key = self.key(org, user);
        let _turn = self.login_turn(org, user).await;
        let ticket = self.ticket(&meant.identities);
        let is_ours = match self.keep_frozen(meant, &ticket).await? {
            Kept::ByUs => true,
            Kept::BySomebody => false,
            Kept::NoLogin => return Ok(Freeze::NoLogin),
            Kept::Refused(refusal) => {
                self.inner.store.withdraw_lockout(&key).await?;
                return Ok(Freeze::Ended(impossible(&refusal)));
            }
        };
        let ended = self.sessions_of_the_frozen(meant, &ticket).await?;
        let note = if is_ours {
            let note = format!("frozen, {ended} sessions ended");
            self.audit(&meant.identities, &[FROZEN], &note).await?;
            self.inner.store.confirm_lockout(&key, self.inner.clock.now()).await?;
            note
        } else {
            // Somebody else has frozen him: that is not ours to take back.
            if was_done {
                self.inner.store.end_lockout(&key, self.inner.clock.now()).await?;
            } else {
                self.inner.store.withdraw_lockout(&key).await?;
            }
            let note = format!("frozen before by somebody else, {ended} sessions ended");
            self.audit(&meant.identities, &[], &note).await?;
            note
        };
        Ok(Freeze::Ended(Signalled::Done(note)))
    }

    /// Freezes a User, until he is seen to be.
    async fn keep_frozen(&self, meant: &Meant, ticket: &Ticket) -> Result<Kept, ProvisionError> {
        let (org, user) = (meant.org.name(), &meant.user);
        for _ in 0..FREEZES {
            let freeze = Step::Freeze { user: user.clone(), frozen: true };
            match self.send(meant, freeze, ticket).await? {
                Landed::Done => {
                    // Whoever had him frozen before, he was let in since; what is begun for that was for this freeze.
                    let_in_by_hand(self.inner, org, user).await?;
                    self.begin(org, user, true).await?;
                    return Ok(Kept::ByUs);
                }
                // An administrator may have let him in and frozen him again since.
                Landed::There => match frozen(meant, ticket).await? {
                    Frozen::ByGangway => return Ok(Kept::ByUs),
                    Frozen::BySomebody => return Ok(Kept::BySomebody),
                    Frozen::Never => return Ok(Kept::NoLogin),
                    // SCIM has let him in between the two.
                    Frozen::No => {}
                },
                Landed::Refused(refusal) if refusal.code == NO_LOGIN => return Ok(Kept::NoLogin),
                Landed::Refused(refusal) => return Ok(Kept::Refused(refusal)),
            }
        }
        Err(later("somebody else lets the User in at the same time".to_owned(), None))
    }

    /// Takes a place among those whom the source may lock out.
    /// `unlimited`: however many there are.
    pub(super) async fn begin(
        &self,
        org: &OrgName,
        user: &RecordId,
        unlimited: bool,
    ) -> Result<Place, ProvisionError> {
        let now = self.inner.clock.now();
        let lockout = Lockout {
            key: self.key(org, user),
            subject: self.subject.clone(),
            jti: self.signal.jti.clone(),
            begun: now,
            done: None,
        };
        let limit = LockoutLimit { most: self.signal.lockouts_per_hour, since: now - HOUR };
        self.inner.store.prune_lockouts(now - KEPT, now - TRIED_FOR).await?;
        let limit = (!unlimited).then_some(limit);
        Ok(match self.inner.store.begin_lockout(lockout, limit).await? {
            BegunLockout::TooMany => Place::TooMany,
            BegunLockout::Open(open) if self.is_settled(&open) => Place::Settled,
            BegunLockout::Open(open) if open.done.is_some() => Place::Done,
            BegunLockout::New | BegunLockout::Open(_) => Place::Begun,
        })
    }

    /// Whoever is frozen goes on with the sessions that he has. Without the permission to end them he stays frozen all the same.
    async fn sessions_of_the_frozen(&self, meant: &Meant, ticket: &Ticket) -> Result<u64, ProvisionError> {
        match meant.org.end_sessions(&meant.user, Purpose::read_back(ticket)).await {
            Ok(ended) => Ok(ended),
            Err(salesforce_client::CallError::Refused(refusal)) if !is_passing(&refusal) => {
                let (tenant, source) = (&self.signal.tenant, &self.signal.source);
                tracing::warn!(%tenant, %source, code = refusal.code, "the sessions of a frozen User could not be ended");
                Ok(0)
            }
            Err(error) => Err(not_asked(error)),
        }
    }

    /// Through the identity, so that SCIM shows it and what else leaving means is done; else the User alone. The lockout ends
    /// with it: who is deactivated comes back when SCIM says so. But where nobody knows him by SCIM, and this source has him
    /// frozen (`was_frozen`), only the source can let him in.
    async fn deactivate(
        &self,
        meant: &Meant,
        note: &str,
        was_frozen: bool,
    ) -> Result<Signalled, ProvisionError> {
        let key = self.key(meant.org.name(), &meant.user);
        for whose in &meant.identities {
            let link = self.link_to(whose, meant).await?;
            let operation = Operation::Patch(json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "active", "value": false}],
            }));
            match self.submit(whose, operation).await {
                Err(ProvisionError::Partly { failed, .. }) => {
                    // What the configuration does not let Gangway do to this User is never done.
                    if let Some(why) = denied(&failed, link.as_ref()) {
                        self.inner.store.withdraw_lockout(&key).await?;
                        return Ok(Signalled::Impossible(why));
                    }
                }
                // What is missing of it is kept, and done by itself.
                Ok(()) | Err(ProvisionError::NotAllGranted { .. }) => {}
                // He stays frozen, and it stays this source's to say when that ends.
                Err(error) if was_frozen => return Err(error),
                Err(error) => return Err(self.leave_off(&key, error).await?),
            }
        }
        if meant.identities.is_empty() {
            let ticket = self.ticket(&[]);
            let fields = Fields::from_iter([("IsActive".to_owned(), Value::Bool(false))]);
            let (object, id) = ("User".to_owned(), meant.user.clone());
            let step = Step::Update { object, id, fields, manner: Manner::default() };
            if let Landed::Refused(refusal) = self.send(meant, step, &ticket).await? {
                self.inner.store.withdraw_lockout(&key).await?;
                return Ok(impossible(&refusal));
            }
        }
        self.audit(&meant.identities, &[], note).await?;
        if was_frozen {
            if meant.identities.is_empty() {
                return Ok(Signalled::Done(note.to_owned()));
            }
            self.leave_freeze_to_the_leaver(meant).await?;
        }
        self.inner.store.end_lockout(&key, self.inner.clock.now()).await?;
        Ok(Signalled::Done(note.to_owned()))
    }

    /// The identity's change did not come to its end: nothing but a lockout that has come about keeps anybody out, whether the event
    /// is tried again or not. What is kept, to be done later, counts among those whom the source may lock out all the same.
    pub(super) async fn leave_off(
        &self,
        key: &LockoutKey,
        error: ProvisionError,
    ) -> Result<ProvisionError, StoreError> {
        match &error {
            ProvisionError::WillBeDone { .. } | ProvisionError::RollingForward { .. } => {
                self.inner.store.end_lockout(key, self.inner.clock.now()).await?;
            }
            _ => self.inner.store.withdraw_lockout(key).await?,
        }
        Ok(error)
    }

    /// Who is frozen stays so, and it is his leaving that keeps him frozen from now on: that ends when he is back.
    async fn leave_freeze_to_the_leaver(&self, meant: &Meant) -> Result<(), ProvisionError> {
        let mut turns = Vec::new();
        for Whose { tenant, id } in &meant.identities {
            turns.push(self.inner.turns.enter(format!("{tenant}/{id}")).await);
        }
        let _login = self.login_turn(meant.org.name(), &meant.user).await;
        if frozen(meant, &self.ticket(&meant.identities)).await? != Frozen::ByGangway {
            return Ok(());
        }
        for (whose, link) in self.links(meant).await? {
            let link = Link { froze: true, frozen: false, ..link };
            self.audit_one(&whose, &[], "still frozen: he has left", vec![LinkWrite::Set(link)]).await?;
        }
        Ok(())
    }

    /// Changes an identity in the source's name.
    pub(super) async fn submit(&self, whose: &Whose, operation: Operation) -> Result<(), ProvisionError> {
        let request = Request {
            kind: ResourceKind::User,
            id: Some(whose.id.to_string()),
            operation,
            if_match: None,
            respond_async: false,
        };
        let caller = Caller { tenant: whose.tenant.clone(), client: self.client() };
        UserChange::accept(self.inner, &caller, request)?.answer().await?;
        Ok(())
    }

    /// Sends one step. What may have landed is tried again later, which comes to the same.
    pub(super) async fn send(
        &self,
        meant: &Meant,
        step: Step,
        ticket: &Ticket,
    ) -> Result<Landed, ProvisionError> {
        let outcome = meant.org.act(&[step], ticket).await.pop();
        match outcome.expect("each step has an outcome") {
            StepOutcome::Done { .. } => Ok(Landed::Done),
            StepOutcome::There => Ok(Landed::There),
            StepOutcome::Refused(refusal) if is_passing(&refusal) => {
                Err(later(super::advice(&refusal), None))
            }
            StepOutcome::Refused(refusal) => Ok(Landed::Refused(refusal)),
            StepOutcome::Unknown { why } => Err(later(why, None)),
            StepOutcome::NotSent { why, retry_after } => Err(later(why, retry_after)),
        }
    }
}

/// What came of a step.
pub(super) enum Landed {
    Done,
    There,
    Refused(Refusal),
}

fn impossible(refusal: &Refusal) -> Signalled {
    Signalled::Impossible(format!("Salesforce refused it: {} ({})", refusal.message, refusal.code))
}

/// Why the target of a User is none in which he may be locked out, if it is so.
fn denied(failed: &[(TargetName, Box<ProvisionError>)], link: Option<&Link>) -> Option<String> {
    let of_user = failed.iter().find(|(target, _)| link.is_some_and(|link| link.target == *target));
    of_user.filter(|(_, error)| error.is_denial()).map(|(_, error)| error.to_string())
}

/// Whether a User is frozen, and by whom: Gangway, where the integration user was the last to touch his login record.
pub(super) async fn frozen(meant: &Meant, ticket: &Ticket) -> Result<Frozen, ProvisionError> {
    frozen_by(&meant.org, &meant.user, ticket).await.map_err(not_asked)
}
