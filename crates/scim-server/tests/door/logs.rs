//! What is logged of a request.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use model::Ids;
use scim_server::{OAuth, OAuthUser, PasswordHash};
use serde_json::{Value, json};

use crate::harness::{ROOT, World};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn c73_a_line_says_who_and_where_and_nothing_personal() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::start();
    world.get("/Users?filter=userName+eq+%22Verborgen%22").await;
    world.get("/Users/Verborgen").await.refused(404, None);
    world.call("POST", "/Groups", json!({"displayName": "Verborgen"})).await;
    world.call("POST", "/Groups", json!({"displayName": "Verborgen"})).await.refused(409, Some("uniqueness"));
    world.call("PATCH", "/Groups/Verborgen", json!({"Operations": []})).await;
    world.call("VERBORGEN", "/Verborgen", Value::Null).await;
    world.send("GET", &format!("{ROOT}/Users"), &[("authorization", "Bearer Verborgen")], "").await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!text.to_lowercase().contains("verborgen"), "{text}");
    let line = text.lines().find(|line| line.contains("/Users/{id}")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let fields = &line["fields"];
    assert_eq!(fields["method"], "GET");
    assert_eq!(fields["status"], 404);
    assert_eq!((&fields["tenant"], &fields["client"]), (&"acme/prod".into(), &"writer".into()));
    assert!(fields["duration_ms"].is_number() && fields["request.id"].is_string());
}

#[tokio::test]
async fn c11_no_part_of_a_token_request_is_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let hash = |text: &str| PasswordHash::of(text, &Ids::seeded(1));
    let user = OAuthUser { username: "Verborgen@acme.example".into(), passwords: vec![hash("Verborgen1")] };
    let oauth = OAuth {
        client_id: "Verborgen2".into(),
        secrets: vec![hash("Verborgen3")],
        users: vec![user],
        token_life: Duration::from_hours(2),
    };
    let world = World::with_client(|client| client.oauth = Some(oauth));
    let sent = "grant_type=password&client_id=Verborgen2&client_secret=Verborgen3&username=verborgen@acme.example&password=";
    let path = "/acme/prod/services/oauth2/token";
    let (right, wrong) = (format!("{sent}Verborgen1"), format!("{sent}Verborgen4"));
    let answer = world.send("POST", &format!("{path}?{right}"), &[], "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(world.send("POST", path, &[], right.as_str()).await.status, 200);
    assert_eq!(world.send("POST", &format!("{path}?{wrong}"), &[], "").await.status, 400);
    assert_eq!(
        world.send("POST", "/Verborgen/Verborgen/services/oauth2/token", &[], right).await.status,
        400
    );
    // base64("Verborgen2:Verborgen3")
    let basic = ("authorization", "Basic VmVyYm9yZ2VuMjpWZXJib3JnZW4z");
    assert_eq!(world.send("POST", path, &[basic], "grant_type=client_credentials").await.status, 200);

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert!(
        !text.to_lowercase().contains("verborgen") && !text.contains("VmVyYm9") && !text.contains(&token),
        "{text}"
    );
    let line =
        |words: &str| text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{text}"));
    assert!(line("no access token was given").contains("\"client\":\"writer\""), "{text}");
    assert!(line("/services/oauth2/token").contains("\"tenant\":\"acme/prod\""), "{text}");
}
