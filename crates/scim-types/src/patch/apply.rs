//! Carries out canonical operations on a copy of a resource.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::elements::Elements;
use super::target::{self, Target};
use super::{Op, Operation, Patch, members};
use crate::schema::{Attribute, Mutability};
use crate::{AttrPath, Error, PatchPath, Resource, ResourceType};

/// See [`Patch::apply`].
pub(super) fn apply(
    patch: &Patch,
    resource_type: &ResourceType,
    current: &Resource,
) -> Result<Resource, Error> {
    let mut work = Work { resource_type, resource: current.clone().into_map(), lists: IndexMap::new() };
    for operation in &patch.operations {
        work.carry_out(operation)?;
    }
    Ok(work.finish())
}

/// A resource being changed.
struct Work<'a> {
    resource_type: &'a ResourceType,
    resource: Map<String, Value>,
    /// The multi-valued attributes that were touched, taken out of the resource until the end.
    lists: IndexMap<AttrPath, Elements>,
}

impl Work<'_> {
    fn carry_out(&mut self, operation: &Operation) -> Result<(), Error> {
        let place = match Target::find(self.resource_type, &operation.path)? {
            Target::Attribute(place) => place,
            Target::Schema(Some(extension)) => {
                self.lists.retain(|path, _| path.extension() != Some(extension.as_str()));
                self.resource.shift_remove(extension.as_str());
                return Ok(());
            }
            // A patch that was stored may name what a later version of the schemas no longer has.
            Target::Schema(None) | Target::Unknown => return Ok(()),
        };
        let attribute = place.attribute.attribute();
        if attribute.is_read_only() || place.target().attribute().is_read_only() {
            return self.leave_read_only(&place, operation);
        }
        if attribute.multi_valued {
            return self.change_list(&place, operation);
        }
        if !self.is_selected(&place) {
            let values = place.attribute.values_in(&self.resource);
            let is_done = values.into_iter().any(|value| has_all_of(value, &operation.value, &place));
            let unassigns = value_of(operation, &operation.value).is_null();
            return if unassigns || is_done { Ok(()) } else { Err(no_target(operation)) };
        }
        let parts = match (&place.sub, &operation.value) {
            (None, Value::Object(parts)) if operation.op != Op::Remove => parts.clone(),
            (None, value) => return self.set(&place.attribute, operation.op, value_of(operation, value)),
            (Some(sub), value) => {
                Map::from_iter([(sub.name().to_owned(), value_of(operation, value).clone())])
            }
        };
        self.merge_into(attribute, &place.attribute, &parts)
    }

    /// Changing what only the server may write succeeds where it changes nothing (RFC 7644 §3.5.2).
    fn leave_read_only(&self, place: &PatchPath, operation: &Operation) -> Result<(), Error> {
        let whole = place.attribute.values_in(&self.resource).into_iter();
        let chosen =
            whole.filter(|value| place.filter.as_ref().is_none_or(|filter| filter.matches_element(value)));
        let there: Vec<&Value> = match &place.sub {
            None => chosen.collect(),
            Some(sub) => chosen.filter_map(|value| value.get(sub.name())).collect(),
        };
        let asked = match &operation.value {
            Value::Null => vec![],
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        let is_there = |asked: &&Value| there.iter().any(|there| names(asked, there));
        let changes_nothing = match operation.op {
            Op::Remove if asked.is_empty() => there.is_empty(),
            Op::Remove => !asked.iter().any(is_there),
            Op::Add if place.attribute.attribute().multi_valued => asked.iter().all(is_there),
            Op::Add | Op::Replace => asked.len() == there.len() && asked.iter().all(is_there),
        };
        if changes_nothing {
            return Ok(());
        }
        Err(Error::mutability(format!("{} is read-only", place.target())))
    }

    /// Whether a filter on a singular attribute, such as `manager[value eq "m1"]`, lets the operation pass.
    fn is_selected(&self, place: &PatchPath) -> bool {
        let Some(filter) = &place.filter else { return true };
        let values = place.attribute.values_in(&self.resource);
        values.into_iter().any(|value| filter.matches_element(value))
    }

    /// Sets or unassigns a singular attribute as a whole.
    fn set(&mut self, path: &AttrPath, op: Op, value: &Value) -> Result<(), Error> {
        let attribute = path.attribute();
        if value.is_null() && attribute.required {
            let detail = format!("{path} is required and cannot be unassigned");
            // RFC 7644 §3.5.2.2 has a keyword for the one, table 9 for the other.
            return Err(if op == Op::Remove {
                Error::mutability(detail)
            } else {
                Error::invalid_value(detail)
            });
        }
        let Some(container) = self.container(path, !value.is_null()) else { return Ok(()) };
        if value.is_null() {
            container.shift_remove(&attribute.name);
        } else {
            container.insert(attribute.name.clone(), value.clone());
        }
        Ok(())
    }

    /// Changes some parts of a singular complex attribute.
    fn merge_into(
        &mut self,
        attribute: &Attribute,
        path: &AttrPath,
        parts: &Map<String, Value>,
    ) -> Result<(), Error> {
        let assigns = parts.values().any(|part| !part.is_null());
        let Some(container) = self.container(path, assigns) else { return Ok(()) };
        let mut object = match container.get_mut(&attribute.name) {
            Some(Value::Object(object)) => std::mem::take(object),
            _ => Map::new(),
        };
        let changed = merge(attribute, &mut object, parts);
        let is_whole =
            !object.is_empty() && (attribute.value_attribute().is_none() || object.contains_key("value"));
        if is_whole {
            container.insert(attribute.name.clone(), object.into());
        } else {
            container.shift_remove(&attribute.name);
        }
        changed
    }

    /// The object that an attribute is in: the resource, or that of an extension, which is made if need be.
    fn container(&mut self, path: &AttrPath, make: bool) -> Option<&mut Map<String, Value>> {
        let Some(urn) = path.extension() else { return Some(&mut self.resource) };
        if make && !self.resource.get(urn).is_some_and(Value::is_object) {
            self.resource.insert(urn.to_owned(), Map::new().into());
        }
        self.resource.get_mut(urn)?.as_object_mut()
    }

    fn change_list(&mut self, place: &PatchPath, operation: &Operation) -> Result<(), Error> {
        let elements = self.list(&place.attribute);
        if place.filter.is_some() || place.sub.is_some() {
            return change_elements(elements, place, operation);
        }
        match (operation.op, &operation.value) {
            (Op::Remove, Value::Array(named)) => members::remove(elements, named),
            (Op::Remove, _) | (Op::Replace, Value::Null) => elements.clear(),
            (Op::Replace, Value::Array(values)) => elements.replace(values.clone()),
            (Op::Add, Value::Array(values)) => elements.add(values.clone()),
            _ => {}
        }
        Ok(())
    }

    /// The values of a multi-valued attribute, taken out of the resource when first asked for.
    fn list(&mut self, path: &AttrPath) -> &mut Elements {
        if !self.lists.contains_key(path) {
            let name = path.name();
            let taken =
                self.container(path, false).and_then(|container| container.get_mut(name)).map(Value::take);
            let values = match taken {
                Some(Value::Array(values)) => values,
                _ => Vec::new(),
            };
            self.lists.insert(path.clone(), Elements::new(path.attribute(), values));
        }
        &mut self.lists[path]
    }

    /// Puts the lists back, and leaves nothing empty behind.
    fn finish(mut self) -> Resource {
        for (path, elements) in std::mem::take(&mut self.lists) {
            let values = elements.into_values();
            if let Some(container) = self.container(&path, !values.is_empty()) {
                if values.is_empty() {
                    container.shift_remove(path.name());
                } else {
                    container.insert(path.name().to_owned(), values.into());
                }
            }
        }
        self.resource_type.seal(self.resource)
    }
}

/// Changes, makes or removes the elements that a filter selects; without a filter, all of them.
fn change_elements(elements: &mut Elements, place: &PatchPath, operation: &Operation) -> Result<(), Error> {
    let attribute = place.attribute.attribute();
    let unassigns = operation.op == Op::Remove || operation.value.is_null();
    if let (true, None, Some(filter)) = (unassigns, &place.sub, &place.filter) {
        match target::named_by(filter) {
            Some(named) => elements.remove_values(&named),
            None => elements.remove_where(|element| filter.matches_element(element)),
        }
        return Ok(());
    }
    let places = match &place.filter {
        Some(filter) => elements.places_where(|element| filter.matches_element(element)),
        None => elements.places_where(|_| true),
    };
    let parts = match (&place.sub, &operation.value) {
        (Some(sub), value) => Map::from_iter([(sub.name().to_owned(), value_of(operation, value).clone())]),
        (None, Value::Object(parts)) => parts.clone(),
        (None, _) => return Ok(()),
    };
    if !places.is_empty() {
        return elements.change(&places, |element| merge(attribute, element, &parts));
    }
    if unassigns {
        return Ok(());
    }
    let described = match &place.filter {
        Some(filter) => target::made_by(filter),
        None => Some(Map::new()),
    };
    if let Some(mut made) = described {
        made.extend(parts.into_iter().filter(|(_, part)| !part.is_null()));
        let made = Value::from(made);
        if place.filter.as_ref().is_none_or(|filter| filter.matches_element(&made)) {
            elements.add(vec![made]);
            return Ok(());
        }
    }
    // `emails[value eq "old"].value` moves the value out of its own filter. What was done before is done (C-69).
    if elements.places_where(|element| has_all_of(element, &operation.value, place)).is_empty() {
        return Err(no_target(operation));
    }
    Ok(())
}

/// Whether an element has the parts that an operation sets.
fn has_all_of(element: &Value, value: &Value, place: &PatchPath) -> bool {
    match (&place.sub, value) {
        (Some(sub), value) => element.get(sub.name()) == Some(value),
        (None, Value::Object(parts)) => {
            parts.iter().all(|(name, part)| element.get(name).unwrap_or(&Value::Null) == part)
        }
        _ => false,
    }
}

fn no_target(operation: &Operation) -> Error {
    Error::no_target(format!("{} selects no value, and does not say what to make", operation.path))
}

/// Changes the parts of a complex value that are named; `null` takes one away.
fn merge(
    attribute: &Attribute,
    object: &mut Map<String, Value>,
    parts: &Map<String, Value>,
) -> Result<(), Error> {
    for (name, part) in parts {
        let written_once =
            attribute.sub_attribute(name).is_some_and(|sub| sub.mutability == Mutability::Immutable);
        if written_once && object.get(name).is_some_and(|there| there != part) {
            return Err(Error::mutability(format!("{}.{name} cannot change once it is set", attribute.name)));
        }
        // A `$ref` leads to what `value` names; it must not go on leading to what `value` named before.
        if name == "value" && object.get(name) != Some(part) && !parts.contains_key("$ref") {
            object.shift_remove("$ref");
        }
        if part.is_null() {
            object.shift_remove(name);
        } else {
            object.insert(name.clone(), part.clone());
        }
    }
    Ok(())
}

/// Whether a value that was sent is one that is there: a reference may come without what is shown with it.
fn names(sent: &Value, there: &Value) -> bool {
    let value = sent.get("value").unwrap_or(sent);
    sent == there || there.get("value").is_some_and(|there| there == value)
}

/// A `remove` unassigns, whatever value came with it.
fn value_of<'v>(operation: &Operation, value: &'v Value) -> &'v Value {
    if operation.op == Op::Remove { &Value::Null } else { value }
}
