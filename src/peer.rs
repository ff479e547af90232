//! Who is calling: the handle of a peer that streams, requests and records carry.

use std::fmt;

/// One peer: one key, from the moment it is added until it is removed. Never given out twice in the life of a process,
/// so that nothing that outlives a removed peer can be mistaken for a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(u32);

impl PeerId {
    /// The handle with this number; whoever keeps the list of peers counts them.
    pub const fn new(number: u32) -> PeerId {
        PeerId(number)
    }

    /// The number, for indexes and records.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
