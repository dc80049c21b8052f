//! Events that are fetched (RFC 8936, as receiver): no door has to be open to the outside.
//!
//! A token is acknowledged when what it says is applied or durable here, and not before; one that is not acknowledged is given
//! out again. So a crash at any point loses nothing, and what comes twice is known by its `jti`.
//!
//! What an answer has of one subject is taken in its order, one after the other; subjects are taken side by side.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::SignedDuration;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use crate::{
    Event, Intake, Order, Refusal, Source,
    remote::{Remote, RemoteError},
};

/// So many tokens at once.
const AT_ONCE: usize = 50;
/// So many of them are verified at once, and so many subjects are applied.
const TOGETHER: usize = 16;
/// How long a poll may take that waits for something to happen. Proxies commonly cut connections after 60 s.
const LONG_POLL: Duration = Duration::from_secs(55);
/// Pauses after polls that failed: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A poll that brings nothing and did not wait either is not repeated at once.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// What reads the tokens of a source.
#[async_trait]
pub(crate) trait ReadToken: Sync {
    /// The events in a token, if it is good.
    async fn read_token(&self, intake: &Intake, token: &str) -> Result<Vec<Event>, Refusal>;
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct PollRequest {
    ack: Vec<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    set_errs: Map<String, Value>,
    max_events: usize,
    return_immediately: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PollAnswer {
    #[serde(default)]
    sets: Map<String, Value>,
    #[serde(default)]
    more_available: bool,
}

/// What becomes of one token.
enum Taken {
    Acknowledged(String),
    Wrong(String, Value),
    /// It is not acknowledged, and comes again.
    Later(Duration),
}

/// Polls for ever.
pub(crate) async fn run(
    remote: &Remote,
    url: &Url,
    reader: &dyn ReadToken,
    intake: &Arc<Intake>,
    source: &Arc<Source>,
) {
    let mut owed = PollRequest { max_events: AT_ONCE, ..PollRequest::default() };
    let mut pause = FIRST_PAUSE;
    loop {
        let body = serde_json::to_value(&owed).expect("a poll is JSON");
        let started = intake.clock.now();
        let answer = match remote.call(Method::POST, url, Some(&body), LONG_POLL).await {
            Ok(answer) => answer.json::<PollAnswer>(),
            // Nothing has happened there in all that time. What was acknowledged is so again, in case it did not arrive.
            Err(RemoteError::Silent) if !owed.return_immediately => {
                pause = FIRST_PAUSE;
                continue;
            }
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => {
                pause = FIRST_PAUSE;
                owed.ack.clear();
                owed.set_errs.clear();
                let wait = take(answer, reader, intake, source, &mut owed).await;
                let waited = intake.clock.now().duration_since(started);
                let idle = owed.ack.is_empty() && owed.set_errs.is_empty();
                let quick = idle && waited < SignedDuration::try_from(IDLE_PAUSE).unwrap_or_default();
                if let Some(wait) = wait.or(quick.then_some(IDLE_PAUSE)) {
                    tokio::time::sleep(jittered(intake, wait)).await;
                }
            }
            Err(why) => {
                intake.count(source, "poll-failed", "");
                tracing::warn!(tenant = %source.tenant, source = %source.name, why, "events cannot be fetched now");
                tokio::time::sleep(jittered(intake, pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Takes in what a poll has brought. Answers how long to wait, where something could not be taken in now.
async fn take(
    answer: PollAnswer,
    reader: &dyn ReadToken,
    intake: &Arc<Intake>,
    source: &Arc<Source>,
    owed: &mut PollRequest,
) -> Option<Duration> {
    let tokens = futures::stream::iter(answer.sets);
    let read = tokens.map(|(jti, token)| read(jti, token, reader, intake, source)).buffered(TOGETHER);
    let (mut taken, mut subjects) = (Vec::new(), Subjects::default());
    for read in read.collect::<Vec<_>>().await {
        match read {
            Ok(sound) => subjects.add(sound),
            Err(refused) => taken.push(refused),
        }
    }
    let subjects = futures::stream::iter(subjects.0);
    let applied = subjects.map(|tokens| in_their_order(tokens, intake, source)).buffer_unordered(TOGETHER);
    taken.extend(applied.collect::<Vec<_>>().await.into_iter().flatten());
    let mut wait = None;
    for taken in taken {
        match taken {
            Taken::Acknowledged(jti) => owed.ack.push(jti),
            Taken::Wrong(jti, why) => {
                owed.set_errs.insert(jti, why);
            }
            Taken::Later(after) => wait = Some(wait.map_or(after, |wait: Duration| wait.min(after))),
        }
    }
    owed.return_immediately = answer.more_available;
    wait
}

/// A token that is good.
struct Good {
    jti: String,
    events: Vec<Event>,
}

/// The tokens of an answer, by whom they are about.
#[derive(Default)]
struct Subjects(Vec<Vec<Good>>);

impl Subjects {
    /// One that is about several people comes after all that are about any of them.
    fn add(&mut self, token: Good) {
        let is_about = |tokens: &Vec<Good>| tokens.iter().any(|other| other.is_about_one_of(&token));
        let (about, mut others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(is_about);
        let mut together: Vec<Good> = about.into_iter().flatten().collect();
        together.push(token);
        others.push(together);
        self.0 = others;
    }
}

impl Good {
    fn is_about_one_of(&self, other: &Self) -> bool {
        let is_among = |event: &Event| other.events.iter().any(|one| one.subject == event.subject);
        self.events.iter().any(is_among)
    }

    /// Whether what comes after it has to wait for it.
    fn keeps_its_place(&self) -> bool {
        self.events.iter().any(|event| event.order != Order::Alone)
    }
}

async fn read(
    jti: String,
    token: Value,
    reader: &dyn ReadToken,
    intake: &Intake,
    source: &Source,
) -> Result<Good, Taken> {
    let Some(token) = token.as_str() else {
        return Err(wrong(jti, &Refusal::InvalidRequest("a token is a text".to_owned())));
    };
    let events = match reader.read_token(intake, token).await {
        Ok(events) => events,
        Err(refusal) => return Err(refused(jti, &refusal, intake, source)),
    };
    // Of several events in one token each has its own name behind this one.
    if !events.iter().all(|event| *event.delivery.as_ref().unwrap_or(&event.jti) == jti) {
        let refusal =
            Refusal::InvalidRequest("the token has another `jti` than it is given out under".into());
        return Err(refused(jti, &refusal, intake, source));
    }
    Ok(Good { jti, events })
}

/// Takes the tokens about somebody in. Where one has to wait, those that come after it wait as well: they are given out again in
/// their order.
async fn in_their_order(tokens: Vec<Good>, intake: &Arc<Intake>, source: &Arc<Source>) -> Vec<Taken> {
    let mut taken = Vec::new();
    for token in tokens {
        let keeps_its_place = token.keeps_its_place();
        let one = one(token, intake, source).await;
        let waits = keeps_its_place && matches!(one, Taken::Later(_));
        taken.push(one);
        if waits {
            break;
        }
    }
    taken
}

async fn one(token: Good, intake: &Arc<Intake>, source: &Arc<Source>) -> Taken {
    for event in token.events {
        if let Err(refusal) = intake.take(source, event, Instant::now() + source.answer_within).await {
            return refused(token.jti, &refusal, intake, source);
        }
    }
    Taken::Acknowledged(token.jti)
}

fn refused(jti: String, refusal: &Refusal, intake: &Intake, source: &Source) -> Taken {
    intake.count(source, "rejected", refusal.reason());
    match refusal {
        Refusal::Unavailable { retry_after, .. } => Taken::Later(*retry_after),
        Refusal::InFlight => Taken::Later(IDLE_PAUSE),
        refusal => {
            tracing::info!(tenant = %source.tenant, source = %source.name, jti, reason = refusal.reason(), "a fetched event is refused");
            wrong(jti, refusal)
        }
    }
}

fn wrong(jti: String, refusal: &Refusal) -> Taken {
    let (err, description) = refusal.error().unwrap_or(("invalid_request", "the token is not taken"));
    Taken::Wrong(jti, serde_json::json!({"err": err, "description": description}))
}

/// Between half of it and the whole: those who failed together do not come again together.
fn jittered(intake: &Intake, pause: Duration) -> Duration {
    pause / 2 + (pause / 2).mul_f64(intake.ids.jitter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(jti: &str, subjects: &[&str]) -> Good {
        let event = |subject: &&str| Event {
            jti: jti.to_owned(),
            same_as: None,
            delivery: None,
            subject: (*subject).to_owned(),
            kind: String::new(),
            happened: model::Timestamp::UNIX_EPOCH,
            version: None,
            order: Order::Notice,
            body: Value::Null,
        };
        Good { jti: jti.to_owned(), events: subjects.iter().map(event).collect() }
    }

    #[test]
    fn what_is_about_one_person_stays_in_its_order_and_others_are_apart() {
        let mut subjects = Subjects::default();
        for (jti, whom) in [("1", &["a"][..]), ("2", &["b"]), ("3", &["a"]), ("4", &["b"]), ("5", &["c"])] {
            subjects.add(about(jti, whom));
        }
        let order = |subjects: &Subjects| {
            let mut order: Vec<String> = subjects
                .0
                .iter()
                .map(|tokens| tokens.iter().map(|token| token.jti.as_str()).collect())
                .collect();
            order.sort();
            order
        };
        assert_eq!(order(&subjects), ["13", "24", "5"]);
        subjects.add(about("6", &["c", "a"]));
        let order = order(&subjects);
        assert_eq!(order.len(), 2);
        assert!(order.iter().any(|one| one.ends_with('6') && one.contains("13")), "{order:?}");
    }
}
