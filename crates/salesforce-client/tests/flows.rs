//! The flows against the simulated org, which verifies what it is sent.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use model::Clock;
use salesforce_client::{Authorization, CallError, ConnectError, Flow, Org, OrgConfig, PrivateKey};
use salesforce_sim::{Sim, SimConfig};
use script::{Record, Vault, config, org_with};
use secrecy::{ExposeSecret, SecretString};

const ADMIN: &str = "admin@harbour-lights.example";
/// The run-as user, who has approved the app.
const INTEGRATION: &str = "integration@harbour-lights.example";
const CALLBACK: &str = "http://localhost:8765/callback";

/// A private key in PEM, and its public key.
fn key_pair() -> (SecretString, String) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
    let public = AsDer::<PublicKeyX509Der>::as_der(pair.public_key()).unwrap();
    (pem("PRIVATE KEY", private.as_ref()).into(), pem("PUBLIC KEY", public.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn org(sim: &Sim, flow: Flow) -> Org {
    let config = OrgConfig { flow, ..config(&sim.url()) };
    // The org compares times with its own clock.
    org_with(config, Vault::with(None, Record::default()), Clock::system())
}

fn jwt(pem: &SecretString, username: &str, audience: &str) -> Flow {
    Flow::JwtBearer {
        client_id: "simulated-client".to_owned(),
        username: username.to_owned(),
        audience: audience.to_owned(),
        private_key: PrivateKey::parse(pem.clone()).unwrap(),
    }
}

async fn reason(org: &Org) -> &'static str {
    match org.try_credentials().await {
        Err(CallError::Parked { .. }) => org.parked().unwrap().reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_assertion_is_verified_and_what_is_wrong_with_it_is_told_apart() {
    let (key, certificate) = key_pair();
    let sim = Sim::start(SimConfig { certificate: Some(certificate), ..SimConfig::default() }).await.unwrap();
    let login = "https://login.salesforce.com";
    let good = org(&sim, jwt(&key, INTEGRATION, login));
    good.try_credentials().await.unwrap();
    assert_eq!(good.identity().await.unwrap().username.as_deref(), Some(INTEGRATION));
    good.try_credentials().await.unwrap();
    assert_eq!(sim.handle().token_calls(), 2, "each assertion is a new one");

    let other = key_pair().0;
    assert_eq!(reason(&org(&sim, jwt(&other, INTEGRATION, login))).await, "bad-assertion");
    let evil = "https://login.evil.example";
    assert_eq!(reason(&org(&sim, jwt(&key, INTEGRATION, evil))).await, "wrong-audience");
    for stranger in [ADMIN, "nobody@acme.example"] {
        assert_eq!(reason(&org(&sim, jwt(&key, stranger, login))).await, "not-approved");
    }
}

#[tokio::test]
async fn client_credentials_act_as_the_run_as_user() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let flow = |secret: &str| Flow::ClientCredentials {
        client_id: "simulated-client".to_owned(),
        client_secret: secret.into(),
    };
    org(&sim, flow("simulated-secret")).try_credentials().await.unwrap();
    assert_eq!(reason(&org(&sim, flow("another"))).await, "wrong-secret");
}

/// Says yes, as a browser does; answers the address that the browser is sent to.
async fn approve(authorization: &Authorization) -> String {
    let mut form: Vec<(String, String)> = authorization.url().query_pairs().into_owned().collect();
    form.push(("user".to_owned(), ADMIN.to_owned()));
    form.push(("approve".to_owned(), "1".to_owned()));
    let mut page = authorization.url().clone();
    page.set_query(None);
    let plain = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(plain).build().unwrap();
    let answer = http.post(page).form(&form).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_brings_a_token_that_is_the_apps_alone() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let flow = Flow::RefreshToken {
        client_id: "simulated-client".to_owned(),
        client_secret: Some("simulated-secret".into()),
        refresh_token: None,
    };
    let vault = Vault::with(Some("dead"), Record::default());
    let shared: Arc<dyn salesforce_client::TokenVault> = vault.clone();
    let config = OrgConfig { flow, ..config(&sim.url()) };
    let begin = || Authorization::begin(config.clone(), CALLBACK.parse().unwrap()).unwrap();

    // The code of one sign-in is of no use to another: PKCE.
    let (mine, theirs) = (begin(), begin());
    let code = mine.code(&approve(&mine).await).unwrap();
    match theirs.finish(code, &shared, &Clock::system()).await {
        Err(ConnectError::Refused { why, .. }) => assert!(why.contains("invalid_grant"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(vault.token().as_deref(), Some("dead"), "nothing has been replaced");

    let mine = begin();
    let code = mine.code(&approve(&mine).await).unwrap();
    let text = code.expose_secret().to_owned();
    mine.finish(code, &shared, &Clock::system()).await.unwrap();
    let org = org_with(config.clone(), shared.clone(), Clock::system());
    assert_eq!(org.identity().await.unwrap().username.as_deref(), Some(ADMIN));
    let calls = sim.handle().token_calls();
    assert!(sim.handle().expire_tokens() > 0);
    org.check().await.unwrap();
    assert_eq!(sim.handle().token_calls(), calls + 1, "the refresh token is good");

    // A code is good once.
    let again = begin().finish(text.into(), &shared, &Clock::system()).await;
    assert!(matches!(again, Err(ConnectError::Refused { .. })), "{again:?}");
}
