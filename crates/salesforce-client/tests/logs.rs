//! What the log learns, and what it must not.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use salesforce_client::{
    Purpose,
    soql::{Condition, Query},
};
use salesforce_types::{Conversion, Manner, References, Step, StepOutcome};
use script::{
    COMPOSITE, QUERY, Record, Reply, SOAP, Server, TOKEN, USERS, Vault, a_ticket, answer, clock, error,
    org_with, with_refresh_token,
};
use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_call_is_logged_by_its_facts_and_never_by_its_contents() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("salesforce_client=trace")
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let server = Server::start(|seen, url| match seen.line.as_str() {
        TOKEN if seen.earlier == 0 => answer(
            200,
            &json!({"access_token": "SecretAccess", "refresh_token": "SecretRotated", "instance_url": url}),
        ),
        TOKEN => answer(400, &json!({"error": "invalid_grant", "error_description": "SecretReason"})),
        USERS => error(400, "DUPLICATE_USERNAME", "ada@example.com is taken")
            .with("sforce-limit-info", "api-usage=71/5000"),
        QUERY => answer(200, &json!({"done": true, "records": [{"Username": "ada@example.com"}]})),
        SOAP => Reply::Answer {
            status: 500,
            headers: vec![("content-type", "text/xml".to_owned())],
            body:
                "<Envelope><Body><Fault><faultcode>sf:INVALID_FIELD</faultcode><faultstring>ada@example.com\
                </faultstring></Fault></Body></Envelope>"
                    .to_owned(),
        },
        COMPOSITE => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        other => panic!("{other}"),
    })
    .await;
    let org = org_with(
        with_refresh_token(&server.url, Some("SecretRefresh")),
        Vault::with(None, Record::default()),
        clock(),
    );
    let fields = [("Username".to_owned(), json!("ada@example.com"))].into_iter().collect();
    let step =
        Step::Create { object: "User".into(), fields, refers: References::new(), manner: Manner::default() };
    let ticket = a_ticket(false);
    org.act(std::slice::from_ref(&step), &ticket).await;
    let condition = Condition::eq("Username", "ada@example.com").unwrap();
    org.query(&Query::select("User", &["Id"]).unwrap().where_(condition), Purpose::catalogue())
        .await
        .unwrap();
    let conversion = Conversion {
        status: Some("Closed".into()),
        opportunity: Some("ada@example.com".into()),
        ..Conversion::default()
    };
    let convert = Step::Convert { lead: "00Q5f000005bwLFEAY".parse().unwrap(), conversion };
    let outcomes = org.act(&[convert], &ticket).await;
    assert!(matches!(outcomes.as_slice(), [StepOutcome::Refused(_)]), "{outcomes:?}");
    org.act(&[step.clone(), step], &ticket).await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "salesforce.call{org=acme method=POST object=\"User\" api_calls_left=4929 duration_ms=",
        "status=400}",
        "method=POST object=\"convertLead\" duration_ms=",
        "the org is parked",
        "code=\"invalid_grant\"",
    ] {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }
    for secret in ["ada", "example", "Secret", "SELECT", "Bearer"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}
