//! The configuration that a change is decided by: the tenant's targets, each in its org.

use std::sync::Arc;

use model::{TargetName, TenantId};
use planning::Place;
use salesforce_client::Org;
use translation::Target;

use crate::{
    Caller, Operation, ProvisionError, Tenant,
    provisioner::{Inner, World},
};

/// The configuration that a change is decided by.
#[derive(Debug)]
pub(crate) struct Scene {
    world: Arc<World>,
    pub(crate) tenant: Arc<Tenant>,
    /// Targets that other clients' mappings have, where a change is about them too.
    others: Vec<Target>,
    /// Targets that are not configured any more, where a change is about them too.
    removed: Vec<Target>,
}

impl Scene {
    /// As it is now for whoever asks; for a task that is who has asked for what is owed.
    pub(crate) fn of(
        inner: &Inner,
        caller: &Caller,
        operation: &Operation,
    ) -> Result<Arc<Self>, ProvisionError> {
        let world = inner.world();
        let tenant = match operation {
            Operation::Attempt(Some(asker)) => {
                world.tenant_of(&Caller { tenant: caller.tenant.clone(), client: asker.clone() })?
            }
            _ => world.tenant_of(caller)?,
        };
        Ok(Arc::new(Self { world, tenant, others: Vec::new(), removed: Vec::new() }))
    }

    /// As it is now.
    pub(crate) fn now(inner: &Inner, tenant: &TenantId) -> Result<Arc<Self>, ProvisionError> {
        let world = inner.world();
        let tenant = world.tenant(tenant)?;
        Ok(Arc::new(Self { world, tenant, others: Vec::new(), removed: Vec::new() }))
    }

    /// The same, with targets that are not configured any more: their records leave.
    pub(super) fn with_removed(&self, removed: Vec<Target>) -> Arc<Self> {
        Arc::new(Self { others: self.others.clone(), removed, ..self.bare() })
    }

    /// The same for somebody who is gone: he leaves the targets of others' mappings as well.
    pub(super) fn without_him(self: &Arc<Self>) -> Arc<Self> {
        let others = self.world.targets_of_others(&self.tenant);
        if others.is_empty() {
            return Arc::clone(self);
        }
        let is_other = |target: &Target| others.iter().any(|other| other.name == target.name);
        let removed = self.removed.iter().filter(|target| !is_other(target)).cloned().collect();
        Arc::new(Self { others, removed, ..self.bare() })
    }

    fn bare(&self) -> Self {
        let (world, tenant) = (Arc::clone(&self.world), Arc::clone(&self.tenant));
        Self { world, tenant, others: Vec::new(), removed: Vec::new() }
    }

    /// The tenant's targets with their orgs, in the order of the mapping. None: a tenant that writes nowhere.
    pub(crate) fn bind(&self) -> Result<Vec<Bound<'_>>, ProvisionError> {
        let configured =
            self.tenant.mapping.targets.iter().map(|target| self.bind_one(target, Standing::Own));
        let others = self.others.iter().map(|target| self.bind_one(target, Standing::Others));
        // Of one whose org is gone as well nobody can say anything.
        let removed = self.removed.iter().filter_map(|target| self.bind_one(target, Standing::Removed).ok());
        configured.chain(others).chain(removed.map(Ok)).collect()
    }

    /// The orgs in which the tenant has Users: those that entitlements are asked of. In the order of the mapping.
    pub(crate) fn orgs_with_users(&self) -> Result<Vec<&Org>, ProvisionError> {
        let mut orgs: Vec<&Org> = Vec::new();
        for target in self.tenant.mapping.targets.iter().filter(|target| target.object == "User") {
            let org = self.bind_one(target, Standing::Own)?.org;
            if !orgs.iter().any(|other| other.name() == org.name()) {
                orgs.push(org);
            }
        }
        Ok(orgs)
    }

    fn bind_one<'a>(&'a self, target: &'a Target, standing: Standing) -> Result<Bound<'a>, ProvisionError> {
        let tenant = &*self.tenant;
        let org = target.org.as_ref().or(tenant.default_org.as_ref());
        let org = org.and_then(|name| self.world.orgs.get(name)).ok_or_else(|| {
            ProvisionError::Misconfigured(format!("the target {} has no org that is configured", target.name))
        })?;
        Ok(Bound { tenant, target, org, standing })
    }
}

/// A target in its org.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) target: &'a Target,
    pub(crate) org: &'a Org,
    pub(super) standing: Standing,
}

/// How a target stands to the mapping that a change goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in it.
    Own,
    /// It is in that of another client: who is gone leaves it.
    Others,
    /// It is not configured any more: its records leave.
    Removed,
}

impl<'a> Bound<'a> {
    pub(crate) fn name(&self) -> &'a TargetName {
        &self.target.name
    }

    pub(super) fn place(&self) -> Place<'a> {
        Place { target: self.target, org: self.org.name(), removed: self.standing != Standing::Own }
    }
}
