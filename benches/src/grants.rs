//! Planning what a joiner is given, with a large catalogue: who asks for what (`wanted`), and that against an empty ledger
//! (`grant_rows`). A small catalogue is measured beside it, because the size should not matter.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use model::{OrgName, TargetName, Timestamp};
use planning::{Asks, GrantInput, GrantPlan, OwnershipOf, Presence, Wanted, grant_rows, wanted};
use salesforce_types::{Catalogue, Entitlement, EntitlementKind, EntitlementRef, RecordId};
use serde_json::json;
use translation::{Ownership, Ruled};

use crate::{
    Failure,
    mapping::{REPEATS, quickest},
    report::Report,
};

/// All kinds that are records in the org.
const KINDS: [EntitlementKind; 9] = [
    EntitlementKind::Profile,
    EntitlementKind::Role,
    EntitlementKind::PackageLicense,
    EntitlementKind::PermissionSetLicense,
    EntitlementKind::PermissionSet,
    EntitlementKind::PermissionSetGroup,
    EntitlementKind::PublicGroup,
    EntitlementKind::Queue,
    EntitlementKind::Territory,
];

/// Measures with catalogues of these sizes for so long in all.
pub fn measure(sizes: &[usize], seconds: u64) -> Result<(), Failure> {
    let time = Duration::from_secs(seconds) / u32::try_from(3 * REPEATS * sizes.len().max(1))?;
    let mut report = Report::new("grants");
    for &size in sizes {
        let entitlements = entitlements(size)?;
        let started = Instant::now();
        let catalogue = Catalogue::new(entitlements, Vec::new());
        // The first question makes the index.
        let joiner = Joiner::new(&catalogue)?;
        report.add(
            &format!("put {size} entitlements in order, once"),
            None,
            json!({"ms": started.elapsed().as_secs_f64() * 1_000.0}),
        );
        let asked = joiner.wanted(&catalogue)?;
        let plan = joiner.plan(&asked);
        if plan.steps.len() != ROWS || plan.look {
            return Err(format!("expected {ROWS} steps, found {plan:?}").into());
        }
        let gather = quickest(time, || joiner.wanted(black_box(&catalogue)).is_ok());
        report.add(&format!("what a joiner wants, of {size}"), None, json!({"ns": gather}));
        let rows = quickest(time, || joiner.plan(black_box(&asked)));
        report.add(&format!("the steps that give it, of {size}"), None, json!({"ns": rows}));
        let both =
            quickest(time, || joiner.wanted(black_box(&catalogue)).map(|asked| joiner.plan(&asked)).is_ok());
        report.add(&format!("plan a joiner's grants, of {size}"), None, json!({"ns": both}));
    }
    report.write()
}

/// A profile, a role, three permission sets and two public groups.
const WANTED: usize = 7;
/// Those of them that are rows.
const ROWS: usize = 5;

/// Somebody who asks for a profile, a role and two public groups, and gets three permission sets by a rule.
struct Joiner {
    org: OrgName,
    target: TargetName,
    attributes: Vec<EntitlementRef>,
    rules: Vec<Ruled>,
}

impl Joiner {
    fn new(catalogue: &Catalogue) -> Result<Self, Failure> {
        // From the end of the list, where a search would come last.
        let last = |kind, count| {
            let all = catalogue.entitlements().iter().rev().filter(move |one| one.of.kind == kind);
            let found: Vec<&Entitlement> = all.take(count).collect();
            if found.len() == count {
                Ok(found)
            } else {
                Err(format!("too few of {kind}: take more entitlements"))
            }
        };
        let mut attributes = last(EntitlementKind::Profile, 1)?;
        attributes.extend(last(EntitlementKind::Role, 1)?);
        attributes.extend(last(EntitlementKind::PublicGroup, 2)?);
        let ruled = |one: &Entitlement| Ruled {
            rule: "staff".to_owned(),
            target: None,
            kind: one.of.kind,
            name: one.name.clone(),
            rank: 0,
            until: None,
        };
        let joiner = Self {
            org: OrgName::new("bench")?,
            target: TargetName::new("staff")?,
            attributes: attributes.into_iter().map(|one| one.of.clone()).collect(),
            rules: last(EntitlementKind::PermissionSet, 3)?.into_iter().map(ruled).collect(),
        };
        joiner.wanted(catalogue).map(|_| joiner)
    }

    fn wanted(&self, catalogue: &Catalogue) -> Result<Vec<Wanted>, Failure> {
        let asks = Asks { attributes: &self.attributes, groups: &[], rules: &self.rules };
        match wanted(&asks, catalogue) {
            (all, unmet) if all.len() == WANTED && unmet.is_empty() => Ok(all),
            other => Err(format!("expected {WANTED} and nothing unmet, found {other:?}").into()),
        }
    }

    fn plan(&self, wanted: &[Wanted]) -> GrantPlan {
        grant_rows(&GrantInput {
            target: &self.target,
            org: &self.org,
            user: None,
            wanted,
            ledger: &[],
            actual: None,
            ownership: &Managed,
            presence: Presence::Here,
            strip: &[],
            set_aside: &[],
            again: false,
            mapped: None,
            fallback: None,
            now: Timestamp::UNIX_EPOCH,
        })
    }
}

#[derive(Debug)]
struct Managed;

impl OwnershipOf for Managed {
    fn of(&self, _: EntitlementKind) -> Ownership {
        Ownership::Managed
    }
}

fn entitlements(count: usize) -> Result<Vec<Entitlement>, Failure> {
    (0..count).zip(KINDS.into_iter().cycle()).map(|(n, kind)| entitlement(n, kind)).collect()
}

fn entitlement(n: usize, kind: EntitlementKind) -> Result<Entitlement, Failure> {
    Ok(Entitlement {
        of: EntitlementRef { kind, id: RecordId::parse(&format!("0PS5f00{n:08}"))?.to_string() },
        name: format!("Entitlement_{n}"),
        label: format!("Entitlement {n}"),
        description: None,
        license: None,
        seats: None,
        contains: Vec::new(),
        far_reaching: false,
        user_type: None,
    })
}
