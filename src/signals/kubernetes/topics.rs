//! A complaint that nothing in the bundle explains: what speaks about such complaints, and is not there.

use super::emit::{Ctx, contains_word};
use crate::signals::Role;

/// Strength from which a cause answers the complaint.
const ANSWERED: f64 = 0.5;

/// Words by which somebody says that something does not work, as opposed to a question about the state.
const COMPLAINS: &[&str] = &[
    "cannot",
    "can't",
    "can not",
    "could not",
    "unable",
    "fail",
    "fails",
    "failed",
    "failing",
    "error",
    "errors",
    "broken",
    "slow",
    "timeout",
    "timeouts",
    "refused",
    "denied",
    "hang",
    "hangs",
    "stuck",
    "none of",
    "no longer",
    "does not",
    "doesn't",
    "do not",
    "don't",
    "not working",
    "wrong",
    "lost",
    "stopped",
    "rejected",
    "unavailable",
    "down",
    "why",
];

/// One thing that would tell, with parts of paths that hold it.
struct Wanted {
    what: &'static str,
    why: &'static str,
    /// Where it lies: any of these parts, each a list that a path must hold whole.
    held_by: &'static [&'static [&'static str]],
    /// Asked for only where a path of the bundle holds this; "" everywhere.
    only_in: &'static str,
}

struct Topic {
    /// Words of the ticket.
    words: &'static [&'static str],
    wanted: &'static [Wanted],
}

const TOPICS: &[Topic] = &[
    Topic {
        words: &[
            "login",
            "logins",
            "log in",
            "logging in",
            "log on",
            "sign in",
            "signin",
            "sso",
            "ldap",
            "oidc",
            "saml",
            "oauth",
            "authentication",
            "password",
        ],
        wanted: &[
            Wanted {
                what: "logs of the oauth-openshift pods (namespace openshift-authentication)",
                why: "every login passes through them and a refused one says why there; no such log is in the bundle",
                held_by: &[&["oauth-openshift", "log"]],
                only_in: "openshift",
            },
            Wanted {
                what: "OAuth configuration with its identity providers (oauths.config.openshift.io cluster: LDAP URL, bind DN, CA)",
                why: "it says where and how the identity provider is asked; it is not in the bundle",
                held_by: &[&["oauths"], &["oauth", "cluster.yaml"]],
                only_in: "openshift",
            },
            Wanted {
                what: "logs of what users log in to (oauth2-proxy, Dex, Keycloak, Rancher) and its identity provider's settings",
                why: "a refused login says why there; no such log is in the bundle",
                held_by: &[
                    &["oauth", "log"],
                    &["dex", "log"],
                    &["keycloak", "log"],
                    &["rancher", "log"],
                ],
                only_in: "",
            },
            Wanted {
                what: "answer of the identity provider (LDAP server, OIDC or SAML provider) to a test from inside the cluster, and its own log",
                why: "bind password, certificate, expiry and reachability are decided on its side, of which the bundle holds nothing",
                held_by: &[&["ldap", "log"], &["slapd"], &["dirsrv"]],
                only_in: "",
            },
        ],
    },
    Topic {
        words: &["dns", "resolve", "resolution", "hostname", "nslookup"],
        wanted: &[Wanted {
            what: "logs of the cluster's DNS (CoreDNS, dns-default, NodeLocal DNS) and its configuration",
            why: "questions that fail are logged there; no such log is in the bundle",
            held_by: &[
                &["coredns", "log"],
                &["dns-default", "log"],
                &["kube-dns", "log"],
                &["nodelocaldns", "log"],
            ],
            only_in: "",
        }],
    },
    Topic {
        words: &[
            "502",
            "503",
            "504",
            "bad gateway",
            "gateway timeout",
            "ingress",
            "route",
            "url",
        ],
        wanted: &[Wanted {
            what: "logs of the ingress controller or router (nginx, Traefik, HAProxy, Envoy)",
            why: "it knows which backend answered what; no such log is in the bundle",
            held_by: &[
                &["ingress", "log"],
                &["router", "log"],
                &["traefik", "log"],
                &["haproxy", "log"],
                &["envoy", "log"],
                &["gateway", "log"],
                &["nginx", "log"],
            ],
            only_in: "",
        }],
    },
    Topic {
        words: &[
            "volume", "volumes", "storage", "pvc", "mount", "longhorn", "ceph", "csi",
        ],
        wanted: &[Wanted {
            what: "logs of the storage driver (CSI controller and node plug-in, Longhorn manager, Rook operator) and its volume objects",
            why: "why a volume is not provided, attached or repaired stands there; no such log is in the bundle",
            held_by: &[
                &["csi", "log"],
                &["longhorn", "log"],
                &["rook", "log"],
                &["provisioner", "log"],
                &["trident", "log"],
            ],
            only_in: "",
        }],
    },
    Topic {
        words: &["upgrade", "update", "upgrading", "updating"],
        wanted: &[
            Wanted {
                what: "logs of the cluster-version operator and the ClusterVersion object",
                why: "they say at which step an update stands still",
                held_by: &[&["cluster-version", "log"], &["clusterversions"]],
                only_in: "openshift",
            },
            Wanted {
                what: "logs and plan of the upgrade (system-upgrade-controller, Harvester upgrade job, Helm or operator history)",
                why: "they say at which step it stands still; none of them is in the bundle",
                held_by: &[&["upgrade"], &["helm"], &["clusterversions"]],
                only_in: "",
            },
        ],
    },
    Topic {
        words: &[
            "backup",
            "backups",
            "restore",
            "velero",
            "snapshot",
            "snapshots",
        ],
        wanted: &[Wanted {
            what: "logs of the backup tool (Velero, Longhorn, etcd snapshots) and its Backup, Restore and BackupStorageLocation objects",
            why: "which item failed and whether the store answers stands there; nothing of it is in the bundle",
            held_by: &[&["velero"], &["backup"], &["snapshot"]],
            only_in: "",
        }],
    },
    Topic {
        words: &["migration", "migrate", "vm", "virtual machine", "vms"],
        wanted: &[Wanted {
            what: "logs of virt-handler, virt-controller and the virt-launcher pod, with the VirtualMachineInstance and its migrations",
            why: "why a virtual machine does not start or move stands there; no such log is in the bundle",
            held_by: &[&["virt-handler"], &["virt-launcher"], &["virt-controller"]],
            only_in: "",
        }],
    },
    Topic {
        words: &["registry", "push", "image", "images"],
        wanted: &[Wanted {
            what: "logs of the image registry (and of a proxy or mirror in front of it)",
            why: "refused pulls and pushes say why there; no such log is in the bundle",
            held_by: &[
                &["registry", "log"],
                &["harbor", "log"],
                &["quay", "log"],
                &["nexus", "log"],
            ],
            only_in: "",
        }],
    },
    Topic {
        words: &[
            "autoscale",
            "autoscaler",
            "autoscaling",
            "scale up",
            "scale out",
        ],
        wanted: &[Wanted {
            what: "log of the cluster autoscaler, and its status (configmap cluster-autoscaler-status)",
            why: "why it adds no node stands there; it is not in the bundle",
            held_by: &[&["autoscaler"]],
            only_in: "",
        }],
    },
];

/// Whether a word or phrase stands in the ticket.
fn says(ticket: &str, word: &str) -> bool {
    contains_word(ticket, word)
}

/// Asks for what would tell, when a complaint is about a known topic and no cause answers it.
pub fn detect(ctx: &Ctx) {
    const MOST: usize = 4;
    let ticket = ctx.ticket.as_str();
    if !COMPLAINS.iter().any(|word| says(ticket, word))
        || ctx
            .signals()
            .iter()
            .any(|signal| signal.role == Role::Cause && signal.strength >= ANSWERED)
    {
        return;
    }
    let paths: Vec<String> = ctx
        .tree
        .files()
        .filter(|entry| entry.bytes > 0)
        .map(|entry| entry.path.as_str().to_ascii_lowercase())
        .collect();
    // One file is a snippet, not a collection from which something is missing.
    if paths.len() < 3 {
        return;
    }
    let mut asked = 0;
    for wanted in TOPICS
        .iter()
        .filter(|topic| topic.words.iter().any(|word| says(ticket, word)))
        .flat_map(|topic| topic.wanted)
    {
        let there = wanted.held_by.iter().any(|parts| {
            paths
                .iter()
                .any(|path| parts.iter().all(|part| path.contains(part)))
        });
        let fits =
            wanted.only_in.is_empty() || paths.iter().any(|path| path.contains(wanted.only_in));
        if there || !fits || asked >= MOST {
            continue;
        }
        asked += 1;
        ctx.ask(wanted.what, wanted.why, None);
    }
}
