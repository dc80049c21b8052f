use std::{sync::Arc, time::Duration};

use model::{Clock, Ids, OrgName};
use secrecy::SecretString;
use url::Url;

use crate::{
    CallError, Ticket, TokenVault,
    answer::{Trouble, judge},
    describe::Descriptions,
    limits::{ApiUsage, Calls},
    queue::{MAX_WAITING, Slots},
    retry::Pace,
    token::Tokens,
    transport::{Answer, Request, Wire},
};

/// When to ask again if the reserve of API calls is reached: the rolling day moves on slowly.
const RESERVE_FOR: Duration = Duration::from_mins(15);
/// When to ask again if the queue is full.
const QUEUE_FOR: Duration = Duration::from_secs(5);

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
    /// Calls in flight at once; one more is kept for changes that take access away.
    pub max_in_flight: usize,
}

/// How access tokens are got.
#[derive(Clone, Debug)]
pub enum Flow {
    /// With a refresh token, rotated or not (RFC 6749 §6).
    RefreshToken {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app wants one for this flow.
        client_secret: Option<SecretString>,
        /// For the first start; what the vault has is newer and goes first.
        refresh_token: Option<SecretString>,
    },
    /// As the app's Run As user (RFC 6749 §4.4).
    ClientCredentials {
        /// The consumer key.
        client_id: String,
        /// The consumer secret.
        client_secret: SecretString,
    },
}

/// A connected Salesforce org. Clones are the same org: they share token, queue and caches.
#[derive(Clone)]
pub struct Org(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: OrgConfig,
    pub(crate) clock: Clock,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) descriptions: Descriptions,
    wire: Arc<Wire>,
    slots: Slots,
    pace: Pace,
    jitter: Ids,
}

/// On whose behalf a request goes out.
#[derive(Clone, Copy)]
pub(crate) enum Errand<'a> {
    /// It changes nothing.
    Read,
    /// A write that can still be withdrawn.
    Write(&'a Ticket),
    /// A write for a change of which something is under way already.
    Follow(&'a Ticket),
}

impl Errand<'_> {
    fn takes_access_away(self) -> bool {
        match self {
            Self::Read => false,
            Self::Write(ticket) | Self::Follow(ticket) => ticket.takes_access_away(),
        }
    }

    /// Nothing had an effect yet: the change may be withdrawn.
    pub(crate) fn rearm(self) {
        if let Self::Write(ticket) = self {
            ticket.rearm();
        }
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
            config,
            clock,
            tokens,
            descriptions: Descriptions::default(),
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

    /// Whether fewer API calls are left than the reserve, so that only changes that take access away go
    /// out. Asked by [`Org::act`] itself; worth asking before reads that only serve other changes.
    #[must_use]
    pub fn reserve_reached(&self) -> bool {
        self.0.wire.gauge.is_below(self.0.config.reserve_calls, self.0.clock.now())
    }

    /// Why nothing goes to this org, with what to do about it. `None` while it works, or has not been asked.
    ///
    /// The org is tried again with the first call after five minutes, and by itself comes back when that
    /// login succeeds; new configuration makes a new [`Org`].
    #[must_use]
    pub fn parked(&self) -> Option<String> {
        self.0.tokens.parked()
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

    /// A path under the configured API version; `rest` starts with a slash.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/services/data/{}{rest}", self.0.config.api_version)
    }

    /// Sends a request, and again where that is safe; gives back an answer that is 2xx or 304.
    pub(crate) async fn send(&self, request: &Request<'_>, errand: Errand<'_>) -> Result<Answer, CallError> {
        let pace = &self.0.pace;
        let mut renewed = false;
        let mut retry = 0;
        loop {
            let trouble = match self.attempt(request, errand).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let policy = match &trouble {
                Trouble::Expired if !renewed => {
                    renewed = true;
                    errand.rearm();
                    continue;
                }
                Trouble::Unsent { .. } => Some(pace.unreachable),
                Trouble::Locked(_) => Some(pace.locked),
                Trouble::Overloaded(_) => Some(pace.overloaded),
                Trouble::Unclear { .. } if !request.writes() => Some(pace.cut),
                Trouble::Unclear { .. } | Trouble::Expired | Trouble::Final(_) => None,
            };
            retry += 1;
            let pause = policy.and_then(|policy| policy.pause(retry, self.0.jitter.jitter()));
            let Some(pause) = pause else {
                let error = trouble.give_up(request.writes());
                if !matches!(error, CallError::Unknown { .. }) {
                    errand.rearm();
                }
                return Err(error);
            };
            // What is tried again had no effect, so until then the change can be withdrawn.
            errand.rearm();
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, request: &Request<'_>, errand: Errand<'_>) -> Result<Answer, Trouble> {
        let away = errand.takes_access_away();
        if request.writes() && !away && self.reserve_reached() {
            return Err(not_sent("reserve: the org's API calls are nearly used up", Some(RESERVE_FOR)));
        }
        let Some(_slot) = self.0.slots.take(away).await else {
            return Err(not_sent("queue full: too many calls wait for this org", Some(QUEUE_FOR)));
        };
        let session = self.0.tokens.session().await?;
        if let Errand::Write(ticket) = errand
            && !ticket.send()
        {
            return Err(not_sent("withdrawn", None));
        }
        let judged = judge(self.0.wire.call(&session, request).await?);
        if matches!(judged, Err(Trouble::Expired)) {
            self.0.tokens.forget(&session);
        }
        judged
    }
}

fn not_sent(why: &str, retry_after: Option<Duration>) -> Trouble {
    Trouble::Final(CallError::NotSent { why: why.to_owned(), retry_after })
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
