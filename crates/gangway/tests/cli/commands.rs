//! The other commands: what they print, and how they end.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::world::{World, complaint, gangway, is_empty, json};
use serde_json::Value;

#[test]
fn a_token_is_printed_once_with_what_the_configuration_keeps() {
    let token = json(&gangway(&["token", "new", "--output", "json"]).output().unwrap());
    assert!(token["token"].as_str().unwrap().starts_with("gw_"));
    assert_eq!(token["token-sha256"].as_str().unwrap().len(), 64);
    let table = gangway(&["token", "new"]).output().unwrap();
    assert!(String::from_utf8(table.stdout).unwrap().contains("token-sha256 = [\""));
}

#[test]
fn a_password_is_made_or_read_and_only_its_hash_is_kept() {
    let made = json(&gangway(&["token", "password", "--output", "json"]).output().unwrap());
    assert!(made["password"].as_str().unwrap().len() >= 43);
    made["argon2"].as_str().unwrap().parse::<scim_server::PasswordHash>().unwrap();

    let hash = |input: &str| {
        let mut command = gangway(&["token", "password", "--stdin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let table = String::from_utf8(hash("Winter!2026\r\n").stdout).unwrap();
    assert!(table.contains("password-argon2 = [\"$argon2id$") && !table.contains("Winter"), "{table}");
    let empty = hash("\n");
    assert_eq!(empty.status.code(), Some(1));
    assert!(complaint(&empty).contains("no password"));
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_3_and_says_where() {
    let world = World::start().await;
    world.write("gangway.toml", &world.config().replace("username-domain", "username_domain"));
    for command in ["serve", "check", "changes", "holds", "tasks"] {
        let output = world.run(&[command]);
        assert_eq!(output.status.code(), Some(3), "{command}");
        let words = complaint(&output);
        assert!(
            words.contains(
                "gangway.toml:15:1: unknown key `username_domain` (did you mean `username-domain`?)"
            ),
            "{words}"
        );
    }
    let output = world.run(&["check", "--output", "json"]);
    let errors: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&errors["errors"][0]["line"], &errors["errors"][0]["column"]), (&15.into(), &1.into()));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    assert_eq!(gangway(&["sail"]).output().unwrap().status.code(), Some(2));
    assert_eq!(gangway(&["serve"]).output().unwrap().status.code(), Some(2));
    assert_eq!(gangway(&["--version"]).output().unwrap().status.code(), Some(0));
}

#[tokio::test]
async fn an_org_that_agrees_passes_the_check() {
    let world = World::start().await;
    let output = world.run(&["check", "--output", "json"]);
    let findings = json(&output);
    let words = findings.to_string();
    assert_eq!(output.status.code(), Some(0), "{words}");
    for expected in [
        "signed in to 00D",
        "its mapping fits User",
        "new users get the profile Standard User",
        "seats are free",
        "simulated",
    ] {
        assert!(words.contains(expected), "{expected} is missing in {words}");
    }
    // The first refresh token was used, and what the org gave in its place is kept for `serve`.
    assert_eq!(world.run(&["check"]).status.code(), Some(0));
}

#[tokio::test]
async fn an_org_that_does_not_agree_is_shown_with_what_to_do() {
    let world = World::start().await;
    world.write("mapping.toml", "[targets.users]\nobject = \"User\"\n[targets.users.fields]\nUsername = 'username(user.userName)'\nNickname__c = 'user.nickName'\n");
    let config = world.config().replace(
        "username-domain",
        "mapping = \"mapping.toml\"\ndefault-profile = \"Stowaway\"\nusername-domain",
    );
    world.write("gangway.toml", &config);
    let output = world.run(&["check", "--output", "json"]);
    let words = json(&output).to_string();
    assert_eq!(output.status.code(), Some(4), "{words}");
    for expected in
        ["there is no profile `Stowaway`", "Nickname__c", "mapping.toml:5:", "Setup > Users > Profiles"]
    {
        assert!(words.contains(expected), "{expected} is missing in {words}");
    }
}

/// Joiners, seats and the names in rules, against what the org offers.
#[tokio::test]
async fn the_check_looks_at_what_the_org_offers_and_how_long_the_seats_last() {
    let world = World::start().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    assert_eq!(served.stop(), Some(0));
    let words = json(&world.run(&["check", "--output", "json"])).to_string();
    assert!(words.contains("1 identity was made in the last 30 days"), "{words}");
    assert!(words.contains("licence Salesforce: ") && words.contains("the free seats last"), "{words}");

    let mapping =
        "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nUsername = 'username(user.userName)'\n";
    let rules = r#"
[[grants]]
profile = "System Administrator"
permission-sets = ["No_such_set"]
[[groups.publish]]
kinds = ["territory"]
"#;
    world.write("mapping.toml", &format!("{mapping}{rules}"));
    let keys = "mapping = \"mapping.toml\"\ndefault-profile = \"\"\nusername-domain";
    world.write("gangway.toml", &world.config().replace("username-domain", keys));
    let output = world.run(&["check", "--output", "json"]);
    let words = json(&output).to_string();
    assert_eq!(output.status.code(), Some(4), "{words}");
    for expected in [
        "mapping.toml:8:20: the org acme has no permission-set `No_such_set`",
        "mapping.toml:7:11: the profile `System Administrator` gives Modify All Data",
        "the org acme has no territory, so this publishes nothing",
    ] {
        assert!(words.contains(expected), "{expected} is missing in {words}");
    }
    assert!(!words.contains("new users get the profile"), "the rule gives them one: {words}");
}

#[tokio::test]
async fn a_version_that_the_org_does_not_offer_is_named_with_one_that_it_does() {
    let world = World::start().await;
    world.write("gangway.toml", &world.config().replace("client-id", "api-version = \"12.0\"\nclient-id"));
    let output = world.run(&["check", "--output", "json"]);
    let words = json(&output).to_string();
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("does not offer API version 12.0") && words.contains("api-version = "), "{words}");
}

#[tokio::test]
async fn wrong_credentials_are_explained() {
    let world = World::start().await;
    world.write("refresh-token", "not the one");
    let output = world.run(&["check", "--output", "json"]);
    let findings = json(&output);
    assert_eq!(output.status.code(), Some(4), "{findings}");
    let problem =
        findings["findings"].as_array().unwrap().iter().find(|finding| finding["verdict"] == "problem");
    assert!(problem.unwrap()["advice"].as_str().unwrap().len() > 10, "{findings}");
    assert!(!findings.to_string().contains("not the one"), "a token is not repeated");
}

#[tokio::test]
async fn changes_and_holds_are_listed_beside_a_running_gateway() {
    let world = World::start().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    let open = json(&world.run(&["changes", "--output", "json"]));
    assert_eq!(open["changes"], serde_json::json!([]));
    let all = json(&world.run(&["changes", "--all", "--output", "json"]));
    let change = &all["changes"][0];
    assert_eq!(
        (&change["state"], &change["client"], &change["tenant"]),
        (&"recorded".into(), &"entra".into(), &"acme/prod".into())
    );
    assert_eq!(change["outcome"]["result"], "created");
    assert!(!all.to_string().contains("ada"), "no personal data: {all}");
    let elsewhere = json(&world.run(&["changes", "--all", "--tenant", "acme/test", "--output", "json"]));
    assert_eq!(elsewhere["changes"], serde_json::json!([]));
    let holds = json(&world.run(&["holds", "--output", "json"]));
    assert_eq!(holds["holds"], serde_json::json!([]));
    // No secret is needed to look.
    std::fs::remove_file(world.path("client-secret")).unwrap();
    assert_eq!(world.run(&["changes"]).status.code(), Some(0));
    let check = json(&world.run(&["holds", "--output", "json"]));
    assert_eq!(check["holds"], serde_json::json!([]));
}

/// What the org lacks that is only good to have is a warning; attributes that only events have are none.
#[tokio::test]
async fn a_mapping_of_next_identity_is_checked_as_it_stands() {
    let world = World::start().await;
    let mapping = r#"{"type": "salesforce", "instance": "acme",
 "mapping": {"email": "Email", "familyName": "LastName", "givenName": "FirstName", "created": "Description"}}"#;
    let named =
        world.config().replace("environments.prod]\n", "environments.prod]\nmapping = \"next.json\"\n");
    world.write("gangway.toml", &named);
    world.write("next.json", mapping);
    let output = world.run(&["check", "--output", "json"]);
    let findings = json(&output);
    let verdict_of = |words: &str| -> String {
        let found = findings["findings"].as_array().into_iter().flatten();
        let mut found =
            found.filter(|finding| finding["what"].as_str().is_some_and(|what| what.contains(words)));
        found.next().map(|finding| finding["verdict"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(verdict_of("its mapping fits Contact in acme"), "ok", "{findings}");
    assert_eq!(verdict_of("Contact has no field `GangwayId__c`"), "warning", "{findings}");
    assert_eq!(verdict_of("profile"), "", "no User is made: {findings}");
    assert_eq!(output.status.code(), Some(0), "{findings}");

    let alone =
        gangway(&["check", "--output", "json", "--mapping"]).arg(world.path("next.json")).output().unwrap();
    assert_eq!(alone.status.code(), Some(0));

    world.write("next.json", &mapping.replace("\"FirstName\"", "\"FristName\""));
    let output = world.run(&["check", "--output", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let words = json(&output).to_string();
    assert!(words.contains("next.json:2:") && words.contains("did you mean `FirstName`?"), "{words}");
}

#[tokio::test]
async fn a_check_beside_a_running_gateway_shares_its_login() {
    let world = World::start().await;
    let served = world.serve();
    let output = world.run(&["check", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(json(&output).to_string().contains("a gateway is running on it"));
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
    assert_eq!(world.org.handle().token_calls(), 1, "the gateway needs no login of its own");
}

/// Runs `gangway demo` with free ports until it has printed its document, then lets `look` see it.
fn demo(arguments: &[&str], look: impl FnOnce(&Value)) {
    let mut process =
        gangway(&["--output", "json", "demo", "--listen", "127.0.0.1:0", "--org-listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut text = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        if line == "}" {
            break;
        }
    }
    let shown: Value = serde_json::from_str(&text).expect("the demo says where it is");
    look(&shown);
    let stopped = Command::new("kill").arg("-INT").arg(process.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_demo_brings_eight_people_and_a_line_that_works_when_pasted() {
    let mut config = String::new();
    demo(&[], |shown| {
        let people = shown["people"].as_array().unwrap();
        assert_eq!(people.len(), 8, "{shown}");
        for person in people {
            assert!(person["salesforce-id"].as_str().unwrap().starts_with("005"), "{person}");
            assert!((1..=8).contains(&person["alias"].as_str().unwrap().len()), "{person}");
        }
        assert_eq!(people.iter().filter(|person| person["active"] == false).count(), 1, "one has left");
        let windows = people.iter().any(|person| person["adapted"].to_string().contains("GTB Standard Time"));
        assert!(windows, "{shown}");
        let pasted = Command::new("sh").arg("-c").arg(shown["curl"].as_str().unwrap()).output().unwrap();
        let found = json(&pasted);
        assert_eq!(found["totalResults"], 1);
        assert_eq!(found["Resources"][0]["userName"], "ada.lovelace@acme.example");
        config = shown["config"].as_str().unwrap().to_owned();
        assert!(std::path::Path::new(&config).exists());
    });
    assert!(!std::path::Path::new(&config).exists(), "a temporary directory goes with the demo");
}

#[test]
fn an_empty_demo_has_nobody_and_the_token_it_was_given() {
    let data = tempfile::tempdir().unwrap();
    assert!(is_empty(data.path()));
    let directory = data.path().to_str().unwrap();
    demo(&["--empty", "--token", "o'clock", "--data", directory], |shown| {
        assert_eq!(shown["people"], serde_json::json!([]));
        assert_eq!(shown["token"], "o'clock");
        let pasted = Command::new("sh").arg("-c").arg(shown["curl"].as_str().unwrap()).output().unwrap();
        assert_eq!(json(&pasted)["totalResults"], 0);
    });
    let again = gangway(&["demo", "--data", directory]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(complaint(&again).contains("holds an earlier demo"), "{}", complaint(&again));
}

#[test]
fn what_is_simulated_stays_on_this_machine_unless_told() {
    for arguments in [
        &["demo", "--listen", "0.0.0.0:0"][..],
        &["demo", "--listen", "127.0.0.1:0", "--org-listen", "0.0.0.0:0"],
        &["sim", "--listen", "0.0.0.0:0"],
    ] {
        let output = gangway(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(complaint(&output).contains("--allow-remote"), "{}", complaint(&output));
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, flag) in [
        (["demo", "--listen", &address, "--org-listen", "127.0.0.1:0"], "--listen"),
        (["demo", "--org-listen", &address, "--listen", "127.0.0.1:0"], "--org-listen"),
    ] {
        let output = gangway(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let words = complaint(&output);
        assert!(words.contains(&address) && words.contains(&format!("with {flag}")), "{words}");
    }
}
