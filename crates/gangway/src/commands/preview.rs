//! `gangway preview`: what a mapping makes of a person, without writing anything.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use model::{Clock, OrgName, TargetName};
use salesforce_client::Purpose;
use salesforce_types::Catalogue;
use scim_types::schema::ENTERPRISE_USER_URN;
use serde_json::{Value, json};
use translation::{Action, Mapping, RuleInFile};

use super::{Failure, Output, chain, output};
use crate::{
    config::{Config, ConfigErrors, TenantSettings, from_mapping},
    tenants,
    trial::{Attempt, Description, Descriptions, Person, Trial, TriedField, TriedGrant, holdings},
    vault,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The mapping file.
    #[arg(value_name = "MAPPING")]
    mapping: PathBuf,
    /// A JSON file with a SCIM User; `-` is standard input.
    #[arg(value_name = "PERSON")]
    person: PathBuf,
    /// Check the fields against the orgs of this configuration, and take `username-domain` from the environment that has this
    /// mapping.
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// The org of targets that name none, where the configuration does not tell.
    #[arg(long, value_name = "NAME", requires = "config")]
    org: Option<OrgName>,
    /// Check the fields against what an org has said of an object (its describe, as JSON). Can be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    describe: Vec<PathBuf>,
    /// Only this target, held or not.
    #[arg(long, value_name = "NAME")]
    target: Option<TargetName>,
    /// Whether the record is made or is there already.
    #[arg(long, value_enum, default_value_t)]
    action: ActionName,
    /// The name of a group that the person is a member of. Can be repeated.
    #[arg(long, value_name = "GROUP")]
    member_of: Vec<String>,
    /// What a `userName` that is no e-mail address gets behind its `@`.
    #[arg(long, value_name = "DOMAIN")]
    username_domain: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ActionName {
    /// It is made.
    #[default]
    Create,
    /// It is there already.
    Update,
}

impl From<ActionName> for Action {
    fn from(name: ActionName) -> Self {
        match name {
            ActionName::Create => Self::Create,
            ActionName::Update => Self::Update,
        }
    }
}

/// What the fields are checked against, and what the configuration says besides.
#[derive(Default)]
struct Known {
    /// From files, by object in lower case.
    files: HashMap<String, Description>,
    orgs: Descriptions,
    /// What the orgs offer, where rules give something in them.
    offers: HashMap<OrgName, Catalogue>,
    default_org: Option<OrgName>,
    username_domain: Option<String>,
}

/// Shows what a mapping makes of a person. Exit code 4 where Salesforce would refuse something.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let mapping = read_mapping(&arguments.mapping)?;
    let person = read_person(&arguments.person)?.in_groups(&arguments.member_of);
    let known = match &arguments.config {
        Some(path) => ask_orgs(arguments, &Config::load(path)?, &mapping).await?,
        None => Known { files: read_describes(&arguments.describe)?, ..Known::default() },
    };
    let trials = try_targets(arguments, &mapping, &person, &known)?;
    print(&mapping, &trials, &person, arguments.target.is_some(), output);
    let goes = |trial: &Trial| trial.refusals.is_empty() && trial.grants.iter().all(TriedGrant::can_be_given);
    let refused = trials.iter().any(|trial| trial.holding.holds && !goes(trial));
    if refused { Err(Failure::Findings) } else { Ok(()) }
}

/// Reads a mapping file by itself.
pub(super) fn read_mapping(path: &Path) -> Result<Mapping, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::Config(ConfigErrors::unreadable(path, &format!("the mapping cannot be read: {error}")))
    })?;
    Mapping::parse(&text, &path.display().to_string())
        .map_err(|errors| Failure::Config(ConfigErrors::new(from_mapping(&text, errors).collect())))
}

fn read_person(path: &Path) -> Result<Person, Failure> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        fs::read_to_string(path)
    };
    let fail = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
    Person::parse(&text.map_err(|error| fail(error.to_string()))?).map_err(fail)
}

fn read_describes(files: &[PathBuf]) -> Result<HashMap<String, Description>, Failure> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let fail = |why: String| Failure::Failed(format!("{name}: {why}"));
        let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let description = Description::from_file(&name, &text).map_err(|error| fail(error.to_string()))?;
        Ok((description.object().name.to_ascii_lowercase(), description))
    };
    files.iter().map(read).collect()
}

/// Asks the orgs of the mapping's targets what they say of the objects.
async fn ask_orgs(arguments: &Arguments, config: &Config, mapping: &Mapping) -> Result<Known, Failure> {
    let same = |tenant: &&TenantSettings| {
        let file = tenant.mapping_file.as_ref().and_then(|file| fs::canonicalize(file).ok());
        file.is_some() && file == fs::canonicalize(&arguments.mapping).ok()
    };
    let tenant = config.tenants.iter().find(same);
    let only = || match config.orgs.as_slice() {
        [only] => Some(only.name.clone()),
        _ => None,
    };
    let default_org =
        arguments.org.clone().or_else(|| tenant.and_then(|tenant| tenant.org.clone())).or_else(only);
    let (vault, _) = vault::open(&config.store).map_err(|error| Failure::Failed(chain(&error)))?;
    let connected = tenants::orgs(&config.orgs, &[], &HashMap::new(), &vault, &Clock::system());
    let mut orgs = Descriptions::default();
    let mut offers = HashMap::new();
    let mut failed = None;
    for target in &mapping.targets {
        let Some(name) = target.org.as_ref().or(default_org.as_ref()) else { continue };
        let Some(org) = connected.get(name) else {
            failed = Some(format!("the target {} is in an org {name} that is not configured", target.name));
            break;
        };
        match org.describe(&target.object).await {
            Ok(object) => orgs.keep(name.clone(), Arc::clone(&object)),
            Err(error) => failed = Some(format!("org {name}: {}", chain(&error))),
        }
        if failed.is_none()
            && target.object == "User"
            && !mapping.grants.is_empty()
            && !offers.contains_key(name)
        {
            match org.catalogue(Purpose::catalogue()).await {
                Ok(catalogue) => drop(offers.insert(name.clone(), catalogue)),
                Err(error) => failed = Some(format!("org {name}: {}", chain(&error))),
            }
        }
    }
    // A refresh token that the org rotates has to be kept.
    for org in connected.values() {
        org.close().await;
    }
    let username_domain = tenant.and_then(|tenant| tenant.username_domain.clone());
    match failed {
        Some(why) => Err(Failure::Failed(why)),
        None => Ok(Known { files: HashMap::new(), orgs, offers, default_org, username_domain }),
    }
}

fn try_targets(
    arguments: &Arguments,
    mapping: &Mapping,
    person: &Person,
    known: &Known,
) -> Result<Vec<Trial>, Failure> {
    let attempt = Attempt {
        mapping,
        person,
        action: arguments.action.into(),
        username_domain: arguments.username_domain.as_deref().or(known.username_domain.as_deref()),
        now: Clock::system().now(),
    };
    let mut trials = Vec::with_capacity(mapping.targets.len());
    for (target, (name, holding)) in
        mapping.targets.iter().zip(holdings(mapping, &person.resource, known.default_org.as_ref()))
    {
        if arguments.target.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        let file = known.files.get(&target.object.to_ascii_lowercase()).cloned();
        let description = file.map_or_else(|| known.orgs.of(target, known.default_org.as_ref()), Ok);
        let description = description.map_err(|error| Failure::Failed(error.to_string()))?;
        let mut trial = attempt.at(target, holding, &description);
        let org = target.org.as_ref().or(known.default_org.as_ref());
        if let Some(catalogue) = org.and_then(|org| known.offers.get(org)) {
            trial.grants.iter_mut().for_each(|grant| grant.look_up(catalogue));
        }
        trials.push(trial);
    }
    match (&arguments.target, trials.is_empty()) {
        (Some(wanted), true) => {
            let names: Vec<&str> = mapping.targets.iter().map(|target| target.name.as_str()).collect();
            let why = format!("the mapping has no target `{wanted}`; it has: {}", names.join(", "));
            Err(Failure::Failed(why))
        }
        _ => Ok(trials),
    }
}

fn print(mapping: &Mapping, trials: &[Trial], person: &Person, asked_for: bool, output: Output) {
    if output == Output::Json {
        return output::document(&json!({
            "targets": trials, "unknownAttributes": person.unknown, "warnings": mapping.warnings(),
        }));
    }
    for warning in mapping.warnings() {
        output::line(&format!("{}:{}: warning: {}\n", warning.file, warning.line, warning.message));
    }
    for name in &person.unknown {
        output::line(&format!("SCIM users have no attribute `{name}`; it is ignored.\n"));
    }
    for trial in trials {
        let held = if trial.holding.holds { "held" } else { "not held" };
        output::line(&format!("{} ({}): {held}, {}", trial.target, trial.object, trial.holding.why));
        if let Some(when) = &trial.when {
            output::line(&format!("  {}  {}", place(when), when.text));
        }
        if trial.holding.holds || asked_for {
            show(trial);
        }
        output::line("");
    }
}

fn show(trial: &Trial) {
    output::table(["field", "value", "from", "rule"], trial.fields.iter().map(row));
    output::line(&format!("Checked against {}.", trial.against));
    if trial.fields.iter().any(|field| !field.checked) {
        output::line("Of fields with a * nothing is known: the org may still refuse them.");
    }
    if !trial.grants.is_empty() {
        output::table(["granted", "by the rule", "until", "in the org"], trial.grants.iter().map(grant_row));
    }
    for note in &trial.notes {
        output::line(&format!("note     {} {}: {}", note.code, note.field, note.detail));
    }
    for refusal in &trial.refusals {
        output::line(&format!("REFUSED  {}: {}", refusal.field, refusal.detail));
    }
}

fn row(field: &TriedField) -> [String; 4] {
    let attribute = field.rule.as_ref().and_then(|rule| rule.attribute.clone());
    [
        format!("{}{}", field.field, if field.checked { "" } else { " *" }),
        shown(&field.value),
        attribute.as_deref().map(short).unwrap_or_default(),
        field.rule.as_ref().map(place).unwrap_or_default(),
    ]
}

fn grant_row(grant: &TriedGrant) -> [String; 4] {
    let ruled = &grant.ruled;
    let rule = grant.place.as_ref().map(|rule| format!(" ({})", place(rule))).unwrap_or_default();
    [
        format!("{}:{}", ruled.kind, ruled.name),
        format!("{}{rule}", ruled.rule),
        ruled.until.map_or_else(|| "for good".to_owned(), |until| until.to_string()),
        grant.offered.as_ref().map_or_else(|| "(not asked)".to_owned(), ToString::to_string),
    ]
}

/// An attribute for people: `department` instead of its whole URN, as a mapping has it.
pub(super) fn short(attribute: &str) -> String {
    let bare = attribute.strip_prefix(ENTERPRISE_USER_URN).and_then(|rest| rest.strip_prefix(':'));
    bare.unwrap_or(attribute).to_owned()
}

/// The file's name and the line.
fn place(rule: &RuleInFile) -> String {
    let name = Path::new(&rule.file).file_name().map(|name| name.to_string_lossy());
    format!("{}:{}", name.unwrap_or_default(), rule.line)
}

/// A value for people.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(nothing)".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
