//! What is read back, kept, held and claimed.

use e2e::{
    World,
    tool::person,
    world::{environment, table},
};
use serde_json::{Value, json};

use super::{impatient, on_update, path_of, replace, until};

const SERVER_UNAVAILABLE: &str = "SERVER_UNAVAILABLE";

async fn holds(world: &World) -> Vec<Value> {
    super::listed(&world.config_file(), "holds").await
}

async fn changes(world: &World) -> Vec<Value> {
    super::listed(&world.config_file(), "changes").await
}

/// What landed without an answer is what the next change is compared with.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_whose_answer_was_lost_can_be_taken_back() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let mut body = person("ada@acme.example");
    body["title"] = json!("Countess");
    let path = format!("/Users/{}", tool.post("/Users", &body).await.expect(201).id());
    org.fault(on_update("cut-after-commit", 1)).await;
    let _ = tool.patch(&path, replace("title", "Analyst")).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["Title"], "Analyst");
    let _ = tool.patch(&path, replace("title", "Countess")).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["Title"], "Countess");
}

/// The same for the state that matters most, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn someone_whose_return_was_not_answered_can_leave_again() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create("ada@acme.example").await.expect(201).id());
    for active in [false, true, false] {
        org.fault(on_update("cut-after-commit", 1)).await;
        let _ = tool.patch(&path, replace("active", active)).await.expect(200);
        assert_eq!(org.user("ada@acme.example").await["IsActive"], active);
        org.heal().await;
    }
}

/// However often a create is cut: once it has landed it is never given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_landed_at_the_last_try_is_kept() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault_on_create("cut-before-commit", 7).await;
    org.fault_on_create("cut-after-commit", 1).await;
    let answer = tool.create("ada@acme.example").await;
    assert!([201, 503].contains(&answer.status), "{}", answer.text);
    let path = path_of(&tool, "ada@acme.example").await;
    until("ada is recorded", async || {
        tool.get(&path).await.expect(200).json()["urn:gangway:params:scim:schemas:extension:2.0:User"]
            ["pending"]
            .is_null()
    })
    .await;
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// A step may have landed and the org will not let us look: the change stays, and is finished when it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_cannot_be_read_back_is_not_given_up() {
    let world = impatient().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault_on_create("cut-after-commit", 1).await;
    org.fault(json!({"method": "GET", "path": "/data/v*/query", "kind": "status", "status": 403,
        "error_code": "API_CURRENTLY_DISABLED"}))
        .await;
    let slow = tool.create("ada@acme.example").await.expect(503);
    assert!(slow.json()["detail"].as_str().unwrap().contains("goes on"), "{}", slow.text);
    let open = changes(&world).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["state"], "planned");
    org.heal().await;
    until("the change has ended", async || changes(&world).await.is_empty()).await;
    let _ = tool.create("ada@acme.example").await.expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
}

/// A record that Gangway made is Gangway's, also when it had to be found again: all that was written is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_was_read_back_is_known_as_well_as_one_that_was_answered() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    org.fault_on_create("cut-after-commit", 1).await;
    let id = tool.create("ada@acme.example").await.expect(201).id();
    let mut same = person("ada@acme.example");
    same["id"] = json!(id);
    let before = org.calls().await.api;
    let _ = tool.put(&format!("/Users/{id}"), &same).await.expect(200);
    let _ = tool.patch(&format!("/Users/{id}"), replace("nickName", "Ada")).await.expect(200);
    assert_eq!(org.calls().await.api, before, "nothing that Salesforce holds has changed");
}

/// Everybody who may do so sees what waits and what is to be decided, while the gateway runs.
#[tokio::test(flavor = "multi_thread")]
async fn open_changes_and_holds_are_listed_beside_a_running_gateway() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create("ada@acme.example").await.expect(201);
    assert!(changes(&world).await.is_empty() && holds(&world).await.is_empty());
    org.fault(json!({"method": "PATCH", "path": "/data/v*/sobjects/User", "kind": "status", "status": 503,
        "error_code": SERVER_UNAVAILABLE}))
        .await;
    let _ = tool.delete(&format!("/Users/{}", ada.id())).await.expect(503);
    let open = changes(&world).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["resource"], ada.id());
    assert_eq!(open[0]["takesAccessAway"], true);
    assert_eq!(open[0]["client"], "tool");
    assert!(open[0]["outcome"].is_null());

    let token = world.org_token().await;
    let record = org
        .make_user(
            &token,
            &json!({"Username": "boss@acme.example", "Email": "b@acme.example",
            "ProfileId": org.profile("System Administrator").await}),
        )
        .await;
    let _ = tool.create("boss@acme.example").await.expect(409);
    let held = holds(&world).await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0]["kind"], "protected-match");
    assert_eq!(held[0]["record"], record);
    org.heal().await;
    until("the leaver is done", async || changes(&world).await.is_empty()).await;
}

/// A hold ends when what it asked for was decided: here the second match got another Federation ID.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_closed_when_the_repeated_create_succeeds() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let _ = org.make_user(&token, &json!({"Username": "ada@acme.example", "Email": "a@acme.example"})).await;
    let other = org
        .make_user(
            &token,
            &json!({"Username": "old@acme.example", "Email": "b@acme.example", "FederationIdentifier": "E-1"}),
        )
        .await;
    let mut body = person("ada@acme.example");
    body["externalId"] = json!("E-1");
    let _ = tool.post("/Users", &body).await.expect(409);
    let _ = tool.post("/Users", &body).await.expect(409);
    assert_eq!(holds(&world).await.len(), 1, "the same question is asked once");
    org.update_user(&token, &other, &json!({"FederationIdentifier": "E-2"})).await;
    let _ = tool.post("/Users", &body).await.expect(201);
    assert!(holds(&world).await.is_empty());
}

/// Two identities that would be the same Salesforce user: the one whose record is being made keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_being_made_for_one_identity_is_not_adopted_by_another() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    org.fault_on_create("cut-after-commit", 1).await;
    // The one who made the record is slow to find it again.
    org.fault(
        json!({"method": "GET", "path": "/data/v*/query", "kind": "delay", "delay_ms": 1_500, "count": 1}),
    )
    .await;
    let with_number = |name: &str| {
        let mut body = person(name);
        body["externalId"] = json!("E-1");
        body
    };
    let ada = tokio::spawn({
        let (tool, body) = (tool.clone(), with_number("ada@acme.example"));
        async move { tool.post("/Users", &body).await }
    });
    until("ada has landed", async || org.users("ada@acme.example").await.len() == 1).await;
    let refused = tool.post("/Users", &with_number("bob@acme.example")).await.expect(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("belongs to another one already"), "{refused}");
    let _ = ada.await.unwrap().expect(201);
    assert_eq!(org.users("ada@acme.example").await.len(), 1);
    assert!(org.users("bob@acme.example").await.is_empty());
}

/// A tenant with a mapping of its own: the file has to outlive the world.
async fn mapped(mapping: &str, change: impl FnOnce(&mut toml::Table)) -> (World, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    let world = World::with(|config| {
        let file = file.to_str().unwrap();
        environment(config).insert("mapping".into(), file.into());
        change(config);
    })
    .await;
    (world, directory)
}

const FIELDS: &str = r#"
[targets.users.fields]
Username             = 'username(user.userName)'
FederationIdentifier = 'user.externalId'
Email                = 'email(user)'
FirstName            = 'user.name.givenName'
LastName             = 'family_name(user)'
Alias                = { value = 'alias(user)', on = "create" }
Title                = 'user.title'
TimeZoneSidKey       = { default = "GMT" }
LocaleSidKey         = { default = "en_US" }
LanguageLocaleKey    = { default = "en_US" }
EmailEncodingKey     = { default = "UTF-8" }
"#;

/// Matched by e-mail address, renamed by the adoption, and the answer lost: still one person.
#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_whose_answer_was_lost_makes_no_second_record() {
    let head = "[targets.users]\nobject = \"User\"\nmatch = [\"Email\"]\nallow = [\"create\", \"update\", \"disable\", \"deprovision\"]\n";
    let (world, _mapping) = mapped(&format!("{head}{FIELDS}"), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let id =
        org.make_user(&token, &json!({"Username": "old@acme.example", "Email": "ada@acme.example"})).await;
    org.fault(on_update("cut-before-commit", 1)).await;
    let _ = tool.create("ada@acme.example").await.expect(201);
    let people: Vec<_> = org.records("User").await;
    let hers: Vec<_> = people.iter().filter(|user| user["Email"] == "ada@acme.example").collect();
    assert_eq!(hers.len(), 1);
    assert_eq!(hers[0]["Id"], id);
    assert_eq!(hers[0]["Username"], "ada@acme.example");
}

/// Whoever falls out of the target loses access, also when few API calls are left.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_turns_out_to_take_access_away_passes_the_reserve() {
    let head = "[targets.users]\nobject = \"User\"\nwhen = 'user.userType != \"Customer\"'\n";
    let (world, _mapping) = mapped(&format!("{head}{FIELDS}"), |config| {
        table(table(config, "orgs"), "acme").insert("reserve-calls".into(), 1_000.into());
    })
    .await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create("ada@acme.example").await.expect(201).id());
    org.switch(json!({"daily-api-requests": 900})).await;
    // Any call tells how few are left.
    let _ = tool.patch(&path, replace("title", "Countess")).await;
    let _ = tool.create("bob@acme.example").await.expect(503);
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], false);
}

/// A tenant's protected user is not touched, even if it was linked before it was named.
#[tokio::test(flavor = "multi_thread")]
async fn a_linked_user_who_is_protected_later_is_left_alone() {
    let mut world = World::start().await;
    let path = format!("/Users/{}", world.tool().create("ada@acme.example").await.expect(201).id());
    let mut config: toml::Table = std::fs::read_to_string(world.config_file()).unwrap().parse().unwrap();
    environment(&mut config).insert("protected".into(), toml::Value::Array(vec!["ada@acme.example".into()]));
    std::fs::write(world.config_file(), config.to_string()).unwrap();
    world.restart().await;
    let (tool, org) = (world.tool(), world.org());
    let refused = tool.patch(&path, replace("active", false)).await.expect(403);
    assert!(refused.text.contains("protected"), "{}", refused.text);
    let _ = tool.delete(&path).await.expect(403);
    assert_eq!(org.user("ada@acme.example").await["IsActive"], true);
}

/// The end and the deadline fall together: whoever is told 503 gets the 201 by asking again, and nobody gets it twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_at_the_very_deadline_is_heard_once() {
    let world = impatient().await;
    let (tool, org) = (world.tool(), world.org());
    let _ = tool.create("first@acme.example").await.expect(201);
    // Twice as long as a caller waits, and a little less: who has joined meets the end at its own deadline.
    org.fault(json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 1_985, "count": 24}))
        .await;
    let people: Vec<_> = (0..24).map(|n| format!("p{n}@acme.example")).collect();
    let told = people.iter().map(|name| {
        let tool = tool.clone();
        async move {
            let mut answer = tool.create(name).await;
            let mut heard = Vec::new();
            while answer.status == 503 {
                heard.push(answer.json()["detail"].clone());
                answer = tool.create(name).await;
            }
            assert_eq!(answer.status, 201, "{name}: {}, after {heard:?}", answer.json());
            answer.expect(201).id()
        }
    });
    let told = futures::future::join_all(told).await;
    for (name, id) in people.iter().zip(told) {
        let found = tool.find_users(&format!("userName eq \"{name}\"")).await.expect(200).json();
        assert_eq!(found["Resources"][0]["id"], id, "{name}");
        let _ = tool.create(name).await.expect(409);
    }
}
