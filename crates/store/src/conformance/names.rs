//! `userName`: one for each User of a tenant, without regard to case, also while a change is under way.

use super::*;

suite![
    c31_user_names_are_unique_without_regard_to_case,
    letters_that_differ_are_other_names,
    one_may_change_the_case_of_ones_own_name,
    a_replace_cannot_take_a_name,
    groups_may_have_equal_names,
    of_a_crowd_one_gets_the_name,
    a_pending_name_is_taken,
    withdrawing_frees_the_name,
    a_new_name_is_reserved_while_the_change_is_open,
    a_reserved_new_name_is_free_for_its_owner,
    the_old_name_is_kept_until_the_new_one_is_recorded,
];

async fn c31_user_names_are_unique_without_regard_to_case(world: &World<'_>) {
    for (number, (first, second)) in [
        ("ada@example.com", "ADA@Example.COM"),
        ("straße@example.com", "STRASSE@EXAMPLE.COM"),
        ("caf\u{e9}", "CAFE\u{301}"),
        ("ΟΔΟΣ", "οδος"),
        ("ﬃ", "FFI"),
        ("\u{212a}elvin", "kelvin"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("first-{number}");
        world.create(USER, &id, user(first)).await.expect_version(1);
        let taken = ResourceId::from_text(&id);
        assert_eq!(
            world.create(USER, "second", user(second)).await,
            Recorded::UserNameTaken { by: taken.clone() },
            "{second}"
        );
        assert_eq!(
            world.open(joiner("c", &world.tenant, "second", second)).await,
            Opened::UserNameTaken { by: taken }
        );
        assert_eq!(world.get(USER, "second").await, None);
        assert!(ok(world.store.open_changes(None).await).is_empty());
        assert_eq!(world.found(USER, &format!("userName eq {}", json!(second))).await, [id]);
    }
}

async fn letters_that_differ_are_other_names(world: &World<'_>) {
    // The Turkish dotless ı is not an i, and an accent makes another letter.
    for name in ["isil", "ısıl", "cafe", "café", "ada", "ada ", "a-da"] {
        world.user(name).await;
    }
    for name in ["isil", "ısıl", "cafe", "café"] {
        assert_eq!(world.found(USER, &format!("userName eq {}", json!(name))).await, [format!("id-{name}")]);
    }
}

async fn one_may_change_the_case_of_ones_own_name(world: &World<'_>) {
    world.user("ada").await;
    world.replace(USER, "id-ada", 1, user("Ada")).await.expect_version(2);
    world.replace(USER, "id-ada", 2, user("Ada")).await.expect_version(3);
    assert_eq!(body(&world.shown(USER, "id-ada").await), user("Ada"));
}

async fn a_replace_cannot_take_a_name(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.user("grace").await;
    assert_eq!(world.replace(USER, "id-grace", 1, user("ADA")).await, Recorded::UserNameTaken { by: ada });
    let grace = world.shown(USER, "id-grace").await;
    assert_eq!((grace.version, body(&grace)), (Version(1), user("grace")));
}

async fn groups_may_have_equal_names(world: &World<'_>) {
    world.create(GROUP, "g1", group("staff", &[])).await.expect_version(1);
    world.create(GROUP, "g2", group("Staff", &[])).await.expect_version(1);
    world.user("staff").await;
    assert_eq!(world.found(GROUP, r#"displayName eq "STAFF""#).await, ["g1", "g2"]);
}

async fn of_a_crowd_one_gets_the_name(world: &World<'_>) {
    let crowd: Vec<_> = (0..50)
        .map(|number| {
            let store = Arc::clone(&world.store);
            let id = format!("{number}");
            let change = joiner(&format!("c{number}"), &world.tenant, &id, "ada");
            tokio::spawn(async move { store.open(change).await })
        })
        .collect();
    let mut opened = 0;
    for one in crowd {
        opened += usize::from(ok(one.await.expect("the task ends")) == Opened::Opened);
    }
    assert_eq!(opened, 1);
    assert_eq!(ok(world.store.open_changes(None).await).len(), 1);
}

async fn a_pending_name_is_taken(world: &World<'_>) {
    assert_eq!(world.open(joiner("c1", &world.tenant, "ada", "ada")).await, Opened::Opened);
    let by = ResourceId::from_text("ada");
    let taken = world.open(joiner("c2", &world.tenant, "other", "ADA")).await;
    assert_eq!(taken, Opened::UserNameTaken { by: by.clone() });
    assert_eq!(world.create(USER, "other", user("Ada")).await, Recorded::UserNameTaken { by: by.clone() });
    world.user("grace").await;
    assert_eq!(world.replace(USER, "id-grace", 1, user("Ada")).await, Recorded::UserNameTaken { by });
}

async fn withdrawing_frees_the_name(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, "ada", "ada")).await;
    ok(world.store.withdraw(&ChangeId::from_text("c1"), outcome("withdrawn"), true, at(1)).await);
    assert_eq!(world.get(USER, "ada").await, None);
    assert_eq!(world.open(joiner("c2", &world.tenant, "ada-2", "Ada")).await, Opened::Opened);
}

async fn a_new_name_is_reserved_while_the_change_is_open(world: &World<'_>) {
    let ada = world.user("ada").await;
    world.user("grace").await;
    let rename = NewChange { rename: Some("Countess".to_owned()), ..change("c1", &world.tenant, "id-ada") };
    assert_eq!(world.open(rename).await, Opened::Opened);
    let taken = Opened::UserNameTaken { by: ada.clone() };
    assert_eq!(world.open(joiner("c2", &world.tenant, "new", "countess")).await, taken);
    let other = NewChange { rename: Some("COUNTESS".to_owned()), ..change("c3", &world.tenant, "id-grace") };
    assert_eq!(world.open(other.clone()).await, taken);
    assert_eq!(
        world.replace(USER, "id-grace", 1, user("countess")).await,
        Recorded::UserNameTaken { by: ada }
    );
    ok(world.store.withdraw(&ChangeId::from_text("c1"), outcome("withdrawn"), true, at(1)).await);
    assert_eq!(world.open(other).await, Opened::Opened);
}

async fn a_reserved_new_name_is_free_for_its_owner(world: &World<'_>) {
    world.user("ada").await;
    for id in ["c1", "c2"] {
        let rename = NewChange { rename: Some("countess".to_owned()), ..change(id, &world.tenant, "id-ada") };
        assert_eq!(world.open(rename).await, Opened::Opened);
    }
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(user("countess")) };
    let record =
        Record { change: Some(ChangeId::from_text("c1")), ..record(&world.tenant, USER, "id-ada", write) };
    ok(world.store.record(record).await).expect_version(2);
    assert_eq!(world.found(USER, r#"userName eq "countess""#).await, ["id-ada"]);
}

async fn the_old_name_is_kept_until_the_new_one_is_recorded(world: &World<'_>) {
    let ada = world.user("ada").await;
    let rename = NewChange { rename: Some("countess".to_owned()), ..change("c1", &world.tenant, "id-ada") };
    world.open(rename).await;
    assert_eq!(
        world.open(joiner("c2", &world.tenant, "new", "ada")).await,
        Opened::UserNameTaken { by: ada }
    );
    assert_eq!(world.found(USER, r#"userName eq "ada""#).await, ["id-ada"]);
    assert!(world.found(USER, r#"userName eq "countess""#).await.is_empty());
    let write = ResourceWrite::Replace { expected: Version(1), body: resource(user("countess")) };
    let record =
        Record { change: Some(ChangeId::from_text("c1")), ..record(&world.tenant, USER, "id-ada", write) };
    ok(world.store.record(record).await).expect_version(2);
    assert_eq!(world.open(joiner("c2", &world.tenant, "new", "ada")).await, Opened::Opened);
}
