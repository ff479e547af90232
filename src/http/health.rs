//! `/_health`: whether a question would be answered now. It asks one.

use http::StatusCode;
use serde_json::json;

use super::Appliance;
use super::answer::Question;
use super::refusal::Refusal;
use super::reply::Reply;
use super::tools;
use crate::search::SearchRequest;

/// `/_health`: 200, or 503 where the index doesn't answer or nothing keeps it up to date.
pub(super) async fn reply(appliance: &Appliance, question: &Question) -> Result<Reply, Refusal> {
    let call = tools::call(appliance, question);
    let work = move || {
        let probe = SearchRequest { now: call.now, query: "adit".to_owned(), limit: 1, ..SearchRequest::default() };
        let answer = call.library.search(&call.scope, &probe);
        (answer.map(|answer| answer.index_age_seconds), call.library.status(&call.scope))
    };
    let probe = tools::on_thread(appliance, work).await.ok();
    let shell = appliance.shell.health();

    let age = probe.as_ref().and_then(|(age, _)| age.as_ref().ok());
    let collections = probe.as_ref().map(|(_, status)| status.as_slice()).unwrap_or_default();
    let well = age.is_some() && shell.indexer;
    let report = json!({
        "status": if well { "ok" } else { "failing" },
        "checks": { "index": age.is_some(), "indexer": shell.indexer, "watcher": shell.watcher },
        "collections": collections.len(),
        "documents": collections.iter().map(|collection| collection.documents).sum::<u64>(),
        "failed": collections.iter().map(|collection| collection.failed).sum::<u64>(),
        "pending": shell.pending,
        "index_age_seconds": age,
    });
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(Reply::json(status, &report))
}
