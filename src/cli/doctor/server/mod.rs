//! The server's end: everything that is looked at on it, in order.

use super::Finding;
use crate::cli::places;
use crate::config::Places;
use crate::control::{Request, Response, StatusReport};

mod files;
mod network;
mod running;
mod trial;

/// Looks at everything.
pub fn examine(places: &Places) -> Vec<Finding> {
    let config = match places::load(places) {
        Ok(config) => config,
        Err(error) => {
            let remedy = "mend it (`adit config check` says the same again), or make one with `adit up DIR`";
            return vec![Finding::failed("configuration", error.message, remedy)];
        }
    };
    let mut findings = vec![Finding::well("configuration", places.config.display())];
    let status = ask(places);
    findings.extend(files::examine(&config));
    findings.extend(network::examine(&config, status.as_ref().ok().and_then(Option::as_deref)));
    let trial = status.as_ref().ok().and_then(Option::as_deref).map(|status| trial::examine(places, status));
    findings.extend(running::examine(status, &places::command(places, "serve")));
    findings.extend(trial);
    findings
}

/// What the daemon says of itself; none where none runs.
fn ask(places: &Places) -> Result<Option<Box<StatusReport>>, String> {
    match places::ask_if_running(places, &Request::Status) {
        Ok(Some(Response::Status(status))) => Ok(Some(status)),
        Ok(None) => Ok(None),
        Ok(Some(other)) => Err(places::unexpected(&other).message),
        Err(error) => Err(error.message),
    }
}
