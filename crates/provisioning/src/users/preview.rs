//! What would be done, without doing it; and whether it is still what was planned.

use std::{collections::HashSet, sync::Arc};

use model::{ResourceId, TargetName, TenantId, Version};
use salesforce_types::{Link, PlannedStep, RecordId, Step, StepOutcome};
use serde::{Deserialize, Serialize};
use translation::Note;

use super::{
    MAX_ROUNDS, Progress, Stop, UserChange,
    leaving::note_freeze,
    record::notes,
    scene::{Bound, Scene},
};
use crate::{Operation, ProvisionError, fingerprint};

/// What would be done for an identity, as it is and as its records are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IdentityPlan {
    /// Where.
    pub tenant: TenantId,
    /// Whose.
    pub identity: ResourceId,
    /// The version that it was decided on.
    pub version: Version,
    /// In the order in which they would be done. A record that does not exist yet has an id of zeros.
    pub steps: Vec<PlannedStep>,
    /// What is known to be in the records that would be changed, by target: what a step changes is compared with it.
    pub links: Vec<Link>,
    /// What would be said.
    pub notes: Vec<Note>,
    /// Why some of it could not be done.
    pub problems: Vec<String>,
}

impl IdentityPlan {
    /// SHA-256 of what would be done, in hex: two plans with the same hash do the same to the same version.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = serde_json::to_vec(&(&self.tenant, &self.identity, &self.version, &self.steps))
            .unwrap_or_default();
        fingerprint::hex(&fingerprint::sha256(&text))
    }
}

impl UserChange {
    /// Before an operator's plan is carried out: whether it is still what would be done.
    pub(super) async fn is_still_planned(&self, progress: &mut Progress) -> Result<(), ProvisionError> {
        let Operation::Apply(hash) = &self.request.operation else { return Ok(()) };
        progress.scene = self.scene_with_removed(&progress.scene).await?;
        if progress.was_unsure {
            // It was begun before a stop: it goes on.
            return Ok(());
        }
        let plan = self.preview().await?;
        if plan.hash() == *hash {
            Ok(())
        } else {
            Err(ProvisionError::PlanMoved { identity: self.id.clone() })
        }
    }

    /// The configuration as it is now, with the removed targets where the change is about them.
    pub(super) async fn scene_again(&self) -> Option<Arc<Scene>> {
        let scene = Scene::of(&self.inner, &self.caller, &self.request.operation).ok()?;
        match &self.request.operation {
            Operation::Apply(_) => self.scene_with_removed(&scene).await.ok(),
            _ => Some(scene),
        }
    }

    async fn scene_with_removed(&self, scene: &Scene) -> Result<Arc<Scene>, ProvisionError> {
        let configured: HashSet<&TargetName> =
            scene.tenant.mapping.targets.iter().map(|target| &target.name).collect();
        let remembered = self.inner.store.remembered_targets(&self.caller.tenant).await?;
        let removed = remembered
            .into_iter()
            .filter(|(target, _)| !configured.contains(&target.name))
            .filter_map(|(target, _)| crate::removed::read(&target));
        Ok(scene.with_removed(removed.collect()))
    }

    /// Decides all rounds as if every step landed. Asks the orgs, and changes nothing.
    pub(crate) async fn preview(&self) -> Result<IdentityPlan, ProvisionError> {
        let mut progress = Progress::new(Arc::clone(&self.scene), None);
        progress.dry = true;
        progress.scene = self.scene_with_removed(&progress.scene).await?;
        if self.owes_removal().await? {
            progress.scene = progress.scene.without_him();
        }
        let scene = Arc::clone(&progress.scene);
        let bounds = scene.bind()?;
        let mut plan = IdentityPlan {
            tenant: self.caller.tenant.clone(),
            identity: self.id.clone(),
            version: Version::FIRST,
            steps: Vec::new(),
            links: self.inner.store.links(&self.caller.tenant, &self.id).await?,
            notes: Vec::new(),
            problems: Vec::new(),
        };
        for _ in 0..MAX_ROUNDS {
            match self.preview_round(&bounds, &mut plan, &mut progress).await {
                Ok(true) | Err(Stop::Join(_) | Stop::Withdrawn) => break,
                Ok(false) | Err(Stop::Again) => {}
                Err(Stop::Fail(error)) => {
                    plan.problems.push(error.to_string());
                    break;
                }
                Err(Stop::Stalled { why, .. }) => {
                    plan.problems.push(why);
                    break;
                }
            }
        }
        let failed = progress.failed.iter();
        plan.problems.extend(failed.map(|(target, failure)| format!("target {target}: {}", failure.error)));
        Ok(plan)
    }

    /// One round of a preview. `true`: there is nothing more to do.
    async fn preview_round(
        &self,
        bounds: &[Bound<'_>],
        plan: &mut IdentityPlan,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let scene = Arc::clone(&progress.scene);
        let turnover = self.turn_over(&scene.tenant, progress).await?;
        if let Some(stored) = &turnover.stored {
            plan.version = stored.version;
        }
        let links = progress.links(&turnover.links);
        let (stage, _) = self.stage(bounds, &turnover, &links, progress).await?;
        if stage.chosen.is_empty() && stage.adopted.is_empty() && stage.followers.is_empty() {
            if !stage.waits.is_empty() && progress.links(&turnover.links) != links {
                return Ok(false);
            }
            plan.problems.extend(stage.waits.iter().map(|(target, why)| format!("target {target}: {why}")));
            plan.notes = notes(stage, progress);
            return Ok(true);
        }
        for (link, takes_over) in &stage.adopted {
            progress.take_over(takes_over.as_ref());
            progress.land(link.clone());
        }
        for chosen in &stage.chosen {
            let id = match &chosen.planned.step {
                Step::Update { id, .. } | Step::Delete { id, .. } => id.clone(),
                Step::Freeze { user, .. } => user.clone(),
                Step::Create { .. } | Step::Upsert { .. } | Step::Convert { .. } => {
                    let bound = bounds.iter().find(|bound| *bound.name() == chosen.target);
                    let bound = bound.ok_or(Stop::Again)?;
                    let describe =
                        bound.org.describe(&chosen.object).await.map_err(super::round::call_failed)?;
                    nobody(describe.key_prefix.as_deref().unwrap_or("000"))
                }
            };
            note_freeze(&chosen.planned, &StepOutcome::Done { id: id.clone() }, progress);
            self.landed(chosen, &id, progress);
        }
        for freeze in &stage.freezes {
            let Step::Freeze { user, .. } = &freeze.step else { continue };
            note_freeze(freeze, &StepOutcome::Done { id: user.clone() }, progress);
        }
        let before = plan.steps.len();
        plan.steps.extend(stage.planned());
        for step in &mut plan.steps[before..] {
            if let Step::Create { refers, .. } | Step::Upsert { refers, .. } = &mut step.step {
                refers.values_mut().for_each(|at| *at += before);
            }
        }
        for follower in &stage.followers {
            let bound = bounds.iter().find(|bound| *bound.name() == follower.target).ok_or(Stop::Again)?;
            self.granted(bound, &follower.grant, None, &turnover.grants, progress);
        }
        Ok(false)
    }
}

/// The id of a record that is not there yet.
fn nobody(prefix: &str) -> RecordId {
    RecordId::parse(&format!("{prefix:0<15.15}")).expect("letters and digits of a prefix make an id")
}
