//! §9 "Tree; Graph; Batch".

use serde_json::{Value, json};

use crate::world::{V, World};

fn post(object: &str, reference: &str, body: Value) -> Value {
    json!({"method": "POST", "url": format!("{V}/sobjects/{object}"), "referenceId": reference, "body": body})
}

/// §9: Graph: each graph is all or nothing for itself.
#[tokio::test]
async fn every_graph_stands_or_falls_alone() {
    let world = World::start().await;
    let good = json!([
        post("Account", "a", json!({"Name": "Engines"})),
        post("Contact", "c", json!({"LastName": "Good", "AccountId": "@{a.id}"})),
    ]);
    let bad = json!([
        post("Account", "a", json!({"Name": "Never"})),
        post("Contact", "c", json!({"AccountId": "@{a.id}"})),
        post("Contact", "d", json!({"LastName": "Late"})),
    ]);
    let graphs = json!({"graphs": [
        {"graphId": "1", "compositeRequest": bad},
        {"graphId": "2", "compositeRequest": good},
    ]});
    let answer = world.post(&format!("{V}/composite/graph"), graphs).await.expect(200);
    let [first, second] = [&answer["graphs"][0], &answer["graphs"][1]];
    let keys: Vec<_> = first.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["graphId", "graphResponse", "isSuccessful"]);
    assert_eq!((&first["isSuccessful"], &second["isSuccessful"]), (&json!(false), &json!(true)));
    let items = first["graphResponse"]["compositeResponse"].as_array().unwrap();
    let codes: Vec<_> = items.iter().map(|item| item["body"][0]["errorCode"].as_str().unwrap()).collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]);
    let items = second["graphResponse"]["compositeResponse"].as_array().unwrap();
    assert_eq!(items[1]["httpStatusCode"], 201);
    assert!(world.query("SELECT Id FROM Account WHERE Name = 'Never'").await.is_empty());
    let contacts = world.query("SELECT Account.Name FROM Contact WHERE LastName = 'Good'").await;
    assert_eq!(contacts[0]["Account"]["Name"], "Engines");
    assert_eq!(world.sim.handle().calls()["by_request"]["POST /composite/graph"], 1);
}

#[tokio::test]
async fn graphs_have_their_limits() {
    let world = World::start().await;
    let path = format!("{V}/composite/graph");
    let graph = |id: usize, parts: Vec<Value>| json!({"graphId": id.to_string(), "compositeRequest": parts});
    let node = |n: usize| post("Contact", &format!("n{n}"), json!({"LastName": "x"}));
    let chain = |n: usize| {
        let above = if n == 0 { Value::Null } else { json!(format!("@{{n{}.id}}", n - 1)) };
        post("Contact", &format!("n{n}"), json!({"LastName": "x", "ReportsToId": above}))
    };
    let query = json!({"method": "GET", "url": format!("{V}/query?q=x"), "referenceId": "q"});
    for (graphs, code) in [
        ((0..76).map(|n| graph(n, vec![node(0)])).collect::<Vec<_>>(), "LIMIT_EXCEEDED"),
        ((0..6).map(|n| graph(n, (0..84).map(node).collect())).collect(), "LIMIT_EXCEEDED"),
        (vec![graph(1, (0..16).map(chain).collect())], "LIMIT_EXCEEDED"),
        (vec![graph(1, vec![node(1)]), graph(1, vec![node(1)])], "INVALID_BATCH_REQUEST"),
        (vec![graph(1, vec![query])], "INVALID_BATCH_REQUEST"),
        (vec![], "JSON_PARSER_ERROR"),
    ] {
        world.post(&path, json!({"graphs": graphs})).await.expect_error(400, code);
    }
    assert!(world.query("SELECT Id FROM Contact WHERE LastName = 'x'").await.is_empty());
    let deep = json!({"graphs": [graph(1, (0..15).map(chain).collect())]});
    assert_eq!(world.post(&path, deep).await.expect(200)["graphs"][0]["isSuccessful"], true);
    world.get(&path).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

/// §9: Batch: serial, independent, each subrequest counts.
#[tokio::test]
async fn a_batch_runs_its_calls_one_after_the_other() {
    let world = World::start().await;
    let path = format!("{V}/composite/batch");
    let parts = |halt: bool| {
        json!({"haltOnError": halt, "batchRequests": [
            {"method": "POST", "url": "v66.0/sobjects/Contact", "richInput": {"LastName": "Batch"}},
            {"method": "GET", "url": "v66.0/sobjects/Nope"},
            {"method": "GET", "url": "/services/data/v66.0/query?q=SELECT COUNT() FROM Contact WHERE LastName = 'Batch'"},
        ]})
    };
    let before = used(&world).await;
    let answer = world.post(&path, parts(false)).await.expect(200);
    assert_eq!(used(&world).await - before, 3 + 1, "three for the batch, one for the call that asks");
    assert_eq!(answer["hasErrors"], true);
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["statusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 404, 200]);
    assert_eq!(results[0]["result"]["success"], true);
    assert_eq!(results[1]["result"][0]["errorCode"], "NOT_FOUND");
    assert_eq!(results[2]["result"]["totalSize"], 1, "it sees what the one before it wrote");
    let halted = world.post(&path, parts(true)).await.expect(200);
    let expected = json!({"statusCode": 412, "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]});
    assert_eq!(halted["results"][2], expected);
    let id = results[0]["result"]["id"].as_str().unwrap();
    let update = json!({"batchRequests": [{"method": "PATCH", "url": format!("v66.0/sobjects/Contact/{id}"), "richInput": {"FirstName": "x"}}]});
    let answer = world.post(&path, update).await.expect(200);
    assert_eq!(answer, json!({"hasErrors": false, "results": [{"statusCode": 204, "result": null}]}));
    let get = json!({"method": "GET", "url": "v66.0/limits"});
    world.post(&path, json!({"batchRequests": vec![get; 26]})).await.expect_error(400, "LIMIT_EXCEEDED");
}

async fn used(world: &World) -> i64 {
    let answer = world.get(&format!("{V}/limits")).await;
    let info = answer.header("sforce-limit-info").to_owned();
    info.trim_start_matches("api-usage=").split('/').next().unwrap().parse().unwrap()
}

fn record(kind: &str, reference: &str, mut body: Value) -> Value {
    body["attributes"] = json!({"type": kind, "referenceId": reference});
    body
}

/// §9: Tree: parents with their children, level by level, all or none.
#[tokio::test]
async fn a_tree_is_created_whole() {
    let world = World::start().await;
    let path = format!("{V}/composite/tree/Account");
    let child = |reference: &str, name: &str| record("Contact", reference, json!({"LastName": name}));
    let tree = json!({"records": [
        record("Account", "r1", json!({"Name": "Tree", "Contacts": {"records": [child("r2", "A"), child("r3", "B")]}})),
        record("Account", "r4", json!({"Name": "Bush"})),
    ]});
    let answer = world.post(&path, tree).await.expect(201);
    assert_eq!(answer["hasErrors"], false);
    let references: Vec<_> =
        answer["results"].as_array().unwrap().iter().map(|r| r["referenceId"].as_str().unwrap()).collect();
    assert_eq!(references, ["r1", "r4", "r2", "r3"]);
    let rows = world.query("SELECT Id FROM Contact WHERE Account.Name = 'Tree'").await;
    assert_eq!(rows.len(), 2);
    let bad = json!({"records": [
        record("Account", "r1", json!({"Name": "Rotten", "Contacts": {"records": [record("Contact", "r2", json!({"LastName": "x", "Email": "123"}))]}})),
    ]});
    let answer = world.post(&path, bad).await.expect(400);
    assert_eq!(
        answer,
        json!({"hasErrors": true, "results": [{"referenceId": "r2", "errors": [
            {"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: 123", "fields": ["Email"]},
        ]}]})
    );
    assert!(world.query("SELECT Id FROM Account WHERE Name = 'Rotten'").await.is_empty());
}

#[tokio::test]
async fn a_tree_has_its_limits() {
    let world = World::start().await;
    let path = format!("{V}/composite/tree/Account");
    let twice = json!({"records": [record("Account", "r", json!({"Name": "x"})), record("Account", "r", json!({"Name": "x"}))]});
    let answer = world.post(&path, twice).await.expect(400);
    assert_eq!(answer["results"][0]["errors"][0]["statusCode"], "INVALID_INPUT");
    let wrong = json!({"records": [record("Contact", "r", json!({"LastName": "x"}))]});
    assert_eq!(world.post(&path, wrong).await.expect(400)["hasErrors"], true);
    let many: Vec<_> = (0..201).map(|n| record("Account", &format!("r{n}"), json!({"Name": "x"}))).collect();
    world.post(&path, json!({"records": many})).await.expect_error(400, "LIMIT_EXCEEDED");
    let mut deep = record("Account", "d0", json!({"Name": "x"}));
    for n in 1..6 {
        deep =
            record("Account", &format!("d{n}"), json!({"Name": "x", "ChildAccounts": {"records": [deep]}}));
    }
    world.post(&path, json!({"records": [deep]})).await.expect_error(400, "LIMIT_EXCEEDED");
    world.post(&path, json!({"records": []})).await.expect_error(400, "JSON_PARSER_ERROR");
    world
        .post(&format!("{V}/composite/tree/Nope"), json!({"records": []}))
        .await
        .expect_error(404, "NOT_FOUND");
    assert!(world.query("SELECT Id FROM Account WHERE Name = 'x'").await.is_empty());
}
