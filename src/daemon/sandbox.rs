//! What the serving process can reach of the file system and the network: its documents to read, its state to write, and no TCP at all.
//! Rules cannot be widened while it runs: a new document folder needs a restart.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
};

/// The newest rules this was written for; an older kernel enforces what it knows.
const RULES: ABI = ABI::V5;

/// What a dynamically linked worker needs to start; a static one needs none of it.
const LIBRARIES: [&str; 8] =
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/gnu/store", "/nix/store"];

/// What the process may reach.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Folders of documents: read.
    pub documents: Vec<PathBuf>,
    /// Folders of state, control socket and logs: read and write.
    pub state: Vec<PathBuf>,
    /// The folder of the configuration: read.
    pub config: PathBuf,
    /// This program, which is also the extraction worker: execute.
    pub program: PathBuf,
}

/// What the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforced {
    /// Everything asked for, by this version of landlock's interface.
    Fully(u32),
    /// What an older kernel knows: this version of the interface.
    Partly(u32),
    /// Nothing: the kernel has no landlock, or a container forbids it.
    Not,
}

impl Enforced {
    /// Version of landlock's interface in force; 0: none.
    pub fn landlock_abi(self) -> u32 {
        match self {
            Enforced::Fully(abi) | Enforced::Partly(abi) => abi,
            Enforced::Not => 0,
        }
    }

    /// What is missing, for the owner; `None` where nothing is.
    pub fn lack(self) -> Option<&'static str> {
        match self {
            Enforced::Fully(_) => None,
            Enforced::Partly(_) => {
                Some("this kernel's landlock is older than adit: part of the daemon's sandbox is missing")
            }
            Enforced::Not => Some(
                "there is no landlock here (an old kernel, or a container that forbids it): the daemon can reach whatever its user can",
            ),
        }
    }
}

/// Confines this process and all it starts, for good. Must run before any thread is made.
pub fn confine(reach: &Reach) -> Result<Enforced, landlock::RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(RULES) & !AccessFs::Execute;
    let devices = ["/dev/null", "/dev/urandom"];
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .create()?
        .add_rules(path_beneath_rules(&reach.documents, read))?
        .add_rules(path_beneath_rules([&reach.config], read))?
        .add_rules(path_beneath_rules(&reach.state, write))?
        .add_rules(path_beneath_rules([&reach.program], read | AccessFs::Execute))?
        .add_rules(path_beneath_rules(LIBRARIES, read | AccessFs::Execute))?
        .add_rules(path_beneath_rules(devices, read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(own_figures(), read))?
        .restrict_self()?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi.min(RULES) as u32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Fully(abi),
        RulesetStatus::PartiallyEnforced => Enforced::Partly(abi),
        RulesetStatus::NotEnforced => Enforced::Not,
    })
}

/// Figures of the machine and of this process: cores, memory, time zone.
fn own_figures() -> [&'static Path; 4] {
    ["/proc/self", "/sys/devices/system/cpu", "/etc/localtime", "/usr/share/zoneinfo"].map(Path::new)
}
