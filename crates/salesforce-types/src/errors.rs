//! What each of Salesforce's errors means for a caller: one table.
//!
//! From the *REST API Developer Guide* ("Status Codes and Error Responses") and the WSDL's `StatusCode` and
//! `ExceptionCode`; the SCIM side follows RFC 7644 §3.12. A licence that is used up is 403 rather than 409, which
//! identity tools read as "exists already".

/// Whether asking again helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again.
    No,
    /// After a new access token, once.
    Reauthenticate,
    /// In a moment.
    Backoff,
    /// When the rolling day has moved on.
    BackoffLong,
    /// When somebody has changed a setting.
    Fix,
}

/// One row: what an error code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Salesforce's `errorCode`.
    pub code: &'static str,
    /// Text that the message must hold, in any case, where one code has several meanings. Empty: any.
    pub message: &'static str,
    /// Whether asking again helps.
    pub retry: Retry,
    /// The status a SCIM caller gets.
    pub status: u16,
    /// The `scimType` that goes with it.
    pub scim_type: Option<&'static str>,
    /// What to do, for a person.
    pub advice: &'static str,
}

/// The row for a code, the more specific message first; a code without a row gets [`UNKNOWN`].
#[must_use]
pub fn rule(code: &str, message: &str) -> &'static Rule {
    RULES
        .iter()
        .find(|rule| rule.code.eq_ignore_ascii_case(code) && contains_ignoring_case(message, rule.message))
        .unwrap_or(&UNKNOWN)
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    part.is_empty() || text.to_lowercase().contains(&part.to_lowercase())
}

const fn row(
    code: &'static str,
    message: &'static str,
    retry: Retry,
    status: u16,
    scim_type: Option<&'static str>,
    advice: &'static str,
) -> Rule {
    Rule { code, message, retry, status, scim_type, advice }
}

/// What an error that is not in the table means.
pub const UNKNOWN: Rule = row(
    "",
    "",
    Retry::No,
    400,
    Some("invalidValue"),
    "this error is not known to Gangway; Salesforce's own words say what it minds",
);

const INVALID_VALUE: Option<&str> = Some("invalidValue");
const UNIQUENESS: Option<&str> = Some("uniqueness");
const MUTABILITY: Option<&str> = Some("mutability");

/// The table.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    // access
    row("INVALID_SESSION_ID", "not valid for use with the REST API", Retry::Fix, 503, None, "give the integration user the permission API Enabled"),
    row("INVALID_SESSION_ID", "", Retry::Reauthenticate, 503, None, "the access token has expired and could not be renewed"),
    row("INVALID_AUTH_HEADER", "", Retry::Fix, 500, None, "the access token is malformed; connect the org again"),
    row("invalid_grant", "login rate exceeded", Retry::Backoff, 429, None, "too many logins in an hour for one user"),
    row("invalid_grant", "", Retry::Fix, 503, None, "connect the org again: its refresh token was revoked, has expired or was rotated away"),
    row("invalid_client", "", Retry::Fix, 503, None, "the consumer secret is wrong or was rotated"),
    row("invalid_client_id", "", Retry::Fix, 503, None, "the consumer key is unknown to this org"),
    row("rate_limit_exceeded", "", Retry::Backoff, 429, None, "too many logins in an hour for one user"),
    row("API_DISABLED_FOR_ORG", "", Retry::Fix, 500, None, "the org's edition has no API access"),
    row("API_CURRENTLY_DISABLED", "", Retry::Fix, 500, None, "API access is switched off for the integration user"),
    row("ORG_LOCKED", "", Retry::Fix, 503, None, "the org is locked; ask Salesforce"),
    row("TRIAL_EXPIRED", "", Retry::Fix, 503, None, "the org's trial has ended"),
    row("CLIENT_NOT_ACCESSIBLE_FOR_USER", "", Retry::Fix, 500, None, "allow the connected app for the integration user"),
    row("INSUFFICIENT_ACCESS", "", Retry::Fix, 403, None, "the integration user lacks a right on this record"),
    row("INSUFFICIENT_ACCESS_OR_READONLY", "", Retry::Fix, 403, None, "the integration user lacks a right on this record"),
    row("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", Retry::Fix, 400, INVALID_VALUE, "the record referred to is not accessible to the integration user"),
    // limits and moods
    row("REQUEST_LIMIT_EXCEEDED", "concurrent", Retry::Backoff, 429, None, "too many long calls at once in this org"),
    row("REQUEST_LIMIT_EXCEEDED", "", Retry::BackoffLong, 429, None, "the org's API calls for the rolling day are used up"),
    row("SERVER_UNAVAILABLE", "", Retry::Backoff, 503, None, "Salesforce is overloaded or under maintenance"),
    row("FUNCTIONALITY_TEMPORARILY_UNAVAILABLE", "", Retry::Backoff, 503, None, "Salesforce has switched this off for a while"),
    row("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", Retry::Backoff, 503, None, "the org is read-only during maintenance"),
    row("UNABLE_TO_LOCK_ROW", "", Retry::Backoff, 503, None, "another change holds the record"),
    row("TOO_MANY_APEX_REQUESTS", "", Retry::Backoff, 503, None, "the org's own code is busy"),
    row("QUERY_TIMEOUT", "", Retry::Backoff, 503, None, "the query took too long"),
    row("REQUEST_RUNNING_TOO_LONG", "", Retry::Backoff, 503, None, "the call took too long"),
    row("UNKNOWN_EXCEPTION", "", Retry::No, 502, None, "an error inside Salesforce; its error id is in the journal"),
    row("LIMIT_EXCEEDED", "", Retry::No, 503, None, "a limit of the org is reached"),
    row("STORAGE_LIMIT_EXCEEDED", "", Retry::No, 503, None, "the org's storage is full"),
    row("LICENSE_LIMIT_EXCEEDED", "", Retry::No, 403, None, "no free licence: buy a seat or free one by deactivating a user"),
    // what was sent
    row("REQUIRED_FIELD_MISSING", "", Retry::No, 400, INVALID_VALUE, "a required field has no value: map it or give it a default"),
    row("STRING_TOO_LONG", "", Retry::No, 400, INVALID_VALUE, "shorten the value"),
    row("INVALID_EMAIL_ADDRESS", "", Retry::No, 400, INVALID_VALUE, "correct the e-mail address"),
    row("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", Retry::No, 400, INVALID_VALUE, "send a value that the org's picklist offers"),
    row("NUMBER_OUTSIDE_VALID_RANGE", "", Retry::No, 400, INVALID_VALUE, "correct the number"),
    row("INVALID_STATUS", "", Retry::No, 400, INVALID_VALUE, "correct the status"),
    row("FIELD_INTEGRITY_EXCEPTION", "you cannot deactivate", Retry::No, 409, None, "replace the user where the message says, then try again"),
    row("FIELD_INTEGRITY_EXCEPTION", "you cannot disable", Retry::No, 409, None, "replace the user where the message says, then try again"),
    row("FIELD_INTEGRITY_EXCEPTION", "", Retry::No, 400, INVALID_VALUE, "the values do not fit together"),
    row("FIELD_CUSTOM_VALIDATION_EXCEPTION", "", Retry::No, 400, INVALID_VALUE, "a validation rule of the org refuses it"),
    row("FIELD_FILTER_VALIDATION_EXCEPTION", "", Retry::No, 400, INVALID_VALUE, "a lookup filter of the org refuses it"),
    row("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "", Retry::No, 400, INVALID_VALUE, "a trigger of the org refuses it"),
    row("CANNOT_EXECUTE_FLOW_TRIGGER", "", Retry::No, 400, INVALID_VALUE, "a flow of the org fails on it"),
    row("INVALID_CROSS_REFERENCE_KEY", "", Retry::No, 400, INVALID_VALUE, "the record referred to does not exist in this org"),
    row("MALFORMED_ID", "", Retry::No, 400, INVALID_VALUE, "the value is not the id of such a record"),
    row("INVALID_ID_FIELD", "", Retry::No, 400, INVALID_VALUE, "the value is not the id of such a record"),
    row("INVALID_FIELD", "foreign key external id", Retry::No, 400, INVALID_VALUE, "no record has this external id"),
    row("INVALID_FIELD", "", Retry::Fix, 500, None, "the org has no such field, or hides it from the integration user: correct the mapping"),
    row("INVALID_FIELD_FOR_INSERT_UPDATE", "", Retry::Fix, 400, MUTABILITY, "the field cannot be written: correct the mapping or the field's security"),
    row("FIELD_NOT_UPDATABLE", "", Retry::No, 400, MUTABILITY, "the field cannot be changed"),
    row("INVALID_TYPE", "", Retry::Fix, 500, None, "the org has no such object"),
    row("INACTIVE_OWNER_OR_USER", "you cannot", Retry::No, 409, None, "replace the user where the message says, then try again"),
    row("INACTIVE_OWNER_OR_USER", "", Retry::No, 400, INVALID_VALUE, "the owner is an inactive user"),
    row("CIRCULAR_DEPENDENCY", "", Retry::No, 400, INVALID_VALUE, "the managers form a circle"),
    row("INVALID_PERSON_ACCOUNT_OPERATION", "", Retry::No, 400, MUTABILITY, "the field belongs to the person account"),
    // what is there already
    row("DUPLICATE_USERNAME", "", Retry::No, 409, UNIQUENESS, "the username is taken in this or another Salesforce org: use a different userName or an org suffix"),
    row("DUPLICATE_COMM_NICKNAME", "", Retry::No, 409, UNIQUENESS, "the nickname is taken"),
    row("DUPLICATE_VALUE", "", Retry::No, 409, UNIQUENESS, "another record has this value in a unique field"),
    row("DUPLICATE_EXTERNAL_ID", "", Retry::No, 409, UNIQUENESS, "another record has this external id"),
    row("CONFLICTING_SSO_USER_MAPPING", "", Retry::No, 409, UNIQUENESS, "another user has this federation identifier"),
    row("DUPLICATES_DETECTED", "", Retry::No, 409, UNIQUENESS, "a duplicate rule of the org found such a record"),
    row("PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT", "", Retry::No, 409, UNIQUENESS, "the contact has a user already"),
    row("MULTIPLE_CHOICES", "", Retry::No, 409, None, "several records have this external id"),
    // what is not there, or stands in the way
    row("NOT_FOUND", "", Retry::No, 404, None, "the record is gone, or hidden from the integration user"),
    row("ENTITY_IS_DELETED", "", Retry::No, 404, None, "the record was deleted"),
    row("CANNOT_DISABLE_LAST_ADMIN", "", Retry::No, 403, None, "the org would be left without an administrator"),
    row("CANNOT_FREEZE_SELF", "", Retry::No, 403, None, "the integration user cannot freeze itself"),
    row("USER_OWNS_PORTAL_ACCOUNT_EXCEPTION", "", Retry::No, 409, None, "give the user's portal accounts another owner"),
    row("USER_WITH_APEX_SHARES_EXCEPTION", "", Retry::No, 409, None, "remove the user's Apex-managed shares"),
    row("CANNOT_DELETE_OWNER", "", Retry::No, 409, None, "give the user's records another owner"),
    row("CANNOT_UPDATE_CONVERTED_LEAD", "", Retry::No, 409, None, "the lead was converted"),
    row("DELETE_FAILED", "", Retry::No, 409, None, "other records refer to it"),
    row("DEPENDENCY_EXISTS", "", Retry::No, 409, None, "other records refer to it"),
    row("DELETE_NOT_ALLOWED", "", Retry::No, 409, None, "such a record cannot be deleted"),
    // our own mistakes
    row("MIXED_DML_OPERATION", "", Retry::No, 500, None, "a trigger of the org writes other objects in the same transaction"),
    row("MALFORMED_QUERY", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("INVALID_QUERY_FILTER_OPERATOR", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("QUERY_TOO_COMPLICATED", "", Retry::No, 400, Some("tooMany"), "ask for less at once"),
    row("EXCEEDED_ID_LIMIT", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("OPERATION_TOO_LARGE", "", Retry::No, 400, Some("tooMany"), "ask for less at once"),
    row("INVALID_QUERY_LOCATOR", "", Retry::Backoff, 503, None, "the org's cursor has expired"),
    row("JSON_PARSER_ERROR", "", Retry::No, 400, INVALID_VALUE, "the value has the wrong type for the field"),
    row("XML_PARSER_ERROR", "", Retry::No, 400, INVALID_VALUE, "remove the control characters from the value"),
    row("EXCEEDED_LEAD_CONVERT_LIMIT", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("POST_BODY_PARSE_ERROR", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("METHOD_NOT_ALLOWED", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("UNSUPPORTED_MEDIA_TYPE", "", Retry::No, 500, None, "this is a fault of Gangway's"),
    row("UNSUPPORTED_API_VERSION", "", Retry::Fix, 500, None, "choose an API version that the org offers"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_can_mean_two_things() {
        assert_eq!(rule("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").retry, Retry::BackoffLong);
        assert_eq!(
            rule("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.").retry,
            Retry::Backoff
        );
        assert_eq!(
            rule("FIELD_INTEGRITY_EXCEPTION", "You cannot deactivate the Default Workflow User").status,
            409
        );
    }

    #[test]
    fn c72_licence_name_and_required_field_are_told_apart() {
        let three: Vec<_> = ["LICENSE_LIMIT_EXCEEDED", "DUPLICATE_USERNAME", "REQUIRED_FIELD_MISSING"]
            .iter()
            .map(|code| (rule(code, "").status, rule(code, "").scim_type))
            .collect();
        assert_eq!(three, [(403, None), (409, Some("uniqueness")), (400, Some("invalidValue"))]);
    }

    #[test]
    fn a_general_row_never_hides_a_specific_one() {
        for (at, general) in RULES.iter().enumerate() {
            for specific in &RULES[at + 1..] {
                assert!(
                    specific.code != general.code || !general.message.is_empty(),
                    "{} stands before its more specific row",
                    general.code
                );
            }
        }
    }

    #[test]
    fn a_code_without_a_row_is_a_plain_refusal() {
        assert_eq!(rule("SOMETHING_NEW", ""), &UNKNOWN);
    }
}
