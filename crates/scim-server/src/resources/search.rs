//! `POST /Users/.search`, `POST /Groups/.search`, `POST /.search`.

use actix_web::web::Payload;
use model::ResourceKind;

use super::list;
use crate::{body, call::Call, error::Failure, limits, query::Search, reply::Reply};

/// A search whose parameters are in the body (RFC 7644 §3.4.3): for long filters, and to keep what is searched for out of
/// the logs of every proxy on the way.
pub(crate) async fn search(
    call: &Call<'_>,
    kind: Option<ResourceKind>,
    payload: Payload,
) -> Result<Reply, Failure> {
    let search = Search::from_body(body::json(call.request, payload, limits::BODY).await?)?;
    list::answer(call, kind, &search).await
}
