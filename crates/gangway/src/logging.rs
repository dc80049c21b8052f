//! Logs: one line per event on standard error, with ids and never with personal data.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// The environment variable that goes before the configured filter.
const ENVIRONMENT: &str = "GANGWAY_LOG";

/// Starts logging for this process. A second call changes nothing.
///
/// # Errors
///
/// A sentence about the filter in the environment variable; the configured one has been checked.
pub(crate) fn start(log: &LogSection) -> Result<(), String> {
    let filter = match std::env::var(ENVIRONMENT) {
        Ok(text) if !text.is_empty() => filter(&text)
            .map_err(|why| format!("the environment variable {ENVIRONMENT} is not a log filter: {why}"))?,
        _ => filter(&log.filter)?,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // It fails only where logging has been started already, by a test say.
    let _ = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Pretty => lines.compact().with_target(false).try_init(),
    };
    Ok(())
}

/// Reads a filter such as `info,salesforce_client=debug`.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}
