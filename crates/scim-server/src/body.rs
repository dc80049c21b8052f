//! Reading a request body within limits: JSON whatever its content type says (C-5).

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH},
    web::{Bytes, BytesMut, Payload},
};
use futures::StreamExt;
use scim_types::Error;
use serde_json::Value;

use crate::limits::{BODY_TIME, JSON_DEPTH};

/// How much of a body that is too large is read and thrown away, and for how long: a client that is still sending would
/// otherwise see a cut connection in place of the 413.
const DRAIN_BYTES: usize = 32 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Reads the body as JSON.
///
/// # Errors
///
/// 413 when it has more than `limit` bytes; 415 when it is compressed; 408 when it does not arrive; 400 `invalidSyntax` for everything that is not
/// one JSON value in UTF-8.
pub(crate) async fn json(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Value, Error> {
    parse(&bytes(request, payload, limit).await?)
}

/// Reads the body as it is.
///
/// # Errors
///
/// 413, 415 and 408 as [`json`]; 400 when the connection breaks off.
pub(crate) async fn bytes(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Error> {
    tokio::time::timeout(BODY_TIME, read(request, payload, limit)).await.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} seconds: send it again", BODY_TIME.as_secs());
        Err(Error::new(408, detail))
    })
}

async fn read(request: &HttpRequest, mut payload: Payload, limit: usize) -> Result<Bytes, Error> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header(CONTENT_ENCODING).is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
        return Err(Error::new(415, "compressed bodies are not read: send it without Content-Encoding"));
    }
    let announced =
        header(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok()).unwrap_or_default();
    let mut body = BytesMut::with_capacity(announced.min(limit));
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|error| Error::invalid_syntax(format!("the body could not be read: {error}")))?;
        if body.len() + chunk.len() > limit {
            drain(payload).await;
            let detail = format!("the body is larger than {limit} bytes: split it into several requests");
            return Err(Error::new(413, detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn drain(mut payload: Payload) {
    let all = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(chunk)) = payload.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whether it was all or not, the answer is sent.
    let _ = tokio::time::timeout(DRAIN_TIME, all).await;
}

/// Reads JSON text. Of a member that is there twice the last one counts.
fn parse(bytes: &[u8]) -> Result<Value, Error> {
    // PowerShell writes a byte order mark when it is told to write UTF-8.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        Error::invalid_syntax(format!("the body is not UTF-8 (byte {place}): send it with charset=utf-8"))
    })?;
    if text.trim().is_empty() {
        return Err(Error::invalid_syntax("the request has no body: send a JSON object"));
    }
    if depth(bytes) > JSON_DEPTH {
        return Err(Error::invalid_syntax(format!("the JSON is nested deeper than {JSON_DEPTH} levels")));
    }
    serde_json::from_str(text)
        .map_err(|error| Error::invalid_syntax(format!("the body is not JSON: {error}")))
}

/// How deep arrays and objects are nested, at least for text that is JSON. Looks at each byte once.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{FromRequest, dev, test::TestRequest};
    use futures::stream;
    use proptest::prelude::*;
    use scim_types::ScimType;
    use serde_json::json;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let request = TestRequest::default().to_http_request();
        let start = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
        let mut payload: dev::Payload = dev::Payload::Stream { payload: Box::pin(start) };
        let payload = Payload::from_request(&request, &mut payload).await.unwrap();
        assert_eq!(json(&request, payload, 100).await.unwrap_err().status, 408);
    }

    proptest! {
        #[test]
        fn no_bytes_make_anything_but_json_or_invalid_syntax(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match parse(&bytes) {
                Ok(value) => prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok_and(|same| same == value) || bytes.starts_with(b"\xEF\xBB\xBF")),
                Err(error) => prop_assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax))),
            }
        }

        #[test]
        fn depth_counts_what_serde_json_nests(levels in 0_usize..80, text in "[\\[{\"a]{0,20}") {
            let body = (0..levels).fold(json!(text), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({&text: inner}) });
            prop_assert_eq!(depth(body.to_string().as_bytes()), levels);
        }
    }

    fn refused(bytes: &[u8]) -> String {
        let error = parse(bytes).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)), "{error}");
        error.detail
    }

    #[test]
    fn c05_json_is_read_with_or_without_a_byte_order_mark() {
        assert_eq!(parse(b"\xEF\xBB\xBF {\"a\":\"\\u00e9\"}\r\n").unwrap(), json!({"a": "é"}));
        assert_eq!(parse("{\"a\":\"é\"}".as_bytes()).unwrap(), json!({"a": "é"}));
    }

    #[test]
    fn c05_what_is_not_utf_8_is_refused_with_what_to_do() {
        assert!(refused(b"{\"a\":\"\xE9\"}").contains("byte 6"));
    }

    #[test]
    fn a_body_is_one_json_value() {
        for bytes in [
            &b""[..],
            b" ",
            b"{",
            b"{}x",
            b"{} {}",
            b"{'a':1}",
            b"a=b&c=d",
            b"{\"a\":1e999}",
            b"{\"a\":\"\\ud800\"}",
        ] {
            refused(bytes);
        }
    }

    #[test]
    fn the_last_of_two_members_counts() {
        assert_eq!(parse(b"{\"a\":1,\"a\":2}").unwrap(), json!({"a": 2}));
    }

    #[test]
    fn nesting_has_a_limit_that_brackets_in_texts_do_not_count_for() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        parse(nested(JSON_DEPTH).as_bytes()).unwrap();
        assert!(refused(nested(JSON_DEPTH + 1).as_bytes()).contains("64"));
        refused("[".repeat(500_000).as_bytes());
        refused("{\"a\":".repeat(2_000).as_bytes());
        let text = json!({ "a": "[".repeat(1_000), "\"[\\": "\\\"[[" });
        assert_eq!(parse(text.to_string().as_bytes()).unwrap(), text);
    }
}
