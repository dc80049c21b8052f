//! Who has been changed by hand: what Salesforce has of many identities is compared with what was written, by few queries.

use std::collections::{BTreeSet, HashSet};

use model::{OrgName, ResourceId};
use planning::same_value;
use salesforce_client::{Asker, CallError, Org, Purpose, Ticket, soql};
use salesforce_types::Link;
use serde_json::{Map, Value};

use crate::{Caller, ProvisionError, provisioner::Inner, signals::not_asked};

/// A record that somebody has, as it was written.
struct Known {
    identity: ResourceId,
    link: Link,
}

/// Those of these identities whose records are gone, or are not as they were written. Only records of the caller's own targets.
pub(crate) async fn of(
    inner: &Inner,
    caller: &Caller,
    identities: &[ResourceId],
) -> Result<Vec<ResourceId>, ProvisionError> {
    let world = inner.world();
    let tenant = world.tenant_of(caller)?;
    let is_own = |link: &Link| tenant.mapping.targets.iter().any(|target| target.name == link.target);
    let mut known: Vec<Known> = Vec::new();
    for identity in identities {
        let links = inner.store.links(&caller.tenant, identity).await?;
        let links = links.into_iter().filter(|link| is_own(link) && !link.left && link.became.is_none());
        known.extend(links.map(|link| Known { identity: identity.clone(), link }));
    }
    let place = |known: &Known| (known.link.org.clone(), known.link.object.clone());
    let places: BTreeSet<(OrgName, String)> = known.iter().map(place).collect();
    let mut drifted: HashSet<&ResourceId> = HashSet::new();
    let Some(first) = known.first() else { return Ok(Vec::new()) };
    let (tenant, client, identity) = (caller.tenant.clone(), caller.client.clone(), first.identity.clone());
    let ticket = Ticket::new(Asker { tenant, client, identity }, false);
    for one in &places {
        // Of one whose org is not configured any more nobody can say anything.
        let Some(org) = world.orgs.get(&one.0) else { continue };
        let here: Vec<&Known> = known.iter().filter(|known| place(known) == *one).collect();
        let found = differ(org, &one.1, &here, &ticket).await;
        drifted.extend(found.map_err(not_asked)?);
    }
    Ok(identities.iter().filter(|identity| drifted.contains(identity)).cloned().collect())
}

/// Whose record of this object is another than was written.
async fn differ<'k>(
    org: &Org,
    object: &str,
    known: &[&'k Known],
    ticket: &Ticket,
) -> Result<Vec<&'k ResourceId>, CallError> {
    let describe = org.describe(object).await?;
    let written: BTreeSet<&str> =
        known.iter().flat_map(|known| known.link.written.keys()).map(String::as_str).collect();
    let mut fields: Vec<&str> =
        written.into_iter().filter(|name| *name != "Id" && describe.field(name).is_some()).collect();
    fields.insert(0, "Id");
    fields.extend((object == "Lead").then_some("IsConverted"));
    let query = soql::Query::select(object, &fields)?;
    let ids = known.iter().map(|known| known.link.record_id.as_str());
    let rows = org.query_in(&query, "Id", ids, Purpose::matching(ticket)).await?;
    let is_other = |known: &Known| {
        let id = known.link.record_id.as_str();
        let row = rows.iter().find(|row| row.get("Id").and_then(Value::as_str) == Some(id));
        row.is_none_or(|row| row.get("IsConverted") == Some(&Value::Bool(true)) || !holds(row, &known.link))
    };
    Ok(known.iter().filter(|known| is_other(known)).map(|known| &known.identity).collect())
}

/// Whether a record has what was written into it. What waits for the person's confirmation is not there yet.
fn holds(row: &Map<String, Value>, link: &Link) -> bool {
    let written = link.written.iter().filter(|(field, _)| !link.pending.contains_key(*field));
    let mut seen = written.filter_map(|(field, value)| Some((field, row.get(field)?, value)));
    seen.all(|(field, actual, value)| same_value(field, actual, value))
}
