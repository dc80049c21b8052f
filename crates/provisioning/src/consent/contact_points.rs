//! Choices as `ContactPointTypeConsent`: one row for each individual, purpose and kind of contact point.

use salesforce_client::{
    CallError,
    soql::{Condition, NotAName, Query},
};
use salesforce_types::{Fields, Manner, RecordId, References, Step};
use serde_json::{Map, Value};

use super::{
    ContactPointChoice, Problem, Run, Stance, Which,
    fit::no_contact_points,
    matching::{Match, id_in},
    misconfigured,
    writing::{Changed, Write, made_as},
};
use crate::{ProvisionError, signals::not_asked};

pub(super) const CONSENT: &str = "ContactPointTypeConsent";
pub(super) const INDIVIDUAL: &str = "Individual";
pub(super) const PURPOSE: &str = "DataUsePurpose";
const STATUS: &str = "PrivacyConsentStatus";
const CAPTURED: &str = "CaptureDate";
/// Where a choice was made, for Salesforce.
const CAPTURE_SOURCE: &str = "Didomi";

type Row = Map<String, Value>;

impl Run<'_> {
    /// The rows that say the choices. Individuals that are missing are made and linked here: a row needs one. What one row or
    /// record lacks keeps no other from being written.
    pub(super) async fn at_contact_points(
        &mut self,
        chosen: &[(Match, Which)],
        choices: &[ContactPointChoice],
        problem: &mut Problem,
    ) -> Result<Vec<Write>, ProvisionError> {
        if let Some(why) = no_contact_points(self.org).await.map_err(not_asked)? {
            return Err(misconfigured(why));
        }
        let mut writes = Vec::new();
        let mut done: Vec<RecordId> = Vec::new();
        for (record, which) in chosen {
            let wanted: Vec<&ContactPointChoice> =
                choices.iter().filter(|choice| which.takes(choice.stance)).collect();
            if wanted.is_empty() {
                continue;
            }
            match self.individual(record).await {
                // Several records may be of one individual.
                Ok(individual) if done.contains(&individual) => {}
                Ok(individual) => {
                    match self.rows_of(&individual, &wanted, problem).await {
                        Ok(rows) => writes.extend(rows),
                        Err(error) => problem.add(error),
                    }
                    done.push(individual);
                }
                Err(error) => problem.add(error),
            }
        }
        Ok(writes)
    }

    /// The rows of one individual.
    async fn rows_of(
        &mut self,
        individual: &RecordId,
        wanted: &[&ContactPointChoice],
        problem: &mut Problem,
    ) -> Result<Vec<Write>, ProvisionError> {
        let mut writes = Vec::new();
        let rows = self.rows(individual, wanted).await?;
        for choice in wanted {
            // All of them: one that is left would say something else.
            let mut its: Vec<Option<&Row>> = rows.iter().filter(|row| is_of(row, choice)).map(Some).collect();
            if its.is_empty() {
                its.push(None);
            }
            for row in its {
                match self.row(individual, choice, row).await {
                    Ok(write) => writes.push(write),
                    Err(error) => problem.add(error),
                }
            }
        }
        Ok(writes)
    }

    async fn row(
        &mut self,
        individual: &RecordId,
        choice: &ContactPointChoice,
        row: Option<&Row>,
    ) -> Result<Write, ProvisionError> {
        let status = status(choice);
        let given = self.given();
        let fields: Fields = [
            (STATUS, Value::from(status)),
            (CAPTURED, given.clone()),
            ("CaptureSource", Value::from(CAPTURE_SOURCE)),
            ("CaptureContactPointType", Value::from("Web")),
            ("EffectiveFrom", given),
        ]
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
        let record = row.and_then(|row| id_in(row, "Id"));
        let current = row.and_then(|row| row.get(STATUS)).cloned().unwrap_or_default();
        let new = Value::from(status);
        let name = name(individual, choice);
        let (object, manner) = (CONSENT.to_owned(), Manner::default());
        let mut old = current.clone();
        let step = match &record {
            // It stands there already: an earlier attempt has written it.
            Some(id) if current == new && row.is_some_and(|row| self.is_of_now(row)) => {
                old = self.before_named(id.as_str(), CONSENT, &name, STATUS).cloned().unwrap_or(current);
                None
            }
            Some(id) => Some(Step::Update { object: object.clone(), id: id.clone(), fields, manner }),
            None => {
                let key = made_as(CONSENT, &name);
                if let Err(error) = self.may_make(&key) {
                    self.unclear.push(key);
                    return Err(error);
                }
                let mut fields = fields;
                fields.insert("Name".to_owned(), Value::from(choice.name.as_str()));
                fields.insert("PartyId".to_owned(), Value::from(individual.as_str()));
                fields.insert("ContactPointType".to_owned(), Value::from(choice.contact_point_type.as_str()));
                if let Some(purpose) = &choice.data_use_purpose {
                    let id = self.data_use_purpose(purpose).await?;
                    fields.insert("DataUsePurposeId".to_owned(), Value::from(id.as_str()));
                }
                Some(Step::Create { object: object.clone(), fields, refers: References::new(), manner })
            }
        };
        let changed = Changed { field: STATUS.to_owned(), old, new, stance: choice.stance };
        let changed = if changed.old == changed.new { Vec::new() } else { vec![changed] };
        Ok(Write { object, name, record, step, changed })
    }

    /// What an earlier attempt of this event has written of these choices, and has no evidence of.
    pub(super) async fn landed_at_contact_points(
        &self,
        found: &[Match],
        choices: &[ContactPointChoice],
    ) -> Result<Vec<Write>, ProvisionError> {
        let choices: Vec<&ContactPointChoice> = choices.iter().collect();
        let mut individuals: Vec<RecordId> =
            found.iter().filter_map(|record| id_in(&record.row, "IndividualId")).collect();
        individuals.sort_unstable();
        individuals.dedup();
        let mut landed = Vec::new();
        for individual in &individuals {
            for row in self.rows(individual, &choices).await? {
                if let Some(choice) = choices.iter().find(|choice| is_of(&row, choice)) {
                    landed.extend(self.landed(individual, choice, &row).await?);
                }
            }
        }
        Ok(landed)
    }

    async fn landed(
        &self,
        individual: &RecordId,
        choice: &ContactPointChoice,
        row: &Row,
    ) -> Result<Option<Write>, ProvisionError> {
        let (name, new) = (name(individual, choice), Value::from(status(choice)));
        let Some(record) = id_in(row, "Id") else { return Ok(None) };
        let Some(old) = self.before_named(record.as_str(), CONSENT, &name, STATUS).cloned() else {
            return Ok(None);
        };
        if old == new || self.held_since(&record, STATUS, row.get(STATUS)).await? != new {
            return Ok(None);
        }
        let changed = vec![Changed { field: STATUS.to_owned(), old, new, stance: choice.stance }];
        Ok(Some(Write { object: CONSENT.to_owned(), name, record: Some(record), step: None, changed }))
    }

    /// Whether a row is about the very moment of this consent.
    fn is_of_now(&self, row: &Row) -> bool {
        row.get(CAPTURED).is_some_and(|captured| planning::same_value(CAPTURED, captured, &self.given()))
    }

    /// When the choices were made, as it is written.
    fn given(&self) -> Value {
        self.consent.given.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into()
    }

    async fn rows(
        &self,
        individual: &RecordId,
        wanted: &[&ContactPointChoice],
    ) -> Result<Vec<Row>, ProvisionError> {
        let names = wanted.iter().map(|choice| choice.name.as_str());
        let query = Query::select(CONSENT, &["Id", "Name", STATUS, CAPTURED]).and_then(|query| {
            query
                .where_(Condition::eq("PartyId", individual)?)
                .where_(Condition::is_in("Name", names)?)
                .order_by("Id", salesforce_client::soql::Order::Ascending)
        });
        self.ask(query).await
    }

    /// The individual behind a record. Where there is none it is made and linked in one transaction, so that none is left behind that
    /// belongs to nobody.
    async fn individual(&mut self, record: &Match) -> Result<RecordId, ProvisionError> {
        if let Some(individual) = id_in(&record.row, "IndividualId") {
            return Ok(individual);
        }
        let key = made_as(INDIVIDUAL, record.id.as_str());
        if let Err(error) = self.may_make(&key) {
            self.unclear.push(key);
            return Err(error);
        }
        self.begin_making(&key).await?;
        let named = ["FirstName", "LastName"]
            .map(|field| (field.to_owned(), record.row.get(field).cloned().unwrap_or_default()));
        let link = (record.object.as_str(), &record.id, "IndividualId");
        let made = self.org.create_linked(INDIVIDUAL, &Fields::from_iter(named), link, &self.ticket).await;
        if matches!(made, Err(CallError::Unknown { .. })) {
            self.unclear.push(key);
        } else {
            self.end_making(&key);
        }
        made.map_err(|error| self.failed(error))
    }

    async fn data_use_purpose(&self, name: &str) -> Result<RecordId, ProvisionError> {
        let query = Query::select(PURPOSE, &["Id"])
            .and_then(|query| Ok(query.where_(Condition::eq("Name", name)?).limit(2)));
        let rows = self.ask(query).await?;
        match rows.as_slice() {
            [only] => id_in(only, "Id").ok_or_else(|| misconfigured("a DataUsePurpose has no id")),
            [] => Err(misconfigured(format!(
                "the org {} has no DataUsePurpose called `{name}`: make it, or correct `data-use-purpose`",
                self.org.name()
            ))),
            _ => Err(misconfigured(format!(
                "the org {} has several DataUsePurposes called `{name}`: give them different names",
                self.org.name()
            ))),
        }
    }

    async fn ask(&self, query: Result<Query, NotAName>) -> Result<Vec<Row>, ProvisionError> {
        let query = query.map_err(|error| misconfigured(error.to_string()))?;
        self.org.query(&query, self.purpose()).await.map_err(not_asked)
    }
}

/// What a row says of a choice.
fn status(choice: &ContactPointChoice) -> &'static str {
    if choice.stance == Stance::Out { "OptOut" } else { "OptIn" }
}

/// Under which name a row may be made: of each individual one has the choice's.
fn name(individual: &RecordId, choice: &ContactPointChoice) -> String {
    format!("{individual} {}", choice.name)
}

fn is_of(row: &Row, choice: &ContactPointChoice) -> bool {
    let name = row.get("Name").and_then(Value::as_str);
    name.is_some_and(|name| name.eq_ignore_ascii_case(&choice.name))
}
