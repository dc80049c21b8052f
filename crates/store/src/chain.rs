//! The hash chain of an audit trail: what is written into each entry, so that nobody alters, moves or removes one unnoticed.
//!
//! ```text
//! SHA-256(tenant) ──► SHA-256(that ‖ entry 1) ──► SHA-256(that ‖ entry 2) ──► … ──► head
//! ```
//!
//! Whoever can write to the database can also write a whole new chain. So the head is noted elsewhere, and
//! [`Audit::verify`](crate::Audit::verify) tells whether the chain still leads through it.

use aws_lc_rs::digest::{Context, SHA256, digest};
use model::{ResourceId, Timestamp};

/// SHA-256.
pub type Hash = [u8; 32];

/// What of an entry is hashed: all that is stored of it, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Whose history it belongs to.
    pub resource: &'a str,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// The version that it made or left.
    pub version: i64,
    /// The change that it ended.
    pub change: Option<&'a str>,
    /// [`AuditEntry`](crate::AuditEntry) as JSON text.
    pub entry: &'a str,
}

/// What the first entry of a tenant follows.
pub fn start(tenant: &str) -> Hash {
    finished(digest(&SHA256, tenant.as_bytes()).as_ref())
}

/// The hash of an entry that follows the one with this hash.
///
/// Each part is preceded by its length in eight bytes, the highest first, so that no part can pass for two. Numbers are eight
/// such bytes too. An absent change has a part less.
pub fn next(previous: &Hash, content: &Content<'_>) -> Hash {
    let mut hashing = Context::new(&SHA256);
    let mut part = |bytes: &[u8]| {
        hashing.update(&(bytes.len() as u64).to_be_bytes());
        hashing.update(bytes);
    };
    part(previous);
    part(content.resource.as_bytes());
    part(&content.at_ms.to_be_bytes());
    part(&content.version.to_be_bytes());
    if let Some(change) = content.change {
        part(change.as_bytes());
    }
    part(content.entry.as_bytes());
    finished(hashing.finish().as_ref())
}

fn finished(digest: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest);
    hash
}

/// A hash as people note it.
pub fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;

    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a look at every entry of a tenant's trail has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How many entries hold together, from the first.
    pub entries: u64,
    /// The hash of the last of them, in hexadecimal digits.
    pub head: String,
    /// Entries behind the head that an earlier version has written: they are taken in when the gateway starts next.
    pub unchained: u64,
    /// Which entry (from 1; 0: the start) has the hash that was asked for, if one has.
    pub noted: Option<u64>,
    /// Where the chain is broken, if it is. Nothing behind it was looked at.
    pub broken: Option<Broken>,
}

impl Chain {
    /// That of a tenant of which nothing was written.
    pub(crate) fn empty(tenant: &str, noted: Option<&str>) -> Self {
        let head = hex(&start(tenant));
        let noted = noted.filter(|noted| noted.eq_ignore_ascii_case(&head)).map(|_| 0);
        Self { entries: 0, head, unchained: 0, noted, broken: None }
    }
}

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// This entry was altered, or it does not follow the one that it was written after: that one was altered, moved or removed.
    Entry {
        /// The how manieth it is, from 1.
        place: u64,
        /// When it says that it was written, where that is a time.
        at: Option<Timestamp>,
        /// Whose history it says that it belongs to.
        resource: ResourceId,
    },
    /// The trail ends otherwise than it did when the last entry was written.
    End {
        /// How many entries there were.
        written: u64,
        /// How many there are.
        found: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Content<'_> =
        Content { resource: "ada", at_ms: 1, version: 2, change: Some("c1"), entry: "{}" };

    #[test]
    fn every_part_of_an_entry_and_all_before_it_are_in_its_hash() {
        let before = start("acme/prod");
        let hash = next(&before, &ENTRY);
        let others = [
            Content { resource: "bob", ..ENTRY },
            Content { at_ms: 2, ..ENTRY },
            Content { version: 3, ..ENTRY },
            Content { change: Some("c2"), ..ENTRY },
            Content { change: None, ..ENTRY },
            Content { entry: "{ }", ..ENTRY },
        ];
        for other in others {
            assert_ne!(next(&before, &other), hash, "{other:?}");
        }
        assert_ne!(next(&start("acme/test"), &ENTRY), hash);
        assert_eq!(next(&before, &ENTRY), hash);
    }

    #[test]
    fn no_part_can_pass_for_two() {
        let before = start("acme/prod");
        let one = Content { change: Some("c"), entry: "1{}", ..ENTRY };
        assert_ne!(next(&before, &one), next(&before, &ENTRY));
    }

    /// What the documentation says, so that others can check a trail.
    #[test]
    fn the_hash_is_what_the_documentation_says() {
        let mut bytes = Vec::new();
        for part in
            [start("acme/prod").as_slice(), b"ada", &1_i64.to_be_bytes(), &2_i64.to_be_bytes(), b"c1", b"{}"]
        {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        assert_eq!(next(&start("acme/prod"), &ENTRY).as_slice(), digest(&SHA256, &bytes).as_ref());
    }
}
