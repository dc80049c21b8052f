//! `gangway explain`: where the value of a field comes from, and which rules grant what.

mod grants;

use clap::Args;
use model::{Clock, TargetName, TenantId};
use salesforce_types::Link;
use scim_types::{Registry, Resource};
use serde_json::{Map, Value, json};
use store::{Audit, Audited, Directory, sqlite::SqliteStore};
use translation::{Mapping, RuleInFile};

use super::{
    ConfigFile, Failure, Output,
    identity::{self, Identity},
    output, preview,
};
use crate::config::{Outline, TenantSettings};

/// How many of the requests that wrote a field are shown.
const WRITES: u32 = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The identity: SCIM id, userName, externalId or Salesforce record id.
    #[arg(value_name = "IDENTITY")]
    identity: String,
    /// The Salesforce field, as `target.Field` or `Field`; or `grants`: what the identity has been given, and what rules give it.
    #[arg(value_name = "FIELD")]
    field: String,
    #[command(flatten)]
    config: ConfigFile,
    /// The identity's tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

/// What is known of one field of one record.
struct Explanation<'a> {
    link: &'a Link,
    field: String,
    rule: Option<RuleInFile>,
    /// What the rule's attribute holds now.
    attribute: Vec<Value>,
    /// The newest first.
    writes: Vec<Audited>,
    /// The mapping as it is now; none: its target is not configured any more.
    mapping: Option<&'a Mapping>,
}

/// Says of each record of an identity that has the field where its value comes from.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let outline = Outline::load(&arguments.config.path)?;
    let store = SqliteStore::open_read_only(&outline.store.database)?;
    let tenants = identity::tenants(&outline, arguments.tenant.as_ref())?;
    let identity = identity::find(&store, &tenants, &arguments.identity).await?;
    let tenant = outline.tenants.iter().find(|tenant| tenant.id == identity.tenant);
    if arguments.field == grants::WORD {
        let mapping = tenant.map(|tenant| &tenant.mapping);
        return grants::run(&store, &identity, mapping, Clock::system().now(), output).await;
    }
    let links = store.links(&identity.tenant, identity.id()).await?;
    let explanations = explain(&store, &identity, tenant, &links, &arguments.field).await?;
    if explanations.is_empty() {
        return Err(Failure::Failed(nothing(&arguments.field, &links)));
    }
    match output {
        Output::Json => output::document(&json!({
            "identity": identity.id(),
            "tenant": identity.tenant,
            "fields": explanations.iter().map(document).collect::<Vec<_>>(),
        })),
        Output::Table => explanations.iter().for_each(|explanation| show(explanation, &identity)),
    }
    Ok(())
}

async fn explain<'a>(
    store: &SqliteStore,
    identity: &Identity,
    tenant: Option<&'a TenantSettings>,
    links: &'a [Link],
    wanted: &str,
) -> Result<Vec<Explanation<'a>>, Failure> {
    let (target, field) = match wanted.split_once('.') {
        Some((target, field)) => (Some(target), field),
        None => (None, wanted),
    };
    let attributes: Map<String, Value> = serde_json::from_str(&identity.resource.body)
        .map_err(|error| Failure::Failed(format!("the identity cannot be read: {error}")))?;
    let person = Resource::from_map(attributes);
    let mut explanations = Vec::new();
    for link in links.iter().filter(|link| target.is_none_or(|target| link.target.as_str() == target)) {
        let mapping = tenant.map(|tenant| &tenant.mapping).filter(|mapping| has(mapping, &link.target));
        let rule = mapping.and_then(|mapping| mapping.rule_in_file(&link.target, field));
        let audited = format!("{}.{field}", link.target);
        let writes = store.writes_of(&identity.tenant, identity.id(), &audited, WRITES).await?;
        let written = link.written.keys().find(|known| known.eq_ignore_ascii_case(field));
        if rule.is_some() || written.is_some() || !writes.is_empty() {
            let attribute = rule.as_ref().and_then(|rule| rule.attribute.as_deref());
            explanations.push(Explanation {
                link,
                field: written.map_or_else(|| field.to_owned(), ToOwned::to_owned),
                attribute: attribute.map(|name| values(&person, name)).unwrap_or_default(),
                rule,
                writes,
                mapping,
            });
        }
    }
    Ok(explanations)
}

fn has(mapping: &Mapping, name: &TargetName) -> bool {
    mapping.targets.iter().any(|target| target.name == *name)
}

fn values(person: &Resource, attribute: &str) -> Vec<Value> {
    let path = Registry::standard().user().find(attribute);
    path.map(|path| person.values(&path).into_iter().cloned().collect()).unwrap_or_default()
}

fn nothing(field: &str, links: &[Link]) -> String {
    let places: Vec<String> =
        links.iter().map(|link| format!("{} ({} {})", link.target, link.object, link.record_id)).collect();
    if places.is_empty() {
        "the identity has no record in Salesforce".to_owned()
    } else {
        format!(
            "nothing has written `{field}`, and no rule fills it; the identity's records: {}",
            places.join(", ")
        )
    }
}

impl Explanation<'_> {
    fn written(&self) -> Option<&Value> {
        self.link.written.get(&self.field)
    }

    /// What Salesforce has taken and waits with until it is confirmed.
    fn pending(&self) -> Option<&Value> {
        self.link.pending.get(&self.field)
    }

    /// Whether the mapping is another one than that of the last write; absent where that is not known.
    fn mapping_changed(&self) -> Option<bool> {
        let then = self.writes.first()?.entry.mapping.as_deref()?;
        Some(self.mapping?.fingerprint() != then)
    }
}

fn document(explanation: &Explanation<'_>) -> Value {
    let link = explanation.link;
    let writes: Vec<Value> = explanation
        .writes
        .iter()
        .map(|write| {
            json!({
                "at": write.at.to_string(),
                "client": write.entry.client,
                "action": write.entry.action,
                "change": write.change,
                "version": write.version,
                "notes": write.entry.notes,
                "mapping": write.entry.mapping,
            })
        })
        .collect();
    json!({
        "target": link.target,
        "org": link.org,
        "object": link.object,
        "record": link.record_id,
        "field": explanation.field,
        "written": explanation.written(),
        "pending": explanation.pending(),
        "rule": explanation.rule,
        "attributeValues": explanation.attribute,
        "writes": writes,
        "configured": explanation.mapping.is_some(),
        "mappingChanged": explanation.mapping_changed(),
    })
}

fn show(explanation: &Explanation<'_>, identity: &Identity) {
    let link = explanation.link;
    output::line(&format!(
        "{}.{} of {} ({} {} in {})",
        link.target,
        explanation.field,
        identity.id(),
        link.object,
        link.record_id,
        link.org
    ));
    let written =
        explanation.written().map_or_else(|| "(never written by Gangway)".to_owned(), preview::shown);
    row("last written", &written);
    if let Some(pending) = explanation.pending() {
        row("waiting", &format!("{}, until it is confirmed", preview::shown(pending)));
    }
    match (&explanation.rule, explanation.mapping) {
        (Some(rule), _) => row("rule", &format!("{}:{}  {}", rule.file, rule.line, rule.text)),
        (None, Some(_)) => row("rule", "none: Gangway gives it by itself, or the rule is gone"),
        (None, None) => row("rule", "the target is not configured any more"),
    }
    if let Some(attribute) = explanation.rule.as_ref().and_then(|rule| rule.attribute.as_deref()) {
        let values: Vec<String> = explanation.attribute.iter().map(preview::shown).collect();
        let now = if values.is_empty() { "(unassigned)".to_owned() } else { values.join(", ") };
        row("comes from", &format!("{}, now {now}", preview::short(attribute)));
    }
    for (place, write) in explanation.writes.iter().enumerate() {
        let change = write.change.as_ref().map(|change| format!(", change {change}")).unwrap_or_default();
        let words = format!(
            "{} by {} ({}, version {}{change})",
            write.at, write.entry.client, write.entry.action, write.version.0
        );
        row(if place == 0 { "written at" } else { "before that" }, &words);
    }
    if explanation.mapping_changed() == Some(true) {
        row("mapping", "it has changed since the last write");
    }
    output::line("");
}

fn row(name: &str, value: &str) {
    output::line(&format!("  {name:<13} {value}"));
}
