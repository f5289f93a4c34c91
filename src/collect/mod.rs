//! Collecting a bundle on the customer's side: a namespace of a cluster through the person's own
//! `kubectl`, or this host. Reads only; what is asked is listed before it is asked.
//!
//! Owns: the lists of questions, the limits, the masking at the source, the archive and its
//! `collect.json` (`narrowroom.collect/v1`). Touches: processes ([`run`]), the host's files
//! ([`host`]), the terminal through its caller. Zone: none of triage's. It runs where the data is at
//! home, with the rights of the person who starts it; what it writes is for others.
//!
//! Nothing unmasked is written anywhere: answers are held in memory, bounded, until the secrets in
//! all of them are known. Secret objects are never asked for.
//!
//! | source | layout of the archive |
//! |---|---|
//! | Kubernetes | as Troubleshoot: `cluster-resources/<kind>/<namespace>.json`, `cluster-resources/pods/logs/<namespace>/<pod>/<container>[-previous].log`, `…-errors.json` |
//! | host | as sos: `sos_commands/<area>/<command>`, `proc/…`, `etc/…`, `var/log/…` |

mod gather;
mod host;
mod kubernetes;
mod pack;
mod run;

pub use gather::{Gathered, Limits, Refused, Source, Watch, gather};
pub use host::host_questions;
pub use kubernetes::{Cluster, cluster_questions, log_questions};
pub use pack::{FileFacts, Manifest, Packed, pack, seconds_now};

/// One question, and where its answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// How it is asked.
    pub ask: Ask,
    /// Path of the answer below the archive's folder.
    pub path: String,
    /// What an answer that is too long loses.
    pub when_long: WhenLong,
}

/// How something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A command that only reads: program and arguments.
    Command(Vec<String>),
    /// The text of a file of this host.
    File(String),
}

/// What is left of an answer that is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLong {
    /// Its end: a log's last lines say most.
    KeepEnd,
    /// Its beginning.
    KeepBeginning,
    /// Nothing: half of a JSON document is of no use.
    Drop,
}

impl Question {
    /// As a person would type it.
    pub fn shown(&self) -> String {
        match &self.ask {
            Ask::Command(words) => words
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(" "),
            Ask::File(path) => format!("read {path}"),
        }
    }
}

/// A word as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
