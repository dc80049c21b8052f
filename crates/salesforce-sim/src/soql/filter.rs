//! `WHERE` and `HAVING`: conditions to tests, literals to values of their field's type.

use std::{collections::HashSet, sync::Arc};

use super::{
    ast::{Condition, Expr, Literal, LiteralValue, Operator, Query},
    dates,
    error::whole,
    eval,
    plan::{Content, List, Operand, Output, Path, Scalar, Test, Wanted},
    resolve::{Resolver, resolve},
};
use crate::{
    cell::{Cell, fold, parse_datetime},
    errors::Refusal,
    ids::Id,
    schema::{Field, Kind, Object},
};

/// How many semi-joins and anti-joins one `WHERE` may have.
const MAX_SEMI_JOINS: usize = 2;

/// Where a condition stands: semi-joins are particular about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Or,
    Nested,
}

impl Resolver<'_> {
    pub(super) fn where_(&mut self, condition: &Condition) -> Result<Test, Refusal> {
        if semi_joins(condition) > MAX_SEMI_JOINS {
            return Err(whole(format!("Maximum {MAX_SEMI_JOINS} semi join sub-selects are allowed")));
        }
        self.test(condition, Level::Top, &mut |resolver, value| {
            if let Some(function) = value.functions.iter().find(|function| function.is_aggregate()) {
                let reason = format!("unexpected token: '{}'", function.name());
                return Err(resolver.refuse(value.at, "MALFORMED_QUERY", &reason));
            }
            let scalar = resolver.scalar(value)?;
            if !scalar.path.field().filterable {
                let reason =
                    format!("field '{}' can not be filtered in a query call", scalar.path.field().name);
                return Err(resolver.refuse(value.name.at, "INVALID_FIELD", &reason));
            }
            let typed = Typed::of(&scalar);
            Ok((Operand::Scalar(scalar), typed))
        })
    }

    pub(super) fn having(
        &mut self,
        condition: &Condition,
        operand: &mut Operands<'_>,
    ) -> Result<Test, Refusal> {
        if semi_joins(condition) > 0 {
            return Err(whole("Semi join sub-selects are not allowed in HAVING expressions"));
        }
        let mut operand = |resolver: &mut Resolver<'_>, value: &Expr| operand(resolver, value);
        self.test(condition, Level::Top, &mut operand)
    }

    fn test(
        &mut self,
        condition: &Condition,
        level: Level,
        operand: &mut Operands<'_>,
    ) -> Result<Test, Refusal> {
        let below = |own| if level == Level::Top { own } else { Level::Nested };
        Ok(match condition {
            Condition::And(parts) => {
                // A single term of the top level stands at the top level too.
                let inner = |part: &Condition| match part {
                    Condition::And(_) | Condition::Or(_) | Condition::Not(_) => Level::Nested,
                    _ => level,
                };
                let parts = parts.iter().map(|part| self.test(part, inner(part), operand));
                Test::And(parts.collect::<Result<_, _>>()?)
            }
            Condition::Or(parts) => {
                let parts = parts.iter().map(|part| self.test(part, below(Level::Or), operand));
                Test::Or(parts.collect::<Result<_, _>>()?)
            }
            Condition::Not(part) => Test::Not(Box::new(self.test(part, Level::Nested, operand)?)),
            Condition::Compare(value, operator, literal) => {
                let (operand, typed) = operand(self, value)?;
                self.check_operator(&typed, *operator, value)?;
                let wanted = self.wanted(&typed, *operator, literal, value)?;
                Test::Compare(operand, *operator, wanted)
            }
            Condition::In(value, negated, literals) => {
                let (operand, typed) = operand(self, value)?;
                let mut list =
                    List { keys: HashSet::new(), cells: Vec::new(), null: false, ranges: Vec::new() };
                for literal in literals {
                    match self.wanted(&typed, Operator::Equal, literal, value)? {
                        Wanted::Cell(Cell::Null) => list.null = true,
                        Wanted::Cell(cell) => {
                            list.keys.extend(cell.key(typed.case_sensitive));
                            list.cells.push(cell);
                        }
                        range => list.ranges.push(range),
                    }
                }
                Test::In(operand, *negated, list)
            }
            Condition::SemiJoin(value, negated, query) => {
                match level {
                    Level::Top => {}
                    Level::Or => {
                        return Err(whole("Semi join sub-selects are not allowed with the 'OR' operator"));
                    }
                    Level::Nested => {
                        return Err(whole(
                            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in \
                             nested WHERE expressions.",
                        ));
                    }
                }
                let (operand, _) = operand(self, value)?;
                let ids = self.semi_join(value, &operand, query)?;
                Test::Member(operand, *negated, ids)
            }
            Condition::Includes(value, negated, literals) => {
                let (operand, typed) = operand(self, value)?;
                if typed.kind_name != "multipicklist" {
                    return Err(self.invalid_operator(&typed, value));
                }
                let mut sets = Vec::new();
                for literal in literals {
                    let LiteralValue::Text { plain, .. } = &literal.value else {
                        return Err(self.wrong_type(&typed, value));
                    };
                    sets.push(plain.split(';').map(|chosen| fold(chosen.trim())).collect());
                }
                Test::Includes(operand, *negated, sets)
            }
        })
    }

    /// `Id IN (SELECT UserId FROM UserLogin WHERE IsFrozen = true)`: both sides name the same object.
    fn semi_join(&self, value: &Expr, operand: &Operand, query: &Query) -> Result<HashSet<Id>, Refusal> {
        let malformed = |reason: String| Err(self.refuse(value.name.at, "MALFORMED_QUERY", &reason));
        if query.condition.as_ref().is_some_and(|condition| semi_joins(condition) > 0) {
            return Err(whole("Nesting of semi join sub-selects is not supported"));
        }
        let Some(outer) = operand.plain().filter(|path| path.field().kind.is_id()) else {
            return malformed(format!(
                "The left operand field in the where expression for outer query should be an id field, cannot use: \
                 '{}'",
                value.name.text
            ));
        };
        let plan = resolve(self.asked, query)?;
        let column = match &plan.output {
            Output::Rows(columns) => match columns.as_slice() {
                [column] => Some(column),
                _ => None,
            },
            _ => None,
        };
        let Some(Content::Value(inner)) = column.map(|column| &column.content) else {
            return malformed("The inner select of a semi join must have exactly one field".to_owned());
        };
        if inner.path.relation.is_some_and(|relation| plan.relations[relation].parent.is_some()) {
            return malformed(
                "inner select field cannot have more than one level of relationships".to_owned(),
            );
        }
        if plan.object.index == self.object.index {
            return malformed("The inner and outer selects should not be on the same object type".to_owned());
        }
        let meet = |a: &[String], b: &[String]| a.iter().any(|name| b.contains(name));
        if !meet(&targets(outer), &targets(&inner.path)) {
            return malformed(format!(
                "The selected field '{}' in the subquery and the left operand field in the where expression in \
                 the outer query '{}' should point to the same object type",
                inner.path.field().name,
                value.name.text
            ));
        }
        let ids = eval::matches(self.asked.org, &plan);
        let rows = ids.iter().filter_map(|slot| self.asked.org.table(&plan.object).row_or_binned(*slot));
        Ok(rows.filter_map(|row| eval::cell(self.asked.org, &plan, &inner.path, row).as_id()).collect())
    }

    fn check_operator(&self, typed: &Typed, operator: Operator, value: &Expr) -> Result<(), Refusal> {
        let multi = typed.kind_name == "multipicklist";
        let fits = match operator {
            Operator::Like => typed.kind.is_text() && !multi,
            operator if operator.is_ordering() => typed.kind != Kind::Boolean && !multi,
            _ => true,
        };
        if fits { Ok(()) } else { Err(self.invalid_operator(typed, value)) }
    }

    fn invalid_operator(&self, typed: &Typed, value: &Expr) -> Refusal {
        let reason = format!("invalid operator on {} field", typed.kind_name);
        self.refuse(value.at, "INVALID_QUERY_FILTER_OPERATOR", &reason)
    }

    fn wrong_type(&self, typed: &Typed, value: &Expr) -> Refusal {
        let (kind, quotes) = match typed.kind {
            Kind::Boolean => ("boolean", "not "),
            Kind::Int => ("int", "not "),
            Kind::Double => ("double", "not "),
            Kind::Date => ("date", "not "),
            Kind::DateTime => ("dateTime", "not "),
            kind if kind.is_id() => ("ID", ""),
            _ => ("string", ""),
        };
        let reason = format!(
            "value of filter criterion for field '{}' must be of type {kind} and should {quotes}be enclosed in quotes",
            typed.name
        );
        self.refuse(value.at, "INVALID_FIELD", &reason)
    }

    fn wanted(
        &self,
        typed: &Typed,
        operator: Operator,
        literal: &Literal,
        value: &Expr,
    ) -> Result<Wanted, Refusal> {
        let wrong = || self.wrong_type(typed, value);
        let bare = match &literal.value {
            LiteralValue::Null => return Ok(Wanted::Cell(Cell::Null)),
            LiteralValue::Text { pattern, .. } if operator == Operator::Like => {
                return Ok(Wanted::Pattern(fold(pattern)));
            }
            LiteralValue::Text { plain, .. } if typed.kind.is_text() => {
                let plain = plain.trim_end();
                return Ok(Wanted::Cell(match plain {
                    "" => Cell::Null,
                    plain if typed.case_sensitive => Cell::text(plain),
                    plain => Cell::text(&fold(plain)),
                }));
            }
            LiteralValue::Text { plain, .. } if typed.kind.is_id() => {
                if plain.is_empty() {
                    return Ok(Wanted::Cell(Cell::Null));
                }
                return Id::parse(plain).map(|id| Wanted::Cell(Cell::Id(id))).ok_or_else(|| {
                    let reason = format!("invalid ID field: {plain}");
                    self.refuse(value.at, "INVALID_QUERY_FILTER_OPERATOR", &reason)
                });
            }
            LiteralValue::Text { .. } => return Err(wrong()),
            LiteralValue::Bare(text) => text,
        };
        let cell = match typed.kind {
            Kind::Boolean => match bare.to_ascii_lowercase().as_str() {
                "true" => Some(Cell::Bool(true)),
                "false" => Some(Cell::Bool(false)),
                _ => None,
            },
            Kind::Int | Kind::Double => number(bare),
            Kind::DateTime => match parse_datetime(bare) {
                Some(millis) => Some(Cell::Time(millis)),
                None => return self.dates(typed.kind, bare).ok_or_else(wrong),
            },
            Kind::Date => match bare.parse() {
                Ok(date) if bare.len() == 10 => Some(Cell::Date(date)),
                _ => return self.dates(typed.kind, bare).ok_or_else(wrong),
            },
            _ => None,
        };
        cell.map(Wanted::Cell).ok_or_else(wrong)
    }

    /// Days begin at midnight where the running user is.
    fn dates(&self, kind: Kind, text: &str) -> Option<Wanted> {
        let (from, to) = dates::range(text, &self.viewer)?;
        if kind == Kind::Date {
            return Some(Wanted::Days(from, to));
        }
        Some(Wanted::Times(self.viewer.midnight(from)?, self.viewer.midnight(to)?))
    }
}

/// What a name in a condition stands for.
pub(super) type Operands<'a> = dyn FnMut(&mut Resolver<'_>, &Expr) -> Result<(Operand, Typed), Refusal> + 'a;

/// What literals are held against.
#[derive(Clone)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) kind_name: String,
    pub(super) case_sensitive: bool,
}

impl Typed {
    pub(super) fn of(scalar: &Scalar) -> Self {
        let field: &Field = scalar.path.field();
        let kind = scalar.kind();
        let kind_name = if kind == field.kind { field.kind_name.clone() } else { kind.name().to_owned() };
        Self { name: field.name.clone(), kind, kind_name, case_sensitive: field.case_sensitive }
    }
}

/// The objects to which a field points.
fn targets(path: &Path) -> Vec<String> {
    let object: &Arc<Object> = &path.object;
    match path.field().kind {
        Kind::Id => vec![object.name.clone()],
        Kind::Reference => path.field().reference_to.clone(),
        _ => Vec::new(),
    }
}

fn semi_joins(condition: &Condition) -> usize {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().map(semi_joins).sum(),
        Condition::Not(part) => semi_joins(part),
        Condition::SemiJoin(..) => 1,
        Condition::Compare(..) | Condition::In(..) | Condition::Includes(..) => 0,
    }
}

/// `12`, `1.5`, `USD5000`: the currency of an org with one is its own.
fn number(text: &str) -> Option<Cell> {
    let code = text.get(..3).is_some_and(|code| code.bytes().all(|b| b.is_ascii_alphabetic()));
    let text = if code { &text[3..] } else { text };
    let is_number = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(n) => Some(Cell::Int(n)),
        Err(_) => text.parse::<f64>().ok().filter(|_| is_number(text)).map(Cell::Double),
    }
}
