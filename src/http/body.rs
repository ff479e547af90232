//! The body of an answer, and the ticket that goes along with it: what is to be recorded once the last byte is handed over.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use jiff::Timestamp;

use super::Appliance;
use super::file::FileBody;
use crate::access::audit::{Note, Record, Verdict};
use crate::access::limits::Permit;
use crate::peer::PeerId;

/// What is sent.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// Bytes that are all there.
    Whole(Bytes),
    /// A file, read as it is sent.
    File(Box<FileBody>),
}

impl Content {
    pub(super) fn whole(bytes: Bytes) -> Content {
        match bytes.is_empty() {
            true => Content::Empty,
            false => Content::Whole(bytes),
        }
    }

    pub(super) fn file(file: FileBody) -> Content {
        match file.left() {
            0 => Content::Empty,
            _ => Content::File(Box::new(file)),
        }
    }

    /// Bytes still to be sent.
    pub(super) fn left(&self) -> u64 {
        match self {
            Content::Empty => 0,
            Content::Whole(bytes) => bytes.len() as u64,
            Content::File(file) => file.left(),
        }
    }
}

/// The body as hyper takes it.
#[derive(Debug)]
pub(super) struct Body {
    content: Content,
    ticket: Ticket,
}

impl Body {
    pub(super) fn new(content: Content, mut ticket: Ticket) -> Body {
        ticket.complete = content.left() == 0;
        Body { content, ticket }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.content {
            Content::Empty => return Poll::Ready(None),
            Content::Whole(bytes) => std::mem::take(bytes),
            Content::File(file) if file.left() == 0 => return Poll::Ready(None),
            Content::File(file) => match ready!(file.poll_piece(context)) {
                Ok(piece) => piece,
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
        };
        if piece.is_empty() {
            return Poll::Ready(None);
        }
        self.ticket.sent += piece.len() as u64;
        self.ticket.complete = self.content.left() == 0;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.left())
    }
}

/// A request from its header to its answer's last byte. Dropping it counts and records the call, however it ended.
pub(super) struct Ticket {
    appliance: Arc<Appliance>,
    /// Who asks.
    pub(super) peer: PeerId,
    /// The answer's `X-Request-Id`.
    pub(super) request_id: String,
    /// When the header was read.
    pub(super) started: Timestamp,
    /// The route's name, once known.
    pub(super) route: &'static str,
    /// What it was about: usually one note, one per message in a batch.
    pub(super) notes: Vec<Note>,
    /// The answer's status.
    pub(super) status: u16,
    /// The code of the refusal, where it was one.
    pub(super) refused: Option<&'static str>,
    /// Held as long as the request counts as being answered.
    pub(super) permit: Option<Arc<Permit>>,
    /// The configured foreign origin it comes from, if it does.
    pub(super) cross_origin: Option<HeaderValue>,
    sent: u64,
    complete: bool,
    after: Option<Box<dyn FnOnce() + Send>>,
}

impl Ticket {
    pub(super) fn new(appliance: Arc<Appliance>, peer: PeerId, after: impl FnOnce() + Send + 'static) -> Ticket {
        let started = appliance.shell.now();
        let request_id = appliance.traffic.counters.next_request_id(started);
        Ticket {
            appliance,
            peer,
            request_id,
            started,
            route: "none",
            notes: Vec::new(),
            status: 0,
            refused: None,
            permit: None,
            cross_origin: None,
            sent: 0,
            complete: false,
            after: Some(Box::new(after)),
        }
    }

    fn verdict(&self) -> Verdict {
        match self.refused {
            _ if !self.complete => Verdict::Abandoned,
            Some(code @ "unrecorded") => Verdict::Refused(code),
            _ if self.status >= 500 => Verdict::Failed,
            Some(code) => Verdict::Refused(code),
            None => Verdict::Served,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(after) = self.after.take() {
            after();
        }
        let now = self.appliance.shell.now();
        let traffic = &self.appliance.traffic;
        traffic.limiter.charge(now, self.peer, self.sent);
        let milliseconds = now.duration_since(self.started).as_millis().max(0).unsigned_abs() as u64;
        traffic.counters.count(self.route, self.status, self.sent, milliseconds);
        let verdict = self.verdict();
        let mut notes = std::mem::take(&mut self.notes);
        if notes.is_empty() {
            notes.push(Note::default());
        }
        for note in notes {
            let verdict = note.refused.map_or(verdict, Verdict::Refused);
            self.appliance.shell.record(Record {
                at: self.started,
                peer: self.peer,
                request_id: self.request_id.clone(),
                route: self.route,
                note,
                bytes: self.sent,
                milliseconds,
                status: self.status,
                verdict,
            });
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("request_id", &self.request_id).field("route", &self.route).finish()
    }
}
