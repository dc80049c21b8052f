//! Access tokens: an end, a random number, and a signature over both.
//!
//! Nothing is stored. A connector that logs in for every action would otherwise cost a write each; a signed token is good
//! after a restart and at every gateway with the same master key. What it is signed with is made of all that let its
//! bearer in: the tenant, the client, the secret and the password. Take one of them out of the configuration, and the
//! key is gone with which its tokens could be recognised.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{ClientName, Ids, TenantId, Timestamp};
use subtle::{Choice, ConstantTimeEq};

use super::{OAuth, OAuthUser, password::PasswordHash};

/// What a token starts with, so that a leaked one is recognised by secret scanners.
const PREFIX: &str = "gwa_";
const END: usize = 8;
const RANDOM: usize = 16;
const TAG: usize = 32;

/// Makes the keys that tokens are signed with.
#[derive(Debug)]
pub(crate) struct Signer(hmac::Key);

impl Signer {
    /// With a key that is the same after a restart and on every replica.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A key for each way in which a client may have got a token.
    pub fn credentials(&self, tenant: &TenantId, client: &ClientName, oauth: Option<&OAuth>) -> Credentials {
        let Some(oauth) = oauth else { return Credentials(Vec::new()) };
        let secrets = || oauth.secrets.iter().map(Some).chain(oauth.secrets.is_empty().then_some(None));
        let logins = oauth
            .users
            .iter()
            .flat_map(|user| user.passwords.iter().map(move |password| (user, password)))
            .flat_map(|login| secrets().map(move |secret| (secret, Some(login))));
        let machine = oauth.secrets.iter().map(|secret| (Some(secret), None));
        let key = |(secret, login)| self.key(tenant, client, &oauth.client_id, secret, login);
        Credentials(machine.chain(logins).map(key).collect())
    }

    /// Makes a token for who was let in by this secret, and by this password where a user logged in.
    pub fn issue(
        &self,
        (tenant, client): (&TenantId, &ClientName),
        client_id: &str,
        secret: Option<&PasswordHash>,
        login: Option<(&OAuthUser, &PasswordHash)>,
        end: Timestamp,
        ids: &Ids,
    ) -> String {
        let mut bytes = Vec::with_capacity(END + RANDOM + TAG);
        bytes.extend(end.as_second().to_be_bytes());
        bytes.extend(&ids.token()[..RANDOM]);
        let tag = hmac::sign(&self.key(tenant, client, client_id, secret, login), &bytes);
        bytes.extend(tag.as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn key(
        &self,
        tenant: &TenantId,
        client: &ClientName,
        client_id: &str,
        secret: Option<&PasswordHash>,
        login: Option<(&OAuthUser, &PasswordHash)>,
    ) -> hmac::Key {
        let mut context = hmac::Context::with_key(&self.0);
        let (user, password) = login.map_or(("", ""), |(user, hash)| (&user.username, hash.as_str()));
        let secret = secret.map_or("", PasswordHash::as_str);
        // Each part behind its length, so that no two read alike.
        for part in [tenant.as_str(), client.as_str(), client_id, secret, user, password] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref())
    }
}

/// The keys of a client's tokens.
#[derive(Debug)]
pub(crate) struct Credentials(Vec<hmac::Key>);

impl Credentials {
    /// Whether the token is one of this client. Looks at all keys, whichever it is.
    pub fn made(&self, token: &AccessToken) -> Choice {
        self.0.iter().fold(Choice::from(0), |made, key| {
            let tag = hmac::sign(key, token.signed());
            made | tag.as_ref().ct_eq(token.tag())
        })
    }
}

/// A text that has the form of an access token.
pub(crate) struct AccessToken([u8; END + RANDOM + TAG]);

impl AccessToken {
    /// Reads the form; whose it is, only [`Credentials::made`] knows.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Whether its time is over.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let mut end = [0; END];
        end.copy_from_slice(&self.0[..END]);
        now.as_second() >= i64::from_be_bytes(end)
    }

    fn signed(&self) -> &[u8] {
        &self.0[..END + RANDOM]
    }

    fn tag(&self) -> &[u8] {
        &self.0[END + RANDOM..]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Hashes that are as good as real ones here, without their cost.
    fn hash(text: &str) -> PasswordHash {
        let salt = URL_SAFE_NO_PAD.encode(format!("{text:0<8}")).replace(['-', '_'], "a");
        let whole =
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
        whole.parse().unwrap()
    }

    fn oauth(secrets: &[&str], passwords: &[&str]) -> OAuth {
        let hashes = |texts: &[&str]| texts.iter().map(|text| hash(text)).collect();
        let user = OAuthUser { username: "helloid@acme.example".into(), passwords: hashes(passwords) };
        OAuth {
            client_id: "3MVG9".into(),
            secrets: hashes(secrets),
            users: vec![user],
            token_life: Duration::from_hours(2),
        }
    }

    fn end() -> Timestamp {
        "2026-01-01T02:00:00Z".parse().unwrap()
    }

    fn issue(
        signer: &Signer,
        client: &str,
        oauth: &OAuth,
        secret: Option<usize>,
        password: Option<usize>,
    ) -> String {
        let login = password.map(|at| (&oauth.users[0], &oauth.users[0].passwords[at]));
        let whose = (&"acme/prod".parse().unwrap(), &client.parse().unwrap());
        signer.issue(
            whose,
            &oauth.client_id,
            secret.map(|at| &oauth.secrets[at]),
            login,
            end(),
            &Ids::seeded(1),
        )
    }

    fn known(signer: &Signer, tenant: &str, client: &str, oauth: &OAuth, token: &str) -> bool {
        let credentials = signer.credentials(&tenant.parse().unwrap(), &client.parse().unwrap(), Some(oauth));
        credentials.made(&AccessToken::read(token).unwrap()).into()
    }

    #[test]
    fn a_token_is_known_at_its_own_tenant_and_client_and_by_no_other_key() {
        let (signer, oauth) = (Signer::new(&[1; 32]), oauth(&["s1", "s2"], &["p1", "p2"]));
        for (secret, password) in [(Some(0), None), (Some(1), None), (Some(0), Some(1)), (Some(1), Some(0))] {
            let token = issue(&signer, "helloid", &oauth, secret, password);
            assert!(known(&signer, "acme/prod", "helloid", &oauth, &token));
            assert!(!known(&signer, "acme/test", "helloid", &oauth, &token));
            assert!(!known(&signer, "acme/prod", "other", &oauth, &token));
            assert!(!known(&Signer::new(&[2; 32]), "acme/prod", "helloid", &oauth, &token));
        }
    }

    #[test]
    fn a_token_is_gone_with_the_secret_or_the_password_that_it_was_got_with() {
        let signer = Signer::new(&[1; 32]);
        let before = oauth(&["s1", "s2"], &["p1", "p2"]);
        let token = issue(&signer, "helloid", &before, Some(0), Some(0));
        assert!(known(&signer, "acme/prod", "helloid", &oauth(&["s1"], &["p1"]), &token));
        for (secrets, passwords) in
            [(&["s2"][..], &["p1"][..]), (&["s1"], &["p2"]), (&["s1"], &[]), (&[], &["p1"])]
        {
            assert!(!known(&signer, "acme/prod", "helloid", &oauth(secrets, passwords), &token));
        }
        let mut renamed = before.clone();
        renamed.users[0].username = "other@acme.example".into();
        assert!(!known(&signer, "acme/prod", "helloid", &renamed, &token));
        renamed = before;
        renamed.client_id = "3MVG8".into();
        assert!(!known(&signer, "acme/prod", "helloid", &renamed, &token));
    }

    #[test]
    fn without_a_secret_a_password_alone_makes_a_token() {
        let (signer, oauth) = (Signer::new(&[1; 32]), oauth(&[], &["p1"]));
        let token = issue(&signer, "helloid", &oauth, None, Some(0));
        assert!(known(&signer, "acme/prod", "helloid", &oauth, &token));
        let nobody = issue(&signer, "helloid", &oauth, None, None);
        assert!(
            !known(&signer, "acme/prod", "helloid", &oauth, &nobody),
            "a client without a secret is nobody"
        );
    }

    #[test]
    fn a_token_ends_at_its_second() {
        let token = issue(&Signer::new(&[1; 32]), "helloid", &oauth(&["s"], &[]), Some(0), None);
        let token = AccessToken::read(&token).unwrap();
        assert!(!token.has_ended(end() - Duration::from_secs(1)));
        assert!(token.has_ended(end()));
    }

    proptest! {
        #[test]
        fn no_changed_token_is_known(place in 0_usize..56, bit in 0_u8..8) {
            let (signer, oauth) = (Signer::new(&[1; 32]), oauth(&["s"], &["p"]));
            let token = issue(&signer, "helloid", &oauth, Some(0), Some(0));
            let mut bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
            bytes[place] ^= 1 << bit;
            let changed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
            prop_assert!(!known(&signer, "acme/prod", "helloid", &oauth, &changed));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "(gwa_)?[A-Za-z0-9_-]{0,90}") {
            let _ = AccessToken::read(&text);
        }
    }
}
