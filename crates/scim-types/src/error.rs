//! The SCIM error message (RFC 7644 §3.12, RFC 9865 §2.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The URN of the error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What a caller is told when a request was not carried out.
///
/// `detail` is a sentence for a person: some clients show nothing else (C-71).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The HTTP status.
    pub status: u16,
    /// The keyword of RFC 7644 table 9, where one fits.
    pub scim_type: Option<ScimType>,
    /// What is wrong and what to do, never empty.
    pub detail: String,
}

/// The keywords of RFC 7644 table 9 and RFC 9865 §2.1, which say why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScimType {
    /// The filter cannot be read, or compares what cannot be compared.
    InvalidFilter,
    /// The filter yields more than the server is willing to look through.
    TooMany,
    /// A value that must be unique is taken.
    Uniqueness,
    /// An attribute was to be changed that may not be.
    Mutability,
    /// The body is not what the message must be.
    InvalidSyntax,
    /// The path of a PATCH operation cannot be read or names nothing.
    InvalidPath,
    /// The path of a PATCH operation selects no value.
    NoTarget,
    /// A required value is missing, or a value does not fit its attribute.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request carried personal data in its URI.
    Sensitive,
    /// The cursor is not one the server gave out.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The page size is not acceptable.
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in the message, such as `invalidFilter`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// An error without a keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// 400 with a keyword.
    pub fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: 400, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// 400 `invalidFilter`.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidFilter, detail)
    }

    /// 400 `tooMany`.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::TooMany, detail)
    }

    /// 409 `uniqueness`: a value that must be unique is taken (RFC 7644 §3.3).
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self { status: 409, scim_type: Some(ScimType::Uniqueness), detail: detail.into() }
    }

    /// 400 `mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::Mutability, detail)
    }

    /// 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidSyntax, detail)
    }

    /// 400 `invalidPath`.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidPath, detail)
    }

    /// 400 `noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::NoTarget, detail)
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::bad_request(ScimType::InvalidValue, detail)
    }

    /// 404: nothing has this id, or no route has this path.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// 412: the resource is not the version that `If-Match` asks for (RFC 7644 §3.14).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(412, detail)
    }

    /// The message as it is sent. `status` is a string in it (RFC 7644 §3.12).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut message = json!({ "schemas": [ERROR_URN], "status": self.status.to_string() });
        if let Some(scim_type) = self.scim_type {
            message["scimType"] = scim_type.as_str().into();
        }
        message["detail"] = self.detail.as_str().into();
        message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c71_an_error_is_a_message_with_status_as_text_and_a_detail() {
        insta::assert_snapshot!(
            Error::uniqueness("userName is taken").to_json(),
            @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"userName is taken"}"#
        );
        insta::assert_snapshot!(
            Error::not_found("no User has the id 0").to_json(),
            @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"no User has the id 0"}"#
        );
    }

    #[test]
    fn the_keyword_and_its_serde_form_are_the_same() {
        use ScimType as T;
        for scim_type in [
            T::InvalidFilter,
            T::TooMany,
            T::Uniqueness,
            T::Mutability,
            T::InvalidSyntax,
            T::InvalidPath,
            T::NoTarget,
            T::InvalidValue,
            T::InvalidVers,
            T::Sensitive,
            T::InvalidCursor,
            T::ExpiredCursor,
            T::InvalidCount,
        ] {
            assert_eq!(serde_json::to_value(scim_type).unwrap(), scim_type.as_str());
        }
    }
}
