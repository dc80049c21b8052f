//! What is asked of a gateway and what it answers, as it goes through the socket.

use intake::{CatchUp, CaughtUp, Rehearsal};
use model::{ChangeId, HoldId, ResourceId, SourceName, TenantId};
use provisioning::{IdentityPlan, ProvisionError, Warning};
use salesforce_types::RecordId;
use serde::{Deserialize, Serialize};
use store::EventKey;

/// What an operator asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// What would be done for these identities? Changes nothing.
    Plan {
        /// Whose.
        tenant: TenantId,
        /// Who.
        identities: Vec<ResourceId>,
    },
    /// Do what was planned, if it is still what would be done.
    Apply {
        /// What.
        plan: Box<IdentityPlan>,
    },
    /// Bring the records of an identity into agreement.
    Resync {
        /// Whose.
        tenant: TenantId,
        /// Who.
        identity: ResourceId,
    },
    /// This record is the identity's.
    Adopt {
        /// Whose.
        tenant: TenantId,
        /// Who.
        identity: ResourceId,
        /// Which.
        record: RecordId,
    },
    /// This record is what an open hold waits for: the next request of the identity tool adopts it.
    Decide {
        /// Which hold.
        hold: HoldId,
        /// Which record.
        record: RecordId,
    },
    /// Apply a dead or held event once more.
    RetryEvent {
        /// Which.
        event: EventKey,
    },
    /// Nothing is to be done for a dead or held event.
    DismissEvent {
        /// Which.
        event: EventKey,
        /// Why.
        reason: String,
    },
    /// Ask a source for everything that is new and for who is gone, and apply it.
    CatchUp {
        /// Whose.
        tenant: TenantId,
        /// Which.
        source: SourceName,
        /// For what.
        asked: CatchUp,
    },
    /// A delivery as a source would make it, that changes nothing.
    Rehearse {
        /// Whose.
        tenant: TenantId,
        /// Which.
        source: SourceName,
    },
    /// A person has looked, and there is nothing to choose: the identity tool may repeat its request.
    Dismiss {
        /// Which hold.
        hold: HoldId,
    },
}

/// What is answered to what was carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// To [`Request::Plan`], in the order of the identities.
    Plans(Vec<Planned>),
    /// To what changes an identity.
    Done(Done),
    /// To [`Request::Decide`] and [`Request::Dismiss`], and to those about events.
    Decided,
    /// To [`Request::CatchUp`].
    CaughtUp(CaughtUp),
    /// To [`Request::Rehearse`].
    Rehearsal(Rehearsal),
}

/// What came of planning one identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Planned {
    /// This would be done.
    Plan(Box<IdentityPlan>),
    /// There is no plan.
    Refused {
        /// Whose.
        identity: ResourceId,
        /// Why.
        why: Refused,
    },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Done {
    /// What was adapted on the way, or did not land.
    pub(crate) warnings: Vec<Warning>,
    /// The change, where it is still under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<ChangeId>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub(crate) struct Refused {
    /// What would be done now is not what was planned.
    pub(crate) moved: bool,
    /// A sentence for the operator. It may quote values, so it is not for logs.
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn failed(message: String) -> Self {
        Self { moved: false, message }
    }
}

impl From<ProvisionError> for Refused {
    fn from(error: ProvisionError) -> Self {
        Self { moved: matches!(error, ProvisionError::PlanMoved { .. }), message: error.to_string() }
    }
}
