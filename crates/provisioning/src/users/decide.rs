//! Decide: the request applied to the version current now, and what that asks of Salesforce.

use std::sync::atomic::Ordering;

use model::ResourceKind;
use planning::{Decision, Input, Obstacle, Steps, Wanted};
use salesforce_client::{CallError, Org};
use salesforce_types::{Fields, Link, RecordId};
use scim_types::{Registry, Resource};
use store::{Hold, HoldKind, StoredResource};
use translation::{Action, Context, Note, Target, Translation};

use super::{Progress, Stop, UserChange, record::link_after};
use crate::{Answer, ProvisionError, ScimDelete, catalogue::PROFILE_PAUSE, lookup, wish::missing};

/// The resource before and after, as far as this change is concerned.
pub(super) struct Turnover {
    /// As recorded; of a create nothing.
    pub(super) stored: Option<StoredResource>,
    /// Its body.
    pub(super) current: Option<Resource>,
    /// What it becomes; `None`: it goes.
    pub(super) wanted: Option<Resource>,
}

/// A target in its org.
pub(super) struct Bound<'a> {
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
        let turnover = self.turn_over(progress).await?;
        let Some(bound) = self.bind()? else {
            return self.record_without_call(&turnover, None, Vec::new()).await;
        };
        if let Some(plan) = progress.unsure.take()
            && let Err(stop) = self.read_back(&bound, &plan, progress).await
        {
            progress.unsure = Some(plan);
            return Err(stop);
        }
        let mut links = self.inner.store.links(&self.tenant.id, &self.id).await?;
        let link =
            links.iter().position(|link| link.target == bound.target.name).map(|at| links.swap_remove(at));
        let link = link.map(|mut link| {
            link.written.extend(progress.read_back.clone());
            link
        });
        let (decision, notes) = self.decide(&bound, &turnover, link.as_ref(), progress).await?;
        match decision {
            Decision::Nothing => self.record_without_call(&turnover, None, notes).await,
            Decision::LookUp(keys) => {
                // A local namesake is told before a call is spent.
                if self.is_create() {
                    self.open(None, None).await?;
                }
                self.look(&bound, &keys, progress).await?;
                Err(Stop::Again)
            }
            Decision::Hold(obstacle) => Err(self.hold(&bound, &turnover, obstacle).await?.into()),
            Decision::Refuse(refusals) => Err(ProvisionError::Untranslatable(refusals).into()),
            Decision::NotAllowed(what) => {
                Err(ProvisionError::NotAllowed { target: bound.target.name.clone(), what }.into())
            }
            Decision::Steps(steps) if steps.plan.is_empty() => {
                self.record_without_call(&turnover, link_after(&bound, &steps, link.as_ref()), notes).await
            }
            Decision::Steps(steps) => {
                self.carry_out_steps(&bound, &turnover, link.as_ref(), steps, notes, progress).await
            }
        }
    }

    /// The tenant's target with its org. None: a tenant that writes nowhere.
    fn bind(&self) -> Result<Option<Bound<'_>>, ProvisionError> {
        let Some(target) = self.tenant.mapping.targets.first() else {
            return Ok(None);
        };
        let name = target.org.as_ref().or(self.tenant.default_org.as_ref());
        let org = name.and_then(|name| self.world.orgs.get(name)).ok_or_else(|| {
            ProvisionError::Misconfigured(format!("the target {} has no org that is configured", target.name))
        })?;
        Ok(Some(Bound { target, org }))
    }

    /// Applies the request to the version that is current now, and checks `If-Match` against it.
    async fn turn_over(&self, progress: &Progress) -> Result<Turnover, Stop> {
        let stored = self.inner.store.get(&self.tenant.id, ResourceKind::User, self.id.as_str()).await?;
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
        if wanted.is_none() && self.tenant.scim_delete == ScimDelete::Deactivate {
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
        progress: &Progress,
    ) -> Result<(Decision, Vec<Note>), Stop> {
        let translation = match &turnover.wanted {
            Some(wanted) if bound.target.applies(wanted) => {
                Some((self.translate(bound, wanted, link, progress).await?, wanted.active()))
            }
            _ => None,
        };
        let profile = match &translation {
            Some((translation, _)) if link.is_none() && !translation.fields.contains_key("ProfileId") => {
                Some(self.profile(bound.org).await?)
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
            self.leaver.store(true, Ordering::Release);
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
            username_domain: self.tenant.username_domain.as_deref(),
            written: link.map(|link| &link.written).or(adopts.then_some(&nothing)),
        };
        Ok(bound.target.translate(wanted, &context))
    }

    async fn profile(&self, org: &Org) -> Result<RecordId, Stop> {
        let wanted = &self.tenant.default_profile;
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
            Obstacle::LinkedElsewhere(record, identity) => (
                HoldKind::LinkedElsewhere { record: record.clone(), identity: identity.clone() },
                format!("the User {record} of the org {org} matches and belongs to the identity {identity}"),
                vec![record],
            ),
        };
        let name = turnover.wanted.as_ref().and_then(Resource::user_name).unwrap_or_default();
        let hold = Hold {
            id: self.inner.ids.hold(),
            tenant: self.tenant.id.clone(),
            identity: (!self.is_create()).then(|| self.id.clone()),
            subject: lookup::subject(&self.tenant.id, name),
            target: bound.target.name.clone(),
            kind,
            raised: self.inner.clock.now(),
        };
        let hold = self.inner.store.raise_hold(hold).await?;
        Ok(ProvisionError::Held { hold, why, candidates })
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
