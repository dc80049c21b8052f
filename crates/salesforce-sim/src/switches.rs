//! What differs from org to org, or what nobody outside Salesforce knows for sure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{crm::duplicates::Action, locks::Patience, oauth::RefreshPolicy};

/// The switches of an org: in the org file under `[switches]`, at run time by `POST /_sim/switches`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "switches")]
pub(crate) struct Switches {
    /// Every refresh answers with a new refresh token and ends the old one.
    pub(crate) refresh_token_rotation: bool,
    /// The replay of a rotated refresh token ends its successors too.
    pub(crate) revoke_family_on_reuse: bool,
    /// When refresh tokens end.
    pub(crate) refresh_token_policy: RefreshPolicy,
    /// The time that belongs to the policies `inactivity` and `specific-lifetime`.
    pub(crate) refresh_token_seconds: Option<u64>,
    /// Refresh tokens that one user and one app have; one more ends the oldest.
    pub(crate) authorizations_per_user: usize,
    /// Authorization codes end this long after they were issued.
    pub(crate) authorization_code_seconds: u64,
    /// Tokens that one user gets in an hour before `login rate exceeded`.
    pub(crate) logins_per_hour: u64,
    /// Access tokens end this long after they were last used.
    pub(crate) access_token_seconds: u64,
    /// The password of every user that the org file gives none.
    pub(crate) default_password: String,
    /// The security token of every user, which may stand behind the password.
    pub(crate) security_token: String,
    /// Callers are outside the trusted networks: the security token must stand behind the password.
    pub(crate) security_token_required: bool,
    /// The newest API version that has SOAP `login()`.
    pub(crate) soap_login_newest: u16,
    /// Calls in 24 hours before `REQUEST_LIMIT_EXCEEDED`.
    pub(crate) daily_api_requests: u64,
    /// What each app may use of them, shown as `per-app-api-usage`; without it apps are not counted.
    pub(crate) per_app_api_usage: Option<u64>,
    /// Calls that run for 20 seconds before no other is let in; without it by the edition.
    pub(crate) concurrent_requests: Option<usize>,
    /// Writes that run for 5 seconds before no other is let in: where every write runs Apex.
    pub(crate) concurrent_long_transactions: Option<usize>,
    /// How long a call waits for a row that another one writes.
    pub(crate) lock_wait_ms: u64,
    /// How long it waits for the sharing lock; without it as long as for a row.
    pub(crate) sharing_lock_wait_ms: Option<u64>,
    /// Which key of an error comes first.
    pub(crate) error_key_order: KeyOrder,
    /// What token answers name as `instance_url`; without it the host that the caller used.
    pub(crate) instance_url: Option<String>,
    /// A user created without `IsActive`. Sources disagree.
    pub(crate) is_active_default: bool,
    /// A changed `User.Email` stays as it was, as if a verification mail were out.
    pub(crate) email_change_needs_confirmation: bool,
    /// JSON numbers are taken for text fields.
    pub(crate) numbers_as_text: bool,
    /// `FIELD_INTEGRITY_EXCEPTION` or `INVALID_EMAIL_ADDRESS`: both are seen.
    pub(crate) username_syntax_code: String,
    /// The code with which a blocked deactivation is refused. Not documented.
    pub(crate) deactivation_blocked_code: String,
    /// A blocked deactivation names all that stands in its way, one line each, not only the first. Not documented.
    pub(crate) name_all_blockers: bool,
    /// The code with which a user who deactivates himself is refused. Not documented.
    pub(crate) self_deactivation_code: String,
    /// The status with which `DELETE` of a User is refused: 405 is seen, others are reported.
    pub(crate) user_delete_status: u16,
    /// A read of a deleted record by its id is `ENTITY_IS_DELETED`, not `NOT_FOUND`. Both are reported.
    pub(crate) read_says_deleted: bool,
    /// All records of a collections call are one transaction for mixed DML, even without `allOrNone`.
    pub(crate) collection_is_one_transaction: bool,
    /// Text that is a number is taken for number fields.
    pub(crate) text_as_numbers: bool,
    /// A duplicate in a unique field names the record that has the value.
    pub(crate) name_duplicates: bool,
    /// A chain of managers may not come back to its start.
    pub(crate) refuse_manager_loops: bool,
    /// The running user may change converted leads ("View and Edit Converted Leads").
    pub(crate) edit_converted_leads: bool,
    /// The running user may set `IsConverted` of a new lead ("Set Audit Fields upon Record Creation").
    pub(crate) set_audit_fields: bool,
    /// The owner of a partner's or customer's account has a role, or its contacts become no users.
    pub(crate) portal_account_owner_needs_role: bool,
    /// What the standard duplicate rules of accounts, contacts and leads do: `off`, `alert`, `block`.
    pub(crate) duplicate_rules: Action,
    /// Users who are not active can be given permission sets. Commonly reported.
    pub(crate) inactive_users_take_permission_sets: bool,
    /// An `ExpirationDate` that is not in the future is refused. Not documented.
    pub(crate) refuse_past_expiration: bool,
    /// Permission set groups are for assignment only while their status is `Updated`.
    pub(crate) refuse_outdated_groups: bool,
    /// Permission set groups follow a change of their sets at once; otherwise they are `Outdated` until
    /// somebody sets them to `Updated`.
    pub(crate) permission_set_groups_recalculate: bool,
    /// A permission set licence cannot be taken from a user who has a set that needs it. Not documented.
    pub(crate) needed_licences_stay: bool,
    /// Adding a member that a group has already succeeds; some versions are reported to do that.
    pub(crate) duplicate_group_members_succeed: bool,
    /// Users with a community license can be members of public groups and queues.
    pub(crate) portal_users_join_groups: bool,
    /// Deactivated users leave their groups and queues. Salesforce documents that memberships stay.
    pub(crate) deactivation_ends_memberships: bool,
    /// How far the search index lags behind the records.
    pub(crate) search_index_delay_seconds: u64,
}

/// Which key of an error of the data API comes first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyOrder {
    /// `errorCode` in `NOT_FOUND`, `message` in all others.
    Recorded,
    MessageFirst,
    CodeFirst,
    /// Either, by the seed.
    Mixed,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            refresh_token_rotation: false,
            revoke_family_on_reuse: false,
            refresh_token_policy: RefreshPolicy::Infinite,
            refresh_token_seconds: None,
            authorizations_per_user: 5,
            authorization_code_seconds: 900,
            logins_per_hour: 3_600,
            access_token_seconds: 7_200,
            default_password: "simulated-password".into(),
            security_token: "simulatedtoken".into(),
            security_token_required: false,
            soap_login_newest: 66,
            daily_api_requests: 5_000_000,
            per_app_api_usage: None,
            concurrent_requests: None,
            concurrent_long_transactions: None,
            error_key_order: KeyOrder::Recorded,
            lock_wait_ms: 10_000,
            sharing_lock_wait_ms: None,
            instance_url: None,
            is_active_default: true,
            email_change_needs_confirmation: false,
            numbers_as_text: true,
            username_syntax_code: "FIELD_INTEGRITY_EXCEPTION".into(),
            deactivation_blocked_code: "FIELD_INTEGRITY_EXCEPTION".into(),
            name_all_blockers: false,
            self_deactivation_code: "FIELD_INTEGRITY_EXCEPTION".into(),
            user_delete_status: 405,
            read_says_deleted: false,
            collection_is_one_transaction: true,
            text_as_numbers: true,
            name_duplicates: false,
            refuse_manager_loops: true,
            edit_converted_leads: false,
            set_audit_fields: false,
            portal_account_owner_needs_role: true,
            duplicate_rules: Action::Alert,
            inactive_users_take_permission_sets: true,
            refuse_past_expiration: true,
            refuse_outdated_groups: true,
            permission_set_groups_recalculate: true,
            needed_licences_stay: true,
            duplicate_group_members_succeed: false,
            portal_users_join_groups: false,
            deactivation_ends_memberships: false,
            search_index_delay_seconds: 0,
        }
    }
}

impl Switches {
    pub(crate) fn patience(&self) -> Patience {
        let sharing = self.sharing_lock_wait_ms.unwrap_or(self.lock_wait_ms);
        Patience { sharing: Duration::from_millis(sharing), row: Duration::from_millis(self.lock_wait_ms) }
    }
}
