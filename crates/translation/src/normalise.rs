//! The normalisers: from the spellings that identity tools send to the ones that Salesforce takes. One file each.
//!
//! A normaliser notes what it changed, unless the two spellings mean the same and differ in case and separators alone
//! (`nl-nl` and `nl_NL`), or, for languages, name the same language (`he` and `iw`).

pub(crate) mod alias;
pub(crate) mod country;
pub(crate) mod email;
mod encoding;
mod family_name;
mod language;
mod locale;
mod picklist;
mod tag;
mod timezone;
mod username;

use scim_types::Resource;

pub(crate) use picklist::Picklist;

use crate::note::NoteCode;

/// What a normaliser made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Normalised {
    /// There was no input.
    Absent,
    /// A value that means exactly what was sent.
    Value(String),
    /// A value, with what is different about it.
    Adapted(String, NoteCode, String),
    /// Nothing fits. The default of the rule is taken, if it has one; the code is for the note that says so.
    Unknown(NoteCode, String),
    /// The input can never be right, and a default would hide it.
    Refused(String),
}

/// What a normaliser may know besides its input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The picklist of the field that is being filled.
    pub picklist: Picklist<'a>,
    /// The environment's `username-domain`.
    pub username_domain: Option<&'a str>,
    /// Whether the field takes the code of a country or a state, not its name.
    pub takes_code: bool,
    /// What Gangway last wrote into the field.
    pub written: Option<&'a str>,
}

/// What a normaliser is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// `user`: the whole person.
    User(&'a Resource),
    /// One value.
    Text(&'a str),
}

/// The functions of the mapping language that know Salesforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normaliser {
    Alias,
    Country,
    Email,
    Encoding,
    FamilyName,
    Language,
    Locale,
    Phone,
    State,
    Timezone,
    Username,
}

impl Normaliser {
    pub(crate) const ALL: [Self; 11] = [
        Self::Alias,
        Self::Country,
        Self::Email,
        Self::Encoding,
        Self::FamilyName,
        Self::Language,
        Self::Locale,
        Self::Phone,
        Self::State,
        Self::Timezone,
        Self::Username,
    ];

    /// The name of the function in expressions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Country => "country",
            Self::Email => "email",
            Self::Encoding => "encoding",
            Self::FamilyName => "family_name",
            Self::Language => "language",
            Self::Locale => "locale",
            Self::Phone => "phone",
            Self::State => "state",
            Self::Timezone => "timezone",
            Self::Username => "username",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|normaliser| normaliser.name() == name)
    }

    /// The attribute to name when the function was given the whole user; None if it takes one value only.
    pub(crate) fn attribute_of_user(self) -> Option<&'static str> {
        match self {
            Self::Alias => Some("name"),
            Self::Email => Some("emails"),
            Self::FamilyName => Some("name.familyName"),
            _ => None,
        }
    }

    /// Makes of `input` what Salesforce takes.
    pub(crate) fn apply(self, input: Input<'_>, around: &Surroundings<'_>) -> Normalised {
        let text = match input {
            Input::User(user) => {
                return match self {
                    Self::Alias => alias::of_user(user, around.written),
                    Self::Email => email::of_user(user),
                    Self::FamilyName => family_name::of_user(user),
                    _ => Normalised::Refused(format!(
                        "`{}` takes one attribute, not the whole user",
                        self.name()
                    )),
                };
            }
            Input::Text(text) => text.trim(),
        };
        if text.is_empty() {
            return Normalised::Absent;
        }
        let picklist = |field| around.picklist.or_standard(field);
        match self {
            Self::Alias => alias::of_text(text, around.written),
            Self::Country => country::country(text, around.takes_code),
            Self::Email => email::of_text(text),
            Self::Encoding => encoding::encoding(text, picklist("EmailEncodingKey")),
            Self::Language => language::language(text, picklist("LanguageLocaleKey")),
            Self::Locale => locale::locale(text, picklist("LocaleSidKey")),
            Self::Timezone => timezone::timezone(text, picklist("TimeZoneSidKey")),
            Self::Username => username::username(text, around.username_domain),
            Self::FamilyName => Normalised::Value(text.to_owned()),
            Self::Phone => Normalised::Value(phone(text)),
            Self::State => country::state(text, around.takes_code),
        }
    }
}

/// The number of a `tel:` address (RFC 3966), which RFC 7643 §4.1.2 asks for; an extension goes behind an `x`, as Salesforce
/// writes it. Other text stays: Salesforce takes any, and reads it better than a guess would.
fn phone(text: &str) -> String {
    let Some(("tel", address)) = text.split_once(':').map(|(scheme, rest)| (scheme.trim(), rest)) else {
        return text.to_owned();
    };
    let mut parts = address.split(';');
    let number = parts.next().unwrap_or_default().trim();
    match parts.find_map(|part| part.trim().strip_prefix("ext=")) {
        Some(extension) => format!("{number} x{extension}"),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use salesforce_types::FieldDescription;
    use serde_json::{Value, json};

    use super::*;

    /// The value that means exactly what was sent.
    pub(super) fn same(value: &str) -> Normalised {
        Normalised::Value(value.to_owned())
    }

    pub(super) fn adapted(normalised: Normalised) -> (String, NoteCode) {
        match normalised {
            Normalised::Adapted(value, code, detail) => {
                assert!(!detail.is_empty());
                (value, code)
            }
            other => panic!("expected an adaptation: {other:?}"),
        }
    }

    pub(super) fn unknown(normalised: Normalised) -> NoteCode {
        match normalised {
            Normalised::Unknown(code, _) => code,
            other => panic!("expected nothing to fit: {other:?}"),
        }
    }

    pub(super) fn refused(normalised: Normalised) -> String {
        match normalised {
            Normalised::Refused(why) => why,
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    pub(super) fn user(body: &Value) -> Resource {
        Resource::from_map(body.as_object().unwrap().clone())
    }

    /// A restricted picklist with these values.
    pub(super) fn offering(name: &str, values: &[&str]) -> FieldDescription {
        let values: Vec<_> =
            values.iter().map(|value| json!({"value": value, "label": value, "active": true})).collect();
        let field = json!({
            "name": name, "type": "picklist", "length": 40, "restrictedPicklist": true,
            "createable": true, "updateable": true, "picklistValues": values,
        });
        serde_json::from_value(field).unwrap()
    }

    #[test]
    fn a_value_that_an_administrator_turned_off_is_not_offered() {
        let mut field = offering("LocaleSidKey", &["nl_NL", "nl_BE"]);
        field.picklist[0].active = false;
        assert_eq!(adapted(locale::locale("nl-NL", Picklist::Org(&field))).0, "nl_BE");
    }

    #[test]
    fn a_phone_number_loses_the_scheme_of_its_address() {
        for (sent, expected) in [
            ("tel:+31-20-555-0100", "+31-20-555-0100"),
            ("tel:+1-201-555-0123;ext=42;phone-context=x", "+1-201-555-0123 x42"),
            ("+31 20 555 0100", "+31 20 555 0100"),
            ("hotel: ask", "hotel: ask"),
        ] {
            assert_eq!(phone(sent), expected);
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        let around = Surroundings {
            picklist: Picklist::Standard(&[]),
            username_domain: Some("acme.example"),
            takes_code: false,
            written: None,
        };
        for normaliser in Normaliser::ALL {
            assert_eq!(normaliser.apply(Input::Text(""), &around), Normalised::Absent, "{normaliser:?}");
            assert_eq!(normaliser.apply(Input::Text(" \t"), &around), Normalised::Absent, "{normaliser:?}");
            assert_eq!(Normaliser::named(normaliser.name()), Some(normaliser));
        }
    }
}
