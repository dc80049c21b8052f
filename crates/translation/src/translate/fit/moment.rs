//! Dates, instants and times of the day, from the forms in which directories write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use jiff::{Timestamp, tz::Offset};
use serde_json::Value;

use super::{Fitted, Misfit, malformed, one};
use crate::note::{NoteCode, RefusalKind};

/// The years of Salesforce's calendar (SOAP API Developer Guide, "Primitive Data Types").
const YEARS: std::ops::RangeInclusive<i16> = 1700..=4000;

/// What a text says, as far as it says it.
struct Moment {
    date: Date,
    time: Option<Time>,
    offset: Option<Offset>,
}

/// `2026-01-31`, also from an instant: the day that its own clock showed.
pub(super) fn date(value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    let moment = read(&text).ok_or_else(|| malformed(format!("`{text}` is no date such as 2026-01-31")))?;
    check_year(moment.date, &text)?;
    let is_cut = moment.time.is_some_and(|time| time != Time::midnight());
    let note = is_cut.then(|| {
        (NoteCode::ValueRounded, format!("the field holds a day; of `{text}` it is {}", moment.date))
    });
    Ok(Fitted { value: Value::from(moment.date.to_string()), note })
}

/// `2026-01-31T12:00:00.000+0000`, in which Salesforce gives it back.
pub(super) fn instant(value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    let wrong = || malformed(format!("`{text}` is no date and time such as 2026-01-31T12:00:00Z"));
    let moment = read(&text).ok_or_else(wrong)?;
    check_year(moment.date, &text)?;
    let local = moment.date.to_datetime(moment.time.unwrap_or(Time::midnight()));
    let instant = moment.offset.unwrap_or(Offset::UTC).to_timestamp(local).map_err(|_| wrong())?;
    check_year(Offset::UTC.to_datetime(instant).date(), &text)?;
    let note = moment.offset.is_none().then(|| {
        (NoteCode::UtcAssumed, format!("`{text}` does not say in which time zone; it is taken for UTC"))
    });
    let value = Value::from(instant.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string());
    Ok(Fitted { value, note })
}

/// The instant that a text names; of a day its start. What says no time zone is in UTC.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let moment = read(text)?;
    let local = moment.date.to_datetime(moment.time.unwrap_or(Time::midnight()));
    moment.offset.unwrap_or(Offset::UTC).to_timestamp(local).ok()
}

/// `12:00:00.000Z`: Salesforce's times have no zone.
pub(super) fn time(value: &Value) -> Result<Fitted, Misfit> {
    let text = one(value)?;
    match text.trim().trim_end_matches('Z').parse::<Time>() {
        Ok(time) => Ok(Fitted::same(time.strftime("%H:%M:%S%.3fZ").to_string())),
        Err(_) => Err(malformed(format!("`{text}` is no time such as 12:00:00"))),
    }
}

fn check_year(date: Date, text: &str) -> Result<(), Misfit> {
    if YEARS.contains(&date.year()) {
        return Ok(());
    }
    let message = format!("`{text}` is not between the years {} and {}", YEARS.start(), YEARS.end());
    Err((RefusalKind::OutOfRange, message))
}

/// RFC 3339 and ISO 8601 with or without separators, LDAP's generalized time (RFC 4517 §3.3.13), and seconds or
/// milliseconds since 1970.
fn read(text: &str) -> Option<Moment> {
    let text = text.trim();
    let is_number = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        9..=13 if is_number => return since_1970(text.parse().ok()?),
        _ => {}
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let text = match digits {
        // `20260131120000Z`
        14 => format!("{}T{}", &text[..8], &text[8..]),
        // `2026-01-31 12:00:00.000000 +0000`
        _ => match text.split_once(' ') {
            Some((date, time)) => format!("{date}T{}", time.replace(' ', "")),
            None => text.to_owned(),
        },
    };
    // A time zone's name beside the offset would have to agree with it; none of the forms has one.
    if text.contains('[') {
        return None;
    }
    let pieces = Pieces::parse(&text).ok()?;
    Some(Moment { date: pieces.date(), time: pieces.time(), offset: pieces.to_numeric_offset() })
}

fn since_1970(number: i64) -> Option<Moment> {
    // Eleven digits of seconds reach the year 5138; so many milliseconds are over after three years.
    const MOST_SECONDS: i64 = 99_999_999_999;
    let instant = if number.abs() <= MOST_SECONDS {
        Timestamp::from_second(number)
    } else {
        Timestamp::from_millisecond(number)
    };
    let local: DateTime = Offset::UTC.to_datetime(instant.ok()?);
    Some(Moment { date: local.date(), time: Some(local.time()), offset: Some(Offset::UTC) })
}
