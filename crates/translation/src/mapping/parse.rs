//! Reading a mapping, with the place of every mistake.

mod conversion;
mod entitlements;
mod grants;
mod groups;
mod leaving;
pub(super) mod links;
mod rules;
mod target;

use std::borrow::Cow;
use std::ops::Range;

use salesforce_types::EntitlementKind;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Text;
use super::{
    EntitlementPolicy, GrantRule, GroupPolicy, Mapping, MappingError, MappingErrors, Severity, SourceRules,
    Target, Value, next_identity,
};
use crate::expression::{Expression, ExpressionError};
use crate::profile::{self, Carried, ProfilePath};
use crate::source::Source;
use crate::suggest::nearest;

/// A mapping may have this many bytes: some thousand rules.
const LONGEST_MAPPING: usize = 1024 * 1024;

/// At most this many mistakes are kept: each is a piece of text, and nobody reads more at once.
const MOST_ERRORS: usize = 200;

type Name<'t> = Spanned<Cow<'t, str>>;
type Item<'t> = Spanned<DeValue<'t>>;

pub(super) fn parse(text: &str, file: &str) -> Result<Mapping, MappingErrors> {
    let mut reader = Reader { text: Text::new(file, text), errors: Vec::new(), warnings: Vec::new() };
    if text.len() > LONGEST_MAPPING {
        let message = format!("a mapping may have {LONGEST_MAPPING} bytes; this one has {}", text.len());
        reader.refuse(0..0, message, None);
        return Err(MappingErrors::new(reader.errors));
    }
    let mapping = if next_identity::is_one(text, file) {
        next_identity::read(&mut reader, text)
    } else {
        let content = reader.toml(text);
        let profile = profile::of_rules(named_by_source(&content.targets));
        Some(reader.made_of(content, profile, SourceRules::default(), text))
    };
    match mapping {
        Some(mapping) if reader.errors.is_empty() => Ok(Mapping { warnings: reader.warnings, ..mapping }),
        _ => Err(MappingErrors::new(reader.errors)),
    }
}

/// The attributes that rules take by the names of the source.
fn named_by_source(targets: &[Target]) -> impl Iterator<Item = &ProfilePath> {
    targets.iter().flat_map(|target| &target.rules).filter_map(|rule| match &rule.value {
        Some(Value::Source(Source::Profile(path))) => Some(path),
        _ => None,
    })
}

/// The first 16 hexadecimal digits of the SHA-256 of a text.
fn fingerprint(text: &str) -> String {
    use std::fmt::Write;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What stands in a mapping.
#[derive(Default)]
pub(super) struct Content {
    pub(super) targets: Vec<Target>,
    pub(super) grants: Vec<GrantRule>,
    pub(super) entitlements: EntitlementPolicy,
    pub(super) groups: GroupPolicy,
}

pub(super) struct Reader {
    pub(super) text: Text,
    errors: Vec<MappingError>,
    /// What the mapping cannot do, and need not.
    pub(super) warnings: Vec<MappingError>,
}

impl Reader {
    pub(super) fn refuse(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(self.text.error(span, message.into(), suggestion));
        }
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_content(&self) -> bool {
        self.errors.is_empty()
    }

    /// What is not wrong, and worth knowing; said once for each place.
    pub(super) fn warn(&mut self, place: Range<usize>, message: String, suggestion: Option<String>) {
        let mut warning = self.text.error(place, message, suggestion);
        warning.severity = Severity::Warning;
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The mapping that was read; `stands_for` is the text that its fingerprint is of.
    pub(super) fn made_of(
        &self,
        content: Content,
        profile: Vec<Carried>,
        source_rules: SourceRules,
        stands_for: &str,
    ) -> Mapping {
        let Content { targets, grants, entitlements, groups } = content;
        Mapping {
            targets,
            grants,
            entitlements,
            groups,
            profile,
            source_rules,
            warnings: Vec::new(),
            text: self.text.clone(),
            fingerprint: fingerprint(stands_for),
        }
    }

    fn toml(&mut self, text: &str) -> Content {
        let (root, syntax_errors) = DeTable::parse_recoverable(text);
        for error in &syntax_errors {
            let message = format!("not TOML: {}", error.message().replace('\n', "; "));
            self.refuse(error.span().unwrap_or(0..0), message, None);
        }
        // What is left of a file with syntax errors would be blamed for what is missing.
        if syntax_errors.is_empty() { self.mapping(root.get_ref()) } else { Content::default() }
    }

    fn mapping(&mut self, root: &DeTable<'_>) -> Content {
        self.refuse_unknown(root, &["targets", "grants", "entitlements", "groups"], "a mapping");
        let targets = match root.get("targets") {
            Some(item) => self.table(item, "`targets`"),
            None => None,
        };
        let Some(table) = targets.filter(|targets| !targets.is_empty()) else {
            if self.errors.is_empty() {
                self.refuse(0..0, "a mapping has at least one target, such as `[targets.staff]`", None);
            }
            return Content::default();
        };
        let entries = in_order(table);
        let targets: Vec<Target> =
            entries.iter().filter_map(|(name, item)| self.target(name, item)).collect();
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.get_ref().as_ref()).collect();
        self.links(&targets, &names);
        Content {
            grants: root.get("grants").map(|item| self.grants(item, &targets, &names)).unwrap_or_default(),
            entitlements: root.get("entitlements").map(|item| self.entitlements(item)).unwrap_or_default(),
            groups: root.get("groups").map(|item| self.groups(item)).unwrap_or_default(),
            targets,
        }
    }

    /// An expression over what identity tools write.
    fn expression(&mut self, item: &Item<'_>) -> Option<Expression> {
        let expression = self.condition(item)?;
        if expression.looks_at_groups() {
            let message = "who is a member of what decides in `when` and `until`; a value is made from attributes alone";
            self.refuse(item.span(), message, None);
            return None;
        }
        Some(expression)
    }

    /// An expression that may also ask for the person's groups.
    fn condition(&mut self, item: &Item<'_>) -> Option<Expression> {
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

    /// A string with something in it.
    fn some_text(&mut self, item: &Item<'_>, what: &str) -> Option<String> {
        let text = self.string(item, what)?;
        if text.trim().is_empty() {
            self.refuse(item.span(), format!("{what} is empty; leave it out instead"), None);
            return None;
        }
        Some(text.trim().to_owned())
    }

    /// A string that is the name of a field.
    fn field_name(&mut self, item: &Item<'_>, what: &str) -> Option<String> {
        let name = self.string(item, what)?;
        if is_field_name(&name) {
            return Some(name);
        }
        self.refuse(item.span(), format!("`{name}` is no name of a Salesforce field"), None);
        None
    }

    fn boolean(&mut self, item: &Item<'_>, what: &str) -> bool {
        if let DeValue::Boolean(value) = item.get_ref() {
            return *value;
        }
        self.refuse(item.span(), format!("{what} is true or false; this is {}", kind(item.get_ref())), None);
        true
    }

    /// One of some words, and what it means.
    fn word<T: Copy>(&mut self, item: &Item<'_>, what: &str, known: &[(&str, T)]) -> Option<T> {
        let word = self.string(item, what)?;
        let found = known.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.not_one_of(item.span(), &word, &names);
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// The entries of a list of tables, `[[what]]`.
    fn tables<'i, 't>(&mut self, item: &'i Item<'t>, what: &str) -> Vec<(&'i Item<'t>, &'i DeTable<'t>)> {
        let DeValue::Array(entries) = item.get_ref() else {
            let message =
                format!("{what} is a list, each entry below `[[{what}]]`; this is {}", kind(item.get_ref()));
            self.refuse(item.span(), message, None);
            return Vec::new();
        };
        entries.iter().filter_map(|entry| Some((entry, self.table(entry, "an entry")?))).collect()
    }

    /// The first line of an entry of a list of tables.
    fn header(&self, item: &Item<'_>) -> Range<usize> {
        let span = item.span();
        let line = self.text.slice(span.clone()).lines().next().unwrap_or_default().trim_end();
        span.start..span.start + line.len().max(1)
    }

    /// One of the kinds of entitlements, in the words of the configuration.
    fn entitlement_kind(&mut self, place: Range<usize>, word: &str) -> Option<EntitlementKind> {
        let found = EntitlementKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        if found.is_none() {
            self.not_one_of(place, word, &EntitlementKind::ALL.map(EntitlementKind::as_str));
        }
        found
    }

    /// A list of kinds of entitlements, each with its place.
    fn entitlement_kinds(&mut self, item: &Item<'_>, what: &str) -> Vec<(EntitlementKind, Range<usize>)> {
        let mut kinds: Vec<(EntitlementKind, Range<usize>)> = Vec::new();
        for (word, place) in self.strings(item, what) {
            let Some(kind) = self.entitlement_kind(place.clone(), &word) else { continue };
            if kinds.iter().any(|(known, _)| *known == kind) {
                self.refuse(place.clone(), format!("`{kind}` is there twice"), None);
            }
            kinds.push((kind, place));
        }
        kinds
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
fn in_order<'i, 't>(table: &'i DeTable<'t>) -> Vec<(&'i Name<'t>, &'i Item<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

pub(super) fn is_field_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
