//! Whoever Gangway has and Akamai does not have any more: deletions that nobody heard of.
//!
//! The list of the source is compared with the population. It may be short of somebody for another reason, so each who is not in
//! it is asked for by himself before it is concluded that he is gone; and where suddenly many are missing, nobody is touched
//! until a person has looked.

use std::collections::HashSet;

use futures::future::join_all;
use model::ResourceKind;
use provisioning::{EventKind, Profiles};
use scim_types::Resource;
use serde_json::json;
use store::{Cursor, Query, StoredResource, Window};

use super::{Akamai, Found, cannot_ask, catch_up, clients::Rules, gone, notice::Notice};
use crate::{CatchUp, CaughtUp, Event, Intake, Order, Outcome, Source};

/// So many identities are read at once, and so many uuids asked for with one call.
const PAGE: u32 = 1_000;
/// How many are asked for by themselves at once.
const AT_ONCE: usize = 8;
/// So many at once are no accident: as many, or this percentage of the population where that has some people.
const SUSPICIOUS: u64 = 10;
const SUSPICIOUS_PERCENT: u64 = 10;
const PERCENT_FROM: u64 = 20;
/// How many of those who are missing are named.
const NAMED: usize = 10;

/// Finds who is gone, and takes him away as the mapping says.
pub(super) async fn run(
    akamai: &Akamai,
    intake: &Intake,
    source: &Source,
    rules: &Profiles,
    asked: &CatchUp,
    caught_up: &mut CaughtUp,
) -> Result<(), String> {
    if let Some(why) = not_told(akamai, intake, source, rules) {
        caught_up.left = Some(why);
        return Ok(());
    }
    // Read first: whoever comes to be there meanwhile is not among them.
    let mut missing = known(akamai, intake).await?;
    let known = missing.len() as u64;
    let attributes = ["id".to_owned(), "uuid".to_owned()];
    let mut pages = catch_up::Pages::new(akamai, None, &attributes, PAGE);
    while let Some(page) = pages.next().await? {
        for profile in page {
            if let Some(uuid) = profile.get("uuid").and_then(serde_json::Value::as_str) {
                missing.remove(uuid);
            }
        }
    }
    let mut missing: Vec<String> = missing.into_iter().collect();
    missing.sort_unstable();
    caught_up.missing = missing.len() as u64;
    caught_up.examples = missing.iter().take(NAMED).cloned().collect();
    if let Some(why) = too_many(caught_up.missing, known, asked.max_deletions) {
        tracing::warn!(tenant = %source.tenant, source = %source.name, missing = caught_up.missing, known, "many people are not at their source any more: none is taken away");
        caught_up.left = Some(why);
        return Ok(());
    }
    if asked.dry_run {
        return Ok(());
    }
    for some in missing.chunks(AT_ONCE) {
        for outcome in join_all(some.iter().map(|uuid| one(intake, source, uuid))).await {
            match outcome {
                Outcome::Gone(_) | Outcome::Applied { .. } => caught_up.removed += 1,
                // The list was short of him, or he has gone meanwhile.
                Outcome::Ignored(_) => caught_up.missing -= 1,
                Outcome::Held(_) | Outcome::Dead(_) => caught_up.failed += 1,
                Outcome::Later { .. } => caught_up.later += 1,
            }
        }
    }
    Ok(())
}

/// Why nobody can be missed here.
fn not_told(akamai: &Akamai, intake: &Intake, source: &Source, rules: &Profiles) -> Option<String> {
    if !rules.applies(EventKind::Deleted) {
        return Some(
            "deletions do not count (`events` of the mapping), so nobody was looked for who is gone"
                .to_owned(),
        );
    }
    let is_shared = |other: &&std::sync::Arc<Source>| {
        (&other.tenant, &other.name) != (&source.tenant, &source.name)
            && other.kind.population() == Some(&akamai.population)
    };
    let sources = intake.sources();
    let other = sources.iter().find(is_shared)?;
    let name = &other.name;
    Some(format!(
        "its people are also those of the source {name}, so nobody was looked for who is gone: {name} may have him"
    ))
}

/// The uuids of the population: whoever stands there under another name was not made by an event of this source.
async fn known(akamai: &Akamai, intake: &Intake) -> Result<HashSet<String>, String> {
    let mut known = HashSet::new();
    let mut after: Option<Cursor> = None;
    loop {
        let query = Query {
            kind: ResourceKind::User,
            filter: None,
            sort: None,
            window: Window::Cursor { after, count: PAGE },
            with_members: false,
        };
        let page =
            intake.directory.find(&akamai.population, &query).await.map_err(|error| error.to_string())?;
        known.extend(page.resources.iter().filter_map(uuid_of));
        let Some(next) = page.next else { return Ok(known) };
        after = Some(next);
    }
}

fn uuid_of(stored: &StoredResource) -> Option<String> {
    let body: Resource = serde_json::from_str(&stored.body).ok()?;
    let external_id = body.get("externalId")?.as_str()?;
    (!stored.pending && body.user_name() == Some(external_id)).then(|| external_id.to_owned())
}

/// Why a person has to look first.
fn too_many(missing: u64, known: u64, allowed: Option<u64>) -> Option<String> {
    let is_too_many = match allowed {
        Some(most) => missing > most,
        None => {
            missing >= SUSPICIOUS || (known >= PERCENT_FROM && missing * 100 >= known * SUSPICIOUS_PERCENT)
        }
    };
    is_too_many.then(|| {
        format!(
            "{missing} of {known} people are not at the source any more. So many at once may be an accident of the source or of its \
             configuration: nobody was taken away. Look at some of them, and if they are gone run it again with --max-deletions {missing}"
        )
    })
}

/// One who is in no list, as if an event had said so.
async fn one(intake: &Intake, source: &Source, uuid: &str) -> Outcome {
    let now = intake.clock.now();
    let event = Event {
        jti: format!("{} {uuid} {now}", catch_up::KIND),
        same_as: None,
        delivery: None,
        subject: uuid.to_owned(),
        kind: catch_up::KIND.to_owned(),
        happened: now,
        version: None,
        order: Order::Notice,
        body: json!(Notice::Missing),
    };
    intake.take_own(source, &event).await
}

/// Asks for him by himself, before it is concluded that he is gone.
pub(super) async fn apply(akamai: &Akamai, intake: &Intake, source: &Source, uuid: &str) -> Outcome {
    let rules = match Rules::of(akamai, intake, source) {
        Ok(rules) => rules,
        Err(error) => return crate::refused(&error),
    };
    let rules = match rules.of_person(intake, source, uuid).await {
        Ok(rules) => rules,
        Err(error) => return Outcome::later(error.to_string()),
    };
    match akamai.entities.profile(&akamai.entity_type, uuid, &["uuid".to_owned()]).await {
        Ok(Found::Profile(_)) => Outcome::Ignored("there"),
        Ok(Found::Nobody) => gone(intake, rules, uuid).await,
        Err(error) => cannot_ask(intake, source, error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_at_once_need_a_person() {
        for (missing, known, allowed, is_held) in [
            (0, 0, None, false),
            (0, 1_000, None, false),
            (1, 1, None, false),
            (9, 1_000, None, false),
            (10, 1_000_000, None, true),
            (2, 19, None, false),
            (2, 20, None, true),
            (400, 1_000, Some(400), false),
            (401, 1_000, Some(400), true),
            (1, 1_000, Some(0), true),
        ] {
            assert_eq!(
                too_many(missing, known, allowed).is_some(),
                is_held,
                "{missing} of {known}, {allowed:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn one_more_who_is_missing_is_never_less_suspicious(
            missing in 0..200_u64, known in 0..400_u64, allowed in proptest::option::of(0..200_u64),
        ) {
            let one_more = too_many(missing + 1, known, allowed).is_some();
            prop_assert!(one_more || too_many(missing, known, allowed).is_none());
        }
    }
}
