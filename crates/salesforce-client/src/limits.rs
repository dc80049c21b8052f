//! How many API calls an org has left, and how many we made.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use model::{ClientName, TenantId};

use crate::ticket::Asker;

/// How old a number may be to hold changes back. Below the reserve nothing else would bring a newer
/// one, so after this time one call goes out and asks.
const BELIEVED_FOR: Duration = Duration::from_mins(15);

/// The API calls of an org, counted over a rolling 24 hours, every other integration included.
///
/// As old as the answer it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls made.
    pub used: u64,
    /// Calls allowed.
    pub max: u64,
}

/// The header makes no sense. Not knowing the limit is no reason to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sforce-Limit-Info has no readable api-usage")]
pub struct LimitError;

impl ApiUsage {
    /// Reads a `Sforce-Limit-Info` header, such as `api-usage=18/5000` or
    /// `api-usage=25/5000; per-app-api-usage=17/250(appName=sample)` (REST API Developer Guide,
    /// "Limit Info Header").
    ///
    /// # Errors
    ///
    /// [`LimitError`] if there is no `api-usage` of two numbers.
    ///
    /// # Example
    ///
    /// ```
    /// use salesforce_client::ApiUsage;
    ///
    /// let usage = ApiUsage::parse("api-usage=18/5000")?;
    /// assert_eq!(usage.remaining(), 4_982);
    /// # Ok::<(), salesforce_client::LimitError>(())
    /// ```
    pub fn parse(header: &str) -> Result<Self, LimitError> {
        let (used, max) = header
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))
            .and_then(|usage| usage.split_once('/'))
            .ok_or(LimitError)?;
        let number = |text: &str| text.trim().parse().map_err(|_| LimitError);
        Ok(Self { used: number(used)?, max: number(max)? })
    }

    /// Calls left; 0 when the org is over its limit, which Salesforce tolerates for a while.
    #[must_use]
    pub fn remaining(self) -> u64 {
        self.max.saturating_sub(self.used)
    }
}

/// What the last answer said.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Mutex<Option<(ApiUsage, Timestamp)>>);

impl Gauge {
    /// Takes the header of an answer; one that makes no sense changes nothing.
    pub(crate) fn record(&self, header: Option<&str>, now: Timestamp) -> Option<ApiUsage> {
        let usage = ApiUsage::parse(header?).ok()?;
        self.note(usage, now);
        Some(usage)
    }

    /// Takes what an answer said in another way.
    pub(crate) fn note(&self, usage: ApiUsage, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((usage, now));
    }

    pub(crate) fn usage(&self) -> Option<ApiUsage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|(usage, _)| usage)
    }

    /// Whether the org is known to have fewer calls left than the reserve.
    pub(crate) fn is_below(&self, reserve: u64, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|(usage, seen)| {
            usage.remaining() < reserve && now.duration_since(seen).unsigned_abs() < BELIEVED_FOR
        })
    }
}

/// What a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A login. Salesforce does not count these as API calls.
    Token,
    /// What the org is and offers: descriptions, profiles, who the integration user is.
    Catalogue,
    /// Finding the record that a change is about.
    Match,
    /// Finding out what became of a write.
    ReadBack,
    /// Records, and what is granted in the same call.
    Write,
    /// Only grants: permission sets, groups, licences.
    Grant,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Token, Self::Catalogue, Self::Match, Self::ReadBack, Self::Write, Self::Grant];

    /// As metrics and `gangway check` write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Catalogue => "catalogue",
            Self::Match => "match",
            Self::ReadBack => "read-back",
            Self::Write => "write",
            Self::Grant => "grant",
        }
    }
}

/// How many requests went to the org since the start, by what they were for; tries that found no
/// connection are counted too, and a Composite is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls([u64; 6]);

impl Calls {
    /// Those for one cause.
    #[must_use]
    pub fn of(self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// All that Salesforce counts as API calls.
    #[must_use]
    pub fn total(self) -> u64 {
        self.0.iter().sum::<u64>() - self.of(Cause::Token)
    }
}

/// What one client's changes have cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The tenant.
    pub tenant: TenantId,
    /// Its client.
    pub client: ClientName,
    /// What for.
    pub cause: Cause,
    /// Calls, and parts of calls that were shared with others.
    pub calls: f64,
}

/// For whom a call is made, with the number of their changes in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares(Vec<((TenantId, ClientName), f64)>);

impl Shares {
    pub(crate) fn of<'a>(askers: impl Iterator<Item = &'a Asker>) -> Self {
        let mut shares: Vec<((TenantId, ClientName), f64)> = Vec::new();
        for asker in askers {
            let is_it = |(who, _): &&mut ((TenantId, ClientName), f64)| {
                who.0 == asker.tenant && who.1 == asker.client
            };
            match shares.iter_mut().find(is_it) {
                Some((_, changes)) => *changes += 1.0,
                None => shares.push(((asker.tenant.clone(), asker.client.clone()), 1.0)),
            }
        }
        Self(shares)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: [AtomicU64; 6],
    accounts: Mutex<HashMap<(TenantId, ClientName), [f64; 6]>>,
}

impl Counters {
    pub(crate) fn count(&self, cause: Cause, shares: &Shares) {
        self.calls[cause as usize].fetch_add(1, Ordering::Relaxed);
        if shares.0.is_empty() {
            return;
        }
        let all: f64 = shares.0.iter().map(|(_, changes)| changes).sum();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for (who, changes) in &shares.0 {
            if let Some(account) = accounts.get_mut(who) {
                account[cause as usize] += changes / all;
            } else {
                accounts.entry(who.clone()).or_default()[cause as usize] += changes / all;
            }
        }
    }

    pub(crate) fn read(&self) -> Calls {
        Calls(std::array::from_fn(|at| self.calls[at].load(Ordering::Relaxed)))
    }

    pub(crate) fn accounts(&self) -> Vec<Account> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Account> = accounts
            .iter()
            .flat_map(|((tenant, client), calls)| {
                Cause::ALL.into_iter().map(|cause| Account {
                    tenant: tenant.clone(),
                    client: client.clone(),
                    cause,
                    calls: calls[cause as usize],
                })
            })
            .filter(|account| account.calls > 0.0)
            .collect();
        all.sort_by(|a, b| (&a.tenant, &a.client).cmp(&(&b.tenant, &b.client)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_header_is_read_with_and_without_the_app() {
        let usage = ApiUsage { used: 25, max: 5_000 };
        assert_eq!(ApiUsage::parse("api-usage=25/5000"), Ok(usage));
        assert_eq!(
            ApiUsage::parse("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)"),
            Ok(usage)
        );
        assert_eq!(ApiUsage::parse("per-app-api-usage=17/250(appName=a); api-usage=25/5000"), Ok(usage));
        for bad in
            ["", "api-usage=", "api-usage=1", "api-usage=a/b", "per-app-api-usage=17/250", "api-usage=-1/5"]
        {
            assert_eq!(ApiUsage::parse(bad), Err(LimitError), "{bad}");
        }
    }

    #[test]
    fn an_org_over_its_limit_has_nothing_left() {
        assert_eq!(ApiUsage { used: 5_001, max: 5_000 }.remaining(), 0);
    }

    #[test]
    fn the_reserve_is_believed_for_a_while_only() {
        let gauge = Gauge::default();
        let noon = at("2026-01-01T12:00:00Z");
        assert!(!gauge.is_below(100, noon), "nothing is known");
        gauge.record(Some("api-usage=4950/5000"), noon);
        assert!(gauge.is_below(100, noon));
        assert!(!gauge.is_below(50, noon));
        assert!(!gauge.is_below(100, at("2026-01-01T12:15:00Z")));
        gauge.record(Some("nonsense"), noon);
        assert_eq!(gauge.usage().map(ApiUsage::remaining), Some(50));
    }
}
