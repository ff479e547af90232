//! MCP on stdin and stdout: a line in is a message to the server, a line out is its answer. Requests run side by side.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::bridge::lines::{Line, Lines};
use crate::bridge::message::{INVALID_REQUEST, Kind, Message, error_line, key};
use crate::bridge::pool::Pool;
use crate::bridge::relay::Relay;
use crate::limits::{BRIDGE_DRAIN_SECS, BRIDGE_MESSAGES, BRIDGE_OUT_LINES};

/// Requests under way, by their ids, each with what takes it back.
type UnderWay = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

/// Relays until the agent's input ends and what is under way is answered, or its output is closed.
pub(super) async fn serve(
    pool: Arc<Pool>,
    host: HeaderValue,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (out, lines) = mpsc::channel(BRIDGE_OUT_LINES);
    let mut writer = tokio::spawn(write(lines, output));
    let mut session = Session {
        relay: Arc::new(Relay::new(pool, host, out)),
        under_way: UnderWay::default(),
        places: Arc::new(Semaphore::new(BRIDGE_MESSAGES)),
        tasks: JoinSet::new(),
    };
    let is_read = tokio::select! {
        () = session.read(Lines::new(input)) => true,
        _ = &mut writer => false,
    };
    if is_read {
        // The last sender of lines goes with the session: then the writer has written all there is.
        let drain = tokio::time::timeout(Duration::from_secs(BRIDGE_DRAIN_SECS), async {
            session.finish().await;
            writer.await
        });
        let _ = drain.await;
    }
}

async fn write(mut lines: mpsc::Receiver<Vec<u8>>, mut output: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    while let Some(mut line) = lines.recv().await {
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

struct Session {
    relay: Arc<Relay>,
    under_way: UnderWay,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Session {
    async fn read<R: AsyncRead + Unpin>(&mut self, mut lines: Lines<R>) {
        loop {
            match lines.next().await {
                Ok(Some(Line::Whole(line))) => self.take(line).await,
                Ok(Some(Line::TooLong)) => {
                    self.relay.say(error_line(None, INVALID_REQUEST, "the line is too long")).await
                }
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "reading stdin failed"),
            }
        }
    }

    async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    async fn take(&mut self, line: Bytes) {
        let message = match Message::parse(&line) {
            Ok(message) => message,
            Err(refused) => return self.relay.say(error_line(None, refused.code, refused.reason)).await,
        };
        if let Some(cancelled) = message.cancels().and_then(|id| self.under_way.lock().remove(&id)) {
            let _ = cancelled.send(());
        }
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        while self.tasks.try_join_next().is_some() {}
        let (relay, under_way) = (Arc::clone(&self.relay), Arc::clone(&self.under_way));
        let taken_back = self.note(&message);
        self.tasks.spawn(async move {
            tokio::select! {
                () = relay.relay(&message, line) => {}
                Ok(()) = taken_back => {}
            }
            // A later request with the same id has a sender that still listens: it stays.
            let mut under_way = under_way.lock();
            under_way.retain(|_, cancel| !cancel.is_closed());
            drop(place);
        });
    }

    /// Notes a request as under way; what is answered here resolves when the agent takes it back.
    fn note(&self, message: &Message) -> oneshot::Receiver<()> {
        let (cancel, taken_back) = oneshot::channel();
        if let (Kind::Request, Some(id)) = (&message.kind, &message.id) {
            self.under_way.lock().insert(key(id), cancel);
        }
        taken_back
    }
}
