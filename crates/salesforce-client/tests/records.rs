//! What becomes of a write, against a scripted org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::time::Duration;

use salesforce_client::{
    CallError, Cause, Org, OrgConfig, Purpose, Ticket,
    retry::{Pace, Policy},
};
use salesforce_types::{Manner, RecordId, References, Step, StepOutcome};
use script::{
    COMPOSITE, Gate, PATIENCE, QUERY, Record, Reply, Server, TOKEN, USERS, Vault, a_ticket, answer, clock,
    config, empty, error, html, org, org_with, token,
};
use serde_json::{Value, json};

const ID: &str = "0055f000005mc66AAA";
const PATCH: &str = "PATCH /services/data/v66.0/sobjects/User/0055f000005mc66AAA";

fn id() -> RecordId {
    ID.parse().unwrap()
}

fn create(alias: &str) -> Step {
    Step::Create {
        object: "User".into(),
        fields: [("Alias".to_owned(), json!(alias))].into_iter().collect(),
        refers: References::new(),
        manner: Manner::default(),
    }
}

fn deactivate() -> Step {
    let fields = [("IsActive".to_owned(), json!(false))].into_iter().collect();
    Step::Update { object: "User".into(), id: id(), fields, manner: Manner::default() }
}

fn created() -> Reply {
    answer(201, &json!({ "id": ID, "success": true, "errors": [] }))
}

/// A server that answers every request but the token's with this.
async fn answering(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => reply(seen.earlier),
    })
    .await
}

async fn act_one(server: &Server, step: Step) -> (StepOutcome, Ticket) {
    let ticket = a_ticket(false);
    let mut outcomes = org(config(&server.url)).act(&[step], &ticket).await;
    assert_eq!(outcomes.len(), 1);
    (outcomes.remove(0), ticket)
}

#[tokio::test]
async fn a_create_answers_the_id_and_an_update_needs_no_body() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        USERS => created(),
        _ => empty(204),
    })
    .await;
    let (outcome, ticket) = act_one(&server, create("ada")).await;
    assert_eq!(outcome, StepOutcome::Done { id: id() });
    assert!(!ticket.withdraw(), "what has landed cannot be taken back");
    let request = &server.seen(USERS)[0];
    assert_eq!(request.json(), json!({ "Alias": "ada" }));
    for (name, value) in [
        ("authorization", "Bearer access"),
        ("sforce-call-options", "client=Gangway"),
        ("sforce-auto-assign", "FALSE"),
        ("accept-encoding", "gzip"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(act_one(&server, deactivate()).await.0, StepOutcome::Done { id: id() });
}

#[tokio::test]
async fn a_connection_that_is_cut_after_sending_leaves_it_unknown() {
    for reply in
        [|| Reply::Cut, || html(503), || html(502), || html(200), || error(500, "UNKNOWN_EXCEPTION", "id 1")]
    {
        let server = answering(move |_| reply()).await;
        let (outcome, ticket) = act_one(&server, create("ada")).await;
        assert!(matches!(outcome, StepOutcome::Unknown { .. }), "{outcome:?}");
        assert_eq!(server.count(USERS), 1, "and it is not repeated");
        assert!(!ticket.withdraw());
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_leaves_it_unknown() {
    let server = answering(|_| Reply::Silence).await;
    let org = org(OrgConfig { call_timeout: Duration::from_millis(300), ..config(&server.url) });
    let outcomes = org.act(&[create("ada")], &a_ticket(false)).await;
    match outcomes.as_slice() {
        [StepOutcome::Unknown { why }] => assert!(why.contains("300 ms"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_three_times_and_not_sent() {
    let nowhere = closed_port().await;
    let server = Server::start(move |_, _| token(&nowhere, "access")).await;
    let org = org(config(&server.url));
    let ticket = a_ticket(false);
    let outcomes = org.act(&[create("ada")], &ticket).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::NotSent { .. }]), "{outcomes:?}");
    assert_eq!(org.calls().of(Cause::Write), 3);
    assert!(ticket.withdraw(), "nothing has left");
}

#[tokio::test]
async fn a_login_host_that_refuses_connections_is_not_sent_either() {
    let org = org(config(&closed_port().await));
    let outcomes = org.act(&[create("ada")], &a_ticket(false)).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::NotSent { .. }]), "{outcomes:?}");
    assert_eq!((org.calls().of(Cause::Token), org.calls().of(Cause::Write)), (3, 0));
}

/// The other side hangs up during the handshake: the client was made without anyone having installed a crypto
/// provider, and no request has left.
#[tokio::test]
async fn https_is_tried_and_a_failed_handshake_is_not_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let org = org(config(&format!("https://{}", listener.local_addr().unwrap())));
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let outcomes = org.act(&[create("ada")], &a_ticket(false)).await;
    match outcomes.as_slice() {
        [StepOutcome::NotSent { why, .. }] => assert!(why.contains("could not be reached"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!((org.calls().of(Cause::Token), org.calls().of(Cause::Write)), (3, 0));
}

#[tokio::test]
async fn a_refusal_comes_back_in_salesforces_own_words() {
    let server = answering(|_| {
        let refused = json!([{"message": "Alias: data value too large: abcdefghi (max length=8)",
            "errorCode": "STRING_TOO_LONG", "fields": ["Alias"]}]);
        answer(400, &refused)
    })
    .await;
    let (outcome, ticket) = act_one(&server, create("abcdefghi")).await;
    let StepOutcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "STRING_TOO_LONG"));
    assert_eq!(refusal.message, "Alias: data value too large: abcdefghi (max length=8)");
    assert_eq!(refusal.fields, ["Alias"]);
    assert!(ticket.withdraw(), "it had no effect");
}

#[tokio::test]
async fn an_update_of_a_record_that_is_gone_is_refused() {
    for code in ["NOT_FOUND", "ENTITY_IS_DELETED"] {
        let server = answering(move |_| error(404, code, "entity is deleted")).await;
        let (outcome, _) = act_one(&server, deactivate()).await;
        assert!(matches!(outcome, StepOutcome::Refused(refusal) if refusal.code == code));
    }
}

#[tokio::test]
async fn a_locked_row_is_tried_again_and_then_given_up() {
    let locked = || error(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record");
    let server = answering(move |earlier| if earlier < 5 { locked() } else { created() }).await;
    assert_eq!(act_one(&server, create("ada")).await.0, StepOutcome::Done { id: id() });
    assert_eq!(server.count(USERS), 6);

    let server = answering(move |_| locked()).await;
    let (outcome, ticket) = act_one(&server, create("ada")).await;
    assert!(matches!(outcome, StepOutcome::NotSent { retry_after: Some(_), .. }), "{outcome:?}");
    assert_eq!(server.count(USERS), 6);
    assert!(ticket.withdraw());
}

#[tokio::test]
async fn a_503_in_salesforces_own_words_is_tried_again_twice() {
    let server = answering(|_| error(503, "SERVER_UNAVAILABLE", "busy")).await;
    let (outcome, _) = act_one(&server, create("ada")).await;
    assert!(matches!(outcome, StepOutcome::NotSent { .. }), "{outcome:?}");
    assert_eq!(server.count(USERS), 3);
}

#[tokio::test]
async fn a_used_up_quota_says_when_to_come_back() {
    for (text, pause) in [
        ("TotalRequests Limit exceeded.", Duration::from_mins(15)),
        ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", Duration::from_secs(5)),
    ] {
        let server = answering(move |_| error(403, "REQUEST_LIMIT_EXCEEDED", text)).await;
        match act_one(&server, create("ada")).await.0 {
            StepOutcome::NotSent { retry_after, .. } => assert_eq!(retry_after, Some(pause)),
            other => panic!("{other:?}"),
        }
        assert_eq!(server.count(USERS), 1);
    }
}

#[tokio::test]
async fn an_expired_token_does_not_cost_the_change() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ if seen.earlier == 0 => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        _ => created(),
    })
    .await;
    assert_eq!(act_one(&server, create("ada")).await.0, StepOutcome::Done { id: id() });
    assert_eq!((server.count(TOKEN), server.count(USERS)), (2, 2));
}

#[tokio::test]
async fn a_withdrawn_ticket_lets_nothing_out() {
    let server = answering(|_| created()).await;
    let org = org(config(&server.url));
    let ticket = a_ticket(false);
    assert!(ticket.withdraw());
    let outcomes = org.act(&[create("ada"), create("bob")], &ticket).await;
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        assert_eq!(outcome, StepOutcome::NotSent { why: "withdrawn".into(), retry_after: None });
    }
    assert!(server.record.all().is_empty());
}

#[tokio::test]
async fn a_change_can_be_withdrawn_while_it_waits_for_a_slot() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = answering(move |_| created().after(&held)).await;
    let org = org(OrgConfig { max_in_flight: 1, ..config(&server.url) });
    let first = tokio::spawn({
        let org = org.clone();
        async move { org.act(&[create("ada")], &a_ticket(false)).await }
    });
    server.record.wait_for(USERS).await;

    let ticket = a_ticket(false);
    let steps = [create("bob")];
    let mut second = std::pin::pin!(org.act(&steps, &ticket));
    assert!(futures::poll!(&mut second).is_pending());
    assert!(ticket.withdraw());

    // A leaver does not stand behind them.
    let leaving = tokio::spawn({
        let org = org.clone();
        async move { org.act(&[deactivate()], &a_ticket(true)).await }
    });
    server.record.wait_for(PATCH).await;

    gate.open();
    assert!(matches!(second.await.as_slice(), [StepOutcome::NotSent { .. }]));
    assert!(matches!(first.await.unwrap().as_slice(), [StepOutcome::Done { .. }]));
    assert!(matches!(leaving.await.unwrap().as_slice(), [StepOutcome::Done { .. }]));
    assert_eq!(server.count(USERS), 1);
}

#[tokio::test]
async fn a_change_can_be_withdrawn_in_the_pause_between_tries() {
    let server = answering(|_| error(400, "UNABLE_TO_LOCK_ROW", "")).await;
    let hours = Duration::from_hours(1_000_000);
    let locked = Policy { retries: 5, first: hours, longest: hours };
    let org = Org::with_pace(
        config(&server.url),
        Vault::with(None, Record::default()),
        clock(),
        Pace { locked, ..Pace::without_pauses() },
    );
    let ticket = a_ticket(false);
    let acting = tokio::spawn({
        let ticket = ticket.clone();
        async move { org.act(&[create("ada")], &ticket).await }
    });
    server.record.wait_for(USERS).await;
    let paused = async {
        while ticket.is_sent() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, paused).await.unwrap();
    assert!(ticket.withdraw());
    acting.abort();
    assert_eq!(server.count(USERS), 1);
}

#[tokio::test]
async fn below_the_reserve_only_changes_that_take_access_away_go_out() {
    let server = answering(|_| created().with("sforce-limit-info", "api-usage=4950/5000")).await;
    let clock = clock();
    let org = org_with(
        OrgConfig { reserve_calls: 100, ..config(&server.url) },
        Vault::with(None, Record::default()),
        clock.clone(),
    );
    assert_eq!(org.usage(), None);
    assert!(matches!(org.act(&[create("a")], &a_ticket(false)).await.as_slice(), [StepOutcome::Done { .. }]));
    assert_eq!(org.usage().map(salesforce_client::ApiUsage::remaining), Some(50));
    assert!(org.reserve_reached());

    match org.act(&[create("b")], &a_ticket(false)).await.as_slice() {
        [StepOutcome::NotSent { why, retry_after: Some(_) }] => assert!(why.starts_with("reserve"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.count(USERS), 1);
    let outcomes = org.act(&[deactivate()], &a_ticket(true)).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::Done { .. }]), "{outcomes:?}");

    clock.advance(Duration::from_mins(15));
    assert!(!org.reserve_reached(), "an old number holds nobody back");
}

fn item(at: usize, status: u16, body: &Value) -> Value {
    json!({ "body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": format!("c0s{at}") })
}

fn fault(code: &str) -> Value {
    json!([{ "errorCode": code, "message": code }])
}

#[tokio::test]
async fn several_steps_are_one_composite_and_each_has_its_outcome() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => answer(
            200,
            &json!({ "compositeResponse": [
                item(0, 201, &json!({ "id": ID, "success": true, "errors": [] })),
                item(1, 204, &Value::Null),
                item(2, 400, &fault("DUPLICATE_USERNAME")),
                item(3, 400, &fault("PROCESSING_HALTED")),
                item(4, 400, &fault("UNABLE_TO_LOCK_ROW")),
                item(5, 500, &fault("UNKNOWN_EXCEPTION")),
                item(6, 403, &fault("REQUEST_LIMIT_EXCEEDED")),
            ]}),
        ),
        USERS => created(),
        other => panic!("{other}"),
    })
    .await;
    let steps = [
        create("a"),
        deactivate(),
        create("c"),
        create("d"),
        create("locked"),
        create("f"),
        create("g"),
        create("missing"),
    ];
    let ticket = a_ticket(false);
    let org = org(config(&server.url));
    let outcomes = org.act(&steps, &ticket).await;
    assert_eq!(outcomes[0], StepOutcome::Done { id: id() });
    assert_eq!(outcomes[1], StepOutcome::Done { id: id() });
    assert!(matches!(&outcomes[2], StepOutcome::Refused(refusal) if refusal.code == "DUPLICATE_USERNAME"));
    assert!(matches!(&outcomes[3], StepOutcome::NotSent { .. }));
    assert_eq!(outcomes[4], StepOutcome::Done { id: id() }, "the locked row is tried again alone");
    assert!(matches!(&outcomes[5], StepOutcome::Unknown { .. }));
    assert!(matches!(&outcomes[6], StepOutcome::NotSent { retry_after: Some(_), .. }));
    assert!(matches!(&outcomes[7], StepOutcome::Unknown { .. }), "what the answer lacks may have landed");
    assert!(!ticket.withdraw());

    assert_eq!(server.count(COMPOSITE), 1);
    assert_eq!(server.seen(USERS)[0].json(), json!({ "Alias": "locked" }));
    let sent = server.seen(COMPOSITE)[0].json();
    assert_eq!(sent["allOrNone"], json!(false));
    assert_eq!(
        sent["compositeRequest"][1],
        json!({
            "method": "PATCH",
            "url": "/services/data/v66.0/sobjects/User/0055f000005mc66AAA",
            "referenceId": "c0s1",
            "body": { "IsActive": false },
        })
    );
}

#[tokio::test]
async fn a_composite_that_is_cut_leaves_every_step_unknown_and_stops_nothing_else() {
    let server = answering(|_| Reply::Cut).await;
    let outcomes = org(config(&server.url)).act(&[create("a"), create("b")], &a_ticket(false)).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, StepOutcome::Unknown { .. })), "{outcomes:?}");
}

#[tokio::test]
async fn a_change_of_which_a_part_has_landed_cannot_be_withdrawn() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => answer(
            200,
            &json!({ "compositeResponse": [
                item(0, 201, &json!({ "id": ID, "success": true, "errors": [] })),
                item(1, 400, &fault("UNABLE_TO_LOCK_ROW")),
            ]}),
        ),
        _ => error(400, "UNABLE_TO_LOCK_ROW", ""),
    })
    .await;
    let ticket = a_ticket(false);
    let outcomes = org(config(&server.url)).act(&[create("a"), create("b")], &ticket).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::Done { .. }, StepOutcome::NotSent { .. }]));
    assert_eq!(server.count(USERS), 5, "the locked row alone, five times");
    assert!(!ticket.withdraw());
}

#[tokio::test]
async fn a_composite_of_which_nothing_landed_can_be_withdrawn() {
    let server = answering(|_| {
        answer(
            200,
            &json!({ "compositeResponse": [
                item(0, 400, &fault("DUPLICATE_USERNAME")),
                item(1, 400, &fault("PROCESSING_HALTED")),
            ]}),
        )
    })
    .await;
    let ticket = a_ticket(false);
    let outcomes = org(config(&server.url)).act(&[create("a"), create("b")], &ticket).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::Refused(_), StepOutcome::NotSent { .. }]));
    assert!(ticket.withdraw());
}

#[tokio::test]
async fn no_steps_are_no_call() {
    let server = answering(|_| created()).await;
    assert_eq!(org(config(&server.url)).act(&[], &a_ticket(false)).await, []);
    assert_eq!(server.record.all().len(), 0);
}

#[tokio::test]
async fn a_name_that_is_none_goes_nowhere() {
    let server = answering(|_| created()).await;
    let step = Step::Create {
        object: "User/../Profile".into(),
        fields: [].into_iter().collect(),
        refers: References::new(),
        manner: Manner::default(),
    };
    assert!(matches!(act_one(&server, step).await.0, StepOutcome::Refused(_)));
    let org = org(config(&server.url));
    assert!(matches!(
        org.read("User", &id(), &["Id,Email"], Purpose::catalogue()).await,
        Err(CallError::Refused(_))
    ));
    assert!(matches!(org.describe("User/x").await, Err(CallError::Refused(_))));
    assert_eq!(server.record.all().len(), 0);
}

#[tokio::test]
async fn a_read_that_is_cut_is_tried_again_and_never_unknown() {
    let server =
        answering(|earlier| if earlier < 2 { Reply::Cut } else { answer(200, &json!({"Id": ID})) }).await;
    let read =
        org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await.unwrap().unwrap();
    assert_eq!(read["Id"], json!(ID));

    let server = answering(|_| html(503)).await;
    let answered = org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::NotSent { .. })), "{answered:?}");
    assert_eq!(server.record.all().len(), 1 + 3);

    let server = answering(|_| error(404, "NOT_FOUND", "gone")).await;
    assert_eq!(org(config(&server.url)).read("User", &id(), &["Id"], Purpose::catalogue()).await, Ok(None));
    assert_eq!(server.count(QUERY), 0);
}

async fn closed_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
