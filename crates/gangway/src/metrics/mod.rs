//! `/metrics` and `/usage`, on a listener of their own (`[server] metrics-listen`).
//!
//! Both name tenants, orgs and clients, never people, and ask for no token: whoever reaches the listener may read them.
//! That is why they are not on the public one. Everything is read when it is asked for, so that nothing is added to the
//! way of a request, and from the gateway itself, so that several gateways in one process do not mix.

mod exposition;
mod families;
mod usage;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, http::header, web};
use tokio::task::JoinHandle;

use crate::health::Health;
pub(crate) use usage::{ApiUsage, OrgUsage};

/// Where `gangway check` asks a running gateway.
pub(crate) const USAGE: &str = "/usage";

/// A listener that answers with metrics.
pub(crate) struct Metrics {
    /// The real port where the configuration said 0.
    pub(crate) addr: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl Metrics {
    /// Serves on a socket that is bound already.
    pub(crate) fn serve(socket: TcpListener, health: &Arc<Health>) -> io::Result<Self> {
        let addr = socket.local_addr()?;
        let health = Arc::clone(health);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&health)))
                .route("/metrics", web::get().to(metrics))
                .route(USAGE, web::get().to(usage))
        })
        // One scrape at a time is the rule.
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(socket)?
        .run();
        let handle = server.handle();
        Ok(Self { addr, server: handle, serving: tokio::spawn(server) })
    }

    pub(crate) async fn stop(self) {
        self.server.stop(true).await;
        let _ = self.serving.await;
    }
}

async fn metrics(health: web::Data<Health>) -> HttpResponse {
    // Without the store the rest is all the more worth knowing.
    let leavers = health.provisioner.leavers().await.unwrap_or_default();
    let receivers = health.intake.outgoing.status().await.unwrap_or_default();
    let page = families::page(&health.state.load(), &leavers, &health.intake.counts(), &receivers);
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, exposition::MEDIA_TYPE))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(page)
}

async fn usage(health: web::Data<Health>) -> HttpResponse {
    let state = health.state.load();
    let mut orgs: Vec<OrgUsage> = state.orgs.iter().map(|(_, org)| OrgUsage::of(org)).collect();
    orgs.sort_by(|a, b| a.org.cmp(&b.org));
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(orgs)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::health::State;

    /// The names of all metrics, with those of a histogram as one.
    fn names() -> Vec<String> {
        let state = State { tenant: None, orgs: Vec::new(), reload_refused: false };
        let page = families::page(&state, &[], &[], &[]);
        page.lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .filter_map(|rest| rest.split(' ').next().map(str::to_owned))
            .collect()
    }

    #[test]
    fn the_manual_and_the_alerts_name_the_metrics_that_there_are() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let names = names();
        assert!(names.len() > 8, "{names:?}");
        let manual = read("docs/operating.md");
        for name in &names {
            assert!(manual.contains(&format!("`{name}")), "docs/operating.md does not explain {name}");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let told = |text: &str| -> Vec<String> {
            let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("gangway_"));
            words.map(str::to_owned).collect()
        };
        for page in [manual, read("deploy/prometheus/alerts.yml")] {
            for word in told(&page) {
                let word =
                    word.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum");
                assert!(names.iter().any(|name| name == word), "there is no metric {word}");
            }
        }
    }
}
