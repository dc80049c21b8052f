//! Reading `[targets.x.fields]`.

use std::collections::HashSet;
use std::ops::Range;

use indexmap::IndexMap;
use model::TargetName;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Item, Reader, in_order, is_field_name, kind};
use crate::mapping::{Meaning, On, Rule, Value};

const RULE_KEYS: [&str; 9] = ["value", "from", "map", "default", "link", "by", "queue", "on", "clear"];
const ON: [(&str, On); 3] = [("create", On::Create), ("update", On::Update), ("both", On::Both)];

impl Reader {
    pub(super) fn fields(
        &mut self,
        table: &DeTable<'_>,
        object: Option<&str>,
        header: Range<usize>,
    ) -> Vec<Rule> {
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
            if let Some(rule) = self.rule(field, place, item) {
                self.check_meaning(&rule, object);
                rules.push(rule);
            }
        }
        rules
    }

    fn rule(&mut self, field: &str, place: Range<usize>, item: &Item<'_>) -> Option<Rule> {
        let mut rule = Rule {
            field: field.to_owned(),
            value: None,
            map: None,
            default: None,
            default_on: On::Both,
            where_there: false,
            meaning: Meaning::Itself,
            on: On::Both,
            clear: true,
            place: place.clone(),
            default_place: None,
            meaning_place: None,
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
        self.value(&mut rule, table);
        rule.default = table.get("default").and_then(|default| self.constant(default, "`default`"));
        rule.default_place = table.get("default").map(Spanned::span);
        rule.on = table.get("on").and_then(|on| self.word(on, "`on`", &ON)).unwrap_or_default();
        rule.clear = table.get("clear").is_none_or(|clear| self.boolean(clear, "`clear`"));
        self.meaning(&mut rule, table)?;
        Some(rule)
    }

    /// `value`, `from` and `map`.
    fn value(&mut self, rule: &mut Rule, table: &DeTable<'_>) {
        let (value, from) = (table.get("value"), table.get("from"));
        if let (Some(_), Some(from)) = (value, from) {
            self.refuse(from.span(), "`value` and `from` are two ways to say the same; use one", None);
        }
        let stands_alone = ["default", "link", "queue"].iter().any(|key| table.contains_key(*key));
        if value.is_none() && from.is_none() && !stands_alone {
            self.refuse(rule.place.clone(), "a rule has a `value`, a `from` or a `default`", None);
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

    /// `link`, `by` and `queue`. Nothing if the rule makes no sense without what is wrong there.
    fn meaning(&mut self, rule: &mut Rule, table: &DeTable<'_>) -> Option<()> {
        let mut given = ["link", "by", "queue"].into_iter().filter_map(|key| Some((key, table.get(key)?)));
        let Some((key, item)) = given.next() else { return Some(()) };
        if let Some((other, place)) = given.next() {
            let message = format!("`{key}` and `{other}` both say what the value stands for; use one");
            self.refuse(place.span(), message, None);
            return None;
        }
        rule.meaning_place = Some(item.span());
        rule.meaning = match key {
            "link" => Meaning::Identity(self.link_name(item, table)?),
            "by" => Meaning::Key(self.field_name(item, "`by`")?),
            _ => {
                self.queue(rule, item, table)?;
                Meaning::Queue
            }
        };
        Some(())
    }

    fn link_name(&mut self, item: &Item<'_>, table: &DeTable<'_>) -> Option<TargetName> {
        for key in ["map", "default"] {
            if let Some((name, _)) = table.get_key_value(key) {
                let message =
                    format!("`{key}` does not go with `link`, which takes the SCIM id of an identity");
                self.refuse(name.span(), message, None);
            }
        }
        let name = self.string(item, "`link`")?;
        match TargetName::new(name) {
            Ok(name) => Some(name),
            Err(why) => {
                self.refuse(item.span(), why.to_string(), None);
                None
            }
        }
    }

    /// `queue = "Partner Leads"`, or `queue = true` beside a value that is the name of one.
    fn queue(&mut self, rule: &mut Rule, item: &Item<'_>, table: &DeTable<'_>) -> Option<()> {
        let sources = ["value", "from", "default"];
        let has_source = sources.iter().any(|key| table.contains_key(*key));
        match item.get_ref() {
            DeValue::Boolean(true) if has_source => Some(()),
            DeValue::String(_) if !has_source => {
                rule.default = Some(Json::from(self.some_text(item, "`queue`")?));
                rule.default_place = Some(item.span());
                Some(())
            }
            DeValue::String(name) => {
                let message = format!(
                    "the queue is named twice; beside `value` or `from` write `queue = true`, and `default = \"{name}\"` for \
                     those who have none"
                );
                self.refuse(item.span(), message, None);
                None
            }
            _ => {
                let message =
                    "`queue` is the name of a queue, or true beside a `value` or `from` that gives the name";
                self.refuse(item.span(), message, None);
                None
            }
        }
    }

    /// Whether the field is one that can hold what the rule says.
    fn check_meaning(&mut self, rule: &Rule, object: Option<&str>) {
        let field = rule.field.as_str();
        let place = rule.place.clone();
        match &rule.meaning {
            Meaning::Queue
                if object.is_some_and(|object| object != "Lead")
                    || !field.eq_ignore_ascii_case("OwnerId") =>
            {
                self.refuse(place, "a queue owns leads: `queue` is for the `OwnerId` of a Lead", None);
            }
            Meaning::Key(_) => {
                let relationship = match (field.strip_suffix("__c"), field.strip_suffix("Id")) {
                    (Some(name), _) => Some(format!("{name}__r")),
                    (None, Some(name)) if !field.contains("__") => Some(name.to_owned()),
                    _ => None,
                };
                if relationship.is_some() {
                    let message = format!(
                        "`{field}` holds a record id; with `by` it is written by the name of its relationship"
                    );
                    self.refuse(place, message, relationship);
                }
            }
            Meaning::Itself | Meaning::Identity(_) if field.ends_with("__r") => {
                let message = format!(
                    "`{field}` is a relationship: write its field, or say by which external id the record is found: \
                     `{{ by = \"ExtId__c\", ... }}`"
                );
                self.refuse(place, message, field.strip_suffix("__r").map(|name| format!("{name}__c")));
            }
            _ => {}
        }
        if field.eq_ignore_ascii_case("IsActive") && object == Some("User") {
            let message = "`IsActive` follows `active` and the rules for leaving; a mapping does not fill it";
            self.refuse(rule.place.clone(), message, None);
        }
    }
}

/// Why a name cannot be a field that a mapping fills.
fn not_a_field(name: &str) -> Option<String> {
    if !is_field_name(name) {
        return Some(format!("`{name}` is no name of a Salesforce field"));
    }
    match name.to_ascii_lowercase().as_str() {
        "id" => Some("`Id` is given by Salesforce".to_owned()),
        "isconverted" => Some(
            "a lead is converted when its person moves to a Contact target; a mapping does not fill `IsConverted`"
                .to_owned(),
        ),
        _ => None,
    }
}
