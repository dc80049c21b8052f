//! The attributes of a profile in Akamai Identity Cloud, and where a SCIM user carries them.

use scim_types::schema::{AttributeType, ENTERPRISE_USER_URN};
use scim_types::{AttrPath, Registry};
use serde_json::{Map, Value, json};

use crate::source::{Source, unavailable};
use crate::suggest::nearest;

/// How an ordinary rule says where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'t> {
    /// `value`: an expression.
    Expression(&'t str),
    /// `from`: a SCIM path.
    Path(&'t str),
    /// `from`: the extension that holds what SCIM has no place for.
    Extension,
}

/// Where a value of a profile goes in a SCIM user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An attribute.
    Root(&'static str),
    /// A part of one, or an attribute of an extension.
    Part(&'static str, &'static str),
    /// A part of the element of this type.
    Typed(&'static str, &'static str, &'static str),
    /// A part of the primary element.
    Primary(&'static str, &'static str),
}

/// An attribute of the standard schema that a SCIM user carries under another name, or that has to be made.
pub(crate) struct Standard {
    pub name: &'static str,
    /// What a rule says of it.
    pub origin: Origin<'static>,
    pub place: Place,
}

use self::Origin::{Expression, Path};

const fn standard(name: &'static str, origin: Origin<'static>, place: Place) -> Standard {
    Standard { name, origin, place }
}

const fn address(name: &'static str, path: &'static str, part: &'static str) -> Standard {
    standard(name, Path(path), Place::Primary("addresses", part))
}

pub(crate) const STANDARD: [Standard; 16] = [
    standard("uuid", Expression("user.externalId"), Place::Root("externalId")),
    standard("email", Expression("email(user)"), Place::Primary("emails", "value")),
    standard("givenName", Path("name.givenName"), Place::Part("name", "givenName")),
    standard("middleName", Path("name.middleName"), Place::Part("name", "middleName")),
    // Profiles without a family name are usual; Salesforce takes no person without one.
    standard("familyName", Expression("family_name(user)"), Place::Part("name", "familyName")),
    standard("mobileNumber", Path(MOBILE), Place::Typed("phoneNumbers", "mobile", "value")),
    address("primaryAddress.address1", "addresses[primary eq true].streetAddress", "streetAddress"),
    address("primaryAddress.city", "addresses[primary eq true].locality", "locality"),
    address("primaryAddress.stateAbbreviation", "addresses[primary eq true].region", "region"),
    address("primaryAddress.zip", "addresses[primary eq true].postalCode", "postalCode"),
    address("primaryAddress.country", "addresses[primary eq true].country", "country"),
    standard(
        "primaryAddress.company",
        Path("organization"),
        Place::Part(ENTERPRISE_USER_URN, "organization"),
    ),
    standard(
        "primaryAddress.phone",
        Path("phoneNumbers[type eq \"work\" or not (type pr)].value"),
        Place::Typed("phoneNumbers", "work", "value"),
    ),
    standard("primaryAddress.mobile", Path(MOBILE), Place::Typed("phoneNumbers", "mobile", "value")),
    standard("organization", Path("organization"), Place::Part(ENTERPRISE_USER_URN, "organization")),
    standard("language", Path("preferredLanguage"), Place::Root("preferredLanguage")),
];
const MOBILE: &str = "phoneNumbers[type eq \"mobile\"].value";

/// The path of the family name alone, where a default stands in for one.
pub(crate) const FAMILY_NAME: (&str, &str) = ("familyName", "name.familyName");

/// Attributes of the standard schema that SCIM has no place for: they say what happened to the profile, and when.
const OF_THE_SOURCE: [&str; 9] = [
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

/// Attributes that are made of the `uuid`, whatever a profile calls so.
const MADE: [&str; 2] = ["userName", "externalId"];

/// Where a rule finds an attribute, and where a profile's value is put for it. What the standard schema does not name is
/// taken by its SCIM name, if there is such an attribute that holds one value; else it goes into the extension.
pub(crate) fn carried(attribute: &str) -> (Origin<'_>, Option<Place>) {
    if let Some(standard) = STANDARD.iter().find(|standard| standard.name == attribute) {
        return (standard.origin, Some(standard.place));
    }
    if OF_THE_SOURCE.contains(&attribute) {
        return (Origin::Extension, None);
    }
    match place(attribute) {
        Some(place) => (Path(attribute), Some(place)),
        // A SCIM path with a filter, which no profile has.
        None if attribute.contains('[') && Source::parse(attribute).is_ok() => (Path(attribute), None),
        None => (Origin::Extension, None),
    }
}

/// Where SCIM has one value under this name.
fn place(name: &str) -> Option<Place> {
    let path = Registry::standard().user().find(name)?;
    let holds_one = |path: &AttrPath| !path.attribute().multi_valued;
    let is_plain = matches!(
        path.attribute().type_,
        AttributeType::String | AttributeType::Reference | AttributeType::DateTime | AttributeType::Boolean
    );
    if !is_plain || !holds_one(&path) || unavailable(&path).is_some() {
        return None;
    }
    match path.parent() {
        None => Some(Place::Root(path.name())),
        Some(parent) if parent.parent().is_none() && holds_one(parent) => {
            Some(Place::Part(parent.name(), path.name()))
        }
        Some(_) => None,
    }
}

/// The known attribute that was probably meant.
pub(crate) fn meant(attribute: &str) -> Option<String> {
    if OF_THE_SOURCE.contains(&attribute) {
        return None;
    }
    nearest(attribute, STANDARD.iter().map(|standard| standard.name).chain(OF_THE_SOURCE))
}

impl Place {
    pub(crate) fn put(self, user: &mut Map<String, Value>, value: Value) {
        match self {
            Self::Root(name) if MADE.contains(&name) => {}
            Self::Root(name) => {
                user.insert(name.to_owned(), value);
            }
            Self::Part(whole, part) => {
                set(user.entry(whole).or_insert_with(|| json!({})), part, value);
            }
            Self::Typed(list, kind, part) => element(user, list, "type", &json!(kind), part, value),
            Self::Primary(list, part) => element(user, list, "primary", &json!(true), part, value),
        }
    }
}

fn set(whole: &mut Value, part: &str, value: Value) {
    if let Value::Object(parts) = whole {
        parts.insert(part.to_owned(), value);
    }
}

/// Sets a part of the element that has `mark` in `key`.
fn element(user: &mut Map<String, Value>, list: &str, key: &str, mark: &Value, part: &str, value: Value) {
    let Value::Array(elements) = user.entry(list).or_insert_with(|| json!([])) else { return };
    let place = elements.iter().position(|element| element.get(key) == Some(mark)).unwrap_or_else(|| {
        elements.push(json!({key: mark}));
        elements.len() - 1
    });
    set(&mut elements[place], part, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression;
    use crate::profile::ProfilePath;

    #[test]
    fn every_attribute_of_the_standard_schema_is_a_rule_that_loads() {
        for Standard { name, origin, .. } in STANDARD {
            assert!(ProfilePath::parse(name).is_ok(), "{name}");
            match origin {
                Expression(text) => assert!(expression::Expression::parse(text).is_ok(), "{name}"),
                Path(text) => assert!(Source::parse(text).is_ok(), "{name}"),
                Origin::Extension => panic!("{name}"),
            }
        }
    }

    /// Otherwise a profile that comes by an event would not have what the mapping takes from it.
    #[test]
    fn what_is_put_into_a_scim_user_is_what_the_rule_takes_out() {
        for Standard { name, origin, place } in STANDARD {
            let mut body = Map::from_iter([("userName".to_owned(), json!("u"))]);
            if name == "uuid" {
                body.insert("externalId".to_owned(), json!("ada@acme.example"));
            }
            place.put(&mut body, json!("ada@acme.example"));
            let user = Registry::standard().user().read_body(Value::Object(body)).unwrap();
            let text = match origin {
                Expression(text) => expression::Expression::parse(text).unwrap().text(&user).unwrap(),
                Path(text) => {
                    Source::parse(text).unwrap().value(&user).and_then(Value::as_str).map(ToOwned::to_owned)
                }
                Origin::Extension => None,
            };
            assert_eq!(text.as_deref(), Some("ada@acme.example"), "{name}");
        }
    }

    #[test]
    fn an_attribute_that_scim_has_no_place_for_is_not_taken_for_a_scim_attribute() {
        for name in ["lastLogin", "id", "favouriteColour", "roles", "emails.value", "groups", "active.x"] {
            assert_eq!(carried(name), (Origin::Extension, None), "{name}");
        }
        assert_eq!(carried("title"), (Path("title"), Some(Place::Root("title"))));
        assert_eq!(carried("department").1, Some(Place::Part(ENTERPRISE_USER_URN, "department")));
        assert_eq!(carried("name.formatted").1, Some(Place::Part("name", "formatted")));
        let filtered = "emails[type eq \"home\"].value";
        assert_eq!(carried(filtered), (Path(filtered), None));
        assert_eq!(meant("famliyName").as_deref(), Some("familyName"));
        assert_eq!(meant("created"), None);
    }

    #[test]
    fn what_tells_profiles_apart_is_never_another_attribute() {
        let mut user = Map::new();
        Place::Root("userName").put(&mut user, json!("ada"));
        Place::Root("externalId").put(&mut user, json!("1"));
        assert!(user.is_empty());
    }
}
