//! C-21 to C-24, RFC 9865, sorting.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{ELSEWHERE, World};

async fn crowd(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(world.user(&format!("user{number:03}"), json!({"active": number % 2 == 0})).await);
    }
    ids
}

#[tokio::test]
async fn c21_start_index_below_one_is_one_and_beyond_the_end_is_empty() {
    let world = World::start();
    let ids = crowd(&world, 3).await;
    for start in ["0", "-7", "1", ""] {
        let page = world.get(&format!("/Users?startIndex={start}&count=2")).await;
        assert_eq!((page.ids(), &page.json()["startIndex"]), (ids[..2].to_vec(), &json!(1)), "{start}");
    }
    let page = world.get("/Users?startIndex=4&count=2").await;
    assert_eq!((page.ids().len(), &page.json()["totalResults"]), (0, &json!(3)));
    for count in ["0", "-1"] {
        let page = world.get(&format!("/Users?count={count}")).await;
        assert_eq!((page.ids().len(), &page.json()["totalResults"]), (0, &json!(3)), "{count}");
    }
    let far = world.get("/Users?startIndex=99999999999999999999&count=99999999999").await;
    assert_eq!((far.ids().len(), &far.json()["totalResults"]), (0, &json!(3)));
    world.get("/Users?startIndex=one").await.refused(400, Some("invalidValue"));
}

#[tokio::test]
async fn c22_pages_are_full_until_the_last_and_miss_nobody() {
    let world = World::start();
    let ids = crowd(&world, 45).await;
    let mut seen = Vec::new();
    while seen.len() < ids.len() {
        let page = world.get(&format!("/Users?startIndex={}&count=20", seen.len() + 1)).await;
        assert_eq!(page.json()["totalResults"], 45);
        assert_eq!(page.ids().len(), (ids.len() - seen.len()).min(20));
        seen.extend(page.ids());
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn c23_without_a_count_a_page_is_100() {
    let world = World::start();
    let ids = crowd(&world, 103).await;
    assert_eq!(world.get("/Users").await.ids(), ids[..100]);
    assert_eq!(world.get("/Users?startIndex=101").await.ids(), ids[100..]);
}

#[tokio::test]
async fn c24_a_client_that_counts_from_zero_reads_everyone_once() {
    let world = World::with_client(|client| client.zero_based_index = true);
    let ids = crowd(&world, 45).await;
    let mut seen = Vec::new();
    while seen.len() < ids.len() {
        let page = world.get(&format!("/Users?startIndex={}&count=20", seen.len())).await;
        assert_eq!(page.json()["startIndex"], seen.len());
        seen.extend(page.ids());
    }
    assert_eq!(seen, ids);
    assert_eq!(world.get("/Users?count=1").await.ids(), ids[..1]);
    let search = json!({"startIndex": 1, "count": 1});
    assert_eq!(world.call("POST", "/Users/.search", search).await.ids(), ids[1..2]);
}

#[tokio::test]
async fn cursors_walk_through_everyone_once_even_while_some_leave() {
    let world = World::start();
    let mut names = Vec::new();
    for number in 0..9 {
        names.push(world.group(&format!("Group {number}"), &[]).await);
    }
    let mut seen = Vec::new();
    let mut path = "/Groups?cursor&count=2".to_owned();
    loop {
        let page = world.get(&path).await;
        seen.extend(page.ids());
        let list = page.json();
        assert!(list.get("startIndex").is_none());
        let Some(cursor) = list.get("nextCursor") else { break };
        // Whoever was read may leave: index paging would now skip one.
        world.call("DELETE", &format!("/Groups/{}", seen[seen.len() - 1]), Value::Null).await;
        path = format!("/Groups?cursor={}&count=2", cursor.as_str().unwrap());
    }
    assert_eq!(seen, names);
}

#[tokio::test]
async fn cursors_walk_through_both_kinds() {
    let world = World::start();
    let mut all = crowd(&world, 4).await;
    for name in ["a", "b", "c"] {
        all.push(world.group(name, &[]).await);
    }
    for count in [1, 2, 3, 4, 7, 10] {
        let mut seen = Vec::new();
        let mut cursor = json!("");
        while !cursor.is_null() {
            let page = world.call("POST", "/.search", json!({"cursor": cursor, "count": count})).await;
            assert_eq!(page.json()["totalResults"], 7);
            seen.extend(page.ids());
            cursor = page.json()["nextCursor"].clone();
        }
        assert_eq!(seen, all, "{count} a page");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_search_for_an_hour() {
    let world = World::start();
    crowd(&world, 5).await;
    let page = world.get("/Users?cursor=&count=2&filter=active+eq+true").await.json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let with = |rest: &str| format!("/Users?cursor={cursor}&count=2{rest}");
    assert_eq!(world.get(&with("&filter=active+eq+true")).await.ids().len(), 1);
    world.get(&with("")).await.refused(400, Some("invalidCursor"));
    world.get(&with("&filter=active+eq+false")).await.refused(400, Some("invalidCursor"));
    world.get("/Users?cursor=made-up&count=2").await.refused(400, Some("invalidCursor"));
    world.get(&with("&sortBy=userName&filter=active+eq+true")).await.refused(400, Some("invalidValue"));
    world.get("/Users?cursor&count=0").await.refused(400, Some("invalidCount"));
    let authorization = format!("Bearer {ELSEWHERE}");
    let elsewhere = format!("/beta/prod/scim/v2{}", with("&filter=active+eq+true"));
    world
        .send("GET", &elsewhere, &[("authorization", &authorization)], "")
        .await
        .refused(400, Some("invalidCursor"));
    world.clock.advance(Duration::from_secs(3_601));
    world.get(&with("&filter=active+eq+true")).await.refused(400, Some("expiredCursor"));
}

#[tokio::test]
async fn lists_are_sorted_on_request() {
    let world = World::start();
    for (name, title) in [("carol", "b"), ("Ada", "c"), ("bob", "a")] {
        world.user(name, json!({"title": title})).await;
    }
    let names = async |query: &str| world.get(&format!("/Users?{query}")).await.ids();
    assert_eq!(names("sortBy=userName").await, ["u-Ada", "u-bob", "u-carol"]);
    assert_eq!(names("sortBy=title&sortOrder=descending").await, ["u-Ada", "u-carol", "u-bob"]);
    assert_eq!(names("").await, ["u-carol", "u-Ada", "u-bob"]);
    world.get("/Users?sortBy=shoeSize").await.refused(400, Some("invalidValue"));
}
