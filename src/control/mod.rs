//! The messages between `adit …` and the running daemon: one JSON object per line over a Unix socket.
