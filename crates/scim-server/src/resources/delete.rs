//! `DELETE /Users/{id}`, `DELETE /Groups/{id}`.

use model::ResourceKind;
use provisioning::{Operation, Request};
use scim_types::Projection;

use super::reply;
use crate::{call::Call, error::Failure, reply::Reply};

/// `DELETE` (RFC 7644 §3.6): 204. A body and its content type are not looked at (C-6).
pub(crate) async fn delete(call: &Call<'_>, kind: ResourceKind, id: &str) -> Result<Reply, Failure> {
    let answer = call
        .submit(Request {
            kind,
            id: Some(call.scim_id(id).await?.into_owned()),
            operation: Operation::Delete,
            if_match: call.if_match(),
            respond_async: call.respond_async(),
        })
        .await?;
    Ok(reply(call, kind, &answer, &Projection::default())?)
}
