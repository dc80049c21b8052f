//! Deciding what to do for an identity of forty fields that is there already: unchanged, changed in one attribute, and ten
//! thousand of them. What is decided is what a change decides after it has been translated: which records the person is to
//! have, and which fields differ from what was last written.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use model::{OrgName, ResourceId};
use planning::{Aim, Decision, Found, Input, Origin, Place, Steps, courses, plan};
use salesforce_types::{Link, RecordId};
use scim_types::Resource;
use serde_json::json;
use translation::Translation;

use crate::{
    Failure,
    mapping::{FortyFields, REPEATS, quickest, read},
    report::Report,
};

/// Measures single identities for so long in all, and so many once.
pub fn measure(identities: usize, seconds: u64) -> Result<(), Failure> {
    let org = OrgName::new("bench")?;
    let forty = FortyFields::read()?;
    let planner =
        Planner { place: Place { target: forty.target(), org: &org, removed: false }, forty: &forty };
    let time = Duration::from_secs(seconds) / u32::try_from(3 * REPEATS)?;
    let mut report = Report::new("planning");

    let somebody = planner.somebody(0)?;
    let unchanged = planner.translate(&somebody);
    expect_steps(&planner.decide(&somebody, &unchanged)?, 0)?;
    let alone = quickest(time, || planner.decide(&somebody, &unchanged).is_ok());
    report.add("plan, unchanged", None, json!({"ns": alone}));
    let whole = quickest(time, || planner.decide(&somebody, &planner.translate(&somebody)).is_ok());
    report.add("translate and plan, unchanged", None, json!({"ns": whole}));

    let mut promoted = planner.somebody(0)?;
    promoted.user = read_with_title(0, "Principal Analyst")?;
    expect_steps(&planner.decide(&promoted, &planner.translate(&promoted))?, 1)?;
    let changed = quickest(time, || planner.decide(&promoted, &planner.translate(&promoted)).is_ok());
    report.add("translate and plan, one attribute changed", None, json!({"ns": changed}));

    let everybody =
        (0..identities).map(|number| planner.somebody(number)).collect::<Result<Vec<_>, Failure>>()?;
    let started = Instant::now();
    for somebody in &everybody {
        expect_steps(&planner.decide(somebody, &planner.translate(somebody))?, 0)?;
    }
    let took = started.elapsed();
    report.add(
        &format!("translate and plan {identities}, unchanged"),
        None,
        json!({"ms": took.as_millis(), "us_each": took.as_micros() as f64 / identities as f64}),
    );
    report.write()
}

/// An identity with its record.
struct Somebody {
    id: ResourceId,
    user: Resource,
    links: Vec<Link>,
}

struct Planner<'p> {
    forty: &'p FortyFields,
    place: Place<'p>,
}

impl Planner<'_> {
    /// Somebody who was made a User before.
    fn somebody(&self, number: usize) -> Result<Somebody, Failure> {
        let mut somebody = Somebody {
            id: ResourceId::from_text(format!("identity-{number}")),
            user: read(number)?,
            links: Vec::new(),
        };
        let translation = self.forty.translate(&somebody.user, None);
        let steps = self.decide(&somebody, &translation)?;
        expect_steps(&steps, 1)?;
        let record = RecordId::parse(&format!("005000000{number:06}"))?;
        let target = self.place.target;
        let (name, object) = (target.name.clone(), target.object.clone());
        let link = steps.link.into_link(name, self.place.org.clone(), object, Some(&record));
        somebody.links.extend(link);
        Ok(somebody)
    }

    fn translate(&self, somebody: &Somebody) -> Translation {
        self.forty.translate(&somebody.user, somebody.links.first().map(|link| &link.written))
    }

    /// What is to be done, once a look into the org has found nobody of that name.
    fn decide(&self, somebody: &Somebody, translation: &Translation) -> Result<Steps, Failure> {
        let places = [self.place];
        let courses = courses(&somebody.id, &places, Some(black_box(&somebody.user)), &somebody.links);
        let course = courses.all.first().ok_or("the identity holds no target")?;
        let nobody = Found::Records(Vec::new());
        let found =
            if matches!(course.aim, Aim::Hold(Origin::Linked(_))) { &Found::NotLooked } else { &nobody };
        let decision = plan(&Input {
            identity: &somebody.id,
            place: course.place,
            describe: &self.forty.describe,
            aim: &course.aim,
            translation: Some(translation),
            active: true,
            frozen: planning::Frozen::default(),
            blocked: false,
            found,
            profile: None,
            conversion: None,
            stripped: None,
        });
        match decision {
            Decision::Steps(steps) => Ok(steps),
            other => Err(format!("expected steps, found {other:?}").into()),
        }
    }
}

fn expect_steps(steps: &Steps, expected: usize) -> Result<(), Failure> {
    let found = steps.plan.steps.len();
    if found == expected { Ok(()) } else { Err(format!("expected {expected} steps, found {found}").into()) }
}

fn read_with_title(number: usize, title: &str) -> Result<Resource, Failure> {
    let mut body = read(number)?.as_map().clone();
    body.insert("title".into(), title.into());
    Ok(scim_types::Registry::standard().user().read_body(serde_json::Value::Object(body))?)
}
