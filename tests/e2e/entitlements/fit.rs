//! What does not go together: a licence with what it does not allow, a profile with the people of a target. And two Users of
//! one person.

use e2e::{Answered, Org, Scene, Tool, World, tool::person, world::table};
use serde_json::{Value, json};

use super::{ORG, STAFF, held, shown, users_of};
use crate::faults::{listed, until};

/// So much later a seat is looked for again.
const A_WHILE: std::time::Duration = std::time::Duration::from_mins(2);

async fn world(mapping: &str) -> World {
    World::of_scene(&Scene::new(&format!("{mapping}\n{STAFF}"), ORG), |_| ()).await
}

fn somebody(user_name: &str, entitlements: Value) -> Value {
    let mut body = person(user_name);
    body["entitlements"] = entitlements;
    body
}

fn add(list: &str, value: &str) -> Value {
    json!([{"op": "add", "path": list, "value": [{"value": value}]}])
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{"op": "replace", "path": path, "value": value.into()}])
}

fn refused(answer: Answered, says: &[&str]) {
    let answer = answer.expect(400).json();
    assert_eq!(answer["scimType"], "invalidValue");
    let detail = answer["detail"].as_str().unwrap();
    assert!(says.iter().all(|part| detail.contains(part)), "{detail}");
}

fn warned(answer: &Answered, code: &str) {
    let codes = answer.header("x-gangway-warnings").unwrap_or_default();
    assert!(codes.contains(code), "no {code} in {codes:?}: {}", answer.text);
}

async fn calls(org: &Org) -> u64 {
    org.calls().await.api
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_asks_for_and_does_not_fit_is_refused_before_any_call() {
    let world = world("").await;
    let (tool, org) = (world.tool(), world.org());
    let ada = format!("/Users/{}", tool.post("/Users", &person("ada@acme.example")).await.expect(201).id());
    let _ = tool.patch(&ada, add("roles", "Pilot")).await.expect(200);
    let before = calls(&org).await;
    let grace = |entitlements| somebody("grace@acme.example", entitlements);
    let portal = ["Customer Portal Reader", "Customer Community, not Salesforce", "nothing was changed"];

    refused(tool.post("/Users", &grace(json!([{"value": "Customer_Portal_Reader"}]))).await, &portal);
    refused(tool.patch(&ada, add("entitlements", "Customer_Portal_Reader")).await, &portal);
    let mut chatter = grace(json!([{"value": "Chatter Free User", "type": "Profile"}]));
    chatter["roles"] = json!([{"value": "Pilot"}]);
    refused(tool.post("/Users", &chatter).await, &["role `Pilot`", "Chatter Free have no role"]);
    let profile = json!([{"value": "Customer Community User"}]);
    refused(tool.post("/Users", &grace(profile)).await, &["Customer Community User", "people of a portal"]);
    // The role was there before: it is the profile that does not go with it.
    refused(tool.patch(&ada, add("entitlements", "Chatter Free User")).await, &["have no role"]);

    assert_eq!(calls(&org).await, before, "no call was spent");
    assert!(org.users("grace@acme.example").await.is_empty());
    assert_eq!(held(&org, "ada@acme.example", "role").await, ["Pilot"]);
    // With the role given up it is Salesforce that has the last word.
    let both = json!([
        {"op": "remove", "path": "roles"},
        {"op": "add", "path": "entitlements", "value": [{"value": "Standard Platform User"}]},
    ]);
    let _ = tool.patch(&ada, both).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard Platform User"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_does_not_go_with_what_is_held_is_refused_before_any_call() {
    const STANDARD: &str = "[[permission-sets]]\nname = \"Dock_Standard\"\nlicence = \"Salesforce\"\n";
    let world = World::of_scene(&Scene::new(STAFF, &format!("{ORG}\n{STANDARD}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let set = json!([{"value": "Dock_Standard"}]);
    let id = tool.post("/Users", &somebody("ada@acme.example", set)).await.expect(201).id();
    let ada = format!("/Users/{id}");
    let before = calls(&org).await;
    let says = ["Dock_Standard", "Salesforce, not Salesforce Platform", "nothing was changed"];
    refused(tool.patch(&ada, add("entitlements", "Standard Platform User")).await, &says);
    let both = json!([{"value": "Dock_Standard"}, {"value": "Standard Platform User"}]);
    refused(tool.put(&ada, &somebody("ada@acme.example", both)).await, &says);
    assert_eq!(calls(&org).await, before, "no call was spent");
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard User"]);
    // In the place of the set it fits.
    let alone = json!([{"value": "Standard Platform User"}]);
    let _ = tool.put(&ada, &somebody("ada@acme.example", alone)).await.expect(200);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard Platform User"]);
    assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_asks_for_and_does_not_fit_is_a_warning_and_the_rest_lands() {
    let rules = r#"
[[grants]]
name = "docks"
when = 'user.title == "Docker"'
permission-sets = ["Customer_Portal_Reader", "Dock_Reports"]

[[grants]]
name = "guests"
when = 'user.title == "Guest"'
profile = "Customer Community User"
permission-sets = ["Dock_More"]
"#;
    let world = world(rules).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &person("ada@acme.example")).await.expect(201).id();
    let ada = format!("/Users/{id}");
    // Who changes his rule loses something, too: in a call of its own, when his record has landed.
    for (title, set, sent) in [("Docker", "Dock_Reports", 1), ("Guest", "Dock_More", 2)] {
        let before = calls(&org).await;
        let answer = tool.patch(&ada, replace("title", title)).await.expect(200);
        warned(&answer, "grant-refused");
        assert_eq!(calls(&org).await - before, sent, "nothing is tried that cannot be");
        assert_eq!(held(&org, "ada@acme.example", "permission-sets").await, [set]);
        assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard User"]);
        let display = |kind: &str| shown(&answer.json(), "entitlements", kind).unwrap()["display"].clone();
        assert_eq!((display("PermissionSet"), display("Profile")), (json!(set), json!("Standard User")));
    }
    // Nor does it refuse who asks for a profile himself: he does not know the rules.
    let mut grace = somebody("grace@acme.example", json!([{"value": "Dock Sales", "type": "Profile"}]));
    grace["title"] = json!("Docker");
    warned(&tool.post("/Users", &grace).await.expect(201), "grant-refused");
    assert_eq!(held(&org, "grace@acme.example", "profile").await, ["Dock Sales"]);
    assert_eq!(held(&org, "grace@acme.example", "permission-sets").await, ["Dock_Reports"]);
    let why = why(&world, &id, "permission-set:Customer_Portal_Reader").await;
    assert!(why.contains("refused") && why.contains("Customer Community, not Salesforce"), "{why}");
    // Who does not change asks for nothing anew.
    let before = calls(&org).await;
    let read = tool.get(&ada).await.expect(200).json();
    let again = tool.put(&ada, &read).await.expect(200);
    assert_eq!(again.json()["meta"]["version"], read["meta"]["version"]);
    assert_eq!(calls(&org).await, before);
}

/// What an auditor is told.
async fn why(world: &World, id: &str, of: &str) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["audit", "why", id, of, "--output", "json", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_goes_on_with_his_profile_until_the_new_one_has_a_seat() {
    let world = world("[entitlements]\nwaiting-list = true\n").await;
    let (tool, org) = (world.tool(), world.org());
    let ada = format!("/Users/{}", tool.post("/Users", &person("ada@acme.example")).await.expect(201).id());
    org.seats(json!({"Salesforce Platform": 0})).await;
    let both = json!([
        {"op": "replace", "path": "title", "value": "Countess"},
        {"op": "add", "path": "entitlements", "value": [{"value": "Standard Platform User"}]},
    ]);
    let answer = tool.patch(&ada, both).await.expect(200);
    warned(&answer, "seat-awaited");
    let user = org.user("ada@acme.example").await;
    assert_eq!((&user["IsActive"], &user["Title"]), (&json!(true), &json!("Countess")));
    assert_eq!(shown(&answer.json(), "entitlements", "Profile").unwrap()["display"], "Standard User");

    org.seats(json!({"Salesforce Platform": 1})).await;
    world.advance(std::time::Duration::from_mins(2));
    let profile = async || held(&org, "ada@acme.example", "profile").await;
    until("the seat is taken", async || profile().await == ["Standard Platform User"]).await;
    until("reads show it", async || {
        let read = tool.get(&ada).await.expect(200).json();
        shown(&read, "entitlements", "Profile").unwrap()["display"] == "Standard Platform User"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_only_with_the_profile_that_is_waited_for_waits_with_it_and_comes_with_it() {
    const PLATFORM: &str = r#"
[[permission-sets]]
name = "Dock_Platform"
licence = "Salesforce Platform"
"#;
    let mapping = format!("[entitlements]\nwaiting-list = true\n{STAFF}");
    let world = World::of_scene(&Scene::new(&mapping, &format!("{ORG}\n{PLATFORM}")), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &person("ada@acme.example")).await.expect(201).id();
    let ada = format!("/Users/{id}");
    org.seats(json!({"Salesforce Platform": 0})).await;

    let asks = json!([{"op": "add", "path": "entitlements", "value": [
        {"value": "Standard Platform User"}, {"value": "Dock_Platform"}, {"value": "Dock_Reports"},
    ]}]);
    let answer = tool.patch(&ada, asks).await.expect(200);
    warned(&answer, "seat-awaited");
    let codes = answer.header("x-gangway-warnings").unwrap_or_default();
    assert!(!codes.contains("grant-refused"), "{codes}");
    let sets = async || held(&org, "ada@acme.example", "permission-sets").await;
    assert_eq!(sets().await, ["Dock_Reports"], "what goes with the old profile too is given at once");
    let told = why(&world, &id, "permission-set:Dock_Platform").await;
    assert!(told.contains("waiting"), "{told}");

    // Nothing of it is forgotten by a look that finds no seat.
    let config = world.config_file();
    let owed = async || listed(&config, "tasks").await;
    world.advance(A_WHILE);
    let looked = |task: &Value| task["attempts"].as_u64() > Some(0);
    until("seats are looked for", async || owed().await.iter().all(looked)).await;
    assert_eq!(owed().await.len(), 2, "the profile, and what goes with it");
    org.seats(json!({"Salesforce Platform": 1})).await;
    // A look may have been on its way, and has the next one put off.
    while !owed().await.is_empty() {
        world.advance(A_WHILE);
        let none = until("nothing is owed", async || owed().await.is_empty());
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), none).await;
    }
    assert_eq!(sets().await, ["Dock_Platform", "Dock_Reports"]);
    assert_eq!(held(&org, "ada@acme.example", "profile").await, ["Standard Platform User"]);
    let read = tool.get(&ada).await.expect(200).json();
    assert_eq!(read["entitlements"].as_array().map(Vec::len), Some(3), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_id_goes_on_meaning_the_same_org_when_another_comes_first() {
    let scene = Scene { other_orgs: vec!["beta".to_owned()], ..Scene::new(&users_of("acme", "staff"), ORG) };
    let world = World::of_scene(&scene, |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    // One has it, the other is given it only when she comes.
    let set = json!([{"value": "Dock_Reports"}]);
    let has = tool.post("/Users", &somebody("ada@acme.example", set.clone())).await.expect(201).id();
    let mut away = somebody("grace@acme.example", set);
    away["active"] = json!(false);
    let comes = tool.post("/Users", &away).await.expect(201).id();

    world.remap(&format!("{}\n{}", users_of("beta", "staff-of-beta"), users_of("acme", "staff"))).await;
    let _ = tool.patch(&format!("/Users/{has}"), replace("title", "Countess")).await.expect(200);
    let _ = tool.patch(&format!("/Users/{comes}"), replace("active", true)).await.expect(200);
    for name in ["ada@acme.example", "grace@acme.example"] {
        assert_eq!(held(&org, name, "permission-sets").await, ["Dock_Reports"], "{name}");
        assert_eq!(held(&world.other_org(0), name, "permission-sets").await, [""; 0], "{name}");
    }
    let read = tool.get(&format!("/Users/{comes}")).await.expect(200).json();
    let element = shown(&read, "entitlements", "PermissionSet").unwrap();
    assert!(element["value"].as_str().unwrap().starts_with("acme:"), "{element}");
    assert_eq!(element.get("org"), None, "it is nobody's business but Gangway's");
}

/// Employees and partners of one org: two Users of one person, one after the other.
const EMPLOYEE_AND_PARTNER: &str = r#"
[targets.employees]
object = "User"
when = 'user.userType != "Partner"'
strip = ["permission-set", "role", "feature-license"]

[targets.employees.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }

[targets.contacts]
object = "Contact"
when = 'user.userType == "Partner"'

[targets.contacts.fields]
LastName = 'user.name.familyName'
Email    = { from = 'emails[primary eq true].value' }
Account  = { by = "Code__c", value = 'user.organization' }

[targets.partners]
object = "User"
when = 'user.userType == "Partner"'

[targets.partners.fields]
Username          = 'username("p-" ~ user.userName)'
Email             = { from = 'emails[primary eq true].value' }
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }
ProfileId         = { default = "<profile:Customer Community User>", on = "create" }
ContactId         = { link = "contacts" }
"#;

async fn employee_and_partner() -> World {
    let org = format!("{ORG}\n{}", crate::targets::ORG);
    World::of_scene(&Scene::new(EMPLOYEE_AND_PARTNER, &org), |config| {
        table(config, "server").insert("answer-within".into(), "20s".into());
    })
    .await
}

async fn becomes(tool: &Tool, path: &str, user_type: &str) -> Answered {
    tool.patch(path, replace("userType", user_type)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_of_one_person_in_one_org_have_what_they_have_apart() {
    let world = employee_and_partner().await;
    let (tool, org) = (world.tool(), world.org());
    let mut ada = somebody("ada@acme.example", json!([{"value": "Dock_Reports"}]));
    ada["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({"organization": "Engines"});
    let id = tool.post("/Users", &ada).await.expect(201).id();
    let path = format!("/Users/{id}");
    let sets = async |name: &str| held(&org, name, "permission-sets").await;

    let _ = becomes(&tool, &path, "Partner").await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);
    assert_eq!(sets("ada@acme.example").await, [""; 0], "the employee is stripped");
    assert_eq!(sets("p-ada@acme.example").await, ["Dock_Reports"], "the partner has it");
    let _ = becomes(&tool, &path, "Employee").await.expect(200);
    assert_eq!(org.user("p-ada@acme.example").await["IsActive"], false);
    assert_eq!(sets("ada@acme.example").await, ["Dock_Reports"], "it is given back");
    // What nobody asks for any more is taken from whoever is here.
    let _ = tool.patch(&path, json!([{"op": "remove", "path": "entitlements"}])).await.expect(200);
    assert_eq!(sets("ada@acme.example").await, [""; 0]);
}
