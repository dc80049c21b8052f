//! `LeadStatus`: which values `Lead.Status` has, which one is the default, which ones end a lead.

use serde::Deserialize;

/// One status, as the org file names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LeadStatus {
    pub(crate) name: String,
    /// What a new lead has. Without one it is the first.
    #[serde(default)]
    pub(crate) default: bool,
    /// A converted lead may have it.
    #[serde(default)]
    pub(crate) converted: bool,
}

/// The status of a new lead.
pub(crate) fn default(statuses: &[LeadStatus]) -> Option<&LeadStatus> {
    statuses.iter().find(|status| status.default).or_else(|| statuses.first())
}
