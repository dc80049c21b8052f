//! What real directories hold for locale, language and time zone, and what becomes of it in an org with the standard lists:
//! the org's own key, silently where it means the same and with a note where it does not.

use serde_json::json;

use crate::org::{World, notes, shown};

const RULES: &str = "\
    LocaleSidKey = { value = 'locale(user.title)', default = \"en_US\" }\n\
    LanguageLocaleKey = { value = 'language(user.title)', default = \"en_US\" }";

/// Sent; locale, and its note; language, and its note. `=` is no note, `~` adapted, `!` the default.
const LANGUAGES: &str = "
    # Entra, AD and Okta: BCP 47
    nl-NL           nl_NL =   nl_NL =
    nl-BE           nl_BE =   nl_NL ~
    en-US           en_US =   en_US =
    en-GB           en_GB =   en_US ~
    fr-CA           fr_CA =   fr    ~
    zh-Hant-TW      zh_TW =   zh_TW =
    zh-Hans-CN      zh_CN =   zh_CN =
    zh-Hant-HK      zh_HK =   zh_TW ~
    sr-Cyrl-RS      sr_RS =   en_US !
    es-419          es_MX ~   es_MX ~
    en-150          en_GB ~   en_US ~
    de-DE-1996      de_DE =   de    =
    nl-NL-x-home    nl_NL =   nl_NL =
    # a language alone
    nl              nl_NL ~   nl_NL =
    de              de_DE ~   de    =
    iw              iw_IL ~   en_US !
    he              iw_IL ~   en_US !
    in              in_ID ~   en_US !
    nb              no_NO ~   no    =
    # lists, as browsers send them
    nl,en;q=0.5     nl_NL ~   nl_NL =
    tlh,fr;q=0.1    fr_FR ~   fr    =
    # POSIX
    en_US.UTF-8     en_US =   en_US =
    nl_BE.utf8@euro nl_BE =   nl_NL ~
    de_CH.ISO8859-1 de_CH =   de    ~
    C               en_US !   en_US !
    POSIX           en_US !   en_US !
    # HR systems
    NLD             nl_NL ~   nl_NL =
    DUT             nl_NL ~   nl_NL =
    Dutch           nl_NL ~   nl_NL =
    Nederlands      nl_NL ~   nl_NL =
    ENG             en_US ~   en_US =
    nld-BEL         nl_BE =   nl_NL ~
    # Windows and Java
    zh-CHS          zh_CN ~   zh_CN =
    zh-CHT          zh_TW ~   zh_TW =
    es-ES_tradnl    es_ES =   es    =
    no_NO_NY        no_NO =   no    =
    # wrong
    x-none          en_US !   en_US !
    und             en_US !   en_US !
    xx-YY           en_US !   en_US !
    1043            en_US !   en_US !
    n/a             en_US !   en_US !
    ----            en_US !   en_US !
";

#[test]
fn languages_and_locales_end_in_the_orgs_own_keys_or_in_a_note() {
    let world = World::with_fields(RULES);
    let rows = LANGUAGES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let columns: Vec<&str> = row.split_whitespace().collect();
        let [sent, locale, locale_note, language, language_note] = columns[..] else { panic!("{row}") };
        let translation = world.create(json!({"userName": "u", "title": sent}));
        assert_eq!(translation.refusals, [], "{sent}");
        assert_eq!(
            shown(&translation),
            json!({"LocaleSidKey": locale, "LanguageLocaleKey": language}),
            "{sent}"
        );
        let mark = |field: &str, what: &str| {
            let found =
                notes(&translation).into_iter().find(|(noted, _)| noted == field).map(|(_, code)| code);
            match found {
                None => "=",
                Some(code) if code == format!("{what}-adapted") => "~",
                Some(code) if code == format!("{what}-defaulted") => "!",
                Some(code) => code,
            }
        };
        assert_eq!(mark("LocaleSidKey", "locale"), locale_note, "{sent}");
        assert_eq!(mark("LanguageLocaleKey", "language"), language_note, "{sent}");
    }
}

#[test]
fn nothing_gives_the_default_without_a_note_and_a_wrong_value_without_one_is_refused() {
    for nothing in ["", " ", "\u{a0}"] {
        let translation = World::with_fields(RULES).create(json!({"userName": "u", "title": nothing}));
        assert_eq!(
            shown(&translation),
            json!({"LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US"}),
            "{nothing:?}"
        );
        assert_eq!(translation.notes, [], "{nothing:?}");
    }
    for (rule, field) in [
        ("LocaleSidKey = 'locale(user.title)'", "LocaleSidKey"),
        ("LanguageLocaleKey = 'language(user.title)'", "LanguageLocaleKey"),
        ("TimeZoneSidKey = 'timezone(user.title)'", "TimeZoneSidKey"),
        ("EmailEncodingKey = 'encoding(user.title)'", "EmailEncodingKey"),
    ] {
        let translation = World::with_fields(rule).create(json!({"userName": "u", "title": "wrong"}));
        let [refusal] = translation.refusals.as_slice() else { panic!("{translation:?}") };
        assert_eq!((refusal.field.as_str(), refusal.attribute.as_deref()), (field, Some("title")));
        assert!(refusal.detail.contains("`wrong`"), "{}", refusal.detail);
    }
}

#[test]
fn time_zones_end_in_the_orgs_own_keys_or_in_a_note() {
    let world = World::with_fields("TimeZoneSidKey = { value = 'timezone(user.title)', default = \"GMT\" }");
    for (sent, expected, note) in [
        ("Europe/Amsterdam", "Europe/Amsterdam", None),
        ("W. Europe Standard Time", "Europe/Berlin", Some("timezone-adapted")),
        ("Romance Standard Time", "Europe/Paris", Some("timezone-adapted")),
        (
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "Europe/Amsterdam",
            Some("timezone-adapted"),
        ),
        ("Asia/Calcutta", "Asia/Kolkata", Some("timezone-adapted")),
        ("US/Eastern", "America/New_York", Some("timezone-adapted")),
        ("UTC", "GMT", Some("timezone-adapted")),
        ("Etc/UTC", "GMT", Some("timezone-adapted")),
        ("CET", "Europe/Brussels", Some("timezone-adapted")),
        ("+01:00", "GMT", Some("timezone-defaulted")),
        ("EST", "GMT", Some("timezone-defaulted")),
        ("Customized Time Zone", "GMT", Some("timezone-defaulted")),
        ("", "GMT", None),
    ] {
        let translation = world.create(json!({"userName": "u", "title": sent}));
        assert_eq!(shown(&translation), json!({ "TimeZoneSidKey": expected }), "{sent}");
        let found: Vec<&str> = notes(&translation).into_iter().map(|(_, code)| code).collect();
        assert_eq!(found, note.into_iter().collect::<Vec<_>>(), "{sent}");
    }
}
