//! Conditional headers: a read of what has not changed, a write of what has.
//!
//! Times work on every record that has `LastModifiedDate`; entity tags on accounts alone.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};

use crate::{
    cell::{Cell, Row},
    errors::Refusal,
    ids::Id,
    org::Org,
    request::{Body, Headers, Reply, Request},
    schema::Object,
};

/// What a caller may compare with what it has.
pub(crate) struct State {
    /// Of a row of Account, or of a document such as a describe.
    pub(crate) tag: Option<String>,
    /// When it last changed, in whole seconds.
    pub(crate) changed: Option<Timestamp>,
}

impl State {
    /// The state of a record.
    pub(crate) fn of(object: &Object, row: &Row) -> Self {
        let time = |name: &str| match object.field(name).map(|field| row.get(field.index)) {
            Some(Cell::Time(at)) => Timestamp::from_second(at.div_euclid(1_000)).ok(),
            _ => None,
        };
        let changed = time("LastModifiedDate").or_else(|| time("SystemModstamp"));
        let tag = (object.name == "Account").then(|| {
            let mut hasher = DefaultHasher::new();
            for field in object.visible_fields() {
                row.get(field.index).to_json().to_string().hash(&mut hasher);
            }
            // Recorded tags are 20 bytes in base 64.
            let hash = hasher.finish().to_be_bytes().repeat(3);
            format!("\"{}\"", STANDARD.encode(&hash[..20]))
        });
        Self { tag, changed }
    }

    /// The headers that tell the state.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(2);
        headers.extend(self.tag.clone().map(|tag| ("ETag", tag)));
        headers.extend(self.changed.map(|at| ("Last-Modified", http_date(at))));
        headers
    }

    /// The answer that the conditions alone give: 304, 412, or 400 for one that cannot be read. A tag
    /// counts more than a time (RFC 9110 §13.2.2).
    pub(crate) fn settled(&self, headers: &Headers, is_read: bool) -> Option<Reply> {
        let tag = self.tag.as_ref();
        let holds = |tags: &String| tag.is_some_and(|tag| matches(tags, tag));
        let not_since = |time: &String| -> Result<Option<bool>, Refusal> {
            let time = rfc2822::parse(time).map_err(|_| unreadable(time))?.timestamp();
            Ok(self.changed.map(|changed| changed <= time))
        };
        let held = match (&headers.if_match, &headers.if_unmodified_since) {
            (Some(tags), _) if tag.is_some() => Ok(Some(holds(tags))),
            (_, Some(time)) => not_since(time),
            _ => Ok(None),
        };
        match held {
            Err(refusal) => return Some(refusal.into()),
            Ok(Some(false)) => return Some(failed().into()),
            Ok(_) => {}
        }
        let same = match (&headers.if_none_match, &headers.if_modified_since) {
            (Some(tags), _) if tag.is_some() => Ok(holds(tags)),
            (_, Some(time)) if is_read => not_since(time).map(|same| same == Some(true)),
            _ => Ok(false),
        };
        match same {
            Err(refusal) => Some(refusal.into()),
            Ok(false) => None,
            Ok(true) if is_read => Some(Reply { status: 304, body: Body::Empty, headers: self.headers() }),
            Ok(true) => Some(failed().into()),
        }
    }
}

/// Refuses a write to a record that is not as the caller thinks.
pub(crate) fn unchanged(org: &Org, object: &Object, id: Id, request: &Request) -> Result<(), Refusal> {
    let Some(row) = org.table(object).get(id) else { return Ok(()) };
    match State::of(object, row).settled(&request.headers, false) {
        Some(reply) if reply.status == 412 => Err(failed()),
        Some(_) => {
            let sent = request.headers.if_unmodified_since.clone().unwrap_or_default();
            Err(unreadable(&sent))
        }
        None => Ok(()),
    }
}

/// Tags stand in a list; a `-gzip` at the end names the form of the body, not the record.
fn matches(tags: &str, own: &str) -> bool {
    let bare = |tag: &str| {
        tag.trim().trim_start_matches("W/").trim_matches('"').trim_end_matches("-gzip").to_owned()
    };
    tags.trim() == "*" || tags.split(',').any(|tag| bare(tag) == bare(own))
}

fn failed() -> Refusal {
    Refusal::call(412, "PRECONDITION_FAILED", "A precondition of the request headers does not hold")
}

fn unreadable(value: &str) -> Refusal {
    Refusal::call(400, "INVALID_HTTP_HEADER", format!("Invalid date in a request header: {value}"))
}

/// `Thu, 05 Mar 2026 16:10:00 GMT`
pub(crate) fn http_date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
