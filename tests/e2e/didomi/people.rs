//! One person, however he is spelled.

use e2e::sources::didomi::newsletter;
use serde_json::json;
use toml::Value;

use super::{EIGHT, NINE, NOOR, applied, contact, didomi, ignored, noor, source, world_of, world_with};

/// As somebody else may write the address of Noor.
const LOUD: &str = "NOOR.Haddad@EXAMPLE.net";

#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_of_a_person_have_one_order_in_time() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-2", NINE, LOUD, true)).await.expect(202);
    applied(&world, "evt-2").await;
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_a_record_id_have_one_order_in_time() {
    let mut source = source();
    contact(&mut source).insert("match".into(), Value::Table(toml::toml! { field = "Id" }));
    let world = world_of(source, "").await;
    let didomi = didomi(&world);
    let id = noor(&world).await["Id"].as_str().unwrap().to_owned();
    let _ = didomi.send(&newsletter("evt-2", NINE, &id, true)).await.expect(202);
    applied(&world, "evt-2").await;
    let _ = didomi.send(&newsletter("evt-1", EIGHT, &id[..15], false)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_salesforce_tells_capitals_apart_two_people_are_two() {
    let mut source = source();
    contact(&mut source).insert("match".into(), Value::Table(toml::toml! { field = "Exact__c" }));
    let org = r#"
[[fields]]
object = "Contact"
name = "Exact__c"
unique = true
external-id = true
case-sensitive = true

[[records]]
object = "Contact"
fields = { LastName = "Small", Exact__c = "abc", HasOptedOutOfEmail = true }

[[records]]
object = "Contact"
fields = { LastName = "Large", Exact__c = "ABC", HasOptedOutOfEmail = true }
"#;
    let world = world_of(source, org).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-2", NINE, "abc", true)).await.expect(202);
    applied(&world, "evt-2").await;
    // Older, and of somebody else.
    let _ = didomi.send(&newsletter("evt-1", EIGHT, "ABC", true)).await.expect(202);
    applied(&world, "evt-1").await;
    for name in ["Small", "Large"] {
        assert_eq!(world.org().one("Contact", "LastName", name).await["HasOptedOutOfEmail"], false, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_at_once_make_one_record() {
    let world = world_with(|source| {
        let object = contact(source);
        object.insert("upsert-mode".into(), true.into());
        object.insert("upsert-defaults".into(), Value::Table(toml::toml! { LastName = "(unknown)" }));
    })
    .await;
    let didomi = didomi(&world);
    let _ = didomi.token().await;
    // Slow enough that both would look before either has made it.
    world
        .org()
        .fault(
            json!({"method": "POST", "path": "/data/v*/sobjects/Contact", "kind": "delay", "delay_ms": 300}),
        )
        .await;
    let spelled = ["ada@example.net", "Ada@Example.net", "ADA@EXAMPLE.NET"];
    let events: Vec<_> = spelled
        .iter()
        .enumerate()
        .map(|(number, person)| newsletter(&format!("evt-{number}"), EIGHT, person, false))
        .collect();
    let sent = events.iter().map(|event| didomi.send(event));
    for answer in futures::future::join_all(sent).await {
        let _ = answer.expect(202);
    }
    for number in 0..spelled.len() {
        applied(&world, &format!("evt-{number}")).await;
    }
    let contacts = world.org().records("Contact").await;
    let is_ada = |contact: &&serde_json::Map<String, serde_json::Value>| {
        contact["Email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case("ada@example.net"))
    };
    assert_eq!(contacts.iter().filter(is_ada).count(), 1);
}
