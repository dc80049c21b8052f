//! Mappings in the JSON form of Next Identity: which Salesforce field each attribute of a profile goes to.
//!
//! ```json
//! {"type": "salesforce", "instance": "acme-prod", "mapping": {"uuid": "Identity_UUID__c", "email": "Email"}}
//! ```
//!
//! The attributes are those of Akamai Identity Cloud. Each becomes a rule over the SCIM attribute that means the same, and
//! from there on the mapping is like any other.

mod attributes;
mod json;

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::Reader;
use super::{Severity, Target};
use crate::suggest::nearest;
use attributes::Origin;
use json::{Member, Shape};

const KEYS: [&str; 5] = ["type", "instance", "mapping", "object", "defaults"];
/// The attribute that tells profiles apart.
const UUID: &str = "uuid";

/// Whether a mapping is in this form: its file is called so, or it begins as no TOML does.
pub(super) fn is_one(text: &str, file: &str) -> bool {
    let is_json = |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("json"));
    is_json(file) || text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// One field and where its value comes from, in the words of an ordinary rule.
struct Line<'t> {
    field: Cow<'t, str>,
    place: Range<usize>,
    /// The key of an ordinary rule that says where the value comes from, and what stands there.
    source: Option<(&'static str, Cow<'t, str>)>,
    default: Option<Spanned<DeValue<'t>>>,
}

/// Reads the one target of such a mapping.
pub(super) fn read(reader: &mut Reader, text: &str) -> Vec<Target> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let members = match json::members(text) {
        Ok(members) => members,
        Err((place, why)) => {
            reader.refuse(place, why, None);
            return Vec::new();
        }
    };
    for member in members.iter().filter(|member| !KEYS.contains(&member.name.as_ref())) {
        let message =
            format!("a mapping of Next Identity has no key `{}`, only {}", member.name, KEYS.join(", "));
        let suggestion = nearest(&member.name, KEYS);
        reader.refuse(member.place.clone(), message, suggestion);
    }
    let member = |name: &str| members.iter().find(|member| member.name == name);
    check_type(reader, member("type"));
    let instance = member("instance").and_then(|instance| string(reader, instance, "`instance`"));
    let Some(mapping) = member("mapping") else {
        let message = "a mapping in JSON is one of Next Identity, and has a `mapping` of attributes to fields; any other is \
                       written in TOML";
        reader.refuse(0..1, message, None);
        return Vec::new();
    };
    let Shape::Object(attributes) = &mapping.shape else {
        let message = format!("`mapping` is an object; this is {}", mapping.shape.name());
        reader.refuse(mapping.value.clone(), message, None);
        return Vec::new();
    };
    let (mut lines, uuid_field) = lines(reader, attributes);
    defaults(reader, member("defaults"), &mut lines);
    let Some(object) = object(reader, member("object"), &lines, mapping) else { return Vec::new() };
    let mut target = target(reader, &object, mapping.place.clone(), lines);
    if let Some(target) = &mut target {
        target.instance = instance;
        // The attribute that tells profiles apart finds their records, before any other.
        if let Some((field, place)) = uuid_field {
            target.matching.insert(0, field);
            target.place.matching.insert(0, place);
        }
    }
    target.into_iter().collect()
}

fn check_type(reader: &mut Reader, member: Option<&Member<'_>>) {
    match member.map(|member| (member, string(reader, member, "`type`"))) {
        None => reader.refuse(0..1, "a mapping of Next Identity says `\"type\": \"salesforce\"`", None),
        Some((member, Some(other))) if other != "salesforce" => {
            let message = format!("this mapping is for `{other}`; Gangway reads those for `salesforce`");
            reader.refuse(member.value.clone(), message, None);
        }
        Some(_) => {}
    }
}

fn string(reader: &mut Reader, member: &Member<'_>, what: &str) -> Option<String> {
    if let Shape::String(text) = &member.shape {
        return Some(text.to_string());
    }
    reader.refuse(member.value.clone(), format!("{what} is a string; this is {}", member.shape.name()), None);
    None
}

/// A line for every attribute that a SCIM user can carry, and the field that `uuid` goes to.
fn lines<'t>(reader: &mut Reader, members: &[Member<'t>]) -> (Vec<Line<'t>>, Option<(String, Range<usize>)>) {
    let mut lines: Vec<Line<'t>> = Vec::new();
    let mut uuid_field = None;
    for member in members {
        let attribute = member.name.as_ref();
        let Shape::String(field) = &member.shape else {
            let message = format!(
                "`{attribute}` goes to the Salesforce field that is named here; this is {}",
                member.shape.name()
            );
            reader.refuse(member.value.clone(), message, None);
            continue;
        };
        if lines.iter().any(|line| line.field.eq_ignore_ascii_case(field)) {
            let message =
                format!("another attribute goes to `{field}` already; Salesforce does not mind case");
            reader.refuse(member.value.clone(), message, None);
            continue;
        }
        if attribute == UUID {
            uuid_field = Some((field.to_string(), member.value.clone()));
        }
        let source = match attributes::carried(attribute) {
            Some(Origin::Expression(text)) => ("value", text.to_owned()),
            Some(Origin::Path(text)) => ("from", text.to_owned()),
            None => {
                let message = format!(
                    "no SCIM attribute carries `{attribute}`, which only events have; SCIM requests leave `{field}` as it is"
                );
                reader.warn(member.place.clone(), message, attributes::meant(attribute));
                continue;
            }
        };
        let source = Some((source.0, Cow::Owned(source.1)));
        lines.push(Line { field: field.clone(), place: member.value.clone(), source, default: None });
    }
    (lines, uuid_field)
}

/// `defaults`: what new records get where the profile has nothing.
fn defaults<'t>(reader: &mut Reader, member: Option<&Member<'t>>, lines: &mut Vec<Line<'t>>) {
    let Some(member) = member else { return };
    let Shape::Object(members) = &member.shape else {
        let message = format!("`defaults` is an object; this is {}", member.shape.name());
        return reader.refuse(member.value.clone(), message, None);
    };
    for member in members {
        let value = match &member.shape {
            Shape::String(text) => DeValue::String(text.clone()),
            Shape::Boolean(value) => DeValue::Boolean(*value),
            other => {
                let message = format!("a default is a string, true or false; this is {}", other.name());
                reader.refuse(member.value.clone(), message, None);
                continue;
            }
        };
        let default = Some(Spanned::new(member.value.clone(), value));
        match lines.iter_mut().find(|line| line.field.eq_ignore_ascii_case(&member.name)) {
            Some(line) => line.default = default,
            None => lines.push(Line {
                field: member.name.clone(),
                place: member.place.clone(),
                source: None,
                default,
            }),
        }
    }
}

/// The object that the mapping says, or that alone can be made from its fields.
fn object(
    reader: &mut Reader,
    member: Option<&Member<'_>>,
    lines: &[Line<'_>],
    mapping: &Member<'_>,
) -> Option<Spanned<String>> {
    if let Some(member) = member {
        let object = string(reader, member, "`object`")?;
        return Some(Spanned::new(member.value.clone(), object));
    }
    let fills = |name: &str| lines.iter().any(|line| line.field.eq_ignore_ascii_case(name));
    // No User is made without a Username, no Lead without a Company, none of the three without a LastName.
    let object = match (fills("LastName"), fills("Username"), fills("Company")) {
        (true, false, false) => "Contact",
        (true, true, false) => "User",
        (true, false, true) => "Lead",
        _ => {
            let message = "its fields do not tell which object they belong to; write `\"object\": \"Contact\"`, `\"Lead\"` or \
                           `\"User\"` beside `mapping`";
            reader.refuse(mapping.place.clone(), message, None);
            return None;
        }
    };
    Some(Spanned::new(mapping.place.clone(), object.to_owned()))
}

/// The target, read as if it stood in a mapping of our own.
fn target(
    reader: &mut Reader,
    object: &Spanned<String>,
    place: Range<usize>,
    lines: Vec<Line<'_>>,
) -> Option<Target> {
    let at = |place: &Range<usize>, value| Spanned::new(place.clone(), value);
    let key = |place: &Range<usize>, name: &'static str| Spanned::new(place.clone(), Cow::Borrowed(name));
    let mut fields = DeTable::new();
    for line in lines {
        let place = line.place;
        let mut rule = DeTable::new();
        match line.source {
            Some((how, text)) => rule.insert(key(&place, how), at(&place, DeValue::String(text))),
            None => rule.insert(key(&place, "on"), at(&place, DeValue::String("create".into()))),
        };
        if let Some(default) = line.default {
            rule.insert(key(&place, "default"), default);
        }
        fields.insert(Spanned::new(place.clone(), line.field), at(&place, DeValue::Table(rule)));
    }
    let mut table = DeTable::new();
    let object_place = object.span();
    table.insert(
        key(&object_place, "object"),
        at(&object_place, DeValue::String(object.get_ref().as_str().into())),
    );
    table.insert(key(&place, "fields"), at(&place, DeValue::Table(fields)));
    // The name under which the records of such a mapping are remembered, and under which it can go on as one in TOML.
    let name = match object.get_ref().as_str() {
        "User" => "users",
        "Lead" => "leads",
        _ => "contacts",
    };
    reader.target(&key(&place, name), &at(&place, DeValue::Table(table)))
}

impl Reader {
    fn warn(&mut self, place: Range<usize>, message: String, suggestion: Option<String>) {
        let mut warning = self.text.error(place, message, suggestion);
        warning.severity = Severity::Warning;
        self.warnings.push(warning);
    }
}
