//! One exchange with the token endpoint, for each flow.

use std::{pin::Pin, sync::Arc, time::Duration};

use oauth2::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
    },
    http::{Method, header},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use super::{
    LoginError,
    grant::Token,
    refusals::{AWAY_FOR, RATE_LIMITED_FOR, Then, refusal},
};
use crate::transport::{Failure, Wire};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The token endpoint of one org.
pub(super) struct Endpoint {
    url: Url,
    wire: Arc<Wire>,
}

/// A code that a browser brought, with what proves that it was meant for us.
pub(super) struct Code {
    pub(super) text: SecretString,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) callback: RedirectUrl,
}

impl Endpoint {
    pub(super) fn new(org: &Url, wire: Arc<Wire>) -> Result<Self, LoginError> {
        let url = org.join("/services/oauth2/token").map_err(|_| {
            LoginError::dead(
                "url",
                "wrong-host",
                "the org's url has no host",
                "write it like https://acme.my.salesforce.com",
            )
        })?;
        Ok(Self { url, wire })
    }

    pub(super) async fn client_credentials(
        &self,
        client_id: &str,
        client_secret: &SecretString,
    ) -> Result<TokenAnswer, LoginError> {
        let client = self.client(client_id, Some(client_secret));
        client.exchange_client_credentials().request_async(&self.sender()).await.map_err(sort)
    }

    pub(super) async fn refresh(
        &self,
        client_id: &str,
        client_secret: Option<&SecretString>,
        token: &Token,
    ) -> Result<TokenAnswer, LoginError> {
        let client = self.client(client_id, client_secret);
        let token = RefreshToken::new(token.expose().to_owned());
        client.exchange_refresh_token(&token).request_async(&self.sender()).await.map_err(sort)
    }

    pub(super) async fn code(
        &self,
        client_id: &str,
        client_secret: Option<&SecretString>,
        code: Code,
    ) -> Result<TokenAnswer, LoginError> {
        let client = self.client(client_id, client_secret).set_redirect_uri(code.callback);
        client
            .exchange_code(AuthorizationCode::new(code.text.expose_secret().to_owned()))
            .set_pkce_verifier(code.verifier)
            .request_async(&self.sender())
            .await
            .map_err(sort)
    }

    /// RFC 7523 §2.1, which the oauth2 crate does not know.
    pub(super) async fn jwt_bearer(&self, assertion: &SecretString) -> Result<TokenAnswer, LoginError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", JWT_BEARER)
            .append_pair("assertion", assertion.expose_secret())
            .finish();
        let request = oauth2::http::Request::builder()
            .method(Method::POST)
            .uri(self.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(|_| unreadable())?;
        let answer = self.wire.log_in(request).await.map_err(unanswered)?;
        if answer.status().is_success() {
            return serde_json::from_slice(answer.body()).map_err(|_| unreadable());
        }
        let said: BasicErrorResponse = serde_json::from_slice(answer.body()).map_err(|_| unreadable())?;
        Err(refused(&said))
    }

    /// Our transport as the HTTP client of the oauth2 crate.
    fn sender(&self) -> impl Fn(oauth2::HttpRequest) -> Sending + use<> {
        let wire = Arc::clone(&self.wire);
        move |request| {
            let wire = Arc::clone(&wire);
            Box::pin(async move { wire.log_in(request).await })
        }
    }

    fn client(&self, id: &str, secret: Option<&SecretString>) -> Client {
        let client = oauth2::Client::new(ClientId::new(id.to_owned()))
            .set_token_uri(TokenUrl::from_url(self.url.clone()))
            .set_auth_type(AuthType::RequestBody);
        match secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
            None => client,
        }
    }
}

/// Sorts what the oauth2 crate makes of an exchange that failed.
fn sort(error: RequestTokenError<LoginFailure, BasicErrorResponse>) -> LoginError {
    match error {
        RequestTokenError::Request(failure) => unanswered(failure),
        RequestTokenError::ServerResponse(said) => refused(&said),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => unreadable(),
    }
}

fn unanswered(LoginFailure(failure): LoginFailure) -> LoginError {
    match failure {
        Failure::Unsent { why } => LoginError::Unreachable { why },
        Failure::Cut { why } => {
            LoginError::Away { why: format!("login: {why}"), retry_after: AWAY_FOR, in_doubt: true }
        }
    }
}

/// Neither the parser's words nor the body: both may quote a token.
fn unreadable() -> LoginError {
    let why = "login: the token endpoint answered with something that is no token answer".to_owned();
    LoginError::Away { why, retry_after: AWAY_FOR, in_doubt: true }
}

/// What the token endpoint said no with.
fn refused(said: &BasicErrorResponse) -> LoginError {
    refused_with(said.error().as_ref(), said.error_description().map_or("", String::as_str))
}

/// What an error of the token or authorization endpoint means.
pub(super) fn refused_with(error: &str, description: &str) -> LoginError {
    let row = refusal(error, description);
    let code = error.to_lowercase();
    let why = if description.is_empty() { code.clone() } else { format!("{code} ({description})") };
    match row.then {
        Then::Park => {
            LoginError::dead(&code, row.reason, &format!("Salesforce refuses the login: {why}"), row.advice)
        }
        Then::Rest => LoginError::Away {
            why: format!("login: {why}; {}", row.advice),
            retry_after: RATE_LIMITED_FOR,
            in_doubt: false,
        },
        // It broke in the middle: what it did before is not known.
        Then::Soon => {
            LoginError::Away { why: format!("login: {why}"), retry_after: AWAY_FOR, in_doubt: true }
        }
    }
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
pub(super) struct TokenAnswer {
    pub(super) access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default)]
    pub(super) refresh_token: Option<RefreshToken>,
    #[serde(default)]
    pub(super) instance_url: Option<String>,
    #[serde(default)]
    pub(super) id: Option<String>,
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
            match refused_with(code, description) {
                LoginError::Dead { parked, .. } => {
                    assert!(parked.advice.contains(part), "{code}: {parked}");
                }
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
            match refused_with(code, description) {
                LoginError::Away { retry_after, in_doubt, .. } => {
                    assert_eq!((retry_after, in_doubt), (RATE_LIMITED_FOR, false));
                }
                other => panic!("{code}: {other:?}"),
            }
        }
        assert!(matches!(refused_with("server_error", ""), LoginError::Away { in_doubt: true, .. }));
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
