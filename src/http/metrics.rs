//! Figures in the Prometheus text format: those of HTTP itself, and what the shell adds. Labels are names from tables of ours, so their
//! number is bounded whatever is asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::Appliance;
use super::body::Content;
use super::reply::Reply;

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, until a restart.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A figure. Figures of one name must follow one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, as `adit_datagrams_dropped_total`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// Labels: names of a table or of the configuration, nothing that a peer chose.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: f64,
}

/// Requests answered, by route and status.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    totals: Mutex<BTreeMap<(&'static str, u16), Totals>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    requests: u64,
    bytes: u64,
    milliseconds: u64,
}

impl Counters {
    /// A request id: unique in practice, without asking for chance; says nothing but that a later one is greater.
    pub(super) fn next_request_id(&self, now: Timestamp) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}", now.as_millisecond())
    }

    pub(super) fn count(&self, route: &'static str, status: u16, bytes: u64, milliseconds: u64) {
        let mut totals = self.totals.lock();
        let totals = totals.entry((route, status)).or_default();
        totals.requests += 1;
        totals.bytes += bytes;
        totals.milliseconds += milliseconds;
    }

    fn figures(&self) -> Vec<Metric> {
        type Value = fn(&Totals) -> f64;
        let series: [(&'static str, &'static str, Value); 3] = [
            ("adit_http_requests_total", "Requests answered.", |totals| totals.requests as f64),
            ("adit_http_answer_bytes_total", "Bytes of answers' bodies sent.", |totals| totals.bytes as f64),
            ("adit_http_answer_seconds_total", "Time from header to last byte.", |totals| {
                totals.milliseconds as f64 / 1000.0
            }),
        ];
        let totals = self.totals.lock().clone();
        let mut figures = Vec::with_capacity(series.len() * totals.len());
        for (name, help, value) in series {
            figures.extend(totals.iter().map(|((route, status), totals)| Metric {
                name,
                help,
                kind: MetricKind::Counter,
                labels: vec![("route", (*route).to_owned()), ("status", status.to_string())],
                value: value(totals),
            }));
        }
        figures
    }
}

/// `/metrics`
pub(super) fn reply(appliance: &Appliance) -> Reply {
    let text = Bytes::from(text(appliance));
    Reply::new(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", Content::whole(text))
}

/// All figures of an appliance, in the Prometheus text format.
pub fn text(appliance: &Appliance) -> String {
    let mut figures = appliance.traffic.counters.figures();
    figures.extend(appliance.shell.metrics());
    render(&figures)
}

/// The Prometheus text exposition format, version 0.0.4.
fn render(figures: &[Metric]) -> String {
    let mut text = String::new();
    let mut last = "";
    for figure in figures {
        if figure.name != last {
            last = figure.name;
            let kind = match figure.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            let _ = writeln!(text, "# HELP {last} {}\n# TYPE {last} {kind}", figure.help);
        }
        text.push_str(figure.name);
        for (number, (label, value)) in figure.labels.iter().enumerate() {
            let separator = if number == 0 { '{' } else { ',' };
            let _ = write!(text, "{separator}{label}=\"{}\"", escape(value));
        }
        if !figure.labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {}", figure.value);
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_name_share_a_heading() {
        let figure = |reason: &str, value| Metric {
            name: "adit_dropped_total",
            help: "Datagrams dropped.",
            kind: MetricKind::Counter,
            labels: vec![("reason", reason.to_owned())],
            value,
        };
        let expected = "# HELP adit_dropped_total Datagrams dropped.\n# TYPE adit_dropped_total counter\n\
                        adit_dropped_total{reason=\"mac\"} 3\nadit_dropped_total{reason=\"a\\\"b\"} 0.5\n";
        assert_eq!(render(&[figure("mac", 3.0), figure("a\"b", 0.5)]), expected);
    }
}
