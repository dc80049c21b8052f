//! An answer before it is HTTP.

use actix_web::http::{
    StatusCode,
    header::{ETAG, HeaderName, LOCATION},
};
use model::Version;
use serde::Serialize;

/// An answer: a status, a body that is JSON or empty, and what else goes with them.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub headers: Vec<(HeaderName, String)>,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: Vec::new(), headers: Vec::new() }
    }

    /// An answer with a body that is JSON already.
    pub fn text(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// An answer with a body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::text(status, to_json(body))
    }

    /// With another header.
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With `ETag`.
    pub fn with_version(self, version: Version) -> Self {
        self.with(ETAG, version.etag())
    }

    /// With `Location`.
    pub fn with_location(self, location: impl Into<String>) -> Self {
        self.with(LOCATION, location)
    }
}

/// The JSON of a message.
pub(crate) fn to_json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message has text keys and is written to memory")
}
