//! Pods, their containers and conditions.

use super::{Labels, Loc, Src, full_name};
use std::collections::BTreeMap;

/// The state of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Which one.
    pub kind: StateKind,
    /// `CrashLoopBackOff`, `OOMKilled`, `Error`, …
    pub reason: Loc<String>,
    /// The runtime's or kubelet's words.
    pub message: Loc<String>,
    /// Exit code of a terminated container.
    pub exit_code: Option<Loc<i64>>,
    /// Start, seconds since 1970.
    pub started: Option<i64>,
    /// End, seconds since 1970.
    pub finished: Option<i64>,
}

/// The kinds of container states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateKind {
    /// Not said.
    #[default]
    Unknown,
    /// Not started, or backing off.
    Waiting,
    /// Running.
    Running,
    /// Ended.
    Terminated,
}

/// Where an environment variable or an `envFrom` block takes its value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The key, "" for all.
    pub key: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// Place.
    pub src: Src,
}

/// A probe of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// `liveness`, `readiness`, `startup`.
    pub kind: String,
    /// Port number or name; "" for exec probes.
    pub port: String,
    /// Its description, e.g. `http-get http://:8080/health delay=0s`.
    pub text: Loc<String>,
}

/// A container of a pod or a pod template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// An init container.
    pub init: bool,
    /// Image reference.
    pub image: Loc<String>,
    /// `command`, then `args`.
    pub command: Vec<Loc<String>>,
    /// Current state.
    pub state: State,
    /// State before the last restart.
    pub last: State,
    /// Readiness.
    pub ready: Option<bool>,
    /// Restart count.
    pub restarts: Loc<i64>,
    /// Limits: `cpu`, `memory`, …
    pub limits: BTreeMap<String, Loc<String>>,
    /// Requests.
    pub requests: BTreeMap<String, Loc<String>>,
    /// Environment: names with plain values.
    pub env: Vec<(String, Loc<String>)>,
    /// Environment taken from elsewhere.
    pub references: Vec<Reference>,
    /// Probes.
    pub probes: Vec<Probe>,
    /// Declared ports: name, number.
    pub ports: Vec<(String, i64)>,
}

/// A condition of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// `Ready`, `PodScheduled`, …
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: Loc<String>,
    /// Machine word.
    pub reason: Loc<String>,
    /// Words.
    pub message: Loc<String>,
    /// Last transition, seconds since 1970.
    pub since: Option<i64>,
}

/// A volume that refers to another object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    /// `Secret`, `ConfigMap`, `PersistentVolumeClaim`, `NFS`, `HostPath`, …
    pub kind: String,
    /// The referred object's name, the server for NFS, the path for host paths.
    pub target: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// Place.
    pub src: Src,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pod {
    /// Namespace, "" when the bundle does not say.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`; "" when only a table row is known.
    pub phase: Loc<String>,
    /// The STATUS column of a table row.
    pub row_status: Loc<String>,
    /// Reason of the pod's status (`Evicted`).
    pub reason: Loc<String>,
    /// Message of the pod's status.
    pub message: Loc<String>,
    /// READY column or counted containers.
    pub ready: Option<(i64, i64)>,
    /// Sum of restarts.
    pub restarts: i64,
    /// Seconds since the last restart, from a table row.
    pub last_restart: Option<i64>,
    /// Seconds since creation.
    pub age: Option<i64>,
    /// Its node.
    pub node: String,
    /// Controller as `Kind/name`.
    pub owner: String,
    /// Labels.
    pub labels: Labels,
    /// Service account.
    pub service_account: String,
    /// Scheduler, when not the default one.
    pub scheduler: Loc<String>,
    /// Node selector.
    pub node_selector: Labels,
    /// Containers, init containers first.
    pub containers: Vec<Container>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Deletion time, seconds since 1970.
    pub deleted: Option<i64>,
    /// Deletion mark's place.
    pub deleted_src: Src,
    /// Whether more than a table row is known.
    pub detailed: bool,
}

impl Pod {
    /// The condition `kind`.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }
    /// Ended well: a finished job's pod.
    pub fn is_done(&self) -> bool {
        self.phase.v == "Succeeded" || (self.phase.v.is_empty() && self.row_status.v == "Completed")
    }
    /// Running with every container ready.
    pub fn is_ready(&self) -> bool {
        if self.deleted.is_some() {
            return false;
        }
        let running = if self.phase.v.is_empty() {
            self.row_status.v == "Running"
        } else {
            self.phase.v == "Running"
        };
        let all = match self.condition("Ready") {
            Some(condition) => condition.status.v == "True",
            None => self
                .ready
                .is_some_and(|(ready, total)| ready == total && total > 0),
        };
        running && all
    }
    /// How it is called in text: `namespace/name`.
    pub fn full_name(&self) -> String {
        full_name(&self.ns, &self.name)
    }
    /// Name without the controller's hashes: `web-5f7c9d-x2x4z` is `web`.
    pub fn app(&self) -> &str {
        app_of(&self.name)
    }
}

/// Whether a name ends as those of pods that a controller made up: a template's hash and a suffix, or a suffix with
/// a digit. An ordinal is not enough: units of systemd have such names, too.
pub fn is_generated_name(name: &str) -> bool {
    let made_up = &name[app_of(name).len()..];
    made_up.len() > 5
        && (made_up.matches('-').count() == 2 || made_up.bytes().any(|byte| byte.is_ascii_digit()))
}

/// A pod's name without the hashes and ordinals that controllers append.
pub fn app_of(name: &str) -> &str {
    let is_hash = |part: &str| {
        part.len() >= 5
            && part.len() <= 10
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !part
                .bytes()
                .any(|byte| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u'))
    };
    let is_template_hash = |part: &str| {
        part.len() >= 6
            && part.len() <= 10
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && (part.bytes().any(|b| b.is_ascii_digit()) || part.len() >= 9 && is_hash(part))
    };
    let Some((head, tail)) = name.rsplit_once('-') else {
        return name;
    };
    if !tail.is_empty() && tail.len() < 4 && tail.bytes().all(|byte| byte.is_ascii_digit()) {
        return head;
    }
    if tail.len() == 5 && is_hash(tail) {
        return match head.rsplit_once('-') {
            Some((app, hash)) if is_template_hash(hash) => app,
            _ => head,
        };
    }
    name
}
