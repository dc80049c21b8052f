//! `alias`: the short name that Salesforce shows where there is little room. At most 8 characters, required, not unique.

use scim_types::Resource;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::Normalised;
use crate::note::NoteCode;

/// The length of `User.Alias` (Object Reference).
pub(crate) const LENGTH: usize = 8;

/// An alias for a person: the first letter of the given name and the family name, in Latin letters and digits.
///
/// Without a usable name the display name is taken, then `userName`, then a number made from `userName`: the same person
/// gets the same alias. One that was written before is kept, whatever has become of the name.
pub(super) fn of_user(user: &Resource, written: Option<&str>) -> Normalised {
    if let Some(written) = written {
        return Normalised::Value(written.to_owned());
    }
    let name = |part: &str| latin(user.get("name").and_then(|name| name.get(part)).and_then(Value::as_str));
    let (given, family) = (name("givenName"), name("familyName"));
    let alias = if family.is_empty() {
        let local_part = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
        [given, from_whole(user.display_name()), latin(user.user_name().map(local_part).as_deref())]
            .into_iter()
            .find(|candidate| !candidate.is_empty())
            .unwrap_or_else(|| numbered(user.user_name().unwrap_or_default()))
    } else {
        format!("{}{family}", given.get(..1).unwrap_or_default())
    };
    made(&alias)
}

/// An alias from one text: its Latin letters and digits, at most 8. A text that is an alias already stays as it is.
pub(super) fn of_text(text: &str, written: Option<&str>) -> Normalised {
    if let Some(written) = written {
        return Normalised::Value(written.to_owned());
    }
    if text.len() <= LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Normalised::Value(text.to_owned());
    }
    let letters = latin(Some(text));
    made(&if letters.is_empty() { numbered(text) } else { letters })
}

fn made(alias: &str) -> Normalised {
    let alias = alias[..alias.len().min(LENGTH)].to_owned();
    let detail = format!("Salesforce asks for an alias of at most {LENGTH} characters; `{alias}` was made");
    Normalised::Adapted(alias, NoteCode::AliasMade, detail)
}

/// First letter and last word of a display name such as `Ada King Lovelace`.
fn from_whole(display_name: Option<&str>) -> String {
    let words: Vec<String> =
        display_name.unwrap_or_default().split_whitespace().map(|word| latin(Some(word))).collect();
    let mut words = words.iter().filter(|word| !word.is_empty());
    match (words.next(), words.next_back()) {
        (Some(first), Some(last)) => format!("{}{last}", &first[..1]),
        (Some(only), None) => only.clone(),
        _ => String::new(),
    }
}

/// Lower-case ASCII letters and digits for a text in any script; empty if nothing of it can be written so.
fn latin(text: Option<&str>) -> String {
    // A name can be longer than any alias needs; what is beyond the first letters is not transliterated.
    const ENOUGH: usize = 64;
    // Composed first, so that a letter with a combining mark is one letter.
    let composed: String = text.unwrap_or_default().nfc().take(ENOUGH).collect();
    let mut latin = deunicode::deunicode_with_tofu(&composed, "");
    latin.retain(|c| c.is_ascii_alphanumeric());
    latin.make_ascii_lowercase();
    latin
}

/// `u` and seven digits or letters that depend on the text alone (FNV-1a, 64 bits, in base 36).
fn numbered(text: &str) -> String {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut alias = String::from("u");
    while alias.len() < LENGTH {
        let digit = u32::try_from(hash % 36).unwrap_or_default();
        alias.push(char::from_digit(digit, 36).unwrap_or('0'));
        hash /= 36;
    }
    alias
}

#[cfg(test)]
mod tests;
