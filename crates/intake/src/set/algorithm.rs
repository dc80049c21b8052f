use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// How a token is signed: with a private key that only the source has. `none` and what is signed with a shared secret
/// (`HS256` and its like) have no value here, so that no configuration can allow them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Algorithm {
    /// RSA with SHA-256; what nearly every source uses.
    Rs256,
    /// RSA with SHA-384.
    Rs384,
    /// RSA with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on the curve P-256.
    Es256,
}

/// What a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    Rsa,
    P256,
}

use Algorithm::{Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
use jsonwebtoken::Algorithm as Jws;

/// Each with its name in RFC 7518, the kind of key it needs, and the library's word for it.
const ALL: [(Algorithm, &str, Family, Jws); 7] = [
    (Rs256, "RS256", Family::Rsa, Jws::RS256),
    (Rs384, "RS384", Family::Rsa, Jws::RS384),
    (Rs512, "RS512", Family::Rsa, Jws::RS512),
    (Ps256, "PS256", Family::Rsa, Jws::PS256),
    (Ps384, "PS384", Family::Rsa, Jws::PS384),
    (Ps512, "PS512", Family::Rsa, Jws::PS512),
    (Es256, "ES256", Family::P256, Jws::ES256),
];

impl Algorithm {
    fn row(self) -> &'static (Self, &'static str, Family, Jws) {
        ALL.iter().find(|row| row.0 == self).expect("the table has every algorithm")
    }

    /// Its name, as RFC 7518 spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    pub(super) fn family(self) -> Family {
        self.row().2
    }

    pub(super) fn jws(self) -> Jws {
        self.row().3
    }
}

/// This is no algorithm that a source may sign with.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not allowed: one of RS256, RS384, RS512, PS256, PS384, PS512, ES256")]
pub struct NotAllowed(String);

impl FromStr for Algorithm {
    type Err = NotAllowed;

    fn from_str(name: &str) -> Result<Self, NotAllowed> {
        let row = ALL.iter().find(|row| row.1 == name);
        row.map(|row| row.0).ok_or_else(|| NotAllowed(name.to_owned()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
