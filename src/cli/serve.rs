//! `adit serve`, `stop`, `reload`: the daemon's life.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::outcome::{Error, Exit, Outcome};
use super::places;
use super::terminal::{print, say};
use crate::config::Places;
use crate::control::{Failed, Request, Response};
use crate::daemon::{self, Hangup, ServeError, ServeOptions};

/// How long a daemon may take to end: its last answers, the last commit, its workers.
const END: Duration = Duration::from_secs(30);

/// Longest file that holds a process id, in bytes.
const PID_FILE_BYTES: u64 = 32;

/// Run the daemon
///
/// It serves until `adit stop`, Ctrl-C or SIGTERM, and applies a changed configuration on SIGHUP. As root it becomes another user: that of
/// --user, else the one it was before (the owner of its state), else "adit" where that user exists and can read the folders, else
/// their owner.
#[derive(Debug, Default, Args)]
pub struct ServeArguments {
    /// Go into the background, and return once the daemon serves
    #[arg(long)]
    pub daemonize: bool,
    /// Write the process id to this file
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// As root: become this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

pub fn serve(places: &Places, arguments: ServeArguments) -> Outcome {
    let config = places::load(places)?;
    let daemonize = arguments.daemonize;
    daemon::serve(ServeOptions {
        places: places.clone(),
        user: arguments.user,
        daemonize,
        hangup: Hangup::Reload,
        pid_file: arguments.pid_file,
        on_ready: None,
    })
    .map_err(not_serving)?;
    if daemonize {
        say(format_args!("adit serves; its log is {}", config.server.state_dir.join(daemon::LOG_FILE).display()));
    }
    Ok(Exit::Done)
}

/// Why the daemon does not serve, with the exit code of its kind.
pub fn not_serving(error: ServeError) -> Error {
    Failed { kind: error.kind(), message: error.to_string() }.into()
}

pub fn stop(places: &Places) -> Outcome {
    match places::ask(places, &Request::Stop)? {
        Response::Stopping { pid, socket_stays: false, pid_file } => {
            wait_for_end(pid)?;
            if let Some(pid_file) = pid_file {
                remove_pid_file(&pid_file, pid);
            }
            say("stopped");
        }
        Response::Stopping { socket_stays: true, .. } => stop_units()?,
        other => return Err(places::unexpected(&other)),
    }
    Ok(Exit::Done)
}

/// Returns once the daemon is gone: whoever starts another finds the state folder free.
fn wait_for_end(pid: u32) -> Result<(), Error> {
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    // One that its parent has not heard of yet is gone too (state `Z`, proc_pid_stat(5)).
    let is_alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let deadline = Instant::now() + END;
    while is_alive() {
        if Instant::now() > deadline {
            let message =
                format!("the daemon (pid {pid}) was told to stop and has not ended within {} s", END.as_secs());
            return Err(Error::failed(message).advise("Its log may say what it waits for."));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Removes what the ended daemon has left, if it still names that one: dropped rights have kept it from doing so.
fn remove_pid_file(path: &Path, pid: u32) {
    let is_plain = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= PID_FILE_BYTES);
    let names_it = || std::fs::read_to_string(path).is_ok_and(|text| text.trim() == pid.to_string());
    if is_plain
        && names_it()
        && let Err(error) = std::fs::remove_file(path)
    {
        say(format_args!("note: {} stays: {error}", path.display()));
    }
}

/// Stops the units too: behind a socket unit any datagram, even a stranger's, would start the service again.
fn stop_units() -> Result<(), Error> {
    let mut systemctl = Command::new("systemctl");
    if !nix::unistd::geteuid().is_root() {
        systemctl.arg("--user");
    }
    let ended = systemctl.args(["stop", "adit.socket", "adit.service"]).status();
    if ended.is_ok_and(|ended| ended.success()) {
        say("stopped, with its socket; systemctl start adit.socket starts it again");
        return Ok(());
    }
    let message = "the daemon has stopped, but its socket unit has not, and will start it again";
    Err(Error::failed(message).advise("Stop both: systemctl stop adit.socket adit.service"))
}

pub fn reload(places: &Places) -> Outcome {
    // Here the errors have their lines, and the person sees them.
    places::load(places)?;
    match places::ask(places, &Request::Reload)? {
        Response::Reloaded { notes } if notes.is_empty() => say("nothing has changed"),
        Response::Reloaded { notes } => print(&notes.iter().map(|note| format!("{note}\n")).collect::<String>())?,
        other => return Err(places::unexpected(&other)),
    }
    Ok(Exit::Done)
}
