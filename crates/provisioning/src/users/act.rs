//! Act: send the steps, and find out what became of those that nobody answered for.

use planning::{Found, MatchKey, Steps};
use salesforce_types::{Fields, Link, Plan, Refusal, Step, StepOutcome};
use serde_json::Value;
use translation::Note;

use super::{
    Progress, Stop, UserChange,
    decide::{Bound, Turnover, call_failed},
};
use crate::{
    Answer, ProvisionError,
    lookup::{self, LookError},
};

/// A create that is refused as a duplicate is looked for so often: once for the one that was there before, once more for
/// our own that landed late.
const MAX_LOOKS: u32 = 2;

impl UserChange {
    /// Journal, then send, then record.
    pub(super) async fn carry_out_steps(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        link: Option<&Link>,
        steps: Steps,
        notes: Vec<Note>,
        progress: &mut Progress,
    ) -> Result<Answer, Stop> {
        self.open(Some(&steps.plan), rename(turnover)).await?;
        let planned = &steps.plan.steps[0];
        let step = std::slice::from_ref(&planned.step);
        let outcome = bound.org.act(step, &self.ticket).await.into_iter().next();
        match outcome {
            Some(StepOutcome::Done { id }) => {
                let wrote = planned.step.fields().clone();
                let after = steps.link.into_link(
                    bound.target.name.clone(),
                    bound.org.name().clone(),
                    bound.target.object.clone(),
                    &id,
                );
                let recorded = self.record(turnover, Some(after), &wrote, &notes).await;
                if recorded.is_err() {
                    // It has landed. What could not be written down is read back and written down later.
                    progress.unsure = Some(steps.plan);
                    progress.was_unsure = true;
                    return Err(Stop::Stalled {
                        why: "the store could not record a change".into(),
                        retry_after: None,
                    });
                }
                recorded
            }
            Some(StepOutcome::Refused(refusal)) => {
                self.refused(bound, &planned.step, link, refusal, progress).await
            }
            Some(StepOutcome::Unknown { why }) => {
                tracing::warn!(tenant = %self.tenant.id, change.id = %self.change, %why, "a step has no known end yet");
                progress.was_unsure = true;
                self.read_back(bound, &steps.plan, progress).await.inspect_err(|_| {
                    progress.unsure = Some(steps.plan.clone());
                })?;
                Err(Stop::Again)
            }
            Some(StepOutcome::NotSent { .. }) if self.ticket.is_withdrawn() => Err(Stop::Withdrawn),
            Some(StepOutcome::NotSent { why, retry_after }) => Err(Stop::Stalled { why, retry_after }),
            None => Err(ProvisionError::Misconfigured("a step was not answered for".into()).into()),
        }
    }

    /// A refused create may mean that the record is there already; everything else is final.
    async fn refused(
        &self,
        bound: &Bound<'_>,
        step: &Step,
        link: Option<&Link>,
        refusal: Refusal,
        progress: &mut Progress,
    ) -> Result<Answer, Stop> {
        let duplicate = ["DUPLICATE_USERNAME", "DUPLICATE_VALUE", "CONFLICTING_SSO_USER_MAPPING"]
            .contains(&refusal.code.as_str());
        if duplicate && link.is_none() && matches!(step, Step::Create { .. }) && progress.looks < MAX_LOOKS {
            self.look(bound, &keys_of(&bound.target.matching, step.fields()), progress).await?;
            let found_one = matches!(&progress.found, Found::Records(records) if !records.is_empty());
            if found_one {
                return Err(Stop::Again);
            }
        }
        let attributes = refusal
            .fields
            .iter()
            .filter_map(|field| bound.target.attribute_of(field).map(str::to_owned))
            .collect();
        Err(ProvisionError::Refused { org: bound.org.name().clone(), refusal: Box::new(refusal), attributes }
            .into())
    }

    /// Looks for records that have the value of one of the keys.
    pub(super) async fn look(
        &self,
        bound: &Bound<'_>,
        keys: &[MatchKey],
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        progress.looks += 1;
        let mut fields: Vec<String> = bound.target.mapped_fields().map(str::to_owned).collect();
        fields.push("IsActive".to_owned());
        let object = &bound.target.object;
        let found = lookup::look(bound.org, &*self.inner.store, &self.tenant, object, keys, &fields).await;
        progress.found = found.map_err(|error| match error {
            LookError::Call(call) => call_failed(call),
            LookError::Store(store) => store.into(),
            LookError::Name(name) => ProvisionError::Misconfigured(format!("the mapping: {name}")).into(),
        })?;
        Ok(())
    }

    /// Finds out what became of steps that may have landed, so that the next round decides from what is there.
    pub(super) async fn read_back(
        &self,
        bound: &Bound<'_>,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        for planned in &plan.steps {
            match &planned.step {
                Step::Create { fields, .. } => {
                    self.look(bound, &keys_of(&bound.target.matching, fields), progress).await?;
                    progress.looks = 0;
                }
                Step::Update { object, id, fields } => {
                    let linked = self.inner.store.linked_to(&self.tenant.id, id).await?.is_some();
                    if !linked {
                        // It was about to be adopted; found again as it is now.
                        self.look(bound, &keys_of(&bound.target.matching, fields), progress).await?;
                        continue;
                    }
                    let actual =
                        lookup::read_back(bound.org, object, id, fields).await.map_err(call_failed)?;
                    progress.read_back.extend(actual.unwrap_or_default());
                }
            }
        }
        Ok(())
    }
}

/// The new userName of an update that changes it.
fn rename(turnover: &Turnover) -> Option<String> {
    let was = turnover.current.as_ref()?.user_name()?;
    let wanted = turnover.wanted.as_ref()?.user_name()?;
    (scim_types::fold(was) != scim_types::fold(wanted)).then(|| wanted.to_owned())
}

/// The match keys that a step's own fields have a value for.
fn keys_of(matching: &[String], fields: &Fields) -> Vec<MatchKey> {
    matching
        .iter()
        .filter_map(|field| {
            let value = fields.get(field).filter(|value| !matches!(value, Value::Null))?;
            Some(MatchKey { field: field.clone(), value: value.clone() })
        })
        .collect()
}
