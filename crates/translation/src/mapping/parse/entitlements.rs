//! Reading `[entitlements]`.

use std::collections::BTreeMap;

use salesforce_types::EntitlementKind;
use toml::de::DeTable;

use super::{Item, Reader, in_order};
use crate::mapping::{EntitlementPolicy, Ownership};

const KEYS: [&str; 3] = ["ownership", "least-privileged", "waiting-list"];
const OWNERSHIP: [(&str, Ownership); 3] = [
    ("managed", Ownership::Managed),
    ("merge", Ownership::Merge),
    ("authoritative", Ownership::Authoritative),
];

impl Reader {
    pub(super) fn entitlements(&mut self, item: &Item<'_>) -> EntitlementPolicy {
        let Some(table) = self.table(item, "`entitlements`") else { return EntitlementPolicy::default() };
        self.refuse_unknown(table, &KEYS, "`[entitlements]`");
        let mut policy = EntitlementPolicy {
            waiting_list: table.get("waiting-list").is_some_and(|item| self.boolean(item, "`waiting-list`")),
            ownership: table.get("ownership").map(|item| self.ownership(item)).unwrap_or_default(),
            ..EntitlementPolicy::default()
        };
        self.least_privileged(table, &mut policy);
        policy
    }

    fn ownership(&mut self, item: &Item<'_>) -> BTreeMap<EntitlementKind, Ownership> {
        let Some(table) = self.table(item, "`ownership`") else { return BTreeMap::new() };
        let mut owned = BTreeMap::new();
        for (name, item) in in_order(table) {
            let kind = self.entitlement_kind(name.span(), name.get_ref());
            let ownership = self.word(item, "an ownership", &OWNERSHIP);
            owned.extend(kind.zip(ownership));
        }
        owned
    }

    fn least_privileged(&mut self, table: &DeTable<'_>, policy: &mut EntitlementPolicy) {
        let Some(item) = table.get("least-privileged") else { return };
        let Some(table) = self.table(item, "`least-privileged`") else { return };
        for (name, item) in in_order(table) {
            let license = name.get_ref().trim().to_owned();
            let twice = policy.least_privileged.keys().any(|known| known.eq_ignore_ascii_case(&license));
            if license.is_empty() {
                self.refuse(
                    name.span(),
                    "this is the name or the key of a user licence, such as `SFDC`",
                    None,
                );
            } else if twice {
                self.refuse(name.span(), format!("`{license}` is there twice"), None);
            } else if let Some(profile) = self.some_text(item, "the profile of a licence") {
                policy.places.insert(license.clone(), (name.span(), item.span()));
                policy.least_privileged.insert(license, profile);
            }
        }
    }
}
