//! Choices as `ContactPointTypeConsent`: one row for each individual, purpose and kind of contact point.

use salesforce_client::soql::{Condition, NotAName, Query};
use salesforce_types::{Fields, Manner, RecordId, References, Step, StepOutcome};
use serde_json::{Map, Value};

use super::{
    ContactPointChoice, Run, Stance, Which,
    fields::moment,
    fit::no_contact_points,
    matching::{Match, id_in},
    misconfigured,
    writing::{Changed, Write},
};
use crate::ProvisionError;

pub(super) const CONSENT: &str = "ContactPointTypeConsent";
pub(super) const INDIVIDUAL: &str = "Individual";
const PURPOSE: &str = "DataUsePurpose";
const STATUS: &str = "PrivacyConsentStatus";
const CAPTURED: &str = "CaptureDate";
/// Where a choice was made, for Salesforce.
const CAPTURE_SOURCE: &str = "Didomi";

type Row = Map<String, Value>;

impl Run<'_> {
    /// The rows that say the choices. Individuals that are missing are made and linked here: a row needs one.
    pub(super) async fn at_contact_points(
        &self,
        chosen: &[(Match, Which)],
        choices: &[ContactPointChoice],
    ) -> Result<Vec<Write>, ProvisionError> {
        if let Some(why) = no_contact_points(self.org).await.map_err(|error| self.failed(error))? {
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
            let individual = self.individual(record).await?;
            // Several records may be of one individual.
            if done.contains(&individual) {
                continue;
            }
            done.push(individual.clone());
            let rows = self.rows(&individual, &wanted).await?;
            for choice in wanted {
                let is_its = |row: &&Row| {
                    let name = row.get("Name").and_then(Value::as_str);
                    name.is_some_and(|name| name.eq_ignore_ascii_case(&choice.name))
                };
                let its: Vec<&Row> = rows.iter().filter(is_its).collect();
                if its.is_empty() {
                    writes.push(self.row(&individual, choice, None).await?);
                }
                // All of them: one that is left would say something else.
                for row in its {
                    writes.push(self.row(&individual, choice, Some(row)).await?);
                }
            }
        }
        Ok(writes)
    }

    async fn row(
        &self,
        individual: &RecordId,
        choice: &ContactPointChoice,
        row: Option<&Row>,
    ) -> Result<Write, ProvisionError> {
        let status = if choice.stance == Stance::Out { "OptOut" } else { "OptIn" };
        let given = Value::from(self.consent.given.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
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
        let id = record.as_ref().map_or("", RecordId::as_str);
        let old =
            self.before_named(id, CONSENT, &choice.name, STATUS).cloned().unwrap_or_else(|| current.clone());
        let changed = Changed { field: STATUS.to_owned(), old, new: Value::from(status) };
        let (object, manner) = (CONSENT.to_owned(), Manner::default());
        let step = match &record {
            // It stands there already: an earlier attempt has written it.
            Some(_) if current == changed.new && row.is_some_and(|row| self.is_of_now(row)) => None,
            Some(id) => Some(Step::Update { object: object.clone(), id: id.clone(), fields, manner }),
            None => {
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
        let changed = if changed.old == changed.new { Vec::new() } else { vec![changed] };
        Ok(Write { object, name: choice.name.clone(), record, step, changed })
    }

    /// Whether a row is about the very moment of this consent.
    fn is_of_now(&self, row: &Row) -> bool {
        let captured = row.get(CAPTURED).and_then(Value::as_str).and_then(moment);
        captured.is_some_and(|captured| captured.as_millisecond() == self.consent.given.as_millisecond())
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

    /// The individual behind a record; made and linked where there is none.
    async fn individual(&self, record: &Match) -> Result<RecordId, ProvisionError> {
        if let Some(individual) = id_in(&record.row, "IndividualId") {
            return Ok(individual);
        }
        let named = ["FirstName", "LastName"]
            .map(|field| (field.to_owned(), record.row.get(field).cloned().unwrap_or_default()));
        let step = Step::Create {
            object: INDIVIDUAL.to_owned(),
            fields: Fields::from_iter(named),
            refers: References::new(),
            manner: Manner::default(),
        };
        let individual = self.one(step).await?;
        let linked = Fields::from_iter([("IndividualId".to_owned(), Value::from(individual.as_str()))]);
        self.one(Step::Update {
            object: record.object.as_str().to_owned(),
            id: record.id.clone(),
            fields: linked,
            manner: Manner::default(),
        })
        .await?;
        Ok(individual)
    }

    async fn one(&self, step: Step) -> Result<RecordId, ProvisionError> {
        let outcomes: Vec<StepOutcome> = self.org.act(&[step], &self.ticket).await;
        self.ended(outcomes.into_iter().next())
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
        self.org.query(&query, self.purpose()).await.map_err(|error| self.failed(error))
    }
}
