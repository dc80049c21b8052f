//! Verifying security event tokens (RS256, keys at hand) on one core, beside the signature alone, which nobody can do without; and
//! what share of a whole event that is: received, verified, in its order, looked up at its source, written to a simulated org.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::executor::block_on;
use intake::set::{Expect, KeySet, SigningKey, issue, verify};
use model::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::{
    Failure, load,
    mapping::{REPEATS, quickest},
    process::{Process, free_address, leave_the_server_its_core},
    report::Report,
    writes::{Gateway, api_calls},
};

const ISSUER: &str = "https://v1.api.us.example/5f0c1d2e/webhooks";
const AUDIENCE: &str = "https://gw.example.com/events/akamai/acme/prod";
const ISSUED: i64 = 1_785_916_800;
/// How many people the events are about.
const PEOPLE: u64 = 200;
const MAPPING: &str = r#"{"type": "salesforce", "instance": "bench", "mapping": {
    "uuid": "Identity_UUID__c", "email": "Email", "givenName": "FirstName", "familyName": "LastName"}}"#;
const ORG: &str = r#"
[[fields]]
object = "Contact"
name = "Identity_UUID__c"
label = "Identity_UUID__c"
length = 64
unique = true
case-sensitive = true
external-id = true
"#;

/// Measures for so long in all.
pub fn measure(seconds: u64) -> Result<(), Failure> {
    let time = Duration::from_secs(seconds) / u32::try_from(4 * REPEATS)?;
    let now = Timestamp::from_second(ISSUED)?;
    let key = SigningKey::from_pem("bench", &SigningKey::generate()?)?;
    let token = issue(&key, &event())?;
    let keys = KeySet::fixed(json!([key.jwk()]).to_string().as_bytes())?;
    let expect = Expect {
        issuers: vec![ISSUER.to_owned()],
        audiences: vec![AUDIENCE.to_owned()],
        ..Expect::default()
    };
    let judge = |token: &str| block_on(verify(&keys, black_box(token), &expect, now));
    let (signed, signature) = token.rsplit_once('.').ok_or("no token was issued")?;
    let forged = format!("{}.{signature}", signed.replace('.', ".e"));
    judge(&token)?;
    if judge(&forged).is_ok() {
        return Err("a forged token was believed".into());
    }

    let mut report = Report::new("events");
    let alone = {
        let number = |name: &str| URL_SAFE_NO_PAD.decode(key.jwk()[name].as_str().unwrap_or_default());
        let (n, e, signature) = (number("n")?, number("e")?, URL_SAFE_NO_PAD.decode(signature)?);
        let public = RsaPublicKeyComponents { n, e };
        quickest(time, || {
            public.verify(&RSA_PKCS1_2048_8192_SHA256, black_box(signed.as_bytes()), &signature)
        })
    };
    add(&mut report, "the signature alone", alone, alone);
    add(&mut report, "verify an event", quickest(time, || judge(&token)), alone);
    add(&mut report, "refuse a forged event", quickest(time, || judge(&forged)), alone);
    add(&mut report, "refuse what is no token", quickest(time, || judge(signed)), alone);
    let verified = quickest(time, || judge(&token));
    whole(Duration::from_secs(seconds), verified, &mut report)?;
    report.write()
}

/// Whole events, through a gateway with a core of its own.
fn whole(time: Duration, verified: u64, report: &mut Report) -> Result<(), Failure> {
    leave_the_server_its_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let directory = tempfile::tempdir()?;
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).map(|()| path.to_string_lossy().into_owned())
        };
        let key = SigningKey::from_pem("bench", &SigningKey::generate()?)?;
        let keys = write("keys.json", &json!({"keys": [key.jwk()]}).to_string())?;
        let org_file = write("org.toml", ORG)?;
        let (at_source, at_org) = (free_address()?, free_address()?);
        let source =
            Process::start(at_source, &["source", "--listen", &at_source.to_string(), "--keys", &keys])?;
        let org = Process::start(
            at_org,
            &["org", "--listen", &at_org.to_string(), "--latency", "0", "--file", &org_file],
        )?;
        let more = section(&format!("http://{}", source.address));
        let gateway = Gateway::with(Some(&org), "", &more, &[("people.json", MAPPING)])?;
        let events = Arc::new(AtomicU64::new(0));
        let make = Arc::new(move |_| {
            let number = events.fetch_add(1, Ordering::Relaxed);
            let user = format!("person-{}", number % PEOPLE);
            let now = Clock::system().now().as_second();
            let mut claims = event_of(&user);
            (claims["jti"], claims["iat"], claims["toe"]) =
                (json!(format!("notice-{number}")), json!(now), json!(now));
            claims["events"]["entityUpdated"]["id"] = json!(format!("event-{number}"));
            let token = issue(&key, &claims).unwrap_or_default();
            load::request_of("application/secevent+jwt", "POST", "/events/akamai/acme/prod", "", &token)
        });
        // Everybody is there, and what the org is like is known.
        let address = gateway.process.address;
        load::run(address, 8, Duration::from_secs(2), 202, make.clone()).await?;
        for connections in [1, 16] {
            let (calls, cpu) = (api_calls(&org).await?, gateway.process.cpu()?);
            let measured = load::run(address, connections, time, 202, make.clone()).await?;
            let each = measured.requests as f64;
            let cpu = (gateway.process.cpu()? - cpu) * 1e9 / each;
            let extra = json!({
                "cpu_us": cpu / 1e3,
                "verify_us": verified as f64 / 1e3,
                "verify_of_cpu": verified as f64 / cpu,
                "calls_each": (api_calls(&org).await? - calls) as f64 / each,
            });
            report.add(&format!("a whole event, {connections} connections"), Some(&measured), extra);
        }
        Ok(())
    })
}

/// The configuration of a source at this address.
fn section(source: &str) -> String {
    format!(
        r#"
                [[customers.acme.environments.prod.akamai]]
                issuers = ["{ISSUER}"]
                jwks-uri = "{source}/jwk"
                audience = "{AUDIENCE}"
                capture-domain = "{source}"
                application-id = "app8exampleexampleexample1"
                client-id = "bench"
                client-secret = {{ file = "secret" }}
                mapping = "people.json"
        "#
    )
}

fn add(report: &mut Report, what: &str, nanoseconds: u64, alone: u64) {
    let extra = json!({
        "ns": nanoseconds,
        "per_second": (1e9 / nanoseconds as f64).round(),
        "of_signature": nanoseconds as f64 / alone as f64,
    });
    report.add(what, None, extra);
}

/// An event as Akamai Identity Cloud sends it.
fn event() -> Value {
    event_of("3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a")
}

fn event_of(user: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "iat": ISSUED, "toe": ISSUED - 2,
        "jti": "7a1f6a50-9d9f-4f7b-9c60-1a2b3c4d5e6f", "txn": "2d6b1f0e-6a55-4a0f-8a55-0f1e2d3c4b5a",
        "events": { "entityUpdated": {
            "id": "0e4c1a77-3b0d-4a53-9b5e-6f0a1b2c3d4e", "attributes": ["email", "primaryAddress.city"],
            "captureApplicationId": "app8exampleexampleexample1", "captureClientId": "client7exampleexampleexample77ex",
            "entityType": "user", "sub": user,
            "globalSub": format!("capture-v1://us.example.com/app8exampleexampleexample1/user/{user}"),
        } },
    })
}
