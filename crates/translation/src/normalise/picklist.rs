//! The values that a field offers: the org's own, or Salesforce's standard ones while the org's are not known.

use std::sync::LazyLock;

use salesforce_types::FieldDescription;

/// The values of a picklist with their labels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Picklist<'a> {
    /// What the org's describe says.
    Org(&'a FieldDescription),
    /// Salesforce's standard values for one of the four picklists of User, or nothing.
    Standard(&'static [(&'static str, &'static str)]),
}

impl<'a> Picklist<'a> {
    /// What the describe says of a field; nothing if it has no values.
    pub(crate) fn of(field: Option<&'a FieldDescription>) -> Self {
        match field {
            Some(field) if !field.picklist.is_empty() => Self::Org(field),
            _ => Self::Standard(&[]),
        }
    }

    /// The same, or where it is empty Salesforce's standard values for a field of User.
    pub(crate) fn or_standard(self, field: &str) -> Self {
        match self {
            Self::Standard([]) => Self::standard(field),
            known => known,
        }
    }

    /// Salesforce's standard values for a field of User.
    pub(crate) fn standard(field: &str) -> Self {
        Self::Standard(match field {
            "LocaleSidKey" => &LOCALES,
            "LanguageLocaleKey" => &LANGUAGES,
            "TimeZoneSidKey" => &TIMEZONES,
            "EmailEncodingKey" => &ENCODINGS,
            _ => &[],
        })
    }

    /// The picklist's own spelling of a value, in any case.
    pub(crate) fn find(self, value: &str) -> Option<&'a str> {
        match self {
            Self::Org(field) => field.picklist_value(value),
            Self::Standard(values) => {
                values.iter().find(|(known, _)| known.eq_ignore_ascii_case(value)).map(|(known, _)| *known)
            }
        }
    }

    /// The first value that passes a test on value and label.
    pub(crate) fn first(self, test: impl Fn(&str, &str) -> bool) -> Option<&'a str> {
        match self {
            Self::Org(field) => field
                .picklist
                .iter()
                .filter(|entry| entry.active)
                .find(|entry| test(&entry.value, entry.label.as_deref().unwrap_or_default()))
                .map(|entry| entry.value.as_str()),
            Self::Standard(values) => {
                values.iter().find(|(value, label)| test(value, label)).map(|(value, _)| *value)
            }
        }
    }

    /// The value with this label, in any case. Not for time zones, whose labels change with the season.
    pub(crate) fn labelled(self, text: &str) -> Option<&'a str> {
        let text = text.to_lowercase();
        self.first(|_, label| label.to_lowercase() == text)
    }
}

type Values = LazyLock<Vec<(&'static str, &'static str)>>;

// Orgs with ICU formats, the default since Winter '20, offer no locale without a country.
static LOCALES: Values =
    LazyLock::new(|| read(include_str!("../../data/locale.txt"), |columns| columns[0].contains('_')));
// A language of the tier "platform-only" is offered only where an administrator turned it on.
static LANGUAGES: Values = LazyLock::new(|| {
    read(include_str!("../../data/language.txt"), |columns| columns.get(2) != Some(&"platform-only"))
});
static TIMEZONES: Values = LazyLock::new(|| read(include_str!("../../data/timezone.txt"), |_| true));
static ENCODINGS: Values = LazyLock::new(|| read(include_str!("../../data/email_encoding.txt"), |_| true));

fn read(text: &'static str, keep: impl Fn(&[&str]) -> bool) -> Vec<(&'static str, &'static str)> {
    text.lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|columns| !columns[0].is_empty() && keep(columns))
        .map(|columns| (columns[0], columns.get(1).copied().unwrap_or_default()))
        .collect()
}
