//! The attributes of a profile in Akamai Identity Cloud, and where a SCIM user carries them.

use crate::source::Source;
use crate::suggest::nearest;

/// How an ordinary rule says where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'t> {
    /// `value`: an expression.
    Expression(&'t str),
    /// `from`: a SCIM path.
    Path(&'t str),
}

use self::Origin::{Expression, Path};

/// Attributes of the standard schema that a SCIM user carries under another name, or that have to be made.
const STANDARD: [(&str, Origin<'static>); 16] = [
    ("uuid", Expression("user.externalId")),
    ("email", Expression("email(user)")),
    ("givenName", Path("name.givenName")),
    ("middleName", Path("name.middleName")),
    // Profiles without a family name are usual; Salesforce takes no person without one.
    ("familyName", Expression("family_name(user)")),
    ("mobileNumber", Path(MOBILE)),
    ("primaryAddress.address1", Path("addresses[primary eq true].streetAddress")),
    ("primaryAddress.city", Path("addresses[primary eq true].locality")),
    ("primaryAddress.stateAbbreviation", Path("addresses[primary eq true].region")),
    ("primaryAddress.zip", Path("addresses[primary eq true].postalCode")),
    ("primaryAddress.country", Path("addresses[primary eq true].country")),
    ("primaryAddress.company", Path("organization")),
    ("primaryAddress.phone", Path("phoneNumbers[type eq \"work\" or not (type pr)].value")),
    ("primaryAddress.mobile", Path(MOBILE)),
    ("organization", Path("organization")),
    ("language", Path("preferredLanguage")),
];
const MOBILE: &str = "phoneNumbers[type eq \"mobile\"].value";

/// Attributes of the standard schema that only events have: they say what happened to the profile, and when.
const OF_EVENTS: [&str; 9] = [
    "id",
    "created",
    "lastUpdated",
    "lastLogin",
    "emailVerified",
    "mobileNumberVerified",
    "deactivateAccount",
    "birthday",
    "gender",
];

/// Where a SCIM user carries an attribute; nothing if only an event can. What the standard schema does not name is
/// taken by its SCIM name, if there is such an attribute.
pub(super) fn carried(attribute: &str) -> Option<Origin<'_>> {
    if let Some((_, from)) = STANDARD.iter().find(|(name, _)| *name == attribute) {
        return Some(*from);
    }
    let is_scim = !OF_EVENTS.contains(&attribute) && Source::parse(attribute).is_ok();
    is_scim.then_some(Path(attribute))
}

/// The known attribute that was probably meant.
pub(super) fn meant(attribute: &str) -> Option<String> {
    if OF_EVENTS.contains(&attribute) {
        return None;
    }
    nearest(attribute, STANDARD.iter().map(|(name, _)| *name).chain(OF_EVENTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression;

    #[test]
    fn every_attribute_of_the_standard_schema_is_a_rule_that_loads() {
        for (name, from) in STANDARD {
            match from {
                Expression(text) => assert!(expression::Expression::parse(text).is_ok(), "{name}"),
                Path(text) => assert!(Source::parse(text).is_ok(), "{name}"),
            }
        }
    }

    #[test]
    fn an_attribute_that_only_events_have_is_not_taken_for_a_scim_attribute() {
        assert_eq!(carried("lastLogin"), None);
        assert_eq!(carried("id"), None);
        assert_eq!(carried("favouriteColour"), None);
        assert_eq!(carried("title"), Some(Path("title")));
        assert_eq!(meant("famliyName").as_deref(), Some("familyName"));
        assert_eq!(meant("created"), None);
    }
}
