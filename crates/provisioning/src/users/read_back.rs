//! What became of steps that nobody answered for, and what was there before Gangway.

use planning::{Found, MatchKey, same_value};
use salesforce_client::Purpose;
use salesforce_types::{EntitlementKind, Fields, Given, Link, Plan, PlannedStep, RecordId, Step};
use serde_json::Value;

use super::{
    Progress, Stop, UserChange,
    act::written_by,
    learn::is_retired,
    round::{Turnover, call_failed},
    scene::Bound,
};
use crate::{
    ProvisionError,
    lookup::{self, LookError},
};

impl UserChange {
    /// Looks for records that have the value of one of the keys, with the fields of the mapping and `more`.
    pub(super) async fn look(
        &self,
        bound: &Bound<'_>,
        keys: &[MatchKey],
        more: &[&str],
        purpose: Purpose<'_>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        // What the org lacks, such as a default for another object, keeps nobody from being found.
        let describe = bound.org.describe(&bound.target.object).await.map_err(call_failed)?;
        let mapped = bound.target.mapped_fields().filter(|field| describe.field(field).is_some());
        let mut fields: Vec<String> = mapped.map(str::to_owned).collect();
        if bound.target.object == "User" {
            fields.push("IsActive".to_owned());
        }
        fields.push("CreatedById".to_owned());
        fields.extend(more.iter().map(|field| (*field).to_owned()));
        let found = lookup::look(bound, &*self.inner.store, &self.id, keys, &fields, purpose).await;
        let found = found.map_err(|error| match error {
            LookError::Call(call) => call_failed(call),
            LookError::Store(store) => store.into(),
            LookError::Name(name) => ProvisionError::Misconfigured(format!("the mapping: {name}")).into(),
        })?;
        // A record that is the identity's own through another target cannot be this one's.
        let found = match found {
            Found::Records(mut records) => {
                let is_own = |id: &RecordId| {
                    progress.own_records.iter().any(|(org, record, target)| {
                        org == bound.org.name() && record == id && target != bound.name()
                    })
                };
                records.retain(|record| !is_own(&record.id));
                Found::Records(records)
            }
            Found::NotLooked => Found::NotLooked,
        };
        let sight = progress.sight(bound.name());
        sight.by_id = match keys {
            [MatchKey { field, value }] if field == "Id" => {
                value.as_str().and_then(|id| RecordId::parse(id).ok())
            }
            _ => None,
        };
        sight.found = found;
        sight.looks += 1;
        Ok(())
    }

    /// Finds out what became of steps that may have landed, so that the next round decides from what is there.
    pub(super) async fn read_back(
        &self,
        bounds: &[Bound<'_>],
        turnover: &Turnover,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut failed = Vec::new();
        for planned in &plan.steps {
            let Some(bound) = bounds.iter().find(|bound| *bound.name() == planned.target) else {
                // Its target is not configured any more, and nobody can say what was to become of the record.
                tracing::warn!(tenant = %self.caller.tenant, change.id = %self.change, mapping.target = %planned.target, "a step of a target that is not configured any more is not read back");
                continue;
            };
            if is_grant(&planned.step) {
                // What he has is seen once his record is known; what is there then is not given again.
                progress.look_at_grants.insert(bound.name().clone());
                progress.actual.shift_remove(bound.name());
                continue;
            }
            match self.read_back_step(bound, turnover, planned, progress).await {
                Err(stop @ Stop::Fail(_)) => failed.push((bound, stop)),
                ended => ended?,
            }
        }
        // When all is known that has landed: only then it is known whether something is kept.
        for (bound, stop) in failed {
            self.target_failed(bound, stop, progress)?;
        }
        Ok(())
    }

    async fn read_back_step(
        &self,
        bound: &Bound<'_>,
        turnover: &Turnover,
        planned: &PlannedStep,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let purpose = Purpose::read_back(&self.ticket);
        let known = progress.links(&turnover.links);
        let linked = |id: &RecordId| known.iter().find(|link| link.record_id == *id).cloned();
        match &planned.step {
            Step::Create { .. } | Step::Upsert { .. } => {
                let fields = written_by(&planned.step);
                let keys = keys_of(bound, &planned.step);
                // After a crash nobody has claimed them yet, and another one may be about to adopt our record.
                self.claim(vec![(*bound, keys.clone())], progress).await?;
                let more = queryable(&fields);
                self.look(bound, &keys, &more, purpose, progress).await?;
                progress.sight(bound.name()).looks = 0;
                let is_ours = self.recognise(bound, &planned.step, progress).await?;
                if !is_ours && matches!(planned.step, Step::Create { .. }) && bound.target.object != "User" {
                    return Err(self.hold_unknown_create(bound, turnover).await?.into());
                }
                Ok(())
            }
            Step::Update { id, fields, .. } => {
                if let Some(link) = linked(id) {
                    return self.read_back_link(bound, link, fields, progress).await;
                }
                // It was about to be adopted; read as it is now. By its id: what it was found by need not be among the
                // fields that were to be written.
                let more = queryable(fields);
                self.look(bound, &[MatchKey::id(id)], &more, purpose, progress).await?;
                progress.named.insert(bound.name().clone(), id.clone());
                Ok(())
            }
            Step::Delete { object, id } => {
                let row = bound.org.read(object, id, &["Id"], purpose).await.map_err(call_failed)?;
                if row.is_none() {
                    progress.note_written(bound.name(), &Fields::new());
                    if let Some(link) = linked(id) {
                        progress.unlink(&link.target);
                    }
                }
                Ok(())
            }
            Step::Freeze { user, frozen } => {
                self.read_back_freeze(bound, user, *frozen, &known, progress).await
            }
            Step::Convert { lead, .. } => {
                self.read_back_conversion(bound, linked(lead), lead, progress).await
            }
        }
    }

    async fn read_back_link(
        &self,
        bound: &Bound<'_>,
        mut link: Link,
        fields: &Fields,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let purpose = Purpose::read_back(&self.ticket);
        let readable: Fields =
            queryable(fields).into_iter().map(|field| (field.to_owned(), fields[field].clone())).collect();
        let actual = lookup::read_back(bound.org, &link.object, &link.record_id, &readable, purpose)
            .await
            .map_err(call_failed)?
            .unwrap_or_default();
        if has(|field| actual.get(field), &readable) {
            progress.note_written(bound.name(), fields);
        }
        if is_retired(fields) && is_retired(&actual) {
            progress.unlink(&link.target);
            return Ok(());
        }
        link.written.extend(actual);
        progress.land(link);
        Ok(())
    }

    async fn read_back_conversion(
        &self,
        bound: &Bound<'_>,
        link: Option<Link>,
        lead: &RecordId,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let fields = ["Id", "IsConverted", "ConvertedContactId"];
        let row = bound.org.read("Lead", lead, &fields, Purpose::read_back(&self.ticket)).await;
        let row = row.map_err(call_failed)?.unwrap_or_default();
        let contact = row.get("ConvertedContactId").and_then(Value::as_str);
        let contact = contact.and_then(|id| RecordId::parse(id).ok());
        if let (Some(link), Some(contact)) = (link, contact) {
            progress.note_written(bound.name(), &Fields::new());
            progress.land(Link { became: Some(contact), left: true, ..link });
        }
        Ok(())
    }

    /// A record that is all that this change has sent, and that nobody else has, is the one it made. Anything else that
    /// was found was there before, or was changed by the org itself, and is adopted as such.
    async fn recognise(&self, bound: &Bound<'_>, step: &Step, progress: &mut Progress) -> Result<bool, Stop> {
        let sent = written_by(step);
        let Found::Records(records) = progress.found(bound.name()) else { return Ok(false) };
        let ours = records
            .iter()
            .find(|record| record.linked_to.is_none() && has(|field| record.actual.get(field), &sent));
        let Some(ours) = ours else { return Ok(false) };
        let id = ours.id.clone();
        // Nobody takes over an administrator by guessing all the fields and a broken connection.
        if ours.protected {
            let by = ours.actual.get("CreatedById").and_then(Value::as_str).map(str::to_owned);
            let us = bound.org.identity().await.map_err(call_failed)?.user_id;
            if by.and_then(|by| RecordId::parse(&by).ok()) != Some(us) {
                return Ok(false);
            }
        }
        let key = match step {
            Step::Upsert { value, .. } => Some(value.clone()),
            _ => None,
        };
        progress.note_written(bound.name(), &sent);
        let (target, org, object) =
            (bound.name().clone(), bound.org.name().clone(), bound.target.object.clone());
        let synced = Some(self.inner.clock.now());
        progress.land(Link { key, synced, ..Link::new(target, org, object, id, sent) });
        Ok(true)
    }
}

/// Whether a step gives somebody something, or takes it.
fn is_grant(step: &Step) -> bool {
    EntitlementKind::ALL.iter().any(|kind| match kind.given() {
        Given::Row(assignment) => assignment.object == step.object(),
        Given::Field(_) | Given::Flag => false,
    })
}

/// Whether all that was sent has arrived. A relationship by external id cannot be read by its name.
fn has<'a>(actual: impl Fn(&str) -> Option<&'a Value>, sent: &Fields) -> bool {
    sent.iter().filter(|(_, value)| !value.is_object()).all(|(field, value)| {
        let actual = actual(field);
        // What was left empty need not have been asked for.
        actual.map_or(value.is_null(), |actual| same_value(field, actual, value))
    })
}

/// The fields that can be read as they were written: a relationship that was written by an external id is none.
fn queryable(fields: &Fields) -> Vec<&str> {
    fields.iter().filter(|(_, value)| !value.is_object()).map(|(field, _)| field.as_str()).collect()
}

/// What a record with these fields can be found by: its external id, the match keys, and the name that Salesforce itself
/// guards.
pub(super) fn keys_of(bound: &Bound<'_>, step: &Step) -> Vec<MatchKey> {
    let fields = written_by(step);
    let external = match step {
        Step::Upsert { key, .. } => Some(key.as_str()),
        _ => None,
    };
    let guarded = (bound.target.object == "User").then_some("Username");
    let matching = bound.target.matching.iter().map(String::as_str);
    let mut names: Vec<&str> = Vec::new();
    for name in external.into_iter().chain(matching).chain(guarded) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let key = |name: &str| {
        let value = fields.get(name).filter(|value| !value.is_null())?;
        Some(MatchKey { field: name.to_owned(), value: value.clone() })
    };
    // Of what has an external id of its own nothing else is asked: another record with the same e-mail address is another's.
    match external {
        Some(external) => key(external).into_iter().collect(),
        None => names.into_iter().filter_map(key).collect(),
    }
}
