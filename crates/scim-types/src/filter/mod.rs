//! Filters (RFC 7644 §3.4.2.2), with what real clients send beside it.
//!
//! [`Filter::parse`] reads a text against a resource type, so that a filter that exists names only attributes that
//! exist and compares only what can be compared. [`Filter::matches`] tests a resource; `Display` writes a text that
//! parses to an equal filter.
//!
//! Beyond the grammar: attribute names and operators in any case (C-17), `not(` without a space, `$ref`, an attribute
//! with parts standing for its `value` (`emails eq "x"`, `manager eq "x"`), `emails[type eq "work"].value eq "x"`,
//! enterprise attributes without their URN (C-18), bare words as texts (C-20), booleans as `"True"` (C-51), numbers for
//! texts. Not taken: a filter without an attribute, or with an unknown one (C-19), and `password` (RFC 7643 §4.1.1).

mod display;
mod eval;
mod parse;

use std::fmt;

use jiff::Timestamp;
use serde_json::Number;

use crate::path::{AttrPath, PathError};
use crate::{Error, ResourceType};

pub use parse::parse_value_filter;
pub(crate) use parse::{Parser, Scope};

/// How deep parentheses and brackets may nest.
pub const MAX_DEPTH: usize = 64;
/// How many comparisons a filter may have.
pub const MAX_TERMS: usize = 1_024;

/// A condition on a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold. Two or more.
    And(Vec<Filter>),
    /// One of these holds. Two or more.
    Or(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A value at the path stands in this relation to the given one.
    Compare {
        /// Where the value is: never a whole object, and inside a value path still the full path (`emails.type`).
        path: AttrPath,
        /// The relation.
        op: Operator,
        /// What to compare with, of the attribute's own type.
        value: Literal,
    },
    /// There is a value at the path (`pr`).
    Present {
        /// Where the value is.
        path: AttrPath,
    },
    /// One element at the path meets the whole inner condition (`emails[...]`).
    ValuePath {
        /// The complex attribute.
        path: AttrPath,
        /// The condition; its paths are sub-attributes of `path`.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// Reads a filter on resources of this type.
    ///
    /// Takes time in proportion to the length of the text, whatever it is.
    ///
    /// # Errors
    ///
    /// [`FilterError`] with the place, where the text is no filter, names what does not exist, compares what cannot be
    /// compared, is nested deeper than [`MAX_DEPTH`] or has more than [`MAX_TERMS`] comparisons.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self, FilterError> {
        parse::parse(text, resource_type)
    }

    /// The conditions that must all hold: the parts of an `And`, else the filter itself.
    #[must_use]
    pub fn conjuncts(&self) -> &[Filter] {
        match self {
            Self::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// The text that the value at the path must equal, if that is all that the filter asks for.
    ///
    /// For indexes: `path.as_str()` is the canonical text, such as `userName` or `emails.value`.
    #[must_use]
    pub fn as_text_equality(&self) -> Option<(&AttrPath, &str)> {
        match self {
            Self::Compare { path, op: Operator::Eq, value: Literal::Text(text) } => Some((path, text)),
            _ => None,
        }
    }
}

/// How a value is compared (RFC 7644 table 3; `pr` is [`Filter::Present`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal; true where there is no value.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than, later than.
    Gt,
    /// Not less than.
    Ge,
    /// Less than, earlier than.
    Lt,
    /// Not greater than.
    Le,
}

impl Operator {
    const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// As it stands in a filter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether it asks which of two values comes first.
    #[must_use]
    pub const fn is_ordering(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Whether it looks for a part of a text.
    #[must_use]
    pub const fn is_substring(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`: no value. Only with `eq` and `ne`.
    Null,
    /// For boolean attributes.
    Boolean(bool),
    /// For integer and decimal attributes.
    Number(Number),
    /// For dateTime attributes, unless a part of the text is looked for.
    Instant {
        /// As it was written.
        text: String,
        /// What it means.
        at: Timestamp,
    },
    /// For all other attributes.
    Text(String),
}

/// Why a text is no filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The place in the text, in bytes from its beginning.
    pub position: usize,
    /// The same place in characters, counted from 1, as a person would.
    pub character: usize,
    /// What is wrong there.
    pub kind: FilterErrorKind,
}

/// What can be wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterErrorKind {
    /// There is no text.
    #[error("the filter is empty")]
    Empty,
    /// An operator stands where an attribute should (C-19).
    #[error("there is no attribute before {operator:?}")]
    NoAttribute {
        /// The operator.
        operator: String,
    },
    /// No attribute has this name.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The attribute may not be searched for.
    #[error("{attribute:?} cannot be used in a filter")]
    NotFilterable {
        /// Its path.
        attribute: String,
    },
    /// The attribute has no elements that brackets could choose from.
    #[error("{attribute:?} has no parts to choose by in brackets")]
    NoElements {
        /// Its path.
        attribute: String,
    },
    /// An object was to be compared with a value.
    #[error("{attribute:?} is an object; compare one of its parts, such as {example:?}")]
    Object {
        /// Its path.
        attribute: String,
        /// The path of a part.
        example: String,
    },
    /// No operator has this name.
    #[error("unknown operator {operator:?}; expected one of eq, ne, co, sw, ew, pr, gt, ge, lt, le")]
    UnknownOperator {
        /// What was written.
        operator: String,
    },
    /// The operator makes no sense for values of this type.
    #[error("{attribute:?} is {type_} and cannot be compared by {operator:?}")]
    WrongOperator {
        /// Its path.
        attribute: String,
        /// `boolean`, `binary`, ...
        type_: &'static str,
        /// The operator.
        operator: &'static str,
    },
    /// The value is not of the attribute's type.
    #[error("{attribute:?} can only be compared with {expected}")]
    WrongValue {
        /// Its path.
        attribute: String,
        /// `true or false`, ...
        expected: &'static str,
    },
    /// `null` is only equal or not equal.
    #[error("null can only be compared by \"eq\" and \"ne\"")]
    NullOrder,
    /// A text has no closing quotation mark.
    #[error("the text that begins here does not end")]
    UnendedText,
    /// A backslash means nothing with what follows it.
    #[error("a backslash in a text must be followed by one of \" \\ / b f n r t u")]
    BadEscape,
    /// Something else must stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What must stand here.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// Too many parentheses or brackets within each other.
    #[error("parentheses and brackets are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Too many comparisons.
    #[error("the filter has more than {MAX_TERMS} comparisons")]
    TooManyTerms,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at character {})", self.kind, self.character)
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for Error {
    /// 400 `invalidFilter`.
    fn from(error: FilterError) -> Self {
        Self::invalid_filter(format!("the filter cannot be read: {error}"))
    }
}
