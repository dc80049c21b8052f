//! Whether a resource meets a filter (RFC 7644 §3.4.2.2).

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::parse::instant;
use super::{Filter, Literal, Operator};
use crate::ResourceType;
use crate::fold::{fold, fold_eq};
use crate::path::AttrPath;

impl Filter {
    /// Whether a whole resource, with `id`, `meta`, `groups` and `members`, meets the filter.
    ///
    /// Of several values one is enough, and a value path asks all its questions of the same element. `ne` is true where
    /// there is no value. An absent `active` counts as true.
    #[must_use]
    pub fn matches(&self, resource_type: &ResourceType, full: &Map<String, Value>) -> bool {
        self.holds(Subject::Resource(resource_type, full))
    }

    /// Whether one element of a multi-valued attribute meets the filter from its brackets.
    #[must_use]
    pub fn matches_element(&self, element: &Value) -> bool {
        self.holds(Subject::Element(element))
    }

    fn holds(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(subject)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(subject)),
            Self::Not(inner) => !inner.holds(subject),
            Self::Present { path } => subject.has(path),
            Self::Compare { path, op, value: Literal::Null } => subject.has(path) == (*op == Operator::Ne),
            Self::Compare { path, op, value } => {
                let mut nothing_there = true;
                let hit = subject.any(path, &mut |stored| {
                    if !is_assigned(stored) {
                        return false;
                    }
                    nothing_there = false;
                    compares(path, *op, stored, value)
                });
                hit || (nothing_there && *op == Operator::Ne)
            }
            Self::ValuePath { path, filter } => {
                subject.any(path, &mut |element| element.is_object() && filter.matches_element(element))
            }
        }
    }
}

/// What a condition is asked of.
#[derive(Clone, Copy)]
enum Subject<'v> {
    Resource(&'v ResourceType, &'v Map<String, Value>),
    Element(&'v Value),
}

impl<'v> Subject<'v> {
    fn has(self, path: &AttrPath) -> bool {
        self.any(path, &mut is_assigned)
    }

    /// Whether one of the values at the path meets the test.
    fn any(self, path: &AttrPath, test: &mut dyn FnMut(&'v Value) -> bool) -> bool {
        match self {
            Self::Resource(resource_type, full) => {
                match resource_type.default_value(path).filter(|_| !full.contains_key(path.name())) {
                    Some(default) => test(default),
                    None => path.each_value(full, test),
                }
            }
            Self::Element(element) => match element.get(path.name()) {
                Some(Value::Array(values)) => values.iter().any(test),
                Some(value) => test(value),
                None => false,
            },
        }
    }
}

/// Whether there is a value: null, `""`, `[]` and `{}` are none (RFC 7643 §2.5).
fn is_assigned(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(is_assigned),
        Value::Object(members) => members.values().any(is_assigned),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compares(path: &AttrPath, op: Operator, stored: &Value, given: &Literal) -> bool {
    match given {
        Literal::Null => false,
        Literal::Boolean(given) => ordered(op, stored.as_bool().map(|stored| stored.cmp(given))),
        Literal::Number(given) => {
            let both = stored.as_f64().zip(given.as_f64());
            ordered(op, both.and_then(|(stored, given)| stored.partial_cmp(&given)))
        }
        Literal::Instant { at, .. } => {
            ordered(op, stored.as_str().and_then(instant).map(|stored| stored.cmp(at)))
        }
        Literal::Text(given) => {
            let stored = match stored {
                Value::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(other.to_string()),
            };
            if path.attribute().case_exact {
                texts_compare(op, &stored, given)
            } else {
                match op {
                    Operator::Eq => fold_eq(&stored, given),
                    Operator::Ne => !fold_eq(&stored, given),
                    _ => texts_compare(op, &fold(&stored), &fold(given)),
                }
            }
        }
    }
}

fn texts_compare(op: Operator, stored: &str, given: &str) -> bool {
    match op {
        Operator::Co => stored.contains(given),
        Operator::Sw => stored.starts_with(given),
        Operator::Ew => stored.ends_with(given),
        _ => ordered(op, Some(stored.cmp(given))),
    }
}

/// Whether the order of the stored value to the given one is what the operator asks for; values that have no order
/// are only not equal.
fn ordered(op: Operator, order: Option<Ordering>) -> bool {
    match op {
        Operator::Eq => order.is_some_and(Ordering::is_eq),
        Operator::Ne => order.is_none_or(Ordering::is_ne),
        Operator::Gt => order.is_some_and(Ordering::is_gt),
        Operator::Ge => order.is_some_and(Ordering::is_ge),
        Operator::Lt => order.is_some_and(Ordering::is_lt),
        Operator::Le => order.is_some_and(Ordering::is_le),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}
