use jiff::SignedDuration;
use model::Timestamp;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::{Reason, Rejected};

/// How long a `jti` may be, in bytes: it is a key in the store. The longest seen are two UUIDs.
const LONGEST_JTI: usize = 1024;

/// What a token says. Who verified it knows who said it and when; what it means is for the source's kind to tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claims {
    /// Who says so.
    pub iss: String,
    /// For whom it is meant, as it was written; a single audience is a list of one.
    pub aud: Vec<String>,
    /// When the token was issued: how fresh it is.
    #[serde(with = "jiff::fmt::serde::timestamp::second::required")]
    pub iat: Timestamp,
    /// When the event took place: what order is kept by.
    #[serde(with = "jiff::fmt::serde::timestamp::second::optional", skip_serializing_if = "Option::is_none")]
    pub toe: Option<Timestamp>,
    /// The token's own identifier; the same when it is sent again.
    pub jti: String,
    /// What several tokens about one cause have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
    /// The subject, where it stands beside the events and is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The subject as an object (RFC 9493).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_id: Option<Value>,
    /// Until when it is valid; sources are discouraged from saying.
    #[serde(with = "jiff::fmt::serde::timestamp::second::optional", skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    /// What happened: each kind of event with an object that says more. Never empty.
    pub events: Map<String, Value>,
}

impl Claims {
    pub(super) fn read(claims: Map<String, Value>) -> Result<Self, Rejected> {
        let mut claims = Reader(claims);
        let read = Self {
            iss: claims.text("iss")?.ok_or_else(|| missing("iss"))?,
            aud: claims.texts("aud")?,
            iat: claims.time("iat")?.ok_or_else(|| missing("iat"))?,
            toe: claims.time("toe")?,
            jti: claims.text("jti")?.filter(|jti| !jti.is_empty()).ok_or_else(|| missing("jti"))?,
            txn: claims.text("txn")?,
            sub: claims.text("sub")?,
            sub_id: claims.object("sub_id")?.map(Value::Object),
            exp: claims.time("exp")?,
            events: claims.object("events")?.ok_or_else(|| missing("events"))?,
        };
        if read.jti.len() > LONGEST_JTI {
            return Err(wrong(format!("`jti` is longer than {LONGEST_JTI} bytes")));
        }
        if read.events.is_empty() {
            return Err(wrong("`events` names no event"));
        }
        if !read.events.values().all(Value::is_object) {
            return Err(wrong("what `events` says about an event is no object"));
        }
        Ok(read)
    }
}

/// The claims that are left to read. `null` is as good as absent.
struct Reader(Map<String, Value>);

impl Reader {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Rejected> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(format!("`{name}` is no text"))),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, Rejected> {
        let no_text = || wrong(format!("`{name}` is neither a text nor a list of texts"));
        let items = match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(one) => vec![one],
        };
        let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(no_text()) };
        items.into_iter().map(text).collect()
    }

    fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, Rejected> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(wrong(format!("`{name}` is no object"))),
        }
    }

    /// Seconds since 1970, whole or not (RFC 7519 §2, `NumericDate`).
    fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Rejected> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => {
                let time = from_seconds(&seconds);
                time.map(Some).ok_or_else(|| wrong(format!("`{name}` is no time in seconds since 1970")))
            }
            Some(_) => Err(wrong(format!("`{name}` is no number"))),
        }
    }
}

fn from_seconds(seconds: &Number) -> Option<Timestamp> {
    if let Some(whole) = seconds.as_i64() {
        return Timestamp::from_second(whole).ok();
    }
    let since = SignedDuration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(since).ok()
}

fn missing(name: &str) -> Rejected {
    wrong(format!("the claim `{name}` is missing"))
}

fn wrong(description: impl Into<std::borrow::Cow<'static, str>>) -> Rejected {
    Rejected::new(Reason::Claims, description)
}
