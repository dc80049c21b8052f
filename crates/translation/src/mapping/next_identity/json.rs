//! JSON with the place of everything in it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member of an object.
pub(super) struct Member<'t> {
    pub name: Cow<'t, str>,
    /// The name in the text.
    pub place: Range<usize>,
    pub shape: Shape<'t>,
    /// The value in the text.
    pub value: Range<usize>,
}

/// As much of a value as a mapping needs.
pub(super) enum Shape<'t> {
    String(Cow<'t, str>),
    Boolean(bool),
    Object(Vec<Member<'t>>),
    /// The strings of an array of nothing else, each with its place.
    Strings(Vec<(Cow<'t, str>, Range<usize>)>),
    Other(&'static str),
}

impl Shape<'_> {
    /// What it is, in the words of JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Boolean(_) => "true or false",
            Self::Object(_) => "an object",
            Self::Strings(_) => "an array",
            Self::Other(name) => name,
        }
    }
}

/// A mapping has no deeper objects than the `mapping` of one of its `clients`.
const LEVELS: usize = 4;

/// The members of the object that the text is, and of those in it.
///
/// # Errors
///
/// Where it is not JSON, or no object, and why.
pub(super) fn members(text: &str) -> Result<Vec<Member<'_>>, (Range<usize>, String)> {
    let root: &RawValue = serde_json::from_str(text).map_err(|why| {
        let at = offset(text, why.line(), why.column());
        let sentence = why.to_string();
        let message = sentence.split(" at line ").next().unwrap_or_default().to_owned();
        (at..at + 1, format!("not JSON: {message}"))
    })?;
    match object(text, root, LEVELS) {
        Some(members) => Ok(members),
        None => Err((0..1, "a mapping in JSON is an object".to_owned())),
    }
}

fn object<'t>(text: &'t str, raw: &'t RawValue, levels: usize) -> Option<Vec<Member<'t>>> {
    let entries: Entries<'t> = serde_json::from_str(raw.get()).ok()?;
    let member = |(name, raw): (Name<'t>, &'t RawValue)| {
        let value = place(text, raw.get());
        let place = match &name.0 {
            Cow::Borrowed(name) => place(text, name),
            // A name with escapes is elsewhere in memory; its value stands for it.
            Cow::Owned(_) => value.clone(),
        };
        Member { name: name.0, place, shape: shape(text, raw, levels - 1), value }
    };
    Some(entries.0.into_iter().map(member).collect())
}

fn shape<'t>(text: &'t str, raw: &'t RawValue, levels: usize) -> Shape<'t> {
    match raw.get().as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Name<'t>>(raw.get()) {
            Ok(name) => Shape::String(name.0),
            Err(_) => Shape::Other("a string that cannot be read"),
        },
        Some(b't') => Shape::Boolean(true),
        Some(b'f') => Shape::Boolean(false),
        Some(b'n') => Shape::Other("null"),
        Some(b'[') => strings(text, raw).map_or(Shape::Other("an array"), Shape::Strings),
        Some(b'{') if levels > 0 => {
            object(text, raw, levels).map_or(Shape::Other("an object"), Shape::Object)
        }
        Some(b'{') => Shape::Other("an object"),
        _ => Shape::Other("a number"),
    }
}

/// The elements of an array that are all strings.
fn strings<'t>(text: &'t str, raw: &'t RawValue) -> Option<Vec<(Cow<'t, str>, Range<usize>)>> {
    let elements: Vec<&'t RawValue> = serde_json::from_str(raw.get()).ok()?;
    let string = |element: &&'t RawValue| {
        let name: Name<'t> = serde_json::from_str(element.get()).ok()?;
        Some((name.0, place(text, element.get())))
    };
    elements.iter().map(string).collect()
}

/// Where a part of the text is in it.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr()).min(text.len());
    start..(start + part.len()).min(text.len())
}

/// The byte at a line and column, both counted from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

/// A string that is borrowed from the text where it has no escapes.
struct Name<'t>(Cow<'t, str>);

impl<'t> Deserialize<'t> for Name<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'t> Visitor<'t> for Borrowing {
            type Value = Name<'t>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Name<'t>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'t>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

/// The members of one object, those of the same name too.
struct Entries<'t>(Vec<(Name<'t>, &'t RawValue)>);

impl<'t> Deserialize<'t> for Entries<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'t> Visitor<'t> for InOrder {
            type Value = Entries<'t>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Entries<'t>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
