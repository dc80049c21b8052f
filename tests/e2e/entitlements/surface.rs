//! `/Entitlements` and `/Roles`, and what a User shows of them, as each tool reads and writes it.

use std::collections::BTreeSet;

use e2e::{
    Org, Scene, Tool, World,
    tool::{encode, person},
    world::{TOKEN, environment, sha256},
};
use serde_json::{Value, json};

use super::{ORG, STAFF};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

fn resources(list: &Value) -> &Vec<Value> {
    assert_eq!(list["schemas"], json!([LIST]), "{list}");
    let resources = list["Resources"].as_array().unwrap();
    assert_eq!(list["itemsPerPage"], resources.len());
    resources
}

fn texts<'a>(list: &'a Value, attribute: &str) -> Vec<&'a str> {
    resources(list).iter().map(|one| one[attribute].as_str().unwrap()).collect()
}

/// The one entitlement or role that is called so.
async fn named(tool: &Tool, endpoint: &str, label: &str) -> Value {
    let filter = format!("displayName eq {}", Value::from(label));
    let found = tool.get(&format!("{endpoint}?filter={}", encode(&filter))).await.expect(200).json();
    assert_eq!(found["totalResults"], 1, "{label}: {found}");
    found["Resources"][0].clone()
}

/// `HelloID`: asks for the total, then for pages of 20 until it has exactly that many (C-22). A page that is short, or a total
/// that moves, and it would never end.
async fn retrieve_as_helloid(tool: &Tool, endpoint: &str) -> Vec<Value> {
    let count = |list: &Value, name: &str| usize::try_from(list[name].as_u64().unwrap()).unwrap();
    let total = count(&tool.get(endpoint).await.expect(200).json(), "totalResults");
    let mut permissions: Vec<Value> = Vec::new();
    let mut pages = 0;
    loop {
        let start = permissions.len() + 1;
        let page = tool.get(&format!("{endpoint}?startIndex={start}&count=20")).await.expect(200).json();
        assert_eq!((count(&page, "totalResults"), count(&page, "startIndex")), (total, start));
        let expected = (total - permissions.len()).min(20);
        assert_eq!(resources(&page).len(), expected, "pages are full");
        permissions.extend(resources(&page).iter().cloned());
        pages += 1;
        if permissions.len() == total {
            assert_eq!(pages, total.div_ceil(20).max(1));
            return permissions;
        }
    }
}

/// A connector that has stored record ids writes them into its bodies, too.
#[tokio::test(flavor = "multi_thread")]
async fn on_the_salesforce_address_a_put_may_carry_the_record_id() {
    let world = World::start().await;
    let tool = world.tool_at("/services/scim/v2", TOKEN);
    let id = tool.create("ada@acme.example").await.expect(201).id();
    let record = world.org().user("ada@acme.example").await["Id"].as_str().unwrap().to_owned();
    for (place, own) in
        [(&record[..], &record[..]), (&record[..15], &record[..15]), (&id, &record), (&record, &id)]
    {
        let mut body = e2e::tool::person("ada@acme.example");
        body["id"] = own.into();
        assert_eq!(tool.put(&format!("/Users/{place}"), &body).await.expect(200).id(), id);
    }
    let grace = tool.create("grace@acme.example").await.expect(201).id();
    let mut body = e2e::tool::person("grace@acme.example");
    body["id"] = record.as_str().into();
    let refused = tool.put(&format!("/Users/{grace}"), &body).await.expect(400).json();
    assert_eq!(refused["scimType"], "mutability");
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_helloid_reads_every_permission_once() {
    let world = World::start().await;
    let tool = world.tool_at("/services/scim/v2", TOKEN);
    let entitlements = retrieve_as_helloid(&tool, "/Entitlements").await;
    let roles = retrieve_as_helloid(&tool, "/Roles").await;
    assert!(entitlements.len() > 20, "there is more than one page");
    let ids: BTreeSet<&str> =
        entitlements.iter().chain(&roles).map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), entitlements.len() + roles.len(), "nothing is there twice");
    let kinds: BTreeSet<&str> = entitlements.iter().map(|one| one["type"].as_str().unwrap()).collect();
    for kind in
        ["Profile", "PermissionSet", "PermissionSetGroup", "PermissionSetLicense", "PublicGroup", "Queue"]
    {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    assert!(roles.iter().all(|role| role["type"] == "Role"));
    assert!(roles.iter().any(|role| role["displayName"] == "CEO"));
    // `startIndex=0` and a place beyond the end are no errors (C-21).
    let first = tool.get("/Roles?startIndex=0&count=1").await.expect(200).json();
    assert_eq!(resources(&first), &roles[..1]);
    let beyond = tool.get("/Roles?startIndex=1000").await.expect(200).json();
    assert_eq!((beyond["totalResults"].as_u64(), resources(&beyond).len()), (Some(roles.len() as u64), 0));
    assert_eq!(resources(&tool.get("/Roles?count=0").await.expect(200).json()).len(), 0);
}

/// Its import of accounts counts from 0, and its reading of permissions from 1: with the same setting both come to an end.
#[tokio::test(flavor = "multi_thread")]
async fn c22_a_client_that_counts_accounts_from_zero_reads_every_permission_once() {
    let world = World::with(|config| {
        let client = environment(config)["clients"][0].as_table_mut().unwrap();
        client.insert("dialect".into(), "helloid".into());
        client.insert("zero-based-index".into(), true.into());
    })
    .await;
    let tool = world.tool_at("/services/scim/v2", TOKEN);
    let entitlements = retrieve_as_helloid(&tool, "/Entitlements").await;
    assert!(entitlements.len() > 20, "there is more than one page");
    assert_eq!(
        retrieve_as_helloid(&tool, "/Roles").await.len(),
        resources(&tool.get("/Roles").await.json()).len()
    );
    for name in ["ada@acme.example", "grace@acme.example", "hedy@acme.example"] {
        let _ = tool.create(name).await.expect(201);
    }
    let mut accounts = Vec::new();
    while accounts.len() < 3 {
        let page =
            tool.get(&format!("/Users?startIndex={}&count=2", accounts.len())).await.expect(200).json();
        assert_eq!(page["startIndex"], accounts.len());
        accounts.extend(texts(&page, "userName").into_iter().map(str::to_owned));
    }
    assert_eq!(accounts, ["ada@acme.example", "grace@acme.example", "hedy@acme.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_and_a_permission_set_show_the_seats_of_the_licence_that_they_need() {
    let world = World::start().await;
    world.org().seats(json!({"Salesforce Platform": 7, "SalesConsoleUser": 5})).await;
    let tool = world.tool();
    for (label, total) in [("Standard Platform User", 7), ("Sales Console", 5)] {
        let one = named(&tool, "/Entitlements", label).await;
        assert_eq!(one["totalAssignmentsPermitted"], total, "{one}");
        assert_eq!(
            (&one["totalAssignmentsUsed"], &one["limitedAssignmentsPermitted"]),
            (&json!(0), &json!(true))
        );
    }
    // No licence is for it alone.
    let one = named(&tool, "/Entitlements", "Contract Approver").await;
    assert_eq!(
        (one.get("totalAssignmentsPermitted"), &one["limitedAssignmentsPermitted"]),
        (None, &json!(false))
    );
}

/// A second reader costs the org nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_org_offers_is_read_once() {
    let world = World::start().await;
    let tool = world.tool();
    let first = tool.get("/Entitlements").await.expect(200).json();
    let before = world.org().calls().await;
    assert_eq!(tool.get("/Entitlements").await.expect(200).json(), first);
    let _ = tool.get("/Roles").await.expect(200);
    assert_eq!(world.org().calls().await, before);
}

/// Okta's order when provisioning with entitlements is switched on, and its test of each endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn okta_discovers_entitlements_and_roles_and_gives_them() {
    let world = World::start().await;
    let tool = world.tool();
    let types = tool.get("/ResourceTypes").await.expect(200).json();
    let endpoint = |schema: &str| {
        let found = resources(&types).iter().find(|one| one["schema"] == schema);
        found.unwrap_or_else(|| panic!("no {schema}"))["endpoint"].as_str().unwrap().to_owned()
    };
    let entitlements = endpoint("urn:okta:scim:schemas:core:1.0:Entitlement");
    let roles = endpoint("urn:okta:scim:schemas:core:1.0:Role");
    let schemas = tool.get("/Schemas").await.expect(200).json();
    for resource_type in resources(&types) {
        let extensions = resource_type["schemaExtensions"].as_array().unwrap();
        for urn in extensions.iter().map(|extension| &extension["schema"]).chain([&resource_type["schema"]]) {
            assert!(texts(&schemas, "id").contains(&urn.as_str().unwrap()), "{urn}");
        }
    }
    for endpoint in [&entitlements, &roles] {
        let one = tool.get(&format!("{endpoint}?count=1&startIndex=1")).await.expect(200).json();
        assert_eq!((&one["itemsPerPage"], &one["startIndex"]), (&json!(1), &json!(1)));
        assert!(one["totalResults"].as_u64().unwrap() > 1);
        let first = &resources(&one)[0];
        assert!(!first["displayName"].as_str().unwrap().is_empty());
        assert_eq!(first["id"], first["value"]);
        let again = tool.get(&format!("{endpoint}/{}", first["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(&again.json(), first);
    }

    let set = named(&tool, &entitlements, "Sales Basics").await;
    let role = named(&tool, &roles, "Sales Representative").await;
    let mut ada = person("ada@acme.example");
    ada["entitlements"] = json!([{"value": set["id"], "display": set["displayName"], "type": set["type"]}]);
    ada["roles"] = json!([{"value": role["id"], "display": role["displayName"]}]);
    let ada = tool.post("/Users", &ada).await.expect(201).json();
    let shown = tool.get(&format!("/Users/{}", ada["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(shown["entitlements"], ada["entitlements"]);
    for (list, given) in [("entitlements", &set), ("roles", &role)] {
        let element = element(&shown, list, given);
        assert_eq!((&element["display"], &element["type"]), (&given["displayName"], &given["type"]));
        assert_eq!(element["$ref"], given["meta"]["location"], "the address is where it can be read");
    }
    let user = world.org().user("ada@acme.example").await;
    assert_eq!(user["UserRoleId"], role["id"]);
    let assigned =
        world.org().find("PermissionSetAssignment", "PermissionSetId", set["id"].as_str().unwrap()).await;
    assert_eq!(assigned.iter().filter(|row| row["AssigneeId"] == user["Id"]).count(), 1);
}

/// The element of a User's list that has this id.
fn element<'a>(user: &'a Value, list: &str, given: &Value) -> &'a Value {
    let found = user[list].as_array().into_iter().flatten().find(|element| element["value"] == given["id"]);
    found.unwrap_or_else(|| panic!("no {} in {}", given["id"], user[list]))
}

/// C-63: a client that reads, changes something and sends all of it back asks for nothing, and costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_and_is_sent_back_asks_for_nothing() {
    let world = World::start().await;
    let tool = world.tool();
    let set = named(&tool, "/Entitlements", "Sales Basics").await;
    let mut ada = person("ada@acme.example");
    ada["entitlements"] = json!([set["id"]]);
    let ada = tool.post("/Users", &ada).await.expect(201).json();
    let path = format!("/Users/{}", ada["id"].as_str().unwrap());
    let read = tool.get(&path).await.expect(200).json();
    let before = world.org().calls().await;
    let again = tool.put(&path, &read).await.expect(200).json();
    assert_eq!(again["entitlements"], read["entitlements"]);
    assert_eq!(again["meta"]["version"], read["meta"]["version"], "nothing has changed");
    assert_eq!(world.org().calls().await, before);
}

/// `NetIQ`'s driver: a create carries the id of a profile, bare, on Salesforce's own address. `ConnId` reads with `attributes`
/// and takes the endpoint's `type` to tell profiles from permission sets (C-25).
#[tokio::test(flavor = "multi_thread")]
async fn netiq_and_connid_find_a_profile_and_create_with_it() {
    let world = World::start().await;
    let tool = world.tool_at("/services/scim/v2", TOKEN);
    let query = format!("/Entitlements?filter={}&attributes=displayName,type", encode("type eq \"Profile\""));
    let profiles = tool.get(&query).await.expect(200).json();
    let names: BTreeSet<&str> = texts(&profiles, "displayName").into_iter().collect();
    assert!(names.contains("Marketing User") && names.contains("Standard User"), "{names:?}");
    for profile in resources(&profiles) {
        let shown: BTreeSet<&str> = profile.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(shown, BTreeSet::from(["displayName", "id", "schemas", "type"]));
        assert!(
            profile["schemas"]
                .as_array()
                .unwrap()
                .contains(&json!("urn:salesforce:schemas:extension:1.0:Entitlement"))
        );
    }
    let profile = named(&tool, "/Entitlements", "Contract Manager").await;
    let mut ada = person("ada@acme.example");
    ada["entitlements"] = json!([{"value": profile["id"], "primary": true}]);
    let ada = tool.post("/Users", &ada).await.expect(201).json();
    assert_eq!(element(&ada, "entitlements", &profile)["type"], "Profile");
    assert_eq!(world.org().user("ada@acme.example").await["ProfileId"], profile["id"]);
}

/// C-57: Entra ID gives an app role, whose value is the name of a role or permission set, as JSON text.
#[tokio::test(flavor = "multi_thread")]
async fn entra_gives_app_roles_as_json_text() {
    let world = World::start().await;
    let tool = world.tool();
    let role = named(&tool, "/Roles", "Service Agent").await;
    let id = tool.create("ada@acme.example").await.expect(201).id();
    let packed = json!({"id": "06b07648-ecfe-589f-9d2f-6325724a46ee", "value": "Service Agent", "displayName": "Agent"});
    let operation = json!([{"op": "Add", "path": "roles", "value": [{"value": packed.to_string()}]}]);
    let changed = tool.patch(&format!("/Users/{id}"), operation).await.expect(200).json();
    assert_eq!(element(&changed, "roles", &role)["display"], "Service Agent");
    assert_eq!(world.org().user("ada@acme.example").await["UserRoleId"], role["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entitlements_are_searched_sorted_and_paged_like_anything_else() {
    let world = World::start().await;
    let tool = world.tool();
    let all = tool.get("/Entitlements").await.expect(200).json();
    let sets = encode("type eq \"PermissionSet\" and displayName sw \"s\"");
    let sorted = tool
        .get(&format!("/Entitlements?filter={sets}&sortBy=displayName&sortOrder=descending"))
        .await
        .expect(200)
        .json();
    let names = texts(&sorted, "displayName");
    let mut expected = names.clone();
    expected.sort_by_key(|name| std::cmp::Reverse(name.to_lowercase()));
    assert!(names.len() > 1 && names == expected, "{names:?}");

    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "type eq \"PermissionSet\"", "count": 2, "attributes": ["name"],
    });
    let searched = tool.post("/Entitlements/.search", &body).await.expect(200).json();
    assert_eq!((resources(&searched).len(), searched["startIndex"].as_u64()), (2, Some(1)));
    assert!(resources(&searched).iter().all(|one| one["name"].is_string() && one.get("type").is_none()));

    // Cursors (RFC 9865) walk through the same list, and are good for no other.
    let mut seen = Vec::new();
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let page = tool.get(&format!("/Entitlements?count=7&cursor={at}")).await.expect(200).json();
        assert_eq!(page["totalResults"], all["totalResults"]);
        seen.extend(resources(&page).iter().cloned());
        cursor = page["nextCursor"].as_str().map(str::to_owned);
        if let Some(cursor) = &cursor {
            let elsewhere = tool.get(&format!("/Roles?count=7&cursor={cursor}")).await.expect(400).json();
            assert_eq!(elsewhere["scimType"], "invalidCursor");
        }
    }
    assert_eq!(&seen, resources(&all));

    for (query, scim_type) in [
        ("filter=colour+eq+%22red%22", "invalidFilter"),
        ("filter=", "invalidFilter"),
        ("sortBy=colour", "invalidValue"),
        ("count=x", "invalidValue"),
    ] {
        let refused = tool.get(&format!("/Entitlements?{query}")).await.expect(400).json();
        assert_eq!(refused["scimType"], scim_type, "{query}");
    }
}

/// What there is to give is decided in Salesforce (C-67).
#[tokio::test(flavor = "multi_thread")]
async fn entitlements_and_roles_cannot_be_written() {
    let reader = "reader-token";
    let world = World::with(|config| {
        let mut client = environment(config)["clients"][0].clone();
        let settings = client.as_table_mut().unwrap();
        settings.insert("name".into(), "reader".into());
        settings.insert("token-sha256".into(), vec![sha256(reader)].into());
        settings.insert("may".into(), "read".into());
        environment(config)["clients"].as_array_mut().unwrap().push(client);
    })
    .await;
    let tool = world.tool();
    let body = json!({"displayName": "x"});
    for endpoint in ["/Entitlements", "/Roles"] {
        assert_eq!(tool.post(endpoint, &body).await.expect(405).header("allow"), Some("GET, HEAD"));
        let one = format!("{endpoint}/x");
        let _ = tool.put(&one, &body).await.expect(405);
        let _ = tool.delete(&one).await.expect(405);
        let _ = tool.patch(&one, json!([])).await.expect(405);
        let missing = tool.get(&one).await.expect(404).json();
        assert!(missing["detail"].as_str().unwrap().contains("with this id"), "{missing}");
    }
    let reader = world.tool_at("/scim/v2", reader);
    let _ = reader.get("/Roles").await.expect(200);
    let _ = reader.post("/Roles/.search", &json!({})).await.expect(200);
}

/// Every call to the org is refused as if it were down.
async fn put_down(org: &Org) {
    org.fault(json!({"path": "/data/v*", "kind": "status", "status": 503, "count": 1_000})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_cannot_be_asked_is_503_until_it_has_been_asked_once() {
    let mut world = World::start().await;
    put_down(&world.org()).await;
    let busy = world.tool().get("/Entitlements").await.expect(503);
    assert!(busy.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().unwrap() > 0));
    world.org().heal().await;
    let known = world.tool().get("/Entitlements").await.expect(200).json();
    put_down(&world.org()).await;
    assert_eq!(world.tool().get("/Entitlements").await.expect(200).json(), known);
    world.restart().await;
    assert_eq!(
        world.tool().get("/Entitlements").await.expect(200).json()["totalResults"],
        known["totalResults"]
    );
}

/// RFC 7644 §3.4.3: what is searched without an endpoint are the resources of every type.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_the_root_finds_entitlements_and_roles_too() {
    let world = World::of_scene(&Scene::new(STAFF, ORG), |_| ()).await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let find = async |body: Value| tool.post("/.search", &body).await.expect(200).json();
    let of = async |endpoint: &str| {
        tool.get(&format!("{endpoint}?count=0")).await.expect(200).json()["totalResults"].as_u64().unwrap()
    };
    let named = find(json!({"filter": "displayName eq \"Pilot\" or displayName eq \"Dock Access\""})).await;
    let types: Vec<&str> = named["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["meta"]["resourceType"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["Entitlement", "Role"]);
    let people = find(json!({"filter": "userName pr"})).await;
    assert_eq!((&people["totalResults"], &people["Resources"][0]["id"]), (&json!(1), &json!(ada)));
    let roles = find(json!({"filter": "meta.resourceType eq \"Role\"", "attributes": ["displayName"]})).await;
    assert_eq!(roles["totalResults"], of("/Roles").await);
    assert_eq!(roles["Resources"][0].get("value"), None, "what was not asked for is not shown");

    // Page after page, by number and by cursor, each is there once.
    let all = of("/Users").await + of("/Groups").await + of("/Entitlements").await + of("/Roles").await;
    let (mut by_number, mut by_cursor) = (Vec::new(), Vec::new());
    let ids = |page: &Value| -> Vec<String> {
        let resources = page["Resources"].as_array().unwrap().iter();
        resources.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    while (by_number.len() as u64) < all {
        let page = find(json!({"startIndex": by_number.len() + 1, "count": 7})).await;
        assert_eq!(page["totalResults"], all);
        assert!(!ids(&page).is_empty());
        by_number.extend(ids(&page));
    }
    let mut cursor = json!("");
    while !cursor.is_null() {
        let page = find(json!({"cursor": cursor, "count": 7})).await;
        assert_eq!(page["totalResults"], all);
        by_cursor.extend(ids(&page));
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(by_number, by_cursor);
    by_cursor.sort();
    by_cursor.dedup();
    assert_eq!(by_cursor.len() as u64, all);
}
