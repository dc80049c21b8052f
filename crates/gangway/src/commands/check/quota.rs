//! API calls: how many are left, and what those were for that have been made.

use std::time::Duration;

use serde::Serialize;

use super::{Report, Verdict};
use crate::{
    config::ServerSettings,
    metrics::{ApiUsage, OrgUsage, USAGE},
    wire,
};

/// How long a running gateway may take to answer: it is on this machine, and all it does is read counters.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose calls were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Since {
    /// Those of the running gateway, since its start.
    Start,
    /// Those of this check.
    Check,
}

/// The quota of one org, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Quota {
    #[serde(rename = "calls-since")]
    since: Since,
    #[serde(flatten)]
    usage: OrgUsage,
}

/// Metrics name tenants and clients and are open to whoever reaches them.
pub(super) fn check_listener(server: &ServerSettings, report: &mut Report) {
    let Some(listen) = server.metrics_listen.filter(|listen| !listen.ip().is_loopback()) else { return };
    report.warn(
        "configuration",
        format!("metrics are served to other machines, on {listen}, and ask for no token"),
        "they name tenants, orgs and clients: let only your Prometheus reach them, or write metrics-listen = \
         \"127.0.0.1:9464\"",
    );
}

/// What the running gateway has counted; nothing where it has no metrics listener.
pub(super) async fn ask(server: &ServerSettings, report: &mut Report) -> Vec<OrgUsage> {
    const ABOUT: &str = "metrics";
    let Some(listen) = server.metrics_listen.filter(|listen| listen.port() != 0) else {
        // Having no metrics is a choice.
        let advice = "to see them, write [server] metrics-listen = \"127.0.0.1:9464\" and restart it";
        report.note(Verdict::Ok, ABOUT, "the running gateway's API calls are not shown", Some(advice));
        return Vec::new();
    };
    match fetch(&format!("http://{}{USAGE}", wire::reachable(listen))).await {
        Ok(usages) => usages,
        Err(error) => {
            let what =
                format!("the running gateway does not answer on {listen}: {}", super::super::chain(&error));
            report.warn(ABOUT, what, "has it been restarted since metrics-listen was written?");
            Vec::new()
        }
    }
}

async fn fetch(url: &str) -> reqwest::Result<Vec<OrgUsage>> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()?;
    client.get(url).send().await?.error_for_status()?.json().await
}

/// Tells how many calls an org has left, and what became of the others.
pub(super) fn report(since: Since, usage: &OrgUsage, report: &mut Report) {
    let about = format!("org {}", usage.org);
    match usage.api_usage {
        Some(api_usage) => left(&about, api_usage, usage.reserve, report),
        None if since == Since::Start => {
            report.ok(&about, "the running gateway has not asked it anything yet");
        }
        // What went wrong has been said.
        None => {}
    }
    let calls: Vec<String> = usage
        .calls
        .iter()
        .filter(|(_, calls)| **calls > 0)
        .map(|(cause, calls)| format!("{cause} {calls}"))
        .collect();
    if !calls.is_empty() {
        let whose = match since {
            Since::Start => "of the running gateway since its start",
            Since::Check => "of this check",
        };
        report.ok(&about, format!("calls {whose}: {}", calls.join(", ")));
    }
    report.quotas.push(Quota { since, usage: usage.clone() });
}

fn left(about: &str, ApiUsage { used, limit }: ApiUsage, reserve: u64, report: &mut Report) {
    let left = limit.saturating_sub(used);
    let what =
        format!("api-usage={used}/{limit}: {left} API calls are left for the day, {reserve} are reserved");
    if left < reserve {
        let advice =
            "only changes that take access away go out now; lower reserve-calls or ask Salesforce for more";
        report.warn(about, what, advice);
    } else {
        report.ok(about, what);
    }
}
