//! `gangway preview`, and the tests beside a mapping that `gangway check` runs.

use std::path::{Path, PathBuf};

use crate::world::{World, complaint, gangway, json};

const MAPPING: &str = r#"[targets.staff]
object = "User"
when = 'user.userType != "Customer"'

[targets.staff.fields]
Username = 'username(user.userName)'
LastName = 'family_name(user)'
Alias = { value = 'alias(user)', on = "create" }
Email = 'email(user)'
Title = 'user.title'
TimeZoneSidKey = { value = 'timezone(user.timezone)', default = "GMT" }
LocaleSidKey = { value = 'locale(user.locale)', default = "en_US" }
LanguageLocaleKey = { value = 'language(user.locale)', default = "en_US" }
EmailEncodingKey = { default = "UTF-8" }
Badge__c = 'user.employeeNumber'
"#;

const ADA: &str = r#"{"userName": "ada@acme.example", "name": {"familyName": "Lovelace"}, "locale": "nl-BE",
    "timezone": "Romance Standard Time", "employeeNumber": "E1", "lcale": "nl"}"#;

/// A directory with a mapping and a person.
fn place(mapping: &str, person: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("acme.toml"), mapping).unwrap();
    std::fs::write(directory.path().join("ada.json"), person).unwrap();
    directory
}

fn run(directory: &Path, arguments: &[&str]) -> std::process::Output {
    gangway(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn a_preview_shows_values_with_their_rules_and_what_was_adapted() {
    let directory = place(MAPPING, ADA);
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let shown = json(&output);
    let staff = &shown["targets"][0];
    assert_eq!(
        (&staff["target"], &staff["holds"], &staff["why"]),
        (&"staff".into(), &true.into(), &"when".into())
    );
    let field = |name: &str| {
        let fields = staff["fields"].as_array().unwrap();
        fields
            .iter()
            .find(|field| field["field"] == name)
            .unwrap_or_else(|| panic!("{name}: {staff}"))
            .clone()
    };
    let locale = field("LocaleSidKey");
    assert_eq!(locale["value"], "nl_BE");
    assert_eq!((&locale["rule"]["line"], &locale["rule"]["attribute"]), (&12.into(), &"locale".into()));
    assert_eq!(
        locale["rule"]["text"],
        r#"LocaleSidKey = { value = 'locale(user.locale)', default = "en_US" }"#
    );
    assert!(field("Title")["value"].is_null(), "it would be emptied");
    assert_eq!((&field("Badge__c")["value"], &field("Badge__c")["checked"]), (&"E1".into(), &false.into()));
    assert!(staff["notes"].to_string().contains("alias-made"), "{staff}");
    assert_eq!(shown["unknownAttributes"], serde_json::json!(["lcale"]));
    let table = run(directory.path(), &["preview", "acme.toml", "ada.json", "--action", "update"]);
    let table = String::from_utf8(table.stdout).unwrap();
    for words in [
        "staff (User): held, its `when` is true",
        "acme.toml:3  when = 'user.userType != \"Customer\"'",
        "acme.toml:12",
        "Badge__c *",
        "SCIM users have no attribute `lcale`",
        "standard fields",
    ] {
        assert!(table.contains(words), "{words} is missing in\n{table}");
    }
    assert!(!table.contains("Alias"), "it is only given when the record is made:\n{table}");
}

#[test]
fn what_salesforce_would_refuse_ends_with_4() {
    let long = "x".repeat(81);
    let directory = place(MAPPING, &ADA.replace("E1", "E2").replace("Lovelace", &long));
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json", "--output", "json"]);
    assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
    let refusal = &json(&output)["targets"][0]["refusals"][0];
    assert_eq!((&refusal["field"], &refusal["kind"]), (&"LastName".into(), &"too-long".into()));
}

#[test]
fn whoever_does_not_hold_a_target_is_shown_as_such() {
    let customer = r#"{"userName": "eve", "userType": "Customer"}"#;
    let directory = place(MAPPING, customer);
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json"]);
    assert_eq!(output.status.code(), Some(0), "nothing is written, so nothing is refused");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("staff (User): not held") && !table.contains("LastName"), "{table}");
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json", "--target", "crew"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("no target `crew`; it has: staff"));
}

#[test]
fn a_wrong_mapping_or_person_is_refused_with_its_place() {
    let directory = place(&MAPPING.replace("user.locale)', d", "user.lcale)', d"), "{");
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json"]);
    assert_eq!(output.status.code(), Some(3));
    let words = complaint(&output);
    assert!(words.contains("acme.toml:12:") && words.contains("did you mean `user.locale`?"), "{words}");
    let directory = place(MAPPING, "{");
    let output = run(directory.path(), &["preview", "acme.toml", "ada.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("ada.json: this is no JSON"), "{}", complaint(&output));
}

#[tokio::test]
async fn with_a_configuration_the_org_itself_is_asked() {
    let world = World::start().await;
    world.write("acme.toml", MAPPING);
    world.write("ada.json", ADA);
    let arguments = ["preview", "acme.toml", "ada.json", "--config", "gangway.toml", "--output", "json"];
    let output = run(world.directory.path(), &arguments);
    let staff = json(&output)["targets"][0].clone();
    assert_eq!(output.status.code(), Some(4), "{staff}");
    assert_eq!(staff["against"]["org"], "acme");
    assert_eq!(staff["refusals"][0]["field"], "Badge__c", "this org has no such field");
    assert_eq!(
        world.org.handle().records("User").len(),
        World::start().await.org.handle().records("User").len()
    );
}

const CASES: &str = r#"
[[test]]
name = "a joiner from Antwerp"
person = { userName = "ada@acme.example", name = { familyName = "Lovelace" }, locale = "nl-BE" }
expect.holds = true
expect.fields = { LocaleSidKey = "nl_BE", TimeZoneSidKey = "GMT" }
expect.notes = ["alias-made", "email-from-user-name", "language-adapted"]
"#;

const RULES: &str = r#"
[[grants]]
name = "sales"
when = 'member_of(user, "Sales EMEA")'
permission-sets = ["Sales_Ops"]
profile = "Standard User"
until = 2099-01-01

[[grants]]
queues = ["No such queue"]
"#;

#[tokio::test]
async fn a_preview_shows_what_the_rules_grant_and_whether_the_org_has_it() {
    let world = World::start().await;
    let mapping = MAPPING.replace("Badge__c = 'user.employeeNumber'\n", "");
    let directory = place(&format!("{mapping}{RULES}"), ADA);
    let arguments = ["preview", "acme.toml", "ada.json", "--output", "json"];
    let alone = json(&run(directory.path(), &arguments));
    let grants = alone["targets"][0]["grants"].as_array().unwrap();
    assert_eq!(grants.len(), 1, "nobody is a member of anything: {alone}");
    assert_eq!(grants[0]["rule"], "grant 2");

    let member = [&arguments[..], &["--member-of", "sales emea"]].concat();
    let output = run(directory.path(), &member);
    assert_eq!(output.status.code(), Some(0), "without an org nobody knows");
    let sales = &json(&output)["targets"][0]["grants"][0];
    assert_eq!((&sales["kind"], &sales["name"]), (&"permission-set".into(), &"Sales_Ops".into()));
    assert_eq!((&sales["rule"], &sales["until"]), (&"sales".into(), &"2099-01-01T00:00:00Z".into()));
    assert!(sales["place"]["line"].as_u64().unwrap() > 10 && sales["offered"].is_null(), "{sales}");
    let table = run(directory.path(), &[&member[..3], &["--member-of", "Sales EMEA"]].concat());
    let table = String::from_utf8(table.stdout).unwrap();
    for words in
        ["permission-set:Sales_Ops", "sales (acme.toml:", "2099-01-01T00:00:00Z", "(not asked)", "for good"]
    {
        assert!(table.contains(words), "{words} is missing in\n{table}");
    }

    let config = world.path("gangway.toml");
    let output = run(directory.path(), &[&member[..], &["--config", config.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(4), "the org has no such queue: {}", complaint(&output));
    let grants = json(&output)["targets"][0]["grants"].clone();
    let offered = |kind: &str| {
        let of_kind = grants.as_array().unwrap().iter().find(|grant| grant["kind"] == kind);
        of_kind.unwrap_or_else(|| panic!("{kind} is missing in {grants}"))["offered"].clone()
    };
    assert!(offered("profile")["one"]["id"].as_str().unwrap().starts_with("00e"), "{grants}");
    assert_eq!(offered("queue"), "nothing");
}

#[test]
fn the_tests_beside_a_mapping_run_without_a_configuration() {
    let directory = place(MAPPING, ADA);
    std::fs::write(directory.path().join("acme.test.toml"), CASES).unwrap();
    let output = run(directory.path(), &["check", "--mapping", "acme.toml", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", json(&output));
    assert!(json(&output).to_string().contains("acme.test.toml: 1 test passed"), "{}", json(&output));
    std::fs::write(directory.path().join("acme.test.toml"), CASES.replace("nl_BE", "nl_NL")).unwrap();
    let output = run(directory.path(), &["check", "--mapping", "acme.toml", "--output", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let failed =
        "acme.test.toml:6: a joiner from Antwerp: LocaleSidKey: expected \\\"nl_NL\\\", found \\\"nl_BE\\\"";
    assert!(json(&output).to_string().contains(failed), "{}", json(&output));
}

#[tokio::test]
async fn check_runs_the_tests_of_a_tenant_whether_its_org_answers_or_not() {
    let world = World::start().await;
    world.write("acme.toml", &MAPPING.replace("Badge__c = 'user.employeeNumber'\n", ""));
    world.write("acme.test.toml", &CASES.replace("nl_BE", "nl_NL"));
    world.write(
        "gangway.toml",
        &world.config().replace("username-domain", "mapping = \"acme.toml\"\nusername-domain"),
    );
    let words = json(&world.run(&["check", "--output", "json"])).to_string();
    assert!(
        words.contains("its mapping fits User") && words.contains("acme.test.toml:6: a joiner"),
        "{words}"
    );
    // Nobody listens there.
    let config = std::fs::read_to_string(world.path("gangway.toml")).unwrap();
    world.write("gangway.toml", &config.replace(&world.org.url(), "http://127.0.0.1:9"));
    let output = world.run(&["check", "--output", "json"]);
    let words = json(&output).to_string();
    assert!(words.contains("acme.test.toml:6: a joiner") && !words.contains("its mapping fits"), "{words}");
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn every_mapping_of_the_examples_passes_its_tests() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut tested = 0;
    for tool in std::fs::read_dir(&examples).unwrap() {
        let files = std::fs::read_dir(tool.unwrap().path()).unwrap();
        let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let Some(stem) = name.strip_suffix(".test.toml") else { continue };
            let mapping = file.with_file_name(format!("{}.toml", stem.split('.').next().unwrap()));
            let output = gangway(&["check", "--output", "json", "--mapping"]).arg(&mapping).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}: {}", mapping.display(), json(&output));
            tested += 1;
        }
    }
    assert!(tested > 0, "there are tests beside mappings in {}", examples.display());
}
