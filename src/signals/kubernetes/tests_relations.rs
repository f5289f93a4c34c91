//! Behaviour of the detectors where several objects, the customer's words or the layout decide.

use super::tests::*;
use super::tests_objects::*;
use crate::signals::{Role, Signal};

#[test]
fn pods_that_do_not_end_and_schedulers_that_do_not_run() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\n  deletionTimestamp: \"2025-01-01T00:00:00Z\"\nspec:\n  containers:\n  - name: main\nstatus:\n  phase: Running\n";
    let clock = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: shop\n  creationTimestamp: \"2025-01-01T05:00:00Z\"\nstatus:\n  phase: Succeeded\n";
    finds(
        &[("p.yaml", pod), ("q.yaml", clock)],
        "pod-stuck-terminating",
        "web-0",
    );
    let waits = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  namespace: shop\nspec:\n  schedulerName: my-scheduler\n  containers:\n  - name: main\n    image: web:2\nstatus:\n  phase: Pending\n";
    finds(&[("p.yaml", waits)], "scheduler-missing", "my-scheduler");
    let unseen = waits.replace("  schedulerName: my-scheduler\n", "");
    finds(&[("p.yaml", &unseen)], "scheduler-missing", "web-0");
    // A state is the word of a kubelet, so the pod has a node.
    let pulls = format!(
        "{unseen}  containerStatuses:\n  - name: main\n    state:\n      waiting:\n        reason: ImagePullBackOff\n        message: Back-off pulling image \"web:2\"\n"
    );
    let found = run(&[("p.yaml", &pulls)]);
    let causes: Vec<&str> = found.signals.iter().map(|one| one.cause.as_str()).collect();
    assert!(causes.contains(&"image-pull-failed"), "{causes:?}");
    assert!(!causes.contains(&"scheduler-missing"), "{causes:?}");
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
