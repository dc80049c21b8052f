//! Puts a gateway together from its configuration and lets it run.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle};
use arc_swap::ArcSwap;
use intake::{Intake, IntakeSettings, Outgoing, TokenKey, set::KeySets};
use model::{Clock, Ids, OrgName};
use provisioning::{Provisioner, Settings};
use salesforce_client::{Org, TokenVault};
use scim_server::{Door, DoorSettings};
use store::{Directory, Store, sqlite::SqliteStore};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    config::Config,
    health::{self, Health, State},
    key::{self, Key, KeyError},
    metrics::Metrics,
    operations::{Operations, OperationsSocket},
    sources, tenants,
    vault::StoreVault,
};

/// Connections at once, over all workers. Each costs about 10 KiB; this many are 250 MiB.
pub const CONNECTIONS: usize = 25_000;
/// How long a request's head may take to arrive. A client that drips it does not hold a connection for longer.
pub const HEADER_READ: Duration = Duration::from_secs(10);
/// How long an idle connection is kept for the next request: longer than the 60 s of common proxies, so that they close
/// first and no request falls into the gap.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How often orgs are looked after: so soon a running gateway takes up what `gangway connect` has put into the vault. It
/// costs one read of the store for each org.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// How long a stop waits beyond `answer-within` for what is being answered.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened, or its key is missing.
    #[error("the store {database} cannot be opened: {source}")]
    Store {
        /// The database file.
        database: String,
        /// Why.
        source: KeyError,
    },
    /// Events cannot be sent.
    #[error("events cannot be sent: {0}")]
    Events(#[source] reqwest::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Why a new configuration was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{0} cannot be changed while Gangway runs: restart it")]
pub struct NeedsRestart(&'static str);

/// A running gateway.
pub struct Gateway {
    /// Where it listens: the real port where the configuration said 0.
    pub addr: SocketAddr,
    store: SqliteStore,
    provisioner: Provisioner,
    door: Arc<Door>,
    intake: Arc<Intake>,
    health: Arc<Health>,
    vault: Arc<dyn TokenVault>,
    clock: Clock,
    sources: sources::Shared,
    current: Mutex<Current>,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
    metrics: Option<Metrics>,
    operations: Option<OperationsSocket>,
    caretaker: JoinHandle<()>,
    tasks: JoinHandle<()>,
    events: JoinHandle<()>,
}

/// What does the work: a gateway without its doors.
pub(crate) struct Engine {
    store: SqliteStore,
    pub(crate) provisioner: Provisioner,
    pub(crate) intake: Arc<Intake>,
    key: Key,
    vault: Arc<dyn TokenVault>,
    orgs: HashMap<OrgName, Org>,
    sources: sources::Shared,
    answer_within: Duration,
}

impl Engine {
    /// Opens the store and connects the orgs; none of them is asked anything yet.
    ///
    /// # Errors
    ///
    /// [`StartError::Store`].
    pub(crate) fn open(config: &Config, clock: Clock, ids: Ids) -> Result<Self, StartError> {
        let (store, key) = key::open_store(&config.store).map_err(|source| StartError::Store {
            database: config.store.database.display().to_string(),
            source,
        })?;
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let vault: Arc<dyn TokenVault> = Arc::new(StoreVault(Arc::new(store.clone())));
        let orgs = tenants::orgs(&config.orgs, &[], &HashMap::new(), &vault, &clock);
        let answer_within = config.server.answer_within;
        let provisioner = Provisioner::new(
            Arc::clone(&shared),
            orgs.clone(),
            tenants::provisioned(&config.tenants),
            Settings { answer_within },
            clock.clone(),
            ids.clone(),
            Handle::current(),
        );
        let sources = sources::Shared { key_sets: KeySets::default(), ids: ids.clone() };
        let intake = Intake::new(
            provisioner.clone(),
            &shared,
            sources::told(&config.tenants, &sources),
            Outgoing::new(&shared, clock.clone()).map_err(StartError::Events)?,
            IntakeSettings {
                trusted_proxies: config.server.trusted_proxies.clone(),
                simulated: config.simulated(),
                token_key: TokenKey::new(key.event_tokens()),
            },
            clock,
            ids,
        );
        Ok(Self { store, provisioner, intake, key, vault, orgs, sources, answer_within })
    }

    /// Takes up what the last run has left open: what was accepted earlier has its turn earlier.
    pub(crate) async fn take_up(&self) {
        take_up(&self.provisioner).await;
    }

    /// Lets what was begun come to an end, as far as `answer-within` allows, and closes the store.
    pub(crate) async fn close(self) {
        self.provisioner.drain(self.answer_within).await;
        for org in self.orgs.values() {
            org.close().await;
        }
        self.store.close().await;
    }
}

/// The configuration in force and the orgs that are connected by it.
struct Current {
    config: Config,
    orgs: HashMap<OrgName, Org>,
    /// How many there were before it.
    reloads: u64,
}

/// Starts a gateway in the tokio runtime of the caller. It listens when this returns. No org has been asked anything yet.
///
/// # Errors
///
/// [`StartError`]; nothing is left running then.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn start(config: Config) -> Result<Gateway, StartError> {
    start_with(config, Clock::system(), Ids::random()).await
}

/// [`start`] with another clock and other ids.
///
/// # Errors
///
/// As [`start`].
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn start_with(config: Config, clock: Clock, ids: Ids) -> Result<Gateway, StartError> {
    let Engine { store, provisioner, intake, key, vault, orgs, sources, .. } =
        Engine::open(&config, clock.clone(), ids)?;
    let directory: Arc<dyn Directory> = provisioner.directory();
    let door = Arc::new(Door::new(
        provisioner.clone(),
        Arc::clone(&directory),
        tenants::served(&config.tenants),
        DoorSettings {
            public_url: config.server.public_url.clone(),
            simulated: config.simulated(),
            requests_per_second: config.server.requests_per_second,
            cursor_key: key.cursors(),
            token_key: key.access_tokens(),
            trusted_proxies: config.server.trusted_proxies.clone(),
        },
        clock.clone(),
    ));
    let health = Arc::new(Health {
        directory,
        intake: Arc::clone(&intake),
        provisioner: provisioner.clone(),
        simulated: config.simulated(),
        state: ArcSwap::from_pointee(state(&config, &orgs, false)),
    });
    let metrics = metrics_socket(&config)?;
    let (addr, server, serving, events) = serve(&config, &provisioner, &door, &intake, &health).await?;
    let metrics = match metrics.map(|(listen, socket)| (listen, Metrics::serve(socket, &health))) {
        None => None,
        Some((_, Ok(metrics))) => Some(metrics),
        Some((listen, Err(source))) => {
            server.stop(false).await;
            return Err(StartError::Listen { listen, source });
        }
    };
    let operations = listen_to_operators(&config, &provisioner, &intake);
    let current = Mutex::new(Current { config, orgs, reloads: 0 });
    let caretaker = tokio::spawn(look_after(Arc::clone(&health)));
    let tasks = tokio::spawn({
        let provisioner = provisioner.clone();
        async move {
            tokio::join!(provisioner.run_tasks(), provisioner.keep_groups_published());
        }
    });
    Ok(Gateway {
        addr,
        store,
        provisioner,
        door,
        intake,
        health,
        vault,
        clock,
        sources,
        current,
        server,
        serving,
        metrics,
        operations,
        caretaker,
        tasks,
        events,
    })
}

/// Looks after the orgs in force, for ever.
async fn look_after(health: Arc<Health>) {
    loop {
        tokio::time::sleep(LOOK_AFTER).await;
        let state = health.state.load_full();
        // At once: one that does not answer keeps the others waiting for nothing.
        futures::future::join_all(state.orgs.iter().map(|(_, org)| org.look_after())).await;
    }
}

/// Lets commands reach this gateway. Without it they cannot, and say so; identity tools are served all the same.
fn listen_to_operators(
    config: &Config,
    provisioner: &Provisioner,
    intake: &Arc<Intake>,
) -> Option<OperationsSocket> {
    let operations = Operations::new(provisioner.clone(), Arc::clone(intake));
    match OperationsSocket::serve(&config.store.database, operations) {
        Ok(socket) => Some(socket),
        Err(error) => {
            tracing::error!(%error, "no socket for operators: `gangway plan`, `apply`, `adopt` and `resync` cannot reach this gateway");
            None
        }
    }
}

/// Bound before anything runs, so that an address that is taken leaves nothing behind.
fn metrics_socket(config: &Config) -> Result<Option<(SocketAddr, TcpListener)>, StartError> {
    let Some(listen) = config.server.metrics_listen else { return Ok(None) };
    match TcpListener::bind(listen) {
        Ok(socket) => Ok(Some((listen, socket))),
        Err(source) => Err(StartError::Listen { listen, source }),
    }
}

/// Where it listens, how it is stopped, what ends with it, and who applies stored events.
type Serving = (SocketAddr, ServerHandle, JoinHandle<io::Result<()>>, JoinHandle<()>);

/// Binds the listener, takes up open changes and lets the workers run.
async fn serve(
    config: &Config,
    provisioner: &Provisioner,
    door: &Arc<Door>,
    intake: &Arc<Intake>,
    health: &Arc<Health>,
) -> Result<Serving, StartError> {
    let listen = config.server.listen;
    let fail = |source| StartError::Listen { listen, source };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (door, doors, health) = (Arc::clone(door), Arc::clone(intake), Arc::clone(health));
    let server = HttpServer::new(move || {
        // The door's default service answers everything that nobody else does, so it comes last.
        App::new()
            .configure(health::configure(Arc::clone(&health)))
            .configure(intake::configure(Arc::clone(&doors)))
            .configure(scim_server::configure(Arc::clone(&door)))
    })
    .workers(workers)
    .max_connections(connections_per_worker(workers))
    .client_request_timeout(HEADER_READ)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout((config.server.answer_within + STOP_MARGIN).as_secs())
    // Signals belong to the command: a library with several gateways in one process must not take them.
    .disable_signals()
    .bind(listen)
    .map_err(fail)?;
    let addr = server.addrs().first().copied().unwrap_or(listen);
    // Before the first request: what was accepted earlier has its turn earlier.
    take_up(provisioner).await;
    let events = intake.start().await;
    intake.outgoing.replace_receivers(0, sources::receivers(config)).await;
    let server = server.run();
    let handle = server.handle();
    Ok((addr, handle, tokio::spawn(server), events))
}

/// actix counts connections per worker; all of them together have [`CONNECTIONS`].
fn connections_per_worker(workers: usize) -> usize {
    CONNECTIONS.div_ceil(workers)
}

async fn take_up(provisioner: &Provisioner) {
    remember_targets(provisioner).await;
    resume(provisioner).await;
}

/// Gives what the last run left open its place in the queue; it is finished while requests are answered already.
async fn resume(provisioner: &Provisioner) {
    if let Err(error) = provisioner.resume().await {
        tracing::error!(%error, "open changes could not be read; they wait for the next start");
    }
}

async fn remember_targets(provisioner: &Provisioner) {
    if let Err(error) = provisioner.remember_targets().await {
        tracing::error!(%error, "the targets could not be remembered; `gangway plan` will not know of those that are removed");
    }
}

fn state(config: &Config, orgs: &HashMap<OrgName, Org>, reload_refused: bool) -> State {
    State {
        tenant: config.tenants.first().map(|tenant| tenant.id.clone()),
        orgs: orgs.iter().map(|(name, org)| (name.clone(), org.clone())).collect(),
        reload_refused,
    }
}

/// How programs on this machine reach a listener: one that listens on every address is reached on loopback.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

impl Gateway {
    /// The SCIM base of the default tenant, or of the first one; for people and for tests on this machine.
    #[must_use]
    pub fn scim_url(&self) -> String {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let tenants = &current.config.tenants;
        let addr = reachable(self.addr);
        match (tenants.iter().any(|tenant| tenant.default), tenants.first()) {
            (false, Some(tenant)) => format!("http://{addr}/{}/scim/v2", tenant.id),
            _ => format!("http://{addr}/scim/v2"),
        }
    }

    /// Where metrics are served, if they are.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|metrics| metrics.addr)
    }

    /// Takes another configuration: orgs, tenants and clients. Requests and changes under way end with what they began with.
    ///
    /// # Errors
    ///
    /// [`NeedsRestart`] where `[server]` or `[store]` differ; nothing is changed then.
    pub fn reload(&self, config: Config) -> Result<(), NeedsRestart> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if config.server != current.config.server {
            return Err(NeedsRestart("[server]"));
        }
        if config.store != current.config.store {
            return Err(NeedsRestart("[store]"));
        }
        if config.simulated() != current.config.simulated() {
            return Err(NeedsRestart("whether an org is simulated"));
        }
        current.reloads += 1;
        let orgs = tenants::orgs(&config.orgs, &current.config.orgs, &current.orgs, &self.vault, &self.clock);
        self.provisioner.replace_tenants(tenants::provisioned(&config.tenants), orgs.clone());
        let provisioner = self.provisioner.clone();
        tokio::spawn(async move {
            remember_targets(&provisioner).await;
            provisioner.publish_groups().await;
        });
        self.door.replace_tenants(tenants::served(&config.tenants));
        self.intake.replace_sources(sources::told(&config.tenants, &self.sources));
        let (intake, receivers) = (Arc::clone(&self.intake), sources::receivers(&config));
        let order = current.reloads;
        tokio::spawn(async move { intake.outgoing.replace_receivers(order, receivers).await });
        self.health.state.store(Arc::new(state(&config, &orgs, false)));
        let reloads = current.reloads;
        let before = std::mem::replace(&mut *current, Current { config, orgs, reloads }).orgs;
        for (name, org) in before {
            if current.orgs.get(&name) != Some(&org) {
                // What still runs on it has a token, or waits and then takes the new one.
                tokio::spawn(async move { org.close().await });
            }
        }
        Ok(())
    }

    /// Shows in `/readyz` that a new configuration was refused and the old one is in force.
    pub fn note_refused_reload(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.health.state.store(Arc::new(state(&current.config, &current.orgs, true)));
    }

    /// Ends when the server does, which it only does by [`Gateway::stop`] or by a failure.
    ///
    /// # Errors
    ///
    /// What the listener says.
    pub async fn serving(&mut self) -> io::Result<()> {
        (&mut self.serving).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Stops: no new connections, everything that is being answered is answered, changes under way come to their end as
    /// far as `answer-within` allows, the store is closed. What is left open is finished by the next start.
    pub async fn stop(self) {
        let within = self.current.lock().unwrap_or_else(PoisonError::into_inner).config.server.answer_within;
        // What it has begun goes on, and `close` waits for it.
        self.caretaker.abort();
        if let Some(operations) = self.operations {
            operations.stop().await;
        }
        self.server.stop(true).await;
        let _ = self.serving.await;
        self.intake.stop();
        self.intake.outgoing.stop();
        self.provisioner.drain(within).await;
        // What it had begun is begun again by the next start.
        self.events.abort();
        // It stops with the provisioner; a task that was under way has ended by now, or is tried again later.
        self.tasks.abort();
        // A login may outlive the change that asked for it, and the refresh token it brings must be stored.
        let orgs = std::mem::take(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner).orgs);
        for org in orgs.values() {
            org.close().await;
        }
        // Last, so that the last calls are seen.
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_take_twenty_five_thousand_connections() {
        for workers in [1, 2, 3, 8, 64] {
            let all = connections_per_worker(workers) * workers;
            assert!((25_000..25_000 + workers).contains(&all), "{workers} workers take {all}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_loopback() {
        for (listens, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(reachable(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
