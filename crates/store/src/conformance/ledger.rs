//! What was given, by whom, and what became of it.

use salesforce_types::{
    Ask, AskedBy, Catalogue, EntitlementKind, EntitlementRef, Grant, GrantState, UserLicense,
};

use super::*;
use crate::{Ended, GrantWrite, Held};

suite![
    a_grant_is_told_in_full,
    grants_come_by_kind_then_id_then_org,
    two_users_in_one_org_have_rows_of_their_own,
    a_row_in_the_same_state_is_updated_and_keeps_its_since,
    a_row_in_another_state_ends_and_a_new_one_begins,
    ending_what_is_not_there_does_nothing,
    a_grant_that_comes_back_is_a_new_period,
    who_had_it_is_told_for_any_moment,
    who_only_asked_for_it_is_no_holder,
    holders_are_told_by_org_or_of_all_orgs,
    who_waits_is_told_the_longest_first,
    removing_an_identity_ends_its_grants_and_keeps_their_history,
    what_a_user_had_is_told_after_its_identity_was_removed,
    removing_a_group_ends_no_grants,
    a_stale_record_leaves_the_ledger,
    a_withdrawn_create_leaves_nothing_open,
    the_ledger_survives_the_process,
    the_ledgers_of_tenants_are_apart,
    a_catalogue_is_remembered_until_the_next,
];

const ADA: &str = "id-ada";
const SALES: &str = "0PS5f000000abcAGAQ";

fn set_of(id: &str) -> EntitlementRef {
    EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.to_owned() }
}

fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("an org")
}

/// A permission set in `acme-prod` that nobody asks for, in this state since then.
fn grant(id: &str, state: GrantState, second: i64) -> Grant {
    Grant {
        org: org("acme-prod"),
        target: target("staff"),
        of: set_of(id),
        name: "Sales_Ops".to_owned(),
        state,
        asked: Vec::new(),
        row: None,
        since: at(second),
        until: None,
        reason: None,
    }
}

/// The same in another org, through a target of its own.
fn of_org(name: &str, grant: Grant) -> Grant {
    Grant { org: org(name), target: target(name), ..grant }
}

fn ask(by: AskedBy, second: i64) -> Ask {
    Ask { by, client: client("okta"), change: ChangeId::from_text("c1"), since: at(second) }
}

fn end(id: &str, why: &str) -> GrantWrite {
    GrantWrite::End { target: target("staff"), of: set_of(id), why: why.to_owned() }
}

/// Writes to the ledger of a user who is there.
async fn write(world: &World<'_>, id: &str, second: i64, grants: Vec<GrantWrite>) {
    let keep = record(&world.tenant, USER, id, ResourceWrite::Keep);
    ok(world.store.record(Record { grants, at: at(second), ..keep }).await);
}

async fn grants(world: &World<'_>, id: &str) -> Vec<Grant> {
    ok(world.store.grants(&world.tenant, &ResourceId::from_text(id)).await)
}

async fn history(world: &World<'_>, id: &str, of: &str) -> Vec<Held> {
    ok(world.store.history(&world.tenant, &ResourceId::from_text(id), &set_of(of)).await)
}

async fn holders(world: &World<'_>, of: &str, second: Option<i64>) -> Vec<String> {
    let held = ok(world.store.holders(&world.tenant, None, &set_of(of), second.map(at)).await);
    held.into_iter().map(|held| held.identity.to_string()).collect()
}

async fn a_grant_is_told_in_full(world: &World<'_>) {
    world.user("ada").await;
    let granted = Grant {
        asked: vec![
            ask(AskedBy::Attribute, 1),
            ask(AskedBy::Group(ResourceId::from_text("g1")), 2),
            ask(AskedBy::Rule("sales".to_owned()), 3),
            ask(AskedBy::Default, 4),
        ],
        row: Some(RecordId::try_from("0Pa000000000001".to_owned()).expect("a record id")),
        until: Some(at(1_000)),
        reason: Some("LICENSE_LIMIT_EXCEEDED".to_owned()),
        ..grant(SALES, GrantState::Granted, 5)
    };
    write(world, ADA, 5, vec![GrantWrite::Set(granted.clone())]).await;
    assert_eq!(grants(world, ADA).await, std::slice::from_ref(&granted));
    let held = Held { identity: ResourceId::from_text(ADA), grant: granted, ended: None };
    assert_eq!(history(world, ADA, SALES).await, std::slice::from_ref(&held));
    assert_eq!(ok(world.store.holders(&world.tenant, None, &set_of(SALES), None).await), [held]);
}

async fn grants_come_by_kind_then_id_then_org(world: &World<'_>) {
    world.user("ada").await;
    let of = |kind, id: &str, org_name| {
        let of = EntitlementRef { kind, id: id.to_owned() };
        GrantWrite::Set(Grant { of, ..of_org(org_name, grant(id, GrantState::Found, 1)) })
    };
    let wrote = vec![
        of(EntitlementKind::Queue, "1", "acme-prod"),
        of(EntitlementKind::PermissionSet, "2", "acme-prod"),
        of(EntitlementKind::PermissionSet, "1", "acme-prod"),
        of(EntitlementKind::PermissionSet, "1", "acme-emea"),
        of(EntitlementKind::Profile, "3", "acme-prod"),
    ];
    write(world, ADA, 1, wrote).await;
    let told = grants(world, ADA).await.into_iter().map(|grant| format!("{} {}", grant.of, grant.org));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "profile:3 acme-prod",
            "permission-set:1 acme-emea",
            "permission-set:1 acme-prod",
            "permission-set:2 acme-prod",
            "queue:1 acme-prod"
        ]
    );
}

async fn two_users_in_one_org_have_rows_of_their_own(world: &World<'_>) {
    world.user("ada").await;
    let employee = grant(SALES, GrantState::Stripped, 1);
    let customer = Grant { target: target("customers"), ..grant(SALES, GrantState::Granted, 2) };
    write(world, ADA, 1, vec![GrantWrite::Set(employee.clone())]).await;
    write(world, ADA, 2, vec![GrantWrite::Set(customer.clone())]).await;
    assert_eq!(grants(world, ADA).await, [customer.clone(), employee]);
    write(world, ADA, 3, vec![end(SALES, "the employee left")]).await;
    assert_eq!(grants(world, ADA).await, [customer]);
}

async fn a_row_in_the_same_state_is_updated_and_keeps_its_since(world: &World<'_>) {
    world.user("ada").await;
    let first = grant(SALES, GrantState::Granted, 1);
    write(world, ADA, 1, vec![GrantWrite::Set(first)]).await;
    let second = Grant { asked: vec![ask(AskedBy::Attribute, 9)], ..grant(SALES, GrantState::Granted, 9) };
    write(world, ADA, 9, vec![GrantWrite::Set(second.clone())]).await;
    assert_eq!(grants(world, ADA).await, [Grant { since: at(1), ..second }]);
    assert_eq!(history(world, ADA, SALES).await.len(), 1);
}

async fn a_row_in_another_state_ends_and_a_new_one_begins(world: &World<'_>) {
    world.user("ada").await;
    let refused = grant(SALES, GrantState::Refused, 1);
    write(world, ADA, 1, vec![GrantWrite::Set(refused.clone())]).await;
    world.open(change("c2", &world.tenant, ADA)).await;
    let granted = grant(SALES, GrantState::Granted, 4);
    let keep = Record {
        change: Some(ChangeId::from_text("c2")),
        grants: vec![GrantWrite::Set(granted.clone())],
        at: at(4),
        ..record(&world.tenant, USER, ADA, ResourceWrite::Keep)
    };
    ok(world.store.record(keep).await);
    let ended = Ended {
        at: at(4),
        why: "it is granted now".to_owned(),
        client: client("okta"),
        change: Some(ChangeId::from_text("c2")),
    };
    let identity = || ResourceId::from_text(ADA);
    assert_eq!(
        history(world, ADA, SALES).await,
        [
            Held { identity: identity(), grant: refused, ended: Some(ended) },
            Held { identity: identity(), grant: granted.clone(), ended: None },
        ]
    );
    assert_eq!(grants(world, ADA).await, [granted]);
}

async fn ending_what_is_not_there_does_nothing(world: &World<'_>) {
    world.user("ada").await;
    write(world, ADA, 1, vec![end(SALES, "nobody asks for it")]).await;
    assert!(history(world, ADA, SALES).await.is_empty());
    write(world, ADA, 2, vec![GrantWrite::Set(grant(SALES, GrantState::Granted, 2))]).await;
    let elsewhere = GrantWrite::End { target: target("customers"), of: set_of(SALES), why: String::new() };
    write(world, ADA, 3, vec![elsewhere, end("another", "")]).await;
    assert_eq!(grants(world, ADA).await.len(), 1);
    write(world, ADA, 4, vec![end(SALES, "nobody asks for it"), end(SALES, "twice")]).await;
    assert!(grants(world, ADA).await.is_empty());
    let ended = history(world, ADA, SALES).await[0].ended.clone().expect("it has ended");
    assert_eq!((ended.at, ended.why.as_str(), ended.change), (at(4), "nobody asks for it", None));
}

async fn a_grant_that_comes_back_is_a_new_period(world: &World<'_>) {
    world.user("ada").await;
    for (second, write_it) in [
        (1, GrantWrite::Set(grant(SALES, GrantState::Granted, 1))),
        (3, end(SALES, "")),
        (5, GrantWrite::Set(grant(SALES, GrantState::Granted, 5))),
    ] {
        write(world, ADA, second, vec![write_it]).await;
    }
    let periods = history(world, ADA, SALES).await;
    let periods = periods.iter().map(|held| (held.grant.since, held.ended.as_ref().map(|ended| ended.at)));
    assert_eq!(periods.collect::<Vec<_>>(), [(at(1), Some(at(3))), (at(5), None)]);
}

async fn who_had_it_is_told_for_any_moment(world: &World<'_>) {
    for (name, from) in [("ada", 2), ("grace", 1)] {
        world.user(name).await;
        let granted = GrantWrite::Set(grant(SALES, GrantState::Granted, from));
        write(world, &format!("id-{name}"), from, vec![granted]).await;
    }
    write(world, ADA, 4, vec![end(SALES, "")]).await;
    let told = [(0, vec![]), (1, vec!["id-grace"]), (2, vec!["id-grace", ADA]), (3, vec!["id-grace", ADA])];
    for (second, expected) in told.into_iter().chain([(4, vec!["id-grace"]), (99, vec!["id-grace"])]) {
        assert_eq!(holders(world, SALES, Some(second)).await, expected, "at {second}");
    }
    assert_eq!(holders(world, SALES, None).await, ["id-grace"]);
    assert!(holders(world, "another", None).await.is_empty());
}

async fn who_only_asked_for_it_is_no_holder(world: &World<'_>) {
    world.user("ada").await;
    let states = [GrantState::Waiting, GrantState::Found, GrantState::Refused, GrantState::Stripped];
    for (second, state) in (1..).zip(states) {
        write(world, ADA, second, vec![GrantWrite::Set(grant(SALES, state, second))]).await;
    }
    for (second, expected) in [(1, vec![]), (2, vec![ADA]), (3, vec![]), (4, vec![])] {
        assert_eq!(holders(world, SALES, Some(second)).await, expected, "at {second}");
    }
    assert!(holders(world, SALES, None).await.is_empty());
}

async fn holders_are_told_by_org_or_of_all_orgs(world: &World<'_>) {
    world.user("ada").await;
    let of = |name| of_org(name, grant(SALES, GrantState::Granted, 1));
    write(world, ADA, 1, vec![GrantWrite::Set(of("acme-prod")), GrantWrite::Set(of("acme-emea"))]).await;
    let told = async |name: Option<&str>| {
        let name = name.map(org);
        let held = ok(world.store.holders(&world.tenant, name.as_ref(), &set_of(SALES), None).await);
        held.into_iter().map(|held| held.grant.org.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(None).await, ["acme-prod", "acme-emea"]);
    assert_eq!(told(Some("acme-emea")).await, ["acme-emea"]);
    assert!(told(Some("acme-test")).await.is_empty());
}

async fn who_waits_is_told_the_longest_first(world: &World<'_>) {
    for (name, since) in [("ada", 3), ("grace", 1), ("mary", 2)] {
        world.user(name).await;
        let waits = GrantWrite::Set(grant(SALES, GrantState::Waiting, since));
        let has = GrantWrite::Set(grant("another", GrantState::Granted, since));
        write(world, &format!("id-{name}"), since, vec![waits, has]).await;
    }
    let told = async |state, limit| {
        let held = ok(world.store.in_state(&world.tenant, state, limit).await);
        held.into_iter().map(|held| held.identity.to_string()).collect::<Vec<_>>()
    };
    let longest_first = ["id-grace", "id-mary", ADA];
    assert_eq!(told(GrantState::Waiting, 10).await, longest_first);
    assert_eq!(told(GrantState::Granted, 10).await, longest_first);
    assert_eq!(told(GrantState::Waiting, 2).await, ["id-grace", "id-mary"]);
    assert!(told(GrantState::Refused, 10).await.is_empty());
    write(world, "id-grace", 9, vec![GrantWrite::Set(grant(SALES, GrantState::Granted, 9))]).await;
    assert_eq!(told(GrantState::Waiting, 10).await, ["id-mary", ADA]);
}

async fn removing_an_identity_ends_its_grants_and_keeps_their_history(world: &World<'_>) {
    world.user("ada").await;
    let both = [grant(SALES, GrantState::Granted, 1), grant("another", GrantState::Waiting, 1)];
    write(world, ADA, 1, both.map(GrantWrite::Set).to_vec()).await;
    let delete = record(&world.tenant, USER, ADA, ResourceWrite::Delete { expected: Version(1) });
    let grants_too = vec![end("another", "nobody asks for it")];
    ok(world.store.record(Record { grants: grants_too, at: at(3), ..delete }).await).expect_version(1);
    assert!(grants(world, ADA).await.is_empty());
    assert_eq!(holders(world, SALES, Some(2)).await, [ADA]);
    assert!(holders(world, SALES, Some(3)).await.is_empty());
    let why = async |of| history(world, ADA, of).await[0].ended.clone().expect("it has ended").why;
    assert_eq!(why(SALES).await, "the identity was removed");
    assert_eq!(why("another").await, "nobody asks for it");
}

async fn what_a_user_had_is_told_after_its_identity_was_removed(world: &World<'_>) {
    world.user("ada").await;
    let acme = org("acme-prod");
    let former = async |number| ok(world.store.former_grants(&world.tenant, &acme, &record_id(number)).await);
    let keep = record(&world.tenant, USER, ADA, ResourceWrite::Keep);
    let sales = grant(SALES, GrantState::Granted, 1);
    let others = Grant { target: target("partners"), ..sales.clone() };
    let grants = [sales.clone(), grant("another", GrantState::Granted, 1), others.clone()];
    let grants = [grants.as_slice(), &[grant("refused", GrantState::Refused, 1)]].concat();
    let links = vec![set("staff", 7), set("partners", 8)];
    let grants = grants.into_iter().map(GrantWrite::Set).collect();
    ok(world.store.record(Record { grants, links, at: at(1), ..keep }).await);
    assert_eq!(former(7).await, [], "it is of somebody");
    let delete = record(&world.tenant, USER, ADA, ResourceWrite::Delete { expected: Version(1) });
    let ends = vec![end("another", "it was stripped")];
    ok(world.store.record(Record { grants: ends, at: at(3), ..delete }).await).expect_version(1);
    assert_eq!(former(7).await, [sales], "what it had then, in its own org and through its own target");
    assert_eq!(former(8).await, [others]);
    assert_eq!(former(9).await, []);
    let elsewhere = world.store.former_grants(&world.tenant, &org("acme-test"), &record_id(7)).await;
    assert_eq!(ok(elsewhere), []);
    // It is told until the User is somebody's again.
    world.user("grace").await;
    let keep = record(&world.tenant, USER, "id-grace", ResourceWrite::Keep);
    ok(world.store.record(Record { links: vec![set("staff", 7)], at: at(4), ..keep }).await);
    assert_eq!((former(7).await.len(), former(8).await.len()), (0, 1));
}

async fn removing_a_group_ends_no_grants(world: &World<'_>) {
    world.user("ada").await;
    world.group("sales", &[ADA]).await;
    write(world, ADA, 1, vec![GrantWrite::Set(grant(SALES, GrantState::Granted, 1))]).await;
    world.delete(GROUP, "id-sales", 1).await.expect_version(1);
    assert_eq!(holders(world, SALES, None).await, [ADA]);
}

async fn a_stale_record_leaves_the_ledger(world: &World<'_>) {
    world.user("ada").await;
    let write = ResourceWrite::Replace { expected: Version(7), body: resource(user("ada")) };
    let grants_too = vec![GrantWrite::Set(grant(SALES, GrantState::Granted, 1))];
    let stale = Record { grants: grants_too, ..record(&world.tenant, USER, ADA, write) };
    assert_eq!(ok(world.store.record(stale).await), Recorded::Stale);
    assert!(history(world, ADA, SALES).await.is_empty());
}

async fn a_withdrawn_create_leaves_nothing_open(world: &World<'_>) {
    world.open(joiner("c1", &world.tenant, ADA, "ada")).await;
    write(world, ADA, 1, vec![GrantWrite::Set(grant(SALES, GrantState::Refused, 1))]).await;
    ok(world.store.withdraw(&ChangeId::from_text("c1"), outcome("withdrawn"), true, at(2)).await);
    assert!(grants(world, ADA).await.is_empty());
    assert_eq!(history(world, ADA, SALES).await.len(), 1);
}

async fn the_ledger_survives_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    let create = record(&world.tenant, USER, ADA, ResourceWrite::Create(resource(user("ada"))));
    let granted = grant(SALES, GrantState::Granted, 1);
    ok(store.record(Record { grants: vec![GrantWrite::Set(granted.clone())], ..create }).await);
    let store = world.backend.reopen(store).await;
    assert_eq!(ok(store.grants(&world.tenant, &ResourceId::from_text(ADA)).await), [granted]);
}

async fn the_ledgers_of_tenants_are_apart(world: &World<'_>) {
    world.user("ada").await;
    write(world, ADA, 1, vec![GrantWrite::Set(grant(SALES, GrantState::Waiting, 1))]).await;
    let (other, ada) = (tenant("acme/test"), ResourceId::from_text(ADA));
    assert!(ok(world.store.grants(&other, &ada).await).is_empty());
    assert!(ok(world.store.history(&other, &ada, &set_of(SALES)).await).is_empty());
    assert!(ok(world.store.holders(&other, None, &set_of(SALES), None).await).is_empty());
    assert!(ok(world.store.in_state(&other, GrantState::Waiting, 9).await).is_empty());
}

async fn a_catalogue_is_remembered_until_the_next(world: &World<'_>) {
    let prod = org("acme-prod");
    assert_eq!(ok(world.store.catalogue(&prod).await), None);
    let license = |name: &&str| UserLicense {
        id: record_id(1),
        name: (*name).to_owned(),
        key: "SFDC".to_owned(),
        seats: salesforce_types::Seats { used: 1, total: Some(2) },
    };
    let offers = |licenses: &[&str]| Catalogue::new(Vec::new(), licenses.iter().map(license).collect());
    for (second, licenses) in [(1, &["Salesforce", "Chatter"] as &[&str]), (2, &["Salesforce"])] {
        ok(world.store.remember_catalogue(&prod, &offers(licenses), at(second)).await);
        assert_eq!(ok(world.store.catalogue(&prod).await), Some((offers(licenses), at(second))));
    }
    assert_eq!(ok(world.store.catalogue(&org("acme-emea")).await), None);
}
