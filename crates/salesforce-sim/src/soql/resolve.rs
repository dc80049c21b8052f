//! A query against the schema: names to fields, literals to values, dates to instants.

use std::{collections::HashSet, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    dates,
    error::Spot,
    eval,
    parse::{Condition, Literal, LiteralValue, Name, Operator, Query, Select},
};
use crate::{
    cell::{Cell, parse_datetime},
    errors::Refusal,
    ids::Id,
    org::{Actor, Org},
    schema::{Field, Kind, Object},
};

/// A query that can be run.
pub(crate) struct Plan {
    pub(super) object: Arc<Object>,
    pub(super) relations: Vec<Relation>,
    pub(super) output: Output,
    pub(super) condition: Option<Test>,
    pub(super) order: Vec<OrderKey>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

/// A step from a record to the one it refers to: `Profile` in `Profile.UserLicense.Name`.
pub(super) struct Relation {
    /// The step before this one; `None` from the queried record itself.
    pub(super) parent: Option<usize>,
    pub(super) field: usize,
    pub(super) name: String,
    pub(super) object: Arc<Object>,
}

/// A field of the queried record or of one behind a relation.
pub(super) struct Path {
    pub(super) relation: Option<usize>,
    pub(super) object: Arc<Object>,
    pub(super) field: usize,
}

impl Path {
    pub(super) fn field(&self) -> &Field {
        &self.object.fields[self.field]
    }
}

pub(super) enum Output {
    Rows(Vec<Column>),
    /// `COUNT()`
    Total,
    /// `COUNT(Field)`: one row for each asked count.
    Counts(Vec<(String, Path)>),
}

pub(super) struct Column {
    pub(super) path: Path,
    /// `toLabel`: the picklist label in place of the value.
    pub(super) label: bool,
    pub(super) name: String,
}

pub(super) struct OrderKey {
    pub(super) path: Path,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

pub(super) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Compare(Path, Operator, Wanted),
    In(Path, bool, Vec<Wanted>),
    Member(Path, bool, HashSet<Id>),
}

/// What a field is compared with.
#[derive(Clone)]
pub(super) enum Wanted {
    Cell(Cell),
    /// From the first to before the second, in milliseconds.
    Times(i64, i64),
    Days(jiff::civil::Date, jiff::civil::Date),
    /// A folded `LIKE` pattern.
    Pattern(String),
}

struct Resolver<'a> {
    org: &'a Org,
    text: &'a str,
    actor: Actor,
    object: Arc<Object>,
    relations: Vec<Relation>,
}

/// Looks every name up; the first that does not exist is the error.
pub(super) fn resolve(org: &Org, text: &str, query: &Query, actor: Actor) -> Result<Plan, Refusal> {
    let Some(object) = org.schema.object(&query.object.text).filter(|object| object.queryable) else {
        let name = &query.object.text;
        let reason = format!(
            "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to \
             append the '__c' after the entity name. Please reference your WSDL or the describe call for the \
             appropriate names."
        );
        return Err(Spot::new(text, query.object.at, "").refusal("INVALID_TYPE", &reason));
    };
    let mut resolver = Resolver { org, text, actor, object: Arc::clone(object), relations: Vec::new() };
    let output = resolver.output(query)?;
    let condition = query.condition.as_ref().map(|condition| resolver.test(condition)).transpose()?;
    let order = query.order.iter().map(|order| {
        let path = resolver.path(&order.field)?;
        Ok(OrderKey { path, descending: order.descending, nulls_first: order.nulls_first })
    });
    let order = order.collect::<Result<_, Refusal>>()?;
    Ok(Plan {
        object: resolver.object,
        relations: resolver.relations,
        output,
        condition,
        order,
        limit: query.limit,
        offset: query.offset,
    })
}

impl Resolver<'_> {
    fn output(&mut self, query: &Query) -> Result<Output, Refusal> {
        if let [Select::Rows] = query.select.as_slice() {
            return Ok(Output::Total);
        }
        let (mut columns, mut counts) = (Vec::new(), Vec::new());
        for select in &query.select {
            match select {
                Select::Field(name) => columns.push(self.column(name, None, false)?),
                Select::Label(name, alias) => columns.push(self.column(name, alias.clone(), true)?),
                Select::Count(name, alias) => {
                    let alias = alias.clone().unwrap_or_else(|| format!("expr{}", counts.len()));
                    counts.push((alias, self.path(name)?));
                }
                Select::Fields(which) => columns.extend(self.all_fields(which, query)?),
                Select::Rows => return Err(self.malformed(query.object.at, "unexpected token: 'COUNT'")),
            }
        }
        match (columns.is_empty(), counts.is_empty()) {
            (false, true) => Ok(Output::Rows(columns)),
            (true, _) => Ok(Output::Counts(counts)),
            (false, false) => {
                let reason = "Field must be grouped or aggregated";
                Err(Spot::new(self.text, query.object.at, "").refusal("MALFORMED_QUERY", reason))
            }
        }
    }

    fn malformed(&self, at: usize, reason: &str) -> Refusal {
        Spot::new(self.text, at, "").refusal("MALFORMED_QUERY", reason)
    }

    fn column(&mut self, name: &Name, alias: Option<String>, label: bool) -> Result<Column, Refusal> {
        let path = self.path(name)?;
        let name = alias.unwrap_or_else(|| path.field().name.clone());
        Ok(Column { path, label, name })
    }

    fn all_fields(&self, which: &Name, query: &Query) -> Result<Vec<Column>, Refusal> {
        let standard = match which.text.to_ascii_lowercase().as_str() {
            "standard" => Some(true),
            "custom" => Some(false),
            "all" => None,
            other => return Err(self.malformed(which.at, &format!("unexpected token: '{other}'"))),
        };
        if standard != Some(true) && query.limit.is_none_or(|limit| limit > 200) {
            let reason = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(Refusal::call(400, "MALFORMED_QUERY", reason));
        }
        let wanted = |field: &&Field| standard.is_none_or(|standard| field.custom != standard);
        let column = |field: &Field| Column {
            path: Path { relation: None, object: Arc::clone(&self.object), field: field.index },
            label: false,
            name: field.name.clone(),
        };
        Ok(self.object.visible_fields().filter(wanted).map(column).collect())
    }

    fn path(&mut self, name: &Name) -> Result<Path, Refusal> {
        let mut object = Arc::clone(&self.object);
        let mut relation = None;
        let mut parts: Vec<&str> = name.text.split('.').collect();
        // `User.Name` in a query of User: the object's own name is no relation.
        if parts.len() > 1
            && parts[0].eq_ignore_ascii_case(&object.name)
            && object.relationship(parts[0]).is_none()
        {
            parts.remove(0);
        }
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let target = object.relationship(part).and_then(|field| {
                let target = field.reference_to.first().and_then(|target| self.org.schema.object(target))?;
                Some((field.index, field.relationship.clone().unwrap_or_default(), Arc::clone(target)))
            });
            let Some((field, relation_name, target)) = target else {
                return Err(self.no_relation(name, part, &object));
            };
            let parent = relation;
            let known = self.relations.iter().position(|r| r.parent == parent && r.field == field);
            relation = Some(known.unwrap_or_else(|| {
                let object = Arc::clone(&target);
                self.relations.push(Relation { parent, field, name: relation_name, object });
                self.relations.len() - 1
            }));
            object = target;
        }
        match object.field(last).map(|field| field.index) {
            Some(field) => Ok(Path { relation, object, field }),
            None => Err(self.no_column(name, last, &object)),
        }
    }

    fn no_column(&self, name: &Name, column: &str, object: &Object) -> Refusal {
        let reason = format!(
            "No such column '{column}' on entity '{}'. If you are attempting to use a custom field, be sure to \
             append the '__c' after the custom field name. Please reference your WSDL or the describe call for \
             the appropriate names.",
            object.name
        );
        Spot::new(self.text, name.at, "").refusal("INVALID_FIELD", &reason)
    }

    fn no_relation(&self, name: &Name, part: &str, object: &Object) -> Refusal {
        let reason = format!(
            "Didn't understand relationship '{part}' in field path. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference \
             your WSDL or the describe call for the appropriate names. (entity '{}')",
            object.name
        );
        Spot::new(self.text, name.at, "").refusal("INVALID_FIELD", &reason)
    }

    fn test(&mut self, condition: &Condition) -> Result<Test, Refusal> {
        Ok(match condition {
            Condition::And(parts) => Test::And(self.tests(parts)?),
            Condition::Or(parts) => Test::Or(self.tests(parts)?),
            Condition::Not(part) => Test::Not(Box::new(self.test(part)?)),
            Condition::Compare(name, operator, literal) => {
                let path = self.filterable(name)?;
                let wanted = self.wanted(&path, *operator, literal)?;
                Test::Compare(path, *operator, wanted)
            }
            Condition::In(name, negated, literals) => {
                let path = self.filterable(name)?;
                let wanted = literals.iter().map(|literal| self.wanted(&path, Operator::Equal, literal));
                let wanted = wanted.collect::<Result<_, _>>()?;
                Test::In(path, *negated, wanted)
            }
            Condition::SemiJoin(name, negated, query) => {
                let path = self.filterable(name)?;
                let ids = self.semi_join(name, &path, query)?;
                Test::Member(path, *negated, ids)
            }
        })
    }

    fn tests(&mut self, parts: &[Condition]) -> Result<Vec<Test>, Refusal> {
        parts.iter().map(|part| self.test(part)).collect()
    }

    fn filterable(&mut self, name: &Name) -> Result<Path, Refusal> {
        let path = self.path(name)?;
        if path.field().filterable {
            return Ok(path);
        }
        let reason = format!("field '{}' can not be filtered in a query call", path.field().name);
        Err(Spot::new(self.text, name.at, "").refusal("INVALID_FIELD", &reason))
    }

    /// `Id IN (SELECT UserId FROM UserLogin WHERE IsFrozen = true)`: both sides name the same object.
    fn semi_join(&self, name: &Name, path: &Path, query: &Query) -> Result<HashSet<Id>, Refusal> {
        let plan = resolve(self.org, self.text, query, self.actor)?;
        let target = |object: &Object, field: &Field| match field.kind {
            Kind::Id => Some(object.name.clone()),
            Kind::Reference => field.reference_to.first().cloned(),
            _ => None,
        };
        let Output::Rows(columns) = &plan.output else {
            return Err(self.malformed(query.object.at, "an inner select needs one field"));
        };
        let [column] = columns.as_slice() else {
            return Err(self.malformed(query.object.at, "an inner select needs one field"));
        };
        let inner = target(&column.path.object, column.path.field());
        if inner.is_none() || inner != target(&path.object, path.field()) {
            let message = format!(
                "The selected field '{}' in the subquery and the left operand field in the where expression in \
                 the outer query '{}' should point to the same object type",
                column.path.field().name,
                name.text
            );
            return Err(self.malformed(name.at, &message));
        }
        let table = self.org.table(&plan.object);
        let rows = eval::matches(self.org, &plan).into_iter().filter_map(|slot| table.row(slot));
        Ok(rows.filter_map(|row| eval::cell(self.org, &plan, &column.path, row).as_id()).collect())
    }

    fn wanted(&self, path: &Path, operator: Operator, literal: &Literal) -> Result<Wanted, Refusal> {
        let field = path.field();
        let wrong = |kind: &str, quotes: &str| {
            let reason = format!(
                "value of filter criterion for field '{}' must be of type {kind} and should {quotes}be enclosed \
                 in quotes",
                field.name
            );
            Err(Spot::new(self.text, literal.at, "").refusal("INVALID_FIELD", &reason))
        };
        let operator_error = |kind: &str| {
            let reason = format!("invalid operator on {kind} field");
            Err(Spot::new(self.text, literal.at, "").refusal("INVALID_QUERY_FILTER_OPERATOR", &reason))
        };
        if operator == Operator::Like && !field.kind.is_text() {
            return operator_error(&field.kind_name);
        }
        let bare = match &literal.value {
            LiteralValue::Null => return Ok(Wanted::Cell(Cell::Null)),
            LiteralValue::Text { pattern, .. } if operator == Operator::Like => {
                return Ok(Wanted::Pattern(crate::cell::fold(pattern)));
            }
            LiteralValue::Text { plain, .. } if field.kind.is_text() => {
                let plain = plain.trim_end();
                return Ok(Wanted::Cell(if plain.is_empty() { Cell::Null } else { Cell::text(plain) }));
            }
            LiteralValue::Text { plain, .. } if field.kind.is_id() => {
                if plain.is_empty() {
                    return Ok(Wanted::Cell(Cell::Null));
                }
                return Id::parse(plain).map(|id| Wanted::Cell(Cell::Id(id))).ok_or_else(|| {
                    let reason = format!("invalid ID field: {plain}");
                    Spot::new(self.text, literal.at, "").refusal("INVALID_QUERY_FILTER_OPERATOR", &reason)
                });
            }
            LiteralValue::Text { .. } => return wrong(bare_kind(field.kind), "not "),
            LiteralValue::Bare(text) => text,
        };
        let cell = match field.kind {
            Kind::Boolean => match bare.to_ascii_lowercase().as_str() {
                "true" => Some(Cell::Bool(true)),
                "false" => Some(Cell::Bool(false)),
                _ => None,
            },
            Kind::Int => bare.parse().ok().map(Cell::Int),
            Kind::Double => bare.parse().ok().map(Cell::Double),
            Kind::DateTime => match parse_datetime(bare) {
                Some(millis) => Some(Cell::Time(millis)),
                None => {
                    return self.date_literal(field.kind, bare).map_or_else(|| wrong("dateTime", "not "), Ok);
                }
            },
            Kind::Date => match bare.parse() {
                Ok(date) => Some(Cell::Date(date)),
                Err(_) => {
                    return self.date_literal(field.kind, bare).map_or_else(|| wrong("date", "not "), Ok);
                }
            },
            kind if kind.is_id() => return wrong("ID", ""),
            _ => return wrong("string", ""),
        };
        cell.map_or_else(|| wrong(bare_kind(field.kind), "not "), |cell| Ok(Wanted::Cell(cell)))
    }

    /// Days begin at midnight where the running user is.
    fn date_literal(&self, kind: Kind, text: &str) -> Option<Wanted> {
        let users = self.org.table_of("User");
        let user = users.get(self.actor.user);
        let zone = user.and_then(|user| user.get(self.org.user_fields.time_zone).as_text());
        let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let now = jiff::Timestamp::from_millisecond(self.actor.now).ok()?.to_zoned(zone.clone());
        let (from, to) = dates::range(text, now.date())?;
        if kind == Kind::Date {
            return Some(Wanted::Days(from, to));
        }
        let start =
            |date: jiff::civil::Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
        Some(Wanted::Times(start(from)?, start(to)?))
    }
}

fn bare_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Double => "double",
        Kind::Date => "date",
        Kind::DateTime => "dateTime",
        Kind::Address => "address",
        _ => "string",
    }
}
