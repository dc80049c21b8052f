//! Consents.

use model::SourceName;

use super::*;
use crate::{ConsentEvidence, EventKey};

suite![
    an_intent_is_known_until_its_event_has_ended,
    the_evidence_of_a_consent_is_in_the_audit,
    what_is_open_of_a_consent_stays_open,
    intents_of_other_tenants_and_sources_are_others,
];

fn key(world: &World<'_>, jti: &str) -> EventKey {
    let source = SourceName::new("didomi").expect("a source");
    EventKey { tenant: world.tenant.clone(), source, jti: jti.to_owned() }
}

fn evidence() -> (ResourceId, AuditEntry) {
    let record = "0035g00000AbCdEAQ0";
    let evidence = ConsentEvidence {
        event: "evt-1".to_owned(),
        given: at(0),
        regulation: "gdpr".to_owned(),
        object: "Contact".to_owned(),
        record: record.to_owned(),
        field: "DoNotCall".to_owned(),
        old: json!(true),
        new: json!(false),
    };
    (ResourceId::from_text(record), AuditEntry { consents: vec![evidence], ..audit("consent") })
}

async fn an_intent_is_known_until_its_event_has_ended(world: &World<'_>) {
    let event = key(world, "evt-1");
    assert_eq!(ok(world.store.consent_begun(&event).await), None);
    ok(world.store.begin_consent(&event, &json!({"a": 1})).await);
    ok(world.store.begin_consent(&event, &json!({"a": 2})).await);
    assert_eq!(ok(world.store.consent_begun(&event).await), Some(json!({"a": 2})));
    ok(world.store.end_consent(&event, Vec::new(), None, at(1)).await);
    assert_eq!(ok(world.store.consent_begun(&event).await), None);
}

async fn the_evidence_of_a_consent_is_in_the_audit(world: &World<'_>) {
    let (record, entry) = evidence();
    ok(world
        .store
        .end_consent(&key(world, "evt-1"), vec![(record.clone(), entry.clone())], None, at(1))
        .await);
    let entries = ok(world.store.audit_of(&world.tenant, &record).await);
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].entry, entries[0].at), (&entry, at(1)));
    let chain = ok(world.store.verify(&world.tenant, None).await);
    assert!(chain.broken.is_none(), "{chain:?}");
}

async fn what_is_open_of_a_consent_stays_open(world: &World<'_>) {
    let event = key(world, "evt-1");
    ok(world.store.begin_consent(&event, &json!(["a", "b"])).await);
    ok(world.store.end_consent(&event, vec![evidence()], Some(json!(["b"])), at(1)).await);
    assert_eq!(ok(world.store.consent_begun(&event).await), Some(json!(["b"])));
}

async fn intents_of_other_tenants_and_sources_are_others(world: &World<'_>) {
    let event = key(world, "evt-1");
    ok(world.store.begin_consent(&event, &json!("mine")).await);
    let source = SourceName::new("other").expect("a source");
    for other in
        [EventKey { tenant: tenant("acme/test"), ..event.clone() }, EventKey { source, ..event.clone() }]
    {
        assert_eq!(ok(world.store.consent_begun(&other).await), None);
        ok(world.store.end_consent(&other, Vec::new(), None, at(1)).await);
    }
    assert_eq!(ok(world.store.consent_begun(&event).await), Some(json!("mine")));
}
