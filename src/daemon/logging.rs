//! Logs: to stderr, in the form that reads best where stderr goes.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogConfig, LogFormat};

/// Starts logging. A second call (in a process that serves twice, as tests do) leaves the first in force.
pub fn start(config: &LogConfig) {
    // The level is for what adit says. The libraries speak of their own workings, a request each: only their warnings count.
    let libraries = LevelFilter::from_level(config.level.min(tracing::Level::WARN));
    let filter = Targets::new()
        .with_default(libraries)
        // Warns of every repeated handshake and expired session, as if a phone that sleeps were a fault.
        .with_target("boringtun", LevelFilter::OFF)
        .with_target(env!("CARGO_CRATE_NAME"), config.level);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = || fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match config.format {
        LogFormat::Json => lines().json().boxed(),
        LogFormat::Journald => lines().event_format(Journal).boxed(),
        LogFormat::Auto if journal => lines().event_format(Journal).boxed(),
        LogFormat::Auto | LogFormat::Text => lines().with_ansi(colours()).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Lines for the journal: the priority as `sd-daemon(3)` wants it in front, and no time of our own.
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &fmt::FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            tracing::Level::ERROR => 3,
            tracing::Level::WARN => 4,
            tracing::Level::INFO => 6,
            tracing::Level::DEBUG | tracing::Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
