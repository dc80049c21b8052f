//! The socket of a running gateway: HTTP and JSON over a Unix socket beside the store's file, for its owner alone.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use tokio::task::JoinHandle;

use super::{Operations, Request};

/// Where requests are posted.
pub(super) const PATH: &str = "/operations";
/// The largest request: the plan of one identity, or the ids of some hundreds.
const BODY: usize = 4 << 20;

/// A socket that is served.
#[derive(Debug)]
pub(crate) struct OperationsSocket {
    path: PathBuf,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

/// Where the gateway on a store is reached: `gangway.db.sock` beside `gangway.db`.
pub(super) fn path_for(database: &Path) -> PathBuf {
    beside(database, ".sock")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl OperationsSocket {
    /// Serves beside a store's file. Only for who holds the lock of the store: whatever stood there is replaced.
    ///
    /// # Errors
    ///
    /// What the system says, such as that the path is too long for a socket (108 bytes on Linux).
    pub(crate) fn serve(database: &Path, operations: Operations) -> io::Result<Self> {
        let path = path_for(database);
        let listener = bind(&path)?;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(operations.clone()))
                .app_data(web::JsonConfig::default().limit(BODY))
                .route(PATH, web::post().to(carry_out))
        })
        // Operators are few.
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen_uds(listener)?
        .run();
        let handle = server.handle();
        Ok(Self { path, server: handle, serving: tokio::spawn(server) })
    }

    /// Lets what is being answered end, for a second at most: the changes themselves go on.
    pub(crate) async fn stop(self) {
        // First, so that nobody comes any more.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the socket for operators stays behind; the next start replaces it");
        }
        self.server.stop(true).await;
        let _ = self.serving.await;
    }
}

async fn carry_out(operations: web::Data<Operations>, request: web::Json<Request>) -> HttpResponse {
    match operations.carry_out(request.into_inner()).await {
        Ok(reply) => HttpResponse::Ok().json(reply),
        Err(refused) => HttpResponse::Conflict().json(refused),
    }
}

/// Binds a socket that nobody but its owner could ever open: it is made in a directory of its own, and moved to its place
/// when its mode is right.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let directory = beside(path, ".new");
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    let bound = bind_in(&directory, path);
    let _ = fs::remove_dir_all(&directory);
    bound
}

fn bind_in(directory: &Path, path: &Path) -> io::Result<UnixListener> {
    let draft = directory.join("s");
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    fs::rename(&draft, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::FileTypeExt, net::UnixStream};

    use super::*;

    #[test]
    fn the_socket_is_its_owners_and_replaces_what_a_crash_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = path_for(&directory.path().join("gangway.db"));
        assert_eq!(path.file_name().unwrap(), "gangway.db.sock");
        let before = bind(&path).unwrap();
        drop(before);
        assert!(UnixStream::connect(&path).is_err(), "nobody listens, but the file is there");
        let _listener = bind(&path).unwrap();
        let made = fs::metadata(&path).unwrap();
        assert!(made.file_type().is_socket());
        assert_eq!(made.permissions().mode() & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left behind");
    }
}
