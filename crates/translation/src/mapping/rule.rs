//! One line of `[targets.x.fields]`: where the value of a field comes from.

use std::ops::Range;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::expression::Expression;
use crate::source::Source;

/// How one field is filled.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The Salesforce field, as the mapping spells it.
    pub field: String,
    /// Where its value comes from; nothing if there is only a default.
    pub value: Option<Value>,
    /// What stands for what: applied to the value.
    pub map: Option<IndexMap<String, Json>>,
    /// What is written when there is no value.
    pub default: Option<Json>,
    /// When the field is written.
    pub on: On,
    /// Whether a value that became unassigned clears the field.
    pub clear: bool,
    /// The name of the field in the file.
    pub place: Range<usize>,
    /// The default in the file.
    pub default_place: Option<Range<usize>>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `value`, or a rule that is a string.
    Expression(Expression),
    /// `from`.
    Source(Source),
}

/// When a field is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum On {
    Create,
    Update,
    #[default]
    Both,
}

impl Rule {
    /// The SCIM attribute that the value comes from, for notes and refusals.
    pub(crate) fn attribute(&self) -> Option<&'static str> {
        match &self.value {
            Some(Value::Expression(expression)) => expression.attribute(),
            Some(Value::Source(source)) => Some(source.attribute()),
            None => None,
        }
    }
}
