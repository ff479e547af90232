//! A pool of worker processes: open files in, what came out of them out. A worker that answers well is used again; one that takes
//! too long, dies or answers nonsense is killed and replaced, and nothing but its document knows. One that does not come so far as to
//! say how it is confined is no document's fault, and is asked nothing.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::documents::confine::Confinement;
use crate::documents::frame::{Answer, PREFIX_BYTES, Request, begin_frame, parse_prefix};
use crate::documents::{ExtractLimits, Extracted, Format, Refusal, worker};
use crate::limits::{
    WORKER_ANSWER_BYTES, WORKER_BUSY, WORKER_CHUNK_BYTES, WORKER_DOCUMENTS, WORKER_EXIT, WORKER_GREETING_BYTES,
    WORKER_START,
};

/// How workers are run.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The program: [`PoolConfig::OURSELVES`], unless a test says otherwise.
    pub program: PathBuf,
    /// How many at once.
    pub workers: usize,
    /// Address space of each, in bytes.
    pub memory: u64,
    /// What one document may take.
    pub timeout: Duration,
}

impl PoolConfig {
    /// This very program, even where its file was replaced meanwhile: the link leads to what is running.
    pub const OURSELVES: &str = "/proc/self/exe";
}

/// Why there is nothing of a document.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// It cannot be read; asking again changes nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cost its worker, which may have been chance.
    #[error("{0}")]
    Killed(Death),
    /// The file could not be read, or became shorter meanwhile.
    #[error("the file could not be read: {0}")]
    File(io::Error),
    /// No worker could be started, which is not the document's fault.
    #[error("no worker could be started: {0}")]
    NoWorker(io::Error),
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Death {
    /// It was given up.
    #[error("reading it took more than {} s", .0.as_secs())]
    Timeout(Duration),
    /// Memory or stack ended, most often.
    #[error("reading it needs more memory than `extract.memory` allows, or nests too deeply")]
    Aborted,
    /// A signal, by name.
    #[error("reading it crashed a worker ({0})")]
    Signal(&'static str),
    /// It asked the kernel for what no parser needs, and was ended for that.
    #[error("reading it made a worker reach for more than its document, which is how an attack looks")]
    Forbidden,
    /// It went away by itself.
    #[error("reading it ended a worker (exit code {0})")]
    Exit(i32),
    /// Its answer was none.
    #[error("reading it made a worker talk nonsense")]
    Nonsense,
}

/// The pool. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: PoolConfig,
    places: Semaphore,
    idle: Mutex<Vec<Worker>>,
    standing: Mutex<Standing>,
}

/// What is known of the workers themselves.
#[derive(Debug, Default, Clone)]
struct Standing {
    confinement: Option<Confinement>,
    trouble: Option<String>,
}

impl Pool {
    /// A pool without a worker: they begin when there is work.
    pub fn new(config: PoolConfig) -> Pool {
        let places = Semaphore::new(config.workers.max(1));
        Pool { shared: Arc::new(Shared { config, places, idle: Mutex::default(), standing: Mutex::default() }) }
    }

    /// Starts a worker ahead of any document and lets it go, to know how workers are confined, or that there can be none.
    pub async fn begin(&self) {
        let _place = self.shared.places.acquire().await.expect("the semaphore is never closed");
        drop(self.start().await);
    }

    /// How workers are run.
    pub fn config(&self) -> &PoolConfig {
        &self.shared.config
    }

    /// What the kernel holds workers to; `None` before the first has begun.
    pub fn confinement(&self) -> Option<Confinement> {
        self.shared.standing.lock().confinement
    }

    /// What the owner should know of the workers.
    pub fn warning(&self) -> Option<String> {
        let standing = self.shared.standing.lock();
        let lack = || standing.confinement?.lack().map(str::to_owned);
        standing.trouble.clone().or_else(lack)
    }

    /// How many documents can be read at once.
    pub fn workers(&self) -> usize {
        self.shared.config.workers.max(1)
    }

    /// Reads `size` bytes of a file as a document. Waits for a worker to be free.
    pub async fn extract(
        &self,
        format: Format,
        file: File,
        size: u64,
        limits: &ExtractLimits,
    ) -> Result<Extracted, ExtractError> {
        let shared = &self.shared;
        let _place = shared.places.acquire().await.expect("the semaphore is never closed");
        let idle = shared.idle.lock().pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => self.start().await.map_err(ExtractError::NoWorker)?,
        };
        let request = Request { format, limits: limits.clone(), cpu_secs: shared.config.timeout.as_secs() + 1 };
        let begun = Instant::now();
        let answer = match timeout(shared.config.timeout, worker.ask(&request, file, size)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Broken::File(error))) => return Err(ExtractError::File(error)),
            Ok(Err(Broken::Worker)) => return Err(ExtractError::Killed(worker.death().await)),
            Ok(Err(Broken::Nonsense)) => return Err(ExtractError::Killed(Death::Nonsense)),
            Err(_) => return Err(ExtractError::Killed(Death::Timeout(shared.config.timeout))),
        };
        worker.documents += 1;
        worker.busy += begun.elapsed();
        if worker.documents < WORKER_DOCUMENTS && worker.busy < WORKER_BUSY {
            shared.idle.lock().push(worker);
        }
        answer.map_err(ExtractError::Refused)
    }

    /// Ends the workers that have nothing to do.
    pub fn rest(&self) {
        self.shared.idle.lock().clear();
    }

    async fn start(&self) -> io::Result<Worker> {
        let started = Worker::start(&self.shared.config).await;
        let mut standing = self.shared.standing.lock();
        match &started {
            Ok(worker) => {
                if standing.confinement.is_none()
                    && let Some(lack) = worker.confinement.lack()
                {
                    tracing::warn!("{lack}");
                }
                *standing = Standing { confinement: Some(worker.confinement), trouble: None };
            }
            Err(error) => standing.trouble = Some(format!("documents are not read: no worker can be started: {error}")),
        }
        started
    }
}

/// One process. Dropping it kills it.
#[derive(Debug)]
struct Worker {
    process: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    confinement: Confinement,
    documents: u32,
    busy: Duration,
}

/// What went wrong between us and a worker, which is of no use afterwards.
enum Broken {
    File(io::Error),
    Worker,
    Nonsense,
}

impl Worker {
    async fn start(config: &PoolConfig) -> io::Result<Worker> {
        // Its life ends in the midst of a document at the latest.
        let cpu_secs = (WORKER_BUSY + config.timeout).as_secs() + 2;
        let mut process = Command::new(&config.program)
            .arg0("adit")
            .arg(worker::SUBCOMMAND)
            .args([config.memory.to_string(), cpu_secs.to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for us: a worker that died of it would blame its document.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let stdin = process.stdin.take().ok_or_else(missing)?;
        let mut stdout = process.stdout.take().ok_or_else(missing)?;
        match timeout(WORKER_START, greeting(&mut stdout)).await {
            Ok(Ok(confinement)) => {
                Ok(Worker { process, stdin, stdout, confinement, documents: 0, busy: Duration::ZERO })
            }
            Ok(Err(error)) => {
                let end = timeout(WORKER_EXIT, process.wait()).await.ok().and_then(Result::ok);
                let end = end.map_or_else(|| error.to_string(), |status| status.to_string());
                Err(io::Error::other(format!("it ended before it was ready ({end}); is `extract.memory` too small?")))
            }
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn ask(&mut self, request: &Request, file: File, size: u64) -> Result<Result<Extracted, Refusal>, Broken> {
        self.stdin.write_all(&begin_frame(request, size)).await.map_err(|_| Broken::Worker)?;
        self.send(file, size).await?;
        let mut prefix = [0; PREFIX_BYTES];
        self.stdout.read_exact(&mut prefix).await.map_err(|_| Broken::Worker)?;
        let bounds = parse_prefix(prefix, WORKER_ANSWER_BYTES, request.limits.max_text as u64);
        let (header_bytes, text_bytes) = bounds.map_err(|_| Broken::Nonsense)?;
        let header = self.receive(header_bytes).await?;
        let text = self.receive(text_bytes as usize).await?;
        let answer: Answer = serde_json::from_slice(&header).map_err(|_| Broken::Nonsense)?;
        match answer {
            Answer::Refused(refusal) => Ok(Err(refusal)),
            Answer::Extracted(mut extracted) => {
                extracted.text = String::from_utf8(text).map_err(|_| Broken::Nonsense)?;
                match extracted.is_sound(request.limits.max_text) {
                    true => Ok(Ok(*extracted)),
                    false => Err(Broken::Nonsense),
                }
            }
        }
    }

    /// Sends the document piece by piece, so that a large one never stands in our own memory.
    async fn send(&mut self, mut file: File, size: u64) -> Result<(), Broken> {
        let mut left = size;
        let mut chunk = vec![0; WORKER_CHUNK_BYTES.min(size as usize)];
        while left > 0 {
            chunk.truncate(left.min(WORKER_CHUNK_BYTES as u64) as usize);
            let read = tokio::task::spawn_blocking(move || {
                let outcome = file.read_exact(&mut chunk);
                (file, chunk, outcome)
            });
            let outcome;
            (file, chunk, outcome) = read.await.map_err(|error| Broken::File(io::Error::other(error)))?;
            outcome.map_err(Broken::File)?;
            self.stdin.write_all(&chunk).await.map_err(|_| Broken::Worker)?;
            left -= chunk.len() as u64;
        }
        Ok(())
    }

    async fn receive(&mut self, bytes: usize) -> Result<Vec<u8>, Broken> {
        let mut buffer = Vec::new();
        let read = (&mut self.stdout).take(bytes as u64).read_to_end(&mut buffer).await;
        match read {
            Ok(read) if read == bytes => Ok(buffer),
            _ => Err(Broken::Worker),
        }
    }

    /// How a worker ended whose pipes broke.
    async fn death(mut self) -> Death {
        match timeout(WORKER_EXIT, self.process.wait()).await {
            Ok(Ok(status)) => Death::from(status),
            _ => Death::Nonsense,
        }
    }
}

/// What a worker says first.
async fn greeting(stdout: &mut ChildStdout) -> io::Result<Confinement> {
    let mut prefix = [0; PREFIX_BYTES];
    stdout.read_exact(&mut prefix).await?;
    let (header_bytes, _) = parse_prefix(prefix, WORKER_GREETING_BYTES, 0)?;
    let mut header = vec![0; header_bytes];
    stdout.read_exact(&mut header).await?;
    Ok(serde_json::from_slice(&header)?)
}

impl From<ExitStatus> for Death {
    fn from(status: ExitStatus) -> Death {
        match status.signal().map(Signal::try_from) {
            Some(Ok(Signal::SIGABRT)) => Death::Aborted,
            Some(Ok(Signal::SIGSYS)) => Death::Forbidden,
            Some(Ok(signal)) => Death::Signal(signal.as_str()),
            Some(Err(_)) => Death::Signal("an unknown signal"),
            None => Death::Exit(status.code().unwrap_or_default()),
        }
    }
}
