//! Services, ingresses, nodes and operators.

use super::{Rule, rule, symptom};

/// The rules, special before general.
pub const RULES: &[Rule] = &[
    rule(
        "loadbalancer-provisioning-failed",
        &[
            "SyncLoadBalancerFailed",
            "CreatingLoadBalancerFailed",
            "UpdateLoadBalancerFailed",
            "FailedDeployModel",
            "FailedBuildModel",
        ],
        r"(?P<why>.*)",
        "its load balancer cannot be provisioned",
        0.85,
    ),
    rule(
        "ingress-backend-missing",
        &[
            "BackendNotFound",
            "Translate",
            "AddedOrUpdatedWithError",
            "Rejected",
            "Sync",
        ],
        r#"(?:endpoints|services?) "(?P<what>[^"]+)" not found|service "?(?P<what2>[\w/.-]+)"? (?:not found|does not exist)|no (?:active )?endpoints"#,
        "its backend service {what} does not exist (not found)",
        0.88,
    ),
    rule(
        "node-not-ready",
        &["NodeNotReady", "NodeStatusUnknown"],
        r"(?P<why>.*)",
        "the node is not ready",
        0.6,
    ),
    rule(
        "node-disk-pressure",
        &[
            "FreeDiskSpaceFailed",
            "EvictionThresholdMet",
            "NodeHasDiskPressure",
            "ImageGCFailed",
        ],
        r"(?:disk|space|storage|garbage|image|free).*",
        "the node runs out of disk space",
        0.75,
    ),
    rule(
        "node-memory-pressure",
        &["NodeHasInsufficientMemory", "EvictionThresholdMet"],
        r"memory",
        "the node runs out of memory",
        0.75,
    ),
    rule(
        "node-filesystem-read-only",
        &["FilesystemIsReadOnly", "ReadonlyFilesystem"],
        r"(?P<why>.*)",
        "a file system of the node became read-only",
        0.88,
    ),
    rule(
        "node-kernel-trouble",
        &[
            "KernelOops",
            "KernelDeadlock",
            "TaskHung",
            "DockerHung",
            "CorruptDockerImage",
            "CorruptDockerOverlay2",
            "UnregisterNetDevice",
            "ConntrackFull",
            "ConntrackFullProblem",
            "FrequentKubeletRestart",
            "FrequentContainerdRestart",
        ],
        r"(?P<why>.*)",
        "the node's kernel or runtime is in trouble",
        0.75,
    ),
    rule(
        "kubelet-failing",
        &[
            "KubeletSetupFailed",
            "FailedNodeAllocatableEnforcement",
            "ContainerGCFailed",
            "FailedValidation",
        ],
        r"(?P<why>.*)",
        "the kubelet of the node fails",
        0.6,
    ),
    rule(
        "operator-degraded",
        &["Degraded", "NotAvailable"],
        r"(?P<why>.*)",
        "the cluster operator is degraded or unavailable",
        0.75,
    ),
    rule(
        "cpu-throttled",
        &[],
        r"CPUThrottling",
        "its containers are CPU-throttled",
        0.7,
    ),
    symptom(
        "pod-crash-loop",
        &[],
        r"Back-off restarting failed container|CrashLoop|Crashing pod|is (?:crash ?looping|restarting)",
        "it crash-loops",
        0.42,
    ),
];
