//! The functions of SOQL: aggregates, parts of dates, what is shown.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{format, viewer::Viewer};
use crate::{
    cell::Cell,
    schema::{Field, Kind},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Avg,
    /// 1 where the field is left out of a subtotal.
    Grouping,
    ToLabel,
    Format,
    ConvertTimezone,
    CalendarMonth,
    CalendarQuarter,
    CalendarYear,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    FiscalMonth,
    FiscalQuarter,
    FiscalYear,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

use Function as F;

const NAMES: [(&str, Function); 23] = [
    ("COUNT", F::Count),
    ("COUNT_DISTINCT", F::CountDistinct),
    ("MIN", F::Min),
    ("MAX", F::Max),
    ("SUM", F::Sum),
    ("AVG", F::Avg),
    ("GROUPING", F::Grouping),
    ("toLabel", F::ToLabel),
    ("FORMAT", F::Format),
    ("convertTimezone", F::ConvertTimezone),
    ("CALENDAR_MONTH", F::CalendarMonth),
    ("CALENDAR_QUARTER", F::CalendarQuarter),
    ("CALENDAR_YEAR", F::CalendarYear),
    ("DAY_IN_MONTH", F::DayInMonth),
    ("DAY_IN_WEEK", F::DayInWeek),
    ("DAY_IN_YEAR", F::DayInYear),
    ("DAY_ONLY", F::DayOnly),
    ("FISCAL_MONTH", F::FiscalMonth),
    ("FISCAL_QUARTER", F::FiscalQuarter),
    ("FISCAL_YEAR", F::FiscalYear),
    ("HOUR_IN_DAY", F::HourInDay),
    ("WEEK_IN_MONTH", F::WeekInMonth),
    ("WEEK_IN_YEAR", F::WeekInYear),
];

impl Function {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn is_aggregate(self) -> bool {
        matches!(self, F::Count | F::CountDistinct | F::Min | F::Max | F::Sum | F::Avg)
    }

    /// A part of a date: only grouped queries select it.
    pub(crate) fn is_date(self) -> bool {
        !self.is_aggregate() && !matches!(self, F::Grouping | F::ToLabel | F::Format | F::ConvertTimezone)
    }

    /// Whether values of this type can go in.
    pub(crate) fn takes(self, field: &Field) -> bool {
        match self {
            // "Support for Field Types in Aggregate Functions" of the SOQL reference.
            F::Count | F::CountDistinct | F::Min | F::Max => field.is_aggregatable(),
            F::Sum | F::Avg => matches!(field.kind, Kind::Int | Kind::Double),
            F::HourInDay | F::ConvertTimezone | F::DayOnly => field.kind == Kind::DateTime,
            F::ToLabel => field.kind.is_text() || field.kind == Kind::Reference,
            F::Format => matches!(field.kind, Kind::Int | Kind::Double | Kind::Date | Kind::DateTime),
            F::Grouping => true,
            _ => matches!(field.kind, Kind::Date | Kind::DateTime),
        }
    }

    /// The type of what comes out.
    pub(crate) fn result(self, of: Kind) -> Kind {
        match self {
            F::Min | F::Max | F::Sum | F::ToLabel | F::ConvertTimezone => of,
            F::Avg => Kind::Double,
            F::Format => Kind::Text,
            F::DayOnly => Kind::Date,
            _ => Kind::Int,
        }
    }

    /// The value of a function of one value; aggregates are computed where the groups are.
    pub(crate) fn apply(self, cell: Cell, field: &Field, viewer: &Viewer) -> Cell {
        if cell.is_null() {
            return cell;
        }
        match self {
            F::ToLabel => {
                let label = field.picklist.iter().find(|entry| cell.as_text() == Some(&entry.value));
                label.map_or(cell, |entry| Cell::text(&entry.label))
            }
            F::Format => Cell::text(&format::localized(&cell, viewer)),
            F::ConvertTimezone => match cell {
                Cell::Time(at) => Cell::Time(viewer.shifted(at)),
                other => other,
            },
            _ => self.of_date(&cell, viewer),
        }
    }

    fn of_date(self, cell: &Cell, viewer: &Viewer) -> Cell {
        let (date, hour) = match cell {
            Cell::Date(date) => (*date, 0),
            // In UTC, unless convertTimezone has moved it.
            Cell::Time(at) => {
                let at = Timestamp::from_millisecond(*at).unwrap_or_default().to_zoned(TimeZone::UTC);
                (at.date(), at.hour())
            }
            _ => return Cell::Null,
        };
        let number = match self {
            F::DayOnly => return Cell::Date(date),
            F::CalendarYear => i64::from(date.year()),
            F::CalendarMonth => i64::from(date.month()),
            F::CalendarQuarter => i64::from((date.month() - 1) / 3 + 1),
            F::DayInMonth => i64::from(date.day()),
            F::DayInWeek => i64::from(date.weekday().to_sunday_zero_offset()) + 1,
            F::DayInYear => i64::from(date.day_of_year()),
            F::HourInDay => i64::from(hour),
            F::WeekInMonth => i64::from((date.day() - 1) / 7 + 1),
            F::WeekInYear => i64::from((date.day_of_year() - 1) / 7 + 1),
            F::FiscalMonth => fiscal_month(date, viewer.fiscal_month),
            F::FiscalQuarter => (fiscal_month(date, viewer.fiscal_month) - 1) / 3 + 1,
            // A fiscal year has the name of the year in which it ends.
            F::FiscalYear => {
                let later = viewer.fiscal_month > 1 && date.month() >= viewer.fiscal_month;
                i64::from(date.year()) + i64::from(later)
            }
            _ => return Cell::Null,
        };
        Cell::Int(number)
    }
}

fn fiscal_month(date: Date, start: i8) -> i64 {
    i64::from((date.month() - start).rem_euclid(12) + 1)
}
