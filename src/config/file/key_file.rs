//! The file of a private key: made so that only its owner can read it, refused where others can.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::atomic::{create_new, create_private_dir, write_atomically};
use crate::key::{KeyError, PrivateKey};

/// More than any key file has: a key, and a line end.
const KEY_FILE_BYTES: u64 = 1024;

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
        source: KeyError,
    },
}

/// Reads the server's private key: the one that the service manager hands over (`LoadCredential=server.key:…`), or else the configured file.
pub fn read_server_key(configured: &Path) -> Result<PrivateKey, KeyFileError> {
    let handed_over = env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join("server.key"));
    match handed_over.filter(|file| file.is_file()) {
        // Reading is granted to the service's user by an ACL, whose mask shows in the group's bits.
        Some(file) => read_private(&file, 0o007),
        None => read_key_file(configured),
    }
}

/// Reads a private key that nobody but its owner can read.
pub fn read_key_file(path: &Path) -> Result<PrivateKey, KeyFileError> {
    read_private(path, 0o077)
}

fn read_private(path: &Path, refused_bits: u32) -> Result<PrivateKey, KeyFileError> {
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
    text.parse().map_err(|source| KeyFileError::Malformed { path: path.to_owned(), source })
}

/// Writes a new private key, and its folder where there is none; fails with `AlreadyExists` where there is a file.
pub fn create_key_file(path: &Path, key: &PrivateKey) -> Result<(), KeyFileError> {
    write_key(path, key, create_new)
}

/// Puts another private key in the place of the one in this file, or where it was.
pub fn replace_key_file(path: &Path, key: &PrivateKey) -> Result<(), KeyFileError> {
    write_key(path, key, write_atomically)
}

fn write_key(
    path: &Path,
    key: &PrivateKey,
    write: impl FnOnce(&Path, &[u8], u32) -> io::Result<()>,
) -> Result<(), KeyFileError> {
    let mut text = key.to_base64();
    text.push('\n');
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
        assert_eq!(read_key_file(&path).unwrap().public(), key.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(matches!(create_key_file(&path, &key), Err(KeyFileError::Io { .. })));
        let next = PrivateKey::from_entropy([6; 32]);
        replace_key_file(&path, &next).unwrap();
        assert_eq!(read_key_file(&path).unwrap().public(), next.public());
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
