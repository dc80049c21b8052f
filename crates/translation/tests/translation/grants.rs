//! `[[grants]]`: what people get by rule.

use model::{OrgName, Timestamp};
use proptest::prelude::*;
use salesforce_types::EntitlementKind;
use scim_types::Resource;
use serde_json::{Value, json};
use translation::{HandOverTo, Mapping, NoteCode, OnLeave, Ownership, Ruled};

const TARGETS: &str = r#"
[targets.staff]
object = "User"
when = 'user.userType != "Partner"'
[targets.staff.fields]
Username = 'user.userName'

[targets.partners]
object = "User"
when = 'user.userType == "Partner"'
[targets.partners.fields]
Username = 'user.userName'

[targets.leads]
object = "Lead"
[targets.leads.fields]
LastName = 'user.userName'
"#;

fn mapping(rules: &str) -> Mapping {
    Mapping::parse(&format!("{rules}\n{TARGETS}"), "acme.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn person(attributes: Value) -> Resource {
    let Value::Object(mut person) = attributes else { panic!("{attributes} is no object") };
    person.insert("userName".to_owned(), json!("ada@acme.example"));
    Resource::from_map(person)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

const NOON: &str = "2026-03-01T12:00:00Z";

/// What the rules ask for, as `rule: kind:name (target)`, and the codes of the notes.
fn ruled(rules: &str, attributes: Value) -> (Vec<String>, Vec<NoteCode>) {
    let (asked, notes) = mapping(rules).ruled(&person(attributes), at(NOON));
    let shown = |one: Ruled| {
        let target = one.target.map(|target| format!(" ({target})")).unwrap_or_default();
        let until = one.until.map(|until| format!(" until {until}")).unwrap_or_default();
        format!("{}: {}:{}{target}{until}", one.rule, one.kind, one.name)
    };
    (asked.into_iter().map(shown).collect(), notes.into_iter().map(|note| note.code).collect())
}

#[test]
fn a_rule_gives_what_it_names_to_those_for_whom_it_holds() {
    let rules = r#"
[[grants]]
permission-sets = ["Everyone"]

[[grants]]
name = "sales"
when = 'user.department == "Sales"'
target = "staff"
permission-sets = ["Sales_Ops", "Sales_Reports"]
permission-set-groups = ["Sales"]
permission-set-licenses = ["SalesConsoleUser"]
public-groups = ["All Sales"]
queues = ["Leads"]
package-licenses = ["acme"]
feature-licenses = ["UserPermissionsMarketingUser"]
territories = ["EMEA"]
role = "Sales EMEA"
profile = "Sales User"
"#;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(
        ruled(rules, json!({ enterprise: { "department": "Legal" } })).0,
        ["grant 1: permission-set:Everyone"]
    );
    assert_eq!(
        ruled(rules, json!({ enterprise: { "department": "Sales" } })).0,
        [
            "grant 1: permission-set:Everyone",
            "sales: feature-license:UserPermissionsMarketingUser (staff)",
            "sales: package-license:acme (staff)",
            "sales: permission-set-license:SalesConsoleUser (staff)",
            "sales: permission-set:Sales_Ops (staff)",
            "sales: permission-set:Sales_Reports (staff)",
            "sales: permission-set-group:Sales (staff)",
            "sales: public-group:All Sales (staff)",
            "sales: queue:Leads (staff)",
            "sales: territory:EMEA (staff)",
            "sales: profile:Sales User (staff)",
            "sales: role:Sales EMEA (staff)",
        ]
    );
}

#[test]
fn the_lowest_rank_wins_in_each_target_and_of_equals_the_first_with_a_note() {
    let rules = r#"
[[grants]]
name = "usual"
rank = 20
profile = "Standard User"
role = "Staff"
[[grants]]
name = "boss"
rank = -1
when = 'user.title == "CEO"'
role = "CEO"
[[grants]]
name = "partner"
rank = 10
target = "partners"
profile = "Partner User"
[[grants]]
name = "same again"
rank = 20
profile = "standard user"
"#;
    let usual = ["usual: profile:Standard User (staff)", "usual: role:Staff (staff)"];
    let partner = ["partner: profile:Partner User (partners)", "usual: role:Staff (partners)"];
    assert_eq!(
        ruled(rules, json!({})),
        ([usual, partner].concat().into_iter().map(str::to_owned).collect(), vec![])
    );
    let (boss, _) = ruled(rules, json!({ "title": "CEO" }));
    assert_eq!(boss[1], "boss: role:CEO (staff)");

    let tied = "[[grants]]\nprofile = \"A\"\n[[grants]]\nprofile = \"B\"\n";
    let (won, notes) = ruled(tied, json!({}));
    assert_eq!(won, ["grant 1: profile:A (staff)", "grant 1: profile:A (partners)"]);
    assert_eq!(notes, [NoteCode::RankTied], "said once, though there are two targets");
}

#[test]
fn a_rule_ends_at_a_moment_a_day_or_when_the_person_says() {
    let day = |until: &str| ruled(&format!("[[grants]]\nuntil = {until}\nqueues = [\"Q\"]\n"), json!({}));
    for (until, expected) in [
        ("2026-03-02", "2026-03-02T00:00:00Z"),
        ("2026-03-01T13:00:00", "2026-03-01T13:00:00Z"),
        ("2026-03-01T14:30:00+02:00", "2026-03-01T12:30:00Z"),
        ("'2026-12-31'", "2026-12-31T00:00:00Z"),
    ] {
        assert_eq!(day(until).0, [format!("grant 1: queue:Q until {expected}")], "{until}");
    }
    // What ends now is over.
    for until in ["2026-03-01", "2026-03-01T12:00:00Z", "'2026-03-01T14:00:00+02:00'"] {
        assert_eq!(day(until), (vec![], vec![]), "{until}");
    }
    let said = |title: Value| {
        ruled("[[grants]]\nuntil = 'user.title'\nqueues = [\"Q\"]\n", json!({ "title": title }))
    };
    assert_eq!(said(json!("2026-06-01")).0, ["grant 1: queue:Q until 2026-06-01T00:00:00Z"]);
    assert_eq!(said(json!("20260601120000Z")).0, ["grant 1: queue:Q until 2026-06-01T12:00:00Z"]);
    assert_eq!(said(json!("2025-06-01")), (vec![], vec![]));
    assert_eq!(said(Value::Null), (vec!["grant 1: queue:Q".to_owned()], vec![]), "nothing: for good");
    assert_eq!(said(json!("next summer")), (vec![], vec![NoteCode::UntilUnknown]));
}

#[test]
fn rules_and_targets_may_ask_for_memberships() {
    let rules = r#"
[[grants]]
when = 'member_of(user, "Sales EMEA") and user.active'
queues = ["Q"]
"#;
    let groups = |names: &[&str]| {
        let groups: Vec<Value> = names.iter().map(|name| json!({ "value": "1", "display": name })).collect();
        json!({ "active": true, "groups": groups })
    };
    assert!(mapping(rules).looks_at_groups());
    assert_eq!(ruled(rules, groups(&["Other", "SALES emea"])).0, ["grant 1: queue:Q"]);
    assert_eq!(ruled(rules, groups(&["Sales"])).0, [""; 0]);
    assert_eq!(ruled(rules, json!({ "active": true })).0, [""; 0]);
    assert!(!mapping("[[grants]]\nqueues = [\"Q\"]\n").looks_at_groups());

    let text = "[targets.staff]\nobject = \"User\"\nwhen = 'not member_of(user, user.title)'\n[targets.staff.fields]\nUsername = 'user.userName'\n";
    let mapping = Mapping::parse(text, "acme.toml").unwrap();
    assert!(mapping.looks_at_groups());
    let applies = |attributes: Value| mapping.targets[0].applies(&person(attributes));
    assert!(applies(json!({ "title": "Boss" })));
    assert!(!applies(json!({ "title": "Boss", "groups": [{ "display": "boss" }] })));
    assert!(applies(json!({ "groups": [{ "display": "boss" }] })));
}

#[test]
fn policies_are_read_and_have_defaults() {
    let plain = mapping("");
    assert!(plain.grants.is_empty() && !plain.groups.publishes() && !plain.entitlements.waiting_list);
    assert_eq!(plain.entitlements.ownership(EntitlementKind::Queue), Ownership::Managed);
    assert_eq!(plain.targets[0].alarm_after.as_hours(), 7 * 24);
    assert!(plain.targets[0].strip.is_empty() && plain.targets[0].hand_over.is_none());

    let text = r#"
[entitlements]
ownership = { permission-set = "authoritative", queue = "merge" }
least-privileged = { Salesforce = "Minimum Access - Salesforce", AUL = "00e30000000hkeLAAQ" }
waiting-list = true

[targets.staff]
object = "User"
on-leave = "freeze"
strip = ["permission-set", "role"]
alarm-after = "2d 12h"
[targets.staff.hand-over]
to = 'user.manager'
objects = ["Lead", "Task", "queues"]
[targets.staff.fields]
Username = 'user.userName'

[targets.others]
object = "User"
hand-over = { to = "archive@acme.example" }
[targets.others.fields]
Username = 'user.userName'
"#;
    let mapping = Mapping::parse(text, "acme.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let policy = &mapping.entitlements;
    assert_eq!(policy.ownership(EntitlementKind::PermissionSet), Ownership::Authoritative);
    assert_eq!(policy.ownership(EntitlementKind::Queue), Ownership::Merge);
    assert_eq!(policy.ownership(EntitlementKind::Role), Ownership::Managed);
    assert_eq!(policy.least_privileged["AUL"], "00e30000000hkeLAAQ");
    assert!(policy.waiting_list);
    let [staff, others] = mapping.targets.as_slice() else { panic!("two targets") };
    assert_eq!(staff.on_leave, OnLeave::Freeze);
    assert_eq!(staff.strip, [EntitlementKind::PermissionSet, EntitlementKind::Role]);
    assert_eq!(staff.alarm_after.as_hours(), 60);
    let hand_over = staff.hand_over.as_ref().unwrap();
    assert_eq!((&hand_over.to, hand_over.queues), (&HandOverTo::Manager, true));
    assert_eq!(hand_over.objects, ["Lead", "Task"]);
    let hand_over = others.hand_over.as_ref().unwrap();
    assert_eq!(hand_over.to, HandOverTo::Named("archive@acme.example".to_owned()));
    assert_eq!(hand_over.objects, ["Lead", "Contact", "Account", "Opportunity", "Task"]);
    assert!(!hand_over.queues);
    assert!(Mapping::default_for(&OrgName::new("acme").unwrap()).grants.is_empty());
}

/// A rule of the laws: its rank, what it is for, and what it gives.
#[derive(Clone, Debug)]
struct Sketch {
    rank: i64,
    target: Option<&'static str>,
    title: Option<&'static str>,
    until: Option<&'static str>,
    profile: Option<&'static str>,
    role: Option<&'static str>,
    sets: Vec<&'static str>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let some = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words));
    (
        -2..3_i64,
        some(&["staff", "partners"]),
        some(&["boss", "clerk"]),
        some(&["2026-01-01", "2027-01-01"]),
        some(&["P1", "P2", "P3"]),
        some(&["R1", "R2"]),
        prop::collection::btree_set(prop::sample::select(&["S1", "S2", "S3"][..]), 0..3),
    )
        .prop_map(|(rank, target, title, until, profile, role, sets)| Sketch {
            rank,
            target,
            title,
            until,
            profile,
            role,
            sets: sets.into_iter().collect(),
        })
        .prop_filter("a rule grants something", |one| {
            one.profile.is_some() || one.role.is_some() || !one.sets.is_empty()
        })
}

/// The rules as a mapping has them, each with the name of its place in the first order.
fn written(rules: &[(usize, Sketch)]) -> String {
    let rule = |(place, rule): &(usize, Sketch)| {
        let line = |key: &str, value: Option<&str>| value.map(|value| format!("{key} = \"{value}\""));
        let title = rule.title.map(|title| format!("user.title == '{title}'"));
        let is_ranked = rule.profile.is_some() || rule.role.is_some();
        let lines = [
            Some("[[grants]]".to_owned()),
            line("name", Some(&format!("r{place}"))),
            line("target", rule.target),
            line("profile", rule.profile),
            line("role", rule.role),
            line("until", rule.until),
            line("when", title.as_deref()),
            is_ranked.then(|| format!("rank = {}", rule.rank)),
            (!rule.sets.is_empty()).then(|| format!("permission-sets = {:?}", rule.sets)),
        ];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    };
    rules.iter().map(rule).collect::<Vec<_>>().join("\n")
}

proptest! {
    /// The same rules in another order give the same of what can be many; of a profile and a role each target gets at most
    /// one, and that is one of the lowest rank.
    #[test]
    fn what_can_be_many_does_not_mind_the_order_and_of_the_others_exactly_one_wins(
        rules in prop::collection::vec(sketch(), 0..6).prop_map(|rules| rules.into_iter().enumerate().collect::<Vec<_>>()),
        turn in 0..6_usize,
        title in prop::sample::select(&["boss", "clerk"][..]),
    ) {
        let mut turned = rules.clone();
        turned.rotate_left(turn % rules.len().max(1));
        let person = person(json!({ "title": title }));
        let (first, notes) = mapping(&written(&rules)).ruled(&person, at(NOON));
        prop_assert_eq!(mapping(&written(&rules)).ruled(&person, at(NOON)), (first.clone(), notes));
        let (second, _) = mapping(&written(&turned)).ruled(&person, at(NOON));
        let many = |ruled: &[Ruled]| {
            let mut many: Vec<Ruled> = ruled.iter().filter(|one| !one.kind.is_single()).cloned().collect();
            many.sort();
            many
        };
        prop_assert_eq!(many(&first), many(&second));

        let due = |rule: &Sketch, target: &str| {
            rule.target.is_none_or(|own| own == target)
                && rule.title.is_none_or(|wanted| wanted == title)
                && rule.until != Some("2026-01-01")
        };
        for target in ["staff", "partners"] {
            for kind in [EntitlementKind::Profile, EntitlementKind::Role] {
                let names = |rule: &Sketch| if kind == EntitlementKind::Profile { rule.profile } else { rule.role };
                let due = rules.iter().filter(|(_, rule)| due(rule, target) && names(rule).is_some());
                let lowest = due.map(|(_, rule)| rule.rank).min();
                for ruled in [&first, &second] {
                    let is_it = |one: &&Ruled| one.kind == kind && one.target.as_ref().unwrap().as_str() == target;
                    let won: Vec<&Ruled> = ruled.iter().filter(is_it).collect();
                    prop_assert_eq!(won.len(), usize::from(lowest.is_some()));
                    prop_assert_eq!(won.first().map(|one| one.rank), lowest);
                }
            }
        }
    }
}
