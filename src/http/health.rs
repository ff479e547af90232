//! `/_health`: whether a question would be answered now. It asks one, and for a second it goes by what came of it: whoever asks often
//! learns no more by it, and costs no more.

use http::StatusCode;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;

use super::Appliance;
use super::answer::Question;
use super::refusal::Refusal;
use super::reply::Reply;
use super::tools;
use crate::access::ScopeKey;
use crate::limits::{HEALTH_PROBE, HEALTH_PROBES};
use crate::search::{CollectionStatus, SearchRequest};

/// What the library said to a question.
#[derive(Debug, Clone, Copy)]
struct Probe {
    at: Timestamp,
    index_age_seconds: Option<u64>,
    collections: usize,
    documents: u64,
    failed: u64,
}

/// The latest probes that were answered, by what their callers see.
#[derive(Debug, Default)]
pub(super) struct Probes(Mutex<Vec<(ScopeKey, Probe)>>);

impl Probes {
    /// A probe of this scope that still holds.
    fn recent(&self, scope: ScopeKey, now: Timestamp) -> Option<Probe> {
        let probes = self.0.lock();
        let probe = probes.iter().find(|(key, _)| *key == scope).map(|(_, probe)| *probe)?;
        // A clock that was set back makes none hold for longer.
        let age = now.duration_since(probe.at);
        (!age.is_negative() && age.unsigned_abs() < HEALTH_PROBE).then_some(probe)
    }

    fn keep(&self, scope: ScopeKey, probe: Probe) {
        let mut probes = self.0.lock();
        probes.retain(|(key, _)| *key != scope);
        if probes.len() >= HEALTH_PROBES {
            probes.remove(0);
        }
        probes.push((scope, probe));
    }
}

/// `/_health`: 200, or 503 where the index doesn't answer or nothing keeps it up to date.
pub(super) async fn reply(appliance: &Appliance, question: &Question) -> Result<Reply, Refusal> {
    let (probes, scope) = (&appliance.traffic.probes, question.scope.key());
    let probe = match probes.recent(scope, question.started) {
        Some(probe) => Some(probe),
        None => Box::pin(ask(appliance, question)).await.inspect(|probe| probes.keep(scope, *probe)),
    };
    let shell = appliance.shell.health();
    let well = probe.is_some() && shell.indexer;
    let report = json!({
        "status": if well { "ok" } else { "failing" },
        "checks": { "index": probe.is_some(), "indexer": shell.indexer, "watcher": shell.watcher },
        "collections": probe.map_or(0, |probe| probe.collections),
        "documents": probe.map_or(0, |probe| probe.documents),
        "failed": probe.map_or(0, |probe| probe.failed),
        "pending": shell.pending,
        "index_age_seconds": probe.and_then(|probe| probe.index_age_seconds),
    });
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(Reply::json(status, &report))
}

/// Asks the library a question; none if it doesn't answer.
async fn ask(appliance: &Appliance, question: &Question) -> Option<Probe> {
    let call = tools::call(appliance, question);
    let work = move || {
        let request = SearchRequest { now: call.now, query: "adit".to_owned(), limit: 1, ..SearchRequest::default() };
        let answer = call.library.search(&call.scope, &request).ok()?;
        let collections = call.library.status(&call.scope);
        let sum = |count: fn(&CollectionStatus) -> u64| collections.iter().map(count).sum();
        Some(Probe {
            at: call.now,
            index_age_seconds: answer.index_age_seconds,
            collections: collections.len(),
            documents: sum(|collection| collection.documents),
            failed: sum(|collection| collection.failed),
        })
    };
    tools::on_thread(appliance, question, work).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    #[test]
    fn a_probe_holds_for_a_second_and_for_its_own_scope() {
        let at = |milliseconds: i64| Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).unwrap();
        let probe = |at, documents| Probe { at, index_age_seconds: None, collections: 1, documents, failed: 0 };
        let (probes, scope) = (Probes::default(), Scope::owner().key());
        let recent = |now| probes.recent(scope, now).map(|probe| probe.documents);
        assert_eq!(recent(at(0)), None);
        probes.keep(scope, probe(at(0), 1));
        assert_eq!([at(0), at(999), at(1000), at(-1)].map(recent), [Some(1), Some(1), None, None]);
        probes.keep(scope, probe(at(2000), 2));
        assert_eq!((recent(at(2000)), probes.0.lock().len()), (Some(2), 1));
    }
}
