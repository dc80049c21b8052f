//! `/sobjects/{Object}` and below: create, read, update, upsert, delete of one record.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    conditions::{State, unchanged},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    permissions::Sight,
    records,
    request::{Body, Reply, Request},
    rows,
    schema::{Field, Kind, Object},
    values::{self, Source},
};

/// The object that a path names.
pub(crate) fn object(org: &Org, name: &str) -> Result<Arc<Object>, Refusal> {
    org.schema.object(name).cloned().ok_or_else(Refusal::not_found)
}

/// The record that the last part of a path names: 400 for what looks like an id and is none, 404 for
/// a record that is not there and for anything else.
fn record_id(org: &Org, object: &Object, text: &str, now: i64) -> Result<Id, Refusal> {
    let looks_like_id = matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match Id::parse(text) {
        Some(id) if org.table(object).get(id).is_some() => Ok(id),
        Some(id) => Err(Refusal::gone(org, object, id, now)),
        None if looks_like_id => Err(Refusal::malformed_id(text)),
        None => Err(Refusal::not_accessible(text)),
    }
}

/// A field that may name a record in place of its id.
pub(crate) fn key_field<'a>(object: &'a Object, name: &str) -> Result<&'a Field, Refusal> {
    object.field(name).filter(|field| field.is_key()).ok_or_else(|| Refusal::not_accessible(name))
}

/// The records with this key.
pub(crate) fn by_key(org: &Org, object: &Object, key: &Field, value: &str) -> Vec<Id> {
    let table = org.table(object);
    let slots = table.find(key.index, &values::from_text(key, value));
    slots.iter().filter_map(|slot| table.row(*slot)?.get(0).as_id()).collect()
}

/// The key of a path as a body would say it.
pub(crate) fn key_value(key: &Field, text: &str) -> Value {
    match key.kind {
        Kind::Int | Kind::Double => text.parse().map_or_else(|_| json!(text), Value::Number),
        _ => json!(text),
    }
}

pub(crate) fn read(org: &Org, name: &str, id: &str, request: &Request) -> Reply {
    let found =
        object(org, name).and_then(|object| Ok((record_id(org, &object, id, request.actor.now)?, object)));
    match found {
        Ok((id, object)) => show(org, &object, id, request),
        Err(refusal) if refusal.code == "ENTITY_IS_DELETED" && !org.switches.read_says_deleted => {
            Refusal::not_found().into()
        }
        Err(refusal) => refusal.into(),
    }
}

pub(crate) fn read_by_key(org: &Org, name: &str, key: &str, value: &str, request: &Request) -> Reply {
    let object = match object(org, name) {
        Ok(object) => object,
        Err(refusal) => return refusal.into(),
    };
    let key = match key_field(&object, key) {
        Ok(key) => key,
        Err(refusal) => return refusal.into(),
    };
    match by_key(org, &object, key, value).as_slice() {
        [id] => show(org, &object, *id, request),
        [] => Refusal::not_found().into(),
        several => ambiguous(&object, several, request),
    }
}

/// 300: the URLs of all records with the key.
fn ambiguous(object: &Object, ids: &[Id], request: &Request) -> Reply {
    let urls: Value = ids.iter().map(|id| url(object, *id, request).into()).collect::<Vec<Value>>().into();
    Reply::json(300, urls)
}

pub(crate) fn url(object: &Object, id: Id, request: &Request) -> String {
    format!("/services/data/v{}.0/sobjects/{}/{id}", request.version, object.name)
}

fn show(org: &Org, object: &Object, id: Id, request: &Request) -> Reply {
    let sight = Sight::of(org, object, request.actor.user);
    let Some(row) = org.table(object).get(id).filter(|row| sight.sees(row)) else {
        return Refusal::not_found().into();
    };
    let state = State::of(object, row);
    if let Some(reply) = state.settled(&request.headers, true) {
        return reply;
    }
    let fields = request.parameter("fields").map(|names| fields(object, names.split(','))).transpose();
    match fields {
        Ok(fields) => {
            let record = records::record(object, row, fields.as_deref(), request.version);
            Reply { status: 200, body: Body::Json(Value::Object(record)), headers: state.headers() }
        }
        Err(refusal) => refusal.into(),
    }
}

/// Named fields; one that does not exist is refused.
pub(crate) fn fields<'a, 'b>(
    object: &'a Object,
    names: impl Iterator<Item = &'b str>,
) -> Result<Vec<&'a Field>, Refusal> {
    let field = |name: &str| object.field(name).ok_or_else(|| Refusal::no_such_column(name, &object.name));
    names.map(str::trim).filter(|name| !name.is_empty()).map(field).collect()
}

pub(crate) fn create(org: &mut Org, name: &str, request: &Request) -> Reply {
    match try_create(org, name, request) {
        Ok((object, id)) => created(&object, id, request),
        Err(refusals) => Reply::refusals(&refusals),
    }
}

fn try_create(org: &mut Org, name: &str, request: &Request) -> Result<(Arc<Object>, Id), Refusals> {
    let object = object(org, name).map_err(|refusal| vec![refusal])?;
    let body = request.object_body().map_err(|refusal| vec![refusal])?;
    unlocked(request, None).map_err(|refusal| vec![refusal])?;
    let id = rows::create(org, &object, body, Source(&request.source), &request.headers, request.actor)?;
    Ok((object, id))
}

/// `UNABLE_TO_LOCK_ROW`, when a fault says so: 400, and yet to be tried again.
pub(crate) fn unlocked(request: &Request, id: Option<Id>) -> Result<(), Refusal> {
    if !request.locked {
        return Ok(());
    }
    Err(lock_refusal(id))
}

pub(crate) fn lock_refusal(id: Option<Id>) -> Refusal {
    let which = id.map(|id| format!(": {id}")).unwrap_or_default();
    let message = format!("unable to obtain exclusive access to this record or 1 records{which}");
    Refusal::record("UNABLE_TO_LOCK_ROW", message, &[])
}

fn created(object: &Object, id: Id, request: &Request) -> Reply {
    let body = json!({"id": id.to_string(), "success": true, "errors": []});
    Reply { status: 201, body: Body::Json(body), headers: vec![("Location", url(object, id, request))] }
}

pub(crate) fn update(org: &mut Org, name: &str, id: &str, request: &Request) -> Reply {
    match try_update(org, name, id, request) {
        Ok(()) => Reply::empty(204),
        Err(refusals) => Reply::refusals(&refusals),
    }
}

fn try_update(org: &mut Org, name: &str, id: &str, request: &Request) -> Result<(), Refusals> {
    let object = object(org, name).map_err(|refusal| vec![refusal])?;
    let id = record_id(org, &object, id, request.actor.now).map_err(|refusal| vec![refusal])?;
    let body = request.object_body().map_err(|refusal| vec![refusal])?;
    unlocked(request, Some(id)).map_err(|refusal| vec![refusal])?;
    unchanged(org, &object, id, request).map_err(|refusal| vec![refusal])?;
    rows::update(org, &object, id, body, Source(&request.source), &request.headers, request.actor)
}

pub(crate) fn delete(org: &mut Org, name: &str, id: &str, request: &Request) -> Reply {
    let object = match object(org, name) {
        Ok(object) => object,
        Err(refusal) => return refusal.into(),
    };
    if !object.deletable && object.name == "User" {
        let refusal = Refusal::method("DELETE", "HEAD,GET,PATCH");
        return Refusal { status: org.switches.user_delete_status, ..refusal }.into();
    }
    let deleted = record_id(org, &object, id, request.actor.now)
        .and_then(|id| unlocked(request, Some(id)).map(|()| id))
        .map_err(|refusal| vec![refusal])
        .and_then(|id| rows::delete(org, &object, id, request.actor));
    match deleted {
        Ok(()) => Reply::empty(204),
        Err(refusals) => Reply::refusals(&refusals),
    }
}

/// Updates the record with the key, or creates one that has it.
pub(crate) fn upsert(org: &mut Org, name: &str, key: &str, value: &str, request: &Request) -> Reply {
    match try_upsert(org, name, key, value, request) {
        Ok(reply) => reply,
        Err(refusals) => Reply::refusals(&refusals),
    }
}

fn try_upsert(
    org: &mut Org,
    name: &str,
    key: &str,
    value: &str,
    request: &Request,
) -> Result<Reply, Refusals> {
    let (source, headers, actor) = (Source(&request.source), &request.headers, request.actor);
    let object = object(org, name).map_err(|refusal| vec![refusal])?;
    let key = key_field(&object, key).map_err(|refusal| vec![refusal])?;
    let body = request.object_body().map_err(|refusal| vec![refusal])?;
    let found = if key.index == 0 {
        vec![record_id(org, &object, value, actor.now).map_err(|refusal| vec![refusal])?]
    } else {
        by_key(org, &object, key, value)
    };
    if key.index != 0 && body.keys().any(|name| name.eq_ignore_ascii_case(&key.name)) {
        let message = format!("The {} field should not be specified in the sobject data.", key.name);
        return Err(vec![Refusal::call(400, "INVALID_FIELD", message)]);
    }
    match found.as_slice() {
        [id] => {
            unlocked(request, Some(*id)).map_err(|refusal| vec![refusal])?;
            unchanged(org, &object, *id, request).map_err(|refusal| vec![refusal])?;
            rows::update(org, &object, *id, body, source, headers, actor)?;
            Ok(upserted(&object, *id, false, request))
        }
        [] if request.parameter("updateOnly") == Some("true") => Err(vec![Refusal::not_found()]),
        [] => {
            unlocked(request, None).map_err(|refusal| vec![refusal])?;
            let mut body = body.clone();
            body.insert(key.name.clone(), key_value(key, value));
            let id = rows::create(org, &object, &body, source, headers, actor)?;
            Ok(upserted(&object, id, true, request))
        }
        several => Ok(ambiguous(&object, several, request)),
    }
}

/// From v46 on an upsert says whether it created; every version here is later.
fn upserted(object: &Object, id: Id, created: bool, request: &Request) -> Reply {
    let body = json!({"id": id.to_string(), "success": true, "errors": [], "created": created});
    let headers = if created { vec![("Location", url(object, id, request))] } else { Vec::new() };
    Reply { status: if created { 201 } else { 200 }, body: Body::Json(body), headers }
}
