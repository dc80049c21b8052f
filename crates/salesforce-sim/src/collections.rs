//! `/composite/sobjects`: up to 200 records in one call, each with its own result.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value, json};

use crate::{
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Mark, Org},
    records,
    request::{Reply, Request},
    rows,
    schema::Object,
    sobjects,
    values::Source,
};

const MAX_RECORDS: usize = 200;
const MAX_RETRIEVED: usize = 2_000;

/// What became of one record.
struct Item {
    outcome: Result<Id, Refusals>,
    /// Shown by upserts.
    created: Option<bool>,
    /// The id that the caller sent, shown again when a delete fails.
    named: Option<String>,
}

pub(crate) fn create(org: &mut Org, request: &Request) -> Reply {
    each(org, request, |org, record, request| {
        let outcome = typed(org, record).and_then(|object| {
            rows::create(org, &object, record, Source(&request.source), &request.headers, request.actor)
        });
        Item { outcome, created: None, named: None }
    })
}

pub(crate) fn update(org: &mut Org, request: &Request) -> Reply {
    each(org, request, |org, record, request| {
        let outcome = typed(org, record).and_then(|object| {
            let (id, fields) = without_id(record);
            let Some(id) = id.as_ref().and_then(Value::as_str) else {
                let message = "Id not specified in an update call";
                return Err(vec![Refusal::record("MISSING_ARGUMENT", message, &[])]);
            };
            let id = known_id(org, &object, id, request.actor.now)?;
            rows::update(org, &object, id, &fields, Source(&request.source), &request.headers, request.actor)
                .map(|()| id)
        });
        Item { outcome, created: None, named: None }
    })
}

/// Upserts by an external id or idLookup field; with `Id` as the field, null creates.
pub(crate) fn upsert(org: &mut Org, name: &str, key: &str, request: &Request) -> Reply {
    let object = match sobjects::object(org, name) {
        Ok(object) => object,
        Err(refusal) => return refusal.into(),
    };
    let key = match sobjects::key_field(&object, key) {
        Ok(key) => key.clone(),
        Err(refusal) => return refusal.into(),
    };
    let repeated = repeated(request, &key.name);
    each(org, request, |org, record, request| {
        let (value, fields) = without(record, &key.name);
        let text = value.as_ref().and_then(Value::as_str).map(ToOwned::to_owned);
        let mut created = false;
        let outcome = (|| {
            if text.as_ref().is_some_and(|text| repeated.get(&text.to_lowercase()).is_some_and(|n| *n > 1)) {
                let message = format!("Duplicate external id specified: {}", text.unwrap_or_default());
                return Err(vec![Refusal::record("DUPLICATE_VALUE", message, &[&key.name])]);
            }
            let found = match (&text, key.index) {
                (None, _) => Vec::new(),
                (Some(text), 0) => vec![known_id(org, &object, text, request.actor.now)?],
                (Some(text), _) => sobjects::by_key(org, &object, &key, text),
            };
            match found.as_slice() {
                [id] => rows::update(
                    org,
                    &object,
                    *id,
                    &fields,
                    Source(&request.source),
                    &request.headers,
                    request.actor,
                )
                .map(|()| *id),
                [] if text.is_none() && key.index != 0 => {
                    let message = format!("{} not specified", key.name);
                    Err(vec![Refusal::record("MISSING_ARGUMENT", message, &[])])
                }
                [] => {
                    created = true;
                    let mut fields = fields.clone();
                    if let (Some(text), false) = (&text, key.index == 0) {
                        fields.insert(key.name.clone(), json!(text));
                    }
                    rows::create(
                        org,
                        &object,
                        &fields,
                        Source(&request.source),
                        &request.headers,
                        request.actor,
                    )
                }
                several => {
                    let message = format!("{} matches {} records", key.name, several.len());
                    Err(vec![Refusal::record("DUPLICATE_EXTERNAL_ID", message, &[&key.name])])
                }
            }
        })();
        Item { outcome, created: Some(created), named: None }
    })
}

pub(crate) fn delete(org: &mut Org, request: &Request) -> Reply {
    let ids: Vec<String> =
        request.parameter("ids").unwrap_or_default().split(',').map(|id| id.trim().to_owned()).collect();
    let all_or_none = request.parameter("allOrNone") == Some("true");
    let mark = org.mark();
    let mut items = Vec::with_capacity(ids.len());
    for text in ids.into_iter().filter(|id| !id.is_empty()) {
        let outcome = match Id::parse(&text) {
            None => Err(vec![Refusal::malformed_id(&text)]),
            Some(id) => match org.object_of(id).cloned() {
                Some(object) if org.table(&object).get(id).is_some() => {
                    rows::delete(org, &object, id, request.actor).map(|()| id)
                }
                Some(object) if org.table(&object).binned(id, request.actor.now).is_some() => {
                    Err(vec![Refusal::deleted()])
                }
                _ => Err(vec![Refusal::invalid_reference()]),
            },
        };
        items.push(Item { outcome, created: None, named: Some(text) });
    }
    finish(org, mark, &items, all_or_none)
}

/// `{"ids": [...], "fields": [...]}`, or the same as parameters of a `GET`: null for what is not there.
pub(crate) fn retrieve(org: &Org, name: &str, request: &Request) -> Reply {
    match try_retrieve(org, name, request) {
        Ok(records) => Reply::json(200, records.into()),
        Err(refusal) => refusal.into(),
    }
}

fn try_retrieve(org: &Org, name: &str, request: &Request) -> Result<Vec<Value>, Refusal> {
    let object = sobjects::object(org, name)?;
    let list = |name: &str| -> Result<Vec<String>, Refusal> {
        if request.is_get() {
            return Ok(request
                .parameter(name)
                .unwrap_or_default()
                .split(',')
                .map(ToOwned::to_owned)
                .collect());
        }
        let list = request.object_body()?.get(name).and_then(Value::as_array);
        let list = list.ok_or_else(|| Refusal::json(format!("{name} is missing at [line:1, column:1]")))?;
        Ok(list.iter().filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect())
    };
    let (ids, names) = (list("ids")?, list("fields")?);
    if ids.len() > MAX_RETRIEVED {
        return Err(too_many(MAX_RETRIEVED));
    }
    let fields = sobjects::fields(&object, names.iter().map(String::as_str))?;
    let table = org.table(&object);
    let record = |id: &String| {
        let row = Id::parse(id).and_then(|id| table.get(id));
        row.map_or(Value::Null, |row| records::record(&object, row, Some(&fields), request.version).into())
    };
    Ok(ids.iter().map(record).collect())
}

fn too_many(limit: usize) -> Refusal {
    let message = format!("record limit reached. cannot submit more than {limit} records into this call");
    Refusal::call(400, "EXCEEDED_ID_LIMIT", message)
}

/// Runs `one` for every record of the body.
fn each(
    org: &mut Org,
    request: &Request,
    mut one: impl FnMut(&mut Org, &Map<String, Value>, &Request) -> Item,
) -> Reply {
    let body = match request.object_body() {
        Ok(body) => body,
        Err(refusal) => return refusal.into(),
    };
    let Some(records) = body.get("records").and_then(Value::as_array).filter(|records| !records.is_empty())
    else {
        return Refusal::call(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required").into();
    };
    if records.len() > MAX_RECORDS {
        return too_many(MAX_RECORDS).into();
    }
    let all_or_none = body.get("allOrNone").and_then(Value::as_bool).unwrap_or(false);
    let start = org.mark();
    let mut items = Vec::with_capacity(records.len());
    let mut locked = request.locked;
    for record in records {
        let mark = org.mark();
        let item = match record.as_object() {
            _ if std::mem::take(&mut locked) => {
                Item { outcome: Err(vec![sobjects::lock_refusal(None)]), created: None, named: None }
            }
            Some(record) => one(org, record, request),
            None => {
                let refusal = Refusal::json("Unexpected token: an object is expected");
                Item { outcome: Err(vec![refusal]), created: None, named: None }
            }
        };
        if item.outcome.is_err() {
            org.roll_back(mark);
        }
        items.push(item);
    }
    finish(org, start, &items, all_or_none)
}

/// With `allOrNone` one failure takes everything back; every other record says so.
fn finish(org: &mut Org, mark: Mark, items: &[Item], all_or_none: bool) -> Reply {
    let halted = all_or_none && items.iter().any(|item| item.outcome.is_err());
    if halted {
        org.roll_back(mark);
    }
    Reply::json(200, items.iter().map(|item| item.to_json(halted)).collect())
}

impl Item {
    fn to_json(&self, halted: bool) -> Value {
        let mut item = Map::new();
        match &self.outcome {
            Ok(id) if !halted => {
                item.insert("id".into(), json!(id.to_string()));
                item.insert("success".into(), json!(true));
                item.insert("errors".into(), json!([]));
                if let Some(created) = self.created {
                    item.insert("created".into(), json!(created));
                }
            }
            outcome => {
                if let Some(named) = &self.named {
                    item.insert("id".into(), json!(named));
                }
                item.insert("success".into(), json!(false));
                let errors: Vec<Value> = match outcome {
                    Ok(_) => vec![rolled_back().to_item()],
                    Err(refusals) => refusals.iter().map(Refusal::to_item).collect(),
                };
                item.insert("errors".into(), errors.into());
            }
        }
        Value::Object(item)
    }
}

fn rolled_back() -> Refusal {
    let message = "Record rolled back because not all records were valid and the request was using AllOrNone \
        header";
    Refusal::record("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[])
}

/// The object that `attributes.type` names.
fn typed(org: &Org, record: &Map<String, Value>) -> Result<Arc<Object>, Refusals> {
    let name = record.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Value::as_str);
    let object = name.and_then(|name| org.schema.object(name)).cloned();
    object.ok_or_else(|| {
        let message = format!("sObject type '{}' is not supported.", name.unwrap_or_default());
        vec![Refusal::record("INVALID_TYPE", message, &[])]
    })
}

fn known_id(org: &Org, object: &Object, text: &str, now: i64) -> Result<Id, Refusals> {
    let id = Id::parse(text).ok_or_else(|| vec![Refusal::malformed_id(text)])?;
    let table = org.table(object);
    match table.get(id) {
        Some(_) => Ok(id),
        None if table.binned(id, now).is_some() => Err(vec![Refusal::deleted()]),
        None => Err(vec![Refusal::invalid_reference()]),
    }
}

fn without_id(record: &Map<String, Value>) -> (Option<Value>, Map<String, Value>) {
    without(record, "Id")
}

fn without(record: &Map<String, Value>, key: &str) -> (Option<Value>, Map<String, Value>) {
    let mut rest = record.clone();
    let name = rest.keys().find(|name| name.eq_ignore_ascii_case(key)).cloned();
    let value = name.and_then(|name| rest.shift_remove(&name));
    (value, rest)
}

/// How often each key value stands in the body.
fn repeated(request: &Request, key: &str) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    let records = request.body.as_ref().and_then(|body| body.get("records")?.as_array());
    for record in records.into_iter().flatten().filter_map(Value::as_object) {
        if let (Some(Value::String(text)), _) = without(record, key) {
            *seen.entry(text.to_lowercase()).or_insert(0) += 1;
        }
    }
    seen
}
