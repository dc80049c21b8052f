//! A look into the simulated org from outside, through its control endpoints.

use serde_json::{Map, Value, json};

use crate::world::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN};

/// The control side of a simulated org.
#[derive(Clone, Debug)]
pub struct Org {
    http: reqwest::Client,
    url: String,
}

/// How many calls an org has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// API calls; a Composite is one.
    pub api: u64,
    /// Token calls.
    pub token: u64,
}

/// A user of every simulated org who is not the one that Gangway logs in as.
const ADMINISTRATOR: &str = "admin@harbour-lights.example";

impl Org {
    /// The org at this URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a plain client can be built");
        Self { http, url: url.trim_end_matches('/').to_owned() }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/_sim/{path}", self.url);
        let response = self.http.get(&url).send().await.expect("the org answers");
        assert!(response.status().is_success(), "{url}: {}", response.status());
        response.json().await.expect("control endpoints answer JSON")
    }

    async fn post(&self, path: &str, body: &Value) {
        let url = format!("{}/_sim/{path}", self.url);
        let response = self.http.post(&url).json(body).send().await.expect("the org answers");
        let status = response.status();
        assert!(status.is_success(), "{url}: {status} {}", response.text().await.unwrap_or_default());
    }

    /// Every record of an object.
    pub async fn records(&self, object: &str) -> Vec<Map<String, Value>> {
        let mut answer = self.get(&format!("records/{object}")).await;
        serde_json::from_value(answer["records"].take()).expect("records are objects")
    }

    /// The Users with this Username.
    pub async fn users(&self, username: &str) -> Vec<Map<String, Value>> {
        let mut records = self.records("User").await;
        records.retain(|record| record["Username"].as_str() == Some(&username.to_lowercase()));
        records
    }

    /// The one User with this Username.
    ///
    /// # Panics
    ///
    /// When there is none or more than one.
    pub async fn user(&self, username: &str) -> Map<String, Value> {
        let mut users = self.users(username).await;
        assert_eq!(users.len(), 1, "{username} should be in the org once");
        users.remove(0)
    }

    /// How many calls there have been.
    pub async fn calls(&self) -> Calls {
        let calls = self.get("calls").await;
        Calls { api: calls["api_calls"].as_u64().unwrap(), token: calls["token_calls"].as_u64().unwrap() }
    }

    /// Lets calls fail; see `docs/simulated-org.md`.
    pub async fn fault(&self, fault: Value) {
        self.post("faults", &fault).await;
    }

    /// Creates of Users fail so for the next `count` calls.
    pub async fn fault_on_create(&self, kind: &str, count: u32) {
        self.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": kind, "count": count}))
            .await;
    }

    /// All is well again.
    pub async fn heal(&self) {
        let url = format!("{}/_sim/faults", self.url);
        let response = self.http.delete(&url).send().await.expect("the org answers");
        assert!(response.status().is_success());
    }

    /// The org behaves otherwise from now on; see `docs/simulated-org.md`.
    pub async fn switch(&self, switches: Value) {
        self.post("switches", &switches).await;
    }

    /// Fields are shown to the integration user, or hidden; see `docs/simulated-org.md`.
    pub async fn fields(&self, change: Value) {
        self.post("fields", &change).await;
    }

    /// Every access token has expired.
    pub async fn expire_tokens(&self) {
        self.post("tokens/expire", &json!({})).await;
    }

    /// So many seats there are of the licence `Salesforce`.
    pub async fn set_seats(&self, total: u64) {
        self.post("licenses", &json!({"Salesforce": total})).await;
    }

    /// So many seats there are from now on, by name; see `docs/simulated-org.md`.
    pub async fn seats(&self, seats: Value) {
        self.post("licenses", &seats).await;
    }

    /// What a User has, by name: see `docs/simulated-org.md`.
    pub async fn grants_of(&self, username: &str) -> Value {
        self.get(&format!("users/{username}/grants")).await
    }

    /// This keeps a User active from now on, by the names of the org's data; nothing does: an empty list.
    pub async fn block(&self, username: &str, blockers: &[&str]) {
        self.post(&format!("users/{username}/blockers"), &json!({"blockers": blockers})).await;
    }

    /// Makes a User by the org's own API, as an administrator would. Answers its id.
    pub async fn make_user(&self, token: &str, fields: &Value) -> String {
        let profile = self.profile("Standard User").await;
        let mut body = json!({
            "LastName": "By Hand", "Alias": "hand", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile, "IsActive": true,
        });
        for (name, value) in fields.as_object().expect("fields are an object") {
            body[name] = value.clone();
        }
        let url = format!("{}/services/data/v66.0/sobjects/User", self.url);
        let response =
            self.http.post(url).bearer_auth(token).json(&body).send().await.expect("the org answers");
        let answer: Value = response.json().await.expect("JSON");
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Changes a User by the org's own API, as an administrator would.
    pub async fn update_user(&self, token: &str, id: &str, fields: &Value) {
        let url = format!("{}/services/data/v66.0/sobjects/User/{id}", self.url);
        let response =
            self.http.patch(url).bearer_auth(token).json(fields).send().await.expect("the org answers");
        let status = response.status();
        assert!(status.is_success(), "{status}: {}", response.text().await.unwrap_or_default());
    }

    /// The id of a profile.
    ///
    /// # Panics
    ///
    /// When the org has no such profile.
    pub async fn profile(&self, name: &str) -> String {
        let profiles = self.records("Profile").await;
        let profile = profiles.iter().find(|profile| profile["Name"] == name);
        profile.unwrap_or_else(|| panic!("no profile {name}"))["Id"].as_str().unwrap().to_owned()
    }

    /// The records of an object whose field has this value.
    pub async fn find(&self, object: &str, field: &str, value: &str) -> Vec<Map<String, Value>> {
        let mut records = self.records(object).await;
        records.retain(|record| record.get(field).and_then(Value::as_str) == Some(value));
        records
    }

    /// The one record of an object whose field has this value.
    ///
    /// # Panics
    ///
    /// When there is none or more than one.
    pub async fn one(&self, object: &str, field: &str, value: &str) -> Map<String, Value> {
        let mut found = self.find(object, field, value).await;
        assert_eq!(found.len(), 1, "{object} with {field} {value} should be in the org once: {found:#?}");
        found.remove(0)
    }

    /// Sends something to the org's own API, as an administrator would. Answers the body.
    async fn administrate(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        self.call_by(&self.token().await, method, path, body).await
    }

    async fn call_by(&self, token: &str, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/services/data/v66.0/sobjects/{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(token);
        // What an administrator does by hand is no duplicate to him, and nobody else's to assign.
        request = request.header("Sforce-Duplicate-Rule-Header", "allowSave=true");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the org answers");
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What the org says of an object's fields.
    pub async fn describe(&self, object: &str) -> Value {
        self.administrate(reqwest::Method::GET, &format!("{object}/describe"), None).await
    }

    /// Makes a record by hand. Answers its id.
    pub async fn make(&self, object: &str, fields: &Value) -> String {
        let answer = self.administrate(reqwest::Method::POST, object, Some(fields)).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Changes a record by hand.
    pub async fn change(&self, object: &str, id: &str, fields: &Value) {
        self.administrate(reqwest::Method::PATCH, &format!("{object}/{id}"), Some(fields)).await;
    }

    /// Changes a record by hand, as another user than Gangway's.
    pub async fn change_as_administrator(&self, object: &str, id: &str, fields: &Value) {
        let form =
            [("grant_type", "password"), ("username", ADMINISTRATOR), ("password", "simulated-password")];
        let token = self.token_for(&form).await;
        let _ = self.call_by(&token, reqwest::Method::PATCH, &format!("{object}/{id}"), Some(fields)).await;
    }

    /// Deletes a record by hand.
    pub async fn delete(&self, object: &str, id: &str) {
        self.administrate(reqwest::Method::DELETE, &format!("{object}/{id}"), None).await;
    }

    /// Converts a lead by hand, as a salesperson does: into the account of its company, if there is one. Answers the
    /// contact.
    pub async fn convert(&self, lead: &str) -> String {
        let company = self.one("Lead", "Id", lead).await["Company"].clone();
        let accounts = self.find("Account", "Name", company.as_str().unwrap_or_default()).await;
        let account = accounts.first().map(|account| account["Id"].clone());
        let body = json!({"leadId": lead, "accountId": account, "convertedStatus": "Closed - Converted", "doNotCreateOpportunity": true});
        let url = format!("{}/_sim/convert-lead", self.url);
        let response = self.http.post(url).json(&body).send().await.expect("the org answers");
        let answer: Value = response.json().await.expect("JSON");
        answer["contactId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Merges two records by hand: the second one goes.
    pub async fn merge(&self, master: &str, merged: &str) {
        self.post("merge", &json!({"masterId": master, "mergeId": merged})).await;
    }

    /// An access token of the story's own connected app.
    pub async fn token(&self) -> String {
        self.token_for(&[("grant_type", "refresh_token"), ("refresh_token", REFRESH_TOKEN)]).await
    }

    async fn token_for(&self, grant: &[(&str, &str)]) -> String {
        let mut form = vec![("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        form.extend(grant);
        let url = format!("{}/services/oauth2/token", self.url);
        let response = self.http.post(url).form(&form).send().await.expect("the org answers");
        let answer: Value = response.json().await.expect("JSON");
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}
