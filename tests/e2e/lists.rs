//! Searching, paging, sorting and projecting, as tools do it.

use e2e::{Tool, World, tool::encode};
use serde_json::{Value, json};

async fn people(tool: &Tool, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(tool.create(&format!("p{n:02}@acme.example")).await.expect(201).id());
    }
    ids
}

fn ids(list: &Value) -> Vec<String> {
    list["Resources"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

/// C-21, C-22: pages neither skip nor repeat, and the total stays.
#[tokio::test(flavor = "multi_thread")]
async fn c22_pages_are_full_and_stable() {
    let world = World::start().await;
    let tool = world.tool();
    let all = people(&tool, 7).await;
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let page = tool.get(&format!("/Users?startIndex={start}&count=3")).await.expect(200).json();
        assert_eq!(page["totalResults"], 7);
        assert_eq!(page["startIndex"], start);
        assert_eq!(page["itemsPerPage"], ids(&page).len());
        seen.extend(ids(&page));
    }
    assert_eq!(seen, all);
    for (query, items) in
        [("startIndex=0", 7), ("startIndex=-3", 7), ("startIndex=8", 0), ("count=0", 0), ("count=-1", 0)]
    {
        let page = tool.get(&format!("/Users?{query}")).await.expect(200).json();
        assert_eq!((page["totalResults"].as_u64(), ids(&page).len()), (Some(7), items), "{query}");
        assert!(page["Resources"].is_array(), "{query}");
    }
}

/// C-24: `HelloID` counts from zero; a client can be told so.
#[tokio::test(flavor = "multi_thread")]
async fn c24_a_client_may_count_from_zero() {
    let world = World::with(|config| {
        let clients = e2e::world::environment(config)["clients"].as_array_mut().unwrap();
        clients[0].as_table_mut().unwrap().insert("zero-based-index".into(), true.into());
    })
    .await;
    let tool = world.tool();
    let all = people(&tool, 5).await;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.extend(ids(&tool
            .get(&format!("/Users?startIndex={}&count=2", seen.len()))
            .await
            .expect(200)
            .json()));
    }
    assert_eq!(seen, all);
}

/// RFC 9865: cursors are exact under change.
#[tokio::test(flavor = "multi_thread")]
async fn cursors_neither_skip_nor_repeat_while_people_come_and_go() {
    let world = World::start().await;
    let tool = world.tool();
    let all = people(&tool, 6).await;
    let first = tool.get("/Users?cursor&count=2").await.expect(200).json();
    assert_eq!(ids(&first), all[..2]);
    let _ = tool.delete(&format!("/Users/{}", all[0])).await.expect(204);
    let late = tool.create("late@acme.example").await.expect(201).id();
    let mut seen = ids(&first);
    let mut cursor = first["nextCursor"].as_str().map(str::to_owned);
    while let Some(at) = cursor {
        let page = tool.get(&format!("/Users?cursor={}&count=2", encode(&at))).await.expect(200).json();
        seen.extend(ids(&page));
        cursor = page["nextCursor"].as_str().map(str::to_owned);
    }
    let mut expected = all.clone();
    expected.push(late);
    assert_eq!(seen, expected);
    let bad = tool.get("/Users?cursor=nonsense&count=2").await.expect(400).json();
    assert_eq!(bad["scimType"], "invalidCursor");
}

/// C-16 to C-20.
#[tokio::test(flavor = "multi_thread")]
async fn c18_filters_that_tools_send() {
    let world = World::start().await;
    let tool = world.tool();
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mut ada = e2e::tool::person("ada@acme.example");
    ada["externalId"] = json!("E1");
    ada["title"] = json!("Countess");
    ada[enterprise] = json!({"employeeNumber": "007", "department": "Engines"});
    let ada = tool.post("/Users", &ada).await.expect(201).id();
    let bob = tool.create("bob@acme.example").await.expect(201).id();
    let group = tool
        .post("/Groups", &json!({"displayName": "G", "members": [{"value": ada}]}))
        .await
        .expect(201)
        .id();
    for (filter, found) in [
        (r#"userName eq "ADA@acme.example""#.to_owned(), vec![&ada]),
        (r#"username Eq "ada@acme.example""#.to_owned(), vec![&ada]),
        (r#"externalId eq "E1""#.to_owned(), vec![&ada]),
        (r#"externalId eq "e1""#.to_owned(), vec![]),
        ("externalId eq E1".to_owned(), vec![&ada]),
        (format!(r#"id eq "{bob}""#), vec![&bob]),
        (r#"emails eq "bob@ACME.example""#.to_owned(), vec![&bob]),
        (r#"emails.value eq "bob@acme.example""#.to_owned(), vec![&bob]),
        (r#"emails[type eq "work"].value eq "bob@acme.example""#.to_owned(), vec![&bob]),
        (r#"emails[type eq "work" and value co "ada"]"#.to_owned(), vec![&ada]),
        (r#"employeeNumber eq "007""#.to_owned(), vec![&ada]),
        (format!(r#"{enterprise}:department eq "engines""#), vec![&ada]),
        ("active eq true".to_owned(), vec![&ada, &bob]),
        ("active eq \"True\"".to_owned(), vec![&ada, &bob]),
        ("title pr".to_owned(), vec![&ada]),
        ("not(title pr)".to_owned(), vec![&bob]),
        (r#"userName sw "b" or title co "ount""#.to_owned(), vec![&ada, &bob]),
        (r#"userName ew "acme.example" and not (title pr)"#.to_owned(), vec![&bob]),
        (r#"meta.lastModified gt "2001-01-01T00:00:00Z""#.to_owned(), vec![&ada, &bob]),
        (r#"meta.lastModified lt "2001-01-01T00:00:00Z""#.to_owned(), vec![]),
    ] {
        let answer = tool.find_users(&filter).await.expect(200).json();
        assert_eq!(ids(&answer).iter().collect::<Vec<_>>(), found, "{filter}");
        assert_eq!(answer["totalResults"], found.len(), "{filter}");
    }
    for filter in [format!(r#"members eq "{ada}""#), format!(r#"members.value eq "{ada}""#)] {
        let answer = tool.get(&format!("/Groups?filter={}", encode(&filter))).await.expect(200).json();
        assert_eq!(ids(&answer), [group.as_str()], "{filter}");
    }
    for filter in [
        r#" eq "x""#,
        r#"shoeSize eq "44""#,
        r#"userName eqq "x""#,
        "userName eq",
        "(((",
        "",
        "active gt true",
    ] {
        let refused = tool.find_users(filter).await.expect(400).json();
        assert_eq!(refused["scimType"], "invalidFilter", "{filter}: {refused}");
        assert!(!refused["detail"].as_str().unwrap().is_empty());
    }
}

/// C-25: projection everywhere; `id` is always there.
#[tokio::test(flavor = "multi_thread")]
async fn c25_attributes_are_chosen_by_the_caller() {
    let world = World::start().await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let one = tool.get(&format!("/Users/{ada}?attributes=userName")).await.expect(200).json();
    assert_eq!(
        (one["id"].as_str(), one["userName"].as_str()),
        (Some(ada.as_str()), Some("ada@acme.example"))
    );
    assert!(one.get("emails").is_none() && one.get("name").is_none());
    let less = tool.get("/Users?excludedAttributes=emails,name.givenName").await.expect(200).json();
    assert!(less["Resources"][0].get("emails").is_none());
    assert!(less["Resources"][0]["name"].get("givenName").is_none());
    assert_eq!(less["Resources"][0]["name"]["familyName"], "ada");
    let made =
        tool.post("/Users?attributes=displayName", &e2e::tool::person("bob@acme.example")).await.expect(201);
    assert!(made.json().get("userName").is_none());
    let _ = made.id();
}

/// `.search` takes the same in a body (RFC 7644 §3.4.3).
#[tokio::test(flavor = "multi_thread")]
async fn a_search_may_come_in_a_body() {
    let world = World::start().await;
    let tool = world.tool();
    let _ = people(&tool, 3).await;
    let found = tool
        .post(
            "/Users/.search",
            &json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
                "filter": "userName sw \"p0\"", "sortBy": "userName", "sortOrder": "descending",
                "startIndex": 1, "count": 2, "attributes": ["userName"],
            }),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(found["totalResults"], 3);
    let names: Vec<_> =
        found["Resources"].as_array().unwrap().iter().map(|r| r["userName"].as_str().unwrap()).collect();
    assert_eq!(names, ["p02@acme.example", "p01@acme.example"]);
}

/// Bulk with a reference to what the same request makes (RFC 7644 §3.7.2).
#[tokio::test(flavor = "multi_thread")]
async fn bulk_resolves_references_and_answers_each_operation() {
    let world = World::start().await;
    let tool = world.tool();
    let answer = tool
        .post("/Bulk", &json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "failOnErrors": null,
            "Operations": [
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "G", "members": [{"value": "bulkId:a"}]}},
                {"method": "POST", "path": "/Users", "bulkId": "a", "data": e2e::tool::person("ada@acme.example")},
                {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"displayName": "no userName"}},
            ],
        }))
        .await
        .expect(200)
        .json();
    let status = |id: &str| {
        answer["Operations"].as_array().unwrap().iter().find(|o| o["bulkId"] == id).unwrap()["status"].clone()
    };
    assert_eq!([status("g"), status("a"), status("b")], [json!("201"), json!("201"), json!("400")]);
    let groups = tool.get("/Groups").await.json();
    assert_eq!(groups["Resources"][0]["members"].as_array().unwrap().len(), 1);
    assert_eq!(world.org().users("ada@acme.example").await.len(), 1);
}
