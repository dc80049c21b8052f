//! What becomes of steps that share a call, against a scripted org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::time::Duration;

use futures::future::join_all;
use salesforce_client::{Org, OrgConfig};
use salesforce_types::{Fields, Manner, RecordId, References, Step, StepOutcome};
use script::{
    COMPOSITE, Gate, PATIENCE, Record, Reply, Seen, Server, TOKEN, USERS, Vault, a_ticket, answer, clock,
    config, error, html, org, org_with, ticket_of, token,
};
use serde_json::{Value, json};

const ID: &str = "0055f000005mc66AAA";

fn id() -> RecordId {
    ID.parse().unwrap()
}

fn create(object: &str, alias: &str, refers: &[(&str, usize)]) -> Step {
    Step::Create {
        object: object.into(),
        fields: [("Alias".to_owned(), json!(alias))].into_iter().collect(),
        refers: refers.iter().map(|(field, step)| ((*field).to_owned(), *step)).collect(),
        manner: Manner::default(),
    }
}

fn user(alias: &str) -> Step {
    create("User", alias, &[])
}

fn grant(step: usize) -> Step {
    create("PermissionSetAssignment", "grant", &[("AssigneeId", step)])
}

fn upsert(value: &str, field: &str) -> Step {
    Step::Upsert {
        object: "Contact".into(),
        key: "GangwayId__c".into(),
        value: value.into(),
        fields: [(field.to_owned(), json!("x"))].into_iter().collect(),
        refers: References::new(),
        manner: Manner::default(),
    }
}

fn success() -> Value {
    json!({ "id": ID, "success": true, "errors": [] })
}

fn made() -> Reply {
    answer(201, &success())
}

fn fault(code: &str) -> (u16, Value) {
    (400, json!([{ "errorCode": code, "message": code }]))
}

/// The answer to a Composite, by its parts; a call that is none lands.
fn each(seen: &Seen, part: impl Fn(usize, &Value) -> (u16, Value)) -> Reply {
    if seen.line != COMPOSITE {
        return made();
    }
    let request = seen.json();
    let parts = request["compositeRequest"].as_array().unwrap().iter().enumerate().map(|(n, item)| {
        let (status, body) = part(n, item);
        json!({ "body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": item["referenceId"] })
    });
    answer(200, &json!({ "compositeResponse": parts.collect::<Vec<_>>() }))
}

/// Everything lands, in rows and in collections.
fn lands(_: usize, item: &Value) -> (u16, Value) {
    match item["body"]["records"].as_array() {
        Some(records) => (200, records.iter().map(|_| success()).collect()),
        None => (201, success()),
    }
}

/// Composites are answered by the script, everything else by a success.
async fn composites(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => script(seen),
        _ => made(),
    })
    .await
}

/// The same, where a first call is held up until others stand in line, so that these share the next one.
async fn behind_a_call(
    changes: &[Vec<Step>],
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Server, Vec<Vec<StepOutcome>>) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        USERS if seen.earlier == 0 => made().after(&held),
        _ => script(seen),
    })
    .await;
    let org = org(OrgConfig { max_in_flight: 1, ..config(&server.url) });
    let first = [user("first")];
    let others = async {
        server.record.wait_for(USERS).await;
        let acts = changes.iter().enumerate().map(|(n, steps)| {
            let ticket = ticket_of("acme/prod", "hr", &n.to_string(), false);
            let org = &org;
            async move { org.act(steps, &ticket).await }
        });
        let opened = async {
            wait_in_line(&org, changes.len()).await;
            gate.open();
        };
        tokio::join!(join_all(acts), opened).0
    };
    let ticket = a_ticket(false);
    let (_, outcomes) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(org.act(&first, &ticket), others) })
            .await
            .unwrap();
    (server, outcomes)
}

async fn wait_in_line(org: &Org, changes: usize) {
    while org.waiting() < changes {
        tokio::task::yield_now().await;
    }
}

fn is_done(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Done { .. })
}

#[tokio::test]
async fn a_step_that_refers_to_nothing_before_it_ends_and_holds_up_nobody() {
    let server = composites(|seen| each(seen, lands)).await;
    let org = org(config(&server.url));
    for nowhere in [1, 2, 9] {
        let steps = [user("a"), grant(nowhere), user("c")];
        let ticket = a_ticket(false);
        let outcomes = tokio::time::timeout(PATIENCE, org.act(&steps, &ticket)).await.unwrap();
        assert!(is_done(&outcomes[0]) && is_done(&outcomes[2]), "{outcomes:?}");
        assert!(matches!(&outcomes[1], StepOutcome::NotSent { .. }), "{outcomes:?}");
        let others = tokio::time::timeout(PATIENCE, org.act(&[user("b")], &a_ticket(false))).await.unwrap();
        assert!(is_done(&others[0]));
    }
}

#[tokio::test]
async fn what_follows_an_update_is_in_its_call_and_names_where_it_landed() {
    let server = composites(|seen| each(seen, lands)).await;
    let update =
        Step::Update { object: "User".into(), id: id(), fields: Fields::new(), manner: Manner::default() };
    let outcomes = org(config(&server.url)).act(&[user("a"), update, grant(1)], &a_ticket(false)).await;
    assert!(outcomes.iter().all(is_done), "{outcomes:?}");
    let call = server.seen(COMPOSITE)[0].json();
    let parts = call["compositeRequest"].as_array().unwrap();
    assert_eq!(parts.len(), 3);
    // The answer to the update of one record would name none.
    assert_eq!(parts[1]["body"]["records"][0]["id"], ID);
    let named = format!("@{{{}[0].id}}", parts[1]["referenceId"].as_str().unwrap());
    assert_eq!(parts[2]["body"]["AssigneeId"], named);
}

#[tokio::test]
async fn a_step_that_is_halted_for_no_reason_is_not_tried_for_ever() {
    let server = composites(|seen| {
        each(seen, |n, item| if n == 0 { lands(n, item) } else { fault("PROCESSING_HALTED") })
    })
    .await;
    let steps = [user("a"), grant(0), grant(0)];
    let outcomes = org(config(&server.url)).act(&steps, &a_ticket(false)).await;
    assert!(is_done(&outcomes[0]) && is_done(&outcomes[1]), "{outcomes:?}");
    assert!(matches!(&outcomes[2], StepOutcome::NotSent { .. }), "{outcomes:?}");
    assert_eq!(server.count(COMPOSITE), 2);
}

#[tokio::test]
async fn what_is_refused_behind_a_locked_step_is_tried_again_with_it() {
    let server = composites(|seen| {
        let first = seen.earlier == 0;
        each(seen, move |n, item| match (first, n) {
            (true, 0) => fault("UNABLE_TO_LOCK_ROW"),
            (true, _) => fault("FIELD_INTEGRITY_EXCEPTION"),
            _ => lands(n, item),
        })
    })
    .await;
    let licence = create("PermissionSetLicenseAssign", "licence", &[]);
    let set = create("PermissionSetAssignment", "set", &[]);
    let outcomes = org(config(&server.url)).act(&[licence, set], &a_ticket(false)).await;
    assert!(outcomes.iter().all(is_done), "{outcomes:?}");
}

#[tokio::test]
async fn what_has_landed_stays_beyond_recall_in_the_next_act() {
    let server = composites(|_| error(400, "STRING_TOO_LONG", "")).await;
    let org = org(config(&server.url));
    let ticket = a_ticket(false);
    assert!(is_done(&org.act(&[user("a")], &ticket).await[0]));
    let outcomes = org.act(&[user("b"), user("c")], &ticket).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, StepOutcome::Refused(_))), "{outcomes:?}");
    assert!(!ticket.withdraw());
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_no_success() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => html(200),
    })
    .await;
    let org = org(config(&server.url));
    let fields: Fields = [("IsActive".to_owned(), json!(false))].into_iter().collect();
    for step in [
        Step::Update { object: "User".into(), id: id(), fields, manner: Manner::default() },
        Step::Delete { object: "GroupMember".into(), id: id() },
    ] {
        let outcomes = org.act(&[step], &a_ticket(true)).await;
        assert!(matches!(outcomes.as_slice(), [StepOutcome::Unknown { .. }]), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_used_up_quota_in_a_collection_costs_no_more_calls() {
    let changes: Vec<_> = (0..40).map(|n| vec![user(&format!("u{n}"))]).collect();
    let (server, outcomes) = behind_a_call(&changes, |seen| {
        each(seen, |_, _| {
            (403, json!([{ "errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests" }]))
        })
    })
    .await;
    let day = Some(Duration::from_mins(15));
    for outcome in outcomes.iter().flatten() {
        assert!(
            matches!(outcome, StepOutcome::NotSent { retry_after, .. } if *retry_after == day),
            "{outcome:?}"
        );
    }
    assert_eq!(server.count(COMPOSITE), 1);
}

#[tokio::test]
async fn a_call_that_is_too_large_is_taken_apart() {
    let changes: Vec<_> = (0..40).map(|n| vec![user(&format!("u{n}"))]).collect();
    let (server, outcomes) =
        behind_a_call(&changes, |seen| if seen.earlier == 0 { html(413) } else { each(seen, lands) }).await;
    assert!(outcomes.iter().flatten().all(is_done), "{outcomes:?}");
    assert_eq!(server.count(COMPOSITE), 3);
}

#[tokio::test]
async fn the_one_who_spoils_a_call_is_found_and_nobody_else_suffers() {
    let changes: Vec<_> =
        (0..40).map(|n| vec![user(if n == 17 { "bad" } else { "good" }), grant(0)]).collect();
    let (server, outcomes) = behind_a_call(&changes, |seen| match seen.line.as_str() {
        _ if seen.body.contains("bad") => error(400, "JSON_PARSER_ERROR", ""),
        COMPOSITE => each(seen, lands),
        _ => made(),
    })
    .await;
    for (n, outcomes) in outcomes.iter().enumerate() {
        match outcomes.as_slice() {
            [StepOutcome::Refused(_), StepOutcome::Refused(_)] => assert_eq!(n, 17),
            outcomes => assert!(outcomes.iter().all(is_done), "{n}: {outcomes:?}"),
        }
    }
    assert!(server.record.all().len() < 40, "{:?}", server.record.all());
}

#[tokio::test]
async fn a_call_that_is_locked_as_a_whole_is_tried_again() {
    let changes: Vec<_> = (0..40).map(|n| vec![user(&format!("u{n}"))]).collect();
    let (server, outcomes) = behind_a_call(&changes, |seen| {
        if seen.earlier == 0 { error(400, "UNABLE_TO_LOCK_ROW", "") } else { each(seen, lands) }
    })
    .await;
    assert!(outcomes.iter().flatten().all(is_done), "{outcomes:?}");
    assert_eq!(server.count(COMPOSITE), 2);
}

#[tokio::test]
async fn a_record_that_two_changes_write_is_in_two_collections() {
    let title = |n: usize| {
        let fields = [("Title".to_owned(), json!(n.to_string()))].into_iter().collect();
        vec![
            user(&format!("u{n}")),
            Step::Update { object: "User".into(), id: id(), fields, manner: Manner::default() },
        ]
    };
    let changes: Vec<_> = (0..20).map(title).collect();
    let (server, outcomes) = behind_a_call(&changes, |seen| each(seen, lands)).await;
    assert!(outcomes.iter().flatten().all(is_done), "{outcomes:?}");
    let mut titles = Vec::new();
    for seen in server.seen(COMPOSITE) {
        for item in seen.json()["compositeRequest"].as_array().unwrap() {
            if item["method"] == "PATCH" {
                let records = item["body"]["records"].as_array();
                let records = records.map_or(std::slice::from_ref(&item["body"]), Vec::as_slice);
                assert_eq!(records.len(), 1, "the same record is refused twice: {item}");
                titles.push(records[0]["Title"].as_str().unwrap().parse::<usize>().unwrap());
            }
        }
    }
    assert!(titles.is_sorted(), "{titles:?}");
}

#[tokio::test]
async fn who_takes_access_away_is_settled_when_the_change_comes() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => made().with("sforce-limit-info", "api-usage=4950/5000").after(&held),
    })
    .await;
    let config = OrgConfig { max_in_flight: 1, reserve_calls: 100, ..config(&server.url) };
    let org = org_with(config, Vault::with(None, Record::default()), clock());
    let (joiner, late) = (ticket_of("acme/prod", "hr", "2", false), ticket_of("acme/prod", "hr", "3", false));
    let (first, second, third) = ([user("a")], [user("b")], [user("c")]);
    let others = async {
        server.record.wait_for(USERS).await;
        let opened = async {
            wait_in_line(&org, 2).await;
            late.take_access_away();
            gate.open();
        };
        let (second, third, ()) = tokio::join!(org.act(&second, &joiner), org.act(&third, &late), opened);
        [second, third]
    };
    let ticket = a_ticket(false);
    let (_, outcomes) = tokio::join!(org.act(&first, &ticket), others);
    for outcomes in outcomes {
        assert!(
            matches!(outcomes.as_slice(), [StepOutcome::NotSent { why, .. }] if why.starts_with("reserve")),
            "nobody slips through the reserve with it: {outcomes:?}"
        );
    }
}

#[tokio::test]
async fn an_odd_key_does_not_go_in_a_path() {
    let server = composites(|seen| each(seen, lands)).await;
    let org = org(config(&server.url));
    for odd in ["a/b", "..", "a.b", "ü", "a b"] {
        assert!(is_done(&org.act(&[upsert(odd, "LastName")], &a_ticket(false)).await[0]), "{odd}");
        let seen = server.seen(COMPOSITE).pop().unwrap().json();
        assert_eq!(seen["compositeRequest"][0]["body"]["records"][0]["GangwayId__c"], odd);
    }
    assert_eq!(server.count(COMPOSITE), 5);
    assert!(is_done(&org.act(&[upsert("0b-1_A", "LastName")], &a_ticket(false)).await[0]));
    assert_eq!(server.count("PATCH /services/data/v66.0/sobjects/Contact/GangwayId__c/0b-1_A"), 1);
}

#[tokio::test]
async fn a_step_that_says_twice_which_record_it_is_goes_nowhere() {
    let server = composites(|seen| each(seen, lands)).await;
    let org = org(config(&server.url));
    let fields: Fields = [("id".to_owned(), json!("0055f000005mc67AAA"))].into_iter().collect();
    for step in [
        upsert("", "LastName"),
        upsert("1", "gangwayid__c"),
        upsert("1", "attributes"),
        Step::Update { object: "User".into(), id: id(), fields, manner: Manner::default() },
    ] {
        let outcomes = org.act(std::slice::from_ref(&step), &a_ticket(false)).await;
        assert!(matches!(outcomes.as_slice(), [StepOutcome::Refused(_)]), "{step:?}: {outcomes:?}");
    }
    assert!(server.record.all().is_empty());
}

#[test]
fn a_runtime_that_goes_down_begins_nothing_new() {
    // Connections come about, and nobody ever answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let org = org(OrgConfig { max_in_flight: 1, ..config(&url) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for n in 0..5_000 {
            let org = org.clone();
            tokio::spawn(async move {
                org.act(&[user("a")], &ticket_of("acme/prod", "hr", &n.to_string(), false)).await
            });
        }
        wait_in_line(&org, 4_999).await;
    });
    drop(runtime);
    assert_eq!(org.waiting(), 4_999);
}
