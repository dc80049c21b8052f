//! `gangway holds`: what only a person can decide.

use clap::Args;
use model::TenantId;
use salesforce_types::RecordId;
use serde_json::json;
use store::{Hold, HoldKind, Holds, sqlite::SqliteStore};

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

/// Lists open holds, the oldest first.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let settings = Config::store(&arguments.config.path)?;
    let store = SqliteStore::open_read_only(&settings.database)?;
    let holds = store.open_holds(arguments.tenant.as_ref()).await?;
    match output {
        Output::Json => output::document(&json!({ "holds": holds })),
        Output::Table if holds.is_empty() => output::line("Nothing is on hold."),
        Output::Table => output::table(
            ["hold", "tenant", "target", "identity", "raised", "what is to be decided"],
            holds.iter().map(row),
        ),
    }
    Ok(())
}

fn row(hold: &Hold) -> [String; 6] {
    [
        hold.id.to_string(),
        hold.tenant.to_string(),
        hold.target.to_string(),
        hold.identity.as_ref().map(ToString::to_string).unwrap_or_default(),
        hold.raised.to_string(),
        question(&hold.kind),
    ]
}

fn question(kind: &HoldKind) -> String {
    match kind {
        HoldKind::AmbiguousMatch { candidates } => {
            let ids: Vec<&str> = candidates.iter().map(RecordId::as_str).collect();
            format!(
                "several records match: {}. Choose one with `gangway adopt`, or make one of them the only match in \
                 Salesforce; then let the identity tool repeat its request.",
                ids.join(", ")
            )
        }
        HoldKind::ProtectedMatch { record } => format!(
            "the record that matches, {record}, is protected. Give the identity another userName, or take the record out of \
             `protected`."
        ),
        HoldKind::DeletedByHand { record } => format!(
            "the linked record, {record}, was deleted by hand. Restore it in Salesforce, or link another one with `gangway \
             adopt`."
        ),
        HoldKind::NotDeleted { record } => format!(
            "the identity is gone, and Salesforce keeps its record {record}, because others refer to it. Delete or anonymise it \
             there."
        ),
        HoldKind::UnknownCreate => {
            "a record was perhaps made: the connection was cut, and nothing tells. Look in Salesforce; \
                                    if it is there, link it with `gangway adopt`."
                .to_owned()
        }
    }
}
