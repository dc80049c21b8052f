//! What a mapping says of the source whose events it is for.

use indexmap::IndexMap;

use super::Mapping;

/// What has happened to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `entityCreated`, or `ADD` in older names.
    Created,
    /// `entityUpdated`, or `UPDATE`.
    Updated,
    /// `entityDeleted`, or `DELETE`.
    Deleted,
}

impl EventKind {
    /// Each in both of its names.
    pub const NAMES: [(&str, Self); 6] = [
        ("ADD", Self::Created),
        ("UPDATE", Self::Updated),
        ("DELETE", Self::Deleted),
        ("entityCreated", Self::Created),
        ("entityUpdated", Self::Updated),
        ("entityDeleted", Self::Deleted),
    ];

    /// The kind of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }
}

/// Which events count, and for which of the source's clients something else holds.
#[derive(Clone, Debug)]
pub struct SourceRules {
    /// Whether any do.
    pub enabled: bool,
    /// Those that do.
    pub events: Vec<EventKind>,
    /// The mappings of clients that differ, by their ids in the source, in the order of the file.
    pub clients: IndexMap<String, Mapping>,
}

impl Default for SourceRules {
    fn default() -> Self {
        let events = vec![EventKind::Created, EventKind::Updated, EventKind::Deleted];
        Self { enabled: true, events, clients: IndexMap::new() }
    }
}

impl SourceRules {
    /// Whether events of this kind are to be applied.
    #[must_use]
    pub fn applies(&self, kind: EventKind) -> bool {
        self.enabled && self.events.contains(&kind)
    }
}
