//! The flows of the token endpoint: from what a caller sends to who gets a token.

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{
    OAuth, Proof, Refused, TokenCall,
    app::{self, App, Flow},
    assertion, client, scope,
    tokens::{Code, Session, Tokens},
};
use crate::{cell::Cell, ids::Id, org::Org, passwords, users};

/// Who gets a token, and what comes with it.
pub(super) struct Grant<'a> {
    pub(super) app: &'a App,
    pub(super) session: Session,
    /// The authorization that a refresh token stands for.
    pub(super) family: Option<u64>,
    pub(super) refresh_token: Option<String>,
    /// The answer names the scopes; that of the password flow was recorded without.
    pub(super) shows_scope: bool,
}

impl<'a> Grant<'a> {
    /// A grant that no refresh token comes with.
    fn alone(app: &'a App, user: Id, scopes: String) -> Self {
        let session = Session { user, client_id: app.client_id.clone(), scopes };
        Self { app, session, family: None, refresh_token: None, shows_scope: true }
    }
}

const BLOCKED: Refused = Refused("unsupported_grant_type", "grant type not supported");

impl OAuth {
    /// Decides about a call of the token endpoint.
    pub(super) fn grant<'a>(&self, org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
        let flow = Flow::of(call.get("grant_type").unwrap_or_default()).ok_or(BLOCKED)?;
        let grant = match flow {
            Flow::RefreshToken => by_refresh_token(&self.tokens, org, call),
            Flow::ClientCredentials => by_client_credentials(org, call),
            Flow::JwtBearer => by_assertion(&self.tokens, org, call),
            Flow::AuthorizationCode => by_code(&self.tokens, org, call),
            Flow::Password => by_password(org, call),
        }?;
        if users::may_log_in(org, grant.session.user) {
            Ok(grant)
        } else {
            Err(Refused("invalid_grant", "inactive user"))
        }
    }
}

fn by_refresh_token<'a>(tokens: &Tokens, org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
    let app = client_for(org, call, Proof::AsSetUp, Flow::RefreshToken)?;
    let sent = call.get("refresh_token").unwrap_or_default();
    let refreshed = tokens.refresh(org, app, sent, call.now)?;
    Ok(Grant {
        app,
        session: refreshed.session,
        family: Some(refreshed.family),
        refresh_token: refreshed.next,
        shows_scope: true,
    })
}

/// Only the org's own domain knows who the app runs as: the login hosts refuse.
fn by_client_credentials<'a>(org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
    if org.login_hosts.iter().any(|host| host.eq_ignore_ascii_case(call.host())) {
        return Err(Refused("invalid_grant", "request not supported on this domain"));
    }
    let app = client_for(org, call, Proof::Required, Flow::ClientCredentials)?;
    let user = app.run_as.as_deref().and_then(|username| user(org, username));
    let user = user.filter(|user| users::may_log_in(org, *user));
    let user = user.ok_or(Refused("invalid_grant", "no client credentials user enabled"))?;
    let scopes: Vec<&str> =
        app.scopes.iter().map(String::as_str).filter(|scope| *scope == "api" || *scope == "full").collect();
    Ok(Grant::alone(app, user, scopes.join(" ")))
}

fn by_assertion<'a>(tokens: &Tokens, org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
    let text = call.get("assertion").ok_or(Refused("invalid_grant", "invalid assertion"))?;
    let claims = assertion::verify(org, text, &call.audiences(org), call.now)?;
    let app = app::find(org, &claims.iss)?;
    if !app.allows(Flow::JwtBearer) {
        return Err(BLOCKED);
    }
    let user =
        user(org, &claims.sub).ok_or(Refused("invalid_grant", "user hasn't approved this consumer"))?;
    check_approved(tokens, org, app, user)?;
    if let Some(jti) = &claims.jti
        && !tokens.first_use(format!("{} {jti}", claims.iss), claims.ends(), call.now)
    {
        return Err(Refused("invalid_grant", "invalid assertion"));
    }
    Ok(Grant::alone(app, user, app.scopes.join(" ")))
}

/// Nobody says yes on the way, so somebody must have before.
fn check_approved(tokens: &Tokens, org: &Org, app: &App, user: Id) -> Result<(), Refused> {
    match app.admin_approves(org, user) {
        Some(true) => Ok(()),
        Some(false) => Err(NOT_ADMIN_APPROVED),
        None if tokens.is_approved(&app.client_id, user) => Ok(()),
        None => Err(Refused("invalid_grant", "user hasn't approved this consumer")),
    }
}

fn by_code<'a>(tokens: &Tokens, org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
    let app = client_for(org, call, Proof::AsSetUp, Flow::AuthorizationCode)?;
    let session = tokens
        .take_code(org, call.get("code").unwrap_or_default(), call.now, |code| check_code(app, call, code))?;
    let mut grant = Grant::alone(app, session.user, session.scopes.clone());
    if scope::has_refresh(&session.scopes) {
        let (family, token) = tokens.authorize(org, session, call.now);
        grant.family = Some(family);
        grant.refresh_token = Some(token);
    }
    Ok(grant)
}

fn by_password<'a>(org: &'a Org, call: &TokenCall) -> Result<Grant<'a>, Refused> {
    let app = client_for(org, call, Proof::Required, Flow::Password)?;
    let text = |name| call.get(name).unwrap_or_default();
    let user = passwords::check(org, text("username"), text("password"))
        .map_err(|_| Refused("invalid_grant", "authentication failure"))?;
    if app.admin_approves(org, user) == Some(false) {
        return Err(NOT_ADMIN_APPROVED);
    }
    Ok(Grant { shows_scope: false, ..Grant::alone(app, user, app.scopes.join(" ")) })
}

/// The app that calls, if it may use this flow.
fn client_for<'a>(org: &'a Org, call: &TokenCall, proof: Proof, flow: Flow) -> Result<&'a App, Refused> {
    let app = client(org, call, proof)?;
    if app.allows(flow) { Ok(app) } else { Err(BLOCKED) }
}

pub(super) const NOT_ADMIN_APPROVED: Refused =
    Refused("invalid_app_access", "user is not admin approved to access this app");

/// The user with this username, in any case.
pub(crate) fn user(org: &Org, username: &str) -> Option<Id> {
    let users = org.table_of("User");
    users.find_one(org.user_fields.username, &Cell::text(username)).and_then(|row| row.get(0).as_id())
}

/// What must agree between the two halves of the flow.
fn check_code(app: &App, call: &TokenCall, code: &Code) -> Result<(), Refused> {
    if code.session.client_id != app.client_id {
        return Err(Refused("invalid_grant", "invalid authorization code"));
    }
    if call.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(Refused("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    let Some(challenge) = &code.challenge else { return Ok(()) };
    let verifier = call.get("code_verifier").unwrap_or_default();
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    if BASE64_URL_SAFE_NO_PAD.encode(digest) == challenge.trim_end_matches('=') {
        Ok(())
    } else {
        Err(Refused("invalid_grant", "invalid code verifier"))
    }
}

/// The username of a user.
pub(crate) fn username(org: &Org, user: Id) -> Option<String> {
    let row = org.table_of("User").get(user)?;
    row.get(org.user_fields.username).as_text().map(ToOwned::to_owned)
}
