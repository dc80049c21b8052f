//! Queries that make do with what an org has: editions lack objects, and fields are hidden or come with a later release.

use salesforce_types::{RecordId, Refusal};
use serde_json::Value;

use crate::{
    CallError, Org,
    org::Purpose,
    query::Row,
    soql::{Condition, Query},
};

/// What is asked of an object.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) object: &'a str,
    /// Without these the rows say nothing.
    pub(super) fields: &'a [&'a str],
    /// Those that an org may hide or not know.
    pub(super) optional: Vec<&'a str>,
    pub(super) only: Option<Condition>,
    /// What is asked for instead where all rows would be too many.
    pub(super) narrower: Option<Condition>,
}

/// What to do about a question that was refused.
enum Next {
    AskAgain,
    /// The org has none of it.
    Absent,
}

impl Question<'_> {
    fn query(&self) -> Result<Query, CallError> {
        let fields = [self.fields, &self.optional].concat();
        let query = Query::select(self.object, &fields)?;
        Ok(self.only.iter().cloned().fold(query, Query::where_))
    }

    /// Asks for less, if that may help.
    fn give_way(&mut self, refusal: Refusal) -> Result<Next, CallError> {
        match refusal.code.as_str() {
            "INVALID_TYPE" => Ok(Next::Absent),
            "INVALID_FIELD" if self.optional.is_empty() => {
                tracing::warn!(object = self.object, "fields that tell what can be given are hidden");
                Ok(Next::Absent)
            }
            "INVALID_FIELD" => {
                let named = |field: &&str| refusal.message.contains(&format!("'{}'", last_part(field)));
                let before = self.optional.len();
                self.optional.retain(|field| !named(field));
                if self.optional.len() == before {
                    self.optional.clear();
                }
                Ok(Next::AskAgain)
            }
            "OPERATION_TOO_LARGE" if self.narrower.is_some() => {
                self.only = self.narrower.take();
                Ok(Next::AskAgain)
            }
            _ => Err(CallError::Refused(refusal)),
        }
    }
}

/// Of a parent's field Salesforce names the field alone.
fn last_part(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field)
}

impl Org {
    /// The rows of every question; `None`: the org has no such object. Five questions take one call, as long as they are
    /// answered at once.
    pub(super) async fn ask_each(
        &self,
        mut questions: Vec<Question<'_>>,
        purpose: Purpose<'_>,
    ) -> Result<Vec<Option<Vec<Row>>>, CallError> {
        let mut answers = vec![None; questions.len()];
        let mut open: Vec<usize> = (0..questions.len()).collect();
        while !open.is_empty() {
            let queries: Vec<Query> =
                open.iter().map(|at| questions[*at].query()).collect::<Result<_, _>>()?;
            let answered = self.query_each(&queries, purpose).await?;
            let mut again = Vec::new();
            for (at, answer) in open.into_iter().zip(answered) {
                match answer {
                    Ok(rows) => answers[at] = Some(rows),
                    Err(refusal) => match questions[at].give_way(refusal)? {
                        Next::AskAgain => again.push(at),
                        Next::Absent => {}
                    },
                }
            }
            open = again;
        }
        Ok(answers)
    }
}

/// The text of a field, or of a parent's field. `None`: it is empty, hidden or no text.
pub(super) fn text<'r>(row: &'r Row, field: &str) -> Option<&'r str> {
    let mut parts = field.split('.');
    let first = row.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))?.as_str()
}

pub(super) fn id(row: &Row, field: &str) -> Option<RecordId> {
    RecordId::parse(text(row, field)?).ok()
}

pub(super) fn flag(row: &Row, field: &str) -> Option<bool> {
    row.get(field).and_then(Value::as_bool)
}

pub(super) fn number(row: &Row, field: &str) -> Option<i64> {
    row.get(field).and_then(Value::as_i64)
}

/// A row that lacks what it was asked for.
pub(super) fn unreadable(object: &str) -> CallError {
    CallError::not_sent(format!("a row of {object} lacks what was asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question<'static> {
        Question {
            object: "UserRole",
            fields: &["Id", "Name"],
            optional: vec!["DeveloperName", "Parent.PortalType"],
            only: None,
            narrower: Condition::eq("PortalType", "None").ok(),
        }
    }

    fn refusal(code: &str, message: &str) -> Refusal {
        Refusal {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            fields: Vec::new(),
            records: Vec::new(),
        }
    }

    #[test]
    fn a_hidden_field_is_left_out_and_the_others_are_still_asked_for() {
        let mut question = question();
        let message = "\nSELECT Id, Name, DeveloperName, Parent.PortalType FROM UserRole\n ^\nERROR at Row:1:Column:8\n\
                       No such column 'PortalType' on entity 'UserRole'.";
        let next = question.give_way(refusal("INVALID_FIELD", message)).unwrap();
        assert!(matches!(next, Next::AskAgain));
        assert_eq!(question.optional, ["DeveloperName"]);
        let next = question.give_way(refusal("INVALID_FIELD", "Kein solches Feld")).unwrap();
        assert!(matches!(next, Next::AskAgain) && question.optional.is_empty(), "nobody knows which");
        let next = question.give_way(refusal("INVALID_FIELD", "No such column 'Name'")).unwrap();
        assert!(matches!(next, Next::Absent), "without it the rows say nothing");
    }

    #[test]
    fn too_many_rows_are_asked_for_more_narrowly_once() {
        let mut question = question();
        let too_large = || refusal("OPERATION_TOO_LARGE", "");
        assert!(matches!(question.give_way(too_large()), Ok(Next::AskAgain)));
        let query = question.query().unwrap().to_string();
        assert!(query.ends_with("FROM UserRole WHERE PortalType = 'None'"), "{query}");
        assert!(matches!(question.give_way(too_large()), Err(CallError::Refused(_))));
    }

    #[test]
    fn only_an_object_that_the_org_lacks_is_absent() {
        assert!(matches!(question().give_way(refusal("INVALID_TYPE", "")), Ok(Next::Absent)));
        for code in ["INSUFFICIENT_ACCESS", "MALFORMED_QUERY", "QUERY_TOO_COMPLICATED"] {
            assert!(matches!(question().give_way(refusal(code, "")), Err(CallError::Refused(_))), "{code}");
        }
    }
}
