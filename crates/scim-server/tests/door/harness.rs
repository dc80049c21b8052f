//! A door with two tenants, a store of its own, and words to talk to it.

use std::{collections::HashMap, sync::Arc};

use actix_web::{App, http::Method, test};
use model::{ClientName, Clock, Ids, OrgName, ResourceId, ResourceKind, TenantId};
use provisioning::{Provisioner, ScimDelete, Settings, Tenant};
use scim_server::{Door, DoorClient, DoorSettings, DoorTenant, May, configure};
use scim_types::{Resource, schema};
use serde_json::{Value, json};
use store::{
    AuditEntry, ChangeOutcome, Journal, LinkWrite, MasterKey, Record, ResourceWrite, sqlite::SqliteStore,
};
use translation::Mapping;

/// The SCIM root of the default tenant.
pub const ROOT: &str = "/acme/prod/scim/v2";
/// A client of `acme/prod` that may write.
pub const TOKEN: &str = "acme-writes";
/// One that may only read.
pub const READER: &str = "acme-reads";
/// A client of `beta/prod`.
pub const ELSEWHERE: &str = "beta-writes";

pub struct World {
    pub door: Arc<Door>,
    pub clock: Clock,
    store: SqliteStore,
    provisioner: Provisioner,
    _folder: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl World {
    pub fn start() -> Self {
        Self::with(|_| {}, |_| {})
    }

    /// A world in which the writing client of `acme/prod` is different.
    pub fn with_client(change: impl FnOnce(&mut DoorClient)) -> Self {
        Self::with(|_| {}, change)
    }

    pub fn with(settings: impl FnOnce(&mut DoorSettings), change: impl FnOnce(&mut DoorClient)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("gangway.db"), MasterKey::new([1; 32])).unwrap();
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let provisioner = Provisioner::new(
            Arc::new(store.clone()),
            HashMap::new(),
            vec![provisioned("acme/prod"), provisioned("beta/prod")],
            Settings::default(),
            clock.clone(),
            Ids::seeded(7),
            tokio::runtime::Handle::current(),
        );
        let mut door_settings = DoorSettings {
            public_url: Some("https://scim.example.com/".into()),
            simulated: false,
            requests_per_second: 0,
            cursor_key: [7; 32],
            token_key: [8; 32],
            trusted_proxies: Vec::new(),
        };
        settings(&mut door_settings);
        let mut writes = client("writer", TOKEN);
        change(&mut writes);
        let reads = DoorClient { may: May::Read, ..client("reader", READER) };
        let tenants = vec![
            DoorTenant { id: tenant("acme/prod"), default: true, clients: vec![writes, reads] },
            DoorTenant {
                id: tenant("beta/prod"),
                default: false,
                clients: vec![client("writer", ELSEWHERE)],
            },
        ];
        let door =
            Door::new(provisioner.clone(), provisioner.directory(), tenants, door_settings, clock.clone());
        Self { door: Arc::new(door), clock, store, provisioner, _folder: folder }
    }

    /// A request to a path on this server, with nothing but what is given.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let app = test::init_service(App::new().configure(configure(Arc::clone(&self.door)))).await;
        let mut request = test::TestRequest::with_uri(path)
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .set_payload(body.into());
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let response = test::call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let text = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        Answer { status, headers, text }
    }

    /// A request below the SCIM root by the client that may write.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_with(method, path, &[], body).await
    }

    pub async fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let authorization = format!("Bearer {TOKEN}");
        let mut all =
            vec![("authorization", authorization.as_str()), ("content-type", "application/scim+json")];
        all.extend(headers);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("{ROOT}{path}"), &all, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    /// Makes a Group and tells its id.
    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": [schema::GROUP_URN], "displayName": name, "members": members});
        let answer = self.call("POST", "/Groups", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Puts a User into the store, without Salesforce. Its id is `u-` and the name.
    pub async fn user(&self, name: &str, more: Value) -> String {
        self.linked_user(name, more, Vec::new()).await
    }

    /// The same for a User that is linked to a record.
    pub async fn linked_user(&self, name: &str, more: Value, links: Vec<LinkWrite>) -> String {
        let mut body = json!({"schemas": [schema::USER_URN], "userName": name});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let id = format!("u-{name}");
        self.put(ResourceKind::User, &id, body, links).await;
        id
    }

    /// Puts a Group into the store that stands for a public group. Its id is `g-` and the name.
    pub async fn standing_group(&self, name: &str, record_id: &str) -> String {
        let stands_for = json!({"org": "org", "kind": "public-group", "id": record_id});
        let body = json!({
            "schemas": [schema::GROUP_URN], "displayName": name, schema::GANGWAY_GROUP_URN: {"standsFor": stands_for},
        });
        let id = format!("g-{name}");
        self.put(ResourceKind::Group, &id, body, Vec::new()).await;
        id
    }

    async fn put(&self, kind: ResourceKind, id: &str, body: Value, links: Vec<LinkWrite>) {
        let Value::Object(body) = body else { unreachable!() };
        let record = Record {
            change: None,
            tenant: tenant("acme/prod"),
            kind,
            resource: ResourceId::from_text(id),
            write: ResourceWrite::Create(Resource::from_map(body)),
            links,
            grants: vec![],
            memberships: vec![],
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: name_of("hr"),
                action: "create".into(),
                fields: vec![],
                grants: vec![],
                notes: vec![],
                consents: Vec::new(),
                mapping: None,
            },
            outcome: ChangeOutcome {
                result: "created".into(),
                status: 201,
                reason: None,
                ..ChangeOutcome::default()
            },
            answered: true,
            at: self.clock.now(),
        };
        self.store.record(record).await.unwrap();
    }

    /// A door on the same store with other clients.
    pub fn replace_clients(&self, clients: Vec<DoorClient>) {
        self.door.replace_tenants(vec![DoorTenant { id: tenant("acme/prod"), default: true, clients }]);
        let _ = &self.provisioner;
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Checks that this is a SCIM Error with this status, and tells its detail (C-71).
    #[track_caller]
    pub fn refused(&self, status: u16, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let error = self.json();
        assert_eq!(error["schemas"], json!([scim_types::ERROR_URN]), "{self:?}");
        assert_eq!(error["status"], status.to_string(), "{self:?}");
        assert_eq!(error.get("scimType").and_then(Value::as_str), scim_type, "{self:?}");
        let content_type = self.header("content-type").unwrap();
        assert!(content_type.starts_with("application/"), "{self:?}");
        let detail = error["detail"].as_str().unwrap().to_owned();
        assert!(detail.len() > 10, "{self:?}");
        detail
    }

    /// The ids of a list.
    #[track_caller]
    pub fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{self:?}");
        let list = self.json();
        let ids: Vec<_> = list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(list["itemsPerPage"], ids.len());
        ids
    }
}

/// A client that may write, with one token.
pub fn client(name: &str, token: &str) -> DoorClient {
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    DoorClient {
        name: name_of(name),
        token_sha256: vec![sha256.as_ref().try_into().unwrap()],
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

fn name_of(name: &str) -> ClientName {
    name.parse().unwrap()
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn provisioned(id: &str) -> Tenant {
    let org = OrgName::new("org").unwrap();
    // There is no org: nobody is a User of one.
    let mut mapping = Mapping::default_for(&org);
    mapping.targets.clear();
    Tenant {
        id: tenant(id),
        mapping,
        default_org: Some(org),
        username_domain: None,
        scim_delete: ScimDelete::default(),
        default_profile: "Standard User".into(),
        protected: Vec::new(),
        clients: HashMap::new(),
    }
}
