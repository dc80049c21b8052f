//! Reading what happens to the User of someone who leaves: `strip`, `alarm-after` and `[targets.x.hand-over]`.

use jiff::{SignedDuration, Span, SpanRelativeTo};
use salesforce_types::{EntitlementKind, RecordId};
use toml::de::DeTable;

use super::{Item, Reader};
use crate::mapping::{Allow, HandOver, HandOverTo, OnLeave};

/// The objects whose records are handed over where the mapping does not say.
const OBJECTS: [&str; 5] = ["Lead", "Contact", "Account", "Opportunity", "Task"];
/// What else may stand among them: the places in queues.
const QUEUES: &str = "queues";
/// The manager, as a word or as the attribute that names him.
const MANAGER: [&str; 3] = ["manager", "user.manager", "user.manager.value"];
/// A week: people who could correct it have had a working day.
const ALARM_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What happens to the User of someone who leaves.
pub(super) struct Leaving {
    pub strip: Vec<EntitlementKind>,
    pub alarm_after: SignedDuration,
    pub hand_over: Option<HandOver>,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { strip: Vec::new(), alarm_after: ALARM_AFTER, hand_over: None }
    }
}

impl Reader {
    pub(super) fn leaving(&mut self, table: &DeTable<'_>, on_leave: OnLeave, allow: Allow) -> Leaving {
        for key in ["strip", "hand-over"] {
            let Some((name, _)) = table.get_key_value(key).filter(|_| on_leave == OnLeave::None) else {
                continue;
            };
            let message =
                format!("with `on-leave = \"none\"` nothing happens to who leaves, so `{key}` does nothing");
            self.refuse(name.span(), message, None);
        }
        Leaving {
            strip: table.get("strip").map(|item| self.strip(item, allow)).unwrap_or_default(),
            alarm_after: table
                .get("alarm-after")
                .and_then(|item| self.alarm_after(item))
                .unwrap_or(ALARM_AFTER),
            hand_over: table.get("hand-over").and_then(|item| self.hand_over(item)),
        }
    }

    fn strip(&mut self, item: &Item<'_>, allow: Allow) -> Vec<EntitlementKind> {
        if !allow.deprovision {
            let message = "nothing may be taken away here: add \"deprovision\" to `allow`";
            self.refuse(item.span(), message, None);
        }
        let kinds = self.entitlement_kinds(item, "`strip`");
        if let Some((_, place)) = kinds.iter().find(|(kind, _)| *kind == EntitlementKind::Profile) {
            let message = "a User always has a profile; it can be replaced, but not taken away";
            self.refuse(place.clone(), message, None);
        }
        kinds.into_iter().map(|(kind, _)| kind).collect()
    }

    fn alarm_after(&mut self, item: &Item<'_>) -> Option<SignedDuration> {
        let text = self.string(item, "`alarm-after`")?;
        let span = text.parse::<Span>().ok();
        let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        let positive = duration.filter(SignedDuration::is_positive);
        if positive.is_none() {
            self.refuse(item.span(), format!("`{text}` is no time: write it like \"7d\" or \"36h\""), None);
        }
        positive
    }

    fn hand_over(&mut self, item: &Item<'_>) -> Option<HandOver> {
        let table = self.table(item, "`hand-over`")?;
        self.refuse_unknown(table, &["to", "objects"], "a hand-over");
        let Some(to) = table.get("to") else {
            let message =
                "a hand-over says who gets the records: `to = \"manager\"`, or the Username or id of a User";
            self.refuse(item.span(), message, None);
            return None;
        };
        let to = self.heir(to)?;
        let Some(item) = table.get("objects") else {
            return Some(HandOver { to, objects: OBJECTS.map(ToOwned::to_owned).to_vec(), queues: false });
        };
        let mut objects: Vec<String> = Vec::new();
        let mut queues = false;
        for (word, place) in self.strings(item, "`objects`") {
            if word == QUEUES {
                queues = true;
            } else if !OBJECTS.contains(&word.as_str()) {
                let known: Vec<&str> = OBJECTS.into_iter().chain([QUEUES]).collect();
                self.not_one_of(place, &word, &known);
            } else if !objects.contains(&word) {
                objects.push(word);
            }
        }
        if objects.is_empty() && !queues {
            self.refuse(item.span(), "this hands nothing over; leave `hand-over` out instead", None);
        }
        Some(HandOver { to, objects, queues })
    }

    fn heir(&mut self, item: &Item<'_>) -> Option<HandOverTo> {
        let text = self.some_text(item, "`to`")?;
        if MANAGER.contains(&text.as_str()) {
            return Some(HandOverTo::Manager);
        }
        match RecordId::parse(&text) {
            Ok(id) if id.prefix() == "005" => Some(HandOverTo::Named(String::from(id))),
            _ if text.contains('@') => Some(HandOverTo::Named(text)),
            _ => {
                let message = "`to` is \"manager\", or the Username or id of a User";
                self.refuse(item.span(), message, None);
                None
            }
        }
    }
}
