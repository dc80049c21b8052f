//! Plays a sequence of Akamai's events, and holds every answer and what it comes to in the org against what it should be.
//!
//! A sequence is a TOML file: a title and `[[event]]`s in order, each with `type`, `uuid`, `attributes`, `client`, `application`,
//! `profile` (what `/entity` has from then on), `forget` (it has it no more) and `expect`: `status`, `salesforce` (which records
//! have which fields), `gone` (which are not there) and `calls` (how many API calls it costs).

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::akamai::Akamai;
use crate::{Org, replay::Record};

/// A sequence of events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    title: String,
    event: Vec<Event>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    uuid: String,
    attributes: Option<Vec<String>>,
    client: Option<String>,
    application: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    forget: bool,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    status: u16,
    #[serde(default)]
    salesforce: Vec<Record>,
    #[serde(default)]
    gone: Vec<Record>,
    calls: Option<u64>,
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

    /// Sends it to an address, whose name is `audience`.
    ///
    /// # Panics
    ///
    /// At the first event that does not come to what it should.
    pub async fn play(&self, akamai: &Akamai, to: &str, audience: &str, org: &Org) {
        for event in &self.event {
            if let Err(wrong) = event.play(akamai, to, audience, org).await {
                panic!("{}: {}: {wrong}", self.title, event.name);
            }
        }
    }
}

impl Event {
    async fn play(&self, akamai: &Akamai, to: &str, audience: &str, org: &Org) -> Result<(), String> {
        if let Some(profile) = &self.profile {
            let profile: Value = serde_json::from_str(profile).map_err(|error| error.to_string())?;
            akamai.profile(&self.uuid, &profile);
        }
        if self.forget {
            akamai.forget(&self.uuid);
        }
        let token = if self.kind == "test" {
            akamai.token(&json!({"test": {"id": "made-up"}}), audience)
        } else {
            let mut token = akamai.event(&self.kind, &self.uuid, audience);
            let members = [
                ("attributes", self.attributes.as_ref().map(|names| json!(names))),
                ("captureClientId", self.client.as_ref().map(|client| json!(client))),
                ("captureApplicationId", self.application.as_ref().map(|application| json!(application))),
            ];
            for (member, value) in members {
                if let Some(value) = value {
                    token = token.saying(member, value);
                }
            }
            token
        };
        let before = org.calls().await;
        let answer = akamai.send(to, &token).await;
        if answer.status != self.expect.status {
            return Err(format!("expected {}, found {}: {}", self.expect.status, answer.status, answer.text));
        }
        let calls = org.calls().await.api - before.api;
        if let Some(expected) = self.expect.calls.filter(|expected| *expected != calls) {
            return Err(format!("expected {expected} API calls, found {calls}"));
        }
        for record in &self.expect.salesforce {
            record.check(org, &std::collections::BTreeMap::new()).await?;
        }
        for record in &self.expect.gone {
            if record.check(org, &std::collections::BTreeMap::new()).await.is_ok() {
                return Err(format!("{record:?} should be gone"));
            }
        }
        Ok(())
    }
}
