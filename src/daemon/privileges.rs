//! Who the daemon is once it serves: somebody without rights. Decided and done before any thread exists, since Linux keeps
//! identities and capabilities per thread.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use caps::{CapSet, CapsHashSet};
use nix::unistd::{
    Gid, Uid, User, getgid, getresgid, getresuid, getuid, setegid, seteuid, setgroups, setresgid, setresuid,
};

/// The user that root becomes where it exists: made by the package.
const SERVICE_USER: &str = "adit";

/// Why no identity could be taken on.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// `--user` names nobody.
    #[error("there is no user {0:?} on this machine")]
    NoSuchUser(String),
    /// `--user` without being root.
    #[error("only root can become user {0:?}; start adit as that user, or leave --user out")]
    NotRoot(String),
    /// The system refused.
    #[error("privileges could not be dropped ({step}): {source}")]
    Refused {
        /// At what.
        step: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// It was done and did not hold.
    #[error("privileges were dropped and are still there; adit does not serve like this")]
    Kept,
}

/// Who to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The user that started us, who is not root.
    Caller {
        /// Its number.
        user: Uid,
        /// Its group.
        group: Gid,
    },
    /// Another user, whom root becomes.
    Other {
        /// Its number.
        user: Uid,
        /// Its group.
        group: Gid,
        /// Its name, for the record.
        name: String,
    },
    /// Root, without any of its capabilities.
    BareRoot,
}

impl Identity {
    /// Decides: the caller, if that is not root; else `requested`; else the user whose state this is from before, whatever has become of
    /// the folders since; else `adit`, where it exists and can read the folders; else the folders' owner; else root itself.
    pub fn choose(requested: Option<&str>, state: &Path, folders: &[PathBuf]) -> Result<Identity, PrivilegeError> {
        if !getuid().is_root() {
            return match requested {
                Some(name) if user(name)?.uid != getuid() => Err(PrivilegeError::NotRoot(name.to_owned())),
                _ => Ok(Identity::Caller { user: getuid(), group: getgid() }),
            };
        }
        if let Some(name) = requested {
            return Ok(Identity::of(user(name)?));
        }
        if let Some(before) = owner(state) {
            return Ok(Identity::of(before));
        }
        if let Ok(service) = user(SERVICE_USER)
            && can_read(&service, folders)?
        {
            return Ok(Identity::of(service));
        }
        match folders.first().and_then(|folder| owner(folder)) {
            Some(owner) if can_read(&owner, folders)? => Ok(Identity::of(owner)),
            _ => Ok(Identity::BareRoot),
        }
    }

    fn of(user: User) -> Identity {
        match user.uid.is_root() {
            true => Identity::BareRoot,
            false => Identity::Other { user: user.uid, group: user.gid, name: user.name },
        }
    }

    /// Its user and group.
    pub fn ids(&self) -> (Uid, Gid) {
        match self {
            Identity::Caller { user, group } | Identity::Other { user, group, .. } => (*user, *group),
            Identity::BareRoot => (Uid::from_raw(0), Gid::from_raw(0)),
        }
    }

    /// Takes it on for good: no further groups, no way back, no capability. Must run before any thread is made.
    pub fn assume(&self) -> Result<(), PrivilegeError> {
        if let Identity::Other { user, group, .. } = self {
            become_user(*user, *group)?;
        }
        drop_capabilities()?;
        let (user, group) = self.ids();
        let held = (getresuid().map_err(refused("getresuid"))?, getresgid().map_err(refused("getresgid"))?);
        let same = [held.0.real, held.0.effective, held.0.saved].iter().all(|it| *it == user)
            && [held.1.real, held.1.effective, held.1.saved].iter().all(|it| *it == group);
        let regained = matches!(self, Identity::Other { .. }) && setresuid(Uid::from_raw(0), user, user).is_ok();
        match same && !regained {
            true => Ok(()),
            false => Err(PrivilegeError::Kept),
        }
    }
}

fn user(name: &str) -> Result<User, PrivilegeError> {
    User::from_name(name).ok().flatten().ok_or_else(|| PrivilegeError::NoSuchUser(name.to_owned()))
}

/// Whose a folder is, if it is there and another user's than root.
fn owner(folder: &Path) -> Option<User> {
    let owner = Uid::from_raw(fs::metadata(folder).ok()?.uid());
    User::from_uid(owner).ok().flatten().filter(|owner| !owner.uid.is_root())
}

/// Tries it as that user: modes, access lists and the way to the folders all count, and no rule of ours has to know them.
fn can_read(user: &User, folders: &[PathBuf]) -> Result<bool, PrivilegeError> {
    let groups = nix::unistd::getgroups().map_err(refused("getgroups"))?;
    setgroups(&[]).map_err(refused("setgroups"))?;
    setegid(user.gid).map_err(refused("setegid"))?;
    seteuid(user.uid).map_err(refused("seteuid"))?;
    let readable = folders.iter().all(|folder| readable(folder));
    seteuid(Uid::from_raw(0)).map_err(refused("seteuid"))?;
    setegid(Gid::from_raw(0)).map_err(refused("setegid"))?;
    setgroups(&groups).map_err(refused("setgroups"))?;
    Ok(readable)
}

fn readable(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none_or(|first| first.is_ok()))
}

fn become_user(user: Uid, group: Gid) -> Result<(), PrivilegeError> {
    setgroups(&[]).map_err(refused("setgroups"))?;
    setresgid(group, group, group).map_err(refused("setresgid"))?;
    setresuid(user, user, user).map_err(refused("setresuid"))
}

/// Empties every set. The bounding set first (that takes a capability itself), or a program that root starts would get all back.
fn drop_capabilities() -> Result<(), PrivilegeError> {
    let failed = |step| {
        move |error: caps::errors::CapsError| PrivilegeError::Refused {
            step,
            source: std::io::Error::other(error.to_string()),
        }
    };
    let may_bound = caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).unwrap_or(false);
    if may_bound {
        for capability in caps::runtime::thread_all_supported() {
            caps::drop(None, CapSet::Bounding, capability).map_err(failed("bounding set"))?;
        }
    }
    caps::clear(None, CapSet::Ambient).map_err(failed("ambient set"))?;
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        // A service unit that leaves nothing to drop may forbid the very call that drops it.
        if !caps::read(None, set).map_err(failed("capability sets"))?.is_empty() {
            caps::set(None, set, &CapsHashSet::new()).map_err(failed("capability sets"))?;
        }
    }
    Ok(())
}

fn refused(step: &'static str) -> impl Fn(nix::errno::Errno) -> PrivilegeError {
    move |errno| PrivilegeError::Refused { step, source: errno.into() }
}
