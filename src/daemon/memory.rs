//! How the allocator is set. glibc reads its settings when a program starts, and takes them later from unsafe code alone: so the program is
//! started once more, in its own place, with them in its environment.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Settings of glibc's allocator, as in mallopt(3): large blocks are the system's own, which gets them back when they are freed, whatever
/// their sizes were before; few arenas, since each keeps what its threads have let go of. After a hundred thousand documents had been
/// indexed, three quarters of the memory was of that kind. The ends of names belong to them.
pub const SETTINGS: [(&str, &str); 3] =
    [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "2")];

/// Goes on with these settings; where another libc is in use, or somebody has set one of them, or it cannot be done, as things are.
pub fn settle() {
    let is_set = SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some());
    if is_set || !cfg!(target_env = "gnu") {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let error = Command::new(program).arg0(name).args(arguments).envs(SETTINGS).exec();
    tracing::debug!(%error, "the allocator keeps its usual settings");
}
