//! Countries and states in orgs that keep lists of them (Salesforce Help, "State and Country/Territory Picklists").
//!
//! Such an org describes a `CountryCode` and a `StateCode` beside the `Country` and `State` of each address. It takes
//! codes in the former and the names of its own list in the latter, a state only together with a country that has it, and
//! refuses everything else with `FIELD_INTEGRITY_EXCEPTION`.

use salesforce_types::{FieldDescription, FieldType, ObjectDescription, PicklistValue};
use serde_json::Value as Json;

use super::fit::{Fitted, Misfit, fit};
use super::{Action, Desired, Run, plain};
use crate::mapping::Rule;
use crate::normalise::country;
use crate::note::{NoteCode, RefusalKind};

/// A field that holds a country or a state, with the org's lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    part: Part,
    /// Whether the field takes the code or the name.
    form: Form,
    /// Such as `Mailing`; empty for the address of a User or a Lead.
    prefix: &'a str,
    countries: &'a FieldDescription,
    states: Option<&'a FieldDescription>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Country,
    State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Code,
    Name,
}

const PARTS: [(&str, Part, Form); 4] = [
    ("CountryCode", Part::Country, Form::Code),
    ("StateCode", Part::State, Form::Code),
    ("Country", Part::Country, Form::Name),
    ("State", Part::State, Form::Name),
];

/// The country of the record that is being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// At this place of the org's list.
    At(usize),
    /// The record has none.
    Nowhere,
    /// Gangway does not fill it.
    Unknown,
}

/// What becomes of a state.
#[derive(Debug, PartialEq)]
enum State<'a> {
    /// In the field's form; whether it was sent so.
    Offered(&'a str, bool),
    /// The record can have no state; why.
    LeftOut(String),
    /// The country has states, and this is none of them.
    Unknown,
}

impl<'a> Place<'a> {
    /// Whether the field is part of an address for which the org keeps lists.
    pub(super) fn of(describe: &'a ObjectDescription, field: &'a str) -> Option<Self> {
        let ends = |suffix: &str| {
            let at = field.len().checked_sub(suffix.len())?;
            let (prefix, end) = (field.get(..at)?, field.get(at..)?);
            end.eq_ignore_ascii_case(suffix).then_some(prefix)
        };
        let (prefix, part, form) =
            PARTS.iter().find_map(|(suffix, part, form)| Some((ends(suffix)?, *part, *form)))?;
        let list = |suffix: &str| {
            let field = describe.field(&format!("{prefix}{suffix}"))?;
            let is_list = field.field_type == FieldType::Picklist && !field.picklist.is_empty();
            is_list.then_some(field)
        };
        Some(Self { part, form, prefix, countries: list("CountryCode")?, states: list("StateCode") })
    }

    /// The fields that hold the country of the same address, the one for codes first.
    fn country_fields(&self) -> [String; 2] {
        [format!("{}CountryCode", self.prefix), format!("{}Country", self.prefix)]
    }

    /// Where the org starts when nothing is said.
    fn default_home(&self) -> Home {
        let default = self.countries.default_value.as_ref().and_then(|value| value.as_str());
        default.and_then(|code| self.country_at(code)).map_or(Home::Nowhere, Home::At)
    }

    /// The country's place in the org's list, by its code, its name there, or what else it is called.
    fn country_at(&self, text: &str) -> Option<usize> {
        let text = text.trim();
        let entries = &self.countries.picklist;
        let find = |test: &dyn Fn(&PicklistValue) -> bool| {
            entries.iter().position(|entry| entry.active && test(entry))
        };
        // Names are compared letter by letter only when nothing else helps: that is slow.
        find(&|entry| entry.value.eq_ignore_ascii_case(text))
            .or_else(|| find(&|entry| label(entry).eq_ignore_ascii_case(text)))
            .or_else(|| {
                let known = country::known(text)?;
                find(&|entry| entry.value.eq_ignore_ascii_case(known.alpha2))
            })
            .or_else(|| find(&is_called(text)))
    }

    /// The country as the field takes it, and whether what was sent is the org's own word for it.
    fn country(&self, text: &str) -> Option<(&'a str, bool)> {
        let entry = &self.countries.picklist[self.country_at(text)?];
        Some((self.shown(entry), is_own_word(entry, text)))
    }

    /// The state as the field takes it, for a record in this country.
    fn state(&self, text: &str, home: Home) -> State<'a> {
        let text = text.trim();
        let home = match home {
            Home::At(place) => Some(place),
            Home::Unknown => None,
            Home::Nowhere => {
                let why = "this org keeps a state only together with a country, and there is none";
                return State::LeftOut(why.to_owned());
            }
        };
        let Some(states) = self.states else {
            return State::LeftOut("this org keeps no states".to_owned());
        };
        let there: Vec<&PicklistValue> = states
            .picklist
            .iter()
            .filter(|entry| entry.active && home.is_none_or(|place| entry.is_valid_for(place)))
            .collect();
        if there.is_empty() {
            let country = home.map_or("any country", |place| label(&self.countries.picklist[place]));
            return State::LeftOut(format!("this org knows no states of {country}"));
        }
        let code = country::code_of_state(text).unwrap_or(text);
        let found = there
            .iter()
            .find(|entry| entry.value.eq_ignore_ascii_case(text))
            .or_else(|| there.iter().find(|entry| is_called(text)(entry)))
            .or_else(|| there.iter().find(|entry| entry.value.eq_ignore_ascii_case(code)));
        match found {
            Some(entry) => State::Offered(self.shown(entry), is_own_word(entry, text)),
            None => State::Unknown,
        }
    }

    fn shown(&self, entry: &'a PicklistValue) -> &'a str {
        match self.form {
            Form::Code => &entry.value,
            Form::Name => label(entry),
        }
    }

    /// The note for a value that the org calls otherwise.
    fn note(&self, sent: &str, value: &str) -> (NoteCode, String) {
        let (code, what) = match self.part {
            Part::Country => (NoteCode::CountryAdapted, "country"),
            Part::State => (NoteCode::StateAdapted, "state"),
        };
        (code, format!("the {what} `{sent}` is `{value}` in this org"))
    }
}

fn label(entry: &PicklistValue) -> &str {
    entry.label.as_deref().filter(|label| !label.is_empty()).unwrap_or(&entry.value)
}

fn is_called(text: &str) -> impl Fn(&PicklistValue) -> bool {
    let folded = country::fold(text);
    move |entry| !folded.is_empty() && country::fold(label(entry)) == folded
}

fn is_own_word(entry: &PicklistValue, text: &str) -> bool {
    let text = text.trim();
    entry.value.eq_ignore_ascii_case(text) || label(entry).eq_ignore_ascii_case(text)
}

/// Whether a field holds a state of the org's list.
pub(super) fn is_state(describe: &ObjectDescription, field: &str) -> bool {
    Place::of(describe, field).is_some_and(|place| place.part == Part::State)
}

/// Whether a field holds the name of a country or state of the org's list.
fn is_name(describe: &ObjectDescription, field: &str) -> bool {
    Place::of(describe, field).is_some_and(|place| place.form == Form::Name)
}

impl<'r> Run<'r> {
    /// A country or a state in the org's own words.
    pub(super) fn fit_place(
        &self,
        place: Place<'r>,
        field: &'r FieldDescription,
        value: &Json,
    ) -> Result<Fitted, Misfit> {
        if value.is_array() || value.is_object() {
            return fit(field, value);
        }
        let sent = plain(value);
        let found = match place.part {
            Part::Country => place.country(&sent),
            Part::State if self.home(&place) == Home::Unknown => return Ok(self.stay(place, field, &sent)),
            Part::State => match place.state(&sent, self.home(&place)) {
                State::Offered(found, is_own_word) => Some((found, is_own_word)),
                State::LeftOut(why) => {
                    let note = (NoteCode::StateLeftOut, format!("`{sent}` is left out: {why}"));
                    return Ok(Fitted { value: Json::Null, note: Some(note) });
                }
                State::Unknown => None,
            },
        };
        let Some((found, is_own_word)) = found else {
            let message = match place.part {
                Part::Country => format!("`{sent}` is no country of this org's list"),
                Part::State => format!("`{sent}` is no state that this org knows in the country"),
            };
            return Err((RefusalKind::NotInPicklist, message));
        };
        let note = (!is_own_word).then(|| place.note(&sent, found));
        Ok(Fitted { value: Json::from(found), note })
    }

    /// Where nothing is known of the country, Salesforce would take no state that it does not have already.
    fn stay(&self, place: Place<'r>, field: &FieldDescription, sent: &str) -> Fitted {
        let written = self.written(&field.name);
        let found = place.state(sent, Home::Unknown);
        if let (Some(written), State::Offered(found, _)) = (written, found)
            && *written == *found
        {
            return Fitted { value: written.clone(), note: None };
        }
        let detail = format!(
            "`{sent}` is left out: this org keeps a state only together with a country, and none is known"
        );
        Fitted { value: written.cloned().unwrap_or_default(), note: Some((NoteCode::StateLeftOut, detail)) }
    }

    /// The country that the record is going to have.
    fn home(&self, place: &Place<'r>) -> Home {
        let names = place.country_fields();
        let names = || names.iter().filter_map(|name| self.context.describe.field(name));
        let desired = names().find_map(|field| self.translation.fields.get(&field.name));
        let country = match desired {
            Some(Desired::Clear) => return Home::Nowhere,
            Some(Desired::Set(country)) => Some(country),
            None => names().find_map(|field| self.written(&field.name)),
        };
        match country {
            Some(country) => place.country_at(&plain(country)).map_or(Home::Unknown, Home::At),
            None if self.context.action == Action::Create => place.default_home(),
            None => Home::Unknown,
        }
    }

    /// What holds between the parts of an address.
    pub(super) fn settle_addresses(&mut self, rules: &[Rule]) {
        self.leave_states(rules);
        for rule in rules.iter().filter(|rule| is_name(self.context.describe, &rule.field)) {
            self.agree(rule);
        }
    }

    /// Refuses a name and a code that are not of one country or state: Salesforce does.
    fn agree(&mut self, rule: &Rule) {
        let describe = self.context.describe;
        let code = describe.field(&format!("{}Code", rule.field));
        let (Some(name), Some(code)) = (describe.field(&rule.field), code) else { return };
        let of = |field: &FieldDescription| self.translation.fields.get(&field.name);
        let (Some(said), Some(coded)) = (of(name), of(code)) else { return };
        let is_one = match (said, coded) {
            (Desired::Clear, Desired::Clear) => true,
            (Desired::Set(said), Desired::Set(coded)) => {
                let is_it = |entry: &&PicklistValue| *said == *label(entry) && *coded == *entry.value;
                code.picklist.iter().any(|entry| is_it(&entry))
            }
            _ => false,
        };
        if !is_one {
            let why =
                format!("it is not what `{}` says; the mapping should fill only one of the two", code.name);
            self.refuse(rule, &name.name, RefusalKind::NotInPicklist, &why);
        }
    }

    /// Empties states that were written and are not written now, where the record moves to a country without them.
    fn leave_states(&mut self, rules: &[Rule]) {
        for rule in rules {
            let Some(field) = self.context.describe.field(&rule.field) else { continue };
            let Some(place) = Place::of(self.context.describe, &field.name) else { continue };
            let is_said = self.translation.fields.contains_key(&field.name);
            let Some(written) = self.written(&field.name).map(plain) else { continue };
            if place.part == Part::Country || is_said || !field.updateable {
                continue;
            }
            if !matches!(place.state(&written, self.home(&place)), State::Offered(..)) {
                self.translation.fields.insert(field.name.clone(), Desired::Clear);
                let detail =
                    format!("`{written}` is no state of the new country, so `{}` is empty", field.name);
                self.note(rule, NoteCode::StateLeftOut, detail);
            }
        }
    }
}
