//! What an org offers: whether the mappings name what is there, and how long the free seats last.

use std::collections::{BTreeSet, HashMap};

use model::{OrgName, ResourceKind, TenantId, Timestamp};
use salesforce_client::{Org, Purpose};
use salesforce_types::{
    Audience, Catalogue, Entitlement, EntitlementKind, EntitlementRef, Grant, GrantState, NotOne, Seats,
    seats_of,
};
use scim_types::{Filter, Registry};
use store::{Directory, Ledger, Query, StoreError, Window, sqlite::SqliteStore};
use translation::Target;

use super::{Report, explain, report_findings};
use crate::config::TenantSettings;

/// Joiners are counted over so many days: long enough for a month's intake, short enough to follow the season.
const DAYS: u32 = 30;
/// More grants than these need not be counted to know that seats are missing.
const MOST_WAITING: u32 = 10_000;

/// What a tenant's past says about the seats that it will need.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How many identities were made in the last [`DAYS`].
    joiners: u64,
    /// What waits for a seat.
    waiting: Vec<Grant>,
}

impl Past {
    /// Reads it.
    pub(super) async fn read(
        store: &SqliteStore,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let since = now - jiff::SignedDuration::from_hours(i64::from(DAYS) * 24);
        let created = format!("meta.created ge \"{since}\"");
        let query = Query {
            kind: ResourceKind::User,
            filter: Filter::parse(&created, Registry::standard().user()).ok(),
            sort: None,
            window: Window::Index { offset: 0, count: 0 },
            with_members: false,
        };
        let joiners = store.find(tenant, &query).await?.total;
        let waiting = store.in_state(tenant, GrantState::Waiting, MOST_WAITING).await?;
        Ok(Self { joiners, waiting: waiting.into_iter().map(|held| held.grant).collect() })
    }
}

/// Seats of one kind.
struct Pool<'c> {
    /// The id of the licence.
    id: &'c str,
    name: String,
    seats: Seats,
}

/// What is known of the seats that tenants need.
#[derive(Default)]
struct Demand {
    /// The licences that the mappings lead to.
    needed: BTreeSet<String>,
    /// How many grants wait for a seat of a licence.
    waiting: HashMap<String, u64>,
    /// How many joiners of the last [`DAYS`] took one.
    joiners: HashMap<String, u64>,
}

/// Looks at the catalogue for each tenant that has Users in the org, and at the seats.
pub(super) async fn check(
    org: &Org,
    name: &OrgName,
    tenants: &[TenantSettings],
    past: &HashMap<TenantId, Past>,
    report: &mut Report,
) {
    let about = format!("org {name}");
    let catalogue = match org.catalogue(Purpose::catalogue()).await {
        Ok(catalogue) => catalogue,
        Err(error) => return explain(&about, &error, report),
    };
    let mut demand = Demand::default();
    for tenant in tenants {
        let is_here = |target: &Target| target.org.as_ref().or(tenant.org.as_ref()) == Some(name);
        let users: Vec<&Target> = tenant
            .mapping
            .targets
            .iter()
            .filter(|target| target.object == "User" && is_here(target))
            .collect();
        if users.is_empty() {
            continue;
        }
        let about = format!("tenant {}", tenant.id);
        let findings = tenant.mapping.check_catalogue(name, &catalogue, is_here);
        if findings.is_empty() && !tenant.mapping.grants.is_empty() {
            report.ok(&about, format!("what its rules grant is there in {name}"));
        }
        report_findings(findings.iter(), &about, report);
        let profile = default_profile(tenant, &users, &catalogue, &about, report);
        demand.add(tenant, &users, name, profile, &catalogue, past.get(&tenant.id));
    }
    for pool in pools(&catalogue) {
        demand.report(&pool, &about, report);
    }
}

/// Whether the default profile is there, and is for the people who get it.
fn default_profile<'c>(
    tenant: &TenantSettings,
    users: &[&Target],
    catalogue: &'c Catalogue,
    about: &str,
    report: &mut Report,
) -> Option<&'c Entitlement> {
    const ADVICE: &str = "write the name of another one as default-profile (Setup > Users > Profiles)";
    let wanted = tenant.default_profile.as_deref()?;
    let profile = match catalogue.named(&[EntitlementKind::Profile], wanted) {
        Ok(profile) => profile,
        Err(NotOne::Unknown) => {
            report.problem(about, format!("there is no profile `{wanted}`"), ADVICE);
            return None;
        }
        Err(NotOne::Ambiguous(several)) => {
            let ids: Vec<&str> = several.iter().map(|of| of.id.as_str()).collect();
            let what = format!("several profiles are called `{wanted}`: {}", ids.join(", "));
            report.problem(about, what, "write the id of one of them as default-profile");
            return None;
        }
    };
    let by_default: Vec<&Target> = tenant
        .mapping
        .targets_without_profile()
        .filter(|target| users.iter().any(|user| user.name == target.name))
        .collect();
    let wrong = by_default.iter().find(|target| match profile.audience() {
        Some(Audience::System) => true,
        Some(Audience::External) => !target.is_external(),
        Some(Audience::Internal) => target.is_external(),
        None => false,
    });
    match wrong {
        Some(target) => {
            let what = format!("the default profile {wanted} is not for Users of the target {}", target.name);
            report.problem(about, what, ADVICE);
        }
        None if by_default.is_empty() => {}
        None => report.ok(about, format!("new users get the profile {wanted}")),
    }
    if profile.far_reaching {
        let what = format!("the default profile {wanted} gives Modify All Data or Manage Users to everybody");
        report.warn(about, what, ADVICE);
    }
    Some(profile)
}

fn pools(catalogue: &Catalogue) -> Vec<Pool<'_>> {
    let licenses = catalogue.licenses().iter().map(|license| Pool {
        id: license.id.as_str(),
        name: format!("licence {}", license.name),
        seats: license.seats,
    });
    let others = catalogue.entitlements().iter().filter_map(|one| {
        Some(Pool { id: &one.of.id, name: format!("{} {}", one.of.kind, one.label), seats: one.seats? })
    });
    licenses.chain(others).filter(|pool| pool.seats.total != Some(0)).collect()
}

impl Demand {
    fn add(
        &mut self,
        tenant: &TenantSettings,
        users: &[&Target],
        org: &OrgName,
        profile: Option<&Entitlement>,
        catalogue: &Catalogue,
        past: Option<&Past>,
    ) {
        let rules = tenant.mapping.grants.iter();
        let rules = rules.filter(|rule| users.iter().any(|target| rule.is_for(&target.name)));
        let asked = rules.flat_map(|rule| &rule.asks);
        let asked = asked.filter_map(|(kind, name)| catalogue.named(&[*kind], name).ok());
        let license_of = |of: &EntitlementRef| Some(seats_of(catalogue, of)?.license);
        self.needed.extend(asked.chain(profile).filter_map(|one| license_of(&one.of)));
        let Some(past) = past else { return };
        for grant in past.waiting.iter().filter(|grant| grant.org == *org) {
            if let Some(license) = license_of(&grant.of) {
                *self.waiting.entry(license).or_default() += 1;
            }
        }
        if let Some(license) = profile.and_then(|profile| license_of(&profile.of)) {
            *self.joiners.entry(license).or_default() += past.joiners;
        }
    }

    fn report(&self, pool: &Pool<'_>, about: &str, report: &mut Report) {
        let waiting = self.waiting.get(pool.id).copied().unwrap_or_default();
        let waits = match waiting {
            0 => String::new(),
            1 => "; 1 grant waits for one".to_owned(),
            more => format!("; {more} grants wait for one"),
        };
        let (Some(free), Some(total)) = (pool.seats.free(), pool.seats.total) else {
            return report
                .ok(about, format!("{}: {} seats are taken, without a limit", pool.name, pool.seats.used));
        };
        let joiners = self.joiners.get(pool.id).copied().unwrap_or_default();
        let lasts = match (free * u64::from(DAYS)).checked_div(joiners) {
            Some(days) => {
                let joiners = if joiners == 1 {
                    "1 identity was".to_owned()
                } else {
                    format!("{joiners} identities were")
                };
                format!(
                    "; {joiners} made in the last {DAYS} days, and at that pace the free seats last {days} days"
                )
            }
            None => String::new(),
        };
        let what = format!("{}: {free} of {total} seats are free{waits}{lasts}", pool.name);
        if free == 0 && (waiting > 0 || self.needed.contains(pool.id)) {
            let advice = "nobody more can get it: Setup > Company Information > User Licenses";
            report.warn(about, what, advice);
        } else {
            report.ok(about, what);
        }
    }
}
