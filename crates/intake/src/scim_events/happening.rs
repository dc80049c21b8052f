//! What an event says (RFC 9967 §2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// How the URIs of events begin, in lower case: in the RFC and in drafts from 02 (which wrote `SCIM`), and in drafts 00 and 01.
const SPELLINGS: [&str; 2] = ["urn:ietf:params:scim:event:", "urn:ietf:params:event:scim:"];

/// What has happened to a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", content = "data", rename_all = "kebab-case")]
pub(super) enum Happening {
    /// It is this from now on.
    Put(Map<String, Value>),
    /// It is changed so.
    Patch(Map<String, Value>),
    /// It is another one; what it is now has to be asked.
    Changed,
    /// It is gone.
    Delete,
    Activate,
    Deactivate,
    /// It is in the feed from now on.
    Joined,
    /// It is not in the feed any more.
    Left,
    /// The end of a request of ours.
    Asynchronous,
    /// Nothing that is known here.
    Other,
}

/// Whom an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    /// What the publisher calls it in its URIs.
    pub(super) id: String,
    /// Its `externalId`, where the token says it.
    #[serde(default)]
    pub(super) external_id: Option<String>,
    /// Or a Group, or something else.
    pub(super) is_user: bool,
}

/// The part of an event's URI that tells what it is, in lower case.
fn suffix(uri: &str) -> Option<String> {
    let uri = uri.to_ascii_lowercase();
    SPELLINGS.iter().find_map(|spelling| uri.strip_prefix(spelling).map(str::to_owned))
}

/// For lists.
pub(super) fn kind(uri: &str) -> String {
    suffix(uri).unwrap_or_else(|| uri.to_owned())
}

/// The version after the event, where it is a number: `W/"17"`.
pub(super) fn version(said: &Value) -> Option<i64> {
    let data_meta = || said.get("data")?.get("meta")?.get("version");
    let tag = said.get("version").or_else(data_meta)?.as_str()?;
    tag.trim().trim_start_matches("W/").trim_matches('"').parse().ok()
}

impl Happening {
    /// What one event of a token says.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(uri: &str, said: &Value) -> Result<Self, String> {
        let Some(suffix) = suffix(uri) else { return Ok(Self::Other) };
        let data = || {
            let data = said.get("data").and_then(Value::as_object).cloned();
            data.ok_or_else(|| format!("`{suffix}` has no `data`"))
        };
        if said.get("data").is_some() && said.get("attributes").is_some() {
            return Err("an event has either `data` or `attributes`, and this one has both".to_owned());
        }
        Ok(match suffix.as_str() {
            "feed:add" => Self::Joined,
            "feed:remove" => Self::Left,
            "prov:create:full" | "prov:put:full" => Self::Put(data()?),
            "prov:patch:full" => Self::Patch(data()?),
            "prov:create:notice" | "prov:put:notice" | "prov:patch:notice" => {
                if !said.get("attributes").is_some_and(Value::is_array) {
                    return Err(format!("`{suffix}` has no list of `attributes`"));
                }
                Self::Changed
            }
            "prov:delete" => Self::Delete,
            "prov:activate" => Self::Activate,
            "prov:deactivate" => Self::Deactivate,
            "misc:asyncresp" => Self::Asynchronous,
            _ => Self::Other,
        })
    }
}

impl Who {
    /// The subject of a token. An absolute `uri` has to be one of the publisher's own.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(sub_id: Option<&Value>, base: Option<&Url>) -> Result<Self, String> {
        let subject = sub_id.and_then(Value::as_object).ok_or("the token has no `sub_id`")?;
        let text = |name: &str| subject.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !text("format").is_some_and(|format| format.eq_ignore_ascii_case("scim")) {
            return Err("`sub_id` has not the format `scim`".to_owned());
        }
        let uri = text("uri").ok_or("`sub_id` has no `uri`")?;
        let (kind, id) = parts(uri, base).ok_or("`uri` of `sub_id` names no resource of the publisher")?;
        let external_id = text("externalId").map(str::to_owned);
        Ok(Self { id: id.to_owned(), external_id, is_user: kind.eq_ignore_ascii_case("Users") })
    }
}

/// The type and the id in a resource's URI.
fn parts<'u>(uri: &'u str, base: Option<&Url>) -> Option<(&'u str, &'u str)> {
    let relative = if uri.contains("://") {
        let base = base?.as_str().trim_end_matches('/');
        uri.strip_prefix(base)?.strip_prefix('/')?
    } else {
        uri.strip_prefix('/').unwrap_or(uri)
    };
    let (kind, id) = relative.split_once('/')?;
    let is_part = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&byte);
        !text.is_empty() && text.bytes().all(fits) && !text.bytes().all(|byte| byte == b'.')
    };
    (is_part(kind) && is_part(id) && !is_dots(id)).then_some((kind, id))
}

/// What a URL takes for a step up.
fn is_dots(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_spelling_is_the_same_event() {
        for prefix in [
            "urn:ietf:params:event:SCIM:",
            "urn:ietf:params:SCIM:event:",
            "urn:ietf:params:scim:event:",
            "URN:IETF:PARAMS:SCIM:EVENT:",
        ] {
            let read = |suffix: &str| Happening::read(&format!("{prefix}{suffix}"), &json!({}));
            assert_eq!(read("prov:delete"), Ok(Happening::Delete), "{prefix}");
            assert_eq!(read("prov:activate"), Ok(Happening::Activate), "{prefix}");
            assert_eq!(read("prov:sign"), Ok(Happening::Other), "{prefix}");
            assert_eq!(kind(&format!("{prefix}prov:delete")), "prov:delete");
        }
    }

    #[test]
    fn an_event_has_values_or_names_and_never_both() {
        let read = |suffix: &str, said: Value| {
            Happening::read(&format!("urn:ietf:params:scim:event:{suffix}"), &said)
        };
        let (data, names) = (json!({"userName": "noor"}), json!(["userName"]));
        for how in ["create", "put", "patch"] {
            assert!(read(&format!("prov:{how}:full"), json!({"data": data, "attributes": names})).is_err());
            assert!(read(&format!("prov:{how}:full"), json!({"attributes": names})).is_err());
            assert!(read(&format!("prov:{how}:notice"), json!({"data": data})).is_err());
            assert_eq!(
                read(&format!("prov:{how}:notice"), json!({"attributes": names})),
                Ok(Happening::Changed)
            );
        }
        let put = read("prov:create:full", json!({"data": data})).unwrap();
        assert_eq!(put, Happening::Put(data.as_object().unwrap().clone()));
    }

    #[test]
    fn a_subject_is_one_resource_of_the_publisher() {
        let base = Url::parse("https://idm.example.com/scim/v2/").unwrap();
        let who = |uri: &str| Who::read(Some(&json!({"format": "scim", "uri": uri})), Some(&base));
        for uri in ["/Users/8d1f", "Users/8d1f", "https://idm.example.com/scim/v2/Users/8d1f"] {
            let who = who(uri).unwrap();
            assert_eq!((who.id.as_str(), who.external_id, who.is_user), ("8d1f", None, true), "{uri}");
        }
        assert!(!who("/Groups/8d1f").unwrap().is_user);
        for uri in [
            "https://evil.example/scim/v2/Users/8d1f",
            "https://idm.example.com.evil.example/scim/v2/Users/1",
            "//evil.example/Users/1",
            "/Users/../../admin",
            "/Users/..",
            "/Users/%2e%2E",
            "/Users/",
            "/Users/1?x=y",
            "/Users/1#x",
            "/Users/1/2",
            "8d1f",
            "",
        ] {
            assert!(who(uri).is_err(), "{uri}");
        }
        let external = json!({"format": "scim", "uri": "/Users/8d1f", "externalId": "E10442"});
        assert_eq!(Who::read(Some(&external), None).unwrap().external_id.as_deref(), Some("E10442"));
        assert!(Who::read(None, None).is_err());
        assert!(Who::read(Some(&json!({"format": "email", "email": "a@b.c"})), None).is_err());
    }

    #[test]
    fn a_version_counts_where_it_is_a_number() {
        assert_eq!(version(&json!({"version": "W/\"17\""})), Some(17));
        assert_eq!(version(&json!({"data": {"meta": {"version": "\"3\""}}})), Some(3));
        assert_eq!(version(&json!({"version": "W/\"a9f\""})), None);
        assert_eq!(version(&json!({})), None);
    }
}
