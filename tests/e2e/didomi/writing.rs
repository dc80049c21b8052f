//! What is written, and what is not.

use e2e::sources::didomi::{chosen, newsletter};
use serde_json::json;
use toml::Value;

use super::{
    EIGHT, NINE, NOOR, applied, contact, didomi, evidence, ignored, noor, run, source, world_of, world_with,
};

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c02_a_choice_is_written_inverted_and_only_mapped_fields_are_sent() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let before = noor(&world).await;
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let after = noor(&world).await;
    assert_eq!(after["HasOptedOutOfEmail"], false);
    let by_itself = |field: &&String| field.starts_with("LastModified") || *field == "SystemModstamp";
    let mut changed: Vec<&String> =
        after.keys().filter(|field| before.get(*field) != after.get(*field)).collect();
    changed.retain(|field| !by_itself(field));
    changed.sort();
    assert_eq!(changed, ["Consent_Updated__c", "HasOptedOutOfEmail"]);
    assert_eq!(after["Consent_Updated__c"].as_str().unwrap().get(..19), Some("2026-08-05T08:00:01"));

    let _ = didomi.send(&newsletter("evt-2", NINE, NOOR, false)).await.expect(202);
    applied(&world, "evt-2").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c02_each_write_has_its_evidence_in_a_chain() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let evidence = evidence(&world).await;
    let email = evidence.iter().find(|one| one["field"] == "HasOptedOutOfEmail").unwrap();
    assert_eq!(
        *email,
        json!({
            "event": "evt-1", "given": "2026-08-05T08:00:01Z", "regulation": "gdpr", "object": "Contact",
            "record": noor(&world).await["Id"], "field": "HasOptedOutOfEmail", "old": true, "new": false
        })
    );
    let verified = run(&world, &["audit", "verify"]).await;
    assert!(!verified.to_string().contains("\"whole\":false"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c03_where_no_choice_was_made_nothing_is_sent() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, serde_json::Value::Null)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "no-choice");
    let calls = world.org().calls().await.api;
    let purposes = json!([{"id": "newsletter", "enabled": null}]);
    let phone = json!([{"id": "phone", "enabled": true}]);
    let _ = didomi.send(&chosen("evt-2", EIGHT, NOOR, purposes, phone)).await.expect(202);
    applied(&world, "evt-2").await;
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(true), &json!(false)));
    assert!(evidence(&world).await.iter().all(|one| one["field"] != "HasOptedOutOfEmail"));
    assert!(world.org().calls().await.api > calls, "the first event cost no call, the second one did");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c04_a_pending_opt_in_is_never_written_and_its_confirmation_is() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let mut pending = newsletter("evt-1", EIGHT, NOOR, true);
    pending["parameters"]["entity"]["status"] = json!("pending_approval");
    let _ = didomi.send(&pending).await.expect(202);
    assert_eq!(ignored(&world, "evt-1/pending_approval").await, "pending");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
    assert!(evidence(&world).await.is_empty());

    // The same event once more, confirmed.
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);

    let mut out = newsletter("evt-2", NINE, NOOR, false);
    out["parameters"]["entity"]["status"] = json!("pending_approval");
    let _ = didomi.send(&out).await.expect(202);
    applied(&world, "evt-2/pending_approval").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true, "an opt-out waits for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c05_without_a_match_nothing_is_made_unless_upsert_mode_says_so() {
    let world = world_with(|_| ()).await;
    let sender = didomi(&world);
    let _ = sender.send(&newsletter("evt-1", EIGHT, "ada@example.net", true)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "unmatched");
    assert!(world.org().find("Contact", "Email", "ada@example.net").await.is_empty());

    let world = world_with(|source| {
        contact(source).insert("upsert-mode".into(), true.into());
        let defaults = toml::toml! { LastName = "(unknown)" };
        contact(source).insert("upsert-defaults".into(), Value::Table(defaults));
    })
    .await;
    let sender = didomi(&world);
    for id in ["evt-1", "evt-2"] {
        let _ = sender.send(&newsletter(id, EIGHT, "ada@example.net", false)).await.expect(202);
        applied(&world, id).await;
    }
    let made = world.org().one("Contact", "Email", "ada@example.net").await;
    assert_eq!((&made["LastName"], &made["HasOptedOutOfEmail"]), (&json!("(unknown)"), &json!(true)));

    let mut anonymous = newsletter("evt-3", EIGHT, "", true);
    anonymous["parameters"]["entity"]["user"] = json!({"id": "dd-77a1"});
    let contacts = world.org().records("Contact").await.len();
    let _ = sender.send(&anonymous).await.expect(202);
    assert_eq!(ignored(&world, "evt-3").await, "no-user-id");
    assert_eq!(world.org().records("Contact").await.len(), contacts);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c05_a_record_is_made_once_by_an_external_id() {
    let world = world_with(|source| {
        let object = contact(source);
        object.insert("match".into(), Value::Table(toml::toml! { field = "DidomiUser__c" }));
        object.insert("upsert-mode".into(), true.into());
        object.insert("upsert-defaults".into(), Value::Table(toml::toml! { LastName = "(unknown)" }));
    })
    .await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, "crm-4711", true)).await.expect(202);
    applied(&world, "evt-1").await;
    let _ = didomi.send(&newsletter("evt-2", NINE, "crm-4711", false)).await.expect(202);
    applied(&world, "evt-2").await;
    let made = world.org().one("Contact", "DidomiUser__c", "crm-4711").await;
    assert_eq!(made["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c07_what_is_chosen_under_another_regulation_is_left_alone() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let mut californian = newsletter("evt-1", NINE, NOOR, true);
    californian["regulation"] = json!("cpra");
    californian["parameters"]["entity"]["regulation"] = json!("cpra");
    let _ = didomi.send(&californian).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "regulation");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c07_what_names_two_regulations_is_of_neither() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let mut torn = newsletter("evt-1", NINE, NOOR, true);
    torn["parameters"]["entity"]["regulation"] = json!("cpra");
    let _ = didomi.send(&torn).await.expect(202);
    let why = super::dead(&world, "evt-1").await;
    assert!(why.contains("two regulations"), "{why}");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c07_two_regulations_are_kept_apart() {
    let mut source = source();
    source.insert("regulations".into(), Value::Array(vec!["gdpr".into(), "cpra".into()]));
    contact(&mut source).insert(
        "mappings".into(),
        toml::toml! {
            m = [
                { source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert", regulation = "gdpr" },
                { source = "purpose:newsletter", target = "DoNotCall", transform = "invert", regulation = "cpra" },
            ]
        }["m"]
            .clone(),
    );
    let world = world_of(source, "").await;
    let didomi = didomi(&world);
    let mut californian = newsletter("evt-1", NINE, NOOR, true);
    californian["regulation"] = json!("CPRA");
    californian["parameters"]["entity"]["regulation"] = json!("cpra");
    let _ = didomi.send(&californian).await.expect(202);
    applied(&world, "evt-1").await;
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(true), &json!(false)));
    // Older, and of the other one: it is no older than anything of its own.
    let _ = didomi.send(&newsletter("evt-2", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-2").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_opted_out_where_that_is_wanted_and_a_deleted_event_waits_for_a_person() {
    let world = world_with(|source| drop(source.insert("user-deleted".into(), "clear-mapped".into()))).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    let deleted = json!({"type": "event.deleted", "parameters": {"entity": {
        "id": "evt-1", "organization_id": "acme", "created_at": EIGHT, "user": {"organization_user_id": NOOR}}}});
    let _ = didomi.send(&deleted).await.expect(202);
    assert!(super::dead(&world, "evt-1/deleted").await.contains("look the user up"));
    let deleted = json!({"type": "user.deleted", "parameters": {"entity": {
        "id": "dd-1", "version": 3, "organization_id": "acme", "organization_user_id": NOOR}}});
    let _ = didomi.send(&deleted).await.expect(202);
    applied(&world, "user.deleted/gdpr/dd-1/3").await;
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(true), &json!(true)));
}
