//! How a command reaches a gateway: the one that runs on the store, or itself.

use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Clock, Ids};
use reqwest::Client;
use store::StoreError;

use super::{Operations, Refused, Reply, Request, socket};
use crate::{
    config::{Config, ConfigErrors, Outline},
    key::KeyError,
    wire::{Engine, StartError},
};

/// A gateway that does what a command asks.
pub(crate) enum Reach {
    /// The one that runs on the store.
    Running(Client),
    /// There is none: this process is it, for as long as the command takes.
    Own(Box<Engine>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReachError {
    /// The gateway says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// This process cannot be a gateway.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A gateway runs, and cannot be asked.
    #[error(
        "a gateway runs on the store and does not listen on {}: is it of the same version, and does its log say why?",
        .0.display()
    )]
    NoSocket(PathBuf),
    /// The socket is somebody else's.
    #[error("the gateway's socket {} cannot be used: {source}; run the command as the gateway's own user", path.display())]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The gateway went away.
    #[error("the gateway went away before it answered: {0}")]
    Gone(#[from] reqwest::Error),
}

impl Reach {
    /// Reaches the gateway of a configuration. Where one runs no secret is read.
    pub(crate) async fn open(config: &Path) -> Result<Self, ReachError> {
        let outline = Outline::load(config)?;
        let path = socket::path_for(&outline.store.database);
        match UnixStream::connect(&path) {
            Ok(_) => {
                let client = Client::builder().unix_socket(path).build()?;
                return Ok(Self::Running(client));
            }
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ReachError::NotOurs { path, source });
            }
            // Nobody listens there.
            Err(_) => {}
        }
        let config = Config::load(config)?;
        match Engine::open(&config, Clock::system(), Ids::random()) {
            Ok(engine) => {
                engine.take_up().await;
                Ok(Self::Own(Box::new(engine)))
            }
            Err(StartError::Store { source: KeyError::Store(StoreError::InUse { .. }), .. }) => {
                Err(ReachError::NoSocket(path))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for something and waits for its end, however long that takes.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Reply, ReachError> {
        match self {
            Self::Running(client) => {
                let answer =
                    client.post(format!("http://gangway{}", socket::PATH)).json(request).send().await?;
                match answer.status().as_u16() {
                    200 => Ok(answer.json().await?),
                    409 => Err(answer.json::<Refused>().await?.into()),
                    status => {
                        let words = answer.text().await.unwrap_or_default();
                        let why = format!(
                            "the gateway does not understand ({status}: {words}): is it of the same version?"
                        );
                        Err(Refused::failed(why).into())
                    }
                }
            }
            Self::Own(engine) => {
                let operations = Operations::new(engine.provisioner.clone(), Arc::clone(&engine.intake));
                Ok(operations.carry_out(request.clone()).await?)
            }
        }
    }

    /// Lets what was begun come to an end.
    pub(crate) async fn close(self) {
        if let Self::Own(engine) = self {
            engine.close().await;
        }
    }
}
