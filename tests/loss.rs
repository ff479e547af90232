//! What TCP makes of bad networks: bulk, short answers and fairness over a simulated path, as a table.
//!
//! `tests/loss/table.md` is today's; `ADIT_BLESS=1 cargo test --test loss` writes it anew: read the difference before committing it.
//! `tests/loss/smoltcp.md` is what smoltcp's own sockets made of the same paths, and stays as it is.

#[path = "loss/measure.rs"]
mod measure;
mod network;
#[path = "loss/table.rs"]
mod table;

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use table::{Row, Shared};

const TABLE: &str = "tests/loss/table.md";

const HEADING: &str = "\
# TCP over bad networks

Today's stack. Written by `ADIT_BLESS=1 cargo test --test loss`; every later run is compared with it, byte for byte.
`smoltcp.md` is the same for smoltcp's own sockets.

A server and a client, each a stack, without encryption. Inner MTU 1420, IPv4. A line of 100 Mbit/s (of inner packets) each way, with a
drop-tail queue of 256 packets before it; the round trip is what it adds to that. Packets are lost after the queue, in **both** directions:
*random*, each by itself; *bursty*, in bursts of 1 ms on the average in which nothing arrives (Gilbert-Elliott in time), with the same mean.
*Stragglers*: one packet in fifty comes up to a quarter of the round trip late. *Jitter*: each comes up to 2 ms late, and they overtake each other.

- **bound**: min(line rate, MSS/RTT · 1.22/√p), of payload. Bursts may go beyond it: their losses count once.
- **down**, **up**: a bulk stream after 2 s of start-up, read at once: the mean of 4 to 60 s (the slower, the longer) and two seeds.
- **1 MB**: from the beginning of a connection to the last byte, of nine.
- **silence**: a request of 200 bytes and 20,000 bytes of answer on a warm connection, after pauses of 0.1 to 0.6 s, 600 times: the longest
  time within each in which its reader got nothing.
";

static MEASURED: LazyLock<(Vec<Row>, Vec<Shared>)> = LazyLock::new(|| (table::rows(), table::shared()));

#[test]
fn the_table_is_up_to_date() {
    let (rows, shared) = &*MEASURED;
    let (rows, shared) = (table::render_rows(rows), table::render_shared(shared));
    let text = format!("{HEADING}\n{rows}\nTwo downloads side by side:\n\n{shared}");
    if std::env::var_os("ADIT_BLESS").is_some() {
        fs::write(TABLE, &text).unwrap();
    }
    let stored = fs::read_to_string(TABLE).unwrap_or_default();
    let changed: Vec<_> = text.lines().filter(|line| !stored.lines().any(|stored| stored == *line)).collect();
    let advice = "`ADIT_BLESS=1 cargo test --test loss` writes the table anew";
    assert!(changed.is_empty() && stored == text, "{advice}; other than stored:\n{}", changed.join("\n"));
}

#[test]
fn goodput_at_one_percent_of_loss_is_four_fifths_of_the_bound() {
    check(|row| {
        let goodput = row.down.min(row.up);
        row.conditions.loss.mean() != 0.01 || goodput >= 0.8 * row.bound()
    });
}

#[test]
fn at_three_percent_of_loss_an_answer_is_seldom_silent_for_long() {
    check(|row| {
        let bar = 4 * row.conditions.round_trip + Duration::from_millis(300);
        row.conditions.loss.mean() != 0.03 || row.silence[1] <= bar
    });
}

#[test]
fn two_streams_are_fair_to_each_other() {
    let (_, shared) = &*MEASURED;
    let unfair: Vec<_> = shared.iter().filter(|shared| shared.jain[1] < 0.8).collect();
    assert!(unfair.is_empty(), "the bar is missed by\n{}", table::render_shared(unfair));
}

fn check(holds: impl Fn(&Row) -> bool) {
    let (rows, _) = &*MEASURED;
    let missed: Vec<_> = rows.iter().filter(|row| !holds(row)).collect();
    assert!(missed.is_empty(), "the bar is missed by\n{}", table::render_rows(missed));
}
