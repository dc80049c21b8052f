//! `gangway explain` and `gangway tasks`, beside a running gateway.

use crate::world::{World, complaint, json};
use serde_json::Value;

const MAPPING: &str = r#"[targets.staff]
object = "User"
[targets.staff.fields]
Username = 'username(user.userName)'
LastName = 'family_name(user)'
FirstName = 'user.name.givenName'
Alias = { value = 'alias(user)', on = "create" }
Email = 'email(user)'
TimeZoneSidKey = { default = "GMT" }
LocaleSidKey = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey = { default = "UTF-8" }
"#;

async fn world() -> World {
    let world = World::start().await;
    world.write("acme.toml", MAPPING);
    world.write(
        "gangway.toml",
        &world.config().replace("username-domain", "mapping = \"acme.toml\"\nusername-domain"),
    );
    world
}

#[tokio::test]
async fn a_value_leads_to_its_rule_its_attribute_and_the_request_that_wrote_it() {
    let world = world().await;
    let served = world.serve();
    let created: Value = served.create("ada@acme.example").await.json().await.unwrap();
    let id = created["id"].as_str().unwrap();
    let user = world.org.handle().user("ada@acme.example").unwrap();
    // No secret is needed to look.
    std::fs::remove_file(world.path("client-secret")).unwrap();
    for whom in [id, "ADA@acme.example", user["Id"].as_str().unwrap()] {
        let output = world.run(&["explain", whom, "firstname", "--output", "json"]);
        assert_eq!(output.status.code(), Some(0), "{whom}: {}", complaint(&output));
        let shown = json(&output);
        assert_eq!(shown["identity"], id);
        let field = &shown["fields"][0];
        assert_eq!((&field["field"], &field["written"]), (&"FirstName".into(), &"Ada".into()));
        assert_eq!(
            (&field["rule"]["line"], &field["rule"]["attribute"]),
            (&6.into(), &"name.givenName".into())
        );
        assert_eq!(field["attributeValues"], serde_json::json!(["Ada"]));
        assert_eq!(
            (&field["writes"][0]["client"], &field["writes"][0]["action"]),
            (&"entra".into(), &"create".into())
        );
        assert!(field["writes"][0]["change"].is_string(), "{field}");
    }
    let table = world.run(&["explain", id, "staff.FirstName"]);
    let table = String::from_utf8(table.stdout).unwrap();
    for words in [
        "staff.FirstName of",
        "acme.toml:6  FirstName = 'user.name.givenName'",
        "name.givenName, now Ada",
        "by entra (create",
    ] {
        assert!(table.contains(words), "{words} is missing in\n{table}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let world = world().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    let output = world.run(&["explain", "eve@acme.example", "Title"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("there is no identity `eve@acme.example`"), "{}", complaint(&output));
    let output = world.run(&["explain", "ada@acme.example", "Fax"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("no rule fills it; the identity's records: staff (User 005"),
        "{}",
        complaint(&output)
    );
    let output = world.run(&["explain", "ada@acme.example", "Title", "--tenant", "acme/test"]);
    assert!(complaint(&output).contains("the tenant acme/test is not configured; there are: acme/prod"));
}

#[tokio::test]
async fn nothing_is_owed_where_everything_is_done() {
    let world = world().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    assert_eq!(json(&world.run(&["tasks", "--output", "json"]))["tasks"], serde_json::json!([]));
    let table = world.run(&["tasks", "--tenant", "acme/prod"]);
    assert_eq!(String::from_utf8(table.stdout).unwrap(), "Nothing is owed.\n");
}

#[tokio::test]
async fn what_rules_give_an_identity_is_shown_beside_its_ledger() {
    let world = world().await;
    let rules = "[[grants]]\nname = \"sales\"\nwhen = 'user.userName is startingwith(\"ada\")'\nuntil = 2099-01-01\nqueues = [\"Leads\"]\n";
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    // The rule is new: it says what the identity would get with its next change.
    world.write("acme.toml", &format!("{MAPPING}{rules}"));
    let output = world.run(&["explain", "ada@acme.example", "grants", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let shown = json(&output);
    let rule = &shown["rules"][0];
    assert_eq!((&rule["ruled"]["name"], &rule["ruled"]["rule"]), (&"Leads".into(), &"sales".into()));
    assert_eq!(rule["rule"]["line"], 13, "{shown}");
    assert!(shown["ledger"].is_array(), "{shown}");
    let table = String::from_utf8(world.run(&["explain", "ada@acme.example", "grants"]).stdout).unwrap();
    for words in ["queue:Leads", "every target of Users", "sales (", "2099-01-01T00:00:00Z"] {
        assert!(table.contains(words), "{words} is missing in\n{table}");
    }
}
