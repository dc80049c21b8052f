//! What identity tools really send, in variants that differ from product to product: each story is a point of the
//! checklist for servers that want to work with all of them.

use std::time::{Duration, Instant};

use e2e::{Tool, World, tool::person};
use futures::future::join_all;
use serde_json::{Value, json};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const GANGWAY: &str = "urn:gangway:params:scim:schemas:extension:2.0:User";

async fn ids(tool: &Tool, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(tool.create(&format!("{name}@acme.example")).await.expect(201).id());
    }
    ids
}

/// The members of a group, sorted.
async fn members(tool: &Tool, group: &str) -> Vec<String> {
    let group = tool.get(group).await.expect(200).json();
    let members = group["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<_> = members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

/// C-14: Keycloak gives up after 5 s, and Okta's test wants the groups within 600 ms.
#[tokio::test(flavor = "multi_thread")]
async fn c14_answers_come_in_time() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob", "cyd", "dan", "eve"]).await;
    let list: Vec<_> = people.iter().map(|id| json!({"value": id})).collect();
    for n in 0..40 {
        let group = json!({"displayName": format!("Group {n}"), "members": list});
        let _ = tool.post("/Groups", &group).await.expect(201);
    }

    let asked = Instant::now();
    let groups = tool.get("/Groups").await.expect(200).json();
    assert!(asked.elapsed() < Duration::from_millis(600), "{:?}", asked.elapsed());
    assert_eq!(groups["Resources"].as_array().unwrap().len(), 40);
    assert_eq!(groups["Resources"][39]["members"].as_array().unwrap().len(), 5);

    let asked = Instant::now();
    let _ = tool.create("fay@acme.example").await.expect(201);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// C-5, C-7, C-10: headers as tools set them, or do not.
#[tokio::test(flavor = "multi_thread")]
async fn c07_headers_are_read_as_tools_write_them() {
    let world = World::start().await;
    let tool = world.tool();
    let user = format!("/Users/{}", ids(&tool, &["ada"]).await[0]);
    let patch = json!({"Operations": [{"op": "replace", "value": {"active": true}}]}).to_string();
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/JSON; charset=\"utf-8\""),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let answer = tool.send("PATCH", &user, &headers, Some(patch.clone().into_bytes())).await.unwrap();
        assert_eq!(answer.status, 200, "{content_type:?}: {}", answer.text);
    }
    for (accept, answered) in [
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("application/scim+json, application/json", "application/scim+json"),
        ("application/json;q=0.9, application/scim+json", "application/scim+json"),
        ("application/scim+json;q=0.1, application/json", "application/json"),
        ("text/html, image/gif, *; q=.2, */*; q=.2", "application/scim+json"),
        ("application/xml", "application/scim+json"),
        ("", "application/scim+json"),
    ] {
        let answer = tool.send("GET", &user, &[("accept", accept)], None).await.unwrap().expect(200);
        assert_eq!(answer.header("content-type"), Some(answered), "{accept}");
    }
    for authorization in ["bearer story-token", "BEARER  story-token", "story-token"] {
        let answer = tool.send("GET", &user, &[("authorization", authorization)], None).await.unwrap();
        assert_eq!(answer.status, 200, "{authorization}");
    }
    let latin = b"{\"Operations\":[{\"op\":\"replace\",\"path\":\"title\",\"value\":\"Ren\xe9\"}]}".to_vec();
    let answer = tool.send("PATCH", &user, &[], Some(latin)).await.unwrap().expect(400).json();
    assert_eq!(answer["scimType"], "invalidSyntax");
    assert!(answer["detail"].as_str().unwrap().contains("charset=utf-8"), "{answer}");
}

/// C-19, C-21: a parameter that lost its value or went out of bounds never finds everybody, nor nobody by an error.
#[tokio::test(flavor = "multi_thread")]
async fn c21_parameters_at_their_extremes() {
    let world = World::start().await;
    let tool = world.tool();
    let _ = ids(&tool, &["ada", "bob", "cyd"]).await;
    for query in [
        "filter=",
        "filter",
        "filter=%20eq%20%221000482%22",
        "filter=userName%20eq",
        "filter=email%20eq%20%22x%22",
    ] {
        let refused = tool.get(&format!("/Users?{query}")).await.expect(400).json();
        assert_eq!(refused["scimType"], "invalidFilter", "{query}");
    }
    for (query, found) in [
        ("startIndex=-99999999999999999999&count=2", 2),
        ("startIndex=99999999999999999999&count=2", 0),
        ("startIndex=4", 0),
        ("count=99999999999999999999", 3),
        ("count=-99999999999999999999", 0),
        ("startIndex=&count=", 3),
        ("STARTINDEX=3&Count=9", 1),
    ] {
        let page = tool.get(&format!("/Users?{query}")).await.expect(200).json();
        assert_eq!(page["totalResults"], 3, "{query}");
        assert_eq!(page["itemsPerPage"], found, "{query}");
        assert_eq!(page["Resources"].as_array().unwrap().len(), found, "{query}");
    }
}

/// C-33, C-36, C-37: `OneLogin`'s template with placeholders that were empty, under the schema of SCIM 1.1.
#[tokio::test(flavor = "multi_thread")]
async fn c36_onelogins_blanks_are_unassigned() {
    let world = World::start().await;
    let tool = world.tool();
    let mut kenji = json!({
        "schemas": ["urn:scim:schemas:core:1.0"], "id": null, "userName": "k.sato@umi.example", "active": "true",
        "name": {"givenName": "Kenji", "familyName": "Sato"}, "emails": [{"value": "k.sato@umi.example"}, {"value": ""}],
        "externalId": " ", "title": "", "addresses": [{"locality": "Osaka", "region": "", "country": "JP"}],
    });
    kenji[ENTERPRISE] = json!({"department": "Alliances", "manager": {"managerId": "", "displayName": " "}});
    let made = tool.post("/Users", &kenji).await.expect(201);
    let body = made.json();
    assert_eq!(body["active"], true);
    assert_eq!((body.get("title"), body.get("externalId")), (None, None));
    assert_eq!(body["emails"], json!([{"value": "k.sato@umi.example"}]));
    assert_eq!(body["addresses"], json!([{"locality": "Osaka", "country": "JP"}]));
    assert_eq!(body[ENTERPRISE], json!({"department": "Alliances"}));

    let user = format!("/Users/{}", made.id());
    for (active, then) in [("False", false), ("", false), ("TRUE", true), (" ", true)] {
        kenji["active"] = json!(active);
        assert_eq!(tool.put(&user, &kenji).await.expect(200).json()["active"], then, "{active:?}");
        assert_eq!(world.org().user("k.sato@umi.example").await["IsActive"], then, "{active:?}");
    }
}

/// C-38: numbers for texts.
#[tokio::test(flavor = "multi_thread")]
async fn c38_numbers_are_kept_as_texts() {
    let world = World::start().await;
    let mut ada = person("ada@acme.example");
    ada["externalId"] = json!(701_984);
    ada["addresses"] = json!([{"type": "work", "postalCode": 90210}]);
    ada["phoneNumbers"] = json!([{"type": "work", "value": 31_612_345_678_u64}]);
    ada[ENTERPRISE] = json!({"employeeNumber": "007"});
    let body = world.tool().post("/Users", &ada).await.expect(201).json();
    assert_eq!(body["externalId"], "701984");
    assert_eq!(body["addresses"][0]["postalCode"], "90210");
    assert_eq!(body["phoneNumbers"][0]["value"], "31612345678");
    let user = world.org().user("ada@acme.example").await;
    assert_eq!((&user["FederationIdentifier"], &user["EmployeeNumber"]), (&json!("701984"), &json!("007")));
}

/// C-43: a PATCH of SCIM 1.1 adds and deletes, and one that is neither is refused.
#[tokio::test(flavor = "multi_thread")]
async fn c43_onelogins_group_patch_of_scim_1_1() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob", "cyd"]).await;
    let [ada, bob, cyd] = people.iter().collect::<Vec<_>>()[..] else { panic!() };
    let group = json!({"schemas": ["urn:scim:schemas:core:1.0"], "displayName": "G", "members": [{"value": ada}, {"value": bob}]});
    let group = format!("/Groups/{}", tool.post("/Groups", &group).await.expect(201).id());
    let headers = [("content-type", "application/json")];
    for (body, status, then) in [
        (
            json!({"schemas": ["urn:scim:schemas:core:1.0"], "members": [{"value": cyd}, {"value": bob, "operation": "delete"}]}),
            200,
            [ada, cyd],
        ),
        (json!({"schemas": ["urn:scim:schemas:core:1.0"], "members": [{"value": cyd}]}), 200, [ada, cyd]),
        (json!({"members": [{"value": bob}]}), 400, [ada, cyd]),
        (json!({}), 400, [ada, cyd]),
    ] {
        let answer = tool.send("PATCH", &group, &headers, Some(body.to_string().into_bytes())).await.unwrap();
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert_eq!(members(&tool, &group).await, sorted(&then), "{body}");
    }
}

/// C-47, C-54: authentik and Okta send a whole group, or a part of one, without a path.
#[tokio::test(flavor = "multi_thread")]
async fn c54_a_whole_group_without_a_path_keeps_its_members() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob"]).await;
    let group = json!({"displayName": "G", "members": [{"value": people[0]}, {"value": people[1]}]});
    let id = tool.post("/Groups", &group).await.expect(201).id();
    let path = format!("/Groups/{id}");
    let whole = json!({"schemas": [GROUP], "id": id, "externalId": "ak-1", "displayName": "H"});
    for operation in [
        json!({"op": "replace", "path": null, "value": whole}),
        json!({"op": "replace", "value": {"id": id, "displayName": "H"}}),
    ] {
        let renamed = tool.patch(&path, json!([operation])).await.expect(200).json();
        assert_eq!((&renamed["displayName"], &renamed["id"]), (&json!("H"), &json!(id)));
        assert_eq!(members(&tool, &path).await, sorted(&[&people[0], &people[1]]), "{operation}");
    }
    // Keycloak's plug-in: several operations, and members with references from elsewhere.
    let reference = format!("https://keycloak.example/scim/v2/Users/{}", people[1]);
    let operations = json!([
        {"op": "replace", "path": "displayName", "value": "K"},
        {"op": "replace", "path": "members", "value": [{"value": people[1], "$ref": reference, "type": "User"}]},
    ]);
    let _ = tool.patch(&path, operations).await.expect(200);
    assert_eq!(members(&tool, &path).await, [people[1].clone()]);
}

/// C-52: every way to add, and nobody unknown.
#[tokio::test(flavor = "multi_thread")]
async fn c52_every_way_to_add_members() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob"]).await;
    let (ada, bob) = (&people[0], &people[1]);
    let group =
        format!("/Groups/{}", tool.post("/Groups", &json!({"displayName": "G"})).await.expect(201).id());
    let emptied = json!([{"op": "replace", "path": "members", "value": []}]);
    for (operation, then) in [
        (json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": ada}]}), vec![ada]),
        (json!({"op": "add", "path": "members", "value": {"value": ada}}), vec![ada]),
        (json!({"op": "add", "path": "members", "value": {"members": [{"value": ada}]}}), vec![ada]),
        (json!({"op": "add", "value": {"members": [{"value": ada}, {"value": bob}]}}), vec![ada, bob]),
        (json!({"op": "add", "path": "members", "value": [ada, bob]}), vec![ada, bob]),
        (
            json!({"op": "add", "path": "members", "value": [{"value": ada}, {"value": ada, "display": "again"}]}),
            vec![ada],
        ),
        (json!({"op": "replace", "path": "members", "value": {"value": bob}}), vec![bob]),
        (json!({"op": "add", "path": "members", "value": []}), vec![]),
    ] {
        let _ = tool.patch(&group, emptied.clone()).await.expect(200);
        let _ = tool.patch(&group, json!([operation])).await.expect(200);
        assert_eq!(members(&tool, &group).await, sorted(&then), "{operation}");
    }
    let _ =
        tool.patch(&group, json!([{"op": "replace", "path": "members", "value": [ada]}])).await.expect(200);
    for unknown in [
        json!("nobody"),
        json!([{"value": bob}, {"value": "nobody"}]),
        json!({"members": [{"value": "nobody"}]}),
    ] {
        let operations = json!([
            {"op": "replace", "path": "displayName", "value": "Z"},
            {"op": "add", "path": "members", "value": unknown},
        ]);
        let refused = tool.patch(&group, operations).await.expect(400).json();
        assert_eq!(refused["scimType"], "invalidValue", "{unknown}");
        let kept = tool.get(&group).await.json();
        assert_eq!((&kept["displayName"], &kept["members"][0]["value"]), (&json!("G"), &json!(ada)));
        assert_eq!(kept["members"].as_array().unwrap().len(), 1);
    }
}

/// C-53: every way to remove, over HTTP; only a `remove` that names nobody removes everyone.
#[tokio::test(flavor = "multi_thread")]
async fn c53_every_way_to_remove_members() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob", "cyd"]).await;
    let [ada, bob, cyd] = people.iter().collect::<Vec<_>>()[..] else { panic!() };
    let group =
        format!("/Groups/{}", tool.post("/Groups", &json!({"displayName": "G"})).await.expect(201).id());
    let filled = json!([{"op": "replace", "path": "members", "value": [ada, bob, cyd]}]);
    let all = vec![ada, bob, cyd];
    for (operation, then) in [
        (json!({"op": "Remove", "path": "members", "value": [{"value": ada}]}), vec![bob, cyd]),
        (json!({"op": "remove", "path": "members", "value": {"members": [{"value": ada}]}}), vec![bob, cyd]),
        (json!({"op": "remove", "path": "members", "value": {"value": ada}}), vec![bob, cyd]),
        (json!({"op": "remove", "path": "members", "value": ada}), vec![bob, cyd]),
        (json!({"op": "remove", "path": format!("members[value eq \"{ada}\"]")}), vec![bob, cyd]),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{ada}\" or value eq \"{bob}\"]")}),
            vec![cyd],
        ),
        (json!({"op": "remove", "path": format!("{GROUP}:Members[Value Eq \"{ada}\"]")}), vec![bob, cyd]),
        (json!({"op": "remove", "path": "members", "value": [{"value": "nobody"}]}), all.clone()),
        (json!({"op": "remove", "path": "members", "value": []}), all.clone()),
        (json!({"op": "remove", "path": "members", "value": [{"value": null}]}), all.clone()),
        (json!({"op": "remove", "path": "members", "value": {}}), all.clone()),
        (json!({"op": "remove", "path": "members", "value": ""}), all.clone()),
        (json!({"op": "remove", "path": "members[value eq \"nobody\"]"}), all.clone()),
        (json!({"op": "remove", "path": "members"}), vec![]),
    ] {
        let _ = tool.patch(&group, filled.clone()).await.expect(200);
        let _ = tool.patch(&group, json!([operation])).await.expect(200);
        assert_eq!(members(&tool, &group).await, sorted(&then), "{operation}");
    }
    // Without a path nothing is said about what to remove.
    let _ = tool.patch(&group, filled).await.expect(200);
    let pathless = json!([{"op": "remove", "value": {"members": [{"value": ada}]}}]);
    assert_eq!(tool.patch(&group, pathless).await.expect(400).json()["scimType"], "noTarget");
    assert_eq!(members(&tool, &group).await, sorted(&all));
}

/// C-50, C-51, C-63: what Microsoft's validator sends, and a PUT of the outcome with everything that a tool may add to it.
#[tokio::test(flavor = "multi_thread")]
async fn c63_a_put_of_all_that_was_read_and_more_changes_nothing() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let user = format!("/Users/{}", ids(&tool, &["ada"]).await[0]);
    let group = json!({"displayName": "G", "members": [{"value": user.trim_start_matches("/Users/")}]});
    let _ = tool.post("/Groups", &group).await.expect(201);
    let changed = tool.patch(&user, json!([
        {"op": "replace", "path": "emails[type eq \"home\"].value", "value": "home@acme.example"},
        {"op": "add", "path": "emails[type eq \"home\"].display", "value": "HOME"},
        {"op": "replace", "path": "emails[type eq \"home\"].primary", "value": "True"},
        {"op": "replace", "path": "phoneNumbers[type eq \"untyped\"].value", "value": "+31 30"},
        {"op": "replace", "path": "addresses[type eq \"work\"].formatted", "value": "Oudegracht 1"},
        {"op": "replace", "path": "addresses[type eq \"work\"].postalCode", "value": 3511},
        {"op": "replace", "path": "ims[primary eq \"True\"].value", "value": "ada"},
        {"op": "add", "value": {"name.honorificSuffix": "III", "timezone": "Mars/Phobos", format!("{ENTERPRISE}:division"): "Sales"}},
    ]));
    let read = changed.await.expect(200).json();
    assert_eq!(
        read["emails"][1],
        json!({"type": "home", "value": "home@acme.example", "display": "HOME", "primary": true})
    );
    assert_eq!(read["emails"][0]["primary"], false);
    assert_eq!(read["ims"], json!([{"primary": true, "value": "ada"}]));
    assert_eq!(read["addresses"][0]["postalCode"], "3511");

    let state = tool.get(&format!("{user}?attributes={GANGWAY}")).await.expect(200).json();
    let mut sent = read.clone();
    sent["schemas"] = json!([CORE, ENTERPRISE, GANGWAY, "urn:nobody:2.0:User"]);
    sent[GANGWAY] = state[GANGWAY].clone();
    sent["meta"] = json!({"version": "W/\"99\"", "location": "https://elsewhere.example"});
    sent["groups"] = json!([]);
    sent["shoeSize"] = json!({"eu": [36, null]});
    sent["urn:nobody:2.0:User"] = json!({"a": 1});
    sent["password"] = json!("Correct-Horse-9");
    let calls = org.calls().await;
    assert_eq!(tool.put(&user, &sent).await.expect(200).json(), read);
    assert_eq!(tool.patch(&user, json!([{"op": "replace", "value": sent}])).await.expect(200).json(), read);
    assert_eq!(org.calls().await, calls, "nothing changed, nothing is sent");
}

/// C-55: a mapping that found nothing sends a blank. It says nothing about `active`, least of all that access comes back.
#[tokio::test(flavor = "multi_thread")]
async fn c55_a_blank_never_brings_a_leaver_back() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let user = format!("/Users/{}", ids(&tool, &["ada"]).await[0]);
    let _ =
        tool.patch(&user, json!([{"op": "Replace", "path": "active", "value": "False"}])).await.expect(200);
    for blank in [json!(null), json!(""), json!([])] {
        for operation in [
            json!({"op": "Replace", "path": "active", "value": blank}),
            json!({"op": "replace", "value": {"active": blank}}),
        ] {
            let answer = tool.patch(&user, json!([operation])).await.expect(200).json();
            assert_eq!(answer["active"], false, "{operation}");
            assert_eq!(org.user("ada@acme.example").await["IsActive"], false, "{operation}");
        }
    }
    for wrong in [json!("no"), json!(0), json!(1)] {
        let refused = tool.patch(&user, json!([{"op": "replace", "path": "active", "value": wrong}])).await;
        assert_eq!(refused.expect(400).json()["scimType"], "invalidValue");
    }
}

/// C-56: every way to say who the manager is, and that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn c56_every_way_to_name_a_manager() {
    let world = World::start().await;
    let tool = world.tool();
    let people = ids(&tool, &["ada", "bob"]).await;
    let (user, bob) = (format!("/Users/{}", people[0]), &people[1]);
    let path = format!("{ENTERPRISE}:manager");
    let forms = [
        json!(bob),
        json!({"value": bob}),
        json!([{"value": bob}]),
        json!({"managerId": bob}),
        json!({"$ref": null, "value": bob}),
    ];
    for form in &forms {
        for path in [&path, &format!("{ENTERPRISE}.manager"), "manager"] {
            let removed = tool.patch(&user, json!([{"op": "Remove", "path": path}])).await.expect(200).json();
            assert_eq!(removed.get(ENTERPRISE), None, "{path}");
            let set = tool
                .patch(&user, json!([{"op": "Add", "path": path, "value": form}]))
                .await
                .expect(200)
                .json();
            assert_eq!(set[ENTERPRISE]["manager"]["value"], json!(bob), "{path} {form}");
        }
    }
    for (n, form) in forms.iter().enumerate() {
        let mut made = person(&format!("p{n}@acme.example"));
        made[ENTERPRISE] = json!({"manager": form});
        let made = tool.post("/Users", &made).await.expect(201).json();
        assert_eq!(made[ENTERPRISE]["manager"]["value"], json!(bob), "{form}");
    }
    for nobody in
        [json!(""), json!(null), json!([]), json!({"value": ""}), json!({"value": " ", "displayName": " "})]
    {
        let _ = tool.patch(&user, json!([{"op": "add", "path": path, "value": bob}])).await.expect(200);
        let answer = tool
            .patch(&user, json!([{"op": "Replace", "path": path, "value": nobody}]))
            .await
            .expect(200)
            .json();
        assert_eq!(answer.get(ENTERPRISE), None, "{nobody}");
    }
}

/// C-69: Keycloak's plug-in repeats a create that was slow. One is made, the others are told at once.
#[tokio::test(flavor = "multi_thread")]
async fn c69_of_many_equal_creates_one_is_made() {
    let world = World::start().await;
    let tool = world.tool();
    let answers = join_all((0..8).map(|_| tool.create("ada@acme.example"))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 7]].concat());
    assert_eq!(world.org().users("ada@acme.example").await.len(), 1);
}

/// C-74: a version without its `W/` and quotation marks, as Salesforce writes it, is the same version.
#[tokio::test(flavor = "multi_thread")]
async fn c74_a_version_may_be_a_bare_hash() {
    let world = World::start().await;
    let tool = world.tool();
    let user = format!("/Users/{}", ids(&tool, &["ada"]).await[0]);
    let version = tool.get(&user).await.expect(200).json()["meta"]["version"].as_str().unwrap().to_owned();
    let bare = version.trim_start_matches("W/").trim_matches('"').to_owned();
    let quoted = format!("\"{bare}\"");
    let unchanged = json!({"Operations": [{"op": "replace", "path": "active", "value": true}]}).to_string();
    for (tag, status) in [
        (version.as_str(), 200),
        (&bare, 200),
        (&quoted, 200),
        ("*", 200),
        ("other", 412),
        ("\"other\"", 412),
    ] {
        let answer =
            tool.send("PATCH", &user, &[("if-match", tag)], Some(unchanged.clone().into_bytes())).await;
        assert_eq!(answer.unwrap().status, status, "If-Match: {tag}");
        let answer = tool.send("GET", &user, &[("if-none-match", tag)], None).await.unwrap();
        assert_eq!(answer.status, if status == 200 { 304 } else { 200 }, "If-None-Match: {tag}");
    }
    let value: Value = tool.get(&user).await.json();
    assert_eq!(value["meta"]["version"], version.as_str());
}
