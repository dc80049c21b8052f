//! Locking Users out, against the simulated org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod world;

use std::collections::HashSet;

use salesforce_client::{CallError, Purpose};
use salesforce_types::{Manner, RecordId, Step, StepOutcome};
use script::a_ticket;
use serde_json::{Value, json};
use world::{World, all_done, done, fault, gist, gists};

fn freeze(user: &RecordId) -> Step {
    Step::Freeze { user: user.clone(), frozen: true }
}

fn deactivate(user: &RecordId) -> Step {
    let fields = [("IsActive".to_owned(), json!(false))].into_iter().collect();
    Step::Update { object: "User".into(), id: user.clone(), fields, manner: Manner::default() }
}

fn user(world: &World, name: &str) -> RecordId {
    world.sim.handle().user(name).unwrap()["Id"].as_str().unwrap().parse().unwrap()
}

fn is_frozen(world: &World, user: &RecordId) -> bool {
    let logins = world.sim.handle().records("UserLogin");
    logins.iter().any(|login| login["UserId"] == user.as_str() && login["IsFrozen"] == Value::Bool(true))
}

fn is_active(world: &World, user: &RecordId) -> bool {
    world.record("User", user)["IsActive"] == Value::Bool(true)
}

/// The permission set rows and memberships of a User, taken away.
fn strip(world: &World, user: &RecordId) -> Vec<Step> {
    [("PermissionSetAssignment", "AssigneeId"), ("GroupMember", "UserOrGroupId")]
        .into_iter()
        .flat_map(|(object, field)| {
            let rows = world.sim.handle().records(object).into_iter();
            let own = rows.filter(move |row| row[field] == user.as_str());
            own.map(move |row| Step::Delete {
                object: object.into(),
                id: row["Id"].as_str().unwrap().parse().unwrap(),
            })
        })
        .collect()
}

const ORG: &str = r#"
[[users]]
username = "ada@example.com"
profile = "Standard User"

[[users]]
username = "never-active@example.com"
profile = "Standard User"
login-row = false
"#;

#[tokio::test]
async fn one_call_locks_a_user_out_and_one_lets_it_in_again() {
    let world = World::from_file("freeze", ORG).await;
    let ada = user(&world, "ada@example.com");
    let outcome = world.org.act(&[freeze(&ada)], &a_ticket(true)).await;
    assert_eq!(done(&outcome[0]).prefix(), "0Yw", "the record that was changed is the login's");
    assert!(is_frozen(&world, &ada));
    let back = Step::Freeze { user: ada.clone(), frozen: false };
    assert!(all_done(&world.org.act(&[back], &a_ticket(false)).await));
    assert!(!is_frozen(&world, &ada));
    assert_eq!(world.sim.handle().api_calls(), 2);
}

#[tokio::test]
async fn a_leaver_is_frozen_stripped_and_deactivated_in_one_call() {
    let world = World::from_file(
        "leaver",
        "[[users]]\nusername = \"ada@example.com\"\nprofile = \"Standard User\"\n\
         permission-sets = [\"Sales_Basics\", \"Report_Export\"]\ngroups = [\"EMEA Sales\"]",
    )
    .await;
    let ada = user(&world, "ada@example.com");
    let own_set = |step: &Step| {
        let Step::Delete { id, .. } = step else { return true };
        let rows = world.records("PermissionSetAssignment");
        let Some(row) = rows.get(id) else { return true };
        let sets = world.sim.handle().records("PermissionSet");
        !sets.iter().any(|set| set["Id"] == row["PermissionSetId"] && set["IsOwnedByProfile"] == true)
    };
    let mut steps = vec![freeze(&ada)];
    steps.extend(strip(&world, &ada).into_iter().filter(own_set));
    steps.push(deactivate(&ada));
    assert_eq!(steps.len(), 5);
    assert!(all_done(&world.org.act(&steps, &a_ticket(true)).await));
    assert_eq!(world.sim.handle().api_calls(), 1);
    assert!(is_frozen(&world, &ada) && !is_active(&world, &ada));
    assert_eq!(world.sim.handle().grants("ada@example.com").unwrap().groups.len(), 0);
}

#[tokio::test]
async fn who_has_no_login_record_cannot_be_frozen_and_is_deactivated_all_the_same() {
    let world = World::from_file("no-login", ORG).await;
    let nobody = user(&world, "never-active@example.com");
    let outcomes = world.org.act(&[freeze(&nobody), deactivate(&nobody)], &a_ticket(true)).await;
    assert!(matches!(&outcomes[0], StepOutcome::Refused(refusal)
        if refusal.code == "NOT_FOUND" && refusal.message.contains("UserLogin")));
    assert!(matches!(&outcomes[1], StepOutcome::Done { .. }));
    assert!(!is_active(&world, &nobody));
    assert_eq!(world.sim.handle().api_calls(), 1);
}

/// The login record says who has done it, even when the call is cut.
#[tokio::test]
async fn whom_somebody_else_has_frozen_is_not_written_to() {
    let world = World::from_file("frozen-before", &ORG.replacen("\n\n", "\nfrozen = true\n\n", 1)).await;
    let ada = user(&world, "ada@example.com");
    let login = || {
        let logins = world.sim.handle().records("UserLogin").into_iter();
        logins.map(Value::from).find(|login| login["UserId"] == ada.as_str()).unwrap()
    };
    let before = login();
    assert_eq!(before["IsFrozen"], true);
    let outcomes = world.org.act(&[freeze(&ada), deactivate(&ada)], &a_ticket(true)).await;
    assert_eq!(outcomes[0], StepOutcome::There);
    assert!(matches!(&outcomes[1], StepOutcome::Done { .. }));
    assert_eq!(login(), before);
    assert_eq!(world.sim.handle().api_calls(), 1);
}

#[tokio::test]
async fn what_salesforce_refuses_comes_back_in_its_own_words() {
    let world = World::from_file("self", ORG).await;
    let integration = user(&world, "integration@harbour-lights.example");
    let ada = user(&world, "ada@example.com");
    let outcomes = world.org.act(&[freeze(&integration), freeze(&ada)], &a_ticket(true)).await;
    assert!(gist(&outcomes[0]).starts_with("CANNOT_FREEZE_SELF"), "{outcomes:?}");
    assert!(matches!(&outcomes[1], StepOutcome::Done { .. }));
    let blind = World::from_file(
        "blind",
        &format!("{ORG}\n[[profiles]]\nname = \"Clerk\"\nlicence = \"Salesforce\"\n\
            permissions = [\"ApiEnabled\", \"ManageInternalUsers\"]\n\
            [[users]]\nusername = \"clerk@example.com\"\nprofile = \"Clerk\"\n[org]\nrun-as = \"clerk@example.com\""),
    )
    .await;
    let ada = user(&blind, "ada@example.com");
    let outcomes = blind.org.act(&[freeze(&ada), deactivate(&ada)], &a_ticket(true)).await;
    assert!(
        gist(&outcomes[0]).starts_with("NOT_FOUND"),
        "without Manage Users no login is seen: {outcomes:?}"
    );
    assert!(!is_frozen(&blind, &ada) && !is_active(&blind, &ada));
}

#[tokio::test]
async fn a_locked_login_is_tried_again() {
    let world = World::from_file("locked-login", ORG).await;
    world.sim.handle().add_fault(fault("lock", "/data"));
    let ada = user(&world, "ada@example.com");
    assert!(all_done(&world.org.act(&[freeze(&ada), deactivate(&ada)], &a_ticket(true)).await));
    assert!(is_frozen(&world, &ada) && !is_active(&world, &ada));
}

#[tokio::test]
async fn a_cut_call_leaves_the_end_unknown_and_nothing_else_is_sent() {
    let world = World::from_file("cut-login", ORG).await;
    world.sim.handle().add_fault(fault("cut-after-commit", "/data"));
    let ada = user(&world, "ada@example.com");
    let outcomes = world.org.act(&[freeze(&ada), deactivate(&ada)], &a_ticket(true)).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, StepOutcome::Unknown { .. })), "{outcomes:?}");
    assert_eq!(world.sim.handle().api_calls(), 1);
}

/// Leavers with everything that may go wrong among them.
fn leavers(world: &World, prefix: &str) -> Vec<Vec<Step>> {
    let of = |number: usize| user(world, &format!("{prefix}{number}@example.com"));
    let gone: RecordId = "005000000000001AAA".parse().unwrap();
    (0..40)
        .map(|n| match n % 8 {
            0 => vec![freeze(&of(n))],
            1 => vec![freeze(&gone), deactivate(&gone)],
            2 => vec![deactivate(&of(n)), freeze(&of(n))],
            3 => vec![Step::Freeze { user: of(n), frozen: false }],
            _ => vec![freeze(&of(n)), deactivate(&of(n))],
        })
        .collect()
}

fn crowd_file() -> String {
    let people = ["lone", "crowd"].into_iter().flat_map(|prefix| (0..40).map(move |n| (prefix, n)));
    let sections = people.map(|(prefix, n)| {
        let (name, login_row) = (format!("{prefix}{n}@example.com"), n % 8 != 6);
        format!("[[users]]\nusername = \"{name}\"\nprofile = \"Standard User\"\nlogin-row = {login_row}\n")
    });
    sections.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn lone_leavers_and_a_crowd_end_alike() {
    let world = World::from_file("leavers", &crowd_file()).await;
    let lone = gists(&world.each(&leavers(&world, "lone")).await);
    assert_eq!(world.sim.handle().api_calls(), 40);
    world.sim.handle().forget_calls();
    let crowd = gists(&world.crowd(&leavers(&world, "crowd")).await);
    for (n, (lone, crowd)) in lone.iter().zip(&crowd).enumerate() {
        assert_eq!(lone, crowd, "leaver {n}");
    }
    let calls = world.sim.handle().api_calls();
    assert!(calls <= 20, "{calls} calls for forty leavers, some of whom are asked about twice");
    for n in 0..40 {
        let states = ["lone", "crowd"].map(|prefix| {
            let id = user(&world, &format!("{prefix}{n}@example.com"));
            (is_frozen(&world, &id), is_active(&world, &id))
        });
        assert_eq!(states[0], states[1], "leaver {n}");
    }
}

#[tokio::test]
async fn two_hundred_leavers_take_a_few_calls() {
    let world = World::from_file("two-hundred-leavers", "[generate]\nusers = 200\n").await;
    let integration = user(&world, "integration@harbour-lights.example");
    let admin = user(&world, "admin@harbour-lights.example");
    let users = world.records("User").into_keys().filter(|user| *user != integration && *user != admin);
    let users: Vec<RecordId> = users.collect();
    let all: Vec<Vec<Step>> = users.iter().map(|user| vec![freeze(user), deactivate(user)]).collect();
    let outcomes = world.crowd(&all).await;
    assert!(outcomes.iter().all(|outcomes| all_done(outcomes)));
    let calls = world.sim.handle().api_calls();
    // 12 to 16: the crowd leaves with whichever call is next, and a busy machine ends calls in another order.
    assert!(calls <= 25, "{calls} calls for two hundred leavers");
    let (logins, records) = (world.sim.handle().records("UserLogin"), world.records("User"));
    let frozen: HashSet<&str> = logins
        .iter()
        .filter(|login| login["IsFrozen"] == true)
        .filter_map(|login| login["UserId"].as_str())
        .collect();
    assert!(users.len() >= 200);
    assert!(users.iter().all(|user| frozen.contains(user.as_str()) && records[user]["IsActive"] == false));
}

fn sessions(world: &World, user: &RecordId) -> usize {
    world.sim.handle().records("AuthSession").iter().filter(|one| one["UsersId"] == user.as_str()).count()
}

const LOGGED_IN: &str = r#"
[[users]]
username = "ada@example.com"
profile = "Standard User"
sessions = 3

[[users]]
username = "bob@example.com"
profile = "Standard User"
sessions = 1
"#;

#[tokio::test]
async fn the_sessions_of_who_is_frozen_are_ended_and_nobody_elses() {
    let world = World::from_file("sessions", LOGGED_IN).await;
    let (ada, bob) = (user(&world, "ada@example.com"), user(&world, "bob@example.com"));
    let ticket = a_ticket(true);
    assert!(all_done(&world.org.act(&[freeze(&ada)], &ticket).await));
    assert_eq!(sessions(&world, &ada), 3, "freezing alone ends none");
    world.sim.handle().forget_calls();
    assert_eq!(world.org.end_sessions(&ada, Purpose::matching(&ticket)).await, Ok(3));
    assert_eq!(world.sim.handle().api_calls(), 2);
    assert_eq!((sessions(&world, &ada), sessions(&world, &bob)), (0, 1));
    assert_eq!(world.org.end_sessions(&ada, Purpose::matching(&ticket)).await, Ok(0));
    assert_eq!(world.sim.handle().api_calls(), 3);
}

#[tokio::test]
async fn who_may_not_see_sessions_ends_none_and_a_cut_call_is_repeated() {
    let clerk = "[[profiles]]\nname = \"Clerk\"\nlicence = \"Salesforce\"\n\
        permissions = [\"ApiEnabled\", \"ManageInternalUsers\"]\n\
        [[users]]\nusername = \"clerk@example.com\"\nprofile = \"Clerk\"\n[org]\nrun-as = \"clerk@example.com\"";
    let blind = World::from_file("blind-sessions", &format!("{LOGGED_IN}\n{clerk}")).await;
    let ada = user(&blind, "ada@example.com");
    assert_eq!(blind.org.end_sessions(&ada, Purpose::catalogue()).await, Ok(0));
    assert_eq!(sessions(&blind, &ada), 3);

    let world = World::from_file("cut-sessions", LOGGED_IN).await;
    let ada = user(&world, "ada@example.com");
    world.sim.handle().add_fault(fault("cut-after-commit", "/data/v66.0/composite/sobjects"));
    assert_eq!(world.org.end_sessions(&ada, Purpose::catalogue()).await, Ok(3));
    assert_eq!(sessions(&world, &ada), 0);
}

#[tokio::test]
async fn a_session_that_salesforce_will_not_end_is_told() {
    let rule =
        "[[triggers]]\nobject = \"AuthSession\"\nname = \"Keep\"\non = [\"delete\"]\nmessage = \"no\"\n";
    let world = World::from_file("kept-sessions", &format!("{LOGGED_IN}\n{rule}")).await;
    let ada = user(&world, "ada@example.com");
    let answer = world.org.end_sessions(&ada, Purpose::catalogue()).await;
    assert!(matches!(&answer, Err(CallError::Refused(_))), "{answer:?}");
    assert_eq!(sessions(&world, &ada), 3);
}
