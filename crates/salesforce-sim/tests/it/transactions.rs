//! §2.11 and §9 "Mixed-DML with the User exceptions; per-transaction boundary rules".

use serde_json::{Value, json};

use crate::world::{V, World, with};

fn post(object: &str, reference: &str, body: Value) -> Value {
    json!({"method": "POST", "url": format!("{V}/sobjects/{object}"), "referenceId": reference, "body": body})
}

async fn composite(world: &World, all_or_none: bool, parts: Vec<Value>) -> Vec<Value> {
    let body = json!({"allOrNone": all_or_none, "compositeRequest": parts});
    world.post(&format!("{V}/composite"), body).await.expect(200)["compositeResponse"]
        .as_array()
        .unwrap()
        .clone()
}

async fn role(world: &World) -> Value {
    world.query("SELECT Id FROM UserRole WHERE Name = 'CEO'").await[0]["Id"].clone()
}

/// §9: Mixed-DML with the User exceptions of 2.11.
#[tokio::test]
async fn one_transaction_does_not_mix_setup_and_other_objects() {
    let world = World::start().await;
    let contact = || post("Contact", "c", json!({"LastName": "Mixed"}));
    let plain = world.person("plain@example.com").await;
    let with_role = with(world.person("role@example.com").await, json!({"UserRoleId": role(&world).await}));
    let items = composite(&world, true, vec![contact(), post("User", "u", with_role.clone())]).await;
    assert_eq!(
        items[1]["body"],
        json!([{
            "message": "DML operation on setup object is not permitted after you have updated a non-setup object \
                        (or vice versa): User, original object: Contact",
            "errorCode": "MIXED_DML_OPERATION",
            "fields": [],
        }])
    );
    assert_eq!(items[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert!(world.query("SELECT Id FROM Contact WHERE LastName = 'Mixed'").await.is_empty());
    // The other way round, the other names.
    let items = composite(&world, true, vec![post("User", "u", with_role.clone()), contact()]).await;
    let message = items[1]["body"][0]["message"].as_str().unwrap();
    assert!(message.ends_with(": Contact, original object: User"), "{message}");
    // A new User without a role may stand beside anything, and each subrequest for itself may too.
    let items = composite(&world, true, vec![contact(), post("User", "u", plain)]).await;
    assert_eq!(items[1]["httpStatusCode"], 201, "{items:?}");
    let items = composite(&world, false, vec![contact(), post("User", "u", with_role)]).await;
    assert_eq!(items[1]["httpStatusCode"], 201, "{items:?}");
}

/// §2.11: an update of a User that leaves role, profile, name and activity alone is no setup operation.
#[tokio::test]
async fn only_some_changes_of_a_user_are_setup() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let patch = |body: Value| json!({"method": "PATCH", "url": format!("{V}/sobjects/User/{id}"), "referenceId": "u", "body": body});
    let contact = || post("Contact", "c", json!({"LastName": "Mixed"}));
    let items =
        composite(&world, true, vec![contact(), patch(json!({"Title": "x", "IsActive": true}))]).await;
    assert_eq!(items[1]["httpStatusCode"], 204, "{items:?}");
    for change in
        [json!({"IsActive": false}), json!({"Username": "b@example.com"}), json!({"ForecastEnabled": true})]
    {
        let items = composite(&world, true, vec![contact(), patch(change.clone())]).await;
        assert_eq!(items[1]["body"][0]["errorCode"], "MIXED_DML_OPERATION", "{change}");
    }
}

/// §9: per-transaction boundary rules: a collection is one transaction, unless the switch says otherwise.
#[tokio::test]
async fn a_collection_is_one_transaction_for_mixed_dml() {
    let world = World::start().await;
    let user = with(world.person("role@example.com").await, json!({"UserRoleId": role(&world).await}));
    let user = with(user, json!({"attributes": {"type": "User"}}));
    let contact = json!({"attributes": {"type": "Contact"}, "LastName": "Mixed"});
    let body = json!({"records": [contact, user]});
    let path = format!("{V}/composite/sobjects");
    let answer = world.post(&path, body.clone()).await.expect(200);
    assert_eq!((&answer[0]["success"], &answer[1]["success"]), (&json!(true), &json!(false)));
    assert_eq!(answer[1]["errors"][0]["statusCode"], "MIXED_DML_OPERATION");
    world.control("/switches", json!({"collection-is-one-transaction": false})).await;
    let answer = world.post(&path, body.clone()).await.expect(200);
    assert_eq!(answer[1]["success"], true, "{answer}");
    let all = with(body, json!({"allOrNone": true}));
    let answer = world.post(&path, all).await.expect(200);
    assert_eq!(answer[1]["errors"][0]["statusCode"], "MIXED_DML_OPERATION");
}

/// §2.10: types may alternate ten times; one record stands once in an update.
#[tokio::test]
async fn a_collection_has_at_most_ten_chunks() {
    let world = World::start().await;
    let records = |count: usize| -> Vec<Value> {
        let kind = |n: usize| if n.is_multiple_of(2) { "Contact" } else { "Lead" };
        (0..count)
            .map(|n| json!({"attributes": {"type": kind(n)}, "LastName": "x", "Company": "y"}))
            .collect()
    };
    let path = format!("{V}/composite/sobjects");
    let answer = world.post(&path, json!({"records": records(10)})).await.expect(200);
    let success: Vec<_> = answer.as_array().unwrap().iter().map(|item| item["success"] == true).collect();
    assert_eq!(success, (0..10).map(|n| n % 2 == 1).collect::<Vec<_>>(), "a Contact has no Company field");
    world.post(&path, json!({"records": records(11)})).await.expect_error(400, "LIMIT_EXCEEDED");
    let id = answer[1]["id"].as_str().unwrap();
    let lead = |id: &str, title: &str| json!({"attributes": {"type": "Lead"}, "Id": id, "Title": title});
    let twice = json!({"records": [lead(id, "a"), lead(&id[..15], "b"), lead(answer[3]["id"].as_str().unwrap(), "c")]});
    let items = world.patch(&path, twice).await.expect(200);
    for item in [&items[0], &items[1]] {
        let error = json!({"statusCode": "DUPLICATE_VALUE", "message": "Duplicate id in list", "fields": []});
        assert_eq!(item["errors"][0], error);
    }
    assert_eq!(items[2]["success"], true);
}
