//! `FORMAT()`: numbers and dates as the user's locale writes them.

use jiff::{Timestamp, civil::Date};

use super::viewer::Viewer;
use crate::cell::Cell;

/// How a locale writes: thousands, decimals, a date, a time.
struct Style {
    locales: &'static [&'static str],
    thousands: &'static str,
    decimal: &'static str,
    date: &'static str,
    datetime: &'static str,
}

/// The first that fits; a language stands for all its countries. What is not here is written as in
/// the United States.
const STYLES: [Style; 6] = [
    Style {
        locales: &["en_GB", "en_IE", "en_AU", "en_NZ", "en_ZA"],
        thousands: ",",
        decimal: ".",
        date: "%d/%m/%Y",
        datetime: "%d/%m/%Y, %H:%M",
    },
    Style { locales: &["nl"], thousands: ".", decimal: ",", date: "%d-%m-%Y", datetime: "%d-%m-%Y %H:%M" },
    Style {
        locales: &["de", "da", "nb", "no", "fi", "pl", "tr", "ru"],
        thousands: ".",
        decimal: ",",
        date: "%d.%m.%Y",
        datetime: "%d.%m.%Y, %H:%M",
    },
    Style {
        locales: &["fr"],
        thousands: "\u{202f}",
        decimal: ",",
        date: "%d/%m/%Y",
        datetime: "%d/%m/%Y %H:%M",
    },
    Style {
        locales: &["es", "it", "pt"],
        thousands: ".",
        decimal: ",",
        date: "%d/%m/%Y",
        datetime: "%d/%m/%Y, %H:%M",
    },
    Style {
        locales: &[""],
        thousands: ",",
        decimal: ".",
        date: "%-m/%-d/%Y",
        datetime: "%-m/%-d/%Y, %-I:%M %p",
    },
];

pub(super) fn localized(cell: &Cell, viewer: &Viewer) -> String {
    let locale = viewer.locale.as_str();
    let fits = |known: &&str| {
        known.is_empty()
            || locale == *known
            || locale.split('_').next().is_some_and(|language| language == *known)
    };
    let style = STYLES.iter().find(|style| style.locales.iter().any(fits)).unwrap_or(&STYLES[5]);
    match cell {
        Cell::Int(n) => number(&n.to_string(), style),
        Cell::Double(n) => number(&n.to_string(), style),
        Cell::Date(date) => written(*date, style),
        Cell::Time(at) => {
            let at = Timestamp::from_millisecond(*at).unwrap_or_default().to_zoned(viewer.zone.clone());
            at.strftime(style.datetime).to_string()
        }
        other => other.as_text().unwrap_or_default().to_owned(),
    }
}

fn written(date: Date, style: &Style) -> String {
    date.strftime(style.date).to_string()
}

fn number(plain: &str, style: &Style) -> String {
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            grouped.push_str(style.thousands);
        }
        grouped.push(digit);
    }
    let decimal = if fraction.is_empty() { "" } else { style.decimal };
    format!("{sign}{grouped}{decimal}{fraction}")
}

#[cfg(test)]
mod tests {
    use jiff::{civil::date, tz::TimeZone};

    use super::*;

    #[test]
    fn each_locale_writes_its_way() {
        for (locale, expected) in [
            ("en_US", ["1,234,567.5", "-12", "5/4/2026", "5/4/2026, 3:07 PM"]),
            ("en_GB", ["1,234,567.5", "-12", "04/05/2026", "04/05/2026, 15:07"]),
            ("nl_NL", ["1.234.567,5", "-12", "04-05-2026", "04-05-2026 15:07"]),
            ("de", ["1.234.567,5", "-12", "04.05.2026", "04.05.2026, 15:07"]),
        ] {
            let viewer = Viewer {
                user: crate::ids::Id::new("005", *b"00", 1),
                zone: TimeZone::UTC,
                locale: locale.into(),
                today: date(2026, 5, 4),
                fiscal_month: 1,
            };
            let at = date(2026, 5, 4).at(15, 7, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let cells = [
                Cell::Double(1_234_567.5),
                Cell::Int(-12),
                Cell::Date(date(2026, 5, 4)),
                Cell::Time(at.as_millisecond()),
            ];
            assert_eq!(cells.map(|cell| localized(&cell, &viewer)), expected, "{locale}");
        }
    }
}
