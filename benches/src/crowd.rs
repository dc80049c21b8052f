//! Joiners with grants, alone and in a crowd: how many API calls each costs, and how long it waits. Driven through the
//! dispatcher itself, so that nothing but the org's own time is in the way.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use model::{ClientName, ResourceId};
use salesforce_client::{Asker, Org, Ticket};
use salesforce_sim::{Sim, SimConfig, SimHandle};
use salesforce_types::{Fields, Manner, References, Step, StepOutcome};
use serde_json::{Value, json};

use crate::{Failure, load::Measured, org, report::Report};

/// Measures a lone joiner, `joiners` that are all there at once, and as many over `connections` that wait for their
/// answers.
pub fn measure(
    joiners: usize,
    connections: usize,
    latency: Duration,
    per_record: Duration,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::new("crowd");
    runtime.block_on(async {
        let quick = Crowd::start(Duration::ZERO, Duration::ZERO).await?;
        quick.lone(&mut report, "no latency").await?;
        quick.queued(&mut report, joiners, "no latency").await?;
        drop(quick);
        let what = format!("{} ms + {} ms a record", latency.as_millis(), per_record.as_millis());
        let slow = Crowd::start(latency, per_record).await?;
        let lone = slow.lone(&mut report, &what).await?;
        slow.waiting(&mut report, joiners, connections, &what, lone).await?;
        slow.queued(&mut report, joiners, &what).await?;
        Ok::<_, Failure>(())
    })?;
    report.write()
}

/// An org, and what its joiners get.
struct Crowd {
    sim: Sim,
    org: Org,
    profile: String,
    sets: Vec<String>,
    groups: Vec<String>,
    next: AtomicUsize,
}

impl Crowd {
    async fn start(latency: Duration, per_record: Duration) -> Result<Self, Failure> {
        let sim =
            Sim::start(SimConfig { latency, latency_per_record: per_record, ..SimConfig::default() }).await?;
        let handle = sim.handle();
        if !handle.set_licence_total("Salesforce", 10_000_000) {
            return Err("the simulated org has no licence `Salesforce`".into());
        }
        let org = org::connect(&sim, SLOTS)?;
        let profile = ids(&handle, "Profile", |record| record["Name"] == "Standard User");
        let sets = ids(&handle, "PermissionSet", |record| SETS.iter().any(|name| record["Name"] == *name));
        let groups = ids(&handle, "Group", |record| record["Type"] == "Regular");
        let profile = profile.first().cloned().ok_or("no profile `Standard User`")?;
        if sets.len() < SETS.len() || groups.len() < 2 {
            return Err("the simulated org has too few permission sets or groups".into());
        }
        Ok(Self { sim, org, profile, sets, groups, next: AtomicUsize::new(0) })
    }

    /// A new user, and three permission sets and two groups, or five permission sets.
    fn joiner(&self, with_groups: bool) -> Vec<Step> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("joiner{n}@crowd.example");
        let fields: Fields = [
            ("Username", json!(name)),
            ("LastName", json!(format!("Joiner {n}"))),
            ("Email", json!(name)),
            ("Alias", json!("joiner")),
            ("TimeZoneSidKey", json!("GMT")),
            ("LocaleSidKey", json!("en_US")),
            ("EmailEncodingKey", json!("UTF-8")),
            ("LanguageLocaleKey", json!("en_US")),
            ("ProfileId", json!(self.profile)),
            ("IsActive", json!(true)),
        ]
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value))
        .collect();
        let mut steps = vec![Step::Create {
            object: "User".into(),
            fields,
            refers: References::new(),
            manner: Manner::default(),
        }];
        let (sets, groups) = if with_groups { (3, 2) } else { (SETS.len(), 0) };
        let grant = |object: &str, user: &str, what: &str, id: &String| Step::Create {
            object: object.into(),
            fields: [(what.to_owned(), json!(id))].into_iter().collect(),
            refers: [(user.to_owned(), 0)].into_iter().collect(),
            manner: Manner::default(),
        };
        let sets = self.sets.iter().take(sets);
        let groups = self.groups.iter().take(groups);
        steps.extend(sets.map(|id| grant("PermissionSetAssignment", "AssigneeId", "PermissionSetId", id)));
        steps.extend(groups.map(|id| grant("GroupMember", "UserOrGroupId", "GroupId", id)));
        steps
    }

    fn ticket(&self) -> Result<Ticket, Failure> {
        let asker = Asker {
            tenant: "bench/prod".parse()?,
            client: ClientName::new("bench")?,
            identity: ResourceId::from_text(self.next.load(Ordering::Relaxed).to_string()),
        };
        Ok(Ticket::new(asker, false))
    }

    async fn join(&self, with_groups: bool) -> Result<Duration, Failure> {
        let (steps, ticket) = (self.joiner(with_groups), self.ticket()?);
        let started = Instant::now();
        let outcomes = self.org.act(&steps, &ticket).await;
        match outcomes.iter().find(|outcome| !matches!(outcome, StepOutcome::Done { .. })) {
            Some(outcome) => Err(format!("a joiner came to nothing: {outcome:?}").into()),
            None => Ok(started.elapsed()),
        }
    }

    async fn lone(&self, report: &mut Report, what: &str) -> Result<Duration, Failure> {
        // The token, and the connection.
        self.join(true).await?;
        let calls = self.sim.handle().api_calls();
        let mut took = Vec::new();
        for _ in 0..20 {
            took.push(self.join(true).await?);
        }
        let calls = self.sim.handle().api_calls() - calls;
        let all = took.iter().sum();
        let measured = measured(&mut took, all);
        report.add(
            &format!("lone joiner, {what}"),
            Some(&measured),
            json!({"calls_each": calls as f64 / 20.0}),
        );
        Ok(Duration::from_micros(measured.p50_us))
    }

    /// All of them wait in line from the start.
    async fn queued(&self, report: &mut Report, joiners: usize, what: &str) -> Result<(), Failure> {
        self.sim.handle().forget_calls();
        let started = Instant::now();
        let all = (0..joiners).map(|_| self.join(true));
        let mut took = futures::future::try_join_all(all).await?;
        let measured = measured(&mut took, started.elapsed());
        report.add(
            &format!("{joiners} queued, {what}"),
            Some(&measured),
            shares(&self.sim.handle().calls(), joiners),
        );
        Ok(())
    }

    /// So many at once, each waiting for its answer before the next comes.
    async fn waiting(
        &self,
        report: &mut Report,
        joiners: usize,
        connections: usize,
        what: &str,
        lone: Duration,
    ) -> Result<(), Failure> {
        for (with_groups, grants) in [(false, "permission sets"), (true, "permission sets and groups")] {
            self.sim.handle().forget_calls();
            let left = AtomicUsize::new(joiners);
            let one = || async {
                let mut took = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    took.push(self.join(with_groups).await?);
                }
                Ok::<_, Failure>(took)
            };
            let started = Instant::now();
            let took = futures::future::try_join_all((0..connections).map(|_| one())).await?;
            let mut took: Vec<Duration> = took.into_iter().flatten().collect();
            let measured = measured(&mut took, started.elapsed());
            let mut extra = shares(&self.sim.handle().calls(), joiners);
            extra["p99_of_lone"] = json!(measured.p99_us as f64 / lone.as_micros() as f64);
            report.add(&format!("{joiners} over {connections}, 5 {grants}, {what}"), Some(&measured), extra);
        }
        Ok(())
    }
}

/// What the org has seen (`/_sim/calls`), as shares of so many who joined.
pub fn shares(seen: &Value, joiners: usize) -> Value {
    let calls = seen["api_calls"].as_f64().unwrap_or_default();
    let sizes = seen["records_per_write"]["calls_by_size"].as_object().cloned().unwrap_or_default();
    let records: f64 = sizes
        .iter()
        .map(|(size, calls)| size.parse().unwrap_or(0.0) * calls.as_f64().unwrap_or_default())
        .sum();
    json!({
        "calls": calls,
        "calls_each": calls / joiners as f64,
        "in_flight": seen["in_flight"]["peak"],
        "records_each_call": records / calls,
    })
}

/// Permission sets of the default org that every user of the licence Salesforce may have.
const SETS: [&str; 5] =
    ["Sales_Basics", "Report_Export", "Service_Agent", "Contract_Approver", "Delegated_User_Admin"];
/// What a gateway has by default.
const SLOTS: usize = 4;

fn measured(took: &mut [Duration], all: Duration) -> Measured {
    took.sort_unstable();
    let at = |share: f64| {
        let index = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
        took.get(index).map_or(0, |took| took.as_micros() as u64)
    };
    Measured {
        requests: took.len(),
        per_second: took.len() as f64 / all.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
    }
}

fn ids(handle: &SimHandle, object: &str, which: impl Fn(&Value) -> bool) -> Vec<String> {
    let records = handle.records(object).into_iter().map(Value::Object);
    records.filter(which).filter_map(|record| record["Id"].as_str().map(str::to_owned)).collect()
}
