//! Stories over real HTTP, against the simulated org and the real store.

#![expect(
    clippy::unwrap_used,
    reason = "stories: a value that is not there fails the test that looks for it"
)]

mod addresses;
mod adoption;
mod akamai;
mod checklist;
mod crash;
mod didomi;
mod entitlements;
mod examples;
mod faults;
mod guides;
mod leavers;
mod lists;
mod logins;
mod mapping_laws;
mod next_identity;
mod outgoing;
mod promises;
mod quota;
mod robustness;
mod signals;
mod targets;
mod tokens;
mod users;
