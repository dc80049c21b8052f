//! `/composite/sobjects`: up to 200 records in one call, each with its own result.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value, json};

use crate::{
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Mark, Org},
    permissions::Sight,
    records,
    request::{Reply, Request},
    rows,
    schema::{Field, Object},
    sobjects,
    values::Source,
};

const MAX_RECORDS: usize = 200;
/// Records of one type that stand together are a chunk.
const MAX_CHUNKS: usize = 10;
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
    let repeated = repeated(request, "Id", |text| Id::parse(text).map(|id| id.to_string()));
    each(org, request, |org, record, request| {
        let outcome = typed(org, record).and_then(|object| {
            let (id, fields) = without_id(record);
            let Some(id) = id.as_ref().and_then(Value::as_str) else {
                let message = "Id not specified in an update call";
                return Err(vec![Refusal::record("MISSING_ARGUMENT", message, &[])]);
            };
            let id = known_id(org, &object, id, request.actor.now)?;
            if repeated.contains(&id.to_string()) {
                return Err(vec![Refusal::record("DUPLICATE_VALUE", "Duplicate id in list", &[])]);
            }
            rows::update(org, &object, id, &fields, Source(&request.source), &request.headers, request.actor)
                .map(|()| id)
        });
        Item { outcome, created: None, named: None }
    })
}

/// Upserts by an external id or idLookup field; with `Id` as the field, null creates.
pub(crate) fn upsert(org: &mut Org, name: &str, key: &str, request: &Request) -> Reply {
    let target = sobjects::object(org, name)
        .and_then(|object| Ok((sobjects::key_field(&object, key)?.clone(), Arc::clone(&object))));
    let (key, object) = match target {
        Ok(target) => target,
        Err(refusal) => return refusal.into(),
    };
    let fold = |text: &str| Some(if key.case_sensitive { text.to_owned() } else { text.to_lowercase() });
    let repeated = repeated(request, &key.name, fold);
    each(org, request, |org, record, request| {
        let (value, fields) = without(record, &key.name);
        let text = match value {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let twice = text.as_ref().and_then(|text| fold(text)).is_some_and(|text| repeated.contains(&text));
        let upserted = if twice {
            let message = format!("Duplicate external id specified: {}", text.unwrap_or_default());
            Err(vec![Refusal::record("DUPLICATE_VALUE", message, &[&key.name])])
        } else {
            upsert_one(org, &object, &key, text.as_deref(), fields, request)
        };
        let created = upserted.as_ref().is_ok_and(|(_, created)| *created);
        Item { outcome: upserted.map(|(id, _)| id), created: Some(created), named: None }
    })
}

/// Hands back the record, and whether it is new.
fn upsert_one(
    org: &mut Org,
    object: &Arc<Object>,
    key: &Field,
    text: Option<&str>,
    mut fields: Map<String, Value>,
    request: &Request,
) -> Result<(Id, bool), Refusals> {
    let (source, headers, actor) = (Source(&request.source), &request.headers, request.actor);
    let by_id = key.index == 0;
    let found = match text {
        None if by_id => Vec::new(),
        None => {
            let message = format!("{} not specified", key.name);
            return Err(vec![Refusal::record("MISSING_ARGUMENT", message, &[])]);
        }
        Some(text) if by_id => vec![known_id(org, object, text, actor.now)?],
        Some(text) => sobjects::by_key(org, object, key, text),
    };
    match found.as_slice() {
        [id] => rows::update(org, object, *id, &fields, source, headers, actor).map(|()| (*id, false)),
        [] => {
            if let (Some(text), false) = (text, by_id) {
                fields.insert(key.name.clone(), sobjects::key_value(key, text));
            }
            rows::create(org, object, &fields, source, headers, actor).map(|id| (id, true))
        }
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let message = format!("more than one record found for external id field: [{}]", ids.join(", "));
            Err(vec![Refusal::record("DUPLICATE_EXTERNAL_ID", message, &[&key.name])])
        }
    }
}

pub(crate) fn delete(org: &mut Org, request: &Request) -> Reply {
    let ids: Vec<&str> = request.parameter("ids").unwrap_or_default().split(',').map(str::trim).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Refusal::call(400, "REQUIRED_FIELD_MISSING", "At least 1 id is required").into();
    }
    if ids.len() > MAX_RECORDS {
        return too_many(MAX_RECORDS).into();
    }
    let all_or_none = request.parameter("allOrNone") == Some("true");
    let start = org.mark();
    let mut locked = request.locked;
    let mut items = Vec::with_capacity(ids.len());
    for text in ids {
        let mark = org.mark();
        let outcome = if std::mem::take(&mut locked) {
            Err(vec![sobjects::lock_refusal(Id::parse(text))])
        } else {
            delete_one(org, text, request)
        };
        if outcome.is_err() {
            org.roll_back(mark);
        }
        items.push(Item { outcome, created: None, named: Some(text.to_owned()) });
    }
    finish(org, start, &items, all_or_none)
}

fn delete_one(org: &mut Org, text: &str, request: &Request) -> Result<Id, Refusals> {
    let id = Id::parse(text).ok_or_else(|| vec![Refusal::malformed_id(text)])?;
    let object = org.object_of(id).cloned().ok_or_else(|| vec![Refusal::invalid_reference()])?;
    known_id(org, &object, text, request.actor.now)?;
    rows::delete(org, &object, id, request.actor).map(|()| id)
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
    let sight = Sight::of(org, &object, request.actor.user);
    let record = |id: &String| {
        let row = Id::parse(id).and_then(|id| table.get(id)).filter(|row| sight.sees(row));
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
    if chunks(records) > MAX_CHUNKS {
        let message =
            format!("Records of different types may alternate at most {MAX_CHUNKS} times in one call");
        return Refusal::call(400, "LIMIT_EXCEEDED", message).into();
    }
    let start = org.mark();
    let mut items = Vec::with_capacity(records.len());
    let mut locked = request.locked;
    let mut last = None;
    for record in records {
        let mark = org.mark();
        // Whether the chunks of a call share a transaction is not known for sure.
        if !all_or_none && !org.switches.collection_is_one_transaction && last != Some(kind(record)) {
            org.end_transaction();
        }
        last = Some(kind(record));
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

/// The keys, folded, that stand in the body more than once.
fn repeated(request: &Request, key: &str, fold: impl Fn(&str) -> Option<String>) -> HashSet<String> {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    let records = request.body.as_ref().and_then(|body| body.get("records")?.as_array());
    for record in records.into_iter().flatten().filter_map(Value::as_object) {
        let value = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        if let Some(folded) = value.and_then(Value::as_str).and_then(&fold)
            && !seen.insert(folded.clone())
        {
            repeated.insert(folded);
        }
    }
    repeated
}

/// The type that a record names, as it is spelt.
fn kind(record: &Value) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn chunks(records: &[Value]) -> usize {
    records.chunk_by(|a, b| kind(a) == kind(b)).count()
}
