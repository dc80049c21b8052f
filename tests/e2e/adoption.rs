//! People who were in Salesforce before Gangway.

use e2e::{World, tool::person, world::environment};
use serde_json::{Value, json};

/// The same username: adopted and brought up to date, once; what the identity says nothing of stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_there_before_is_adopted_by_username() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let id = org
        .make_user(&token, &json!({"Username": "ada@acme.example", "Email": "ada@acme.example", "Title": "Kept", "Alias": "mine"}))
        .await;

    let _ = tool.create("ada@acme.example").await.expect(201);
    let adopted = org.user("ada@acme.example").await;
    assert_eq!(adopted["Id"], id.as_str());
    assert_eq!(adopted["LastName"], "ada");
    assert_eq!(adopted["Title"], "Kept");
    assert_eq!(adopted["Alias"], "mine");
}

/// The same `FederationIdentifier` under another username.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_there_before_is_adopted_by_federation_identifier() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let id = org
        .make_user(&token, &json!({"Username": "old@acme.example", "Email": "old@acme.example", "FederationIdentifier": "E-1"}))
        .await;
    let mut body = person("ada@acme.example");
    body["externalId"] = json!("E-1");
    let _ = tool.post("/Users", &body).await.expect(201);
    assert_eq!(org.user("ada@acme.example").await["Id"], id.as_str());
    assert!(org.users("old@acme.example").await.is_empty());
}

/// Two records match: nobody is guessed, and the answer names the hold.
#[tokio::test(flavor = "multi_thread")]
async fn several_hits_are_a_hold_and_a_409() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let one = json!({"Username": "ada@acme.example", "Email": "a@acme.example"});
    let two =
        json!({"Username": "old@acme.example", "Email": "b@acme.example", "FederationIdentifier": "E-1"});
    let one = org.make_user(&token, &one).await;
    let two = org.make_user(&token, &two).await;
    let mut body = person("ada@acme.example");
    body["externalId"] = json!("E-1");
    let refused = tool.post("/Users", &body).await.expect(409).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("hold") && detail.contains(&one) && detail.contains(&two), "{detail}");
    assert_eq!(tool.find_users(r#"userName eq "ada@acme.example""#).await.json()["totalResults"], 0);
    for (name, last) in [("ada@acme.example", "By Hand"), ("old@acme.example", "By Hand")] {
        assert_eq!(org.user(name).await["LastName"], last, "nothing was written");
    }
}

/// An administrator is not taken over by a door; neither is one that the tenant names.
#[tokio::test(flavor = "multi_thread")]
async fn protected_users_are_not_adopted() {
    let world = World::with(|config| {
        environment(config).insert("protected".into(), toml::Value::Array(vec!["boss@acme.example".into()]));
    })
    .await;
    let (tool, org) = (world.tool(), world.org());
    let token = world.org_token().await;
    let admin = org.profile("System Administrator").await;
    let _ = org
        .make_user(
            &token,
            &json!({"Username": "root@acme.example", "Email": "r@acme.example", "ProfileId": admin}),
        )
        .await;
    let _ = org.make_user(&token, &json!({"Username": "boss@acme.example", "Email": "b@acme.example"})).await;
    for name in ["root@acme.example", "boss@acme.example"] {
        let refused = tool.create(name).await.expect(409).json();
        assert!(refused["detail"].as_str().unwrap().contains("protected"), "{refused}");
        assert_eq!(org.user(name).await["LastName"], "By Hand");
    }
}

/// A username that is taken in another org is a conflict which says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_in_another_org_is_409_with_salesforces_words() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "usernames-elsewhere = [\"ada@acme.example\"]\n").unwrap();
    let sim = salesforce_sim::SimConfig { org_file: Some(file.path().to_owned()), ..Default::default() };
    let world = World::of(e2e::world::default_config(), sim).await;
    let refused = world.tool().create("ada@acme.example").await.expect(409).json();
    assert_eq!(refused["scimType"], "uniqueness");
    assert!(refused["detail"].as_str().unwrap().contains("another Salesforce org"), "{refused}");
    assert_eq!(
        world.tool().find_users(r#"userName eq "ada@acme.example""#).await.json()["totalResults"],
        Value::from(0)
    );
}

/// Two identities with one `externalId`: a conflict that names the other, and nothing for a person to decide.
#[tokio::test(flavor = "multi_thread")]
async fn two_identities_cannot_have_one_record() {
    let world = World::start().await;
    let (tool, org) = (world.tool(), world.org());
    let mut body = person("ada@acme.example");
    body["externalId"] = json!("E-1");
    let ada = tool.post("/Users", &body).await.expect(201).id();
    let mut body = person("bob@acme.example");
    body["externalId"] = json!("E-1");
    let refused = tool.post("/Users", &body).await.expect(409).json();
    assert_eq!(refused["scimType"], "uniqueness");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains(&ada) && detail.contains("externalId") && !detail.contains("hold"), "{detail}");
    assert_eq!(org.user("ada@acme.example").await["LastName"], "ada");
}
