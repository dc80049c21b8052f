//! Thousands of events, some of them twice, late or forged, while Salesforce is away for a third of the time and the gateway is
//! killed five times: the org ends as the source is.
//!
//! `GANGWAY_STORM_EVENTS` and `GANGWAY_STORM_SEED` make it longer and another one.

use std::{collections::BTreeMap, env};

use e2e::{Answered, Tool, sources::akamai::Token};
use futures::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use super::killed::Story;
use crate::akamai::{AUDIENCE, ask};

const EVENTS: usize = 400;
/// How many events of a source are on their way at once.
const AT_ONCE: usize = 16;
/// The storm has so many parts; Salesforce is away in every third of them, and the gateway is killed in the middle of each but one.
const PARTS: usize = 6;
/// A key that the source does not publish.
const FORGED: usize = 2;

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the source knows of its people, and the events that say so.
struct Source {
    random: StdRng,
    /// By uuid: how often it was changed.
    people: BTreeMap<String, u32>,
    made: usize,
    events: usize,
}

impl Source {
    /// Something happens, and an event says so.
    fn next(&mut self, story: &Story) -> Token {
        self.made += 1;
        // Each event a second later than the one before, the last of them now.
        let seconds = i64::try_from(self.made).unwrap() - i64::try_from(self.events).unwrap();
        let die = self.random.random_range(0..10);
        let known = self.random.random_range(0..self.people.len().max(1));
        let known = self.people.keys().nth(known).cloned();
        match known {
            Some(uuid) if die >= 9 => {
                self.people.remove(&uuid);
                story.akamai.forget(&uuid);
                story.akamai.event("entityDeleted", &uuid, AUDIENCE).happened(seconds)
            }
            Some(uuid) if die >= 4 => {
                let times = self.people.get_mut(&uuid).unwrap();
                *times += 1;
                story.akamai.profile(&uuid, &profile(&uuid, *times));
                story
                    .akamai
                    .event("entityUpdated", &uuid, AUDIENCE)
                    .attributes(&["familyName"])
                    .happened(seconds)
            }
            _ => {
                let uuid = format!("person-{}", self.made);
                self.people.insert(uuid.clone(), 0);
                story.akamai.profile(&uuid, &profile(&uuid, 0));
                story.akamai.event("entityCreated", &uuid, AUDIENCE).happened(seconds)
            }
        }
    }
}

fn profile(uuid: &str, times: u32) -> Value {
    json!({"email": format!("{uuid}@example.net"), "givenName": "Noor", "familyName": format!("Haddad {times}")})
}

async fn send(to: String, token: Token) -> (Token, Option<Answered>) {
    let headers = [("content-type", "application/secevent+jwt")];
    let answer = Tool::new(&to, "").send("POST", "", &headers, Some(token.signed().into_bytes())).await;
    (token, answer.ok())
}

/// Sends them all, as a source does that keeps what was not taken. With `kill`, the gateway is killed after so many answers.
async fn deliver(story: &mut Story, tokens: Vec<Token>, kill: Option<usize>) -> Vec<Token> {
    let to = story.to();
    let sends = tokens.into_iter().map(|token| send(to.clone(), token));
    let mut sends = Box::pin(stream::iter(sends).buffer_unordered(AT_ONCE));
    let (mut kept, mut answers) = (Vec::new(), 0);
    while let Some((token, answer)) = sends.next().await {
        match answer.map(|answer| answer.status) {
            Some(202) => assert_ne!(token.key, FORGED, "a forged event was taken"),
            Some(400) => assert_eq!(token.key, FORGED, "{} was refused", token.jti()),
            // Not now, or nobody is there.
            Some(503) | None => kept.push(token),
            Some(status) => panic!("{status} for {}", token.jti()),
        }
        answers += 1;
        if Some(answers) == kill {
            story.process.kill().await;
        }
    }
    if kill.is_some() {
        story.process.restart().await;
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_events_leaves_the_org_as_the_source_is() {
    let events = number("GANGWAY_STORM_EVENTS", EVENTS);
    let mut story = Story::deleting().await;
    let random = StdRng::seed_from_u64(number("GANGWAY_STORM_SEED", 1));
    let mut source = Source { random, people: BTreeMap::new(), made: 0, events };
    let mut waiting: Vec<Token> = Vec::new();
    let mut honest: Vec<String> = Vec::new();
    for part in 0..PARTS {
        let mut tokens: Vec<Token> = Vec::new();
        for _ in 0..events / PARTS {
            let token = source.next(&story);
            honest.push(token.jti().to_owned());
            if source.random.random_range(0..10) == 0 {
                tokens.push(token.clone());
            }
            if source.random.random_range(0..20) == 0 {
                tokens.push(story.akamai.event("entityDeleted", "person-1", AUDIENCE).by_key(FORGED));
            }
            tokens.push(token);
        }
        // A tenth of them change places with another one.
        for place in 0..tokens.len() {
            if source.random.random_range(0..10) == 0 {
                let other = source.random.random_range(0..tokens.len());
                tokens.swap(place, other);
            }
        }
        tokens.append(&mut waiting);
        if part % 3 == 1 {
            story.process.org().fault(json!({"kind": "status", "status": 503})).await;
        }
        let kill = (part + 1 < PARTS).then_some(tokens.len() / 2);
        waiting = deliver(&mut story, tokens, kill).await;
        story.process.org().heal().await;
    }
    // What was not taken comes again until it is, in any order.
    for _ in 0..200 {
        if waiting.is_empty() {
            break;
        }
        waiting.shuffle(&mut source.random);
        waiting = deliver(&mut story, waiting, None).await;
    }
    assert!(waiting.is_empty(), "{} events are never taken", waiting.len());

    let contacts = story.process.org().records("Contact").await;
    let found: BTreeMap<String, String> = contacts
        .iter()
        .map(|contact| {
            let text = |field: &str| contact[field].as_str().unwrap_or_default().to_owned();
            (text("Identity_UUID__c"), text("LastName"))
        })
        .collect();
    assert_eq!(found.len(), contacts.len(), "nobody is there twice");
    let expected: BTreeMap<String, String> =
        source.people.iter().map(|(uuid, times)| (uuid.clone(), format!("Haddad {times}"))).collect();
    assert_eq!(found, expected);

    let limit = (events * 2).to_string();
    let (said, _) = ask(&story.process.config_file(), &["events", "list", "--limit", &limit]).await;
    let mut outcomes: BTreeMap<&str, &str> = BTreeMap::new();
    for event in said["events"].as_array().unwrap() {
        let state = event["state"].as_str().unwrap();
        let before = outcomes.insert(event["jti"].as_str().unwrap(), state);
        assert_eq!(before, None, "{event} is there twice");
    }
    for jti in &honest {
        let state = outcomes.remove(jti.as_str());
        assert!(matches!(state, Some("applied" | "ignored")), "{jti} is {state:?}");
    }
    assert!(outcomes.is_empty(), "forged events have no outcome: {outcomes:?}");
}
