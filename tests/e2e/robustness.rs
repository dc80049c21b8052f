//! No input makes a 500, a panic or a wait: bad input of every kind gets a SCIM error and changes nothing.

use std::time::{Duration, Instant};

use e2e::{Answered, World, tool::encode};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

/// C-71: a SCIM Error with a status as a string and a detail to act on.
fn is_scim_error(answer: &Answered, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{}", answer.text);
    assert_eq!(body["status"], status.to_string(), "{}", answer.text);
    assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn c71_every_error_is_a_scim_error() {
    let world = World::start().await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let user = format!("/Users/{ada}");
    let json_type = [("content-type", "application/json")];
    let cases: Vec<(&str, &str, Option<Vec<u8>>, u16)> = vec![
        ("GET", "/Nonsense", None, 404),
        ("GET", "/Users/0", None, 404),
        ("GET", "/Users/%ff%fe", None, 404),
        ("PUT", "/Users", Some(b"{}".to_vec()), 405),
        ("DELETE", "/Users", None, 405),
        ("POST", &user, Some(b"{}".to_vec()), 405),
        ("BREW", "/Users", None, 405),
        ("POST", "/Users", Some(b"{not json".to_vec()), 400),
        ("POST", "/Users", Some(b"[]".to_vec()), 400),
        ("POST", "/Users", Some(b"\"text\"".to_vec()), 400),
        ("POST", "/Users", Some(b"".to_vec()), 400),
        ("POST", "/Users", Some(b"{\"userName\":\"\xe9\"}".to_vec()), 400),
        ("POST", "/Users", Some(b"{}".to_vec()), 400),
        ("POST", "/Users", Some(vec![b'['; 200_000]), 400),
        ("POST", "/Users", Some(format!("{{\"userName\":\"{}\"}}", "x".repeat(1_100_000)).into_bytes()), 413),
        ("PATCH", &user, Some(b"{\"Operations\":[{\"op\":\"explode\",\"path\":\"title\"}]}".to_vec()), 400),
        ("PATCH", &user, Some(b"{\"Operations\":{}}".to_vec()), 400),
        (
            "PATCH",
            &user,
            Some(b"{\"Operations\":[{\"op\":\"replace\",\"path\":\"emails[type eq\",\"value\":1}]}".to_vec()),
            400,
        ),
        ("GET", "/Schemas/urn:nobody", None, 404),
        ("GET", "/ResourceTypes/Pet", None, 404),
        ("GET", "/Users?startIndex=abc", None, 400),
        ("GET", "/Users?sortBy=shoeSize", None, 400),
        ("GET", "/Me", None, 501),
    ];
    for (method, path, body, status) in cases {
        let answer = tool.send(method, path, &json_type, body).await.unwrap();
        let shown = format!("{method} {path}");
        assert_eq!(answer.status, status, "{shown}: {}", answer.text);
        is_scim_error(&answer, status);
    }
    assert_eq!(tool.get(&user).await.expect(200).json()["meta"]["version"], "W/\"1\"");
}

/// C-12: 401 and 403, told apart, and no tenant is told of another.
#[tokio::test(flavor = "multi_thread")]
async fn c12_who_has_no_token_is_told_so() {
    let world = World::start().await;
    let tool = world.tool();
    for authorization in ["", "Bearer", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "non-token"] {
        let answer = tool.send("GET", "/Users", &[("authorization", authorization)], None).await.unwrap();
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
        is_scim_error(&answer, 401);
    }
}

/// Two thousand brackets are answered in milliseconds.
#[tokio::test(flavor = "multi_thread")]
async fn deep_filters_are_refused_at_once() {
    let world = World::start().await;
    let tool = world.tool();
    let _ = tool.get("/Users").await.expect(200);
    let deep = format!("{}userName pr{}", "(".repeat(2_000), ")".repeat(2_000));
    let many = vec!["title pr"; 1_500].join(" or ");
    for filter in [deep, "(".repeat(2_000), "not(".repeat(1_500), many] {
        let asked = Instant::now();
        let answer = tool.post("/.search", &json!({"filter": filter})).await;
        is_scim_error(&answer, 400);
        assert_eq!(answer.json()["scimType"], "invalidFilter");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
}

/// Whatever JSON comes: never a 500, never a panic, and the gateway goes on.
#[tokio::test(flavor = "multi_thread")]
async fn fuzzed_bodies_paths_and_filters_never_make_a_500() {
    let world = World::start().await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let group = tool.post("/Groups", &json!({"displayName": "G"})).await.expect(201).id();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let name = prop::sample::select(vec![
        "schemas",
        "userName",
        "name",
        "givenName",
        "emails",
        "value",
        "type",
        "primary",
        "active",
        "members",
        "op",
        "path",
        "Operations",
        "id",
        "meta",
        "manager",
        "displayName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "groups",
        "password",
        "locale",
        "timezone",
        "$ref",
        "externalId",
        "title",
    ]);
    let text = prop_oneof![
        name.clone().prop_map(str::to_owned),
        prop::sample::select(vec![
            "add",
            "replace",
            "remove",
            "members[value eq \"x\"]",
            "emails[type eq \"work\"].value",
            "true",
            "False",
            ""
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let anything = leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone().prop_map(str::to_owned), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    for _ in 0..400 {
        let body = anything.new_tree(&mut runner).unwrap().current();
        let path = text.new_tree(&mut runner).unwrap().current();
        let operation = json!([{"op": "replace", "path": path, "value": body.clone()}]);
        let answers = [
            tool.post("/Users", &body).await,
            tool.put(&format!("/Users/{ada}"), &body).await,
            tool.patch(&format!("/Users/{ada}"), operation.clone()).await,
            tool.patch(&format!("/Groups/{group}"), operation).await,
            tool.post("/Bulk", &body).await,
            tool.post("/.search", &body).await,
            tool.find_users(&path).await,
            tool.get(&format!("/Users/{}", encode(&path))).await,
            tool.get(&format!("/Users?sortBy={}&attributes={0}", encode(&path))).await,
        ];
        for answer in answers {
            assert!(answer.status < 500, "{} for {body} and {path}: {}", answer.status, answer.text);
            if answer.status >= 400 {
                is_scim_error(&answer, answer.status);
            }
        }
    }
}

/// C-1, C-2, C-3, C-8: one resource, many ways to write its address.
#[tokio::test(flavor = "multi_thread")]
async fn c01_addresses_are_read_as_tools_write_them() {
    let world = World::start().await;
    let _ = world.tool().create("ada@acme.example").await.expect(201);
    for base in ["/scim/v2", "/services/scim/v2", "/acme/prod/scim/v2", "/acme/prod/services/scim/v2"] {
        let tool = world.tool_at(base, e2e::world::TOKEN);
        for path in [
            "/Users",
            "//Users",
            "/Users/",
            "/users",
            "/USERS",
            "/Users?aadOptscim062020",
            "/Users?aadOptscim062020=true&x=y",
        ] {
            assert_eq!(tool.get(path).await.expect(200).json()["totalResults"], 1, "{base}{path}");
        }
        for path in ["/ServiceProviderConfig", "/ServiceProviderConfigs", "/serviceproviderconfig"] {
            assert_eq!(tool.get(path).await.expect(200).json()["patch"]["supported"], true, "{base}{path}");
        }
    }
    let stranger = world.tool_at("/other/prod/scim/v2", e2e::world::TOKEN);
    let _ = stranger.get("/Users").await.expect(401);
}
