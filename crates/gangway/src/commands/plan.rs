//! `gangway plan`: exactly what would be done, without doing it.

mod diff;
pub(super) mod file;
mod select;

use std::path::PathBuf;

use clap::Args;
use model::{ResourceId, TenantId};
use provisioning::IdentityPlan;
use serde_json::json;

use super::{
    ConfigFile, Failure, Output, output,
    progress::Progress,
    resync::{look, unexpected},
};
use crate::operations::{Planned, Reach, Reply, Request};
pub(super) use diff::Counts;
use file::PlanFile;

/// How many identities are asked for at once: few enough that progress shows.
const AT_ONCE: usize = 64;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An identity (SCIM id, userName, externalId or Salesforce record id), or a group (SCIM id or displayName): its members.
    #[arg(value_name = "IDENTITY|GROUP", required_unless_present = "all")]
    whom: Option<String>,
    /// Everyone, with the records of targets that are not configured any more.
    #[arg(long, conflicts_with = "whom")]
    all: bool,
    /// Write the plan into this file, for `gangway apply`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// Only those of this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

/// What planning found.
#[derive(Debug, Default)]
struct Found {
    plans: Vec<IdentityPlan>,
    unchanged: usize,
    /// Identities that no plan could be made for, and why.
    refused: Vec<(ResourceId, String)>,
}

/// Plans, shows, and writes the plan into a file where one is asked for. Exit code 1 where no plan could be made for somebody.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.config.path;
    let (store, tenants) = look(path, arguments.tenant.as_ref())?;
    let chosen = match &arguments.whom {
        Some(whom) => select::named(&store, &tenants, whom).await?,
        None => select::everyone(&store, &tenants).await?,
    };
    let reach = Reach::open(path).await?;
    let found = ask(&reach, &chosen).await;
    reach.close().await;
    let found = found?;
    let file = PlanFile::new(found.plans);
    if let Some(path) = &arguments.out {
        file.write(path)?;
    }
    let counts = Counts::of(&file.plans);
    match output {
        Output::Json => output::document(&json!({
            "plan": file, "counts": counts, "unchanged": found.unchanged, "refused": found.refused,
        })),
        Output::Table => {
            for plan in &file.plans {
                diff::show(plan);
            }
            for (identity, why) in &found.refused {
                output::line(&format!("! {identity}: no plan: {why}\n"));
            }
            output::line(&format!("{counts}; {} unchanged.", identities(found.unchanged)));
            output::line(&format!("Plan {}.", file.hash));
            match &arguments.out {
                Some(path) => output::line(&format!("`gangway apply {}` does it.", path.display())),
                None if file.plans.is_empty() => {}
                None => output::line("Write it into a file with --out, and `gangway apply` does it."),
            }
        }
    }
    match found.refused.len() {
        0 => Ok(()),
        number => Err(Failure::Failed(format!("no plan for {}", identities(number)))),
    }
}

pub(super) fn identities(number: usize) -> String {
    if number == 1 { "1 identity".to_owned() } else { format!("{number} identities") }
}

async fn ask(reach: &Reach, chosen: &[(TenantId, Vec<ResourceId>)]) -> Result<Found, Failure> {
    let mut found = Found::default();
    let progress = Progress::new("planning", chosen.iter().map(|(_, ids)| ids.len()).sum());
    for (tenant, ids) in chosen {
        for part in ids.chunks(AT_ONCE) {
            for planned in plans(reach, tenant, part).await? {
                progress.step();
                match planned {
                    Planned::Refused { identity, why } => found.refused.push((identity, why.message)),
                    Planned::Plan(plan) if is_empty(&plan) => found.unchanged += 1,
                    Planned::Plan(plan) => found.plans.push(*plan),
                }
            }
        }
    }
    Ok(found)
}

/// Asks for the plans of identities of one tenant.
pub(super) async fn plans(
    reach: &Reach,
    tenant: &TenantId,
    identities: &[ResourceId],
) -> Result<Vec<Planned>, Failure> {
    let request = Request::Plan { tenant: tenant.clone(), identities: identities.to_vec() };
    match reach.ask(&request).await? {
        Reply::Plans(plans) => Ok(plans),
        Reply::Done(_) | Reply::Decided | Reply::CaughtUp(_) | Reply::Rehearsal(_) => Err(unexpected()),
    }
}

fn is_empty(plan: &IdentityPlan) -> bool {
    plan.steps.is_empty() && plan.problems.is_empty()
}
