//! A transmitter of Shared Signals and SCIM events, simulated: it describes itself, has a key set, streams, a queue that is polled,
//! and a SCIM API from which resources are read.

#![expect(clippy::needless_pass_by_value, reason = "stories are easier to read with values in their place")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use model::Clock;
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{
    http::{Asked, Reply, Server},
    token,
};
use crate::{Answered, Tool};

/// `Authorization` of its pushes.
pub const PUSHES_WITH: &str = "Bearer of-the-transmitter";
/// What it gives Gangway to call its API with.
const ACCESS_TOKEN: &str = "access-to-the-transmitter";
const CLIENT_ID: &str = "gangway-at-the-transmitter";
const CLIENT_SECRET: &str = "very-secret-of-gangway";
/// The path of its issuer: its description stands at the well-known place before it.
const PATH: &str = "/signals";
const MEDIA_TYPE: &str = "application/secevent+jwt";
/// What its streams' tokens are for.
pub const STREAM_AUDIENCE: &str = "urn:example:gangway-stream";

/// How the URIs of events begin.
pub const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
/// How the URIs of events begin.
pub const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
/// How the URIs of events begin.
pub const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// A simulated transmitter.
pub struct Transmitter {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    base: String,
    streams: Vec<Value>,
    /// Added to what it says of a new stream.
    stream_says: BTreeMap<String, Value>,
    critical: Option<Vec<String>>,
    /// The one way in which it delivers. None: both.
    delivers_by: Option<&'static str>,
    /// Given out until they are acknowledged, in the order of their numbers.
    queue: BTreeMap<u64, (String, String)>,
    numbers: u64,
    /// How many requests for verification it does not take.
    verify_faults: usize,
    /// What it answers polls instead.
    poll_fault: Option<Reply>,
    /// What it answers instead where it does not have a SCIM resource.
    scim_fault: Option<Reply>,
    /// SCIM resources by path.
    resources: BTreeMap<String, Value>,
    asked: Vec<(Instant, Asked)>,
}

/// A token before it is signed.
#[derive(Clone, Debug)]
pub struct Set {
    /// The claims.
    pub claims: Value,
    /// The key that it is signed with, by its place; the third one is not published.
    pub key: usize,
}

impl Set {
    /// With another claim; `null`: without it.
    #[must_use]
    pub fn with(mut self, claim: &str, value: Value) -> Self {
        let claims = self.claims.as_object_mut().expect("claims are an object");
        if value.is_null() {
            claims.remove(claim);
        } else {
            claims.insert(claim.to_owned(), value);
        }
        self
    }

    /// It happened so many seconds later.
    #[must_use]
    pub fn later(self, seconds: i64) -> Self {
        let at = self.claims["iat"].as_i64().expect("a time") + seconds;
        self.with("toe", json!(at))
    }

    /// Signed with another key.
    #[must_use]
    pub fn signed_by(self, key: usize) -> Self {
        Self { key, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn jti(&self) -> &str {
        self.claims["jti"].as_str().expect("it has a name")
    }

    /// In the form that is sent.
    #[must_use]
    pub fn signed(&self) -> String {
        let key = &token::keys()[self.key];
        key.sign(&json!({"typ": "secevent+jwt", "alg": "RS256", "kid": key.kid()}), &self.claims)
    }
}

impl Transmitter {
    /// Starts one without streams and events.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::start({
            let state = Arc::clone(&state);
            move |asked| lock(&state).answer(asked)
        })
        .await;
        lock(&state).base = server.url();
        Self { server, state }
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}{PATH}", self.server.url())
    }

    /// The files that its sections name.
    #[must_use]
    pub fn secrets() -> [(String, String); 2] {
        [
            ("pushes-with".to_owned(), PUSHES_WITH.to_owned()),
            ("transmitter-secret".to_owned(), CLIENT_SECRET.to_owned()),
        ]
    }

    /// Its table in a configuration, where it pushes to `audience` and Gangway reads its own description.
    #[must_use]
    pub fn section(&self, audience: &str) -> Table {
        Table::from_iter([
            ("issuer".to_owned(), Toml::from(self.issuer())),
            ("audience".to_owned(), Toml::from(audience)),
            ("authorization".to_owned(), file("pushes-with")),
        ])
    }

    /// The same where Gangway polls.
    #[must_use]
    pub fn polled_section(&self, audience: &str) -> Table {
        Table::from_iter([
            ("issuer".to_owned(), Toml::from(self.issuer())),
            ("audience".to_owned(), Toml::from(audience)),
            ("delivery".to_owned(), Toml::from("poll")),
            ("poll-url".to_owned(), Toml::from(format!("{}/poll", self.server.url()))),
        ])
    }

    /// Who Gangway is at its API, with which it makes the stream.
    #[must_use]
    pub fn api(&self) -> Table {
        Table::from_iter([
            ("token-url".to_owned(), Toml::from(format!("{}/token", self.server.url()))),
            ("client-id".to_owned(), Toml::from(CLIENT_ID)),
            ("client-secret".to_owned(), file("transmitter-secret")),
        ])
    }

    /// Its table as a publisher of SCIM events.
    #[must_use]
    pub fn scim_section(&self, audience: &str) -> Table {
        let publisher = Table::from_iter([("url".to_owned(), Toml::from(self.scim_base()))]);
        let mut section = self.section(audience);
        section.insert("jwks-uri".to_owned(), Toml::from(format!("{}/jwks", self.server.url())));
        section.insert("publisher".to_owned(), Toml::from(publisher));
        section
    }

    /// The base of its SCIM API.
    #[must_use]
    pub fn scim_base(&self) -> String {
        format!("{}/scim/v2", self.server.url())
    }

    /// It has this resource; `null`: it has none.
    pub fn resource(&self, path: &str, resource: &Value) {
        let mut state = lock(&self.state);
        let path = format!("/scim/v2{path}");
        if resource.is_null() {
            state.resources.remove(&path);
        } else {
            state.resources.insert(path, resource.clone());
        }
    }

    /// What it says of streams that are made from now on, beside the usual.
    pub fn say_of_streams(&self, name: &str, value: Value) {
        lock(&self.state).stream_says.insert(name.to_owned(), value);
    }

    /// It delivers in one way only.
    pub fn delivers_by(&self, method: &'static str) {
        lock(&self.state).delivers_by = Some(method);
    }

    /// Members of complex subjects that must not be left out of account.
    pub fn critical(&self, members: &[&str]) {
        lock(&self.state).critical = Some(members.iter().map(|&member| member.to_owned()).collect());
    }

    /// The streams that were made.
    #[must_use]
    pub fn streams(&self) -> Vec<Value> {
        lock(&self.state).streams.clone()
    }

    /// The streams are gone.
    pub fn forget_streams(&self) {
        lock(&self.state).streams.clear();
    }

    /// So many requests for verification are refused from now on.
    pub fn refuse_to_verify(&self, times: usize) {
        lock(&self.state).verify_faults = times;
    }

    /// What it answers polls instead; nothing: what it has.
    pub fn poll_fault(&self, fault: Option<Reply>) {
        lock(&self.state).poll_fault = fault;
    }

    /// What it answers instead where it does not have a SCIM resource; nothing: a SCIM error.
    pub fn scim_fault(&self, fault: Option<Reply>) {
        lock(&self.state).scim_fault = fault;
    }

    /// What was asked of a path, and when.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<(Instant, Asked)> {
        let is_it = |asked: &Asked| asked.path.split('?').next() == Some(path);
        lock(&self.state).asked.iter().filter(|(_, asked)| is_it(asked)).cloned().collect()
    }

    /// The bodies of what was asked of a path.
    #[must_use]
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        let asked = self.asked(path);
        asked.iter().map(|(_, asked)| serde_json::from_str(&asked.body).unwrap_or_default()).collect()
    }

    /// A token that says this of somebody.
    #[must_use]
    pub fn event(&self, uri: &str, sub_id: &Value, said: Value, audience: &str) -> Set {
        let now = Clock::system().now().as_second();
        let mut state = lock(&self.state);
        state.numbers += 1;
        // No two transmitters have one name for two events.
        let name = format!("{}-{}", state.base.rsplit(':').next().unwrap_or_default(), state.numbers);
        Set {
            claims: json!({
                "iss": format!("{}{PATH}", state.base), "aud": audience, "iat": now,
                "jti": format!("set-{name}"), "txn": format!("txn-{name}"),
                "sub_id": sub_id, "events": {uri: said},
            }),
            key: 0,
        }
    }

    /// Keeps a token for whoever polls.
    pub fn queue(&self, set: &Set) {
        let mut state = lock(&self.state);
        state.numbers += 1;
        let number = state.numbers;
        state.queue.insert(number, (set.jti().to_owned(), set.signed()));
    }

    /// How many tokens are not acknowledged yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.state).queue.len()
    }

    /// Pushes a token.
    pub async fn push(&self, to: &str, set: &Set) -> Answered {
        push(to, &set.signed(), Some(PUSHES_WITH)).await
    }
}

/// Pushes a body, with or without `Authorization`.
pub async fn push(to: &str, body: &str, authorization: Option<&str>) -> Answered {
    let mut headers = vec![("content-type", MEDIA_TYPE), ("accept", "application/json")];
    headers.extend(authorization.map(|authorization| ("authorization", authorization)));
    Tool::new(to, "")
        .send("POST", "", &headers, Some(body.as_bytes().to_vec()))
        .await
        .expect("the gateway answers")
}

fn file(name: &str) -> Toml {
    Toml::from(Table::from_iter([("file".to_owned(), Toml::from(name))]))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Reply {
        self.asked.push((Instant::now(), asked.clone()));
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        if path == format!("/.well-known/ssf-configuration{PATH}") {
            return Reply::json(&self.describe());
        }
        if let Some(resource) = self.resources.get(&path) {
            return Reply::json(resource);
        }
        match (asked.method.as_str(), path.as_str()) {
            ("GET", "/jwks") => {
                let keys: Vec<Value> = token::keys()[..2].iter().map(token::Key::jwk).collect();
                Reply::json(&json!({"keys": keys}))
            }
            ("POST", "/token") => Self::grant(asked),
            ("POST", "/poll") => self.poll(&body),
            (_, "/streams" | "/status" | "/verify")
                if asked.header("authorization") != Some(&format!("Bearer {ACCESS_TOKEN}")) =>
            {
                Reply::status(401, "{}")
            }
            ("GET", "/streams") => Reply::json(&json!(self.streams)),
            ("POST", "/streams") => self.make(&body),
            ("PATCH", "/streams") => self.change(&body),
            ("GET", "/status") if self.streams.is_empty() => Reply::status(404, "{}"),
            ("GET", "/status") => Reply::json(&json!({"status": "enabled"})),
            ("POST", "/verify") if self.verify_faults > 0 => {
                self.verify_faults -= 1;
                Reply::status(429, "{}")
            }
            ("POST", "/verify") => Reply::Answer(204, Vec::new(), String::new()),
            // RFC 7644 §3.12.
            ("GET", path) if path.starts_with("/scim/v2/") => self.scim_fault.clone().unwrap_or_else(|| {
                let schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"];
                Reply::status(404, &json!({"schemas": schemas, "status": "404"}).to_string())
            }),
            _ => Reply::status(404, "{}"),
        }
    }

    fn describe(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.base);
        let methods =
            self.delivers_by.map_or(vec!["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"], |one| vec![one]);
        json!({
            "issuer": at(PATH), "jwks_uri": at("/jwks"), "spec_version": "1_0",
            "delivery_methods_supported": methods,
            "configuration_endpoint": at("/streams"), "status_endpoint": at("/status"),
            "verification_endpoint": at("/verify"), "critical_subject_members": self.critical,
            "default_subjects": "ALL",
        })
    }

    fn grant(asked: &Asked) -> Reply {
        let is_ours = asked.header("authorization")
            == Some(&format!("Basic {}", crate::world::base64(&format!("{CLIENT_ID}:{CLIENT_SECRET}"))));
        if !is_ours || asked.form("grant_type").as_deref() != Some("client_credentials") {
            return Reply::status(401, "{}");
        }
        Reply::json(&json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600}))
    }

    fn make(&mut self, wanted: &Value) -> Reply {
        let mut stream = wanted.clone();
        stream["stream_id"] = json!(format!("stream-{}", self.streams.len() + 1));
        stream["iss"] = json!(format!("{}{PATH}", self.base));
        stream["aud"] = json!([STREAM_AUDIENCE]);
        stream["events_delivered"] = wanted["events_requested"].clone();
        if wanted["delivery"]["method"] == "urn:ietf:rfc:8936" {
            stream["delivery"]["endpoint_url"] = json!(format!("{}/poll", self.base));
        }
        for (name, value) in &self.stream_says {
            stream[name] = value.clone();
        }
        self.streams.push(stream.clone());
        Reply::Answer(201, vec![("content-type".into(), "application/json".into())], stream.to_string())
    }

    fn change(&mut self, wanted: &Value) -> Reply {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream["stream_id"] == wanted["stream_id"])
        else {
            return Reply::status(404, "{}");
        };
        for (name, value) in wanted.as_object().into_iter().flatten() {
            let polled_at = stream["delivery"]["endpoint_url"].clone();
            stream[name] = value.clone();
            if name == "delivery" && value.get("endpoint_url").is_none() {
                stream[name]["endpoint_url"] = polled_at;
            }
        }
        Reply::json(stream)
    }

    /// RFC 8936: what is acknowledged, or said to be wrong, is not given out again.
    fn poll(&mut self, body: &Value) -> Reply {
        if let Some(fault) = &self.poll_fault {
            return fault.clone();
        }
        let acknowledged: Vec<&str> =
            body["ack"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wrong = body["setErrs"].as_object();
        self.queue.retain(|_, (jti, _)| {
            !acknowledged.contains(&jti.as_str()) && !wrong.is_some_and(|wrong| wrong.contains_key(jti))
        });
        let most =
            body["maxEvents"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let mut sets = serde_json::Map::new();
        for (jti, token) in self.queue.values().take(most) {
            sets.insert(jti.clone(), json!(token));
        }
        let more = self.queue.len() > sets.len();
        Reply::json(&json!({"sets": sets, "moreAvailable": more}))
    }
}
