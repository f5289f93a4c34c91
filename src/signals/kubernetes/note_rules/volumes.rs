//! Volumes and claims.

use super::{MOUNT, Rule, rule};

/// The rules, special before general.
pub const RULES: &[Rule] = &[
    rule(
        "volume-multi-attach",
        &[],
        r"Multi-Attach error",
        "its volume is still attached to another node or pod (Multi-Attach error)",
        0.92,
    ),
    rule(
        "csi-driver-missing",
        &[],
        r"driver name (?P<driver>\S+) not found in the list of registered CSI drivers",
        "the CSI driver {driver} is not registered on the node",
        0.92,
    ),
    rule(
        "volume-nfs-failed",
        MOUNT,
        r"mount\.nfs|nfs.*(?:fail|denied|timed out|refused)",
        "the NFS volume cannot be mounted",
        0.9,
    ),
    rule(
        "volume-hostpath-missing",
        MOUNT,
        r"hostPath type check failed",
        "the host path of the volume does not exist or has another type on the node",
        0.92,
    ),
    rule(
        "volume-filesystem-damaged",
        MOUNT,
        r"wrong fs type|bad superblock|fsck|can't read superblock|structure needs cleaning",
        "the volume's file system is damaged or of the wrong type",
        0.9,
    ),
    rule(
        "pvc-missing",
        &[],
        r#"persistentvolumeclaim "(?P<what>[^"]+)" not found"#,
        "the claim {what} does not exist (not found)",
        0.93,
    ),
    rule(
        "pvc-lost",
        &["ClaimLost"],
        r"(?P<why>.*)",
        "the claim lost its volume",
        0.9,
    ),
    rule(
        "pvc-storage-class-missing",
        &[],
        r#"storageclass(?:es)?(?:\.storage\.k8s\.io)? "(?P<what>[^"]*)" not found"#,
        "storage class {what} does not exist (not found)",
        0.94,
    ),
    rule(
        "pvc-no-storage-class",
        &["FailedBinding", "ProvisioningFailed"],
        r"no storage class is set|no persistent volumes available for this claim",
        "no volume matches the claim and no storage class (nor a default one) is set",
        0.9,
    ),
    rule(
        "pvc-access-mode-unsupported",
        &[
            "ProvisioningFailed",
            "FailedBinding",
            "FailedMount",
            "FailedAttachVolume",
        ],
        r"MULTI_NODE\w*|Only AccessModes|access ?mode.{0,60}(?:not supported|unsupported|invalid|not allowed|incompatible)|only support(?:s|ed)? ReadWriteOnce|ReadWriteMany.{0,40}not supported|NodePath only supports ReadWriteOnce",
        "its storage class does not support the access mode of the claim (ReadWriteMany)",
        0.92,
    ),
    rule(
        "pvc-provisioning-failed",
        &[
            "ProvisioningFailed",
            "ProvisioningCleanupFailed",
            "FailedBinding",
        ],
        r"(?P<why>.*)",
        "provisioning of its volume fails",
        0.88,
    ),
    rule(
        "pvc-provisioner-silent",
        &["ExternalProvisioning"],
        r#"(?:external provisioner|provisioner) ['"](?P<who>[^'"]+)['"]"#,
        "the claim waits for the provisioner {who}, which creates no volume",
        0.62,
    ),
    rule(
        "volume-resize-failed",
        &["VolumeResizeFailed", "FileSystemResizeFailed"],
        r"(?P<why>.*)",
        "the volume cannot be resized",
        0.8,
    ),
    rule(
        "volume-attach-failed",
        &["FailedAttachVolume"],
        r"(?P<why>.*)",
        "its volume cannot be attached to the node",
        0.88,
    ),
    rule(
        "volume-mount-timeout",
        MOUNT,
        r"timed out waiting for the condition|Unable to attach or mount volumes",
        "its volumes are not mounted in time",
        0.6,
    ),
    rule(
        "volume-mount-failed",
        MOUNT,
        r"(?P<why>.*)",
        "a volume cannot be mounted",
        0.82,
    ),
];
