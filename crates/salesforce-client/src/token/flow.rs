//! How access tokens are got: the flows, and what each of them needs.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

/// How long an assertion is good for. Salesforce takes three minutes at most by its own clock, so one of ours may be a
/// minute ahead.
const ASSERTION_SECONDS: i64 = 120;

/// How access tokens are got.
#[derive(Clone, Debug)]
pub enum Flow {
    /// With a refresh token, rotated or not (RFC 6749 §6).
    RefreshToken {
        /// The consumer key.
        client_id: String,
        /// The consumer secret, where the app wants one for this flow.
        client_secret: Option<SecretString>,
        /// For the first start; what the vault has is newer and goes first.
        refresh_token: Option<SecretString>,
    },
    /// As the app's Run As user (RFC 6749 §4.4).
    ClientCredentials {
        /// The consumer key.
        client_id: String,
        /// The consumer secret.
        client_secret: SecretString,
    },
    /// As a user who is pre-authorized for the app, by a signed assertion (RFC 7523).
    JwtBearer {
        /// The consumer key.
        client_id: String,
        /// The `Username` of the user to act as.
        username: String,
        /// Whom the assertion is for: `https://login.salesforce.com`, `https://test.salesforce.com` or My Domain.
        audience: String,
        /// The key whose certificate the app has.
        private_key: PrivateKey,
    },
}

impl Flow {
    /// A digest of the credentials. An access token got with others may be another user's, or another org's.
    pub(super) fn digest(&self, url: &Url) -> String {
        let secret = |secret: &SecretString| secret.expose_secret().to_owned();
        let mut context = Context::new(&SHA256);
        let mut add = |parts: &[&str]| {
            for part in parts {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        };
        match self {
            Self::RefreshToken { client_id, client_secret, .. } => {
                let client_secret = client_secret.as_ref().map(secret).unwrap_or_default();
                add(&["refresh-token", url.as_str(), client_id, &client_secret]);
            }
            Self::ClientCredentials { client_id, client_secret } => {
                add(&["client-credentials", url.as_str(), client_id, &secret(client_secret)]);
            }
            Self::JwtBearer { client_id, username, audience, private_key } => {
                let pem = private_key.pem.expose_secret();
                add(&["jwt-bearer", url.as_str(), client_id, username, audience, pem]);
            }
        }
        context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Whether they are the same credentials.
impl PartialEq for Flow {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Option<SecretString>, b: &Option<SecretString>| {
            a.as_ref().map(SecretString::expose_secret) == b.as_ref().map(SecretString::expose_secret)
        };
        match (self, other) {
            (
                Self::RefreshToken { client_id, client_secret, refresh_token },
                Self::RefreshToken { client_id: id, client_secret: secret, refresh_token: token },
            ) => client_id == id && same(client_secret, secret) && same(refresh_token, token),
            (
                Self::ClientCredentials { client_id, client_secret },
                Self::ClientCredentials { client_id: id, client_secret: secret },
            ) => client_id == id && client_secret.expose_secret() == secret.expose_secret(),
            (
                Self::JwtBearer { client_id, username, audience, private_key },
                Self::JwtBearer { client_id: id, username: user, audience: whom, private_key: key },
            ) => client_id == id && username == user && audience == whom && private_key == key,
            _ => false,
        }
    }
}

/// An RSA key that signs assertions. Cannot be printed.
#[derive(Clone)]
pub struct PrivateKey {
    pem: SecretString,
    key: EncodingKey,
}

/// The text is not a key that can sign with RS256. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no RSA private key in PEM without a passphrase (`-----BEGIN PRIVATE KEY-----`)")]
pub struct InvalidPrivateKey;

impl PrivateKey {
    /// Reads a key in PEM: PKCS #8 or PKCS #1, without a passphrase.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateKey`] for everything that cannot sign with RS256.
    pub fn parse(pem: SecretString) -> Result<Self, InvalidPrivateKey> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|_| InvalidPrivateKey)?;
        let key = Self { pem, key };
        // Only a signature shows that what is inside the PEM is a key.
        key.sign(&Claims { iss: "", sub: "", aud: "", exp: 0, jti: "" })?;
        Ok(key)
    }

    /// A signed assertion that `client_id` may act as `username`.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        username: &str,
        audience: &str,
        now: Timestamp,
        id: &str,
    ) -> Result<SecretString, InvalidPrivateKey> {
        let exp = now.as_second() + ASSERTION_SECONDS;
        self.sign(&Claims { iss: client_id, sub: username, aud: audience, exp, jti: id })
    }

    fn sign(&self, claims: &Claims<'_>) -> Result<SecretString, InvalidPrivateKey> {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.key);
        token.map(SecretString::from).map_err(|_| InvalidPrivateKey)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.pem.expose_secret() == other.pem.expose_secret()
    }
}

/// The claims that Salesforce reads (Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration").
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    /// An assertion that somebody saw is of no use to them.
    jti: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rsa_key_is_refused_without_being_repeated() {
        for text in [
            "",
            "hunter2",
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
        ] {
            let error = PrivateKey::parse(text.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn other_credentials_have_another_digest() {
        let url: Url = "https://acme.my.salesforce.com".parse().unwrap();
        let of = |id: &str, secret: &str| {
            Flow::ClientCredentials { client_id: id.into(), client_secret: secret.into() }.digest(&url)
        };
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("ab", ""));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert!(!of("a", "hunter2").contains("hunter2"));
    }
}
