//! Targets as they were configured, and who is linked through one.

use super::*;
use crate::{LinkPage, RememberedTarget};

suite![
    targets_are_remembered_with_what_the_mapping_last_said,
    a_target_that_nobody_is_linked_through_is_forgotten_with_its_configuration,
    targets_survive_the_process,
    the_links_of_a_target_come_in_pages,
    pages_of_links_are_exact_when_links_go_meanwhile,
];

fn remembered(name: &str, policy: &str) -> RememberedTarget {
    RememberedTarget { name: target(name), policy: json!({ "on-leave": policy }) }
}

/// Makes a user with a link.
async fn linked(world: &World<'_>, name: &str, target_name: &str, number: u32) {
    let create = record(&world.tenant, USER, name, ResourceWrite::Create(resource(user(name))));
    ok(world.store.record(Record { links: vec![set(target_name, number)], ..create }).await)
        .expect_version(1);
}

async fn unlink(world: &World<'_>, name: &str, target_name: &str) {
    let keep = record(&world.tenant, USER, name, ResourceWrite::Keep);
    let links = vec![LinkWrite::Remove(target(target_name))];
    ok(world.store.record(Record { links, ..keep }).await).expect_version(1);
}

async fn page(world: &World<'_>, after: Option<Cursor>, limit: u32) -> (Vec<String>, Option<Cursor>) {
    let LinkPage { links, next } =
        ok(world.store.links_of_target(&world.tenant, &target("staff"), after, limit).await);
    (links.into_iter().map(|(id, _)| id.to_string()).collect(), next)
}

async fn targets_are_remembered_with_what_the_mapping_last_said(world: &World<'_>) {
    let read = async || ok(world.store.remembered_targets(&world.tenant).await);
    assert!(read().await.is_empty());
    linked(world, "ada", "leads", 1).await;
    let remember = async |targets, second| {
        ok(world.store.remember_targets(&world.tenant, targets, at(second)).await);
    };
    remember(vec![remembered("staff", "disable"), remembered("leads", "none")], 1).await;
    assert_eq!(read().await, [(remembered("leads", "none"), at(1)), (remembered("staff", "disable"), at(1))]);
    remember(vec![remembered("staff", "freeze")], 2).await;
    assert_eq!(read().await, [(remembered("leads", "none"), at(1)), (remembered("staff", "freeze"), at(2))]);
    remember(vec![remembered("staff", "freeze"), remembered("leads", "delete")], 3).await;
    assert_eq!(
        read().await,
        [(remembered("leads", "delete"), at(3)), (remembered("staff", "freeze"), at(3))]
    );
    assert!(ok(world.store.remembered_targets(&tenant("acme/test")).await).is_empty());
}

async fn a_target_that_nobody_is_linked_through_is_forgotten_with_its_configuration(world: &World<'_>) {
    linked(world, "ada", "leads", 1).await;
    let remember = async |second| {
        let all = [remembered("leads", "none"), remembered("staff", "disable")];
        let targets = if second == 0 { all.to_vec() } else { Vec::new() };
        ok(world.store.remember_targets(&world.tenant, targets, at(second)).await);
        let left = ok(world.store.remembered_targets(&world.tenant).await);
        left.into_iter().map(|(target, _)| target.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(remember(0).await, ["leads", "staff"]);
    assert_eq!(remember(1).await, ["leads"]);
    unlink(world, "ada", "leads").await;
    assert!(remember(2).await.is_empty());
}

async fn targets_survive_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    ok(store.remember_targets(&world.tenant, vec![remembered("staff", "disable")], at(1)).await);
    let store = world.backend.reopen(store).await;
    let read = ok(store.remembered_targets(&world.tenant).await);
    assert_eq!(read, [(remembered("staff", "disable"), at(1))]);
}

async fn the_links_of_a_target_come_in_pages(world: &World<'_>) {
    for (number, name) in (1..).zip(["e", "b", "d", "a", "c"]) {
        linked(world, name, "staff", number).await;
    }
    linked(world, "lead", "leads", 9).await;
    world.user("nobody").await;
    let first = ok(world.store.links_of_target(&world.tenant, &target("staff"), None, 1).await);
    assert_eq!(first.links, [(ResourceId::from_text("e"), link("staff", 1))]);
    let mut seen = Vec::new();
    let (mut after, mut pages) = (None, 0);
    loop {
        let (ids, next) = page(world, after, 2).await;
        seen.extend(ids);
        pages += 1;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((pages, seen), (3, ["e", "b", "d", "a", "c"].map(str::to_owned).to_vec()));
    assert_eq!(page(world, None, 5).await.1, None, "a full page need not have a next one");
    let nobody = ok(world.store.links_of_target(&tenant("no/body"), &target("staff"), None, 5).await);
    assert_eq!(nobody, LinkPage { links: Vec::new(), next: None });
}

async fn pages_of_links_are_exact_when_links_go_meanwhile(world: &World<'_>) {
    for (number, name) in (1..).zip(["a", "b", "c", "d"]) {
        linked(world, name, "staff", number).await;
    }
    let (first, next) = page(world, None, 2).await;
    assert_eq!(first, ["a", "b"]);
    // What was shown is dealt with and goes, the last of the page with its identity.
    unlink(world, "a", "staff").await;
    world.delete(USER, "b", 1).await.expect_version(1);
    assert_eq!(page(world, next, 2).await, (vec!["c".to_owned(), "d".to_owned()], None));
}
