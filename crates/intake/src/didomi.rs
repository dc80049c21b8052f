//! Didomi: what people have chosen, as its webhooks tell it.
//!
//! A delivery is not signed. Its sender shows an access token that it has got from us before, or one that never changes, and
//! comes from an address that it is known to have.
//!
//! | file | what it holds |
//! |---|---|
//! | `payload.rs` | a delivery, nested or flattened, as a [`Notice`] |
//! | `part.rs` | what somebody can choose about |
//! | `choose.rs` | from a notice to what is written, by the mappings |
//! | `token.rs` | our token endpoint, and its tokens |
//! | `apply.rs` | one event: what of it is new, written to Salesforce |
//!
//! With several objects each delivery becomes an event for each of them: one that could not be applied comes again, the others
//! do not.

mod apply;
mod choose;
mod part;
mod payload;
mod token;

use std::{net::IpAddr, sync::Arc};

use actix_web::{HttpResponse, http::Method};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;
use model::{SourceName, TenantId, failures::Origin};
use provisioning::ConsentTarget;
use subtle::{Choice, ConstantTimeEq};

use self::{
    apply::Told,
    payload::Notice,
    token::{Attempts, Tokens},
};
pub use self::{
    choose::{ContactPointMapping, FieldMapping, Mapped, Mappings, Transform},
    part::{BadPart, Part},
    token::{OAuthClient, TOKEN_LIFE},
};
use crate::{CatchUp, CaughtUp, Delivery, Event, Intake, Kind, Order, Outcome, Refusal, Rehearsal, Source};

/// The longest name of an event or a user. Didomi's own are 36 characters, a customer's may be an address.
const NAME: usize = 400;

/// What is configured of a Didomi source.
#[derive(Clone, Debug)]
pub struct DidomiSettings {
    /// The organisation whose events these are; none: any.
    pub organization: Option<String>,
    /// Who gets access tokens from us.
    pub client: Option<OAuthClient>,
    /// SHA-256 of tokens that never change.
    pub token_sha256: Vec<[u8; 32]>,
    /// Where deliveries come from; empty: from anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// Events of other regulations than these are ignored.
    pub regulations: Vec<String>,
    /// The statuses of events that are taken as they are. Of pending ones only opt-outs are.
    pub accept_status: Vec<String>,
    /// What is done when Didomi has deleted a user.
    pub user_deleted: UserDeleted,
    /// Where choices are written to.
    pub objects: Vec<DidomiObject>,
}

/// What is done when Didomi has deleted a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserDeleted {
    /// Nothing.
    #[default]
    Nothing,
    /// All that is mapped is opted out of.
    ClearMapped,
}

/// Records of one object that choices are written to.
#[derive(Clone, Debug)]
pub struct DidomiObject {
    /// Which records.
    pub target: ConsentTarget,
    /// What is written.
    pub mappings: Mappings,
}

/// A Didomi source.
#[derive(Debug)]
pub struct Didomi {
    settings: DidomiSettings,
    tenant: TenantId,
    name: SourceName,
}

impl Didomi {
    /// A source of this tenant and name: its access tokens are good here alone.
    #[must_use]
    pub fn new(tenant: TenantId, name: SourceName, settings: DidomiSettings) -> Self {
        Self { settings, tenant, name }
    }

    fn tokens(&self, intake: &Intake) -> Option<Tokens<'_>> {
        let client = self.settings.client.as_ref()?;
        Some(Tokens::new(&intake.settings.token_key, &self.tenant, &self.name, client))
    }

    /// Whether somebody at this address may be the sender.
    fn is_allowed(&self, address: IpAddr) -> bool {
        let allowed = &self.settings.allowed_ips;
        allowed.is_empty() || allowed.iter().any(|network| network.contains(&address))
    }

    fn authenticate(&self, intake: &Intake, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        if !self.is_allowed(delivery.address) {
            return Err(Refusal::AccessDenied("deliveries do not come from this address".into()));
        }
        let bearer = delivery.bearer().ok_or_else(|| {
            Refusal::AuthenticationFailed("send an access token: Authorization: Bearer …".into())
        })?;
        let hash = digest(&SHA256, bearer.as_bytes());
        let mut is_known = self
            .settings
            .token_sha256
            .iter()
            .fold(Choice::from(0), |known, good| known | good[..].ct_eq(hash.as_ref()));
        if let Some(tokens) = self.tokens(intake) {
            is_known |= tokens.made(bearer, delivery.now);
        }
        if bool::from(is_known) {
            return Ok(());
        }
        let why = "the access token is not one of this source, or its time is over: get another one";
        Err(Refusal::AuthenticationFailed(why.into()))
    }

    /// The event of a notice for one object.
    fn event(&self, notice: &Notice, object: &DidomiObject, digest: &str) -> Event {
        let mut jti = notice.name(&self.settings.accept_status, digest);
        let delivery = notice.id.clone().unwrap_or_else(|| jti.clone());
        let object = object.target.object.as_str();
        if self.settings.objects.len() > 1 {
            jti = format!("{jti}/{}", object.to_ascii_lowercase());
        }
        let who = notice.person.as_deref().or(notice.user.as_deref()).unwrap_or(&jti);
        Event {
            subject: format!("{object}/{}/{}", notice.regulation, apply::folded(who)),
            kind: notice.kind.clone(),
            happened: notice.given,
            version: notice.version,
            // Each purpose and channel has its own order: see `apply.rs`.
            order: Order::Alone,
            same_as: None,
            delivery: Some(delivery).filter(|delivery| *delivery != jti),
            body: serde_json::json!({ "object": object, "notice": notice }),
            jti,
        }
    }
}

#[async_trait]
impl Kind for Didomi {
    fn media_types(&self) -> &[&str] {
        &["application/json"]
    }

    async fn read(
        &self,
        intake: &Intake,
        _source: &Source,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        self.authenticate(intake, delivery)?;
        let notice = Notice::read(delivery.body, delivery.now).map_err(Refusal::InvalidRequest)?;
        let names = [&notice.id, &notice.user, &notice.person];
        if names.into_iter().flatten().any(|name| name.len() > NAME) {
            return Err(Refusal::InvalidRequest(format!("an id has more than {NAME} bytes")));
        }
        if let (Some(ours), Some(theirs)) = (&self.settings.organization, &notice.organization)
            && ours != theirs
        {
            return Err(Refusal::AccessDenied("the event is of another organization".into()));
        }
        let digest = short_digest(delivery.body);
        Ok(self.settings.objects.iter().map(|object| self.event(&notice, object, &digest)).collect())
    }

    async fn apply(&self, intake: &Intake, source: &Source, event: &Event, _approved: bool) -> Outcome {
        let Ok(told) = serde_json::from_value::<Told>(event.body.clone()) else {
            return Outcome::Dead("it was stored by another version of Gangway and cannot be read".into());
        };
        self.apply_told(intake, source, event, told).await
    }

    async fn serve(
        &self,
        intake: &Intake,
        method: &Method,
        rest: &[&str],
        delivery: &Delivery<'_>,
    ) -> Option<HttpResponse> {
        match rest {
            ["oauth", "token"] => {
                let tokens = self.tokens(intake)?;
                if !self.is_allowed(delivery.address) {
                    let why = "access tokens are not given to this address".to_owned();
                    return Some(Refusal::AccessDenied(why).answer());
                }
                let attempts = Attempts {
                    failures: &intake.failures,
                    tenant: &self.tenant,
                    from: Origin::of(delivery.address),
                    now: delivery.now,
                };
                Some(tokens.answer(method, delivery, &attempts, &intake.ids))
            }
            _ => None,
        }
    }

    /// An event of somebody who has no id: nothing can come of it.
    async fn rehearse(&self, intake: &Intake, _: &Source) -> Result<Rehearsal, String> {
        let now = intake.clock.now();
        let tokens = self.tokens(intake);
        let Some(token) = tokens.map(|tokens| tokens.issue(now + TOKEN_LIFE, &intake.ids)) else {
            return Err("only Didomi knows its token: `token-sha256` is a hash of it".to_owned());
        };
        let id = format!("test-{}", intake.ids.change());
        let body = serde_json::json!({
            "type": "event.created",
            "parameters": { "entity": {
                "id": id, "organization_id": self.settings.organization, "created_at": now, "status": "confirmed",
                "user": {}, "consents": { "purposes": [], "channels": [] }
            } }
        })
        .to_string();
        let notice = Notice::read(body.as_bytes(), now)?;
        let object = self.settings.objects.first().ok_or("no object is configured")?;
        Ok(Rehearsal {
            media_type: "application/json".to_owned(),
            authorization: Some(format!("Bearer {token}")),
            jti: self.event(&notice, object, "").jti,
            body,
        })
    }

    /// Says once what the orgs lack: better now than with the first event.
    async fn run(&self, intake: &Arc<Intake>, source: &Arc<Source>) {
        for object in &self.settings.objects {
            let places = object.mappings.places();
            let fits = || intake.provisioner.consent_problems(&object.target, &places);
            let mut said = None;
            let problems = loop {
                match fits().await {
                    Ok(problems) => break problems,
                    // The org is away: events wait for it as this does.
                    Err(error) => {
                        let why = error.to_string();
                        if said.as_ref() != Some(&why) {
                            tracing::warn!(
                                tenant = %source.tenant, source = %source.name, org = %object.target.org,
                                "it cannot be told yet whether the org fits: {why}"
                            );
                            said = Some(why);
                        }
                        tokio::time::sleep(apply::ASK_AGAIN).await;
                    }
                }
            };
            for problem in problems {
                tracing::error!(tenant = %source.tenant, source = %source.name, "consents cannot be written: {problem}");
            }
        }
    }

    /// What Didomi's Consents API would tell.
    async fn catch_up(&self, _: &Intake, _: &Source, _: &CatchUp) -> Result<CaughtUp, String> {
        Err("Didomi's Consents API is not asked: let Didomi send what is missing again".to_owned())
    }
}

/// Tells deliveries apart whose events have no name of their own.
fn short_digest(body: &[u8]) -> String {
    use std::fmt::Write;
    digest(&SHA256, body).as_ref()[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
