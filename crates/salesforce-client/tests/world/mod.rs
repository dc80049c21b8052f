//! A simulated org and a client of it.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use futures::future::join_all;
use model::{Clock, OrgName};
use salesforce_client::{Flow, Org, OrgConfig, retry::Pace};
use salesforce_sim::{Fault, Sim, SimConfig};
use salesforce_types::{Duplicates, Fields, Manner, RecordId, References, Step, StepOutcome};
use serde_json::{Map, Value, json};

use crate::script::{Record, Vault, a_ticket, ticket_of};

pub struct World {
    pub sim: Sim,
    pub org: Org,
}

impl World {
    pub async fn start() -> Self {
        Self::with(Duration::ZERO, Duration::ZERO, 4).await
    }

    pub async fn with(latency: Duration, latency_per_record: Duration, max_in_flight: usize) -> Self {
        Self::of(SimConfig { latency, latency_per_record, ..SimConfig::default() }, max_in_flight).await
    }

    /// An org that holds what a file says. `name` is the test's own.
    pub async fn from_file(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        Self::of(SimConfig { org_file: Some(path), ..SimConfig::default() }, 4).await
    }

    async fn of(config: SimConfig, max_in_flight: usize) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let config = OrgConfig {
            name: OrgName::new("sim").unwrap(),
            url: sim.url().parse().unwrap(),
            flow: Flow::RefreshToken {
                client_id: "simulated-client".into(),
                client_secret: Some("simulated-secret".into()),
                refresh_token: Some("simulated-refresh-token".into()),
            },
            api_version: "v66.0".into(),
            reserve_calls: 0,
            call_timeout: Duration::from_secs(20),
            max_in_flight,
            keep_alive: Duration::from_hours(24),
        };
        let vault = Vault::with(None, Record::default());
        let org = Org::with_pace(config, vault, Clock::system(), Pace::without_pauses());
        Self { sim, org }
    }

    /// Everybody at once.
    pub async fn crowd(&self, all: &[Vec<Step>]) -> Vec<Vec<StepOutcome>> {
        let acts = all.iter().enumerate().map(|(n, steps)| async move {
            self.org.act(steps, &ticket_of("acme/prod", "hr", &n.to_string(), false)).await
        });
        join_all(acts).await
    }

    /// One after the other.
    pub async fn each(&self, all: &[Vec<Step>]) -> Vec<Vec<StepOutcome>> {
        let mut outcomes = Vec::new();
        for (n, steps) in all.iter().enumerate() {
            let ticket = ticket_of("acme/prod", "hr", &n.to_string(), false);
            outcomes.push(self.org.act(steps, &ticket).await);
        }
        outcomes
    }

    /// All records of an object, by their ids.
    pub fn records(&self, object: &str) -> HashMap<RecordId, Map<String, Value>> {
        let records = self.sim.handle().records(object).into_iter();
        records.map(|record| (record["Id"].as_str().unwrap().parse().unwrap(), record)).collect()
    }

    /// The record with an id.
    pub fn record(&self, object: &str, id: &RecordId) -> Map<String, Value> {
        self.records(object).remove(id).unwrap_or_else(|| panic!("no {object} {id}"))
    }

    /// A record that is there before the story begins.
    pub async fn make(&self, object: &str, fields: &[(&str, &str)]) -> RecordId {
        let manner = Manner { duplicates: Duplicates::Allow, ..Manner::default() };
        let step = create(object, fields, manner);
        done(&self.org.act(&[step], &a_ticket(false)).await[0])
    }
}

pub fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(field, value)| ((*field).to_owned(), json!(value))).collect()
}

pub fn create(object: &str, values: &[(&str, &str)], manner: Manner) -> Step {
    Step::Create { object: object.into(), fields: fields(values), refers: References::new(), manner }
}

pub fn upsert(object: &str, value: &str, values: &[(&str, &str)], manner: Manner) -> Step {
    Step::Upsert {
        object: object.into(),
        key: "GangwayId__c".into(),
        value: value.into(),
        fields: fields(values),
        refers: References::new(),
        manner,
    }
}

pub fn fault(kind: &str, path: &str) -> Fault {
    serde_json::from_value(json!({ "kind": kind, "path": path, "count": 1 })).unwrap()
}

pub fn all_done(outcomes: &[StepOutcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, StepOutcome::Done { .. }))
}

pub fn done(outcome: &StepOutcome) -> RecordId {
    match outcome {
        StepOutcome::Done { id } => id.clone(),
        other => panic!("{other:?}"),
    }
}

/// What an outcome says, without what differs from run to run.
pub fn gist(outcome: &StepOutcome) -> String {
    match outcome {
        StepOutcome::Done { .. } => "done".to_owned(),
        StepOutcome::There => "there".to_owned(),
        StepOutcome::Refused(refusal) => {
            format!("{} {:?} {} records", refusal.code, refusal.fields, refusal.records.len())
        }
        StepOutcome::Unknown { why } => format!("unknown: {why}"),
        StepOutcome::NotSent { why, .. } => format!("not sent: {why}"),
    }
}

pub fn gists(outcomes: &[Vec<StepOutcome>]) -> Vec<Vec<String>> {
    outcomes.iter().map(|outcomes| outcomes.iter().map(gist).collect()).collect()
}
