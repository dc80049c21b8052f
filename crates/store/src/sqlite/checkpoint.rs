//! Checkpoints: moving the log (`-wal`) into the database file, beside the writer.
//!
//! `SQLite` would do it inside the commit that makes the log long, and that commit's caller would wait for two
//! syncs and some hundred page writes. A passive checkpoint on another connection waits for nobody and stops
//! nobody; when it has reached the end of the log, the writer's next commit starts it anew.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use super::file;
use crate::StoreError;

/// Jobs between checkpoints: at about eight pages each, some 12 MiB of log. A page that many of them change is moved once.
const JOBS: usize = 400;

/// Pages of log (4 KiB each: 64 MiB) at which the writer makes a checkpoint itself. Under unbroken load the
/// passive ones never reach the end of a log that grows meanwhile.
const LONG_LOG: i64 = 16_384;

/// The writer's end of the checkpoint thread.
pub struct Checkpointer {
    nudge: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    long_log: Arc<AtomicBool>,
    jobs: usize,
}

impl Checkpointer {
    /// Starts the thread.
    pub fn start(path: PathBuf) -> Result<Self, StoreError> {
        // One nudge waits at most: it carries nothing.
        let (nudge, nudged) = mpsc::sync_channel(1);
        let long_log = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&long_log);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&path, &nudged, &flag))
            .map_err(|source| StoreError::Database {
                doing: "start the checkpoint thread",
                source: Arc::new(source),
            })?;
        Ok(Self { nudge: Some(nudge), thread: Some(thread), long_log, jobs: 0 })
    }

    /// Hears of committed jobs.
    pub fn wrote(&mut self, jobs: usize, writer: &Connection) {
        self.jobs += jobs;
        if self.jobs < JOBS {
            return;
        }
        self.jobs = 0;
        if self.long_log.swap(false, Ordering::Relaxed) {
            checkpoint(writer);
        }
        if let Some(nudge) = &self.nudge {
            // Full: it has been nudged already.
            let _ = nudge.try_send(());
        }
    }

    /// Ends the thread.
    pub fn stop(&mut self) {
        self.nudge.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(path: &std::path::Path, nudged: &mpsc::Receiver<()>, long_log: &AtomicBool) {
    // Opened at the first nudge, so that a start does not wait for it.
    let mut connection = None;
    while nudged.recv().is_ok() {
        if connection.is_none() {
            connection = file::open_checkpointer(path)
                .inspect_err(|error| tracing::warn!(%error, "no checkpoints of the store can be made"))
                .ok();
        }
        if let Some(connection) = &connection
            && checkpoint(connection).is_some_and(|pages| pages > LONG_LOG)
        {
            long_log.store(true, Ordering::Relaxed);
        }
    }
}

/// Moves what can be moved. Answers the length of the log in pages.
fn checkpoint(connection: &Connection) -> Option<i64> {
    connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
        .and_then(|mut checkpoint| checkpoint.query_row([], |row| row.get(1)))
        .inspect_err(|error| tracing::warn!(%error, "a checkpoint of the store failed"))
        .ok()
}
