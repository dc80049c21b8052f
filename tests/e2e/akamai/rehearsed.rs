//! `gangway events send-test`: does what the source sends arrive?

use crate::akamai::{Story, ask, listed};

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_comes_by_the_way_of_the_source_and_changes_nothing() {
    let story = Story::begin().await;
    let calls = story.calls().await;
    let (to, config) = (story.to(), story.world.config_file());
    let (said, code) = ask(&config, &["events", "send-test", "akamai", "--url", &to]).await;
    assert_eq!((&said["status"], code), (&202.into(), Some(0)), "{said}");
    let event = listed(&story.world, said["jti"].as_str().unwrap()).await;
    assert_eq!((&event["kind"], &event["state"]), (&"test".into(), &"ignored".into()), "{event}");
    assert_eq!((story.calls().await, story.lookups(), story.contacts().await.len()), (calls, 0, 0));
    // Somebody else answers there.
    let elsewhere = format!("{}/login/jwk", story.to());
    let (said, code) = ask(&config, &["events", "send-test", "akamai", "--url", &elsewhere]).await;
    assert_eq!((&said["status"], code), (&404.into(), Some(4)), "{said}");
}
