//! The tokens that live, and what ends them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Refused, app::App};
use crate::{ids::Id, org::Org, random::Random};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
const HOUR_MS: i64 = 3_600 * 1_000;

/// Who got a token, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: Id,
    /// The consumer key of the app; empty for a login with SOAP.
    pub(crate) client_id: String,
    pub(super) scopes: String,
}

pub(super) struct Access {
    pub(super) session: Session,
    pub(super) issued: i64,
    pub(super) used: i64,
    /// The authorization it came from, if a refresh token did.
    family: Option<u64>,
}

pub(super) struct Refresh {
    pub(super) session: Session,
    /// When the user authorized, however often the token was rotated since.
    pub(super) issued: i64,
    used: i64,
    /// The authorization: all tokens that come from it by refreshing.
    family: u64,
}

/// An authorization code on its way.
pub(super) struct Code {
    pub(super) session: Session,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    issued: i64,
    used: bool,
}

/// All tokens of the org.
pub(crate) struct Tokens {
    random: Random,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// Refresh tokens that were rotated away, with their family.
    spent: HashMap<String, u64>,
    codes: HashMap<String, Code>,
    /// Which users said yes to which apps.
    approved: HashSet<(String, Id)>,
    /// Assertions that were used, until they end.
    assertions: HashMap<String, i64>,
    /// Logins of each user in the last hour.
    logins: HashMap<Id, VecDeque<i64>>,
    families: u64,
}

impl State {
    /// Ends an authorization: its refresh token and the sessions that came from it.
    fn end_family(&mut self, family: u64) {
        self.refresh.retain(|_, refresh| refresh.family != family);
        self.access.retain(|_, access| access.family != Some(family));
    }
}

/// What a refresh gives.
pub(super) struct Refreshed {
    pub(super) session: Session,
    pub(super) family: u64,
    /// The next refresh token, where every one works once.
    pub(super) next: Option<String>,
}

const EXPIRED: Refused = Refused("invalid_grant", "expired access/refresh token");

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }

    /// New tokens are those of a new start with this seed.
    pub(super) fn reseed(&self, seed: u64) {
        self.random.reseed(seed);
    }

    /// A new access token, in the form that clients check: the org's short id, `!`, 96 characters.
    pub(super) fn issue(
        &self,
        org: &Org,
        session: Session,
        family: Option<u64>,
        now: i64,
    ) -> Result<String, Refused> {
        let mut state = self.state();
        let logins = state.logins.entry(session.user).or_default();
        while logins.front().is_some_and(|at| now - at >= HOUR_MS) {
            logins.pop_front();
        }
        if logins.len() as u64 >= org.switches.logins_per_hour {
            return Err(Refused("invalid_grant", "login rate exceeded"));
        }
        logins.push_back(now);
        let token = format!("{}!{}", org.id.short(), self.random.text(ALPHABET, 96));
        state.access.insert(token.clone(), Access { session, issued: now, used: now, family });
        Ok(token)
    }

    /// A new authorization with its refresh token. Salesforce keeps five for one user and app; one more ends
    /// the oldest without a word.
    pub(super) fn authorize(&self, org: &Org, session: Session, now: i64) -> (u64, String) {
        let token = format!("5Aep861{}", self.random.text(ALPHABET, 80));
        (self.adopt(org, session, token.clone(), now), token)
    }

    /// The same with a refresh token that is known already.
    pub(super) fn adopt(&self, org: &Org, session: Session, token: String, now: i64) -> u64 {
        let mut state = self.state();
        let (user, client_id) = (session.user, session.client_id.clone());
        state.approved.insert((client_id.clone(), user));
        state.families += 1;
        let family = state.families;
        state.refresh.insert(token, Refresh { session, issued: now, used: now, family });
        let mut families: Vec<u64> = state
            .refresh
            .values()
            .filter(|refresh| refresh.session.user == user && refresh.session.client_id == client_id)
            .map(|refresh| refresh.family)
            .collect();
        families.sort_unstable();
        let too_many = families.len().saturating_sub(org.switches.authorizations_per_user);
        for oldest in &families[..too_many] {
            state.refresh.retain(|_, refresh| refresh.family != *oldest);
        }
        family
    }

    /// Looks a refresh token up and, where they rotate, replaces it.
    pub(super) fn refresh(&self, org: &Org, app: &App, sent: &str, now: i64) -> Result<Refreshed, Refused> {
        let mut state = self.state();
        if let Some(family) = state.spent.get(sent).copied()
            && org.switches.revoke_family_on_reuse
        {
            state.end_family(family);
        }
        let found = state.refresh.get_mut(sent).filter(|refresh| refresh.session.client_id == app.client_id);
        let refresh = found.ok_or(EXPIRED)?;
        let (policy, millis) = app.refresh_policy(org);
        if policy.has_ended(millis, refresh.issued, refresh.used, now) {
            state.refresh.remove(sent);
            return Err(EXPIRED);
        }
        if !crate::users::may_log_in(org, refresh.session.user) {
            return Err(Refused("invalid_grant", "inactive user"));
        }
        refresh.used = now;
        let (session, family) = (refresh.session.clone(), refresh.family);
        let next = app.rotates(org).then(|| format!("5Aep861{}", self.random.text(ALPHABET, 80)));
        if let Some(next) = &next
            && let Some(refresh) = state.refresh.remove(sent)
        {
            state.spent.insert(sent.to_owned(), family);
            state.refresh.insert(next.clone(), refresh);
        }
        Ok(Refreshed { session, family, next })
    }

    /// A new authorization code.
    pub(super) fn code(
        &self,
        session: Session,
        redirect_uri: &str,
        challenge: Option<String>,
        now: i64,
    ) -> String {
        let text = format!("aPrx{}", self.random.text(ALPHABET, 64));
        let code =
            Code { session, redirect_uri: redirect_uri.to_owned(), challenge, issued: now, used: false };
        self.state().codes.insert(text.clone(), code);
        text
    }

    /// Takes a code if `check` finds nothing wrong; it works once.
    pub(super) fn take_code(
        &self,
        org: &Org,
        text: &str,
        now: i64,
        check: impl FnOnce(&Code) -> Result<(), Refused>,
    ) -> Result<Session, Refused> {
        let mut state = self.state();
        let code = state.codes.get_mut(text);
        let code = code.ok_or(Refused("invalid_grant", "invalid authorization code"))?;
        if code.used || now - code.issued >= super::millis(org.switches.authorization_code_seconds) {
            return Err(Refused("invalid_grant", "expired authorization code"));
        }
        check(code)?;
        code.used = true;
        Ok(code.session.clone())
    }

    /// Whether this user has said yes to this app before.
    pub(super) fn is_approved(&self, client_id: &str, user: Id) -> bool {
        self.state().approved.contains(&(client_id.to_owned(), user))
    }

    /// Remembers an assertion; `false` if it was used before.
    pub(super) fn first_use(&self, assertion: String, ends: i64, now: i64) -> bool {
        let mut state = self.state();
        state.assertions.retain(|_, ends| *ends > now);
        state.assertions.insert(assertion, ends).is_none()
    }

    /// The session of a live access token, whose life begins anew.
    pub(super) fn session(&self, token: &str, lifetime: i64, now: i64) -> Option<Session> {
        let mut state = self.state();
        let access = state.access.get_mut(token)?;
        if now - access.used >= lifetime {
            state.access.remove(token);
            return None;
        }
        access.used = now;
        Some(access.session.clone())
    }

    /// Shows a live token to `show`, without using it.
    pub(super) fn look<T>(
        &self,
        token: &str,
        access: impl FnOnce(&Access) -> T,
        refresh: impl FnOnce(&Refresh) -> T,
    ) -> Option<T> {
        let state = self.state();
        state.access.get(token).map(access).or_else(|| state.refresh.get(token).map(refresh))
    }

    /// Ends a token: an access token alone, a refresh token with the sessions that came from it. `false` if
    /// there is none.
    pub(super) fn revoke(&self, token: &str) -> bool {
        let mut state = self.state();
        if state.access.remove(token).is_some() {
            return true;
        }
        let family = state.refresh.get(token).map(|refresh| refresh.family);
        if let Some(family) = family {
            state.end_family(family);
        }
        family.is_some()
    }

    /// Ends every access token; refresh tokens stay.
    pub(super) fn expire_all(&self) -> usize {
        std::mem::take(&mut self.state().access).len()
    }

    /// Ends all tokens of a user, or of everybody; hands back how many there were.
    pub(super) fn revoke_all(&self, user: Option<Id>) -> usize {
        let mut state = self.state();
        let before = state.access.len() + state.refresh.len();
        let stays = |session: &Session| user.is_some_and(|user| session.user != user);
        state.access.retain(|_, access| stays(&access.session));
        state.refresh.retain(|_, refresh| stays(&refresh.session));
        before - state.access.len() - state.refresh.len()
    }

    /// How many access and refresh tokens live.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.state();
        (state.access.len(), state.refresh.len())
    }
}
