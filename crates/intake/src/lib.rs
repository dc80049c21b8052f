//! The other doors: events that identity sources send, and events that Gangway sends.
//!
//! | file | what it holds |
//! |---|---|
//! | `door.rs` | everything the doors need, and what runs beside them |
//! | `source.rs` | a source as data, and what tells one kind from another |
//! | `routes.rs`, `answer.rs` | where events are sent to, and what is answered |
//! | `pipeline.rs`, `turns.rs`, `worker.rs` | the way of one event, at once or later |
//! | `identity.rs` | identities that come by events |
//! | `counts.rs` | what came of events, for metrics |
//! | `outgoing.rs`, `outgoing/` | events out: to receivers, by push and by poll |
//! | `set.rs`, `set/` | security event tokens (RFC 8417): parse, verify, key sets, issue |
//!
//! This crate knows no SQL and no Salesforce: what an event asks for is a call of `provisioning`.

mod answer;
mod counts;
mod door;
mod identity;
mod outgoing;
mod pipeline;
mod routes;
pub mod set;
mod source;
mod turns;
mod worker;

pub use answer::Refusal;
pub use counts::Count;
pub use door::{Intake, IntakeSettings};
pub use identity::{Population, outcome, refused};
pub use outgoing::{OUT, Outgoing, OutgoingDelivery, Receiver, Wants};
pub use routes::{BODY, configure};
pub use source::{ANSWER_WITHIN, Acknowledge, CaughtUp, Delivery, Event, Kind, Order, Outcome, Source};
pub use worker::{KEEP_EVENTS, KEEP_TOMBSTONES};
