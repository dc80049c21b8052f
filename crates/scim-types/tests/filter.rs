//! What filters mean, what they refuse, and the laws that hold for all of them.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use scim_types::filter::{Literal, MAX_DEPTH, MAX_TERMS, Operator, parse_value_filter};
use scim_types::{Error, Filter, Registry, ResourceType, ScimType};
use serde_json::{Map, Value, json};

fn user() -> &'static ResourceType {
    Registry::standard().user()
}

fn group() -> &'static ResourceType {
    Registry::standard().group()
}

fn full(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn ada() -> Map<String, Value> {
    full(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "2819c223", "externalId": "Ext-7", "userName": "Ada.Straße@Example.com",
        "name": {"givenName": "Ada", "familyName": "Straße"},
        "emails": [
            {"value": "ada@work.example", "type": "work", "primary": true},
            {"value": "ada@home.example", "type": "home"},
        ],
        "title": "007", "active": false,
        "groups": [{"value": "g1", "display": "Sales"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
            {"employeeNumber": "1000482", "department": "Sales Benelux", "manager": {"value": "m1"}},
        "meta": {"resourceType": "User", "lastModified": "2026-03-01T10:00:00Z"},
    }))
}

fn finds(filter: &str) -> bool {
    let parsed = Filter::parse(filter, user()).unwrap_or_else(|error| panic!("{filter}: {error}"));
    parsed.matches(user(), &ada())
}

fn written(filter: &str) -> String {
    Filter::parse(filter, user()).unwrap_or_else(|error| panic!("{filter}: {error}")).to_string()
}

fn refusal(filter: &str) -> String {
    let error = Error::from(Filter::parse(filter, user()).expect_err("refused"));
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)));
    error.detail.trim_start_matches("the filter cannot be read: ").to_owned()
}

#[test]
fn c16_user_name_and_email_are_compared_without_case_and_ids_exactly() {
    assert!(finds(r#"userName eq "ADA.STRASSE@example.COM""#));
    assert!(finds(r#"emails.value eq "ADA@work.example""#));
    assert!(finds(r#"externalId eq "Ext-7""#) && !finds(r#"externalId eq "ext-7""#));
    assert!(finds(r#"id eq "2819c223""#) && !finds(r#"id eq "2819C223""#));
}

#[test]
fn c17_attribute_names_and_operators_are_read_in_any_case() {
    assert!(finds(r#"USERNAME Eq "ada.straße@example.com""#));
    assert!(finds(r#"username SW "ada" AND NOT (Title PR) oR Name.GivenName eQ "ada""#));
}

#[test]
fn c18_every_filter_that_clients_need_is_answered() {
    for filter in [
        "displayName eq null",
        "active eq false",
        r#"active eq "False""#,
        "active eq False",
        r#"emails eq "ada@home.example""#,
        r#"emails[type eq "work"].value eq "ada@work.example""#,
        r#"emails[type eq "work" and value co "work"]"#,
        r#"employeeNumber eq "1000482""#,
        "employeeNumber eq 1000482",
        r#"department sw "sales""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department ew "BENELUX""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName co "straSSE""#,
        r#"meta.lastModified gt "2026-03-01T10:59:59+01:00""#,
        r#"meta.lastModified ge "2026-03-01T11:00:00+01:00" and meta.lastModified le "2026-03-01T10:00:00Z""#,
        r#"meta.lastModified lt "2026-03-02""#,
        r#"meta.lastModified eq "2026-03-01T10:00:00.000""#,
        r#"manager eq "m1""#,
        r#"id eq "2819c223" and manager eq "m1""#,
        r#"groups eq "g1""#,
        r#"groups.display eq "sales""#,
        r#"not(title eq "8")"#,
        r#"not ( title eq "8" ) and (emails pr or ims pr)"#,
        "manager.$ref eq null",
        r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
        "title eq 007",
        r#"title eq "007""#,
        r#"userName gt "ada" and userName lt "ADB""#,
    ] {
        assert!(finds(filter), "{filter}");
    }
    let crew =
        full(json!({"displayName": "Crew", "members": [{"value": "u1", "type": "User"}, {"value": "u2"}]}));
    for filter in [
        r#"members eq "u2""#,
        r#"members.value eq "u1""#,
        r#"displayName eq "crew" and members[value eq "u1"]"#,
    ] {
        assert!(Filter::parse(filter, group()).unwrap().matches(group(), &crew), "{filter}");
    }
    assert!(!Filter::parse(r#"members eq "U2""#, group()).unwrap().matches(group(), &crew));
}

#[test]
fn c19_a_filter_that_cannot_be_meant_is_refused_with_the_place() {
    insta::assert_snapshot!(refusal(" eq \"1000482\""), @r#"there is no attribute before "eq" (at character 2)"#);
    insta::assert_snapshot!(refusal("pr"), @r#"there is no attribute before "pr" (at character 1)"#);
    insta::assert_snapshot!(refusal(""), @"the filter is empty (at character 1)");
    insta::assert_snapshot!(refusal("   "), @"the filter is empty (at character 1)");
    insta::assert_snapshot!(refusal("userName"), @"expected an operator, found the end (at character 9)");
    insta::assert_snapshot!(refusal("userName eq"), @"expected a value, found the end (at character 12)");
    insta::assert_snapshot!(refusal("userName eqq \"ada\""), @r#"unknown operator "eqq"; expected one of eq, ne, co, sw, ew, pr, gt, ge, lt, le (at character 10)"#);
    insta::assert_snapshot!(refusal("usrName eq \"ada\""), @r#"User has no attribute "usrName"; did you mean "userName"? (at character 1)"#);
    insta::assert_snapshot!(refusal("shoeSize eq 43"), @r#"User has no attribute "shoeSize" (at character 1)"#);
    insta::assert_snapshot!(refusal("emails.vlaue eq \"ada\""), @r#""emails" has no sub-attribute "vlaue"; did you mean "value"? (at character 1)"#);
    insta::assert_snapshot!(refusal("urn:acme:1.0:User:badge eq 7"), @r#"User has no schema "urn:acme:1.0:User:badge" (at character 1)"#);
    insta::assert_snapshot!(refusal("userName eq \"ada"), @"the text that begins here does not end (at character 13)");
    insta::assert_snapshot!(refusal("userName eq \"ACME\\jan\""), @r#"a backslash in a text must be followed by one of " \ / b f n r t u (at character 13)"#);
    insta::assert_snapshot!(refusal("userName eq 'ada'"), @r#"expected a value in double quotation marks, found "'ada'" (at character 13)"#);
    insta::assert_snapshot!(refusal("userName eq \"ada\" title pr"), @r#"expected "and", "or" or the end, found "title" (at character 19)"#);
    insta::assert_snapshot!(refusal("displayName eq Sales NL"), @r#"expected "and", "or" or the end, found "NL" (at character 22)"#);
    insta::assert_snapshot!(refusal("userName eq \"ada\" and"), @"expected an attribute, found the end (at character 22)");
    insta::assert_snapshot!(refusal("(userName pr"), @r#"expected ")", found the end (at character 13)"#);
    insta::assert_snapshot!(refusal("userName pr)"), @r#"expected "and", "or" or the end, found ")" (at character 12)"#);
    insta::assert_snapshot!(refusal("not userName pr"), @r#"expected "(" after "not", found "userName" (at character 5)"#);
    insta::assert_snapshot!(refusal("emails[type eq \"work\""), @r#"expected "]", found the end (at character 22)"#);
    insta::assert_snapshot!(refusal("emails[]"), @r#"expected an attribute, found "]" (at character 8)"#);
    insta::assert_snapshot!(refusal("emails[type eq \"work\"].value"), @"expected an operator, found the end (at character 29)");
    insta::assert_snapshot!(refusal("emails[name.givenName eq \"x\"]"), @r#""emails" has no sub-attribute "name.givenName" (at character 8)"#);
    insta::assert_snapshot!(refusal("userName[value eq \"x\"]"), @r#""userName" has no parts to choose by in brackets (at character 1)"#);
    insta::assert_snapshot!(refusal("name eq \"Ada\""), @r#""name" is an object; compare one of its parts, such as "name.formatted" (at character 6)"#);
    insta::assert_snapshot!(refusal("active eq \"perhaps\""), @r#""active" can only be compared with true or false (at character 11)"#);
    insta::assert_snapshot!(refusal("active gt true"), @r#""active" is boolean and cannot be compared by "gt" (at character 8)"#);
    insta::assert_snapshot!(refusal("active co \"t\""), @r#""active" is boolean and cannot be compared by "co" (at character 8)"#);
    insta::assert_snapshot!(refusal("x509Certificates.value ge \"MII\""), @r#""x509Certificates.value" is binary and cannot be compared by "ge" (at character 24)"#);
    insta::assert_snapshot!(refusal("meta.lastModified gt \"yesterday\""), @r#""meta.lastModified" can only be compared with a time such as "2026-01-31T08:00:00Z" (at character 22)"#);
    insta::assert_snapshot!(refusal("title gt null"), @r#"null can only be compared by "eq" and "ne" (at character 10)"#);
    insta::assert_snapshot!(refusal("password eq \"secret\""), @r#""password" cannot be used in a filter (at character 1)"#);
    insta::assert_snapshot!(refusal("naïve eq \"x\" and ü eq 1"), @r#"User has no attribute "naïve"; did you mean "name"? (at character 1)"#);
    insta::assert_snapshot!(refusal("userName eq \"é\" and ü eq 1"), @r#"User has no attribute "ü" (at character 21)"#);
}

#[test]
fn c20_a_bare_word_is_a_text() {
    assert!(finds("externalId eq Ext-7"));
    assert!(finds("(externalId eq Ext-7)"));
    assert!(finds("emails[value eq ada@work.example]"));
}

#[test]
fn c51_booleans_may_be_texts() {
    assert_eq!(written(r#"emails[primary eq "True"]"#), "emails[primary eq true]");
    assert!(finds(r#"emails[primary eq "True"].value eq "ada@work.example""#));
}

#[test]
fn c41_an_absent_active_is_true() {
    let nobody = full(json!({"userName": "n"}));
    let holds = |filter| Filter::parse(filter, user()).unwrap().matches(user(), &nobody);
    assert!(holds("active eq true") && holds("active pr") && holds("active ne false"));
    assert!(!holds("active eq false") && !holds("active eq null"));
}

#[test]
fn what_is_not_there_is_not_equal_and_not_present() {
    assert!(finds(r#"nickName ne "x""#) && !finds(r#"nickName eq "x""#) && !finds("nickName pr"));
    assert!(finds("nickName eq null") && !finds("nickName ne null"));
    assert!(finds("title ne null") && !finds("title eq null"));
    assert!(!finds(r#"nickName gt "" "#) && !finds(r#"nickName eq """#) && !finds(r#"nickName co """#));
    assert!(finds(r#"emails[display ne "x"]"#) && !finds(r#"ims[type ne "x"]"#));
    let empty = full(json!({"userName": "", "emails": [], "name": {}, "ims": [{}], "title": null}));
    for attribute in ["userName", "emails", "name", "ims", "title", "emails.value"] {
        let filter = Filter::parse(&format!("{attribute} pr"), user()).unwrap();
        assert!(!filter.matches(user(), &empty), "{attribute}");
    }
}

#[test]
fn several_tests_in_brackets_are_asked_of_the_same_element() {
    assert!(!finds(r#"emails[type eq "work" and value co "home"]"#));
    assert!(finds(r#"emails.type eq "work" and emails.value co "home""#));
    assert!(!finds(r#"emails[type eq "home"].value eq "ada@work.example""#));
    assert!(!finds(r#"emails[type eq "home" or type eq "other"].value co "work""#));
    assert!(finds(r#"emails[not (type eq "work")]"#) && !finds(r#"not (emails[type eq "work"])"#));
}

#[test]
fn and_binds_closer_than_or_and_parentheses_closest() {
    assert_eq!(written("title pr or title pr and title pr"), "title pr or title pr and title pr");
    assert_eq!(written("(title pr or title pr) and title pr"), "(title pr or title pr) and title pr");
    assert_eq!(written("((title pr))"), "title pr");
    assert!(finds(r#"title eq "007" or title eq "x" and title eq "y""#));
    assert!(!finds(r#"(title eq "007" or title eq "x") and title eq "y""#));
}

#[test]
fn paths_are_canonical_so_that_a_store_can_recognise_them() {
    let filter =
        Filter::parse(r#"Emails eq "A" AND EMPLOYEENUMBER eq 7 and meta.LASTMODIFIED gt 2026-01-01"#, user())
            .unwrap();
    let [emails, number, modified] = filter.conjuncts() else { panic!("{filter:?}") };
    assert_eq!(
        emails.as_text_equality().map(|(path, text)| (path.as_str(), text)),
        Some(("emails.value", "A"))
    );
    assert_eq!(
        number.as_text_equality().map(|(path, text)| (path.as_str(), text)),
        Some(("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", "7"))
    );
    let Filter::Compare { path, op: Operator::Gt, value: Literal::Instant { at, .. } } = modified else {
        panic!("{modified:?}")
    };
    assert_eq!((path.as_str(), at.to_string().as_str()), ("meta.lastModified", "2026-01-01T00:00:00Z"));
}

#[test]
fn the_condition_of_a_value_path_is_read_alone() {
    let members = group().resolve("members").unwrap();
    let filter = parse_value_filter(r#"value eq "a" or value eq "b""#, &members).unwrap();
    assert!(
        filter.matches_element(&json!({"value": "b"})) && !filter.matches_element(&json!({"value": "c"}))
    );
    let error = parse_value_filter(r#"vaule eq "a""#, &members).unwrap_err();
    insta::assert_snapshot!(error, @r#""members" has no sub-attribute "vaule"; did you mean "value"? (at character 1)"#);
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_DEPTH), user()).is_ok());
    insta::assert_snapshot!(refusal(&nested(MAX_DEPTH + 1)), @"parentheses and brackets are nested deeper than 64 (at character 65)");
    let negated = format!("{}title pr{}", "not(".repeat(2_000), ")".repeat(2_000));
    assert!(refusal(&negated).contains("nested deeper than 64"));
}

#[test]
fn terms_are_limited() {
    let chain = |terms: usize| vec!["title pr"; terms].join(" or ");
    assert!(Filter::parse(&chain(MAX_TERMS), user()).is_ok());
    insta::assert_snapshot!(refusal(&chain(MAX_TERMS + 1)), @"the filter has more than 1024 comparisons (at character 12294)");
    let within = format!("emails[{}]", vec!["type pr"; MAX_TERMS + 1].join(" and "));
    assert!(refusal(&within).contains("more than 1024 comparisons"));
}

/// Twenty times the input may take twenty times as long, and by a wide margin no more.
#[test]
fn hostile_texts_are_answered_in_time_in_proportion_to_their_length() {
    for hostile in [
        "(",
        "[",
        "emails[",
        "not(",
        "not ",
        "a",
        " ",
        "\"",
        "\\",
        "title pr and ",
        "title eq \"\\\\\" or ",
        "emails[type eq ",
        "é",
    ] {
        let text = hostile.repeat(1_000_000 / hostile.len());
        for text in [text.clone(), format!("title eq \"{text}"), format!("title eq {text}")] {
            let start = Instant::now();
            let _ = Filter::parse(&text, user()).map(|filter| filter.matches(user(), &ada()));
            let took = start.elapsed();
            assert!(took < Duration::from_secs(2), "{hostile:?} took {took:?}");
        }
    }
}

/// Without parentheses that change nothing, as in `a and (b and c)`; `scim_v2` does not keep them.
fn flat(filter: Filter) -> Filter {
    let flat_parts = |parts: Vec<Filter>, inner: fn(Filter) -> Result<Vec<Filter>, Filter>| -> Vec<Filter> {
        parts.into_iter().flat_map(|part| inner(flat(part)).unwrap_or_else(|other| vec![other])).collect()
    };
    match filter {
        Filter::And(parts) => Filter::And(flat_parts(parts, |part| match part {
            Filter::And(parts) => Ok(parts),
            other => Err(other),
        })),
        Filter::Or(parts) => Filter::Or(flat_parts(parts, |part| match part {
            Filter::Or(parts) => Ok(parts),
            other => Err(other),
        })),
        Filter::Not(inner) => Filter::Not(Box::new(flat(*inner))),
        Filter::ValuePath { path, filter } => Filter::ValuePath { path, filter: Box::new(flat(*filter)) },
        other => other,
    }
}

/// Any filter over a choice of attributes of every type.
fn any_filter() -> impl Strategy<Value = Filter> {
    let path = |name: &str| user().resolve(name).expect("known");
    let text =
        prop_oneof!["\\PC{0,8}", "[a-c\"\\\\\n\t]{0,4}", Just("null".to_owned()), Just("true".to_owned())];
    let text_test = |names: Vec<&'static str>, text: BoxedStrategy<String>| {
        let ops = vec![
            Operator::Eq,
            Operator::Ne,
            Operator::Co,
            Operator::Sw,
            Operator::Ew,
            Operator::Gt,
            Operator::Ge,
            Operator::Lt,
            Operator::Le,
        ];
        (prop::sample::select(names), prop::sample::select(ops), text).prop_map(move |(name, op, text)| {
            Filter::Compare { path: path(name), op, value: Literal::Text(text) }
        })
    };
    let equality = prop::sample::select(vec![Operator::Eq, Operator::Ne]);
    let boolean = |name: &'static str| {
        (equality.clone(), any::<bool>()).prop_map(move |(op, value)| Filter::Compare {
            path: path(name),
            op,
            value: Literal::Boolean(value),
        })
    };
    let null = (prop::sample::select(vec!["title", "active", "name.givenName"]), equality.clone())
        .prop_map(move |(name, op)| Filter::Compare { path: path(name), op, value: Literal::Null });
    let present = prop::sample::select(vec![
        "title",
        "emails",
        "name",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ])
    .prop_map(move |name| Filter::Present { path: path(name) });
    let instant = (0_i64..4_000_000_000).prop_map(move |second| {
        let at = jiff::Timestamp::from_second(second).expect("known");
        Filter::Compare {
            path: path("meta.created"),
            op: Operator::Ge,
            value: Literal::Instant { text: at.to_string(), at },
        }
    });
    let combine = |inner: BoxedStrategy<Filter>| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    };
    let element = prop_oneof![
        text_test(vec!["emails.type", "emails.value"], text.clone().boxed()),
        boolean("emails.primary"),
    ];
    let value_path = element
        .prop_recursive(2, 8, 3, move |inner| combine(inner.boxed()))
        .prop_map(move |inner| Filter::ValuePath { path: path("emails"), filter: Box::new(inner) });
    let names =
        vec!["userName", "name.givenName", "emails.value", "profileUrl", "manager.$ref", "department"];
    let leaf =
        prop_oneof![text_test(names, text.boxed()), boolean("active"), null, present, instant, value_path];
    leaf.prop_recursive(4, 32, 4, move |inner| combine(inner.boxed()))
}

proptest! {
    #[test]
    fn a_filter_is_read_as_it_was_written(filter in any_filter()) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text, user()).unwrap(), filter, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text, user());
    }

    #[test]
    fn no_mixture_of_its_words_makes_the_parser_panic_and_what_it_reads_it_can_write(
        words in prop::collection::vec(prop::sample::select(vec![
            "userName", "emails", "active", "meta.lastModified", "manager", "not", "and", "or", "eq", "ne", "pr", "gt",
            "(", ")", "[", "]", ".value", "\"x\"", "\"", "\\", "true", "null", "7", "2026-01-01", " ", "urn:", "é",
        ]), 0..24),
        space in prop::sample::select(vec!["", " "]),
    ) {
        if let Ok(filter) = Filter::parse(&words.join(space), user()) {
            let text = filter.to_string();
            prop_assert_eq!(Filter::parse(&text, user()).unwrap(), filter, "{}", text);
            let _ = Filter::parse(&text, user()).unwrap().matches(user(), &ada());
        }
    }

    /// `scim_v2` reads the same grammar independently; it knows no `$ref`.
    #[test]
    fn another_parser_reads_what_is_written_as_the_same_filter(filter in any_filter()) {
        let text = filter.to_string();
        prop_assume!(!text.contains('$'));
        let theirs: scim_v2::filter::Filter = text.parse().unwrap();
        let again = theirs.to_string();
        prop_assert_eq!(flat(Filter::parse(&again, user()).unwrap()), flat(filter), "{} / {}", text, again);
    }

    #[test]
    fn not_turns_every_answer_round(filter in any_filter()) {
        let turned = Filter::Not(Box::new(filter.clone()));
        prop_assert_ne!(filter.matches(user(), &ada()), turned.matches(user(), &ada()));
    }
}
