//! Lockouts.

use model::SourceName;

use super::*;
use crate::{BegunLockout, Lockout, LockoutKey, LockoutLimit};

suite![
    a_user_is_locked_out_once_by_each_source,
    a_lockout_that_has_not_come_about_is_forgotten,
    a_source_begins_only_so_many,
    an_event_that_is_tried_again_counts_once,
    a_lockout_outlives_a_crash,
    lockouts_of_a_subject_are_those_of_its_source,
];

fn source(name: &str) -> SourceName {
    SourceName::new(name).expect("a source")
}

fn lockout(world: &World<'_>, user: &str) -> Lockout {
    let org = OrgName::new("acme").expect("an org");
    let user = RecordId::parse(user).expect("an id");
    Lockout {
        key: LockoutKey { tenant: world.tenant.clone(), source: source("risk"), org, user },
        subject: "noor".to_owned(),
        jti: "j1".to_owned(),
        begun: at(1),
        done: None,
    }
}

const NOOR: &str = "0055f000005mc66AAA";
const SAMI: &str = "0055f000005mc67AAA";

/// The same one by another source.
fn by_another(lockout: &Lockout) -> Lockout {
    Lockout { key: LockoutKey { source: source("other"), ..lockout.key.clone() }, ..lockout.clone() }
}

/// Who keeps a User out.
async fn open(world: &World<'_>, user: &str) -> Vec<Lockout> {
    let LockoutKey { org, user, .. } = lockout(world, user).key;
    ok(world.store.lockouts_on(&org, &user).await)
}

async fn a_user_is_locked_out_once_by_each_source(world: &World<'_>) {
    let noor = lockout(world, NOOR);
    let begin = async |lockout: Lockout| ok(world.store.begin_lockout(lockout, None).await);
    assert_eq!(begin(noor.clone()).await, BegunLockout::New);
    let second = Lockout { jti: "j2".to_owned(), ..noor.clone() };
    assert_eq!(begin(second.clone()).await, BegunLockout::Open(noor.clone()), "the first one stays");
    let other = by_another(&noor);
    assert_eq!(begin(other.clone()).await, BegunLockout::New, "each source speaks for itself");
    ok(world.store.confirm_lockout(&noor.key, at(2)).await);
    ok(world.store.confirm_lockout(&noor.key, at(3)).await);
    let done = Lockout { done: Some(at(2)), ..noor.clone() };
    assert_eq!(open(world, NOOR).await, [done, other.clone()]);
    ok(world.store.end_lockout(&noor.key, at(4)).await);
    assert_eq!(open(world, NOOR).await, std::slice::from_ref(&other), "the other one's lasts");
    assert_eq!(begin(second).await, BegunLockout::New, "it may happen again");
    ok(world.store.withdraw_lockout(&other.key).await);
    assert_eq!(open(world, NOOR).await.len(), 1);
    assert_eq!(open(world, SAMI).await, []);
}

async fn a_lockout_that_has_not_come_about_is_forgotten(world: &World<'_>) {
    let noor = lockout(world, NOOR);
    let only_one = Some(LockoutLimit { most: 1, since: at(0) });
    assert_eq!(ok(world.store.begin_lockout(noor.clone(), only_one).await), BegunLockout::New);
    ok(world.store.withdraw_lockout(&noor.key).await);
    assert_eq!(open(world, NOOR).await, []);
    assert_eq!(ok(world.store.begin_lockout(noor, only_one).await), BegunLockout::New, "it does not count");
}

async fn a_source_begins_only_so_many(world: &World<'_>) {
    let limit = |since| Some(LockoutLimit { most: 1, since: at(since) });
    let (noor, sami) = (lockout(world, NOOR), lockout(world, SAMI));
    assert_eq!(ok(world.store.begin_lockout(noor.clone(), limit(0)).await), BegunLockout::New);
    ok(world.store.end_lockout(&noor.key, at(2)).await);
    let begin = async |limit| ok(world.store.begin_lockout(sami.clone(), limit).await);
    assert_eq!(begin(limit(0)).await, BegunLockout::TooMany, "one that has ended counts too");
    let of_another = by_another(&sami);
    assert_eq!(ok(world.store.begin_lockout(of_another, limit(0)).await), BegunLockout::New);
    assert_eq!(begin(limit(2)).await, BegunLockout::New, "what was longer ago does not");
    let confirmed = sami.key.clone();
    ok(world.store.confirm_lockout(&confirmed, at(2)).await);
    assert_eq!(ok(world.store.prune_lockouts(at(3), at(1)).await), 1);
    assert_eq!(open(world, SAMI).await.len(), 2, "those that are open stay");
    assert_eq!(ok(world.store.prune_lockouts(at(3), at(9)).await), 1);
    let stays: Vec<LockoutKey> = open(world, SAMI).await.into_iter().map(|open| open.key).collect();
    assert_eq!(stays, [confirmed], "but for one of which nothing came for so long");
}

async fn an_event_that_is_tried_again_counts_once(world: &World<'_>) {
    let limit = Some(LockoutLimit { most: 1, since: at(0) });
    let noor = lockout(world, NOOR);
    let begin = async |lockout: &Lockout| ok(world.store.begin_lockout(lockout.clone(), limit).await);
    assert_eq!(begin(&noor).await, BegunLockout::New);
    ok(world.store.end_lockout(&noor.key, at(2)).await);
    assert_eq!(open(world, NOOR).await, []);
    let again = Lockout { begun: at(3), ..noor.clone() };
    assert_eq!(begin(&again).await, BegunLockout::Open(noor.clone()), "it goes on");
    assert_eq!(open(world, NOOR).await, std::slice::from_ref(&noor));
    ok(world.store.end_lockout(&noor.key, at(4)).await);
    let other = Lockout { jti: "j2".to_owned(), ..again.clone() };
    assert_eq!(begin(&other).await, BegunLockout::TooMany, "another one counts");
    // What has landed has ended for good.
    assert_eq!(begin(&again).await, BegunLockout::Open(noor.clone()));
    ok(world.store.confirm_lockout(&noor.key, at(5)).await);
    ok(world.store.end_lockout(&noor.key, at(6)).await);
    assert_eq!(begin(&again).await, BegunLockout::TooMany);
}

async fn a_lockout_outlives_a_crash(world: &World<'_>) {
    let noor = lockout(world, NOOR);
    ok(world.store.begin_lockout(noor.clone(), None).await);
    let store = world.backend.reopen(std::sync::Arc::clone(&world.store)).await;
    let LockoutKey { org, user, .. } = &noor.key;
    assert_eq!(ok(store.lockouts_on(org, user).await), std::slice::from_ref(&noor));
}

async fn lockouts_of_a_subject_are_those_of_its_source(world: &World<'_>) {
    let (noor, sami) = (lockout(world, NOOR), lockout(world, SAMI));
    ok(world.store.begin_lockout(sami.clone(), None).await);
    ok(world.store.begin_lockout(noor.clone(), None).await);
    let of = async |tenant: &TenantId, source_name: &str, subject: &str| {
        ok(world.store.lockouts_of(tenant, &source(source_name), subject).await)
    };
    assert_eq!(of(&world.tenant, "risk", "noor").await, [sami, noor]);
    assert_eq!(of(&world.tenant, "other", "noor").await, []);
    assert_eq!(of(&world.tenant, "risk", "sami").await, []);
    assert_eq!(of(&tenant("acme/test"), "risk", "noor").await, []);
}
