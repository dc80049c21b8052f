//! The door over HTTP, in front of a real store. Groups are provisioned; Users, which would need a Salesforce org, are
//! put into the store and read.

#![expect(clippy::unwrap_used, reason = "a story that breaks off has failed")]
#![expect(clippy::needless_pass_by_value, reason = "`json!` bodies read better as they are")]

mod bulk;
mod discovery;
mod errors;
mod groups;
mod harness;
mod limits;
mod logs;
mod oauth;
mod paging;
mod record_ids;
mod transport;
mod users;
mod wire;
