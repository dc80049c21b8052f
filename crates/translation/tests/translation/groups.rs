//! `[groups]`: which SCIM Groups stand for an entitlement.

use model::OrgName;
use salesforce_types::{Catalogue, EntitlementKind};
use translation::{Mapping, Partial};

use crate::catalogue::entitlement;

fn org(name: &str) -> OrgName {
    OrgName::new(name).expect("a name")
}

fn mapping(groups: &str) -> Mapping {
    let target = "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nUsername = 'user.userName'\n";
    Mapping::parse(&format!("{target}\n{groups}"), "acme.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

const SET: EntitlementKind = EntitlementKind::PermissionSet;
const GROUP: EntitlementKind = EntitlementKind::PublicGroup;
const QUEUE: EntitlementKind = EntitlementKind::Queue;

fn catalogue(entries: &[(EntitlementKind, &str, &str, &str)]) -> Catalogue {
    Catalogue::new(
        entries.iter().map(|(kind, id, name, label)| entitlement(*kind, id, name, label)).collect(),
        Vec::new(),
    )
}

fn published(groups: &str, catalogue: &Catalogue) -> Vec<String> {
    let published = mapping(groups).groups.published(&org("acme"), catalogue);
    published.into_iter().map(|(name, of)| format!("{name} = {}", of.id)).collect()
}

#[test]
fn what_is_published_is_chosen_by_kind_and_name() {
    let catalogue = catalogue(&[
        (SET, "1", "GW_Sales", "Sales"),
        (SET, "2", "Other", "gw_by label"),
        (SET, "3", "Hidden", "Hidden"),
        (QUEUE, "4", "GW_Leads", "Leads"),
        (GROUP, "5", "All", "All"),
    ]);
    let groups = r#"
[[groups.publish]]
kinds = ["permission-set"]
names = ["GW_*"]
[[groups.publish]]
kinds = ["public-group", "permission-set"]
names = ["All", "GW_Sales"]
display = "{org}: {kind} {name}"
[groups]
partial = "rollback"
"#;
    assert_eq!(published(groups, &catalogue), ["gw_by label = 2", "Sales = 1", "acme: public-group All = 5"]);
    assert_eq!(mapping(groups).groups.partial, Partial::Rollback);
    assert_eq!(mapping("").groups.partial, Partial::Keep);
    let elsewhere = "[[groups.publish]]\nkinds = [\"queue\"]\norg = \"uat\"\n";
    assert!(mapping(elsewhere).groups.publishes());
    assert_eq!(published(elsewhere, &catalogue), [""; 0]);
}

#[test]
fn groups_that_would_be_called_alike_are_told_apart() {
    let catalogue = catalogue(&[
        (SET, "1", "Sales_A", "Sales"),
        (SET, "2", "Sales_B", "SALES"),
        (GROUP, "3", "Sales", "Sales"),
        (GROUP, "4", "Legal", "Legal"),
        (QUEUE, "5", "Q", "Q"),
        (QUEUE, "6", "Q", "Q"),
    ]);
    let all = "[[groups.publish]]\nkinds = [\"permission-set\", \"public-group\", \"queue\"]\n";
    assert_eq!(
        published(all, &catalogue),
        [
            "Sales (permission-set Sales_A) = 1",
            "SALES (permission-set Sales_B) = 2",
            "Legal = 4",
            "Sales (public-group) = 3",
            "Q (queue 5) = 5",
            "Q (queue 6) = 6",
        ]
    );
}

#[test]
fn a_pushed_group_stands_for_what_its_name_says() {
    let groups = r#"
[[groups.pushed]]
name = "sf-ps-*"
kind = "permission-set"
entitlement = "{1}"
[[groups.pushed]]
name = "* (* queue)"
kind = "queue"
entitlement = "{2}_{1}"
[[groups.pushed]]
name = "Team *"
kind = "public-group"
org = "uat"
"#;
    let mapping = mapping(groups);
    let (acme, uat) = (org("acme"), org("uat"));
    let here = catalogue(&[
        (SET, "1", "Sales_Ops", "Sales"),
        (SET, "2", "Two", "Sales"),
        (GROUP, "3", "Team_A", "Team A"),
    ]);
    let there = catalogue(&[
        (QUEUE, "4", "EMEA_Leads", "x"),
        (GROUP, "5", "Team_A", "Team A"),
        (SET, "6", "Two", "2"),
    ]);
    let orgs = [(&acme, &here), (&uat, &there)];
    let stands_for = |name: &str| {
        let found = mapping.groups.stands_for(name, &orgs);
        found
            .map(|found| found.map(|it| format!("{} {}", it.org, it.of.id)))
            .map_err(|error| error.to_string())
    };
    assert_eq!(stands_for("SF-PS-sales_ops"), Ok(Some("acme 1".to_owned())));
    assert_eq!(stands_for("Leads (EMEA queue)"), Ok(Some("uat 4".to_owned())));
    assert_eq!(stands_for("Team A"), Ok(Some("uat 5".to_owned())), "the rule names the org");
    assert_eq!(stands_for("Everyone"), Ok(None));
    assert_eq!(stands_for("sf-ps-Nope"), Err("no org has a permission-set `Nope`".to_owned()));
    let ambiguous = stands_for("sf-ps-sales").unwrap_err();
    assert_eq!(ambiguous, "several permission-sets are called `sales`: 1 in the org acme, 2 in the org acme");
    let both = stands_for("sf-ps-Two").unwrap_err();
    assert_eq!(both, "several permission-sets are called `Two`: 2 in the org acme, 6 in the org uat");
}
