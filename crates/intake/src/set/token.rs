use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Claims, Reason, Rejected};

/// A JSON Web Signature in its compact form, taken apart and not yet believed.
pub(super) struct Token<'t> {
    pub header: Header,
    /// What is signed: the header and the payload as they were sent.
    pub signed: &'t str,
    pub signature: &'t str,
    payload: &'t str,
}

/// What is read of the header. `jku`, `x5u` and `jwk` are left where they are: a key that comes with a token proves nothing.
pub(super) struct Header {
    pub algorithm: String,
    pub kind: Option<String>,
    key: Option<String>,
}

impl<'t> Token<'t> {
    pub fn read(text: &'t str) -> Result<Self, Rejected> {
        let text = text.trim_end_matches(['\r', '\n']);
        let three =
            || malformed("this is no signed token: three parts with a dot between them were expected");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(three)?;
        let (header, payload) = signed.split_once('.').ok_or_else(three)?;
        if payload.contains('.') {
            return Err(three());
        }
        let header = Header::read(object(header, "header")?)?;
        Ok(Self { header, signed, signature, payload })
    }

    /// What it says; only to be asked for once the signature is checked.
    pub fn claims(&self) -> Result<Claims, Rejected> {
        Claims::read(object(self.payload, "payload")?)
    }
}

impl Header {
    fn read(mut header: Map<String, Value>) -> Result<Self, Rejected> {
        // RFC 7515 §4.1.11: who does not understand what is listed there must refuse, and we understand no extension.
        if header.contains_key("crit") {
            return Err(malformed("the header asks for an extension (`crit`) that is not known here"));
        }
        let mut text = |name: &str| match header.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(format!("`{name}` of the header is no text"))),
        };
        let algorithm = text("alg")?.ok_or_else(|| malformed("the header has no `alg`"))?;
        Ok(Self { algorithm, kind: text("typ")?, key: text("kid")? })
    }

    /// The name of the key it is signed with.
    pub fn key(&self) -> Result<&str, Rejected> {
        let missing = || Rejected::new(Reason::Key, "the header names no key (`kid`)");
        self.key.as_deref().filter(|key| !key.is_empty()).ok_or_else(missing)
    }
}

/// One part of a token as JSON. The parser's own words are not passed on: they quote what they read.
fn object(part: &str, what: &str) -> Result<Map<String, Value>, Rejected> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| malformed(format!("the {what} of the token is not base64url without padding")))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| malformed(format!("the {what} of the token is no JSON object")))
}

fn malformed(description: impl Into<std::borrow::Cow<'static, str>>) -> Rejected {
    Rejected::new(Reason::Malformed, description)
}
