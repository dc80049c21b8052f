//! What a door hands over and what it gets back.

use model::{ChangeId, ClientName, ResourceId, ResourceKind, TenantId};
use salesforce_types::{RecordId, StandsFor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Asynchronous, StoredResource};

/// Who asks: authenticated by the door, and allowed to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where.
    pub tenant: TenantId,
    /// Who.
    pub client: ClientName,
}

/// One request concerning one resource: never a state, so that it can be applied to the version current at its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Users or Groups.
    pub kind: ResourceKind,
    /// The id as in the path; none for a create.
    pub id: Option<String>,
    /// What is asked.
    pub operation: Operation,
    /// The tags of `If-Match`, if the header was sent; one of them must name the version current at the turn.
    pub if_match: Option<Vec<String>>,
    /// `Prefer: respond-async`, or a door that acknowledges what is stored: answered once the request is in the journal.
    pub respond_async: bool,
}

impl Request {
    /// What a caller who does not wait hears of the end: by `told`, or else under the id of the change.
    pub(crate) fn asynchronous(
        &self,
        change: &ChangeId,
        told: Option<&Asynchronous>,
    ) -> Option<Asynchronous> {
        let by_change = || Asynchronous {
            txn: change.to_string(),
            method: self.operation.method().to_owned(),
            bulk_id: None,
        };
        self.respond_async.then(|| told.cloned().unwrap_or_else(by_change))
    }
}

impl Operation {
    /// The HTTP method that asks for this; what no caller of SCIM can ask for is a `PATCH`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Create(_) => "POST",
            Self::Replace(_) => "PUT",
            Self::Delete => "DELETE",
            Self::Patch(_)
            | Self::Resync
            | Self::Attempt(_)
            | Self::Adopt(_)
            | Self::Forget(_)
            | Self::Apply(_)
            | Self::Regroup(_) => "PATCH",
        }
    }
}

/// What is asked, with the body as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", content = "body", rename_all = "kebab-case")]
pub enum Operation {
    /// `POST`: a resource.
    Create(Value),
    /// `PUT`: a resource.
    Replace(Value),
    /// `PATCH`: a `PatchOp` message.
    Patch(Value),
    /// `DELETE`.
    Delete,
    /// By an operator: the identity as it is, brought into agreement once more.
    Resync,
    /// The same by a task, in the name of who asked for what is owed: it may do what he may. Of a task that an earlier version
    /// has raised nobody knows.
    Attempt(Option<ClientName>),
    /// By an operator: this record is the identity's.
    Adopt(RecordId),
    /// By an operator: this record of the identity was deleted by hand, and another may be made.
    Forget(RecordId),
    /// By an operator: what was planned, if it is still what would be done. The plan's hash.
    Apply(String),
    /// By a change of a Group: what the membership gives or takes.
    Regroup(Regroup),
}

/// What a change of a Group means to one of its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Regroup {
    /// Which group.
    pub group: ResourceId,
    /// Its `displayName` from now on.
    pub display_name: String,
    /// What it stands for from now on.
    pub stands_for: Option<StandsFor>,
    /// Whether the identity is a member from now on.
    pub member: bool,
    /// What the tool calls the member.
    pub display: Option<String>,
    /// Whether it only undoes what the change has done before.
    #[serde(default)]
    pub undoes: bool,
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 201.
    Created(Written),
    /// 200 (or 204 where the door prefers).
    Updated(Written),
    /// 204. With what is to be known of records that are still there.
    Deleted(Vec<Warning>),
    /// 202: the request is in the journal.
    Accepted {
        /// The resource it is about; for a create its new id.
        id: ResourceId,
        /// The change, as `Set-Txn`.
        change: ChangeId,
    },
}

/// A resource as recorded, readable by everyone.
#[derive(Clone, Debug)]
pub struct Written {
    /// The resource, members included.
    pub resource: StoredResource,
    /// What was adapted on the way, or did not land.
    pub warnings: Vec<Warning>,
    /// Whether the version moved.
    pub changed: bool,
}

/// Something the caller should know about a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Kebab-case, such as `timezone-defaulted`.
    pub code: String,
    /// The SCIM attribute it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// A sentence.
    pub detail: String,
}
