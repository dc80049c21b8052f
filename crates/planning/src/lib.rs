//! Pure: desired state against what is known, into a plan. No I/O, no clock.
//!
//! [`plan`] is asked once per target of an identity, at the identity's turn. It answers with the steps to take, with a
//! question that must be answered first, or with the reason why a person has to decide. Deciding again after acting
//! gives the empty plan: a property test holds it.
//!
//! | file | what it holds |
//! |---|---|
//! | `decide.rs` | which of the cases applies, and what `allow` and `on-leave` say to it |
//! | `difference.rs` | desired fields against written or actual ones |
//! | `matching.rs` | which found record is the identity's |

mod decide;
mod difference;
mod matching;

pub use decide::{Decision, Input, Steps, Wanted, plan};
pub use difference::{same_value, takes_access_away};
pub use matching::{Found, FoundRecord, MatchKey, Obstacle, match_keys, must_look_first};
