//! Originals.
