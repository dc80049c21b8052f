//! Whether a value fits a field, and the form in which Salesforce takes it (Object Reference, "Field Types").

use jiff::civil::Date;
use jiff::{Timestamp, civil::Time};
use salesforce_types::{FieldDescription, FieldType, RecordId};
use serde_json::Value;

use super::plain;
use crate::note::RefusalKind;

type Misfit = (RefusalKind, String);

/// The value as it is sent.
///
/// # Errors
///
/// Which rule of the org it would break, and how. Nothing is ever cut.
pub(crate) fn fit(field: &FieldDescription, value: &Value) -> Result<Value, Misfit> {
    match field.field_type {
        FieldType::Boolean => boolean(value),
        FieldType::Int | FieldType::Long => whole(value),
        FieldType::Currency | FieldType::Double | FieldType::Percent => number(value),
        FieldType::Date => date(value),
        FieldType::DateTime => instant(value),
        FieldType::Time => time(value),
        FieldType::Email => email(field, value),
        FieldType::Id | FieldType::Reference => reference(value),
        FieldType::Picklist | FieldType::Combobox => picklist(field, value),
        FieldType::MultiPicklist => several(field, value),
        FieldType::Address
        | FieldType::AnyType
        | FieldType::Base64
        | FieldType::EncryptedString
        | FieldType::Location
        | FieldType::Phone
        | FieldType::String
        | FieldType::TextArea
        | FieldType::Url
        | FieldType::Other => text(field, value).map(Value::from),
    }
}

fn malformed(message: String) -> Misfit {
    (RefusalKind::Malformed, message)
}

fn text(field: &FieldDescription, value: &Value) -> Result<String, Misfit> {
    let text = one(value)?;
    let length = length(&text);
    let most = field.length as usize;
    if most > 0 && length > most {
        let message = format!("it has {length} characters, and the field takes {most}");
        return Err((RefusalKind::TooLong, message));
    }
    Ok(text)
}

/// Salesforce does not say what it counts. UTF-16 units, as Java does, are never fewer than characters, so that what is let
/// through here fits either way.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn one(value: &Value) -> Result<String, Misfit> {
    match value {
        Value::Array(_) => Err(malformed("it is a list, and the field holds one value".to_owned())),
        Value::Object(_) => Err(malformed("it has parts, and the field holds one value".to_owned())),
        value => Ok(plain(value)),
    }
}

fn boolean(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Value::Bool(true)),
        "false" | "0" => Ok(Value::Bool(false)),
        _ => Err(malformed(format!("`{text}` is neither true nor false"))),
    }
}

fn whole(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(Value::from(number)),
        Err(_) => Err(malformed(format!("`{text}` is no whole number"))),
    }
}

fn number(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    if let Ok(whole) = text.trim().parse::<i64>() {
        return Ok(Value::from(whole));
    }
    let number = text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    number.map(Value::Number).ok_or_else(|| malformed(format!("`{text}` is no number")))
}

/// `2026-01-31`, also from a date with a time.
fn date(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match text.trim().parse::<Date>() {
        Ok(date) => Ok(Value::from(date.to_string())),
        Err(_) => Err(malformed(format!("`{text}` is no date such as 2026-01-31"))),
    }
}

/// `2026-01-31T12:00:00Z`.
fn instant(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match text.trim().parse::<Timestamp>() {
        Ok(instant) => Ok(Value::from(instant.to_string())),
        Err(_) => Err(malformed(format!("`{text}` is no date and time such as 2026-01-31T12:00:00Z"))),
    }
}

fn time(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match text.trim().trim_end_matches('Z').parse::<Time>() {
        Ok(time) => Ok(Value::from(time.strftime("%H:%M:%S%.3fZ").to_string())),
        Err(_) => Err(malformed(format!("`{text}` is no time such as 12:00:00"))),
    }
}

fn email(field: &FieldDescription, value: &Value) -> Result<Value, Misfit> {
    let address = text(field, value)?;
    let address = address.trim();
    crate::normalise::email::check(address)
        .map_err(|why| malformed(format!("`{address}` is no mail address that Salesforce takes: {why}")))?;
    Ok(Value::from(address))
}

fn reference(value: &Value) -> Result<Value, Misfit> {
    let text = one(value)?;
    match RecordId::parse(text.trim()) {
        Ok(id) => Ok(Value::from(String::from(id))),
        Err(why) => Err(malformed(format!("`{text}` is no record id: {why}"))),
    }
}

/// A value of a restricted picklist in the org's own spelling; of an open one as it is.
fn picklist(field: &FieldDescription, value: &Value) -> Result<Value, Misfit> {
    let value = text(field, value)?;
    if let Some(known) = field.picklist_value(value.trim()) {
        return Ok(Value::from(known));
    }
    if field.restricted_picklist && !field.picklist.is_empty() {
        return Err((RefusalKind::NotInPicklist, format!("`{value}` is not in the picklist")));
    }
    Ok(Value::from(value))
}

/// Values of a multi-select picklist, joined by `;` (REST API Developer Guide).
fn several(field: &FieldDescription, value: &Value) -> Result<Value, Misfit> {
    let values: Vec<Value> = match value {
        Value::Array(values) => values.clone(),
        value => one(value)?.split(';').map(|part| Value::from(part.trim())).collect(),
    };
    let mut joined = String::new();
    for value in &values {
        let value = picklist(field, value)?;
        if !joined.is_empty() {
            joined.push(';');
        }
        joined.push_str(value.as_str().unwrap_or_default());
    }
    text(field, &Value::from(joined)).map(Value::from)
}
