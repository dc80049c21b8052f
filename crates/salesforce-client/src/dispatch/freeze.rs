//! Locking a User out at once: an update of the login record that Salesforce keeps for it, which has to be found first. Pure.
//! (Object Reference, `UserLogin`)
//!
//! For one change three sub-requests of the same Composite: which login record there is, which of it is not yet as it is to be, and
//! the update of that one. Who is frozen already has none: the update stays away, so that the record keeps saying who has done
//! it, and a call that was cut can be read back. A crowd's records are found by one query for all of them; from then on each step
//! is an update like others, and shares collections.

use salesforce_types::{RecordId, Refusal, Step, StepOutcome};
use serde_json::{Value, json};

use super::{
    call::{CompositeItem, failed, landed, unknown},
    change::Landing,
};
use crate::soql::{Condition, NotAName, Query};

/// Whether the record that a step writes is not known yet.
pub(super) fn must_be_found(step: &Step) -> bool {
    matches!(step, Step::Freeze { .. })
}

/// What freezing is when the User's login record is known.
pub(super) fn update(step: &Step, login: RecordId) -> Option<Step> {
    let Step::Freeze { frozen, .. } = step else { return None };
    let fields = [("IsFrozen".to_owned(), Value::Bool(*frozen))].into_iter().collect();
    Some(Step::Update { object: step.object().to_owned(), id: login, fields, manner: step.manner() })
}

/// The part of a Composite that looks for the login records of Users.
pub(super) fn finding<'u>(
    base: &str,
    users: impl IntoIterator<Item = &'u RecordId>,
    reference: &str,
) -> Value {
    let of_users = Condition::is_in("UserId", users).expect("this is a name");
    query(base, of_users, reference)
}

/// The part of a Composite that finds the User's login record only where there is something to change.
pub(super) fn guard(base: &str, user: &RecordId, frozen: bool, reference: &str) -> Value {
    let conditions = || -> Result<Condition, NotAName> {
        Ok(Condition::eq("UserId", user)?.and(Condition::eq("IsFrozen", !frozen)?))
    };
    query(base, conditions().expect("these are names"), reference)
}

fn query(base: &str, condition: Condition, reference: &str) -> Value {
    let query = Query::select("UserLogin", &["Id", "UserId", "IsFrozen"]).expect("these are names");
    let query = query.where_(condition).to_string();
    let soql: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    json!({ "method": "GET", "url": format!("{base}/query?q={soql}"), "referenceId": reference })
}

/// What the answer to such a query says of a User's login record.
enum Login {
    /// It is to be changed.
    ToChange(RecordId),
    /// It is as it is to be.
    AsWanted,
    Absent,
    /// The query was refused.
    Failed(Landing),
    /// Nobody can tell.
    Unclear,
}

fn login(step: &Step, answer: &CompositeItem) -> Login {
    let Step::Freeze { user, frozen } = step else { return Login::Unclear };
    if !(200..300).contains(&answer.http_status_code) {
        return Login::Failed(failed(step, answer.http_status_code, &answer.body));
    }
    let id = |row: &Value, field: &str| RecordId::parse(row.get(field)?.as_str()?).ok();
    let Some(rows) = answer.body.get("records").and_then(Value::as_array) else { return Login::Unclear };
    match rows.iter().find(|row| id(row, "UserId").as_ref() == Some(user)) {
        Some(row) if row.get("IsFrozen") == Some(&Value::Bool(*frozen)) => Login::AsWanted,
        Some(row) => id(row, "Id").map_or(Login::Unclear, Login::ToChange),
        // On a later page, perhaps.
        None if answer.body.get("done") != Some(&Value::Bool(true)) => Login::Unclear,
        None => Login::Absent,
    }
}

/// What the answer to the query of a crowd says of the record of a step. `None`: nothing.
pub(super) fn found(step: &Step, answer: &CompositeItem) -> Option<Landing> {
    match login(step, answer) {
        Login::ToChange(login) => Some(Landing::Found(login)),
        // Somebody has done it before: nothing changes, and it is not ours to take back.
        Login::AsWanted => Some(Landing::Ended(StepOutcome::There)),
        Login::Absent => Some(Landing::Ended(StepOutcome::Refused(no_login_record()))),
        Login::Failed(landing) => Some(landing),
        Login::Unclear => None,
    }
}

/// What came of a step whose record was looked for in the same call: by the call's query for all, by its own guard, and by
/// the update that the guard let through.
pub(super) fn landing(
    step: &Step,
    finding: &CompositeItem,
    guard: &CompositeItem,
    item: &CompositeItem,
) -> Landing {
    let status = item.http_status_code;
    let unclear = || Landing::Ended(unknown("the query for a UserLogin has no readable answer".to_owned()));
    match login(step, guard) {
        Login::ToChange(login) => match update(step, login) {
            Some(update) if (200..300).contains(&status) => {
                Landing::Ended(landed(&update, status, &item.body))
            }
            Some(update) => failed(&update, status, &item.body),
            None => unclear(),
        },
        Login::Absent => match found(step, finding) {
            // Between the two queries somebody else was quicker.
            Some(Landing::Found(_)) => Landing::Ended(StepOutcome::There),
            Some(landing) => landing,
            None => unclear(),
        },
        Login::Failed(landing) => landing,
        Login::AsWanted | Login::Unclear => unclear(),
    }
}

/// Users who have never been active may have none (Object Reference, `UserLogin`).
fn no_login_record() -> Refusal {
    let message = "The user has no UserLogin record that the integration user may see, so it cannot be frozen. \
                   Deactivating it locks it out too.";
    Refusal {
        status: 404,
        code: "NOT_FOUND".to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
        records: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0055f000005mc66AAA";
    const LOGIN: &str = "0Yw5f000005mc66CAA";

    fn step() -> Step {
        Step::Freeze { user: USER.parse().unwrap(), frozen: true }
    }

    fn answer(status: u16, body: &Value) -> CompositeItem {
        let item = json!({ "body": body, "httpStatusCode": status, "referenceId": "x" });
        serde_json::from_value(item).unwrap()
    }

    fn rows(rows: &[(&str, &str)], done: bool) -> CompositeItem {
        let rows: Vec<Value> = rows.iter().map(|(id, user)| json!({ "Id": id, "UserId": user })).collect();
        answer(200, &json!({ "totalSize": rows.len(), "done": done, "records": rows }))
    }

    #[test]
    fn the_record_is_the_users_own_and_what_is_not_told_is_not_guessed() {
        let other = ("0Yw5f000005mc67CAA", "0055f000005mc67AAA");
        let found_in = |answer: &CompositeItem| found(&step(), answer);
        let ours = found_in(&rows(&[other, (LOGIN, USER)], true));
        assert!(matches!(ours, Some(Landing::Found(login)) if login.as_str() == LOGIN));
        let none = found_in(&rows(&[other], true));
        assert!(
            matches!(none, Some(Landing::Ended(StepOutcome::Refused(refusal))) if refusal.code == "NOT_FOUND")
        );
        for unclear in [rows(&[other], false), answer(200, &json!({})), answer(200, &json!([]))] {
            assert!(found_in(&unclear).is_none());
        }
        let hidden = answer(400, &json!([{ "errorCode": "INVALID_TYPE", "message": "no" }]));
        assert!(matches!(found_in(&hidden), Some(Landing::Ended(StepOutcome::Refused(_)))));
    }

    #[test]
    fn what_is_to_be_changed_ends_as_its_update_does() {
        let there = rows(&[(LOGIN, USER)], true);
        let error = |code: &str| json!([{ "errorCode": code, "message": "no" }]);
        let ended = |status, body: &Value| landing(&step(), &there, &there, &answer(status, body));
        let id = || RecordId::parse(LOGIN).unwrap();
        let done = ended(204, &Value::Null);
        assert!(matches!(done, Landing::Ended(StepOutcome::Done { id: done }) if done == id()));
        assert!(matches!(ended(400, &error("UNABLE_TO_LOCK_ROW")), Landing::Locked(_)));
        let refused = ended(400, &error("CANNOT_FREEZE_SELF"));
        assert!(matches!(refused, Landing::Ended(StepOutcome::Refused(_))));
    }

    #[test]
    fn what_the_guard_keeps_back_was_done_by_somebody_else_or_is_not_there() {
        let halted = answer(400, &json!([{ "errorCode": "PROCESSING_HALTED", "message": "no" }]));
        let ended =
            |finding: &CompositeItem, guard: &CompositeItem| landing(&step(), finding, guard, &halted);
        let row = json!({ "Id": LOGIN, "UserId": USER, "IsFrozen": true });
        let frozen = answer(200, &json!({ "totalSize": 1, "done": true, "records": [row] }));
        let (none, not_yet) = (rows(&[], true), rows(&[(LOGIN, USER)], true));
        for finding in [&frozen, &not_yet] {
            assert!(matches!(ended(finding, &none), Landing::Ended(StepOutcome::There)));
        }
        let absent = ended(&none, &none);
        assert!(
            matches!(absent, Landing::Ended(StepOutcome::Refused(refusal)) if refusal.code == "NOT_FOUND")
        );
        let nothing = answer(200, &json!({}));
        for (finding, guard) in [(&none, &nothing), (&nothing, &none)] {
            assert!(matches!(ended(finding, guard), Landing::Ended(StepOutcome::Unknown { .. })));
        }
        let hidden = answer(400, &json!([{ "errorCode": "INVALID_TYPE", "message": "no" }]));
        assert!(matches!(ended(&none, &hidden), Landing::Ended(StepOutcome::Refused(_))));
    }
}
