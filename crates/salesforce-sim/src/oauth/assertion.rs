//! Signed assertions: the JWT bearer grant, and apps that sign in place of sending a secret.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::{Refused, app};
use crate::org::Org;

/// An assertion may not live longer than three minutes. Half a minute more, because programs write exactly three and
/// round up (`simple-salesforce`), by a clock that is not ours.
const LONGEST_MS: i64 = (3 * 60 + 30) * 1_000;

/// An `exp` from here on is no number of seconds (they reach it in the year 5138) but of milliseconds. The official CLI
/// writes `Date.now() + 300`, and Salesforce takes it: the longest life is not asked of it.
const MILLISECONDS_FROM: f64 = 1e11;

/// The claims that count.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    /// One audience, or a list of them.
    aud: Value,
    /// Seconds; some libraries write a fraction, some a text (`simple-salesforce`).
    #[serde(deserialize_with = "seconds")]
    exp: f64,
    #[serde(default)]
    pub(super) jti: Option<String>,
}

fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(f64),
        Text(String),
    }
    match Seconds::deserialize(input)? {
        Seconds::Number(number) => Ok(number),
        Seconds::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

impl Claims {
    /// When the assertion ends, in milliseconds.
    pub(super) fn ends(&self) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float that is no time ends at the end of time"
        )]
        let millis = (self.exp * 1_000.0) as i64;
        millis
    }

    fn is_for(&self, audiences: &[String]) -> bool {
        let fits = |aud: &str| audiences.iter().any(|wanted| wanted == aud.trim_end_matches('/'));
        match &self.aud {
            Value::String(aud) => fits(aud),
            Value::Array(list) => list.iter().filter_map(Value::as_str).any(fits),
            _ => false,
        }
    }
}

const INVALID: Refused = Refused("invalid_grant", "invalid assertion");

/// Reads an assertion and verifies it: app, signature, audience, end. In this order, because the first
/// decides whose key it is.
pub(super) fn verify(org: &Org, text: &str, audiences: &[String], now: i64) -> Result<Claims, Refused> {
    let claims: Claims = unverified(text).ok_or(INVALID)?;
    let key = app::find(org, &claims.iss)?.key().ok_or(INVALID)?;
    let mut validation = Validation::new(Algorithm::RS256);
    // By the org's clock, below; and its audience is a list of its own.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(text, &key, &validation).map_err(|_| INVALID)?.claims;
    if !claims.is_for(audiences) {
        return Err(Refused("invalid_grant", "Audience validation failed"));
    }
    let left = claims.ends() - now;
    if left <= 0 || (left > LONGEST_MS && claims.exp < MILLISECONDS_FROM) {
        return Err(Refused("invalid_grant", "expired authorization code"));
    }
    Ok(claims)
}

/// The claims as they stand there, to learn whose key verifies them.
fn unverified<T: DeserializeOwned>(text: &str) -> Option<T> {
    let payload = text.split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&bytes).ok()
}
