//! What a command is aimed at: namespaces and objects that the reader would look for in vain if they were invented.

use super::known::Wanted;
use super::ledger::Spot;
use super::{DEFAULT_NAMESPACE, Judge};
use crate::verify::names::Name;
use crate::verify::verdict::{Rule, Status};

/// Most names of one command that are judged.
const MAX_NAMES: usize = 50;
/// Programs that speak to a cluster of Kubernetes.
const CLUSTER: &str = " kubectl oc k kubecolor helm velero stern istioctl virtctl linkerd cilium argocd flux kubens calicoctl ";
/// Commands that make something new, under whatever name.
const MAKING: &str =
    " run create apply expose new-app new-project debug install upgrade cp set annotate label ";
/// Namespaces that systems bring along; a bundle of one part need not show them.
const USUAL: &[&str] = &[
    "kube-",
    "openshift",
    "cattle-",
    "fleet-",
    "longhorn-",
    "harvester-",
    "istio-",
    "ingress",
    "cert-manager",
    "calico-",
    "tigera-",
    "metallb",
    "rook-",
    "argo",
    "flux-",
    "velero",
    "gatekeeper",
    "knative-",
    "linkerd",
    "monitoring",
    "logging",
    "observability",
    "local-path-storage",
    "gpu-operator",
    "tekton",
    "vault",
];
/// Words of a bundle that show that it has namespaces.
const NAMESPACE_WORDS: [&str; 2] = ["namespace", "namespaces"];

/// Something that a command names.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Namespace(&'a str),
    /// A name that looks made by a cluster; whether it stands where an object of the cluster is asked for.
    Made(&'a str, bool),
}

impl Wanted {
    /// What a command is aimed at.
    pub fn command(&mut self, command: &str) {
        for target in targets(command) {
            match target {
                Target::Namespace(name) => self.label(name),
                Target::Made(name, _) => self.plain(name),
            }
            for word in NAMESPACE_WORDS {
                self.plain(word);
            }
        }
    }
}

impl Judge<'_> {
    /// Judges what a command is aimed at; `false` if it is sure to be in vain.
    pub(super) fn names_of_command(&mut self, spot: &Spot, command: &str, shown: &str) -> bool {
        let known = std::rc::Rc::clone(&self.known);
        let clustered = NAMESPACE_WORDS
            .iter()
            .any(|word| known.stands(&Name::new(*word)));
        let mut all = true;
        for target in targets(command) {
            let (text, sure, what) = match target {
                Target::Namespace(text) => (
                    text,
                    clustered && !USUAL.iter().any(|usual| text.starts_with(usual)),
                    "the namespace ",
                ),
                Target::Made(text, object) => (text, clustered && object, ""),
            };
            let name = Name::new(text);
            let there = match target {
                Target::Namespace(_) => known.has_label(text),
                Target::Made(..) => name.stands_in(shown) || known.has(&name),
            };
            if there {
                continue;
            }
            let status = if sure {
                Status::Rejected
            } else {
                Status::Flagged
            };
            let reason =
                format!("the command names {what}{text:?}, which stands nowhere in the bundle");
            self.ledger.note(spot, Rule::Name, status, reason);
            all &= status != Status::Rejected;
        }
        all
    }
}

/// Whether a text is left to the reader to fill in.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.is_empty()
        || text.contains(['<', '>', '$', '{', '}', '[', ']', '*', '…', '%', '(', ')'])
        || text.starts_with('-')
        || !text.chars().any(|c| c.is_ascii_lowercase())
        || lower.contains("your")
        || lower.contains("example")
        || lower.starts_with("my-")
        || lower.contains("xxx")
        || matches!(
            lower.as_str(),
            "namespace" | "ns" | "name" | "target" | "foo" | "bar"
        )
        || lower.contains("namespace-name")
        || lower.contains("the-namespace")
}

/// Everything a command names, each once.
fn targets(command: &str) -> Vec<Target<'_>> {
    let mut out = Vec::new();
    for part in command.split(['|', ';', '\n', '&']) {
        let words: Vec<&str> = part
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'', '`', '(', ')', '$']))
            .skip_while(|word| {
                matches!(*word, "sudo" | "watch" | "time" | "do" | "then" | "env")
                    || word.contains('=') && !word.starts_with('-')
            })
            .collect();
        let program = words.first().copied().unwrap_or_default();
        let cluster = CLUSTER.contains(&format!(" {program} "));
        let makes = words
            .iter()
            .skip(1)
            .any(|word| MAKING.contains(&format!(" {word} ")) || word.starts_with("--copy-to"));
        if cluster {
            for (at, word) in words.iter().enumerate() {
                let value = match *word {
                    // After `--` the words belong to what runs inside.
                    "--" => break,
                    "-n" | "--namespace" => words.get(at + 1).copied(),
                    word => word
                        .strip_prefix("--namespace=")
                        .or_else(|| word.strip_prefix("-n=")),
                };
                if let Some(value) = value.map(|value| value.trim_matches(['"', '\'', '`', ',']))
                    && !is_placeholder(value)
                    && value != DEFAULT_NAMESPACE
                {
                    out.push(Target::Namespace(value));
                }
            }
        }
        for name in made_names(part) {
            let named =
                |target: &Target<'_>| matches!(target, Target::Namespace(known) if *known == name);
            if !out.iter().any(named) {
                out.push(Target::Made(name, cluster && !makes));
            }
        }
        if out.len() >= MAX_NAMES {
            break;
        }
    }
    out.truncate(MAX_NAMES);
    out
}

/// Words of a command that look like names a cluster made: letters, digits and dashes, no flag, no path.
fn made_names(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|c: char| c.is_whitespace() || "\"'`=,;|()${}<>/".contains(c))
        .filter(|word| {
            word.len() >= 8
                && word.starts_with(|c: char| c.is_ascii_lowercase())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && word.contains('-')
                && word.rsplit('-').next().is_some_and(|end| {
                    end.len() >= 4
                        && end.bytes().any(|b| b.is_ascii_digit())
                        && end.bytes().any(|b| b.is_ascii_lowercase())
                })
        })
        .take(MAX_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_and_made_names_are_told_from_other_words() {
        use Target::{Made, Namespace};
        for (command, expected) in [
            (
                "kubectl get pods -n shop-12 | head -n 5",
                vec![Namespace("shop-12")],
            ),
            (
                "sudo kubectl --namespace=shop get pod cart-5f7d9",
                vec![Namespace("shop"), Made("cart-5f7d9", true)],
            ),
            (
                "kubectl exec cart -n shop -- tail -n 30 /x",
                vec![Namespace("shop")],
            ),
            (
                "kubectl run test-a1b2c3d --image=busybox -n shop",
                vec![Namespace("shop"), Made("test-a1b2c3d", false)],
            ),
            (
                "tail -n web x; ssh host-7a9f2",
                vec![Made("host-7a9f2", false)],
            ),
            (
                "KUBECONFIG=/root/x kubectl -n shop get pods",
                vec![Namespace("shop")],
            ),
            (
                "kubectl -n web-1a2b3 get pod web-1a2b3",
                vec![Namespace("web-1a2b3")],
            ),
            (
                "kubectl -n web-1a2b3 get pod web-4c5d6",
                vec![Namespace("web-1a2b3"), Made("web-4c5d6", true)],
            ),
            (
                "kubectl -n shop debug-it cart-5f7d9 --copy-to=probe-9z9z9",
                vec![
                    Namespace("shop"),
                    Made("cart-5f7d9", false),
                    Made("probe-9z9z9", false),
                ],
            ),
            (
                "kubectl -n shop get pods; kubectl -n bank get pods",
                vec![Namespace("shop"), Namespace("bank")],
            ),
        ] {
            assert_eq!(targets(command), expected, "{command}");
        }
        for command in [
            "kubectl get pods -n <namespace>",
            "kubectl get pods -n $NS",
            "kubectl get pods -n NAMESPACE",
            "kubectl get pods -n default",
            "kubectl get pods -n your-namespace",
            "kubectl get pods -A",
            "journalctl -n 100",
        ] {
            assert_eq!(targets(command), [], "{command}");
        }
    }
    #[test]
    fn what_is_left_to_fill_in_is_no_name() {
        for (text, left) in [
            ("", true),
            ("<ns>", true),
            ("${ns}", true),
            ("-A", true),
            ("-o", true),
            ("NAMESPACE", true),
            ("12", true),
            ("your-ns", true),
            ("shop-example", true),
            ("my-shop", true),
            ("xxx-shop", true),
            ("namespace", true),
            ("foo", true),
            ("the-namespace-name", true),
            ("a-namespace-name", true),
            ("in-the-namespace", true),
            ("shop", false),
            ("shop-12", false),
            ("mystore", false),
            ("shop-ns", false),
        ] {
            assert_eq!(is_placeholder(text), left, "{text:?}");
        }
    }

    #[test]
    fn a_namespace_is_surely_invented_only_in_a_bundle_that_names_its_own() {
        use super::super::tests::{answer_in, claims};
        for (more, command, expected) in [
            ("", "kubectl -n bank get pods", Some(Status::Flagged)),
            (
                "namespace: shop\n",
                "kubectl -n bank get pods",
                Some(Status::Rejected),
            ),
            ("namespace: shop\n", "kubectl -n shop get pods", None),
            (
                "namespace: shop\n",
                "kubectl -n kube-system get pods",
                Some(Status::Flagged),
            ),
            ("", "kubectl describe pod cart-9z9z9", Some(Status::Flagged)),
            (
                "namespace: shop\n",
                "kubectl describe pod cart-9z9z9",
                Some(Status::Rejected),
            ),
            (
                "namespace: shop\n",
                "ssh host-9z9z9 uptime",
                Some(Status::Flagged),
            ),
            ("namespace: shop\n", "kubectl describe pod cart-5f7d9", None),
        ] {
            let answer = serde_json::json!({"text": "It was OOMKilled.", "commands": [command]});
            let verdict = answer_in(more, &answer);
            let all: Vec<Status> = claims(&verdict, Rule::Name)
                .into_iter()
                .map(|(_, status, _)| status)
                .collect();
            assert_eq!(all, Vec::from_iter(expected), "{more:?} {command}");
        }
    }
}
