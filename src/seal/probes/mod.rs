//! The probes: attempts at everything a seal forbids, and at the little it must permit.
//!
//! Every probe is harmless if the seal is missing: it names things that do not exist, passes
//! arguments that an open kernel refuses after it looked at them, or undoes what it did. A probe
//! knows the errno that an intact seal answers with; any other answer, and none, is a failure.
//! It also knows how an open kernel answers, so that [`super::controls`] can show that the denial
//! comes from the seal.

mod descriptors;
mod early;
mod files;
mod first;
mod kernel;
mod memory;
mod network;
mod plain;
mod processes;

use std::os::fd::RawFd;
use std::path::PathBuf;

use super::enter::Entered;
use super::outside::Outside;
use super::plan::{Layer, Zone};
use super::proof::{ProbeReport, ProbeThread, Stage};
use super::sys::{Errno, errno_name};

/// The answer of a call that did what it was asked, where errno numbers are listed.
pub(super) const SUCCESS: Errno = 0;

/// What an attempt met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call did what it was asked, or failed with this errno.
    Answer(Errno),
    /// The attempt could not be made at all.
    CouldNotRun(String),
}

impl From<Result<(), Errno>> for Outcome {
    fn from(result: Result<(), Errno>) -> Self {
        Outcome::Answer(result.err().unwrap_or(SUCCESS))
    }
}

impl From<rustix::io::Result<()>> for Outcome {
    fn from(result: rustix::io::Result<()>) -> Self {
        Outcome::Answer(
            result
                .err()
                .map_or(SUCCESS, rustix::io::Errno::raw_os_error),
        )
    }
}

impl Outcome {
    /// In the words of a report.
    pub fn words(&self) -> String {
        match self {
            Outcome::Answer(errno) => answer_name(*errno),
            Outcome::CouldNotRun(why) => format!("could not run: {why}"),
        }
    }
}

/// One attempt.
pub(super) struct Probe {
    /// Short name, unique in a list.
    pub name: String,
    /// What is attempted.
    pub attempt: String,
    /// Layers whose absence turns this probe red.
    pub layers: Vec<Layer>,
    /// The answers of an intact seal.
    pub expected: Vec<Errno>,
    /// The answers of an open kernel that did look at the attempt, besides success.
    pub open: Vec<Errno>,
    /// Makes the attempt.
    pub run: Box<dyn Fn() -> Outcome + Send + Sync>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe({})", self.name)
    }
}

impl Probe {
    fn report(&self, thread: ProbeThread, outcome: &Outcome) -> ProbeReport {
        ProbeReport {
            name: self.name.clone(),
            attempt: self.attempt.clone(),
            layers: self.layers.clone(),
            thread,
            expected: self
                .expected
                .iter()
                .map(|errno| answer_name(*errno))
                .collect(),
            got: outcome.words(),
            held: matches!(outcome, Outcome::Answer(errno) if self.expected.contains(errno)),
        }
    }
}

fn answer_name(errno: Errno) -> String {
    if errno == SUCCESS {
        "SUCCEEDED".to_owned()
    } else {
        errno_name(errno)
    }
}

/// Where the probes are made: what the process can see, so what they may expect.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// Whose allow-list is in force.
    pub zone: Zone,
    /// Whether the root is the empty one.
    pub own_root: bool,
    /// Granted for reading.
    pub read: Vec<PathBuf>,
    /// Granted for writing.
    pub write: Vec<PathBuf>,
    /// A file that exists, is readable by its mode, and is not granted.
    pub not_granted: PathBuf,
    /// Our own process id and our parent's, as far as we can see it.
    pub pids: (u32, u32),
    /// ABI of Landlock, 0 if there is none.
    pub landlock_abi: u32,
    /// What was laid outside of the namespaces.
    pub outside: Outside,
    /// Whether the process has a user namespace of its own.
    pub own_users: bool,
    /// A descriptor that was open before the seal and was not granted.
    pub inherited_fd: RawFd,
    /// The limit of open descriptors.
    pub open_files: u64,
}

impl Scene {
    /// The scene of a sealed worker.
    pub fn sealed(entered: &Entered) -> Self {
        let reach = |mounts: &[super::plan::Mount]| {
            mounts
                .iter()
                .filter_map(|mount| entered.path(&mount.inside))
                .collect()
        };
        let not_granted = if entered.own_root {
            super::rootfs::CANARY_FILE
        } else {
            "/etc/passwd"
        };
        Self {
            zone: entered.plan.zone,
            own_root: entered.own_root,
            read: reach(&entered.plan.read_dirs),
            write: reach(&entered.plan.write_dirs),
            not_granted: PathBuf::from(not_granted),
            // The parent is outside of the process-id namespace; 0 names our own group.
            pids: (entered.pid, 0),
            landlock_abi: entered.landlock_abi,
            outside: entered.laid,
            own_users: entered.own_users,
            inherited_fd: entered.canary_fd,
            open_files: entered.plan.limits.open_files,
        }
    }
}

/// Every probe of a stage in this scene.
pub(super) fn list(scene: &Scene, stage: Stage) -> Vec<Probe> {
    let mut probes = network::probes();
    probes.extend(processes::probes(scene));
    probes.extend(descriptors::probes(scene));
    probes.extend(kernel::probes());
    probes.extend(memory::probes(scene));
    probes.extend(plain::probes(scene));
    match stage {
        Stage::Closed => probes.extend(files::probes(scene)),
        // Nothing can be opened any more, whoever would have refused it before.
        Stage::Narrowed => {
            probes.extend(files::narrowed(scene));
            for probe in &mut probes {
                if probe.expected != [SUCCESS] {
                    probe.expected = vec![libc::EPERM];
                    probe.layers = vec![Layer::Seccomp];
                }
            }
        }
    }
    probes
}

/// Runs probes one after the other in this thread.
pub(super) fn run_all(probes: &[Probe], thread: ProbeThread) -> Vec<ProbeReport> {
    probes
        .iter()
        .map(|probe| probe.report(thread, &(probe.run)()))
        .collect()
}

/// The reports of probes that no thread could run.
pub(super) fn none_ran(probes: &[Probe], thread: ProbeThread) -> Vec<ProbeReport> {
    let outcome = Outcome::CouldNotRun("there is no such thread".to_owned());
    probes
        .iter()
        .map(|probe| probe.report(thread, &outcome))
        .collect()
}

/// The probes of the namespaces; to be run before anything is closed.
pub(super) fn first(scene: &Scene) -> Vec<Probe> {
    first::probes(scene)
}

/// The probes that show a layer which the allow-list will hide; to be run just before it.
pub(super) fn early(scene: &Scene) -> Vec<Probe> {
    early::probes(scene)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(zone: Zone) -> Scene {
        Scene {
            zone,
            own_root: true,
            read: vec!["/tree".into()],
            write: vec![],
            not_granted: "/outside/canary".into(),
            pids: (1, 0),
            landlock_abi: 7,
            outside: Outside {
                pid: 1000,
                shared: crate::seal::outside::Shared::NoneHere,
            },
            own_users: true,
            inherited_fd: 200,
            open_files: 256,
        }
    }

    #[test]
    fn names_are_unique_and_every_probe_expects_and_attempts_something() {
        for zone in Zone::ALL {
            for stage in [Stage::Closed, Stage::Narrowed] {
                let mut probes = list(&scene(zone), stage);
                probes.extend(first(&scene(zone)));
                probes.extend(early(&scene(zone)));
                let names: std::collections::BTreeSet<_> =
                    probes.iter().map(|p| p.name.as_str()).collect();
                assert_eq!(names.len(), probes.len());
                for probe in probes {
                    assert!(!probe.expected.is_empty() && !probe.attempt.is_empty());
                }
            }
        }
    }

    #[test]
    fn an_unexpected_answer_and_a_probe_that_did_not_run_are_red() {
        let probe = |answer: Outcome| Probe {
            name: "x".into(),
            attempt: "x".into(),
            layers: vec![],
            expected: vec![libc::EPERM],
            open: vec![],
            run: Box::new(move || answer.clone()),
        };
        let held = |answer| run_all(&[probe(answer)], ProbeThread::Main)[0].held;
        assert!(held(Outcome::Answer(libc::EPERM)));
        assert!(
            !held(Outcome::Answer(libc::EACCES)),
            "any error is not denied"
        );
        assert!(!held(Outcome::Answer(SUCCESS)));
        assert!(!held(Outcome::CouldNotRun("no thread".into())));
        assert!(!none_ran(&[probe(Outcome::Answer(libc::EPERM))], ProbeThread::Second)[0].held);
    }
}
