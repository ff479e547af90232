//! The system calls of a worker, in two filters that hold together (the kernel takes the stricter answer, seccomp(2)):
//!
//! - [`NEEDED`] calls are allowed, and every other is refused with `EPERM`: a library that looks for its fonts, a time zone or the number
//!   of processors finds nothing and goes on, and its document is still read;
//! - [`HOSTILE`] calls end the process at once, by `SIGSYS`: no parser makes them, so whoever does has taken a parser over.
//!
//! An allowed call reaches nothing but memory, the three pipes that the worker was born with, and itself.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls of a process that computes, reads its stdin and writes its stdout.
const NEEDED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrusage,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls that no parser makes: other processes, sockets, programs, and the parts of the kernel in which most holes were found.
const HOSTILE: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// Of those, what only x86-64 has.
#[cfg(target_arch = "x86_64")]
const HOSTILE_OLD: &[i64] =
    &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const HOSTILE_OLD: &[i64] = &[];

/// Why calls are not filtered: the kernel cannot, something around us forbids it, or this architecture is not known to the filter's maker.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Unfiltered(#[from] seccompiler::Error);

/// Filters the calls of this thread and all others of the process, for good.
pub(super) fn restrict() -> Result<(), Unfiltered> {
    let [needed, hostile] = programs(process::id()).map_err(seccompiler::Error::from)?;
    // The one that kills first: the other would forbid to set it.
    seccompiler::apply_filter_all_threads(&hostile)?;
    seccompiler::apply_filter_all_threads(&needed)?;
    Ok(())
}

/// Both filters, for a process of this number.
fn programs(pid: u32) -> Result<[BpfProgram; 2], BackendError> {
    let filter = |rules, otherwise, matched| {
        BpfProgram::try_from(SeccompFilter::new(rules, otherwise, matched, ARCH.try_into()?)?)
    };
    let eperm = SeccompAction::Errno(libc::EPERM as u32);
    Ok([
        filter(needed(pid)?, eperm, SeccompAction::Allow)?,
        filter(hostile()?, SeccompAction::Allow, SeccompAction::KillProcess)?,
    ])
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn needed(pid: u32) -> Result<Rules, BackendError> {
    let mut rules: Rules = NEEDED.iter().map(|call| (*call, Vec::new())).collect();
    let memory = || Ok(vec![rule([bits(2, libc::PROT_EXEC as u64, 0)?])?]);
    rules.insert(libc::SYS_mmap, memory()?);
    rules.insert(libc::SYS_mprotect, memory()?);
    // `abort` signals its own thread.
    rules.insert(libc::SYS_tgkill, vec![rule([equal(0, u64::from(pid))?])?]);
    // The processor time of a document, asked and set.
    let own_cpu = rule([equal(0, 0)?, equal(1, u64::from(libc::RLIMIT_CPU))?])?;
    rules.insert(libc::SYS_prlimit64, vec![own_cpu]);
    Ok(rules)
}

fn hostile() -> Result<Rules, BackendError> {
    let mut rules: Rules = HOSTILE.iter().chain(HOSTILE_OLD).map(|call| (*call, Vec::new())).collect();
    // Memory that is code: no parser writes programs.
    for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        rules.insert(call, vec![rule([bits(2, libc::PROT_EXEC as u64, libc::PROT_EXEC as u64)?])?]);
    }
    Ok(rules)
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn bits(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

#[cfg(test)]
mod tests {
    use seccompiler::sock_filter;

    use super::*;

    const PID: u32 = 4711;
    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
    const KILLED: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

    /// What the kernel would do: the part of classic BPF that filters are made of, over a `struct seccomp_data`.
    fn run(program: &[sock_filter], call: i64, arguments: &[u64]) -> u32 {
        let arch = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7u32 };
        let mut data = [(call as u32).to_le_bytes(), arch.to_le_bytes()].concat();
        data.extend([0; 8]);
        (0..6).for_each(|n| data.extend(arguments.get(n).copied().unwrap_or(0).to_le_bytes()));
        let (mut at, mut word) = (0, 0u32);
        loop {
            let step = &program[at];
            at += 1;
            let mut jump = |met: bool| at += usize::from(if met { step.jt } else { step.jf });
            match step.code {
                0x20 => word = u32::from_le_bytes(data[step.k as usize..][..4].try_into().unwrap()),
                0x54 => word &= step.k,
                0x05 => at += step.k as usize,
                0x15 => jump(word == step.k),
                0x25 => jump(word > step.k),
                0x35 => jump(word >= step.k),
                0x06 => return step.k,
                code => panic!("no filter has instruction {code:#x}"),
            }
        }
    }

    /// The stricter answer of both, as the kernel compares them.
    fn answer(call: i64, arguments: &[u64]) -> u32 {
        let programs = programs(PID).unwrap();
        let answers = programs.map(|program| run(&program, call, arguments));
        answers.into_iter().min_by_key(|answer| (answer & libc::SECCOMP_RET_ACTION_FULL) as i32).unwrap()
    }

    #[test]
    fn a_parser_may_compute_and_speak_through_its_pipes() {
        for call in NEEDED {
            assert_eq!(answer(*call, &[]), ALLOWED, "call {call}");
        }
        let data = [0, 4096, (libc::PROT_READ | libc::PROT_WRITE) as u64];
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            assert_eq!(answer(call, &data), ALLOWED, "call {call}");
        }
        assert_eq!(answer(libc::SYS_tgkill, &[PID.into(), 4712, 6]), ALLOWED);
        assert_eq!(answer(libc::SYS_prlimit64, &[0, libc::RLIMIT_CPU.into()]), ALLOWED);
    }

    #[test]
    fn whoever_reaches_for_processes_sockets_or_code_is_ended() {
        for call in HOSTILE.iter().chain(HOSTILE_OLD) {
            assert_eq!(answer(*call, &[]), KILLED, "call {call}");
        }
        let code = [0, 4096, (libc::PROT_READ | libc::PROT_EXEC) as u64];
        for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
            assert_eq!(answer(call, &code), KILLED, "call {call}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let decided = |call: &i64| {
            let by_argument = [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect];
            NEEDED.contains(call) || HOSTILE.contains(call) || HOSTILE_OLD.contains(call) || by_argument.contains(call)
        };
        for call in (0..600).filter(|call| !decided(call)) {
            assert_eq!(answer(call, &[9, 9, 0]), REFUSED, "call {call}");
        }
        for call in [libc::SYS_openat, libc::SYS_openat2, libc::SYS_statx, libc::SYS_prctl, libc::SYS_ioctl] {
            assert_eq!(answer(call, &[]), REFUSED, "call {call}");
        }
        assert_eq!(answer(libc::SYS_tgkill, &[1, 1, 9]), REFUSED);
        assert_eq!(answer(libc::SYS_prlimit64, &[0, libc::RLIMIT_AS.into()]), REFUSED);
        assert_eq!(answer(libc::SYS_prlimit64, &[PID.into(), libc::RLIMIT_CPU.into()]), REFUSED);
    }
}
