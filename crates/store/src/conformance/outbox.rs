//! The Outbox.

use model::SourceName;

use super::*;
use crate::{Asynchronous, Happening, Listener, Outgoing};

suite![
    nothing_goes_out_where_nobody_listens,
    a_receiver_gets_everything_in_order_until_it_has_it,
    what_is_told_is_what_was_then,
    what_is_got_out_of_order_is_not_given_again,
    a_new_receiver_hears_of_what_happens_from_then_on,
    the_end_of_a_request_whose_caller_did_not_wait_goes_out,
    a_receiver_that_does_not_get_on_says_why,
    what_everybody_has_got_is_forgotten,
    what_waits_for_a_receiver_that_is_removed_is_forgotten,
    what_is_large_is_read_a_few_at_a_time,
];

fn named(name: &str) -> SourceName {
    SourceName::new(name).expect("a name")
}

fn listener(tenant: TenantId, name: &str) -> Listener {
    Listener { tenant, name: named(name), whole: false }
}

async fn listen(world: &World<'_>, names: &[&str]) {
    let receivers: Vec<_> = names.iter().map(|name| listener(world.tenant.clone(), name)).collect();
    ok(world.store.keep_receivers(&receivers).await);
}

async fn make(world: &World<'_>, id: &str) {
    let write = ResourceWrite::Create(resource(user(id)));
    ok(world.store.record(record(&world.tenant, USER, id, write)).await).expect_version(1);
}

async fn outgoing(world: &World<'_>, receiver: &str) -> Vec<Outgoing> {
    ok(world.store.outgoing(&world.tenant, &named(receiver), 10).await).outgoing
}

async fn got(world: &World<'_>, receiver: &str, which: &[&Outgoing]) {
    let which: Vec<_> = which.iter().map(|outgoing| (outgoing.number, outgoing.id.clone())).collect();
    ok(world.store.acknowledge(&world.tenant, &named(receiver), &which, None).await);
}

fn told(outgoing: &[Outgoing]) -> Vec<(&str, &Happening)> {
    outgoing.iter().map(|one| (one.resource.as_str(), &one.happening)).collect()
}

async fn nothing_goes_out_where_nobody_listens(world: &World<'_>) {
    make(world, "ada").await;
    ok(world.store.keep_receivers(&[listener(tenant("other/prod"), "idm")]).await);
    make(world, "bob").await;
    assert_eq!(ok(world.store.outgoing(&tenant("other/prod"), &named("idm"), 10).await).outgoing, []);
    assert_eq!(outgoing(world, "idm").await, []);
}

async fn a_receiver_gets_everything_in_order_until_it_has_it(world: &World<'_>) {
    listen(world, &["idm"]).await;
    make(world, "ada").await;
    let body = resource(user_with("ada", json!({ "title": "Countess" })));
    let change = ResourceWrite::Replace { expected: Version(1), body };
    ok(world.store.record(record(&world.tenant, USER, "ada", change)).await).expect_version(2);
    ok(world.store.record(record(&world.tenant, USER, "ada", ResourceWrite::Keep)).await);
    let delete = ResourceWrite::Delete { expected: Version(2) };
    ok(world.store.record(record(&world.tenant, USER, "ada", delete)).await);
    let all = outgoing(world, "idm").await;
    let created = Happening::Created { version: Version(1) };
    let changed = Happening::Changed { version: Version(2) };
    assert_eq!(told(&all), [("ada", &created), ("ada", &changed), ("ada", &Happening::Deleted)]);
    assert_eq!(outgoing(world, "idm").await, all, "asking does not take anything away");
    got(world, "idm", &[&all[0]]).await;
    assert_eq!(outgoing(world, "idm").await, all[1..]);
    got(world, "idm", &[&all[1], &all[2]]).await;
    assert_eq!(outgoing(world, "idm").await, []);
}

/// However late it is asked for.
async fn what_is_told_is_what_was_then(world: &World<'_>) {
    for whole in [false, true] {
        let id = if whole { "bob" } else { "ada" };
        ok(world.store.keep_receivers(&[Listener { whole, ..listener(world.tenant.clone(), "idm") }]).await);
        let body = |more: Value| {
            let mut body = json!({ "externalId": format!("E-{id}") });
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            resource(user_with(id, body))
        };
        let create = ResourceWrite::Create(body(json!({})));
        ok(world.store.record(record(&world.tenant, USER, id, create)).await).expect_version(1);
        let replace =
            ResourceWrite::Replace { expected: Version(1), body: body(json!({ "title": "Countess" })) };
        ok(world.store.record(record(&world.tenant, USER, id, replace)).await).expect_version(2);
        let delete = ResourceWrite::Delete { expected: Version(2) };
        ok(world.store.record(record(&world.tenant, USER, id, delete)).await);
        let all = outgoing(world, "idm").await;
        let external = format!("E-{id}");
        assert!(all.iter().all(|one| one.told.external_id.as_ref() == Some(&external)), "{all:?}");
        let [made, changed, gone] = &all[..] else { panic!("{all:?}") };
        let title = "title".to_owned();
        assert!(!made.told.attributes.contains(&title) && changed.told.attributes.contains(&title));
        assert!(made.told.attributes.contains(&"userName".to_owned()));
        assert!(gone.told.attributes.is_empty() && gone.told.data.is_none());
        let titles = [made, changed].map(|one| one.told.data.as_ref().map(|data| data.get("title").cloned()));
        assert_eq!(titles, if whole { [Some(None), Some(Some("Countess".into()))] } else { [None, None] });
        let versions =
            [made, changed].map(|one| one.told.data.as_ref().map(|data| data["meta"]["version"].clone()));
        assert_eq!(versions[1], whole.then(|| Version(2).etag().into()));
        got(world, "idm", &all.iter().collect::<Vec<_>>()).await;
    }
}

async fn what_is_got_out_of_order_is_not_given_again(world: &World<'_>) {
    listen(world, &["idm", "other"]).await;
    for id in ["ada", "bob", "cleo"] {
        make(world, id).await;
    }
    let all = outgoing(world, "idm").await;
    got(world, "idm", &[&all[2], &all[1]]).await;
    assert_eq!(outgoing(world, "idm").await, all[..1]);
    got(world, "idm", &[&all[1]]).await;
    got(world, "idm", &[&all[0]]).await;
    assert_eq!(outgoing(world, "idm").await, []);
    assert_eq!(outgoing(world, "other").await, all, "each has its own place");
    // What does not exist yet cannot be got.
    let id = all[2].id.clone();
    ok(world.store.acknowledge(&world.tenant, &named("idm"), &[(all[2].number + 1, id)], None).await);
    make(world, "dora").await;
    let [dora] = &outgoing(world, "idm").await[..] else { panic!("dora is outgoing") };
    // Nor what had its number before.
    let other = (dora.number, "another".to_owned());
    ok(world.store.acknowledge(&world.tenant, &named("idm"), &[other], None).await);
    assert_eq!(outgoing(world, "idm").await.len(), 1);
}

async fn a_new_receiver_hears_of_what_happens_from_then_on(world: &World<'_>) {
    listen(world, &["idm"]).await;
    make(world, "ada").await;
    listen(world, &["idm", "late"]).await;
    make(world, "bob").await;
    assert_eq!(outgoing(world, "idm").await.len(), 2);
    assert_eq!(outgoing(world, "late").await.len(), 1);
    listen(world, &["late"]).await;
    assert_eq!(outgoing(world, "idm").await, []);
}

async fn the_end_of_a_request_whose_caller_did_not_wait_goes_out(world: &World<'_>) {
    listen(world, &["idm"]).await;
    let asynchronous =
        |txn: &str| Asynchronous { txn: txn.to_owned(), method: "POST".to_owned(), bulk_id: None };
    for (id, name) in [("c1", "ada"), ("c2", "bob")] {
        let joiner = joiner(id, &world.tenant, name, name);
        world.open(NewChange { asynchronous: Some(asynchronous(id)), ..joiner }).await;
    }
    let write = ResourceWrite::Create(resource(user("ada")));
    let ended =
        Record { change: Some(ChangeId::from_text("c1")), ..record(&world.tenant, USER, "ada", write) };
    ok(world.store.record(ended).await).expect_version(1);
    let refused = ChangeOutcome {
        result: "refused".to_owned(),
        status: 400,
        reason: Some("LastName".to_owned()),
        detail: Some("why".to_owned()),
        ..ChangeOutcome::default()
    };
    ok(world.store.withdraw(&ChangeId::from_text("c2"), refused, false, at(1)).await);
    let all = outgoing(world, "idm").await;
    let made = Happening::Answered {
        request: asynchronous("c1"),
        status: 201,
        version: Some(Version(1)),
        detail: None,
    };
    let failed = Happening::Answered {
        request: asynchronous("c2"),
        status: 400,
        version: None,
        detail: Some("why".to_owned()),
    };
    let created = Happening::Created { version: Version(1) };
    assert_eq!(told(&all), [("ada", &created), ("ada", &made), ("bob", &failed)]);
    ok(world.store.announce(&world.tenant, USER, &ResourceId::from_text("cleo"), &failed, at(2)).await);
    assert_eq!(outgoing(world, "idm").await.len(), 4);
}

async fn a_receiver_that_does_not_get_on_says_why(world: &World<'_>) {
    listen(world, &["idm"]).await;
    make(world, "ada").await;
    let idm = named("idm");
    for second in [10, 20] {
        ok(world.store.put_off(&world.tenant, &idm, "no answer", at(second), at(second + 5)).await);
    }
    let status = async || ok(world.store.receivers(Some(&world.tenant)).await).remove(0);
    let failing = status().await;
    assert_eq!((failing.waiting, failing.attempts, failing.refused), (1, 2, 0));
    assert_eq!((failing.failing_since, failing.due), (Some(at(10)), Some(at(25))));
    assert_eq!(failing.reason.as_deref(), Some("no answer"));
    let one = outgoing(world, "idm").await.remove(0);
    ok(world.store.acknowledge(&world.tenant, &idm, &[(one.number, one.id)], Some("invalid_audience")).await);
    make(world, "bob").await;
    got(world, "idm", &[&outgoing(world, "idm").await[0]]).await;
    let refused = status().await;
    assert_eq!((refused.waiting, refused.attempts, refused.refused), (0, 0, 1));
    assert_eq!((refused.failing_since, refused.refusal.as_deref()), (None, Some("invalid_audience")));
    assert_eq!(ok(world.store.receivers(Some(&tenant("other/prod"))).await), []);
}

async fn what_everybody_has_got_is_forgotten(world: &World<'_>) {
    listen(world, &["idm", "other"]).await;
    make(world, "ada").await;
    make(world, "bob").await;
    let all = outgoing(world, "idm").await;
    got(world, "idm", &[&all[0], &all[1]]).await;
    got(world, "other", &[&all[0]]).await;
    assert_eq!(ok(world.store.prune_outgoing(at(-1)).await), 0, "it is forgotten at once");
    assert_eq!(outgoing(world, "other").await, all[1..]);
    got(world, "other", &[&all[1]]).await;
    assert_eq!(ok(world.store.prune_outgoing(at(-1)).await), 0, "the last one's word was enough");
    make(world, "dora").await;
    // What nobody takes is not kept for ever, and counted.
    assert_eq!(ok(world.store.prune_outgoing(at(1)).await), 1);
    let status = ok(world.store.receivers(Some(&world.tenant)).await).remove(0);
    assert_eq!((status.waiting, status.refused), (0, 1));
    // Numbers are never given twice.
    make(world, "cleo").await;
    assert!(outgoing(world, "idm").await[0].number > all[1].number);
}

/// It is personal data.
async fn what_waits_for_a_receiver_that_is_removed_is_forgotten(world: &World<'_>) {
    listen(world, &["idm", "other"]).await;
    make(world, "ada").await;
    make(world, "bob").await;
    let all = outgoing(world, "idm").await;
    got(world, "other", &[&all[0]]).await;
    listen(world, &["other"]).await;
    assert_eq!(outgoing(world, "other").await, all[1..], "the others go on");
    assert_eq!(ok(world.store.prune_outgoing(at(-1)).await), 0, "what they have got went with it");
    listen(world, &[]).await;
    assert_eq!(ok(world.store.prune_outgoing(at(1_000_000)).await), 0, "nobody is left who waits");
    // Whoever is configured again begins anew.
    listen(world, &["idm"]).await;
    make(world, "cleo").await;
    assert_eq!(outgoing(world, "idm").await.len(), 1);
}

async fn what_is_large_is_read_a_few_at_a_time(world: &World<'_>) {
    ok(world
        .store
        .keep_receivers(&[Listener { whole: true, ..listener(world.tenant.clone(), "idm") }])
        .await);
    for id in ["ada", "bob", "cleo"] {
        let body = resource(user_with(id, json!({ "title": "x".repeat(3 << 20) })));
        ok(world.store.record(record(&world.tenant, USER, id, ResourceWrite::Create(body))).await)
            .expect_version(1);
    }
    let idm = named("idm");
    let first = ok(world.store.outgoing(&world.tenant, &idm, 10).await);
    assert_eq!((first.outgoing.len(), first.more), (2, true));
    got(world, "idm", &first.outgoing.iter().collect::<Vec<_>>()).await;
    let rest = ok(world.store.outgoing(&world.tenant, &idm, 10).await);
    assert_eq!((rest.outgoing.len(), rest.more), (1, false));
    make(world, "dora").await;
    let one = ok(world.store.outgoing(&world.tenant, &idm, 1).await);
    assert_eq!((one.outgoing.len(), one.more), (1, true), "as many as were asked for");
}
