//! The one place where bytes leave: every request to the org goes through [`Wire`].

use std::time::{Duration, Instant};

use model::{Clock, OrgName};
use reqwest::{Method, header, redirect};
use salesforce_types::{Duplicates, Manner};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use tracing::Instrument;
use url::{Host, Url};

use crate::{
    limits::{Cause, Counters, Gauge, Shares},
    org::Purpose,
    soap,
    token::{LoginFailure, Session},
};

/// Time to come to a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the idle time-out of common load balancers (60 s), so that we close first: a call on a
/// connection that the other side is closing ends as unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);
/// No answer is larger: a page of 2,000 rows with every field of User is about 20 MB.
const MAX_ANSWER: usize = 64 << 20;

/// One request to an org.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) cause: Cause,
    pub(crate) method: Method,
    /// Path and query under the instance, starting with `/services/`.
    pub(crate) path: String,
    /// The object it is about, for the log.
    pub(crate) object: &'a str,
    pub(crate) body: Body,
    /// How a write is to be taken; `None` where the parts of the call say it themselves.
    pub(crate) manner: Option<Manner>,
    pub(crate) if_modified_since: Option<&'a str>,
    /// For whom.
    pub(crate) shares: Shares,
}

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Nothing,
    Json(Vec<u8>),
    /// An operation, whose envelope holds what else stands in headers.
    Soap(soap::Element),
}

/// Whether the org's assignment rules choose the owner, as a header. Where it is missing they do.
pub(crate) fn assignment_header(manner: Manner) -> (&'static str, &'static str) {
    ("Sforce-Auto-Assign", if manner.assignment_rules { "TRUE" } else { "FALSE" })
}

/// What the org's duplicate rules may say, as a header.
pub(crate) fn duplicates_header(manner: Manner) -> Option<(&'static str, &'static str)> {
    match manner.duplicates {
        Duplicates::Respect => None,
        Duplicates::Allow => Some(("Sforce-Duplicate-Rule-Header", "allowSave=true")),
    }
}

impl<'a> Request<'a> {
    pub(crate) fn get(purpose: Purpose<'_>, object: &'a str, path: String) -> Self {
        Self {
            cause: purpose.cause,
            method: Method::GET,
            path,
            object,
            body: Body::Nothing,
            manner: Some(Manner::default()),
            if_modified_since: None,
            shares: purpose.shares(),
        }
    }
}

/// What came back, of any status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) last_modified: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection came about: not a byte of the request has left.
    Unsent { why: String },
    /// The request was under way.
    Cut { why: String },
}

#[derive(Debug)]
pub(crate) struct Wire {
    org: OrgName,
    clock: Clock,
    timeout: Duration,
    /// Plain HTTP, which is allowed on loopback only.
    plain: bool,
    client: OnceCell<reqwest::Client>,
    pub(crate) gauge: Gauge,
    pub(crate) counters: Counters,
}

impl Wire {
    pub(crate) fn new(org: OrgName, url: &Url, timeout: Duration, clock: Clock) -> Self {
        Self {
            org,
            clock,
            timeout,
            plain: url.scheme() == "http",
            client: OnceCell::new(),
            gauge: Gauge::default(),
            counters: Counters::default(),
        }
    }

    /// Sends a request with the session's token.
    pub(crate) async fn call(&self, session: &Session, request: &Request<'_>) -> Result<Answer, Failure> {
        let span = tracing::info_span!(
            "salesforce.call",
            org = %self.org,
            method = %request.method,
            object = request.object,
            status = tracing::field::Empty,
            duration_ms = tracing::field::Empty,
            api_calls_left = tracing::field::Empty,
        );
        async {
            let url = session.instance.join(&request.path).map_err(|_| Failure::Unsent {
                why: "the path of a request does not fit the org's address".to_owned(),
            })?;
            let builder = self.client().await?.request(request.method.clone(), url);
            let builder = dressed(builder, session.access_token.expose_secret(), request);
            self.counters.count(request.cause, &request.shares);
            let answer = self.exchange(builder).await?;
            if matches!(answer.status, 200..=299 | 304) {
                session.has_worked();
            }
            Ok(answer)
        }
        .instrument(span)
        .await
    }

    /// Sends a request of the token endpoint, as the oauth2 crate prepared it.
    pub(crate) async fn log_in(
        &self,
        request: oauth2::HttpRequest,
    ) -> Result<oauth2::HttpResponse, LoginFailure> {
        let span = tracing::info_span!(
            "salesforce.call",
            org = %self.org,
            method = %Method::POST,
            object = "token",
            status = tracing::field::Empty,
            duration_ms = tracing::field::Empty,
        );
        async {
            let request =
                reqwest::Request::try_from(request).map_err(|error| failure(error, self.timeout))?;
            let builder = reqwest::RequestBuilder::from_parts(self.client().await?.clone(), request);
            self.counters.count(Cause::Token, &Shares::default());
            let answer = self.exchange(builder).await?;
            oauth2::http::Response::builder().status(answer.status).body(answer.body).map_err(|_| {
                let why = "the token endpoint answered with an impossible status".to_owned();
                LoginFailure(Failure::Cut { why })
            })
        }
        .instrument(span)
        .await
    }

    async fn exchange(&self, builder: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        let started = Instant::now();
        let answer = self.receive(builder).await;
        let span = tracing::Span::current();
        span.record("duration_ms", u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        match &answer {
            Ok(answer) => {
                span.record("status", answer.status);
                tracing::debug!("Salesforce answered");
            }
            Err(Failure::Unsent { why } | Failure::Cut { why }) => {
                tracing::debug!(why, "Salesforce did not answer");
            }
        }
        answer
    }

    async fn receive(&self, builder: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        let failed = |error| failure(error, self.timeout);
        let mut response = builder.send().await.map_err(failed)?;
        let text = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let last_modified = text("last-modified");
        if let Some(usage) = self.gauge.record(text("sforce-limit-info").as_deref(), self.clock.now()) {
            tracing::Span::current().record("api_calls_left", usage.remaining());
        }
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Failure::Cut { why: format!("the answer is larger than {MAX_ANSWER} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, last_modified, body })
    }

    /// The HTTP client, made at the first call: loading the system's root certificates takes longer than
    /// the whole start of the gateway may.
    async fn client(&self) -> Result<&reqwest::Client, Failure> {
        self.client
            .get_or_try_init(|| async {
                let (plain, timeout) = (self.plain, self.timeout);
                let made = tokio::task::spawn_blocking(move || make_client(plain, timeout)).await;
                made.map_err(|error| error.to_string()).and_then(|client| client.map_err(|e| root_cause(&e)))
            })
            .await
            .map_err(|why| Failure::Unsent { why: format!("no HTTP client could be made: {why}") })
    }
}

/// Puts what a request carries, and what goes with it, into the HTTP request.
fn dressed(builder: reqwest::RequestBuilder, token: &str, request: &Request<'_>) -> reqwest::RequestBuilder {
    if let Body::Soap(operation) = &request.body {
        return builder
            .header(header::ACCEPT, "text/xml")
            .header(header::CONTENT_TYPE, "text/xml; charset=UTF-8")
            // SOAP 1.1 §6.1.1 asks for it; Salesforce goes by the body.
            .header("SOAPAction", "\"\"")
            .body(soap::write(token, operation));
    }
    let manner = request.manner.into_iter();
    let headers = manner.flat_map(|manner| [Some(assignment_header(manner)), duplicates_header(manner)]);
    let mut builder = builder
        .bearer_auth(token)
        .header(header::ACCEPT, "application/json")
        .header("Sforce-Call-Options", "client=Gangway");
    for (name, value) in headers.flatten() {
        builder = builder.header(name, value);
    }
    if let Some(since) = request.if_modified_since {
        builder = builder.header(header::IF_MODIFIED_SINCE, since);
    }
    match &request.body {
        Body::Json(body) => builder.header(header::CONTENT_TYPE, "application/json").body(body.clone()),
        Body::Nothing | Body::Soap(_) => builder,
    }
}

fn make_client(plain: bool, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("Gangway/", env!("CARGO_PKG_VERSION")))
        // A request that was redirected is not the request that was meant, and it carries a token.
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .https_only(!plain);
    // On loopback there is no certificate to check and no proxy to ask.
    if plain { builder.tls_certs_only([]).no_proxy().build() } else { builder.build() }
}

/// Whether tokens may be sent there: HTTPS, or plain HTTP to this machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https"
        || url.scheme() == "http"
            && match url.host() {
                Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            }
}

fn failure(error: reqwest::Error, timeout: Duration) -> Failure {
    // The URL may hold what somebody searched for.
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        Failure::Unsent { why: format!("the org could not be reached: {}", root_cause(&error)) }
    } else if error.is_timeout() {
        Failure::Cut { why: format!("no answer within {} ms", timeout.as_millis()) }
    } else {
        Failure::Cut { why: format!("the connection was cut: {}", root_cause(&error)) }
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_encrypted_or_not_at_all() {
        for safe in
            ["https://a.my.salesforce.com", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(is_safe(&safe.parse().unwrap()), "{safe}");
        }
        for unsafe_ in [
            "http://a.my.salesforce.com",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "ftp://localhost",
        ] {
            assert!(!is_safe(&unsafe_.parse().unwrap()), "{unsafe_}");
        }
    }
}
