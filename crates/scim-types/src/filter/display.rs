//! A filter as text.

use std::fmt;

use super::{Filter, Literal};
use crate::AttrPath;

impl fmt::Display for Filter {
    /// Writes a text that parses to an equal filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, AttrPath::as_str, f)
    }
}

impl Filter {
    /// Writes the filter in brackets after the attribute whose elements it is about.
    pub(crate) fn write_on(&self, attribute: &AttrPath, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{attribute}[")?;
        write(self, AttrPath::name, f)?;
        f.write_str("]")
    }
}

/// `name` says how a path is written: whole, or inside brackets only its last name.
fn write(filter: &Filter, name: fn(&AttrPath) -> &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match filter {
        Filter::And(parts) => {
            join(parts, " and ", |part| matches!(part, Filter::And(_) | Filter::Or(_)), name, f)
        }
        Filter::Or(parts) => join(parts, " or ", |part| matches!(part, Filter::Or(_)), name, f),
        Filter::Not(inner) => {
            f.write_str("not (")?;
            write(inner, name, f)?;
            f.write_str(")")
        }
        Filter::Compare { path, op, value } => write!(f, "{} {} {value}", name(path), op.as_str()),
        Filter::Present { path } => write!(f, "{} pr", name(path)),
        Filter::ValuePath { path, filter } => filter.write_on(path, f),
    }
}

fn join(
    parts: &[Filter],
    word: &str,
    needs_parentheses: fn(&Filter) -> bool,
    name: fn(&AttrPath) -> &'static str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        if needs_parentheses(part) {
            f.write_str("(")?;
            write(part, name, f)?;
            f.write_str(")")?;
        } else {
            write(part, name, f)?;
        }
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Instant { text, .. } | Self::Text(text) => {
                // a JSON string is what the grammar asks for, escapes included
                write!(f, "{}", serde_json::Value::from(text.as_str()))
            }
        }
    }
}
