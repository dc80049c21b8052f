//! Whose manager is whom: a reference to a record that may not be there yet.

use e2e::{Org, Scene, World};
use serde_json::{Value, json};

use super::{ENTERPRISE, ORG, calls, contacts, replace, someone, text, warned};
use crate::faults::{listed, until};

const STAFF: &str = r#"
[targets.staff]
object = "User"
when = 'user.userType == "Employee"'

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
Title             = 'user.title'
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }
ManagerId         = { from = 'manager.value', link = "staff" }
"#;

async fn world() -> World {
    World::of_scene(&Scene::new(STAFF, ORG), |_| ()).await
}

fn reporting_to(name: &str, manager: &str) -> Value {
    let mut body = someone(name, "Employee");
    body[ENTERPRISE]["manager"] = json!({"value": manager});
    body
}

async fn manager_of(org: &Org, name: &str) -> Value {
    org.user(name).await["ManagerId"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_is_there_is_written_at_once() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let bob = tool.post("/Users", &reporting_to("bob@acme.example", &ada)).await.expect(201).id();
    let ada_in_the_org = org.user("ada@acme.example").await["Id"].clone();
    assert_eq!(manager_of(&org, "bob@acme.example").await, ada_in_the_org);
    let path = format!("/Users/{bob}");
    let before = calls(&org).await;
    let shown = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &shown).await.expect(200);
    assert_eq!(calls(&org).await, before);
    // Nobody's subordinate any more.
    let gone = json!([{"op": "remove", "path": format!("{ENTERPRISE}:manager")}]);
    let _ = tool.patch(&path, gone).await.expect(200);
    assert_eq!(manager_of(&org, "bob@acme.example").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_comes_later_is_written_when_he_comes() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    // She is known, but nobody in this org.
    let ada = tool.post("/Users", &someone("ada@acme.example", "Contractor")).await.expect(201).id();
    let bob = tool.post("/Users", &reporting_to("bob@acme.example", &ada)).await.expect(201);
    warned(&bob, "record-awaited");
    assert_eq!(manager_of(&org, "bob@acme.example").await, Value::Null);
    let _ = tool.patch(&format!("/Users/{ada}"), replace("userType", "Employee")).await.expect(200);
    let ada_in_the_org = org.user("ada@acme.example").await["Id"].clone();
    until("bob's manager is written", async || manager_of(&org, "bob@acme.example").await == ada_in_the_org)
        .await;
    let config = world.config_file();
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
    // And it stays so.
    let before = calls(&org).await;
    let path = format!("/Users/{}", bob.id());
    let shown = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &shown).await.expect(200);
    assert_eq!(calls(&org).await, before);
}

/// What waits for a manager survives a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_comes_after_a_restart_is_written_too() {
    let mut world = world().await;
    let ada = world.tool().post("/Users", &someone("ada@acme.example", "Contractor")).await.expect(201).id();
    let _ = world.tool().post("/Users", &reporting_to("bob@acme.example", &ada)).await.expect(201);
    world.restart().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.patch(&format!("/Users/{ada}"), replace("userType", "Employee")).await.expect(200);
    let ada_in_the_org = org.user("ada@acme.example").await["Id"].clone();
    until("bob's manager is written", async || manager_of(&org, "bob@acme.example").await == ada_in_the_org)
        .await;
}

/// A circle is a note, and all else is written.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_manage_each_other_are_a_note_and_never_an_error() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let bob = tool.post("/Users", &reporting_to("bob@acme.example", &ada)).await.expect(201).id();
    let mut body = reporting_to("ada@acme.example", &bob);
    body["title"] = json!("Countess");
    let answer = tool.put(&format!("/Users/{ada}"), &body).await.expect(200);
    warned(&answer, "manager-cycle");
    assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");
    assert_eq!(manager_of(&org, "ada@acme.example").await, Value::Null);
    assert_eq!(
        answer.json()[ENTERPRISE]["manager"]["value"],
        json!(bob),
        "the directory keeps what it was told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_his_own_manager_is_a_note() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let answer =
        tool.put(&format!("/Users/{ada}"), &reporting_to("ada@acme.example", &ada)).await.expect(200);
    warned(&answer, "manager-cycle");
    assert_eq!(manager_of(&org, "ada@acme.example").await, Value::Null);
}

/// A manager whom nobody knows is awaited; the rest is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_whom_nobody_knows_keeps_nothing_back() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let bob = tool.post("/Users", &reporting_to("bob@acme.example", "nobody-here")).await.expect(201);
    warned(&bob, "record-awaited");
    assert_eq!(org.user("bob@acme.example").await["LastName"], "bob");
}

/// Contacts report to contacts in the same way.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_reports_to_the_contact_of_the_manager() {
    let mapping = format!(
        "{}ReportsToId = {{ from = 'manager.value', link = \"customers\" }}\n",
        contacts("when = 'user.userType == \"Employee\"'\nallow = [\"create\", \"update\"]")
    );
    let world = World::of_scene(&Scene::new(&mapping, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.post("/Users", &someone("ada@acme.example", "Contractor")).await.expect(201).id();
    let bob = tool.post("/Users", &reporting_to("bob@acme.example", &ada)).await.expect(201);
    warned(&bob, "record-awaited");
    let _ = tool.patch(&format!("/Users/{ada}"), replace("userType", "Employee")).await.expect(200);
    let ada = org.one("Contact", "Email", "ada@acme.example").await;
    until("bob reports to ada", async || {
        org.one("Contact", "Email", "bob@acme.example").await["ReportsToId"] == text(&ada, "Id")
    })
    .await;
}
