//! The body of a request made canonical: C-32 to C-41, C-55, C-56.
//!
//! Clients spell names as they like, put enterprise attributes at the root, send booleans as texts and texts as
//! numbers, fill what they do not know with null, and send back what they once read. All of that is taken here, once,
//! so that nothing behind it has to know.

use serde_json::{Map, Value};

use crate::path::AttrPath;
use crate::schema::{Attribute, AttributeType};
use crate::{Error, Resource, ResourceType};

impl ResourceType {
    /// Reads the body of a POST or PUT.
    ///
    /// Names get the schema's spelling; enterprise attributes at the root move into their extension, where the form
    /// with the URN wins (C-34); values become of their attribute's type (C-37, C-38); null, `""`, `[]`, `{}` and
    /// elements without a value are dropped (C-36), as are unknown and read-only attributes (C-32, C-35) and
    /// `password`, which is never stored (C-40); one `primary` stays (C-39); `schemas` is rebuilt (C-33).
    ///
    /// # Errors
    ///
    /// `invalidSyntax` if the body is no object; `invalidValue` for a value that is not of its attribute's type and
    /// cannot be made so, and for a missing required attribute.
    pub fn read_body(&self, body: Value) -> Result<Resource, Error> {
        let Value::Object(members) = body else {
            return Err(Error::invalid_syntax(format!(
                "the body must be a JSON object that describes a {}",
                self.name
            )));
        };
        let mut map = Map::new();
        let mut aliases = Vec::new();
        for (name, value) in members {
            self.read_member(&name, value, &mut map, &mut aliases)?;
        }
        for (path, value) in aliases {
            insert(&mut map, &path, value, Keep::Old);
        }
        let resource = self.seal(map);
        self.check_required(&resource)?;
        Ok(resource)
    }

    fn read_member(
        &self,
        name: &str,
        value: Value,
        map: &mut Map<String, Value>,
        aliases: &mut Vec<(AttrPath, Value)>,
    ) -> Result<(), Error> {
        let Some(path) = self.find(name) else {
            // some clients put the core attributes under the core URN
            if let (true, Value::Object(members)) = (self.is_core_urn(name), value) {
                for (name, value) in members {
                    if !self.is_core_urn(&name) {
                        self.read_member(&name, value, map, aliases)?;
                    }
                }
            }
            return Ok(());
        };
        let attribute = path.attribute();
        if path.is_sub_attribute() || attribute.is_read_only() || is_never_stored(&path) {
            return Ok(());
        }
        let Some(value) = normalise_value(attribute, value)? else { return Ok(()) };
        if path.extension().is_some() && !path.is_extension() && !is_urn(name) {
            aliases.push((path, value));
        } else {
            insert(map, &path, value, Keep::New);
        }
        Ok(())
    }

    /// Makes a resource of attributes that are canonical each: drops the ones that are empty, brings them in the order
    /// of the schemas and rebuilds `schemas` from what is there.
    #[must_use]
    pub fn seal(&self, mut map: Map<String, Value>) -> Resource {
        let mut sealed = Map::with_capacity(map.len() + 1);
        sealed.insert("schemas".to_owned(), Value::Null);
        let mut schemas = vec![Value::from(self.schema.id.as_str())];
        for path in self.roots().iter().chain(self.extension_roots()) {
            if path.as_str() == "schemas" {
                continue;
            }
            if let Some(value) = map.swap_remove(path.name()).filter(|value| !is_empty(value)) {
                if path.is_extension() {
                    schemas.push(path.as_str().into());
                }
                sealed.insert(path.name().to_owned(), value);
            }
        }
        sealed.insert("schemas".to_owned(), Value::Array(schemas));
        Resource::from_map(sealed)
    }

    /// Checks that every required attribute has a value.
    ///
    /// # Errors
    ///
    /// `invalidValue` with the name of the one that is missing (C-55, C-72).
    pub fn check_required(&self, resource: &Resource) -> Result<(), Error> {
        let missing = self
            .schema
            .attributes
            .iter()
            .find(|attribute| attribute.required && resource.get(&attribute.name).is_none_or(is_empty));
        match missing {
            Some(attribute) => Err(Error::invalid_value(format!(
                "{:?} is required: a {} cannot be without it",
                attribute.name, self.name
            ))),
            None => Ok(()),
        }
    }
}

/// `schemas` is rebuilt, and a password that Gangway stored would be one more to lose.
fn is_never_stored(path: &AttrPath) -> bool {
    matches!(path.as_str(), "schemas" | "password")
}

fn is_urn(name: &str) -> bool {
    name.trim_start().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

/// Which of two values of one attribute counts.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Old,
    New,
}

/// Puts a value at the path of an attribute; the objects of extensions are merged.
fn insert(map: &mut Map<String, Value>, path: &AttrPath, value: Value, keep: Keep) {
    if path.is_extension() {
        let Value::Object(members) = value else { return };
        if let Value::Object(extension) = map.entry(path.name()).or_insert_with(|| Map::new().into()) {
            extension.extend(members);
        }
        return;
    }
    let object = match path.parent() {
        None => map,
        Some(extension) => match map.entry(extension.name()).or_insert_with(|| Map::new().into()) {
            Value::Object(extension) => extension,
            _ => return,
        },
    };
    if keep == Keep::New || !object.contains_key(path.name()) {
        object.insert(path.name().to_owned(), value);
    }
}

/// Whether a value is unassigned (RFC 7643 §2.5): null, `""`, `[]` or `{}`.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        // Blank text too: OneLogin sends `" "` for what is not set.
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Makes a value canonical for its attribute, in bodies and in PATCH operations alike. None means unassigned.
///
/// A single value of a multi-valued attribute becomes an array, a plain value of an attribute with parts its `value`
/// (a manager as text, C-56), an array with one element a single value; texts become booleans and numbers texts where
/// the schema says so; unknown and read-only parts are dropped, and so are elements whose `value` is missing.
///
/// # Errors
///
/// `invalidValue` if the value is not of the attribute's type and cannot be made so.
pub fn normalise_value(attribute: &Attribute, value: Value) -> Result<Option<Value>, Error> {
    normalise(attribute, None, value)
}

/// As [`normalise_value`], for one element of a multi-valued attribute rather than the array of them.
///
/// # Errors
///
/// As [`normalise_value`].
pub fn normalise_element(attribute: &Attribute, value: Value) -> Result<Option<Value>, Error> {
    one_value(attribute, None, value)
}

/// Leaves at most one element `primary`: the one at `preferred` if it is, else the first that is (C-39).
pub fn keep_one_primary(elements: &mut [Value], preferred: Option<usize>) {
    let is_primary = |element: &Value| element.get("primary") == Some(&Value::Bool(true));
    let kept = preferred
        .filter(|index| elements.get(*index).is_some_and(is_primary))
        .or_else(|| elements.iter().position(is_primary));
    for (index, element) in elements.iter_mut().enumerate() {
        if is_primary(element) && Some(index) != kept {
            element["primary"] = Value::Bool(false);
        }
    }
}

fn normalise(
    attribute: &Attribute,
    parent: Option<&Attribute>,
    value: Value,
) -> Result<Option<Value>, Error> {
    if is_empty(&value) {
        return Ok(None);
    }
    if attribute.multi_valued {
        return many_values(attribute, value);
    }
    match value {
        Value::Array(values) => {
            let mut values = values.into_iter().filter(|value| !is_empty(value));
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(only), None) if !only.is_array() => one_value(attribute, parent, only),
                _ => Err(wrong(attribute, parent, "a single value, not an array")),
            }
        }
        value => one_value(attribute, parent, value),
    }
}

fn many_values(attribute: &Attribute, value: Value) -> Result<Option<Value>, Error> {
    let values = match value {
        Value::Array(values) => values,
        single => vec![single],
    };
    let mut elements = Vec::with_capacity(values.len());
    for value in values {
        elements.extend(one_value(attribute, None, value)?);
    }
    keep_one_primary(&mut elements, None);
    Ok(if elements.is_empty() { None } else { Some(Value::Array(elements)) })
}

/// One value: the only one, or one element.
fn one_value(
    attribute: &Attribute,
    parent: Option<&Attribute>,
    value: Value,
) -> Result<Option<Value>, Error> {
    if is_empty(&value) {
        return Ok(None);
    }
    let (read, expected) = match attribute.type_ {
        AttributeType::Complex => return object(attribute, value),
        AttributeType::Boolean => (as_boolean(value), "true or false"),
        AttributeType::Integer | AttributeType::Decimal => (as_number(value), "a number"),
        _ => (as_text(value), "a text"),
    };
    read.map(Some).ok_or_else(|| wrong(attribute, parent, expected))
}

/// Entra ID sends `"True"` and `"False"` (C-37).
fn as_boolean(value: Value) -> Option<Value> {
    match value {
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        value => value.is_boolean().then_some(value),
    }
}

fn as_number(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => text.trim().parse().map(Value::Number).ok(),
        value => value.is_number().then_some(value),
    }
}

/// HR data has numbers where SCIM has texts (C-38).
fn as_text(value: Value) -> Option<Value> {
    match value {
        Value::Number(number) => Some(Value::String(number.to_string())),
        Value::Bool(value) => Some(Value::String(value.to_string())),
        value => value.is_string().then_some(value),
    }
}

/// One value of an attribute with parts.
fn object(attribute: &Attribute, value: Value) -> Result<Option<Value>, Error> {
    if attribute.is_free_form() {
        return match value {
            Value::Object(_) => Ok(Some(without_empties(value)).filter(|value| !is_empty(value))),
            _ => Err(wrong(attribute, None, "an object")),
        };
    }
    let members = match unwrapped(attribute, value) {
        Value::Object(members) => members,
        Value::Array(_) => return Err(wrong(attribute, None, "an object")),
        plain => match attribute.value_attribute() {
            Some(part) => Map::from_iter([(part.name.clone(), plain)]),
            None => return Err(wrong(attribute, None, "an object")),
        },
    };
    let mut canonical = Map::with_capacity(members.len());
    let mut reference = None;
    for (name, value) in members {
        let sub_name = crate::path::legacy_sub_name(&attribute.name, &name);
        let Some(sub) = attribute.sub_attribute(sub_name) else { continue };
        if sub.name == "$ref" {
            // The server makes the address anew at every read; what was sent only names the id.
            reference = value.as_str().and_then(last_segment).map(str::to_owned);
            continue;
        }
        if sub.is_read_only() && !attribute.is_read_only() {
            continue;
        }
        if let Some(value) = normalise(sub, Some(attribute), value)? {
            canonical.insert(sub.name.clone(), value);
        }
    }
    if attribute.value_attribute().is_some() && !canonical.contains_key("value") {
        // a member that is named by its address alone is still that member
        match reference {
            Some(id) => canonical.insert("value".to_owned(), Value::String(id)),
            None => return Ok(None),
        };
    }
    Ok(if canonical.is_empty() { None } else { Some(Value::Object(canonical)) })
}

/// What is unassigned is dropped, however deep it is. Elements keep their places.
fn without_empties(value: Value) -> Value {
    let whole = |(name, value): (String, Value)| {
        Some((name, without_empties(value))).filter(|(_, value)| !is_empty(value))
    };
    match value {
        Value::Object(members) => Value::Object(members.into_iter().filter_map(whole).collect()),
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_empties).collect()),
        plain => plain,
    }
}

/// Takes out what Entra ID packs into the `value` of an entitlement or role: JSON text with `id`, `value` and `displayName`
/// (C-57). What stands beside it goes before what is in it.
pub(crate) fn unwrapped(attribute: &Attribute, value: Value) -> Value {
    let text = match &value {
        Value::String(text) => Some(text),
        Value::Object(members) => members.iter().find_map(|(name, value)| match value {
            Value::String(text) if name.eq_ignore_ascii_case("value") => Some(text),
            _ => None,
        }),
        _ => None,
    };
    let is_packed = |text: &&String| text.trim_start().starts_with('{');
    let packed = text.filter(is_packed).filter(|_| matches!(&*attribute.name, "entitlements" | "roles"));
    let Some(Ok(Value::Object(packed))) = packed.map(|text| serde_json::from_str(text)) else { return value };
    let member = |wanted: &str| {
        let mut named =
            packed.iter().filter(|(name, value)| name.eq_ignore_ascii_case(wanted) && !is_empty(value));
        named.next().map(|(_, value)| value.clone())
    };
    // Entra's own id of an app role says nothing to Salesforce, unless nothing else is there.
    let named = ["value", "displayName", "id"].into_iter().find_map(member);
    let mut members = Map::new();
    members.extend(member("displayName").map(|display| ("display".to_owned(), display)));
    members.extend(member("type").map(|kind| ("type".to_owned(), kind)));
    if let Value::Object(beside) = value {
        members.extend(beside.into_iter().filter(|(_, value)| !is_empty(value)));
    }
    members.retain(|name, _| !name.eq_ignore_ascii_case("value"));
    members.extend(named.map(|named| ("value".to_owned(), named)));
    Value::Object(members)
}

/// The id at the end of a resource's address.
fn last_segment(address: &str) -> Option<&str> {
    address.trim_end_matches('/').rsplit('/').next().filter(|segment| !segment.trim().is_empty())
}

/// What was sent is not repeated: errors are logged, and values are personal.
fn wrong(attribute: &Attribute, parent: Option<&Attribute>, expected: &str) -> Error {
    let parent = parent.map_or_else(String::new, |parent| {
        let separator = if parent.name.starts_with("urn:") { ':' } else { '.' };
        format!("{}{separator}", parent.name)
    });
    Error::invalid_value(format!("\"{parent}{}\" must be {expected}", attribute.name))
}
