//! `language`: from a language tag to `LanguageLocaleKey`, the language of the pages that a person sees.

use super::tag::{Tag, Want};
use super::{Normalised, Picklist};
use crate::note::NoteCode;

/// The value for `LanguageLocaleKey`: the language as it is written in the region, else the language at all, with a note.
///
/// A list as in `Accept-Language` is tried from the most to the least wanted.
pub(super) fn language(text: &str, picklist: Picklist<'_>) -> Normalised {
    if let Some(value) = picklist.find(&text.replace('-', "_")) {
        return Normalised::Value(value.to_owned());
    }
    match Tag::list(text).iter().find_map(|tag| tag.nearest(Want::Language, picklist)) {
        Some((value, true)) => Normalised::Value(value.to_owned()),
        Some((value, false)) => Normalised::Adapted(
            value.to_owned(),
            NoteCode::LanguageAdapted,
            format!("this org does not offer the language `{text}`; the nearest that it offers is `{value}`"),
        ),
        None => match picklist.labelled(text) {
            Some(value) => Normalised::Value(value.to_owned()),
            None => Normalised::Unknown(
                NoteCode::LanguageDefaulted,
                format!("`{text}` is no language that this org offers"),
            ),
        },
    }
}

#[cfg(test)]
mod tests;
