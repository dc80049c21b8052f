//! Open cursors: what is left of answers that have more than one page.

use std::{collections::HashMap, sync::Arc};

use super::plan::Plan;
use crate::{
    ids::Id,
    org::{Actor, Org},
    table::Slot,
};

const IDLE_MS: i64 = 15 * 60 * 1_000;
const LIFE_MS: i64 = 48 * 3_600 * 1_000;
/// A user's eleventh cursor ends the one that he opened first.
const PER_USER: usize = 10;

/// The open cursors, by their number.
#[derive(Default)]
pub(crate) struct Cursors {
    open: HashMap<Id, Cursor>,
    made: u64,
}

#[derive(Clone)]
pub(super) struct Cursor {
    pub(super) plan: Arc<Plan>,
    pub(super) slots: Arc<[Slot]>,
    pub(super) page: usize,
    user: Id,
    opened: i64,
    used: i64,
}

impl Cursor {
    pub(super) fn new(plan: Arc<Plan>, slots: Vec<Slot>, page: usize, actor: Actor) -> Self {
        Self { plan, slots: slots.into(), page, user: actor.user, opened: actor.now, used: actor.now }
    }
}

impl Cursors {
    pub(super) fn open(&mut self, org: &Org, cursor: Cursor) -> Id {
        let own = |(_, other): &(&Id, &Cursor)| other.user == cursor.user;
        if self.open.iter().filter(own).count() >= PER_USER {
            // Ids grow: the first of several that were opened at once is the one with the least.
            let oldest = self.open.iter().filter(own).min_by_key(|(id, other)| (other.opened, **id));
            let oldest = oldest.map(|(id, _)| *id);
            self.open.retain(|id, _| Some(*id) != oldest);
        }
        self.made += 1;
        let id = Id::new("01g", org.instance, self.made);
        self.open.insert(id, cursor);
        id
    }

    /// The cursor that a user opened, if it has neither idled nor lived too long.
    pub(super) fn get(&mut self, id: Id, actor: Actor) -> Option<Cursor> {
        let now = actor.now;
        self.open.retain(|_, cursor| now - cursor.used <= IDLE_MS && now - cursor.opened <= LIFE_MS);
        let cursor = self.open.get_mut(&id).filter(|cursor| cursor.user == actor.user)?;
        cursor.used = now;
        Some(cursor.clone())
    }
}
