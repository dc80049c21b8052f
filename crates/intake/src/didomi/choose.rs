//! From a notice to what is written, by the mappings. Pure.

use provisioning::{Choices, ConsentPlaces, ContactPointChoice, FieldChoice, Stance};
use serde_json::Value;

use super::{
    part::Part,
    payload::{Answer, GDPR, Notice},
};

/// What of a notice is written, and where.
#[derive(Clone, Debug)]
pub enum Mappings {
    /// Fields of the records themselves.
    Fields(Vec<FieldMapping>),
    /// Rows of `ContactPointTypeConsent`.
    ContactPoints(Vec<ContactPointMapping>),
}

/// A field with what it is filled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMapping {
    /// From what.
    pub mapped: Mapped,
    /// Under which regulation; none: under the only one that is accepted.
    pub regulation: Option<String>,
    /// The field.
    pub target: String,
    /// How.
    pub transform: Option<Transform>,
}

/// What a field is filled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// What was chosen about this.
    Part(Part),
    /// When it was chosen; written along with a choice, never alone.
    CreatedAt,
}

/// How a choice becomes the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// Yes is false and no is true: for fields that say that somebody has opted out.
    Invert,
    /// Values become those of a multi-select picklist.
    Multipicklist,
}

/// A row of `ContactPointTypeConsent` with what it is filled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPointMapping {
    /// From the choice about this.
    pub part: Part,
    /// Under which regulation; none: under the only one that is accepted.
    pub regulation: Option<String>,
    /// `Email`, `Phone`, ...
    pub contact_point_type: String,
    /// The `Name` of a `DataUsePurpose`.
    pub data_use_purpose: Option<String>,
}

/// Something that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    /// What has its own order in time.
    pub clock: String,
    pub stance: Stance,
    /// Where to, and what.
    write: Write,
}

#[derive(Clone, Debug, PartialEq)]
enum Write {
    Field(String, Value),
    /// `name` is the end of the row's, behind the person.
    ContactPoint {
        name: String,
        contact_point_type: String,
        data_use_purpose: Option<String>,
    },
}

impl Mappings {
    /// What is written to.
    #[must_use]
    pub fn places(&self) -> ConsentPlaces {
        match self {
            Self::Fields(mappings) => {
                ConsentPlaces::Fields(mappings.iter().map(|mapping| mapping.target.clone()).collect())
            }
            Self::ContactPoints(mappings) => {
                let purposes = mappings.iter().filter_map(|mapping| mapping.data_use_purpose.clone());
                ConsentPlaces::ContactPoints { purposes: purposes.collect() }
            }
        }
    }

    /// What is to be written of a notice. What no choice was made about is not among it; of one that is `pending` only opt-outs
    /// are.
    pub(super) fn choose(&self, notice: &Notice, pending: bool) -> Vec<Chosen> {
        let stands = |stance: Stance| !pending || stance != Stance::In;
        let is_of = |regulation: &Option<String>| {
            regulation.as_ref().is_none_or(|regulation| *regulation == notice.regulation)
        };
        match self {
            Self::Fields(mappings) => mappings
                .iter()
                .filter(|mapping| is_of(&mapping.regulation))
                .filter_map(|mapping| mapping.choose(notice))
                .filter(|chosen| stands(chosen.stance))
                .collect(),
            Self::ContactPoints(mappings) => mappings
                .iter()
                .filter(|mapping| is_of(&mapping.regulation))
                .filter_map(|mapping| mapping.choose(notice))
                .filter(|chosen| stands(chosen.stance))
                .collect(),
        }
    }

    /// What it would be if all that is mapped were opted out of.
    pub(super) fn clear(&self) -> impl Iterator<Item = (Part, Answer)> {
        let parts: Vec<&Part> = match self {
            Self::Fields(mappings) => mappings
                .iter()
                .filter_map(|mapping| match &mapping.mapped {
                    Mapped::Part(part) => Some(part),
                    Mapped::CreatedAt => None,
                })
                .collect(),
            Self::ContactPoints(mappings) => mappings.iter().map(|mapping| &mapping.part).collect(),
        };
        let out = |part: &&Part| matches!(part, Part::Purpose(_) | Part::Channel(_));
        parts.into_iter().filter(out).map(|part| (part.clone(), Answer::Enabled(false)))
    }
}

impl FieldMapping {
    fn choose(&self, notice: &Notice) -> Option<Chosen> {
        let (clock, stance, value) = match &self.mapped {
            // Nobody has said when.
            Mapped::CreatedAt if !notice.timed => return None,
            Mapped::CreatedAt => {
                let given = notice.given.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                ("event:created_at".to_owned(), Stance::Beside, Value::from(given))
            }
            Mapped::Part(part) => {
                let answer = notice.choices.get(part)?;
                (part.to_string(), answer.stance(), value(answer, self.transform)?)
            }
        };
        Some(Chosen { clock, stance, write: Write::Field(self.target.clone(), value) })
    }
}

impl ContactPointMapping {
    fn choose(&self, notice: &Notice) -> Option<Chosen> {
        let answer = notice.choices.get(&self.part)?;
        let write = Write::ContactPoint {
            name: self.name(&notice.regulation),
            contact_point_type: self.contact_point_type.clone(),
            data_use_purpose: self.data_use_purpose.clone(),
        };
        Some(Chosen { clock: self.part.to_string(), stance: answer.stance(), write })
    }

    /// What tells its row from the others of a person: the choice, the kind of contact point and the regulation, which `gdpr` alone
    /// is not named of, so that rows keep their names when a second one is added.
    fn name(&self, regulation: &str) -> String {
        let (Part::Purpose(id) | Part::Channel(id) | Part::Preference(_, id)) = &self.part;
        let of = if regulation == GDPR { String::new() } else { format!("{regulation}:") };
        format!("{of}{id}:{}", self.contact_point_type)
    }

    /// Whether two mappings are written to one row, under any of the regulations. Salesforce compares names without regard to case.
    #[must_use]
    pub fn shares_a_row_with(&self, other: &Self) -> bool {
        let are_apart =
            matches!((&self.regulation, &other.regulation), (Some(one), Some(other)) if one != other);
        !are_apart && self.name(GDPR).to_lowercase() == other.name(GDPR).to_lowercase()
    }
}

impl Answer {
    fn stance(&self) -> Stance {
        if *self == Self::Enabled(false) { Stance::Out } else { Stance::In }
    }
}

/// The value of a field. `None`: the choice has another form than the mapping expects, and nothing is made up.
fn value(answer: &Answer, transform: Option<Transform>) -> Option<Value> {
    match (answer, transform) {
        (Answer::Enabled(enabled), None) => Some(Value::Bool(*enabled)),
        (Answer::Enabled(enabled), Some(Transform::Invert)) => Some(Value::Bool(!enabled)),
        (Answer::Values(text), None) => Some(set(text.trim())),
        (Answer::Values(text), Some(Transform::Multipicklist)) => {
            let values: Vec<&str> =
                text.split(',').map(str::trim).filter(|value| !value.is_empty()).collect();
            Some(set(&values.join(";")))
        }
        (Answer::Enabled(_), Some(Transform::Multipicklist))
        | (Answer::Values(_), Some(Transform::Invert)) => None,
    }
}

/// Somebody who has chosen none of the values has the field emptied.
fn set(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

/// What is written, in the words of provisioning.
pub(super) fn in_words(mappings: &Mappings, chosen: Vec<Chosen>, person: &str) -> Choices {
    match mappings {
        Mappings::Fields(_) => Choices::Fields(
            chosen
                .into_iter()
                .filter_map(|chosen| match chosen.write {
                    Write::Field(field, value) => Some(FieldChoice { field, value, stance: chosen.stance }),
                    Write::ContactPoint { .. } => None,
                })
                .collect(),
        ),
        Mappings::ContactPoints(_) => Choices::ContactPoints(
            chosen
                .into_iter()
                .filter_map(|chosen| match chosen.write {
                    Write::Field(..) => None,
                    Write::ContactPoint { name, contact_point_type, data_use_purpose } => {
                        let (stance, name) = (chosen.stance, format!("didomi:{person}:{name}"));
                        Some(ContactPointChoice { name, contact_point_type, data_use_purpose, stance })
                    }
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(source: &str, target: &str, transform: Option<Transform>) -> FieldMapping {
        let mapped = if source == "event:created_at" {
            Mapped::CreatedAt
        } else {
            Mapped::Part(source.parse().unwrap())
        };
        FieldMapping { mapped, regulation: None, target: target.into(), transform }
    }

    fn mappings() -> Mappings {
        Mappings::Fields(vec![
            field("purpose:newsletter", "HasOptedOutOfEmail", Some(Transform::Invert)),
            field("channel:phone", "DoNotCall", Some(Transform::Invert)),
            field("preference:newsletter/topics", "Topics__c", Some(Transform::Multipicklist)),
            field("event:created_at", "Consent_Updated__c", None),
        ])
    }

    fn notice(choices: &[(&str, Answer)]) -> Notice {
        Notice {
            given: "2026-08-05T08:00:01Z".parse().unwrap(),
            choices: choices.iter().map(|(part, answer)| (part.parse().unwrap(), answer.clone())).collect(),
            ..Notice::default()
        }
    }

    fn written(mappings: &Mappings, chosen: Vec<Chosen>) -> Value {
        let Choices::Fields(choices) = in_words(mappings, chosen, "noor") else { panic!("these are fields") };
        choices
            .into_iter()
            .map(|choice| (choice.field, choice.value))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn values(text: &str) -> Answer {
        Answer::Values(text.to_owned())
    }

    #[test]
    fn only_what_was_chosen_is_written() {
        let mappings = mappings();
        let all = notice(&[
            ("purpose:newsletter", Answer::Enabled(true)),
            ("channel:phone", Answer::Enabled(false)),
            ("preference:newsletter/topics", values("tech, events")),
            ("purpose:unmapped", Answer::Enabled(true)),
        ]);
        assert_eq!(
            written(&mappings, mappings.choose(&all, false)),
            json!({"HasOptedOutOfEmail": false, "DoNotCall": true, "Topics__c": "tech;events",
                   "Consent_Updated__c": "2026-08-05T08:00:01.000Z"})
        );
        let one = notice(&[("preference:newsletter/topics", values(""))]);
        let one = written(&mappings, mappings.choose(&one, false));
        assert_eq!(one["Topics__c"], json!(null), "none of the values");
        assert!(one.get("DoNotCall").is_none());
    }

    #[test]
    fn of_a_pending_event_only_opt_outs_are_written() {
        let mappings = mappings();
        let pending = notice(&[
            ("purpose:newsletter", Answer::Enabled(true)),
            ("channel:phone", Answer::Enabled(false)),
            ("preference:newsletter/topics", values("tech")),
        ]);
        let chosen = mappings.choose(&pending, true);
        let fields: Vec<&str> = chosen.iter().map(|chosen| chosen.clock.as_str()).collect();
        assert_eq!(fields, ["channel:phone", "event:created_at"]);
    }

    #[test]
    fn a_mapping_of_another_regulation_is_left_alone() {
        let Mappings::Fields(mut fields) = mappings() else { unreachable!() };
        fields[0].regulation = Some("cpra".into());
        let mappings = Mappings::Fields(fields);
        let chosen = mappings.choose(&notice(&[("purpose:newsletter", Answer::Enabled(true))]), false);
        assert!(chosen.iter().all(|chosen| chosen.stance == Stance::Beside), "{chosen:?}");
    }

    #[test]
    fn a_choice_of_another_form_writes_nothing() {
        assert_eq!(value(&Answer::Enabled(true), Some(Transform::Multipicklist)), None);
        assert_eq!(value(&values("weekly"), Some(Transform::Invert)), None);
        assert_eq!(value(&values("weekly"), None), Some(json!("weekly")));
    }

    #[test]
    fn rows_of_two_regulations_have_two_names() {
        let row = |source: &str, regulation: Option<&str>| ContactPointMapping {
            part: source.parse().unwrap(),
            regulation: regulation.map(Into::into),
            contact_point_type: "Email".into(),
            data_use_purpose: None,
        };
        let news = row("purpose:news", Some("gdpr"));
        assert_eq!((news.name("gdpr"), news.name("cpra")), ("news:Email".into(), "cpra:news:Email".into()));
        for (other, shared) in [
            (row("purpose:news", Some("cpra")), false),
            (row("channel:news", Some("gdpr")), true),
            (row("purpose:News", None), true),
            (row("purpose:other", Some("gdpr")), false),
            (ContactPointMapping { contact_point_type: "Phone".into(), ..news.clone() }, false),
        ] {
            assert_eq!(news.shares_a_row_with(&other), shared, "{other:?}");
        }
    }

    #[test]
    fn who_does_not_say_when_writes_no_time() {
        let untimed = Notice { timed: false, ..notice(&[("purpose:newsletter", Answer::Enabled(true))]) };
        let mappings = mappings();
        let chosen = mappings.choose(&untimed, false);
        assert_eq!(written(&mappings, chosen), json!({"HasOptedOutOfEmail": false}));
    }

    #[test]
    fn clearing_opts_out_of_every_purpose_and_channel() {
        let parts: Vec<String> = mappings().clear().map(|(part, _)| part.to_string()).collect();
        assert_eq!(parts, ["purpose:newsletter", "channel:phone"]);
    }
}
