//! Where the bridges of one key meet: a lock that one of them holds, and its private socket for the others. Everything lies in a folder
//! that only its user can enter, so whoever reaches the socket may use the tunnel.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::getuid;
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream};

use crate::config::wireguard::DeviceConfig;
use crate::limits::BRIDGE_GREETING_BYTES;

/// What the owner says first on an attached connection where the stream stands; otherwise it says why not, and closes.
pub(super) const GREETING: &str = "ok";

/// The places at which the bridges of one key meet.
#[derive(Debug)]
pub(super) struct Meeting {
    lock: PathBuf,
    socket: PathBuf,
}

/// What the owner of the tunnel holds until its process ends, however it ends.
#[derive(Debug)]
pub(super) struct Ownership {
    /// The kernel lets go of the lock when the last descriptor is closed.
    pub(super) lock: File,
    pub(super) listener: UnixListener,
}

/// Why a bridge did not attach.
#[derive(Debug)]
pub(super) enum AttachError {
    /// Nobody answers at the socket: there is no owner, it is just beginning, or it is ending.
    Nobody,
    /// The owner has no stream for us, and says why.
    Told(String),
}

impl Meeting {
    /// The meeting point of a key and its server, in the user's runtime folder, which is made where it is missing.
    pub(super) fn new(config: &DeviceConfig) -> io::Result<Meeting> {
        let folder = runtime_folder()?;
        let name = format!("bridge-{}-{}", config.private_key.public().fingerprint(), config.server_key.fingerprint());
        Ok(Meeting { lock: folder.join(format!("{name}.lock")), socket: folder.join(format!("{name}.sock")) })
    }

    /// Becomes the owner, unless another bridge is. The lock decides, so there is no moment with two owners; the socket of one that
    /// was killed is in nobody's way.
    pub(super) fn own(&self) -> io::Result<Option<Ownership>> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        std::fs::set_permissions(&self.socket, Permissions::from_mode(0o600))?;
        Ok(Some(Ownership { lock, listener }))
    }

    /// Attaches to the owner: a stream to the server's port 80, through its tunnel.
    pub(super) async fn attach(&self) -> Result<UnixStream, AttachError> {
        let mut stream = UnixStream::connect(&self.socket).await.map_err(|_| AttachError::Nobody)?;
        match greeting(&mut stream).await.map_err(|_| AttachError::Nobody)?.as_str() {
            GREETING => Ok(stream),
            reason => Err(AttachError::Told(reason.to_owned())),
        }
    }
}

/// The owner's first line. Byte by byte: what follows it belongs to the server.
async fn greeting(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = Vec::new();
    while line.len() < BRIDGE_GREETING_BYTES {
        match stream.read_u8().await? {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            byte => line.push(byte),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// `$XDG_RUNTIME_DIR/adit`; without that variable a folder of our own among the temporary ones (macOS gives each user a `$TMPDIR`).
fn runtime_folder() -> io::Result<PathBuf> {
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute()) {
        Some(folder) => folder.join("adit"),
        None => std::env::temp_dir().join(format!("adit-{}", getuid())),
    };
    make_private(&folder)?;
    Ok(folder)
}

/// Makes a folder that only we can enter, or makes sure that it is one: among temporary files anyone could have been there first.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = std::fs::symlink_metadata(folder)?;
    let is_ours = metadata.is_dir() && metadata.uid() == getuid().as_raw();
    if is_ours && metadata.mode() & 0o077 != 0 {
        return std::fs::set_permissions(folder, Permissions::from_mode(0o700));
    }
    match is_ours {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} is not a folder of yours", folder.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(folder: &Path) -> Meeting {
        Meeting { lock: folder.join("a.lock"), socket: folder.join("a.sock") }
    }

    #[tokio::test]
    async fn one_owns_and_another_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = meeting(folder.path()).own().unwrap().expect("nobody else is there");
        assert!(meeting(folder.path()).own().unwrap().is_none());
        drop(first);
        // The socket of the first is still there, and dead.
        assert!(matches!(meeting(folder.path()).attach().await, Err(AttachError::Nobody)));
        assert!(meeting(folder.path()).own().unwrap().is_some());
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("adit");
        make_private(&private).unwrap();
        let _owner = meeting(&private).own().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(
            (mode(&private), mode(&private.join("a.sock")), mode(&private.join("a.lock"))),
            (0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn a_folder_that_stands_open_is_closed_and_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (open, link) = (folder.path().join("open"), folder.path().join("link"));
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        make_private(&open).unwrap();
        assert_eq!(std::fs::metadata(&open).unwrap().mode() & 0o777, 0o700);
        std::os::unix::fs::symlink(&open, &link).unwrap();
        assert!(make_private(&link).is_err());
    }
}
