//! The real program on loopback: its daemon, driven through its own bridge and its own command line.

mod alerts;
mod appliance;
mod audit;
mod bad_input;
mod device;
mod documents;
mod hostile;
mod incident;
mod kept;
mod kills;
mod lifecycle;
mod nobody;
mod peers;
mod production;
mod revocation;
mod silence;
mod why;
