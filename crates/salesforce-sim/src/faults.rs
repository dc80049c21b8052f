//! Faults that tests ask for: refusals, cut connections, locks, delays.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    errors::Refusal,
    random::Random,
    request::{Body, Reply},
    sobjects,
};

/// A fault as `POST /_sim/faults` takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method it is for; without it every method.
    #[serde(default)]
    pub method: Option<String>,
    /// The beginning of the path behind `/services`, such as `/data/v66.0/composite`: whole segments.
    /// A segment `v*` stands for any version. Without it every path.
    #[serde(default)]
    pub path: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// For `status`: the HTTP status, 503 if it is not given.
    #[serde(default)]
    pub status: Option<u16>,
    /// For `status`: the `errorCode`; without it the usual one of the status. `HTML` answers a
    /// maintenance page in place of JSON, and so do 420 and 502, which come from the edge.
    #[serde(default)]
    pub error_code: Option<String>,
    /// For `status`: the text of the error.
    #[serde(default)]
    pub message: Option<String>,
    /// For `delay` and `slow`, and before any other kind: how long the call waits.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// How many calls it strikes; without it, it stays until it is taken away.
    #[serde(default)]
    pub count: Option<u64>,
    /// How likely it strikes a call that fits, from 0 to 1; always if it is not given.
    #[serde(default)]
    pub probability: Option<f64>,
}

/// What a fault does to the call it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is refused and changes nothing.
    Status,
    /// The connection is closed without an answer; nothing was changed.
    CutBeforeCommit,
    /// It is carried out, and the connection is closed without an answer.
    CutAfterCommit,
    /// The first record that it writes is refused with `UNABLE_TO_LOCK_ROW`.
    Lock,
    /// It waits, and is then carried out as usual.
    Delay,
    /// It takes longer by `delay_ms`, with all its locks held, and less when faults are cleared meanwhile.
    Slow,
}

/// What strikes one call.
#[derive(Default)]
pub(crate) struct Strike {
    pub(crate) delay: Duration,
    pub(crate) hit: Option<Fault>,
    pub(crate) slow: Option<Slow>,
}

/// A call that takes longer.
pub(crate) struct Slow {
    time: Duration,
    /// Changes when faults are cleared.
    cleared: watch::Receiver<()>,
}

impl Slow {
    /// Waits until the time has passed or faults are cleared, be it before this was called.
    pub(crate) async fn wait(mut self) {
        // The sender lives as long as the org: only a time-out or a change ends this.
        let _ = tokio::time::timeout(self.time, self.cleared.changed()).await;
    }
}

/// The faults that are armed.
pub(crate) struct Faults {
    armed: Mutex<Vec<Fault>>,
    /// So that calls take no lock while nothing is armed.
    number: AtomicUsize,
    random: Random,
    cleared: watch::Sender<()>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            armed: Mutex::default(),
            number: AtomicUsize::new(0),
            random: Random::new(seed),
            cleared: watch::Sender::new(()),
        }
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) {
        let mut armed = self.armed();
        armed.push(fault);
        self.number.store(armed.len(), Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        self.armed().clear();
        self.number.store(0, Ordering::Release);
        self.cleared.send_replace(());
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.armed().clone()
    }

    /// Likelihoods are those of a new start with this seed.
    pub(crate) fn reseed(&self, seed: u64) {
        self.random.reseed(seed);
    }

    /// Every fitting `delay`, and the first fitting fault of another kind.
    pub(crate) fn strike(&self, method: &str, path: &[String]) -> Strike {
        self.take(|fault| fault.fits(method, path))
    }

    /// For a part of a composite call: only refusals and locks whose path names the part.
    pub(crate) fn strike_part(&self, method: &str, path: &[String]) -> Option<Reply> {
        let fits = |fault: &Fault| {
            matches!(fault.kind, FaultKind::Status | FaultKind::Lock)
                && fault.path.is_some()
                && fault.fits(method, &path[1..])
        };
        let hit = self.take(fits).hit?;
        Some(match hit.kind {
            FaultKind::Lock => sobjects::lock_refusal(None).into(),
            _ => hit.reply(),
        })
    }

    fn take(&self, fits: impl Fn(&Fault) -> bool) -> Strike {
        let mut strike = Strike::default();
        if self.number.load(Ordering::Acquire) == 0 {
            return strike;
        }
        let mut armed = self.armed();
        for fault in armed.iter_mut() {
            let is_delay = matches!(fault.kind, FaultKind::Delay | FaultKind::Slow);
            if fault.count == Some(0) || (!is_delay && strike.hit.is_some()) || !fits(fault) {
                continue;
            }
            if fault.probability.is_some_and(|probability| self.random.fraction() >= probability) {
                continue;
            }
            fault.count = fault.count.map(|count| count - 1);
            let time = Duration::from_millis(fault.delay_ms.unwrap_or(0));
            if fault.kind == FaultKind::Slow {
                strike.slow = Some(Slow { time, cleared: self.cleared.subscribe() });
            } else {
                strike.delay += time;
            }
            if !is_delay {
                strike.hit = Some(fault.clone());
            }
        }
        armed.retain(|fault| fault.count != Some(0));
        self.number.store(armed.len(), Ordering::Release);
        strike
    }
}

impl Fault {
    /// `path` is what stands behind `/services`.
    fn fits(&self, method: &str, path: &[String]) -> bool {
        let method_fits = self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        method_fits && self.path.as_ref().is_none_or(|wanted| path_fits(wanted, path))
    }

    /// The refusal of a `status` fault: an array from the data API, an object from the token endpoint.
    pub(crate) fn reply(&self) -> Reply {
        let status = self.status.unwrap_or(503);
        // 420 and 502 come from the edge, which speaks no JSON.
        let from_edge = matches!(status, 420 | 502) && self.error_code.is_none();
        if from_edge || self.error_code.as_deref() == Some("HTML") {
            let page = "<html><head><title>Down for Maintenance</title></head><body>Down for Maintenance</body></html>";
            return Reply { status, body: Body::Html(page), headers: Vec::new() };
        }
        self.refusal().into()
    }

    /// The refusal of a `status` fault, in any envelope.
    pub(crate) fn refusal(&self) -> Refusal {
        let status = self.status.unwrap_or(503);
        let (code, message) = self.code_and_message(status);
        Refusal::call(status, code, message)
    }

    pub(crate) fn token_reply(&self) -> Reply {
        let status = self.status.unwrap_or(503);
        let code = self.error_code.clone().unwrap_or_else(|| "server_error".into());
        if code == "HTML" || matches!(status, 420 | 502) && self.error_code.is_none() {
            return self.reply();
        }
        let mut body = json!({"error": code});
        if let Some(message) = &self.message {
            body["error_description"] = json!(message);
        }
        Reply::json(status, body)
    }

    fn code_and_message(&self, status: u16) -> (String, String) {
        let (code, message) = match status {
            401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
            403 => ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            404 => ("NOT_FOUND", "The requested resource does not exist"),
            503 => ("SERVER_UNAVAILABLE", "The server is too busy to handle the request"),
            status if status >= 500 => (
                "UNKNOWN_EXCEPTION",
                "An unexpected error occurred. Please include this ErrorId if you contact support: \
                 1234567890-12345 (1234567890)",
            ),
            _ => ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        };
        let code = self.error_code.clone().unwrap_or_else(|| code.into());
        let usual = match code.as_str() {
            "UNABLE_TO_LOCK_ROW" => "unable to obtain exclusive access to this record",
            "LICENSE_LIMIT_EXCEEDED" => "License Limit Exceeded",
            _ => message,
        };
        let message = self.message.clone().unwrap_or_else(|| usual.into());
        (code, message)
    }
}

fn path_fits(wanted: &str, path: &[String]) -> bool {
    let wanted = wanted.split('?').next().unwrap_or_default();
    let mut wanted = wanted.split('/').filter(|part| !part.is_empty());
    let mut path = path.iter();
    wanted.all(|wanted| {
        path.next().is_some_and(|part| {
            let any_version = wanted == "v*"
                && part.starts_with('v')
                && part[1..].starts_with(|c: char| c.is_ascii_digit());
            any_version || wanted == "*" || part.eq_ignore_ascii_case(wanted)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::split_path;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_path_is_a_beginning_of_whole_segments() {
        let path = split_path("/data/v66.0/sobjects/UserLogin/0Yw");
        for (wanted, fits) in [
            ("/data/v66.0/sobjects/UserLogin", true),
            ("/data/v*/sobjects", true),
            ("/data/v*/sobjects/User", false),
            ("/data/v65.0", false),
            ("/oauth2/token", false),
            ("/", true),
        ] {
            assert_eq!(path_fits(wanted, &path), fits, "{wanted}");
        }
    }

    #[test]
    fn a_counted_fault_strikes_so_often_and_is_gone() {
        let faults = Faults::new(1);
        faults.add(fault(r#"{"kind": "status", "method": "PATCH", "count": 2}"#));
        let path = split_path("/data/v66.0/query");
        assert!(faults.strike("GET", &path).hit.is_none());
        for _ in 0..2 {
            assert!(faults.strike("PATCH", &path).hit.is_some());
        }
        assert!(faults.strike("PATCH", &path).hit.is_none());
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_delay_goes_together_with_another_fault() {
        let faults = Faults::new(1);
        faults.add(fault(r#"{"kind": "delay", "delay_ms": 30}"#));
        faults.add(fault(r#"{"kind": "cut-after-commit"}"#));
        let strike = faults.strike("GET", &[]);
        assert_eq!(strike.delay, Duration::from_millis(30));
        assert_eq!(strike.hit.unwrap().kind, FaultKind::CutAfterCommit);
    }

    #[test]
    fn likelihood_comes_from_the_seed() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.add(fault(r#"{"kind": "status", "probability": 0.5}"#));
            (0..64).map(|_| faults.strike("GET", &[]).hit.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((10..54).contains(&run(7).iter().filter(|hit| **hit).count()));
    }
}
