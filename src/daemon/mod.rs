//! The appliance put together: start, reload, stop; control socket, indexer, workers, service manager, privileges.

pub mod audit;
mod background;
pub mod calendar;
mod control;
mod crowd;
mod devices;
pub mod indexing;
mod logging;
mod lookout;
pub mod memory;
mod metrics;
mod notify_manager;
pub mod offline;
pub mod peers;
mod privileges;
mod rehearsal;
mod reload;
pub mod running;
pub mod sandbox;
mod serve;
mod shell;
mod socket;
mod state;
mod turns;
mod usage;
mod watch;
mod why;
pub mod workers;

pub use serve::{Hangup, LOG_FILE, ServeError, ServeOptions, serve};
