//! A changed configuration, applied without dropping a tunnel; what cannot be applied is said, and nothing of a bad file is.

use std::path::Path;
use std::sync::Arc;

use super::audit::Change;
use super::running::Running;
use crate::config::Config;
use crate::control::{Failed, FailedKind};
use crate::name::CollectionName;

/// Reads the file again. Returns what changed and what needs a restart, a sentence each; an error leaves everything as it was.
pub fn reload(running: &Running) -> Result<Vec<String>, Failed> {
    let outcome = read_again(running);
    running.audit.change(&match &outcome {
        Ok(notes) => Change::Reloaded { notes: notes.clone() },
        Err(_) => Change::ReloadRefused,
    });
    outcome
}

fn read_again(running: &Running) -> Result<Vec<String>, Failed> {
    let new = Config::load(&running.config_path)
        .map_err(|errors| Failed { kind: FailedKind::Configuration, message: errors.to_string() })?;
    let old = running.appliance.config.load_full();
    if *old == new {
        return Ok(vec!["nothing has changed".to_owned()]);
    }
    let (applied, kept) = merge(&old, new);
    let changed = *old != applied;
    running.indexer.reconfigure(&applied);
    running.appliance.config.store(Arc::new(applied));
    let applied = changed.then(|| "the changed configuration is in force".to_owned());
    let waiting = kept.iter().map(|what| format!("{what}: a change needs a restart; the old value holds until then"));
    let notes: Vec<String> = applied.into_iter().chain(waiting).collect();
    for note in &notes {
        tracing::info!("reload: {note}");
    }
    Ok(notes)
}

/// The new configuration, with the old values of what a running process cannot change (its socket, its buffers, its files, whatever its
/// sandbox was closed around), and what those are.
fn merge(old: &Config, mut new: Config) -> (Config, Vec<&'static str>) {
    let mut kept = Vec::new();
    let names = std::mem::replace(&mut new.server.names, old.server.names.clone());
    keep(&old.server, &mut new.server, "[server]", &mut kept);
    new.server.names = names;
    if roots(old) != roots(&new) {
        new.collections.clone_from(&old.collections);
        kept.push("the collections and their folders");
    }
    keep(&old.index.memory, &mut new.index.memory, "[index] memory", &mut kept);
    keep(&old.index.threads, &mut new.index.threads, "[index] threads", &mut kept);
    keep(&old.extract, &mut new.extract, "[extract]", &mut kept);
    keep(&old.limits.connections, &mut new.limits.connections, "[limits] connections", &mut kept);
    keep(&old.limits.half_open, &mut new.limits.half_open, "[limits] half_open", &mut kept);
    keep(&old.total, &mut new.total, "[limits.total]", &mut kept);
    keep(&old.audit, &mut new.audit, "[audit]", &mut kept);
    keep(&old.log, &mut new.log, "[log]", &mut kept);
    (new, kept)
}

fn keep<T: Clone + PartialEq>(old: &T, new: &mut T, what: &'static str, kept: &mut Vec<&'static str>) {
    if old != new {
        new.clone_from(old);
        kept.push(what);
    }
}

fn roots(config: &Config) -> Vec<(&CollectionName, &Path)> {
    config.collections.iter().map(|it| (&it.name, it.path.as_path())).collect()
}
