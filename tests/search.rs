//! The library from outside: what is put in is found, in the order people expect, by whoever may see it.

#![cfg(feature = "server")]

mod search {
    mod bench;
    mod copies;
    mod explaining;
    mod finding;
    mod keeping;
    mod known;
    mod reading;
    mod typing;
}
