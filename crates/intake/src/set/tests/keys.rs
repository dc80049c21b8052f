//! Which keys of a set are used.

use serde_json::{Value, json};

use super::{signatures::p256, source::*};
use crate::set::{InvalidKeySet, KeySet, SigningKey, keys::Keys, verify};

fn jwk_with(changes: Value) -> Value {
    let mut jwk = ONE.ours.jwk();
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn usable(jwk: &Value) -> bool {
    let keys = Keys::parse(json!([jwk]).to_string().as_bytes()).unwrap();
    assert_eq!(keys.len() + keys.skipped, 1);
    keys.len() == 1
}

/// The text of an odd number of so many bits.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits / 8];
    if !bits.is_multiple_of(8) {
        bytes.insert(0, (1 << (bits % 8)) - 1);
    }
    base64(bytes)
}

#[test]
fn an_rsa_key_is_long_enough_and_sound() {
    for (bits, good) in [
        (512, false),
        (1024, false),
        (2047, false),
        (2048, true),
        (4096, true),
        (8192, true),
        (8193, false),
        (16384, false),
    ] {
        assert_eq!(usable(&jwk_with(json!({ "n": modulus(bits) }))), good, "{bits} bits");
    }
    for exponent in [vec![], vec![0], vec![1], vec![2], vec![1, 0]] {
        assert!(!usable(&jwk_with(json!({ "e": base64(&exponent) }))), "{exponent:?}");
    }
    for wrong in [
        json!({ "n": null }),
        json!({ "n": "" }),
        json!({ "n": "ä" }),
        json!({ "e": 65537 }),
        json!({ "n": base64([0; 256]) }),
    ] {
        assert!(!usable(&jwk_with(wrong.clone())), "{wrong}");
    }
}

#[test]
fn only_a_point_on_p256_is_one() {
    let (_, good) = p256();
    assert!(usable(&good));
    let x = good["x"].as_str().unwrap();
    for (name, wrong) in [
        ("crv", json!("P-384")),
        ("crv", json!(null)),
        ("y", json!(x)),
        ("y", json!(base64([1; 31]))),
        ("x", json!(null)),
        ("alg", json!("RS256")),
    ] {
        let mut jwk = good.clone();
        jwk[name] = wrong.clone();
        assert!(!usable(&jwk), "{name} {wrong}");
    }
}

#[test]
fn a_key_for_something_else_is_skipped() {
    for other in [
        json!({ "use": "enc" }),
        json!({ "key_ops": ["encrypt"] }),
        json!({ "alg": "RSA-OAEP" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "HS256" }),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "OKP" }),
        json!({ "kty": 1 }),
        json!({ "kid": null }),
        json!({ "kid": "" }),
    ] {
        assert!(!usable(&jwk_with(other.clone())), "{other}");
    }
    for same in [
        json!({ "use": null }),
        json!({ "alg": null }),
        json!({ "key_ops": ["verify"] }),
        json!({ "x5t": "?" }),
    ] {
        assert!(usable(&jwk_with(same.clone())), "{same}");
    }
}

#[tokio::test]
async fn zeros_before_and_padding_behind_a_number_change_nothing() {
    use base64::{
        Engine,
        engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
    };
    let n = URL_SAFE_NO_PAD.decode(ONE.ours.jwk()["n"].as_str().unwrap()).unwrap();
    let n = [&[0, 0], n.as_slice()].concat();
    let keys = fixed(&json!([jwk_with(json!({ "n": URL_SAFE.encode(&n), "e": "AAEAAQ==" }))]));
    verify(&keys, &token(&claims()), &expect(), now()).await.unwrap();
}

#[tokio::test]
async fn one_bad_key_does_not_spoil_the_others() {
    let keys =
        fixed(&json!({ "keys": [null, "text", {}, jwk_with(json!({ "use": "enc" })), ONE.ours.jwk()] }));
    verify(&keys, &token(&claims()), &expect(), now()).await.unwrap();
}

#[test]
fn a_fixed_set_without_a_key_is_refused_when_it_is_configured() {
    for nothing in ["[]", "{\"keys\": []}", "[{\"kty\": \"oct\", \"kid\": \"a\", \"k\": \"AAAA\"}]"] {
        assert!(matches!(KeySet::fixed(nothing.as_bytes()).err(), Some(InvalidKeySet::Empty)), "{nothing}");
    }
    for none in ["", "{}", "null", "{\"keys\": {}}", "text"] {
        assert!(matches!(KeySet::fixed(none.as_bytes()).err(), Some(InvalidKeySet::Unreadable(_))), "{none}");
    }
}

#[test]
fn a_signing_key_is_an_rsa_private_key_and_never_printed() {
    for bad in ["", "text", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        SigningKey::from_pem("a", &bad.into()).unwrap_err();
    }
    assert_eq!(format!("{:?}", ONE.ours), "SigningKey { kid: \"one\", .. }");
    let jwk = ONE.ours.jwk();
    let names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["kty", "use", "alg", "kid", "n", "e"], "nothing of the private half");
}
