//! Locking a User out at once: an update of the login record that Salesforce keeps for it, which has to be found first. Pure.
//! (Object Reference, `UserLogin`)
//!
//! For one change the query and the update that refers to its answer are two sub-requests of the same Composite. A crowd's
//! records are found by one query for all of them; from then on each step is an update like others, and shares collections.

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
    let query = || -> Result<Query, NotAName> {
        Ok(Query::select("UserLogin", &["Id", "UserId", "IsFrozen"])?
            .where_(Condition::is_in("UserId", users)?))
    };
    let query = query().expect("these are names").to_string();
    let soql: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    json!({ "method": "GET", "url": format!("{base}/query?q={soql}"), "referenceId": reference })
}

/// What the answer to such a query says of the record of a step. `None`: nothing.
pub(super) fn found(step: &Step, answer: &CompositeItem) -> Option<Landing> {
    let Step::Freeze { user, frozen } = step else { return None };
    if !(200..300).contains(&answer.http_status_code) {
        return Some(failed(step, answer.http_status_code, &answer.body));
    }
    let id = |row: &Value, field: &str| RecordId::parse(row.get(field)?.as_str()?).ok();
    let mut rows = answer.body.get("records")?.as_array()?.iter();
    match rows.find(|row| id(row, "UserId").as_ref() == Some(user)) {
        // Somebody has done it before: nothing changes, and it is not ours to take back.
        Some(row) if row.get("IsFrozen") == Some(&Value::Bool(*frozen)) => {
            Some(Landing::Ended(StepOutcome::There))
        }
        Some(row) => id(row, "Id").map(Landing::Found),
        // On a later page, perhaps.
        None if answer.body.get("done") != Some(&Value::Bool(true)) => None,
        None => Some(Landing::Ended(StepOutcome::Refused(no_login_record()))),
    }
}

/// What came of a step whose record was looked for in the same call.
pub(super) fn landing(step: &Step, finding: &CompositeItem, item: &CompositeItem) -> Landing {
    let update = match found(step, finding) {
        Some(Landing::Found(login)) => update(step, login),
        Some(landing) => return landing,
        None => None,
    };
    let status = item.http_status_code;
    match update {
        Some(update) if (200..300).contains(&status) => Landing::Ended(landed(&update, status, &item.body)),
        Some(update) => failed(&update, status, &item.body),
        None => Landing::Ended(unknown("the query for a UserLogin has no readable answer".to_owned())),
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
    fn a_pair_ends_as_its_update_does() {
        let finding = rows(&[(LOGIN, USER)], true);
        let error = |code: &str| json!([{ "errorCode": code, "message": "no" }]);
        let ended =
            |finding: &CompositeItem, status, body: &Value| landing(&step(), finding, &answer(status, body));
        let id = || RecordId::parse(LOGIN).unwrap();
        let done = ended(&finding, 204, &Value::Null);
        assert!(matches!(done, Landing::Ended(StepOutcome::Done { id: done }) if done == id()));
        assert!(matches!(ended(&finding, 400, &error("UNABLE_TO_LOCK_ROW")), Landing::Locked(_)));
        let refused = ended(&finding, 400, &error("CANNOT_FREEZE_SELF"));
        assert!(matches!(refused, Landing::Ended(StepOutcome::Refused(_))));
        let halted = ended(&rows(&[], true), 400, &error("PROCESSING_HALTED"));
        assert!(
            matches!(halted, Landing::Ended(StepOutcome::Refused(refusal)) if refusal.code == "NOT_FOUND")
        );
        let unclear = ended(&answer(200, &json!({})), 400, &error("PROCESSING_HALTED"));
        assert!(matches!(unclear, Landing::Ended(StepOutcome::Unknown { .. })));
    }
}
