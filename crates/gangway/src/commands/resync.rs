//! `gangway resync` and `gangway adopt`: one identity's records, brought into agreement.

use std::path::Path;

use clap::Args;
use model::TenantId;
use salesforce_types::RecordId;
use serde_json::json;
use store::{Holds, sqlite::SqliteStore};

use super::{ConfigFile, Failure, Output, identity, output};
use crate::{
    config::Outline,
    operations::{Done, Reach, ReachError, Reply, Request},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The identity: SCIM id, userName, externalId or Salesforce record id.
    #[arg(value_name = "IDENTITY")]
    identity: String,
    #[command(flatten)]
    config: ConfigFile,
    /// The identity's tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Debug, Args)]
pub(super) struct Adoption {
    /// The identity (SCIM id, userName, externalId or Salesforce record id), or the id of a hold.
    #[arg(value_name = "IDENTITY")]
    identity: String,
    /// The Salesforce record that is its.
    #[arg(value_name = "RECORD", required_unless_present = "none")]
    record: Option<RecordId>,
    /// Of a hold: there is no such record, and the request may be repeated.
    #[arg(long, conflicts_with = "record")]
    none: bool,
    #[command(flatten)]
    config: ConfigFile,
    /// The identity's tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

/// Brings the records of an identity into agreement with what is known of it.
pub(super) async fn resync(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.config.path;
    let (store, tenants) = look(path, arguments.tenant.as_ref())?;
    let found = identity::find(&store, &tenants, &arguments.identity).await?;
    let identity = found.id().clone();
    let request = Request::Resync { tenant: found.tenant, identity };
    carry_out(path, &request, output).await
}

/// Says which record is an identity's, or which one a hold waits for.
pub(super) async fn adopt(arguments: &Adoption, output: Output) -> Result<(), Failure> {
    let path = &arguments.config.path;
    let (store, tenants) = look(path, arguments.tenant.as_ref())?;
    let open = store.open_holds(None).await?;
    let hold = open.into_iter().find(|hold| hold.id.as_str() == arguments.identity);
    let request = match (hold, arguments.record.clone()) {
        (Some(hold), _) if !tenants.contains(&hold.tenant) => {
            return Err(Failure::Failed(format!(
                "the hold {} is another tenant's: {}",
                hold.id, hold.tenant
            )));
        }
        (Some(hold), None) => Request::Dismiss { hold: hold.id },
        (None, None) => {
            return Err(Failure::Failed(format!("there is no open hold {}", arguments.identity)));
        }
        // The identity is there: it need not come again.
        (Some(store::Hold { identity: Some(identity), tenant, .. }), Some(record)) => {
            Request::Adopt { tenant, identity, record }
        }
        (Some(hold), Some(record)) => Request::Decide { hold: hold.id, record },
        (None, Some(record)) => {
            let found = identity::find(&store, &tenants, &arguments.identity).await?;
            let identity = found.id().clone();
            Request::Adopt { tenant: found.tenant, identity, record }
        }
    };
    carry_out(path, &request, output).await
}

/// The store, to look things up in, and the tenants to look in.
pub(super) fn look(
    config: &Path,
    tenant: Option<&TenantId>,
) -> Result<(SqliteStore, Vec<TenantId>), Failure> {
    let outline = Outline::load(config)?;
    let store = SqliteStore::open_read_only(&outline.store.database)?;
    let tenants = identity::tenants(&outline, tenant)?;
    Ok((store, tenants))
}

async fn carry_out(config: &Path, request: &Request, output: Output) -> Result<(), Failure> {
    let reach = Reach::open(config).await?;
    let answer = reach.ask(request).await;
    reach.close().await;
    match answer? {
        Reply::Done(done) => show(&done, output),
        Reply::Decided => match output {
            Output::Json => output::document(&json!({ "decided": true })),
            Output::Table => {
                output::line(
                    "It is noted. The record is adopted when the identity tool sends the person again.",
                );
            }
        },
        Reply::Plans(_) | Reply::CaughtUp(_) | Reply::Rehearsal(_) => return Err(unexpected()),
    }
    Ok(())
}

fn show(done: &Done, output: Output) {
    match output {
        Output::Json => output::document(&json!({
            "done": done.change.is_none(), "change": done.change, "warnings": done.warnings,
        })),
        Output::Table => {
            output::line(match &done.change {
                Some(_) => "It is under way; `gangway changes` shows how it ends.",
                None => "Done.",
            });
            for warning in &done.warnings {
                output::line(&format!("  {}: {}", warning.code, warning.detail));
            }
        }
    }
}

/// The gateway answered something else than was asked.
pub(super) fn unexpected() -> Failure {
    Failure::Failed("the gateway's answer makes no sense: is it of the same version?".to_owned())
}

impl From<ReachError> for Failure {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::Config(errors) => Self::Config(errors),
            ReachError::Start(error) => error.into(),
            other => Self::Failed(super::chain(&other)),
        }
    }
}
