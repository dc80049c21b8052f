//! What the answer may look like: `Accept` (RFC 9110 §12.5.1) and `Prefer` (RFC 7240, RFC 9967).

use actix_web::http::header::{ACCEPT, HeaderMap};

/// The media type of SCIM (RFC 7644 §8.1).
pub(crate) const SCIM_JSON: &str = "application/scim+json";
const JSON: &str = "application/json";

/// The media type of the answer: SCIM's own, or plain JSON for a client that takes only that or prefers it (C-7).
///
/// Never a 406: a client that asks for something else altogether is better served with SCIM than with nothing, which
/// RFC 9110 allows.
pub(crate) fn media_type(headers: &HeaderMap) -> &'static str {
    let (mut scim, mut json) = (Weight::default(), Weight::default());
    for value in headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()) {
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(quality).unwrap_or(1.0);
            scim.consider(&name, SCIM_JSON, quality);
            json.consider(&name, JSON, quality);
        }
    }
    if json.quality > scim.quality { JSON } else { SCIM_JSON }
}

fn quality(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(1.0))
}

/// What `Accept` says of one media type; the most specific range counts.
#[derive(Default)]
struct Weight {
    specificity: u8,
    quality: f32,
}

impl Weight {
    fn consider(&mut self, range: &str, media_type: &str, quality: f32) {
        let specificity = match range {
            "*/*" => 1,
            "application/*" => 2,
            exact if exact == media_type => 3,
            _ => return,
        };
        if specificity >= self.specificity {
            *self = Self { specificity, quality };
        }
    }
}

/// Whether the client asks to be answered once its request is stored (`Prefer: respond-async`, RFC 7240 §4.1).
pub(crate) fn prefers_async(headers: &HeaderMap) -> bool {
    headers.get_all("prefer").filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |one| {
            one.split([';', '=']).next().is_some_and(|name| name.trim().eq_ignore_ascii_case("respond-async"))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn c07_scim_json_unless_only_json_is_accepted() {
        for accept in [
            &[][..],
            &["*/*"],
            &["application/scim+json"],
            &["application/scim+json, application/json"],
            &["application/json, application/scim+json"],
            &["application/json, text/plain, */*"],
            &["application/json;q=0.5, application/scim+json;q=0.9"],
            &["APPLICATION/SCIM+JSON"],
            &["application/*"],
            &["text/html"],
            &["application/xml", "*/*;q=0.1"],
            &[""],
            &["application/json;q=0"],
        ] {
            assert_eq!(media_type(&headers("accept", accept)), SCIM_JSON, "{accept:?}");
        }
        for accept in [
            &["application/json"][..],
            &["application/json; charset=utf-8"],
            &["text/html, application/json;q=0.9"],
            &["application/json, */*;q=0.8"],
            &["application/scim+json;q=0", "application/json"],
        ] {
            assert_eq!(media_type(&headers("accept", accept)), JSON, "{accept:?}");
        }
    }

    #[test]
    fn respond_async_is_found_among_other_preferences() {
        for prefer in [
            &["respond-async"][..],
            &["Respond-Async; x=1"],
            &["return=minimal, respond-async, wait=10"],
            &["handling=lenient", "respond-async"],
        ] {
            assert!(prefers_async(&headers("prefer", prefer)), "{prefer:?}");
        }
        for prefer in [&[][..], &["wait=10"], &["return=respond-async"], &["respond-asynchronously"]] {
            assert!(!prefers_async(&headers("prefer", prefer)), "{prefer:?}");
        }
    }
}
