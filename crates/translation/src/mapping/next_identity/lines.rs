//! `mapping` and `defaults`: each attribute as an ordinary rule.

use std::borrow::Cow;
use std::ops::Range;

use scim_types::schema::PROFILE_USER_URN;
use toml::Spanned;
use toml::de::DeValue;

use super::json::{Member, Shape};
use super::object;
use crate::mapping::parse::Reader;
use crate::profile::attributes::{Origin, carried, meant};
use crate::profile::{Carried, ProfilePath, UUID};

/// One field and where its value comes from, in the words of an ordinary rule.
pub(super) struct Line<'t> {
    pub attribute: Option<Cow<'t, str>>,
    pub field: Cow<'t, str>,
    pub place: Range<usize>,
    /// The key of an ordinary rule that says where the value comes from, and what stands there.
    pub source: Option<(&'static str, Cow<'t, str>)>,
    pub default: Option<Spanned<DeValue<'t>>>,
}

impl Line<'_> {
    /// Whether it is for the attribute that tells profiles apart.
    pub(super) fn is_uuid(&self) -> bool {
        self.attribute.as_deref() == Some(UUID)
    }
}

/// A line for every attribute, and where a profile's value is put for it.
pub(super) fn read<'t>(reader: &mut Reader, members: &[Member<'t>]) -> (Vec<Line<'t>>, Vec<Carried>) {
    let mut lines: Vec<Line<'t>> = Vec::new();
    let mut profile = Vec::new();
    for member in members {
        let attribute = member.name.as_ref();
        let Shape::String(field) = &member.shape else {
            let message = format!(
                "`{attribute}` goes to the Salesforce field that is named here; this is {}",
                member.shape.name()
            );
            reader.refuse(member.value.clone(), message, None);
            continue;
        };
        if lines.iter().any(|line| line.field.eq_ignore_ascii_case(field)) {
            let message =
                format!("another attribute goes to `{field}` already; Salesforce does not mind case");
            reader.refuse(member.value.clone(), message, None);
            continue;
        }
        let Some(source) = source(reader, member, &mut profile) else { continue };
        let attribute = Some(member.name.clone());
        let place = member.value.clone();
        lines.push(Line { attribute, field: field.clone(), place, source: Some(source), default: None });
    }
    (lines, profile)
}

/// What a rule for the attribute says of its source. Nothing if it can have none.
fn source<'t>(
    reader: &mut Reader,
    member: &Member<'t>,
    profile: &mut Vec<Carried>,
) -> Option<(&'static str, Cow<'t, str>)> {
    let attribute = member.name.as_ref();
    if attribute.eq_ignore_ascii_case("password") {
        reader.refuse(member.place.clone(), "a password is not kept, so no field can be made from it", None);
        return None;
    }
    let (mut origin, mut put) = carried(attribute);
    let is_taken = |known: &Carried| put.is_some() && known.place == put;
    if let Some(other) = profile.iter().find(|known| is_taken(known)) {
        // Two attributes of a profile, and one place in SCIM: each keeps its own value.
        let message = format!(
            "SCIM users have one place for `{attribute}` and `{}`, which the latter has; only events fill this one",
            other.path.as_str()
        );
        reader.warn(member.place.clone(), message, None);
        (origin, put) = (Origin::Extension, None);
    }
    // A SCIM path with a filter is no attribute of a profile, and need not be one.
    let path = ProfilePath::parse(attribute);
    let source = match origin {
        Origin::Expression(text) => ("value", Cow::Owned(text.to_owned())),
        Origin::Path(text) => ("from", Cow::Owned(text.to_owned())),
        Origin::Extension => {
            if let Err(why) = path {
                reader.refuse(member.place.clone(), why, meant(attribute));
                return None;
            }
            if let Some(meant) = meant(attribute).filter(|meant| meant != attribute) {
                let message =
                    format!("the standard schema has no `{attribute}`; it is taken for one of your own");
                reader.warn(member.place.clone(), message, Some(meant));
            }
            ("from", Cow::Owned(format!("{PROFILE_USER_URN}:{attribute}")))
        }
    };
    profile.extend(path.ok().map(|path| Carried { path, place: put }));
    Some(source)
}

/// `defaults`: what new records get where the profile has nothing.
pub(super) fn defaults<'t>(reader: &mut Reader, member: Option<&Member<'t>>, lines: &mut Vec<Line<'t>>) {
    let Some(members) = member.and_then(|member| object(reader, member, "`defaults`")) else { return };
    for member in members {
        let Some(value) = constant(reader, member, "a default") else { continue };
        let default = Some(value);
        match lines.iter_mut().find(|line| line.field.eq_ignore_ascii_case(&member.name)) {
            Some(line) => line.default = default,
            None => lines.push(Line {
                attribute: None,
                field: member.name.clone(),
                place: member.place.clone(),
                source: None,
                default,
            }),
        }
    }
}

/// A value that is written as it stands.
pub(super) fn constant<'t>(
    reader: &mut Reader,
    member: &Member<'t>,
    what: &str,
) -> Option<Spanned<DeValue<'t>>> {
    let value = match &member.shape {
        Shape::String(text) => DeValue::String(text.clone()),
        Shape::Boolean(value) => DeValue::Boolean(*value),
        other => {
            let message = format!("{what} is a string, true or false; this is {}", other.name());
            reader.refuse(member.value.clone(), message, None);
            return None;
        }
    };
    Some(Spanned::new(member.value.clone(), value))
}
