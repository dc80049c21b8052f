//! What pages look like: layouts, compact layouts, actions, and what a user saw lately. Clients ask for it to
//! draw a form; an org without customizing answers one section with every field that can be written.

use serde_json::{Map, Value, json};

use crate::{
    cell::{Cell, Row},
    describe,
    errors::Refusal,
    ids::Id,
    org::Org,
    records,
    request::{Reply, Request},
    schema::{Field, Object},
    sobjects,
};

/// The layout of records without a record type.
const MASTER: &str = "012000000000000AAA";
/// How many records `recent` shows if nobody asks for another number.
const RECENT: usize = 200;

/// `GET /sobjects/X/describe/...` and `/sobjects/X/quickActions`
pub(crate) fn of_object(org: &Org, name: &str, rest: &[&str], request: &Request) -> Reply {
    let found = sobjects::object(org, name).and_then(|object| {
        if !object.layoutable {
            return Err(Refusal::not_found());
        }
        let types = describe::record_types(org, &object, request);
        match rest {
            ["layouts"] => Ok(layouts(org, &object, &types, request)),
            ["layouts", id] if is_type(&types, id) => Ok(layout(org, &object)),
            ["compactLayouts"] => Ok(compact_layouts(&object, &types, request)),
            ["approvalLayouts"] => Ok(json!({"approvalLayouts": []})),
            ["quickActions"] => Ok(json!([])),
            _ => Err(Refusal::not_found()),
        }
    });
    match found {
        Ok(body) => Reply::json(200, body),
        Err(refusal) => refusal.into(),
    }
}

/// `GET /recent?limit=5`: what the calling user changed last.
pub(crate) fn recent(org: &Org, request: &Request) -> Reply {
    let limit = request.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(RECENT);
    let mut rows: Vec<(i64, Value)> = Vec::new();
    for object in org.schema.objects.iter().filter(|object| object.layoutable) {
        let own = |row: &&std::sync::Arc<Row>| {
            object
                .field("LastModifiedById")
                .is_some_and(|by| row.get(by.index).as_id() == Some(request.actor.user))
        };
        let changed = |row: &Row| match object.field("LastModifiedDate").map(|field| row.get(field.index)) {
            Some(Cell::Time(at)) => *at,
            _ => 0,
        };
        let table = org.table(object).iter().map(|(_, row)| row).filter(own);
        rows.extend(table.map(|row| (changed(row), item(object, row, request))));
    }
    rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Reply::json(200, rows.into_iter().take(limit.min(RECENT)).map(|(_, item)| item).collect())
}

/// `{"attributes": {...}, "Id": "003...", "Name": "Ada Lovelace"}`
pub(crate) fn item(object: &Object, row: &Row, request: &Request) -> Value {
    let mut item = Map::new();
    item.insert("attributes".into(), records::attributes(object, row, request.version));
    item.insert("Id".into(), row.get(0).to_json());
    if let Some(name) = object.field("Name") {
        item.insert("Name".into(), row.get(name.index).to_json());
    }
    Value::Object(item)
}

fn is_type(types: &[Value], id: &str) -> bool {
    let wanted = Id::parse(id);
    let of = |entry: &Value| entry["recordTypeId"].as_str().and_then(Id::parse);
    wanted.is_some() && types.iter().any(|entry| of(entry) == wanted)
}

fn layouts(org: &Org, object: &Object, types: &[Value], request: &Request) -> Value {
    let mappings: Vec<Value> = types
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry["layoutId"] = json!(layout_id(org));
            entry["picklistsForRecordType"] = json!([]);
            entry["urls"]["layout"] = json!(format!(
                "/services/data/v{}.0/sobjects/{}/describe/layouts/{}",
                request.version,
                object.name,
                entry["recordTypeId"].as_str().unwrap_or(MASTER)
            ));
            entry
        })
        .collect();
    json!({
        "layouts": [layout(org, object)],
        "recordTypeMappings": mappings,
        "recordTypeSelectorRequired": [types.len() > 1],
    })
}

/// The one page layout that the org has for every object.
fn layout_id(org: &Org) -> String {
    Id::new("00h", org.instance, 1).to_string()
}

fn layout(org: &Org, object: &Object) -> Value {
    let section = section(object);
    json!({
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": [section],
        "editLayoutSections": [section],
        "feedView": null,
        "highlightsPanelLayout": null,
        "id": layout_id(org),
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedContent": null,
        "relatedLists": [],
        "saveOptions": [],
    })
}

/// Two fields in a row.
fn section(object: &Object) -> Value {
    let fields: Vec<&Field> =
        object.visible_fields().filter(|field| field.createable || field.updateable).collect();
    let rows: Vec<Value> = fields
        .chunks(2)
        .map(|pair| {
            let items: Vec<Value> = pair.iter().map(|field| layout_item(object, field)).collect();
            json!({"layoutItems": items, "numItems": items.len()})
        })
        .collect();
    json!({
        "collapsed": false,
        "columns": 2,
        "heading": format!("{} Information", object.label),
        "layoutRows": rows,
        "rows": rows.len(),
        "tabOrder": "TOP_TO_BOTTOM",
        "useCollapsibleSection": false,
        "useHeading": true,
    })
}

fn layout_item(object: &Object, field: &Field) -> Value {
    json!({
        "editableForNew": field.createable,
        "editableForUpdate": field.updateable,
        "label": field.label,
        "layoutComponents": [{
            "details": describe::field(object, field),
            "displayLines": 1,
            "tabOrder": field.index,
            "type": "Field",
            "value": field.name,
        }],
        "placeholder": false,
        "required": field.required(),
    })
}

fn compact_layouts(object: &Object, types: &[Value], request: &Request) -> Value {
    let mappings: Vec<Value> = types
        .iter()
        .map(|entry| {
            json!({
                "available": entry["available"],
                "compactLayoutId": null,
                "compactLayoutName": "SYSTEM",
                "recordTypeId": entry["recordTypeId"],
                "recordTypeName": entry["name"],
                "urls": {"compactLayout": format!(
                    "/services/data/v{}.0/sobjects/{}/describe/compactLayouts/{}",
                    request.version,
                    object.name,
                    entry["recordTypeId"].as_str().unwrap_or(MASTER)
                )},
            })
        })
        .collect();
    let name = object.field("Name").map(|field| layout_item(object, field));
    json!({
        "compactLayouts": [{
            "actions": [],
            "fieldItems": name.into_iter().collect::<Vec<_>>(),
            "id": null,
            "imageItems": [],
            "label": "System Default",
            "name": "SYSTEM",
            "objectType": object.name,
        }],
        "defaultCompactLayoutId": null,
        "recordTypeCompactLayoutMappings": mappings,
        "urls": {"primary": format!("/services/data/v{}.0/sobjects/{}/describe/compactLayouts/primary", request.version, object.name)},
    })
}
