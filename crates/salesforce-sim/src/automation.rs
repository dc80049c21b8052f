//! What a customer has added to the org: validation rules, and triggers and flows that fail. Declared in the
//! org file.

use serde::Deserialize;

use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    org::{Actor, Org},
    schema::Object,
    soql,
};

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Automation {
    pub(crate) validation_rules: Vec<ValidationRule>,
    pub(crate) triggers: Vec<Trigger>,
}

/// Refuses a record of which a condition is true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ValidationRule {
    pub(crate) object: String,
    /// As behind `WHERE`.
    pub(crate) when: String,
    pub(crate) message: String,
    /// Where the message is shown; without it, at the top of the page.
    #[serde(default)]
    pub(crate) field: Option<String>,
}

/// Code that fails whenever it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Trigger {
    pub(crate) object: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: TriggerKind,
    /// On which operations; on all if empty.
    #[serde(default)]
    pub(crate) on: Vec<Event>,
    /// For which records; for all if absent.
    #[serde(default)]
    pub(crate) when: Option<String>,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TriggerKind {
    #[default]
    Apex,
    Flow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Insert,
    Update,
    Delete,
}

/// Why a record is refused, in the order of Salesforce: triggers that run before a save come first, then
/// all validation rules that fail.
pub(crate) fn check(
    org: &Org,
    object: &Object,
    row: &Row,
    event: Event,
    actor: Actor,
) -> Result<(), Refusals> {
    let holds = |when: &str| soql::holds(org, &object.name, when, row, actor).unwrap_or(false);
    let own = |name: &str| name.eq_ignore_ascii_case(&object.name);
    let mut triggers = org.automation.triggers.iter().filter(|trigger| own(&trigger.object));
    let struck = triggers.find(|trigger| {
        (trigger.on.is_empty() || trigger.on.contains(&event)) && trigger.when.as_deref().is_none_or(holds)
    });
    if let Some(trigger) = struck {
        return Err(vec![trigger.refusal(event)]);
    }
    if event == Event::Delete {
        return Ok(());
    }
    let rules = org.automation.validation_rules.iter().filter(|rule| own(&rule.object));
    let refusals: Refusals = rules.filter(|rule| holds(&rule.when)).map(ValidationRule::refusal).collect();
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}

impl Automation {
    /// What is wrong with a declaration: its name, and why.
    pub(crate) fn verify(&self, org: &Org, actor: Actor) -> Result<(), (String, Refusal)> {
        let conditions = self
            .validation_rules
            .iter()
            .map(|rule| (&rule.message, &rule.object, Some(rule.when.as_str())))
            .chain(self.triggers.iter().map(|t| (&t.name, &t.object, t.when.as_deref())));
        for (name, object, when) in conditions {
            let condition = when.unwrap_or("Id != null");
            soql::holds(org, object, condition, &Row::default(), actor)
                .map_err(|refusal| (name.clone(), refusal))?;
        }
        Ok(())
    }
}

impl ValidationRule {
    fn refusal(&self) -> Refusal {
        let fields: Vec<&str> = self.field.iter().map(String::as_str).collect();
        Refusal::record("FIELD_CUSTOM_VALIDATION_EXCEPTION", self.message.clone(), &fields)
    }
}

impl Trigger {
    fn refusal(&self, event: Event) -> Refusal {
        let Self { name, message, .. } = self;
        match self.kind {
            TriggerKind::Apex => {
                let text = format!("{name}: execution of Before{event:?}\n\ncaused by: {message}");
                Refusal::record("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text, &[])
            }
            TriggerKind::Flow => {
                let text = format!(
                    "We can't save this record because the \u{201c}{name}\u{201d} process failed. Give your \
                     Salesforce admin these details.\n\n{message}"
                );
                Refusal::record("CANNOT_EXECUTE_FLOW_TRIGGER", text, &[])
            }
        }
    }
}
