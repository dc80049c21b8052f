//! Why a request was not carried out. Knows nothing of HTTP.

use std::time::Duration;

use model::{ChangeId, ClientName, HoldId, OrgName, ResourceId, ResourceKind, TargetName};
use salesforce_types::{EntitlementRef, RecordId, Refusal};
use store::StoreError;
use translation::FieldRefusal;

use crate::groups::NAMED;

/// Salesforce's own statuses of what may work later: its limit, and everything that is not there.
const PASSING: [u16; 2] = [429, 503];

/// Why a request was not carried out, and what was kept of it.
///
/// Nothing was kept, but where the variant says otherwise: of [`ProvisionError::Partly`], [`ProvisionError::NotAllGranted`] and
/// [`ProvisionError::NotAllMembers`] what has landed is, and [`ProvisionError::RollingForward`] and [`ProvisionError::WillBeDone`] go on.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// No resource of this kind has the id.
    #[error("there is no {kind} with the id {id}")]
    NotFound {
        /// User or Group.
        kind: ResourceKind,
        /// As it was sent.
        id: String,
    },
    /// Another resource has the value of a unique attribute.
    #[error("another {kind} has this {attribute} already")]
    Taken {
        /// User or Group.
        kind: ResourceKind,
        /// Such as `userName`.
        attribute: &'static str,
    },
    /// `If-Match` names another version.
    #[error("the {kind} has been changed since: read it again and repeat the request with its new version")]
    VersionMismatch {
        /// User or Group.
        kind: ResourceKind,
    },
    /// The request makes no sense by itself, or not for the resource as it is now.
    #[error("{}", .0.detail)]
    Invalid(scim_types::Error),
    /// The org would refuse what the mapping makes of the resource; no call was spent.
    #[error("Salesforce would refuse this: {}", describe(.0))]
    Untranslatable(Vec<FieldRefusal>),
    /// The target's `allow` does not have it.
    #[error("the target {target} does not allow to {what}")]
    NotAllowed {
        /// The target's name.
        target: model::TargetName,
        /// `create`, `update`, `disable`, `deprovision`.
        what: &'static str,
    },
    /// Salesforce said no in the leading step.
    #[error("Salesforce org {org} refused the change: {}", words(.refusal))]
    Refused {
        /// Which org.
        org: OrgName,
        /// Its words.
        refusal: Box<Refusal>,
        /// The SCIM attributes of the fields that it names, where the mapping tells.
        attributes: Vec<String>,
    },
    /// The client may not give this.
    #[error(
        "the client {client} may not give the {} `{label}`: its `grants` in the configuration do not allow it", .of.kind
    )]
    MayNotGrant {
        /// Who asked.
        client: ClientName,
        /// What.
        of: EntitlementRef,
        /// What the org calls it.
        label: String,
    },
    /// There is no free seat.
    #[error("{what} of the org {org} has no free seat: {used} of {total} are taken; free one, or buy more")]
    NoSeat {
        /// Which org.
        org: OrgName,
        /// Of what.
        what: String,
        /// How many are taken.
        used: u64,
        /// How many there are.
        total: u64,
    },
    /// Some of what was asked for has landed and is kept, and some has not.
    #[error("{}", describe_not_all(*.granted, .refused))]
    NotAllGranted {
        /// How many steps have landed.
        granted: usize,
        /// What was not given, by its name, and why.
        refused: Vec<(String, Box<ProvisionError>)>,
    },
    /// Some members of a Group have joined or left, and some have not.
    #[error("{}", describe_not_all_members(*.done, *.rolled_back, .refused))]
    NotAllMembers {
        /// How many have, and it is kept.
        done: usize,
        /// Whether what was done was undone; then `done` are those of whom that could not be.
        rolled_back: bool,
        /// Who has not, and why.
        refused: Vec<(ResourceId, Box<ProvisionError>)>,
    },
    /// A client cannot take away a Group that is made from the catalogue.
    #[error(
        "the group is made from what the Salesforce org offers: a client cannot delete it; take its members out, or take it out of `[[groups.publish]]`"
    )]
    Published,
    /// A person has to decide first.
    #[error("{why}; a person has to decide (hold {hold}): see `gangway holds`")]
    Held {
        /// The open hold.
        hold: HoldId,
        /// What is to be decided, without personal data.
        why: String,
        /// The records it is about.
        candidates: Vec<RecordId>,
    },
    /// The record that matches is another identity's already.
    #[error(
        "the {object} {record} of the org {org} matches this identity and belongs to another one already, {identity}: two identities must not \
         have the same externalId, username or e-mail address in Salesforce"
    )]
    LinkedElsewhere {
        /// Which org.
        org: OrgName,
        /// Such as `User`.
        object: String,
        /// The record.
        record: RecordId,
        /// Whose it is.
        identity: ResourceId,
    },
    /// Nothing was sent, or all is known undone: a repeat is safe.
    #[error("{why}; nothing was changed, repeat the request later")]
    Busy {
        /// No personal data.
        why: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// Steps have been sent and their end is not known yet: the change goes on, and a repeat joins it.
    #[error(
        "Salesforce has not answered yet; the change goes on and a repeat of the request will find its end (change {change})"
    )]
    RollingForward {
        /// The open change.
        change: ChangeId,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The change takes access away: it is kept and will be done as soon as the org can be reached.
    #[error(
        "the Salesforce org cannot be reached; taking this access away is recorded and will be done as soon as it can (change {change})"
    )]
    WillBeDone {
        /// The open change.
        change: ChangeId,
        /// How long to wait before looking again.
        retry_after: Duration,
    },
    /// Some targets got there, and a required one did not. What landed is kept, and the rest is tried again.
    #[error("{}", describe_partly(.landed, .failed))]
    Partly {
        /// Targets that were written.
        landed: Vec<TargetName>,
        /// Those that were not, and why.
        failed: Vec<(TargetName, Box<ProvisionError>)>,
    },
    /// What would be done now is not what was planned; nothing was changed.
    #[error("the identity {identity} or its records have moved since the plan was made: plan again")]
    PlanMoved {
        /// Whose plan.
        identity: ResourceId,
    },
    /// The store failed.
    #[error("Gangway could not read or write its store")]
    Store(#[from] StoreError),
    /// Something in the configuration or the org must be corrected first.
    #[error("{0}")]
    Misconfigured(String),
}

fn describe(refusals: &[FieldRefusal]) -> String {
    refusals.iter().map(|refusal| refusal.detail.as_str()).collect::<Vec<_>>().join("; ")
}

fn describe_partly(landed: &[TargetName], failed: &[(TargetName, Box<ProvisionError>)]) -> String {
    let has_failed = |target: &&TargetName| failed.iter().any(|(other, _)| other == *target);
    let (partly, whole): (Vec<&TargetName>, Vec<&TargetName>) = landed.iter().partition(has_failed);
    let names =
        |targets: &[&TargetName]| targets.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", ");
    let mut words: Vec<String> =
        failed.iter().map(|(target, error)| format!("target {target}: {error}")).collect();
    if !whole.is_empty() {
        words.push(format!("done and kept: {}", names(&whole)));
    }
    if !partly.is_empty() {
        words.push(format!("begun and kept: {}", names(&partly)));
    }
    words.push("the identity is kept, and what is missing is tried again by itself".to_owned());
    words.join("; ")
}

fn describe_not_all(granted: usize, refused: &[(String, Box<ProvisionError>)]) -> String {
    let mut words: Vec<String> =
        refused.iter().take(NAMED).map(|(name, error)| format!("`{name}` was not given: {error}")).collect();
    if refused.len() > NAMED {
        words.push(format!("and {} more", refused.len() - NAMED));
    }
    if granted > 0 {
        words.push(format!("{granted} other steps are done and kept; a repeat sends only what is missing"));
    }
    words.join("; ")
}

fn describe_not_all_members(
    done: usize,
    rolled_back: bool,
    refused: &[(ResourceId, Box<ProvisionError>)],
) -> String {
    let named = refused.iter().take(NAMED).map(|(id, error)| format!("{id}: {error}"));
    let mut words =
        vec![format!("{} members were refused: {}", refused.len(), named.collect::<Vec<_>>().join("; "))];
    if refused.len() > NAMED {
        words.push(format!("and {} more, all of them in the group's `refused`", refused.len() - NAMED));
    }
    words.push(match (rolled_back, done) {
        (true, 0) => "the group is as before".to_owned(),
        (true, left) => format!("of the others all but {left} are as before"),
        (false, 0) => "nobody else was concerned".to_owned(),
        (false, done) => format!("{done} others are done and kept; a repeat sends only what is missing"),
    });
    words.join("; ")
}

/// Salesforce's words, and the records that it names beside them: a duplicate rule does.
fn words(refusal: &Refusal) -> String {
    // Words have ids of 15 characters.
    let beside = refusal.records.iter().filter(|id| !refusal.message.contains(&id.as_str()[..15]));
    let beside: Vec<&str> = beside.map(salesforce_types::RecordId::as_str).collect();
    match beside.as_slice() {
        [] => refusal.message.clone(),
        _ => format!("{} {}", refusal.message, beside.join(", ")),
    }
}

impl ProvisionError {
    /// Whether the caller, or anybody in this target, may not do it: trying again does not help, and nobody does it in his name.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::NotAllowed { .. } | Self::MayNotGrant { .. })
    }

    /// Whether Salesforce said no and will say so again. Its limits, and what is not there for a while, pass.
    #[must_use]
    pub fn is_final_refusal(&self) -> bool {
        let passes = || self.refusal_rule().is_some_and(|(status, ..)| PASSING.contains(&status));
        matches!(self, Self::Refused { .. }) && !passes()
    }

    /// What Salesforce's refusal means to a caller: the status, the `scimType` and what to do.
    #[must_use]
    pub fn refusal_rule(&self) -> Option<(u16, Option<&'static str>, &'static str)> {
        let refusal = match self {
            Self::Refused { refusal, .. } => refusal,
            Self::Partly { failed, .. } => return failed.iter().find_map(|(_, error)| error.refusal_rule()),
            Self::NotAllMembers { refused, .. } => {
                return refused.first().and_then(|(_, error)| error.refusal_rule());
            }
            Self::NotAllGranted { refused, .. } => {
                return refused.iter().find_map(|(_, error)| error.refusal_rule());
            }
            _ => return None,
        };
        let rule = salesforce_types::errors::rule(&refusal.code, &refusal.message);
        Some((rule.status, rule.scim_type, rule.advice))
    }
}
