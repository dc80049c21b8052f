//! Talking to an org: OAuth, records, conversions, entitlements, SOQL, limits. Knows no SCIM.
//!
//! Start at [`Org`]: it is one connected Salesforce org with its credentials, its quota and its queue. What a
//! call can end in is [`CallError`], and the one question that all of this crate turns around is whether a
//! write that brought no answer had an effect: *not sent* means certainly not, *unknown* means read it
//! back before repeating anything.
//!
//! Every request goes through `transport`; what an answer means is decided in `answer`; what is tried again, and
//! how often, stands in [`retry`].

mod answer;
mod conversion;
mod describe;
mod dispatch;
mod entitlements;
mod error;
mod identity;
mod limits;
mod linked;
mod org;
mod query;
mod queue;
mod records;
pub mod retry;
mod soap;
pub mod soql;
mod ticket;
mod token;
mod transport;
mod vault;

pub use dispatch::{CallSizes, Ready, Told};
pub use error::CallError;
pub use identity::{Checkup, OrgIdentity};
pub use limits::{Account, ApiUsage, Calls, Cause, LimitError};
pub use org::{Org, OrgConfig, Purpose};
pub use query::MAX_ROWS;
pub use ticket::{Asker, Ticket};
pub use token::{
    Parked,
    connect::{Authorization, ConnectError},
    flow::{Flow, InvalidPrivateKey, PrivateKey},
};
pub use vault::{Saved, TokenVault, VaultError};
