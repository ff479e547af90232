//! What can be asked and changed while no daemon runs: by the same code, under the lock of the state folder.

use super::audit::record_offline;
use super::calendar::Calendar;
use super::devices::{change_peers, check_collections, explain, report};
use super::peers::Peers;
use super::rehearsal;
use super::running::{index_report, search_as_owner};
use super::state::{StateDir, StateError};
use super::why::{Reader, why};
use crate::config::{Config, read_server_keys};
use crate::control::{Failed, FailedKind, Request, Response};
use crate::node::PeerStatus;
use crate::search::Library;

/// Answers one request without a daemon. Questions that only a running one can answer are refused.
pub fn answer(config: &Config, request: &Request) -> Response {
    answer_or_fail(config, request).unwrap_or_else(Response::Failed)
}

fn answer_or_fail(config: &Config, request: &Request) -> Result<Response, Failed> {
    let state = StateDir::open(&config.server.state_dir).map_err(|error| Failed {
        kind: match error {
            StateError::Foreign { .. } => FailedKind::NotAllowed,
            _ => FailedKind::Failed,
        },
        message: error.to_string(),
    })?;
    let library = || Library::open(super::serve::library_config(config)).map_err(failed);
    match request {
        Request::Search(search) => search_as_owner(&library()?, search),
        Request::IndexStatus => Ok(Response::Index(index_report(&library()?))),
        Request::IndexFailures => {
            Ok(Response::Failures { failures: library()?.failures(&crate::control::owner_scope()) })
        }
        Request::Why { typed, paths } => why(&library()?, config, Reader::Stopped, typed, paths)
            .map(|(places, collections)| Response::Why { places, collections }),
        asked => {
            let mut peers = Peers::load(state.path()).map_err(failed)?;
            let now = Calendar::new(config).now();
            if let Request::PeerExplain { name, typed, paths } = asked {
                let no_such = |error| Failed { kind: FailedKind::NotFound, ..failed(error) };
                let peer = peers.find(name).map_err(no_such)?;
                let report = report(&peers, peer, now, PeerStatus::default());
                return explain((peer, report), &library()?, config, Reader::Stopped, (typed, paths));
            }
            if let Request::PeerRehearse { name, change } = asked {
                check_collections(change.collections.as_deref(), config)?;
                let report = rehearsal::report(&rehearsal::sides(&peers, now, name, change)?, &library()?)?;
                return Ok(Response::Rehearsed(Box::new(report)));
            }
            let server = read_server_keys(&config.server.key_file).map_err(failed)?.key.public();
            let changed = change_peers(&mut peers, config, server, now, asked)?;
            // The change stands; who reads the log later should know that it is not complete.
            let recorded = changed.as_change().map_or(Ok(()), |change| record_offline(&config.audit, now, change));
            if let Err(error) = recorded {
                tracing::warn!(%error, log = %config.audit.file.display(), "the change was made but not recorded");
            }
            Ok(changed.into_response(|peer| report(&peers, peer, now, PeerStatus::default())))
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Failed {
    Failed { kind: FailedKind::Failed, message: error.to_string() }
}
