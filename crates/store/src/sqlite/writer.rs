//! The writer: one thread that owns the one connection that writes, and commits for everybody who waits.
//!
//! ```text
//! jobs ──► take all that wait (at most 256) ──► BEGIN
//!                                               SAVEPOINT, job, RELEASE   (for each)
//!                                               COMMIT: one fsync, or none ──► answer everybody
//! ```
//!
//! While a commit waits for the disk the next jobs gather, so a crowd shares commits and a lone write waits
//! for nobody.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{checkpoint::Checkpointer, file::Lock, rows::Doing};
use crate::StoreError;

/// Jobs in one transaction. Enough to share a commit among every request a slow disk lets gather; small
/// enough that the first of them is not kept waiting (256 jobs of about 50 µs are 13 ms).
const BATCH: usize = 256;

/// Jobs that may wait. Whoever finds the queue full waits to get in.
const QUEUE: usize = 1024;

/// What a job's commit has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The end of the process. A power failure may undo it; what it belongs to is then done again from the
    /// journal.
    Process,
    /// A power failure: the log is synced to the disk before anybody is answered.
    Power,
}

impl Durability {
    /// `PRAGMA synchronous` under WAL: NORMAL does not sync at commit, FULL does.
    fn pragma(self) -> &'static str {
        match self {
            Self::Process => "NORMAL",
            Self::Power => "FULL",
        }
    }
}

/// How often the writer has committed.
#[derive(Debug, Default)]
pub struct Commits {
    all: AtomicU64,
    synced: AtomicU64,
}

impl Commits {
    /// All commits.
    pub fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// Those that waited for the disk.
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Relaxed)
    }
}

/// The way to the thread. Dropping it lets the thread finish what waits, and waits for it.
pub struct Writer {
    messages: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<Commits>,
}

enum Message {
    Job(Box<dyn Job>),
    Stop,
}

impl Writer {
    /// Starts the thread. When it ends the checkpointer is stopped and the lock given back.
    pub fn start(connection: Connection, checkpointer: Checkpointer, lock: Lock) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let commits = Arc::new(Commits::default());
        let mut thread =
            Thread { connection, checkpointer, commits: Arc::clone(&commits), durability: None, _lock: lock };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                thread.run(receiver);
                thread.finish();
            })
            .map_err(|source| StoreError::Database {
                doing: "start the writer thread",
                source: Arc::new(source),
            })?;
        Ok(Self { messages: Some(sender), thread: Mutex::new(Some(thread)), commits })
    }

    /// Does something in the next transaction, and answers when that is committed. If `work` fails or panics,
    /// nothing of it is kept and its neighbours are not touched. It is done even when the caller stops
    /// waiting.
    pub async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Work { durability, todo: Some(work), result: None, reply };
        self.send(Message::Job(Box::new(job))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what was sent before and closes the connection.
    pub async fn stop(&self) {
        // An error means that it has been stopped already.
        if self.send(Message::Stop).await.is_ok() {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Joining blocks until the last checkpoint is made.
            let _ = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await;
        }
    }

    /// How many jobs wait to be taken.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.max_capacity() - messages.capacity())
    }

    /// How often it has committed.
    pub fn commits(&self) -> &Commits {
        &self.commits
    }

    async fn send(&self, message: Message) -> Result<(), StoreError> {
        let messages = self.messages.as_ref().ok_or(StoreError::Closed)?;
        messages.send(message).await.map_err(|_| StoreError::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender the thread ends when its queue is empty.
        self.messages.take();
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

/// A closure with the place where its answer goes, whatever its type.
trait Job: Send {
    fn durability(&self) -> Durability;

    /// Does the work and keeps the result. Whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Tells the caller: the result if the commit went well, else why not.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<T, F> {
    durability: Durability,
    todo: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.todo.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|panic| Err(broke_off(&*panic)));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::BrokeOff),
        };
        // Nobody may be waiting any more.
        let _ = self.reply.send(result);
    }
}

fn broke_off(panic: &(dyn Any + Send)) -> StoreError {
    // The words of a panic may quote values, so they stay out of the log.
    let known = panic.is::<&str>();
    tracing::error!(known, "a write to the store panicked; it was rolled back");
    StoreError::BrokeOff
}

/// What lives on the thread.
struct Thread {
    connection: Connection,
    checkpointer: Checkpointer,
    commits: Arc<Commits>,
    /// What `PRAGMA synchronous` stands at.
    durability: Option<Durability>,
    /// Dropped after the connection.
    _lock: Lock,
}

impl Thread {
    fn run(&mut self, mut messages: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let mut stop = match messages.blocking_recv() {
                Some(Message::Job(job)) => {
                    batch.push(job);
                    false
                }
                Some(Message::Stop) | None => return,
            };
            while !stop && batch.len() < BATCH {
                match messages.try_recv() {
                    Ok(Message::Job(job)) => batch.push(job),
                    Ok(Message::Stop) => stop = true,
                    Err(_) => break,
                }
            }
            let jobs = batch.len();
            let committed = self.transaction(&mut batch);
            for job in batch.drain(..) {
                job.answer(committed.clone());
            }
            self.checkpointer.wrote(jobs, &self.connection);
            if stop {
                return;
            }
        }
    }

    /// Runs all jobs in one transaction. Each keeps its own result; an error here is everybody's.
    fn transaction(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let doing = "begin a transaction";
        let durability = batch.iter().map(|job| job.durability()).max().unwrap_or(Durability::Power);
        if self.durability != Some(durability) {
            // Has no effect inside a transaction, so it goes before it.
            self.connection.pragma_update(None, "synchronous", durability.pragma()).doing(doing)?;
            self.durability = Some(durability);
        }
        self.execute("BEGIN IMMEDIATE").doing(doing)?;
        let done = self.jobs(batch).and_then(|()| {
            if self.connection.is_autocommit() {
                // The only job has failed and was rolled back: there is nothing to commit.
                return Ok(false);
            }
            self.execute("COMMIT").map(|()| true).doing("commit a transaction")
        });
        if done.is_err() && !self.connection.is_autocommit() {
            let _ = self.execute("ROLLBACK");
        }
        if !done? {
            return Ok(());
        }
        self.commits.all.fetch_add(1, Ordering::Relaxed);
        if durability == Durability::Power {
            self.commits.synced.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn jobs(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        if let [alone] = batch {
            // Nobody's work but its own can be lost, so the transaction itself is its savepoint: SQLite copies every page
            // that a savepoint changes.
            if !alone.run(&self.connection) && !self.connection.is_autocommit() {
                self.execute("ROLLBACK").doing("roll back a transaction")?;
            }
            return Ok(());
        }
        for job in batch {
            self.execute("SAVEPOINT job").doing("begin a savepoint")?;
            if !job.run(&self.connection) {
                if self.connection.is_autocommit() {
                    // A full disk, say: SQLite itself has rolled back all of the transaction, the neighbours'
                    // work too.
                    return Err(StoreError::BrokeOff);
                }
                self.execute("ROLLBACK TO job").doing("roll back a savepoint")?;
            }
            self.execute("RELEASE job").doing("release a savepoint")?;
        }
        Ok(())
    }

    fn execute(&self, sql: &'static str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Moves the whole log into the database file, so that the next start has nothing to recover.
    fn finish(self: &mut Thread) {
        self.checkpointer.stop();
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            // Not a loss: the log is read at the next start.
            tracing::warn!(%error, "the store's log was not moved into the database when it closed");
        }
    }
}
