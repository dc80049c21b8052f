//! Which record in the org is the identity's, when there is no link yet.

use model::ResourceId;
use salesforce_types::{Fields, RecordId};
use serde_json::{Map, Value};
use translation::{Desired, Target, Translation};

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
    /// The identity's own was deleted in Salesforce.
    DeletedByHand(RecordId),
}

impl MatchKey {
    /// The record itself.
    #[must_use]
    pub fn id(record: &RecordId) -> Self {
        Self { field: "Id".to_owned(), value: Value::from(record.as_str()) }
    }
}

/// The match keys of a target that have a value for this identity, in the target's order.
#[must_use]
pub fn keys_of(matching: &[String], translation: &Translation) -> Vec<MatchKey> {
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
/// User is refused and the search can follow: one call for each new joiner instead of two. So does an upsert by an external
/// id, where no two identities can have the same: the SCIM id, and the `externalId`, which the store answers for. Any other key
/// guards nothing.
#[must_use]
pub fn must_look_first(target: &Target, keys: &[MatchKey]) -> bool {
    let guarded = |key: &MatchKey| {
        (target.object == "User" && ["Username", "FederationIdentifier"].contains(&key.field.as_str()))
            || target.external_id.as_ref().is_some_and(|field| {
                field.eq_ignore_ascii_case(&key.field)
                    && target.key_of_person().is_none_or(|attribute| attribute == Some("externalId"))
            })
    };
    !keys.iter().all(guarded)
}

/// The record to adopt, nothing, or why a person has to decide.
///
/// The external id is `decisive`: nobody else has it. Of the other keys a later one may only confirm what an earlier one
/// found: two keys that point to two records are as ambiguous as one key that points to both.
pub(crate) fn choose<'a>(
    decisive: Option<&MatchKey>,
    keys: &[MatchKey],
    records: &'a [FoundRecord],
) -> Result<Option<&'a FoundRecord>, Obstacle> {
    let by = |keys: &[MatchKey]| -> Vec<&'a FoundRecord> {
        records.iter().filter(|record| keys.iter().any(|key| has(record, key))).collect()
    };
    let mut matching = decisive.map(|key| by(std::slice::from_ref(key))).unwrap_or_default();
    if matching.is_empty() {
        matching = by(keys);
    }
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
