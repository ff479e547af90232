//! HTTP/1.1 connections to the server: kept while they are idle, opened where none is, never more than a few at once.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;

use crate::bridge::tunnel::Unreachable;
use crate::bridge::way::{Duplex, Way};
use crate::limits::BRIDGE_CONNECTIONS;

/// The connections of one bridge.
#[derive(Debug)]
pub(super) struct Pool {
    way: Arc<Way>,
    idle: Mutex<Vec<Connection<Full<Bytes>>>>,
    places: Arc<Semaphore>,
    /// The last reason why the server was not to be reached: what one request has learnt, all that wait have learnt.
    outage: watch::Sender<Option<Unreachable>>,
}

/// A connection in use for one request. Dropped before its answer is read to the end, the connection ends, which is how a request is
/// cancelled.
pub(super) struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection<Full<Bytes>>>,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(way: Arc<Way>) -> Arc<Pool> {
        let places = Arc::new(Semaphore::new(BRIDGE_CONNECTIONS));
        Arc::new(Pool { way, idle: Mutex::default(), places, outage: watch::Sender::new(None) })
    }

    /// The way the connections go.
    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Waits for a place among the connections, unless those who have one find that the server is not to be reached.
    pub(super) async fn place(self: &Arc<Pool>) -> Result<Lease, Unreachable> {
        let mut outage = self.outage.subscribe();
        tokio::select! {
            // A place that became free because its holder gave up is none.
            biased;
            Ok(()) = outage.changed() => {
                let reason = outage.borrow().clone();
                Err(reason.expect("an outage is never unsaid"))
            }
            place = Arc::clone(&self.places).acquire_owned() => {
                let place = place.expect("the semaphore is never closed");
                Ok(Lease { pool: Arc::clone(self), connection: None, _place: place })
            }
        }
    }
}

impl Lease {
    /// Tells all who wait for a place that there is no use in it.
    pub(super) fn tell(&self, reason: &Unreachable) {
        self.pool.outage.send_replace(Some(reason.clone()));
    }

    /// Takes an idle connection that still stands; false where there is none.
    pub(super) async fn reuse(&mut self) -> bool {
        loop {
            let Some(mut connection) = self.pool.idle.lock().pop() else { return false };
            if connection.sender.ready().await.is_ok() {
                self.connection = Some(connection);
                return true;
            }
        }
    }

    /// Opens a connection in place of the one there was.
    pub(super) async fn renew(&mut self, deadline: Instant) -> Result<(), Unreachable> {
        self.connection = None;
        self.connection = Some(Connection::begin(self.pool.way.open(deadline).await?).await?);
        Ok(())
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let connection = self.connection.as_mut().expect("a lease is given a connection before it is used");
        connection.sender.send_request(request).await
    }

    /// Keeps the connection for the next request: the answer has been read to its end.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take().filter(|connection| !connection.sender.is_closed()) {
            self.pool.idle.lock().push(connection);
        }
    }
}

/// HTTP/1.1 on a stream, which goes with this value: at once, for that is what tells the server to stop.
#[derive(Debug)]
pub(super) struct Connection<B> {
    pub(super) sender: SendRequest<B>,
    task: AbortHandle,
}

impl<B> Connection<B>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) async fn begin(stream: Box<dyn Duplex>) -> Result<Connection<B>, Unreachable> {
        let begun = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = begun.map_err(|error| Unreachable::Refused { reason: error.to_string() })?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the server ended");
            }
        });
        Ok(Connection { sender, task: task.abort_handle() })
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
