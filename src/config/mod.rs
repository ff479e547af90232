//! What the owner decided: `adit.toml` in, a checked [`Config`] or the list of everything wrong with the file out; and
//! [`wireguard`]'s configuration files of devices.

pub mod wireguard;

#[cfg(feature = "server")]
mod file;

#[cfg(feature = "server")]
pub use file::*;
