//! Behaviour of the detectors on small bundles: what must be found, and what must stay quiet.

use super::detect;
use crate::bundle::testing::tree_of;
use crate::profile::recognise;
use crate::signals::{Partial, Role, Signal};

/// Detects over a bundle made of `(path, text)` files.
pub(super) fn run_with(files: &[(&str, &str)], ticket: Option<&str>) -> Partial {
    let files = files.iter();
    let (_folder, tree) = tree_of(files.map(|(path, text)| (format!("bundle/{path}"), text)));
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
    let refused = crate::signals::testing::refused(&tree, &partial.signals);
    assert!(refused.is_empty(), "{refused:#?}");
    partial
}

pub(super) fn run(files: &[(&str, &str)]) -> Partial {
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
pub(super) fn quiet(files: &[(&str, &str)]) {
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
pub(super) fn page(status: &str, container: &str, rest: &str, events: &str) -> String {
    format!(
        "Name:             web-0\nNamespace:        shop\nPriority:         0\nNode:             n1/10.0.0.1\nStart Time:       Tue, 12 Aug 2025 05:45:20 +0200\nLabels:           app=web\nStatus:           {status}\nIP:               10.244.1.18\nContainers:\n  main:\n    Container ID:  containerd://1\n    Image:         shop/web:1\n    Port:          8080/TCP\n{container}Conditions:\n  Type           Status\n  Initialized    True\n{rest}QoS Class:       Burstable\nEvents:\n  Type     Reason   Age   From     Message\n  ----     ------   ----  ----     -------\n{events}"
    )
}

pub(super) const CRASHED: &str = "    State:          Waiting\n      Reason:       CrashLoopBackOff\n    Last State:     Terminated\n      Reason:       Error\n      Exit Code:    1\n      Started:      Tue, 12 Aug 2025 06:42:07 +0200\n      Finished:     Tue, 12 Aug 2025 06:42:09 +0200\n    Ready:          False\n    Restart Count:  7\n";
pub(super) const RUNNING: &str = "    State:          Running\n      Started:      Tue, 12 Aug 2025 05:45:22 +0200\n    Ready:          True\n    Restart Count:  0\n";
pub(super) const NOT_READY: &str = "  Ready          False\n";
pub(super) const READY: &str = "  Ready          True\n";
pub(super) const BACKOFF: &str = "  Warning  BackOff  10s (x9 over 5m)  kubelet  Back-off restarting failed container main in pod web-0_shop(1)\n";

pub(super) fn crashed(log: &str) -> Vec<(&'static str, String)> {
    vec![
        ("describe.txt", page("Running", CRASHED, NOT_READY, BACKOFF)),
        ("logs/shop/web-0.log", log.to_owned()),
    ]
}

#[track_caller]
pub(super) fn crash_finds(log: &str, cause: &str, words: &str) {
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
        include_str!("busy_device.rs"),
        include_str!("everywhere.rs"),
        include_str!("throttled.rs"),
        include_str!("ends.rs"),
        include_str!("rotated.rs"),
        include_str!("search_domain.rs"),
        include_str!("service_rules.rs"),
        include_str!("retried.rs"),
        include_str!("reloaded.rs"),
        include_str!("slowlog.rs"),
        include_str!("uneven.rs"),
        include_str!("environments.rs"),
        include_str!("nat.rs"),
        include_str!("bindings.rs"),
        include_str!("proxytime.rs"),
        include_str!("policies.rs"),
        include_str!("metrics/mod.rs"),
        include_str!("metrics/quantities.rs"),
        include_str!("compare/mod.rs"),
        include_str!("compare/objects.rs"),
        include_str!("compare/addresses.rs"),
        include_str!("tools/mod.rs"),
        include_str!("tools/tables.rs"),
        include_str!("tools/forms.rs"),
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
