//! An org, a client with a token, and words for what tests do.

use reqwest::{Method, RequestBuilder, Response};
use salesforce_sim::{Sim, SimConfig};
use serde_json::{Map, Value, json};

pub const V: &str = "/services/data/v66.0";

/// An org and a client that has a token for it.
pub struct World {
    pub sim: Sim,
    pub http: reqwest::Client,
    pub token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The one error of the data API's array envelope.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let body = self.json();
        assert_eq!(body.as_array().map(Vec::len), Some(1), "{body}");
        assert_eq!(body[0]["errorCode"], code, "{body}");
        body[0].clone()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    pub async fn start() -> Self {
        Self::with(SimConfig::default()).await
    }

    /// An org from the text of an org file.
    pub async fn from_file(text: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("sim-{}-{}", std::process::id(), fastrand(text)));
        std::fs::write(&dir, text).unwrap();
        let world = Self::with(SimConfig { org_file: Some(dir.clone()), ..SimConfig::default() }).await;
        std::fs::remove_file(dir).unwrap();
        world
    }

    pub async fn with(config: SimConfig) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let mut world = Self { sim, http: reqwest::Client::new(), token: String::new() };
        world.refresh().await;
        world
    }

    pub async fn refresh(&mut self) {
        let body = self.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
        body["access_token"].as_str().unwrap().clone_into(&mut self.token);
    }

    pub async fn token_call(&self, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}/services/oauth2/token", self.sim.url());
        Answer::read(self.http.post(url).form(form).send().await.unwrap()).await
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.sim.url())).bearer_auth(&self.token)
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn query_answer(&self, soql: &str) -> Answer {
        self.send(self.request(Method::GET, &format!("{V}/query")).query(&[("q", soql)])).await
    }

    /// The records of a query that must succeed.
    pub async fn query(&self, soql: &str) -> Vec<Value> {
        let body = self.query_answer(soql).await.expect(200);
        body["records"].as_array().unwrap().clone()
    }

    pub async fn profile(&self, name: &str) -> String {
        let rows = self.query(&format!("SELECT Id FROM Profile WHERE Name = '{name}'")).await;
        rows[0]["Id"].as_str().unwrap().to_owned()
    }

    /// A complete User body.
    pub async fn person(&self, username: &str) -> Value {
        let profile = self.profile("Standard User").await;
        json!({
            "Username": username, "LastName": "Lovelace", "FirstName": "Ada", "Email": "ada@example.com",
            "Alias": "alove", "TimeZoneSidKey": "Europe/London", "LocaleSidKey": "en_GB",
            "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile, "IsActive": true,
        })
    }

    /// Creates a user from a complete body with changes laid over it, and hands back the id.
    pub async fn create(&self, username: &str, changes: Value) -> String {
        let body = with(self.person(username).await, changes);
        let created = self.post(&format!("{V}/sobjects/User"), body).await.expect(201);
        created["id"].as_str().unwrap().to_owned()
    }

    pub async fn user(&self, id: &str) -> Map<String, Value> {
        self.get(&format!("{V}/sobjects/User/{id}")).await.expect(200).as_object().unwrap().clone()
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        self.post(&format!("/_sim{path}"), body).await.expect(200)
    }
}

pub fn refresh_form(token: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "simulated-client"),
        ("client_secret", "simulated-secret"),
    ]
}

/// A body with some fields replaced; null takes a field out.
pub fn with(mut body: Value, changes: Value) -> Value {
    if let (Value::Object(body), Value::Object(changes)) = (&mut body, changes) {
        for (name, value) in changes {
            if value.is_null() {
                body.shift_remove(&name);
            } else {
                body.insert(name, value);
            }
        }
    }
    body
}

/// Two tests may run at once in one process: the text of the org file tells their files apart.
fn fastrand(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    std::thread::current().id().hash(&mut hasher);
    hasher.finish()
}
