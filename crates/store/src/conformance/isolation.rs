//! Tenants see nothing of each other: not by value, not by count, not by a name that is taken.

use super::*;
use crate::RememberedTarget;

suite![no_read_crosses_tenants, the_same_id_and_name_may_be_in_two_tenants, no_write_crosses_tenants];

/// Everything a tenant can have.
async fn fill(world: &World<'_>, tenant: &TenantId) {
    let more = json!({
        "externalId": "7", "displayName": "Ada", "active": true, "emails": [{ "value": "ada@example.com" }],
        schema::ENTERPRISE_USER_URN: { "employeeNumber": "7" },
    });
    let create = record(tenant, USER, "ada", ResourceWrite::Create(resource(user_with("ada", more))));
    ok(world.store.record(Record { links: vec![set("staff", 1)], ..create }).await).expect_version(1);
    world.create_in(tenant, GROUP, "staff", group("staff", &["ada"])).await.expect_version(1);
    let asked = NewChange { fingerprint: Some([1; 32]), ..joiner("open", tenant, "grace", "grace") };
    ok(world.store.open(asked).await);
    ok(world.store.open(change("ended", tenant, "ada")).await);
    ok(world.store.withdraw(&ChangeId::from_text("ended"), outcome("withdrawn"), true, at(1)).await);
    ok(world.store.raise_hold(holds::hold("h1", tenant, "subject")).await);
    let owes = record(tenant, USER, "ada", ResourceWrite::Keep);
    ok(world.store.record(Record { tasks: Some(vec![tasks::owed("t1", "staff", 60)]), ..owes }).await)
        .expect_version(1);
    let staff = RememberedTarget { name: target("staff"), policy: json!({}) };
    ok(world.store.remember_targets(tenant, vec![staff], at(1)).await);
}

async fn no_read_crosses_tenants(world: &World<'_>) {
    fill(world, &world.tenant).await;
    // One that nobody has heard of, and one that has something of its own.
    let neighbour = tenant("acme/test");
    world.create_in(&neighbour, USER, "neighbour", user("neighbour")).await.expect_version(1);
    for other in [tenant("no/body"), neighbour] {
        let store = &world.store;
        for (kind, id) in [(USER, "ada"), (GROUP, "staff"), (USER, "grace")] {
            assert_eq!(ok(store.get(&other, kind, id).await), None);
        }
        assert_eq!(ok(store.kinds(&other, &["ada", "staff", "grace"]).await), [None, None, None]);
        assert!(ok(store.links(&other, &ResourceId::from_text("ada")).await).is_empty());
        assert_eq!(ok(store.linked_to(&other, &record_id(1)).await), None);
        assert_eq!(ok(store.linked_in(&other, &link("staff", 1).org, &record_id(1)).await), None);
        assert_eq!(ok(store.count(&other, GROUP).await), 0);
        assert!(ok(store.open_changes(Some(&other)).await).is_empty());
        assert!(ok(store.recent_changes(Some(&other), 10).await).is_empty());
        for id in ["open", "ended"] {
            assert_eq!(ok(store.change(&other, &ChangeId::from_text(id)).await), None);
        }
        let repeat = store.find_repeat(&other, &client("okta"), &[1; 32], at(0)).await;
        assert_eq!(ok(repeat), None);
        let ada = ResourceId::from_text("ada");
        assert!(ok(store.audit_of(&other, &ada).await).is_empty());
        assert!(ok(store.writes_of(&other, &ada, "staff.Email", 10).await).is_empty());
        assert!(ok(store.open_tasks(Some(&other)).await).is_empty());
        assert!(ok(store.tasks_of(&other, &ada).await).is_empty());
        assert!(ok(store.remembered_targets(&other).await).is_empty());
        assert!(ok(store.links_of_target(&other, &target("staff"), None, 10).await).links.is_empty());
        let mine: &[&str] = if other == tenant("acme/test") { &["neighbour"] } else { &[] };
        let ids = ok(store.ids(&other, USER, None, 10).await).ids;
        assert_eq!(ids.iter().map(ResourceId::as_str).collect::<Vec<_>>(), mine);
        assert!(ok(store.open_holds(Some(&other)).await).is_empty());

        let own = usize::from(other == tenant("acme/test"));
        for (kind, filter, expected) in [
            (USER, r#"userName eq "ada""#, 0),
            (USER, r#"userName eq "grace""#, 0),
            (USER, r#"id eq "ada""#, 0),
            (USER, r#"externalId eq "7""#, 0),
            (USER, r#"displayName eq "Ada""#, 0),
            (USER, r#"emails eq "ada@example.com""#, 0),
            (USER, r#"employeeNumber eq "7""#, 0),
            (USER, r#"groups.value eq "staff""#, 0),
            (USER, "active eq true", own),
            (USER, r#"meta.lastModified ge "2020-01-01T00:00:00Z""#, own),
            (USER, "userName pr", own),
            (USER, r#"userName eq "ada" or userName pr"#, own),
            (GROUP, r#"displayName eq "staff""#, 0),
            (GROUP, r#"members eq "ada""#, 0),
            (GROUP, "displayName pr", 0),
        ] {
            let query = Query { filter: Some(parse(kind, filter)), ..all(kind) };
            let page = ok(store.find(&other, &query).await);
            assert_eq!((page.total, page.resources.len()), (expected as u64, expected), "{filter}");
        }
        for query in [all(USER), sorted_by(USER, "userName", false), sorted_by(USER, "title", true)] {
            let page = ok(store.find(&other, &query).await);
            assert_eq!((page.total, page.resources.len()), (own as u64, own));
        }
    }
}

async fn the_same_id_and_name_may_be_in_two_tenants(world: &World<'_>) {
    let other = tenant("acme/test");
    world.user("ada").await;
    let elsewhere = user_with("ada", json!({ "title": "elsewhere" }));
    world.create_in(&other, USER, "id-ada", elsewhere.clone()).await.expect_version(1);
    world.replace(USER, "id-ada", 1, user("Ada")).await.expect_version(2);
    let there = ok(world.store.get(&other, USER, "id-ada").await).expect("it is there");
    assert_eq!((there.version, body(&there)), (Version(1), elsewhere));
    world.delete(USER, "id-ada", 2).await.expect_version(2);
    assert!(ok(world.store.get(&other, USER, "id-ada").await).is_some());
    assert_eq!((world.count(USER).await, ok(world.store.count(&other, USER).await)), (0, 1));
}

async fn no_write_crosses_tenants(world: &World<'_>) {
    fill(world, &world.tenant).await;
    let other = tenant("acme/test");
    for write in [
        ResourceWrite::Replace { expected: Version(1), body: resource(user("x")) },
        ResourceWrite::Delete { expected: Version(1) },
        ResourceWrite::Keep,
    ] {
        let record =
            Record { links: vec![LinkWrite::Remove(target("staff"))], ..record(&other, USER, "ada", write) };
        let record = Record { tasks: Some(Vec::new()), ..record };
        assert_eq!(ok(world.store.record(record).await), Recorded::Stale);
    }
    ok(world.store.remember_targets(&other, Vec::new(), at(1)).await);
    ok(world.store.close_hold(&other, "subject", &target("staff"), at(1)).await);
    let ada = world.shown(USER, "ada").await;
    assert_eq!((ada.version, ada.groups.len()), (Version(1), 1));
    assert_eq!(ok(world.store.links(&world.tenant, &ada.id).await).len(), 1);
    assert_eq!(ok(world.store.open_holds(None).await).len(), 1);
    assert_eq!(ok(world.store.open_tasks(None).await).len(), 1);
    assert_eq!(ok(world.store.remembered_targets(&world.tenant).await).len(), 1);
    // Nor does the name of one tenant's user stand in another's way.
    let joiner = joiner("c9", &other, "ada", "ada");
    assert_eq!(ok(world.store.open(joiner).await), Opened::Opened);
}
