//! `/sobjects/X/updated` and `/sobjects/X/deleted`: the ids of what changed in a span of time.

use serde_json::{Value, json};

use crate::{
    cell::{Cell, datetime, parse_datetime},
    errors::Refusal,
    org::Org,
    request::{Reply, Request},
    schema::Object,
    sobjects,
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// How far back a span may start.
const WINDOW_MS: i64 = 30 * DAY_MS;
/// More ids than this are refused, so that the caller asks for shorter spans.
const MAX_IDS: usize = 600_000;

/// `GET /sobjects/X/updated/?start=&end=`
pub(crate) fn updated(org: &Org, name: &str, request: &Request) -> Reply {
    answer(org, name, request, |object, span| {
        let Some(stamp) = stamp_field(object) else { return Err(not_replicateable(object)) };
        let rows = org.table(object).iter().map(|(_, row)| row);
        let changed = rows.filter(|row| matches!(row.get(stamp), Cell::Time(at) if span.contains(at)));
        let ids: Vec<Value> = changed.map(|row| row.get(0).to_json()).collect();
        check_count(ids.len())?;
        Ok(json!({"ids": ids, "latestDateCovered": covered(span, request.actor.now)}))
    })
}

/// `GET /sobjects/X/deleted/?start=&end=`
pub(crate) fn deleted(org: &Org, name: &str, request: &Request) -> Reply {
    answer(org, name, request, |object, span| {
        let all = org.table(object).tombstones().map(|(_, stone)| stone);
        let records: Vec<Value> = all
            .filter(|stone| span.contains(&stone.at))
            .map(|stone| json!({"id": stone.id.to_string(), "deletedDate": datetime(stone.at)}))
            .collect();
        check_count(records.len())?;
        Ok(json!({
            "deletedRecords": records,
            "earliestDateAvailable": datetime(minute(request.actor.now - WINDOW_MS)),
            "latestDateCovered": covered(span, request.actor.now),
        }))
    })
}

/// From the first to before the second, in milliseconds.
type Span = std::ops::Range<i64>;

fn answer(
    org: &Org,
    name: &str,
    request: &Request,
    run: impl FnOnce(&Object, &Span) -> Result<Value, Refusal>,
) -> Reply {
    let body = sobjects::object(org, name).and_then(|object| {
        if !object.replicateable {
            return Err(not_replicateable(&object));
        }
        run(&object, &span(request)?)
    });
    match body {
        Ok(body) => Reply::json(200, body),
        Err(refusal) => refusal.into(),
    }
}

fn not_replicateable(object: &Object) -> Refusal {
    let message = format!("object type {} is not replicateable", object.name);
    Refusal::call(400, "INVALID_TYPE_FOR_OPERATION", message)
}

/// The span that a call asks for; seconds do not count.
fn span(request: &Request) -> Result<Span, Refusal> {
    let now = request.actor.now;
    let time = |name: &str| {
        // A plus sign that was not encoded has become a space.
        let text = request.parameter(name).map(|text| text.replace(' ', "+"));
        let text = text.ok_or_else(|| refusal(&format!("Missing required parameter: {name}")))?;
        parse_datetime(&text).map(minute).ok_or_else(|| refusal(&format!("Invalid date: {text}")))
    };
    let (start, end) = (time("start")?, time("end")?);
    if end - start < MINUTE_MS {
        return Err(refusal("startDate before endDate by at least one minute is required"));
    }
    if start < minute(now - WINDOW_MS) {
        return Err(refusal("startDate cannot be more than 30 days ago"));
    }
    if start > now {
        return Err(refusal("startDate cannot be in the future"));
    }
    Ok(start..end)
}

/// Where the next span should start. The running minute is not over: what changes in it later is missed
/// by nobody if what changed in it before is told twice.
fn covered(span: &Span, now: i64) -> String {
    datetime(span.end.min(minute(now)).max(span.start))
}

fn minute(at: i64) -> i64 {
    at - at.rem_euclid(MINUTE_MS)
}

fn refusal(message: &str) -> Refusal {
    Refusal::call(400, "INVALID_REPLICATION_DATE", message)
}

fn check_count(count: usize) -> Result<(), Refusal> {
    if count <= MAX_IDS {
        return Ok(());
    }
    let message = format!("exceeded max size of {MAX_IDS} ids; ask for a shorter span");
    Err(Refusal::call(400, "EXCEEDED_ID_LIMIT", message))
}

/// What says when a record last changed.
fn stamp_field(object: &Object) -> Option<usize> {
    ["SystemModstamp", "LastModifiedDate"].iter().find_map(|name| object.field(name)).map(|field| field.index)
}
