//! `GET /Users/{id}`, `GET /Groups/{id}`.

use actix_web::http::StatusCode;
use model::ResourceKind;
use scim_types::{Error, Filter, Projection};
use store::{Query, StoreError, StoredResource, Window};

use crate::{
    call::{Call, resource_type},
    conditional,
    error::Failure,
    render::View,
    reply::Reply,
};

/// `GET` (RFC 7644 §3.4.1): the resource with its `ETag`, 304 or 412 as the conditions say (C-74), 404 for an id of
/// whatever form that nothing has (C-27).
pub(crate) async fn get(call: &Call<'_>, kind: ResourceKind, id: &str) -> Result<Reply, Failure> {
    let projection = call.projection(kind)?;
    let id = call.scim_id(id).await?;
    let found = find(call, kind, &id, &projection).await?;
    let resource = found.ok_or_else(|| Error::not_found(format!("there is no {kind} with this id")))?;
    match conditional::read(call.request.headers(), resource.version) {
        conditional::Read::Send => {
            let body = View::new(&call.base, kind, &projection).text(&resource, &[])?;
            Ok(Reply::text(StatusCode::OK, body)
                .with_location(call.location(kind, &resource.id))
                .with_version(resource.version))
        }
        conditional::Read::NotModified => {
            Ok(Reply::empty(StatusCode::NOT_MODIFIED).with_version(resource.version))
        }
        conditional::Read::Failed => {
            Err(Error::precondition_failed(format!("the {kind} is not the version that If-Match asks for"))
                .into())
        }
    }
}

/// The resource, without the members where they are not asked for: a group may have very many.
async fn find(
    call: &Call<'_>,
    kind: ResourceKind,
    id: &str,
    projection: &Projection,
) -> Result<Option<StoredResource>, StoreError> {
    let (tenant, directory) = (&call.caller.tenant, &call.door.directory);
    let shows_members = projection.names(resource_type(kind), "members");
    if kind == ResourceKind::Group
        && !shows_members
        && let Ok(filter) =
            Filter::parse(&format!("id eq {}", serde_json::Value::from(id)), resource_type(kind))
    {
        let query = Query {
            kind,
            filter: Some(filter),
            sort: None,
            window: Window::Index { offset: 0, count: 1 },
            with_members: false,
        };
        if let Some(group) = directory.find(tenant, &query).await?.resources.pop() {
            return Ok(Some(group));
        }
    }
    directory.get(tenant, kind, id).await
}
