//! What comes twice, late, or while Salesforce is away.

use e2e::sources::didomi::{chosen, newsletter, user_updated};
use serde_json::json;

use super::{EIGHT, NINE, NOOR, applied, dead, didomi, evidence, ignored, look, noor, outcome, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_an_event_is_written_once() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    let _ = didomi.send(&event).await.expect(202);
    applied(&world, "evt-1").await;
    let id = noor(&world).await["Id"].as_str().unwrap().to_owned();
    world.org().change("Contact", &id, &json!({"HasOptedOutOfEmail": true})).await;
    let written = evidence(&world).await.len();
    let calls = world.org().calls().await.api;
    let _ = didomi.send(&event).await.expect(202);
    assert_eq!(outcome(&world, "evt-1").await.0, "applied");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true, "what was done since by hand stands");
    assert_eq!((evidence(&world).await.len(), world.org().calls().await.api), (written, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_an_older_choice_is_out_of_date_for_its_own_purpose_alone() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-2", NINE, NOOR, true)).await.expect(202);
    applied(&world, "evt-2").await;
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);

    let phone = chosen("evt-0", EIGHT, NOOR, json!([]), json!([{"id": "phone", "enabled": true}]));
    let _ = didomi.send(&phone).await.expect(202);
    applied(&world, "evt-0").await;
    let contact = noor(&world).await;
    assert_eq!(contact["DoNotCall"], false);
    assert!(
        contact["Consent_Updated__c"].as_str().unwrap().starts_with("2026-08-05T09:00:00"),
        "the newest choice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_nobody_has_chosen_in_the_future() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", "2126-08-05T08:00:01Z", NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let contact = noor(&world).await;
    assert_eq!(contact["HasOptedOutOfEmail"], false);
    assert!(!contact["Consent_Updated__c"].as_str().unwrap().starts_with("2126"), "{contact:?}");
    // Chosen after that has arrived.
    let now = model::Clock::system().now().to_string();
    let _ = didomi.send(&newsletter("evt-2", &now, NOOR, false)).await.expect(202);
    applied(&world, "evt-2").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_a_user_of_an_older_version_is_out_of_date() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let newsletter = |enabled: bool| json!([{"id": "newsletter", "enabled": enabled}]);
    let _ = didomi.send(&user_updated(7, EIGHT, NOOR, newsletter(true))).await.expect(202);
    applied(&world, &format!("user.updated/gdpr/dd-{NOOR}/7")).await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    let _ = didomi.send(&user_updated(6, NINE, NOOR, newsletter(false))).await.expect(202);
    assert_eq!(ignored(&world, &format!("user.updated/gdpr/dd-{NOOR}/6")).await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    let _ = didomi.send(&user_updated(8, NINE, NOOR, newsletter(false))).await.expect(202);
    applied(&world, &format!("user.updated/gdpr/dd-{NOOR}/8")).await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

/// A `user.updated` that does not say when.
fn untimed(version: i64, enabled: bool) -> serde_json::Value {
    let mut event = user_updated(version, NINE, NOOR, json!([{"id": "newsletter", "enabled": enabled}]));
    event["parameters"]["source"] = json!(null);
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_a_user_without_a_time_is_no_newer_than_a_choice_that_has_one() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let name = |version: i64| format!("user.updated/gdpr/dd-{NOOR}/{version}");
    let _ = didomi.send(&untimed(7, true)).await.expect(202);
    applied(&world, &name(7)).await;
    assert!(noor(&world).await["Consent_Updated__c"].is_null(), "nobody has said when");
    // Chosen before that arrived; when that was chosen nobody knows.
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
    // Nor is it known whether this is newer.
    let _ = didomi.send(&untimed(8, true)).await.expect(202);
    assert_eq!(ignored(&world, &name(8)).await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c08_a_user_without_a_time_is_newer_than_his_earlier_version() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let newsletter = json!([{"id": "newsletter", "enabled": true}]);
    let _ = didomi.send(&user_updated(7, NINE, NOOR, newsletter)).await.expect(202);
    applied(&world, &format!("user.updated/gdpr/dd-{NOOR}/7")).await;
    let _ = didomi.send(&untimed(8, false)).await.expect(202);
    applied(&world, &format!("user.updated/gdpr/dd-{NOOR}/8")).await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_of_which_nobody_knows_the_time_waits_for_a_person() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let _ = didomi.send(&untimed(8, false)).await.expect(202);
    let why = dead(&world, &format!("user.updated/gdpr/dd-{NOOR}/8")).await;
    assert!(why.contains("does not say when"), "{why}");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c09_while_salesforce_is_away_events_are_kept_here() {
    let mut world = world_with(|_| ()).await;
    let down = json!({"path": "/data", "kind": "status", "status": 503});
    let _ = didomi(&world).send(&newsletter("evt-0", EIGHT, "nobody@example.net", true)).await.expect(202);
    assert_eq!(ignored(&world, "evt-0").await, "unmatched");
    world.org().fault(down).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    for _ in 0..200 {
        if look(&world, "evt-1").await["attempts"].as_u64() > Some(0) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(look(&world, "evt-1").await["state"], "stored");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
    world.restart().await;
    world.org().heal().await;
    world.advance(std::time::Duration::from_mins(11));
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    assert_eq!(evidence(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c09_a_source_that_is_to_wait_is_told_to_send_again() {
    let world = world_with(|source| drop(source.insert("acknowledge".into(), "sync".into()))).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    world.org().fault(json!({"path": "/data", "kind": "status", "status": 503})).await;
    let refused = didomi.send(&event).await.expect(503);
    assert!(refused.header("retry-after").is_some());
    world.org().heal().await;
    let _ = didomi.send(&event).await.expect(202);
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false, "202 means applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c09_a_write_without_an_answer_still_has_its_evidence() {
    let world = world_with(|source| drop(source.insert("acknowledge".into(), "sync".into()))).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    // The write lands, and its answer is lost.
    world
        .org()
        .fault(json!({"method": "PATCH", "path": "/data/v*/sobjects/Contact", "kind": "cut-after-commit", "count": 1}))
        .await;
    let _ = didomi.send(&event).await.expect(503);
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false, "it has landed");
    assert!(evidence(&world).await.is_empty());
    let _ = didomi.send(&event).await.expect(202);
    let evidence = evidence(&world).await;
    let email: Vec<_> = evidence.iter().filter(|one| one["field"] == "HasOptedOutOfEmail").collect();
    assert_eq!(email.len(), 1, "{evidence:?}");
    assert_eq!(
        (&email[0]["old"], &email[0]["new"]),
        (&json!(true), &json!(false)),
        "as it was before the first try"
    );
}

/// What landed is told, whatever was chosen since.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_answer_that_is_out_of_date_since_still_has_its_evidence() {
    let world = world_with(|source| drop(source.insert("acknowledge".into(), "sync".into()))).await;
    let didomi = didomi(&world);
    let cases = [("cut-after-commit", true), ("cut-before-commit", false)];
    for (hour, ((fault, landed), same)) in
        (10..).zip(cases.into_iter().flat_map(|case| [(case, true), (case, false)]))
    {
        let id = noor(&world).await["Id"].as_str().unwrap().to_owned();
        world.org().change("Contact", &id, &json!({"HasOptedOutOfEmail": true})).await;
        let at = |minute: u8| format!("2026-08-05T{hour}:{minute:02}:00.000Z");
        let (first, second) = (format!("evt-1-{hour}"), format!("evt-2-{hour}"));
        let path = "/data/v*/sobjects/Contact";
        world.org().fault(json!({"method": "PATCH", "path": path, "kind": fault, "count": 1})).await;
        let event = newsletter(&first, &at(0), NOOR, true);
        let _ = didomi.send(&event).await.expect(503);
        assert_eq!(noor(&world).await["HasOptedOutOfEmail"], !landed);
        // The same was chosen once more, or the contrary: where it is there already there is nothing to do.
        let again = newsletter(&second, &at(1), NOOR, same);
        let _ = didomi.send(&again).await.expect(202);
        for _ in 0..2 {
            let _ = didomi.send(&event).await.expect(202);
        }
        assert_eq!(ignored(&world, &first).await, "stale");
        let evidence = evidence(&world).await;
        let told = |event: &str| {
            let of = |one: &&serde_json::Value| one["event"] == event && one["field"] == "HasOptedOutOfEmail";
            evidence.iter().filter(of).map(|one| (one["old"].clone(), one["new"].clone())).collect::<Vec<_>>()
        };
        let (yes, no) = (vec![(json!(true), json!(false))], vec![(json!(false), json!(true))]);
        let (by_first, by_second) = match (landed, same) {
            (true, true) => (yes, Vec::new()),
            (true, false) => (yes, no),
            (false, true) => (Vec::new(), yes),
            (false, false) => (Vec::new(), Vec::new()),
        };
        assert_eq!((told(&first), told(&second)), (by_first, by_second), "{fault} {same}: {evidence:#?}");
    }
}
