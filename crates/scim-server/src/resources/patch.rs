//! `PATCH /Users/{id}`, `PATCH /Groups/{id}`.

use actix_web::{http::StatusCode, web::Payload};
use model::ResourceKind;
use provisioning::{Answer, Operation, Request};

use super::reply;
use crate::{call::Call, error::Failure, reply::Reply};

/// `PATCH` (RFC 7644 §3.5.2): 200 with the whole resource, because `HelloID` reads the `id` in it; for a Group 204 where
/// the client has it so (C-60). §3.5.2: with `attributes` "the service provider MUST return a 200 OK".
pub(crate) async fn patch(
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
            operation: Operation::Patch(body),
            if_match: call.if_match(),
            respond_async: call.respond_async(),
        })
        .await?;
    match &answer {
        Answer::Updated(written)
            if kind == ResourceKind::Group
                && call.client.settings.wants_no_group()
                && projection.is_whole() =>
        {
            Ok(Reply::empty(StatusCode::NO_CONTENT).with_version(written.resource.version))
        }
        answer => Ok(reply(call, kind, answer, &projection)?),
    }
}
