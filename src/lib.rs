//! adit: a home server's documents, searchable through a WireGuard tunnel and by no other way.
//!
//! The core is sans-IO: WireGuard and TCP are state machines that are handed time, chance and bytes, and hand back what
//! they want sent. Only the shell waits. A stream is born inside one peer's own TCP/IP stack and carries its
//! [`peer::PeerId`] from birth, and nothing is found in the library without a [`access::Scope`].
//!
//! # Layers
//!
//! Each module imports only from rows below its own, and from modules it is listed to reach in its own row.
//! `tests/layers.rs` reads the `use crate::` arrows and compares them with this table.
//!
//! | layer | module | may import |
//! |---|---|---|
//! | face | `cli` | `daemon` `bridge` `control` `search` `access` `documents` `config` `key` `name` `peer` `limits` |
//! | shell | `daemon` | `link` `http` `mcp` `control` `node` `search` `documents` `access` `config` `key` `name` `peer` `limits` |
//! | shell | `bridge` | `link` `node` `config` `key` `name` `peer` `limits` |
//! | shell | `link` | `node` `peer` `limits` |
//! | protocol | `http` | `mcp` `search` `access` `documents` `config` `name` `peer` `limits` |
//! | protocol | `mcp` | `search` `access` `documents` `config` `name` `peer` `limits` |
//! | protocol | `control` | `search` `access` `documents` `config` `key` `name` `peer` `limits` |
//! | joins | `node` | `tunnel` `stack` `key` `peer` `limits` |
//! | joins | `search` | `documents` `access` `name` `limits` |
//! | engines | `tunnel` | `key` `peer` `limits` |
//! | engines | `stack` | `peer` `limits` |
//! | engines | `documents` | `name` `limits` |
//! | engines | `access` | `name` `peer` `limits` |
//! | words | `config` | `key` `name` `limits` |
//! | words | `key` | |
//! | words | `name` | |
//! | words | `peer` | |
//! | words | `limits` | |

pub mod config;
pub mod key;
pub mod limits;
pub mod name;
pub mod peer;

pub mod node;
pub mod stack;
pub mod tunnel;

pub mod bridge;
pub mod cli;
pub mod link;

#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod control;
#[cfg(feature = "server")]
pub mod daemon;
#[cfg(feature = "server")]
pub mod documents;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod mcp;
#[cfg(feature = "server")]
pub mod search;
