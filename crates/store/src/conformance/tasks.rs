//! What is owed later.

use model::TaskId;

use super::*;
use crate::{NewTask, Task, TaskKind};

suite![
    a_recorded_task_is_told_in_full,
    a_task_survives_the_process,
    recording_without_a_word_about_tasks_leaves_them,
    recording_other_tasks_ends_the_rest,
    a_task_that_is_raised_again_stays_the_same,
    raising_a_task_again_does_not_shorten_its_pause,
    a_stale_record_leaves_the_tasks,
    deleting_an_identity_ends_its_tasks,
    a_deleted_identity_cannot_be_given_tasks,
    withdrawing_a_change_leaves_the_tasks,
    tasks_come_in_the_order_in_which_they_were_raised,
    only_due_tasks_are_due_and_the_longest_due_comes_first,
    a_postponed_task_counts_its_attempts,
    what_a_task_waits_for_is_said_without_an_attempt,
    a_task_is_due_when_the_link_it_waits_for_is_made,
    a_link_wakes_only_who_waits_for_it,
    a_link_that_landed_before_the_end_of_its_change_wakes_too,
    a_link_that_is_no_news_wakes_nobody,
    a_link_that_has_left_wakes_nobody_until_it_is_back,
    who_waits_for_a_link_that_is_there_is_due_at_once,
    whoever_looked_before_the_link_came_looks_again_once,
    a_link_that_comes_during_an_attempt_is_not_missed,
    who_waits_for_each_other_comes_to_rest,
];

const ADA: &str = "id-ada";
const BOSS: &str = "id-boss";

/// To bring the target into agreement.
pub fn owed(id: &str, target_name: &str, due: i64) -> NewTask {
    NewTask {
        id: TaskId::from_text(id),
        target: target(target_name),
        kind: TaskKind::Target,
        reason: "REQUIRED_FIELD_MISSING LastName".to_owned(),
        due: at(due),
        client: Some("hr".parse().expect("this is a name")),
    }
}

/// To write the manager when he has his record in `staff`.
fn awaited(id: &str, manager: &str, due: i64) -> NewTask {
    let kind = TaskKind::Reference {
        field: "ManagerId".to_owned(),
        waits_for: ResourceId::from_text(manager),
        through: target("staff"),
    };
    NewTask { kind, reason: "no record yet".to_owned(), ..owed(id, "staff", due) }
}

/// The task as it is read back.
fn raised(identity: &str, new: NewTask, attempts: u32, second: i64) -> Task {
    let NewTask { id, target, kind, reason, due, client } = new;
    let identity = ResourceId::from_text(identity);
    Task {
        id,
        tenant: tenant("acme/prod"),
        identity,
        target,
        kind,
        reason,
        due,
        attempts,
        raised: at(second),
        client,
    }
}

/// Records what an identity owes.
async fn owes(world: &World<'_>, identity: &str, tasks: Option<Vec<NewTask>>, second: i64) {
    let keep = record(&world.tenant, USER, identity, ResourceWrite::Keep);
    let outcome = ok(world.store.record(Record { tasks, at: at(second), ..keep }).await);
    assert!(matches!(outcome, Recorded::Recorded(_)), "{outcome:?}");
}

/// Records a link.
async fn links(world: &World<'_>, identity: &str, link: LinkWrite) {
    let keep = record(&world.tenant, USER, identity, ResourceWrite::Keep);
    ok(world.store.record(Record { links: vec![link], at: at(500), ..keep }).await).expect_version(1);
}

async fn tasks_of(world: &World<'_>, identity: &str) -> Vec<Task> {
    ok(world.store.tasks_of(&world.tenant, &ResourceId::from_text(identity)).await)
}

/// The ids of the tasks that are due.
async fn due(world: &World<'_>, second: i64) -> Vec<String> {
    let tasks = ok(world.store.due_tasks(at(second), 100).await);
    tasks.into_iter().map(|task| task.id.to_string()).collect()
}

async fn a_recorded_task_is_told_in_full(world: &World<'_>) {
    world.user("ada").await;
    assert!(tasks_of(world, ADA).await.is_empty());
    let new = vec![owed("t1", "customers", 60), awaited("t2", BOSS, 3_600)];
    owes(world, ADA, Some(new.clone()), 5).await;
    let expected: Vec<Task> = new.into_iter().map(|task| raised(ADA, task, 0, 5)).collect();
    assert_eq!(tasks_of(world, ADA).await, expected);
    assert_eq!(ok(world.store.open_tasks(Some(&world.tenant)).await), expected);
    assert_eq!(ok(world.store.due_tasks(at(3_600), 10).await), expected);
}

async fn a_task_survives_the_process(world: &World<'_>) {
    let store = world.backend.fresh().await;
    let create = record(&world.tenant, USER, ADA, ResourceWrite::Create(resource(user("ada"))));
    let tasks = Some(vec![owed("t1", "staff", 60)]);
    ok(store.record(Record { tasks, ..create }).await).expect_version(1);
    let store = world.backend.reopen(store).await;
    let expected = [raised(ADA, owed("t1", "staff", 60), 0, 0)];
    assert_eq!(ok(store.open_tasks(None).await), expected);
}

async fn recording_without_a_word_about_tasks_leaves_them(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    owes(world, ADA, None, 2).await;
    world.replace(USER, ADA, 1, user("ada")).await.expect_version(2);
    assert_eq!(tasks_of(world, ADA).await, [raised(ADA, owed("t1", "staff", 60), 0, 1)]);
}

async fn recording_other_tasks_ends_the_rest(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60), owed("t2", "customers", 60)]), 1).await;
    owes(world, BOSS, Some(vec![owed("t3", "staff", 60)]), 1).await;
    owes(world, ADA, Some(vec![owed("t4", "customers", 70), awaited("t5", BOSS, 80)]), 2).await;
    let expected = [
        raised(ADA, NewTask { id: TaskId::from_text("t2"), ..owed("t4", "customers", 70) }, 0, 1),
        raised(ADA, awaited("t5", BOSS, 80), 0, 2),
    ];
    assert_eq!(tasks_of(world, ADA).await, expected);
    owes(world, ADA, Some(Vec::new()), 3).await;
    assert!(tasks_of(world, ADA).await.is_empty());
    assert_eq!(tasks_of(world, BOSS).await.len(), 1, "another identity's are not touched");
}

async fn what_a_task_waits_for_is_said_without_an_attempt(world: &World<'_>) {
    world.user("ada").await;
    let task = owed("t1", "staff", 60);
    owes(world, ADA, Some(vec![task.clone()]), 1).await;
    ok(world.store.explain_task(&task.id, "three are left").await);
    let expected = raised(ADA, NewTask { reason: "three are left".to_owned(), ..task }, 0, 1);
    assert_eq!(tasks_of(world, ADA).await, [expected]);
    owes(world, ADA, Some(Vec::new()), 2).await;
    ok(world.store.explain_task(&TaskId::from_text("t1"), "too late").await);
    assert!(tasks_of(world, ADA).await.is_empty(), "one that has ended stays so");
}

async fn a_task_that_is_raised_again_stays_the_same(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60), awaited("t2", BOSS, 60)]), 1).await;
    for id in ["t1", "t2"] {
        ok(world.store.postpone_task(&TaskId::from_text(id), "away", at(90)).await);
    }
    let client = Some("desk".parse().expect("this is a name"));
    let again = NewTask { reason: "still away".to_owned(), client, ..owed("t3", "staff", 120) };
    // A wait for somebody else is another task.
    owes(world, ADA, Some(vec![again.clone(), awaited("t4", "id-other", 60)]), 100).await;
    let expected = [
        raised(ADA, NewTask { id: TaskId::from_text("t1"), ..again }, 1, 1),
        raised(ADA, awaited("t4", "id-other", 60), 0, 100),
    ];
    assert_eq!(tasks_of(world, ADA).await, expected);
}

/// An attempt that does not get there raises the task again: the pause that was set for it, each longer than the last,
/// stands.
async fn raising_a_task_again_does_not_shorten_its_pause(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    ok(world.store.postpone_task(&TaskId::from_text("t1"), "away", at(3_600)).await);
    for (asked, due) in [(120, 3_600), (3_600, 3_600), (7_200, 7_200)] {
        owes(world, ADA, Some(vec![owed("t2", "staff", asked)]), 90).await;
        assert_eq!(tasks_of(world, ADA).await[0].due, at(due));
    }
}

async fn a_stale_record_leaves_the_tasks(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    let write = ResourceWrite::Replace { expected: Version(7), body: resource(user("ada")) };
    let stale = Record { tasks: Some(Vec::new()), ..record(&world.tenant, USER, ADA, write) };
    assert_eq!(ok(world.store.record(stale).await), Recorded::Stale);
    assert_eq!(tasks_of(world, ADA).await.len(), 1);
}

async fn deleting_an_identity_ends_its_tasks(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    world.delete(USER, ADA, 1).await.expect_version(1);
    assert!(ok(world.store.open_tasks(None).await).is_empty());
    world.user("ada").await;
    assert!(tasks_of(world, ADA).await.is_empty(), "nor does it come back with the id");
}

async fn a_deleted_identity_cannot_be_given_tasks(world: &World<'_>) {
    world.user("ada").await;
    let delete = ResourceWrite::Delete { expected: Version(1) };
    let tasks = Some(vec![owed("t1", "staff", 60)]);
    let delete = Record { tasks, ..record(&world.tenant, USER, ADA, delete) };
    ok(world.store.record(delete).await).expect_version(1);
    assert!(ok(world.store.open_tasks(None).await).is_empty());
}

async fn withdrawing_a_change_leaves_the_tasks(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    world.open(change("c1", &world.tenant, ADA)).await;
    ok(world.store.withdraw(&ChangeId::from_text("c1"), outcome("withdrawn"), true, at(2)).await);
    assert_eq!(tasks_of(world, ADA).await.len(), 1);
}

async fn tasks_come_in_the_order_in_which_they_were_raised(world: &World<'_>) {
    let other = tenant("other/prod");
    world.user("ada").await;
    world.user("boss").await;
    world.create_in(&other, USER, "x", user("x")).await.expect_version(1);
    owes(world, BOSS, Some(vec![owed("b", "staff", 90)]), 1).await;
    let keep = record(&other, USER, "x", ResourceWrite::Keep);
    ok(world.store.record(Record { tasks: Some(vec![owed("x", "staff", 60)]), ..keep }).await)
        .expect_version(1);
    owes(world, ADA, Some(vec![owed("a", "staff", 30)]), 2).await;
    let open = async |tenant| {
        let open = ok(world.store.open_tasks(tenant).await);
        open.into_iter().map(|task| task.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(open(None).await, ["b", "x", "a"]);
    assert_eq!(open(Some(&world.tenant)).await, ["b", "a"]);
    let nobody = tenant("no/body");
    assert!(open(Some(&nobody)).await.is_empty());
}

async fn only_due_tasks_are_due_and_the_longest_due_comes_first(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60), owed("t2", "customers", 30)]), 1).await;
    owes(world, BOSS, Some(vec![owed("t3", "staff", 30)]), 1).await;
    assert!(due(world, 29).await.is_empty());
    assert_eq!(due(world, 30).await, ["t2", "t3"]);
    assert_eq!(due(world, 60).await, ["t2", "t3", "t1"]);
    let first = ok(world.store.due_tasks(at(60), 1).await);
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].id, TaskId::from_text("t2"));
}

async fn a_postponed_task_counts_its_attempts(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![owed("t1", "staff", 60)]), 1).await;
    let id = TaskId::from_text("t1");
    for (attempts, later) in [(1, 120), (2, 240)] {
        ok(world.store.postpone_task(&id, "still away", at(later)).await);
        let expected = NewTask { reason: "still away".to_owned(), ..owed("t1", "staff", later) };
        assert_eq!(tasks_of(world, ADA).await, [raised(ADA, expected, attempts, 1)]);
    }
    assert!(due(world, 239).await.is_empty());
    owes(world, ADA, Some(Vec::new()), 2).await;
    ok(world.store.postpone_task(&id, "too late", at(480)).await);
    assert!(tasks_of(world, ADA).await.is_empty(), "one that has ended stays so");
}

async fn a_task_is_due_when_the_link_it_waits_for_is_made(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 3_600)]), 1).await;
    world.user("boss").await;
    assert!(due(world, 10).await.is_empty(), "he has no record yet");
    links(world, BOSS, set("staff", 1)).await;
    assert_eq!(due(world, 1).await, ["t1"]);
    ok(world.store.postpone_task(&TaskId::from_text("t1"), "x", at(60)).await);
    assert!(due(world, 10).await.is_empty(), "it is attempted");
    links(world, BOSS, set("staff", 2)).await;
    assert_eq!(due(world, 1).await, ["t1"], "the link moved to another record");
}

async fn a_link_wakes_only_who_waits_for_it(world: &World<'_>) {
    for name in ["ada", "boss", "grace"] {
        world.user(name).await;
    }
    let other = tenant("other/prod");
    world.create_in(&other, USER, BOSS, user("boss")).await.expect_version(1);
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 3_600), owed("t2", "staff", 3_600)]), 1).await;
    owes(world, "id-grace", Some(vec![awaited("t3", ADA, 3_600)]), 1).await;
    links(world, BOSS, set("customers", 1)).await;
    let elsewhere = record(&other, USER, BOSS, ResourceWrite::Keep);
    ok(world.store.record(Record { links: vec![set("staff", 1)], ..elsewhere }).await).expect_version(1);
    assert!(due(world, 3_599).await.is_empty(), "another target, another tenant");
    links(world, BOSS, set("staff", 1)).await;
    assert_eq!(due(world, 3_599).await, ["t1"]);
}

async fn a_link_that_landed_before_the_end_of_its_change_wakes_too(world: &World<'_>) {
    world.user("ada").await;
    owes(world, ADA, Some(vec![awaited("t1", "boss", 3_600)]), 1).await;
    world.open(joiner("c1", &world.tenant, "boss", "boss")).await;
    let plan = salesforce_types::Plan::default();
    ok(world.store.replan(&ChangeId::from_text("c1"), &plan, None, &[set("staff", 1)]).await);
    assert_eq!(due(world, 10).await, ["t1"]);
}

async fn a_link_that_is_no_news_wakes_nobody(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 60)]), 1).await;
    links(world, BOSS, set("staff", 1)).await;
    ok(world.store.postpone_task(&TaskId::from_text("t1"), "x", at(60)).await);
    let mut same = link("staff", 1);
    same.synced = Some(at(9));
    same.written.insert("City".to_owned(), json!("London"));
    links(world, BOSS, LinkWrite::Set(same)).await;
    links(world, BOSS, LinkWrite::Remove(target("staff"))).await;
    assert!(due(world, 59).await.is_empty());
}

async fn a_link_that_has_left_wakes_nobody_until_it_is_back(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    let mut left = link("staff", 1);
    left.left = true;
    links(world, BOSS, LinkWrite::Set(left.clone())).await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 60)]), 1).await;
    links(world, BOSS, LinkWrite::Set(left)).await;
    assert!(due(world, 59).await.is_empty());
    links(world, BOSS, set("staff", 1)).await;
    assert_eq!(due(world, 1).await, ["t1"]);
}

/// Two join at the same time: whoever decides last may have looked before the other's record was there.
async fn who_waits_for_a_link_that_is_there_is_due_at_once(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    links(world, BOSS, set("staff", 1)).await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 3_600)]), 5).await;
    assert_eq!(tasks_of(world, ADA).await, [raised(ADA, awaited("t1", BOSS, 5), 0, 5)]);
}

async fn whoever_looked_before_the_link_came_looks_again_once(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    let renew = async |due, second| owes(world, ADA, Some(vec![awaited("t2", BOSS, due)]), second).await;
    renew(60, 1).await;
    links(world, BOSS, set("staff", 1)).await;
    renew(70, 2).await;
    assert_eq!(due(world, 69).await, ["t2"], "decided, perhaps, before the link was there");
    renew(80, 3).await;
    assert!(due(world, 79).await.is_empty(), "decided, certainly, after it");
}

async fn a_link_that_comes_during_an_attempt_is_not_missed(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 60)]), 1).await;
    let attempt = async |link| {
        ok(world.store.postpone_task(&TaskId::from_text("t1"), "x", at(120)).await);
        links(world, BOSS, link).await;
        owes(world, ADA, Some(vec![awaited("t2", BOSS, 130)]), 61).await;
        due(world, 62).await
    };
    assert_eq!(attempt(set("staff", 1)).await, ["t1"]);
    assert!(attempt(set("staff", 1)).await.is_empty(), "it is no news any more");
}

async fn who_waits_for_each_other_comes_to_rest(world: &World<'_>) {
    world.user("ada").await;
    world.user("boss").await;
    owes(world, ADA, Some(vec![awaited("t1", BOSS, 60)]), 1).await;
    owes(world, BOSS, Some(vec![awaited("t2", ADA, 60)]), 1).await;
    links(world, ADA, set("staff", 1)).await;
    let mut attempts = 0;
    // Each attempt ends with what it began with: the link as it is, and the same task.
    while let Some(task) = ok(world.store.due_tasks(at(59), 1).await).pop() {
        attempts += 1;
        assert!(attempts <= 4, "they wake each other for ever");
        let waits_for = if task.identity.as_str() == ADA { BOSS } else { ADA };
        ok(world.store.postpone_task(&task.id, "still away", at(60)).await);
        let again = Record {
            links: vec![set("staff", 1)],
            tasks: Some(vec![awaited("t", waits_for, 60)]),
            ..record(&world.tenant, USER, task.identity.as_str(), ResourceWrite::Keep)
        };
        ok(world.store.record(again).await).expect_version(1);
    }
    assert_eq!(attempts, 2, "each has looked once at the other's link");
}
