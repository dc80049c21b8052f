//! Groups, their members, and the groups of a User.

use super::*;
use crate::{GroupRef, Member};

suite![
    members_come_in_the_order_they_joined,
    only_the_difference_is_written,
    a_member_twice_is_one_member,
    who_is_not_there_is_no_member,
    members_are_not_in_the_body,
    a_member_shows_its_display_name_else_its_user_name,
    a_user_shows_its_groups,
    a_deleted_member_leaves_and_the_group_stays_as_it_is,
    a_deleted_group_lets_its_members_go,
    groups_can_be_members,
    lists_leave_members_out_unless_asked,
    keeping_a_group_keeps_its_members,
    a_large_group_grows_by_one,
];

fn member_ids(group: &StoredResource) -> Vec<&str> {
    group.members.iter().map(|member| member.id.as_str()).collect()
}

async fn members_come_in_the_order_they_joined(world: &World<'_>) {
    for name in ["c", "a", "b"] {
        world.user(name).await;
    }
    world.group("staff", &["id-b", "id-c"]).await;
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-b", "id-c"]);
    // The new one is last, whatever its place in the body.
    world.replace(GROUP, "id-staff", 1, group("staff", &["id-a", "id-c", "id-b"])).await.expect_version(2);
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-b", "id-c", "id-a"]);
}

async fn only_the_difference_is_written(world: &World<'_>) {
    for name in ["a", "b", "c"] {
        world.user(name).await;
    }
    world.group("staff", &["id-a", "id-b"]).await;
    world.replace(GROUP, "id-staff", 1, group("staff", &["id-b", "id-c"])).await.expect_version(2);
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-b", "id-c"]);
    world.replace(GROUP, "id-staff", 2, group("staff", &["id-b", "id-a"])).await.expect_version(3);
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-b", "id-a"]);
    world.replace(GROUP, "id-staff", 3, json!({ "displayName": "staff" })).await.expect_version(4);
    assert!(world.shown(GROUP, "id-staff").await.members.is_empty());
}

async fn a_member_twice_is_one_member(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a", "id-a"]).await;
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-a"]);
    world.replace(GROUP, "id-staff", 1, group("staff", &["id-a", "id-a"])).await.expect_version(2);
    assert_eq!(world.shown(USER, "id-a").await.groups.len(), 1);
}

async fn who_is_not_there_is_no_member(world: &World<'_>) {
    world.user("a").await;
    world.create_in(&tenant("other/prod"), USER, "elsewhere", user("a")).await.expect_version(1);
    world.group("staff", &["nobody", "id-a", "elsewhere"]).await;
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-a"]);
}

async fn members_are_not_in_the_body(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!(body(&staff), json!({ "schemas": [schema::GROUP_URN], "displayName": "staff" }));
}

async fn a_member_shows_its_display_name_else_its_user_name(world: &World<'_>) {
    world
        .create(USER, "1", user_with("ada", json!({ "displayName": "Ada Lovelace" })))
        .await
        .expect_version(1);
    world.create(USER, "2", user("Grace")).await.expect_version(1);
    world.group("staff", &["1", "2"]).await;
    let member = |id: &str, display: &str| Member {
        id: ResourceId::from_text(id),
        kind: USER,
        display: Some(display.to_owned()),
        display_as_sent: false,
    };
    let shown = async || world.shown(GROUP, "id-staff").await.members;
    assert_eq!(shown().await, [member("1", "Ada Lovelace"), member("2", "Grace")]);
    world.replace(USER, "1", 1, user("ada")).await.expect_version(2);
    assert_eq!(shown().await[0], member("1", "ada"));
    // What a tool calls a member stays, until it is left out again.
    let called = |members: Value| json!({ "displayName": "staff", "members": members });
    let named = called(json!([{ "value": "1", "display": "The Countess" }, { "value": "2" }]));
    world.replace(GROUP, "id-staff", 1, named).await.expect_version(2);
    let countess = Member { display_as_sent: true, ..member("1", "The Countess") };
    assert_eq!(shown().await, [countess, member("2", "Grace")]);
    let unnamed = called(json!([{ "value": "1" }, { "value": "2" }]));
    world.replace(GROUP, "id-staff", 2, unnamed).await.expect_version(3);
    assert_eq!(shown().await[0], member("1", "ada"));
}

async fn a_user_shows_its_groups(world: &World<'_>) {
    world.user("ada").await;
    world.group("staff", &["id-ada"]).await;
    world.group("empty", &[]).await;
    world.group("board", &["id-ada"]).await;
    let group_ref =
        |id: &str, display: &str| GroupRef { id: ResourceId::from_text(id), display: display.to_owned() };
    let expected = [group_ref("id-staff", "staff"), group_ref("id-board", "board")];
    assert_eq!(world.shown(USER, "id-ada").await.groups, expected);
    let page = world.page(&all(USER)).await;
    assert_eq!(page.resources[0].groups, expected);
    world.replace(GROUP, "id-staff", 1, group("Everyone", &["id-ada"])).await.expect_version(2);
    world.replace(GROUP, "id-board", 1, group("board", &[])).await.expect_version(2);
    let ada = world.shown(USER, "id-ada").await;
    assert_eq!((ada.groups, ada.version), (vec![group_ref("id-staff", "Everyone")], Version(1)));
}

async fn a_deleted_member_leaves_and_the_group_stays_as_it_is(world: &World<'_>) {
    world.user("a").await;
    world.user("b").await;
    world.group("staff", &["id-a", "id-b"]).await;
    world.delete(USER, "id-a", 1).await.expect_version(1);
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!((member_ids(&staff), staff.version), (vec!["id-b"], Version(1)));
    assert!(world.found(GROUP, r#"members eq "id-a""#).await.is_empty());
}

async fn a_deleted_group_lets_its_members_go(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    world.delete(GROUP, "id-staff", 1).await.expect_version(1);
    assert!(world.shown(USER, "id-a").await.groups.is_empty());
    world.group("staff", &[]).await;
    assert!(world.shown(GROUP, "id-staff").await.members.is_empty());
}

async fn groups_can_be_members(world: &World<'_>) {
    world.user("a").await;
    world.group("inner", &["id-a"]).await;
    world.group("outer", &["id-inner", "id-a"]).await;
    world.replace(USER, "id-a", 1, user("a")).await.expect_version(2);
    let outer = world.shown(GROUP, "id-outer").await;
    let kinds: Vec<ResourceKind> = outer.members.iter().map(|member| member.kind).collect();
    assert_eq!(kinds, [GROUP, USER]);
    world.replace(GROUP, "id-outer", 1, group("outer", &["id-inner"])).await.expect_version(2);
    assert!(world.shown(GROUP, "id-inner").await.groups.is_empty(), "only users show their groups");
    let groups = world.shown(USER, "id-a").await.groups;
    assert_eq!((groups.len(), groups[0].display.as_str()), (1, "inner"), "only direct groups show");
}

async fn lists_leave_members_out_unless_asked(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    for filter in [None, Some(parse(GROUP, r#"members eq "id-a""#)), Some(parse(GROUP, "displayName pr"))] {
        for with_members in [true, false] {
            let page = world.page(&Query { with_members, filter: filter.clone(), ..all(GROUP) }).await;
            assert_eq!(page.resources[0].members.len(), usize::from(with_members), "{filter:?}");
        }
    }
}

async fn keeping_a_group_keeps_its_members(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    let keep = record(&world.tenant, GROUP, "id-staff", ResourceWrite::Keep);
    ok(world.store.record(keep).await).expect_version(1);
    assert_eq!(world.shown(GROUP, "id-staff").await.members.len(), 1);
}

async fn a_large_group_grows_by_one(world: &World<'_>) {
    let names: Vec<String> = (0..600).map(|number| format!("id-{number}")).collect();
    let mut writes = Vec::new();
    for id in &names {
        let write = ResourceWrite::Create(resource(user(id)));
        writes.push(world.store.record(record(&world.tenant, USER, id, write)));
    }
    for write in writes {
        ok(write.await).expect_version(1);
    }
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    world.group("staff", &ids[..599]).await;
    world.replace(GROUP, "id-staff", 1, group("staff", &ids)).await.expect_version(2);
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!(member_ids(&staff), ids);
}
