//! What went wrong, said in SCIM (RFC 7644 §3.12).

use std::{error::Error as _, time::Duration};

use actix_web::http::{
    StatusCode,
    header::{ALLOW, HeaderName, RETRY_AFTER},
};
use provisioning::ProvisionError;
use scim_types::{Error, ScimType};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};
use store::StoreError;

use crate::{limits::Exhausted, reply::Reply};

/// How long to wait after Salesforce said that it is too busy, and after the store failed in passing.
const SALESFORCE_BUSY: Duration = Duration::from_mins(1);
const STORE_BUSY: Duration = Duration::from_secs(1);

/// A request that was not carried out: the message, and the headers that go with it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: Error,
    pub headers: Vec<(HeaderName, String)>,
}

impl Failure {
    /// With another header.
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With `Retry-After` in whole seconds, at least one: Okta reads nothing else (C-13).
    fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with(RETRY_AFTER, seconds.max(1).to_string())
    }

    /// 405: the path is known, but not with this method (C-67).
    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        Self::from(Error::new(405, format!("{method} is not possible here; possible are {allowed}")))
            .with(ALLOW, allowed)
    }

    /// 429: a client asks too often (C-13).
    pub fn too_many_requests(exhausted: Exhausted) -> Self {
        let Exhausted { limit, retry_after, full_after } = exhausted;
        let seconds = retry_after.as_secs();
        let detail =
            format!("more than {limit} requests in a second: wait {seconds} s and repeat the request");
        Self::from(Error::new(429, detail))
            .with_retry_after(retry_after)
            .with(HeaderName::from_static("x-rate-limit-limit"), limit.to_string())
            .with(HeaderName::from_static("x-rate-limit-remaining"), "0")
            .with(HeaderName::from_static("x-rate-limit-reset"), full_after.as_secs().to_string())
            .with(HeaderName::from_static("x-rate-limit-retry-after-seconds"), seconds.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, headers: Vec::new() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let retry = error.is_retryable();
        let failure = Self::from(store_error(&error));
        if retry { failure.with_retry_after(STORE_BUSY) } else { failure }
    }
}

impl From<ProvisionError> for Failure {
    fn from(error: ProvisionError) -> Self {
        let failure = Self::from(scim_error(&error));
        match retry_after(&error) {
            Some(wait) => failure.with_retry_after(wait),
            None => failure,
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { headers: failure.headers, ..Self::json(status, &failure.error.to_json()) }
    }
}

/// The status, the keyword and the words for each way in which provisioning fails (RFC 7644 §3.12, tables 8 and 9).
pub(crate) fn scim_error(error: &ProvisionError) -> Error {
    use ProvisionError as E;
    let detail = error.to_string();
    match error {
        E::NotFound { .. } => Error::not_found(detail),
        E::Taken { .. } | E::LinkedElsewhere { .. } => Error::uniqueness(detail),
        E::VersionMismatch { .. } => Error::precondition_failed(detail),
        E::Invalid(error) => error.clone(),
        E::Untranslatable(_) => Error::invalid_value(detail),
        E::NotAllowed { .. } | E::MayNotGrant { .. } | E::NoSeat { .. } | E::Published => {
            Error::new(403, detail)
        }
        E::Refused { refusal, attributes, .. } => {
            let (status, keyword, advice) = error.refusal_rule().unwrap_or((400, Some("invalidValue"), ""));
            let mut detail = format!("{detail} ({})", refusal.code);
            if !attributes.is_empty() {
                detail = format!("{detail}; it is about {}", attributes.join(", "));
            }
            if !advice.is_empty() {
                detail = format!("{detail}; {advice}");
            }
            Error { status, scim_type: keyword.and_then(scim_type), detail }
        }
        // Not `uniqueness`: nothing in SCIM has the name, so a client that searches for it after this finds nothing.
        E::Held { .. } | E::PlanMoved { .. } => Error::new(409, detail),
        // The status of the first one that is missing; the words name the others, and count them.
        E::NotAllMembers { refused, .. } => {
            let first = refused.first().map(|(_, error)| scim_error(error));
            let Error { status, scim_type, .. } = first.unwrap_or_else(|| Error::new(409, ""));
            Error { status, scim_type, detail }
        }
        E::NotAllGranted { refused, .. } => {
            let first = refused.first().map(|(_, error)| scim_error(error));
            let Error { status, scim_type, .. } = first.unwrap_or_else(|| Error::new(409, ""));
            Error { status, scim_type, detail }
        }
        // The status of the first one that is missing; the words name all.
        E::Partly { failed, .. } => {
            let first = failed.first().map(|(_, error)| scim_error(error));
            let Error { status, scim_type, .. } = first.unwrap_or_else(|| Error::new(409, ""));
            Error { status, scim_type, detail }
        }
        E::Busy { .. } | E::RollingForward { .. } | E::WillBeDone { .. } => Error::new(503, detail),
        E::Store(error) => store_error(error),
        E::Misconfigured(_) => {
            tracing::error!(error = %detail, "a request failed because of the configuration");
            Error::new(500, detail)
        }
    }
}

/// How long to wait before a repeat makes sense.
fn retry_after(error: &ProvisionError) -> Option<Duration> {
    use ProvisionError as E;
    match error {
        E::Busy { retry_after, .. }
        | E::RollingForward { retry_after, .. }
        | E::WillBeDone { retry_after, .. } => Some(*retry_after),
        E::Refused { .. } => error
            .refusal_rule()
            .is_some_and(|(status, _, _)| status == 429 || status == 503)
            .then_some(SALESFORCE_BUSY),
        E::Store(error) => error.is_retryable().then_some(STORE_BUSY),
        E::Partly { failed, .. } => failed.iter().find_map(|(_, error)| retry_after(error)),
        E::NotAllGranted { refused, .. } => refused.iter().find_map(|(_, error)| retry_after(error)),
        E::NotAllMembers { refused, .. } => refused.first().and_then(|(_, error)| retry_after(error)),
        E::NotFound { .. }
        | E::PlanMoved { .. }
        | E::Taken { .. }
        | E::VersionMismatch { .. }
        | E::Invalid(_)
        | E::Untranslatable(_)
        | E::NotAllowed { .. }
        | E::MayNotGrant { .. }
        | E::NoSeat { .. }
        | E::Published
        | E::Held { .. }
        | E::LinkedElsewhere { .. }
        | E::Misconfigured(_) => None,
    }
}

/// The store's failures. All but one are the operator's business, who finds the cause in the log.
fn store_error(error: &StoreError) -> Error {
    if let StoreError::TooMany { .. } = error {
        return Error::too_many(error.to_string());
    }
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::error!(%error, cause, "a request failed because of the store");
    if error.is_retryable() {
        Error::new(503, "Gangway's store is busy or failed in passing: repeat the request")
    } else {
        Error::new(500, "Gangway cannot use its store: its operator finds the reason in the log")
    }
}

fn scim_type(keyword: &str) -> Option<ScimType> {
    let keyword: value::StrDeserializer<'_, value::Error> = keyword.into_deserializer();
    ScimType::deserialize(keyword).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ChangeId, ResourceKind};

    fn header<'a>(failure: &'a Failure, name: &str) -> Option<&'a str> {
        failure.headers.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn c13_retry_after_is_in_whole_seconds_rounded_up() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (90_000, "90")] {
            let busy = ProvisionError::Busy {
                why: "the queue is full".into(),
                retry_after: Duration::from_millis(wait),
            };
            let failure = Failure::from(busy);
            assert_eq!(failure.error.status, 503);
            assert_eq!(header(&failure, "retry-after"), Some(seconds));
        }
        let change = ChangeId::from_text("c-1");
        let failure =
            Failure::from(ProvisionError::RollingForward { change, retry_after: Duration::from_secs(5) });
        assert_eq!((failure.error.status, header(&failure, "retry-after")), (503, Some("5")));
        assert!(failure.error.detail.contains("c-1"));
    }

    #[test]
    fn c13_too_many_requests_says_when_to_come_back() {
        let second = Duration::from_secs(1);
        let failure =
            Failure::too_many_requests(Exhausted { limit: 200, retry_after: second, full_after: second });
        assert_eq!(failure.error.status, 429);
        for (name, value) in [
            ("retry-after", "1"),
            ("x-rate-limit-limit", "200"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1"),
            ("x-rate-limit-retry-after-seconds", "1"),
        ] {
            assert_eq!(header(&failure, name), Some(value), "{name}");
        }
    }

    #[test]
    fn c31_a_taken_user_name_is_409_uniqueness_and_names_the_attribute() {
        let error = scim_error(&ProvisionError::Taken { kind: ResourceKind::User, attribute: "userName" });
        assert_eq!((error.status, error.scim_type), (409, Some(ScimType::Uniqueness)));
        assert!(error.detail.contains("userName"));
    }

    #[test]
    fn c67_a_method_that_is_not_possible_says_which_are() {
        let failure = Failure::method_not_allowed("PUT", "GET, HEAD, POST");
        assert_eq!((failure.error.status, header(&failure, "allow")), (405, Some("GET, HEAD, POST")));
        assert!(failure.error.detail.contains("PUT"));
    }

    #[test]
    fn c71_every_failure_is_a_scim_error() {
        let reply = Reply::from(Failure::from(Error::not_found("there is nothing here")));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 404);
        assert_eq!(body["schemas"][0], scim_types::ERROR_URN);
        assert_eq!((&body["status"], &body["detail"]), (&"404".into(), &"there is nothing here".into()));
    }

    #[test]
    fn the_store_is_too_many_busy_or_broken() {
        let closed = Failure::from(StoreError::Closed);
        assert_eq!((closed.error.status, closed.headers.len()), (500, 0));
        let busy = Failure::from(StoreError::BrokeOff);
        assert_eq!((busy.error.status, header(&busy, "retry-after")), (503, Some("1")));
        let many =
            StoreError::TooMany { rows: 200_000, time: Duration::from_secs(2), indexed: &["userName"] };
        let many = scim_error(&ProvisionError::Store(many));
        assert_eq!((many.status, many.scim_type), (400, Some(ScimType::TooMany)));
        assert!(many.detail.contains("userName"));
    }

    #[test]
    fn salesforces_keywords_are_scims() {
        assert_eq!(scim_type("uniqueness"), Some(ScimType::Uniqueness));
        assert_eq!(scim_type("invalidValue"), Some(ScimType::InvalidValue));
        assert_eq!(scim_type("nonsense"), None);
    }
}
