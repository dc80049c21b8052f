//! Sending events to a receiver (RFC 8935).

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use model::Timestamp;
use reqwest::{StatusCode, header, redirect};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use store::Outgoing as OutgoingRow;

use super::{Outgoing, OutgoingDelivery, Receiver, event};
use crate::set;

/// How often it is looked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many events are read at once.
const AT_ONCE: u32 = 64;
/// How long a receiver may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The pauses after attempts in vain; the last one repeats.
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::from_secs(3),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(5),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(6),
];
/// A receiver that has failed for so long is not tried any more until the next start or configuration.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A receiver that does not know our key yet may have an old key set: it is asked once more after this.
const KEY_SET_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What came of sending one event.
enum Sent {
    /// The receiver has it.
    Got,
    /// The receiver will never take it.
    Refused(String),
    /// It may work later.
    Later { why: String, pause: Option<SignedDuration> },
}

/// The answer to an event that is refused (RFC 8935 §2.3).
#[derive(Deserialize)]
struct Error {
    err: String,
}

pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .connect_timeout(Duration::from_secs(5))
        // A receiver that moved is configured anew: events are not sent wherever somebody says.
        .redirect(redirect::Policy::none())
        .build()
}

impl Outgoing {
    /// Sends a receiver what it has not got, for ever.
    pub(super) async fn push_to(self: &Arc<Self>, receiver: &Receiver) {
        loop {
            match self.outbox.outgoing(&receiver.tenant, &receiver.name, AT_ONCE).await {
                Ok(waiting) if waiting.outgoing.is_empty() => tokio::time::sleep(LOOK_EVERY).await,
                Ok(waiting) => {
                    for one in waiting.outgoing {
                        if !self.deliver(receiver, &one).await {
                            break;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "what goes out cannot be read");
                    tokio::time::sleep(ANSWER_WITHIN).await;
                }
            }
        }
    }

    /// Sends one event, as often as it takes. `false`: it is to be looked anew.
    async fn deliver(&self, receiver: &Receiver, one: &OutgoingRow) -> bool {
        let mut failing_since = None;
        let mut attempts = 0;
        let mut knows_our_key = true;
        loop {
            let sent = self.send(receiver, one, &mut knows_our_key).await;
            let which = [(one.number, one.id.clone())];
            let what = event::word(&one.happening);
            let (tenant, name) = (&receiver.tenant, &receiver.name);
            let ended = match sent {
                Sent::Got => self.outbox.acknowledge(tenant, name, &which, None).await,
                Sent::Refused(why) => {
                    tracing::warn!(%tenant, receiver = %name, jti = event::jti(one), event = what, why, "a receiver refuses an event for good");
                    self.outbox.acknowledge(tenant, name, &which, Some(&why)).await
                }
                Sent::Later { why, pause } => {
                    let now = self.clock.now();
                    let since = *failing_since.get_or_insert(now);
                    let pause = pause.unwrap_or(PAUSES[attempts.min(PAUSES.len() - 1)]);
                    attempts += 1;
                    let due = now + pause;
                    if let Err(error) = self.outbox.put_off(tenant, name, &why, now, due).await {
                        tracing::error!(%error, "it could not be noted that a receiver is away");
                    }
                    if now.duration_since(since) >= GIVE_UP_AFTER {
                        tracing::error!(%tenant, receiver = %name, why, "a receiver has been away for 7 days: nothing is sent to it any more");
                        self.tell_paused(receiver, now).await;
                        return std::future::pending().await;
                    }
                    tracing::info!(%tenant, receiver = %name, why, attempts, "a receiver does not take an event yet");
                    self.until(due).await;
                    continue;
                }
            };
            return match ended {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(%error, "it could not be noted that a receiver has an event: it is sent again");
                    tokio::time::sleep(LOOK_EVERY).await;
                    false
                }
            };
        }
    }

    /// Tells a receiver that nothing is sent to it any more, as soon as it can hear that.
    async fn tell_paused(&self, receiver: &Receiver, since: Timestamp) {
        let claims = event::paused(receiver, since);
        let mut knows_our_key = true;
        loop {
            let sent = match self.sign(receiver, &claims).await {
                Ok(token) => self.push(receiver, token, &mut knows_our_key).await,
                Err(why) => Sent::Later { why, pause: None },
            };
            match sent {
                Sent::Got | Sent::Refused(_) => return,
                Sent::Later { .. } => self.until(self.clock.now() + PAUSES[PAUSES.len() - 1]).await,
            }
        }
    }

    /// Waits for a time of Gangway's own clock.
    async fn until(&self, due: Timestamp) {
        while self.clock.now() < due {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn send(&self, receiver: &Receiver, one: &OutgoingRow, knows_our_key: &mut bool) -> Sent {
        match self.token(receiver, one).await {
            Ok(Some(token)) => self.push(receiver, token, knows_our_key).await,
            Ok(None) => Sent::Got,
            Err(why) => Sent::Later { why, pause: None },
        }
    }

    async fn push(&self, receiver: &Receiver, token: String, knows_our_key: &mut bool) -> Sent {
        let OutgoingDelivery::Push { url, authorization } = &receiver.delivery else { return Sent::Got };
        let later = |why: String| Sent::Later { why, pause: None };
        let mut request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/secevent+jwt")
            .header(header::ACCEPT, "application/json")
            .body(token);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization.expose_secret());
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            // The error names the address, which may have a secret in it.
            Err(error) => return later(error.without_url().to_string()),
        };
        let status = answer.status();
        if status.is_success() {
            return Sent::Got;
        }
        // About us, about too much at once, or about the receiver itself: another time it may work.
        let passes = [401, 403, 404, 408, 429].contains(&status.as_u16()) || !status.is_client_error();
        if passes {
            return later(format!("the receiver answers {status}"));
        }
        if status != StatusCode::BAD_REQUEST {
            return Sent::Refused(status.to_string());
        }
        let err = answer.json::<Error>().await.map_or_else(|_| "400".to_owned(), |error| error.err);
        match err.as_str() {
            // Once: its key set may be of an hour ago.
            "invalid_key" if *knows_our_key => {
                *knows_our_key = false;
                let why = "the receiver does not know our key yet".to_owned();
                Sent::Later { why, pause: Some(KEY_SET_LIFE) }
            }
            // These are about us, not about the event.
            "authentication_failed" | "access_denied" => later(err),
            _ => Sent::Refused(err.chars().filter(|c| !c.is_control()).take(100).collect()),
        }
    }

    /// The signed token; `None` where the receiver need not hear of it.
    pub(super) async fn token(
        &self,
        receiver: &Receiver,
        one: &OutgoingRow,
    ) -> Result<Option<String>, String> {
        let Some(claims) = event::claims(receiver, one) else { return Ok(None) };
        self.sign(receiver, &claims).await.map(Some)
    }

    async fn sign(&self, receiver: &Receiver, claims: &Value) -> Result<String, String> {
        let key = self.keys.signing(&receiver.tenant.home(), self.clock.now()).await;
        let key = key.map_err(|error| error.to_string())?;
        set::issue(&key, claims).map_err(|error| error.to_string())
    }
}
