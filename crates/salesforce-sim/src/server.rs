//! The HTTP side: what every call goes through before and after its handler.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use bytes::Bytes;
use serde_json::Value;

use crate::{
    World,
    admission::{Denied, Outcome, admit, pause, strike},
    control,
    errors::Refusal,
    faults::FaultKind,
    footprint,
    ids::Id,
    json_text,
    locks::Lock,
    oauth::{self, TokenCall},
    request::{Headers, Reply, Request, split_path, split_query},
    response::{self, respond},
    rest, soap, versions,
};

/// A longer URI is answered 414, a longer URI with headers 431.
const MAX_URI: usize = 16_384;
/// A larger body is answered 413.
pub(crate) const MAX_BODY: usize = 50 * 1024 * 1024;

/// A call as it came, without ties to the connection: it is carried out even if the caller leaves.
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Bytes,
    pub(crate) authorization: Option<String>,
    pub(crate) control_token: Option<String>,
    pub(crate) is_local: bool,
    content_type: Option<String>,
    accept: Option<String>,
    headers: Headers,
    base: Arc<str>,
    pub(crate) pretty: bool,
    pub(crate) gzip: bool,
}

/// Takes every call to this server.
pub(crate) async fn entry(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    world: web::Data<World>,
) -> HttpResponse {
    let incoming = match body {
        Ok(body) => incoming(&request, body),
        Err(error) => {
            return respond(body_refusal(&error).into(), None, &world, &incoming(&request, Bytes::new()));
        }
    };
    if let Some(refusal) = too_long(&request) {
        return respond(refusal.into(), None, &world, &incoming);
    }
    // Carried out apart from the connection: an org finishes what it began when its caller hangs up.
    let world = world.into_inner();
    let task = actix_web::rt::spawn(async move {
        let outcome = answer(&world, &incoming).await;
        match outcome {
            Outcome::Reply(reply, usage) => Some(respond(reply, usage, &world, &incoming)),
            Outcome::Cut => None,
        }
    });
    match task.await {
        Ok(Some(response)) => response,
        Ok(None) => response::cut(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn incoming(request: &HttpRequest, body: Bytes) -> Incoming {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let info = request.connection_info();
    let base = format!("{}://{}", info.scheme(), info.host());
    Incoming {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        body,
        authorization: text("authorization"),
        control_token: text("x-sim-control-token"),
        is_local: request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()),
        content_type: text("content-type"),
        accept: text("accept"),
        headers: Headers::read(text),
        base: base.into(),
        pretty: text("x-prettyprint").is_some_and(|value| value == "1"),
        gzip: text("accept-encoding").is_some_and(|value| value.contains("gzip")),
    }
}

fn body_refusal(error: &actix_web::Error) -> Refusal {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::call(413, "REQUEST_ENTITY_TOO_LARGE", "The request body is too large")
        }
        _ => Refusal::json("The HTTP entity body could not be read"),
    }
}

fn too_long(request: &HttpRequest) -> Option<Refusal> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > MAX_URI {
        return Some(Refusal::call(414, "URI_TOO_LONG", "The requested URI is too long"));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let message = "The URI and the request headers are too large";
    (uri + headers > MAX_URI).then(|| Refusal::call(431, "REQUEST_HEADER_FIELDS_TOO_LARGE", message))
}

async fn answer(world: &World, incoming: &Incoming) -> Outcome {
    let path = split_path(&incoming.path);
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["_sim", rest @ ..] => Outcome::Reply(control::answer(world, incoming, rest), None),
        ["services", "data", ..] => data(world, incoming, &path).await,
        ["services", "Soap", letter, version, ..] if let Some(api) = soap::Api::of(letter) => {
            soap(world, incoming, api, version).await
        }
        ["services", "oauth2", endpoint] => token(world, incoming, endpoint, &path).await,
        [".well-known", "openid-configuration"] => Outcome::Reply(oauth::discovery(&incoming.base), None),
        ["id", org, user] => Outcome::Reply(identity(world, incoming, org, user), None),
        _ => Outcome::Reply(Refusal::not_found().into(), None),
    }
}

async fn data(world: &World, incoming: &Incoming, path: &[String]) -> Outcome {
    let plain = |reply: Reply| Outcome::Reply(reply, None);
    let Some(segment) = path.get(2) else {
        return plain(if matches!(incoming.method.as_str(), "GET" | "HEAD") {
            Reply::json(200, versions::list())
        } else {
            Refusal::method(&incoming.method, "GET,HEAD").into()
        });
    };
    let Some(version) = versions::supported(segment) else { return plain(versions::refusal(segment).into()) };
    let path = &without_extension(path);
    let query = split_query(&incoming.query);
    let method = method(incoming, &query);
    world.calls.api(&method, &path[3..]);
    let admitted = match admit(world, &method, &path[1..], incoming.token()).await {
        Ok(admitted) => admitted,
        Err(Denied::Cut) => return Outcome::Cut,
        Err(Denied::Fault(fault)) => return plain(fault.reply()),
        Err(Denied::Refused(refusal, usage)) => return Outcome::Reply(refusal.into(), usage),
    };
    let (body, source) = match body(incoming, &method) {
        Ok(body) => body,
        Err(refusal) => return Outcome::Reply(refusal.into(), Some(admitted.usage)),
    };
    let request = Request {
        method,
        path: path[3..].to_vec(),
        version,
        query,
        headers: incoming.headers.clone(),
        body,
        source,
        actor: admitted.actor,
        usage: admitted.usage,
        faults: Arc::clone(&world.faults),
        base: Arc::clone(&incoming.base),
        locked: admitted.is_locked(),
    };
    // Each call in a batch counts; the first was counted when the batch was admitted.
    for _ in 1..rest::calls(&request) {
        let _ = world.calls.spend(request.usage.max, None, request.actor.now);
    }
    let footprint = footprint::of(&world.org(), &request);
    admitted.carry_out(world, footprint, |contended| run(world, &request, contended)).await
}

/// `limits.json` is `limits`; the value of a key field may end as it likes.
fn without_extension(path: &[String]) -> Vec<String> {
    let mut path = path.to_vec();
    let is_value = path.get(3).is_some_and(|first| first == "sobjects") && path.len() > 6;
    if let Some(last) = path.last_mut().filter(|_| !is_value)
        && let Some(name) = last.strip_suffix(".json")
    {
        *last = name.to_owned();
    }
    path
}

/// A call of the SOAP API: the same way, with other words for what goes wrong.
async fn soap(world: &World, incoming: &Incoming, api: soap::Api, version: &str) -> Outcome {
    let plain = |reply: Reply| Outcome::Reply(reply, None);
    let refused = |fault: &soap::Fault| plain(soap::fault_reply(api, fault));
    let call = match soap::read(api, version, &incoming.method, &incoming.body) {
        Ok(call) => call,
        Err(fault) => return refused(&fault),
    };
    let path = call.path();
    match call.operation() {
        "login" => {
            world.calls.token();
            return authenticate(world, &incoming.method, &path, || call.login(world, &incoming.base)).await;
        }
        "logout" => return plain(call.logout(world)),
        _ => {}
    }
    world.calls.api("SOAP", &path[3..]);
    let operation = match call.find() {
        Ok(operation) => operation,
        Err(fault) => return refused(&fault),
    };
    let admitted = match admit(world, "POST", &path, Ok(call.session().unwrap_or_default())).await {
        Ok(admitted) => admitted,
        Err(Denied::Cut) => return Outcome::Cut,
        Err(Denied::Fault(fault)) => return refused(&fault.refusal().into()),
        Err(Denied::Refused(refusal, _)) => return refused(&refusal.into()),
    };
    let footprint = call.footprint(operation);
    let (actor, usage) = (admitted.actor, admitted.usage);
    // A lock fault strikes all that the operation names: its arguments are one list.
    let struck = if admitted.is_locked() { footprint.locks.clone() } else { BTreeSet::new() };
    let work = |contended: &HashSet<Lock>| {
        let mut org = world.org_mut();
        org.contended = contended.iter().chain(&struck).copied().collect();
        let reply = call.run(operation, &mut org, actor, usage);
        org.contended.clear();
        reply
    };
    admitted.carry_out(world, footprint, work).await
}

/// One transaction, unless the handler makes several of it.
fn run(world: &World, request: &Request, contended: &HashSet<Lock>) -> Reply {
    world.pass_time(request.actor.now);
    if let Some(reply) = rest::read(&world.org(), request) {
        return reply;
    }
    let mut org = world.org_mut();
    org.contended.clone_from(contended);
    let mark = org.mark();
    let reply = rest::answer(&mut org, request);
    if !reply.is_success() {
        org.roll_back(mark);
    }
    org.contended.clear();
    org.commit();
    reply
}

/// The method; `POST` with `_HttpMethod=PATCH` is for clients that have no `PATCH`.
fn method(incoming: &Incoming, query: &[(String, String)]) -> String {
    let instead = query.iter().find(|(name, _)| name == "_HttpMethod").map(|(_, method)| method);
    match instead {
        Some(method) if incoming.method == "POST" => method.to_ascii_uppercase(),
        _ => incoming.method.clone(),
    }
}

impl Incoming {
    /// The token of the `Authorization` header.
    fn token(&self) -> Result<&str, Refusal> {
        let refusal = |message: &'static str| Refusal::call(401, "INVALID_AUTH_HEADER", message);
        let header = self.authorization.as_deref().ok_or_else(|| refusal("INVALID_AUTH_HEADER"))?;
        bearer(header).ok_or_else(|| refusal("INVALID_HEADER_TYPE"))
    }

    /// The user who calls.
    fn user(&self, world: &World) -> Result<Id, Refusal> {
        Ok(world.oauth.session(&world.org(), self.token()?, world.now())?.user)
    }
}

/// The token of `Bearer x` or, as old clients write it, `OAuth x`.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("OAuth")).then(|| token.trim())
}

/// The body of a write: JSON, and said to be.
fn body(incoming: &Incoming, method: &str) -> Result<(Option<Value>, Arc<str>), Refusal> {
    if matches!(method, "GET" | "HEAD" | "DELETE") {
        return Ok((None, "".into()));
    }
    // Who needs one says so; a method that a resource has not is 405 with a body or without.
    if incoming.body.is_empty() {
        return Ok((None, "".into()));
    }
    let kind = incoming.content_type.as_deref().unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let message = format!("Content type of request not acceptable: {kind}");
        return Err(Refusal::call(415, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    let text = std::str::from_utf8(&incoming.body)
        .map_err(|_| Refusal::json("Invalid UTF-8 in the HTTP entity body at [line:1, column:1]"))?;
    Ok((Some(json_text::parse(text)?), text.into()))
}

async fn token(world: &World, incoming: &Incoming, endpoint: &str, path: &[String]) -> Outcome {
    if endpoint == "token" {
        world.calls.token();
    }
    authenticate(world, &incoming.method, &path[1..], || token_reply(world, incoming, endpoint)).await
}

/// Calls that need no session because they make one: faults and latency, but no allowance.
async fn authenticate(world: &World, method: &str, path: &[String], run: impl FnOnce() -> Reply) -> Outcome {
    let (fault, slow) = match strike(world, method, path).await {
        Ok(struck) => struck,
        Err(None) => return Outcome::Cut,
        Err(Some(fault)) => return Outcome::Reply(fault.token_reply(), None),
    };
    let takes = world.latency.of(0, &world.random);
    pause(takes / 2).await;
    let reply = run();
    if let Some(slow) = slow {
        slow.wait().await;
    }
    pause(takes / 2).await;
    if fault.is_some_and(|fault| fault.kind == FaultKind::CutAfterCommit) {
        return Outcome::Cut;
    }
    Outcome::Reply(reply, None)
}

fn token_reply(world: &World, incoming: &Incoming, endpoint: &str) -> Reply {
    if endpoint == "userinfo" {
        return match incoming.user(world) {
            Ok(user) => oauth::userinfo(&world.org(), user, &incoming.base),
            Err(_) => oauth::bad_token(),
        };
    }
    if !matches!(endpoint, "token" | "revoke" | "introspect" | "authorize") {
        return Refusal::not_found().into();
    }
    let is_get = matches!(incoming.method.as_str(), "GET" | "HEAD");
    if !(incoming.method == "POST" || is_get && matches!(endpoint, "revoke" | "authorize")) {
        let body = serde_json::json!({"error": "invalid_request", "error_description": "must use HTTP POST"});
        return Reply::json(400, body);
    }
    // Form bodies only: a JSON body has no grant_type for Salesforce.
    let is_form = incoming
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let body = if is_form { String::from_utf8_lossy(&incoming.body) } else { Cow::Borrowed("") };
    let mut form = split_query(&body);
    if endpoint != "token" {
        form.extend(split_query(&incoming.query));
    }
    let call = TokenCall {
        form: &form,
        authorization: incoming.authorization.as_deref(),
        accept: incoming.accept.as_deref(),
        base: &incoming.base,
        now: world.now(),
    };
    let org = world.org();
    match endpoint {
        "token" => world.oauth.token(&org, &call),
        "revoke" => world.oauth.revoke(&call),
        "authorize" => world.oauth.authorize(&org, &call, !is_get),
        _ => world.oauth.introspect(&org, &call),
    }
}

fn identity(world: &World, incoming: &Incoming, org_id: &str, user: &str) -> Reply {
    match incoming.user(world) {
        Ok(_) => oauth::identity(&world.org(), org_id, user, &incoming.base),
        Err(_) => oauth::bad_token(),
    }
}
