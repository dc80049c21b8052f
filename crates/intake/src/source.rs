//! A source as data, and what tells one kind of source from another.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{Method, header::HeaderMap},
};
use async_trait::async_trait;
use model::{ClientName, SourceName, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::SubjectClock;

use crate::{Intake, Refusal};

/// How long a source waits for an answer when its events are applied before they are acknowledged. Akamai's own time-out is
/// not documented; this leaves room below the 10 s that senders commonly have.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// A source of events, as configured.
#[derive(Debug)]
pub struct Source {
    /// Whose door it comes through. Its identities may be in a population of their own.
    pub tenant: TenantId,
    /// What it is called, also in its URL.
    pub name: SourceName,
    /// When an event is acknowledged.
    pub acknowledge: Acknowledge,
    /// How long its caller waits at most, where events are applied first.
    pub answer_within: Duration,
    /// What it is.
    pub kind: Box<dyn Kind>,
}

impl Source {
    /// As whom it stands in journal and audit: its name.
    ///
    /// # Panics
    ///
    /// Never: both are names of one kind.
    #[must_use]
    pub fn client(&self) -> ClientName {
        ClientName::new(self.name.as_str()).expect("a source's name is a name")
    }
}

/// When an event is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// When Salesforce has accepted what it asks for; until then its source keeps it and sends it again.
    #[default]
    Sync,
    /// When it is durable here; Gangway tries until it is applied.
    Stored,
}

/// What is different from one kind of source to another.
#[async_trait]
pub trait Kind: Send + Sync + fmt::Debug {
    /// The media types of its deliveries, in lower case.
    fn media_types(&self) -> &[&str];

    /// Authenticates a delivery and reads the events in it. Nothing is written here, and what has to be asked of the source
    /// about an event is asked when that is applied.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing of the delivery is kept.
    async fn read(
        &self,
        intake: &Intake,
        source: &Source,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<Event>, Refusal>;

    /// Does what an event asks for. Its subject's other events wait meanwhile, and it is known not to be out of date. It may be
    /// called again for the same event, after a crash or [`Outcome::Later`]: doing it twice comes to the same.
    async fn apply(&self, intake: &Intake, source: &Source, event: &Event, approved: bool) -> Outcome;

    /// Whether the subject of a deletion is gone, though something of it that was applied has happened later. By default it is: what
    /// is deleted does not come back under its name.
    ///
    /// # Errors
    ///
    /// What comes of the event, where nobody can tell.
    async fn is_gone(&self, _intake: &Intake, _source: &Source, _event: &Event) -> Result<bool, Outcome> {
        Ok(true)
    }

    /// Answers other requests below the source's address, such as one for an access token. `None`: there is nothing there.
    async fn serve(
        &self,
        _intake: &Intake,
        _method: &Method,
        _rest: &[&str],
        _delivery: &Delivery<'_>,
    ) -> Option<HttpResponse> {
        None
    }

    /// Asks the source for everything that is new since then and for who is gone, and applies it: what was lost while Gangway was
    /// away for longer than the source sends again, and the first load.
    ///
    /// # Errors
    ///
    /// A sentence, also where this kind of source cannot be asked.
    async fn catch_up(
        &self,
        _intake: &Intake,
        _source: &Source,
        _asked: &CatchUp,
    ) -> Result<CaughtUp, String> {
        Err("a source of this kind cannot be asked for what is new: let it send again".to_owned())
    }

    /// A delivery as the source would make it, that changes nothing: for an administrator who tries whether events arrive.
    ///
    /// # Errors
    ///
    /// A sentence, also where this kind of source has no such delivery.
    async fn rehearse(&self, _intake: &Intake, _source: &Source) -> Result<Rehearsal, String> {
        Err("a source of this kind cannot be rehearsed".to_owned())
    }

    /// Where its people are, if it has any.
    fn population(&self) -> Option<&TenantId> {
        None
    }

    /// Why an alarm is counted here, by [`crate::Intake::count`] as `alarm`.
    fn alarms(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What it does of itself, such as polling. It is stopped by dropping it.
    async fn run(&self, _intake: &Arc<Intake>, _source: &Arc<Source>) {}
}

/// A delivery that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// `Content-Type`.
    pub media_type: String,
    /// `Authorization`, where the source sends one.
    pub authorization: Option<String>,
    /// The body.
    pub body: String,
    /// What its event is called, as `gangway events list` shows it.
    pub jti: String,
}

/// What a source is asked for to catch up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatchUp {
    /// What is new since then.
    pub since: Timestamp,
    /// How many people may be taken away because the source does not have them any more. `None`: fewer than could be an accident.
    pub max_deletions: Option<u64>,
    /// Nothing is applied: it is only counted.
    pub dry_run: bool,
}

/// What came of asking a source for what is new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaughtUp {
    /// How many subjects the source named.
    pub seen: u64,
    /// How many of them were applied, those that were as they should be included.
    pub applied: u64,
    /// How many of those had been changed or deleted in Salesforce by hand, and are as they should be again.
    pub corrected: u64,
    /// How many can never be applied as they are: they are among the dead events.
    pub failed: u64,
    /// How many could not be applied, or taken away, now: it is worth asking again.
    #[serde(default)]
    pub later: u64,
    /// How many are here and not at the source any more.
    pub missing: u64,
    /// Some of them, as the source called them.
    pub examples: Vec<String>,
    /// How many of them are gone here as well, as the mapping says.
    pub removed: u64,
    /// Why they were left or not looked for, and why nobody could see what was changed in Salesforce by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// What came to a source's address.
pub struct Delivery<'d> {
    /// Its headers.
    pub headers: &'d HeaderMap,
    /// Where it comes from: the nearest address that is no proxy of ours.
    pub address: IpAddr,
    /// The body.
    pub body: &'d [u8],
    /// When.
    pub now: Timestamp,
}

impl Delivery<'_> {
    /// The token of `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.authorization()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// `Authorization`, as it was sent.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization")?.to_str().ok()
    }
}

/// One thing that has happened, in the words of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What the source calls it. Where one delivery has several events, each has its own.
    pub jti: String,
    /// What else tells that it is the same event, though it comes under another `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// What the source calls the delivery, where `jti` is more than that: every event of it can be looked up by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// What it is about. Events of one subject are applied one after the other.
    pub subject: String,
    /// What has happened, such as `entityUpdated`; for lists and counts.
    pub kind: String,
    /// When it happened, by the source's clock.
    pub happened: Timestamp,
    /// The subject's version after it, where the source counts them. It then counts instead of the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// How it stands to other events of its subject.
    pub order: Order,
    /// The rest of it, as its kind of source reads it.
    pub body: Value,
}

/// How an event stands to other events of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// It carries values: after a newer one, and after the subject was deleted, it is out of date.
    Values,
    /// It only says that something is new, and what is current is fetched: it is out of date only when the subject was deleted
    /// since.
    Notice,
    /// The subject is deleted: what happened before is out of date. Where something newer was applied, its source is asked.
    Delete,
    /// It stands for itself, whatever else has happened.
    Alone,
}

/// What came of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or was already.
    Applied {
        /// What is worth knowing about it. No personal data.
        note: Option<String>,
        /// What is known of parts of its subject from now on; the subject itself is seen to.
        clocks: Vec<SubjectClock>,
    },
    /// There is nothing to do. Why, as one of few words, such as `unmapped`: they are counted.
    Ignored(&'static str),
    /// The source does not have the subject any more: what happened before now is out of date. What was done about it.
    Gone(String),
    /// A person has to approve it. Why.
    Held(String),
    /// It can never be applied as it is. Why, in Salesforce's words where they are its own.
    Dead(String),
    /// Not now.
    Later {
        /// Why.
        why: String,
        /// When it may work.
        retry_after: Duration,
    },
}

impl Outcome {
    /// It is done, and there is nothing to say about it.
    #[must_use]
    pub fn applied() -> Self {
        Self::Applied { note: None, clocks: Vec::new() }
    }

    /// It is done, with a note.
    #[must_use]
    pub fn noted(note: impl Into<String>) -> Self {
        Self::Applied { note: Some(note.into()), clocks: Vec::new() }
    }

    /// Not now, but soon.
    #[must_use]
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), retry_after: Duration::from_secs(3) }
    }
}
