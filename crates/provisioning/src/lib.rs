//! What is done with a request: its turn, the plan, the journal, the calls, the record.
//!
//! A door authenticates and parses, then hands a [`Request`] to [`Provisioner::submit`] and answers with what comes
//! back. Everything between is here, in the order of the design's "way of one change":
//!
//! | file | what it holds |
//! |---|---|
//! | `request.rs`, `error.rs` | what goes in and what comes out |
//! | `provisioner.rs` | accept: reserve, join a repeat, wait for the answer no longer than allowed |
//! | `turns.rs` | one change of an identity at a time |
//! | `users.rs`, `users/` | the life of a change of a User: see the table there |
//! | `groups.rs`, `groups/` | the same for Groups: see the table there |
//! | `lookup.rs` | finding the record that was there before |
//! | `catalogue.rs`, `offers.rs` | what an org offers, and what of that a tenant shows |
//! | `client.rs` | what a client may ask for, and what it means |
//! | `profiles.rs` | what a mapping makes of profiles that come by events |
//! | `tasks.rs` | what is owed later |
//! | `hand_over.rs` | the records of a leaver, given to somebody else |
//! | `signals.rs`, `signals/` | what security signals ask for: see the table there |
//! | `consent.rs`, `consent/` | consent in Salesforce, with its evidence |
//! | `removed.rs` | targets that are not configured any more |
//! | `resume.rs` | finishing what a crash or an absent org left open |
//!
//! This crate knows no HTTP and no SQL. Time comes from the [`model::Clock`] it is given.

mod catalogue;
mod client;
mod consent;
mod drift;
mod error;
mod fingerprint;
mod groups;
mod hand_over;
mod lookup;
mod offers;
mod profiles;
mod provisioner;
mod removed;
mod request;
mod resume;
mod signals;
mod tasks;
mod tenant;
mod turns;
mod users;
mod wish;

pub use client::{BadGrantPattern, ClientPolicy, GrantList, GrantPattern, ListRule};
pub use consent::{
    Choices, Consent, ConsentAnswer, ConsentObject, ConsentPlaces, ConsentTarget, ContactPointChoice,
    FieldChoice, OnMultiple, Stance, consent_problems,
};
pub use error::ProvisionError;
pub use offers::Offer;
pub use profiles::{EventKind, ProfileError, Profiles};
pub use provisioner::Provisioner;
pub use request::{Answer, Caller, Operation, Regroup, Request, Warning, Written};
pub use salesforce_types::EntitlementKind;
pub use signals::{Signal, SignalAction, Signalled, Whom};
pub use tasks::Leavers;
pub use tenant::{ScimDelete, Settings, Tenant};
pub use users::IdentityPlan;
