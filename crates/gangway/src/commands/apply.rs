//! `gangway apply`: do what was planned, if nothing has moved since.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use futures::{StreamExt, stream};
use model::{ResourceId, TenantId};
use provisioning::IdentityPlan;
use serde_json::json;

use super::{
    ConfigFile, Failure, Output, output,
    plan::{Counts, file::PlanFile, identities, plans},
    progress::Progress,
    resync::unexpected,
};
use crate::operations::{Planned, Reach, ReachError, Reply, Request};

/// How many identities are changed at once: enough that they share API calls.
const AT_ONCE: usize = 32;
/// How many are asked for at once when it is looked whether anything moved.
const LOOKED_AT_ONCE: usize = 64;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file that `gangway plan --out` wrote.
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Do not ask.
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// What became of the plans of identities.
#[derive(Debug, Default)]
struct Outcome {
    done: usize,
    refused: Vec<(ResourceId, String)>,
    /// Between the look and the deed.
    moved: Vec<ResourceId>,
}

/// Carries a plan out. Exit code 4, and nothing done, where it is not what would be done now; 1 where something was refused.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let file = PlanFile::read(&arguments.plan)?;
    if file.plans.is_empty() {
        report(&Outcome::default(), output);
        return Ok(());
    }
    confirm(&file, arguments.yes)?;
    let reach = Reach::open(&arguments.config.path).await?;
    let outcome = look_and_do(&reach, file.plans, output).await;
    reach.close().await;
    let outcome = outcome?;
    report(&outcome, output);
    match (outcome.moved.len(), outcome.refused.len()) {
        (0, 0) => Ok(()),
        (0, refused) => Err(Failure::Failed(format!("{} refused", identities(refused)))),
        _ => Err(Failure::Findings),
    }
}

/// Asks the person at the terminal.
fn confirm(file: &PlanFile, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Failed("nobody is there to ask: say --yes".to_owned()));
    }
    let mut err = io::stderr().lock();
    let question = format!("{} for {}. Do it? [y/N] ", Counts::of(&file.plans), identities(file.plans.len()));
    let _ = err.write_all(question.as_bytes()).and_then(|()| err.flush());
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::Failed("nothing was done".to_owned()))
    }
}

async fn look_and_do(reach: &Reach, plans: Vec<IdentityPlan>, output: Output) -> Result<Outcome, Failure> {
    let moved = moved(reach, &plans).await?;
    if !moved.is_empty() {
        show_moved(&moved, output);
        return Err(Failure::Findings);
    }
    let progress = Progress::new("applying", plans.len());
    let progress = &progress;
    let each = |plan: IdentityPlan| async move {
        let identity = plan.identity.clone();
        let request = Request::Apply { plan: Box::new(plan) };
        let answer = reach.ask(&request).await;
        progress.step();
        (identity, answer)
    };
    let answers: Vec<_> = stream::iter(plans).map(each).buffered(AT_ONCE).collect().await;
    let mut outcome = Outcome::default();
    for (identity, answer) in answers {
        match answer {
            Ok(Reply::Done(_)) => outcome.done += 1,
            Ok(Reply::Plans(_) | Reply::Decided | Reply::CaughtUp(_) | Reply::Rehearsal(_)) => {
                return Err(unexpected());
            }
            Err(ReachError::Refused(refused)) if refused.moved => outcome.moved.push(identity),
            Err(ReachError::Refused(refused)) => outcome.refused.push((identity, refused.message)),
            Err(error) => outcome.refused.push((identity, super::chain(&error))),
        }
    }
    Ok(outcome)
}

/// The identities for which something else would be done now, each with what differs.
async fn moved(reach: &Reach, planned: &[IdentityPlan]) -> Result<Vec<(ResourceId, String)>, Failure> {
    let mut by_tenant: HashMap<&TenantId, Vec<&IdentityPlan>> = HashMap::new();
    for plan in planned {
        by_tenant.entry(&plan.tenant).or_default().push(plan);
    }
    let progress = Progress::new("looking", planned.len());
    let mut moved = Vec::new();
    for (tenant, before) in by_tenant {
        for part in before.chunks(LOOKED_AT_ONCE) {
            let ids: Vec<ResourceId> = part.iter().map(|plan| plan.identity.clone()).collect();
            let now = plans(reach, tenant, &ids).await?;
            for (before, now) in part.iter().zip(now) {
                progress.step();
                if let Some(why) = difference(before, &now) {
                    moved.push((before.identity.clone(), why));
                }
            }
        }
    }
    Ok(moved)
}

/// Why a plan is not what would be done now.
fn difference(before: &IdentityPlan, now: &Planned) -> Option<String> {
    let now = match now {
        Planned::Refused { why, .. } => return Some(why.message.clone()),
        Planned::Plan(now) => now,
    };
    if before.hash() == now.hash() {
        return None;
    }
    Some(if before.version != now.version {
        format!("the identity has changed: version {} is {} now", before.version.0, now.version.0)
    } else if now.steps.is_empty() {
        "nothing is left to be done".to_owned()
    } else {
        "its records, the org or the mapping have changed: something else would be done".to_owned()
    })
}

fn show_moved(moved: &[(ResourceId, String)], output: Output) {
    if output == Output::Json {
        return output::document(&json!({ "done": 0, "moved": moved, "refused": [] }));
    }
    for (identity, why) in moved {
        output::line(&format!("{identity}: {why}"));
    }
    let many = identities(moved.len());
    output::line(&format!(
        "Nothing was done: of {many} what was planned is not what would be done now. Plan again."
    ));
}

fn report(outcome: &Outcome, output: Output) {
    if output == Output::Json {
        return output::document(&json!({
            "done": outcome.done, "moved": outcome.moved, "refused": outcome.refused,
        }));
    }
    for (identity, why) in &outcome.refused {
        output::line(&format!("! {identity}: {why}"));
    }
    for identity in &outcome.moved {
        output::line(&format!("! {identity}: it has moved while others were applied; plan again"));
    }
    let refused = outcome.refused.len() + outcome.moved.len();
    output::line(&format!("Done: {}; not done: {refused}.", identities(outcome.done)));
}
