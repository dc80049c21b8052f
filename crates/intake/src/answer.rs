//! What a source is answered: 202 for what is applied or durable, and an error that says whether to send it again.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, RETRY_AFTER},
    },
};
use serde_json::json;

use crate::set::{Code, Rejected};

/// Why a delivery was not taken. Nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no token, no JSON, or not what its kind looks like.
    InvalidRequest(String),
    /// No key of the source has signed it.
    InvalidKey(String),
    /// Its issuer is not this source.
    InvalidIssuer(String),
    /// It is for somebody else.
    InvalidAudience(String),
    /// Its `state` is not what was asked for.
    InvalidState(String),
    /// The sender's credentials are missing or wrong.
    AuthenticationFailed(String),
    /// The sender may not do this here.
    AccessDenied(String),
    /// The body is longer than this.
    TooLarge(usize),
    /// The body is of another media type than these.
    MediaType(String),
    /// The address takes other methods than this one.
    Method,
    /// There is no such source, or nothing at this address.
    NotFound,
    /// It is being applied: the sender's other attempt will be answered.
    InFlight,
    /// Not now: a key set, the source's own API, Salesforce or the store does not answer.
    Unavailable {
        /// Why.
        why: String,
        /// When it may work.
        retry_after: Duration,
    },
}

impl Refusal {
    /// In metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "request",
            Self::InvalidKey(_) => "signature",
            Self::InvalidIssuer(_) => "issuer",
            Self::InvalidAudience(_) => "audience",
            Self::InvalidState(_) => "state",
            Self::AuthenticationFailed(_) => "authentication",
            Self::AccessDenied(_) => "access",
            Self::TooLarge(_) => "size",
            Self::MediaType(_) => "media-type",
            Self::Method => "method",
            Self::NotFound => "not-found",
            Self::InFlight => "in-flight",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What is wrong, in the words of RFC 8935 §2.3 and for a person. `None`: nothing is wrong with what was sent.
    #[must_use]
    pub fn error(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::InvalidRequest(why) => Some(("invalid_request", why)),
            Self::InvalidKey(why) => Some(("invalid_key", why)),
            Self::InvalidIssuer(why) => Some(("invalid_issuer", why)),
            Self::InvalidAudience(why) => Some(("invalid_audience", why)),
            Self::InvalidState(why) => Some(("invalid_state", why)),
            Self::AuthenticationFailed(why) => Some(("authentication_failed", why)),
            Self::AccessDenied(why) => Some(("access_denied", why)),
            _ => None,
        }
    }

    /// Whether the same delivery may be taken later: it is none of the sender's fault.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::InFlight | Self::Unavailable { .. })
    }

    /// The answer. Errors about the token are those of RFC 8935 §2.3, everything else is a problem (RFC 9457).
    #[must_use]
    pub fn answer(&self) -> HttpResponse {
        let problem = |status: StatusCode, detail: &str| {
            let mut answer = HttpResponse::build(status);
            answer.insert_header((CACHE_CONTROL, "no-store")).content_type("application/problem+json");
            let title = status.canonical_reason().unwrap_or_default();
            let body =
                json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
            (answer, body)
        };
        let set = |status: StatusCode, err: &str, description: &str| {
            HttpResponse::build(status)
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((CONTENT_LANGUAGE, "en"))
                .json(json!({"err": err, "description": description}))
        };
        match self {
            Self::InvalidRequest(why) => set(StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::InvalidKey(why) => set(StatusCode::BAD_REQUEST, "invalid_key", why),
            Self::InvalidIssuer(why) => set(StatusCode::BAD_REQUEST, "invalid_issuer", why),
            Self::InvalidAudience(why) => set(StatusCode::BAD_REQUEST, "invalid_audience", why),
            Self::InvalidState(why) => set(StatusCode::BAD_REQUEST, "invalid_state", why),
            Self::AuthenticationFailed(why) => set(StatusCode::UNAUTHORIZED, "authentication_failed", why),
            Self::AccessDenied(why) => set(StatusCode::FORBIDDEN, "access_denied", why),
            Self::TooLarge(limit) => {
                let detail = format!("a delivery has at most {limit} bytes");
                let (mut answer, body) = problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
                answer.json(body)
            }
            Self::MediaType(wanted) => {
                let detail = format!("send it with Content-Type: {wanted}");
                let (mut answer, body) = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, &detail);
                answer.json(body)
            }
            Self::Method => {
                let (mut answer, body) = problem(StatusCode::METHOD_NOT_ALLOWED, "events are sent with POST");
                answer.insert_header((ALLOW, "POST, HEAD")).json(body)
            }
            Self::NotFound => {
                let detail = "no source has this address: events are sent to /events/{source}/{customer}/{environment}";
                let (mut answer, body) = problem(StatusCode::NOT_FOUND, detail);
                answer.json(body)
            }
            // The other attempt will say how it ended.
            Self::InFlight => HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, "3")).finish(),
            Self::Unavailable { why, retry_after } => {
                let detail = format!("{why}; nothing is lost: send it again");
                let (mut answer, body) = problem(StatusCode::SERVICE_UNAVAILABLE, &detail);
                let seconds = retry_after.as_secs().max(1);
                answer.insert_header((RETRY_AFTER, seconds.to_string())).json(body)
            }
        }
    }
}

impl From<Rejected> for Refusal {
    /// As it is told apart in RFC 8935 §2.4. A token whose keys cannot be read may be good: it is asked for again.
    fn from(rejected: Rejected) -> Self {
        let (code, retry_after) = (rejected.code(), rejected.retry_after.unwrap_or_default());
        let why = rejected.description.into_owned();
        match code {
            Code::InvalidRequest => Self::InvalidRequest(why),
            Code::InvalidKey => Self::InvalidKey(why),
            Code::InvalidIssuer => Self::InvalidIssuer(why),
            Code::InvalidAudience => Self::InvalidAudience(why),
            Code::Unavailable => Self::Unavailable { why, retry_after },
        }
    }
}

/// 202 without a body (RFC 8935 §2.2).
pub(crate) fn accepted() -> HttpResponse {
    HttpResponse::Accepted().finish()
}
