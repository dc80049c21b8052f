//! Language tags: BCP 47 (`nl-NL`, `zh-Hans`), POSIX (`nl_NL.UTF-8@euro`), Salesforce's own (`iw_IL`), and lists of them
//! as in HTTP's `Accept-Language`, which is the form of SCIM's `preferredLanguage` (RFC 7643 §4.1.1).

use unic_langid::LanguageIdentifier;

use super::{Picklist, country};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// In today's code, such as `he` for `iw`.
    language: String,
    /// Such as `Hant`.
    script: Option<String>,
    /// Such as `NL` or `419`.
    region: Option<String>,
}

/// What an entry of a picklist is to be: a locale has a country, a language only where it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Locale,
    Language,
}

/// Codes that changed, as (today's, then the ones that Salesforce or an identity tool may still use).
const SPELLINGS: [(&str, &[&str]); 8] = [
    ("he", &["iw"]),
    ("id", &["in"]),
    ("yi", &["ji"]),
    ("fil", &["tl"]),
    ("nb", &["no"]),
    ("ro", &["mo"]),
    ("zh", &["cmn"]),
    ("jv", &["jw"]),
];

/// Languages by what directories hold in the place of their code: ISO 639-2 (both forms), and the name in English and in
/// the language itself. No name is a code of another language.
const NAMES: [(&str, &[&str]); 37] = [
    ("ar", &["ara", "arabic", "العربية"]),
    ("bg", &["bul", "bulgarian", "български"]),
    ("ca", &["cat", "catalan", "català"]),
    ("cs", &["ces", "cze", "czech", "čeština"]),
    ("da", &["dan", "danish", "dansk"]),
    ("de", &["deu", "ger", "german", "deutsch"]),
    ("el", &["ell", "gre", "greek", "ελληνικά"]),
    ("en", &["eng", "english"]),
    ("es", &["spa", "spanish", "español", "castellano"]),
    ("et", &["est", "estonian", "eesti"]),
    ("eu", &["eus", "baq", "basque", "euskara"]),
    ("fi", &["fin", "finnish", "suomi"]),
    ("fil", &["tgl", "filipino", "tagalog"]),
    ("fr", &["fra", "fre", "french", "français"]),
    ("ga", &["gle", "irish", "gaeilge"]),
    ("he", &["heb", "hebrew", "עברית"]),
    ("hr", &["hrv", "croatian", "hrvatski"]),
    ("hu", &["hun", "hungarian", "magyar"]),
    ("id", &["ind", "indonesian", "bahasa indonesia"]),
    ("it", &["ita", "italian", "italiano"]),
    ("ja", &["jpn", "japanese", "日本語"]),
    ("ko", &["kor", "korean", "한국어"]),
    ("lt", &["lit", "lithuanian", "lietuvių"]),
    ("lv", &["lav", "latvian", "latviešu"]),
    ("nb", &["nob", "nor", "norwegian", "norsk"]),
    ("nl", &["nld", "dut", "dutch", "nederlands", "flemish", "vlaams"]),
    ("pl", &["pol", "polish", "polski"]),
    ("pt", &["por", "portuguese", "português"]),
    ("ro", &["ron", "rum", "romanian", "română"]),
    ("ru", &["rus", "russian", "русский"]),
    ("sk", &["slk", "slo", "slovak", "slovenčina"]),
    ("sl", &["slv", "slovenian", "slovenščina"]),
    ("sr", &["srp", "serbian", "српски"]),
    ("sv", &["swe", "swedish", "svenska"]),
    ("tr", &["tur", "turkish", "türkçe"]),
    ("uk", &["ukr", "ukrainian", "українська"]),
    ("zh", &["zho", "chi", "chinese", "中文"]),
];

/// The country that CLDR's likely subtags give for a language; where Salesforce has no such locale, the one it has.
const MAIN_COUNTRIES: &str = "af_ZA am_ET ar_EG az_AZ be_BY bg_BG bn_BD bs_BA ca_ES cs_CZ cy_GB da_DK de_DE dz_BT el_GR en_US es_ES \
    et_EE eu_ES fa_IR fi_FI fil_PH fr_FR ga_IE gu_IN haw_US he_IL hi_IN hr_HR ht_HT hu_HU hy_AM id_ID is_IS \
    it_IT ja_JP ka_GE kk_KZ kl_GL km_KH kn_IN ko_KR ky_KG lb_LU lo_LA lt_LT lu_CD lv_LV mi_NZ mk_MK ml_IN \
    mr_IN ms_MY mt_MT my_MM nb_NO ne_NP nl_NL nn_NO pa_IN pl_PL ps_AF pt_BR rm_CH rn_BI ro_RO ru_RU sh_RS \
    sk_SK sl_SI sm_WS so_SO sq_AL sr_RS sv_SE sw_KE ta_IN te_IN tg_TJ th_TH ti_ET tr_TR uk_UA ur_PK uz_UZ \
    vi_VN xh_ZA yi_UA yo_BJ yue_HK zh_CN zu_ZA gl_ES hmn_CN mn_MN si_LK";

/// Where English is written as in the United States; elsewhere CLDR's parent is `en-001`, to which `en-GB` is nearest.
const AMERICAN_ENGLISH: [&str; 8] = ["US", "AS", "GU", "MP", "PR", "UM", "VI", "PH"];
/// Where Spanish has CLDR's parent `es-419`, to which `es-MX` is nearest.
const AMERICAN_SPANISH: [&str; 22] = [
    "419", "AR", "BO", "BR", "BZ", "CL", "CO", "CR", "CU", "DO", "EC", "GT", "HN", "MX", "NI", "PA", "PE",
    "PR", "PY", "SV", "US", "UY",
];

impl Tag {
    /// The tags in a text, the most wanted first.
    pub(crate) fn list(text: &str) -> Vec<Self> {
        let mut ranges: Vec<(&str, f32)> = text
            .split(',')
            .map(|range| match range.split_once(';') {
                Some((tag, weight)) => {
                    let weight = weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok());
                    (tag, weight.unwrap_or(1.0))
                }
                None => (range, 1.0),
            })
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        // A stable sort: equal weights stay in the order in which they were sent.
        ranges.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranges.into_iter().filter_map(|(tag, _)| Self::parse(tag)).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, modifier) = text.trim().split_once('@').unwrap_or((text.trim(), ""));
        let text = text.split('.').next()?;
        let mut parts: Vec<&str> = text.split(['-', '_']).collect();
        // Extensions (`nl-NL-u-ca-gregory`) and private use say nothing that Salesforce could keep.
        if let Some(end) = parts.iter().position(|part| part.len() == 1) {
            parts.truncate(end);
        }
        if let Some(code) = named(parts.first()?) {
            parts[0] = code;
        }
        for part in &mut parts[1..] {
            *part = today(part);
        }
        // An extended language (`zh-yue-HK`) stands for itself (RFC 5646 §4.5).
        if parts.len() > 1 && parts[0].eq_ignore_ascii_case("zh") && is_letters(parts[1], 3) {
            parts.remove(0);
        }
        let id = identifier(&parts)?;
        if id.language.is_empty() {
            return None;
        }
        let mut tag = Self {
            language: id.language.as_str().to_owned(),
            script: id.script.map(|script| script.as_str().to_owned()),
            region: id.region.map(|region| region.as_str().to_owned()),
        };
        match modifier.to_ascii_lowercase().as_str() {
            "latin" => tag.script = Some("Latn".to_owned()),
            "cyrillic" => tag.script = Some("Cyrl".to_owned()),
            _ => {}
        }
        tag.modernise();
        Some(tag)
    }

    fn modernise(&mut self) {
        match self.language.as_str() {
            "sh" => {
                "sr".clone_into(&mut self.language);
                self.script.get_or_insert_with(|| "Latn".to_owned());
            }
            "mo" => {
                self.region.get_or_insert_with(|| "MD".to_owned());
            }
            "yue" => {
                self.region.get_or_insert_with(|| "HK".to_owned());
                "zh".clone_into(&mut self.language);
            }
            _ => {}
        }
        if let Some((modern, _)) = SPELLINGS.iter().find(|(_, old)| old.contains(&self.language.as_str())) {
            (*modern).clone_into(&mut self.language);
        }
        // `UK` is reserved for `GB` and widely written.
        if self.region.as_deref() == Some("UK") {
            self.region = Some("GB".to_owned());
        }
    }

    /// The value of the picklist that is nearest to the tag, and whether it means the same.
    pub(crate) fn nearest<'p>(&self, want: Want, picklist: Picklist<'p>) -> Option<(&'p str, bool)> {
        let found =
            self.candidates(want).iter().find_map(|candidate| picklist.find(candidate)).or_else(|| {
                // Whatever there is of the language, such as `yo_BJ` for `yo-NG`.
                let of_language = self.spellings().map(|spelling| format!("{spelling}_")).collect::<Vec<_>>();
                picklist.first(|value, _| of_language.iter().any(|start| starts_with(value, start)))
            })?;
        Some((found, self.means_the_same(want, found)))
    }

    /// What to look for, in this order.
    fn candidates(&self, want: Want) -> Vec<String> {
        let mut candidates = Vec::new();
        let spellings: Vec<&str> = self.spellings().collect();
        if let Some(region) = &self.region {
            if let Some(script) = &self.script {
                candidates.extend(spellings.iter().map(|language| format!("{language}_{script}_{region}")));
            }
            candidates.extend(spellings.iter().map(|language| format!("{language}_{region}")));
        }
        if self.is_latin_serbian() && want == Want::Language {
            candidates.push("sh".to_owned());
        }
        for region in self.stand_ins() {
            candidates.extend(spellings.iter().map(|language| format!("{language}_{region}")));
        }
        let bare = spellings.iter().map(|language| (*language).to_owned());
        let main: Vec<String> = main_country(&self.language)
            .map(|region| {
                let with_script = format!("{}_LATN_{region}", self.language);
                spellings.iter().map(|language| format!("{language}_{region}")).chain([with_script]).collect()
            })
            .unwrap_or_default();
        match want {
            Want::Locale => candidates.extend(main.into_iter().chain(bare)),
            Want::Language => candidates.extend(bare.chain(main)),
        }
        candidates
    }

    /// Every code of the language, the ones of Salesforce first. Latin Serbian was `sh`.
    fn spellings(&self) -> impl Iterator<Item = &str> {
        let old =
            SPELLINGS.iter().find(|(modern, _)| *modern == self.language).map_or(&[][..], |(_, old)| old);
        let latin_serbian = self.is_latin_serbian().then_some("sh");
        let nynorsk = (self.language == "nn").then_some("no");
        latin_serbian.into_iter().chain(old.iter().copied()).chain([self.language.as_str()]).chain(nynorsk)
    }

    fn is_latin_serbian(&self) -> bool {
        self.language == "sr" && self.script.as_deref() == Some("Latn")
    }

    /// The regions whose form of the language is nearest, for languages that have several (CLDR, parent locales).
    fn stand_ins(&self) -> &'static [&'static str] {
        let region = self.region.as_deref();
        match self.language.as_str() {
            "en" if region.is_none_or(|region| AMERICAN_ENGLISH.contains(&region)) => &["US"],
            "en" => &["GB", "US"],
            "es" if region.is_some_and(|region| AMERICAN_SPANISH.contains(&region)) => &["MX"],
            "pt" if region.is_none_or(|region| region == "BR") => &["BR", "PT"],
            "pt" => &["PT", "BR"],
            "zh" if self.is_traditional_chinese() => &["TW", "HK"],
            "zh" => &["CN"],
            _ => &[],
        }
    }

    fn is_traditional_chinese(&self) -> bool {
        match self.script.as_deref() {
            Some(script) => script == "Hant",
            None => matches!(self.region.as_deref(), Some("TW" | "HK" | "MO")),
        }
    }

    /// Whether a value of the picklist says no less and no more than the tag.
    fn means_the_same(&self, want: Want, value: &str) -> bool {
        let Some(found) = Self::parse(value) else { return false };
        if want == Want::Locale && self.region.is_none() {
            return false;
        }
        found.language == self.language
            && found.likely_region() == self.likely_region()
            && (found.script == self.script || !self.is_latin_serbian())
    }

    fn likely_region(&self) -> Option<&str> {
        if self.region.is_none() && self.language == "zh" && self.is_traditional_chinese() {
            return Some("TW");
        }
        self.region.as_deref().or_else(|| main_country(&self.language))
    }
}

/// The code of a language by its name or its longer code.
fn named(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&text.as_str())).map(|(code, _)| *code)
}

/// Parts that Windows wrote before there were codes for scripts, and countries by three letters.
fn today(part: &str) -> &str {
    match part.to_ascii_uppercase().as_str() {
        "CHS" => "Hans",
        "CHT" => "Hant",
        _ if is_letters(part, 3) => country::known(part).map_or(part, |country| country.alpha2),
        _ => part,
    }
}

/// The language that the parts name. What Java puts at the end (`no_NO_NY`, `ja_JP_JP`) says nothing that Salesforce could keep.
fn identifier(parts: &[&str]) -> Option<LanguageIdentifier> {
    let is_part =
        |part: &&str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if !parts.iter().all(is_part) {
        return None;
    }
    (1..=parts.len()).rev().find_map(|length| parts[..length].join("-").parse().ok())
}

fn main_country(language: &str) -> Option<&'static str> {
    MAIN_COUNTRIES
        .split(' ')
        .filter_map(|pair| pair.split_once('_'))
        .find(|(known, _)| *known == language)
        .map(|(_, country)| country)
}

fn is_letters(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}
