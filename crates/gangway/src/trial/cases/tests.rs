use super::*;

const MAPPING: &str = r#"[targets.staff]
object = "User"
when = 'user.userType != "Customer"'

[targets.staff.fields]
Username = 'username(user.userName)'
LastName = 'user.name.familyName'
Title = 'user.title'
LocaleSidKey = { value = 'locale(user.locale)', default = "en_US" }
Vip__c = 'user.userType == "Vip"'

[[grants]]
name = "sales"
when = 'member_of(user, "Sales EMEA")'
permission-sets = ["Sales_Ops", "Sales_Reports"]
role = "Sales EMEA"

[[grants]]
name = "project"
until = 2026-06-01
queues = ["Leads"]
"#;

fn around(username_domain: Option<&str>) -> Surroundings<'_> {
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    Surroundings { now, descriptions: Descriptions::default(), default_org: None, username_domain }
}

/// The failures of these tests, each as `line: what`.
fn run(cases: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme.test.toml");
    fs::write(&path, cases).unwrap();
    let file = CaseFile::read(&path).unwrap();
    assert!(file.len() > 0);
    let mapping = Mapping::parse(MAPPING, "acme.toml").unwrap();
    let failures = file.run(&mapping, &around(Some("acme.example")));
    let line = |place: &str| place.rsplit(':').next().unwrap_or_default().to_owned();
    failures.into_iter().map(|failure| format!("{}: {}", line(&failure.place), failure.what)).collect()
}

/// What is wrong with the file.
fn refused(cases: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme.test.toml");
    fs::write(&path, cases).unwrap();
    let errors = CaseFile::read(&path).unwrap_err().to_string();
    errors.replace(&path.display().to_string(), "acme.test.toml")
}

#[test]
fn what_differs_is_shown_with_its_line() {
    let failures = run(r#"[[test]]
name = "all of it is wrong"
action = "update"
person = { userName = "ada", name = { familyName = "Lovelace" }, locale = "tlh" }
expect.holds = false
expect.fields = { Username = "ada@example.com", Department = "Analysis", Title = "Countess" }
expect.absent = ["LastName"]
expect.notes = ["locale-adapted"]
expect.refusals = ["Title"]
"#);
    assert_eq!(
        failures,
        [
            "5: the person holds the target staff: its `when` is true",
            "6: Department: expected \"Analysis\", found nothing: it is left alone",
            "6: Title: expected \"Countess\", found nothing: it is emptied",
            "6: Username: expected \"ada@example.com\", found \"ada@acme.example\"",
            "7: LastName: expected no value, found \"Lovelace\"",
            "8: notes: expected locale-adapted, found locale-defaulted, username-domain-added",
            "9: refusals: expected Title, found none",
        ]
    );
}

#[test]
fn what_agrees_passes() {
    let failures = run(r#"
[[test]]
name = "somebody known"
action = "update"
person = { userName = "ada", name = { familyName = "Lovelace" }, locale = "nl-BE", userType = "Vip" }
target = "staff"
expect.holds = true
expect.fields = { username = "ada@acme.example", LastName = "Lovelace", LocaleSidKey = "nl_BE", Vip__c = true }
expect.only = true
expect.absent = ["Title"]
expect.notes = ["username-domain-added"]
expect.refusals = []

[[test]]
name = "a customer is nobody's colleague"
person = { userName = "eve", userType = "Customer" }
expect.holds = false

[[test]]
name = "with a domain of its own"
action = "update"
person = { userName = "ada", name = { familyName = "Lovelace" } }
username-domain = "uat.example"
expect.fields = { Username = "ada@uat.example" }
"#);
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn only_finds_what_nobody_expected_and_a_refusal_that_nobody_expected_fails() {
    let failures = run(r#"[[test]]
name = "too much"
action = "update"
person = { userName = "ada", name = { familyName = "Lovelace" } }
expect.fields = { Username = "ada@acme.example", LocaleSidKey = "en_US", Vip__c = false }
expect.only = true

[[test]]
name = "no last name"
person = { userName = "ada" }
"#);
    assert_eq!(failures[0], "2: LastName: found \"Lovelace\", and `only` the others are expected");
    let refused = "9: LastName: Salesforce would refuse it: Salesforce makes no User without";
    assert!(failures.iter().any(|failure| failure.starts_with(refused)), "{failures:?}");
    assert!(failures[1..].iter().all(|failure| failure.starts_with("9: ")), "{failures:?}");
}

#[test]
fn what_is_wrong_with_the_file_is_said_with_line_and_column() {
    let case = "[[test]]\nname = \"a\"\n";
    let ada = "person = { userName = \"ada\" }\n";
    for (text, expected) in [
        (
            format!("{case}{ada}expect.feilds = {{}}\n"),
            "acme.test.toml:4:8: unknown key `feilds` (did you mean `fields`?)",
        ),
        (
            format!("{case}persona = {{}}\n"),
            "acme.test.toml:3:1: unknown key `persona` (did you mean `person`?)",
        ),
        (case.to_owned(), "acme.test.toml:2:8: a test needs a `person`, or a `file` with one"),
        (
            format!("{case}person = {{ userName = \"a\", lcale = \"nl\" }}\n"),
            "acme.test.toml:3:10: SCIM users have no attribute `lcale`",
        ),
        (
            format!("{case}{ada}file = \"a.json\"\n"),
            "acme.test.toml:4:8: a test has a `person` or a `file`, not both",
        ),
        (format!("{case}{ada}action = \"delete\"\n"), "acme.test.toml:4:10: unknown value `delete`"),
    ] {
        let found = refused(&text);
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn a_person_may_stand_in_a_file_and_targets_are_named_where_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme.uat.test.toml");
    fs::write(directory.path().join("ada.json"), r#"{"userName": "ada@acme.example", "title": "Countess"}"#)
        .unwrap();
    fs::write(&path, "[[test]]\nname = \"ada\"\nfile = \"ada.json\"\ntarget = \"crew\"\n").unwrap();
    fs::write(directory.path().join("other.test.toml"), "").unwrap();
    let files = test_files(&directory.path().join("acme.toml")).unwrap();
    assert_eq!(files, [path]);
    let file = CaseFile::read(&files[0]).unwrap();
    let mapping = Mapping::parse(MAPPING, "acme.toml").unwrap();
    let failures = file.run(&mapping, &around(None));
    assert_eq!(failures[0].what, "there is no target `crew`; there are: staff");
}

#[test]
fn what_the_rules_give_is_expected_by_kind_and_name() {
    let person = r#"person = { userName = "ada@acme.example", name = { familyName = "Lovelace" } }"#;
    let case = |name: &str, rest: &str| {
        format!("[[test]]\nname = \"{name}\"\naction = \"update\"\n{person}\n{rest}\n")
    };
    let member = case(
        "a member",
        r#"groups = ["sales emea"]
expect.grants = ["permission-set:Sales_*", "role:sales emea", "queue:Leads"]
expect.no-grants = ["profile:*"]"#,
    );
    let nobody = case(
        "nobody",
        r#"expect.grants = ["queue:Leads"]
expect.no-grants = ["permission-set:*", "role:*"]"#,
    );
    let later = case(
        "later",
        r#"now = "2026-07-01T00:00:00Z"
expect.no-grants = ["queue:Leads"]"#,
    );
    assert_eq!(run(&[member, nobody, later].join("\n")), Vec::<String>::new());
    let wrong = case(
        "wrong",
        r#"groups = ["Sales EMEA"]
expect.grants = ["profile:Sales User"]
expect.no-grants = ["role:*"]"#,
    );
    assert_eq!(
        run(&wrong),
        [
            "6: grants: expected profile:Sales User, found permission-set:Sales_Ops, permission-set:Sales_Reports, queue:Leads, role:Sales EMEA",
            "7: grants: found role:Sales EMEA, by the rule sales",
        ]
    );
    let away = run(
        "[[test]]\nname = \"away\"\nperson = { userName = \"eve\", userType = \"Customer\" }\nexpect.grants = [\"queue:Leads\"]\n",
    );
    assert_eq!(away, ["4: grants: expected queue:Leads, found none"]);
    for (grant, words) in [
        ("Sales_Ops", "`Sales_Ops` has no kind before it"),
        ("set:Sales_Ops", "`set` is no kind of entitlement"),
    ] {
        let words_found = refused(&case("x", &format!("expect.grants = [\"{grant}\"]")));
        assert!(words_found.contains(words) && words_found.contains("test.toml:5:"), "{words_found}");
    }
}
