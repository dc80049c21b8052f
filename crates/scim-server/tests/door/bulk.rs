//! Many operations in one request (RFC 7644 §3.7).

use serde_json::{Value, json};

use crate::harness::{ROOT, World};

async fn bulk(world: &World, body: Value) -> Vec<Value> {
    let answer = world.call("POST", "/Bulk", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let response = answer.json();
    assert_eq!(response["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    response["Operations"].as_array().unwrap().clone()
}

fn post(bulk_id: &str, name: &str, members: Value) -> Value {
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": {"displayName": name, "members": members}})
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_operation_has_its_result() {
    let world = World::start();
    let kept = world.group("Kept", &[]).await;
    let gone = world.group("Gone", &[]).await;
    let results = bulk(
        &world,
        json!({"Operations": [
            post("a", "New", json!([])),
            {"method": "PUT", "path": format!("/Groups/{kept}"), "data": {"displayName": "Renamed"}},
            {"method": "patch", "path": format!("/groups/{kept}"), "data":
                {"Operations": [{"op": "add", "path": "externalId", "value": "x"}]}},
            {"method": "DELETE", "path": format!("/Groups/{gone}")},
            {"method": "DELETE", "path": "/Groups/nobody"},
            {"method": "POST", "path": "/Devices", "bulkId": "d", "data": {}},
            post("b", "New", json!([])),
        ]}),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "200", "200", "204", "404", "404", "409"]);
    let location = |id: &str| format!("https://scim.example.com{ROOT}/Groups/{id}");
    assert_eq!((&results[0]["bulkId"], &results[0]["version"]), (&"a".into(), &"W/\"1\"".into()));
    let made = results[0]["location"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(world.get(&format!("/Groups/{made}")).await.json()["displayName"], "New");
    assert_eq!(
        (&results[1]["location"], &results[1]["version"]),
        (&location(&kept).into(), &"W/\"2\"".into())
    );
    assert_eq!((&results[2]["method"], &results[2]["version"]), (&"PATCH".into(), &"W/\"3\"".into()));
    assert_eq!(results[3]["location"], location(&gone));
    assert_eq!(results[4]["location"], location("nobody"));
    assert_eq!(results[4]["response"]["status"], "404");
    assert_eq!(
        (&results[6]["response"]["scimType"], results[6].get("location")),
        (&"uniqueness".into(), None)
    );
    let group = world.get(&format!("/Groups/{kept}")).await.json();
    assert_eq!((&group["displayName"], &group["externalId"]), (&"Renamed".into(), &"x".into()));
}

#[tokio::test]
async fn operations_refer_to_each_other_in_any_order() {
    let world = World::start();
    let results = bulk(
        &world,
        json!({"Operations": [
            post("outer", "Outer", json!([{"value": "bulkId:inner"}])),
            post("inner", "Inner", json!([])),
            {"method": "PATCH", "path": "/Groups/bulkId:inner", "data":
                {"Operations": [{"op": "replace", "path": "displayName", "value": "Innermost"}]}},
        ]}),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "201", "200"]);
    let id = |result: &Value| result["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let outer = world.get(&format!("/Groups/{}", id(&results[0]))).await.json();
    assert_eq!(outer["members"][0]["value"], id(&results[1]));
    assert_eq!(outer["members"][0]["display"], "Innermost");
}

#[tokio::test]
async fn a_circle_of_references_is_made_all_the_same() {
    let world = World::start();
    let results = bulk(
        &world,
        json!({"Operations": [
            post("a", "A", json!([{"value": "bulkId:b"}])),
            post("b", "B", json!([{"value": "bulkId:a"}])),
        ]}),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "201"]);
    for result in &results {
        let id = result["location"].as_str().unwrap().rsplit('/').next().unwrap();
        let group = world.get(&format!("/Groups/{id}")).await.json();
        assert_eq!(group["members"].as_array().unwrap().len(), 1, "{group}");
        assert_eq!(group["meta"]["version"], result["version"]);
    }
}

#[tokio::test]
async fn what_refers_to_a_failure_fails() {
    let world = World::start();
    world.group("Taken", &[]).await;
    let results = bulk(
        &world,
        json!({"Operations": [
            post("a", "Taken", json!([])),
            post("b", "B", json!([{"value": "bulkId:a"}])),
            post("c", "C", json!([{"value": "bulkId:nowhere"}])),
        ]}),
    )
    .await;
    assert_eq!(statuses(&results), ["409", "409", "400"]);
    assert_eq!(world.get("/Groups").await.json()["totalResults"], 1);
}

#[tokio::test]
async fn fail_on_errors_stops_and_leaves_the_rest_out() {
    let world = World::start();
    let delete = |id: &str| json!({"method": "DELETE", "path": format!("/Groups/{id}")});
    let operations = json!([post("a", "A", json!([])), delete("x"), delete("y"), post("b", "B", json!([]))]);
    let results = bulk(&world, json!({"failOnErrors": 2, "Operations": operations})).await;
    assert_eq!(statuses(&results), ["201", "404", "404"]);
    assert_eq!(world.get("/Groups").await.json()["totalResults"], 1);
    let operations = json!([delete("x"), delete("y"), post("b", "B", json!([]))]);
    let results = bulk(&world, json!({"failOnErrors": null, "Operations": operations})).await;
    assert_eq!(statuses(&results), ["404", "404", "201"]);
}

#[tokio::test]
async fn operations_on_one_resource_keep_their_order() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let rename = |number: usize| json!({"method": "PUT", "path": format!("/Groups/{id}"), "data": {"displayName": format!("Crew {number}")}});
    let operations: Vec<_> = (0..40).map(rename).collect();
    let results = bulk(&world, json!({"Operations": operations})).await;
    let versions: Vec<_> =
        results.iter().map(|result| result["version"].as_str().unwrap().to_owned()).collect();
    assert_eq!(versions, (2..42).map(|version| format!("W/\"{version}\"")).collect::<Vec<_>>());
    assert_eq!(world.get(&format!("/Groups/{id}")).await.json()["displayName"], "Crew 39");
    let twice = json!({"Operations": [post("a", "Same", json!([])), post("b", "same", json!([]))]});
    assert_eq!(statuses(&bulk(&world, twice).await), ["201", "409"]);
}

#[tokio::test]
async fn a_version_is_the_condition_of_its_operation() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let delete = |version| json!({"Operations": [{"method": "DELETE", "path": format!("/Groups/{id}"), "version": version}]});
    assert_eq!(statuses(&bulk(&world, delete("W/\"7\"")).await), ["412"]);
    assert_eq!(statuses(&bulk(&world, delete("W/\"1\"")).await), ["204"]);
}

#[tokio::test]
async fn what_is_no_bulk_request_is_refused_whole() {
    let world = World::start();
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": {}}),
        json!({"Operations": [1]}),
        json!({"Operations": [{}]}),
    ] {
        world.call("POST", "/Bulk", body).await.refused(400, Some("invalidSyntax"));
    }
}

#[tokio::test]
async fn a_large_bulk_request_is_done_whole() {
    let world = World::start();
    let operations: Vec<_> =
        (0..200).map(|number| post(&format!("g{number}"), &format!("Group {number}"), json!([]))).collect();
    let results = bulk(&world, json!({"Operations": operations})).await;
    assert!(results.iter().all(|result| result["status"] == "201"));
    assert_eq!(world.get("/Groups?count=0").await.json()["totalResults"], 200);
}
