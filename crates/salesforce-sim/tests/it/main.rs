//! The simulated org over real HTTP. Each test names the line of the fidelity checklist
//! (`salesforce-api.md` §9) or the recorded shape that it proves.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::needless_pass_by_value, reason = "tests hand `json!` over as it is")]

mod automation;
mod composite;
mod concurrency;
mod conditions;
mod control;
mod corpus;
mod crm;
mod crm_addresses;
mod crm_convert;
mod crm_duplicates;
mod crm_keys;
mod crm_portal;
mod entitlements;
mod faults;
mod graphs;
mod layouts;
mod oauth;
mod recycle_bin;
mod replication;
mod rows;
mod search;
mod soap;
mod soql;
mod transactions;
mod transport;
mod users;
mod world;
