//! Security event tokens (RFC 8417): a statement that something happened, signed by who saw it.
//!
//! [`verify`] is the one way from what a source sent to [`Claims`] that may be acted upon. [`Expect`] says what one source
//! is expected to send, [`KeySet`] holds the keys it signs with, [`Rejected`] says what was wrong. [`issue`] is the other
//! direction.
//!
//! Nothing in a token decides how the token is judged: the algorithms come from [`Expect`], the keys from the [`KeySet`],
//! and the header's `jku`, `x5u` and `jwk` are not even read.

mod algorithm;
mod cache;
mod claims;
mod expect;
mod fetch;
mod issue;
mod key_set;
mod keys;
mod rejected;
mod token;

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "cases are easier to read with values in their place")]
mod tests;

use model::Timestamp;

pub use algorithm::{Algorithm, NotAllowed};
pub use claims::Claims;
pub use expect::{Expect, MAX_AGE, SKEW};
pub use issue::{InvalidSigningKey, SigningKey, issue};
pub use key_set::{InvalidKeySet, KeySet, KeySets};
pub use rejected::{Code, Reason, Rejected};

use token::Token;

/// The claims of a token that is signed by the source, meant for this address, and in time.
///
/// `token` is the compact form, as it was sent; a line break at its end is no part of it. `now` is compared with what the
/// token says and with the age of the keys.
///
/// # Errors
///
/// [`Rejected`], with the first thing that is wrong. [`Code::Unavailable`] means that the token may be good: the keys could
/// not be read, and the source has to send it again.
pub async fn verify(keys: &KeySet, token: &str, expect: &Expect, now: Timestamp) -> Result<Claims, Rejected> {
    let token = Token::read(token)?;
    expect.kind(token.header.kind.as_deref())?;
    let algorithm = expect.algorithm(&token.header.algorithm)?;
    let keys = keys.holding(token.header.key()?, now).await?;
    keys.check(&token, algorithm)?;
    let claims = token.claims()?;
    expect.claims(&claims, now)?;
    Ok(claims)
}
