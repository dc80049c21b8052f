//! One line of `[targets.x.fields]`: where the value of a field comes from.

use std::ops::Range;

use indexmap::IndexMap;
use model::TargetName;
use serde_json::Value as Json;

use crate::expression::Expression;
use crate::source::Source;
use crate::translate::Action;

/// How one field is filled.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The Salesforce field, as the mapping spells it; the relationship's name where the rule is [`Meaning::Key`].
    pub field: String,
    /// Where its value comes from; nothing if there is only a default.
    pub value: Option<Value>,
    /// What stands for what: applied to the value.
    pub map: Option<IndexMap<String, Json>>,
    /// What is written when there is no value.
    pub default: Option<Json>,
    /// When it is.
    pub default_on: On,
    /// It is for several objects at once: one without the field does without it.
    pub where_there: bool,
    /// What the value, or the default, stands for.
    pub meaning: Meaning,
    /// When the field is written.
    pub on: On,
    /// Whether a value that became unassigned clears the field.
    pub clear: bool,
    /// The name of the field in the file.
    pub place: Range<usize>,
    /// The default in the file.
    pub default_place: Option<Range<usize>>,
    /// What follows `link`, `by` or `queue` in the file.
    pub meaning_place: Option<Range<usize>>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `value`, or a rule that is a string.
    Expression(Expression),
    /// `from`.
    Source(Source),
}

/// What the value of a rule stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Itself: it is written.
    #[default]
    Itself,
    /// `link`: the identity with that SCIM id; its record in this target is written. Without a value: the person's own.
    Identity(TargetName),
    /// `by`: the record of another object that has it in this external id field.
    Key(String),
    /// `queue`: the queue with that name or developer name.
    Queue,
}

/// When a field is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum On {
    Create,
    Update,
    #[default]
    Both,
}

impl On {
    /// Whether this is such a time.
    pub(crate) fn is_due(self, action: Action) -> bool {
        match self {
            Self::Both => true,
            Self::Create => action == Action::Create,
            Self::Update => action == Action::Update,
        }
    }
}

impl Rule {
    /// The SCIM attribute that the value comes from, for notes and refusals.
    pub(crate) fn attribute(&self) -> Option<&str> {
        match &self.value {
            Some(Value::Expression(expression)) => expression.attribute(),
            Some(Value::Source(source)) => Some(source.attribute()),
            None => None,
        }
    }

    /// What is written now when there is no value.
    pub(crate) fn default_now(&self, action: Action) -> Option<&Json> {
        self.default.as_ref().filter(|_| self.default_on.is_due(action))
    }

    /// The target whose record of the same person the field refers to.
    pub(crate) fn own_link(&self) -> Option<&TargetName> {
        match &self.meaning {
            Meaning::Identity(target) if self.value.is_none() => Some(target),
            _ => None,
        }
    }

    /// Whether the field holds a reference that is not written as the mapping gives it.
    pub(crate) fn is_reference(&self) -> bool {
        self.meaning != Meaning::Itself
    }
}
