//! What is no object: notes, logs, and what collectors, tools, monitors, traces and brokers say.

use super::{Labels, Loc, Src};

/// What a tool answered instead of doing what it was asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// `helm`, `argo`, `flux`, `drain` or `tool`.
    pub tool: &'static str,
    /// Its words.
    pub words: String,
    /// Place.
    pub src: Src,
}

/// An alert that fires.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Lower case, "" if unsaid.
    pub severity: String,
    /// Namespace it is about.
    pub ns: String,
    /// Object it is about.
    pub object: String,
    /// Description or summary.
    pub words: Loc<String>,
    /// Place of its name.
    pub src: Src,
    /// Labels that fill commands: pod, node, …
    pub labels: Labels,
    /// Somebody silenced it, or another alert inhibits it.
    pub silenced: bool,
}

/// A span of a distributed trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// Its id.
    pub id: String,
    /// Its parent's id, "" if unknown.
    pub parent: String,
    /// Service.
    pub service: String,
    /// Operation.
    pub name: String,
    /// Query or address, "" if none.
    pub statement: String,
    /// Message of its status.
    pub message: String,
    /// Milliseconds.
    pub ms: f64,
    /// It failed.
    pub failed: bool,
    /// Place of its name.
    pub src: Src,
    /// Place of its duration.
    pub took: Src,
}

/// A series that a query of Prometheus returned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Name of the metric and the words of the query, lower case.
    pub words: String,
    /// Labels.
    pub labels: Labels,
    /// First value.
    pub first: f64,
    /// Last value and its place.
    pub last: (f64, Src),
    /// Highest value.
    pub highest: f64,
    /// Place of its labels.
    pub src: Src,
}

/// How far a consumer is behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lag {
    /// Consumer group.
    pub group: String,
    /// Topic.
    pub topic: String,
    /// Messages.
    pub lag: i64,
    /// Member that reads it; `-` for none.
    pub consumer: String,
    /// Place.
    pub src: Src,
}

/// A note of the cluster about an object: an event, or a message in a status.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// Kind of the object: `Pod`, `Job`, …
    pub kind: String,
    /// Its namespace.
    pub ns: String,
    /// Its name.
    pub name: String,
    /// Machine word: `FailedScheduling`, `BackOff`, `ErrImagePull`, …
    pub reason: String,
    /// Words.
    pub message: String,
    /// Place.
    pub src: Src,
    /// Seconds between the last occurrence and the collection of the bundle.
    pub age: Option<i64>,
    /// Seconds since 1970 of the last occurrence, where the source says so.
    pub time: Option<i64>,
    /// Occurrences.
    pub count: i64,
    /// `Warning` or an abnormal state; `false` for normal events.
    pub warning: bool,
    /// From a status: true now. Events may be history.
    pub current: bool,
    /// The container it speaks of, if it says so.
    pub container: String,
    /// From the status of a resource that no detector knows by its kind.
    pub of_custom: bool,
    /// From an alert that is for information only.
    pub quiet: bool,
}

/// The log of a container, or of something that could not be matched to one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Index into [`Cluster::files`].
    pub file: u32,
    /// First line that belongs to it, counted from 1.
    pub first: usize,
    /// Last line, inclusive; `usize::MAX` for the whole file.
    pub last: usize,
    /// Namespace, "" if unknown.
    pub ns: String,
    /// Pod, or the name the file carries.
    pub pod: String,
    /// Container, "" if unknown.
    pub container: String,
    /// Log of the container before its last restart.
    pub previous: bool,
    /// The only thing in it is an error of the collecting command: its line.
    pub collection_error: Option<Loc<String>>,
    /// Where the log would have been, for a file in which the collector says why it is not there.
    pub instead_of: Option<String>,
    /// No line with content.
    pub empty: bool,
    /// A filtered excerpt, by its name.
    pub filtered: bool,
}

/// One result of the bundle's own analysers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analyser {
    /// What was checked.
    pub title: String,
    /// The vendor's message.
    pub message: Loc<String>,
    /// A failure; otherwise a warning.
    pub fail: bool,
    /// What it is about, where known: `Deployment default/api`.
    pub object: String,
}

/// What a `kubectl` command answered instead of data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// Its words.
    pub message: String,
    /// Place.
    pub src: Src,
}

/// A row of `kubectl top`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// `Pod` or `Node`.
    pub kind: String,
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// CPU, e.g. `12m`.
    pub cpu: Loc<String>,
    /// Memory, e.g. `120Mi`.
    pub memory: Loc<String>,
}

/// A collected certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Certificate {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Namespace of the holder.
    pub ns: String,
    /// Name of the holder.
    pub name: String,
    /// End of validity, seconds since 1970.
    pub end: i64,
    /// End of validity, as written.
    pub text: Loc<String>,
}
