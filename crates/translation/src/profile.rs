//! Profiles of an identity source, such as the entities of Akamai Identity Cloud, as SCIM Users.
//!
//! What a SCIM User has a place for goes there; the rest goes by the source's own names into one free-form extension,
//! [`scim_types::schema::PROFILE_USER_URN`], from which the rules of a mapping take it.

pub(crate) mod attributes;
mod path;

use scim_types::schema::{PROFILE_USER_URN, USER_URN};
use serde_json::{Map, Value, json};

use crate::Mapping;
use attributes::{Place, STANDARD};
pub(crate) use path::ProfilePath;

/// The attribute that tells profiles apart.
pub(crate) const UUID: &str = "uuid";

/// Why a profile is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is no JSON object.
    #[error("the profile is no JSON object")]
    NotAnObject,
    /// Nothing tells it apart from others.
    #[error("the profile has no `uuid`")]
    WithoutUuid,
}

/// An attribute of a profile that a mapping uses, and where a SCIM User carries it.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub path: ProfilePath,
    /// Nothing: the extension.
    pub place: Option<Place>,
}

/// The SCIM User that a profile is: `externalId` and `userName` are its `uuid`, and of the rest only what the mapping names.
/// A mapping in TOML may use any attribute of the standard schema, so all of these are taken for it.
///
/// The result is a body as a SCIM client would send it, which means that what a profile lacks is unassigned.
///
/// # Errors
///
/// [`ProfileError`] for what is nobody's profile. Values of another type than their SCIM attribute are found when the body is read.
pub fn to_scim(profile: &Value, mapping: &Mapping) -> Result<Value, ProfileError> {
    if !profile.is_object() {
        return Err(ProfileError::NotAnObject);
    }
    let uuid = profile.get(UUID).and_then(Value::as_str).filter(|uuid| !uuid.trim().is_empty());
    let uuid = uuid.ok_or(ProfileError::WithoutUuid)?;
    let mut user = Map::new();
    let mut extension = Map::new();
    for Carried { path, place } in &mapping.profile {
        // A mapping that asks for nothing but what is null has a profile all the same, and its switches are off.
        if place.is_none() {
            extension.insert(UUID.to_owned(), Value::from(uuid));
        }
        let Some(value) = path.value(profile).filter(|value| !value.is_null()) else { continue };
        match place {
            Some(place) => place.put(&mut user, value.clone()),
            None => path.put(&mut extension, value.clone()),
        }
    }
    user.insert("userName".to_owned(), Value::from(uuid));
    user.insert("externalId".to_owned(), Value::from(uuid));
    let mut schemas = vec![USER_URN];
    if !extension.is_empty() {
        schemas.push(PROFILE_USER_URN);
        user.insert(PROFILE_USER_URN.to_owned(), Value::Object(extension));
    }
    user.insert("schemas".to_owned(), json!(schemas));
    Ok(Value::Object(user))
}

/// What a mapping in TOML may use: the standard schema, and what its rules name besides.
pub(crate) fn of_rules<'r>(named: impl Iterator<Item = &'r ProfilePath>) -> Vec<Carried> {
    let mut all: Vec<Carried> = Vec::new();
    for standard in &STANDARD {
        // The first of two attributes that SCIM has one place for fills it.
        if !all.iter().any(|known| known.place.as_ref() == Some(&standard.place)) {
            let path = ProfilePath::parse(standard.name).expect("a test reads every attribute");
            all.push(Carried { path, place: Some(standard.place) });
        }
    }
    all.extend(named.map(|path| Carried { path: path.clone(), place: None }));
    all
}

impl Mapping {
    /// The attributes of a profile that are used, as its source calls them, and its `uuid`. Of a plural it is all that is in it: which
    /// element counts is found in the profile.
    #[must_use]
    pub fn attributes_of_profile(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.profile.iter().map(|carried| carried.path.without_places()).collect();
        names.push(UUID.to_owned());
        names.sort_unstable();
        names.dedup();
        // A whole comes before its parts, and has them.
        let mut asked: Vec<String> = Vec::new();
        for name in names {
            let has_it =
                |whole: &String| name.strip_prefix(whole.as_str()).is_some_and(|rest| rest.starts_with('.'));
            if !asked.iter().any(has_it) {
                asked.push(name);
            }
        }
        asked
    }

    /// Whether one of these attributes of a profile is used, so that a change of them is worth a look: by name, by the name of
    /// what is around it, or of what is in it. Where none is named, nobody knows.
    pub fn uses_any<'a>(&self, changed: impl IntoIterator<Item = &'a str>) -> bool {
        let mut changed = changed.into_iter().peekable();
        if changed.peek().is_none() {
            return true;
        }
        changed.any(|name| match ProfilePath::parse(name) {
            Ok(changed) => self.profile.iter().any(|carried| carried.path.touches(&changed)),
            // A name that no mapping can have.
            Err(_) => false,
        })
    }
}
