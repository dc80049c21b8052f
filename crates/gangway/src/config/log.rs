//! `[log]`: what is logged, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is logged, and how. Logs go to standard error and hold ids, never names, e-mail addresses, tokens or bodies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogSection {
    /// `json`: one object per line, for machines. `pretty`: for people.
    #[serde(default)]
    pub format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`) or a list such as `"info,salesforce_client=debug"`.
    /// The environment variable `GANGWAY_LOG` goes before it.
    #[serde(default = "filter")]
    pub filter: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: filter() }
    }
}

impl LogSection {
    /// For commands without a configuration, at somebody's terminal.
    pub(crate) fn for_commands() -> Self {
        Self { format: LogFormat::Pretty, filter: "warn".to_owned() }
    }
}

fn filter() -> String {
    // actix tells of every worker it starts and stops.
    "info,actix_server=warn".to_owned()
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// For people.
    Pretty,
}
