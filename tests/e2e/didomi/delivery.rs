//! Who may deliver, and in which shapes.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use e2e::{
    sources::didomi::{Didomi, flattened, newsletter},
    world::{sha256, table},
};
use serde_json::json;
use toml::Value;

use super::{EIGHT, NOOR, applied, didomi, ignored, noor, source, world_of, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_only_who_has_a_token_of_ours_is_heard() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    for headers in [
        &[][..],
        &[("authorization", "Bearer nonsense")],
        &[("authorization", "Basic ZGlkb21pOnN0b3J5LXNlY3JldA==")],
    ] {
        let refused = didomi.send_with(headers, &event).await.expect(401).json();
        assert_eq!(refused["err"], "authentication_failed");
    }
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true, "nothing was written");

    let token = didomi.login().await.expect(200);
    assert_eq!(token.header("cache-control"), Some("no-store"));
    let token = token.json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let _ = didomi.send(&event).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);

    world.advance(Duration::from_mins(61));
    let _ = didomi.send(&newsletter("evt-2", EIGHT, NOOR, false)).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_a_token_is_given_to_the_client_alone() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let basic = |text: &str| ("authorization", format!("Basic {}", STANDARD.encode(text)));
    let grant = "grant_type=client_credentials";
    for (headers, form) in [
        (vec![basic("didomi:wrong")], grant.to_owned()),
        (vec![basic("other:story-secret")], grant.to_owned()),
        (vec![], grant.to_owned()),
        (vec![], format!("{grant}&client_id=didomi&client_secret=wrong")),
    ] {
        let refused = didomi.ask_for_token(&headers, &form).await.expect(401);
        assert_eq!(refused.json()["error"], "invalid_client");
        assert!(refused.header("www-authenticate").is_some());
    }
    let posted = format!("{grant}&client_id=didomi&client_secret=story-secret");
    let token = didomi.ask_for_token(&[], &posted).await.expect(200).json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    let _ = didomi.send_with(&[("authorization", &bearer)], &event).await.expect(202);
    let refused = didomi.ask_for_token(&[basic("didomi:story-secret")], "grant_type=password").await;
    assert_eq!(refused.expect(400).json()["error"], "unsupported_grant_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_who_guesses_secrets_has_to_wait() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let guess = "grant_type=client_credentials&client_id=didomi&client_secret=guess";
    for _ in 0..20 {
        let _ = didomi.ask_for_token(&[], guess).await.expect(401);
    }
    let refused = didomi.ask_for_token(&[], guess).await.expect(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    world.advance(Duration::from_secs(wait));
    let _ = didomi.login().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_a_bearer_that_never_changes_is_another_way() {
    let world = world_with(|source| {
        source.remove("client-id");
        source.remove("client-secret");
        source.insert("token-sha256".into(), Value::Array(vec![sha256("fixed").into()]));
    })
    .await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    let _ = didomi.send_with(&[("authorization", "Bearer other")], &event).await.expect(401);
    let _ = didomi.send_with(&[("authorization", "Bearer fixed")], &event).await.expect(202);
    let _ = didomi.login().await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_only_its_own_addresses_are_heard_and_only_our_proxies_say_them() {
    for (trusted, allowed, forwarded, status) in [
        (false, "127.0.0.1", None, 202),
        (false, "35.159.1.63", None, 403),
        (false, "35.159.1.63", Some("35.159.1.63"), 403),
        (true, "35.159.1.63", Some("35.159.1.63"), 202),
        (true, "35.159.1.0/24", Some("35.159.1.63"), 202),
        (true, "35.159.1.63", Some("35.159.1.63, 203.0.113.9"), 403),
    ] {
        let mut source = source();
        source.insert("token-sha256".into(), Value::Array(vec![sha256("fixed").into()]));
        source.insert("allowed-ips".into(), Value::Array(vec![allowed.into()]));
        let scene = e2e::Scene::new("", super::ORG);
        let world = e2e::World::of_scene(&scene, |config| {
            e2e::world::environment(config).insert("didomi".into(), Value::Array(vec![source.into()]));
            let proxies = if trusted { "127.0.0.0/8" } else { "10.0.0.0/8" };
            table(config, "server").insert("trusted-proxies".into(), Value::Array(vec![proxies.into()]));
        })
        .await;
        let didomi = didomi(&world);
        let mut headers = vec![("authorization", "Bearer fixed")];
        headers.extend(forwarded.map(|address| ("x-forwarded-for", address)));
        let answer = didomi.send_with(&headers, &newsletter("evt-1", EIGHT, NOOR, true)).await;
        let answer = answer.expect(status);
        if status == 403 {
            assert_eq!(answer.json()["err"], "access_denied");
            assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c01_a_token_of_one_source_is_none_of_another() {
    let mut other = source();
    other.insert("name".into(), "brand".into());
    let scene = e2e::Scene::new("", super::ORG);
    let world = e2e::World::of_scene(&scene, |config| {
        let both = Value::Array(vec![source().into(), other.into()]);
        e2e::world::environment(config).insert("didomi".into(), both);
    })
    .await;
    let token = didomi(&world).token().await;
    let brand = Didomi::new(&format!("{}/events/brand/acme/prod/", world.url()), "didomi", "story-secret");
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    let bearer = format!("Bearer {token}");
    let _ = brand.send_with(&[("authorization", &bearer)], &event).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c10_a_flattened_delivery_comes_to_the_same() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let event = e2e::sources::didomi::chosen(
        "evt-1",
        EIGHT,
        NOOR,
        json!([{"id": "newsletter", "enabled": true, "values": {"topics": {"value": "tech,events"}}}]),
        json!([{"id": "phone", "enabled": true}]),
    );
    let flat = flattened(&event);
    assert_eq!(flat["parameters"]["entity__user__organization_user_id"], NOOR);
    let _ = didomi.send(&flat).await.expect(202);
    applied(&world, "evt-1").await;
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(false), &json!(false)));
    assert_eq!(contact["Topics__c"], "tech;events");
    let _ = didomi.send(&event).await.expect(202);
    assert_eq!(super::evidence(&world).await.len(), 4, "nested it is the same event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_read_is_refused_and_one_of_another_organization_denied() {
    let world = world_of(source(), "").await;
    let didomi = didomi(&world);
    for broken in [
        json!([]),
        json!({"type": "event.created"}),
        json!({"type": "event.created", "parameters": {"entity": {}}}),
    ] {
        let refused = didomi.send(&broken).await.expect(400).json();
        assert_eq!(refused["err"], "invalid_request");
    }
    let mut theirs = newsletter("evt-1", EIGHT, NOOR, true);
    theirs["parameters"]["entity"]["organization_id"] = json!("globex");
    assert_eq!(didomi.send(&theirs).await.expect(403).json()["err"], "access_denied");
    let mut strange = newsletter("evt-2", EIGHT, NOOR, true);
    strange["type"] = json!("event.created");
    strange["parameters"]["entity"]["status"] = json!("declined");
    let _ = didomi.send(&strange).await.expect(202);
    assert_eq!(ignored(&world, "evt-2/declined").await, "status");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_comes_by_the_way_of_didomi_and_changes_nothing() {
    let world = world_with(|_| ()).await;
    // The source looks once, at the start, whether the org fits; this waits for it.
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let calls = world.org().calls().await.api;
    let to = format!("{}/events/didomi/acme/prod", world.url());
    let said = super::run(&world, &["events", "send-test", "didomi", "--url", &to]).await;
    assert_eq!(said["status"], 202, "{said}");
    assert_eq!(ignored(&world, said["jti"].as_str().unwrap()).await, "no-user-id");
    assert_eq!(world.org().calls().await.api, calls);
}
