//! `family_name`: Salesforce makes no user without a last name; many identity tools send none.

use scim_types::Resource;
use serde_json::Value;

use super::Normalised;
use crate::note::NoteCode;

/// The last name of a person: `name.familyName`, else what stands before the comma or last in `name.formatted` or
/// `displayName`, else `userName` up to its `@`, unless that is a UUID and the `externalId` too: what a
/// source of events calls somebody is nobody's name.
pub(super) fn of_user(user: &Resource) -> Normalised {
    let name = |part: &str| text(user.get("name").and_then(|name| name.get(part)));
    if let Some(family) = name("familyName") {
        return Normalised::Value(family.to_owned());
    }
    let whole = [(name("formatted"), "name.formatted"), (text(user.get("displayName")), "displayName")];
    let made = whole
        .into_iter()
        .find_map(|(whole, attribute)| Some((last_part(whole?)?, attribute)))
        .or_else(|| {
            let name = local_part(user.user_name()?)?;
            let is_key = is_uuid(name) && text(user.get("externalId")) == Some(name);
            (!is_key).then(|| (name.to_owned(), "userName"))
        });
    match made {
        Some((family, attribute)) => Normalised::Adapted(
            family.clone(),
            NoteCode::LastNameMade,
            format!(
                "the user has no `name.familyName`, which Salesforce requires; `{family}` is from `{attribute}`"
            ),
        ),
        None => Normalised::Absent,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// Words that stand before a family name and belong to it, in any case: Dutch, German, Romance, Nordic and Arabic.
const PREFIXES: [&str; 37] = [
    "'s", "'t", "’s", "’t", "af", "al", "am", "aan", "auf", "av", "ben", "bin", "da", "das", "de", "dei",
    "del", "dela", "della", "den", "der", "di", "do", "dos", "du", "el", "ibn", "in", "la", "le", "op", "te",
    "ten", "ter", "van", "von", "zu",
];
/// Words behind a family name that do not belong to it, without dots.
const SUFFIXES: [&str; 12] = ["bsc", "esq", "ii", "iii", "iv", "jr", "llm", "mba", "md", "msc", "phd", "sr"];

/// `Lovelace` of both `Ada Lovelace` and `Lovelace, Ada`; `van den Berg` of `Jan van den Berg`; `King` of `Ada King, PhD`.
fn last_part(whole: &str) -> Option<String> {
    if let Some((family, given)) = whole.split_once(',')
        && !family.trim().is_empty()
        && !is_suffix(given)
    {
        return Some(family.trim().to_owned());
    }
    let words: Vec<&str> =
        whole.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let last = words.len().checked_sub(1)?;
    // The first word is the given name, whatever it is.
    let end = words.iter().rposition(|word| !is_suffix(word)).filter(|end| *end > 0).unwrap_or(last);
    let is_prefix = |word: &str| PREFIXES.contains(&word.to_lowercase().as_str());
    let start = (1..end).rev().take_while(|at| is_prefix(words[*at])).last().unwrap_or(end);
    Some(words[start..=end].join(" "))
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&word.trim().replace('.', "").to_lowercase().as_str())
}

/// RFC 9562 §4: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    let groups = text
        .split('-')
        .map(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(group.len()));
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

fn local_part(user_name: &str) -> Option<&str> {
    let local = user_name.split('@').next().unwrap_or_default().trim();
    let whole = if local.is_empty() { user_name.trim() } else { local };
    (!whole.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests;
