//! A node on a real socket, for both ends: batches of datagrams in and out, the clock, the drive loop, and streams as
//! `AsyncRead + AsyncWrite`.

mod batch;
pub mod clock;
mod drive;
mod handshakes;
mod socket;
mod stream;
mod udp;
mod wakeups;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::limits::{EVENTS, PARTING_MILLIS, SENDERS};
use crate::node::{ConnectError, Event, Node};
use crate::peer::PeerId;

use drive::Drive;
pub use stream::Stream;
pub use udp::bind;
pub use wakeups::Wakeups;

/// Why a stream does not stand.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The node would not begin.
    #[error(transparent)]
    Refused(#[from] ConnectError),
    /// The other end, or the removal of its peer, ended it before it stood.
    #[error("the connection was refused: {0}")]
    Ended(#[source] io::Error),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// A node at work on a socket, until it is stopped or dropped.
#[derive(Debug)]
pub struct Link {
    drive: Arc<Drive>,
    events: Mutex<mpsc::Receiver<Event>>,
    tasks: Mutex<JoinSet<()>>,
    senders: Mutex<JoinSet<()>>,
    stopping: watch::Sender<bool>,
}

impl Link {
    /// Puts a node to work on a bound socket, in tasks of this runtime.
    pub fn start(runtime: &Handle, socket: UdpSocket, node: Arc<Node>) -> io::Result<Link> {
        let _inside = runtime.enter();
        let drive = Drive::new(node, udp::Udp::new(socket)?);
        let (to, events) = mpsc::channel(EVENTS);
        let tasks = Mutex::new(drive.spawn(&to, runtime));
        let stopping = watch::Sender::new(false);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let senders = Mutex::new(drive.spawn_senders(cores.min(SENDERS), &stopping, runtime));
        Ok(Link { drive, events: Mutex::new(events), tasks, senders, stopping })
    }

    /// The node that is at work.
    pub fn node(&self) -> &Arc<Node> {
        &self.drive.node
    }

    /// Where the socket is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.drive.udp.local_addr()
    }

    /// The next thing that happened; `None` once the link has stopped.
    pub async fn event(&self) -> Option<Event> {
        let mut events = self.events.lock().await;
        // What did not fit the channel waits in the node.
        if events.is_empty()
            && let Some(event) = self.drive.node.poll_event()
        {
            return Some(event);
        }
        let mut ended = self.drive.ended.subscribe();
        tokio::select! {
            event = events.recv() => event,
            _ = ended.wait_for(|ended| *ended) => None,
        }
    }

    /// The next stream that a peer opened; `None` once the link has stopped. Other events are passed over.
    pub async fn accept(&self) -> Option<Stream> {
        loop {
            if let Event::Accepted(stream) = self.event().await? {
                return Some(stream.into());
            }
        }
    }

    /// Opens a stream to a peer's inner address and waits until it stands, at most this long.
    pub async fn connect(&self, peer: PeerId, to: SocketAddr, patience: Duration) -> Result<Stream, OpenError> {
        let mut stream = Stream::from(self.drive.node.connect(clock::now(), peer, to)?);
        match tokio::time::timeout(patience, stream.established()).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(error)) => Err(OpenError::Ended(error)),
            Err(_) => Err(OpenError::TimedOut(patience)),
        }
    }

    /// Ends all tasks, after what the node still wants sent has left (the ends of its streams): briefly, for nobody waits for it.
    pub async fn stop(&self) {
        self.tasks.lock().await.shutdown().await;
        self.stopping.send_replace(true);
        let mut senders = self.senders.lock().await;
        let parting = async { while senders.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(PARTING_MILLIS), parting).await;
        senders.shutdown().await;
    }

    /// Why the tasks woke so far.
    pub fn wakeups(&self) -> Wakeups {
        self.drive.wakeups.read()
    }

    /// What happened on the socket, by the names of metrics.
    pub fn counters(&self) -> [(&'static str, u64); 6] {
        let counters = &self.drive.udp.counters;
        [
            ("udp_received", &counters.received),
            ("udp_sent", &counters.sent),
            ("udp_unsent", &counters.unsent),
            ("udp_receive_errors", &counters.receive_errors),
            ("udp_send_waits", &counters.send_waits),
            ("dropped_handshakes_waiting", &self.drive.handshakes.dropped),
        ]
        .map(|(name, counter)| (name, counter.load(Relaxed)))
    }
}
