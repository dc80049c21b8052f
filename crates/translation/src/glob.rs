//! Names with `*` in them.
//!
//! Of our own, because group rules ask what each `*` stood for, and the crates for globs (`globset`, `wildmatch`) only tell
//! whether a name matches.

use std::fmt;

/// A pattern such as `sf-ps-*`: a `*` stands for any characters, or none; everything else for itself in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    /// What stands between the stars: one part more than there are stars.
    parts: Vec<Vec<char>>,
}

impl Glob {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let parts = text.split('*').map(|part| part.chars().collect()).collect();
        Self { text: text.to_owned(), parts }
    }

    /// How many `*` there are.
    #[must_use]
    pub fn stars(&self) -> usize {
        self.parts.len() - 1
    }

    /// Whether a name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.captures(name).is_some()
    }

    /// What each `*` stands for, in order; nothing where the name does not match. Where there is a choice, an earlier one
    /// stands for as little as it can.
    #[must_use]
    pub fn captures(&self, name: &str) -> Option<Vec<String>> {
        let name: Vec<char> = name.chars().collect();
        let (first, others) = self.parts.split_first()?;
        let Some((last, middle)) = others.split_last() else {
            return (name.len() == first.len() && begins(&name, first)).then(Vec::new);
        };
        if !begins(&name, first) {
            return None;
        }
        let end = name.len().checked_sub(last.len()).filter(|end| begins(&name[*end..], last))?;
        let mut captures = Vec::with_capacity(self.stars());
        let mut at = first.len();
        for part in middle {
            let found = (at..=end.checked_sub(part.len())?).find(|from| begins(&name[*from..end], part))?;
            captures.push(name[at..found].iter().collect());
            at = found + part.len();
        }
        captures.push(name.get(at..end)?.iter().collect());
        Some(captures)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a name begins with a part, in any case.
fn begins(name: &[char], part: &[char]) -> bool {
    let same = |(a, b): (&char, &char)| a == b || a.to_lowercase().eq(b.to_lowercase());
    name.len() >= part.len() && name.iter().zip(part).all(same)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Glob;

    #[test]
    fn a_star_stands_for_any_characters_and_says_which() {
        for (pattern, name, expected) in [
            ("sf-ps-*", "SF-PS-Sales_Ops", Some(vec!["Sales_Ops"])),
            ("sf-ps-*", "sf-ps-", Some(vec![""])),
            ("sf-ps-*", "sf-p", None),
            ("*-*", "a-b-c", Some(vec!["a", "b-c"])),
            ("*_ops_*", "Sales_Ops_EMEA", Some(vec!["Sales", "EMEA"])),
            ("a*a", "a", None),
            ("a*b*c", "abc", Some(vec!["", ""])),
            ("a*b*b", "ab", None),
            ("*", "", Some(vec![""])),
            ("", "", Some(vec![])),
            ("Sales (EMEA)?", "sales (emea)?", Some(vec![])),
            ("Zoë*", "ZOË Ops", Some(vec![" Ops"])),
        ] {
            let found = Glob::new(pattern).captures(name);
            let expected = expected.map(|list| list.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected, "{pattern} and {name}");
        }
    }

    proptest! {
        /// Put back in place of the stars, what they stood for gives the name again.
        #[test]
        fn what_the_stars_stood_for_gives_the_name_again(pattern in "[ab*]{0,8}", name in "[ab]{0,12}") {
            let glob = Glob::new(&pattern);
            if let Some(captures) = glob.captures(&name) {
                prop_assert_eq!(captures.len(), glob.stars());
                let mut captures = captures.into_iter();
                let fill = |c| if c == '*' { captures.next().unwrap() } else { String::from(c) };
                prop_assert_eq!(pattern.chars().map(fill).collect::<String>(), name);
            }
        }

        #[test]
        fn a_name_that_a_pattern_was_made_of_matches(parts in prop::collection::vec("[a-c]{0,3}", 1..5), fill in "[a-c]{0,3}") {
            prop_assert!(Glob::new(&parts.join("*")).matches(&parts.join(&fill)));
        }
    }
}
