//! What each refusal of the token endpoint means: `data/login-errors.tsv`, one row for each.
//!
//! From Salesforce Help, "OAuth 2.0 Error Codes", and what callers report. `error` is compared first, then a part of the
//! description, both in any case: the words vary from one release and place to another, and there may be none.

use std::{sync::LazyLock, time::Duration};

/// How long a parked org is left alone before the next login is tried. A person has to act, and a
/// login that fails counts against the login rate of the integration user.
pub(crate) const PARKED_FOR: Duration = Duration::from_mins(5);
/// Pause after "login rate exceeded": 3,600 logins an hour for one user.
pub(super) const RATE_LIMITED_FOR: Duration = Duration::from_mins(15);
/// When to come back if the token endpoint has a bad moment.
pub(super) const AWAY_FOR: Duration = Duration::from_secs(5);

/// The reason of a refusal that names the token itself: another token may fare better.
pub(super) const TOKEN_DEAD: &str = "token-dead";

/// What is done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing, until a person has acted.
    Park,
    /// Wait until the login rate has gone down.
    Rest,
    /// Come back soon.
    Soon,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    /// The `error`; `*` for any.
    error: &'static str,
    /// A part of the `error_description`; empty for any.
    description: &'static str,
    /// One word for it: a label of metrics.
    pub(super) reason: &'static str,
    pub(super) then: Then,
    /// What to do, in one sentence.
    pub(super) advice: &'static str,
}

static TABLE: LazyLock<Vec<Refusal>> = LazyLock::new(|| {
    let rows = include_str!("../../data/login-errors.tsv").lines().skip(1);
    rows.map(|row| read(row).expect("the table is a part of the program, and a test reads it")).collect()
});

fn read(row: &'static str) -> Option<Refusal> {
    let mut cells = row.split('\t');
    let mut cell = || cells.next();
    let (error, description, reason) = (cell()?, cell()?, cell()?);
    let then = match cell()? {
        "park" => Then::Park,
        "rest" => Then::Rest,
        "soon" => Then::Soon,
        _ => return None,
    };
    Some(Refusal { error, description, reason, then, advice: cell()? })
}

/// The first row that fits. The last one fits everything.
pub(super) fn refusal(error: &str, description: &str) -> Refusal {
    let description = description.to_lowercase();
    let fits = |row: &&Refusal| {
        (row.error == "*" || error.eq_ignore_ascii_case(row.error)) && description.contains(row.description)
    };
    *TABLE.iter().find(fits).expect("the last row fits everything")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_row_is_reached_by_its_own_words_and_has_advice() {
        for row in TABLE.iter() {
            let error = if row.error == "*" { "something_new" } else { row.error };
            let text = format!("So sorry: {} (1)", row.description.to_uppercase());
            let found = refusal(&error.to_uppercase(), &text);
            assert_eq!((found.error, found.description), (row.error, row.description));
            assert!(row.advice.len() > 20 && !row.advice.contains("  "), "{}", row.advice);
            assert!(
                row.reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{}",
                row.reason
            );
            assert_eq!(row.description, row.description.to_lowercase());
        }
        let rows: HashSet<_> = TABLE.iter().map(|row| (row.error, row.description)).collect();
        assert_eq!(rows.len(), TABLE.len(), "two rows say the same");
    }

    #[test]
    fn what_salesforce_is_known_to_say_is_told_apart() {
        for (error, description, reason, then) in [
            ("invalid_grant", "expired access/refresh token", "token-dead", Then::Park),
            ("invalid_grant", "authentication failure", "user-inactive", Then::Park),
            ("invalid_grant", "authentication failure - Invalid Password", "user-inactive", Then::Park),
            ("invalid_grant", "inactive user", "user-inactive", Then::Park),
            ("invalid_grant", "user is locked out", "user-inactive", Then::Park),
            ("invalid_grant", "user is frozen", "user-inactive", Then::Park),
            ("invalid_grant", "inactive organization", "org-inactive", Then::Park),
            ("invalid_grant", "ip restricted", "login-policy", Then::Park),
            ("invalid_grant", "invalid login hours", "login-policy", Then::Park),
            ("invalid_grant", "no client credentials user enabled", "no-run-as-user", Then::Park),
            ("invalid_grant", "request not supported on this domain", "wrong-host", Then::Park),
            ("invalid_grant", "user hasn't approved this consumer", "not-approved", Then::Park),
            ("invalid_grant", "Audience validation failed", "wrong-audience", Then::Park),
            ("invalid_grant", "invalid assertion", "bad-assertion", Then::Park),
            ("invalid_grant", "invalid authorization code", "code-expired", Then::Park),
            ("invalid_grant", "expired authorization code", "code-expired", Then::Park),
            ("invalid_grant", "invalid code verifier", "code-expired", Then::Park),
            ("invalid_grant", "login rate exceeded", "login-rate", Then::Rest),
            ("invalid_grant", "LOGIN_RATE_EXCEEDED", "login-rate", Then::Rest),
            (
                "rate_limit_exceeded",
                "number of login attempts has exceeded the limit",
                "login-rate",
                Then::Rest,
            ),
            ("invalid_client_id", "client identifier invalid", "app-unknown", Then::Park),
            ("invalid_client", "invalid client credentials", "wrong-secret", Then::Park),
            ("unsupported_grant_type", "grant type not supported", "flow-off", Then::Park),
            (
                "invalid_app_access",
                "user is not admin approved to access this app",
                "not-approved",
                Then::Park,
            ),
            ("inactive_user", "", "user-inactive", Then::Park),
            ("inactive_org", "", "org-inactive", Then::Park),
            ("invalid_scope", "", "wrong-scope", Then::Park),
            ("invalid_request", "anything", "bad-request", Then::Park),
            ("OAUTH_APP_BLOCKED", "", "app-blocked", Then::Park),
            ("OAUTH_APP_ACCESS_DENIED", "", "app-blocked", Then::Park),
            ("OAUTH_EC_APP_NOT_FOUND", "", "app-not-installed", Then::Park),
            ("server_error", "", "salesforce-away", Then::Soon),
            ("invalid_grant", "", "refused", Then::Park),
            ("invented_yesterday", "", "refused", Then::Park),
        ] {
            let row = refusal(error, description);
            assert_eq!((row.reason, row.then), (reason, then), "{error}: {description}");
        }
    }
}
