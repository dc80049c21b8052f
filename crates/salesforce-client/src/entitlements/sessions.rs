//! Sessions of Users: whoever is frozen stays logged in where he is, until they end (Object Reference, `AuthSession`).

use reqwest::Method;
use salesforce_types::{RecordId, Refusal};
use serde_json::Value;

use super::question::{Question, id, unreadable};
use crate::{
    CallError, Org,
    answer::{Trouble, is_gone, refusal_in, refused},
    org::Purpose,
    soql::Condition,
    transport::Request,
};

/// Records that one call deletes (REST API Developer Guide, "sObject Collections").
const IN_ONE_CALL: usize = 200;

impl Org {
    /// Ends the User's sessions, and tells how many. Deactivating a User ends them too: this is for one who is frozen.
    ///
    /// Without the permission *Manage Users* no sessions of others are seen, and none is ended: 0, as in an org that does not
    /// tell them. Two calls, or one where there is none; both may be repeated.
    ///
    /// # Errors
    ///
    /// A session that Salesforce would not end, after the others were ended.
    pub async fn end_sessions(&self, user: &RecordId, purpose: Purpose<'_>) -> Result<u64, CallError> {
        let question = Question {
            object: "AuthSession",
            fields: &["Id"],
            optional: Vec::new(),
            only: Some(Condition::eq("UsersId", user)?),
            narrower: None,
        };
        let rows = self.ask_each(vec![question], purpose).await?.pop().flatten().unwrap_or_default();
        let sessions: Vec<RecordId> = rows.iter().filter_map(|row| id(row, "Id")).collect();
        if sessions.len() < rows.len() {
            return Err(unreadable("AuthSession"));
        }
        let mut ended = 0;
        let mut first_refusal = None;
        for sessions in sessions.chunks(IN_ONE_CALL) {
            for result in self.delete_each(sessions, purpose).await? {
                match result {
                    Ok(()) => ended += 1,
                    Err(trouble) => {
                        first_refusal.get_or_insert(trouble);
                    }
                }
            }
        }
        first_refusal.map_or(Ok(ended), |trouble: Trouble| Err(trouble.give_up(false)))
    }

    /// Deletes records of which none matters to anybody else; one that is gone is as good.
    async fn delete_each(
        &self,
        ids: &[RecordId],
        purpose: Purpose<'_>,
    ) -> Result<Vec<Result<(), Trouble>>, CallError> {
        let list = ids.iter().map(RecordId::as_str).collect::<Vec<_>>().join(",");
        let path = self.path(&format!("/composite/sobjects?allOrNone=false&ids={list}"));
        let request = Request { method: Method::DELETE, ..Request::get(purpose, "AuthSession", path) };
        let answer = self.fetch(&request, purpose).await?;
        let results: Vec<Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        if results.len() != ids.len() {
            return Err(CallError::not_sent("the answer of a collection has not one result for each record"));
        }
        Ok(results.iter().map(deleted).collect())
    }
}

fn deleted(result: &Value) -> Result<(), Trouble> {
    if result.get("success") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let without_words = || Refusal {
        status: 400,
        code: "DELETE_FAILED".to_owned(),
        message: "the session was not ended, and Salesforce does not say why".to_owned(),
        fields: Vec::new(),
        records: Vec::new(),
    };
    match refusal_in(400, result).unwrap_or_else(without_words) {
        refusal if is_gone(&refusal.code) => Ok(()),
        refusal => Err(refused(refusal)),
    }
}
