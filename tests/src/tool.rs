//! An identity tool: speaks SCIM with a token.

use reqwest::Method;
use serde_json::{Value, json};

/// Speaks SCIM to one base URL.
#[derive(Clone, Debug)]
pub struct Tool {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub text: String,
}

impl Answered {
    /// The body as JSON; null when it is empty.
    ///
    /// # Panics
    ///
    /// When a body is there and is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Checks the status.
    ///
    /// # Panics
    ///
    /// When it is another one: with the body.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The `id` of the resource in the body.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.text)).to_owned()
    }
}

impl Tool {
    /// Speaks to `base`, such as `http://127.0.0.1:8080/scim/v2`. Without a token it says nothing of who it is.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a plain client can be built");
        Self { http, base: base.to_owned(), token: token.to_owned() }
    }

    /// Sends anything; `headers` may say another `authorization`.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answered, reqwest::Error> {
        let method = Method::from_bytes(method.as_bytes()).expect("stories use real methods");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        let says_who = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if !says_who && !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let text = response.text().await?;
        Ok(Answered { status, headers, text })
    }

    async fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Answered {
        let headers: &[_] = if body.is_some() { &[("content-type", "application/scim+json")] } else { &[] };
        let body = body.map(|body| body.to_string().into_bytes());
        self.send(method, path, headers, body).await.expect("the gateway answers")
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answered {
        self.json("GET", path, None).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        self.json("POST", path, Some(body)).await
    }

    /// `PUT`.
    pub async fn put(&self, path: &str, body: &Value) -> Answered {
        self.json("PUT", path, Some(body)).await
    }

    /// `PATCH` with these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answered {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.json("PATCH", path, Some(&body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answered {
        self.json("DELETE", path, None).await
    }

    /// `GET /Users?filter=…`.
    pub async fn find_users(&self, filter: &str) -> Answered {
        self.get(&format!("/Users?filter={}", encode(filter))).await
    }

    /// `POST /Users` with [`person`].
    pub async fn create(&self, user_name: &str) -> Answered {
        self.post("/Users", &person(user_name)).await
    }
}

/// A person with the least that Salesforce wants.
#[must_use]
pub fn person(user_name: &str) -> Value {
    let family = user_name.split('@').next().unwrap_or(user_name);
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name,
        "name": {"givenName": "Test", "familyName": family},
        "emails": [{"value": user_name, "type": "work", "primary": true}],
        "active": true,
    })
}

/// Percent-encodes a query value.
#[must_use]
pub fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
