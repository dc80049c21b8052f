//! Text to filter: recursive descent over the bytes, each looked at once.
//!
//! ```text
//! or         = and *( "or" and )
//! and        = unary *( "and" unary )
//! unary      = [ "not" ] "(" or ")" / term
//! term       = attrPath "[" or "]" [ "." subAttr test ] / attrPath test
//! test       = "pr" / operator value
//! value      = string / bare-word        ; true, false, null and numbers are bare words
//! ```

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::{Filter, FilterError, FilterErrorKind as Kind, Literal, MAX_DEPTH, MAX_TERMS, Operator};
use crate::ResourceType;
use crate::path::{AttrPath, PathError, quoted};
use crate::schema::{AttributeType, Mutability, Returned};

pub(super) fn parse(text: &str, resource_type: &ResourceType) -> Result<Filter, FilterError> {
    whole(text, Scope::Resource(resource_type))
}

/// Reads the condition between the brackets of `attribute[...]`: its names are sub-attributes of `attribute`.
///
/// # Errors
///
/// As [`Filter::parse`]; also where the attribute has no sub-attributes.
pub fn parse_value_filter(text: &str, attribute: &AttrPath) -> Result<Filter, FilterError> {
    whole(text, Scope::Element(attribute.clone()))
}

fn whole(text: &str, scope: Scope<'_>) -> Result<Filter, FilterError> {
    let mut parser = Parser::new(text, scope);
    if text.trim().is_empty() {
        return Err(parser.error_at(0, Kind::Empty));
    }
    let filter = parser.or()?;
    parser.skip_space();
    match parser.rest() {
        "" => Ok(filter),
        _ => Err(parser.unexpected("\"and\", \"or\" or the end")),
    }
}

/// Where names are looked up.
#[derive(Clone)]
pub(crate) enum Scope<'r> {
    Resource(&'r ResourceType),
    Element(AttrPath),
}

impl Scope<'_> {
    fn resolve(&self, name: &str) -> Result<AttrPath, PathError> {
        match self {
            Self::Resource(resource_type) => resource_type.resolve(name),
            Self::Element(attribute) => attribute.sub_or_explain(name),
        }
    }
}

/// What a value was written as.
enum Written<'t> {
    Text(String),
    Word(&'t str),
}

/// Reads one text from its beginning to its end.
pub(crate) struct Parser<'t, 'r> {
    text: &'t str,
    position: usize,
    scope: Scope<'r>,
    depth: usize,
    terms: usize,
}

impl<'t, 'r> Parser<'t, 'r> {
    fn new(text: &'t str, scope: Scope<'r>) -> Self {
        Self::at(text, 0, scope)
    }

    /// Begins in the middle of the text; places in errors still count from its beginning.
    pub(crate) fn at(text: &'t str, position: usize, scope: Scope<'r>) -> Self {
        Self { text, position, scope, depth: 0, terms: 0 }
    }

    fn or(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.and()?];
        while self.takes_keyword("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn and(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.unary()?];
        while self.takes_keyword("and") {
            parts.push(self.unary()?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn unary(&mut self) -> Result<Filter, FilterError> {
        self.skip_space();
        if self.rest().starts_with('(') {
            return self.group('(', ')', "\")\"");
        }
        if self.takes_keyword("not") {
            self.skip_space();
            if !self.rest().starts_with('(') {
                return Err(self.unexpected("\"(\" after \"not\""));
            }
            return Ok(Filter::Not(Box::new(self.group('(', ')', "\")\"")?)));
        }
        self.term()
    }

    /// What stands between two brackets, the first of which is next.
    fn group(&mut self, open: char, close: char, expected: &'static str) -> Result<Filter, FilterError> {
        debug_assert!(self.rest().starts_with(open));
        if self.depth == MAX_DEPTH {
            return Err(self.error(Kind::TooDeep));
        }
        self.depth += 1;
        self.position += open.len_utf8();
        let inner = self.or()?;
        self.skip_space();
        if !self.rest().starts_with(close) {
            return Err(self.unexpected(expected));
        }
        self.position += close.len_utf8();
        self.depth -= 1;
        Ok(inner)
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        self.skip_space();
        let start = self.position;
        let path = self.attribute()?;
        if self.rest().starts_with('[') {
            let filter = self.value_filter(&path, start)?;
            if !self.rest().starts_with('.') {
                return Ok(Filter::ValuePath { path, filter: Box::new(filter) });
            }
            // `emails[type eq "work"].value eq "x"` asks for one element that meets both
            let sub = self.sub_attribute_of(&path)?;
            let test = self.test(sub)?;
            let mut parts = match filter {
                Filter::And(parts) => parts,
                other => vec![other],
            };
            parts.push(test);
            return Ok(Filter::ValuePath { path, filter: Box::new(Filter::And(parts)) });
        }
        self.test(path)
    }

    /// The attribute whose name is next, if it may be searched for.
    fn attribute(&mut self) -> Result<AttrPath, FilterError> {
        self.skip_space();
        let start = self.position;
        let word = self.word();
        if word.is_empty() {
            return Err(self.unexpected("an attribute"));
        }
        let path = self.scope.resolve(word).map_err(|error| {
            let is_operator = word.eq_ignore_ascii_case("pr") || Operator::from_word(word).is_some();
            let kind =
                if is_operator { Kind::NoAttribute { operator: word.to_owned() } } else { error.into() };
            self.error_at(start, kind)
        })?;
        // RFC 7643 §4.1.1: what is never returned must not be found out by asking either
        let attribute = path.attribute();
        if attribute.mutability == Mutability::WriteOnly || attribute.returned == Returned::Never {
            return Err(self.error_at(start, Kind::NotFilterable { attribute: path.to_string() }));
        }
        Ok(path)
    }

    /// The condition in brackets, the first of which is next, on the elements of `path`.
    pub(crate) fn value_filter(&mut self, path: &AttrPath, start: usize) -> Result<Filter, FilterError> {
        if path.is_extension() || path.subs().is_empty() {
            return Err(self.error_at(start, Kind::NoElements { attribute: path.to_string() }));
        }
        let outer = std::mem::replace(&mut self.scope, Scope::Element(path.clone()));
        let filter = self.group('[', ']', "\"]\"")?;
        self.scope = outer;
        Ok(filter)
    }

    /// The `.sub` that is next.
    fn sub_attribute_of(&mut self, path: &AttrPath) -> Result<AttrPath, FilterError> {
        self.position += 1;
        let start = self.position;
        let word = self.word();
        path.sub_or_explain(word).map_err(|error| self.error_at(start, error.into()))
    }

    /// The operator and value that make a path a condition.
    fn test(&mut self, path: AttrPath) -> Result<Filter, FilterError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.error(Kind::TooManyTerms));
        }
        self.skip_space();
        let start = self.position;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present { path });
        }
        let op = match Operator::from_word(word) {
            Some(op) => op,
            None if word.is_empty() => return Err(self.unexpected("an operator")),
            None => return Err(self.error_at(start, Kind::UnknownOperator { operator: quoted(word) })),
        };
        let path = self.comparable(path, start)?;
        self.check_operator(&path, op, start)?;
        self.skip_space();
        let start = self.position;
        let written = self.value()?;
        let value = literal(&path, op, written).map_err(|kind| self.error_at(start, kind))?;
        Ok(Filter::Compare { path, op, value })
    }

    /// The path itself, or for an object the part that stands for it: `emails eq "x"` means `emails.value`.
    fn comparable(&self, path: AttrPath, start: usize) -> Result<AttrPath, FilterError> {
        if !path.attribute().is_complex() {
            return Ok(path);
        }
        path.sub("value").ok_or_else(|| {
            let example = path.subs().first().map_or_else(String::new, ToString::to_string);
            self.error_at(start, Kind::Object { attribute: path.to_string(), example })
        })
    }

    fn check_operator(&self, path: &AttrPath, op: Operator, start: usize) -> Result<(), FilterError> {
        let type_ = match path.attribute().type_ {
            AttributeType::Boolean if op.is_ordering() || op.is_substring() => "boolean",
            AttributeType::Binary if op.is_ordering() => "binary",
            AttributeType::Integer | AttributeType::Decimal if op.is_substring() => "a number",
            _ => return Ok(()),
        };
        let attribute = path.to_string();
        Err(self.error_at(start, Kind::WrongOperator { attribute, type_, operator: op.as_str() }))
    }

    fn value(&mut self) -> Result<Written<'t>, FilterError> {
        if self.rest().starts_with('"') {
            return self.string().map(Written::Text);
        }
        match self.word() {
            "" => Err(self.unexpected("a value")),
            word if word.starts_with('\'') => {
                self.position -= word.len();
                Err(self.unexpected("a value in double quotation marks"))
            }
            word => Ok(Written::Word(word)),
        }
    }

    /// A JSON string (RFC 7644 §3.4.2.2), whose opening mark is next.
    fn string(&mut self) -> Result<String, FilterError> {
        let start = self.position;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        let mut escapes = false;
        loop {
            match bytes.get(end) {
                None => return Err(self.error_at(start, Kind::UnendedText)),
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    end += 2;
                }
                Some(_) => end += 1,
            }
        }
        self.position = end + 1;
        if escapes {
            serde_json::from_str(&self.text[start..=end]).map_err(|_| self.error_at(start, Kind::BadEscape))
        } else {
            Ok(self.text[start + 1..end].to_owned())
        }
    }

    /// The letters up to the next space, bracket or quotation mark. May be empty.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(ends_word).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    /// Goes past the keyword if it is the next word.
    fn takes_keyword(&mut self, keyword: &str) -> bool {
        self.skip_space();
        // compares the beginning first: a long word that is no keyword is not read to its end here
        let Some((word, after)) = self.rest().split_at_checked(keyword.len()) else { return false };
        let found = word.eq_ignore_ascii_case(keyword) && after.bytes().next().is_none_or(ends_word);
        if found {
            self.position += keyword.len();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_ascii_start().len();
    }

    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    pub(crate) fn unexpected(&self, expected: &'static str) -> FilterError {
        let found = match self.rest().split_ascii_whitespace().next() {
            Some(found) => format!("{:?}", quoted(found)),
            None => "the end".to_owned(),
        };
        self.error(Kind::Unexpected { expected, found })
    }

    fn error(&self, kind: Kind) -> FilterError {
        self.error_at(self.position, kind)
    }

    fn error_at(&self, position: usize, kind: Kind) -> FilterError {
        let before = self.text.get(..position).unwrap_or(self.text);
        FilterError { position, character: before.chars().count() + 1, kind }
    }
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'[' | b']' | b'"')
}

fn one_or(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
}

/// What was written, as a value of the attribute's type.
fn literal(path: &AttrPath, op: Operator, written: Written<'_>) -> Result<Literal, Kind> {
    let text = match written {
        Written::Word(word) if word.eq_ignore_ascii_case("null") => {
            return match op {
                Operator::Eq | Operator::Ne => Ok(Literal::Null),
                _ => Err(Kind::NullOrder),
            };
        }
        Written::Word(word) => Cow::Borrowed(word),
        Written::Text(text) => Cow::Owned(text),
    };
    let wrong = |expected| Kind::WrongValue { attribute: path.to_string(), expected };
    match path.attribute().type_ {
        AttributeType::Boolean => match text.trim() {
            text if text.eq_ignore_ascii_case("true") => Ok(Literal::Boolean(true)),
            text if text.eq_ignore_ascii_case("false") => Ok(Literal::Boolean(false)),
            _ => Err(wrong("true or false")),
        },
        AttributeType::Integer | AttributeType::Decimal => {
            text.trim().parse().map(Literal::Number).map_err(|_| wrong("a number"))
        }
        AttributeType::DateTime if !op.is_substring() => match instant(&text) {
            Some(at) => Ok(Literal::Instant { text: text.into_owned(), at }),
            None => Err(wrong("a time such as \"2026-01-31T08:00:00Z\"")),
        },
        _ => Ok(Literal::Text(text.into_owned())),
    }
}

/// The instant that an xsd:dateTime names. Without an offset it is taken as UTC, and a date as its first moment.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let local: civil::DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
