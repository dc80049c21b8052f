//! §2.9: SOSL and parameterised search.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Answer, V, World};

async fn people() -> World {
    let world = World::start().await;
    world
        .create("ada@example.org", json!({"Email": "ada.lovelace@example.org", "Phone": "+44 20 7946 0000"}))
        .await;
    world
        .create(
            "grace@example.org",
            json!({"LastName": "Hopper", "FirstName": "Grace", "Email": "grace@example.org"}),
        )
        .await;
    let contact = json!({"LastName": "Lovelace", "FirstName": "Byron", "Email": "byron@example.org"});
    world.post(&format!("{V}/sobjects/Contact"), contact).await.expect(201);
    world
}

async fn search(world: &World, sosl: &str) -> Answer {
    world.send(world.request(reqwest::Method::GET, &format!("{V}/search")).query(&[("q", sosl)])).await
}

fn shown(body: &Value, field: &str) -> Vec<String> {
    let records = body["searchRecords"].as_array().unwrap().iter();
    records.map(|record| record[field].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn words_are_found_in_several_objects() {
    let world = people().await;
    for (sosl, field, expected) in [
        (
            "FIND {lovelace} RETURNING User(Username), Contact(FirstName)",
            "Username",
            &["ada@example.org", "-"][..],
        ),
        (
            "find {LOVE*} in name fields returning User(FirstName), Contact(FirstName)",
            "FirstName",
            &["Ada", "Byron"],
        ),
        (
            "FIND {grace OR byron} RETURNING User(LastName), Contact(LastName)",
            "LastName",
            &["Hopper", "Lovelace"],
        ),
        ("FIND {lovelace AND NOT ada} RETURNING User(LastName), Contact(FirstName)", "FirstName", &["Byron"]),
        ("FIND {grace@example.org} IN EMAIL FIELDS RETURNING User(LastName)", "LastName", &["Hopper"]),
        ("FIND {7946} IN PHONE FIELDS RETURNING User(FirstName)", "FirstName", &["Ada"]),
        ("FIND {7946} IN EMAIL FIELDS RETURNING User(FirstName)", "FirstName", &[]),
        ("FIND {\"ada lovelace\"} RETURNING User(FirstName)", "FirstName", &["Ada"]),
        ("FIND {ada\\.lovelace} RETURNING User(FirstName)", "FirstName", &["Ada"]),
        (
            "FIND {example} RETURNING User(Username WHERE LastName = 'Hopper' OR LastName = 'Lovelace' ORDER BY Username DESC LIMIT 1)",
            "Username",
            &["grace@example.org"],
        ),
        (
            "FIND {example} RETURNING User(Username WHERE Username LIKE '%.org' ORDER BY Username), Contact(Email) LIMIT 1",
            "Username",
            &["ada@example.org"],
        ),
    ] {
        let body = search(&world, sosl).await.expect(200);
        assert_eq!(shown(&body, field), expected, "{sosl}");
    }
    let body = search(&world, "FIND {byron}").await.expect(200);
    let record = &body["searchRecords"][0];
    let keys: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["attributes", "Id"]);
    assert_eq!(record["attributes"]["type"], "Contact");
    assert_eq!(search(&world, "FIND {nothing at all}").await.expect(200), json!({"searchRecords": []}));
}

#[tokio::test]
async fn wrong_searches_are_malformed() {
    let world = World::start().await;
    for (sosl, code, message) in [
        ("FIND ada", "MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces."),
        (
            "FIND {ada",
            "MALFORMED_SEARCH",
            "No search term found. The search term must be enclosed in braces.",
        ),
        (
            "SELECT Id FROM User",
            "MALFORMED_SEARCH",
            "No search term found. The search term must be enclosed in braces.",
        ),
        ("FIND {a}", "MALFORMED_SEARCH", "search term must be longer than one character: a"),
        // Recorded: the parser of searches counts columns from 0.
        (
            "FIND {John|jane_gray@uoa.edu} RETURNING Contact",
            "MALFORMED_SEARCH",
            "\nFIND {John|jane_gray@uoa.edu} RETURNING Contact\n         ^\nERROR at Row:1:Column:10\nline 1:10 mismatched character '|' expecting '}'",
        ),
        (
            "FIND {name} IN ALL TYPE RETURNING Account(name)",
            "MALFORMED_SEARCH",
            "\nFIND {name} IN ALL TYPE RETURNING Account(name)\n                  ^\nERROR at Row:1:Column:19\nMalformed search token: TYPE",
        ),
        (
            "FIND {ada} RETURNING UserLogin",
            "INVALID_TYPE_FOR_OPERATION",
            "entity type UserLogin does not support search",
        ),
    ] {
        let error = search(&world, sosl).await.expect_error(400, code);
        assert_eq!(error["message"], message, "{sosl}");
    }
    search(&world, "FIND {ada} RETURNING Nope").await.expect_error(400, "INVALID_TYPE");
    search(&world, "FIND {ada} RETURNING User(Nope)").await.expect_error(400, "INVALID_FIELD");
    search(&world, "FIND {ada} RETURNING User(Id").await.expect_error(400, "MALFORMED_SEARCH");
    search(&world, "FIND {ada} AND MORE").await.expect_error(400, "MALFORMED_SEARCH");
    world.get(&format!("{V}/search")).await.expect_error(400, "MALFORMED_SEARCH");
    world.post(&format!("{V}/search"), json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn parameters_and_bodies_search_too() {
    let world = people().await;
    let body = json!({
        "q": "lovelace",
        "fields": ["Id"],
        "sobjects": [{"name": "User", "fields": ["Username"], "where": "IsActive = true", "limit": 10}, {"name": "Contact"}],
        "in": "NAME",
        "overallLimit": 100,
    });
    let found = world.post(&format!("{V}/parameterizedSearch"), body).await.expect(200);
    assert_eq!(shown(&found, "Username"), ["ada@example.org", "-"]);
    assert!(found["searchRecords"][1]["Id"].as_str().unwrap().starts_with("003"));
    let request = world.request(reqwest::Method::GET, &format!("{V}/parameterizedSearch"));
    let request = request.query(&[
        ("q", "grace"),
        ("sobject", "User"),
        ("User.fields", "LastName,Username"),
        ("User.limit", "5"),
    ]);
    let found = world.send(request).await.expect(200);
    assert_eq!(shown(&found, "LastName"), ["Hopper"]);
    world
        .post(&format!("{V}/parameterizedSearch"), json!({"in": "ALL"}))
        .await
        .expect_error(400, "MALFORMED_SEARCH");
}

/// §2.9: the index is asynchronous.
#[tokio::test]
async fn the_index_can_lag_behind() {
    let world = people().await;
    world.control("/switches", json!({"search-index-delay-seconds": 60})).await;
    let sosl = "FIND {byron} RETURNING Contact";
    assert!(shown(&search(&world, sosl).await.expect(200), "Id").is_empty());
    world.sim.handle().advance(Duration::from_mins(2));
    assert_eq!(shown(&search(&world, sosl).await.expect(200), "Id").len(), 1);
}
