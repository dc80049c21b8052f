//! One value of one field, small enough for a million rows.

use std::{cmp::Ordering, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::ids::Id;

/// A stored value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Arc<str>),
    Id(Id),
    /// Milliseconds since 1970.
    Time(i64),
    Date(Date),
}

impl Cell {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_id(&self) -> Option<Id> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(crate) fn as_int(&self) -> i64 {
        match self {
            Self::Int(n) => *n,
            _ => 0,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as REST bodies show it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(n) => json!(n),
            Self::Double(n) => json!(n),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Id(id) => Value::String(id.to_string()),
            Self::Time(millis) => Value::String(datetime(*millis)),
            Self::Date(date) => Value::String(date.to_string()),
        }
    }

    /// The key under which an index finds this value; `None` for null, which no index holds.
    pub(crate) fn key(&self, case_sensitive: bool) -> Option<Box<str>> {
        match self {
            Self::Null => None,
            Self::Text(text) if case_sensitive => Some(text.as_ref().into()),
            Self::Text(text) => Some(fold(text).into()),
            Self::Id(id) => Some(id.short().into()),
            Self::Bool(b) => Some(b.to_string().into()),
            Self::Int(n) | Self::Time(n) => Some(n.to_string().into()),
            Self::Double(n) => Some(n.to_string().into()),
            Self::Date(date) => Some(date.to_string().into()),
        }
    }

    /// The order of SOQL: text without regard to case, numbers by value; `None` where the kinds
    /// differ or one is null.
    pub(crate) fn compare(&self, other: &Self, case_sensitive: bool) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => {
                self.as_double().partial_cmp(&other.as_double())
            }
            (Self::Text(a), Self::Text(b)) if case_sensitive => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(fold(a).cmp(&fold(b))),
            (Self::Id(a), Self::Id(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    pub(crate) fn as_double(&self) -> f64 {
        match self {
            Self::Double(n) => *n,
            #[expect(clippy::cast_precision_loss, reason = "compared as Salesforce numbers are: as doubles")]
            Self::Int(n) => *n as f64,
            _ => f64::NAN,
        }
    }
}

/// Text without case, as SOQL compares it.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// `2026-03-27T16:33:56.000+0000`, the one form in which REST bodies show an instant.
pub(crate) fn datetime(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default().to_zoned(TimeZone::UTC);
    let (date, time) = (at.date(), at.time());
    format!(
        "{date}T{:02}:{:02}:{:02}.{:03}+0000",
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// An instant as bodies and SOQL may write it: a time and an offset are needed.
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    if !text.contains(['T', 't']) {
        return None;
    }
    // `+0000` without a colon is Salesforce's own form, and is taken back only with its milliseconds.
    let offset = text.len().checked_sub(5).and_then(|at| text.get(at..)).unwrap_or_default();
    let short = offset.starts_with(['+', '-']) && !offset.contains(':');
    if short && !text.contains('.') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A record: its values by field number, absent where they are null or false.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(Vec<(u16, Cell)>);

impl Row {
    pub(crate) fn get(&self, field: usize) -> &Cell {
        self.0
            .binary_search_by_key(&field, |(at, _)| usize::from(*at))
            .map_or(&Cell::Null, |at| &self.0[at].1)
    }

    /// Gives back the room that setting fields took in advance.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn set(&mut self, field: usize, cell: Cell) {
        let found = self.0.binary_search_by_key(&field, |(at, _)| usize::from(*at));
        match (found, cell) {
            (Ok(at), Cell::Null | Cell::Bool(false)) => {
                self.0.remove(at);
            }
            (Err(_), Cell::Null | Cell::Bool(false)) => {}
            (Ok(at), cell) => self.0[at].1 = cell,
            (Err(at), cell) => {
                if let Ok(field) = u16::try_from(field) {
                    self.0.insert(at, (field, cell));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds_and_an_offset_without_colon() {
        assert_eq!(datetime(1_774_629_236_000), "2026-03-27T16:33:56.000+0000");
        for text in ["2026-03-27T16:33:56.000+0000", "2026-03-27T16:33:56Z", "2026-03-27T18:33:56+02:00"] {
            assert_eq!(parse_datetime(text), Some(1_774_629_236_000), "{text}");
        }
        for text in ["2026-03-27", "2026-03-27T16:33:56+0000", "yesterday", ""] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    #[test]
    fn a_row_gives_back_what_was_set_last() {
        let mut row = Row::default();
        row.set(7, Cell::Int(1));
        row.set(3, Cell::text("a"));
        row.set(7, Cell::Int(2));
        assert_eq!((row.get(7), row.get(3), row.get(4)), (&Cell::Int(2), &Cell::text("a"), &Cell::Null));
        row.set(3, Cell::Null);
        assert!(row.get(3).is_null());
    }
}
