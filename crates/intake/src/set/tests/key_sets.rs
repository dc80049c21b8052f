//! How a source's published keys are read, kept and read again.

use std::time::Duration;

use futures::future::join_all;
use jsonwebtoken::Algorithm as Jws;
use model::{Clock, Timestamp};
use serde_json::json;

use super::source::*;
use crate::set::{Code, InvalidKeySet, KeySet, KeySets, Reason, verify};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn token_of(pair: &Pair) -> String {
    named(pair, pair.ours.kid())
}

fn named(pair: &Pair, kid: &str) -> String {
    let mut header = header();
    header["kid"] = json!(kid);
    // Old enough for a day and young enough for ten.
    signed_by(&pair.theirs, Jws::RS256, &header.to_string(), &claims().to_string())
}

/// What the token gets: nothing wrong, or the code.
async fn outcome(keys: &KeySet, token: &str, now: Timestamp) -> Option<Code> {
    verify(keys, token, &expect(), now).await.err().map(|rejected| rejected.code())
}

#[tokio::test]
async fn both_forms_of_a_set_are_read() {
    for form in [jwks(&[&ONE, &TWO]), json!([ONE.ours.jwk(), TWO.ours.jwk()])] {
        let source = Address::saying(Answer::json(&form)).await;
        let keys = KeySet::published(&source.url).unwrap();
        assert_eq!(source.requests(), 0, "nothing is read before it is needed");
        for pair in [&ONE, &TWO] {
            assert_eq!(outcome(&keys, &token_of(pair), now()).await, None);
        }
        assert_eq!(source.requests(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tokens_at_once_read_a_cold_set_once() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    let tasks = (0..100).map(|_| {
        let keys = keys.clone();
        tokio::spawn(async move { outcome(&keys, &token_of(&ONE), now()).await })
    });
    for task in join_all(tasks).await {
        assert_eq!(task.unwrap(), None);
    }
    assert_eq!(source.requests(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_found_after_exactly_one_more_reading() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    assert_eq!(outcome(&keys, &token_of(&ONE), now()).await, None);
    source.says(Answer::json(&jwks(&[&ONE, &TWO])));
    let outcomes = join_all((0..20).map(async |_| outcome(&keys, &token_of(&TWO), now()).await)).await;
    assert_eq!(outcomes, [None; 20]);
    assert_eq!(source.requests(), 2);
}

#[tokio::test]
async fn made_up_keys_have_the_set_read_once_a_minute() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    let clock = Clock::manual(now());
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    for minute in 1..=3 {
        for made_up in 0..100 {
            let token = named(&ONE, &format!("made-up-{made_up}"));
            assert_eq!(outcome(&keys, &token, clock.now()).await, Some(Code::InvalidKey));
            assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
            clock.advance(Duration::from_millis(100));
        }
        assert_eq!(source.requests(), 1 + minute);
        clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn an_unknown_key_is_no_wrong_key_while_the_set_cannot_be_read() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    let clock = Clock::manual(now());
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    for broken in [Answer::Cuts, Answer::Says("500 Internal Server Error", String::new(), vec![])] {
        source.says(broken);
        let before = source.requests();
        for _ in 0..10 {
            let rejected = verify(&keys, &token_of(&TWO), &expect(), clock.now()).await.unwrap_err();
            assert_eq!((rejected.reason, rejected.code()), (Reason::Unavailable, Code::Unavailable));
            assert!(rejected.retry_after.is_some_and(|wait| wait <= MINUTE), "{rejected:?}");
            assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None, "the known key goes on");
            clock.advance(Duration::from_secs(5));
        }
        assert_eq!(source.requests(), before + 1);
        clock.advance(MINUTE);
    }
    source.says(Answer::json(&jwks(&[&TWO])));
    assert_eq!(outcome(&keys, &token_of(&TWO), clock.now()).await, None);
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, Some(Code::InvalidKey), "withdrawn");
}

#[tokio::test]
async fn without_any_set_every_token_is_asked_for_again() {
    let source = Address::saying(Answer::Cuts).await;
    let keys = KeySet::published(&source.url).unwrap();
    let clock = Clock::manual(now());
    for _ in 0..4 {
        assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, Some(Code::Unavailable));
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(source.requests(), 1, "and the source is not asked for each of them");
    source.says(Answer::json(&jwks(&[&ONE])));
    clock.advance(Duration::from_secs(1));
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unavailable() {
    let source = Address::publishing(&[&ONE]).await;
    let url = source.url.clone();
    drop(source);
    let keys = KeySet::published(&url).unwrap();
    let rejected = verify(&keys, &token_of(&ONE), &expect(), now()).await.unwrap_err();
    assert_eq!(rejected.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_set_that_has_run_out_is_read_again_and_serves_a_day_longer_while_it_cannot_be() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    let clock = Clock::manual(now());
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    assert_eq!(source.requests(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    assert_eq!(source.requests(), 2);

    source.says(Answer::Cuts);
    clock.advance(HOUR);
    for _ in 0..10 {
        assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(source.requests(), 3, "tried once, not for every token");
    clock.advance(HOUR * 23);
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
    clock.advance(HOUR);
    assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, Some(Code::Unavailable));
}

#[tokio::test]
async fn the_source_says_how_long_its_keys_are_kept() {
    let body = jwks(&[&ONE]).to_string().into_bytes();
    let source =
        Address::saying(Answer::Says("200 OK", "Cache-Control: public, max-age=600\r\n".to_owned(), body))
            .await;
    let keys = KeySet::published(&source.url).unwrap();
    let clock = Clock::manual(now());
    for (wait, requests) in [(0, 1), (599, 1), (1, 2), (599, 2), (1, 3)] {
        clock.advance(Duration::from_secs(wait));
        assert_eq!(outcome(&keys, &token_of(&ONE), clock.now()).await, None);
        assert_eq!(source.requests(), requests);
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_a_set_for_ever() {
    let source = Address::publishing(&[&ONE]).await;
    let keys = KeySet::published(&source.url).unwrap();
    let later = now() + HOUR * 200;
    assert_eq!(outcome(&keys, &token_of(&ONE), later).await, None);
    assert_eq!(outcome(&keys, &token_of(&ONE), now()).await, None);
    assert_eq!(source.requests(), 2);
}

#[tokio::test]
async fn who_hangs_up_does_not_cut_off_those_who_wait_for_the_same_keys() {
    let source = Address::publishing(&[&ONE]).await;
    source.hold();
    let keys = KeySet::published(&source.url).unwrap();
    let verifier = |keys: KeySet| tokio::spawn(async move { outcome(&keys, &token_of(&ONE), now()).await });
    let first = verifier(keys.clone());
    source.asked(1).await;
    let second = verifier(keys.clone());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    source.release();
    assert_eq!(second.await.unwrap(), None);
    assert_eq!(source.requests(), 1);
}

#[tokio::test]
async fn the_keys_are_looked_for_on_no_other_host() {
    let elsewhere = Address::publishing(&[&ONE]).await;
    let source = Address::saying(Answer::redirect(&elsewhere.url)).await;
    let keys = KeySet::published(&source.url).unwrap();
    let rejected = verify(&keys, &token_of(&ONE), &expect(), now()).await.unwrap_err();
    assert_eq!(rejected.code(), Code::Unavailable);
    assert!(rejected.description.contains("another host"), "{rejected}");
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_but_not_for_ever() {
    let source = Address::saying(Answer::redirect("/elsewhere")).await;
    let keys = KeySet::published(&source.url).unwrap();
    let rejected = verify(&keys, &token_of(&ONE), &expect(), now()).await.unwrap_err();
    assert!(rejected.description.contains("too often"), "{rejected}");
    assert_eq!(source.requests(), 4);

    let source = Address::saying(Answer::redirect("/elsewhere")).await;
    source.hold();
    let keys = KeySet::published(&source.url).unwrap();
    let verifier = tokio::spawn(async move { outcome(&keys, &token_of(&ONE), now()).await });
    source.asked(1).await;
    source.let_pass(1);
    source.asked(2).await;
    source.says(Answer::json(&jwks(&[&ONE])));
    source.release();
    assert_eq!(verifier.await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_without_end_or_sense_is_no_key_set() {
    let mut padded = jwks(&[&ONE]);
    padded["padding"] = json!("x".repeat(64 * 1024));
    for (answer, why) in [
        (Answer::json(&padded), "more than 64 KiB"),
        (Answer::Says("200 OK", String::new(), b"<html>maintenance</html>".to_vec()), "no key set"),
        (Answer::Says("204 No Content", String::new(), vec![]), "answered 204"),
        (
            Answer::Says("404 Not Found", String::new(), jwks(&[&ONE]).to_string().into_bytes()),
            "answered 404",
        ),
    ] {
        let source = Address::saying(answer).await;
        let keys = KeySet::published(&source.url).unwrap();
        let rejected = verify(&keys, &token_of(&ONE), &expect(), now()).await.unwrap_err();
        assert_eq!(rejected.code(), Code::Unavailable);
        assert!(rejected.description.contains(why), "{rejected}");
    }
}

#[tokio::test]
async fn a_source_that_withdraws_all_its_keys_is_believed() {
    let source = Address::publishing(&[]).await;
    let keys = KeySet::published(&source.url).unwrap();
    assert_eq!(outcome(&keys, &token_of(&ONE), now()).await, Some(Code::InvalidKey));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_waited_for_five_seconds() {
    let source = Address::saying(Answer::Hangs).await;
    let keys = KeySet::published(&source.url).unwrap();
    let started = tokio::time::Instant::now();
    let rejected = verify(&keys, &token_of(&ONE), &expect(), now()).await.unwrap_err();
    assert_eq!(rejected.code(), Code::Unavailable);
    assert!(rejected.description.contains("within 5 s"), "{rejected}");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(6), "{waited:?}");
}

#[tokio::test]
async fn sources_and_reloads_share_a_set() {
    let source = Address::publishing(&[&ONE]).await;
    let sets = KeySets::default();
    let before = sets.published(&source.url).unwrap();
    assert_eq!(outcome(&before, &token_of(&ONE), now()).await, None);
    let after = sets.published(&source.url).unwrap();
    drop(before);
    assert_eq!(outcome(&after, &token_of(&ONE), now()).await, None);
    assert_eq!(source.requests(), 1);
    drop(after);
    let anew = sets.published(&source.url).unwrap();
    assert_eq!(outcome(&anew, &token_of(&ONE), now()).await, None);
    assert_eq!(source.requests(), 2, "what nobody holds is forgotten");
}

#[test]
fn a_set_is_read_over_https_or_from_this_machine() {
    for good in [
        "https://v1.api.us.example/x/login/jwk",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://localhost:1/",
    ] {
        KeySet::published(good).unwrap();
    }
    for bad in [
        "http://v1.api.us.example/jwk",
        "http://127.0.0.1.example/jwk",
        "http://10.0.0.1/jwk",
        "ftp://localhost/jwk",
        "file:///etc/passwd",
        "https://user:password@source.example/jwk",
        "data:application/json,[]",
    ] {
        assert!(matches!(KeySet::published(bad).err(), Some(InvalidKeySet::Unsafe(_))), "{bad}");
    }
    assert!(matches!(KeySets::default().published("jwk").err(), Some(InvalidKeySet::NoUrl(_))));
}
