//! What translation has to say about its result: notes for adaptations, refusals for what the org would refuse.

use serde::{Deserialize, Serialize};

/// An adaptation: the field does not hold exactly what the identity tool sent, or holds what it did not send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What kind of adaptation.
    pub code: NoteCode,
    /// The Salesforce field.
    pub field: String,
    /// The SCIM attribute that the value came from, where there is one.
    pub attribute: Option<String>,
    /// A sentence for a person. It may quote the value, so it is not for logs.
    pub detail: String,
}

/// The kinds of adaptations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteCode {
    /// An alias was made from the name.
    AliasMade,
    /// A switch lost its value, and Salesforce knows no empty ones: it is off.
    BooleanCleared,
    /// The country by the name or code that the field takes.
    CountryAdapted,
    /// The mail address was taken from `userName`.
    EmailFromUserName,
    /// Another e-mail encoding name stands for the same encoding.
    EncodingAdapted,
    /// The e-mail encoding is not offered; the default was taken.
    EncodingDefaulted,
    /// The nearest language was taken.
    LanguageAdapted,
    /// The language is not offered; the default was taken.
    LanguageDefaulted,
    /// A last name was made from another attribute, because Salesforce requires one.
    LastNameMade,
    /// The nearest locale was taken.
    LocaleAdapted,
    /// The locale is not offered; the default was taken.
    LocaleDefaulted,
    /// Another name of the time zone, or a zone that keeps the same time, was taken.
    TimezoneAdapted,
    /// The record that the field is to point to is not there yet; the field is left as it is.
    RecordAwaited,
    /// A person is his own manager; the field is empty.
    ManagerCycle,
    /// The state by the name or code that the field takes.
    StateAdapted,
    /// The org keeps no such state for the record; the field is empty.
    StateLeftOut,
    /// The time zone is not known or not offered; the default was taken.
    TimezoneDefaulted,
    /// A time without a time zone was taken for UTC.
    UtcAssumed,
    /// The environment's `username-domain` was added.
    UsernameDomainAdded,
    /// The value is not in the picklist or the `map`; the default was taken.
    ValueDefaulted,
    /// The attribute is unassigned, but the field keeps its value.
    ValueKept,
    /// A person has chosen a record for a target that the identity does not hold now.
    ChoiceKept,
    /// Two rules of one rank ask for different profiles or roles.
    RankTied,
    /// Nobody knows until when a rule grants, so it grants nothing.
    UntilUnknown,
    /// Salesforce keeps a record that was to be deleted.
    DeleteBlocked,
    /// Salesforce keeps a User active that was to be deactivated; a task tries again.
    DeactivationBlocked,
    /// Somebody has deleted the record; another is made.
    DeletedByHand,
    /// Something is asked for that the org does not have, or that there can be only one of.
    GrantUnmet,
    /// A client has taken away what it may not: it stays.
    GrantKept,
    /// Somebody has converted the lead.
    LeadConverted,
    /// The contact was made beside the lead, which is not converted.
    MadeBesideLead,
    /// The target makes no records, and none matches.
    NoMatch,
    /// A portal user was switched off for good, because its contact goes.
    PortalUserRetired,
    /// Another target has the identity's record of this object.
    TargetShadowed,
    /// The target does not allow to change records.
    UpdateNotAllowed,
    /// The field takes fewer decimals, or a day without a time.
    ValueRounded,
}

impl NoteCode {
    /// The code as it stands in JSON, such as `alias-made`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AliasMade => "alias-made",
            Self::BooleanCleared => "boolean-cleared",
            Self::CountryAdapted => "country-adapted",
            Self::EmailFromUserName => "email-from-user-name",
            Self::EncodingAdapted => "encoding-adapted",
            Self::EncodingDefaulted => "encoding-defaulted",
            Self::LanguageAdapted => "language-adapted",
            Self::LanguageDefaulted => "language-defaulted",
            Self::LastNameMade => "last-name-made",
            Self::LocaleAdapted => "locale-adapted",
            Self::LocaleDefaulted => "locale-defaulted",
            Self::RecordAwaited => "record-awaited",
            Self::ManagerCycle => "manager-cycle",
            Self::StateAdapted => "state-adapted",
            Self::StateLeftOut => "state-left-out",
            Self::TimezoneAdapted => "timezone-adapted",
            Self::TimezoneDefaulted => "timezone-defaulted",
            Self::UtcAssumed => "utc-assumed",
            Self::UsernameDomainAdded => "username-domain-added",
            Self::ValueDefaulted => "value-defaulted",
            Self::ValueKept => "value-kept",
            Self::ChoiceKept => "choice-kept",
            Self::RankTied => "rank-tied",
            Self::UntilUnknown => "until-unknown",
            Self::DeleteBlocked => "delete-blocked",
            Self::DeactivationBlocked => "deactivation-blocked",
            Self::DeletedByHand => "deleted-by-hand",
            Self::GrantUnmet => "grant-unmet",
            Self::GrantKept => "grant-kept",
            Self::LeadConverted => "lead-converted",
            Self::MadeBesideLead => "made-beside-lead",
            Self::NoMatch => "no-match",
            Self::PortalUserRetired => "portal-user-retired",
            Self::TargetShadowed => "target-shadowed",
            Self::UpdateNotAllowed => "update-not-allowed",
            Self::ValueRounded => "value-rounded",
        }
    }
}

impl std::fmt::Display for NoteCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the org would refuse, found before a call is spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRefusal {
    /// The Salesforce field.
    pub field: String,
    /// The SCIM attribute that the value came from, where there is one.
    pub attribute: Option<String>,
    /// A sentence for the administrator of the identity tool. It may quote the value, so it is not for logs.
    pub detail: String,
    /// Which rule of the org it would break.
    pub kind: RefusalKind,
}

/// The rules of an org that a value can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// A record cannot be made without it.
    Required,
    /// The value has more characters than the field takes.
    TooLong,
    /// The field only takes the values of its picklist.
    NotInPicklist,
    /// The integration user may not write the field, or the org has no such field.
    NotWriteable,
    /// A number or a date is larger or smaller than the field takes.
    OutOfRange,
    /// The value does not have the form that the field asks for.
    Malformed,
}
