//! The search page: a question in, HTML out. It is rendered here, whole, so that it works without JavaScript; the script only saves
//! reloading it. Every answer is a tool's, so the page sees what an agent of the same peer would see.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_SECURITY_POLICY;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::answer::Question;
use super::body::Content;
use super::refusal::Refusal;
use super::reply::Reply;
use super::{Appliance, api, tools};
use frame::Search;
use html::Html;

pub(super) mod assets;
mod frame;
mod html;
mod marks;
mod reader;
mod results;
mod start;

/// Only our own files, nothing inline, nowhere else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                           form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `/`
pub(super) async fn reply(
    appliance: &Arc<Appliance>,
    question: &mut Question,
    parts: &Parts,
) -> Result<Reply, Refusal> {
    let search = Search::read(api::parameters(parts.uri.query())?);
    let collections = collections(appliance, question).await?;
    let content = match &search {
        search if !search.document.is_empty() => reader::content(appliance, question, search).await,
        search if !search.q.trim().is_empty() => results::content(appliance, question, search).await,
        _ => start::content(appliance, question).await,
    };
    let (status, content) = match content {
        Ok(content) => (StatusCode::OK, content),
        Err(refusal) => (refusal.status(), frame::apology(&refusal)),
    };
    Ok(page(status, frame::page(&search, &collections, content)))
}

fn page(status: StatusCode, html: Html) -> Reply {
    let bytes = Bytes::from(html.into_string());
    let mut reply = Reply::new(status, "text/html; charset=utf-8", Content::whole(bytes));
    reply.header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    reply
}

/// The names of the collections that the caller may see.
async fn collections(appliance: &Appliance, question: &Question) -> Result<Vec<String>, Refusal> {
    let (library, scope) = (Arc::clone(&appliance.library), question.scope.clone());
    tools::on_thread(appliance, question, move || {
        library.status(&scope).into_iter().map(|collection| collection.name.to_string()).collect()
    })
    .await
}

/// What the main part of a page holds, and its title.
pub(super) struct Main {
    title: String,
    html: Html,
}
