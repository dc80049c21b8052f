//! Access tokens: got once, used by all, renewed when the org says that they have expired.
//!
//! OAuth 2.0 as Salesforce speaks it (RFC 6749, RFC 7523). An access token has no `expires_in`: its end is
//! learned from a 401. Whoever has none looks into the vault, where another process may have put one, and else
//! takes the turn to log in: a lease, so that there is one login at a time per org, whichever process makes it.
//!
//! With refresh token rotation each refresh kills the token that it used. Around one refresh this is therefore durable,
//! in this order:
//!
//! ```text
//! vault: begun with R1 ──► POST ──► answer with R2 ──► vault: R2, before it R1, access token ──► first call
//! ```
//!
//! A process that dies between the answer and the second write has lost R2, and no client can do anything about it.
//! Whoever comes next finds "begun with R1" and tries R1 once more: if the request never left, that is the token; if it
//! is refused, the org is parked with this for a reason. One that only lost its turn (it was suspended, say) still
//! writes R2, unless a newer token is there by then. The access token in the vault is shared on purpose: each refresh
//! that need not be is one that cannot go wrong.
//!
//! [`flow`] says how tokens are got, [`exchange`] speaks to the token endpoint, [`refusals`] knows what its errors mean,
//! [`grant`] is what the vault keeps, [`connect`] gets the first token by a browser.

pub(crate) mod connect;
mod exchange;
pub(crate) mod flow;
mod grant;
mod refusals;

use std::{
    convert::Infallible,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use model::{Clock, Ids, OrgName};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;
use url::Url;

pub(crate) use self::{exchange::LoginFailure, refusals::PARKED_FOR};
use self::{
    exchange::{Endpoint, TokenAnswer},
    flow::Flow,
    grant::{Access, Begun, Grant, LONGEST_SESSION, SHORTEST_SESSION, Token},
    refusals::{AWAY_FOR, TOKEN_DEAD},
};
use crate::{
    CallError, TokenVault, VaultError,
    answer::Trouble,
    transport::{Wire, is_safe},
};

/// The turn to log in, extended for as long as a login takes. If the process dies, others wait for so long.
const TURN: Duration = Duration::from_secs(15);
/// How often it is extended: two of these may go wrong.
const EXTEND: Duration = Duration::from_secs(5);
/// How often to look whether another process's turn is over. Logins take some hundred milliseconds.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait for another process: a whole turn of one that died, and some.
const PATIENCE: Duration = Duration::from_secs(20);
/// A refresh that keeps a token alive and fails is tried again after this: the window is days.
const TRY_AGAIN: Duration = Duration::from_mins(5);
/// How much earlier than asked for a token is kept alive, at most, so that orgs do not all come at once.
const JITTER: f64 = 0.1;

/// Why a refresh token that should be good is refused after a refresh that nobody saw the end of.
const LOST: &str = "connect the org again with `gangway connect`: Gangway was stopped, or the connection cut, between \
                    Salesforce's answer and Gangway's disk, and the new refresh token was in that answer";

/// What a login brought: where to call, and with which token.
#[derive(Debug)]
pub(crate) struct Session {
    /// Which of this process's sessions it is, counted from 1.
    number: u64,
    pub(crate) access_token: SecretString,
    /// Where the org is now; it moves with My Domain changes and instance migrations.
    pub(crate) instance: Url,
    /// The identity URL: it ends in the ids of the org and of the user.
    pub(crate) identity: Option<String>,
    issued: Timestamp,
    /// A call has succeeded with it.
    worked: AtomicBool,
}

impl Session {
    /// A call with this session succeeded: the token that it came with is good.
    pub(crate) fn has_worked(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    fn is(&self, token: &Token) -> bool {
        self.access_token.expose_secret() == token.expose()
    }
}

/// Why nothing goes to an org until a person has acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// One word for it, such as `token-dead`: a label of metrics.
    pub reason: &'static str,
    /// What is wrong.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

impl std::fmt::Display for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.why, self.advice)
    }
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq)]
enum LoginError {
    /// No connection came about.
    Unreachable { why: String },
    /// Not now.
    Away {
        why: String,
        retry_after: Duration,
        /// Whether Salesforce may have done it all the same.
        in_doubt: bool,
    },
    /// Not before a person has acted.
    Dead { code: String, parked: Parked },
}

impl LoginError {
    fn dead(code: &str, reason: &'static str, why: &str, advice: &str) -> Self {
        let parked = Parked { reason, why: why.to_owned(), advice: advice.to_owned() };
        Self::Dead { code: code.to_owned(), parked }
    }

    fn away(why: &str) -> Self {
        Self::Away { why: why.to_owned(), retry_after: AWAY_FOR, in_doubt: false }
    }
}

impl From<VaultError> for LoginError {
    fn from(error: VaultError) -> Self {
        Self::away(&error.to_string())
    }
}

impl From<LoginError> for Trouble {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Unreachable { why } => Self::Unsent { why },
            LoginError::Away { why, retry_after, .. } => {
                Self::Final(CallError::NotSent { why, retry_after: Some(retry_after) })
            }
            LoginError::Dead { parked: Parked { why, advice, .. }, .. } => {
                Self::Final(CallError::Parked { why, advice })
            }
        }
    }
}

/// Logins that are not tried before a certain time.
#[derive(Clone, Debug)]
struct Pause {
    until: Timestamp,
    error: LoginError,
    /// The version of the grant that it happened with. A newer one may fare better.
    version: u64,
}

/// The tokens of one org.
pub(crate) struct Tokens {
    org: OrgName,
    url: Url,
    flow: Flow,
    /// A digest of the credentials: only what was got with them is taken from the vault.
    credentials: String,
    vault: Arc<dyn TokenVault>,
    clock: Clock,
    wire: Arc<Wire>,
    ids: Ids,
    /// Who takes turns.
    holder: String,
    /// How much earlier than asked for this one keeps its token alive.
    jitter: f64,
    made: Timestamp,
    session: RwLock<Option<Arc<Session>>>,
    /// The access token of which the org last said that it has expired: not to be taken from the vault again.
    expired: RwLock<Option<SecretString>>,
    pause: RwLock<Option<Pause>>,
    sessions: AtomicU64,
    /// Logins that have ended, well or not.
    logins: AtomicU64,
    /// Held while logging in: one login at a time.
    desk: tokio::sync::Mutex<Desk>,
}

/// What only the one who logs in may touch.
#[derive(Default)]
struct Desk {
    /// How the last login failed, for those who waited for it.
    failed: Option<LoginError>,
    /// A grant that the vault has not taken yet. The refresh token in the vault is dead.
    unsaved: Option<Unsaved>,
    /// The version of the grant that was last seen.
    version: u64,
    /// Keeping the token alive failed, and is not tried before this time.
    resting: Option<Timestamp>,
    /// No login begins any more.
    closed: bool,
}

struct Unsaved {
    /// The refresh token in the vault that it takes the place of.
    replaces: Option<Token>,
    grant: Grant,
}

/// The app in whose name a refresh token is used.
struct App<'a> {
    endpoint: Endpoint,
    client_id: &'a str,
    client_secret: Option<&'a SecretString>,
    /// The refresh token that the configuration has.
    configured: Option<&'a SecretString>,
}

/// A grant and the version it has in the vault.
struct Known {
    version: u64,
    grant: Grant,
}

impl Tokens {
    pub(crate) fn new(
        org: OrgName,
        url: Url,
        flow: Flow,
        vault: Arc<dyn TokenVault>,
        clock: Clock,
        wire: Arc<Wire>,
    ) -> Self {
        let ids = Ids::random();
        Self {
            org,
            credentials: flow.digest(&url),
            url,
            flow,
            vault,
            wire,
            holder: ids.change().to_string(),
            jitter: ids.jitter() * JITTER,
            ids,
            made: clock.now(),
            clock,
            session: RwLock::default(),
            expired: RwLock::default(),
            pause: RwLock::default(),
            sessions: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            desk: tokio::sync::Mutex::default(),
        }
    }

    /// The session, after a login if there is none. Those who come during a login wait for it and
    /// share how it ends.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<Session>, Trouble> {
        let seen = self.logins.load(Ordering::Acquire);
        if let Some(session) = self.current() {
            return Ok(session);
        }
        self.apart(move |tokens| async move { tokens.log_in(seen).await }).await.map_err(Trouble::from)
    }

    /// Logs in anew, whether or not there is a session: shows that the credentials are good.
    pub(crate) async fn renew(self: &Arc<Self>) -> Result<Arc<Session>, Trouble> {
        let renewed = self.apart(|tokens| async move {
            let mut desk = tokens.desk.lock().await;
            Self::open_for_logins(&desk)?;
            let result = tokens.in_turn(&mut desk, Some(tokens.clock.now())).await;
            tokens.note(&mut desk, result)
        });
        renewed.await.map_err(Trouble::from)
    }

    /// The org says that this session's token has expired. A newer one is left alone.
    pub(crate) fn forget(&self, expired: &Session) {
        let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|current| current.number == expired.number) {
            *session = None;
            *self.expired.write().unwrap_or_else(PoisonError::into_inner) =
                Some(expired.access_token.clone());
        }
    }

    /// Why nothing can be written, and what to do, while only a person can help.
    pub(crate) fn parked(&self) -> Option<Parked> {
        match &self.pause.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.error {
            LoginError::Dead { parked, .. } => Some(parked.clone()),
            LoginError::Unreachable { .. } | LoginError::Away { .. } => None,
        }
    }

    /// Does what is due: takes up what another process has put into the vault, and refreshes a token that has not been
    /// used for nearly as long as `keep_alive`. Cheap while nothing is due; to be called every few seconds.
    pub(crate) async fn look_after(self: &Arc<Self>, keep_alive: Duration) {
        // What goes wrong has been logged, and is said to whoever needs a session.
        let _ = self.apart(move |tokens| async move { tokens.tend(keep_alive).await }).await;
    }

    /// Waits for a login that is under way; none begins afterwards.
    pub(crate) async fn close(&self) {
        let mut desk = self.desk.lock().await;
        desk.closed = true;
        // The last chance for a token that the vault would not take before.
        if desk.unsaved.is_some()
            && let Err(error) = self.read(&mut desk).await
        {
            tracing::error!(org = %self.org, ?error, "the org's new refresh token could not be saved: connect it again");
        }
    }

    /// In a task of its own: a caller that gives up in the middle must not take a rotated token with it.
    async fn apart<T, W>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> W) -> Result<T, LoginError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, LoginError>> + Send + 'static,
    {
        let task = tokio::spawn(work(Arc::clone(self)).in_current_span());
        task.await.unwrap_or_else(|_| Err(LoginError::away("the login was interrupted")))
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open_for_logins(desk: &Desk) -> Result<(), LoginError> {
        if desk.closed { Err(LoginError::away("this connection to the org is closed")) } else { Ok(()) }
    }

    /// Logs in, unless somebody else did since `seen` logins had ended.
    async fn log_in(&self, seen: u64) -> Result<Arc<Session>, LoginError> {
        let mut desk = self.desk.lock().await;
        if let Some(session) = self.current() {
            return Ok(session);
        }
        Self::open_for_logins(&desk)?;
        if self.logins.load(Ordering::Acquire) != seen
            && let Some(failed) = &desk.failed
        {
            return Err(failed.clone());
        }
        let known = match self.read(&mut desk).await {
            Ok(known) => known,
            Err(error) => return self.note(&mut desk, Err(error)),
        };
        if let Some(session) = self.adopt(&known.grant, None) {
            return self.note(&mut desk, Ok(session));
        }
        if let Some(error) = self.paused(known.version) {
            return Err(error);
        }
        let result = self.in_turn(&mut desk, None).await;
        self.note(&mut desk, result)
    }

    /// What [`look_after`](Self::look_after) does.
    async fn tend(&self, keep_alive: Duration) -> Result<(), LoginError> {
        let mut desk = self.desk.lock().await;
        Self::open_for_logins(&desk)?;
        let known = self.read(&mut desk).await?;
        let pause = self.pause.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Pause { version, error: LoginError::Dead { .. }, .. }) = pause {
            // Somebody has connected the org, or another process got in.
            if known.version > version {
                let result = match self.adopt(&known.grant, None) {
                    Some(session) => Ok(session),
                    None => self.in_turn(&mut desk, None).await,
                };
                self.note(&mut desk, result)?;
            }
            return Ok(());
        }
        if self.paused(known.version).is_some() {
            return Ok(());
        }
        let session = self.current();
        if let (Some(session), Some(access)) = (&session, &known.grant.access) {
            if access.issued > session.issued
                && !session.is(&access.token)
                && let Some(newer) = self.adopt(&known.grant, None)
            {
                return self.note(&mut desk, Ok(newer)).map(drop);
            }
            if session.is(&access.token) && session.worked.load(Ordering::Relaxed) {
                self.drop_previous(&mut desk, &known).await?;
            }
        }
        self.keep_alive(&mut desk, keep_alive).await
    }

    /// The refresh token has worked: the one before it is not needed any more.
    async fn drop_previous(&self, desk: &mut Desk, known: &Known) -> Result<(), LoginError> {
        let mut grant = known.grant.clone();
        if grant.refresh.as_mut().and_then(|refresh| refresh.previous.take()).is_some() {
            // Where somebody else has written meanwhile, the next time will do.
            if let Some(version) = self.vault.replace(&self.org, known.version, &grant.write()?).await? {
                desk.version = version;
            }
        }
        Ok(())
    }

    async fn keep_alive(&self, desk: &mut Desk, after: Duration) -> Result<(), LoginError> {
        let now = self.clock.now();
        if !matches!(self.flow, Flow::RefreshToken { .. }) || desk.resting.is_some_and(|until| until > now) {
            return Ok(());
        }
        let known = self.read(desk).await?;
        let used = known.grant.refresh.as_ref().and_then(|refresh| refresh.used).unwrap_or(self.made);
        let due = used.saturating_add(after.mul_f64(1.0 - self.jitter)).unwrap_or(Timestamp::MAX);
        if due > now {
            return Ok(());
        }
        let result = self.in_turn(desk, Some(used)).await;
        match self.note(desk, result) {
            Ok(_) => {
                tracing::info!(org = %self.org, "the org's refresh token was kept alive");
                Ok(())
            }
            Err(error) => {
                desk.resting = Some(now.saturating_add(TRY_AGAIN).unwrap_or(Timestamp::MAX));
                Err(error)
            }
        }
    }

    /// Writes down how a login ended.
    fn note(
        &self,
        desk: &mut Desk,
        result: Result<Arc<Session>, LoginError>,
    ) -> Result<Arc<Session>, LoginError> {
        match &result {
            Ok(session) => {
                *self.session.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(session));
                let paused = self.pause.write().unwrap_or_else(PoisonError::into_inner).take();
                if paused.is_some_and(|pause| matches!(pause.error, LoginError::Dead { .. })) {
                    tracing::info!(org = %self.org, "the org is no longer parked");
                }
                desk.failed = None;
            }
            Err(error) => {
                self.pause_after(error, desk.version);
                desk.failed = Some(error.clone());
            }
        }
        self.logins.fetch_add(1, Ordering::AcqRel);
        result
    }

    fn paused(&self, version: u64) -> Option<LoginError> {
        let pause = self.pause.read().unwrap_or_else(PoisonError::into_inner);
        let pause = pause.as_ref().filter(|pause| pause.until > self.clock.now())?;
        let renewed = version > pause.version && matches!(pause.error, LoginError::Dead { .. });
        (!renewed).then(|| pause.error.clone())
    }

    fn pause_after(&self, error: &LoginError, version: u64) {
        let pause = match error {
            LoginError::Dead { code, parked } => {
                let Parked { reason, advice, .. } = parked;
                tracing::warn!(org = %self.org, code, reason, advice, "the org is parked: its credentials are refused");
                PARKED_FOR
            }
            LoginError::Away { retry_after, .. } if *retry_after > AWAY_FOR => *retry_after,
            LoginError::Away { .. } | LoginError::Unreachable { .. } => return,
        };
        let until = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        *self.pause.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Pause { until, error: error.clone(), version });
    }

    /// Reads the vault, after giving it what it would not take before.
    async fn read(&self, desk: &mut Desk) -> Result<Known, LoginError> {
        let mut known = self.load().await?;
        if let Some(unsaved) = desk.unsaved.take() {
            // With another refresh token in the vault, somebody has connected the org meanwhile.
            if known.grant.token() == unsaved.replaces.as_ref() {
                known = self.keep(desk, known, unsaved.grant).await?;
            }
        }
        desk.version = known.version;
        Ok(known)
    }

    async fn load(&self) -> Result<Known, LoginError> {
        Ok(match self.vault.load(&self.org).await? {
            Some(saved) => Known { version: saved.version, grant: Grant::read(&saved.grant)? },
            None => Known { version: 0, grant: Grant::default() },
        })
    }

    /// Puts a grant in the place of the one that was read, durably. If another refresh token stands there by now, it
    /// is newer and stays: it comes back. What the vault does not take is the first thing that it is given the next time.
    async fn keep(&self, desk: &mut Desk, known: Known, grant: Grant) -> Result<Known, LoginError> {
        let replaces = known.grant.token().cloned();
        let mut version = known.version;
        let fail = |desk: &mut Desk, error: VaultError, grant| {
            desk.unsaved = Some(Unsaved { replaces: replaces.clone(), grant });
            Err(error.into())
        };
        loop {
            let written = match grant.write() {
                Ok(text) => self.vault.replace(&self.org, version, &text).await,
                Err(error) => Err(error),
            };
            match written {
                Ok(Some(version)) => {
                    desk.version = version;
                    return Ok(Known { version, grant });
                }
                Err(error) => return fail(desk, error, grant),
                Ok(None) => {}
            }
            let now = match self.load().await {
                Ok(now) => now,
                Err(error) => {
                    desk.unsaved = Some(Unsaved { replaces, grant });
                    return Err(error);
                }
            };
            if now.grant.token() != replaces.as_ref() {
                desk.version = now.version;
                return Ok(now);
            }
            version = now.version;
        }
    }

    /// A session of the access token in the vault, if it may be good and was issued after `since`.
    fn adopt(&self, grant: &Grant, since: Option<Timestamp>) -> Option<Arc<Session>> {
        let expired = self.expired.read().unwrap_or_else(PoisonError::into_inner);
        // After one that has expired, only one that cannot have: a call is sent twice and no more.
        let age = if expired.is_some() { SHORTEST_SESSION } else { LONGEST_SESSION };
        let access = grant.access(&self.credentials, age, self.clock.now())?;
        let is_expired = expired.as_ref().is_some_and(|it| it.expose_secret() == access.token.expose());
        let fresh = since.is_none_or(|since| access.issued > since);
        (fresh && !is_expired && is_safe(&access.instance)).then(|| self.open(access))
    }

    fn open(&self, access: &Access) -> Arc<Session> {
        Arc::new(Session {
            number: self.sessions.fetch_add(1, Ordering::Relaxed) + 1,
            access_token: access.token.secret().clone(),
            instance: access.instance.clone(),
            identity: access.identity.clone(),
            issued: access.issued,
            worked: AtomicBool::new(false),
        })
    }

    /// Logs in when it is this process's turn, unless another process has brought an access token by then.
    async fn in_turn(&self, desk: &mut Desk, since: Option<Timestamp>) -> Result<Arc<Session>, LoginError> {
        if !is_safe(&self.url) {
            return Err(LoginError::dead(
                "url",
                "wrong-host",
                "the org's url is not https",
                "write it with https; http is for loopback only",
            ));
        }
        let patience = tokio::time::Instant::now() + PATIENCE;
        while !self.take_turn().await? {
            if tokio::time::Instant::now() >= patience {
                return Err(LoginError::away("another process is logging in to this org"));
            }
            tokio::time::sleep(LOOK).await;
            let known = self.read(desk).await?;
            if let Some(session) = self.adopt(&known.grant, since) {
                return Ok(session);
            }
        }
        let result = tokio::select! {
            result = self.take_or_get(desk, since) => result,
            never = self.hold_turn() => match never {},
        };
        if let Err(error) = self.vault.end_turn(&self.org, &self.holder).await {
            tracing::warn!(org = %self.org, %error, "the turn to log in was not given back; it ends by itself");
        }
        result
    }

    async fn take_turn(&self) -> Result<bool, VaultError> {
        let now = self.clock.now();
        let until = now.saturating_add(TURN).unwrap_or(Timestamp::MAX);
        self.vault.take_turn(&self.org, &self.holder, now, until).await
    }

    async fn hold_turn(&self) -> Infallible {
        loop {
            tokio::time::sleep(EXTEND).await;
            // Losing the turn is no reason to stop: what Salesforce answers must be kept, and is kept only over what
            // it replaces.
            if !matches!(self.take_turn().await, Ok(true)) {
                tracing::warn!(org = %self.org, "the turn to log in could not be extended");
            }
        }
    }

    async fn take_or_get(
        &self,
        desk: &mut Desk,
        since: Option<Timestamp>,
    ) -> Result<Arc<Session>, LoginError> {
        let known = self.read(desk).await?;
        if let Some(session) = self.adopt(&known.grant, since) {
            return Ok(session);
        }
        let endpoint = Endpoint::new(&self.url, Arc::clone(&self.wire))?;
        let answer = match &self.flow {
            Flow::RefreshToken { client_id, client_secret, refresh_token } => {
                let client_secret = client_secret.as_ref();
                let app = App { endpoint, client_id, client_secret, configured: refresh_token.as_ref() };
                return self.refresh(desk, known, &app).await;
            }
            Flow::ClientCredentials { client_id, client_secret } => {
                endpoint.client_credentials(client_id, client_secret).await?
            }
            Flow::JwtBearer { client_id, username, audience, private_key } => {
                let id = self.ids.change();
                let assertion =
                    private_key.assertion(client_id, username, audience, self.clock.now(), id.as_str());
                let assertion = assertion.map_err(|error| {
                    LoginError::dead(
                        "private-key",
                        "bad-assertion",
                        &error.to_string(),
                        "make a new key pair",
                    )
                })?;
                endpoint.jwt_bearer(&assertion).await?
            }
        };
        let access = self.access(&answer)?;
        let session = self.open(&access);
        let grant = Grant { access: Some(access), ..known.grant.clone() };
        // No refresh token is at stake: what cannot be shared costs another login, and no more.
        if let Err(error) = self.keep(desk, known, grant).await {
            desk.unsaved = None;
            tracing::warn!(org = %self.org, ?error, "the access token is not shared: the vault is not available");
        }
        Ok(session)
    }

    /// Refreshes with the vault's token; if the org refuses that one and there is another (the one before it, one that
    /// somebody configured anew), with that. Whichever works is in the vault before its access token is used.
    async fn refresh(
        &self,
        desk: &mut Desk,
        mut known: Known,
        app: &App<'_>,
    ) -> Result<Arc<Session>, LoginError> {
        let mut tried = Vec::new();
        let mut refused = None;
        while let Some(token) = known.grant.candidate(app.configured, &tried) {
            let in_doubt = known.grant.is_in_doubt(&token);
            let begun = Some(Begun { with: token.clone(), at: self.clock.now() });
            let intent = Grant { begun, ..known.grant.clone() };
            let Some(version) = self.vault.replace(&self.org, known.version, &intent.write()?).await? else {
                // Somebody has connected the org.
                known = self.read(desk).await?;
                continue;
            };
            desk.version = version;
            known = Known { version, grant: intent };
            match app.endpoint.refresh(app.client_id, app.client_secret, &token).await {
                Ok(answer) => {
                    let access = self.access(&answer);
                    let rotated = answer.refresh_token.as_ref().map(|token| Token::new(token.secret()));
                    let now = self.clock.now();
                    let good = access.as_ref().ok().cloned();
                    let grant = known.grant.refreshed(&token, rotated, app.configured, good, now);
                    // Durable first: if it cannot be, the access token is not used either.
                    known = self.keep(desk, known, grant).await?;
                    let access = access?;
                    if known.grant.access.as_ref().is_some_and(|kept| kept.token == access.token) {
                        return Ok(self.open(&access));
                    }
                    // A newer refresh token is in force: ours, and what it brought, are given up.
                    if let Some(session) = self.adopt(&known.grant, None) {
                        return Ok(session);
                    }
                }
                Err(LoginError::Dead { code, parked }) if parked.reason == TOKEN_DEAD => {
                    let seen = known.version;
                    known = self.read(desk).await?;
                    if in_doubt {
                        // The one before it was rotated away by the refresh that brought this one.
                        tried.extend(known.grant.refresh.as_ref().and_then(|it| it.previous.clone()));
                        let parked = Parked { reason: "token-lost", advice: LOST.to_owned(), ..parked };
                        refused = Some(LoginError::Dead { code, parked });
                    } else {
                        if known.version == seen {
                            known = self.end_doubt(desk, known).await?;
                        }
                        refused.get_or_insert(LoginError::Dead { code, parked });
                    }
                    tried.push(token);
                }
                Err(error) => {
                    if !matches!(error, LoginError::Away { in_doubt: true, .. }) && !in_doubt {
                        self.end_doubt(desk, known).await?;
                    }
                    return Err(error);
                }
            }
        }
        Err(refused.unwrap_or_else(|| {
            LoginError::dead(
                "refresh_token",
                "not-connected",
                "there is no refresh token for this org",
                "connect the org with `gangway connect`, or configure `refresh-token`",
            )
        }))
    }

    /// The refresh that was begun has had no effect, certainly.
    async fn end_doubt(&self, desk: &mut Desk, known: Known) -> Result<Known, LoginError> {
        let grant = Grant { begun: None, ..known.grant };
        match self.vault.replace(&self.org, known.version, &grant.write()?).await? {
            Some(version) => {
                desk.version = version;
                Ok(Known { version, grant })
            }
            None => self.read(desk).await,
        }
    }

    /// Makes an access token of a token answer. Its instance is read anew each time: it may have moved.
    fn access(&self, answer: &TokenAnswer) -> Result<Access, LoginError> {
        let instance = match &answer.instance_url {
            Some(text) => Url::parse(text).ok().filter(is_safe).ok_or_else(|| {
                LoginError::away("the token answer names an instance that is not an https address")
            })?,
            None => self.url.clone(),
        };
        Ok(Access {
            token: Token::new(answer.access_token.secret()),
            instance,
            identity: answer.id.clone(),
            issued: self.clock.now(),
            credentials: self.credentials.clone(),
        })
    }
}
