//! Which layout does this bundle have, and where inside it does that layout begin?
//!
//! Owns: [`Profile`] and the markers of each layout. Touches: the index of the unpacked tree and
//! the first lines of a few small files, read-only. No network, no processes. Zone: 2.
//!
//! Layouts are recognised by what they hold, never by folder names that people choose: a
//! Troubleshoot bundle is one because of `cluster-resources/<kind>/`, not because of
//! `support-bundle-2024…`.

mod markers;

use crate::bundle::Tree;
use serde::{Deserialize, Serialize};

/// A layout of diagnostic bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// A Troubleshoot.sh support bundle: `cluster-resources/<kind>/<namespace>.json`.
    Troubleshoot,
    /// `kubectl cluster-info dump --output-directory`: `<namespace>/pods.json`, `logs.txt`.
    ClusterInfoDump,
    /// `oc adm must-gather`: `cluster-scoped-resources/` and `namespaces/<ns>/core/*.yaml`.
    MustGather,
    /// Outputs of `kubectl` commands under names that a person chose.
    KubectlOutputs,
    /// sos: `sos_commands/<plugin>/`, `sos_reports/`.
    Sosreport,
    /// SUSE supportconfig: `basic-environment.txt` with `# <path or command>` sections.
    Supportconfig,
    /// The RKE2/K3s log collector: `rke2/kubectl/`, `rke2/podlogs/`, `systemlogs/`.
    Rke2,
    /// None of these: ordinary logs and files.
    Plain,
}

impl Name {
    /// The name used in reports and playbooks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Troubleshoot => "troubleshoot",
            Self::ClusterInfoDump => "cluster-info-dump",
            Self::MustGather => "must-gather",
            Self::KubectlOutputs => "kubectl-outputs",
            Self::Sosreport => "sosreport",
            Self::Supportconfig => "supportconfig",
            Self::Rke2 => "rke2",
            Self::Plain => "plain",
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One recognised layout and the reasons for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Which layout.
    pub name: Name,
    /// The prefix of the bundle's paths where the layout begins, with its `/`; "" for the whole bundle.
    pub root: String,
    /// The markers that were found, for a person.
    pub why: Vec<String>,
    /// 0 to 1; how sure the markers make it.
    pub confidence: f64,
}

/// The layout of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The layout that explains the bundle best.
    pub name: Name,
    /// The prefix of the bundle's paths where it begins, e.g. `support-bundle-x/`; "" for the whole bundle.
    pub root: String,
    /// The markers that were found, for a person.
    pub why: Vec<String>,
    /// 0 to 1; how sure the markers make it.
    pub confidence: f64,
    /// Further layouts in the same bundle, e.g. kubectl outputs beside a sosreport.
    pub also: Vec<Layout>,
}

impl Profile {
    /// Whether the bundle has this layout, as its first or a further one.
    pub fn has(&self, name: Name) -> bool {
        self.name == name || self.also.iter().any(|layout| layout.name == name)
    }
}

/// Recognises the layout of a bundle by the markers each one must hold.
pub fn recognise(tree: &Tree) -> Profile {
    let mut layouts = markers::find(tree);
    layouts.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.name.cmp(&b.name)).then_with(|| a.root.cmp(&b.root)));
    let mut seen = std::collections::HashSet::new();
    layouts.retain(|layout| seen.insert(layout.name));
    if layouts.is_empty() {
        return Profile {
            name: Name::Plain,
            root: tree.top().to_owned(),
            why: vec!["no marker of a known layout was found".into()],
            confidence: 0.5,
            also: Vec::new(),
        };
    }
    let first = layouts.remove(0);
    Profile { name: first.name, root: first.root, why: first.why, confidence: first.confidence, also: layouts }
}
