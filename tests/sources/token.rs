//! Security event tokens, signed by hand, so that everything about them can be wrong.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

/// Keys are expensive to make: these are all that there are in a process.
const KEYS: usize = 3;

/// A key that somebody signs with.
pub struct Key {
    kid: String,
    pair: KeyPair,
}

/// The keys of this process, each with its `kid`.
#[must_use]
pub fn keys() -> &'static [Key] {
    static MADE: OnceLock<Vec<Key>> = OnceLock::new();
    MADE.get_or_init(|| {
        let key = |number: usize| {
            let pair = KeyPair::generate(KeySize::Rsa2048).expect("there is randomness");
            Key { kid: format!("key-{number}"), pair }
        };
        (1..=KEYS).map(key).collect()
    })
}

impl Key {
    /// The name it is published under.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, as an entry of a key set.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let public: RsaPublicKeyComponents<Vec<u8>> = self.pair.public_key().into();
        let (n, e) = (BASE64.encode(&public.n), BASE64.encode(&public.e));
        json!({"use": "sig", "kty": "RSA", "alg": "RS256", "kid": self.kid, "n": n, "e": e})
    }

    /// A token with this header and these claims, signed with RS256 whatever the header says.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = text(header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .expect("the key signs");
        format!("{text}.{}", BASE64.encode(signature))
    }

    /// A token signed with HS256, with the public key as its secret: the confusion of keys.
    #[must_use]
    pub fn confuse(&self, header: &Value, claims: &Value) -> String {
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(self.pair.public_key()).expect("it has one");
        let text = text(header, claims);
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, der.as_ref()), text.as_bytes());
        format!("{text}.{}", BASE64.encode(signature))
    }
}

/// A token that nobody has signed.
#[must_use]
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", text(header, claims))
}

fn text(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}
