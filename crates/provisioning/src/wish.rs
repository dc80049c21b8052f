//! A request, read: what it wants the resource to become, whatever the resource is when its turn has come.

use scim_types::{Patch, Put, Resource, ResourceType, ScimType};
use serde_json::Value;

use crate::{Operation, ProvisionError, Request};

/// A request whose body makes sense by itself.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Create(Resource),
    Replace(Put),
    Patch(Patch),
    Delete,
    /// What it is.
    Keep,
}

impl Wish {
    /// Reads the body (RFC 7644 §3.3, §3.5).
    pub(crate) fn read(kind: &ResourceType, request: &Request) -> Result<Self, ProvisionError> {
        let read = |body: &Value| kind.read_body(body.clone()).map_err(ProvisionError::Invalid);
        match &request.operation {
            Operation::Create(body) => {
                let mut resource = read(body)?;
                // Absent means active (RFC 7643 leaves it to the server): said, so that every read says it (C-41).
                if kind.name == "User" && resource.get("active").is_none() {
                    resource.set_active(true);
                }
                Ok(Self::Create(resource))
            }
            Operation::Replace(body) => {
                if let Some(id) = &request.id {
                    scim_types::check_id(body, id).map_err(ProvisionError::Invalid)?;
                }
                Put::read(kind, body.clone()).map(Self::Replace).map_err(ProvisionError::Invalid)
            }
            Operation::Patch(body) => {
                Patch::parse(kind, body.clone()).map(Self::Patch).map_err(ProvisionError::Invalid)
            }
            Operation::Delete => Ok(Self::Delete),
            Operation::Resync
            | Operation::Attempt(_)
            | Operation::Adopt(_)
            | Operation::Forget(_)
            | Operation::Apply(_)
            | Operation::Regroup(_) => Ok(Self::Keep),
        }
    }

    /// What the resource becomes; `None`: it goes.
    pub(crate) fn apply(
        &self,
        kind: &ResourceType,
        current: Option<&Resource>,
    ) -> Result<Option<Resource>, ProvisionError> {
        let empty = Resource::default();
        let current = current.unwrap_or(&empty);
        let wanted = match self {
            Self::Create(sent) => sent.clone(),
            Self::Replace(put) => put.apply(kind, current),
            Self::Patch(patch) => patch.apply(kind, current).map_err(ProvisionError::Invalid)?,
            Self::Delete => return Ok(None),
            Self::Keep => current.clone(),
        };
        Ok(Some(wanted))
    }

    /// Whether this may lock somebody out, as far as the request alone tells.
    pub(crate) fn may_take_access_away(&self) -> bool {
        match self {
            Self::Create(_) | Self::Keep => false,
            Self::Replace(put) => !put.sent().active(),
            Self::Patch(patch) => patch.deactivates(),
            Self::Delete => true,
        }
    }
}

/// A required attribute that is missing (RFC 7643 §2.2, `required`).
pub(crate) fn missing(attribute: &str) -> ProvisionError {
    ProvisionError::Invalid(scim_types::Error::bad_request(
        ScimType::InvalidValue,
        format!("`{attribute}` is required and may not be empty"),
    ))
}
