//! From a request to its answer, in the order in which it may be refused: limits of the peer, the guard, the grant, the route, its method,
//! what it needs to be allowed. Then whoever knows the answer gives it, in time.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use jiff::Timestamp;

use super::body::{Body, Content, Ticket};
use super::bounded::{Cut, bounded};
use super::guard::{self, Admitted};
use super::refusal::Refusal;
use super::reply::Reply;
use super::route::Route;
use super::{Appliance, api, cors, health, metrics, original, page, tools};
use crate::access::audit::Note;
use crate::access::limits::{Allowance, Permit};
use crate::access::{Policy, Scope};
use crate::config::LimitsConfig;
use crate::mcp;
use crate::peer::PeerId;

/// Who asks, as it is known once a request is let in.
pub(super) struct Question {
    pub(super) peer: PeerId,
    pub(super) scope: Scope,
    /// The caller's public key: cursors are bound to it.
    pub(super) peer_key: [u8; 32],
    /// The policy under which it was let in.
    pub(super) policy: Arc<Policy>,
    /// The name it was asked by, as it stands in URLs.
    pub(super) host: String,
    pub(super) started: Timestamp,
    pub(super) permit: Option<Arc<Permit>>,
    /// What it was about; for the record.
    pub(super) notes: Vec<Note>,
}

impl Question {
    /// What the caller sees, as text: cursors are bound to that too.
    pub(super) fn rights(&self) -> String {
        format!("{:?}", self.scope.key())
    }

    /// Whether the caller's rights are still those under which it was let in.
    fn holds(&self, appliance: &Appliance) -> bool {
        let policy = appliance.policy.load();
        Arc::ptr_eq(&policy, &self.policy) || policy.scope(self.peer).as_ref() == Some(&self.scope)
    }
}

/// Answers one request. `after` is called once the answer's last byte is handed over.
pub(super) fn answer(
    appliance: Arc<Appliance>,
    peer: PeerId,
    mut request: Request<Incoming>,
    after: impl FnOnce() + Send + 'static,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send {
    request.extensions_mut().insert(peer);
    async move {
        let is_head = request.method() == Method::HEAD;
        let mut ticket = Ticket::new(Arc::clone(&appliance), peer, after);
        let timeout = appliance.shell.sleep(appliance.config.load().limits.call_timeout);
        // Pinned here: handed on by value, it would stand in this future several times over.
        let outcome = bounded(pin!(respond(&appliance, &mut ticket, request)), timeout).await;
        let mut reply = match outcome {
            Ok(Ok(reply)) => reply,
            Ok(Err(refusal)) => refusal.into_reply(&ticket.request_id),
            Err(Cut::Timeout) => Refusal::Timeout.into_reply(&ticket.request_id),
            Err(Cut::Panic) => {
                tracing::error!(request_id = ticket.request_id, "a request's handler panicked");
                Refusal::Internal.into_reply(&ticket.request_id)
            }
        };
        cors::allow(&mut reply, ticket.cross_origin.as_ref());
        reply.seal(appliance.traffic.dates.header(appliance.shell.now()), &ticket.request_id);
        Ok(send(reply, is_head, ticket))
    }
}

fn send(reply: Reply, is_head: bool, mut ticket: Ticket) -> Response<Body> {
    let Reply { status, mut headers, mut content, refused } = reply;
    if is_head {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.left()));
        content = Content::Empty;
    }
    ticket.status = status.as_u16();
    ticket.refused = refused;
    let mut response = Response::new(Body::new(content, ticket));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn respond(
    appliance: &Arc<Appliance>,
    ticket: &mut Ticket,
    request: Request<Incoming>,
) -> Result<Reply, Refusal> {
    let config = appliance.config.load_full();
    let allowance = allowance(&config.limits);
    let permit = appliance.traffic.limiter.admit(ticket.started, ticket.peer, allowance, 1);
    ticket.permit = Some(Arc::new(permit.map_err(Refusal::Exceeded)?));

    if !appliance.shell.admits() {
        return Err(Refusal::Unrecorded);
    }

    let (parts, body) = request.into_parts();
    let Admitted { host, cross_origin } = guard::admit(&parts, &config)?;
    ticket.cross_origin = cross_origin;
    let policy = appliance.policy.load_full();
    let scope = policy.scope(ticket.peer).ok_or(Refusal::NotAllowed)?;
    let route = Route::of(parts.uri.path()).ok_or(Refusal::NotFound)?;
    ticket.route = route.name();
    if parts.method == Method::OPTIONS && ticket.cross_origin.is_some() {
        return Ok(cors::preflight(&parts, &route));
    }
    if !route.takes(&parts.method) {
        return Err(Refusal::Method(route.methods()));
    }
    if route.action().is_some_and(|action| !scope.allows(action)) {
        return Err(Refusal::NotAllowed);
    }

    let mut question = Question {
        peer: ticket.peer,
        // A peer that was never given a key in this policy shares its cursors with none that was.
        peer_key: policy.key(ticket.peer).copied().unwrap_or_default(),
        policy,
        scope,
        host,
        started: ticket.started,
        permit: ticket.permit.clone(),
        notes: Vec::new(),
    };
    let reply = dispatch(appliance, &mut question, &route, &parts, body).await;
    // An answer that took long enough for the grant to change says what may not be said any more.
    let holds = question.holds(appliance);
    ticket.notes = question.notes;
    if holds { reply } else { Err(Refusal::NotAllowed) }
}

async fn dispatch(
    appliance: &Arc<Appliance>,
    question: &mut Question,
    route: &Route<'_>,
    parts: &Parts,
    body: Incoming,
) -> Result<Reply, Refusal> {
    let page_enabled = appliance.config.load().page.enabled;
    // hyper keeps room for an answer's future in every connection, idle ones too: what needs much of it is put elsewhere.
    match route {
        Route::Mcp => Box::pin(post(appliance, question, parts, body)).await,
        Route::Page if page_enabled => Box::pin(page::reply(appliance, question, parts)).await,
        Route::Asset(path) if page_enabled => page::assets::reply(path).ok_or(Refusal::NotFound),
        Route::Page | Route::Asset(_) => Err(Refusal::NotFound),
        Route::Search => Box::pin(api::search(appliance, question, parts)).await,
        Route::Document(id) => Box::pin(api::document(appliance, question, id, parts)).await,
        Route::Original(id) => original::reply(appliance, question, id, parts).await,
        Route::Recent => Box::pin(api::recent(appliance, question, parts)).await,
        Route::Health => health::reply(appliance, question).await,
        Route::Metrics => Ok(metrics::reply(appliance)),
    }
}

fn allowance(limits: &LimitsConfig) -> Allowance {
    Allowance {
        per_second: limits.requests_per_second,
        burst: limits.requests_burst,
        at_once: limits.requests_at_once,
        bytes_per_day: limits.bytes_per_day,
    }
}

/// `POST /mcp`
async fn post(
    appliance: &Arc<Appliance>,
    question: &mut Question,
    parts: &Parts,
    body: Incoming,
) -> Result<Reply, Refusal> {
    if !is_json(&parts.headers) {
        return Err(Refusal::MediaType("application/json"));
    }
    if !accepts_json(&parts.headers) {
        return Err(Refusal::NotAcceptable);
    }
    let limits = appliance.config.load().limits.clone();
    let body = collect(body, limits.body).await?;
    let mut calls = Vec::new();
    let posted = mcp::handle(&parts.headers, &body, |messages| {
        let more = u32::try_from(messages.saturating_sub(1)).unwrap_or(u32::MAX);
        let limiter = &appliance.traffic.limiter;
        limiter.admit_more(question.started, question.peer, allowance(&limits), more).map_err(Refusal::Exceeded)?;
        calls = (0..messages).map(|_| tools::call(appliance, question)).collect();
        Ok(calls.clone())
    })
    .await;
    question.notes.extend(calls.iter().map(|call| call.note.lock().clone()));
    let posted = posted?;
    Ok(match posted.body {
        Some(body) => Reply::new(posted.status, "application/json", Content::whole(body)),
        None => Reply::empty(posted.status),
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the caller takes JSON (RFC 9110 §12.5.1). Without `Accept` it takes anything.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut ranges =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let admits = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        matches!(essence.as_str(), "*/*" | "application/*" | "application/json") && !refused
    };
    !headers.contains_key(ACCEPT) || ranges.any(admits)
}

/// The whole body, if it is no larger than this. One that says it is larger is refused unread.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Refusal::BodyTooLarge(limit));
    }
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BodyMissing)?.into_data() else { continue };
        if collected.len() + data.len() > limit {
            return Err(Refusal::BodyTooLarge(limit));
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected.freeze())
}
