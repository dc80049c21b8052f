//! Who we are in which org, and whether everything is in place.

use salesforce_types::RecordId;
use serde::Deserialize;

use crate::{ApiUsage, CallError, Org, org::Purpose, transport::Request};

/// The org and the integration user that the token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgIdentity {
    /// The org.
    pub org_id: RecordId,
    /// The integration user, who is never provisioned.
    pub user_id: RecordId,
    /// The integration user's name, where the token's scopes let us read it.
    pub username: Option<String>,
}

/// What `gangway check` wants to know of an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// Who we are there.
    pub identity: OrgIdentity,
    /// The API versions that the org offers, such as `v66.0`, oldest first.
    pub api_versions: Vec<String>,
    /// Whether the configured one is among them.
    pub api_version_offered: bool,
    /// Whether the integration user may see the object User, without which nothing works.
    pub sees_users: bool,
    /// The API calls left.
    pub usage: Option<ApiUsage>,
}

#[derive(Deserialize)]
struct UserInfo {
    organization_id: RecordId,
    user_id: RecordId,
    #[serde(default)]
    preferred_username: Option<String>,
}

#[derive(Deserialize)]
struct ApiVersion {
    version: String,
}

impl Org {
    /// Asks who we are: the `UserInfo` endpoint, or without the scope for it the identity URL that came with the
    /// token.
    pub async fn identity(&self) -> Result<OrgIdentity, CallError> {
        let request = Request::get(Purpose::catalogue(), "userinfo", "/services/oauth2/userinfo".to_owned());
        let asked = match self.fetch(&request, Purpose::catalogue()).await {
            Ok(answer) => serde_json::from_slice::<UserInfo>(&answer.body)
                .map_err(|_| CallError::not_sent("the answer of the UserInfo endpoint is not one")),
            Err(error) => Err(error),
        };
        match asked {
            Ok(info) => Ok(OrgIdentity {
                org_id: info.organization_id,
                user_id: info.user_id,
                username: info.preferred_username,
            }),
            Err(error) => {
                let session = self.0.tokens.session().await.map_err(|trouble| trouble.give_up(false))?;
                session.identity.as_deref().and_then(from_url).ok_or(error)
            }
        }
    }

    /// Looks whether the org can be worked with: logs in, asks who we are, which API versions there are, and
    /// whether users can be seen. A few calls.
    pub async fn check(&self) -> Result<Checkup, CallError> {
        let identity = self.identity().await?;
        let request = Request::get(Purpose::catalogue(), "versions", "/services/data/".to_owned());
        let answer = self.fetch(&request, Purpose::catalogue()).await?;
        let versions: Vec<ApiVersion> = serde_json::from_slice(&answer.body)
            .map_err(|_| CallError::not_sent("the list of API versions cannot be read"))?;
        let api_versions: Vec<String> =
            versions.into_iter().map(|offered| format!("v{}", offered.version)).collect();
        let sees_users = match self.describe("User").await {
            Ok(_) => true,
            Err(CallError::Refused(_)) => false,
            Err(error) => return Err(error),
        };
        Ok(Checkup {
            identity,
            api_version_offered: api_versions.contains(&self.0.config.api_version),
            api_versions,
            sees_users,
            usage: self.usage(),
        })
    }
}

/// Reads an identity URL, such as `https://login.salesforce.com/id/00D.../005...`.
fn from_url(url: &str) -> Option<OrgIdentity> {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let user_id = RecordId::parse(parts.next()?).ok()?;
    let org_id = RecordId::parse(parts.next()?).ok()?;
    Some(OrgIdentity { org_id, user_id, username: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_url_ends_in_two_ids() {
        let identity =
            from_url("https://login.salesforce.com/id/00D5f000005mc66/0055f000005mc66AAA").unwrap();
        assert_eq!(identity.org_id.prefix(), "00D");
        assert_eq!(identity.user_id.as_str(), "0055f000005mc66AAA");
        for bad in ["", "/", "https://login.salesforce.com/id", "https://x/id/a/b"] {
            assert_eq!(from_url(bad), None, "{bad}");
        }
    }
}
