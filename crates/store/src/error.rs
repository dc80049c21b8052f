//! What can go wrong with the store.

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use model::ChangeId;

/// Why something could not be read or written. Its text has no personal data in it.
///
/// What a caller has to expect (a taken `userName`, an old version) is no error: it is in the answers of the
/// methods.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or failed.
    #[error("could not {doing}")]
    Database {
        /// What was attempted, with the table: `write resources`.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The file system refused or failed.
    #[error("could not {doing} `{}`", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A stored value cannot be understood: the database was changed by something else.
    #[error("the table {table} holds something that cannot be read as {what}")]
    Corrupt {
        /// In which table.
        table: &'static str,
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
    /// No index serves the question, and without one it is too large. RFC 7644 §3.12: `tooMany`.
    #[error(
        "the filter or sort would have to look at more than {rows} resources or take longer than {seconds} s; compare \
         one of these attributes with `eq`: {indexed}",
        seconds = time.as_secs_f32(),
        indexed = indexed.join(", ")
    )]
    TooMany {
        /// The most resources that are looked at.
        rows: u64,
        /// The longest time that is spent.
        time: Duration,
        /// The attributes whose `eq` an index serves.
        indexed: &'static [&'static str],
    },
    /// The change is not there, or it has ended already.
    #[error("the change {change} is not open")]
    NotOpen {
        /// Which.
        change: ChangeId,
    },
    /// Links are to be kept for a resource that is neither recorded nor pending.
    #[error("the resource of the change {change} is not there, so the links to its records cannot be kept")]
    NoResource {
        /// Which change.
        change: ChangeId,
    },
    /// Secrets are there that were encrypted with another key.
    #[error(
        "the store's secrets were encrypted with another key; start with the key they were encrypted with (`GANGWAY_KEY` \
         or the key file)"
    )]
    Sealed,
    /// The file was written by a newer Gangway.
    #[error(
        "`{}` has schema {found}, which this version cannot use (it knows {known}); run a newer version",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The newest schema this version knows.
        known: i32,
    },
    /// The file was written by an older Gangway, and it is only to be read.
    #[error(
        "`{}` has schema {found} and this version needs {known}; `gangway serve` brings it up to date",
        path.display()
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The schema this version needs.
        known: i32,
    },
    /// Another process has the file open for writing.
    #[error("`{}` is in use by another gangway process", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The store was opened for reading only.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// The store has been closed, or its writer is gone.
    #[error("the store is closed")]
    Closed,
    /// A write failed in a way that is a mistake in Gangway; nothing of it was kept.
    #[error("a write to the store broke off; nothing of it was kept")]
    BrokeOff,
}

impl StoreError {
    /// A stored value that cannot be understood.
    pub(crate) fn corrupt(
        table: &'static str,
        what: &'static str,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Corrupt { table, what, source: Some(Arc::new(source)) }
    }

    /// Something that the file system refused.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { doing, path: path.into(), source: Arc::new(source) }
    }

    /// Whether the same call may work a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database { .. } | Self::InUse { .. } | Self::BrokeOff => true,
            Self::File { .. }
            | Self::Corrupt { .. }
            | Self::TooMany { .. }
            | Self::NotOpen { .. }
            | Self::NoResource { .. }
            | Self::Sealed
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::ReadOnly
            | Self::Closed => false,
        }
    }
}
