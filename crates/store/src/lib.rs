//! What Gangway remembers between requests.
//!
//! [`Store`] is a bundle of traits by noun; a crate takes the ones it needs. Each method is one
//! whole transaction, named after what happened, and time is a parameter. Whatever a caller is
//! told has happened is durable before the method returns; where that costs an `fsync` the
//! method says so.
//!
//! This crate knows no HTTP and asks Salesforce nothing. Start with [`Directory`] for what is
//! read and [`Journal`] for how it comes about; both backends run [`conformance`].

mod audit;
mod catalogues;
mod chain;
pub mod conformance;
mod consents;
mod directory;
mod error;
mod holds;
mod inbox;
mod journal;
mod lease;
mod ledger;
mod lockouts;
mod outbox;
mod source_names;
pub mod sqlite;
mod targets;
mod tasks;
mod vault;

pub use audit::{Audit, AuditEntry, Audited, TrailEntry};
pub use catalogues::Catalogues;
pub use chain::{Broken, Chain};
pub use consents::{ConsentEvidence, Consents};
pub use directory::{
    Cursor, Directory, GroupRef, IdPage, Member, Page, Query, SortBy, StoredResource, Window,
};
pub use error::StoreError;
pub use holds::{Hold, HoldKind, Holds};
pub use inbox::{
    EventFilter, EventKey, EventState, Inbox, NewEvent, OwnEvents, Received, Settled, StoredEvent,
    SubjectClock,
};
pub use journal::{
    Change, ChangeOutcome, Journal, LinkWrite, MembershipWrite, NewChange, OpenChange, Opened, Record,
    Recorded, ResourceWrite,
};
pub use lease::{Lease, Leases};
pub use ledger::{Ended, GrantWrite, Held, Ledger};
pub use lockouts::{BegunLockout, Lockout, LockoutKey, LockoutLimit, Lockouts};
pub use outbox::{Asynchronous, Happening, Listener, Outbox, Outgoing, ReceiverStatus, Told, Waiting};
pub use source_names::SourceNames;
pub use targets::{LinkPage, RememberedTarget, Targets};
pub use tasks::{NewTask, Task, TaskKind, Tasks};
pub use vault::{MasterKey, Secret, Vault};

/// Everything that is remembered. Cheap to share: `Arc<dyn Store>`.
pub trait Store:
    Directory
    + Journal
    + Ledger
    + Audit
    + Holds
    + Tasks
    + Targets
    + Catalogues
    + Vault
    + Leases
    + Inbox
    + Outbox
    + Lockouts
    + Consents
    + SourceNames
{
}
impl<T> Store for T where
    T: Directory
        + Journal
        + Ledger
        + Audit
        + Holds
        + Tasks
        + Targets
        + Catalogues
        + Vault
        + Leases
        + Inbox
        + Outbox
        + Lockouts
        + Consents
        + SourceNames
{
}
