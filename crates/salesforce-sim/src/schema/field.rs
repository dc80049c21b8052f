//! One field of an object.

use crate::cell::Cell;

/// The types of fields, as describe names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Reference,
    Text,
    TextArea,
    Email,
    Phone,
    Url,
    Picklist,
    Boolean,
    Int,
    Double,
    Date,
    DateTime,
    Address,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "reference" => Self::Reference,
            "string" | "encryptedstring" | "combobox" => Self::Text,
            "textarea" => Self::TextArea,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "url" => Self::Url,
            "picklist" | "multipicklist" => Self::Picklist,
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "double" | "currency" | "percent" => Self::Double,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "address" => Self::Address,
            _ => return None,
        })
    }

    /// The name of the type, where no field has another for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::Text => "string",
            Self::TextArea => "textarea",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Picklist => "picklist",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Address => "address",
        }
    }

    /// Held as text.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::TextArea | Self::Email | Self::Phone | Self::Url | Self::Picklist)
    }

    /// Held as an id.
    pub(crate) fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }
}

/// What the end of a record means for one that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    /// Nothing is said: the record cannot be deleted while one refers to it.
    Block,
    /// The reference becomes null.
    Clear,
    /// This one is deleted too.
    Cascade,
    /// The record cannot be deleted, and the error lists those that refer to it.
    Restrict,
}

impl OnDelete {
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "clear" => Self::Clear,
            "cascade" => Self::Cascade,
            "restrict" => Self::Restrict,
            _ => Self::Block,
        }
    }
}

/// One entry of a picklist.
#[derive(Clone, Debug)]
pub(crate) struct PicklistValue {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) default: bool,
    /// The value of the controlling field with which this one goes; `None` for any.
    pub(crate) controlled_by: Option<String>,
}

impl PicklistValue {
    /// A value that is its own label.
    pub(crate) fn plain(value: &str) -> Self {
        Self { value: value.to_owned(), label: value.to_owned(), default: false, controlled_by: None }
    }
}

/// A field as describe shows it, with what the org does when nothing is sent for it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a describe")]
pub(crate) struct Field {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: Kind,
    /// The type's name as describe prints it, such as `currency`.
    pub(crate) kind_name: String,
    /// Characters of a text, digits of a number.
    pub(crate) length: usize,
    pub(crate) nillable: bool,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) defaulted_on_create: bool,
    pub(crate) restricted: bool,
    pub(crate) id_lookup: bool,
    pub(crate) external_id: bool,
    pub(crate) unique: bool,
    pub(crate) case_sensitive: bool,
    pub(crate) filterable: bool,
    /// Kept in an index, so that looking it up does not read every row.
    pub(crate) indexed: bool,
    /// Taken away by field-level security or by a feature that is off: as if it did not exist.
    pub(crate) hidden: bool,
    pub(crate) custom: bool,
    pub(crate) reference_to: Vec<String>,
    pub(crate) relationship: Option<String>,
    /// What the other side calls the records that refer to it with this field: `Users` of a Profile.
    pub(crate) child_relationship: Option<String>,
    /// What deleting the record that this field refers to does to this one.
    pub(crate) on_delete: OnDelete,
    /// The compound field that this is a part of, such as `MailingAddress`.
    pub(crate) compound: Option<String>,
    pub(crate) picklist: Vec<PicklistValue>,
    /// The picklist on which the entries of this one depend: `CountryCode` of `StateCode`.
    pub(crate) controller: Option<String>,
    pub(crate) default: Cell,
}

impl Field {
    /// A create without it is refused.
    pub(crate) fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create && self.kind != Kind::Boolean
    }

    /// Of a number with decimals: its digits, and how many of them stand after the point. Places on earth have 15, sums of
    /// money in standard fields none, and numbers that a customer added two.
    pub(crate) fn precision(&self) -> Option<(u8, u8)> {
        let is_place = self.name.ends_with("Latitude") || self.name.ends_with("Longitude");
        match self.kind {
            Kind::Double if is_place => Some((18, 15)),
            Kind::Double if self.custom => Some((18, 2)),
            Kind::Double => Some((18, 0)),
            _ => None,
        }
    }

    /// May stand in `ORDER BY`.
    pub(crate) fn is_sortable(&self) -> bool {
        self.filterable && self.kind != Kind::Address && self.kind_name != "multipicklist"
    }

    /// May stand in `GROUP BY`.
    pub(crate) fn is_groupable(&self) -> bool {
        self.is_sortable() && !matches!(self.kind, Kind::DateTime | Kind::Double)
    }

    /// May be counted, and have a least and a greatest value.
    pub(crate) fn is_aggregatable(&self) -> bool {
        self.is_sortable() && self.kind != Kind::Boolean
    }

    /// May stand in a path or be named by an upsert in place of the id.
    pub(crate) fn is_key(&self) -> bool {
        self.id_lookup || self.external_id
    }
}
