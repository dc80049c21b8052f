//! What holds of every plan, whatever is desired and whatever is known.

use indexmap::IndexMap;
use model::{OrgName, ResourceId};
use planning::{
    Aim, Decision, Found, FoundRecord, Frozen, Input, LinkAfter, Obstacle, Origin, Place, Steps, plan,
    takes_access_away,
};
use proptest::prelude::*;
use salesforce_types::{Fields, Link, ObjectDescription, RecordId, Step};
use serde_json::{Map, Value, json};
use translation::{Desired, Mapping, Target, Translation};

fn org() -> OrgName {
    OrgName::new("acme").expect("a name")
}

fn target() -> Target {
    Mapping::default_for(&org()).targets.remove(0)
}

fn id(n: u32) -> RecordId {
    RecordId::parse(&format!("005000000{n:06}")).expect("an id")
}

fn desired() -> impl Strategy<Value = IndexMap<String, Desired>> {
    let field = prop::sample::select(vec![
        "Username",
        "FederationIdentifier",
        "LastName",
        "Title",
        "Department",
        "City",
    ]);
    let value =
        prop_oneof!["[a-zA-Z ]{0,6}".prop_map(|text| Desired::Set(Value::from(text))), Just(Desired::Clear),];
    prop::collection::vec((field.prop_map(str::to_owned), value), 0..6)
        .prop_map(|fields| fields.into_iter().collect())
}

fn translation(fields: IndexMap<String, Desired>) -> Translation {
    Translation { fields, ..Translation::default() }
}

/// All that one decision about a User rests on.
struct Case<'a> {
    target: &'a Target,
    org: &'a OrgName,
    link: Option<&'a Link>,
    found: &'a Found,
}

impl Case<'_> {
    fn decide(&self, translation: &Translation, active: bool) -> Decision {
        let aim = match self.link {
            Some(link) => Aim::Hold(Origin::Linked(link)),
            None => Aim::Hold(Origin::Unknown("ada".into())),
        };
        self.aimed(&aim, Some(translation), active)
    }

    fn leave(&self) -> Decision {
        self.aimed(&Aim::Leave(self.link.expect("a link")), None, false)
    }

    fn aimed(&self, aim: &Aim<'_>, translation: Option<&Translation>, active: bool) -> Decision {
        let describe: ObjectDescription =
            serde_json::from_value(json!({ "name": self.target.object, "fields": [] })).expect("a describe");
        plan(&Input {
            identity: &ResourceId::from_text("ada"),
            place: Place { target: self.target, org: self.org, removed: false },
            describe: &describe,
            aim,
            translation,
            active,
            frozen: if self.link.is_some_and(|link| link.froze) { Frozen::ByGangway } else { Frozen::No },
            blocked: false,
            found: self.found,
            profile: None,
            conversion: None,
            stripped: None,
        })
    }
}

fn decide(
    target: &Target,
    org: &OrgName,
    translation: &Translation,
    active: bool,
    link: Option<&Link>,
    found: &Found,
) -> Decision {
    Case { target, org, link, found }.decide(translation, active)
}

/// What Salesforce has after a step, as far as its fields go.
fn carried_out(decision: Decision, target: &Target) -> Link {
    let Decision::Steps(steps) = decision else { panic!("no steps: {decision:?}") };
    let froze = steps.plan.steps.iter().find_map(|planned| match planned.step {
        Step::Freeze { frozen, .. } => Some(frozen),
        _ => None,
    });
    let link = steps.link.into_link(target.name.clone(), org(), target.object.clone(), Some(&id(1)));
    Link { froze: froze.unwrap_or_default(), ..link.expect("a link") }
}

proptest! {
    /// Design §3: deciding after acting gives the empty plan.
    #[test]
    fn deciding_after_acting_gives_the_empty_plan(
        first in desired(), second in desired(), active in any::<bool>(), then in any::<bool>(),
    ) {
        let (target, org) = (target(), org());
        let (first, second) = (translation(first), translation(second));
        let created = decide(&target, &org, &first, active, None, &Found::NotLooked);
        let link = carried_out(created, &target);
        prop_assert_eq!(again(&target, &org, &first, active, &link), 0);
        let changed = decide(&target, &org, &second, then, Some(&link), &Found::NotLooked);
        let is_first = matches!(&changed, Decision::Steps(steps) if steps.more);
        let mut link = carried_out(changed, &target);
        if is_first {
            // Who leaves is locked out first, and the rest follows.
            prop_assert!(!then && link.written.get("IsActive") == Some(&json!(false)));
            link = carried_out(decide(&target, &org, &second, then, Some(&link), &Found::NotLooked), &target);
        }
        prop_assert_eq!(again(&target, &org, &second, then, &link), 0);
    }

    /// An update says only what differs, and clears only what was there.
    #[test]
    fn an_update_writes_only_what_differs(first in desired(), second in desired()) {
        let (target, org) = (target(), org());
        let (first, second) = (translation(first), translation(second));
        let link = carried_out(decide(&target, &org, &first, true, None, &Found::NotLooked), &target);
        let Decision::Steps(steps) = decide(&target, &org, &second, true, Some(&link), &Found::NotLooked) else {
            return Err(TestCaseError::fail("no steps"));
        };
        for step in &steps.plan.steps {
            for (field, value) in step.step.fields() {
                let known = link.written.get(field).cloned().unwrap_or_default();
                prop_assert!(!planning::same_value(field, &known, value), "{} was {} already", field, known);
                prop_assert!(second.fields.contains_key(field));
            }
        }
    }

    /// Only a change that locks somebody out is treated as one.
    #[test]
    fn who_goes_is_known_by_the_plan(fields in desired(), before in any::<bool>(), after in any::<bool>()) {
        let (target, org) = (target(), org());
        let translation = translation(fields);
        let created = decide(&target, &org, &translation, before, None, &Found::NotLooked);
        let link = carried_out(created, &target);
        let Decision::Steps(steps) = decide(&target, &org, &translation, after, Some(&link), &Found::NotLooked) else {
            return Err(TestCaseError::fail("no steps"));
        };
        prop_assert_eq!(takes_access_away(&steps.plan), before && !after);
    }

    /// Adoption never clears what the identity says nothing of.
    #[test]
    fn adopting_clears_nothing(fields in desired(), title in "[A-Z]{1,5}") {
        let (target, org) = (target(), org());
        let mut fields = fields;
        fields.insert("Username".into(), Desired::Set(json!("ada@acme.example")));
        let translation = translation(fields);
        let found = Found::Records(vec![record(1, &[("Username", "ADA@acme.example"), ("Title", title.as_str())])]);
        let Decision::Steps(steps) = decide(&target, &org, &translation, true, None, &found) else {
            return Err(TestCaseError::fail("no steps"));
        };
        for step in &steps.plan.steps {
            prop_assert!(step.step.fields().values().all(|value| !value.is_null()));
        }
    }
}

fn again(target: &Target, org: &OrgName, translation: &Translation, active: bool, link: &Link) -> usize {
    match decide(target, org, translation, active, Some(link), &Found::NotLooked) {
        Decision::Steps(steps) => steps.plan.steps.len(),
        other => panic!("{other:?}"),
    }
}

fn record(n: u32, fields: &[(&str, &str)]) -> FoundRecord {
    let mut actual: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    actual.insert("IsActive".into(), Value::Bool(true));
    FoundRecord { id: id(n), actual, protected: false, linked_to: None }
}

fn ada() -> Translation {
    translation(IndexMap::from([
        ("Username".to_owned(), Desired::Set(json!("ada@acme.example"))),
        ("FederationIdentifier".to_owned(), Desired::Set(json!("E1"))),
    ]))
}

#[test]
fn a_new_user_is_tried_first_because_the_org_guards_the_name() {
    let (target, org, translation) = (target(), org(), ada());
    let Decision::Steps(steps) = decide(&target, &org, &translation, true, None, &Found::NotLooked) else {
        panic!("no steps")
    };
    assert!(matches!(&steps.plan.steps[0].step, Step::Create { fields, .. } if fields["IsActive"] == true));
}

#[test]
fn a_key_that_nothing_guards_is_looked_for_first() {
    let (mut target, org) = (target(), org());
    target.matching.push("Email".into());
    let mut translation = ada();
    translation.fields.insert("Email".into(), Desired::Set(json!("ada@acme.example")));
    let decision = decide(&target, &org, &translation, true, None, &Found::NotLooked);
    assert!(matches!(decision, Decision::LookUp(keys) if keys.len() == 3));
}

#[test]
fn two_keys_that_point_to_two_records_are_ambiguous() {
    let (target, org, translation) = (target(), org(), ada());
    let found = Found::Records(vec![
        record(1, &[("Username", "ada@acme.example")]),
        record(2, &[("Username", "x@y.z"), ("FederationIdentifier", "E1")]),
    ]);
    let decision = decide(&target, &org, &translation, true, None, &found);
    assert_eq!(decision, Decision::Hold(Obstacle::Ambiguous(vec![id(1), id(2)])));
}

#[test]
fn protected_and_foreign_records_are_held() {
    let (target, org, translation) = (target(), org(), ada());
    let decide = |record| decide(&target, &org, &translation, true, None, &Found::Records(vec![record]));
    let there = record(1, &[("Username", "ada@acme.example")]);
    let protected = FoundRecord { protected: true, ..there.clone() };
    assert_eq!(decide(protected), Decision::Hold(Obstacle::Protected(id(1))));
    let other = ResourceId::from_text("other");
    let foreign = FoundRecord { linked_to: Some(other.clone()), ..there };
    assert_eq!(decide(foreign), Decision::Hold(Obstacle::LinkedElsewhere(id(1), other)));
}

#[test]
fn each_permission_of_a_target_stands_on_its_own() {
    let (mut target, org, translation) = (target(), org(), ada());
    let written = Fields::from([
        ("IsActive".to_owned(), json!(true)),
        ("Username".to_owned(), json!("old@acme.example")),
    ]);
    let link = Link::new(target.name.clone(), org.clone(), "User".into(), id(1), written);
    let none = Found::Records(Vec::new());

    target.allow.create = false;
    assert_eq!(decide(&target, &org, &translation, true, None, &none), Decision::NoMatch);
    target.allow.update = false;
    let Decision::Steps(steps) = decide(&target, &org, &translation, true, Some(&link), &none) else {
        panic!("no steps")
    };
    assert!(steps.left_out && steps.plan.is_empty(), "it is left out, and said");
    // Who leaves is locked out, and nothing else is written.
    let Decision::Steps(steps) = decide(&target, &org, &translation, false, Some(&link), &none) else {
        panic!("no steps")
    };
    assert_eq!(steps.plan.steps[0].step.fields(), &Fields::from([("IsActive".to_owned(), json!(false))]));
    let LinkAfter::There { written, .. } = steps.link else { panic!("a link") };
    assert_eq!(written["Username"], "old@acme.example", "what was not written is not remembered");
    target.allow.disable = false;
    assert_eq!(
        decide(&target, &org, &translation, false, Some(&link), &none),
        Decision::NotAllowed("disable")
    );
}

#[test]
fn a_deleted_identity_is_deactivated_once() {
    let (target, org) = (target(), org());
    let written = Fields::from([("IsActive".to_owned(), json!(true))]);
    let link = Link::new(target.name.clone(), org.clone(), "User".into(), id(1), written);
    let leave =
        |link: &Link| Case { target: &target, org: &org, link: Some(link), found: &Found::NotLooked }.leave();
    let Decision::Steps(Steps { plan, .. }) = leave(&link) else { panic!("no steps") };
    assert!(takes_access_away(&plan));
    let left = carried_out(leave(&link), &target);
    assert!(left.left);
    assert_eq!(leave(&left), Decision::Nothing);
}
