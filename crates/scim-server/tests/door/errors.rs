//! C-67, C-71: what is not possible, in SCIM.

use serde_json::{Value, json};

use crate::harness::{TOKEN, World};

#[tokio::test]
async fn c67_a_method_that_a_route_does_not_have_is_405_with_allow() {
    let world = World::start();
    for (path, allow) in [
        ("/", "GET, HEAD"),
        ("/Users", "GET, HEAD, POST"),
        ("/groups/", "GET, HEAD, POST"),
        ("/Users/u-1", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/Users/.search", "POST"),
        ("/.search", "POST"),
        ("/Bulk", "POST"),
        ("/ServiceProviderConfig", "GET, HEAD"),
        ("/ResourceTypes", "GET, HEAD"),
        ("/ResourceTypes/User", "GET, HEAD"),
        ("/Schemas", "GET, HEAD"),
        ("/Schemas/urn:x", "GET, HEAD"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROBNICATE"] {
            if allow.split(", ").any(|allowed| allowed == method) {
                assert_ne!(world.call(method, path, json!({})).await.status, 405, "{method} {path}");
            } else {
                let answer = world.call(method, path, json!({})).await;
                answer.refused(405, None);
                assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn c71_an_unknown_path_is_a_scim_error() {
    let world = World::start();
    for path in ["/Devices", "/Users/a/b", "/Bulk/x", "/Me/x", "/Roles/a/b"] {
        world.get(path).await.refused(404, None);
    }
    for path in ["/", "/scim/v1/Users", "/Users", "/favicon.ico", "/acme/scim/v2/Users"] {
        world.send("GET", path, &[("authorization", "Bearer acme-writes")], "").await.refused(404, None);
    }
}

#[tokio::test]
async fn c71_me_is_501_for_a_client() {
    let world = World::start();
    for method in ["GET", "PUT", "PATCH", "DELETE", "POST"] {
        world.call(method, "/Me", Value::Null).await.refused(501, None);
    }
}

#[tokio::test]
async fn c27_an_id_of_any_form_is_404() {
    let world = World::start();
    let long = "9".repeat(3_000);
    for id in [
        "0",
        "00919288221112222",
        "2819c223-7f76-453a-919d-413861904646",
        "123456789012345678901234567890",
        "005xx000001SvogAAC",
        "%00",
        "%FF",
        "100%",
        "a%2Fb",
        "..",
        "'%20or%201=1",
        "%22%5C",
        "%F0%9F%9A%A2",
        &long,
    ] {
        for path in [
            format!("/Users/{id}"),
            format!("/Groups/{id}"),
            format!("/Groups/{id}?excludedAttributes=members"),
        ] {
            world.get(&path).await.refused(404, None);
        }
        let path = format!("/acme/prod/services/scim/v2/Users/{id}");
        let authorization = format!("Bearer {TOKEN}");
        world.send("GET", &path, &[("authorization", &authorization)], "").await.refused(404, None);
    }
}

#[tokio::test]
async fn c66_what_is_not_there_cannot_be_changed() {
    let world = World::start();
    for (method, body) in [
        ("DELETE", Value::Null),
        ("PUT", json!({"displayName": "x"})),
        ("PATCH", json!({"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]})),
    ] {
        world.call(method, "/Groups/nobody", body).await.refused(404, None);
    }
}

#[tokio::test]
async fn c71_no_body_of_any_type_makes_a_500() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!(5),
        json!(true),
        json!({}),
        json!([{}]),
        json!({"displayName": {}}),
        json!({"displayName": []}),
        json!({"displayName": 5, "members": 5}),
        json!({"displayName": "x", "members": {"value": {}}}),
        json!({"displayName": "x", "members": [[["x"]], null, 5, {"value": []}]}),
        json!({"schemas": 5, "displayName": null}),
        json!({"Operations": 5}),
        json!({"Operations": [5, null]}),
        json!({"Operations": [{"op": 5}]}),
        json!({"Operations": [{"op": "add", "path": 5, "value": 5}]}),
        json!({"Operations": [{"op": "add", "path": "members[", "value": 5}]}),
        json!({"Operations": [{"op": "remove"}]}),
        json!({"Operations": [{"method": 5, "path": [], "data": 5}]}),
        json!({"Operations": [{"method": "PUT", "path": "/Groups", "data": 5}]}),
        json!({"filter": [], "count": {}, "startIndex": [], "cursor": 5}),
        json!({"members": [{"operation": "delete", "value": "x"}]}),
    ];
    let put = format!("/Groups/{id}");
    for (method, path) in [
        ("POST", "/Groups"),
        ("PUT", put.as_str()),
        ("PATCH", put.as_str()),
        ("POST", "/Bulk"),
        ("POST", "/Groups/.search"),
        ("POST", "/.search"),
    ] {
        for body in &odd {
            let headers = [("authorization", "Bearer acme-writes")];
            let answer =
                world.send(method, &format!("/services/scim/v2{path}"), &headers, body.to_string()).await;
            assert!(answer.status < 500, "{method} {path} {body}: {answer:?}");
            if answer.status >= 400 {
                let scim_type = answer.json()["scimType"].as_str().map(str::to_owned);
                answer.refused(answer.status, scim_type.as_deref());
            }
        }
    }
}
