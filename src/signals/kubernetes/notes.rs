//! Events and status messages: what the control plane and the kubelets say by themselves.
//!
//! Each rule names the words of one fault of Kubernetes; the first rule that matches a note wins.

use super::emit::{Ctx, Draft, cut, one_line, with_pod};
use super::model::*;
use super::time::show;
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a rule makes of a note.
pub struct Rule {
    /// Cause.
    pub slug: &'static str,
    /// Reasons it applies to; empty for any.
    pub reasons: &'static [&'static str],
    /// Words of the message (or reason); case-insensitive.
    words: &'static str,
    /// What to say: `{group}` of the words, `{image}`.
    headline: &'static str,
    /// Strength while the fault lasts.
    pub strength: f64,
    /// A symptom, not a cause.
    pub symptom: bool,
}

const IMAGE: &[&str] = &["Failed", "ErrImagePull", "ImagePullBackOff", "BackOff", "InspectFailed", "ImageInspectError", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed"];
const MOUNT: &[&str] = &["FailedMount", "FailedMountVolume", "FailedAttachVolume", "FailedMapVolume"];
const CREATE: &[&str] = &["FailedCreate", "ReplicaFailure", "FailedUpdate", "Forbidden", "FailedCreatePod"];

const fn rule(slug: &'static str, reasons: &'static [&'static str], words: &'static str, headline: &'static str, strength: f64) -> Rule {
    Rule { slug, reasons, words, headline, strength, symptom: false }
}

const fn symptom(slug: &'static str, reasons: &'static [&'static str], words: &'static str, headline: &'static str, strength: f64) -> Rule {
    Rule { slug, reasons, words, headline, strength, symptom: true }
}

/// The rules, special before general.
pub const RULES: &[Rule] = &[
    // Images
    rule("image-name-invalid", IMAGE, r"InvalidImageName|couldn't parse image (?:reference|name)|invalid reference format|failed to apply default image tag", "the image name {image} is invalid", 0.93),
    rule("image-never-pulled", IMAGE, r"ErrImageNeverPull|not present with pull policy of Never", "image {image} is not on the node and its pull policy is Never", 0.93),
    rule("image-registry-unresolvable", IMAGE, r"lookup (?P<host>[\w.-]+)[^,;]*: (?:no such host|server misbehaving|i/o timeout|Temporary failure|read udp)", "the registry host {host} does not resolve (no such host), so image {image} cannot be pulled", 0.93),
    rule("image-pull-rate-limited", IMAGE, r"toomanyrequests|rate limit|429 Too Many", "the registry refuses to serve image {image}: pull rate limit reached (toomanyrequests)", 0.93),
    rule("image-platform-mismatch", IMAGE, r"no match(?:ing)? (?:manifest )?for (?:platform|linux|windows)", "image {image} has no variant for the node's platform", 0.93),
    rule("image-pull-tls", IMAGE, r"pull.*(?:x509|tls: |certificate |server gave HTTP response to HTTPS client)", "the registry's TLS certificate is not accepted, so image {image} cannot be pulled", 0.92),
    rule("image-not-found", IMAGE, r"repository does not exist or may require|pull access denied", "image {image} cannot be pulled: the repository does not exist or access to it is denied", 0.92),
    rule("image-pull-unauthorized", IMAGE, r"pull.*(?:unauthorized|authentication required|authorization failed|access denied|denied:|403 Forbidden|401 Unauthorized|no basic auth|insufficient_scope|permission ['\x22]?artifactregistry)", "the registry refuses image {image}: authentication or authorization failed", 0.92),
    rule("image-not-found", IMAGE, r"(?:pull|manifest|image).*(?:manifest unknown|not found|does not exist|name unknown|NotFound)", "image {image} was not found in the registry", 0.92),
    rule("node-disk-full", IMAGE, r"(?:pull|image).*no space left on device", "the node's disk is full, so image {image} cannot be stored", 0.9),
    rule("image-registry-unreachable", IMAGE, r"pull.*(?:i/o timeout|connection refused|timed? ?out|deadline exceeded|no route to host|EOF|unreachable|connection reset|50[0234] )", "the registry cannot be reached, so image {image} cannot be pulled", 0.9),
    symptom("image-pull-failed", IMAGE, r"ErrImagePull|ImagePullBackOff|Back-off pulling image|Failed to pull image|ImageInspectError", "image {image} cannot be pulled", 0.6),
    // Secrets, config maps, keys
    rule("config-key-missing", &[], r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?P<what>[\w./-]+)", "key {key} is missing in {kind} {what}", 0.94),
    rule("config-key-missing", MOUNT, r"references non-existent (?P<kind>secret|config) key:? (?P<key>\S+)", "the volume refers to the key {key}, which does not exist in its {kind}", 0.93),
    rule("mount-secret-missing", MOUNT, r#"secret[s]? "(?P<what>[^"]+)" not found|couldn't get secret (?P<what2>\S+)"#, "volume mount fails: secret {what} does not exist (not found)", 0.94),
    rule("mount-configmap-missing", MOUNT, r#"configmap[s]? "(?P<what>[^"]+)" not found|couldn't get configMap (?P<what2>\S+)"#, "volume mount fails: config map {what} does not exist (not found)", 0.94),
    rule("config-secret-missing", &["Failed", "CreateContainerConfigError", "FailedToRetrieveImagePullSecret"], r#"secrets? "(?P<what>[^"]+)" not found"#, "secret {what} does not exist (not found)", 0.94),
    rule("config-configmap-missing", &["Failed", "CreateContainerConfigError"], r#"configmaps? "(?P<what>[^"]+)" not found"#, "config map {what} does not exist (not found)", 0.94),
    rule("image-pull-secret-missing", &["FailedToRetrieveImagePullSecret"], r"image pull secrets? \((?P<what>[^)]*)\)", "the image pull secret {what} cannot be retrieved", 0.35),
    rule("security-context-violation", &[], r"container has runAsNonRoot and image (?:will run as root|has non-numeric user)|runAsNonRoot.*breaks", "the pod demands a non-root user and the image runs as root or as a named user (runAsNonRoot)", 0.93),
    // Starting a container
    rule("container-exec-format-error", &[], r"exec format error", "the image was built for another CPU architecture (exec format error)", 0.94),
    rule("container-command-not-found", &[], r#"exec: \\?"(?P<cmd>[^"\\]+)\\?": (?:executable file not found|stat [^:]*: no such file|no such file)"#, "its command {cmd} does not exist in the image (executable file not found)", 0.94),
    rule("container-command-not-executable", &[], r#"exec: \\?"(?P<cmd>[^"\\]+)\\?":.*permission denied"#, "its command {cmd} is not executable (permission denied)", 0.94),
    rule("container-command-not-found", &["Failed", "StartError", "RunContainerError", "ContainerCannotRun"], r#"(?:exec|chdir|process)[^"]*"?(?P<cmd>[^"\s]*)"?.*no such file or directory"#, "its command or working directory does not exist in the image", 0.9),
    rule("volume-mount-path-conflict", &["Failed", "StartError", "RunContainerError", "ContainerCannotRun"], r"not a directory|Are you trying to mount a directory onto a file|read-only file system", "a volume is mounted over a path of the wrong type or on a read-only root", 0.9),
    rule("container-memory-too-small", &["Failed", "StartError", "RunContainerError", "ContainerCannotRun", "FailedCreatePodSandBox"], r"(?:container init )?was OOM-killed|memory limit too low|minimum memory limit|cannot set memory|set memory limit", "its memory limit is too small even to start the container", 0.93),
    rule("lifecycle-hook-failed", &["FailedPostStartHook", "PostStartHookError"], r"(?P<why>.*)", "the postStart hook fails", 0.85),
    rule("lifecycle-hook-failed", &["FailedPreStopHook"], r"(?P<why>.*)", "the preStop hook fails", 0.3),
    rule("container-start-failed", &["Failed", "StartError", "RunContainerError", "ContainerCannotRun", "CreateContainerError"], r"OCI runtime|failed to create (?:containerd|shim) task|failed to start container|container_linux|runc create failed|failed to generate container", "the container runtime cannot start the container", 0.86),
    // Pod sandboxes and the network plug-in
    rule("cni-ip-exhausted", &["FailedCreatePodSandBox", "FailedCreatePodSandbox", "FailedToCreateEndpoint"], r"no IP addresses available|failed to allocate for range|no available IP|no more IPs|failed to assign an IP address|Insufficient(?:Free|Cidr)|IP pool .*exhaust|no free IP", "the node's pod network has no free IP address left", 0.93),
    rule("cni-failed", &["FailedCreatePodSandBox", "FailedCreatePodSandbox"], r"cni|network plugin|failed to (?:setup|set up) network|networkPlugin|calico|flannel|cilium|weave|ovn|multus", "the network plug-in (CNI) cannot set up the pod's network", 0.9),
    rule("cni-failed", &["NetworkNotReady"], r"(?P<why>.*)", "the network plug-in (CNI) of the node is not ready", 0.85),
    rule("sandbox-creation-failed", &["FailedCreatePodSandBox", "FailedCreatePodSandbox", "FailedPodSandBoxStatus", "FailedKillPod"], r"(?P<why>.*)", "the pod's sandbox cannot be created or torn down", 0.75),
    // Volumes and claims
    rule("volume-multi-attach", &[], r"Multi-Attach error", "its volume is still attached to another node or pod (Multi-Attach error)", 0.92),
    rule("csi-driver-missing", &[], r"driver name (?P<driver>\S+) not found in the list of registered CSI drivers", "the CSI driver {driver} is not registered on the node", 0.92),
    rule("volume-nfs-failed", MOUNT, r"mount\.nfs|nfs.*(?:fail|denied|timed out|refused)", "the NFS volume cannot be mounted", 0.9),
    rule("volume-hostpath-missing", MOUNT, r"hostPath type check failed", "the host path of the volume does not exist or has another type on the node", 0.92),
    rule("volume-filesystem-damaged", MOUNT, r"wrong fs type|bad superblock|fsck|can't read superblock|structure needs cleaning", "the volume's file system is damaged or of the wrong type", 0.9),
    rule("pvc-missing", &[], r#"persistentvolumeclaim "(?P<what>[^"]+)" not found"#, "the claim {what} does not exist (not found)", 0.93),
    rule("pvc-lost", &["ClaimLost"], r"(?P<why>.*)", "the claim lost its volume", 0.9),
    rule("pvc-storage-class-missing", &[], r#"storageclass(?:es)?(?:\.storage\.k8s\.io)? "(?P<what>[^"]*)" not found"#, "storage class {what} does not exist (not found)", 0.94),
    rule("pvc-no-storage-class", &["FailedBinding", "ProvisioningFailed"], r"no storage class is set|no persistent volumes available for this claim", "no volume matches the claim and no storage class (nor a default one) is set", 0.9),
    rule("pvc-provisioning-failed", &["ProvisioningFailed", "ProvisioningCleanupFailed", "FailedBinding"], r"(?P<why>.*)", "provisioning of its volume fails", 0.88),
    rule("pvc-provisioner-silent", &["ExternalProvisioning"], r#"(?:external provisioner|provisioner) ['"](?P<who>[^'"]+)['"]"#, "the claim waits for the provisioner {who}, which creates no volume", 0.62),
    rule("volume-resize-failed", &["VolumeResizeFailed", "FileSystemResizeFailed"], r"(?P<why>.*)", "the volume cannot be resized", 0.8),
    rule("volume-attach-failed", &["FailedAttachVolume"], r"(?P<why>.*)", "its volume cannot be attached to the node", 0.88),
    rule("volume-mount-timeout", MOUNT, r"timed out waiting for the condition|Unable to attach or mount volumes", "its volumes are not mounted in time", 0.6),
    rule("volume-mount-failed", MOUNT, r"(?P<why>.*)", "a volume cannot be mounted", 0.82),
    // Creating pods
    rule("resource-quota-exceeded", &[], r"exceeded quota: (?P<quota>[\w.-]+), requested: (?P<asked>.*?), used: (?P<used>.*?), limited: (?P<hard>[^\n]*)", "quota {quota} is exceeded: requested {asked}, used {used}, limited {hard}", 0.94),
    rule("quota-needs-resources", &[], r"failed quota: (?P<quota>[\w.-]+): must specify (?P<what>[^\n]*)", "quota {quota} demands that pods specify {what}", 0.93),
    rule("limitrange-violation", &[], r"(?:maximum|minimum) (?:cpu|memory|storage|ephemeral-storage) (?:usage|limit|request)? ?per (?:Container|Pod|PersistentVolumeClaim) is|limit to request ratio per", "the limit range of the namespace forbids the requested resources", 0.93),
    rule("service-account-missing", &[], r#"serviceaccount "?(?P<what>[^"\s]+)"? not found"#, "service account {what} does not exist (not found)", 0.93),
    rule("pod-security-violation", &[], r#"violates PodSecurity "(?P<what>[^"]+)"|unable to validate against any (?:pod )?security (?:policy|context constraint)"#, "pod security rules forbid the pod ({what})", 0.93),
    rule("admission-webhook-denied", &[], r#"admission webhook "(?P<who>[^"]+)" denied the request"#, "admission webhook {who} denies the request", 0.92),
    rule("webhook-unavailable", &[], r#"failed calling webhook "(?P<who>[^"]+)"|failed to call webhook"#, "the admission webhook {who} cannot be called, so the API server refuses the request", 0.93),
    rule("rbac-forbidden", &[], r#"(?:is )?forbidden: User "(?P<who>[^"]+)" cannot (?P<what>.{3,120})"#, "RBAC forbids it: {who} cannot {what}", 0.88),
    rule("api-version-removed", &[], r#"no matches for kind "(?P<what>[^"]+)" in version "(?P<ver>[^"]+)""#, "kind {what} in version {ver} is not served by this cluster", 0.88),
    rule("workload-create-failed", CREATE, r"(?P<why>.*)", "its pods cannot be created", 0.78),
    // Eviction and admission on the node
    rule("pod-ephemeral-storage-exceeded", &[], r"ephemeral local storage usage exceeds|exceeded its local ephemeral storage limit|Usage of EmptyDir volume .* exceeds the limit", "it used more ephemeral storage than its limit and was evicted", 0.92),
    rule("pod-evicted", &["Evicted", "Evicting"], r"low on resource: (?P<what>[\w.-]+)|node had condition: \[(?P<what2>[^\]]+)", "it was evicted because the node ran low on {what}", 0.86),
    rule("pod-evicted", &["Evicted", "TaintManagerEviction"], r"(?P<why>.*)", "it was evicted from its node", 0.45),
    rule("pod-preempted", &["Preempted", "Preempting"], r"(?P<why>.*)", "it was preempted by a pod of higher priority", 0.72),
    rule("node-admission-failed", &["OutOfcpu", "OutOfmemory", "OutOfpods", "NodeAffinity", "UnexpectedAdmissionError", "OutOfephemeral-storage", "NodeShutdown", "Terminated"], r"(?P<why>.*)", "the node refused or ended the pod", 0.78),
    rule("pdb-blocks-eviction", &[], r"violate the pod's disruption budget", "a pod disruption budget forbids the eviction", 0.75),
    // Memory
    rule("container-oom-killed", &[], r"OOM[ -]?Kill(?:ed|ing)\b|PodOOMKilled|Memory cgroup out of memory", "a container was OOM-killed: it needed more memory than its limit", 0.9),
    rule("node-out-of-memory", &["SystemOOM", "OOMKilling"], r"(?:victim process|Killed process|Kill process)[: ]+\d* ?\(?(?P<what>[\w.:/-]*)", "the node ran out of memory and the kernel killed {what} (SystemOOM)", 0.86),
    // Probes
    rule("liveness-probe-failing", &["Killing", "Unhealthy"], r"failed liveness probe|Liveness probe (?:failed|errored)", "its liveness probe fails and the kubelet restarts the container", 0.78),
    rule("startup-probe-failing", &["Killing", "Unhealthy"], r"failed startup probe|Startup probe (?:failed|errored)", "its startup probe fails and the kubelet restarts the container", 0.78),
    rule("readiness-probe-failing", &["Unhealthy"], r"Readiness probe (?:failed|errored)", "its readiness probe fails, so it receives no traffic", 0.62),
    // Workloads
    symptom("job-failed", &["BackoffLimitExceeded", "FailedJob"], r"(?P<why>.*)", "the job failed: it reached its backoff limit", 0.6),
    rule("job-deadline-exceeded", &["DeadlineExceeded"], r"(?P<why>.*)", "the job was active longer than its deadline (activeDeadlineSeconds)", 0.85),
    rule("cronjob-missed-schedules", &["TooManyMissedTimes", "FailedNeedsStart", "MissSchedule"], r"(?P<why>.*)", "the cron job misses its start times", 0.72),
    rule("hpa-metrics-unavailable", &["FailedGetResourceMetric", "FailedComputeMetricsReplicas", "FailedGetExternalMetric", "FailedGetPodsMetric", "FailedGetObjectMetric", "FailedGetScale", "FailedGetContainerResourceMetric"], r"(?P<why>.*)", "the autoscaler gets no metrics", 0.78),
    symptom("rollout-stuck", &["ProgressDeadlineExceeded"], r"(?P<why>.*)", "its rollout makes no progress (ProgressDeadlineExceeded)", 0.5),
    rule("release-failed", &["ReconcileError", "UpgradeFailed", "InstallFailed", "ReconciliationFailed", "BuildFailed", "DependencyNotReady", "ArtifactFailed"], r"(?P<why>.*)", "its release could not be reconciled", 0.62),
    rule("certificate-issuance-failed", &["ErrInitIssuer", "IssuerNotReady", "IssuerNotFound", "ErrVerifyACMEAccount", "OrderFailed", "PresentError"], r"(?P<why>.*)", "its certificate cannot be issued", 0.75),
    // Services and ingresses
    rule("loadbalancer-provisioning-failed", &["SyncLoadBalancerFailed", "CreatingLoadBalancerFailed", "UpdateLoadBalancerFailed", "FailedDeployModel", "FailedBuildModel"], r"(?P<why>.*)", "its load balancer cannot be provisioned", 0.85),
    rule("ingress-backend-missing", &["BackendNotFound", "Translate", "AddedOrUpdatedWithError", "Rejected", "Sync"], r#"(?:endpoints|services?) "(?P<what>[^"]+)" not found|service "?(?P<what2>[\w/.-]+)"? (?:not found|does not exist)|no (?:active )?endpoints"#, "its backend service {what} does not exist (not found)", 0.88),
    // Nodes
    rule("node-not-ready", &["NodeNotReady", "NodeStatusUnknown"], r"(?P<why>.*)", "the node is not ready", 0.6),
    rule("node-disk-pressure", &["FreeDiskSpaceFailed", "EvictionThresholdMet", "NodeHasDiskPressure", "ImageGCFailed"], r"(?:disk|space|storage|garbage|image|free).*", "the node runs out of disk space", 0.75),
    rule("node-memory-pressure", &["NodeHasInsufficientMemory", "EvictionThresholdMet"], r"memory", "the node runs out of memory", 0.75),
    rule("node-filesystem-read-only", &["FilesystemIsReadOnly", "ReadonlyFilesystem"], r"(?P<why>.*)", "a file system of the node became read-only", 0.88),
    rule("node-kernel-trouble", &["KernelOops", "KernelDeadlock", "TaskHung", "DockerHung", "CorruptDockerImage", "CorruptDockerOverlay2", "UnregisterNetDevice", "ConntrackFull", "ConntrackFullProblem", "FrequentKubeletRestart", "FrequentContainerdRestart"], r"(?P<why>.*)", "the node's kernel or runtime is in trouble", 0.75),
    rule("kubelet-failing", &["KubeletSetupFailed", "FailedNodeAllocatableEnforcement", "ContainerGCFailed", "FailedValidation"], r"(?P<why>.*)", "the kubelet of the node fails", 0.6),
    rule("operator-degraded", &["Degraded", "NotAvailable"], r"(?P<why>.*)", "the cluster operator is degraded or unavailable", 0.75),
    rule("cpu-throttled", &[], r"CPUThrottling", "its containers are CPU-throttled", 0.7),
    symptom("pod-crash-loop", &[], r"Back-off restarting failed container|CrashLoop|Crashing pod|is (?:crash ?looping|restarting)", "it crash-loops", 0.42),
];

struct Compiled {
    rule: &'static Rule,
    words: Regex,
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    RULES
        .iter()
        .filter_map(|rule| regex::RegexBuilder::new(rule.words).case_insensitive(true).dot_matches_new_line(true).build().ok().map(|words| Compiled { rule, words }))
        .collect()
});

static IMAGE_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"(?:image|reference|for) \\?"(?P<image>[^"\\\s]+)\\?""#).ok());

/// The rule for a note, with what its words captured.
pub fn classify<'n>(note: &'n Note) -> Option<(&'static Rule, Captures<'n>)> {
    if !note.warning && !matches!(note.reason.as_str(), "ExternalProvisioning" | "Killing" | "Preempted" | "TaintManagerEviction" | "FailedBinding") {
        return None;
    }
    COMPILED.iter().find_map(|compiled| {
        let reasons = compiled.rule.reasons;
        // Words of status reasons (`CreateContainerConfigError`) and of alerts stand in `reason`.
        let fits = reasons.is_empty() || reasons.iter().any(|reason| note.reason == *reason || (note.reason.len() > 9 && note.reason.starts_with(*reason) && matches!(*reason, "Degraded" | "NotAvailable")));
        if !fits {
            return None;
        }
        let captures = compiled.words.captures(&note.message).or_else(|| compiled.words.captures(&note.reason))?;
        Some((compiled.rule, captures))
    })
}

/// Fills a headline's `{group}`s.
fn fill(headline: &str, captures: &Captures, image: &str) -> String {
    let mut out = String::new();
    let mut rest = headline;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((slot, tail)) = after.split_once('}') else { break };
        let group = |name: &str| captures.name(name).map(|found| found.as_str().trim()).filter(|text| !text.is_empty());
        match slot {
            "image" => out.push_str(image),
            name => out.push_str(&cut(&one_line(group(name).or_else(|| group(&format!("{name}2"))).unwrap_or_default()), 140)),
        }
        rest = tail;
    }
    out.push_str(rest);
    out.replace("  ", " ").replace(" ()", "").trim().to_owned()
}

/// How much a note still says: history of an object that is well now is weak.
fn freshness(ctx: &Ctx, note: &Note) -> f64 {
    if note.current {
        return 1.0;
    }
    let cluster = ctx.cluster;
    let by_kind = match note.kind.as_str() {
        "Node" => cluster.nodes.iter().find(|node| node.name == note.name).map(|node| {
            let ready = node.conditions.iter().any(|c| c.kind == "Ready" && c.status.v == "True") || node.row_status.v.starts_with("Ready");
            if ready { 0.4 } else { 1.0 }
        }),
        "PersistentVolumeClaim" => cluster.pvcs.iter().find(|claim| claim.name == note.name && claim.ns == note.ns).map(|claim| if claim.phase.v == "Bound" { 0.25 } else { 1.0 }),
        "Job" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Deployment" => {
            let done_later = cluster.notes.iter().any(|other| {
                other.name == note.name && other.reason == "SuccessfulCreate" && other.age.zip(note.age).is_some_and(|(later, earlier)| later < earlier)
            });
            let whole = cluster.workloads.iter().any(|w| w.kind == note.kind && w.name == note.name && w.ns == note.ns && w.ready.as_ref().zip(w.desired.as_ref()).is_some_and(|(r, d)| r.v >= d.v));
            Some(if (done_later && note.reason.starts_with("Failed")) || whole { 0.4 } else { 1.0 })
        }
        "Pod" | "" => match cluster.pod(&note.ns, &note.name) {
            Some(pod) if pod.is_done() => Some(0.2),
            Some(pod) if pod.is_ready() => {
                // Ready now, but restarted within the hour by what the note speaks of.
                let again = pod.restarts > 2 && note.age.is_some_and(|age| age < 900) && matches!(note.reason.as_str(), "Unhealthy" | "Killing" | "BackOff");
                Some(if again { 0.55 } else { 0.3 })
            }
            Some(pod) if note.reason == "FailedScheduling" && !pod.node.is_empty() && pod.node != "none" => Some(0.25),
            // The mount that failed at first worked later: the container has started.
            Some(pod) if MOUNT.contains(&note.reason.as_str()) && pod.containers.iter().any(|c| c.state.started.is_some() || c.last.finished.is_some()) => Some(0.4),
            Some(_) => Some(1.0),
            // Gone: replaced by another pod.
            None if cluster.is_listed("Pod", &note.ns) => Some(0.35),
            None => Some(0.9),
        },
        _ => Some(0.9),
    };
    by_kind.unwrap_or(0.9)
}

/// What the status of each pod and of its waiting containers says, as notes.
fn status_notes(ctx: &Ctx) -> Vec<Note> {
    let mut notes = Vec::new();
    for pod in ctx.cluster.pods.iter().filter(|pod| !pod.is_ready() && !pod.is_done()) {
        let mut push = |reason: &Loc<String>, message: &Loc<String>, container: &str| {
            if reason.v.is_empty() && message.v.is_empty() {
                return;
            }
            notes.push(Note {
                kind: "Pod".into(),
                ns: pod.ns.clone(),
                name: pod.name.clone(),
                reason: reason.v.clone(),
                message: message.v.clone(),
                src: if message.v.is_empty() { reason.src } else { message.src },
                count: 1,
                warning: true,
                current: true,
                container: container.to_owned(),
                ..Note::default()
            });
        };
        push(&pod.reason, &pod.message, "");
        for container in &pod.containers {
            let quiet = ["CrashLoopBackOff", "ContainerCreating", "PodInitializing"].contains(&container.state.reason.v.as_str());
            if container.state.kind == StateKind::Waiting && !quiet {
                push(&container.state.reason, &container.state.message, &container.name);
            }
        }
    }
    notes
}

/// Signals from events and status messages, grouped by cause and subject.
pub fn detect(ctx: &Ctx) {
    let own = status_notes(ctx);
    let mut groups: BTreeMap<(String, String, String, String), Vec<(&Note, &'static Rule, String, f64)>> = BTreeMap::new();
    for note in ctx.cluster.notes.iter().chain(&own) {
        if note.reason == "FailedScheduling" || note.reason == "Unschedulable" {
            continue;
        }
        let Some((rule, captures)) = classify(note) else { continue };
        let image = IMAGE_NAME.as_ref().and_then(|regex| regex.captures(&note.message)).and_then(|found| found.name("image").map(|image| image.as_str().to_owned()));
        let image = image.or_else(|| {
            let pod = ctx.cluster.pod(&note.ns, &note.name)?;
            let waiting = pod.containers.iter().find(|c| c.name == note.container || matches!(c.state.reason.v.as_str(), "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull"))?;
            Some(waiting.image.v.clone())
        });
        let headline = fill(rule.headline, &captures, &image.unwrap_or_default());
        let strength = rule.strength * freshness(ctx, note);
        let kind = if note.kind.is_empty() { "Pod".to_owned() } else { note.kind.clone() };
        groups.entry((rule.slug.to_owned(), kind, note.ns.clone(), note.name.clone())).or_default().push((note, rule, headline, strength));
    }
    for ((slug, kind, ns, name), mut notes) in groups {
        // The strongest and most telling note first.
        notes.sort_by(|a, b| b.3.total_cmp(&a.3).then(b.0.message.len().min(400).cmp(&a.0.message.len().min(400))).then(a.0.src.cmp(&b.0.src)));
        let (note, rule, headline, strength) = &notes[0];
        let mut draft = if rule.symptom { Draft::symptom(&slug, &kind, &ns, &name, *strength) } else { Draft::cause(&slug, &kind, &ns, &name, *strength) };
        let who = format!("{} {}", kind.to_lowercase(), full_name(&ns, &name));
        let container = if note.container.is_empty() { String::new() } else { format!(" container {}", note.container) };
        let when = match (note.current, note.age) {
            (false, Some(age)) => format!(" (seen {} times, last {} before collection)", note.count.max(1), show(age)),
            _ => String::new(),
        };
        let words = cut(&one_line(&note.message), 320);
        draft = draft.says(format!("{who}{container}: {headline}"), format!("{who}{container}: {headline}. {}: {words}{when}.", note.reason)).entity("container", &note.container);
        if let Some(pod) = ctx.cluster.pod(&ns, &name).filter(|_| kind == "Pod") {
            draft = with_pod(draft, pod, &note.container);
        }
        for (note, _, _, _) in notes.iter().take(3) {
            draft = draft.show(ctx.quote(note.src, &note.message));
        }
        if rule.slug.contains("probe") {
            draft = super::probes::refine(ctx, draft, &ns, &name, note);
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(reason: &str, message: &str) -> Option<&'static str> {
        let note = Note { reason: reason.into(), message: message.into(), warning: true, ..Note::default() };
        classify(&note).map(|(rule, _)| rule.slug)
    }

    #[test]
    fn every_rule_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn the_cluster_s_own_words_name_the_fault() {
        let cases = [
            ("Failed", r#"Failed to pull image "r.example/a:1": rpc error: failed to resolve reference: dial tcp: lookup r.example on 10.0.0.1:53: no such host"#, "image-registry-unresolvable"),
            ("Failed", r#"Failed to pull image "nginx:nope": rpc error: code = NotFound desc = failed to pull and unpack image: docker.io/library/nginx:nope: not found"#, "image-not-found"),
            ("Failed", r#"Failed to pull image "p/a": pull access denied, repository does not exist or may require authorization"#, "image-not-found"),
            ("Failed", r#"Failed to pull image "p/a": failed to authorize: failed to fetch anonymous token: 401 Unauthorized"#, "image-pull-unauthorized"),
            ("Failed", r#"Failed to pull image "busybox": 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit"#, "image-pull-rate-limited"),
            ("Failed", r#"Failed to pull image "r:5000/a": http: server gave HTTP response to HTTPS client"#, "image-pull-tls"),
            ("Failed", r#"Failed to pull image "r:5000/a": dial tcp 10.0.0.9:5000: connect: connection refused"#, "image-registry-unreachable"),
            ("Failed", r#"Failed to pull image "a": no match for platform in manifest: not found"#, "image-platform-mismatch"),
            ("Failed", "Error: ErrImageNeverPull", "image-never-pulled"),
            ("InspectFailed", r#"Failed to apply default image tag "a:b:c": couldn't parse image reference "a:b:c": invalid reference format"#, "image-name-invalid"),
            ("Failed", "Error: ImagePullBackOff", "image-pull-failed"),
            ("Failed", "Error: secret \"db\" not found", "config-secret-missing"),
            ("CreateContainerConfigError", "configmap \"app\" not found", "config-configmap-missing"),
            ("Failed", "Error: couldn't find key password in Secret shop/db", "config-key-missing"),
            ("FailedMount", "MountVolume.SetUp failed for volume \"x\" : secret \"tls\" not found", "mount-secret-missing"),
            ("FailedMount", "MountVolume.SetUp failed for volume \"x\" : configmap \"conf\" not found", "mount-configmap-missing"),
            ("FailedMount", "MountVolume.SetUp failed for volume \"x\" : references non-existent config key: a.yaml", "config-key-missing"),
            ("FailedMount", "mount failed: exit status 32 mount.nfs: Connection timed out", "volume-nfs-failed"),
            ("FailedMount", "hostPath type check failed: /data is not a directory", "volume-hostpath-missing"),
            ("FailedMount", "driver name ebs.csi.aws.com not found in the list of registered CSI drivers", "csi-driver-missing"),
            ("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition", "volume-mount-timeout"),
            ("FailedMount", "mount: wrong fs type, bad option, bad superblock on /dev/sdb", "volume-filesystem-damaged"),
            ("FailedMount", "MountVolume.SetUp failed for volume \"x\": rpc error: internal", "volume-mount-failed"),
            ("FailedAttachVolume", "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node", "volume-multi-attach"),
            ("FailedAttachVolume", "AttachVolume.Attach failed: volume limit reached", "volume-attach-failed"),
            ("Failed", "Error: container has runAsNonRoot and image will run as root", "security-context-violation"),
            ("Failed", r#"Error: failed to create containerd task: OCI runtime create failed: exec: "srv": executable file not found in $PATH: unknown"#, "container-command-not-found"),
            ("Failed", r#"exec: "/run.sh": permission denied: unknown"#, "container-command-not-executable"),
            ("StartError", "exec /app: exec format error", "container-exec-format-error"),
            ("Failed", "Error: failed to create containerd task: OCI runtime create failed: container init was OOM-killed (memory limit too low?)", "container-memory-too-small"),
            ("Failed", "Error: failed to start container \"a\": OCI runtime create failed: sysctl is not allowed", "container-start-failed"),
            ("FailedCreatePodSandBox", "plugin type=\"host-local\" failed (add): failed to allocate for range 0: no IP addresses available", "cni-ip-exhausted"),
            ("FailedCreatePodSandBox", "failed to setup network for sandbox: plugin type=\"calico\" failed", "cni-failed"),
            ("FailedCreatePodSandBox", "failed to reserve sandbox name", "sandbox-creation-failed"),
            ("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found", "pvc-storage-class-missing"),
            ("FailedBinding", "no persistent volumes available for this claim and no storage class is set", "pvc-no-storage-class"),
            ("ProvisioningFailed", "failed to provision volume: rpc error: quota", "pvc-provisioning-failed"),
            ("ExternalProvisioning", "waiting for a volume to be created, either by external provisioner \"ebs.csi.aws.com\"", "pvc-provisioner-silent"),
            ("FailedCreate", "pods \"a\" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=3, limited: cpu=4", "resource-quota-exceeded"),
            ("FailedCreate", "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu", "quota-needs-resources"),
            ("FailedCreate", "pods \"a\" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi]", "limitrange-violation"),
            ("FailedCreate", "error looking up service account a/b: serviceaccount \"b\" not found", "service-account-missing"),
            ("FailedCreate", "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": privileged", "pod-security-violation"),
            ("FailedCreate", "admission webhook \"v.example\" denied the request: no owner label", "admission-webhook-denied"),
            ("FailedCreate", "Internal error occurred: failed calling webhook \"v.example\": connection refused", "webhook-unavailable"),
            ("FailedCreate", "something else", "workload-create-failed"),
            ("Error", "secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\"", "rbac-forbidden"),
            ("Evicted", "The node was low on resource: ephemeral-storage.", "pod-evicted"),
            ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.", "pod-ephemeral-storage-exceeded"),
            ("SystemOOM", "System OOM encountered, victim process: java, pid: 12", "node-out-of-memory"),
            ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "liveness-probe-failing"),
            ("Unhealthy", "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused", "readiness-probe-failing"),
            ("Unhealthy", "Startup probe failed: timeout", "startup-probe-failing"),
            ("Killing", "Container web failed liveness probe, will be restarted", "liveness-probe-failing"),
            ("BackoffLimitExceeded", "Job has reached the specified backoff limit", "job-failed"),
            ("DeadlineExceeded", "Job was active longer than specified deadline", "job-deadline-exceeded"),
            ("FailedGetResourceMetric", "unable to get metrics for resource cpu", "hpa-metrics-unavailable"),
            ("SyncLoadBalancerFailed", "Error syncing load balancer: quota", "loadbalancer-provisioning-failed"),
            ("TooManyMissedTimes", "too many missed start times", "cronjob-missed-schedules"),
            ("FailedPostStartHook", "Exec lifecycle hook failed", "lifecycle-hook-failed"),
            ("Preempted", "Preempted by a pod on node n1", "pod-preempted"),
            ("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu", "node-admission-failed"),
            ("NodeNotReady", "Node n1 status is now: NodeNotReady", "node-not-ready"),
            ("FreeDiskSpaceFailed", "failed to garbage collect required amount of images", "node-disk-pressure"),
            ("BackOff", "Back-off restarting failed container web in pod web_shop(1)", "pod-crash-loop"),
            ("PodOOMKilled", "Pod a in namespace b OOMKilled results", "container-oom-killed"),
            ("CPUThrottlingHigh", "57% throttling of CPU", "cpu-throttled"),
            ("ClaimLost", "Bound claim has lost its PersistentVolume", "pvc-lost"),
            ("FilesystemIsReadOnly", "Remounting filesystem read-only", "node-filesystem-read-only"),
            ("TaskHung", "task x blocked for more than 120 seconds", "node-kernel-trouble"),
            ("DegradedSyncError", "operator cannot sync", "operator-degraded"),
        ];
        for (reason, message, want) in cases {
            assert_eq!(slug(reason, message), Some(want), "{reason}: {message}");
        }
    }

    #[test]
    fn ordinary_notes_say_nothing() {
        for (reason, message) in [
            ("InvalidDiskCapacity", "invalid capacity 0 on image filesystem"),
            ("DNSConfigForming", "Nameserver limits were exceeded, some nameservers have been omitted"),
            ("NodeHasSufficientMemory", "Node n1 status is now: NodeHasSufficientMemory"),
            ("FailedToUpdateEndpointSlices", "skipping Pod for Service: Node not found"),
        ] {
            assert_eq!(slug(reason, message), None, "{reason}");
        }
        let normal = Note { reason: "Pulled".into(), message: "Successfully pulled image \"a\"".into(), ..Note::default() };
        assert!(classify(&normal).is_none());
    }
}
