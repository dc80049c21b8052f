//! One call of the data API, or one part of a composite call: the same thing to every handler.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    errors::{Refusal, Refusals},
    faults::Faults,
    org::Actor,
    soql::Page,
};

/// What a handler gets.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path behind `/services/data/v66.0`, split and decoded; a trailing slash is gone.
    pub(crate) path: Vec<String>,
    pub(crate) version: u16,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Headers,
    pub(crate) body: Option<Value>,
    /// The body as it came, to say where in it something is wrong.
    pub(crate) source: Arc<str>,
    pub(crate) actor: Actor,
    pub(crate) usage: Usage,
    pub(crate) faults: Arc<Faults>,
    /// Where this server is reached, such as `http://127.0.0.1:8080`.
    pub(crate) base: Arc<str>,
    /// Somebody else holds the row that this call writes first.
    pub(crate) locked: bool,
}

/// The headers that mean something to a handler.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    pub(crate) if_none_match: Option<String>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_modified_since: Option<String>,
    pub(crate) if_unmodified_since: Option<String>,
    pub(crate) query_options: Option<String>,
    /// `Sforce-Auto-Assign`: FALSE, TRUE or the id of a rule.
    pub(crate) auto_assign: Option<String>,
    /// `Sforce-Duplicate-Rule-Header`: `allowSave=true`, ...
    pub(crate) duplicate_rules: Option<String>,
}

impl Headers {
    /// Takes them from wherever `get` finds a header by its lower-case name.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            if_match: get("if-match"),
            if_none_match: get("if-none-match"),
            if_modified_since: get("if-modified-since"),
            if_unmodified_since: get("if-unmodified-since"),
            query_options: get("sforce-query-options"),
            auto_assign: get("sforce-auto-assign"),
            duplicate_rules: get("sforce-duplicate-rule-header"),
        }
    }
}

/// Calls of the last 24 hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) used: u64,
    pub(crate) max: u64,
    /// The part of the app that calls, where apps are counted each by itself.
    pub(crate) app: Option<AppUsage>,
}

/// Calls of one app in the last 24 hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppUsage {
    pub(crate) used: u64,
    pub(crate) max: u64,
    /// Which of the org's apps.
    pub(crate) index: usize,
}

impl Request {
    pub(crate) fn is_get(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as an object.
    pub(crate) fn object_body(&self) -> Result<&serde_json::Map<String, Value>, Refusal> {
        match &self.body {
            Some(Value::Object(body)) => Ok(body),
            Some(_) => Err(Refusal::json("Unexpected token: an object is expected at [line:1, column:1]")),
            None => Err(no_body()),
        }
    }
}

/// A write without a body.
pub(crate) fn no_body() -> Refusal {
    Refusal::json("The HTTP entity body is required, but this request has no entity body.")
}

/// What a handler gives back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
}

pub(crate) enum Body {
    Empty,
    Json(Value),
    /// JSON that is kept, such as a describe.
    Shared(Arc<Value>),
    /// JSON still to be written, when no lock is held.
    Page(Box<Page>, u16),
    Html(&'static str),
    /// Text of another media type.
    Text(&'static str, String),
}

impl Body {
    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value,
            Self::Shared(value) => Value::clone(&value),
            Self::Page(page, version) => page.into_json(version),
            Self::Html(text) => Value::String(text.to_owned()),
            Self::Text(_, text) => Value::String(text),
        }
    }
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: Body::Empty, headers: Vec::new() }
    }

    pub(crate) fn refusals(refusals: &Refusals) -> Self {
        let status = refusals.first().map_or(400, |refusal| refusal.status);
        Self::json(status, refusals.iter().map(Refusal::to_body).collect())
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status < 400
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::refusals(&vec![refusal])
    }
}

/// A path split at its slashes, each part percent-decoded.
pub(crate) fn split_path(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path.split('/').skip_while(|part| part.is_empty()).map(decode).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parameters of a query string; `+` and `%20` both mean space.
pub(crate) fn split_query(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_before_they_are_decoded() {
        assert_eq!(split_path("/sobjects/User/Ext__c/a%2Fb%C3%A9/"), ["sobjects", "User", "Ext__c", "a/bé"]);
        assert_eq!(split_path("/query/"), ["query"]);
        assert_eq!(split_path("/a%zz%"), ["a%zz%"]);
        assert!(split_path("").is_empty());
        assert_eq!(split_query("q=a+b%20c%2Bd"), [("q".to_owned(), "a b c+d".to_owned())]);
    }
}
