//! Whether somebody can have an entitlement at all, as far as the catalogue tells: told before a call is spent.

use crate::{
    Audience, Catalogue, Entitlement, EntitlementKind, EntitlementRef, RecordId, Seats, UserLicense,
};

/// Something that is sold by the seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatsOf {
    /// The id of the licence that has them.
    pub license: String,
    /// What it is called, for a person.
    pub what: String,
    /// How many there are.
    pub seats: Seats,
}

/// Why somebody with this profile cannot have this entitlement. None: nothing in the catalogue says so. What it does not say
/// (which permissions a licence allows) is for Salesforce to refuse.
#[must_use]
pub fn mismatch(catalogue: &Catalogue, profile: &Entitlement, entitlement: &Entitlement) -> Option<String> {
    let license = catalogue.license(profile.license.as_ref()?)?;
    match entitlement.of.kind {
        EntitlementKind::Role => role_mismatch(license, profile, entitlement),
        EntitlementKind::PermissionSet => set_mismatch(catalogue, license, entitlement),
        EntitlementKind::PermissionSetGroup => entitlement.contains.iter().find_map(|id| {
            let of = EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.as_str().to_owned() };
            let why = set_mismatch(catalogue, license, catalogue.get(&of)?)?;
            Some(format!("it contains a permission set that does not fit: {why}"))
        }),
        _ => None,
    }
}

fn role_mismatch(license: &UserLicense, profile: &Entitlement, role: &Entitlement) -> Option<String> {
    if !license.allows_role() {
        return Some(format!("Users with the licence {} have no role", license.name));
    }
    let is_misplaced =
        role.audience() == Some(Audience::External) && profile.audience() == Some(Audience::Internal);
    is_misplaced.then(|| {
        format!(
            "the role `{}` is for Users of a portal, and the profile `{}` is not",
            role.label, profile.label
        )
    })
}

/// A permission set may be for the Users of one licence. One that is for the holders of a permission set licence is another
/// matter: that licence can be given.
fn set_mismatch(catalogue: &Catalogue, license: &UserLicense, set: &Entitlement) -> Option<String> {
    let needed = catalogue.license(set.license.as_ref()?)?;
    (needed.id != license.id).then(|| {
        format!(
            "the permission set `{}` is for Users with the licence {}, not {}",
            set.label, needed.name, license.name
        )
    })
}

/// The seats that whoever gets this takes one of: its own, or those of the licence that it needs. None: it takes none that are
/// counted.
#[must_use]
pub fn seats_of(catalogue: &Catalogue, of: &EntitlementRef) -> Option<SeatsOf> {
    let one = catalogue.get(of)?;
    if let Some(seats) = one.seats {
        let what = format!("the {} `{}`", of.kind, one.label);
        return Some(SeatsOf { license: one.of.id.clone(), what, seats });
    }
    let needed = one.license.as_ref()?;
    match of.kind {
        EntitlementKind::Profile => catalogue.license(needed).map(seats_of_license),
        EntitlementKind::PermissionSet => {
            let kind = EntitlementKind::PermissionSetLicense;
            let license = catalogue.get(&EntitlementRef { kind, id: needed.as_str().to_owned() })?;
            let what = format!("the {kind} `{}`", license.label);
            license.seats.map(|seats| SeatsOf { license: license.of.id.clone(), what, seats })
        }
        _ => None,
    }
}

/// The permission set licences that whoever has this must have: that of a permission set, those of the sets of a group.
#[must_use]
pub fn licenses_needed(catalogue: &Catalogue, of: &EntitlementRef) -> Vec<EntitlementRef> {
    let Some(one) = catalogue.get(of) else { return Vec::new() };
    let sets: Vec<&Entitlement> = match of.kind {
        EntitlementKind::PermissionSet => vec![one],
        EntitlementKind::PermissionSetGroup => {
            let set = |id: &RecordId| EntitlementRef {
                kind: EntitlementKind::PermissionSet,
                id: id.as_str().to_owned(),
            };
            one.contains.iter().filter_map(|id| catalogue.get(&set(id))).collect()
        }
        _ => Vec::new(),
    };
    let mut needed: Vec<EntitlementRef> = Vec::new();
    for license in sets.into_iter().filter_map(|set| set.license.as_ref()) {
        let kind = EntitlementKind::PermissionSetLicense;
        let license = EntitlementRef { kind, id: license.as_str().to_owned() };
        // It may be a user licence.
        if catalogue.get(&license).is_some() && !needed.contains(&license) {
            needed.push(license);
        }
    }
    needed
}

/// The seats of a user licence.
#[must_use]
pub fn seats_of_license(license: &UserLicense) -> SeatsOf {
    let what = format!("the user licence {}", license.name);
    SeatsOf { license: license.id.as_str().to_owned(), what, seats: license.seats }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALESFORCE: &str = "1005f000000abcA";
    const COMMUNITY: &str = "1005f000000abdA";
    const CRM: &str = "0PL5f000000abcA";

    fn id(text: &str) -> RecordId {
        RecordId::parse(text).unwrap()
    }

    fn entitlement(kind: EntitlementKind, id: &str, license: Option<&str>) -> Entitlement {
        Entitlement {
            of: EntitlementRef { kind, id: RecordId::parse(id).unwrap().as_str().to_owned() },
            name: id.to_owned(),
            label: id.to_owned(),
            description: None,
            license: license.map(|license| RecordId::parse(license).unwrap()),
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: None,
        }
    }

    fn profile(license: &str) -> Entitlement {
        let profile = entitlement(EntitlementKind::Profile, "00e5f000000abcA", Some(license));
        Entitlement { user_type: Some("Standard".into()), ..profile }
    }

    fn catalogue(entitlements: Vec<Entitlement>) -> Catalogue {
        let license = |id: &str, name: &str, key: &str| UserLicense {
            id: RecordId::parse(id).unwrap(),
            name: name.to_owned(),
            key: key.to_owned(),
            seats: Seats { used: 3, total: Some(5) },
        };
        let licenses = vec![
            license(SALESFORCE, "Salesforce", "SFDC"),
            license(COMMUNITY, "Customer Community Login", "PID_Customer_Community_Login"),
        ];
        Catalogue::new(entitlements, licenses)
    }

    #[test]
    fn a_permission_set_of_another_licence_does_not_fit_also_within_a_group() {
        let set = entitlement(EntitlementKind::PermissionSet, "0PS5f000000abcA", Some(SALESFORCE));
        let group = Entitlement {
            contains: vec![id("0PS5f000000abcA")],
            ..entitlement(EntitlementKind::PermissionSetGroup, "0PG5f000000abcA", None)
        };
        let catalogue = catalogue(vec![set.clone(), group.clone()]);
        for one in [&set, &group] {
            assert_eq!(mismatch(&catalogue, &profile(SALESFORCE), one), None);
            let why = mismatch(&catalogue, &profile(COMMUNITY), one).unwrap();
            assert!(why.contains("Salesforce, not Customer Community Login"), "{why}");
        }
    }

    #[test]
    fn a_permission_set_licence_is_no_mismatch_because_it_can_be_given() {
        let set = entitlement(EntitlementKind::PermissionSet, "0PS5f000000abcA", Some(CRM));
        assert_eq!(mismatch(&catalogue(vec![set.clone()]), &profile(COMMUNITY), &set), None);
    }

    #[test]
    fn a_set_or_a_group_of_sets_needs_the_permission_set_licences_of_its_sets_and_no_user_licence() {
        let set = |id: &str, license: &str| entitlement(EntitlementKind::PermissionSet, id, Some(license));
        let sets = [set("0PS5f000000abcA", CRM), set("0PS5f000000abdA", SALESFORCE)];
        let group = Entitlement {
            contains: vec![id("0PS5f000000abcA"), id("0PS5f000000abdA")],
            ..entitlement(EntitlementKind::PermissionSetGroup, "0PG5f000000abcA", None)
        };
        let license = entitlement(EntitlementKind::PermissionSetLicense, CRM, None);
        let of = [&sets[0], &sets[1], &group, &license].map(|one| one.of.clone());
        let catalogue = catalogue([sets.to_vec(), vec![group, license.clone()]].concat());
        let needed = of.map(|of| licenses_needed(&catalogue, &of));
        assert_eq!(needed, [vec![license.of.clone()], Vec::new(), vec![license.of], Vec::new()]);
    }

    #[test]
    fn users_of_some_licences_have_no_role() {
        let role = entitlement(EntitlementKind::Role, "00E5f000000abcA", None);
        let catalogue = catalogue(vec![role.clone()]);
        assert!(mismatch(&catalogue, &profile(COMMUNITY), &role).unwrap().contains("no role"));
        assert_eq!(mismatch(&catalogue, &profile(SALESFORCE), &role), None);
        let of_a_portal = Entitlement { user_type: Some("Partner".into()), ..role };
        assert!(mismatch(&catalogue, &profile(SALESFORCE), &of_a_portal).is_some());
    }

    #[test]
    fn the_seats_are_its_own_or_those_of_the_licence_that_it_needs() {
        let own = Seats { used: 1, total: Some(1) };
        let license =
            Entitlement { seats: Some(own), ..entitlement(EntitlementKind::PermissionSetLicense, CRM, None) };
        let set = entitlement(EntitlementKind::PermissionSet, "0PS5f000000abcA", Some(CRM));
        let free = entitlement(EntitlementKind::PermissionSet, "0PS5f000000abdA", Some(SALESFORCE));
        let catalogue = catalogue(vec![license.clone(), set.clone(), free.clone(), profile(SALESFORCE)]);
        for one in [&license, &set] {
            assert_eq!(seats_of(&catalogue, &one.of).unwrap().seats, own);
        }
        assert_eq!(seats_of(&catalogue, &free.of), None);
        assert_eq!(seats_of(&catalogue, &profile(SALESFORCE).of).unwrap().seats.free(), Some(2));
    }
}
