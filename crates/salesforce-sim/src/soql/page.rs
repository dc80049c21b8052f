//! One page of an answer: taken from the tables while the org is locked, written as JSON when it is not.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use super::{
    cursors,
    cursors::Cursor,
    eval,
    plan::{Column, Content, Groups, Output, Plan},
};
use crate::{
    cell::{Cell, Row},
    ids::Id,
    org::{Actor, Org},
    records,
    schema::{Kind, Object},
    table::Slot,
};

/// How many rows a page has when nobody asks for another number.
pub(crate) const PAGE: usize = 2_000;

pub(crate) struct Page {
    pub(super) plan: Arc<Plan>,
    pub(super) rows: Rows,
    pub(super) total: usize,
    /// The locator of the next page.
    pub(super) next: Option<String>,
    /// Asked of the Tooling API, which has some keys more.
    pub(crate) tooling: bool,
}

pub(super) enum Rows {
    Found(Vec<Found>),
    /// The cells of each group.
    Groups(Vec<Vec<Cell>>),
}

/// A row, the record behind each relation of the query, and the children of each sub-query.
pub(super) struct Found {
    row: Arc<Row>,
    parents: Vec<Option<(Arc<Object>, Arc<Row>)>>,
    children: Vec<Page>,
}

/// How pages are cut.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) page: usize,
    pub(crate) actor: Actor,
}

/// The first page of these rows, and a cursor for the others.
pub(super) fn first(org: &Org, plan: Arc<Plan>, slots: Vec<Slot>, cut: Cut) -> Page {
    let total = slots.len();
    let rows = Rows::Found(take(org, &plan, &slots[..total.min(cut.page)], cut));
    let next = (total > cut.page).then(|| {
        let cursor = Cursor::new(Arc::clone(&plan), slots, cut.page, cut.actor);
        let mut cursors = org.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        format!("{}-{}", cursors.open(org, cursor), cut.page)
    });
    Page { plan, rows, total, next, tooling: false }
}

/// The page of a cursor from a row on; `None` if there is no such row.
pub(super) fn later(org: &Org, id: Id, cursor: &cursors::Cursor, from: usize, actor: Actor) -> Option<Page> {
    let total = cursor.slots.len();
    if from >= total {
        return None;
    }
    let to = total.min(from + cursor.page);
    let cut = Cut { page: cursor.page, actor };
    let rows = Rows::Found(take(org, &cursor.plan, &cursor.slots[from..to], cut));
    let next = (to < total).then(|| format!("{id}-{to}"));
    Some(Page { plan: Arc::clone(&cursor.plan), rows, total, next, tooling: false })
}

fn take(org: &Org, plan: &Plan, slots: &[Slot], cut: Cut) -> Vec<Found> {
    let table = org.table(&plan.object);
    let row = |slot: &Slot| if plan.bin.is_some() { table.row_or_binned(*slot) } else { table.row(*slot) };
    let rows: Vec<&Arc<Row>> = slots.iter().filter_map(row).collect();
    let mut children: Vec<Families> = match &plan.output {
        Output::Rows(columns) => {
            columns.iter().filter_map(|column| Families::of(org, column, &rows)).collect()
        }
        Output::Total | Output::Groups(_) => Vec::new(),
    };
    let parents = |row: &Row| {
        (0..plan.relations.len())
            .map(|relation| eval::related(org, plan, relation, row))
            .map(|record| record.map(|(object, row)| (Arc::clone(object), Arc::clone(row))))
            .collect()
    };
    rows.into_iter()
        .map(|row| Found {
            row: Arc::clone(row),
            parents: parents(row),
            children: children.iter_mut().map(|families| families.page(org, row, cut)).collect(),
        })
        .collect()
}

/// The children of a page's rows. Without an index they are looked for once, not once for each parent.
struct Families<'a> {
    plan: &'a Arc<Plan>,
    reference: usize,
    known: Option<HashMap<Id, Vec<Slot>>>,
}

impl<'a> Families<'a> {
    fn of(org: &Org, column: &'a Column, parents: &[&Arc<Row>]) -> Option<Self> {
        let Content::Children { plan, reference } = &column.content else { return None };
        let table = org.table(&plan.object);
        if table.is_indexed(*reference) || plan.bin.is_some() {
            return Some(Self { plan, reference: *reference, known: None });
        }
        let wanted: HashSet<Id> = parents.iter().filter_map(|row| row.get(0).as_id()).collect();
        let mut known: HashMap<Id, Vec<Slot>> = HashMap::new();
        for (slot, row) in table.iter() {
            if let Some(parent) = row.get(*reference).as_id().filter(|parent| wanted.contains(parent)) {
                known.entry(parent).or_default().push(slot);
            }
        }
        Some(Self { plan, reference: *reference, known: Some(known) })
    }

    fn page(&mut self, org: &Org, parent: &Row, cut: Cut) -> Page {
        let id = parent.get(0);
        let slots = match &mut self.known {
            None => eval::children(org, self.plan, self.reference, id),
            Some(known) => {
                let slots = id.as_id().and_then(|id| known.remove(&id)).unwrap_or_default();
                eval::among(org, self.plan, Some(slots), |_| true)
            }
        };
        first(org, Arc::clone(self.plan), slots, cut)
    }
}

impl Page {
    /// The answer as REST bodies show it.
    pub(crate) fn into_json(self, version: u16) -> Value {
        let base = if self.tooling {
            format!("/services/data/v{version}.0/tooling")
        } else {
            format!("/services/data/v{version}.0")
        };
        let tooling = self.tooling.then(|| self.plan.object.name.clone());
        let answer = self.answer(&base);
        let Some(object) = tooling else { return Value::Object(answer) };
        let size = answer.get("records").and_then(Value::as_array).map_or(0, Vec::len);
        let mut whole = Map::new();
        whole.insert("size".into(), json!(size));
        for (key, value) in answer {
            if key == "records" {
                whole.insert("queryLocator".into(), Value::Null);
                whole.insert("entityTypeName".into(), json!(object));
            }
            whole.insert(key, value);
        }
        Value::Object(whole)
    }

    fn answer(&self, base: &str) -> Map<String, Value> {
        let records: Vec<Value> = match (&self.rows, &self.plan.output) {
            (Rows::Found(found), Output::Rows(columns)) => {
                found.iter().map(|found| record(&self.plan, columns, found, base)).collect()
            }
            (Rows::Groups(groups), Output::Groups(output)) => {
                groups.iter().map(|cells| group(&self.plan, output, cells)).collect()
            }
            _ => Vec::new(),
        };
        let mut answer = Map::new();
        answer.insert("totalSize".into(), json!(self.total));
        answer.insert("done".into(), json!(self.next.is_none()));
        if let Some(next) = &self.next {
            answer.insert("nextRecordsUrl".into(), json!(format!("{base}/query/{next}")));
        }
        answer.insert("records".into(), Value::Array(records));
        answer
    }

    /// The records alone, as a search shows them.
    pub(crate) fn into_records(self, version: u16) -> Vec<Value> {
        match self.into_json(version) {
            Value::Object(mut answer) => match answer.shift_remove("records") {
                Some(Value::Array(records)) => records,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn group(plan: &Plan, groups: &Groups, cells: &[Cell]) -> Value {
    let mut record = Map::new();
    record.insert("attributes".into(), json!({"type": "AggregateResult"}));
    for column in &groups.columns {
        let cell = &cells[column.cell];
        let value = if column.formatted && !cell.is_null() {
            json!(super::format::localized(cell, &plan.viewer))
        } else {
            cell.to_json()
        };
        record.insert(column.name.clone(), value);
    }
    Value::Object(record)
}

/// `{"type": "User", "url": "/services/data/v66.0/sobjects/User/005..."}`; behind a reference that may
/// lead to several objects the type is `Name`, and only the URL tells.
fn attributes(named: &Object, object: &Object, row: &Row, base: &str) -> Value {
    let id = row.get(0).as_id().map_or_else(String::new, |id| format!("/{id}"));
    json!({"type": named.name, "url": format!("{base}/sobjects/{}{id}", object.name)})
}

fn record(plan: &Plan, columns: &[Column], found: &Found, base: &str) -> Value {
    let mut record = Map::new();
    record.insert("attributes".into(), attributes(&plan.object, &plan.object, &found.row, base));
    let mut children = found.children.iter();
    for column in columns {
        let scalar = match &column.content {
            Content::Value(scalar) => scalar,
            Content::Children { .. } => {
                let page = children.next().filter(|page| page.total > 0);
                record.insert(
                    column.key.clone(),
                    page.map_or(Value::Null, |page| Value::Object(page.answer(base))),
                );
                continue;
            }
        };
        let path = &scalar.path;
        let own = (Arc::clone(&plan.object), Arc::clone(&found.row));
        let source = match path.relation {
            None => Some(&own),
            Some(relation) => found.parents[relation].as_ref(),
        };
        let Some(target) = nested(plan, &mut record, path.relation, found, base) else { continue };
        let Some((object, row)) = source else { continue };
        let value = if path.field().kind == Kind::Address {
            records::field(object, row, path.field())
        } else {
            let cell = eval::read(&path.object, path.field, (object, row));
            let null = if path.field().kind == Kind::Boolean { json!(false) } else { Value::Null };
            match scalar.of(cell, &plan.viewer) {
                Cell::Null => null,
                cell => cell.to_json(),
            }
        };
        target.insert(column.key.clone(), value);
    }
    Value::Object(record)
}

/// The object inside `record` into which a related field goes; `None`, and a null in its place, if
/// there is no related record.
fn nested<'a>(
    plan: &Plan,
    record: &'a mut Map<String, Value>,
    relation: Option<usize>,
    found: &Found,
    base: &str,
) -> Option<&'a mut Map<String, Value>> {
    let Some(relation) = relation else { return Some(record) };
    let step = &plan.relations[relation];
    let outer = nested(plan, record, step.parent, found, base)?;
    let inner = outer.entry(step.name.as_str()).or_insert(Value::Null);
    // The arms of a TYPEOF share a name: the one that fits replaces the null of those before it.
    if let (Value::Null, Some((object, row))) = (&*inner, &found.parents[relation]) {
        *inner = json!({"attributes": attributes(&step.object, object, row, base)});
    } else if found.parents[relation].is_none() {
        return None;
    }
    inner.as_object_mut()
}
