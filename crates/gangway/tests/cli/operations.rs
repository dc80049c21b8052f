//! `gangway plan`, `apply`, `adopt` and `resync`: by the gateway that runs, and without one.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use serde_json::{Value, json as value};

use crate::world::{World, complaint, json};

/// Staff are Users. Another line of fields makes something to be planned.
fn mapping(more: &str) -> String {
    format!(
        r#"[targets.staff]
object = "User"
when = 'user.userType != "Prospect"'
[targets.staff.fields]
Username = 'username(user.userName)'
LastName = 'family_name(user)'
FirstName = 'user.name.givenName'
Alias = {{ value = 'alias(user)', on = "create" }}
Email = 'email(user)'
TimeZoneSidKey = {{ default = "GMT" }}
LocaleSidKey = {{ default = "en_US" }}
LanguageLocaleKey = {{ default = "en_US" }}
EmailEncodingKey = {{ default = "UTF-8" }}
{more}
"#
    )
}

const LEADS: &str = r#"
[targets.leads]
object = "Lead"
external-id = false
match = ["Email"]
when = 'user.userType == "Prospect"'
[targets.leads.fields]
LastName = 'family_name(user)'
Company = { default = "Private" }
Email = 'email(user)'
"#;

async fn world(mapping: &str) -> World {
    let world = World::start().await;
    world.write("acme.toml", mapping);
    let config = world.config().replace("username-domain", "mapping = \"acme.toml\"\nusername-domain");
    world.write("gangway.toml", &config);
    world
}

/// A world in which these people are on board, and the mapping has got another line since.
async fn with_people(people: &[&str]) -> World {
    let world = world(&mapping("")).await;
    let served = world.serve();
    for name in people {
        assert_eq!(served.create(name).await.status(), 201);
    }
    assert_eq!(served.stop(), Some(0));
    world.write("acme.toml", &mapping("Department = { value = '\"Engines\"' }"));
    world
}

fn department(world: &World, username: &str) -> Value {
    world.org.handle().user(username).unwrap()["Department"].clone()
}

fn socket(world: &World) -> std::path::PathBuf {
    world.path("data/gangway.db.sock")
}

/// Plans into `plan.json`, applies it, and plans again.
fn plan_and_apply(world: &World) {
    let output = world.run(&[
        "plan",
        "ada@acme.example",
        "--out",
        world.path("plan.json").to_str().unwrap(),
        "--output",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let shown = json(&output);
    assert_eq!((&shown["counts"]["update"], &shown["counts"]["create"]), (&1.into(), &0.into()), "{shown}");
    let step = &shown["plan"]["plans"][0]["steps"][0]["step"];
    assert_eq!((&step["do"], &step["fields"]), (&"update".into(), &value!({"Department": "Engines"})));
    assert!(department(world, "ada@acme.example").is_null(), "a plan changes nothing");
    let mode = std::fs::metadata(world.path("plan.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has people's data in it");

    let plan = world.path("plan.json");
    let apply = ["apply", plan.to_str().unwrap(), "--output", "json"];
    let output = world.run(&apply);
    assert!(complaint(&output).contains("say --yes"), "nobody is at the terminal");
    let output = world.run(&[&apply[..], &["--yes"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert_eq!(json(&output), value!({"done": 1, "moved": [], "refused": []}));
    assert_eq!(department(world, "ada@acme.example"), "Engines");

    let again = json(&world.run(&["plan", "ada@acme.example", "--output", "json"]));
    assert_eq!((&again["unchanged"], &again["plan"]["plans"]), (&1.into(), &value!([])));
    let output = world.run(&[&apply[..], &["--yes"]].concat());
    assert_eq!(output.status.code(), Some(4), "it has been applied already");
    assert_eq!(json(&output)["done"], 0);
    assert!(json(&output)["moved"].to_string().contains("nothing is left to be done"), "{}", json(&output));
}

#[tokio::test]
async fn a_running_gateway_plans_and_applies_and_its_socket_is_its_owners() {
    let world = with_people(&["ada@acme.example"]).await;
    let served = world.serve();
    let made = std::fs::metadata(socket(&world)).unwrap();
    assert!(made.file_type().is_socket());
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    // The gateway has its secrets; whoever asks it needs none.
    std::fs::rename(world.path("client-secret"), world.path("elsewhere")).unwrap();
    plan_and_apply(&world);
    assert_eq!(served.stop(), Some(0));
    assert!(!socket(&world).exists());
}

#[tokio::test]
async fn without_a_gateway_the_command_does_it_itself() {
    let world = with_people(&["ada@acme.example"]).await;
    plan_and_apply(&world);
    assert!(!socket(&world).exists());
    let output = world.run(&["explain", "ada@acme.example", "Department", "--output", "json"]);
    let written = &json(&output)["fields"][0];
    assert_eq!((&written["written"], &written["mappingChanged"]), (&"Engines".into(), &false.into()));
    assert_eq!(written["writes"][0]["client"], "gangway-operator");
}

#[tokio::test]
async fn a_plan_for_everyone_is_shown_with_counts_and_one_that_moved_is_not_applied_at_all() {
    let world = with_people(&["ada@acme.example", "grace@acme.example"]).await;
    let _served = world.serve();
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    let output = world.run(&["plan", "--all", "--out", file]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    for words in [
        "  ~ User 005",
        "(staff in acme)",
        "Department",
        "→ Engines",
        "0 to create, 2 to update, 0 to convert, 0 to delete, 0 problems; 0 identities unchanged.",
    ] {
        assert!(table.contains(words), "{words} is missing in\n{table}");
    }
    assert_eq!(world.run(&["resync", "grace@acme.example"]).status.code(), Some(0));
    assert_eq!(department(&world, "grace@acme.example"), "Engines");
    let output = world.run(&["apply", file, "--yes"]);
    assert_eq!(output.status.code(), Some(4));
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("Nothing was done: of 1 identity"), "{words}");
    assert!(department(&world, "ada@acme.example").is_null(), "hers had not moved, but it was one plan");
    assert_eq!(json(&world.run(&["resync", "ada@acme.example", "--output", "json"]))["done"], true);
    assert_eq!(department(&world, "ada@acme.example"), "Engines");
}

#[tokio::test]
async fn a_group_stands_for_its_members() {
    let world = with_people(&["ada@acme.example", "grace@acme.example"]).await;
    let served = world.serve();
    let output = world.run(&["plan", "ada@acme.example", "--output", "json"]);
    let ada = json(&output)["plan"]["plans"][0]["identity"].clone();
    let group = value!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Crew", "members": [{ "value": ada }],
    });
    assert_eq!(served.post("/Groups", &group).await.status(), 201);
    let plans = json(&world.run(&["plan", "crew", "--output", "json"]))["plan"]["plans"].clone();
    assert_eq!(plans.as_array().unwrap().len(), 1, "{plans}");
    assert_eq!(plans[0]["identity"], ada);
    let output = world.run(&["plan", "nobody", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("there is no identity `nobody`"), "{}", complaint(&output));
}

#[tokio::test]
async fn a_plan_that_somebody_edited_is_refused() {
    let world = with_people(&["ada@acme.example"]).await;
    let file = world.path("plan.json");
    assert_eq!(world.run(&["plan", "--all", "--out", file.to_str().unwrap()]).status.code(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("Engines", "Boilers")).unwrap();
    let output = world.run(&["apply", file.to_str().unwrap(), "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("changed after it had been made"), "{}", complaint(&output));
    std::fs::write(&file, "{}").unwrap();
    let output = world.run(&["apply", file.to_str().unwrap(), "--yes"]);
    assert!(complaint(&output).contains("this is no plan"), "{}", complaint(&output));
}

/// A lead in the org, that nobody brought there through Gangway.
async fn lead(world: &World, email: &str) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let grant = [
        ("grant_type", "client_credentials"),
        ("client_id", "simulated-client"),
        ("client_secret", "simulated-secret"),
    ];
    let token: Value = http
        .post(format!("{}/services/oauth2/token", world.org.url()))
        .form(&grant)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let made: Value = http
        .post(format!("{}/services/data/v66.0/sobjects/Lead", world.org.url()))
        .header("Sforce-Duplicate-Rule-Header", "allowSave=true")
        .bearer_auth(token["access_token"].as_str().unwrap_or_else(|| panic!("{token}")))
        .json(&value!({"LastName": "Lovelace", "Company": "Private", "Email": email}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn what_several_records_match_is_decided_by_a_person() {
    let world = world(&format!("{}{LEADS}", mapping(""))).await;
    let (_first, second) = (lead(&world, "ada@navy.example").await, lead(&world, "ada@navy.example").await);
    let served = world.serve();
    let ada = value!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@navy.example", "userType": "Prospect",
        "name": { "familyName": "Lovelace" }, "emails": [{ "value": "ada@navy.example", "primary": true }],
    });
    assert_eq!(served.post("/Users", &ada).await.status(), 409);
    let holds = json(&world.run(&["holds", "--output", "json"]));
    let hold = holds["holds"][0]["id"].as_str().unwrap();
    assert!(holds["holds"][0]["candidates"].to_string().contains(&second), "{holds}");
    let output = world.run(&["adopt", hold, &second, "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert_eq!(json(&output)["decided"], true);
    let created = served.post("/Users", &ada).await;
    assert_eq!(created.status(), 201);
    let created: Value = created.json().await.unwrap();
    let shown =
        json(&world.run(&["explain", created["id"].as_str().unwrap(), "leads.LastName", "--output", "json"]));
    assert_eq!(shown["fields"][0]["record"], second.as_str());
    assert_eq!(
        world.org.handle().records("Lead").iter().filter(|lead| lead["Email"] == "ada@navy.example").count(),
        2
    );
    assert_eq!(json(&world.run(&["holds", "--output", "json"]))["holds"], value!([]));
    let output = world.run(&["adopt", hold, &second]);
    assert_eq!(output.status.code(), Some(1), "the hold is gone, and is no identity");
    let output = world.run(&["adopt", hold, "--none"]);
    assert!(complaint(&output).contains("there is no open hold"), "{}", complaint(&output));
    let output = world.run(&["adopt", "ada@navy.example", "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
}

#[tokio::test]
async fn the_records_of_a_target_that_was_taken_out_leave_by_apply_alone() {
    let leads = LEADS
        .replace("match =", "allow = [\"create\", \"update\", \"delete\"]\non-leave = \"delete\"\nmatch =");
    let world = world(&format!("{}{leads}", mapping(""))).await;
    let served = world.serve();
    let ada = value!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@navy.example", "userType": "Prospect",
        "name": { "familyName": "Lovelace" }, "emails": [{ "value": "ada@navy.example", "primary": true }],
    });
    assert_eq!(served.post("/Users", &ada).await.status(), 201);
    assert_eq!(served.stop(), Some(0));
    let all = world.org.handle().records("Lead").len();
    // The target goes, and the gateway starts anew.
    world.write("acme.toml", &mapping(""));
    let served = world.serve();
    assert_eq!(world.run(&["resync", "ada@navy.example"]).status.code(), Some(0));
    assert_eq!(world.org.handle().records("Lead").len(), all, "no change touches it");
    let explained = json(&world.run(&["explain", "ada@navy.example", "LastName", "--output", "json"]));
    assert_eq!(explained["fields"][0]["configured"], false);
    let file = world.path("plan.json");
    let file = file.to_str().unwrap();
    let planned = world.run(&["plan", "--all", "--out", file]);
    let table = String::from_utf8(planned.stdout).unwrap();
    assert!(table.contains("  - Lead 00Q") && table.contains("1 to delete"), "{table}");
    assert_eq!(world.org.handle().records("Lead").len(), all, "a plan changes nothing");
    let applied = world.run(&["apply", file, "--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{}", complaint(&applied));
    assert_eq!(world.org.handle().records("Lead").len(), all - 1);
    let after = json(&world.run(&["plan", "--all", "--output", "json"]));
    assert_eq!((&after["unchanged"], &after["plan"]["plans"]), (&1.into(), &value!([])), "{after}");
    assert_eq!(served.stop(), Some(0));
}

#[tokio::test]
async fn what_salesforce_refuses_is_named_and_the_others_are_done() {
    let world = with_people(&["ada@acme.example", "grace@acme.example"]).await;
    // An address that Salesforce would refuse is refused before it is asked.
    world.write("acme.toml", &mapping("Department = { value = '\"Engines\"' }\nTitle = { value = '\"x\" ~ left(user.userName, 100) if user.userName is startingwith(\"grace\") else none' }\nDivision = { value = 'left(user.userName ~ \"                                                                                        .\", 90) if user.userName is startingwith(\"grace\") else none' }"));
    let output = world.run(&["plan", "--all", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let shown = json(&output);
    assert_eq!((&shown["counts"]["update"], &shown["counts"]["problems"]), (&1.into(), &1.into()), "{shown}");
    assert!(shown["plan"]["plans"].to_string().contains("Division"), "{shown}");
    let output = world.run(&["resync", "grace@acme.example"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("Division"), "{}", complaint(&output));
}
