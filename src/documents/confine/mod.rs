//! What a worker gives up before it reads a document: files, network, other processes, memory beyond its share, and every system call
//! that parsing needs none of. Limits and a piece of work in, the work done inside them out. The one place for every further restriction.

mod calls;

use std::io;
use std::os::fd::AsFd;
use std::thread;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

use crate::limits::{WORKER_DESCRIPTORS, WORKER_INHERITED, WORKER_STACK_BYTES};

/// Newest landlock interface whose rights are given up; an older kernel enforces what it knows.
const LANDLOCK: ABI = ABI::V6;

/// How much a worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// Processor time of its whole life in seconds; for each document, see [`allow_cpu`].
    pub cpu_secs: u64,
}

/// What this kernel really holds a worker to. Limits on memory, processor time, files, descriptors and processes always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Version of landlock's interface in force; 0: the kernel has none.
    pub landlock_abi: u32,
    /// Whether system calls are filtered.
    pub seccomp: bool,
}

impl Confinement {
    /// What is missing, for the owner; `None` where nothing is.
    pub fn lack(self) -> Option<&'static str> {
        match (self.landlock_abi, self.seccomp) {
            (0, false) => Some(
                "there is neither landlock nor seccomp here (an old kernel, or a container that forbids them): workers are held by resource limits alone",
            ),
            (0, true) => Some(
                "there is no landlock here (an old kernel, or a container that forbids it): workers are held by seccomp and resource limits alone",
            ),
            (_, false) => {
                Some("system calls of workers cannot be filtered (seccomp): landlock and resource limits hold")
            }
            (_, true) => None,
        }
    }
}

/// Gives everything up that extraction does not need, for good, and does the work on a thread with the stack that parsers need.
/// To be called before any other thread begins, by a process that does nothing else.
pub fn confined<W>(bounds: Bounds, work: W) -> io::Result<()>
where
    W: FnOnce(Confinement) -> io::Result<()> + Send + 'static,
{
    close_what_was_inherited()?;
    // No other process of the same user may look into this one, and nothing it starts can gain a right.
    set_dumpable(false)?;
    set_no_new_privs()?;
    let landlock_abi = forbid_files_and_network().map_err(io::Error::other)?;
    set_limits(bounds)?;
    // Parsers recurse as deep as a document is nested. There is no further thread, so processes may then be forbidden altogether.
    let thread = thread::Builder::new().stack_size(WORKER_STACK_BYTES).spawn(move || {
        setrlimit(Resource::RLIMIT_NPROC, 0, 0)?;
        let seccomp = calls::restrict().is_ok();
        work(Confinement { landlock_abi, seccomp })
    })?;
    thread.join().map_err(|_| io::Error::other("the worker's own code panicked"))?
}

/// The daemon's own descriptors are not passed on, but those that it was itself given by a shell or a supervisor are.
fn close_what_was_inherited() -> io::Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    for descriptor in 3..soft.min(WORKER_INHERITED) as i32 {
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

fn set_limits(bounds: Bounds) -> io::Result<()> {
    let limits = [
        (Resource::RLIMIT_AS, bounds.memory_bytes),
        (Resource::RLIMIT_CPU, bounds.cpu_secs),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_NOFILE, WORKER_DESCRIPTORS),
    ];
    for (resource, limit) in limits {
        setrlimit(resource, limit, limit)?;
    }
    // A limit of nothing kills a process that writes to a file, and a test's stdout may be one.
    if FileType::from_raw_mode(rustix::fs::fstat(io::stdout().as_fd())?.st_mode) == FileType::Fifo {
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    }
    Ok(())
}

/// A ruleset without a rule: no path can be opened, no port bound or dialled, no other process signalled. Returns the version of the
/// interface that is in force.
fn forbid_files_and_network() -> Result<u32, RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .restrict_self()?;
    Ok(match status {
        RestrictionStatus { ruleset: RulesetStatus::NotEnforced, .. } => 0,
        RestrictionStatus { landlock: LandlockStatus::Available { effective_abi, .. }, .. } => {
            effective_abi.min(LANDLOCK) as u32
        }
        _ => 0,
    })
}

/// Lets this process use so many more seconds of processor time from now on, within what its life has left.
pub fn allow_cpu(secs: u64) -> io::Result<()> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let used = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    setrlimit(Resource::RLIMIT_CPU, (used.unsigned_abs() + 1).saturating_add(secs).min(hard), hard)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_said() {
        let lack = |landlock_abi, seccomp| Confinement { landlock_abi, seccomp }.lack();
        assert_eq!(lack(6, true), None);
        assert_eq!(lack(1, true), None);
        for (abi, seccomp, word) in [(0, true, "no landlock"), (4, false, "seccomp"), (0, false, "neither")] {
            assert!(lack(abi, seccomp).unwrap().contains(word));
        }
    }
}
