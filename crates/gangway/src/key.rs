//! The master key: from the environment, or from a file that is not where the data is.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;
use store::{
    MasterKey, StoreError,
    sqlite::{SqliteStore, SqliteVault},
};

use crate::config::{StoreSettings, hex};

/// The environment variable that goes before every file.
pub const ENVIRONMENT: &str = "GANGWAY_KEY";

/// The key of one gateway. Cannot be printed; wiped when dropped.
pub struct Key(Zeroizing<[u8; 32]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// What was found is not a key.
    #[error("{place} does not hold a key: 32 bytes in base64 or as 64 hexadecimal digits")]
    Malformed {
        /// Where it was looked for.
        place: String,
    },
    /// A key beside the data protects nothing.
    #[error(
        "the key file {} stands where the database is ({}); whoever copies the data must not get the key with it: name \
         another place in [store] key-file, or set {ENVIRONMENT}",
        file.display(), directory.display()
    )]
    BesideTheData {
        /// The key file.
        file: PathBuf,
        /// The directory of the database.
        directory: PathBuf,
    },
    /// The file can be read by others.
    #[error("the key file {} can be read by others (mode {mode:o}): chmod 600 it", file.display())]
    ReadableByOthers {
        /// The key file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is encrypted data, but not its key. A new key could not read it.
    #[error(
        "the key file {} is not there, but the store holds data that was encrypted with it; bring the file back or set \
         {ENVIRONMENT} (a new key is made for an empty store only)",
        file.display()
    )]
    Lost {
        /// The key file.
        file: PathBuf,
    },
    /// The store cannot be opened with it.
    #[error(transparent)]
    Store(StoreError),
    /// There is no home to keep it in.
    #[error("there is no place for the key: set {ENVIRONMENT}, or name a file in [store] key-file")]
    NoPlace,
    /// The file system said no.
    #[error("the key file {} cannot be {what}: {source}", file.display())]
    Io {
        /// `read` or `made`.
        what: &'static str,
        /// The key file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Key {
    fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What the vault is encrypted with.
    #[must_use]
    pub fn master(&self) -> MasterKey {
        MasterKey::new(*self.0)
    }

    /// What paging cursors are authenticated with: the same after a restart, and no hint at the master key.
    #[must_use]
    pub fn cursors(&self) -> [u8; 32] {
        self.derived(b"gangway: cursors")
    }

    /// What access tokens of the token endpoint are signed with: the same after a restart.
    #[must_use]
    pub fn access_tokens(&self) -> [u8; 32] {
        self.derived(b"gangway: access tokens")
    }

    /// What access tokens of the event doors are signed with: the same after a restart.
    #[must_use]
    pub fn event_tokens(&self) -> [u8; 32] {
        self.derived(b"gangway: access tokens of event sources")
    }

    /// A key for one purpose, which says nothing of the master key or of any other.
    fn derived(&self, purpose: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0[..]), purpose);
        let mut key = [0; 32];
        key.copy_from_slice(tag.as_ref());
        key
    }
}

/// Opens the store with its key. At the first start both are made.
///
/// A new key is kept only once the store has taken it, which it does while it holds nothing encrypted: losing the key
/// file can thus never end in a second key that reads nothing.
pub fn open_store(settings: &StoreSettings) -> Result<(SqliteStore, Key), KeyError> {
    loop {
        let (key, unsaved) = find(settings)?;
        let opened = SqliteStore::open(&settings.database, key.master());
        match (opened, unsaved) {
            (Err(StoreError::Sealed), Some(file)) => return Err(KeyError::Lost { file }),
            (Err(error), _) => return Err(KeyError::Store(error)),
            (Ok(store), None) => return Ok((store, key)),
            (Ok(store), Some(file)) => {
                if save(&key, &file)? {
                    return Ok((store, key));
                }
                // Another gateway of this user has made a key in the meantime: that one is everyone's.
            }
        }
    }
}

/// Opens the secrets of a store that a gateway has open.
pub fn open_beside(settings: &StoreSettings) -> Result<SqliteVault, KeyError> {
    let (key, unsaved) = find(settings)?;
    match unsaved {
        Some(file) => Err(KeyError::Lost { file }),
        None => SqliteVault::open(&settings.database, key.master()).map_err(KeyError::Store),
    }
}

/// The key, and where to save it if it is new.
fn find(store: &StoreSettings) -> Result<(Key, Option<PathBuf>), KeyError> {
    if let Some(text) = env::var_os(ENVIRONMENT) {
        let text = Zeroizing::new(text.to_string_lossy().into_owned());
        let place = format!("the environment variable {ENVIRONMENT}");
        return parse(&text).map(|key| (key, None)).ok_or(KeyError::Malformed { place });
    }
    let file = match &store.key_file {
        Some(file) => file.clone(),
        None => default_file().ok_or(KeyError::NoPlace)?,
    };
    keep_apart(&file, &store.database, store.key_file.is_some())?;
    Ok(match read(&file)? {
        Some(key) => (key, None),
        None => (Key::new(rand::random()), Some(file)),
    })
}

/// `gangway/master.key` in `$XDG_CONFIG_HOME` or `~/.config`.
fn default_file() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("gangway").join("master.key"))
}

/// Refuses a key in the directory of the database, or below it where somebody chose that place. The default place may be
/// below: a first try in a home directory should work.
fn keep_apart(file: &Path, database: &Path, chosen: bool) -> Result<(), KeyError> {
    let real = |path: Option<&Path>| {
        let path = path.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().unwrap_or_else(|_| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    };
    let (directory, place) = (real(database.parent()), real(file.parent()));
    if place == directory || (chosen && place.starts_with(&directory)) {
        return Err(KeyError::BesideTheData { file: file.to_owned(), directory });
    }
    Ok(())
}

fn read(file: &Path) -> Result<Option<Key>, KeyError> {
    use std::os::unix::fs::PermissionsExt;

    let fail = |source| KeyError::Io { what: "read", file: file.to_owned(), source };
    let text = match fs::read(file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mode = fs::metadata(file).map_err(fail)?.permissions().mode() & 0o777;
    // A group may read it where an operator set that up (a container's secret mount); the world may not.
    if mode & 0o007 != 0 {
        return Err(KeyError::ReadableByOthers { file: file.to_owned(), mode });
    }
    let key = std::str::from_utf8(&text).ok().and_then(parse);
    key.map(Some).ok_or_else(|| KeyError::Malformed { place: format!("the key file {}", file.display()) })
}

/// Makes a key file that is whole or not there. Answers false if one is there already.
fn save(key: &Key, file: &Path) -> Result<bool, KeyError> {
    let fail = |source| KeyError::Io { what: "made", file: file.to_owned(), source };
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(fail)?;
    let draft = directory.join(format!(".master.key.{}.{:08x}", std::process::id(), rand::random::<u32>()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut out| {
            out.write_all(Zeroizing::new(STANDARD.encode(&key.0[..])).as_bytes())?;
            out.write_all(b"\n")?;
            out.sync_all()
        });
    // A link, not a rename: it does not replace what somebody else has just made.
    let linked = written.and_then(|()| fs::hard_link(&draft, file));
    let _ = fs::remove_file(&draft);
    match linked {
        Ok(()) => {
            fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail)?;
            tracing::info!(file = %file.display(), "made a new master key: keep a copy of this file, apart from the data");
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(fail(error)),
    }
}

fn parse(text: &str) -> Option<Key> {
    let text = text.trim();
    if let Some(bytes) = hex(text) {
        return Some(Key::new(bytes));
    }
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    Some(Key::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use store::Vault;

    use super::*;

    fn settings(data: &Path, key_file: &Path) -> StoreSettings {
        StoreSettings { database: data.join("gangway.db"), key_file: Some(key_file.to_owned()) }
    }

    #[test]
    fn a_key_is_made_once_and_only_for_its_owner() {
        let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = keys.path().join("gangway/key");
        let settings = settings(data.path(), &file);
        let made = open_store(&settings).map(|(_, key)| *key.0).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let found = open_store(&settings).map(|(_, key)| *key.0).unwrap();
        assert_eq!(made, found);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
    }

    #[tokio::test]
    async fn no_new_key_is_made_for_data_that_has_one() {
        let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = keys.path().join("key");
        let settings = settings(data.path(), &file);
        let (store, _) = open_store(&settings).unwrap();
        store.replace_secret("org/acme", "grant", 0, &"5Aep861".into()).await.unwrap();
        store.close().await;
        drop(store);
        fs::remove_file(&file).unwrap();
        assert!(matches!(open_store(&settings), Err(KeyError::Lost { .. })));
        assert!(matches!(open_beside(&settings), Err(KeyError::Lost { .. })));
        assert!(!file.exists());
    }

    #[test]
    fn a_lost_key_of_an_empty_store_is_made_anew() {
        let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = keys.path().join("key");
        let settings = settings(data.path(), &file);
        open_store(&settings).unwrap();
        fs::remove_file(&file).unwrap();
        open_store(&settings).unwrap();
        assert!(file.exists());
    }

    #[test]
    fn the_first_of_two_keys_is_everyones() {
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("key");
        assert!(save(&Key::new([1; 32]), &file).unwrap());
        assert!(!save(&Key::new([2; 32]), &file).unwrap());
        assert_eq!(*read(&file).unwrap().unwrap().0, [1; 32]);
    }

    #[test]
    fn a_key_beside_the_data_is_refused() {
        let data = tempfile::tempdir().unwrap();
        for place in ["key", "below/key"] {
            let refused = open_store(&settings(data.path(), &data.path().join(place)));
            assert!(matches!(refused, Err(KeyError::BesideTheData { .. })), "{place}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("key");
        fs::write(&file, "0".repeat(64)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read(&file), Err(KeyError::ReadableByOthers { mode: 0o644, .. })));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read(&file).unwrap().is_some());
        fs::write(&file, "too short").unwrap();
        assert!(matches!(read(&file), Err(KeyError::Malformed { .. })));
        assert!(read(&keys.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn a_key_is_written_in_base64_or_hex() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let hex = "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f".to_owned();
        for text in [hex.clone(), format!(" {}\n", STANDARD.encode(bytes))] {
            assert_eq!(*parse(&text).unwrap().0, bytes);
        }
        for text in ["", "abc", &hex[..62], "!"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn cursors_and_access_tokens_have_keys_of_their_own() {
        let key = Key::new([7; 32]);
        assert_eq!(key.cursors(), Key::new([7; 32]).cursors());
        assert_eq!(key.access_tokens(), Key::new([7; 32]).access_tokens());
        assert_ne!(key.cursors(), [7; 32]);
        assert_ne!(key.access_tokens(), [7; 32]);
        assert_ne!(key.access_tokens(), key.cursors());
        assert_ne!(key.event_tokens(), key.access_tokens());
    }
}
