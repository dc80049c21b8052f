//! The token endpoint (RFC 6749 §3.2) in the shape of Salesforce's: the grants `password` and `client_credentials`.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpRequest,
    http::{
        Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    web::Payload,
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use model::{
    Ids, TenantId, Timestamp,
    failures::{Failures, Origin, Who},
};
use provisioning::Caller;
use serde_json::{Value, json};

use super::{
    OAuth, OAuthUser, Signer,
    parameters::{Ambiguous, Parameters},
    password::{Busy, PasswordHash, Passwords, Turn},
};
use crate::{
    body, caller_address,
    door::{Client, Door, Tenant},
    limits,
    reply::Reply,
};

/// When to come back after no turn to check a password was free.
const BUSY: Duration = Duration::from_secs(5);

/// What the endpoint keeps from one request to the next.
pub(crate) struct Desk {
    pub signer: Signer,
    passwords: Passwords,
    failures: Failures,
    ids: Ids,
}

impl Desk {
    /// With the key that tokens are signed with; the same on every replica.
    pub fn new(token_key: &[u8; 32], ids: Ids) -> Self {
        let passwords = Passwords::new(&ids);
        Self { signer: Signer::new(token_key), passwords, failures: Failures::default(), ids }
    }
}

/// A path that leads here: of a tenant, or of the default one.
pub(crate) struct Endpoint<'p> {
    /// Customer and environment; none on the short path of the default tenant.
    pub tenant: Option<(&'p str, &'p str)>,
}

impl<'p> Endpoint<'p> {
    /// For the log.
    pub const NAME: &'static str = "/services/oauth2/token";

    /// Whether the parts of a path lead here. Names are compared without regard to case, as those of SCIM are.
    pub fn find(segments: &'p [Cow<'p, str>]) -> Option<Self> {
        let is = |tail: &[Cow<'p, str>]| {
            tail.len() == 3
                && tail
                    .iter()
                    .zip(["services", "oauth2", "token"])
                    .all(|(part, name)| part.eq_ignore_ascii_case(name))
        };
        match segments {
            tail if is(tail) => Some(Self { tenant: None }),
            [customer, environment, tail @ ..] if is(tail) => {
                Some(Self { tenant: Some((customer, environment)) })
            }
            _ => None,
        }
    }

    /// Answers a token request. Who asked is noted in `caller` once a client of the configuration is named.
    pub async fn answer(
        &self,
        door: &Door,
        origin: &str,
        request: &HttpRequest,
        payload: Payload,
        caller: &mut Option<Caller>,
    ) -> Reply {
        let answered = match read(request, payload).await {
            Ok(parameters) => {
                let from = Origin::of(caller_address::of(request, &door.settings.trusted_proxies));
                let tenant = door.tenant(self.tenant);
                let asked =
                    Asked { door, endpoint: self, parameters: &parameters, from, now: door.clock.now() };
                asked.answer(tenant.as_deref(), origin, caller).await
            }
            Err(refusal) => Err(refusal),
        };
        let (status, body, headers) = match answered {
            Ok(body) => (StatusCode::OK, body, Vec::new()),
            Err(refusal) => {
                let known = caller.as_ref();
                tracing::info!(
                    tenant = known.map(|caller| caller.tenant.as_str()),
                    client = known.map(|caller| caller.client.as_str()),
                    error = refusal.error,
                    reason = refusal.reason,
                    "no access token was given"
                );
                (refusal.status, refusal.body(), refusal.headers)
            }
        };
        let mut reply = Reply::json(status, &body)
            .with(CONTENT_TYPE, "application/json;charset=UTF-8")
            .with(CACHE_CONTROL, "no-store")
            .with(PRAGMA, "no-cache");
        reply.headers.extend(headers);
        reply
    }
}

/// Why no token is given: an error of RFC 6749 §5.2 in Salesforce's words.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
    /// For the log.
    reason: &'static str,
    headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    fn new(error: &'static str, description: impl Into<Cow<'static, str>>, reason: &'static str) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self { status, error, description: description.into(), reason, headers: Vec::new() }
    }

    fn with(mut self, status: StatusCode, name: HeaderName, value: impl Into<String>) -> Self {
        self.status = status;
        self.headers.push((name, value.into()));
        self
    }

    /// 429: too many failures, or too many requests.
    fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let description = format!("login rate exceeded: wait {seconds} s");
        Self::new("invalid_grant", description, "too many logins").with(
            StatusCode::TOO_MANY_REQUESTS,
            RETRY_AFTER,
            seconds.to_string(),
        )
    }

    fn not_configured() -> Self {
        let description = "this client is not configured for this grant type";
        Self::new("unauthorized_client", description, "a grant that is not configured")
    }

    fn missing(name: &str) -> Self {
        let description = format!("missing required parameter: {name}");
        Self::new("invalid_request", description, "a parameter is missing")
    }

    /// The `detail` is for tools that show nothing else to their operators (C-71: `HelloID`).
    fn body(&self) -> Value {
        json!({"error": self.error, "error_description": self.description, "detail": self.description})
    }
}

impl From<Ambiguous> for Refusal {
    fn from(Ambiguous(name): Ambiguous) -> Self {
        let description = format!("the parameter {name} has two different values");
        Self::new("invalid_request", description, "a parameter has two values")
    }
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        let description = "too many logins at once: try again";
        Self::new("temporarily_unavailable", description, "no turn to check a password was free").with(
            StatusCode::SERVICE_UNAVAILABLE,
            RETRY_AFTER,
            BUSY.as_secs().to_string(),
        )
    }
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Parameters, Refusal> {
    if request.method() != Method::POST {
        let refusal = Refusal::new("invalid_request", "must use HTTP POST", "another method than POST");
        return Err(refusal.with(StatusCode::METHOD_NOT_ALLOWED, ALLOW, "POST"));
    }
    let form = body::bytes(request, payload, limits::TOKEN_BODY).await.map_err(|error| Refusal {
        status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        ..Refusal::new("invalid_request", error.detail, "the body could not be read")
    })?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_none_or(|text| {
        let media_type = text.split(';').next().unwrap_or_default().trim();
        media_type.is_empty() || media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !form.is_empty() && !is_form {
        let description = "the parameters are sent as application/x-www-form-urlencoded";
        return Err(Refusal::new("invalid_request", description, "the body is no form"));
    }
    Ok(Parameters::read(request.query_string(), &form, request.headers())?)
}

/// What a client may ask for here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    Password,
    ClientCredentials,
}

/// A token request that could be read.
struct Asked<'a> {
    door: &'a Door,
    endpoint: &'a Endpoint<'a>,
    parameters: &'a Parameters,
    from: Origin,
    now: Timestamp,
}

/// Who was let in, by which of the hashes in the configuration.
struct Login<'c> {
    client: &'c Client,
    oauth: &'c OAuth,
    secret: Option<PasswordHash>,
    user: Option<(&'c OAuthUser, PasswordHash)>,
}

impl Asked<'_> {
    async fn answer(
        &self,
        tenant: Option<&Tenant>,
        origin: &str,
        caller: &mut Option<Caller>,
    ) -> Result<Value, Refusal> {
        let grant = match self.parameters.grant_type.as_deref() {
            Some("password") => Grant::Password,
            Some("client_credentials") => Grant::ClientCredentials,
            Some(_) => {
                let description = "grant type not supported";
                return Err(Refusal::new("unsupported_grant_type", description, "another grant"));
            }
            None => return Err(Refusal::missing("grant_type")),
        };
        let id = self.parameters.client_id.as_deref().ok_or_else(|| Refusal::missing("client_id"))?;
        let Some((tenant, client, oauth)) = tenant.and_then(|tenant| named(tenant, id)) else {
            // A tenant that does not exist, a client of another one and nobody's are answered alike.
            let counted = [Who::Stranger(self.from.address), Who::Network(self.from.network)];
            self.limit(&counted)?;
            let (words, why) = ("client identifier invalid", "an unknown client id");
            return Err(self.failed(&counted, Refusal::new("invalid_client_id", words, why)));
        };
        *caller = Some(Caller { tenant: tenant.id.clone(), client: client.settings.name.clone() });
        let login = match grant {
            Grant::Password => self.password(tenant, client, oauth).await?,
            Grant::ClientCredentials => self.client_credentials(tenant, client, oauth).await?,
        };
        client.bucket.take(self.now).map_err(|exhausted| Refusal::too_often(exhausted.retry_after))?;
        Ok(self.token(tenant, &login, origin))
    }

    /// RFC 6749 §4.4.
    async fn client_credentials<'c>(
        &self,
        tenant: &Tenant,
        client: &'c Client,
        oauth: &'c OAuth,
    ) -> Result<Login<'c>, Refusal> {
        if oauth.secrets.is_empty() {
            return Err(Refusal::not_configured());
        }
        let secret = self.secret(&mut Checks::of(self), &tenant.id, oauth).await?;
        Ok(Login { client, oauth, secret, user: None })
    }

    /// RFC 6749 §4.3.
    async fn password<'c>(
        &self,
        tenant: &Tenant,
        client: &'c Client,
        oauth: &'c OAuth,
    ) -> Result<Login<'c>, Refusal> {
        if oauth.users.is_empty() {
            return Err(Refusal::not_configured());
        }
        let username = self.parameters.username.as_deref().ok_or_else(|| Refusal::missing("username"))?;
        let password = self.parameters.password.as_deref().ok_or_else(|| Refusal::missing("password"))?;
        let mut checks = Checks::of(self);
        // First, so that nobody without the secret tries user names.
        let secret = self.secret(&mut checks, &tenant.id, oauth).await?;
        let user = oauth.user(username);
        let folded = username.to_lowercase();
        let [address, network] = self.place(&tenant.id);
        let login = Who::Login(&tenant.id, &oauth.client_id, &folded, self.from.address);
        let counted = [address, network, login, Who::User(&tenant.id, &oauth.client_id, &folded)];
        let hashes = user.map_or(&[][..], |user| &user.passwords);
        let decoy = oauth.users.first().and_then(|user| user.passwords.first());
        let found = checks.check(&counted, hashes, decoy, password).await?;
        let user = user.zip(found).ok_or_else(|| {
            let (words, why) = ("authentication failure", "a wrong user name or password");
            self.failed(&counted, Refusal::new("invalid_grant", words, why))
        })?;
        Ok(Login { client, oauth, secret, user: Some(user) })
    }

    /// The client's secret, where it has one.
    async fn secret(
        &self,
        checks: &mut Checks<'_>,
        tenant: &TenantId,
        oauth: &OAuth,
    ) -> Result<Option<PasswordHash>, Refusal> {
        if oauth.secrets.is_empty() {
            return Ok(None);
        }
        let counted = self.place(tenant);
        let sent = self.parameters.client_secret.as_deref().unwrap_or_default();
        let found = checks.check(&counted, &oauth.secrets, oauth.secrets.first(), sent).await?;
        found.map(Some).ok_or_else(|| {
            let (words, why) = ("invalid client credentials", "a wrong client secret");
            let refusal = self.failed(&counted, Refusal::new("invalid_client", words, why));
            if self.parameters.basic {
                refusal.with(StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Basic realm=\"SCIM\"")
            } else {
                refusal
            }
        })
    }

    /// Where the request comes from, at a tenant whose client it names.
    fn place<'t>(&self, tenant: &'t TenantId) -> [Who<'t>; 2] {
        [Who::Address(tenant, self.from.address), Who::Network(self.from.network)]
    }

    /// Whether all of them may still try.
    fn limit(&self, counted: &[Who<'_>]) -> Result<(), Refusal> {
        let wait = self.door.desk.failures.wait_of(counted, self.now);
        wait.map_or(Ok(()), |wait| Err(Refusal::too_often(wait)))
    }

    fn failed(&self, counted: &[Who<'_>], refusal: Refusal) -> Refusal {
        for who in counted {
            self.door.desk.failures.count(*who, self.now);
        }
        refusal
    }

    /// Salesforce's answer, and `expires_in` for tools that go by the RFC.
    fn token(&self, tenant: &Tenant, login: &Login<'_>, origin: &str) -> Value {
        let Login { client, oauth, secret, user } = login;
        let name = &client.settings.name;
        let user = user.as_ref().map(|(user, hash)| (*user, hash));
        let end = self.now + oauth.token_life;
        let desk = &self.door.desk;
        let access_token =
            desk.signer.issue((&tenant.id, name), &oauth.client_id, secret.as_ref(), user, end, &desk.ids);
        let instance_url = match self.endpoint.tenant {
            Some((customer, environment)) => format!("{origin}/{customer}/{environment}"),
            None => origin.to_owned(),
        };
        let id = format!("{instance_url}/id/{}/{name}", tenant.id.as_str().replace('/', "-"));
        let issued_at = self.now.as_millisecond().to_string();
        json!({
            "access_token": access_token,
            "signature": self.signature(&id, &issued_at),
            "instance_url": instance_url,
            "id": id,
            "token_type": "Bearer",
            "issued_at": issued_at,
            "expires_in": oauth.token_life.as_secs(),
        })
    }

    /// By which a caller can tell that `id` and `issued_at` came from who knows its secret.
    fn signature(&self, id: &str, issued_at: &str) -> String {
        let secret = self.parameters.client_secret.as_deref().unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
    }
}

/// The client of this id.
fn named<'t>(tenant: &'t Tenant, id: &str) -> Option<(&'t Tenant, &'t Client, &'t OAuth)> {
    tenant.clients.iter().find_map(|client| {
        let oauth = client.settings.oauth.as_ref().filter(|oauth| oauth.client_id == id)?;
        Some((tenant, &**client, oauth))
    })
}

/// The checks of one request: all of them in one turn, which is only waited for if something is not remembered.
struct Checks<'a> {
    asked: &'a Asked<'a>,
    turn: Option<Turn>,
}

impl<'a> Checks<'a> {
    fn of(asked: &'a Asked<'a>) -> Self {
        Self { asked, turn: None }
    }

    async fn check(
        &mut self,
        counted: &[Who<'_>],
        hashes: &[PasswordHash],
        decoy: Option<&PasswordHash>,
        password: &str,
    ) -> Result<Option<PasswordHash>, Refusal> {
        let Asked { door, now, .. } = *self.asked;
        let passwords = &door.desk.passwords;
        // Who knows the password is let in, however often others have failed.
        if let Some(hash) = passwords.remembered(hashes, password, now) {
            return Ok(Some(hash));
        }
        self.asked.limit(counted)?;
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => passwords.turn().await?,
        };
        // Once more: those who waited before may have failed.
        self.asked.limit(counted)?;
        let (turn, found) = passwords.check(turn, hashes, decoy, password, now).await?;
        self.turn = Some(turn);
        Ok(found)
    }
}
