//! The text of a cursor (RFC 9865): opaque, authenticated, good for one search and for an hour.
//!
//! A cursor holds where the last page ended and when. It is bound by an HMAC to the tenant, the endpoint and the
//! filter, so that it cannot be made up, changed, carried to another tenant, or used for another search.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{TenantId, Timestamp};
use scim_types::{Error, ScimType};

use crate::limits::CURSOR_SECONDS;

/// What a cursor goes with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// What is searched, such as `Users`; empty for everything.
    pub endpoint: &'a str,
    /// The filter as sent.
    pub filter: Option<&'a str>,
}

/// Where the next page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which of the searched kinds, counted from 0.
    pub source: u8,
    /// The creation sequence number of the last resource sent; 0 is before the first.
    pub after: u64,
}

const PAYLOAD: usize = 1 + 8 + 8;
const TAG: usize = 16;

/// Makes and reads cursors.
#[derive(Debug)]
pub(crate) struct Cursors(hmac::Key);

impl Cursors {
    /// With the key that they are authenticated with; the same on every replica.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The text of a cursor: letters, digits, `-` and `_`, which need no escaping in a URL.
    pub fn write(&self, position: Position, bound: Bound<'_>, now: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(PAYLOAD + TAG);
        bytes.push(position.source);
        bytes.extend(position.after.to_be_bytes());
        bytes.extend(now.as_second().to_be_bytes());
        let tag = self.tag(&bytes, bound);
        bytes.extend(&tag.as_ref()[..TAG]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor.
    ///
    /// # Errors
    ///
    /// 400 `invalidCursor` for one that was not made here for this search, `expiredCursor` for one that is too old.
    pub fn read(&self, text: &str, bound: Bound<'_>, now: Timestamp) -> Result<Position, Error> {
        let (position, made) = self.open(text, bound).ok_or_else(|| {
            let detail =
                "the cursor was not given out for this search: start again without one, and keep the filter";
            Error::bad_request(ScimType::InvalidCursor, detail)
        })?;
        if now.as_second().saturating_sub(made) > CURSOR_SECONDS.cast_signed() {
            let detail =
                format!("the cursor is older than {CURSOR_SECONDS} seconds: start again without one");
            return Err(Error::bad_request(ScimType::ExpiredCursor, detail));
        }
        Ok(position)
    }

    fn open(&self, text: &str, bound: Bound<'_>) -> Option<(Position, i64)> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == PAYLOAD + TAG)?;
        let (payload, tag) = bytes.split_at(PAYLOAD);
        let expected = self.tag(payload, bound);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(tag, &expected.as_ref()[..TAG])) {
            return None;
        }
        let after = u64::from_be_bytes(payload[1..9].try_into().ok()?);
        let made = i64::from_be_bytes(payload[9..].try_into().ok()?);
        Some((Position { source: payload[0], after }, made))
    }

    fn tag(&self, payload: &[u8], bound: Bound<'_>) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        // Each part behind its length, so that no two searches read alike.
        for part in [payload, bound.tenant.as_str().as_bytes(), bound.endpoint.as_bytes()] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        if let Some(filter) = bound.filter {
            context.update(filter.as_bytes());
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position { source: 1, after: 4_711 };

    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_second(start().as_second() + seconds).unwrap()
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[test]
    fn a_cursor_leads_back_to_where_it_was_made() {
        let cursors = Cursors::new(&[7; 32]);
        let (acme, beta) = (tenant("acme/prod"), tenant("beta/prod"));
        let bound = Bound { tenant: &acme, endpoint: "Users", filter: Some("active eq true") };
        let text = cursors.write(POSITION, bound, start());
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(cursors.read(&text, bound, later(3_600)), Ok(POSITION));

        let refused = |text: &str, bound| cursors.read(text, bound, start()).unwrap_err().scim_type;
        let invalid = Some(ScimType::InvalidCursor);
        assert_eq!(refused(&text, Bound { tenant: &beta, ..bound }), invalid);
        assert_eq!(refused(&text, Bound { endpoint: "Groups", ..bound }), invalid);
        assert_eq!(refused(&text, Bound { filter: None, ..bound }), invalid);
        for made_up in ["", "x", "====", &text[1..], &"A".repeat(text.len()), &"A".repeat(10_000), "né"] {
            assert_eq!(refused(made_up, bound), invalid, "{made_up}");
        }
        assert!(Cursors::new(&[8; 32]).read(&text, bound, start()).is_err());
    }

    #[test]
    fn no_byte_of_a_cursor_can_be_changed() {
        let cursors = Cursors::new(&[7; 32]);
        let acme = tenant("acme/prod");
        let bound = Bound { tenant: &acme, endpoint: "Users", filter: None };
        let bytes = URL_SAFE_NO_PAD.decode(cursors.write(POSITION, bound, start())).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(cursors.read(&URL_SAFE_NO_PAD.encode(changed), bound, start()).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_cursor_grows_old() {
        let cursors = Cursors::new(&[7; 32]);
        let acme = tenant("acme/prod");
        let bound = Bound { tenant: &acme, endpoint: "Users", filter: None };
        let text = cursors.write(POSITION, bound, start());
        let error = cursors.read(&text, bound, later(3_601)).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::ExpiredCursor)));
    }
}
