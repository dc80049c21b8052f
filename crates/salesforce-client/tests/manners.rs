//! Duplicate rules, assignment rules, and the records that stand in the way of a write.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
mod world;

use salesforce_types::{Duplicates, Manner, RecordId, References, Refusal, Step, StepOutcome};
use script::{COMPOSITE, Server, TOKEN, a_ticket, answer, config, org, token};
use serde_json::{Value, json};
use world::{World, all_done, create, done, fault, fields, gists, upsert};

const ORG: &str = r#"
[[fields]]
object = "Contact"
name = "GangwayId__c"
length = 64
unique = true
case-sensitive = true
external-id = true

[[fields]]
object = "Contact"
name = "Key__c"
length = 20
external-id = true

[[assignment-rules]]
object = "Lead"
name = "Standard"
active = true
entries = [{ owner = "admin@harbour-lights.example" }]
"#;

const USUAL: Manner = Manner { duplicates: Duplicates::Respect, assignment_rules: false };
const ALLOW: Manner = Manner { duplicates: Duplicates::Allow, assignment_rules: false };
const ASSIGN: Manner = Manner { duplicates: Duplicates::Respect, assignment_rules: true };

fn refusal(outcome: &StepOutcome) -> &Refusal {
    match outcome {
        StepOutcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn person(object: &str, name: &str, manner: Manner) -> Step {
    let email = format!("{name}@example.com");
    let company = if object == "Lead" { vec![("Company", "Engines")] } else { Vec::new() };
    let who = [("FirstName", "Ada"), ("LastName", name), ("Email", email.as_str())];
    create(object, &[&who[..], &company].concat(), manner)
}

/// Contacts that are there already, and changes that would make one like each of them. Every third is nobody's double.
async fn doubles(world: &World) -> (Vec<RecordId>, Vec<Vec<Step>>) {
    let mut known = Vec::new();
    let mut changes = Vec::new();
    for n in 0..45 {
        let name = format!("Lovelace{n}");
        let steps = [person("Contact", &name, ALLOW)];
        known.push(done(&world.org.act(&steps, &a_ticket(false)).await[0]));
        changes.push(match n % 3 {
            0 => vec![person("Contact", &name, USUAL)],
            1 => vec![person("Contact", &name, ALLOW)],
            _ => vec![person("Contact", &format!("Byron{n}"), USUAL), person("Contact", &name, USUAL)],
        });
    }
    (known, changes)
}

#[tokio::test]
async fn duplicate_rules_are_heard_unless_a_step_says_otherwise_and_name_what_they_found() {
    let (one, other) = (World::start().await, World::start().await);
    let (_, changes) = doubles(&one).await;
    let lone = one.each(&changes).await;
    let (known, changes) = doubles(&other).await;
    let crowd = other.crowd(&changes).await;
    assert_eq!(gists(&lone), gists(&crowd));
    for (n, outcomes) in crowd.iter().enumerate() {
        let last = outcomes.last().unwrap();
        if n % 3 == 1 {
            assert!(all_done(outcomes), "{outcomes:?}");
        } else {
            assert_eq!(refusal(last).code, "DUPLICATES_DETECTED");
            assert_eq!(
                refusal(last).records,
                [known[n].clone()],
                "what a crowd does not hear, it asks for again"
            );
        }
    }
    assert_eq!(other.sim.handle().count("Contact"), 45 + 15 + 15);
}

#[tokio::test]
async fn assignment_rules_choose_the_owner_only_of_those_who_ask_for_it() {
    let world = World::from_file("assignment", ORG).await;
    let user = |name: &str| world.sim.handle().user(name).unwrap()["Id"].clone();
    let chosen = user("admin@harbour-lights.example");
    let usual = user("integration@harbour-lights.example");
    let owner = |outcome: &StepOutcome| world.record("Lead", &done(outcome))["OwnerId"].clone();
    let pair =
        |n: usize| vec![person("Lead", &format!("A{n}"), ASSIGN), person("Lead", &format!("B{n}"), USUAL)];
    // One of each in one Composite, then each alone.
    let outcomes = world.org.act(&pair(1_000), &a_ticket(false)).await;
    assert_eq!((owner(&outcomes[0]), owner(&outcomes[1])), (chosen.clone(), usual.clone()));
    for (step, expected) in pair(1_001).into_iter().zip([&chosen, &usual]) {
        assert_eq!(&owner(&world.org.act(&[step], &a_ticket(false)).await[0]), expected);
    }
    let crowd: Vec<_> = (0..60).map(pair).collect();
    let outcomes = world.crowd(&crowd).await;
    let leads = world.records("Lead");
    for outcomes in outcomes {
        let owners = [&outcomes[0], &outcomes[1]].map(|outcome| &leads[&done(outcome)]["OwnerId"]);
        assert_eq!(owners, [&chosen, &usual]);
    }
}

#[tokio::test]
async fn an_upsert_that_was_cut_is_repeated_and_makes_one_record() {
    let world = World::from_file("cut-upsert", ORG).await;
    for (n, key) in ["0b0c-1", "0b0c-1.2"].into_iter().enumerate() {
        let step = upsert("Contact", key, &[("LastName", "Lovelace")], USUAL);
        world.sim.handle().add_fault(fault("cut-after-commit", "/data"));
        let ticket = a_ticket(false);
        let cut = world.org.act(std::slice::from_ref(&step), &ticket).await;
        assert!(matches!(cut.as_slice(), [StepOutcome::Unknown { .. }]), "{cut:?}");
        let again = world.org.act(&[step], &ticket).await;
        assert_eq!(world.record("Contact", &done(&again[0]))["GangwayId__c"], key);
        assert_eq!(world.sim.handle().count("Contact"), n + 1);
    }
}

#[tokio::test]
async fn a_value_that_is_taken_names_the_record_that_has_it() {
    let world = World::from_file("taken", ORG).await;
    let known = world.make("Contact", &[("LastName", "Lovelace"), ("GangwayId__c", "1")]).await;
    let step = create("Contact", &[("LastName", "King"), ("GangwayId__c", "1")], USUAL);
    let lone = world.org.act(std::slice::from_ref(&step), &a_ticket(false)).await;
    let crowd = world.crowd(&vec![vec![step]; 40]).await;
    for outcome in lone.iter().chain(crowd.iter().flatten()) {
        assert_eq!(refusal(outcome).code, "DUPLICATE_VALUE");
        assert_eq!(refusal(outcome).records, std::slice::from_ref(&known));
    }
}

#[tokio::test]
async fn an_external_id_of_several_records_names_them_all() {
    let world = World::from_file("several", ORG).await;
    let mut known = Vec::new();
    for name in ["Lovelace", "King"] {
        known.push(world.make("Contact", &[("LastName", name), ("Key__c", "twice")]).await);
    }
    let step = |n: usize| Step::Upsert {
        object: "Contact".into(),
        key: "Key__c".into(),
        value: if n.is_multiple_of(3) { "twice".into() } else { format!("once{n}") },
        fields: fields(&[("LastName", "Byron")]),
        refers: References::new(),
        manner: USUAL,
    };
    let changes: Vec<_> = (0..40).map(|n| vec![step(n)]).collect();
    let lone = world.org.act(&[step(0)], &a_ticket(false)).await;
    let crowd = world.crowd(&changes).await;
    for outcome in lone.iter().chain(crowd.iter().step_by(3).flatten()) {
        assert_eq!(refusal(outcome).code, "MULTIPLE_CHOICES");
        let mut records = refusal(outcome).records.clone();
        records.sort();
        assert_eq!(records, known);
    }
    assert!(crowd.iter().enumerate().all(|(n, outcomes)| n.is_multiple_of(3) || all_done(outcomes)));
}

#[tokio::test]
async fn a_call_says_in_its_headers_how_it_is_to_be_taken_and_so_does_every_part() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => {
            let request = seen.json();
            let items = request["compositeRequest"].as_array().unwrap().iter();
            let parts: Vec<Value> = items
                .map(|item| {
                    json!({"body": {"id": "00Q5f000005bwLFEAY", "success": true}, "httpStatusCode": 201,
                        "referenceId": item["referenceId"]})
                })
                .collect();
            answer(200, &json!({ "compositeResponse": parts }))
        }
        _ => answer(201, &json!({"id": "00Q5f000005bwLFEAY", "success": true, "errors": []})),
    })
    .await;
    let org = org(config(&server.url));
    let (assign, save) = ("sforce-auto-assign", "sforce-duplicate-rule-header");
    let both = Manner { duplicates: Duplicates::Allow, assignment_rules: true };
    for (manner, expected) in [
        (USUAL, (Some("FALSE"), None)),
        (ALLOW, (Some("FALSE"), Some("allowSave=true"))),
        (ASSIGN, (Some("TRUE"), None)),
        (both, (Some("TRUE"), Some("allowSave=true"))),
    ] {
        assert!(all_done(&org.act(&[person("Lead", "a", manner)], &a_ticket(false)).await));
        let request = server.seen("POST /services/data/v66.0/sobjects/Lead").pop().unwrap();
        assert_eq!((request.header(assign), request.header(save)), expected);
    }

    let steps = [person("Lead", "a", both), person("Lead", "b", USUAL), person("Contact", "c", ALLOW)];
    assert!(all_done(&org.act(&steps, &a_ticket(false)).await));
    let request = server.seen(COMPOSITE).pop().unwrap();
    assert_eq!((request.header(assign), request.header(save)), (None, None), "the parts are not of one mind");
    let headers: Vec<Value> = request.json()["compositeRequest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["httpHeaders"].clone())
        .collect();
    let allowed = json!({"Sforce-Duplicate-Rule-Header": "allowSave=true"});
    let expected = [
        json!({"Sforce-Auto-Assign": "TRUE", "Sforce-Duplicate-Rule-Header": "allowSave=true"}),
        json!({"Sforce-Auto-Assign": "FALSE"}),
        allowed,
    ];
    assert_eq!(headers, expected);
}
