//! The file: made with 0600, locked against a second gateway, brought up to date.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig};

use super::rows::Doing;
use crate::StoreError;

mod embedded {
    refinery::embed_migrations!("src/sqlite/migrations");
}

/// The newest schema this version knows: the number of its last migration.
pub const SCHEMA: i32 = 8;

/// How long a connection waits for a lock. Readers never wait for the writer under WAL; this is for `gangway
/// changes` beside a gateway that starts or stops.
const BUSY: Duration = Duration::from_secs(5);

/// What one connection may keep of the file in memory, in KiB. There is one writing connection, one for
/// checkpoints, and one for each reading thread; the budget of the whole process is 40 MiB.
const WRITER_CACHE_KIB: u32 = 2048;
const READER_CACHE_KIB: u32 = 1024;

/// More than all statements of this crate, so that none is prepared twice on one connection.
const STATEMENTS: usize = 128;

/// After a burst the log file is cut back to this.
const LOG_BYTES: u32 = 16 << 20;

/// Held for as long as the file is open for writing. The operating system lets go of it when the process
/// ends, however it ends.
///
/// It is a file of its own: `SQLite` uses POSIX locks on the database file, and closing any other handle to
/// that file would drop them.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the file where it is not there, and takes the lock.
pub fn claim(path: &Path) -> Result<Lock, StoreError> {
    let lock_path = beside(path, ".lock");
    let lock = private(&lock_path).map_err(|source| StoreError::file("open", &lock_path, source))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(StoreError::file("lock", &lock_path, source)),
    }
    // SQLite gives `-wal` and `-shm` the mode of the database, so making it first with 0600 is enough for all
    // three.
    private(path).map_err(|source| StoreError::file("open", path, source))?;
    Ok(Lock { _file: lock })
}

/// The path with something put behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens a file for writing; if it has to be made, nobody else can read it.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The connection that writes, with the schema brought up to date. Only for who holds the [`Lock`].
pub fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
    let doing = "open the database";
    connection.pragma_update(None, "journal_mode", "WAL").doing(doing)?;
    connection.pragma_update(None, "foreign_keys", true).doing(doing)?;
    // What savepoints copy stays in memory; a batch is small.
    connection.pragma_update(None, "temp_store", "MEMORY").doing(doing)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES).doing(doing)?;
    // Checkpoints are made beside the writer (checkpoint.rs).
    connection.pragma_update(None, "wal_autocheckpoint", 0).doing(doing)?;
    check_newer(&connection, path)?;
    embedded::migrations::runner()
        // A file of the next version has migrations that this one lacks; `check_newer` has seen that it may
        // be used.
        .set_abort_missing(false)
        .run(&mut connection)
        .map_err(|source| StoreError::Database {
            doing: "bring the schema up to date",
            source: std::sync::Arc::new(source),
        })?;
    Ok(connection)
}

/// A connection that makes checkpoints.
pub fn open_checkpointer(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB)
}

/// A connection to the secrets and leases of a file that a gateway may have open.
pub fn open_beside(path: &Path) -> Result<Connection, StoreError> {
    require(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, READER_CACHE_KIB)?;
    check_schema(&connection, path)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0).doing("open the database")?;
    connection.pragma_update(None, "synchronous", "FULL").doing("open the database")?;
    Ok(connection)
}

/// A connection that reads.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true).doing("open the database")?;
    Ok(connection)
}

/// Whether a file that nobody brings up to date can be read by this version.
pub fn check_schema(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    check_newer(connection, path)?;
    let found = applied(connection)?;
    if found < SCHEMA {
        return Err(StoreError::Older { path: path.to_owned(), found, known: SCHEMA });
    }
    Ok(())
}

fn connect(path: &Path, flags: OpenFlags, cache_kib: u32) -> Result<Connection, StoreError> {
    let doing = "open the database";
    // One thread at a time has a connection, so SQLite need not guard it.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).doing(doing)?;
    connection.busy_timeout(BUSY).doing(doing)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib)).doing(doing)?;
    connection.pragma_update(None, "mmap_size", 0).doing(doing)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).doing(doing)?;
    // A plan must not depend on the values that are bound: SQLite would plan anew at each binding, which
    // costs more than a point read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing(doing)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Refuses a file whose schema has become more than an addition to what this version knows.
fn check_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if !has_table(connection, "meta")? {
        return Ok(());
    }
    let usable_from: Option<i32> = connection
        .query_row(
            "SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'usable-from'",
            [],
            |row| row.get(0),
        )
        .optional()
        .doing("read meta")?;
    match usable_from {
        Some(needed) if needed > SCHEMA => {
            Err(StoreError::Newer { path: path.to_owned(), found: applied(connection)?, known: SCHEMA })
        }
        Some(_) | None => Ok(()),
    }
}

/// The number of the last migration in the file.
fn applied(connection: &Connection) -> Result<i32, StoreError> {
    if !has_table(connection, "refinery_schema_history")? {
        return Ok(0);
    }
    connection
        .query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))
        .doing("read refinery_schema_history")
}

fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", [name], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .doing("read sqlite_schema")
}

/// A file that is not there cannot be opened for reading; `SQLite`'s own words do not say which one.
pub fn require(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(source) if source.kind() == ErrorKind::NotFound => Err(StoreError::file("find", path, source)),
        Err(source) => Err(StoreError::file("open", path, source)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes a file as an earlier version left it.
    pub fn make_with_schema(path: &Path, version: i32) {
        let mut connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        embedded::migrations::runner()
            .set_target(refinery::Target::Version(version))
            .run(&mut connection)
            .unwrap();
    }

    #[test]
    fn the_schema_number_is_that_of_the_last_migration() {
        let last =
            embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max();
        assert_eq!(last, Some(SCHEMA));
    }
}
