//! Gangway's stream at a transmitter: made, verified, kept alive.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::Timestamp;
use serde_json::{Map, Value};
use tokio::{sync::watch, time::Instant};
use url::Url;

use super::{
    SharedSignals, SignalDelivery,
    events::EVENT_TYPES,
    transmitter::{Metadata, StreamConfiguration, TransmitterError, Wanted},
};
use crate::{Intake, Refusal, Source, poll, set::KeySet};

/// Why an alarm is counted of a stream.
pub(super) const ALARMS: [&str; 3] = [NOT_ENABLED, ENABLED_AGAIN, NOT_VERIFIED];
const NOT_ENABLED: &str = "stream-not-enabled";
const ENABLED_AGAIN: &str = "stream-enabled-again";
const NOT_VERIFIED: &str = "stream-not-verified";

/// How long a transmitter's description of itself is good for.
const METADATA: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
/// How often a stream is looked at whose transmitter never gives one up.
const LOOK_EVERY: Duration = Duration::from_hours(12);
/// How often a stream is verified: by then it is seen that nothing comes any more.
const VERIFY_EVERY: Duration = Duration::from_hours(24);
/// How long the answer to a verification takes at most; a stream that is looked at more often is verified at its next look.
const ARRIVES_WITHIN: Duration = Duration::from_mins(5);
/// Pauses after failures: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// So many verifications may be under way.
const STATES: usize = 8;

/// What is known of the stream. It is found out again after a start, and verification is asked for again.
#[derive(Debug)]
pub(super) struct Stream {
    known: Mutex<Known>,
    /// Where events are polled.
    pub(super) poll_url: watch::Sender<Option<Url>>,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    keys: Option<(String, KeySet)>,
    audiences: Vec<String>,
    /// The name of the stream, once it is set up.
    id: Option<String>,
    /// The states that verification was asked for with.
    states: VecDeque<String>,
    /// Whether an answer to the last of them is still to come.
    awaits: bool,
    /// Whether the transmitter was heard to have switched the stream off.
    is_off: bool,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) fn new(poll_url: Option<Url>) -> Self {
        Self {
            known: Mutex::default(),
            poll_url: watch::Sender::new(poll_url),
            asking: tokio::sync::Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom the transmitter says its tokens are for.
    pub(super) fn audiences(&self) -> Vec<String> {
        self.known().audiences.clone()
    }

    /// The name of the stream, once it is set up.
    pub(super) fn id(&self) -> Option<String> {
        self.known().id.clone()
    }

    /// Whether a subject is a stream that is not this one.
    pub(super) fn is_another(&self, subject: &Map<String, Value>) -> bool {
        let named = subject.get("id").and_then(Value::as_str);
        self.known().id.as_deref().zip(named).is_some_and(|(ours, named)| ours != named)
    }

    /// A verification event has come with this state. Whether it was asked for.
    pub(super) fn is_answered(&self, state: &str) -> bool {
        let mut known = self.known();
        let is_ours = known.states.iter().any(|asked| asked == state);
        if is_ours {
            known.awaits = false;
        }
        is_ours
    }

    /// What the transmitter says of the stream. Somebody has to see one that is not enabled: nothing comes, and what happens
    /// meanwhile may be lost. It is not told again when the stream is back.
    pub(super) fn note_status(&self, intake: &Intake, source: &Source, status: &str, reason: Option<&str>) {
        if status.is_empty() {
            return;
        }
        let is_off = status != "enabled";
        let was_off = std::mem::replace(&mut self.known().is_off, is_off);
        if is_off {
            intake.count(source, "alarm", NOT_ENABLED);
            tracing::error!(tenant = %source.tenant, source = %source.name, status, reason, "ALARM: the transmitter does not send: the stream is not enabled");
        } else if was_off {
            intake.count(source, "alarm", ENABLED_AGAIN);
            tracing::error!(tenant = %source.tenant, source = %source.name, "ALARM: the stream is enabled again: what has happened meanwhile may be missing");
        }
    }

    /// The members that the transmitter does not want left out of account, as far as it has said.
    pub(super) fn critical(&self) -> Vec<String> {
        let known = self.known();
        known
            .metadata
            .as_ref()
            .and_then(|(metadata, _)| metadata.critical_subject_members.clone())
            .unwrap_or_default()
    }
}

impl SharedSignals {
    /// How the transmitter describes itself.
    pub(super) async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, TransmitterError> {
        let fresh = || {
            let known = self.stream.known();
            let (metadata, at) = known.metadata.as_ref()?;
            (now.duration_since(*at) < METADATA).then(|| Arc::clone(metadata))
        };
        if let Some(metadata) = fresh() {
            return Ok(metadata);
        }
        let _one = self.stream.asking.lock().await;
        if let Some(metadata) = fresh() {
            return Ok(metadata);
        }
        let found = Arc::new(Metadata::discover(&self.open, &self.settings.issuer).await?);
        self.stream.known().metadata = Some((Arc::clone(&found), now));
        Ok(found)
    }

    /// The keys that the transmitter signs with: those that are configured, or those that it names itself.
    pub(super) async fn keys(&self, now: Timestamp) -> Result<KeySet, Refusal> {
        if let Some(keys) = &self.settings.keys {
            return Ok(keys.clone());
        }
        let unavailable = |why: String| Refusal::Unavailable {
            why: format!("the transmitter's keys are not known now: {why}"),
            retry_after: Duration::from_secs(5),
        };
        let known = |uri: &str| {
            let known = self.stream.known();
            known.keys.as_ref().filter(|(known, _)| known == uri).map(|(_, keys)| keys.clone())
        };
        let metadata = match self.metadata(now).await {
            Ok(metadata) => metadata,
            // What was discovered before goes on serving; the key set has its own limit.
            Err(error) => {
                let held = self.stream.known().keys.as_ref().map(|(_, keys)| keys.clone());
                return held.ok_or_else(|| unavailable(error.to_string()));
            }
        };
        let uri = metadata.jwks_uri.as_deref().ok_or_else(|| unavailable("it names none".to_owned()))?;
        if let Some(keys) = known(uri) {
            return Ok(keys);
        }
        let keys = KeySet::published(uri).map_err(|error| unavailable(error.to_string()))?;
        self.stream.known().keys = Some((uri.to_owned(), keys.clone()));
        Ok(keys)
    }

    /// Polls, once it is known where.
    pub(super) async fn poll(&self, intake: &Arc<Intake>, source: &Arc<Source>) {
        if !matches!(self.settings.delivery, SignalDelivery::Poll(_)) {
            return;
        }
        let mut urls = self.stream.poll_url.subscribe();
        loop {
            let url = urls.borrow_and_update().clone();
            let polls = async {
                match &url {
                    Some(url) => poll::run(&self.api, url, self, intake, source).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = polls => {}
                // The sender lives as long as this.
                _ = urls.changed() => {}
            }
        }
    }

    /// Makes the stream, has it verified, and keeps it alive, for ever.
    pub(super) async fn manage(&self, intake: &Arc<Intake>, source: &Arc<Source>) {
        if !self.settings.manages {
            return;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            match self.set_up(intake, source).await {
                Ok(stream) => {
                    pause = FIRST_PAUSE;
                    self.keep_alive(intake, source, &stream).await;
                }
                Err(error) => {
                    intake.count(source, "stream-failed", "");
                    tracing::warn!(tenant = %source.tenant, source = %source.name, %error, "the stream cannot be set up now");
                }
            }
            tokio::time::sleep(pause / 2 + (pause / 2).mul_f64(intake.ids.jitter())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn set_up(
        &self,
        intake: &Intake,
        source: &Source,
    ) -> Result<StreamConfiguration, TransmitterError> {
        let metadata = self.metadata(intake.clock.now()).await?;
        let stream = metadata.stream(&self.api, &self.wanted(source)).await?;
        {
            let mut known = self.stream.known();
            known.audiences = stream.audiences();
            known.id = Some(stream.stream_id.clone());
        }
        if let (SignalDelivery::Poll(None), Some(url)) = (&self.settings.delivery, stream.poll_url()) {
            self.stream.poll_url.send_replace(Some(url.clone()));
        }
        tracing::info!(tenant = %source.tenant, source = %source.name, "the stream is set up");
        Ok(stream)
    }

    fn wanted(&self, source: &Source) -> Wanted {
        let settings = &self.settings;
        let wanted = EVENT_TYPES
            .iter()
            .filter(|event| event.action(&settings.actions).is_some() || event.is_alarming());
        let authorization = settings.authorization.as_ref().map(secrecy::ExposeSecret::expose_secret);
        let push = settings.address.clone().zip(authorization.map(str::to_owned));
        Wanted {
            events: wanted.map(super::events::EventType::uri).collect(),
            push: push.filter(|_| settings.delivery == SignalDelivery::Push),
            description: format!("Gangway: {} of {}", source.name, source.tenant),
        }
    }

    /// Looks at the stream from time to time, at half the time after which the transmitter gives it up. Returns when the stream
    /// is gone.
    async fn keep_alive(&self, intake: &Intake, source: &Source, stream: &StreamConfiguration) {
        let between = match stream.inactivity_timeout {
            Some(seconds) if seconds > 0 => (Duration::from_secs(seconds) / 2).min(LOOK_EVERY),
            _ => LOOK_EVERY,
        };
        let least = stream.min_verification_interval.map_or(Duration::ZERO, Duration::from_secs);
        tokio::select! {
            () = self.look(intake, source, stream, between) => {}
            () = self.go_on_verifying(intake, source, stream, between.min(ARRIVES_WITHIN).max(least)) => {}
        }
    }

    async fn look(&self, intake: &Intake, source: &Source, stream: &StreamConfiguration, between: Duration) {
        loop {
            tokio::time::sleep(between).await;
            let Ok(metadata) = self.metadata(intake.clock.now()).await else { continue };
            match metadata.status(&self.api, &stream.stream_id).await {
                Ok((status, reason)) => self.stream.note_status(intake, source, &status, reason.as_deref()),
                Err(TransmitterError::Gone) => return,
                Err(error) => {
                    tracing::warn!(tenant = %source.tenant, source = %source.name, %error, "the stream could not be looked at");
                }
            }
        }
    }

    /// Has the stream verified, for ever. What was asked in vain, or is not answered `within` this time, is asked again, and again
    /// less and less often: the transmitter may not have got the request, or the answer may have got lost.
    async fn go_on_verifying(
        &self,
        intake: &Intake,
        source: &Source,
        stream: &StreamConfiguration,
        within: Duration,
    ) {
        let least = stream.min_verification_interval.map_or(Duration::ZERO, Duration::from_secs);
        let (mut refused, mut unanswered) = (FIRST_PAUSE, within);
        loop {
            let asked = Instant::now();
            if !self.verify(intake, source, stream).await {
                tokio::time::sleep(refused.max(least)).await;
                refused = (refused * 2).min(LONGEST_PAUSE);
                continue;
            }
            refused = FIRST_PAUSE;
            tokio::time::sleep(unanswered).await;
            if self.stream.known().awaits {
                intake.count(source, "alarm", NOT_VERIFIED);
                tracing::error!(tenant = %source.tenant, source = %source.name, "ALARM: the transmitter was asked to verify the stream, and nothing has come");
                unanswered = (unanswered * 2).min(VERIFY_EVERY).max(within);
            } else {
                unanswered = within;
                tokio::time::sleep_until(asked + VERIFY_EVERY.max(least)).await;
            }
        }
    }

    /// Asks for a verification event. Whether the transmitter will send one.
    async fn verify(&self, intake: &Intake, source: &Source, stream: &StreamConfiguration) -> bool {
        let state = intake.ids.change().to_string();
        {
            let mut known = self.stream.known();
            known.states.push_back(state.clone());
            known.awaits = true;
            if known.states.len() > STATES {
                known.states.pop_front();
            }
        }
        let asked = match self.metadata(intake.clock.now()).await {
            Ok(metadata) => metadata.verify(&self.api, &stream.stream_id, &state).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &asked {
            tracing::warn!(tenant = %source.tenant, source = %source.name, %error, "the stream could not be verified");
        }
        asked.is_ok()
    }
}
