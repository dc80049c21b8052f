//! Plays a sequence of requests as an identity tool sent them, and holds every answer against what it should be.
//!
//! A sequence is a TOML file: a title, the token, and `[[request]]`s in order, each with `method`, `path` (below the SCIM
//! base), `headers`, `body`, `save` (a name for a member of the answer, or for what a JSON pointer finds in it, used later
//! as `{{name}}`) and `expect`: `status`, `headers` (a part of the value), `body` (see [`crate::expect`]), `salesforce`
//! (which records have which fields) and `calls` (how many API calls it costs).
//!
//! A tool that logs in has `token = "{{access_token}}"` and saves that name from the answer of a request with
//! `login = true`, whose path is below the host and which carries no token.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Org, Tool, expect};

/// A sequence of requests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it shows.
    pub title: String,
    /// The client in the configuration beside it.
    pub client: String,
    /// Its token; the name of a saved one for a tool that logs in.
    pub token: String,
    /// The SCIM base; the short one unless said.
    #[serde(default = "short_base")]
    pub base: String,
    request: Vec<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    method: String,
    path: String,
    /// Whether it goes to the token endpoint.
    #[serde(default)]
    login: bool,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    salesforce: Vec<Record>,
    calls: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    object: String,
    #[serde(rename = "where")]
    which: BTreeMap<String, Value>,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
}

fn short_base() -> String {
    "/scim/v2".to_owned()
}

impl Sequence {
    /// Reads a sequence.
    ///
    /// # Panics
    ///
    /// When the file is no sequence.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Plays it against a gateway and its org.
    ///
    /// # Panics
    ///
    /// At the first answer that is not as it should be, with the request's name.
    pub async fn play(&self, gateway: &str, org: &Org) {
        let mut saved = BTreeMap::new();
        for request in &self.request {
            let tool = if request.login {
                Tool::new(gateway, "")
            } else {
                Tool::new(&format!("{gateway}{}", self.base), &fill(&self.token, &saved))
            };
            if let Err(wrong) = request.play(&tool, org, &mut saved).await {
                panic!("{}: {}: {wrong}", self.title, request.name);
            }
        }
    }
}

impl Request {
    async fn play(&self, tool: &Tool, org: &Org, saved: &mut BTreeMap<String, String>) -> Result<(), String> {
        let filled: Vec<_> = self.headers.iter().map(|(name, value)| (name, fill(value, saved))).collect();
        let headers: Vec<_> = filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = self.body.as_ref().map(|body| fill(body, saved).into_bytes());
        let before = org.calls().await;
        let answer = tool
            .send(&self.method, &fill(&self.path, saved), &headers, body)
            .await
            .map_err(|error| error.to_string())?;
        if answer.status != self.expect.status {
            return Err(format!("expected {}, found {}: {}", self.expect.status, answer.status, answer.text));
        }
        for (name, part) in &self.expect.headers {
            if !answer.header(name).is_some_and(|value| value.contains(part)) {
                return Err(format!("header {name}: expected {part}, found {:?}", answer.header(name)));
            }
        }
        if let Some(expected) = &self.expect.body {
            let expected: Value =
                serde_json::from_str(&fill(expected, saved)).map_err(|error| error.to_string())?;
            expect::contains(&answer.json(), &expected)?;
        }
        for (name, member) in &self.save {
            let answer = answer.json();
            let value = if member.starts_with('/') { answer.pointer(member) } else { answer.get(member) };
            let value = value.and_then(Value::as_str).ok_or(format!("no {member} to save"))?;
            saved.insert(name.clone(), value.to_owned());
        }
        for record in &self.expect.salesforce {
            record.check(org, saved).await?;
        }
        let calls = org.calls().await.api - before.api;
        if let Some(expected) = self.expect.calls.filter(|expected| *expected != calls) {
            return Err(format!("expected {expected} API calls, found {calls}"));
        }
        Ok(())
    }
}

impl Record {
    /// Exactly one record is meant, and it has these fields.
    pub(crate) async fn check(&self, org: &Org, saved: &BTreeMap<String, String>) -> Result<(), String> {
        let filled = |fields: &BTreeMap<String, Value>| -> Map<String, Value> {
            fields.iter().map(|(name, value)| (name.clone(), fill_value(value, saved))).collect()
        };
        let which = filled(&self.which);
        let records = org.records(&self.object).await;
        let mut meant =
            records.iter().filter(|record| which.iter().all(|(name, value)| record.get(name) == Some(value)));
        let (Some(record), None) = (meant.next(), meant.next()) else {
            return Err(format!("expected one {} with {which:?}", self.object));
        };
        expect::contains(&Value::Object(record.clone()), &Value::Object(filled(&self.fields)))
            .map_err(|wrong| format!("{} {which:?}: {wrong}", self.object))
    }
}

fn fill_value(value: &Value, saved: &BTreeMap<String, String>) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| Value::from(fill(text, saved)))
}

fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}
