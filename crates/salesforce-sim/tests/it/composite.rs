//! §9 "Composite" and "Collections".

use serde_json::{Value, json};

use crate::world::{V, World, with};

const USERS: &str = "/services/data/v66.0/sobjects/User";

async fn composite(world: &World, all_or_none: bool, parts: Vec<Value>) -> Vec<Value> {
    let body = json!({"allOrNone": all_or_none, "collateSubrequests": false, "compositeRequest": parts});
    let answer = world.post(&format!("{V}/composite"), body).await.expect(200);
    assert_eq!(answer.as_object().unwrap().len(), 1);
    answer["compositeResponse"].as_array().unwrap().clone()
}

fn part(method: &str, url: &str, reference: &str, body: Value) -> Value {
    json!({"method": method, "url": url, "referenceId": reference, "body": body})
}

/// §9: ordering, `@{ref.field}` substitution in url and body, per-item headers and status.
#[tokio::test]
async fn later_parts_use_the_answers_of_earlier_ones() {
    let world = World::start().await;
    let boss = world.person("boss@example.com").await;
    let ada = with(world.person("ada@example.com").await, json!({"ManagerId": "@{boss.id}"}));
    let soql = "SELECT Id, Username FROM User WHERE ManagerId = '@{boss.id}'";
    let items = composite(
        &world,
        true,
        vec![
            part("POST", USERS, "boss", boss),
            part("POST", USERS, "ada", ada),
            part("PATCH", &format!("{USERS}/@{{ada.id}}"), "title", json!({"Title": "x"})),
            part("GET", &format!("{V}/query?q={soql}"), "people", Value::Null),
            part("GET", &format!("{USERS}/@{{people.records[0].Id}}?fields=Title"), "read", Value::Null),
        ],
    )
    .await;
    let keys: Vec<_> = items[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["body", "httpHeaders", "httpStatusCode", "referenceId"]);
    let statuses: Vec<_> = items.iter().map(|item| item["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 204, 200, 200], "{items:?}");
    let boss = items[0]["body"]["id"].as_str().unwrap();
    assert_eq!(items[0]["httpHeaders"], json!({"Location": format!("{USERS}/{boss}")}));
    assert_eq!(items[2]["body"], Value::Null);
    assert_eq!(items[3]["body"]["records"][0]["Username"], "ada@example.com");
    assert_eq!(items[4]["body"]["Title"], "x");
    let calls = world.sim.handle().calls();
    assert_eq!(calls["by_request"]["POST /composite"], 1, "a composite call is one call");
}

/// §9: allOrNone rollback bodies.
#[tokio::test]
async fn all_or_none_takes_everything_back() {
    let world = World::start().await;
    let first = world.person("a@example.com").await;
    let second = with(world.person("b@example.com").await, json!({"Alias": "far too long"}));
    let third = world.person("c@example.com").await;
    let used = || async {
        world.query("SELECT UsedLicenses FROM UserLicense WHERE Name = 'Salesforce'").await[0]["UsedLicenses"]
            .clone()
    };
    let before = used().await;
    let items = composite(
        &world,
        true,
        vec![
            part("POST", USERS, "a", first),
            part("POST", USERS, "b", second),
            part("POST", USERS, "c", third),
        ],
    )
    .await;
    let halted = json!([{
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }]);
    assert_eq!((&items[0]["body"], &items[0]["httpStatusCode"]), (&halted, &json!(400)));
    assert_eq!(items[0]["httpHeaders"], json!({}));
    assert_eq!(items[1]["body"][0]["errorCode"], "STRING_TOO_LONG");
    assert_eq!((&items[2]["body"], &items[2]["referenceId"]), (&halted, &json!("c")));
    assert_eq!(world.sim.handle().count("User"), 2);
    assert_eq!(world.sim.handle().count("UserLogin"), 2);
    assert_eq!(used().await, before, "the seat is free again");
    world.create("a@example.com", json!({})).await;
}

/// §9: with allOrNone false only what depends on a failed part fails with it.
#[tokio::test]
async fn without_all_or_none_every_part_stands_for_itself() {
    let world = World::start().await;
    let bad = with(world.person("a@example.com").await, json!({"Email": "x"}));
    let good = world.person("b@example.com").await;
    let items = composite(
        &world,
        false,
        vec![
            part("POST", USERS, "a", bad),
            part("PATCH", &format!("{USERS}/@{{a.id}}"), "t", json!({"Title": "x"})),
            part("POST", USERS, "b", good),
            part("GET", &format!("{USERS}/005000000000000AAA"), "n", Value::Null),
        ],
    )
    .await;
    let statuses: Vec<_> = items.iter().map(|item| item["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [400, 400, 201, 404]);
    assert_eq!(
        items[1]["body"],
        json!([{"message": "Invalid reference specified. No value for a.id found in a.", "errorCode": "PROCESSING_HALTED"}])
    );
    assert_eq!(items[3]["body"][0]["errorCode"], "NOT_FOUND");
}

/// §9: 25/5 limits; envelope errors are 400.
#[tokio::test]
async fn an_envelope_has_its_limits() {
    let world = World::start().await;
    let get = |n: usize| part("GET", &format!("{V}/limits"), &format!("r{n}"), Value::Null);
    let query = |n: usize| {
        part("GET", &format!("{V}/query?q=SELECT Id FROM User LIMIT 1"), &format!("r{n}"), Value::Null)
    };
    assert_eq!(composite(&world, false, (0..25).map(get).collect()).await.len(), 25);
    assert_eq!(composite(&world, false, (0..5).map(query).collect()).await.len(), 5);
    for (parts, code) in [
        ((0..26).map(get).collect::<Vec<_>>(), "LIMIT_EXCEEDED"),
        ((0..6).map(query).collect(), "LIMIT_EXCEEDED"),
        (vec![json!({"method": "GET", "url": "/x"})], "JSON_PARSER_ERROR"),
        (vec![get(1), get(1)], "INVALID_BATCH_REQUEST"),
        (vec![part("GET", "/x", "1a", Value::Null)], "INVALID_BATCH_REQUEST"),
        (vec![], "REQUIRED_FIELD_MISSING"),
    ] {
        world
            .post(&format!("{V}/composite"), json!({"compositeRequest": parts}))
            .await
            .expect_error(400, code);
    }
    let nested =
        composite(&world, false, vec![part("POST", &format!("{V}/composite"), "x", json!({}))]).await;
    assert_eq!(nested[0]["httpStatusCode"], 400);
}

/// §8 of the recorded shapes: a 304 inside has a null body and its headers.
#[tokio::test]
async fn a_part_can_be_conditional() {
    let world = World::start().await;
    let path = format!("{V}/sobjects/User/describe");
    let etag = world.get(&path).await.header("etag").to_owned();
    let mut part = part("GET", &path, "d", Value::Null);
    part["httpHeaders"] = json!({"If-None-Match": etag});
    let items = composite(&world, false, vec![part]).await;
    assert_eq!((&items[0]["httpStatusCode"], &items[0]["body"]), (&json!(304), &Value::Null));
    assert_eq!(items[0]["httpHeaders"]["ETag"], etag);
}

fn record(mut body: Value) -> Value {
    body["attributes"] = json!({"type": "User"});
    body
}

/// §9: Collections keep the order and use `statusCode`; a failed create has no `id` key.
#[tokio::test]
async fn collections_answer_record_by_record() {
    let world = World::start().await;
    let bad = with(world.person("b@example.com").await, json!({"Email": "x"}));
    let records = [
        record(world.person("a@example.com").await),
        record(bad),
        record(with(world.person("c@example.com").await, json!({"Nope__c": 1}))),
        json!({"attributes": {"type": "Nope"}}),
        record(world.person("A@example.com").await),
    ];
    let answer =
        world.post(&format!("{V}/composite/sobjects"), json!({"records": records})).await.expect(200);
    let id = answer[0]["id"].as_str().unwrap();
    assert_eq!(answer[0], json!({"id": id, "success": true, "errors": []}));
    let error = json!({"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: x", "fields": ["Email"]});
    assert_eq!(answer[1].to_string(), json!({"success": false, "errors": [error]}).to_string());
    assert_eq!(answer[2]["errors"][0]["fields"], json!([]), "here `fields` is always there");
    assert_eq!(answer[3]["errors"][0]["statusCode"], "INVALID_TYPE");
    assert_eq!(answer[4]["errors"][0]["statusCode"], "DUPLICATE_USERNAME", "of the record before it");
}

#[tokio::test]
async fn collections_all_or_none() {
    let world = World::start().await;
    let records = [record(world.person("a@example.com").await), record(json!({"Username": "b@example.com"}))];
    let body = json!({"allOrNone": true, "records": records});
    let answer = world.post(&format!("{V}/composite/sobjects"), body).await.expect(200);
    let rolled_back = json!({
        "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
        "fields": [],
    });
    assert_eq!(answer[0], json!({"success": false, "errors": [rolled_back]}));
    assert_eq!(answer[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(world.sim.handle().count("User"), 2);
}

/// §9: Collections 200 limit.
#[tokio::test]
async fn collections_take_200_records() {
    let world = World::start().await;
    let path = format!("{V}/composite/sobjects");
    let empty = world.post(&path, json!({"records": []})).await;
    assert_eq!(
        empty.text,
        r#"[{"message":"At least 1 record is required","errorCode":"REQUIRED_FIELD_MISSING"}]"#
    );
    let template = world.person("x@example.com").await;
    let person = |n: usize| record(with(template.clone(), json!({"Username": format!("p{n}@example.com")})));
    let all = |n: usize| json!({"records": (0..n).map(person).collect::<Vec<_>>()});
    let error = world.post(&path, all(201)).await.expect_error(400, "EXCEEDED_ID_LIMIT");
    assert_eq!(error["message"], "record limit reached. cannot submit more than 200 records into this call");
    let created = world.post(&path, all(200)).await.expect(200);
    assert!(created.as_array().unwrap().iter().all(|item| item["success"] == true));
    assert_eq!(world.sim.handle().count("User"), 202);
}

#[tokio::test]
async fn collections_update_and_retrieve() {
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let records = json!({"records": [
        record(json!({"id": id, "Title": "x"})),
        record(json!({"Title": "y"})),
        record(json!({"Id": "005000000000000AAA", "Title": "z"})),
    ]});
    let answer = world.patch(&format!("{V}/composite/sobjects"), records).await.expect(200);
    assert_eq!(answer[0]["success"], true);
    let missing = json!({"statusCode": "MISSING_ARGUMENT", "message": "Id not specified in an update call", "fields": []});
    assert_eq!(answer[1], json!({"success": false, "errors": [missing]}));
    assert_eq!(answer[2]["errors"][0]["statusCode"], "INVALID_CROSS_REFERENCE_KEY");
    let path = format!("{V}/composite/sobjects/User");
    let body = json!({"ids": [id, "005000000000000AAA"], "fields": ["Title"]});
    let read = world.post(&path, body).await.expect(200);
    assert_eq!((&read[0]["Title"], &read[1]), (&json!("x"), &Value::Null));
    let same = world.get(&format!("{path}?ids={id},005000000000000AAA&fields=Title")).await.expect(200);
    assert_eq!(same, read);
    world.post(&path, json!({"ids": [id], "fields": ["Nope"]})).await.expect_error(400, "INVALID_FIELD");
}

/// §9: upsert items carry `created` last; a key twice in one payload is refused on both.
#[tokio::test]
async fn collections_upsert() {
    let world = World::start().await;
    let path = format!("{V}/composite/sobjects/User/FederationIdentifier");
    let person = |name: &str, template: &Value| {
        record(with(
            template.clone(),
            json!({"Username": format!("{name}@example.com"), "FederationIdentifier": name}),
        ))
    };
    let template = world.person("x@example.com").await;
    let first = world.patch(&path, json!({"records": [person("a", &template)]})).await.expect(200);
    let id = first[0]["id"].as_str().unwrap();
    assert_eq!(first[0].to_string(), format!(r#"{{"id":"{id}","success":true,"errors":[],"created":true}}"#));
    let records =
        [person("a", &template), person("b", &template), person("c", &template), person("c", &template)];
    let second = world.patch(&path, json!({"records": records})).await.expect(200);
    assert_eq!((&second[0]["created"], &second[1]["created"]), (&json!(false), &json!(true)));
    for item in [&second[2], &second[3]] {
        assert_eq!(item["errors"][0]["message"], "Duplicate external id specified: c");
    }
    // With Id as the key, null creates.
    let mut by_id = person("d", &template);
    by_id["Id"] = Value::Null;
    let path = format!("{V}/composite/sobjects/User/Id");
    let created = world.patch(&path, json!({"records": [by_id]})).await.expect(200);
    assert_eq!(created[0]["created"], true);
}

/// §2.10: per-subrequest headers, except those that the call around it settles.
#[tokio::test]
async fn a_part_has_headers_of_its_own() {
    let world = World::start().await;
    for name in ["Accept", "authorization", "Content-Type"] {
        let mut part = part("GET", &format!("{V}/limits"), "l", Value::Null);
        part["httpHeaders"] = json!({name: "x"});
        let answer = world.post(&format!("{V}/composite"), json!({"compositeRequest": [part]})).await;
        answer.expect_error(400, "INVALID_BATCH_REQUEST");
    }
    let id = world.create("ada@example.com", json!({})).await;
    let mut part = part("PATCH", &format!("{USERS}/{id}"), "u", json!({"Title": "x"}));
    part["httpHeaders"] = json!({"If-Unmodified-Since": "Thu, 05 Mar 2015 16:10:00 GMT"});
    let items = composite(&world, false, vec![part]).await;
    assert_eq!(
        (&items[0]["httpStatusCode"], &items[0]["body"][0]["errorCode"]),
        (&json!(412), &json!("PRECONDITION_FAILED"))
    );
}

/// A Collections part hands its ids on by their place.
#[tokio::test]
async fn parts_refer_into_collections() {
    let world = World::start().await;
    let contact = |name: &str| json!({"attributes": {"type": "Contact"}, "LastName": name});
    let items = composite(
        &world,
        true,
        vec![
            part(
                "POST",
                &format!("{V}/composite/sobjects"),
                "all",
                json!({"records": [contact("a"), contact("b")]}),
            ),
            part(
                "PATCH",
                &format!("{V}/sobjects/Contact/@{{all[1].id}}"),
                "p",
                json!({"ReportsToId": "@{all[0].id}"}),
            ),
            part("GET", &format!("{V}/sobjects/Contact/@{{all[1].id}}?fields=ReportsToId"), "g", Value::Null),
        ],
    )
    .await;
    assert_eq!(items[2]["body"]["ReportsToId"], items[0]["body"][0]["id"]);
    let items = composite(
        &world,
        false,
        vec![
            part(
                "POST",
                &format!("{V}/composite/sobjects"),
                "all",
                json!({"records": [json!({"attributes": {"type": "Contact"}})]}),
            ),
            part("DELETE", &format!("{V}/sobjects/Contact/@{{all[0].id}}"), "d", Value::Null),
        ],
    )
    .await;
    assert_eq!(items[1]["body"][0]["errorCode"], "PROCESSING_HALTED");
}
