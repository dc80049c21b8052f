//! Running a query: which rows, in which order.

use std::{cmp::Ordering, sync::Arc};

use super::{
    parse::Operator,
    resolve::{OrderKey, Path, Plan, Test, Wanted},
};
use crate::{
    cell::{Cell, Row, fold},
    org::Org,
    schema::Kind,
    table::Slot,
};

/// The rows of the answer in its order, after `LIMIT` and `OFFSET`.
pub(super) fn matches(org: &Org, plan: &Plan) -> Vec<Slot> {
    let table = org.table(&plan.object);
    let offset = usize::try_from(plan.offset).unwrap_or(usize::MAX);
    let limit = plan.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let keep = |row: &Row| plan.condition.as_ref().is_none_or(|test| holds(org, plan, test, row));
    let candidates = plan.condition.as_ref().and_then(|test| candidates(org, plan, test));
    let mut found: Box<dyn Iterator<Item = (Slot, &Arc<Row>)>> = match candidates {
        Some(slots) => Box::new(slots.into_iter().filter_map(|slot| Some((slot, table.row(slot)?)))),
        None => Box::new(table.iter()),
    };
    // Rows stand in the order of their ids, so the most common order costs nothing.
    if plan.order.iter().all(is_by_id) {
        return found
            .by_ref()
            .filter(|(_, row)| keep(row))
            .map(|(slot, _)| slot)
            .skip(offset)
            .take(limit)
            .collect();
    }
    let key = |row: &Row| -> Vec<Cell> { plan.order.iter().map(|o| cell(org, plan, &o.path, row)).collect() };
    let mut keyed: Vec<(Vec<Cell>, Slot)> =
        found.filter(|(_, row)| keep(row)).map(|(slot, row)| (key(row), slot)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare_keys(&plan.order, a, b));
    keyed.into_iter().map(|(_, slot)| slot).skip(offset).take(limit).collect()
}

fn is_by_id(order: &OrderKey) -> bool {
    order.path.relation.is_none() && order.path.field == 0 && !order.descending
}

fn compare_keys(order: &[OrderKey], a: &[Cell], b: &[Cell]) -> Ordering {
    for (key, (a, b)) in order.iter().zip(a.iter().zip(b)) {
        let by = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let by = a.compare(b, key.path.field().case_sensitive).unwrap_or(Ordering::Equal);
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
    let table = org.table(&plan.object);
    let find = |path: &Path, wanted: &[Wanted]| -> Option<Vec<Slot>> {
        if path.relation.is_some() || !table.is_indexed(path.field) {
            return None;
        }
        let mut slots = Vec::new();
        for wanted in wanted {
            match wanted {
                Wanted::Cell(Cell::Null) => return None,
                Wanted::Cell(cell) => slots.extend(table.find(path.field, cell)),
                _ => return None,
            }
        }
        slots.sort_unstable();
        slots.dedup();
        Some(slots)
    };
    match test {
        Test::Compare(path, Operator::Equal, wanted) => find(path, std::slice::from_ref(wanted)),
        Test::In(path, false, wanted) => find(path, wanted),
        Test::Member(path, false, ids) => {
            let wanted: Vec<Wanted> = ids.iter().map(|id| Wanted::Cell(Cell::Id(*id))).collect();
            find(path, &wanted)
        }
        Test::And(parts) => parts.iter().filter_map(|part| candidates(org, plan, part)).min_by_key(Vec::len),
        Test::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(candidates(org, plan, part)?);
            }
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
        _ => None,
    }
}

/// The value at a path of a row; null behind a reference that leads nowhere.
pub(super) fn cell(org: &Org, plan: &Plan, path: &Path, row: &Row) -> Cell {
    let cell = match path.relation {
        None => row.get(path.field).clone(),
        Some(relation) => {
            related(org, plan, relation, row).map_or(Cell::Null, |parent| parent.get(path.field).clone())
        }
    };
    // A boolean is never null.
    if path.field().kind == Kind::Boolean && cell.is_null() { Cell::Bool(false) } else { cell }
}

/// The record behind a relation.
pub(super) fn related<'a>(org: &'a Org, plan: &Plan, relation: usize, row: &Row) -> Option<&'a Arc<Row>> {
    let step = &plan.relations[relation];
    let id = match step.parent {
        None => row.get(step.field).as_id(),
        Some(parent) => related(org, plan, parent, row)?.get(step.field).as_id(),
    };
    org.table(&step.object).get(id?)
}

fn holds(org: &Org, plan: &Plan, test: &Test, row: &Row) -> bool {
    match test {
        Test::And(parts) => parts.iter().all(|part| holds(org, plan, part, row)),
        Test::Or(parts) => parts.iter().any(|part| holds(org, plan, part, row)),
        Test::Not(part) => !holds(org, plan, part, row),
        Test::Compare(path, operator, wanted) => {
            compare(path, &cell(org, plan, path, row), *operator, wanted)
        }
        // Unlike SQL: a null is not in the list, so NOT IN finds it.
        Test::In(path, negated, wanted) => {
            let cell = cell(org, plan, path, row);
            wanted.iter().any(|wanted| compare(path, &cell, Operator::Equal, wanted)) != *negated
        }
        Test::Member(path, negated, ids) => {
            cell(org, plan, path, row).as_id().is_some_and(|id| ids.contains(&id)) != *negated
        }
    }
}

fn compare(path: &Path, cell: &Cell, operator: Operator, wanted: &Wanted) -> bool {
    let ordering = match wanted {
        Wanted::Pattern(pattern) => return cell.as_text().is_some_and(|text| like(&fold(text), pattern)),
        Wanted::Cell(Cell::Null) => match operator {
            Operator::Equal => return cell.is_null(),
            Operator::NotEqual => return !cell.is_null(),
            _ => return false,
        },
        Wanted::Cell(wanted) => cell.compare(wanted, path.field().case_sensitive),
        Wanted::Times(from, to) => match cell {
            Cell::Time(at) => Some(within(at, from, to)),
            _ => None,
        },
        Wanted::Days(from, to) => match cell {
            Cell::Date(at) => Some(within(at, from, to)),
            _ => None,
        },
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

/// `LIKE`: `%` is any text, `_` one character, `\` takes the next character as it is. Time is at
/// most the product of both lengths.
fn like(text: &str, pattern: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        Char(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Char(chars.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            Some(Part::One) => {
                at += 1;
                part += 1;
                continue;
            }
            Some(Part::Char(c)) if *c == text[at] => {
                at += 1;
                part += 1;
                continue;
            }
            _ => {}
        }
        let Some((any, from)) = retry else { return false };
        retry = Some((any, from + 1));
        at = from + 1;
        part = any + 1;
    }
    parts[part..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns() {
        for (text, pattern, expected) in [
            ("ada@example.com", "%@example.com", true),
            ("ada@example.com", "ada%", true),
            ("ada@example.com", "a_a@%", true),
            ("ada@example.com", "ada", false),
            ("100%", r"100\%", true),
            ("1000", r"100\%", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            (r"a\b", r"a\\b", true),
            ("", "%", true),
            ("", "_", false),
            ("aaa", "%a%a%a%", true),
            ("aa", "%a%a%a%", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn a_long_pattern_takes_no_long_time() {
        assert!(!like(&"a".repeat(4_000), &format!("{}b", "%a".repeat(500))));
    }
}
