use super::*;
use crate::normalise::tests::{adapted, offering, same, unknown};

fn standard(text: &str) -> Normalised {
    locale(text, Picklist::standard("LocaleSidKey"))
}

/// What was sent, and the locale that means the same.
const SAME: [(&str, &str); 42] = [
    // Salesforce's own spelling
    ("nl_NL", "nl_NL"),
    ("iw_IL", "iw_IL"),
    ("zh_CN_PINYIN", "zh_CN_PINYIN"),
    ("sh_ME_USD", "sh_ME_USD"),
    ("uz_LATN_UZ", "uz_LATN_UZ"),
    // BCP 47
    ("nl-NL", "nl_NL"),
    ("en-US", "en_US"),
    ("en-GB", "en_GB"),
    ("de-AT", "de_AT"),
    ("fr-CH", "fr_CH"),
    ("es-MX", "es_MX"),
    ("pt-BR", "pt_BR"),
    ("tr-TR", "tr_TR"),
    // any case
    ("NL-nl", "nl_NL"),
    ("en_us", "en_US"),
    ("ZH_tw", "zh_TW"),
    // POSIX
    ("nl_NL.UTF-8", "nl_NL"),
    ("nl_NL.utf8@euro", "nl_NL"),
    ("de_DE@euro", "de_DE"),
    ("ja_JP.eucJP", "ja_JP"),
    // codes that changed
    ("he-IL", "iw_IL"),
    ("id-ID", "in_ID"),
    ("nb-NO", "no_NO"),
    ("no-NO", "no_NO"),
    ("fil-PH", "tl_PH"),
    ("tl-PH", "tl_PH"),
    ("en-UK", "en_GB"),
    // scripts that the country implies
    ("zh-Hans-CN", "zh_CN"),
    ("zh-Hant-TW", "zh_TW"),
    ("zh-Hant-HK", "zh_HK"),
    ("sr-Latn-ME", "sh_ME"),
    ("sr-Cyrl-RS", "sr_RS"),
    // three letters: ISO 639-2 and ISO 3166
    ("nld-NLD", "nl_NL"),
    ("eng_GBR", "en_GB"),
    ("en-USA", "en_US"),
    // Windows before there were codes for scripts, and Java
    ("zh-CHT-TW", "zh_TW"),
    ("es-ES_tradnl", "es_ES"),
    ("no_NO_NY", "no_NO"),
    ("th_TH_TH", "th_TH"),
    ("en-GB-oed", "en_GB"),
    // extensions say nothing that Salesforce could keep
    ("nl-NL-u-ca-gregory", "nl_NL"),
    ("zh-cmn-Hans-CN", "zh_CN"),
];

/// What was sent, and the nearest locale, which is noted.
const NEAREST: [(&str, &str); 31] = [
    // a language alone gets its main country
    ("nl", "nl_NL"),
    ("en", "en_US"),
    ("de", "de_DE"),
    ("pt", "pt_BR"),
    ("es", "es_ES"),
    ("he", "iw_IL"),
    ("in", "in_ID"),
    ("no", "no_NO"),
    ("sv", "sv_SE"),
    ("zh", "zh_CN"),
    ("zh-Hant", "zh_TW"),
    ("uz", "uz_LATN_UZ"),
    ("da.UTF-8", "da_DK"),
    // by another name
    ("Dutch", "nl_NL"),
    ("Nederlands", "nl_NL"),
    ("deu", "de_DE"),
    ("ger", "de_DE"),
    ("zh-CHS", "zh_CN"),
    ("中文", "zh_CN"),
    // countries where Salesforce has the language not
    ("nl-DE", "nl_NL"),
    ("en-DE", "en_GB"),
    ("en-NL", "en_GB"),
    ("en-PR", "en_US"),
    ("fr-NL", "fr_FR"),
    ("pt-CH", "pt_PT"),
    ("ru-UA", "ru_RU"),
    // the world and its parts
    ("es-419", "es_MX"),
    ("en-001", "en_GB"),
    ("en-150", "en_GB"),
    // the only one there is
    ("yo-NG", "yo_BJ"),
    ("nn-NO", "no_NO"),
];

const UNKNOWN: [&str; 12] =
    ["xx-YY", "tlh", "C", "POSIX", "C.UTF-8", "Amsterdam", "1043", "-", "_", "nl--", "🦄", "x-none"];

#[test]
fn spellings_of_the_same_locale_need_no_note() {
    for (sent, expected) in SAME {
        assert_eq!(standard(sent), same(expected), "{sent}");
    }
}

#[test]
fn the_nearest_locale_is_noted() {
    for (sent, expected) in NEAREST {
        assert_eq!(adapted(standard(sent)), (expected.to_owned(), NoteCode::LocaleAdapted), "{sent}");
    }
}

#[test]
fn what_is_no_locale_is_unknown() {
    for sent in UNKNOWN {
        assert_eq!(unknown(standard(sent)), NoteCode::LocaleDefaulted, "{sent}");
    }
}

#[test]
fn the_label_stands_for_the_value() {
    assert_eq!(standard("Dutch (Netherlands)"), same("nl_NL"));
    assert_eq!(standard("dutch (belgium)"), same("nl_BE"));
}

#[test]
fn the_orgs_own_list_decides() {
    let old = offering("LocaleSidKey", &["nl", "en_US", "he_IL"]);
    assert_eq!(
        locale("nl", Picklist::Org(&old)),
        same("nl"),
        "an org without ICU formats has languages alone"
    );
    assert_eq!(adapted(locale("nl-BE", Picklist::Org(&old))).0, "nl");
    assert_eq!(locale("iw-IL", Picklist::Org(&old)), same("he_IL"), "should Salesforce change the code");
    assert_eq!(unknown(locale("de-DE", Picklist::Org(&old))), NoteCode::LocaleDefaulted);
}
