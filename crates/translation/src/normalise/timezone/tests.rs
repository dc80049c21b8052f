use super::*;
use crate::normalise::tests::{adapted, offering, same, unknown};

fn standard(text: &str) -> Normalised {
    timezone(text, Picklist::standard("TimeZoneSidKey"))
}

/// IANA names that Salesforce offers, in any case.
const SAME: [(&str, &str); 10] = [
    ("Europe/Amsterdam", "Europe/Amsterdam"),
    ("europe/amsterdam", "Europe/Amsterdam"),
    ("EUROPE/LONDON", "Europe/London"),
    ("America/New_York", "America/New_York"),
    ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("America/Indiana/Indianapolis", "America/Indiana/Indianapolis"),
    ("Asia/Kolkata", "Asia/Kolkata"),
    ("Pacific/Kiritimati", "Pacific/Kiritimati"),
    ("GMT", "GMT"),
    ("gmt", "GMT"),
];

/// Other names, and the zone that they mean.
const ADAPTED: [(&str, &str); 82] = [
    // IANA names that changed
    ("Asia/Calcutta", "Asia/Kolkata"),
    ("asia/saigon", "Asia/Ho_Chi_Minh"),
    ("Asia/Katmandu", "Asia/Kathmandu"),
    ("Europe/Kiev", "Europe/Kyiv"),
    ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("America/Indianapolis", "America/Indiana/Indianapolis"),
    ("America/Godthab", "America/Nuuk"),
    ("Atlantic/Faeroe", "Atlantic/Faroe"),
    ("US/Eastern", "America/New_York"),
    ("US/Pacific", "America/Los_Angeles"),
    ("Canada/Atlantic", "America/Halifax"),
    ("Brazil/East", "America/Sao_Paulo"),
    ("Japan", "Asia/Tokyo"),
    ("Singapore", "Asia/Singapore"),
    ("PRC", "Asia/Shanghai"),
    ("GB", "Europe/London"),
    ("NZ", "Pacific/Auckland"),
    ("Turkey", "Europe/Istanbul"),
    ("Australia/ACT", "Australia/Sydney"),
    // written as a person would
    ("America/New York", "America/New_York"),
    (":Europe/Paris", "Europe/Paris"),
    ("Amsterdam", "Europe/Amsterdam"),
    ("sao paulo", "America/Sao_Paulo"),
    // zones that Salesforce does not have, by one with the same time
    ("America/Ciudad_Juarez", "America/Denver"),
    ("Asia/Pyongyang", "Asia/Seoul"),
    ("America/Havana", "America/New_York"),
    // UTC
    ("UTC", "GMT"),
    ("utc", "GMT"),
    ("Etc/UTC", "GMT"),
    ("Etc/GMT", "GMT"),
    ("Zulu", "GMT"),
    ("Z", "GMT"),
    ("Universal", "GMT"),
    ("(UTC) Coordinated Universal Time", "GMT"),
    ("Coordinated Universal Time", "GMT"),
    // Windows
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("w. europe standard time", "Europe/Berlin"),
    ("W. Europe Daylight Time", "Europe/Berlin"),
    ("Romance Standard Time", "Europe/Paris"),
    ("GMT Standard Time", "Europe/London"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("Eastern Standard Time", "America/New_York"),
    ("US Eastern Standard Time", "America/Indiana/Indianapolis"),
    ("Pacific Standard Time (Mexico)", "America/Tijuana"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Nepal Standard Time", "Asia/Kathmandu"),
    ("FLE Standard Time", "Europe/Kyiv"),
    ("Argentina Standard Time", "America/Argentina/Buenos_Aires"),
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("UTC-11", "Pacific/Pago_Pago"),
    // what Windows and Salesforce show
    ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
    ("(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague", "Europe/Belgrade"),
    ("(GMT+01:00) Brussels, Copenhagen, Madrid, Paris", "Europe/Brussels"),
    ("(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "Europe/Dublin"),
    ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
    ("(UTC-08:00) Pacific Time (US & Canada)", "America/Los_Angeles"),
    ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
    ("(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Shanghai"),
    ("(UTC-04:00) Georgetown, La Paz, Manaus, San Juan", "America/La_Paz"),
    ("(UTC-07:00) La Paz, Mazatlan", "America/Mazatlan"),
    ("(GMT+02:00) Central European Summer Time (Europe/Amsterdam)", "Europe/Amsterdam"),
    ("Eastern Time", "America/New_York"),
    ("Central European Time", "Europe/Berlin"),
    ("Greenwich Mean Time", "GMT"),
    ("EST (Eastern Standard Time)", "America/New_York"),
    ("tzone://Microsoft/Utc", "GMT"),
    // zones that are named by a rule
    ("CET", "Europe/Brussels"),
    ("met", "Europe/Brussels"),
    ("EET", "Europe/Athens"),
    ("WET", "Europe/Lisbon"),
    ("EST5EDT", "America/New_York"),
    ("PST8PDT", "America/Los_Angeles"),
    ("HST", "Pacific/Honolulu"),
    // offsets that one place has
    ("+05:45", "Asia/Kathmandu"),
    ("UTC+5:45", "Asia/Kathmandu"),
    ("GMT+0545", "Asia/Kathmandu"),
    ("-03:30", "America/St_Johns"),
    ("+14:00", "Pacific/Kiritimati"),
    ("Etc/GMT-14", "Pacific/Kiritimati"),
    ("UTC+04:30", "Asia/Kabul"),
    ("UTC−09:30", "Pacific/Marquesas"),
];

/// What says too little, or nothing.
const UNKNOWN: [&str; 28] = [
    "+01:00",
    "-05:00",
    "+00:00",
    "UTC+1",
    "GMT+02:00",
    "+0100",
    "Etc/GMT+5",
    "(UTC+01:00)",
    "(UTC+01:00) Nowhere",
    "(UTC+03:00) Amsterdam",
    "(UTC-12:00) International Date Line West",
    "CEST-ish",
    "EST",
    "PST",
    "Mars/Olympus_Mons",
    "Europe/",
    "/",
    "Europe",
    "+99:99",
    "+-1",
    "()",
    "(",
    ")",
    "(UTC",
    "🕰",
    "Europe/Amsterdám",
    "+1:2:3",
    "Ñandú",
];

#[test]
fn iana_names_are_taken_in_any_case() {
    for (sent, expected) in SAME {
        assert_eq!(standard(sent), same(expected), "{sent}");
    }
}

#[test]
fn other_names_are_noted() {
    for (sent, expected) in ADAPTED {
        assert_eq!(adapted(standard(sent)), (expected.to_owned(), NoteCode::TimezoneAdapted), "{sent}");
    }
}

#[test]
fn what_says_too_little_is_unknown() {
    for sent in UNKNOWN {
        assert_eq!(unknown(standard(sent)), NoteCode::TimezoneDefaulted, "{sent}");
    }
}

#[test]
fn the_orgs_own_list_decides() {
    let old = offering("TimeZoneSidKey", &["Asia/Calcutta", "Europe/Paris", "GMT", "America/New_York"]);
    let offered = |text| timezone(text, Picklist::Org(&old));
    assert_eq!(adapted(offered("Asia/Kolkata")).0, "Asia/Calcutta", "an org may still have the old name");
    assert_eq!(adapted(offered("India Standard Time")).0, "Asia/Calcutta");
    assert_eq!(adapted(offered("Europe/Oslo")).0, "Europe/Paris", "the same time all year");
    assert_eq!(
        unknown(offered("Europe/London")),
        NoteCode::TimezoneDefaulted,
        "not the same time as GMT in summer"
    );
    assert_eq!(adapted(offered("America/Toronto")).0, "America/New_York");
}

/// Every row of the three tables leads to something that Salesforce's standard list offers.
#[test]
fn the_tables_lead_to_salesforce() {
    let list = Picklist::standard("TimeZoneSidKey");
    for row in WINDOWS.iter() {
        assert!(offered(row[1], list).is_some(), "{row:?}");
    }
    for row in ALIASES.iter() {
        assert!(offered(row[0], list).is_some(), "{row:?}");
    }
    for row in CLOCKS.iter() {
        assert!(row.iter().any(|zone| list.find(zone).is_some()), "{row:?}");
    }
    for (shown, name) in SHOWN {
        assert!(name.is_empty() || windows(name).is_some(), "{shown}");
    }
    for (_, zone) in RULES {
        assert!(list.find(zone).is_some(), "{zone}");
    }
    for (_, zone) in LONE_OFFSETS {
        assert!(list.find(zone).is_some(), "{zone}");
    }
}

/// The offsets at noon of every day of 2026 to 2028.
fn clock(zone: &str) -> Option<Vec<Offset>> {
    let zone = TimeZoneDatabase::bundled().get(zone).ok()?;
    let noon = |day: i64| Timestamp::from_second(1_767_268_800 + day * 86_400).unwrap();
    Some((0..3 * 365).map(|day| zone.to_offset(noon(day))).collect())
}

/// Fails when the time zone database has moved on; then run the test below.
#[test]
fn zones_of_one_line_keep_the_same_time() {
    for row in CLOCKS.iter() {
        let first = clock(row[0]);
        for zone in row {
            assert!(clock(zone) == first, "{zone} and {}", row[0]);
        }
    }
}

/// Writes `data/timezone_clocks.tsv` from the time zone database that the tests run with.
#[test]
#[ignore = "writes a file: cargo test -p translation write_the_table_of_clocks -- --ignored"]
fn write_the_table_of_clocks() {
    use std::collections::BTreeMap;
    let listed = include_str!("../../../data/timezone.txt").lines();
    let tiers: BTreeMap<&str, &str> =
        listed.filter_map(|line| Some((line.split('\t').next()?, line.split('\t').nth(2)?))).collect();
    let old_names: Vec<&str> = ALIASES.iter().flat_map(|row| &row[1..]).copied().collect();
    let mut groups: BTreeMap<(String, Vec<i32>), Vec<String>> = BTreeMap::new();
    let available = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect::<Vec<_>>();
    for name in &available {
        let Some((area, _)) = name.split_once('/') else { continue };
        let is_old = old_names.contains(&name.as_str()) && !tiers.contains_key(name.as_str());
        let is_place = !["Etc", "US", "Canada", "Mexico", "Brazil", "Chile"].contains(&area);
        if is_place && !is_old {
            let clock = clock(name).unwrap().iter().map(|offset| offset.seconds()).collect();
            groups.entry((area.to_owned(), clock)).or_default().push(name.clone());
        }
    }
    let mut rows: Vec<String> = Vec::new();
    for mut zones in groups.into_values() {
        zones.sort_by_key(|zone| {
            (tiers.get(zone.as_str()) != Some(&"core"), zone.matches('/').count(), zone.clone())
        });
        if zones.len() > 1 && zones.iter().any(|zone| tiers.contains_key(zone.as_str())) {
            rows.push(zones.join("\t"));
        }
    }
    rows.sort();
    let head = "# Zones of one continent that keep the same time on every day of the year, though summer time may begin at\n\
        # another hour; Salesforce's usual zones first. Used where an org does not offer the zone that was asked for.\n\
        # Computed from the IANA time zone database over 2026 to 2028; a test writes it.\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/timezone_clocks.tsv");
    std::fs::write(path, format!("{head}{}\n", rows.join("\n"))).unwrap();
}
