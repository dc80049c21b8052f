//! `[customers.<name>.environments.<name>]`: a tenant.

use std::{collections::BTreeMap, path::PathBuf};

use model::{OrgName, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use translation::Mapping;

use super::{
    akamai::AkamaiSection,
    client::{ClientSection, ClientSettings},
    didomi::DidomiSection,
    receiver::{ReceiverSection, ReceiverSettings},
    scim_events::ScimEventsSection,
    shared_signals::SharedSignalsSection,
    source::SourceSettings,
};

/// The profile that a new User gets where nothing else is said; every org has it.
const DEFAULT_PROFILE: &str = "Standard User";

/// A customer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CustomerSection {
    /// The customer's environments, such as `prod` and `test`, each under a name that also stands in the URL:
    /// `/{customer}/{environment}/scim/v2`.
    pub environments: BTreeMap<String, EnvironmentSection>,
}

/// One customer's one environment: a tenant. Nothing of it can be seen from another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnvironmentSection {
    /// Whether this tenant is also served on the short paths `/scim/v2` and `/services/scim/v2`. A sole tenant is by
    /// itself; of several, one may be.
    pub default: Option<bool>,
    /// The file with the targets and their fields. Without it every identity is a User, by the built-in mapping.
    pub mapping: Option<PathBuf>,
    /// The org of targets that name none. Needed only where there are several orgs.
    pub org: Option<String>,
    /// A `userName` that is no e-mail address becomes `name@` this domain in Salesforce. SCIM reads go on showing what was
    /// sent. Without it such a name is refused.
    pub username_domain: Option<String>,
    /// What DELETE of a User does. Salesforce itself never deletes a User.
    #[serde(default)]
    pub scim_delete: ScimDeleteName,
    /// The profile of Users, by name or id, where no request, group or rule asks for one and the mapping fills no `ProfileId`.
    /// Empty: there is none; then the mapping gives everybody a profile for good, by a rule without `when` and `until` or by
    /// `ProfileId` with a `default`.
    #[serde(default = "default_profile")]
    pub default_profile: String,
    /// Usernames or ids of Salesforce Users that are never adopted nor changed.
    ///
    /// Users with *Modify All Data* or *Manage Users* in their profile are never adopted either. Somebody who gets such a permission
    /// later, by hand in Salesforce and seen by `resync`, or from another client, is changed, locked out and stripped only by a client
    /// that may give it, by its full name in `grants`: others get 403. What a rule or the default profile gives does not count.
    #[serde(default)]
    pub protected: Vec<String>,
    /// Who may call.
    #[serde(default)]
    pub clients: Vec<ClientSection>,
    /// Who hears of what Gangway changed.
    #[serde(default)]
    pub receivers: Vec<ReceiverSection>,
    /// Shared Signals transmitters that say what happens to accounts and sessions elsewhere.
    #[serde(default)]
    pub shared_signals: Vec<SharedSignalsSection>,
    /// SCIM service providers that say what changes there, by SCIM events.
    #[serde(default)]
    pub scim_events: Vec<ScimEventsSection>,
    /// Akamai Identity Clouds that send events.
    #[serde(default)]
    pub akamai: Vec<AkamaiSection>,
    /// Didomi, which says what people have chosen.
    #[serde(default)]
    pub didomi: Vec<DidomiSection>,
}

fn default_profile() -> String {
    DEFAULT_PROFILE.to_owned()
}

/// What DELETE of a User does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScimDeleteName {
    /// Gone from SCIM, deactivated in Salesforce.
    #[default]
    Remove,
    /// Deactivated in both: 204, then still there with `active` false.
    Deactivate,
}

impl From<ScimDeleteName> for provisioning::ScimDelete {
    fn from(name: ScimDeleteName) -> Self {
        match name {
            ScimDeleteName::Remove => Self::Remove,
            ScimDeleteName::Deactivate => Self::Deactivate,
        }
    }
}

/// A tenant, checked, its mapping read.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// Its name.
    pub id: TenantId,
    /// Whether the short paths are its own.
    pub default: bool,
    /// Its targets.
    pub mapping: Mapping,
    /// The mapping's file; none: the built-in one.
    pub mapping_file: Option<PathBuf>,
    /// The org of targets that name none.
    pub org: Option<OrgName>,
    /// What a userName that is no e-mail address gets behind its `@`.
    pub username_domain: Option<String>,
    /// What DELETE does.
    pub scim_delete: ScimDeleteName,
    /// The profile of Users whom nothing else gives one; none: the mapping gives everybody one.
    pub default_profile: Option<String>,
    /// Salesforce Users that are never touched.
    pub protected: Vec<String>,
    /// Who may call.
    pub clients: Vec<ClientSettings>,
    /// Who sends events.
    pub sources: Vec<SourceSettings>,
    /// Who hears of changes.
    pub receivers: Vec<ReceiverSettings>,
}
