//! Reading Users.

use serde_json::json;

use crate::harness::{ROOT, World};

#[tokio::test]
async fn c15_nothing_found_is_an_empty_list() {
    let world = World::start();
    let list = world.get("/Users?filter=userName+eq+%228d6d8a0f-1b0f-4a8c-a1bd-0f4a5d5f2e11%22").await;
    assert_eq!(list.status, 200);
    assert_eq!(
        list.json(),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [],
        })
    );
}

#[tokio::test]
async fn c16_user_names_are_found_in_any_case() {
    let world = World::start();
    let id = world.user("Ada@X.example", json!({})).await;
    assert_eq!(world.get("/Users?filter=USERNAME+Eq+%22ada@x.EXAMPLE%22").await.ids(), [id]);
}

#[tokio::test]
async fn c19_a_filter_that_makes_no_sense_never_finds_everybody() {
    let world = World::start();
    world.user("ada", json!({})).await;
    for filter in
        ["%20eq%20%221000482%22", "", "userName", "userName+eqq+%22x%22", "shoeSize+eq+42", "(((", "%22"]
    {
        world.get(&format!("/Users?filter={filter}")).await.refused(400, Some("invalidFilter"));
        world.get(&format!("/?filter={filter}")).await.refused(400, Some("invalidFilter"));
    }
    let search = json!({"filter": " eq \"1000482\""});
    world.call("POST", "/Users/.search", search).await.refused(400, Some("invalidFilter"));
    let deep = format!("{}userName pr{}", "(".repeat(2_000), ")".repeat(2_000));
    let search = json!({"filter": deep});
    world.call("POST", "/Users/.search", search).await.refused(400, Some("invalidFilter"));
}

#[tokio::test]
async fn c26_inactive_users_are_read_and_found() {
    let world = World::start();
    let id = world.user("ada", json!({"active": false})).await;
    assert_eq!(world.get(&format!("/Users/{id}")).await.json()["active"], false);
    assert_eq!(world.get("/Users").await.ids(), [id.as_str()]);
    assert_eq!(world.get("/Users?filter=active+eq+false").await.ids(), [id.as_str()]);
}

#[tokio::test]
async fn c25_a_list_shows_what_is_asked_for() {
    let world = World::start();
    world.user("ada", json!({"title": "Captain", "displayName": "Ada"})).await;
    let one = world.get("/Users?attributes=userName,title").await.json()["Resources"][0].clone();
    assert_eq!((&one["id"], &one["title"]), (&"u-ada".into(), &"Captain".into()));
    assert!(one.get("displayName").is_none() && one.get("meta").is_none());
    let search = json!({"excludedAttributes": ["title"]});
    let one = world.call("POST", "/Users/.search", search).await.json()["Resources"][0].clone();
    assert!(one.get("title").is_none() && one["displayName"] == "Ada");
}

#[tokio::test]
async fn a_user_is_read_with_its_version_and_location() {
    let world = World::start();
    let id = world.user("ada", json!({"name": {"familyName": "Löwe"}})).await;
    let answer = world.get(&format!("/Users/{id}")).await;
    assert_eq!(
        answer.json(),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": id, "userName": "ada", "name": {"familyName": "Löwe"},
            "meta": {
                "resourceType": "User", "created": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z",
                "location": format!("https://scim.example.com{ROOT}/Users/{id}"), "version": "W/\"1\"",
            },
        })
    );
    assert_eq!(answer.header("etag"), Some("W/\"1\""));
}

#[tokio::test]
async fn a_search_of_everything_finds_both_kinds() {
    let world = World::start();
    let ada = world.user("ada", json!({"displayName": "Crew member"})).await;
    let crew = world.group("Crew", &[&ada]).await;
    assert_eq!(world.get("/").await.ids(), [ada.as_str(), &crew]);
    assert_eq!(world.get("/?filter=displayName+sw+%22crew%22").await.ids(), [ada.as_str(), &crew]);
    assert_eq!(world.get("/?filter=userName+eq+%22ada%22").await.ids(), [ada.as_str()]);
    assert_eq!(world.get("/?filter=meta.resourceType+eq+%22Group%22").await.ids(), [crew.as_str()]);
    let either = "/?filter=userName+eq+%22ada%22+or+displayName+eq+%22crew%22";
    assert_eq!(world.get(either).await.ids(), [ada.as_str(), &crew]);
    assert_eq!(world.get("/?filter=not+(userName+pr)").await.ids(), [crew.as_str()]);
    assert_eq!(world.get("/?sortBy=userName&sortOrder=descending").await.ids(), [ada.as_str(), &crew]);
    world.get("/?sortBy=shoeSize").await.refused(400, Some("invalidValue"));
    let page = world.call("POST", "/.search", json!({"startIndex": 2, "count": 1})).await;
    assert_eq!(page.ids(), [crew.as_str()]);
    assert_eq!((&page.json()["totalResults"], &page.json()["startIndex"]), (&2.into(), &2.into()));
    assert_eq!(world.get("/?count=0").await.json()["totalResults"], 2);
}
