//! `timezone`: from IANA names of any age, Windows names, display strings and offsets to `TimeZoneSidKey`.

use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, tz::Offset};

use super::{Normalised, Picklist};
use crate::note::NoteCode;

/// The value for `TimeZoneSidKey`.
///
/// Taken as they are: names that the org offers, in any case. With a note: other names of the same zone, Windows names,
/// display strings (`(UTC+01:00) Amsterdam, Berlin, ...`), cities, UTC, offsets that only one place has, and, where the
/// org does not offer the zone, one of the same continent that keeps the same time all year. An offset such as `+01:00`
/// is shared by places whose clocks differ in summer, and is unknown.
pub(super) fn timezone(text: &str, picklist: Picklist<'_>) -> Normalised {
    if let Some(value) = picklist.find(text) {
        return Normalised::Value(value.to_owned());
    }
    let found = named(text)
        .or_else(|| displayed(text))
        .or_else(|| offset(text))
        .and_then(|zone| offered(zone, picklist));
    match found {
        Some(value) => Normalised::Adapted(
            value.to_owned(),
            NoteCode::TimezoneAdapted,
            format!("the time zone `{text}` is `{value}` in this org"),
        ),
        None => Normalised::Unknown(
            NoteCode::TimezoneDefaulted,
            format!("`{text}` is no time zone that this org offers"),
        ),
    }
}

/// One line of a table: the zone's name today, then its other names.
type Table = LazyLock<Vec<Vec<&'static str>>>;

static ALIASES: Table = LazyLock::new(|| read(include_str!("../../data/timezone_aliases.tsv")));
static CLOCKS: Table = LazyLock::new(|| read(include_str!("../../data/timezone_clocks.tsv")));
static WINDOWS: Table = LazyLock::new(|| read(include_str!("../../data/windows_zones.tsv")));

fn read(text: &'static str) -> Vec<Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect()
}

/// What Windows shows for a zone where it names no city, and the Windows name it stands for.
const SHOWN: [(&str, &str); 32] = [
    ("Alaska", "Alaskan Standard Time"),
    ("Arizona", "US Mountain Standard Time"),
    ("Atlantic Time (Canada)", "Atlantic Standard Time"),
    ("Baja California", "Pacific Standard Time (Mexico)"),
    ("Cabo Verde Is.", "Cape Verde Standard Time"),
    ("Central America", "Central America Standard Time"),
    ("Central European Time", "W. Europe Standard Time"),
    ("Central Time", "Central Standard Time"),
    ("Central Time (US & Canada)", "Central Standard Time"),
    ("Coordinated Universal Time", "UTC"),
    ("Eastern European Time", "FLE Standard Time"),
    ("Eastern Time", "Eastern Standard Time"),
    ("Eastern Time (US & Canada)", "Eastern Standard Time"),
    ("Greenland", "Greenland Standard Time"),
    ("Greenwich Mean Time", "UTC"),
    ("Hawaii", "Hawaiian Standard Time"),
    ("Indiana (East)", "US Eastern Standard Time"),
    ("International Date Line West", ""),
    ("Marquesas Islands", "Marquesas Standard Time"),
    ("Microsoft/Utc", "UTC"),
    ("Mountain Time", "Mountain Standard Time"),
    ("Mountain Time (US & Canada)", "Mountain Standard Time"),
    ("Newfoundland", "Newfoundland Standard Time"),
    ("Nuku'alofa", "Tonga Standard Time"),
    ("Pacific Time", "Pacific Standard Time"),
    ("Pacific Time (US & Canada)", "Pacific Standard Time"),
    ("Salvador", "Bahia Standard Time"),
    ("Samoa", "Samoa Standard Time"),
    ("Saskatchewan", "Canada Central Standard Time"),
    ("Solomon Is., New Caledonia", "Central Pacific Standard Time"),
    ("West Central Africa", "W. Central Africa Standard Time"),
    ("Yukon", "Yukon Standard Time"),
];

/// Zones of IANA that are named by a rule, and the place that keeps it (`backward`, since 2024b). `EST`, `MST` and `PST` are
/// not among them: IANA's have no summer, and people mean others.
const RULES: [(&str, &str); 9] = [
    ("CET", "Europe/Brussels"),
    ("CST6CDT", "America/Chicago"),
    ("EET", "Europe/Athens"),
    ("EST5EDT", "America/New_York"),
    ("HST", "Pacific/Honolulu"),
    ("MET", "Europe/Brussels"),
    ("MST7MDT", "America/Denver"),
    ("PST8PDT", "America/Los_Angeles"),
    ("WET", "Europe/Lisbon"),
];

/// The offsets that one place alone has, in minutes. Places with the same offset all year still differ in name and
/// history, so where there are several countries an offset does not decide.
const LONE_OFFSETS: [(i32, &str); 11] = [
    (-9 * 60 - 30, "Pacific/Marquesas"),
    (-3 * 60 - 30, "America/St_Johns"),
    (-2 * 60 - 30, "America/St_Johns"),
    (3 * 60 + 30, "Asia/Tehran"),
    (4 * 60 + 30, "Asia/Kabul"),
    (5 * 60 + 45, "Asia/Kathmandu"),
    (8 * 60 + 45, "Australia/Eucla"),
    (11 * 60 + 30, "Pacific/Norfolk"),
    (12 * 60 + 45, "Pacific/Chatham"),
    (13 * 60 + 45, "Pacific/Chatham"),
    (14 * 60, "Pacific/Kiritimati"),
];

/// The zone with this name: IANA's of any age, or Windows'.
fn named(text: &str) -> Option<&'static str> {
    let name = text.trim_start_matches(':').replace(' ', "_");
    let rule = || RULES.iter().find(|(rule, _)| rule.eq_ignore_ascii_case(text)).map(|(_, zone)| *zone);
    known(&name).or_else(|| windows(text)).or_else(rule)
}

/// IANA's name today for any of its names.
fn known(name: &str) -> Option<&'static str> {
    let is_name = |known: &&str| known.eq_ignore_ascii_case(name);
    let renamed = ALIASES.iter().find(|names| names.iter().any(is_name)).map(|names| names[0]);
    let listed = || Picklist::standard("TimeZoneSidKey").find(name);
    let elsewhere = || CLOCKS.iter().flatten().copied().find(is_name);
    renamed.or_else(listed).or_else(elsewhere)
}

fn windows(name: &str) -> Option<&'static str> {
    // The registry's names; a computer in summer may report the second of the pair.
    let name = name.replace("Daylight Time", "Standard Time").replace("Summer Time", "Standard Time");
    WINDOWS.iter().find(|row| row[0].eq_ignore_ascii_case(&name)).map(|row| row[1])
}

/// The zone of a display string such as `(UTC+01:00) Amsterdam, Berlin, Bern`, or of a city's name alone.
///
/// Of the places listed the first that names a zone decides; they all keep the same time. If an offset is stated, the
/// zone must have it at some time of the year: `(UTC-07:00) La Paz, Mazatlan` does not mean Bolivia.
fn displayed(text: &str) -> Option<&'static str> {
    let (stated, places) = match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((stated, places)) => (Some(minutes(stated)?), places.trim()),
        None => (None, text),
    };
    // Exchange marks what is no name of Windows: `tzone://Microsoft/Utc`.
    let places = places.strip_prefix("tzone://").unwrap_or(places);
    // Salesforce's own labels end in the key: `(GMT+02:00) Central European Summer Time (Europe/Amsterdam)`.
    if let Some(key) =
        places.strip_suffix(')').and_then(|label| label.rsplit_once('(')).and_then(|(_, key)| named(key))
    {
        return Some(key);
    }
    let shown =
        SHOWN.iter().find(|(shown, _)| shown.eq_ignore_ascii_case(places)).map(|(_, windows)| *windows);
    let fits = |zone: &&str| stated.is_none_or(|stated| has_offset(zone, stated));
    shown
        .and_then(windows)
        .or_else(|| windows(places))
        .or_else(|| places.split(',').find_map(|place| city(place, fits)))
}

/// The zone whose name ends in this place.
fn city(place: &str, fits: impl Fn(&&'static str) -> bool) -> Option<&'static str> {
    let place = place.trim().replace(' ', "_");
    if place.is_empty() || place.contains('/') {
        return None;
    }
    let Picklist::Standard(zones) = Picklist::standard("TimeZoneSidKey") else { return None };
    let names = zones.iter().map(|(zone, _)| *zone).chain(ALIASES.iter().flatten().copied());
    names
        .filter(|name| name.rsplit_once('/').is_some_and(|(_, last)| last.eq_ignore_ascii_case(&place)))
        .find_map(|name| known(name).filter(&fits))
}

/// Whether the zone's clock shows the offset in January or in July.
fn has_offset(zone: &str, minutes: i32) -> bool {
    const JANUARY: i64 = 1_736_899_200;
    const JULY: i64 = 1_752_537_600;
    let (Ok(zone), Ok(offset)) = (TimeZoneDatabase::bundled().get(zone), Offset::from_seconds(minutes * 60))
    else {
        return false;
    };
    [JANUARY, JULY]
        .into_iter()
        .filter_map(|second| Timestamp::from_second(second).ok())
        .any(|time| zone.to_offset(time) == offset)
}

/// The zone of an offset such as `+05:45`, `UTC+5:45` or `Etc/GMT-14`, where only one place has it.
fn offset(text: &str) -> Option<&'static str> {
    // In POSIX style, which `Etc/GMT-14` follows, the sign is the other way round.
    let minutes = match text.get(..8) {
        Some(etc) if etc.eq_ignore_ascii_case("Etc/GMT-") || etc.eq_ignore_ascii_case("Etc/GMT+") => {
            -minutes(&text["Etc/".len()..])?
        }
        _ => minutes(text)?,
    };
    LONE_OFFSETS.iter().find(|(lone, _)| *lone == minutes).map(|(_, zone)| *zone)
}

/// The minutes of `UTC+01:00`, `GMT-3`, `+0545`; `UTC` is 0. A bare `+00:00` is 0 too, but no zone is looked up by it.
fn minutes(text: &str) -> Option<i32> {
    let text = text.trim();
    let rest = match text.get(..3) {
        Some(name) if name.eq_ignore_ascii_case("UTC") || name.eq_ignore_ascii_case("GMT") => &text[3..],
        _ => text,
    };
    let rest = rest.trim();
    if rest.is_empty() {
        return (!text.is_empty()).then_some(0);
    }
    let (sign, digits) = match rest.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, rest.strip_prefix(['-', '−'])?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |digits: &str, most: i32| {
        let short = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        short.then(|| digits.parse::<i32>().ok()).flatten().filter(|number| *number <= most)
    };
    Some(sign * (number(hours, 14)? * 60 + number(minutes, 59)?))
}

/// The org's own name for a zone, or one that keeps the same time.
fn offered<'p>(zone: &'static str, picklist: Picklist<'p>) -> Option<&'p str> {
    let in_group = |table: &'static [Vec<&'static str>]| {
        table
            .iter()
            .find(|group| group.contains(&zone))
            .and_then(|group| group.iter().find_map(|name| picklist.find(name)))
    };
    picklist.find(zone).or_else(|| in_group(&ALIASES)).or_else(|| in_group(&CLOCKS))
}

#[cfg(test)]
mod tests;
