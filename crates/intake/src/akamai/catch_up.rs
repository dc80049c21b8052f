//! Everything that is new since a time: what was lost while nobody took events for longer than Akamai sends them again, and
//! the first load. Who is gone is in no page: see `missing.rs`.

use futures::future::join_all;
use model::Timestamp;
use provisioning::{Profiles, ProvisionError};
use serde_json::Value;

use super::{Akamai, Entities, LookupError, entities::Listing, missing, notice, put};
use crate::{CatchUp, CaughtUp, Event, Intake, Order, Outcome, Source};

/// How many profiles a page has.
const PAGE: u32 = 100;
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
    asked: &CatchUp,
) -> Result<CaughtUp, String> {
    let rules = akamai.rules(intake, source, None).map_err(|error| error.to_string())?;
    let mut caught_up = CaughtUp::default();
    let ended = everybody(akamai, intake, source, (&rules, asked), &mut caught_up).await;
    ended.map_err(|why| {
        let CaughtUp { seen, applied, removed, .. } = caught_up;
        format!(
            "{why}; {applied} of {seen} profiles were applied and {removed} taken away before. Run it again: what is as it \
             should be costs nothing"
        )
    })?;
    Ok(caught_up)
}

/// First who is new, then who is gone.
async fn everybody(
    akamai: &Akamai,
    intake: &Intake,
    source: &Source,
    (rules, asked): (&Profiles, &CatchUp),
    caught_up: &mut CaughtUp,
) -> Result<(), String> {
    let mut attributes = rules.attributes();
    attributes.extend(["id", "lastUpdated"].map(ToOwned::to_owned));
    let mut pages = Pages::new(akamai, Some(asked.since), &attributes, PAGE);
    let mut unread = None;
    while let Some(page) = pages.next().await? {
        caught_up.seen += page.len() as u64;
        if asked.dry_run {
            continue;
        }
        let mut applied: Vec<&Value> = Vec::new();
        for some in page.chunks(AT_ONCE) {
            let done: Vec<_> =
                some.iter().map(|profile| one(akamai, intake, source, rules, profile)).collect();
            let done = some.iter().zip(join_all(done).await);
            applied.extend(done.filter_map(|(profile, is_applied)| is_applied.then_some(profile)));
        }
        let mut failed = 0;
        if unread.is_none() {
            let corrected = &mut caught_up.corrected;
            match correct(akamai, intake, source, (rules, &applied), corrected).await {
                Ok(uncorrected) => failed = uncorrected,
                // What Salesforce does not let us read is none of the source's fault: everything else goes on.
                Err(ProvisionError::Misconfigured(why)) => {
                    tracing::warn!(tenant = %source.tenant, source = %source.name, why, "what was changed in Salesforce by hand cannot be found");
                    unread =
                        Some(format!("what was changed in Salesforce by hand was not looked for: {why}"));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        caught_up.applied += applied.len() as u64 - failed;
        caught_up.failed += (page.len() - applied.len()) as u64 + failed;
    }
    missing::run(akamai, intake, source, rules, asked, caught_up).await?;
    let left = [unread, caught_up.left.take()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    caught_up.left = (!left.is_empty()).then_some(left);
    Ok(())
}

/// What is known of a profile may be as it should be, and Salesforce's record not: somebody may have changed or deleted it. Answers
/// of how many that stays so.
async fn correct(
    akamai: &Akamai,
    intake: &Intake,
    source: &Source,
    (rules, profiles): (&Profiles, &[&Value]),
    corrected: &mut u64,
) -> Result<u64, ProvisionError> {
    let heads: Vec<Head<'_>> = profiles.iter().filter_map(|profile| Head::of(profile)).collect();
    let uuids: Vec<&str> = heads.iter().map(|head| head.uuid).collect();
    let population = super::population(intake, rules);
    let mut failed = 0;
    for (place, identity) in population.drifted(&uuids).await? {
        match population.correct(&identity).await {
            Outcome::Applied { .. } => *corrected += 1,
            outcome => {
                failed += 1;
                note(akamai, intake, source, &heads[place], &outcome).await;
            }
        }
    }
    Ok(failed)
}

const NO_NUMBERS: &str = "the profiles of the identity source have no `id` to go on from";

/// The profiles of a source, page by page, in the order of their numbers: by number and not by place, so that nobody is passed
/// over when others come and go meanwhile.
pub(super) struct Pages<'a> {
    entities: &'a Entities,
    listing: Listing<'a>,
}

impl<'a> Pages<'a> {
    /// Those that were changed since then, or all.
    pub(super) fn new(
        akamai: &'a Akamai,
        since: Option<Timestamp>,
        attributes: &'a [String],
        most: u32,
    ) -> Self {
        let entity_type = &akamai.entity_type;
        Self {
            entities: &akamai.entities,
            listing: Listing { entity_type, since, after: 0, attributes, most },
        }
    }

    /// The next page, unless there is none.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Value>>, String> {
        let page = self.ask().await?;
        let Some(last) = page.iter().filter_map(|profile| profile.get("id")?.as_i64()).max() else {
            return if page.is_empty() { Ok(None) } else { Err(NO_NUMBERS.to_owned()) };
        };
        // It would be asked for the same page for ever.
        if last <= self.listing.after {
            return Err(NO_NUMBERS.to_owned());
        }
        self.listing.after = last;
        Ok(Some(page))
    }

    /// However often it has to be asked for.
    async fn ask(&self) -> Result<Vec<Value>, String> {
        let mut failures = 0;
        loop {
            match self.entities.find(&self.listing).await {
                Ok(page) => return Ok(page),
                Err(
                    LookupError::Argument { why }
                    | LookupError::Refused { why }
                    | LookupError::Credentials { why, .. },
                ) => return Err(why),
                Err(LookupError::Unavailable { why, .. }) => {
                    failures += 1;
                    if failures == ATTEMPTS {
                        return Err(why);
                    }
                    tokio::time::sleep(self.entities.pause(failures)).await;
                }
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
        delivery: None,
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
