//! Several targets at once, in one org and in several: what is required, what is owed, and what costs nothing.

use e2e::{Org, Scene, World, world::table};
use serde_json::{Value, json};

use super::{
    ORG, PROMOTIONS, calls, command, contacts, leads, linked, replace, set_title, someone, text, warned,
};
use crate::faults::{listed, until};

const STAFF: &str = r#"
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
"#;

/// Everybody is a user in `acme`, a contact in `beta`.
fn two_orgs(keys: &str) -> Scene {
    let mapping = format!(
        "[targets.staff]\norg = \"acme\"\nobject = \"User\"\n{STAFF}\n{}",
        contacts(&format!(
            "org = \"beta\"\nallow = [\"create\", \"update\", \"delete\"]\non-leave = \"delete\"\n{keys}"
        ))
    );
    Scene { other_orgs: vec!["beta".to_owned()], ..Scene::new(&mapping, ORG) }
}

async fn impatient(scene: &Scene) -> World {
    World::of_scene(scene, |config| {
        table(config, "server").insert("answer-within".into(), "1s".into());
    })
    .await
}

/// Nobody gets through to the org's records.
async fn away(org: &Org) {
    for method in ["POST", "PATCH", "DELETE"] {
        org.fault(json!({"method": method, "path": "/data", "kind": "status", "status": 503, "error_code": "SERVER_UNAVAILABLE"}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_a_lead_and_a_contact_and_a_user_and_a_repeated_put_costs_nothing() {
    let keys = "allow = [\"create\", \"update\"]\nduplicates = \"allow\"";
    let mapping = format!("[targets.staff]\nobject = \"User\"\n{STAFF}\n{}\n{}", leads(keys), contacts(keys));
    let world = World::of_scene(&Scene::new(&mapping, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    for object in ["User", "Lead", "Contact"] {
        assert_eq!(
            text(&org.one(object, "Email", "ada@acme.example").await, "Title"),
            "Countess",
            "{object}"
        );
    }
    for object in ["Lead", "Contact"] {
        assert_eq!(text(&org.one(object, "Email", "ada@acme.example").await, "GangwayId__c"), id);
    }
    assert_eq!(linked(&tool, &path).await.as_array().map(Vec::len), Some(3));
    let before = calls(&org).await;
    let shown = tool.get(&path).await.expect(200).json();
    let again = tool.put(&path, &shown).await.expect(200);
    assert_eq!(again.json()["meta"]["version"], shown["meta"]["version"]);
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    let _ = tool.patch(&path, replace("nickName", "Ada")).await.expect(200);
    assert_eq!(calls(&org).await, before, "nothing that Salesforce holds has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_have_a_record_in_each_of_two_orgs() {
    let world = World::of_scene(&two_orgs(""), |_| ()).await;
    let (tool, acme, beta) = (world.tool(), world.org(), world.other_org(0));
    let id = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let path = format!("/Users/{id}");
    assert_eq!(text(&beta.one("Contact", "Email", "ada@acme.example").await, "GangwayId__c"), id);
    assert!(acme.records("Contact").await.is_empty());
    assert!(beta.users("ada@acme.example").await.is_empty());
    let _ = acme.user("ada@acme.example").await;
    let before = (calls(&acme).await, calls(&beta).await);
    let shown = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &shown).await.expect(200);
    assert_eq!((calls(&acme).await, calls(&beta).await), before);
    let _ = tool.delete(&path).await.expect(204);
    assert_eq!(acme.user("ada@acme.example").await["IsActive"], false);
    assert!(beta.records("Contact").await.is_empty());
}

/// A required one decides the answer; what landed elsewhere is kept, and the rest follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_required_target_whose_org_is_away_decides_the_answer() {
    let world = impatient(&two_orgs("")).await;
    let (tool, acme, beta) = (world.tool(), world.org(), world.other_org(0));
    let id = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let path = format!("/Users/{id}");
    away(&beta).await;
    let refused = tool.patch(&path, set_title("Countess")).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("customers") || refused.text.contains("goes on"), "{}", refused.text);
    until("acme has it", async || acme.user("ada@acme.example").await["Title"] == "Countess").await;
    beta.heal().await;
    let mut answer = tool.patch(&path, set_title("Countess")).await;
    for _ in 0..50 {
        if answer.status != 503 {
            break;
        }
        answer = tool.patch(&path, set_title("Countess")).await;
    }
    let _ = answer.expect(200);
    until("beta has it", async || {
        beta.one("Contact", "Email", "ada@acme.example").await["Title"] == "Countess"
    })
    .await;
}

/// An org that is away and need not be there: the answer is success with a warning, and what is owed is done later.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_required_is_owed_while_its_org_is_away() {
    let world = World::of_scene(&two_orgs("required = false"), |_| ()).await;
    let (tool, acme, beta) = (world.tool(), world.org(), world.other_org(0));
    let _ = tool.post("/Users", &someone("first@acme.example", "Employee")).await.expect(201);
    away(&beta).await;
    let ada = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201);
    warned(&ada, "target-failed");
    let _ = acme.user("ada@acme.example").await;
    assert!(beta.find("Contact", "Email", "ada@acme.example").await.is_empty());
    let config = world.config_file();
    let owed = listed(&config, "tasks").await;
    assert_eq!(owed.len(), 1, "{owed:?}");
    assert_eq!((&owed[0]["identity"], &owed[0]["target"]), (&json!(ada.id()), &json!("customers")));
    // She changes meanwhile: what is done in the end is what holds then.
    let changed = tool.patch(&format!("/Users/{}", ada.id()), set_title("Countess")).await.expect(200);
    warned(&changed, "target-failed");
    assert_eq!(listed(&config, "tasks").await.len(), 1, "one debt, not two");
    beta.heal().await;
    let _ = tool.patch(&format!("/Users/{}", ada.id()), set_title("Analyst")).await.expect(200);
    until("the contact is there", async || {
        beta.find("Contact", "Email", "ada@acme.example").await.len() == 1
    })
    .await;
    assert_eq!(text(&beta.one("Contact", "Email", "ada@acme.example").await, "Title"), "Analyst");
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
}

/// What one org refuses for good is an error that names the target, and the other org's part is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_one_org_names_its_target_and_keeps_what_landed_in_the_other() {
    let mut scene = two_orgs("");
    scene.org_file.push_str(
        "[[validation-rules]]\nobject = \"Contact\"\nwhen = \"Title = 'Forbidden'\"\nmessage = \"Not with that title.\"\nfield = \"Title\"\n",
    );
    let world = World::of_scene(&scene, |_| ()).await;
    let (tool, acme, beta) = (world.tool(), world.org(), world.other_org(0));
    let id = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let refused = tool.patch(&path, set_title("Forbidden")).await;
    assert!((400..500).contains(&refused.status), "{} {}", refused.status, refused.text);
    assert!(refused.text.contains("Not with that title."), "{}", refused.text);
    assert!(refused.text.contains("customers"), "{}", refused.text);
    assert_eq!(acme.user("ada@acme.example").await["Title"], "Forbidden", "what landed is kept");
    assert_eq!(beta.one("Contact", "Email", "ada@acme.example").await["Title"], Value::Null);
    // What is allowed again is done everywhere, and nothing is owed.
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    assert_eq!(text(&beta.one("Contact", "Email", "ada@acme.example").await, "Title"), "Countess");
    let config = world.config_file();
    until("nothing is owed", async || listed(&config, "tasks").await.is_empty()).await;
}

/// Two targets of one object in one org: the first in the file has the record, the other says so.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_targets_for_one_record_the_first_counts() {
    let second = contacts("allow = [\"create\", \"update\"]").replace("targets.customers", "targets.others");
    let mapping = format!("{}\n{second}", contacts("allow = [\"create\", \"update\"]"));
    let world = World::of_scene(&Scene::new(&mapping, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let made = tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201);
    warned(&made, "target-shadowed");
    assert_eq!(org.records("Contact").await.len(), 1);
}

/// When a person moves from one to the other, the record stays and belongs to the other.
#[tokio::test(flavor = "multi_thread")]
async fn between_two_targets_of_one_object_the_record_stays() {
    let keys = |kind: &str| {
        format!(
            "when = 'user.userType == \"{kind}\"'\nallow = [\"create\", \"update\", \"delete\"]\non-leave = \"delete\""
        )
    };
    let gold = contacts(&keys("Gold")).replace("targets.customers", "targets.gold");
    let mapping = format!("{gold}\nDepartment = '\"Gold\"'\n{}", contacts(&keys("Silver")));
    let world = World::of_scene(&Scene::new(&mapping, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!(
        "/Users/{}",
        tool.post("/Users", &someone("ada@acme.example", "Silver")).await.expect(201).id()
    );
    let before = org.one("Contact", "Email", "ada@acme.example").await;
    let _ = tool.patch(&path, replace("userType", "Gold")).await.expect(200);
    let after = org.one("Contact", "Email", "ada@acme.example").await;
    assert_eq!(after["Id"], before["Id"]);
    assert_eq!(after["Department"], "Gold");
}

/// The org has another set of fields by now: a target that was taken out of the mapping lets go of nothing by itself.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_removed_target_stay_until_somebody_applies_the_plan() {
    let keys = "allow = [\"create\", \"update\", \"delete\"]\non-leave = \"delete\"\nduplicates = \"allow\"";
    let staff = format!("[targets.staff]\nobject = \"User\"\n{STAFF}\n");
    let world = World::of_scene(&Scene::new(&format!("{staff}{}", contacts(keys)), ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!(
        "/Users/{}",
        tool.post("/Users", &someone("ada@acme.example", "Employee")).await.expect(201).id()
    );
    let contact = org.one("Contact", "Email", "ada@acme.example").await;
    world.remap(&staff).await;
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    assert_eq!(text(&org.user("ada@acme.example").await, "Title"), "Countess");
    let left = org.one("Contact", "Email", "ada@acme.example").await;
    assert_eq!((&left["Id"], &left["Title"]), (&contact["Id"], &Value::Null), "it is nobody's to change");

    let config = world.config_file();
    let file = config.with_file_name("plan.json");
    let file = file.to_str().unwrap();
    let (done, plan) = command(&config, &["plan", "--all", "--out", file]).await;
    assert!(done, "{plan}");
    assert!(plan.contains(text(&contact, "Id")), "{plan}");
    assert_eq!(org.records("Contact").await.len(), 1, "a plan changes nothing");
    let (done, said) = command(&config, &["apply", "--yes", file]).await;
    assert!(done, "{said}");
    until("the contact is gone", async || org.records("Contact").await.is_empty()).await;
    let _ = tool.get(&path).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

/// The rule goes, and comes back: nothing happened meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_comes_back_has_its_records_as_before() {
    let world = World::of_scene(&Scene::new(PROMOTIONS, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!(
        "/Users/{}",
        tool.post("/Users", &someone("ada@acme.example", "Customer")).await.expect(201).id()
    );
    let contact = org.one("Contact", "Email", "ada@acme.example").await;
    let without = PROMOTIONS.split("[targets.customers]").next().unwrap();
    world.remap(without).await;
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    world.remap(PROMOTIONS).await;
    let _ = tool.patch(&path, set_title("Analyst")).await.expect(200);
    let back = org.one("Contact", "Email", "ada@acme.example").await;
    assert_eq!((&back["Id"], &back["Title"]), (&contact["Id"], &json!("Analyst")));
}
