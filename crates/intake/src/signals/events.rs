//! The events of CAEP, RISC and Shared Signals, and what is done about each.

use std::collections::BTreeMap;

use provisioning::SignalAction;
use serde_json::{Map, Value};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

/// A kind of event, as the specifications have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    base: &'static str,
    /// The last part of its URI; also its key in the configuration.
    pub name: &'static str,
    /// What is done about it where nothing else is configured.
    pub default: Option<SignalAction>,
    /// It counts only where this member has one of these values: the others say that things have become better.
    worse: Option<(&'static str, &'static [&'static str])>,
    /// Somebody has to see it, whatever is done.
    alarming: bool,
}

const fn event(base: &'static str, name: &'static str, default: Option<SignalAction>) -> EventType {
    EventType { base, name, default, worse: None, alarming: false }
}

const fn alarming(event: EventType) -> EventType {
    EventType { alarming: true, ..event }
}

const fn only(event: EventType, member: &'static str, values: &'static [&'static str]) -> EventType {
    EventType { worse: Some((member, values)), ..event }
}

use SignalAction::{EndSessions, Freeze, Purge, Unfreeze};

/// Every kind that something can be done about (CAEP 1.0 §3, RISC 1.0 §2). All others are acknowledged and left alone.
pub const EVENT_TYPES: [EventType; 14] = [
    event(CAEP, "session-revoked", Some(EndSessions)),
    event(CAEP, "credential-change", None),
    event(CAEP, "token-claims-change", None),
    only(event(CAEP, "assurance-level-change", None), "change_direction", &["decrease"]),
    only(event(CAEP, "device-compliance-change", None), "current_status", &["not-compliant"]),
    only(event(CAEP, "risk-level-change", None), "current_level", &["HIGH"]),
    event(RISC, "account-disabled", Some(Freeze)),
    event(RISC, "account-enabled", Some(Unfreeze)),
    event(RISC, "account-purged", Some(Purge)),
    event(RISC, "account-credential-change-required", None),
    // Who has the address now is somebody else.
    alarming(event(RISC, "identifier-recycled", Some(Freeze))),
    alarming(event(RISC, "identifier-changed", None)),
    alarming(event(RISC, "credential-compromise", Some(EndSessions))),
    event(RISC, "sessions-revoked", Some(EndSessions)),
];

/// What is to be done about which kind of event, where that is not the default. `None`: nothing.
pub type Actions = BTreeMap<&'static str, Option<SignalAction>>;

/// What an event is, by its URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The transmitter answers a request for verification, or sends one of itself.
    Verification,
    /// The state of the stream.
    StreamUpdated,
    /// Something has happened to a person.
    Signal(&'static EventType),
    /// Nothing that is known here.
    Other,
}

impl What {
    pub(super) fn of(uri: &str) -> Self {
        match uri.strip_prefix(SSF) {
            Some("verification") => return Self::Verification,
            Some("stream-updated") => return Self::StreamUpdated,
            _ => {}
        }
        let known = EVENT_TYPES.iter().find(|event| uri.strip_prefix(event.base) == Some(event.name));
        known.map_or(Self::Other, Self::Signal)
    }
}

impl EventType {
    /// Its URI.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{}{}", self.base, self.name)
    }

    /// What is to be done about events of this kind.
    #[must_use]
    pub fn action(&self, actions: &Actions) -> Option<SignalAction> {
        actions.get(self.name).copied().unwrap_or(self.default)
    }

    /// Whether this one says that something has become worse.
    pub(super) fn is_worse(&self, event: &Map<String, Value>) -> bool {
        self.worse.is_none_or(|(member, values)| {
            let said = event.get(member).and_then(Value::as_str).unwrap_or_default();
            values.iter().any(|value| value.eq_ignore_ascii_case(said))
        })
    }

    pub(super) fn is_alarming(&self) -> bool {
        self.alarming
    }

    /// Whether it may be answered with this action: only who is enabled is let in again, and only who is purged is deleted.
    #[must_use]
    pub fn may(&self, action: SignalAction) -> bool {
        (self.name == "account-enabled") == (action == Unfreeze)
            && (self.name == "account-purged" || action != Purge)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> &'static EventType {
        EVENT_TYPES.iter().find(|event| event.name == name).unwrap()
    }

    #[test]
    fn an_event_is_known_by_its_whole_uri() {
        for event in &EVENT_TYPES {
            assert_eq!(What::of(&event.uri()), What::Signal(event));
            assert_eq!(What::of(&format!("{}x", event.uri())), What::Other);
            assert!(event.default.is_none_or(|action| event.may(action)), "{}", event.name);
        }
        let misplaced = "https://schemas.openid.net/secevent/caep/event-type/account-disabled";
        assert_eq!(What::of(misplaced), What::Other);
        assert_eq!(What::of(&format!("{SSF}verification")), What::Verification);
    }

    #[test]
    fn a_device_that_complies_again_locks_nobody_out() {
        let says = |name: &str, event: Value| named(name).is_worse(event.as_object().unwrap());
        assert!(says("device-compliance-change", json!({"current_status": "not-compliant"})));
        assert!(!says("device-compliance-change", json!({"current_status": "compliant"})));
        assert!(!says("device-compliance-change", json!({})));
        assert!(says("risk-level-change", json!({"current_level": "high"})));
        assert!(!says("risk-level-change", json!({"current_level": "LOW"})));
        assert!(says("session-revoked", json!({})));
    }

    #[test]
    fn nobody_is_let_in_but_by_account_enabled_or_deleted_but_by_account_purged() {
        for event in &EVENT_TYPES {
            assert_eq!(event.may(Unfreeze), event.name == "account-enabled");
            assert_eq!(event.may(Purge), event.name == "account-purged");
        }
        assert!(!named("account-enabled").may(Freeze));
    }
}
