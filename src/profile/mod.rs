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
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
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
    /// OpenShift's Insights operator: `config/`, `insights-operator/gathers.json`; or a host's
    /// `insights_commands/`.
    Insights,
    /// Harvester's support bundle: `yamls/{cluster,namespaced}/`, `logs/<namespace>/<pod>/`, `nodes/*.zip`.
    Harvester,
    /// Elastic's diagnostics: `diagnostic_manifest.json`, `cluster_health.json`, `cat/cat_*.txt`.
    Elastic,
    /// HashiCorp's hcdiag: `Manifest.json` beside `Results.json`.
    Hcdiag,
    /// None of these: ordinary logs and files.
    Plain,
}

impl Name {
    /// Every layout.
    pub const ALL: [Name; 12] = [
        Self::Troubleshoot,
        Self::ClusterInfoDump,
        Self::MustGather,
        Self::KubectlOutputs,
        Self::Sosreport,
        Self::Supportconfig,
        Self::Rke2,
        Self::Insights,
        Self::Harvester,
        Self::Elastic,
        Self::Hcdiag,
        Self::Plain,
    ];

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
            Self::Insights => "insights",
            Self::Harvester => "harvester",
            Self::Elastic => "elastic",
            Self::Hcdiag => "hcdiag",
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
    layouts.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(a.name.cmp(&b.name))
            .then_with(|| a.root.cmp(&b.root))
    });
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
    Profile {
        name: first.name,
        root: first.root,
        why: first.why,
        confidence: first.confidence,
        also: layouts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    #[test]
    fn every_layout_stands_in_the_list() {
        let schema = serde_json::to_string(&schemars::schema_for!(Name)).unwrap();
        assert_eq!(
            schema.matches("\"const\":").count(),
            Name::ALL.len(),
            "{schema}"
        );
    }

    fn of(files: &[(&str, &str)]) -> Profile {
        recognise(&tree_of(files.iter().copied()).1)
    }

    #[test]
    fn layouts_are_told_by_what_they_hold() {
        let list = "{\"kind\": \"PodList\"}";
        for (files, name, root) in [
            (
                &[
                    ("x/cluster-resources/pods/a.json", list),
                    ("x/cluster-resources/nodes.json", list),
                ][..],
                Name::Troubleshoot,
                "x/",
            ),
            (
                &[
                    ("a/b/cluster-scoped-resources/core/nodes.yaml", "x"),
                    ("a/b/namespaces/n/core/pods.yaml", "x"),
                ],
                Name::MustGather,
                "a/b/",
            ),
            (
                &[
                    ("d/kube-system/pods.json", list),
                    ("d/kube-system/events.json", list),
                    ("d/default/pods.json", list),
                    ("d/default/web/logs.txt", "x"),
                ],
                Name::ClusterInfoDump,
                "d/",
            ),
            (
                &[
                    ("h/sos_commands/date/date", "x"),
                    ("h/sos_reports/sos.txt", "x"),
                ],
                Name::Sosreport,
                "h/",
            ),
            (
                &[
                    ("insights-operator/gathers.json", "{}"),
                    ("config/pod/openshift-dns/dns-1.json", "{}"),
                    ("config/version.json", "{}"),
                ],
                Name::Insights,
                "",
            ),
            (
                &[("i/insights_commands/dmesg", "x"), ("i/branch_info", "{}")],
                Name::Insights,
                "i/",
            ),
            (
                &[
                    ("b/metadata.yaml", "x: y"),
                    ("b/yamls/cluster/kubernetes/nodes.yaml", "x: y"),
                    ("b/yamls/namespaced/default/v1/pods.yaml", "x: y"),
                    ("b/logs/default/web-1/web.log", "x"),
                ],
                Name::Harvester,
                "b/",
            ),
            (
                &[
                    ("e/diagnostic_manifest.json", "{}"),
                    ("e/cluster_health.json", "{}"),
                    ("e/cat/cat_nodes.txt", "x"),
                ],
                Name::Elastic,
                "e/",
            ),
            (
                &[
                    ("hcdiag-1/Manifest.json", "{}"),
                    ("hcdiag-1/Results.json", "{}"),
                ],
                Name::Hcdiag,
                "hcdiag-1/",
            ),
            (
                &[
                    ("s/basic-environment.txt", "x"),
                    ("s/basic-health-check.txt", "x"),
                ],
                Name::Supportconfig,
                "s/",
            ),
            (
                &[("r/rke2/kubectl/pods", "x"), ("r/rke2/podlogs/a-b", "x")],
                Name::Rke2,
                "r/",
            ),
            (
                &[(
                    "o/pods.txt",
                    "NAME   READY   STATUS    RESTARTS   AGE\nweb    1/1     Running   0          9d\n",
                )],
                Name::KubectlOutputs,
                "o/",
            ),
            (
                &[(
                    "o/any name.txt",
                    "shop   web   1/1   Running   0   9d   10.0.0.1   n1\n",
                )],
                Name::KubectlOutputs,
                "o/",
            ),
            (
                &[("o/p.txt", "Name:             web\nNamespace:        shop\n")],
                Name::KubectlOutputs,
                "o/",
            ),
            (
                &[("p/app.log", "hello\n"), ("p/notes.txt", "a note\n")],
                Name::Plain,
                "p/",
            ),
        ] {
            let profile = of(files);
            assert_eq!(
                (profile.name, profile.root.as_str()),
                (name, root),
                "{profile:?}"
            );
            assert!(!profile.why.is_empty());
        }
    }

    #[test]
    fn a_folder_s_name_alone_is_no_layout() {
        assert_eq!(
            of(&[
                ("must-gather.local.1/readme.txt", "hello\n"),
                ("support-bundle/readme.txt", "hello\n")
            ])
            .name,
            Name::Plain
        );
    }

    #[test]
    fn outputs_beside_a_host_report_are_a_second_layout() {
        let table =
            "NAME   READY   STATUS    RESTARTS   AGE\nweb    1/1     Running   0          9d\n";
        let profile = of(&[
            ("b/host/sos_commands/date/date", "x"),
            ("b/host/sos_reports/s.txt", "x"),
            ("b/k/a.txt", table),
            ("b/k/b.txt", table),
            ("b/k/c.txt", table),
        ]);
        assert!(
            profile.name == Name::Sosreport && profile.has(Name::KubectlOutputs),
            "{profile:?}"
        );
    }
}
