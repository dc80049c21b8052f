//! For whom a profile, a role or a licence is.

use crate::{Entitlement, EntitlementKind, UserLicense};

/// For whom a profile or a role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Users who are no contact: the company's own people.
    Internal,
    /// Users who are a contact: those of a portal.
    External,
    /// Guests of sites and Salesforce's own users: no person can have it.
    System,
}

/// The `UserType` of profiles that no person can have (Object Reference, Profile).
const SYSTEM: [&str; 3] = ["Guest", "AutomatedProcess", "CloudIntegrationUser"];
/// The `UserType` of profiles whose users are contacts.
const EXTERNAL: [&str; 4] = ["PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CspLitePortal"];
/// Keys of user licences (`LicenseDefinitionKey`) whose Users have no role: Chatter, Customer Community, high volume portals and
/// External Identity. Each also stands for the one that goes on with `_Login`, which is counted by logins.
const WITHOUT_ROLE: [&str; 7] = [
    "CSN_User",
    "CSN_External_User",
    "PID_FDC_FREE",
    "PID_Customer_Community",
    "HIGH_VOLUME_PORTAL",
    "PID_High_Volume_Portal",
    "PID_External_Identity",
];
/// Counted by logins.
const BY_LOGINS: &str = "_Login";

impl Entitlement {
    /// For whom it is; nothing where that makes no difference, or the org does not tell.
    #[must_use]
    pub fn audience(&self) -> Option<Audience> {
        let whose = self.user_type.as_deref()?;
        match self.of.kind {
            EntitlementKind::Profile if SYSTEM.contains(&whose) => Some(Audience::System),
            EntitlementKind::Profile if EXTERNAL.contains(&whose) => Some(Audience::External),
            EntitlementKind::Role if !matches!(whose, "None" | "") => Some(Audience::External),
            EntitlementKind::Profile | EntitlementKind::Role => Some(Audience::Internal),
            _ => None,
        }
    }
}

impl UserLicense {
    /// Whether its users may have a role. Of a licence that nobody here knows they may: Salesforce has the last word.
    #[must_use]
    pub fn allows_role(&self) -> bool {
        let key = self.key.strip_suffix(BY_LOGINS).unwrap_or(&self.key);
        !WITHOUT_ROLE.iter().any(|known| known.eq_ignore_ascii_case(key))
    }

    /// Whether it is called so, by its name or its key, in any case.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        self.name.to_lowercase() == text.to_lowercase() || self.key.eq_ignore_ascii_case(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EntitlementRef;

    fn of(kind: EntitlementKind, user_type: &str) -> Option<Audience> {
        let one = Entitlement {
            of: EntitlementRef { kind, id: "x".to_owned() },
            name: "x".to_owned(),
            label: "x".to_owned(),
            description: None,
            license: None,
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: Some(user_type.to_owned()),
        };
        one.audience()
    }

    #[test]
    fn profiles_and_roles_are_for_the_company_a_portal_or_nobody() {
        use EntitlementKind::{Profile, Queue, Role};
        assert_eq!(of(Profile, "Standard"), Some(Audience::Internal));
        assert_eq!(of(Profile, "CsnOnly"), Some(Audience::Internal));
        assert_eq!(of(Profile, "CspLitePortal"), Some(Audience::External));
        assert_eq!(of(Profile, "Guest"), Some(Audience::System));
        assert_eq!(of(Role, "None"), Some(Audience::Internal));
        assert_eq!(of(Role, "Partner"), Some(Audience::External));
        assert_eq!(of(Queue, "None"), None);
    }
}
