//! What the org says about itself: resources, limits, objects and their fields.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    cell::Cell,
    conditions::State,
    crm::record_types,
    errors::Refusal,
    ids::Id,
    layouts,
    org::Org,
    request::{Body, Reply, Request},
    schema::{Field, Kind, Object, OnDelete, PicklistValue},
};

/// Documents that are large and do not change, by their path.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<String, (String, Arc<Value>)>>);

/// `GET /services/data/v66.0/`
pub(crate) fn resources(org: &Org, request: &Request) -> Reply {
    let base = format!("/services/data/v{}.0", request.version);
    let mut body = Map::new();
    for name in
        ["composite", "limits", "parameterizedSearch", "query", "queryAll", "search", "sobjects", "tooling"]
    {
        body.insert(name.into(), json!(format!("{base}/{name}")));
    }
    body.insert("identity".into(), json!(format!("{}/id/{}/{}", request.base, org.id, request.actor.user)));
    Reply::json(200, Value::Object(body))
}

/// `GET /limits`
pub(crate) fn limits(org: &Org, request: &Request) -> Reply {
    let limit = |max: u64, used: u64| json!({"Max": max, "Remaining": max.saturating_sub(used)});
    let mut daily = limit(request.usage.max, request.usage.used);
    if let Some((usage, app)) = request.usage.app.and_then(|usage| Some((usage, org.apps.get(usage.index)?)))
    {
        daily[app.name()] = limit(usage.max, usage.used);
    }
    Reply::json(
        200,
        json!({
            "ConcurrentAsyncGetReportInstances": limit(200, 0),
            "DailyApiRequests": daily,
            "DailyAsyncApexExecutions": limit(250_000, 0),
            "DailyBulkApiBatches": limit(15_000, 0),
            "DailyBulkV2QueryFileStorageMB": limit(976_562, 0),
            "DailyBulkV2QueryJobs": limit(10_000, 0),
            "DailyDeliveredPlatformEvents": limit(50_000, 0),
            "DataStorageMB": limit(10_240, 0),
            "FileStorageMB": limit(10_240, 0),
            "HourlyPublishedPlatformEvents": limit(250_000, 0),
            "MassEmail": limit(5_000, 0),
            "PermissionSets": {"Max": 1_500, "Remaining": 1_500, "CreateCustom": limit(1_000, 0)},
            "SingleEmail": limit(5_000, 0),
            "StreamingApiConcurrentClients": limit(2_000, 0),
        }),
    )
}

/// `GET /limits/recordCount?sObjects=User`: objects without rows are left out.
pub(crate) fn record_count(org: &Org, request: &Request) -> Reply {
    let wanted = request.parameter("sObjects");
    let wanted: Option<Vec<&str>> = wanted.map(|names| names.split(',').map(str::trim).collect());
    let counts: Vec<Value> = org
        .schema
        .objects
        .iter()
        .filter(|o| {
            wanted.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&o.name)))
        })
        .map(|object| (org.table(object).len(), object))
        .filter(|(count, _)| *count > 0)
        .map(|(count, object)| json!({"count": count, "name": object.name}))
        .collect();
    Reply::json(200, json!({"sObjects": counts}))
}

/// `GET /sobjects`
pub(crate) fn global(org: &Org, request: &Request) -> Reply {
    kept(org, request, |version| {
        let objects: Vec<Value> =
            org.schema.objects.iter().map(|object| Value::Object(summary(object, version))).collect();
        json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
    })
}

/// `GET /sobjects/User`
pub(crate) fn info(org: &Org, name: &str, request: &Request) -> Reply {
    match org.schema.object(name) {
        None => Refusal::not_found().into(),
        Some(object) => {
            let rows = org.table(object).iter().take(5);
            let recent: Vec<Value> = rows.map(|(_, row)| layouts::item(object, row, request)).collect();
            let describe = Value::Object(summary(object, request.version));
            Reply::json(200, json!({"objectDescribe": describe, "recentItems": recent}))
        }
    }
}

/// `GET /sobjects/User/describe`
pub(crate) fn object(org: &Org, name: &str, request: &Request) -> Reply {
    match org.schema.object(name) {
        None => Refusal::not_found().into(),
        Some(object) => kept(org, request, |version| full(org, object, request.actor.user, version)),
    }
}

/// A document with `ETag` and `Last-Modified`, or 304 to a caller that has it.
fn kept(org: &Org, request: &Request, make: impl FnOnce(u16) -> Value) -> Reply {
    let key = format!("{} {}", request.version, request.path.join("/").to_ascii_lowercase());
    let mut kept = org.described.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (etag, document) = kept
        .entry(key)
        .or_insert_with(|| {
            let document = make(request.version);
            let mut hasher = DefaultHasher::new();
            document.to_string().hash(&mut hasher);
            (format!("\"{:08x}\"", hasher.finish() & 0xffff_ffff), Arc::new(document))
        })
        .clone();
    drop(kept);
    let changed = Timestamp::from_second(org.described_at.div_euclid(1_000)).unwrap_or_default();
    let state = State { tag: Some(etag), changed: Some(changed) };
    state.settled(&request.headers, true).unwrap_or_else(|| Reply {
        status: 200,
        body: Body::Shared(document),
        headers: state.headers(),
    })
}

/// The flags of an object, in the order of the recorded global describe.
fn summary(object: &Object, version: u16) -> Map<String, Value> {
    let base = format!("/services/data/v{version}.0/sobjects/{}", object.name);
    let mut urls = Map::new();
    if object.layoutable {
        for (name, path) in [
            ("compactLayouts", "/describe/compactLayouts"),
            ("rowTemplate", "/{ID}"),
            ("namedLayouts", "/describe/namedLayouts"),
            ("passwordUtilities", "/{ID}/password"),
            ("describe", "/describe"),
            ("quickActions", "/quickActions"),
            ("layouts", "/describe/layouts"),
            ("sobject", ""),
        ] {
            urls.insert(name.into(), json!(format!("{base}{path}")));
        }
    } else {
        for (name, path) in [("rowTemplate", "/{ID}"), ("describe", "/describe"), ("sobject", "")] {
            urls.insert(name.into(), json!(format!("{base}{path}")));
        }
    }
    let entry = json!({
        "activateable": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "createable": object.createable,
        "custom": false,
        "customSetting": false,
        "deepCloneable": false,
        "deletable": object.deletable,
        "deprecatedAndHidden": false,
        "feedEnabled": object.name == "User",
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": if object.key_prefix.is_empty() { Value::Null } else { json!(object.key_prefix) },
        "label": object.label,
        "labelPlural": object.label_plural,
        "layoutable": object.layoutable,
        "mergeable": false,
        "mruEnabled": object.layoutable,
        "name": object.name,
        "queryable": object.queryable,
        "replicateable": object.replicateable,
        "retrieveable": object.retrieveable,
        "searchable": object.searchable,
        "triggerable": object.triggerable,
        "undeletable": object.undeletable,
        "updateable": object.updateable,
        "urls": urls,
    });
    match entry {
        Value::Object(entry) => entry,
        _ => Map::new(),
    }
}

pub(crate) fn full(org: &Org, object: &Object, user: Id, version: u16) -> Value {
    let mut describe = summary(object, version);
    let fields: Vec<Value> = object.visible_fields().map(|own| field(object, own)).collect();
    let more = json!({
        "actionOverrides": [],
        "childRelationships": children(org, object),
        "compactLayoutable": object.layoutable,
        "defaultImplementation": null,
        "extendedBy": null,
        "extendsInterfaces": null,
        "fields": fields,
        "implementedBy": null,
        "implementsInterfaces": null,
        "listviewable": null,
        "lookupLayoutable": null,
        "namedLayoutInfos": [],
        "networkScopeFieldName": null,
        "recordTypeInfos": record_types::infos(org, object, user, version),
        "searchLayoutable": object.searchable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": "All", "name": "everything"}],
    });
    if let Value::Object(more) = more {
        describe.extend(more);
    }
    describe.sort_keys();
    Value::Object(describe)
}

/// The record types of an object as the calling user sees them.
pub(crate) fn record_types(org: &Org, object: &Object, request: &Request) -> Vec<Value> {
    record_types::infos(org, object, request.actor.user, request.version)
}

fn children(org: &Org, object: &Object) -> Vec<Value> {
    let mut children = Vec::new();
    for other in &org.schema.objects {
        for field in other.visible_fields().filter(|field| field.reference_to.contains(&object.name)) {
            children.push(json!({
                "cascadeDelete": field.on_delete == OnDelete::Cascade,
                "childSObject": other.name,
                "deprecatedAndHidden": false,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.child_relationship,
                "restrictedDelete": field.on_delete == OnDelete::Restrict,
            }));
        }
    }
    children
}

/// Keys of a field that say the same of every field here.
const ALWAYS_FALSE: [&str; 14] = [
    "aiPredictionField",
    "autoNumber",
    "calculated",
    "cascadeDelete",
    "deprecatedAndHidden",
    "displayLocationInDecimal",
    "encrypted",
    "formulaTreatNullNumberAsZero",
    "highScaleNumber",
    "htmlFormatted",
    "queryByDistance",
    "restrictedDelete",
    "searchPrefilterable",
    "writeRequiresMasterRead",
];
const ALWAYS_NULL: [&str; 8] = [
    "calculatedFormula",
    "defaultValueFormula",
    "filteredLookupInfo",
    "inlineHelpText",
    "mask",
    "maskType",
    "referenceTargetField",
    "relationshipOrder",
];

/// The 57 keys of a field, every one present on every field.
pub(crate) fn field(object: &Object, field: &Field) -> Value {
    let text = field.kind.is_text();
    let length = if text || field.kind.is_id() { field.length } else { 0 };
    let byte_length = if field.kind.is_id() { 18 } else { 3 * length };
    let digits = if field.kind == Kind::Int { field.length } else { 0 };
    let (precision, scale) = field.precision().unwrap_or_default();
    let default = match (&field.default, field.kind) {
        (_, Kind::Boolean) => json!(field.default.as_bool()),
        (Cell::Null, _) => Value::Null,
        (cell, _) => cell.to_json(),
    };
    let controller = field.controller.as_ref().and_then(|name| object.field(name));
    let picklist: Vec<Value> = field.picklist.iter().map(|value| picklist_value(value, controller)).collect();
    let compound = match field.name.as_str() {
        _ if field.compound.is_some() => json!(field.compound),
        "FirstName" | "LastName" | "MiddleName" | "Suffix" => json!("Name"),
        "Street" | "City" | "State" | "PostalCode" | "Country" | "StateCode" | "CountryCode" | "Latitude"
        | "Longitude" | "GeocodeAccuracy" => json!("Address"),
        _ => Value::Null,
    };
    let shown = json!({
        "aggregatable": field.is_aggregatable(),
        "byteLength": byte_length,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": compound,
        "controllerName": controller.map(|controller| &controller.name),
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": default,
        "defaultedOnCreate": field.defaulted_on_create,
        "dependentPicklist": controller.is_some(),
        "digits": digits,
        "externalId": field.external_id,
        "extraTypeInfo": if field.kind == Kind::TextArea { json!("plaintextarea") } else { Value::Null },
        "filterable": field.filterable,
        "groupable": field.is_groupable(),
        "idLookup": field.id_lookup,
        "label": field.label,
        "length": length,
        "name": field.name,
        "nameField": field.name == "Name",
        "namePointing": field.reference_to.len() > 1,
        "nillable": field.nillable,
        "permissionable": field.nillable && (field.createable || field.updateable),
        "picklistValues": picklist,
        "polymorphicForeignKey": field.reference_to.len() > 1,
        "precision": precision,
        "referenceTo": field.reference_to,
        "relationshipName": field.relationship,
        "restrictedPicklist": field.restricted,
        "scale": scale,
        "soapType": soap_type(field.kind),
        "sortable": field.is_sortable(),
        "type": field.kind_name,
        "unique": field.unique,
        "updateable": field.updateable,
    });
    let mut all: Map<String, Value> =
        ALWAYS_FALSE.iter().map(|name| ((*name).to_owned(), json!(false))).collect();
    all.extend(ALWAYS_NULL.iter().map(|name| ((*name).to_owned(), Value::Null)));
    if let Value::Object(shown) = shown {
        all.extend(shown);
    }
    all.sort_keys();
    Value::Object(all)
}

fn picklist_value(value: &PicklistValue, controller: Option<&Field>) -> Value {
    json!({
        "active": true,
        "defaultValue": value.default,
        "label": value.label,
        "validFor": controller.map(|controller| valid_for(value, controller)),
        "value": value.value,
    })
}

/// One bit for each entry of the controlling picklist, the first one highest, in base64.
fn valid_for(value: &PicklistValue, controller: &Field) -> String {
    let mut bits = vec![0_u8; controller.picklist.len().div_ceil(8)];
    for (at, entry) in controller.picklist.iter().enumerate() {
        if value.controlled_by.as_ref().is_none_or(|by| *by == entry.value) {
            bits[at / 8] |= 0x80 >> (at % 8);
        }
    }
    BASE64_STANDARD.encode(bits)
}

fn soap_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Reference => "tns:ID",
        Kind::Boolean => "xsd:boolean",
        Kind::Int => "xsd:int",
        Kind::Double => "xsd:double",
        Kind::Date => "xsd:date",
        Kind::DateTime => "xsd:dateTime",
        Kind::Address => "urn:address",
        _ => "xsd:string",
    }
}
