//! `gangway changes`: what is not finished, and what was lately.

use clap::Args;
use model::TenantId;
use serde_json::{Value, json};
use store::{Change, Journal, sqlite::SqliteStore};

use super::{ConfigFile, Failure, Output, output};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Only those of this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Also changes that have ended, newest first.
    #[arg(long)]
    all: bool,
    /// How many ended changes to show at most.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,
}

/// Lists changes.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let settings = Config::store(&arguments.config.path)?;
    let store = SqliteStore::open_read_only(&settings.database)?;
    let tenant = arguments.tenant.as_ref();
    let open = store.open_changes(tenant).await?;
    let mut changes: Vec<Change> = open.into_iter().map(|open| open.change).collect();
    if arguments.all {
        changes.extend(store.recent_changes(tenant, arguments.limit).await?);
    }
    match output {
        Output::Json => {
            output::document(&json!({ "changes": changes.iter().map(document).collect::<Vec<_>>() }));
        }
        Output::Table if changes.is_empty() => output::line("No change is open."),
        Output::Table => output::table(
            ["change", "tenant", "client", "resource", "state", "accepted", "outcome"],
            changes.iter().map(row),
        ),
    }
    Ok(())
}

fn document(change: &Change) -> Value {
    json!({
        "id": change.id,
        "tenant": change.tenant,
        "client": change.client,
        "kind": change.kind,
        "resource": change.resource,
        "state": change.state,
        "takesAccessAway": change.takes_access_away,
        "accepted": change.accepted.to_string(),
        "ended": change.ended.map(|ended| ended.to_string()),
        "answered": change.answered,
        "outcome": change.outcome,
    })
}

fn row(change: &Change) -> [String; 7] {
    let outcome = match &change.outcome {
        Some(outcome) => match &outcome.reason {
            Some(reason) => format!("{} ({}): {reason}", outcome.result, outcome.status),
            None => format!("{} ({})", outcome.result, outcome.status),
        },
        None if change.takes_access_away => "takes access away: will be done".to_owned(),
        None => String::new(),
    };
    [
        change.id.to_string(),
        change.tenant.to_string(),
        change.client.to_string(),
        format!("{} {}", change.kind, change.resource),
        change.state.as_str().to_owned(),
        change.accepted.to_string(),
        outcome,
    ]
}
