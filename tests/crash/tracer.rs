//! Watches what a process does to the files below a folder, system call by system call (`ptrace`), and can let one of them fail.
//!
//! The process is a copy of this test program. It says on stderr, in one write, what it has reached: `ack N`.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::disk::{Disk, Inode};

/// The variable that tells a copy of this program where to write; without it, it does nothing.
pub const CHILD: &str = "ADIT_CRASH_CHILD";

/// A system call that is to fail: the how-manieth of those that change something below the folder, counted from 0.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub call: usize,
    pub error: Errno,
    /// Whether all later ones fail as well, until the process says `ack` and this number.
    pub until_ack: Option<u64>,
}

/// Runs an ignored test of this program as a process of its own, which is to change what lies below `root`, and records what it does
/// there.
#[expect(clippy::zombie_processes, reason = "the tracer waits for it until it has ended")]
pub fn record(test: &str, root: &Path, with: &str, fault: Option<Fault>) -> Disk {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, with).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let root = root.canonicalize().unwrap();
    let mut tracer =
        Tracer { root, disk: Disk::default(), files: HashMap::new(), under_way: HashMap::new(), fault, calls: 0 };
    seize(&child);
    let errors = child.stderr.take().unwrap();
    let heard = std::thread::spawn(move || std::io::read_to_string(errors).unwrap());
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let ended_well = tracer.run(Pid::from_raw(child.id() as i32));
    let said = heard.join().unwrap();
    assert!(ended_well, "the process that was watched failed: {said}");
    tracer.disk.calls = tracer.calls;
    tracer.disk
}

/// Waits, in the process that is watched, until it is.
pub fn wait_to_be_watched() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Says, in the process that is watched, what it has reached.
pub fn ack(number: u64) {
    std::io::stderr().write_all(format!("ack {number}\n").as_bytes()).unwrap();
}

fn seize(child: &Child) {
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    let tasks = format!("/proc/{}/task", child.id());
    for task in std::fs::read_dir(tasks).unwrap() {
        let thread: i32 = task.unwrap().file_name().to_str().unwrap().parse().unwrap();
        ptrace::seize(Pid::from_raw(thread), options).expect("a child may be traced");
        ptrace::interrupt(Pid::from_raw(thread)).unwrap();
    }
}

/// An open file.
#[derive(Debug, Clone)]
enum Open {
    File { inode: Inode, at: u64, appends: bool },
    Folder(PathBuf),
}

/// A system call that has begun.
#[derive(Debug, Clone)]
struct Call {
    number: i64,
    arguments: [u64; 6],
    /// Bytes or paths that it was given.
    bytes: Vec<u8>,
    paths: Vec<PathBuf>,
    /// How many changes were on the disk when it began: what a sync certainly covers.
    begun: usize,
    fails: Option<Errno>,
}

struct Tracer {
    root: PathBuf,
    disk: Disk,
    files: HashMap<i32, Open>,
    under_way: HashMap<Pid, Call>,
    fault: Option<Fault>,
    calls: usize,
}

impl Tracer {
    /// Until the process ends; whether it ended well.
    fn run(&mut self, process: Pid) -> bool {
        // Of this thread alone: other tests have children too.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)).unwrap() {
                WaitStatus::PtraceSyscall(thread) => {
                    self.system_call(thread);
                    go_on(thread, None);
                }
                WaitStatus::PtraceEvent(thread, _, _) => go_on(thread, None),
                WaitStatus::Stopped(thread, Signal::SIGTRAP | Signal::SIGSTOP) => go_on(thread, None),
                WaitStatus::Stopped(thread, signal) => go_on(thread, Some(signal)),
                WaitStatus::Exited(thread, code) if thread == process => return code == 0,
                WaitStatus::Signaled(thread, ..) if thread == process => return false,
                _ => {}
            }
        }
    }

    fn system_call(&mut self, thread: Pid) {
        let (Ok(stop), Some(registers)) = (ptrace::syscall_info(thread), Registers::of(thread)) else { return };
        if stop.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            let Some(call) = self.begin(thread, &registers) else { return };
            if call.fails.is_some() {
                registers.skip(thread);
            }
            self.under_way.insert(thread, call);
        } else if let Some(call) = self.under_way.remove(&thread) {
            match call.fails {
                Some(error) => registers.answer(thread, error),
                None if registers.result() >= 0 => self.end(thread, &call, registers.result()),
                None => {}
            }
        }
    }

    /// A system call begins: none where it is of no interest.
    fn begin(&mut self, thread: Pid, registers: &Registers) -> Option<Call> {
        let (number, arguments) = registers.call();
        let mut call =
            Call { number, arguments, bytes: vec![], paths: vec![], begun: self.disk.changes(), fails: None };
        let descriptor = arguments[0] as i32;
        let mut changes = true;
        match number {
            libc::SYS_write | libc::SYS_pwrite64 => {
                if descriptor != 2 && !self.files.contains_key(&descriptor) {
                    return None;
                }
                changes = descriptor != 2;
                call.bytes = read_memory(thread, arguments[1], arguments[2] as usize);
            }
            libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_ftruncate => {
                self.files.get(&descriptor)?;
            }
            libc::SYS_close => {
                // Now and not when it has ended: another thread may have the number again by then.
                self.files.remove(&descriptor);
                return None;
            }
            libc::SYS_lseek => changes = false,
            libc::SYS_openat => {
                let path = self.path_at(thread, arguments[0], arguments[1])?;
                changes = arguments[2] as i32 & libc::O_CREAT != 0;
                call.paths = vec![path];
            }
            libc::SYS_mkdirat | libc::SYS_unlinkat => {
                call.paths = vec![self.path_at(thread, arguments[0], arguments[1])?]
            }
            libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => {
                let from = self.path_at(thread, arguments[0], arguments[1])?;
                call.paths = vec![from, self.path_at(thread, arguments[2], arguments[3])?];
            }
            // Whoever learns to write in another way has to be watched in another way.
            libc::SYS_writev
            | libc::SYS_pwritev
            | libc::SYS_fallocate
            | libc::SYS_copy_file_range
            | libc::SYS_sendfile => {
                assert!(!self.files.contains_key(&descriptor), "nobody watches the system call {number}");
                return None;
            }
            _ => return self.begin_older(thread, call),
        }
        self.choose(&mut call, changes);
        Some(call)
    }

    /// The system calls that only older machines have.
    #[cfg(target_arch = "x86_64")]
    fn begin_older(&mut self, thread: Pid, mut call: Call) -> Option<Call> {
        let here = libc::AT_FDCWD as u64;
        let arguments = call.arguments;
        let (number, paths) = match call.number {
            libc::SYS_mkdir => (libc::SYS_mkdirat, vec![arguments[0]]),
            libc::SYS_rmdir | libc::SYS_unlink => (libc::SYS_unlinkat, vec![arguments[0]]),
            libc::SYS_rename => (libc::SYS_renameat, vec![arguments[0], arguments[1]]),
            libc::SYS_link => (libc::SYS_linkat, vec![arguments[0], arguments[1]]),
            _ => return None,
        };
        call.paths = paths.into_iter().map(|at| self.path_at(thread, here, at)).collect::<Option<_>>()?;
        call.number = number;
        self.choose(&mut call, true);
        Some(call)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn begin_older(&mut self, _: Pid, _: Call) -> Option<Call> {
        None
    }

    /// Whether this is the call that is to fail.
    fn choose(&mut self, call: &mut Call, changes: bool) {
        if !changes {
            return;
        }
        if let Some(fault) = self.fault
            && (self.calls == fault.call || (self.calls > fault.call && fault.until_ack.is_some()))
        {
            call.fails = Some(fault.error);
        }
        self.calls += 1;
    }

    /// A system call has succeeded.
    fn end(&mut self, thread: Pid, call: &Call, result: i64) {
        let descriptor = call.arguments[0] as i32;
        match call.number {
            libc::SYS_write if descriptor == 2 => self.said(&call.bytes),
            libc::SYS_write => {
                let Some(Open::File { inode, at, appends }) = self.files.get_mut(&descriptor) else { return };
                let start = if *appends { self.disk.length(*inode) } else { *at };
                self.disk.write(*inode, start, &call.bytes[..result as usize]);
                *at = start + result as u64;
            }
            libc::SYS_pwrite64 => {
                let Some(Open::File { inode, .. }) = self.files.get(&descriptor) else { return };
                self.disk.write(*inode, call.arguments[3], &call.bytes[..result as usize]);
            }
            libc::SYS_ftruncate => {
                let Some(Open::File { inode, .. }) = self.files.get(&descriptor) else { return };
                self.disk.truncate(*inode, call.arguments[1]);
            }
            libc::SYS_lseek => {
                if let Some(Open::File { at, .. }) = self.files.get_mut(&descriptor) {
                    *at = result as u64;
                }
            }
            libc::SYS_fsync | libc::SYS_fdatasync => match self.files.get(&descriptor) {
                Some(Open::File { inode, .. }) => self.disk.sync_file(*inode, call.begun),
                Some(Open::Folder(path)) => self.disk.sync_folder(path.clone(), call.begun),
                None => {}
            },
            libc::SYS_openat => self.opened(thread, call, result as i32),
            libc::SYS_mkdirat => self.disk.make_folder(call.paths[0].clone()),
            libc::SYS_unlinkat => self.disk.remove(call.paths[0].clone()),
            libc::SYS_linkat => self.disk.link(&call.paths[0], call.paths[1].clone()),
            libc::SYS_renameat | libc::SYS_renameat2 => self.disk.rename(&call.paths[0], call.paths[1].clone()),
            _ => {}
        }
    }

    fn opened(&mut self, thread: Pid, call: &Call, descriptor: i32) {
        let (path, flags) = (&call.paths[0], call.arguments[2] as i32);
        let is_folder =
            std::fs::metadata(format!("/proc/{thread}/fd/{descriptor}")).is_ok_and(|metadata| metadata.is_dir());
        if is_folder {
            self.files.insert(descriptor, Open::Folder(path.clone()));
        } else if flags & libc::O_ACCMODE != libc::O_RDONLY {
            let inode = self.disk.open(path);
            if flags & libc::O_TRUNC != 0 && self.disk.length(inode) > 0 {
                self.disk.truncate(inode, 0);
            }
            self.files.insert(descriptor, Open::File { inode, at: 0, appends: flags & libc::O_APPEND != 0 });
        } else {
            self.files.remove(&descriptor);
        }
    }

    fn said(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Some(number) = text.strip_prefix("ack ").and_then(|rest| rest.trim().parse().ok()) {
            self.disk.acknowledge(number);
            if self.fault.is_some_and(|fault| fault.until_ack == Some(number)) {
                self.fault = None;
            }
        }
    }

    /// A path that a call was given, below the root; none elsewhere.
    fn path_at(&self, thread: Pid, folder: u64, at: u64) -> Option<PathBuf> {
        let mut bytes = read_memory(thread, at, libc::PATH_MAX as usize);
        bytes.truncate(bytes.iter().position(|byte| *byte == 0)?);
        let path = PathBuf::from(String::from_utf8(bytes).ok()?);
        let path = match (path.is_absolute(), folder as i32) {
            (true, _) => path,
            (false, libc::AT_FDCWD) => return None,
            (false, descriptor) => std::fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()?.join(path),
        };
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }
}

fn go_on(thread: Pid, signal: Option<Signal>) {
    match ptrace::syscall(thread, signal) {
        // It has ended meanwhile.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("a thread cannot go on: {error}"),
    }
}

/// What stands in a thread's memory, up to so many bytes.
fn read_memory(thread: Pid, at: u64, most: usize) -> Vec<u8> {
    let memory = File::open(format!("/proc/{thread}/mem")).unwrap();
    let (mut bytes, mut read) = (vec![0; most], 0);
    while read < most {
        // A string may end right before memory that is not there.
        let until_page = 4096 - (at as usize + read) % 4096;
        let piece = until_page.min(most - read);
        match memory.read_at(&mut bytes[read..read + piece], at + read as u64) {
            Ok(more @ 1..) => read += more,
            _ => break,
        }
        if most == libc::PATH_MAX as usize && bytes[..read].contains(&0) {
            break;
        }
    }
    bytes.truncate(read);
    bytes
}

/// What a thread asks of the kernel, and is answered.
struct Registers(libc::user_regs_struct);

#[cfg(target_arch = "x86_64")]
impl Registers {
    fn of(thread: Pid) -> Option<Registers> {
        ptrace::getregs(thread).ok().map(Registers)
    }

    fn call(&self) -> (i64, [u64; 6]) {
        let Registers(it) = self;
        (it.orig_rax as i64, [it.rdi, it.rsi, it.rdx, it.r10, it.r8, it.r9])
    }

    fn result(&self) -> i64 {
        self.0.rax as i64
    }

    /// Lets the kernel do nothing.
    fn skip(mut self, thread: Pid) {
        self.0.orig_rax = u64::MAX;
        ptrace::setregs(thread, self.0).unwrap();
    }

    fn answer(mut self, thread: Pid, error: Errno) {
        self.0.rax = (-(error as i64)) as u64;
        ptrace::setregs(thread, self.0).unwrap();
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    fn of(thread: Pid) -> Option<Registers> {
        ptrace::getregs(thread).ok().map(Registers)
    }

    fn call(&self) -> (i64, [u64; 6]) {
        let it = &self.0.regs;
        (it[8] as i64, [it[0], it[1], it[2], it[3], it[4], it[5]])
    }

    fn result(&self) -> i64 {
        self.0.regs[0] as i64
    }

    /// A call on a descriptor that nobody has, since its number is out of reach here: the kernel does nothing.
    fn skip(mut self, thread: Pid) {
        self.0.regs[0] = u64::MAX;
        self.0.regs[1] = 0;
        ptrace::setregs(thread, self.0).unwrap();
    }

    fn answer(mut self, thread: Pid, error: Errno) {
        self.0.regs[0] = (-(error as i64)) as u64;
        ptrace::setregs(thread, self.0).unwrap();
    }
}
