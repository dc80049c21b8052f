//! The resources of a publisher, read at its configured address and nowhere else.

use percent_encoding::percent_decode_str;
use reqwest::{Method, StatusCode};
use scim_types::ERROR_URN;
use serde_json::{Map, Value};
use url::Url;

use crate::remote::{CALL, Remote, RemoteAnswer};

/// A SCIM service provider.
#[derive(Clone)]
pub(super) struct Publisher {
    pub(super) base: Url,
    pub(super) remote: Remote,
}

/// Why a resource could not be read.
#[derive(Debug)]
pub(super) enum FetchError {
    Later(String),
    Unreadable(String),
}

impl Publisher {
    /// A User by its id, which has been checked to be one part of a path. `None`: it is not there any more.
    pub(super) async fn user(&self, id: &str) -> Result<Option<Map<String, Value>>, FetchError> {
        let text = format!("{}/Users/{id}", self.base.as_str().trim_end_matches('/'));
        let url =
            Url::parse(&text).map_err(|_| FetchError::Unreadable("the id cannot be asked for".to_owned()))?;
        let answer = self.remote.call(Method::GET, &url, None, CALL).await;
        let answer = answer.map_err(|error| FetchError::Later(error.to_string()))?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE if says_so_itself(&answer) => Ok(None),
            status if status.is_success() => {
                let resource = answer.json::<Value>().map_err(FetchError::Unreadable)?;
                match resource {
                    Value::Object(resource) if !is_called(&resource, id) => Err(FetchError::Unreadable(
                        "the publisher answers with another resource: its `id` is not the one that was asked for"
                            .to_owned(),
                    )),
                    Value::Object(resource) => Ok(Some(resource)),
                    _ => Err(FetchError::Unreadable("the publisher's resource is none".to_owned())),
                }
            }
            status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => Err(FetchError::Later(format!(
                "something answered {} in the publisher's place, without a SCIM error: is `publisher.url` right?",
                status.as_u16()
            ))),
            status => Err(FetchError::Later(format!("the publisher answered {}", status.as_u16()))),
        }
    }
}

/// Whether it is the publisher that does not have it (RFC 7644 §3.12), and not a proxy that does not have the publisher: nobody is
/// deleted for that.
fn says_so_itself(answer: &RemoteAnswer) -> bool {
    let error: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_error = |schema: &Value| schema.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(ERROR_URN));
    let status = match error.get("status") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.as_u64(),
        _ => None,
    };
    answer.media_type == "application/scim+json"
        || error.get("schemas").and_then(Value::as_array).is_some_and(|schemas| schemas.iter().any(is_error))
            && status == Some(u64::from(answer.status.as_u16()))
}

/// Whether a resource is the one of this part of a path. Every resource has its `id` (RFC 7643 §3.1).
fn is_called(resource: &Map<String, Value>, part: &str) -> bool {
    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
    id == part || percent_decode_str(part).decode_utf8().is_ok_and(|decoded| id == decoded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_scim_server_says_that_somebody_is_gone() {
        let says = |status: u16, media_type: &str, body: &str| {
            says_so_itself(&RemoteAnswer {
                status: StatusCode::from_u16(status).unwrap(),
                media_type: media_type.to_owned(),
                body: body.as_bytes().to_vec(),
            })
        };
        let error = json!({"schemas": [ERROR_URN], "status": "404"}).to_string();
        assert!(says(404, "application/scim+json", ""));
        assert!(says(404, "application/json", &error));
        assert!(!says(410, "application/json", &error), "that is the error of something else");
        assert!(!says(404, "text/html", "<html>no route</html>"));
        assert!(!says(404, "application/json", "{\"message\": \"no route\"}"));
        assert!(!says(404, "", ""));
    }

    #[test]
    fn a_resource_is_the_one_that_was_asked_for_by_its_id() {
        let is_it = |said: Value, part: &str| is_called(said.as_object().unwrap(), part);
        assert!(is_it(json!({"id": "8d1f"}), "8d1f"));
        assert!(is_it(json!({"id": "ada@acme"}), "ada%40acme"));
        assert!(!is_it(json!({"id": "other"}), "8d1f"));
        assert!(!is_it(json!({"id": 8}), "8"));
        assert!(!is_it(json!({"userName": "ada"}), "8d1f"));
    }
}
