//! What a field takes: JSON types, ids, lengths, picklists, e-mail addresses.

use serde_json::Value;

use crate::{
    cell::{Cell, parse_datetime},
    errors::{Refusal, Refusals},
    ids::Id,
    schema::{Field, Kind},
    switches::Switches,
};

/// The text of a body, to say where in it something is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a>(pub(crate) &'a str);

impl Source<'_> {
    /// Line and column of the value of `key`, counted from 1.
    fn locate(self, key: &str) -> (usize, usize) {
        let quoted = format!("\"{key}\"");
        let Some(at) = self.0.find(&quoted).map(|at| at + quoted.len()) else { return (1, 1) };
        let skipped = self.0[at..].find(|c: char| !c.is_whitespace() && c != ':').unwrap_or(0);
        let before = &self.0[..at + skipped];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// Reads a JSON value into a field. Text comes out trimmed at its end, empty text as null. An id
/// field whose text is no id comes out as text, for the caller to refuse.
pub(crate) fn read(
    field: &Field,
    value: &Value,
    source: Source<'_>,
    switches: &Switches,
) -> Result<Cell, Refusals> {
    let wrong = || Err(vec![wrong_type(field, value, source)]);
    Ok(match (field.kind, value) {
        (Kind::Boolean, Value::Null) => {
            let message = format!("{}: value not of required type: null", field.label);
            return Err(vec![Refusal::record("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &[&field.name])]);
        }
        (_, Value::Null) => Cell::Null,
        (Kind::Boolean, Value::Bool(b)) => Cell::Bool(*b),
        // An int has 32 bits.
        (Kind::Int, Value::Number(n)) => match n.as_i64().filter(|n| i32::try_from(*n).is_ok()) {
            Some(n) => Cell::Int(n),
            None => return wrong(),
        },
        (Kind::Double, Value::Number(n)) => n.as_f64().map_or(Cell::Null, Cell::Double),
        (Kind::Int | Kind::Double, Value::String(text)) if switches.text_as_numbers => {
            match from_text(field, text.trim_start()) {
                Cell::Null => return wrong(),
                cell => cell,
            }
        }
        (Kind::DateTime | Kind::Date, Value::String(text)) => match from_text(field, text) {
            Cell::Null => return wrong(),
            cell => cell,
        },
        (kind, Value::String(text)) if kind.is_text() || kind.is_id() => from_text(field, text),
        (kind, Value::Number(n)) if kind.is_text() && switches.numbers_as_text => Cell::text(&n.to_string()),
        _ => return wrong(),
    })
}

/// Reads the text form of a value: in a path, in a query, in a text field.
pub(crate) fn from_text(field: &Field, text: &str) -> Cell {
    let text = text.trim_end();
    match field.kind {
        _ if text.is_empty() => Cell::Null,
        kind if kind.is_id() => Id::parse(text).map_or_else(|| Cell::text(text), Cell::Id),
        Kind::Boolean => Cell::Bool(text.eq_ignore_ascii_case("true")),
        Kind::Int => text.parse::<i32>().map_or(Cell::Null, |n| Cell::Int(n.into())),
        Kind::Double => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.map_or(Cell::Null, Cell::Double)
        }
        Kind::DateTime => parse_datetime(text).map_or(Cell::Null, Cell::Time),
        // A day alone: `2026-03-27`.
        Kind::Date if text.len() == 10 => text.parse().map_or(Cell::Null, Cell::Date),
        Kind::Date => Cell::Null,
        _ => Cell::text(text),
    }
}

/// Salesforce's parser names its own types and tokens.
fn wrong_type(field: &Field, value: &Value, source: Source<'_>) -> Refusal {
    let wanted = match field.kind {
        Kind::Boolean => "boolean",
        Kind::Int | Kind::Double => &field.kind_name,
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Id | Kind::Reference => "reference",
        Kind::Address => "address",
        _ => "string",
    };
    let (token, shown) = match value {
        Value::String(text) => ("VALUE_STRING value", text.clone()),
        Value::Bool(true) => ("VALUE_TRUE value", "true".into()),
        Value::Bool(false) => ("VALUE_FALSE value", "false".into()),
        Value::Number(n) if n.is_f64() => ("VALUE_NUMBER_FLOAT value", n.to_string()),
        Value::Number(n) => ("VALUE_NUMBER_INT value", n.to_string()),
        Value::Array(_) => ("START_ARRAY value", "[".into()),
        _ => ("START_OBJECT value", "{".into()),
    };
    let (line, column) = source.locate(&field.name);
    Refusal::json(format!(
        "Cannot deserialize instance of {wanted} from {token} {shown} or request may be missing a required \
         field at [line:{line}, column:{column}]"
    ))
}

/// What a value may not be, whatever the record.
pub(crate) fn check(field: &Field, cell: &Cell) -> Option<Refusal> {
    let label = &field.label;
    let refuse = |code: &'static str, message: String| Some(Refusal::record(code, message, &[&field.name]));
    if is_out_of_range(field, cell) {
        let message =
            format!("{label}: value outside of valid range on numeric field: {:?}", cell.as_double());
        return refuse("NUMBER_OUTSIDE_VALID_RANGE", message);
    }
    let text = cell.as_text()?;
    // Java counts UTF-16 units: an emoji is two characters long.
    if field.kind.is_text() && field.length > 0 && text.encode_utf16().count() > field.length {
        let message = format!("{label}: data value too large: {text} (max length={})", field.length);
        return refuse("STRING_TOO_LONG", message);
    }
    if let Some(value) = outside_picklist(field, text) {
        let message = format!("{label}: bad value for restricted picklist field: {value}");
        return refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message);
    }
    if field.kind == Kind::Email && !is_email(text) {
        return refuse("INVALID_EMAIL_ADDRESS", format!("{label}: invalid email address: {text}"));
    }
    None
}

/// A number with more digits before the point than its field has.
fn is_out_of_range(field: &Field, cell: &Cell) -> bool {
    let digits = match (field.precision(), field.kind) {
        (Some((precision, scale)), _) => i32::from(precision - scale),
        (None, Kind::Int) if field.length > 0 => i32::try_from(field.length).unwrap_or(i32::MAX),
        _ => return false,
    };
    cell.as_double().abs() >= 10_f64.powi(digits)
}

/// A value that a restricted picklist does not have; a multi-select one holds several, with `;` between.
fn outside_picklist<'a>(field: &Field, text: &'a str) -> Option<&'a str> {
    if field.kind != Kind::Picklist || !field.restricted {
        return None;
    }
    let known = |value: &str| field.picklist.iter().any(|entry| entry.value == value);
    let separator = if field.kind_name == "multipicklist" { ";" } else { "\0" };
    text.split(separator).map(str::trim).find(|value| !known(value))
}

/// The addresses that Salesforce takes: ASCII, one `@`, dots only between other characters, a domain
/// of two labels or more.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let dotted = |part: &str| part.split('.').all(|piece| !piece.is_empty());
    let local_char = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let label = |label: &str| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = domain.rsplit('.').next().unwrap_or_default();
    dotted(local)
        && local.chars().all(local_char)
        && local.len() <= 64
        && domain.contains('.')
        && dotted(domain)
        && domain.split('.').all(label)
        && top.len() >= 2
        && top.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses() {
        for good in
            ["a@b.co", "ada.lovelace@example.com.acme", "o'brien+x@example.org", "x_1@sub.ex-ample.io"]
        {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "a b@example.com",
            "ada@@example.com",
            "ada@example..com",
            ".ada@example.com",
            "ada.@example.com",
            "ada@-example.com",
            "ada@example.c",
            "jürgen@example.com",
            "ada@exämple.com",
            "ada@example.123",
            "ada@example.com ",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_wrong_type_is_located_in_the_body() {
        assert_eq!(Source("{\"IsActive\":\"yes\"}").locate("IsActive"), (1, 13));
        assert_eq!(Source("{\n  \"IsActive\": \"yes\"}").locate("IsActive"), (2, 15));
        assert_eq!(Source("").locate("IsActive"), (1, 1));
    }
}
