//! Access tokens: got once, used by all, renewed when the org says that they have expired.
//!
//! OAuth 2.0 as Salesforce speaks it (RFC 6749 §4.4 and §6). An access token has no `expires_in`: its end is
//! learned from a 401. With refresh token rotation each refresh kills the token that it used, so a
//! new one is durable before anything is done with the access token it came with.

use std::{
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use model::{Clock, OrgName};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use salesforce_types::{Retry, errors};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use url::Url;

use crate::{
    CallError, Flow, TokenVault, VaultError,
    answer::Trouble,
    transport::{Failure, Wire, is_safe},
};

/// How long a parked org is left alone before the next login is tried. A person has to act, and a
/// login that fails counts against the login rate of the integration user.
pub(crate) const PARKED_FOR: Duration = Duration::from_mins(5);
/// Pause after "login rate exceeded": 3,600 logins an hour for one user.
const RATE_LIMITED_FOR: Duration = Duration::from_mins(15);
/// When to come back if the token endpoint has a bad moment.
const AWAY_FOR: Duration = Duration::from_secs(5);

/// What a login brought: where to call, and with which token.
#[derive(Debug)]
pub(crate) struct Session {
    /// Which login it came from, counted from 1.
    number: u64,
    pub(crate) access_token: SecretString,
    /// Where the org is now; it moves with My Domain changes and instance migrations.
    pub(crate) instance: Url,
    /// The identity URL: it ends in the ids of the org and of the user.
    pub(crate) identity: Option<String>,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq)]
enum LoginError {
    /// No connection came about.
    Unreachable { why: String },
    /// Not now.
    Away { why: String, retry_after: Duration },
    /// Not before a person has acted.
    Dead { code: String, why: String, advice: String },
}

impl From<LoginError> for Trouble {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Unreachable { why } => Self::Unsent { why },
            LoginError::Away { why, retry_after } => {
                Self::Final(CallError::NotSent { why, retry_after: Some(retry_after) })
            }
            LoginError::Dead { why, advice, .. } => Self::Final(CallError::Parked { why, advice }),
        }
    }
}

/// Logins that are not tried before a certain time.
#[derive(Clone, Debug)]
struct Pause {
    until: Timestamp,
    error: LoginError,
}

/// The tokens of one org.
pub(crate) struct Tokens {
    org: OrgName,
    url: Url,
    flow: Flow,
    vault: Arc<dyn TokenVault>,
    clock: Clock,
    wire: Arc<Wire>,
    session: RwLock<Option<Arc<Session>>>,
    pause: RwLock<Option<Pause>>,
    /// Logins that have ended, well or not.
    logins: AtomicU64,
    /// Held while logging in: one login at a time.
    desk: tokio::sync::Mutex<Desk>,
}

/// What only the one who logs in may touch.
#[derive(Default)]
struct Desk {
    /// How the last login failed, for those who waited for it.
    failed: Option<LoginError>,
    /// A rotated refresh token that the vault has not taken yet. The one in the vault is dead.
    unsaved: Option<SecretString>,
    /// No login begins any more.
    closed: bool,
}

impl Tokens {
    pub(crate) fn new(
        org: OrgName,
        url: Url,
        flow: Flow,
        vault: Arc<dyn TokenVault>,
        clock: Clock,
        wire: Arc<Wire>,
    ) -> Self {
        Self {
            org,
            url,
            flow,
            vault,
            clock,
            wire,
            session: RwLock::default(),
            pause: RwLock::default(),
            logins: AtomicU64::new(0),
            desk: tokio::sync::Mutex::default(),
        }
    }

    /// The session, after a login if there is none. Those who come during a login wait for it and
    /// share how it ends.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<Session>, Trouble> {
        let seen = self.logins.load(Ordering::Acquire);
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let tokens = Arc::clone(self);
        // A task of its own: a caller that gives up in the middle must not take a rotated token with it.
        let login = tokio::spawn(async move { tokens.log_in(seen).await }.in_current_span());
        login
            .await
            .unwrap_or_else(|_| {
                Err(LoginError::Away { why: "the login was interrupted".to_owned(), retry_after: AWAY_FOR })
            })
            .map_err(Trouble::from)
    }

    /// The org says that this session's token has expired. A newer one is left alone.
    pub(crate) fn forget(&self, expired: &Session) {
        let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|current| current.number == expired.number) {
            *session = None;
        }
    }

    /// Why nothing can be written, and what to do, while only a person can help.
    pub(crate) fn parked(&self) -> Option<String> {
        match self.pause.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.error {
            LoginError::Dead { ref why, ref advice, .. } => Some(format!("{why}; {advice}")),
            _ => None,
        }
    }

    /// Waits for a login that is under way; none begins afterwards.
    pub(crate) async fn close(&self) {
        let mut desk = self.desk.lock().await;
        desk.closed = true;
        // The last chance for a token that the vault would not take before.
        if let Some(token) = desk.unsaved.take()
            && let Err(error) = self.vault.save(&self.org, &token).await
        {
            tracing::error!(org = %self.org, %error, "the org's new refresh token could not be saved: connect it again");
        }
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs in, unless somebody else did since `seen` logins had ended.
    async fn log_in(&self, seen: u64) -> Result<Arc<Session>, LoginError> {
        let mut desk = self.desk.lock().await;
        if let Some(session) = self.current() {
            return Ok(session);
        }
        if desk.closed {
            let why = "this connection to the org is closed".to_owned();
            return Err(LoginError::Away { why, retry_after: AWAY_FOR });
        }
        let ended = self.logins.load(Ordering::Acquire);
        if ended != seen
            && let Some(failed) = &desk.failed
        {
            return Err(failed.clone());
        }
        if let Some(error) = self.paused() {
            return Err(error);
        }
        let result = self.try_flow(&mut desk, ended + 1).await;
        match &result {
            Ok(session) => {
                *self.session.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(session));
                *self.pause.write().unwrap_or_else(PoisonError::into_inner) = None;
                desk.failed = None;
            }
            Err(error) => {
                self.pause_after(error);
                desk.failed = Some(error.clone());
            }
        }
        self.logins.store(ended + 1, Ordering::Release);
        result
    }

    fn paused(&self) -> Option<LoginError> {
        let pause = self.pause.read().unwrap_or_else(PoisonError::into_inner);
        pause.as_ref().filter(|pause| pause.until > self.clock.now()).map(|pause| pause.error.clone())
    }

    fn pause_after(&self, error: &LoginError) {
        let pause = match error {
            LoginError::Dead { code, .. } => {
                tracing::warn!(org = %self.org, code, "the org is parked: its credentials are refused");
                PARKED_FOR
            }
            LoginError::Away { retry_after, .. } if *retry_after > AWAY_FOR => *retry_after,
            LoginError::Away { .. } | LoginError::Unreachable { .. } => return,
        };
        let until = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        *self.pause.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Pause { until, error: error.clone() });
    }

    async fn try_flow(&self, desk: &mut Desk, number: u64) -> Result<Arc<Session>, LoginError> {
        if !is_safe(&self.url) {
            return Err(dead(
                "url",
                "the org's url is not https",
                "write it with https; http is for loopback only",
            ));
        }
        let answer = match &self.flow {
            Flow::ClientCredentials { client_id, client_secret } => {
                let client = self.client(client_id, Some(client_secret))?;
                let send = self.sender();
                client.exchange_client_credentials().request_async(&send).await.map_err(sort)?
            }
            Flow::RefreshToken { client_id, client_secret, refresh_token } => {
                let client = self.client(client_id, client_secret.as_ref())?;
                self.refresh(desk, &client, refresh_token.as_ref()).await?
            }
        };
        self.open(answer, number).map(Arc::new)
    }

    /// Refreshes with the vault's token; if the org refuses it and the configuration has another one
    /// (somebody connected the org again), with that. Whichever works is in the vault afterwards.
    async fn refresh(
        &self,
        desk: &mut Desk,
        client: &Client,
        configured: Option<&SecretString>,
    ) -> Result<TokenAnswer, LoginError> {
        if let Some(token) = &desk.unsaved {
            self.vault.save(&self.org, token).await.map_err(|error| vault_away(&error))?;
            desk.unsaved = None;
        }
        let stored = self.vault.load(&self.org).await.map_err(|error| vault_away(&error))?;
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        let configured =
            configured.filter(|token| !stored.as_ref().is_some_and(|stored| same(stored, token)));

        let mut refused = None;
        for token in stored.iter().chain(configured) {
            let used = RefreshToken::new(token.expose_secret().to_owned());
            let send = self.sender();
            let answer = client.exchange_refresh_token(&used).request_async(&send).await;
            let answer = match answer.map_err(sort) {
                Ok(answer) => answer,
                Err(LoginError::Dead { code, why, advice }) if code == "invalid_grant" => {
                    refused = Some(LoginError::Dead { code, why, advice });
                    continue;
                }
                Err(error) => return Err(error),
            };
            let lasting = answer.refresh_token.as_ref().unwrap_or(&used).secret().as_str();
            if stored.as_ref().is_none_or(|stored| stored.expose_secret() != lasting) {
                // Durable first: if it cannot be, the access token is not used either, and this refresh
                // token is the first thing to be saved the next time.
                let lasting = SecretString::from(lasting);
                let saved = self.vault.save(&self.org, &lasting).await;
                desk.unsaved = saved.is_err().then_some(lasting);
                saved.map_err(|error| vault_away(&error))?;
            }
            return Ok(answer);
        }
        Err(refused.unwrap_or_else(|| {
            dead(
                "refresh_token",
                "there is no refresh token for this org",
                "connect the org, or configure `refresh-token`",
            )
        }))
    }

    /// Our transport as the HTTP client of the oauth2 crate.
    fn sender(&self) -> impl Fn(oauth2::HttpRequest) -> Sending + use<> {
        let wire = Arc::clone(&self.wire);
        move |request| {
            let wire = Arc::clone(&wire);
            Box::pin(async move { wire.log_in(request).await })
        }
    }

    fn client(&self, id: &str, secret: Option<&SecretString>) -> Result<Client, LoginError> {
        let url = self.url.join("/services/oauth2/token").map_err(|_| {
            dead("url", "the org's url has no host", "write it like https://acme.my.salesforce.com")
        })?;
        let client = oauth2::Client::new(ClientId::new(id.to_owned()))
            .set_token_uri(TokenUrl::from_url(url))
            .set_auth_type(AuthType::RequestBody);
        Ok(match secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
            None => client,
        })
    }

    /// Makes a session of a token answer. Its instance is read anew each time: it may have moved.
    fn open(&self, answer: TokenAnswer, number: u64) -> Result<Session, LoginError> {
        let instance = match &answer.instance_url {
            Some(text) => Url::parse(text).ok().filter(is_safe).ok_or_else(|| LoginError::Away {
                why: "the token answer names an instance that is not an https address".to_owned(),
                retry_after: AWAY_FOR,
            })?,
            None => self.url.clone(),
        };
        let access_token = SecretString::from(answer.access_token.into_secret());
        Ok(Session { number, access_token, instance, identity: answer.id })
    }
}

/// Sorts what the oauth2 crate makes of an exchange that failed.
fn sort(error: RequestTokenError<LoginFailure, BasicErrorResponse>) -> LoginError {
    let away = |why: &str| LoginError::Away { why: why.to_owned(), retry_after: AWAY_FOR };
    match error {
        RequestTokenError::Request(LoginFailure(Failure::Unsent { why })) => LoginError::Unreachable { why },
        RequestTokenError::Request(LoginFailure(Failure::Cut { why })) => {
            LoginError::Away { why: format!("login: {why}"), retry_after: AWAY_FOR }
        }
        RequestTokenError::ServerResponse(said) => {
            let description = said.error_description().map_or("", String::as_str);
            refused_login(said.error().as_ref(), description)
        }
        // Neither the parser's words nor the body: both may quote a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            away("login: the token endpoint answered with something that is no token answer")
        }
    }
}
/// What to do about a login error, by its code and a part of its description; the first that fits.
const ADVICE: &[(&str, &str, &str)] = &[
    (
        "invalid_grant",
        "no client credentials user",
        "choose a Run As user for the app's client credentials flow",
    ),
    ("invalid_grant", "not supported on this domain", "use the org's My Domain address as `url`"),
    ("invalid_grant", "ip restricted", "allow Gangway's address in the app's or the profile's IP ranges"),
    ("invalid_grant", "login hours", "widen the login hours of the integration user's profile"),
    ("invalid_grant", "inactive user", "activate the integration user"),
    ("invalid_grant", "inactive organization", "the org is locked or has expired; ask Salesforce"),
    ("inactive_user", "", "activate the integration user"),
    ("inactive_org", "", "the org is locked or has expired; ask Salesforce"),
    ("unsupported_grant_type", "", "enable this OAuth flow in the app's settings"),
    ("invalid_app_access", "", "approve the integration user for the app"),
    ("app_not_found", "", "install the app in this org, or correct `url`"),
    ("oauth_app_blocked", "", "unblock the app in the org's OAuth usage page"),
    ("oauth_app_access_denied", "", "allow the app for the integration user"),
    ("oauth_ec_app_not_found", "", "install the app in this org"),
    ("invalid_scope", "", "give the app the scopes `api` and `refresh_token`"),
];

/// Sorts what the token endpoint said: `error` first, then a part of the description, in any case.
fn refused_login(code: &str, description: &str) -> LoginError {
    let (code, text) = (code.to_lowercase(), description.to_lowercase());
    let rule = errors::rule(&code, description);
    if rule.retry == Retry::Backoff || text.contains("login_rate_exceeded") {
        return LoginError::Away { why: format!("login: {}", rule.advice), retry_after: RATE_LIMITED_FOR };
    }
    if matches!(code.as_str(), "server_error" | "temporarily_unavailable") {
        return LoginError::Away { why: format!("login: {code}"), retry_after: AWAY_FOR };
    }
    let special = ADVICE.iter().find(|(of, part, _)| code == *of && text.contains(part));
    let why = if description.is_empty() { code.clone() } else { format!("{code} ({description})") };
    dead(
        &code,
        &format!("Salesforce refuses the login: {why}"),
        special.map_or(rule.advice, |(.., advice)| advice),
    )
}

fn dead(code: &str, why: &str, advice: &str) -> LoginError {
    LoginError::Dead { code: code.to_owned(), why: why.to_owned(), advice: advice.to_owned() }
}

fn vault_away(error: &VaultError) -> LoginError {
    LoginError::Away { why: error.to_string(), retry_after: AWAY_FOR }
}

/// The transport's failure, in the form that the oauth2 crate wants.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the token endpoint")]
pub(crate) struct LoginFailure(pub(crate) Failure);

impl From<Failure> for LoginFailure {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

/// A token answer as Salesforce writes it: `token_type` may be missing, `expires_in` always is.
#[derive(Debug, Deserialize, Serialize)]
struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default)]
    instance_url: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

type Sending = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, LoginFailure>> + Send>>;

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_error_says_what_to_do() {
        for (code, description, part) in [
            ("invalid_grant", "expired access/refresh token", "connect the org again"),
            ("invalid_grant", "no client credentials user enabled", "Run As user"),
            ("invalid_grant", "request not supported on this domain", "My Domain"),
            ("invalid_client", "invalid client credentials", "consumer secret"),
            ("invalid_client_id", "client identifier invalid", "consumer key"),
            ("OAUTH_APP_BLOCKED", "", "unblock"),
        ] {
            match refused_login(code, description) {
                LoginError::Dead { advice, .. } => assert!(advice.contains(part), "{code}: {advice}"),
                other => panic!("{code}: {other:?}"),
            }
        }
    }

    #[test]
    fn too_many_logins_are_no_reason_to_park() {
        for (code, description) in [
            ("invalid_grant", "login rate exceeded"),
            ("invalid_grant", "LOGIN_RATE_EXCEEDED"),
            ("rate_limit_exceeded", "number of login attempts has exceeded the limit"),
        ] {
            match refused_login(code, description) {
                LoginError::Away { retry_after, .. } => assert_eq!(retry_after, RATE_LIMITED_FOR),
                other => panic!("{code}: {other:?}"),
            }
        }
        assert!(matches!(refused_login("server_error", ""), LoginError::Away { .. }));
    }

    #[test]
    fn a_token_answer_may_lack_what_old_ones_lack() {
        let answer: TokenAnswer =
            serde_json::from_str(r#"{"access_token":"00D!x","id":"https://l/id/a/b"}"#).unwrap();
        assert_eq!(answer.token_type(), &BasicTokenType::Bearer);
        assert!(answer.instance_url.is_none() && answer.refresh_token.is_none());
        assert!(!format!("{answer:?}").contains("00D!x"), "secrets are not printed");
    }
}
