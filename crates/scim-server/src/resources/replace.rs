//! `PUT /Users/{id}`, `PUT /Groups/{id}`.

use actix_web::web::Payload;
use model::ResourceKind;
use provisioning::{Operation, Request};

use super::reply;
use crate::{call::Call, error::Failure, reply::Reply};

/// `PUT` (RFC 7644 §3.5.1): 200 with the whole resource, never without a body (C-64).
pub(crate) async fn replace(
    call: &Call<'_>,
    kind: ResourceKind,
    id: &str,
    payload: Payload,
) -> Result<Reply, Failure> {
    let projection = call.projection(kind)?;
    let body = call.body(payload).await?;
    let answer = call
        .submit(Request {
            kind,
            id: Some(call.scim_id(id).await?.into_owned()),
            operation: Operation::Replace(body),
            if_match: call.if_match(),
            respond_async: call.respond_async(),
        })
        .await?;
    Ok(reply(call, kind, &answer, &projection)?)
}
