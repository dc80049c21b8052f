//! `gangway check`: does the configuration hold, and do the orgs agree with it?

mod cases;
mod consents;
mod offers;
mod quota;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use model::{Clock, OrgName, TenantId, Timestamp};
use salesforce_client::{CallError, Org};
use salesforce_types::ObjectDescription;
use serde::Serialize;
use serde_json::json;
use store::sqlite::SqliteStore;
use translation::{MappingError, Severity, Target};

use super::{Failure, Output, asked_to_stop, chain, output, preview};
use crate::{
    config::{Config, OrgSettings, TenantSettings},
    metrics::OrgUsage,
    tenants,
    trial::{Descriptions, Surroundings},
    vault,
};
use offers::Past;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(
        long,
        short = 'c',
        value_name = "FILE",
        env = "GANGWAY_CONFIG",
        required_unless_present = "mapping"
    )]
    config: Option<PathBuf>,
    /// Only this mapping and the tests beside it: without a configuration, and without an org.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    /// `org acme-prod`, `tenant acme/prod`.
    about: String,
    what: String,
    /// What to do, and where to click.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Ok,
    /// Works, but look at it.
    Warning,
    /// Will not work.
    Problem,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}

#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    /// What the orgs have said, for the tests of mappings.
    described: Descriptions,
    quotas: Vec<quota::Quota>,
}

impl Report {
    fn note(&mut self, verdict: Verdict, about: &str, what: impl Into<String>, advice: Option<&str>) {
        let advice = advice.map(ToOwned::to_owned);
        self.findings.push(Finding { verdict, about: about.to_owned(), what: what.into(), advice });
    }

    fn ok(&mut self, about: &str, what: impl Into<String>) {
        self.note(Verdict::Ok, about, what, None);
    }

    fn warn(&mut self, about: &str, what: impl Into<String>, advice: &str) {
        self.note(Verdict::Warning, about, what, Some(advice));
    }

    fn problem(&mut self, about: &str, what: impl Into<String>, advice: &str) {
        self.note(Verdict::Problem, about, what, Some(advice));
    }
}

/// Checks everything, prints what it found, and fails with exit code 4 where something has to be corrected.
///
/// A running gateway is no hindrance: both take turns at logging in, and share the access token. Whoever interrupts it waits
/// for a login that is under way, because the refresh token that an org rotates has to be kept.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let path = match (&arguments.mapping, &arguments.config) {
        (Some(mapping), _) => return check_mapping(mapping, output),
        (None, Some(path)) => path,
        // clap asks for one of them.
        (None, None) => return Err(Failure::Failed("check what? Give --config or --mapping".to_owned())),
    };
    let config = Config::load(path)?;
    let mut report = Report::default();
    report.ok(
        "configuration",
        format!("{}, {}", count(config.tenants.len(), "tenant"), count(config.orgs.len(), "org")),
    );
    quota::check_listener(&config.server, &mut report);
    let (vault, running) = vault::open(&config.store).map_err(|error| Failure::Failed(chain(&error)))?;
    report.ok("store", if running { "a gateway is running on it" } else { "it opens, and the key fits" });
    // Only a gateway on this very store is asked: anything else may listen there.
    let usage = if running { quota::ask(&config.server, &mut report).await } else { Vec::new() };
    let clock = Clock::system();
    let past = pasts(&config, clock.now(), &mut report).await?;
    let orgs = tenants::orgs(&config.orgs, &[], &HashMap::new(), &vault, &clock);
    let interrupted = tokio::select! {
        () = check_orgs(&config, &orgs, &usage, &past, &mut report) => false,
        () = asked_to_stop() => true,
    };
    for org in orgs.values() {
        org.close().await;
    }
    if interrupted {
        return Err(Failure::Failed("interrupted".to_owned()));
    }
    check_cases(&config, clock.now(), &mut report);
    finish(&report, output)
}

/// Checks a mapping by itself, with its tests.
fn check_mapping(file: &Path, output: Output) -> Result<(), Failure> {
    let mapping = preview::read_mapping(file)?;
    let mut report = Report::default();
    report.ok("mapping", format!("{}, {}", file.display(), count(mapping.targets.len(), "target")));
    report_findings(mapping.warnings().iter(), "mapping", &mut report);
    let around = Surroundings {
        now: Clock::system().now(),
        descriptions: Descriptions::default(),
        default_org: None,
        username_domain: None,
    };
    cases::run(file, &mapping, &around, "mapping", &mut report);
    finish(&report, output)
}

fn finish(report: &Report, output: Output) -> Result<(), Failure> {
    print(report, output);
    let wrong = report.findings.iter().any(|finding| finding.verdict == Verdict::Problem);
    if wrong { Err(Failure::Findings) } else { Ok(()) }
}

/// What the store says of each tenant. One that cannot be read at a sitting has no forecast.
async fn pasts(
    config: &Config,
    now: Timestamp,
    report: &mut Report,
) -> Result<HashMap<TenantId, Past>, Failure> {
    let store = SqliteStore::open_read_only(&config.store.database)?;
    let mut pasts = HashMap::new();
    for tenant in &config.tenants {
        match Past::read(&store, &tenant.id, now).await {
            Ok(past) => drop(pasts.insert(tenant.id.clone(), past)),
            Err(error) => report.warn(
                &format!("tenant {}", tenant.id),
                format!("how many seats it will need cannot be told: {}", chain(&error)),
                "look at the seats below by themselves",
            ),
        }
    }
    Ok(pasts)
}

/// `usage` is what a running gateway has spent.
async fn check_orgs(
    config: &Config,
    orgs: &HashMap<OrgName, Org>,
    usage: &[OrgUsage],
    past: &HashMap<TenantId, Past>,
    report: &mut Report,
) {
    for settings in &config.orgs {
        let about = format!("org {}", settings.name);
        if settings.simulated() {
            report.warn(
                &about,
                "this is a simulated org",
                "nothing here is real; Salesforce is reached by https",
            );
        }
        let running = usage.iter().find(|usage| usage.org == settings.name);
        if let Some(org) = orgs.get(&settings.name) {
            check_org(org, settings, &config.tenants, past, report).await;
            if running.is_none() {
                quota::report(quota::Since::Check, &OrgUsage::of(org), report);
            }
        }
        if let Some(running) = running {
            quota::report(quota::Since::Start, running, report);
        }
    }
}

/// Runs the tests beside the mappings. They need no org; what one has said is used.
fn check_cases(config: &Config, now: Timestamp, report: &mut Report) {
    for tenant in &config.tenants {
        let Some(file) = &tenant.mapping_file else { continue };
        let around = Surroundings {
            now,
            descriptions: report.described.clone(),
            default_org: tenant.org.as_ref(),
            username_domain: tenant.username_domain.as_deref(),
        };
        cases::run(file, &tenant.mapping, &around, &format!("tenant {}", tenant.id), report);
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

async fn check_org(
    org: &Org,
    settings: &OrgSettings,
    tenants: &[TenantSettings],
    past: &HashMap<TenantId, Past>,
    report: &mut Report,
) {
    let about = format!("org {}", settings.name);
    if let Err(error) = org.try_credentials().await {
        return explain(&about, &error, report);
    }
    let checkup = match org.check().await {
        Ok(checkup) => checkup,
        Err(error) => return explain(&about, &error, report),
    };
    report
        .ok(&about, format!("signed in to {} as user {}", checkup.identity.org_id, checkup.identity.user_id));
    if !checkup.api_version_offered {
        let last = checkup.api_versions.last().map(|version| version.trim_start_matches('v').to_owned());
        let advice = format!("write api-version = \"{}\"", last.unwrap_or_default());
        report.problem(&about, format!("it does not offer API version {}", settings.api_version), &advice);
        // Every other question would be answered with this.
        return;
    }
    if !checkup.sees_users {
        report.problem(
            &about,
            "the integration user cannot see the object User",
            "Setup > Users > Permission Sets: give it API Enabled, View All Users and Manage Internal Users",
        );
        return;
    }
    for tenant in tenants {
        check_tenant(org, settings, tenant, report).await;
    }
    consents::check(org, &settings.name, tenants, report).await;
    offers::check(org, &settings.name, tenants, past, report).await;
}

/// What went wrong with an org, and where to click.
fn explain(about: &str, error: &CallError, report: &mut Report) {
    let advice = match error {
        CallError::Parked { why, advice } => return report.problem(about, why.clone(), advice),
        CallError::NotSent { .. } | CallError::Unknown { .. } => {
            "is the address right, and can this machine reach it (proxy, firewall)?"
        }
        CallError::Refused(refusal) => match refusal.code.as_str() {
            "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
                "Setup > Users > Profiles: the integration user needs API Enabled; the edition must have the API"
            }
            "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY" => {
                "Setup > Users > Permission Sets: give the integration user Manage Internal Users"
            }
            _ => "see Setup > Connected Apps OAuth Usage, and the login history of the integration user",
        },
    };
    report.problem(about, error.to_string(), advice);
}

/// Whether the targets of a tenant that are in this org fit it.
async fn check_tenant(org: &Org, settings: &OrgSettings, tenant: &TenantSettings, report: &mut Report) {
    let is_here = |target: &Target| target.org.as_ref().or(tenant.org.as_ref()) == Some(&settings.name);
    let about = format!("tenant {}", tenant.id);
    let targets: Vec<&Target> = tenant.mapping.targets.iter().filter(|target| is_here(target)).collect();
    if targets.is_empty() {
        return;
    }
    let describes = describe_objects(org, &targets, &about, report).await;
    for describe in &describes {
        report.described.keep(settings.name.clone(), Arc::clone(describe));
    }
    let describes: Vec<&ObjectDescription> = describes.iter().map(AsRef::as_ref).collect();
    let findings = tenant.mapping.check_in(&describes, is_here);
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        let objects: Vec<&str> = describes
            .iter()
            .map(|describe| describe.name.as_str())
            .filter(|name| targets.iter().any(|target| target.object == *name))
            .collect();
        if !objects.is_empty() {
            report.ok(&about, format!("its mapping fits {} in {}", objects.join(", "), settings.name));
        }
    }
    report_findings(findings.iter().chain(tenant.mapping.warnings()), &about, report);
}

fn report_findings<'m>(findings: impl Iterator<Item = &'m MappingError>, about: &str, report: &mut Report) {
    for finding in findings {
        let verdict = match finding.severity {
            Severity::Error => Verdict::Problem,
            Severity::Warning => Verdict::Warning,
        };
        let what = format!("{}:{}:{}: {}", finding.file, finding.line, finding.column, finding.message);
        let advice = finding.suggestion.as_ref().map(|suggestion| format!("did you mean `{suggestion}`?"));
        report.note(verdict, about, what, advice.as_deref());
    }
}

/// What the org says of the objects that targets make, and of those that they refer to by an external id.
async fn describe_objects(
    org: &Org,
    targets: &[&Target],
    about: &str,
    report: &mut Report,
) -> Vec<Arc<ObjectDescription>> {
    let mut waiting: Vec<String> = targets.iter().rev().map(|target| target.object.clone()).collect();
    let mut seen = HashSet::new();
    let mut describes: Vec<Arc<ObjectDescription>> = Vec::new();
    while let Some(object) = waiting.pop() {
        if !seen.insert(object.clone()) {
            continue;
        }
        match org.describe(&object).await {
            Ok(describe) => {
                let of_object = targets.iter().filter(|target| target.object == object);
                let referred = of_object.flat_map(|target| target.relationships());
                let fields = referred.filter_map(|relationship| describe.relationship(relationship));
                waiting.extend(fields.flat_map(|field| field.reference_to.iter().cloned()));
                describes.push(describe);
            }
            Err(error) => explain(about, &error, report),
        }
    }
    describes
}

fn print(report: &Report, output: Output) {
    match output {
        Output::Json => output::document(&json!({ "findings": report.findings, "quotas": report.quotas })),
        Output::Table => output::table(
            ["", "about", "what", "what to do"],
            report.findings.iter().map(|finding| {
                let advice = finding.advice.clone().unwrap_or_default();
                [finding.verdict.word().to_owned(), finding.about.clone(), finding.what.clone(), advice]
            }),
        ),
    }
}
