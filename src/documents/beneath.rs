//! Opening files beneath a root: a path below it in, an open regular file out, and never anything that a link leads to.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::Stamp;

/// The kernel gives up on a path while something above it is being renamed; so often we ask again.
const RENAME_TRIES: usize = 8;

/// Opens a regular file by its path below a root, for reading. No component may be a link, `.` or `..`, so what is opened lies
/// beneath the root whatever happens to its folders meanwhile. The root itself may be a link: it is the owner's.
pub fn open_beneath(root: &Path, path: &str) -> io::Result<File> {
    let root = open_root(root)?;
    // Non-blocking: a FIFO put in the file's place must not hold us up before we see what it is.
    let file = open_at(&root, path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Opens a collection's root folder.
pub(super) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a folder directly below an open one.
pub(super) fn open_folder(parent: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    open_at(parent, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// What stands directly below an open folder under this name; of a link, the link itself.
pub(super) fn look_at(parent: impl AsFd, name: &str) -> io::Result<Stat> {
    Ok(rustix::fs::statat(parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Opens what stands at a relative path below an open folder, following no link.
pub(super) fn open_at(folder: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    if path.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below the root"));
    }
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..RENAME_TRIES {
        match rustix::fs::openat2(folder.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => continue,
            // An old kernel, or a filter that has not heard of the call.
            Err(Errno::NOSYS | Errno::PERM) => return by_component(folder, path, flags),
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

fn by_component(folder: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let (folders, last) = path.rsplit_once('/').map_or(("", path), |(folders, last)| (folders, last));
    let mut inner = rustix::io::dup(folder)?;
    for name in folders.split('/').filter(|name| !name.is_empty()) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        inner = rustix::fs::openat(&inner, name, flags, Mode::empty())?;
    }
    Ok(rustix::fs::openat(&inner, last, flags, Mode::empty())?)
}

impl Stamp {
    /// What an open file looks like now.
    pub fn of(file: &File) -> io::Result<Stamp> {
        Ok(Stamp::from_stat(&rustix::fs::fstat(file)?))
    }

    pub(super) fn from_stat(stat: &Stat) -> Stamp {
        let modified_ns = i128::from(stat.st_mtime) * 1_000_000_000 + stat.st_mtime_nsec as i128;
        Stamp { size: stat.st_size as u64, modified_ns, inode: stat.st_ino }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("root/a/b")).unwrap();
        std::fs::write(dir.path().join("root/a/b/letter.txt"), "Dear all").unwrap();
        std::fs::write(dir.path().join("secret.txt"), "not yours").unwrap();
        symlink("../secret.txt", dir.path().join("root/out.txt")).unwrap();
        symlink("a", dir.path().join("root/inner")).unwrap();
        symlink("../..", dir.path().join("root/a/up")).unwrap();
        dir
    }

    #[test]
    fn a_file_below_the_root_opens_and_nothing_else_does() {
        let dir = folder();
        let root = dir.path().join("root");
        assert_eq!(Stamp::of(&open_beneath(&root, "a/b/letter.txt").unwrap()).unwrap().size, 8);
        for path in [
            "out.txt",
            "inner/b/letter.txt",
            "a/up/secret.txt",
            "../secret.txt",
            "a/../a/b/letter.txt",
            "/etc/passwd",
            "",
            "a",
            "a/",
            "a//b/letter.txt",
            "./a/b/letter.txt",
            "a/b/letter.txt/",
            "a/b/letter.txt\0",
        ] {
            assert!(open_beneath(&root, path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn without_openat2_the_same_holds() {
        let dir = folder();
        let root = open_root(&dir.path().join("root")).unwrap();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        assert!(by_component(&root, "a/b/letter.txt", flags).is_ok());
        for path in ["out.txt", "inner/b/letter.txt", "a/up/secret.txt"] {
            assert!(by_component(&root, path, flags).is_err(), "{path:?}");
        }
    }
}
