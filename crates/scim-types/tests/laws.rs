//! What holds for every PATCH and PUT, whatever is sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;

use proptest::prelude::*;
use scim_types::patch::{Op, Operation, Patch};
use scim_types::{AttrPath, PatchPath, Put, Registry, Resource, ResourceType, bulk, put};
use serde_json::{Map, Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn users() -> &'static ResourceType {
    Registry::standard().user()
}

fn groups() -> &'static ResourceType {
    Registry::standard().group()
}

/// Names and values that mean something, so that chance finds its way into the code.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "userName",
        "title",
        "active",
        "name",
        "name.givenName",
        "Name.FamilyName",
        "name.formatted",
        "emails",
        "emails.value",
        "emails.primary",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq \"True\"].value",
        "emails[value eq \"a\"].value",
        "emails[type eq \"work\" and value eq \"b\"].primary",
        "emails[not (type eq \"x\")]",
        "phoneNumbers",
        "addresses",
        "addresses[type eq \"work\"].locality",
        "addresses[type eq \"work\"].type",
        "roles",
        "entitlements",
        "entitlements[value eq \"a\" or value eq \"b\"]",
        "manager",
        "manager.value",
        "manager[value eq \"a\"]",
        "department",
        "members",
        "members[value eq \"a\"]",
        "members[value eq \"a\" or value eq \"b\"]",
        "members.value",
        "displayName",
        "externalId",
        "id",
        "meta",
        "groups",
        "schemas",
        "password",
        "unknown",
        "name.unknown",
        ENTERPRISE,
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "op",
        "path",
        "value",
        "type",
        "primary",
        "$ref",
        "Operations",
        "operation",
        "emails[",
        "emails[]",
        "]",
        "",
        ".",
        "a b",
    ];
    let urn = proptest::sample::select(vec!["department", "manager", "manager.value", "costCenter"]);
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => urn.prop_map(|name| format!("{ENTERPRISE}:{name}")),
        1 => ".{0,8}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let texts = proptest::sample::select(vec![
        "a", "b", "work", "home", "True", "false", "", " ", "add", "remove", "Replace", "delete",
    ]);
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        6 => texts.prop_map(Value::from),
        1 => ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value that often fits an attribute: a text, an element, or several.
fn fitting() -> impl Strategy<Value = Value> {
    let text = proptest::sample::select(vec!["a", "b", "c", "work", "home"]);
    let element = (text.clone(), proptest::option::of(text.clone()), any::<Option<bool>>()).prop_map(
        |(value, type_, primary)| {
            let mut element = json!({"value": value});
            if let Some(type_) = type_ {
                element["type"] = type_.into();
            }
            if let Some(primary) = primary {
                element["primary"] = primary.into();
            }
            element
        },
    );
    prop_oneof![
        text.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        element.clone(),
        proptest::collection::vec(element, 0..4).prop_map(Value::from),
        value(),
    ]
}

fn operation() -> impl Strategy<Value = Value> {
    let op = proptest::sample::select(vec!["add", "Remove", "replace"]);
    (op, proptest::option::weighted(0.8, name()), proptest::option::weighted(0.9, fitting())).prop_map(
        |(op, path, value)| {
            let mut operation = json!({"op": op});
            if let Some(path) = path {
                operation["path"] = path.into();
            }
            if let Some(value) = value {
                operation["value"] = value;
            }
            operation
        },
    )
}

fn patch_body() -> impl Strategy<Value = Value> {
    proptest::collection::vec(operation(), 0..5).prop_map(|operations| json!({"Operations": operations}))
}

fn user() -> impl Strategy<Value = Resource> {
    let names = [
        "title",
        "active",
        "name.givenName",
        "emails",
        "phoneNumbers",
        "roles",
        "entitlements",
        "manager",
        "department",
        "displayName",
    ];
    let attribute = (proptest::sample::select(names.to_vec()), fitting());
    proptest::collection::vec(attribute, 0..8).prop_map(|attributes| {
        let mut user = users().read_body(json!({"userName": "ada"})).unwrap();
        for (path, value) in attributes {
            let body = json!({"Operations": [{"op": "add", "path": path, "value": value}]});
            if let Ok(next) = Patch::parse(users(), body).and_then(|patch| patch.apply(users(), &user)) {
                user = next;
            }
        }
        user
    })
}

fn group() -> impl Strategy<Value = Resource> {
    proptest::collection::vec("[a-e]", 0..5).prop_map(|ids| {
        let members: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"displayName": "Crew", "members": members});
        groups().read_body(body).unwrap()
    })
}

/// Every attribute and every part of a singular one, with its value.
fn leaves(resource_type: &'static ResourceType, resource: &Resource) -> Vec<(AttrPath, Value)> {
    let attributes =
        resource_type.roots().iter().chain(resource_type.extension_roots().iter().flat_map(AttrPath::subs));
    let leaves = attributes.flat_map(|path| {
        let singular = path.attribute().is_complex() && !path.attribute().multi_valued;
        if singular { path.subs().to_vec() } else { vec![path.clone()] }
    });
    leaves
        .map(|path| {
            let values = path.values_in(resource.as_map()).into_iter().cloned().collect();
            (path, Value::Array(values))
        })
        .collect()
}

fn is_named(path: &AttrPath, operations: &Patch, resource_type: &ResourceType) -> bool {
    operations.operations.iter().any(|operation| {
        let named = PatchPath::parse(&operation.path, resource_type).unwrap();
        let target = named.target();
        let goes_through = |mut path: &AttrPath| loop {
            if path == target {
                return true;
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return false,
            }
        };
        // Naming a part of a list's elements names the list; setting `value` takes `$ref` along.
        goes_through(path)
            || *path == named.attribute
            || path.parent() == Some(&named.attribute) && path.name() == "$ref"
            || named.sub.is_none() && path.parent() == Some(&named.attribute)
    })
}

fn is_canonical(resource_type: &ResourceType, resource: &Resource) -> bool {
    resource_type.read_body(resource.clone().into()).as_ref() == Ok(resource)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_never_changes_what_it_does_not_name(user in user(), body in patch_body()) {
        let Ok(patch) = Patch::parse(users(), body) else { return Ok(()) };
        let Ok(next) = patch.apply(users(), &user) else { return Ok(()) };
        for ((path, before), (_, after)) in leaves(users(), &user).into_iter().zip(leaves(users(), &next)) {
            let follows = path == "schemas" || is_named(&path, &patch, users());
            prop_assert!(follows || before == after, "{} was {} and is {}", path, before, after);
        }
    }

    #[test]
    fn a_patch_of_a_group_never_changes_members_that_it_does_not_name(group in group(), body in patch_body()) {
        let Ok(patch) = Patch::parse(groups(), body) else { return Ok(()) };
        let Ok(next) = patch.apply(groups(), &group) else { return Ok(()) };
        if !patch.operations.iter().any(|operation| operation.path.starts_with("members")) {
            prop_assert_eq!(group.get("members"), next.get("members"));
        }
    }

    #[test]
    fn c53_a_remove_with_a_value_never_removes_a_member_that_it_does_not_name(group in group(), value in fitting()) {
        if value.is_null() { return Ok(()) }
        let body = json!({"Operations": [{"op": "remove", "path": "members", "value": value}]});
        let Ok(patch) = Patch::parse(groups(), body) else { return Ok(()) };
        let next = patch.apply(groups(), &group).unwrap();
        let named = patch.operations[0].value.to_string();
        let ids = |group: &Resource| -> Vec<String> {
            group.values(&groups().resolve("members.value").unwrap()).iter().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let left = ids(&next);
        for id in ids(&group) {
            prop_assert!(left.contains(&id) || named.contains(&format!("{{\"value\":\"{id}\"")), "{} was removed by {}", id, named);
        }
    }

    #[test]
    fn c69_replace_is_idempotent(user in user(), path in proptest::option::of(name()), value in fitting()) {
        let mut operation = json!({"op": "replace", "value": value});
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        let Ok(patch) = Patch::parse(users(), json!({"Operations": [operation]})) else { return Ok(()) };
        // Two operations on one attribute may undo each other; each by itself may not.
        let attribute = |operation: &Operation| operation.path.split(['.', '[']).next().map(str::to_owned);
        let attributes: HashSet<_> = patch.operations.iter().map(attribute).collect();
        if attributes.len() != patch.operations.len() { return Ok(()) }
        let Ok(once) = patch.apply(users(), &user) else { return Ok(()) };
        prop_assert_eq!(patch.apply(users(), &once), Ok(once));
    }

    #[test]
    fn c69_membership_changes_are_idempotent(group in group(), body in patch_body()) {
        let Ok(patch) = Patch::parse(groups(), body) else { return Ok(()) };
        let adds_or_removes = |operation: &Operation| operation.op != Op::Replace && operation.op == patch.operations[0].op;
        if !patch.operations.iter().all(adds_or_removes) { return Ok(()) }
        if patch.operations.iter().any(|operation| operation.path == "members.value") { return Ok(()) }
        let Ok(once) = patch.apply(groups(), &group) else { return Ok(()) };
        prop_assert_eq!(patch.apply(groups(), &once), Ok(once));
    }

    #[test]
    fn c59_a_patch_with_a_failing_operation_fails(user in user(), body in patch_body(), place in 0_usize..6) {
        let mut body = body;
        let operations = body["Operations"].as_array_mut().unwrap();
        operations.insert(place.min(operations.len()), json!({"op": "replace", "path": "id", "value": "other"}));
        let before = user.clone();
        prop_assert!(Patch::parse(users(), body).and_then(|patch| patch.apply(users(), &user)).is_err());
        prop_assert_eq!(before, user);
    }

    #[test]
    fn what_a_patch_makes_is_in_canonical_form(user in user(), body in patch_body()) {
        prop_assert!(is_canonical(users(), &user));
        let Ok(next) = Patch::parse(users(), body).and_then(|patch| patch.apply(users(), &user)) else { return Ok(()) };
        prop_assert!(is_canonical(users(), &next), "{:?}", next);
    }

    #[test]
    fn a_stored_patch_means_the_same(body in patch_body()) {
        let Ok(patch) = Patch::parse(users(), body) else { return Ok(()) };
        let stored = serde_json::to_value(&patch).unwrap();
        prop_assert_eq!(&serde_json::from_value::<Patch>(stored.clone()).unwrap(), &patch);
        // Its form is that of RFC 7644, and reading it as such finds the same.
        let says_something = |operation: &Operation| !scim_types::body::is_empty(&operation.value);
        if patch.operations.iter().all(says_something) {
            prop_assert_eq!(Patch::parse(users(), stored).unwrap(), patch);
        }
    }

    #[test]
    fn c63_a_put_of_a_get_changes_nothing(user in user()) {
        let mut read = user.clone().into_map();
        read.insert("id".into(), json!("u1"));
        read.insert("meta".into(), json!({"resourceType": "User", "version": "W/\"3\""}));
        read.insert("groups".into(), json!([{"value": "g1", "display": "Crew"}]));
        let sent = users().read_body(Value::Object(read)).unwrap();
        prop_assert_eq!(Put::from(sent).apply(users(), &user), user);
    }

    #[test]
    fn a_put_is_idempotent(user in user(), sent in user()) {
        let put = Put::from(sent);
        let once = put.apply(users(), &user);
        prop_assert_eq!(&put.apply(users(), &once), &once);
    }

    #[test]
    fn no_body_makes_a_panic(body in value(), user in user(), group in group()) {
        let wrapped = json!({"Operations": body});
        for body in [body, wrapped] {
            for (resource_type, current) in [(users(), &user), (groups(), &group)] {
                if let Ok(patch) = Patch::parse(resource_type, body.clone()) {
                    let _ = patch.apply(resource_type, current);
                }
            }
            if let Ok(request) = bulk::BulkRequest::parse(body.clone()) {
                let mut run = bulk::BulkRun::new(&request);
                for turn in request.order() {
                    let _ = run.ready(turn);
                }
            }
            let _ = scim_types::SearchRequest::from_body(body.clone());
            let _ = put::check_id(&body, "u1");
        }
    }

    #[test]
    fn no_query_makes_a_panic(query in ".{0,40}", names in ".{0,40}") {
        let _ = scim_types::SearchRequest::from_query(&query);
        if let Ok(projection) = scim_types::Projection::parse(users(), Some(&names), Some(&query)) {
            let _ = projection.apply(users(), Map::new());
        }
    }
}

#[test]
fn a_blank_address_names_nobody() {
    let user = users()
        .read_body(json!({"userName": "ada", "roles": [{"$ref": " "}, {"$ref": "/Roles/ "}]}))
        .unwrap();
    assert_eq!(user.get("roles"), None);
}
