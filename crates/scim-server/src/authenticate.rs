//! Who calls: bearer tokens (RFC 6750), known here only by their SHA-256, and access tokens of the token endpoint.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use aws_lc_rs::digest::{SHA256, digest};
use model::Timestamp;
use scim_types::Error;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{
    door::{Client, Tenant},
    error::Failure,
    oauth::AccessToken,
};

/// Finds the client whose token a request carries.
///
/// A tenant that does not exist, a token of another tenant and a token of nobody are answered alike, so that nobody
/// learns what tenants there are.
///
/// # Errors
///
/// 401 with `WWW-Authenticate` (C-12).
pub(crate) fn authenticate(
    tenant: Option<&Tenant>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Arc<Client>, Failure> {
    let Some(sent) = headers.get(AUTHORIZATION) else {
        let detail = "this request carries no token: send it as \"Authorization: Bearer <token>\"";
        return Err(refuse(detail, "Bearer realm=\"SCIM\""));
    };
    let token = sent.to_str().ok().and_then(token);
    if let Some(token) = token.and_then(AccessToken::read) {
        let client = tenant.and_then(|tenant| bearer(&tenant.clients, &token));
        return match client {
            Some(client) if !token.has_ended(now) => Ok(client),
            Some(_) => {
                let detail = "the access token has expired: get a new one from the token endpoint";
                Err(refuse(detail, "Bearer realm=\"SCIM\", error=\"invalid_token\""))
            }
            None => Err(unknown()),
        };
    }
    // Without a token or a tenant the same work is done, so that the time it takes says nothing.
    let sha256 = digest(&SHA256, token.unwrap_or_default().as_bytes());
    let client = tenant.and_then(|tenant| owner(&tenant.clients, sha256.as_ref()));
    client.filter(|_| token.is_some()).ok_or_else(unknown)
}

fn unknown() -> Failure {
    let detail = "the token is not known here: check that it is whole, has not been revoked, and belongs to the \
                  tenant of this URL";
    refuse(detail, "Bearer realm=\"SCIM\", error=\"invalid_token\"")
}

fn refuse(detail: &str, challenge: &str) -> Failure {
    Failure::from(Error::new(401, detail)).with(WWW_AUTHENTICATE, challenge)
}

/// The token of an `Authorization` header. The scheme is compared without regard to case (C-10: `HelloID` repeats the
/// `bearer` of a token endpoint), and a token without a scheme is taken (Okta's header mode).
fn token(header: &str) -> Option<&str> {
    let header = header.trim();
    match header.split_once(char::is_whitespace) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        Some(_) => None,
        None => Some(header),
    }
    .filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("bearer"))
}

/// The client that this access token was made for. Looks at all of the tenant, whichever it is.
fn bearer(clients: &[Arc<Client>], token: &AccessToken) -> Option<Arc<Client>> {
    let mut place = u64::MAX;
    for (candidate, client) in (0..).zip(clients) {
        place.conditional_assign(&candidate, client.credentials.made(token));
    }
    usize::try_from(place).ok().and_then(|place| clients.get(place)).cloned()
}

/// The client that has the token with this hash. Looks at all tokens of the tenant, whichever it is.
fn owner(clients: &[Arc<Client>], sha256: &[u8]) -> Option<Arc<Client>> {
    let mut place = u64::MAX;
    for (candidate, client) in (0..).zip(clients) {
        for token in &client.settings.token_sha256 {
            let equal: Choice = token.as_slice().ct_eq(sha256);
            place.conditional_assign(&candidate, equal);
        }
    }
    usize::try_from(place).ok().and_then(|place| clients.get(place)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::tests::{client, tenant};
    use actix_web::http::header::HeaderValue;

    fn caller(tenant: Option<&Tenant>, header: Option<&str>) -> Result<String, (u16, String)> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        match authenticate(tenant, &headers, Timestamp::UNIX_EPOCH) {
            Ok(client) => Ok(client.settings.name.to_string()),
            Err(failure) => {
                let challenge = failure.headers.iter().find(|(name, _)| name == WWW_AUTHENTICATE).unwrap();
                assert!(challenge.1.starts_with("Bearer"));
                Err((failure.error.status, failure.error.detail))
            }
        }
    }

    #[test]
    fn c10_the_scheme_is_compared_without_regard_to_case_and_a_raw_token_is_taken() {
        let acme = tenant("acme/prod", vec![client("entra", &["e1", "e2"]), client("okta", &["o1"])]);
        for (header, name) in [
            ("Bearer e1", "entra"),
            ("bearer e2", "entra"),
            ("BEARER   o1 ", "okta"),
            ("o1", "okta"),
            ("Bearer\te1", "entra"),
        ] {
            assert_eq!(caller(Some(&acme), Some(header)).as_deref(), Ok(name), "{header}");
        }
    }

    #[test]
    fn c12_everything_else_is_401_with_a_challenge() {
        let acme = tenant("acme/prod", vec![client("entra", &["e1"])]);
        for header in [
            "Bearer e2",
            "Basic ZTE6ZTE=",
            "Bearer",
            "Bearer ",
            "",
            "Bearer e1 e1",
            "Token e1",
            "E1",
            "Bearer é",
        ] {
            assert_eq!(caller(Some(&acme), Some(header)).unwrap_err().0, 401, "{header}");
        }
        assert_eq!(caller(Some(&acme), None).unwrap_err().0, 401);
    }

    #[test]
    fn the_empty_token_is_nobodys_even_where_its_hash_is_configured() {
        let careless = tenant("acme/prod", vec![client("oops", &[""])]);
        assert!(caller(Some(&careless), Some("Bearer ")).is_err());
        assert!(caller(Some(&careless), Some("Basic eDp5")).is_err());
    }

    #[test]
    fn a_token_of_another_tenant_is_like_one_of_nobody_and_like_no_tenant() {
        let acme = tenant("acme/prod", vec![client("entra", &["e1"])]);
        let beta = tenant("beta/prod", vec![client("okta", &["o1"])]);
        let elsewhere = caller(Some(&acme), Some("Bearer o1")).unwrap_err();
        assert_eq!(elsewhere, caller(Some(&acme), Some("Bearer nobody")).unwrap_err());
        assert_eq!(elsewhere, caller(None, Some("Bearer o1")).unwrap_err());
        assert_eq!(caller(None, None).unwrap_err(), caller(Some(&beta), None).unwrap_err());
    }
}
