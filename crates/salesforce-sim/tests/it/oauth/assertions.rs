//! JWT bearer, and apps that sign in place of sending a secret.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::world::{V, World, with};

const KEY: &[u8] = include_bytes!("../keys/app.key");
const OTHER_KEY: &[u8] = include_bytes!("../keys/other.key");
const CERTIFICATE: &str = include_str!("../keys/app.crt");
const BOT: &str = "integration@harbour-lights.example";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// An org with an app whose users an administrator approves by profile.
async fn world() -> World {
    let app = format!(
        "[[apps]]\nclient-id = \"signer\"\napproved-profiles = [\"System Administrator\"]\ncertificate = '''\n{CERTIFICATE}'''\n\
         [[apps]]\nclient-id = \"self\"\ncertificate = '''\n{CERTIFICATE}'''\n\
         [[apps]]\nclient-id = \"unsigned\"\n\
         [[users]]\nusername = \"ada@example.com\"\nprofile = \"Standard User\"\n\
         [[users]]\nusername = \"frozen@example.com\"\nprofile = \"System Administrator\"\nfrozen = true"
    );
    World::from_file(&app).await
}

async fn now(world: &World) -> i64 {
    let state = world.get("/_sim/state").await.expect(200);
    let now: jiff::Timestamp = state["now"].as_str().unwrap().parse().unwrap();
    now.as_second()
}

fn sign(claims: &Value, key: &[u8]) -> String {
    encode(&Header::new(Algorithm::RS256), claims, &EncodingKey::from_rsa_pem(key).unwrap()).unwrap()
}

async fn claims(world: &World) -> Value {
    json!({"iss": "signer", "sub": BOT, "aud": "https://login.salesforce.com", "exp": now(world).await + 170})
}

async fn ask(world: &World, assertion: &str) -> crate::world::Answer {
    world.token_call(&[("grant_type", BEARER), ("assertion", assertion)]).await
}

#[track_caller]
fn assert_refused(body: &Value, error: &str, description: &str) {
    assert_eq!(*body, json!({"error": error, "error_description": description}));
}

/// §9: `/services/oauth2/token` (jwt-bearer). §1.5: its errors.
#[tokio::test]
async fn an_assertion_that_is_wrong_in_any_way_is_refused() {
    let world = world().await;
    let right = claims(&world).await;
    let soon = now(&world).await;
    for (changes, key, error, description) in [
        (json!({}), OTHER_KEY, "invalid_grant", "invalid assertion"),
        (json!({"iss": "nobody"}), KEY, "invalid_client_id", "client identifier invalid"),
        (json!({"iss": "unsigned"}), KEY, "invalid_grant", "invalid assertion"),
        (json!({"aud": "https://test.salesforce.com"}), KEY, "invalid_grant", "Audience validation failed"),
        (json!({"exp": soon - 1}), KEY, "invalid_grant", "expired authorization code"),
        (json!({"exp": soon + 300}), KEY, "invalid_grant", "expired authorization code"),
        (json!({"sub": "nobody@example.com"}), KEY, "invalid_grant", "user hasn't approved this consumer"),
        (
            json!({"sub": "ada@example.com"}),
            KEY,
            "invalid_app_access",
            "user is not admin approved to access this app",
        ),
        (json!({"sub": "frozen@example.com"}), KEY, "invalid_grant", "inactive user"),
        (json!({"iss": "self"}), KEY, "invalid_grant", "user hasn't approved this consumer"),
    ] {
        let assertion = sign(&with(right.clone(), changes.clone()), key);
        assert_refused(&ask(&world, &assertion).await.expect(400), error, description);
    }
    assert_refused(&ask(&world, "a.b.c").await.expect(400), "invalid_grant", "invalid assertion");
    let unsigned = {
        let token = sign(&right, KEY);
        let (head, _) = token.rsplit_once('.').unwrap();
        format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1)
    };
    assert_refused(&ask(&world, &unsigned).await.expect(400), "invalid_grant", "invalid assertion");
}

#[tokio::test]
async fn an_assertion_of_an_approved_user_gives_a_session_and_no_refresh_token() {
    let mut world = world().await;
    let here = world.sim.url();
    for aud in
        [json!("https://login.salesforce.com"), json!(here), json!(["x", "https://login.salesforce.com/"])]
    {
        let assertion = sign(&with(claims(&world).await, json!({"aud": aud})), KEY);
        let body = ask(&world, &assertion).await.expect(200);
        assert!(body.get("refresh_token").is_none());
        world.token = body["access_token"].as_str().unwrap().to_owned();
        world.get(&format!("{V}/limits")).await.expect(200);
    }
}

/// §1.5: a `jti` that was used is a replay.
#[tokio::test]
async fn an_assertion_with_an_id_works_once() {
    let world = world().await;
    let assertion = sign(&with(claims(&world).await, json!({"jti": "1"})), KEY);
    ask(&world, &assertion).await.expect(200);
    assert_refused(&ask(&world, &assertion).await.expect(400), "invalid_grant", "invalid assertion");
    let without = sign(&claims(&world).await, KEY);
    ask(&world, &without).await.expect(200);
    ask(&world, &without).await.expect(200);
}

/// Its tokens show that the run-as user has approved the app that the org is started with.
#[tokio::test]
async fn an_earlier_approval_is_enough() {
    let config = salesforce_sim::SimConfig {
        certificate: Some(CERTIFICATE.to_owned()),
        ..salesforce_sim::SimConfig::default()
    };
    let world = World::with(config).await;
    let claims = with(claims(&world).await, json!({"iss": "simulated-client"}));
    ask(&world, &sign(&claims, KEY)).await.expect(200);
    let other = with(claims, json!({"sub": "admin@harbour-lights.example"}));
    let body = ask(&world, &sign(&other, KEY)).await.expect(400);
    assert_refused(&body, "invalid_grant", "user hasn't approved this consumer");
}

/// `simple-salesforce` writes the end as text.
#[tokio::test]
async fn an_assertion_may_write_its_end_as_text() {
    let world = world().await;
    let mut claims = claims(&world).await;
    claims["exp"] = json!(claims["exp"].to_string());
    ask(&world, &sign(&claims, KEY)).await.expect(200);
    claims["exp"] = json!("soon");
    assert_refused(&ask(&world, &sign(&claims, KEY)).await.expect(400), "invalid_grant", "invalid assertion");
}

/// `@salesforce/core` writes milliseconds.
#[tokio::test]
async fn an_assertion_may_write_its_end_in_milliseconds() {
    let world = world().await;
    let mut claims = claims(&world).await;
    claims["exp"] = json!(now(&world).await * 1_000 + 300);
    ask(&world, &sign(&claims, KEY)).await.expect(200);
    claims["exp"] = json!(now(&world).await + 3_600);
    ask(&world, &sign(&claims, KEY)).await.expect(400);
}

/// §1.1: `client_assertion` in place of a secret.
#[tokio::test]
async fn an_app_can_sign_in_place_of_its_secret() {
    let file = format!(
        "[[apps]]\nclient-id = \"signer\"\nclient-secret = \"s\"\nrun-as = \"{BOT}\"\ncertificate = '''\n{CERTIFICATE}'''"
    );
    let world = World::from_file(&file).await;
    let url = format!("{}/services/oauth2/token", world.sim.url());
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for (changes, key, kind, status) in [
        (json!({}), KEY, kind, 200),
        (json!({}), OTHER_KEY, kind, 400),
        (json!({}), KEY, "other", 400),
        (json!({"sub": BOT}), KEY, kind, 400),
    ] {
        let right = json!({"iss": "signer", "sub": "signer", "aud": url, "exp": now(&world).await + 60});
        let assertion = sign(&with(right, changes), key);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", &assertion),
        ];
        let body = world.token_call(&form).await.expect(status);
        assert!(status == 200 || body["error"] == "invalid_client", "{body}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_none_makes_no_org() {
    let config = salesforce_sim::SimConfig {
        certificate: Some("nonsense".into()),
        ..salesforce_sim::SimConfig::default()
    };
    let error = salesforce_sim::Sim::start(config).await.unwrap_err();
    assert!(error.to_string().contains("no PEM"), "{error}");
}
