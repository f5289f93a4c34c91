//! The part of the typed picture that is not objects: what tools, monitors, traces and brokers say.

use super::model::{Labels, Loc, Src};

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
