//! Which metrics there are. `docs/operating.md` has a table of them; a test holds it against this page.

use intake::Count;
use provisioning::Leavers;
use salesforce_client::{Cause, Org};

use super::exposition::{Exposition, Kind};
use store::ReceiverStatus;

use crate::health::State;

/// All metrics, as they are now.
pub(super) fn page(
    state: &State,
    leavers: &[Leavers],
    events: &[Count],
    receivers: &[ReceiverStatus],
) -> String {
    let mut orgs: Vec<&Org> = state.orgs.iter().map(|(_, org)| org).collect();
    orgs.sort_by_key(|org| org.name());
    let mut page = Exposition::default();
    page.family("gangway_build_info", Kind::Gauge, "Which version runs; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family(
        "gangway_config_reload_refused",
        Kind::Gauge,
        "1 while the last reload was refused and the configuration before it is in force.",
    )
    .sample(&[], u8::from(state.reload_refused));
    quota(&mut page, &orgs);
    calls(&mut page, &orgs);
    dispatch(&mut page, &orgs);
    kept_active(&mut page, leavers);
    came_of(&mut page, events);
    gets_on(&mut page, receivers);
    page.into_text()
}

/// Leavers whom Salesforce does not let go of.
fn kept_active(page: &mut Exposition, leavers: &[Leavers]) {
    let help = "Leavers whom Salesforce keeps active; `gangway tasks` says what stands in the way.";
    let mut family = page.family("gangway_leavers_blocked", Kind::Gauge, help);
    for of_tenant in leavers {
        family.sample(&[("tenant", &of_tenant.tenant.to_string())], of_tenant.blocked);
    }
    let help = "Those of them for longer than their target's alarm-after.";
    let mut family = page.family("gangway_leavers_alarmed", Kind::Gauge, help);
    for of_tenant in leavers {
        family.sample(&[("tenant", &of_tenant.tenant.to_string())], of_tenant.alarms);
    }
}

/// What came of events.
fn came_of(page: &mut Exposition, events: &[Count]) {
    let help = "What came of the events of a source: applied, ignored, held, dead, later, duplicate, stored or rejected, and why; alarm: a person has to look.";
    let mut family = page.family("gangway_events_total", Kind::Counter, help);
    for count in events {
        let labels = [
            ("tenant", count.tenant.as_str()),
            ("source", count.source.as_str()),
            ("outcome", count.outcome),
            ("reason", count.reason),
        ];
        family.sample(&labels, count.number);
    }
}

/// How it stands with those who hear of changes.
fn gets_on(page: &mut Exposition, receivers: &[ReceiverStatus]) {
    let help = "Changes that a receiver has not got yet.";
    let mut family = page.family("gangway_receiver_waiting", Kind::Gauge, help);
    for receiver in receivers {
        let labels = [("tenant", receiver.tenant.as_str()), ("receiver", receiver.name.as_str())];
        family.sample(&labels, receiver.waiting);
    }
    let help = "Changes that a receiver has refused for good since it was configured.";
    let mut family = page.family("gangway_receiver_refused_total", Kind::Counter, help);
    for receiver in receivers {
        let labels = [("tenant", receiver.tenant.as_str()), ("receiver", receiver.name.as_str())];
        family.sample(&labels, receiver.refused);
    }
}

/// One sample for each org.
fn each(page: &mut Exposition, orgs: &[&Org], name: &'static str, help: &str, value: impl Fn(&Org) -> u64) {
    let mut family = page.family(name, Kind::Gauge, help);
    for org in orgs {
        family.sample(&[("org", org.name().as_str())], value(org));
    }
}

/// What Salesforce says is left, and what that means. An org that has not been asked yet has no usage.
fn quota(page: &mut Exposition, orgs: &[&Org]) {
    let known: Vec<_> = orgs.iter().filter_map(|org| Some((org.name().as_str(), org.usage()?))).collect();
    let help =
        "API calls of the org in the last 24 hours, all integrations included, as Salesforce last told it.";
    let mut family = page.family("gangway_salesforce_api_usage", Kind::Gauge, help);
    for (org, usage) in &known {
        family.sample(&[("org", org)], usage.used);
    }
    let help = "API calls that the org may have in 24 hours, as Salesforce last told it.";
    let mut family = page.family("gangway_salesforce_api_limit", Kind::Gauge, help);
    for (org, usage) in &known {
        family.sample(&[("org", org)], usage.max);
    }
    let help = "API calls that are kept for changes that take access away (reserve-calls).";
    each(page, orgs, "gangway_salesforce_reserve", help, Org::reserve);
    let help =
        "1 while fewer API calls are left than the reserve: only changes that take access away go out.";
    each(page, orgs, "gangway_salesforce_reserve_reached", help, |org| u64::from(org.reserve_reached()));
    let help = "1 while nothing can be written to the org until a person helps; `gangway check` says how.";
    let mut family = page.family("gangway_org_parked", Kind::Gauge, help);
    for org in orgs {
        let org_name = ("org", org.name().as_str());
        match org.parked() {
            Some(parked) => family.sample(&[org_name, ("reason", parked.reason)], 1),
            None => family.sample(&[org_name], 0),
        }
    }
}

/// What calls were for, and for whom.
fn calls(page: &mut Exposition, orgs: &[&Org]) {
    let help = "Requests to the org by what they were for; a Composite is one. Salesforce does not count those for a token.";
    let mut family = page.family("gangway_salesforce_calls_total", Kind::Counter, help);
    for org in orgs {
        let calls = org.calls();
        for cause in Cause::ALL {
            family.sample(&[("org", org.name().as_str()), ("cause", cause.as_str())], calls.of(cause));
        }
    }
    let help = "Requests to the org by the client whose changes were in them; whoever shares a request has a part of it.";
    let mut family = page.family("gangway_salesforce_calls_by_client_total", Kind::Counter, help);
    for org in orgs {
        for account in org.accounts() {
            let labels = [
                ("org", org.name().as_str()),
                ("tenant", account.tenant.as_str()),
                ("client", account.client.as_str()),
                ("cause", account.cause.as_str()),
            ];
            family.sample(&labels, account.calls);
        }
    }
}

/// How changes share calls.
fn dispatch(page: &mut Exposition, orgs: &[&Org]) {
    let help = "Changes that wait for a call to the org.";
    each(page, orgs, "gangway_salesforce_changes_waiting", help, |org| org.waiting() as u64);
    let help = "Calls that write and are under way.";
    each(page, orgs, "gangway_salesforce_writes_in_flight", help, |org| org.in_flight() as u64);
    let help = "Records in each call that writes, tries that were repeated included.";
    let mut family = page.family("gangway_salesforce_write_records", Kind::Histogram, help);
    for org in orgs {
        let sizes = org.call_sizes();
        family.histogram(&[("org", org.name().as_str())], sizes.up_to, sizes.calls, sizes.records);
    }
}
