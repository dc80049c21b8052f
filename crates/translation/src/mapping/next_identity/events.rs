//! `events`: which events of the source count.

use super::json::{Member, Shape};
use super::not_a;
use crate::mapping::parse::Reader;
use crate::mapping::{EventKind, SourceRules};
use crate::suggest::nearest;

pub(super) fn read(reader: &mut Reader, member: Option<&Member<'_>>) -> Vec<EventKind> {
    let Some(member) = member else { return SourceRules::default().events };
    let Shape::Strings(names) = &member.shape else {
        not_a(reader, member, "`events`", "an array of names");
        return Vec::new();
    };
    let mut events = Vec::new();
    for (name, place) in names {
        match EventKind::named(name) {
            Some(kind) if !events.contains(&kind) => events.push(kind),
            Some(_) => {}
            None => {
                let known = EventKind::NAMES.map(|(known, _)| known);
                let message = format!("`{name}` is not one of {}", known.join(", "));
                reader.refuse(place.clone(), message, nearest(name, known));
            }
        }
    }
    events
}
