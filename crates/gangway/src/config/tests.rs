//! What is accepted, and the words of what is refused.

mod akamai;

use std::{fs, path::Path, time::Duration};

use provisioning::{GrantPattern, ListRule};
use salesforce_client::Flow;
use secrecy::ExposeSecret;

use super::*;

/// The shortest configuration that works, but for its secrets.
const SHORTEST: &str = r#"
[server]
listen = "127.0.0.1:8080"

[store]
url = "sqlite:gangway.db"

[orgs.acme-prod]
url = "https://acme.my.salesforce.com"
client-id = "3MVG9"

[customers.acme.environments.prod]

[[customers.acme.environments.prod.clients]]
name = "entra"
token-sha256 = ["0000000000000000000000000000000000000000000000000000000000000000"]
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("gangway.toml"))
}

/// The words of what is refused, with `from` replaced by `to` in the shortest configuration.
fn refusal(from: &str, to: &str) -> String {
    assert!(SHORTEST.contains(from), "{from} is not in the text");
    parse(&SHORTEST.replacen(from, to, 1)).unwrap_err().to_string()
}

fn accepted(from: &str, to: &str) -> Config {
    assert!(SHORTEST.contains(from), "{from} is not in the text");
    parse(&SHORTEST.replacen(from, to, 1)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_shortest_configuration_has_sensible_defaults() {
    let config = parse(SHORTEST).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.metrics_listen, None, "metrics are served where somebody asks for them");
    assert_eq!(config.server.answer_within, Duration::from_secs(25));
    assert_eq!(config.server.requests_per_second, 200);
    assert_eq!(config.store.database, Path::new("./gangway.db"));
    assert_eq!(
        config.log,
        LogSection { format: LogFormat::Json, filter: "info,actix_server=warn".to_owned() }
    );
    let [org] = &config.orgs[..] else { panic!("one org") };
    assert_eq!((org.flow, org.api_version.as_str(), org.max_in_flight), (FlowName::RefreshToken, "66.0", 4));
    let [tenant] = &config.tenants[..] else { panic!("one tenant") };
    assert!(tenant.default, "a sole tenant is the default");
    assert_eq!(tenant.org.as_ref().map(model::OrgName::as_str), Some("acme-prod"));
    assert_eq!(tenant.default_profile.as_deref(), Some("Standard User"));
    assert_eq!(tenant.scim_delete, ScimDeleteName::Remove);
    let [client] = &tenant.clients[..] else { panic!("one client") };
    assert_eq!((client.may, client.acknowledge), (May::Write, Acknowledge::Sync));
    assert!(!config.simulated());
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let with = |line: &str| format!("listen = \"127.0.0.1:8080\"\n{line}");
    let listen = with("");
    let listen = listen.trim_end();
    for (line, words) in [
        ("metrics-listen = \"9464\"", "`9464` is not an address to listen on"),
        ("metrics-listen = \"127.0.0.1:8080\"", "metrics are not served where SCIM is"),
    ] {
        let refused = refusal(listen, &with(line));
        assert!(refused.contains(words), "{refused}");
    }
    let config = accepted(listen, &with("metrics-listen = \"127.0.0.1:9464\""));
    assert_eq!(config.server.metrics_listen.map(|addr| addr.port()), Some(9464));
}

#[test]
fn every_key_can_be_set() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret"), "s3cret\n").unwrap();
    let text = r#"
        [server]
        listen = "[::1]:0"
        metrics-listen = "127.0.0.1:9464"
        public-url = "https://scim.acme.example/"
        answer-within = "1m 30s"
        trusted-proxies = ["10.0.0.0/8", "192.0.2.1"]
        requests-per-second = 25
        [store]
        url = "sqlite:///var/lib/gangway/gangway.db"
        key-file = "/etc/gangway/key"
        [log]
        format = "pretty"
        filter = "debug"
        [orgs.a]
        url = "http://localhost:8081"
        flow = "client-credentials"
        client-id = "id"
        client-secret = { file = "secret" }
        reserve-calls = 5000
        api-version = "v65.0"
        call-timeout = "500ms"
        max-in-flight = 3
        [orgs.b]
        url = "https://b.my.salesforce.com"
        client-id = "id"
        [customers.acme.environments.prod]
        default = true
        org = "a"
        username-domain = "acme.example"
        scim-delete = "deactivate"
        default-profile = " Minimum Access - Salesforce"
        protected = ["integration@acme.example"]
        [[customers.acme.environments.prod.clients]]
        name = "helloid"
        token-sha256 = ["00000000000000000000000000000000000000000000000000000000000000AA", "00000000000000000000000000000000000000000000000000000000000000bb"]
        may = "read"
        dialect = "helloid"
        acknowledge = "stored"
        zero-based-index = true
        group-patch = "no-content"
        grants = { allow = ["permission-set:Sales_*", "*:GW_*"], deny = ["profile:System Administrator"] }
        entitlements = "exact"
        [customers.acme.environments.prod.clients.oauth]
        client-id = "3MVG9"
        client-secret-argon2 = ["$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"]
        token-life = "30m"
        [[customers.acme.environments.prod.clients.oauth.users]]
        username = "helloid@acme.example"
        password-argon2 = ["$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"]
        [customers.acme.environments.test]
        org = "b"
    "#;
    let config = Config::parse(text, &directory.path().join("gangway.toml")).unwrap();
    assert_eq!(config.server.public_url.as_deref(), Some("https://scim.acme.example"));
    assert_eq!(config.server.metrics_listen, "127.0.0.1:9464".parse().ok());
    assert_eq!(config.server.answer_within, Duration::from_secs(90));
    assert_eq!(config.store.database, Path::new("/var/lib/gangway/gangway.db"));
    assert_eq!(config.store.key_file.as_deref(), Some(Path::new("/etc/gangway/key")));
    assert!(config.simulated(), "an org without TLS is a simulated one");
    let org = &config.orgs[0];
    let Flow::ClientCredentials { client_secret, .. } = &org.login else { panic!("{:?}", org.login) };
    assert_eq!(client_secret.expose_secret(), "s3cret");
    assert_eq!((org.reserve_calls, org.api_version.as_str(), org.max_in_flight), (5000, "65.0", 3));
    assert_eq!(org.call_timeout, Duration::from_millis(500));
    let [prod, other] = &config.tenants[..] else { panic!("two tenants") };
    assert!(prod.default && !other.default);
    assert_eq!(other.org.as_ref().unwrap().as_str(), "b");
    let client = &prod.clients[0];
    assert_eq!(client.token_sha256.iter().map(|hash| hash[31]).collect::<Vec<_>>(), [0xaa, 0xbb]);
    let oauth = client.oauth.as_ref().unwrap();
    assert_eq!((oauth.client_id.as_str(), oauth.token_life), ("3MVG9", Duration::from_mins(30)));
    assert_eq!((oauth.secrets.len(), oauth.users[0].passwords.len()), (1, 1));
    let proxies: Vec<_> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!(client.dialect, Some(DialectName::HelloId));
    assert_eq!(client.group_patch, Some(GroupPatch::NoContent));
    assert_eq!(client.policy.lists, ListRule::Exact);
    let shown = |patterns: &[GrantPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&client.policy.may_grant.allow), ["permission-set:Sales_*", "*:GW_*"]);
    assert_eq!(shown(&client.policy.may_grant.deny), ["profile:System Administrator"]);
    assert!(other.clients.is_empty());
}

/// What gets the client of the shortest configuration its access tokens.
const OAUTH: &str = r#"
[customers.acme.environments.prod.clients.oauth]
client-id = "3MVG9"
users = [{ username = "helloid@acme.example", password-argon2 = ["$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"] }]
"#;

#[test]
fn a_client_with_oauth_needs_no_token() {
    let tokens = "token-sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]";
    let config = accepted(tokens, OAUTH);
    let client = &config.tenants[0].clients[0];
    assert!(client.token_sha256.is_empty());
    let oauth = client.oauth.as_ref().unwrap();
    assert_eq!((oauth.token_life, oauth.secrets.len()), (Duration::from_hours(2), 0));
    let words = refusal(tokens, "token-sha256 = []");
    assert!(words.contains("a client has one token"), "{words}");
    let words = refusal(tokens, "");
    assert!(words.contains("a client has one token"), "{words}");
}

#[test]
fn what_gets_no_access_token_is_refused_with_its_place() {
    let oauth = |from: &str, to: &str| {
        assert!(OAUTH.contains(from), "{from} is not in the text");
        let words = parse(&format!("{SHORTEST}{}", OAUTH.replacen(from, to, 1))).unwrap_err().to_string();
        assert!(!words.contains("hunter2"), "a password is not repeated: {words}");
        words
    };
    parse(&format!("{SHORTEST}{OAUTH}")).unwrap();
    let hash = &OAUTH[OAUTH.find("$argon2id").unwrap()..OAUTH.rfind('"').unwrap()];
    let user = &OAUTH[OAUTH.find("users").unwrap()..OAUTH.len()];
    for (from, to, expected) in [
        ("3MVG9", " ", "19:13: the client id is empty"),
        (hash, "hunter2", "20:66: this is not an Argon2id hash"),
        (hash, "$2b$12$hunter2", "20:66: this is not an Argon2id hash"),
        ("m=19456", "m=64", "20:66: this hash is too cheap to guess"),
        ("m=19456", "m=999999", "20:66: this hash is too expensive to check"),
        ("helloid@acme.example", "", "20:23: the username is empty"),
        (user, "", "nobody can log in"),
        (user, "users = [{ username = \"x\", password-argon2 = [] }]", "here are 0"),
        (user, "client-secret-argon2 = \"hunter2\"", "20:24: hashes stand in a list"),
        ("client-id", "token-life = \"25h\"\nclient-id", "19:14: an access token lives for a day at most"),
        ("client-id", "token-life = \"0s\"\nclient-id", "19:14: an access token lives for a day at most"),
        ("client-id", "client-secret = { env = \"X\" }\nclient-id", "unknown key `client-secret`"),
    ] {
        let words = oauth(from, to);
        assert!(words.contains(expected), "{words}");
    }
    let twice = user.replace("}]", "}, { username = \"HELLOID@acme.example\", password-argon2 = [] }]");
    assert!(oauth(user, &twice).contains("two users have the same username"));
}

#[test]
fn a_client_id_is_one_clients() {
    let second = "[[customers.acme.environments.prod.clients]]\nname = \"other\"";
    let words = parse(&format!("{SHORTEST}{OAUTH}{second}{OAUTH}")).unwrap_err().to_string();
    assert!(words.contains("the clients `entra` and `other` have the same client id"), "{words}");
}

#[test]
fn a_trusted_proxy_is_an_address_or_a_network() {
    let listen = "listen = \"127.0.0.1:8080\"";
    let words = refusal(listen, &format!("{listen}\ntrusted-proxies = [\"::1\", \"proxy.acme.example\"]"));
    assert!(words.contains("4:27: `proxy.acme.example` is neither an IP address nor a network"), "{words}");
    let default = parse(SHORTEST).unwrap().server.trusted_proxies;
    assert!(default.iter().all(|network| network.addr().is_loopback()) && default.len() == 2);
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_its_neighbour() {
    insta::assert_snapshot!(refusal("listen =", "listne ="), @"gangway.toml:3:1: unknown key `listne` (did you mean `listen`?)");
    insta::assert_snapshot!(refusal("client-id", "client_id"), @"gangway.toml:10:1: unknown key `client_id` (did you mean `client-id`?)");
    insta::assert_snapshot!(refusal("[store]", "[colour]\nx = 1\n[store]"), @"gangway.toml:5:2: unknown key `colour` (known here: server, store, log, orgs, customers)");
}

#[test]
fn what_a_later_version_knows_is_refused_and_says_so() {
    let client = "name = \"entra\"";
    for (key, word) in [
        ("jwt = {}", "JWT"),
        ("mtls = {}", "client certificates"),
        ("basic = {}", "Basic"),
        ("populations = [\"staff\"]", "populations"),
    ] {
        let words = refusal(client, &format!("{client}\n{key}"));
        assert!(words.contains("is not in this version of Gangway") && words.contains(word), "{words}");
    }
    for (from, to) in [
        ("[store]", "[retention]\njournal = \"30d\"\n[store]"),
        ("sqlite:gangway.db", "postgres://gangway@localhost/gangway"),
        ("listen =", "tls = {}\nlisten ="),
    ] {
        let words = refusal(from, to);
        assert!(words.contains("not in this version of Gangway"), "{words}");
    }
}

#[test]
fn a_secret_in_the_configuration_is_refused_without_being_repeated() {
    let words = refusal("client-id = \"3MVG9\"", "client-id = \"3MVG9\"\nclient-secret = \"hunter2\"");
    insta::assert_snapshot!(words, @r#"gangway.toml:11:17: a secret does not stand in the configuration: write { env = "NAME" } for an environment variable or { file = "path" } for a file"#);
}

#[test]
fn a_token_in_place_of_its_hash_is_not_repeated() {
    let hash = "0".repeat(64);
    let words = refusal(&hash, "gw_secret-token");
    assert!(words.contains("gangway.toml:16:17: this is not a SHA-256"), "{words}");
    assert!(!words.contains("secret-token"), "{words}");
}

#[test]
fn plain_http_is_for_loopback_alone() {
    let url = "https://acme.my.salesforce.com";
    for loopback in ["http://127.0.0.1:8081", "http://[::1]:8081/", "http://localhost:8081"] {
        assert!(accepted(url, loopback).simulated());
    }
    for far in [
        "http://acme.my.salesforce.com",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "ftp://127.0.0.1",
    ] {
        let words = refusal(url, far);
        assert!(words.starts_with("gangway.toml:9:7:"), "{words}");
    }
    for odd in ["https://acme.my.salesforce.com/services", "https://me@acme.my.salesforce.com", "acme"] {
        refusal(url, odd);
    }
}

#[test]
fn every_problem_is_reported_at_once_in_the_order_of_the_file() {
    let text = SHORTEST
        .replace("127.0.0.1:8080", "localhost")
        .replace("sqlite:gangway.db", "sqlite:")
        .replace("acme-prod", "Acme")
        .replace("name = \"entra\"", "name = \"Entra ID\"");
    let errors = parse(&text).unwrap_err();
    let lines: Vec<usize> =
        errors.problems().iter().filter_map(Problem::line_column).map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 6, 8, 15], "{errors}");
    assert!(
        errors.report().contains("gangway.toml") || errors.report().contains("listen"),
        "{}",
        errors.report()
    );
}

#[test]
fn syntax_errors_have_their_place() {
    let errors = parse("[server\nlisten = 1").unwrap_err().to_string();
    assert!(errors.starts_with("gangway.toml:1:"), "{errors}");
    assert!(parse("").unwrap_err().to_string().contains("server"));
}

#[test]
fn at_most_one_tenant_is_the_default() {
    let second = "[customers.other.environments.prod]\ndefault = true\n[customers.acme.environments.prod]\ndefault = true\n";
    let words = refusal("[customers.acme.environments.prod]\n", second);
    assert!(words.contains("two tenants are the default: acme/prod and other/prod"), "{words}");
    let config = accepted("[customers.acme.environments.prod]\n", &second.replace("default = true\n", ""));
    assert!(config.tenants.iter().all(|tenant| !tenant.default));
}

#[test]
fn several_orgs_have_to_be_told_apart() {
    let two = "[orgs.other]\nurl = \"https://other.my.salesforce.com\"\nclient-id = \"x\"\n[orgs.acme-prod]";
    let words = refusal("[orgs.acme-prod]", two);
    assert!(words.contains("which one is this environment's?"), "{words}");
    let text = SHORTEST
        .replace("[orgs.acme-prod]", two)
        .replace("environments.prod]\n\n", "environments.prod]\norg = \"acme\"\n\n");
    assert!(parse(&text).unwrap_err().to_string().contains("there is no org `acme`"));
    let config = parse(&text.replace("org = \"acme\"", "org = \"acme-prod\"")).unwrap();
    assert_eq!(config.tenants[0].org.as_ref().unwrap().as_str(), "acme-prod");
}

#[test]
fn no_client_has_a_name_of_gangways_own() {
    let words = refusal("name = \"entra\"", "name = \"gangway-catalogue\"");
    assert!(words.contains("does not begin with `gangway-`"), "{words}");
}

#[test]
fn clients_have_one_name_and_one_token_each() {
    let client = "[[customers.acme.environments.prod.clients]]\nname = \"entra\"\ntoken-sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]\n";
    let words = parse(&format!("{SHORTEST}{client}")).unwrap_err().to_string();
    assert!(
        words.contains("two clients are called `entra`") && words.contains("have the same token"),
        "{words}"
    );
    let hash = format!("\"{}\"", "0".repeat(64));
    assert!(refusal(&hash, "").contains("here are 0"));
    let three = ["1", "2", "3"].map(|digit| format!("\"{}\"", digit.repeat(64))).join(", ");
    assert!(refusal(&hash, &three).contains("here are 3"));
}

#[test]
fn a_mapping_that_is_not_there_is_refused_at_its_key() {
    let words = refusal("environments.prod]\n\n", "environments.prod]\nmapping = \"none.toml\"\n\n");
    assert!(words.starts_with("gangway.toml:13:11: the mapping ./none.toml cannot be read"), "{words}");
}

#[test]
fn a_mistake_in_a_mapping_is_shown_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("acme.toml");
    fs::write(&path, "[targets.users]\nobject = \"User\"\n[targets.users.fields]\nTitle = 'user.ttle'\n")
        .unwrap();
    let text = SHORTEST.replace("environments.prod]\n\n", "environments.prod]\nmapping = \"acme.toml\"\n\n");
    let words = Config::parse(&text, &directory.path().join("gangway.toml")).unwrap_err().to_string();
    assert!(words.starts_with(&format!("{}:4:", path.display())), "{words}");
    assert!(words.contains("ttle") && words.contains("did you mean"), "{words}");
}

#[test]
fn a_grant_pattern_that_is_none_is_shown_where_it_is_with_what_was_meant() {
    let name = "name = \"entra\"";
    let with = |grants: &str| refusal(name, &format!("{name}\ngrants = {grants}"));
    insta::assert_snapshot!(with("{ allow = [\"role:*\", \"permision-set:Sales\"] }"), @"gangway.toml:16:31: `permision-set` is no kind of entitlement: use profile, role, permission-set, permission-set-group, permission-set-license, public-group, queue, package-license, feature-license or territory (did you mean `permission-set`?)");
    insta::assert_snapshot!(with("{ deny = [\"Sales\", \"profile:\"] }"), @r"
    gangway.toml:16:20: `Sales` does not say of what kind it is: write it like `permission-set:Sales`, or `*:Sales` for any kind
    gangway.toml:16:29: `profile:` names nothing: write `profile:*` for all of them
    ");
    insta::assert_snapshot!(with("{ alow = [] }"), @"gangway.toml:16:12: unknown key `alow` (did you mean `allow`?)");
}

#[test]
fn helloid_adds_to_a_list_unless_it_is_told_otherwise() {
    let name = "name = \"entra\"";
    let lists = |more: &str| {
        let config = accepted(name, &format!("{name}\n{more}"));
        config.tenants[0].clients[0].policy.lists
    };
    assert_eq!(lists(""), ListRule::Exact);
    assert_eq!(lists("dialect = \"helloid\""), ListRule::Add);
    assert_eq!(lists("dialect = \"okta\""), ListRule::Exact);
    assert_eq!(lists("entitlements = \"add\""), ListRule::Add);
    assert_eq!(lists("dialect = \"helloid\"\nentitlements = \"exact\""), ListRule::Exact);
}

/// A configuration with this mapping, and a second org if there are two.
fn with_mapping(name: &str, mapping: &str, second_org: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), mapping).unwrap();
    let environment = format!("environments.prod]\norg = \"acme-prod\"\nmapping = \"{name}\"\n\n");
    let text = SHORTEST.replace("environments.prod]\n\n", &environment);
    Config::parse(&format!("{text}{second_org}"), &directory.path().join("gangway.toml"))
}

const SECOND_ORG: &str =
    "\n[orgs.acme-uat]\nurl = \"https://acme--uat.sandbox.my.salesforce.com\"\nclient-id = \"3MVG9\"\n";

#[test]
fn a_mapping_of_next_identity_finds_its_org_by_name_or_address() {
    let org_of = |instance: &str| {
        let mapping = format!(
            "{{\"type\": \"salesforce\", \"instance\": \"{instance}\", \"mapping\": {{\"familyName\": \"LastName\"}}}}"
        );
        let config = with_mapping("next.json", &mapping, SECOND_ORG)?;
        let tenant = &config.tenants[0];
        let org = tenant.mapping.targets[0].org.as_ref().or(tenant.org.as_ref());
        Ok::<_, ConfigErrors>(org.map(ToString::to_string))
    };
    for (instance, org) in [
        ("acme-uat", "acme-uat"),
        ("acme--uat.sandbox.my.salesforce.com", "acme-uat"),
        ("https://ACME--uat.sandbox.my.salesforce.com/", "acme-uat"),
        ("acme-prod", "acme-prod"),
        ("Production", "acme-prod"),
    ] {
        assert_eq!(org_of(instance).unwrap().as_deref(), Some(org), "{instance}");
    }
    let words = org_of("https://other.my.salesforce.com").unwrap_err().to_string();
    assert!(words.contains("no org has that address") && words.contains("acme-uat"), "{words}");
}

#[test]
fn targets_of_several_orgs_do_not_refer_to_each_other() {
    let mapping = "[targets.customers]\norg = \"acme-uat\"\nobject = \"Contact\"\n[targets.customers.fields]\nLastName = \
                   'family_name(user)'\n[targets.partners]\nobject = \"User\"\n[targets.partners.fields]\nContactId = { link = \
                   \"customers\" }\n";
    let words = with_mapping("acme.toml", mapping, SECOND_ORG).unwrap_err().to_string();
    assert!(words.contains("acme.toml:9:") && words.contains("is in the org `acme-uat`"), "{words}");
    let same_org = mapping.replace("acme-uat", "acme-prod");
    assert!(with_mapping("acme.toml", &same_org, SECOND_ORG).is_ok());
}

/// Every User has a profile, whoever asks for it.
#[test]
fn without_a_default_profile_the_mapping_gives_everybody_one() {
    let none = "default-profile = \"\"\n";
    let words = refusal("environments.prod]\n\n", &format!("environments.prod]\n{none}\n"));
    assert!(
        words.starts_with("gangway.toml:13:19: there is no default profile, and the mapping may leave"),
        "{words}"
    );
    let target = "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nUsername = 'user.userName'\n";
    let with = |rules: &str| {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("acme.toml"), format!("{rules}\n{target}")).unwrap();
        let environment = format!("environments.prod]\nmapping = \"acme.toml\"\n{none}\n");
        let text = SHORTEST.replace("environments.prod]\n\n", &environment);
        Config::parse(&text, &directory.path().join("gangway.toml"))
    };
    let words = with("[[grants]]\nprofile = \"Staff\"\nwhen = 'user.active'\n").unwrap_err().to_string();
    assert!(words.contains("Users of the target `staff` without one"), "{words}");
    let config = with("[[grants]]\nprofile = \"Staff\"\n").unwrap();
    assert_eq!(config.tenants[0].default_profile, None);
}

#[test]
fn groups_are_made_from_orgs_that_are_configured() {
    let target = "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nUsername = 'user.userName'\n";
    let mapping = format!("{target}[[groups.publish]]\nkinds = [\"queue\"]\norg = \"acme-uat\"\n");
    let words = with_mapping("acme.toml", &mapping, "").unwrap_err().to_string();
    assert!(words.contains("names an org `acme-uat` that is not configured"), "{words}");
    assert!(with_mapping("acme.toml", &mapping, SECOND_ORG).is_ok());
}

#[test]
fn the_mapping_of_the_demo_is_one() {
    translation::Mapping::parse(include_str!("../commands/demo-mapping.toml"), "demo").unwrap();
}

#[test]
fn client_credentials_need_their_secret_and_nothing_else() {
    let id = "client-id = \"3MVG9\"";
    let words = refusal(id, &format!("{id}\nflow = \"client-credentials\""));
    assert!(words.contains("needs a client secret"), "{words}");
    let words = refusal(id, &format!("{id}\nclient-secret = {{ env = \"GANGWAY_TEST_NOT_SET\" }}"));
    assert!(
        words.contains("gangway.toml:11:1: the environment variable GANGWAY_TEST_NOT_SET is not set"),
        "{words}"
    );
    // The first refresh token may be gone after the first start.
    accepted(id, &format!("{id}\nrefresh-token = {{ file = \"/nowhere\" }}"));
}

/// A new RSA key, in PEM.
fn private_key() -> String {
    use aws_lc_rs::{encoding::AsDer, rsa};
    use base64::{Engine, engine::general_purpose::STANDARD};
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&key).unwrap();
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[test]
fn a_flow_needs_what_it_needs_and_has_nothing_of_another() {
    let id = "client-id = \"3MVG9\"";
    let with = |lines: &str| refusal(id, &format!("{id}\n{lines}"));
    let jwt = "flow = \"jwt-bearer\"\nusername = \"gangway@acme.example\"\n";
    insta::assert_snapshot!(with("flow = \"jwt-bearer\""), @r#"
    gangway.toml:8:7: the flow jwt-bearer needs a username (add the Username of the Salesforce user that Gangway acts as)
    gangway.toml:8:7: the flow jwt-bearer needs a private key (add private-key = { file = "path" } or { env = "NAME" })
    "#);
    let words = with(&format!("{jwt}private-key = \"hunter2\""));
    assert!(words.contains("does not stand in the configuration") && !words.contains("hunter2"), "{words}");
    let words = with(&format!("{jwt}private-key = {{ file = \"gangway.toml\" }}"));
    assert!(words.contains("gangway.toml:13:1"), "{words}");
    for (lines, expected) in [
        ("username = \"x\"", "11: the flow refresh-token has no username"),
        ("private-key = { file = \"x\" }", "11: the flow refresh-token has no private key"),
        ("audience = \"x\"", "11: the flow refresh-token has no audience"),
        ("keep-alive = \"0s\"", "11: a token cannot be used without pause"),
        (
            "flow = \"client-credentials\"\nrefresh-token = { file = \"x\" }",
            "12: the flow client-credentials has no refresh token",
        ),
        (
            "flow = \"jwt-bearer\"\nclient-secret = { env = \"PATH\" }",
            "12: the flow jwt-bearer has no client secret",
        ),
    ] {
        let words = with(lines);
        let (line, message) = expected.split_once(": ").unwrap();
        assert!(words.contains(&format!("gangway.toml:{line}:")) && words.contains(message), "{words}");
    }
    let words = refusal(
        "https://acme.my.salesforce.com\"",
        "https://login.salesforce.com\"\nflow = \"client-credentials\"\nclient-secret = { env = \"PATH\" }",
    );
    assert!(words.contains("login.salesforce.com does not take the flow client-credentials"), "{words}");
}

#[test]
fn the_jwt_bearer_flow_is_for_the_login_host_of_the_org() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key.pem"), private_key()).unwrap();
    let audience = |url: &str, more: &str| {
        let id = "client-id = \"3MVG9\"";
        let jwt = "flow = \"jwt-bearer\"\nusername = \"gangway@acme.example\"\nprivate-key = { file = \"key.pem\" }";
        let text = SHORTEST
            .replace(id, &format!("{id}\n{jwt}\n{more}"))
            .replace("https://acme.my.salesforce.com", url);
        let config = Config::parse(&text, &directory.path().join("gangway.toml"));
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        assert!(!format!("{config:?}").contains("PRIVATE"), "the key is not printed");
        match &config.orgs[0].login {
            Flow::JwtBearer { audience, username, .. } => {
                assert_eq!(username, "gangway@acme.example");
                audience.clone()
            }
            other => panic!("{other:?}"),
        }
    };
    let (login, test) = ("https://login.salesforce.com", "https://test.salesforce.com");
    assert_eq!(audience("https://acme.my.salesforce.com", ""), login);
    assert_eq!(audience("https://acme--uat.sandbox.my.salesforce.com", ""), test);
    assert_eq!(audience(test, ""), test);
    assert_eq!(
        audience("https://acme.my.salesforce.com", "audience = \"https://acme.my.salesforce.com\""),
        "https://acme.my.salesforce.com"
    );
}

#[test]
fn a_configuration_can_be_shown_without_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret"), "hunter2").unwrap();
    let id = "client-id = \"3MVG9\"";
    let text = SHORTEST.replace(id, &format!("{id}\nclient-secret = {{ file = \"secret\" }}"));
    let config = Config::parse(&text, &directory.path().join("gangway.toml")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

/// The shortest configuration with an event source.
fn with_source(kind: &str, keys: &str) -> Result<Config, ConfigErrors> {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "Bearer of-the-transmitter").unwrap();
    let keys = keys.replace("<secret>", &format!("{{ file = \"{}\" }}", secret.path().display()));
    parse(&format!("{SHORTEST}\n[[customers.acme.environments.prod.{kind}]]\n{keys}"))
}

#[test]
fn a_transmitter_needs_an_issuer_and_what_shows_that_it_is_the_sender() {
    let (issuer, audience) = ("issuer = \"https://idp.example\"\n", "audience = \"https://gw.example\"\n");
    let config =
        with_source("shared-signals", &format!("{issuer}{audience}authorization = <secret>")).unwrap();
    let source = &config.tenants[0].sources[0];
    assert_eq!((source.name.as_str(), source.acknowledge), ("shared-signals", AcknowledgeEvent::Stored));
    let SourceKind::SharedSignals(settings, None) = &source.kind else { panic!("{source:?}") };
    assert_eq!(settings.lockouts_per_hour, 25);
    assert_eq!(settings.fields.identity_providers, ["https://idp.example"], "the transmitter itself");

    for (keys, why) in [
        (format!("{issuer}{audience}"), "without anything that shows who sends them"),
        (format!("{issuer}authorization = <secret>"), "nobody knows for whom"),
        (format!("issuer = \"http://idp.example\"\n{audience}authorization = <secret>"), "can be trusted"),
        (format!("{issuer}{audience}delivery = \"poll\""), "nobody knows where events are polled"),
        (format!("{issuer}{audience}authorization = <secret>\nsubject-field = \"E mail\""), "`E mail`"),
        (
            format!(
                "{issuer}{audience}authorization = <secret>\nactions = {{ account-disable = \"freeze\" }}"
            ),
            "did you mean `account-disabled`?",
        ),
        (
            format!(
                "{issuer}{audience}authorization = <secret>\nactions = {{ account-enabled = \"freeze\" }}"
            ),
            "cannot be answered so",
        ),
        (
            format!("{issuer}{audience}authorization = <secret>\ntransmitter = {{ client-id = \"x\" }}"),
            "nobody knows who Gangway is there",
        ),
        (
            format!("{issuer}{audience}authorization = <secret>\ntransmitter = {{ token = <secret> }}"),
            "cannot be told where to push to",
        ),
    ] {
        let error = with_source("shared-signals", &keys).unwrap_err().to_string();
        assert!(error.contains(why), "{keys}: {error}");
        assert!(!error.contains("of-the-transmitter"), "{error}");
    }
}

#[test]
fn a_publisher_of_scim_events_has_a_population_of_its_own() {
    let keys = "issuer = \"https://idm.example\"\njwks-uri = \"https://idm.example/jwks\"\naudience = \"https://gw.example\"\n";
    let config =
        with_source("scim-events", &format!("{keys}authorization = <secret>\npopulation = \"partners\""))
            .unwrap();
    let tenants: Vec<String> = config.tenants.iter().map(|tenant| tenant.id.to_string()).collect();
    assert_eq!(tenants, ["acme/prod", "acme/prod/partners"]);
    for (more, why) in [
        ("", "without anything that shows who sends them"),
        ("authorization = <secret>\npublisher = { url = \"http://idm.example/scim\" }", "can be trusted"),
        ("delivery = \"poll\"", "nobody knows where events are polled"),
        (
            "authorization = <secret>\npoll-url = \"https://idm.example/poll\"",
            "that are pushed are not polled",
        ),
    ] {
        let error = with_source("scim-events", &format!("{keys}{more}")).unwrap_err().to_string();
        assert!(error.contains(why), "{more}: {error}");
    }
}
