//! `[[records]]`: records of any object, and what a customer has added to the org.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{OrgFile, OrgFileError, missing, refused};
use crate::{
    automation::Automation,
    ids::Id,
    org::{Actor, Org},
    request::Headers,
    rows,
    values::Source,
};

/// A record, created under the rules of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Record {
    object: String,
    /// A name by which records below it can refer to it: `AccountId = { ref = "acme" }`.
    #[serde(default, rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    fields: Map<String, Value>,
}

impl OrgFile {
    pub(super) fn add_records(&self, org: &mut Org, now: i64) -> Result<(), OrgFileError> {
        let actor = Actor { user: org.run_as, now };
        let mut known: HashMap<&str, Id> = HashMap::new();
        for record in &self.records {
            let what = || match &record.reference {
                Some(name) => format!("the {} \"{name}\"", record.object),
                None => format!("a record of {}", record.object),
            };
            let object = org.schema.object(&record.object).map(Arc::clone);
            let object = object.ok_or_else(|| missing("records", "object", &record.object))?;
            let mut fields = record.fields.clone();
            for value in fields.values_mut() {
                let Some(name) = value.get("ref").and_then(Value::as_str) else { continue };
                let id = known.get(name).ok_or_else(|| missing(&what(), "record", name))?;
                *value = json!(id.to_string());
            }
            let id = rows::create(org, &object, &fields, Source(""), &Headers::default(), actor)
                .map_err(|refusals| refused(&what(), &refusals))?;
            if let Some(name) = &record.reference {
                known.insert(name, id);
            }
        }
        Ok(())
    }

    /// Comes last: what is already there was there before the rules were.
    pub(super) fn add_automation(&self, org: &mut Org, now: i64) -> Result<(), OrgFileError> {
        let automation =
            Automation { validation_rules: self.validation_rules.clone(), triggers: self.triggers.clone() };
        let actor = Actor { user: org.run_as, now };
        automation
            .verify(org, actor)
            .map_err(|(name, refusal)| refused(&format!("the rule \"{name}\""), &[refusal]))?;
        org.automation = automation;
        Ok(())
    }
}
