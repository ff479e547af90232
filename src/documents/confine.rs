//! What a worker gives up before it reads a document: files, network, memory and descriptors beyond its need. The one place for
//! every further restriction.

use std::io;
use std::os::fd::AsFd;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, Scope};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use rustix::fs::FileType;

use crate::limits::WORKER_DESCRIPTORS;

/// Newest landlock interface whose rights are given up; an older kernel enforces what it knows.
const LANDLOCK: ABI = ABI::V6;

/// Gives everything up that extraction does not need. To be called before any other thread begins.
pub(super) fn confine(memory_bytes: u64) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_AS, memory_bytes, memory_bytes)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, WORKER_DESCRIPTORS, WORKER_DESCRIPTORS)?;
    // A limit of nothing kills a process that writes to a file, and a test's stdout may be one.
    if FileType::from_raw_mode(rustix::fs::fstat(io::stdout().as_fd())?.st_mode) == FileType::Fifo {
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    }
    forbid_files_and_network().map_err(io::Error::other)
}

/// A ruleset without a rule: no path can be opened, no port bound or dialled, no other process signalled. Sets `no_new_privs` too.
/// A kernel without landlock leaves it at that.
fn forbid_files_and_network() -> Result<(), RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .restrict_self()?;
    Ok(())
}

/// Lets this process use so many more seconds of processor time from now on.
pub(super) fn allow_cpu(secs: u64) -> io::Result<()> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let used = usage.user_time().tv_sec() + usage.system_time().tv_sec();
    let (_, hard) = getrlimit(Resource::RLIMIT_CPU)?;
    setrlimit(Resource::RLIMIT_CPU, (used.unsigned_abs() + 1).saturating_add(secs).min(hard), hard)?;
    Ok(())
}
