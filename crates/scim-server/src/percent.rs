//! Percent-encoding (RFC 3986 §2.1), strictly: what is malformed is told apart from what is not.

use std::borrow::Cow;

/// The text with its `%XX` decoded; `None` when a `%` is not followed by two hexadecimal digits, or what comes out is
/// not UTF-8. A `+` stays one.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { digit(bytes.next())? << 4 | digit(bytes.next())? } else { byte });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn digit(byte: Option<u8>) -> Option<u8> {
    let value = char::from(byte?).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_once() {
        assert_eq!(decode("a%20b%2Bc+d").as_deref(), Some("a b+c+d"));
        assert_eq!(decode("%C3%A9").as_deref(), Some("é"));
        assert_eq!(decode("%2520").as_deref(), Some("%20"));
        assert_eq!(decode("").as_deref(), Some(""));
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        for text in ["%", "%2", "100%", "%zz", "%+1", "%FF", "%C3%28", "a%é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
