//! Groups: rows to keys, rows to sums.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    eval::{compare_keys, holds, scalar, sort_key},
    function::Function,
    plan::{Groups, Operand, Plan},
};
use crate::{
    cell::{Cell, Row},
    org::Org,
    table::Slot,
};

/// The cells of each group that `HAVING` keeps, in the order of the answer.
pub(super) fn groups(org: &Org, plan: &Plan, groups: &Groups, slots: &[Slot]) -> Vec<Vec<Cell>> {
    let table = org.table(&plan.object);
    let rows: Vec<&Arc<Row>> = slots.iter().filter_map(|slot| table.row_or_binned(*slot)).collect();
    let mut found = Vec::new();
    for set in &groups.sets {
        found.extend(of_set(org, plan, groups, set, &rows));
    }
    if let Some(having) = &groups.having {
        found.retain(|cells| holds(having, &mut |operand| at(cells, operand)));
    }
    let key = |cells: &[Cell]| -> Vec<Cell> {
        groups.order.iter().map(|order| sort_key(at(cells, &order.operand), order)).collect()
    };
    let mut keyed: Vec<(Vec<Cell>, Vec<Cell>)> =
        found.into_iter().map(|cells| (key(&cells), cells)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare_keys(&groups.order, a, b));
    keyed.into_iter().map(|(_, cells)| cells).collect()
}

fn at(cells: &[Cell], operand: &Operand) -> Cell {
    match operand {
        Operand::Group { cell, .. } => cells.get(*cell).cloned().unwrap_or(Cell::Null),
        Operand::Scalar(_) => Cell::Null,
    }
}

/// The groups by the keys that a set keeps. Without keys all rows are one group, even if there are none.
fn of_set(org: &Org, plan: &Plan, groups: &Groups, set: &[bool], rows: &[&Arc<Row>]) -> Vec<Vec<Cell>> {
    let mut places: HashMap<Vec<Option<Box<str>>>, usize> = HashMap::new();
    let mut found: Vec<(Vec<Cell>, Vec<Tally>)> = Vec::new();
    let tallies = || groups.aggregates.iter().map(|aggregate| Tally::new(aggregate.function)).collect();
    if groups.keys.is_empty() {
        places.insert(Vec::new(), 0);
        found.push((Vec::new(), tallies()));
    }
    for row in rows {
        let keys: Vec<Cell> = groups
            .keys
            .iter()
            .zip(set)
            .map(|(key, kept)| if *kept { scalar(org, plan, key, row) } else { Cell::Null })
            .collect();
        let place = keys
            .iter()
            .zip(&groups.keys)
            .map(|(cell, key)| cell.key(key.path.field().case_sensitive))
            .collect();
        let place = *places.entry(place).or_insert_with(|| {
            found.push((keys, tallies()));
            found.len() - 1
        });
        for (tally, aggregate) in found[place].1.iter_mut().zip(&groups.aggregates) {
            if aggregate.function == Function::Grouping {
                let key = groups.keys.iter().position(|key| key.is_same(&aggregate.of));
                tally.left_out = key.is_some_and(|key| !set[key]);
            } else {
                let case_sensitive = aggregate.of.path.field().case_sensitive;
                tally.add(scalar(org, plan, &aggregate.of, row), case_sensitive);
            }
        }
    }
    let in_order = |a: &[Cell], b: &[Cell]| {
        a.iter().zip(b).map(|(a, b)| nulls_first(a, b)).find(|by| by.is_ne()).unwrap_or(Ordering::Equal)
    };
    found.sort_by(|(a, _), (b, _)| in_order(a, b));
    found
        .into_iter()
        .map(|(mut cells, tallies)| {
            cells.extend(tallies.into_iter().map(Tally::total));
            cells
        })
        .collect()
}

fn nulls_first(a: &Cell, b: &Cell) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.compare(b, false).unwrap_or(Ordering::Equal),
    }
}

/// What an aggregate has seen so far.
struct Tally {
    function: Function,
    count: i64,
    seen: HashSet<Box<str>>,
    extreme: Cell,
    sum: f64,
    whole_sum: i64,
    is_whole: bool,
    left_out: bool,
}

impl Tally {
    fn new(function: Function) -> Self {
        Self {
            function,
            count: 0,
            seen: HashSet::new(),
            extreme: Cell::Null,
            sum: 0.0,
            whole_sum: 0,
            is_whole: true,
            left_out: false,
        }
    }

    /// Nulls count for nothing.
    fn add(&mut self, cell: Cell, case_sensitive: bool) {
        if cell.is_null() {
            return;
        }
        self.count += 1;
        match self.function {
            Function::CountDistinct => self.seen.extend(cell.key(case_sensitive)),
            Function::Min | Function::Max => {
                let wanted = if self.function == Function::Min { Ordering::Less } else { Ordering::Greater };
                if self.extreme.is_null() || cell.compare(&self.extreme, case_sensitive) == Some(wanted) {
                    self.extreme = cell;
                }
            }
            Function::Sum | Function::Avg => {
                self.sum += cell.as_double();
                match cell {
                    Cell::Int(n) => self.whole_sum = self.whole_sum.saturating_add(n),
                    _ => self.is_whole = false,
                }
            }
            _ => {}
        }
    }

    fn total(self) -> Cell {
        match self.function {
            Function::Count => Cell::Int(self.count),
            Function::CountDistinct => Cell::Int(i64::try_from(self.seen.len()).unwrap_or(i64::MAX)),
            Function::Min | Function::Max => self.extreme,
            Function::Sum | Function::Avg if self.count == 0 => Cell::Null,
            Function::Sum if self.is_whole => Cell::Int(self.whole_sum),
            Function::Sum => Cell::Double(self.sum),
            #[expect(
                clippy::cast_precision_loss,
                reason = "rows that fit in memory are counted exactly by a double"
            )]
            Function::Avg => Cell::Double(self.sum / self.count as f64),
            Function::Grouping => Cell::Int(i64::from(self.left_out)),
            _ => Cell::Null,
        }
    }
}
