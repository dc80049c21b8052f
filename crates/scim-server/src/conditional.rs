//! Conditional requests (RFC 7644 §3.14, RFC 9110 §13): `If-Match` and `If-None-Match`. Honoured, never required (C-74).

use actix_web::http::header::{AsHeaderName, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use model::Version;

/// The tags of `If-Match`; `None` when the header was not sent.
///
/// For a write they go to provisioning, which compares them with the version that is current when the write's turn has
/// come: comparing here would be a race.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    tags(headers, IF_MATCH)
}

/// What the conditions of a read come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// There are none, or they hold.
    Send,
    /// `If-None-Match` names this version: 304.
    NotModified,
    /// `If-Match` does not: 412.
    Failed,
}

/// Compares the conditions of a read with the version there is.
pub(crate) fn read(headers: &HeaderMap, version: Version) -> Read {
    let names_it = |tags: Vec<String>| tags.iter().any(|tag| version.matches(tag));
    if tags(headers, IF_MATCH).is_some_and(|tags| !names_it(tags)) {
        Read::Failed
    } else if tags(headers, IF_NONE_MATCH).is_some_and(names_it) {
        Read::NotModified
    } else {
        Read::Send
    }
}

/// The tags of a header that may be there several times. A tag may have commas inside its quotes.
fn tags(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Vec<String>> {
    let mut found = None;
    for value in headers.get_all(name) {
        let tags: &mut Vec<String> = found.get_or_insert_default();
        let mut quoted = false;
        let parts = value.to_str().unwrap_or_default().split(|character| {
            quoted ^= character == '"';
            character == ',' && !quoted
        });
        tags.extend(parts.map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(sent: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn c74_without_a_condition_everything_is_sent() {
        assert_eq!(read(&headers(&[]), Version(3)), Read::Send);
        assert_eq!(if_match(&headers(&[])), None);
    }

    #[test]
    fn c74_if_none_match_of_this_version_is_not_modified() {
        for tag in ["W/\"3\"", "\"3\"", "3", "*", "W/\"2\", W/\"3\""] {
            assert_eq!(read(&headers(&[("if-none-match", tag)]), Version(3)), Read::NotModified, "{tag}");
        }
        assert_eq!(read(&headers(&[("if-none-match", "W/\"2\"")]), Version(3)), Read::Send);
    }

    #[test]
    fn c74_if_match_of_another_version_fails() {
        assert_eq!(read(&headers(&[("if-match", "W/\"2\"")]), Version(3)), Read::Failed);
        assert_eq!(read(&headers(&[("if-match", "")]), Version(3)), Read::Failed);
        assert_eq!(read(&headers(&[("if-match", "\"1\""), ("if-match", "\"3\"")]), Version(3)), Read::Send);
    }

    #[test]
    fn c74_tags_are_parted_at_commas_outside_quotes() {
        let tags = if_match(&headers(&[("if-match", "\"a,b\" , W/\"3\",*")])).unwrap();
        assert_eq!(tags, ["\"a,b\"", "W/\"3\"", "*"]);
    }
}
