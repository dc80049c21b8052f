//! Date literals such as `TODAY` and `LAST_N_DAYS:30` (SOQL and SOSL Reference, "Date Formats and
//! Date Literals").

use jiff::{Span, ToSpan, civil::Date};

use super::viewer::Viewer;

/// The units of literals, by the name that stands in them; one as it stands in `THIS_WEEK`, many as in
/// `LAST_N_WEEKS:2`.
#[derive(Clone, Copy)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

const UNITS: [(&str, Unit); 7] = [
    ("DAY", Unit::Day),
    ("WEEK", Unit::Week),
    ("MONTH", Unit::Month),
    ("QUARTER", Unit::Quarter),
    ("YEAR", Unit::Year),
    ("FISCAL_QUARTER", Unit::FiscalQuarter),
    ("FISCAL_YEAR", Unit::FiscalYear),
];

/// A literal, taken apart.
enum Literal {
    /// Days from today on, and how many: `TODAY`, `LAST_90_DAYS`.
    Days(i32, i32),
    /// The unit that is so many after this one: `LAST_WEEK`, `N_WEEKS_AGO:3`.
    One(Unit, i32),
    Last(Unit, i32),
    Next(Unit, i32),
}

pub(super) fn is_literal(text: &str) -> bool {
    take_apart(text).is_some()
}

/// The days that a literal names, from the first to before the second.
pub(super) fn range(text: &str, viewer: &Viewer) -> Option<(Date, Date)> {
    let start = |unit| start(unit, viewer);
    match take_apart(text)? {
        Literal::Days(from, count) => {
            let from = plus(viewer.today, from, Unit::Day)?;
            Some((from, plus(from, count, Unit::Day)?))
        }
        Literal::One(unit, by) => {
            let from = plus(start(unit)?, by, unit)?;
            Some((from, plus(from, 1, unit)?))
        }
        // Today counts, as the reference says; of longer units the current one does not.
        Literal::Last(Unit::Day, count) => {
            Some((plus(viewer.today, -count, Unit::Day)?, viewer.today.tomorrow().ok()?))
        }
        Literal::Last(unit, count) => Some((plus(start(unit)?, -count, unit)?, start(unit)?)),
        Literal::Next(unit, count) => {
            let from = plus(start(unit)?, 1, unit)?;
            Some((from, plus(from, count, unit)?))
        }
    }
}

fn take_apart(text: &str) -> Option<Literal> {
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number.parse::<i32>().ok().filter(|n| (0..=9_999).contains(n))?)),
        None => (text, None),
    };
    let name = name.to_ascii_uppercase();
    let one = |unit: &str| UNITS.iter().find(|(known, _)| *known == unit).map(|(_, unit)| *unit);
    let many = |units: &str| one(units.strip_suffix('S')?);
    if let Some(number) = number {
        if let Some(unit) = name.strip_prefix("N_").and_then(|name| name.strip_suffix("_AGO")) {
            return Some(Literal::One(many(unit)?, -number));
        }
        return match (name.strip_prefix("LAST_N_"), name.strip_prefix("NEXT_N_")) {
            (Some(unit), _) => Some(Literal::Last(many(unit)?, number)),
            (_, Some(unit)) => Some(Literal::Next(many(unit)?, number)),
            _ => None,
        };
    }
    match name.as_str() {
        "TODAY" => return Some(Literal::Days(0, 1)),
        "YESTERDAY" => return Some(Literal::Days(-1, 1)),
        "TOMORROW" => return Some(Literal::Days(1, 1)),
        "LAST_90_DAYS" => return Some(Literal::Last(Unit::Day, 90)),
        "NEXT_90_DAYS" => return Some(Literal::Next(Unit::Day, 90)),
        _ => {}
    }
    let (by, unit) = match name.split_once('_')? {
        ("LAST", unit) => (-1, unit),
        ("THIS", unit) => (0, unit),
        ("NEXT", unit) => (1, unit),
        _ => return None,
    };
    // There is no THIS_DAY.
    one(unit).filter(|unit| !matches!(unit, Unit::Day)).map(|unit| Literal::One(unit, by))
}

/// The first day of the current unit.
fn start(unit: Unit, viewer: &Viewer) -> Option<Date> {
    let today = viewer.today;
    match unit {
        Unit::Day => Some(today),
        Unit::Week => {
            let into = viewer.first_weekday().until(today.weekday());
            today.checked_sub(i64::from(into).days()).ok()
        }
        Unit::Month => Some(today.first_of_month()),
        Unit::Quarter => today.first_of_month().checked_sub(i64::from((today.month() - 1) % 3).months()).ok(),
        Unit::Year => Some(today.first_of_year()),
        Unit::FiscalQuarter => {
            let into = (today.month() - viewer.fiscal_month).rem_euclid(12) % 3;
            today.first_of_month().checked_sub(i64::from(into).months()).ok()
        }
        Unit::FiscalYear => {
            let into = (today.month() - viewer.fiscal_month).rem_euclid(12);
            today.first_of_month().checked_sub(i64::from(into).months()).ok()
        }
    }
}

fn plus(date: Date, number: i32, unit: Unit) -> Option<Date> {
    let span = match unit {
        Unit::Day => Span::new().try_days(number),
        Unit::Week => Span::new().try_weeks(number),
        Unit::Month => Span::new().try_months(number),
        Unit::Quarter | Unit::FiscalQuarter => Span::new().try_months(number * 3),
        Unit::Year | Unit::FiscalYear => Span::new().try_years(number),
    };
    date.checked_add(span.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{civil::date, tz::TimeZone};

    use super::*;

    fn viewer(locale: &str, fiscal_month: i8) -> Viewer {
        // A Thursday.
        Viewer {
            user: crate::ids::Id::new("005", *b"00", 1),
            zone: TimeZone::UTC,
            locale: locale.into(),
            today: date(2026, 5, 14),
            fiscal_month,
        }
    }

    #[test]
    fn literals_name_days() {
        for (literal, from, to) in [
            ("TODAY", date(2026, 5, 14), date(2026, 5, 15)),
            ("yesterday", date(2026, 5, 13), date(2026, 5, 14)),
            ("TOMORROW", date(2026, 5, 15), date(2026, 5, 16)),
            ("THIS_WEEK", date(2026, 5, 10), date(2026, 5, 17)),
            ("LAST_WEEK", date(2026, 5, 3), date(2026, 5, 10)),
            ("LAST_MONTH", date(2026, 4, 1), date(2026, 5, 1)),
            ("LAST_90_DAYS", date(2026, 2, 13), date(2026, 5, 15)),
            ("NEXT_90_DAYS", date(2026, 5, 15), date(2026, 8, 13)),
            ("THIS_QUARTER", date(2026, 4, 1), date(2026, 7, 1)),
            ("NEXT_YEAR", date(2027, 1, 1), date(2028, 1, 1)),
            ("LAST_N_DAYS:3", date(2026, 5, 11), date(2026, 5, 15)),
            ("NEXT_N_DAYS:3", date(2026, 5, 15), date(2026, 5, 18)),
            ("LAST_N_WEEKS:2", date(2026, 4, 26), date(2026, 5, 10)),
            ("NEXT_N_MONTHS:2", date(2026, 6, 1), date(2026, 8, 1)),
            ("N_DAYS_AGO:1", date(2026, 5, 13), date(2026, 5, 14)),
            ("N_QUARTERS_AGO:1", date(2026, 1, 1), date(2026, 4, 1)),
            ("LAST_N_YEARS:1", date(2025, 1, 1), date(2026, 1, 1)),
            ("THIS_FISCAL_QUARTER", date(2026, 4, 1), date(2026, 7, 1)),
            ("N_FISCAL_YEARS_AGO:1", date(2025, 1, 1), date(2026, 1, 1)),
        ] {
            assert_eq!(range(literal, &viewer("en_US", 1)), Some((from, to)), "{literal}");
        }
        for literal in [
            "SOMEDAY",
            "LAST_N_DAYS",
            "LAST_N_DAYS:x",
            "LAST_N_EONS:3",
            "TODAY:1",
            "THIS_DAY",
            "LAST_N_WEEK:1",
            "",
            ":",
        ] {
            assert!(!is_literal(literal) && range(literal, &viewer("en_US", 1)).is_none(), "{literal}");
        }
    }

    #[test]
    fn weeks_begin_where_the_locale_says() {
        let monday = Some((date(2026, 5, 11), date(2026, 5, 18)));
        for locale in ["nl_NL", "en_GB", "de_DE_EURO"] {
            assert_eq!(range("THIS_WEEK", &viewer(locale, 1)), monday, "{locale}");
        }
        assert_eq!(range("THIS_WEEK", &viewer("ja_JP", 1)), Some((date(2026, 5, 10), date(2026, 5, 17))));
    }

    #[test]
    fn fiscal_years_begin_where_the_org_says() {
        let viewer = viewer("en_US", 2);
        assert_eq!(range("THIS_FISCAL_YEAR", &viewer), Some((date(2026, 2, 1), date(2027, 2, 1))));
        assert_eq!(range("THIS_FISCAL_QUARTER", &viewer), Some((date(2026, 5, 1), date(2026, 8, 1))));
        assert_eq!(range("LAST_N_FISCAL_QUARTERS:2", &viewer), Some((date(2025, 11, 1), date(2026, 5, 1))));
    }
}
