//! Reading a mapping from TOML, with the place of every mistake.

use std::collections::HashSet;
use std::ops::Range;

use indexmap::IndexMap;
use model::{OrgName, TargetName};
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Text;
use super::{Allow, Mapping, MappingError, MappingErrors, On, OnLeave, Place, Rule, Target, Value};
use crate::expression::{Expression, ExpressionError};
use crate::source::Source;
use crate::suggest::nearest;

/// A mapping may have this many bytes: some thousand rules.
const LONGEST_MAPPING: usize = 1024 * 1024;

/// At most this many mistakes are kept: each is a piece of text, and nobody reads more at once.
const MOST_ERRORS: usize = 200;

const TARGET_KEYS: [&str; 7] = ["org", "object", "when", "match", "allow", "on-leave", "fields"];
const RULE_KEYS: [&str; 6] = ["value", "from", "map", "default", "on", "clear"];
const ALLOW: [&str; 5] = ["create", "update", "disable", "deprovision", "delete"];
const ON: [&str; 3] = ["create", "update", "both"];
const ON_LEAVE: [&str; 7] =
    ["disable", "freeze", "freeze-then-deactivate", "delete", "flag", "anonymise", "none"];
/// How a User is found when the mapping does not say (design.md §4).
const USER_MATCH: [&str; 2] = ["FederationIdentifier", "Username"];

type Item<'t> = Spanned<DeValue<'t>>;

pub(super) fn parse(text: &str, file: &str) -> Result<Mapping, MappingErrors> {
    let mut reader = Reader { text: Text::new(file, text), errors: Vec::new() };
    if text.len() > LONGEST_MAPPING {
        let message = format!("a mapping may have {LONGEST_MAPPING} bytes; this one has {}", text.len());
        reader.refuse(0..0, message, None);
        return Err(MappingErrors::new(reader.errors));
    }
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        let message = format!("not TOML: {}", error.message().replace('\n', "; "));
        reader.refuse(error.span().unwrap_or(0..0), message, None);
    }
    // What is left of a file with syntax errors would be blamed for what is missing.
    let targets = if syntax_errors.is_empty() { reader.mapping(root.get_ref()) } else { Vec::new() };
    if reader.errors.is_empty() {
        Ok(Mapping { targets, text: reader.text })
    } else {
        Err(MappingErrors::new(reader.errors))
    }
}

struct Reader {
    text: Text,
    errors: Vec<MappingError>,
}

impl Reader {
    fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, suggestion: Option<String>) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(self.text.error(span, message.into(), suggestion));
        }
    }

    fn mapping(&mut self, root: &DeTable<'_>) -> Vec<Target> {
        self.refuse_unknown(root, &["targets"], "a mapping");
        let targets = match root.get("targets") {
            Some(item) => self.table(item, "`targets`"),
            None => None,
        };
        let Some(targets) = targets.filter(|targets| !targets.is_empty()) else {
            if self.errors.is_empty() {
                self.refuse(0..0, "a mapping has at least one target, such as `[targets.staff]`", None);
            }
            return Vec::new();
        };
        in_order(targets).into_iter().filter_map(|(name, item)| self.target(name, item)).collect()
    }

    fn target(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, item: &Item<'_>) -> Option<Target> {
        let table = self.table(item, "a target")?;
        self.refuse_unknown(table, &TARGET_KEYS, "a target");
        let header = name.span();
        let target_name = match TargetName::new(name.get_ref().as_ref()) {
            Ok(target_name) => Some(target_name),
            Err(why) => {
                self.refuse(header.clone(), why.to_string(), None);
                None
            }
        };
        let object = self.object(table, header.clone());
        let org = self.org(table);
        let when = table.get("when").and_then(|item| self.expression(item));
        let allow = self.allow(table);
        let on_leave = self.on_leave(table);
        let rules = self.fields(table, header.clone());
        let (matching, places) = self.matching(table, header.clone(), &rules);
        let place = Place { header, matching: places };
        Some(Target {
            name: target_name?,
            org,
            object: object?,
            matching,
            allow,
            on_leave,
            when,
            rules,
            place,
        })
    }

    fn object(&mut self, table: &DeTable<'_>, header: Range<usize>) -> Option<String> {
        let Some(item) = table.get("object") else {
            self.refuse(header, "a target says which object it makes: `object = \"User\"`", None);
            return None;
        };
        match self.string(item, "`object`")?.as_str() {
            "User" => Some("User".to_owned()),
            object @ ("Contact" | "Lead") => {
                self.refuse(
                    item.span(),
                    format!("this version of Gangway maps User only, not {object}"),
                    None,
                );
                None
            }
            other => {
                let suggestion = nearest(other, ["User", "Contact", "Lead"]);
                self.refuse(item.span(), format!("no object `{other}`; this version maps User"), suggestion);
                None
            }
        }
    }

    fn org(&mut self, table: &DeTable<'_>) -> Option<OrgName> {
        let item = table.get("org")?;
        let text = self.string(item, "`org`")?;
        match OrgName::new(text) {
            Ok(org) => Some(org),
            Err(why) => {
                self.refuse(item.span(), why.to_string(), None);
                None
            }
        }
    }

    fn allow(&mut self, table: &DeTable<'_>) -> Allow {
        let Some(item) = table.get("allow") else { return Allow::default() };
        let mut allow =
            Allow { create: false, update: false, disable: false, deprovision: false, delete: false };
        for (word, place) in self.strings(item, "`allow`") {
            match word.as_str() {
                "create" => allow.create = true,
                "update" => allow.update = true,
                "disable" => allow.disable = true,
                "deprovision" => allow.deprovision = true,
                "delete" => {
                    self.refuse(place, "Salesforce deletes no Users; `delete` is for Contact and Lead", None);
                }
                other => self.not_one_of(place, other, &ALLOW),
            }
        }
        allow
    }

    fn on_leave(&mut self, table: &DeTable<'_>) -> OnLeave {
        let Some(item) = table.get("on-leave") else { return OnLeave::default() };
        let Some(word) = self.string(item, "`on-leave`") else { return OnLeave::default() };
        match word.as_str() {
            "disable" => return OnLeave::Disable,
            "freeze-then-deactivate" => return OnLeave::FreezeThenDeactivate,
            "freeze" | "none" => self.refuse(
                item.span(),
                format!(
                    "`{word}` is not in this version, which deactivates everybody who leaves; write `disable` or \
                     `freeze-then-deactivate`"
                ),
                None,
            ),
            "delete" => self.refuse(
                item.span(),
                "Salesforce deletes no Users; `delete` is for Contact and Lead",
                None,
            ),
            "flag" | "anonymise" => {
                self.refuse(item.span(), format!("`{word}` is for Contact and Lead"), None);
            }
            other => self.not_one_of(item.span(), other, &ON_LEAVE),
        }
        OnLeave::default()
    }

    /// The fields to match by, and their places. Each must be filled by a rule, or there would be nothing to match with.
    fn matching(
        &mut self,
        table: &DeTable<'_>,
        header: Range<usize>,
        rules: &[Rule],
    ) -> (Vec<String>, Vec<Range<usize>>) {
        let Some(item) = table.get("match") else {
            let names = USER_MATCH
                .iter()
                .filter(|name| rules.iter().any(|rule| rule.field.eq_ignore_ascii_case(name)));
            return names.map(|name| ((*name).to_owned(), header.clone())).unzip();
        };
        let names = self.strings(item, "`match`");
        for (name, place) in &names {
            if !rules.iter().any(|rule| rule.field.eq_ignore_ascii_case(name)) {
                let suggestion = nearest(name, rules.iter().map(|rule| rule.field.as_str()));
                self.refuse(
                    place.clone(),
                    format!("`{name}` is no field of this target, so nothing can match it"),
                    suggestion,
                );
            }
        }
        names.into_iter().unzip()
    }

    fn fields(&mut self, table: &DeTable<'_>, header: Range<usize>) -> Vec<Rule> {
        let fields = match table.get("fields") {
            Some(item) => self.table(item, "`fields`"),
            None => None,
        };
        let Some(fields) = fields.filter(|fields| !fields.is_empty()) else {
            self.refuse(header, "a target fills at least one field, below `[targets.<name>.fields]`", None);
            return Vec::new();
        };
        let mut rules: Vec<Rule> = Vec::new();
        let mut seen = HashSet::new();
        for (name, item) in in_order(fields) {
            let (field, place) = (name.get_ref().as_ref(), name.span());
            if let Some(why) = not_a_field(field) {
                self.refuse(place.clone(), why, None);
            }
            if !seen.insert(field.to_ascii_lowercase()) {
                self.refuse(
                    place.clone(),
                    format!("`{field}` is there twice; Salesforce does not mind case"),
                    None,
                );
            }
            rules.extend(self.rule(field, place, item));
        }
        rules
    }

    fn rule(&mut self, field: &str, place: Range<usize>, item: &Item<'_>) -> Option<Rule> {
        let mut rule = Rule {
            field: field.to_owned(),
            value: None,
            map: None,
            default: None,
            on: On::Both,
            clear: true,
            place: place.clone(),
            default_place: None,
        };
        let table = match item.get_ref() {
            DeValue::String(_) => {
                rule.value = Some(Value::Expression(self.expression(item)?));
                return Some(rule);
            }
            DeValue::Table(table) => table,
            other => {
                let message = format!(
                    "a rule is an expression in quotes or a table; for the same value always write `{{ default = ... }}` \
                     (this is {})",
                    kind(other)
                );
                self.refuse(item.span(), message, None);
                return None;
            }
        };
        self.refuse_unknown(table, &RULE_KEYS, "a rule");
        let (value, from) = (table.get("value"), table.get("from"));
        if let (Some(_), Some(from)) = (value, from) {
            self.refuse(from.span(), "`value` and `from` are two ways to say the same; use one", None);
        }
        if value.is_none() && from.is_none() && !table.contains_key("default") {
            self.refuse(place.clone(), "a rule has a `value`, a `from` or a `default`", None);
        }
        if let Some(map) = table.get("map").filter(|_| value.is_none() && from.is_none()) {
            self.refuse(map.span(), "`map` looks a value up, and there is no `value` or `from`", None);
        }
        rule.value = match (value, from) {
            (Some(value), _) => self.expression(value).map(Value::Expression),
            (None, Some(from)) => self.source(from).map(Value::Source),
            (None, None) => None,
        };
        rule.map = table.get("map").and_then(|map| self.map(map));
        rule.default = table.get("default").and_then(|default| self.constant(default, "`default`"));
        rule.default_place = table.get("default").map(Spanned::span);
        rule.on = table.get("on").map_or(On::Both, |on| self.on(on));
        rule.clear = table.get("clear").is_none_or(|clear| self.boolean(clear, "`clear`"));
        Some(rule)
    }

    fn on(&mut self, item: &Item<'_>) -> On {
        match self.string(item, "`on`").as_deref() {
            Some("create") => return On::Create,
            Some("update") => return On::Update,
            Some("both") | None => {}
            Some(other) => self.not_one_of(item.span(), other, &ON),
        }
        On::Both
    }

    fn map(&mut self, item: &Item<'_>) -> Option<IndexMap<String, Json>> {
        let table = self.table(item, "`map`")?;
        if table.is_empty() {
            self.refuse(item.span(), "an empty `map` knows no value", None);
        }
        let entries = in_order(table).into_iter();
        Some(
            entries
                .filter_map(|(key, item)| {
                    Some((key.get_ref().to_string(), self.constant(item, "a value of `map`")?))
                })
                .collect(),
        )
    }

    fn expression(&mut self, item: &Item<'_>) -> Option<Expression> {
        let text = self.string(item, "an expression")?;
        match Expression::parse(&text) {
            Ok(expression) => Some(expression),
            Err(errors) => {
                for ExpressionError { place, message, suggestion } in errors {
                    let span = self.inside(&item.span(), &text, place);
                    self.refuse(span, message, suggestion);
                }
                None
            }
        }
    }

    fn source(&mut self, item: &Item<'_>) -> Option<Source> {
        let text = self.string(item, "`from`")?;
        match Source::parse(&text) {
            Ok(source) => Some(source),
            Err(why) => {
                let span = self.inside(&item.span(), &text, why.place);
                self.refuse(span, why.message, why.suggestion);
                None
            }
        }
    }

    /// The place in the file of a place in a string. A string with escapes is longer in the file; then it is marked whole.
    fn inside(&self, span: &Range<usize>, text: &str, place: Range<usize>) -> Range<usize> {
        match self.text.slice(span.clone()).find(text) {
            Some(offset) => {
                let start = span.start + offset;
                start + place.start..start + place.end.max(place.start)
            }
            None => span.clone(),
        }
    }

    /// A value that is written as it stands.
    fn constant(&mut self, item: &Item<'_>, what: &str) -> Option<Json> {
        match item.get_ref() {
            DeValue::String(text) => Some(Json::from(text.as_ref())),
            DeValue::Boolean(value) => Some(Json::from(*value)),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let whole = i64::from_str_radix(&digits, number.radix()).ok();
                if whole.is_none() {
                    self.refuse(item.span(), format!("{what} is too large a number"), None);
                }
                whole.map(Json::from)
            }
            DeValue::Float(number) => {
                let value =
                    number.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64);
                if value.is_none() {
                    self.refuse(item.span(), format!("{what} is not a number that Salesforce takes"), None);
                }
                value.map(Json::Number)
            }
            // Dates are text in Salesforce's JSON, in the same form as in TOML.
            DeValue::Datetime(time) => Some(Json::from(time.to_string())),
            other => {
                let message = format!("{what} is a string, a number, true or false; this is {}", kind(other));
                self.refuse(item.span(), message, None);
                None
            }
        }
    }

    fn string(&mut self, item: &Item<'_>, what: &str) -> Option<String> {
        if let DeValue::String(text) = item.get_ref() {
            return Some(text.to_string());
        }
        self.refuse(item.span(), format!("{what} is a string; this is {}", kind(item.get_ref())), None);
        None
    }

    fn boolean(&mut self, item: &Item<'_>, what: &str) -> bool {
        if let DeValue::Boolean(value) = item.get_ref() {
            return *value;
        }
        self.refuse(item.span(), format!("{what} is true or false; this is {}", kind(item.get_ref())), None);
        true
    }

    fn strings(&mut self, item: &Item<'_>, what: &str) -> Vec<(String, Range<usize>)> {
        let DeValue::Array(values) = item.get_ref() else {
            self.refuse(
                item.span(),
                format!("{what} is a list of strings; this is {}", kind(item.get_ref())),
                None,
            );
            return Vec::new();
        };
        values.iter().filter_map(|value| Some((self.string(value, "an entry")?, value.span()))).collect()
    }

    fn table<'i, 't>(&mut self, item: &'i Item<'t>, what: &str) -> Option<&'i DeTable<'t>> {
        if let DeValue::Table(table) = item.get_ref() {
            return Some(table);
        }
        self.refuse(item.span(), format!("{what} is a table; this is {}", kind(item.get_ref())), None);
        None
    }

    fn not_one_of(&mut self, place: Range<usize>, word: &str, known: &[&str]) {
        let suggestion = nearest(word, known.iter().copied());
        self.refuse(place, format!("`{word}` is not one of {}", known.join(", ")), suggestion);
    }

    fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[&str], what: &str) {
        for (key, _) in in_order(table) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let suggestion = nearest(name, known.iter().copied());
                let message = format!("{what} has no key `{name}`, only {}", known.join(", "));
                self.refuse(key.span(), message, suggestion);
            }
        }
    }
}

/// What a value is, in the words of TOML.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The entries in the order of the file; the parser sorts them by name.
fn in_order<'i, 't>(table: &'i DeTable<'t>) -> Vec<(&'i Spanned<std::borrow::Cow<'t, str>>, &'i Item<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Why a name cannot be a field that a mapping fills.
fn not_a_field(name: &str) -> Option<String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Some(format!("`{name}` is no name of a Salesforce field"));
    }
    match name.to_ascii_lowercase().as_str() {
        "isactive" => Some(
            "`IsActive` follows `active` and the rules for leaving; a mapping does not fill it".to_owned(),
        ),
        "id" => Some("`Id` is given by Salesforce".to_owned()),
        _ => None,
    }
}
