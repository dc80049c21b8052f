//! Akamai Identity Cloud, simulated: a key set, profiles, and a webhook subscription.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Clock, Timestamp};
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{
    http::{Asked, Reply, Server},
    token::{self, Key},
};
use crate::{Answered, Tool, world};

/// `captureApplicationId` of the simulated environment.
pub const APPLICATION: &str = "app8exampleexampleexample1";
/// `captureClientId` of changes that nobody else has made.
pub const CLIENT: &str = "client7exampleexampleexample77ex";
/// Who profiles are asked for by.
pub const CLIENT_ID: &str = "reader9exampleexampleexample99ex";
/// Its secret.
pub const CLIENT_SECRET: &str = "very-secret-of-the-reader";
const CUSTOMER: &str = "5f0c1d2e-0000-4000-8000-0000000000aa";
const MEDIA_TYPE: &str = "application/secevent+jwt";

/// A simulated Akamai Identity Cloud.
pub struct Akamai {
    server: Server,
    state: Arc<Mutex<State>>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    /// By uuid.
    profiles: BTreeMap<String, Value>,
    /// The keys that are published, by their places in [`token::keys`].
    published: Vec<usize>,
    /// What `/entity` and `/entity.find` answer instead.
    fault: Option<Reply>,
    /// What the key set's address answers instead.
    key_fault: Option<Reply>,
    /// How long a profile takes.
    takes: Duration,
    /// Profiles that are in no list, though they are there.
    unlisted: Vec<String>,
    /// Attributes that the entity type does not have: who asks for one is refused.
    unknown: Vec<String>,
    asked: Vec<Asked>,
    numbers: i64,
}

/// A token before it is signed.
#[derive(Clone, Debug)]
pub struct Token {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    /// The key that it is signed with, by its place.
    pub key: usize,
}

impl Akamai {
    /// Starts one with no profiles, and with the first two keys published.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State { published: vec![0, 1], ..State::default() }));
        let server = Server::start({
            let state = Arc::clone(&state);
            move |asked| lock(&state).answer(asked)
        })
        .await;
        Self { server, state, numbers: AtomicU64::new(0) }
    }

    /// Its table in a configuration, for events to `audience`.
    #[must_use]
    pub fn section(&self, audience: &str, mapping: &str) -> Table {
        let secret = Table::from_iter([("file".to_owned(), Toml::from("akamai-secret"))]);
        Table::from_iter([
            ("issuers".to_owned(), Toml::from(vec![self.issuer()])),
            ("jwks-uri".to_owned(), Toml::from(format!("{}/{CUSTOMER}/login/jwk", self.server.url()))),
            ("audience".to_owned(), Toml::from(audience)),
            ("capture-domain".to_owned(), Toml::from(self.server.url())),
            ("application-id".to_owned(), Toml::from(APPLICATION)),
            ("client-id".to_owned(), Toml::from(CLIENT_ID)),
            ("client-secret".to_owned(), Toml::from(secret)),
            ("mapping".to_owned(), Toml::from(mapping)),
        ])
    }

    /// Stands in for the real one in a configuration. Its secret is in the environment's place, a file of the world.
    pub fn stand_in(&self, section: &mut Table) {
        let own = self.section("", "");
        for key in ["issuers", "jwks-uri", "capture-domain", "client-secret"] {
            section.insert(key.to_owned(), own[key].clone());
        }
    }

    /// The file that its section names.
    #[must_use]
    pub fn secret_file() -> (String, String) {
        ("akamai-secret".to_owned(), CLIENT_SECRET.to_owned())
    }

    fn issuer(&self) -> String {
        format!("{}/{CUSTOMER}/webhooks", self.server.url())
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// There is such a profile from now on; what it has beyond these is made up.
    pub fn profile(&self, uuid: &str, said: &Value) {
        let mut state = lock(&self.state);
        let now = now().strftime("%Y-%m-%d %H:%M:%S%.6f +0000").to_string();
        state.numbers += 1;
        let id = state.profiles.get(uuid).map_or(state.numbers, |profile| profile["id"].as_i64().unwrap());
        let mut profile = json!({
            "id": id, "uuid": uuid, "created": now, "lastUpdated": now, "lastLogin": null, "emailVerified": null,
        });
        for (name, value) in said.as_object().expect("a profile is an object") {
            profile[name] = value.clone();
        }
        state.profiles.insert(uuid.to_owned(), profile);
    }

    /// There is no such profile any more.
    pub fn forget(&self, uuid: &str) {
        lock(&self.state).profiles.remove(uuid);
    }

    /// All profiles.
    #[must_use]
    pub fn profiles(&self) -> Vec<Value> {
        lock(&self.state).profiles.values().cloned().collect()
    }

    /// Profiles cannot be had: this is answered instead; nothing: they can again.
    pub fn fault(&self, fault: Option<Reply>) {
        lock(&self.state).fault = fault;
    }

    /// Each profile takes so long from now on.
    pub fn takes(&self, time: Duration) {
        lock(&self.state).takes = time;
    }

    /// How much was asked at once at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.server.most_at_once()
    }

    /// There is such a profile, and lists do not show it.
    pub fn unlist(&self, uuid: &str) {
        lock(&self.state).unlisted.push(uuid.to_owned());
    }

    /// The entity type does not have this attribute.
    pub fn does_not_know(&self, attribute: &str) {
        lock(&self.state).unknown.push(attribute.to_owned());
    }

    /// The key set cannot be had: this is answered instead; nothing: it can again.
    pub fn key_fault(&self, fault: Option<Reply>) {
        lock(&self.state).key_fault = fault;
    }

    /// These keys are published from now on.
    pub fn publish(&self, keys: &[usize]) {
        lock(&self.state).published = keys.to_vec();
    }

    /// What was asked of a path, such as `/entity`.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        lock(&self.state).asked.iter().filter(|asked| asked.path == path).cloned().collect()
    }

    /// How often the key set was read.
    #[must_use]
    pub fn key_reads(&self) -> usize {
        self.asked(&format!("/{CUSTOMER}/login/jwk")).len()
    }

    /// A token that says this of an entity, to be sent to this address.
    pub fn event(&self, name: &str, uuid: &str, audience: &str) -> Token {
        let number = self.number();
        let said = json!({
            "id": format!("event-{number}"), "captureApplicationId": APPLICATION, "captureClientId": CLIENT,
            "entityType": "user", "sub": uuid,
            "globalSub": format!("capture-v1://us.janraincapture.com/{APPLICATION}/user/{uuid}"),
        });
        self.token(&json!({ name: said }), audience)
    }

    /// A token with these events.
    pub fn token(&self, events: &Value, audience: &str) -> Token {
        let (number, now) = (self.number(), now().as_second());
        let jku = format!("{}/{CUSTOMER}/login/jwk", self.server.url());
        Token {
            header: json!({"typ": "secevent+jwt", "alg": "RS256", "kid": token::keys()[0].kid(), "jku": jku}),
            claims: json!({
                "iss": self.issuer(), "aud": [audience], "iat": now, "toe": now, "jti": format!("notice-{number}"),
                "txn": format!("txn-{number}"), "events": events,
            }),
            key: 0,
        }
    }

    /// Sends a token as it is, once.
    pub async fn send(&self, to: &str, token: &Token) -> Answered {
        send(to, &token.signed()).await
    }
}

/// Delivers a body as Akamai does.
pub async fn send(to: &str, body: &str) -> Answered {
    let headers = [
        ("user-agent", "Akamai Identity Cloud Webhooks/3.0"),
        ("accept", "*/*"),
        ("content-type", MEDIA_TYPE),
    ];
    let body = body.as_bytes().to_vec();
    Tool::new(to, "").send("POST", "", &headers, Some(body)).await.expect("the gateway answers")
}

impl Token {
    /// What it says of the one event in it.
    fn said(&mut self) -> &mut Value {
        let events = self.claims["events"].as_object_mut().expect("events are an object");
        events.values_mut().next().expect("there is one")
    }

    /// These attributes have changed.
    #[must_use]
    pub fn attributes(mut self, names: &[&str]) -> Self {
        self.said()["attributes"] = json!(names);
        self
    }

    /// Something else stands in the event.
    #[must_use]
    pub fn saying(mut self, member: &str, value: Value) -> Self {
        self.said()[member] = value;
        self
    }

    /// It happened so many seconds from now.
    #[must_use]
    pub fn happened(mut self, seconds: i64) -> Self {
        self.claims["toe"] = json!(now().as_second() + seconds);
        self
    }

    /// Another claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// It is signed with another key, and says so.
    #[must_use]
    pub fn by_key(mut self, place: usize) -> Self {
        self.key = place;
        self.header["kid"] = json!(token::keys()[place].kid());
        self
    }

    /// Its `jti`.
    #[must_use]
    pub fn jti(&self) -> &str {
        self.claims["jti"].as_str().unwrap_or_default()
    }

    /// In its compact form.
    #[must_use]
    pub fn signed(&self) -> String {
        token::keys()[self.key].sign(&self.header, &self.claims)
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Reply {
        self.asked.push(asked.clone());
        if asked.path.ends_with("/login/jwk") {
            let keys: Vec<Value> =
                self.published.iter().map(|place| Key::jwk(&token::keys()[*place])).collect();
            return self.key_fault.clone().unwrap_or_else(|| Reply::json(&json!({ "keys": keys })));
        }
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        let authorization = format!("Basic {}", world::base64(&format!("{CLIENT_ID}:{CLIENT_SECRET}")));
        if asked.header("authorization") != Some(&authorization) {
            return error(403, "invalid_credentials");
        }
        let names = asked.form("attributes").map(|names| serde_json::from_str::<Vec<String>>(&names));
        let Ok(names) = names.transpose() else { return error(200, "invalid_argument") };
        if names.iter().flatten().any(|name| self.unknown.contains(name)) {
            return error(223, "unknown_attribute");
        }
        match (asked.method.as_str(), asked.path.as_str(), asked.form("type_name").as_deref()) {
            ("POST", "/entity", Some("user")) => {
                let profile = asked.form("uuid").and_then(|uuid| self.profiles.get(&uuid));
                let reply = profile.map_or_else(
                    || error(310, "record_not_found"),
                    |profile| {
                        Reply::json(&json!({"stat": "ok", "result": of_profile(profile, names.as_deref())}))
                    },
                );
                if self.takes.is_zero() { reply } else { Reply::Late(self.takes, Box::new(reply)) }
            }
            ("POST", "/entity.find", Some("user")) => self.find(asked, names.as_deref()),
            _ => error(200, "invalid_argument"),
        }
    }

    /// The filters that are understood: `id > 17`, and `lastUpdated >= '2026-08-05 08:00:00' and id > 17`.
    fn find(&self, asked: &Asked, names: Option<&[String]>) -> Reply {
        let filter = asked.form("filter").unwrap_or_default();
        let most = asked.form("max_results").and_then(|most| most.parse().ok()).unwrap_or(100);
        let read = match filter.strip_prefix("lastUpdated >= '") {
            Some(rest) => rest.split_once("' and id > "),
            None => filter.strip_prefix("id > ").map(|after| ("", after)),
        };
        let (Some((since, after)), Some(r#"["id"]"#)) = (read, asked.form("sort_on").as_deref()) else {
            return error(200, "invalid_argument");
        };
        let after: i64 = after.parse().expect("an id is a number");
        let mut found: Vec<&Value> = self
            .profiles
            .values()
            .filter(|profile| profile["lastUpdated"].as_str().is_some_and(|updated| updated >= since))
            .filter(|profile| profile["id"].as_i64().is_some_and(|id| id > after))
            .filter(|profile| !self.unlisted.iter().any(|uuid| profile["uuid"] == **uuid))
            .collect();
        found.sort_by_key(|profile| profile["id"].as_i64());
        found.truncate(most);
        let found: Vec<Value> = found.into_iter().map(|profile| of_profile(profile, names)).collect();
        Reply::json(&json!({"stat": "ok", "result_count": found.len(), "results": found}))
    }
}

/// These attributes of a profile, or all of it.
fn of_profile(profile: &Value, names: Option<&[String]>) -> Value {
    let Some(names) = names else { return profile.clone() };
    let paths: Vec<Vec<&str>> = names.iter().map(|name| name.split('.').collect()).collect();
    part(profile, &paths.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn part(value: &Value, paths: &[&[&str]]) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter_map(|(name, value)| {
                let rest: Vec<&[&str]> =
                    paths.iter().filter(|path| path[0] == name).map(|path| &path[1..]).collect();
                let is_whole = rest.iter().any(|rest| rest.is_empty());
                let value = if is_whole { value.clone() } else { part(value, &rest) };
                (!rest.is_empty()).then(|| (name.clone(), value))
            });
            Value::Object(kept.collect())
        }
        Value::Array(elements) => elements.iter().map(|element| part(element, paths)).collect(),
        other => other.clone(),
    }
}

/// An error as the API has it: with 200.
#[must_use]
pub fn error(code: i64, name: &str) -> Reply {
    Reply::json(&json!({
        "stat": "error", "code": code, "error": name, "error_description": "made up", "request_token": "k3examplek3exam1",
    }))
}

fn now() -> Timestamp {
    Clock::system().now()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
