//! `userInfo` of `login`, which is the result of `getUserInfo` too.

use super::{Call, Element, text_of};
use crate::{ids::Id, org::Org};

pub(super) fn result(call: &Call) -> Element {
    Element { name: "result".into(), ..of(call.org, call.actor.user) }
}

/// The recorded list of elements, in its order.
pub(super) fn of(org: &Org, user: Id) -> Element {
    let users = org.table_of("User");
    let organizations = org.table_of("Organization");
    let (row, organization) = (users.get(user), organizations.get(org.id));
    let text = |name: &str| row.and_then(|row| text_of(&row.get(users.object.at(name)).to_json()));
    let name = organization.and_then(|row| text_of(&row.get(organizations.object.at("Name")).to_json()));
    Element::default()
        .with("accessibilityMode", "false")
        .with("chatterExternal", "false")
        .with("currencySymbol", "$")
        .with("orgAttachmentFileSizeLimit", "5242880")
        .with("orgDefaultCurrencyIsoCode", "USD")
        .with("orgDefaultCurrencyLocale", "en_US")
        .with("orgDisallowHtmlAttachments", "false")
        .with("orgHasPersonAccounts", "false")
        .with("organizationId", org.id.to_string())
        .with("organizationMultiCurrency", "false")
        .with_some("organizationName", name)
        .with_some("profileId", text("ProfileId"))
        .with_some("roleId", text("UserRoleId"))
        .with("sessionSecondsValid", org.switches.access_token_seconds.to_string())
        .with_some("userDefaultCurrencyIsoCode", None)
        .with_some("userEmail", text("Email"))
        .with_some("userFullName", text("Name"))
        .with("userId", user.to_string())
        .with_some("userLanguage", text("LanguageLocaleKey"))
        .with_some("userLocale", text("LocaleSidKey"))
        .with_some("userName", text("Username"))
        .with_some("userTimeZone", text("TimeZoneSidKey"))
        .with("userType", "Standard")
        .with("userUiSkin", "Theme3")
}
