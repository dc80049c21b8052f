//! SOQL: parse, look up, run, page.
//!
//! Here: fields, relationship paths, `COUNT`, `FIELDS`, `toLabel`, `WHERE` with `AND`, `OR`, `NOT`,
//! comparisons, `LIKE`, `IN`, semi-joins and date literals, `ORDER BY`, `LIMIT`, `OFFSET`. Not here:
//! child sub-queries, `GROUP BY`, `INCLUDES`, `TYPEOF`, currency and fiscal literals.

mod dates;
mod error;
mod eval;
mod lex;
mod parse;
mod resolve;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value, json};

use crate::{
    cell::Row,
    errors::Refusal,
    ids::Id,
    org::{Actor, Org},
    records,
    table::Slot,
};
use eval::{cell, matches, related};
use resolve::{Output, Plan};

/// How many rows a page has when nobody asks for another number.
pub(crate) const PAGE: usize = 2_000;
const CURSOR_IDLE_MS: i64 = 15 * 60 * 1_000;
const CURSOR_LIFE_MS: i64 = 48 * 3_600 * 1_000;
/// More open cursors than this end the oldest: a bound on memory.
const MAX_CURSORS: usize = 100;

/// The open cursors, by their number.
#[derive(Default)]
pub(crate) struct Cursors {
    open: HashMap<Id, Cursor>,
    made: u64,
}

#[derive(Clone)]
struct Cursor {
    plan: Arc<Plan>,
    slots: Arc<[Slot]>,
    page: usize,
    opened: i64,
    used: i64,
}

/// A row, and the record behind each relation of the query.
type Found = (Arc<Row>, Vec<Option<Arc<Row>>>);

/// A page of an answer, taken from the tables but not yet written as JSON, so that no lock is held
/// while it is.
pub(crate) struct Page {
    plan: Arc<Plan>,
    rows: Vec<Found>,
    total: usize,
    next: Option<String>,
    /// The one row of `COUNT(Field)`.
    aggregate: Option<Value>,
}

/// Runs a query and takes its first page.
pub(crate) fn query(org: &Org, text: &str, actor: Actor, page: usize) -> Result<Page, Refusal> {
    let query = parse::parse(text)?;
    let plan = Arc::new(resolve::resolve(org, text, &query, actor)?);
    let slots = matches(org, &plan);
    let total = slots.len();
    match &plan.output {
        Output::Total => return Ok(Page { plan, rows: Vec::new(), total, next: None, aggregate: None }),
        Output::Counts(counts) => {
            let aggregate = Some(count(org, &plan, counts, &slots));
            return Ok(Page { plan, rows: Vec::new(), total: 1, next: None, aggregate });
        }
        Output::Rows(_) => {}
    }
    let rows = take(org, &plan, &slots[..total.min(page)]);
    let next = (total > page).then(|| {
        let cursor =
            Cursor { plan: Arc::clone(&plan), slots: slots.into(), page, opened: actor.now, used: actor.now };
        let id = cursors(org).open(org, cursor);
        format!("{id}-{page}")
    });
    Ok(Page { plan, rows, total, next, aggregate: None })
}

/// Takes the page that a locator such as `01gXX00000abcdefAAA-2000` names.
pub(crate) fn more(org: &Org, locator: &str, actor: Actor) -> Result<Page, Refusal> {
    let invalid = || Refusal::call(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, from) = locator.split_once('-').ok_or_else(invalid)?;
    let id = Id::parse(id).ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let cursor = cursors(org).get(id, actor.now).ok_or_else(invalid)?;
    let total = cursor.slots.len();
    if from >= total {
        return Err(invalid());
    }
    let to = total.min(from + cursor.page);
    let rows = take(org, &cursor.plan, &cursor.slots[from..to]);
    let next = (to < total).then(|| format!("{id}-{to}"));
    Ok(Page { plan: cursor.plan, rows, total, next, aggregate: None })
}

fn cursors(org: &Org) -> std::sync::MutexGuard<'_, Cursors> {
    org.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Cursors {
    fn open(&mut self, org: &Org, cursor: Cursor) -> Id {
        if self.open.len() >= MAX_CURSORS {
            let oldest = self.open.iter().min_by_key(|(id, cursor)| (cursor.used, **id)).map(|(id, _)| *id);
            self.open.remove(&oldest.unwrap_or(org.id));
        }
        self.made += 1;
        let id = Id::new("01g", org.instance, self.made);
        self.open.insert(id, cursor);
        id
    }

    fn get(&mut self, id: Id, now: i64) -> Option<Cursor> {
        self.open.retain(|_, c| now - c.used <= CURSOR_IDLE_MS && now - c.opened <= CURSOR_LIFE_MS);
        let cursor = self.open.get_mut(&id)?;
        cursor.used = now;
        Some(cursor.clone())
    }
}

fn take(org: &Org, plan: &Plan, slots: &[Slot]) -> Vec<Found> {
    let table = org.table(&plan.object);
    let parents =
        |row: &Row| (0..plan.relations.len()).map(|r| related(org, plan, r, row).cloned()).collect();
    slots.iter().filter_map(|slot| table.row(*slot)).map(|row| (Arc::clone(row), parents(row))).collect()
}

fn count(org: &Org, plan: &Plan, counts: &[(String, resolve::Path)], slots: &[Slot]) -> Value {
    let mut record = Map::new();
    record.insert("attributes".into(), json!({"type": "AggregateResult"}));
    let table = org.table(&plan.object);
    for (name, path) in counts {
        let rows = slots.iter().filter_map(|slot| table.row(*slot));
        let count = rows.filter(|row| !cell(org, plan, path, row).is_null()).count();
        record.insert(name.clone(), json!(count));
    }
    Value::Object(record)
}

impl Page {
    /// The answer as REST bodies show it.
    pub(crate) fn into_json(self, version: u16) -> Value {
        let records: Vec<Value> = match self.aggregate {
            Some(record) => vec![record],
            None => {
                self.rows.iter().map(|(row, parents)| record(&self.plan, row, parents, version)).collect()
            }
        };
        let mut answer = Map::new();
        answer.insert("totalSize".into(), json!(self.total));
        answer.insert("done".into(), json!(self.next.is_none()));
        if let Some(next) = self.next {
            answer
                .insert("nextRecordsUrl".into(), json!(format!("/services/data/v{version}.0/query/{next}")));
        }
        answer.insert("records".into(), Value::Array(records));
        Value::Object(answer)
    }
}

fn record(plan: &Plan, row: &Row, parents: &[Option<Arc<Row>>], version: u16) -> Value {
    let mut record = Map::new();
    record.insert("attributes".into(), records::attributes(&plan.object, row, version));
    let Output::Rows(columns) = &plan.output else { return Value::Object(record) };
    for column in columns {
        let path = &column.path;
        let row = match path.relation {
            None => Some(row),
            Some(relation) => parents[relation].as_deref(),
        };
        let Some(target) = nested(plan, &mut record, path.relation, parents, version) else { continue };
        let Some(row) = row else { continue };
        let mut value = records::field(&path.object, row, path.field());
        if column.label {
            let label = path.field().picklist.iter().find(|p| value == p.value).map(|p| p.label.clone());
            value = label.map_or(value, Value::String);
        }
        target.insert(column.name.clone(), value);
    }
    Value::Object(record)
}

/// The object inside `record` into which a related field goes; `None`, and a null in its place, if
/// there is no related record.
fn nested<'a>(
    plan: &Plan,
    record: &'a mut Map<String, Value>,
    relation: Option<usize>,
    parents: &[Option<Arc<Row>>],
    version: u16,
) -> Option<&'a mut Map<String, Value>> {
    let Some(relation) = relation else { return Some(record) };
    let step = &plan.relations[relation];
    let outer = nested(plan, record, step.parent, parents, version)?;
    let inner = outer.entry(step.name.as_str()).or_insert_with(|| match &parents[relation] {
        Some(row) => json!({"attributes": records::attributes(&step.object, row, version)}),
        None => Value::Null,
    });
    inner.as_object_mut()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::org_file::OrgFile;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("SELECT Id, Username FROM User WHERE ".to_owned()),
            proptest::sample::select(vec![
                "SELECT",
                "FROM",
                "WHERE",
                "AND",
                "OR",
                "NOT",
                "IN",
                "LIKE",
                "ORDER BY",
                "NULLS",
                "LIMIT",
                "OFFSET",
                "(",
                ")",
                ",",
                "=",
                "!=",
                "<",
                ">=",
                "'",
                "'a%'",
                "null",
                "true",
                "Id",
                "User",
                "UserLogin",
                "Profile.Name",
                "Manager.Manager.Id",
                "COUNT()",
                "FIELDS(ALL)",
                "TODAY",
                "LAST_N_DAYS:9",
                "2026-01-01T00:00:00Z",
                "1",
                "-5",
                "\\",
                "\n",
            ])
            .prop_map(ToOwned::to_owned),
            any::<String>(),
        ]
    }

    proptest! {
        /// Whatever the query, the answer is a page or a refusal.
        #[test]
        fn no_query_is_a_panic(words in proptest::collection::vec(word(), 0..16)) {
            let org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
            let actor = Actor { user: org.run_as, now: 1_700_000_000_000 };
            match query(&org, &words.join(" "), actor, PAGE) {
                Ok(page) => prop_assert!(page.into_json(66)["done"].is_boolean()),
                Err(refusal) => prop_assert!(refusal.status == 400 && !refusal.message.is_empty()),
            }
        }

        /// A literal that is escaped as the reference says finds the text it was made of.
        #[test]
        fn an_escaped_literal_is_its_text(text in "[a-zA-Z0-9'\"\\\\%_ \u{e9}\u{4e2d}-]{1,40}") {
            let mut org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
            let text = text.trim_end().to_owned();
            prop_assume!(!text.is_empty());
            let f = org.user_fields;
            let user = Arc::clone(&org.table_of("User").object);
            let mut row = org.table(&user).get(org.run_as).map(|row| Row::clone(row)).unwrap();
            row.set(f.last_name, crate::cell::Cell::text(&text));
            org.replace(&user, row);
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            let like = escaped.replace('%', "\\%").replace('_', "\\_");
            let actor = Actor { user: org.run_as, now: 0 };
            for condition in [format!("= '{escaped}'"), format!("LIKE '{like}'"), format!("IN ('{escaped}')")] {
                let soql = format!("SELECT Id FROM User WHERE LastName {condition}");
                let page = query(&org, &soql, actor, PAGE).map_err(|refusal| refusal.message);
                let found = page.map(|page| page.into_json(66)["totalSize"].clone());
                prop_assert_eq!(found, Ok(json!(1)), "{}", soql);
            }
        }
    }
}
