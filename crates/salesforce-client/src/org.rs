use std::{sync::Arc, time::Duration};

use model::{Clock, Ids, OrgName};
use url::Url;

use crate::{
    CallError, Parked, Ticket, TokenVault,
    answer::{Trouble, judge},
    conversion::ConvertedStatus,
    describe::Descriptions,
    dispatch::{CallSizes, Dispatcher, Paths},
    limits::{Account, ApiUsage, Calls, Cause, Shares},
    queue::{MAX_WAITING, Slots},
    retry::Pace,
    token::{Tokens, flow::Flow},
    transport::{Answer, Request, Wire},
};

/// How often one call is sent again with a new access token. More than once: the new one may be ended by somebody else, or by
/// a policy of the org, before the call that waits for its turn has used it.
pub(crate) const RENEWALS: u32 = 2;
/// When to ask again if the reserve of API calls is reached: the rolling day moves on slowly.
pub(crate) const RESERVE_FOR: Duration = Duration::from_mins(15);
/// When to ask again if the queue is full.
pub(crate) const QUEUE_FOR: Duration = Duration::from_secs(5);

/// How an org is reached (`[orgs.x]`).
#[derive(Clone, Debug)]
pub struct OrgConfig {
    /// The configuration's name of it.
    pub name: OrgName,
    /// The org's My Domain address, or a login host. `http` on loopback only.
    pub url: Url,
    /// How access tokens are got.
    pub flow: Flow,
    /// Such as `v66.0`.
    pub api_version: String,
    /// With fewer API calls left than this, only changes that take access away go out.
    pub reserve_calls: u64,
    /// The longest that one call may take, connecting included.
    pub call_timeout: Duration,
    /// Calls that write, in flight at once; one more is kept for changes that take access away. As many again may
    /// read.
    pub max_in_flight: usize,
    /// A refresh token that has not been used for so long is used, so that it does not expire.
    pub keep_alive: Duration,
}

/// A connected Salesforce org. Clones are the same org: they share token, queue and caches.
#[derive(Clone)]
pub struct Org(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: OrgConfig,
    pub(crate) clock: Clock,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) descriptions: Descriptions,
    pub(crate) converted_status: ConvertedStatus,
    pub(crate) wire: Arc<Wire>,
    pub(crate) dispatcher: Dispatcher,
    /// Those of the configured API version.
    pub(crate) paths: Paths,
    /// For reads.
    slots: Slots,
    pub(crate) pace: Pace,
    pub(crate) jitter: Ids,
}

/// What a read is for, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    pub(crate) cause: Cause,
    pub(crate) ticket: Option<&'a Ticket>,
}

impl<'a> Purpose<'a> {
    /// Finding the record that a change is about.
    #[must_use]
    pub fn matching(ticket: &'a Ticket) -> Self {
        Self { cause: Cause::Match, ticket: Some(ticket) }
    }

    /// Finding out what became of a write.
    #[must_use]
    pub fn read_back(ticket: &'a Ticket) -> Self {
        Self { cause: Cause::ReadBack, ticket: Some(ticket) }
    }

    /// What the org is and offers, for everybody.
    #[must_use]
    pub fn catalogue() -> Self {
        Self { cause: Cause::Catalogue, ticket: None }
    }

    pub(crate) fn shares(self) -> Shares {
        Shares::of(self.ticket.into_iter().map(Ticket::asker))
    }
}

impl Org {
    /// An org that nothing has been asked yet: no connection, no token, no certificates loaded.
    #[must_use]
    pub fn new(config: OrgConfig, vault: Arc<dyn TokenVault>, clock: Clock) -> Self {
        Self::with_pace(config, vault, clock, Pace::default())
    }

    /// The same, with other pauses between tries.
    #[must_use]
    pub fn with_pace(config: OrgConfig, vault: Arc<dyn TokenVault>, clock: Clock, pace: Pace) -> Self {
        let wire = Arc::new(Wire::new(config.name.clone(), &config.url, config.call_timeout, clock.clone()));
        let tokens = Arc::new(Tokens::new(
            config.name.clone(),
            config.url.clone(),
            config.flow.clone(),
            vault,
            clock.clone(),
            Arc::clone(&wire),
        ));
        let slots = Slots::new(config.max_in_flight, MAX_WAITING);
        Self(Arc::new(Inner {
            dispatcher: Dispatcher::new(config.max_in_flight),
            paths: Paths::of(&config.api_version),
            config,
            clock,
            tokens,
            descriptions: Descriptions::default(),
            converted_status: ConvertedStatus::default(),
            wire,
            slots,
            pace,
            jitter: Ids::random(),
        }))
    }

    /// The configuration's name of it.
    #[must_use]
    pub fn name(&self) -> &OrgName {
        &self.0.config.name
    }

    /// The org's API calls as the last answer told them; `None` before the first one.
    #[must_use]
    pub fn usage(&self) -> Option<ApiUsage> {
        self.0.wire.gauge.usage()
    }

    /// With fewer API calls left than this, only changes that take access away go out.
    #[must_use]
    pub fn reserve(&self) -> u64 {
        self.0.config.reserve_calls
    }

    /// Whether fewer API calls are left than the reserve, so that only changes that take access away go
    /// out. Asked by [`Org::act`] itself; worth asking before reads that only serve other changes.
    #[must_use]
    pub fn reserve_reached(&self) -> bool {
        self.0.wire.gauge.is_below(self.0.config.reserve_calls, self.0.clock.now())
    }

    /// Why nothing goes to this org, with what to do about it. `None` while it works, or has not been asked.
    ///
    /// The org is tried again with the first call after five minutes, and by itself comes back when that
    /// login succeeds, or at once when the vault has other tokens; new configuration makes a new [`Org`].
    #[must_use]
    pub fn parked(&self) -> Option<Parked> {
        self.0.tokens.parked()
    }

    /// Does what is due: takes up tokens that another process has put into the vault (`gangway connect`, say), and uses a
    /// refresh token that would expire. Cheap while nothing is due; to be called every few seconds.
    pub async fn look_after(&self) {
        self.0.tokens.look_after(self.0.config.keep_alive).await;
    }

    /// Logs in although there may be an access token, which shows that the credentials are good. A refresh token is
    /// left alone while the org takes the access token that it brought: each rotation is a risk.
    pub async fn try_credentials(&self) -> Result<(), CallError> {
        match self.0.config.flow {
            Flow::RefreshToken { .. } => self.0.tokens.session().await,
            Flow::ClientCredentials { .. } | Flow::JwtBearer { .. } => self.0.tokens.renew().await,
        }
        .map(drop)
        .map_err(|trouble| trouble.give_up(false))
    }

    /// Ends the use of this connection: waits for a login that is under way and lets no other one begin. Call it
    /// before the vault is closed: the refresh token that a login brings must find its place. And when another
    /// connection takes over: two that rotate one refresh token revoke it.
    pub async fn close(&self) {
        self.0.tokens.close().await;
    }

    /// The requests made so far, by what they were for.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.0.wire.counters.read()
    }

    /// The same by tenant and client. Whoever shares a call has a part of it.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        self.0.wire.counters.accounts()
    }

    /// Changes that wait for a call.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.dispatcher.waiting()
    }

    /// Calls that write and are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.dispatcher.in_flight()
    }

    /// How many records the calls that write have carried.
    #[must_use]
    pub fn call_sizes(&self) -> CallSizes {
        self.0.dispatcher.sizes()
    }

    /// A path under the configured API version; `rest` starts with a slash.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.0.paths.data)
    }

    /// Sends a request that changes nothing, and again where that helps; gives back an answer that is 2xx or 304.
    pub(crate) async fn fetch(
        &self,
        request: &Request<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Answer, CallError> {
        let mut tries = Tries::of_a_read();
        loop {
            match self.attempt(request, purpose).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => self.pause_after(trouble, &mut tries).await?,
            }
        }
    }

    /// Waits as long as another try should. What is not worth one, or has had enough of them, is the error.
    pub(crate) async fn pause_after(&self, trouble: Trouble, tries: &mut Tries) -> Result<(), CallError> {
        let pace = &self.0.pace;
        let policy = match &trouble {
            Trouble::Expired if tries.renewals < RENEWALS => {
                tries.renewals += 1;
                return Ok(());
            }
            Trouble::Unsent { .. } => Some(pace.unreachable),
            Trouble::Locked(_) => Some(pace.locked),
            Trouble::Overloaded(_) => Some(pace.overloaded),
            // A write may have been done.
            Trouble::Unclear { .. } => (!tries.writes).then_some(pace.cut),
            Trouble::Expired | Trouble::Final(_) => None,
        };
        tries.retry += 1;
        match policy.and_then(|policy| policy.pause(tries.retry, self.0.jitter.jitter())) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(trouble.give_up(tries.writes)),
        }
        Ok(())
    }

    pub(crate) async fn attempt(
        &self,
        request: &Request<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Answer, Trouble> {
        let leaver = purpose.ticket.is_some_and(Ticket::takes_access_away);
        let Some(_slot) = self.0.slots.take(leaver).await else {
            return Err(Trouble::Final(CallError::NotSent {
                why: "queue full: too many calls wait for this org".to_owned(),
                retry_after: Some(QUEUE_FOR),
            }));
        };
        let session = self.0.tokens.session().await?;
        let judged = judge(self.0.wire.call(&session, request).await?);
        if matches!(judged, Err(Trouble::Expired)) {
            self.0.tokens.forget(&session);
        }
        judged
    }
}

/// How often one request was tried again.
pub(crate) struct Tries {
    writes: bool,
    renewals: u32,
    retry: u32,
}

impl Tries {
    pub(crate) const fn of_a_read() -> Self {
        Self { writes: false, renewals: 0, retry: 0 }
    }

    pub(crate) const fn of_a_write() -> Self {
        Self { writes: true, renewals: 0, retry: 0 }
    }
}

/// Whether it is the same connection, not only one to the same org.
impl PartialEq for Org {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Org").field("name", self.name()).finish_non_exhaustive()
    }
}
