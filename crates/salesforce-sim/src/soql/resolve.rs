//! A query against the schema: which object, which fields.

use std::sync::Arc;

use super::{
    ast::{Condition, Expr, LiteralValue, Name, Operator, Order, Query, Select, TypeOf},
    error::{Spot, whole},
    function::Function,
    plan::{Column, Content, Operand, OrderKey, Output, Path, Plan, Relation, Scalar, Test},
    viewer::Viewer,
};
use crate::{
    errors::Refusal,
    org::{Actor, Org},
    schema::{Field, Object},
};

/// How far a path of parents may lead.
const MAX_PARENTS: usize = 5;
/// How deeply sub-queries may be nested: five objects in all since v58.0, which this holds for all.
const MAX_LEVELS: usize = 5;
/// How many rows a query with `FIELDS(ALL)` or `FIELDS(CUSTOM)` may ask for.
const MAX_UNBOUNDED: usize = 200;

/// Where a query is asked, and by whom.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) org: &'a Org,
    pub(crate) text: &'a str,
    pub(crate) actor: Actor,
    /// `queryAll`
    pub(crate) deleted: bool,
}

/// Looks every name up; the first that does not exist is the error.
pub(crate) fn resolve(asked: Asked<'_>, query: &Query) -> Result<Plan, Refusal> {
    let object = queryable(asked, &query.from)?;
    plan(asked, query, object, Viewer::of(asked.org, asked.actor), 1)
}

fn queryable(asked: Asked<'_>, from: &Name) -> Result<Arc<Object>, Refusal> {
    match asked.org.schema.object(&from.text) {
        None => Err(no_such_object(asked.text, from)),
        Some(object) if !object.queryable => {
            let message = format!("entity type {} does not support query", object.name);
            Err(Refusal::call(400, "INVALID_TYPE_FOR_OPERATION", message))
        }
        Some(object) => Ok(Arc::clone(object)),
    }
}

pub(crate) fn no_such_object(text: &str, name: &Name) -> Refusal {
    let reason = format!(
        "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
         '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        name.text
    );
    Spot::new(text, name.at).refusal("INVALID_TYPE", &reason)
}

fn plan(
    asked: Asked<'_>,
    query: &Query,
    object: Arc<Object>,
    viewer: Viewer,
    level: usize,
) -> Result<Plan, Refusal> {
    let aliases =
        query.aliases.iter().filter_map(|source| Some((source.alias.clone()?, source.path.text.clone())));
    let mut resolver = Resolver {
        asked,
        aliases: aliases.collect(),
        from: query.from.text.clone(),
        object,
        relations: Vec::new(),
        viewer,
        level,
    };
    for source in query.aliases.iter().skip(1) {
        resolver.relation(&source.path)?;
    }
    let output = resolver.output(query)?;
    let mut condition = query.condition.as_ref().map(|condition| resolver.where_(condition)).transpose()?;
    if let Some(scope) = &query.scope {
        condition = resolver.scope(scope, condition)?;
    }
    let order = match &output {
        Output::Rows(_) => resolver.order(&query.order)?,
        Output::Total if !query.order.is_empty() => {
            let name = &query.order[0].value;
            return Err(whole(format!("Ordered field must be grouped or aggregated: {name}")));
        }
        Output::Total | Output::Groups(_) => Vec::new(),
    };
    Ok(Plan {
        object: resolver.object,
        relations: resolver.relations,
        output,
        condition,
        order,
        limit: query.limit,
        offset: query.offset.unwrap_or(0),
        bin: asked.deleted.then_some(asked.actor.now),
        viewer: resolver.viewer,
    })
}

pub(super) struct Resolver<'a> {
    pub(super) asked: Asked<'a>,
    aliases: Vec<(String, String)>,
    from: String,
    pub(super) object: Arc<Object>,
    pub(super) relations: Vec<Relation>,
    pub(super) viewer: Viewer,
    level: usize,
}

impl Resolver<'_> {
    pub(super) fn refuse(&self, at: usize, code: &'static str, reason: &str) -> Refusal {
        Spot::new(self.asked.text, at).refusal(code, reason)
    }

    fn output(&mut self, query: &Query) -> Result<Output, Refusal> {
        let is_grouped = |select: &Select| match select {
            Select::Value(value, _) => value.functions.iter().any(|f| f.is_aggregate() || f.is_date()),
            _ => false,
        };
        if let [Select::Total] = query.select.as_slice() {
            return match &query.grouping {
                None => Ok(Output::Total),
                Some(_) => Err(whole("Grouped query cannot use COUNT(); use COUNT(fieldname) instead")),
            };
        }
        if query.select.iter().any(|select| matches!(select, Select::Total)) {
            return Err(self.refuse(query.from.at, "MALFORMED_QUERY", "unexpected token: 'COUNT'"));
        }
        if query.grouping.is_some() || query.select.iter().any(is_grouped) {
            return self.groups(query).map(|groups| Output::Groups(Box::new(groups)));
        }
        let mut columns: Vec<Column> = Vec::new();
        for select in &query.select {
            let more = match select {
                Select::Value(value, alias) => vec![self.column(value, alias.as_ref())?],
                Select::Fields(which) => self.all_fields(which, query)?,
                Select::Children(children) => vec![self.children(children)?],
                Select::TypeOf(type_of) => self.type_of(type_of)?,
                Select::Total => Vec::new(),
            };
            for column in more {
                if let Some(name) = duplicate(&columns, &column) {
                    return Err(Refusal::call(
                        400,
                        "INVALID_FIELD",
                        format!("duplicate field selected: {name}"),
                    ));
                }
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return Err(whole(
                "'FIELDS(...)' expansion function must result in at least one field being selected.",
            ));
        }
        Ok(Output::Rows(columns))
    }

    /// Aliases are for what functions make of a field.
    fn column(&mut self, value: &Expr, alias: Option<&Name>) -> Result<Column, Refusal> {
        let scalar = self.scalar(value)?;
        if let (Some(alias), true) = (alias, scalar.functions.is_empty()) {
            return Err(self.refuse(
                alias.at,
                "MALFORMED_QUERY",
                "only aggregate expressions use field aliasing",
            ));
        }
        let key = alias.map_or_else(|| scalar.path.field().name.clone(), |alias| alias.text.clone());
        Ok(Column { key, content: Content::Value(scalar) })
    }

    pub(super) fn scalar(&mut self, value: &Expr) -> Result<Scalar, Refusal> {
        let path = self.path(&value.name)?;
        if let Some(function) = value.functions.iter().find(|function| !function.takes(path.field())) {
            let field = &path.field().name;
            let reason = if function.is_aggregate() {
                format!("field {field} does not support aggregate operator {}", function.name())
            } else {
                format!("field {field} does not support the function {}", function.name())
            };
            return Err(self.refuse(value.name.at, "INVALID_FIELD", &reason));
        }
        Ok(Scalar { path, functions: value.functions.clone() })
    }

    fn all_fields(&self, which: &Name, query: &Query) -> Result<Vec<Column>, Refusal> {
        let standard = match which.text.to_ascii_lowercase().as_str() {
            "standard" => Some(true),
            "custom" => Some(false),
            "all" => None,
            _ => {
                let reason = format!("unexpected token: '{}'", which.text);
                return Err(self.refuse(which.at, "MALFORMED_QUERY", &reason));
            }
        };
        let few = query.limit.is_some_and(|limit| limit <= MAX_UNBOUNDED as u64)
            || query.condition.as_ref().is_some_and(names_few_ids);
        if standard != Some(true) && !few {
            return Err(whole(format!(
                "The SOQL FIELDS function must have a LIMIT of at most {MAX_UNBOUNDED}"
            )));
        }
        let wanted = |field: &&Field| standard.is_none_or(|standard| field.custom != standard);
        let column = |field: &Field| Column {
            key: field.name.clone(),
            content: Content::Value(Scalar {
                path: Path { relation: None, object: Arc::clone(&self.object), field: field.index },
                functions: Vec::new(),
            }),
        };
        Ok(self.object.visible_fields().filter(wanted).map(column).collect())
    }

    /// `(SELECT Id FROM Contacts)`
    fn children(&mut self, query: &Query) -> Result<Column, Refusal> {
        if self.level >= MAX_LEVELS {
            let reason = format!(
                "SOQL statements cannot query aggregate relationships more than {} levels away from the root \
                 entity object.",
                MAX_LEVELS - 1
            );
            return Err(self.refuse(query.from.at, "MALFORMED_QUERY", &reason));
        }
        let written = self.without_own_name(&query.from.text);
        let Some((object, reference)) = self.asked.org.schema.children(&self.object.name, &written) else {
            let reason = format!(
                "Didn't understand relationship '{written}' in FROM part of query call. If you are attempting to \
                 use a custom relationship, be sure to append the '__r' after the custom relationship name. \
                 Please reference your WSDL or the describe call for the appropriate names."
            );
            return Err(self.refuse(query.from.at, "INVALID_TYPE", &reason));
        };
        let key = reference.child_relationship.clone().unwrap_or_default();
        let plan = plan(self.asked, query, Arc::clone(object), self.viewer.clone(), self.level + 1)?;
        if !matches!(plan.output, Output::Rows(_)) {
            let reason = "Aggregate queries are not supported in a nested query";
            return Err(self.refuse(query.from.at, "MALFORMED_QUERY", reason));
        }
        let reference = reference.index;
        Ok(Column { key, content: Content::Children { plan: Arc::new(plan), reference } })
    }

    fn type_of(&mut self, type_of: &TypeOf) -> Result<Vec<Column>, Refusal> {
        let (before, last) = type_of.relation.text.rsplit_once('.').unwrap_or(("", &type_of.relation.text));
        let at = type_of.relation.at;
        let name = |text: &str| Name { text: text.to_owned(), at };
        let (parent, object) = self.relation(&name(before))?;
        let Some(field) = object.relationship(last).filter(|field| !field.hidden) else {
            return Err(self.no_relation(at, last));
        };
        if field.reference_to.len() < 2 {
            let reason = format!("TYPEOF can only be used with polymorphic relationships, not with '{last}'");
            return Err(self.refuse(at, "MALFORMED_QUERY", &reason));
        }
        let mut columns = Vec::new();
        let mut named = Vec::new();
        for (arm, fields) in &type_of.arms {
            let target = self.asked.org.schema.object(&arm.text);
            let is_target = |target: &&Arc<Object>| field.reference_to.contains(&target.name);
            let Some(target) = target.filter(is_target).map(Arc::clone) else {
                return Err(no_such_object(self.asked.text, arm));
            };
            named.push(Arc::clone(&target));
            let relation = self.push(Relation {
                parent,
                field: field.index,
                name: field.relationship.clone().unwrap_or_default(),
                object: target,
                except: Vec::new(),
                polymorphic: false,
            });
            self.arm(relation, fields, &mut columns)?;
        }
        if !type_of.otherwise.is_empty() {
            let relation = self.push(Relation {
                parent,
                field: field.index,
                name: field.relationship.clone().unwrap_or_default(),
                object: self.any_object(),
                except: named,
                polymorphic: true,
            });
            self.arm(relation, &type_of.otherwise, &mut columns)?;
        }
        Ok(columns)
    }

    fn arm(&mut self, relation: usize, fields: &[Name], columns: &mut Vec<Column>) -> Result<(), Refusal> {
        for field in fields {
            let object = Arc::clone(&self.relations[relation].object);
            let path = self.walk(Some(relation), object, &field.text, field.at)?;
            let key = path.field().name.clone();
            columns.push(Column { key, content: Content::Value(Scalar { path, functions: Vec::new() }) });
        }
        Ok(())
    }

    /// What stands for a record of which only the reference is known.
    fn any_object(&self) -> Arc<Object> {
        Arc::clone(&self.asked.org.table_of("Name").object)
    }

    pub(super) fn path(&mut self, name: &Name) -> Result<Path, Refusal> {
        let object = Arc::clone(&self.object);
        let text = self.without_own_name(&name.text);
        self.walk(None, object, &text, name.at)
    }

    /// The step to which a path of relationships leads, and the object there.
    fn relation(&mut self, name: &Name) -> Result<(Option<usize>, Arc<Object>), Refusal> {
        let text = self.without_own_name(&name.text);
        let mut at = (None, Arc::clone(&self.object));
        for part in text.split('.').filter(|part| !part.is_empty()) {
            at = self.step(at.0, &at.1, part, name.at)?;
        }
        Ok(at)
    }

    /// `u.Name` and `User.Name` in a query of `User u` are `Name`; aliases of parents are their paths.
    fn without_own_name(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // An alias may be made of another; each is used up once.
        for _ in 0..=self.aliases.len() {
            let (first, rest) = text.split_once('.').unwrap_or((&text, ""));
            let alias = self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(first));
            let own = self.from.eq_ignore_ascii_case(first) || self.object.name.eq_ignore_ascii_case(first);
            let path = match alias {
                Some((_, path)) if path.eq_ignore_ascii_case(&self.from) => "",
                Some((_, path)) => path,
                None if own && !rest.is_empty() && self.object.relationship(first).is_none() => "",
                None => break,
            };
            text = if path.is_empty() || rest.is_empty() {
                format!("{path}{rest}")
            } else {
                format!("{path}.{rest}")
            };
        }
        text
    }

    fn walk(
        &mut self,
        from: Option<usize>,
        object: Arc<Object>,
        text: &str,
        place: usize,
    ) -> Result<Path, Refusal> {
        let (steps, last) = text.rsplit_once('.').unwrap_or(("", text));
        let mut at = (from, object);
        for (n, part) in steps.split('.').filter(|part| !part.is_empty()).enumerate() {
            if n == MAX_PARENTS {
                let reason = format!(
                    "SOQL statements cannot query parent relationships more than {MAX_PARENTS} levels away from \
                     the root entity object."
                );
                return Err(self.refuse(place, "MALFORMED_QUERY", &reason));
            }
            at = self.step(at.0, &at.1, part, place)?;
        }
        match at.1.field(last).map(|field| field.index) {
            Some(field) => Ok(Path { relation: at.0, object: at.1, field }),
            None => Err(self.no_column(place, last, &at.1)),
        }
    }

    fn step(
        &mut self,
        parent: Option<usize>,
        object: &Arc<Object>,
        part: &str,
        place: usize,
    ) -> Result<(Option<usize>, Arc<Object>), Refusal> {
        let found = object.relationship(part).filter(|field| !field.hidden);
        let Some(field) = found else { return Err(self.no_relation(place, part)) };
        let known: Vec<_> =
            field.reference_to.iter().filter_map(|name| self.asked.org.schema.object(name)).collect();
        let polymorphic = field.reference_to.len() > 1;
        let target = match known.first() {
            _ if polymorphic => self.any_object(),
            Some(target) => Arc::clone(target),
            None => return Err(self.no_relation(place, part)),
        };
        let relation = self.push(Relation {
            parent,
            field: field.index,
            name: field.relationship.clone().unwrap_or_default(),
            object: Arc::clone(&target),
            except: Vec::new(),
            polymorphic,
        });
        Ok((Some(relation), target))
    }

    /// The number of a relation, which is there only once.
    fn push(&mut self, relation: Relation) -> usize {
        let same = |known: &Relation| {
            known.parent == relation.parent
                && known.field == relation.field
                && known.object.index == relation.object.index
                && known.except.len() == relation.except.len()
        };
        self.relations.iter().position(same).unwrap_or_else(|| {
            self.relations.push(relation);
            self.relations.len() - 1
        })
    }

    fn no_column(&self, place: usize, column: &str, object: &Object) -> Refusal {
        let reason = format!(
            "No such column '{column}' on entity '{}'. If you are attempting to use a custom field, be sure to \
             append the '__c' after the custom field name. Please reference your WSDL or the describe call for \
             the appropriate names.",
            object.name
        );
        self.refuse(place, "INVALID_FIELD", &reason)
    }

    fn no_relation(&self, place: usize, part: &str) -> Refusal {
        let reason = format!(
            "Didn't understand relationship '{part}' in field path. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference \
             your WSDL or the describe call for the appropriate names."
        );
        self.refuse(place, "INVALID_FIELD", &reason)
    }

    fn order(&mut self, order: &[Order]) -> Result<Vec<OrderKey>, Refusal> {
        let mut keys = Vec::new();
        for order in order {
            if order.value.functions.iter().any(|f| *f != Function::ToLabel && *f != Function::Format) {
                return Err(whole(format!("Ordered field must be grouped or aggregated: {}", order.value)));
            }
            let scalar = self.scalar(&order.value)?;
            let field = scalar.path.field();
            if !field.is_sortable() {
                let reason = format!("field '{}' can not be sorted in a query call", field.name);
                return Err(self.refuse(order.value.name.at, "INVALID_FIELD", &reason));
            }
            keys.push(OrderKey {
                operand: Operand::Scalar(scalar),
                descending: order.descending,
                nulls_first: order.nulls_first,
            });
        }
        Ok(keys)
    }

    /// `USING SCOPE mine`; who sees everything has no other scopes here.
    fn scope(&mut self, scope: &Name, condition: Option<Test>) -> Result<Option<Test>, Refusal> {
        if scope.text.eq_ignore_ascii_case("everything") {
            return Ok(condition);
        }
        let owner = self.object.field("OwnerId").map(|field| field.index);
        let (Some(field), true) = (owner, scope.text.eq_ignore_ascii_case("mine")) else {
            let reason = format!("Invalid scope: {}", scope.text);
            return Err(self.refuse(scope.at, "MALFORMED_QUERY", &reason));
        };
        let path = Path { relation: None, object: Arc::clone(&self.object), field };
        let operand = Operand::Scalar(Scalar { path, functions: Vec::new() });
        let own = Test::Member(operand, false, [self.asked.actor.user].into());
        Ok(Some(match condition {
            None => own,
            Some(condition) => Test::And(vec![own, condition]),
        }))
    }
}

/// The path of a column that is selected already.
fn duplicate(columns: &[Column], new: &Column) -> Option<String> {
    let same = |known: &&Column| match (&known.content, &new.content) {
        (Content::Value(known_value), Content::Value(value)) => {
            known.key.eq_ignore_ascii_case(&new.key) && known_value.path.relation == value.path.relation
        }
        (Content::Children { .. }, Content::Children { .. }) => known.key == new.key,
        _ => false,
    };
    columns.iter().find(same).map(|column| column.key.clone())
}

/// `Id IN (up to 200 ids)`, or as many `Id = '...'` joined by `OR`.
fn names_few_ids(condition: &Condition) -> bool {
    fn ids(condition: &Condition) -> Option<usize> {
        let is_id = |value: &Expr| value.functions.is_empty() && value.name.text.eq_ignore_ascii_case("Id");
        match condition {
            Condition::In(value, false, literals) if is_id(value) => Some(literals.len()),
            Condition::Compare(value, Operator::Equal, literal) if is_id(value) => {
                matches!(literal.value, LiteralValue::Text { .. }).then_some(1)
            }
            Condition::Or(parts) => parts.iter().map(ids).sum(),
            Condition::And(parts) => parts.iter().filter_map(ids).min(),
            _ => None,
        }
    }
    ids(condition).is_some_and(|count| count <= MAX_UNBOUNDED)
}
