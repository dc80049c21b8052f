//! `[[customers.<name>.environments.<name>.clients]]`: who may call.

use model::{ClientName, TenantId};
use provisioning::{ClientPolicy, ListRule};
use schemars::JsonSchema;
use scim_server::OAuth;
use serde::{Deserialize, Serialize};

use super::oauth::OAuthSection;

/// Who may call: an identity tool with its bearer token, or with what it gets access tokens with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientSection {
    /// A name of your choice, as it stands in logs and in the journal.
    pub name: String,
    /// SHA-256 of the client's bearer token, 64 hexadecimal digits; `gangway token new` makes both. Two may live at the same
    /// time, so that a token can be replaced without an outage. A client with `oauth` needs none.
    #[serde(default, deserialize_with = "super::secret::hashes")]
    pub token_sha256: Vec<String>,
    /// What the client gets access tokens with, at `/services/oauth2/token` beside `/services/scim/v2`: for connectors that
    /// can only log in as they do to Salesforce.
    pub oauth: Option<OAuthSection>,
    /// What the client may do.
    #[serde(default)]
    pub may: May,
    /// Whose habits the client has. Only for what cannot be told from a request.
    pub dialect: Option<DialectName>,
    /// When a change is answered.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Whether the client counts `startIndex` of Users and Groups from 0.
    #[serde(default)]
    pub zero_based_index: bool,
    /// What PATCH of a Group answers. Without it: 200 with the group, or 204 where the `dialect` prefers that.
    pub group_patch: Option<GroupPatch>,
    /// Which entitlements (profiles, permission sets, roles and so on) the client may give and take, by whatever it sends.
    /// Without it: all but the far-reaching ones.
    #[serde(default)]
    pub grants: GrantsSection,
    /// What the client means when it replaces the whole of a User's `entitlements` or `roles` with one value. Without it:
    /// `"add"` for the dialect `helloid`, which has no other way to give something, and `"exact"` for all others.
    pub entitlements: Option<ListRuleName>,
    /// What becomes of elements of `entitlements` and `roles` that are nothing in Salesforce.
    #[serde(default)]
    pub unknown_entitlements: UnknownEntitlements,
    /// The population of an event source: the client sees and changes the identities that come by those events, and nobody
    /// else. Without it: those that come by SCIM.
    pub population: Option<String>,
}

/// What becomes of elements of `entitlements` and `roles` that are nothing in Salesforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownEntitlements {
    /// The request is refused: 400 `invalidValue`, which names them.
    #[default]
    Refuse,
    /// They are kept and shown as they are, and give nothing: application roles that mean something to others.
    Keep,
}

/// Which entitlements a client may give and take. A pattern is a kind and a name, `permission-set:Sales_*`: an API name, a
/// label or an id, in which `*` stands for any characters. The kind is `profile`, `role`, `permission-set`,
/// `permission-set-group`, `permission-set-license`, `public-group`, `queue`, `package-license`, `feature-license`,
/// `territory`, or `*` for all of them.
///
/// What gives "Modify All Data" or "Manage Users" has to be allowed by its full name: no pattern with a `*` allows it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrantsSection {
    /// Nothing but these. Without it, or empty: all.
    #[serde(default)]
    pub allow: Vec<String>,
    /// None of these, whatever is allowed.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// What a client means by a replace of a whole list with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ListRuleName {
    /// The list is the list: what is not in it is taken away (RFC 7644).
    Exact,
    /// This one too: nothing else is taken away, but a profile or role takes the place of the one before.
    Add,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// Read only.
    Read,
    /// Read and write: what an identity tool is for.
    #[default]
    Write,
}

/// Whose habits a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DialectName {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// `PingOne` and `PingFederate`.
    Ping,
    /// `HelloID`.
    #[serde(rename = "helloid")]
    HelloId,
    /// `SailPoint`.
    #[serde(rename = "sailpoint")]
    SailPoint,
}

/// When a change is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// When Salesforce has answered.
    #[default]
    Sync,
    /// When the request is in the journal: 202.
    Stored,
}

/// What PATCH of a Group answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupPatch {
    /// 200 with the group.
    Body,
    /// 204.
    NoContent,
}

/// A client, checked.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Its name.
    pub name: ClientName,
    /// The hashes of its tokens: at most two.
    pub token_sha256: Vec<[u8; 32]>,
    /// What it gets access tokens with.
    pub oauth: Option<OAuth>,
    /// What it may do.
    pub may: May,
    /// Whose habits it has.
    pub dialect: Option<DialectName>,
    /// When a change is answered.
    pub acknowledge: Acknowledge,
    /// Whether it counts from 0.
    pub zero_based_index: bool,
    /// What PATCH of a Group answers.
    pub group_patch: Option<GroupPatch>,
    /// What it may ask for, and what it means by it.
    pub policy: ClientPolicy,
    /// Whom it sees; none: those that come by SCIM.
    pub population: Option<TenantId>,
}

impl ListRuleName {
    /// What holds where the configuration says nothing.
    pub(super) fn of(dialect: Option<DialectName>) -> Self {
        match dialect {
            Some(DialectName::HelloId) => Self::Add,
            _ => Self::Exact,
        }
    }
}

impl From<ListRuleName> for ListRule {
    fn from(name: ListRuleName) -> Self {
        match name {
            ListRuleName::Exact => Self::Exact,
            ListRuleName::Add => Self::Add,
        }
    }
}
