//! Messages of events and conditions: which rule takes each, and what is said.

use super::*;

fn slug(reason: &str, message: &str) -> Option<&'static str> {
    let note = Note {
        reason: reason.into(),
        message: message.into(),
        warning: true,
        ..Note::default()
    };
    classify(&note).map(|(rule, _)| rule.slug)
}

#[test]
fn every_rule_compiles() {
    assert_eq!(COMPILED.len(), rules().count());
}

#[test]
fn the_cluster_s_own_words_name_the_fault() {
    let cases = [
        (
            "Failed",
            r#"Failed to pull image "r.example/a:1": rpc error: failed to resolve reference: dial tcp: lookup r.example on 10.0.0.1:53: no such host"#,
            "image-registry-unresolvable",
        ),
        (
            "Failed",
            r#"Failed to pull image "nginx:nope": rpc error: code = NotFound desc = failed to pull and unpack image: docker.io/library/nginx:nope: not found"#,
            "image-not-found",
        ),
        (
            "Failed",
            r#"Failed to pull image "p/a": pull access denied, repository does not exist or may require authorization"#,
            "image-not-found",
        ),
        (
            "Failed",
            r#"Failed to pull image "p/a": failed to authorize: failed to fetch anonymous token: 401 Unauthorized"#,
            "image-pull-unauthorized",
        ),
        (
            "Failed",
            r#"Failed to pull image "busybox": 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit"#,
            "image-pull-rate-limited",
        ),
        (
            "Failed",
            r#"Failed to pull image "r:5000/a": http: server gave HTTP response to HTTPS client"#,
            "image-pull-tls",
        ),
        (
            "Failed",
            r#"Failed to pull image "r:5000/a": dial tcp 10.0.0.9:5000: connect: connection refused"#,
            "image-registry-unreachable",
        ),
        (
            "Failed",
            r#"Failed to pull image "a": no match for platform in manifest: not found"#,
            "image-platform-mismatch",
        ),
        ("Failed", "Error: ErrImageNeverPull", "image-never-pulled"),
        (
            "InspectFailed",
            r#"Failed to apply default image tag "a:b:c": couldn't parse image reference "a:b:c": invalid reference format"#,
            "image-name-invalid",
        ),
        ("Failed", "Error: ImagePullBackOff", "image-pull-failed"),
        (
            "Failed",
            "Error: secret \"db\" not found",
            "config-secret-missing",
        ),
        (
            "CreateContainerConfigError",
            "configmap \"app\" not found",
            "config-configmap-missing",
        ),
        (
            "Failed",
            "Error: couldn't find key password in Secret shop/db",
            "config-key-missing",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"x\" : secret \"tls\" not found",
            "mount-secret-missing",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"x\" : configmap \"conf\" not found",
            "mount-configmap-missing",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"x\" : references non-existent config key: a.yaml",
            "config-key-missing",
        ),
        (
            "FailedMount",
            "mount failed: exit status 32 mount.nfs: Connection timed out",
            "volume-nfs-failed",
        ),
        (
            "FailedMount",
            "hostPath type check failed: /data is not a directory",
            "volume-hostpath-missing",
        ),
        (
            "FailedMount",
            "driver name ebs.csi.aws.com not found in the list of registered CSI drivers",
            "csi-driver-missing",
        ),
        (
            "FailedMount",
            "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition",
            "volume-mount-timeout",
        ),
        (
            "FailedMount",
            "mount: wrong fs type, bad option, bad superblock on /dev/sdb",
            "volume-filesystem-damaged",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"x\": rpc error: internal",
            "volume-mount-failed",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node",
            "volume-multi-attach",
        ),
        (
            "FailedAttachVolume",
            "AttachVolume.Attach failed: volume limit reached",
            "volume-attach-failed",
        ),
        (
            "Failed",
            "Error: container has runAsNonRoot and image will run as root",
            "security-context-violation",
        ),
        (
            "Failed",
            r#"Error: failed to create containerd task: OCI runtime create failed: exec: "srv": executable file not found in $PATH: unknown"#,
            "container-command-not-found",
        ),
        (
            "Failed",
            r#"exec: "/run.sh": permission denied: unknown"#,
            "container-command-not-executable",
        ),
        (
            "StartError",
            "exec /app: exec format error",
            "container-exec-format-error",
        ),
        (
            "Failed",
            "Error: failed to create containerd task: OCI runtime create failed: container init was OOM-killed (memory limit too low?)",
            "container-memory-too-small",
        ),
        (
            "Failed",
            "Error: failed to start container \"a\": OCI runtime create failed: sysctl is not allowed",
            "container-start-failed",
        ),
        (
            "FailedCreatePodSandBox",
            "plugin type=\"host-local\" failed (add): failed to allocate for range 0: no IP addresses available",
            "cni-ip-exhausted",
        ),
        (
            "FailedCreatePodSandBox",
            "failed to setup network for sandbox: plugin type=\"calico\" failed",
            "cni-failed",
        ),
        (
            "FailedCreatePodSandBox",
            "failed to reserve sandbox name",
            "sandbox-creation-failed",
        ),
        (
            "ProvisioningFailed",
            "storageclass.storage.k8s.io \"fast\" not found",
            "pvc-storage-class-missing",
        ),
        (
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
            "pvc-no-storage-class",
        ),
        (
            "ProvisioningFailed",
            "failed to provision volume: rpc error: quota",
            "pvc-provisioning-failed",
        ),
        (
            "ExternalProvisioning",
            "waiting for a volume to be created, either by external provisioner \"ebs.csi.aws.com\"",
            "pvc-provisioner-silent",
        ),
        (
            "FailedCreate",
            "pods \"a\" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=3, limited: cpu=4",
            "resource-quota-exceeded",
        ),
        (
            "FailedCreate",
            "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu",
            "quota-needs-resources",
        ),
        (
            "FailedCreate",
            "pods \"a\" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi]",
            "limitrange-violation",
        ),
        (
            "FailedCreate",
            "error looking up service account a/b: serviceaccount \"b\" not found",
            "service-account-missing",
        ),
        (
            "FailedCreate",
            "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": privileged",
            "pod-security-violation",
        ),
        (
            "FailedCreate",
            "admission webhook \"v.example\" denied the request: no owner label",
            "admission-webhook-denied",
        ),
        (
            "FailedCreate",
            "Internal error occurred: failed calling webhook \"v.example\": connection refused",
            "webhook-unavailable",
        ),
        ("FailedCreate", "something else", "workload-create-failed"),
        (
            "Error",
            "secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\"",
            "rbac-forbidden",
        ),
        (
            "Evicted",
            "The node was low on resource: ephemeral-storage.",
            "pod-evicted",
        ),
        (
            "Evicted",
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
            "pod-ephemeral-storage-exceeded",
        ),
        (
            "SystemOOM",
            "System OOM encountered, victim process: java, pid: 12",
            "node-out-of-memory",
        ),
        (
            "Unhealthy",
            "Liveness probe failed: HTTP probe failed with statuscode: 500",
            "liveness-probe-failing",
        ),
        (
            "Unhealthy",
            "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused",
            "readiness-probe-failing",
        ),
        (
            "Unhealthy",
            "Startup probe failed: timeout",
            "startup-probe-failing",
        ),
        (
            "Killing",
            "Container web failed liveness probe, will be restarted",
            "liveness-probe-failing",
        ),
        (
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
            "job-failed",
        ),
        (
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
            "job-deadline-exceeded",
        ),
        (
            "FailedGetResourceMetric",
            "unable to get metrics for resource cpu",
            "hpa-metrics-unavailable",
        ),
        (
            "SyncLoadBalancerFailed",
            "Error syncing load balancer: quota",
            "loadbalancer-provisioning-failed",
        ),
        (
            "TooManyMissedTimes",
            "too many missed start times",
            "cronjob-missed-schedules",
        ),
        (
            "FailedPostStartHook",
            "Exec lifecycle hook failed",
            "lifecycle-hook-failed",
        ),
        (
            "Preempted",
            "Preempted by a pod on node n1",
            "pod-preempted",
        ),
        (
            "OutOfcpu",
            "Pod was rejected: Node didn't have enough resource: cpu",
            "node-admission-failed",
        ),
        (
            "NodeNotReady",
            "Node n1 status is now: NodeNotReady",
            "node-not-ready",
        ),
        (
            "FreeDiskSpaceFailed",
            "failed to garbage collect required amount of images",
            "node-disk-pressure",
        ),
        (
            "BackOff",
            "Back-off restarting failed container web in pod web_shop(1)",
            "pod-crash-loop",
        ),
        (
            "PodOOMKilled",
            "Pod a in namespace b OOMKilled results",
            "container-oom-killed",
        ),
        (
            "CPUThrottlingHigh",
            "57% throttling of CPU",
            "cpu-throttled",
        ),
        (
            "ClaimLost",
            "Bound claim has lost its PersistentVolume",
            "pvc-lost",
        ),
        (
            "FilesystemIsReadOnly",
            "Remounting filesystem read-only",
            "node-filesystem-read-only",
        ),
        (
            "TaskHung",
            "task x blocked for more than 120 seconds",
            "node-kernel-trouble",
        ),
        (
            "DegradedSyncError",
            "operator cannot sync",
            "operator-degraded",
        ),
    ];
    for (reason, message, want) in cases {
        assert_eq!(slug(reason, message), Some(want), "{reason}: {message}");
    }
}

#[test]
fn ordinary_notes_say_nothing() {
    for (reason, message) in [
        (
            "InvalidDiskCapacity",
            "invalid capacity 0 on image filesystem",
        ),
        (
            "DNSConfigForming",
            "Nameserver limits were exceeded, some nameservers have been omitted",
        ),
        (
            "NodeHasSufficientMemory",
            "Node n1 status is now: NodeHasSufficientMemory",
        ),
        (
            "FailedToUpdateEndpointSlices",
            "skipping Pod for Service: Node not found",
        ),
    ] {
        assert_eq!(slug(reason, message), None, "{reason}");
    }
    let normal = Note {
        reason: "Pulled".into(),
        message: "Successfully pulled image \"a\"".into(),
        ..Note::default()
    };
    assert!(classify(&normal).is_none());
}
