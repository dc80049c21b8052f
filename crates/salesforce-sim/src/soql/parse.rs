//! Tokens to a query. Names are not looked up yet: see [`super::resolve`].

use super::{
    error::malformed,
    lex::{Token, TokenKind, lex},
};
use crate::errors::Refusal;

/// How deeply conditions may be nested. Real queries of 100,000 characters could go deeper; nobody's do.
const MAX_DEPTH: usize = 64;
const MAX_LENGTH: usize = 100_000;
const MAX_LITERAL: usize = 4_000;
pub(super) const MAX_OFFSET: u64 = 2_000;

#[derive(Debug)]
pub(super) struct Query {
    pub(super) select: Vec<Select>,
    pub(super) object: Name,
    pub(super) condition: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

/// A name or dotted path and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) at: usize,
}

#[derive(Debug)]
pub(super) enum Select {
    Field(Name),
    /// `toLabel(Field) alias`
    Label(Name, Option<String>),
    /// `COUNT()`
    Rows,
    /// `COUNT(Field) alias`
    Count(Name, Option<String>),
    /// `FIELDS(STANDARD)`
    Fields(Name),
}

#[derive(Debug)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Name, Operator, Literal),
    In(Name, bool, Vec<Literal>),
    SemiJoin(Name, bool, Box<Query>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) at: usize,
    pub(super) value: LiteralValue,
}

#[derive(Clone, Debug)]
pub(super) enum LiteralValue {
    Null,
    Text {
        plain: String,
        pattern: String,
    },
    /// A boolean, number, date or date literal.
    Bare(String),
}

#[derive(Debug)]
pub(super) struct Order {
    pub(super) field: Name,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

/// Reads a whole query.
pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
    if text.trim().is_empty() {
        let message = "SOQL statements cannot be empty or null";
        return Err(Refusal::call(400, "MALFORMED_QUERY", message));
    }
    if text.chars().count() > MAX_LENGTH {
        let message = format!("SOQL statement is longer than {MAX_LENGTH} characters");
        return Err(Refusal::call(400, "MALFORMED_QUERY", message));
    }
    let tokens = lex(text)?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0 };
    if !parser.peek().is_word("SELECT") {
        let message = format!("unexpected token: '{}'", parser.peek().shown());
        return Err(Refusal::call(400, "MALFORMED_QUERY", message));
    }
    let query = parser.query()?;
    match parser.peek().kind {
        TokenKind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn unexpected(&self) -> Refusal {
        let token = self.peek();
        malformed(self.text, token.at, &format!("unexpected token: '{}'", token.shown()))
    }

    fn word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_word(keyword);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Sign(s) if s == sign);
        self.next += usize::from(found);
        found
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), Refusal> {
        if self.word(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Refusal> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<Name, Refusal> {
        let token = self.peek();
        let is_name = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
                && !word.ends_with('.')
                && !word.contains("..")
        };
        match &token.kind {
            TokenKind::Word(word) if is_name(word) => {
                let name = Name { text: word.clone(), at: token.at };
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self) -> Result<u64, Refusal> {
        let number = match &self.peek().kind {
            TokenKind::Word(word) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(number)
    }

    fn query(&mut self) -> Result<Query, Refusal> {
        self.expect_word("SELECT")?;
        let mut select = vec![self.select()?];
        while self.sign(",") {
            select.push(self.select()?);
        }
        self.expect_word("FROM")?;
        let object = self.name()?;
        let mut query = Query { select, object, condition: None, order: Vec::new(), limit: None, offset: 0 };
        if self.word("WHERE") {
            query.condition = Some(self.condition()?);
        }
        if self.word("ORDER") {
            self.expect_word("BY")?;
            query.order.push(self.order()?);
            while self.sign(",") {
                query.order.push(self.order()?);
            }
        }
        if self.word("LIMIT") {
            query.limit = Some(self.number()?);
        }
        if self.word("OFFSET") {
            query.offset = self.number()?;
            if query.offset > MAX_OFFSET {
                let message = format!("Maximum SOQL offset allowed is {MAX_OFFSET}");
                return Err(Refusal::call(400, "NUMBER_OUTSIDE_VALID_RANGE", message));
            }
        }
        Ok(query)
    }

    fn select(&mut self) -> Result<Select, Refusal> {
        let name = self.name()?;
        if !self.sign("(") {
            return Ok(Select::Field(name));
        }
        match name.text.to_ascii_lowercase().as_str() {
            "count" if self.sign(")") => Ok(Select::Rows),
            "count" => {
                let field = self.name()?;
                self.expect_sign(")")?;
                Ok(Select::Count(field, self.alias()))
            }
            "tolabel" => {
                let field = self.name()?;
                self.expect_sign(")")?;
                Ok(Select::Label(field, self.alias()))
            }
            "fields" => {
                let which = self.name()?;
                self.expect_sign(")")?;
                Ok(Select::Fields(which))
            }
            _ => Err(malformed(self.text, name.at, &format!("unexpected token: '{}'", name.text))),
        }
    }

    fn alias(&mut self) -> Option<String> {
        if self.peek().is_word("FROM") {
            return None;
        }
        self.name().ok().map(|name| name.text)
    }

    fn order(&mut self) -> Result<Order, Refusal> {
        let field = self.name()?;
        let descending = self.word("DESC");
        if !descending {
            self.word("ASC");
        }
        let mut nulls_first = !descending;
        if self.word("NULLS") {
            nulls_first = self.word("FIRST");
            if !nulls_first {
                self.expect_word("LAST")?;
            }
        }
        Ok(Order { field, descending, nulls_first })
    }

    /// `AND` and `OR` side by side need parentheses.
    fn condition(&mut self) -> Result<Condition, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Refusal::call(400, "QUERY_TOO_COMPLICATED", "The query is nested too deeply"));
        }
        let mut parts = vec![self.term()?];
        let condition = if self.peek().is_word("AND") {
            while self.word("AND") {
                parts.push(self.term()?);
            }
            Condition::And(parts)
        } else {
            while self.word("OR") {
                parts.push(self.term()?);
            }
            Condition::Or(parts)
        };
        self.depth -= 1;
        if self.peek().is_word("AND") || self.peek().is_word("OR") {
            return Err(self.unexpected());
        }
        Ok(condition)
    }

    fn term(&mut self) -> Result<Condition, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Refusal::call(400, "QUERY_TOO_COMPLICATED", "The query is nested too deeply"));
        }
        let term = if self.word("NOT") {
            Condition::Not(Box::new(self.term()?))
        } else if self.sign("(") {
            let condition = self.condition()?;
            self.expect_sign(")")?;
            condition
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn comparison(&mut self) -> Result<Condition, Refusal> {
        let field = self.name()?;
        if self.word("NOT") {
            self.expect_word("IN")?;
            return self.list(field, true);
        }
        if self.word("IN") {
            return self.list(field, false);
        }
        let operator = match &self.peek().kind {
            TokenKind::Sign("=") => Operator::Equal,
            TokenKind::Sign("!=") => Operator::NotEqual,
            TokenKind::Sign("<") => Operator::Less,
            TokenKind::Sign("<=") => Operator::LessOrEqual,
            TokenKind::Sign(">") => Operator::Greater,
            TokenKind::Sign(">=") => Operator::GreaterOrEqual,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("LIKE") => Operator::Like,
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(Condition::Compare(field, operator, self.literal()?))
    }

    fn list(&mut self, field: Name, negated: bool) -> Result<Condition, Refusal> {
        self.expect_sign("(")?;
        if self.peek().is_word("SELECT") {
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(Condition::SemiJoin(field, negated, Box::new(query)));
        }
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(Condition::In(field, negated, values))
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        let token = self.take();
        let value = match token.kind {
            TokenKind::Text { plain, .. } if plain.chars().count() > MAX_LITERAL => {
                let reason = format!("string literal is longer than {MAX_LITERAL} characters");
                return Err(malformed(self.text, token.at, &reason));
            }
            TokenKind::Text { plain, pattern } => LiteralValue::Text { plain, pattern },
            TokenKind::Word(word) if word.eq_ignore_ascii_case("null") => LiteralValue::Null,
            TokenKind::Word(word) => LiteralValue::Bare(word),
            _ => {
                self.next -= 1;
                return Err(self.unexpected());
            }
        };
        Ok(Literal { at: token.at, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_beside_or_needs_parentheses() {
        assert!(parse("SELECT Id FROM User WHERE (Id = null OR Id = null) AND NOT Id = null").is_ok());
        let refusal = parse("SELECT Id FROM User WHERE A = 1 AND B = 2 OR C = 3").unwrap_err();
        assert!(
            refusal.message.ends_with("ERROR at Row:1:Column:43\nunexpected token: 'OR'"),
            "{}",
            refusal.message
        );
    }

    #[test]
    fn text_that_is_no_query_is_named_without_a_caret() {
        let refusal = parse("invalid").unwrap_err();
        assert_eq!(refusal.message, "unexpected token: 'invalid'");
        assert_eq!(parse(" ").unwrap_err().message, "SOQL statements cannot be empty or null");
    }

    #[test]
    fn literals_are_unescaped() {
        let query = parse(r"SELECT Id FROM User WHERE Name = 'a\'\\\n\u00e9\%'").unwrap();
        let Some(Condition::Or(parts)) = query.condition else { panic!() };
        let Condition::Compare(_, Operator::Equal, literal) = &parts[0] else { panic!() };
        let LiteralValue::Text { plain, pattern } = &literal.value else { panic!() };
        assert_eq!(plain, "a'\\\né%");
        assert_eq!(pattern, "a'\\\\\né\\%");
        assert!(parse(r"SELECT Id FROM User WHERE Name = 'a\x'").is_err());
        assert!(parse("SELECT Id FROM User WHERE Name = 'open").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        let text = format!("SELECT Id FROM User WHERE {}", "(".repeat(20_000));
        assert_eq!(parse(&text).unwrap_err().code, "QUERY_TOO_COMPLICATED");
        let text = format!("SELECT Id FROM User WHERE {}", "NOT ".repeat(20_000));
        assert_eq!(parse(&text).unwrap_err().code, "QUERY_TOO_COMPLICATED");
        let text =
            format!("SELECT Id FROM User WHERE {} 1", "Id IN (SELECT Id FROM User WHERE ".repeat(2_000));
        assert_eq!(parse(&text).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    }

    #[test]
    fn offset_has_its_limit() {
        assert_eq!(parse("SELECT Id FROM User OFFSET 2001").unwrap_err().code, "NUMBER_OUTSIDE_VALID_RANGE");
    }
}
