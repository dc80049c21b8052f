//! Which record in the org is the identity's, when there is no link yet.

use model::ResourceId;
use salesforce_types::{Fields, RecordId};
use serde_json::{Map, Value};
use translation::{Desired, Translation};

use crate::same_value;

/// A field and the value that a matching record would have in it.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchKey {
    /// Such as `FederationIdentifier`.
    pub field: String,
    /// What the mapping makes of the identity.
    pub value: Value,
}

/// What a look into the org has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Found {
    /// Nobody has looked.
    #[default]
    NotLooked,
    /// The records that have the value of at least one key.
    Records(Vec<FoundRecord>),
}

/// A record that has the value of at least one match key.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRecord {
    /// Its id.
    pub id: RecordId,
    /// Its fields as they are in the org.
    pub actual: Map<String, Value>,
    /// Whether no door may touch it: the integration user, a holder of far-reaching permissions, or one that the
    /// tenant names.
    pub protected: bool,
    /// The identity that it is linked to already.
    pub linked_to: Option<ResourceId>,
}

/// Why a found record is not simply adopted.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// Several records match; none is guessed.
    Ambiguous(Vec<RecordId>),
    /// The one that matches is protected.
    Protected(RecordId),
    /// The one that matches belongs to another identity.
    LinkedElsewhere(RecordId, ResourceId),
}

/// The match keys of a target that have a value for this identity, in the target's order.
#[must_use]
pub fn match_keys(matching: &[String], translation: &Translation) -> Vec<MatchKey> {
    matching
        .iter()
        .filter_map(|field| match translation.fields.get(field) {
            Some(Desired::Set(value)) if value.as_str() != Some("") => {
                Some(MatchKey { field: field.clone(), value: value.clone() })
            }
            _ => None,
        })
        .collect()
}

/// Whether the org has to be searched before a create is tried.
///
/// Salesforce itself guards `Username` (over all orgs) and `FederationIdentifier` (in the org), so a create that meets an existing
/// User is refused and the search can follow: one call for each new joiner instead of two. Any other key guards nothing.
#[must_use]
pub fn must_look_first(keys: &[MatchKey]) -> bool {
    keys.iter().any(|key| !["Username", "FederationIdentifier"].contains(&key.field.as_str()))
}

/// The record to adopt, nothing, or why a person has to decide.
///
/// Keys are tried in order, and a later key may only confirm what an earlier one found: two keys that point to two
/// records are as ambiguous as one key that points to both.
pub(crate) fn choose<'a>(
    keys: &[MatchKey],
    records: &'a [FoundRecord],
) -> Result<Option<&'a FoundRecord>, Obstacle> {
    let matching: Vec<&FoundRecord> =
        records.iter().filter(|record| keys.iter().any(|key| has(record, key))).collect();
    match matching.as_slice() {
        [] => Ok(None),
        [one] if one.protected => Err(Obstacle::Protected(one.id.clone())),
        [one] => match &one.linked_to {
            Some(identity) => Err(Obstacle::LinkedElsewhere(one.id.clone(), identity.clone())),
            None => Ok(Some(one)),
        },
        several => Err(Obstacle::Ambiguous(several.iter().map(|record| record.id.clone()).collect())),
    }
}

fn has(record: &FoundRecord, key: &MatchKey) -> bool {
    record.actual.get(&key.field).is_some_and(|actual| same_value(&key.field, actual, &key.value))
}

/// What the org has in the fields that a mapping writes, to be compared like something written.
pub(crate) fn actual_fields(record: &FoundRecord) -> Fields {
    record.actual.iter().map(|(field, value)| (field.clone(), value.clone())).collect()
}
