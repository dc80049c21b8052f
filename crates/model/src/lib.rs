//! The words that every crate shares: identifiers, versions, states, the clock.
//!
//! Nothing here does anything, but for what all doors ask of a caller: where he is, and how often he has failed. A word is in this crate when at least two others need it and
//! neither SCIM nor Salesforce has it; the words themselves are explained in the README.

mod caller_address;
mod change;
mod clock;
pub mod failures;
mod ids;
mod name;
mod resource;
mod tenant;

pub use caller_address::caller_address;
pub use change::ChangeState;
pub use clock::Clock;
pub use ids::{ChangeId, HoldId, Ids, ResourceId, TaskId};
pub use jiff::Timestamp;
pub use name::{ClientName, InvalidName, OrgName, SourceName, TargetName};
pub use resource::{ResourceKind, Version};
pub use tenant::{InvalidTenant, TenantId};
