//! The figures that the daemon adds to `/metrics`: how everything is, as `adit status` shows it. Labels are names of the configuration and of
//! the list of devices, and words of tables here: nothing that a peer or a stranger chose.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::running::Running;
use crate::control::{PeerReport, Standing, StatusReport};
use crate::http::{Metric, MetricKind};
use crate::peer::PeerId;

/// Why somebody was refused at the tunnel: the words that the audit log has for it.
pub(super) const REFUSALS: [&str; 10] = [
    "unknown_key",
    "revoked_key",
    "disabled",
    "locked_out",
    "not_yet",
    "expired",
    "foreign_network",
    "spoofed_source",
    "unauthenticated",
    "too_many_handshakes",
];

/// How often each of [`REFUSALS`] has happened since the start.
#[derive(Debug)]
pub(super) struct RefusalTotals(BTreeMap<&'static str, u64>);

impl Default for RefusalTotals {
    /// All of them, so that a first time shows as a change.
    fn default() -> RefusalTotals {
        RefusalTotals(REFUSALS.into_iter().map(|reason| (reason, 0)).collect())
    }
}

impl RefusalTotals {
    pub(super) fn add(&mut self, reason: &'static str, count: u64) {
        let total = self.0.entry(reason).or_default();
        *total = total.saturating_add(count);
    }

    pub(super) fn of(&self, reason: &str) -> u64 {
        self.0.get(reason).copied().unwrap_or_default()
    }
}

/// Figures being put together, those of one name one after the other.
#[derive(Default)]
struct Figures(Vec<Metric>);

impl Figures {
    fn add(
        &mut self,
        (name, help, kind): (&'static str, &'static str, MetricKind),
        series: impl IntoIterator<Item = (Vec<(&'static str, String)>, f64)>,
    ) {
        self.0.extend(series.into_iter().map(|(labels, value)| Metric { name, help, kind, labels, value }));
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.add((name, help, MetricKind::Gauge), [(Vec::new(), value)]);
    }
}

/// All figures. `limited` says how often each peer met a limit of its own.
pub(super) fn figures(running: &Running, limited: &HashMap<PeerId, u64>) -> Vec<Metric> {
    let status = running.status();
    let mut figures = Figures::default();
    server(&mut figures, running, &status);
    collections(&mut figures, running, &status);
    tunnel(&mut figures, running);
    peers(&mut figures, running, &status.peers, limited);
    figures.0
}

fn server(figures: &mut Figures, running: &Running, status: &StatusReport) {
    let version = vec![("version", status.program.clone())];
    figures.add(("adit_build_info", "The program's version.", MetricKind::Gauge), [(version, 1.0)]);
    let uptime = SignedDuration::try_from(running.started.elapsed()).unwrap_or_default();
    let started = Timestamp::now() - uptime;
    figures.gauge("adit_start_time_seconds", "When it began to serve.", seconds(started));
    figures.gauge("adit_warnings", "What `adit status` warns of, in number.", status.warnings.len() as f64);
    figures.gauge("adit_lockdown", "Whether devices are locked out.", flag(status.lockdown.is_some()));
    let behind = running.calendar.warning().is_some();
    figures.gauge("adit_clock_behind", "Whether the clock is behind what was recorded.", flag(behind));
    let failing = running.audit.warning().is_some();
    figures.gauge("adit_audit_failing", "Whether the audit log cannot be written.", flag(failing));
    let lost = [(Vec::new(), running.audit.lost() as f64)];
    let help = "Lines lost to the audit log because it could not be written.";
    figures.add(("adit_audit_lost_total", help, MetricKind::Counter), lost);
    let sandbox = &status.sandbox;
    let workers = sandbox.workers.is_none_or(|workers| workers.landlock_abi > 0 && workers.seccomp);
    figures.gauge(
        "adit_sandboxed",
        "Whether the kernel confines the daemon and its workers.",
        flag(sandbox.landlock_abi > 0 && workers),
    );
    let state = &running.appliance.config.load().server.state_dir;
    if let Some((free, size)) = room(state) {
        figures.gauge("adit_state_free_bytes", "Room left on the disk of index and audit log.", free);
        figures.gauge("adit_state_size_bytes", "Size of that disk.", size);
    }
}

fn collections(figures: &mut Figures, running: &Running, status: &StatusReport) {
    let progress = running.indexer.progress();
    figures.gauge("adit_index_pending", "Files waiting to be indexed.", status.index.pending as f64);
    let indexer = running.appliance.shell.health().indexer;
    figures.gauge("adit_indexer_up", "Whether the indexer is running.", flag(indexer));
    figures.gauge("adit_watcher_up", "Whether folders are watched for changes.", flag(progress.watching));
    let collections = &status.index.collections;
    let label = |name: &dyn ToString| vec![("collection", name.to_string())];
    let gauge = |name, help| (name, help, MetricKind::Gauge);
    figures.add(
        gauge("adit_collection_documents", "Searchable documents."),
        collections.iter().map(|it| (label(&it.name), it.documents as f64)),
    );
    figures.add(
        gauge("adit_collection_unreadable", "Files that could not be read."),
        collections.iter().map(|it| (label(&it.name), it.failed as f64)),
    );
    figures.add(
        gauge("adit_collection_agreed_timestamp_seconds", "When the index last agreed with its folder."),
        collections.iter().filter_map(|it| Some((label(&it.name), seconds(it.agreed?)))),
    );
    figures.add(
        gauge("adit_collection_failing", "Whether its folder cannot be looked at or its index cannot be written."),
        collections.iter().map(|it| (label(&it.name), flag(progress.failing.contains(&it.name)))),
    );
}

/// What the tunnel has counted, by the names of `adit status`; what there is now apart from what only grows.
fn tunnel(figures: &mut Figures, running: &Running) {
    let link = &running.link;
    let counters = link.node().counters().values.into_iter().chain(link.counters());
    let (now, total): (Vec<_>, Vec<_>) = counters.partition(|(name, _)| name.ends_with("_now"));
    let series =
        |(what, value): (&'static str, u64)| (vec![("what", what.trim_end_matches("_now").to_owned())], value as f64);
    let help = "Datagrams, packets, sessions and streams since the start, and what was dropped, by reason.";
    figures.add(("adit_tunnel_total", help, MetricKind::Counter), total.into_iter().map(series));
    let help = "Connections and buffers there are.";
    figures.add(("adit_tunnel_now", help, MetricKind::Gauge), now.into_iter().map(series));
    let refusals = running.refusals.lock();
    let help = "Who was refused at the tunnel, by reason, counted once a minute.";
    let refused = REFUSALS.into_iter().map(|reason| (vec![("reason", reason.to_owned())], refusals.of(reason) as f64));
    figures.add(("adit_refused_total", help, MetricKind::Counter), refused);
}

fn peers(figures: &mut Figures, running: &Running, reports: &[PeerReport], limited: &HashMap<PeerId, u64>) {
    let label = |peer: &PeerReport| vec![("peer", peer.name.to_string())];
    let now = Timestamp::now();
    let (gauge, counter) = (MetricKind::Gauge, MetricKind::Counter);
    figures.add(
        ("adit_peer_served", "Whether the device is let in.", gauge),
        reports.iter().map(|it| (label(it), flag(it.standing == Standing::Served))),
    );
    figures.add(
        ("adit_peer_expires_timestamp_seconds", "When the device's grant ends, if it does.", gauge),
        reports.iter().filter_map(|it| Some((label(it), seconds(it.expires?)))),
    );
    let handshake = |it: &PeerReport| {
        let ago = SignedDuration::from_secs(i64::try_from(it.latest_handshake_seconds?).ok()?);
        Some((label(it), seconds(now - ago)))
    };
    figures.add(
        ("adit_peer_handshake_timestamp_seconds", "When the device's latest handshake was.", gauge),
        reports.iter().filter_map(handshake),
    );
    figures.add(
        ("adit_peer_received_bytes_total", "Outer bytes received from the device.", counter),
        reports.iter().map(|it| (label(it), it.received_bytes as f64)),
    );
    figures.add(
        ("adit_peer_sent_bytes_total", "Outer bytes sent to the device.", counter),
        reports.iter().map(|it| (label(it), it.sent_bytes as f64)),
    );
    let known = running.peers.lock();
    let limited = known.iter().map(|peer| {
        let times = limited.get(&peer.id).copied().unwrap_or_default();
        (vec![("peer", peer.name.to_string())], times as f64)
    });
    figures.add(("adit_peer_limited_total", "Requests of the device that met one of its limits.", counter), limited);
}

/// Bytes free and in all on the disk of this folder.
fn room(folder: &Path) -> Option<(f64, f64)> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(((disk.f_bavail.saturating_mul(disk.f_frsize)) as f64, (disk.f_blocks.saturating_mul(disk.f_frsize)) as f64))
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_from_zero_on() {
        let mut totals = RefusalTotals::default();
        assert!(REFUSALS.iter().all(|reason| totals.of(reason) == 0));
        totals.add("revoked_key", 3);
        totals.add("revoked_key", u64::MAX);
        assert_eq!((totals.of("revoked_key"), totals.of("expired"), totals.of("none such")), (u64::MAX, 0, 0));
    }
}
