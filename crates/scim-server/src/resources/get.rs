//! `GET /Users/{id}`, `GET /Groups/{id}`.

use actix_web::http::StatusCode;
use model::ResourceKind;
use scim_types::{Error, Filter, Projection, schema::GANGWAY_USER_URN};
use serde_json::{Value, json};
use store::{Query, StoreError, StoredResource, Window};

use crate::{
    call::{Call, resource_type},
    conditional,
    error::Failure,
    render::{Said, View},
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
            let records = records(call, &resource).await?;
            let said = Said { warnings: &[], records: &records };
            let body = View::new(&call.base, kind, &projection).text(&resource, said)?;
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

/// The Salesforce records that a User is linked to, where the request names our extension: they are looked up for those
/// alone who want to see them.
async fn records(call: &Call<'_>, resource: &StoredResource) -> Result<Vec<Value>, Failure> {
    let asked = call.query()?.get("attributes").unwrap_or_default().to_ascii_lowercase();
    if resource.kind != ResourceKind::User || !asked.contains(&GANGWAY_USER_URN.to_ascii_lowercase()) {
        return Ok(Vec::new());
    }
    let links = call.door.directory.links(&call.caller.tenant, &resource.id).await?;
    let shown = links.iter().map(|link| {
        let mut record = json!({
            "target": link.target, "org": link.org, "object": link.object, "recordId": link.record_id,
        });
        if let Some(active) = link.written.get("IsActive") {
            record["active"] = active.clone();
            record["frozen"] = link.frozen.into();
        }
        if let Some(key) = &link.key {
            record["externalId"] = key.as_str().into();
        }
        if let Some(contact) = &link.became {
            record["convertedTo"] = contact.as_str().into();
        }
        if link.left {
            record["left"] = true.into();
        }
        if let Some(email) = link.pending.get("Email") {
            record["pendingEmail"] = email.clone();
        }
        if let Some(synced) = link.synced {
            record["lastSync"] = synced.to_string().into();
        }
        record
    });
    Ok(shown.collect())
}
