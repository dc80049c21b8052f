//! Secrets stand in the environment or in a file, never in the configuration.

use std::{env, fmt, fs, path::Path, path::PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// Where a secret is found: `{ env = "NAME" }` or `{ file = "path" }`. Space around it is cut off.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Secret {
    /// The name of the environment variable that holds it.
    Env(String),
    /// The path of the file that holds it.
    File(PathBuf),
}

impl Secret {
    /// Reads the secret. Relative paths start at `directory`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing; never the secret.
    pub fn read(&self, directory: &Path) -> Result<SecretString, String> {
        let (text, place) = match self {
            Self::Env(name) => (
                env::var(name).map_err(|error| match error {
                    env::VarError::NotPresent => format!("the environment variable {name} is not set"),
                    env::VarError::NotUnicode(_) => format!("the environment variable {name} is not UTF-8"),
                })?,
                format!("the environment variable {name}"),
            ),
            Self::File(path) => {
                let path = directory.join(path);
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("the secret file {} cannot be read: {error}", path.display()))?;
                (text, format!("the secret file {}", path.display()))
            }
        };
        let secret = text.trim();
        if secret.is_empty() { Err(format!("{place} is empty")) } else { Ok(SecretString::from(secret)) }
    }
}

/// What someone who wrote the secret itself is told. The secret is not repeated.
const INLINE: &str = "a secret does not stand in the configuration: write { env = \"NAME\" } for an environment \
                      variable or { file = \"path\" } for a file";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ env = \"NAME\" } or { file = \"path\" }")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
        Err(E::custom(INLINE))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Secret, M::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let secret = match key.as_str() {
                "env" => Secret::Env(map.next_value()?),
                "file" => Secret::File(map.next_value()?),
                other => return Err(de::Error::unknown_field(other, &["env", "file"])),
            };
            if found.replace(secret).is_some() {
                return Err(de::Error::custom("a secret has one place: either `env` or `file`"));
            }
        }
        found.ok_or_else(|| de::Error::custom("a secret needs a place: `env` or `file`"))
    }
}

/// Reads a list of hashes; for serde's `deserialize_with`. Somebody may have written the secret in its place, so what is
/// no list is refused without being repeated.
pub(super) fn hashes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(HashesVisitor)
}

/// What someone who wrote one text is told.
const NO_LIST: &str = "hashes stand in a list, such as [\"…\"]";

struct HashesVisitor;

impl<'de> Visitor<'de> for HashesVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of hashes")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Vec<String>, E> {
        Err(E::custom(NO_LIST))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Vec<String>, E> {
        Err(E::custom(NO_LIST))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut hashes = Vec::new();
        while let Some(hash) = list.next_element()? {
            hashes.push(hash);
        }
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[derive(Debug, Deserialize)]
    struct One {
        secret: Secret,
    }

    fn parse(text: &str) -> Result<Secret, String> {
        toml::from_str::<One>(text).map(|one| one.secret).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_secret_has_exactly_one_place() {
        assert_eq!(parse("secret = { env = 'X' }").unwrap(), Secret::Env("X".into()));
        assert_eq!(parse("secret = { file = '/run/x' }").unwrap(), Secret::File("/run/x".into()));
        assert!(parse("secret = { env = 'X', file = 'y' }").unwrap_err().contains("one place"));
        assert!(parse("secret = {}").unwrap_err().contains("needs a place"));
        assert!(parse("secret = { vault = 'x' }").unwrap_err().contains("vault"));
    }

    #[test]
    fn a_secret_written_out_is_refused_without_being_repeated() {
        let error = parse("secret = 'hunter2'").unwrap_err();
        assert!(error.contains("{ env = \"NAME\" }"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_secret_file_is_read_without_the_space_around_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("token"), "abc\n").unwrap();
        fs::write(directory.path().join("empty"), " \n").unwrap();
        let read = |name: &str| Secret::File(name.into()).read(directory.path());
        assert_eq!(read("token").unwrap().expose_secret(), "abc");
        assert!(read("empty").unwrap_err().contains("is empty"));
        assert!(read("none").unwrap_err().contains("cannot be read"));
        let missing = Secret::Env("GANGWAY_TEST_NOT_SET".into()).read(directory.path());
        assert!(missing.unwrap_err().contains("GANGWAY_TEST_NOT_SET is not set"));
    }
}
