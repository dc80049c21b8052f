//! Date literals such as `TODAY` and `LAST_N_DAYS:30` (SOQL and SOSL Reference, "Date Formats and
//! Date Literals"). Fiscal literals are not here.

use jiff::{Span, ToSpan, civil::Date};

/// The days that a literal names, from the first to before the second, seen from `today`.
pub(super) fn range(literal: &str, today: Date) -> Option<(Date, Date)> {
    let (name, number) = match literal.split_once(':') {
        Some((name, number)) => (name, Some(number.parse::<i32>().ok().filter(|n| (0..=9_999).contains(n))?)),
        None => (literal, None),
    };
    let name = name.to_ascii_uppercase();
    let tomorrow = today.tomorrow().ok()?;
    match (name.as_str(), number) {
        ("TODAY", None) => return Some((today, tomorrow)),
        ("YESTERDAY", None) => return Some((today.yesterday().ok()?, today)),
        ("TOMORROW", None) => return Some((tomorrow, tomorrow.tomorrow().ok()?)),
        ("LAST_90_DAYS", None) => return Some((plus(today, -90, "DAYS")?, tomorrow)),
        ("NEXT_90_DAYS", None) => return Some((tomorrow, plus(tomorrow, 90, "DAYS")?)),
        _ => {}
    }
    if let Some(number) = number {
        if let Some(unit) = name.strip_suffix("_AGO").and_then(|name| name.strip_prefix("N_")) {
            let start = plus(start(today, unit)?, -number, unit)?;
            return Some((start, plus(start, 1, unit)?));
        }
        let (next, unit) = match name.strip_prefix("NEXT_N_") {
            Some(unit) => (true, unit),
            None => (false, name.strip_prefix("LAST_N_")?),
        };
        let this = start(today, unit)?;
        return if next {
            let from = plus(this, 1, unit)?;
            Some((from, plus(from, number, unit)?))
        } else if unit == "DAYS" {
            // Today counts, as the reference says.
            Some((plus(this, -number, unit)?, tomorrow))
        } else {
            Some((plus(this, -number, unit)?, this))
        };
    }
    let (by, unit) = match name.split_once('_')? {
        ("LAST", unit) => (-1, unit),
        ("THIS", unit) => (0, unit),
        ("NEXT", unit) => (1, unit),
        _ => return None,
    };
    let unit = format!("{unit}S");
    let from = plus(start(today, &unit)?, by, &unit)?;
    Some((from, plus(from, 1, &unit)?))
}

/// The first day of the week, month, quarter or year of `date`. Weeks begin on Sunday.
fn start(date: Date, unit: &str) -> Option<Date> {
    match unit {
        "DAYS" => Some(date),
        "WEEKS" => date.checked_sub(i64::from(date.weekday().to_sunday_zero_offset()).days()).ok(),
        "MONTHS" => Some(date.first_of_month()),
        "QUARTERS" => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).ok(),
        "YEARS" => Some(date.first_of_year()),
        _ => None,
    }
}

fn plus(date: Date, number: i32, unit: &str) -> Option<Date> {
    let span = match unit {
        "DAYS" => Span::new().try_days(number),
        "WEEKS" => Span::new().try_weeks(number),
        "MONTHS" => Span::new().try_months(number),
        "QUARTERS" => Span::new().try_months(number * 3),
        "YEARS" => Span::new().try_years(number),
        _ => return None,
    };
    date.checked_add(span.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn literals_name_days() {
        let today = date(2026, 5, 14); // a Thursday
        for (literal, from, to) in [
            ("TODAY", date(2026, 5, 14), date(2026, 5, 15)),
            ("yesterday", date(2026, 5, 13), date(2026, 5, 14)),
            ("THIS_WEEK", date(2026, 5, 10), date(2026, 5, 17)),
            ("LAST_MONTH", date(2026, 4, 1), date(2026, 5, 1)),
            ("THIS_QUARTER", date(2026, 4, 1), date(2026, 7, 1)),
            ("NEXT_YEAR", date(2027, 1, 1), date(2028, 1, 1)),
            ("LAST_N_DAYS:3", date(2026, 5, 11), date(2026, 5, 15)),
            ("NEXT_N_MONTHS:2", date(2026, 6, 1), date(2026, 8, 1)),
            ("N_DAYS_AGO:1", date(2026, 5, 13), date(2026, 5, 14)),
        ] {
            assert_eq!(range(literal, today), Some((from, to)), "{literal}");
        }
        for literal in ["SOMEDAY", "LAST_N_DAYS", "LAST_N_DAYS:x", "LAST_N_EONS:3", "TODAY:1", "", ":"] {
            assert_eq!(range(literal, today), None, "{literal}");
        }
    }
}
