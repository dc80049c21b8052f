//! C-1 to C-13: paths, content types, tokens.

use scim_server::DoorClient;
use serde_json::{Value, json};

use crate::harness::{ELSEWHERE, READER, ROOT, TOKEN, World, client};

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn c01_every_base_and_every_spelling_of_a_path_leads_to_the_same_resources() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let authorization = bearer(TOKEN);
    for path in [
        "/acme/prod/scim/v2/Groups",
        "/acme/prod/services/scim/v2/Groups",
        "/scim/v2/Groups",
        "/services/scim/v2/Groups",
        "/scim/v2//Groups",
        "/scim/v2/Groups/",
        "//scim/v2//groups//",
        "/scim/v2/Groups?aadOptscim062020",
    ] {
        let answer = world.send("GET", path, &[("authorization", &authorization)], "").await;
        assert_eq!(answer.ids(), [id.as_str()], "{path}");
    }
}

#[tokio::test]
async fn c01_locations_are_below_the_base_that_was_called() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let authorization = bearer(TOKEN);
    for base in ["/acme/prod/scim/v2", "/acme/prod/services/scim/v2", "/scim/v2", "/services/scim/v2"] {
        let path = format!("{base}//groups/{id}/");
        let answer = world.send("GET", &path, &[("authorization", &authorization)], "").await;
        let location = format!("https://scim.example.com{base}/Groups/{id}");
        assert_eq!(answer.json()["meta"]["location"], location);
        assert_eq!(answer.header("location"), Some(location.as_str()));
    }
}

#[tokio::test]
async fn without_a_public_url_locations_are_where_the_request_went() {
    let world = World::with(|settings| settings.public_url = None, |_| {});
    let id = world.group("Crew", &[]).await;
    let answer =
        world.call_with("GET", &format!("/Groups/{id}"), &[("host", "gw.local:8080")], Value::Null).await;
    assert_eq!(answer.json()["meta"]["location"], format!("http://gw.local:8080{ROOT}/Groups/{id}"));
}

#[tokio::test]
async fn c02_resource_names_are_found_in_any_case() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    for path in ["/groups", "/GROUPS", "/gRoUpS?count=10"] {
        assert_eq!(world.get(path).await.ids(), [id.as_str()], "{path}");
    }
    assert_eq!(world.get(&format!("/groups/{id}")).await.status, 200);
}

#[tokio::test]
async fn c05_a_body_is_json_whatever_its_content_type_says() {
    let world = World::start();
    let authorization = bearer(TOKEN);
    let types = [
        Some("application/scim+json"),
        Some("application/json"),
        Some("application/scim+json; charset=utf-8"),
        Some("application/json;charset=ISO-8859-1"),
        Some("application/x-www-form-urlencoded"),
        Some("nonsense"),
        None,
    ];
    for (number, content_type) in types.into_iter().enumerate() {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let body = json!({"displayName": format!("Crew {number}")}).to_string();
        let answer = world.send("POST", &format!("{ROOT}/Groups"), &headers, body).await;
        assert_eq!(answer.status, 201, "{content_type:?}: {answer:?}");
    }
}

#[tokio::test]
async fn c05_what_is_no_json_in_utf_8_is_invalid_syntax() {
    let world = World::start();
    let authorization = bearer(TOKEN);
    for body in [
        &b""[..],
        b"{\"displayName\": \"Caf\xE9\"}",
        b"{\"displayName\": \"x\"} trailing",
        b"displayName=x",
        b"[[[[",
        b"{\"displayName\": nul}",
    ] {
        let answer =
            world.send("POST", &format!("{ROOT}/Groups"), &[("authorization", &authorization)], body).await;
        answer.refused(400, Some("invalidSyntax"));
    }
    let nested = "{\"a\":".repeat(2_000) + "1" + &"}".repeat(2_000);
    let answer =
        world.send("POST", &format!("{ROOT}/Groups"), &[("authorization", &authorization)], nested).await;
    answer.refused(400, Some("invalidSyntax"));
    assert_eq!(world.get("/Groups").await.json()["totalResults"], 0);
}

#[tokio::test]
async fn c05_a_compressed_body_is_refused_in_words() {
    let world = World::start();
    let answer = world
        .call_with("POST", "/Groups", &[("content-encoding", "gzip")], json!({"displayName": "x"}))
        .await;
    answer.refused(415, None);
    let answer = world
        .call_with("POST", "/Groups", &[("content-encoding", "identity")], json!({"displayName": "x"}))
        .await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn c06_a_content_type_on_get_and_delete_does_no_harm() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let headers = [("content-type", "application/json")];
    assert_eq!(world.call_with("GET", "/Groups", &headers, Value::Null).await.status, 200);
    let gone = world.call_with("DELETE", &format!("/Groups/{id}"), &headers, Value::Null).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(gone.header("content-type"), None);
}

#[tokio::test]
async fn c07_the_answer_is_scim_json_unless_only_json_is_accepted() {
    let world = World::start();
    for (accept, content_type) in [
        ("application/scim+json", "application/scim+json"),
        ("*/*", "application/scim+json"),
        ("application/scim+json, application/json;q=0.9", "application/scim+json"),
        ("text/html", "application/scim+json"),
        ("application/json", "application/json"),
    ] {
        for path in ["/Users", "/Users/nobody", "/nowhere"] {
            let answer = world.call_with("GET", path, &[("accept", accept)], Value::Null).await;
            assert_eq!(answer.header("content-type"), Some(content_type), "{accept} {path}");
        }
    }
    assert_eq!(world.get("/Users").await.header("content-type"), Some("application/scim+json"));
}

#[tokio::test]
async fn c08_c09_unknown_parameters_are_ignored_and_known_ones_decoded() {
    let world = World::start();
    world.user("ada+crew@x.example", json!({"displayName": "Ada Löwe"})).await;
    for query in [
        "filter=userName+eq+%22ada%2Bcrew@x.example%22",
        "filter=userName%20eq%20%22ada%2Bcrew%40x.example%22&aadOptscim062020",
        "aadOptscim062020=true&filter=displayName+eq+%22Ada+L%C3%B6we%22&x=%FF",
        "FILTER=displayName%20co%20%22l%C3%B6%22",
    ] {
        assert_eq!(world.get(&format!("/Users?{query}")).await.ids().len(), 1, "{query}");
    }
    assert!(world.get("/Users?filter=userName+eq+%22ada+crew@x.example%22").await.ids().is_empty());
    world.get("/Users?filter=userName+eq+%22100%%22").await.refused(400, Some("invalidFilter"));
    world.get("/Users?attributes=%C3").await.refused(400, Some("invalidValue"));
}

#[tokio::test]
async fn c10_the_scheme_is_compared_without_regard_to_case() {
    let world = World::start();
    for authorization in ["Bearer acme-writes", "bearer acme-writes", "BEARER acme-writes", "acme-writes"] {
        let answer =
            world.send("GET", &format!("{ROOT}/Users"), &[("authorization", authorization)], "").await;
        assert_eq!(answer.status, 200, "{authorization}");
    }
}

#[tokio::test]
async fn c12_a_stranger_gets_401_with_a_challenge_everywhere() {
    let world = World::start();
    for (method, path) in [
        ("GET", "/Users"),
        ("POST", "/Users"),
        ("GET", "/ServiceProviderConfig"),
        ("POST", "/Bulk"),
        ("GET", "/nowhere"),
        ("TRACE", "/Users"),
        ("PUT", "/Users"),
    ] {
        for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Basic eDp5")]] {
            let answer = world.send(method, &format!("{ROOT}{path}"), headers, "").await;
            answer.refused(401, None);
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn tenants_cannot_tell_each_other_from_nobody() {
    let world = World::start();
    let token = bearer(ELSEWHERE);
    let ask = async |path: &str, token: &str| {
        let mut answer = world.send("GET", path, &[("authorization", token)], "").await;
        answer.headers.retain(|(name, _)| name != "x-request-id");
        (answer.status, answer.headers, answer.text)
    };
    let at_another = ask("/acme/prod/scim/v2/Users", &token).await;
    assert_eq!(at_another.0, 401);
    assert_eq!(at_another, ask("/nobody/prod/scim/v2/Users", &token).await);
    assert_eq!(at_another, ask("/acme/prod/scim/v2/Users", "Bearer nobodys").await);
    assert_eq!(at_another, ask("/Acme/PROD/scim/v2/Users", &token).await);
    assert_eq!(at_another, ask("/scim/v2/Users", &token).await);
    assert_eq!(ask("/beta/prod/scim/v2/Users", &token).await.0, 200);
}

#[tokio::test]
async fn tenants_do_not_see_each_others_resources() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let token = bearer(ELSEWHERE);
    let headers = [("authorization", token.as_str())];
    let list = world.send("GET", "/beta/prod/scim/v2/Groups", &headers, "").await;
    assert_eq!(list.json()["totalResults"], 0);
    for (method, path) in [("GET", &id), ("DELETE", &id), ("GET", &"nobody".to_owned())] {
        let answer = world.send(method, &format!("/beta/prod/scim/v2/Groups/{path}"), &headers, "").await;
        answer.refused(404, None);
    }
    assert_eq!(world.get(&format!("/Groups/{id}")).await.status, 200);
}

#[tokio::test]
async fn who_may_read_may_not_write() {
    let world = World::start();
    let id = world.group("Crew", &[]).await;
    let token = bearer(READER);
    let headers = [("authorization", token.as_str())];
    let ask = async |method: &str, path: &str, body: &'static str| {
        world.send(method, &format!("{ROOT}{path}"), &headers, body).await
    };
    for (method, path) in [
        ("POST", "/Groups".to_owned()),
        ("PUT", format!("/Groups/{id}")),
        ("PATCH", format!("/Groups/{id}")),
        ("DELETE", format!("/Groups/{id}")),
        ("POST", "/Bulk".to_owned()),
    ] {
        ask(method, &path, "{}").await.refused(403, None);
    }
    assert_eq!(ask("GET", "/Groups", "").await.status, 200);
    assert_eq!(ask("POST", "/Groups/.search", "{}").await.status, 200);
    assert_eq!(ask("POST", "/.search", "{}").await.status, 200);
}

#[tokio::test]
async fn new_clients_hold_from_the_next_request_on() {
    let world = World::start();
    world.replace_clients(vec![DoorClient { ..client("other", "fresh") }]);
    world.get("/Users").await.refused(401, None);
    let answer = world.send("GET", &format!("{ROOT}/Users"), &[("authorization", "Bearer fresh")], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_simulated_org_and_the_request_id_are_in_every_answer() {
    let simulated = World::with(|settings| settings.simulated = true, |_| {});
    for path in ["/Users", "/nowhere"] {
        let answer = simulated.get(path).await;
        assert_eq!(answer.header("x-gangway-simulated"), Some("true"));
    }
    let real = World::start();
    let (first, second) = (real.get("/Users").await, real.get("/nowhere").await);
    assert_eq!(first.header("x-gangway-simulated"), None);
    assert!(first.header("x-request-id").is_some());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn head_is_answered_like_get() {
    let world = World::start();
    let answer = world.call("HEAD", "/Users", Value::Null).await;
    assert_eq!(answer.status, 200);
}
