//! The choices that a target makes by a word.

use serde::{Deserialize, Serialize};

/// What Gangway may do with the records of a target, each on its own.
#[expect(clippy::struct_excessive_bools, reason = "five independent permissions, as the mapping lists them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// Make records.
    pub create: bool,
    /// Change records.
    pub update: bool,
    /// Freeze or deactivate them: User only.
    pub disable: bool,
    /// Strip grants, then disable: User only.
    pub deprovision: bool,
    /// Delete them: Contact and Lead only.
    pub delete: bool,
}

impl Default for Allow {
    /// Everything that can be undone.
    fn default() -> Self {
        Self { create: true, update: true, disable: true, deprovision: true, delete: false }
    }
}

impl Allow {
    /// Nothing at all.
    pub(super) const NOTHING: Self =
        Self { create: false, update: false, disable: false, deprovision: false, delete: false };

    /// What a target may do that does not say.
    pub(super) fn usual(object: &str) -> Self {
        if object == "User" {
            Self::default()
        } else {
            // Contacts and leads do not log in, so there is nothing to disable.
            Self { create: true, update: true, ..Self::NOTHING }
        }
    }
}

/// What happens to the record of an identity that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLeave {
    /// Deactivate the User.
    #[default]
    Disable,
    /// Freeze at once, then deactivate.
    FreezeThenDeactivate,
    /// Freeze the User, and leave it at that: it keeps its licence.
    Freeze,
    /// Nothing: the record stays as it is.
    None,
    /// Delete the record.
    Delete,
    /// Write the target's `flag`.
    Flag,
    /// Empty what the mapping filled, and put a word in place of what may not be empty.
    Anonymise,
}

impl OnLeave {
    /// What happens where the target does not say.
    pub(super) fn usual(object: &str) -> Self {
        if object == "User" { Self::Disable } else { Self::None }
    }
}

/// What to do when a duplicate rule of the org names a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicatePolicy {
    /// The refusal stands.
    #[default]
    Respect,
    /// The record is made all the same, where the rule only warns.
    Allow,
    /// The record that the rule names, if it is only one, is taken over.
    Adopt,
}

/// What to do when somebody has deleted the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenDeleted {
    /// The next change makes another.
    #[default]
    Create,
    /// A person decides.
    Hold,
}

/// Whose the records of somebody who leaves become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HandOver {
    /// Who gets them.
    pub to: HandOverTo,
    /// The objects whose records are handed over; of Opportunity and Task the open ones, of Lead those that are not converted.
    pub objects: Vec<String>,
    /// Whether he also takes the places in queues.
    pub queues: bool,
}

/// Who gets the records of somebody who leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandOverTo {
    /// The person's manager.
    Manager,
    /// The User with this Username or id.
    Named(String),
}
