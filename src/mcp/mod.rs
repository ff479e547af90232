//! MCP: tools, resources and prompts, one file each; arguments in, answers out. Knows the library and scopes, and nothing of tunnels or HTTP.
//!
//! A [`Call`] is made for each message by whoever knows the caller; a tool sees the library through the call's scope and nowhere else.
//! [`handle`] speaks the protocol for the body of one POST; [`tools::run`] answers for those who need no protocol.

use std::any::Any;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::access::audit::Note;
use crate::access::{Action, Scope};
use crate::search::Library;

mod arguments;
mod cursor;
mod door;
mod server;
mod text;
pub mod tools;

pub use arguments::Arguments;
pub use cursor::Seal;
pub use door::{Posted, REVISIONS, handle};

/// Threads for work that blocks.
pub trait Threads: Send + Sync {
    /// Runs work on another thread. A panic there must cost no more than this piece of work.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
}

/// One call: who asks, what it may see, and what it may use.
pub struct Call {
    /// The documents.
    pub library: Arc<Library>,
    /// What the caller may see and do.
    pub scope: Scope,
    /// When it began.
    pub now: Timestamp,
    /// How the caller reaches this server, as `http://10.94.7.1`: for links.
    pub base_url: String,
    /// Seals and opens this caller's cursors.
    pub seal: Seal,
    /// Characters that an answer's snippets may take together.
    pub snippet_chars: usize,
    /// Revisions accepted, oldest first.
    pub revisions: Vec<String>,
    /// Threads for the library's work.
    pub threads: Arc<dyn Threads>,
    /// What the call turned out to be about; for the record.
    pub note: Mutex<Note>,
    /// Held until the call's last work is done, even when nobody waits for it any more.
    pub hold: Option<Arc<dyn Any + Send + Sync>>,
}

impl Call {
    /// Whether the caller may do this at all.
    pub fn allows(&self, action: Action) -> bool {
        self.scope.allows(action)
    }
}
