//! Tokens to a query.

use super::{
    ast::{
        Alias, Condition, Expr, Grouping, Literal, LiteralValue, Name, Operator, Order, Query, Select,
        Totals, TypeOf,
    },
    dates,
    error::{malformed, whole},
    function::Function,
    lex::{Token, TokenKind, lex},
};
use crate::errors::Refusal;

/// How deeply conditions may be nested. Real queries of 100,000 characters could go deeper; nobody's do.
const MAX_DEPTH: usize = 64;
const MAX_LENGTH: usize = 100_000;
const MAX_LITERAL: usize = 4_000;
const MAX_OFFSET: u64 = 2_000;

/// Words that are no names (SOQL and SOSL Reference, "Alias Notation"). `Group` is an object too.
const RESERVED: [&str; 21] = [
    "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "HAVING", "IN", "INCLUDES", "LAST", "LIKE", "LIMIT",
    "NOT", "NULL", "NULLS", "OR", "SELECT", "USING", "WHERE", "WITH", "ORDER",
];
/// Words that may follow `FROM Object` and are no alias of it.
const CLAUSES: [&str; 11] =
    ["USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL"];

/// Reads a whole query.
pub(crate) fn parse(text: &str) -> Result<Query, Refusal> {
    if text.trim().is_empty() {
        return Err(whole("SOQL statements cannot be empty or null"));
    }
    if text.chars().count() > MAX_LENGTH {
        return Err(whole(format!("SOQL statements cannot be longer than {MAX_LENGTH} characters.")));
    }
    let mut parser = Parser::new(text, 0)?;
    if !parser.peek().is_word("SELECT") {
        return Err(whole(format!("unexpected token: '{}'", parser.peek().shown())));
    }
    let query = parser.query(Place::Outer)?;
    parser.end()?;
    Ok(query)
}

/// Where a query stands: each place allows other clauses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Outer,
    Children,
    SemiJoin,
}

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// A parser of what stands behind a place.
    pub(crate) fn new(text: &'a str, from: usize) -> Result<Self, Refusal> {
        Ok(Self { text, tokens: lex(text, from)?, next: 0, depth: 0 })
    }

    pub(crate) fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> &Token {
        &self.tokens[(self.next + by).min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    pub(crate) fn unexpected(&self) -> Refusal {
        let token = self.peek();
        malformed(self.text, token.at, &format!("unexpected token: '{}'", token.shown()))
    }

    pub(crate) fn end(&self) -> Result<(), Refusal> {
        if self.peek().kind == TokenKind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_word(keyword);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        let found = is_sign(self.peek(), sign);
        self.next += usize::from(found);
        found
    }

    pub(crate) fn expect_word(&mut self, keyword: &str) -> Result<(), Refusal> {
        if self.word(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn expect_sign(&mut self, sign: &str) -> Result<(), Refusal> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn name(&mut self) -> Result<Name, Refusal> {
        let is_name = |word: &str| {
            let is_part = |part: &str| {
                part.starts_with(|c: char| c.is_ascii_alphabetic())
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            word.split('.').all(is_part)
                && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
        };
        match &self.peek().kind {
            TokenKind::Word(word) if is_name(word) => {
                let name = Name { text: word.clone(), at: self.peek().at };
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64, Refusal> {
        let number = match &self.peek().kind {
            TokenKind::Word(word) if word.bytes().all(|b| b.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(number)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Refusal::call(
                400,
                "QUERY_TOO_COMPLICATED",
                "Query is too complicated: it is nested too deeply",
            ));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let mut items = vec![read(self)?];
        while self.sign(",") {
            items.push(read(self)?);
        }
        Ok(items)
    }

    pub(crate) fn query(&mut self, place: Place) -> Result<Query, Refusal> {
        self.expect_word("SELECT")?;
        let select = self.select_list()?;
        self.expect_word("FROM")?;
        let aliases = self.list(Self::source)?;
        let mut query = Query {
            select,
            from: aliases[0].path.clone(),
            aliases,
            scope: None,
            condition: None,
            grouping: None,
            order: Vec::new(),
            limit: None,
            offset: None,
        };
        if self.word("USING") {
            self.expect_word("SCOPE")?;
            query.scope = Some(self.name()?);
        }
        self.filters(&mut query)?;
        if place == Place::SemiJoin && (!query.order.is_empty() || query.limit.is_some()) {
            return Err(self.unexpected());
        }
        if place == Place::Outer {
            self.purpose()?;
        }
        Ok(query)
    }

    /// From `WHERE` to `OFFSET`: also what stands behind the fields of an object in a search.
    pub(crate) fn filters(&mut self, query: &mut Query) -> Result<(), Refusal> {
        if self.word("WHERE") {
            query.condition = Some(self.condition()?);
        }
        if self.word("WITH") {
            // Every query over REST runs as its user, so these say what is so already.
            let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
            if !known.iter().any(|mode| self.word(mode)) {
                return Err(self.unexpected());
            }
        }
        if self.word("GROUP") {
            query.grouping = Some(self.grouping()?);
        }
        if self.word("ORDER") {
            self.expect_word("BY")?;
            query.order = self.list(Self::order)?;
        }
        if self.word("LIMIT") {
            query.limit = Some(self.number()?);
        }
        if self.word("OFFSET") {
            let offset = self.number()?;
            if offset > MAX_OFFSET {
                let message = format!("Maximum SOQL offset allowed is {MAX_OFFSET}");
                return Err(Refusal::call(400, "NUMBER_OUTSIDE_VALID_RANGE", message));
            }
            query.offset = Some(offset);
        }
        Ok(())
    }

    /// `FOR VIEW`, `FOR REFERENCE` and `UPDATE` only count views. `FOR UPDATE` and `ALL ROWS` are for Apex.
    fn purpose(&mut self) -> Result<(), Refusal> {
        if self.word("FOR") && !self.word("VIEW") && !self.word("REFERENCE") {
            return Err(self.unexpected());
        }
        if self.word("UPDATE") && !self.word("TRACKING") && !self.word("VIEWSTAT") {
            return Err(self.unexpected());
        }
        if self.peek().is_word("ALL") && self.ahead(1).is_word("ROWS") {
            return Err(malformed(self.text, self.peek().at, "ALL ROWS not allowed in this context"));
        }
        Ok(())
    }

    /// `User`, `User u`, `c.Account a`.
    fn source(&mut self) -> Result<Alias, Refusal> {
        let path = self.name()?;
        let explicit = self.word("AS");
        let is_alias = match &self.peek().kind {
            TokenKind::Word(word) => !CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word)),
            _ => false,
        };
        let alias = if explicit || is_alias { Some(self.name()?.text) } else { None };
        Ok(Alias { path, alias })
    }

    pub(crate) fn select_list(&mut self) -> Result<Vec<Select>, Refusal> {
        self.list(Self::select)
    }

    fn select(&mut self) -> Result<Select, Refusal> {
        if is_sign(self.peek(), "(") && self.ahead(1).is_word("SELECT") {
            self.next += 1;
            let query = self.deeper(|parser| parser.query(Place::Children))?;
            self.expect_sign(")")?;
            return Ok(Select::Children(Box::new(query)));
        }
        if self.peek().is_word("TYPEOF") && matches!(self.ahead(1).kind, TokenKind::Word(_)) {
            return self.type_of().map(Select::TypeOf);
        }
        let opens = is_sign(self.ahead(1), "(");
        if opens && self.peek().is_word("COUNT") && is_sign(self.ahead(2), ")") {
            self.next += 3;
            return Ok(Select::Total);
        }
        if opens && self.peek().is_word("FIELDS") {
            self.next += 2;
            let which = self.name()?;
            self.expect_sign(")")?;
            return Ok(Select::Fields(which));
        }
        let value = self.expr()?;
        Ok(Select::Value(value, self.alias()?))
    }

    /// A word between a value and the next comma or `FROM`.
    fn alias(&mut self) -> Result<Option<Name>, Refusal> {
        let TokenKind::Word(_) = self.peek().kind else { return Ok(None) };
        let behind = self.ahead(1);
        if !self.peek().is_word("FROM") && (behind.is_word("FROM") || is_sign(behind, ",")) {
            return self.name().map(Some);
        }
        Ok(None)
    }

    fn type_of(&mut self) -> Result<TypeOf, Refusal> {
        self.expect_word("TYPEOF")?;
        let relation = self.name()?;
        let mut arms = Vec::new();
        while self.word("WHEN") {
            let object = self.name()?;
            self.expect_word("THEN")?;
            arms.push((object, self.list(Self::name)?));
        }
        if arms.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.word("ELSE") { self.list(Self::name)? } else { Vec::new() };
        self.expect_word("END")?;
        Ok(TypeOf { relation, arms, otherwise })
    }

    /// A field, or a field inside functions.
    fn expr(&mut self) -> Result<Expr, Refusal> {
        let at = self.peek().at;
        let mut functions = Vec::new();
        while let (TokenKind::Word(word), true) = (&self.peek().kind, is_sign(self.ahead(1), "(")) {
            let Some(function) = Function::parse(word) else { return Err(self.unexpected()) };
            // An aggregate is never inside anything but FORMAT.
            let inside = functions.last().is_some_and(|outer| *outer != Function::Format);
            if functions.len() > 3 || inside && function.is_aggregate() {
                return Err(self.unexpected());
            }
            functions.push(function);
            self.next += 2;
        }
        let name = self.name()?;
        for _ in &functions {
            self.expect_sign(")")?;
        }
        Ok(Expr { functions, name, at })
    }

    fn grouping(&mut self) -> Result<Grouping, Refusal> {
        self.expect_word("BY")?;
        let opens = is_sign(self.ahead(1), "(");
        let totals = match opens {
            true if self.word("ROLLUP") => Totals::Rollup,
            true if self.word("CUBE") => Totals::Cube,
            _ => Totals::None,
        };
        let keys = if totals == Totals::None {
            self.list(Self::expr)?
        } else {
            self.expect_sign("(")?;
            let keys = self.list(Self::expr)?;
            self.expect_sign(")")?;
            keys
        };
        let having = if self.word("HAVING") { Some(self.condition()?) } else { None };
        Ok(Grouping { totals, keys, having })
    }

    fn order(&mut self) -> Result<Order, Refusal> {
        let value = self.expr()?;
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
        Ok(Order { value, descending, nulls_first })
    }

    /// One condition, or several with one of `AND` and `OR` between them. Beside others, `NOT` needs
    /// parentheres around it, and so do `AND` and `OR` among each other.
    pub(crate) fn condition(&mut self) -> Result<Condition, Refusal> {
        self.deeper(|parser| {
            if parser.word("NOT") {
                return Ok(Condition::Not(Box::new(parser.term()?)));
            }
            let first = parser.term()?;
            let Some(word) = ["AND", "OR"].into_iter().find(|word| parser.peek().is_word(word)) else {
                return Ok(first);
            };
            let mut parts = vec![first];
            while parser.word(word) {
                parts.push(parser.term()?);
            }
            if parser.peek().is_word("AND") || parser.peek().is_word("OR") {
                return Err(parser.unexpected());
            }
            Ok(if word == "AND" { Condition::And(parts) } else { Condition::Or(parts) })
        })
    }

    fn term(&mut self) -> Result<Condition, Refusal> {
        if self.sign("(") {
            let condition = self.condition()?;
            self.expect_sign(")")?;
            return Ok(condition);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, Refusal> {
        let value = self.expr()?;
        if self.word("NOT") {
            self.expect_word("IN")?;
            return self.values(value, true);
        }
        if self.word("IN") {
            return self.values(value, false);
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.word(word) {
                self.expect_sign("(")?;
                let literals = self.list(Self::literal)?;
                self.expect_sign(")")?;
                return Ok(Condition::Includes(value, negated, literals));
            }
        }
        let operator = match &self.peek().kind {
            TokenKind::Sign(sign) => {
                Operator::SIGNS.iter().find(|(known, _)| known == sign).map(|(_, operator)| *operator)
            }
            TokenKind::Word(word) if word.eq_ignore_ascii_case("LIKE") => Some(Operator::Like),
            _ => None,
        };
        let operator = operator.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(Condition::Compare(value, operator, self.literal()?))
    }

    fn values(&mut self, value: Expr, negated: bool) -> Result<Condition, Refusal> {
        self.expect_sign("(")?;
        if self.peek().is_word("SELECT") {
            let query = self.deeper(|parser| parser.query(Place::SemiJoin))?;
            self.expect_sign(")")?;
            return Ok(Condition::SemiJoin(value, negated, Box::new(query)));
        }
        let literals = self.list(Self::literal)?;
        self.expect_sign(")")?;
        Ok(Condition::In(value, negated, literals))
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        let token = self.peek().clone();
        let value = match token.kind {
            TokenKind::Text { plain, .. } if plain.chars().count() > MAX_LITERAL => {
                let reason = format!("string literal is longer than {MAX_LITERAL} characters");
                return Err(malformed(self.text, token.at, &reason));
            }
            TokenKind::Text { plain, pattern } => LiteralValue::Text { plain, pattern },
            TokenKind::Word(word) if word.eq_ignore_ascii_case("null") => LiteralValue::Null,
            TokenKind::Word(word) if word.starts_with(':') => {
                return Err(malformed(self.text, token.at, "Bind variables only allowed in Apex code"));
            }
            TokenKind::Word(mut word) => {
                // `LAST_N_DAYS: 3` may have a blank.
                if let (true, TokenKind::Word(number)) = (word.ends_with(':'), &self.ahead(1).kind) {
                    word.push_str(number);
                    self.next += 1;
                }
                if !is_value(&word) {
                    return Err(malformed(self.text, token.at, &format!("unexpected token: '{word}'")));
                }
                LiteralValue::Bare(word)
            }
            _ => return Err(self.unexpected()),
        };
        self.take();
        Ok(Literal { value })
    }
}

fn is_sign(token: &Token, sign: &str) -> bool {
    matches!(token.kind, TokenKind::Sign(s) if s == sign)
}

/// A boolean, a number with or without a currency, a date, or the name of a date.
fn is_value(word: &str) -> bool {
    let number = |word: &str| {
        word.bytes().any(|b| b.is_ascii_digit()) && word.parse::<f64>().is_ok_and(f64::is_finite)
    };
    let currency = |word: &str| {
        word.is_char_boundary(3) && word.len() > 3 && {
            let (code, rest) = word.split_at(3);
            code.bytes().all(|b| b.is_ascii_alphabetic()) && number(rest)
        }
    };
    let date = word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('-');
    word.eq_ignore_ascii_case("true")
        || word.eq_ignore_ascii_case("false")
        || number(word)
        || currency(word)
        || date
        || dates::is_literal(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    #[test]
    fn and_or_and_not_need_parentheses_between_them() {
        for good in [
            "Id = null",
            "NOT Id = null",
            "NOT (Id = null AND Id = null)",
            "(NOT Id = null) AND Id = null",
            "(Id = null OR Id = null) AND Id = null AND (NOT Id = null)",
        ] {
            assert!(parse(&format!("SELECT Id FROM User WHERE {good}")).is_ok(), "{good}");
        }
        for (bad, token) in [
            ("A = 1 AND B = 2 OR C = 3", "OR"),
            ("A = 1 OR B = 2 AND C = 3", "AND"),
            ("NOT A = 1 AND B = 2", "AND"),
            ("A = 1 AND NOT B = 2", "NOT"),
            ("NOT NOT A = 1", "NOT"),
        ] {
            let message = end_of(&format!("SELECT Id FROM User WHERE {bad}"));
            assert!(message.ends_with(&format!("unexpected token: '{token}'")), "{bad}: {message}");
        }
    }

    #[test]
    fn text_that_is_no_query_is_named_without_a_caret() {
        assert_eq!(end_of("invalid"), "unexpected token: 'invalid'");
        assert_eq!(end_of(" "), "SOQL statements cannot be empty or null");
    }

    #[test]
    fn literals_are_unescaped() {
        let query = parse(r"SELECT Id FROM User WHERE Name = 'a\'\\\n\u00e9\%'").unwrap();
        let Some(Condition::Compare(_, Operator::Equal, literal)) = query.condition else { panic!() };
        let LiteralValue::Text { plain, pattern } = &literal.value else { panic!() };
        assert_eq!(plain, "a'\\\né%");
        assert_eq!(pattern, "a'\\\\\né\\%");
        assert!(parse(r"SELECT Id FROM User WHERE Name = 'a\x'").is_err());
        assert!(parse("SELECT Id FROM User WHERE Name = 'open").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        for text in [
            format!("SELECT Id FROM User WHERE {}", "(".repeat(20_000)),
            format!("SELECT Id FROM User WHERE {} 1", "Id IN (SELECT Id FROM User WHERE ".repeat(2_000)),
            format!("SELECT {} 1", "(SELECT ".repeat(2_000)),
        ] {
            assert_eq!(parse(&text).unwrap_err().code, "QUERY_TOO_COMPLICATED");
        }
    }

    #[test]
    fn offset_has_its_limit() {
        assert_eq!(parse("SELECT Id FROM User OFFSET 2001").unwrap_err().code, "NUMBER_OUTSIDE_VALID_RANGE");
    }

    #[test]
    fn a_printed_query_reads_the_same() {
        for text in [
            "SELECT Id FROM User",
            "select a.Name, toLabel(TimeZoneSidKey) z FROM User u, u.Profile a USING SCOPE mine WHERE (a.Name LIKE 'a\\'\\_%' \
             OR Id NOT IN ('x', null)) AND (NOT Id IN (SELECT UserId FROM UserLogin)) LIMIT 3 OFFSET 4",
            "SELECT COUNT() FROM User WHERE CreatedDate > LAST_N_DAYS: 3",
            "SELECT FIELDS(ALL), (SELECT Id FROM Users ORDER BY Id DESC) FROM Profile LIMIT 200",
            "SELECT TYPEOF Owner WHEN User THEN Id, Name WHEN Group THEN Id ELSE Name END FROM Lead",
            "SELECT CALENDAR_YEAR(convertTimezone(CreatedDate)), FORMAT(MAX(Id)) x FROM User GROUP BY \
             ROLLUP(CALENDAR_YEAR(convertTimezone(CreatedDate))) HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) NULLS LAST",
            "SELECT Id FROM User WHERE Tags__c INCLUDES ('a;b', 'c') AND Tags__c EXCLUDES ('d')",
        ] {
            let printed =
                parse(text).map(|query| query.to_string()).map_err(|refusal| refusal.message).unwrap();
            assert_eq!(parse(&printed).unwrap().to_string(), printed);
        }
    }
}
