//! How often somebody may fail to log in at a token endpoint: so often from one address, so often for one user name.
//!
//! Failures are counted, not attempts: a tool that logs in for every action is never in the way of itself. What one address
//! can fail is bounded whatever it names, so that nobody uses up by himself what all others have.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use crate::{TenantId, Timestamp};

/// An address may fail so often at one tenant at once, and once more every six seconds: a whole team behind one address can
/// mistype, and guessing gets ten tries a minute. So it may where it names no client that there is.
const OF_ADDRESS: Limit = Limit { at_once: 20, regained: Duration::from_secs(6) };
/// A network may fail so often in all, and once more every second: six tenants whose agents share an address and fail all day
/// are in nobody's way, and a table of 16,384 places cannot be filled up.
const OF_NETWORK: Limit = Limit { at_once: 200, regained: Duration::from_secs(1) };
/// A user name may fail so often at once, and once more every half a minute: 2,900 guesses a day, from all addresses.
const OF_USER: Limit = Limit { at_once: 20, regained: Duration::from_secs(30) };
/// From one address half of that: alone it locks nobody out who logs in from another one.
const OF_LOGIN: Limit = Limit { at_once: 10, regained: Duration::from_mins(1) };
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
pub enum Who<'a> {
    /// An address that names no client that there is. Counted apart from tenants, which are thus not told from those that do not
    /// exist.
    Stranger(IpAddr),
    /// An address, at one tenant: cloud agents of several customers share addresses, and none may lock the others out.
    Address(&'a TenantId, IpAddr),
    /// All that comes from an address, or from a network of IPv6.
    Network(IpAddr),
    /// A user name of a client, known or not, from one address.
    Login(&'a TenantId, &'a str, &'a str, IpAddr),
    /// The same, from everywhere.
    User(&'a TenantId, &'a str, &'a str),
}

impl Who<'_> {
    fn limit(&self) -> Limit {
        match self {
            Self::Stranger(_) | Self::Address(..) => OF_ADDRESS,
            Self::Network(_) => OF_NETWORK,
            Self::Login(..) => OF_LOGIN,
            Self::User(..) => OF_USER,
        }
    }
}

/// Where a request comes from. IPv6 is counted by /64, which is what one subscriber's network has, and in all by /48, which is
/// what one subscriber may have.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The address, or the /64 of IPv6.
    pub address: IpAddr,
    /// The same, or the /48 of IPv6.
    pub network: IpAddr,
}

impl Origin {
    /// Of this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let cut = |bits: u32| match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> bits << bits)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { address: cut(64), network: cut(80) }
    }
}

/// Counts failures. In the memory of this gateway alone: a restart forgives, and each of several gateways counts its own.
pub struct Failures {
    /// The instants at which all is forgiven (the "generic cell rate algorithm"), in microseconds.
    forgiven: Box<[AtomicI64]>,
    seed: RandomState,
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failures")
    }
}

impl Default for Failures {
    /// Nobody has failed yet.
    fn default() -> Self {
        Self { forgiven: (0..PLACES).map(|_| AtomicI64::new(0)).collect(), seed: RandomState::new() }
    }
}

impl Failures {
    /// How long to wait until another attempt is taken, where too many have failed.
    #[must_use]
    pub fn wait(&self, who: Who<'_>, now: Timestamp) -> Option<Duration> {
        let limit = who.limit();
        let ahead = self.place(who).load(Ordering::Relaxed).saturating_sub(now.as_microsecond());
        let over = ahead - limit.whole() + limit.one();
        // More than the whole is ahead only where the clock was set back, which must lock nobody out.
        (over > 0 && ahead <= limit.whole()).then(|| Duration::from_micros(over.unsigned_abs()))
    }

    /// How long the longest of them has to wait.
    #[must_use]
    pub fn wait_of(&self, counted: &[Who<'_>], now: Timestamp) -> Option<Duration> {
        counted.iter().filter_map(|who| self.wait(*who, now)).max()
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

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    fn stranger(text: &str) -> Who<'static> {
        Who::Stranger(origin(text).address)
    }

    /// How many attempts are taken when all of them fail.
    fn taken(failures: &Failures, counted: &[Who<'_>], now: Timestamp) -> usize {
        (0..1_000)
            .take_while(|_| counted.iter().all(|who| failures.wait(*who, now).is_none()))
            .inspect(|_| counted.iter().for_each(|who| failures.count(*who, now)))
            .count()
    }

    #[test]
    fn an_address_may_fail_so_often_and_after_a_while_again() {
        let failures = Failures::default();
        let who = stranger("192.0.2.1");
        assert_eq!(taken(&failures, &[who], at(0)), 20);
        assert_eq!(failures.wait(who, at(0)), Some(Duration::from_secs(6)));
        assert_eq!(failures.wait(who, at(5)), Some(Duration::from_secs(1)));
        assert_eq!(taken(&failures, &[who], at(6)), 1);
        assert_eq!(taken(&failures, &[who], at(600)), 20);
    }

    #[test]
    fn a_user_name_has_a_limit_of_its_own_and_so_has_each_tenant() {
        let failures = Failures::default();
        let (acme, beta) = (tenant("acme/prod"), tenant("beta/prod"));
        let from = origin("192.0.2.1").address;
        for tenant in [&acme, &beta] {
            assert_eq!(taken(&failures, &[Who::User(tenant, "3MVG9", "helloid@acme.example")], at(0)), 20);
            assert_eq!(taken(&failures, &[Who::Address(tenant, from)], at(0)), 20);
        }
        assert_eq!(taken(&failures, &[Who::Stranger(from)], at(0)), 20);
    }

    /// For as long as it likes.
    #[test]
    fn one_address_alone_locks_no_user_out() {
        let failures = Failures::default();
        let acme = tenant("acme/prod");
        let login = |from: Origin| {
            let (client, user) = ("3MVG9", "helloid@acme.example");
            [Who::Login(&acme, client, user, from.address), Who::User(&acme, client, user)]
        };
        let (one, other) = (origin("192.0.2.1"), origin("198.51.100.1"));
        for second in 0..3_600 {
            let _ = taken(&failures, &login(one), at(second));
            assert!(login(other).iter().all(|who| failures.wait(*who, at(second)).is_none()), "{second}");
        }
    }

    /// Whatever it makes up: an hour of it leaves nobody else waiting.
    #[test]
    fn one_address_cannot_fill_the_table() {
        let failures = Failures::default();
        let one = origin("192.0.2.1");
        let mut made_up = 0;
        for second in 0..3_600 {
            while failures.wait(Who::Network(one.network), at(second)).is_none() {
                made_up += 1;
                let tenant = tenant(&format!("made-up-{made_up}/prod"));
                failures.count(Who::Address(&tenant, one.address), at(second));
                failures.count(Who::Network(one.network), at(second));
            }
        }
        assert!(made_up < 4_000, "{made_up}");
        let locked = (0..=255_u8).filter(|host| {
            let other = Who::Stranger(IpAddr::from([198, 51, 100, *host]));
            failures.wait(other, at(3_600)).is_some()
        });
        // Whoever happens to share the network's own place.
        assert!(locked.count() <= 1);
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address_and_so_is_ipv4_in_ipv6() {
        let failures = Failures::default();
        assert_eq!(taken(&failures, &[stranger("2001:db8::1")], at(0)), 20);
        assert_eq!(taken(&failures, &[stranger("2001:db8::ffff:1")], at(0)), 0);
        assert_eq!(taken(&failures, &[stranger("2001:db8:0:1::1")], at(0)), 20);
        assert_eq!(origin("2001:db8::1").network, origin("2001:db8:0:1::1").network);
        assert_ne!(origin("2001:db8::1").network, origin("2001:db8:1::1").network);
        assert_eq!(taken(&failures, &[stranger("192.0.2.1")], at(0)), 20);
        assert_eq!(taken(&failures, &[stranger("::ffff:192.0.2.1")], at(0)), 0);
    }

    #[test]
    fn who_goes_on_failing_waits_no_longer_for_it() {
        let failures = Failures::default();
        let who = stranger("192.0.2.1");
        (0..10_000).for_each(|_| failures.count(who, at(0)));
        assert_eq!(taken(&failures, &[who], at(120)), 20);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let failures = Failures::default();
        let who = stranger("192.0.2.1");
        assert_eq!(taken(&failures, &[who], at(86_400)), 20);
        assert_eq!(taken(&failures, &[who], at(0)), 20);
    }
}
