//! HTTP inside the tunnel: what is let in, what is refused and how, and what keeps a connection from costing more than its share.

#[path = "http/api.rs"]
mod api;
#[path = "search/bench.rs"]
#[allow(dead_code)]
mod bench;
#[path = "network/chance.rs"]
#[allow(dead_code)]
mod chance;
#[path = "http/guard.rs"]
mod guard;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/matrix.rs"]
mod matrix;
#[path = "http/oracle/mod.rs"]
mod oracle;
#[path = "http/originals.rs"]
mod originals;
mod serving;
#[path = "http/who.rs"]
mod who;
