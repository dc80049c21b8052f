//! Where events are sent to: `/events/{source}/{customer}/{environment}`, with a slash at the end or without.
//!
//! Nothing here is ever answered with a redirect: Akamai takes one for a final failure.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header::CONTENT_TYPE},
    web::{self, Payload, ServiceConfig},
};
use futures::StreamExt;
use model::{SourceName, TenantId};
use tokio::time::Instant;

use crate::{Delivery, Intake, OUT, Refusal, Source, answer, places::Place};

/// The longest delivery. A token that says what has changed has 2 KiB; one with a whole SCIM resource, or a user's consents, 64.
pub const BODY: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Mounts the doors. A customer cannot be called `events`.
pub fn configure(intake: Arc<Intake>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.service(web::scope("/events").default_service(web::to(
            move |request: HttpRequest, payload: Payload| {
                let intake = Arc::clone(&intake);
                async move { answer(&intake, &request, payload).await }
            },
        )));
    }
}

async fn answer(intake: &Arc<Intake>, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let parts: Vec<&str> = request.path().split('/').filter(|part| !part.is_empty()).skip(1).collect();
    let mut response = match find(intake, &parts) {
        None if parts.first() == Some(&OUT) && intake.outgoing.knows(&parts[1..]) => {
            match read_at_a_place(intake, &parts.join("/"), request, payload).await {
                Ok(body) => intake.outgoing.serve(&parts[1..], request, &body).await,
                Err(refusal) => refusal.answer(),
            }
        }
        None => Refusal::NotFound.answer(),
        Some((source, rest)) if rest.is_empty() => {
            enter(intake, &source, request, payload).await.unwrap_or_else(|refusal| {
                let outcome = if refusal.is_passing() { "later" } else { "rejected" };
                intake.count(&source, outcome, refusal.reason());
                tracing::info!(tenant = %source.tenant, source = %source.name, outcome, reason = refusal.reason(), "delivery refused");
                refusal.answer()
            })
        }
        Some((source, rest)) => below(intake, &source, &rest, request, payload).await,
    };
    if intake.settings.simulated {
        let name = actix_web::http::header::HeaderName::from_static("x-gangway-simulated");
        response.headers_mut().insert(name, actix_web::http::header::HeaderValue::from_static("true"));
    }
    response
}

/// The source that the path names, and what stands behind it.
fn find<'r>(intake: &Intake, parts: &[&'r str]) -> Option<(Arc<Source>, Vec<&'r str>)> {
    let [name, customer, environment, rest @ ..] = parts else { return None };
    let (name, tenant) = (SourceName::new(*name).ok()?, TenantId::new(customer, environment).ok()?);
    Some((intake.source(&tenant, &name)?, rest.to_vec()))
}

/// One delivery, from its method to its answer.
async fn enter(
    intake: &Arc<Intake>,
    source: &Arc<Source>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    match *request.method() {
        Method::POST => {}
        // A probe is told that somebody is here.
        Method::HEAD => return Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish()),
        _ => return Err(Refusal::Method),
    }
    let _place = place(intake, &door(source))?;
    check_media_type(source, request)?;
    let body = read(request, payload).await?;
    // All that is asked of others for it has this time together: keys, profiles, Salesforce.
    let until = Instant::now() + source.answer_within;
    let delivery = Delivery {
        headers: request.headers(),
        address: caller(intake, request),
        body: &body,
        now: intake.clock.now(),
    };
    let events = source.kind.read(intake, source, &delivery).await?;
    // In their order, and the first that cannot be taken now ends it: those before it are known when it comes again.
    for event in events {
        intake.take(source, event, until).await?;
    }
    Ok(answer::accepted())
}

/// What a kind of source has below its address.
async fn below(
    intake: &Arc<Intake>,
    source: &Arc<Source>,
    rest: &[&str],
    request: &HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let body = match read_at_a_place(intake, &door(source), request, payload).await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(),
    };
    let delivery = Delivery {
        headers: request.headers(),
        address: caller(intake, request),
        body: &body,
        now: intake.clock.now(),
    };
    let answer = source.kind.serve(intake, request.method(), rest, &delivery).await;
    answer.unwrap_or_else(|| Refusal::NotFound.answer())
}

/// What a source's door is called among others.
fn door(source: &Source) -> String {
    format!("{}/{}", source.name, source.tenant)
}

/// One of the places for deliveries that are read and applied.
fn place<'i>(intake: &'i Intake, door: &str) -> Result<Place<'i>, Refusal> {
    intake.places.take(door).ok_or_else(|| Refusal::Unavailable {
        why: "too many deliveries at once".into(),
        retry_after: Duration::from_secs(3),
    })
}

async fn read_at_a_place(
    intake: &Intake,
    door: &str,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Vec<u8>, Refusal> {
    let _place = place(intake, door)?;
    read(request, payload).await
}

fn check_media_type(source: &Source, request: &HttpRequest) -> Result<(), Refusal> {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wanted = source.kind.media_types();
    if wanted.contains(&sent.as_str()) { Ok(()) } else { Err(Refusal::MediaType(wanted.join(" or "))) }
}

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Vec<u8>, Refusal> {
    let told =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > BODY) {
        return Err(Refusal::TooLarge(BODY));
    }
    let read = async {
        // It grows with what arrives: a length that is only told takes no memory.
        let mut body = Vec::new();
        while let Some(part) = payload.next().await {
            let part =
                part.map_err(|_| Refusal::InvalidRequest("the body could not be read to its end".into()))?;
            if body.len() + part.len() > BODY {
                return Err(Refusal::TooLarge(BODY));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    };
    let late = |_| Refusal::InvalidRequest("the body took too long to arrive".into());
    tokio::time::timeout(BODY_WITHIN, read).await.map_err(late)?
}

fn caller(intake: &Intake, request: &HttpRequest) -> std::net::IpAddr {
    let peer = request.peer_addr().map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.ip());
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    model::caller_address(peer, forwarded, &intake.settings.trusted_proxies)
}
