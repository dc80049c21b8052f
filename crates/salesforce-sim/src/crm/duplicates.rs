//! The standard duplicate rules of accounts, contacts and leads: who is told that a record is there
//! already, and who may save it nevertheless.
//!
//! What counts as the same is in `data/match_rules.tsv`, in terms that `data/match_fields.tsv` gives every
//! object a field for. Salesforce also knows that Bob is Robert; here letters and digits decide.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    records,
    rules::Write,
    schema::Object,
    versions,
};

/// Object, duplicate rule, object that is searched, matching rule, what has to be the same: `|` is or.
const RULES: &str = include_str!("../../data/match_rules.tsv");
/// Object, term, field; `AccountId.Name` is the field of another record.
const FIELDS: &str = include_str!("../../data/match_fields.tsv");

const MESSAGE: &str = "Use one of these records?";

/// What a standard duplicate rule does when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// There are no duplicate rules.
    Off,
    /// Refused, unless the caller's header allows to save.
    Alert,
    /// Refused.
    Block,
}

/// Refuses a record that others are like.
pub(crate) fn check(org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
    let action = org.switches.duplicate_rules;
    let header = write.headers.duplicate_rules.as_deref().unwrap_or_default();
    if action == Action::Off || (action == Action::Alert && asks_for(header, "allowSave")) {
        return Ok(());
    }
    let mut name = "";
    let mut results = Vec::new();
    for rule in rules(&write.object.name).filter(|rule| rule.concerns(org, row, write)) {
        let found = rule.matches(org, row, write);
        if !found.is_empty() {
            name = rule.told_by;
            results.push(rule.result(org, &found, asks_for(header, "includeRecordDetails")));
        }
    }
    if results.is_empty() {
        return Ok(());
    }
    // Salesforce's own spelling.
    let detail = json!({"duplicateResut": {
        "allowSave": action == Action::Alert,
        "duplicateRule": name,
        "duplicateRuleEntityType": write.object.name,
        "errorMessage": MESSAGE,
        "matchResults": results,
    }});
    let refusal = Refusal::record("DUPLICATES_DETECTED", MESSAGE, &[]);
    Err(vec![refusal.with_detail(detail)])
}

/// Whether a header such as `allowSave=true, includeRecordDetails=false` has an option on.
fn asks_for(header: &str, option: &str) -> bool {
    header.split([',', ';']).filter_map(|part| part.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case(option) && value.trim().eq_ignore_ascii_case("true")
    })
}

/// One line of `data/match_rules.tsv`.
struct Rule {
    /// The duplicate rule that asks.
    told_by: &'static str,
    searched: &'static str,
    name: &'static str,
    clauses: &'static str,
}

fn rules(object: &str) -> impl Iterator<Item = Rule> {
    let lines =
        RULES.lines().filter_map(|line| <[&str; 5]>::try_from(line.split('\t').collect::<Vec<_>>()).ok());
    lines.filter(move |line| line[0] == object).map(|[_, told_by, searched, name, clauses]| Rule {
        told_by,
        searched,
        name,
        clauses,
    })
}

impl Rule {
    fn clauses(&self) -> impl Iterator<Item = Vec<&'static str>> {
        self.clauses.split('|').map(|clause| clause.split(' ').collect())
    }

    /// A change of something else brings no new duplicate.
    fn concerns(&self, org: &Org, row: &Row, write: &Write<'_>) -> bool {
        let Some(before) = write.before else { return true };
        let changed =
            |term: &&str| value(org, write.object, before, term) != value(org, write.object, row, term);
        self.clauses().flatten().any(|term| changed(&term))
    }

    /// The records that are like `row` by one of the clauses, oldest first.
    fn matches(&self, org: &Org, row: &Row, write: &Write<'_>) -> Vec<Id> {
        let Some(searched) = org.schema.object(self.searched) else { return Vec::new() };
        let mut found = Vec::new();
        for clause in self.clauses() {
            let wanted: Option<Vec<(&str, String)>> =
                clause.iter().map(|term| Some((*term, value(org, write.object, row, term)?))).collect();
            let Some(wanted) = wanted else { continue };
            for other in candidates(org, searched, write.object, row, &clause) {
                let alike = wanted
                    .iter()
                    .all(|(term, text)| value(org, searched, &other, term).as_ref() == Some(text));
                let id = other.get(0).as_id();
                if alike && id != row.get(0).as_id() && !is_past(org, searched, &other) {
                    found.extend(id);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn result(&self, org: &Org, found: &[Id], with_fields: bool) -> Value {
        let records: Vec<Value> = found
            .iter()
            .filter_map(|id| Some((org.object_of(*id)?, org.record(*id)?)))
            .map(|(object, row)| {
                let fields = (!with_fields).then_some(&[][..]);
                json!({
                    "additionalInformation": [],
                    "fieldDiffs": [],
                    "matchConfidence": 100.0,
                    "record": records::record(object, row, fields, versions::NEWEST),
                })
            })
            .collect();
        json!({
            "entityType": self.searched,
            "errors": [],
            "matchEngine": "FuzzyMatchEngine",
            "matchRecords": records,
            "rule": self.name,
            "size": found.len(),
            "success": true,
        })
    }
}

/// A converted lead is the contact that it became, and the lead that is being converted is no duplicate of it.
fn is_past(org: &Org, object: &Object, row: &Row) -> bool {
    object.field("IsConverted").is_some_and(|field| row.get(field.index).as_bool())
        || (org.crm.converting.is_some() && row.get(0).as_id() == org.crm.converting)
}

/// Records that may be alike by this clause: those with the rarest of its indexed values.
fn candidates(org: &Org, searched: &Object, object: &Object, row: &Row, clause: &[&str]) -> Vec<Arc<Row>> {
    let table = org.table(searched);
    let slots = clause.iter().filter_map(|term| {
        let field =
            searched.field(field_of(&searched.name, term)?).filter(|field| table.is_indexed(field.index))?;
        let own = object.field(field_of(&object.name, term)?)?;
        Some(table.find(field.index, row.get(own.index)))
    });
    let slots = slots.min_by_key(Vec::len).unwrap_or_default();
    slots.iter().filter_map(|slot| table.row(*slot).cloned()).collect()
}

fn field_of(object: &str, term: &str) -> Option<&'static str> {
    FIELDS.lines().find_map(|line| {
        line.strip_prefix(object)?.strip_prefix('\t')?.strip_prefix(term)?.strip_prefix('\t')
    })
}

/// What a record has for a term, so written that alike values are equal; `None` for nothing.
fn value(org: &Org, object: &Object, row: &Row, term: &str) -> Option<String> {
    let path = field_of(&object.name, term)?;
    let text = match path.split_once('.') {
        None => row.get(object.field(path)?.index).as_text()?.to_owned(),
        Some((reference, name)) => {
            let parent = row.get(object.field(reference)?.index).as_id()?;
            let field = org.object_of(parent)?.field(name)?.index;
            org.record(parent)?.get(field).as_text()?.to_owned()
        }
    };
    let alike: String = match term {
        "phone" => text.chars().filter(char::is_ascii_digit).collect(),
        "website" => {
            let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest).to_lowercase();
            rest.trim_start_matches("www.").split('/').next().unwrap_or_default().to_owned()
        }
        "email" => text.to_lowercase(),
        _ => text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect(),
    };
    (!alike.is_empty()).then_some(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        assert!(asks_for("allowSave=true, includeRecordDetails=false", "allowSave"));
        assert!(asks_for("includeRecordDetails=false;ALLOWSAVE = True", "allowSave"));
        assert!(!asks_for("allowSave=false", "allowSave"));
        assert!(!asks_for("", "allowSave"));
    }

    #[test]
    fn every_term_has_a_field_in_both_objects() {
        for line in RULES.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let terms = columns[4].split('|').flat_map(|clause| clause.split(' '));
            for term in terms {
                assert!(field_of(columns[0], term).is_some(), "{} {term}", columns[0]);
                assert!(field_of(columns[2], term).is_some(), "{} {term}", columns[2]);
            }
        }
    }
}
