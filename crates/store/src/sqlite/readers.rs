//! Reading connections.
//!
//! A point read takes some ten microseconds, less than a thread hop, so it is done where it is asked for:
//! each thread has a connection of its own. What may take longer goes to a blocking thread, with one of a few
//! pooled connections.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use model::TenantId;
use rusqlite::{CachedStatement, Connection};
use tokio::sync::Semaphore;

use super::{
    file,
    rows::{self, Doing, TenantKey},
};
use crate::StoreError;

/// How many long reads run at once: so many page caches, and so many cores that scans may keep from point
/// reads.
const LONG_READS: usize = 2;

thread_local! {
    /// This thread's connections: one for each store that is open in this process, which is one outside
    /// tests.
    static HERE: RefCell<Vec<(Weak<Readers>, Rc<Reader>)>> = const { RefCell::new(Vec::new()) };
}

/// All reading connections of a store.
pub struct Readers {
    path: PathBuf,
    closed: AtomicBool,
    idle: Mutex<Vec<Reader>>,
    long_reads: Arc<Semaphore>,
}

impl Readers {
    /// Readers of a file. None is opened before it is needed.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            closed: AtomicBool::new(false),
            idle: Mutex::default(),
            long_reads: Arc::new(Semaphore::new(LONG_READS)),
        }
    }

    /// Reads on this thread, at once. Only for what takes microseconds.
    pub fn read<T>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&*self.here()?)
    }

    /// Reads on a blocking thread, when it is this read's turn.
    pub async fn read_long<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.long_reads).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let reader = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match reader {
                Some(reader) => reader,
                None => readers.open()?,
            };
            let result = read(&reader);
            if !readers.is_closed() {
                readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            }
            result
        })
        .await
        .map_err(|_| StoreError::BrokeOff)?
    }

    /// Refuses every later read. Connections of other threads are closed when their threads end.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.long_reads.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        HERE.with_borrow_mut(|here| here.retain(|(of, _)| !std::ptr::eq(of.as_ptr(), self)));
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn here(self: &Arc<Self>) -> Result<Rc<Reader>, StoreError> {
        if self.is_closed() {
            return Err(StoreError::Closed);
        }
        HERE.with_borrow_mut(|here| {
            if let Some((_, reader)) =
                here.iter().find(|(of, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(self)))
            {
                return Ok(Rc::clone(reader));
            }
            here.retain(|(of, _)| of.strong_count() > 0);
            let reader = Rc::new(self.open()?);
            here.push((Arc::downgrade(self), Rc::clone(&reader)));
            Ok(reader)
        })
    }

    fn open(&self) -> Result<Reader, StoreError> {
        if self.is_closed() {
            return Err(StoreError::Closed);
        }
        Ok(Reader { connection: file::open_reader(&self.path)?, tenants: RefCell::default() })
    }
}

/// One reading connection.
pub struct Reader {
    connection: Connection,
    /// Tenants' numbers never change once they are there.
    tenants: RefCell<HashMap<TenantId, TenantKey>>,
}

impl Reader {
    /// A statement that is prepared once for each connection.
    pub fn statement(&self, sql: &str, doing: &'static str) -> Result<CachedStatement<'_>, StoreError> {
        self.connection.prepare_cached(sql).doing(doing)
    }

    /// The connection, for what is said in one statement.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A tenant's number; `None` for one of which nothing is known.
    pub fn tenant(&self, tenant: &TenantId) -> Result<Option<TenantKey>, StoreError> {
        if let Some(key) = self.tenants.borrow().get(tenant) {
            return Ok(Some(*key));
        }
        let key = rows::tenant_key(&self.connection, tenant)?;
        if let Some(key) = key {
            self.tenants.borrow_mut().insert(tenant.clone(), key);
        }
        Ok(key)
    }

    /// Several statements that see one state.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let doing = "begin to read";
        self.statement("BEGIN", doing)?.execute([]).doing(doing)?;
        let end = End(&self.connection);
        let result = read(self);
        drop(end);
        result
    }
}

/// Ends a reading transaction, also when the read panics.
struct End<'a>(&'a Connection);

impl Drop for End<'_> {
    fn drop(&mut self) {
        // Ending a transaction that only read cannot lose anything.
        let _ = self.0.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    }
}
