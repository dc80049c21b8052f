//! The vault, and leases.

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::Lease;

suite![
    a_secret_is_read_back,
    only_who_knows_the_newest_version_replaces_a_secret,
    of_many_who_replace_one_version_one_does,
    a_secret_survives_the_process,
    a_lease_has_one_holder,
    a_lease_that_has_run_out_is_free,
    a_late_release_takes_nothing_from_the_next_holder,
    of_many_who_want_a_lease_one_gets_it,
    a_lease_ends_with_the_process_that_had_the_store_to_itself,
    a_holder_whose_lease_ran_out_cannot_overwrite_what_came_after,
];

const OWNER: &str = "org/a";
const NAME: &str = "grant";
const LEASE: &str = "org/a/login";

async fn read(store: &dyn Store, owner: &str, name: &str) -> Option<(u64, String)> {
    ok(store.secret(owner, name).await).map(|secret| (secret.version, secret.text.expose_secret().to_owned()))
}

async fn replace(store: &dyn Store, known: u64, text: &str) -> Option<u64> {
    ok(store.replace_secret(OWNER, NAME, known, &SecretString::from(text)).await)
}

async fn take(store: &dyn Store, holder: &str, now: i64, until: i64) -> Lease {
    ok(store.take_lease(LEASE, holder, at(now), at(until)).await)
}

/// What each of `count` tasks answers.
async fn at_once<T: Send + 'static, W: Future<Output = T> + Send + 'static>(
    count: usize,
    work: impl Fn(usize) -> W,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(work(n))).collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        answers.push(task.await.expect("the store does not panic"));
    }
    answers
}

async fn a_secret_is_read_back(world: &World<'_>) {
    let store = &*world.store;
    assert_eq!(read(store, OWNER, NAME).await, None);
    for (known, text) in [(0, "5Aep861"), (1, ""), (2, "ﬃ")] {
        assert_eq!(replace(store, known, text).await, Some(known + 1));
        assert_eq!(read(store, OWNER, NAME).await, Some((known + 1, text.to_owned())));
    }
    assert_eq!(read(store, OWNER, "other").await, None);
    assert_eq!(read(store, "org/b", NAME).await, None);
}

async fn only_who_knows_the_newest_version_replaces_a_secret(world: &World<'_>) {
    let store = &*world.store;
    assert_eq!(replace(store, 1, "never there").await, None);
    assert_eq!(read(store, OWNER, NAME).await, None);
    assert_eq!(replace(store, 0, "first").await, Some(1));
    assert_eq!(replace(store, 1, "second").await, Some(2));
    for known in [0, 1, 3] {
        assert_eq!(replace(store, known, "late").await, None);
    }
    assert_eq!(read(store, OWNER, NAME).await, Some((2, "second".to_owned())));
}

async fn of_many_who_replace_one_version_one_does(world: &World<'_>) {
    for known in 0..5 {
        let answers = at_once(10, |n| {
            let store = Arc::clone(&world.store);
            async move { replace(&*store, known, &format!("{known}-{n}")).await }
        });
        let done: Vec<_> = answers.await.into_iter().enumerate().filter(|(_, it)| it.is_some()).collect();
        assert_eq!(done.len(), 1, "{done:?}");
        let text = format!("{known}-{}", done[0].0);
        assert_eq!(read(&*world.store, OWNER, NAME).await, Some((known + 1, text)));
    }
}

async fn a_secret_survives_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    replace(&*store, 0, "first").await;
    replace(&*store, 1, "5Aep861").await;
    let store = world.backend.reopen(store).await;
    assert_eq!(read(&*store, OWNER, NAME).await, Some((2, "5Aep861".to_owned())));
}

async fn a_lease_has_one_holder(world: &World<'_>) {
    let store = &*world.store;
    assert_eq!(take(store, "one", 0, 10).await, Lease::Taken);
    assert_eq!(take(store, "two", 1, 11).await, Lease::Busy { until: at(10) });
    assert_eq!(take(store, "one", 2, 12).await, Lease::Taken);
    assert_eq!(take(store, "two", 10, 20).await, Lease::Busy { until: at(12) });
    ok(store.release_lease(LEASE, "one").await);
    assert_eq!(take(store, "two", 10, 20).await, Lease::Taken);
    assert_eq!(ok(store.take_lease("org/b/login", "one", at(10), at(20)).await), Lease::Taken);
}

async fn a_lease_that_has_run_out_is_free(world: &World<'_>) {
    let store = &*world.store;
    assert_eq!(take(store, "one", 0, 10).await, Lease::Taken);
    assert_eq!(take(store, "two", 10, 20).await, Lease::Taken);
    assert_eq!(take(store, "one", 11, 21).await, Lease::Busy { until: at(20) });
}

async fn a_late_release_takes_nothing_from_the_next_holder(world: &World<'_>) {
    let store = &*world.store;
    take(store, "one", 0, 10).await;
    take(store, "two", 10, 20).await;
    ok(store.release_lease(LEASE, "one").await);
    assert_eq!(take(store, "three", 11, 21).await, Lease::Busy { until: at(20) });
}

async fn of_many_who_want_a_lease_one_gets_it(world: &World<'_>) {
    let answers = at_once(20, |n| {
        let store = Arc::clone(&world.store);
        async move { take(&*store, &n.to_string(), 0, 10).await }
    });
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|answer| **answer == Lease::Taken).count(), 1, "{answers:?}");
}

async fn a_lease_ends_with_the_process_that_had_the_store_to_itself(world: &World<'_>) {
    let store = world.backend.fresh().await;
    take(&*store, "killed", 0, 1_000).await;
    let store = world.backend.reopen(store).await;
    assert_eq!(take(&*store, "next", 1, 10).await, Lease::Taken);
}

async fn a_holder_whose_lease_ran_out_cannot_overwrite_what_came_after(world: &World<'_>) {
    let store = &*world.store;
    replace(store, 0, "first").await;
    take(store, "slow", 0, 10).await;
    let (seen, _) = read(store, OWNER, NAME).await.expect("it is there");
    take(store, "quick", 10, 20).await;
    assert_eq!(replace(store, seen, "newer").await, Some(2));
    assert_eq!(replace(store, seen, "stale").await, None);
    assert_eq!(read(store, OWNER, NAME).await, Some((2, "newer".to_owned())));
}
