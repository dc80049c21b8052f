//! `family_name`: Salesforce makes no user without a last name; many identity tools send none.

use scim_types::Resource;
use serde_json::Value;

use super::Normalised;
use crate::note::NoteCode;

/// The last name of a person: `name.familyName`, else what stands before the comma or last in `name.formatted` or
/// `displayName`, else `userName` up to its `@`.
pub(super) fn of_user(user: &Resource) -> Normalised {
    let name = |part: &str| text(user.get("name").and_then(|name| name.get(part)));
    if let Some(family) = name("familyName") {
        return Normalised::Value(family.to_owned());
    }
    let whole = [(name("formatted"), "name.formatted"), (text(user.get("displayName")), "displayName")];
    let made = whole
        .into_iter()
        .find_map(|(whole, attribute)| Some((last_part(whole?)?, attribute)))
        .or_else(|| Some((local_part(user.user_name()?)?, "userName")));
    match made {
        Some((family, attribute)) => Normalised::Adapted(
            family.to_owned(),
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

/// `Lovelace` of both `Ada Lovelace` and `Lovelace, Ada`.
fn last_part(whole: &str) -> Option<&str> {
    match whole.split_once(',') {
        Some((family, _)) if !family.trim().is_empty() => Some(family.trim()),
        _ => whole
            .split_whitespace()
            .next_back()
            .map(|word| word.trim_matches(','))
            .filter(|word| !word.is_empty()),
    }
}

fn local_part(user_name: &str) -> Option<&str> {
    let local = user_name.split('@').next().unwrap_or_default().trim();
    let whole = if local.is_empty() { user_name.trim() } else { local };
    (!whole.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests;
