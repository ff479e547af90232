//! What lies on disk: the server's key, the state folder, the folders of documents; and the clock, by which records are.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;

use crate::cli::doctor::Finding;
use crate::cli::units::{bytes, count, grouped};
use crate::config::{CollectionConfig, Config, ServerKeys, read_server_keys};
use crate::daemon::calendar::Calendar;
use crate::limits::DOCTOR_FOLDERS;

/// Room on the state folder's disk below which it will soon be full, in bytes: a commit and the merge after it.
const LITTLE_ROOM: u64 = 512 << 20;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![key(&config.server.key_file)];
    findings.extend(state(&config.server.state_dir));
    findings.push(clock(config));
    findings.extend(config.collections.iter().map(documents));
    findings.push(watches(&config.collections));
    findings
}

fn key(file: &Path) -> Finding {
    match read_server_keys(file) {
        Ok(ServerKeys { former: Some(former), .. }) if former.until <= Timestamp::now() => Finding::warning(
            "server key",
            format!("{} still holds the key before, which is answered no longer", file.display()),
            "take it out: adit server-key forget",
        ),
        Ok(_) => Finding::well("server key", format!("{}, for its owner alone", file.display())),
        Err(error) => Finding::failed(
            "server key",
            error,
            "restore a key that is lost, or make another: `adit server-key rotate`, of which every device must be told",
        ),
    }
}

fn state(dir: &Path) -> Vec<Finding> {
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::well("state", format!("{} is made by the first `adit serve`", dir.display()))];
        }
        Err(error) => {
            let remedy = "let the user that adit runs as reach the folders on the way to it";
            return vec![Finding::failed("state", format!("{}: {error}", dir.display()), remedy)];
        }
    };
    let mode = metadata.mode() & 0o777;
    let access = match mode & 0o077 {
        0 => Finding::well("state", format!("{}, for its owner alone", dir.display())),
        _ => {
            let remedy = format!("chmod 700 {}", dir.display());
            Finding::failed("state", format!("{} can be entered by others (mode {mode:o})", dir.display()), remedy)
        }
    };
    let room = rustix::fs::statvfs(dir).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let room = match room {
        Ok(room) if room < LITTLE_ROOM => {
            let remedy = "make room, or move `server.state_dir`; until then search goes on with what was indexed";
            Finding::warning("disk", format!("{} are left for index and audit log", bytes(room)), remedy)
        }
        Ok(room) => Finding::well("disk", format!("{} are left for index and audit log", bytes(room))),
        Err(error) => Finding::warning("disk", error, "its file system does not say how much room there is"),
    };
    vec![access, room]
}

fn clock(config: &Config) -> Finding {
    match Calendar::new(config).warning() {
        Some(said) => Finding::failed("clock", said, "set it, and keep it set: timedatectl set-ntp true"),
        None => Finding::well("clock", "not behind what was recorded before"),
    }
}

fn documents(collection: &CollectionConfig) -> Finding {
    let CollectionConfig { name, path, .. } = collection;
    match fs::read_dir(path) {
        Ok(_) => Finding::well("documents", format!("{name}: {}", path.display())),
        Err(error) => {
            let remedy = match error.kind() {
                std::io::ErrorKind::NotFound => "mount it or make it; what is known of it is kept meanwhile".to_owned(),
                _ => format!("let the user that adit runs as read it: setfacl -R -m u:adit:rX {}", path.display()),
            };
            Finding::failed("documents", format!("{name}: {}: {error}", path.display()), remedy)
        }
    }
}

/// Whether the kernel lets all folders be watched.
fn watches(collections: &[CollectionConfig]) -> Finding {
    let allowed =
        fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok().and_then(|it| it.trim().parse().ok());
    let folders: u64 = collections.iter().map(|collection| folders_below(&collection.path)).sum();
    match allowed {
        Some(allowed) if folders > allowed => Finding::warning(
            "watching",
            format!("{} folders, and the kernel watches {}", grouped(folders), grouped(allowed)),
            format!("sysctl fs.inotify.max_user_watches={} (until then changes show after the next walk)", 2 * folders),
        ),
        _ => Finding::well("watching", format!("{} to watch, which the kernel does", count(folders, "folder"))),
    }
}

/// Folders at and below a path, up to [`DOCTOR_FOLDERS`]. Links are not followed.
fn folders_below(root: &Path) -> u64 {
    let (mut waiting, mut seen) = (vec![root.to_owned()], 0);
    while let Some(folder) = waiting.pop() {
        seen += 1;
        if seen >= DOCTOR_FOLDERS {
            break;
        }
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        waiting.extend(entries.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()));
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_state_folder_that_others_may_enter_is_a_failure_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, verdict) in [(0o700, Verdict::Well), (0o750, Verdict::Failed)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            let finding = &state(dir.path())[0];
            assert_eq!(finding.verdict, verdict);
            assert_eq!(finding.remedy.starts_with("chmod 700 "), verdict == Verdict::Failed);
        }
    }

    #[test]
    fn folders_are_counted_without_following_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("everything")).unwrap();
        assert_eq!(folders_below(dir.path()), 3);
    }
}
