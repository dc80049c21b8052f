//! Verifying security event tokens (RS256, keys at hand) on one core, beside the signature alone, which nobody can do without.

use std::{hint::black_box, time::Duration};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::executor::block_on;
use intake::set::{Expect, KeySet, SigningKey, issue, verify};
use model::Timestamp;
use serde_json::{Value, json};

use crate::{
    Failure,
    mapping::{REPEATS, quickest},
    report::Report,
};

const ISSUER: &str = "https://v1.api.us.example/5f0c1d2e/webhooks";
const AUDIENCE: &str = "https://gw.example.com/events/akamai/acme/prod";
const ISSUED: i64 = 1_785_916_800;

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
    report.write()
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
    let user = "3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a";
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
