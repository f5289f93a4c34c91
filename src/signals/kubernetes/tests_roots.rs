//! Behaviour on bundles in which the loudest is not the root: a silent upstream, a deadlock, a sidecar, what is
//! known already, and symptoms without a word of whoever causes them.

use super::tests::{first, loudest, run_with};
use crate::signals::{Partial, Role};

const HEAD: &str = "NAMESPACE   NAME   READY   STATUS    RESTARTS      AGE   IP           NODE   NOMINATED NODE   READINESS GATES\n";

fn pods(rows: &str) -> String {
    format!("{HEAD}{rows}")
}

fn titles(partial: &Partial) -> String {
    partial
        .signals
        .iter()
        .map(|signal| {
            format!(
                "{:.2} {} | {}\n",
                signal.strength, signal.cause, signal.title
            )
        })
        .collect()
}

fn repeated(line: &str) -> String {
    (10..60)
        .map(|n| line.replace("MIN", &n.to_string()) + "\n")
        .collect()
}

#[test]
fn a_silent_upstream_is_the_root_of_all_names_that_do_not_resolve() {
    let list = pods(
        "kube-system   coredns-7db6d8ff4d-k2v9x   1/1   Running   0   9d   10.9.0.2   n1   <none>   <none>\ntours   quotes-6958c5bdd8-69gtn   1/1   Running   0   3d   10.9.0.5   n1   <none>   <none>\n",
    );
    let client = repeated(
        "2025-05-01T10:MIN:00Z ERROR cannot fetch quotes: getaddrinfo EAI_AGAIN api.quotes.example",
    );
    let silent = repeated(
        "[ERROR] plugin/errors: 2 api.quotes.example. A: read udp 10.9.0.2:31MIN->198.51.100.4:53: i/o timeout",
    );
    let inside =
        repeated("2025-05-01T10:MIN:00Z ERROR cannot reach: getaddrinfo ENOTFOUND quotes-db");
    let run = |client: &str| {
        run_with(
            &[
                ("kubectl/get_pod_-A.txt", &list),
                ("kubectl/logs/tours/quotes-6958c5bdd8-69gtn.log", client),
                (
                    "kubectl/logs/kube-system/coredns-7db6d8ff4d-k2v9x.log",
                    &silent,
                ),
            ],
            Some("The quotes of our partners are missing since this morning."),
        )
    };
    let partial = run(&client);
    let top = first(&partial);
    assert_eq!(top.cause, "cluster-dns-failing", "{}", titles(&partial));
    assert!(top.strength >= 0.8, "{}", titles(&partial));
    assert!(top.title.contains("198.51.100.4") && top.title.contains("only names outside"));
    // A name of the cluster itself is not missed because of the upstream.
    let partial = run(&inside);
    assert_eq!(
        first(&partial).cause,
        "dependency-name-unresolved",
        "{}",
        titles(&partial)
    );
}

#[test]
fn a_deadlock_is_the_root_of_a_probe_that_hangs() {
    let list = pods(
        "yard   crane-plan-6958c5bdd8-69gtn   0/1   Running   0   3d   10.9.0.5   n1   <none>   <none>\nyard   gate-cam-5f7c9d6b8-x2x4z   0/1   CrashLoopBackOff   900 (2m ago)   9d   10.9.0.7   n1   <none>   <none>\n",
    );
    let events = "LAST SEEN   TYPE      REASON      OBJECT                            MESSAGE\n1m          Warning   Unhealthy   pod/crane-plan-6958c5bdd8-69gtn   Readiness probe failed: Get \"http://10.9.0.5:8080/ready\": context deadline exceeded\n";
    let dump = "2025-05-01T10:00:00Z INFO started\nFull thread dump OpenJDK 64-Bit Server VM:\n\"worker-3\" #41 daemon prio=5 os_prio=0 cpu=28211.40ms elapsed=71002.11s tid=0x07 nid=0x3a waiting for monitor entry\n   java.lang.Thread.State: BLOCKED (on object monitor)\n\tat com.example.yard.Slots.swap(Slots.java:88)\n\nFound one Java-level deadlock:\n=============================\n\"worker-3\":\n  waiting to lock monitor 0x07 (object 0x01, a com.example.yard.Slot),\n  which is held by \"worker-4\"\n\"worker-4\":\n  waiting to lock monitor 0x08 (object 0x02, a com.example.yard.Slot),\n  which is held by \"worker-3\"\n";
    let files = [
        ("kubectl/get_pod_-A.txt", list.as_str()),
        ("kubectl/get_events_-n_yard.txt", events),
        ("kubectl/logs/yard/crane-plan-6958c5bdd8-69gtn.log", dump),
        (
            "kubectl/logs/yard/gate-cam-5f7c9d6b8-x2x4z.log",
            "fatal: cannot connect to 10.4.4.4:554: connection refused\n",
        ),
    ];
    let partial = run_with(&files, None);
    let top = first(&partial);
    assert_eq!(top.cause, "application-deadlocked", "{}", titles(&partial));
    assert!(
        top.title.contains("Slots.swap") && top.title.contains("worker-4"),
        "{}",
        top.title
    );
    assert!(
        partial
            .signals
            .iter()
            .all(|signal| signal.cause != "application-slow"),
        "{}",
        titles(&partial)
    );
}

fn looping(words: &str) -> Partial {
    let list = pods(
        "yard   crane-plan-6958c5bdd8-69gtn   1/1   Running   0   3d   10.9.0.5   n1   <none>   <none>\nyard   gate-cam-5f7c9d6b8-x2x4z   0/1   CrashLoopBackOff   900 (2m ago)   9d   10.9.0.7   n1   <none>   <none>\nyard   label-press-7f9d8c6b5d-k2v9x   0/1   CrashLoopBackOff   9 (2m ago)   9d   10.9.0.8   n1   <none>   <none>\n",
    );
    let alert = format!(
        "{{\"status\":\"success\",\"data\":{{\"alerts\":[\n{{\"labels\":{{\"alertname\":\"KubePodCrashLooping\",\n\"namespace\":\"yard\",\n\"pod\":\"gate-cam-5f7c9d6b8-x2x4z\",\n\"severity\":\"warning\"}},\n\"annotations\":{{\"description\":\"{words}\"}},\n\"state\":\"firing\",\"activeAt\":\"2025-05-01T10:00:00Z\"}}]}}}}"
    );
    run_with(
        &[
            ("kubectl/get_pod_-A.txt", &list),
            ("outputs/alerts.json", &alert),
            (
                "kubectl/logs/yard/gate-cam-5f7c9d6b8-x2x4z.log",
                "fatal: password authentication failed for user \"cam\"\n",
            ),
            (
                "kubectl/logs/yard/label-press-7f9d8c6b5d-k2v9x.log",
                "Error: cannot connect to press.example:9100: connection refused\n",
            ),
        ],
        None,
    )
}

#[test]
fn what_is_known_already_does_not_lead() {
    let known = looping("Pod loops (known, camera is being replaced next week)");
    assert!(
        first(&known).title.contains("label-press"),
        "{}",
        titles(&known)
    );
    let about = |partial: &Partial| {
        partial
            .signals
            .iter()
            .filter(|signal| signal.title.contains("gate-cam"))
            .map(|signal| signal.strength)
            .fold(0.0, f64::max)
    };
    assert!(about(&known) <= 0.4, "{}", titles(&known));
    let unknown = looping("Pod has not matched the expected state for 15 minutes");
    assert!(about(&unknown) > 0.6, "{}", titles(&unknown));
}

const JOB: &str = r#"{"kind":"PodList","apiVersion":"v1","items":[{
"metadata":{"name":"fill-x2x4z","namespace":"docs","labels":{"job-name":"fill"},
"ownerReferences":[{"kind":"Job","name":"fill"}]},
"spec":{"nodeName":"n1","containers":[{"name":"fill","image":"fill:1"},{"name":"istio-proxy","image":"proxy:1"}]},
"status":{"phase":"PHASE",
"containerStatuses":[
{"name":"fill","ready":false,"restartCount":0,"state":{"terminated":{
"exitCode":EXIT,
"reason":"DONE",
"startedAt":"2025-05-01T10:00:03Z","finishedAt":"2025-05-01T10:00:05Z"}}},
{"name":"istio-proxy","ready":true,"restartCount":0,"state":{PROXY}}]}}]}"#;

fn job(phase: &str, exit: &str, proxy: &str) -> String {
    JOB.replace("PHASE", phase)
        .replace("EXIT", exit)
        .replace("DONE", if exit == "0" { "Completed" } else { "Error" })
        .replace("PROXY", proxy)
}

#[test]
fn a_program_that_starts_before_its_proxy_is_told_and_one_that_fails_later_is_not() {
    let list = job(
        "Failed",
        "1",
        "\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}",
    );
    let proxy = "2025-05-01T10:00:03.000Z info Starting proxy agent\n2025-05-01T10:00:06.100Z info Envoy proxy is ready\n";
    let run = |second: &str| {
        let log = format!(
            "2025-05-01T10:00:0{second}.200Z ERROR cannot open index: dial tcp 10.3.0.9:9200: connect: connection refused\n"
        );
        run_with(
            &[
                ("cluster-resources/pods/docs.json", &list),
                ("cluster-resources/pods/logs/docs/fill-x2x4z/fill.log", &log),
                (
                    "cluster-resources/pods/logs/docs/fill-x2x4z/istio-proxy.log",
                    proxy,
                ),
                (
                    "cluster-resources/configmaps/istio-system.yaml",
                    "mesh: |\n  defaultConfig:\n    holdApplicationUntilProxyStarts: false\n",
                ),
            ],
            None,
        )
    };
    let early = run("4");
    let top = first(&early);
    assert_eq!(top.cause, "sidecar-not-ready-first", "{}", titles(&early));
    assert!(
        top.title.contains("istio-proxy") && top.title.contains("1.9 s later"),
        "{}",
        top.title
    );
    let late = run("8");
    assert!(
        late.signals
            .iter()
            .all(|signal| signal.cause != "sidecar-not-ready-first"),
        "{}",
        titles(&late)
    );
}

#[test]
fn a_job_whose_sidecar_runs_on_does_not_end() {
    let running = "\"running\":{\"startedAt\":\"2025-05-01T10:00:03Z\"}";
    let partial = run_with(
        &[(
            "cluster-resources/pods/docs.json",
            &job("Running", "0", running),
        )],
        None,
    );
    let top = first(&partial);
    assert_eq!(top.cause, "job-held-by-sidecar", "{}", titles(&partial));
    assert!(top.strength >= 0.8);
}

#[test]
fn symptoms_without_a_word_of_their_cause_name_what_is_missing() {
    let services = "NAMESPACE   NAME     TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)        AGE   SELECTOR\ncalls       voice    LoadBalancer   10.0.3.7     <pending>     5060:31000/UDP   2h    app=voice\n";
    let partial = run_with(
        &[("kubectl/get_service_-A.txt", services)],
        Some("The new service voice gets no external address."),
    );
    assert!(loudest(&partial) < 0.5, "{}", titles(&partial));
    assert!(
        partial
            .signals
            .iter()
            .any(|signal| signal.cause == "loadbalancer-pending" && signal.role == Role::Symptom)
    );
    for what in [
        "events of service calls/voice",
        "cloud controller manager",
        "quota",
    ] {
        assert!(
            partial
                .missing
                .iter()
                .any(|missing| missing.what.contains(what)),
            "{what}"
        );
    }
    let list = pods(
        "calls   voice-6958c5bdd8-69gtn   1/1   Terminating   0   3d   10.9.0.5   n7   <none>   <none>\n",
    );
    let events = "LAST SEEN   TYPE      REASON         OBJECT                       MESSAGE\n3h          Warning   NodeNotReady   pod/voice-6958c5bdd8-69gtn   Node is not ready\n";
    let mut files = vec![
        ("kubectl/get_pod_-A.txt", list.as_str()),
        ("kubectl/get_events_-n_calls.txt", events),
    ];
    let ticket = Some("A worker of the cluster fell out in the night.");
    let partial = run_with(&files, ticket);
    assert!(loudest(&partial) < 0.5, "{}", titles(&partial));
    files.push((
        "host/n7/journalctl_kubelet.txt",
        "May 01 02:00:00 n7 kubelet[7]: E0501 eviction manager: unexpected error\n",
    ));
    assert!(
        run_with(&files, ticket)
            .signals
            .iter()
            .any(|signal| signal.cause == "node-not-ready" && signal.role == Role::Cause)
    );
}

#[test]
fn one_refused_row_is_no_fault_of_the_database() {
    let list =
        pods("docs   ledger-pg-0   1/1   Running   0   3d   10.9.0.5   n1   <none>   <none>\n");
    let lines = |times: usize| {
        let mut text = String::from(
            "2025-05-01 10:00:00.000 UTC [1] LOG:  database system is ready to accept connections\n",
        );
        for n in 0..times {
            text.push_str(&format!("2025-05-01 10:{:02}:00.000 UTC [9] ERROR:  duplicate key value violates unique constraint \"entry_pkey\"\n", n + 10));
        }
        text
    };
    let run = |times| {
        loudest(&run_with(
            &[
                ("kubectl/get_pod_-A.txt", &list),
                ("kubectl/logs/docs/ledger-pg-0.log", &lines(times)),
            ],
            Some("The upgrade of the product fails at its migration."),
        ))
    };
    let given_up = repeated("2025-05-01 10:MIN:00.000 UTC [9] ERROR:  deadlock detected");
    let partial = run_with(
        &[
            ("kubectl/get_pod_-A.txt", &list),
            ("kubectl/logs/docs/ledger-pg-0.log", &given_up),
        ],
        Some("The ledger refuses entries."),
    );
    assert_eq!(
        first(&partial).cause,
        "database-deadlock",
        "{}",
        titles(&partial)
    );
    assert!(run(1) < 0.4);
    assert!(run(30) > run(1));
}
