//! The Inbox: events from their arrival to their outcome, and what is known of their subjects.
//!
//! ```text
//! receive ──► in-flight ──► settle   applied, ignored, held or dead: for good
//!    │            └───────► release  nothing is kept: the source sends it again
//!    └──────► stored ─────► settle, or postpone and once more
//!        dead, held, stored ──► retry ──► stored, and due at once
//!                     └───────► dismiss
//! ```
//!
//! An event is known by its source and its `jti`, and by a second key where its source may send one event under several.

use async_trait::async_trait;
use model::{SourceName, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoreError;

/// Which event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventKey {
    /// Whose door it came through.
    pub tenant: TenantId,
    /// Who sent it.
    pub source: SourceName,
    /// What its source calls it.
    pub jti: String,
}

/// An event on its way into the inbox.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Which.
    pub key: EventKey,
    /// What else tells that it is the same event, though it was sent under another `jti`.
    pub same_as: Option<String>,
    /// What the source calls the delivery it came with, where that is not its `jti`: it can be looked up by that, too.
    pub delivery: Option<String>,
    /// What it is about, in the words of its source; events of one subject are applied one after the other.
    pub subject: String,
    /// What has happened, such as `entityUpdated`; for lists.
    pub kind: String,
    /// When it happened, by the source's clock.
    pub happened: Timestamp,
    /// The event as JSON; opaque to the store. It is kept while somebody may need it.
    pub payload: Value,
    /// Whether it is answered once it is here, and applied later.
    pub stored: bool,
    /// When.
    pub at: Timestamp,
}

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventState {
    /// It is being applied, and its source waits for the answer.
    InFlight,
    /// It was refused for now, and its source will send it again.
    Refused,
    /// It is kept here and will be applied.
    Stored,
    /// It was applied.
    Applied,
    /// There was nothing to do.
    Ignored,
    /// A person has to approve it.
    Held,
    /// It can never be applied as it is.
    Dead,
    /// It was dead or held, and a person has said that nothing is to be done.
    Dismissed,
}

impl EventState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::InFlight,
        Self::Refused,
        Self::Stored,
        Self::Applied,
        Self::Ignored,
        Self::Held,
        Self::Dead,
        Self::Dismissed,
    ];

    /// As in lists and in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight",
            Self::Refused => "refused",
            Self::Stored => "stored",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Held => "held",
            Self::Dead => "dead",
            Self::Dismissed => "dismissed",
        }
    }
}

/// What came of [`Inbox::receive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is new, or was refused before: whoever received it applies it (or has stored it).
    New,
    /// It is being applied, under this name.
    InFlight {
        /// What its source called it.
        jti: String,
    },
    /// It was received before, and has this outcome or is still stored.
    Known(EventState),
}

/// An event as it stands in the inbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    /// Which.
    #[serde(flatten)]
    pub key: EventKey,
    /// What it is about.
    #[serde(skip)]
    pub subject: String,
    /// What has happened.
    pub kind: String,
    /// When it happened.
    pub happened: Timestamp,
    /// When it came first.
    pub received: Timestamp,
    /// How far it has come.
    pub state: EventState,
    /// Why: what was done, why nothing was, or what is wrong. No personal data.
    pub reason: Option<String>,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Of a stored one: when it is tried next.
    pub due: Option<Timestamp>,
    /// When it came to its outcome.
    pub settled: Option<Timestamp>,
    /// Whether a person has said that it is to be applied.
    pub approved: bool,
    /// The event; gone once it is applied, ignored or dismissed.
    #[serde(skip)]
    pub payload: Option<Value>,
}

/// How an event ends.
#[derive(Clone, Debug)]
pub struct Settled {
    /// [`EventState::Applied`], [`EventState::Ignored`], [`EventState::Held`] or [`EventState::Dead`].
    pub state: EventState,
    /// Why. No personal data.
    pub reason: Option<String>,
    /// What is known of its subjects from now on.
    pub clocks: Vec<SubjectClock>,
    /// When.
    pub at: Timestamp,
}

/// What was noted of subjects in Gangway's own name, and not sent by their source: a catch-up that failed of somebody, say.
#[derive(Clone, Debug)]
pub struct OwnEvents {
    /// Whose.
    pub tenant: TenantId,
    /// About whose subjects.
    pub source: SourceName,
    /// What they are called in lists.
    pub kind: String,
    /// About whom.
    pub subjects: Vec<String>,
}

/// What the events of a subject have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectClock {
    /// The subject, or a part of it.
    pub subject: String,
    /// When the newest event that was applied happened.
    pub happened: Timestamp,
    /// Its number, where the source counts its subject's versions.
    pub version: Option<i64>,
    /// The subject was deleted at this time: what happened no later is not applied any more.
    pub deleted: Option<Timestamp>,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of one tenant.
    pub tenant: Option<TenantId>,
    /// Of one source.
    pub source: Option<SourceName>,
    /// In one of these states; empty: in any.
    pub states: Vec<EventState>,
    /// By a `jti`: the event that was sent under it, at first or later, and every part of a delivery that is called so.
    pub jti: Option<String>,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// Events.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Takes an event in, or says what is known of it. When it answers [`Received::New`] the event is in flight, or stored and
    /// durable.
    async fn receive(&self, event: NewEvent) -> Result<Received, StoreError>;

    /// An event has come to its outcome. Durable when it returns. What is known of the subjects only ever moves forward. Where it was
    /// refused before under another name, that is not waited for any more.
    async fn settle(&self, key: &EventKey, settled: Settled) -> Result<(), StoreError>;

    /// What was noted of these subjects and is still owed, or was refused for now, has come to this since. Answers how many.
    async fn supersede(&self, events: &OwnEvents, settled: Settled) -> Result<u64, StoreError>;

    /// An event in flight could not be applied now: its source will send it again.
    async fn release(&self, key: &EventKey, reason: &str, at: Timestamp) -> Result<(), StoreError>;

    /// A stored event could not be applied now: it is tried again when it is due.
    async fn postpone(&self, key: &EventKey, reason: &str, due: Timestamp) -> Result<(), StoreError>;

    /// Stored events that are due, in the order in which they came; at most `limit`, of each source at most `of_each`, and of each
    /// subject only what happened first.
    async fn due_events(
        &self,
        now: Timestamp,
        limit: u32,
        of_each: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// After a start: what was in flight is nobody's any more, and its source will send it again. Answers how many.
    async fn forget_in_flight(&self, at: Timestamp) -> Result<u64, StoreError>;

    /// What is known of a subject.
    async fn subject(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        subject: &str,
    ) -> Result<Option<SubjectClock>, StoreError>;

    /// What is known of subjects before their event has come to its outcome, such as of what is written of it already. Durable when it
    /// returns; it only ever moves forward.
    async fn advance_subjects(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        clocks: Vec<SubjectClock>,
    ) -> Result<(), StoreError>;

    /// The events that were asked for, the newest first.
    async fn events(&self, filter: &EventFilter) -> Result<Vec<StoredEvent>, StoreError>;

    /// A dead or held event is stored again and due at once, `approved` by a person; one that is stored is due at once. `false`: it is
    /// none of these.
    async fn retry_event(&self, key: &EventKey, at: Timestamp) -> Result<bool, StoreError>;

    /// Nothing is to be done for a dead, held or stored event. `false`: it is none of these.
    async fn dismiss_event(&self, key: &EventKey, reason: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Forgets events that were settled before `events`, and deleted subjects of before `tombstones`. Dead and held ones stay.
    async fn prune_events(&self, events: Timestamp, tombstones: Timestamp) -> Result<u64, StoreError>;
}
