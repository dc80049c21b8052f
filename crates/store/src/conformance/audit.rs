//! Who did what.

use super::*;
use crate::Chain;

suite![
    an_entry_tells_when_and_for_which_change,
    the_audit_outlives_its_resource,
    who_wrote_a_field_last_is_found_first,
    a_field_is_found_in_whatever_case,
    no_more_entries_are_told_than_were_asked_for,
    the_trail_of_a_tenant_comes_in_pages,
    each_entry_moves_the_head_of_its_tenants_chain,
    a_head_that_was_noted_is_found_again,
    the_chain_goes_on_after_a_restart,
    what_was_given_is_told_with_its_reason,
];

fn wrote(fields: &[&str], mapping: Option<&str>) -> AuditEntry {
    AuditEntry {
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
        mapping: mapping.map(str::to_owned),
        ..audit("patch")
    }
}

/// Writes an entry for a user who is there.
async fn note(world: &World<'_>, id: &str, second: i64, entry: AuditEntry) {
    let keep = record(&world.tenant, USER, id, ResourceWrite::Keep);
    ok(world.store.record(Record { audit: entry, at: at(second), ..keep }).await);
}

async fn an_entry_tells_when_and_for_which_change(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.open(change("c1", &world.tenant, "id-ada")).await;
    let by = wrote(&["staff.Title", "customers.Title"], Some("0123456789abcdef"));
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(user("ada")) };
    let change = Some(ChangeId::from_text("c1"));
    let replace = record(&world.tenant, USER, "id-ada", write);
    let replace = Record { change: change.clone(), audit: by.clone(), at: at(5), ..replace };
    ok(world.store.record(replace).await).expect_version(2);
    assert_eq!(
        ok(world.store.audit_of(&world.tenant, &ada).await),
        [
            Audited { at: at(0), version: Version(1), change: None, entry: audit("create") },
            Audited { at: at(5), version: Version(2), change, entry: by },
        ]
    );
}

async fn the_audit_outlives_its_resource(world: &World<'_>) {
    let ada = world.user("ada").await;
    world
        .replace(USER, "id-ada", 1, user_with("ada", json!({ "title": "Countess" })))
        .await
        .expect_version(2);
    world.delete(USER, "id-ada", 2).await.expect_version(2);
    let entries = ok(world.store.audit_of(&world.tenant, &ada).await);
    let versions: Vec<Version> = entries.iter().map(|entry| entry.version).collect();
    assert_eq!(versions, [Version(1), Version(2), Version(2)]);
    let writes = ok(world.store.writes_of(&world.tenant, &ada, "staff.Email", 10).await);
    assert_eq!(writes, entries.into_iter().rev().collect::<Vec<_>>());
}

async fn who_wrote_a_field_last_is_found_first(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.user("grace").await;
    note(world, "id-ada", 1, wrote(&["staff.Title", "staff.City"], None)).await;
    note(world, "id-ada", 2, wrote(&["customers.Title"], None)).await;
    note(world, "id-ada", 3, wrote(&["staff.Title"], Some("abc"))).await;
    note(world, "id-ada", 4, wrote(&["staff.City"], None)).await;
    note(world, "id-grace", 5, wrote(&["staff.Title"], None)).await;
    let writes = async |field| {
        let writes = ok(world.store.writes_of(&world.tenant, &ada, field, 10).await);
        writes.into_iter().map(|wrote| (wrote.at, wrote.entry.mapping)).collect::<Vec<_>>()
    };
    assert_eq!(writes("staff.Title").await, [(at(3), Some("abc".to_owned())), (at(1), None)]);
    assert_eq!(writes("staff.City").await, [(at(4), None), (at(1), None)]);
    assert!(writes("Title").await.is_empty(), "the name of the target belongs to it");
    assert!(writes("staff.Phone").await.is_empty());
    // What stands elsewhere in an entry is no field.
    assert!(writes("alias-made").await.is_empty());
}

async fn a_field_is_found_in_whatever_case(world: &World<'_>) {
    let ada = world.user("ada").await;
    note(world, "id-ada", 1, wrote(&["staff.LanguageLocaleKey"], None)).await;
    for field in ["staff.languagelocalekey", "staff.LANGUAGELOCALEKEY"] {
        assert_eq!(ok(world.store.writes_of(&world.tenant, &ada, field, 1).await).len(), 1, "{field}");
    }
}

async fn no_more_entries_are_told_than_were_asked_for(world: &World<'_>) {
    let ada = world.user("ada").await;
    for second in 1..5 {
        note(world, "id-ada", second, wrote(&["staff.Title"], None)).await;
    }
    for (limit, expected) in [(0, vec![]), (1, vec![at(4)]), (3, vec![at(4), at(3), at(2)])] {
        let writes = ok(world.store.writes_of(&world.tenant, &ada, "staff.Title", limit).await);
        assert_eq!(writes.into_iter().map(|wrote| wrote.at).collect::<Vec<_>>(), expected);
    }
}

async fn the_trail_of_a_tenant_comes_in_pages(world: &World<'_>) {
    for name in ["ada", "grace", "mary"] {
        world.user(name).await;
    }
    world.create_in(&tenant("acme/test"), USER, "id-other", user("other")).await.expect_version(1);
    note(world, "id-ada", 5, wrote(&["staff.Title"], None)).await;
    let (mut trail, mut after) = (Vec::new(), None);
    loop {
        let page = ok(world.store.entries(&world.tenant, after, 3).await);
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        trail.extend(page);
    }
    let whose: Vec<&str> = trail.iter().map(|entry| entry.resource.as_str()).collect();
    assert_eq!(whose, ["id-ada", "id-grace", "id-mary", "id-ada"]);
    assert_eq!(trail[3].audited.entry, wrote(&["staff.Title"], None));
    assert_eq!(trail[3].hash, Some(ok(world.store.verify(&world.tenant, None).await).head));
    assert!(ok(world.store.entries(&tenant("no/body"), None, 3).await).is_empty());
}

/// A chain that holds together.
async fn whole(world: &World<'_>, of: &TenantId, noted: Option<&str>) -> Chain {
    let chain = ok(world.store.verify(of, noted).await);
    assert_eq!((chain.broken.as_ref(), chain.unchained), (None, 0));
    chain
}

async fn each_entry_moves_the_head_of_its_tenants_chain(world: &World<'_>) {
    let other = tenant("acme/test");
    let before = whole(world, &world.tenant, None).await;
    assert_eq!(before.entries, 0);
    world.user("ada").await;
    let first = whole(world, &world.tenant, None).await;
    let elsewhere = whole(world, &other, None).await;
    world.create_in(&other, USER, "id-ada", user("ada")).await.expect_version(1);
    assert_eq!(whole(world, &world.tenant, None).await, first);
    note(world, "id-ada", 1, wrote(&[], None)).await;
    let second = whole(world, &world.tenant, None).await;
    assert_eq!((first.entries, second.entries, second.head.len()), (1, 2, 64));
    let here = whole(world, &other, None).await;
    let mut heads = [before.head, first.head, second.head, elsewhere.head, here.head].to_vec();
    heads.sort();
    heads.dedup();
    assert_eq!(heads.len(), 5, "equal entries of two tenants have different hashes");
}

async fn a_head_that_was_noted_is_found_again(world: &World<'_>) {
    let start = whole(world, &world.tenant, None).await.head;
    assert_eq!(whole(world, &world.tenant, Some(&start)).await.noted, Some(0));
    world.user("ada").await;
    let first = whole(world, &world.tenant, None).await.head;
    world.user("grace").await;
    for (noted, place) in [(start, Some(0)), (first.to_uppercase(), Some(1)), ("0".repeat(64), None)] {
        assert_eq!(whole(world, &world.tenant, Some(&noted)).await.noted, place);
    }
}

async fn the_chain_goes_on_after_a_restart(world: &World<'_>) {
    let store = world.backend.fresh().await;
    let create = |name: &str| record(&world.tenant, USER, name, ResourceWrite::Create(resource(user(name))));
    ok(store.record(create("ada")).await).expect_version(1);
    let before = ok(store.verify(&world.tenant, None).await);
    let store = world.backend.reopen(store).await;
    assert_eq!(ok(store.verify(&world.tenant, None).await), before);
    ok(store.record(create("grace")).await).expect_version(1);
    let after = ok(store.verify(&world.tenant, Some(&before.head)).await);
    assert_eq!((after.entries, after.noted, after.broken), (2, Some(1), None));
}

async fn what_was_given_is_told_with_its_reason(world: &World<'_>) {
    let ada = world.user("ada").await;
    let grants = vec!["granted staff permission-set:0PS5f000000abcAGAQ (the rule sales)".to_owned()];
    note(world, "id-ada", 1, AuditEntry { grants: grants.clone(), ..audit("patch") }).await;
    let entries = ok(world.store.audit_of(&world.tenant, &ada).await);
    assert_eq!((&entries[0].entry.grants, &entries[1].entry.grants), (&Vec::new(), &grants));
}
