//! What one caller may ask for at once: each limit with its reason, and the bucket that counts requests.
//!
//! The limits of messages (1,000 operations, 10,000 members, filter depth, page size) are `scim-types`' own.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use model::Timestamp;

/// Bytes of a request body at most. A group of 10,000 members, the most that one PATCH may name, takes about
/// 60 bytes for each: 600 KB.
pub const BODY: usize = 1024 * 1024;

/// How long a body may take to arrive: 8 MiB in a minute is 140 KB/s. A client that is slower than that holds a connection
/// for nothing.
pub const BODY_TIME: Duration = Duration::from_mins(1);

/// Requests per second and client, unless configured: eight times what Entra ID asks a server to sustain for a whole
/// tenant (C-13).
pub const REQUESTS_PER_SECOND: u32 = 200;

/// Bytes of a bulk request at most, as the `ServiceProviderConfig` announces it.
pub const BULK_BODY: usize = scim_types::bulk::MAX_BULK_PAYLOAD;

/// Bytes of the body of a token request at most: five parameters, the longest of them a password.
pub const TOKEN_BODY: usize = 16 * 1024;
/// Bytes of all request headers at most. The largest legitimate one is a bearer token of a few KiB.
pub const HEADERS: usize = 16 * 1024;

/// Bytes of the path and the query at most; a longer filter goes into the body of a `.search`.
pub const TARGET: usize = 16 * 1024;

/// Levels of nested arrays and objects in a body at most. A SCIM message needs about eight; `serde_json` refuses 128,
/// and a body is stored inside other messages, where it has to be readable again.
pub const JSON_DEPTH: usize = 64;

/// Seconds that a cursor is good for (RFC 9865 §2), as the `ServiceProviderConfig` announces it.
pub const CURSOR_SECONDS: u64 = 3_600;

/// Operations of one bulk request that run at the same time: enough to fill a call to Salesforce, few enough that one
/// bulk request leaves room for others.
pub const BULK_AT_ONCE: usize = 16;

const SECOND: i64 = 1_000_000;

/// Counts the requests of one client: a token bucket that holds one second's worth and fills steadily.
///
/// The state is one number, the instant at which the bucket will be full again (the "generic cell rate algorithm"), so
/// that no lock is taken on the way of a request.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    full_at: AtomicI64,
}

/// The bucket is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// Requests per second.
    pub limit: u32,
    /// Whole seconds until a request will be taken again.
    pub retry_after: Duration,
    /// Whole seconds until the bucket is full.
    pub full_after: Duration,
}

impl Bucket {
    /// A full bucket; 0 means no limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second, full_at: AtomicI64::new(0) }
    }

    /// Takes one token.
    pub fn take(&self, now: Timestamp) -> Result<(), Exhausted> {
        if self.per_second == 0 {
            return Ok(());
        }
        let cost = SECOND / i64::from(self.per_second);
        let now = now.as_microsecond();
        let taken = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            // Later than a second from now means that the clock was set back, which must lock no client out.
            let start = if full_at > now + SECOND { now } else { full_at.max(now) };
            Some(start + cost).filter(|full_at| *full_at <= now + SECOND)
        });
        match taken {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Exhausted {
                limit: self.per_second,
                retry_after: whole_seconds(full_at + cost - SECOND - now),
                full_after: whole_seconds(full_at - now),
            }),
        }
    }
}

fn whole_seconds(micros: i64) -> Duration {
    let micros = u64::try_from(micros.clamp(1, SECOND)).unwrap_or(1);
    Duration::from_secs(micros.div_ceil(SECOND.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn taken(bucket: &Bucket, now: Timestamp, tries: usize) -> usize {
        (0..tries).filter(|_| bucket.take(now).is_ok()).count()
    }

    #[test]
    fn c13_a_second_holds_so_many_requests_and_the_next_one_again() {
        let bucket = Bucket::new(200);
        assert_eq!(taken(&bucket, at(0), 300), 200);
        assert_eq!(taken(&bucket, at(500), 300), 100);
        assert_eq!(taken(&bucket, at(60_000), 300), 200);
    }

    #[test]
    fn c13_the_wait_is_in_whole_seconds_and_never_none() {
        let bucket = Bucket::new(1);
        bucket.take(at(0)).unwrap();
        let exhausted = bucket.take(at(999)).unwrap_err();
        assert_eq!(exhausted.retry_after, Duration::from_secs(1));
        assert_eq!(exhausted.limit, 1);
        bucket.take(at(1_000)).unwrap();
    }

    #[test]
    fn c13_twenty_five_requests_a_second_are_sustained() {
        let bucket = Bucket::new(25);
        for request in 0..1_000 {
            bucket.take(at(request * 40)).unwrap();
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let bucket = Bucket::new(10);
        assert_eq!(taken(&bucket, at(86_400_000), 20), 10);
        assert_eq!(taken(&bucket, at(0), 20), 10);
        assert_eq!(taken(&bucket, at(500), 20), 5);
    }

    #[test]
    fn what_is_promised_holds_together() {
        let bucket = Bucket::new(REQUESTS_PER_SECOND);
        assert_eq!(taken(&bucket, at(0), 1_000), 200);
        assert_eq!((BODY, BULK_BODY, HEADERS), (1 << 20, 8 << 20, 16 << 10));
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!(taken(&Bucket::new(0), at(0), 10_000), 10_000);
    }
}
