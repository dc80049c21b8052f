//! Deliveries that change nothing: an administrator tries whether a source's events arrive.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    Intake, Rehearsal, incoming,
    set::{self, Expect, KeySet},
};

/// A token as the source would sign it, with a key of our own that is taken for one of its for a minute. `subject` is
/// `sub_id`, where there is one.
pub(crate) async fn token(
    intake: &Intake,
    (keys, expect): (&KeySet, &Expect),
    authorization: Option<&SecretString>,
    subject: Option<Value>,
    events: Value,
) -> Result<Rehearsal, String> {
    let name = intake.ids.change();
    let now = intake.clock.now();
    let (keys, id) = (keys.clone(), name.to_string());
    // It takes some tenths of a second: not on the threads that answer.
    let key = tokio::task::spawn_blocking(move || keys.rehearse(&id, now)).await;
    let key = key.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let first = |texts: &[String], what: &str| {
        texts.first().cloned().ok_or_else(|| format!("no {what} is configured for the source"))
    };
    let jti = format!("rehearsal-{name}");
    let mut claims = json!({
        "iss": first(&expect.issuers, "issuer")?,
        "aud": [first(&expect.audiences, "audience")?],
        "iat": now.as_second(),
        "jti": jti,
        "events": events,
    });
    if let Some(subject) = subject {
        claims["sub_id"] = subject;
    }
    Ok(Rehearsal {
        media_type: incoming::MEDIA_TYPES[0].to_owned(),
        authorization: authorization.map(|secret| secret.expose_secret().to_owned()),
        body: set::issue(&key, &claims).map_err(|error| error.to_string())?,
        jti,
    })
}
