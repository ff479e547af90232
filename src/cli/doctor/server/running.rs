//! What the running daemon says of itself: what is enforced, and what troubles it.

use crate::cli::doctor::Finding;
use crate::cli::status::index_line;
use crate::control::{SandboxReport, StatusReport};

pub(super) fn examine(status: Result<Option<Box<StatusReport>>, String>, serve: &str) -> Vec<Finding> {
    let status = match status {
        Ok(Some(status)) => status,
        Ok(None) => return vec![Finding::warning("daemon", "it is not running", format!("start it: {serve}"))],
        Err(said) => return vec![Finding::failed("daemon", said, "ask as root, or as the user that it runs as")],
    };
    let mut findings = vec![
        Finding::well("daemon", format!("it serves on {}/udp (pid {})", status.server.listen, status.pid)),
        sandbox(&status.sandbox),
        match status.index.failed {
            0 => Finding::well("index", index_line(&status.index)),
            _ => {
                Finding::warning("index", index_line(&status.index), "`adit index failures` names each with its reason")
            }
        },
    ];
    findings.extend(status.warnings.into_iter().map(|warning| Finding::warning("daemon", warning, "")));
    findings
}

fn sandbox(sandbox: &SandboxReport) -> Finding {
    let workers = sandbox.workers.map(|workers| (workers.landlock_abi > 0, workers.seccomp));
    let remedy =
        "a kernel of 5.13 or later with landlock in its `lsm=` list; in a container, allow landlock and seccomp";
    match (sandbox.landlock_abi, workers) {
        (1.., None | Some((true, true))) => {
            Finding::well("sandbox", "landlock for the daemon; landlock and seccomp for workers")
        }
        (0, _) => Finding::warning("sandbox", "no landlock: the daemon can reach whatever its user can", remedy),
        (_, Some((false, _))) => Finding::warning("sandbox", "workers have no landlock", remedy),
        (_, Some(_)) => Finding::warning("sandbox", "workers' system calls are not filtered", remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;
    use crate::documents::confine::Confinement;

    #[test]
    fn what_the_kernel_does_not_enforce_is_a_warning() {
        let report = |landlock_abi, workers| SandboxReport {
            landlock_abi,
            workers,
            worker_memory_bytes: 1,
            worker_timeout_seconds: 1,
        };
        let whole = Some(Confinement { landlock_abi: 5, seccomp: true });
        for (landlock_abi, workers, verdict) in [
            (5, whole, Verdict::Well),
            (5, None, Verdict::Well),
            (0, whole, Verdict::Warning),
            (5, Some(Confinement { landlock_abi: 0, seccomp: true }), Verdict::Warning),
            (5, Some(Confinement { landlock_abi: 5, seccomp: false }), Verdict::Warning),
        ] {
            assert_eq!(sandbox(&report(landlock_abi, workers)).verdict, verdict, "{workers:?}");
        }
    }
}
