//! `/sobjects/User/{id}/password`: is it expired, set it, reset it.

use serde_json::json;

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
    permissions,
    random::Random,
    request::{Reply, Request},
};

/// Salesforce's default policy: eight characters, letters and digits.
const SHORTEST: usize = 8;
/// What a reset makes has no letters that look alike.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

fn user(org: &Org, id: &str) -> Result<Id, Refusal> {
    let id = Id::parse(id).ok_or_else(|| Refusal::malformed_id(id))?;
    org.table_of("User").get(id).map(|_| id).ok_or_else(Refusal::not_found)
}

/// `GET`: whether the password is expired.
pub(crate) fn read(org: &Org, id: &str, request: &Request) -> Reply {
    let user = match user(org, id) {
        Ok(user) => user,
        Err(refusal) => return refusal.into(),
    };
    let users = org.table_of("User");
    let ends = users.get(user).map(|row| users.object.get(row, "PasswordExpirationDate"));
    let expired = matches!(ends, Some(Cell::Time(at)) if *at <= request.actor.now);
    Reply::json(200, json!({"isExpired": expired}))
}

/// `POST` sets the password of the body, `DELETE` makes one and shows it this once.
pub(crate) fn change(org: &mut Org, id: &str, request: &Request) -> Reply {
    match try_change(org, id, request) {
        Ok(reply) => reply,
        Err(refusals) => Reply::refusals(&refusals),
    }
}

fn try_change(org: &mut Org, id: &str, request: &Request) -> Result<Reply, Refusals> {
    if request.method == "DELETE" {
        return reset(org, id, request.actor)
            .map(|password| Reply::json(200, json!({"NewPassword": password})));
    }
    let user = user(org, id).map_err(|refusal| vec![refusal])?;
    may_set(org, user, request.actor)?;
    let body = request.object_body().map_err(|refusal| vec![refusal])?;
    let password = body.get("NewPassword").and_then(serde_json::Value::as_str).unwrap_or_default();
    set(org, id, password, request.actor).map(|()| Reply::empty(204))
}

/// Gives a user a password that the caller chose.
pub(crate) fn set(org: &mut Org, id: &str, password: &str, actor: Actor) -> Result<(), Refusals> {
    let user = user(org, id).map_err(|refusal| vec![refusal])?;
    may_set(org, user, actor)?;
    check(org, user, password)?;
    remember(org, user, password, actor.now);
    Ok(())
}

/// Gives a user a new password, and hands it back this once.
pub(crate) fn reset(org: &mut Org, id: &str, actor: Actor) -> Result<String, Refusals> {
    let user = user(org, id).map_err(|refusal| vec![refusal])?;
    may(org, actor)?;
    org.count("passwords", 1);
    let random = Random::new(u64::try_from(org.counter("passwords")).unwrap_or_default());
    let password = format!("{}{}", random.text(ALPHABET, 8), random.text(b"23456789", 2));
    remember(org, user, &password, actor.now);
    Ok(password)
}

/// Everybody sets his own.
fn may_set(org: &Org, user: Id, actor: Actor) -> Result<(), Refusals> {
    if user == actor.user { Ok(()) } else { may(org, actor) }
}

fn may(org: &Org, actor: Actor) -> Result<(), Refusals> {
    let needed = ["ResetPasswords", "ManageUsers"];
    let may = needed.iter().any(|permission| permissions::may(org, actor.user, permission));
    if may { Ok(()) } else { Err(vec![Refusal::no_access()]) }
}

fn check(org: &Org, user: Id, password: &str) -> Result<(), Refusals> {
    let refuse = |message: &str| Err(vec![Refusal::record("INVALID_NEW_PASSWORD", message, &[])]);
    if password.chars().count() < SHORTEST {
        return refuse("Your password must be at least 8 characters long.");
    }
    let has = |kind: fn(&u8) -> bool| password.as_bytes().iter().any(kind);
    if !has(u8::is_ascii_alphabetic) || !has(u8::is_ascii_digit) {
        return refuse("Your password must include letters and numbers");
    }
    if org.password(user) == password {
        return refuse("invalid repeated password");
    }
    Ok(())
}

fn remember(org: &mut Org, user: Id, password: &str, now: i64) {
    org.set_password(user, password);
    let object = std::sync::Arc::clone(&org.table_of("User").object);
    if let Some(mut row) = org.table(&object).get(user).map(|row| Row::clone(row)) {
        row.set(object.at("LastPasswordChangeDate"), Cell::Time(now.div_euclid(1_000) * 1_000));
        row.set(object.at("PasswordExpirationDate"), Cell::Null);
        org.replace(&object, row);
    }
}
