use super::*;
use crate::normalise::tests::{adapted, offering, same, unknown};

fn standard(text: &str) -> Normalised {
    language(text, Picklist::standard("LanguageLocaleKey"))
}

/// What was sent, and the key of the same language.
const SAME: [(&str, &str); 51] = [
    ("nl_NL", "nl_NL"),
    ("nl-NL", "nl_NL"),
    ("nl", "nl_NL"),
    ("NL", "nl_NL"),
    ("en_US", "en_US"),
    ("en-us", "en_US"),
    ("en", "en_US"),
    ("en-GB", "en_GB"),
    ("en-UK", "en_GB"),
    ("de", "de"),
    ("de-DE", "de"),
    ("de_DE.UTF-8", "de"),
    ("fr", "fr"),
    ("fr-FR", "fr"),
    ("it-IT", "it"),
    ("ja-JP", "ja"),
    ("ko-KR", "ko"),
    ("sv-SE", "sv"),
    ("da-DK", "da"),
    ("fi-FI", "fi"),
    ("es", "es"),
    ("es-ES", "es"),
    ("es-MX", "es_MX"),
    ("pt", "pt_BR"),
    ("pt-BR", "pt_BR"),
    ("pt-PT", "pt_PT"),
    ("ru-RU", "ru"),
    ("th-TH", "th"),
    ("uk-UA", "uk"),
    ("ar-EG", "ar"),
    ("he", "iw"),
    ("he-IL", "iw"),
    ("iw_IL", "iw"),
    ("id", "in"),
    ("id-ID", "in"),
    ("nb", "no"),
    ("nb-NO", "no"),
    ("no", "no"),
    ("zh", "zh_CN"),
    ("zh-Hans", "zh_CN"),
    ("zh-Hant-TW", "zh_TW"),
    ("zh-cmn-Hans-CN", "zh_CN"),
    ("zh-CHS", "zh_CN"),
    ("zh-CHT", "zh_TW"),
    ("nld", "nl_NL"),
    ("fre", "fr"),
    ("Nederlands", "nl_NL"),
    ("Deutsch", "de"),
    ("FRANÇAIS", "fr"),
    ("日本語", "ja"),
    ("spa-MEX", "es_MX"),
];

/// What was sent, and the nearest key, which is noted.
const NEAREST: [(&str, &str); 19] = [
    ("nl-BE", "nl_NL"),
    ("de-AT", "de"),
    ("de-CH", "de"),
    ("fr-CA", "fr"),
    ("fr-BE", "fr"),
    ("en-AU", "en_GB"),
    ("en-NL", "en_GB"),
    ("en-IE", "en_GB"),
    ("en-PH", "en_US"),
    ("es-AR", "es_MX"),
    ("es-419", "es_MX"),
    ("es-AD", "es"),
    ("pt-AO", "pt_PT"),
    ("nn", "no"),
    ("nn-NO", "no"),
    ("zh-HK", "zh_TW"),
    ("yue", "zh_TW"),
    ("zh-SG", "zh_CN"),
    ("ar-MA", "ar"),
];

const UNKNOWN: [&str; 9] = ["xx", "tlh", "C", "POSIX", "Klingon", "0", "*", "sw", "gl-ES"];

#[test]
fn codes_of_the_same_language_need_no_note() {
    for (sent, expected) in SAME {
        assert_eq!(standard(sent), same(expected), "{sent}");
    }
}

#[test]
fn the_nearest_language_is_noted() {
    for (sent, expected) in NEAREST {
        assert_eq!(adapted(standard(sent)), (expected.to_owned(), NoteCode::LanguageAdapted), "{sent}");
    }
}

#[test]
fn what_is_no_language_is_unknown() {
    for sent in UNKNOWN {
        assert_eq!(unknown(standard(sent)), NoteCode::LanguageDefaulted, "{sent}");
    }
}

/// RFC 7643 §4.1.1: `preferredLanguage` has the form of HTTP's `Accept-Language`.
#[test]
fn a_list_is_tried_by_weight() {
    assert_eq!(standard("nl-NL, nl;q=0.9, en;q=0.8"), same("nl_NL"));
    assert_eq!(standard("en;q=0.5, fr;q=0.9"), same("fr"));
    assert_eq!(standard("tlh, de;q=0.4"), same("de"));
    assert_eq!(standard("de;q=0, fr;q=0.1"), same("fr"), "a weight of 0 means not this one");
    assert_eq!(unknown(standard("tlh;q=1.0, xx;q=nonsense, ;;;,,")), NoteCode::LanguageDefaulted);
}

#[test]
fn the_label_stands_for_the_value() {
    assert_eq!(standard("Dutch"), same("nl_NL"));
    assert_eq!(standard("portuguese (brazil)"), same("pt_BR"));
}

#[test]
fn the_orgs_own_list_decides() {
    let small = offering("LanguageLocaleKey", &["en_US", "de", "nl_NL", "nl_BE", "sh", "sr"]);
    let offered = |text| language(text, Picklist::Org(&small));
    assert_eq!(
        adapted(offered("en-GB")).0,
        "en_US",
        "en_GB is offered only where an administrator turned it on"
    );
    assert_eq!(offered("nl-BE"), same("nl_BE"));
    assert_eq!(offered("sr-Latn"), same("sh"));
    assert_eq!(offered("sr_RS@latin"), same("sh"));
    assert_eq!(offered("sr"), same("sr"));
    assert_eq!(unknown(offered("fr")), NoteCode::LanguageDefaulted);
}
