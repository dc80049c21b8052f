//! What was lost while nobody took events.

use e2e::sources::akamai;
use serde_json::{Value, json};

use crate::akamai::{Story, ask};

/// More than two pages.
const PEOPLE: usize = 230;

fn person(number: usize) -> (String, Value) {
    let profile = json!({
        "email": format!("person-{number}@example.net"), "familyName": format!("Person {number}"),
        "emailVerified": "2026-08-04 09:12:44 +0000",
    });
    (format!("uuid-{number}"), profile)
}

impl Story {
    async fn catch_up(&self, since: &str) -> (Value, Option<i32>) {
        self.catch_up_with(&["--since", since]).await
    }

    async fn catch_up_with(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let all = [&["events", "catch-up", "akamai"], arguments].concat();
        ask(&self.world.config_file(), &all).await
    }

    /// The events that a person has to look at.
    async fn owed_events(&self) -> Vec<Value> {
        let owed = ["events", "list", "--state", "dead", "--state", "held", "--state", "refused"];
        let (said, _) = ask(&self.world.config_file(), &owed).await;
        said["events"].as_array().unwrap().clone()
    }

    /// So many people, who are known here.
    async fn people(&self, count: usize) {
        for number in 0..count {
            let (uuid, profile) = person(number);
            self.akamai.profile(&uuid, &profile);
        }
        let (said, _) = self.catch_up("1h").await;
        assert_eq!((&said["applied"], &said["missing"]), (&json!(count), &json!(0)));
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_reads_pages_and_writes_what_differs() {
    let story = Story::begin().await;
    for number in 0..PEOPLE {
        let (uuid, profile) = person(number);
        story.akamai.profile(&uuid, &profile);
    }
    // The first load.
    let (said, code) = story.catch_up("1h").await;
    assert_eq!(
        (&said["seen"], &said["applied"], &said["failed"]),
        (&json!(PEOPLE), &json!(PEOPLE), &json!(0))
    );
    assert_eq!(code, Some(0));
    assert_eq!(
        story.akamai.asked("/entity.find").len(),
        4 + 2,
        "three pages of profiles and one of uuids, and one of each that says that there is no more"
    );
    assert_eq!(story.lookups(), 0);
    assert_eq!(story.contacts().await.len(), PEOPLE);
    assert_eq!(story.contact("uuid-229").await["Email"], "person-229@example.net");

    // Nothing differs, nothing is written.
    let calls = story.calls().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["seen"], &said["applied"]), (&json!(PEOPLE), &json!(PEOPLE)));
    assert_eq!(story.calls().await - calls, 3, "a look for each page");

    // An event arrives, another is lost, and somebody is new whom nobody has spoken of.
    let moved = json!({"email": "moved@example.net", "familyName": "Person"});
    story.akamai.profile("uuid-1", &moved);
    story.sent(&story.updated("uuid-1")).await;
    story.akamai.profile("uuid-2", &moved);
    story.akamai.profile("uuid-new", &moved);
    let before = story.calls().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["failed"]), (&json!(PEOPLE + 1), &json!(0)));
    let calls = story.calls().await - before;
    // What differs is written, each page is looked at once, and so is whom an event has told of meanwhile.
    assert!(calls <= 2 + 3 + 1, "{calls} calls");
    for uuid in ["uuid-1", "uuid-2", "uuid-new"] {
        assert_eq!(story.contact(uuid).await["Email"], "moved@example.net");
    }
    // Nobody new since then.
    let (said, _) = story.catch_up("2999-01-01T00:00:00Z").await;
    assert_eq!(said["seen"], 0);
}

/// what cannot be done is said.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_says_what_failed_and_why() {
    let story = Story::begin().await;
    // What the org is like has been read.
    let (uuid, profile) = person(0);
    story.person(&uuid, &profile).await;
    for number in 1..4 {
        let (uuid, profile) = person(number);
        story.akamai.profile(&uuid, &profile);
    }
    let path = "/data/v*/sobjects/Contact";
    let refusal = json!({"path": path, "kind": "status", "status": 400, "count": 1,
        "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not like this"});
    story.org.fault(refusal).await;
    let (said, code) = story.catch_up("1h").await;
    let failed = said["failed"].as_u64().unwrap();
    assert!(failed > 0, "{said}");
    assert_eq!(code, Some(4));
    let (listed, _) = ask(&story.world.config_file(), &["events", "list", "--state", "dead"]).await;
    let listed = listed["events"].as_array().unwrap();
    assert_eq!(listed.len() as u64, failed);
    assert!(listed[0]["reason"].as_str().unwrap().contains("Not like this"), "{listed:#?}");
    story.org.heal().await;
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["failed"]), (&json!(4), &json!(0)));
    assert_eq!(story.contacts().await.len(), 4);
    assert_eq!(story.owed_events().await, Vec::<Value>::new(), "what was put right needs nobody");

    story.akamai.fault(Some(akamai::error(403, "invalid_credentials")));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["events", "catch-up", "akamai", "--since", "1h", "--config"])
        .arg(story.world.config_file())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("403 invalid_credentials"), "{said}");
}

/// deletions that nobody heard of.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_whoever_is_gone_without_an_event_is_found_and_taken_away() {
    let story = Story::that_deletes().await;
    story.people(30).await;
    story.akamai.forget("uuid-3");
    story.akamai.forget("uuid-29");
    // Lists may be behind: who is there when he is asked for is not gone.
    story.akamai.unlist("uuid-7");
    let calls = story.calls().await;
    let (said, code) =
        story.catch_up_with(&["--since", "2999-01-01T00:00:00Z", "--max-deletions", "3", "--dry-run"]).await;
    assert_eq!((&said["missing"], &said["removed"]), (&json!(3), &json!(0)));
    assert_eq!(said["examples"], json!(["uuid-29", "uuid-3", "uuid-7"]));
    assert_eq!((story.calls().await, code), (calls, Some(0)), "it was only looked");

    let (said, code) =
        story.catch_up_with(&["--since", "2999-01-01T00:00:00Z", "--max-deletions", "3"]).await;
    assert_eq!((&said["seen"], &said["missing"], &said["removed"]), (&json!(0), &json!(2), &json!(2)));
    assert_eq!((&said["failed"], code), (&json!(0), Some(0)));
    assert_eq!(story.contacts().await.len(), 28);
    for gone in ["uuid-3", "uuid-29"] {
        assert!(story.org.find("Contact", "Identity_UUID__c", gone).await.is_empty());
    }
    // It is remembered: an event of before comes too late, and nobody is missed twice.
    story.akamai.profile("uuid-3", &person(3).1);
    let late = story.updated("uuid-3").happened(-3_600);
    story.sent(&late).await;
    assert_eq!(story.listed(&late).await["reason"], "stale-after-delete");
    story.akamai.forget("uuid-3");
    let (said, _) = story.catch_up_with(&["--since", "2999-01-01T00:00:00Z"]).await;
    assert_eq!((&said["missing"], &said["removed"]), (&json!(0), &json!(0)));
}

/// what Salesforce does not let us read keeps nothing else from being done.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_ends_where_salesforce_refuses_to_be_read() {
    let story = Story::that_deletes().await;
    story.people(30).await;
    let moved = json!({"email": "moved@example.net", "familyName": "Person"});
    story.akamai.profile("uuid-1", &moved);
    story.akamai.forget("uuid-3");
    let refusal = json!({"path": "/data/v*/query", "kind": "status", "status": 400, "error_code": "INVALID_FIELD",
        "message": "No such column"});
    story.org.fault(refusal).await;
    let (said, code) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["removed"]), (&json!(29), &json!(1)), "{said}");
    assert_eq!(story.contact("uuid-1").await["Email"], "moved@example.net");
    let left = said["left"].as_str().unwrap();
    assert!(left.contains("by hand was not looked for") && left.contains("INVALID_FIELD"), "{left}");
    assert_eq!(code, Some(4), "not all of it was done");
    story.org.heal().await;
    let (said, code) = story.catch_up("1h").await;
    assert_eq!((said.get("left"), code), (None, Some(0)));
}

/// a source that has lost its people, or a configuration that asks for others.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_many_who_are_gone_at_once_are_left_until_a_person_has_looked() {
    let story = Story::that_deletes().await;
    story.people(30).await;
    for number in 0..12 {
        story.akamai.forget(&person(number).0);
    }
    let lookups = story.lookups();
    let (said, code) = story.catch_up("2999-01-01T00:00:00Z").await;
    assert_eq!((&said["missing"], &said["removed"], code), (&json!(12), &json!(0), Some(4)));
    let left = said["left"].as_str().unwrap();
    assert!(left.contains("12 of 30") && left.contains("--max-deletions 12"), "{left}");
    assert_eq!((story.contacts().await.len(), story.lookups()), (30, lookups));
    let (said, _) = story.catch_up_with(&["--since", "2999-01-01T00:00:00Z", "--max-deletions", "11"]).await;
    assert_eq!(said["removed"], 0, "more than that are missing");
    // A page that cannot be had is no reason to miss anybody.
    story.akamai.fault(Some(akamai::error(403, "invalid_credentials")));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["events", "catch-up", "akamai", "--since", "1h", "--max-deletions", "30", "--config"])
        .arg(story.world.config_file())
        .output()
        .await
        .unwrap();
    assert_eq!((output.status.code(), story.contacts().await.len()), (Some(1), 30));
    story.akamai.fault(None);
    let (said, code) =
        story.catch_up_with(&["--since", "2999-01-01T00:00:00Z", "--max-deletions", "12"]).await;
    assert_eq!((&said["removed"], code), (&json!(12), Some(0)));
    assert_eq!(story.contacts().await.len(), 18);
}

/// what the mapping says of deletions holds for those that are found out, too.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_where_deletions_do_not_count_nobody_is_looked_for() {
    let mut mapping = crate::akamai::mapping();
    mapping["on_delete"] = json!("delete");
    mapping["events"] = json!(["ADD", "UPDATE"]);
    let story = Story::with(&mapping, |_| ()).await;
    let (uuid, profile) = person(1);
    story.person(&uuid, &profile).await;
    story.akamai.forget(&uuid);
    let (said, code) = story.catch_up("2999-01-01T00:00:00Z").await;
    assert_eq!((&said["missing"], code), (&json!(0), Some(0)));
    assert!(said["left"].as_str().unwrap().contains("deletions do not count"), "{said}");
    assert_eq!(story.contacts().await.len(), 1);

    // By `flag` the record stays, and says so.
    let mut mapping = crate::akamai::mapping();
    mapping["on_delete"] = json!("flag");
    mapping["flag"] = json!({"Identity_Gone__c": true});
    let story = Story::with(&mapping, |_| ()).await;
    story.person(&uuid, &profile).await;
    story.akamai.forget(&uuid);
    let (said, _) = story.catch_up("2999-01-01T00:00:00Z").await;
    assert_eq!(said["removed"], 1, "{said}");
    assert_eq!(story.contact(&uuid).await["Identity_Gone__c"], true);
}

/// Two doors for one population: what one does not have the other may.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_who_may_be_of_another_source_is_not_missed() {
    let story = Story::that_deletes().await;
    let (uuid, profile) = person(1);
    story.person(&uuid, &profile).await;
    story.akamai.forget(&uuid);
    let section = story.akamai.section("https://gw.example.com/events/other/acme/prod", "people.json");
    story.world.reload(|config| {
        let mut section = section;
        section.insert("name".to_owned(), "other".into());
        section.insert("population".to_owned(), "akamai".into());
        e2e::world::add(config, "akamai", section);
    });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let (said, _) = story.catch_up_with(&["--since", "2999-01-01T00:00:00Z", "--dry-run"]).await;
        match said["left"].as_str() {
            Some(left) => break assert!(left.contains("other may have him"), "{left}"),
            None => assert!(std::time::Instant::now() < deadline, "the configuration is never taken"),
        }
    }
    assert_eq!(story.contacts().await.len(), 1);
}

/// what was changed or deleted in Salesforce by hand is found by a look for each page, and only that is written.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_finds_what_was_changed_by_hand() {
    let story = Story::begin().await;
    for number in 0..PEOPLE {
        let (uuid, mut profile) = person(number);
        // Salesforce writes times in its own way.
        profile["lastLogin"] = json!("2026-08-05 07:59:58.118204 +0000");
        story.akamai.profile(&uuid, &profile);
    }
    let (said, _) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["corrected"]), (&json!(PEOPLE), &json!(0)));
    let id = async |uuid: &str| story.contact(uuid).await["Id"].as_str().unwrap().to_owned();
    story.org.change("Contact", &id("uuid-7").await, &json!({"Email": "by.hand@example.net"})).await;
    story.org.delete("Contact", &id("uuid-9").await).await;
    let calls = story.calls().await;
    let (said, code) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["corrected"]), (&json!(PEOPLE), &json!(2)));
    assert_eq!((&said["failed"], code), (&json!(0), Some(0)));
    assert!(story.calls().await - calls <= 3 + 2 * 3, "{} calls", story.calls().await - calls);
    assert_eq!(story.contact("uuid-7").await["Email"], "person-7@example.net");
    assert_eq!(story.contacts().await.len(), PEOPLE);
    let (said, _) = story.catch_up("1h").await;
    assert_eq!(said["corrected"], 0);
}

/// what Salesforce could not take now is no one's to look at.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_while_salesforce_is_away_is_run_again() {
    let story = Story::that_deletes().await;
    story.people(3).await;
    for number in 3..8 {
        let (uuid, profile) = person(number);
        story.akamai.profile(&uuid, &profile);
    }
    story.akamai.forget("uuid-0");
    for path in ["/data/v*/sobjects/Contact", "/data/v*/composite"] {
        story.org.fault(json!({"path": path, "kind": "status", "status": 503})).await;
    }
    let (said, code) = story.catch_up("1h").await;
    assert_eq!((&said["later"], &said["failed"], code), (&json!(5 + 1), &json!(0), Some(4)), "{said}");
    let (dead, _) = ask(&story.world.config_file(), &["events", "list", "--state", "dead"]).await;
    assert_eq!(dead["events"], json!([]));

    story.org.heal().await;
    // What was sent last may still be thought to be on its way.
    story.world.advance(std::time::Duration::from_mins(2));
    let (said, code) = story.catch_up("1h").await;
    assert_eq!(
        (&said["applied"], &said["removed"], &said["later"]),
        (&json!(7), &json!(1), &json!(0)),
        "{said}"
    );
    assert_eq!((code, story.contacts().await.len()), (Some(0), 7));
    assert_eq!(story.owed_events().await, Vec::<Value>::new());
}

/// whom a client has told of is seen to by its rules, and who does not count stays out.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_a_catch_up_keeps_the_rules_of_the_client_that_has_told_of_somebody() {
    let (leads, muted, later) = ("leads5exampleexampleexample55e", "muted3exampleexampleexample3", "late9");
    let mut mapping = crate::akamai::mapping();
    mapping["on_delete"] = json!("delete");
    mapping["object"] = json!("Contact");
    mapping["defaults"] = json!({"LastName": "(unknown)", "Company": "(private)"});
    mapping["clients"] = json!({
        leads: {
            "object": "Lead",
            "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "Company"},
        },
        muted: {"enabled": false},
        later: {"events": ["UPDATE"]},
    });
    let story = Story::with(&mapping, |_| ()).await;
    for (uuid, client) in [("lead", leads), ("muted", muted), ("late", later)] {
        let mut profile = crate::akamai::noor_as(uuid);
        profile["displayName"] = json!("Harbour Ltd");
        story.akamai.profile(uuid, &profile);
        story.sent(&story.created(uuid).saying("captureClientId", json!(client))).await;
    }
    story.person("known", &crate::akamai::noor_as("known")).await;
    let muted_update = story.updated("known").saying("captureClientId", json!(muted));
    story.sent(&muted_update).await;
    // Nobody has told of this one.
    story.akamai.profile("lost", &crate::akamai::noor_as("lost"));
    for uuid in ["lead", "known"] {
        let mut profile = crate::akamai::noor_as(uuid);
        (profile["familyName"], profile["displayName"]) = (json!("Moved"), json!("Harbour Ltd"));
        story.akamai.profile(uuid, &profile);
    }
    let (said, code) = story.catch_up("2000-01-01T00:00:00Z").await;
    assert_eq!((&said["seen"], &said["failed"], code), (&json!(5), &json!(0), Some(0)), "{said}");
    let of = async |object: &str, uuid: &str| story.org.find(object, "Identity_UUID__c", uuid).await;
    for (uuid, contacts, leads) in
        [("lead", 0, 1), ("muted", 0, 0), ("late", 0, 0), ("known", 1, 0), ("lost", 1, 0)]
    {
        assert_eq!(
            (of("Contact", uuid).await.len(), of("Lead", uuid).await.len()),
            (contacts, leads),
            "{uuid}"
        );
    }
    assert_eq!(of("Lead", "lead").await[0]["LastName"], "Moved");
    assert_eq!(of("Contact", "known").await[0]["LastName"], "Moved");
}

/// who came by events costs no more than who came by a list.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a26_who_is_known_by_events_is_looked_at_with_his_page() {
    let story = Story::begin().await;
    for number in 0..20 {
        let (uuid, profile) = person(number);
        story.person(&uuid, &profile).await;
    }
    let id = story.contact("uuid-7").await["Id"].as_str().unwrap().to_owned();
    story.org.change("Contact", &id, &json!({"Email": "by.hand@example.net"})).await;
    let (calls, lookups) = (story.calls().await, story.lookups());
    let (said, code) = story.catch_up("1h").await;
    assert_eq!((&said["applied"], &said["corrected"], code), (&json!(20), &json!(1), Some(0)), "{said}");
    assert_eq!(story.lookups(), lookups, "the page says it");
    let calls = story.calls().await - calls;
    assert!(calls <= 1 + 2, "{calls} calls: a look for the page, and one who is made good");
    assert_eq!(story.contact("uuid-7").await["Email"], "person-7@example.net");
}
