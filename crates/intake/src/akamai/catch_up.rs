//! Everything that is new since a time: what was lost while nobody took events for longer than Akamai sends them again, and
//! the first load. Who is gone is in no page: see `missing.rs`.

use futures::future::join_all;
use model::{ResourceId, Timestamp};
use provisioning::{EventKind, Profiles, ProvisionError};
use serde_json::Value;
use store::{EventFilter, EventState, StoreError};

use super::{Akamai, Entities, LookupError, clients::Rules, entities::Listing, missing, notice, population};
use crate::{CatchUp, CaughtUp, Event, Intake, Order, Outcome, Population, Source};

/// What its events are called in lists.
pub(super) const KIND: &str = "catch-up";
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

/// A profile with the rules that it is applied by.
struct One<'p> {
    head: Head<'p>,
    rules: &'p Profiles,
}

/// A catch-up under way.
struct Run<'r> {
    akamai: &'r Akamai,
    intake: &'r Intake,
    source: &'r Source,
    rules: &'r Rules,
    /// What has come of it so far.
    caught_up: CaughtUp,
    /// Why what was changed in Salesforce by hand cannot be found.
    unread: Option<String>,
    began: Timestamp,
}

pub(super) async fn run(
    akamai: &Akamai,
    intake: &Intake,
    source: &Source,
    asked: &CatchUp,
) -> Result<CaughtUp, String> {
    let rules = Rules::of(akamai, intake, source).map_err(|error| error.to_string())?;
    let caught_up = CaughtUp::default();
    let began = intake.clock.now();
    let mut run = Run { akamai, intake, source, rules: &rules, caught_up, unread: None, began };
    let ended = run.everybody(asked).await;
    let CaughtUp { seen, applied, removed, .. } = run.caught_up;
    ended.map_err(|why| {
        format!(
            "{why}; {applied} of {seen} profiles were applied and {removed} taken away before. Run it again: what is as it \
             should be costs nothing"
        )
    })?;
    Ok(run.caught_up)
}

impl Run<'_> {
    /// First who is new, then who is gone.
    async fn everybody(&mut self, asked: &CatchUp) -> Result<(), String> {
        let mut attributes: Vec<String> = self.rules.all().flat_map(Profiles::attributes).collect();
        attributes.extend(["id", "lastUpdated"].map(ToOwned::to_owned));
        attributes.sort_unstable();
        attributes.dedup();
        let mut pages = Pages::new(self.akamai, Some(asked.since), &attributes, PAGE);
        while let Some(page) = pages.next().await? {
            self.caught_up.seen += page.len() as u64;
            if !asked.dry_run {
                self.apply(&page).await?;
            }
        }
        let (akamai, intake, source) = (self.akamai, self.intake, self.source);
        missing::run(akamai, intake, source, self.rules.of_all(), asked, &mut self.caught_up).await?;
        let left: Vec<String> = self.unread.take().into_iter().chain(self.caught_up.left.take()).collect();
        self.caught_up.left = (!left.is_empty()).then(|| left.join("; "));
        if asked.dry_run { Ok(()) } else { self.tidy_up().await.map_err(|error| error.to_string()) }
    }

    /// Who is still to be taken away has been tried again: what else an earlier run left unfinished is done, or not asked for any more.
    async fn tidy_up(&self) -> Result<(), StoreError> {
        let filter = EventFilter {
            tenant: Some(self.source.tenant.clone()),
            source: Some(self.source.name.clone()),
            states: vec![EventState::Refused],
            jti: None,
            limit: u32::MAX,
        };
        let unfinished = self.intake.inbox.events(&filter).await?;
        let unfinished = unfinished.into_iter().filter(|event| event.kind == KIND);
        // Those of this run are to be tried again.
        let unfinished = unfinished.filter(|event| event.settled.is_none_or(|settled| settled < self.began));
        let subjects: Vec<String> = unfinished.map(|event| event.subject).collect();
        if subjects.is_empty() {
            return Ok(());
        }
        let why = "a later catch-up has found nothing to do";
        self.intake.supersede(self.source, KIND, subjects, EventState::Ignored, why).await
    }

    /// Applies a page.
    ///
    /// # Errors
    ///
    /// Why it is no use to go on now.
    async fn apply(&mut self, page: &[Value]) -> Result<(), String> {
        let mut applied: Vec<One<'_>> = Vec::new();
        for some in page.chunks(AT_ONCE) {
            let mut put_off = Vec::new();
            for done in join_all(some.iter().map(|profile| self.one(profile))).await {
                let Some((one, outcome)) = done else {
                    self.caught_up.failed += 1;
                    continue;
                };
                match outcome {
                    Outcome::Applied { .. } | Outcome::Ignored(_) | Outcome::Gone(_) => {
                        self.intake.count(self.source, "applied", KIND);
                        applied.push(one);
                    }
                    Outcome::Later { why, .. } => put_off.push(why),
                    Outcome::Dead(why) | Outcome::Held(why) => self.note(&one.head, &why).await,
                }
            }
            self.caught_up.later += put_off.len() as u64;
            // It is not about one of them.
            if put_off.len() == AT_ONCE {
                self.caught_up.applied += applied.len() as u64;
                return Err(put_off.swap_remove(0));
            }
        }
        let seen_to = self.correct(applied).await?;
        self.caught_up.applied += seen_to.len() as u64;
        let why = "by a later catch-up";
        let superseded = self.intake.supersede(self.source, KIND, seen_to, EventState::Applied, why).await;
        superseded.map_err(|error| error.to_string())
    }

    /// What is known of a profile may be as it should be, and Salesforce's record not: somebody may have changed or deleted it. Answers
    /// who is as he should be.
    async fn correct(&mut self, applied: Vec<One<'_>>) -> Result<Vec<String>, String> {
        let mut seen_to = Vec::with_capacity(applied.len());
        for rules in self.rules.all() {
            let theirs: Vec<&One<'_>> = applied.iter().filter(|one| std::ptr::eq(one.rules, rules)).collect();
            let uuids: Vec<&str> = theirs.iter().map(|one| one.head.uuid).collect();
            let population = population(self.intake, rules);
            let mut wrong: Vec<usize> = Vec::new();
            for (place, identity) in self.drifted(&uuids, rules).await? {
                match population.correct(&identity).await {
                    Outcome::Applied { .. } => {
                        self.caught_up.corrected += 1;
                        continue;
                    }
                    Outcome::Later { .. } => self.caught_up.later += 1,
                    Outcome::Dead(why) | Outcome::Held(why) => self.note(&theirs[place].head, &why).await,
                    Outcome::Ignored(_) | Outcome::Gone(_) => continue,
                }
                wrong.push(place);
            }
            let right = uuids.iter().enumerate().filter(|(place, _)| !wrong.contains(place));
            seen_to.extend(right.map(|(_, uuid)| (*uuid).to_owned()));
        }
        Ok(seen_to)
    }

    /// Those whose records are not as they were written, each with its place.
    async fn drifted(
        &mut self,
        uuids: &[&str],
        rules: &Profiles,
    ) -> Result<Vec<(usize, ResourceId)>, String> {
        if self.unread.is_some() || uuids.is_empty() {
            return Ok(Vec::new());
        }
        match population(self.intake, rules).drifted(uuids).await {
            Ok(drifted) => Ok(drifted),
            // What Salesforce does not let us read is none of the source's fault: everything else goes on.
            Err(ProvisionError::Misconfigured(why)) => {
                tracing::warn!(tenant = %self.source.tenant, source = %self.source.name, why, "what was changed in Salesforce by hand cannot be found");
                self.unread =
                    Some(format!("what was changed in Salesforce by hand was not looked for: {why}"));
                Ok(Vec::new())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Applies a profile at its turn, by the rules of the client that has told of him. Nothing: it is nobody's.
    async fn one<'p>(&self, profile: &'p Value) -> Option<(One<'p>, Outcome)>
    where
        Self: 'p,
    {
        let (tenant, name) = (&self.source.tenant, &self.source.name);
        let Some(head) = Head::of(profile) else {
            tracing::warn!(%tenant, source = %name, "a profile without a uuid is left out");
            return None;
        };
        let turn = self.intake.turn(self.source, head.uuid);
        let _turn = turn.lock().await;
        let rules = match self.rules.of_person(self.intake, self.source, head.uuid).await {
            Ok(rules) => rules,
            Err(error) => {
                let rules = self.rules.of_all();
                return Some((One { head, rules }, Outcome::later(error.to_string())));
            }
        };
        let outcome = self.put(&head, rules, profile).await;
        Some((One { head, rules }, outcome))
    }

    /// The identity is what its profile says, or what is newer. Whether its record is so too is looked for the whole page.
    async fn put(&self, head: &Head<'_>, rules: &Profiles, profile: &Value) -> Outcome {
        if !rules.enabled() {
            return Outcome::Ignored("client");
        }
        let mut user = match rules.user(profile) {
            Ok(user) => user,
            Err(error) => return Outcome::Dead(error.to_string()),
        };
        let population = population(self.intake, rules);
        match self.is_overtaken(head, &population, &user).await {
            Err(error) => return Outcome::later(error.to_string()),
            Ok(false) => {}
            Ok(true) => match self.akamai.current(self.intake, self.source, rules, head.uuid).await {
                Ok(current) => user = current,
                Err(outcome) => return outcome,
            },
        }
        population.put(head.uuid, user, rules.applies(EventKind::Created)).await
    }

    /// Whether an event may have told of something newer than the page. It tells whole seconds. What is known already is never older.
    async fn is_overtaken(
        &self,
        head: &Head<'_>,
        population: &Population<'_>,
        user: &Value,
    ) -> Result<bool, StoreError> {
        let Some(known) =
            self.intake.inbox.subject(&self.source.tenant, &self.source.name, head.uuid).await?
        else {
            return Ok(false);
        };
        if head.changed.is_some_and(|changed| known.happened.as_second() < changed.as_second()) {
            return Ok(false);
        }
        Ok(!population.is_so(head.uuid, user).await?)
    }

    /// Puts what can never be done as it is where a person finds it and can try it again: among the dead events.
    async fn note(&mut self, head: &Head<'_>, why: &str) {
        self.caught_up.failed += 1;
        let now = self.intake.clock.now();
        let event = Event {
            jti: format!("{KIND} {} {now}", head.uuid),
            same_as: None,
            delivery: None,
            subject: head.uuid.to_owned(),
            kind: KIND.to_owned(),
            happened: head.changed.unwrap_or(now),
            version: None,
            order: Order::Notice,
            body: notice::as_if_updated(&self.akamai.entity_type),
        };
        self.intake.count(self.source, "dead", KIND);
        if let Err(error) = self.intake.keep_dead(self.source, &event, why).await {
            tracing::error!(%error, uuid = head.uuid, "a profile that cannot be applied could not be noted");
        }
    }
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
