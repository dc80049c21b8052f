//! Who asks: time zone, locale and fiscal year decide what `TODAY` is and how a date is written.

use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use crate::{
    ids::Id,
    org::{Actor, Org},
};

#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) user: Id,
    pub(crate) zone: TimeZone,
    pub(crate) locale: String,
    pub(crate) today: Date,
    /// The month in which the fiscal year starts.
    pub(crate) fiscal_month: i8,
}

/// Countries whose weeks begin on Sunday (CLDR `weekData`), as far as Salesforce has locales of them.
const SUNDAY_FIRST: [&str; 32] = [
    "AU", "BR", "CA", "CN", "CO", "DO", "GT", "HK", "HN", "ID", "IL", "IN", "JP", "KE", "KH", "KR", "MX",
    "NI", "PA", "PE", "PH", "PK", "PR", "PY", "SG", "SV", "TH", "TW", "US", "VE", "ZA", "ZW",
];

impl Viewer {
    pub(crate) fn of(org: &Org, actor: Actor) -> Self {
        let users = org.table_of("User");
        let user = users.get(actor.user);
        let text = |field: &str| user.and_then(|user| user.get(users.object.at(field)).as_text());
        let zone = user.and_then(|user| user.get(org.user_fields.time_zone).as_text());
        let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let now = Timestamp::from_millisecond(actor.now).unwrap_or_default();
        let organization = org.table_of("Organization");
        let month = organization
            .iter()
            .next()
            .map_or(1, |(_, row)| row.get(organization.object.at("FiscalYearStartMonth")).as_int());
        Self {
            user: actor.user,
            today: now.to_zoned(zone.clone()).date(),
            zone,
            locale: text("LocaleSidKey").unwrap_or("en_US").to_owned(),
            fiscal_month: i8::try_from(month).ok().filter(|month| (1..=12).contains(month)).unwrap_or(1),
        }
    }

    /// Midnight of a day where the user is, in milliseconds.
    pub(crate) fn midnight(&self, date: Date) -> Option<i64> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    /// An instant moved so that its UTC reading is the local one.
    pub(crate) fn shifted(&self, at: i64) -> i64 {
        let instant = Timestamp::from_millisecond(at).unwrap_or_default();
        at + i64::from(self.zone.to_offset(instant).seconds()) * 1_000
    }

    pub(crate) fn first_weekday(&self) -> Weekday {
        let country = self
            .locale
            .split('_')
            .find(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_uppercase()));
        match country {
            Some(country) if !SUNDAY_FIRST.contains(&country) => Weekday::Monday,
            _ => Weekday::Sunday,
        }
    }
}
