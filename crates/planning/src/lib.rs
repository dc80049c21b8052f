//! Pure: desired state against what is known, into a plan. No I/O, no clock.
//!
//! [`courses`] says which records an identity is to have and what becomes of those that it has; [`plan`] is asked once for
//! each of them, at the identity's turn. It answers with the steps to take, with a question that must be answered first, or
//! with the reason why a person has to decide. Deciding again after acting gives the empty plan: a property test holds it.
//!
//! | file | what it holds |
//! |---|---|
//! | `courses.rs` | which targets an identity holds, and the moves between Lead, Contact and User |
//! | `decide.rs` | which of the cases applies to a record, and what `allow` and `on-leave` say to it |
//! | `difference.rs` | desired fields against written or actual ones |
//! | `lockout.rs` | how a User is locked out, and let in again |
//! | `wanted.rs`, `grants.rs` | what an identity is to have in an org, and that against the ledger |
//! | `matching.rs` | which found record is the identity's |

mod courses;
mod decide;
mod difference;
mod grants;
mod lockout;
mod matching;
mod wanted;

pub use courses::{Aim, Course, Courses, Origin, Place, courses};
pub use decide::{Decision, Input, LinkAfter, Steps, manner, plan};
pub use difference::{same_value, takes_access_away};
pub use grants::{
    GrantInput, GrantPlan, GrantStep, LedgerChange, LedgerRow, OwnershipOf, Presence,
    field_rows as granted_by_fields, fields as granted_fields, rows as grant_rows,
};
pub use lockout::Frozen;
pub use matching::{Found, FoundRecord, MatchKey, Obstacle, keys_of, must_look_first};
pub use wanted::{Asks, Unmet, Wanted, wanted, with_licenses};
