//! Scopes: what a token is good for.

use super::Refused;

/// What an app may ask for unless its declaration says otherwise.
pub(super) fn usual() -> Vec<String> {
    ["refresh_token", "api", "id", "web"].map(ToOwned::to_owned).to_vec()
}

/// The scopes of a token: those asked for, or all that the app has.
pub(super) fn grant(app: &[String], asked: Option<&str>) -> Result<String, Refused> {
    let asked = asked.unwrap_or_default();
    if asked.trim().is_empty() {
        return Ok(app.join(" "));
    }
    // `offline_access` is OpenID Connect's name for `refresh_token`.
    let same = |a: &str, b: &str| a == b || (is_refresh(a) && is_refresh(b));
    let allowed = |name: &str| app.iter().any(|scope| same(scope, name) || scope == "full" && name == "api");
    if asked.split_whitespace().all(allowed) {
        Ok(asked.split_whitespace().collect::<Vec<_>>().join(" "))
    } else {
        Err(Refused("invalid_scope", "the requested scope is not allowed"))
    }
}

fn is_refresh(scope: &str) -> bool {
    matches!(scope, "refresh_token" | "offline_access")
}

/// Whether a refresh token comes with it.
pub(super) fn has_refresh(scopes: &str) -> bool {
    scopes.split(' ').any(is_refresh)
}

/// Whether the data API takes it.
pub(super) fn has_api(scopes: &str) -> bool {
    scopes.split(' ').any(|scope| matches!(scope, "api" | "full"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_what_was_asked_for_and_no_more() {
        let app = usual();
        assert_eq!(grant(&app, None).unwrap(), "refresh_token api id web");
        assert_eq!(grant(&app, Some("api  offline_access")).unwrap(), "api offline_access");
        assert_eq!(grant(&app, Some("api full")).unwrap_err().0, "invalid_scope");
        assert!(has_refresh("api offline_access") && !has_refresh("api"));
        assert!(has_api("id full") && !has_api("id refresh_token"));
    }
}
