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

use crate::bridge::tunnel::Unreachable;
use crate::bridge::way::Way;
use crate::limits::BRIDGE_CONNECTIONS;

type Sender = SendRequest<Full<Bytes>>;

/// The connections of one bridge.
#[derive(Debug)]
pub(super) struct Pool {
    way: Arc<Way>,
    idle: Mutex<Vec<Sender>>,
    places: Arc<Semaphore>,
    /// The last reason why the server was not to be reached: what one request has learnt, all that wait have learnt.
    outage: watch::Sender<Option<Unreachable>>,
}

/// A connection in use for one request. Dropped before its answer is read to the end, the connection ends, which is how a request is
/// cancelled.
pub(super) struct Lease {
    pool: Arc<Pool>,
    sender: Option<Sender>,
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
                Ok(Lease { pool: Arc::clone(self), sender: None, _place: place })
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
            let Some(mut sender) = self.pool.idle.lock().pop() else { return false };
            if sender.ready().await.is_ok() {
                self.sender = Some(sender);
                return true;
            }
        }
    }

    /// Opens a connection in place of the one there was.
    pub(super) async fn renew(&mut self, deadline: Instant) -> Result<(), Unreachable> {
        self.sender = None;
        let stream = self.pool.way.open(deadline).await?;
        self.sender = Some(connect(stream).await?);
        Ok(())
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let sender = self.sender.as_mut().expect("a lease is given a connection before it is used");
        sender.send_request(request).await
    }

    /// Keeps the connection for the next request: the answer has been read to its end.
    pub(super) fn give_back(mut self) {
        if let Some(sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            self.pool.idle.lock().push(sender);
        }
    }
}

/// Begins HTTP/1.1 on a stream.
pub(super) async fn connect<B>(stream: Box<dyn super::way::Duplex>) -> Result<SendRequest<B>, Unreachable>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let started = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = started.map_err(|error| Unreachable::Refused { reason: error.to_string() })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the server ended");
        }
    });
    Ok(sender)
}
