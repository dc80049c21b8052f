//! Journal, calls, evidence: how what is to be written of a consent comes into the org and into the audit.

use std::collections::BTreeMap;

use model::ResourceId;
use salesforce_types::{RecordId, Refusal, Step, StepOutcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{AuditEntry, ConsentEvidence};

use super::{LATER, Run, SOON};
use crate::ProvisionError;

/// What is to be written to one record.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) object: String,
    /// What tells it from others of its object that are made; empty where only one is.
    pub(super) name: String,
    /// The record; none: it is made.
    pub(super) record: Option<RecordId>,
    /// None: it is there already.
    pub(super) step: Option<Step>,
    pub(super) changed: Vec<Changed>,
}

/// A value that changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) field: String,
    pub(super) old: Value,
    pub(super) new: Value,
}

/// What an event is about to write: of each record, by its id or what it is made as, the values that are there before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Intent(BTreeMap<String, BTreeMap<String, Value>>);

/// Under which key the intent has what is made.
fn new(object: &str, name: &str) -> String {
    format!("new {object} {name}")
}

impl Write {
    fn key(&self) -> String {
        self.record.as_ref().map_or_else(|| new(&self.object, &self.name), ToString::to_string)
    }
}

impl Run<'_> {
    /// What the field of a record held before an earlier attempt of this event, where that was about to write it.
    pub(super) fn before(&self, record: &str, object: &str, field: &str) -> Option<&Value> {
        self.before_named(record, object, "", field)
    }

    /// The same of a record that may have been made under a name.
    pub(super) fn before_named(&self, record: &str, object: &str, name: &str, field: &str) -> Option<&Value> {
        let begun = &self.begun.as_ref()?.0;
        let of = |key: &str| begun.get(key).and_then(|fields| fields.get(field));
        of(record).or_else(|| of(&new(object, name)))
    }

    /// Writes what is to be written, with its evidence. Answers how many records were changed. Where some could not be
    /// written now, the evidence of the others is kept, and the old values of these.
    pub(super) async fn commit(&self, writes: Vec<Write>) -> Result<usize, ProvisionError> {
        let writes: Vec<Write> = writes.into_iter().filter(Write::is_something).collect();
        let steps: Vec<Step> = writes.iter().filter_map(|write| write.step.clone()).collect();
        if writes.is_empty() {
            self.forget().await?;
            return Ok(0);
        }
        if !steps.is_empty() {
            self.inner.store.begin_consent(&self.consent.key, &intent(&writes)).await?;
        }
        let outcomes = if steps.is_empty() { Vec::new() } else { self.org.act(&steps, &self.ticket).await };
        let mut outcomes = outcomes.into_iter();
        let (mut done, mut open, mut failed) = (Vec::new(), Vec::new(), Ok(()));
        for write in writes {
            let ended = match (&write.step, &write.record) {
                (None, Some(record)) => Ok(record.clone()),
                (None, None) => continue,
                (Some(_), _) => self.ended(outcomes.next()),
            };
            match ended {
                Ok(record) => done.push((record, write)),
                Err(error) => {
                    if !matches!(error, ProvisionError::Refused { .. }) {
                        open.push(write);
                    }
                    failed = failed.and(Err(error));
                }
            }
        }
        let open = (!open.is_empty()).then(|| intent(&open));
        // What only confirms what stood there before changes no value.
        let told = done.iter().filter(|(_, write)| !write.changed.is_empty());
        let entries = told.map(|(record, write)| self.entry(record, write)).collect();
        self.inner.store.end_consent(&self.consent.key, entries, open, self.inner.clock.now()).await?;
        failed.map(|()| done.len())
    }

    pub(super) fn ended(&self, outcome: Option<StepOutcome>) -> Result<RecordId, ProvisionError> {
        match outcome {
            Some(StepOutcome::Done { id }) => Ok(id),
            Some(StepOutcome::Refused(refusal)) => Err(self.refused(refusal)),
            Some(StepOutcome::NotSent { why, retry_after }) => {
                Err(ProvisionError::Busy { why, retry_after: retry_after.unwrap_or(SOON) })
            }
            // It is looked for before anything is sent again.
            Some(StepOutcome::Unknown { why }) => Err(ProvisionError::Busy { why, retry_after: LATER }),
            Some(StepOutcome::There) | None => Err(ProvisionError::Misconfigured(format!(
                "the org {} did not answer for every step",
                self.org.name()
            ))),
        }
    }

    fn refused(&self, refusal: Refusal) -> ProvisionError {
        let org = self.org.name().clone();
        ProvisionError::Refused { org, refusal: Box::new(refusal), attributes: Vec::new() }
    }

    fn entry(&self, record: &RecordId, write: &Write) -> (ResourceId, AuditEntry) {
        let evidence = |changed: &Changed| ConsentEvidence {
            event: self.consent.event.clone(),
            given: self.consent.given,
            regulation: self.consent.regulation.clone(),
            object: write.object.clone(),
            record: record.to_string(),
            field: changed.field.clone(),
            old: changed.old.clone(),
            new: changed.new.clone(),
        };
        let entry = AuditEntry {
            client: self.caller.client.clone(),
            action: "consent".to_owned(),
            fields: write
                .changed
                .iter()
                .map(|changed| format!("{}.{}", write.object, changed.field))
                .collect(),
            grants: Vec::new(),
            notes: if write.record.is_none() { vec!["made".to_owned()] } else { Vec::new() },
            consents: write.changed.iter().map(evidence).collect(),
            mapping: None,
        };
        (ResourceId::from_text(record.as_str()), entry)
    }
}

impl Write {
    fn is_something(&self) -> bool {
        self.step.is_some() || !self.changed.is_empty()
    }
}

fn intent(writes: &[Write]) -> Value {
    let of = |write: &Write| {
        let old = |changed: &Changed| (changed.field.clone(), changed.old.clone());
        (write.key(), write.changed.iter().map(old).collect())
    };
    serde_json::to_value(Intent(writes.iter().map(of).collect())).unwrap_or_default()
}
