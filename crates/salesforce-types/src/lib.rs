//! Salesforce as types: record ids, field descriptions, what an org offers, error codes, the steps of a plan. No I/O.
//!
//! What the words mean to Salesforce stands in the REST API Developer Guide and the Object
//! Reference; what Gangway makes of an error stands in one table, [`errors`], and what keeps a User active in another,
//! [`blockers`].

mod audience;
pub mod blockers;
mod describe;
mod entitlement;
pub mod errors;
mod fits;
mod plan;
mod record_id;

pub use audience::Audience;
pub use blockers::{Blocker, blockers};
pub use describe::{FieldDescription, FieldType, ObjectDescription, PicklistValue, RecordType};
pub use entitlement::{
    Ask, AskedBy, Assigned, Assignment, Catalogue, Entitlement, EntitlementKind, EntitlementRef, Given,
    Grant, GrantState, NotOne, Seats, StandsFor, UnknownKind, UserLicense,
};
pub use errors::{Retry, Rule};
pub use fits::{SeatsOf, licenses_needed, mismatch, seats_of, seats_of_license};
pub use plan::{
    Conversion, Duplicates, Fields, Link, Manner, Plan, PlannedStep, References, Refusal, Step, StepOutcome,
};
pub use record_id::{InvalidRecordId, RecordId};
