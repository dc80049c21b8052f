//! Whether a value fits a field, and the form in which Salesforce takes it (Object Reference, "Field Types").

mod moment;
mod number;

use salesforce_types::{FieldDescription, FieldType, RecordId};
use serde_json::Value;

pub(crate) use moment::moment;

use super::plain;
use crate::note::{NoteCode, RefusalKind};

/// Which rule of the org a value would break, and how.
pub(crate) type Misfit = (RefusalKind, String);

/// A value as it is sent.
#[derive(Debug, PartialEq)]
pub(crate) struct Fitted {
    pub value: Value,
    /// What is different about it, where it says less than what was given.
    pub note: Option<(NoteCode, String)>,
}

impl Fitted {
    fn same(value: impl Into<Value>) -> Self {
        Self { value: value.into(), note: None }
    }
}

/// The value as it is sent.
///
/// # Errors
///
/// Which rule of the org it would break, and how. Text is never cut.
pub(crate) fn fit(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    match field.field_type {
        FieldType::Boolean => boolean(value),
        FieldType::Int | FieldType::Long => number::whole(field, value),
        FieldType::Currency | FieldType::Double | FieldType::Percent => number::decimal(field, value),
        FieldType::Date => moment::date(value),
        FieldType::DateTime => moment::instant(value),
        FieldType::Time => moment::time(value),
        FieldType::Email => email(field, value),
        FieldType::Id | FieldType::Reference => reference(field, value),
        FieldType::Picklist | FieldType::Combobox => picklist(field, value).map(Fitted::same),
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
        | FieldType::Other => text(field, value).map(Fitted::same),
    }
}

/// What a source says of a switch by when it was: the instant of a verification, or null while there was none. What says true
/// or false is that, and with a default for those who say nothing null stays null.
pub(crate) fn switch(value: Value, has_default: bool) -> Value {
    if super::is_unassigned(&value) {
        return if has_default { value } else { Value::Bool(false) };
    }
    let is_plain = matches!(value, Value::String(_) | Value::Number(_));
    if is_plain && boolean(&value).is_err() && moment(&plain(&value)).is_some() {
        return Value::Bool(true);
    }
    value
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

fn boolean(value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(Fitted::same(true)),
        "false" | "0" | "no" => Ok(Fitted::same(false)),
        _ => Err(malformed(format!("`{text}` is neither true nor false"))),
    }
}

fn email(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    let address = text(field, value)?;
    let address = address.trim();
    crate::normalise::email::check(address)
        .map_err(|why| malformed(format!("`{address}` is no mail address that Salesforce takes: {why}")))?;
    Ok(Fitted::same(address))
}

/// The first three characters of the ids of objects that every org has.
const KEY_PREFIXES: [(&str, &str); 10] = [
    ("Account", "001"),
    ("Contact", "003"),
    ("Group", "00G"),
    ("Lead", "00Q"),
    ("Opportunity", "006"),
    ("Organization", "00D"),
    ("Profile", "00e"),
    ("RecordType", "012"),
    ("User", "005"),
    ("UserRole", "00E"),
];

/// The id of a record of an object that the field may point to.
fn reference(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    let id =
        RecordId::parse(text.trim()).map_err(|why| malformed(format!("`{text}` is no record id: {why}")))?;
    let prefix_of = |object: &String| {
        KEY_PREFIXES.iter().find(|(known, _)| known.eq_ignore_ascii_case(object)).map(|(_, prefix)| *prefix)
    };
    // Ids of other objects differ from org to org; where one of those is allowed, any id may be right.
    let prefixes: Option<Vec<&str>> = field.reference_to.iter().map(prefix_of).collect();
    match prefixes {
        Some(prefixes) if !prefixes.is_empty() && !prefixes.contains(&id.prefix()) => {
            let objects = field.reference_to.join(" or ");
            Err(malformed(format!("`{text}` is no id of a {objects}")))
        }
        _ => Ok(Fitted::same(String::from(id))),
    }
}

/// A value of a picklist in the org's own spelling. An open one takes other values, too.
fn picklist(field: &FieldDescription, value: &Value) -> Result<String, Misfit> {
    let value = text(field, value)?;
    match field.picklist_value(value.trim()) {
        Some(known) => Ok(known.to_owned()),
        None if field.restricted_picklist => {
            Err((RefusalKind::NotInPicklist, format!("`{value}` is not in the picklist")))
        }
        None => Ok(value),
    }
}

/// Values of a multi-select picklist, joined by `;` in the order of the org, in which Salesforce gives them back.
fn several(field: &FieldDescription, value: &Value) -> Result<Fitted, Misfit> {
    let sent: Vec<Value> = match value {
        Value::Array(values) => values.clone(),
        value => one(value)?.split(';').map(Value::from).collect(),
    };
    let mut values: Vec<String> = Vec::new();
    for value in sent.iter().filter(|value| !super::is_unassigned(value)) {
        let value = picklist(field, value)?.trim().to_owned();
        if value.contains(';') {
            return Err(malformed(format!("`{value}` has a `;`, which parts the values of the field")));
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let place = |value: &String| field.picklist.iter().position(|entry| entry.value == *value);
    values.sort_by_key(|value| place(value).unwrap_or(usize::MAX));
    text(field, &Value::from(values.join(";"))).map(Fitted::same)
}
