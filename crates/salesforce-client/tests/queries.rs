//! Queries and descriptions, against a scripted org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use salesforce_client::{
    CallError, Cause, MAX_ROWS, Purpose,
    soql::{Condition, Query},
};
use script::{
    COMPOSITE, DESCRIBE, QUERY, Record, Reply, Server, TOKEN, Vault, answer, clock, config, empty, error,
    html, org, org_with, token,
};
use serde_json::{Value, json};

fn users() -> Query {
    Query::select("User", &["Id", "Username"]).unwrap()
}

fn row(at: usize) -> Value {
    json!({ "attributes": { "type": "User", "url": "" }, "Id": at })
}

fn endless_page() -> Reply {
    let rows: Vec<Value> = (0..10_000).map(row).collect();
    answer(200, &json!({"done": false, "records": rows, "nextRecordsUrl": "/services/data/v66.0/query/1"}))
}

#[tokio::test]
async fn all_pages_are_brought_in_order() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        QUERY => answer(
            200,
            &json!({"totalSize": 3, "done": false, "records": [row(0), row(1)],
                "nextRecordsUrl": "/services/data/v66.0/query/01gXX-2"}),
        ),
        "GET /services/data/v66.0/query/01gXX-2" => {
            answer(200, &json!({"totalSize": 3, "done": true, "records": [row(2)]}))
        }
        other => panic!("{other}"),
    })
    .await;
    let org = org(config(&server.url));
    let query = users().where_(Condition::eq("Username", "o'hara+1@example.com").unwrap());
    let rows = org.query(&query, Purpose::catalogue()).await.unwrap();
    let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
    assert_eq!(rows, [json!({"Id": 0}), json!({"Id": 1}), json!({"Id": 2})]);
    assert_eq!(org.calls().of(Cause::Catalogue), 2);
    assert_eq!(
        server.seen(QUERY)[0].query,
        "q=SELECT+Id%2C+Username+FROM+User+WHERE+Username+%3D+%27o%5C%27hara%2B1%40example.com%27"
    );
}

#[tokio::test]
async fn a_query_without_end_is_refused() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => endless_page(),
    })
    .await;
    let answered = org(config(&server.url)).query(&users(), Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::Refused(refusal)) if refusal.code == "OPERATION_TOO_LARGE"));
    assert_eq!(server.record.all().len(), 1 + MAX_ROWS / 10_000 + 1);
}

#[tokio::test]
async fn the_token_does_not_follow_a_page_to_another_place() {
    for elsewhere in ["https://evil.example/x", "//evil.example/services/data/", "/services/oauth2/userinfo"]
    {
        let server = Server::start(move |seen, url| match seen.line.as_str() {
            TOKEN => token(url, "access"),
            _ => answer(200, &json!({"done": false, "records": [], "nextRecordsUrl": elsewhere})),
        })
        .await;
        assert!(matches!(
            org(config(&server.url)).query(&users(), Purpose::catalogue()).await,
            Err(CallError::NotSent { .. })
        ));
        assert_eq!(server.record.all(), [TOKEN, QUERY]);
    }
}

#[tokio::test]
async fn a_query_too_long_for_a_url_goes_in_a_composite() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE if seen.earlier == 0 => answer(
            200,
            &json!({"compositeResponse": [{"httpStatusCode": 200, "referenceId": "query0",
                "body": {"done": true, "records": [row(7)]}}]}),
        ),
        COMPOSITE => answer(
            200,
            &json!({"compositeResponse": [{"httpStatusCode": 400, "referenceId": "query0",
                "body": [{"errorCode": "MALFORMED_QUERY", "message": "unexpected token"}]}]}),
        ),
        other => panic!("{other}"),
    })
    .await;
    let ids = (0..1_000).map(|at| format!("0055f0000000{at:03}"));
    let query = users().where_(Condition::is_in("Id", ids).unwrap());
    let org = org(config(&server.url));
    let rows = org.query(&query, Purpose::catalogue()).await.unwrap();
    assert_eq!(rows[0]["Id"], json!(7));
    let sent = &server.seen(COMPOSITE)[0].json()["compositeRequest"][0];
    assert!(sent["url"].as_str().unwrap().starts_with("/services/data/v66.0/query?q=SELECT+Id"));
    let answered = org.query(&query, Purpose::catalogue()).await;
    assert!(matches!(answered, Err(CallError::Refused(refusal)) if refusal.code == "MALFORMED_QUERY"));
}

#[tokio::test]
async fn ten_thousand_values_are_one_call() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => {
            let items = seen.json()["compositeRequest"].as_array().unwrap().clone();
            let items: Vec<Value> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    let values = item["url"].as_str().unwrap().matches("%40acme.example").count();
                    json!({"httpStatusCode": 200, "referenceId": format!("query{at}"),
                        "body": {"done": true, "records": vec![row(at); values]}})
                })
                .collect();
            answer(200, &json!({ "compositeResponse": items }))
        }
        other => panic!("{other}"),
    })
    .await;
    let org = org(config(&server.url));
    let names = (0..10_000).map(|at| format!("joiner{at}@acme.example"));
    let rows = org.query_in(&users(), "Username", names, Purpose::catalogue()).await.unwrap();
    assert_eq!((rows.len(), server.count(COMPOSITE)), (10_000, 1));
    for item in server.seen(COMPOSITE)[0].json()["compositeRequest"].as_array().unwrap() {
        assert!(item["url"].as_str().unwrap().len() < 300_000);
    }
    // A few long values split sooner, and none are no call.
    let long = (0..25).map(|at| format!("{at}@acme.example{}", "x".repeat(3_900)));
    let rows = org.query_in(&users(), "Username", long, Purpose::catalogue()).await.unwrap();
    assert_eq!((rows.len(), server.count(COMPOSITE)), (25, 2));
    let none = org.query_in(&users(), "Username", Vec::<String>::new(), Purpose::catalogue()).await;
    assert_eq!((none.unwrap().len(), server.count(COMPOSITE)), (0, 2));
}

#[tokio::test]
async fn several_counts_are_one_call_and_what_the_org_lacks_is_told_apart() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        COMPOSITE => {
            let items = seen.json()["compositeRequest"].as_array().unwrap().clone();
            let answers: Vec<Value> = items
                .iter()
                .map(|item| {
                    let url = item["url"].as_str().unwrap();
                    assert!(url.contains("q=SELECT+COUNT%28%29+FROM+"), "{url}");
                    if url.contains("FROM+Task") {
                        json!({"httpStatusCode": 400, "body": [{"errorCode": "INVALID_TYPE", "message": "sObject type 'Task' is not supported."}]})
                    } else {
                        json!({"httpStatusCode": 200, "body": {"totalSize": 70_000, "done": true, "records": []}})
                    }
                })
                .collect();
            answer(200, &json!({ "compositeResponse": answers }))
        }
        other => panic!("{other}"),
    })
    .await;
    let org = org(config(&server.url));
    let queries = ["Lead", "Task"].map(|object| Query::select(object, &[]).unwrap());
    let counts = org.count(&queries, Purpose::catalogue()).await.unwrap();
    assert_eq!(counts[0], Ok(70_000));
    assert_eq!(counts[1].as_ref().unwrap_err().code, "INVALID_TYPE");
    assert_eq!(server.count(COMPOSITE), 1);
}

#[tokio::test]
async fn a_bad_query_is_refused_and_a_bad_moment_is_not() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ if seen.earlier == 0 => error(400, "MALFORMED_QUERY", "unexpected token: 'x'"),
        _ if seen.earlier < 4 => html(503),
        _ => answer(200, &json!({"no": "records"})),
    })
    .await;
    let org = org(config(&server.url));
    assert!(matches!(org.query(&users(), Purpose::catalogue()).await, Err(CallError::Refused(_))));
    for _ in 0..2 {
        assert!(matches!(org.query(&users(), Purpose::catalogue()).await, Err(CallError::NotSent { .. })));
    }
}

fn description() -> Value {
    json!({ "name": "User", "keyPrefix": "005", "fields": [{ "name": "Alias", "type": "string", "length": 8 }] })
}

#[tokio::test]
async fn an_object_is_described_once_an_hour_and_then_only_if_it_changed() {
    const MODIFIED: &str = "Thu, 05 Mar 2026 16:10:00 GMT";
    let server = Server::start(|seen, url| match (seen.line.as_str(), seen.header("if-modified-since")) {
        (TOKEN, _) => token(url, "access"),
        (DESCRIBE, None) => answer(200, &description()).with("last-modified", MODIFIED),
        (DESCRIBE, Some(MODIFIED)) => empty(304),
        other => panic!("{other:?}"),
    })
    .await;
    let clock = clock();
    let org = org_with(config(&server.url), Vault::with(None, Record::default()), clock.clone());

    let (one, two) = tokio::join!(org.describe("User"), org.describe("user"));
    assert!(Arc::ptr_eq(&one.unwrap(), &two.unwrap()), "asked once, also by two at once");
    assert_eq!(server.count(DESCRIBE), 1);

    clock.advance(Duration::from_mins(59));
    org.describe("User").await.unwrap();
    assert_eq!(server.count(DESCRIBE), 1);
    clock.advance(Duration::from_mins(1));
    let again = org.describe("User").await.unwrap();
    assert_eq!(again.field("alias").unwrap().length, 8);
    assert_eq!(server.count(DESCRIBE), 2);
    org.describe("User").await.unwrap();
    assert_eq!(server.count(DESCRIBE), 2, "304 counts as fresh");
}

#[tokio::test]
async fn a_description_that_proved_wrong_or_is_too_old_is_asked_for_whole() {
    let server = Server::start(|seen, url| match (seen.line.as_str(), seen.header("if-modified-since")) {
        (TOKEN, _) => token(url, "access"),
        // Whom a field is shown to is no change of the object.
        (DESCRIBE, None) => {
            answer(200, &description()).with("last-modified", "Thu, 05 Mar 2026 16:10:00 GMT")
        }
        other => panic!("{other:?}"),
    })
    .await;
    let clock = clock();
    let org = org_with(config(&server.url), Vault::with(None, Record::default()), clock.clone());
    let wrong = org.describe("User").await.unwrap();
    let (one, two) =
        tokio::join!(org.describe_instead_of("User", &wrong), org.describe_instead_of("User", &wrong));
    assert!(
        Arc::ptr_eq(&one.unwrap(), &two.unwrap()),
        "whoever finds out second takes what the first was told"
    );
    assert_eq!(server.count(DESCRIBE), 2);

    let minute = Duration::from_mins(1);
    org.describe_within("User", minute).await.unwrap();
    assert_eq!(server.count(DESCRIBE), 2, "it was told just now");
    clock.advance(minute);
    org.describe("User").await.unwrap();
    assert_eq!(server.count(DESCRIBE), 2);
    org.describe_within("User", minute).await.unwrap();
    assert_eq!(server.count(DESCRIBE), 3);
}

#[tokio::test]
async fn an_old_description_serves_while_the_org_is_away() {
    let away = Arc::new(AtomicBool::new(false));
    let is_away = Arc::clone(&away);
    let server = Server::start(move |seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ if is_away.load(Ordering::SeqCst) => html(503),
        _ => answer(200, &description()),
    })
    .await;
    let clock = clock();
    let org = org_with(config(&server.url), Vault::with(None, Record::default()), clock.clone());
    org.describe("User").await.unwrap();

    away.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_hours(2));
    let tries = server.count(DESCRIBE);
    org.describe("User").await.unwrap();
    let after = server.count(DESCRIBE);
    assert!(after > tries);
    org.describe("User").await.unwrap();
    assert_eq!(server.count(DESCRIBE), after, "and it is not asked for each time");
    assert!(matches!(org.describe("Contact").await, Err(CallError::NotSent { .. })));

    away.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_mins(1));
    org.describe("User").await.unwrap();
    assert_eq!(server.count(DESCRIBE), after + 1);
}

#[tokio::test]
async fn an_object_that_the_org_lacks_is_refused() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    assert!(matches!(org(config(&server.url)).describe("Badge__c").await, Err(CallError::Refused(_))));
}

#[tokio::test]
async fn the_limits_header_is_read_from_every_answer() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        _ => error(404, "NOT_FOUND", "").with("sforce-limit-info", "api-usage=71/5000000"),
    })
    .await;
    let org = org(config(&server.url));
    assert!(org.query(&users(), Purpose::catalogue()).await.is_err());
    assert_eq!(org.usage().map(|usage| (usage.used, usage.max)), Some((71, 5_000_000)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN => token(url, "access"),
        QUERY => empty(302).with("location", "/elsewhere"),
        other => panic!("{other}"),
    })
    .await;
    assert!(matches!(
        org(config(&server.url)).query(&users(), Purpose::catalogue()).await,
        Err(CallError::NotSent { .. })
    ));
    assert_eq!(server.record.all(), [TOKEN, QUERY]);
}
