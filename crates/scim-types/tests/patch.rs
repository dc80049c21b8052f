//! PATCH, PUT and what identity tools send: each test is a sentence of `C-43` to `C-63`.

#![expect(clippy::needless_pass_by_value, reason = "json! at the end of a call reads best without a &")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use scim_types::patch::{MAX_MEMBERS, MAX_OPERATIONS, Patch};
use scim_types::{Error, Put, Registry, Resource, ResourceType, ScimType, put};
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn users() -> &'static ResourceType {
    Registry::standard().user()
}

fn groups() -> &'static ResourceType {
    Registry::standard().group()
}

fn user(mut body: Value) -> Resource {
    if body.get("userName").is_none() {
        body["userName"] = json!("ada@example.com");
    }
    users().read_body(body).unwrap()
}

fn group(members: &[&str]) -> Resource {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
    groups().read_body(json!({"displayName": "Crew", "members": members})).unwrap()
}

fn member_ids(group: &Resource) -> Vec<&str> {
    let members = group.get("members").and_then(Value::as_array);
    members.into_iter().flatten().map(|member| member["value"].as_str().unwrap()).collect()
}

fn body(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

fn try_patch(resource_type: &ResourceType, current: &Resource, body: Value) -> Result<Resource, Error> {
    let patch = Patch::parse(resource_type, body)?;
    // What is stored between a request and its turn must mean the same.
    let stored: Patch = serde_json::from_str(&serde_json::to_string(&patch).unwrap()).unwrap();
    assert_eq!(stored, patch);
    patch.apply(resource_type, current)
}

fn patch(resource_type: &ResourceType, current: &Resource, operations: Value) -> Resource {
    try_patch(resource_type, current, body(operations)).unwrap()
}

fn patch_user(current: &Resource, operations: Value) -> Resource {
    patch(users(), current, operations)
}

fn patch_group(current: &Resource, operations: Value) -> Resource {
    patch(groups(), current, operations)
}

fn refused(resource_type: &ResourceType, current: &Resource, operations: Value) -> (u16, Option<ScimType>) {
    let error = try_patch(resource_type, current, body(operations)).unwrap_err();
    assert!(!error.detail.is_empty());
    (error.status, error.scim_type)
}

fn at<'v>(resource: &'v Resource, path: &str) -> Vec<&'v Value> {
    resource.values(&users().resolve(path).unwrap())
}

fn one<'v>(resource: &'v Resource, path: &str) -> &'v Value {
    match at(resource, path)[..] {
        [value] => value,
        ref values => panic!("{path} is {values:?} in {resource:?}"),
    }
}

// --- C-35, C-40: what is not ours -------------------------------------------------------------------------------

#[test]
fn c35_a_path_to_an_unknown_attribute_is_ignored_and_a_path_that_is_none_is_refused() {
    let ada = user(json!({"name": {"familyName": "Vries"}}));
    for path in [
        "name.familyNamePrefix",
        "name.FamilyNamePrefix",
        "emailEncodingKey",
        "urn:acme:2.0:User:shoeSize",
        "a.b.c",
        "emails[type eq \"work\"].colour",
    ] {
        assert_eq!(patch_user(&ada, json!([{"op": "Replace", "path": path, "value": "de"}])), ada, "{path}");
    }
    for path in [
        "name..familyName",
        "name familyName",
        "emails[type eq \"work\"",
        "emails]",
        "emails[type eq \"work\"]value",
        ".",
        "name.",
        "é",
        "shoes[size eq 5]",
        "/title",
        "name/givenName",
    ] {
        let refused = refused(users(), &ada, json!([{"op": "replace", "path": path, "value": "de"}]));
        assert_eq!(refused, (400, Some(ScimType::InvalidPath)), "{path}");
    }
    let refused =
        refused(users(), &ada, json!([{"op": "replace", "path": "emails[type eq].value", "value": "de"}]));
    assert_eq!(refused, (400, Some(ScimType::InvalidFilter)));
}

#[test]
fn c35_unknown_attributes_inside_values_are_ignored() {
    let ada = user(json!({}));
    let next = patch_user(
        &ada,
        json!([{"op": "replace", "value": {
            "name": {"givenName": "Ada", "familyNamePrefix": "de"}, "emailEncodingKey": "UTF-8", "what ever": 1,
            "urn:acme:2.0:User": {"shoeSize": 5}
        }}]),
    );
    assert_eq!(next, user(json!({"name": {"givenName": "Ada"}})));
}

#[test]
fn c40_a_password_is_accepted_and_dropped() {
    let ada = user(json!({}));
    assert_eq!(patch_user(&ada, json!([{"op": "replace", "value": {"password": "Correct-Horse-9"}}])), ada);
    assert_eq!(
        patch_user(&ada, json!([{"op": "replace", "path": "password", "value": "Correct-Horse-9"}])),
        ada
    );
    let text = serde_json::to_string(
        &Patch::parse(users(), body(json!([{"op": "add", "path": "password", "value": "Correct-Horse-9"}])))
            .unwrap(),
    );
    assert!(!text.unwrap().contains("Horse"));
}

// --- C-37 to C-39: values ---------------------------------------------------------------------------------------

#[test]
fn c37_booleans_may_be_texts_everywhere() {
    let ada = user(json!({"emails": [{"value": "a@x.example", "type": "work"}]}));
    for operation in [
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "replace", "path": "active", "value": false}),
        json!({"op": "Replace", "value": {"active": "FALSE"}}),
        json!({"op": "Add", "path": "active", "value": "false"}),
        json!({"op": "Replace", "path": "ACTIVE", "value": [{"value": "False", "$ref": null}]}),
    ] {
        assert_eq!(one(&patch_user(&ada, json!([operation])), "active"), false, "{operation}");
    }
    let next = patch_user(
        &ada,
        json!([{"op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True"}]),
    );
    assert_eq!(one(&next, "emails.primary"), true);
    let next = patch_user(
        &ada,
        json!([{"op": "add", "path": "emails", "value": [{"value": "b@x.example", "primary": "tRUE"}]}]),
    );
    assert_eq!(at(&next, "emails.primary"), [true]);
    let refused = refused(users(), &ada, json!([{"op": "replace", "path": "active", "value": "perhaps"}]));
    assert_eq!(refused, (400, Some(ScimType::InvalidValue)));
}

#[test]
fn c38_numbers_for_texts_become_texts_and_leading_zeros_stay() {
    let next = patch_user(
        &user(json!({})),
        json!([
            {"op": "replace", "path": "employeeNumber", "value": 40021},
            {"op": "replace", "path": "externalId", "value": "00042"},
        ]),
    );
    assert_eq!(one(&next, "employeeNumber"), "40021");
    assert_eq!(one(&next, "externalId"), "00042");
}

#[test]
fn c39_of_two_primary_values_the_last_one_set_stays() {
    let ada = user(json!({"emails": [{"value": "a@x.example", "type": "work", "primary": true}]}));
    let next = patch_user(
        &ada,
        json!([{"op": "add", "path": "emails", "value": [
            {"value": "b@x.example", "type": "home", "primary": true}, {"value": "c@x.example", "type": "other", "primary": true},
        ]}]),
    );
    assert_eq!(at(&next, "emails.primary"), [false, false, true]);
    let next = patch_user(
        &next,
        json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]),
    );
    assert_eq!(at(&next, "emails.primary"), [false, true, false]);
}

// --- C-43: SCIM 1.1 ---------------------------------------------------------------------------------------------

#[test]
fn c43_a_scim_1_1_group_patch_adds_and_deletes_and_never_replaces() {
    let crew = group(&["id0", "id2"]);
    let old = json!({"schemas": ["urn:scim:schemas:core:1.0"], "members": [{"value": "id1"}, {"value": "id2", "operation": "delete"}]});
    assert_eq!(member_ids(&try_patch(groups(), &crew, old).unwrap()), ["id0", "id1"]);
    let without_schemas = json!({"members": [{"value": "id2", "operation": "Delete"}]});
    assert_eq!(member_ids(&try_patch(groups(), &crew, without_schemas).unwrap()), ["id0"]);
    let renamed = json!({"schemas": ["urn:scim:schemas:core:1.0"], "displayName": "Deck", "id": "g1"});
    let next = try_patch(groups(), &crew, renamed).unwrap();
    assert_eq!((next.display_name(), member_ids(&next)), (Some("Deck"), vec!["id0", "id2"]));
}

#[test]
fn c43_a_scim_1_1_patch_clears_what_meta_attributes_names() {
    let ada =
        user(json!({"title": "Captain", "nickName": "Ada", "name": {"givenName": "Ada", "familyName": "L"}}));
    let old = json!({"schemas": ["urn:scim:schemas:core:1.0"], "meta": {"attributes": ["title", "name.givenName"]}, "nickName": "A"});
    let next = try_patch(users(), &ada, old).unwrap();
    assert_eq!(next, user(json!({"nickName": "A", "name": {"familyName": "L"}})));
}

#[test]
fn c43_a_body_without_operations_that_is_no_scim_1_1_is_invalid_syntax() {
    let crew = group(&["id0"]);
    for body in [
        json!({}),
        json!({"members": []}),
        json!({"members": [{"value": "id1"}]}),
        json!([]),
        json!(null),
        json!("x"),
        json!({"Operations": 5}),
    ] {
        let error = try_patch(groups(), &crew, body.clone()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)), "{body}");
    }
}

#[test]
fn c43_manager_id_is_the_value_of_the_manager() {
    let next = patch_user(
        &user(json!({})),
        json!([{"op": "replace", "value": {ENTERPRISE: {"manager": {"managerId": "m1"}}}}]),
    );
    assert_eq!(one(&next, "manager"), &json!({"value": "m1"}));
    let next = patch_user(&next, json!([{"op": "replace", "path": "manager.managerId", "value": "m2"}]));
    assert_eq!(one(&next, "manager.value"), "m2");
}

// --- C-44, C-45: spelling ---------------------------------------------------------------------------------------

#[test]
fn c44_op_and_operations_in_any_case_and_schemas_may_be_missing() {
    let ada = user(json!({}));
    for body in [
        json!({"Operations": [{"op": "Replace", "path": "title", "value": "Captain"}]}),
        json!({"operations": [{"value": "Captain", "path": "title", "op": "REPLACE"}], "schemas": []}),
        json!({"Operations": {"Op": "ADD", "Path": "title", "Value": "Captain"}}),
    ] {
        assert_eq!(one(&try_patch(users(), &ada, body).unwrap(), "title"), "Captain");
    }
    for operation in [
        json!({"op": "move", "path": "title"}),
        json!({"path": "title", "value": "x"}),
        json!({"op": 1}),
        json!(5),
    ] {
        assert_eq!(
            refused(users(), &ada, json!([operation])),
            (400, Some(ScimType::InvalidSyntax)),
            "{operation}"
        );
    }
}

#[test]
fn c45_paths_in_any_case_with_a_urn_by_colon_or_by_dot() {
    let ada = user(json!({}));
    for (path, canonical) in [
        ("name.FamilyName", "name.familyName"),
        ("NAME.familyname", "name.familyName"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", "name.familyName"),
        ("URN:IETF:params:scim:schemas:core:2.0:user:title", "title"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "department"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department", "department"),
        ("department", "department"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "manager.value"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager.value", "manager.value"),
        ("emails.value", "emails.value"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\"].value", "emails.value"),
    ] {
        let next = patch_user(&ada, json!([{"op": "replace", "path": path, "value": "x"}]));
        assert_eq!(one(&next, canonical), "x", "{path}");
    }
}

#[test]
fn c45_the_urn_of_an_extension_names_all_of_it() {
    let ada = user(json!({ENTERPRISE: {"department": "Deck", "employeeNumber": "1"}}));
    let next =
        patch_user(&ada, json!([{"op": "replace", "path": ENTERPRISE, "value": {"department": "Bridge"}}]));
    assert_eq!(next, user(json!({ENTERPRISE: {"department": "Bridge", "employeeNumber": "1"}})));
    assert_eq!(patch_user(&ada, json!([{"op": "remove", "path": ENTERPRISE}])), user(json!({})));
}

// --- C-46 to C-48: operations without a path --------------------------------------------------------------------

#[test]
fn c46_keys_may_be_plain_dotted_qualified_or_a_urn_with_an_object() {
    let ada = user(json!({"name": {"givenName": "Ada"}}));
    let wanted = user(json!({
        "displayName": "Marit", "name": {"givenName": "Ada", "familyName": "Bos"},
        ENTERPRISE: {"department": "Field Service", "costCenter": "7", "manager": {"value": "m1"}, "division": "North"},
    }));
    for op in ["add", "replace"] {
        let next = patch_user(
            &ada,
            json!([{"op": op, "value": {
                "displayName": "Marit",
                "name.familyName": "Bos",
                format!("{ENTERPRISE}:department"): "Field Service",
                format!("{ENTERPRISE}:manager.value"): "m1",
                format!("{ENTERPRISE}.division"): "North",
                ENTERPRISE: {"costCenter": 7},
            }}]),
        );
        assert_eq!(next, wanted, "{op}");
    }
}

#[test]
fn c46_complex_values_merge() {
    // SailPoint sends one operation for each part of the name.
    let ada = user(json!({"name": {"formatted": "R. H."}}));
    let next = patch_user(
        &ada,
        json!([
            {"op": "replace", "value": {"name": {"givenName": "Rudolf"}}},
            {"op": "replace", "value": {"name": {"familyName": "Haase"}}},
            {"op": "replace", "path": "name", "value": {"middleName": "von"}},
            {"op": "replace", "value": {"active": true}},
        ]),
    );
    let name =
        json!({"formatted": "R. H.", "givenName": "Rudolf", "familyName": "Haase", "middleName": "von"});
    assert_eq!(next, user(json!({"name": name, "active": true})));
}

#[test]
fn c47_id_schemas_meta_and_groups_in_a_value_are_ignored() {
    let crew = group(&["u1"]);
    let next = patch_group(
        &crew,
        json!([{"op": "replace", "value": {
            "id": "another", "schemas": ["urn:x"], "meta": {"version": "9"}, "meta.version": "9", "displayName": "Deck",
        }}]),
    );
    assert_eq!((next.display_name(), member_ids(&next)), (Some("Deck"), vec!["u1"]));
    let ada = user(json!({}));
    assert_eq!(
        patch_user(&ada, json!([{"op": "add", "value": {"groups": [{"value": "g1"}], "id": "x"}}])),
        ada
    );
}

#[test]
fn c47_a_path_to_what_is_read_only_is_mutability_unless_it_says_what_is_so() {
    let mut ada = user(json!({}));
    for path in [
        "id",
        "meta",
        "meta.version",
        "groups",
        "groups[value eq \"g1\"]",
        "urn:gangway:params:scim:schemas:extension:2.0:User:pending",
    ] {
        let refused = refused(users(), &ada, json!([{"op": "replace", "path": path, "value": "x"}]));
        assert_eq!(refused, (400, Some(ScimType::Mutability)), "{path}");
    }
    assert_eq!(patch_user(&ada, json!([{"op": "remove", "path": "groups"}])), ada);
    assert_eq!(patch_user(&ada, json!([{"op": "add", "path": "schemas", "value": [ENTERPRISE]}])), ada);
    ada.as_map_mut().insert("id".into(), "u1".into());
    assert_eq!(patch_user(&ada, json!([{"op": "replace", "path": "id", "value": "u1"}])), ada);
}

#[test]
fn c47_who_is_a_member_of_what_is_not_changed_here_and_nobody_believes_so() {
    let mut ada = user(json!({}));
    let groups =
        json!([{"value": "g1", "display": "Crew", "type": "direct"}, {"value": "g2", "type": "direct"}]);
    ada.as_map_mut().insert("groups".into(), groups);
    for operation in [
        json!({"op": "remove", "path": "groups"}),
        json!({"op": "remove", "path": "groups", "value": [{"value": "g2"}]}),
        json!({"op": "remove", "path": "groups[value eq \"g1\"]"}),
        json!({"op": "remove", "path": "groups[value eq \"g1\"].display"}),
        json!({"op": "replace", "path": "groups", "value": []}),
        json!({"op": "replace", "path": "groups", "value": [{"value": "g1"}]}),
        json!({"op": "add", "path": "groups", "value": [{"value": "g3"}]}),
    ] {
        let refused = refused(users(), &ada, json!([operation]));
        assert_eq!(refused, (400, Some(ScimType::Mutability)), "{operation}");
    }
    for operation in [
        json!({"op": "remove", "path": "groups", "value": [{"value": "g3"}]}),
        json!({"op": "remove", "path": "groups[value eq \"g3\"]"}),
        json!({"op": "replace", "path": "groups", "value": [{"value": "g2"}, {"value": "g1", "display": "Crew"}]}),
        json!({"op": "add", "path": "groups", "value": [{"value": "g1"}]}),
    ] {
        assert_eq!(patch_user(&ada, json!([operation])), ada, "{operation}");
    }
}

#[test]
fn c48_add_and_replace_are_the_same_for_one_value() {
    let ada = user(json!({"title": "Mate", "name": {"givenName": "A", "familyName": "L"}}));
    for (path, value) in [
        ("title", json!("Captain")),
        ("name.givenName", json!("Ada")),
        ("name", json!({"givenName": "Ada"})),
        ("title", json!("")),
        ("nickName", json!("x")),
    ] {
        let change = |op: &str| patch_user(&ada, json!([{"op": op, "path": path, "value": value}]));
        assert_eq!(change("add"), change("replace"), "{path}");
    }
}

// --- C-49 to C-51: values by filter -----------------------------------------------------------------------------

#[test]
fn c49_a_part_without_a_filter_is_that_of_all_values_and_makes_one_if_there_is_none() {
    let operations = json!([{"op": "Replace", "path": "emails.value", "value": "new@x.example"}]);
    let none = patch_user(&user(json!({})), operations.clone());
    assert_eq!(none, user(json!({"emails": [{"value": "new@x.example"}]})));
    let two = user(
        json!({"emails": [{"value": "a@x.example", "type": "work", "primary": true}, {"value": "b@x.example", "type": "home"}]}),
    );
    assert_eq!(at(&patch_user(&two, operations), "emails.value"), ["new@x.example", "new@x.example"]);
}

#[test]
fn c49_making_all_values_primary_leaves_the_one_that_is() {
    let two = user(
        json!({"emails": [{"value": "a@x.example", "type": "work", "primary": true}, {"value": "b@x.example", "type": "home"}]}),
    );
    let next = patch_user(&two, json!([{"op": "Replace", "path": "emails.primary", "value": "True"}]));
    assert_eq!(at(&next, "emails.primary"), [true, false]);
}

#[test]
fn c50_a_filter_that_matches_nothing_makes_the_value() {
    let ada = user(json!({"emails": [{"value": "h@x.example", "type": "home"}]}));
    for op in ["Add", "Replace"] {
        let next = patch_user(
            &ada,
            json!([
                {"op": op, "path": "emails[type eq \"work\"].value", "value": "w@x.example"},
                {"op": op, "path": "phoneNumbers[type eq \"fax\" and primary eq true].value", "value": "+31301234999"},
                {"op": op, "path": "addresses[type eq \"work\"].locality", "value": "Utrecht"},
            ]),
        );
        assert_eq!(
            next,
            user(json!({
                "emails": [{"value": "h@x.example", "type": "home"}, {"value": "w@x.example", "type": "work"}],
                "phoneNumbers": [{"type": "fax", "primary": true, "value": "+31301234999"}],
                "addresses": [{"type": "work", "locality": "Utrecht"}],
            })),
            "{op}"
        );
    }
}

#[test]
fn c50_the_parts_of_a_new_value_may_come_in_any_order() {
    // Microsoft's validator sends value, display and primary one by one.
    let next = patch_user(
        &user(json!({})),
        json!([
            {"op": "add", "path": "emails[type eq \"untyped\"].primary", "value": true},
            {"op": "add", "path": "emails[type eq \"untyped\"].display", "value": "Ada"},
            {"op": "add", "path": "emails[type eq \"untyped\"].value", "value": "a@x.example"},
        ]),
    );
    assert_eq!(
        next,
        user(
            json!({"emails": [{"type": "untyped", "primary": true, "display": "Ada", "value": "a@x.example"}]})
        )
    );
}

#[test]
fn c50_a_filter_that_does_not_say_what_to_make_is_no_target() {
    let ada = user(json!({}));
    for filter in
        ["value co \"x\"", "type eq \"work\" or type eq \"home\"", "not (type eq \"work\")", "type pr"]
    {
        let operation = json!([{"op": "replace", "path": format!("emails[{filter}].display"), "value": "x"}]);
        assert_eq!(refused(users(), &ada, operation), (400, Some(ScimType::NoTarget)), "{filter}");
    }
}

#[test]
fn c50_a_remove_that_finds_nothing_has_nothing_to_do() {
    let ada = user(json!({"emails": [{"value": "h@x.example", "type": "home"}]}));
    for path in [
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "title",
        "name.givenName",
        "manager",
        "addresses",
        ENTERPRISE,
    ] {
        assert_eq!(patch_user(&ada, json!([{"op": "remove", "path": path}])), ada, "{path}");
    }
}

#[test]
fn c50_an_element_may_be_changed_as_a_whole_and_keeps_what_is_not_named() {
    let ada = user(
        json!({"emails": [{"value": "w@x.example", "type": "work", "primary": true}, {"value": "h@x.example", "type": "home"}]}),
    );
    let next = patch_user(
        &ada,
        json!([{"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "n@x.example"}}]),
    );
    assert_eq!(
        next,
        user(
            json!({"emails": [{"value": "n@x.example", "type": "work", "primary": true}, {"value": "h@x.example", "type": "home"}]})
        )
    );
    let next =
        patch_user(&ada, json!([{"op": "replace", "path": "emails[type eq \"work\"]", "value": null}]));
    assert_eq!(next, user(json!({"emails": [{"value": "h@x.example", "type": "home"}]})));
}

#[test]
fn c69_moving_a_value_out_of_its_filter_may_be_repeated() {
    let ada = user(
        json!({"emails": [{"value": "old@x.example", "type": "work"}], "addresses": [{"type": "work", "country": "NL"}]}),
    );
    let operations = json!([
        {"op": "replace", "path": "emails[value eq \"old@x.example\"].value", "value": "new@x.example"},
        {"op": "replace", "path": "addresses[type eq \"work\"].type", "value": "home"},
    ]);
    let next = patch_user(&ada, operations.clone());
    assert_eq!(
        next,
        user(
            json!({"emails": [{"value": "new@x.example", "type": "work"}], "addresses": [{"type": "home", "country": "NL"}]})
        )
    );
    assert_eq!(patch_user(&next, operations.clone()), next);
    assert_eq!(refused(users(), &user(json!({})), operations), (400, Some(ScimType::NoTarget)));
}

#[test]
fn c51_filters_in_paths_take_booleans_as_texts() {
    let ada = user(json!({"roles": [{"value": "a", "primary": true}, {"value": "b"}]}));
    for path in [
        "roles[primary eq \"True\"].display",
        "roles[primary eq true].display",
        "roles[PRIMARY Eq \"true\"].display",
    ] {
        let next = patch_user(&ada, json!([{"op": "replace", "path": path, "value": "Admin"}]));
        assert_eq!(next.get("roles").unwrap()[0]["display"], "Admin", "{path}");
        assert!(next.get("roles").unwrap()[1].get("display").is_none(), "{path}");
    }
}

// --- C-52 to C-54: members --------------------------------------------------------------------------------------

#[test]
fn c52_members_are_added_as_an_array_an_object_or_wrapped_and_never_twice() {
    let crew = group(&["u1"]);
    for value in [
        json!([{"value": "u2"}]),
        json!({"value": "u2"}),
        json!({"members": [{"value": "u2"}]}),
        json!({"members": {"value": "u2"}}),
        json!([{"$ref": null, "value": "u2"}, {"value": "u1"}, {"value": "u2", "display": "x"}]),
        json!(["u2"]),
    ] {
        let next = patch_group(&crew, json!([{"op": "Add", "path": "members", "value": value}]));
        assert_eq!(member_ids(&next), ["u1", "u2"], "{value}");
    }
    let next = patch_group(&crew, json!([{"op": "add", "value": {"members": [{"value": "u2"}]}}]));
    assert_eq!(member_ids(&next), ["u1", "u2"]);
    assert_eq!(
        patch_group(&crew, json!([{"op": "add", "path": "members", "value": [{"value": "u1"}]}])),
        crew
    );
}

#[test]
fn c53_members_are_removed_in_all_five_forms() {
    let crew = group(&["a", "b", "c"]);
    for (operation, left) in [
        (json!({"op": "Remove", "path": "members", "value": [{"value": "a"}]}), vec!["b", "c"]),
        (json!({"op": "remove", "path": "members", "value": {"value": "a"}}), vec!["b", "c"]),
        (
            json!({"op": "remove", "path": "members", "value": [{"value": "a", "$ref": null, "display": "A", "type": "User"}]}),
            vec!["b", "c"],
        ),
        (json!({"op": "remove", "path": "members", "value": {"members": [{"value": "a"}]}}), vec!["b", "c"]),
        (json!({"op": "remove", "path": "members[value eq \"a\"]"}), vec!["b", "c"]),
        (json!({"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}), vec!["c"]),
        (json!({"op": "remove", "path": "members[not (value eq \"a\")]"}), vec!["a"]),
        (json!({"op": "remove", "path": "members"}), vec![]),
        (json!({"op": "remove", "path": "members", "value": null}), vec![]),
    ] {
        assert_eq!(member_ids(&patch_group(&crew, json!([operation]))), left, "{operation}");
    }
}

#[test]
fn c53_a_value_array_never_removes_everyone() {
    let crew = group(&["a", "b"]);
    for value in [
        json!([]),
        json!([{}]),
        json!([null]),
        json!([{"value": null}]),
        json!([{"value": ""}]),
        json!([{"value": "stranger"}]),
        json!([{"type": "User"}]),
        json!({"members": []}),
        json!({"members": null}),
        json!({}),
        json!(""),
        json!("stranger"),
    ] {
        let operation = json!([{"op": "remove", "path": "members", "value": value}]);
        assert_eq!(patch_group(&crew, operation), crew, "{value}");
    }
}

#[test]
fn c53_removing_an_absent_member_succeeds() {
    let crew = group(&["a"]);
    assert_eq!(patch_group(&crew, json!([{"op": "remove", "path": "members[value eq \"z\"]"}])), crew);
}

#[test]
fn c54_replacing_members_with_an_empty_list_empties_the_group() {
    let crew = group(&["a", "b"]);
    assert_eq!(
        member_ids(&patch_group(&crew, json!([{"op": "replace", "path": "members", "value": []}]))),
        [""; 0]
    );
    let next = patch_group(
        &crew,
        json!([{"op": "replace", "path": "members", "value": [{"value": "c"}, {"value": "c"}]}]),
    );
    assert_eq!(member_ids(&next), ["c"]);
    let next = patch_group(
        &crew,
        json!([{"op": "replace", "value": {"displayName": "Deck", "members": [{"value": "b"}]}}]),
    );
    assert_eq!(member_ids(&next), ["b"]);
}

#[test]
fn c54_a_replace_that_does_not_name_members_leaves_them() {
    let crew = group(&["a", "b"]);
    let next = patch_group(&crew, json!([{"op": "replace", "value": {"id": "g", "displayName": "Deck"}}]));
    assert_eq!(member_ids(&next), ["a", "b"]);
}

#[test]
fn a_member_that_is_set_stays_who_it_is() {
    let crew = group(&["a"]);
    let refused = refused(
        groups(),
        &crew,
        json!([{"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}]),
    );
    assert_eq!(refused, (400, Some(ScimType::Mutability)));
}

// --- C-55, C-56: nothing, and the manager -----------------------------------------------------------------------

#[test]
fn c55_null_empty_text_and_empty_list_unassign() {
    let ada = user(
        json!({"title": "Captain", "name": {"givenName": "Ada", "familyName": "L"}, "emails": [{"value": "a@x.example"}]}),
    );
    for nothing in [json!(null), json!(""), json!([]), json!(" ")] {
        let next = patch_user(
            &ada,
            json!([
                {"op": "replace", "path": "title", "value": nothing},
                {"op": "replace", "path": "name.givenName", "value": nothing},
                {"op": "replace", "path": "emails", "value": nothing},
                {"op": "replace", "path": "phoneNumbers.value", "value": nothing},
            ]),
        );
        assert_eq!(next, user(json!({"name": {"familyName": "L"}})), "{nothing}");
        let next = patch_user(
            &ada,
            json!([{"op": "replace", "value": {"title": nothing, "name": {"givenName": nothing, "familyName": nothing}, "emails": nothing}}]),
        );
        assert_eq!(next, user(json!({})), "{nothing}");
    }
    // HelloID's V1 connector clears a prefix that SCIM does not know, beside a name that it does.
    let next = patch_user(
        &ada,
        json!([{"op": "Replace", "value": {"name": {"givenName": null, "formatted": "Jan", "familyNamePrefix": null}}}]),
    );
    assert_eq!(one(&next, "name"), &json!({"familyName": "L", "formatted": "Jan"}));
}

#[test]
fn c55_a_blank_does_not_activate() {
    let ada = user(json!({"active": false}));
    for blank in [json!(null), json!(""), json!(" "), json!([]), json!([null]), json!({"value": null})] {
        for operation in [
            json!({"op": "replace", "path": "active", "value": blank}),
            json!({"op": "Add", "path": "Active", "value": blank}),
            json!({"op": "replace", "value": {"active": blank}}),
        ] {
            assert_eq!(patch_user(&ada, json!([operation])), ada, "{operation}");
        }
    }
    // Whoever says it, means it.
    assert_eq!(patch_user(&ada, json!([{"op": "remove", "path": "active"}])), user(json!({})));
}

#[test]
fn c55_unassigning_what_is_required_is_refused() {
    let ada = user(json!({}));
    for (operation, keyword) in [
        (json!({"op": "replace", "path": "userName", "value": ""}), ScimType::InvalidValue),
        (json!({"op": "replace", "value": {"userName": null}}), ScimType::InvalidValue),
        (json!({"op": "remove", "path": "userName"}), ScimType::Mutability),
    ] {
        assert_eq!(refused(users(), &ada, json!([operation])), (400, Some(keyword)), "{operation}");
    }
}

#[test]
fn c55_a_value_that_is_missing_is_no_null() {
    let ada = user(json!({"title": "Captain"}));
    for op in ["add", "replace"] {
        assert_eq!(
            refused(users(), &ada, json!([{"op": op, "path": "title"}])),
            (400, Some(ScimType::InvalidValue))
        );
        assert_eq!(refused(users(), &ada, json!([{"op": op}])), (400, Some(ScimType::InvalidValue)));
        assert_eq!(
            refused(users(), &ada, json!([{"op": op, "value": "x"}])),
            (400, Some(ScimType::InvalidValue))
        );
    }
    assert_eq!(refused(users(), &ada, json!([{"op": "remove"}])), (400, Some(ScimType::NoTarget)));
    assert_eq!(
        refused(users(), &ada, json!([{"op": "remove", "value": {"title": "Captain"}}])),
        (400, Some(ScimType::NoTarget))
    );
}

/// Entra ID, `HelloID` and those who copy Salesforce's help pages.
#[test]
fn c57_entitlements_and_roles_are_changed_in_every_form_that_is_sent() {
    let values = |user: &Resource, attribute: &str| -> Vec<String> {
        let elements = user.get(attribute).and_then(Value::as_array);
        elements.into_iter().flatten().map(|element| element["value"].as_str().unwrap().to_owned()).collect()
    };
    let admin = r#"{"id":"06b0","value":"Admin","displayName":"Admin"}"#;
    let none = user(json!({}));
    for operation in [
        json!({"op": "Add", "path": "roles", "value": [{"value": admin}]}),
        json!({"op": "Add", "path": "roles", "value": [admin]}),
        json!({"op": "replace", "path": "roles", "value": {"value": admin}}),
        json!({"op": "replace", "value": {"roles": [{"value": admin}]}}),
        json!({"op": "add", "path": "roles", "value": {"roles": [{"value": "Admin"}]}}),
        json!({"op": "Add", "path": "roles", "value": "Admin"}),
    ] {
        assert_eq!(values(&patch_user(&none, json!([operation])), "roles"), ["Admin"], "{operation}");
    }
    let two = user(json!({"entitlements": [{"value": "00e1", "type": "Profile"}, {"value": "0PS1"}]}));
    for (operation, left) in [
        (json!({"op": "Replace", "value": {"entitlements": [{"value": "0PS2"}]}}), vec!["0PS2"]),
        (json!({"op": "Replace", "path": "entitlements", "value": ["0PS2", {"value": null}]}), vec!["0PS2"]),
        (json!({"op": "add", "path": "entitlements", "value": [{"value": "0PS1"}]}), vec!["00e1", "0PS1"]),
        (json!({"op": "remove", "path": "entitlements[value eq \"0PS1\"]"}), vec!["00e1"]),
        (json!({"op": "remove", "path": "entitlements", "value": [{"value": "0PS1"}]}), vec!["00e1"]),
        (
            json!({"op": "remove", "path": "entitlements", "value": {"entitlements": [{"value": "0PS1"}]}}),
            vec!["00e1"],
        ),
        (json!({"op": "remove", "path": "entitlements"}), vec![]),
    ] {
        assert_eq!(values(&patch_user(&two, json!([operation])), "entitlements"), left, "{operation}");
    }
}

#[test]
fn c56_a_manager_may_be_a_text_an_object_or_a_list() {
    let ada = user(json!({}));
    let manager = format!("{ENTERPRISE}:manager");
    for operation in [
        json!({"op": "Add", "path": manager, "value": "m1"}),
        json!({"op": "add", "path": manager, "value": {"value": "m1", "displayName": "Boss"}}),
        json!({"op": "add", "path": manager, "value": [{"value": "m1", "$ref": null}]}),
        json!({"op": "replace", "path": format!("{manager}.value"), "value": "m1"}),
        json!({"op": "replace", "path": "manager", "value": "m1"}),
        json!({"op": "replace", "value": {&manager: "m1"}}),
        json!({"op": "replace", "value": {ENTERPRISE: {"manager": "m1"}}}),
        json!({"op": "replace", "value": {"manager": {"value": "m1"}}}),
    ] {
        let next = patch_user(&ada, json!([operation]));
        assert_eq!(one(&next, "manager"), &json!({"value": "m1"}), "{operation}");
        for clear in [
            json!({"op": "Remove", "path": manager}),
            json!({"op": "Remove", "path": manager, "value": "m1"}),
            json!({"op": "remove", "path": format!("{manager}.value")}),
            json!({"op": "replace", "path": manager, "value": ""}),
            json!({"op": "replace", "path": manager, "value": null}),
            json!({"op": "replace", "path": manager, "value": []}),
            json!({"op": "replace", "path": manager, "value": {"value": "", "displayName": " "}}),
            json!({"op": "replace", "value": {&manager: ""}}),
        ] {
            assert_eq!(patch_user(&next, json!([clear])), ada, "{clear}");
        }
    }
}

#[test]
fn a_new_manager_takes_the_reference_to_the_old_one_along() {
    let ada = user(json!({"manager": {"value": "m1", "$ref": "../Users/m1"}}));
    let next = patch_user(&ada, json!([{"op": "replace", "path": "manager", "value": {"value": "m2"}}]));
    assert_eq!(one(&next, "manager"), &json!({"value": "m2"}));
}

// --- C-57, C-58 as far as lists go ------------------------------------------------------------------------------

#[test]
fn entitlements_and_roles_are_lists_like_any_other() {
    let ada = user(json!({"entitlements": [{"value": "00e1", "type": "Profile"}, {"value": "0PS1"}]}));
    let next = patch_user(
        &ada,
        json!([{"op": "Replace", "value": {"entitlements": [{"value": "00exx000001FR7UAAW"}]}}]),
    );
    assert_eq!(at(&next, "entitlements.value"), ["00exx000001FR7UAAW"]);
    let next = patch_user(&ada, json!([{"op": "remove", "path": "entitlements[value eq \"0PS1\"]"}]));
    assert_eq!(at(&next, "entitlements.value"), ["00e1"]);
    let next =
        patch_user(&ada, json!([{"op": "remove", "path": "entitlements", "value": [{"value": "00e1"}]}]));
    assert_eq!(at(&next, "entitlements.value"), ["0PS1"]);
    let text = "{\"id\":\"06b0\",\"value\":\"Admin\",\"displayName\":\"Admin\"}";
    let next = patch_user(&ada, json!([{"op": "Add", "path": "roles", "value": [{"value": text}]}]));
    assert_eq!(at(&next, "roles.value").len(), 1);
}

// --- C-59, C-61 -------------------------------------------------------------------------------------------------

#[test]
fn c59_any_failing_operation_fails_all() {
    let ada = user(json!({"title": "Mate"}));
    let refused = refused(
        users(),
        &ada,
        json!([
            {"op": "replace", "path": "title", "value": "Captain"},
            {"op": "replace", "path": "id", "value": "other"},
        ]),
    );
    assert_eq!(refused, (400, Some(ScimType::Mutability)));
    assert_eq!(ada, user(json!({"title": "Mate"})));
}

#[test]
fn c61_no_operations_are_a_success_that_changes_nothing() {
    let ada = user(json!({"title": "Mate"}));
    assert_eq!(patch_user(&ada, json!([])), ada);
}

#[test]
fn a_patch_that_locks_somebody_out_is_known_by_its_face() {
    let deactivates =
        |operation: Value| Patch::parse(users(), body(json!([operation]))).unwrap().deactivates();
    assert!(deactivates(json!({"op": "Replace", "path": "active", "value": "False"})));
    assert!(deactivates(json!({"op": "replace", "value": {"active": false}})));
    assert!(!deactivates(json!({"op": "replace", "path": "active", "value": true})));
    assert!(!deactivates(json!({"op": "remove", "path": "active"})));
}

// --- limits -----------------------------------------------------------------------------------------------------

#[test]
fn a_patch_has_a_thousand_operations_at_most() {
    let crew = group(&[]);
    let operations = |count: usize| -> Value {
        (0..count)
            .map(|n| json!({"op": "add", "path": "members", "value": [{"value": n.to_string()}]}))
            .collect()
    };
    assert_eq!(MAX_OPERATIONS, 1_000);
    assert_eq!(member_ids(&patch_group(&crew, operations(MAX_OPERATIONS))).len(), 1_000);
    assert_eq!(refused(groups(), &crew, operations(MAX_OPERATIONS + 1)), (413, None));
}

#[test]
fn a_patch_has_ten_thousand_members_at_most_over_all_operations() {
    let crew = group(&[]);
    let members =
        |from: usize, to: usize| -> Value { (from..to).map(|n| json!({"value": n.to_string()})).collect() };
    assert_eq!(MAX_MEMBERS, 10_000);
    let add = |from, to| json!({"op": "add", "path": "members", "value": members(from, to)});
    let full = patch_group(&crew, json!([add(0, 4_000), add(4_000, MAX_MEMBERS)]));
    assert_eq!(member_ids(&full).len(), MAX_MEMBERS);
    assert_eq!(refused(groups(), &crew, json!([add(0, 4_000), add(4_000, MAX_MEMBERS + 1)])), (413, None));
    let remove = json!([{"op": "remove", "path": "members", "value": members(1, MAX_MEMBERS)}]);
    assert_eq!(member_ids(&patch_group(&full, remove)), ["0"]);
}

#[test]
fn a_thousand_operations_on_ten_thousand_members_do_not_multiply() {
    // 10,000 x 1,000 comparisons by filter would take a debug build tens of seconds; one look-up each takes none.
    let ids: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let crew = group(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let each = |make: &dyn Fn(usize) -> Value| -> Value { (0..MAX_OPERATIONS).map(make).collect() };
    let next = patch_group(
        &crew,
        each(&|n| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", n * 10)})),
    );
    assert_eq!(member_ids(&next).len(), 9_000);
    let again = patch_group(
        &next,
        each(&|n| json!({"op": "add", "path": "members", "value": {"value": (n * 10).to_string()}})),
    );
    assert_eq!(member_ids(&again).len(), 10_000);
}

// --- whole requests of the clients ------------------------------------------------------------------------------

#[test]
fn helloid_salesforce_update() {
    let jan = users().read_body(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "employeeNumber": "1000482", "userName": "j.devries@acme.example",
        "emails": [{"primary": true, "type": "work", "display": "j.devries@acme.example", "value": "j.devries@acme.example"}],
        "emailEncodingKey": "ISO-8859-1", "department": "Sales Benelux", "userType": "Standard",
        "phoneNumbers": [{"type": "work", "value": "+31612345678"}], "meta": {"resourceType": "User"},
        "name": {"formatted": "de Vries", "familyName": "Vries", "familyNamePrefix": "de", "givenName": "Jan"},
        "entitlements": [{"value": null}], "active": false
    })).unwrap();
    let next = patch_user(
        &jan,
        json!([
            {"op": "Replace", "path": "employeeNumber", "value": "1000482"},
            {"op": "Replace", "path": "name.givenName", "value": "Jan"},
            {"op": "Replace", "path": "name.familyName", "value": "Vries"},
            {"op": "Replace", "path": "name.familyNamePrefix", "value": "de"},
            {"op": "Replace", "path": "department", "value": "Sales Nordics"},
            {"op": "Replace", "path": "phoneNumbers.value", "value": "+31687654321"},
            {"op": "Replace", "path": "emails.value", "value": "jan.devries@acme.example"},
            {"op": "Replace", "path": "name.formatted", "value": "de Vries"},
        ]),
    );
    assert_eq!(
        next.get(ENTERPRISE).unwrap(),
        &json!({"employeeNumber": "1000482", "department": "Sales Nordics"})
    );
    assert_eq!(one(&next, "phoneNumbers"), &json!({"type": "work", "value": "+31687654321"}));
    assert_eq!(one(&next, "emails.value"), "jan.devries@acme.example");
    assert_eq!(one(&next, "emails.primary"), true);
    assert!(!next.active());
    let next = patch_user(&next, json!([{"op": "Replace", "value": {"active": true}}]));
    assert!(next.active());
}

#[test]
fn entra_update_with_and_without_the_flag_ends_alike() {
    let marit = user(
        json!({"displayName": "Marit Winter", "name": {"givenName": "Marit", "familyName": "Winter"},
        "emails": [{"type": "work", "value": "m.winter@fabrikam.example", "primary": true}], ENTERPRISE: {"department": "Service"}}),
    );
    let legacy = patch_user(
        &marit,
        json!([
            {"op": "Replace", "path": "displayName", "value": "Marit Winter-Bos"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "marit.bos@fabrikam.example"},
            {"op": "Replace", "path": "name.familyName", "value": "Winter-Bos"},
            {"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Field Service"},
        ]),
    );
    let flagged = patch_user(
        &marit,
        json!([
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "marit.bos@fabrikam.example"},
            {"op": "replace", "value": {"displayName": "Marit Winter-Bos", "name.familyName": "Winter-Bos", format!("{ENTERPRISE}:department"): "Field Service"}},
        ]),
    );
    assert_eq!(legacy, flagged);
    assert_eq!(one(&flagged, "name"), &json!({"givenName": "Marit", "familyName": "Winter-Bos"}));
    assert_eq!(
        one(&flagged, "emails"),
        &json!({"type": "work", "value": "marit.bos@fabrikam.example", "primary": true})
    );
}

#[test]
fn okta_group_push() {
    let crew = group(&["89bb1940"]);
    let next = patch_group(
        &crew,
        json!([
            {"op": "remove", "path": "members[value eq \"89bb1940\"]"},
            {"op": "add", "path": "members", "value": [{"value": "23a35c27", "display": "t.okafor@contoso.example"}]},
        ]),
    );
    assert_eq!(member_ids(&next), ["23a35c27"]);
}

#[test]
fn authentik_sends_one_operation_for_each_member() {
    let next = patch_group(
        &group(&["u-077"]),
        json!([
            {"op": "add", "path": "members", "value": [{"value": "u-101"}]},
            {"op": "add", "path": "members", "value": [{"value": "u-102"}]},
            {"op": "remove", "path": "members", "value": [{"value": "u-077"}]},
        ]),
    );
    assert_eq!(member_ids(&next), ["u-101", "u-102"]);
}

#[test]
fn entra_sends_new_values_and_the_manager_in_capitals() {
    let marit =
        user(json!({"emails": [{"type": "work", "value": "m.winter@fabrikam.example", "primary": true}]}));
    let next = patch_user(
        &marit,
        json!([
            {"op": "Add", "path": "phoneNumbers[type eq \"fax\"].value", "value": "+31301234999"},
            {"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "7a1be0bb9f0c4a6a"},
            {"op": "Add", "path": "nickName", "value": "Babs"},
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "Oudegracht 1"},
        ]),
    );
    assert_eq!(
        next,
        user(json!({
            "emails": [{"type": "work", "value": "m.winter@fabrikam.example", "primary": true}],
            "phoneNumbers": [{"type": "fax", "value": "+31301234999"}], "nickName": "Babs", "active": false,
            "addresses": [{"type": "work", "formatted": "Oudegracht 1"}], "manager": {"value": "7a1be0bb9f0c4a6a"},
        }))
    );
}

#[test]
fn microsofts_validator_sends_each_part_of_each_value() {
    let replaced = |n: &str| {
        user(json!({
            "emails": [{"type": "work", "value": format!("{n}@x.example"), "display": n, "primary": true}],
            "phoneNumbers": [{"type": "mobile", "value": n, "display": n}],
            "addresses": [{"type": "work", "formatted": n, "postalCode": n, "primary": false}],
            "roles": [{"value": n, "display": n, "type": n, "primary": true}],
        }))
    };
    let operations = |op: &str, n: &str| {
        json!([
            {"op": op, "path": "emails[type eq \"work\"].value", "value": format!("{n}@x.example")},
            {"op": op, "path": "emails[type eq \"work\"].display", "value": n},
            {"op": op, "path": "emails[type eq \"work\"].primary", "value": true},
            {"op": op, "path": "phoneNumbers[type eq \"mobile\"].value", "value": n},
            {"op": op, "path": "phoneNumbers[type eq \"mobile\"].display", "value": n},
            {"op": op, "path": "addresses[type eq \"work\"].formatted", "value": n},
            {"op": op, "path": "addresses[type eq \"work\"].postalCode", "value": n},
            {"op": op, "path": "addresses[type eq \"work\"].primary", "value": false},
            {"op": op, "path": "roles[primary eq \"True\"].value", "value": n},
            {"op": op, "path": "roles[primary eq \"True\"].display", "value": n},
            {"op": op, "path": "roles[primary eq \"True\"].type", "value": n},
        ])
    };
    let added = patch_user(&user(json!({})), operations("add", "first"));
    assert_eq!(added, replaced("first"));
    assert_eq!(patch_user(&added, operations("replace", "second")), replaced("second"));
}

#[test]
fn helloid_generic_sends_paths_in_mixed_case() {
    let jan =
        user(json!({"active": false, "emails": [{"value": "jan@x.example"}], "name": {"givenName": "Jan"}}));
    let next = patch_user(
        &jan,
        json!([
            {"op": "Replace", "path": "externalId", "value": "1000482"},
            {"op": "Replace", "path": "userName", "value": "j.devries@acme.example"},
            {"op": "Replace", "path": "name.Formatted", "value": "de Vries"},
            {"op": "Replace", "path": "name.FamilyName", "value": "Vries"},
            {"op": "Replace", "path": "name.FamilyNamePrefix", "value": "de"},
            {"op": "Replace", "path": "emails.value", "value": "j.devries@acme.example"},
            {"op": "Replace", "path": "emails.primary", "value": "True"},
            {"op": "Replace", "path": "emails.type", "value": "work"},
            {"op": "Replace", "path": "active", "value": true},
        ]),
    );
    assert_eq!(
        next,
        user(json!({
            "externalId": "1000482", "userName": "j.devries@acme.example", "active": true,
            "name": {"givenName": "Jan", "formatted": "de Vries", "familyName": "Vries"},
            "emails": [{"value": "j.devries@acme.example", "primary": true, "type": "work"}],
        }))
    );
}

#[test]
fn okta_renames_a_group_with_its_id_beside_each_membership_change() {
    let next = patch_group(
        &group(&["u1"]),
        json!([
            {"op": "replace", "value": {"id": "abf4dd94", "displayName": "Renewals EMEA"}},
            {"op": "remove", "path": "members[value eq \"gone\"]"},
            {"op": "replace", "path": "members", "value": [{"value": "u1", "display": "a"}, {"value": "u2", "display": "b"}]},
        ]),
    );
    assert_eq!((next.display_name(), member_ids(&next)), (Some("Renewals EMEA"), vec!["u1", "u2"]));
}

#[test]
fn ping_adds_and_removes_in_one_request() {
    let next = patch_group(
        &group(&["9d8c7b6a-5f4e-3d2c-1b0a-998877665544"]),
        json!([
            {"op": "add", "path": "members", "value": [{"value": "2b7f3c10-8e0e-4a7d-9b1c-0f3e5d6a7b8c"}]},
            {"op": "remove", "path": "members[value eq \"9d8c7b6a-5f4e-3d2c-1b0a-998877665544\"]"},
        ]),
    );
    assert_eq!(member_ids(&next), ["2b7f3c10-8e0e-4a7d-9b1c-0f3e5d6a7b8c"]);
}

// --- PUT --------------------------------------------------------------------------------------------------------

#[test]
fn c62_a_put_keeps_active_entitlements_and_roles_where_it_says_nothing() {
    let current = user(
        json!({"title": "Mate", "active": false, "roles": [{"value": "r"}], "entitlements": [{"value": "e"}]}),
    );
    let next = Put::from(user(json!({"nickName": "A"}))).apply(users(), &current);
    assert_eq!(
        next,
        user(
            json!({"nickName": "A", "active": false, "roles": [{"value": "r"}], "entitlements": [{"value": "e"}]})
        )
    );
    let next = Put::from(user(json!({"active": true, "roles": [{"value": "s"}]}))).apply(users(), &current);
    assert_eq!(
        next,
        user(json!({"active": true, "roles": [{"value": "s"}], "entitlements": [{"value": "e"}]}))
    );
}

#[test]
fn c62_a_put_empties_a_list_that_it_sends_empty_and_keeps_an_empty_active() {
    let current = user(
        json!({"active": false, "roles": [{"value": "r"}], "entitlements": [{"value": "e"}], "title": "Mate"}),
    );
    let of = |mut body: Value| {
        body["userName"] = json!("u");
        Put::read(users(), body).unwrap()
    };
    for empty in
        [json!([]), json!(null), json!(""), json!([null]), json!([{"value": null}]), json!([{"value": ""}])]
    {
        let sent = of(json!({"Roles": empty, "entitlements": [{"value": "f"}], "active": null}));
        assert!(
            sent.mentions("roles") && sent.mentions("entitlements") && !sent.mentions("active"),
            "{empty}"
        );
        let next = sent.apply(users(), &current);
        let (roles, entitlements) = (next.get("roles"), next.get("entitlements"));
        assert_eq!((roles, entitlements), (None, Some(&json!([{"value": "f"}]))), "{empty}");
        assert_eq!(next.get("active"), Some(&json!(false)), "{empty}");

        // Some clients send elements without a value where they have nothing to say.
        let is_lost = empty.as_array().is_some_and(|elements| !elements.is_empty());
        let next = sent.without_lost_lists().apply(users(), &current);
        assert_eq!(next.get("roles"), is_lost.then_some(&json!([{"value": "r"}])), "{empty}");
    }
    let under_the_urn = of(json!({"urn:ietf:params:scim:schemas:core:2.0:User": {"roles": []}}));
    assert_eq!(under_the_urn.apply(users(), &current).get("roles"), None);
}

#[test]
fn c62_a_put_unassigns_what_it_leaves_out_and_keeps_what_is_read_only() {
    let mut current = user(json!({"title": "Mate", ENTERPRISE: {"department": "Deck"}}));
    current.as_map_mut().insert("id".into(), "u1".into());
    let next = Put::from(user(json!({}))).apply(users(), &current);
    let mut wanted = user(json!({}));
    wanted.as_map_mut().insert("id".into(), "u1".into());
    assert_eq!(next, wanted);
}

#[test]
fn c63_a_put_may_carry_its_own_id_and_no_other() {
    for body in [
        json!({"id": "u1"}),
        json!({"ID": "u1"}),
        json!({"id": null}),
        json!({"id": ""}),
        json!({}),
        json!([]),
    ] {
        assert!(put::check_id(&body, "u1").is_ok(), "{body}");
    }
    for body in [json!({"id": "u2"}), json!({"id": 1})] {
        let error = put::check_id(&body, "u1").unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::Mutability)), "{body}");
    }
}

#[test]
fn c63_a_put_of_a_get_changes_nothing() {
    let current = user(
        json!({"title": "Mate", "active": false, "name": {"givenName": "Ada"}, "emails": [{"value": "a@x.example", "primary": true}],
        "manager": "m1", "roles": [{"value": "r"}]}),
    );
    let mut read = current.as_map().clone();
    read.insert("id".into(), json!("u1"));
    read.insert("meta".into(), json!({"resourceType": "User", "version": "W/\"3\""}));
    read.insert("groups".into(), json!([{"value": "g1"}]));
    read.insert("urn:gangway:params:scim:schemas:extension:2.0:User".into(), json!({"pending": true}));
    let sent = users().read_body(read.into()).unwrap();
    assert_eq!(Put::from(sent).apply(users(), &current), current);
}
