//! Translating an identity of forty fields: nanoseconds for each field, and how that compares to reading the same person
//! from JSON, which every request does anyway.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use salesforce_sim::{Sim, SimConfig};
use salesforce_types::{Fields, ObjectDescription};
use scim_types::{Registry, Resource};
use serde_json::{Value, json};
use translation::{Action, Context, Desired, Mapping, Resolved, Target, Translation};

use crate::{Failure, org, report::Report};

const MAPPING: &str = include_str!("forty-fields.toml");
/// How often each measurement is repeated; the quickest counts, because nothing but other programs makes it slower.
pub const REPEATS: usize = 7;

/// The mapping of forty fields, and the org that it is for.
pub struct FortyFields {
    mapping: Mapping,
    pub describe: ObjectDescription,
}

impl FortyFields {
    /// Read, and checked against a simulated org.
    pub fn read() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let describe = runtime.block_on(async {
            let sim = Sim::start(SimConfig::default()).await?;
            Ok::<_, Failure>(org::connect(&sim, 1)?.describe("User").await?)
        })?;
        let mapping = Mapping::parse(MAPPING, "forty-fields.toml")?;
        match mapping.check(&describe).first() {
            Some(error) => Err(error.to_string().into()),
            None => Ok(Self { mapping, describe: (*describe).clone() }),
        }
    }

    /// Its only target.
    pub fn target(&self) -> &Target {
        &self.mapping.targets[0]
    }

    /// One translation, as a change makes it.
    pub fn translate(&self, user: &Resource, written: Option<&Fields>) -> Translation {
        let resolved = Resolved::new();
        let context = Context {
            describe: &self.describe,
            action: if written.is_some() { Action::Update } else { Action::Create },
            username_domain: Some("acme.example"),
            written,
            resolved: &resolved,
            identity: Some("1f0c3a5e-1c1b-4ad5-9c8e-1f2d3c4b5a69"),
        };
        self.target().translate(black_box(user), &context)
    }
}

/// Measures the translation of an identity for so long in all.
pub fn measure(seconds: u64) -> Result<(), Failure> {
    let forty = FortyFields::read()?;
    let time = Duration::from_secs(seconds) / u32::try_from(3 * REPEATS)?;
    let text = person(0).to_string();
    let user = read(0)?;
    let mut report = Report::new("mapping");

    let parse = quickest(time, || serde_json::from_str::<Value>(black_box(&text)).is_ok());
    report.add("parse the person's JSON", None, json!({"ns": parse}));

    let created = forty.translate(&user, None);
    if !created.refusals.is_empty() {
        return Err(format!("the org would refuse it: {:?}", created.refusals).into());
    }
    let create = quickest(time, || forty.translate(&user, None));
    add(&mut report, "translate for a create", create, created.fields.len(), parse);

    let written = written(&created);
    let updated = forty.translate(&user, Some(&written));
    let update = quickest(time, || forty.translate(&user, Some(&written)));
    add(&mut report, "translate for an update", update, updated.fields.len(), parse);
    report.write()
}

fn add(report: &mut Report, what: &str, nanoseconds: u64, fields: usize, parse: u64) {
    let extra = json!({
        "ns": nanoseconds,
        "fields": fields,
        "ns_per_field": nanoseconds as f64 / fields as f64,
        "of_parsing": nanoseconds as f64 / parse as f64,
    });
    report.add(what, None, extra);
}

/// What is in the record once a translation was written.
fn written(translation: &Translation) -> Fields {
    let fields = translation.fields.iter().map(|(name, desired)| match desired {
        Desired::Set(value) => (name.clone(), value.clone()),
        Desired::Clear => (name.clone(), Value::Null),
    });
    fields.collect()
}

/// Nanoseconds for one call, of the quickest of several runs of this length.
pub fn quickest<T>(time: Duration, mut call: impl FnMut() -> T) -> u64 {
    let mut run = || {
        let (started, mut calls) = (Instant::now(), 0_u32);
        while started.elapsed() < time {
            for _ in 0..100 {
                black_box(call());
            }
            calls += 100;
        }
        started.elapsed().as_nanos() as u64 / u64::from(calls)
    };
    (0..REPEATS).map(|_| run()).min().unwrap_or_default()
}

/// Somebody with a value for every field, as Gangway keeps him.
pub fn read(number: usize) -> Result<Resource, Failure> {
    Ok(Registry::standard().user().read_body(person(number))?)
}

fn person(number: usize) -> Value {
    let name = format!("ada.lovelace{number}@acme.example");
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": number.to_string(), "userName": name, "displayName": "Ada Lovelace", "nickName": "ada",
        "name": {"formatted": "Ada Lovelace", "givenName": "Ada", "familyName": "Lovelace"},
        "title": "Senior Analyst", "userType": "Employee", "active": true,
        "preferredLanguage": "nl-NL", "locale": "nl-NL", "timezone": "W. Europe Standard Time",
        "emails": [
            {"value": name, "type": "work", "primary": true},
            {"value": "ada@home.example", "type": "home"},
        ],
        "phoneNumbers": [
            {"value": "+31 30 123 4567", "type": "work"},
            {"value": "+31 6 1234 5678", "type": "mobile"},
            {"value": "+31 30 123 4568", "type": "fax"},
            {"value": "+31 30 123 4500 x123", "type": "other"},
        ],
        "addresses": [{
            "type": "work", "primary": true, "streetAddress": "Oudegracht 1", "locality": "Utrecht", "region": "Utrecht",
            "postalCode": "3511 AB", "country": "Netherlands",
        }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "E40021", "organization": "Acme BV", "division": "Engines", "department": "Sales EMEA",
        },
    })
}
