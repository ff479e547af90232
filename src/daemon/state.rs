//! The state folder: made private, locked by whoever writes it, refused when it belongs to somebody else.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, Uid, chown, geteuid};

use crate::limits::{STATE_LOCK_STEP, STATE_LOCK_WAIT};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It could not be made, opened or changed.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It belongs to another user.
    #[error(
        "{path} belongs to user {owner}, not to user {user}: run adit as its owner, or choose another state_dir; \
         adit does not write into other people's folders"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// A daemon, or another command, holds it.
    #[error("{0} is in use by another adit; stop that one first (`adit stop`)")]
    Locked(PathBuf),
}

/// The state folder, held for as long as this value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl StateDir {
    /// Makes the folder where it is missing (0700) and takes its lock. Root may enter anybody's: what it writes there is given to the
    /// folder's owner (see [`StateDir::hand_over`]).
    pub fn open(path: &Path) -> Result<StateDir, StateError> {
        let io = |source| StateError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let metadata = fs::metadata(path).map_err(io)?;
        let user = geteuid();
        if !user.is_root() && metadata.uid() != user.as_raw() {
            return Err(StateError::Foreign { path: path.to_owned(), owner: metadata.uid(), user: user.as_raw() });
        }
        if metadata.mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        let lock_path = path.join("lock");
        let io = |source| StateError::Io { path: lock_path.clone(), source };
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).to_owned();
        let file = options.open(&lock_path).map_err(io)?;
        if user.is_root() {
            give(&lock_path, metadata.uid(), metadata.gid()).map_err(io)?;
        }
        let lock = lock_soon(file).map_err(|errno| match errno {
            Errno::EWOULDBLOCK => StateError::Locked(path.to_owned()),
            other => StateError::Io { path: lock_path.clone(), source: other.into() },
        })?;
        Ok(StateDir { path: path.to_owned(), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As root, before becoming `user`: gives the folder and all in it to that user. Refused when it is a third user's.
    pub fn hand_over(&self, user: Uid, group: Gid) -> Result<(), StateError> {
        let io = |source| StateError::Io { path: self.path.clone(), source };
        let owner = fs::metadata(&self.path).map_err(io)?.uid();
        if owner != 0 && owner != user.as_raw() {
            return Err(StateError::Foreign { path: self.path.clone(), owner, user: user.as_raw() });
        }
        give_tree(&self.path, user.as_raw(), group.as_raw()).map_err(io)
    }
}

/// Takes the lock, or waits a little for it: a command without a daemon holds it for a moment.
fn lock_soon(mut file: File) -> Result<Flock<File>, Errno> {
    let began = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((again, Errno::EWOULDBLOCK)) if began.elapsed() < STATE_LOCK_WAIT => file = again,
            Err((_, errno)) => return Err(errno),
        }
        std::thread::sleep(STATE_LOCK_STEP);
    }
}

/// Levels of folders below the state folder: index, collection, segment files.
const STATE_DEPTH: usize = 8;

fn give_tree(root: &Path, user: u32, group: u32) -> io::Result<()> {
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        give(&folder, user, group)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true if depth < STATE_DEPTH => folders.push((entry.path(), depth + 1)),
                true => {}
                false => give(&entry.path(), user, group)?,
            }
        }
    }
    Ok(())
}

/// Changes an owner without following a link: the folder was private all along, but a link in it is nobody's to give.
fn give(path: &Path, user: u32, group: u32) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() || (metadata.uid() == user && metadata.gid() == group) {
        return Ok(());
    }
    Ok(chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_private_and_held_by_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/state");
        let held = StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(matches!(StateDir::open(&path), Err(StateError::Locked(_))));
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || StateDir::open(&path).map(drop)
        });
        std::thread::sleep(STATE_LOCK_STEP);
        drop(held);
        waiting.join().unwrap().expect("who holds it for a moment is waited for");
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_left_open_to_others_is_closed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }
}
