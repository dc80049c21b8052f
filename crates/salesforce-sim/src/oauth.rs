//! `/services/oauth2/*` and `/id/{org}/{user}`: tokens, and whom they act as.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::{
    cell::Cell,
    ids::Id,
    org::Org,
    random::Random,
    request::{Body, Reply},
    users,
};

const TOKEN_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
const SCOPE: &str = "refresh_token api id";

/// The app that may ask for tokens, and the tokens it has.
pub(crate) struct OAuth {
    client_id: String,
    client_secret: String,
    first_refresh_token: String,
    random: Random,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// Refresh tokens that were rotated away.
    spent: HashSet<String>,
}

struct Access {
    user: Id,
    issued: i64,
    used: i64,
    /// Made from a refresh token, and gone with it.
    from_refresh: bool,
}

struct Refresh {
    user: Id,
    issued: i64,
}

/// The form of a token call and how the caller said who it is.
pub(crate) struct TokenCall<'a> {
    pub(crate) form: &'a [(String, String)],
    /// The `Authorization` header.
    pub(crate) authorization: Option<&'a str>,
    /// Where the caller reached this server.
    pub(crate) base: &'a str,
    pub(crate) now: i64,
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
}

/// RFC 6749 §2.3.1: both halves of Basic are form-encoded. Salesforce's keys have no character that
/// differs, so a caller that does not encode is understood too.
fn form_decoded(text: &str) -> String {
    let pair = format!("v={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn error(error: &str, description: &str) -> Reply {
    Reply::json(400, json!({"error": error, "error_description": description}))
}

impl OAuth {
    pub(crate) fn new(client_id: &str, client_secret: &str, refresh_token: &str, seed: u64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            first_refresh_token: refresh_token.to_owned(),
            random: Random::new(seed),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all tokens but the first refresh token, which acts as the run-as user.
    pub(crate) fn reset(&self, org: &Org, now: i64) {
        let mut state = self.state();
        *state = State::default();
        state.refresh.insert(self.first_refresh_token.clone(), Refresh { user: org.run_as, issued: now });
    }

    /// `POST /services/oauth2/token`
    pub(crate) fn token(&self, org: &Org, call: &TokenCall) -> Reply {
        let grant = call.get("grant_type").unwrap_or_default();
        if !matches!(grant, "refresh_token" | "client_credentials") {
            return error("unsupported_grant_type", "grant type not supported");
        }
        let needs_secret = grant == "client_credentials" || call.client().1.is_some();
        if let Err(reply) = self.check_client(call, needs_secret) {
            return reply;
        }
        if grant == "client_credentials" {
            if !users::may_log_in(org, org.run_as) {
                return error("invalid_grant", "no client credentials user enabled");
            }
            return self.issue(org, call, org.run_as, None, false);
        }
        self.refresh(org, call)
    }

    fn check_client(&self, call: &TokenCall, needs_secret: bool) -> Result<(), Reply> {
        let (id, secret) = call.client();
        if id.as_deref() != Some(&self.client_id) {
            return Err(error("invalid_client_id", "client identifier invalid"));
        }
        if needs_secret && secret.as_deref() != Some(&self.client_secret) {
            return Err(error("invalid_client", "invalid client credentials"));
        }
        Ok(())
    }

    fn refresh(&self, org: &Org, call: &TokenCall) -> Reply {
        let expired = || error("invalid_grant", "expired access/refresh token");
        let sent = call.get("refresh_token").unwrap_or_default();
        let mut state = self.state();
        if state.spent.contains(sent) && org.switches.revoke_family_on_reuse {
            state.refresh.clear();
            state.access.retain(|_, access| !access.from_refresh);
        }
        let lifetime = org.switches.refresh_token_seconds.map(millis);
        let (user, issued) = match state.refresh.get(sent) {
            Some(refresh) => (refresh.user, refresh.issued),
            None => return expired(),
        };
        if lifetime.is_some_and(|lifetime| call.now - issued >= lifetime) {
            state.refresh.remove(sent);
            return expired();
        }
        if !users::may_log_in(org, user) {
            return error("invalid_grant", "inactive user");
        }
        let rotated = org.switches.refresh_token_rotation.then(|| {
            let token = format!("5Aep861{}", self.random.text(TOKEN_ALPHABET, 80));
            state.refresh.remove(sent);
            state.spent.insert(sent.to_owned());
            state.refresh.insert(token.clone(), Refresh { user, issued });
            token
        });
        drop(state);
        self.issue(org, call, user, rotated, true)
    }

    /// A session for somebody who logged in with a password.
    pub(crate) fn log_in(&self, org: &Org, user: Id, now: i64) -> String {
        let token = format!("{}!{}", org.id.short(), self.random.text(TOKEN_ALPHABET, 96));
        let access = Access { user, issued: now, used: now, from_refresh: false };
        self.state().access.insert(token.clone(), access);
        token
    }

    /// Ends one session.
    pub(crate) fn end_session(&self, token: &str) {
        self.state().access.remove(token);
    }

    /// A new access token, in the recorded shape: `issued_at` is text, there is no `expires_in`.
    fn issue(
        &self,
        org: &Org,
        call: &TokenCall,
        user: Id,
        rotated: Option<String>,
        from_refresh: bool,
    ) -> Reply {
        let token = format!("{}!{}", org.id.short(), self.random.text(TOKEN_ALPHABET, 96));
        let access = Access { user, issued: call.now, used: call.now, from_refresh };
        self.state().access.insert(token.clone(), access);
        let id = format!("{}/id/{}/{user}", call.base, org.id);
        let issued_at = call.now.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.client_secret.as_bytes());
        let signature = hmac::sign(&key, format!("{id}{issued_at}").as_bytes());
        let instance = org.switches.instance_url.as_deref().unwrap_or(call.base);
        let mut body = Map::new();
        body.insert("id".into(), json!(id));
        body.insert("issued_at".into(), json!(issued_at));
        body.insert("token_type".into(), json!("Bearer"));
        body.insert("instance_url".into(), json!(instance));
        body.insert("signature".into(), json!(BASE64_STANDARD.encode(signature)));
        body.insert("access_token".into(), json!(token));
        body.insert("scope".into(), json!(if from_refresh { SCOPE } else { "api" }));
        if let Some(rotated) = rotated {
            body.insert("refresh_token".into(), json!(rotated));
        }
        Reply::json(200, Value::Object(body))
    }

    /// The user behind a live access token, whose life begins anew.
    pub(crate) fn session(&self, token: &str, lifetime_seconds: u64, now: i64) -> Option<Id> {
        let mut state = self.state();
        let access = state.access.get_mut(token)?;
        if now - access.used >= millis(lifetime_seconds) {
            state.access.remove(token);
            return None;
        }
        access.used = now;
        Some(access.user)
    }

    /// Ends every access token; refresh tokens stay.
    pub(crate) fn expire_all(&self) -> usize {
        let mut state = self.state();
        let ended = state.access.len();
        state.access.clear();
        ended
    }

    /// `POST /services/oauth2/revoke`
    pub(crate) fn revoke(&self, call: &TokenCall) -> Reply {
        let Some(token) = call.get("token") else { return error("invalid_request", "token is required") };
        let mut state = self.state();
        if state.access.remove(token).is_some() {
            return Reply::empty(200);
        }
        if state.refresh.remove(token).is_some() {
            state.access.retain(|_, access| !access.from_refresh);
            return Reply::empty(200);
        }
        error("invalid_token", "invalid token")
    }

    /// `POST /services/oauth2/introspect` (RFC 7662): the one way to learn when a token ends.
    pub(crate) fn introspect(&self, org: &Org, call: &TokenCall) -> Reply {
        if let Err(reply) = self.check_client(call, true) {
            return reply;
        }
        let token = call.get("token").unwrap_or_default();
        let lifetime = millis(org.switches.access_token_seconds);
        let state = self.state();
        let found = match (state.access.get(token), state.refresh.get(token)) {
            (Some(a), _) if call.now - a.used < lifetime => {
                Some((a.user, "access_token", a.issued, Some(a.used + lifetime)))
            }
            (_, Some(refresh)) => Some((refresh.user, "refresh_token", refresh.issued, None)),
            _ => None,
        };
        let Some((user, kind, issued, ends)) = found else {
            return Reply::json(200, json!({"active": false}));
        };
        let username = org.table_of("User").get(user).map(|row| row.get(org.user_fields.username).to_json());
        let mut body = json!({
            "active": true,
            "scope": SCOPE,
            "client_id": self.client_id,
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

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// `GET /id/{org}/{user}`, with the 18-character ids of both.
pub(crate) fn identity(org: &Org, org_id: &str, user_id: &str, base: &str) -> Reply {
    let plain = |status, text| Reply { status, body: Body::Html(text), headers: Vec::new() };
    if Id::parse(org_id) != Some(org.id) {
        return plain(403, "Wrong_Org");
    }
    let table = org.table_of("User");
    let Some((id, row)) = Id::parse(user_id).and_then(|id| Some((id, table.get(id)?))) else {
        return plain(404, "Bad_Id");
    };
    let text = |name: &str| row.get(table.object.at(name)).to_json();
    let api = |path: &str| format!("{base}/services/data/v{{version}}/{path}");
    let soap = |letter: &str| format!("{base}/services/Soap/{letter}/{{version}}/{}", org.id.short());
    let modified = match row.get(table.object.at("LastModifiedDate")) {
        Cell::Time(millis) => {
            jiff::Timestamp::from_second(millis.div_euclid(1_000)).unwrap_or_default().to_string()
        }
        _ => String::new(),
    };
    Reply::json(
        200,
        json!({
            "id": format!("{base}/id/{}/{id}", org.id),
            "asserted_user": true,
            "user_id": id.to_string(),
            "organization_id": org.id.to_string(),
            "username": text("Username"),
            "nick_name": text("CommunityNickname"),
            "display_name": text("Name"),
            "email": text("Email"),
            "email_verified": true,
            "first_name": text("FirstName"),
            "last_name": text("LastName"),
            "timezone": text("TimeZoneSidKey"),
            "photos": {"picture": text("FullPhotoUrl"), "thumbnail": text("SmallPhotoUrl")},
            "addr_street": text("Street"),
            "addr_city": text("City"),
            "addr_state": text("State"),
            "addr_country": text("Country"),
            "addr_zip": text("PostalCode"),
            "mobile_phone": text("MobilePhone"),
            "mobile_phone_verified": false,
            "is_lightning_login_user": false,
            "status": {"created_date": null, "body": null},
            "urls": {
                "enterprise": soap("c"), "metadata": soap("m"), "partner": soap("u"), "rest": api(""),
                "sobjects": api("sobjects/"), "search": api("search/"), "query": api("query/"),
                "recent": api("recent/"), "profile": format!("{base}/{id}"),
            },
            "active": row.get(org.user_fields.is_active).as_bool(),
            "user_type": "STANDARD",
            "language": text("LanguageLocaleKey"),
            "locale": text("LocaleSidKey"),
            "utcOffset": utc_offset(text("TimeZoneSidKey").as_str().unwrap_or_default()),
            "last_modified_date": modified,
            "is_app_installed": true,
        }),
    )
}

/// Milliseconds ahead of UTC, without summer time: the offset on the first of January.
fn utc_offset(zone: &str) -> i64 {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let winter = jiff::Timestamp::from_second(1_767_225_600).unwrap_or_default();
    i64::from(zone.to_offset(winter).seconds()) * 1_000
}

/// `GET /services/oauth2/userinfo`
pub(crate) fn userinfo(org: &Org, user: Id, base: &str) -> Reply {
    let table = org.table_of("User");
    let Some(row) = table.get(user) else {
        return Reply { status: 403, body: Body::Html("Bad_OAuth_Token"), headers: Vec::new() };
    };
    let text = |name: &str| row.get(table.object.at(name)).to_json();
    Reply::json(
        200,
        json!({
            "sub": format!("{base}/id/{}/{user}", org.id),
            "user_id": user.to_string(),
            "organization_id": org.id.to_string(),
            "preferred_username": text("Username"),
            "nickname": text("CommunityNickname"),
            "name": text("Name"),
            "email": text("Email"),
            "email_verified": true,
            "given_name": text("FirstName"),
            "family_name": text("LastName"),
            "zoneinfo": text("TimeZoneSidKey"),
            "active": row.get(org.user_fields.is_active).as_bool(),
            "user_type": "STANDARD",
            "language": text("LanguageLocaleKey"),
            "locale": text("LocaleSidKey"),
        }),
    )
}
