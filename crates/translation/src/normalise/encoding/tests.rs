use super::*;
use crate::normalise::tests::{adapted, offering, same, unknown};

#[test]
fn names_of_encodings() {
    let encoding = |text| encoding(text, Picklist::standard("EmailEncodingKey"));
    for (sent, expected) in [
        ("UTF-8", "UTF-8"),
        ("utf-8", "UTF-8"),
        ("iso-8859-1", "ISO-8859-1"),
        ("SHIFT_JIS", "Shift_JIS"),
        ("Unicode (UTF-8)", "UTF-8"),
    ] {
        assert_eq!(encoding(sent), same(expected), "{sent}");
    }
    for (sent, expected) in [
        ("utf8", "UTF-8"),
        ("latin1", "ISO-8859-1"),
        ("ISO_8859-1", "ISO-8859-1"),
        ("sjis", "Shift_JIS"),
        ("Windows-31J", "Shift_JIS"),
        ("JIS", "ISO-2022-JP"),
        ("eucJP", "EUC-JP"),
        ("EUC-KR", "ks_c_5601-1987"),
        ("big5 hkscs", "Big5-HKSCS"),
        ("EUC-CN", "GB2312"),
    ] {
        assert_eq!(adapted(encoding(sent)), (expected.to_owned(), NoteCode::EncodingAdapted), "{sent}");
    }
    for sent in ["KOI8-R", "windows-1252", "?", "utf-9"] {
        assert_eq!(unknown(encoding(sent)), NoteCode::EncodingDefaulted, "{sent}");
    }
}

#[test]
fn the_orgs_own_list_decides() {
    let field = offering("EmailEncodingKey", &["ISO-8859-1"]);
    assert_eq!(unknown(encoding("utf8", Picklist::Org(&field))), NoteCode::EncodingDefaulted);
}
