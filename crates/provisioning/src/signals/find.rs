//! Whom a signal is about.

use std::collections::BTreeMap;

use model::{OrgName, ResourceKind};
use salesforce_client::{Org, Purpose, soql};
use salesforce_types::RecordId;
use scim_types::{Filter, Registry};
use serde_json::{Map, Value};
use store::{Query, Window};

use super::{Meant, SignalAction, Whom, Whose, Work, not_asked};
use crate::{ProvisionError, lookup};

/// Two are as many as any number.
const FEW: u32 = 2;

/// Who the names of a signal stand for.
pub(super) enum Found {
    /// In each of these orgs exactly one active User.
    Users(Vec<Meant>),
    Nobody,
    Several,
}

/// The identities that have the address of a signal.
pub(super) enum People {
    Are(Vec<Whose>),
    /// One population has several with it.
    AreAmbiguous,
}

/// What keeps a User from being locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    None,
    /// Locking him out may lock everybody out. His sessions may end.
    FarReaching,
    /// The integration user, and whom the tenant names: nothing of them is touched.
    Untouchable,
}

impl Work<'_> {
    /// The User that is meant, in each org where the environment has Users.
    pub(super) async fn find(&self) -> Result<Found, ProvisionError> {
        let mut meant = Vec::new();
        for org in self.orgs()?.into_values() {
            let named = self.named()?;
            match self.in_org(&org, named).await?.as_slice() {
                [] => {}
                [one] => meant.push(one.clone()),
                _ => return Ok(Found::Several),
            }
        }
        if meant.is_empty() && self.is_about_leavers_too() {
            for org in self.orgs()?.into_values() {
                match self.leavers_in_org(&org, self.named_apart()?).await?.as_slice() {
                    [] => {}
                    [one] => meant.push(one.clone()),
                    _ => return Ok(Found::Several),
                }
            }
        }
        if !meant.is_empty() {
            return Ok(Found::Users(meant));
        }
        self.find_by_identity().await
    }

    /// Whoever has left is kept out when he is back, until the source lets him in: that is remembered of whom an identity knows.
    fn is_about_leavers_too(&self) -> bool {
        matches!(self.signal.action, SignalAction::Freeze | SignalAction::Unfreeze)
    }

    /// The orgs where the environment has Users.
    fn orgs(&self) -> Result<BTreeMap<OrgName, Org>, ProvisionError> {
        let world = self.inner.world();
        let mut names = Vec::new();
        for tenant in &self.tenants {
            let targets = tenant.mapping.and_of_clients().flat_map(|mapping| &mapping.targets);
            let of_users = targets.filter(|target| target.object == "User");
            names.extend(of_users.filter_map(|target| target.org.as_ref().or(tenant.default_org.as_ref())));
        }
        names
            .into_iter()
            .map(|name| match world.orgs.get(name) {
                Some(org) => Ok((name.clone(), org.clone())),
                None => Err(ProvisionError::Misconfigured(format!("the org {name} is not configured"))),
            })
            .collect()
    }

    /// One of the names is the User's.
    fn named(&self) -> Result<soql::Condition, ProvisionError> {
        one_of(self.signal.whom.iter())
    }

    /// One of the names that tell Users apart is. An address may be that of several who have left: identities know which.
    fn named_apart(&self) -> Result<Option<soql::Condition>, ProvisionError> {
        let is_apart = |whom: &&Whom| matches!(whom, Whom::Field { .. });
        if !self.signal.whom.iter().any(|whom| is_apart(&whom)) {
            return Ok(None);
        }
        one_of(self.signal.whom.iter().filter(is_apart)).map(Some)
    }

    /// The Users of an org who have left, for whom this holds and whom an identity knows.
    async fn leavers_in_org(
        &self,
        org: &Org,
        holds: Option<soql::Condition>,
    ) -> Result<Vec<Meant>, ProvisionError> {
        let Some(holds) = holds else { return Ok(Vec::new()) };
        let mut found = self.users_of(org, holds, false).await?;
        found.retain(|meant| !meant.identities.is_empty());
        Ok(found)
    }

    /// The active Users of an org for whom this holds.
    async fn in_org(&self, org: &Org, holds: soql::Condition) -> Result<Vec<Meant>, ProvisionError> {
        self.users_of(org, holds, true).await
    }

    async fn users_of(
        &self,
        org: &Org,
        holds: soql::Condition,
        active: bool,
    ) -> Result<Vec<Meant>, ProvisionError> {
        let far_reaching = lookup::FAR_REACHING.map(|permission| format!("Profile.{permission}"));
        let mut fields = vec!["Id", "Username"];
        fields.extend(far_reaching.iter().map(String::as_str));
        let active = soql::Condition::eq("IsActive", active).expect("this is a name");
        let query = soql::Query::select("User", &fields)
            .expect("these are names")
            .where_(holds)
            .where_(active)
            .limit(FEW);
        let ticket = self.ticket(&[]);
        let rows = org.query(&query, Purpose::matching(&ticket)).await.map_err(not_asked)?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.extend(self.meant(org, row).await?);
        }
        Ok(found)
    }

    async fn meant(&self, org: &Org, row: &Map<String, Value>) -> Result<Option<Meant>, ProvisionError> {
        let id = row.get("Id").and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok());
        let Some(user) = id else { return Ok(None) };
        let us = org.identity().await.map_err(not_asked)?.user_id;
        let username = row.get("Username");
        let is_named = self.tenants.iter().any(|tenant| lookup::names(tenant, &user, username));
        let protected = if user == us || is_named {
            Protection::Untouchable
        } else if lookup::is_far_reaching(row) {
            Protection::FarReaching
        } else {
            Protection::None
        };
        let identities = self.whose(org.name(), &user).await?;
        Ok(Some(Meant { org: org.clone(), user, protected, identities }))
    }

    /// By the e-mail address of an identity: Salesforce has a new one only when its owner has confirmed it.
    async fn find_by_identity(&self) -> Result<Found, ProvisionError> {
        let People::Are(people) = self.people().await? else { return Ok(Found::Several) };
        let orgs = self.orgs()?;
        let mut meant: BTreeMap<OrgName, Meant> = BTreeMap::new();
        for whose in &people {
            for link in self.inner.store.links(&whose.tenant, &whose.id).await? {
                let Some(org) = orgs.get(&link.org).filter(|_| link.object == "User") else { continue };
                let is_it = || soql::Condition::eq("Id", &link.record_id).expect("this is a name");
                let mut users = self.in_org(org, is_it()).await?;
                if users.is_empty() && self.is_about_leavers_too() {
                    users = self.leavers_in_org(org, Some(is_it())).await?;
                }
                for found in users {
                    let known = meant.get(&link.org);
                    if known.is_some_and(|known| known.user != found.user) {
                        return Ok(Found::Several);
                    }
                    meant.insert(link.org.clone(), found);
                }
            }
        }
        let meant: Vec<Meant> = meant.into_values().collect();
        Ok(if meant.is_empty() { Found::Nobody } else { Found::Users(meant) })
    }

    /// The identities with the e-mail address that the signal names: one in each population at most.
    pub(super) async fn people(&self) -> Result<People, ProvisionError> {
        let address = self.signal.whom.iter().find_map(|whom| match whom {
            Whom::Email { address, .. } => Some(address),
            Whom::Field { .. } => None,
        });
        let Some(address) = address else { return Ok(People::Are(Vec::new())) };
        let text = format!("emails.value eq {}", Value::from(address.as_str()));
        let Ok(filter) = Filter::parse(&text, Registry::standard().user()) else {
            return Ok(People::Are(Vec::new()));
        };
        let query = Query {
            kind: ResourceKind::User,
            filter: Some(filter),
            sort: None,
            window: Window::Index { offset: 0, count: FEW },
            with_members: false,
        };
        let mut people = Vec::new();
        for tenant in &self.tenants {
            let page = self.inner.store.find(&tenant.id, &query).await?;
            match page.resources.as_slice() {
                [] => {}
                [one] => people.push(Whose { tenant: tenant.id.clone(), id: one.id.clone() }),
                _ => return Ok(People::AreAmbiguous),
            }
        }
        Ok(People::Are(people))
    }
}

/// A User has one of these names.
fn one_of<'w>(names: impl Iterator<Item = &'w Whom>) -> Result<soql::Condition, ProvisionError> {
    let any = names.map(|whom| match whom {
        Whom::Field { field, value } | Whom::Email { field, address: value } => {
            soql::Condition::eq(field, value.as_str())
        }
    });
    let any = any.collect::<Result<Vec<_>, _>>();
    any.map(soql::Condition::Or).map_err(|error| ProvisionError::Misconfigured(error.to_string()))
}
