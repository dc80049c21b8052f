//! SIGKILL, and a disk that is full.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use e2e::{
    Process, Side, Tool,
    sources::akamai::{Akamai, Token},
    world::add,
};
use salesforce_sim::SimConfig;
use serde_json::json;
use tokio::process::Command;
use toml::Value as Toml;

use crate::akamai::{AUDIENCE, UUID, listed_in, mapping, noor_as, scene};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gangway-under-test");

/// The same story with a gateway that can be killed.
pub(super) struct Story {
    pub(super) process: Process,
    pub(super) akamai: Akamai,
}

impl Story {
    pub(super) async fn begin() -> Self {
        Self::with(Path::new(PROGRAM), "sync").await
    }

    /// Whoever is deleted there is deleted here.
    pub(super) async fn deleting() -> Self {
        let mut mapping = mapping();
        mapping["on_delete"] = json!("delete");
        Self::of(Path::new(PROGRAM), "sync", &mapping).await
    }

    async fn with(program: &Path, acknowledge: &str) -> Self {
        Self::of(program, acknowledge, &mapping()).await
    }

    async fn of(program: &Path, acknowledge: &str, mapping: &serde_json::Value) -> Self {
        let akamai = Akamai::start().await;
        let mut section = akamai.section(AUDIENCE, "people.json");
        section.insert("acknowledge".to_owned(), Toml::from(acknowledge));
        let process = Process::with(program, &scene(mapping), SimConfig::default(), |config| {
            add(config, "akamai", section);
            let log = toml::from_str("filter = \"debug\"").unwrap();
            config.insert("log".to_owned(), Toml::Table(log));
        })
        .await;
        Self { process, akamai }
    }

    pub(super) fn to(&self) -> String {
        format!("{}/events/akamai/acme/prod", self.process.url())
    }

    fn created(&self, uuid: &str) -> Token {
        self.akamai.profile(uuid, &noor_as(uuid));
        self.akamai.event("entityCreated", uuid, AUDIENCE)
    }

    async fn sent(&self, token: &Token) {
        let _ = self.akamai.send(&self.to(), token).await.expect(202);
    }

    async fn contacts(&self) -> usize {
        self.process.org().records("Contact").await.len()
    }

    /// Sends an event and kills the gateway at its call to the org.
    async fn killed_at_the_call(&mut self, token: &Token, side: Side) {
        self.process.gate().hold(1, side);
        let (to, body) = (self.to(), token.signed().into_bytes());
        let waiting = tokio::spawn(async move {
            let headers = [("content-type", "application/secevent+jwt")];
            Tool::new(&to, "").send("POST", "", &headers, Some(body)).await
        });
        self.process.gate().held().await;
        self.process.kill().await;
        assert!(waiting.await.unwrap().is_err(), "nobody was answered");
        self.process.gate().open();
        self.process.restart().await;
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a18_a_gateway_that_is_killed_writes_nothing_twice() {
    let mut story = Story::begin().await;
    // What the org is like has been read.
    let first = story.created("00000000-first");
    story.sent(&first).await;
    for (number, side) in [Side::After, Side::Before].into_iter().enumerate() {
        let uuid = format!("person-{number}");
        let token = story.created(&uuid);
        story.killed_at_the_call(&token, side).await;
        story.until_taken(&token).await;
        let found = story.process.org().find("Contact", "Identity_UUID__c", &uuid).await;
        assert_eq!(found.len(), 1, "{side:?}: {found:#?}");
        assert_eq!(listed_in(&story.process.config_file(), token.jti()).await["state"], "applied");
    }
    // Answered before the kill: it is remembered.
    let token = story.created(UUID);
    story.sent(&token).await;
    story.process.kill().await;
    story.process.restart().await;
    let (calls, lookups) = (story.process.org().calls().await.api, story.akamai.asked("/entity").len());
    story.sent(&token).await;
    assert_eq!(story.process.org().calls().await.api, calls);
    assert_eq!(story.akamai.asked("/entity").len(), lookups);
    assert_eq!(story.contacts().await, 4);
}

impl Story {
    /// Sends it again and again, as its source does, until it is taken.
    async fn until_taken(&self, token: &Token) {
        for _ in 0..100 {
            let answer = self.akamai.send(&self.to(), token).await;
            if answer.status == 202 {
                return;
            }
            assert_eq!(answer.status, 503, "{}", answer.text);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{} is never taken", token.jti());
    }
}

/// killed instead of stopped.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a27_what_is_stored_survives_a_kill() {
    let mut story = Story::with(Path::new(PROGRAM), "stored").await;
    story.process.org().fault(json!({"kind": "status", "status": 503})).await;
    let tokens: Vec<Token> = (0..20).map(|number| story.created(&format!("person-{number}"))).collect();
    for token in &tokens {
        story.sent(token).await;
    }
    story.process.kill().await;
    assert_eq!(story.contacts().await, 0);
    story.process.org().heal().await;
    story.process.restart().await;
    for token in &tokens {
        story.until(token, "applied").await;
    }
    assert_eq!(story.contacts().await, tokens.len());
}

/// a disk that is full.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a27_nothing_is_acknowledged_that_the_disk_does_not_take() {
    // A file that is too long is an error then, and not the end.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("gangway");
    fs::write(&program, format!("#!/bin/sh\ntrap '' XFSZ\nexec {PROGRAM} \"$@\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let story = Story::with(&program, "stored").await;
    let limit = async |bytes: &str| {
        let pid = story.process.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status().await;
        assert!(done.unwrap().success());
    };
    let first = story.created("person-1");
    story.sent(&first).await;
    story.until(&first, "applied").await;

    limit("1:unlimited").await;
    let token = story.created(UUID);
    for _ in 0..2 {
        let answer = story.akamai.send(&story.to(), &token).await.expect(503);
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(story.contacts().await, 1);
    limit("unlimited:unlimited").await;
    story.until_taken(&token).await;
    story.until(&token, "applied").await;
    assert_eq!(story.contacts().await, 2);
}

impl Story {
    /// Ends when the event is in this state.
    async fn until(&self, token: &Token, state: &str) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        loop {
            let listed = listed_in(&self.process.config_file(), token.jti()).await;
            if listed["state"] == state {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{listed} should be {state}");
        }
    }
}
