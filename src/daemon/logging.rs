//! Logs: to stderr, in the form that reads best where stderr goes.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogConfig, LogFormat};

/// Starts logging. A second call (in a process that serves twice, as tests do) leaves the first in force.
pub fn start(config: &LogConfig) {
    let level = LevelFilter::from_level(config.level);
    let base = fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let _ = match config.format {
        LogFormat::Json => base.json().try_init(),
        LogFormat::Journald => base.event_format(Journal).try_init(),
        LogFormat::Auto if journal => base.event_format(Journal).try_init(),
        LogFormat::Auto | LogFormat::Text => base.with_ansi(colours()).try_init(),
    };
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
