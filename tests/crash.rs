//! The index under what can happen to a machine: the process that writes it killed, the power cut between any two of its system calls,
//! a disk that is full or fails, and bytes that are not what was written.

#![cfg(all(feature = "server", target_os = "linux"))]

mod crash {
    mod cuts;
    mod damage;
    mod disk;
    mod full;
    mod script;
    mod tracer;
}
