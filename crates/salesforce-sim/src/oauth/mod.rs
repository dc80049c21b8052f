//! `/services/oauth2/*`: who gets a token, and what becomes of it.
//!
//! [`grants`] has the flows, [`authorize`] the page where users say yes, [`tokens`] what lives and what
//! ends it, [`app`] what an app may do.

mod answer;
mod app;
mod assertion;
mod authorize;
mod grants;
mod identity;
mod scope;
mod tokens;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

pub(crate) use app::{App, RefreshPolicy};
pub(crate) use grants::{user, username};
pub(crate) use identity::{bad_token, discovery, identity, userinfo};
pub(crate) use tokens::Session;
use tokens::Tokens;

use crate::{errors::Refusal, ids::Id, org::Org, request::Reply, users};

/// `error` and `error_description` of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str, pub(crate) &'static str);

/// The OAuth endpoints and their tokens.
pub(crate) struct OAuth {
    tokens: Tokens,
}

/// The parameters of a call and how the caller said who it is.
pub(crate) struct TokenCall<'a> {
    pub(crate) form: &'a [(String, String)],
    /// The `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    /// The `Accept` header.
    pub(crate) accept: Option<&'a str>,
    /// Where the caller reached this server.
    pub(crate) base: &'a str,
    pub(crate) now: i64,
}

/// What kind of caller an endpoint wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The app must prove itself by its secret or an assertion.
    Required,
    /// Only where it is set up so; a secret that is sent must be right.
    AsSetUp,
}

impl TokenCall<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Client id and secret from HTTP Basic or the form.
    fn client(&self) -> (Option<String>, Option<String>) {
        let basic = self.authorization.and_then(|header| header.strip_prefix("Basic "));
        let basic = basic.and_then(|text| BASE64_STANDARD.decode(text.trim()).ok());
        let basic = basic.and_then(|bytes| String::from_utf8(bytes).ok());
        let basic = basic.as_deref().and_then(|text| text.split_once(':'));
        match basic {
            Some((id, secret)) => (Some(form_decoded(id)), Some(form_decoded(secret))),
            None => (self.get("client_id").map(Into::into), self.get("client_secret").map(Into::into)),
        }
    }

    /// The host that the caller used, without its port.
    fn host(&self) -> &str {
        let host = self.base.split_once("://").map_or(self.base, |(_, host)| host);
        host.rsplit_once(':').map_or(host, |(host, _)| host)
    }

    /// What an assertion may name as its audience: the login host of the kind of org, or where it is posted to.
    fn audiences(&self, org: &Org) -> Vec<String> {
        let login =
            if org.is_sandbox() { "https://test.salesforce.com" } else { "https://login.salesforce.com" };
        let instance = org.switches.instance_url.clone().unwrap_or_else(|| self.base.to_owned());
        vec![login.to_owned(), self.base.to_owned(), instance, format!("{}/services/oauth2/token", self.base)]
    }
}

/// RFC 6749 §2.3.1: both halves of Basic are form-encoded. Salesforce's keys have no character that
/// differs, so a caller that does not encode is understood too.
fn form_decoded(text: &str) -> String {
    let pair = format!("v={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const WRONG_CLIENT: Refused = Refused("invalid_client", "invalid client credentials");

impl OAuth {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tokens: Tokens::new(seed) }
    }

    /// Forgets all tokens but the first refresh token of the first app, which acts as the run-as user.
    pub(crate) fn reset(&self, org: &Org, first_refresh_token: &str, now: i64) {
        self.tokens.clear();
        let Some(app) = org.apps.first() else { return };
        let session =
            Session { user: org.run_as, client_id: app.client_id.clone(), scopes: app.scopes.join(" ") };
        self.tokens.adopt(org, session, first_refresh_token.to_owned(), now);
    }

    /// `POST /services/oauth2/token`
    pub(crate) fn token(&self, org: &Org, call: &TokenCall) -> Reply {
        match self.grant(org, call).and_then(|grant| self.issue(org, call, grant)) {
            Ok(body) => answer::write(call, 200, body),
            Err(refused) => answer::refuse(call, &refused),
        }
    }

    /// A new access token, in the recorded shape: `issued_at` is text, there is no `expires_in`.
    fn issue(
        &self,
        org: &Org,
        call: &TokenCall,
        grant: grants::Grant,
    ) -> Result<Map<String, Value>, Refused> {
        let user = grant.session.user;
        let scopes = grant.shows_scope.then(|| grant.session.scopes.clone());
        let token = self.tokens.issue(org, grant.session, grant.family, call.now)?;
        let id = format!("{}/id/{}/{user}", call.base, org.id);
        let issued_at = call.now.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, grant.app.client_secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
        let instance = org.switches.instance_url.as_deref().unwrap_or(call.base);
        let mut body = Map::new();
        body.insert("id".into(), json!(id));
        body.insert("issued_at".into(), json!(issued_at));
        body.insert("token_type".into(), json!("Bearer"));
        body.insert("instance_url".into(), json!(instance));
        body.insert("signature".into(), json!(BASE64_STANDARD.encode(signature)));
        body.insert("access_token".into(), json!(token));
        if let Some(scopes) = scopes {
            body.insert("scope".into(), json!(scopes));
        }
        if let Some(refresh_token) = grant.refresh_token {
            body.insert("refresh_token".into(), json!(refresh_token));
        }
        Ok(body)
    }

    /// A session for somebody who logged in with a password.
    pub(crate) fn log_in(&self, org: &Org, user: Id, now: i64) -> Result<String, Refused> {
        let session = Session { user, client_id: String::new(), scopes: "full".into() };
        self.tokens.issue(org, session, None, now)
    }

    /// The session behind the token of a call to the data API.
    pub(crate) fn session(&self, org: &Org, token: &str, now: i64) -> Result<Session, Refusal> {
        let refusal = |message: &'static str| Refusal::call(401, "INVALID_SESSION_ID", message);
        let session = self.tokens.session(token, millis(org.switches.access_token_seconds), now);
        let session = session.filter(|session| users::may_log_in(org, session.user));
        session.ok_or_else(|| refusal("Session expired or invalid"))
    }

    /// Whether the data API takes a session.
    pub(crate) fn for_data(session: &Session) -> Result<(), Refusal> {
        if scope::has_api(&session.scopes) {
            return Ok(());
        }
        let message = "This session is not valid for use with the REST API";
        Err(Refusal::call(401, "INVALID_SESSION_ID", message))
    }

    /// Ends one token; `false` if there is none.
    pub(crate) fn end(&self, token: &str) -> bool {
        self.tokens.revoke(token)
    }

    /// Ends every access token; refresh tokens stay.
    pub(crate) fn expire_all(&self) -> usize {
        self.tokens.expire_all()
    }

    /// Ends all tokens of a user, or of everybody.
    pub(crate) fn revoke_all(&self, user: Option<Id>) -> usize {
        self.tokens.revoke_all(user)
    }

    /// How many access and refresh tokens live.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.tokens.count()
    }

    /// New tokens are those of a new start with this seed.
    pub(crate) fn reseed(&self, seed: u64) {
        self.tokens.reseed(seed);
    }

    /// `POST /services/oauth2/revoke`, or `GET` with `token` and, for JSONP, `callback`.
    pub(crate) fn revoke(&self, call: &TokenCall) -> Reply {
        let done = match call.get("token") {
            Some(token) if self.tokens.revoke(token) => Ok(()),
            Some(_) => Err(Refused("unsupported_token_type", "this token type is not supported")),
            None => Err(Refused("invalid_request", "token is required")),
        };
        let function = call.get("callback").filter(|function| is_identifier(function));
        match (done, function) {
            (Ok(()), None) => Reply::empty(200),
            (Ok(()), Some(function)) => answer::script(function, Reply::empty(200)),
            (Err(refused), None) => answer::refuse_revoking(call, &refused),
            (Err(refused), Some(function)) => answer::script(function, answer::refuse(call, &refused)),
        }
    }

    /// `POST /services/oauth2/introspect` (RFC 7662): the one way to learn when a token ends. Apps see their own
    /// tokens only.
    pub(crate) fn introspect(&self, org: &Org, call: &TokenCall) -> Reply {
        let app = match client(org, call, Proof::Required) {
            Ok(app) => app,
            Err(refused) => return answer::refuse(call, &refused),
        };
        let lifetime = millis(org.switches.access_token_seconds);
        let found = self.tokens.look(
            call.get("token").unwrap_or_default(),
            |access| {
                let ends = access.used + lifetime;
                (ends > call.now).then(|| (access.session.clone(), "access_token", access.issued, Some(ends)))
            },
            |refresh| Some((refresh.session.clone(), "refresh_token", refresh.issued, None)),
        );
        let found = found.flatten().filter(|(session, ..)| {
            session.client_id == app.client_id && users::may_log_in(org, session.user)
        });
        let Some((session, kind, issued, ends)) = found else {
            return Reply::json(200, json!({"active": false}));
        };
        let user = session.user;
        let username = org.table_of("User").get(user).map(|row| row.get(org.user_fields.username).to_json());
        let mut body = json!({
            "active": true,
            "scope": session.scopes,
            "client_id": app.client_id,
            "username": username,
            "sub": format!("{}/id/{}/{user}", call.base, org.id),
            "token_type": kind,
        });
        if let Some(ends) = ends {
            body["exp"] = json!(ends.div_euclid(1_000));
        }
        body["iat"] = json!(issued.div_euclid(1_000));
        body["nbf"] = json!(issued.div_euclid(1_000));
        Reply::json(200, body)
    }
}

/// The app that calls: by `client_assertion`, HTTP Basic, or the form.
fn client<'a>(org: &'a Org, call: &TokenCall, proof: Proof) -> Result<&'a App, Refused> {
    if let Some(text) = call.get("client_assertion") {
        if call.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(WRONG_CLIENT);
        }
        let claims = assertion::verify(org, text, &call.audiences(org), call.now)
            .map_err(|refused| if refused.0 == "invalid_client_id" { refused } else { WRONG_CLIENT })?;
        return app::find(org, &claims.iss)
            .and_then(|app| if claims.sub == app.client_id { Ok(app) } else { Err(WRONG_CLIENT) });
    }
    let (id, secret) = call.client();
    let app = app::find(org, id.as_deref().unwrap_or_default())?;
    match secret {
        Some(secret) if !app.has_secret(&secret) => Err(WRONG_CLIENT),
        None if proof == Proof::Required || app.require_secret => Err(WRONG_CLIENT),
        _ => Ok(app),
    }
}

/// The name of a function, which may be called without harm.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
}
