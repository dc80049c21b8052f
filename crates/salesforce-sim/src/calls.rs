//! How often the org was called, what runs at this moment, and how much of the allowance is used.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use crate::request::{AppUsage, Usage};

const MINUTE_MS: i64 = 60 * 1_000;
const DAY_MINUTES: i64 = 24 * 60;
/// Sizes of write calls that are remembered one by one.
const LAST: usize = 100;

/// Counters of calls. `GET /_sim/calls` shows them.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    api: u64,
    token: u64,
    by_request: BTreeMap<String, u64>,
    running: HashMap<u64, Run>,
    next_run: u64,
    peak: usize,
    peak_sharing: usize,
    /// Calls by the number of records that they write.
    writes: BTreeMap<usize, u64>,
    last_writes: VecDeque<usize>,
    used: Rolling,
    used_by_app: HashMap<String, Rolling>,
}

/// A call that runs.
struct Run {
    since: i64,
    writes: bool,
    sharing: bool,
    /// It waits for nobody's lock.
    works: bool,
}

/// Calls of the last 24 hours, by the minute.
#[derive(Default)]
struct Rolling {
    minutes: VecDeque<(i64, u64)>,
    total: u64,
}

impl Rolling {
    fn at(&mut self, now: i64) -> u64 {
        let minute = now.div_euclid(MINUTE_MS);
        while let Some((first, count)) = self.minutes.front().copied()
            && minute - first >= DAY_MINUTES
        {
            self.total -= count;
            self.minutes.pop_front();
        }
        self.total
    }

    fn add(&mut self, now: i64) {
        let minute = now.div_euclid(MINUTE_MS);
        match self.minutes.back_mut() {
            Some((last, count)) if *last == minute => *count += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
        self.total += 1;
    }
}

/// A call, from its admission to its end.
pub(crate) struct Running<'a> {
    calls: &'a Calls,
    run: u64,
}

impl Running<'_> {
    /// What the call turned out to be.
    pub(crate) fn is(&self, writes: usize, sharing: bool) {
        let mut counts = self.calls.counts();
        if let Some(run) = counts.running.get_mut(&self.run) {
            run.sharing = sharing;
        }
        let overlap = counts.running.values().filter(|run| run.sharing).count();
        counts.peak_sharing = counts.peak_sharing.max(overlap);
        if writes > 0 {
            *counts.writes.entry(writes).or_default() += 1;
            counts.last_writes.push_back(writes);
            if counts.last_writes.len() > LAST {
                counts.last_writes.pop_front();
            }
        }
    }

    /// The call waits for no other one any more.
    pub(crate) fn has_its_locks(&self) {
        if let Some(run) = self.calls.counts().running.get_mut(&self.run) {
            run.works = true;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.calls.counts().running.remove(&self.run);
    }
}

impl Calls {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of the data API arrived, whatever becomes of it. A composite call is one.
    pub(crate) fn api(&self, method: &str, path: &[String]) {
        let name = format!("{method} {}", shape(path));
        let mut counts = self.counts();
        counts.api += 1;
        *counts.by_request.entry(name).or_default() += 1;
    }

    /// Somebody asked for a token.
    pub(crate) fn token(&self) {
        self.counts().token += 1;
    }

    /// A call was let in and runs until the value is dropped.
    pub(crate) fn begin(&self, writes: bool, now: i64) -> Running<'_> {
        let mut counts = self.counts();
        let run = counts.next_run;
        counts.next_run += 1;
        counts.running.insert(run, Run { since: now, writes, sharing: false, works: false });
        counts.peak = counts.peak.max(counts.running.len());
        Running { calls: self, run }
    }

    /// How many calls, or only writes, have been running for so long.
    pub(crate) fn running_for(&self, millis: i64, only_writes: bool, now: i64) -> usize {
        let counts = self.counts();
        let counted = |run: &&Run| now - run.since >= millis && (run.writes || !only_writes);
        counts.running.values().filter(counted).count()
    }

    /// Takes one call from the allowance of the last 24 hours; `Err` when nothing is left. Where apps are
    /// counted each by itself, `app` is the one that calls, with its allowance; that is shown, not enforced.
    pub(crate) fn spend(&self, max: u64, app: Option<(&str, usize, u64)>, now: i64) -> Result<Usage, Usage> {
        let mut counts = self.counts();
        let left = counts.used.at(now) < max;
        if left {
            counts.used.add(now);
        }
        let app = app.map(|(client_id, index, max)| {
            let rolling = counts.used_by_app.entry(client_id.to_owned()).or_default();
            rolling.at(now);
            if left {
                rolling.add(now);
            }
            AppUsage { used: rolling.total, max, index }
        });
        let usage = Usage { used: counts.used.total, max, app };
        if left { Ok(usage) } else { Err(usage) }
    }

    pub(crate) fn to_json(&self) -> Value {
        let counts = self.counts();
        let writes: BTreeMap<String, u64> =
            counts.writes.iter().map(|(size, calls)| (size.to_string(), *calls)).collect();
        let working = counts.running.values().filter(|run| run.works).count();
        json!({
            "api_calls": counts.api,
            "token_calls": counts.token,
            "by_request": counts.by_request,
            "in_flight": {"now": counts.running.len(), "working": working, "peak": counts.peak},
            "sharing_locks": {"peak": counts.peak_sharing},
            "records_per_write": {"calls_by_size": writes, "last": counts.last_writes},
        })
    }

    pub(crate) fn api_calls(&self) -> u64 {
        self.counts().api
    }

    pub(crate) fn token_calls(&self) -> u64 {
        self.counts().token
    }

    /// Back to zero; the allowance and what runs stay as they are.
    pub(crate) fn clear(&self) {
        let mut counts = self.counts();
        let kept = std::mem::take(&mut *counts);
        let peak = kept.running.len();
        let peak_sharing = kept.running.values().filter(|run| run.sharing).count();
        *counts = Counts {
            running: kept.running,
            next_run: kept.next_run,
            peak,
            peak_sharing,
            used: kept.used,
            used_by_app: kept.used_by_app,
            ..Counts::default()
        };
    }

    /// Back to zero, and nothing used of the allowance.
    pub(crate) fn reset(&self) {
        self.clear();
        let mut counts = self.counts();
        counts.used = Rolling::default();
        counts.used_by_app.clear();
    }
}

/// A path with `{id}`, `{value}` and `{locator}` where it differs from call to call.
fn shape(path: &[String]) -> String {
    let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_mut_slice() {
        ["sobjects", _, last] if *last != "describe" && !last.eq_ignore_ascii_case("Id") => *last = "{id}",
        ["sobjects", _, _, last] => *last = "{value}",
        ["query" | "queryAll", last] => *last = "{locator}",
        _ => {}
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::split_path;

    #[test]
    fn calls_are_counted_by_their_shape() {
        let calls = Calls::default();
        for path in ["/sobjects/User/005A", "/sobjects/User/005B", "/composite", "/query/01g-2000"] {
            calls.api("GET", &split_path(path));
        }
        let by_request = &calls.to_json()["by_request"];
        assert_eq!(by_request["GET /sobjects/User/{id}"], 2);
        assert_eq!(by_request["GET /composite"], 1);
        assert_eq!(by_request["GET /query/{locator}"], 1);
    }

    #[test]
    fn the_allowance_is_that_of_the_last_24_hours() {
        let calls = Calls::default();
        let hour = 60 * MINUTE_MS;
        let spend = |at: i64| calls.spend(2, None, at);
        assert_eq!(spend(0).unwrap().used, 1);
        assert_eq!(spend(10 * hour).unwrap().used, 2);
        assert_eq!(spend(23 * hour).unwrap_err().used, 2);
        // The first call is a day old, the second is not: one is free, no more.
        assert_eq!(spend(24 * hour).unwrap().used, 2);
        assert!(spend(33 * hour).is_err());
        assert!(spend(34 * hour).is_ok());
    }

    #[test]
    fn what_runs_at_once_is_remembered() {
        let calls = Calls::default();
        let (first, second) = (calls.begin(true, 0), calls.begin(false, 15_000));
        first.is(200, true);
        second.is(0, true);
        assert_eq!(calls.running_for(20_000, false, 20_000), 1);
        assert_eq!(calls.running_for(5_000, true, 20_000), 1);
        assert_eq!(calls.running_for(5_000, false, 20_000), 2);
        first.has_its_locks();
        drop(second);
        let shown = calls.to_json();
        assert_eq!(shown["in_flight"], json!({"now": 1, "working": 1, "peak": 2}));
        assert_eq!(shown["sharing_locks"], json!({"peak": 2}));
        assert_eq!(shown["records_per_write"], json!({"calls_by_size": {"200": 1}, "last": [200]}));
        calls.clear();
        assert_eq!(calls.to_json()["in_flight"], json!({"now": 1, "working": 1, "peak": 1}));
        drop(first);
        assert_eq!(calls.to_json()["in_flight"]["now"], 0);
    }
}
