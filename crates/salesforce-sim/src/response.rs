//! Writing an answer: body, headers, and what real ones have around them.

use actix_http::{
    body::{BodySize, MessageBody},
    encoding::Encoder,
};
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::BoxBody,
    http::{StatusCode, header, header::ContentEncoding},
};
use bytes::Bytes;
use serde_json::Value;

use crate::{
    World, pretty,
    request::{AppUsage, Body, Reply, Usage},
    server::Incoming,
    switches::KeyOrder,
};

/// Smaller answers are not worth compressing.
const GZIP_FROM: usize = 2_048;

/// Writes a reply with the headers that every answer has.
pub(crate) fn respond(
    reply: Reply,
    usage: Option<Usage>,
    world: &World,
    incoming: &Incoming,
) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if incoming.path.starts_with("/_sim") {
        response.insert_header((header::CACHE_CONTROL, "no-store"));
    } else {
        common_headers(&mut response, status, usage, world, incoming);
    }
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    let body = match reply.body {
        Body::Empty => return response.finish(),
        Body::Html(text) => {
            response.insert_header((header::CONTENT_TYPE, "text/html;charset=UTF-8"));
            return response.body(text);
        }
        Body::Text(kind, text) => {
            response.insert_header((header::CONTENT_TYPE, kind));
            return response.body(text);
        }
        Body::Shared(value) => json_bytes(&value, incoming.pretty),
        body => {
            let mut json = body.into_json();
            if status.as_u16() >= 400 {
                order_keys(&mut json, world);
            }
            json_bytes(&json, incoming.pretty)
        }
    };
    response.insert_header((header::CONTENT_TYPE, "application/json;charset=UTF-8"));
    let compress = incoming.gzip && body.len() >= GZIP_FROM;
    let response = response.body(body);
    if compress {
        return response.map_body(|head, body| Encoder::response(ContentEncoding::Gzip, head, body).boxed());
    }
    response
}

fn json_bytes(value: &Value, pretty: bool) -> Vec<u8> {
    if pretty { pretty::write(value) } else { serde_json::to_vec(value).unwrap_or_default() }
}

/// Errors are recorded with either key first; clients must not care, and the switch shows whether they do.
fn order_keys(body: &mut Value, world: &World) {
    let code_first = match world.org().switches.error_key_order {
        KeyOrder::Recorded => return,
        KeyOrder::MessageFirst => false,
        KeyOrder::CodeFirst => true,
        KeyOrder::Mixed => world.random.fraction() < 0.5,
    };
    let first = if code_first { "errorCode" } else { "message" };
    for error in body.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(value) = error.shift_remove(first) {
            error.shift_insert(0, first.to_owned(), value);
        }
    }
}

fn common_headers(
    response: &mut HttpResponseBuilder,
    status: StatusCode,
    usage: Option<Usage>,
    world: &World,
    incoming: &Incoming,
) {
    let is_token = incoming.path.starts_with("/services/oauth2");
    let caching =
        if is_token { "no-cache, no-store" } else { "no-cache,must-revalidate,max-age=0,no-store,private" };
    response.insert_header((header::CACHE_CONTROL, caching));
    if is_token {
        response.insert_header((header::PRAGMA, "no-cache"));
    }
    response.insert_header((header::VARY, "Accept-Encoding"));
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header(("X-Robots-Tag", "none"));
    response.insert_header((header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"));
    response.insert_header((header::SERVER, "sfdcedge"));
    let id = world.random.text(b"0123456789abcdef", 32);
    response.insert_header(("X-SFDC-Request-Id", id.as_str()));
    response.insert_header(("X-Request-Id", id));
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Token"));
    }
    if status == StatusCode::NO_CONTENT {
        response.insert_header((header::CONTENT_SECURITY_POLICY, "upgrade-insecure-requests"));
    }
    if let Some(Usage { used, max, app }) = usage {
        let mut text = format!("api-usage={used}/{max}");
        if let Some(AppUsage { used, max, index }) = app {
            let name = world.org().apps.get(index).map_or_else(String::new, |app| app.name().to_owned());
            text.push_str("; per-app-api-usage=");
            text.extend([
                used.to_string(),
                "/".into(),
                max.to_string(),
                "(appName=".into(),
                name,
                ")".into(),
            ]);
        }
        response.insert_header(("Sforce-Limit-Info", text));
    }
}

/// The answer of a call that is cut off: nothing.
pub(crate) fn cut() -> HttpResponse {
    HttpResponse::with_body(StatusCode::OK, BoxBody::new(Cut))
}

/// A body that fails before its first byte. The server then closes the connection, and as nothing
/// was flushed yet the caller sees no answer at all.
struct Cut;

impl MessageBody for Cut {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
        let error = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "cut by a fault");
        std::task::Poll::Ready(Some(Err(error)))
    }
}
