//! Hostile documents, through real workers: each is read, refused with a reason, or costs its worker; and whatever came before, a good
//! document after it is read.

#![cfg(feature = "server")]

mod crafted;
mod forge;
mod mutated;
mod workers;

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use adit::daemon::workers::{Death, ExtractError, Pool, PoolConfig};
use adit::documents::{ExtractLimits, Extracted, Format, Refusal};

const MAX_TEXT: usize = 4 << 20;

fn pool(timeout: Duration) -> Pool {
    pool_of(env!("CARGO_BIN_EXE_adit").into(), timeout)
}

fn pool_of(program: PathBuf, timeout: Duration) -> Pool {
    Pool::new(PoolConfig { program, workers: 2, memory: 512 << 20, timeout })
}

async fn read(pool: &Pool, format: Format, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let limits = ExtractLimits { max_text: MAX_TEXT, languages: Vec::new() };
    pool.extract(format, file, bytes.len() as u64, &limits).await
}

async fn check_good(pool: &Pool) {
    let good = read(pool, Format::Markdown, b"# Good\n\nnews").await.unwrap();
    assert_eq!((good.title.as_deref(), good.text.as_str()), (Some("Good"), "# Good\n\nnews"));
}

/// What became of a document; a hostile one may do no more than this.
async fn check(pool: &Pool, name: &str, format: Format, bytes: &[u8]) -> &'static str {
    match read(pool, format, bytes).await {
        Ok(_) => "read",
        Err(ExtractError::Refused(Refusal::Panic(words))) => {
            println!("{name}: the parser panicked: {words}");
            "refused"
        }
        Err(ExtractError::Refused(_)) => "refused",
        Err(ExtractError::Killed(Death::Nonsense)) => {
            panic!("{name}: a worker that nobody has taken over keeps to the rules")
        }
        Err(ExtractError::Killed(death)) => {
            println!("{name}: {death}");
            "killed"
        }
        Err(error) => panic!("{name}: {error}"),
    }
}
