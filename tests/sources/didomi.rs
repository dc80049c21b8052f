//! Didomi as a sender of webhooks: gets an access token from the gateway first, as Didomi does, and sends events with it.

#![expect(clippy::needless_pass_by_value, reason = "stories are easier to read with values in their place")]

use std::sync::{Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{Answered, Tool};

/// A sender of webhooks.
#[derive(Debug)]
pub struct Didomi {
    tool: Tool,
    client_id: String,
    client_secret: String,
    token: Mutex<Option<String>>,
}

impl Didomi {
    /// Sends to this address of events, such as `http://127.0.0.1:8080/events/didomi/acme/prod`.
    #[must_use]
    pub fn new(address: &str, client_id: &str, client_secret: &str) -> Self {
        Self {
            tool: Tool::new(address, ""),
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            token: Mutex::default(),
        }
    }

    /// Asks for an access token with `client_secret_basic`.
    pub async fn login(&self) -> Answered {
        let credentials = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        let headers = [
            ("authorization", format!("Basic {credentials}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        self.ask_for_token(&headers, "grant_type=client_credentials").await
    }

    /// Asks for an access token in its own way.
    pub async fn ask_for_token(&self, headers: &[(&str, String)], form: &str) -> Answered {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.tool
            .send("POST", "/oauth/token", &headers, Some(form.as_bytes().to_vec()))
            .await
            .expect("an answer")
    }

    /// The access token of the first login.
    pub async fn token(&self) -> String {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = known {
            return token;
        }
        let answer = self.login().await.expect(200).json();
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        token
    }

    /// Sends a delivery.
    pub async fn send(&self, delivery: &Value) -> Answered {
        let token = self.token().await;
        self.send_with(&[("authorization", &format!("Bearer {token}"))], delivery).await
    }

    /// Sends a delivery with these headers and no others.
    pub async fn send_with(&self, headers: &[(&str, &str)], delivery: &Value) -> Answered {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        let body = delivery.to_string().into_bytes();
        self.tool.send("POST", "", &headers, Some(body)).await.expect("an answer")
    }
}

/// An `event.created` about the purpose `newsletter`; `enabled` may be null.
#[must_use]
pub fn newsletter(id: &str, created_at: &str, person: &str, enabled: impl Into<Value>) -> Value {
    chosen(id, created_at, person, json!([{"id": "newsletter", "enabled": enabled.into()}]), json!([]))
}

/// An `event.created` about these purposes and channels.
#[must_use]
pub fn chosen(id: &str, created_at: &str, person: &str, purposes: Value, channels: Value) -> Value {
    json!({
        "type": "event.created",
        "regulation": "gdpr",
        "parameters": { "entity": {
            "id": id, "organization_id": "acme", "created_at": created_at, "status": "confirmed", "regulation": "gdpr",
            "user": { "id": format!("dd-{person}"), "organization_user_id": person, "country": "NL" },
            "consents": {
                "purposes": purposes, "channels": channels,
                "vendors": { "enabled": [], "disabled": [] }, "tcfcs": null
            }
        } }
    })
}

/// A `user.updated` of this version.
#[must_use]
pub fn user_updated(version: i64, created_at: &str, person: &str, purposes: Value) -> Value {
    json!({
        "type": "user.updated",
        "regulation": "gdpr",
        "parameters": {
            "source": { "id": format!("evt-of-version-{version}"), "created_at": created_at },
            "old_entity": { "id": format!("dd-{person}"), "version": version - 1 },
            "new_entity": {
                "id": format!("dd-{person}"), "organization_id": "acme", "organization_user_id": person, "version": version,
                "consents": { "purposes": purposes, "channels": [], "vendors": { "enabled": [], "disabled": [] } }
            }
        }
    })
}

/// The same delivery as Didomi flattens it.
#[must_use]
pub fn flattened(delivery: &Value) -> Value {
    fn walk(at: &str, value: &Value, out: &mut Map<String, Value>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (key, value) in object {
                    walk(&format!("{at}__{key}"), value, out);
                }
            }
            value => drop(out.insert(at.to_owned(), value.clone())),
        }
    }
    let mut parameters = Map::new();
    walk("entity", &delivery["parameters"]["entity"], &mut parameters);
    json!({ "type": delivery["type"], "regulation": delivery["regulation"], "parameters": parameters })
}
