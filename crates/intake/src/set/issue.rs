use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RsaKeyPair, RsaPublicKeyComponents},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

/// A private RSA key to sign events with, and the name it is published under.
pub struct SigningKey {
    kid: String,
    key: EncodingKey,
    public: RsaPublicKeyComponents<Vec<u8>>,
}

/// No key that can sign with RS256.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this is no RSA private key in PEM of at least 2048 bits")]
pub struct InvalidSigningKey;

impl SigningKey {
    /// A key from its PEM (PKCS #8 or PKCS #1).
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`] for everything that cannot sign with RS256.
    pub fn from_pem(kid: impl Into<String>, pem: &SecretString) -> Result<Self, InvalidSigningKey> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|_| InvalidSigningKey)?;
        let pair = RsaKeyPair::from_der(key.as_bytes()).map_err(|_| InvalidSigningKey)?;
        if pair.public_modulus_len() < 2048 / 8 {
            return Err(InvalidSigningKey);
        }
        Ok(Self { kid: kid.into(), key, public: pair.public_key().into() })
    }

    /// A new private key of 2048 bits, in PEM (PKCS #8).
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`] if the machine has no randomness to make one of.
    pub fn generate() -> Result<SecretString, InvalidSigningKey> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| InvalidSigningKey)?;
        let der = AsDer::<Pkcs8V1Der>::as_der(&pair).map_err(|_| InvalidSigningKey)?;
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")).into())
    }

    /// The name it is published under.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, as an entry of a key set.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let (n, e) = (URL_SAFE_NO_PAD.encode(&self.public.n), URL_SAFE_NO_PAD.encode(&self.public.e));
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A security event token in its compact form, signed with RS256. The claims are [`Claims`](super::Claims), or whatever a
/// source may send.
///
/// # Errors
///
/// [`InvalidSigningKey`] if the key does not sign; [`SigningKey::from_pem`] lets none such pass.
pub fn issue(key: &SigningKey, claims: &impl Serialize) -> Result<String, InvalidSigningKey> {
    let header = Header {
        typ: Some("secevent+jwt".to_owned()),
        kid: Some(key.kid.clone()),
        ..Header::new(Algorithm::RS256)
    };
    jsonwebtoken::encode(&header, claims, &key.key).map_err(|_| InvalidSigningKey)
}
