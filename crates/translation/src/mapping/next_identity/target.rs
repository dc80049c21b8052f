//! The one target of such a mapping, read as if it stood in a mapping of our own.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::json::{Member, Shape};
use super::lines::{self, Line};
use super::{Form, boolean, object, place_of, string};
use crate::mapping::parse::{Reader, is_field_name};
use crate::mapping::{EventKind, On, SourceRules, Target};
use crate::profile::attributes::FAMILY_NAME;
use crate::suggest::nearest;

/// The words of `on_delete`: what each is called in a mapping of our own, and for which objects it is.
const ON_DELETE: [(&str, &str, &[&str]); 6] = [
    ("delete", "delete", &["Contact", "Lead"]),
    ("flag", "flag", &["Contact", "Lead"]),
    ("anonymise", "anonymise", &["Contact", "Lead"]),
    ("none", "none", &["Contact", "Lead", "User"]),
    ("deactivate", "disable", &["User"]),
    ("freeze", "freeze", &["User"]),
];

pub(super) fn read<'t>(
    reader: &mut Reader,
    form: &Form<'_, 't>,
    mapping: &Member<'t>,
    mut lines: Vec<Line<'t>>,
    source_rules: &SourceRules,
) -> Option<Target> {
    lines::defaults(reader, form.get("defaults"), &mut lines);
    let object = object_of(reader, form.get("object"), &lines, mapping)?;
    let name = object.get_ref().clone();
    let key = key(reader, form.get("external_id_field"), &name, &mut lines);
    let matched = lines.iter().find(|line| line.is_uuid()).filter(|_| key.is_none());
    let matched = matched.map(|line| (line.field.to_string(), line.place.clone()));
    let mut table = Table::new(mapping.place.clone());
    table.set(&object.span(), "object", DeValue::String(Cow::Owned(name.clone())));
    if let Some((field, place)) = &key {
        table.set(place, "external-id", DeValue::String(Cow::Owned(field.clone())));
        // One call makes or changes the record; nobody is taken for another by an address.
        table.set(place, "match", DeValue::Array(DeArray::new()));
    }
    on_delete(reader, form, &name, &mut table, mapping, source_rules);
    if name == "Contact" && has_leads(form) {
        // Each client has its own records: nobody's lead becomes the contact of another.
        let mut conversion = Table::new(mapping.place.clone());
        conversion.set(&mapping.place, "how", DeValue::String(Cow::Borrowed("beside")));
        table.set(&mapping.place, "conversion", DeValue::Table(conversion.table));
    }
    let clear = boolean(reader, form.get("clear_nulls"), "`clear_nulls`", true);
    table.set(&mapping.place, "fields", DeValue::Table(fields(lines, clear)));
    // The name under which the records of such a mapping are remembered, and under which it can go on as one in TOML.
    let target_name = match name.as_str() {
        "User" => "users",
        "Lead" => "leads",
        _ => "contacts",
    };
    let target_name = Spanned::new(mapping.place.clone(), Cow::Borrowed(target_name));
    let mut target = reader.target(&target_name, &table.item())?;
    for rule in &mut target.rules {
        if rule.value.is_some() {
            // Beside a value, a default is for new records; later null is null.
            rule.default_on = On::Create;
        } else {
            // Clients may have other objects, and none has `defaults` of its own.
            rule.where_there = true;
        }
    }
    if let Some((field, place)) = matched {
        target.matching.insert(0, field);
        target.place.matching.insert(0, place);
    }
    Some(target)
}

/// The object that the mapping says, or that alone can be made from its fields.
fn object_of(
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
    // What is only a default tells nothing: `defaults` may name fields of several objects.
    let maps = |name: &str| {
        lines.iter().any(|line| line.attribute.is_some() && line.field.eq_ignore_ascii_case(name))
    };
    // No User is made without a Username, no Lead without a Company, none of the three without a LastName.
    let object = match (fills("LastName"), maps("Username"), maps("Company")) {
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

/// Whether the records of others, or of some client, are leads.
fn has_leads<'m>(form: &Form<'m, '_>) -> bool {
    let members = |member: &'m Member<'_>| match &member.shape {
        Shape::Object(members) => members.as_slice(),
        _ => &[],
    };
    let clients = form.all.iter().filter(|member| member.name == "clients").flat_map(members);
    let is_lead = |member: &Member<'_>| {
        member.name == "object" && matches!(&member.shape, Shape::String(object) if object == "Lead")
    };
    form.all.iter().chain(clients.flat_map(members)).any(is_lead)
}

/// The field by which records are found and made: the one that is named, else that of the `uuid`. What is named and mapped to
/// nothing holds the `uuid` too. Users are found by matching, because Salesforce keeps their names unique.
fn key(
    reader: &mut Reader,
    named: Option<&Member<'_>>,
    object: &str,
    lines: &mut Vec<Line<'_>>,
) -> Option<(String, Range<usize>)> {
    let Some(named) = named else {
        let uuid = lines.iter().find(|line| line.is_uuid() && object != "User")?;
        return Some((uuid.field.to_string(), uuid.place.clone()));
    };
    let field = string(reader, named, "`external_id_field`")?;
    let place = named.value.clone();
    if object == "User" {
        let message = "`external_id_field` is for Contact and Lead: Users are found by their names";
        reader.refuse(place, message, None);
        return None;
    }
    if !is_field_name(&field) {
        reader.refuse(place, format!("`{field}` is no name of a Salesforce field"), None);
        return None;
    }
    if !lines.iter().any(|line| line.field.eq_ignore_ascii_case(&field)) {
        lines.push(Line {
            attribute: None,
            field: Cow::Owned(field.clone()),
            place: place.clone(),
            source: Some(("value", Cow::Borrowed("user.externalId"))),
            default: None,
        });
    }
    Some((field, place))
}

/// `on_delete` and `flag`, and what the target may do for them and for the events that count.
fn on_delete<'t>(
    reader: &mut Reader,
    form: &Form<'_, 't>,
    object_name: &str,
    table: &mut Table<'t>,
    mapping: &Member<'t>,
    source_rules: &SourceRules,
) {
    let member = form.get("on_delete");
    let mut allowed = vec!["update"];
    // Without ADD a record that is not there is not made.
    if source_rules.events.contains(&EventKind::Created) {
        allowed.push("create");
    }
    if object_name == "User" {
        allowed.extend(["disable", "deprovision"]);
    }
    let word = member.and_then(|member| word(reader, member, object_name));
    if let (Some(word), Some(member)) = (word, member) {
        table.set(&member.value, "on-leave", DeValue::String(Cow::Borrowed(word)));
        allowed.extend((word == "delete").then_some("delete"));
    }
    if let Some(member) = form.get("flag") {
        flag(reader, member, word, form, table);
    }
    let place = place_of(member, mapping);
    let mut list = DeArray::new();
    for word in allowed {
        list.push(Spanned::new(place.clone(), DeValue::String(Cow::Borrowed(word))));
    }
    table.set(&place, "allow", DeValue::Array(list));
}

fn word(reader: &mut Reader, member: &Member<'_>, object_name: &str) -> Option<&'static str> {
    let said = string(reader, member, "`on_delete`")?;
    let of_object: Vec<&str> = ON_DELETE
        .iter()
        .filter(|(.., objects)| objects.contains(&object_name))
        .map(|(word, ..)| *word)
        .collect();
    let found = ON_DELETE.iter().find(|(word, ..)| *word == said && of_object.contains(word));
    if found.is_none() {
        let message =
            format!("`{said}` is nothing that happens to a {object_name}: {}", of_object.join(", "));
        reader.refuse(member.value.clone(), message, nearest(&said, of_object));
    }
    found.map(|(_, word, _)| *word)
}

fn flag<'t>(
    reader: &mut Reader,
    member: &Member<'t>,
    word: Option<&str>,
    form: &Form<'_, 't>,
    table: &mut Table<'t>,
) {
    let Some(members) = object(reader, member, "`flag`") else { return };
    if word != Some("flag") {
        // A client may do without what the others have.
        if form.own.is_empty() && form.get("clients").is_none() {
            let message = "nothing writes this `flag`; it goes with `\"on_delete\": \"flag\"`";
            reader.refuse(member.place.clone(), message, None);
        }
        return;
    }
    let mut flag = DeTable::new();
    for field in members {
        if let Some(value) = lines::constant(reader, field, "a value of `flag`") {
            flag.insert(Spanned::new(field.place.clone(), field.name.clone()), value);
        }
    }
    table.set(&member.place, "flag", DeValue::Table(flag));
}

/// The rules, in the words of a mapping of our own.
fn fields(lines: Vec<Line<'_>>, clear: bool) -> DeTable<'_> {
    let mut fields = DeTable::new();
    for line in lines {
        let mut rule = Table::new(line.place.clone());
        match line.source {
            // With a default, none is made from other names.
            Some(_) if line.default.is_some() && line.attribute.as_deref() == Some(FAMILY_NAME.0) => {
                rule.set(&line.place, "from", DeValue::String(Cow::Borrowed(FAMILY_NAME.1)));
            }
            Some((how, text)) => rule.set(&line.place, how, DeValue::String(text)),
            None => rule.set(&line.place, "on", DeValue::String(Cow::Borrowed("create"))),
        }
        if !clear {
            rule.set(&line.place, "clear", DeValue::Boolean(false));
        }
        if let Some(default) = line.default {
            rule.table.insert(Spanned::new(line.place.clone(), Cow::Borrowed("default")), default);
        }
        fields.insert(Spanned::new(line.place, line.field), rule.item());
    }
    fields
}

/// A table in which everything has a place in the file.
struct Table<'t> {
    place: Range<usize>,
    table: DeTable<'t>,
}

impl<'t> Table<'t> {
    fn new(place: Range<usize>) -> Self {
        Self { place, table: DeTable::new() }
    }

    fn set(&mut self, place: &Range<usize>, key: &'static str, value: DeValue<'t>) {
        let key = Spanned::new(place.clone(), Cow::Borrowed(key));
        self.table.insert(key, Spanned::new(place.clone(), value));
    }

    fn item(self) -> Spanned<DeValue<'t>> {
        Spanned::new(self.place, DeValue::Table(self.table))
    }
}
