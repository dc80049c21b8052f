//! SOQL from typed parts, never from strings (SOQL and SOSL Reference, "SELECT").
//!
//! Names are checked, values are escaped, and a query can be put together from nothing else.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use salesforce_types::{RecordId, Refusal};

use crate::CallError;

/// A text that cannot be the name of an object or a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the API name of an object or a field")]
pub struct NotAName(String);

/// As Salesforce would refuse it.
impl From<NotAName> for CallError {
    fn from(error: NotAName) -> Self {
        Self::Refused(Refusal {
            status: 400,
            code: "INVALID_FIELD".to_owned(),
            message: error.to_string(),
            fields: Vec::new(),
            records: Vec::new(),
        })
    }
}

/// The name of an object, such as `User` or `Badge__c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object(String);

/// The name of a field, such as `Username`, or of a parent's field, such as `Profile.UserLicense.Name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field(String);

impl Object {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, NotAName> {
        if is_name(name) { Ok(Self(name.to_owned())) } else { Err(NotAName(name.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Field {
    /// Checks a name; parents are at most five levels away.
    pub fn new(name: &str) -> Result<Self, NotAName> {
        let fits = name.split('.').count() <= 6 && name.split('.').all(is_name);
        if fits { Ok(Self(name.to_owned())) } else { Err(NotAName(name.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A letter, then letters, digits and underscores; 40 for the name itself, and as much again for a package's
/// namespace and the suffix.
fn is_name(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name.as_bytes()[0].is_ascii_alphabetic()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Nothing.
    Null,
    /// A text, quoted and escaped. Salesforce compares without regard to case, unless the field minds it.
    Text(String),
    /// `TRUE` or `FALSE`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// An instant, in UTC.
    DateTime(Timestamp),
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&RecordId> for Literal {
    fn from(id: &RecordId) -> Self {
        Self::Text(id.as_str().to_owned())
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Timestamp> for Literal {
    fn from(value: Timestamp) -> Self {
        Self::DateTime(value)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Text(text) => {
                f.write_char('\'')?;
                escape(text, f)?;
                f.write_char('\'')
            }
            Self::Boolean(true) => f.write_str("TRUE"),
            Self::Boolean(false) => f.write_str("FALSE"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::DateTime(instant) => f.write_str(&instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
        }
    }
}

/// Writes a text so that it can stand between quotes (SOQL and SOSL Reference, "Quoted String Escape
/// Sequences"). The backslash matters as much as the quote: a value that ends in one would otherwise
/// escape the closing quote.
fn escape(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\\' => out.write_str("\\\\")?,
            '\'' => out.write_str("\\'")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            other if other.is_control() => write!(out, "\\u{:04X}", u32::from(other))?,
            other => out.write_char(other)?,
        }
    }
    Ok(())
}

/// What a row must fulfil.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The field has this value.
    Eq(Field, Literal),
    /// The field has another value, or none.
    NotEq(Field, Literal),
    /// Greater than.
    Gt(Field, Literal),
    /// Greater or equal.
    Ge(Field, Literal),
    /// Less than.
    Lt(Field, Literal),
    /// Less or equal.
    Le(Field, Literal),
    /// The field has one of these values. An empty list holds for no row.
    In(Field, Vec<Literal>),
    /// The field has no value.
    Null(Field),
    /// The field has a value.
    NotNull(Field),
    /// All of them. An empty list holds for every row.
    And(Vec<Condition>),
    /// One of them at least. An empty list holds for no row.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

impl Condition {
    /// The field has this value.
    pub fn eq(field: &str, value: impl Into<Literal>) -> Result<Self, NotAName> {
        Ok(Self::Eq(Field::new(field)?, value.into()))
    }

    /// The field has another value, or none.
    pub fn not_eq(field: &str, value: impl Into<Literal>) -> Result<Self, NotAName> {
        Ok(Self::NotEq(Field::new(field)?, value.into()))
    }

    /// The field has one of these values.
    pub fn is_in<V: Into<Literal>>(
        field: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, NotAName> {
        Ok(Self::In(Field::new(field)?, values.into_iter().map(Into::into).collect()))
    }

    /// The field has no value.
    pub fn null(field: &str) -> Result<Self, NotAName> {
        Ok(Self::Null(Field::new(field)?))
    }

    /// The field has a value.
    pub fn not_null(field: &str) -> Result<Self, NotAName> {
        Ok(Self::NotNull(Field::new(field)?))
    }

    /// This, and the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut parts) => {
                parts.push(other);
                Self::And(parts)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// This, or the other, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut parts) => {
                parts.push(other);
                Self::Or(parts)
            }
            first => Self::Or(vec![first, other]),
        }
    }
}

/// Every record has an id, so these hold always and never.
const ALWAYS: &str = "Id != NULL";
const NEVER: &str = "Id = NULL";

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compare = |f: &mut fmt::Formatter<'_>, field: &Field, operator: &str, value: &Literal| {
            write!(f, "{} {operator} {value}", field.0)
        };
        match self {
            Self::Eq(field, value) => compare(f, field, "=", value),
            Self::NotEq(field, value) => compare(f, field, "!=", value),
            Self::Gt(field, value) => compare(f, field, ">", value),
            Self::Ge(field, value) => compare(f, field, ">=", value),
            Self::Lt(field, value) => compare(f, field, "<", value),
            Self::Le(field, value) => compare(f, field, "<=", value),
            Self::In(_, values) if values.is_empty() => f.write_str(NEVER),
            Self::In(field, values) => {
                write!(f, "{} IN ({})", field.0, Joined(values, ", "))
            }
            Self::Null(field) => compare(f, field, "=", &Literal::Null),
            Self::NotNull(field) => compare(f, field, "!=", &Literal::Null),
            Self::And(parts) if parts.is_empty() => f.write_str(ALWAYS),
            Self::Or(parts) if parts.is_empty() => f.write_str(NEVER),
            // Always in parentheses: mixing AND and OR without them is an error, not a precedence.
            Self::And(parts) => write!(f, "({})", Joined(parts, " AND ")),
            Self::Or(parts) => write!(f, "({})", Joined(parts, " OR ")),
            Self::Not(part) => write!(f, "(NOT {part})"),
        }
    }
}

struct Joined<'a, T>(&'a [T], &'static str);

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(self.1)?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

/// Which way rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// A query for rows of one object.
///
/// ```
/// use salesforce_client::soql::{Condition, Order, Query};
///
/// let query = Query::select("User", &["Id", "Username"])?
///     .where_(Condition::eq("Username", "o'hara@example.com")?)
///     .order_by("Id", Order::Ascending)?
///     .limit(2);
/// assert_eq!(
///     query.to_string(),
///     r"SELECT Id, Username FROM User WHERE Username = 'o\'hara@example.com' ORDER BY Id ASC LIMIT 2"
/// );
/// # Ok::<(), salesforce_client::soql::NotAName>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    object: Object,
    fields: Vec<Field>,
    condition: Option<Condition>,
    order: Vec<(Field, Order)>,
    limit: Option<u32>,
    counts: bool,
}

impl Query {
    /// These fields of all rows of an object; without any field, the ids.
    pub fn select(object: &str, fields: &[&str]) -> Result<Self, NotAName> {
        let fields = if fields.is_empty() { &["Id"] } else { fields };
        Ok(Self {
            object: Object::new(object)?,
            fields: fields.iter().map(|name| Field::new(name)).collect::<Result<_, _>>()?,
            condition: None,
            order: Vec::new(),
            limit: None,
            counts: false,
        })
    }

    /// How many rows there are, instead of the rows: `SELECT COUNT()`.
    #[must_use]
    pub(crate) fn counting(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Only rows that fulfil it; a second one is added with AND.
    #[must_use]
    pub fn where_(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            None => condition,
            Some(first) => Condition::And(vec![first, condition]),
        });
        self
    }

    /// Sorted by a field; a second one decides between equals. Without it the order is any.
    pub fn order_by(mut self, field: &str, order: Order) -> Result<Self, NotAName> {
        self.order.push((Field::new(field)?, order));
        Ok(self)
    }

    /// At most so many rows.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// The object that is asked for.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.object
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts {
            write!(f, "SELECT COUNT() FROM {}", self.object.0)?;
        } else {
            let names: Vec<&str> = self.fields.iter().map(Field::as_str).collect();
            write!(f, "SELECT {} FROM {}", Joined(&names, ", "), self.object.0)?;
        }
        if let Some(condition) = &self.condition {
            write!(f, " WHERE {condition}")?;
        }
        for (at, (field, order)) in self.order.iter().enumerate() {
            let word = if at == 0 { " ORDER BY" } else { "," };
            let direction = match order {
                Order::Ascending => "ASC",
                Order::Descending => "DESC",
            };
            write!(f, "{word} {} {direction}", field.0)?;
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a string literal as the reference describes it, and says what stands after it.
    fn read_literal(soql: &str) -> Option<(String, &str)> {
        let mut text = String::new();
        let mut rest = soql.strip_prefix('\'')?.chars();
        loop {
            match rest.next()? {
                '\'' => return Some((text, rest.as_str())),
                '\\' => match rest.next()? {
                    'n' | 'N' => text.push('\n'),
                    'r' | 'R' => text.push('\r'),
                    't' | 'T' => text.push('\t'),
                    'b' | 'B' => text.push('\u{8}'),
                    'f' | 'F' => text.push('\u{c}'),
                    'u' => {
                        let (hex, after) = rest.as_str().split_at_checked(4)?;
                        text.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                        rest = after.chars();
                    }
                    quoted @ ('\\' | '\'' | '"') => text.push(quoted),
                    _ => return None,
                },
                other => text.push(other),
            }
        }
    }

    fn arbitrary_text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), r#"['"\\\n\r\t\x08\x0c\x00\x1f\x7fa-z%_ ]{0,12}"#]
    }

    proptest! {
        #[test]
        fn a_text_comes_back_from_its_literal_and_never_breaks_out(text in arbitrary_text()) {
            let literal = format!("{} AND x", Literal::from(text.as_str()));
            prop_assert_eq!(read_literal(&literal), Some((text, " AND x")));
            prop_assert!(!literal.chars().any(char::is_control));
        }

        #[test]
        fn a_value_never_adds_to_the_query(text in arbitrary_text()) {
            let query = Query::select("User", &["Id"]).unwrap().where_(Condition::eq("Alias", text.as_str()).unwrap()).limit(1);
            let soql = query.to_string();
            let value = soql.strip_prefix("SELECT Id FROM User WHERE Alias = ").unwrap();
            prop_assert_eq!(read_literal(value), Some((text, " LIMIT 1")));
        }

        #[test]
        fn no_text_with_more_than_a_name_is_one(text in arbitrary_text()) {
            if let Ok(field) = Field::new(&text) {
                prop_assert!(field.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
            }
        }
    }

    #[test]
    fn conditions_are_written_with_their_parentheses() {
        let condition = Condition::And(vec![
            Condition::eq("IsActive", true).unwrap(),
            Condition::Or(vec![
                Condition::is_in("Username", ["a@b.c", "d\\"]).unwrap(),
                Condition::null("ManagerId").unwrap(),
                Condition::Not(Box::new(Condition::eq("Profile.Name", "x").unwrap())),
            ]),
            Condition::Ge(
                Field::new("SystemModstamp").unwrap(),
                "2026-01-02T03:04:05.678Z".parse::<Timestamp>().unwrap().into(),
            ),
        ]);
        assert_eq!(
            condition.to_string(),
            r"(IsActive = TRUE AND (Username IN ('a@b.c', 'd\\') OR ManagerId = NULL OR (NOT Profile.Name = 'x')) AND SystemModstamp >= 2026-01-02T03:04:05.678Z)"
        );
    }

    #[test]
    fn a_person_is_looked_for_by_one_key_or_another_and_never_among_converted_leads() {
        let key = |field, value| Condition::eq(field, value).unwrap();
        let known = key("GangwayId__c", "1").or(key("Email", "ada@example.com")).or(key("Phone", "9"));
        let query = Query::select("Lead", &["Id", "IsConverted", "ConvertedContact.AccountId"])
            .unwrap()
            .where_(known.and(Condition::eq("IsConverted", false).unwrap()))
            .order_by("CreatedDate", Order::Descending)
            .unwrap()
            .limit(3);
        assert_eq!(
            query.to_string(),
            "SELECT Id, IsConverted, ConvertedContact.AccountId FROM Lead WHERE ((GangwayId__c = '1' OR \
             Email = 'ada@example.com' OR Phone = '9') AND IsConverted = FALSE) ORDER BY CreatedDate DESC LIMIT 3"
        );
        let open = Condition::not_null("ConvertedContactId")
            .unwrap()
            .and(key("Company", "a").or(key("Company", "b")));
        assert_eq!(open.to_string(), "(ConvertedContactId != NULL AND (Company = 'a' OR Company = 'b'))");
    }

    #[test]
    fn empty_lists_are_still_queries() {
        assert_eq!(Condition::is_in("Id", [""; 0]).unwrap().to_string(), "Id = NULL");
        assert_eq!(Condition::Or(vec![]).to_string(), "Id = NULL");
        assert_eq!(Condition::And(vec![]).to_string(), "Id != NULL");
        assert_eq!(Query::select("User", &[]).unwrap().to_string(), "SELECT Id FROM User");
    }

    #[test]
    fn two_conditions_and_two_orders_add_up() {
        let query = Query::select("Profile", &["Id", "Name"])
            .unwrap()
            .where_(Condition::eq("Name", "a").unwrap())
            .where_(Condition::eq("UserType", "Standard").unwrap())
            .order_by("Name", Order::Descending)
            .unwrap()
            .order_by("Id", Order::Ascending)
            .unwrap();
        assert_eq!(
            query.to_string(),
            "SELECT Id, Name FROM Profile WHERE (Name = 'a' AND UserType = 'Standard') ORDER BY Name DESC, Id ASC"
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "1a", "a b", "a.b", "User--", "é", "a;", &"x".repeat(81)] {
            assert!(Object::new(bad).is_err(), "{bad}");
        }
        for bad in ["", ".", "a..b", "a.", "a.b.c.d.e.f.g", "a,b", "count()"] {
            assert!(Field::new(bad).is_err(), "{bad}");
        }
        assert!(Field::new("Profile.UserLicense.LicenseDefinitionKey").is_ok());
    }
}
