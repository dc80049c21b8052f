//! The steps that make an org agree, and what came of them.

use std::sync::LazyLock;

use indexmap::IndexMap;
use model::{OrgName, TargetName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RecordId;

/// Salesforce field names and the values to write; JSON `null` clears a field.
pub type Fields = IndexMap<String, Value>;

/// Fields that hold the id of a record which an earlier step makes, each with that step's place among the steps of
/// the change, counted from 0.
pub type References = IndexMap<String, usize>;

/// One write to one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// Makes a record.
    Create {
        /// Such as `User`.
        object: String,
        /// All that is written.
        fields: Fields,
        /// What is written besides: the ids of records that earlier steps make.
        #[serde(default, skip_serializing_if = "References::is_empty")]
        refers: References,
        /// How Salesforce is to take it.
        #[serde(default, skip_serializing_if = "Manner::is_usual")]
        manner: Manner,
    },
    /// Changes a record; fields that are not named stay.
    Update {
        /// Such as `User`.
        object: String,
        /// Which record.
        id: RecordId,
        /// All that is written.
        fields: Fields,
        /// How Salesforce is to take it.
        #[serde(default, skip_serializing_if = "Manner::is_usual")]
        manner: Manner,
    },
    /// Changes the record with an external id, or makes one that has it. May be repeated: it never makes a second.
    Upsert {
        /// Such as `Contact`.
        object: String,
        /// The external id field.
        key: String,
        /// Its value.
        value: String,
        /// All that is written, the key left out.
        fields: Fields,
        /// What is written besides: the ids of records that earlier steps make.
        #[serde(default, skip_serializing_if = "References::is_empty")]
        refers: References,
        /// How Salesforce is to take it.
        #[serde(default, skip_serializing_if = "Manner::is_usual")]
        manner: Manner,
    },
    /// Deletes a record. One that is gone already is as good.
    Delete {
        /// Such as `PermissionSetAssignment`.
        object: String,
        /// Which record.
        id: RecordId,
    },
    /// Converts a lead into a contact (SOAP API Developer Guide, `convertLead`). Its record is the contact.
    Convert {
        /// Which lead.
        lead: RecordId,
        /// Into what.
        conversion: Conversion,
    },
    /// Locks a User out, or lets it in again, whatever else it is (`UserLogin.IsFrozen`). Its row is looked up in the same call; a
    /// User without one cannot be frozen: refused with `NOT_FOUND`.
    Freeze {
        /// Which User.
        user: RecordId,
        /// `false`: lets it in again.
        frozen: bool,
    },
}

/// How Salesforce is to take a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Manner {
    /// What the org's duplicate rules may say (`Sforce-Duplicate-Rule-Header`).
    pub duplicates: Duplicates,
    /// Whether the org's assignment rules choose the owner (`Sforce-Auto-Assign`).
    pub assignment_rules: bool,
}

impl Manner {
    /// Duplicate rules are heard, assignment rules are not.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What the org's duplicate rules may say to a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// A rule that finds such a record refuses the write.
    #[default]
    Respect,
    /// A rule that only warns is not heard.
    Allow,
}

/// What a lead is converted into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Conversion {
    /// The lead's status afterwards; absent: the org's first one that means converted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The contact's account; absent: a new one, named by the lead's `Company`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<RecordId>,
    /// The contact that takes the lead in; absent: a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<RecordId>,
    /// Who owns what is made; absent: the lead's owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<RecordId>,
    /// The name of an opportunity to make; absent: none is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<String>,
    /// What the org's duplicate rules may say to the account and the contact that are made.
    pub duplicates: Duplicates,
}

impl Step {
    /// The object that is written.
    #[must_use]
    pub fn object(&self) -> &str {
        match self {
            Self::Create { object, .. }
            | Self::Update { object, .. }
            | Self::Upsert { object, .. }
            | Self::Delete { object, .. } => object,
            Self::Convert { .. } => "Lead",
            Self::Freeze { .. } => "UserLogin",
        }
    }

    /// What is written, references left out. Nothing for a delete or a conversion.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        static NOTHING: LazyLock<Fields> = LazyLock::new(Fields::new);
        match self {
            Self::Create { fields, .. } | Self::Update { fields, .. } | Self::Upsert { fields, .. } => fields,
            Self::Delete { .. } | Self::Convert { .. } | Self::Freeze { .. } => &NOTHING,
        }
    }

    /// Which fields take the id of a record that an earlier step makes.
    #[must_use]
    pub fn refers(&self) -> &References {
        static NONE: LazyLock<References> = LazyLock::new(References::new);
        match self {
            Self::Create { refers, .. } | Self::Upsert { refers, .. } => refers,
            Self::Update { .. } | Self::Delete { .. } | Self::Convert { .. } | Self::Freeze { .. } => &NONE,
        }
    }

    /// How Salesforce is to take it.
    #[must_use]
    pub fn manner(&self) -> Manner {
        match self {
            Self::Create { manner, .. } | Self::Update { manner, .. } | Self::Upsert { manner, .. } => {
                *manner
            }
            Self::Delete { .. } | Self::Convert { .. } | Self::Freeze { .. } => Manner::default(),
        }
    }

    /// The org's duplicate rules may warn of what is written, and it is saved all the same.
    pub fn allow_duplicates(&mut self) {
        match self {
            Self::Create { manner, .. } | Self::Update { manner, .. } | Self::Upsert { manner, .. } => {
                manner.duplicates = Duplicates::Allow;
            }
            Self::Convert { conversion, .. } => conversion.duplicates = Duplicates::Allow,
            Self::Delete { .. } | Self::Freeze { .. } => {}
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOutcome {
    /// It landed.
    Done {
        /// The record: made or changed.
        id: RecordId,
    },
    /// What it was to give somebody was there already: the assignment is a duplicate. Which record gives it Salesforce does not
    /// say; where it does, the step is [`Done`](Self::Done) with that record. As good as done: nothing has changed. An assignment of a
    /// permission set whose `ExpirationDate` has passed stays as a record that gives nothing, and is a duplicate too: it is deleted
    /// first. Or what it was to take from somebody is gone already.
    There,
    /// Salesforce said no, and will say it again.
    Refused(Refusal),
    /// It may have landed or not (time-out, cut connection): read back before anything is repeated.
    Unknown {
        /// For the log and the journal; no personal data.
        why: String,
    },
    /// It had no effect, certainly: it never left, or Salesforce could not take it now. So ends too what refers to the record of
    /// a step that was refused: Salesforce has not judged it.
    NotSent {
        /// For the log and the caller; no personal data.
        why: String,
        /// How long to wait before asking again, where known.
        retry_after: Option<std::time::Duration>,
    },
}

/// One error as Salesforce worded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status it came with.
    pub status: u16,
    /// Such as `DUPLICATE_USERNAME`.
    pub code: String,
    /// For `detail` and the journal, never for logs: it may quote values.
    pub message: String,
    /// The fields it is about, where Salesforce said.
    pub fields: Vec<String>,
    /// The records that stand in the way, where Salesforce named them: those that a duplicate rule found, or the one that
    /// has the value already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordId>,
}

/// A step with its place in a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The target it serves.
    pub target: TargetName,
    /// Where it goes.
    pub org: OrgName,
    /// What it does.
    pub step: Step,
    /// Whether it writes the target's record itself: if it is refused, nothing is kept.
    pub leading: bool,
    /// Why it is in the plan, for a person.
    pub reason: String,
}

/// The exact steps that would make Salesforce agree with a desired state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// In the order in which they may be sent.
    pub steps: Vec<PlannedStep>,
}

impl Plan {
    /// Nothing to do: Salesforce agrees already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// An identity's record, through a target.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Through which target.
    pub target: TargetName,
    /// In which org.
    pub org: OrgName,
    /// Such as `User`.
    pub object: String,
    /// Which record.
    pub record_id: RecordId,
    /// What Gangway last wrote, so that an unchanged identity costs no call.
    pub written: Fields,
    /// Whether the record was there before Gangway.
    pub adopted: bool,
    /// The value of its external id, where the target has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of a lead: the contact that it was converted into. Nothing can be written into it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<RecordId>,
    /// Whether the identity is gone from the target, and what the target does about that was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// When Salesforce last took or showed what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<Timestamp>,
    /// Of a User: somebody had frozen it when it was last looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Of a User: Gangway has frozen it, and lets it in again when the person is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub froze: bool,
    /// What Salesforce never takes, whatever else is written: a manager who stands below the person.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub refused: Fields,
    /// What Salesforce has taken and waits with until somebody confirms it: a User's new `Email`.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub pending: Fields,
}

impl Link {
    /// A link that holds nothing but its record and what is written in it.
    #[must_use]
    pub fn new(
        target: TargetName,
        org: OrgName,
        object: String,
        record_id: RecordId,
        written: Fields,
    ) -> Self {
        Self {
            target,
            org,
            object,
            record_id,
            written,
            adopted: false,
            key: None,
            became: None,
            left: false,
            frozen: false,
            froze: false,
            synced: None,
            refused: Fields::new(),
            pending: Fields::new(),
        }
    }
}
