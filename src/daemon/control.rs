//! The control socket: who may speak to the daemon on its own machine, and what is said.

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::running::Running;
use crate::control::{DeviceKeys, Failed, FailedKind, LINE_BYTES, Request, Response};
use crate::limits::TRIAL_SECS;

/// Conversations at once: a person, a script or two, a status screen.
const CONVERSATIONS: usize = 32;

/// How long the other end may take for its one line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a trial's device is admitted: longer than who tries it out has patience.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(TRIAL_SECS + 5);

/// How often a watcher hears.
const WATCH_PERIOD: Duration = Duration::from_millis(500);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon answers on it.
    #[error("another adit is running: it answers on {0}; stop it first (`adit stop`)")]
    InUse(PathBuf),
    /// The system refused.
    #[error("control socket {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The listening socket; its file goes with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds the socket, 0600, in place of one that a killed daemon left behind.
    pub fn bind(path: &Path) -> Result<Control, ControlError> {
        let failed = |source| ControlError::Io { path: path.to_owned(), source };
        if Probe::connect(path).is_ok() {
            return Err(ControlError::InUse(path.to_owned()));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        // The process's umask has made it private from its first moment; this says so once more.
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Control { listener, path: path.to_owned() })
    }

    /// Answers until `stop` resolves.
    pub async fn serve(self, running: Arc<Running>, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONVERSATIONS));
        tokio::pin!(stop);
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let running = running.clone();
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, running).await {
                            tracing::debug!(%error, "control conversation broke off");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: give them time to come back.
                    tracing::warn!(%error, "control socket");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, running: Arc<Running>) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    let (reader, mut writer) = stream.into_split();
    if user != 0 && user != geteuid().as_raw() {
        let message = "only root and the daemon's own user may speak to it".to_owned();
        return say(&mut writer, &Response::Failed(Failed { kind: FailedKind::NotAllowed, message })).await;
    }
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES as u64));
    timeout(REQUEST_TIMEOUT, reader.read_until(b'\n', &mut line)).await??;
    let request: Request = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => {
            let message = format!("the request is not understood; are both of the same version? ({error})");
            return say(&mut writer, &Response::Failed(Failed { kind: FailedKind::Usage, message })).await;
        }
    };
    if request == Request::Watch {
        return watch(&mut writer, running).await;
    }
    if let Request::Trial { keys } = request {
        return trial(reader, &mut writer, running, keys).await;
    }
    let answer = answer(running.clone(), request.clone()).await;
    say(&mut writer, &answer).await?;
    if request == Request::Stop {
        // Only now: the answer is out.
        running.stop();
    }
    Ok(())
}

/// Admits a device for as long as the other end stays, and not for long.
async fn trial(
    mut reader: impl AsyncReadExt + Unpin,
    writer: &mut (impl AsyncWriteExt + Unpin),
    running: Arc<Running>,
    keys: DeviceKeys,
) -> io::Result<()> {
    match running.begin_trial(&keys) {
        Err(failed) => say(writer, &Response::Failed(failed)).await,
        Ok((response, trial)) => {
            say(writer, &response).await?;
            let _ = timeout(TRIAL_TIMEOUT, reader.read(&mut [0])).await;
            drop(trial);
            Ok(())
        }
    }
}

async fn watch(writer: &mut (impl AsyncWriteExt + Unpin), running: Arc<Running>) -> io::Result<()> {
    while !running.is_stopping() {
        say(writer, &answer(running.clone(), Request::Status).await).await?;
        sleep(WATCH_PERIOD).await;
    }
    Ok(())
}

/// Answers on a thread that may wait: changes are on disk before they are acknowledged.
async fn answer(running: Arc<Running>, request: Request) -> Response {
    let answered = tokio::task::spawn_blocking(move || running.answer(request)).await;
    answered.unwrap_or_else(|_| {
        let message = "the daemon stumbled over this request; its log says where".to_owned();
        Response::Failed(Failed { kind: FailedKind::Failed, message })
    })
}

async fn say(writer: &mut (impl AsyncWriteExt + Unpin), response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}
