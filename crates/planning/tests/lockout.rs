//! Who leaves is locked out, whatever Salesforce says to it; who is back is let in, as far as it was Gangway who kept him out.

use model::{OrgName, ResourceId};
use planning::{Aim, Decision, Found, Frozen, Input, LinkAfter, Origin, Place, Steps, plan};
use salesforce_types::{Fields, Link, ObjectDescription, RecordId, Step};
use serde_json::json;
use translation::{Mapping, OnLeave, Target, Translation};

/// A User that is linked, and what is known of its access.
#[derive(Clone, Copy, Debug)]
struct Known {
    is_active: bool,
    frozen: Frozen,
    blocked: bool,
}

const FREE: Known = Known { is_active: true, frozen: Frozen::No, blocked: false };

fn target(on_leave: OnLeave) -> Target {
    let org = OrgName::new("acme").expect("a name");
    let mut target = Mapping::default_for(&org).targets.remove(0);
    target.on_leave = on_leave;
    target
}

/// What is done for somebody who stays in his target (`Some`: whether he may work) or is gone from it.
fn decided(target: &Target, active: Option<bool>, known: Known) -> Decision {
    let org = OrgName::new("acme").expect("a name");
    let user = RecordId::parse("005000000000001").expect("an id");
    let written = Fields::from([("IsActive".to_owned(), json!(known.is_active))]);
    let link = Link::new(target.name.clone(), org.clone(), "User".into(), user, written);
    let describe: ObjectDescription =
        serde_json::from_value(json!({ "name": "User", "fields": [] })).expect("a describe");
    let translation = Translation::default();
    let aim = match active {
        Some(_) => Aim::Hold(Origin::Linked(&link)),
        None => Aim::Leave(&link),
    };
    plan(&Input {
        identity: &ResourceId::from_text("ada"),
        place: Place { target, org: &org, removed: false },
        describe: &describe,
        aim: &aim,
        translation: active.map(|_| &translation),
        active: active.unwrap_or_default(),
        frozen: known.frozen,
        blocked: known.blocked,
        found: &Found::NotLooked,
        profile: None,
        conversion: None,
        stripped: None,
    })
}

/// The steps in words, and whether the identity has left.
fn steps(on_leave: OnLeave, active: Option<bool>, known: Known) -> (Vec<&'static str>, bool) {
    let Decision::Steps(Steps { plan, link, .. }) = decided(&target(on_leave), active, known) else {
        panic!("no steps")
    };
    for (at, planned) in plan.steps.iter().enumerate() {
        assert_eq!(planned.leading, at == 0);
    }
    let words = plan.steps.iter().map(|planned| match &planned.step {
        Step::Update { fields, .. } if fields["IsActive"] == json!(true) => "activate",
        Step::Update { .. } => "deactivate",
        Step::Freeze { frozen: true, .. } => "freeze",
        Step::Freeze { .. } => "unfreeze",
        other => panic!("{other:?}"),
    });
    let LinkAfter::There { left, .. } = link else { panic!("the record stays") };
    (words.collect(), left)
}

#[test]
fn who_leaves_is_frozen_and_deactivated_at_once() {
    for on_leave in [OnLeave::Disable, OnLeave::FreezeThenDeactivate] {
        assert_eq!(steps(on_leave, Some(false), FREE), (vec!["deactivate", "freeze"], false));
        assert_eq!(steps(on_leave, None, FREE), (vec!["deactivate", "freeze"], true));
    }
    assert_eq!(steps(OnLeave::Freeze, Some(false), FREE), (vec!["freeze"], false));
    assert_eq!(steps(OnLeave::Freeze, None, FREE), (vec!["freeze"], true));
    assert_eq!(steps(OnLeave::None, Some(false), FREE), (vec![], false));
    assert_eq!(steps(OnLeave::None, None, FREE), (vec![], true));
}

#[test]
fn whom_salesforce_keeps_active_stays_frozen_and_has_not_left() {
    for active in [Some(false), None] {
        let blocked = Known { blocked: true, ..FREE };
        assert_eq!(steps(OnLeave::Disable, active, blocked), (vec!["freeze"], false));
        let frozen = Known { frozen: Frozen::ByGangway, ..blocked };
        assert_eq!(steps(OnLeave::Disable, active, frozen), (vec![], false));
        let again = Known { frozen: Frozen::ByGangway, ..FREE };
        let (words, left) = steps(OnLeave::Disable, active, again);
        assert_eq!((words, left), (vec!["deactivate"], active.is_none()), "the next attempt");
    }
}

#[test]
fn a_user_who_cannot_be_frozen_is_deactivated() {
    let never = Known { frozen: Frozen::Never, ..FREE };
    for on_leave in [OnLeave::Disable, OnLeave::Freeze] {
        assert_eq!(steps(on_leave, Some(false), never).0, ["deactivate"]);
    }
}

#[test]
fn who_is_locked_out_already_is_left_alone() {
    let out = Known { is_active: false, ..FREE };
    assert_eq!(steps(OnLeave::Disable, Some(false), out), (vec![], false));
    for frozen in [Frozen::ByGangway, Frozen::BySomebody] {
        assert_eq!(steps(OnLeave::Freeze, Some(false), Known { frozen, ..FREE }), (vec![], false));
    }
    let by_hand = Known { frozen: Frozen::BySomebody, ..FREE };
    assert_eq!(steps(OnLeave::Disable, Some(false), by_hand), (vec!["deactivate"], false));
}

#[test]
fn who_is_back_is_let_in_unless_somebody_else_has_frozen_him() {
    let ours = Known { is_active: false, frozen: Frozen::ByGangway, blocked: false };
    assert_eq!(steps(OnLeave::Disable, Some(true), ours).0, ["activate", "unfreeze"]);
    assert_eq!(steps(OnLeave::Disable, Some(true), Known { is_active: true, ..ours }).0, ["unfreeze"]);
    let theirs = Known { frozen: Frozen::BySomebody, ..ours };
    assert_eq!(steps(OnLeave::Disable, Some(true), theirs).0, ["activate"]);
}

#[test]
fn nobody_is_frozen_where_the_target_does_not_allow_to_disable() {
    let mut target = target(OnLeave::Disable);
    target.allow.disable = false;
    for active in [Some(false), None] {
        assert_eq!(decided(&target, active, FREE), Decision::NotAllowed("disable"));
    }
}
