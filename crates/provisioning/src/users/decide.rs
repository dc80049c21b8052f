//! Decide: the request applied to the version current now, and what that asks of Salesforce.

use std::sync::Arc;

use model::{ResourceKind, TenantId};
use planning::{Decision, Input, Obstacle, Steps, Wanted};
use salesforce_client::{CallError, Org, Purpose};
use salesforce_types::{Fields, Link, RecordId};
use scim_types::{Registry, Resource};
use store::{Hold, HoldKind, StoredResource};
use translation::{Action, Context, Note, Target, Translation};

use super::{Progress, Stop, UserChange, record::link_after};
use crate::{
    Answer, ProvisionError, ScimDelete, Tenant,
    catalogue::PROFILE_PAUSE,
    lookup,
    provisioner::{Inner, World},
    wish::missing,
};

/// The resource before and after, as far as this change is concerned.
pub(super) struct Turnover {
    /// As recorded; of a create nothing.
    pub(super) stored: Option<StoredResource>,
    /// Its body.
    pub(super) current: Option<Resource>,
    /// What it becomes; `None`: it goes.
    pub(super) wanted: Option<Resource>,
}

/// The configuration that a change is decided by.
#[derive(Debug)]
pub(super) struct Scene {
    world: Arc<World>,
    pub(super) tenant: Arc<Tenant>,
}

impl Scene {
    /// As it is now.
    pub(super) fn now(inner: &Inner, tenant: &TenantId) -> Result<Arc<Self>, ProvisionError> {
        let world = inner.world();
        let tenant = world.tenant(tenant)?;
        Ok(Arc::new(Self { world, tenant }))
    }

    /// The tenant's target with its org. None: a tenant that writes nowhere.
    fn bind(&self) -> Result<Option<Bound<'_>>, ProvisionError> {
        let tenant = &*self.tenant;
        let Some(target) = tenant.mapping.targets.first() else {
            return Ok(None);
        };
        let name = target.org.as_ref().or(tenant.default_org.as_ref());
        let org = name.and_then(|name| self.world.orgs.get(name)).ok_or_else(|| {
            ProvisionError::Misconfigured(format!("the target {} has no org that is configured", target.name))
        })?;
        Ok(Some(Bound { tenant, target, org }))
    }
}

/// A target in its org.
pub(super) struct Bound<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) target: &'a Target,
    pub(super) org: &'a Org,
}

impl UserChange {
    /// One round: read back what is unsure, decide from what is known now, do it.
    pub(super) async fn round(&self, progress: &mut Progress) -> Result<Answer, Stop> {
        progress.rounds += 1;
        if self.ticket.is_withdrawn() {
            return Err(Stop::Withdrawn);
        }
        let scene = Arc::clone(&progress.scene);
        let turnover = self.turn_over(&scene.tenant, progress).await?;
        let Some(bound) = scene.bind()? else {
            return self.record_without_call(&turnover, None, &Fields::new(), &[]).await;
        };
        if let Some(plan) = progress.unsure.take()
            && let Err(stop) = self.read_back(&bound, &plan, progress).await
        {
            progress.unsure = Some(plan);
            return Err(stop);
        }
        let mut links = self.inner.store.links(&self.caller.tenant, &self.id).await?;
        let stored =
            links.iter().position(|link| link.target == bound.target.name).map(|at| links.swap_remove(at));
        let link = known_link(&bound, stored.as_ref(), progress);
        let (decision, notes) = self.decide(&bound, &turnover, link.as_ref(), progress).await?;
        match decision {
            Decision::Nothing => self.record_without_call(&turnover, None, &Fields::new(), &notes).await,
            Decision::LookUp(keys) => {
                // A local namesake is told before a call is spent.
                if self.is_create() {
                    self.open(None, None).await?;
                }
                let purpose = Purpose::matching(&self.ticket);
                self.look(&bound, &keys, &Fields::new(), purpose, progress).await?;
                Err(Stop::Again)
            }
            Decision::Hold(obstacle) => Err(self.hold(&bound, &turnover, obstacle).await?.into()),
            Decision::Refuse(refusals) => Err(ProvisionError::Untranslatable(refusals).into()),
            Decision::NotAllowed(what) => {
                Err(ProvisionError::NotAllowed { target: bound.target.name.clone(), what }.into())
            }
            Decision::Steps(steps) => {
                match &link {
                    Some(link) if !steps.plan.is_empty() && lookup::is_named(bound.tenant, link) => {
                        let target = bound.target.name.clone();
                        let what = "change a user who is protected";
                        return Err(ProvisionError::NotAllowed { target, what }.into());
                    }
                    None => self.claim_record(&bound, &steps, progress).await?,
                    Some(_) => {}
                }
                let answer = if steps.plan.is_empty() {
                    // Compared with what is stored: what was only read back has to be written down too.
                    let after = link_after(&bound, &steps, stored.as_ref());
                    self.record_without_call(&turnover, after, &progress.landed, &notes).await?
                } else {
                    self.carry_out_steps(&bound, &turnover, link.as_ref(), steps, notes, progress).await?
                };
                if stored.is_none() {
                    self.close_hold(&bound, &turnover).await;
                }
                Ok(answer)
            }
        }
    }

    /// Applies the request to the version that is current now, and checks `If-Match` against it.
    async fn turn_over(&self, tenant: &Tenant, progress: &Progress) -> Result<Turnover, Stop> {
        let stored = self.inner.store.get(&self.caller.tenant, ResourceKind::User, self.id.as_str()).await?;
        let stored = stored.filter(|stored| !stored.pending);
        if !self.is_create() && stored.is_none() {
            return Err(self.not_found().into());
        }
        if let (Some(tags), Some(stored)) = (&self.request.if_match, &stored)
            && !progress.was_unsure
            && !tags.iter().any(|tag| stored.version.matches(tag))
        {
            return Err(ProvisionError::VersionMismatch { kind: ResourceKind::User }.into());
        }
        let current = stored.as_ref().map(body_of).transpose()?;
        let mut wanted = self.wish.apply(Registry::standard().user(), current.as_ref())?;
        if wanted.is_none() && tenant.scim_delete == ScimDelete::Deactivate {
            wanted.clone_from(&current);
            if let Some(wanted) = &mut wanted {
                wanted.set_active(false);
            }
        }
        if wanted.as_ref().is_some_and(|wanted| wanted.user_name().is_none()) {
            return Err(missing("userName").into());
        }
        Ok(Turnover { stored, current, wanted })
    }

    async fn decide(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        link: Option<&Link>,
        progress: &mut Progress,
    ) -> Result<(Decision, Vec<Note>), Stop> {
        let translation = match &turnover.wanted {
            Some(wanted) if bound.target.applies(wanted) => {
                Some((self.translate(bound, wanted, link, progress).await?, is_active(wanted, link)))
            }
            _ => None,
        };
        if let (Some((translation, _)), None) = (&translation, link) {
            self.claim_keys(bound, translation, progress).await?;
        }
        let profile = match &translation {
            Some((translation, _)) if link.is_none() && !translation.fields.contains_key("ProfileId") => {
                Some(self.profile(bound).await?)
            }
            _ => None,
        };
        let wanted = match &translation {
            Some((translation, active)) => Wanted::Record { translation, active: *active },
            None => Wanted::NoAccess,
        };
        let decision = planning::plan(&Input {
            target: bound.target,
            org: bound.org.name(),
            wanted,
            link,
            found: &progress.found,
            profile: profile.as_ref(),
        });
        if let Decision::Steps(Steps { plan, .. }) = &decision
            && planning::takes_access_away(plan)
        {
            self.ticket.take_access_away();
        }
        Ok((decision, translation.map(|(translation, _)| translation.notes).unwrap_or_default()))
    }

    async fn translate(
        &self,
        bound: &Bound<'_>,
        wanted: &Resource,
        link: Option<&Link>,
        progress: &Progress,
    ) -> Result<Translation, Stop> {
        let describe = bound.org.describe(&bound.target.object).await.map_err(call_failed)?;
        let adopts = matches!(&progress.found, planning::Found::Records(records) if !records.is_empty());
        // Of a record that is about to be adopted nothing is ours yet: defaults and a made alias stay away from it.
        let nothing = Fields::new();
        let context = Context {
            describe: &describe,
            action: if link.is_some() || adopts { Action::Update } else { Action::Create },
            username_domain: bound.tenant.username_domain.as_deref(),
            written: link.map(|link| &link.written).or(adopts.then_some(&nothing)),
            resolved: &translation::Resolved::new(),
            identity: None,
        };
        Ok(bound.target.translate(wanted, &context))
    }

    async fn profile(&self, bound: &Bound<'_>) -> Result<RecordId, Stop> {
        let (org, wanted) = (bound.org, &bound.tenant.default_profile);
        let found =
            self.inner.catalogue.profile(org, wanted, self.inner.clock.now()).await.map_err(call_failed)?;
        found.ok_or_else(|| {
            Stop::Fail(ProvisionError::Misconfigured(format!(
                "the org {} has no profile `{wanted}`: correct `default-profile`, or make it and repeat after {} s",
                org.name(),
                PROFILE_PAUSE.as_secs()
            )))
        })
    }

    /// Raises what a person has to decide.
    async fn hold(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        obstacle: Obstacle,
    ) -> Result<ProvisionError, Stop> {
        let org = bound.org.name();
        let (kind, why, candidates) = match obstacle {
            Obstacle::Ambiguous(candidates) => (
                HoldKind::AmbiguousMatch { candidates: candidates.clone() },
                format!(
                    "{} Users of the org {org} match this identity ({})",
                    candidates.len(),
                    list(&candidates)
                ),
                candidates,
            ),
            Obstacle::Protected(record) => (
                HoldKind::ProtectedMatch { record: record.clone() },
                format!("the User {record} of the org {org} matches this identity and is protected"),
                vec![record],
            ),
            // Two identities that claim one person: nothing to decide, the tool has to tell them apart.
            Obstacle::LinkedElsewhere(record, identity) => {
                return Ok(ProvisionError::LinkedElsewhere { org: org.clone(), record, identity });
            }
        };
        let hold = Hold {
            id: self.inner.ids.hold(),
            tenant: self.caller.tenant.clone(),
            identity: (!self.is_create()).then(|| self.id.clone()),
            subject: hold_subject(&self.caller.tenant, turnover),
            target: bound.target.name.clone(),
            kind,
            raised: self.inner.clock.now(),
        };
        let hold = self.inner.store.raise_hold(hold).await?;
        Ok(ProvisionError::Held { hold, why, candidates })
    }

    /// The identity has its record: what a person had to decide for that has been decided.
    async fn close_hold(&self, bound: &Bound<'_>, turnover: &Turnover) {
        let (tenant, now) = (&self.caller.tenant, self.inner.clock.now());
        let subject = hold_subject(tenant, turnover);
        if let Err(error) = self.inner.store.close_hold(tenant, &subject, &bound.target.name, now).await {
            // The change itself is recorded; a hold that stays is seen and does no harm.
            tracing::warn!(%tenant, change.id = %self.change, %error, "a hold could not be closed");
        }
    }
}

/// Where the hold of a name is: the same for every request that asks for it.
fn hold_subject(tenant: &TenantId, turnover: &Turnover) -> String {
    let name = turnover.wanted.as_ref().and_then(Resource::user_name).unwrap_or_default();
    lookup::subject(tenant, name)
}

/// The identity's record as far as it is known: what is stored, and what reading back has added to it.
fn known_link(bound: &Bound<'_>, stored: Option<&Link>, progress: &Progress) -> Option<Link> {
    let made = || {
        // Made by this change: known as well as if its answer had come.
        Some(Link::new(
            bound.target.name.clone(),
            bound.org.name().clone(),
            bound.target.object.clone(),
            progress.made.clone()?,
            progress.landed.clone(),
        ))
    };
    let mut link = stored.cloned().or_else(made)?;
    link.written.extend(progress.read_back.clone());
    Some(link)
}

/// Whether the person may work. Where SCIM says nothing (any more), Salesforce is left as it is: removing `active` from somebody
/// who was locked out does not let them in.
fn is_active(wanted: &Resource, link: Option<&Link>) -> bool {
    match (wanted.get("active"), link.and_then(|link| link.written.get("IsActive"))) {
        (None, Some(written)) => written.as_bool().unwrap_or(true),
        _ => wanted.active(),
    }
}

fn list(records: &[RecordId]) -> String {
    records.iter().map(RecordId::as_str).collect::<Vec<_>>().join(", ")
}

/// The stored body as a resource.
pub(crate) fn body_of(stored: &StoredResource) -> Result<Resource, ProvisionError> {
    serde_json::from_str(&stored.body).map_err(|error| {
        ProvisionError::Misconfigured(format!(
            "the stored {} {} cannot be read: {error}",
            stored.kind, stored.id
        ))
    })
}

/// A call that only reads has failed: nothing was changed by it.
pub(super) fn call_failed(error: CallError) -> Stop {
    match error {
        CallError::NotSent { why, retry_after } => Stop::Stalled { why, retry_after },
        CallError::Unknown { why } => Stop::Stalled { why, retry_after: None },
        CallError::Parked { why, advice } => {
            Stop::Stalled { why: format!("{why}: {advice}"), retry_after: Some(PROFILE_PAUSE) }
        }
        CallError::Refused(refusal) => {
            let rule = salesforce_types::errors::rule(&refusal.code, &refusal.message);
            if matches!(rule.retry, salesforce_types::Retry::Backoff | salesforce_types::Retry::BackoffLong) {
                return Stop::Stalled { why: rule.advice.to_owned(), retry_after: None };
            }
            Stop::Fail(ProvisionError::Misconfigured(format!(
                "Salesforce refused to be read ({}): {}",
                refusal.code, rule.advice
            )))
        }
    }
}
