//! A file as a body: read in pieces on threads that may block, one piece ahead of what is sent. Whatever the file's size, three pieces are in
//! memory; when the peer is slow, nothing is read and no thread waits.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::oneshot;

use super::Appliance;
use crate::access::Policy;
use crate::limits::FILE_PIECE_BYTES;
use crate::peer::PeerId;

/// A piece, and the file that it was read from.
type Read = io::Result<(File, Vec<u8>)>;

/// A part of a file on its way to a peer.
pub(super) struct FileBody {
    /// Bytes not yet handed over.
    left: u64,
    /// Bytes not yet read.
    unread: u64,
    file: Option<File>,
    reading: Option<oneshot::Receiver<Read>>,
    /// The piece before, whose memory is used again once it is sent.
    spent: Bytes,
    watch: Watch,
}

/// What it takes to know that the peer may still read this file.
pub(super) struct Watch {
    pub(super) appliance: Arc<Appliance>,
    pub(super) peer: PeerId,
    pub(super) id: String,
    /// The policy under which it was last allowed.
    pub(super) policy: Arc<Policy>,
}

impl FileBody {
    /// `length` bytes from where the file stands.
    pub(super) fn new(file: File, length: u64, watch: Watch) -> FileBody {
        FileBody { left: length, unread: length, file: Some(file), reading: None, spent: Bytes::new(), watch }
    }

    /// Bytes not yet handed over.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; an error when the file is shorter than it was, can't be read, or may no longer be.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.read_ahead();
        let Some(reading) = self.reading.as_mut() else {
            return Poll::Ready(Err(io::Error::other("nothing is left to read")));
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        // The sender is dropped unused when the read panicked.
        let (file, piece) = read.map_err(|_| io::Error::other("the read was given up"))??;
        self.file = Some(file);
        let piece = Bytes::from(piece);
        self.left -= piece.len() as u64;
        self.unread -= piece.len() as u64;
        self.read_ahead();
        self.spent = piece.clone();
        Poll::Ready(Ok(piece))
    }

    /// Starts reading the next piece, unless one is being read or none is left.
    fn read_ahead(&mut self) {
        let wanted = self.unread.min(FILE_PIECE_BYTES);
        if wanted == 0 || self.reading.is_some() {
            return;
        }
        let Some(file) = self.file.take() else { return };
        let memory = std::mem::take(&mut self.spent).try_into_mut().map(Vec::from).unwrap_or_default();
        let recheck = self.watch.changed();
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            let piece = recheck.map_or(Ok(()), |recheck| recheck.check()).and_then(|()| read(file, wanted, memory));
            // The peer may be gone by now.
            let _ = sender.send(piece);
        };
        self.watch.appliance.shell.blocking(self.watch.peer, Box::new(work));
        self.reading = Some(receiver);
    }
}

/// Reads exactly `wanted` bytes into this memory.
fn read(file: File, wanted: u64, mut memory: Vec<u8>) -> Read {
    memory.clear();
    memory.reserve_exact(usize::try_from(wanted).map_err(io::Error::other)?);
    let mut part = file.take(wanted);
    let length = part.read_to_end(&mut memory)?;
    match length as u64 == wanted {
        true => Ok((part.into_inner(), memory)),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Watch {
    /// What to ask again where the policy has changed since it was last asked.
    fn changed(&mut self) -> Option<Recheck> {
        let policy = self.appliance.policy.load_full();
        if Arc::ptr_eq(&policy, &self.policy) {
            return None;
        }
        self.policy = Arc::clone(&policy);
        Some(Recheck { appliance: Arc::clone(&self.appliance), policy, peer: self.peer, id: self.id.clone() })
    }
}

struct Recheck {
    appliance: Arc<Appliance>,
    policy: Arc<Policy>,
    peer: PeerId,
    id: String,
}

impl Recheck {
    fn check(self) -> io::Result<()> {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let scope = self.policy.scope(self.peer).ok_or_else(denied)?;
        if !scope.allows(crate::access::Action::Read) {
            return Err(denied());
        }
        self.appliance.library.original(&scope, &self.id).map(|_| ()).map_err(|_| denied())
    }
}

impl std::fmt::Debug for FileBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBody").field("left", &self.left).finish_non_exhaustive()
    }
}
