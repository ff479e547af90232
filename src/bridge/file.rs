//! `FILE.conf`: a path in, the device's configuration out, refused where others could have read the private key in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::wireguard::{DeviceConfig, ParseError};
use crate::limits::DEVICE_FILE_BYTES;

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// Others than its owner can read it.
    #[error("{}: others can read the private key in this file; run: chmod 600 {}", .0.display(), quoted(.0))]
    Exposed(PathBuf),
    /// It is not a device's configuration.
    #[error("{}: {error}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        error: ParseError,
    },
    /// The device and its server have no inner addresses of one family.
    #[error("{}: Address and AllowedIPs have no address family in common", .0.display())]
    NoCommonFamily(PathBuf),
}

/// Reads and checks a device's configuration.
pub(super) fn read(path: &Path) -> Result<DeviceConfig, FileError> {
    let unreadable = |error| FileError::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let is_exposed = is_exposed(&file).map_err(unreadable)?;
    // Room for everything at once: a string that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(DEVICE_FILE_BYTES));
    file.take(DEVICE_FILE_BYTES as u64).read_to_string(&mut text).map_err(unreadable)?;
    let config: DeviceConfig = text.parse().map_err(|error| FileError::Malformed { path: path.to_owned(), error })?;
    // Only now: nobody is told to close a file that holds no key.
    if is_exposed {
        return Err(FileError::Exposed(path.to_owned()));
    }
    match server_address(&config) {
        Some(_) => Ok(config),
        None => Err(FileError::NoCommonFamily(path.to_owned())),
    }
}

/// The server's inner address that this device can reach.
pub(super) fn server_address(config: &DeviceConfig) -> Option<std::net::IpAddr> {
    let reachable = |server: &&std::net::IpAddr| config.addresses.iter().any(|own| own.is_ipv4() == server.is_ipv4());
    config.server_addresses.iter().find(reachable).copied()
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(file.metadata()?.mode() & 0o077 != 0)
}

/// Elsewhere files of a person's own folders are closed to others unless they were opened on purpose.
#[cfg(not(unix))]
fn is_exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// A path to paste into a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%:,".contains(&byte);
    match text.bytes().all(plain) && !text.starts_with('-') {
        true => text.into_owned(),
        false => format!("-- '{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_pasted() {
        for (path, expected) in
            [("a/b.conf", "a/b.conf"), ("my phone.conf", "-- 'my phone.conf'"), ("a'b", r"-- 'a'\''b'")]
        {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_to_type() {
        use std::os::unix::fs::PermissionsExt as _;
        let key = "QGqjFqHUyjLUGFbxGSKXkPBJyYkWNBYnfFsRTk7rVVE=";
        let text = format!(
            "[Interface]\nPrivateKey = {key}\nAddress = 10.94.7.2/32\n\n[Peer]\nPublicKey = {key}\n\
             AllowedIPs = 10.94.7.1/32\nEndpoint = home.example.org:51820\n"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
            std::fs::write(file.path(), &text).unwrap();
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            match read(file.path()) {
                Ok(_) => assert!(!refused, "{mode:o}"),
                Err(error) => assert!(refused && error.to_string().contains("chmod 600"), "{mode:o}: {error}"),
            }
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_is_told_to_close_a_file_that_holds_no_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read(file.path()), Err(FileError::Malformed { .. })));
    }
}
