//! Users and Groups: one file for each verb. The two kinds share all of them.

mod create;
mod delete;
mod everything;
mod get;
mod list;
mod patch;
mod replace;
mod search;

use actix_web::http::{StatusCode, header::HeaderName};
use model::ResourceKind;
use provisioning::{Answer, Warning, Written};
use scim_types::{Error, Projection};

use crate::{
    call::Call,
    negotiate,
    render::{Said, View},
    reply::Reply,
};

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use patch::patch;
pub(crate) use replace::replace;
pub(crate) use search::search;

/// Says what provisioning did with a request.
///
/// # Errors
///
/// 500 when what was written cannot be read.
fn reply(
    call: &Call<'_>,
    kind: ResourceKind,
    answer: &Answer,
    projection: &Projection,
) -> Result<Reply, Error> {
    let with_body = |status, written: &Written| {
        let body = View::new(&call.base, kind, projection)
            .text(&written.resource, Said { warnings: &written.warnings, records: &[] })?;
        let reply = Reply::text(status, body)
            .with_location(call.location(kind, &written.resource.id))
            .with_version(written.resource.version);
        // The codes for everybody; the sentences for those who name our extension in `attributes`.
        Ok(match warning_codes(&written.warnings) {
            Some(codes) => reply.with(HeaderName::from_static("x-gangway-warnings"), codes),
            None => reply,
        })
    };
    match answer {
        Answer::Created(written) => with_body(StatusCode::CREATED, written),
        Answer::Updated(written) => with_body(StatusCode::OK, written),
        Answer::Deleted(_) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        // RFC 9967: no body, and the id under which the end will be told.
        Answer::Accepted { id, change } => {
            let reply = Reply::empty(StatusCode::ACCEPTED)
                .with_location(call.location(kind, id))
                .with(HeaderName::from_static("set-txn"), change.as_str());
            Ok(if negotiate::prefers_async(call.request.headers()) {
                reply.with(HeaderName::from_static("preference-applied"), "respond-async")
            } else {
                reply
            })
        }
    }
}

/// `alias-made, timezone-defaulted`: each code once.
fn warning_codes(warnings: &[Warning]) -> Option<String> {
    let mut codes: Vec<&str> = warnings.iter().map(|warning| warning.code.as_str()).collect();
    codes.dedup();
    (!codes.is_empty()).then(|| codes.join(", "))
}
