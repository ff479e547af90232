//! One message from the agent in, its answer from the server out: over a connection that is kept or a new one, again when it broke.
//! Everything that adit's tools do is reading, so a call that was caught in the middle may be made again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::bridge::answer::{self, Cut};
use crate::bridge::events::EventReader;
use crate::bridge::message::{Message, NO_ANSWER, error_line};
use crate::bridge::pool::{Lease, Pool};
use crate::bridge::talk;
use crate::bridge::tunnel::Unreachable;
use crate::limits::{
    BRIDGE_ANSWER_BYTES, BRIDGE_ATTEMPTS, BRIDGE_BUSY_SECS, BRIDGE_PROBE_MILLIS, BRIDGE_REACH_MILLIS,
    BRIDGE_SILENCE_MILLIS, BRIDGE_TAKEOVER_MILLIS,
};
use crate::link::clock;

/// Relays messages of one agent.
pub(super) struct Relay {
    pool: Arc<Pool>,
    host: HeaderValue,
    out: mpsc::Sender<Vec<u8>>,
    /// The revision that `initialize` has agreed on.
    agreed: Mutex<Option<String>>,
    /// The last failure that was said on stderr: it is said once, until it is another.
    said: Mutex<Option<String>>,
}

/// Why a message was not answered by the server.
#[derive(Debug)]
enum Failure {
    Unreachable(Unreachable),
    Cut(Cut),
    Busy,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(reason) => reason.fmt(f),
            Failure::Cut(reason) => reason.fmt(f),
            Failure::Busy => {
                write!(f, "the server has been busy for {BRIDGE_BUSY_SECS} s: fewer calls at once will be answered")
            }
        }
    }
}

/// How one attempt ended.
enum Outcome {
    /// Everything there is has been said; the connection may be kept or not.
    Answered { keep: bool },
    /// The server wants to be asked again, over the same connection.
    Later(Duration),
}

/// When the server last gave a sign of life to this call; at first, when the call began.
struct Progress(Mutex<Instant>);

impl Relay {
    /// A relay over these connections, to the server of this `Host`, whose answers go to `out`.
    pub(super) fn new(pool: Arc<Pool>, host: HeaderValue, out: mpsc::Sender<Vec<u8>>) -> Relay {
        Relay { pool, host, out, agreed: Mutex::default(), said: Mutex::default() }
    }

    /// Says a line to the agent.
    pub(super) async fn say(&self, line: Vec<u8>) {
        // Without a reader the bridge ends as a whole.
        let _ = self.out.send(line).await;
    }

    /// Relays a message and its answer. A request is always answered, by an error if need be.
    pub(super) async fn relay(&self, message: &Message, body: Bytes) {
        match self.call(message, body).await {
            Ok(()) => *self.said.lock() = None,
            Err(failure) => {
                let reason = failure.to_string();
                if self.said.lock().replace(reason.clone()).as_ref() != Some(&reason) {
                    talk::say(&reason);
                }
                if answer::wants_answer(message) {
                    self.say(error_line(message.id.as_deref(), NO_ANSWER, &reason)).await;
                }
            }
        }
    }

    async fn call(&self, message: &Message, body: Bytes) -> Result<(), Failure> {
        let mut lease = self.pool.place().await.map_err(Failure::Unreachable)?;
        let called = self.call_over(&mut lease, message, body).await;
        match &called {
            Ok(true) => lease.give_back(),
            Err(Failure::Unreachable(reason)) => lease.tell(reason),
            _ => {}
        }
        called.map(drop)
    }

    /// Answers whether the connection may be kept.
    async fn call_over(&self, lease: &mut Lease, message: &Message, body: Bytes) -> Result<bool, Failure> {
        let begun = clock::now();
        let progress = Progress(Mutex::new(begun));
        let mut connected = lease.reuse().await;
        let mut attempts = 0;
        loop {
            if !connected {
                lease
                    .renew(progress.last() + Duration::from_millis(BRIDGE_REACH_MILLIS))
                    .await
                    .map_err(Failure::Unreachable)?;
            }
            match self.attempt(lease, message, body.clone(), &progress).await {
                Ok(Outcome::Answered { keep }) => return Ok(keep),
                Ok(Outcome::Later(pause)) if clock::now() + pause < begun + Duration::from_secs(BRIDGE_BUSY_SECS) => {
                    tokio::time::sleep(pause).await;
                    connected = true;
                }
                Ok(Outcome::Later(_)) => return Err(Failure::Busy),
                Err(Failure::Cut(Cut::Connection(_) | Cut::Unanswered)) if attempts + 1 < BRIDGE_ATTEMPTS => {
                    // The first time at once; after that, somebody else is given time to become the owner.
                    tokio::time::sleep(Duration::from_millis(BRIDGE_TAKEOVER_MILLIS) * ((1 << attempts) - 1)).await;
                    attempts += 1;
                    connected = false;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Sends the message once. While nothing comes back, the server is looked for: it may be thinking, or gone.
    async fn attempt(
        &self,
        lease: &mut Lease,
        message: &Message,
        body: Bytes,
        progress: &Progress,
    ) -> Result<Outcome, Failure> {
        tokio::select! {
            outcome = self.exchange(lease, message, body, progress) => outcome.map_err(Failure::Cut),
            reason = self.look_for_server(progress) => Err(Failure::Unreachable(reason)),
        }
    }

    /// Ends only when the server is not to be reached.
    async fn look_for_server(&self, progress: &Progress) -> Unreachable {
        loop {
            let silent_at = progress.last() + Duration::from_millis(BRIDGE_SILENCE_MILLIS);
            tokio::time::sleep_until(silent_at.into()).await;
            let now = clock::now();
            if now < progress.last() + Duration::from_millis(BRIDGE_SILENCE_MILLIS) {
                continue;
            }
            match self.pool.way().open(now + Duration::from_millis(BRIDGE_PROBE_MILLIS)).await {
                Ok(mut stream) => {
                    let _ = stream.shutdown().await;
                    progress.note();
                }
                Err(reason) => return reason,
            }
        }
    }

    async fn exchange(
        &self,
        lease: &mut Lease,
        message: &Message,
        body: Bytes,
        progress: &Progress,
    ) -> Result<Outcome, Cut> {
        let (head, mut body) = lease.send(self.request(message, body)).await?.into_parts();
        progress.note();
        if answer::is_event_stream(&head) {
            return self.take_events(message, &mut body, progress).await;
        }
        let whole = collect(&mut body, progress).await?;
        if let Some(secs) = answer::busy_secs(head.status, &head.headers) {
            return Ok(Outcome::Later(Duration::from_secs(secs)));
        }
        if answer::wants_answer(message) {
            self.take_line(message, answer::line_of(head.status, whole, message)).await;
        } else if !head.status.is_success() {
            tracing::debug!(status = %head.status, "the server did not take a notification");
        }
        Ok(Outcome::Answered { keep: true })
    }

    async fn take_events(&self, message: &Message, body: &mut Incoming, progress: &Progress) -> Result<Outcome, Cut> {
        let mut events = EventReader::default();
        while let Some(bytes) = answer::next_bytes(body).await? {
            progress.note();
            for event in events.take(&bytes).map_err(|_| Cut::TooLarge)? {
                let is_answer = answer::is_answer(&event, message);
                self.take_line(message, answer::one_line(event)).await;
                if is_answer {
                    return Ok(Outcome::Answered { keep: hyper::body::Body::is_end_stream(body) });
                }
            }
        }
        match answer::wants_answer(message) {
            true => Err(Cut::Unanswered),
            false => Ok(Outcome::Answered { keep: true }),
        }
    }

    async fn take_line(&self, message: &Message, line: Vec<u8>) {
        if message.is_initialize()
            && let Some(revision) = answer::agreed_revision(&line)
        {
            *self.agreed.lock() = Some(revision);
        }
        self.say(line).await;
    }

    fn request(&self, message: &Message, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/mcp");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.extend(message.headers(self.agreed.lock().as_deref()));
        request
    }
}

impl Progress {
    fn last(&self) -> Instant {
        *self.0.lock()
    }

    fn note(&self) {
        *self.0.lock() = clock::now();
    }
}

async fn collect(body: &mut Incoming, progress: &Progress) -> Result<Vec<u8>, Cut> {
    let mut whole = Vec::new();
    while let Some(bytes) = answer::next_bytes(body).await? {
        progress.note();
        if whole.len() + bytes.len() > BRIDGE_ANSWER_BYTES {
            return Err(Cut::TooLarge);
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}
