use std::{sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, header, redirect};
use url::Url;

use super::keys::Keys;

/// How long the source may take, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much is read: some 150 keys.
const LARGEST: usize = 64 * 1024;
/// How often it may be sent on, within its own host.
const REDIRECTS: usize = 3;
/// How long a set is kept where the source does not say, and the least and the most that it may ask for.
const KEPT: Duration = Duration::from_hours(1);
const KEPT_AT_LEAST: Duration = Duration::from_mins(5);
const KEPT_AT_MOST: Duration = Duration::from_hours(24);

/// Reads the key set that stands at one address.
pub(super) struct Fetch {
    http: Client,
    url: Url,
}

impl Fetch {
    pub fn new(url: Url) -> reqwest::Result<Self> {
        let builder = Client::builder()
            .user_agent(concat!("Gangway/", env!("CARGO_PKG_VERSION")))
            .redirect(within_the_host())
            .timeout(PATIENCE)
            .https_only(url.scheme() == "https");
        // On loopback there is no certificate to check and no proxy to ask.
        let http =
            if url.scheme() == "https" { builder } else { builder.tls_certs_only([]).no_proxy() }.build()?;
        Ok(Self { http, url })
    }

    /// The keys, and how long they may be kept; or why there are none, for a person.
    pub async fn read(&self) -> Result<(Arc<Keys>, Duration), Arc<str>> {
        let url = &self.url;
        match self.get().await {
            Ok((keys, kept)) => {
                let (usable, skipped) = (keys.len(), keys.skipped);
                if usable == 0 {
                    tracing::warn!(%url, skipped, "the key set holds no key that can be used");
                } else {
                    tracing::info!(%url, usable, skipped, "key set read");
                }
                Ok((Arc::new(keys), kept))
            }
            Err(why) => {
                tracing::warn!(%url, why, "the key set cannot be read");
                Err(why.into())
            }
        }
    }

    async fn get(&self) -> Result<(Keys, Duration), String> {
        let request = self
            .http
            .get(self.url.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("their address answered {}", response.status().as_u16()));
        }
        let kept = kept(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("their address sent more than {} KiB", LARGEST / 1024));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((Keys::parse(&body)?, kept))
    }
}

/// Whether nobody between can change what is read there, and nothing of it is secret.
pub(super) fn is_safe(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && crate::is_safe(url)
}

/// Another host was not trusted by anybody, and may be one that only this machine can reach.
fn within_the_host() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let came_from = attempt.previous().last().map(Url::origin);
        if attempt.previous().len() > REDIRECTS {
            attempt.error("it was redirected too often")
        } else if came_from != Some(attempt.url().origin()) {
            attempt.error("it was redirected to another host")
        } else {
            attempt.follow()
        }
    })
}

/// How long the source wants its keys kept (RFC 9111 `max-age`), within bounds.
fn kept(headers: &header::HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
    let max_age = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    });
    max_age.unwrap_or(KEPT).clamp(KEPT_AT_LEAST, KEPT_AT_MOST)
}

fn failure(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("their address did not answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_for(values: &[&str]) -> u64 {
        let values = values.iter().map(|value| (header::CACHE_CONTROL, value.parse().unwrap()));
        kept(&values.collect()).as_secs()
    }

    #[test]
    fn a_source_is_heeded_within_bounds() {
        for (values, seconds) in [
            (&["max-age=600"][..], 600),
            (&["public, Max-Age = \"7200\" , immutable"], 7200),
            (&["no-transform", "max-age=900"], 900),
            (&[], 3600),
            (&["no-store"], 3600),
            (&["max-age=soon"], 3600),
            (&["s-maxage=900"], 3600),
            (&["max-age=0"], 300),
            (&["max-age=31536000"], 86_400),
            (&["max-age=-1"], 3600),
        ] {
            assert_eq!(kept_for(values), seconds, "{values:?}");
        }
    }
}
