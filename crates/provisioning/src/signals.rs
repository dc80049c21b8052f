//! What a security signal asks for: a User's sessions end, he is frozen or let in again, or deactivated.
//!
//! A signal is about a User of Salesforce, whether or not there is an identity for him. It is no change of an identity: what
//! SCIM and HR have said of `active` stays, and only whom a signal has frozen is let in again by one. That is remembered in the
//! store's lockouts, which are begun before Salesforce hears of them; so a signal may be carried out again after a crash. Where
//! there is an identity, in the tenant or in a population of it, what was done is in its audit trail.
//!
//! Each source has a lockout of its own, and a User is let in when the last of them has ended and SCIM does not keep him out
//! either. An administrator who unfreezes him in Salesforce ends them all: [`let_in_by_hand`].
//!
//! | file | what it holds |
//! |---|---|
//! | `order.rs` | which signal counts, by when what it tells has happened |
//! | `find.rs` | exactly one active User in each org of the environment, and whether he is protected |
//! | `lock_out.rs` | ending sessions, freezing, deactivating |
//! | `purge.rs` | what an account that is gone for good leaves behind |
//! | `let_in.rs` | letting in again whom a signal has frozen |

mod find;
mod let_in;
mod lock_out;
mod order;
mod purge;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use model::{ClientName, OrgName, ResourceId, ResourceKind, SourceName, TenantId, Timestamp};
use salesforce_client::{Asker, CallError, Org, Ticket};
use salesforce_types::{Link, RecordId, Refusal, Retry, errors};
use store::{AuditEntry, ChangeOutcome, LinkWrite, Lockout, LockoutKey, Record, ResourceWrite, StoreError};

use crate::{ProvisionError, Tenant, fingerprint, provisioner::Inner, turns::Turn};

/// When what cannot be asked now may be asked again, where nothing else is said.
const AGAIN: Duration = Duration::from_secs(10);
/// Longer than it takes from a look at a login record to what is done because of it.
const LOOKED_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// The intake tries an event for 7 days. A lockout that was begun a day longer ago and never landed is no attempt's any more; but for
/// that of an event which a person has approved, which is never given up and begins it anew.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(8 * 24);

/// There is no login record (REST API Developer Guide, "Status Codes and Error Responses"; the client says it so too).
pub(crate) const NO_LOGIN: &str = "NOT_FOUND";

/// What a signal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Whose door it came through.
    pub tenant: TenantId,
    /// Who says so.
    pub source: SourceName,
    /// By which event.
    pub jti: String,
    /// What the source calls the person; signals with the same text are about the same one.
    pub subject: String,
    /// What has happened, such as `account-disabled`; for the audit.
    pub cause: String,
    /// When, by the source's clock.
    pub happened: Timestamp,
    /// Who it is, in one or several ways.
    pub whom: Vec<Whom>,
    /// What is to be done.
    pub action: SignalAction,
    /// How many Users the source may lock out in an hour; beyond them a person has to approve.
    pub lockouts_per_hour: u32,
    /// A person has approved it.
    pub approved: bool,
}

/// One way to name a User.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A field of User that tells Users apart, such as `FederationIdentifier`, has this value.
    Field {
        /// The field's API name.
        field: String,
        /// Its value.
        value: String,
    },
    /// This is the e-mail address. Where no User has it yet, because he has not confirmed a new one, the identity's own counts.
    Email {
        /// The field of User that has it.
        field: String,
        /// The address.
        address: String,
    },
}

/// What a signal has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalAction {
    /// All sessions end; the User may log in again.
    EndSessions,
    /// He is frozen, and his sessions end.
    Freeze,
    /// He is let in again, if a signal of the same source has frozen him.
    Unfreeze,
    /// He is deactivated: through his identity, where there is one.
    Deactivate,
    /// The same; and what stands for the person as a Lead or a Contact goes as its mapping says of those who leave.
    Purge,
}

/// What came of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// It is done: what, without personal data.
    Done(String),
    /// It is so already.
    Already(&'static str),
    /// The source has told the opposite of a later time.
    Stale,
    /// No active User has this name.
    Nobody,
    /// Several active Users have it: which one is meant is not guessed.
    Several,
    /// The User is the integration user, an administrator, or named as protected.
    Protected,
    /// The source has locked out as many as it may in an hour.
    TooMany,
    /// Salesforce will never do it as things are. Why, in its words.
    Impossible(String),
}

/// A User that is meant.
#[derive(Clone, Debug)]
struct Meant {
    org: Org,
    user: RecordId,
    protected: find::Protection,
    /// Whose record it is.
    identities: Vec<Whose>,
}

/// An identity of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whose {
    /// Its population.
    tenant: TenantId,
    id: ResourceId,
}

/// One signal being carried out.
struct Work<'w> {
    inner: &'w Arc<Inner>,
    signal: &'w Signal,
    /// The environment: the tenant itself and its populations. Somebody may be an employee, a customer, or both.
    tenants: Vec<Arc<Tenant>>,
    /// A digest of the subject.
    subject: String,
}

/// Does what a signal asks for. It may be asked again for the same signal: that comes to the same.
pub(crate) async fn carry_out(inner: &Arc<Inner>, signal: &Signal) -> Result<Signalled, ProvisionError> {
    let world = inner.world();
    world.tenant(&signal.tenant)?;
    let subject = fingerprint::hex(&fingerprint::sha256(signal.subject.as_bytes()));
    let work = Work { inner, signal, tenants: world.environment(&signal.tenant), subject };
    if work.is_out_of_date(&work.subject).await? {
        return Ok(Signalled::Stale);
    }
    let signalled = match signal.action {
        SignalAction::Unfreeze => work.let_in().await?,
        SignalAction::Purge => work.purge().await?,
        SignalAction::EndSessions | SignalAction::Freeze | SignalAction::Deactivate => {
            work.lock_out().await?
        }
    };
    if let Some(tells) = work.tells().filter(|_| signalled.is_done()) {
        work.remember(tells, &work.subject).await?;
    }
    Ok(signalled)
}

impl Signalled {
    /// Whether all is as the signal wants it.
    fn is_done(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Already(_))
    }
}

/// Ends the lockouts of a User who is found not to be frozen: an administrator has let him in, and knows better than the sources.
/// One that is only begun stays as long as its event may be tried again, for its freeze is still to come, and so does one that is
/// so new that it may have come after the look. A freeze that finds him not frozen may end its own: it has to begin it again.
pub(crate) async fn let_in_by_hand(inner: &Inner, org: &OrgName, user: &RecordId) -> Result<(), StoreError> {
    let now = inner.clock.now();
    let is_over =
        |open: &&Lockout| now.duration_since(open.done.unwrap_or(open.begun + TRIED_FOR)) >= LOOKED_WITHIN;
    for lockout in inner.store.lockouts_on(org, user).await?.iter().filter(is_over) {
        let LockoutKey { tenant, source, .. } = &lockout.key;
        tracing::info!(%tenant, %source, jti = lockout.jti, "a lockout was ended by hand: the User is not frozen any more");
        inner.store.end_lockout(&lockout.key, now).await?;
    }
    Ok(())
}

impl Work<'_> {
    /// Calls to an org are the source's, and go before others where they take access away.
    fn ticket(&self, identities: &[Whose]) -> Ticket {
        let nobody = || ResourceId::from_text(&*self.subject);
        let asker = Asker {
            tenant: self.signal.tenant.clone(),
            client: self.client(),
            identity: identities.first().map_or_else(nobody, |whose| whose.id.clone()),
        };
        Ticket::new(asker, self.signal.action != SignalAction::Unfreeze)
    }

    fn client(&self) -> ClientName {
        ClientName::new(self.signal.source.as_str()).expect("a source's name is a name")
    }

    fn key(&self, org: &OrgName, user: &RecordId) -> LockoutKey {
        let Signal { tenant, source, .. } = self.signal;
        LockoutKey { tenant: tenant.clone(), source: source.clone(), org: org.clone(), user: user.clone() }
    }

    /// Whether somebody is frozen is decided for one source after the other. Where an identity's turn is needed as well, that
    /// comes first.
    async fn login_turn(&self, org: &OrgName, user: &RecordId) -> Turn {
        self.inner.turns.enter(format!("login {org}/{user}")).await
    }

    /// The identities of the environment that a User is linked to.
    async fn whose(&self, org: &OrgName, user: &RecordId) -> Result<Vec<Whose>, StoreError> {
        let mut identities = Vec::new();
        for tenant in &self.tenants {
            let linked = self.inner.store.linked_in(&tenant.id, org, user).await?;
            identities.extend(linked.map(|id| Whose { tenant: tenant.id.clone(), id }));
        }
        Ok(identities)
    }

    /// The link of an identity to a User.
    async fn link_to(&self, whose: &Whose, meant: &Meant) -> Result<Option<Link>, StoreError> {
        let links = self.inner.store.links(&whose.tenant, &whose.id).await?;
        Ok(links.into_iter().find(|link| link.org == *meant.org.name() && link.record_id == meant.user))
    }

    /// What was done, in the history of those whom it is about.
    async fn audit(&self, identities: &[Whose], fields: &[&str], note: &str) -> Result<(), ProvisionError> {
        for whose in identities {
            self.audit_one(whose, fields, note, Vec::new()).await?;
        }
        Ok(())
    }

    /// The same for one. `links`: what it changes of them.
    async fn audit_one(
        &self,
        whose: &Whose,
        fields: &[&str],
        note: &str,
        links: Vec<LinkWrite>,
    ) -> Result<(), ProvisionError> {
        let record = Record {
            change: None,
            tenant: whose.tenant.clone(),
            kind: ResourceKind::User,
            resource: whose.id.clone(),
            write: ResourceWrite::Keep,
            links,
            grants: Vec::new(),
            memberships: Vec::new(),
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: self.client(),
                action: "signal".to_owned(),
                fields: fields.iter().map(|&field| field.to_owned()).collect(),
                notes: vec![format!("{}: {note}", self.signal.cause)],
                grants: Vec::new(),
                consents: Vec::new(),
                mapping: None,
            },
            outcome: ChangeOutcome {
                result: "updated".to_owned(),
                status: 200,
                reason: None,
                ..ChangeOutcome::default()
            },
            answered: true,
            at: self.inner.clock.now(),
        };
        self.inner.store.record(record).await?;
        Ok(())
    }
}

/// Why an org could not be asked, as something that may work later or that somebody has to correct.
pub(crate) fn not_asked(error: CallError) -> ProvisionError {
    match error {
        CallError::NotSent { why, retry_after } => later(why, retry_after),
        CallError::Unknown { why } => later(why, None),
        CallError::Parked { why, advice } => later(format!("{why}: {advice}"), None),
        CallError::Refused(refusal) if is_passing(&refusal) => later(advice(&refusal), None),
        CallError::Refused(refusal) => {
            let words = format!("Salesforce refused to be read ({}): {}", refusal.code, advice(&refusal));
            ProvisionError::Misconfigured(words)
        }
    }
}

fn later(why: String, retry_after: Option<Duration>) -> ProvisionError {
    ProvisionError::Busy { why, retry_after: retry_after.unwrap_or(AGAIN) }
}

fn is_passing(refusal: &Refusal) -> bool {
    matches!(errors::rule(&refusal.code, &refusal.message).retry, Retry::Backoff | Retry::BackoffLong)
}

fn advice(refusal: &Refusal) -> String {
    errors::rule(&refusal.code, &refusal.message).advice.to_owned()
}
