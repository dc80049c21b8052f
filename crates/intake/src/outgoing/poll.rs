//! Answering a receiver that asks for events (RFC 8936).

use std::{collections::HashMap, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::Waiting;
use subtle::ConstantTimeEq;

use super::{Outgoing, OutgoingDelivery, Receiver, event};
use crate::Refusal;

/// How long a request waits for something new.
const WAIT: Duration = Duration::from_secs(30);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many events are given where the receiver does not say, and at most.
const GIVEN: u32 = 100;

/// What a receiver says and asks.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Poll {
    ack: Vec<String>,
    set_errs: HashMap<String, SetError>,
    max_events: Option<u32>,
    return_immediately: bool,
}

#[derive(Debug, Deserialize)]
struct SetError {
    err: String,
}

impl Outgoing {
    pub(super) async fn polled(
        &self,
        receiver: &Receiver,
        request: &HttpRequest,
        body: &[u8],
    ) -> Result<HttpResponse, Refusal> {
        let OutgoingDelivery::Poll { token_sha256 } = &receiver.delivery else {
            return Err(Refusal::NotFound);
        };
        authenticate(token_sha256, request)?;
        let poll: Poll = if body.iter().all(u8::is_ascii_whitespace) {
            Poll::default()
        } else {
            serde_json::from_slice(body)
                .map_err(|error| Refusal::InvalidRequest(format!("the body is no poll request: {error}")))?
        };
        let got: Vec<_> = poll.ack.iter().filter_map(|jti| event::parse_jti(jti)).collect();
        self.acknowledged(receiver, &got, None).await?;
        for (jti, error) in &poll.set_errs {
            let why: String = error.err.chars().filter(|c| !c.is_control()).take(100).collect();
            let refused: Vec<_> = event::parse_jti(jti).into_iter().collect();
            self.acknowledged(receiver, &refused, Some(&why)).await?;
        }
        let wanted = poll.max_events.unwrap_or(GIVEN).min(GIVEN);
        self.give(receiver, wanted, poll.return_immediately).await
    }

    async fn acknowledged(
        &self,
        receiver: &Receiver,
        which: &[(u64, String)],
        refused: Option<&str>,
    ) -> Result<(), Refusal> {
        if which.is_empty() {
            return Ok(());
        }
        self.outbox
            .acknowledge(&receiver.tenant, &receiver.name, which, refused)
            .await
            .map_err(|error| unavailable(&error.to_string()))
    }

    /// What is new, or after a while that nothing is.
    async fn give(&self, receiver: &Receiver, wanted: u32, at_once: bool) -> Result<HttpResponse, Refusal> {
        // One that asks for nothing only acknowledges, and hears whether there is more.
        if wanted == 0 {
            let more = !self.wanted(receiver, 1).await?.outgoing.is_empty();
            return Ok(given(&Map::new(), more));
        }
        let began = tokio::time::Instant::now();
        loop {
            let Waiting { outgoing, more } = self.wanted(receiver, wanted).await?;
            let mut sets = Map::new();
            for one in &outgoing {
                if let Some(token) = self.token(receiver, one).await.map_err(|error| unavailable(&error))? {
                    sets.insert(event::jti(one), token.into());
                }
            }
            if !sets.is_empty() || at_once || began.elapsed() >= WAIT {
                return Ok(given(&sets, more));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The next that a receiver wants to hear of; at most `limit`. What it does not want is behind it then.
    async fn wanted(&self, receiver: &Receiver, limit: u32) -> Result<Waiting, Refusal> {
        loop {
            let waiting = self.outbox.outgoing(&receiver.tenant, &receiver.name, limit).await;
            let Waiting { outgoing, more } = waiting.map_err(|error| unavailable(&error.to_string()))?;
            let is_wanted = |one: &store::Outgoing| receiver.wants.has(&one.happening);
            let (wanted, unheard): (Vec<_>, Vec<_>) = outgoing.into_iter().partition(is_wanted);
            if unheard.is_empty() {
                return Ok(Waiting { outgoing: wanted, more });
            }
            let unheard: Vec<_> = unheard.into_iter().map(|one| (one.number, one.id)).collect();
            self.acknowledged(receiver, &unheard, None).await?;
        }
    }
}

fn given(sets: &Map<String, Value>, more: bool) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "sets": sets, "moreAvailable": more }))
}

fn authenticate(hashes: &[[u8; 32]], request: &HttpRequest) -> Result<(), Refusal> {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = sent.and_then(|sent| {
        let (scheme, token) = sent.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let hash = digest(&SHA256, token.unwrap_or_default().as_bytes());
    // All of them are compared, so that the time tells nothing.
    let known = hashes.iter().fold(false, |known, other| known | bool::from(other.ct_eq(hash.as_ref())));
    if token.is_some() && known {
        return Ok(());
    }
    Err(Refusal::AuthenticationFailed("send the receiver's token as Authorization: Bearer".to_owned()))
}

fn unavailable(why: &str) -> Refusal {
    tracing::error!(why, "a receiver that polls cannot be answered");
    Refusal::Unavailable { why: "events cannot be read now".to_owned(), retry_after: Duration::from_secs(10) }
}
