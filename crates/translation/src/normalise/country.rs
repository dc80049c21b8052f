//! `country` and `state`: the parts of an address that Salesforce may keep as codes.
//!
//! Which countries and states an org has is its own list; that is looked at where the field is filled (`translate/address`).

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use super::Normalised;
use crate::note::NoteCode;

/// A country of ISO 3166-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Country {
    /// `NL`
    pub alpha2: &'static str,
    /// `NLD`
    alpha3: &'static str,
    /// `528`
    numeric: &'static str,
    /// In English.
    pub name: &'static str,
    others: Vec<&'static str>,
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| {
    let lines = include_str!("../../data/countries.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let (alpha2, alpha3) = (columns.next()?, columns.next()?);
            let (numeric, name) = (columns.next()?, columns.next()?);
            Some(Country { alpha2, alpha3, numeric, name, others: columns.collect() })
        })
        .collect()
});

/// The place of a country in [`COUNTRIES`] by every code and folded name.
static BY_NAME: LazyLock<HashMap<String, usize>> = LazyLock::new(|| {
    let mut by_name = HashMap::new();
    for (place, country) in COUNTRIES.iter().enumerate() {
        let codes = [country.alpha2, country.alpha3, country.numeric, country.name];
        for name in codes.iter().chain(&country.others) {
            by_name.entry(fold(name)).or_insert(place);
        }
    }
    by_name
});

/// A name without case, marks and punctuation: `Côte d’Ivoire` and `cote d'ivoire` are one. Other scripts than Latin stay
/// as they are, because written in Latin letters a name may look like another country's code.
pub(crate) fn fold(name: &str) -> String {
    // No country or state has a longer name.
    const LONGEST: usize = 100;
    let is_latin = |c: char| c < '\u{250}' || ('\u{1e00}'..'\u{1f00}').contains(&c);
    let mut folded = String::new();
    for c in name.nfc().take(LONGEST) {
        match c {
            '&' => folded.push_str("and"),
            c if is_latin(c) => folded.push_str(deunicode::deunicode_char(c).unwrap_or_default()),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded.retain(char::is_alphanumeric);
    folded.make_ascii_lowercase();
    folded
}

/// The country that a code or a name stands for, in any case.
pub(crate) fn known(text: &str) -> Option<&'static Country> {
    BY_NAME.get(&fold(text)).map(|place| &COUNTRIES[*place])
}

/// The country in the form of the field: its code, or its English name for a code. Other text stays as it is.
pub(super) fn country(text: &str, takes_code: bool) -> Normalised {
    let Some(country) = known(text) else { return Normalised::Value(text.to_owned()) };
    let is_code = text.len() <= 3;
    let value = match (takes_code, is_code) {
        (true, _) => country.alpha2,
        (false, true) => country.name,
        (false, false) => text,
    };
    if value.eq_ignore_ascii_case(text) {
        return Normalised::Value(value.to_owned());
    }
    let detail = format!("the country `{text}` is `{value}` in this field");
    Normalised::Adapted(value.to_owned(), NoteCode::CountryAdapted, detail)
}

/// The state in the form of the field: where it takes codes, `CA` of `US-CA` (ISO 3166-2). Other text stays as it is.
pub(super) fn state(text: &str, takes_code: bool) -> Normalised {
    match code_of_state(text) {
        Some(code) if takes_code => {
            let detail = format!("the state `{text}` is `{code}` in this field");
            Normalised::Adapted(code.to_owned(), NoteCode::StateAdapted, detail)
        }
        _ => Normalised::Value(text.to_owned()),
    }
}

/// `CA` of `US-CA`, `NH` of `NL-NH`.
pub(crate) fn code_of_state(text: &str) -> Option<&str> {
    let (country, code) = text.split_once('-')?;
    let is_code = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_country = country.len() == 2 && COUNTRIES.iter().any(|c| c.alpha2.eq_ignore_ascii_case(country));
    (is_code && is_country).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::tests::{adapted, same};

    #[test]
    fn every_code_and_name_is_found_and_none_stands_for_two() {
        for country in COUNTRIES.iter() {
            let codes = [country.alpha2, country.alpha3, country.numeric, country.name];
            for name in codes.iter().chain(&country.others) {
                assert!(!fold(name).is_empty(), "{name}");
                assert_eq!(known(name).map(|found| found.alpha2), Some(country.alpha2), "{name}");
            }
        }
        assert_eq!(COUNTRIES.len(), 250, "ISO 3166-1, and Kosovo");
    }

    #[test]
    fn countries_are_known_by_what_directories_hold() {
        for (sent, alpha2) in [
            ("NL", "NL"),
            ("nl", "NL"),
            ("NLD", "NL"),
            ("528", "NL"),
            ("Netherlands", "NL"),
            ("The Netherlands", "NL"),
            ("Nederland", "NL"),
            ("Pays-Bas", "NL"),
            ("HOLLAND", "NL"),
            ("België", "BE"),
            ("belgie", "BE"),
            ("Belgique", "BE"),
            ("UK", "GB"),
            ("Great Britain", "GB"),
            ("U.S.A.", "US"),
            ("United States of America", "US"),
            ("Deutschland", "DE"),
            ("Österreich", "AT"),
            ("Oesterreich", ""),
            ("Côte d’Ivoire", "CI"),
            ("Cote d'Ivoire", "CI"),
            ("Türkiye", "TR"),
            ("Turkey", "TR"),
            ("Czech Republic", "CZ"),
            ("Viet Nam", "VN"),
            ("Korea, Republic of", "KR"),
            ("中国", "CN"),
            ("日本", "JP"),
            ("Россия", "RU"),
            ("مصر", "EG"),
            ("MSR", "MS"),
            ("Kosovo", "XK"),
            ("Atlantis", ""),
            ("", ""),
            ("-", ""),
        ] {
            assert_eq!(known(sent).map_or("", |country| country.alpha2), alpha2, "{sent}");
        }
    }

    #[test]
    fn a_field_for_text_gets_a_name_and_one_for_codes_a_code() {
        assert_eq!(adapted(country("NL", false)).0, "Netherlands");
        assert_eq!(adapted(country("bel", false)).0, "Belgium");
        assert_eq!(country("Nederland", false), same("Nederland"), "a name stays as people wrote it");
        assert_eq!(adapted(country("Nederland", true)), ("NL".to_owned(), NoteCode::CountryAdapted));
        assert_eq!(country("nl", true), same("NL"));
        assert_eq!(country("Atlantis", true), same("Atlantis"));
        assert_eq!(adapted(state("US-CA", true)), ("CA".to_owned(), NoteCode::StateAdapted));
        for other in ["CA", "California", "Noord-Holland", "XX-CA", "US-", "US-CALI", "ÖÖ-A"] {
            assert_eq!(state(other, true), same(other));
        }
        assert_eq!(state("US-CA", false), same("US-CA"));
    }
}
