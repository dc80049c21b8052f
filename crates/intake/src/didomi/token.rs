//! Our token endpoint (RFC 6749 §4.4), and its tokens: an end, a random number, and a signature over both.
//!
//! Nothing is stored. A token is signed with a key that is made of the source and its client's credentials: it is good at this source
//! alone, and ends with the secret that it was got with.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse,
    http::{
        Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use model::{
    Ids, SourceName, TenantId, Timestamp,
    failures::{Failures, Origin, Who},
};
use serde_json::json;
use subtle::{Choice, ConstantTimeEq};
use url::form_urlencoded;

use crate::{Delivery, TokenKey};

/// How long an access token is good for.
pub const TOKEN_LIFE: Duration = Duration::from_hours(1);
/// What a token starts with, so that a leaked one is recognised by secret scanners.
const PREFIX: &str = "gwd_";
const END: usize = 8;
const RANDOM: usize = 16;
const TAG: usize = 32;

/// A client with its secret.
#[derive(Clone)]
pub struct OAuthClient {
    id: String,
    secret_sha256: [u8; 32],
}

impl OAuthClient {
    /// Of the secret only a hash is kept.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: &str) -> Self {
        Self { id: id.into(), secret_sha256: sha256(secret) }
    }

    fn is(&self, given: &Credentials) -> Choice {
        sha256(&self.id).ct_eq(&sha256(&given.id)) & self.secret_sha256.ct_eq(&sha256(&given.secret))
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("id", &self.id).finish_non_exhaustive()
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// Makes the access tokens of one source, and recognises them again.
pub(super) struct Tokens<'c> {
    key: hmac::Key,
    client: &'c OAuthClient,
}

/// What somebody says who he is.
struct Credentials {
    id: String,
    secret: String,
}

/// An error of RFC 6749 §5.2.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
    basic: bool,
    retry_after: Option<Duration>,
}

/// How often it may be tried from where a request comes from.
pub(super) struct Attempts<'a> {
    pub failures: &'a Failures,
    pub tenant: &'a TenantId,
    pub from: Origin,
    pub now: Timestamp,
}

impl Attempts<'_> {
    /// Whose failures count: the address's at the tenant whose client is named, or a stranger's.
    fn counted(&self, names_the_client: bool) -> [Who<'_>; 2] {
        let Origin { address, network } = self.from;
        let who = if names_the_client { Who::Address(self.tenant, address) } else { Who::Stranger(address) };
        [who, Who::Network(network)]
    }

    fn check(&self, counted: &[Who<'_>]) -> Result<(), Refused> {
        let Some(wait) = self.failures.wait_of(counted, self.now) else { return Ok(()) };
        Err(Refused {
            status: StatusCode::TOO_MANY_REQUESTS,
            error: "invalid_client",
            description: "too many attempts have failed: wait",
            basic: false,
            retry_after: Some(wait),
        })
    }

    fn failed(&self, counted: &[Who<'_>]) {
        for who in counted {
            self.failures.count(*who, self.now);
        }
    }
}

impl<'c> Tokens<'c> {
    pub(super) fn new(
        root: &TokenKey,
        tenant: &TenantId,
        source: &SourceName,
        client: &'c OAuthClient,
    ) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, root.bytes());
        let mut context = hmac::Context::with_key(&root);
        // Each part behind its length, so that no two read alike.
        let parts: [&[u8]; 4] = [
            tenant.as_str().as_bytes(),
            source.as_str().as_bytes(),
            client.id.as_bytes(),
            &client.secret_sha256,
        ];
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()), client }
    }

    pub(super) fn issue(&self, end: Timestamp, ids: &Ids) -> String {
        let mut bytes = Vec::with_capacity(END + RANDOM + TAG);
        bytes.extend(end.as_second().to_be_bytes());
        bytes.extend(&ids.token()[..RANDOM]);
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend(tag.as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a token was made here and its time is not over.
    pub(super) fn made(&self, token: &str, now: Timestamp) -> Choice {
        let bytes = token.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let Some(bytes) = bytes.filter(|bytes| bytes.len() == END + RANDOM + TAG) else {
            return Choice::from(0);
        };
        let (signed, tag) = bytes.split_at(END + RANDOM);
        let mut end = [0; END];
        end.copy_from_slice(&signed[..END]);
        let is_ours = hmac::sign(&self.key, signed).as_ref().ct_eq(tag);
        is_ours & Choice::from(u8::from(now.as_second() < i64::from_be_bytes(end)))
    }

    /// Answers a token request: `client_secret_basic` and `client_secret_post`.
    pub(super) fn answer(
        &self,
        method: &Method,
        delivery: &Delivery<'_>,
        attempts: &Attempts<'_>,
        ids: &Ids,
    ) -> HttpResponse {
        if *method != Method::POST {
            return HttpResponse::MethodNotAllowed().insert_header((ALLOW, "POST")).finish();
        }
        match self.grant(delivery.authorization(), delivery.body, attempts) {
            Ok(()) => HttpResponse::Ok()
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((PRAGMA, "no-cache"))
                .json(json!({
                    "access_token": self.issue(delivery.now + TOKEN_LIFE, ids),
                    "token_type": "Bearer",
                    "expires_in": TOKEN_LIFE.as_secs(),
                })),
            Err(refused) => {
                tracing::info!(error = refused.error, "no access token was given to a consent source");
                let mut answer = HttpResponse::build(refused.status);
                if refused.basic {
                    answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"events\""));
                }
                if let Some(wait) = refused.retry_after {
                    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                    answer.insert_header((RETRY_AFTER, seconds.to_string()));
                }
                answer
                    .insert_header((CACHE_CONTROL, "no-store"))
                    .json(json!({"error": refused.error, "error_description": refused.description}))
            }
        }
    }

    fn grant(
        &self,
        authorization: Option<&str>,
        body: &[u8],
        attempts: &Attempts<'_>,
    ) -> Result<(), Refused> {
        let refused = |error, description| Refused {
            status: StatusCode::BAD_REQUEST,
            error,
            description,
            basic: false,
            retry_after: None,
        };
        let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let parameter = |name: &str| {
            let mut values = form.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(refused("invalid_request", "a parameter is there twice")),
                (value, None) => Ok(value),
            }
        };
        let basic = authorization.and_then(|value| {
            let (scheme, credentials) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then(|| credentials.trim())
        });
        let posted = parameter("client_secret")?.map(|secret| (parameter("client_id"), secret));
        let given = match (basic, posted) {
            (Some(_), Some(_)) => {
                return Err(refused(
                    "invalid_request",
                    "send the client's secret once: in the header or in the body",
                ));
            }
            (Some(basic), None) => vec_of_basic(basic),
            (None, Some((id, secret))) => {
                let id = id?.unwrap_or_default().to_owned();
                vec![Credentials { id, secret: secret.to_owned() }]
            }
            (None, None) => Vec::new(),
        };
        let counted = attempts.counted(given.iter().any(|given| given.id == self.client.id));
        attempts.check(&counted)?;
        let is_known = given.iter().fold(Choice::from(0), |known, given| known | self.client.is(given));
        if !bool::from(is_known) {
            attempts.failed(&counted);
            let description = "the client is not known, or its secret is another one";
            return Err(Refused {
                status: StatusCode::UNAUTHORIZED,
                error: "invalid_client",
                description,
                basic: true,
                retry_after: None,
            });
        }
        match parameter("grant_type")? {
            Some("client_credentials") => Ok(()),
            Some(_) => Err(refused("unsupported_grant_type", "the grant is client_credentials")),
            None => Err(refused("invalid_request", "grant_type is missing")),
        }
    }
}

/// What `Authorization: Basic` says: percent-encoded as RFC 6749 §2.3.1 wants it, or as it is, as many send it.
fn vec_of_basic(text: &str) -> Vec<Credentials> {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return Vec::new();
    };
    let plain = |text: &str| {
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        pairs.next().map(|(key, _)| key.into_owned()).unwrap_or_default()
    };
    vec![
        Credentials { id: id.to_owned(), secret: secret.to_owned() },
        Credentials { id: plain(id), secret: plain(secret) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<'c>(client: &'c OAuthClient, tenant: &str, source: &str) -> Tokens<'c> {
        Tokens::new(&TokenKey::new([1; 32]), &tenant.parse().unwrap(), &source.parse().unwrap(), client)
    }

    fn attempts<'a>(failures: &'a Failures, tenant: &'a TenantId, from: &str) -> Attempts<'a> {
        Attempts { failures, tenant, from: Origin::of(from.parse().unwrap()), now: end() }
    }

    fn end() -> Timestamp {
        "2026-08-05T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_is_good_at_its_source_until_its_end() {
        let client = OAuthClient::new("didomi", "s3cret");
        let ours = tokens(&client, "acme/prod", "didomi");
        let token = ours.issue(end(), &Ids::seeded(1));
        let before = end() - Duration::from_secs(1);
        assert!(bool::from(ours.made(&token, before)));
        assert!(!bool::from(ours.made(&token, end())));
        assert!(!bool::from(tokens(&client, "acme/prod", "other").made(&token, before)));
        assert!(!bool::from(tokens(&client, "acme/test", "didomi").made(&token, before)));
        let renewed = OAuthClient::new("didomi", "another");
        assert!(!bool::from(tokens(&renewed, "acme/prod", "didomi").made(&token, before)));
        for bad in ["", "gwd_", "gwd_AAAA", &token[..token.len() - 2], &token.replace("gwd_", "gwa_")] {
            assert!(!bool::from(ours.made(bad, before)), "{bad}");
        }
    }

    #[test]
    fn a_client_says_who_it_is_in_the_header_or_in_the_body() {
        let client = OAuthClient::new("didomi", "s3cret:+ %");
        let tokens = tokens(&client, "acme/prod", "didomi");
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let ask = |header: Option<String>, body: &str| {
            let (failures, tenant) = (Failures::default(), "acme/prod".parse().unwrap());
            let attempts = attempts(&failures, &tenant, "192.0.2.1");
            tokens.grant(header.as_deref(), body.as_bytes(), &attempts).map_err(|refused| refused.error)
        };
        let grant = "grant_type=client_credentials";
        assert_eq!(ask(Some(basic("didomi:s3cret:+ %")), grant), Ok(()));
        assert_eq!(ask(Some(basic("didomi:s3cret%3A%2B+%25")), grant), Ok(()));
        let posted = format!("{grant}&client_id=didomi&client_secret=s3cret%3A%2B+%25");
        assert_eq!(ask(None, &posted), Ok(()));
        assert_eq!(ask(None, grant), Err("invalid_client"));
        assert_eq!(ask(Some(basic("didomi:wrong")), grant), Err("invalid_client"));
        assert_eq!(ask(Some(basic("other:s3cret:+ %")), grant), Err("invalid_client"));
        assert_eq!(ask(Some("Basic !".into()), grant), Err("invalid_client"));
        assert_eq!(ask(Some(basic("didomi:s3cret:+ %")), &posted), Err("invalid_request"));
        assert_eq!(ask(Some(basic("didomi:s3cret:+ %")), ""), Err("invalid_request"));
        assert_eq!(
            ask(Some(basic("didomi:s3cret:+ %")), "grant_type=password"),
            Err("unsupported_grant_type")
        );
    }

    #[test]
    fn an_address_that_goes_on_failing_has_to_wait() {
        let client = OAuthClient::new("didomi", "s3cret");
        let tokens = tokens(&client, "acme/prod", "didomi");
        let (failures, tenant) = (Failures::default(), "acme/prod".parse().unwrap());
        let ask = |from: &str, id: &str, secret: &str| {
            let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
            tokens.grant(None, body.as_bytes(), &attempts(&failures, &tenant, from))
        };
        for _ in 0..20 {
            assert_eq!(ask("192.0.2.1", "didomi", "guess").unwrap_err().status, StatusCode::UNAUTHORIZED);
        }
        let refused = ask("192.0.2.1", "didomi", "s3cret").unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.retry_after.is_some_and(|wait| wait <= Duration::from_secs(6)));
        assert!(ask("198.51.100.1", "didomi", "s3cret").is_ok(), "from another address");
        assert_eq!(
            ask("192.0.2.1", "other", "guess").unwrap_err().status,
            StatusCode::UNAUTHORIZED,
            "whoever names no client that there is is counted apart"
        );
    }
}
