//! The asking end: connects, asks, waits for the answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LINE_BYTES, Request, Response};

/// How long an answer may take: an owner's search over a cold index is the slowest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("the daemon is not running (nobody listens on {0})")]
    NotRunning(PathBuf),
    /// The socket does not admit this user.
    #[error("not allowed on {0}: only root and the daemon's own user are")]
    NotAllowed(PathBuf),
    /// It broke off.
    #[error("the daemon broke off: {0}")]
    Io(#[from] io::Error),
    /// It said something that this program does not understand: another version.
    #[error("the daemon's answer is not understood; are both of the same version? ({0})")]
    Protocol(#[from] serde_json::Error),
}

/// A connection to the daemon, for one request.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the daemon's socket.
    pub fn connect(socket: &Path) -> Result<Client, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(socket.to_owned()),
            io::ErrorKind::PermissionDenied => ClientError::NotAllowed(socket.to_owned()),
            _ => ClientError::Io(error),
        })?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Asks and waits for the (first) answer.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // Whom the daemon does not admit it tells so unasked, and hangs up: that is still there to be read.
        let sent = self.stream.get_mut().write_all(&line);
        let answer = self.receive()?;
        answer.ok_or_else(|| sent.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()).into())
    }

    /// The next answer of a [`Request::Watch`]; `None` when the daemon has closed.
    pub fn receive(&mut self) -> Result<Option<Response>, ClientError> {
        let mut line = Vec::new();
        let length = (&mut self.stream).take(LINE_BYTES as u64).read_until(b'\n', &mut line)?;
        match length {
            0 => Ok(None),
            _ => Ok(Some(serde_json::from_slice(&line)?)),
        }
    }
}
