//! Making, replacing, deleting; links; what is written together.

use model::{ResourceId, ResourceKind, Version};
use serde_json::json;

use super::*;

suite![
    a_created_resource_is_read_back,
    c27_an_unknown_id_is_none_whatever_its_form,
    a_user_is_no_group,
    creating_what_is_there_is_stale,
    a_replace_moves_version_and_last_modified,
    a_replace_of_an_old_version_changes_nothing,
    what_is_not_there_cannot_be_changed,
    c42_a_deleted_user_is_gone_and_leaves_the_name_free,
    keeping_a_resource_writes_its_links_and_audit,
    links_come_in_the_order_of_their_targets,
    a_record_leads_to_its_identity,
    records_of_two_orgs_may_have_the_same_id,
    deleting_takes_links_along,
    everything_is_there_after_reopening,
    a_crowd_is_written_whole,
    odd_texts_come_back_as_they_were,
    kinds_come_in_the_order_of_the_ids,
    what_was_asked_for_is_kept_beside_what_is_shown,
];

async fn a_created_resource_is_read_back(world: &World<'_>) {
    let body = user_with(
        "ada@example.com",
        json!({ "name": { "familyName": "Lovelace" }, "emails": [{ "value": "ada@example.com", "primary": true }] }),
    );
    world.create(USER, "ada", body.clone()).await.expect_version(1);
    let ada = world.shown(USER, "ada").await;
    assert_eq!(
        ada,
        StoredResource {
            kind: USER,
            id: ResourceId::from_text("ada"),
            version: Version::FIRST,
            created: at(0),
            modified: at(0),
            pending: false,
            body: body.to_string(),
            asked: None,
            stands_for: None,
            groups: Vec::new(),
            members: Vec::new(),
        }
    );
    assert_eq!(world.count(USER).await, 1);
    assert_eq!(world.count(GROUP).await, 0);
}

async fn c27_an_unknown_id_is_none_whatever_its_form(world: &World<'_>) {
    world.user("ada").await;
    let long = "9".repeat(100_000);
    for id in
        ["", "0", "999999999999999999999999999999", "ID-ADA", " id-ada", "'; --", "%", "a\0b", "é", &long]
    {
        assert_eq!(world.get(USER, id).await, None, "{id:.40}");
        assert_eq!(ok(world.store.kinds(&world.tenant, &[id]).await), [None]);
    }
}

async fn a_user_is_no_group(world: &World<'_>) {
    world.user("ada").await;
    assert_eq!(world.get(GROUP, "id-ada").await, None);
    assert_eq!(world.delete(GROUP, "id-ada", 1).await, Recorded::Stale);
    assert!(world.found(GROUP, r#"id eq "id-ada""#).await.is_empty());
}

async fn creating_what_is_there_is_stale(world: &World<'_>) {
    world.user("ada").await;
    assert_eq!(world.create(USER, "id-ada", user("grace")).await, Recorded::Stale);
    assert_eq!(body(&world.shown(USER, "id-ada").await), user("ada"));
    assert!(world.found(USER, r#"userName eq "grace""#).await.is_empty());
}

async fn a_replace_moves_version_and_last_modified(world: &World<'_>) {
    world.user("ada").await;
    let new = user_with("ada", json!({ "title": "Countess" }));
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(new.clone()) };
    let later = Record { at: at(60), ..record(&world.tenant, USER, "id-ada", write) };
    ok(world.store.record(later).await).expect_version(2);
    let ada = world.shown(USER, "id-ada").await;
    assert_eq!((ada.version, ada.created, ada.modified), (Version(2), at(0), at(60)));
    assert_eq!(body(&ada), new);
}

async fn a_replace_of_an_old_version_changes_nothing(world: &World<'_>) {
    world.user("ada").await;
    world.replace(USER, "id-ada", 1, user_with("ada", json!({ "title": "second" }))).await.expect_version(2);
    for expected in [0, 1, 3] {
        let write = ResourceWrite::Replace { expected: Version(expected), body: resource(user("third")) };
        let stale = Record { links: vec![set("staff", 1)], ..record(&world.tenant, USER, "id-ada", write) };
        assert_eq!(ok(world.store.record(stale).await), Recorded::Stale);
        assert_eq!(world.delete(USER, "id-ada", expected).await, Recorded::Stale);
    }
    let ada = world.shown(USER, "id-ada").await;
    assert_eq!((ada.version, body(&ada)["title"].as_str()), (Version(2), Some("second")));
    assert!(ok(world.store.links(&world.tenant, &ada.id).await).is_empty());
    assert_eq!(ok(world.store.audit_of(&world.tenant, &ada.id).await).len(), 2);
}

async fn what_is_not_there_cannot_be_changed(world: &World<'_>) {
    assert_eq!(world.replace(USER, "nobody", 1, user("nobody")).await, Recorded::Stale);
    assert_eq!(world.delete(USER, "nobody", 1).await, Recorded::Stale);
    let keep =
        Record { links: vec![set("staff", 1)], ..record(&world.tenant, USER, "nobody", ResourceWrite::Keep) };
    assert_eq!(ok(world.store.record(keep).await), Recorded::Stale);
    let nobody = ResourceId::from_text("nobody");
    assert!(ok(world.store.links(&world.tenant, &nobody).await).is_empty());
    assert!(ok(world.store.audit_of(&world.tenant, &nobody).await).is_empty());
}

async fn c42_a_deleted_user_is_gone_and_leaves_the_name_free(world: &World<'_>) {
    let body = user_with("ada", json!({ "externalId": "7", "emails": [{ "value": "ada@example.com" }] }));
    world.create(USER, "first", body.clone()).await.expect_version(1);
    assert_eq!(world.delete(USER, "first", 1).await, Recorded::Recorded(Version(1)));
    assert_eq!(world.get(USER, "first").await, None);
    assert_eq!(world.count(USER).await, 0);
    for filter in
        [r#"userName eq "ada""#, r#"externalId eq "7""#, r#"emails eq "ada@example.com""#, "userName pr"]
    {
        assert!(world.found(USER, filter).await.is_empty(), "{filter}");
    }
    world.create(USER, "second", body).await.expect_version(1);
    assert_eq!(world.found(USER, r#"emails eq "ada@example.com""#).await, ["second"]);
}

async fn keeping_a_resource_writes_its_links_and_audit(world: &World<'_>) {
    let ada = world.user("ada").await;
    let keep = Record {
        links: vec![set("staff", 1)],
        audit: audit("resume"),
        at: at(5),
        ..record(&world.tenant, USER, "id-ada", ResourceWrite::Keep)
    };
    ok(world.store.record(keep).await).expect_version(1);
    assert_eq!(ok(world.store.links(&world.tenant, &ada).await), [link("staff", 1)]);
    let shown = world.shown(USER, "id-ada").await;
    assert_eq!((shown.version, shown.modified), (Version(1), at(0)));
    let entries = ok(world.store.audit_of(&world.tenant, &ada).await);
    let [made, kept] = &entries[..] else { panic!("two entries, not {}", entries.len()) };
    assert_eq!((made.at, made.version, &made.entry), (at(0), Version(1), &audit("create")));
    assert_eq!((kept.at, kept.version, &kept.entry), (at(5), Version(1), &audit("resume")));
}

async fn links_come_in_the_order_of_their_targets(world: &World<'_>) {
    let ada = world.user("ada").await;
    let write = async |links: Vec<LinkWrite>| {
        let keep = record(&world.tenant, USER, "id-ada", ResourceWrite::Keep);
        ok(world.store.record(Record { links, ..keep }).await).expect_version(1);
        ok(world.store.links(&world.tenant, &ada).await)
    };
    let links = write(vec![set("staff", 1), set("contact", 2)]).await;
    assert_eq!(links, [link("contact", 2), link("staff", 1)]);
    let links = write(vec![set("staff", 3), LinkWrite::Remove(target("contact"))]).await;
    assert_eq!(links, [link("staff", 3)]);
    let links = write(vec![LinkWrite::Remove(target("unknown"))]).await;
    assert_eq!(links, [link("staff", 3)]);
}

async fn a_record_leads_to_its_identity(world: &World<'_>) {
    for (name, number) in [("ada", 1), ("grace", 2)] {
        let create = record(&world.tenant, USER, name, ResourceWrite::Create(resource(user(name))));
        ok(world.store.record(Record { links: vec![set("staff", number)], ..create }).await)
            .expect_version(1);
    }
    let linked = async |number| ok(world.store.linked_to(&world.tenant, &record_id(number)).await);
    assert_eq!(linked(1).await, Some(ResourceId::from_text("ada")));
    assert_eq!(linked(2).await, Some(ResourceId::from_text("grace")));
    assert_eq!(linked(3).await, None);
    let moved = record(&world.tenant, USER, "ada", ResourceWrite::Keep);
    ok(world.store.record(Record { links: vec![set("staff", 3)], ..moved }).await).expect_version(1);
    assert_eq!(linked(1).await, None);
    assert_eq!(linked(3).await, Some(ResourceId::from_text("ada")));
}

async fn records_of_two_orgs_may_have_the_same_id(world: &World<'_>) {
    let org = |name| OrgName::new(name).expect("an org");
    for (name, sandbox) in [("ada", false), ("grace", true)] {
        let mut link = link("staff", 1);
        if sandbox {
            link.org = org("sandbox");
        }
        let create = record(&world.tenant, USER, name, ResourceWrite::Create(resource(user(name))));
        let links = vec![LinkWrite::Set(link)];
        ok(world.store.record(Record { links, ..create }).await).expect_version(1);
    }
    let linked = async |name, number| {
        let linked = ok(world.store.linked_in(&world.tenant, &org(name), &record_id(number)).await);
        linked.map(|id| id.to_string())
    };
    assert_eq!(linked("acme-prod", 1).await.as_deref(), Some("ada"));
    assert_eq!(linked("sandbox", 1).await.as_deref(), Some("grace"));
    assert_eq!(linked("sandbox", 2).await, None);
    assert_eq!(linked("elsewhere", 1).await, None);
    assert_eq!(
        ok(world.store.linked_to(&world.tenant, &record_id(1)).await),
        Some(ResourceId::from_text("ada"))
    );
}

async fn deleting_takes_links_along(world: &World<'_>) {
    let create = record(&world.tenant, USER, "ada", ResourceWrite::Create(resource(user("ada"))));
    ok(world.store.record(Record { links: vec![set("staff", 1)], ..create }).await).expect_version(1);
    let delete = ResourceWrite::Delete { expected: Version(1) };
    // A deactivated record may be noted in the very transaction that deletes the identity: that leaves
    // nothing either.
    let delete = Record { links: vec![set("staff", 1)], ..record(&world.tenant, USER, "ada", delete) };
    ok(world.store.record(delete).await).expect_version(1);
    assert_eq!(ok(world.store.linked_to(&world.tenant, &record_id(1)).await), None);
    assert!(ok(world.store.links(&world.tenant, &ResourceId::from_text("ada")).await).is_empty());
    world.create(USER, "ada", user("ada")).await.expect_version(1);
    assert!(ok(world.store.links(&world.tenant, &ResourceId::from_text("ada")).await).is_empty());
}

async fn everything_is_there_after_reopening(world: &World<'_>) {
    let store = world.backend.fresh().await;
    let first = World { backend: world.backend, store, tenant: world.tenant.clone() };
    first.user("ada").await;
    first.group("staff", &["id-ada"]).await;
    let keep = record(&first.tenant, USER, "id-ada", ResourceWrite::Keep);
    ok(first.store.record(Record { links: vec![set("staff", 1)], ..keep }).await).expect_version(1);
    first.open(joiner("c1", &first.tenant, "grace", "grace")).await;

    let store = first.backend.reopen(first.store).await;
    let second = World { backend: world.backend, store, tenant: first.tenant };
    let ada = second.shown(USER, "id-ada").await;
    assert_eq!(ada.groups[0].display, "staff");
    assert_eq!(ok(second.store.links(&second.tenant, &ada.id).await), [link("staff", 1)]);
    assert!(second.shown(USER, "grace").await.pending);
    assert_eq!(ok(second.store.open_changes(None).await).len(), 1);
    assert_eq!((second.count(USER).await, second.count(GROUP).await), (1, 1));
    second.user("grace-2").await;
    assert_eq!(second.found(USER, "userName pr").await, ["id-ada", "id-grace-2"]);
}

async fn a_crowd_is_written_whole(world: &World<'_>) {
    let crowd: Vec<_> = (0..200)
        .map(|number| {
            let store = Arc::clone(&world.store);
            let name = format!("user-{number}");
            let write = ResourceWrite::Create(resource(user(&name)));
            let record = record(&world.tenant, USER, &name, write);
            tokio::spawn(async move { store.record(record).await })
        })
        .collect();
    for one in crowd {
        ok(one.await.expect("the task ends")).expect_version(1);
    }
    assert_eq!(world.count(USER).await, 200);
    let page = world.page(&all(USER)).await;
    assert_eq!((page.total, ids(&page).into_iter().collect::<BTreeSet<_>>().len()), (200, 200));
}

async fn odd_texts_come_back_as_they_were(world: &World<'_>) {
    for (number, odd) in
        ["ﬃ", "e\u{301}", "\u{feff}x", "👩‍🚀", "'\"\\%_", "\u{202e}abc", "line\nbreak", "tab\t", "nul\0nul"]
            .iter()
            .enumerate()
    {
        let id = number.to_string();
        let body = user_with(odd, json!({ "title": odd, "displayName": odd }));
        world.create(USER, &id, body.clone()).await.expect_version(1);
        assert_eq!(self::body(&world.shown(USER, &id).await), body);
        let filter = format!("userName eq {}", json!(odd));
        assert_eq!(world.found(USER, &filter).await, [id], "{odd:?}");
    }
}

async fn kinds_come_in_the_order_of_the_ids(world: &World<'_>) {
    world.user("ada").await;
    world.group("staff", &[]).await;
    world.open(joiner("c1", &world.tenant, "grace", "grace")).await;
    let asked = ["id-staff", "nobody", "id-ada", "id-ada", "grace"];
    let kinds = [Some(GROUP), None, Some(USER), Some(USER), Some(USER)];
    assert_eq!(ok(world.store.kinds(&world.tenant, &asked).await), kinds);
    assert_eq!(ok(world.store.kinds(&world.tenant, &[]).await), [] as [Option<ResourceKind>; 0]);
    let many: Vec<&str> = asked.iter().copied().cycle().take(500).collect();
    let expected: Vec<Option<ResourceKind>> = kinds.iter().copied().cycle().take(500).collect();
    assert_eq!(ok(world.store.kinds(&world.tenant, &many).await), expected);
}

async fn what_was_asked_for_is_kept_beside_what_is_shown(world: &World<'_>) {
    let write = async |write, asked: Option<&str>| {
        let asked = asked.map(str::to_owned);
        ok(world.store.record(Record { asked, ..record(&world.tenant, USER, "ada", write) }).await)
    };
    let asked = async || world.shown(USER, "ada").await.asked;
    let body = || resource(user("ada"));
    let two = r#"{"entitlements":[{"value":"0PS5f000000abcAGAQ"}],"roles":[]}"#;
    write(ResourceWrite::Create(body()), Some(two)).await.expect_version(1);
    assert_eq!(asked().await.as_deref(), Some(two));
    write(ResourceWrite::Keep, Some("{}")).await.expect_version(1);
    assert_eq!(asked().await.as_deref(), Some(two), "only what is written with a body counts");
    write(ResourceWrite::Replace { expected: Version(1), body: body() }, Some("{}")).await.expect_version(2);
    assert_eq!(asked().await.as_deref(), Some("{}"));
    assert_eq!(world.page(&all(USER)).await.resources[0].asked.as_deref(), Some("{}"));
    write(ResourceWrite::Revise { expected: Version(2), body: body() }, Some(two)).await.expect_version(3);
    assert_eq!(asked().await.as_deref(), Some(two));
    write(ResourceWrite::Replace { expected: Version(3), body: body() }, None).await.expect_version(4);
    assert_eq!(asked().await, None);
}
