//! The other doors: events that identity sources send, and events that Gangway sends.
//!
//! | file | what it holds |
//! |---|---|
//! | `set.rs`, `set/` | security event tokens (RFC 8417): parse, verify, key sets, issue |
//!
//! This crate knows no SQL and no Salesforce: what an event asks for is a call of `provisioning`.

pub mod set;
