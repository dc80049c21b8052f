//! The other doors: events that identity sources send, and events that Gangway sends.
//!
//! | file | what it holds |
//! |---|---|
//! | `door.rs` | everything the doors need, and what runs beside them |
//! | `source.rs` | a source as data, and what tells one kind from another |
//! | `routes.rs`, `answer.rs` | where events are sent to, and what is answered |
//! | `places.rs` | how many deliveries there are at once |
//! | `pipeline.rs`, `turns.rs`, `worker.rs` | the way of one event, at once or later |
//! | `identity.rs` | identities that come by events |
//! | `rehearsal.rs` | deliveries that change nothing, to try whether events arrive |
//! | `counts.rs` | what came of events, for metrics |
//! | `outgoing.rs`, `outgoing/` | events out: to receivers, by push and by poll |
//! | `incoming.rs`, `poll.rs` | security event tokens that are pushed (RFC 8935) and polled (RFC 8936) |
//! | `remote.rs` | the API of a source, as a client of it |
//! | `scim_events.rs`, `scim_events/` | SCIM events (RFC 9967) |
//! | `signals.rs`, `signals/` | Shared Signals: CAEP and RISC |
//! | `akamai.rs`, `akamai/` | Akamai Identity Cloud |
//! | `set.rs`, `set/` | security event tokens (RFC 8417): parse, verify, key sets, issue |
//! | `didomi.rs`, `didomi/` | consent, as Didomi tells it |
//! | `token_key.rs` | what access tokens of the doors are signed with |
//!
//! This crate knows no SQL and no Salesforce: what an event asks for is a call of `provisioning`.

pub mod akamai;
mod answer;
mod counts;
pub mod didomi;
mod door;
mod identity;
mod incoming;
mod outgoing;
mod pipeline;
mod places;
mod poll;
mod rehearsal;
mod remote;
mod routes;
pub mod scim_events;
pub mod set;
pub mod signals;
mod source;
mod token_key;
mod turns;
mod worker;

pub use answer::Refusal;
pub use counts::Count;
pub use door::{Intake, IntakeSettings};
pub use identity::{Population, outcome, refused};
pub use outgoing::{OUT, Outgoing, OutgoingDelivery, Receiver, Wants};
pub use remote::{Authorization, Remote, is_safe};
pub use routes::{BODY, configure};
pub use source::{
    ANSWER_WITHIN, Acknowledge, CatchUp, CaughtUp, Delivery, Event, Kind, Order, Outcome, Rehearsal, Source,
};
pub use token_key::TokenKey;
pub use worker::{KEEP_EVENTS, KEEP_TOMBSTONES};
