//! Reading `[[grants]]`.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::TargetName;
use salesforce_types::EntitlementKind;
use scim_types::fold_eq;
use toml::de::{DeTable, DeValue};

use super::{Item, Reader, kind};
use crate::mapping::{GrantRule, RulePlace, Target, Until};
use crate::suggest::nearest;
use crate::translate::moment;

/// The keys that ask for something: what can be many by a list, the others by one name.
const ASKS: [(&str, EntitlementKind); 10] = [
    ("profile", EntitlementKind::Profile),
    ("role", EntitlementKind::Role),
    ("feature-licenses", EntitlementKind::FeatureLicense),
    ("package-licenses", EntitlementKind::PackageLicense),
    ("permission-set-licenses", EntitlementKind::PermissionSetLicense),
    ("permission-sets", EntitlementKind::PermissionSet),
    ("permission-set-groups", EntitlementKind::PermissionSetGroup),
    ("public-groups", EntitlementKind::PublicGroup),
    ("queues", EntitlementKind::Queue),
    ("territories", EntitlementKind::Territory),
];
const OTHER_KEYS: [&str; 5] = ["name", "when", "target", "rank", "until"];

/// What a rule asks for, and where.
type Asks = (Vec<(EntitlementKind, String)>, Vec<Range<usize>>);

impl Reader {
    /// `names` are those of all targets in the file, those with mistakes included.
    pub(super) fn grants(&mut self, item: &Item<'_>, targets: &[Target], names: &[&str]) -> Vec<GrantRule> {
        let mut rules: Vec<GrantRule> = Vec::new();
        for (place, (entry, table)) in self.tables(item, "grants").into_iter().enumerate() {
            let rule = self.grant(entry, table, place, (targets, names));
            if rules.iter().any(|known| known.name == rule.name) {
                let place = table.get("name").map_or_else(|| rule.place.header.clone(), Item::span);
                let message = format!("two rules are called `{}`; the name tells them apart", rule.name);
                self.refuse(place, message, None);
            }
            rules.push(rule);
        }
        let no_users = !targets.is_empty() && targets.iter().all(|target| target.object != "User");
        if no_users && names.len() == targets.len() && !rules.is_empty() {
            let message = "no target of this mapping makes a User, and nobody else can be granted anything";
            self.refuse(rules[0].place.header.clone(), message, None);
        }
        rules
    }

    fn grant(
        &mut self,
        item: &Item<'_>,
        table: &DeTable<'_>,
        place: usize,
        targets: (&[Target], &[&str]),
    ) -> GrantRule {
        let keys: Vec<&str> = OTHER_KEYS.into_iter().chain(ASKS.map(|(key, _)| key)).collect();
        self.refuse_unknown(table, &keys, "a rule for grants");
        let header = self.header(item);
        let name = table.get("name").and_then(|item| self.some_text(item, "`name`"));
        let (asks, places) = self.asks(table);
        if asks.is_empty() && !ASKS.iter().any(|(key, _)| table.contains_key(*key)) {
            let message =
                "this rule grants nothing: add `permission-sets = [\"...\"]`, `role = \"...\"` or another";
            self.refuse(header.clone(), message, None);
        }
        let ranked = asks.iter().any(|(kind, _)| kind.is_single());
        GrantRule {
            name: name.unwrap_or_else(|| format!("grant {}", place + 1)),
            target: table.get("target").and_then(|item| self.user_target(item, targets)),
            asks,
            rank: table.get("rank").and_then(|item| self.rank(item, ranked)).unwrap_or_default(),
            when: table.get("when").and_then(|item| self.condition(item)),
            until: table.get("until").and_then(|item| self.until(item)),
            place: RulePlace { header, asks: places },
        }
    }

    fn user_target(&mut self, item: &Item<'_>, (targets, names): (&[Target], &[&str])) -> Option<TargetName> {
        let name = self.string(item, "`target`")?;
        match targets.iter().find(|target| target.name.as_str() == name) {
            Some(target) if target.object == "User" => Some(target.name.clone()),
            Some(target) => {
                let message =
                    format!("`{name}` makes a {}; only Users can be granted anything", target.object);
                self.refuse(item.span(), message, None);
                None
            }
            // It is there, and has mistakes of its own.
            None if names.contains(&name.as_str()) => None,
            None => {
                let users = targets.iter().filter(|target| target.object == "User");
                let suggestion = nearest(&name, users.map(|target| target.name.as_str()));
                self.refuse(item.span(), format!("this mapping has no target `{name}`"), suggestion);
                None
            }
        }
    }

    fn asks(&mut self, table: &DeTable<'_>) -> Asks {
        let mut asks: Vec<(EntitlementKind, String)> = Vec::new();
        let mut places = Vec::new();
        for (key, kind) in ASKS {
            let Some(item) = table.get(key) else { continue };
            let what = format!("`{key}`");
            let named = if kind.is_single() {
                self.some_text(item, &what).map(|name| (name, item.span())).into_iter().collect()
            } else {
                self.strings(item, &what)
            };
            if named.is_empty() && item.get_ref().as_array().is_some_and(|list| list.is_empty()) {
                self.refuse(item.span(), format!("{what} is empty; leave it out instead"), None);
            }
            for (name, place) in named {
                let name = name.trim().to_owned();
                if name.is_empty() {
                    self.refuse(place, format!("this is the name or the id of a {kind}"), None);
                } else if asks.iter().any(|(known, other)| *known == kind && fold_eq(other, &name)) {
                    self.refuse(place, format!("`{name}` is there twice"), None);
                } else {
                    asks.push((kind, name));
                    places.push(place);
                }
            }
        }
        (asks, places)
    }

    fn rank(&mut self, item: &Item<'_>, ranked: bool) -> Option<i64> {
        let DeValue::Integer(number) = item.get_ref() else {
            let message = format!("`rank` is a whole number; this is {}", kind(item.get_ref()));
            self.refuse(item.span(), message, None);
            return None;
        };
        if !ranked {
            let message = "`rank` says whose profile or role wins, and this rule has neither";
            self.refuse(item.span(), message, None);
        }
        let rank = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
        if rank.is_none() {
            self.refuse(item.span(), "`rank` is too large a number", None);
        }
        rank
    }

    /// An expression, a moment or a day.
    fn until(&mut self, item: &Item<'_>) -> Option<Until> {
        match item.get_ref() {
            DeValue::String(text) => match moment(text) {
                Some(at) => Some(Until::At(at)),
                None => self.until_expression(item),
            },
            DeValue::Datetime(time) => {
                let at = instant(&time.to_string());
                if at.is_none() {
                    let message = "`until` is a day, or a day and a time; a time alone comes every day";
                    self.refuse(item.span(), message, None);
                }
                at.map(Until::At)
            }
            other => {
                let message = format!(
                    "`until` is a date, a date and time, or an expression that gives one; this is {}",
                    kind(other)
                );
                self.refuse(item.span(), message, None);
                None
            }
        }
    }

    fn until_expression(&mut self, item: &Item<'_>) -> Option<Until> {
        let until = self.condition(item)?;
        // `2026-31-12` is a subtraction.
        if until.attribute().is_none() && !until.looks_at_groups() {
            let message = "this is no date such as 2026-12-31, and no attribute of the person is in it";
            self.refuse(item.span(), message, None);
            return None;
        }
        Some(Until::Expression(until))
    }
}

/// A date or time of TOML. What says no time zone is in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}
