//! What the door answers to what is no event, and what it says of people: nothing.

use e2e::{Tool, sources::akamai};
use serde_json::json;

use crate::akamai::{AUDIENCE, Story, UUID, killed, noor};

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a22_a_test_writes_nothing_and_what_is_no_delivery_is_told_so() {
    let story = Story::begin().await;
    let calls = story.calls().await;
    let test = story.akamai.token(&json!({"test": {"id": "abc"}}), AUDIENCE);
    story.sent(&test).await;
    assert_eq!(story.listed(&test).await["reason"], "test");
    let forged = test.clone().by_key(2);
    let _ = story.send(&forged).await.expect(400);

    let door = Tool::new(&story.to(), "");
    let token = story.created(UUID).signed();
    let post = async |headers: &[(&str, &str)], body: &str| {
        door.send("POST", "", headers, Some(body.as_bytes().to_vec())).await.unwrap()
    };
    for media_type in ["application/json", "text/plain", "application/jwt"] {
        let _ = post(&[("content-type", media_type)], &token).await.expect(415);
    }
    let long = "x".repeat(300 * 1024);
    let _ = post(&[("content-type", "application/secevent+jwt")], &long).await.expect(413);
    for junk in ["", "a", "a.b.c", "{}", "ä.ö.ü"] {
        let answer = post(&[("content-type", "application/secevent+jwt")], junk).await.expect(400);
        assert_eq!(answer.json()["err"], "invalid_request", "{junk}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let _ = door.send(method, "", &[], None).await.unwrap().expect(405);
    }
    let _ = door.send("HEAD", "", &[], None).await.unwrap().expect(204);
    assert_eq!(story.calls().await, calls);

    // With a slash, parameters and another case.
    story.akamai.profile(UUID, &noor());
    let slash = Tool::new(&format!("{}/", story.to()), "");
    let headers = [("content-type", "Application/SecEvent+JWT; charset=utf-8")];
    let body = format!("{token}\r\n").into_bytes();
    let _ = slash.send("POST", "", &headers, Some(body)).await.unwrap().expect(202);
    assert_eq!(story.contacts().await.len(), 1);
}

/// `application/jwt` only where that is configured, and never without a signature.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a22_another_media_type_of_tokens_is_taken_where_that_is_configured() {
    let story = Story::with(&super::mapping(), |section| {
        section.insert("accept-jwt".to_owned(), true.into());
    })
    .await;
    story.akamai.profile(UUID, &noor());
    let door = Tool::new(&story.to(), "");
    let post = async |media_type: &str, token: String| {
        door.send("POST", "", &[("content-type", media_type)], Some(token.into_bytes())).await.unwrap()
    };
    let _ = post("application/jwt", story.created(UUID).by_key(2).signed()).await.expect(400);
    let _ = post("application/json", story.created(UUID).signed()).await.expect(415);
    let _ = post("application/jwt", story.created(UUID).signed()).await.expect(202);
    assert_eq!(story.contacts().await.len(), 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a23_no_answer_below_events_is_a_redirect() {
    let story = Story::begin().await;
    let plain =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for path in [
        "",
        "/",
        "//",
        "/akamai",
        "/akamai/acme/prod",
        "/akamai/acme/prod/",
        "/akamai//acme/prod",
        "/akamai/acme/prod/more",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS"] {
            let url = format!("{}/events{path}", story.world.url());
            let answer = plain.request(method.parse().unwrap(), &url).send().await.unwrap();
            let status = answer.status().as_u16();
            assert!((200..300).contains(&status) || status >= 400, "{method} {url}: {status}");
        }
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a25_the_log_knows_neither_tokens_nor_secrets_nor_addresses() {
    let story = killed::Story::begin().await;
    story.akamai.profile(UUID, &noor());
    let good = story.akamai.event("entityCreated", UUID, AUDIENCE);
    let _ = story.akamai.send(&story.to(), &good).await.expect(202);
    let bad = good.clone().by_key(2);
    let _ = story.akamai.send(&story.to(), &bad).await.expect(400);
    story.akamai.fault(Some(akamai::error(500, "unexpected_error")));
    let later = story.akamai.event("entityUpdated", UUID, AUDIENCE);
    let _ = story.akamai.send(&story.to(), &later).await.expect(503);
    story.akamai.fault(None);
    let refused = json!({"path": "/data/v*/sobjects/Contact", "kind": "status", "status": 400,
        "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "noor.haddad@example.net is not welcome"});
    story.process.org().fault(refused).await;
    let mut moved = noor();
    moved["email"] = json!("moved.haddad@example.net");
    story.akamai.profile(UUID, &moved);
    let dead = story.akamai.event("entityUpdated", UUID, AUDIENCE);
    let _ = story.akamai.send(&story.to(), &dead).await.expect(202);

    let log = story.process.log();
    assert!(log.contains(good.jti()) && log.contains("DEBUG"), "the log is one, with its details: {log}");
    assert!(log.contains("k3examplek3exam1"), "Akamai's support asks for the request token");
    for token in [&good, &bad, &later, &dead] {
        let signed = token.signed();
        let (_, signature) = signed.rsplit_once('.').unwrap();
        assert!(!log.contains(signature) && !log.contains(&signed[..60]), "a token is in the log");
    }
    for secret in [akamai::CLIENT_SECRET, "haddad", "Haddad", "Noor"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// What waits for a source that is not configured any more can be decided.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a22_what_is_stored_of_a_source_that_is_gone_can_be_dismissed() {
    let story = Story::stored().await;
    story.akamai.profile(UUID, &noor());
    story.org.fault(json!({"path": "/data", "kind": "status", "status": 503})).await;
    let event = story.created(UUID);
    story.sent(&event).await;
    story.world.reload(|config| {
        let sources = e2e::world::environment(config).remove("akamai");
        assert!(sources.is_some());
    });
    let config = story.world.config_file();
    let decide = async |arguments: &[&str]| crate::akamai::ask(&config, arguments).await.0["decided"] == true;
    assert!(decide(&["events", "retry", event.jti()]).await);
    // It may be being tried.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
            .args(["events", "dismiss", event.jti(), "--reason", "the source is gone", "--config"])
            .arg(&config)
            .output()
            .await
            .unwrap();
        if output.status.success() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(story.listed(&event).await["state"], "dismissed");
}

/// What is asked for has to be there, and a decision has a reason.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a22_names_that_nobody_has_are_refused_and_people_name_their_events() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let config = story.world.config_file();
    let (said, _) = crate::akamai::ask(&config, &["events", "list", "--tenant", "acme/prod/akamai"]).await;
    assert_eq!(said["events"].as_array().unwrap().len(), 1, "{said}");
    for (arguments, told) in [
        (["list", "--tenant", "acme/prd"], "no tenant is called acme/prd"),
        (["list", "--tenant", "acme/prod/nobody"], "no event source has the people of acme/prod/nobody"),
        (["list", "--source", "akmai"], "no event source is called akmai"),
        (["dismiss", "some", "--reason="], "say why"),
    ] {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
            .arg("events")
            .args(arguments)
            .arg("--config")
            .arg(&config)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(told), "{arguments:?}: {said}");
    }
}
