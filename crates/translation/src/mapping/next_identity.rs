//! Mappings in the JSON form of Next Identity: which Salesforce field each attribute of a profile goes to.
//!
//! ```json
//! {"type": "salesforce", "instance": "acme-prod", "mapping": {"uuid": "Identity_UUID__c", "email": "Email"}}
//! ```
//!
//! The attributes are those of Akamai Identity Cloud. Each becomes a rule over the SCIM attribute that means the same, or over
//! the free-form extension that holds what SCIM has no place for, and from there on the mapping is like any other.

mod events;
mod json;
mod lines;
mod target;

use std::ops::Range;

use super::parse::{Content, Reader};
use super::{Mapping, SourceRules};
use crate::suggest::nearest;
use json::{Member, Shape};

const KEYS: [&str; 12] = [
    "type",
    "instance",
    "mapping",
    "object",
    "defaults",
    "external_id_field",
    "events",
    "on_delete",
    "flag",
    "clear_nulls",
    "enabled",
    "clients",
];
/// What a client of the source may have of its own.
const KEYS_OF_CLIENTS: [&str; 5] = ["events", "mapping", "object", "on_delete", "enabled"];
/// Each client has a whole mapping of its own in memory.
const MOST_CLIENTS: usize = 200;

/// Whether a mapping is in this form: its file is called so, or it begins as no TOML does.
pub(super) fn is_one(text: &str, file: &str) -> bool {
    let is_json = |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("json"));
    is_json(file) || text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// The keys that hold for one client, or for all that have none of their own.
struct Form<'m, 't> {
    all: &'m [Member<'t>],
    own: &'m [Member<'t>],
}

impl<'m, 't> Form<'m, 't> {
    fn get(&self, key: &str) -> Option<&'m Member<'t>> {
        let mut members = self.own.iter().chain(self.all);
        members.find(|member| member.name == key)
    }
}

/// Reads such a mapping, and those of the clients that differ. Nothing if it is none; why is among the errors.
pub(super) fn read(reader: &mut Reader, text: &str) -> Option<Mapping> {
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let members = match json::members(json) {
        Ok(members) => members,
        Err((place, why)) => {
            reader.refuse(place, why, None);
            return None;
        }
    };
    refuse_unknown(reader, &members, &KEYS, "a mapping of Next Identity");
    let form = Form { all: &members, own: &[] };
    check_type(reader, form.get("type"));
    let mut mapping = mapping(reader, &form, text)?;
    // Each client would repeat what is wrong for all.
    if reader.is_content() {
        mapping.source_rules.clients = clients(reader, &members, text);
    }
    Some(mapping)
}

/// The mapping that the keys are.
fn mapping(reader: &mut Reader, form: &Form<'_, '_>, stands_for: &str) -> Option<Mapping> {
    let instance = form.get("instance").and_then(|instance| string(reader, instance, "`instance`"));
    let Some(lines) = form.get("mapping") else {
        let message = "a mapping in JSON is one of Next Identity, and has a `mapping` of attributes to fields; any other is \
                       written in TOML";
        reader.refuse(0..1, message, None);
        return None;
    };
    let attributes = object(reader, lines, "`mapping`")?;
    let (lines_of_attributes, profile) = lines::read(reader, attributes);
    let source_rules = SourceRules {
        enabled: boolean(reader, form.get("enabled"), "`enabled`", true),
        events: events::read(reader, form.get("events")),
        ..SourceRules::default()
    };
    let mut target = target::read(reader, form, lines, lines_of_attributes, &source_rules)?;
    target.instance = instance;
    let content = Content { targets: vec![target], ..Content::default() };
    Some(reader.made_of(content, profile, source_rules, stands_for))
}

/// The mappings of clients that have keys of their own.
fn clients(reader: &mut Reader, members: &[Member<'_>], text: &str) -> indexmap::IndexMap<String, Mapping> {
    let mut mappings = indexmap::IndexMap::new();
    let Some(member) = members.iter().find(|member| member.name == "clients") else { return mappings };
    let Some(clients) = object(reader, member, "`clients`") else { return mappings };
    if clients.len() > MOST_CLIENTS {
        let message =
            format!("{MOST_CLIENTS} clients may have keys of their own; these are {}", clients.len());
        reader.refuse(member.place.clone(), message, None);
        return mappings;
    }
    for client in clients {
        let Some(own) = object(reader, client, "a client") else { continue };
        refuse_unknown(reader, own, &KEYS_OF_CLIENTS, "a client");
        let stands_for = format!("{text}\0{}", client.name);
        if let Some(mapping) = mapping(reader, &Form { all: members, own }, &stands_for)
            && mappings.insert(client.name.to_string(), mapping).is_some()
        {
            reader.refuse(client.place.clone(), format!("the client `{}` is there twice", client.name), None);
        }
    }
    mappings
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

fn refuse_unknown(reader: &mut Reader, members: &[Member<'_>], known: &[&str], what: &str) {
    for member in members.iter().filter(|member| !known.contains(&member.name.as_ref())) {
        let message = format!("{what} has no key `{}`, only {}", member.name, known.join(", "));
        let suggestion = nearest(&member.name, known.iter().copied());
        reader.refuse(member.place.clone(), message, suggestion);
    }
}

fn not_a(reader: &mut Reader, member: &Member<'_>, what: &str, kind: &str) {
    let message = format!("{what} is {kind}; this is {}", member.shape.name());
    reader.refuse(member.value.clone(), message, None);
}

fn object<'m, 't>(reader: &mut Reader, member: &'m Member<'t>, what: &str) -> Option<&'m [Member<'t>]> {
    if let Shape::Object(members) = &member.shape {
        return Some(members);
    }
    not_a(reader, member, what, "an object");
    None
}

fn string(reader: &mut Reader, member: &Member<'_>, what: &str) -> Option<String> {
    if let Shape::String(text) = &member.shape {
        return Some(text.to_string());
    }
    not_a(reader, member, what, "a string");
    None
}

fn boolean(reader: &mut Reader, member: Option<&Member<'_>>, what: &str, usual: bool) -> bool {
    let Some(member) = member else { return usual };
    if let Shape::Boolean(value) = member.shape {
        return value;
    }
    not_a(reader, member, what, "true or false");
    usual
}

/// The place of a key, or of what stands for it.
fn place_of(member: Option<&Member<'_>>, otherwise: &Member<'_>) -> Range<usize> {
    member.unwrap_or(otherwise).place.clone()
}
