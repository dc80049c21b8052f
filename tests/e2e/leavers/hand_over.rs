//! What a leaver owned is somebody else's.

use std::{path::Path, time::Duration};

use e2e::{Org, Process, Scene, Side, World, tool::person};
use salesforce_sim::SimConfig;
use serde_json::{Value, json};

use super::{A_WHILE, ADA, active};
use crate::faults::{listed, until};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BOSS: &str = "boss@acme.example";

/// The rules of the staff, whose records go to `to`.
fn staff(to: &str) -> String {
    format!(
        r#"
[targets.staff]
object = "User"

[targets.staff.hand-over]
to = "{to}"
objects = ["Lead", "Contact", "Account", "Opportunity", "Task", "queues"]

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = {{ from = 'emails[primary eq true].value' }}
LastName          = 'user.name.familyName'
Alias             = {{ value = 'alias(user)', on = "create" }}
TimeZoneSidKey    = {{ default = "GMT" }}
LocaleSidKey      = {{ default = "en_US" }}
LanguageLocaleKey = {{ default = "en_US" }}
EmailEncodingKey  = {{ default = "UTF-8" }}
"#
    )
}

/// Ada and her manager, with what she owns: account, contact, leads, deals, tasks and a place in a queue.
async fn people(world: &World) -> (String, Vec<(&'static str, String)>, Vec<(&'static str, String)>) {
    let (tool, org) = (world.tool(), world.org());
    let boss = tool.create(BOSS).await.expect(201).id();
    let mut body = person(ADA);
    body[ENTERPRISE] = json!({ "manager": { "value": boss } });
    let ada = tool.post("/Users", &body).await.expect(201).id();
    let owner = org.user(ADA).await["Id"].clone();
    let made = async |object: &'static str, mut fields: Value| {
        fields["OwnerId"] = owner.clone();
        (object, org.make(object, &fields).await)
    };
    let account = made("Account", json!({"Name": "Engines"})).await;
    let deal = json!({"Name": "Deal", "CloseDate": "2030-01-01", "AccountId": account.1});
    let with_stage = |stage: &str| {
        let mut deal = deal.clone();
        deal["StageName"] = json!(stage);
        deal
    };
    let going = vec![
        made("Contact", json!({"LastName": "Customer", "AccountId": account.1})).await,
        made("Lead", json!({"LastName": "Prospect", "Company": "Looms"})).await,
        made("Lead", json!({"LastName": "Another", "Company": "Mills"})).await,
        made("Opportunity", with_stage("Prospecting")).await,
        made("Task", json!({"Subject": "Call"})).await,
        account,
    ];
    let staying = vec![
        made("Opportunity", with_stage("Closed Won")).await,
        made("Task", json!({"Subject": "Called", "Status": "Completed"})).await,
    ];
    (ada, going, staying)
}

async fn owner(org: &Org, record: &(&'static str, String)) -> Value {
    org.one(record.0, "Id", &record.1).await["OwnerId"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_gets_what_is_open_once_the_person_is_locked_out() {
    let org_file = "[[queues]]\nname = \"Dock Requests\"\nobjects = [\"Lead\"]\n";
    let world = World::of_scene(&Scene::new(&staff("manager"), org_file), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let (ada, going, staying) = people(&world).await;
    let (hers, boss) = (org.user(ADA).await["Id"].clone(), org.user(BOSS).await["Id"].clone());
    let queue = org.one("Group", "Name", "Dock Requests").await["Id"].clone();
    let place = json!({"GroupId": queue, "UserOrGroupId": hers});
    let _ = org.make("GroupMember", &place).await;
    for record in &going {
        assert_eq!(owner(&org, record).await, hers, "nobody has left yet");
    }
    let _ = tool.patch(&format!("/Users/{ada}"), active(false)).await.expect(200);
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
    for record in &going {
        assert_eq!(owner(&org, record).await, boss, "{record:?}");
    }
    for record in &staying {
        assert_eq!(owner(&org, record).await, hers, "{record:?} is done with");
    }
    let members = org.find("GroupMember", "GroupId", queue.as_str().unwrap()).await;
    assert!(members.iter().any(|member| member["UserOrGroupId"] == boss), "{members:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_handed_over_to_somebody_who_is_not_there_and_the_task_says_so() {
    let world = World::of_scene(&Scene::new(&staff("heir@acme.example"), ""), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let (ada, going, _) = people(&world).await;
    let hers = org.user(ADA).await["Id"].clone();
    let _ = tool.delete(&format!("/Users/{ada}")).await.expect(204);
    until("the task says what is wrong", async || {
        let owed = listed(&config, "tasks").await;
        owed.iter().any(|task| task["reason"].as_str().unwrap().contains("no User with this Username"))
    })
    .await;
    assert_eq!(org.user(ADA).await["IsActive"], false);
    assert_eq!(tool.get(&format!("/Users/{ada}")).await.expect(200).json()["active"], false);
    for record in &going {
        assert_eq!(owner(&org, record).await, hers);
    }
    // He comes: the records are his, and the identity goes.
    let _ = tool.create("heir@acme.example").await.expect(201);
    let heir = org.user("heir@acme.example").await["Id"].clone();
    world.advance(A_WHILE);
    until("the records are his", async || owner(&org, &going[0]).await == heir).await;
    world.advance(A_WHILE * 60);
    until("the identity is gone", async || tool.get(&format!("/Users/{ada}")).await.status == 404).await;
    for record in &going {
        assert_eq!(owner(&org, record).await, heir, "{record:?}");
    }
}

/// Who has nothing needs no heir, and does not keep his place (C-65).
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_owns_nothing_is_gone_without_an_heir_and_may_come_again() {
    let world = World::of_scene(&Scene::new(&staff("manager"), ""), |_| ()).await;
    let (tool, config) = (world.tool(), world.config_file());
    let ada = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let _ = tool.delete(&ada).await.expect(204);
    until("nothing is to be handed over", async || {
        !listed(&config, "tasks").await.iter().any(|task| task["kind"] == "hand-over")
    })
    .await;
    until("the identity is gone", async || tool.get(&ada).await.status == 404).await;
    let _ = tool.create(ADA).await.expect(201);
}

/// What waits for a hand-over does not wait for its own time.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_is_gone_as_soon_as_his_records_are_somebody_elses() {
    let world = World::of_scene(&Scene::new(&staff("manager"), ""), |_| ()).await;
    let tool = world.tool();
    let (ada, going, _) = people(&world).await;
    let boss = world.org().user(BOSS).await["Id"].clone();
    let began = tokio::time::Instant::now();
    let _ = tool.delete(&format!("/Users/{ada}")).await.expect(204);
    until("the identity is gone", async || tool.get(&format!("/Users/{ada}")).await.status == 404).await;
    assert!(began.elapsed() < Duration::from_secs(25), "its own time is 30 s from now");
    for record in &going {
        assert_eq!(owner(&world.org(), record).await, boss, "{record:?}");
    }
}

/// A frozen User owns what nobody sees.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_handed_over_to_somebody_who_is_frozen() {
    let world = World::of_scene(&Scene::new(&staff("manager"), ""), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let (ada, going, _) = people(&world).await;
    let (hers, boss) = (org.user(ADA).await["Id"].clone(), org.user(BOSS).await["Id"].clone());
    let login = super::login(&org, BOSS).await["Id"].as_str().unwrap().to_owned();
    org.change("UserLogin", &login, &json!({"IsFrozen": true})).await;
    let _ = tool.patch(&format!("/Users/{ada}"), active(false)).await.expect(200);
    until("the task says what is wrong", async || {
        let owed = listed(&config, "tasks").await;
        owed.iter().any(|task| task["reason"].as_str().unwrap().contains("frozen"))
    })
    .await;
    for record in &going {
        assert_eq!(owner(&org, record).await, hers);
    }
    org.change("UserLogin", &login, &json!({"IsFrozen": false})).await;
    world.advance(A_WHILE * 10);
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
    assert_eq!(owner(&org, &going[0]).await, boss);
}

/// An attempt that takes longer than the pause between two of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_takes_long_runs_once_at_a_time() {
    let world = World::of_scene(&Scene::new(&staff("manager"), ""), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let (ada, going, _) = people(&world).await;
    let boss = org.user(BOSS).await["Id"].clone();
    // An attempt asks where he is a member, what he owns, and then who takes it.
    org.fault(json!({"method": "GET", "path": "/data/v*/sobjects/User", "kind": "slow", "delay_ms": 60_000}))
        .await;
    let _ = tool.patch(&format!("/Users/{ada}"), active(false)).await.expect(200);
    let before = org.calls().await.api;
    until("it has begun", async || org.calls().await.api == before + 3).await;
    let tries = async || listed(&config, "tasks").await[0]["attempts"].as_u64().unwrap();
    let put_off = tries().await;
    world.advance(A_WHILE);
    until("it is due again", async || tries().await > put_off).await;
    let begun = org.calls().await.api - before;
    assert_eq!(begun, 3, "nobody has begun beside it");
    org.heal().await;
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
    assert_eq!(owner(&org, &going[0]).await, boss);
}

/// Two gateways on one store: what one of them has claimed the other leaves alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_gateway_hands_over_is_not_handed_over_beside_it() {
    let world = World::of_scene(&Scene::new(&staff("manager"), ""), |_| ()).await;
    let (tool, org, config) = (world.tool(), world.org(), world.config_file());
    let (ada, going, _) = people(&world).await;
    let (hers, boss) = (org.user(ADA).await["Id"].clone(), org.user(BOSS).await["Id"].clone());
    let store = rusqlite::Connection::open(config.parent().unwrap().join("data/gangway.db")).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let claim = format!("hand-over/acme/prod/{ada}/staff");
    let until_ms = (model::Clock::system().now() + jiff::SignedDuration::from_hours(24)).as_millisecond();
    store
        .execute(
            "INSERT INTO leases (name, holder, until_ms, gateway) VALUES (?1, 'another', ?2, 0)",
            rusqlite::params![claim, until_ms],
        )
        .unwrap();

    let _ = tool.patch(&format!("/Users/{ada}"), active(false)).await.expect(200);
    let tries = async || listed(&config, "tasks").await[0]["attempts"].as_u64().unwrap();
    for attempt in 1..3 {
        until("it is tried", async || tries().await >= attempt).await;
        world.advance(A_WHILE * 10);
    }
    for record in &going {
        assert_eq!(owner(&org, record).await, hers, "{record:?}");
    }
    store.execute("DELETE FROM leases WHERE name = ?1", [&claim]).unwrap();
    world.advance(A_WHILE * 10);
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
    for record in &going {
        assert_eq!(owner(&org, record).await, boss, "{record:?}");
    }
    let left: i64 =
        store.query_row("SELECT count(*) FROM leases WHERE name = ?1", [&claim], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "it was given back");
}

/// Killed after the person is locked out, and before the rest of the change is sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_interrupts_is_handed_over_all_the_same() {
    let program = Path::new(env!("CARGO_BIN_EXE_gangway-under-test"));
    let scene = Scene::new(&staff(BOSS), "");
    let mut process = Process::of_scene(program, &scene, SimConfig::default()).await;
    let (tool, org, config) = (process.tool(), process.org(), process.config_file());
    let _ = tool.create(BOSS).await.expect(201);
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let (hers, boss) = (org.user(ADA).await["Id"].clone(), org.user(BOSS).await["Id"].clone());
    let lead = json!({"LastName": "Prospect", "Company": "Looms", "OwnerId": hers});
    let lead = ("Lead", org.make("Lead", &lead).await);
    let leaves = json!([
        { "op": "replace", "path": "active", "value": false },
        { "op": "replace", "path": "name.familyName", "value": "Gone" },
    ]);
    process.gate().hold(2, Side::Before);
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": leaves });
    let sent = tokio::spawn(async move {
        let headers = [("content-type", "application/scim+json")];
        tool.send("PATCH", &path, &headers, Some(body.to_string().into_bytes())).await.is_err()
    });
    process.gate().held().await;
    assert_eq!(org.user(ADA).await["IsActive"], false);
    assert_ne!(org.user(ADA).await["LastName"], "Gone");
    process.kill().await;
    assert!(sent.await.unwrap(), "nobody was answered");
    process.gate().open();
    process.restart().await;
    until("the rest is done", async || org.user(ADA).await["LastName"] == "Gone").await;
    until("what she owned is somebody else's", async || owner(&org, &lead).await == boss).await;
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
}
