//! Changes from acceptance to their end.

use salesforce_types::{Manner, Plan, PlannedStep, References, Step};

use super::*;

suite![
    an_open_change_is_found_with_what_it_needs,
    an_open_change_survives_the_process,
    a_deeply_nested_request_is_read_back,
    a_request_can_be_amended_while_its_change_is_open,
    a_plan_can_be_replaced,
    a_name_can_be_reserved_when_the_turn_has_come,
    what_has_landed_is_kept_with_the_next_plan,
    what_has_landed_is_kept_also_where_the_name_is_taken,
    what_has_landed_survives_the_process,
    nothing_lands_for_a_resource_that_is_not_there,
    a_withdrawn_joiner_leaves_no_link,
    only_open_changes_can_be_planned_or_ended,
    recording_ends_a_change,
    a_stale_record_leaves_its_change_open,
    a_change_ends_once,
    nobody_ends_the_change_of_another_tenant,
    a_withdrawn_change_tells_why,
    a_pending_resource_shows_by_id_and_name_alone,
    a_pending_resource_cannot_be_replaced_or_deleted,
    withdrawing_another_change_leaves_the_pending_resource,
    a_recorded_joiner_is_last_in_the_creation_sequence,
    a_pending_group_has_members_and_does_not_show_in_them,
    open_changes_come_oldest_first,
    recent_changes_come_newest_first,
    a_repeat_is_the_newest_of_its_kind,
    an_answer_can_be_noted_later,
];

fn plan(email: &str) -> Plan {
    Plan {
        steps: vec![PlannedStep {
            target: target("staff"),
            org: OrgName::new("acme-prod").expect("an org"),
            step: Step::Create {
                object: "User".to_owned(),
                fields: Fields::from_iter([("Email".to_owned(), json!(email))]),
                refers: References::new(),
                manner: Manner::default(),
            },
            leading: true,
            reason: "no record yet".to_owned(),
        }],
    }
}

/// Ends a change by making the user it reserved.
fn made(change: &str, tenant: &TenantId, id: &str, name: &str) -> Record {
    Record {
        change: Some(ChangeId::from_text(change)),
        at: at(10),
        ..record(tenant, USER, id, ResourceWrite::Create(resource(user(name))))
    }
}

async fn an_open_change_is_found_with_what_it_needs(world: &World<'_>) {
    let asked = NewChange {
        plan: Some(plan("a")),
        takes_access_away: true,
        ..joiner("c1", &world.tenant, "ada", "ada")
    };
    assert_eq!(world.open(asked).await, Opened::Opened);
    let open = ok(world.store.open_changes(Some(&world.tenant)).await);
    let [open] = &open[..] else { panic!("one change is open, not {}", open.len()) };
    let expected = crate::Change {
        id: ChangeId::from_text("c1"),
        tenant: world.tenant.clone(),
        client: client("okta"),
        kind: USER,
        resource: ResourceId::from_text("ada"),
        state: model::ChangeState::Planned,
        takes_access_away: true,
        accepted: at(0),
        ended: None,
        answered: false,
        outcome: None,
    };
    assert_eq!(open.change, expected);
    assert_eq!((&open.request, &open.plan), (&json!({ "asked": "c1" }), &Some(plan("a"))));
    assert!(!open.landed);
    assert_eq!(ok(world.store.change(&world.tenant, &open.change.id).await), Some(expected));
    assert_eq!(ok(world.store.change(&world.tenant, &ChangeId::from_text("c2")).await), None);
}

async fn an_open_change_survives_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    ok(store.open(joiner("c1", &world.tenant, "ada", "ada")).await);
    ok(store.replan(&ChangeId::from_text("c1"), &plan("a"), None, &[]).await);
    let store = world.backend.reopen(store).await;
    let open = ok(store.open_changes(None).await);
    assert_eq!((open.len(), &open[0].plan), (1, &Some(plan("a"))));
    let taken = ok(store.open(joiner("c2", &world.tenant, "other", "ada")).await);
    assert_eq!(taken, Opened::UserNameTaken { by: ResourceId::from_text("ada") });
    ok(store.record(made("c1", &world.tenant, "ada", "ada")).await).expect_version(1);
}

/// A door takes 128 levels, and a request is kept in an envelope: were it not read back, no open change could be.
async fn a_deeply_nested_request_is_read_back(world: &World<'_>) {
    let request = (0..200).fold(json!("x"), |inner, _| json!([inner]));
    world.open(NewChange { request: request.clone(), ..change("c1", &world.tenant, "ada") }).await;
    assert_eq!(ok(world.store.open_changes(None).await)[0].request, request);
}

async fn a_request_can_be_amended_while_its_change_is_open(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    let more = json!({ "asked": "c1", "before": "nothing" });
    assert!(matches!(world.store.amend(&id, &more).await, Err(StoreError::NotOpen { .. })));
    world.open(change("c1", &world.tenant, "ada")).await;
    ok(world.store.amend(&id, &more).await);
    assert_eq!(ok(world.store.open_changes(None).await)[0].request, more);
    ok(world.store.withdraw(&id, outcome("withdrawn"), true, at(1)).await);
    assert!(matches!(world.store.amend(&id, &more).await, Err(StoreError::NotOpen { .. })));
}

async fn a_plan_can_be_replaced(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    world.open(change("c1", &world.tenant, "ada")).await;
    let state = async || ok(world.store.change(&world.tenant, &id).await).map(|change| change.state);
    assert_eq!(state().await, Some(model::ChangeState::Accepted));
    for email in ["a", "b"] {
        ok(world.store.replan(&id, &plan(email), None, &[]).await);
        assert_eq!(state().await, Some(model::ChangeState::Planned));
        assert_eq!(ok(world.store.open_changes(None).await)[0].plan, Some(plan(email)));
    }
}

async fn a_name_can_be_reserved_when_the_turn_has_come(world: &World<'_>) {
    world.user("ada").await;
    world.user("bob").await;
    world.open(change("c1", &world.tenant, "id-ada")).await;
    let id = ChangeId::from_text("c1");
    let bob = ResourceId::from_text("id-bob");
    let taken = ok(world.store.replan(&id, &plan("a"), Some("BOB"), &[]).await);
    assert_eq!(taken, Opened::UserNameTaken { by: bob });
    assert_eq!(ok(world.store.open_changes(None).await)[0].plan, None);
    assert_eq!(ok(world.store.replan(&id, &plan("a"), Some("Countess"), &[]).await), Opened::Opened);
    let later = ok(world.store.open(joiner("c2", &world.tenant, "other", "countess")).await);
    assert_eq!(later, Opened::UserNameTaken { by: ResourceId::from_text("id-ada") });
}

async fn what_has_landed_is_kept_with_the_next_plan(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    world.open(NewChange { plan: Some(plan("a")), ..joiner("c1", &world.tenant, "ada", "ada") }).await;
    let ada = ResourceId::from_text("ada");
    let links = async || ok(world.store.links(&world.tenant, &ada).await);
    ok(world.store.replan(&id, &plan("b"), None, &[set("contact", 1)]).await);
    assert_eq!(links().await, [link("contact", 1)]);
    assert_eq!(ok(world.store.linked_to(&world.tenant, &record_id(1)).await), Some(ada.clone()));
    // Reads of the pending resource are what they were.
    let shown = world.shown(USER, "ada").await;
    assert_eq!((shown.pending, shown.version), (true, Version(0)));
    assert!(world.page(&all(USER)).await.resources.is_empty());
    let next = [set("staff", 2), LinkWrite::Remove(target("contact")), set("customers", 3)];
    ok(world.store.replan(&id, &plan("c"), None, &next).await);
    ok(world.store.replan(&id, &plan("d"), None, &[]).await);
    assert_eq!(links().await, [link("customers", 3), link("staff", 2)]);
    // The end adds to it.
    let end = Record { links: vec![set("staff", 4)], ..made("c1", &world.tenant, "ada", "ada") };
    ok(world.store.record(end).await).expect_version(1);
    assert_eq!(links().await, [link("customers", 3), link("staff", 4)]);
}

async fn what_has_landed_is_kept_also_where_the_name_is_taken(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.user("bob").await;
    world.open(NewChange { plan: Some(plan("a")), ..change("c1", &world.tenant, "id-ada") }).await;
    let id = ChangeId::from_text("c1");
    let taken = ok(world.store.replan(&id, &plan("b"), Some("bob"), &[set("staff", 1)]).await);
    assert_eq!(taken, Opened::UserNameTaken { by: ResourceId::from_text("id-bob") });
    let open = ok(world.store.open_changes(None).await);
    assert_eq!((&open[0].plan, open[0].landed), (&Some(plan("a")), true));
    assert_eq!(ok(world.store.links(&world.tenant, &ada).await), [link("staff", 1)]);
}

async fn what_has_landed_survives_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    ok(store.open(joiner("c1", &world.tenant, "ada", "ada")).await);
    ok(store.replan(&ChangeId::from_text("c1"), &plan("a"), None, &[]).await);
    assert!(!ok(store.open_changes(None).await)[0].landed);
    ok(store.replan(&ChangeId::from_text("c1"), &plan("a"), None, &[set("contact", 1)]).await);
    ok(store.replan(&ChangeId::from_text("c1"), &plan("a"), None, &[]).await);
    let store = world.backend.reopen(store).await;
    assert!(ok(store.open_changes(None).await)[0].landed);
    let links = ok(store.links(&world.tenant, &ResourceId::from_text("ada")).await);
    assert_eq!(links, [link("contact", 1)]);
}

async fn nothing_lands_for_a_resource_that_is_not_there(world: &World<'_>) {
    world.open(change("c1", &world.tenant, "nobody")).await;
    let id = ChangeId::from_text("c1");
    let result = world.store.replan(&id, &plan("a"), None, &[set("staff", 1)]).await;
    assert!(matches!(result, Err(StoreError::NoResource { change }) if change == id));
    assert_eq!(ok(world.store.open_changes(None).await)[0].plan, None);
    assert_eq!(ok(world.store.replan(&id, &plan("a"), None, &[]).await), Opened::Opened);
}

async fn a_withdrawn_joiner_leaves_no_link(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    ok(world.store.replan(&id, &plan("a"), None, &[set("staff", 1)]).await);
    ok(world.store.withdraw(&id, outcome("withdrawn"), true, at(1)).await);
    assert_eq!(ok(world.store.linked_to(&world.tenant, &record_id(1)).await), None);
    world.open(joiner("c2", &world.tenant, "ada", "ada")).await;
    assert!(ok(world.store.links(&world.tenant, &ResourceId::from_text("ada")).await).is_empty());
}

async fn only_open_changes_can_be_planned_or_ended(world: &World<'_>) {
    let not_open = |result: Result<(), StoreError>, id: &ChangeId| {
        assert!(matches!(result, Err(StoreError::NotOpen { change }) if change == *id));
    };
    let unknown = ChangeId::from_text("unknown");
    let ended = ChangeId::from_text("c1");
    world.open(change("c1", &world.tenant, "ada")).await;
    ok(world.store.withdraw(&ended, outcome("withdrawn"), true, at(1)).await);
    for id in [&unknown, &ended] {
        not_open(world.store.replan(id, &plan("a"), None, &[]).await.map(|_| ()), id);
        not_open(world.store.withdraw(id, outcome("refused"), false, at(2)).await, id);
        let write = ResourceWrite::Create(resource(user("ada")));
        let record = Record { change: Some(id.clone()), ..record(&world.tenant, USER, "ada", write) };
        not_open(world.store.record(record).await.map(|_| ()), id);
    }
    assert_eq!(world.get(USER, "ada").await, None);
    let change = ok(world.store.change(&world.tenant, &ended).await).expect("it is there");
    assert_eq!((change.ended, change.outcome), (Some(at(1)), Some(outcome("withdrawn"))));
}

async fn recording_ends_a_change(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    let record =
        Record { links: vec![set("staff", 1)], answered: false, ..made("c1", &world.tenant, "ada", "ada") };
    ok(world.store.record(record).await).expect_version(1);
    let change =
        ok(world.store.change(&world.tenant, &ChangeId::from_text("c1")).await).expect("it is there");
    assert_eq!(
        (change.state, change.ended, change.answered, change.outcome),
        (model::ChangeState::Recorded, Some(at(10)), false, Some(outcome("created")))
    );
    assert!(ok(world.store.open_changes(None).await).is_empty());
    let ada = world.shown(USER, "ada").await;
    assert!(!ada.pending);
    assert_eq!(ok(world.store.links(&world.tenant, &ada.id).await), [link("staff", 1)]);
}

async fn a_stale_record_leaves_its_change_open(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.open(change("c1", &world.tenant, "id-ada")).await;
    let write = ResourceWrite::Replace { expected: Version(7), body: resource(user("ada")) };
    let stale = Record {
        change: Some(ChangeId::from_text("c1")),
        links: vec![set("staff", 1)],
        ..record(&world.tenant, USER, "id-ada", write)
    };
    assert_eq!(ok(world.store.record(stale.clone()).await), Recorded::Stale);
    world.user("grace").await;
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(user("grace")) };
    let taken = ok(world.store.record(Record { write, ..stale }).await);
    assert_eq!(taken, Recorded::UserNameTaken { by: ResourceId::from_text("id-grace") });
    assert_eq!(ok(world.store.open_changes(None).await).len(), 1);
    assert!(ok(world.store.links(&world.tenant, &ada).await).is_empty());
    assert_eq!(ok(world.store.audit_of(&world.tenant, &ada).await).len(), 1);
}

async fn a_change_ends_once(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    ok(world.store.record(made("c1", &world.tenant, "ada", "ada")).await).expect_version(1);
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(user("other")) };
    let again =
        Record { change: Some(ChangeId::from_text("c1")), ..record(&world.tenant, USER, "ada", write) };
    assert!(matches!(world.store.record(again).await, Err(StoreError::NotOpen { .. })));
    assert_eq!(world.shown(USER, "ada").await.version, Version(1));
}

async fn nobody_ends_the_change_of_another_tenant(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    let other = tenant("acme/test");
    let result = world.store.record(made("c1", &other, "ada", "ada")).await;
    assert!(matches!(result, Err(StoreError::NotOpen { .. })));
    assert_eq!(ok(world.store.get(&other, USER, "ada").await), None);
    assert!(world.shown(USER, "ada").await.pending);
}

async fn a_withdrawn_change_tells_why(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    let refused = ChangeOutcome {
        result: "refused".to_owned(),
        status: 400,
        reason: Some("REQUIRED_FIELD_MISSING LastName".to_owned()),
        undone: vec![ResourceId::from_text("id-ada")],
        ..ChangeOutcome::default()
    };
    ok(world.store.withdraw(&id, refused.clone(), true, at(3)).await);
    let change = ok(world.store.change(&world.tenant, &id).await).expect("it is there");
    assert_eq!(
        (change.state, change.ended, change.answered, change.outcome),
        (model::ChangeState::Withdrawn, Some(at(3)), true, Some(refused))
    );
    assert!(ok(world.store.open_changes(None).await).is_empty());
    assert!(ok(world.store.audit_of(&world.tenant, &ResourceId::from_text("ada")).await).is_empty());
}

async fn a_pending_resource_shows_by_id_and_name_alone(world: &World<'_>) {
    let asked = user_with(
        "ada",
        json!({ "externalId": "7", "displayName": "Ada", "emails": [{ "value": "ada@example.com" }] }),
    );
    let joiner =
        NewChange { reserve: Some(resource(asked.clone())), at: at(3), ..change("c1", &world.tenant, "ada") };
    world.open(joiner).await;
    let ada = world.shown(USER, "ada").await;
    assert_eq!((ada.pending, ada.version, body(&ada)), (true, Version(0), asked));
    let page = world.page(&Query { filter: Some(parse(USER, r#"userName eq "ADA""#)), ..all(USER) }).await;
    assert_eq!((page.total, page.resources), (1, vec![ada]));
    for filter in [
        r#"id eq "ada""#,
        r#"externalId eq "7""#,
        r#"displayName eq "ada""#,
        r#"emails eq "ada@example.com""#,
        "active eq true",
        r#"meta.lastModified ge "2020-01-01T00:00:00Z""#,
        "userName pr",
        r#"userName eq "ada" and active eq true"#,
        r#"userName sw "a""#,
    ] {
        assert!(world.found(USER, filter).await.is_empty(), "{filter}");
    }
    let being_made = async |external_id| {
        ok(world.store.pending_by_external_id(&world.tenant, external_id).await).map(|found| found.id)
    };
    assert_eq!(being_made("7").await, Some(ResourceId::from_text("ada")), "its source knows it so");
    assert_eq!(being_made("8").await, None);
    let page = world.page(&all(USER)).await;
    assert_eq!((page.total, page.resources.len(), world.count(USER).await), (0, 0, 0));
    let page = world.page(&sorted_by(USER, "userName", false)).await;
    assert_eq!((page.total, page.resources.len()), (0, 0));
}

async fn a_pending_resource_cannot_be_replaced_or_deleted(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    for expected in [0, 1] {
        assert_eq!(world.replace(USER, "ada", expected, user("ada")).await, Recorded::Stale);
        assert_eq!(world.delete(USER, "ada", expected).await, Recorded::Stale);
    }
    assert!(world.shown(USER, "ada").await.pending);
}

async fn withdrawing_another_change_leaves_the_pending_resource(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    world.open(change("c2", &world.tenant, "ada")).await;
    ok(world.store.withdraw(&ChangeId::from_text("c2"), outcome("withdrawn"), true, at(1)).await);
    assert!(world.shown(USER, "ada").await.pending);
    ok(world.store.record(made("c1", &world.tenant, "ada", "ada")).await).expect_version(1);
    world.open(change("c3", &world.tenant, "ada")).await;
    ok(world.store.withdraw(&ChangeId::from_text("c3"), outcome("withdrawn"), true, at(2)).await);
    assert!(!world.shown(USER, "ada").await.pending);
}

async fn a_recorded_joiner_is_last_in_the_creation_sequence(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    world.user("grace").await;
    let landed = user_with("ada", json!({ "title": "Countess", "emails": [{ "value": "ada@example.com" }] }));
    let record = Record {
        write: ResourceWrite::Create(resource(landed.clone())),
        ..made("c1", &world.tenant, "ada", "ada")
    };
    ok(world.store.record(record).await).expect_version(1);
    let ada = world.shown(USER, "ada").await;
    assert_eq!((ada.created, ada.modified, body(&ada)), (at(10), at(10), landed));
    assert_eq!(ids(&world.page(&all(USER)).await), ["id-grace", "ada"]);
    assert_eq!(world.found(USER, r#"emails eq "ADA@example.com""#).await, ["ada"]);
    assert_eq!(world.count(USER).await, 2);
}

async fn a_pending_group_has_members_and_does_not_show_in_them(world: &World<'_>) {
    world.user("ada").await;
    let asked = NewChange {
        kind: GROUP,
        reserve: Some(resource(group("staff", &["id-ada"]))),
        ..change("c1", &world.tenant, "staff")
    };
    world.open(asked).await;
    let staff = world.shown(GROUP, "staff").await;
    assert_eq!((staff.pending, staff.members.len()), (true, 1));
    assert!(world.shown(USER, "id-ada").await.groups.is_empty());
    assert!(world.found(GROUP, r#"members eq "id-ada""#).await.is_empty());
    let record = Record {
        change: Some(ChangeId::from_text("c1")),
        ..record(&world.tenant, GROUP, "staff", ResourceWrite::Create(resource(group("staff", &["id-ada"]))))
    };
    ok(world.store.record(record).await).expect_version(1);
    assert_eq!(world.shown(USER, "id-ada").await.groups.len(), 1);
    assert_eq!(world.found(GROUP, r#"members eq "id-ada""#).await, ["staff"]);
}

async fn open_changes_come_oldest_first(world: &World<'_>) {
    let other = tenant("other/prod");
    for (id, tenant) in [("b", &world.tenant), ("a", &other), ("c", &world.tenant)] {
        world.open(change(id, tenant, "x")).await;
    }
    let open = async |tenant| {
        let open = ok(world.store.open_changes(tenant).await);
        open.into_iter().map(|open| open.change.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(open(None).await, ["b", "a", "c"]);
    assert_eq!(open(Some(&world.tenant)).await, ["b", "c"]);
    ok(world.store.withdraw(&ChangeId::from_text("b"), outcome("withdrawn"), true, at(1)).await);
    assert_eq!(open(Some(&world.tenant)).await, ["c"]);
    let nobody = tenant("no/body");
    assert!(open(Some(&nobody)).await.is_empty());
}

async fn recent_changes_come_newest_first(world: &World<'_>) {
    for id in ["a", "b", "c", "open"] {
        world.open(change(id, &world.tenant, "x")).await;
    }
    for (id, second) in [("b", 1), ("a", 2), ("c", 2)] {
        ok(world.store.withdraw(&ChangeId::from_text(id), outcome("withdrawn"), true, at(second)).await);
    }
    let recent = async |tenant, limit| {
        let recent = ok(world.store.recent_changes(tenant, limit).await);
        recent.into_iter().map(|change| change.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(recent(None, 10).await, ["c", "a", "b"]);
    assert_eq!(recent(Some(&world.tenant), 2).await, ["c", "a"]);
    let nobody = tenant("no/body");
    assert!(recent(Some(&nobody), 10).await.is_empty());
    assert!(recent(None, 0).await.is_empty());
}

async fn a_repeat_is_the_newest_of_its_kind(world: &World<'_>) {
    let change = |id: &str, by: &str, print: u8, second: i64| NewChange {
        client: client(by),
        fingerprint: Some([print; 32]),
        at: at(second),
        ..change(id, &world.tenant, "x")
    };
    for asked in [
        change("old", "okta", 1, 0),
        change("new", "okta", 1, 5),
        change("other-client", "entra", 1, 6),
        change("other-print", "okta", 2, 7),
    ] {
        world.open(asked).await;
    }
    let repeat = async |print: u8, since: i64| {
        let found = world.store.find_repeat(&world.tenant, &client("okta"), &[print; 32], at(since)).await;
        ok(found).map(|change| change.id.to_string())
    };
    assert_eq!(repeat(1, 0).await.as_deref(), Some("new"));
    assert_eq!(repeat(1, 5).await.as_deref(), Some("new"));
    assert_eq!(repeat(1, 6).await, None);
    assert_eq!(repeat(2, 0).await.as_deref(), Some("other-print"));
    assert_eq!(repeat(3, 0).await, None);
    ok(world.store.withdraw(&ChangeId::from_text("new"), outcome("withdrawn"), true, at(8)).await);
    assert_eq!(repeat(1, 0).await.as_deref(), Some("old"), "nothing is left of a withdrawn one");
    ok(world.store.record(made("old", &world.tenant, "x", "x")).await).expect_version(1);
    assert_eq!(repeat(1, 0).await.as_deref(), Some("old"), "ended ones are found too");
}

async fn an_answer_can_be_noted_later(world: &World<'_>) {
    let id = ChangeId::from_text("c1");
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    let answered = async || ok(world.store.change(&world.tenant, &id).await).map(|change| change.answered);
    ok(world.store.mark_answered(&id).await);
    assert_eq!(answered().await, Some(false), "nobody was told how an open change ended");
    let record = Record { answered: false, ..made("c1", &world.tenant, "ada", "ada") };
    ok(world.store.record(record).await).expect_version(1);
    assert_eq!(answered().await, Some(false));
    ok(world.store.mark_answered(&id).await);
    assert_eq!(answered().await, Some(true));
}
