//! `/livez` and `/readyz`: for whoever watches over the process.
//!
//! Both are open to everyone who can reach the listener, so they name no tenant and no org; the log and
//! `gangway check` do.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header, web};
use intake::Intake;
use model::{OrgName, ResourceKind, TenantId};
use provisioning::Provisioner;
use salesforce_client::Org;
use serde::Serialize;
use store::Directory;

/// What readiness is judged by.
pub(crate) struct Health {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) provisioner: Provisioner,
    pub(crate) intake: Arc<Intake>,
    pub(crate) simulated: bool,
    pub(crate) state: arc_swap::ArcSwap<State>,
}

/// What a reload changes.
pub(crate) struct State {
    /// Any tenant, to ask the store about.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) orgs: Vec<(OrgName, Org)>,
    /// The last reload was refused, and the configuration before it is still in force.
    pub(crate) reload_refused: bool,
}

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    /// `ready`, or `unavailable` with status 503.
    status: &'static str,
    /// Whether an org is a simulated one: nothing here is real.
    simulated: bool,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    /// `ok` or `failed`. Without the store nothing can be answered.
    store: &'static str,
    /// `ok`, or `reload-refused`: the file on disk is wrong, the configuration before it is in force.
    config: &'static str,
    /// `ok`, or `parked`: writing to an org waits for a person; reads and other orgs go on.
    orgs: &'static str,
}

/// Mounts both.
pub(crate) fn configure(health: Arc<Health>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |routes| {
        routes
            .app_data(web::Data::from(health))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz));
    }
}

/// The process answers.
async fn livez() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({ "status": "alive" }))
}

/// Requests can be answered. A parked org or a refused reload does not take a gateway out of service, since everything
/// else goes on; both are shown.
async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let state = health.state.load_full();
    let store = match &state.tenant {
        // Any question will do, as long as the database has to answer it.
        Some(tenant) => health.directory.get(tenant, ResourceKind::User, "readyz").await.is_ok(),
        None => true,
    };
    let parked = state.orgs.iter().any(|(_, org)| org.parked().is_some());
    let readiness = Readiness {
        status: if store { "ready" } else { "unavailable" },
        simulated: health.simulated,
        checks: Checks {
            store: if store { "ok" } else { "failed" },
            config: if state.reload_refused { "reload-refused" } else { "ok" },
            orgs: if parked { "parked" } else { "ok" },
        },
    };
    let mut answer = if store { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if health.simulated {
        answer.insert_header(("X-Gangway-Simulated", "true"));
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(readiness)
}
