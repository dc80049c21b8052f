//! The web server flow: the consent page, codes, PKCE.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Response, redirect::Policy};
use serde_json::json;

use crate::world::{Answer, V, World, refresh_form};

const CALLBACK: &str = "http://localhost:1717/OauthRedirect";
const ADMIN: &str = "admin@harbour-lights.example";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn challenge() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest)
}

/// What the form on the page sends; `changes` replace or add.
async fn approve(world: &World, changes: &[(&str, &str)]) -> Response {
    let mut form = vec![
        ("client_id", "simulated-client"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("state", "a&b"),
        ("user", ADMIN),
        ("approve", "1"),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend_from_slice(changes);
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let url = format!("{}/services/oauth2/authorize", world.sim.url());
    http.post(url).form(&form).send().await.unwrap()
}

/// The parameters with which the user is sent back.
async fn sent_back(world: &World, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let response = approve(world, changes).await;
    assert_eq!(response.status(), 302, "{:?}", response.text().await);
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(CALLBACK), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

async fn code(world: &World, changes: &[(&str, &str)]) -> String {
    let back = sent_back(world, changes).await;
    assert_eq!(back[1], ("state".to_owned(), "a&b".to_owned()));
    assert_eq!(back[0].0, "code");
    back[0].1.clone()
}

async fn exchange(world: &World, code: &str, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", "simulated-client"),
        ("client_secret", "simulated-secret"),
        ("redirect_uri", CALLBACK),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend_from_slice(changes);
    world.token_call(&form).await
}

#[track_caller]
fn assert_refused(answer: Answer, error: &str, description: &str) {
    assert_eq!(answer.expect(400), json!({"error": error, "error_description": description}));
}

/// Whoever is not known to belong to the app is sent nowhere.
#[tokio::test]
async fn a_wrong_app_or_callback_is_a_page_and_no_redirect() {
    let world = World::start().await;
    for (changes, error) in [
        (("client_id", "nope"), "error=invalid_client_id"),
        (("redirect_uri", "http://localhost:1717/OauthRedirect/"), "error=redirect_uri_mismatch"),
        (("redirect_uri", "https://evil.example"), "error=redirect_uri_mismatch"),
    ] {
        let response = approve(&world, &[changes]).await;
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().contains(error));
    }
}

#[tokio::test]
async fn other_errors_go_back_to_the_app_with_its_state() {
    let app = "[[apps]]\nclient-id = \"strict\"\nrequire-pkce = true\ncallbacks = [\"http://localhost:1717/OauthRedirect\"]\n\
               approved-profiles = [\"Read Only\"]";
    let world = World::from_file(app).await;
    for (changes, error) in [
        (vec![("deny", "1")], "access_denied"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("scope", "api full")], "invalid_scope"),
        (vec![("code_challenge", "x"), ("code_challenge_method", "plain")], "invalid_request"),
        (vec![("client_id", "strict")], "invalid_request"),
        (vec![("client_id", "strict"), ("code_challenge", "x")], "OAUTH_APP_ACCESS_DENIED"),
    ] {
        let back = sent_back(&world, &changes).await;
        assert_eq!(back[0], ("error".to_owned(), error.to_owned()));
        assert!(back[1].0 == "error_description" && back[2].1 == "a&b");
    }
}

#[tokio::test]
async fn the_page_lists_users_and_carries_what_was_asked() {
    let file = "[[users]]\nusername = \"frozen@example.com\"\nfrozen = true";
    let world = World::from_file(file).await;
    let query = [
        ("response_type", "code"),
        ("client_id", "simulated-client"),
        ("redirect_uri", CALLBACK),
        ("state", "\"><script>"),
    ];
    let url = format!("{}/services/oauth2/authorize", world.sim.url());
    let page = world.send(world.http.get(url).query(&query)).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html;charset=UTF-8"));
    assert!(page.text.contains(&format!("<option value=\"{ADMIN}\">")));
    assert!(page.text.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{}", page.text);
    assert!(!page.text.contains("frozen@example.com"));
    let url = format!("{}/services/oauth2/authorize", world.sim.url());
    let posted = world.send(world.http.post(url).form(&query)).await;
    assert_eq!(posted.text, page.text, "some apps post what they ask for");
    let nobody = approve(&world, &[("user", "frozen@example.com")]).await;
    assert_eq!(nobody.status(), 400);
}

#[tokio::test]
async fn a_code_is_good_for_one_exchange_with_the_same_callback() {
    let mut world = World::start().await;
    let first = code(&world, &[]).await;
    assert_refused(exchange(&world, "nope", &[]).await, "invalid_grant", "invalid authorization code");
    let other = [("redirect_uri", "http://localhost:8765/callback")];
    let refused = exchange(&world, &first, &other).await;
    assert_refused(refused, "redirect_uri_mismatch", "redirect_uri must match configuration");
    let refused = exchange(&world, &first, &[("client_secret", "nope")]).await;
    assert_refused(refused, "invalid_client", "invalid client credentials");
    let body = exchange(&world, &first, &[]).await.expect(200);
    assert_eq!(body["scope"], "refresh_token api id web");
    assert!(body["id"].as_str().unwrap().contains("/id/00D"));
    assert_refused(exchange(&world, &first, &[]).await, "invalid_grant", "expired authorization code");
    world.token = body["access_token"].as_str().unwrap().to_owned();
    let info = world.get("/services/oauth2/userinfo").await.expect(200);
    assert_eq!(info["preferred_username"], ADMIN);
    let refresh_token = body["refresh_token"].as_str().unwrap();
    world.token_call(&refresh_form(refresh_token)).await.expect(200);

    let late = code(&world, &[]).await;
    world.control("/clock", json!({"advance_seconds": 900})).await;
    assert_refused(exchange(&world, &late, &[]).await, "invalid_grant", "expired authorization code");
}

#[tokio::test]
async fn a_code_with_a_challenge_needs_its_verifier() {
    let world = World::start().await;
    let challenge = challenge();
    let asked = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let code = code(&world, &asked).await;
    for verifier in ["", "wrong", &challenge] {
        let refused = exchange(&world, &code, &[("code_verifier", verifier)]).await;
        assert_refused(refused, "invalid_grant", "invalid code verifier");
    }
    exchange(&world, &code, &[("code_verifier", VERIFIER)]).await.expect(200);
}

#[tokio::test]
async fn scopes_limit_what_a_token_is_for() {
    let mut world = World::start().await;
    let code = code(&world, &[("scope", "id")]).await;
    let body = exchange(&world, &code, &[]).await.expect(200);
    assert_eq!((&body["scope"], body.get("refresh_token")), (&json!("id"), None));
    world.token = body["access_token"].as_str().unwrap().to_owned();
    let refused = world.get(&format!("{V}/limits")).await;
    let message = "This session is not valid for use with the REST API";
    assert_eq!(refused.expect_error(401, "INVALID_SESSION_ID")["message"], message);
    world.get("/services/oauth2/userinfo").await.expect(200);
}

/// §9: 5-grant cap.
#[tokio::test]
async fn a_sixth_authorization_ends_the_oldest_refresh_token() {
    let world = World::start().await;
    let mut tokens = Vec::new();
    for _ in 0..6 {
        let code = code(&world, &[]).await;
        let body = exchange(&world, &code, &[]).await.expect(200);
        tokens.push(body["refresh_token"].as_str().unwrap().to_owned());
    }
    let gone = world.token_call(&refresh_form(&tokens[0])).await;
    assert_refused(gone, "invalid_grant", "expired access/refresh token");
    for token in &tokens[1..] {
        world.token_call(&refresh_form(token)).await.expect(200);
    }
    // Another user's authorizations are not counted with them.
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
}
