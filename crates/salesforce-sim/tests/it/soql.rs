//! §9 "SOQL" and §2.8.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{V, World};

/// Three people with different nulls and cases.
async fn people() -> World {
    let world = World::start().await;
    let boss = world
        .create("boss@example.com", json!({"Title": "Boss", "LastName": "Zuse", "FirstName": "konrad"}))
        .await;
    world.create("ada@example.com", json!({"ManagerId": boss, "Department": "R&D"})).await;
    world
        .create(
            "o'brien@example.com",
            json!({"LastName": "O'Brien\\", "Title": "analyst", "EmployeeNumber": "100%"}),
        )
        .await;
    world
}

async fn usernames(world: &World, soql: &str) -> Vec<String> {
    let rows = world.query(soql).await;
    rows.iter().map(|row| row["Username"].as_str().unwrap().split('@').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_answer_has_its_exact_keys() {
    let world = World::start().await;
    let none = world.query_answer("SELECT Id FROM User WHERE Username = 'no@example.com'").await.expect(200);
    assert_eq!(none.to_string(), r#"{"totalSize":0,"done":true,"records":[]}"#);
    let path = format!("{V}/query/?q=SELECT+Id%20FROM+User+LIMIT+1");
    let body = world.get(&path).await.expect(200);
    let id = body["records"][0]["Id"].as_str().unwrap();
    let attributes = json!({"type": "User", "url": format!("{V}/sobjects/User/{id}")});
    assert_eq!(body["records"][0], json!({"attributes": attributes, "Id": id}));
}

/// §9: case-insensitive compare, null semantics, LIKE escapes, IN, NOT.
#[tokio::test]
async fn conditions_mean_what_they_mean_to_salesforce() {
    let world = people().await;
    let all = "SELECT Username FROM User WHERE Username LIKE '%@example.com' AND ";
    for (condition, expected) in [
        ("Username = 'ADA@EXAMPLE.COM'", &["ada"][..]),
        ("LastName = 'lovelace'", &["ada"]),
        ("Title = 'ANALYST'", &["o'brien"]),
        // Null differs from every value, unlike SQL.
        ("Title != 'Boss'", &["ada", "o'brien"]),
        ("Title NOT IN ('Boss')", &["ada", "o'brien"]),
        ("(NOT Title = 'Boss')", &["ada", "o'brien"]),
        ("Title = null", &["ada"]),
        ("Title = ''", &["ada"]),
        ("Title != null", &["boss", "o'brien"]),
        ("Title IN ('boss', 'ANALYST')", &["boss", "o'brien"]),
        ("LastName LIKE 'o\\'%'", &["o'brien"]),
        ("LastName = 'O\\'Brien\\\\'", &["o'brien"]),
        ("EmployeeNumber LIKE '100\\%'", &["o'brien"]),
        ("EmployeeNumber LIKE '100_'", &["o'brien"]),
        ("LastName LIKE '_use'", &["boss"]),
        ("LastName LIKE '\\u005Ause'", &["boss"]),
        ("(Title = 'boss' OR Department = 'r&d') AND IsActive = true", &["boss", "ada"]),
        ("IsActive = false", &[]),
        ("ForecastEnabled = null", &[]),
        ("LastName > 'M'", &["boss", "o'brien"]),
        ("Manager.Username = 'boss@example.com'", &["ada"]),
        ("Manager.Title = null", &["ada", "boss", "o'brien"][..0]),
        ("Profile.UserLicense.Name = 'Salesforce' AND Title = 'Boss'", &["boss"]),
        ("CreatedDate = TODAY AND Title = 'Boss'", &["boss"]),
        ("CreatedDate < TODAY", &[]),
        ("CreatedDate >= 2020-01-01T00:00:00Z AND Title = 'Boss'", &["boss"]),
        ("CreatedDate > LAST_N_DAYS:3", &[]),
    ] {
        if condition.starts_with("Manager.Title") {
            // Both those whose manager has no title and those without a manager.
            assert_eq!(usernames(&world, &format!("{all}{condition}")).await, ["boss", "o'brien"]);
            continue;
        }
        assert_eq!(usernames(&world, &format!("{all}{condition}")).await, expected, "{condition}");
    }
}

/// §9: relationship paths; null parent.
#[tokio::test]
async fn relationship_paths_are_nested_objects() {
    let world = people().await;
    let rows = world
        .query(
            "SELECT Username, Profile.Name, Profile.PermissionsModifyAllData, Profile.PermissionsManageUsers, \
             Profile.UserLicense.Name, Manager.Username, Manager.Manager.Id FROM User WHERE Username LIKE 'ada@%' \
             OR Username LIKE 'boss@%' ORDER BY Username",
        )
        .await;
    let ada = &rows[0];
    assert_eq!(ada["Profile"]["Name"], "Standard User");
    assert_eq!(ada["Profile"]["PermissionsModifyAllData"], false);
    assert_eq!(ada["Profile"]["attributes"]["type"], "Profile");
    assert_eq!(ada["Profile"]["UserLicense"]["Name"], "Salesforce");
    assert_eq!(ada["Manager"]["Username"], "boss@example.com");
    assert_eq!(ada["Manager"]["Manager"], Value::Null);
    assert_eq!(rows[1]["Manager"], Value::Null);
    let keys: Vec<_> = ada.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["attributes", "Username", "Profile", "Manager"]);
    let admins =
        usernames(&world, "SELECT Username FROM User WHERE Profile.PermissionsModifyAllData = true").await;
    assert_eq!(admins, ["admin", "integration"]);
}

/// §9: semi-joins.
#[tokio::test]
async fn semi_joins() {
    let world = people().await;
    let id = world.query("SELECT Id FROM User WHERE Username = 'ada@example.com'").await[0]["Id"].clone();
    let login = world
        .query(&format!("SELECT Id FROM UserLogin WHERE UserId = {}", id.to_string().replace('"', "'")))
        .await;
    let path = format!("{V}/sobjects/UserLogin/{}", login[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsFrozen": true})).await.expect(204);
    let frozen = "SELECT Username FROM User WHERE Id IN (SELECT UserId FROM UserLogin WHERE IsFrozen = true)";
    assert_eq!(usernames(&world, frozen).await, ["ada"]);
    let others = "SELECT Username FROM User WHERE Username LIKE '%@example.com' AND Id NOT IN (SELECT UserId FROM \
                  UserLogin WHERE IsFrozen = true) ORDER BY Username";
    assert_eq!(usernames(&world, others).await, ["boss", "o'brien"]);
    let by_profile = "SELECT Username FROM User WHERE ProfileId IN (SELECT Id FROM Profile WHERE \
                      PermissionsManageUsers = true) ORDER BY Username";
    assert_eq!(usernames(&world, by_profile).await, ["admin", "integration"]);
    let bad = "SELECT Id FROM User WHERE ProfileId IN (SELECT UserId FROM UserLogin)";
    let message = world.query_answer(bad).await.expect_error(400, "MALFORMED_QUERY")["message"].clone();
    let expected = "The selected field 'UserId' in the subquery and the left operand field in the where expression \
                    in the outer query 'ProfileId' should point to the same object type";
    assert!(message.as_str().unwrap().ends_with(expected), "{message}");
}

/// §9: COUNT.
#[tokio::test]
async fn counts() {
    let world = people().await;
    let count = world.query_answer("SELECT count() FROM User WHERE Title != null").await.expect(200);
    assert_eq!(count.to_string(), r#"{"totalSize":3,"done":true,"records":[]}"#);
    let expr = world.query_answer("SELECT COUNT(Id), COUNT(Title) titles FROM User").await.expect(200);
    let row = json!({"attributes": {"type": "AggregateResult"}, "expr0": 5, "titles": 3});
    assert_eq!(expr, json!({"totalSize": 1, "done": true, "records": [row]}));
}

/// §9: ORDER BY NULLS, LIMIT, OFFSET.
#[tokio::test]
async fn order_limit_and_offset() {
    let world = people().await;
    let by =
        |rest: &str| format!("SELECT Username FROM User WHERE Username LIKE '%@example.com' ORDER BY {rest}");
    for (rest, expected) in [
        ("LastName", &["ada", "o'brien", "boss"][..]),
        ("Title", &["ada", "o'brien", "boss"]),
        ("Title NULLS LAST", &["o'brien", "boss", "ada"]),
        ("Title DESC", &["boss", "o'brien", "ada"]),
        ("Title DESC NULLS FIRST", &["ada", "boss", "o'brien"]),
        ("Department NULLS LAST, Username DESC", &["ada", "o'brien", "boss"]),
        ("Username LIMIT 1", &["ada"]),
        ("Username LIMIT 5 OFFSET 1", &["boss", "o'brien"]),
        ("Id", &["boss", "ada", "o'brien"]),
    ] {
        assert_eq!(usernames(&world, &by(rest)).await, expected, "{rest}");
    }
    world
        .query_answer(&by("Username LIMIT 1 OFFSET 2001"))
        .await
        .expect_error(400, "NUMBER_OUTSIDE_VALID_RANGE");
}

/// §9: `FIELDS()`.
#[tokio::test]
async fn fields_functions() {
    let world = World::start().await;
    let rows = world.query("SELECT FIELDS(STANDARD) FROM UserLogin").await;
    assert_eq!(rows[0].as_object().unwrap().len(), 7);
    world.query("SELECT FIELDS(ALL) FROM Organization LIMIT 200").await;
    world.query_answer("SELECT FIELDS(ALL) FROM User").await.expect_error(400, "MALFORMED_QUERY");
    let label = world.query("SELECT toLabel(TimeZoneSidKey) zone FROM User LIMIT 1").await;
    assert!(label[0]["zone"].as_str().unwrap().contains("(Europe/London)"));
}

#[tokio::test]
async fn the_organization_can_be_asked() {
    let world = World::from_file("[org]\nsandbox = true\ninstance = \"SM9\"").await;
    let rows =
        world.query("SELECT Id, Name, IsSandbox, InstanceName, OrganizationType FROM Organization").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["IsSandbox"], true);
    assert_eq!(rows[0]["InstanceName"], "SM9");
    assert_eq!(rows[0]["OrganizationType"], "Enterprise Edition");
    assert!(world.token.starts_with(&rows[0]["Id"].as_str().unwrap()[..15]));
}

/// §7 of the recorded shapes: leading newline, echo, caret, `ERROR at Row`, reason.
#[tokio::test]
async fn errors_point_at_their_place() {
    let world = World::start().await;
    let error = world.query_answer("SELECT Id, Foo FROM User").await.expect_error(400, "INVALID_FIELD");
    assert_eq!(
        error,
        json!({
            "message": "\nSELECT Id, Foo FROM User\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on \
                        entity 'User'. If you are attempting to use a custom field, be sure to append the '__c' after \
                        the custom field name. Please reference your WSDL or the describe call for the appropriate \
                        names.",
            "errorCode": "INVALID_FIELD",
        })
    );
    let error = world.query_answer("select count() from XYZZY").await.expect_error(400, "INVALID_TYPE");
    assert_eq!(
        error["message"],
        "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not \
         supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. \
         Please reference your WSDL or the describe call for the appropriate names."
    );
    for (soql, code, end) in [
        ("SELECT Id FORM User", "MALFORMED_QUERY", "unexpected token: 'FORM'"),
        ("SELECT Id FROM User WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        (
            "SELECT Id FROM User WHERE Id = null AND Id = null OR Id = null",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        ("SELECT Id FROM User FOR UPDATE", "MALFORMED_QUERY", "unexpected token: 'UPDATE'"),
        ("SELECT Id FROM User ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
        ("SELECT Id FROM User WHERE Username = 'a\\q'", "MALFORMED_QUERY", "after backslash"),
        ("SELECT Id FROM User WHERE Username = 'open", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM User; DROP", "MALFORMED_QUERY", "unexpected token: ';'"),
        (
            "SELECT Id FROM User WHERE IsActive = 'true'",
            "INVALID_FIELD",
            "must be of type boolean and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE Title = 3",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE CreatedDate > '2026-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM User WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        (
            "SELECT Id FROM User WHERE Id LIKE '005%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on id field",
        ),
        (
            "SELECT Id FROM User WHERE AboutMe = 'x'",
            "INVALID_FIELD",
            "field 'AboutMe' can not be filtered in a query call",
        ),
        ("SELECT Boss.Name FROM User", "INVALID_FIELD", "for the appropriate names."),
        ("SELECT Id, COUNT(Id) FROM User", "MALFORMED_QUERY", "Field must be grouped or aggregated: Id"),
    ] {
        let error = world.query_answer(soql).await.expect_error(400, code);
        assert!(error["message"].as_str().unwrap().ends_with(end), "{soql}: {error}");
    }
    let missing = world.get(&format!("{V}/query")).await.expect_error(400, "MALFORMED_QUERY");
    assert_eq!(missing["message"], "A query string has to be specified");
    let empty = world.get(&format!("{V}/query?q=")).await.expect_error(400, "MALFORMED_QUERY");
    assert_eq!(empty["message"], "SOQL statements cannot be empty or null");
}

/// §9: 4k limit of one literal.
#[tokio::test]
async fn a_literal_has_at_most_4000_characters() {
    let world = World::start().await;
    let soql = |n: usize| format!("SELECT Id FROM User WHERE Username = '{}'", "a".repeat(n));
    assert!(world.query(&soql(4_000)).await.is_empty());
    world.query_answer(&soql(4_001)).await.expect_error(400, "MALFORMED_QUERY");
}

/// §9: cursor paging with nextRecordsUrl, header batchSize, expiry.
#[tokio::test]
async fn pages_follow_a_locator_until_it_expires() {
    let world = World::from_file("[generate]\nusers = 500").await;
    let soql = "SELECT Id, Username FROM User WHERE Username LIKE 'user%'";
    let path = format!("{V}/query");
    let request = world.request(reqwest::Method::GET, &path).query(&[("q", soql)]);
    let first = world.send(request.header("Sforce-Query-Options", "batchSize=200")).await.expect(200);
    let keys: Vec<_> = first.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["totalSize", "done", "nextRecordsUrl", "records"]);
    assert_eq!((&first["totalSize"], &first["done"]), (&json!(500), &json!(false)));
    let next = first["nextRecordsUrl"].as_str().unwrap();
    assert!(next.starts_with(&format!("{V}/query/01g")) && next.ends_with("-200"), "{next}");
    let mut seen: Vec<Value> = first["records"].as_array().unwrap().clone();
    let mut page = first.clone();
    while let Some(next) = page["nextRecordsUrl"].as_str() {
        page = world.get(next).await.expect(200);
        assert_eq!(page["totalSize"], 500);
        seen.extend(page["records"].as_array().unwrap().clone());
    }
    let ids: std::collections::HashSet<_> = seen.iter().map(|row| row["Id"].to_string()).collect();
    assert_eq!((seen.len(), ids.len(), &page["done"]), (500, 500, &json!(true)));
    world.sim.handle().advance(Duration::from_mins(14));
    world.get(next).await.expect(200);
    world.sim.handle().advance(Duration::from_secs(15 * 60 + 1));
    assert_eq!(
        world.get(next).await.expect_error(400, "INVALID_QUERY_LOCATOR")["message"],
        "invalid query locator"
    );
    world.get(&format!("{V}/query/nonsense")).await.expect_error(400, "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn a_page_has_2000_rows_unless_asked_for_less() {
    let world = World::from_file("[generate]\nusers = 2001").await;
    let body = world.query_answer("SELECT Id FROM User WHERE Username LIKE 'user%'").await.expect(200);
    assert_eq!(body["records"].as_array().unwrap().len(), 2_000);
    let rest = world.get(body["nextRecordsUrl"].as_str().unwrap()).await.expect(200);
    assert_eq!(rest["records"].as_array().unwrap().len(), 1);
    let body = world.get(&format!("{V}/queryAll?q=SELECT+Id+FROM+User+LIMIT+3")).await.expect(200);
    assert_eq!((&body["totalSize"], &body["done"]), (&json!(3), &json!(true)));
}

/// §9: Delete → recycle bin: queryAll visibility.
#[tokio::test]
async fn query_all_finds_what_was_deleted() {
    let world = World::start().await;
    let create = async |name: &str| {
        let body = json!({"LastName": name, "FirstName": "Q", "Email": format!("{name}@example.com")});
        let created = world.post(&format!("{V}/sobjects/Contact"), body).await.expect(201);
        created["id"].as_str().unwrap().to_owned()
    };
    let (kept, gone) = (create("Kept").await, create("Gone").await);
    world.delete(&format!("{V}/sobjects/Contact/{gone}")).await.expect(204);
    let soql = "SELECT Id, IsDeleted FROM Contact WHERE FirstName = 'Q' ORDER BY LastName DESC";
    let live = world.query(soql).await;
    assert_eq!(live.iter().map(|row| row["Id"].as_str().unwrap()).collect::<Vec<_>>(), [&kept]);
    let all = world.request(reqwest::Method::GET, &format!("{V}/queryAll")).query(&[("q", soql)]);
    let all = world.send(all).await.expect(200);
    let all = all["records"].as_array().unwrap();
    assert_eq!(all.iter().map(|row| row["Id"].as_str().unwrap()).collect::<Vec<_>>(), [&kept, &gone]);
    assert_eq!((&all[0]["IsDeleted"], &all[1]["IsDeleted"]), (&json!(false), &json!(true)));
    let deleted = "SELECT COUNT() FROM Contact WHERE IsDeleted = true";
    let count = world.request(reqwest::Method::GET, &format!("{V}/queryAll")).query(&[("q", deleted)]);
    assert_eq!(world.send(count).await.expect(200)["totalSize"], 1);
    assert_eq!(world.query_answer(deleted).await.expect(200)["totalSize"], 0);
}

/// §9: cursor paging. Ten cursors a user; an eleventh ends the first.
#[tokio::test]
async fn a_user_has_ten_cursors() {
    let world = World::from_file("[generate]\nusers = 300").await;
    let open = async || {
        let request = world.request(reqwest::Method::GET, &format!("{V}/query"));
        let request =
            request.query(&[("q", "SELECT Id FROM User")]).header("Sforce-Query-Options", "batchSize=200");
        let body = world.send(request).await.expect(200);
        body["nextRecordsUrl"].as_str().unwrap().to_owned()
    };
    let first = open().await;
    let second = open().await;
    for _ in 0..9 {
        open().await;
    }
    world.get(&first).await.expect_error(400, "INVALID_QUERY_LOCATOR");
    world.get(&second).await.expect(200);
}

/// What the Salesforce CLI asks for before it prints a table.
#[tokio::test]
async fn columns_are_told_without_rows() {
    let world = World::start().await;
    let columns = async |soql: &str| {
        let request = world.request(reqwest::Method::GET, &format!("{V}/query"));
        world.send(request.query(&[("q", soql), ("columns", "true")])).await
    };
    let body = columns("SELECT Id, Name, Profile.UserLicense.Name, (SELECT Id FROM ManagedUsers) FROM User")
        .await
        .expect(200);
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["columnMetadata", "entityName", "groupBy", "idSelected", "keyPrefix"]);
    let names: Vec<_> =
        body["columnMetadata"].as_array().unwrap().iter().map(|c| c["columnName"].clone()).collect();
    assert_eq!(names, ["Id", "Name", "Profile", "ManagedUsers"]);
    let profile = &body["columnMetadata"][2];
    assert_eq!(profile["joinColumns"][0]["joinColumns"][0]["columnName"], "Name");
    assert_eq!((&profile["aggregate"], &profile["foreignKeyName"]), (&json!(false), &json!("ProfileId")));
    assert_eq!(body["columnMetadata"][3]["aggregate"], true);
    let body = columns("SELECT Title, COUNT(Id), MAX(CreatedDate) latest FROM User GROUP BY Title")
        .await
        .expect(200);
    let shown: Vec<_> = body["columnMetadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["columnName"].clone(), c["displayName"].clone(), c["aggregate"].clone()))
        .collect();
    assert_eq!(
        shown,
        [
            (json!("Title"), json!("Title"), json!(false)),
            (json!("expr0"), json!("COUNT(Id)"), json!(true)),
            (json!("latest"), json!("MAX(CreatedDate)"), json!(true)),
        ]
    );
    assert_eq!(
        (&body["groupBy"], &body["idSelected"], &body["keyPrefix"]),
        (&json!(true), &json!(false), &json!("005"))
    );
    columns("SELECT Nope FROM User").await.expect_error(400, "INVALID_FIELD");
}

#[tokio::test]
async fn a_query_can_be_explained() {
    let world = World::start().await;
    let explain = async |soql: &str| {
        let request = world.request(reqwest::Method::GET, &format!("{V}/query"));
        world.send(request.query(&[("explain", soql)])).await.expect(200)["plans"][0].clone()
    };
    let plan = explain("SELECT Id FROM User WHERE Username = 'nobody@example.com'").await;
    assert_eq!((&plan["leadingOperationType"], &plan["cardinality"]), (&json!("Index"), &json!(0)));
    assert_eq!(plan["fields"], json!(["Username"]));
    let plan = explain("SELECT Id FROM User WHERE Title = 'x'").await;
    assert_eq!((&plan["leadingOperationType"], &plan["sobjectType"]), (&json!("TableScan"), &json!("User")));
}

/// `sf data query --use-tooling-api`
#[tokio::test]
async fn the_tooling_api_answers_with_keys_of_its_own() {
    let world = World::start().await;
    let body = world.get(&format!("{V}/tooling/query?q=SELECT+Id+FROM+Organization")).await.expect(200);
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["size", "totalSize", "done", "queryLocator", "entityTypeName", "records"]);
    assert_eq!((&body["size"], &body["entityTypeName"]), (&json!(1), &json!("Organization")));
    let url = body["records"][0]["attributes"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{V}/tooling/sobjects/Organization/00D")), "{url}");
    world
        .get(&format!("{V}/tooling/query?q=SELECT+Id+FROM+ApexClass"))
        .await
        .expect_error(400, "INVALID_TYPE");
    world
        .post(&format!("{V}/query"), json!({"q": "SELECT Id FROM User"}))
        .await
        .expect_error(405, "METHOD_NOT_ALLOWED");
}

/// Looking up by an index reads no other row.
#[tokio::test]
async fn two_hundred_names_among_many_are_looked_up_not_searched_for() {
    let world = World::from_file("[generate]\nusers = 2500").await;
    let names: Vec<String> = (0..200).map(|n| format!("'USER{}@generated.example'", n * 7)).collect();
    let soql = format!("SELECT Id FROM User WHERE Username IN ({})", names.join(","));
    let request = world.request(reqwest::Method::GET, &format!("{V}/query"));
    let plan = world.send(request.query(&[("explain", &soql)])).await.expect(200)["plans"][0].clone();
    assert_eq!((&plan["leadingOperationType"], &plan["cardinality"]), (&json!("Index"), &json!(200)));
    assert_eq!(world.query(&soql).await.len(), 200);
}

/// A queue is a Group, and as an owner it is called what it is.
#[tokio::test]
async fn the_owner_of_a_lead_is_a_user_or_a_queue() {
    let world = World::start().await;
    let queue = world.query("SELECT QueueId FROM QueueSobject WHERE SobjectType = 'Lead'").await[0].clone();
    let lead = |owner: &Value| json!({"LastName": "Lovelace", "Company": "Engines", "OwnerId": owner});
    world.post(&format!("{V}/sobjects/Lead"), lead(&queue["QueueId"])).await.expect(201);
    let queued = world.query("SELECT Owner.Type, Owner.Name FROM Lead WHERE Owner.Type = 'Queue'").await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0]["Owner"]["Type"], "Queue");
    let others = world.query("SELECT Owner.Type FROM Lead WHERE Owner.Type != 'Queue'").await;
    assert!(others.iter().all(|lead| lead["Owner"]["Type"] == "User"), "{others:?}");
}
