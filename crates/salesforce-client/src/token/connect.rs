//! The first token: a person signs in with a browser and lets Gangway act (the web server flow, RFC 6749 §4.1, with PKCE,
//! RFC 7636).

use std::sync::Arc;

use model::Clock;
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::{
    LoginError, Tokens,
    exchange::{Code, Endpoint, refused_with},
    grant::{Grant, Refresh},
};
use crate::{
    OrgConfig, TokenVault, VaultError,
    token::flow::Flow,
    transport::{Wire, is_safe},
};

/// What Gangway asks for: the API, and a refresh token.
const SCOPES: &str = "api refresh_token";

/// A sign-in under way: the address to open, and what the browser must bring back.
pub struct Authorization {
    config: OrgConfig,
    client_id: String,
    client_secret: Option<SecretString>,
    callback: RedirectUrl,
    url: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
}

/// Why an org was not connected. The text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The org's flow keeps no refresh token.
    #[error("the org's flow is not `refresh-token`: it needs no browser")]
    OtherFlow,
    /// The org's address is not one to send secrets to.
    #[error("the org's url is not https")]
    Unsafe,
    /// What came back is neither a code nor an address with one.
    #[error("this is neither the address that the browser was sent to nor the code in it")]
    NoCode,
    /// What came back belongs to another start, or was made up by somebody else.
    #[error("this answer belongs to another sign-in: its `state` is not the one that was sent")]
    OtherState,
    /// Salesforce said no.
    #[error("{why}; {advice}")]
    Refused {
        /// In its words.
        why: String,
        /// What to do about it.
        advice: String,
    },
    /// Salesforce gave an access token alone.
    #[error(
        "Salesforce gave no refresh token; give the app the scope `refresh_token` (Perform requests at any time)"
    )]
    NoRefreshToken,
    /// Salesforce did not answer.
    #[error("{0}")]
    Unanswered(String),
    /// The token cannot be kept.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<LoginError> for ConnectError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Unreachable { why } | LoginError::Away { why, .. } => Self::Unanswered(why),
            LoginError::Dead { parked, .. } => Self::Refused { why: parked.why, advice: parked.advice },
        }
    }
}

impl Authorization {
    /// Begins a sign-in that ends at `callback`, which the app's settings must list, character for character.
    ///
    /// # Errors
    ///
    /// [`ConnectError::OtherFlow`] and [`ConnectError::Unsafe`].
    pub fn begin(config: OrgConfig, callback: Url) -> Result<Self, ConnectError> {
        let Flow::RefreshToken { client_id, client_secret, .. } = config.flow.clone() else {
            return Err(ConnectError::OtherFlow);
        };
        let mut url = config.url.join("/services/oauth2/authorize").map_err(|_| ConnectError::Unsafe)?;
        if !is_safe(&url) {
            return Err(ConnectError::Unsafe);
        }
        let state = CsrfToken::new_random();
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client_id)
            .append_pair("redirect_uri", callback.as_str())
            .append_pair("scope", SCOPES)
            .append_pair("state", state.secret())
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", "S256")
            // Whoever is signed in already may be the administrator, and not the integration user.
            .append_pair("prompt", "login");
        let callback = RedirectUrl::from_url(callback);
        Ok(Self { config, client_id, client_secret, callback, url, state, verifier })
    }

    /// The address to open in a browser.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Takes the code out of what the browser brought: the address that it was sent to, its query, or the code alone, as a
    /// person copies it.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NoCode`], [`ConnectError::OtherState`], and [`ConnectError::Refused`] with what Salesforce says.
    pub fn code(&self, brought: &str) -> Result<SecretString, ConnectError> {
        let brought = brought.trim();
        let query = match brought.split_once('?') {
            Some((_, query)) => query.split('#').next().unwrap_or_default(),
            None if brought.contains('=') && brought.contains('&') => brought,
            // The code alone: PKCE binds it to this sign-in. An address bar shows it percent-encoded.
            None => {
                let one = format!("code={}", brought.replace('+', "%2B"));
                let code = form_urlencoded::parse(one.as_bytes()).next().map(|(_, code)| code.into_owned());
                let plausible = |code: &String| {
                    code.len() >= 8 && !code.contains(|c: char| c.is_whitespace() || matches!(c, '/' | ':'))
                };
                return code.filter(plausible).map(SecretString::from).ok_or(ConnectError::NoCode);
            }
        };
        let find = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let (code, error) = (find("code"), find("error"));
        if code.is_none() && error.is_none() {
            return Err(ConnectError::NoCode);
        }
        if find("state").as_deref() != Some(self.state.secret().as_str()) {
            return Err(ConnectError::OtherState);
        }
        match (code, error) {
            (_, Some(error)) => {
                Err(refused_with(&error, &find("error_description").unwrap_or_default()).into())
            }
            (code, None) => code.map(SecretString::from).ok_or(ConnectError::NoCode),
        }
    }

    /// Exchanges the code for tokens and keeps them: what the vault had for the org is replaced.
    ///
    /// # Errors
    ///
    /// All but [`ConnectError::OtherState`]. After [`ConnectError::Vault`] the new token is lost.
    pub async fn finish(
        self,
        code: SecretString,
        vault: &Arc<dyn TokenVault>,
        clock: &Clock,
    ) -> Result<(), ConnectError> {
        let OrgConfig { name, url, flow, call_timeout, .. } = self.config;
        let wire = Arc::new(Wire::new(name.clone(), &url, call_timeout, clock.clone()));
        let endpoint = Endpoint::new(&url, Arc::clone(&wire))?;
        let code = Code { text: code, verifier: self.verifier, callback: self.callback };
        let answer = endpoint.code(&self.client_id, self.client_secret.as_ref(), code).await?;
        let Some(token) = &answer.refresh_token else { return Err(ConnectError::NoRefreshToken) };
        let token = SecretString::from(token.secret().as_str());
        let tokens = Tokens::new(name.clone(), url, flow, Arc::clone(vault), clock.clone(), wire);
        let access = tokens.access(&answer)?;
        loop {
            let saved = vault.load(&name).await?;
            let version = saved.as_ref().map_or(0, |saved| saved.version);
            // What cannot be read is replaced all the more.
            let before = saved.and_then(|saved| Grant::read(&saved.grant).ok()).unwrap_or_default();
            let spent = before.refresh.and_then(|refresh| refresh.spent);
            let refresh = Refresh { used: Some(clock.now()), spent, ..Refresh::bare(&token) };
            let grant = Grant { refresh: Some(refresh), begun: None, access: Some(access.clone()) };
            if vault.replace(&name, version, &grant.write()?).await?.is_some() {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization").field("org", &self.config.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;

    fn begin() -> Authorization {
        let flow = Flow::RefreshToken { client_id: "key&1".into(), client_secret: None, refresh_token: None };
        let config = OrgConfig {
            name: "acme".parse().unwrap(),
            url: "https://acme.my.salesforce.com".parse().unwrap(),
            flow,
            api_version: "v66.0".into(),
            reserve_calls: 0,
            call_timeout: Duration::from_secs(1),
            max_in_flight: 1,
            keep_alive: Duration::from_hours(24),
        };
        Authorization::begin(config, "http://localhost:8765/callback".parse().unwrap()).unwrap()
    }

    fn code(authorization: &Authorization, brought: &str) -> Result<String, ConnectError> {
        authorization.code(brought).map(|code| code.expose_secret().to_owned())
    }

    #[test]
    fn the_address_asks_for_a_code_that_only_we_can_use() {
        let authorization = begin();
        let pairs: Vec<_> = authorization.url().query_pairs().into_owned().collect();
        let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(authorization.url().path(), "/services/oauth2/authorize");
        assert_eq!(get("client_id"), Some("key&1"));
        assert_eq!(get("redirect_uri"), Some("http://localhost:8765/callback"));
        assert_eq!(get("scope"), Some("api refresh_token"));
        assert_eq!(get("code_challenge_method"), Some("S256"));
        assert_ne!(get("code_challenge"), Some(authorization.verifier.secret().as_str()));
        assert_ne!(
            get("state"),
            begin().url().query_pairs().find(|(k, _)| k == "state").as_ref().map(|(_, v)| &**v)
        );
    }

    #[test]
    fn a_code_is_taken_from_whatever_a_person_copies() {
        let authorization = begin();
        let state = authorization.state.secret();
        for brought in [
            format!("http://localhost:8765/callback?code=aPrx.1%3D%3D&state={state}"),
            format!("  /callback?state={state}&code=aPrx.1%3D%3D#frag\n"),
            format!("code=aPrx.1%3D%3D&state={state}"),
            "aPrx.1%3D%3D".to_owned(),
            " aPrx.1==\n".to_owned(),
        ] {
            assert_eq!(code(&authorization, &brought), Ok("aPrx.1==".to_owned()), "{brought}");
        }
        for brought in ["", "yes", "http://localhost:8765/callback", "http://localhost:8765/callback?x=1"] {
            assert_eq!(code(&authorization, brought), Err(ConnectError::NoCode), "{brought}");
        }
    }

    #[test]
    fn an_answer_to_somebody_else_is_refused_even_when_it_is_an_error() {
        let authorization = begin();
        for brought in
            ["/callback?code=aPrx.1", "/callback?code=aPrx.1&state=x", "/callback?error=access_denied&state="]
        {
            assert_eq!(code(&authorization, brought), Err(ConnectError::OtherState), "{brought}");
        }
    }

    #[test]
    fn what_salesforce_refuses_comes_with_advice() {
        let authorization = begin();
        let state = authorization.state.secret();
        let brought = format!(
            "/callback?error=access_denied&error_description=end-user+denied+authorization&state={state}"
        );
        match code(&authorization, &brought) {
            Err(ConnectError::Refused { why, advice }) => {
                assert!(why.contains("end-user denied authorization"), "{why}");
                assert!(advice.contains("allow"), "{advice}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_of_a_sign_in_is_printed() {
        let authorization = begin();
        let printed = format!("{authorization:?}");
        for secret in [authorization.state.secret(), authorization.verifier.secret()] {
            assert!(!printed.contains(secret.as_str()), "{printed}");
        }
    }
}
