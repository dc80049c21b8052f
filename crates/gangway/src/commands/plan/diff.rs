//! A plan for people: what is made, changed and deleted, and why.

use std::fmt;

use provisioning::IdentityPlan;
use salesforce_types::{Fields, Link, PlannedStep, RecordId, Step};
use serde::Serialize;
use serde_json::Value;

use crate::commands::{output, preview::shown};

/// How many steps of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct Counts {
    create: usize,
    update: usize,
    convert: usize,
    delete: usize,
    problems: usize,
}

impl Counts {
    pub(in crate::commands) fn of(plans: &[IdentityPlan]) -> Self {
        let mut counts = Self::default();
        for plan in plans {
            counts.problems += plan.problems.len();
            for planned in &plan.steps {
                match &planned.step {
                    Step::Create { .. } | Step::Upsert { .. } => counts.create += 1,
                    Step::Update { .. } | Step::Freeze { .. } => counts.update += 1,
                    Step::Convert { .. } => counts.convert += 1,
                    Step::Delete { .. } => counts.delete += 1,
                }
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to create, {} to update, {} to convert, {} to delete, {}",
            self.create,
            self.update,
            self.convert,
            self.delete,
            if self.problems == 1 { "1 problem".to_owned() } else { format!("{} problems", self.problems) }
        )
    }
}

/// Prints what would be done for one identity.
pub(super) fn show(plan: &IdentityPlan) {
    output::line(&format!("{} (version {})", plan.identity, plan.version.0));
    for planned in &plan.steps {
        for line in lines(planned, &plan.links) {
            output::line(&line);
        }
    }
    for problem in &plan.problems {
        output::line(&format!("  ! {problem}"));
    }
    for note in &plan.notes {
        output::line(&format!("    note {} {}: {}", note.code, note.field, note.detail));
    }
    output::line("");
}

/// One step: its head, and a line for each field.
fn lines(planned: &PlannedStep, known: &[Link]) -> Vec<String> {
    let place = format!("({} in {})", planned.target, planned.org);
    let reason = &planned.reason;
    match &planned.step {
        Step::Create { object, fields, refers, .. } => {
            let mut lines = vec![format!("  + {object} {place}: {reason}")];
            lines.extend(fields.iter().map(|(field, value)| given(field, value)));
            lines.extend(
                refers.keys().map(|field| format!("      {field} = the record of the step that leads")),
            );
            lines
        }
        Step::Upsert { object, key, value, fields, refers, .. } => {
            let mut lines = vec![format!("  + {object} {place}: {reason}")];
            lines.push(format!("      {key} = {value}"));
            lines.extend(fields.iter().map(|(field, value)| given(field, value)));
            lines.extend(
                refers.keys().map(|field| format!("      {field} = the record of the step that leads")),
            );
            lines
        }
        Step::Update { object, id, fields, .. } => {
            let before = known.iter().find(|link| link.record_id == *id).map(|link| &link.written);
            let mut lines = vec![format!("  ~ {object} {id} {place}: {reason}")];
            lines.extend(fields.iter().map(|(field, value)| changed(field, before, value)));
            lines
        }
        Step::Convert { lead, conversion } => {
            let mut lines = vec![format!("  > Lead {lead} becomes a Contact {place}: {reason}")];
            let id = |id: &RecordId| id.to_string();
            let settings = [
                ("account", conversion.account.as_ref().map(id)),
                ("contact", conversion.contact.as_ref().map(id)),
                ("owner", conversion.owner.as_ref().map(id)),
                ("status", conversion.status.clone()),
                ("opportunity", conversion.opportunity.clone()),
            ];
            let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
            lines.extend(settings.map(|(name, value)| format!("      {name} = {value}")));
            lines
        }
        Step::Freeze { user, frozen } => {
            let what = if *frozen { "is frozen" } else { "is let in again" };
            vec![format!("  ~ User {user} {what} {place}: {reason}")]
        }
        Step::Delete { object, id } => vec![format!("  - {object} {id} {place}: {reason}")],
    }
}

fn given(field: &str, value: &Value) -> String {
    format!("      {field} = {}", shown(value))
}

/// `Title  Analyst → Countess`. What Gangway never wrote is not known without asking.
fn changed(field: &str, before: Option<&Fields>, value: &Value) -> String {
    match before.and_then(|before| before.get(field)) {
        Some(old) => format!("      {field}  {} → {}", shown(old), shown(value)),
        None => format!("      {field}  … → {}", shown(value)),
    }
}

#[cfg(test)]
mod tests {
    use model::{OrgName, TargetName};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_update_shows_old_and_new_values() {
        let id = RecordId::parse("003000000000001AAA").unwrap();
        let (target, org) = (TargetName::new("customers").unwrap(), OrgName::new("acme").unwrap());
        let fields = |value: Value| serde_json::from_value::<Fields>(value).unwrap();
        let written = fields(json!({"Title": "Analyst"}));
        let link = Link::new(target.clone(), org.clone(), "Contact".to_owned(), id.clone(), written);
        let step = Step::Update {
            object: "Contact".to_owned(),
            id,
            fields: fields(json!({"Title": "Countess", "Phone": null})),
            manner: salesforce_types::Manner::default(),
        };
        let planned =
            PlannedStep { target, org, step, leading: true, reason: "the person changed".to_owned() };
        assert_eq!(
            lines(&planned, &[link]),
            [
                "  ~ Contact 003000000000001AAA (customers in acme): the person changed",
                "      Title  Analyst → Countess",
                "      Phone  … → (nothing)",
            ]
        );
    }
}
