//! The dispatcher against the simulated org: what calls it makes, and that nobody comes to grief in a crowd.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod world;

use std::time::Duration;

use salesforce_client::Cause;
use salesforce_sim::Fault;
use salesforce_types::{Fields, Manner, RecordId, References, Step, StepOutcome};
use script::{a_ticket, ticket_of};
use serde_json::{Value, json};
use world::{all_done, gists};

/// An org with seats for everybody, and a client of it.
struct World(world::World);

impl std::ops::Deref for World {
    type Target = world::World;

    fn deref(&self) -> &world::World {
        &self.0
    }
}

impl World {
    async fn start() -> Self {
        Self::with(Duration::ZERO, Duration::ZERO, 4).await
    }

    async fn with(latency: Duration, latency_per_record: Duration, max_in_flight: usize) -> Self {
        let world = world::World::with(latency, latency_per_record, max_in_flight).await;
        assert!(world.sim.handle().set_licence_total("Salesforce", 1_000_000));
        Self(world)
    }

    fn id(&self, object: &str, field: &str, value: &str) -> String {
        let found = self.sim.handle().records(object).into_iter().find(|record| record[field] == value);
        found.unwrap_or_else(|| panic!("no {object} {value}"))["Id"].as_str().unwrap().to_owned()
    }

    fn ids(&self, object: &str, kind: &str) -> Vec<String> {
        let all = self.sim.handle().records(object);
        let of_kind = all.iter().filter(|record| record["Type"] == kind);
        of_kind.map(|record| record["Id"].as_str().unwrap().to_owned()).collect()
    }

    /// A new user with three permission sets and two groups.
    fn joiner(&self, name: &str) -> Vec<Step> {
        let (sets, groups) = (self.ids("PermissionSet", "Regular"), self.ids("Group", "Regular"));
        let mut steps = vec![self.user(name, &[])];
        steps.extend(sets.iter().take(3).map(|id| grant(id)));
        steps.extend(groups.iter().take(2).map(|id| member(id)));
        steps
    }

    fn user(&self, name: &str, more: &[(&str, Value)]) -> Step {
        let username = format!("{name}@crowd.example");
        let mut fields: Fields = [
            ("Username", json!(username)),
            ("LastName", json!(name)),
            ("Email", json!(username)),
            ("Alias", json!("joiner")),
            ("TimeZoneSidKey", json!("GMT")),
            ("LocaleSidKey", json!("en_US")),
            ("EmailEncodingKey", json!("UTF-8")),
            ("LanguageLocaleKey", json!("en_US")),
            ("ProfileId", json!(self.id("Profile", "Name", "Standard User"))),
            ("IsActive", json!(true)),
        ]
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
        fields.extend(more.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
        Step::Create { object: "User".into(), fields, refers: References::new(), manner: Manner::default() }
    }

    fn username(&self, name: &str) -> Option<Value> {
        self.sim.handle().user(&format!("{name}@crowd.example")).map(|user| user["Id"].clone())
    }
}

fn step(object: &str, fields: &[(&str, &str)], refers: &[(&str, usize)]) -> Step {
    Step::Create {
        object: object.into(),
        fields: fields.iter().map(|(field, value)| ((*field).to_owned(), json!(value))).collect(),
        refers: refers.iter().map(|(field, step)| ((*field).to_owned(), *step)).collect(),
        manner: Manner::default(),
    }
}

fn grant(set: &str) -> Step {
    step("PermissionSetAssignment", &[("PermissionSetId", set)], &[("AssigneeId", 0)])
}

fn member(group: &str) -> Step {
    step("GroupMember", &[("GroupId", group)], &[("UserOrGroupId", 0)])
}

/// One that strikes the next call of the data API.
fn fault(kind: &str) -> Fault {
    world::fault(kind, "/data")
}

#[tokio::test]
async fn a_lone_joiner_with_all_his_grants_is_one_call() {
    let world = World::start().await;
    let role = world.id("UserRole", "Name", "Sales Manager");
    let mut steps = world.joiner("ada");
    steps[0] = world.user("ada", &[("UserRoleId", json!(role))]);
    let outcomes = world.org.act(&steps, &a_ticket(false)).await;
    assert!(all_done(&outcomes), "{outcomes:?}");
    assert_eq!(world.sim.handle().api_calls(), 1);
    let user = world.username("ada").unwrap();
    let members = world.sim.handle().records("GroupMember");
    assert_eq!(members.iter().filter(|member| member["UserOrGroupId"] == user).count(), 2);
}

#[tokio::test]
async fn a_thousand_joiners_in_line_take_a_few_calls() {
    let world = World::start().await;
    let all: Vec<_> = (0..1_000).map(|n| world.joiner(&format!("j{n}"))).collect();
    let outcomes = world.crowd(&all).await;
    assert!(outcomes.iter().all(|outcomes| all_done(outcomes)));
    let calls = world.sim.handle().api_calls();
    // The first calls are small, until it is known how fast the org is.
    assert!(calls <= 40, "{calls} calls for a thousand joiners");
    let accounts: f64 = world.org.accounts().iter().map(|account| account.calls).sum();
    let (accounts, total) = (accounts.round().to_string(), world.org.calls().total().to_string());
    assert_eq!(accounts, total, "every call is on somebody's account");
    assert!(world.org.calls().of(Cause::Grant) > 0);
}

/// Joiners with every kind of fault among them, and what becomes of each.
fn mixed(world: &World, prefix: &str) -> Vec<Vec<Step>> {
    let group = world.ids("Group", "Regular").remove(0);
    (0..60)
        .map(|n| {
            let name = format!("{prefix}{n}");
            let mut steps = world.joiner(&name);
            match n % 10 {
                0 => steps[0] = world.user(&name, &[("Alias", json!("far too long for an alias"))]),
                1 => steps[0] = world.user(&name, &[("Email", json!("no address"))]),
                2 => steps[1] = grant("0PS000000000000AAA"),
                3 => steps.push(member(&group)),
                4 => steps[0] = world.user(&name, &[("NoSuchField__c", json!("x"))]),
                5 => steps[0] = world.user(&name, &[("Title", json!("@{c0s0.id}"))]),
                6 => steps.insert(1, step("NoSuchObject__c", &[("Name", "x")], &[])),
                7 => steps[0] = world.user(&name, &[("LocaleSidKey", json!("tlh"))]),
                8 => steps.push(Step::Update {
                    object: "User".into(),
                    id: "005000000000001AAA".parse().unwrap(),
                    fields: [("Title".to_owned(), json!("Ghost"))].into_iter().collect(),
                    manner: Manner::default(),
                }),
                _ => {}
            }
            if n % 10 == 6 {
                for step in &mut steps[2..] {
                    if let Step::Create { refers, .. } = step {
                        refers.iter_mut().for_each(|(_, earlier)| *earlier = 0);
                    }
                }
            }
            steps
        })
        .collect()
}

#[tokio::test]
async fn lone_and_crowd_end_alike() {
    let world = World::start().await;
    let lone = gists(&world.each(&mixed(&world, "lone")).await);
    let crowd = gists(&world.crowd(&mixed(&world, "crowd")).await);
    for (n, (lone, crowd)) in lone.iter().zip(&crowd).enumerate() {
        assert_eq!(lone, crowd, "joiner {n}");
    }
    // A title that looks like a reference is a title.
    assert_eq!(world.sim.handle().user("crowd5@crowd.example").unwrap()["Title"], "@{c0s0.id}");
    assert_eq!(world.username("lone0"), None);
}

#[tokio::test]
async fn a_leaver_does_not_stand_behind_a_crowd() {
    // One slot, and every call takes a while: whoever waits in line waits long.
    let world = World::with(Duration::from_millis(100), Duration::from_millis(2), 1).await;
    let outcomes = world.org.act(&[world.user("leaver", &[])], &a_ticket(false)).await;
    let StepOutcome::Done { id } = &outcomes[0] else { panic!("{outcomes:?}") };
    let all: Vec<_> = (0..600).map(|n| vec![world.user(&format!("w{n}"), &[])]).collect();
    let crowd = world.crowd(&all);
    let fields = [("IsActive".to_owned(), json!(false))].into_iter().collect();
    let deactivate =
        [Step::Update { object: "User".into(), id: id.clone(), fields, manner: Manner::default() }];
    let leaver = async {
        // Behind everybody else in line.
        while world.org.waiting() < 300 {
            tokio::task::yield_now().await;
        }
        let outcomes = world.org.act(&deactivate, &ticket_of("acme/prod", "hr", "leaver", true)).await;
        (outcomes, world.org.waiting())
    };
    let (crowd, (outcomes, waiting)) = tokio::join!(crowd, leaver);
    assert!(all_done(&outcomes) && crowd.iter().all(|outcomes| all_done(outcomes)));
    assert!(waiting > 0, "the crowd still stood in line when the leaver was out");
}

#[tokio::test]
async fn one_tenants_crowd_lets_another_tenant_pass() {
    let world = World::with(Duration::from_millis(20), Duration::from_millis(1), 2).await;
    let all: Vec<_> = (0..3_000).map(|n| vec![world.user(&format!("t{n}"), &[])]).collect();
    let other = [world.user("other", &[])];
    let guest = async {
        while world.org.waiting() < 2_000 {
            tokio::task::yield_now().await;
        }
        let outcomes = world.org.act(&other, &ticket_of("other/prod", "okta", "1", false)).await;
        (outcomes, world.org.waiting())
    };
    let (_, (outcomes, waiting)) = tokio::join!(world.crowd(&all), guest);
    assert!(all_done(&outcomes));
    assert!(waiting > 0, "the crowd still stood in line when the other tenant's one was done");
}

#[tokio::test]
async fn one_call_at_a_time_has_group_and_role_steps() {
    let world = World::with(Duration::from_millis(10), Duration::from_millis(1), 5).await;
    let role = world.id("UserRole", "Name", "Sales Manager");
    let all: Vec<_> = (0..240)
        .map(|n| {
            let name = format!("g{n}");
            let mut steps = world.joiner(&name);
            if n % 3 == 0 {
                steps[0] = world.user(&name, &[("UserRoleId", json!(role))]);
            }
            steps
        })
        .collect();
    assert!(world.crowd(&all).await.iter().all(|outcomes| all_done(outcomes)));
    let calls = world.sim.handle().calls();
    assert_eq!(calls["sharing_locks"]["peak"], 1, "{calls}");
    assert!(calls["in_flight"]["peak"].as_u64() > Some(1), "the other steps did not wait for them: {calls}");
}

#[tokio::test]
async fn locked_rows_are_tried_again_and_alone() {
    let world = World::start().await;
    for _ in 0..5 {
        world.sim.handle().add_fault(fault("lock"));
    }
    let all: Vec<_> = (0..50).map(|n| world.joiner(&format!("l{n}"))).collect();
    let outcomes = world.crowd(&all).await;
    assert!(outcomes.iter().all(|outcomes| all_done(outcomes)));
    assert_eq!(world.sim.handle().count("User"), 2 + 50);
}

#[tokio::test]
async fn a_cut_call_leaves_the_end_of_just_its_changes_unknown() {
    let world = World::start().await;
    world.org.act(&[world.user("first", &[])], &a_ticket(false)).await;
    world.sim.handle().add_fault(fault("cut-after-commit"));
    let all: Vec<_> = (0..40).map(|n| vec![world.user(&format!("c{n}"), &[])]).collect();
    let outcomes = world.crowd(&all).await;
    let unknown = outcomes.iter().filter(|outcomes| matches!(outcomes[0], StepOutcome::Unknown { .. }));
    assert!((1..40).contains(&unknown.count()));
    assert!(outcomes.iter().all(|outcomes| !matches!(outcomes[0], StepOutcome::NotSent { .. })));
    assert_eq!(world.sim.handle().count("User"), 2 + 1 + 40, "nobody was sent twice");
}

#[tokio::test]
async fn an_expired_token_is_no_ones_trouble() {
    let world = World::start().await;
    world.org.act(&[world.user("first", &[])], &a_ticket(false)).await;
    assert!(world.sim.handle().expire_tokens() > 0);
    let all: Vec<_> = (0..50).map(|n| world.joiner(&format!("e{n}"))).collect();
    assert!(world.crowd(&all).await.iter().all(|outcomes| all_done(outcomes)));
    assert_eq!(world.org.calls().of(Cause::Token), 2, "one login for all");
}

#[tokio::test]
async fn who_withdraws_in_line_is_not_sent() {
    let world = World::with(Duration::from_millis(50), Duration::ZERO, 1).await;
    let all: Vec<_> = (0..30).map(|n| vec![world.user(&format!("x{n}"), &[])]).collect();
    let ticket = a_ticket(false);
    let mine = [world.user("withdrawn", &[])];
    let (crowd, outcomes, withdrawn) =
        tokio::join!(world.crowd(&all), world.org.act(&mine, &ticket), async { ticket.withdraw() });
    assert!(crowd.iter().all(|outcomes| all_done(outcomes)));
    assert!(withdrawn);
    assert!(matches!(outcomes.as_slice(), [StepOutcome::NotSent { .. }]));
    assert_eq!(world.username("withdrawn"), None);
}

#[tokio::test]
async fn what_is_deleted_already_is_as_good() {
    let world = World::start().await;
    let outcomes = world.org.act(&world.joiner("gone"), &a_ticket(false)).await;
    let ids: Vec<RecordId> = outcomes
        .iter()
        .skip(1)
        .map(|outcome| match outcome {
            StepOutcome::Done { id } => id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let delete: Vec<Step> = ids
        .iter()
        .zip(["PermissionSetAssignment"; 3].into_iter().chain(["GroupMember"; 2]))
        .map(|(id, object)| Step::Delete { object: object.into(), id: id.clone() })
        .collect();
    let outcomes = world.org.act(&delete, &a_ticket(true)).await;
    assert!(all_done(&outcomes), "{outcomes:?}");
    let are_gone =
        |outcomes: &[StepOutcome]| outcomes.iter().all(|outcome| matches!(outcome, StepOutcome::There));
    let again = world.org.act(&delete, &a_ticket(true)).await;
    assert!(are_gone(&again), "{again:?}");
    // The same in collections.
    let all: Vec<_> = (0..30).map(|_| delete.clone()).collect();
    assert!(world.crowd(&all).await.iter().all(|outcomes| are_gone(outcomes)));
}
