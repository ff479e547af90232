//! One fault at a time, and what TCP is to make of it: every byte arrives as it was written, within a time that follows from the standards.
//! All of it in simulated time, over a clean line with a round trip of 40 ms where nothing else is said.

#[path = "faults/closing.rs"]
mod closing;
#[path = "faults/line.rs"]
mod line;
mod network;
#[path = "faults/opening.rs"]
mod opening;
#[path = "faults/order.rs"]
mod order;
#[path = "faults/recovery.rs"]
mod recovery;
#[path = "faults/windows.rs"]
mod windows;
