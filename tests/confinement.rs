//! What a worker has given up, tried from inside: this program starts itself as a process that is confined as a worker is, and in which
//! one thing is tried. Each is refused, or ends the process.

#![cfg(feature = "server")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio, exit};

use adit::documents::confine::{Bounds, allow_cpu, confined};
use nix::sys::ptrace;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Uid, getppid, setuid};

/// Says what the process that is started is to try.
const ATTEMPT: &str = "ADIT_ATTEMPT";

/// What it is to try it with: a path, a number.
const WITH: &str = "ADIT_ATTEMPT_WITH";

/// Exit codes of that process.
const DID_IT: i32 = 42;
const WAS_REFUSED: i32 = 43;

/// How an attempt ended.
#[derive(Debug, PartialEq)]
enum End {
    DidIt,
    Refused,
    Killed(Signal),
}
use End::{DidIt, Killed, Refused};

/// Tries one thing inside, as ourselves and, where we are root, as somebody without rights.
#[track_caller]
fn check(attempt: &str, with: &str, expected: &[End]) {
    let users = if Uid::effective().is_root() { vec![None, Some(65534)] } else { vec![None] };
    for user in users {
        let output = attempt_as(user, attempt, with);
        let said = String::from_utf8_lossy(&output.stderr);
        let end = match (output.status.code(), output.status.signal()) {
            (Some(DID_IT), _) => DidIt,
            (Some(WAS_REFUSED), _) => Refused,
            (_, Some(signal)) => Killed(Signal::try_from(signal).unwrap()),
            (code, _) => panic!("{attempt} (user {user:?}) ended with {code:?}: {said}"),
        };
        assert!(expected.contains(&end), "{attempt} (user {user:?}) ended with {end:?}: {said}");
    }
}

fn attempt_as(user: Option<u32>, attempt: &str, with: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "inside", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(ATTEMPT, attempt).env(WITH, with).stdin(Stdio::piped());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.output().unwrap()
}

/// The confined process itself; without its variable, nothing.
#[test]
#[ignore = "it is the confined process: every other test here runs it, as a process of its own"]
fn inside() {
    let (Ok(attempt), Ok(with)) = (std::env::var(ATTEMPT), std::env::var(WITH)) else { return };
    let bounds = Bounds { memory_bytes: 512 << 20, cpu_secs: 2 };
    let outcome = confined(bounds, move |_| match attempt_here(&attempt, &with) {
        Ok(()) => exit(DID_IT),
        Err(error) => {
            eprintln!("{error}");
            exit(WAS_REFUSED)
        }
    });
    panic!("{outcome:?}");
}

fn attempt_here(attempt: &str, with: &str) -> io::Result<()> {
    match attempt {
        "nothing" => Ok(()),
        "read a file" => File::open(with).map(drop),
        "look at a file" => fs::metadata(with).map(drop),
        "list a folder" => fs::read_dir(with).map(drop),
        "write a file" => fs::write(with, "text"),
        "remove a file" => fs::remove_file(with),
        "double a descriptor" => io::stdout().as_fd().try_clone_to_owned().map(drop),
        "use what was inherited" => Ok(nix::unistd::close(with.parse::<i32>().unwrap())?),
        "dial" => TcpStream::connect(with).map(drop),
        "open a port" => UdpSocket::bind(with).map(drop),
        "dial a local socket" => UnixStream::connect(with).map(drop),
        "make a pair of sockets" => UnixDatagram::pair().map(drop),
        "start a program" => Command::new(with).spawn().map(drop),
        "become a program" => Err(Command::new(with).exec()),
        "start a thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "trace a process" => Ok(ptrace::attach(getppid())?),
        "end a process" => Ok(kill(getppid(), None)?),
        "become root" => Ok(setuid(Uid::from_raw(0))?),
        "allow itself more memory" => Ok(setrlimit(Resource::RLIMIT_AS, 4 << 30, 4 << 30)?),
        "allow itself more time" => {
            allow_cpu(1 << 40)?;
            spin()
        }
        "take 4 GiB" => Vec::<u8>::new().try_reserve_exact(4 << 30).map_err(io::Error::other),
        "compute without end" => {
            allow_cpu(0)?;
            spin()
        }
        "abort" => std::process::abort(),
        "panic" => std::panic::catch_unwind(|| panic!("a parser's")).map_err(|_| io::Error::other("it panicked")),
        "recurse without end" => Err(io::Error::other(recurse(0).to_string())),
        other => panic!("nobody knows how to {other}"),
    }
}

fn spin() -> ! {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n + 1);
    }
}

#[expect(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    recurse(here[0] + 1) + std::hint::black_box(here)[1]
}

#[test]
fn a_worker_that_tries_nothing_lives() {
    check("nothing", "", &[DidIt]);
}

#[test]
fn no_file_is_read_seen_written_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    let (dir, file) = (dir.path().to_str().unwrap(), file.to_str().unwrap());
    for attempt in ["read a file", "look at a file", "write a file", "remove a file"] {
        check(attempt, file, &[Refused]);
        check(attempt, "/proc/self/mem", &[Refused]);
    }
    check("read a file", "/etc/passwd", &[Refused]);
    check("read a file", "/dev/null", &[Refused]);
    check("write a file", &format!("{dir}/new"), &[Refused]);
    check("list a folder", dir, &[Refused]);
    assert_eq!(fs::read_to_string(file).unwrap(), "text");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
}

#[test]
fn no_descriptor_is_made_or_was_inherited() {
    check("double a descriptor", "", &[Refused]);
    let mut kept = tempfile::tempfile().unwrap();
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).unwrap();
    assert!(kept.as_raw_fd() >= 3);
    check("use what was inherited", &kept.as_raw_fd().to_string(), &[Refused]);
    kept.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn whoever_reaches_for_the_network_is_ended() {
    let killed = [Killed(Signal::SIGSYS)];
    check("dial", "127.0.0.1:9", &killed);
    check("open a port", "127.0.0.1:0", &killed);
    check("make a pair of sockets", "", &killed);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    check("dial a local socket", socket.to_str().unwrap(), &killed);
}

#[test]
fn whoever_reaches_for_other_processes_or_rights_is_ended() {
    let killed = [Killed(Signal::SIGSYS)];
    check("start a program", "/bin/true", &killed);
    check("become a program", "/bin/true", &killed);
    check("start a thread", "", &killed);
    check("trace a process", "", &killed);
    check("end a process", "", &killed);
    check("become root", "", &killed);
}

#[test]
fn memory_and_time_have_an_end_that_cannot_be_moved() {
    check("take 4 GiB", "", &[Refused]);
    check("allow itself more memory", "", &[Refused]);
    check("compute without end", "", &[Killed(Signal::SIGXCPU), Killed(Signal::SIGKILL)]);
    check("allow itself more time", "", &[Killed(Signal::SIGXCPU), Killed(Signal::SIGKILL)]);
}

#[test]
fn a_parser_that_fails_by_itself_ends_as_it_would_anywhere() {
    check("abort", "", &[Killed(Signal::SIGABRT)]);
    check("panic", "", &[Refused]);
    check("recurse without end", "", &[Killed(Signal::SIGABRT), Killed(Signal::SIGSEGV)]);
}
