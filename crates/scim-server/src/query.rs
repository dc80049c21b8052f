//! The part of a URL after the `?`.
//!
//! What the parameters mean is [`SearchRequest`]'s business. Here is what has to be known before: whether they can be
//! decoded at all, and from where a client counts.

use scim_types::{Error, SearchRequest};
use serde_json::Value;
use url::form_urlencoded;

use crate::percent;

/// The parameters that Gangway reads; all others are ignored, whatever is in them (C-8).
const KNOWN: [&str; 8] =
    ["filter", "startIndex", "count", "cursor", "sortBy", "sortOrder", "attributes", "excludedAttributes"];

/// A query string whose known parameters can be decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Takes the query string of a URL.
    ///
    /// # Errors
    ///
    /// 400 when the encoding of a known parameter is broken: guessing would search for something else than was asked.
    pub fn new(text: &'a str) -> Result<Self, Error> {
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name))
                && percent::decode(value).is_none()
            {
                let detail = format!(
                    "the query parameter {known} is not percent-encoded UTF-8; a % that stands for itself is written %25"
                );
                return Err(if *known == "filter" {
                    Error::invalid_filter(detail)
                } else {
                    Error::invalid_value(detail)
                });
            }
        }
        Ok(Self(text))
    }

    /// A parameter, if it is there; the last one if it is there twice.
    pub fn get(self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes())
            .filter(|(sent, _)| sent.eq_ignore_ascii_case(name))
            .last()
            .map(|(_, value)| value.into_owned())
    }

    /// What a `GET` of a collection asks for.
    pub fn search(self) -> Result<Search, Error> {
        let request = SearchRequest::from_query(self.0)?;
        Ok(Search {
            request,
            counts_from_one: self.get("startIndex").is_some_and(|text| is_above_zero(&text)),
        })
    }
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// The parameters. Their `startIndex` is at least 1, as RFC 7644 §3.4.2.4 wants it.
    pub request: SearchRequest,
    /// Whether the `startIndex` was sent and was above 0. For a client that counts from zero, 0 and absent are the
    /// first place and 1 is the second.
    pub counts_from_one: bool,
}

impl Search {
    /// What the body of a `.search` asks for.
    pub fn from_body(body: Value) -> Result<Self, Error> {
        let sent = body.as_object().and_then(|members| {
            members
                .iter()
                .rev()
                .find(|(name, _)| name.eq_ignore_ascii_case("startIndex"))
                .map(|(_, value)| value)
        });
        let counts_from_one = match sent {
            Some(Value::String(text)) => is_above_zero(text),
            Some(Value::Number(number)) => is_above_zero(&number.to_string()),
            _ => false,
        };
        Ok(Self { request: SearchRequest::from_body(body)?, counts_from_one })
    }
}

fn is_above_zero(text: &str) -> bool {
    let text = text.trim();
    !text.starts_with('-') && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_types::ScimType;
    use serde_json::json;

    #[test]
    fn c08_unknown_parameters_are_ignored_even_when_they_are_broken() {
        for text in ["aadOptscim062020", "aadOptscim062020=true&x=%", "%FF=%FE", "&&=&", ""] {
            assert_eq!(
                Query::new(text).unwrap().search().unwrap().request,
                SearchRequest::default(),
                "{text}"
            );
        }
    }

    #[test]
    fn c09_plus_and_percent_twenty_are_spaces_and_percent_two_b_stays_a_plus() {
        let query = Query::new("attributes=a+b%20c%2Bd").unwrap();
        assert_eq!(query.get("attributes").as_deref(), Some("a b c+d"));
        assert_eq!(query.get("ATTRIBUTES").as_deref(), Some("a b c+d"));
        assert_eq!(query.get("filter"), None);
    }

    #[test]
    fn c09_a_known_parameter_that_cannot_be_decoded_is_refused() {
        let error = Query::new("filter=displayName+eq+%22100%%22").unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)));
        assert!(error.detail.contains("%25"));
        let error = Query::new("aad&ATTRIBUTES=%FF").unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)));
    }

    #[test]
    fn c24_whether_a_start_index_was_sent_is_remembered() {
        let counts = |text| Query::new(text).unwrap().search().unwrap().counts_from_one;
        assert!(counts("startIndex=1") && counts("startindex=+20") && counts("startIndex=100"));
        assert!(!counts("") && !counts("startIndex=0") && !counts("startIndex=-3") && !counts("startIndex="));
        assert!(Search::from_body(json!({"startIndex": 20})).unwrap().counts_from_one);
        assert!(Search::from_body(json!({"STARTINDEX": "20"})).unwrap().counts_from_one);
        assert!(!Search::from_body(json!({"startIndex": 0})).unwrap().counts_from_one);
        assert!(!Search::from_body(json!({})).unwrap().counts_from_one);
    }
}
