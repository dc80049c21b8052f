//! Who can become a member of a Group that stands for something: found out before any call is spent, so that a request
//! either goes to Salesforce whole or changes nothing.

use std::sync::Arc;

use model::{ResourceId, ResourceKind};
use salesforce_client::Org;
use salesforce_types::{Catalogue, Entitlement, EntitlementKind, EntitlementRef, Grant, StandsFor};

use super::{
    GroupChange,
    members::Wanted,
    standing::{invalid, not_read},
};
use crate::ProvisionError;

/// So many are named in words; all of them are counted.
pub(crate) const NAMED: usize = 20;

/// Members that cannot be, and why.
#[derive(Debug, Default)]
pub(super) struct Offenders(Vec<(ResourceId, String)>);

impl Offenders {
    pub(super) fn add(&mut self, id: ResourceId, why: impl Into<String>) {
        self.0.push((id, why.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, id: &ResourceId) -> bool {
        self.0.iter().any(|(other, _)| other == id)
    }

    /// The refusal of the whole request, if there is one.
    pub(super) fn refuse(self) -> Result<(), ProvisionError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut words: Vec<String> =
            self.0.iter().take(NAMED).map(|(id, why)| format!("{id}: {why}")).collect();
        if self.0.len() > NAMED {
            words.push(format!("and {} more", self.0.len() - NAMED));
        }
        let count = self.0.len();
        let members = if count == 1 { "member" } else { "members" };
        Err(invalid(format!("{count} {members} cannot be taken: {}; nothing was changed", words.join("; "))))
    }

    /// The same as refusals of each, where others have gone in already.
    pub(super) fn into_refused(self) -> impl Iterator<Item = (ResourceId, ProvisionError)> {
        self.0.into_iter().map(|(id, why)| (id, invalid(why)))
    }
}

/// Whom an entitlement is for.
struct Gate<'a> {
    org: &'a Org,
    catalogue: Arc<Catalogue>,
    entitlement: Entitlement,
}

impl GroupChange {
    /// Checks who is to get what the Group stands for.
    pub(super) async fn check_admission(
        &self,
        stands_for: &StandsFor,
        joins: &[&Wanted],
        offenders: &mut Offenders,
    ) -> Result<(), ProvisionError> {
        let orgs = self.scene.orgs_with_users()?;
        let org = orgs.into_iter().find(|org| *org.name() == stands_for.org);
        let org = org.ok_or_else(|| {
            let org = &stands_for.org;
            invalid(format!("the group stands for something in the org {org}, in which nobody is a User any more; nothing was changed"))
        })?;
        let mut catalogue = self.catalogue(org, false).await.map_err(|error| not_read(&error))?;
        if catalogue.get(&stands_for.of).is_none() {
            catalogue = self.catalogue(org, true).await.map_err(|error| not_read(&error))?;
        }
        let entitlement = catalogue.get(&stands_for.of).cloned().ok_or_else(|| {
            let StandsFor { org, of } = stands_for;
            invalid(format!("the group stands for the {} {}, which the org {org} does not have any more; nothing was changed", of.kind, of.id))
        })?;
        let gate = Gate { org, catalogue, entitlement };
        let mut need_a_seat = Vec::new();
        for member in joins {
            match self.refuses(&gate, member).await? {
                Admission::Refused(why) => offenders.add(member.id.clone(), why),
                Admission::NeedsSeat => need_a_seat.push(*member),
                Admission::HasIt => {}
            }
        }
        self.check_seats(gate, &need_a_seat, offenders).await
    }

    async fn refuses(&self, gate: &Gate<'_>, member: &Wanted) -> Result<Admission, ProvisionError> {
        if member.kind == ResourceKind::Group {
            let why =
                "it is a Group, and only Users can be members of a group that stands for an entitlement";
            return Ok(Admission::Refused(why.to_owned()));
        }
        let (store, tenant) = (&self.inner.store, &self.scene.tenant.id);
        let mut links = store.links(tenant, &member.id).await?;
        links.retain(|link| link.object == "User" && link.org == *gate.org.name() && !link.left);
        if links.is_empty() {
            return Ok(Admission::Refused(format!(
                "this identity has no User in the org {}",
                gate.org.name()
            )));
        }
        let grants = store.grants(tenant, &member.id).await?;
        // Of two Users that somebody has had in the org only the one that he has counts.
        let is_theirs = |grant: &&Grant| links.iter().any(|link| link.target == grant.target);
        let held: Vec<&Grant> =
            grants.iter().filter(|grant| grant.state.is_held()).filter(is_theirs).collect();
        if held.iter().any(|grant| grant.of == gate.entitlement.of) {
            return Ok(Admission::HasIt);
        }
        let profile = held.iter().find(|grant| grant.of.kind == EntitlementKind::Profile);
        let profile = profile.and_then(|grant| gate.catalogue.get(&grant.of));
        if let Some(why) = profile
            .and_then(|profile| salesforce_types::mismatch(&gate.catalogue, profile, &gate.entitlement))
        {
            return Ok(Admission::Refused(why));
        }
        Ok(if gate.has_seat(profile, &held) { Admission::HasIt } else { Admission::NeedsSeat })
    }

    /// Whether there is a seat for each who needs one. A tenant with a waiting list lets them wait.
    async fn check_seats(
        &self,
        gate: Gate<'_>,
        need: &[&Wanted],
        offenders: &mut Offenders,
    ) -> Result<(), ProvisionError> {
        let of = &gate.entitlement.of;
        let free =
            |catalogue: &Catalogue| salesforce_types::seats_of(catalogue, of).and_then(|of| of.seats.free());
        let lacks = |free: Option<u64>| free.is_some_and(|free| free < need.len() as u64);
        if self.scene.tenant.mapping.entitlements.waiting_list || !lacks(free(&gate.catalogue)) {
            return Ok(());
        }
        let now = self.inner.clock.now();
        let catalogue = self
            .inner
            .catalogue
            .with_seats(&*self.inner.store, gate.org, now, now)
            .await
            .map_err(|error| not_read(&error))?;
        let Some(free) = free(&catalogue).filter(|free| lacks(Some(*free))) else { return Ok(()) };
        let what = salesforce_types::seats_of(&catalogue, of).map(|seats| seats.what).unwrap_or_default();
        for member in need.iter().skip(usize::try_from(free).unwrap_or(usize::MAX)) {
            offenders.add(
                member.id.clone(),
                format!("{what} has {free} free seats for {} who need one", need.len()),
            );
        }
        Ok(())
    }

    /// A client gives and takes what its configuration allows.
    pub(super) async fn check_may_grant(&self, stands_for: &StandsFor) -> Result<(), ProvisionError> {
        let Some(policy) = self.scene.tenant.clients.get(&self.caller.client) else { return Ok(()) };
        let orgs = self.scene.orgs_with_users()?;
        let Some(org) = orgs.into_iter().find(|org| *org.name() == stands_for.org) else { return Ok(()) };
        let catalogue = self.catalogue(org, false).await.map_err(|error| not_read(&error))?;
        match catalogue.get(&stands_for.of) {
            Some(entitlement) if !policy.may_grant.allows(entitlement) => {
                let (client, label) = (self.caller.client.clone(), entitlement.label.clone());
                Err(ProvisionError::MayNotGrant { client, of: entitlement.of.clone(), label })
            }
            _ => Ok(()),
        }
    }
}

enum Admission {
    Refused(String),
    NeedsSeat,
    HasIt,
}

impl Gate<'_> {
    /// Whether somebody has the seat already that comes with the entitlement: of the same licence by another way.
    fn has_seat(&self, profile: Option<&Entitlement>, held: &[&Grant]) -> bool {
        let Some(license) = &self.entitlement.license else { return false };
        match self.entitlement.of.kind {
            EntitlementKind::Profile => profile.and_then(|profile| profile.license.as_ref()) == Some(license),
            EntitlementKind::PermissionSet => held.iter().any(|grant| {
                let is_license = grant.of
                    == EntitlementRef {
                        kind: EntitlementKind::PermissionSetLicense,
                        id: license.as_str().to_owned(),
                    };
                let needs_it =
                    || self.catalogue.get(&grant.of).is_some_and(|one| one.license.as_ref() == Some(license));
                is_license || (grant.of.kind == EntitlementKind::PermissionSet && needs_it())
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_cannot_be_members_are_counted_and_twenty_are_named() {
        let mut offenders = Offenders::default();
        for n in 0..30 {
            offenders.add(ResourceId::from_text(format!("id-{n}-")), "it is nobody");
        }
        let words = offenders.refuse().unwrap_err().to_string();
        assert!(words.contains("30 members") && words.contains("and 10 more"), "{words}");
        assert!(words.contains("id-19-") && !words.contains("id-20-"), "{words}");
        assert!(Offenders::default().refuse().is_ok());
    }
}
