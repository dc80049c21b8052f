//! Running a query: which rows, in which order.

use std::{cmp::Ordering, sync::Arc};

use super::{
    ast::Operator,
    like::like,
    plan::{List, Operand, OrderKey, Path, Plan, Scalar, Test, Wanted},
};
use crate::{
    cell::{Cell, Row, fold},
    org::Org,
    permissions::Sight,
    schema::{Kind, Object},
    table::{Slot, Table},
};

/// A record of any object.
pub(super) type Record<'a> = (&'a Arc<Object>, &'a Arc<Row>);

/// The rows of the answer in its order, after `LIMIT` and `OFFSET`.
pub(crate) fn matches(org: &Org, plan: &Plan) -> Vec<Slot> {
    among(org, plan, plan.condition.as_ref().and_then(|test| candidates(org, plan, test)), |_| true)
}

/// Whether the condition of a query is true of a row.
pub(super) fn is_true(org: &Org, plan: &Plan, row: &Row) -> bool {
    let condition = plan.condition.as_ref();
    condition.is_none_or(|test| holds(test, &mut |operand| value(org, plan, operand, row)))
}

/// Whether an index narrows the rows down.
pub(super) fn uses_index(org: &Org, plan: &Plan) -> bool {
    plan.condition.as_ref().is_some_and(|test| candidates(org, plan, test).is_some())
}

/// The rows of the answer that lead to a parent by a reference.
pub(super) fn children(org: &Org, plan: &Plan, reference: usize, parent: &Cell) -> Vec<Slot> {
    let table = org.table(&plan.object);
    let known = table.is_indexed(reference).then(|| sorted(table.find(reference, parent)));
    among(org, plan, known, |row| row.get(reference) == parent)
}

/// The rows among some candidates, or among all, that the query finds.
pub(crate) fn among(
    org: &Org,
    plan: &Plan,
    candidates: Option<Vec<Slot>>,
    also: impl Fn(&Row) -> bool,
) -> Vec<Slot> {
    let table = org.table(&plan.object);
    let offset = usize::try_from(plan.offset).unwrap_or(usize::MAX);
    let limit = plan.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let sight = Sight::of(org, &plan.object, plan.viewer.user);
    let keep = |row: &Row| sight.sees(row) && also(row) && is_true(org, plan, row);
    let found: Box<dyn Iterator<Item = (Slot, &Arc<Row>)>> = match candidates {
        Some(slots) => Box::new(slots.into_iter().filter_map(|slot| Some((slot, table.row(slot)?)))),
        None => Box::new(table.iter()),
    };
    let found = match plan.bin {
        None => found,
        Some(now) => {
            let binned = table.tombstones().filter_map(|(slot, stone)| Some((slot, stone.binned(now)?)));
            let mut all: Vec<_> = found.chain(binned).collect();
            all.sort_unstable_by_key(|(slot, _)| *slot);
            Box::new(all.into_iter())
        }
    };
    let found = found.filter(|(_, row)| keep(row));
    // Rows stand in the order of their ids, so the most common order costs nothing.
    if plan.order.iter().all(is_by_id) {
        return found.map(|(slot, _)| slot).skip(offset).take(limit).collect();
    }
    let key = |row: &Row| {
        plan.order.iter().map(|order| sort_key(value(org, plan, &order.operand, row), order)).collect()
    };
    let mut keyed: Vec<(Vec<Cell>, Slot)> = found.map(|(slot, row)| (key(row), slot)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare_keys(&plan.order, a, b));
    keyed.into_iter().map(|(_, slot)| slot).skip(offset).take(limit).collect()
}

fn is_by_id(order: &OrderKey) -> bool {
    !order.descending && order.operand.plain().is_some_and(|path| path.relation.is_none() && path.field == 0)
}

/// Text is folded once, not at every comparison.
pub(super) fn sort_key(cell: Cell, order: &OrderKey) -> Cell {
    match cell {
        Cell::Text(text) if !order.operand.case_sensitive() => Cell::text(&fold(&text)),
        cell => cell,
    }
}

pub(super) fn compare_keys(order: &[OrderKey], a: &[Cell], b: &[Cell]) -> Ordering {
    for (key, (a, b)) in order.iter().zip(a.iter().zip(b)) {
        let by = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let by = a.compare(b, true).unwrap_or(Ordering::Equal);
                if key.descending { by.reverse() } else { by }
            }
        };
        if by.is_ne() {
            return by;
        }
    }
    Ordering::Equal
}

/// The rows among which the answer surely is, when an index can tell; in the order of their ids.
fn candidates(org: &Org, plan: &Plan, test: &Test) -> Option<Vec<Slot>> {
    match test {
        Test::Compare(operand, Operator::Equal, Wanted::Cell(cell)) if !cell.is_null() => {
            find(org, plan, operand.plain()?, std::slice::from_ref(cell))
        }
        Test::In(operand, false, List { cells, null: false, ranges, .. }) if ranges.is_empty() => {
            find(org, plan, operand.plain()?, cells)
        }
        Test::Member(operand, false, ids) => {
            let cells: Vec<Cell> = ids.iter().map(|id| Cell::Id(*id)).collect();
            find(org, plan, operand.plain()?, &cells)
        }
        Test::And(parts) => parts.iter().filter_map(|part| candidates(org, plan, part)).min_by_key(Vec::len),
        Test::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(candidates(org, plan, part)?);
            }
            Some(sorted(all))
        }
        _ => None,
    }
}

/// The rows of the query whose path ends in one of these values: found at the end of the path, and from
/// there back by the indexes of the references.
fn find(org: &Org, plan: &Plan, path: &Path, cells: &[Cell]) -> Option<Vec<Slot>> {
    let look_up = |table: &Table, field: usize, cells: &[Cell]| -> Option<Vec<Slot>> {
        let slots =
            table.is_indexed(field).then(|| cells.iter().flat_map(|cell| table.find(field, cell)).collect());
        slots.map(sorted)
    };
    let mut relation = path.relation;
    let mut slots = look_up(table_at(org, plan, relation)?, path.field, cells)?;
    while let Some(step) = relation {
        let table = table_at(org, plan, relation)?;
        let ids: Vec<Cell> =
            slots.iter().filter_map(|slot| table.row(*slot)).map(|row| row.get(0).clone()).collect();
        relation = plan.relations[step].parent;
        slots = look_up(table_at(org, plan, relation)?, plan.relations[step].field, &ids)?;
    }
    Some(slots)
}

fn table_at<'a>(org: &'a Org, plan: &Plan, relation: Option<usize>) -> Option<&'a Table> {
    match relation {
        None => Some(org.table(&plan.object)),
        Some(relation) => {
            let relation = &plan.relations[relation];
            (!relation.polymorphic).then(|| org.table(&relation.object))
        }
    }
}

fn sorted(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn value(org: &Org, plan: &Plan, operand: &Operand, row: &Row) -> Cell {
    match operand {
        Operand::Scalar(of) => scalar(org, plan, of, row),
        Operand::Group { .. } => Cell::Null,
    }
}

pub(super) fn scalar(org: &Org, plan: &Plan, of: &Scalar, row: &Row) -> Cell {
    let cell = cell(org, plan, &of.path, row);
    if of.functions.is_empty() { cell } else { of.of(cell, &plan.viewer) }
}

/// The value at a path of a row; null behind a reference that leads nowhere.
pub(super) fn cell(org: &Org, plan: &Plan, path: &Path, row: &Row) -> Cell {
    let cell = match path.relation {
        None => row.get(path.field).clone(),
        Some(relation) => related(org, plan, relation, row)
            .map_or(Cell::Null, |record| read(&path.object, path.field, record)),
    };
    // A boolean is never null.
    if path.field().kind == Kind::Boolean && cell.is_null() { Cell::Bool(false) } else { cell }
}

/// A field of a record of which only the reference told: the field of that name, and `Type` is what the
/// record is.
pub(super) fn read(named: &Object, field: usize, (object, row): Record<'_>) -> Cell {
    if named.index == object.index {
        return row.get(field).clone();
    }
    match (named.fields[field].name.as_str(), object.field(&named.fields[field].name)) {
        // An owner is a User or a Queue, never a Group: a group tells what kind of group it is.
        ("Type", Some(own)) if object.name == "Group" => row.get(own.index).clone(),
        ("Type", _) => Cell::text(&object.name),
        (_, Some(field)) => row.get(field.index).clone(),
        (_, None) => Cell::Null,
    }
}

/// The record behind a relation.
pub(super) fn related<'a>(org: &'a Org, plan: &Plan, relation: usize, row: &Row) -> Option<Record<'a>> {
    let step = &plan.relations[relation];
    let id = match step.parent {
        None => row.get(step.field).as_id(),
        Some(parent) => {
            read(&plan.relations[parent].object, step.field, related(org, plan, parent, row)?).as_id()
        }
    }?;
    let object = if step.polymorphic { org.object_of(id)? } else { &step.object };
    if step.except.iter().any(|except| except.index == object.index) {
        return None;
    }
    let table = org.table(object);
    let row = table.get(id).or_else(|| table.binned(id, plan.bin?))?;
    Some((&table.object, row))
}

pub(super) fn holds(test: &Test, value: &mut dyn FnMut(&Operand) -> Cell) -> bool {
    match test {
        Test::And(parts) => parts.iter().all(|part| holds(part, value)),
        Test::Or(parts) => parts.iter().any(|part| holds(part, value)),
        Test::Not(part) => !holds(part, value),
        Test::Compare(operand, operator, wanted) => {
            compare(&value(operand), *operator, wanted, operand.case_sensitive())
        }
        // Unlike SQL: a null is not in the list, so NOT IN finds it.
        Test::In(operand, negated, list) => {
            is_listed(&value(operand), list, operand.case_sensitive()) != *negated
        }
        Test::Member(operand, negated, ids) => {
            value(operand).as_id().is_some_and(|id| ids.contains(&id)) != *negated
        }
        Test::Includes(operand, negated, sets) => {
            let cell = value(operand);
            let chosen: Vec<String> =
                cell.as_text().unwrap_or_default().split(';').map(|chosen| fold(chosen.trim())).collect();
            sets.iter().any(|set| set.iter().all(|wanted| chosen.contains(wanted))) != *negated
        }
    }
}

fn is_listed(cell: &Cell, list: &List, case_sensitive: bool) -> bool {
    let Some(key) = cell.key(case_sensitive) else { return list.null };
    list.keys.contains(&key)
        // 1 and 1.0 have different keys.
        || matches!(cell, Cell::Int(_) | Cell::Double(_))
            && list.cells.iter().any(|wanted| cell.compare(wanted, true) == Some(Ordering::Equal))
        || list.ranges.iter().any(|wanted| compare(cell, Operator::Equal, wanted, case_sensitive))
}

fn compare(cell: &Cell, operator: Operator, wanted: &Wanted, case_sensitive: bool) -> bool {
    let ordering = match (wanted, cell) {
        (Wanted::Pattern(pattern), cell) => {
            return cell.as_text().is_some_and(|text| like(&fold(text), pattern));
        }
        (Wanted::Cell(Cell::Null), cell) => match operator {
            Operator::Equal => return cell.is_null(),
            Operator::NotEqual => return !cell.is_null(),
            _ => return false,
        },
        // The wanted text is folded already.
        (Wanted::Cell(Cell::Text(wanted)), Cell::Text(text)) if !case_sensitive => {
            Some(fold(text).as_str().cmp(wanted))
        }
        (Wanted::Cell(wanted), cell) => cell.compare(wanted, true),
        (Wanted::Times(from, to), Cell::Time(at)) => Some(within(at, from, to)),
        (Wanted::Days(from, to), Cell::Date(at)) => Some(within(at, from, to)),
        (Wanted::Times(..) | Wanted::Days(..), _) => None,
    };
    match operator {
        // Unlike SQL: a null differs from every value.
        Operator::NotEqual => ordering != Some(Ordering::Equal),
        Operator::Equal => ordering == Some(Ordering::Equal),
        Operator::Less => ordering == Some(Ordering::Less),
        Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        Operator::Greater => ordering == Some(Ordering::Greater),
        Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        Operator::Like => false,
    }
}

/// Before, in, or after a range of time.
fn within<T: Ord>(at: &T, from: &T, to: &T) -> Ordering {
    if at < from {
        Ordering::Less
    } else if at >= to {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}
