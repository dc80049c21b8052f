//! `[store]`: where Gangway remembers.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where Gangway remembers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StoreSection {
    /// `"sqlite:"` and the path of the database file, such as `"sqlite:gangway.db"`. It is made at the first start; its
    /// directory must exist and belongs to one gateway alone.
    pub url: String,
    /// The file with the key that secrets in the store are encrypted with, made with mode 0600 at the first start. It
    /// must not stand in the directory of the database nor below it: who copies the one should not have the other. The
    /// environment variable `GANGWAY_KEY` (32 bytes in base64 or hex) goes before it. Without both it is
    /// `gangway/master.key` in `$XDG_CONFIG_HOME` or `~/.config`.
    pub key_file: Option<PathBuf>,
}

/// `[store]`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The `SQLite` database file.
    pub database: PathBuf,
    /// The key file, if the configuration names one.
    pub key_file: Option<PathBuf>,
}
