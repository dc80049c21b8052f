//! `LIKE`.

/// `LIKE`: `%` is any text, `_` one character, `\` takes the next character as it is. Time is at
/// most the product of both lengths.
pub(crate) fn like(text: &str, pattern: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        Char(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Char(chars.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            Some(Part::One) => {
                at += 1;
                part += 1;
                continue;
            }
            Some(Part::Char(c)) if *c == text[at] => {
                at += 1;
                part += 1;
                continue;
            }
            _ => {}
        }
        let Some((any, from)) = retry else { return false };
        retry = Some((any, from + 1));
        at = from + 1;
        part = any + 1;
    }
    parts[part..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns() {
        for (text, pattern, expected) in [
            ("ada@example.com", "%@example.com", true),
            ("ada@example.com", "ada%", true),
            ("ada@example.com", "a_a@%", true),
            ("ada@example.com", "ada", false),
            ("100%", r"100\%", true),
            ("1000", r"100\%", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            (r"a\b", r"a\\b", true),
            ("", "%", true),
            ("", "_", false),
            ("aaa", "%a%a%a%", true),
            ("aa", "%a%a%a%", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn a_long_pattern_takes_no_long_time() {
        assert!(!like(&"a".repeat(4_000), &format!("{}b", "%a".repeat(500))));
    }
}
