//! The records of one object, found by id or by an indexed field without reading them all.

use std::{collections::HashMap, sync::Arc};

use crate::{
    cell::{Cell, Row},
    ids::Id,
    schema::Object,
};

/// Where a row stands in its table. Rows keep their slot for life.
pub(crate) type Slot = u32;

/// The records of one object in the order in which they were made.
pub(crate) struct Table {
    pub(crate) object: Arc<Object>,
    rows: Vec<Option<Arc<Row>>>,
    slots: HashMap<Id, Slot>,
    indexes: Vec<Index>,
    next_id: u64,
}

struct Index {
    field: usize,
    case_sensitive: bool,
    slots: HashMap<Box<str>, Slots>,
}

/// Most keys belong to one row; a list for each would double the size of an index.
#[expect(clippy::box_collection, reason = "half the size of every other entry")]
enum Slots {
    One(Slot),
    Many(Box<Vec<Slot>>),
}

impl Table {
    pub(crate) fn new(object: Arc<Object>) -> Self {
        let indexes = object
            .fields
            .iter()
            .filter(|field| field.indexed)
            .map(|field| Index {
                field: field.index,
                case_sensitive: field.case_sensitive,
                slots: HashMap::new(),
            })
            .collect();
        Self { object, rows: Vec::new(), slots: HashMap::new(), indexes, next_id: 1 }
    }

    /// An id that no row of this table had before.
    pub(crate) fn new_id(&mut self, instance: [u8; 2]) -> Id {
        let id = Id::new(&self.object.key_prefix, instance, self.next_id);
        self.next_id += 1;
        id
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        self.slots.reserve(rows);
        for index in &mut self.indexes {
            index.slots.reserve(rows);
        }
    }

    pub(crate) fn row(&self, slot: Slot) -> Option<&Arc<Row>> {
        self.rows.get(slot as usize)?.as_ref()
    }

    pub(crate) fn slot(&self, id: Id) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Arc<Row>> {
        self.row(self.slot(id)?)
    }

    /// All rows, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Arc<Row>)> {
        (0..).zip(&self.rows).filter_map(|(slot, row)| row.as_ref().map(|row| (slot, row)))
    }

    /// Whether [`find`](Self::find) can answer for this field.
    pub(crate) fn is_indexed(&self, field: usize) -> bool {
        field == 0 || self.indexes.iter().any(|index| index.field == field)
    }

    /// The rows whose field has this value. Only for `Id` and indexed fields; others find nothing.
    pub(crate) fn find(&self, field: usize, value: &Cell) -> Vec<Slot> {
        if field == 0 {
            return value.as_id().and_then(|id| self.slot(id)).into_iter().collect();
        }
        let Some(index) = self.indexes.iter().find(|index| index.field == field) else { return Vec::new() };
        match value.key(index.case_sensitive).and_then(|key| index.slots.get(&key)) {
            None => Vec::new(),
            Some(Slots::One(slot)) => vec![*slot],
            Some(Slots::Many(slots)) => slots.to_vec(),
        }
    }

    /// The one row whose indexed field has this value, the first if there are several.
    pub(crate) fn find_one(&self, field: usize, value: &Cell) -> Option<&Arc<Row>> {
        self.find(field, value).first().and_then(|slot| self.row(*slot))
    }

    /// The slot for the next row.
    pub(crate) fn free_slot(&self) -> Slot {
        Slot::try_from(self.rows.len()).expect("fewer than four billion rows fit in memory")
    }

    /// Puts a row, or nothing, into a slot and hands back what was there. Indexes follow.
    pub(crate) fn put(&mut self, slot: Slot, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let at = slot as usize;
        if self.rows.len() <= at {
            self.rows.resize(at + 1, None);
        }
        let before = std::mem::replace(&mut self.rows[at], row);
        let (old, new) = (before.as_deref(), self.rows[at].as_deref());
        let id = |row: Option<&Row>| row.and_then(|row| row.get(0).as_id());
        if id(old) != id(new) {
            if let Some(id) = id(old) {
                self.slots.remove(&id);
            }
            if let Some(id) = id(new) {
                self.slots.insert(id, slot);
            }
        }
        for index in &mut self.indexes {
            let key = |row: Option<&Row>| row.and_then(|row| row.get(index.field).key(index.case_sensitive));
            let (old, new) = (key(old), key(new));
            if old != new {
                index.remove(old, slot);
                index.insert(new, slot);
            }
        }
        before
    }
}

impl Index {
    fn insert(&mut self, key: Option<Box<str>>, slot: Slot) {
        let Some(key) = key else { return };
        self.slots
            .entry(key)
            .and_modify(|slots| match slots {
                Slots::One(first) => *slots = Slots::Many(Box::new(vec![*first, slot])),
                Slots::Many(all) => all.push(slot),
            })
            .or_insert(Slots::One(slot));
    }

    fn remove(&mut self, key: Option<Box<str>>, slot: Slot) {
        let Some(key) = key else { return };
        let empty = match self.slots.get_mut(&key) {
            None => false,
            Some(Slots::One(_)) => true,
            Some(Slots::Many(all)) => {
                all.retain(|other| *other != slot);
                all.is_empty()
            }
        };
        if empty {
            self.slots.remove(&key);
        }
    }
}
