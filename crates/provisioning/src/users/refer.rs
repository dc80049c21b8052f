//! What a decision refers to by name: records of the identity and of others, queues, profiles, accounts.

use salesforce_client::Purpose;
use salesforce_types::{Conversion, RecordId};
use scim_types::Resource;
use translation::{Reference, Resolved};

use super::{
    Progress, Stop, UserChange,
    round::{Round, call_failed, live, refusal},
    scene::Bound,
};
use crate::{Operation, ProvisionError, catalogue::PROFILE_PAUSE, lookup};

impl UserChange {
    /// The records that the mapping refers to: the identity's own, those of other identities, queues.
    pub(super) async fn resolve(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        wanted: &Resource,
    ) -> Result<Resolved, Stop> {
        let mut resolved = Resolved::new();
        for reference in bound.target.references(wanted) {
            let record = match &reference {
                Reference::Own(target) => live(round.links, target),
                Reference::Identity { target, id } => {
                    let id = model::ResourceId::from_text(id.clone());
                    live(&self.inner.store.links(&self.caller.tenant, &id).await?, target)
                }
                Reference::Queue(name) => {
                    let queue = self
                        .inner
                        .catalogue
                        .queue(&*self.inner.store, bound.org, name, self.inner.clock.now())
                        .await;
                    Some(queue.map_err(call_failed)?.ok_or_else(|| {
                        refusal("OwnerId", format!("the org {} has no queue `{name}`", bound.org.name()))
                    })?)
                }
            };
            resolved.extend(record.map(|record| (reference, record)));
        }
        Ok(resolved)
    }

    /// What the identity's lead is converted into, by the rules of the target.
    pub(super) async fn conversion(
        &self,
        bound: &Bound<'_>,
        wanted: &Resource,
        progress: &Progress,
    ) -> Result<Conversion, Stop> {
        let wish = bound.target.conversion(wanted);
        let wish = wish.map_err(|refusal| ProvisionError::Untranslatable(vec![refusal]))?;
        // A contact that the org's own rules have named takes the lead in, and its account is the account.
        let chosen = match &self.request.operation {
            Operation::Adopt(record) if record.prefix() == "003" => Some(record.clone()),
            _ => None,
        };
        let contact = progress.named.get(bound.name()).cloned().or(chosen);
        let account = match (&contact, &wish.account) {
            (Some(contact), _) => self.account_of(bound, contact).await?,
            (None, Some(account)) => self.account(bound, account).await?,
            (None, None) => None,
        };
        let owner = wish.owner.as_deref().map(RecordId::parse).transpose();
        let mut owner = owner.map_err(|why| refusal("OwnerId", format!("the conversion's owner: {why}")))?;
        if owner.is_none() && progress.owns_conversions {
            owner = Some(bound.org.identity().await.map_err(call_failed)?.user_id);
        }
        let duplicates = planning::manner(bound.target).duplicates;
        let translation::ConversionWish { status, opportunity, .. } = wish;
        Ok(Conversion { status, account, contact, owner, opportunity, duplicates })
    }

    async fn account_of(&self, bound: &Bound<'_>, contact: &RecordId) -> Result<Option<RecordId>, Stop> {
        let purpose = Purpose::matching(&self.ticket);
        let row = bound.org.read("Contact", contact, &["AccountId"], purpose).await.map_err(call_failed)?;
        let account = row.and_then(|row| RecordId::parse(row.get("AccountId")?.as_str()?).ok());
        Ok(account)
    }

    /// The account of a conversion, by id or by name.
    async fn account(&self, bound: &Bound<'_>, account: &str) -> Result<Option<RecordId>, Stop> {
        if let Ok(id) = RecordId::parse(account)
            && id.prefix() == "001"
        {
            return Ok(Some(id));
        }
        let found = lookup::by_name(bound.org, "Account", account, Purpose::matching(&self.ticket)).await;
        let found = found.map_err(call_failed)?;
        match (found.as_slice(), bound.target.conversion.account_missing) {
            ([one], _) => Ok(Some(one.clone())),
            ([], translation::AccountMissing::Create) => Ok(None),
            ([], translation::AccountMissing::Refuse) => {
                Err(refusal("AccountId", format!("the org {} has no account `{account}`", bound.org.name())))
            }
            (several, _) => {
                let several = super::hold::list(several);
                Err(refusal("AccountId", format!("several accounts are called `{account}` ({several})")))
            }
        }
    }

    pub(super) async fn profile(&self, bound: &Bound<'_>) -> Result<RecordId, Stop> {
        let (org, wanted) = (bound.org, &bound.tenant.default_profile);
        let found = self
            .inner
            .catalogue
            .profile(&*self.inner.store, org, wanted, self.inner.clock.now())
            .await
            .map_err(call_failed)?;
        found.ok_or_else(|| {
            Stop::Fail(ProvisionError::Misconfigured(format!(
                "the org {} has no profile `{wanted}`: correct `default-profile`, or make it and repeat after {} s",
                org.name(),
                PROFILE_PAUSE.as_secs()
            )))
        })
    }
}
