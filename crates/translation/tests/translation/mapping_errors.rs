//! The texts that an administrator reads. Every mistake of a file is reported, each with its place.

use translation::Mapping;

fn errors(text: &str) -> String {
    match Mapping::parse(text, "acme.toml") {
        Ok(mapping) => panic!("expected mistakes in {mapping:?}"),
        Err(errors) => errors.to_string(),
    }
}

/// The errors of lines below `[targets.staff.fields]`.
fn field_errors(lines: &str) -> String {
    errors(&format!("[targets.staff]\nobject = \"User\"\nmatch = []\n[targets.staff.fields]\n{lines}\n"))
}

#[test]
fn an_unknown_attribute_has_line_column_and_suggestion() {
    insta::assert_snapshot!(field_errors("Title = 'user.title'\nLocaleSidKey = 'locale(user.lcale)'"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    insta::assert_snapshot!(errors(
        r#"
[target.staff]
object = "User"

[targets.Staff]
object = "User"
org = "Acme Prod"
alow = ["create"]
allow = ["create", "delete", "updte"]
on-leave = "freze"
match = ["Usrname"]
when = 'user.userTyp != "Customer"'

[targets.Staff.fields]
Username = 'usernme(user.userName)'
Email = { from = 'email[primary eq true].value' }
IsActive = 'user.active'
Title = { vale = 'user.title' }
title = 'user.title'
Department = 42

[targets.other]
"#
    ));
}

#[test]
fn mistakes_in_expressions() {
    insta::assert_snapshot!(field_errors(
        r#"A = 'user.title|lowr'
B = 'user.title * 1000000'
C = 'user.emails.value'
D = 'user.username'
E = 'userName'
F = 'user'
G = 'user.title is startswith("x")'
H = 'user.id ~ user.groups ~ user.password'
I = 'left(user.title, '
J = 'user.title.upper()'
K = 'user.name.FamilyName'
L = 'range(10)'
M = "user.nick\u004Eame ~ user.nope"
N = 'user.emails[0].valeu'
O = ''
P = 'alias(user) ~ user.locale ~ usr.title'
Q = 'locale(user)'"#
    ));
}

#[test]
fn mistakes_in_paths() {
    insta::assert_snapshot!(field_errors(
        r"A = { from = 'emails[primary eq true' }
B = { from = 'emails[primry eq true].value' }
C = { from = 'emails[primary eq true].valeu' }
D = { from = 'emails' }
E = { from = 'name' }
F = { from = 'name.famlyName' }
G = { from = 'userName[x eq 1]' }
H = { from = 'meta.created' }
I = { from = '' }
J = { from = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departmnt' }"
    ));
}

#[test]
fn mistakes_in_rules() {
    insta::assert_snapshot!(field_errors(
        r#"A = { value = 'user.title', from = 'title' }
B = { on = "create" }
C = { default = "x", map = { a = "b" } }
D = { value = 'user.title', map = {}, clear = "no" }
E = { value = 42, on = "creat" }
F = { default = [1] }
G = [1]
"H I" = 'user.title'
J = { value = 'user.title', map = { a = [] } }
Id = 'user.externalId'"#
    ));
}

/// Keys that do not go together, or not with the object. `fields` are always there.
fn target_errors(object: &str, lines: &str) -> String {
    let fields = "LastName = 'family_name(user)'\nEmail = 'email(user)'";
    errors(&format!("[targets.t]\nobject = \"{object}\"\n{lines}\n[targets.t.fields]\n{fields}\n"))
}

#[test]
fn keys_that_are_not_for_users() {
    insta::assert_snapshot!(target_errors(
        "User",
        r#"external-id = "GangwayId__c"
allow = ["create", "delete"]
on-leave = "anonymise"
flag = { Left__c = true }
record-type = "Partner"
duplicates = "allow"
assignment-rules = true
when-deleted = "hold"
conversion = { how = "convert" }"#
    ));
}

#[test]
fn keys_that_are_not_for_contacts_or_leads() {
    let text = [
        target_errors("Contact", "assignment-rules = true\nallow = [\"disable\", \"deprovision\"]"),
        target_errors("Lead", "conversion = { how = \"convert\" }\non-leave = \"disable\""),
        target_errors("Account", ""),
    ];
    insta::assert_snapshot!(text.join("\n\n"));
}

#[test]
fn keys_that_do_not_go_together() {
    let text = [
        target_errors("Contact", "on-leave = \"delete\""),
        target_errors("Contact", "allow = [\"create\"]\non-leave = \"anonymise\""),
        target_errors("Contact", "on-leave = \"flag\""),
        target_errors("Contact", "on-leave = \"flag\"\nflag = {}"),
        target_errors("Contact", "on-leave = \"flag\"\nflag = { \"a b\" = 1, Email = \"x\", Left__c = [] }"),
        target_errors("Contact", "flag = { Left__c = true }"),
        target_errors("Contact", "match = [\"GangwayId__c\", \"Emial\"]"),
        target_errors("Contact", "external-id = true"),
        target_errors("Contact", "external-id = \"Gangway Id\""),
        target_errors("Contact", "external-id = 5"),
        target_errors(
            "Contact",
            "required = \"no\"\nrecord-type = \" \"\nduplicates = \"adpot\"\nwhen-deleted = \"ask\"",
        ),
    ];
    insta::assert_snapshot!(text.join("\n\n"));
}

#[test]
fn mistakes_in_conversions() {
    let text = [
        target_errors("Contact", "conversion = { how = \"beside\", status = \"Closed\" }"),
        target_errors(
            "Contact",
            "conversion = { account-map = { A = \"001\" }, account-missing = \"refuse\" }",
        ),
        target_errors(
            "Contact",
            "conversion = { how = \"merge\", stat = \"x\", account = 'user.organisation', account-missing = \"crate\", \
             opportunity = 5, owner = \"Ada\" }",
        ),
        target_errors(
            "Contact",
            "conversion = { account = 'user.organization', account-map = { A = 5, B = \"\" }, owner = \"00GD0000001rrT1\" }",
        ),
        target_errors("Contact", "conversion = \"convert\""),
    ];
    insta::assert_snapshot!(text.join("\n\n"));
}

#[test]
fn mistakes_in_rules_that_refer_to_records() {
    insta::assert_snapshot!(errors(
        r#"[targets.leads]
object = "Lead"
assignment-rules = true
record-type = "Partner"
match = ["OwnerId", "Email"]
[targets.leads.fields]
Email = { link = "leads", by = "X__c", value = 'user.id' }
OwnerId = { queue = "Partner Leads" }
RecordTypeId = { default = "0125f000000LpQbAAK" }
A__c = { link = "customers", default = "x", map = { a = "b" } }
B__c = { link = 5 }
C__c = { link = "No Name" }
AccountId = { by = "ExtId__c", value = 'user.organization' }
Region__c = { by = "ExtId__c", value = 'user.division' }
Region__r = 'user.division'
Account = { by = "Ext Id", value = 'user.organization' }
Campaign = { by = "Code__c" }
IsConverted = { default = true }

[targets.customers]
object = "Contact"
[targets.customers.fields]
OwnerId = { queue = "Partner Leads" }

[targets.queues]
object = "Lead"
[targets.queues.fields]
Email = { queue = "Partner Leads" }
OwnerId = { queue = "Partner Leads", from = 'division' }

[targets.more]
object = "Lead"
[targets.more.fields]
OwnerId = { queue = true }
ownerid = { queue = false, value = 'user.division' }
"#
    ));
}

#[test]
fn links_that_lead_nowhere() {
    insta::assert_snapshot!(errors(
        r#"[targets.customers]
org = "acme-prod"
object = "Contact"
[targets.customers.fields]
A__c = { link = "custmers" }
B__c = { link = "customers" }
C__c = { link = "partners" }
D__c = { from = 'manager.value', link = "elsewhere" }
E__c = { from = 'manager.value', link = "customers" }
F__c = { link = "broken" }

[targets.partners]
org = "acme-prod"
object = "User"
[targets.partners.fields]
ContactId = { link = "third" }

[targets.third]
org = "acme-prod"
object = "Contact"
[targets.third.fields]
G__c = { link = "customers" }

[targets.elsewhere]
org = "acme-uat"
object = "Contact"
[targets.elsewhere.fields]
LastName = 'family_name(user)'

[targets.broken]
object = "Contct"
[targets.broken.fields]
LastName = 'family_name(user)'
"#
    ));
}

#[test]
fn mistakes_in_toml() {
    insta::assert_snapshot!(errors("[targets.staff\nobject = \"User\"\nx = = 1\n"));
}

#[test]
fn a_mapping_without_targets() {
    insta::assert_snapshot!(errors(""));
}

/// Expressions in escaped and multi-line strings are marked where that is possible, else as a whole.
#[test]
fn places_in_every_kind_of_string() {
    insta::assert_snapshot!(field_errors(
        "A = \"\"\"\nuser.title ~\n  user.tilte\"\"\"\nB = \"user.tit\\u006Ce ~ user.tilte\"\n\tC\t= 'user.tïtle'"
    ));
}

/// Nothing that can be nested makes the parsers run out of stack.
#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("not ", ""),
        ("-", ""),
        ("user.title if ", ""),
        ("{1:", "}"),
        ("alias(", ")"),
    ] {
        let times = 4_000 / (open.len() + close.len());
        let expression = format!("{}user.title{}", open.repeat(times), close.repeat(times));
        let text = format!("[targets.t]\nobject = \"User\"\n[targets.t.fields]\nTitle = '{expression}'\n");
        if let Err(errors) = Mapping::parse(&text, "acme.toml") {
            assert!(errors.to_string().len() < 2_000, "{errors}");
        }
    }
    errors(&format!("targets = {}", "[".repeat(500_000)));
    errors(&format!("targets = {}", "{a=".repeat(200_000)));
    errors(&"a.".repeat(500_000));
}

/// A file of mistakes alone is answered at once: the first two hundred are enough.
#[test]
fn a_file_of_mistakes_is_answered() {
    let text = (0..20_000).map(|line| format!("key{line} = 1")).collect::<Vec<_>>().join("\n");
    let Err(errors) = Mapping::parse(&text, "acme.toml") else { panic!("expected mistakes") };
    assert_eq!(errors.as_slice().len(), 200);
}

#[test]
fn a_mapping_of_a_million_bytes_is_refused() {
    let error = errors(&"#".repeat(1024 * 1024 + 1));
    assert!(error.contains("1048576"), "{error}");
}

#[test]
fn mistakes_in_rules_for_grants() {
    insta::assert_snapshot!(errors(
        r#"
[targets.staff]
object = "User"
[targets.staff.fields]
Username = 'user.userName'
Title = 'member_of(user, "Sales")'

[targets.leads]
object = "Lead"
[targets.leads.fields]
LastName = 'user.userName'

[[grants]]
when = 'user.departmnt == "Sales"'
permission-set = ["Sales_Ops"]

[[grants]]
name = "sales"
target = "staf"
permission-sets = ["Sales_Ops", "sales_ops", " "]
rank = 10

[[grants]]
name = "sales"
target = "leads"
queues = []
role = ["Sales"]
rank = "first"
until = 12:00:00

[[grants]]
when = 'member_of(user) or member_of("Sales") or member_of(user, "a", "b") or member_of(user,)'
until = 'user.contractEnd'
profile = ""

[[grants]]
until = true

[[grants]]
until = '2026-31-12'
queues = ["Q"]
"#
    ));
}

#[test]
fn mistakes_in_policies() {
    insta::assert_snapshot!(errors(
        r#"
[entitlements]
ownership = { permission-sets = "authoritative", queue = "mine" }
least-privileged = { SFDC = "", sfdc = "Minimum", Sfdc = "Minimum" }
waiting-list = "yes"
rules = []

[[groups.publish]]
kinds = ["permision-set", "queue", "queue"]
names = []
display = "{lable} {name"

[[groups.publish]]
names = ["GW_*"]

[[groups.pushed]]
name = "sf-*-*"
kind = "set"
entitlement = "{3}"

[[groups.pushed]]
entitlement = "{1}"

[groups]
partial = "undo"

[targets.staff]
object = "User"
allow = ["create", "update"]
on-leave = "none"
strip = ["profile", "permission-set", "license"]
alarm-after = "soon"
hand-over = { to = "somebody", objects = ["Case", "queue"] }
[targets.staff.fields]
Username = 'user.userName'

[targets.leads]
object = "Lead"
on-leave = "freeze"
strip = ["role"]
alarm-after = "7d"
hand-over = {}
[targets.leads.fields]
LastName = 'user.userName'
"#
    ));
}

#[test]
fn nobody_is_granted_anything_where_nobody_is_a_user() {
    let found = target_errors("Lead", "[[grants]]\nqueues = [\"Q\"]");
    assert!(found.contains("no target of this mapping makes a User"), "{found}");
}
