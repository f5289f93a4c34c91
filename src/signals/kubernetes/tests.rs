//! Behaviour of the detectors on small bundles: what must be found, and what must stay quiet.
#![expect(clippy::disallowed_methods, reason = "tests make files")]

use super::detect;
use crate::bundle::Tree;
use crate::profile::recognise;
use crate::signals::{Partial, Role, Signal};
use std::path::Path;

/// Detects over a bundle made of `(path, text)` files.
pub(super) fn run_with(files: &[(&str, &str)], ticket: Option<&str>) -> Partial {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let full = dir.path().join("bundle").join(path);
        std::fs::create_dir_all(full.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(full, text).unwrap();
    }
    let dir = cap_std::fs::Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
    let tree = Tree::new(dir.try_clone().unwrap(), Tree::index_dir(&dir).unwrap());
    let partial = detect(&tree, &recognise(&tree), ticket);
    for signal in &partial.signals {
        assert!(
            !signal.evidence.is_empty(),
            "{} without evidence",
            signal.cause
        );
        for evidence in &signal.evidence {
            let entry = tree.find(&evidence.path).unwrap();
            let text = tree.text(entry).unwrap().unwrap();
            let line = text.line(evidence.line_start as usize).unwrap();
            assert!(
                line.contains(&evidence.quote),
                "{}: {:?} is not in {line:?}",
                signal.cause,
                evidence.quote
            );
        }
        assert!(
            signal.strength > 0.0 && signal.strength <= 0.97,
            "{}",
            signal.cause
        );
    }
    partial
}

fn run(files: &[(&str, &str)]) -> Partial {
    run_with(files, None)
}

pub(super) fn first(partial: &Partial) -> &Signal {
    partial
        .signals
        .iter()
        .filter(|signal| signal.role == Role::Cause)
        .max_by(|a, b| a.strength.total_cmp(&b.strength))
        .expect("no cause was found")
}

pub(super) fn loudest(partial: &Partial) -> f64 {
    partial
        .signals
        .iter()
        .filter(|signal| signal.role == Role::Cause)
        .map(|signal| signal.strength)
        .fold(0.0, f64::max)
}

#[track_caller]
pub(super) fn finds(files: &[(&str, &str)], cause: &str, words: &str) {
    let partial = run(files);
    let top = first(&partial);
    assert_eq!(top.cause, cause, "{} ({})", top.title, top.strength);
    assert!(
        top.strength >= 0.5,
        "{} is weak: {}",
        top.title,
        top.strength
    );
    let all = format!("{} {} {:?}", top.title, top.statement, top.evidence);
    assert!(all.contains(words), "{words:?} is not in {all}");
}

#[track_caller]
fn quiet(files: &[(&str, &str)]) {
    let partial = run(files);
    assert!(
        loudest(&partial) < 0.5,
        "{:?}",
        partial
            .signals
            .iter()
            .map(|signal| (&signal.title, signal.strength))
            .collect::<Vec<_>>()
    );
}

/// A describe page of pod `shop/web-0`.
fn page(status: &str, container: &str, rest: &str, events: &str) -> String {
    format!(
        "Name:             web-0\nNamespace:        shop\nPriority:         0\nNode:             n1/10.0.0.1\nStart Time:       Tue, 12 Aug 2025 05:45:20 +0200\nLabels:           app=web\nStatus:           {status}\nIP:               10.244.1.18\nContainers:\n  main:\n    Container ID:  containerd://1\n    Image:         shop/web:1\n    Port:          8080/TCP\n{container}Conditions:\n  Type           Status\n  Initialized    True\n{rest}QoS Class:       Burstable\nEvents:\n  Type     Reason   Age   From     Message\n  ----     ------   ----  ----     -------\n{events}"
    )
}

const CRASHED: &str = "    State:          Waiting\n      Reason:       CrashLoopBackOff\n    Last State:     Terminated\n      Reason:       Error\n      Exit Code:    1\n      Started:      Tue, 12 Aug 2025 06:42:07 +0200\n      Finished:     Tue, 12 Aug 2025 06:42:09 +0200\n    Ready:          False\n    Restart Count:  7\n";
const RUNNING: &str = "    State:          Running\n      Started:      Tue, 12 Aug 2025 05:45:22 +0200\n    Ready:          True\n    Restart Count:  0\n";
const NOT_READY: &str = "  Ready          False\n";
const READY: &str = "  Ready          True\n";
const BACKOFF: &str = "  Warning  BackOff  10s (x9 over 5m)  kubelet  Back-off restarting failed container main in pod web-0_shop(1)\n";

fn crashed(log: &str) -> Vec<(&'static str, String)> {
    vec![
        ("describe.txt", page("Running", CRASHED, NOT_READY, BACKOFF)),
        ("logs/shop/web-0.log", log.to_owned()),
    ]
}

#[track_caller]
fn crash_finds(log: &str, cause: &str, words: &str) {
    let files = crashed(log);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    finds(&files, cause, words);
}

#[test]
fn every_cause_is_in_the_catalogue_and_every_entry_has_a_detector() {
    let text = include_str!("../../../playbooks/causes/kubernetes.toml");
    let apps = include_str!("../../../playbooks/causes/apps.toml");
    let tables: Vec<toml::Table> = [text, apps].map(|text| text.parse().unwrap()).to_vec();
    let causes: Vec<&toml::Value> = tables
        .iter()
        .flat_map(|table| table["causes"].as_array().unwrap())
        .collect();
    let slugs: std::collections::BTreeSet<&str> = causes
        .iter()
        .filter_map(|cause| cause["slug"].as_str())
        .collect();
    let sources = [
        include_str!("notes.rs"),
        include_str!("note_rules/images.rs"),
        include_str!("note_rules/starting.rs"),
        include_str!("note_rules/volumes.rs"),
        include_str!("note_rules/creating.rs"),
        include_str!("note_rules/running.rs"),
        include_str!("note_rules/cluster.rs"),
        include_str!("patterns.rs"),
        include_str!("words.rs"),
        include_str!("containers.rs"),
        include_str!("cpu.rs"),
        include_str!("unexplained.rs"),
        include_str!("scheduling.rs"),
        include_str!("storage.rs"),
        include_str!("nodes.rs"),
        include_str!("network.rs"),
        include_str!("workloads.rs"),
        include_str!("control.rs"),
        include_str!("probes.rs"),
        include_str!("applogs.rs"),
        include_str!("lastwords.rs"),
        include_str!("patterns_apps.rs"),
        include_str!("numbers.rs"),
        include_str!("answers.rs"),
        include_str!("traces.rs"),
        include_str!("lag.rs"),
        include_str!("mesh.rs"),
        include_str!("environment.rs"),
        include_str!("signing.rs"),
        include_str!("mtu.rs"),
        include_str!("meshtls.rs"),
        include_str!("contest.rs"),
        include_str!("crontime.rs"),
        include_str!("chains.rs"),
        include_str!("hangs.rs"),
        include_str!("upstream.rs"),
        include_str!("sidecars.rs"),
        include_str!("patterns_more.rs"),
        include_str!("metrics.rs"),
        include_str!("compare.rs"),
        include_str!("tools.rs"),
        include_str!("clouds.rs"),
        include_str!("waits.rs"),
    ];
    for slug in &slugs {
        assert!(
            sources
                .iter()
                .any(|source| source.contains(&format!("\"{slug}\""))),
            "no detector for {slug}"
        );
    }
    for rule in super::note_rules::rules() {
        assert!(
            slugs.contains(rule.slug),
            "{} is not in the catalogue",
            rule.slug
        );
    }
    for slug in super::words::slugs()
        .chain(super::scheduling::slugs())
        .chain(super::answers::slugs())
        .chain(super::metrics::slugs())
        .chain(super::tools::SLUGS.iter().copied())
    {
        assert!(slugs.contains(slug), "{slug} is not in the catalogue");
    }
    for source in sources {
        for part in source.split("Draft::").skip(1) {
            let head = part.split(';').next().unwrap_or_default();
            for call in ["cause(\"", "symptom(\""] {
                if let Some(rest) = head.strip_prefix(call) {
                    let slug = rest.split('"').next().unwrap_or_default();
                    assert!(slugs.contains(slug), "{slug} is not in the catalogue");
                }
            }
        }
    }
}

#[test]
fn a_container_killed_at_its_limit() {
    let oom = CRASHED
        .replace("Error", "OOMKilled")
        .replace("Exit Code:    1", "Exit Code:    137")
        + "    Limits:\n      memory:  50Mi\n";
    finds(
        &[("a.txt", &page("Running", &oom, NOT_READY, BACKOFF))],
        "container-oom-killed",
        "50Mi",
    );
    // Killed once, hours ago, ready since: a blemish.
    let once = "    State:          Running\n      Started:      Tue, 12 Aug 2025 06:42:07 +0200\n    Last State:     Terminated\n      Reason:       OOMKilled\n      Exit Code:    137\n      Finished:     Tue, 12 Aug 2025 05:42:07 +0200\n    Ready:          True\n    Restart Count:  1\n";
    quiet(&[("a.txt", &page("Running", once, READY, ""))]);
}

#[test]
fn last_words_of_crashing_containers() {
    crash_finds(
        "starting\nError: DB_URL is not set\n",
        "container-missing-env-variable",
        "DB_URL",
    );
    crash_finds(
        "starting\npanic: cannot start: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:1\n",
        "application-exception",
        "boom",
    );
    crash_finds(
        "2025 INFO up\nUnknown option --verbos\nUsage: app [options]\n  --verbose  talk\n",
        "container-unknown-argument",
        "--verbos",
    );
    crash_finds(
        "dial tcp: lookup redis on 10.0.0.10:53: no such host\nexiting\n",
        "dependency-name-unresolved",
        "redis",
    );
    crash_finds(
        "connecting\ndial tcp 10.0.0.2:6379: connect: connection refused\n",
        "workload-dependency-unreachable",
        "10.0.0.2:6379",
    );
    crash_finds(
        "FATAL: password authentication failed for user \"app\"\n",
        "dependency-auth-failed",
        "app",
    );
    crash_finds(
        "open /etc/web/web.yaml: no such file or directory\n",
        "container-missing-file",
        "/etc/web/web.yaml",
    );
    crash_finds(
        "yaml: line 7: did not find expected key\n",
        "container-config-invalid",
        "line 7",
    );
    crash_finds(
        "listen tcp :80: bind: permission denied\n",
        "container-permission-denied",
        "permission denied",
    );
    crash_finds(
        "listen tcp :80: bind: address already in use\n",
        "container-port-in-use",
        "in use",
    );
    crash_finds(
        "java.lang.OutOfMemoryError: Java heap space\n",
        "application-out-of-memory",
        "heap",
    );
    crash_finds(
        "write /data/x: no space left on device\n",
        "container-disk-full",
        "no space",
    );
    crash_finds(
        "tls: failed to verify certificate: x509: certificate has expired or is not yet valid\n",
        "workload-certificate-expired",
        "expired",
    );
    crash_finds(
        "up\nTraceback (most recent call last):\n  File \"/a.py\", line 3, in <module>\n    run()\nshop.errors.CartError: no such cart\n",
        "application-exception",
        "CartError",
    );
    crash_finds(
        "License key is invalid or expired\n",
        "license-invalid",
        "License",
    );
}

#[test]
fn a_log_that_is_silent_yields_a_symptom_and_what_to_collect() {
    let files = crashed("listening on 8080\nready\n");
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let partial = run(&files);
    assert!(loudest(&partial) < 0.5);
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.role == Role::Symptom && signal.cause == "pod-crash-loop")
    );
    assert!(
        partial
            .missing
            .iter()
            .any(|item| item.what.contains("--previous")),
        "{:?}",
        partial.missing
    );
}

#[test]
fn a_bare_row_asks_for_logs_and_description() {
    let partial = run(&[(
        "get_pods.txt",
        "shop   web-5f7c9d6b8-x2x4z   0/1   CrashLoopBackOff   7 (32s ago)   11m   10.0.0.1   n1\n",
    )]);
    assert!(loudest(&partial) < 0.5);
    for words in ["logs", "--previous", "describe pod", "events"] {
        assert!(
            partial.missing.iter().any(|item| item.what.contains(words)),
            "{words}: {:?}",
            partial.missing
        );
    }
    let healthy = run(&[(
        "get_pods.txt",
        "shop   web-5f7c9d6b8-x2x4z   1/1   Running   0   11m   10.0.0.1   n1\n",
    )]);
    assert!(healthy.signals.is_empty() && healthy.missing.is_empty());
}

#[test]
fn the_collector_s_refusal_is_the_reason_of_absence() {
    let files = [
        (
            "get.txt",
            "NAME    READY   STATUS             RESTARTS   AGE\nweb-0   0/1     CrashLoopBackOff   7          11m\n",
        ),
        (
            "logs/shop/web-0.log",
            "Error from server (BadRequest): container \"main\" in pod \"web-0\" is waiting to start\n",
        ),
    ];
    let partial = run(&files);
    assert!(
        partial
            .missing
            .iter()
            .any(|item| item.why.contains("waiting to start")),
        "{:?}",
        partial.missing
    );
}

#[test]
fn commands_that_cannot_work() {
    let code = |code: &str| CRASHED.replace("Exit Code:    1", &format!("Exit Code:    {code}"));
    finds(
        &[("a", &page("Running", &code("127"), NOT_READY, ""))],
        "container-command-not-found",
        "127",
    );
    finds(
        &[("a", &page("Running", &code("126"), NOT_READY, ""))],
        "container-command-not-executable",
        "126",
    );
    finds(
        &[("a", &page("Running", &code("139"), NOT_READY, ""))],
        "container-segfault",
        "139",
    );
    let script = format!(
        "    Command:\n      sh\n      -c\n      check || exit 3\n{}",
        code("3")
    );
    finds(
        &[("a", &page("Running", &script, NOT_READY, ""))],
        "container-command-exits",
        "exit 3",
    );
    let done = CRASHED
        .replace("Reason:       Error", "Reason:       Completed")
        .replace("Exit Code:    1", "Exit Code:    0");
    finds(
        &[("a", &page("Running", &done, NOT_READY, ""))],
        "container-exits-cleanly",
        "exit code 0",
    );
}

#[test]
fn causes_by_event() {
    let cases = [
        (
            "Failed",
            "Error: secret \"db\" not found",
            "config-secret-missing",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"c\" : configmap \"conf\" not found",
            "mount-configmap-missing",
        ),
        (
            "Failed",
            "Failed to pull image \"shop/web:9\": manifest for shop/web:9 not found: manifest unknown",
            "image-not-found",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient memory.",
            "scheduling-insufficient-resources",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) web-1",
            "volume-multi-attach",
        ),
        (
            "FailedCreatePodSandBox",
            "plugin type=\"calico\" failed (add): error getting ClusterInformation",
            "cni-failed",
        ),
    ];
    let waiting = "    State:          Waiting\n      Reason:       ContainerCreating\n    Ready:          False\n    Restart Count:  0\n";
    for (reason, message, cause) in cases {
        let event = format!("  Warning  {reason}  10s (x9 over 5m)  kubelet  {message}\n");
        let bad = page("Pending", waiting, NOT_READY, &event).replace(
            "Node:             n1/10.0.0.1",
            if reason == "FailedScheduling" {
                "Node:             <none>"
            } else {
                "Node:             n1/10.0.0.1"
            },
        );
        finds(&[("a.txt", &bad)], cause, &message[message.len() - 12..]);
        // The same event of a pod that runs and is ready since is history.
        quiet(&[("a.txt", &page("Running", RUNNING, READY, &event))]);
    }
}

#[test]
fn probes_that_ask_the_wrong_thing() {
    let unready = RUNNING.replace("True", "False");
    let probe = |text: &str| format!("{unready}    Readiness:      {text}\n");
    let event = |text: &str| {
        format!("  Warning  Unhealthy  3s (x40 over 5m)  kubelet  Readiness probe failed: {text}\n")
    };
    finds(
        &[(
            "a",
            &page(
                "Running",
                &probe("http-get http://:9090/ready delay=0s"),
                NOT_READY,
                &event(
                    "Get \"http://10.1.1.1:9090/ready\": dial tcp 10.1.1.1:9090: connect: connection refused",
                ),
            ),
        )],
        "probe-port-mismatch",
        "9090",
    );
    finds(
        &[(
            "a",
            &page(
                "Running",
                &probe("http-get http://:8080/nope delay=0s"),
                NOT_READY,
                &event("HTTP probe failed with statuscode: 404"),
            ),
        )],
        "readiness-probe-failing",
        "404",
    );
    quiet(&[(
        "a",
        &page(
            "Running",
            &format!("{RUNNING}    Readiness:      http-get http://:8080/ready delay=0s\n"),
            READY,
            &event("HTTP probe failed with statuscode: 503"),
        ),
    )]);
}

#[test]
fn a_tiny_cpu_limit_counts_when_somebody_complains() {
    let slow = format!("{RUNNING}    Limits:\n      cpu:  10m\n    Requests:\n      cpu:  10m\n");
    let text = page("Running", &slow, READY, "");
    let asked = run_with(&[("a.txt", &text)], Some("pod web-0 is very slow"));
    assert_eq!(
        (first(&asked).cause.as_str(), first(&asked).strength > 0.8),
        ("cpu-throttled", true)
    );
    quiet(&[("a.txt", &text)]);
}

fn node(conditions: &str) -> String {
    format!(
        "{{\n \"kind\": \"NodeList\",\n \"items\": [\n  {{\n   \"metadata\": {{\n    \"name\": \"n1\"\n   }},\n   \"status\": {{\n    \"nodeInfo\": {{\n     \"kubeletVersion\": \"v1.29.1\"\n    }},\n    \"conditions\": [\n{conditions}\n    ]\n   }}\n  }}\n ]\n}}\n"
    )
}

fn condition(kind: &str, status: &str, message: &str) -> String {
    format!(
        "     {{\n      \"type\": \"{kind}\",\n      \"status\": \"{status}\",\n      \"reason\": \"R\",\n      \"message\": \"{message}\"\n     }}"
    )
}

#[test]
fn nodes_in_trouble() {
    for (kind, status, message, cause) in [
        (
            "Ready",
            "False",
            "container runtime network not ready: NetworkReady=false cni plugin not initialized",
            "cni-failed",
        ),
        (
            "Ready",
            "False",
            "PLEG is not healthy: pleg was last seen active 5m ago",
            "node-pleg",
        ),
        (
            "Ready",
            "False",
            "container runtime is down",
            "node-runtime-down",
        ),
        ("Ready", "False", "kubelet is unwell", "node-not-ready"),
        (
            "MemoryPressure",
            "True",
            "kubelet has insufficient memory available",
            "node-memory-pressure",
        ),
        (
            "DiskPressure",
            "True",
            "kubelet has disk pressure",
            "node-disk-pressure",
        ),
        (
            "PIDPressure",
            "True",
            "kubelet has insufficient PID available",
            "node-pid-pressure",
        ),
        (
            "NetworkUnavailable",
            "True",
            "NodeController create implicit route failed",
            "node-network-unavailable",
        ),
    ] {
        finds(
            &[(
                "cluster-resources/nodes.json",
                &node(&condition(kind, status, message)),
            )],
            cause,
            message,
        );
    }
    quiet(&[(
        "cluster-resources/nodes.json",
        &node(
            &[
                condition("Ready", "True", "kubelet is posting ready status"),
                condition("DiskPressure", "False", "ok"),
            ]
            .join(",\n"),
        ),
    )]);
    let row = run(&[(
        "nodes.txt",
        "NAME   STATUS     ROLES    AGE   VERSION\nn1     NotReady   <none>   9d    v1.29.1\nn2     Ready      <none>   9d    v1.29.1\n",
    )]);
    assert!(
        row.signals
            .iter()
            .any(|signal| signal.cause == "node-not-ready" && signal.role == Role::Symptom)
            && !row.missing.is_empty()
    );
    let skew = [
        (
            "cluster-resources/nodes.json",
            node(&condition("Ready", "True", "ok")),
        ),
        (
            "cluster-info/cluster_version.json",
            "{\"info\": {\"gitVersion\": \"v1.34.0\"},\n\"string\": \"v1.34.0\"}".to_owned(),
        ),
    ];
    let files: Vec<(&str, &str)> = skew
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    assert!(
        run(&files)
            .signals
            .iter()
            .any(|signal| signal.cause == "version-skew")
    );
}

#[test]
fn cordoned_nodes_matter_when_pods_wait() {
    let rows = "NAME   STATUS                     ROLES    AGE   VERSION\nn1     Ready,SchedulingDisabled   <none>   9d    v1.29.1\n";
    quiet(&[("nodes.txt", rows)]);
    let waits = "LAST SEEN   TYPE      REASON             OBJECT      MESSAGE\n5s          Warning   FailedScheduling   pod/web-0   0/1 nodes are available: 1 node(s) were unschedulable.\n";
    finds(
        &[("nodes.txt", rows), ("events.txt", waits)],
        "scheduling-nodes-cordoned",
        "unschedulable",
    );
}

const PENDING_CLAIM: &str = "NAME   STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE\ndata   Pending                                      fast           9m\n";
const CLASSES: &str = "NAME                 PROVISIONER             RECLAIMPOLICY   VOLUMEBINDINGMODE   ALLOWVOLUMEEXPANSION   AGE\nstandard (default)   rancher.io/local-path   Delete          Immediate           false                  9d\n";

#[test]
fn claims_that_are_not_bound() {
    finds(
        &[("pvc.txt", PENDING_CLAIM), ("sc.txt", CLASSES)],
        "pvc-storage-class-missing",
        "fast",
    );
    let yaml = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n  namespace: shop\nspec: {}\nstatus:\n  phase: Pending\n";
    finds(
        &[
            ("pvc.yaml", yaml),
            ("sc.txt", &CLASSES.replace(" (default)", "")),
        ],
        "pvc-no-storage-class",
        "default",
    );
    finds(
        &[("pvc.yaml", &yaml.replace("Pending", "Lost"))],
        "pvc-lost",
        "Lost",
    );
    let manual = CLASSES
        .replace("rancher.io/local-path", "kubernetes.io/no-provisioner  ")
        .replace("standard (default)", "fast              ");
    finds(
        &[("pvc.txt", PENDING_CLAIM), ("sc.txt", &manual)],
        "pvc-no-matching-volume",
        "no-provisioner",
    );
    let unknown = run(&[("pvc.txt", PENDING_CLAIM)]);
    assert!(
        loudest(&unknown) < 0.5
            && unknown
                .missing
                .iter()
                .any(|item| item.what.contains("describe pvc data"))
    );
    quiet(&[
        (
            "pvc.txt",
            &PENDING_CLAIM.replace(
                "Pending                                 ",
                "Bound     pvc-1    1Gi        RWO         ",
            ),
        ),
        ("sc.txt", CLASSES),
    ]);
    finds(
        &[(
            "pv.yaml",
            "apiVersion: v1\nkind: PersistentVolume\nmetadata:\n  name: v1\nstatus:\n  phase: Failed\n  message: recycler failed\n",
        )],
        "pv-failed",
        "Failed",
    );
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  selector:\n    app: webb\n  ports:\n  - port: 80\n    targetPort: 8080\n";
const POD: &str = "apiVersion: v1\nkind: PodList\nitems:\n- metadata:\n    name: web-5f7c9d6b8-x2x4z\n    namespace: shop\n    labels:\n      app: web\n  spec:\n    containers:\n    - name: main\n      ports:\n      - containerPort: 8080\n        name: http\n  status:\n    phase: Running\n    conditions:\n    - type: Ready\n      status: \"True\"\n";
const NO_ENDPOINTS: &str =
    "apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: web\n  namespace: shop\n";

#[test]
fn services_without_pods_and_wrong_ports() {
    finds(
        &[
            ("s.yaml", SERVICE),
            ("p.yaml", POD),
            ("e.yaml", NO_ENDPOINTS),
        ],
        "service-selector-mismatch",
        "app=webb",
    );
    let right = SERVICE.replace("webb", "web");
    let some = format!("{NO_ENDPOINTS}subsets:\n- addresses:\n  - ip: 10.0.0.1\n");
    quiet(&[("s.yaml", &right), ("p.yaml", POD), ("e.yaml", &some)]);
    finds(
        &[
            (
                "s.yaml",
                &right.replace("targetPort: 8080", "targetPort: metrics"),
            ),
            ("p.yaml", POD),
            ("e.yaml", &some),
        ],
        "service-target-port-mismatch",
        "metrics",
    );
    let unready = POD.replace("\"True\"", "\"False\"");
    let partial = run(&[
        ("s.yaml", &right),
        ("p.yaml", &unready),
        ("e.yaml", NO_ENDPOINTS),
    ]);
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "service-no-endpoints" && signal.role == Role::Symptom)
    );
    let balancer = format!("{right}  type: LoadBalancer\nstatus:\n  loadBalancer: {{}}\n");
    assert!(
        run(&[("s.yaml", &balancer)])
            .signals
            .iter()
            .any(|signal| signal.cause == "loadbalancer-pending")
    );
}

#[test]
fn ingresses_without_backends() {
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: front\n  namespace: shop\nspec:\n  tls:\n  - secretName: front-tls\n  rules:\n  - http:\n      paths:\n      - path: /\n        backend:\n          service:\n            name: web\n            port:\n              number: 80\n";
    let services = |name: &str, port: &str| {
        format!(
            "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata:\n    name: {name}\n    namespace: shop\n  spec:\n    ports:\n    - port: {port}\n"
        )
    };
    finds(
        &[("i.yaml", ingress), ("s.yaml", &services("other", "80"))],
        "ingress-backend-missing",
        "web",
    );
    finds(
        &[("i.yaml", ingress), ("s.yaml", &services("web", "8080"))],
        "ingress-backend-port-mismatch",
        "80",
    );
    quiet(&[("i.yaml", ingress), ("s.yaml", &services("web", "80"))]);
    let secrets = "NAME    TYPE     DATA   AGE\nother   Opaque   1      9d\n";
    finds(
        &[
            ("i.yaml", ingress),
            ("s.yaml", &services("web", "80")),
            ("secrets_-n_shop.txt", secrets),
        ],
        "ingress-tls-secret-missing",
        "front-tls",
    );
}

#[test]
fn policies_count_when_the_network_is_in_question() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: deny-all\n  namespace: shop\nspec:\n  podSelector: {}\n  policyTypes:\n  - Ingress\n";
    quiet(&[("n.yaml", policy)]);
    let asked = run_with(
        &[("n.yaml", policy)],
        Some("cannot reach web in shop, connections time out"),
    );
    assert_eq!(first(&asked).cause, "networkpolicy-blocks");
    quiet(&[("n.yaml", &format!("{policy}  ingress:\n  - {{}}\n"))]);
}

#[test]
fn the_log_of_a_failed_job_s_pod_explains_the_job() {
    let job = "NAMESPACE   NAME   STATUS   COMPLETIONS   DURATION   AGE\nshop        load   Failed   0/1           9m         9m\n";
    finds(
        &[
            ("jobs.txt", job),
            (
                "logs/shop/load-mldtn.log",
                "curl: (6) Could not resolve host: files.example.test\n",
            ),
        ],
        "dependency-name-unresolved",
        "files.example.test",
    );
}

#[test]
fn workloads() {
    let cron = "NAMESPACE   NAME     SCHEDULE    SUSPEND   ACTIVE   LAST SCHEDULE   AGE\nshop        backup   0 1 * * *   True      0        9d              90d\n";
    let asked = run_with(&[("c.txt", cron)], Some("backup does not run"));
    assert_eq!(first(&asked).cause, "cronjob-suspended");
    let daily = cron.replace("True ", "False").replace(" 9d ", " 9h ");
    quiet(&[("c.txt", &daily)]);
    let job = "Name:             load\nNamespace:        shop\nSelector:         a=b\nParallelism:      1\nCompletions:      1\nBackoff Limit:    0\nPods Statuses:    0 Active (0 Ready) / 0 Succeeded / 1 Failed\n";
    let partial = run(&[("j.txt", job)]);
    assert!(
        loudest(&partial) < 0.5
            && partial
                .signals
                .iter()
                .any(|signal| signal.cause == "job-failed")
            && !partial.missing.is_empty()
    );
    let late = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: load\n  namespace: shop\nspec:\n  completions: 1\nstatus:\n  failed: 1\n  conditions:\n  - type: Failed\n    status: \"True\"\n    reason: DeadlineExceeded\n    message: Job was active longer than specified deadline\n";
    finds(&[("j.yaml", late)], "job-deadline-exceeded", "deadline");
    let hpa = "NAME   REFERENCE        TARGETS         MINPODS   MAXPODS   REPLICAS   AGE\nweb    Deployment/web   <unknown>/50%   1         10        1          9d\n";
    finds(&[("h.txt", hpa)], "hpa-metrics-unavailable", "<unknown>");
    quiet(&[("h.txt", &hpa.replace("<unknown>/50%", "12%/50%      "))]);
    let full = run_with(
        &[(
            "h.txt",
            &hpa.replace(
                "<unknown>/50%   1         10        1 ",
                "99%/50%         1         10        10",
            ),
        )],
        Some("web is slow under load"),
    );
    assert!(
        full.signals
            .iter()
            .any(|signal| signal.cause == "hpa-at-maximum")
    );
    let quota = "Name:       small\nNamespace:  shop\nResource    Used  Hard\n--------    ----  ----\npods        4     4\n";
    let rows = "NAMESPACE   NAME   READY   UP-TO-DATE   AVAILABLE   AGE\nshop        web    0/2     0            0           9d\n";
    finds(
        &[("q.txt", quota), ("d.txt", rows)],
        "resource-quota-exceeded",
        "pods 4 of 4",
    );
    quiet(&[("q.txt", quota)]);
    let partial = run(&[("d.txt", rows)]);
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "rollout-stuck" && signal.role == Role::Symptom)
            && !partial.missing.is_empty()
    );
    quiet(&[("d.txt", &rows.replace("0/2", "2/2"))]);
    let zero = run_with(
        &[("d.txt", &rows.replace("0/2", "0/0"))],
        Some("web is not reachable"),
    );
    assert_eq!(first(&zero).cause, "workload-scaled-to-zero");
    let paused = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  paused: true\n  replicas: 1\nstatus:\n  readyReplicas: 1\n";
    assert_eq!(
        first(&run_with(&[("d.yaml", paused)], Some("web is not updated"))).cause,
        "rollout-paused"
    );
}

#[test]
fn missing_objects_that_pods_refer_to() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  serviceAccountName: web\n  containers:\n  - name: main\n    env:\n    - name: PASSWORD\n      valueFrom:\n        secretKeyRef:\n          name: db\n          key: password\n  volumes:\n  - name: conf\n    configMap:\n      name: web-conf\nstatus:\n  phase: Pending\n  containerStatuses:\n  - name: main\n    ready: false\n    state:\n      waiting:\n        reason: CreateContainerConfigError\n";
    let maps = "NAME               DATA   AGE\nweb-conf           1      9d\n";
    let secrets = "NAME    TYPE     DATA   AGE\nother   Opaque   1      9d\n";
    finds(
        &[
            ("p.yaml", pod),
            ("secrets_-n_shop.txt", secrets),
            ("cm_-n_shop.txt", maps),
        ],
        "config-secret-missing",
        "db",
    );
    finds(
        &[
            (
                "p.yaml",
                &pod.replace("CreateContainerConfigError", "ContainerCreating")
                    .replace("name: db", "name: other"),
            ),
            ("secrets_-n_shop.txt", secrets),
            ("cm_-n_shop.txt", &maps.replace("web-conf ", "else     ")),
        ],
        "mount-configmap-missing",
        "web-conf",
    );
    let with_key = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: shop\ndata:\n  passwd: eA==\n";
    finds(
        &[("p.yaml", pod), ("s.yaml", with_key)],
        "config-key-missing",
        "password",
    );
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  replicas: 1\n  template:\n    spec:\n      serviceAccountName: web\nstatus:\n  replicas: 0\n";
    finds(
        &[
            ("d.yaml", deployment),
            (
                "sa_-n_shop.txt",
                "NAME      SECRETS   AGE\ndefault   0         9d\n",
            ),
        ],
        "service-account-missing",
        "web",
    );
}

#[test]
fn control_plane_and_vendor_checks() {
    let hook = "apiVersion: v1\nkind: ValidatingWebhookConfiguration\nmetadata:\n  name: guard\nwebhooks:\n- name: guard.example.io\n  failurePolicy: Fail\n  clientConfig:\n    service:\n      name: guard\n      namespace: shop\n";
    let services = "apiVersion: v1\nkind: ServiceList\nitems:\n- metadata:\n    name: other\n    namespace: shop\n  spec: {}\n";
    finds(
        &[("h.yaml", hook), ("s.yaml", services)],
        "webhook-unavailable",
        "guard",
    );
    quiet(&[
        ("h.yaml", hook),
        ("s.yaml", &services.replace("other", "guard")),
    ]);
    finds(
        &[(
            "a.txt",
            "NAME                     SERVICE                      AVAILABLE                 AGE\nv1beta1.metrics.k8s.io   kube-system/metrics-server   False (MissingEndpoints)  9d\n",
        )],
        "apiservice-unavailable",
        "MissingEndpoints",
    );
    let ns = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: old\nstatus:\n  phase: Terminating\n  conditions:\n  - type: NamespaceContentRemaining\n    status: \"True\"\n    message: Some resources are remaining\n";
    finds(
        &[("n.yaml", ns)],
        "namespace-stuck-terminating",
        "remaining",
    );
    finds(
        &[(
            "pods.txt",
            "Error from server: etcdserver: request timed out\n",
        )],
        "etcd-unhealthy",
        "etcdserver",
    );
    finds(
        &[(
            "pods.txt",
            "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n",
        )],
        "apiserver-unavailable",
        "refused",
    );
    quiet(&[(
        "pods.txt",
        "Error from server (NotFound): pods \"web\" not found\n",
    )]);
    let analysis = |severity: &str| {
        format!(
            "[\n {{\n  \"name\": \"nodes\",\n  \"insight\": {{\n   \"primary\": \"Nodes\",\n   \"detail\": \"Needs 3 nodes\",\n   \"severity\": \"{severity}\"\n  }}\n }}\n]\n"
        )
    };
    finds(
        &[
            ("analysis.json", &analysis("error")),
            (
                "cluster-resources/nodes.json",
                &node(&condition("Ready", "True", "ok")),
            ),
        ],
        "analyser-requirement-failed",
        "Needs 3 nodes",
    );
    quiet(&[("analysis.json", &analysis("warn"))]);
    quiet(&[("analysis.json", &analysis("debug"))]);
    let operator = "NAME      VERSION   AVAILABLE   PROGRESSING   DEGRADED   SINCE   MESSAGE\nconsole   4.14.1    False       False         True       9m      RouteHealthDegraded: console route does not answer\n";
    finds(&[("co.txt", operator)], "operator-degraded", "console");
}

#[test]
fn what_a_pod_s_own_status_says() {
    let pod = |status: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  nodeName: n1\n  containers:\n  - name: main\n    image: shop/web:9\nstatus:\n{status}"
        )
    };
    finds(
        &[(
            "p.yaml",
            &pod(
                "  phase: Failed\n  reason: Evicted\n  message: 'The node was low on resource: ephemeral-storage.'\n",
            ),
        )],
        "pod-evicted",
        "ephemeral-storage",
    );
    let waiting = |reason: &str, message: &str| {
        pod(&format!(
            "  phase: Pending\n  containerStatuses:\n  - name: main\n    ready: false\n    state:\n      waiting:\n        reason: {reason}\n        message: '{message}'\n"
        ))
    };
    finds(
        &[(
            "p.yaml",
            &waiting(
                "ErrImagePull",
                "Failed to pull image \"shop/web:9\": not found",
            ),
        )],
        "image-not-found",
        "shop/web:9",
    );
    finds(
        &[(
            "p.yaml",
            &waiting("CreateContainerConfigError", "secret \"db\" not found"),
        )],
        "config-secret-missing",
        "db",
    );
    quiet(&[("p.yaml", &waiting("ContainerCreating", ""))]);
}

#[test]
fn logs_of_dns_and_etcd() {
    let rows = "NAMESPACE     NAME                       READY   STATUS    RESTARTS   AGE\nkube-system   coredns-5f7c9d6b8-x2x4z    0/1     CrashLoopBackOff   9   9d\n";
    finds(
        &[
            ("pods.txt", rows),
            (
                "logs/kube-system/coredns-5f7c9d6b8-x2x4z.log",
                "[FATAL] plugin/loop: Loop (127.0.0.1:44222 -> :53) detected for zone \".\"\n",
            ),
        ],
        "cluster-dns-failing",
        "Loop",
    );
    let etcd = rows.replace("coredns-5f7c9d6b8-x2x4z ", "etcd-master-1           ");
    finds(
        &[
            ("pods.txt", &etcd),
            (
                "logs/kube-system/etcd-master-1.log",
                "{\"level\":\"error\",\"msg\":\"etcdserver: mvcc: database space exceeded\"}\n",
            ),
        ],
        "etcd-unhealthy",
        "space exceeded",
    );
}

#[test]
fn collected_certificates_are_judged_by_the_bundle_s_own_clock() {
    let certificates = |end: &str| {
        format!(
            "[\n {{\n  \"source\": {{\n   \"secret\": \"front-tls\",\n   \"namespace\": \"shop\"\n  }},\n  \"certificateChain\": [\n   {{\n    \"certificate\": \"tls.crt\",\n    \"notAfter\": \"{end}\"\n   }}\n  ]\n }}\n]\n"
        )
    };
    let clock = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: shop\n  creationTimestamp: \"2025-06-01T00:00:00Z\"\nstatus:\n  phase: Succeeded\n";
    finds(
        &[
            (
                "certificates/certificates.json",
                &certificates("2025-05-01T00:00:00Z"),
            ),
            ("q.yaml", clock),
        ],
        "workload-certificate-expired",
        "front-tls",
    );
    quiet(&[
        (
            "certificates/certificates.json",
            &certificates("2035-05-01T00:00:00Z"),
        ),
        ("q.yaml", clock),
    ]);
}

#[test]
fn what_the_collector_was_refused_is_named() {
    let partial = run(&[(
        "kubectl/get_pods.txt",
        "Error from server (Forbidden): pods is forbidden: User \"dev\" cannot list resource \"pods\" in API group \"\"\n",
    )]);
    assert!(
        partial
            .missing
            .iter()
            .any(|item| item.why.contains("Forbidden")
                && item
                    .path
                    .as_deref()
                    .is_some_and(|path| path.ends_with("get_pods.txt"))),
        "{:?}",
        partial.missing
    );
}

#[test]
fn pods_that_do_not_end_and_schedulers_that_do_not_run() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\n  deletionTimestamp: \"2025-01-01T00:00:00Z\"\nspec:\n  containers:\n  - name: main\nstatus:\n  phase: Running\n";
    let clock = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: shop\n  creationTimestamp: \"2025-01-01T05:00:00Z\"\nstatus:\n  phase: Succeeded\n";
    finds(
        &[("p.yaml", pod), ("q.yaml", clock)],
        "pod-stuck-terminating",
        "web-0",
    );
    let waits = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  schedulerName: my-scheduler\n  containers:\n  - name: main\nstatus:\n  phase: Pending\n";
    finds(&[("p.yaml", waits)], "scheduler-missing", "my-scheduler");
}

#[test]
fn errors_in_logs_of_running_pods_count_by_the_customer_s_words() {
    let rows = "NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE\nshop        web-0   1/1     Running   0          9d\n";
    let mut log = String::new();
    for n in 0..200 {
        log.push_str(&format!(
            "2025-01-01T00:{:02}:00Z INFO request {n} served\n",
            n % 60
        ));
    }
    log.push_str(
        "2025-01-01T04:00:00Z ERROR dial tcp 10.0.0.3:5432: connect: connection refused\n",
    );
    let many: Vec<(String, String)> = (0..30)
        .map(|n| (format!("other/{n}.txt"), "x\n".to_owned()))
        .collect();
    let mut files: Vec<(&str, &str)> = vec![("pods.txt", rows), ("logs/shop/web-0.log", &log)];
    files.extend(
        many.iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    assert!(loudest(&run(&files)) < 0.5);
    let asked = run_with(&files, Some("web-0 cannot save orders"));
    assert_eq!(
        (first(&asked).cause.as_str(), first(&asked).strength >= 0.5),
        ("workload-dependency-unreachable", true)
    );
    quiet(&[
        ("pods.txt", rows),
        ("logs/shop/web-0.log", "INFO started\nINFO 0 errors\n"),
    ]);
}

#[test]
fn the_ticket_s_subject_comes_first() {
    let other = page(
        "Running",
        &CRASHED
            .replace("Error", "OOMKilled")
            .replace("Exit Code:    1", "Exit Code:    137"),
        NOT_READY,
        BACKOFF,
    )
    .replace("web-0", "api-0");
    let mine = page(
        "Running",
        &CRASHED.replace("Exit Code:    1", "Exit Code:    127"),
        NOT_READY,
        BACKOFF,
    );
    let asked = run_with(
        &[("a.txt", &other), ("b.txt", &mine)],
        Some("Pod web-0 keeps restarting"),
    );
    assert_eq!(first(&asked).subject.name, "web-0");
    let other_way = run_with(
        &[("a.txt", &other), ("b.txt", &mine)],
        Some("Pod api-0 keeps restarting"),
    );
    assert_eq!(first(&other_way).subject.name, "api-0");
}

#[test]
fn in_a_host_report_pods_are_a_side_scene() {
    let oom = page(
        "Running",
        &CRASHED
            .replace("Error", "OOMKilled")
            .replace("Exit Code:    1", "Exit Code:    137"),
        NOT_READY,
        BACKOFF,
    );
    let host = [
        ("sos_commands/kubernetes/describe_pods", oom.as_str()),
        ("sos_reports/sos.txt", "x\n"),
        ("sos_commands/date/date", "x\n"),
    ];
    assert!(loudest(&run(&host)) < 0.75);
    assert!(loudest(&run_with(&host, Some("pod web-0 restarts"))) > 0.9);
}

#[test]
fn layouts_are_read_alike() {
    let pods = "[\n {\n  \"metadata\": {\n   \"name\": \"web-0\",\n   \"namespace\": \"shop\"\n  },\n  \"spec\": {\n   \"containers\": [\n    {\n     \"name\": \"main\",\n     \"resources\": {\n      \"limits\": {\n       \"memory\": \"64Mi\"\n      }\n     }\n    }\n   ]\n  },\n  \"status\": {\n   \"phase\": \"Running\",\n   \"containerStatuses\": [\n    {\n     \"name\": \"main\",\n     \"ready\": false,\n     \"restartCount\": 9,\n     \"state\": {\n      \"waiting\": {\n       \"reason\": \"CrashLoopBackOff\"\n      }\n     },\n     \"lastState\": {\n      \"terminated\": {\n       \"exitCode\": 137,\n       \"reason\": \"OOMKilled\"\n      }\n     }\n    }\n   ]\n  }\n }\n]\n";
    // An old bare array, a list, and a list on a single line.
    finds(
        &[("cluster-resources/pods/shop.json", pods)],
        "container-oom-killed",
        "64Mi",
    );
    let list = format!(
        "{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":{}}}",
        pods.replace(['\n', ' '], "")
    );
    finds(&[("shop/pods.json", &list)], "container-oom-killed", "64Mi");
    quiet(&[(
        "cluster-resources/pods/shop.json",
        "{\n \"kind\": \"PodList\",\n \"items\": null\n}\n",
    )]);
    // cluster-info dump: logs of several containers in one file.
    let crashed = list.replace("OOMKilled", "Error").replace("137", "1");
    let logs = "==== START logs for container side of pod shop/web-0 ====\nall is well\n==== END logs for container side of pod shop/web-0 ====\n==== START logs for container main of pod shop/web-0 ====\nError: API_KEY is not set\n==== END logs for container main of pod shop/web-0 ====\n";
    finds(
        &[("shop/pods.json", &crashed), ("shop/web-0/logs.txt", logs)],
        "container-missing-env-variable",
        "API_KEY",
    );
    // must-gather
    let yaml = "---\napiVersion: v1\nkind: PodList\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: web-0\n    namespace: shop\n  spec:\n    containers:\n    - name: main\n  status:\n    phase: Running\n    containerStatuses:\n    - name: main\n      ready: false\n      restartCount: 4\n      state:\n        waiting:\n          reason: CrashLoopBackOff\n      lastState:\n        terminated:\n          exitCode: 1\n          reason: Error\n";
    finds(
        &[
            ("img/namespaces/shop/core/pods.yaml", yaml),
            (
                "img/namespaces/shop/pods/web-0/main/main/logs/previous.log",
                "2025-01-01T00:00:00.000000000Z panic: no luck\n",
            ),
        ],
        "application-exception",
        "no luck",
    );
}

#[test]
fn hostile_text_does_not_panic() {
    for text in [
        "Name:  \u{1b}[31m\nNamespace:  ",
        "NAME READY STATUS RESTARTS AGE\n├── ─── │ └──\n",
        "NAME   READY   STATUS   RESTARTS   AGE\né   é/é   é   é   é\n",
        "Name:  x\nNamespace: y\nLabels: z\nEvents:\n  Type\n  Warning\n",
        "{\"kind\":\"PodList\",\"items\":[{},{\"metadata\":null},[],3]}",
        "apiVersion: v1\nkind: Pod\nmetadata: []\n",
    ] {
        let _ = run(&[
            ("a.txt", text),
            ("b.json", text),
            ("cluster-resources/pods/x.json", text),
            ("c.yaml", text),
            ("logs/a/b.log", text),
        ]);
    }
}

/// A database that runs and is ready, with the resets of its clients.
const READY_DB: &str = r#"{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db-0","namespace":"shop"},"spec":{"containers":[{"name":"db","image":"postgres:16"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"db","ready":true,"restartCount":0,"state":{"running":{}},"lastState":{}}]}},
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bills-58d47c9b7f-xw6tp","namespace":"shop"},"spec":{"containers":[{"name":"bills","image":"registry.example.com/a-team-with-a-long-name/another-part-of-the-name/bills:2.31"}]},"status":{"phase":"Pending","conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{"name":"bills","ready":false,"restartCount":0,"lastState":{},"state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image \"registry.example.com/a-team-with-a-long-name/another-part-of-the-name/bills:2.31\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example.com/a-team-with-a-long-name/another-part-of-the-name/bills:2.31\": failed to resolve reference \"registry.example.com/a-team-with-a-long-name/another-part-of-the-name/bills:2.31\": not found"}}}]}}]}"#;

#[test]
fn clients_that_hang_up_are_no_fault_of_a_ready_database() {
    let resets: String = (10..40)
        .map(|n| format!("2026-01-27 07:{n}:00 UTC [{n}] LOG:  could not receive data from client: Connection reset by peer\n"))
        .collect();
    let log = format!(
        "==== START logs for container db of pod shop/db-0 ====\n{resets}==== END logs for container db of pod shop/db-0 ====\n"
    );
    let files = [
        ("shop/pods.json", READY_DB),
        ("shop/db-0/logs.txt", log.as_str()),
    ];
    finds(&files, "image-not-found", "bills:2.31");
    let partial = run(&files);
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.subject.name != "db-0"),
        "{:?}",
        partial.signals
    );
    // No name is cut in the middle: half a name would stand nowhere in the bundle.
    let said = &first(&partial).statement;
    for word in said
        .split_whitespace()
        .filter(|word| word.contains("registry.example"))
    {
        assert!(word.contains("bills:2.31"), "{word:?} is cut");
    }
}

const LOOPING: &str = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"orders-7f6b9d5c84-hk2lw","namespace":"shop"},"spec":{"containers":[{"name":"orders","image":"o:1"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{"name":"orders","ready":false,"restartCount":27,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}]}}]}"#;

#[test]
fn the_collector_s_errors_say_why_a_log_is_missing() {
    const REFUSED: &str = "failed to get log stream: pods \"orders-7f6b9d5c84-hk2lw\" is forbidden: User \"system:serviceaccount:x:y\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"shop\"";
    let folder = "cluster-resources/pods/logs/shop/orders-7f6b9d5c84-hk2lw";
    let list = format!("[\n  {}\n]\n", serde_json::to_string(REFUSED).unwrap());
    for (name, text) in [
        ("orders-logs-errors.log", REFUSED),
        ("orders-errors.json", list.as_str()),
    ] {
        let path = format!("{folder}/{name}");
        let partial = run(&[("cluster-resources/pods/shop.json", LOOPING), (&path, text)]);
        assert!(loudest(&partial) < 0.5, "{:?}", partial.signals);
        let symptom = |signal: &Signal| {
            signal.role == Role::Symptom
                && signal.cause == "pod-crash-loop"
                && signal.strength >= 0.4
        };
        assert!(partial.signals.iter().any(symptom));
        let log = partial
            .missing
            .iter()
            .find(|item| item.what.starts_with("container logs"))
            .unwrap();
        assert!(
            log.why.contains("is forbidden: User \"system"),
            "{}",
            log.why
        );
        assert_eq!(
            log.path.as_deref(),
            Some(format!("bundle/{folder}/orders.log").as_str())
        );
    }
    // A container may have such a name: then it is a log like others.
    let named = LOOPING.replace("\"name\":\"orders\"", "\"name\":\"orders-errors\"");
    finds(
        &[
            ("cluster-resources/pods/shop.json", &named),
            (
                &format!("{folder}/orders-errors.log"),
                "FATAL: environment variable DB_HOST is not set\n",
            ),
        ],
        "container-missing-env-variable",
        "DB_HOST",
    );
}

const DENY_EGRESS: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: deny-out\n  namespace: pay\nspec:\n  podSelector: {}\n  policyTypes:\n  - Egress\n";
const LOOKUPS: &str = "{\"level\":\"info\",\"msg\":\"starting\"}\n{\"level\":\"error\",\"msg\":\"no database\",\"error\":\"lookup db.pay.svc on 10.43.0.10:53: read udp 10.42.2.61:40100->10.43.0.10:53: i/o timeout\"}\n{\"level\":\"error\",\"msg\":\"no database\",\"error\":\"lookup db.pay.svc on 10.43.0.10:53: read udp 10.42.2.61:40137->10.43.0.10:53: i/o timeout\"}\n";
const GATEWAY: &str = "NAMESPACE   NAME                       READY   STATUS    RESTARTS   AGE\npay         gateway-6f7d8c5b9-ptz4m    0/1     Running   0          19m\n";

#[test]
fn a_policy_without_dns_explains_unanswered_lookups() {
    let log = (
        "kubectl/logs/pay_gateway-6f7d8c5b9-ptz4m_gateway.log",
        LOOKUPS,
    );
    let pods = ("kubectl/get-pods-A.txt", GATEWAY);
    let database = DENY_EGRESS.replace("deny-out", "to-db")
        + "  egress:\n  - to:\n    - podSelector: {}\n    ports:\n    - port: 5432\n";
    finds(
        &[
            pods,
            log,
            ("kubectl/netpol.yaml", DENY_EGRESS),
            ("kubectl/netpol-db.yaml", &database),
        ],
        "networkpolicy-blocks-dns",
        "10.43.0.10:53",
    );
    // One policy that allows DNS is enough, and pods of another namespace are not selected.
    let dns = DENY_EGRESS.replace("deny-out", "to-dns")
        + "  egress:\n  - ports:\n    - port: 53\n      protocol: UDP\n";
    let elsewhere = DENY_EGRESS.replace("namespace: pay", "namespace: other");
    for other in [
        vec![
            ("kubectl/netpol.yaml", DENY_EGRESS),
            ("kubectl/dns.yaml", dns.as_str()),
        ],
        vec![("kubectl/netpol.yaml", elsewhere.as_str())],
    ] {
        let partial = run(&[vec![pods, log], other].concat());
        assert!(
            partial
                .signals
                .iter()
                .all(|signal| signal.cause != "networkpolicy-blocks-dns"),
            "{:?}",
            partial.signals
        );
    }
}

#[test]
fn a_probe_that_asks_another_port_than_the_program_listens_on() {
    let container = format!(
        "{NOT_STARTED}    Readiness:      http-get http://:8080/healthz delay=5s timeout=1s period=10s #success=1 #failure=3\n"
    );
    let events = "  Warning  Unhealthy  10s (x90 over 15m)  kubelet  Readiness probe failed: Get \"http://10.244.1.18:8080/healthz\": dial tcp 10.244.1.18:8080: connect: connection refused\n";
    let page = page("Running", &container, NOT_READY, events);
    let log = "{\"level\":\"info\",\"msg\":\"HTTP server listening\",\"addr\":\":9090\"}\n";
    finds(
        &[
            ("describe_pod_web-0_shop.txt", &page),
            ("logs/shop/web-0.log", log),
        ],
        "probe-port-mismatch",
        "9090",
    );
    let same = log.replace("9090", "8080");
    let partial = run(&[
        ("describe_pod_web-0_shop.txt", &page),
        ("logs/shop/web-0.log", &same),
    ]);
    assert!(
        partial
            .signals
            .iter()
            .all(|s| s.cause != "probe-port-mismatch")
    );
}

const NOT_STARTED: &str = "    State:          Running\n      Started:      Tue, 12 Aug 2025 05:45:22 +0200\n    Ready:          False\n    Restart Count:  0\n";

#[test]
fn what_a_service_waits_for_stands_above_it() {
    let waits = "2025-06-12T11:16:32Z WARN orders-cache did not answer within 30000 ms: request timed out\n".repeat(5);
    let root = "2025-06-12T11:16:31Z ERROR POST https://api.example.test/v2/rates: 429 Too Many Requests, rate limit exceeded, retry in 20 s\n".repeat(5);
    finds(
        &[
            ("logs/shop/checkout-api-6vlcmtdpk-frr2l.log", &waits),
            ("logs/shop/orders-cache-l5wlnmmhw-pvgj9.log", &root),
        ],
        "dependency-rate-limited",
        "orders-cache",
    );
}

#[test]
fn a_budget_that_forbids_a_drain_is_named() {
    let drain = "evicting pod lic/licensing-l49cf-8lm4m\nerror when evicting pods/\"licensing-l49cf-8lm4m\" -n \"lic\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\n";
    let budgets = "NAMESPACE   NAME        MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE\nlic         licensing   1               N/A               0                     88d\nlic         gateway     N/A             1                 1                     40d\n";
    finds(
        &[("upgrade/drain_n3.log", drain), ("get_pdb_-A.txt", budgets)],
        "pdb-blocks-eviction",
        "lic/licensing",
    );
    quiet(&[("get_pdb_-A.txt", budgets)]);
}

#[test]
fn an_egress_policy_that_keeps_connections_inside() {
    let policy = |to: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: keep-in\n  namespace: shop\nspec:\n  podSelector: {{}}\n  policyTypes:\n  - Egress\n  egress:\n  - ports:\n    - port: 53\n      protocol: UDP\n  - to:\n    - {to}\n"
        )
    };
    let log = "2025-06-12T11:16:32Z ERROR reading stock from stock-db.data.svc.cluster.local:5432\njava.sql.SQLException: no connection\nCaused by: java.net.SocketTimeoutException: Connect timed out\n".repeat(4);
    let inside = policy("podSelector: {}");
    finds(
        &[("p.yaml", &inside), ("logs/shop/web-0.log", &log)],
        "networkpolicy-blocks",
        "egress",
    );
    let open = policy("namespaceSelector: {}");
    let partial = run(&[("p.yaml", &open), ("logs/shop/web-0.log", &log)]);
    assert!(
        partial
            .signals
            .iter()
            .all(|s| s.cause != "networkpolicy-blocks")
    );
}

#[test]
fn a_change_before_the_first_failure_and_the_exception_below_it_are_told() {
    let ordinary = "2025-06-12T10:23:31Z INFO POST /quotes 200 engine=classic\n".repeat(30);
    let fails = "2025-06-12T11:16:32Z ERROR Unhandled failure for POST /quotes\njava.lang.NullPointerException: profile is null\n\tat com.example.Tax.apply(Tax.java:87)\n".repeat(6);
    let log = format!(
        "{ordinary}2025-06-12T10:45:00Z INFO Flag configuration changed: new-engine variant off -> on\n{ordinary}{fails}"
    );
    let partial = run(&[("logs/shop/web-0.log", &log)]);
    let top = first(&partial);
    assert!(
        top.statement.contains("new-engine variant off"),
        "{}",
        top.statement
    );
    assert!(top.title.contains("NullPointerException"), "{}", top.title);
    let at_start = format!(
        "2025-06-12T10:45:00Z INFO Flag configuration changed: new-engine variant off -> on\n{ordinary}{fails}"
    );
    let partial = run(&[("logs/shop/web-0.log", &at_start)]);
    assert!(!first(&partial).statement.contains("new-engine"));
}

#[test]
fn a_cron_job_that_waits_for_a_hanging_run() {
    let events = "NAMESPACE   LAST SEEN   TYPE     REASON             OBJECT             MESSAGE\nfin         5h          Normal   JobAlreadyActive   cronjob/nightly    Not starting job because prior execution is running and concurrency policy is Forbid\n";
    finds(
        &[("get_events_-A.txt", events)],
        "cronjob-blocked-by-running-job",
        "nightly",
    );
}

#[test]
fn a_subset_of_the_mesh_that_no_pod_belongs_to() {
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  host: web\n  subsets:\n  - name: v2\n    labels:\n      version: v2\n";
    let pod = |version: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\n  labels:\n    app: web\n    version: {version}\nspec:\n  containers:\n  - name: main\nstatus:\n  phase: Running\n"
        )
    };
    finds(
        &[("r.yaml", rule), ("p.yaml", &pod("v2.0.1"))],
        "mesh-subset-without-pods",
        "version=v2",
    );
    quiet(&[("r.yaml", rule), ("p.yaml", &pod("v2"))]);
}

#[test]
fn production_that_calls_staging() {
    let pod = |ns: &str, phase: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: crm-0\n  namespace: {ns}\nspec:\n  containers:\n  - name: main\n    env:\n    - name: DB_HOST\n      value: crm-db.crm-staging.svc.cluster.local\nstatus:\n  phase: {phase}\n  containerStatuses:\n  - name: main\n    ready: false\n    restartCount: 9\n    state:\n      waiting:\n        reason: CrashLoopBackOff\n"
        )
    };
    finds(
        &[("p.yaml", &pod("crm-prod", "Running"))],
        "config-of-other-environment",
        "crm-staging",
    );
    let partial = run(&[("p.yaml", &pod("crm-staging", "Running"))]);
    assert!(
        partial
            .signals
            .iter()
            .all(|s| s.cause != "config-of-other-environment")
    );
}

#[test]
fn a_message_that_cannot_be_decoded_is_above_the_lag_it_makes() {
    let lag = "GROUP      TOPIC   PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG    CONSUMER-ID   HOST   CLIENT-ID\nprojector  orders  3          184467          235810          51343  c-1           /1     c\n";
    let log = "2025-06-12T11:16:32Z ERROR org.apache.kafka.common.errors.RecordDeserializationException: Error deserializing key/value for partition orders-3 at offset 184467\n".repeat(9);
    finds(
        &[
            ("lag.txt", lag),
            ("logs/shop/projector-7f9c-x2x4z.log", &log),
        ],
        "message-undecodable",
        "184467",
    );
}

#[test]
fn a_query_above_its_json_is_read() {
    let text = "# query: rate(container_cpu_cfs_throttled_periods_total[5m]) / rate(container_cpu_cfs_periods_total[5m])\n{\"status\": \"success\", \"data\": {\"resultType\": \"vector\", \"result\": [\n  {\"metric\": {\"container\": \"web\", \"namespace\": \"shop\", \"pod\": \"web-0\"}, \"value\": [1717063800.0, \"0.93\"]}]}}\n";
    finds(&[("prometheus/ratio.json", text)], "cpu-throttled", "web-0");
}

#[test]
fn a_silent_node_without_its_own_logs_is_a_symptom_that_names_them() {
    let nodes = node(&condition(
        "Ready",
        "Unknown",
        "Kubelet stopped posting node status.",
    ));
    let bare = run(&[("cluster-resources/nodes.json", &nodes)]);
    assert!(
        bare.signals
            .iter()
            .any(|signal| { signal.cause == "node-unreachable" && signal.role == Role::Symptom })
    );
    assert!(
        bare.missing
            .iter()
            .any(|item| item.what.contains("kubelet"))
    );
    assert!(
        bare.missing
            .iter()
            .any(|item| item.what.contains("kernel log"))
    );
    let told = run(&[
        ("cluster-resources/nodes.json", &nodes),
        (
            "nodes/n1/logs/kubelet.log",
            "I0101 10:00:00.1 1 kubelet.go:1] bye\n",
        ),
    ]);
    assert!(
        told.signals
            .iter()
            .any(|signal| { signal.cause == "node-unreachable" && signal.role == Role::Cause })
    );
}

#[test]
fn requests_for_certificates_that_nobody_approves() {
    let table = "NAME        AGE   SIGNERNAME                      REQUESTOR              REQUESTEDDURATION   CONDITION\ncsr-ds2jk   26h   kubernetes.io/kubelet-serving   system:node:n4         <none>              Pending\ncsr-ok2jk   26h   kubernetes.io/kubelet-serving   system:node:n5         <none>              Approved,Issued\n";
    finds(
        &[("get_csr.txt", table)],
        "kubelet-certificate-pending",
        "n4",
    );
    quiet(&[("get_csr.txt", &table.replace("Pending", "Approved,Issued"))]);
    quiet(&[("get_csr.txt", &table.replace("26h", "20s"))]);
}

#[test]
fn a_login_that_fails_asks_for_what_would_tell() {
    let files = [
        (
            "namespaces/openshift-console/core/events.yaml",
            "kind: EventList\n",
        ),
        (
            "namespaces/openshift-authentication/core/events.yaml",
            "kind: EventList\n",
        ),
        ("version", "4.14\n"),
    ];
    let asked = run_with(&files, Some("Nobody can log in: the login fails."));
    assert!(
        asked
            .missing
            .iter()
            .any(|item| item.what.contains("oauth-openshift"))
    );
    let calm = run_with(&files, Some("Is the console up to date?"));
    assert!(calm.missing.is_empty());
}

#[test]
fn an_address_pool_that_is_exhausted_is_why_a_service_waits() {
    let events = "NAMESPACE   LAST SEEN   TYPE      REASON             OBJECT         MESSAGE\nshop        10m         Warning   AllocationFailed   service/edge   Failed to allocate IP for \"shop/edge\": no available IPs\n";
    finds(
        &[("events.txt", events)],
        "loadbalancer-provisioning-failed",
        "no available IPs",
    );
}

#[test]
fn a_pool_of_machines_says_which_file_differs() {
    let pool = "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfigPool\nmetadata:\n  name: infra\nstatus:\n  conditions:\n  - type: NodeDegraded\n    status: \"True\"\n    reason: 1 nodes are reporting degraded status on sync\n    message: 'Node n7 is reporting: \"mode mismatch for file: /etc/a.conf\"'\n";
    finds(
        &[(
            "cluster-scoped-resources/machineconfiguration.openshift.io/machineconfigpools/infra.yaml",
            pool,
        )],
        "machine-config-degraded",
        "/etc/a.conf",
    );
}
