//! `POST /Users`, `POST /Groups`.

use actix_web::web::Payload;
use model::ResourceKind;
use provisioning::{Operation, Request};

use super::reply;
use crate::{call::Call, error::Failure, reply::Reply};

/// `POST` (RFC 7644 §3.3): 201 with the whole resource, its `Location` and its `ETag` (C-30).
///
/// The parameters are read first: a bad one must not be noticed after the resource has been made.
pub(crate) async fn create(call: &Call<'_>, kind: ResourceKind, payload: Payload) -> Result<Reply, Failure> {
    let projection = call.projection(kind)?;
    let body = call.body(payload).await?;
    let answer = call
        .submit(Request {
            kind,
            id: None,
            operation: Operation::Create(body),
            if_match: None,
            respond_async: call.respond_async(),
        })
        .await?;
    Ok(reply(call, kind, &answer, &projection)?)
}
