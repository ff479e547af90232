//! From a configuration to a serving appliance, and to its end. The order matters: what needs rights first, then without rights and
//! confined, and only then threads.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use blake2::{Blake2s256, Digest};
use nix::sys::prctl::set_dumpable;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chown, geteuid};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::audit::{self, Audit, Change};
use super::background::{BackgroundError, Readiness, Side, detach};
use super::calendar::Calendar;
use super::control::{Control, ControlError};
use super::crowd::Crowds;
use super::indexing::Indexer;
use super::lookout::Lookout;
use super::peers::{Peers, PeersError};
use super::privileges::{Identity, PrivilegeError};
use super::running::Running;
use super::sandbox::{self, Enforced, Reach};
use super::shell::DaemonShell;
use super::socket::{self, SocketError};
use super::state::{StateDir, StateError};
use super::usage::Usage;
use super::{logging, notify_manager, reload};
use crate::access::Policy;
use crate::config::{Config, ConfigErrors, KeyFileError, Places, ServerKeys, read_server_keys};
use crate::control::{Failed, FailedKind, ServerReport};
use crate::http::{self, Appliance, Traffic};
use crate::key::PrivateKey;
use crate::link::{Link, Stream};
use crate::node::{Event, Node, NodeConfig};
use crate::search::{Collection, Library, LibraryConfig, LibraryError};

/// Where a daemon in the background logs, in its state folder.
pub const LOG_FILE: &str = "adit.log";

/// How long answers under way may still take once we are told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// How a daemon is started.
pub struct ServeOptions {
    /// Where its files are.
    pub places: Places,
    /// Whom root is to become.
    pub user: Option<String>,
    /// Whether to go into the background.
    pub daemonize: bool,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// What SIGHUP means.
    pub hangup: Hangup,
    /// Called once everything serves, on a thread of its own.
    pub on_ready: Option<Box<dyn FnOnce(Arc<Running>) + Send>>,
}

/// What SIGHUP means to a process that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Read the configuration again: a daemon's convention.
    Reload,
    /// The terminal is gone: stop, as a program in the foreground would.
    Stop,
}

/// Why the daemon does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is bad.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// The server's key cannot be read.
    #[error("{0}")]
    Key(#[from] KeyFileError),
    /// The state folder cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// The list of devices cannot be read.
    #[error("{0}")]
    Peers(#[from] PeersError),
    /// There is no UDP socket.
    #[error("{0}")]
    Socket(#[from] SocketError),
    /// There is no control socket.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// Privileges could not be dropped.
    #[error("{0}")]
    Privileges(#[from] PrivilegeError),
    /// The sandbox could not be set up on a kernel that has it.
    #[error("the sandbox could not be set up: {0}")]
    Sandbox(String),
    /// The index cannot be used.
    #[error("{0}")]
    Library(#[from] LibraryError),
    /// A document folder is missing.
    #[error("collection {name:?}: {path}: {source}; create the folder, mount it, or change its path in adit.toml")]
    Folder {
        /// The collection.
        name: String,
        /// Its folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not go into the background.
    #[error("{0}")]
    Background(#[from] BackgroundError),
    /// The daemon in the background said why it does not serve.
    #[error("{}", .0.message)]
    Daemon(Failed),
    /// Anything else the system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl ServeError {
    /// The kind of failure, which decides the exit code.
    pub fn kind(&self) -> FailedKind {
        match self {
            ServeError::Config(_) => FailedKind::Configuration,
            ServeError::Daemon(failed) => failed.kind,
            _ => FailedKind::Failed,
        }
    }
}

/// Serves until told to stop. With `daemonize`, returns in the calling process once the daemon serves.
pub fn serve(mut options: ServeOptions) -> Result<(), ServeError> {
    let config = Config::load(&options.places.config)?;
    options.pid_file = options.pid_file.as_deref().map(absolute).transpose()?;
    umask(Mode::from_bits_truncate(0o077));
    if !options.daemonize {
        let pid_file = options.pid_file.as_deref().map(PidFile::write).transpose()?;
        let served = serve_here(options, config, None);
        drop(pid_file);
        return served;
    }
    let log = config.server.state_dir.join(LOG_FILE);
    // The log lies in the state folder, which may not exist yet; the daemon takes the lock itself.
    drop(StateDir::open(&config.server.state_dir)?);
    match detach(&log, options.pid_file.as_deref())? {
        Side::Parent(word) => word.map_err(ServeError::Daemon),
        Side::Daemon(readiness) => serve_here(options, config, Some(readiness)),
    }
}

fn serve_here(options: ServeOptions, config: Config, readiness: Option<Readiness>) -> Result<(), ServeError> {
    logging::start(&config.log);
    let (prepared, readiness) = match (Prepared::new(&options, config), readiness) {
        (Ok(prepared), readiness) => (prepared, readiness),
        (Err(error), None) => return Err(error),
        (Err(error), Some(readiness)) => {
            tracing::error!(%error, "adit does not serve");
            readiness.failed(&Failed { kind: error.kind(), message: error.to_string() });
            return Err(error);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(io_error("threads"))?;
    runtime.block_on(prepared.run(options, readiness))
}

/// Everything that had to be done with rights and on one thread.
struct Prepared {
    config: Config,
    keys: ServerKeys,
    socket: UdpSocket,
    inherited: bool,
    state: StateDir,
    peers: Peers,
    sandbox: Enforced,
    warnings: Vec<String>,
}

impl Prepared {
    fn new(options: &ServeOptions, config: Config) -> Result<Prepared, ServeError> {
        for collection in &config.collections {
            fs::read_dir(&collection.path).map_err(|source| ServeError::Folder {
                name: collection.name.to_string(),
                path: collection.path.clone(),
                source,
            })?;
        }
        let keys = read_server_keys(&config.server.key_file)?;
        let (socket, inherited) = socket::open(config.server.listen)?;
        let folders: Vec<PathBuf> = config.collections.iter().map(|it| it.path.clone()).collect();
        let identity = Identity::choose(options.user.as_deref(), &config.server.state_dir, &folders)?;
        let state = StateDir::open(&config.server.state_dir)?;
        let control_dir = control_dir(&options.places.control_socket(&config.server.state_dir))?;
        if geteuid().is_root() {
            let (user, group) = identity.ids();
            state.hand_over(user, group)?;
            chown(&control_dir, Some(user), Some(group))
                .map_err(|errno| io_error("control socket's folder")(errno.into()))?;
        }
        audit::make_folder(&config.audit, &identity).map_err(io_error("audit log's folder"))?;
        identity.assume()?;
        // No memory of ours in a core file, and none to be read by the user's other programs: the server's key is in it.
        set_dumpable(false).map_err(|errno| io_error("own memory")(errno.into()))?;
        let mut warnings = Vec::new();
        if identity == Identity::BareRoot {
            warnings.push(
                "no other user can read all documents, so adit runs as uid 0 (without any capability, inside landlock). \
                 Better: make a user (`useradd --system adit`), let it read each folder \
                 (`setfacl -R -m u:adit:rX FOLDER`), and start adit again: it becomes that user by itself"
                    .to_owned(),
            );
        }
        let peers = Peers::load(state.path())?;
        let sandbox = confine(&config, options, &control_dir)?;
        warnings.extend(sandbox.lack().map(str::to_owned));
        Ok(Prepared { config, keys, socket, inherited, state, peers, sandbox, warnings })
    }

    async fn run(self, options: ServeOptions, readiness: Option<Readiness>) -> Result<(), ServeError> {
        let started = self.start(&options).await;
        let (running, control, _state) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(%error, "adit does not serve");
                if let Some(readiness) = readiness {
                    readiness.failed(&Failed { kind: error.kind(), message: error.to_string() });
                }
                return Err(error);
            }
        };
        for warning in &running.warnings {
            tracing::warn!("{warning}");
        }
        let mut stopping = running.stop.subscribe();
        let stopped = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        running.audit.change(&Change::Started { program: env!("CARGO_PKG_VERSION") });
        running.admit_now();
        let control = tokio::spawn(control.serve(running.clone(), stopped));
        let calendar = tokio::spawn({
            let running = running.clone();
            async move { running.keep_calendar().await }
        });
        let signals = tokio::spawn(heed_signals(running.clone(), options.hangup).map_err(io_error("signals"))?);
        notify_manager::ready();
        tracing::info!(listen = %running.server.listen, peers = running.peers.lock().iter().count(), "serving");
        if let Some(readiness) = readiness {
            readiness.serving();
        }
        if let Some(on_ready) = options.on_ready {
            let running = running.clone();
            std::thread::spawn(move || on_ready(running));
        }
        let usage = tokio::spawn(Usage::keep(running.clone()));
        let watchdog = tokio::spawn(notify_manager::watchdog());
        accept(&running).await;
        notify_manager::stopping();
        watchdog.abort();
        signals.abort();
        calendar.abort();
        usage.abort();
        let _ = control.await;
        running.indexer.stop().await;
        running.link.stop().await;
        running.usage.save(&running);
        running.audit.change(&Change::Stopped);
        running.audit.stop();
        tracing::info!("stopped");
        Ok(())
    }

    async fn start(self, options: &ServeOptions) -> Result<(Arc<Running>, Control, StateDir), ServeError> {
        let Prepared { config, keys: ServerKeys { key, former }, socket, inherited, state, peers, sandbox, warnings } =
            self;
        let library = Arc::new(Library::open(library_config(&config))?);
        let node = Arc::new(Node::new(Instant::now(), node_config(&config, &key), entropy()));
        let calendar = Calendar::new(&config);
        let former = former.filter(|it| it.until > calendar.now());
        if let Some(former) = &former {
            node.answer_under(Instant::now(), &former.key);
        }
        let audit = Arc::new(Audit::start(&config.audit, derived_key(&key, b"adit audit key")));
        audit.know_all(peers.iter());
        let server = ServerReport {
            public_key: key.public().to_string(),
            former_key_until: None,
            endpoint: config.server.endpoint.clone(),
            addresses: config.server.tunnel.iter().map(|network| network.address).collect(),
            mtu: config.server.mtu,
            listen: socket.local_addr().map_err(io_error("UDP socket"))?,
        };
        let link = Link::start(&Handle::current(), socket, node.clone()).map_err(io_error("UDP socket"))?;
        let link = Arc::new(link);
        let control = Control::bind(&options.places.control_socket(state.path()))?;
        let indexer = Indexer::start(&config, library.clone());
        let usage = Usage::new(state.path());
        let shell = Arc::new(DaemonShell::new(indexer.subscribe(), audit.clone()));
        let appliance = Arc::new(Appliance {
            library,
            // Nobody is admitted before the calendar has been asked.
            policy: ArcSwap::from_pointee(Policy::default()),
            cursor_key: derived_key(&key, b"adit cursor key"),
            shell: shell.clone(),
            config: ArcSwap::from_pointee(config),
            traffic: Traffic::default(),
        });
        usage.restore(&peers, &appliance.traffic);
        if inherited {
            tracing::info!("the UDP socket was handed over by the service manager");
        }
        let running = Running {
            started: Instant::now(),
            config_path: options.places.config.clone(),
            server,
            server_key: key.public(),
            former_key_until: Mutex::new(former.map(|it| it.until)),
            calendar,
            peers: Mutex::new(peers),
            admitted: Mutex::default(),
            changed: Notify::new(),
            refusals: Mutex::default(),
            link,
            appliance,
            indexer,
            audit,
            usage,
            inherited,
            pid_file: options.pid_file.clone(),
            sandbox,
            warnings,
            stop: watch::channel(false).0,
        };
        let running = Arc::new(running);
        shell.know(&running);
        Ok((running, control, state))
    }
}

/// Serves every stream that a peer opens, until told to stop; then lets the answers under way finish.
async fn accept(running: &Arc<Running>) {
    let mut stopping = running.stop.subscribe();
    let mut connections = Crowds::default();
    let mut lookout = Lookout::default();
    loop {
        tokio::select! {
            event = running.link.event() => match event {
                Some(Event::Accepted(stream)) => {
                    let mut stop = running.stop.subscribe();
                    let stop = async move {
                        let _ = stop.wait_for(|stop| *stop).await;
                    };
                    let peer = stream.peer();
                    connections.add(peer, http::serve(Stream::from(stream), peer, running.appliance.clone(), stop));
                }
                Some(Event::Established(peer)) => {
                    tracing::debug!(%peer, "session");
                    let status = running.link.node().peer_status(Instant::now(), peer);
                    lookout.appeared(running, peer, status.and_then(|status| status.endpoint));
                }
                Some(Event::Roamed(peer, endpoint)) => {
                    tracing::debug!(%peer, %endpoint, "roamed");
                    lookout.appeared(running, peer, Some(endpoint));
                }
                Some(Event::Refused) => lookout.refused(),
                None => break,
            },
            Some(()) = connections.ended() => {}
            () = lookout.due() => lookout.write(running),
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    lookout.write(running);
    let finished = timeout(LAST_ANSWERS, async { while connections.ended().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::info!(peers = connections.len(), "answers cut off");
    }
}

/// SIGTERM and SIGINT stop.
fn heed_signals(running: Arc<Running>, meaning: Hangup) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => running.stop(),
                _ = interrupt.recv() => running.stop(),
                _ = hangup.recv() => if meaning == Hangup::Stop { running.stop() } else {
                    let running = running.clone();
                    let reloaded = tokio::task::spawn_blocking(move || reload::reload(&running)).await;
                    if let Ok(Err(failed)) = reloaded {
                        tracing::error!(error = failed.message, "reload refused; the running configuration stays");
                    }
                }
            }
        }
    })
}

fn confine(config: &Config, options: &ServeOptions, control_dir: &Path) -> Result<Enforced, ServeError> {
    let program = std::env::current_exe().map_err(io_error("this program's own file"))?;
    let reach = Reach {
        documents: config.collections.iter().map(|it| it.path.clone()).collect(),
        state: vec![config.server.state_dir.clone(), control_dir.to_owned(), audit::folder(&config.audit).to_owned()],
        config: options.places.dir().to_owned(),
        program,
    };
    sandbox::confine(&reach).map_err(|error| ServeError::Sandbox(error.to_string()))
}

fn control_dir(socket: &Path) -> Result<PathBuf, ServeError> {
    let dir = socket.parent().unwrap_or(Path::new("/")).to_owned();
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io_error("control socket's folder"))?;
    Ok(dir)
}

pub(super) fn library_config(config: &Config) -> LibraryConfig {
    let collection = |it: &crate::config::CollectionConfig| Collection { name: it.name.clone(), root: it.path.clone() };
    LibraryConfig {
        index_dir: config.server.state_dir.join("index"),
        collections: config.collections.iter().map(collection).collect(),
        memory: usize::try_from(config.index.memory).unwrap_or(usize::MAX),
        threads: config.index.threads,
    }
}

fn node_config(config: &Config, key: &PrivateKey) -> NodeConfig {
    NodeConfig {
        key: key.clone(),
        addresses: config.server.tunnel.iter().map(|network| network.address).collect(),
        mtu: config.server.mtu,
        accept_port: Some(80),
        connections: config.limits.connections,
        half_open: config.limits.half_open,
        connections_total: config.total.connections,
        buffers_total: config.total.buffers,
        handshakes_per_second: config.total.handshakes_per_second,
    }
}

/// A key for one purpose, to seal cursors or to hash queries; made of the server's, so that it survives restarts and is in no file of its own.
fn derived_key(key: &PrivateKey, purpose: &[u8]) -> [u8; 32] {
    let secret = zeroize::Zeroizing::new(key.to_secret().to_bytes());
    Blake2s256::new().chain_update(purpose).chain_update(secret.as_slice()).finalize().into()
}

fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the kernel has entropy once it has booted");
    bytes
}

fn absolute(path: &Path) -> Result<PathBuf, ServeError> {
    std::path::absolute(path).map_err(io_error("working directory"))
}

fn io_error(what: &str) -> impl Fn(io::Error) -> ServeError {
    move |source| ServeError::Io { what: what.to_owned(), source }
}

/// The process id in a file, for as long as the process serves in the foreground.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: &Path) -> Result<PidFile, ServeError> {
        fs::write(path, format!("{}\n", std::process::id())).map_err(io_error("pid file"))?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
