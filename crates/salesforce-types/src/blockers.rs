//! Why a User cannot be deactivated, and where an administrator changes that: one table.
//!
//! Salesforce keeps whoever a setting, a rule or a process of the org names (help, *Considerations for Deactivating Users*,
//! and the articles on each message). It gives no code of its own for it: what stands in the way is only told in words, in
//! the language of the integration user, and it names what it meets first. So words that are not known are kept as they are.

use crate::Refusal;

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Its name, such as `default-case-owner`; [`OTHER`] where the words are not known.
    pub what: &'static str,
    /// Where it is changed, such as `Setup > Support Settings > Default Case Owner`. Empty where that is not known.
    pub place: &'static str,
    /// What to do there.
    pub remedy: &'static str,
    /// As Salesforce has worded it. It may name people: not for logs.
    pub words: String,
}

/// The name of a blocker whose words are not known.
pub const OTHER: &str = "other";

/// One row: words that name a blocker.
struct Rule {
    what: &'static str,
    /// A clause names it where it holds all words of one of these.
    says: &'static [&'static [&'static str]],
    place: &'static str,
    remedy: &'static str,
}

const fn row(
    what: &'static str,
    says: &'static [&'static [&'static str]],
    place: &'static str,
    remedy: &'static str,
) -> Rule {
    Rule { what, says, place, remedy }
}

const REPLACE: &str = "name another active user there";
const RULE: &str = "give the entries and actions that name the user another one; inactive rules count too";

/// The table; a more specific row stands before a more general one.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    row("default-case-owner", &[&["default owner of cases"], &["default case owner"]], "Setup > Support Settings > Default Case Owner", REPLACE),
    row("default-case-creator", &[&["automated case"], &["default case creator"], &["default creator of cases"]], "Setup > Support Settings > Automated Case User", REPLACE),
    row("default-workflow-user", &[&["default workflow user"]], "Setup > Process Automation Settings > Default Workflow User", REPLACE),
    row("web-to-lead-creator", &[&["web to lead"], &["web-to-lead"], &["default lead creator"], &["default creator of leads"]], "Setup > Web-to-Lead > Default Lead Creator", REPLACE),
    row("default-lead-owner", &[&["default owner of leads"], &["default lead owner"]], "Setup > Lead Settings > Default Lead Owner", REPLACE),
    row("auto-response-rule", &[&["auto-response"], &["auto response"]], "Setup > Case Auto-Response Rules, and Setup > Lead Auto-Response Rules", RULE),
    row("case-rule", &[&["assignment", "escalation"]], "Setup > Case Assignment Rules, and Setup > Escalation Rules", RULE),
    row("escalation-rule", &[&["escalation"]], "Setup > Escalation Rules", RULE),
    row("assignment-rule", &[&["assignment rule"]], "Setup > Case Assignment Rules, and Setup > Lead Assignment Rules", RULE),
    row("approval-process", &[&["approval"], &["approver"]], "Setup > Approval Processes", "name another approver there, and reassign the requests that wait for the user"),
    row("workflow-field-update", &[&["field update"]], "Setup > Field Updates", "let the update write another user"),
    row("email-alert-recipient", &[&["email alert"], &["e-mail alert"]], "Setup > Email Alerts", "give the alert another recipient"),
    row("workflow-task", &[&["workflow", "task"]], "Setup > Tasks (under Workflow Actions)", "assign the task to another user"),
    row("big-deal-alert", &[&["big deal"]], "Setup > Big Deal Alert", REPLACE),
    row("update-reminder", &[&["update reminder"]], "Setup > Opportunity Update Reminders", "take the user out of the reminders"),
    row("lead-process", &[&["lead process"]], "Setup > Lead Processes", REPLACE),
    row("customer-portal-admin", &[&["portal", "administrator"], &["portal admin"]], "Setup > Customer Portal Settings > Administrator", REPLACE),
    row("custom-hierarchy", &[&["hierarchy field"]], "Setup > Users", "take the user out of this field of the users that name it; a field that was deleted counts until it is erased"),
    row("portal-account-owner", &[&["portal account"]], "the accounts of portal and site users that the user owns", "give these accounts another owner"),
    row("apex-shares", &[&["apex", "shar"]], "the records that Apex has shared with the user", "remove these shares"),
    row("record-owner", &[&["owner of", "record"]], "the records that the user owns", "give these records another owner"),
    row("sharing-participant", &[&["participant"]], "the participants of Compliant Data Sharing", "take the user out of the records and groups in which he participates"),
];

/// Codes that say by themselves what stands in the way (the WSDL's `StatusCode`).
const CODES: [(&str, &str); 3] = [
    ("USER_OWNS_PORTAL_ACCOUNT_EXCEPTION", "portal-account-owner"),
    ("USER_WITH_APEX_SHARES_EXCEPTION", "apex-shares"),
    ("CANNOT_DELETE_OWNER", "record-owner"),
];

/// Codes that blocked deactivations come with; which one is not documented.
const GENERAL: [&str; 4] =
    ["FIELD_INTEGRITY_EXCEPTION", "INACTIVE_OWNER_OR_USER", "DELETE_FAILED", "DEPENDENCY_EXISTS"];

/// How Salesforce begins what it says of a blocker, whatever the code is.
const BEGINNINGS: [&str; 4] =
    ["cannot deactivate", "cannot disable", "cannot inactivate", "can't deactivate"];

/// What keeps a User active, by the refusal of a write that was to deactivate it. Empty: it was refused for another reason,
/// such as a right that is missing, or because it is the last administrator or the integration user itself.
///
/// `alone`: the write did nothing else, so that a refusal of what does not fit together is about the deactivation, whatever
/// the language of its words.
#[must_use]
pub fn blockers(refusal: &Refusal, alone: bool) -> Vec<Blocker> {
    let message = without_markup(&refusal.message);
    let folded = message.to_lowercase();
    if refusal.code == "CANNOT_DISABLE_LAST_ADMIN" || folded.contains("yourself") {
        return Vec::new();
    }
    if let Some((_, what)) = CODES.iter().find(|(code, _)| *code == refusal.code) {
        return rule(what).map(|rule| named(rule, &message)).into_iter().collect();
    }
    let is_general = GENERAL.contains(&refusal.code.as_str());
    let says_so = BEGINNINGS.iter().any(|beginning| folded.contains(beginning));
    if !(says_so || alone && is_general) {
        return Vec::new();
    }
    let mut found: Vec<Blocker> = Vec::new();
    for clause in clauses(&message) {
        let folded = clause.to_lowercase();
        match RULES
            .iter()
            .find(|rule| rule.says.iter().any(|all| all.iter().all(|word| folded.contains(word))))
        {
            Some(rule) if found.iter().any(|blocker| blocker.what == rule.what) => {}
            Some(rule) => found.push(named(rule, clause)),
            None if is_said_of_all(&folded) => {}
            None => found.push(other(clause)),
        }
    }
    if found.is_empty() {
        found.push(other(&message));
    }
    found
}

fn rule(what: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.what == what)
}

fn named(rule: &Rule, words: &str) -> Blocker {
    Blocker { what: rule.what, place: rule.place, remedy: rule.remedy, words: words.trim().to_owned() }
}

fn other(words: &str) -> Blocker {
    let remedy = "replace the user where the message says";
    Blocker { what: OTHER, place: "", remedy, words: words.trim().to_owned() }
}

/// What is said whatever stands in the way, and adds nothing.
fn is_said_of_all(folded: &str) -> bool {
    folded.starts_with("click here")
        || matches!(folded, "you cannot deactivate this user" | "cannot complete this operation")
}

/// The sentences and lines of a message.
fn clauses(message: &str) -> impl Iterator<Item = &str> {
    message
        .split(['\n', ';'])
        .flat_map(|line| line.split(". "))
        .map(|clause| clause.trim().trim_end_matches('.'))
        .filter(|clause| !clause.is_empty())
}

/// Messages may hold links for the pages of Setup.
fn without_markup(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut in_tag = false;
    for (at, letter) in message.char_indices() {
        match letter {
            '<' if is_tag(&message[at..]) => {
                in_tag = true;
                if message[at..].to_lowercase().starts_with("<br") {
                    text.push('\n');
                }
            }
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            letter => text.push(letter),
        }
    }
    text
}

fn is_tag(text: &str) -> bool {
    text[1..].starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/') && text.contains('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str) -> Refusal {
        Refusal {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
            fields: Vec::new(),
            records: Vec::new(),
        }
    }

    fn names(message: &str) -> Vec<&'static str> {
        blockers(&refused("FIELD_INTEGRITY_EXCEPTION", message), false)
            .iter()
            .map(|blocker| blocker.what)
            .collect()
    }

    #[test]
    fn the_words_of_salesforce_s_own_articles_are_known() {
        let known = [
            (
                "You cannot deactivate this user. You cannot deactivate a user who is the default owner of cases",
                "default-case-owner",
            ),
            ("You cannot deactivate the Default Workflow User", "default-workflow-user"),
            ("You cannot disable the Web to Lead Default Creator.", "web-to-lead-creator"),
            (
                "You cannot deactivate this user. You cannot deactivate a user who is receiving cases or notifications as part of your \
                 case assignment/escalation rules. Click here to view your case assignment / escalation rules.",
                "case-rule",
            ),
            (
                "Cannot complete this operation. Cannot inactivate user that is the value of a hierarchy field: User Hierarchy",
                "custom-hierarchy",
            ),
        ];
        for (message, what) in known {
            assert_eq!(names(message), [what], "{message}");
        }
    }

    #[test]
    fn several_in_one_message_are_all_named_once() {
        let message = "You cannot deactivate this user.<br/>You cannot deactivate the <a href=\"/setup\">Default Workflow User</a>.\
                       \nYou cannot disable the Web to Lead Default Creator; you cannot deactivate a user who is an approver. \
                       You cannot deactivate an approver.";
        assert_eq!(names(message), ["default-workflow-user", "web-to-lead-creator", "approval-process"]);
    }

    #[test]
    fn words_that_nobody_knows_are_kept_as_they_are() {
        let message = "You cannot deactivate a user who is on the moon: 1 < 2";
        let found = blockers(&refused("INACTIVE_OWNER_OR_USER", message), false);
        assert_eq!((found.len(), found[0].what, found[0].words.as_str()), (1, OTHER, message));
        assert!(found[0].place.is_empty());
    }

    #[test]
    fn words_of_another_language_count_where_nothing_else_was_written() {
        let refusal = refused("FIELD_INTEGRITY_EXCEPTION", "U kunt deze gebruiker niet deactiveren");
        assert!(blockers(&refusal, false).is_empty());
        assert_eq!(blockers(&refusal, true)[0].words, refusal.message);
    }

    #[test]
    fn what_is_refused_for_another_reason_is_not_blocked() {
        for (code, message) in [
            ("CANNOT_DISABLE_LAST_ADMIN", "You cannot disable the last active administrator"),
            ("FIELD_INTEGRITY_EXCEPTION", "You cannot deactivate yourself"),
            ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
            ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Leavers need a leaving date"),
        ] {
            assert!(blockers(&refused(code, message), true).is_empty(), "{code}");
        }
    }

    #[test]
    fn codes_that_say_it_need_no_words() {
        for (code, what) in CODES {
            let found = blockers(&refused(code, "x"), false);
            assert_eq!(found.iter().map(|blocker| blocker.what).collect::<Vec<_>>(), [what]);
            assert!(!found[0].place.is_empty());
        }
    }

    #[test]
    fn every_row_is_found_by_its_own_words_and_says_what_to_do() {
        for rule in RULES {
            assert!(!rule.place.is_empty() && !rule.remedy.is_empty(), "{}", rule.what);
            for all in rule.says {
                let message = format!("You cannot deactivate a user: {}", all.join(" and "));
                assert_eq!(names(&message), [rule.what], "{message}");
            }
        }
    }
}
