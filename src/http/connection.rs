//! One connection: hyper over a watched line, with a time for headers and a time for silence.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

use super::line::{Line, Phase};
use super::{Appliance, Shell, answer};
use crate::peer::PeerId;

/// hyper's read buffer as a multiple of `limits.header`. A header somewhat too large is still read, so that it can be refused with a
/// sentence; beyond this hyper closes with a bare 431.
const HEADER_ROOM: usize = 4;

/// Smallest buffer that hyper takes, in bytes.
const BUFFER_MIN_BYTES: usize = 8 * 1024;

/// Serves one connection until its end.
pub(super) async fn serve<S, F>(stream: S, peer: PeerId, appliance: Arc<Appliance>, stop: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let limits = appliance.config.load().limits.clone();
    let line = Line::new(stream);
    let service = {
        let (line, appliance) = (line.clone(), Arc::clone(&appliance));
        service_fn(move |request| {
            line.set_phase(Phase::Answering);
            let line = line.clone();
            answer::answer(Arc::clone(&appliance), peer, request, move || line.set_phase(Phase::Idle))
        })
    };
    let connection = http1::Builder::new()
        .half_close(true)
        .auto_date_header(false)
        .max_buf_size((HEADER_ROOM * limits.header).max(BUFFER_MIN_BYTES))
        .writev(true)
        .serve_connection(line.clone(), service);

    let mut connection = pin!(connection);
    let mut watch = Watch::new(line, Arc::clone(&appliance.shell), limits.header_timeout, limits.idle_timeout);
    let mut stop = pin!(stop);
    let mut stopping = false;
    poll_fn(|context| {
        if !stopping && stop.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        // Before hyper, which then reads what was read ahead.
        if watch.poll_hangup(context).is_ready() {
            return Poll::Ready(());
        }
        // What goes wrong on a line is the peer's affair: it has been told, or is gone.
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // After hyper, whose reads and writes set the alarms.
        watch.poll_alarms(context)
    })
    .await;
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gives a connection up when a header takes too long, when nothing moves, and when the peer has hung up on its answer.
struct Watch<S> {
    line: Line<S>,
    shell: Arc<dyn Shell>,
    header_timeout: Duration,
    idle_timeout: Duration,
    header: Option<(Phase, Sleep)>,
    idle: Sleep,
    moved_at: Timestamp,
}

impl<S: AsyncRead + Unpin> Watch<S> {
    fn new(line: Line<S>, shell: Arc<dyn Shell>, header_timeout: Duration, idle_timeout: Duration) -> Self {
        let (idle, moved_at) = (shell.sleep(idle_timeout), shell.now());
        Watch { line, shell, header_timeout, idle_timeout, header: None, idle, moved_at }
    }

    /// Resolves when the peer has gone away from its answer.
    fn poll_hangup(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.line.poll_hangup(context)
    }

    /// Resolves when a header or the silence has taken too long.
    fn poll_alarms(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let phase = self.line.phase();
        if self.poll_header(context, phase).is_ready() {
            return Poll::Ready(());
        }
        self.poll_idle(context)
    }

    fn poll_header(&mut self, context: &mut Context<'_>, phase: Phase) -> Poll<()> {
        if !matches!(phase, Phase::Header(_)) {
            self.header = None;
            return Poll::Pending;
        }
        if self.header.as_ref().is_none_or(|(watched, _)| *watched != phase) {
            self.header = Some((phase, self.shell.sleep(self.header_timeout)));
        }
        self.header.as_mut().map_or(Poll::Pending, |(_, sleep)| sleep.as_mut().poll(context))
    }

    /// Looks at the clock only when something has moved, and sets the alarm anew only when it rings.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.line.take_moved() {
            self.moved_at = self.shell.now();
        }
        while self.idle.as_mut().poll(context).is_ready() {
            let silent = self.shell.now().duration_since(self.moved_at).unsigned_abs();
            let Some(left) = self.idle_timeout.checked_sub(silent).filter(|left| !left.is_zero()) else {
                return Poll::Ready(());
            };
            self.idle = self.shell.sleep(left);
        }
        Poll::Pending
    }
}
