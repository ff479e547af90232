//! A file as a body, read in pieces: what the kernel has in memory at once, the rest on threads that may block, one piece ahead of what is sent.
//! Whatever the file's size, three pieces are in memory; when the peer is slow, nothing is read and no thread waits.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::oneshot;
use rustix::io::{ReadWriteFlags, preadv2};

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
    /// Where the next byte to be read lies in the file, and where the part ends.
    next: u64,
    end: u64,
    file: Option<File>,
    reading: Option<oneshot::Receiver<Read>>,
    /// The last two pieces, the latest first: their memory is used again. When a piece is asked for, of the one before it some is still to be
    /// sent, and memory that is new for each costs more than to fill it.
    spent: [Bytes; 2],
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
    /// `length` bytes from this place in the file.
    pub(super) fn new(file: File, next: u64, length: u64, watch: Watch) -> FileBody {
        let end = next.saturating_add(length);
        FileBody { left: length, next, end, file: Some(file), reading: None, spent: Default::default(), watch }
    }

    /// Bytes not yet handed over.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; an error when the file is shorter than it was, can't be read, or may no longer be.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            let (recheck, memory) = (self.watch.changed(), self.memory());
            // To ask again whether it may be read takes the disk.
            let cached = if recheck.is_none() { self.read_cached(memory) } else { Err(memory) };
            match cached {
                Ok(piece) => return Poll::Ready(Ok(self.hand_over(piece))),
                Err(memory) => self.read(recheck, memory),
            }
        }
        let Some(reading) = self.reading.as_mut() else {
            return Poll::Ready(Err(io::Error::other("nothing is left to read")));
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        // The sender is dropped unused when the read panicked.
        let (file, piece) = read.map_err(|_| io::Error::other("the read was given up"))??;
        self.file = Some(file);
        let (recheck, memory) = (self.watch.changed(), self.memory());
        let piece = self.hand_over(piece);
        // The disk is slower than we are: it goes on while this piece is sent.
        self.read(recheck, memory);
        Poll::Ready(Ok(piece))
    }

    fn hand_over(&mut self, piece: Vec<u8>) -> Bytes {
        let piece = Bytes::from(piece);
        self.left -= piece.len() as u64;
        self.next += piece.len() as u64;
        let before = std::mem::take(&mut self.spent[0]);
        self.spent = [piece.clone(), before];
        piece
    }

    /// That of an earlier piece which is sent, or none.
    fn memory(&mut self) -> Vec<u8> {
        for spent in self.spent.iter_mut().rev() {
            match std::mem::take(spent).try_into_mut() {
                Ok(memory) => return memory.into(),
                Err(held) => *spent = held,
            }
        }
        Vec::new()
    }

    /// How long the next piece is, in bytes.
    fn wanted(&self) -> usize {
        (self.end - self.next).min(FILE_PIECE_BYTES) as usize
    }

    /// The next piece, or the beginning of it, if that needs no disk. Otherwise the memory comes back.
    fn read_cached(&self, mut memory: Vec<u8>) -> Result<Vec<u8>, Vec<u8>> {
        let Some(file) = &self.file else { return Err(memory) };
        memory.resize(self.wanted(), 0);
        match preadv2(file, &mut [IoSliceMut::new(&mut memory)], self.next, ReadWriteFlags::NOWAIT) {
            Ok(length @ 1..) => {
                memory.truncate(length);
                Ok(memory)
            }
            // Not in memory, or a file system that can't say so; or what is wrong, the other way finds out.
            _ => Err(memory),
        }
    }

    /// Starts reading the next piece, if one is left.
    fn read(&mut self, recheck: Option<Recheck>, memory: Vec<u8>) {
        let (wanted, from) = (self.wanted(), self.next);
        if wanted == 0 {
            return;
        }
        let Some(file) = self.file.take() else { return };
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            let allowed = recheck.map_or(Ok(()), |recheck| recheck.check());
            let piece = allowed.and_then(|()| read(file, from, wanted, memory));
            // The peer may be gone by now.
            let _ = sender.send(piece);
        };
        self.watch.appliance.shell.blocking(self.watch.peer, Box::new(work));
        self.reading = Some(receiver);
    }
}

/// Reads exactly `wanted` bytes into this memory.
fn read(file: File, from: u64, wanted: usize, mut memory: Vec<u8>) -> Read {
    // What was there before stays where it is: it need not be cleared.
    memory.resize(wanted, 0);
    file.read_exact_at(&mut memory, from)?;
    Ok((file, memory))
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
