//! Everything that is new since a time: what was lost while nobody took events for longer than Akamai sends them again, and
//! the first load.
//!
//! What is deleted there is in no page, so it is not found here.

use futures::future::join_all;
use model::Timestamp;
use provisioning::Profiles;
use serde_json::Value;

use super::{Akamai, LookupError, notice, put};
use crate::{CaughtUp, Event, Intake, Order, Outcome, Source};

/// How many profiles are applied at once. What they write shares calls.
const AT_ONCE: usize = 16;
/// So often one page is asked for in vain.
const ATTEMPTS: u32 = 6;

/// What is known of a profile beside what the mapping uses.
struct Head<'p> {
    uuid: &'p str,
    /// When it was changed, if that can be read.
    changed: Option<Timestamp>,
}

pub(super) async fn run(
    akamai: &Akamai,
    intake: &Intake,
    source: &Source,
    since: Timestamp,
) -> Result<CaughtUp, String> {
    let rules = akamai.rules(intake, source, None).map_err(|error| error.to_string())?;
    let mut caught_up = CaughtUp::default();
    let mut after = 0;
    loop {
        let page = page(akamai, since, after).await.map_err(|why| {
            let (seen, applied) = (caught_up.seen, caught_up.applied);
            format!("{why}; {applied} of {seen} profiles were applied before. Run it again: what is as it should be costs nothing")
        })?;
        let Some(last) = page.iter().filter_map(|profile| profile.get("id")?.as_i64()).max() else {
            return if page.is_empty() { Ok(caught_up) } else { Err(NO_NUMBERS.to_owned()) };
        };
        // It would be asked for the same page for ever.
        if last <= after {
            return Err(NO_NUMBERS.to_owned());
        }
        after = last;
        caught_up.seen += page.len() as u64;
        for some in page.chunks(AT_ONCE) {
            let applied: Vec<_> =
                some.iter().map(|profile| one(akamai, intake, source, &rules, profile)).collect();
            for applied in join_all(applied).await {
                *(if applied { &mut caught_up.applied } else { &mut caught_up.failed }) += 1;
            }
        }
    }
}

const NO_NUMBERS: &str = "the profiles of the identity source have no `id` to go on from";

/// The next page, however often it has to be asked for.
async fn page(akamai: &Akamai, since: Timestamp, after: i64) -> Result<Vec<Value>, String> {
    let mut failures = 0;
    loop {
        match akamai.entities.changed(&akamai.entity_type, since, after).await {
            Ok(page) => return Ok(page),
            Err(LookupError::Refused { why } | LookupError::Credentials { why, .. }) => return Err(why),
            Err(LookupError::Unavailable { why, .. }) => {
                failures += 1;
                if failures == ATTEMPTS {
                    return Err(why);
                }
                tokio::time::sleep(akamai.entities.pause(failures)).await;
            }
        }
    }
}

/// Applies a profile at its turn. `false`: it did not work, and it is in the list of events or in the log why.
async fn one(akamai: &Akamai, intake: &Intake, source: &Source, rules: &Profiles, profile: &Value) -> bool {
    let Some(head) = Head::of(profile) else {
        tracing::warn!(tenant = %source.tenant, source = %source.name, "a profile without a uuid is left out");
        return false;
    };
    let turn = intake.turn(source, head.uuid);
    let _turn = turn.lock().await;
    let known = intake.inbox.subject(&source.tenant, &source.name, head.uuid).await;
    let outcome = match (known, head.changed) {
        (Err(error), _) => Outcome::later(error.to_string()),
        // An event may have overtaken the page. It tells whole seconds.
        (Ok(Some(known)), changed)
            if changed.is_none_or(|changed| known.happened.as_second() >= changed.as_second()) =>
        {
            akamai.fetch(intake, source, rules, head.uuid).await
        }
        (Ok(_), _) => put(intake, rules, head.uuid, profile).await,
    };
    match outcome {
        Outcome::Applied { .. } | Outcome::Ignored(_) | Outcome::Gone(_) => {
            intake.count(source, "applied", "catch-up");
            true
        }
        failed => {
            note(akamai, intake, source, &head, &failed).await;
            false
        }
    }
}

/// Puts what did not work where a person finds it and can try it again: among the dead events.
async fn note(akamai: &Akamai, intake: &Intake, source: &Source, head: &Head<'_>, failed: &Outcome) {
    let (Outcome::Dead(why) | Outcome::Held(why) | Outcome::Later { why, .. }) = failed else { return };
    let now = intake.clock.now();
    let event = Event {
        jti: format!("catch-up {} {now}", head.uuid),
        same_as: None,
        subject: head.uuid.to_owned(),
        kind: "catch-up".to_owned(),
        happened: head.changed.unwrap_or(now),
        version: None,
        order: Order::Notice,
        body: notice::as_if_updated(&akamai.entity_type),
    };
    intake.count(source, "dead", "catch-up");
    if let Err(error) = intake.keep_dead(source, &event, why).await {
        tracing::error!(%error, uuid = head.uuid, "a profile that cannot be applied could not be noted");
    }
}

impl<'p> Head<'p> {
    fn of(profile: &'p Value) -> Option<Self> {
        let uuid = profile.get("uuid")?.as_str()?;
        let changed = profile.get("lastUpdated").and_then(Value::as_str).and_then(time);
        Some(Self { uuid, changed })
    }
}

/// A time as Akamai writes it: `2026-08-05 08:00:01.774310 +0000`.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f %z", text).ok().or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_akamai_writes_them() {
        for (text, seconds) in [
            ("2026-08-05 08:00:01.774310 +0000", 1_785_916_801),
            ("2026-08-05 08:00:01 +0000", 1_785_916_801),
            ("2026-08-05 10:00:01 +0200", 1_785_916_801),
            ("2026-08-05T08:00:01Z", 1_785_916_801),
        ] {
            assert_eq!(time(text).map(Timestamp::as_second), Some(seconds), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }
}
