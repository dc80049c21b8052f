//! A query that can be run: every name is a field, every literal a value.

use std::{collections::HashSet, sync::Arc};

use jiff::civil::Date;

use super::{ast::Operator, function::Function, viewer::Viewer};
use crate::{
    cell::Cell,
    ids::Id,
    schema::{Field, Kind, Object},
};

pub(crate) struct Plan {
    pub(super) object: Arc<Object>,
    pub(super) relations: Vec<Relation>,
    pub(super) output: Output,
    pub(super) condition: Option<Test>,
    pub(super) order: Vec<OrderKey>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
    /// `queryAll`: what is in the recycle bin at this time too.
    pub(super) bin: Option<i64>,
    pub(super) viewer: Viewer,
}

/// A step from a record to the one it refers to: `Profile` in `Profile.UserLicense.Name`.
pub(super) struct Relation {
    /// The step before this one; `None` from the queried record itself.
    pub(super) parent: Option<usize>,
    /// The reference, a field of the object of the step before.
    pub(super) field: usize,
    pub(super) name: String,
    /// Where it leads. `Name`, which is no object with records, if it may lead to several.
    pub(super) object: Arc<Object>,
    /// Leads nowhere where the record is one of these: the arms before `ELSE`.
    pub(super) except: Vec<Arc<Object>>,
    pub(super) polymorphic: bool,
}

/// A field of the queried record or of one behind a relation.
#[derive(Clone)]
pub(super) struct Path {
    pub(super) relation: Option<usize>,
    pub(super) object: Arc<Object>,
    pub(super) field: usize,
}

impl Path {
    pub(super) fn field(&self) -> &Field {
        &self.object.fields[self.field]
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.relation == other.relation && self.field == other.field
    }
}

/// A path with functions around it, the outermost first.
#[derive(Clone)]
pub(super) struct Scalar {
    pub(super) path: Path,
    pub(super) functions: Vec<Function>,
}

impl Scalar {
    pub(super) fn kind(&self) -> Kind {
        self.functions.iter().rev().fold(self.path.field().kind, |kind, function| function.result(kind))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path.is_same(&other.path) && self.functions == other.functions
    }

    /// The value that the functions make of the field's.
    pub(super) fn of(&self, cell: Cell, viewer: &Viewer) -> Cell {
        let field = self.path.field();
        self.functions.iter().rev().fold(cell, |cell, function| function.apply(cell, field, viewer))
    }
}

pub(super) enum Output {
    /// `COUNT()`
    Total,
    Rows(Vec<Column>),
    Groups(Box<Groups>),
}

pub(super) struct Column {
    pub(super) key: String,
    pub(super) content: Content,
}

pub(super) enum Content {
    Value(Scalar),
    /// The records whose reference leads to this one.
    Children {
        plan: Arc<Plan>,
        reference: usize,
    },
}

/// Aggregation: what the groups are, and what is computed of each. The cells of a group are its keys,
/// then its aggregates.
pub(super) struct Groups {
    pub(super) keys: Vec<Scalar>,
    /// For each kind of row, which keys it keeps: one with all, and the subtotals.
    pub(super) sets: Vec<Vec<bool>>,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) columns: Vec<GroupColumn>,
    pub(super) having: Option<Test>,
    pub(super) order: Vec<OrderKey>,
}

#[derive(Clone)]
pub(super) struct Aggregate {
    pub(super) function: Function,
    pub(super) of: Scalar,
}

pub(super) struct GroupColumn {
    pub(super) name: String,
    /// The place among the cells of a group.
    pub(super) cell: usize,
    /// Written as the locale does.
    pub(super) formatted: bool,
    /// As the query has it, for the description of the columns.
    pub(super) shown: String,
    pub(super) is_key: bool,
}

/// What a test or an order looks at.
#[derive(Clone)]
pub(super) enum Operand {
    Scalar(Scalar),
    /// A cell of a group.
    Group {
        cell: usize,
        case_sensitive: bool,
    },
}

impl Operand {
    pub(super) fn case_sensitive(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.path.field().case_sensitive,
            Self::Group { case_sensitive, .. } => *case_sensitive,
        }
    }

    /// The path, where no function stands around it.
    pub(super) fn plain(&self) -> Option<&Path> {
        match self {
            Self::Scalar(scalar) if scalar.functions.is_empty() => Some(&scalar.path),
            _ => None,
        }
    }
}

pub(super) struct OrderKey {
    pub(super) operand: Operand,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

pub(super) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Compare(Operand, Operator, Wanted),
    In(Operand, bool, List),
    Member(Operand, bool, HashSet<Id>),
    /// Each entry is a set of values that must all be chosen.
    Includes(Operand, bool, Vec<Vec<String>>),
}

/// What a field is compared with.
#[derive(Clone)]
pub(super) enum Wanted {
    /// Text comes folded unless the field has case.
    Cell(Cell),
    /// From the first to before the second, in milliseconds.
    Times(i64, i64),
    Days(Date, Date),
    /// A folded `LIKE` pattern.
    Pattern(String),
}

/// The list behind `IN`: single values by their key, the rest one by one.
pub(super) struct List {
    pub(super) keys: HashSet<Box<str>>,
    pub(super) cells: Vec<Cell>,
    pub(super) null: bool,
    pub(super) ranges: Vec<Wanted>,
}
