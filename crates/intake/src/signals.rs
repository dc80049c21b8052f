//! Shared Signals (SSF 1.0): what happens to accounts and sessions elsewhere, told by CAEP and RISC events, pushed or polled.
//!
//! | file | what it holds |
//! |---|---|
//! | `signals/events.rs` | the kinds of events, and what is done about each |
//! | `signals/subject.rs` | whom an event is about |
//! | `signals/transmitter.rs` | a transmitter's description of itself and its API |
//! | `signals/stream.rs` | Gangway's stream there: made, verified, kept alive |

mod events;
mod stream;
mod subject;
mod transmitter;

use std::sync::Arc;

use async_trait::async_trait;
use model::Timestamp;
use provisioning::{Signal, Signalled};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

pub use events::{Actions, EVENT_TYPES, EventType};
pub use subject::SubjectFields;

use self::{events::What, stream::Stream, subject::NoSubject};
use crate::{
    Authorization, Delivery, Event, Intake, Kind, Order, Outcome, Refusal, Rehearsal, Source, incoming,
    poll::ReadToken,
    refused, rehearsal,
    remote::Remote,
    set::{Claims, Expect, KeySet},
};

/// What a transmitter sends to try the stream.
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
/// Alarms: a signal is about somebody whom none may lock out; a source locks out more than it may.
const PROTECTED: &str = "protected-user";
const TOO_MANY: &str = "too-many-lockouts";
/// Subject of what is about the stream itself.
const STREAM: &str = "stream";
/// Seconds beyond this are milliseconds: drafts of CAEP had them.
const SECONDS_UP_TO: i64 = 100_000_000_000;

/// A transmitter, as configured.
#[derive(Clone)]
pub struct SharedSignalsSettings {
    /// The `iss` of its tokens, letter for letter.
    pub issuer: String,
    /// What it signs with; none: it says so itself.
    pub keys: Option<KeySet>,
    /// Whom its tokens are for; those of the stream come on top.
    pub audiences: Vec<String>,
    /// The URL of this door, for pushes.
    pub address: Option<String>,
    /// `Authorization` of pushes.
    pub authorization: Option<SecretString>,
    /// How events come.
    pub delivery: SignalDelivery,
    /// Whether Gangway makes the stream itself.
    pub manages: bool,
    /// Who Gangway is at the transmitter's API.
    pub transmitter: Authorization,
    /// Who is meant by a subject.
    pub fields: SubjectFields,
    /// Members of complex subjects that must not be left out of account; those that the transmitter names come on top.
    pub critical: Vec<String>,
    /// What is done, where that is not the default.
    pub actions: Actions,
    /// How many Users it may lock out in an hour.
    pub lockouts_per_hour: u32,
}

/// How events come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalDelivery {
    /// RFC 8935.
    Push,
    /// RFC 8936, from here; none: where the stream says.
    Poll(Option<Url>),
}

/// A Shared Signals transmitter.
pub struct SharedSignals {
    settings: SharedSignalsSettings,
    /// For what it tells everybody.
    open: Remote,
    /// For its API.
    api: Remote,
    stream: Stream,
}

/// What is kept of an event.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    uri: String,
    subject: Map<String, Value>,
    event: Map<String, Value>,
}

impl std::fmt::Debug for SharedSignalsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSignalsSettings").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SharedSignals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSignals").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl SharedSignals {
    /// Nothing is asked of the transmitter yet.
    ///
    /// # Errors
    ///
    /// The TLS library cannot be set up.
    pub fn new(settings: SharedSignalsSettings) -> Result<Self, reqwest::Error> {
        let poll_url = match &settings.delivery {
            SignalDelivery::Poll(url) => url.clone(),
            SignalDelivery::Push => None,
        };
        Ok(Self {
            open: Remote::new(Authorization::None)?,
            api: Remote::new(settings.transmitter.clone())?,
            stream: Stream::new(poll_url),
            settings,
        })
    }
}

#[async_trait]
impl Kind for SharedSignals {
    fn media_types(&self) -> &[&str] {
        &incoming::MEDIA_TYPES
    }

    async fn read(
        &self,
        intake: &Intake,
        _: &Source,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.settings.delivery != SignalDelivery::Push {
            return Err(Refusal::AccessDenied("the events of this source are polled".to_owned()));
        }
        incoming::authenticate(self.settings.authorization.as_ref(), delivery)?;
        self.read_token(intake, incoming::text(delivery)?).await
    }

    async fn apply(&self, intake: &Intake, source: &Source, event: &Event, approved: bool) -> Outcome {
        let body: Body = match serde_json::from_value(event.body.clone()) {
            Ok(body) => body,
            Err(_) => return Outcome::Dead("it was stored by another version of Gangway".to_owned()),
        };
        match What::of(&body.uri) {
            What::Verification => Outcome::noted("the stream is verified"),
            What::StreamUpdated => self.stream_updated(intake, source, &body),
            What::Other => Outcome::Ignored("event-type"),
            What::Signal(kind) => self.signal(intake, source, event, &body, kind, approved).await,
        }
    }

    async fn rehearse(&self, intake: &Intake, _: &Source) -> Result<Rehearsal, String> {
        if self.settings.delivery != SignalDelivery::Push {
            return Err("the events of this source are polled: nothing is sent to it".to_owned());
        }
        let keys = self.keys(intake.clock.now()).await;
        let keys =
            keys.map_err(|refusal| format!("the transmitter's keys are not known: {}", refusal.reason()))?;
        // Of another stream than Gangway's own it would be refused.
        let stream = self.stream.id().unwrap_or_else(|| "rehearsal".to_owned());
        let subject = json!({ "format": "opaque", "id": stream });
        let events = json!({ VERIFICATION: {} });
        let authorization = self.settings.authorization.as_ref();
        rehearsal::token(intake, (&keys, &self.expect()), authorization, Some(subject), events).await
    }

    fn alarms(&self) -> Vec<&'static str> {
        let told = EVENT_TYPES.iter().filter(|event| event.is_alarming()).map(|event| event.name);
        told.chain([PROTECTED, TOO_MANY]).chain(stream::ALARMS).collect()
    }

    async fn run(&self, intake: &Arc<Intake>, source: &Arc<Source>) {
        tokio::join!(self.manage(intake, source), self.poll(intake, source));
    }
}

#[async_trait]
impl ReadToken for SharedSignals {
    async fn read_token(&self, intake: &Intake, token: &str) -> Result<Vec<Event>, Refusal> {
        let now = intake.clock.now();
        let keys = self.keys(now).await?;
        let claims = incoming::verify(&keys, token, &self.expect(), now).await.map_err(|refusal| {
            // Whom the stream's tokens are for is not known before it was found again.
            let is_early = self.settings.manages && self.stream.audiences().is_empty();
            match refusal {
                Refusal::InvalidAudience(_) if is_early => Refusal::Unavailable {
                    why: "the stream is not set up yet".to_owned(),
                    retry_after: std::time::Duration::from_secs(30),
                },
                refusal => refusal,
            }
        })?;
        Ok(vec![self.event(claims)?])
    }
}

impl SharedSignals {
    fn expect(&self) -> Expect {
        let mut audiences = self.settings.audiences.clone();
        audiences.extend(self.stream.audiences());
        Expect {
            issuers: vec![self.settings.issuer.clone()],
            audiences,
            allow_sub: false,
            allow_exp: false,
            ..Expect::default()
        }
    }

    /// What a token says has happened. Several events in one are one event in several languages: the first that is known counts.
    fn event(&self, claims: Claims) -> Result<Event, Refusal> {
        let known = claims.events.iter().find(|(uri, _)| What::of(uri) != What::Other);
        let (uri, said) = known.or_else(|| claims.events.iter().next()).expect("a token has an event");
        let event = said.as_object().cloned().unwrap_or_default();
        let what = What::of(uri);
        let subject = subject::of(claims.sub_id.as_ref(), &event).cloned().unwrap_or_default();
        if what == What::Verification {
            if self.stream.is_another(&subject) {
                let why = "`sub_id` names another stream than the one that Gangway has there";
                return Err(Refusal::InvalidRequest(why.to_owned()));
            }
            self.check_state(&event)?;
        }
        let about = match what {
            What::Signal(_) => subject::text(&subject),
            _ => STREAM.to_owned(),
        };
        let kind = match what {
            What::Signal(kind) => kind.name.to_owned(),
            What::Verification => "verification".to_owned(),
            What::StreamUpdated => "stream-updated".to_owned(),
            What::Other => uri.clone(),
        };
        let body = Body { uri: uri.clone(), subject, event };
        Ok(Event {
            happened: claims.toe.or_else(|| timestamp(&body.event)).unwrap_or(claims.iat),
            jti: claims.jti,
            same_as: None,
            delivery: None,
            subject: about,
            kind,
            version: None,
            // One person has several names: who is locked out, and what is out of date, is known of the User.
            order: Order::Alone,
            body: serde_json::to_value(body)
                .map_err(|_| Refusal::InvalidRequest("the event cannot be kept".to_owned()))?,
        })
    }

    /// A verification event that nobody asked for has no state; one that was asked for has the right one.
    fn check_state(&self, event: &Map<String, Value>) -> Result<(), Refusal> {
        match event.get("state") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(state)) if self.stream.is_answered(state) => Ok(()),
            Some(_) => Err(Refusal::InvalidState(
                "`state` is not one that verification was asked for with".to_owned(),
            )),
        }
    }

    async fn signal(
        &self,
        intake: &Intake,
        source: &Source,
        event: &Event,
        body: &Body,
        kind: &EventType,
        approved: bool,
    ) -> Outcome {
        if kind.is_alarming() {
            alarm(intake, source, event, kind.name);
        }
        let Some(action) = kind.action(&self.settings.actions) else { return Outcome::Ignored("no-action") };
        if !kind.is_worse(&body.event) {
            return Outcome::Ignored("no-threat");
        }
        let mut critical = self.settings.critical.clone();
        critical.extend(self.stream.critical());
        let whom = match subject::whom(&body.subject, &self.settings.fields, &critical) {
            Ok(whom) => whom,
            Err(NoSubject::Unresolved) => return Outcome::Ignored("unresolved-subject"),
            Err(NoSubject::Critical) => return Outcome::Ignored("critical-subject-member"),
        };
        let signal = Signal {
            tenant: source.tenant.clone(),
            source: source.name.clone(),
            jti: event.jti.clone(),
            subject: event.subject.clone(),
            cause: kind.name.to_owned(),
            happened: event.happened,
            whom,
            action,
            lockouts_per_hour: self.settings.lockouts_per_hour,
            approved,
        };
        match intake.provisioner.signal(&signal).await {
            Ok(signalled) => self.signalled(intake, source, event, signalled),
            Err(error) => refused(&error),
        }
    }

    /// The transmitter says what has become of the stream.
    fn stream_updated(&self, intake: &Intake, source: &Source, body: &Body) -> Outcome {
        if self.stream.is_another(&body.subject) {
            return Outcome::Ignored("another-stream");
        }
        let text = |name: &str| body.event.get(name).and_then(Value::as_str);
        let status = text("status").unwrap_or("unknown");
        self.stream.note_status(intake, source, status, text("reason"));
        Outcome::noted(format!("the stream is {status}"))
    }

    fn signalled(&self, intake: &Intake, source: &Source, event: &Event, signalled: Signalled) -> Outcome {
        match signalled {
            Signalled::Done(note) => Outcome::noted(note),
            Signalled::Already(how) => Outcome::noted(how),
            Signalled::Stale => Outcome::Ignored("stale"),
            Signalled::Nobody | Signalled::Several => Outcome::Ignored("unresolved-subject"),
            Signalled::Protected => {
                alarm(intake, source, event, PROTECTED);
                Outcome::Dead(
                    "it is about a protected user: nothing was done, and nothing will be".to_owned(),
                )
            }
            Signalled::TooMany => {
                alarm(intake, source, event, TOO_MANY);
                Outcome::Held(format!(
                    "the source has locked out {} Users within an hour, which is all that it may: `gangway events retry` approves it",
                    self.settings.lockouts_per_hour
                ))
            }
            Signalled::Impossible(why) => Outcome::Dead(why),
        }
    }
}

/// Somebody has to see it.
fn alarm(intake: &Intake, source: &Source, event: &Event, what: &'static str) {
    intake.count(source, "alarm", what);
    tracing::error!(tenant = %source.tenant, source = %source.name, jti = event.jti, event = event.kind, "ALARM: {what}");
}

/// `event_timestamp` of CAEP.
fn timestamp(event: &Map<String, Value>) -> Option<Timestamp> {
    let number = event.get("event_timestamp")?.as_i64()?;
    if number > SECONDS_UP_TO {
        return Timestamp::from_millisecond(number).ok();
    }
    Timestamp::from_second(number).ok()
}
