//! Profile and role, which are fields of the User: whatever is asked for, and whoever leaves and returns in the same request, in any
//! order: nobody has what nobody asks for, and the ledger says who asks.

use indexmap::IndexMap;
use model::{ChangeId, ClientName, OrgName, TargetName, Timestamp};
use planning::{GrantInput, LedgerChange, OwnershipOf, Presence, Wanted, granted_by_fields, granted_fields};
use proptest::prelude::*;
use salesforce_types::{
    Ask, AskedBy, Catalogue, EntitlementKind, EntitlementRef, Fields, Given, Grant, GrantState, RecordId,
};
use serde_json::Value;
use translation::{Desired, Ownership};

const KINDS: [EntitlementKind; 2] = [EntitlementKind::Profile, EntitlementKind::Role];

#[derive(Debug)]
struct By(Ownership);

impl OwnershipOf for By {
    fn of(&self, _: EntitlementKind) -> Ownership {
        self.0
    }
}

/// The profile or the role with this number; of profiles 0 is everybody's default.
fn one(kind: EntitlementKind, number: u8) -> EntitlementRef {
    let prefix = if kind == EntitlementKind::Profile { "00e" } else { "00E" };
    let id = RecordId::parse(&format!("{prefix}5f00000000{number:02}")).expect("a valid text");
    EntitlementRef { kind, id: id.to_string() }
}

fn field(kind: EntitlementKind) -> &'static str {
    match kind.given() {
        Given::Field(field) => field,
        other => panic!("{kind} is no field: {other:?}"),
    }
}

/// What is asked for from now on, and whether he works.
#[derive(Clone, Copy, Debug)]
struct Request {
    works: bool,
    profile: Option<u8>,
    role: Option<u8>,
}

impl Request {
    fn asks(self) -> Vec<EntitlementRef> {
        let asks = KINDS.into_iter().zip([self.profile, self.role]);
        asks.filter_map(|(kind, number)| Some(one(kind, number?))).collect()
    }
}

fn request() -> impl Strategy<Value = Request> {
    let number = || proptest::option::of(1_u8..4);
    (any::<bool>(), number(), number()).prop_map(|(works, profile, role)| Request { works, profile, role })
}

struct World {
    written: Fields,
    ledger: Vec<Grant>,
    mapped: IndexMap<String, Desired>,
    ownership: By,
    strip: Vec<EntitlementKind>,
    presence: Presence,
}

impl World {
    fn input<T>(&self, asks: &[EntitlementRef], decide: impl FnOnce(&GrantInput<'_>) -> T) -> T {
        let (target, org): (TargetName, OrgName) =
            ("staff".parse().expect("a valid text"), "acme".parse().expect("a valid text"));
        let user = RecordId::parse("0055f000000abcd").expect("a valid text");
        let default = RecordId::parse(&one(EntitlementKind::Profile, 0).id).expect("a valid text");
        let wanted: Vec<Wanted> = asks
            .iter()
            .map(|of| Wanted {
                of: of.clone(),
                name: of.id.clone(),
                asked: vec![AskedBy::Attribute],
                until: None,
            })
            .collect();
        decide(&GrantInput {
            target: &target,
            org: &org,
            user: Some(&user),
            wanted: &wanted,
            ledger: &self.ledger,
            actual: None,
            ownership: &self.ownership,
            presence: self.presence,
            strip: &self.strip,
            set_aside: &[],
            again: true,
            mapped: Some(&self.mapped),
            fallback: (!self.mapped.contains_key("ProfileId")).then_some(&default),
            now: Timestamp::UNIX_EPOCH,
        })
    }

    /// The ledger as the record is now. Whether that is something else.
    fn note(&mut self, asks: &[EntitlementRef]) -> bool {
        let catalogue = Catalogue::default();
        let changes = self.input(asks, |input| granted_by_fields(input, &self.written, &catalogue));
        let is_new = !changes.is_empty();
        for change in changes {
            match change {
                LedgerChange::End { of, .. } => self.ledger.retain(|grant| grant.of != of),
                LedgerChange::Set(set) => {
                    self.ledger.retain(|grant| grant.of != set.of);
                    let ask = |by| Ask {
                        by,
                        client: "tool".parse::<ClientName>().expect("a valid text"),
                        change: ChangeId::from_text("c".to_owned()),
                        since: Timestamp::UNIX_EPOCH,
                    };
                    self.ledger.push(Grant {
                        org: "acme".parse().expect("a valid text"),
                        target: "staff".parse().expect("a valid text"),
                        of: set.of,
                        name: set.name,
                        state: set.state,
                        asked: set.asked.into_iter().map(ask).collect(),
                        row: set.row,
                        since: Timestamp::UNIX_EPOCH,
                        until: set.until,
                        reason: set.reason,
                    });
                }
            }
        }
        is_new
    }

    /// Writes what is to be written. Whether that is anything.
    fn write(&mut self, asks: &[EntitlementRef]) -> bool {
        let mut desired = self.mapped.clone();
        desired.extend(self.input(asks, granted_fields));
        let before = self.written.clone();
        for (field, desired) in desired {
            let value = match desired {
                Desired::Set(value) => value,
                Desired::Clear => Value::Null,
            };
            self.written.insert(field, value);
        }
        self.written.retain(|_, value| !value.is_null());
        self.written != before
    }

    fn carry_out(&mut self, request: Request) -> Result<(), TestCaseError> {
        let asks = request.asks();
        let leaves = !request.works && self.presence == Presence::Here;
        self.presence = if request.works { Presence::Here } else { Presence::Away };
        if leaves {
            // He is locked out first, by a step that writes nothing else.
            self.note(&asks);
        }
        for _ in 0..4 {
            let has_written = self.write(&asks);
            if !(self.note(&asks) || has_written) {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("it never comes to an end"))
    }

    fn has(&self, kind: EntitlementKind) -> Option<EntitlementRef> {
        let id = self.written.get(field(kind))?.as_str()?.to_owned();
        Some(EntitlementRef { kind, id })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nobody_has_a_profile_or_a_role_that_nobody_asks_for(
        requests in proptest::collection::vec(request(), 1..8),
        strips in any::<bool>(),
        is_authority in any::<bool>(),
        mapped in proptest::option::of(1_u8..4),
        mapped_profile in proptest::option::of(1_u8..4),
    ) {
        let of_mapping = KINDS.into_iter().zip([mapped_profile, mapped]);
        let of_mapping: Vec<EntitlementRef> =
            of_mapping.filter_map(|(kind, number)| Some(one(kind, number?))).collect();
        let default = one(EntitlementKind::Profile, 0);
        let mut world = World {
            written: Fields::from_iter([("ProfileId".to_owned(), Value::from(default.id.as_str()))]),
            ledger: Vec::new(),
            mapped: of_mapping.iter().map(|of| (field(of.kind).to_owned(), Desired::Set(of.id.as_str().into()))).collect(),
            ownership: By(if is_authority { Ownership::Authoritative } else { Ownership::Managed }),
            strip: if strips { vec![EntitlementKind::Role] } else { Vec::new() },
            presence: Presence::Here,
        };
        for request in requests {
            world.carry_out(request)?;
            let asks = request.asks();
            for kind in KINDS {
                let of_kind = |all: &[EntitlementRef]| all.iter().find(|of| of.kind == kind).cloned();
                let otherwise = of_kind(&of_mapping).or_else(|| (kind == EntitlementKind::Profile).then(|| default.clone()));
                let has = world.has(kind);
                let held: Vec<&Grant> =
                    world.ledger.iter().filter(|grant| grant.of.kind == kind && grant.state.is_held()).collect();
                prop_assert_eq!(held.iter().map(|grant| &grant.of).collect::<Vec<_>>(), has.iter().collect::<Vec<_>>());
                if request.works {
                    prop_assert_eq!(&has, &of_kind(&asks).or_else(|| otherwise.clone()));
                }
                for grant in held {
                    let is_asked = asks.contains(&grant.of);
                    let by = if is_asked { AskedBy::Attribute } else { AskedBy::Default };
                    prop_assert_eq!(grant.state, GrantState::Granted);
                    prop_assert!(grant.asked.iter().all(|ask| ask.by == by), "{:?}", grant);
                    prop_assert!(is_asked || Some(&grant.of) == otherwise.as_ref(), "{} is asked for by nobody", grant.of);
                }
            }
        }
    }
}
