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
/// The keys of licences whose users have no role (Salesforce Help, "User Licenses").
const WITHOUT_ROLE: [&str; 8] = [
    "CSN_External_User",
    "CSN_User",
    "HIGH_VOLUME_PORTAL",
    "PID_Customer_Community",
    "PID_Customer_Community_Login",
    "PID_External_Identity",
    "PID_External_Identity_Login",
    "PID_FDC_FREE",
];

impl Entitlement {
    /// For whom it is; nothing where that makes no difference, or the org does not tell.
    #[must_use]
    pub fn audience(&self) -> Option<Audience> {
        let whose = self.user_type.as_deref()?;
        match self.of.kind {
            EntitlementKind::Profile if SYSTEM.contains(&whose) => Some(Audience::System),
            EntitlementKind::Profile if EXTERNAL.contains(&whose) => Some(Audience::External),
            EntitlementKind::Role if whose != "None" => Some(Audience::External),
            EntitlementKind::Profile | EntitlementKind::Role => Some(Audience::Internal),
            _ => None,
        }
    }
}

impl UserLicense {
    /// Whether its users may have a role. Of a licence that nobody here knows they may: Salesforce has the last word.
    #[must_use]
    pub fn allows_role(&self) -> bool {
        !WITHOUT_ROLE.contains(&self.key.as_str())
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
