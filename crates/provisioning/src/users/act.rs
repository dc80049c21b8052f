//! Act: send the steps, and find out what became of those that nobody answered for.

use planning::{Found, MatchKey, Steps, same_value};
use salesforce_client::Purpose;
use salesforce_types::{Fields, Link, Plan, RecordId, Refusal, Step, StepOutcome};
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
                    self.ticket.commit();
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
                tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, %why, "a step has no known end yet");
                progress.was_unsure = true;
                self.ticket.commit();
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
            let keys = keys_of(bound, step.fields());
            let purpose = Purpose::matching(&self.ticket);
            self.look(bound, &keys, &Fields::new(), purpose, progress).await?;
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

    /// Looks for records that have the value of one of the keys, with the fields of the mapping and `more`.
    pub(super) async fn look(
        &self,
        bound: &Bound<'_>,
        keys: &[MatchKey],
        more: &Fields,
        purpose: Purpose<'_>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        progress.looks += 1;
        let mut fields: Vec<String> = bound.target.mapped_fields().map(str::to_owned).collect();
        fields.extend(["IsActive", "CreatedById"].map(str::to_owned));
        fields.extend(more.keys().cloned());
        let object = &bound.target.object;
        let found =
            lookup::look(bound.org, &*self.inner.store, bound.tenant, object, keys, &fields, purpose).await;
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
        let purpose = Purpose::read_back(&self.ticket);
        for planned in &plan.steps {
            match &planned.step {
                Step::Create { fields, .. } => {
                    let keys = keys_of(bound, fields);
                    // After a crash nobody has claimed them yet, and another one may be about to adopt our record.
                    self.claim(bound, &keys, progress).await?;
                    self.look(bound, &keys, fields, purpose, progress).await?;
                    progress.looks = 0;
                    self.recognise(bound, fields, progress).await?;
                }
                Step::Update { object, id, fields, .. } => {
                    let linked = self.inner.store.linked_to(&self.caller.tenant, id).await?.is_some();
                    if !linked {
                        // It was about to be adopted; read as it is now. By its id: what it was found by need not be
                        // among the fields that were to be written.
                        let itself = MatchKey { field: "Id".to_owned(), value: Value::from(id.as_str()) };
                        self.look(bound, &[itself], fields, purpose, progress).await?;
                        continue;
                    }
                    let actual = lookup::read_back(bound.org, object, id, fields, purpose)
                        .await
                        .map_err(call_failed)?;
                    let actual = actual.unwrap_or_default();
                    progress.landed =
                        if has(|field| actual.get(field), fields) { fields.clone() } else { Fields::new() };
                    progress.read_back.extend(actual);
                }
                // Sent again, they do no harm: an upsert finds its own record, and what is deleted stays deleted.
                Step::Upsert { .. } | Step::Delete { .. } | Step::Convert { .. } => {}
            }
        }
        Ok(())
    }

    /// A record that is all that this change has sent, and that nobody else has, is the one it made. Anything else that
    /// was found was there before, or was changed by the org itself, and is adopted as such.
    async fn recognise(&self, bound: &Bound<'_>, sent: &Fields, progress: &mut Progress) -> Result<(), Stop> {
        let Found::Records(records) = &progress.found else { return Ok(()) };
        let ours = records
            .iter()
            .find(|record| record.linked_to.is_none() && has(|field| record.actual.get(field), sent));
        let Some(ours) = ours else { return Ok(()) };
        // Nobody takes over an administrator by guessing all the fields and a broken connection.
        if ours.protected {
            let us = bound.org.identity().await.map_err(call_failed)?.user_id;
            let by = ours.actual.get("CreatedById").and_then(Value::as_str);
            if by.and_then(|by| RecordId::parse(by).ok()) != Some(us) {
                return Ok(());
            }
        }
        progress.made = Some(ours.id.clone());
        progress.landed.clone_from(sent);
        Ok(())
    }
}

/// Whether all that was sent has arrived.
fn has<'a>(actual: impl Fn(&str) -> Option<&'a Value>, sent: &Fields) -> bool {
    sent.iter().all(|(field, value)| actual(field).is_some_and(|actual| same_value(field, actual, value)))
}

/// The new userName of an update that changes it.
fn rename(turnover: &Turnover) -> Option<String> {
    let was = turnover.current.as_ref()?.user_name()?;
    let wanted = turnover.wanted.as_ref()?.user_name()?;
    (scim_types::fold(was) != scim_types::fold(wanted)).then(|| wanted.to_owned())
}

/// What a record with these fields can be found by: the match keys, and the name that Salesforce itself guards.
fn keys_of(bound: &Bound<'_>, fields: &Fields) -> Vec<MatchKey> {
    let guarded = (bound.target.object == "User").then_some("Username");
    let matching = bound.target.matching.iter().map(String::as_str);
    let guarded = guarded.filter(|name| !bound.target.matching.iter().any(|field| field == name));
    matching
        .chain(guarded)
        .filter_map(|field| {
            let value = fields.get(field).filter(|value| !matches!(value, Value::Null))?;
            Some(MatchKey { field: field.to_owned(), value: value.clone() })
        })
        .collect()
}
