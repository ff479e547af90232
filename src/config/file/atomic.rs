//! Files that are there whole or not at all: written beside, made durable, and moved into place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Replaces a file, or makes it, with these bytes and this mode (as `0o600`). A reader sees the old bytes or the new ones, also
/// after a power cut. The owner stays who owned the file, or else who owns its folder.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = folder_of(path);
    let temporary = dir.join(temporary_name(path)?);
    let result = write_new(&temporary, bytes, mode)
        .and_then(|file| keep_owner(&file, path, dir))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = result {
        // Whatever is left of the attempt is worth nothing; the error itself is what the caller must hear of.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(dir)?.sync_all()
}

/// Replaces the contents of a person's own file: it keeps its mode, and a link to it stays a link.
pub fn rewrite_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mode = fs::metadata(&path)?.mode() & 0o7777;
    write_atomically(&path, bytes, mode)
}

/// Makes a file with these bytes and this mode; fails with `AlreadyExists` where there is one, and never follows a link.
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = folder_of(path);
    let temporary = dir.join(temporary_name(path)?);
    // A hard link fails where the name is taken, which a rename does not; and the file appears whole.
    let result = write_new(&temporary, bytes, mode)
        .and_then(|file| keep_owner(&file, path, dir))
        .and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    result.and(removed)?;
    File::open(dir)?.sync_all()
}

/// Makes a folder that only its owner may enter, and those above it as usual. One that exists is left as it is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The same for every attempt at one file, so that attempts that were killed leave one at most.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    Ok(temporary.into())
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // The mode at creation is cut by the umask, which may take what was asked for, and never adds.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

fn keep_owner(file: &File, path: &Path, dir: &Path) -> io::Result<()> {
    let model = fs::metadata(path).or_else(|_| fs::metadata(dir))?;
    let own = file.metadata()?;
    match (model.uid(), model.gid()) == (own.uid(), own.gid()) {
        true => Ok(()),
        // Only root may give a file away; for anybody else the model's group may be out of reach, and the owner is their own.
        false if own.uid() == 0 => fchown(file, Some(model.uid()), Some(model.gid())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.toml");
        for (bytes, mode) in [(b"one".as_slice(), 0o600), (b"", 0o640), (b"three", 0o600)] {
            write_atomically(&path, bytes, mode).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_attempt_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peers.toml");
        std::os::unix::fs::symlink("/dev/null", dir.path().join(".peers.toml.new")).unwrap();
        write_atomically(&path, b"whole", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_persons_file_keeps_its_mode_and_its_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("dotfiles.toml"), dir.path().join("adit.toml"));
        write_atomically(&path, b"old", 0o640).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        rewrite_atomically(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(rewrite_atomically(&dir.path().join("missing"), b"new").is_err());
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        create_new(&path, b"first", 0o600).unwrap();
        assert_eq!(create_new(&path, b"second", 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &link).unwrap();
        assert_eq!(create_new(&link, b"third", 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_private_folder_is_made_private_and_left_alone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/state");
        create_private_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        create_private_dir(&path).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create_private_dir(&file).is_err());
    }
}
