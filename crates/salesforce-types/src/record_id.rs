//! Record ids (SOAP API Developer Guide, "ID Field Type").

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a Salesforce record, always in its 18-character form.
///
/// Salesforce also spells the same id in 15 characters, where case matters; the other three
/// record that case. Both arrive, one leaves: two `RecordId`s are equal exactly when they name
/// the same record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordId(String);

/// Why a text is no record id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecordId {
    /// Only ASCII letters and digits occur.
    #[error("a Salesforce id has letters and digits only, not `{0}`")]
    Character(char),
    /// 15 or 18 characters.
    #[error("a Salesforce id has 15 or 18 characters, not {0}")]
    Length(usize),
    /// The last three do not fit the first fifteen.
    #[error(
        "the last three characters of this Salesforce id should be {expected}: it was mistyped or lost its case"
    )]
    Checksum {
        /// What they should be.
        expected: String,
    },
}

impl RecordId {
    /// Checks an id in either spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidRecordId> {
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric()) {
            return Err(InvalidRecordId::Character(bad));
        }
        let (base, found) = match text.len() {
            15 => (text, None),
            18 => text.split_at_checked(15).map_or((text, None), |(base, rest)| (base, Some(rest))),
            other => return Err(InvalidRecordId::Length(other)),
        };
        let expected = check_characters(base);
        if found.is_some_and(|found| !found.eq_ignore_ascii_case(&expected)) {
            return Err(InvalidRecordId::Checksum { expected });
        }
        Ok(Self(format!("{base}{expected}")))
    }

    /// The 18-character form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first three characters, which tell the object: `005` is a User.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0[..3]
    }
}

/// One character for each five: bit *k* says whether the *k*-th is a capital.
fn check_characters(base: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    base.as_bytes()
        .chunks(5)
        .map(|five| {
            let capitals = five
                .iter()
                .rev()
                .fold(0_usize, |bits, byte| bits << 1 | usize::from(byte.is_ascii_uppercase()));
            char::from(ALPHABET[capitals])
        })
        .collect()
}

impl TryFrom<String> for RecordId {
    type Error = InvalidRecordId;
    fn try_from(text: String) -> Result<Self, InvalidRecordId> {
        Self::parse(&text)
    }
}

impl From<RecordId> for String {
    fn from(id: RecordId) -> String {
        id.0
    }
}

impl std::str::FromStr for RecordId {
    type Err = InvalidRecordId;
    fn from_str(text: &str) -> Result<Self, InvalidRecordId> {
        Self::parse(text)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn recorded_ids_have_their_recorded_check_characters() {
        for (base, check) in [
            ("0035500001H9cak", "AAB"),
            ("0015500001QdQWa", "AAN"),
            ("00Q5f000005bwLF", "EAY"),
            ("0055f000005mc66", "AAA"),
            ("012000000000000", "AAA"),
        ] {
            assert_eq!(RecordId::parse(base).unwrap().as_str(), format!("{base}{check}"));
        }
    }

    #[test]
    fn a_role_and_a_profile_differ_by_case_alone() {
        assert_ne!(RecordId::parse("00E000000000001"), RecordId::parse("00e000000000001"));
    }

    #[test]
    fn what_is_no_id_is_named() {
        assert_eq!(RecordId::parse("0055f000005mc6"), Err(InvalidRecordId::Length(14)));
        assert_eq!(RecordId::parse("0055f000005mc6é"), Err(InvalidRecordId::Character('é')));
        assert!(matches!(RecordId::parse("0055f000005mc66AAB"), Err(InvalidRecordId::Checksum { .. })));
    }

    proptest! {
        #[test]
        fn both_spellings_are_one_id(base in "[0-9A-Za-z]{15}") {
            let id = RecordId::parse(&base).unwrap();
            prop_assert_eq!(&RecordId::parse(id.as_str()).unwrap(), &id);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = RecordId::parse(&text);
        }
    }
}
