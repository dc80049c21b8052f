//! The name of an attribute of a profile.

use serde_json::{Map, Value};

use crate::source::leading;

/// A path may have this many bytes and steps: the schema of a source is flatter.
const LONGEST: usize = 256;
const MOST_STEPS: usize = 16;
/// Stands for the element of a plural that is marked so, else the first.
const PRIMARY: &str = "primary";

/// `lastLogin`, `primaryAddress.city`; of a plural the element by its place (`photos[0].value`, or `photos.0.value`) or the
/// primary one (`photos[primary].value`, or just `photos.value`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfilePath {
    text: String,
    steps: Vec<String>,
}

impl ProfilePath {
    /// Reads a path; the error is a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{text}` is no name of an attribute: {why}"));
        if text.len() > LONGEST {
            return Err(format!("the name of an attribute has {LONGEST} bytes at most"));
        }
        let dotted = text.replace("].", ".").replace('[', ".");
        let dotted = dotted.strip_suffix(']').unwrap_or(&dotted);
        let steps: Vec<String> = dotted.split('.').map(ToOwned::to_owned).collect();
        if steps.iter().any(String::is_empty) {
            return wrong("there is nothing between two dots, or no name at all");
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '#' | '@' | '$');
        if let Some(bad) = steps.iter().flat_map(|step| step.chars()).find(|c| !is_name(*c)) {
            return wrong(&format!("`{bad}` cannot stand in it"));
        }
        if steps.len() > MOST_STEPS {
            return wrong(&format!("it has {} steps, and {MOST_STEPS} are allowed", steps.len()));
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The value in a profile, or in what was taken from one by [`ProfilePath::put`].
    pub(crate) fn value<'v>(&self, profile: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(profile, |at, step| match at {
            Value::Object(members) => members.get(step),
            Value::Array(elements) => match step.parse::<usize>() {
                Ok(place) => elements.get(place),
                Err(_) if step == PRIMARY => leading(elements),
                Err(_) => leading(elements)?.get(step),
            },
            _ => None,
        })
    }

    /// Puts a value where the path finds it again, with nothing beside it: of a plural one element is enough.
    pub(crate) fn put(&self, root: &mut Map<String, Value>, value: Value) {
        let Some((last, around)) = self.steps.split_last() else { return };
        let mut at = root;
        for step in around {
            match at.entry(step.as_str()).or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(members) => at = members,
                // All of it is there, because another rule asks for the whole.
                _ => return,
            }
        }
        at.insert(last.clone(), value);
    }

    /// Whether a change of the other attribute is one of this: they are the same, or one is in the other. Which element of a
    /// plural has changed is not told.
    pub(crate) fn touches(&self, other: &Self) -> bool {
        self.names().zip(other.names()).all(|(one, other)| one == other)
    }

    /// The name as far as it has no place in a plural.
    pub(crate) fn without_places(&self) -> String {
        let is_name = |step: &&String| *step != PRIMARY && !step.bytes().all(|byte| byte.is_ascii_digit());
        let steps: Vec<&str> = self.steps.iter().take_while(is_name).map(String::as_str).collect();
        steps.join(".")
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let is_name = |step: &&str| *step != PRIMARY && !step.bytes().all(|byte| byte.is_ascii_digit());
        self.steps.iter().map(String::as_str).filter(is_name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> ProfilePath {
        ProfilePath::parse(text).unwrap()
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a.",
            ".a",
            "a[",
            "[0]",
            "a b",
            "a[b c]",
            "a\"b",
            &"a.".repeat(200),
            &"a.a".repeat(20),
        ] {
            assert!(ProfilePath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_value_is_found_by_its_path_and_found_again_where_it_was_put() {
        let profile = json!({
            "lastLogin": "x", "primaryAddress": {"city": "Utrecht"},
            "photos": [{"value": "first"}, {"value": "best", "primary": true}], "tags": ["a", "b"],
        });
        for (text, expected) in [
            ("lastLogin", json!("x")),
            ("primaryAddress.city", json!("Utrecht")),
            ("primaryAddress", json!({"city": "Utrecht"})),
            ("photos[0].value", json!("first")),
            ("photos.0.value", json!("first")),
            ("photos[1].value", json!("best")),
            ("photos[primary].value", json!("best")),
            ("photos.value", json!("best")),
            ("tags[1]", json!("b")),
            ("tags", json!(["a", "b"])),
        ] {
            let path = path(text);
            assert_eq!(path.value(&profile), Some(&expected), "{text}");
            let mut taken = Map::new();
            path.put(&mut taken, expected.clone());
            assert_eq!(path.value(&Value::Object(taken)), Some(&expected), "{text}");
        }
        for text in ["lastlogin", "lastLogin.x", "photos[2].value", "tags.value", "primaryAddress.city.name"]
        {
            assert_eq!(path(text).value(&profile), None, "{text}");
        }
    }

    #[test]
    fn a_plural_is_asked_for_as_a_whole() {
        for (text, asked) in [
            ("lastLogin", "lastLogin"),
            ("primaryAddress.city", "primaryAddress.city"),
            ("photos[0].value", "photos"),
            ("photos[primary].value", "photos"),
            ("photos.value", "photos.value"),
        ] {
            assert_eq!(path(text).without_places(), asked);
        }
    }

    #[test]
    fn a_whole_and_its_parts_go_together_in_any_order() {
        let profile = json!({"a": {"b": 1, "c": 2}, "list": [{"v": 1}, {"v": 2}]});
        for order in [["a", "a.b", "list", "list[1].v"], ["list[1].v", "a.b", "list", "a"]] {
            let mut taken = Map::new();
            for text in order {
                path(text).put(&mut taken, path(text).value(&profile).unwrap().clone());
            }
            let taken = Value::Object(taken);
            for text in order {
                assert_eq!(path(text).value(&taken), path(text).value(&profile), "{text}");
            }
        }
    }

    #[test]
    fn a_change_of_what_is_around_or_inside_is_a_change() {
        for (used, changed) in [
            ("email", "email"),
            ("primaryAddress.city", "primaryAddress"),
            ("primaryAddress", "primaryAddress.city"),
            ("photos[0].value", "photos.value"),
            ("photos[primary].value", "photos"),
        ] {
            assert!(path(used).touches(&path(changed)), "{used} {changed}");
        }
        for (used, changed) in [("email", "emailVerified"), ("primaryAddress.city", "primaryAddress.zip")] {
            assert!(!path(used).touches(&path(changed)), "{used} {changed}");
        }
    }
}
