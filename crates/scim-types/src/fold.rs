//! Case folding: when two texts are the same but for case.

use unicase::UniCase;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The text that stands for all texts that differ from it only in case or in how accents are encoded.
///
/// Full Unicode case folding over canonical decomposition, composed again (Unicode 3.13, D145): `STRASSE` and
/// `Straße` fold alike, so do `É` in one code point and in two. Every `caseExact: false` comparison and every
/// case-insensitive key of the store goes through here, so that a filter finds the same in both.
///
/// Idempotent: folding a folded text changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed: String = text.nfd().collect();
    let folded = UniCase::unicode(decomposed).to_folded_case();
    if is_nfc(&folded) { folded } else { folded.nfc().collect() }
}

/// Whether two texts fold alike; costs no allocation while both are ASCII.
#[must_use]
pub fn fold_eq(a: &str, b: &str) -> bool {
    match (a.is_ascii(), b.is_ascii()) {
        (true, true) => a.eq_ignore_ascii_case(b),
        _ => fold(a) == fold(b),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_differ_only_in_case_fold_alike() {
        for (a, b) in [
            ("Ada@Example.com", "ADA@EXAMPLE.COM"),
            ("Straße", "STRASSE"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ΟΔΟΣ", "οδος"),
            ("ǅ", "ǆ"),
            ("Ёж", "ёЖ"),
            ("ﬃ", "FFI"),
            ("\u{212a}elvin", "kelvin"),
            ("ᾳ", "ΑΙ"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
            assert!(fold_eq(a, b));
        }
        assert_ne!(fold("e"), fold("é"));
        assert_ne!(fold("ı"), fold("i"), "the dotless i is another letter");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn each_character_folds_like_its_lower_case_fold(c in any::<char>()) {
            let once = fold(&c.to_string());
            prop_assert_eq!(fold(&once), once.clone());
            // İ lower-cases to i with a dot above, which is also its full fold
            let lower: String = c.to_lowercase().collect();
            prop_assert_eq!(fold(&lower), once);
        }
    }
}
