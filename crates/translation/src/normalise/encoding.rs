//! `encoding`: from the name of a character set to `EmailEncodingKey`.

use super::{Normalised, Picklist};
use crate::note::NoteCode;

/// Other names of Salesforce's encodings (IANA character sets, and what Windows and Java call them), without case and
/// punctuation.
const NAMES: [(&str, &[&str]); 10] = [
    ("UTF-8", &["utf8", "unicode", "unicode11utf8", "cp65001", "65001"]),
    ("ISO-8859-1", &["iso88591", "latin1", "isolatin1", "l1", "ibm819", "cp819", "28591"]),
    ("Shift_JIS", &["shiftjis", "sjis", "mskanji", "windows31j", "ms932", "cp932", "932"]),
    ("ISO-2022-JP", &["iso2022jp", "jis", "csiso2022jp", "50220"]),
    ("EUC-JP", &["eucjp", "xeucjp", "ujis", "51932"]),
    ("x-SJIS_0213", &["xsjis0213", "sjis0213", "shiftjis2004", "shiftjisx0213"]),
    ("ks_c_5601-1987", &["ksc56011987", "ksc5601", "korean", "euckr", "cp949", "ms949", "949"]),
    ("Big5", &["big5", "cnbig5", "cp950", "950"]),
    ("GB2312", &["gb2312", "euccn", "gb231280", "cp936", "936"]),
    ("Big5-HKSCS", &["big5hkscs", "xbig5hkscs", "ms950hkscs"]),
];

/// The value for `EmailEncodingKey`: the same encoding by Salesforce's name for it.
pub(super) fn encoding(text: &str, picklist: Picklist<'_>) -> Normalised {
    if let Some(value) = picklist.find(text).or_else(|| picklist.labelled(text)) {
        return Normalised::Value(value.to_owned());
    }
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let named = NAMES.iter().find(|(_, names)| names.contains(&plain.as_str()));
    match named.and_then(|(value, _)| picklist.find(value)) {
        Some(value) => Normalised::Adapted(
            value.to_owned(),
            NoteCode::EncodingAdapted,
            format!("Salesforce calls the encoding `{text}` `{value}`"),
        ),
        None => Normalised::Unknown(
            NoteCode::EncodingDefaulted,
            format!("`{text}` is no e-mail encoding that this org offers"),
        ),
    }
}

#[cfg(test)]
mod tests;
