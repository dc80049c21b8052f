//! State and country picklists (the feature `state-country-picklists`): an address has its country and its state both by
//! code and by name, and only such as the org lists. A state is one of its country; most countries list none.

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    rules::Write,
    schema::{Field, Object, PicklistValue},
};

/// What stands before the names of an address's fields; Leads and Users have one address, without a name.
const ADDRESSES: [&str; 5] = ["", "Mailing", "Other", "Billing", "Shipping"];

/// Gives each country and state that the body names its other half, and refuses what the org does not list.
pub(crate) fn complete(row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
    for address in ADDRESSES.iter().filter_map(|prefix| Address::of(write.object, prefix)) {
        if address.is_written(write) {
            address.complete(row, write)?;
        }
    }
    Ok(())
}

/// The fields of one address that picklists rule.
struct Address<'a> {
    country: Part<'a>,
    state: Part<'a>,
}

impl<'a> Address<'a> {
    /// None where the object has no such address, or the feature is off.
    fn of(object: &'a Object, prefix: &str) -> Option<Self> {
        let part = |name: &str, kind| {
            let text = object.field(&format!("{prefix}{name}"))?;
            let code = object.field(&format!("{prefix}{name}Code"))?;
            Some(Part { kind, text, code })
        };
        Some(Self { country: part("Country", COUNTRY)?, state: part("State", STATE)? })
    }

    fn is_written(&self, write: &Write<'_>) -> bool {
        [&self.country, &self.state]
            .iter()
            .any(|part| [part.text, part.code].iter().any(|field| write.named.contains(&field.index)))
    }

    fn complete(&self, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        let country = self.country.entry(row, write, |_| true)?;
        let within = country.map(|country| country.value.as_str());
        if within.is_none() && !row.get(self.state.said(row, write).index).is_null() {
            return Err(self.state.without_country(row, write));
        }
        let state = self.state.entry(row, write, |state| state.controlled_by.as_deref() == within)?;
        self.country.set(row, country);
        self.state.set(row, state);
        Ok(())
    }
}

/// Salesforce's words for a country or a state.
#[derive(Clone, Copy)]
struct Words {
    thing: &'static str,
    list: &'static str,
    available: &'static str,
}

const COUNTRY: Words = Words {
    thing: "country",
    list: "country/territory from the list of valid countries",
    available: "country/territory",
};
const STATE: Words =
    Words { thing: "state", list: "state from the list of valid states", available: "state" };

/// A country or a state: its name and its code.
struct Part<'a> {
    kind: Words,
    text: &'a Field,
    code: &'a Field,
}

impl<'a> Part<'a> {
    /// The field that says what is meant: the one that the body names, the name before the code.
    fn said(&self, row: &Row, write: &Write<'_>) -> &'a Field {
        let named = |field: &Field| write.named.contains(&field.index);
        let says = |field: &Field| named(field) && !row.get(field.index).is_null();
        if says(self.text) || !named(self.code) { self.text } else { self.code }
    }

    /// The entry that is meant, `None` for no country or state; `fits` are those that there are.
    fn entry(
        &self,
        row: &Row,
        write: &Write<'_>,
        fits: impl Fn(&PicklistValue) -> bool,
    ) -> Result<Option<&'a PicklistValue>, Refusals> {
        let named = |field: &Field| write.named.contains(&field.index);
        let cell = |field: &Field| row.get(field.index).as_text();
        let listed = |same: &dyn Fn(&PicklistValue) -> bool| {
            self.code.picklist.iter().find(|entry| same(entry) && fits(entry))
        };
        let by_text = || match cell(self.text) {
            None => Ok(None),
            Some(text) => listed(&|e| e.label == text).map(Some).ok_or_else(|| self.not_listed()),
        };
        let by_code = || match cell(self.code) {
            None => Ok(None),
            Some(code) => listed(&|e| e.value == code).map(Some).ok_or_else(|| self.not_available(code)),
        };
        match (named(self.text), named(self.code)) {
            (true, false) => by_text(),
            // Nothing new: a state may still be none of a new country.
            (false, _) => by_code(),
            (true, true) => {
                let (text, code) = (by_text()?, by_code()?);
                let same = text.map(|entry| &entry.value) == code.map(|entry| &entry.value);
                if same { Ok(text) } else { Err(self.mismatched()) }
            }
        }
    }

    fn set(&self, row: &mut Row, entry: Option<&PicklistValue>) {
        let cell = |text: Option<&String>| text.map_or(Cell::Null, |text| Cell::text(text));
        row.set(self.text.index, cell(entry.map(|entry| &entry.label)));
        row.set(self.code.index, cell(entry.map(|entry| &entry.value)));
    }

    fn not_listed(&self) -> Refusals {
        let Words { thing, list, .. } = self.kind;
        let message = format!(
            "There's a problem with this {thing}, even though it may appear correct. Please select a {list}.: {}",
            self.text.label
        );
        refuse(message, self.text)
    }

    /// A code that nobody has, or one that another country has.
    fn not_available(&self, code: &str) -> Refusals {
        if self.code.picklist.iter().any(|entry| entry.value == code) {
            let message = format!(
                "The existing country/territory doesn't recognize the state value for field: {}",
                self.code.label
            );
            return refuse(message, self.code);
        }
        let message = format!(
            "The {} field contains {code}, which isn't an available {}. Your administrator can add it for you.",
            self.code.name, self.kind.available
        );
        refuse(message, self.code)
    }

    fn mismatched(&self) -> Refusals {
        let message = format!("Mismatched integration value and ISO code for field: {}", self.text.label);
        refuse(message, self.text)
    }

    fn without_country(&self, row: &Row, write: &Write<'_>) -> Refusals {
        let field = self.said(row, write);
        let message = format!(
            "A country/territory must be specified before specifying a state value for field: {}",
            field.label
        );
        refuse(message, field)
    }
}

fn refuse(message: String, field: &Field) -> Refusals {
    vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &[&field.name])]
}
