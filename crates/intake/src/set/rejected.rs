use std::{borrow::Cow, fmt, time::Duration};

/// Why a token is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{description}")]
pub struct Rejected {
    /// What is wrong.
    pub reason: Reason,
    /// The same for a person. Holds nothing of the token.
    pub description: Cow<'static, str>,
    /// When it is worth trying again; only with [`Reason::Unavailable`].
    pub retry_after: Option<Duration>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// No JSON Web Signature in its compact form.
    Malformed,
    /// Its `typ` is that of some other kind of token.
    Kind,
    /// Signed with an algorithm that the source is not allowed.
    Algorithm,
    /// Signed with a key that the source does not publish.
    Key,
    /// The signature is not that of the key.
    Signature,
    /// From somebody else.
    Issuer,
    /// For somebody else.
    Audience,
    /// Too old, not yet valid, or not valid any more.
    Time,
    /// A claim is missing, of the wrong type, or one that the source must not send.
    Claims,
    /// The keys could not be read; nothing is known about the token.
    Unavailable,
}

/// What the source is told (RFC 8935 §2.4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    /// `invalid_request`
    InvalidRequest,
    /// `invalid_key`
    InvalidKey,
    /// `invalid_issuer`
    InvalidIssuer,
    /// `invalid_audience`
    InvalidAudience,
    /// No error of the token: 503, so that it is sent again.
    Unavailable,
}

impl Reason {
    /// What the source is told.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Malformed | Self::Kind | Self::Time | Self::Claims => Code::InvalidRequest,
            Self::Algorithm | Self::Key | Self::Signature => Code::InvalidKey,
            Self::Issuer => Code::InvalidIssuer,
            Self::Audience => Code::InvalidAudience,
            Self::Unavailable => Code::Unavailable,
        }
    }
}

impl Code {
    /// As it stands in `err`; `unavailable` never does.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidKey => "invalid_key",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidAudience => "invalid_audience",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rejected {
    pub(super) fn new(reason: Reason, description: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, description: description.into(), retry_after: None }
    }

    pub(super) fn unavailable(why: &str, retry_after: Duration) -> Self {
        let description = format!("the keys of the source cannot be read now: {why}");
        Self { retry_after: Some(retry_after), ..Self::new(Reason::Unavailable, description) }
    }

    /// What the source is told.
    #[must_use]
    pub fn code(&self) -> Code {
        self.reason.code()
    }
}
