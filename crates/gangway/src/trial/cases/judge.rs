//! What was expected against what was found.

use std::{collections::BTreeSet, ops::Range};

use serde_json::Value;
use toml::Spanned;

use super::document::Expect;
use crate::trial::{Trial, TriedField};

/// What differs, each with the place of the expectation. None: nothing in the file expected it.
type Differences = Vec<(Option<Range<usize>>, String)>;

pub(super) fn judge(expect: &Expect, trial: &Trial) -> Differences {
    let mut differences = Vec::new();
    holds(expect, trial, &mut differences);
    fields(expect, trial, &mut differences);
    absent(expect, trial, &mut differences);
    grants(expect, trial, &mut differences);
    notes(expect, trial, &mut differences);
    refusals(expect, trial, &mut differences);
    differences
}

fn holds(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    let Some(expected) = &expect.holds else { return };
    if *expected.get_ref() != trial.holding.holds {
        let what = if trial.holding.holds { "the person holds" } else { "the person does not hold" };
        let what = format!("{what} the target {}: {}", trial.target, trial.holding.why);
        differences.push((Some(expected.span()), what));
    }
}

fn fields(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    for (name, expected) in &expect.fields {
        let found = found(trial, name.get_ref());
        let is_it = found.is_some_and(|field| same(expected.get_ref(), field));
        if !is_it {
            let what = format!(
                "{}: expected {}, found {}",
                name.get_ref(),
                shown(Some(expected.get_ref())),
                shown(found.map(|field| &field.value))
            );
            differences.push((Some(expected.span()), what));
        }
    }
    if expect.only {
        let named = |field: &TriedField| {
            expect.fields.keys().any(|name| name.get_ref().eq_ignore_ascii_case(&field.field))
        };
        for field in trial.fields.iter().filter(|field| !field.value.is_null() && !named(field)) {
            let what = format!(
                "{}: found {}, and `only` the others are expected",
                field.field,
                shown(Some(&field.value))
            );
            differences.push((None, what));
        }
    }
}

fn absent(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    for name in &expect.absent {
        if let Some(field) = found(trial, name.get_ref()).filter(|field| !field.value.is_null()) {
            let what = format!("{}: expected no value, found {}", name.get_ref(), shown(Some(&field.value)));
            differences.push((Some(name.span()), what));
        }
    }
}

fn grants(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    // Whoever does not hold the target gets nothing there.
    let given = || trial.grants.iter().map(|grant| &grant.ruled).filter(|_| trial.holding.holds);
    for wanted in &expect.grants {
        if !given().any(|ruled| wanted.get_ref().is(ruled)) {
            let given: Vec<String> = given().map(|ruled| format!("{}:{}", ruled.kind, ruled.name)).collect();
            let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
            differences
                .push((Some(wanted.span()), format!("grants: expected {}, found {given}", wanted.get_ref())));
        }
    }
    for unwanted in &expect.no_grants {
        if let Some(ruled) = given().find(|ruled| unwanted.get_ref().is(ruled)) {
            let what = format!("grants: found {}:{}, by the rule {}", ruled.kind, ruled.name, ruled.rule);
            differences.push((Some(unwanted.span()), what));
        }
    }
}

fn notes(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    let Some(expected) = &expect.notes else { return };
    let found: BTreeSet<&str> = trial.notes.iter().map(|note| note.code.as_str()).collect();
    compare("notes", expected, &found, differences);
}

fn refusals(expect: &Expect, trial: &Trial, differences: &mut Differences) {
    let found: BTreeSet<&str> = trial.refusals.iter().map(|refusal| refusal.field.as_str()).collect();
    match &expect.refusals {
        Some(expected) => compare("refusals", expected, &found, differences),
        // Of somebody who does not hold the target nothing is written.
        None if !trial.holding.holds => {}
        None => {
            for refusal in &trial.refusals {
                let what = format!("{}: Salesforce would refuse it: {}", refusal.field, refusal.detail);
                differences.push((None, what));
            }
        }
    }
}

fn compare(
    what: &str,
    expected: &Spanned<Vec<String>>,
    found: &BTreeSet<&str>,
    differences: &mut Differences,
) {
    let wanted: BTreeSet<&str> = expected.get_ref().iter().map(String::as_str).collect();
    if wanted != *found {
        let list = |set: &BTreeSet<&str>| {
            if set.is_empty() {
                "none".to_owned()
            } else {
                set.iter().copied().collect::<Vec<_>>().join(", ")
            }
        };
        let what = format!("{what}: expected {}, found {}", list(&wanted), list(found));
        differences.push((Some(expected.span()), what));
    }
}

fn found<'t>(trial: &'t Trial, name: &str) -> Option<&'t TriedField> {
    trial.fields.iter().find(|field| field.field.eq_ignore_ascii_case(name))
}

/// Of a field that nothing is known of the text counts: whether it holds `true` or `"true"` only the org can say.
fn same(expected: &Value, field: &TriedField) -> bool {
    *expected == field.value || (!field.checked && text(expected) == text(&field.value))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing: it is left alone".to_owned(),
        Some(Value::Null) => "nothing: it is emptied".to_owned(),
        Some(value) => value.to_string(),
    }
}
