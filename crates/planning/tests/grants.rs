//! Whatever is asked for, given or taken by hand, or locked out, in any order: deciding until nothing is left to do makes ledger and
//! org agree, and what is not ours is not touched.

use std::collections::BTreeMap;

use model::{ChangeId, ClientName, OrgName, TargetName, Timestamp};
use planning::{
    GrantInput, GrantPlan, LedgerChange, LedgerRow, OwnershipOf, Presence, Wanted, grant_rows,
    granted_by_fields, granted_fields,
};
use proptest::prelude::*;
use salesforce_types::{
    Ask, AskedBy, Assigned, Catalogue, Entitlement, EntitlementKind, EntitlementRef, Fields, Grant,
    GrantState, RecordId, Step,
};
use translation::{Desired, Ownership};

const KINDS: [EntitlementKind; 4] = [
    EntitlementKind::PermissionSet,
    EntitlementKind::PermissionSetGroup,
    EntitlementKind::PublicGroup,
    EntitlementKind::PackageLicense,
];

#[derive(Debug)]
struct By(Ownership);

impl OwnershipOf for By {
    fn of(&self, _: EntitlementKind) -> Ownership {
        self.0
    }
}

fn entitlement(number: u8) -> EntitlementRef {
    let kind = KINDS[usize::from(number) % KINDS.len()];
    EntitlementRef {
        kind,
        id: RecordId::parse(&format!("0PS5f00000000{number:02}")).expect("a valid text").to_string(),
    }
}

fn row_id(number: u32) -> RecordId {
    RecordId::parse(&format!("0Pa5f0000{number:06}")).expect("a valid text")
}

/// What happens to one person.
#[derive(Clone, Debug)]
enum Event {
    /// These are asked for from now on.
    Asked(Vec<u8>),
    GivenByHand(u8),
    TakenByHand(u8),
    Leaves,
    Returns,
    /// An operator has what is there looked at.
    Looked,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => proptest::collection::vec(0_u8..6, 0..5).prop_map(Event::Asked),
        2 => (0_u8..6).prop_map(Event::GivenByHand),
        2 => (0_u8..6).prop_map(Event::TakenByHand),
        1 => Just(Event::Leaves),
        1 => Just(Event::Returns),
        1 => Just(Event::Looked),
    ]
}

struct World {
    org: BTreeMap<EntitlementRef, RecordId>,
    ledger: Vec<Grant>,
    asked: Vec<EntitlementRef>,
    presence: Presence,
    rows: u32,
    ownership: By,
    strip: Vec<EntitlementKind>,
    now: Timestamp,
    deleted: Vec<EntitlementRef>,
}

impl World {
    fn new(ownership: Ownership, strip: Vec<EntitlementKind>) -> Self {
        Self {
            org: BTreeMap::new(),
            ledger: Vec::new(),
            asked: Vec::new(),
            presence: Presence::Here,
            rows: 0,
            ownership: By(ownership),
            strip,
            now: Timestamp::UNIX_EPOCH,
            deleted: Vec::new(),
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        let wanted = self.asked.iter().map(|of| Wanted {
            of: of.clone(),
            name: of.id.clone(),
            asked: vec![AskedBy::Attribute],
            until: None,
        });
        wanted.collect()
    }

    fn decide(&self, look: bool) -> GrantPlan {
        let (target, org): (TargetName, OrgName) =
            ("staff".parse().expect("a valid text"), "acme".parse().expect("a valid text"));
        let user = RecordId::parse("0055f000000abcd").expect("a valid text");
        let wanted = self.wanted();
        let actual: Vec<Assigned> = self
            .org
            .iter()
            .map(|(of, row)| Assigned {
                user: user.clone(),
                of: of.clone(),
                row: Some(row.clone()),
                expires: None,
            })
            .collect();
        grant_rows(&GrantInput {
            target: &target,
            org: &org,
            user: Some(&user),
            wanted: &wanted,
            ledger: &self.ledger,
            actual: look.then_some(actual.as_slice()),
            ownership: &self.ownership,
            presence: self.presence,
            strip: &self.strip,
            set_aside: &[],
            again: true,
            mapped: None,
            fallback: None,
            now: self.now,
        })
    }

    fn note(&mut self, change: LedgerChange, row: Option<RecordId>) {
        match change {
            LedgerChange::End { of, .. } => self.ledger.retain(|grant| grant.of != of),
            LedgerChange::Set(set) => {
                self.ledger.retain(|grant| grant.of != set.of);
                let grant = self.grant(set, row);
                self.ledger.push(grant);
            }
        }
    }

    fn grant(&self, set: LedgerRow, row: Option<RecordId>) -> Grant {
        let ask = |by| Ask {
            by,
            client: "tool".parse::<ClientName>().expect("a valid text"),
            change: ChangeId::from_text("c".to_owned()),
            since: self.now,
        };
        Grant {
            org: "acme".parse().expect("a valid text"),
            target: "staff".parse().expect("a valid text"),
            of: set.of,
            name: set.name,
            state: set.state,
            asked: set.asked.into_iter().map(ask).collect(),
            row: if set.state.is_held() { row.or(set.row) } else { None },
            since: self.now,
            until: set.until,
            reason: set.reason,
        }
    }

    /// Decides and does until there is nothing to do. `forgets`: Salesforce says "duplicate", and no id.
    fn settle(&mut self, mut look: bool, forgets: bool) -> Result<(), TestCaseError> {
        for _ in 0..5 {
            let plan = self.decide(look);
            if plan.look {
                prop_assert!(!look, "whoever has looked need not look again");
                look = true;
                continue;
            }
            if plan.steps.is_empty() && plan.ledger.is_empty() {
                return Ok(());
            }
            for change in plan.ledger {
                self.note(change, None);
            }
            for step in plan.steps {
                let row = match &step.step {
                    Step::Create { .. } => {
                        self.rows += 1;
                        let was_there = self.org.contains_key(&step.of);
                        let row =
                            self.org.entry(step.of.clone()).or_insert_with(|| row_id(self.rows)).clone();
                        (!(was_there || forgets)).then_some(row)
                    }
                    Step::Delete { id, .. } => {
                        // One that is gone is as good.
                        self.org.retain(|_, row| row != id);
                        self.deleted.push(step.of.clone());
                        None
                    }
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                };
                self.note(step.after, row);
            }
        }
        Err(TestCaseError::fail("it never comes to an end"))
    }
}

fn ownership() -> impl Strategy<Value = Ownership> {
    prop_oneof![Just(Ownership::Managed), Just(Ownership::Merge), Just(Ownership::Authoritative)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn ledger_and_org_agree_and_what_is_not_ours_is_not_touched(
        ownership in ownership(),
        events in proptest::collection::vec((event(), any::<bool>()), 1..20),
        strips in any::<bool>(),
    ) {
        let mut world = World::new(ownership, if strips { KINDS[..2].to_vec() } else { Vec::new() });
        // Given by hand and never asked for since.
        let mut by_hand: Vec<EntitlementRef> = Vec::new();
        for (event, forgets) in events {
            let mut look = ownership == Ownership::Authoritative;
            match event {
                Event::Asked(numbers) => {
                    world.asked = numbers.into_iter().map(entitlement).collect();
                    world.asked.sort();
                    world.asked.dedup();
                }
                Event::GivenByHand(number) => {
                    let of = entitlement(number);
                    let is_ours = world.ledger.iter().any(|grant| grant.of == of && grant.state != GrantState::Found);
                    world.rows += 1;
                    let row = row_id(world.rows);
                    if world.org.insert(of.clone(), row).is_none() && !is_ours {
                        by_hand.push(of);
                    }
                }
                Event::TakenByHand(number) => {
                    let of = entitlement(number);
                    world.org.remove(&of);
                    by_hand.retain(|other| *other != of);
                }
                Event::Leaves => world.presence = Presence::Away,
                Event::Returns => world.presence = Presence::Here,
                Event::Looked => look = true,
            }
            by_hand.retain(|of| !world.asked.contains(of));
            world.deleted.clear();
            world.settle(look, forgets)?;
            if ownership != Ownership::Authoritative {
                for of in &by_hand {
                    prop_assert!(world.org.contains_key(of), "{of} was given by hand, and is gone");
                }
            }
            if ownership == Ownership::Merge {
                let stripped = |of: &EntitlementRef| world.presence == Presence::Away && world.strip.contains(&of.kind);
                prop_assert!(world.deleted.iter().all(stripped), "merge takes nothing");
            }
        }
        world.settle(true, false)?;
        let held: Vec<_> = world.ledger.iter().filter(|grant| grant.state.is_held()).map(|grant| &grant.of).collect();
        for of in &held {
            prop_assert!(world.org.contains_key(of), "the ledger has {of}, and the org has not");
        }
        prop_assert_eq!(held.len(), world.org.len(), "the org has what the ledger has not");
        if world.presence == Presence::Here {
            for of in &world.asked {
                prop_assert!(world.org.contains_key(of), "{of} is asked for, and is not there");
            }
        }
        if ownership == Ownership::Authoritative && world.presence == Presence::Here {
            prop_assert_eq!(world.org.len(), world.asked.len(), "the authority lets nothing be that nobody asked for");
        }
    }
}

#[test]
fn a_profile_that_is_not_asked_for_any_more_is_replaced_and_never_taken() {
    let profile = |id: &str| RecordId::parse(id).expect("a valid text");
    let (sales, least) = (profile("00e5f0000001aaa"), profile("00e5f0000001bbb"));
    let of = EntitlementRef { kind: EntitlementKind::Profile, id: sales.to_string() };
    let mut world = World::new(Ownership::Managed, Vec::new());
    let set = LedgerRow {
        of,
        name: "Sales".into(),
        state: GrantState::Granted,
        asked: vec![AskedBy::Attribute],
        row: None,
        until: None,
        reason: None,
    };
    world.note(LedgerChange::Set(set), None);
    let (target, org): (TargetName, OrgName) =
        ("staff".parse().expect("a valid text"), "acme".parse().expect("a valid text"));
    let user = RecordId::parse("0055f000000abcd").expect("a valid text");
    let input = GrantInput {
        target: &target,
        org: &org,
        user: Some(&user),
        wanted: &[],
        ledger: &world.ledger,
        actual: None,
        ownership: &world.ownership,
        presence: Presence::Here,
        strip: &[],
        set_aside: &[],
        again: true,
        mapped: None,
        fallback: Some(&least),
        now: world.now,
    };
    let fields = granted_fields(&input);
    assert_eq!(fields.get("ProfileId"), Some(&Desired::Set(least.to_string().into())));
    let without = GrantInput { fallback: None, ..input };
    assert_eq!(granted_fields(&without).get("ProfileId"), None, "a User has a profile");
}

#[test]
fn a_role_that_was_stripped_is_not_over_while_somebody_is_away() {
    let of = EntitlementRef { kind: EntitlementKind::Role, id: "00E5f000000aaaaEAA".to_owned() };
    let mut world = World::new(Ownership::Managed, vec![EntitlementKind::Role]);
    let stripped = LedgerRow {
        of: of.clone(),
        name: "Pilot".into(),
        state: GrantState::Stripped,
        asked: vec![AskedBy::Attribute],
        row: None,
        until: None,
        reason: None,
    };
    world.note(LedgerChange::Set(stripped), None);
    let (target, org): (TargetName, OrgName) =
        ("staff".parse().expect("a valid text"), "acme".parse().expect("a valid text"));
    let user = RecordId::parse("0055f000000abcd").expect("a valid text");
    let wanted = [Wanted { of, name: "Pilot".into(), asked: vec![AskedBy::Attribute], until: None }];
    let input = GrantInput {
        target: &target,
        org: &org,
        user: Some(&user),
        wanted: &wanted,
        ledger: &world.ledger,
        actual: None,
        ownership: &world.ownership,
        presence: Presence::Away,
        strip: &world.strip,
        set_aside: &[],
        again: true,
        mapped: None,
        fallback: None,
        now: world.now,
    };
    let written = Fields::from_iter([("UserRoleId".to_owned(), serde_json::Value::Null)]);
    let catalogue = Catalogue::default();
    assert_eq!(granted_by_fields(&input, &written, &catalogue), Vec::new());
    let unasked = GrantInput { wanted: &[], ..input };
    let changes = granted_by_fields(&unasked, &written, &catalogue);
    assert!(matches!(changes.as_slice(), [LedgerChange::End { .. }]), "{changes:?}");
}

#[test]
fn a_licence_is_wanted_by_whom_and_for_as_long_as_what_needs_it() {
    let id = |text: &str| RecordId::parse(text).expect("a valid text");
    let one = |kind, text: &str, license: Option<&str>| Entitlement {
        of: EntitlementRef { kind, id: id(text).to_string() },
        name: text.to_owned(),
        label: text.to_owned(),
        description: None,
        license: license.map(id),
        seats: None,
        contains: Vec::new(),
        far_reaching: false,
        user_type: None,
    };
    let license = one(EntitlementKind::PermissionSetLicense, "0PL5f000000abcA", None);
    let sets = ["0PS5f000000abcA", "0PS5f000000abdA"]
        .map(|set| one(EntitlementKind::PermissionSet, set, Some("0PL5f000000abcA")));
    let catalogue = Catalogue::new([sets.to_vec(), vec![license.clone()]].concat(), Vec::new());
    let at = |second| Timestamp::from_second(second).ok();
    let wants = |of: &Entitlement, by: AskedBy, until| Wanted {
        of: of.of.clone(),
        name: of.label.clone(),
        asked: vec![by],
        until,
    };
    let rule = AskedBy::Rule("docks".to_owned());
    let all = [wants(&sets[0], AskedBy::Attribute, at(9)), wants(&sets[1], rule.clone(), at(7))];
    let needed = |comes: &dyn Fn(&EntitlementRef) -> bool| {
        let mut wanted = all.to_vec();
        planning::with_licenses(&mut wanted, &catalogue, comes);
        wanted.into_iter().find(|wanted| wanted.of == license.of)
    };
    let both =
        Wanted { asked: vec![AskedBy::Attribute, rule.clone()], ..wants(&license, rule.clone(), at(9)) };
    assert_eq!(needed(&|_| true), Some(both));
    assert_eq!(needed(&|of| *of == sets[1].of), Some(wants(&license, rule, at(7))));
    assert_eq!(needed(&|_| false), None);
}
