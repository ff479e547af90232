//! The allocator: how it is set, and when it gives back what it holds. glibc offers both as C functions and in no other way, so this is the one
//! module with unsafe code. With another libc it does nothing.

#![expect(unsafe_code, reason = "two functions of the C library that touch no memory of ours")]

#[cfg(target_env = "gnu")]
use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, malloc_trim, mallopt};

/// What is set, as in mallopt(3): large blocks are the system's own, which gets them back when they are freed, whatever their sizes were
/// before; few arenas, since each keeps what its threads have let go of.
#[cfg(target_env = "gnu")]
const SETTINGS: [(c_int, c_int); 3] = [(M_MMAP_THRESHOLD, 128 << 10), (M_TRIM_THRESHOLD, 128 << 10), (M_ARENA_MAX, 2)];

/// Sets the allocator, unless somebody has set it by the environment. To be called before there are threads.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    if !std::env::vars_os().any(|(name, _)| name.as_encoded_bytes().starts_with(b"MALLOC_")) {
        for (parameter, value) in SETTINGS {
            // SAFETY: it takes two numbers and changes how blocks are found from now on; those that are in use stay as they are.
            let is_set = unsafe { mallopt(parameter, value) } == 1;
            tracing::trace!(parameter, value, is_set, "the allocator is told");
        }
    }
}

/// Gives the system back every page that holds nothing. After much was read into an index, most of what the allocator keeps are holes
/// between what stays. Waits for other threads' allocations, and they for it: some milliseconds, to be called when little happens.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes a number, locks the allocator, and touches blocks alone that are free.
        let gave = unsafe { malloc_trim(0) } == 1;
        tracing::debug!(gave, "free memory was given back");
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    fn anonymous_bytes() -> u64 {
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    #[test]
    fn holes_between_what_stays_are_given_back() {
        // Far more than the tests beside this one use.
        let blocks: Vec<Box<[u8; 1000]>> = (0..200_000).map(|number| Box::new([number as u8; 1000])).collect();
        let kept: Vec<_> = blocks.into_iter().step_by(100).collect();
        let before = anonymous_bytes();
        give_back();
        let after = anonymous_bytes();
        assert!(before.saturating_sub(after) > 100 << 20, "{before} bytes before, {after} after");
        assert!(kept.iter().enumerate().all(|(at, block)| block[7] == (at * 100) as u8));
    }
}
