//! `GROUP BY`: what the groups are, what is computed of each, and in which order they come.

use super::{
    ast::{Expr, Grouping, Name, Query, Select, Totals},
    error::whole,
    filter::Typed,
    function::Function,
    plan::{Aggregate, GroupColumn, Groups, Operand, OrderKey, Scalar},
    resolve::Resolver,
};
use crate::{errors::Refusal, schema::Kind};

/// How many fields a subtotal may have.
const MAX_SUBTOTALS: usize = 3;

/// The cells of the groups so far.
#[derive(Default)]
struct Cells {
    keys: Vec<Scalar>,
    aggregates: Vec<Aggregate>,
}

impl Resolver<'_> {
    pub(super) fn groups(&mut self, query: &Query) -> Result<Groups, Refusal> {
        let mut cells = Cells::default();
        let mut sets = vec![Vec::new()];
        if let Some(grouping) = &query.grouping {
            cells.keys = self.keys(grouping)?;
            sets = subtotals(grouping.totals, cells.keys.len());
        } else {
            let clause = match (query.limit, query.offset) {
                (Some(_), _) => Some("LIMIT"),
                (None, Some(_)) => Some("OFFSET"),
                (None, None) => None,
            };
            if let Some(clause) = clause {
                return Err(whole(format!(
                    "Non-grouped query that uses overall aggregate functions cannot also use {clause}"
                )));
            }
        }
        let mut columns: Vec<GroupColumn> = Vec::new();
        let mut unnamed = 0;
        for select in &query.select {
            let Select::Value(value, alias) = select else {
                return Err(whole(format!("Field must be grouped or aggregated: {select}")));
            };
            let column = self.group_column(value, alias.as_ref(), &mut cells, &mut unnamed)?;
            if columns.iter().any(|known| known.name.eq_ignore_ascii_case(&column.name)) {
                return Err(whole(format!("duplicate alias: {}", column.name)));
            }
            columns.push(column);
        }
        let having = query.grouping.as_ref().and_then(|grouping| grouping.having.as_ref());
        let having = having
            .map(|condition| {
                self.having(condition, &mut |resolver, value| {
                    let (cell, scalar) = resolver.cell_of(value, &mut cells)?;
                    let typed = scalar.typed();
                    Ok((Operand::Group { cell, case_sensitive: typed.case_sensitive }, typed))
                })
            })
            .transpose()?;
        let mut order = Vec::new();
        for key in &query.order {
            let found = self.cell_of(&key.value, &mut cells);
            let (cell, computed) = found.map_err(|refusal| {
                if refusal.message.starts_with("Field must be grouped") {
                    whole(format!("Ordered field must be grouped or aggregated: {}", key.value))
                } else {
                    refusal
                }
            })?;
            let case_sensitive = computed.typed().case_sensitive;
            order.push(OrderKey {
                operand: Operand::Group { cell, case_sensitive },
                descending: key.descending,
                nulls_first: key.nulls_first,
            });
        }
        let Cells { keys, aggregates } = cells;
        Ok(Groups { keys, sets, aggregates, columns, having, order })
    }

    fn keys(&mut self, grouping: &Grouping) -> Result<Vec<Scalar>, Refusal> {
        if grouping.totals != Totals::None && grouping.keys.len() > MAX_SUBTOTALS {
            return Err(whole(format!("GROUP BY ROLLUP and CUBE may have at most {MAX_SUBTOTALS} fields")));
        }
        let mut keys: Vec<Scalar> = Vec::new();
        for key in &grouping.keys {
            if key.functions.iter().any(|function| function.is_aggregate()) {
                return Err(self.refuse(key.at, "MALFORMED_QUERY", "Grouped field should not be aggregated"));
            }
            let scalar = self.scalar(key)?;
            let field = scalar.path.field();
            if scalar.functions.is_empty() && !field.is_groupable() {
                let reason = format!("field '{}' can not be grouped in a query call", field.name);
                return Err(self.refuse(key.name.at, "INVALID_FIELD", &reason));
            }
            if keys.iter().any(|known| known.is_same(&scalar)) {
                return Err(whole(format!("duplicate grouping expression: {key}")));
            }
            keys.push(scalar);
        }
        Ok(keys)
    }

    /// Aggregates and functions without an alias are `expr0`, `expr1`; a field has its name.
    fn group_column(
        &mut self,
        value: &Expr,
        alias: Option<&Name>,
        cells: &mut Cells,
        unnamed: &mut usize,
    ) -> Result<GroupColumn, Refusal> {
        let formatted = value.functions.first() == Some(&Function::Format);
        let inner = Expr { functions: value.functions[usize::from(formatted)..].to_vec(), ..value.clone() };
        let (cell, computed) = self.cell_of(&inner, cells)?;
        let name = match alias {
            Some(alias) => alias.text.clone(),
            None if inner.functions.is_empty() => computed.scalar().path.field().name.clone(),
            None => {
                *unnamed += 1;
                format!("expr{}", *unnamed - 1)
            }
        };
        let is_key = matches!(computed, Computed::Key(_));
        Ok(GroupColumn { name, cell, formatted, shown: value.to_string(), is_key })
    }

    /// The place of a value among the cells of a group; an aggregate that is not there yet comes to be.
    fn cell_of(&mut self, value: &Expr, cells: &mut Cells) -> Result<(usize, Computed), Refusal> {
        let first = value.functions.first().copied();
        let is_computed =
            first.is_some_and(|function| function.is_aggregate() || function == Function::Grouping);
        let inner = Expr { functions: value.functions[usize::from(is_computed)..].to_vec(), ..value.clone() };
        let scalar = self.scalar(if is_computed { &inner } else { value })?;
        let Some(function) = first.filter(|_| is_computed) else {
            let key = cells.keys.iter().position(|key| key.is_same(&scalar));
            let key = key.ok_or_else(|| whole(format!("Field must be grouped or aggregated: {value}")))?;
            return Ok((key, Computed::Key(scalar)));
        };
        self.scalar(value)?;
        let is_key = cells.keys.iter().any(|key| key.is_same(&scalar));
        if is_key && function.is_aggregate() {
            let reason = format!("Grouped field should not be aggregated: {}", value.name.text);
            return Err(self.refuse(value.name.at, "MALFORMED_QUERY", &reason));
        }
        if !is_key && function == Function::Grouping {
            return Err(whole(format!("Field must be grouped or aggregated: {}", value.name.text)));
        }
        let same = |known: &Aggregate| known.function == function && known.of.is_same(&scalar);
        let at = cells.aggregates.iter().position(same).unwrap_or_else(|| {
            cells.aggregates.push(Aggregate { function, of: scalar.clone() });
            cells.aggregates.len() - 1
        });
        Ok((cells.keys.len() + at, Computed::Aggregate(function, scalar)))
    }
}

/// A cell of a group, with what it is made of.
enum Computed {
    Key(Scalar),
    Aggregate(Function, Scalar),
}

impl Computed {
    fn scalar(&self) -> &Scalar {
        match self {
            Self::Key(scalar) | Self::Aggregate(_, scalar) => scalar,
        }
    }

    fn typed(&self) -> Typed {
        let typed = Typed::of(self.scalar());
        match self {
            Self::Key(_) => typed,
            Self::Aggregate(function, scalar) => {
                let kind: Kind = function.result(scalar.kind());
                Typed { kind, kind_name: kind.name().to_owned(), ..typed }
            }
        }
    }
}

/// Which keys the rows keep: `ROLLUP(a, b)` is (a, b), (a), (); `CUBE` all combinations.
fn subtotals(totals: Totals, keys: usize) -> Vec<Vec<bool>> {
    match totals {
        Totals::None => vec![vec![true; keys]],
        Totals::Rollup => (0..=keys).rev().map(|kept| (0..keys).map(|key| key < kept).collect()).collect(),
        Totals::Cube => (0..1_usize << keys)
            .rev()
            .map(|kept| (0..keys).map(|key| kept >> (keys - 1 - key) & 1 == 1).collect())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtotals_leave_keys_out() {
        assert_eq!(subtotals(Totals::None, 2), [[true, true]]);
        assert_eq!(subtotals(Totals::Rollup, 2), [[true, true], [true, false], [false, false]]);
        assert_eq!(subtotals(Totals::Cube, 2), [[true, true], [true, false], [false, true], [false, false]]);
        assert_eq!(subtotals(Totals::None, 0), [[false; 0]]);
    }
}
