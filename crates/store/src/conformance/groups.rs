//! Groups, their members, and the groups of a User.

use salesforce_types::{EntitlementKind, EntitlementRef, StandsFor};

use super::*;
use crate::{GroupRef, Member, MembershipWrite};

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
    an_identity_joins_and_leaves_a_group_and_its_version_stays,
    joining_twice_and_leaving_what_one_is_not_in_change_nothing,
    a_revised_group_keeps_its_members,
    groups_are_called_otherwise_together_or_not_at_all,
    what_a_group_stands_for_is_told_with_it,
    a_group_that_is_pending_stands_for_nothing_yet,
    what_cannot_be_what_a_group_stands_for_is_refused,
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
    let group_ref = |id: &str, display: &str| GroupRef {
        id: ResourceId::from_text(id),
        display: display.to_owned(),
        stands_for: None,
    };
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

/// Lets a user join or leave groups.
async fn write_memberships(world: &World<'_>, id: &str, memberships: Vec<MembershipWrite>) {
    let keep = record(&world.tenant, USER, id, ResourceWrite::Keep);
    ok(world.store.record(Record { memberships, ..keep }).await).expect_version(1);
}

fn membership(group: &str, joins: bool, display: Option<&str>) -> MembershipWrite {
    let group = ResourceId::from_text(group);
    MembershipWrite { group, joins, display: display.map(str::to_owned) }
}

async fn an_identity_joins_and_leaves_a_group_and_its_version_stays(world: &World<'_>) {
    for name in ["a", "b", "c"] {
        world.user(name).await;
    }
    world.group("staff", &["id-b", "id-a"]).await;
    world.group("board", &["id-c"]).await;
    write_memberships(
        world,
        "id-c",
        vec![membership("id-staff", true, None), membership("id-board", false, None)],
    )
    .await;
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!((member_ids(&staff), staff.version), (vec!["id-b", "id-a", "id-c"], Version(1)));
    assert!(world.shown(GROUP, "id-board").await.members.is_empty());
    assert_eq!(world.shown(USER, "id-c").await.groups.len(), 1);
    // Somebody who is only made now can join in the same moment.
    let create = record(&world.tenant, USER, "id-d", ResourceWrite::Create(resource(user("d"))));
    let joins = vec![membership("id-staff", true, Some("Dee")), membership("id-nothing", true, None)];
    ok(world.store.record(Record { memberships: joins, ..create }).await).expect_version(1);
    let last = world.shown(GROUP, "id-staff").await.members.pop().expect("members");
    assert_eq!(
        (last.id.as_str(), last.display.as_deref(), last.display_as_sent),
        ("id-d", Some("Dee"), true)
    );
}

async fn joining_twice_and_leaving_what_one_is_not_in_change_nothing(world: &World<'_>) {
    world.user("a").await;
    world.user("b").await;
    world.group("staff", &["id-a", "id-b"]).await;
    let joins = |display| vec![membership("id-staff", true, display)];
    for (write, shown) in
        [(joins(None), "a"), (joins(Some("Ada")), "Ada"), (joins(None), "Ada"), (joins(Some("A.")), "A.")]
    {
        write_memberships(world, "id-a", write).await;
        let members = world.shown(GROUP, "id-staff").await.members;
        assert_eq!((members.len(), members[0].display.as_deref()), (2, Some(shown)));
    }
    let leaves = || vec![membership("id-staff", false, None)];
    write_memberships(world, "id-a", leaves()).await;
    write_memberships(world, "id-a", leaves()).await;
    assert_eq!(member_ids(&world.shown(GROUP, "id-staff").await), ["id-b"]);
}

async fn a_revised_group_keeps_its_members(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    let revise = async |expected| {
        let write = ResourceWrite::Revise { expected: Version(expected), body: resource(group("crew", &[])) };
        ok(world.store.record(record(&world.tenant, GROUP, "id-staff", write)).await)
    };
    assert_eq!(revise(7).await, Recorded::Stale);
    revise(1).await.expect_version(2);
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!((member_ids(&staff), staff.version), (vec!["id-a"], Version(2)));
    assert_eq!(body(&staff)["displayName"], "crew");
    assert_eq!(world.found(GROUP, r#"displayName eq "crew""#).await, ["id-staff"]);
}

async fn groups_are_called_otherwise_together_or_not_at_all(world: &World<'_>) {
    world.user("a").await;
    world.group("staff", &["id-a"]).await;
    world.group("crew", &["id-a"]).await;
    let swap = |of_staff, of_crew| {
        let revise = |id: &str, name, expected| {
            let body = resource(group(name, &[]));
            let write = ResourceWrite::Revise { expected: Version(expected), body };
            record(&world.tenant, GROUP, id, write)
        };
        vec![revise("id-staff", "crew", of_staff), revise("id-crew", "staff", of_crew)]
    };
    assert!(!ok(world.store.record_together(swap(1, 7)).await), "one is stale");
    let staff = world.shown(GROUP, "id-staff").await;
    assert_eq!((body(&staff)["displayName"].clone(), staff.version), (json!("staff"), Version(1)));
    assert!(ok(world.store.record_together(swap(1, 1)).await));
    assert_eq!(world.found(GROUP, r#"displayName eq "crew""#).await, ["id-staff"]);
    assert_eq!(world.found(GROUP, r#"displayName eq "staff""#).await, ["id-crew"]);
    let names = world.shown(USER, "id-a").await.groups;
    let names: Vec<&str> = names.iter().map(|group| group.display.as_str()).collect();
    assert_eq!(names, ["crew", "staff"]);
}

/// A Group whose members have a permission set.
fn standing(name: &str, members: &[&str], id: &str) -> Value {
    let mut body = group(name, members);
    body[schema::GANGWAY_GROUP_URN] =
        json!({ "standsFor": { "org": "acme-prod", "kind": "permission-set", "id": id } });
    body
}

fn stands_for(id: &str) -> StandsFor {
    let of = EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.to_owned() };
    StandsFor { org: OrgName::new("acme-prod").expect("an org"), of }
}

async fn what_a_group_stands_for_is_told_with_it(world: &World<'_>) {
    world.user("a").await;
    world.create(GROUP, "g1", standing("Sales", &["id-a"], "1")).await.expect_version(1);
    world.group("plain", &["id-a"]).await;
    world.create(GROUP, "g2", standing("Service", &[], "2")).await.expect_version(1);
    assert_eq!(world.shown(GROUP, "g1").await.stands_for, Some(stands_for("1")));
    assert_eq!(world.shown(GROUP, "id-plain").await.stands_for, None);
    let groups = world.shown(USER, "id-a").await.groups;
    assert_eq!(
        groups.into_iter().map(|group| group.stands_for).collect::<Vec<_>>(),
        [Some(stands_for("1")), None]
    );
    let all = async || ok(world.store.groups_standing(&world.tenant).await);
    let entry = |id: &str, display: &str, of| (ResourceId::from_text(id), display.to_owned(), stands_for(of));
    assert_eq!(all().await, [entry("g1", "Sales", "1"), entry("g2", "Service", "2")]);
    world.replace(GROUP, "g1", 1, standing("Sales", &[], "3")).await.expect_version(2);
    world.replace(GROUP, "g2", 1, group("Service", &[])).await.expect_version(2);
    assert_eq!(all().await, [entry("g1", "Sales", "3")]);
    assert_eq!(world.shown(GROUP, "g2").await.stands_for, None);
    world.delete(GROUP, "g1", 2).await.expect_version(2);
    assert!(all().await.is_empty());
    assert!(ok(world.store.groups_standing(&tenant("no/body")).await).is_empty());
}

async fn a_group_that_is_pending_stands_for_nothing_yet(world: &World<'_>) {
    let reserve = Some(resource(standing("Sales", &[], "1")));
    world.open(NewChange { kind: GROUP, reserve, ..change("c1", &world.tenant, "g1") }).await;
    assert!(ok(world.store.groups_standing(&world.tenant).await).is_empty());
}

async fn what_cannot_be_what_a_group_stands_for_is_refused(world: &World<'_>) {
    let mut body = group("Sales", &[]);
    body[schema::GANGWAY_GROUP_URN] =
        json!({ "standsFor": { "org": "acme-prod", "kind": "car", "id": "1" } });
    let write = ResourceWrite::Create(resource(body));
    let refused = world.store.record(record(&world.tenant, GROUP, "g1", write)).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { table: "resources", .. })), "{refused:?}");
    assert_eq!(world.get(GROUP, "g1").await, None);
}
