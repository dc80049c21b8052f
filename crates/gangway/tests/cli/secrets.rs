//! No secret in a log at any level, in what a command prints, or in the files of the store.

use std::{fmt::Write as _, fs, path::Path, process::Stdio};

use salesforce_sim::SimConfig;

use crate::world::{World, gangway};

/// Secrets that are known beforehand, and how those begin that the org makes: refresh tokens, authorization codes and, with its
/// id before an exclamation mark, access tokens.
const SECRETS: [&str; 5] =
    ["s3cret-of-the-app", "first-refresh-t0ken", "5Aep861", "aPrx", "bearer-of-the-t00l"];
/// The SHA-256 of the client's token.
const CLIENT: &str = "bearer-of-the-t00l";

fn assert_silent(place: &str, bytes: &[u8]) {
    for secret in SECRETS.map(str::as_bytes) {
        let at = bytes.windows(secret.len()).position(|part| part == secret);
        if let Some(at) = at {
            let from = at.saturating_sub(120);
            let around = String::from_utf8_lossy(&bytes[from..(at + 40).min(bytes.len())]).into_owned();
            panic!("{} is in {place}: …{around}…", String::from_utf8_lossy(secret));
        }
    }
    // `00D` and twelve characters more, then `!`.
    let access = bytes.windows(16).find(|part| {
        part.starts_with(b"00D") && part[15] == b'!' && part[..15].iter().all(u8::is_ascii_alphanumeric)
    });
    assert!(access.is_none(), "an access token is in {place}");
}

fn assert_files_are_silent(directory: &Path) {
    let mut seen = 0;
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        // The gateway's socket keeps nothing.
        if !path.is_file() {
            continue;
        }
        assert_silent(&path.display().to_string(), &fs::read(&path).unwrap());
        seen += 1;
    }
    assert!(seen >= 3, "database, log and lock");
}

fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test]
async fn no_secret_is_in_any_log_output_or_file() {
    let world = World::with(SimConfig {
        client_secret: SECRETS[0].to_owned(),
        refresh_token: SECRETS[1].to_owned(),
        ..SimConfig::default()
    })
    .await;
    let config = world.config().replace(crate::world::FIRST, &sha256(CLIENT));
    world.write("gangway.toml", &config);
    let org = world.org.handle();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let switches = serde_json::json!({ "refresh-token-rotation": true });
    let url = format!("{}/_sim/switches", world.org.url());
    assert!(http.post(url).json(&switches).send().await.unwrap().status().is_success());

    let log = fs::File::create(world.path("log")).unwrap();
    let mut served = gangway(&["--output", "json", "serve", "--config"])
        .arg(world.path("gangway.toml"))
        .env("GANGWAY_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = served.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    let scim = serde_json::from_str::<serde_json::Value>(&line).unwrap()["scim"].as_str().unwrap().to_owned();
    let create = async |name: &str| {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "emails": [{ "value": name, "primary": true }],
        });
        let request = http.post(format!("{scim}/Users")).bearer_auth(CLIENT).body(body.to_string());
        let answer = request.header("Content-Type", "application/scim+json").send().await.unwrap();
        let status = answer.status().as_u16();
        assert_silent("an answer", &answer.bytes().await.unwrap());
        status
    };
    for n in 0..3 {
        assert_eq!(create(&format!("ada{n}@acme.example")).await, 201);
        assert!(org.expire_tokens() > 0);
    }
    // An app that is gone, and everything revoked: errors of the token endpoint are logged too.
    let check = world.run(&["check", "--output", "json"]);
    assert_silent("what check prints", &[check.stdout, check.stderr].concat());
    let url = format!("{}/_sim/tokens/revoke", world.org.url());
    assert!(http.post(url).json(&serde_json::json!({})).send().await.unwrap().status().is_success());
    // The first one may still meet the access token that the check has shared.
    assert_eq!(create("revoked@acme.example").await, 503);
    assert_eq!(create("parked@acme.example").await, 503);
    assert_files_are_silent(&world.path("data"));
    let check = world.run(&["check", "--output", "json"]);
    assert_eq!(check.status.code(), Some(4));
    assert_silent("what check prints", &[check.stdout, check.stderr].concat());

    served.kill().unwrap();
    served.wait().unwrap();
    assert_files_are_silent(&world.path("data"));
    let log = fs::read(world.path("log")).unwrap();
    let text = String::from_utf8_lossy(&log);
    for loud in ["TRACE", "token-dead"] {
        assert!(
            text.contains(loud),
            "{loud} is not in the log: {}",
            &text[text.len().saturating_sub(2_000)..]
        );
    }
    assert_silent("the log", &log);
}
