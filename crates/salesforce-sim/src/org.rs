//! The state of the org: tables, counters, and how a transaction is taken back.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use crate::{
    automation::Automation,
    cell::{Cell, Row},
    entitlements,
    ids::Id,
    locks::Lock,
    oauth::App,
    rows::Written,
    schema::{Object, Schema, SchemaError},
    soql::Cursors,
    switches::Switches,
    table::{Slot, Table, Tombstone},
    users::{Membership, UserFields},
};

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(crate) user: Id,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
}

/// Everything the org holds.
pub(crate) struct Org {
    pub(crate) schema: Arc<Schema>,
    tables: Vec<Table>,
    /// Field numbers of User, which most rules need.
    pub(crate) user_fields: UserFields,
    pub(crate) id: Id,
    pub(crate) instance: [u8; 2],
    /// The user as whom the tokens act.
    pub(crate) run_as: Id,
    pub(crate) switches: Switches,
    /// Usernames, in lower case, that other orgs use.
    pub(crate) taken_usernames: HashSet<String>,
    /// Usernames that this org shares with others of the process.
    pub(crate) usernames: Option<Membership>,
    /// Feature licences (`UserPermissionsMarketingUser`, ...) that run out, with their number.
    pub(crate) feature_totals: HashMap<String, i64>,
    /// Why a user cannot be deactivated, in Salesforce's words.
    pub(crate) blockers: HashMap<Id, Vec<String>>,
    /// What the call that writes could not have for itself.
    pub(crate) contended: HashSet<Lock>,
    /// Who may ask for tokens.
    pub(crate) apps: Vec<App>,
    /// Hosts that serve every org: they do not know which one a call without a user is for.
    pub(crate) login_hosts: Vec<String>,
    /// Passwords of users that have one of their own.
    passwords: HashMap<Id, String>,
    pub(crate) crm: crate::crm::Settings,
    pub(crate) entitlements: entitlements::Facts,
    /// When describe last changed, in milliseconds.
    pub(crate) described_at: i64,
    pub(crate) described: crate::describe::Kept,
    pub(crate) cursors: Mutex<Cursors>,
    counters: HashMap<String, i64>,
    undo: Vec<Undo>,
    pub(crate) automation: Automation,
    /// What the running transaction has written; `None` until the org is built.
    pub(crate) written: Option<Written>,
    last_stamp: i64,
}

/// How to take back one step.
enum Undo {
    Row { table: usize, slot: Slot, before: Option<Arc<Row>> },
    Bin { table: usize, slot: Slot, before: Option<Tombstone> },
    Counter { name: String, by: i64 },
    Claimed { username: String },
    Released { username: String },
    Password { user: Id, before: Option<String> },
}

/// A point to which a transaction can go back.
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

impl Org {
    pub(crate) fn new(schema: Schema, instance: [u8; 2], switches: Switches, now: i64) -> Self {
        let schema = Arc::new(schema);
        let user = schema.object("User").expect("data/objects.tsv has User");
        Self {
            user_fields: UserFields::new(user),
            tables: schema.objects.iter().cloned().map(Table::new).collect(),
            schema,
            id: Id::new("00D", instance, 1),
            instance,
            run_as: Id::new("005", instance, 0),
            switches,
            taken_usernames: HashSet::new(),
            usernames: None,
            feature_totals: HashMap::new(),
            blockers: HashMap::new(),
            contended: HashSet::new(),
            apps: Vec::new(),
            login_hosts: Vec::new(),
            passwords: HashMap::new(),
            crm: crate::crm::Settings::default(),
            entitlements: entitlements::Facts::default(),
            described_at: now,
            described: crate::describe::Kept::default(),
            cursors: Mutex::default(),
            counters: HashMap::new(),
            undo: Vec::new(),
            automation: Automation::default(),
            written: None,
            last_stamp: 0,
        }
    }

    pub(crate) fn table(&self, object: &Object) -> &Table {
        &self.tables[object.index]
    }

    /// The table of an object that `data/` surely has.
    ///
    /// # Panics
    ///
    /// If `data/objects.tsv` lacks it: a mistake in this crate, found by any test.
    pub(crate) fn table_of(&self, object: &str) -> &Table {
        self.table(self.schema.object(object).expect("the rules name only objects of data/"))
    }

    /// The object that an id's prefix names.
    pub(crate) fn object_of(&self, id: Id) -> Option<&Arc<Object>> {
        self.schema.objects.iter().find(|object| object.key_prefix == id.prefix())
    }

    /// The record with this id, whatever its object.
    pub(crate) fn record(&self, id: Id) -> Option<&Arc<Row>> {
        self.table(self.object_of(id)?).get(id)
    }

    /// Whether the org is a sandbox.
    pub(crate) fn is_sandbox(&self) -> bool {
        let table = self.table_of("Organization");
        table.get(self.id).is_some_and(|row| row.get(table.object.at("IsSandbox")).as_bool())
    }

    /// Whether its edition is the free one with lower limits.
    pub(crate) fn is_developer(&self) -> bool {
        let table = self.table_of("Organization");
        let edition = table.get(self.id).map(|row| row.get(table.object.at("OrganizationType")));
        edition.and_then(|edition| edition.as_text()).is_some_and(|edition| edition.starts_with("Developer"))
    }

    /// Hides or shows a field such as `User.Division`, as a change of field-level security does.
    pub(crate) fn set_hidden(&mut self, path: &str, hidden: bool, now: i64) -> Result<(), SchemaError> {
        let mut schema = Schema::clone(&self.schema);
        schema.set_hidden(path, hidden)?;
        self.set_schema(Arc::new(schema), now);
        Ok(())
    }

    /// Puts another view on the same fields in place; every describe is new.
    pub(crate) fn set_schema(&mut self, schema: Arc<Schema>, now: i64) {
        self.schema = schema;
        for (table, object) in self.tables.iter_mut().zip(&self.schema.objects) {
            table.object = Arc::clone(object);
        }
        self.described_at = now;
        self.described = crate::describe::Kept::default();
    }

    /// Room for many rows at once.
    pub(crate) fn reserve(&mut self, object: &Object, rows: usize) {
        self.tables[object.index].reserve(rows);
    }

    pub(crate) fn new_id(&mut self, object: &Object) -> Id {
        self.tables[object.index].new_id(self.instance)
    }

    /// The time of a write: whole seconds, never before an earlier write.
    pub(crate) fn stamp(&mut self, now: i64) -> i64 {
        self.last_stamp = self.last_stamp.max(now.div_euclid(1_000) * 1_000);
        self.last_stamp
    }

    pub(crate) fn insert(&mut self, object: &Object, mut row: Row) {
        row.shrink();
        let slot = self.tables[object.index].free_slot();
        self.put(object.index, slot, Some(Arc::new(row)));
    }

    /// Replaces the row with the id of `row`, which must be there.
    pub(crate) fn replace(&mut self, object: &Object, mut row: Row) {
        row.shrink();
        let slot = row.get(0).as_id().and_then(|id| self.tables[object.index].slot(id));
        if let Some(slot) = slot {
            self.put(object.index, slot, Some(Arc::new(row)));
        }
    }

    /// Takes a row away as a delete does: `row` is what the recycle bin keeps of it, `None` where there is
    /// no bin.
    pub(crate) fn bury(&mut self, object: &Object, id: Id, at: i64, row: Option<Row>) {
        let Some(slot) = self.tables[object.index].slot(id) else { return };
        self.put(object.index, slot, None);
        let before = self.tables[object.index].bury(slot, Some(Tombstone::new(id, at, row)));
        self.undo.push(Undo::Bin { table: object.index, slot, before });
    }

    /// Puts a row back that is in the recycle bin; `false` if it is not.
    pub(crate) fn restore(&mut self, object: &Object, id: Id, now: i64) -> bool {
        let table = &self.tables[object.index];
        let Some(row) = table.binned(id, now).cloned() else { return false };
        let Some((slot, _)) = table.tombstones().find(|(_, tombstone)| tombstone.id == id) else {
            return false;
        };
        let before = self.tables[object.index].bury(slot, None);
        self.undo.push(Undo::Bin { table: object.index, slot, before });
        self.put(object.index, slot, Some(row));
        true
    }

    /// Takes a row away without a trace.
    pub(crate) fn remove(&mut self, object: &Object, id: Id) {
        if let Some(slot) = self.tables[object.index].slot(id) {
            self.put(object.index, slot, None);
        }
    }

    fn put(&mut self, table: usize, slot: Slot, row: Option<Arc<Row>>) {
        let before = self.tables[table].put(slot, row);
        self.undo.push(Undo::Row { table, slot, before });
    }

    pub(crate) fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn count(&mut self, name: &str, by: i64) {
        if by != 0 {
            *self.counters.entry(name.to_owned()).or_default() += by;
            self.undo.push(Undo::Counter { name: name.to_owned(), by });
        }
    }

    pub(crate) fn password(&self, user: Id) -> &str {
        self.passwords.get(&user).unwrap_or(&self.switches.default_password)
    }

    pub(crate) fn set_password(&mut self, user: Id, password: &str) {
        let before = self.passwords.insert(user, password.to_owned());
        self.undo.push(Undo::Password { user, before });
    }

    /// Takes a username in every org that shares them, and frees another when the transaction stays.
    /// `false` if another org has it.
    pub(crate) fn rename(&mut self, from: Option<String>, to: Option<String>) -> bool {
        let Some(names) = &mut self.usernames else { return true };
        if let Some(username) = to {
            if !names.claim(&username) {
                return false;
            }
            self.undo.push(Undo::Claimed { username });
        }
        self.undo.extend(from.map(|username| Undo::Released { username }));
        true
    }

    fn release(&mut self, username: &str) {
        let free = {
            let users = self.table_of("User");
            users.find_one(self.user_fields.username, &Cell::text(username)).is_none()
        };
        if let (true, Some(names)) = (free, &mut self.usernames) {
            names.release(username);
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// Takes back everything since `mark`.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            match self.undo.pop() {
                Some(Undo::Row { table, slot, before }) => {
                    self.tables[table].put(slot, before);
                }
                Some(Undo::Bin { table, slot, before }) => {
                    self.tables[table].bury(slot, before);
                }
                Some(Undo::Counter { name, by }) => *self.counters.entry(name).or_default() -= by,
                Some(Undo::Claimed { username }) => self.release(&username),
                Some(Undo::Password { user, before }) => {
                    match before {
                        Some(password) => self.passwords.insert(user, password),
                        None => self.passwords.remove(&user),
                    };
                }
                Some(Undo::Released { .. }) | None => {}
            }
        }
    }

    /// What was written stays.
    pub(crate) fn commit(&mut self) {
        if self.usernames.is_none() {
            self.undo.clear();
        }
        for step in std::mem::take(&mut self.undo) {
            if let Undo::Released { username } = step {
                self.release(&username);
            }
        }
        self.end_transaction();
    }

    /// What follows is another transaction, though all of it can still be taken back.
    pub(crate) fn end_transaction(&mut self) {
        self.written = Some(Written::default());
    }
}
