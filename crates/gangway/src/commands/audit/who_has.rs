//! `gangway audit who-has`: who has an entitlement, or had it at a moment.

use clap::Args;
use jiff::Timestamp;
use model::{Clock, OrgName, ResourceKind, TenantId};
use salesforce_types::GrantState;
use serde_json::{Value, json};
use store::{Directory, Held, Ledger};

use super::{
    super::output,
    Books, Failure, Output, Whose,
    entitlement::{self, Named},
    moment,
};

#[derive(Debug, Args)]
pub(in crate::commands) struct Arguments {
    /// The entitlement: kind:name, kind:id or an id, such as permission-set:Sales_Ops.
    #[arg(value_name = "ENTITLEMENT")]
    entitlement: String,
    /// Who had it then: a time such as 2026-03-31T18:00:00Z, or the start of a day in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Only in this org.
    #[arg(long)]
    org: Option<OrgName>,
    #[command(flatten)]
    whose: Whose,
}

/// Somebody who has it.
struct Holder {
    tenant: TenantId,
    /// Absent: the identity is gone.
    user_name: Option<String>,
    held: Held,
    asked: Vec<String>,
}

/// Lists who has it, in the order in which they got it.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let books = arguments.whose.open()?;
    let named = entitlement::find(&books, &arguments.entitlement, arguments.org.as_ref()).await?;
    let holders = holders(&books, &named, arguments.at).await?;
    match output {
        Output::Json => output::document(&json!({
            "entitlement": named.document(),
            "at": arguments.at,
            "holders": holders.iter().map(document).collect::<Vec<_>>(),
        })),
        Output::Table => show(&named, arguments.at, &holders, Clock::system().now()),
    }
    Ok(())
}

async fn holders(books: &Books, named: &Named, at: Option<Timestamp>) -> Result<Vec<Holder>, Failure> {
    let mut holders = Vec::new();
    for tenant in &books.tenants {
        for held in books.store.holders(tenant, named.org.as_ref(), &named.of, at).await? {
            let user_name = books.user_name(tenant, &held).await?;
            let asked = books.asked(tenant, &held).await?;
            holders.push(Holder { tenant: tenant.clone(), user_name, held, asked });
        }
    }
    Ok(holders)
}

impl Books {
    async fn user_name(&self, tenant: &TenantId, held: &Held) -> Result<Option<String>, Failure> {
        let user = self.store.get(tenant, ResourceKind::User, held.identity.as_str()).await?;
        let body = user.and_then(|user| serde_json::from_str::<Value>(&user.body).ok());
        Ok(body.and_then(|body| Some(body.get("userName")?.as_str()?.to_owned())))
    }
}

fn document(holder: &Holder) -> Value {
    let Held { identity, grant, ended } = &holder.held;
    json!({
        "tenant": holder.tenant,
        "identity": identity,
        "userName": holder.user_name,
        "grant": grant,
        "ended": ended,
    })
}

fn show(named: &Named, at: Option<Timestamp>, holders: &[Holder], now: Timestamp) {
    let when = at.map_or_else(|| "now".to_owned(), |at| format!("at {at}"));
    if holders.is_empty() {
        output::line(&format!("Nobody has {named} {when}, as far as Gangway knows."));
    } else {
        output::line(&format!("{} of {named} {when}:", count(holders.len())));
        output::table(
            ["tenant", "identity", "userName", "org", "state", "asked for by", "since", "until"],
            holders.iter().map(|holder| row(holder, at.unwrap_or(now))),
        );
    }
    for group in &named.contained_in {
        output::line(&format!("It is also in {group}: ask for the holders of that, too."));
    }
}

fn count(holders: usize) -> String {
    if holders == 1 { "1 holder".to_owned() } else { format!("{holders} holders") }
}

fn row(holder: &Holder, then: Timestamp) -> [String; 8] {
    let Held { identity, grant, ended } = &holder.held;
    [
        holder.tenant.to_string(),
        identity.to_string(),
        holder.user_name.clone().unwrap_or_else(|| "(removed)".to_owned()),
        grant.org.to_string(),
        grant.state.as_str().to_owned(),
        asked(grant.state, &holder.asked),
        grant.since.to_string(),
        match (ended, grant.until) {
            (Some(ended), _) => format!("{} (ended)", ended.at),
            (None, Some(until)) if until <= then => format!("{until} (expired)"),
            (None, Some(until)) => format!("{until} (expires)"),
            (None, None) => String::new(),
        },
    ]
}

/// Who asked for a grant, in a cell.
fn asked(state: GrantState, asked: &[String]) -> String {
    match (state, asked) {
        (GrantState::Found, []) => "nobody: it was given in Salesforce".to_owned(),
        (_, []) => "nobody any more".to_owned(),
        (_, asked) => asked.join("\n"),
    }
}
