//! Consents.

use model::SourceName;

use super::*;
use crate::{ConsentEvidence, EventKey, EventState, NewEvent, Settled};

suite![
    an_intent_is_known_until_its_event_has_ended,
    the_evidence_of_a_consent_is_in_the_audit,
    what_is_open_of_a_consent_stays_open,
    intents_of_other_tenants_and_sources_are_others,
    the_intent_of_an_event_that_nobody_tries_again_is_forgotten,
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

async fn the_intent_of_an_event_that_nobody_tries_again_is_forgotten(world: &World<'_>) {
    let is_open = async |jti: &str| ok(world.store.consent_begun(&key(world, jti)).await).is_some();
    for jti in ["refused", "dead", "dismissed", "ignored", "gone"] {
        let event = NewEvent {
            key: key(world, jti),
            same_as: None,
            delivery: None,
            subject: jti.to_owned(),
            kind: "event.created".to_owned(),
            happened: at(0),
            payload: json!({}),
            stored: false,
            at: at(0),
        };
        if jti != "gone" {
            ok(world.store.receive(event).await);
        }
        ok(world.store.begin_consent(&key(world, jti), &json!({})).await);
    }
    let settled = |state| Settled { state, reason: None, clocks: Vec::new(), at: at(1) };
    ok(world.store.release(&key(world, "refused"), "not now", at(1)).await);
    for jti in ["dead", "dismissed"] {
        ok(world.store.settle(&key(world, jti), settled(EventState::Dead)).await);
    }
    ok(world.store.settle(&key(world, "ignored"), settled(EventState::Ignored)).await);
    assert!(ok(world.store.dismiss_event(&key(world, "dismissed"), "known", at(2)).await));
    assert!(!is_open("dismissed").await, "nobody asks for its payload any more");
    ok(world.store.prune_events(at(0), at(0)).await);
    assert!(!is_open("ignored").await && !is_open("gone").await);
    assert!(is_open("refused").await && is_open("dead").await, "these are tried again");
    // One that never came again is forgotten with its event.
    assert_eq!(ok(world.store.prune_events(at(3), at(0)).await), 3);
    assert!(!is_open("refused").await && is_open("dead").await);
}
