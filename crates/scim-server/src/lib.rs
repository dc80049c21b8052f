//! The SCIM door: authenticate, parse, call provisioning, answer as RFC 7644 says.
//!
//! | file | what it holds |
//! |---|---|
//! | `routes.rs` | which path and method lead where; the way of every request |
//! | `authenticate.rs`, `caller_address.rs` | who calls, and from where |
//! | `oauth/` | the token endpoint of the Salesforce address |
//! | `body.rs`, `query.rs`, `conditional.rs`, `negotiate.rs` | reading a request |
//! | `resources/` | Users and Groups, a file for each verb |
//! | `offers.rs` | Entitlements and Roles: what can be given |
//! | `bulk.rs`, `discovery.rs`, `me.rs` | the other endpoints |
//! | `record_ids.rs` | Salesforce's ids in place of SCIM's |
//! | `render.rs`, `addresses.rs`, `error.rs`, `cursor.rs` | what is sent back |
//! | `limits.rs` | how much one caller may ask for |
//!
//! This crate knows no SQL and no Salesforce. Reads come from the [`store::Directory`], which makes no call to Salesforce;
//! writes are handed to [`provisioning::Provisioner::submit`] as they were sent, because only there is it known which
//! version they apply to.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    web::{self, Payload, ServiceConfig},
};

mod addresses;
mod authenticate;
mod body;
mod bulk;
mod call;
mod caller_address;
mod conditional;
mod cursor;
mod discovery;
mod door;
mod error;
pub mod limits;
mod me;
mod negotiate;
mod oauth;
mod offers;
mod percent;
mod query;
mod record_ids;
mod render;
mod reply;
mod resources;
mod routes;

pub use door::{Dialect, Door, DoorClient, DoorSettings, DoorTenant, May};
pub use oauth::{InvalidPasswordHash, OAuth, OAuthUser, PasswordHash};

/// Mounts the door: everything that no other route of the application takes, so that an unknown path is answered with
/// a SCIM Error too.
///
/// ```no_run
/// # fn mount(door: std::sync::Arc<scim_server::Door>) {
/// let app = actix_web::App::new().configure(scim_server::configure(door));
/// # }
/// ```
pub fn configure(door: Arc<Door>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.default_service(web::to(move |request: HttpRequest, payload: Payload| {
            routes::answer(Arc::clone(&door), request, payload)
        }));
    }
}
