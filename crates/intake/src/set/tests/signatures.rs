//! Who signed it, and with what.

use jsonwebtoken::{Algorithm as Jws, EncodingKey};
use serde_json::{Value, json};

use super::source::*;
use crate::set::{Algorithm, Code, Expect, Reason, verify};

fn header_with(changes: Value) -> Value {
    let mut header = header();
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    header
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let claims = base64(claims().to_string());
    for none in ["none", "None", "NONE", ""] {
        let header = base64(header_with(json!({ "alg": none })).to_string());
        for signature in ["", "AAAA"] {
            let rejected = check(&format!("{header}.{claims}.{signature}")).await.unwrap_err();
            assert_eq!((rejected.reason, rejected.code()), (Reason::Algorithm, Code::InvalidKey), "{none}");
        }
    }
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let jwk = ONE.ours.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    for (name, algorithm) in [("HS256", Jws::HS256), ("HS384", Jws::HS384), ("HS512", Jws::HS512)] {
        let header = header_with(json!({ "alg": name })).to_string();
        for secret in [modulus.to_owned(), jwk.to_string(), String::new()] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let token = signed_by(&key, algorithm, &header, &claims().to_string());
            assert_eq!(check(&token).await.unwrap_err().reason, Reason::Algorithm, "{name}");
        }
    }
}

#[test]
fn no_configuration_can_allow_an_algorithm_with_a_shared_secret() {
    for bad in ["none", "HS256", "HS384", "HS512", "rs256", "ES384", "EdDSA", ""] {
        let error = bad.parse::<Algorithm>().unwrap_err().to_string();
        assert!(error.contains("RS256"), "{error}");
        serde_json::from_value::<Algorithm>(json!(bad)).unwrap_err();
    }
    let rs256: Algorithm = serde_json::from_value(json!("RS256")).unwrap();
    assert_eq!((rs256, rs256.to_string().as_str()), (Algorithm::Rs256, "RS256"));
}

#[tokio::test]
async fn every_algorithm_of_the_list_verifies_where_it_is_allowed_and_nowhere_else() {
    let bare = |kid: &str| {
        let mut jwk = ONE.ours.jwk();
        jwk["kid"] = json!(kid);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    };
    let (elliptic, point) = p256();
    let keys = fixed(&json!([bare("one"), point]));
    for (algorithm, jws) in [
        (Algorithm::Rs256, Jws::RS256),
        (Algorithm::Rs384, Jws::RS384),
        (Algorithm::Rs512, Jws::RS512),
        (Algorithm::Ps256, Jws::PS256),
        (Algorithm::Ps384, Jws::PS384),
        (Algorithm::Ps512, Jws::PS512),
        (Algorithm::Es256, Jws::ES256),
    ] {
        let (key, kid) =
            if algorithm == Algorithm::Es256 { (&elliptic, "curve") } else { (&ONE.theirs, "one") };
        let header = header_with(json!({ "alg": algorithm.name(), "kid": kid })).to_string();
        let token = signed_by(key, jws, &header, &claims().to_string());
        let allowed = Expect { algorithms: vec![algorithm], ..expect() };
        verify(&keys, &token, &allowed, now()).await.unwrap();
        let other = if algorithm == Algorithm::Rs256 { Algorithm::Ps256 } else { Algorithm::Rs256 };
        let not_allowed = Expect { algorithms: vec![other], ..expect() };
        assert_eq!(verify(&keys, &token, &not_allowed, now()).await.unwrap_err().reason, Reason::Algorithm);
    }
}

/// A private key on P-256, and its entry in a key set.
pub fn p256() -> (EncodingKey, Value) {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair},
    };
    let der = EcdsaKeyPair::generate_pkcs8(&ES256, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ES256, der.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "curve", "use": "sig", "alg": "ES256",
        "x": base64(&point[1..33]), "y": base64(&point[33..]) });
    (EncodingKey::from_ec_der(der.as_ref()), jwk)
}

#[tokio::test]
async fn a_key_is_used_only_for_its_own_algorithm() {
    // The set says RS256, and the source is allowed PS256 as well.
    let header = header_with(json!({ "alg": "PS256" })).to_string();
    let token = signed_by(&ONE.theirs, Jws::PS256, &header, &claims().to_string());
    let both = Expect { algorithms: vec![Algorithm::Rs256, Algorithm::Ps256], ..expect() };
    let rejected = verify(&fixed(&jwks(&[&ONE])), &token, &both, now()).await.unwrap_err();
    assert_eq!((rejected.reason, rejected.code()), (Reason::Algorithm, Code::InvalidKey));
}

#[tokio::test]
async fn a_key_of_another_kind_verifies_nothing() {
    let (_, mut point) = p256();
    point["kid"] = json!("one");
    let both = Expect { algorithms: vec![Algorithm::Rs256, Algorithm::Es256], ..expect() };
    let rejected = verify(&fixed(&json!([point])), &token(&claims()), &both, now()).await.unwrap_err();
    assert_eq!(rejected.code(), Code::InvalidKey);
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used_and_not_fetched() {
    let attacker = Address::publishing(&[&TWO]).await;
    for brought in [
        json!({ "jku": attacker.url }),
        json!({ "x5u": attacker.url }),
        json!({ "jwk": TWO.ours.jwk() }),
        json!({ "jku": attacker.url, "kid": "two" }),
        json!({ "jku": attacker.url, "kid": attacker.url }),
    ] {
        let header = header_with(brought).to_string();
        let token = signed_by(&TWO.theirs, Jws::RS256, &header, &claims().to_string());
        assert_eq!(check(&token).await.unwrap_err().code(), Code::InvalidKey, "{header}");
    }
    assert_eq!(attacker.requests(), 0);
}

#[tokio::test]
async fn a_token_names_its_key() {
    for nameless in [json!(null), json!("")] {
        let token = signed(&header_with(json!({ "kid": nameless })), &claims().to_string());
        assert_eq!(check(&token).await.unwrap_err().reason, Reason::Key);
    }
    let unknown = signed(&header_with(json!({ "kid": "three" })), &claims().to_string());
    let rejected = check(&unknown).await.unwrap_err();
    assert_eq!((rejected.reason, rejected.code()), (Reason::Key, Code::InvalidKey));
}

#[tokio::test]
async fn the_signature_comes_before_what_it_signs() {
    let foreign = claims_with(json!({ "iss": "https://else.example", "aud": "x", "iat": 0 })).to_string();
    let forged = signed_by(&TWO.theirs, Jws::RS256, &header().to_string(), &foreign);
    assert_eq!(check(&forged).await.unwrap_err().reason, Reason::Signature);
    let whose =
        check(&token(&claims_with(json!({ "iss": "https://else.example", "aud": "x", "iat": 0 })))).await;
    assert_eq!(whose.unwrap_err().reason, Reason::Issuer);
    let for_whom = check(&token(&claims_with(json!({ "aud": "x", "iat": 0 })))).await;
    assert_eq!(for_whom.unwrap_err().reason, Reason::Audience);
}

#[tokio::test]
async fn two_keys_of_one_name_both_verify() {
    let mut other = TWO.ours.jwk();
    other["kid"] = json!("one");
    let keys = fixed(&json!([ONE.ours.jwk(), other]));
    for pair in [&ONE, &TWO] {
        let token = signed_by(&pair.theirs, Jws::RS256, &header().to_string(), &claims().to_string());
        verify(&keys, &token, &expect(), now()).await.unwrap();
    }
}
