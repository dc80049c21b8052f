//! Reads what clients send and writes it down in canonical form: one attribute for each operation.

use serde_json::{Map, Value};

use super::target::Target;
use super::{MAX_MEMBERS, MAX_OPERATIONS, Op, Operation, Patch, legacy, members};
use crate::body::{normalise_element, normalise_value, unwrapped};
use crate::path::{legacy_sub_name, quoted};
use crate::schema::{Attribute, Returned};
use crate::{AttrPath, Error, PatchPath, ResourceType};

/// See [`Patch::parse`].
pub(super) fn patch(resource_type: &ResourceType, body: Value) -> Result<Patch, Error> {
    let Value::Object(mut body) = body else {
        return Err(Error::invalid_syntax("a PATCH is a JSON object with an array Operations"));
    };
    let mut reader = Reader { resource_type, operations: Vec::new(), members: 0 };
    match take(&mut body, "Operations") {
        None => legacy::read(&mut reader, body)?,
        Some(Value::Array(operations)) => {
            too_many(operations.len(), MAX_OPERATIONS, "operations")?;
            for operation in operations {
                reader.operation(operation)?;
            }
        }
        // ConvertTo-Json of Windows PowerShell writes an array of one as the one.
        Some(operation @ Value::Object(_)) => reader.operation(operation)?,
        Some(_) => return Err(Error::invalid_syntax("Operations of a PATCH must be an array")),
    }
    Ok(Patch { operations: reader.operations })
}

/// Collects the canonical operations.
pub(super) struct Reader<'a> {
    resource_type: &'a ResourceType,
    operations: Vec<Operation>,
    members: usize,
}

/// Where the name of an attribute stood, which decides how much is forgiven.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Named {
    /// In `path`: what is read-only is an error, and so is what cannot be read.
    ByPath,
    /// In the value of an operation without a path, which is often a whole resource that was read before: what is
    /// read-only or unknown is ignored (C-47).
    InValue,
}

impl Reader<'_> {
    fn operation(&mut self, operation: Value) -> Result<(), Error> {
        let Value::Object(mut operation) = operation else {
            return Err(Error::invalid_syntax("each of the Operations is a JSON object"));
        };
        let op = match take(&mut operation, "op") {
            Some(Value::String(op)) => Op::parse(&op)?,
            _ => {
                return Err(Error::invalid_syntax(
                    "each operation of a PATCH has an op: add, remove or replace",
                ));
            }
        };
        let value = take(&mut operation, "value");
        match take(&mut operation, "path") {
            Some(Value::String(path)) if !path.trim().is_empty() => self.at(op, &path, value, Named::ByPath),
            None | Some(Value::Null | Value::String(_)) => self.without_path(op, value),
            Some(_) => Err(Error::invalid_path("path must be a text")),
        }
    }

    /// An operation without a path: its value is an object of attributes (C-46), or an array of such.
    fn without_path(&mut self, op: Op, value: Option<Value>) -> Result<(), Error> {
        if op == Op::Remove {
            return Err(Error::no_target("a remove needs a path that says what to remove"));
        }
        let objects = match value {
            Some(Value::Array(objects)) => objects,
            other => vec![other.unwrap_or_default()],
        };
        for object in objects {
            let Value::Object(attributes) = object else {
                return Err(Error::invalid_value(
                    "an operation without a path needs a value that is an object of attributes",
                ));
            };
            self.each(op, "", attributes)?;
        }
        Ok(())
    }

    /// Each attribute of an object; `schema` is empty or a URN with a colon.
    pub fn each(&mut self, op: Op, schema: &str, attributes: Map<String, Value>) -> Result<(), Error> {
        attributes.into_iter().try_for_each(|(name, value)| {
            self.at(op, &format!("{schema}{name}"), Some(value), Named::InValue)
        })
    }

    /// An operation on what a path names.
    pub fn at(&mut self, op: Op, path: &str, value: Option<Value>, named: Named) -> Result<(), Error> {
        match Target::find(self.resource_type, path) {
            Ok(Target::Attribute(place)) => self.at_place(op, &place, value, named),
            Ok(Target::Schema(extension)) => self.at_schema(op, extension.as_ref(), value),
            Ok(Target::Unknown) => Ok(()),
            Err(_) if named == Named::InValue && !path.contains('[') => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// An operation on all of a schema; `None` is the core schema.
    fn at_schema(&mut self, op: Op, extension: Option<&AttrPath>, value: Option<Value>) -> Result<(), Error> {
        let urn = match extension {
            Some(extension) => extension.as_str(),
            None => &self.resource_type.schema.id,
        };
        match value {
            Some(Value::Object(attributes)) if op != Op::Remove => {
                self.each(op, &format!("{urn}:"), attributes)
            }
            value if op == Op::Remove || value.as_ref().is_some_and(is_empty) => match extension {
                None => Err(Error::no_target("the core attributes cannot be removed all at once")),
                Some(extension) if extension.attribute().is_read_only() => Ok(()),
                Some(_) => {
                    self.push(Op::Remove, urn.to_owned(), Value::Null);
                    Ok(())
                }
            },
            _ => Err(Error::invalid_value(format!("{urn} needs a value that is an object of attributes"))),
        }
    }

    fn at_place(
        &mut self,
        op: Op,
        place: &PatchPath,
        value: Option<Value>,
        named: Named,
    ) -> Result<(), Error> {
        let attribute = place.attribute.attribute();
        if attribute.name == "schemas" || attribute.returned == Returned::Never {
            return Ok(());
        }
        let read_only = attribute.is_read_only() || place.target().attribute().is_read_only();
        if read_only && named == Named::InValue {
            return Ok(());
        }
        let path = place.to_string();
        // Whether a read-only value is what is there already can only be told when it is known what is there.
        if read_only {
            self.push(op, path, value.unwrap_or_default());
            return Ok(());
        }
        let all_values = attribute.multi_valued && place.filter.is_none() && place.sub.is_none();
        if op == Op::Remove {
            let named = match value {
                Some(value) if all_values && !value.is_null() => {
                    self.elements(attribute, members::unwrap(&attribute.name, value))?.into()
                }
                _ => Value::Null,
            };
            self.push(op, path, named);
            return Ok(());
        }
        let value = value
            .map(|value| members::unwrap(&attribute.name, value))
            .ok_or_else(|| Error::invalid_value(format!("the operation on {path} needs a value")))?;
        if is_empty(&value) {
            // To add nothing to a list is nothing; for all else it unassigns, as `replace` does (C-48, C-55).
            let adds_nothing = op == Op::Add && attribute.multi_valued && place.sub.is_none();
            if !adds_nothing {
                self.set(Op::Replace, place, Value::Null);
            }
            return Ok(());
        }
        let value = match &place.sub {
            Some(sub) if sub.name() == "value" => simple(sub.attribute(), unwrapped(attribute, value))?,
            Some(sub) => simple(sub.attribute(), value)?,
            None if all_values => match self.elements(attribute, value)? {
                values if !values.is_empty() => values.into(),
                _ if op == Op::Add => return Ok(()),
                // Elements that have lost their values: some clients mean nothing by it, so that it is not `null`.
                _ => Value::Array(Vec::new()),
            },
            None if attribute.is_complex() => match parts(attribute, value)? {
                parts if parts.is_empty() => return Ok(()),
                parts => parts.into(),
            },
            None => simple(attribute, value)?,
        };
        self.set(op, place, value);
        Ok(())
    }

    /// Sets what a path names; `null` unassigns it. But not what counts as something while it is absent: a blank from a
    /// mapping that found nothing must not give access back, as unassigning `active` would (a `remove` says what it
    /// means). A PUT keeps it likewise (C-62).
    fn set(&mut self, op: Op, place: &PatchPath, value: Value) {
        if !(value.is_null() && self.resource_type.default_value(place.target()).is_some()) {
            self.push(op, place.to_string(), value);
        }
    }

    /// The values of a multi-valued attribute: an array, or one value without it; empty ones are none (C-36).
    fn elements(&mut self, attribute: &Attribute, value: Value) -> Result<Vec<Value>, Error> {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        if attribute.name == "members" {
            self.members += values.len();
            too_many(self.members, MAX_MEMBERS, "members")?;
        }
        values.into_iter().filter_map(|value| normalise_element(attribute, value).transpose()).collect()
    }

    pub fn push(&mut self, op: Op, path: String, value: Value) {
        self.operations.push(Operation { op, path, value });
    }
}

/// A value of an attribute without parts, `null` where there is none. Entra ID once sent `[{"value": "False"}]` for it.
fn simple(attribute: &Attribute, value: Value) -> Result<Value, Error> {
    let bare = match value {
        Value::Array(mut values) => {
            values.retain(|value| !is_empty(value));
            if values.len() > 1 { values.into() } else { values.pop().unwrap_or_default() }
        }
        value => value,
    };
    let bare = match bare {
        Value::Object(mut members) => take(&mut members, "value").unwrap_or(Value::Object(members)),
        value => value,
    };
    Ok(normalise_value(attribute, bare)?.filter(|value| !is_empty(value)).unwrap_or_default())
}

/// The known parts of a value of a complex attribute; `null` for one that is to be unassigned.
fn parts(attribute: &Attribute, value: Value) -> Result<Map<String, Value>, Error> {
    let value = match value {
        Value::Array(mut values) if values.len() == 1 => values.swap_remove(0),
        value => value,
    };
    // What is no object stands for the `value` of one, and an address for who lives there.
    let whole = normalise_element(attribute, value.clone())?;
    let mut parts = Map::new();
    if let Value::Object(sent) = value {
        for (name, part) in sent {
            let sub = attribute.sub_attribute(legacy_sub_name(&attribute.name, &name));
            if let Some(sub) = sub.filter(|sub| !sub.is_read_only()) {
                parts.insert(sub.name.clone(), simple(sub, part)?);
            }
        }
    }
    if let Some(Value::Object(whole)) = whole {
        for (name, part) in whole {
            parts.entry(name).or_insert(part);
        }
    }
    Ok(parts)
}

fn too_many(count: usize, most: usize, what: &str) -> Result<(), Error> {
    if count > most {
        return Err(Error::new(
            413,
            format!("a PATCH may have {most} {what}; send more in several requests"),
        ));
    }
    Ok(())
}

/// What unassigns (RFC 7643 §2.5, C-55): `null`, a text without a letter in it, and a list without a value.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// The member of this name, without regard to case.
pub(super) fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let sent = members.keys().find(|sent| sent.eq_ignore_ascii_case(name))?.clone();
    members.shift_remove(&sent)
}

impl Op {
    fn parse(text: &str) -> Result<Self, Error> {
        match text.trim().to_ascii_lowercase().as_str() {
            "add" => Ok(Self::Add),
            "remove" => Ok(Self::Remove),
            "replace" => Ok(Self::Replace),
            other => {
                let other = quoted(other);
                Err(Error::invalid_syntax(format!("op must be add, remove or replace, not {other:?}")))
            }
        }
    }
}
