//! Profiles as Akamai has them: `/entity` for one, `/entity.find` for those that are new.
//!
//! An error comes with 200 as often as with a status of its own, so the body is what counts.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::{Ids, Timestamp};
use reqwest::{Client, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

/// How long one call may take, and how long it may wait for its place.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer about one profile, and about a page of them.
const LARGEST_PROFILE: usize = 1024 * 1024;
const LARGEST_PAGE: usize = 32 * 1024 * 1024;
/// How long a page may take.
const PAGE_PATIENCE: Duration = Duration::from_mins(1);

/// What is needed to ask for profiles.
pub struct EntitiesSettings {
    /// The capture domain.
    pub base: Url,
    /// An API client that may read them.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// How many calls there are at once at most.
    pub concurrency: usize,
    /// Where jitter comes from.
    pub ids: Ids,
}

/// Asks for profiles.
pub struct Entities {
    settings: EntitiesSettings,
    http: Client,
    places: Arc<Semaphore>,
    /// An attribute that was asked for is not known there: profiles are asked for as they are.
    whole: AtomicBool,
}

/// Which profiles are asked for, and what of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing<'a> {
    pub(super) entity_type: &'a str,
    /// Those that were changed since then, or all.
    pub(super) since: Option<Timestamp>,
    /// Those that come after this one, by their numbers.
    pub(super) after: i64,
    pub(super) attributes: &'a [String],
    /// At most so many.
    pub(super) most: u32,
}

impl fmt::Debug for Entities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities").field("base", &self.settings.base.as_str()).finish_non_exhaustive()
    }
}

/// What there is under a uuid.
#[derive(Debug)]
pub(super) enum Found {
    /// This.
    Profile(Value),
    /// Nothing.
    Nobody,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupError {
    /// It may work later.
    Unavailable {
        /// Why.
        why: String,
        /// When.
        retry_after: Duration,
    },
    /// It works once a person has seen to our credentials.
    Credentials {
        /// Why.
        why: String,
        /// When it is worth a look whether that was done.
        retry_after: Duration,
    },
    /// Something that was asked with is not known there.
    Argument {
        /// Why.
        why: String,
    },
    /// It can never work.
    Refused {
        /// Why.
        why: String,
    },
}

/// An answer, good or bad.
#[derive(Debug, Deserialize)]
struct Answer {
    stat: String,
    result: Option<Value>,
    results: Option<Vec<Value>>,
    code: Option<i64>,
    error: Option<String>,
    request_token: Option<String>,
}

/// What an error code means. The first range that holds it counts.
const CODES: [(std::ops::RangeInclusive<i64>, Meaning); 7] = [
    (310..=310, Meaning::Nobody),
    (200..=299, Meaning::Argument),
    (100..=399, Meaning::Refused),
    (400..=499, Meaning::Credentials),
    (510..=510, Meaning::Slower),
    (500..=599, Meaning::Unavailable),
    (i64::MIN..=i64::MAX, Meaning::Unavailable),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Nobody,
    Argument,
    Refused,
    Credentials,
    Slower,
    Unavailable,
}

/// After a limit it is waited for longer than after a failure.
const AGAIN: Duration = Duration::from_secs(5);
const SLOWER: Duration = Duration::from_secs(30);
const AFTER_CREDENTIALS: Duration = Duration::from_mins(1);

impl Entities {
    /// Nothing is asked here.
    ///
    /// # Errors
    ///
    /// There is no TLS on this machine.
    pub fn new(settings: EntitiesSettings) -> reqwest::Result<Self> {
        let builder = Client::builder()
            .user_agent(concat!("Gangway/", env!("CARGO_PKG_VERSION")))
            // Credentials go to the configured host alone.
            .redirect(redirect::Policy::none())
            .https_only(settings.base.scheme() == "https");
        // On loopback there is no certificate to check and no proxy to ask.
        let plain = settings.base.scheme() == "http";
        let http = if plain { builder.tls_certs_only([]).no_proxy() } else { builder }.build()?;
        let places = Arc::new(Semaphore::new(settings.concurrency));
        Ok(Self { settings, http, places, whole: AtomicBool::new(false) })
    }

    /// The profile with this uuid: these attributes of it.
    pub(super) async fn profile(
        &self,
        entity_type: &str,
        uuid: &str,
        attributes: &[String],
    ) -> Result<Found, LookupError> {
        let form = vec![("type_name", entity_type.to_owned()), ("uuid", uuid.to_owned())];
        let answer = self.ask_for(attributes, ("entity", form), PATIENCE, LARGEST_PROFILE).await?;
        let Some(answer) = answer else {
            return Ok(Found::Nobody);
        };
        let profile = answer.result.filter(|result| result.get("uuid").and_then(Value::as_str) == Some(uuid));
        profile.map(Found::Profile).ok_or_else(|| self.unavailable("it answered with another profile"))
    }

    /// The first profiles of a listing, in the order of their numbers.
    pub(super) async fn find(&self, listing: &Listing<'_>) -> Result<Vec<Value>, LookupError> {
        let since = listing
            .since
            .map(|since| format!("lastUpdated >= '{}' and ", since.strftime("%Y-%m-%d %H:%M:%S")));
        let form = vec![
            ("type_name", listing.entity_type.to_owned()),
            ("filter", format!("{}id > {}", since.unwrap_or_default(), listing.after)),
            ("sort_on", json!(["id"]).to_string()),
            ("max_results", listing.most.to_string()),
        ];
        let call = ("entity.find", form);
        let answer = self.ask_for(listing.attributes, call, PAGE_PATIENCE, LARGEST_PAGE).await?;
        let page = answer.and_then(|answer| answer.results);
        page.ok_or_else(|| self.unavailable("it answered without `results`"))
    }

    /// A longer pause after each failure, never the same.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        Duration::from_secs(1 << failures.min(6)).mul_f64(0.5 + 0.5 * self.settings.ids.jitter())
    }

    /// Asks for these attributes alone. Where one of them is not known, for whole profiles from then on: what is not mapped is not
    /// kept, and that an attribute of the mapping is not there is no reason to lose an event.
    async fn ask_for(
        &self,
        attributes: &[String],
        (call, mut form): (&str, Vec<(&str, String)>),
        patience: Duration,
        largest: usize,
    ) -> Result<Option<Answer>, LookupError> {
        if !self.whole.load(Ordering::Relaxed) {
            let form_of_all = form.clone();
            form.push(("attributes", json!(attributes).to_string()));
            match self.ask(call, &form, patience, largest).await {
                Err(LookupError::Argument { why }) => {
                    // An odd uuid is refused either way, and no reason to ask for more of everybody.
                    let answer = self.ask(call, &form_of_all, patience, largest).await?;
                    let host = self.settings.base.host_str().unwrap_or_default();
                    tracing::warn!(
                        host,
                        why,
                        "an attribute of the mapping is not known there: whole profiles are asked for until the next start or configuration"
                    );
                    self.whole.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                ended => return ended,
            }
        }
        self.ask(call, &form, patience, largest).await
    }

    async fn ask(
        &self,
        call: &str,
        form: &[(&str, String)],
        patience: Duration,
        largest: usize,
    ) -> Result<Option<Answer>, LookupError> {
        let place = tokio::time::timeout(PATIENCE, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(self.unavailable("too many calls at once")) };
        let url = self.settings.base.join(call).map_err(|_| self.unavailable("it has no such address"))?;
        let secret = self.settings.client_secret.expose_secret();
        let request = self
            .http
            .post(url)
            .basic_auth(&self.settings.client_id, Some(secret))
            .form(form)
            .timeout(patience);
        let mut response = request.send().await.map_err(|error| self.cut(error, patience))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.cut(error, patience))? {
            if body.len() + part.len() > largest {
                return Err(self.unavailable(&format!("it answered with more than {largest} bytes")));
            }
            body.extend_from_slice(&part);
        }
        match serde_json::from_slice::<Answer>(&body) {
            Ok(answer) if answer.stat == "ok" && status.is_success() => Ok(Some(answer)),
            Ok(answer) if answer.stat == "error" && answer.code.is_some() => {
                self.refused(call, status, &answer)
            }
            _ => Err(self.by_status(call, status)),
        }
    }

    /// An error in the words of the API.
    fn refused(
        &self,
        call: &str,
        status: StatusCode,
        answer: &Answer,
    ) -> Result<Option<Answer>, LookupError> {
        let code = answer.code.unwrap_or_default();
        let error = answer.error.as_deref().unwrap_or("without a name");
        let request_token = answer.request_token.as_deref().unwrap_or_default();
        let meaning = CODES.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, meaning)| *meaning);
        let meaning = meaning_of(status, meaning.unwrap_or(Meaning::Unavailable));
        // Its support asks for the token. The description may quote what was sent.
        if meaning != Some(Meaning::Nobody) {
            tracing::warn!(
                call,
                status = status.as_u16(),
                code,
                error,
                request_token,
                "Akamai refuses a call"
            );
        }
        let Some(meaning) = meaning else { return Err(self.by_status(call, status)) };
        let why = format!("/{call} of the identity source answered {code} {error}");
        Err(match meaning {
            Meaning::Nobody => return Ok(None),
            Meaning::Argument => LookupError::Argument { why },
            Meaning::Refused => LookupError::Refused { why },
            Meaning::Credentials => LookupError::Credentials { why, retry_after: AFTER_CREDENTIALS },
            Meaning::Slower => LookupError::Unavailable { why, retry_after: self.jittered(SLOWER) },
            Meaning::Unavailable => LookupError::Unavailable { why, retry_after: self.jittered(AGAIN) },
        })
    }

    /// An answer that is none of the API's own, or whose status says something else than its body.
    fn by_status(&self, call: &str, status: StatusCode) -> LookupError {
        let why = format!("/{call} of the identity source answered with the status {}", status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                LookupError::Credentials { why, retry_after: AFTER_CREDENTIALS }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                LookupError::Unavailable { why, retry_after: self.jittered(SLOWER) }
            }
            _ => LookupError::Unavailable { why, retry_after: self.jittered(AGAIN) },
        }
    }

    fn cut(&self, error: reqwest::Error, patience: Duration) -> LookupError {
        // The URL is in the configuration, and what was sent is nobody's business.
        let error = error.without_url();
        if error.is_timeout() {
            return self.unavailable(&format!("it did not answer within {} s", patience.as_secs()));
        }
        self.unavailable(if error.is_connect() { "it cannot be reached" } else { "the connection was cut" })
    }

    fn unavailable(&self, why: &str) -> LookupError {
        let why = format!("the identity source cannot be asked for profiles: {why}");
        LookupError::Unavailable { why, retry_after: self.jittered(AGAIN) }
    }

    fn jittered(&self, pause: Duration) -> Duration {
        pause.mul_f64(0.5 + self.settings.ids.jitter())
    }
}

/// What an error code means with the status that it came with; nothing where the status alone counts. The API says with 200
/// what it has to say: another status is of whatever stands before it, or of our credentials, and is no word about a profile.
fn meaning_of(status: StatusCode, by_code: Meaning) -> Option<Meaning> {
    match status {
        StatusCode::OK => Some(by_code),
        StatusCode::BAD_REQUEST if by_code != Meaning::Nobody => Some(by_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_gone_by_another_status_than_200() {
        assert_eq!(meaning_of(StatusCode::OK, Meaning::Nobody), Some(Meaning::Nobody));
        for status in [201, 204, 302, 400, 401, 403, 404, 429, 500, 502, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(meaning_of(status, Meaning::Nobody), None, "{status}");
        }
        // Nor is an event lost by one.
        for status in [401, 403, 404, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            for code in [Meaning::Argument, Meaning::Refused] {
                assert_eq!(meaning_of(status, code), None, "{status}");
            }
        }
    }

    #[test]
    fn every_code_has_a_meaning() {
        for (code, expected) in [
            (100, Meaning::Refused),
            (200, Meaning::Argument),
            (300, Meaning::Refused),
            (310, Meaning::Nobody),
            (340, Meaning::Refused),
            (400, Meaning::Credentials),
            (415, Meaning::Credentials),
            (500, Meaning::Unavailable),
            (510, Meaning::Slower),
            (700, Meaning::Unavailable),
            (-1, Meaning::Unavailable),
        ] {
            let meaning = CODES.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, meaning)| *meaning);
            assert_eq!(meaning, Some(expected), "{code}");
        }
    }
}
