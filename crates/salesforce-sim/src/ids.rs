//! Record ids: 15 characters where case matters, or 18 with three that record the case.

use std::fmt;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// A record id in its 15-character form; [`Display`](fmt::Display) writes 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; 15]);

impl Id {
    /// The `number`-th id of a table: key prefix, instance, one reserved zero, a base-62 counter.
    /// Ids of one table sort in the order in which they were made.
    pub(crate) fn new(prefix: &str, instance: [u8; 2], number: u64) -> Self {
        let mut bytes = [b'0'; 15];
        for (place, byte) in bytes.iter_mut().zip(prefix.bytes().take(3)) {
            *place = byte;
        }
        bytes[3..5].copy_from_slice(&instance);
        let mut rest = number;
        for place in bytes[6..].iter_mut().rev() {
            *place = BASE62[usize::try_from(rest % 62).unwrap_or(0)];
            rest /= 62;
        }
        Self(bytes)
    }

    /// Reads 15 characters, or 18 whose last three agree with the others. Where something has made
    /// all letters of 18 characters large or small, the last three bring the case back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut id = [0; 15];
        id.copy_from_slice(&bytes[..15]);
        let id = Self(id);
        let checks = &bytes[15..];
        if checks.is_empty() || id.checks().eq_ignore_ascii_case(checks) {
            return Some(id);
        }
        let large = bytes.iter().any(u8::is_ascii_uppercase);
        let small = bytes.iter().any(u8::is_ascii_lowercase);
        if large && small { None } else { id.with_case(checks) }
    }

    fn with_case(mut self, checks: &[u8]) -> Option<Self> {
        for (block, check) in self.0.chunks_mut(5).zip(checks) {
            let bits = CHECKS.iter().position(|c| *c == check.to_ascii_uppercase())?;
            for (place, byte) in block.iter_mut().enumerate() {
                *byte = match bits >> place & 1 {
                    1 => byte.to_ascii_uppercase(),
                    _ => byte.to_ascii_lowercase(),
                };
            }
        }
        self.checks().eq_ignore_ascii_case(checks).then_some(self)
    }

    /// The three characters that name the object.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.short()[..3]
    }

    /// The 15-character form, which some of Salesforce's error texts print.
    #[must_use]
    pub fn short(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn checks(&self) -> [u8; 3] {
        let mut checks = [0; 3];
        for (check, block) in checks.iter_mut().zip(self.0.chunks(5)) {
            let bits = block
                .iter()
                .enumerate()
                .fold(0, |bits, (place, byte)| bits | usize::from(byte.is_ascii_uppercase()) << place);
            *check = CHECKS[bits];
        }
        checks
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())?;
        f.write_str(std::str::from_utf8(&self.checks()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_ids_have_their_recorded_check_characters() {
        for (short, check) in [
            ("0035500001H9cak", "AAB"),
            ("0015500001QdQWa", "AAN"),
            ("00Q5f000005bwLF", "EAY"),
            ("0055f000005mc66", "AAA"),
            ("012000000000000", "AAA"),
        ] {
            assert_eq!(Id::parse(short).unwrap().to_string(), format!("{short}{check}"));
        }
    }

    #[test]
    fn eighteen_characters_bring_their_case_back() {
        let id = Id::parse("0035500001H9cakAAB").unwrap();
        assert_eq!(Id::parse("0035500001h9cakaab"), Some(id));
        assert_eq!(Id::parse("0035500001H9CAKAAB"), Some(id));
        assert_eq!(Id::parse("0035500001h9CAKaab"), None);
        assert_eq!(Id::parse("0035500001H9cakAAA").map(|id| id.to_string()), None);
        assert_eq!(Id::parse("003"), None);
        assert_eq!(Id::parse("00355-0001H9cak"), None);
    }

    #[test]
    fn ids_sort_as_they_were_made() {
        let ids: Vec<_> = (0..5_000).map(|n| Id::new("005", *b"Fk", n)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[4_999].prefix(), "005");
    }
}
