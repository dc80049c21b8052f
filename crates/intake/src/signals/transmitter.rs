//! A transmitter's own description and its API for streams (`OpenID` Shared Signals Framework 1.0 §6 and §7).

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::remote::{CALL, Remote, RemoteAnswer, RemoteError};

/// Where a transmitter describes itself; a path of its issuer comes behind it.
const WELL_KNOWN: &str = "/.well-known/ssf-configuration";
const PUSH: &str = "urn:ietf:rfc:8935";
const POLL: &str = "urn:ietf:rfc:8936";

/// How a transmitter describes itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) jwks_uri: Option<String>,
    configuration_endpoint: Option<Url>,
    status_endpoint: Option<Url>,
    verification_endpoint: Option<Url>,
    /// None: it does not say.
    delivery_methods_supported: Option<Vec<String>>,
    /// None: it does not say. Some write `null`.
    pub(super) critical_subject_members: Option<Vec<String>>,
}

/// A stream, as the transmitter has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StreamConfiguration {
    pub(super) stream_id: String,
    #[serde(default)]
    aud: Value,
    #[serde(default)]
    delivery: DeliveryMethod,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    pub(super) min_verification_interval: Option<u64>,
    #[serde(default)]
    pub(super) inactivity_timeout: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct DeliveryMethod {
    #[serde(default)]
    method: String,
    #[serde(default)]
    endpoint_url: Option<Url>,
}

/// What Gangway wants of a stream.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) events: Vec<String>,
    /// Where events are pushed to, and what they come with; none: they are polled.
    pub(super) push: Option<(String, String)>,
    /// By which it is found again where it is polled.
    pub(super) description: String,
}

/// Why a call to a transmitter came to nothing. No secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransmitterError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("{0}")]
    Answer(String),
    #[error("the transmitter's metadata has no {0}")]
    Lacks(&'static str),
    #[error("the transmitter at this issuer's address describes another issuer")]
    Stranger,
    #[error("the transmitter does not deliver by {method}: write `delivery = \"{other}\"` for this source")]
    Delivery { method: &'static str, other: &'static str },
    #[error("the transmitter does not know the stream any more")]
    Gone,
}

impl Metadata {
    /// Asks a transmitter to describe itself.
    pub(super) async fn discover(remote: &Remote, issuer: &str) -> Result<Self, TransmitterError> {
        let url =
            well_known(issuer).ok_or_else(|| TransmitterError::Answer("the issuer is no URL".to_owned()))?;
        let answer = remote.call(Method::GET, &url, None, CALL).await?;
        let metadata: Self = answer.json().map_err(TransmitterError::Answer)?;
        if metadata.issuer == issuer { Ok(metadata) } else { Err(TransmitterError::Stranger) }
    }

    /// The stream that Gangway has there, made where there is none, and brought to what is wanted.
    pub(super) async fn stream(
        &self,
        remote: &Remote,
        wanted: &Wanted,
    ) -> Result<StreamConfiguration, TransmitterError> {
        let (method, other) = if wanted.push.is_some() { (PUSH, "poll") } else { (POLL, "push") };
        let supported = self.delivery_methods_supported.as_ref();
        if supported.is_some_and(|methods| !methods.iter().any(|one| one == method)) {
            return Err(TransmitterError::Delivery { method, other });
        }
        let url =
            self.configuration_endpoint.as_ref().ok_or(TransmitterError::Lacks("configuration_endpoint"))?;
        let (method, mut body) = match self.find(remote, url, wanted).await? {
            None => (Method::POST, json!({})),
            Some(found) => (Method::PATCH, json!({"stream_id": found.stream_id})),
        };
        body["events_requested"] = json!(wanted.events);
        body["description"] = json!(wanted.description);
        body["delivery"] = match &wanted.push {
            Some((url, authorization)) => {
                json!({"method": PUSH, "endpoint_url": url, "authorization_header": authorization})
            }
            None => json!({"method": POLL}),
        };
        let answer = remote.call(method, url, Some(&body), CALL).await?;
        answer.json().map_err(TransmitterError::Answer)
    }

    async fn find(
        &self,
        remote: &Remote,
        url: &Url,
        wanted: &Wanted,
    ) -> Result<Option<StreamConfiguration>, TransmitterError> {
        let answer = remote.call(Method::GET, url, None, CALL).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        // One that has a single stream may give it without a list.
        let streams = match answer.json().map_err(TransmitterError::Answer)? {
            Value::Array(streams) => streams,
            stream => vec![stream],
        };
        let read = |stream: Value| serde_json::from_value::<StreamConfiguration>(stream).ok();
        Ok(streams.into_iter().filter_map(read).find(|stream| stream.is(wanted)))
    }

    /// Asks for a verification event with this state.
    pub(super) async fn verify(
        &self,
        remote: &Remote,
        stream: &str,
        state: &str,
    ) -> Result<(), TransmitterError> {
        let url =
            self.verification_endpoint.as_ref().ok_or(TransmitterError::Lacks("verification_endpoint"))?;
        let body = json!({"stream_id": stream, "state": state});
        let answer = remote.call(Method::POST, url, Some(&body), CALL).await?;
        successful(&answer)
    }

    /// `enabled`, `paused` or `disabled`, with the reason. It is an activity, which keeps the stream from being given up.
    pub(super) async fn status(
        &self,
        remote: &Remote,
        stream: &str,
    ) -> Result<(String, Option<String>), TransmitterError> {
        let mut url = self.status_endpoint.clone().ok_or(TransmitterError::Lacks("status_endpoint"))?;
        url.query_pairs_mut().append_pair("stream_id", stream);
        let answer = remote.call(Method::GET, &url, None, CALL).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(TransmitterError::Gone);
        }
        let status: Value = answer.json().map_err(TransmitterError::Answer)?;
        let text = |name: &str| status.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok((text("status").unwrap_or_default(), text("reason")))
    }
}

impl StreamConfiguration {
    /// Whom its tokens are for.
    pub(super) fn audiences(&self) -> Vec<String> {
        match &self.aud {
            Value::String(one) => vec![one.clone()],
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Where its events are polled.
    pub(super) fn poll_url(&self) -> Option<&Url> {
        self.delivery.endpoint_url.as_ref().filter(|_| self.delivery.method == POLL)
    }

    fn is(&self, wanted: &Wanted) -> bool {
        match &wanted.push {
            Some((url, _)) => {
                let ours = Url::parse(url).ok();
                self.delivery.method == PUSH && ours.is_some() && self.delivery.endpoint_url == ours
            }
            None => self.delivery.method == POLL && self.description.as_deref() == Some(&wanted.description),
        }
    }
}

/// The well-known part stands between the host and the path of the issuer.
fn well_known(issuer: &str) -> Option<Url> {
    let mut url = Url::parse(issuer).ok()?;
    let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url)
}

fn successful(answer: &RemoteAnswer) -> Result<(), TransmitterError> {
    if answer.status.is_success() {
        return Ok(());
    }
    Err(TransmitterError::Answer(format!("the transmitter answered {}", answer.status.as_u16())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_before_the_path_of_the_issuer() {
        for (issuer, url) in [
            ("https://tr.example", "https://tr.example/.well-known/ssf-configuration"),
            ("https://tr.example/", "https://tr.example/.well-known/ssf-configuration"),
            ("https://tr.example/a/b", "https://tr.example/.well-known/ssf-configuration/a/b"),
            ("https://tr.example:8443/a/", "https://tr.example:8443/.well-known/ssf-configuration/a"),
        ] {
            assert_eq!(well_known(issuer).unwrap().as_str(), url);
        }
    }
}
