//! The path of a PATCH operation (RFC 7644 §3.5.2): `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`.

use std::fmt;

use crate::filter::{Filter, FilterError, FilterErrorKind, Parser, Scope};
use crate::path::{AttrPath, PathError};
use crate::{Error, ResourceType};

/// What a PATCH operation is about.
///
/// Names are found as by [`ResourceType::resolve`]: in any case, with or without their URN, `URN.attr` included (C-45);
/// filters are read with every leniency of [`Filter`], such as `primary eq "True"` (C-51).
#[derive(Clone, Debug, PartialEq)]
pub struct PatchPath {
    /// The attribute, never a sub-attribute; it may be the whole of an extension.
    pub attribute: AttrPath,
    /// Which elements of it. None means all (C-49). Only on complex attributes.
    pub filter: Option<Filter>,
    /// Which part of it, as a full path such as `emails.value`.
    pub sub: Option<AttrPath>,
}

impl PatchPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// [`PatchPathError`], which becomes `invalidPath`, or `invalidFilter` for what stands in brackets.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self, PatchPathError> {
        let text = text.trim();
        let Some(bracket) = text.find('[') else {
            let (attribute, sub) = resource_type.resolve(text)?.parts();
            return Ok(Self { attribute, filter: None, sub });
        };
        let attribute = resource_type.resolve(&text[..bracket])?;
        if attribute.is_sub_attribute() {
            return Err(PatchPathError::NoElements { attribute: attribute.to_string() });
        }
        let mut parser = Parser::at(text, bracket, Scope::Resource(resource_type));
        let filter = Some(parser.value_filter(&attribute, 0)?);
        let sub = match parser.rest().trim_start() {
            "" => None,
            rest => match rest.strip_prefix('.') {
                Some(name) => Some(attribute.sub_or_explain(name.trim())?),
                None => return Err(parser.unexpected("\".\" or the end").into()),
            },
        };
        Ok(Self { attribute, filter, sub })
    }

    /// The path of what is changed: the sub-attribute if there is one, else the attribute.
    #[must_use]
    pub fn target(&self) -> &AttrPath {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }
}

impl From<AttrPath> for PatchPath {
    fn from(path: AttrPath) -> Self {
        let (attribute, sub) = path.parts();
        Self { attribute, filter: None, sub }
    }
}

impl fmt::Display for PatchPath {
    /// Writes a text that parses to an equal path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.filter {
            None => self.target().fmt(f),
            Some(filter) => {
                filter.write_on(&self.attribute, f)?;
                self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{}", sub.name()))
            }
        }
    }
}

/// Why a text is no path for PATCH.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchPathError {
    /// It names nothing.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What stands in its brackets is no filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Brackets stand after a sub-attribute.
    #[error("{attribute:?} has no elements to choose by brackets")]
    NoElements {
        /// Its path.
        attribute: String,
    },
}

impl From<PatchPathError> for Error {
    /// 400 `invalidFilter` for what stands in brackets, else `invalidPath` (RFC 7644 table 9).
    fn from(error: PatchPathError) -> Self {
        match error {
            PatchPathError::Path(error) => error.into(),
            PatchPathError::Filter(FilterError {
                kind: kind @ FilterErrorKind::NoElements { .. }, ..
            }) => Self::invalid_path(kind.to_string()),
            PatchPathError::Filter(error) => {
                Self::invalid_filter(format!("the path cannot be read: {error}"))
            }
            PatchPathError::NoElements { .. } => Self::invalid_path(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    fn user(text: &str) -> String {
        PatchPath::parse(text, Registry::standard().user()).unwrap().to_string()
    }

    fn user_error(text: &str) -> String {
        Error::from(PatchPath::parse(text, Registry::standard().user()).unwrap_err()).to_json().to_string()
    }

    const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

    #[test]
    fn c45_every_form_of_a_path_is_read() {
        assert_eq!(user("name.FamilyName"), "name.familyName");
        assert_eq!(user("emails.value"), "emails.value");
        assert_eq!(user(r#"Emails[Type EQ "work"].Value"#), r#"emails[type eq "work"].value"#);
        assert_eq!(user(r#" emails[ type eq "work" ] . value "#), r#"emails[type eq "work"].value"#);
        assert_eq!(
            user(r#"emails[type eq "work" and not(primary eq true)]"#),
            r#"emails[type eq "work" and not (primary eq true)]"#
        );
        assert_eq!(
            user(r#"urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "a]b"].value"#),
            r#"emails[type eq "a]b"].value"#
        );
        assert_eq!(
            user(&format!(r#"{MANAGER}[value eq "x"].displayName"#)),
            format!(r#"{MANAGER}[value eq "x"].displayName"#)
        );
        assert_eq!(user("manager"), MANAGER);
        assert_eq!(user("manager.managerId"), format!("{MANAGER}.value"));
        assert_eq!(
            user(&format!("{}.manager.value", &MANAGER[..MANAGER.len() - 8])),
            format!("{MANAGER}.value")
        );
    }

    #[test]
    fn c51_booleans_in_a_path_may_be_texts() {
        assert_eq!(user(r#"roles[primary eq "True"].value"#), "roles[primary eq true].value");
        assert_eq!(user("roles[primary eq False].value"), "roles[primary eq false].value");
    }

    #[test]
    fn parts_are_told_apart() {
        let path = PatchPath::parse("emails[type eq work].value", Registry::standard().user()).unwrap();
        assert_eq!(path.attribute, "emails");
        assert_eq!(path.sub.clone().unwrap(), "emails.value");
        assert!(path.filter.unwrap().matches_element(&serde_json::json!({"type": "Work"})));
        let extension = PatchPath::parse(&MANAGER[..MANAGER.len() - 8], Registry::standard().user()).unwrap();
        assert!(extension.attribute.is_extension() && extension.sub.is_none());
    }

    #[test]
    fn a_bad_path_says_what_is_wrong() {
        insta::assert_snapshot!(user_error("emials.value"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"User has no attribute \"emials\"; did you mean \"emails\"?"}"#);
        insta::assert_snapshot!(user_error("emails[type eq \"work\"].vlaue"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"\"emails\" has no sub-attribute \"vlaue\"; did you mean \"value\"?"}"#);
        insta::assert_snapshot!(user_error("emails[type eq \"work\""), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidFilter","detail":"the path cannot be read: expected \"]\", found the end (at character 22)"}"#);
        insta::assert_snapshot!(user_error("emails[type eq \"work\"]value"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidFilter","detail":"the path cannot be read: expected \".\" or the end, found \"value\" (at character 23)"}"#);
        insta::assert_snapshot!(user_error("emails[0].value"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidFilter","detail":"the path cannot be read: \"emails\" has no sub-attribute \"0\" (at character 8)"}"#);
        insta::assert_snapshot!(user_error("emails[]"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidFilter","detail":"the path cannot be read: expected an attribute, found \"]\" (at character 8)"}"#);
        insta::assert_snapshot!(user_error("userName[value eq \"x\"]"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"\"userName\" has no parts to choose by in brackets"}"#);
        insta::assert_snapshot!(user_error("emails.value[type eq \"x\"]"), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"\"emails.value\" has no elements to choose by brackets"}"#);
        insta::assert_snapshot!(user_error(""), @r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"the attribute path is empty"}"#);
    }
}
