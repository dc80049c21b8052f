//! What bodies become: C-32 to C-41, C-55, C-56.

use proptest::prelude::*;
use scim_types::body::{keep_one_primary, normalise_value};
use scim_types::schema::PROFILE_USER_URN;
use scim_types::{Registry, Resource, ResourceType};
use serde_json::{Value, json};

fn user() -> &'static ResourceType {
    Registry::standard().user()
}

fn read(body: Value) -> Value {
    user().read_body(body).unwrap_or_else(|error| panic!("{error}")).into()
}

fn refusal(body: Value) -> String {
    let error = user().read_body(body).expect_err("refused");
    format!("{}: {error}", error.scim_type.expect("a keyword"))
}

fn group(body: Value) -> Value {
    Registry::standard().group().read_body(body).expect("a group").into()
}

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

#[test]
fn a_body_as_helloid_sends_it_becomes_canonical() {
    let body = json!({
        "schemas": [CORE, ENTERPRISE],
        "employeeNumber": "1000482",
        "userName": "j.devries@acme.example",
        "emails": [{"primary": true, "type": "work", "display": "j.devries@acme.example", "value": "j.devries@acme.example"}],
        "emailEncodingKey": "ISO-8859-1",
        "department": "Sales Benelux",
        "userType": "Standard",
        "phoneNumbers": [{"type": "work", "value": null}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "de Vries", "familyName": "Vries", "familyNamePrefix": "de", "givenName": "Jan"},
        "entitlements": [{"value": null}],
        "active": false,
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&read(body)).unwrap(), @r#"
        {
          "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
          ],
          "userName": "j.devries@acme.example",
          "name": {
            "formatted": "de Vries",
            "familyName": "Vries",
            "givenName": "Jan"
          },
          "userType": "Standard",
          "active": false,
          "emails": [
            {
              "primary": true,
              "type": "work",
              "display": "j.devries@acme.example",
              "value": "j.devries@acme.example"
            }
          ],
          "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "1000482",
            "department": "Sales Benelux"
          }
        }
    "#);
}

#[test]
fn c32_what_belongs_to_the_server_is_ignored() {
    let body = json!({
        "id": "7", "meta": {"version": "W/\"9\""}, "groups": [{"value": "g"}], "userName": "ada",
        "urn:gangway:params:scim:schemas:extension:2.0:User": {"pending": true}, "pending": true,
        "manager": {"$ref": null, "value": "m", "displayName": "Max"},
    });
    assert_eq!(
        read(body),
        json!({"schemas": [CORE, ENTERPRISE], "userName": "ada", ENTERPRISE: {"manager": {"value": "m"}}})
    );
    let body = json!({"displayName": "Crew", "members": [
        {"$ref": null, "value": "u1", "display": "Ada"},
        {"$ref": "https://scim.example.com/scim/v2/Users/u2"},
    ]});
    let members = json!([{"value": "u1", "display": "Ada"}, {"value": "u2"}]);
    assert_eq!(group(body), json!({"schemas": [GROUP], "displayName": "Crew", "members": members}));
}

#[test]
fn c33_schemas_are_not_believed() {
    for schemas in [
        json!(["urn:acme:1.0:User"]),
        json!("urn:scim:schemas:core:1.0"),
        json!([]),
        json!([1, null]),
        json!({}),
    ] {
        assert_eq!(read(json!({"schemas": schemas, "userName": "ada"}))["schemas"], json!([CORE]));
    }
    let body = json!({"userName": "ada", ENTERPRISE: {"department": "Sales"}});
    assert_eq!(read(body)["schemas"], json!([CORE, ENTERPRISE]));
    let body = json!({"userName": "ada", "urn:scim:schemas:extension:enterprise:1.0": {"manager": {"managerId": "m"}}});
    assert_eq!(read(body)[ENTERPRISE], json!({"manager": {"value": "m"}}));
    let body = json!({CORE: {"userName": "ada", "name": {"givenName": "Ada"}}});
    assert_eq!(read(body), json!({"schemas": [CORE], "userName": "ada", "name": {"givenName": "Ada"}}));
}

#[test]
fn c34_enterprise_attributes_are_taken_at_the_root_and_names_in_any_case() {
    let body = json!({
        "USERNAME": "ada", "EmployeeNumber": "7", "department": "alias",
        "NAME": {"GIVENNAME": "Ada"}, "Emails": [{"VALUE": "a@x", "Type": "work"}],
        ENTERPRISE.to_lowercase(): {"Department": "with its URN"},
    });
    assert_eq!(
        read(body),
        json!({
            "schemas": [CORE, ENTERPRISE], "userName": "ada", "name": {"givenName": "Ada"},
            "emails": [{"value": "a@x", "type": "work"}],
            ENTERPRISE: {"employeeNumber": "7", "department": "with its URN"},
        })
    );
    let body = json!({"userName": "ada", format!("{ENTERPRISE}:costCenter"): 12});
    assert_eq!(read(body)[ENTERPRISE], json!({"costCenter": "12"}));
}

#[test]
fn c35_unknown_attributes_are_ignored() {
    let body = json!({"userName": "ada", "shoeSize": 43, "name": {"familyNamePrefix": "de"}, "emails": [{"value": "a", "x": 1}]});
    assert_eq!(read(body), json!({"schemas": [CORE], "userName": "ada", "emails": [{"value": "a"}]}));
}

#[test]
fn c36_what_is_empty_is_not_there() {
    let body = json!({
        "userName": "ada", "title": "", "nickName": null, "name": {}, "ims": [], "locale": [],
        "entitlements": [{"value": null}], "roles": [{"value": ""}, {"type": "x"}, null, {}, ""],
        "emails": [{"value": "", "type": "work"}, {"value": "a@x", "display": null}],
        "addresses": [{"type": "work"}, {}],
        ENTERPRISE: {"department": "", "manager": null},
    });
    assert_eq!(
        read(body),
        json!({"schemas": [CORE], "userName": "ada", "emails": [{"value": "a@x"}], "addresses": [{"type": "work"}]})
    );
}

#[test]
fn c37_booleans_may_be_texts() {
    for (sent, kept) in
        [(json!("True"), true), (json!("FALSE"), false), (json!(" true "), true), (json!(false), false)]
    {
        let body = json!({"userName": "ada", "active": sent, "emails": [{"value": "a", "primary": sent}]});
        let resource = read(body);
        assert_eq!((&resource["active"], &resource["emails"][0]["primary"]), (&json!(kept), &json!(kept)));
    }
    insta::assert_snapshot!(refusal(json!({"userName": "ada", "active": "perhaps"})), @r#"invalidValue: "active" must be true or false"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", "emails": [{"value": "a", "primary": 1}]})), @r#"invalidValue: "emails.primary" must be true or false"#);
}

#[test]
fn c38_numbers_become_texts_and_texts_keep_their_zeros() {
    let body = json!({"userName": 42, "employeeNumber": "000482", "externalId": 9_007_199_254_740_993_u64, "title": true});
    assert_eq!(
        read(body),
        json!({
            "schemas": [CORE, ENTERPRISE], "externalId": "9007199254740993", "userName": "42", "title": "true",
            ENTERPRISE: {"employeeNumber": "000482"},
        })
    );
}

#[test]
fn c39_one_primary_is_kept() {
    let body = json!({"userName": "ada", "emails": [
        {"value": "a"}, {"value": "b", "primary": true}, {"value": "c", "primary": "True"},
    ]});
    assert_eq!(
        read(body)["emails"],
        json!([{"value": "a"}, {"value": "b", "primary": true}, {"value": "c", "primary": false}])
    );
    let mut elements = [json!({"primary": true}), json!({"primary": true})];
    keep_one_primary(&mut elements, Some(1));
    assert_eq!(elements, [json!({"primary": false}), json!({"primary": true})]);
}

#[test]
fn c40_a_password_is_accepted_and_not_kept() {
    for name in ["password", "Password", "urn:ietf:params:scim:schemas:core:2.0:User:password"] {
        let resource = read(json!({"userName": "ada", name: "Winter!2026"}));
        assert!(!resource.to_string().contains("Winter"), "{name}");
    }
}

#[test]
fn c41_an_absent_active_is_true_and_false_is_legal() {
    assert!(user().read_body(json!({"userName": "ada"})).unwrap().active());
    assert!(!user().read_body(json!({"userName": "ada", "active": false})).unwrap().active());
}

#[test]
fn c55_what_is_required_cannot_be_unassigned() {
    for user_name in [json!(null), json!(""), json!([])] {
        assert!(refusal(json!({"userName": user_name})).starts_with("invalidValue"));
    }
    insta::assert_snapshot!(refusal(json!({})), @r#"invalidValue: "userName" is required: a User cannot be without it"#);
    let title = user().resolve("title").unwrap();
    for empty in [json!(null), json!(""), json!([]), json!({}), json!([null])] {
        assert_eq!(normalise_value(title.attribute(), empty).unwrap(), None);
    }
}

/// Entra ID's `AppRoleAssignmentsComplex`.
#[test]
fn c57_json_text_in_an_entitlement_or_role_is_taken_out() {
    let admin = r#"{"id":"06b07648","value":"Sales_Ops","displayName":"Sales operations"}"#;
    let unpacked = json!([{"display": "Sales operations", "value": "Sales_Ops"}]);
    for attribute in ["entitlements", "roles"] {
        for sent in [
            json!([{"value": admin}]),
            json!([{"VALUE": format!(" {admin}")}]),
            json!([admin]),
            json!(admin),
            json!({"value": admin, "primary": null, "display": ""}),
            json!([{"value": null}, {"value": admin}]),
        ] {
            let read = read(json!({"userName": "ada", attribute: sent}));
            assert_eq!(read[attribute], unpacked, "{sent}");
        }
    }
    let roles = |value: &str| {
        read(json!({"userName": "ada", "roles": [{"value": value, "type": "Role"}]}))["roles"].clone()
    };
    let named = |text: &str| json!([{"type": "Role", "value": text}]);
    // A role of Entra's without a value has its name, and without a name its id.
    assert_eq!(roles(r#"{"id":"06b0","value":null,"displayName":"CEO"}"#)[0]["value"], "CEO");
    assert_eq!(roles(r#"{"id":"06b0"}"#), named("06b0"));
    assert_eq!(roles("{}"), Value::Null);
    for text in ["{CEO}", "{", "[1]", "CEO"] {
        assert_eq!(roles(text), named(text), "what is no JSON object is a name");
    }
    let email = read(json!({"userName": "ada", "emails": [{"value": "{\"value\":\"x\"}"}]}));
    assert_eq!(email["emails"][0]["value"], "{\"value\":\"x\"}", "nobody packs e-mail addresses");
}

#[test]
fn an_entitlement_may_be_a_text_or_its_address() {
    let entitlements =
        |sent: Value| read(json!({"userName": "ada", "entitlements": sent}))["entitlements"].clone();
    assert_eq!(entitlements(json!("0PS1")), json!([{"value": "0PS1"}]));
    assert_eq!(entitlements(json!(["0PS1", null, ""])), json!([{"value": "0PS1"}]));
    assert_eq!(entitlements(json!([{"value": null}])), Value::Null);
    let address = "https://scim.acme.example/scim/v2/Entitlements/0PS1";
    assert_eq!(entitlements(json!([{"$ref": address}])), json!([{"value": "0PS1"}]));
    assert_eq!(entitlements(json!([{"value": "0PS1", "$ref": null}])), json!([{"value": "0PS1"}]));
    let groups = read(
        json!({"userName": "ada", "groups": [{"$ref": "../Groups/g"}], "manager": {"$ref": "../Users/m"}}),
    );
    assert_eq!((groups.get("groups"), &groups[ENTERPRISE]), (None, &json!({"manager": {"value": "m"}})));
}

#[test]
fn c56_a_manager_is_always_an_object() {
    for manager in [
        json!("m"),
        json!({"value": "m"}),
        json!([{"value": "m"}]),
        json!(["m"]),
        json!({"managerId": "m"}),
        json!({"$ref": "../Users/m"}),
    ] {
        assert_eq!(
            read(json!({"userName": "ada", "manager": manager}))[ENTERPRISE],
            json!({"manager": {"value": "m"}})
        );
    }
    for nobody in
        [json!(""), json!(null), json!([]), json!({}), json!({"value": ""}), json!([{"value": null}])]
    {
        assert_eq!(read(json!({"userName": "ada", "manager": nobody})).get(ENTERPRISE), None);
    }
}

#[test]
fn a_plain_value_stands_for_an_element() {
    let body =
        json!({"userName": "ada", "emails": "a@x", "roles": ["r1", 2], "phoneNumbers": {"value": "1"}});
    let resource = read(body);
    assert_eq!(resource["emails"], json!([{"value": "a@x"}]));
    assert_eq!(resource["roles"], json!([{"value": "r1"}, {"value": "2"}]));
    assert_eq!(resource["phoneNumbers"], json!([{"value": "1"}]));
}

#[test]
fn a_body_that_cannot_be_meant_is_refused_without_repeating_it() {
    insta::assert_snapshot!(refusal(json!([])), @"invalidSyntax: the body must be a JSON object that describes a User");
    insta::assert_snapshot!(refusal(json!({"userName": {"a": 1}})), @r#"invalidValue: "userName" must be a text"#);
    insta::assert_snapshot!(refusal(json!({"userName": ["a", "b"]})), @r#"invalidValue: "userName" must be a single value, not an array"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", "name": "Ada Lovelace"})), @r#"invalidValue: "name" must be an object"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", "name": {"givenName": {"x": 1}}})), @r#"invalidValue: "name.givenName" must be a text"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", "emails": [["a"]]})), @r#"invalidValue: "emails" must be an object"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", ENTERPRISE: 7})), @r#"invalidValue: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User" must be an object"#);
    insta::assert_snapshot!(refusal(json!({"userName": "ada", ENTERPRISE: {"department": [1, 2]}})), @r#"invalidValue: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" must be a single value, not an array"#);
}

/// JSON of every wrong shape, under names that exist.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["", "true", "False", "x", "é"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(vec![
            "userName",
            "NAME",
            "givenName",
            "emails",
            "value",
            "type",
            "primary",
            "active",
            "manager",
            "managerId",
            "$ref",
            "schemas",
            "password",
            "id",
            "groups",
            CORE,
            ENTERPRISE,
            PROFILE_USER_URN,
            "department",
            "emails.value",
            "urn:",
            "addresses",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

#[test]
fn the_free_form_extension_keeps_what_is_assigned_by_the_names_it_came_with() {
    let body = json!({
        "userName": "u",
        PROFILE_USER_URN: {
            "lastLogin": "2026-08-05 07:59:58 +0000", "emailVerified": null, "blank": " ",
            "primaryAddress": {"mobile": null, "City": "Utrecht"}, "interests": ["a", {"x": null}, "b"], "id": 4711,
        },
    });
    let read = read(body);
    assert_eq!(
        read[PROFILE_USER_URN],
        json!({
            "lastLogin": "2026-08-05 07:59:58 +0000", "primaryAddress": {"City": "Utrecht"},
            "interests": ["a", {}, "b"], "id": 4711,
        })
    );
    assert!(read["schemas"].as_array().unwrap().contains(&json!(PROFILE_USER_URN)));
    assert_eq!(self::read(json!({"userName": "u", PROFILE_USER_URN: {"a": null}}))["schemas"], json!([CORE]));
    assert!(refusal(json!({"userName": "u", PROFILE_USER_URN: "text"})).contains("must be an object"));
    let served = Registry::standard().schemas().iter().any(|schema| schema.id == PROFILE_USER_URN);
    assert!(!served, "nobody but its source knows what is in it");
}

proptest! {
    #[test]
    fn reading_what_was_read_changes_nothing(mut body in any_value()) {
        if let Some(members) = body.as_object_mut() {
            members.insert("userName".to_owned(), "ada".into());
        }
        if let Ok(once) = user().read_body(body) {
            let text = serde_json::to_string(&once).unwrap();
            let twice = user().read_body(serde_json::from_str(&text).unwrap()).unwrap();
            prop_assert_eq!(serde_json::to_string(&twice).unwrap(), text);
            let stored: Resource = serde_json::from_value(once.clone().into()).unwrap();
            prop_assert_eq!(stored, once);
        }
    }
}
