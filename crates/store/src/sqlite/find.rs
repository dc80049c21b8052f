//! Lists and searches.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use model::{ResourceKind, TenantId, Timestamp};
use rusqlite::{params, params_from_iter, types::Value as Sql};
use scim_types::{AttrPath, Filter, Registry, ResourceType, fold, schema::AttributeType};
use serde_json::{Map, Value};

use super::{
    directory::{count, one},
    filter_sql::{self, Plan, Probe, limit, sort_column},
    members::{groups_of, members_of},
    readers::Reader,
    rows::{Doing, STORED_COLUMNS, Stored, TenantKey, kind_key, signed, unsigned},
};
use crate::{Cursor, Page, Query, SortBy, StoreError, StoredResource, Window};

const READ: &str = "read resources";

/// How much one search may look at when no index answers it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows: u64,
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Two seconds leave room under the five in which clients want an answer (C-14). In a second some
        // 100,000 resources are read, parsed and compared.
        Self { rows: 200_000, time: Duration::from_secs(2) }
    }
}

/// Resources that a narrow index may find on the caller's own thread: about a millisecond.
const AT_ONCE: usize = 32;

/// One search, owned so that it can go to another thread.
pub struct Search {
    query: Query,
    limits: Limits,
}

impl Search {
    pub fn new(query: &Query, limits: Limits) -> Self {
        let mut query = query.clone();
        if matches!(query.window, Window::Cursor { .. }) {
            // A cursor is a place in the creation sequence.
            query.sort = None;
        }
        Self { query, limits }
    }

    /// The page, if it takes microseconds to find: one name, or a narrow index. `None`: do [`run`](Self::run)
    /// elsewhere.
    pub fn at_once(&self, reader: &Reader, tenant: &TenantId) -> Result<Option<Page>, StoreError> {
        let plan = Plan::of(self.query.filter.as_ref());
        // A group may have ten thousand members.
        let asks_members = matches!(&plan, Plan::Among(_, filter) if names(filter, "members"));
        if self.query.kind == ResourceKind::Group && (self.query.with_members || asks_members) {
            return Ok(None);
        }
        let narrow = match &plan {
            Plan::Exactly(probe) => probe.index.is_narrow(),
            Plan::Among(probes, _) => probes.len() <= 2 && probes.iter().all(|probe| probe.index.is_narrow()),
            Plan::All | Plan::Scan(_) => false,
        };
        if !narrow {
            return Ok(None);
        }
        let Some(tenant) = reader.tenant(tenant)? else { return Ok(Some(Page::empty())) };
        reader.snapshot(|reader| {
            let run = Run::new(reader, tenant, self);
            if let Some(name) = self.query.filter.as_ref().and_then(filter_sql::user_name) {
                return run.named(&name).map(Some);
            }
            let (probes, filter) = match &plan {
                Plan::Exactly(probe) => (std::slice::from_ref(probe), None),
                Plan::Among(probes, filter) => (probes.as_slice(), Some(*filter)),
                Plan::All | Plan::Scan(_) => return Ok(None),
            };
            let candidates = run.candidates(probes, AT_ONCE)?;
            candidates.map(|candidates| run.among(candidates, filter)).transpose()
        })
    }

    /// The page, however long it takes within the limits.
    pub fn run(&self, reader: &Reader, tenant: &TenantId) -> Result<Page, StoreError> {
        let Some(tenant) = reader.tenant(tenant)? else { return Ok(Page::empty()) };
        reader.snapshot(|reader| {
            let run = Run::new(reader, tenant, self);
            if let Some(name) = self.query.filter.as_ref().and_then(filter_sql::user_name) {
                return run.named(&name);
            }
            let column = match &self.query.sort {
                None => Some(None),
                Some(sort) => sort_column(&sort.path).map(|column| Some((column, sort.descending))),
            };
            match (Plan::of(self.query.filter.as_ref()), column) {
                (Plan::All, Some(order)) => run.listed(None, order),
                (Plan::Exactly(probe), Some(order)) => run.listed(Some(&probe), order),
                (Plan::Exactly(probe), None) => run.among_all(std::slice::from_ref(&probe), None),
                (Plan::Among(probes, filter), _) => run.among_all(&probes, Some(filter)),
                (Plan::All, None) => run.scanned(None),
                (Plan::Scan(filter), _) => run.scanned(Some(filter)),
            }
        })
    }
}

impl Page {
    fn empty() -> Self {
        Self { total: 0, resources: Vec::new(), next: None }
    }
}

/// A match, before the page is cut out: its place in the creation sequence and its row.
type Found = (i64, i64);

/// One search on one snapshot.
struct Run<'a> {
    reader: &'a Reader,
    tenant: TenantKey,
    kind: ResourceKind,
    resource_type: &'static ResourceType,
    query: &'a Query,
    limits: Limits,
    started: Instant,
}

impl<'a> Run<'a> {
    fn new(reader: &'a Reader, tenant: TenantKey, search: &'a Search) -> Self {
        let registry = Registry::standard();
        Self {
            reader,
            tenant,
            kind: search.query.kind,
            resource_type: match search.query.kind {
                ResourceKind::User => registry.user(),
                ResourceKind::Group => registry.group(),
            },
            query: &search.query,
            limits: search.limits,
            started: Instant::now(),
        }
    }

    /// The one user of this name, pending or not.
    fn named(&self, user_name_key: &str) -> Result<Page, StoreError> {
        let mut select = self.reader.statement(
            &format!("SELECT {STORED_COLUMNS} FROM resources r WHERE r.tenant = ?1 AND r.user_name_key = ?2"),
            READ,
        )?;
        let mut found = select.query(params![self.tenant.0, user_name_key]).doing(READ)?;
        let user = one(self.reader, self.kind, &mut found, 0)?.resource();
        let total = u64::from(user.is_some());
        let first = match self.query.window {
            Window::Index { offset, count } => offset == 0 && count > 0,
            // Whoever asks for what comes after the only match has it already.
            Window::Cursor { after, count } => after.is_none() && count > 0,
        };
        Ok(Page { total, resources: user.filter(|_| first).into_iter().collect(), next: None })
    }

    /// A part of an index, in the order of a column (and whether descending) or of creation. Nothing is read
    /// but the page.
    fn listed(&self, probe: Option<&Probe>, order: Option<(&str, bool)>) -> Result<Page, StoreError> {
        let by_name = probe.is_none() && order.is_some_and(|(column, _)| column == "r.user_name_key");
        let from_where = match probe {
            Some(probe) => probe.index.source(),
            // `?3` is not used; SQLite wants every number up to the highest.
            None if by_name => {
                "FROM resources r INDEXED BY resources_by_user_name
                 WHERE r.tenant = ?1 AND ?2 = ?2 AND ?3 IS NULL AND r.user_name_key IS NOT NULL
                 AND r.seq IS NOT NULL"
            }
            None => {
                "FROM resources r INDEXED BY resources_by_seq
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND ?3 IS NULL AND r.seq IS NOT NULL"
            }
        };
        let value = probe.map_or(Sql::Null, |probe| probe.value.clone());
        let scope = [Sql::Integer(self.tenant.0), Sql::Integer(kind_key(self.kind)), value];
        let total = match probe {
            None => count(self.reader, self.tenant, self.kind)?,
            Some(_) => self.counted(from_where, &scope)?,
        };
        // Without an index on the order, SQLite sorts all that match.
        if order.is_some() && !by_name && total > self.limits.rows {
            return Err(self.too_many());
        }
        let order = match order {
            None => "r.seq".to_owned(),
            Some((column, false)) if by_name => format!("{column}, r.seq"),
            Some((column, true)) if by_name => format!("{column} DESC, r.seq"),
            Some((column, false)) => format!("{column} IS NULL, {column}, r.seq"),
            Some((column, true)) => format!("{column} IS NOT NULL, {column} DESC, r.seq"),
        };
        let (after, offset, count) = match self.query.window {
            Window::Index { offset, count } => (None, offset, u64::from(count)),
            // One more, to know whether there is a next page.
            Window::Cursor { after, count } => (after, 0, u64::from(count) + 1),
        };
        if count == 0 {
            return Ok(Page { total, ..Page::empty() });
        }
        let sql =
            format!("SELECT r.seq, r.key {from_where} AND r.seq > ?4 ORDER BY {order} LIMIT ?5 OFFSET ?6");
        let from = Sql::Integer(after.map_or(-1, |cursor| signed(cursor.0)));
        let scope = scope.into_iter().chain([from, limit(count), limit(offset)]);
        let found = self.found(&sql, params_from_iter(scope), usize::MAX)?;
        let (found, next) = self.cut(found)?;
        Ok(Page { total, resources: self.load(&found)?, next })
    }

    fn counted(&self, from_where: &str, scope: &[Sql; 3]) -> Result<u64, StoreError> {
        let mut select = self.reader.statement(&format!("SELECT count(*) {from_where}"), READ)?;
        let count: i64 =
            select.query_row(params_from_iter(scope), |row| row.get(0)).doing("count resources")?;
        unsigned("resources", count)
    }

    /// What the probes find, in the creation sequence; `None` if that is more than `most`.
    fn candidates(&self, probes: &[Probe], most: usize) -> Result<Option<BTreeSet<Found>>, StoreError> {
        let mut all = BTreeSet::new();
        for probe in probes {
            let sql = format!("SELECT r.seq, r.key {} LIMIT ?4", probe.index.source());
            let found = self.found(
                &sql,
                params![self.tenant.0, kind_key(self.kind), probe.value, limit(most as u64 + 1)],
                most,
            )?;
            all.extend(found);
            if all.len() > most {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// Rows of `seq, key`, and one more than `most` at most.
    fn found(&self, sql: &str, params: impl rusqlite::Params, most: usize) -> Result<Vec<Found>, StoreError> {
        let mut select = self.reader.statement(sql, READ)?;
        let mut rows = select.query(params).doing(READ)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().doing(READ)? {
            found.push((row.get(0).doing(READ)?, row.get(1).doing(READ)?));
            if found.len() > most {
                break;
            }
        }
        Ok(found)
    }

    fn among_all(&self, probes: &[Probe], filter: Option<&Filter>) -> Result<Page, StoreError> {
        let most = usize::try_from(self.limits.rows).unwrap_or(usize::MAX);
        let candidates = self.candidates(probes, most)?.ok_or_else(|| self.too_many())?;
        self.among(candidates, filter)
    }

    /// Of these, the page of what matches.
    fn among(&self, candidates: BTreeSet<Found>, filter: Option<&Filter>) -> Result<Page, StoreError> {
        let mut matches = Matches::new(self, filter);
        if filter.is_none() && self.query.sort.is_none() {
            matches.found = candidates.into_iter().map(|found| (None, found)).collect();
            return matches.page();
        }
        let mut select = self
            .reader
            .statement(&format!("SELECT {STORED_COLUMNS} FROM resources r WHERE r.key = ?1"), READ)?;
        for (_, key) in candidates {
            let mut rows = select.query([key]).doing(READ)?;
            if let Some(row) = rows.next().doing(READ)? {
                matches.look_at(Stored::read(self.kind, row)?)?;
            }
        }
        matches.page()
    }

    /// Of everything, the page of what matches.
    fn scanned(&self, filter: Option<&Filter>) -> Result<Page, StoreError> {
        // Who has more than can be looked at need not wait for the answer.
        if count(self.reader, self.tenant, self.kind)? > self.limits.rows {
            return Err(self.too_many());
        }
        let mut matches = Matches::new(self, filter);
        let mut select = self.reader.statement(
            &format!(
                "SELECT {STORED_COLUMNS} FROM resources r INDEXED BY resources_by_seq
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.seq IS NOT NULL ORDER BY r.seq"
            ),
            READ,
        )?;
        let mut rows = select.query(params![self.tenant.0, kind_key(self.kind)]).doing(READ)?;
        while let Some(row) = rows.next().doing(READ)? {
            matches.look_at(Stored::read(self.kind, row)?)?;
        }
        matches.page()
    }

    /// Cuts the extra match off a page by cursor.
    fn cut(&self, mut found: Vec<Found>) -> Result<(Vec<Found>, Option<Cursor>), StoreError> {
        let Window::Cursor { count, .. } = self.query.window else { return Ok((found, None)) };
        let count = count as usize;
        let more = found.len() > count;
        found.truncate(count);
        let next = match found.last() {
            Some((seq, _)) if more => Some(Cursor(unsigned("resources", *seq)?)),
            _ => None,
        };
        Ok((found, next))
    }

    /// The resources of these rows, as they are shown.
    fn load(&self, found: &[Found]) -> Result<Vec<StoredResource>, StoreError> {
        let mut select = self
            .reader
            .statement(&format!("SELECT {STORED_COLUMNS} FROM resources r WHERE r.key = ?1"), READ)?;
        let mut resources = Vec::with_capacity(found.len());
        for (_, key) in found {
            let mut rows = select.query([key]).doing(READ)?;
            if let Some(row) = rows.next().doing(READ)? {
                let mut stored = Stored::read(self.kind, row)?;
                self.complete(&mut stored, true, self.query.with_members)?;
                resources.push(stored.resource);
            }
        }
        Ok(resources)
    }

    /// Adds a user's groups and a group's members, where they are wanted.
    fn complete(&self, stored: &mut Stored, groups: bool, members: bool) -> Result<(), StoreError> {
        match self.kind {
            ResourceKind::User if groups => {
                stored.resource.groups = groups_of(self.reader.connection(), stored.key)?;
            }
            ResourceKind::Group if members => {
                stored.resource.members =
                    members_of(self.reader.connection(), stored.key, usize::MAX)?.unwrap_or_default();
            }
            ResourceKind::User | ResourceKind::Group => {}
        }
        Ok(())
    }

    fn too_many(&self) -> StoreError {
        StoreError::TooMany {
            rows: self.limits.rows,
            time: self.limits.time,
            indexed: filter_sql::indexed(self.kind),
        }
    }
}

/// The matches among resources that are looked at one by one.
struct Matches<'a> {
    run: &'a Run<'a>,
    filter: Option<&'a Filter>,
    /// Whether filter or sort ask about a user's groups or a group's members.
    groups: bool,
    members: bool,
    looked_at: u64,
    found: Vec<(Option<SortKey>, Found)>,
}

impl<'a> Matches<'a> {
    fn new(run: &'a Run<'a>, filter: Option<&'a Filter>) -> Self {
        let sort = run.query.sort.as_ref().map(|sort| &sort.path);
        let asks = |top: &str| {
            filter.is_some_and(|filter| names(filter, top))
                || sort.is_some_and(|path| path.top().as_str() == top)
        };
        Self {
            run,
            filter,
            groups: asks("groups"),
            members: asks("members"),
            looked_at: 0,
            found: Vec::new(),
        }
    }

    fn look_at(&mut self, mut stored: Stored) -> Result<(), StoreError> {
        let Self { run, .. } = self;
        self.looked_at += 1;
        // Reading the clock costs as much as a tenth of a resource.
        if self.looked_at > run.limits.rows
            || (self.looked_at.is_multiple_of(64) && run.started.elapsed() > run.limits.time)
        {
            return Err(run.too_many());
        }
        let Some(seq) = stored.seq else { return Ok(()) };
        run.complete(&mut stored, self.groups, self.members)?;
        let attributes = stored.resource.attributes()?;
        if self.filter.is_none_or(|filter| filter.matches(run.resource_type, &attributes)) {
            let key = run.query.sort.as_ref().and_then(|sort| sort_key(&sort.path, &attributes));
            self.found.push((key, (seq, stored.key)));
        }
        Ok(())
    }

    fn page(mut self) -> Result<Page, StoreError> {
        let total = self.found.len() as u64;
        if let Some(SortBy { descending, .. }) = self.run.query.sort {
            // Stable, so equal ones stay in the creation sequence.
            self.found.sort_by(|(a, _), (b, _)| {
                let order = compare_keys(a.as_ref(), b.as_ref());
                if descending { order.reverse() } else { order }
            });
        }
        let found = self.found.into_iter().map(|(_, found)| found);
        let found: Vec<Found> = match self.run.query.window {
            Window::Index { offset, count } => {
                found.skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(count as usize).collect()
            }
            Window::Cursor { after, count } => {
                let after = after.map_or(-1, |cursor| signed(cursor.0));
                found.filter(|(seq, _)| *seq > after).take((count as usize).saturating_add(1)).collect()
            }
        };
        let (found, next) = self.run.cut(found)?;
        Ok(Page { total, resources: self.run.load(&found)?, next })
    }
}

/// Whether a filter asks about this attribute or a part of it.
fn names(filter: &Filter, top: &str) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(|part| names(part, top)),
        Filter::Not(inner) => names(inner, top),
        Filter::Compare { path, .. } | Filter::Present { path } | Filter::ValuePath { path, .. } => {
            path.top().as_str() == top
        }
    }
}

/// What a resource is sorted by.
#[derive(Debug)]
enum SortKey {
    Boolean(bool),
    Number(f64),
    Instant(Timestamp),
    Text(String),
}

/// The value at a path: of several the primary one, else the first (RFC 7644 §3.4.2.3).
fn sort_key(path: &AttrPath, attributes: &Map<String, Value>) -> Option<SortKey> {
    let (attribute, sub) = path.parts();
    let sub = sub.or_else(|| attribute.sub("value").filter(|_| attribute.attribute().is_complex()));
    let values = attribute.values_in(attributes);
    let is_primary = |value: &&&Value| value.get("primary") == Some(&Value::Bool(true));
    let value = *values.iter().find(is_primary).or_else(|| values.first())?;
    let (value, schema) = match &sub {
        Some(sub) => (value.get(sub.name())?, sub.attribute()),
        None => (value, attribute.attribute()),
    };
    match (value, schema.type_) {
        (Value::Bool(value), _) => Some(SortKey::Boolean(*value)),
        (Value::Number(value), _) => value.as_f64().map(SortKey::Number),
        (Value::String(text), AttributeType::DateTime) => match text.parse() {
            Ok(at) => Some(SortKey::Instant(at)),
            Err(_) => Some(SortKey::Text(text.clone())),
        },
        (Value::String(text), _) if schema.case_exact => Some(SortKey::Text(text.clone())),
        (Value::String(text), _) => Some(SortKey::Text(fold(text))),
        (Value::Null | Value::Array(_) | Value::Object(_), _) => None,
    }
}

/// Without a value comes last in ascending order (RFC 7644 §3.4.2.3).
fn compare_keys(a: Option<&SortKey>, b: Option<&SortKey>) -> Ordering {
    use SortKey::{Boolean, Instant, Number, Text};
    let rank = |key: Option<&SortKey>| match key {
        Some(Boolean(_)) => 0,
        Some(Number(_)) => 1,
        Some(Instant(_)) => 2,
        Some(Text(_)) => 3,
        None => 4,
    };
    match (a, b) {
        (Some(Boolean(a)), Some(Boolean(b))) => a.cmp(b),
        (Some(Number(a)), Some(Number(b))) => a.total_cmp(b),
        (Some(Instant(a)), Some(Instant(b))) => a.cmp(b),
        (Some(Text(a)), Some(Text(b))) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}
