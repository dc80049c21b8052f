//! The token endpoint, and what its tokens open.

use std::time::Duration;

use model::Ids;
use scim_server::{DoorClient, OAuth, OAuthUser, PasswordHash};

use crate::harness::{Answer, World, client};

const PATH: &str = "/services/oauth2/token";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// As `HelloID` sends it: all in the query, nothing in the body.
const HELLOID: &str = "grant_type=password&client_id=3MVG9.aBcD&client_secret=0F9E8D7C&username=helloid@acme.example&password=Winter!2026";

fn oauth() -> OAuth {
    let hash = |text: &str| PasswordHash::of(text, &Ids::random());
    OAuth {
        client_id: "3MVG9.aBcD".into(),
        secrets: vec![hash("0F9E8D7C")],
        users: vec![OAuthUser {
            username: "helloid@acme.example".into(),
            passwords: vec![hash("Winter!2026")],
        }],
        token_life: Duration::from_hours(2),
    }
}

fn helloid(oauth: OAuth) -> DoorClient {
    DoorClient { oauth: Some(oauth), token_sha256: Vec::new(), ..client("helloid", "none") }
}

fn world() -> World {
    World::with(
        |settings| settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()],
        |client| *client = helloid(oauth()),
    )
}

impl World {
    /// A token request by query, from an address.
    async fn login_from(&self, address: &str, query: &str) -> Answer {
        self.send("POST", &format!("{PATH}?{query}"), &[FORM, ("x-forwarded-for", address)], "").await
    }

    async fn login(&self, query: &str) -> Answer {
        self.login_from("192.0.2.1", query).await
    }

    async fn token(&self, query: &str) -> String {
        let answer = self.login(query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn status_with(&self, token: &str, path: &str) -> u16 {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], "").await.status
    }
}

/// The error of a refused token request, which tools find in three members.
#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["error"], error, "{answer:?}");
    assert_eq!(body["detail"], body["error_description"], "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn c11_the_answer_has_salesforces_shape_and_its_token_opens_the_door() {
    let world = world();
    let answer = world.login(HELLOID).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        (Some("no-store"), Some("no-cache"))
    );
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}: {body}"));
    assert_eq!(text("token_type"), "Bearer");
    assert_eq!(text("instance_url"), "https://scim.example.com");
    assert_eq!(text("id"), "https://scim.example.com/id/acme-prod/helloid");
    assert_eq!(text("issued_at"), "1767225600000");
    assert_eq!(body["expires_in"], 7_200);
    // printf '%s%s' "$id" "$issued_at" | openssl dgst -sha256 -hmac 0F9E8D7C -binary | base64
    assert_eq!(text("signature"), "w8dGAavA9kzFDMdL79H0UgMtiriygK58e9dLP19ZV6M=");
    for path in ["/services/scim/v2/Users", "/acme/prod/services/scim/v2/Users", "/scim/v2/Users"] {
        assert_eq!(world.status_with(text("access_token"), path).await, 200, "{path}");
    }
    let elsewhere = world.status_with(text("access_token"), "/beta/prod/services/scim/v2/Users").await;
    assert_eq!(elsewhere, 401);
}

#[tokio::test]
async fn c11_every_tenant_has_the_endpoint_in_any_case_and_says_its_own_address() {
    let world = world();
    for path in ["/acme/prod/services/oauth2/token", "/acme/prod/SERVICES/OAuth2/Token/"] {
        let answer = world.send("POST", &format!("{path}?{HELLOID}"), &[], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["instance_url"], "https://scim.example.com/acme/prod");
    }
    for path in ["/beta/prod", "/nobody/prod", "/acme/nothing"] {
        let answer = world.send("POST", &format!("{path}{PATH}?{HELLOID}"), &[], "").await;
        assert_eq!(refused(&answer, 400, "invalid_client_id"), "client identifier invalid");
    }
}

#[tokio::test]
async fn c11_parameters_may_be_in_the_body_in_both_and_in_the_header() {
    let world = world();
    let (client, user) = HELLOID.split_at(HELLOID.find("&username").unwrap());
    let both = world.send("POST", &format!("{PATH}?{client}"), &[FORM], &user[1..]).await;
    assert_eq!(both.status, 200, "{both:?}");
    assert_eq!(world.send("POST", PATH, &[FORM], HELLOID).await.status, 200);
    // base64("3MVG9.aBcD:0F9E8D7C"), base64("3MVG9.aBcD:wrong")
    let (right, wrong) = ("Basic M01WRzkuYUJjRDowRjlFOEQ3Qw==", "Basic M01WRzkuYUJjRDp3cm9uZw==");
    let body = "grant_type=client_credentials&scope=scim";
    assert_eq!(world.send("POST", PATH, &[FORM, ("authorization", right)], body).await.status, 200);
    let answer = world.send("POST", PATH, &[FORM, ("authorization", wrong)], body).await;
    assert_eq!(refused(&answer, 401, "invalid_client"), "invalid client credentials");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));

    let twice = world.send("POST", &format!("{PATH}?{HELLOID}"), &[FORM], "client_id=other").await;
    assert!(refused(&twice, 400, "invalid_request").contains("client_id"));
    let json = world.send("POST", PATH, &[("content-type", "application/json")], "{\"a\":1}").await;
    assert!(refused(&json, 400, "invalid_request").contains("x-www-form-urlencoded"));
}

#[tokio::test]
async fn refusals_are_salesforces() {
    let world = world();
    for (change, with, error, words) in [
        ("Winter!2026", "winter!2026", "invalid_grant", "authentication failure"),
        ("helloid@", "hello@", "invalid_grant", "authentication failure"),
        ("0F9E8D7C", "wrong", "invalid_client", "invalid client credentials"),
        ("&client_secret=0F9E8D7C", "", "invalid_client", "invalid client credentials"),
        ("3MVG9.aBcD", "3MVG9.abcd", "invalid_client_id", "client identifier invalid"),
        ("=password&", "=refresh_token&", "unsupported_grant_type", "grant type not supported"),
        ("=password&", "=&", "invalid_request", "missing required parameter: grant_type"),
        ("client_id=3MVG9.aBcD&", "", "invalid_request", "missing required parameter: client_id"),
        ("&password=Winter!2026", "", "invalid_request", "missing required parameter: password"),
    ] {
        let query = HELLOID.replace(change, with);
        assert_eq!(refused(&world.login(&query).await, 400, error), words, "{query}");
    }
    let get = world.send("GET", &format!("{PATH}?{HELLOID}"), &[], "").await;
    assert_eq!(refused(&get, 405, "invalid_request"), "must use HTTP POST");
    assert_eq!(get.header("allow"), Some("POST"));
    let large = world.send("POST", PATH, &[FORM], "a".repeat(20_000)).await;
    refused(&large, 413, "invalid_request");
    assert_eq!(world.login(&HELLOID.replace("helloid@", "HelloID@")).await.status, 200, "names in any case");
}

#[tokio::test]
async fn a_grant_needs_its_credentials_in_the_configuration() {
    let machine = "grant_type=client_credentials&client_id=3MVG9.aBcD&client_secret=0F9E8D7C";
    let people = World::with(|_| {}, |client| *client = helloid(OAuth { secrets: vec![], ..oauth() }));
    refused(&people.login(machine).await, 400, "unauthorized_client");
    assert_eq!(people.login(HELLOID).await.status, 200, "a secret that is not configured is not looked at");
    let machines = World::with(|_| {}, |client| *client = helloid(OAuth { users: vec![], ..oauth() }));
    refused(&machines.login(HELLOID).await, 400, "unauthorized_client");
    let token = machines.token(machine).await;
    assert_eq!(machines.status_with(&token, "/scim/v2/Users").await, 200);
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_says_so() {
    let world = world();
    let token = world.token(HELLOID).await;
    world.clock.advance(Duration::from_secs(7_199));
    assert_eq!(world.status_with(&token, "/services/scim/v2/Users").await, 200);
    world.clock.advance(Duration::from_secs(1));
    let bearer = format!("Bearer {token}");
    let answer = world.send("GET", "/services/scim/v2/Users", &[("authorization", &bearer)], "").await;
    assert!(answer.refused(401, None).contains("expired"));
    assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    let again = world.token(HELLOID).await;
    assert_eq!(world.status_with(&again, "/services/scim/v2/Users").await, 200);
}

#[tokio::test]
async fn a_token_is_void_at_once_when_its_client_or_its_password_leaves_the_configuration() {
    let world = world();
    let kept = oauth();
    world.replace_clients(vec![helloid(kept.clone())]);
    let token = world.token(HELLOID).await;
    let path = "/services/scim/v2/Users";
    world.replace_clients(vec![helloid(kept.clone())]);
    assert_eq!(world.status_with(&token, path).await, 200, "the same configuration again");
    let other = OAuth { users: oauth().users, ..kept.clone() };
    world.replace_clients(vec![helloid(other)]);
    assert_eq!(world.status_with(&token, path).await, 401, "another password");
    world.replace_clients(vec![helloid(OAuth { secrets: oauth().secrets, ..kept })]);
    assert_eq!(world.status_with(&token, path).await, 401, "another secret");
    world.replace_clients(vec![]);
    assert_eq!(world.status_with(&token, path).await, 401);
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_told_to_wait_and_others_are_not() {
    let world = world();
    let wrong = HELLOID.replace("0F9E8D7C", "guess");
    for _ in 0..20 {
        refused(&world.login(&wrong).await, 400, "invalid_client");
    }
    let limited = world.login(&wrong).await;
    assert!(refused(&limited, 429, "invalid_grant").contains("wait"));
    assert_eq!(limited.header("retry-after"), Some("6"));
    refused(&world.login(HELLOID).await, 429, "invalid_grant");
    assert_eq!(world.login_from("192.0.2.2", HELLOID).await.status, 200);
    assert_eq!(world.login(HELLOID).await.status, 200, "who was right a moment ago is let in");
    world.clock.advance(Duration::from_mins(10));
    assert_eq!(world.login(HELLOID).await.status, 200);
}

/// Made-up tenants have one limit together, which is nobody else's: they neither fill what failures are counted in nor show
/// which tenants there are.
#[tokio::test]
async fn made_up_tenants_and_clients_are_limited_together_and_in_nobodys_way() {
    let world = world();
    let wrong = HELLOID.replace("3MVG9.aBcD", "nobody");
    let at = async |tenant: &str, query: &str| {
        let path = format!("{tenant}{PATH}?{query}");
        world.send("POST", &path, &[FORM, ("x-forwarded-for", "192.0.2.1")], "").await
    };
    for n in 0..20 {
        let tenant = if n % 2 == 0 { format!("/made-up-{n}/prod") } else { String::new() };
        refused(&at(&tenant, &wrong).await, 400, "invalid_client_id");
    }
    for tenant in ["/made-up/prod", ""] {
        refused(&at(tenant, &wrong).await, 429, "invalid_grant");
    }
    assert_eq!(at("", HELLOID).await.status, 200, "who names a client that there is");
}

#[tokio::test]
async fn a_user_name_that_fails_too_often_waits_wherever_it_comes_from_known_or_not() {
    let world = world();
    for name in ["helloid@", "nobody@"] {
        let wrong = HELLOID.replace("helloid@", name).replace("Winter", "Summer");
        for attempt in 0..20 {
            refused(&world.login_from(&format!("192.0.2.{attempt}"), &wrong).await, 400, "invalid_grant");
        }
        let limited = world.login_from("192.0.2.100", &wrong).await;
        refused(&limited, 429, "invalid_grant");
        assert_eq!(limited.header("retry-after"), Some("30"));
    }
    refused(&world.login_from("192.0.2.101", HELLOID).await, 429, "invalid_grant");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.login_from("192.0.2.101", HELLOID).await.status, 200);
}

#[tokio::test]
async fn one_address_locks_a_user_name_out_for_itself_alone() {
    let world = world();
    let wrong = HELLOID.replace("Winter", "Summer");
    for _ in 0..10 {
        refused(&world.login(&wrong).await, 400, "invalid_grant");
    }
    let limited = world.login(&wrong).await;
    refused(&limited, 429, "invalid_grant");
    assert_eq!(limited.header("retry-after"), Some("60"));
    assert_eq!(world.login_from("192.0.2.2", HELLOID).await.status, 200);
}

/// Whoever has no client secret tries no passwords and locks no user out.
#[tokio::test]
async fn failures_without_the_secret_do_not_count_for_the_user_name() {
    let world = world();
    let wrong = HELLOID.replace("0F9E8D7C", "guess");
    for attempt in 0..15 {
        refused(&world.login_from(&format!("192.0.2.{attempt}"), &wrong).await, 400, "invalid_client");
    }
    assert_eq!(world.login_from("192.0.2.101", HELLOID).await.status, 200);
}

#[tokio::test]
async fn logins_count_as_requests_of_their_client_once_they_are_right() {
    let world = World::with(|settings| settings.requests_per_second = 2, |client| *client = helloid(oauth()));
    let statuses = [world.login(HELLOID).await.status, world.login(HELLOID).await.status];
    assert_eq!(statuses, [200, 200]);
    let third = world.login(HELLOID).await;
    refused(&third, 429, "invalid_grant");
    assert_eq!(third.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn tokens_differ_and_many_logins_at_once_are_all_answered() {
    let world = world();
    let all = futures::future::join_all((0..20).map(|_| world.token(HELLOID))).await;
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), 20);
}
