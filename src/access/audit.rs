//! What is recorded of a call: who, what, when, and how it ended. The shell decides where records go and for how long.

use jiff::Timestamp;

use crate::peer::PeerId;

/// One call of one peer, once it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it began.
    pub at: Timestamp,
    /// Whose key decrypted it.
    pub peer: PeerId,
    /// The id that the answer carried in `X-Request-Id`.
    pub request_id: String,
    /// The path as the table of routes names it, never as the peer wrote it.
    pub route: &'static str,
    /// What was asked there.
    pub note: Note,
    /// Bytes of the answer's body that were sent.
    pub bytes: u64,
    /// Milliseconds from the request's header to the answer's last byte.
    pub milliseconds: u64,
    /// HTTP status of the answer.
    pub status: u16,
    /// How it ended.
    pub verdict: Verdict,
}

impl Record {
    /// The limit that it met, if it was refused because its peer asks too much (429).
    pub fn exceeded(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Refused(limit) if self.status == 429 => Some(limit),
            _ => None,
        }
    }
}

/// What a call was about, as far as it came to that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// The tool, for MCP and for the paths that are tools in another dress.
    pub tool: Option<&'static str>,
    /// The collection asked for, if one was named.
    pub collection: Option<String>,
    /// What was searched for. A record may be kept with its hash instead.
    pub query: Option<String>,
    /// Documents that were returned or read, as `collection/path`.
    pub documents: Vec<String>,
    /// Why the tool refused, where it did: the code of the refusal.
    pub refused: Option<&'static str>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answered, whole.
    Served,
    /// Refused, for the reason of this code.
    Refused(&'static str),
    /// An error of ours.
    Failed,
    /// The peer went away, or was cut off, before the last byte.
    Abandoned,
}
