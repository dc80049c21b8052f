//! `@{reference.path}`: the answers of earlier parts, used by later ones.

use std::collections::HashMap;

use serde_json::Value;

use super::Part;
use crate::errors::Refusal;

/// The bodies of the parts that succeeded, by their reference.
pub(super) type Answers = HashMap<String, Value>;

/// Puts earlier answers in the place of `@{reference.path}` in the URL and the body.
pub(super) fn resolve(mut part: Part, answers: &Answers) -> Result<Part, Refusal> {
    part.url = replace(&part.url, answers)?;
    if let Some(body) = &mut part.body {
        resolve_value(body, answers, 0)?;
    }
    Ok(part)
}

fn resolve_value(value: &mut Value, answers: &Answers, depth: usize) -> Result<(), Refusal> {
    match value {
        Value::String(text) if text.contains("@{") => *text = replace(text, answers)?,
        // The parser takes no deeper value than this.
        Value::Array(list) if depth < 128 => {
            for each in list {
                resolve_value(each, answers, depth + 1)?;
            }
        }
        Value::Object(map) if depth < 128 => {
            for each in map.values_mut() {
                resolve_value(each, answers, depth + 1)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn replace(text: &str, answers: &Answers) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("@{") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            rest = &rest[start..];
            break;
        };
        out.push_str(&look_up(&inner[..end], answers)?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `ref.records[0].Id`
fn look_up(expression: &str, answers: &Answers) -> Result<String, Refusal> {
    let (reference, path) = expression.split_once('.').unwrap_or((expression, ""));
    let refusal = || {
        let message = format!("Invalid reference specified. No value for {expression} found in {reference}.");
        Refusal::call(400, "PROCESSING_HALTED", message)
    };
    let (name, index) = indexed(reference);
    let mut value = answers.get(name).ok_or_else(refusal)?;
    if let Some(index) = index {
        value = value.get(index).ok_or_else(refusal)?;
    }
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, index) = indexed(step);
        value = value.get(name).ok_or_else(refusal)?;
        if let Some(index) = index {
            value = value.get(index).ok_or_else(refusal)?;
        }
    }
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(refusal()),
    }
}

/// `records[0]`
fn indexed(step: &str) -> (&str, Option<usize>) {
    let parts = step.strip_suffix(']').and_then(|step| step.split_once('['));
    match parts.and_then(|(name, index)| Some((name, index.parse().ok()?))) {
        Some((name, index)) => (name, Some(index)),
        None => (step, None),
    }
}

/// The references that a part names.
pub(super) fn named(part: &Part) -> Vec<&str> {
    let mut names = Vec::new();
    collect(&part.url, &mut names);
    if let Some(body) = &part.body {
        collect_value(body, &mut names);
    }
    names
}

fn collect<'a>(text: &'a str, names: &mut Vec<&'a str>) {
    for rest in text.split("@{").skip(1) {
        names.extend(rest.split(['.', '[', '}']).next());
    }
}

fn collect_value<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => collect(text, names),
        Value::Array(list) => list.iter().for_each(|each| collect_value(each, names)),
        Value::Object(map) => map.values().for_each(|each| collect_value(each, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_reach_into_earlier_answers() {
        let answers = HashMap::from([
            ("u".to_owned(), json!({"id": "005"})),
            ("q".to_owned(), json!({"records": [{"Id": "00e", "n": 3}]})),
            ("c".to_owned(), json!([{"id": "x"}])),
        ]);
        let replace = |text: &str| replace(text, &answers);
        assert_eq!(replace("/User/@{u.id}").unwrap(), "/User/005");
        assert_eq!(replace("@{q.records[0].Id}-@{q.records[0].n}").unwrap(), "00e-3");
        assert_eq!(replace("@{c[0].id}").unwrap(), "x");
        assert_eq!(replace("a @{ b").unwrap(), "a @{ b");
        let message = replace("@{u.name}").unwrap_err().message;
        assert_eq!(message, "Invalid reference specified. No value for u.name found in u.");
        assert!(replace("@{U.id}").is_err());
        assert!(replace("@{q.records[9].Id}").is_err());
    }
}
