//! A simulated Salesforce org: an HTTP server with the org's rules, limits and faults.
//!
//! It stands in for Salesforce in demonstrations, tests and measurements, and is as strict as the real
//! thing wherever that is known; what is not known for sure is a switch. It shares no type with
//! Gangway's Salesforce client: two readings of the same reference catch a wrong belief, one shared
//! struct confirms it.
//!
//! Every rule has one place: [`schema`] and `data/` say what objects look like, [`values`] what a
//! field takes, [`rows`] what holds for every record, [`rules`] what single objects add, [`soql`] how
//! queries work, [`oauth`] how tokens do, [`server`] what every call goes through.
//!
//! ```no_run
//! # async fn run() -> Result<(), salesforce_sim::SimError> {
//! let sim = salesforce_sim::Sim::start(salesforce_sim::SimConfig::default()).await?;
//! println!("a Salesforce org at {}", sim.url());
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

mod admission;
mod automation;
mod calls;
mod cell;
mod collections;
mod composite;
mod conditions;
mod control;
mod crm;
mod describe;
mod entitlements;
mod errors;
mod faults;
mod footprint;
mod ids;
mod json_text;
mod latency;
mod layouts;
mod licences;
mod locks;
mod oauth;
mod org;
mod org_file;
mod passwords;
mod permissions;
mod pretty;
mod queries;
mod random;
mod records;
mod replication;
mod request;
mod response;
mod rest;
mod rows;
mod rules;
mod schema;
mod server;
mod soap;
mod sobjects;
mod soql;
mod sosl;
mod switches;
mod table;
mod tls;
mod users;
mod values;
mod versions;

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::JoinHandle,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use model::Clock;
use serde_json::{Map, Value};

use crate::{
    calls::Calls, faults::Faults, latency::Latency, locks::Locks, oauth::OAuth, org::Org, org_file::OrgFile,
    random::Random,
};

pub use entitlements::Grants;
pub use faults::{Fault, FaultKind};
pub use org_file::OrgFileError;
pub use schema::SchemaError;
pub use tls::{TlsError, TlsFiles};

/// How to start a simulated org: the flags of `gangway sim`.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The consumer key of the app that may ask for tokens.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Where it may have users sent back to, to the letter.
    pub callbacks: Vec<String>,
    /// The certificate or public key (PEM) with which its assertions are verified.
    pub certificate: Option<String>,
    /// The refresh token it has from the start.
    pub refresh_token: String,
    /// How long a call takes, a tenth more or less.
    pub latency: Duration,
    /// How much longer for each record that it writes or fetches one by one.
    pub latency_per_record: Duration,
    /// The randomness: ids, tokens, jitter, the likelihood of faults.
    pub seed: u64,
    /// What the org holds; without it the default org.
    pub org_file: Option<PathBuf>,
    /// Lets control calls in from elsewhere than loopback.
    pub control_token: Option<String>,
    /// Allows `listen` to be another address than loopback.
    pub allow_remote: bool,
    /// Speaks HTTPS, with this certificate. HTTP without it.
    pub tls: Option<TlsFiles>,
    /// The time of the org.
    pub clock: Clock,
}

/// The callback of the official command line client, and two that are easy to remember.
const CALLBACKS: [&str; 3] = [
    "http://localhost:1717/OauthRedirect",
    "http://localhost:8765/callback",
    "http://127.0.0.1:8765/callback",
];

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            client_id: "simulated-client".into(),
            client_secret: "simulated-secret".into(),
            callbacks: CALLBACKS.map(ToOwned::to_owned).to_vec(),
            certificate: None,
            refresh_token: "simulated-refresh-token".into(),
            latency: Duration::ZERO,
            latency_per_record: Duration::ZERO,
            seed: 1,
            org_file: None,
            control_token: None,
            allow_remote: false,
            tls: None,
            clock: Clock::system(),
        }
    }
}

/// Why a simulated org did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The org is simulated and its secrets are no secrets, so it stays on this machine unless told.
    #[error("{0} is not a loopback address; to let others reach a simulated org, allow remote access")]
    Remote(SocketAddr),
    /// The address cannot be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The org file does not make an org.
    #[error(transparent)]
    OrgFile(#[from] OrgFileError),
}

/// A simulated org that listens. Dropping it stops it.
#[derive(Debug)]
pub struct Sim {
    /// Where it listens.
    pub addr: SocketAddr,
    scheme: &'static str,
    handle: SimHandle,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// Starts an org with threads and a runtime of its own, so that it can live beside any other
    /// server and under any runtime.
    ///
    /// # Errors
    ///
    /// [`SimError`] if the address is not allowed or taken, or the org file is wrong.
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(SimError::Remote(config.listen));
        }
        let tls = config.tls.as_ref().map(TlsFiles::load).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = config.listen;
        let failed = |source| SimError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let world = Arc::new(World::new(config)?);
        let (send, receive) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&world);
        let thread = std::thread::Builder::new()
            .name("salesforce-sim".into())
            .spawn(move || serve(shared, listener, tls, send))
            .map_err(failed)?;
        let started =
            receive.await.unwrap_or_else(|_| Err(std::io::Error::other("the server did not start")));
        let server = started.map_err(failed)?;
        Ok(Self { addr, scheme, handle: SimHandle { world }, server, thread: Some(thread) })
    }

    /// The login and instance URL of the org, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// A look inside, without HTTP. It can be cloned and outlives the server.
    #[must_use]
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    /// Stops listening and waits until that is done.
    pub async fn stop(mut self) {
        self.server.stop(false).await;
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // The command is sent at once; only waiting for it would need the future.
        drop(self.server.stop(false));
    }
}

fn serve(
    world: Arc<World>,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    started: tokio::sync::oneshot::Sender<std::io::Result<ServerHandle>>,
) {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    actix_web::rt::System::new().block_on(async move {
        let data = web::Data::from(world);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(server::MAX_BODY))
                .default_service(web::to(server::entry))
        })
        .workers(workers)
        .disable_signals();
        let server = match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls),
            None => server.listen(listener),
        };
        match server {
            Ok(server) => {
                let server = server.run();
                let _ = started.send(Ok(server.handle()));
                if let Err(error) = server.await {
                    tracing::error!(%error, "the simulated org stopped");
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    });
}

/// A look inside a simulated org: what the control endpoints show and do, without HTTP.
#[derive(Clone)]
pub struct SimHandle {
    world: Arc<World>,
}

impl std::fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimHandle").finish_non_exhaustive()
    }
}

impl SimHandle {
    /// Calls of the data API since the start, or since [`forget_calls`](Self::forget_calls).
    #[must_use]
    pub fn api_calls(&self) -> u64 {
        self.world.calls.api_calls()
    }

    /// Calls of the token endpoint.
    #[must_use]
    pub fn token_calls(&self) -> u64 {
        self.world.calls.token_calls()
    }

    /// The counters as `GET /_sim/calls` shows them.
    #[must_use]
    pub fn calls(&self) -> Value {
        self.world.calls.to_json()
    }

    /// Sets the counters back to zero.
    pub fn forget_calls(&self) {
        self.world.calls.clear();
    }

    /// Every record of an object with every field; nothing for an object that the org does not have.
    #[must_use]
    pub fn records(&self, object: &str) -> Vec<Map<String, Value>> {
        let org = self.world.org();
        let Some(object) = org.schema.object(object) else { return Vec::new() };
        let rows = org.table(object).iter();
        rows.map(|(_, row)| records::record(object, row, None, versions::NEWEST)).collect()
    }

    /// The User with this username, in any case.
    #[must_use]
    pub fn user(&self, username: &str) -> Option<Map<String, Value>> {
        let org = self.world.org();
        let users = org.table_of("User");
        let row = users.find_one(org.user_fields.username, &cell::Cell::text(username))?;
        Some(records::record(&users.object, row, None, versions::NEWEST))
    }

    /// What the User with this username has, by name.
    #[must_use]
    pub fn grants(&self, username: &str) -> Option<Grants> {
        let org = self.world.org();
        let users = org.table_of("User");
        let row = users.find_one(org.user_fields.username, &cell::Cell::text(username))?;
        entitlements::grants(&org, row.get(0).as_id()?)
    }

    /// How many records an object has.
    #[must_use]
    pub fn count(&self, object: &str) -> usize {
        let org = self.world.org();
        org.schema.object(object).map_or(0, |object| org.table(object).len())
    }

    /// Arms a fault.
    pub fn add_fault(&self, fault: Fault) {
        self.world.faults.add(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Ends every access token; hands back how many there were.
    #[must_use]
    pub fn expire_tokens(&self) -> usize {
        self.world.oauth.expire_all()
    }

    /// Moves the org's clock forward.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Sets the seats of a licence; `false` if there is none of that name.
    #[must_use]
    pub fn set_licence_total(&self, name: &str, total: i64) -> bool {
        let mut org = self.world.org_mut();
        let set = users::set_total(&mut org, name, total);
        org.commit();
        set
    }

    /// Everything as at the start, but the clock.
    ///
    /// # Errors
    ///
    /// [`OrgFileError`] if the org file has become unreadable or wrong since.
    pub fn reset(&self) -> Result<(), OrgFileError> {
        self.world.reset()
    }
}

/// The org of the file, with the app that the configuration names first.
fn build(config: &SimConfig, now: i64) -> Result<Org, OrgFileError> {
    let mut org = OrgFile::read(config.org_file.as_deref())?.build(config.seed, now)?;
    let declared = org.apps.iter().position(|app| app.client_id == config.client_id);
    let app = match declared {
        Some(at) => org.apps.remove(at),
        None => oauth::App::configured(config, oauth::username(&org, org.run_as)),
    };
    if app.certificate.is_some() && app.key().is_none() {
        return Err(OrgFileError::Certificate(app.client_id));
    }
    org.apps.insert(0, app);
    Ok(org)
}

/// What an org that nobody has customised says of an object, as `GET /sobjects/{object}/describe` tells it. Nothing for an
/// object that it does not have.
///
/// # Errors
///
/// Never, as long as the default org is sound.
pub fn standard_description(object: &str) -> Result<Option<Value>, OrgFileError> {
    let config = SimConfig::default();
    let org = build(&config, config.clock.now().as_millisecond())?;
    let object = org.schema.object(object);
    Ok(object.map(|object| describe::full(&org, object, org.run_as, versions::NEWEST)))
}

/// All that the server's threads share.
pub(crate) struct World {
    org: RwLock<Org>,
    pub(crate) oauth: OAuth,
    pub(crate) calls: Calls,
    pub(crate) faults: Arc<Faults>,
    pub(crate) latency: Latency,
    pub(crate) locks: Locks,
    /// Jitter and request ids.
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) config: SimConfig,
}

impl World {
    fn new(config: SimConfig) -> Result<Self, OrgFileError> {
        let now = config.clock.now().as_millisecond();
        let org = build(&config, now)?;
        let oauth = OAuth::new(config.seed);
        oauth.reset(&org, &config.refresh_token, now);
        Ok(Self {
            org: RwLock::new(org),
            oauth,
            calls: Calls::default(),
            faults: Arc::new(Faults::new(config.seed)),
            locks: Locks::default(),
            latency: Latency { per_call: config.latency, per_record: config.latency_per_record },
            random: Random::new(config.seed),
            clock: config.clock.clone(),
            config,
        })
    }

    /// The org, to read. A writer that panicked has left rows, not half rows.
    pub(crate) fn org(&self) -> RwLockReadGuard<'_, Org> {
        self.org.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The org, to write.
    pub(crate) fn org_mut(&self) -> RwLockWriteGuard<'_, Org> {
        self.org.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since 1970, by the org's clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// What time does by itself: permission sets that were given for a while end.
    pub(crate) fn pass_time(&self, now: i64) {
        if self.org().entitlements.next_end.is_some_and(|ends| ends <= now) {
            entitlements::expire(&mut self.org_mut(), now);
        }
    }

    pub(crate) fn reset(&self) -> Result<(), OrgFileError> {
        let now = self.now();
        // The usernames of the old org are free for the new one, which has most of them again.
        let registered = |then: fn(&users::Membership)| self.org().usernames.as_ref().map(then);
        registered(users::Membership::suspend);
        let built = build(&self.config, now);
        if built.is_err() {
            registered(users::Membership::resume);
        }
        let org = built?;
        let mut current = self.org_mut();
        *current = org;
        self.oauth.reset(&current, &self.config.refresh_token, now);
        self.calls.reset();
        self.faults.clear();
        Ok(())
    }
}
