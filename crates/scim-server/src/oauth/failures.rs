//! How often somebody may fail to log in: so often from one address, so often for one user name.
//!
//! Failures are counted, not attempts: a tool that logs in for every action is never in the way of itself.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use model::{TenantId, Timestamp};

/// An address may fail so often at once, and once more every six seconds: a whole team behind one address can mistype, and
/// guessing gets ten tries a minute.
const OF_ADDRESS: Limit = Limit { at_once: 20, regained: Duration::from_secs(6) };
/// A user name may fail so often at once, and once more every half a minute: 2,900 guesses a day, from all addresses.
const OF_USER: Limit = Limit { at_once: 10, regained: Duration::from_secs(30) };
/// Places to count in. Two that share one share their limit, which a random seed keeps anybody from choosing; a table
/// of fixed size cannot be filled up.
const PLACES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug)]
struct Limit {
    at_once: u32,
    regained: Duration,
}

/// Whose failures are counted.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Who<'a> {
    /// An address, at one tenant: cloud agents of several customers share addresses, and none may lock the others out.
    /// The tenant is as the URL names it, whether it exists or not.
    Address(Option<(&'a str, &'a str)>, IpAddr),
    /// A user name of a client, known or not.
    User(&'a TenantId, &'a str, &'a str),
}

impl Who<'_> {
    /// The caller's address. IPv6 is counted by /64, which is what one subscriber has.
    pub fn address<'a>(tenant: Option<(&'a str, &'a str)>, address: IpAddr) -> Who<'a> {
        let network = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Who::Address(tenant, network)
    }

    fn limit(&self) -> Limit {
        match self {
            Self::Address(..) => OF_ADDRESS,
            Self::User(..) => OF_USER,
        }
    }
}

/// Counts failures. In the memory of this gateway alone: a restart forgives, and each of several gateways counts its own.
pub(super) struct Failures {
    /// The instants at which all is forgiven (the "generic cell rate algorithm"), in microseconds.
    forgiven: Box<[AtomicI64]>,
    seed: RandomState,
}

impl Failures {
    pub fn new() -> Self {
        Self { forgiven: (0..PLACES).map(|_| AtomicI64::new(0)).collect(), seed: RandomState::new() }
    }

    /// How long to wait until another attempt is taken, where too many have failed.
    pub fn wait(&self, who: Who<'_>, now: Timestamp) -> Option<Duration> {
        let limit = who.limit();
        let ahead = self.place(who).load(Ordering::Relaxed).saturating_sub(now.as_microsecond());
        let over = ahead - limit.whole() + limit.one();
        // More than the whole is ahead only where the clock was set back, which must lock nobody out.
        (over > 0 && ahead <= limit.whole()).then(|| Duration::from_micros(over.unsigned_abs()))
    }

    /// Counts a failure.
    pub fn count(&self, who: Who<'_>, now: Timestamp) {
        let limit = who.limit();
        let now = now.as_microsecond();
        let add = |forgiven: i64| {
            let start = if forgiven > now + limit.whole() { now } else { forgiven.max(now) };
            Some((start + limit.one()).min(now + limit.whole()))
        };
        // The closure always has an answer.
        let _ = self.place(who).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn place(&self, who: Who<'_>) -> &AtomicI64 {
        let hash = self.seed.hash_one(who);
        &self.forgiven[usize::try_from(hash % self.forgiven.len() as u64).unwrap_or_default()]
    }
}

impl Limit {
    fn one(self) -> i64 {
        i64::try_from(self.regained.as_micros()).unwrap_or(i64::MAX)
    }

    fn whole(self) -> i64 {
        self.one() * i64::from(self.at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn address(text: &str) -> Who<'_> {
        Who::address(Some(("acme", "prod")), text.parse().unwrap())
    }

    /// How many attempts are taken when all of them fail.
    fn taken(failures: &Failures, who: Who<'_>, now: Timestamp) -> usize {
        (0..1_000)
            .take_while(|_| failures.wait(who, now).is_none())
            .inspect(|_| failures.count(who, now))
            .count()
    }

    #[test]
    fn an_address_may_fail_so_often_and_after_a_while_again() {
        let failures = Failures::new();
        let who = address("192.0.2.1");
        assert_eq!(taken(&failures, who, at(0)), 20);
        assert_eq!(failures.wait(who, at(0)), Some(Duration::from_secs(6)));
        assert_eq!(failures.wait(who, at(5)), Some(Duration::from_secs(1)));
        assert_eq!(taken(&failures, who, at(6)), 1);
        assert_eq!(taken(&failures, who, at(600)), 20);
    }

    #[test]
    fn a_user_name_has_a_limit_of_its_own_and_so_has_each_tenant() {
        let failures = Failures::new();
        let (acme, beta) = ("acme/prod".parse().unwrap(), "beta/prod".parse().unwrap());
        assert_eq!(taken(&failures, Who::User(&acme, "3MVG9", "helloid@acme.example"), at(0)), 10);
        assert_eq!(taken(&failures, Who::User(&beta, "3MVG9", "helloid@acme.example"), at(0)), 10);
        assert_eq!(taken(&failures, address("192.0.2.1"), at(0)), 20);
        assert_eq!(taken(&failures, Who::address(None, "192.0.2.1".parse().unwrap()), at(0)), 20);
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address_and_so_is_ipv4_in_ipv6() {
        let failures = Failures::new();
        assert_eq!(taken(&failures, address("2001:db8::1"), at(0)), 20);
        assert_eq!(taken(&failures, address("2001:db8::ffff:1"), at(0)), 0);
        assert_eq!(taken(&failures, address("2001:db8:0:1::1"), at(0)), 20);
        assert_eq!(taken(&failures, address("192.0.2.1"), at(0)), 20);
        assert_eq!(taken(&failures, address("::ffff:192.0.2.1"), at(0)), 0);
    }

    #[test]
    fn who_goes_on_failing_waits_no_longer_for_it() {
        let failures = Failures::new();
        let who = address("192.0.2.1");
        (0..10_000).for_each(|_| failures.count(who, at(0)));
        assert_eq!(taken(&failures, who, at(120)), 20);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let failures = Failures::new();
        let who = address("192.0.2.1");
        assert_eq!(taken(&failures, who, at(86_400)), 20);
        assert_eq!(taken(&failures, who, at(0)), 20);
    }
}
