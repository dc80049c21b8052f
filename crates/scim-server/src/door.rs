//! What the SCIM door needs to know, and where it keeps it.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use model::{ClientName, Clock, Ids, TenantId};
use provisioning::Provisioner;
use store::Directory;

use crate::{
    cursor::Cursors,
    limits::Bucket,
    oauth::{Credentials, Desk, OAuth, Signer},
};

/// What holds for every request.
#[derive(Clone, Debug)]
pub struct DoorSettings {
    /// The URL under which clients reach this server, such as `https://scim.acme.example`: the start of every
    /// `location`. Absent: the scheme and host of each request.
    pub public_url: Option<String>,
    /// Whether the Salesforce org is a simulated one; then every answer says so.
    pub simulated: bool,
    /// Requests per second and client; 0 is no limit.
    pub requests_per_second: u32,
    /// The key that cursors are authenticated with; the same on every replica.
    pub cursor_key: [u8; 32],
    /// The key that access tokens are signed with; the same on every replica.
    pub token_key: [u8; 32],
    /// The proxies whose word on where a caller is counts.
    pub trusted_proxies: Vec<IpNet>,
}

/// A tenant as the door sees it.
#[derive(Clone, Debug)]
pub struct DoorTenant {
    /// Its name, which is in its URL.
    pub id: TenantId,
    /// Whether it is served on the short paths too. At most one is.
    pub default: bool,
    /// Who may call.
    pub clients: Vec<DoorClient>,
}

/// Someone who may call.
#[derive(Clone, Debug)]
pub struct DoorClient {
    /// The configuration's name for it.
    pub name: ClientName,
    /// The SHA-256 of each of its tokens.
    pub token_sha256: Vec<[u8; 32]>,
    /// What it gets access tokens with.
    pub oauth: Option<OAuth>,
    /// What it may do.
    pub may: May,
    /// Which product it is, where a request cannot tell.
    pub dialect: Option<Dialect>,
    /// Whether its `startIndex` counts from 0 (C-24).
    pub zero_based_index: bool,
    /// Whether a PATCH of a Group is answered without a body (C-60). Absent: as the dialect likes it.
    pub group_patch_204: Option<bool>,
    /// Whether its requests are answered once they are stored, without waiting for Salesforce.
    pub acknowledge_stored: bool,
    /// Whom it sees and changes; none: those of the tenant that come by SCIM.
    pub population: Option<TenantId>,
    /// The URIs of the events by which others hear of what it changes (RFC 9967); empty: nobody does.
    pub event_uris: Vec<String>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// The products whose habits a request cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Microsoft Entra ID: no body after a PATCH of a Group, whose members may be many.
    Entra,
    /// Okta.
    Okta,
    /// `PingOne` and `PingFederate`.
    Ping,
    /// `HelloID`.
    HelloId,
    /// `SailPoint`.
    SailPoint,
}

impl DoorClient {
    /// Whether a PATCH of a Group is answered with 204.
    pub(crate) fn wants_no_group(&self) -> bool {
        self.group_patch_204.unwrap_or(self.dialect == Some(Dialect::Entra))
    }
}

/// A client, and how much it has asked lately.
#[derive(Debug)]
pub(crate) struct Client {
    pub settings: DoorClient,
    pub bucket: Bucket,
    /// By which its access tokens are recognised.
    pub credentials: Credentials,
}

/// A tenant with its clients.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub id: TenantId,
    pub clients: Vec<Arc<Client>>,
}

#[derive(Default)]
struct Tenants {
    by_name: HashMap<TenantId, Arc<Tenant>>,
    default: Option<Arc<Tenant>>,
}

impl Tenants {
    fn new(tenants: Vec<DoorTenant>, requests_per_second: u32, signer: &Signer) -> Self {
        let mut all = Self::default();
        for tenant in tenants {
            let clients = tenant.clients.into_iter().map(|settings| {
                let credentials = signer.credentials(&tenant.id, &settings.name, settings.oauth.as_ref());
                Arc::new(Client { settings, bucket: Bucket::new(requests_per_second), credentials })
            });
            let entry = Arc::new(Tenant { id: tenant.id.clone(), clients: clients.collect() });
            if tenant.default {
                all.default = Some(Arc::clone(&entry));
            }
            all.by_name.insert(tenant.id, entry);
        }
        all
    }
}

/// Everything the SCIM door needs. One for all workers of the server.
pub struct Door {
    pub(crate) provisioner: Provisioner,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) settings: DoorSettings,
    pub(crate) clock: Clock,
    pub(crate) cursors: Cursors,
    pub(crate) desk: Desk,
    ids: Ids,
    tenants: ArcSwap<Tenants>,
    /// Random, so that request ids of two starts or two replicas differ.
    start: String,
    requests: AtomicU64,
}

impl Door {
    /// Puts the door together. `directory` is what `provisioner` writes to.
    #[must_use]
    pub fn new(
        provisioner: Provisioner,
        directory: Arc<dyn Directory>,
        tenants: Vec<DoorTenant>,
        mut settings: DoorSettings,
        clock: Clock,
    ) -> Self {
        if let Some(url) = &mut settings.public_url {
            url.truncate(url.trim_end_matches('/').len());
        }
        let ids = Ids::random();
        let start = ids.token()[..4].iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let desk = Desk::new(&settings.token_key, ids.clone());
        Self {
            provisioner,
            directory,
            cursors: Cursors::new(&settings.cursor_key),
            tenants: ArcSwap::from_pointee(Tenants::new(tenants, settings.requests_per_second, &desk.signer)),
            desk,
            ids,
            settings,
            clock,
            start,
            requests: AtomicU64::new(0),
        }
    }

    /// Replaces who may call: a new configuration. Requests under way end with what they started with.
    pub fn replace_tenants(&self, tenants: Vec<DoorTenant>) {
        let tenants = Tenants::new(tenants, self.settings.requests_per_second, &self.desk.signer);
        self.tenants.store(Arc::new(tenants));
    }

    /// The tenant of this name; without a name, the default one.
    pub(crate) fn tenant(&self, name: Option<(&str, &str)>) -> Option<Arc<Tenant>> {
        let tenants = self.tenants.load();
        match name {
            None => tenants.default.clone(),
            Some((customer, environment)) => {
                let id = TenantId::new(customer, environment).ok()?;
                tenants.by_name.get(&id).cloned()
            }
        }
    }

    /// A name for a request whose caller hears of its end by an event.
    pub(crate) fn transaction(&self) -> String {
        self.ids.change().to_string()
    }

    /// An id for a request, by which its answer and its line in the log are found.
    pub(crate) fn request_id(&self) -> String {
        format!("{}-{}", self.start, self.requests.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};

    /// A client that may write, with these tokens.
    pub(crate) fn client(name: &str, tokens: &[&str]) -> DoorClient {
        let sha256 = |token: &&str| digest(&SHA256, token.as_bytes()).as_ref().try_into().unwrap();
        DoorClient {
            name: name.parse().unwrap(),
            token_sha256: tokens.iter().map(sha256).collect(),
            oauth: None,
            may: May::Write,
            dialect: None,
            zero_based_index: false,
            group_patch_204: None,
            acknowledge_stored: false,
            population: None,
            event_uris: Vec::new(),
        }
    }

    /// A tenant with these clients.
    pub(crate) fn tenant(id: &str, clients: Vec<DoorClient>) -> Tenant {
        let tenant = DoorTenant { id: id.parse().unwrap(), default: false, clients };
        let tenants = Tenants::new(vec![tenant], 0, &Signer::new(&[7; 32])).by_name;
        Arc::into_inner(tenants.into_values().next().unwrap()).unwrap()
    }

    #[test]
    fn c60_entra_wants_no_group_back_unless_configured() {
        let mut settings = client("x", &[]);
        assert!(!settings.wants_no_group());
        settings.dialect = Some(Dialect::Entra);
        assert!(settings.wants_no_group());
        settings.group_patch_204 = Some(false);
        assert!(!settings.wants_no_group());
        settings.dialect = Some(Dialect::Okta);
        settings.group_patch_204 = Some(true);
        assert!(settings.wants_no_group());
    }
}
