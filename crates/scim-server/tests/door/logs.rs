//! What is logged of a request.

use std::{
    io,
    sync::{Arc, Mutex},
};

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
