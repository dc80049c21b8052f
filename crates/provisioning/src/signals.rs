//! What a security signal asks for: a User's sessions end, he is frozen or let in again, or deactivated.
//!
//! A signal is about a User of Salesforce, whether or not there is an identity for him. It is no change of an identity: what
//! SCIM and HR have said of `active` stays, and only whom a signal has frozen is let in again by one. That is remembered in the
//! store's lockouts, which are begun before Salesforce hears of them; so a signal may be carried out again after a crash. Where
//! there is an identity, what was done is in its audit trail.
//!
//! | file | what it holds |
//! |---|---|
//! | `find.rs` | exactly one active User in each org of the tenant, and whether he is protected |
//! | `lock_out.rs` | ending sessions, freezing, deactivating |
//! | `let_in.rs` | letting in again whom a signal has frozen |

mod find;
mod let_in;
mod lock_out;

use std::{sync::Arc, time::Duration};

use model::{ClientName, ResourceId, ResourceKind, SourceName, TenantId};
use salesforce_client::{Asker, CallError, Org, Ticket};
use salesforce_types::{RecordId, Refusal, Retry, errors};
use store::{AuditEntry, ChangeOutcome, LinkWrite, LockoutKey, Record, ResourceWrite};

use crate::{ProvisionError, Tenant, fingerprint, provisioner::Inner};

/// When what cannot be asked now may be asked again, where nothing else is said.
const AGAIN: Duration = Duration::from_secs(10);

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
}

/// What came of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// It is done: what, without personal data.
    Done(String),
    /// It is so already.
    Already(&'static str),
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
    identity: Option<ResourceId>,
}

/// One signal being carried out.
struct Work<'w> {
    inner: &'w Arc<Inner>,
    signal: &'w Signal,
    tenant: Arc<Tenant>,
    /// A digest of the subject.
    subject: String,
}

/// Does what a signal asks for. It may be asked again for the same signal: that comes to the same.
pub(crate) async fn carry_out(inner: &Arc<Inner>, signal: &Signal) -> Result<Signalled, ProvisionError> {
    let tenant = inner.world().tenant(&signal.tenant)?;
    let subject = fingerprint::hex(&fingerprint::sha256(signal.subject.as_bytes()));
    let work = Work { inner, signal, tenant, subject };
    match signal.action {
        SignalAction::Unfreeze => work.let_in().await,
        SignalAction::EndSessions | SignalAction::Freeze | SignalAction::Deactivate => work.lock_out().await,
    }
}

impl Work<'_> {
    /// Calls to an org are the source's, and go before others where they take access away.
    fn ticket(&self, identity: Option<&ResourceId>) -> Ticket {
        let nobody = || ResourceId::from_text(&*self.subject);
        let asker = Asker {
            tenant: self.signal.tenant.clone(),
            client: self.client(),
            identity: identity.cloned().unwrap_or_else(nobody),
        };
        Ticket::new(asker, self.signal.action != SignalAction::Unfreeze)
    }

    fn client(&self) -> ClientName {
        ClientName::new(self.signal.source.as_str()).expect("a source's name is a name")
    }

    fn key(&self, meant: &Meant) -> LockoutKey {
        LockoutKey {
            tenant: self.signal.tenant.clone(),
            org: meant.org.name().clone(),
            user: meant.user.clone(),
        }
    }

    /// What was done, in the history of the identity, if there is one. `links`: what it changes of them.
    async fn audit(
        &self,
        identity: Option<&ResourceId>,
        fields: &[&str],
        note: &str,
        links: Vec<LinkWrite>,
    ) -> Result<(), ProvisionError> {
        let Some(identity) = identity else { return Ok(()) };
        let record = Record {
            change: None,
            tenant: self.signal.tenant.clone(),
            kind: ResourceKind::User,
            resource: identity.clone(),
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
            outcome: ChangeOutcome { result: "updated".to_owned(), status: 200, reason: None },
            answered: true,
            at: self.inner.clock.now(),
        };
        self.inner.store.record(record).await?;
        Ok(())
    }
}

/// Why an org could not be asked, as something that may work later or that somebody has to correct.
fn not_asked(error: CallError) -> ProvisionError {
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
