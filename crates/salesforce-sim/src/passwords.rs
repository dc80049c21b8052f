//! Logins with username and password: SOAP `login()` and the OAuth password grant.

use aws_lc_rs::constant_time;

use crate::{cell::Cell, ids::Id, org::Org, users};

/// Why a login was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Unknown username, wrong password, wrong security token; deactivated or frozen, which a login does not tell.
    Wrong,
    /// The password is right, and the network asks for the security token behind it.
    TokenMissing,
}

impl Refused {
    pub(crate) fn soap_code(self) -> &'static str {
        match self {
            Self::Wrong => "INVALID_LOGIN",
            Self::TokenMissing => "LOGIN_MUST_USE_SECURITY_TOKEN",
        }
    }

    pub(crate) fn soap_message(self) -> &'static str {
        match self {
            Self::Wrong => "Invalid username, password, security token; or user locked out.",
            Self::TokenMissing => {
                "Invalid username, password, security token; or user locked out. Are you at a new location? When \
                 accessing Salesforce--either via a desktop client or the API--from outside of your company’s trusted \
                 networks, you must add a security token to your password to log in."
            }
        }
    }
}

/// The user behind a username and a password. From a trusted network the security token may stand
/// behind the password, elsewhere it must.
pub(crate) fn check(org: &Org, username: &str, password: &str) -> Result<Id, Refused> {
    let users = org.table_of("User");
    let row = users.find_one(org.user_fields.username, &Cell::text(username)).ok_or(Refused::Wrong)?;
    let user = row.get(0).as_id().ok_or(Refused::Wrong)?;
    let switches = &org.switches;
    let wanted = org.password(user);
    let same =
        |wanted: &str| constant_time::verify_slices_are_equal(password.as_bytes(), wanted.as_bytes()).is_ok();
    let with_token = same(&format!("{wanted}{}", switches.security_token));
    if !(with_token || same(wanted)) || !users::may_log_in(org, user) {
        return Err(Refused::Wrong);
    }
    if switches.security_token_required && !with_token {
        return Err(Refused::TokenMissing);
    }
    Ok(user)
}
