//! `/Me` (RFC 7644 §3.11): the resource of whoever is logged in.

use scim_types::Error;

use crate::error::Failure;

/// 501: a client's token stands for a program, which is no User. §3.11: "A service provider that does NOT support this
/// feature SHOULD respond with HTTP status code 501".
pub(crate) fn me() -> Failure {
    Error::new(
        501,
        "the token of this request belongs to a client and not to a user, so there is no /Me for it",
    )
    .into()
}
