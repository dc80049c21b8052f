//! `/_sim/*`: what tests and demonstrations do to the org from outside. Loopback only, unless the
//! caller has the control token.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use aws_lc_rs::constant_time;
use serde_json::{Map, Value, json};

use crate::{
    World,
    cell::{Cell, Row},
    crm::convert::{self, LeadConvert},
    entitlements,
    errors::Refusal,
    faults::Fault,
    ids::Id,
    oauth,
    org::Actor,
    org::Org,
    records,
    request::{Headers, Reply, split_query},
    rows,
    schema::Kind,
    server::{Incoming, bearer},
    users, values, versions,
};

/// Answers a control call.
pub(crate) fn answer(world: &World, incoming: &Incoming, path: &[&str]) -> Reply {
    if !allowed(world, incoming) {
        return refusal(403, "control endpoints answer on loopback, or with the control token");
    }
    let answer = match (incoming.method.as_str(), path) {
        ("GET", ["calls"]) => Ok(world.calls.to_json()),
        ("DELETE", ["calls"]) => {
            world.calls.clear();
            Ok(json!({}))
        }
        ("GET", ["records", object]) => records(world, object, &split_query(&incoming.query)),
        ("GET", ["faults"]) => Ok(json!({"faults": world.faults.list()})),
        ("POST", ["faults"]) => add_fault(world, incoming),
        ("DELETE", ["faults"]) => {
            world.faults.clear();
            Ok(json!({}))
        }
        ("POST", ["clock"]) => advance(world, incoming),
        ("POST", ["tokens", "expire"]) => Ok(json!({"expired": world.oauth.expire_all()})),
        ("POST", ["tokens", "revoke"]) => revoke(world, incoming),
        ("POST", ["fields"]) => fields(world, incoming),
        ("POST", ["seed"]) => seed(world, incoming),
        ("POST", ["licenses"]) => licenses(world, incoming),
        ("GET", ["users", user, "grants"]) => grants(world, user),
        ("POST", ["users", user, "confirm-email"]) => confirm_email(world, user),
        ("POST", ["users", user, "blockers"]) => blockers(world, incoming, user),
        ("POST", ["convert-lead"]) => convert_lead(world, incoming),
        ("POST", ["merge"]) => merge(world, incoming),
        ("POST", ["switches"]) => switches(world, incoming),
        ("POST", ["reset"]) => match world.reset() {
            Ok(()) => Ok(json!({})),
            Err(error) => return refusal(500, &error.to_string()),
        },
        ("GET", ["state"]) => Ok(state(world)),
        _ => return refusal(404, "there is no such control endpoint"),
    };
    match answer {
        Ok(body) => Reply::json(200, body),
        Err(why) => refusal(400, &why),
    }
}

fn refusal(status: u16, why: &str) -> Reply {
    Reply::json(status, json!({"error": why}))
}

fn allowed(world: &World, incoming: &Incoming) -> bool {
    let Some(wanted) = &world.config.control_token else { return incoming.is_local };
    let sent = incoming.control_token.as_deref();
    let sent = sent.or_else(|| incoming.authorization.as_deref().and_then(bearer));
    let same =
        |sent: &str| constant_time::verify_slices_are_equal(sent.as_bytes(), wanted.as_bytes()).is_ok();
    incoming.is_local || sent.is_some_and(same)
}

fn object(incoming: &Incoming) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(&incoming.body).map_err(|error| format!("the body must be a JSON object: {error}"))
}

/// Every record of an object with every field, hidden ones too; `?Field=value` for those that have it.
fn records(world: &World, name: &str, query: &[(String, String)]) -> Result<Value, String> {
    let rows = world.org();
    let object = rows.schema.object(name).cloned().ok_or_else(|| format!("there is no object {name}"))?;
    let mut wanted = Vec::with_capacity(query.len());
    for (name, text) in query {
        let field = object.field(name).ok_or_else(|| format!("{} has no field {name}", object.name))?;
        wanted.push((field, values::from_text(field, text)));
    }
    let table = rows.table(&object);
    let fits = |row: &Row| {
        wanted.iter().all(|(field, cell)| match row.get(field.index) {
            Cell::Null if field.kind == Kind::Boolean => !cell.as_bool(),
            found if cell.is_null() => found.is_null(),
            found => found.compare(cell, field.case_sensitive) == Some(Ordering::Equal),
        })
    };
    let indexed = wanted.iter().find(|(field, _)| table.is_indexed(field.index));
    let found: Vec<_> = match indexed {
        Some((field, cell)) => {
            let slots = table.find(field.index, cell);
            slots.iter().filter_map(|slot| table.row(*slot)).filter(|row| fits(row)).cloned().collect()
        }
        None => table.iter().map(|(_, row)| row).filter(|row| fits(row)).cloned().collect(),
    };
    drop(rows);
    let records = found.iter().map(|row| records::record(&object, row, None, versions::NEWEST).into());
    Ok(json!({"records": records.collect::<Vec<Value>>()}))
}

/// A user by id or username.
fn user(org: &Org, text: &str) -> Result<Id, String> {
    let users = org.table_of("User");
    let by_name = || users.find_one(org.user_fields.username, &Cell::text(text))?.get(0).as_id();
    let by_id = Id::parse(text).filter(|id| users.get(*id).is_some());
    by_id.or_else(by_name).ok_or_else(|| format!("there is no user {text}"))
}

fn grants(world: &World, text: &str) -> Result<Value, String> {
    let org = world.org();
    let grants = entitlements::grants(&org, user(&org, text)?);
    serde_json::to_value(grants).map_err(|error| error.to_string())
}

fn confirm_email(world: &World, text: &str) -> Result<Value, String> {
    let mut org = world.org_mut();
    let user = user(&org, text)?;
    let confirmed = users::confirm_email(&mut org, user);
    org.commit();
    if confirmed {
        Ok(json!({}))
    } else {
        Err(format!("no e-mail address of {text} waits for its confirmation"))
    }
}

/// `{"blockers": ["default-case-owner"]}`: all that keeps the user active from now on; an empty list: nothing.
fn blockers(world: &World, incoming: &Incoming, text: &str) -> Result<Value, String> {
    let body = object(incoming)?;
    let names: Option<Vec<&str>> = body
        .get("blockers")
        .and_then(Value::as_array)
        .and_then(|all| all.iter().map(Value::as_str).collect());
    let names = names.ok_or("blockers is a list of names or texts")?;
    let mut org = world.org_mut();
    let user = user(&org, text)?;
    let texts: Vec<String> = names.into_iter().map(users::blocker).collect();
    let count = texts.len();
    if texts.is_empty() {
        org.blockers.remove(&user);
    } else {
        org.blockers.insert(user, texts);
    }
    org.commit();
    Ok(json!({"blockers": count}))
}

fn add_fault(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let fault: Fault =
        serde_json::from_slice(&incoming.body).map_err(|error| format!("no such fault: {error}"))?;
    if fault.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
        return Err("probability is a number from 0 to 1".into());
    }
    if fault.status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err("status is an HTTP status from 200 to 599".into());
    }
    world.faults.add(fault);
    Ok(json!({"faults": world.faults.list().len()}))
}

fn advance(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let seconds = object(incoming)?.get("advance_seconds").and_then(Value::as_u64);
    let seconds = seconds.ok_or("advance_seconds is a number of seconds, 0 or more")?;
    world.clock.advance(Duration::from_secs(seconds));
    Ok(json!({"now": world.clock.now().to_string()}))
}

/// `{}` ends all tokens, `{"user": "ada@example.com"}` those of a user, `{"token": "..."}` one.
fn revoke(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let body = object(incoming)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let revoked = match (text("token"), text("user")) {
        (Some(token), _) => usize::from(world.oauth.end(token)),
        (None, Some(username)) => {
            let user = oauth::user(&world.org(), username);
            world.oauth.revoke_all(Some(user.ok_or_else(|| format!("there is no user {username}"))?))
        }
        (None, None) => world.oauth.revoke_all(None),
    };
    Ok(json!({"revoked": revoked}))
}

/// `{"hide": ["User.Division"], "show": ["User.MiddleName"]}`: all or none.
fn fields(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let body = object(incoming)?;
    let now = world.now();
    let mut org = world.org_mut();
    let before = Arc::clone(&org.schema);
    for (key, hidden) in [("hide", true), ("show", false)] {
        let Some(paths) = body.get(key) else { continue };
        let paths = paths.as_array().ok_or_else(|| format!("{key} is a list of fields"))?;
        for path in paths {
            let done = org.set_hidden(path.as_str().unwrap_or_default(), hidden, now);
            if let Err(error) = done {
                org.set_schema(before, now);
                return Err(error.to_string());
            }
        }
    }
    Ok(json!({}))
}

/// What is random from now on is as after a start with this seed. Records keep their ids.
fn seed(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let seed = object(incoming)?.get("seed").and_then(Value::as_u64);
    let seed = seed.ok_or("seed is a number, 0 or more")?;
    world.random.reseed(seed);
    world.oauth.reseed(seed);
    world.faults.reseed(seed);
    Ok(json!({"seed": seed}))
}

fn licenses(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let totals = object(incoming)?;
    let mut org = world.org_mut();
    let mark = org.mark();
    let set = users::set_totals(&mut org, &totals);
    if set.is_err() {
        org.roll_back(mark);
    }
    org.commit();
    set.map(|()| json!({})).map_err(|name| format!("\"{name}\" is no licence, or its number is none"))
}

/// Lead conversion as the running user, for whoever has no SOAP at hand. The arguments are those of SOAP.
/// `{"masterId": "003...", "mergeId": "003..."}`
fn merge(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let body = object(incoming)?;
    let id = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
        Id::parse(text).ok_or_else(|| format!("{name} must be an id"))
    };
    let (master, merged) = (id("masterId")?, id("mergeId")?);
    let mut org = world.org_mut();
    let mark = org.mark();
    let actor = Actor { user: org.run_as, now: world.now() };
    let done = rows::merge(&mut org, master, merged, actor);
    if done.is_err() {
        org.roll_back(mark);
    }
    org.commit();
    let errors = done.err().unwrap_or_default();
    let errors: Vec<_> = errors.iter().map(Refusal::to_item).collect();
    Ok(json!({"success": errors.is_empty(), "errors": errors}))
}

fn convert_lead(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let wanted: LeadConvert =
        serde_json::from_slice(&incoming.body).map_err(|error| format!("no such conversion: {error}"))?;
    let mut org = world.org_mut();
    let mark = org.mark();
    let actor = Actor { user: org.run_as, now: world.now() };
    let converted = convert::convert(&mut org, &wanted, &Headers::default(), actor);
    if converted.is_err() {
        org.roll_back(mark);
    }
    org.commit();
    Ok(match converted {
        Ok(converted) => json!({
            "accountId": converted.account.to_string(),
            "contactId": converted.contact.to_string(),
            "leadId": converted.lead.to_string(),
            "opportunityId": converted.opportunity.map(|id| id.to_string()),
            "success": true,
            "errors": [],
        }),
        Err(refusals) => json!({
            "success": false,
            "errors": refusals.iter().map(Refusal::to_item).collect::<Vec<_>>(),
        }),
    })
}

fn switches(world: &World, incoming: &Incoming) -> Result<Value, String> {
    let changes = object(incoming)?;
    let mut org = world.org_mut();
    let mut all = serde_json::to_value(&org.switches).map_err(|error| error.to_string())?;
    if let Value::Object(all) = &mut all {
        all.extend(changes);
    }
    org.switches = serde_json::from_value(all.clone()).map_err(|error| format!("no such switch: {error}"))?;
    Ok(all)
}

fn state(world: &World) -> Value {
    let org = world.org();
    let objects: Map<String, Value> = org
        .schema
        .objects
        .iter()
        .map(|object| (object.name.clone(), json!(org.table(object).len())))
        .collect();
    let licences = org.table_of("UserLicense");
    let number = |row: &Row, name: &str| row.get(licences.object.at(name)).to_json();
    let licences: Map<String, Value> = licences
        .iter()
        .filter_map(|(_, row)| {
            let name = row.get(licences.object.at("Name")).as_text()?.to_owned();
            Some((name, json!({"total": number(row, "TotalLicenses"), "used": number(row, "UsedLicenses")})))
        })
        .collect();
    let (access, refresh) = world.oauth.count();
    json!({
        "tokens": {"access": access, "refresh": refresh},
        "now": world.clock.now().to_string(),
        "organization_id": org.id.to_string(),
        "run_as": org.run_as.to_string(),
        "seed": world.config.seed,
        "records": objects,
        "licenses": licences,
        "faults": world.faults.list(),
        "switches": serde_json::to_value(&org.switches).unwrap_or_default(),
        "calls": world.calls.to_json(),
    })
}
