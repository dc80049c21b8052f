//! Journal, calls, evidence: how what is to be written of a consent comes into the org and into the audit.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use model::{ResourceId, Timestamp};
use salesforce_types::{RecordId, Refusal, Step, StepOutcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{AuditEntry, ConsentEvidence};

use super::{LATER, Problem, Run, SOON, Stance};
use crate::ProvisionError;

/// What is to be written to one record.
#[derive(Clone, Debug)]
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
    pub(super) stance: Stance,
}

/// What came of writes.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// How many records were changed.
    pub(super) records: usize,
    /// Whether something was written, or may have been.
    pub(super) reached: bool,
    /// Why something was not.
    pub(super) problem: Problem,
}

/// What an event is about to write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Of each record, by its id or what it is made as, the values that are there before.
    before: BTreeMap<String, BTreeMap<String, Value>>,
    /// When what is made was sent, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Timestamp>,
}

/// Under which key the intent has what is made.
pub(super) fn made_as(object: &str, name: &str) -> String {
    format!("new {object} {name}")
}

impl Intent {
    fn add(&mut self, write: &Write) {
        let old = write.changed.iter().map(|changed| (changed.field.clone(), changed.old.clone()));
        self.before.entry(write.key()).or_default().extend(old);
    }
}

impl Write {
    fn key(&self) -> String {
        self.record.as_ref().map_or_else(|| made_as(&self.object, &self.name), ToString::to_string)
    }

    fn is_something(&self) -> bool {
        self.step.is_some() || !self.changed.is_empty()
    }

    /// After it was refused: its opt-outs by themselves, and where that was refused as well, each by itself. What else is in it
    /// must not keep an opt-out from being written.
    fn narrower(&self) -> Vec<Self> {
        let out = |changed: &&Changed| changed.stance == Stance::Out;
        let outs: Vec<&str> = self.changed.iter().filter(out).map(|changed| changed.field.as_str()).collect();
        if outs.len() < self.changed.len() {
            return self.only(&outs).into_iter().collect();
        }
        if self.record.is_none() || outs.len() < 2 {
            return Vec::new();
        }
        outs.iter().filter_map(|out| self.only(&[out])).collect()
    }

    /// The same with no other choices than those in these fields.
    fn only(&self, fields: &[&str]) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let mut write = self.clone();
        let left_out = |field: &str| !fields.contains(&field);
        if let Some(Step::Create { fields, .. } | Step::Update { fields, .. } | Step::Upsert { fields, .. }) =
            &mut write.step
        {
            for changed in self.changed.iter().filter(|changed| left_out(&changed.field)) {
                fields.shift_remove(&changed.field);
            }
        }
        write.changed.retain(|changed| !left_out(&changed.field));
        Some(write)
    }
}

impl Run<'_> {
    /// What the field of a record held before an earlier attempt of this event, where that was about to write it.
    pub(super) fn before(&self, record: &str, object: &str, field: &str) -> Option<&Value> {
        self.before_named(record, object, "", field)
    }

    /// The same of a record that may have been made under a name.
    pub(super) fn before_named(&self, record: &str, object: &str, name: &str, field: &str) -> Option<&Value> {
        let begun = &self.begun.as_ref()?.before;
        begun.get(record).or_else(|| begun.get(&made_as(object, name)))?.get(field)
    }

    /// What a field held after an earlier attempt of this event: what the first newer choice found there, or what it holds now.
    pub(super) async fn held_since(
        &self,
        record: &RecordId,
        field: &str,
        held: Option<&Value>,
    ) -> Result<Value, ProvisionError> {
        let id = ResourceId::from_text(record.as_str());
        let history = self.inner.store.audit_of(&self.caller.tenant, &id).await?;
        let evidence = history.into_iter().flat_map(|audited| audited.entry.consents);
        let mut newer =
            evidence.filter(|evidence| evidence.field == field && evidence.given > self.consent.given);
        Ok(newer.next().map_or_else(|| held.cloned().unwrap_or_default(), |evidence| evidence.old))
    }

    /// Whether something that is not there may be made. Where an earlier attempt was about to, and nobody has heard of the end, it
    /// may still come to be there: a call whose connection was cut can be under way.
    pub(super) fn may_make(&self, key: &str) -> Result<(), ProvisionError> {
        let Some(begun) = self.begun.as_ref().filter(|begun| begun.before.contains_key(key)) else {
            return Ok(());
        };
        let Some(sent) = begun.sent else { return Ok(()) };
        let passed = self.inner.clock.now().duration_since(sent);
        let left = SignedDuration::try_from(LATER).unwrap_or_default() - passed;
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => Err(ProvisionError::Busy {
                why: "it may have been made by an attempt whose end is not known: it is looked for again"
                    .into(),
                retry_after: left,
            }),
            _ => Ok(()),
        }
    }

    /// What is about to be made by a call of its own. Durable when it returns.
    pub(super) async fn begin_making(&mut self, key: &str) -> Result<(), ProvisionError> {
        let mut intent = self.begun.clone().unwrap_or_default();
        intent.before.entry(key.to_owned()).or_default();
        intent.sent = Some(self.inner.clock.now());
        self.begin(intent).await
    }

    /// What was about to be made is there, or certainly is not.
    pub(super) fn end_making(&mut self, key: &str) {
        if let Some(begun) = &mut self.begun {
            begun.before.remove(key);
        }
    }

    /// The journal for these writes, and for what may still come to be made.
    fn intent(&self, writes: &[Write], sent: Option<Timestamp>) -> Option<Intent> {
        if writes.is_empty() && self.unclear.is_empty() {
            return None;
        }
        let before = self.begun.as_ref().and_then(|begun| begun.sent).filter(|_| !self.unclear.is_empty());
        let mut intent = Intent { sent: sent.or(before), ..Intent::default() };
        for key in &self.unclear {
            let known = self.begun.as_ref().and_then(|begun| begun.before.get(key));
            intent.before.insert(key.clone(), known.cloned().unwrap_or_default());
        }
        for write in writes {
            intent.add(write);
        }
        Some(intent)
    }

    /// Nothing is to be written any more.
    pub(super) async fn forget(&mut self) -> Result<(), ProvisionError> {
        if self.begun.is_some() {
            self.end(Vec::new(), self.intent(&[], None)).await?;
        }
        Ok(())
    }

    async fn end(
        &mut self,
        entries: Vec<(ResourceId, AuditEntry)>,
        open: Option<Intent>,
    ) -> Result<(), ProvisionError> {
        let json = open.as_ref().map(|open| serde_json::to_value(open).unwrap_or_default());
        self.inner.store.end_consent(&self.consent.key, entries, json, self.inner.clock.now()).await?;
        self.begun = open;
        Ok(())
    }

    async fn begin(&mut self, intent: Intent) -> Result<(), ProvisionError> {
        let json = serde_json::to_value(&intent).unwrap_or_default();
        self.inner.store.begin_consent(&self.consent.key, &json).await?;
        self.begun = Some(intent);
        Ok(())
    }

    /// Writes what is to be written, with its evidence. Of what Salesforce refuses, the opt-outs are tried without the rest. Where
    /// some could not be written now, the evidence of the others is kept, and the old values of these.
    ///
    /// # Errors
    ///
    /// The store's; what Salesforce says is in the answer.
    pub(super) async fn commit(&mut self, writes: Vec<Write>) -> Result<Committed, ProvisionError> {
        let writes: Vec<Write> = writes.into_iter().filter(Write::is_something).collect();
        if writes.is_empty() {
            self.forget().await?;
            return Ok(Committed::default());
        }
        let sends = writes.iter().any(|write| write.step.is_some());
        let makes = writes.iter().any(|write| write.step.is_some() && write.record.is_none());
        let sent = makes.then(|| self.inner.clock.now());
        if sends && let Some(intent) = self.intent(&writes, sent) {
            self.begin(intent).await?;
        }
        let mut answer = Committed::default();
        let (mut done, mut open) = (Vec::new(), Vec::new());
        let mut round = writes;
        while !round.is_empty() {
            let steps: Vec<Step> = round.iter().filter_map(|write| write.step.clone()).collect();
            let outcomes =
                if steps.is_empty() { Vec::new() } else { self.org.act(&steps, &self.ticket).await };
            let mut outcomes = outcomes.into_iter();
            let mut next = Vec::new();
            for write in round {
                let outcome = match (&write.step, &write.record) {
                    (None, Some(record)) => Some(StepOutcome::Done { id: record.clone() }),
                    (None, None) => continue,
                    (Some(_), _) => outcomes.next(),
                };
                let is_unknown = matches!(outcome, Some(StepOutcome::Unknown { .. }));
                match self.ended(outcome) {
                    Ok(record) => done.push((record, write)),
                    Err(error) => {
                        if error.is_final_refusal() {
                            next.extend(write.narrower());
                        } else if write.record.is_some() || is_unknown {
                            // What was certainly not made has no values of before.
                            if write.record.is_none() {
                                self.unclear.push(write.key());
                            }
                            open.push(write);
                        }
                        answer.reached |= is_unknown;
                        answer.problem.add(error);
                    }
                }
            }
            round = next;
        }
        let open = self.intent(&open, sent);
        // What only confirms what stood there before changes no value.
        let told = done.iter().filter(|(_, write)| !write.changed.is_empty());
        let entries = told.map(|(record, write)| self.entry(record, write)).collect();
        self.end(entries, open).await?;
        let records: BTreeSet<&str> = done.iter().map(|(record, _)| record.as_str()).collect();
        answer.records = records.len();
        answer.reached |= answer.records > 0;
        Ok(answer)
    }

    fn ended(&self, outcome: Option<StepOutcome>) -> Result<RecordId, ProvisionError> {
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

    pub(super) fn refused(&self, refusal: Refusal) -> ProvisionError {
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

#[cfg(test)]
mod tests {
    use salesforce_types::{Fields, Manner};
    use serde_json::json;

    use super::*;

    fn write(record: Option<&str>, choices: &[(&str, Stance)]) -> Write {
        let changed = |(field, stance): &(&str, Stance)| Changed {
            field: (*field).to_owned(),
            old: Value::Null,
            new: json!(true),
            stance: *stance,
        };
        let mut fields: Fields =
            choices.iter().map(|(field, _)| ((*field).to_owned(), json!(true))).collect();
        let record = record.map(|id| RecordId::parse(id).unwrap());
        let (object, manner) = ("Contact".to_owned(), Manner::default());
        let step = if let Some(id) = record.clone() {
            Step::Update { object, id, fields, manner }
        } else {
            fields.insert("LastName".into(), json!("(unknown)"));
            Step::Create { object, fields, refers: salesforce_types::References::new(), manner }
        };
        Write {
            object: "Contact".into(),
            name: String::new(),
            record,
            step: Some(step),
            changed: choices.iter().map(changed).collect(),
        }
    }

    fn sent(write: &Write) -> Vec<&str> {
        write.step.as_ref().unwrap().fields().keys().map(String::as_str).collect()
    }

    #[test]
    fn of_what_is_refused_the_opt_outs_are_tried_alone_and_then_each() {
        let whole = write(
            Some("003000000000001AAA"),
            &[("Email", Stance::Out), ("Topics", Stance::In), ("Phone", Stance::Out), ("At", Stance::Beside)],
        );
        let outs = whole.narrower();
        assert_eq!(outs.iter().map(sent).collect::<Vec<_>>(), [["Email", "Phone"]]);
        assert_eq!(outs[0].changed.len(), 2, "the evidence is of what is sent");
        let each = outs[0].narrower();
        assert_eq!(each.iter().map(sent).collect::<Vec<_>>(), [["Email"], ["Phone"]]);
        assert!(each.iter().all(|one| one.narrower().is_empty()), "it comes to an end");
        let opt_in = write(Some("003000000000001AAA"), &[("Topics", Stance::In), ("At", Stance::Beside)]);
        assert!(opt_in.narrower().is_empty());
    }

    #[test]
    fn what_is_made_keeps_what_it_needs() {
        let whole = write(None, &[("Email", Stance::Out), ("Topics", Stance::In), ("Phone", Stance::Out)]);
        let outs = whole.narrower();
        assert_eq!(outs.iter().map(sent).collect::<Vec<_>>(), [["Email", "Phone", "LastName"]]);
        assert!(outs[0].narrower().is_empty(), "nobody is made twice");
    }
}
