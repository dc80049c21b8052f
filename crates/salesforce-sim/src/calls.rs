//! How often the org was called, and how much of the day's allowance is used.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::request::Usage;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Counters of calls. `GET /_sim/calls` shows them.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    api: u64,
    token: u64,
    by_request: BTreeMap<String, u64>,
    used_today: u64,
    day_began: i64,
}

impl Calls {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
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

    /// Takes one call from the day's allowance; `Err` when nothing was left.
    pub(crate) fn spend(&self, max: u64, now: i64) -> Result<Usage, Usage> {
        let mut counts = self.counts();
        if now - counts.day_began >= DAY_MS {
            counts.day_began = now;
            counts.used_today = 0;
        }
        if counts.used_today >= max {
            return Err(Usage { used: counts.used_today, max });
        }
        counts.used_today += 1;
        Ok(Usage { used: counts.used_today, max })
    }

    pub(crate) fn to_json(&self) -> Value {
        let counts = self.counts();
        json!({"api_calls": counts.api, "token_calls": counts.token, "by_request": counts.by_request})
    }

    pub(crate) fn api_calls(&self) -> u64 {
        self.counts().api
    }

    pub(crate) fn token_calls(&self) -> u64 {
        self.counts().token
    }

    /// Back to zero; the day's allowance stays as it is.
    pub(crate) fn clear(&self) {
        let mut counts = self.counts();
        counts.api = 0;
        counts.token = 0;
        counts.by_request.clear();
    }

    /// Back to zero, and a new day.
    pub(crate) fn reset(&self) {
        *self.counts() = Counts::default();
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
    fn the_allowance_comes_back_after_a_day() {
        let calls = Calls::default();
        assert!(calls.spend(2, 0).is_ok() && calls.spend(2, 1).is_ok());
        assert!(calls.spend(2, DAY_MS - 1).is_err());
        assert!(calls.spend(2, DAY_MS).is_ok());
    }
}
