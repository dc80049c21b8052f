//! §9 "Transport/auth": tokens.

mod assertions;
mod browser;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::world::{V, World, refresh_form};

/// §3 of the recorded shapes: key set exactly, `issued_at` as text, no `expires_in`.
/// §9: `/services/oauth2/token` (refresh); `issued_at` string ms; no `expires_in`.
#[tokio::test]
async fn a_refresh_answers_in_the_recorded_shape() {
    let world = World::start().await;
    let answer = world.token_call(&refresh_form("simulated-refresh-token")).await;
    assert_eq!(answer.header("content-type"), "application/json;charset=UTF-8");
    assert_eq!(answer.header("cache-control"), "no-cache, no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("sforce-limit-info"), "");
    let body = answer.expect(200);
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "issued_at", "token_type", "instance_url", "signature", "access_token", "scope"]);
    assert!(body["issued_at"].as_str().unwrap().parse::<u64>().is_ok());
    let token = body["access_token"].as_str().unwrap();
    let (org, secret) = token.split_once('!').unwrap();
    assert!(org.len() == 15 && org.starts_with("00D") && secret.len() == 96);
    assert_eq!(body["signature"].as_str().unwrap().len(), 44);
    assert_eq!(body["instance_url"], world.sim.url());
}

/// §9: `/services/oauth2/token` (`client_credentials`).
#[tokio::test]
async fn client_credentials_in_the_form_or_as_basic_have_no_refresh_token() {
    let world = World::start().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "simulated-client"),
        ("client_secret", "simulated-secret"),
    ];
    assert!(world.token_call(&form).await.expect(200).get("refresh_token").is_none());
    let url = format!("{}/services/oauth2/token", world.sim.url());
    let basic = world.http.post(url).basic_auth("simulated-client", Some("simulated-secret"));
    let body = world.send(basic.form(&[("grant_type", "client_credentials")])).await.expect(200);
    assert_eq!(body["scope"], "api");
}

/// §9: JSON object errors.
#[tokio::test]
async fn token_errors_are_objects_with_their_recorded_words() {
    let world = World::start().await;
    let refresh = |token, id, secret| {
        [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", id),
            ("client_secret", secret),
        ]
    };
    for (form, error, description) in [
        (
            refresh("nope", "simulated-client", "simulated-secret"),
            "invalid_grant",
            "expired access/refresh token",
        ),
        (refresh("x", "nope", "simulated-secret"), "invalid_client_id", "client identifier invalid"),
        (refresh("x", "simulated-client", "nope"), "invalid_client", "invalid client credentials"),
    ] {
        let body = world.token_call(&form).await.expect(400);
        assert_eq!(body, json!({"error": error, "error_description": description}));
    }
    let body = world.token_call(&[("grant_type", "magic")]).await.expect(400);
    assert_eq!(
        body,
        json!({"error": "unsupported_grant_type", "error_description": "grant type not supported"})
    );
}

/// §9: form bodies only.
#[tokio::test]
async fn a_json_body_is_no_token_request() {
    let world = World::start().await;
    let form = json!({"grant_type": "client_credentials", "client_id": "simulated-client"});
    let body = world.post("/services/oauth2/token", form).await.expect(400);
    assert_eq!(body["error"], "unsupported_grant_type");
}

/// §9: access-token TTL sliding, forced expiry hook, 401 array body.
#[tokio::test]
async fn an_access_token_lives_two_hours_from_its_last_use() {
    let world = World::start().await;
    let limits = format!("{V}/limits");
    for _ in 0..3 {
        world.control("/clock", json!({"advance_seconds": 7_000})).await;
        world.get(&limits).await.expect(200);
    }
    world.control("/clock", json!({"advance_seconds": 7_200})).await;
    let answer = world.get(&limits).await;
    let error = answer.expect_error(401, "INVALID_SESSION_ID");
    assert_eq!(error, json!({"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}));
    assert_eq!(answer.header("www-authenticate"), "Token");
}

/// §9: forced expiry hook.
#[tokio::test]
async fn tokens_can_be_made_to_expire() {
    let mut world = World::start().await;
    assert_eq!(world.control("/tokens/expire", json!({})).await["expired"], 1);
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
    world.refresh().await;
    world.get(&format!("{V}/limits")).await.expect(200);
}

/// §9: rotation on/off; replay of an old refresh token.
#[tokio::test]
async fn with_rotation_every_refresh_token_works_once() {
    let world = World::from_file("[switches]\nrefresh-token-rotation = true").await;
    // The world has used the first one already.
    let again = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
    assert_eq!(again["error_description"], "expired access/refresh token");
    world.get(&format!("{V}/limits")).await.expect(200);
}

#[tokio::test]
async fn rotation_hands_out_the_next_refresh_token() {
    let world = World::start().await;
    world.control("/switches", json!({"refresh-token-rotation": true})).await;
    let first = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    let next = first["refresh_token"].as_str().unwrap();
    let second = world.token_call(&refresh_form(next)).await.expect(200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    world.token_call(&refresh_form(next)).await.expect(400);
    let live = second["refresh_token"].as_str().unwrap();
    world.token_call(&refresh_form(live)).await.expect(200);
}

#[tokio::test]
async fn a_replay_can_end_the_whole_family() {
    let world = World::start().await;
    world.control("/switches", json!({"refresh-token-rotation": true, "revoke-family-on-reuse": true})).await;
    let first = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
    world.token_call(&refresh_form(first["refresh_token"].as_str().unwrap())).await.expect(400);
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
}

#[tokio::test]
async fn refresh_tokens_can_have_an_end() {
    let world = World::from_file(
        "[switches]\nrefresh-token-policy = \"specific-lifetime\"\nrefresh-token-seconds = 60",
    )
    .await;
    world.sim.handle().advance(Duration::from_secs(59));
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    world.sim.handle().advance(Duration::from_secs(1));
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
}

/// §9: per-user deactivation kills refresh.
#[tokio::test]
async fn a_frozen_user_gets_no_token_and_his_are_dead() {
    let world = World::from_file(
        "[[users]]\nusername = \"bot@example.com\"\nfrozen = true\n[org]\nrun-as = \"admin@harbour-lights.example\"",
    )
    .await;
    let admin = world.query("SELECT Id FROM User WHERE Username = 'admin@harbour-lights.example'").await;
    let login = world
        .query(&format!("SELECT Id FROM UserLogin WHERE UserId = '{}'", admin[0]["Id"].as_str().unwrap()))
        .await;
    let path = format!("{V}/sobjects/UserLogin/{}", login[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsFrozen": true})).await.expect_error(400, "CANNOT_FREEZE_SELF");
    let bot = world.query("SELECT Id FROM UserLogin WHERE IsFrozen = true").await;
    assert_eq!(bot.len(), 1);

    let world = World::from_file(
        "[[users]]\nusername = \"bot@example.com\"\nprofile = \"System Administrator\"\n[org]\nrun-as = \"bot@example.com\"\n\
         [switches]\nself-deactivation-code = \"X\"",
    )
    .await;
    let bot = world.query("SELECT Id FROM User WHERE Username = 'bot@example.com'").await;
    let path = format!("{V}/sobjects/User/{}", bot[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"IsActive": false})).await.expect_error(400, "X");
}

/// §9: `/revoke`.
#[tokio::test]
async fn revoked_tokens_are_dead() {
    let world = World::start().await;
    let revoke = |token: String| {
        let url = format!("{}/services/oauth2/revoke", world.sim.url());
        world.send(world.http.post(url).form(&[("token", token)]))
    };
    assert_eq!(revoke(world.token.clone()).await.status, 200);
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
    assert_eq!(revoke("simulated-refresh-token".into()).await.status, 200);
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
    // The error is a form, as jsforce reads it, unless JSON is asked for.
    let refused = revoke("nope".into()).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.text,
        "error=unsupported_token_type&error_description=this+token+type+is+not+supported"
    );
}

/// §9: `/introspect`.
#[tokio::test]
async fn introspection_tells_when_a_token_ends() {
    let world = World::start().await;
    let url = format!("{}/services/oauth2/introspect", world.sim.url());
    let ask = |token: &str| {
        let request = world.http.post(&url).basic_auth("simulated-client", Some("simulated-secret"));
        world.send(request.form(&[("token", token)]))
    };
    let body = ask(&world.token).await.expect(200);
    assert_eq!(body["active"], true);
    assert_eq!(body["username"], "integration@harbour-lights.example");
    assert_eq!(body["exp"].as_i64().unwrap() - body["iat"].as_i64().unwrap(), 7_200);
    assert_eq!(ask("nope").await.expect(200), json!({"active": false}));
    let anonymous = world.send(world.http.post(&url).form(&[("token", "x")])).await.expect(400);
    assert_eq!(anonymous["error"], "invalid_client_id");
}

/// §3 of the recorded shapes: URLs with a literal `{version}`, 15 characters in the SOAP URLs, `Z`.
/// §9: `/id/{org}/{user}`.
#[tokio::test]
async fn identity_and_userinfo_say_who_the_token_is() {
    let world = World::start().await;
    let token = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    let id = token["id"].as_str().unwrap();
    let body = world.send(world.http.get(id).bearer_auth(&world.token)).await.expect(200);
    assert_eq!(body["username"], "integration@harbour-lights.example");
    assert_eq!(body["id"], id);
    assert!(body["urls"]["rest"].as_str().unwrap().ends_with("/services/data/v{version}/"));
    assert_eq!(body["urls"]["enterprise"].as_str().unwrap().rsplit('/').next().unwrap().len(), 15);
    assert!(body["last_modified_date"].as_str().unwrap().ends_with('Z'));
    let info = world.get("/services/oauth2/userinfo").await.expect(200);
    assert_eq!(info["user_id"], body["user_id"]);
    let refused = world.send(world.http.get(id).bearer_auth("nope")).await;
    assert_eq!((refused.status, refused.text.as_str()), (403, "Bad_OAuth_Token"));
    let wrong = id.rsplit_once('/').unwrap().0.to_owned() + "/005000000000000AAA";
    let missing = world.send(world.http.get(wrong).bearer_auth(&world.token)).await;
    assert_eq!((missing.status, missing.text.as_str()), (404, "Bad_Id"));
    let gone = world.create("a@example.com", json!({"IsActive": false})).await;
    let inactive = id.rsplit_once('/').unwrap().0.to_owned() + "/" + &gone;
    let inactive = world.send(world.http.get(inactive).bearer_auth(&world.token)).await;
    assert_eq!((inactive.status, inactive.text.as_str()), (403, "Inactive_User"));
    let elsewhere = format!("{}/id/00D000000000000AAA/{gone}", world.sim.url());
    let elsewhere = world.send(world.http.get(elsewhere).bearer_auth(&world.token)).await;
    assert_eq!((elsewhere.status, elsewhere.text.as_str()), (403, "Wrong_Org"));
}

/// §9: different `instance_url` than token host; ability to change it on refresh.
#[tokio::test]
async fn the_instance_url_can_move() {
    let world = World::start().await;
    let elsewhere = format!("http://localhost:{}", world.sim.addr.port());
    world.control("/switches", json!({"instance-url": elsewhere})).await;
    let body = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    assert_eq!(body["instance_url"], elsewhere);
}

#[tokio::test]
async fn a_header_that_is_no_bearer_is_another_401() {
    let world = World::start().await;
    let url = format!("{}{V}/limits", world.sim.url());
    let missing = world.send(world.http.get(&url)).await;
    missing.expect_error(401, "INVALID_AUTH_HEADER");
    let basic = world.send(world.http.get(&url).basic_auth("a", Some("b"))).await;
    assert_eq!(basic.expect_error(401, "INVALID_AUTH_HEADER")["message"], "INVALID_HEADER_TYPE");
    let old = world.request(Method::GET, &format!("{V}/limits"));
    world.send(old.header("x", "y")).await.expect(200);
}

/// §9: login-rate hook.
#[tokio::test]
async fn too_many_logins_in_an_hour_are_refused() {
    let world = World::from_file("[switches]\nlogins-per-hour = 2").await;
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    let refused = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(400);
    assert_eq!(refused, json!({"error": "invalid_grant", "error_description": "login rate exceeded"}));
    world.control("/clock", json!({"advance_seconds": 3_600})).await;
    world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
}

fn of_app<'a>(grant: &'a str, id: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", grant), ("client_id", id), ("client_secret", "s")]
}

/// §1.4: the login hosts do not know which org a call is for.
#[tokio::test]
async fn client_credentials_need_the_orgs_own_domain_and_a_run_as_user() {
    let file = "[[apps]]\nclient-id = \"none\"\nclient-secret = \"s\"\n\
                [[apps]]\nclient-id = \"admin\"\nclient-secret = \"s\"\nrun-as = \"admin@harbour-lights.example\"";
    let mut world = World::from_file(file).await;
    let url = format!("{}/services/oauth2/token", world.sim.url());
    for host in ["login.salesforce.com", "test.salesforce.com:443", "LOGIN.localhost:8090"] {
        let request = world.http.post(&url).header("host", host);
        let refused = world.send(request.form(&of_app("client_credentials", "admin"))).await.expect(400);
        assert_eq!(refused["error_description"], "request not supported on this domain");
    }
    let refused = world.token_call(&of_app("client_credentials", "none")).await.expect(400);
    let words = json!({"error": "invalid_grant", "error_description": "no client credentials user enabled"});
    assert_eq!(refused, words);
    let body = world.token_call(&of_app("client_credentials", "admin")).await.expect(200);
    body["access_token"].as_str().unwrap().clone_into(&mut world.token);
    let info = world.get("/services/oauth2/userinfo").await.expect(200);
    assert_eq!(info["preferred_username"], "admin@harbour-lights.example");
    let wrong = world.token_call(&[("grant_type", "client_credentials"), ("client_id", "admin")]).await;
    assert_eq!(wrong.expect(400)["error"], "invalid_client");
}

#[tokio::test]
async fn a_password_gives_a_token_without_refresh_token_and_scope() {
    let world = World::start().await;
    let form = |password| {
        [
            ("grant_type", "password"),
            ("username", "admin@harbour-lights.example"),
            ("password", password),
            ("client_id", "simulated-client"),
            ("client_secret", "simulated-secret"),
        ]
    };
    let refused = world.token_call(&form("nope")).await.expect(400);
    let words = json!({"error": "invalid_grant", "error_description": "authentication failure"});
    assert_eq!(refused, words);
    let body = world.token_call(&form("simulated-passwordsimulatedtoken")).await.expect(200);
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "issued_at", "token_type", "instance_url", "signature", "access_token"]);
}

#[tokio::test]
async fn an_app_uses_only_the_flows_it_has() {
    let file = "[[apps]]\nclient-id = \"a\"\nclient-secret = \"s\"\nflows = [\"refresh-token\"]\n\
                run-as = \"admin@harbour-lights.example\"";
    let world = World::from_file(file).await;
    let refused = world.token_call(&of_app("client_credentials", "a")).await.expect(400);
    assert_eq!(refused["error"], "unsupported_grant_type");
    let refused = world.token_call(&of_app("refresh_token", "a")).await.expect(400);
    assert_eq!(refused["error"], "invalid_grant");
}

/// Refresh tokens belong to their app, and an app may have to prove itself.
#[tokio::test]
async fn a_refresh_token_of_another_app_is_none() {
    let file = "[[apps]]\nclient-id = \"a\"\nclient-secret = \"s\"\nrequire-secret = true";
    let world = World::from_file(file).await;
    let mut form = of_app("refresh_token", "a");
    form.push(("refresh_token", "simulated-refresh-token"));
    assert_eq!(
        world.token_call(&form).await.expect(400)["error_description"],
        "expired access/refresh token"
    );
    form.retain(|(name, _)| *name != "client_secret");
    assert_eq!(world.token_call(&form).await.expect(400)["error"], "invalid_client");
    let own = refresh_form("simulated-refresh-token");
    world.token_call(&own[..3]).await.expect(200);
}

/// §1.3: the policies of refresh tokens.
#[tokio::test]
async fn refresh_tokens_end_as_their_policy_says() {
    let world = World::start().await;
    let set = |policy: &str| json!({"refresh-token-policy": policy, "refresh-token-seconds": 60});
    let form = refresh_form("simulated-refresh-token");
    let refresh = || world.token_call(&form);
    world.control("/switches", set("inactivity")).await;
    for _ in 0..3 {
        world.control("/clock", json!({"advance_seconds": 59})).await;
        refresh().await.expect(200);
    }
    world.control("/clock", json!({"advance_seconds": 60})).await;
    assert_eq!(refresh().await.expect(400)["error_description"], "expired access/refresh token");
    world.control("/reset", json!({})).await;
    world.control("/switches", set("zero")).await;
    refresh().await.expect(400);
}

/// A token that rotates keeps the age of its authorization.
#[tokio::test]
async fn rotation_does_not_lengthen_a_specific_lifetime() {
    let world = World::start().await;
    let switches = json!({
        "refresh-token-policy": "specific-lifetime", "refresh-token-seconds": 60, "refresh-token-rotation": true,
    });
    world.control("/switches", switches).await;
    world.control("/clock", json!({"advance_seconds": 40})).await;
    let body = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    world.control("/clock", json!({"advance_seconds": 20})).await;
    world.token_call(&refresh_form(body["refresh_token"].as_str().unwrap())).await.expect(400);
}

/// §1.2: the signature is an HMAC that a client can check.
#[tokio::test]
async fn the_signature_is_made_with_the_secret() {
    use aws_lc_rs::hmac;
    use base64::{Engine, prelude::BASE64_STANDARD};
    let world = World::start().await;
    let body = world.token_call(&refresh_form("simulated-refresh-token")).await.expect(200);
    let signed = format!("{}{}", body["id"].as_str().unwrap(), body["issued_at"].as_str().unwrap());
    let tag = BASE64_STANDARD.decode(body["signature"].as_str().unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"simulated-secret");
    hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
}

/// §1.1: `format=json|xml|urlencoded`, or `Accept`.
#[tokio::test]
async fn answers_come_in_the_format_that_was_asked_for() {
    let world = World::start().await;
    let url = format!("{}/services/oauth2/token", world.sim.url());
    let mut form = refresh_form("simulated-refresh-token").to_vec();
    form.push(("format", "xml"));
    let xml = world.token_call(&form).await;
    assert_eq!(xml.header("content-type"), "application/xml;charset=UTF-8");
    assert!(xml.text.contains("<OAuth><id>http") && xml.text.ends_with("</OAuth>"), "{}", xml.text);
    let request = world.http.post(url).header("accept", "application/x-www-form-urlencoded");
    let refused = world.send(request.form(&refresh_form("nope"))).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.text, "error=invalid_grant&error_description=expired+access%2Frefresh+token");
}

/// §1.6: revoking a refresh token kills the access tokens that came from it, and no others.
#[tokio::test]
async fn a_revoked_refresh_token_takes_its_sessions_along() {
    let world = World::start().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "simulated-client"),
        ("client_secret", "simulated-secret"),
    ];
    let other = world.token_call(&form).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    let url =
        format!("{}/services/oauth2/revoke?token=simulated-refresh-token&callback=done", world.sim.url());
    let answer = world.send(world.http.get(&url)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "done({});"));
    let again = world.send(world.http.get(&url)).await;
    assert!(again.text.starts_with("done({\"error\":\"unsupported_token_type\""), "{}", again.text);
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
    let limits = world.http.get(format!("{}{V}/limits", world.sim.url())).bearer_auth(other);
    world.send(limits).await.expect(200);
}

/// §9: per-user deactivation kills refresh.
#[tokio::test]
async fn a_deactivated_user_gets_no_more_tokens() {
    let file = "[[users]]\nusername = \"bot@example.com\"\nprofile = \"System Administrator\"\n\
                [[apps]]\nclient-id = \"bot\"\nclient-secret = \"s\"\nrun-as = \"bot@example.com\"";
    let mut world = World::from_file(file).await;
    let admin = world.token.clone();
    let body = world.token_call(&of_app("client_credentials", "bot")).await.expect(200);
    body["access_token"].as_str().unwrap().clone_into(&mut world.token);
    let bot = world.query("SELECT Id FROM User WHERE Username = 'bot@example.com'").await;
    let path = format!("{V}/sobjects/User/{}", bot[0]["Id"].as_str().unwrap());
    let session = std::mem::replace(&mut world.token, admin);
    world.patch(&path, json!({"IsActive": false})).await.expect(204);
    let refused = world.token_call(&of_app("client_credentials", "bot")).await.expect(400);
    assert_eq!(refused["error_description"], "no client credentials user enabled");
    world.token = session;
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
}

#[tokio::test]
async fn discovery_names_what_is_there() {
    let world = World::start().await;
    let url = format!("{}/.well-known/openid-configuration", world.sim.url());
    let body = world.send(world.http.get(url)).await.expect(200);
    assert_eq!(body["issuer"], world.sim.url());
    for endpoint in
        ["authorization_endpoint", "token_endpoint", "introspection_endpoint", "userinfo_endpoint"]
    {
        let answer = world.send(world.http.get(body[endpoint].as_str().unwrap())).await;
        assert_ne!(answer.status, 404, "{endpoint}");
    }
}

/// However many ask at once with one token, it works once.
#[tokio::test]
async fn a_rotating_token_works_once_even_when_many_ask_together() {
    let world = World::start().await;
    world.control("/switches", json!({"refresh-token-rotation": true})).await;
    let calls = (0..20).map(|_| {
        let url = format!("{}/services/oauth2/token", world.sim.url());
        tokio::spawn(world.http.post(url).form(&refresh_form("simulated-refresh-token")).send())
    });
    let mut granted = 0;
    for call in calls.collect::<Vec<_>>() {
        granted += usize::from(call.await.unwrap().unwrap().status() == 200);
    }
    assert_eq!(granted, 1);
}

/// The official command line client has an app of its own in every org.
#[tokio::test]
async fn the_command_line_client_is_known() {
    let world = World::start().await;
    let query = [
        ("response_type", "code"),
        ("client_id", "PlatformCLI"),
        ("redirect_uri", "http://localhost:1717/OauthRedirect"),
        ("scope", "refresh_token api web"),
    ];
    let url = format!("{}/services/oauth2/authorize", world.sim.url());
    world.send(world.http.get(url).query(&query)).await.text.find("Salesforce CLI").unwrap();
}
