//! The Inbox.

use model::SourceName;

use super::*;
use crate::{
    EventFilter, EventKey, EventState, NewEvent, OwnEvents, Received, Settled, StoredEvent, SubjectClock,
};

suite![
    an_event_is_applied_once,
    an_event_under_another_name_is_the_same,
    every_part_of_a_delivery_is_found_by_its_name,
    what_is_refused_may_come_again,
    what_was_in_flight_at_a_crash_may_come_again,
    stored_events_of_a_subject_come_one_after_the_other,
    of_a_subject_what_happened_first_comes_first,
    one_source_does_not_take_the_places_of_another,
    what_is_known_of_a_subject_only_moves_forward,
    a_subject_is_known_before_its_event_has_an_outcome,
    who_is_there_again_counts_from_the_beginning,
    the_dead_are_tried_again_or_dismissed,
    what_is_stored_is_tried_at_once_or_dismissed,
    what_was_noted_of_somebody_is_superseded,
    old_events_are_forgotten_and_dead_ones_are_not,
    events_of_other_tenants_and_sources_are_others,
];

fn key(world: &World<'_>, jti: &str) -> EventKey {
    let source = SourceName::new("akamai").expect("a source");
    EventKey { tenant: world.tenant.clone(), source, jti: jti.to_owned() }
}

fn event(world: &World<'_>, jti: &str) -> NewEvent {
    NewEvent {
        key: key(world, jti),
        same_as: None,
        delivery: None,
        subject: "noor".to_owned(),
        kind: "entityUpdated".to_owned(),
        happened: at(0),
        payload: json!({ "sub": "noor" }),
        stored: false,
        at: at(1),
    }
}

fn stored(world: &World<'_>, jti: &str, subject: &str) -> NewEvent {
    NewEvent { stored: true, subject: subject.to_owned(), ..event(world, jti) }
}

fn end(state: EventState) -> Settled {
    Settled { state, reason: Some("why".to_owned()), clocks: Vec::new(), at: at(5) }
}

async fn found(world: &World<'_>, jti: &str) -> Option<StoredEvent> {
    let filter = EventFilter { jti: Some(jti.to_owned()), limit: 2, ..EventFilter::default() };
    let mut events = ok(world.store.events(&filter).await);
    assert!(events.len() < 2, "{events:?}");
    events.pop()
}

async fn due(world: &World<'_>, second: i64) -> Vec<String> {
    let events = ok(world.store.due_events(at(second), 10, 10).await);
    events.into_iter().map(|event| event.key.jti).collect()
}

async fn an_event_is_applied_once(world: &World<'_>) {
    let receive = async || ok(world.store.receive(event(world, "a")).await);
    assert_eq!(receive().await, Received::New);
    assert_eq!(receive().await, Received::InFlight { jti: "a".to_owned() });
    ok(world.store.settle(&key(world, "a"), end(EventState::Applied)).await);
    assert_eq!(receive().await, Received::Known(EventState::Applied));
    let event = found(world, "a").await.expect("it can be looked up");
    assert_eq!((event.state, event.reason.as_deref()), (EventState::Applied, Some("why")));
    assert_eq!((event.payload, event.settled), (None, Some(at(5))), "what was applied is not kept");
    // An outcome is for good.
    ok(world.store.settle(&key(world, "a"), end(EventState::Dead)).await);
    assert_eq!(receive().await, Received::Known(EventState::Applied));
}

async fn an_event_under_another_name_is_the_same(world: &World<'_>) {
    let named = |jti: &str| NewEvent { same_as: Some("e1".to_owned()), ..event(world, jti) };
    assert_eq!(ok(world.store.receive(named("a")).await), Received::New);
    assert_eq!(ok(world.store.receive(named("b")).await), Received::InFlight { jti: "a".to_owned() });
    ok(world.store.settle(&key(world, "a"), end(EventState::Ignored)).await);
    assert_eq!(ok(world.store.receive(named("b")).await), Received::Known(EventState::Ignored));
    let same = found(world, "b").await.expect("it is found by either name");
    assert_eq!((same.key.jti.as_str(), same.state), ("a", EventState::Ignored));
    // One that was refused, and then came under another name, is not applied once more when it comes again.
    let other = |jti: &str| NewEvent { same_as: Some("e2".to_owned()), ..event(world, jti) };
    assert_eq!(ok(world.store.receive(other("c")).await), Received::New);
    ok(world.store.release(&key(world, "c"), "the org is away", at(2)).await);
    assert_eq!(ok(world.store.receive(other("d")).await), Received::New);
    ok(world.store.settle(&key(world, "d"), end(EventState::Applied)).await);
    let first = found(world, "c").await.expect("it can be looked up by its first name, too");
    assert_eq!((first.state, first.reason.as_deref()), (EventState::Applied, Some("it came again as d")));
    assert_eq!(ok(world.store.receive(other("c")).await), Received::Known(EventState::Applied));
}

async fn every_part_of_a_delivery_is_found_by_its_name(world: &World<'_>) {
    let part = |delivery: &str, part: u8| NewEvent {
        delivery: Some(delivery.to_owned()),
        same_as: Some(format!("e{part}")),
        ..event(world, &format!("{delivery}#{part}"))
    };
    for number in [0, 1] {
        assert_eq!(ok(world.store.receive(part("a", number)).await), Received::New);
        ok(world.store.settle(&key(world, &format!("a#{number}")), end(EventState::Applied)).await);
    }
    // Once more under another name.
    for number in [0, 1] {
        assert_eq!(ok(world.store.receive(part("b", number)).await), Received::Known(EventState::Applied));
    }
    let named = async |name: &str| {
        let filter = EventFilter { jti: Some(name.to_owned()), limit: 9, ..EventFilter::default() };
        let events = ok(world.store.events(&filter).await);
        events.into_iter().map(|event| event.key.jti).collect::<Vec<_>>()
    };
    for name in ["a", "b"] {
        assert_eq!(named(name).await, ["a#1", "a#0"], "{name}");
    }
    assert_eq!((named("a#0").await, named("b#1").await), (vec!["a#0".to_owned()], vec!["a#1".to_owned()]));
    assert_eq!(named("c").await, Vec::<String>::new());
    // Names go with their event.
    ok(world.store.prune_events(at(9), at(9)).await);
    assert_eq!(named("b").await, Vec::<String>::new());
}

async fn what_is_refused_may_come_again(world: &World<'_>) {
    let receive = async || ok(world.store.receive(event(world, "a")).await);
    receive().await;
    ok(world.store.release(&key(world, "a"), "the org is away", at(2)).await);
    let refused = found(world, "a").await.expect("its refusal can be looked up");
    assert_eq!((refused.state, refused.attempts), (EventState::Refused, 1));
    assert_eq!(receive().await, Received::New);
    ok(world.store.settle(&key(world, "a"), end(EventState::Applied)).await);
    ok(world.store.release(&key(world, "a"), "too late", at(3)).await);
    assert_eq!(receive().await, Received::Known(EventState::Applied));
}

async fn what_was_in_flight_at_a_crash_may_come_again(world: &World<'_>) {
    ok(world.store.receive(event(world, "a")).await);
    ok(world.store.receive(stored(world, "b", "ada")).await);
    assert_eq!(ok(world.store.forget_in_flight(at(2)).await), 1);
    assert_eq!(ok(world.store.receive(event(world, "a")).await), Received::New);
    assert_eq!(ok(world.store.receive(stored(world, "b", "ada")).await), Received::Known(EventState::Stored));
}

async fn stored_events_of_a_subject_come_one_after_the_other(world: &World<'_>) {
    for (jti, subject) in [("a", "noor"), ("b", "noor"), ("c", "ada")] {
        ok(world.store.receive(stored(world, jti, subject)).await);
    }
    assert_eq!(due(world, 0).await, [""; 0], "none is due before it came");
    assert_eq!(due(world, 1).await, ["a", "c"]);
    ok(world.store.postpone(&key(world, "a"), "the org is away", at(60)).await);
    assert_eq!(due(world, 2).await, ["c"], "the second of a subject waits for the first");
    assert_eq!(found(world, "a").await.map(|event| (event.attempts, event.due)), Some((1, Some(at(60)))));
    ok(world.store.settle(&key(world, "a"), end(EventState::Applied)).await);
    assert_eq!(due(world, 2).await, ["b", "c"]);
    let payload = ok(world.store.due_events(at(2), 1, 1).await).remove(0).payload;
    assert_eq!(payload, Some(json!({ "sub": "noor" })));
}

async fn of_a_subject_what_happened_first_comes_first(world: &World<'_>) {
    for (jti, happened) in [("a", 8), ("b", 7), ("c", 7)] {
        let event = NewEvent { happened: at(happened), ..stored(world, jti, "noor") };
        ok(world.store.receive(event).await);
    }
    for next in ["b", "c", "a"] {
        assert_eq!(due(world, 9).await, [next]);
        ok(world.store.settle(&key(world, next), end(EventState::Applied)).await);
    }
}

async fn one_source_does_not_take_the_places_of_another(world: &World<'_>) {
    for number in 0..5 {
        ok(world.store.receive(stored(world, &format!("a{number}"), &number.to_string())).await);
    }
    let other = EventKey { source: SourceName::new("didomi").expect("a source"), ..key(world, "b") };
    ok(world.store.receive(NewEvent { key: other, ..stored(world, "b", "noor") }).await);
    let due = ok(world.store.due_events(at(9), 10, 2).await);
    let due: Vec<String> = due.into_iter().map(|event| event.key.jti).collect();
    assert_eq!(due, ["a0", "a1", "b"]);
}

async fn who_is_there_again_counts_from_the_beginning(world: &World<'_>) {
    let clock = |second, version, deleted: Option<i64>| SubjectClock {
        subject: "noor".to_owned(),
        happened: at(second),
        version: Some(version),
        deleted: deleted.map(at),
    };
    for (index, told) in
        [clock(10, 17, None), clock(20, 18, Some(20)), clock(30, 1, None)].into_iter().enumerate()
    {
        let jti = index.to_string();
        ok(world.store.receive(event(world, &jti)).await);
        ok(world
            .store
            .settle(&key(world, &jti), Settled { clocks: vec![told], ..end(EventState::Applied) })
            .await);
    }
    let source = key(world, "").source;
    let known = ok(world.store.subject(&world.tenant, &source, "noor").await);
    assert_eq!(known, Some(clock(30, 1, Some(20))));
    // What is known of who is there is not forgotten with his deletion.
    ok(world.store.prune_events(at(99), at(99)).await);
    assert_eq!(ok(world.store.subject(&world.tenant, &source, "noor").await), known);
}

async fn what_is_known_of_a_subject_only_moves_forward(world: &World<'_>) {
    let clock = |second, version, deleted: Option<i64>| SubjectClock {
        subject: "noor".to_owned(),
        happened: at(second),
        version,
        deleted: deleted.map(at),
    };
    let steps = [
        (clock(10, None, None), clock(10, None, None)),
        (clock(5, Some(3), None), clock(10, Some(3), None)),
        (clock(20, Some(2), Some(20)), clock(20, Some(3), Some(20))),
        (clock(30, None, None), clock(30, None, Some(20))),
    ];
    for (index, (told, known)) in steps.into_iter().enumerate() {
        let jti = index.to_string();
        ok(world.store.receive(event(world, &jti)).await);
        let settled = Settled { clocks: vec![told], ..end(EventState::Applied) };
        ok(world.store.settle(&key(world, &jti), settled).await);
        let source = key(world, "").source;
        assert_eq!(ok(world.store.subject(&world.tenant, &source, "noor").await), Some(known));
    }
}

async fn a_subject_is_known_before_its_event_has_an_outcome(world: &World<'_>) {
    let source = key(world, "").source;
    let clock = |second| SubjectClock {
        subject: "noor".to_owned(),
        happened: at(second),
        version: None,
        deleted: None,
    };
    for (told, known) in [(10, 10), (5, 10), (20, 20)] {
        ok(world.store.advance_subjects(&world.tenant, &source, vec![clock(told)]).await);
        let found = ok(world.store.subject(&world.tenant, &source, "noor").await);
        assert_eq!(found, Some(clock(known)));
    }
}

async fn the_dead_are_tried_again_or_dismissed(world: &World<'_>) {
    for (jti, state) in [("a", EventState::Dead), ("b", EventState::Held), ("c", EventState::Applied)] {
        ok(world.store.receive(event(world, jti)).await);
        ok(world.store.settle(&key(world, jti), end(state)).await);
    }
    assert!(ok(world.store.retry_event(&key(world, "a"), at(9)).await));
    assert_eq!(due(world, 9).await, ["a"]);
    assert!(ok(world.store.dismiss_event(&key(world, "b"), "known", at(9)).await));
    assert_eq!(
        found(world, "b").await.map(|event| (event.state, event.payload)),
        Some((EventState::Dismissed, None))
    );
    for jti in ["b", "c", "d"] {
        assert!(!ok(world.store.retry_event(&key(world, jti), at(9)).await), "{jti}");
        assert!(!ok(world.store.dismiss_event(&key(world, jti), "known", at(9)).await), "{jti}");
    }
}

async fn what_is_stored_is_tried_at_once_or_dismissed(world: &World<'_>) {
    for (jti, subject) in [("a", "noor"), ("b", "ada")] {
        ok(world.store.receive(stored(world, jti, subject)).await);
        ok(world.store.postpone(&key(world, jti), "its source is not configured", at(60)).await);
    }
    assert!(ok(world.store.retry_event(&key(world, "a"), at(9)).await));
    assert_eq!(due(world, 9).await, ["a"]);
    let tried = found(world, "a").await.expect("it is there");
    assert!(!tried.approved, "nobody was asked whether it is good");
    assert!(ok(world.store.dismiss_event(&key(world, "b"), "known", at(9)).await));
    let dismissed = found(world, "b").await.expect("it is there");
    assert_eq!((dismissed.state, dismissed.due), (EventState::Dismissed, None));
    assert_eq!(due(world, 99).await, ["a"]);
}

async fn what_was_noted_of_somebody_is_superseded(world: &World<'_>) {
    let noted = |jti: &str, subject: &str, kind: &str| NewEvent {
        subject: subject.to_owned(),
        kind: kind.to_owned(),
        ..event(world, jti)
    };
    for (jti, subject, kind, state) in [
        ("a", "noor", "catch-up", Some(EventState::Dead)),
        ("b", "noor", "catch-up", None),
        ("c", "noor", "entityUpdated", Some(EventState::Dead)),
        ("d", "ada", "catch-up", Some(EventState::Dead)),
        ("e", "noor", "catch-up", Some(EventState::Ignored)),
    ] {
        ok(world.store.receive(noted(jti, subject, kind)).await);
        match state {
            Some(state) => ok(world.store.settle(&key(world, jti), end(state)).await),
            None => ok(world.store.release(&key(world, jti), "not now", at(3)).await),
        }
    }
    let events = OwnEvents {
        tenant: world.tenant.clone(),
        source: key(world, "").source,
        kind: "catch-up".to_owned(),
        subjects: vec!["noor".to_owned(), "nobody".to_owned()],
    };
    assert_eq!(ok(world.store.supersede(&events, end(EventState::Applied)).await), 2);
    for (jti, state) in [
        ("a", EventState::Applied),
        ("b", EventState::Applied),
        ("c", EventState::Dead),
        ("d", EventState::Dead),
        ("e", EventState::Ignored),
    ] {
        let event = found(world, jti).await.expect("it is there");
        assert_eq!(event.state, state, "{jti}");
        assert_eq!(event.payload.is_some(), state == EventState::Dead, "{jti}");
    }
}

async fn old_events_are_forgotten_and_dead_ones_are_not(world: &World<'_>) {
    for (jti, state) in [("a", EventState::Applied), ("b", EventState::Dead)] {
        ok(world.store.receive(event(world, jti)).await);
        ok(world.store.settle(&key(world, jti), end(state)).await);
    }
    ok(world.store.receive(stored(world, "c", "ada")).await);
    assert_eq!(ok(world.store.prune_events(at(5), at(5)).await), 0, "they were settled at 5");
    assert_eq!(ok(world.store.prune_events(at(6), at(6)).await), 1);
    assert_eq!(ok(world.store.receive(event(world, "a")).await), Received::New);
    assert!(found(world, "b").await.is_some() && found(world, "c").await.is_some());
}

async fn events_of_other_tenants_and_sources_are_others(world: &World<'_>) {
    ok(world.store.receive(event(world, "a")).await);
    let tenant = tenant("other/prod");
    let elsewhere = [
        EventKey { tenant: tenant.clone(), ..key(world, "a") },
        EventKey { source: SourceName::new("didomi").expect("a source"), ..key(world, "a") },
    ];
    for key in elsewhere {
        let event = NewEvent { key, ..event(world, "a") };
        assert_eq!(ok(world.store.receive(event).await), Received::New);
    }
    let filter = EventFilter { tenant: Some(tenant), limit: 9, ..EventFilter::default() };
    assert_eq!(ok(world.store.events(&filter).await).len(), 1);
}
