//! What expressions can say, and what they cannot do.

use serde_json::{Value, json};

use crate::org::{World, notes, shown};

fn person() -> Value {
    json!({
        "userName": "ada@acme.example", "displayName": "Ada Lovelace", "title": "Analyst",
        "name": {"givenName": "Ada", "familyName": "Lovelace"}, "active": true,
        "emails": [{"value": "ada@acme.example", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
        "locale": "nl-NL", "department": "Engines", "manager": {"value": "m-1"}, "nickName": "",
    })
}

fn title(expression: &str) -> Value {
    let translation = World::with_fields(&format!("Title = '''{expression}'''")).create(person());
    assert_eq!(translation.refusals, [], "{expression}");
    shown(&translation)["Title"].clone()
}

fn failure(expression: &str) -> String {
    let translation = World::with_fields(&format!("Title = '''{expression}'''")).create(person());
    let [refusal] = translation.refusals.as_slice() else { panic!("{expression}: {translation:?}") };
    refusal.detail.clone()
}

#[test]
fn what_expressions_can_say() {
    for (expression, expected) in [
        ("user.title", json!("Analyst")),
        ("user.name.familyName", json!("Lovelace")),
        ("user[\"name\"][\"familyName\"]", json!("Lovelace")),
        ("user.department", json!("Engines")),
        ("user.manager.value", json!("m-1")),
        ("user[\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"].department", json!("Engines")),
        ("user.emails[0].value", json!("ada@acme.example")),
        ("(user.emails|last).value", json!("ada@home.example")),
        ("user.emails|join(\"; \", attribute=\"value\")", json!("ada@acme.example; ada@home.example")),
        ("user.title ~ \" of \" ~ user.department", json!("Analyst of Engines")),
        ("user.title or user.department", json!("Analyst")),
        ("user.nickName or user.department", json!("Engines")),
        ("user.userType or user.nickName", json!(null)),
        ("user.userType|default(\"Employee\")", json!("Employee")),
        ("user.profileUrl|default(user.title|upper)", json!("ANALYST")),
        ("user.title|lower", json!("analyst")),
        ("user.displayName|title", json!("Ada Lovelace")),
        ("\" x \"|trim", json!("x")),
        ("\"Łukasz Groß-Ångström, 北京\"|ascii", json!("Lukasz Gross-Angstrom, Bei Jing")),
        ("user.displayName|replace(\" \", \"_\")", json!("Ada_Lovelace")),
        ("user.userName|split(\"@\")|first", json!("ada")),
        ("user.title|length", json!("7")),
        ("user.title[:3]", json!("Ana")),
        ("left(user.title, 4)", json!("Anal")),
        ("left(user.profileUrl, 4)", json!(null)),
        ("\"Boss\" if user.manager is undefined else \"Staff\"", json!("Staff")),
        ("\"yes\" if user.active else \"no\"", json!("yes")),
        ("user.emails|length", json!("2")),
        ("none", json!(null)),
        ("\"\"", json!(null)),
    ] {
        assert_eq!(title(expression), expected, "{expression}");
    }
}

/// Chainable undefined: a part of an absent attribute is absent, not an error.
#[test]
fn what_is_absent_is_unassigned_through_every_filter() {
    for expression in [
        "user.profileUrl",
        "user.name.honorificPrefix",
        "user.addresses[0].country",
        "(user.addresses|first).country",
        "user.profileUrl|lower",
        "user.profileUrl|upper",
        "user.profileUrl|trim",
        "user.profileUrl|title",
        "user.profileUrl|ascii",
        "user.profileUrl|replace(\"a\", \"b\")",
        "user.addresses|join(\",\", attribute=\"country\")",
        "user.profileUrl[:3]",
        "phone(user.profileUrl)",
        "locale(user.profileUrl)|lower",
    ] {
        assert_eq!(title(expression), json!(null), "{expression}");
    }
}

/// The short way and minijinja agree.
#[test]
fn simple_expressions_mean_the_same_in_brackets() {
    for expression in [
        "user.title",
        "user.nickName",
        "user.nickName or user.profileUrl",
        "user.profileUrl or user.nickName or user.title",
        "user.active",
        "user.department",
        "locale(user.locale)",
        "locale(user.profileUrl or user.locale)",
        "email(user)",
        "alias(user)",
        "family_name(user)",
        "username(user.userName)",
    ] {
        assert_eq!(title(expression), title(&format!("({expression})")), "{expression}");
    }
}

#[test]
fn normalisers_inside_larger_expressions_keep_their_notes() {
    let world = World::with_fields(
        "LocaleSidKey = { value = '''(locale(user.profileUrl) or locale(user.locale))|trim''', default = \"en_US\" }",
    );
    let with = |profile: &str, locale: &str| {
        let translation = world.create(json!({"userName": "u", "profileUrl": profile, "locale": locale}));
        assert_eq!(translation.refusals, []);
        (shown(&translation)["LocaleSidKey"].clone(), notes(&translation))
    };
    let note = |code| vec![("LocaleSidKey".to_owned(), code)];
    assert_eq!(with("nl-NL", "en-GB"), (json!("nl_NL"), vec![]));
    assert_eq!(with("nl", "en-GB"), (json!("nl_NL"), note("locale-adapted")));
    assert_eq!(with("xx", "en-GB"), (json!("en_GB"), note("locale-defaulted")));
    assert_eq!(with("xx", "yy"), (json!("en_US"), note("locale-defaulted")));
    assert_eq!(with("", ""), (json!("en_US"), vec![]));
    let world = World::with_fields("Username = 'username(user.userName)|replace(\"@acme\", \"@uat.acme\")'");
    let translation = world.create(json!({"userName": "jdoe"}));
    assert_eq!(shown(&translation)["Username"], "jdoe@uat.acme.example");
    assert_eq!(notes(&translation), [("Username".to_owned(), "username-domain-added")]);
}

#[test]
fn a_nested_refusal_is_a_refusal() {
    let world = World::with_fields("Email = 'email(user.userName) or user.title'");
    let translation = world.create(json!({"userName": "jdoe", "title": "x@y.example"}));
    assert_eq!(translation.refusals.len(), 1);
}

#[test]
fn memory_and_time_are_bounded() {
    let long = "x".repeat(40_000);
    let body = json!({"userName": "u", "title": long});
    for expression in [
        "user.title ~ user.title",
        "user.title|replace(\"x\", user.title)",
        "user.title|replace(\"\", user.title)",
        "user.title|split(\"\")|join(user.title)",
    ] {
        let translation = World::with_fields(&format!("Signature = '''{expression}'''")).create(body.clone());
        let detail = &translation.refusals[0].detail;
        assert!(detail.contains("bytes"), "{expression}: {detail}");
    }
    // An instruction costs a unit of fuel, and the longest expression has fewer than there is fuel.
    let many = vec!["user.nickName"; 240].join(" or ");
    assert_eq!(title(&format!("({many}) or user.title")), json!("Analyst"));
}

#[test]
fn what_no_field_holds_is_refused() {
    assert!(failure("user.name.givenName|split(\"d\")").contains("list"));
    assert!(failure("{\"a\": 1}").contains("map"));
    assert!(failure("user.title + 1").contains("expression failed"));
    assert!(failure("user.title|first|first|length + {}").contains("expression failed"));
}
