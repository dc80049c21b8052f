//! Tools that log in as they do to Salesforce: what their access tokens outlive, and what ends them.

use e2e::{Answered, Tool, World, world};
use toml::Table;

/// What gets a client its tokens: the secret is `0F9E8D7C`, the password `Winter!2026`.
const OAUTH: &str = r#"
client-id = "3MVG9.aBcD"
client-secret-argon2 = ["$argon2id$v=19$m=19456,t=2,p=1$9vWG8e8WrnnV+K2/BzDf9A$UWsxMv2rZlnu9lI4LUNaMvNJ/fDOsMzViO3Gs6b4ut0"]
users = [{ username = "helloid@acme.example", password-argon2 = ["$argon2id$v=19$m=19456,t=2,p=1$z9bNpncB+cVQCdXXjyTuWA$FCpFq/8JX3C+jr+29T+4vOtquwMfBH8C3SXmM5w/VOs"] }]
"#;
const QUERY: &str = "grant_type=password&client_id=3MVG9.aBcD&client_secret=0F9E8D7C&username=helloid@acme.example&password=Winter!2026";

fn oauth() -> Table {
    toml::from_str(OAUTH).unwrap()
}

/// The clients of the default tenant, to be changed.
fn clients(config: &mut Table) -> &mut Vec<toml::Value> {
    world::environment(config)["clients"].as_array_mut().unwrap()
}

fn with_logins(config: &mut Table) {
    clients(config)[0].as_table_mut().unwrap().insert("oauth".into(), oauth().into());
}

/// A login below `at`.
async fn log_in(world: &World, at: &str) -> Answered {
    let path = format!("{at}/services/oauth2/token?{QUERY}");
    Tool::new(&world.url(), "").send("POST", &path, &[], None).await.unwrap()
}

/// The access token that it is answered with.
async fn login(world: &World, at: &str) -> String {
    let answered = log_in(world, at).await.expect(200);
    answered.json()["access_token"].as_str().unwrap().to_owned()
}

async fn status(world: &World, at: &str, token: &str) -> u16 {
    world.tool_at(&format!("{at}/services/scim/v2"), token).get("/Users").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_outlives_a_restart() {
    let mut world = World::with(with_logins).await;
    let token = login(&world, "").await;
    assert_eq!(status(&world, "", &token).await, 200);
    world.restart().await;
    assert_eq!(status(&world, "", &token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_when_its_client_leaves_the_configuration() {
    let world = World::with(with_logins).await;
    let token = login(&world, "").await;
    world.reload(|config| {
        world::environment(config).insert("username-domain".into(), "acme.test".into());
    });
    assert_eq!(status(&world, "", &token).await, 200, "a change of something else");
    world.reload(|config| {
        clients(config)[0].as_table_mut().unwrap().remove("oauth");
    });
    assert_eq!(status(&world, "", &token).await, 401);
    assert_eq!(log_in(&world, "").await.expect(400).json()["error"], "invalid_client_id");
    assert_eq!(world.tool().get("/Users").await.status, 200, "its other token is another matter");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_has_logins_of_its_own() {
    let world = World::with(|config| {
        with_logins(config);
        let prod = world::environment(config).clone();
        let customers = world::table(config, "customers");
        let environments = Table::from_iter([("test".to_owned(), toml::Value::from(prod))]);
        let mut beta = Table::from_iter([("environments".to_owned(), toml::Value::from(environments))]);
        world::table(world::table(&mut beta, "environments"), "test").insert("default".into(), false.into());
        customers.insert("beta".into(), beta.into());
    })
    .await;
    let (acme, beta) = (login(&world, "/acme/prod").await, login(&world, "/beta/test").await);
    assert_eq!(status(&world, "/acme/prod", &acme).await, 200);
    assert_eq!(status(&world, "/beta/test", &beta).await, 200);
    assert_eq!(status(&world, "/acme/prod", &beta).await, 401, "the same credentials at another tenant");
    assert_eq!(status(&world, "/beta/test", &acme).await, 401);
    assert_eq!(status(&world, "", &acme).await, 200, "the default tenant on its short path");
}
