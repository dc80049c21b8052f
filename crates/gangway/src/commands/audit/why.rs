//! `gangway audit why`: how somebody came to an entitlement, and how it ended.

use clap::Args;
use model::{OrgName, ResourceId, TenantId};
use salesforce_types::GrantState;
use serde_json::{Value, json};
use store::{Held, Ledger};
use translation::Ownership;

use super::{
    super::{identity, output},
    Books, Failure, Output, Whose,
    entitlement::{self, Named},
};

#[derive(Debug, Args)]
pub(in crate::commands) struct Arguments {
    /// The identity: SCIM id (also of one that is gone), userName, externalId or Salesforce record id.
    #[arg(value_name = "IDENTITY")]
    identity: String,
    /// The entitlement: kind:name, kind:id or an id, such as permission-set:Sales_Ops.
    #[arg(value_name = "ENTITLEMENT")]
    entitlement: String,
    /// Only in this org.
    #[arg(long)]
    org: Option<OrgName>,
    #[command(flatten)]
    whose: Whose,
}

/// Every period in which somebody had something, or asked for it.
struct Story {
    tenant: TenantId,
    identity: ResourceId,
    ownership: Option<Ownership>,
    /// The oldest first, each with who asked, in words.
    periods: Vec<(Held, Vec<String>)>,
}

/// Tells every period, the oldest first.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let books = arguments.whose.open()?;
    let named = entitlement::find(&books, &arguments.entitlement, arguments.org.as_ref()).await?;
    let story = tell(&books, &named, &arguments.identity).await?;
    match output {
        Output::Json => output::document(&json!({
            "tenant": story.tenant,
            "identity": story.identity,
            "entitlement": named.document(),
            "ownership": story.ownership,
            "periods": story.periods.iter().map(document).collect::<Vec<_>>(),
        })),
        Output::Table => show(&named, &story),
    }
    Ok(())
}

async fn tell(books: &Books, named: &Named, text: &str) -> Result<Story, Failure> {
    let (tenant, identity, mut history) = history(books, named, text).await?;
    history.retain(|held| named.org.as_ref().is_none_or(|org| *org == held.grant.org));
    let mut periods = Vec::with_capacity(history.len());
    for held in history {
        let asked = books.asked(&tenant, &held).await?;
        let details = held.grant.asked.iter().zip(asked).map(|(ask, asked)| {
            format!("{asked}, by {} with change {}, since {}", ask.client, ask.change, ask.since)
        });
        let details = details.collect();
        periods.push((held, details));
    }
    let settings = books.outline.tenants.iter().find(|settings| settings.id == tenant);
    let ownership = settings.map(|settings| settings.mapping.entitlements.ownership(named.of.kind));
    Ok(Story { tenant, identity, ownership, periods })
}

/// The history of one who is there, or of one who is gone and named by the id.
async fn history(
    books: &Books,
    named: &Named,
    text: &str,
) -> Result<(TenantId, ResourceId, Vec<Held>), Failure> {
    let id = ResourceId::from_text(text);
    for tenant in &books.tenants {
        let history = books.store.history(tenant, &id, &named.of).await?;
        if !history.is_empty() {
            return Ok((tenant.clone(), id, history));
        }
    }
    let identity = identity::find(&books.store, &books.tenants, text).await?;
    let history = books.store.history(&identity.tenant, identity.id(), &named.of).await?;
    Ok((identity.tenant.clone(), identity.id().clone(), history))
}

fn document((held, _): &(Held, Vec<String>)) -> Value {
    json!({ "grant": held.grant, "ended": held.ended })
}

fn show(named: &Named, story: &Story) {
    if story.periods.is_empty() {
        output::line(&format!(
            "Gangway knows of no moment at which {} of {} had {named} or asked for it.",
            story.identity, story.tenant
        ));
    } else {
        output::line(&format!("{named} of {} of {}:", story.identity, story.tenant));
        output::table(
            ["org", "state", "since", "until", "asked for", "why it ended"],
            story.periods.iter().map(row),
        );
    }
    let is_found = |(held, _): &(Held, Vec<String>)| held.grant.state == GrantState::Found;
    if let Some(ownership) = story.ownership.filter(|_| story.periods.iter().any(is_found)) {
        let kind = named.of.kind;
        let left = match ownership {
            Ownership::Managed => "left alone (ownership `managed`)",
            Ownership::Merge => "left alone: nothing of the kind is ever taken away (ownership `merge`)",
            Ownership::Authoritative => "taken away where nobody asks for it (ownership `authoritative`)",
        };
        output::line(&format!(
            "`found`: it was given in Salesforce, not by Gangway. A {kind} of that sort is shown, and {left}."
        ));
    }
    for group in &named.contained_in {
        output::line(&format!("It may also come with {group}: ask for that, too."));
    }
}

fn row((held, asked): &(Held, Vec<String>)) -> [String; 6] {
    let Held { grant, ended, .. } = held;
    let state = match &grant.reason {
        Some(reason) => format!("{}: {reason}", grant.state.as_str()),
        None => grant.state.as_str().to_owned(),
    };
    let until = match (ended, grant.until) {
        (Some(ended), _) => ended.at.to_string(),
        (None, Some(until)) => format!("{until} (expires)"),
        (None, None) => "now".to_owned(),
    };
    let why = ended.as_ref().map(|ended| {
        let change = ended.change.as_ref().map(|change| format!(", change {change}")).unwrap_or_default();
        format!("{} ({}{change})", ended.why, ended.client)
    });
    [grant.org.to_string(), state, grant.since.to_string(), until, asked.join("\n"), why.unwrap_or_default()]
}
