//! A mapping against what an org offers.

use model::OrgName;
use salesforce_types::{
    Catalogue, Entitlement, EntitlementKind, EntitlementRef, RecordId, Seats, UserLicense,
};
use translation::{Mapping, Target};

use EntitlementKind::{PermissionSet, PermissionSetGroup, Profile, PublicGroup, Role};

pub fn entitlement(kind: EntitlementKind, id: &str, name: &str, label: &str) -> Entitlement {
    Entitlement {
        of: EntitlementRef { kind, id: id.to_owned() },
        name: name.to_owned(),
        label: label.to_owned(),
        description: None,
        license: None,
        seats: None,
        contains: Vec::new(),
        far_reaching: false,
        user_type: None,
    }
}

fn id(text: &str) -> RecordId {
    RecordId::parse(text).expect("an id")
}

const SFDC: &str = "100000000000001AAA";
const AUL: &str = "100000000000002AAA";
const CHATTER: &str = "100000000000003AAA";
const COMMUNITY: &str = "100000000000004AAA";
const SALES_OPS: &str = "0PS000000000001GAA";

fn profile(name: &str, license: &str, user_type: &str) -> Entitlement {
    let one = entitlement(Profile, &format!("profile {name}"), name, name);
    Entitlement { license: Some(id(license)), user_type: Some(user_type.to_owned()), ..one }
}

fn catalogue() -> Catalogue {
    let license = |id_text: &str, name: &str, key: &str| UserLicense {
        id: id(id_text),
        name: name.to_owned(),
        key: key.to_owned(),
        seats: Seats { used: 1, total: Some(10) },
    };
    let set = |id_text: &str, name: &str, needs: &str| Entitlement {
        license: Some(id(needs)),
        ..entitlement(PermissionSet, id_text, name, name)
    };
    let role = |name: &str, portal: &str| Entitlement {
        user_type: Some(portal.to_owned()),
        ..entitlement(Role, &format!("role {name}"), name, name)
    };
    let entitlements = vec![
        profile("Standard User", SFDC, "Standard"),
        profile("Platform User", AUL, "Standard"),
        profile("Chatter Free User", CHATTER, "CsnOnly"),
        profile("Partner User", COMMUNITY, "PowerPartner"),
        profile("Site Guest", SFDC, "Guest"),
        Entitlement { far_reaching: true, ..profile("System Administrator", SFDC, "Standard") },
        set(SALES_OPS, "Sales_Ops", SFDC),
        set("0PS000000000002GAA", "Platform_Ops", AUL),
        Entitlement {
            contains: vec![id(SALES_OPS)],
            ..entitlement(PermissionSetGroup, "0PG000000000001GAA", "Sales_Bundle", "Sales")
        },
        entitlement(PublicGroup, "00G000000000001EAA", "All_Sales", "Sales"),
        entitlement(PublicGroup, "00G000000000002EAA", "EMEA_Sales", "Sales"),
        role("Sales EMEA", "None"),
        role("Acme Partner Executive", "Partner"),
    ];
    let licenses = vec![
        license(SFDC, "Salesforce", "SFDC"),
        license(AUL, "Salesforce Platform", "AUL"),
        license(CHATTER, "Chatter Free", "CSN_User"),
        license(COMMUNITY, "Partner Community", "PID_Partner_Community"),
    ];
    Catalogue::new(entitlements, licenses)
}

const TARGETS: &str = r#"
[targets.staff]
object = "User"
when = 'user.userType != "Partner"'
[targets.staff.fields]
Username = 'user.userName'

[targets.customers]
object = "Contact"
[targets.customers.fields]
LastName = 'user.userName'

[targets.partners]
object = "User"
when = 'user.userType == "Partner"'
[targets.partners.fields]
Username = 'user.userName'
ContactId = { link = "customers" }
"#;

fn findings_in(text: &str, is_here: impl Fn(&Target) -> bool) -> String {
    let mapping = Mapping::parse(text, "acme.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let findings = mapping.check_catalogue(&OrgName::new("acme").expect("a name"), &catalogue(), is_here);
    let lines = findings.iter().map(|one| {
        let meant =
            one.suggestion.as_ref().map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        format!("{:?} {}:{}: {}{meant}", one.severity, one.line, one.column, one.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn findings(rules: &str) -> String {
    findings_in(&format!("{rules}\n{TARGETS}"), |_| true)
}

#[test]
fn what_the_org_has_once_and_goes_together_is_not_mentioned() {
    let found = findings(
        r#"
[[grants]]
target = "staff"
profile = "standard user"
role = "Sales EMEA"
permission-sets = ["Sales_Ops", "0PS000000000001"]
permission-set-groups = ["Sales"]
public-groups = ["All_Sales"]
[[grants]]
target = "partners"
profile = "Partner User"
role = "Acme Partner Executive"
[entitlements]
least-privileged = { Salesforce = "Standard User", csn_user = "Chatter Free User" }
[[groups.publish]]
kinds = ["public-group"]
names = ["*_sales"]
[[groups.pushed]]
name = "everyone"
kind = "permission-set"
entitlement = "Sales_Ops"
"#,
    );
    assert_eq!(found, "");
}

#[test]
fn what_the_org_lacks_or_has_twice_is_said_with_its_place() {
    insta::assert_snapshot!(findings(
        r#"
[[grants]]
target = "staff"
permission-sets = ["Sales_Op", "Sales_Ops"]
public-groups = ["Sales"]
queues = ["Leads"]

[entitlements]
least-privileged = { Salesfroce = "Standard User", AUL = "Minimum", CSN_User = "Site Guest" }

[[groups.publish]]
kinds = ["public-group"]
names = ["GW_*", "All*"]
[[groups.publish]]
kinds = ["queue", "territory"]
[[groups.publish]]
kinds = ["queue"]
org = "uat"

[[groups.pushed]]
name = "everyone"
kind = "permission-set"
entitlement = "Everyone"
[[groups.pushed]]
name = "sf-*"
kind = "permission-set"
entitlement = "{1}"
"#
    ));
}

#[test]
fn what_does_not_go_together_is_found() {
    insta::assert_snapshot!(findings(
        r#"
[[grants]]
name = "usual"
profile = "Platform User"
target = "staff"
permission-sets = ["Sales_Ops", "Platform_Ops"]
permission-set-groups = ["Sales"]

[[grants]]
name = "sales"
when = 'user.department == "Sales"'
target = "staff"
permission-sets = ["Sales_Ops"]
role = "Acme Partner Executive"

[[grants]]
name = "visitors"
when = 'user.userType == "Visitor"'
target = "staff"
profile = "Chatter Free User"
role = "Sales EMEA"

[[grants]]
name = "wrong people"
when = 'user.active'
profile = "Partner User"

[[grants]]
when = 'user.active'
target = "partners"
profile = "Standard User"

[[grants]]
when = 'user.active'
target = "staff"
profile = "Site Guest"

[[grants]]
when = 'user.title == "Admin"'
target = "staff"
profile = "System Administrator"
"#
    ));
}

#[test]
fn what_another_org_may_have_is_a_warning() {
    let text = format!(
        "{TARGETS}\n[entitlements]\nleast-privileged = {{ Nope = \"x\" }}\n[[groups.pushed]]\nname = \"a\"\nkind = \"queue\"\nentitlement = \"b\"\n[[grants]]\ntarget = \"partners\"\nqueues = [\"elsewhere\"]\n"
    );
    let found = findings_in(&text, |target| target.name.as_str() == "staff");
    assert_eq!(found.matches("Warning").count(), 2, "{found}");
    assert!(!found.contains("Error") && !found.contains("elsewhere"), "{found}");
}

fn without_profile(text: &str) -> Vec<String> {
    let mapping = Mapping::parse(text, "acme.toml").unwrap_or_else(|errors| panic!("{errors}"));
    mapping.targets_without_profile().map(|target| target.name.to_string()).collect()
}

#[test]
fn a_target_has_profiles_for_all_by_a_rule_for_all_or_a_field_that_is_always_filled() {
    assert_eq!(without_profile(TARGETS), ["staff", "partners"], "a Contact has none");
    let with = |rules: &str| without_profile(&format!("{rules}\n{TARGETS}"));
    assert_eq!(with("[[grants]]\nprofile = \"A\""), [""; 0]);
    assert_eq!(with("[[grants]]\nprofile = \"A\"\ntarget = \"staff\""), ["partners"]);
    assert_eq!(with("[[grants]]\nrole = \"A\""), ["staff", "partners"]);
    assert_eq!(with("[[grants]]\nprofile = \"A\"\nwhen = 'user.active'"), ["staff", "partners"]);
    assert_eq!(with("[[grants]]\nprofile = \"A\"\nuntil = 2030-01-01"), ["staff", "partners"]);
    let field = |rule: &str| without_profile(&format!("{TARGETS}\nProfileId = {rule}\n"));
    assert_eq!(field("{ default = \"00e30000000hkeLAAQ\" }"), ["staff"]);
    assert_eq!(
        field("{ value = 'user.title', default = \"00e30000000hkeLAAQ\", on = \"create\" }"),
        ["staff"]
    );
    assert_eq!(field("'user.title'"), ["staff", "partners"]);
    assert_eq!(field("{ default = \"00e30000000hkeLAAQ\", on = \"update\" }"), ["staff", "partners"]);
    assert_eq!(field("{ default = \"\" }"), ["staff", "partners"]);
}
