//! The records of one object, found by id or by an indexed field without reading them all.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    cell::{Cell, Row},
    ids::Id,
    schema::Object,
};

/// Where a row stands in its table. Rows keep their slot for life.
pub(crate) type Slot = u32;

/// How long a deleted record can still be read by `queryAll`.
const BIN_MS: i64 = 15 * 24 * 3_600 * 1_000;

/// A record that was deleted.
#[derive(Clone, Debug)]
pub(crate) struct Tombstone {
    pub(crate) id: Id,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// What it was, with `IsDeleted`; `None` where the object has no recycle bin.
    row: Option<Arc<Row>>,
}

impl Tombstone {
    pub(crate) fn new(id: Id, at: i64, row: Option<Row>) -> Self {
        Self { id, at, row: row.map(Arc::new) }
    }

    /// The record, as long as it is in the recycle bin.
    pub(crate) fn binned(&self, now: i64) -> Option<&Arc<Row>> {
        self.row.as_ref().filter(|_| now - self.at < BIN_MS)
    }
}

/// The records of one object in the order in which they were made. Deleted ones keep their slot, and
/// are seen only by those who ask for them.
pub(crate) struct Table {
    pub(crate) object: Arc<Object>,
    rows: Vec<Option<Arc<Row>>>,
    slots: HashMap<Id, Slot>,
    deleted: BTreeMap<Slot, Tombstone>,
    deleted_slots: HashMap<Id, Slot>,
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
        Self {
            object,
            rows: Vec::new(),
            slots: HashMap::new(),
            deleted: BTreeMap::new(),
            deleted_slots: HashMap::new(),
            indexes,
            next_id: 1,
        }
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

    /// All records that were deleted, in the order in which they were made.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (Slot, &Tombstone)> {
        self.deleted.iter().map(|(slot, tombstone)| (*slot, tombstone))
    }

    /// The record with this id, if it is in the recycle bin.
    pub(crate) fn binned(&self, id: Id, now: i64) -> Option<&Arc<Row>> {
        self.deleted.get(self.deleted_slots.get(&id)?)?.binned(now)
    }

    /// The row in a slot, be it deleted or not.
    pub(crate) fn row_or_binned(&self, slot: Slot) -> Option<&Arc<Row>> {
        self.row(slot).or_else(|| self.deleted.get(&slot)?.row.as_ref())
    }

    /// Marks a slot as that of a deleted record, or takes the mark away; hands back what it was.
    pub(crate) fn bury(&mut self, slot: Slot, tombstone: Option<Tombstone>) -> Option<Tombstone> {
        let before = match tombstone {
            Some(tombstone) => {
                self.deleted_slots.insert(tombstone.id, slot);
                self.deleted.insert(slot, tombstone)
            }
            None => self.deleted.remove(&slot),
        };
        if let Some(before) = before.as_ref().filter(|_| !self.deleted.contains_key(&slot)) {
            self.deleted_slots.remove(&before.id);
        }
        before
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

    /// The rows whose indexed reference points to `id`.
    pub(crate) fn referring(&self, field: &str, id: Id) -> impl Iterator<Item = &Arc<Row>> {
        self.find(self.object.at(field), &Cell::Id(id)).into_iter().filter_map(|slot| self.row(slot))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org_file::OrgFile;

    #[test]
    fn a_deleted_record_is_found_only_by_those_who_ask_and_only_for_fifteen_days() {
        let mut org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
        let roles = Arc::clone(&org.table_of("UserRole").object);
        let (slot, row) = org.table(&roles).iter().next().map(|(slot, row)| (slot, Row::clone(row))).unwrap();
        let id = row.get(0).as_id().unwrap();
        let count = org.table(&roles).len();
        let mark = org.mark();
        org.bury(&roles, id, 1_000, Some(row));
        let table = org.table(&roles);
        assert_eq!(
            (table.len(), table.get(id).is_none(), table.row(slot).is_none()),
            (count - 1, true, true)
        );
        assert!(table.find_one(roles.at("Name"), &Cell::text("CEO")).is_none());
        assert!(table.binned(id, 1_000 + BIN_MS - 1).is_some() && table.row_or_binned(slot).is_some());
        assert!(table.binned(id, 1_000 + BIN_MS).is_none());
        assert_eq!(
            table.tombstones().map(|(_, stone)| (stone.id, stone.at)).collect::<Vec<_>>(),
            [(id, 1_000)]
        );
        org.roll_back(mark);
        let table = org.table(&roles);
        assert_eq!((table.len(), table.tombstones().count()), (count, 0));
        assert!(table.get(id).is_some() && table.binned(id, 1_000).is_none());
        assert!(table.find_one(roles.at("Name"), &Cell::text("CEO")).is_some());
    }
}
