//! Holds.

use model::HoldId;

use super::*;
use crate::{Hold, HoldKind};

suite![
    there_is_one_open_hold_for_a_subject_and_target,
    a_closed_hold_can_come_back,
    holds_come_oldest_first,
    a_decision_holds_as_long_as_the_hold_is_open,
    a_person_can_dismiss_a_hold,
];

/// Two records match somebody.
pub fn hold(id: &str, tenant: &TenantId, subject: &str) -> Hold {
    Hold {
        id: HoldId::from_text(id),
        tenant: tenant.clone(),
        identity: None,
        subject: subject.to_owned(),
        target: target("staff"),
        kind: HoldKind::AmbiguousMatch { candidates: vec![record_id(1), record_id(2)] },
        raised: at(0),
    }
}

async fn there_is_one_open_hold_for_a_subject_and_target(world: &World<'_>) {
    let first = hold("h1", &world.tenant, "subject");
    assert_eq!(ok(world.store.raise_hold(first.clone()).await), first.id);
    let renewed = Hold {
        id: HoldId::from_text("h2"),
        identity: Some(ResourceId::from_text("ada")),
        kind: HoldKind::ProtectedMatch { record: record_id(3) },
        raised: at(9),
        ..first.clone()
    };
    assert_eq!(ok(world.store.raise_hold(renewed.clone()).await), first.id);
    let expected = Hold { id: first.id.clone(), raised: at(0), ..renewed };
    assert_eq!(ok(world.store.open_holds(None).await), [expected]);
    let elsewhere = [
        Hold { id: HoldId::from_text("h3"), target: target("contact"), ..first.clone() },
        Hold { id: HoldId::from_text("h4"), subject: "other".to_owned(), ..first.clone() },
        Hold { id: HoldId::from_text("h5"), tenant: tenant("other/prod"), ..first },
    ];
    for hold in elsewhere {
        assert_eq!(ok(world.store.raise_hold(hold.clone()).await), hold.id);
    }
    assert_eq!(ok(world.store.open_holds(None).await).len(), 4);
}

async fn a_closed_hold_can_come_back(world: &World<'_>) {
    let close = async || ok(world.store.close_hold(&world.tenant, "subject", &target("staff"), at(1)).await);
    close().await;
    ok(world.store.raise_hold(hold("h1", &world.tenant, "subject")).await);
    close().await;
    assert!(ok(world.store.open_holds(None).await).is_empty());
    let again = hold("h2", &world.tenant, "subject");
    assert_eq!(ok(world.store.raise_hold(again.clone()).await), again.id);
    assert_eq!(ok(world.store.open_holds(None).await), [again]);
}

async fn holds_come_oldest_first(world: &World<'_>) {
    let other = tenant("other/prod");
    for (id, tenant, second) in [("b", &world.tenant, 2), ("a", &other, 1), ("c", &world.tenant, 3)] {
        ok(world.store.raise_hold(Hold { raised: at(second), ..hold(id, tenant, id) }).await);
    }
    let open = async |tenant| {
        let open = ok(world.store.open_holds(tenant).await);
        open.into_iter().map(|hold| hold.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(open(None).await, ["a", "b", "c"]);
    assert_eq!(open(Some(&world.tenant)).await, ["b", "c"]);
}

async fn a_decision_holds_as_long_as_the_hold_is_open(world: &World<'_>) {
    let staff = target("staff");
    let open = async || ok(world.store.hold_of(&world.tenant, "subject", &staff).await);
    let decided = async || open().await.and_then(|(_, decided)| decided);
    let id = HoldId::from_text("h1");
    assert!(!ok(world.store.decide_hold(&id, &record_id(2)).await), "there is none");
    assert_eq!(decided().await, None);
    ok(world.store.raise_hold(hold("h1", &world.tenant, "subject")).await);
    assert_eq!(open().await, Some((hold("h1", &world.tenant, "subject"), None)));
    assert!(ok(world.store.decide_hold(&id, &record_id(2)).await));
    assert_eq!(decided().await, Some(record_id(2)));
    assert_eq!(ok(world.store.hold_of(&tenant("other/prod"), "subject", &staff).await), None);
    // Asked again, it is still decided.
    ok(world.store.raise_hold(hold("h9", &world.tenant, "subject")).await);
    assert_eq!(decided().await, Some(record_id(2)));
    ok(world.store.close_hold(&world.tenant, "subject", &staff, at(1)).await);
    assert_eq!(decided().await, None);
    assert!(!ok(world.store.decide_hold(&id, &record_id(1)).await), "it is closed");
}

async fn a_person_can_dismiss_a_hold(world: &World<'_>) {
    let id = HoldId::from_text("h1");
    assert!(!ok(world.store.dismiss_hold(&id, at(1)).await), "there is none");
    ok(world.store.raise_hold(hold("h1", &world.tenant, "subject")).await);
    assert!(ok(world.store.dismiss_hold(&id, at(1)).await));
    assert!(ok(world.store.open_holds(None).await).is_empty());
    assert!(!ok(world.store.dismiss_hold(&id, at(2)).await), "it is closed");
}
