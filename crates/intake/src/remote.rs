//! The API of a source, as a client of it: where streams are managed, events are polled and resources are read.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Client, Method, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use url::{Host, Url};

/// The longest answer: 50 tokens of the longest that is taken from anybody.
const LARGEST: usize = 16 * 1024 * 1024;
/// How long a source may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an ordinary call may take.
pub(crate) const CALL: Duration = Duration::from_secs(10);
/// An access token of which nothing is said is good for so long.
const TOKEN_LIFE: Duration = Duration::from_mins(5);
/// A token is renewed so long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// How Gangway shows a source who it is.
#[derive(Clone, Debug, Default)]
pub enum Authorization {
    /// Not at all.
    #[default]
    None,
    /// By a token that does not change.
    Bearer(SecretString),
    /// By tokens that are got with the OAuth grant `client_credentials`.
    ClientCredentials {
        /// Where.
        token_url: Url,
        /// As whom.
        client_id: String,
        /// And with which secret.
        client_secret: SecretString,
        /// For what; empty: what the source gives by itself.
        scopes: Vec<String>,
    },
}

/// The API of a source. It is only ever asked at addresses that are configured, or that its own metadata names.
#[derive(Clone)]
pub struct Remote {
    http: Client,
    authorization: Arc<Authorization>,
    token: Arc<Mutex<Option<AccessToken>>>,
}

struct AccessToken {
    token: SecretString,
    until: Instant,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct RemoteAnswer {
    pub(crate) status: StatusCode,
    /// Of the body, in lower case and without parameters; empty: it is not said.
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer. No personal data and no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("{0} is not asked: it is neither https nor on loopback")]
    Unsafe(String),
    #[error("the source does not answer: {0}")]
    Unreachable(String),
    /// It is connected, and has nothing to say in all the time that it had.
    #[error("the source does not answer: it takes too long")]
    Silent,
    #[error("the source gives no access token: {0}")]
    NoToken(String),
    #[error("the source answered more than {} MiB", LARGEST / 1024 / 1024)]
    TooLarge,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("authorization", &self.authorization).finish_non_exhaustive()
    }
}

impl Remote {
    /// Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The TLS library cannot be set up.
    pub fn new(authorization: Authorization) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .user_agent(concat!("Gangway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // Another host was not trusted by anybody.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, authorization: Arc::new(authorization), token: Arc::default() })
    }

    /// Asks, once more with a new access token where the one that was there is not good any more.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<RemoteAnswer, RemoteError> {
        if !is_safe(url) {
            return Err(RemoteError::Unsafe(url.to_string()));
        }
        let answer = self.ask(method.clone(), url, body, within).await?;
        let renews = matches!(*self.authorization, Authorization::ClientCredentials { .. });
        if answer.status != StatusCode::UNAUTHORIZED || !renews {
            return Ok(answer);
        }
        *self.token.lock().await = None;
        self.ask(method, url, body, within).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<RemoteAnswer, RemoteError> {
        let accept = "application/json, application/scim+json";
        let mut request =
            self.http.request(method, url.clone()).timeout(within).header(header::ACCEPT, accept);
        if let Some(token) = self.bearer().await? {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request).await
    }

    /// The token of now, if there is to be one.
    async fn bearer(&self) -> Result<Option<SecretString>, RemoteError> {
        let (token_url, client_id, client_secret, scopes) = match &*self.authorization {
            Authorization::None => return Ok(None),
            Authorization::Bearer(token) => return Ok(Some(token.clone())),
            Authorization::ClientCredentials { token_url, client_id, client_secret, scopes } => {
                (token_url, client_id, client_secret, scopes)
            }
        };
        // One at a time: the others use what the first one gets.
        let mut held = self.token.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.until) {
            return Ok(Some(held.token.clone()));
        }
        if !is_safe(token_url) {
            return Err(RemoteError::Unsafe(token_url.to_string()));
        }
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ")));
        }
        let request = self.http.post(token_url.clone()).timeout(CALL).form(&form);
        let answer = read(request.basic_auth(client_id, Some(client_secret.expose_secret()))).await?;
        if !answer.status.is_success() {
            return Err(RemoteError::NoToken(format!("status {}", answer.status.as_u16())));
        }
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| RemoteError::NoToken("its answer is none".to_owned()))?;
        let life = granted.expires_in.map_or(TOKEN_LIFE, Duration::from_secs);
        let until = Instant::now() + life.saturating_sub(TOKEN_MARGIN);
        let token = granted.access_token;
        *held = Some(AccessToken { token: token.clone(), until });
        Ok(Some(token))
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    expires_in: Option<u64>,
}

async fn read(request: reqwest::RequestBuilder) -> Result<RemoteAnswer, RemoteError> {
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(RemoteError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RemoteAnswer { status, media_type, body })
}

impl RemoteAnswer {
    /// The body of an answer that is a success.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        if !self.status.is_success() {
            return Err(format!("the source answered {}", self.status.as_u16()));
        }
        // The parser's own words would quote what it read.
        serde_json::from_slice(&self.body)
            .map_err(|_| "the source answered something else than was expected".to_owned())
    }
}

fn unreachable(error: &reqwest::Error) -> RemoteError {
    if error.is_timeout() && !error.is_connect() {
        return RemoteError::Silent;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    RemoteError::Unreachable(if error.is_timeout() {
        "it takes too long".to_owned()
    } else {
        cause.to_string()
    })
}

/// Whether nobody between can read and change what goes there: https, or this machine.
#[must_use]
pub fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_encrypted_is_asked_on_loopback_only() {
        let remote = Remote::new(Authorization::None).unwrap();
        for url in ["http://example.com/x", "ftp://127.0.0.1/x", "http://127.0.0.1.example.com/"] {
            let asked = remote.call(Method::GET, &url.parse().unwrap(), None, CALL).await;
            assert!(matches!(asked, Err(RemoteError::Unsafe(_))), "{url}: {asked:?}");
        }
        for url in ["http://127.0.0.1:1/x", "http://localhost:1/x", "http://[::1]:1/x"] {
            let asked = remote.call(Method::GET, &url.parse().unwrap(), None, CALL).await;
            assert!(matches!(asked, Err(RemoteError::Unreachable(_))), "{url}: {asked:?}");
        }
    }

    #[tokio::test]
    async fn who_is_connected_and_says_nothing_is_not_who_cannot_be_reached() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/poll", silent.local_addr().unwrap()).parse().unwrap();
        let remote = Remote::new(Authorization::None).unwrap();
        let asked = remote.call(Method::POST, &url, None, Duration::from_millis(50)).await;
        assert!(matches!(asked, Err(RemoteError::Silent)), "{asked:?}");
        let url = "http://127.0.0.1:1/poll".parse().unwrap();
        let asked = remote.call(Method::POST, &url, None, Duration::from_millis(50)).await;
        assert!(matches!(asked, Err(RemoteError::Unreachable(_))), "{asked:?}");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let remote = Remote::new(Authorization::Bearer("hunter2".into())).unwrap();
        assert!(!format!("{remote:?}").contains("hunter2"));
    }
}
