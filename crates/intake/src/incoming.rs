//! Security event tokens by push and by poll: who may send them, and what is believed of them.

use aws_lc_rs::digest::{SHA256, digest};
use model::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    Delivery, Refusal,
    set::{self, Claims, Expect, KeySet},
};

/// The media types of a pushed token.
pub(crate) const MEDIA_TYPES: [&str; 1] = ["application/secevent+jwt"];

/// What a pushed token comes with: `Authorization`, letter for letter, is this.
///
/// # Errors
///
/// [`Refusal::AuthenticationFailed`].
pub(crate) fn authenticate(wanted: Option<&SecretString>, delivery: &Delivery<'_>) -> Result<(), Refusal> {
    let Some(wanted) = wanted else { return Ok(()) };
    let failed = || Refusal::AuthenticationFailed("`Authorization` is missing or wrong".to_owned());
    let sent = delivery.authorization().ok_or_else(failed)?;
    // Of digests: how long the secret is is nobody's business either.
    let [sent, wanted] = [sent, wanted.expose_secret()].map(|text| digest(&SHA256, text.as_bytes()));
    if bool::from(sent.as_ref().ct_eq(wanted.as_ref())) { Ok(()) } else { Err(failed()) }
}

/// The token in the body of a push.
pub(crate) fn text<'d>(delivery: &Delivery<'d>) -> Result<&'d str, Refusal> {
    std::str::from_utf8(delivery.body).map_err(|_| Refusal::InvalidRequest("the body is no token".to_owned()))
}

/// What a token says, if it is good.
pub(crate) async fn verify(
    keys: &KeySet,
    token: &str,
    expect: &Expect,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    Ok(set::verify(keys, token, expect, now).await?)
}
