//! `gangway serve`: serve the tenants of a configuration until asked to stop.

use std::path::Path;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Failure, Output, asked_to_stop, output};
use crate::{
    config::Config,
    logging,
    wire::{self, Gateway},
};

/// What `serve` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// Serves until SIGTERM or Ctrl-C, then answers what is in flight. A second one ends at once. SIGHUP reads the
/// configuration again.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.config.path;
    let config = Config::load(path)?;
    logging::start(&config.log).map_err(Failure::Failed)?;
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::Failed(format!("SIGHUP cannot be listened to: {error}")))?;
    let simulated = config.simulated();
    let tenants = config.tenants.len();
    let mut gateway = wire::start(config).await?;
    tracing::info!(addr = %gateway.addr, tenants, simulated, "listening");
    if output == Output::Json {
        output::line(&json!({ "listening": gateway.addr, "scim": gateway.scim_url() }).to_string());
    }
    loop {
        tokio::select! {
            () = asked_to_stop() => break,
            _ = hangup.recv() => reload(&gateway, path),
            ended = gateway.serving() => {
                let why = ended.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
                return Err(Failure::Failed(format!("the server stopped: {why}")));
            }
        }
    }
    tracing::info!("stopping: what is in flight is answered first");
    tokio::select! {
        () = gateway.stop() => {
            tracing::info!("stopped");
            Ok(())
        }
        () = asked_to_stop() => Err(Failure::Failed("stopped at once; open changes are finished at the next start".to_owned())),
    }
}

/// Takes the configuration as it is now, or keeps the old one and says why.
fn reload(gateway: &Gateway, path: &Path) {
    let why = match Config::load(path) {
        Ok(config) => match gateway.reload(config) {
            Ok(()) => {
                tracing::info!("took the new configuration");
                return;
            }
            Err(needs_restart) => needs_restart.to_string(),
        },
        Err(errors) => errors.to_string(),
    };
    gateway.note_refused_reload();
    tracing::error!(reason = why, "the new configuration is refused; the one before stays in force");
}
