//! `gangway tasks`: what is owed later.

use clap::Args;
use model::TenantId;
use serde_json::json;
use store::{Task, TaskKind, Tasks, sqlite::SqliteStore};

use super::{ConfigFile, Failure, Output, output};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Only those of this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

/// Lists open tasks, the oldest first.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let settings = Config::store(&arguments.config.path)?;
    let store = SqliteStore::open_read_only(&settings.database)?;
    let tasks = store.open_tasks(arguments.tenant.as_ref()).await?;
    match output {
        Output::Json => output::document(&json!({ "tasks": tasks })),
        Output::Table if tasks.is_empty() => output::line("Nothing is owed."),
        Output::Table => output::table(
            ["task", "tenant", "identity", "what is owed", "why not yet", "next try", "tries", "raised"],
            tasks.iter().map(row),
        ),
    }
    Ok(())
}

fn row(task: &Task) -> [String; 8] {
    let owed = match &task.kind {
        TaskKind::Removal => format!("{}: take leave of the record, the identity was deleted", task.target),
        TaskKind::Target => format!("{}: bring the record into agreement", task.target),
        TaskKind::Deactivation => format!("{}: deactivate the record, the person has left", task.target),
        TaskKind::Seat { of } => format!("{}: grant {of}, which has no free seat", task.target),
        TaskKind::Expiry { at } => format!("{}: take away what was granted until {at}", task.target),
        TaskKind::HandOver => format!("{}: give the records of the person to somebody else", task.target),
        TaskKind::Reference { field, waits_for, through } => {
            format!("{}.{field}: the record of {waits_for} in {through}", task.target)
        }
    };
    [
        task.id.to_string(),
        task.tenant.to_string(),
        task.identity.to_string(),
        owed,
        task.reason.clone(),
        task.due.to_string(),
        task.attempts.to_string(),
        task.raised.to_string(),
    ]
}
