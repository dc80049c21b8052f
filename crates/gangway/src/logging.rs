//! Logs: one line per event on standard error, with ids and never with personal data.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// The environment variable that goes before the configured filter.
const ENVIRONMENT: &str = "GANGWAY_LOG";

/// A log that is full or gone: what cannot be written is lost, and nothing else with it.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

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
    // Told that a line could not be written, the subscriber would say so on standard error, and panic there.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lossy(io::stderr()));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk without room.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_stops_nobody() {
        let mut log = Lossy(Full);
        assert!(log.write_all(b"a line\n").is_ok());
        assert!(log.flush().is_ok());
    }
}
