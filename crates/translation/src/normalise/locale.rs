//! `locale`: from a language tag to `LocaleSidKey`, which decides how dates and numbers are written.

use super::tag::{Tag, Want};
use super::{Normalised, Picklist};
use crate::note::NoteCode;

/// The value for `LocaleSidKey`: the same locale, else the nearest one of the same language, with a note.
///
/// A language alone gets the country where most people speak it, also with a note: the country was not sent.
pub(super) fn locale(text: &str, picklist: Picklist<'_>) -> Normalised {
    if let Some(value) = picklist.find(&text.replace('-', "_")) {
        return Normalised::Value(value.to_owned());
    }
    match Tag::list(text).iter().find_map(|tag| tag.nearest(Want::Locale, picklist)) {
        Some((value, true)) => Normalised::Value(value.to_owned()),
        Some((value, false)) => Normalised::Adapted(
            value.to_owned(),
            NoteCode::LocaleAdapted,
            format!("Salesforce has no locale `{text}`; the nearest that this org offers is `{value}`"),
        ),
        None => match picklist.labelled(text) {
            Some(value) => Normalised::Value(value.to_owned()),
            None => Normalised::Unknown(
                NoteCode::LocaleDefaulted,
                format!("`{text}` is no locale that this org offers"),
            ),
        },
    }
}

#[cfg(test)]
mod tests;
