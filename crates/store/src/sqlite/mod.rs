//! `SQLite`: the store that is embedded in the binary.
//!
//! One thread writes ([`writer`]), every thread reads ([`readers`]). `directory` and `find` answer questions;
//! `journal`, with `resource`, `links`, `grants`, `tasks`, `audit` and `chain`, writes; `file` opens and locks; the schema is in
//! `migrations/`.

mod audit;
mod catalogues;
mod chain;
mod checkpoint;
mod consents;
mod directory;
mod file;
mod filter_sql;
mod find;
mod grants;
mod holds;
mod inbox;
mod journal;
mod lease;
mod links;
mod lockouts;
mod members;
mod outbox;
mod readers;
mod resource;
mod rows;
mod source_names;
mod targets;
mod tasks;
mod vault;
mod writer;

use std::{path::Path, sync::Arc};

use rusqlite::Connection;

use self::{
    checkpoint::Checkpointer,
    find::Limits,
    readers::Readers,
    writer::{Durability, Writer},
};
use crate::{MasterKey, StoreError};

pub use self::vault::SqliteVault;

/// The store in one `SQLite` file. Clones share it.
#[derive(Clone)]
pub struct SqliteStore(Arc<Shared>);

struct Shared {
    /// Absent when the file is only read.
    writer: Option<Writer>,
    readers: Arc<Readers>,
    /// Absent when the file is only read.
    key: Option<Arc<MasterKey>>,
    limits: Limits,
}

impl SqliteStore {
    /// Opens the file, makes it (mode 0600) where it is not there, and brings its schema up to date. Two more
    /// files stand beside it while it is open (`-wal`, `-shm`) and one for ever (`.lock`).
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] while another process has it open so; [`StoreError::Sealed`] when it holds
    /// secrets that were encrypted with another key; [`StoreError::Newer`] when a newer version wrote it;
    /// [`StoreError::File`] and [`StoreError::Database`] for what the system says.
    pub fn open(path: impl AsRef<Path>, key: MasterKey) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let lock = file::claim(path)?;
        let connection = file::open_writer(path)?;
        vault::check_key(&connection, &key)?;
        chain::take_in(&connection)?;
        lease::forget_gateways(&connection)?;
        let checkpointer = Checkpointer::start(path.to_owned())?;
        Ok(Self(Arc::new(Shared {
            writer: Some(Writer::start(connection, checkpointer, lock)?),
            readers: Arc::new(Readers::new(path.to_owned())),
            key: Some(Arc::new(key)),
            limits: Limits::default(),
        })))
    }

    /// Opens a file for reading, also while a gateway has it open. Every write answers
    /// [`StoreError::ReadOnly`], and no secret can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::File`] when the file is not there; [`StoreError::Newer`] and [`StoreError::Older`] when
    /// it was written by another version.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        file::require(path)?;
        let readers = Arc::new(Readers::new(path.to_owned()));
        readers.read(|reader| file::check_schema(reader.connection(), path))?;
        Ok(Self(Arc::new(Shared { writer: None, readers, key: None, limits: Limits::default() })))
    }

    /// Finishes every write that was asked for, moves the log into the file and closes it. Later calls answer
    /// [`StoreError::Closed`]. A store that is dropped does the same; one that is killed loses nothing that
    /// was answered.
    pub async fn close(&self) {
        self.0.readers.close();
        if let Some(writer) = &self.0.writer {
            writer.stop().await;
        }
    }

    /// How many transactions have been committed since the file was opened, and how many of them waited for
    /// the disk. For measurements.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        self.0.writer.as_ref().map_or((0, 0), |writer| (writer.commits().all(), writer.commits().synced()))
    }

    async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.writer.as_ref().ok_or(StoreError::ReadOnly)?.write(durability, work).await
    }

    /// The same file with other limits for scans: tests need not make 200,000 resources.
    #[cfg(test)]
    fn with_limits(self, limits: Limits) -> Self {
        let mut shared = Arc::into_inner(self.0).expect("the only clone");
        shared.limits = limits;
        Self(Arc::new(shared))
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
