//! The file of the server's private key: made so that only its owner can read it, refused where others can.
//!
//! Its first line is the key, as `wg genkey` writes it. A second one is there while devices are told of a new key: the former key, and until
//! when it is answered too (`KEY until 2026-11-29T12:00:00Z`). Both change at once, and a service manager hands over one file.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::atomic::{create_new, create_private_dir, write_atomically};
use crate::key::{KeyError, PrivateKey};

/// More than any key file has: two keys, a time, and line ends.
const KEY_FILE_BYTES: u64 = 1024;

/// Between the former key and its time.
const UNTIL: &str = " until ";

/// The server's private keys.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    /// The one that devices know, or are told of.
    pub key: PrivateKey,
    /// The one they knew before, if there is a time for which it is answered too.
    pub former: Option<FormerKey>,
}

/// A key that the server had before.
#[derive(Debug, Clone)]
pub struct FormerKey {
    /// The key.
    pub key: PrivateKey,
    /// When it ends.
    pub until: Timestamp,
}

impl From<PrivateKey> for ServerKeys {
    fn from(key: PrivateKey) -> Self {
        ServerKeys { key, former: None }
    }
}

impl ServerKeys {
    fn parse(text: &str) -> Result<ServerKeys, Malformed> {
        let (key, former) = text.split_once('\n').unwrap_or((text, ""));
        let key = key.parse()?;
        let former = Some(former.trim()).filter(|line| !line.is_empty());
        Ok(ServerKeys { key, former: former.map(FormerKey::parse).transpose()? })
    }

    fn render(&self) -> Zeroizing<String> {
        // Room for everything at once: a string that grows leaves copies of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES as usize));
        text.push_str(&self.key.to_base64());
        text.push('\n');
        if let Some(FormerKey { key, until }) = &self.former {
            text.push_str(&key.to_base64());
            text.push_str(UNTIL);
            text.push_str(&format!("{until}\n"));
        }
        text
    }
}

impl FormerKey {
    fn parse(line: &str) -> Result<FormerKey, Malformed> {
        let (key, until) = line.split_once(UNTIL).ok_or(Malformed::Former)?;
        Ok(FormerKey { key: key.parse()?, until: until.parse().map_err(|_| Malformed::Former)? })
    }
}

/// What is wrong with the text of a key file. Says nothing of the text itself: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It holds no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is a second line, and it is no former key.
    #[error("what follows the key is no former key as `KEY until TIME`: if you do not know it, delete it")]
    Former,
}

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there.
    #[error(
        "the server's private key {0} is not there: restore it from a backup, or make a new one (adit server-key rotate), which \
         every device must then be told"
    )]
    Missing(PathBuf),
    /// It could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner can read or change it.
    #[error("{path}: others can read this private key (its mode is {mode:04o}): chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is in it is no key.
    #[error("{path}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Malformed,
    },
}

/// Reads the server's private keys: those that the service manager hands over (`LoadCredential=server.key:…`), or else the configured file.
pub fn read_server_keys(configured: &Path) -> Result<ServerKeys, KeyFileError> {
    let handed_over = env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join("server.key"));
    match handed_over.filter(|file| file.is_file()) {
        // Reading is granted to the service's user by an ACL, whose mask shows in the group's bits.
        Some(file) => read_private(&file, 0o007),
        None => read_key_file(configured),
    }
}

/// Reads private keys that nobody but their owner can read.
pub fn read_key_file(path: &Path) -> Result<ServerKeys, KeyFileError> {
    read_private(path, 0o077)
}

fn read_private(path: &Path, refused_bits: u32) -> Result<ServerKeys, KeyFileError> {
    let io_error = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        _ => io_error(error),
    })?;
    // Of the open file, not of the name: nothing can be put in its place in between.
    let mode = file.metadata().map_err(io_error)?.mode() & 0o7777;
    if mode & refused_bits != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES as usize));
    file.take(KEY_FILE_BYTES).read_to_string(&mut text).map_err(io_error)?;
    ServerKeys::parse(&text).map_err(|source| KeyFileError::Malformed { path: path.to_owned(), source })
}

/// Writes a new private key, and its folder where there is none; fails with `AlreadyExists` where there is a file.
pub fn create_key_file(path: &Path, key: &PrivateKey) -> Result<(), KeyFileError> {
    write_keys(path, &key.clone().into(), create_new)
}

/// Puts other private keys in the place of those in this file, or where they were.
pub fn replace_key_file(path: &Path, keys: &ServerKeys) -> Result<(), KeyFileError> {
    write_keys(path, keys, write_atomically)
}

fn write_keys(
    path: &Path,
    keys: &ServerKeys,
    write: impl FnOnce(&Path, &[u8], u32) -> io::Result<()>,
) -> Result<(), KeyFileError> {
    let text = keys.render();
    let dir = path.parent().map_or(Ok(()), create_private_dir);
    let written = dir.and_then(|()| write(path, text.as_bytes(), 0o600));
    written.map_err(|source| KeyFileError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/server.key");
        let key = PrivateKey::from_entropy([5; 32]);
        create_key_file(&path, &key).unwrap();
        assert_eq!(read_key_file(&path).unwrap().key.public(), key.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(matches!(create_key_file(&path, &key), Err(KeyFileError::Io { .. })));
        let next = PrivateKey::from_entropy([6; 32]);
        for until in [None, Some("2026-11-29T12:00:00Z"), Some("2026-11-29T12:00:00.000000001Z"), None] {
            let until: Option<Timestamp> = until.map(|time| time.parse().unwrap());
            let former = until.map(|until| FormerKey { key: key.clone(), until });
            replace_key_file(&path, &ServerKeys { key: next.clone(), former }).unwrap();
            let read = read_key_file(&path).unwrap();
            assert_eq!(read.key.public(), next.public());
            assert_eq!(read.former.as_ref().map(|it| it.until), until);
            assert!(read.former.is_none_or(|it| it.key.public() == key.public()));
        }
    }

    #[test]
    fn what_follows_a_key_is_a_former_one_or_refused() {
        let key = PrivateKey::from_entropy([5; 32]).to_base64();
        let parsed = |rest: &str| ServerKeys::parse(&format!("{}{rest}", *key)).map(|keys| keys.former.is_some());
        for (rest, expected) in [
            ("", Ok(false)),
            ("\r\n\n", Ok(false)),
            (&format!("\n{} until 2026-11-29T12:00:00Z", *key), Ok(true)),
            (&format!("\n{}", *key), Err(Malformed::Former)),
            (&format!("\n{} until tomorrow\n", *key), Err(Malformed::Former)),
            ("\nAAAA until 2026-11-29T12:00:00Z\n", Err(Malformed::Key(KeyError::Malformed))),
            (&format!("\n{0} until 2026-11-29T12:00:00Z\n{0}\n", *key), Err(Malformed::Former)),
        ] {
            assert_eq!(parsed(rest), expected, "{rest:?}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        create_key_file(&path, &PrivateKey::from_entropy([5; 32])).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let message = read_key_file(&path).unwrap_err().to_string();
            assert!(message.contains(&format!("chmod 600 {}", path.display())), "{message}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        for bytes in [b"".as_slice(), b"hunter2", &[0xff; 44], &[b'A'; 5000]] {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let message = read_key_file(&path).unwrap_err().to_string();
            assert!(!message.contains("hunter2") && message.contains("server.key"), "{message}");
        }
    }
}
