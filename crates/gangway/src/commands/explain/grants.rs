//! `gangway explain IDENTITY grants`: what an identity has been given, and what the rules give it.

use model::Timestamp;
use salesforce_types::Grant;
use scim_types::Resource;
use serde_json::{Map, Value, json};
use store::{Ledger, sqlite::SqliteStore};
use translation::{Mapping, Note, RuleInFile, Ruled};

use super::{Failure, Identity, Output, output};

/// The word that stands in the place of a field; no field of Salesforce's is called so.
pub(super) const WORD: &str = "grants";

/// Says which rules give the identity what, as the mapping and the identity are now, and what the ledger has.
pub(super) async fn run(
    store: &SqliteStore,
    identity: &Identity,
    mapping: Option<&Mapping>,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let ledger = store.grants(&identity.tenant, identity.id()).await?;
    let (asked, notes) = match mapping {
        Some(mapping) => mapping.ruled(&person(identity)?, now),
        None => (Vec::new(), Vec::new()),
    };
    let rules: Vec<(Ruled, Option<RuleInFile>)> = asked
        .into_iter()
        .map(|ruled| (ruled.clone(), mapping.and_then(|mapping| mapping.grant_in_file(&ruled.rule))))
        .collect();
    match output {
        Output::Json => output::document(&json!({
            "identity": identity.id(),
            "tenant": identity.tenant,
            "rules": rules.iter().map(|(ruled, place)| json!({ "ruled": ruled, "rule": place })).collect::<Vec<_>>(),
            "notes": notes,
            "ledger": ledger,
        })),
        Output::Table => show(&rules, &notes, &ledger),
    }
    Ok(())
}

/// The identity with its groups, as rules see it.
fn person(identity: &Identity) -> Result<Resource, Failure> {
    let mut attributes: Map<String, Value> = serde_json::from_str(&identity.resource.body)
        .map_err(|error| Failure::Failed(format!("the identity cannot be read: {error}")))?;
    let groups = identity.resource.groups.iter().map(store::GroupRef::element).collect();
    attributes.insert("groups".to_owned(), Value::Array(groups));
    Ok(Resource::from_map(attributes))
}

fn show(rules: &[(Ruled, Option<RuleInFile>)], notes: &[Note], ledger: &[Grant]) {
    if rules.is_empty() {
        output::line("No rule of the mapping gives it anything.");
    } else {
        output::table(
            ["the rules give", "in the target", "by the rule", "until"],
            rules.iter().map(rule_row),
        );
    }
    for note in notes {
        output::line(&format!("note  {} {}: {}", note.code, note.field, note.detail));
    }
    if ledger.is_empty() {
        output::line("The ledger has nothing of it.");
    } else {
        output::table(
            ["the ledger has", "called", "in the target", "state", "asked for by", "since", "until"],
            ledger.iter().map(ledger_row),
        );
    }
}

fn rule_row((ruled, place): &(Ruled, Option<RuleInFile>)) -> [String; 4] {
    let place = place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
    [
        format!("{}:{}", ruled.kind, ruled.name),
        ruled.target.as_ref().map_or_else(|| "every target of Users".to_owned(), ToString::to_string),
        format!("{}{place}", ruled.rule),
        until(ruled.until),
    ]
}

fn ledger_row(grant: &Grant) -> [String; 7] {
    let asked: Vec<String> = grant.asked.iter().map(|ask| ask.by.to_string()).collect();
    let state = match &grant.reason {
        Some(reason) => format!("{}: {reason}", grant.state.as_str()),
        None => grant.state.as_str().to_owned(),
    };
    [
        grant.of.to_string(),
        grant.name.clone(),
        format!("{} in {}", grant.target, grant.org),
        state,
        if asked.is_empty() { "nobody".to_owned() } else { asked.join("; ") },
        grant.since.to_string(),
        until(grant.until),
    ]
}

fn until(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for good".to_owned(), |until| until.to_string())
}
