//! Which attributes an answer shows: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and what each attribute says of
//! itself in `returned` (RFC 7643 §2.2).

use serde_json::{Map, Value};

use crate::schema::Returned;
use crate::{AttrPath, Error, ResourceType};

/// Which attributes an answer shows.
///
/// `id` and `schemas` always stand in it, and what is returned `never` never does. A name may carry a URN, be that of a
/// sub-attribute or of a whole extension. Names of nothing are ignored: clients ask all their servers the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    /// Nothing but these; `None`: whatever is returned by default.
    only: Option<Vec<AttrPath>>,
    /// None of these.
    without: Vec<AttrPath>,
}

/// What becomes of one attribute.
#[derive(Clone, Copy, PartialEq)]
enum Show {
    All,
    Parts,
    Nothing,
}

impl Projection {
    /// Reads the two lists, names separated by commas; an empty list is none. Where both are given, the answer has what the first names and the
    /// second does not.
    ///
    /// # Errors
    ///
    /// 400 `invalidValue` for what can be no attribute's name, such as `emails[type eq "work"]`.
    pub fn parse(
        resource_type: &ResourceType,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, Error> {
        let paths = |names: Option<&str>| {
            let names = names.filter(|names| !names.trim().is_empty());
            names.map(|names| paths(resource_type, names)).transpose()
        };
        Ok(Self { only: paths(attributes)?, without: paths(excluded)?.unwrap_or_default() })
    }

    /// Whether neither list was given, so that resources can be shown as they are kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.only.is_none() && self.without.is_empty()
    }

    /// Whether the answer will show this top-level attribute, or a part of it. Ask before collecting `members` or `groups`.
    #[must_use]
    pub fn names(&self, resource_type: &ResourceType, attribute: &str) -> bool {
        resource_type.find(attribute).is_some_and(|path| self.show(&path) != Show::Nothing)
    }

    /// What is left of a full resource.
    #[must_use]
    pub fn apply(&self, resource_type: &ResourceType, full: Map<String, Value>) -> Map<String, Value> {
        let mut shown = Map::with_capacity(full.len());
        for (name, value) in full {
            let root = resource_type.roots().iter().find(|root| root.name() == name);
            let path = root.or_else(|| {
                resource_type.extension_roots().iter().find(|extension| extension.as_str() == name)
            });
            let value = match path {
                Some(path) => self.part(path, value),
                None => Some(value).filter(|_| self.only.is_none()),
            };
            if let Some(value) = value {
                shown.insert(name, value);
            }
        }
        shown
    }

    /// What is left of a value.
    fn part(&self, path: &AttrPath, value: Value) -> Option<Value> {
        match self.show(path) {
            Show::Nothing => None,
            Show::All => Some(value),
            Show::Parts => match value {
                Value::Array(values) => {
                    let parts: Vec<_> =
                        values.into_iter().filter_map(|value| self.parts(path, value)).collect();
                    (!parts.is_empty()).then(|| parts.into())
                }
                value => self.parts(path, value),
            },
        }
    }

    fn parts(&self, path: &AttrPath, value: Value) -> Option<Value> {
        let Value::Object(members) = value else { return None };
        let part = |(name, value): (String, Value)| {
            let value = self.part(path.subs().iter().find(|sub| sub.name() == name)?, value)?;
            Some((name, value))
        };
        let parts: Map<_, _> = members.into_iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| parts.into())
    }

    fn show(&self, path: &AttrPath) -> Show {
        let returned = path.attribute().returned;
        let is_asked_for = self.only.as_ref().map(|only| only.iter().any(|asked| within(path, asked)));
        match returned {
            Returned::Always => return Show::All,
            Returned::Never => return Show::Nothing,
            Returned::Request if is_asked_for != Some(true) => return Show::Nothing,
            Returned::Request | Returned::Default => {}
        }
        if self.without.iter().any(|unwanted| within(path, unwanted)) {
            return Show::Nothing;
        }
        let parts_are_asked_for = || self.only.iter().flatten().any(|asked| within(asked, path));
        if is_asked_for == Some(false) {
            return if parts_are_asked_for() { Show::Parts } else { Show::Nothing };
        }
        let loses_parts =
            self.without.iter().any(|unwanted| within(unwanted, path)) || path.subs().iter().any(hides);
        if loses_parts { Show::Parts } else { Show::All }
    }
}

/// Whether a part of a complex attribute is not returned by default.
fn hides(sub: &AttrPath) -> bool {
    matches!(sub.attribute().returned, Returned::Never | Returned::Request) || sub.subs().iter().any(hides)
}

/// Whether `path` is `whole` or a part of it.
fn within(path: &AttrPath, whole: &AttrPath) -> bool {
    path == whole || path.parent().is_some_and(|parent| within(parent, whole))
}

fn paths(resource_type: &ResourceType, names: &str) -> Result<Vec<AttrPath>, Error> {
    let mut paths = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if resource_type.is_core_urn(name) {
            paths.extend_from_slice(resource_type.roots());
        } else if let Some(path) = resource_type.find(name) {
            // A list is as long as the client likes; without repetitions it is no longer than the schemas.
            if !paths.contains(&path) {
                paths.push(path);
            }
        } else if !crate::patch::is_attribute_path(name) {
            let name = crate::path::quoted(name);
            return Err(Error::invalid_value(format!("{name:?} is not the name of an attribute")));
        }
    }
    Ok(paths)
}
